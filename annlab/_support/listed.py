"""Read a package's public names from the stub beside its ``__init__.py``."""

from __future__ import annotations

import ast
from pathlib import Path


def public_names(init: str) -> dict[str, str]:
    """Return the module of each public name, in the order of the stub.

    ``init`` is the ``__file__`` of the package. Type checkers read the same stub.

    Examples
    --------
    >>> import annlab
    >>> from annlab._support.listed import public_names
    >>> public_names(annlab.__file__)["make_index"]
    'annlab.indexes'
    """
    stub = Path(init).with_suffix(".pyi").read_text(encoding="utf-8")
    imports = [node for node in ast.parse(stub).body if isinstance(node, ast.ImportFrom)]
    return {
        alias.name: node.module
        for node in imports
        for alias in node.names
        if node.module is not None and node.module.startswith("annlab")
    }

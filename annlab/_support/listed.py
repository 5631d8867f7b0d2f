"""Read the public names of a package from the type stub beside its ``__init__.py``."""

from __future__ import annotations

import ast
from pathlib import Path


def public_names(init: str) -> dict[str, str]:
    """Return the module that each public name is imported from, in the order of the stub.

    The stub is the one list of the names: the package loads them lazily from it, and type checkers
    read it as well.

    Parameters
    ----------
    init : str
        ``__file__`` of the package.

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

"""The interpreter, and which annlab a script imports."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

from annlab._cli.doctor.findings import Finding
from annlab._support.places import PACKAGE

_OLDEST, _NEWEST_TRIED = (3, 11), (3, 13)


def check_python() -> Finding:
    """Check the version and the kind of the interpreter."""
    version = platform.python_version()
    bits = 64 if sys.maxsize > 2**32 else 32
    where = "a virtual environment" if sys.prefix != sys.base_prefix else "no virtual environment"
    facts = {"version": version, "implementation": sys.implementation.name, "bits": bits}
    text = f"{platform.python_implementation()} {version}, {where}."
    another = "Make the environment with another Python: make env PYTHON=python3.12"
    if sys.version_info[:2] < _OLDEST:
        oldest = ".".join(map(str, _OLDEST))
        return Finding("python", "problem", f"{text} annlab needs {oldest}.", another, facts)
    if bits == 32:
        return Finding("python", "problem", f"{text} It is a 32-bit build.", another, facts)
    if sys.implementation.name != "cpython":
        return Finding("python", "warning", f"{text} Only CPython is tested.", another, facts)
    if sys.version_info[:2] > _NEWEST_TRIED:
        newest = ".".join(map(str, _NEWEST_TRIED))
        return Finding("python", "note", f"{text} The newest tested one is {newest}.", facts=facts)
    return Finding("python", "ok", text, facts=facts)


def check_import(folder: Path = Path()) -> Finding:
    """Check that a script or a notebook in a folder imports this annlab.

    Python looks beside the script first: a checkout's folder ``annlab`` there counts as an empty
    package and comes before an editable installation.
    """
    from importlib.machinery import PathFinder

    folder = Path(os.path.abspath(folder))
    found = PathFinder.find_spec("annlab", [str(folder), *sys.path])
    own = PACKAGE / "__init__.py"
    origin = None if found is None else found.origin
    facts = {"folder": str(folder), "annlab": str(own), "found": origin}
    # PathFinder does not see an editable installation
    if found is None or (origin is not None and Path(origin).resolve() == own):
        return Finding("import", "ok", f"A script in {folder} imports annlab.", facts=facts)
    place = origin or next(iter(found.submodule_search_locations or []), str(folder / "annlab"))
    kind = "file" if origin else "folder"
    text = (
        f"A script in {folder} imports the {kind} {place} under the name of annlab, "
        "and Python says 'cannot import name ... from annlab'."
    )
    fix = "Move the script to another folder, where nothing beside it is named annlab"
    fix += ", or give that file another name." if origin else "."
    return Finding("import", "warning", text, fix, facts)

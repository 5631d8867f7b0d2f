"""Find and read a student's notebook, and restore missing cells."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

#: A larger notebook is not opened.
MAX_BYTES = 10_000_000
#: Left behind by operating systems, archives and Jupyter.
_LITTER = {"__macosx", "__pycache__", "thumbs.db", "desktop.ini"}
#: Browsers and mail programs append an ending of their own.
_NOTEBOOK = re.compile(r"\.ipynb(\.(txt|json))?$", flags=re.IGNORECASE)

Notebook = dict[str, Any]


def is_litter(name: str) -> bool:
    """Return whether a program made a file or folder, and not the student."""
    return name.startswith(".") or name.lower() in _LITTER


def is_notebook(name: str) -> bool:
    """Return whether this is a notebook's name, perhaps changed by a browser."""
    return _NOTEBOOK.search(name) is not None


def files_in(folder: Path) -> Iterator[Path]:
    """Yield the files that a student handed in, sorted, without litter."""
    for path in sorted(folder.iterdir()):
        if is_litter(path.name):
            continue
        if path.is_dir() and not path.is_symlink():
            yield from files_in(path)
        elif path.is_file():
            yield path


# -- reading -------------------------------------------------------------------------------------


def mark(cell: Mapping[str, Any]) -> dict[str, Any]:
    """Return nbgrader's metadata of a cell, or an empty dict."""
    metadata = cell.get("metadata")
    found = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    return found if isinstance(found, dict) else {}


def exercise_of(cell: Mapping[str, Any]) -> str:
    """Return the exercise that an answer cell or a test cell belongs to."""
    return exercise_named(str(mark(cell).get("grade_id", "")))


def exercise_named(grade_id: str) -> str:
    """Return the exercise of a cell named ``"test-03-2"`` or ``"answer-03-2"``."""
    return grade_id.removeprefix("test-").removeprefix("answer-")


def read_notebook(path: Path) -> Notebook:
    """Read a notebook in any encoding; raise ValueError if it is not one."""
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"the notebook is larger than {MAX_BYTES / 1e6:.0f} MB")
    try:
        notebook = json.loads(_decoded(path.read_bytes()))
        for cell in notebook["cells"]:
            # editors on Windows leave \r\n inside cells
            cell["source"] = re.sub(r"\r\n?", "\n", "".join(cell["source"]))
            cell.setdefault("metadata", {})
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as reason:
        raise ValueError(f"the file is not a notebook ({type(reason).__name__})") from None
    return dict(notebook)


def _decoded(content: bytes) -> str:
    # UTF-8, UTF-16 and UTF-32, with or without a mark at the beginning
    try:
        return content.decode(json.detect_encoding(content))
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


def answers_in(notebook: Notebook, released: Notebook) -> dict[str, str]:
    """Return the sources of the released answer cells, by their ids."""
    wanted = {id for id in _released_cells(released) if id.startswith("answer-")}
    answers: dict[str, str] = {}
    for cell in notebook["cells"]:
        id = _identity(cell, wanted)
        if id is not None:
            answers.setdefault(id, cell["source"].strip())
    return answers


def _released_cells(released: Notebook) -> dict[str, dict[str, Any]]:
    return {mark(c)["grade_id"]: c for c in released["cells"] if mark(c).get("grade_id")}


def _identity(cell: Mapping[str, Any], wanted: Mapping[str, object] | set[str]) -> str | None:
    """Return the id of the released cell; use the cell's own id without metadata."""
    for id in (mark(cell).get("grade_id"), cell.get("id")):
        if isinstance(id, str) and id in wanted:
            return id
    return None


# -- finding -------------------------------------------------------------------------------------


def find_notebook(folder: Path, name: str, released: Notebook) -> tuple[Path, Notebook, list[str]]:
    """Find an assignment's notebook in a student's folder, under any name.

    A notebook with answers is preferred, then the right name. Returns its path, its content and
    notes on what was unusual; a ValueError if there is none, or if it is ambiguous.
    """
    files = list(files_in(folder))
    found, faults = {}, {}
    for path in files:
        if is_notebook(path.name):
            try:
                found[path] = read_notebook(path)
            except ValueError as fault:
                faults[path] = str(fault)
    if not found:
        raise ValueError(_nothing_found(folder, name, files, faults))
    blank = answers_in(released, released)
    answers = {path: answers_in(notebook, released) for path, notebook in found.items()}
    known = [path for path in found if answers[path]]
    if not known:
        told = ", ".join(_shown(folder, path) for path in found)
        raise ValueError(f"{told} has no answer cell of {name}: is it the right notebook?")
    filled = [path for path in known if any(answers[path][id] != blank[id] for id in answers[path])]
    meant = filled or known
    right = [path for path in meant if path.name.lower() == f"{name}.ipynb"]
    # a copy in a folder below is a backup
    right = [path for path in right if len(path.parts) == min(len(x.parts) for x in right)]
    if len(right) != 1 and any(answers[path] != answers[meant[0]] for path in meant):
        told = ", ".join(_shown(folder, path) for path in meant)
        raise ValueError(f"several notebooks ({told}) have different answers: which one is meant?")
    path = (right or meant)[0]
    notes = [] if path.name == f"{name}.ipynb" else [f"handed in as {_shown(folder, path)}"]
    for other in [*found, *faults]:
        if other == path:
            continue
        if other in faults:
            notes.append(f"{_shown(folder, other)} cannot be read: {faults[other]}")
        elif other in filled and answers[other] != answers[path]:
            notes.append(f"{_shown(folder, other)} has other answers and was not graded")
        elif path in filled and other not in filled:
            notes.append(f"{_shown(folder, other)} has no answers and was not graded")
    return path, found[path], notes


def _shown(folder: Path, path: Path) -> str:
    return path.relative_to(folder).as_posix()


def _nothing_found(
    folder: Path, name: str, files: Sequence[Path], faults: Mapping[Path, str]
) -> str:
    if len(faults) == 1:
        (path, fault), *_ = faults.items()
        return fault if path.name == f"{name}.ipynb" else f"{_shown(folder, path)}: {fault}"
    if faults:
        return "none of the notebooks can be read: " + ", ".join(_shown(folder, x) for x in faults)
    if not files:
        return f"there is no {name}.ipynb in the folder"
    others = ", ".join(_shown(folder, path) for path in files[:3])
    more = f" and {len(files) - 3} more" if len(files) > 3 else ""
    packed = any(path.suffix.lower() in (".zip", ".tar", ".gz", ".7z", ".rar") for path in files)
    advice = "unpack it there" if packed else f"ask for {name}.ipynb"
    return f"there is no {name}.ipynb in the folder, but {others}{more}: {advice}"


# -- restoring -----------------------------------------------------------------------------------


def restore(submitted: Notebook, released: Notebook) -> tuple[Notebook, list[str]]:
    """Restore deleted, duplicated or edited cells; return notes on each.

    Only answer cells are the student's: nbgrader overwrites grade cells with those of the source,
    and a missing answer cell becomes the empty stub.
    """
    notes: list[str] = []
    edited: list[str] = []
    wanted = _released_cells(released)
    cells: list[dict[str, Any]] = []
    places: dict[str, int] = {}
    for cell in submitted["cells"]:
        id = _identity(cell, wanted)
        if id is not None and id not in places:
            places[id] = len(cells)
            # the student may have edited the metadata
            cell = {**cell, "metadata": wanted[id]["metadata"]}
            if cell.get("cell_type") != wanted[id]["cell_type"]:
                cell = {**wanted[id], "source": cell["source"]}
                notes.append(f"the type of cell {id} was changed back")
            if id.startswith("test-") and cell["source"].strip() != wanted[id]["source"].strip():
                edited.append(id)
        elif mark(cell):
            # a copied cell has the metadata of its original
            cell = {**cell, "metadata": {}}
        cells.append(cell)
    missing = [id for id in wanted if id not in places]
    last = -1
    for id in wanted:
        place = next((i for i, cell in enumerate(cells) if mark(cell).get("grade_id") == id), None)
        if place is None:
            last += 1
            cells.insert(last, wanted[id])
        else:
            last = max(last, place)
    notes += _restored(edited, "edited") + _restored(missing, "missing")
    return {**released, "cells": [_clean(cell, i) for i, cell in enumerate(cells)]}, notes


def _clean(cell: Mapping[str, Any], number: int) -> dict[str, Any]:
    """Return the parts of a cell that nbgrader needs."""
    kind = cell.get("cell_type")
    kept: dict[str, Any] = {
        "cell_type": kind if kind in ("code", "markdown", "raw") else "raw",
        "id": f"cell-{number}",
        "metadata": cell["metadata"] if isinstance(cell["metadata"], dict) else {},
        "source": cell["source"],
    }
    if kind == "code":
        kept |= {"execution_count": None, "outputs": []}
    return kept


def _restored(ids: Sequence[str], fault: str) -> list[str]:
    """Return a sentence for all restored test cells and one for answer cells."""
    notes = []
    for what in ("test", "answer"):
        those = [id.split("-", 1)[1] for id in ids if id.startswith("test-") is (what == "test")]
        if those:
            notes.append(f"{what} cells {fault} and restored: {', '.join(those)}")
    return notes

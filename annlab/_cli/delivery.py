"""Copy the notebooks into a folder that belongs to the student.

`deliver` only ever writes a file that does not exist there, or replaces one that still has the
content that `deliver` gave it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from annlab._support.errors import invalid
from annlab._support.files import atomic_write
from annlab._support.places import source_folder

#: Where `deliver` records what it wrote: relative name -> `_digest` of the content as delivered.
MANIFEST = Path(".annlab") / "delivered.json"
#: Files to deliver, relative to notebooks/; the same patterns as package-data in pyproject.toml.
#: Not exercises/, which hold the solutions (see annlab classroom).
PATTERNS = ("*.ipynb", "*.md", "gallery/*.ipynb", "images/*.png", "images/*.svg")


@dataclass
class Delivery:
    """Relative names of the files, grouped by what `deliver` did with them."""

    added: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    restored: list[str] = field(default_factory=list)
    #: changed by the student and kept; the original is not newer
    kept: list[str] = field(default_factory=list)
    #: (changed by the student and kept, name of the newer original that is now beside it)
    beside: list[tuple[str, str]] = field(default_factory=list)
    #: deleted by the student and not restored
    left_out: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)


def _as_delivered(name: str, content: bytes) -> bytes:
    """Return a copy's content: notebooks lose outputs, which show the answers."""
    if not name.endswith(".ipynb"):
        return content
    try:
        notebook = json.loads(content)
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code":
                cell["outputs"], cell["execution_count"] = [], None
        # state of the widgets that were shown
        notebook["metadata"].pop("widgets", None)
    except (ValueError, KeyError, TypeError, AttributeError):
        # not a notebook in spite of its name: copied unchanged
        return content
    return (json.dumps(notebook, indent=1, ensure_ascii=False) + "\n").encode()


def _digest(name: str, content: bytes) -> str:
    """Return the SHA-256 of a file, ignoring what JupyterLab writes on opening."""
    if name.endswith(".ipynb"):
        with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
            notebook = json.loads(content)
            metadata = dict(notebook.get("metadata", {}))
            metadata.pop("kernelspec", None)
            metadata.pop("language_info", None)
            content = json.dumps([notebook["cells"], metadata], sort_keys=True).encode()
    return hashlib.sha256(content).hexdigest()


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as file:
        file.write(content)


def _read_manifest(folder: Path) -> dict[str, str]:
    try:
        known = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return {str(name): str(digest) for name, digest in known["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        # without a record every file counts as the student's, which is safe
        return {}


def _content(path: Path) -> bytes | None:
    """Return the content of a plain, readable file, else None."""
    try:
        return path.read_bytes() if path.is_file() and not path.is_symlink() else None
    except OSError:
        return None


def _name_beside(folder: Path, name: str, known: dict[str, str]) -> str:
    """Return a name for a newer original: unused, or of an unchanged older one."""
    path = Path(name)
    for number in count(1):
        mark = f".new{number if number > 1 else ''}"
        candidate = path.with_name(f"{path.stem}{mark}{path.suffix}").as_posix()
        there = _content(folder / candidate)
        is_ours = there is not None and known.get(candidate) == _digest(name, there)
        if is_ours or not os.path.lexists(folder / candidate):
            break
    return candidate


def deliver(folder: Path, *, source: Path | None = None, restore: bool = False) -> Delivery:
    """Copy the notebooks into ``folder``, or update them; edited files are kept.

    The copies have no outputs.

    Parameters
    ----------
    folder : Path
        Created if it does not exist.
    source : Path, optional
        Folder to copy from; by default the notebooks that came with annlab.
    restore : bool, default=False
        Also write files that the student has deleted.

    Returns
    -------
    Delivery

    Raises
    ------
    ValueError
        If ``folder`` is a file, or is the source itself.
    OSError
        If the folder cannot be written to.

    Notes
    -----
    For each file, by what is in the folder:

    ====================================  =====================================================
    nothing, never delivered              it is delivered
    nothing, delivered before             the student deleted it: it is left out, unless restored
    the delivered content                 it is replaced by a newer original
    anything else                         it is the student's and kept; a newer original is put
                                          beside it as ``NAME.new.ipynb``, once
    ====================================  =====================================================

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from annlab._cli.delivery import deliver
    >>> with tempfile.TemporaryDirectory() as home:
    ...     deliver(Path(home) / "mine").added[0]
    '00_start_here.ipynb'
    """
    folder = Path(folder).expanduser()
    source = source_folder() if source is None else Path(source)
    if folder.exists() and not folder.is_dir():
        raise invalid(
            "--dir", "a folder, or an unused name", f"the file {folder}", "Name another one."
        )
    if folder.exists() and folder.resolve() == source.resolve():
        raise invalid(
            "--dir",
            "a folder other than that of the original notebooks",
            folder,
            "Use --no-copy to work on the originals themselves.",
        )
    folder.mkdir(parents=True, exist_ok=True)
    known = _read_manifest(folder)
    done = Delivery()
    names = sorted(
        path.relative_to(source).as_posix()
        for pattern in PATTERNS
        for path in source.glob(pattern)
        if path.is_file()
    )
    for name in names:
        content = _as_delivered(name, (source / name).read_bytes())
        digest = _digest(name, content)
        target = folder / name
        if not os.path.lexists(target):
            if name not in known:
                done.added.append(name)
            elif restore:
                done.restored.append(name)
            else:
                done.left_out.append(name)
                continue
            _write(target, content)
            known[name] = digest
            continue
        there = _content(target)
        held = None if there is None else _digest(name, there)
        if held == digest:
            known[name] = digest
            done.unchanged.append(name)
        elif held is not None and known.get(name) == held:
            _write(target, content)
            known[name] = digest
            done.updated.append(name)
        elif known.get(name) == digest:
            done.kept.append(name)
        else:
            beside = _name_beside(folder, name, known)
            _write(folder / beside, content)
            # under both names, so it is not offered again
            known[beside] = known[name] = digest
            done.beside.append((name, beside))
    record = {"what": "contents as annlab delivered them; see annlab lab --help", "files": known}
    _write(folder / MANIFEST, json.dumps(record, indent=1, sort_keys=True).encode())
    return done


def describe(done: Delivery, folder: Path) -> str:
    """Describe in plain sentences what `deliver` did."""
    lines = []
    if done.added:
        lines.append(f"{len(done.added)} files copied into {folder}.")
    if done.updated:
        lines.append(f"{len(done.updated)} files that you had not changed were brought up to date.")
    if done.restored:
        lines.append("Delivered again: " + ", ".join(done.restored) + ".")
    for name, beside in done.beside:
        lines.append(f"{name} is yours and was kept; the newer original is beside it: {beside}")
    if done.kept:
        lines.append("Kept as you changed them: " + ", ".join(done.kept) + ".")
    if done.left_out:
        lines.append(
            "Left out, because you deleted them: "
            + ", ".join(done.left_out)
            + ". (annlab lab --restore brings them back.)"
        )
    return "\n".join(lines) or f"{folder} is up to date."

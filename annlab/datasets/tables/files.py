"""Find the files of a table by name, and recognise them by their endings."""

from __future__ import annotations

import contextlib
import glob
from pathlib import Path

from annlab._support.checks import did_you_mean
from annlab._support.errors import invalid

#: Endings of text tables; a compressed one has one more.
TEXT = (".csv", ".tsv", ".tab", ".txt", ".dat")
COMPRESSED = (".gz", ".zst")
PARQUET = (".parquet", ".pq")
ARRAYS = (".npy", ".npz")
_SPREADSHEETS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods", ".numbers")


def ending_of(path: str) -> str:
    """Return the file's ending in lower case, ignoring that of a compression."""
    name = Path(path.lower())
    return Path(name.stem).suffix if name.suffix in COMPRESSED else name.suffix


def find_files(source: str) -> list[str]:
    """Return the files that a path or pattern names; refuse unreadable ones."""
    found = [source] if Path(source).exists() else sorted(glob.glob(source))
    if not found:
        raise _no_such_file(Path(source))
    for path in map(Path, found):
        if path.is_dir():
            where = path.absolute()
            raise invalid(where.name, "a file", f"the folder {where}", "Name the file in it.")
        try:
            path.open("rb").close()
        except OSError as reason:
            got = reason.strerror or reason
            raise invalid(
                path.name, "a file that can be read", got, "Check its permissions."
            ) from reason
        ending = ending_of(str(path))
        if ending not in (*TEXT, *PARQUET, *ARRAYS):
            raise invalid(
                path.name,
                "an .npy, .npz, .csv, .tsv, .txt or .parquet file",
                f"the ending {path.suffix!r}" if path.suffix else "a name without an ending",
                "Save the sheet as CSV in the program that opens it, and name that file."
                if ending in _SPREADSHEETS
                else "Save the rows as CSV, or from Python as .npy: numpy.save('rows.npy', X).",
            )
    return found


def _no_such_file(path: Path) -> Exception:
    """Return the error for a missing file, which suggests a similar name."""
    folder = path.absolute().parent
    # compared without the endings, which many files share
    files: dict[str, str] = {}
    with contextlib.suppress(OSError):
        readable = (*TEXT, *PARQUET, *ARRAYS)
        there = [one for one in sorted(folder.iterdir()) if one.is_file()]
        files = {one.stem: one.name for one in there if ending_of(one.name) in readable}
    near = did_you_mean(path.stem, list(files))
    for stem, name in files.items():
        near = near.replace(repr(stem), repr(name))
    return invalid(
        path.name,
        "an existing file",
        f"no such file in {folder}" if folder.is_dir() else f"no folder {folder}",
        near or "Check its name and folder.",
        error=FileNotFoundError,
    )

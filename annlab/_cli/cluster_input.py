"""What ``annlab cluster`` reads: a file, a pattern of files, a SELECT statement or a stream."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annlab._support.errors import invalid
from annlab._support.memory import available_memory

if TYPE_CHECKING:
    import numpy as np

_SPREADSHEETS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods", ".numbers")
_ARRAYS = (".npy", ".npz")
#: Values of an array that are searched at a time for one that cannot be used.
_SEARCHED = 1 << 22


@dataclass(frozen=True)
class Rows:
    """Rows to cluster.

    Attributes
    ----------
    name : str
        What reports and errors call them.
    n, d : int
        Rows and chosen columns.
    names : tuple of str, or None
        Names of the columns, of a table that has them.
    table : bool
        Whether they come from a table, for people as well as programs.
    load : function
        Returns an array of shape (n, d): memory-mapped from an ``.npy`` file and where a table is
        larger than memory, CSR from a sparse archive.
    load_bytes : int
        Memory that `load` takes.
    places : tuple of int, or None
        Positions of the chosen columns in an array; None for all.
    numbers : ndarray of shape (n,), int64, or None
        Row of the file, from 1, where some were skipped.
    notes : tuple of str
        How a table was read.
    """

    name: str
    n: int
    d: int
    names: tuple[str, ...] | None
    table: bool
    load: Callable[[], Any]
    load_bytes: int = 0
    places: tuple[int, ...] | None = None
    numbers: np.ndarray | None = None
    notes: tuple[str, ...] = ()


def read_rows(
    source: str | Path, *, columns: str | None = None, key: str | None = None, **layout: Any
) -> Rows:
    """Look at the input: how large it is, what its columns are called, and how to load it.

    Parameters
    ----------
    source : str or Path
        A path, a pattern, ``"-"`` or a SELECT statement.
    columns, **layout
        As in `annlab.datasets.tables.read_table`.
    key : str, optional
        Array of an ``.npz`` file; may be left out if there is one.

    Returns
    -------
    Rows

    Raises
    ------
    ValueError
        If the input cannot be read as rows of numbers.
    OSError
        If a file cannot be opened.
    """
    from annlab.datasets.tables import is_select

    if is_select(source) or str(source) == "-":
        return _from_table(source, columns, layout)
    path = Path(source).expanduser()
    kind = _check_path(path)
    given = {name: value for name, value in layout.items() if value not in ("auto", "none", False)}
    if key is not None and kind != ".npz":
        raise invalid(
            "--key", "given with an .npz file only", f"{key!r}", "--columns chooses columns."
        )
    if given and kind in (*_ARRAYS, ".parquet"):
        name, value = next(iter(given.items()))
        option = f"--{name.replace('_', '-')}"
        raise invalid(option, "given with a text table only", f"{value!r}", "Leave it out.")
    if kind in _ARRAYS:
        return _from_array(path, key, columns)
    return _from_table(str(path), columns, layout)


def _check_path(path: Path) -> str:
    """The ending that says what is in a file; refuses what is no such file."""
    from annlab.datasets.tables import COMPRESSED, PARQUET, TEXT

    kind = path.suffix.lower()
    if kind in COMPRESSED:
        kind = Path(path.stem).suffix.lower()
    name = path.name or str(path)
    if not path.exists():
        if any(letter in name for letter in "*?["):
            return kind
        raise _no_such(path)
    if path.is_dir():
        where = path.absolute()
        raise invalid(where.name, "a file", f"the folder {where}", "Name the file in it.")
    if path.is_fifo():
        return ".csv"
    try:
        path.open("rb").close()
    except OSError as reason:
        got = reason.strerror or reason
        raise invalid(name, "a file that can be read", got, "Check its rights.") from reason
    if kind in PARQUET:
        return ".parquet"
    if kind not in (*TEXT, *_ARRAYS):
        raise invalid(
            name,
            "an .npy, .npz, .csv, .tsv, .txt or .parquet file",
            f"the ending {path.suffix!r}" if path.suffix else "a name without an ending",
            "Save the sheet as CSV in the program that opens it, and name that file."
            if kind in _SPREADSHEETS
            else "Save the rows as CSV, or from Python as .npy: numpy.save('rows.npy', X).",
        )
    return kind


def _no_such(path: Path) -> Exception:
    """The refusal of a path where nothing is, with the file that may be meant."""
    from difflib import get_close_matches

    from annlab.datasets.tables import PARQUET, TEXT

    folder = path.absolute().parent
    if not folder.is_dir():
        return invalid(
            path.name, "a file that exists", f"no folder {folder}", "Check its name and folder."
        )
    # by the name without its ending, which all have in common
    files: dict[str, str] = {}
    with contextlib.suppress(OSError):
        readable = (*TEXT, *PARQUET, *_ARRAYS)
        there = [one for one in sorted(folder.iterdir()) if one.is_file()]
        files = {one.stem: one.name for one in there if one.suffix.lower() in readable}
    near = get_close_matches(path.stem, files, n=1)
    remedy = f"Did you mean {files[near[0]]!r}?" if near else "Check its name and folder."
    return invalid(path.name, "a file that exists", f"nothing in {folder}", remedy)


def _from_table(source: Any, columns: str | None, layout: dict[str, Any]) -> Rows:
    from annlab.datasets.tables import is_select, named_as_flags, read_table

    with named_as_flags():
        table = read_table(source, columns=columns, **layout)
    size = table.dtype.itemsize * table.n * table.d
    free = available_memory()
    fits = free is None or 3 * size < free
    return Rows(
        "query" if is_select(source) else table.name,
        table.n,
        table.d,
        tuple(table.names) if table.has_names else None,
        True,
        table.load if fits else table.load_mapped,
        size if fits else 0,
        numbers=table.rows,
        notes=tuple(table.notes),
    )


def _from_array(path: Path, key: str | None, columns: str | None) -> Rows:
    from annlab.datasets.arrays import open_array
    from annlab.datasets.tables import choose, named_as_flags

    array = open_array(path, key)
    if columns is None:
        return Rows(path.name, array.n, array.d, None, False, array.load, array.load_bytes)
    with named_as_flags():
        chosen = choose(columns, None, array.d)
    size = array.load_bytes + 8 * array.n * len(chosen)
    return Rows(
        path.name, array.n, len(chosen), None, False, lambda: array.load()[:, chosen], size,
        places=tuple(chosen),
    )  # fmt: skip


def output_name(source: str) -> str:
    """Name of the folder for the results of an input."""
    from annlab.datasets.tables import COMPRESSED, is_select

    if is_select(source):
        return "query-clusters"
    path = Path("stdin" if source == "-" else source)
    stem = Path(path.stem).stem if path.suffix.lower() in COMPRESSED else path.stem
    return "".join(letter for letter in stem if letter not in "*?[]") + "-clusters"


def bad_value(X: Any, rows: Rows) -> Exception | None:
    """The refusal of the first value of an array that cannot be used, if there is one."""
    import numpy as np

    from annlab._support.checks import LARGEST

    if not isinstance(X, np.ndarray) or X.dtype.kind != "f":
        return None
    largest = X.dtype.type(min(LARGEST, float(np.finfo(X.dtype).max)))
    height = max(1, _SEARCHED // X.shape[1])
    first, count = None, 0
    for start in range(0, len(X), height):
        # NaN is not smaller than anything
        bad = ~(np.abs(X[start : start + height]) <= largest)
        if first is None and bad.any():
            down, across = divmod(int(bad.argmax()), X.shape[1])
            first = start + down, across
        count += int(np.count_nonzero(bad))
    if first is None:
        return None
    row, place = first
    column = place if rows.places is None else rows.places[place]
    value = float(X[row, place])
    told = f"{value:g} in row {row + 1:,}, at X[{row}, {column}]"
    if count > 1:
        told += f", the first of {count:,} such values"
    if np.isfinite(value):
        remedy = "Divide the column by a constant."
    else:
        what = "Fill in or remove the rows that lack a value."
        if not np.isnan(value):
            what = "Remove or correct the rows that hold infinity."
        remedy = f"{what} In Python: X = X[numpy.isfinite(X).all(axis=1)]."
    return invalid(f"Column {column + 1} of {rows.name}", "finite numbers", told, remedy)

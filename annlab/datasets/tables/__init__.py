"""Tables of numbers from text files, Parquet files, frames and SELECT statements.

DuckDB reads them. What it leaves open in a text file is decided by the rules in `dialect`, handed
over as options, and then applied strictly: a table is read as it is meant, or refused with the
line that does not fit.
"""

from __future__ import annotations

import csv
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from annlab._support.checks import check_choice, did_you_mean
from annlab._support.errors import invalid
from annlab.datasets.tables.dialect import DELIMITERS, MARKS, looks_numeric
from annlab.datasets.tables.options import named_as_flags, option
from annlab.datasets.tables.refusals import refuse_value, text_column, unusable
from annlab.datasets.tables.sources import (
    COMPRESSED,
    PARQUET,
    TEXT,
    OtherEncoding,
    Source,
    connect,
    copy_stream,
    is_select,
    lines_of,
    open_source,
    run,
    shown,
)

if TYPE_CHECKING:
    import duckdb

__all__ = [
    "COMPRESSED",
    "PARQUET",
    "TEXT",
    "Table",
    "choose",
    "is_select",
    "looks_numeric",
    "named_as_flags",
    "read_table",
]

#: Values that are fetched at a time.
_BLOCK = 1 << 22


@dataclass
class Table:
    """Numbers of a table, read and checked; the values stay in DuckDB until they are asked for.

    Attributes
    ----------
    name : str
        What errors call the table.
    names : list of str
        Names of the columns that are used; ``column 3`` where there is none.
    rows : ndarray of shape (n,), int64, or None
        Row of the file, from 1, that each row of the table is; None where none was skipped.
    notes : list of str
        What was decided, for a report.
    dtype : dtype
        float32 if all columns hold single precision, else float64.
    """

    name: str
    names: list[str]
    n: int
    rows: np.ndarray | None
    notes: list[str]
    dtype: np.dtype
    has_names: bool
    _connection: duckdb.DuckDBPyConnection
    _folder: tempfile.TemporaryDirectory[str] = field(repr=False)

    @property
    def d(self) -> int:
        """Number of columns."""
        return len(self.names)

    def load(self, out: np.ndarray | None = None) -> np.ndarray:
        """Return the values, or write them into ``out``.

        Parameters
        ----------
        out : ndarray of shape (n, d), optional
            Such as a mapped file, where the values are too many for memory.

        Returns
        -------
        ndarray of shape (n, d), float32 or float64

        Notes
        -----
        Holds one block of about 32 MB besides ``out``.
        """
        X = np.empty((self.n, self.d), dtype=self.dtype) if out is None else out
        step = max(1, _BLOCK // self.d)
        for start in range(0, self.n, step):
            stop = min(start + step, self.n)
            query = f"SELECT * FROM numbers WHERE rowid >= {start} AND rowid < {stop}"
            block = self._connection.execute(query).fetchnumpy()
            for place, values in enumerate(block.values()):
                X[start:stop, place] = values
        return X

    def load_mapped(self) -> np.ndarray:
        """Return the values memory-mapped from a temporary file, where they exceed memory.

        Returns
        -------
        ndarray of shape (n, d), float32 or float64
            Valid as long as this table exists.
        """
        path = f"{self._folder.name}/numbers.npy"
        out = np.lib.format.open_memmap(path, "w+", self.dtype, (self.n, self.d))
        self.load(out)
        out.flush()
        return np.load(path, mmap_mode="r")


def read_table(
    source: Any,
    *,
    columns: str | None = None,
    header: str = "auto",
    delimiter: str = "auto",
    decimal: str = "auto",
    thousands: str = "none",
    skip_bad_rows: bool = False,
    gaps: str = "refuse",
    text: str = "refuse",
) -> Table:
    """Read the columns of numbers of a table.

    Parameters
    ----------
    source : path-like, str, or frame
        A text table (``.csv``, ``.tsv``, ``.txt``, also ``.gz`` and ``.zst``), a ``.parquet``
        file, a pattern such as ``"people*.csv"``, one SELECT statement over such files, ``"-"``
        for standard input, or a frame of pandas, polars or Arrow.
    columns : str, optional
        Columns to use, by name or by number from 1: ``"height,width"``, ``"1-3,7"``.
    header : {"auto", "yes", "no"}, default="auto"
        Whether the first line of a text table holds names. ``"auto"``: one word in it makes it
        a header.
    delimiter : {"auto", "tab", "semicolon", "pipe", "comma", "space"}, default="auto"
    decimal : {"auto", "point", "comma"}, default="auto"
    thousands : {"none", "comma", "point", "space", "apostrophe"}, default="none"
    skip_bad_rows : bool, default=False
        Skip rows that do not fit and rows without a value, and say which.
    gaps : {"refuse", "skip"}, default="refuse"
        What becomes of rows in which a value is missing.
    text : {"refuse", "leave out"}, default="refuse"
        What becomes of columns that hold text, where ``columns`` does not name any.

    Returns
    -------
    Table

    Raises
    ------
    ValueError
        If the table cannot be read as numbers; the message names line, column and value.
    OSError
        If a file cannot be opened.

    Notes
    -----
    The text is read once, by all cores; a column of an index is left out. No extension is
    downloaded and no remote file is opened.
    """
    check_choice(header, option("header"), ("auto", "yes", "no"))
    check_choice(delimiter, option("delimiter"), ("auto", *DELIMITERS))
    check_choice(decimal, option("decimal"), ("auto", "point", "comma"))
    check_choice(thousands, option("thousands"), ("none", *MARKS))
    if thousands == decimal:
        raise invalid(option("thousands"), f"another mark than {option('decimal')}", thousands)
    folder = tempfile.TemporaryDirectory(prefix="annlab-")
    connection = connect(folder.name)
    layout = {"header": header, "delimiter": delimiter, "decimal": decimal, "thousands": thousands}
    skip_gaps = skip_bad_rows or gaps == "skip"
    source = copy_stream(source, Path(folder.name))
    for encoding in ("utf-8", "latin-1"):
        try:
            found = open_source(connection, source, layout, encoding, skip_bad_rows)
            chosen = _choose_columns(connection, found, columns, text)
            return _numbers(connection, folder, found, chosen, skip_bad_rows, skip_gaps)
        except OtherEncoding:
            continue
    raise invalid(
        str(source), "text in UTF-8, UTF-16 or Latin-1", "other bytes", "Save it as UTF-8."
    )


def _choose_columns(
    connection: duckdb.DuckDBPyConnection, found: Source, columns: str | None, text: str
) -> list[int]:
    """Positions of the columns to use; which are left out is noted."""
    if columns is not None:
        chosen = choose(columns, found.names if found.has_names else None, len(found.names))
    else:
        chosen = [place for place in range(len(found.names)) if place not in found.index]
        for place in sorted(found.index):
            found.notes.append(f"left out: {shown(found, place)}, an index or nothing")
    words = [place for place in chosen if found.expressions[place] is None]
    if words and (text == "refuse" or columns is not None):
        good = [place for place in chosen if place not in words]
        raise text_column(connection, found, words[0], good)
    for place in words:
        found.notes.append(f"left out: {shown(found, place)}, text")
    chosen = [place for place in chosen if place not in words]
    if not chosen:
        raise invalid(found.name, "a table with rows of numbers", "no column of numbers")
    return chosen


def choose(columns: str, names: list[str] | None, d: int) -> list[int]:
    """Positions of the columns that ``columns`` names, each once, in the order named.

    Raises
    ------
    ValueError
    """
    places = {} if names is None else {name: place for place, name in enumerate(names) if name}
    chosen: list[int] = []
    for word in next(csv.reader([columns], skipinitialspace=True), []):
        word = word.strip()
        first, dash, last = word.partition("-")
        if word in places:
            chosen.append(places[word])
        elif first.isdigit() and (last.isdigit() or not dash):
            low, high = int(first), int(last or first)
            if not 1 <= low <= high <= d:
                rule = f"made of numbers from 1 to {d}"
                raise invalid(option("columns"), rule, repr(word), "Count from 1.")
            chosen += range(low - 1, high)
        else:
            remedy = did_you_mean(word, list(places)) or (
                f"There are: {', '.join(places)}." if places else f"Use numbers from 1 to {d}."
            )
            raise invalid(option("columns"), "made of existing columns", repr(word), remedy)
    if not chosen:
        rule, remedy = "one column or more", "Leave it out for all."
        raise invalid(option("columns"), rule, repr(columns), remedy)
    return list(dict.fromkeys(chosen))


def _numbers(
    connection: duckdb.DuckDBPyConnection,
    folder: tempfile.TemporaryDirectory[str],
    found: Source,
    chosen: list[int],
    skip_bad_rows: bool,
    skip_gaps: bool,
) -> Table:
    """Turn the chosen columns into numbers, and look for values that are none."""
    kind = "FLOAT" if found.single else "DOUBLE"
    values = ", ".join(f"CAST({found.expressions[p]} AS {kind}) AS v{p}" for p in chosen)
    run(connection, f"CREATE TABLE numbers AS SELECT {values} FROM {found.relation}", found.name)
    bad = {place: unusable(f"v{place}") for place in chosen}
    asked = ", ".join(f"min(rowid) FILTER (WHERE {rule})" for rule in bad.values())
    firsts, rows = run(connection, f"SELECT {asked} FROM numbers", found.name).fetchall()[0], None
    faulty = [place for place, first in zip(chosen, firsts, strict=True) if first is not None]
    if faulty:
        if not skip_bad_rows:
            refuse_value(connection, found, faulty, skip_gaps)
        any_bad = " OR ".join(bad[place] for place in faulty)
        connection.execute(f"CREATE TABLE kept AS SELECT * FROM numbers WHERE NOT ({any_bad})")
        query = f"SELECT rowid + 1 AS place FROM numbers WHERE NOT ({any_bad})"
        rows = connection.execute(query).fetchnumpy()["place"].astype(np.int64)
        n_all = connection.execute("SELECT count(*) FROM numbers").fetchall()[0][0]
        found.notes.append(f"{n_all - len(rows)} of {n_all} rows have gaps and were left out")
        connection.execute("DROP TABLE numbers; ALTER TABLE kept RENAME TO numbers")
    if skip_bad_rows and found.dialect is not None:
        rows = _without_rejects(connection, found, rows)
    n = connection.execute("SELECT count(*) FROM numbers").fetchall()[0][0]
    if n < 1:
        raise invalid(found.name, "a table with rows of numbers", "none", "Fill it.")
    return Table(
        found.name, [shown(found, place) for place in chosen], n, rows, found.notes,
        np.dtype(np.float32 if found.single else np.float64), found.has_names, connection, folder,
    )  # fmt: skip


def _without_rejects(
    connection: duckdb.DuckDBPyConnection, found: Source, rows: np.ndarray | None
) -> np.ndarray | None:
    """Number the rows as they are in the file, where DuckDB has passed over some of them."""
    query = "SELECT DISTINCT line FROM reject_errors ORDER BY line"
    lines = {row[0] for row in connection.execute(query).fetchall()}
    if not lines:
        return rows
    listed = ", ".join(str(line) for line in sorted(lines)[:10])
    found.notes.append(f"{len(lines)} rows do not fit and were skipped: line {listed}")
    if len(found.paths) > 1:
        return rows
    kept = [
        place for place, (line, _) in enumerate(lines_of(connection, found), 1) if line not in lines
    ]
    places = np.array(kept, dtype=np.int64)
    return places if rows is None else places[rows - 1]

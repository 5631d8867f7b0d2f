"""Tables of numbers from text, Parquet, array files, frames and SELECT.

DuckDB reads all but the arrays. What it leaves open in a text file is decided by the rules in
`layout`, passed to it as options, and applied strictly: a table is read as it is meant, or
refused with the line that does not fit.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import sys
import tempfile
import weakref
from pathlib import Path
from typing import Any

import numpy as np

from annlab._support.checks import LARGEST
from annlab._support.errors import invalid
from annlab._support.memory import available_memory
from annlab.datasets.tables import sources
from annlab.datasets.tables.arrays import read_array
from annlab.datasets.tables.database import Database, OtherEncoding
from annlab.datasets.tables.files import ARRAYS, PARQUET, TEXT, ending_of, find_files
from annlab.datasets.tables.layout import looks_numeric
from annlab.datasets.tables.options import CHOICES, Options, named_as_flags, option
from annlab.datasets.tables.table import Table, column_of

__all__ = [
    "ARRAYS",
    "CHOICES",
    "PARQUET",
    "TEXT",
    "Table",
    "ending_of",
    "is_select",
    "looks_numeric",
    "named_as_flags",
    "read_table",
]

#: Values that are fetched from DuckDB at a time.
_BLOCK = 1 << 22


def read_table(source: Any, **options: Any) -> Table:
    """Read the columns of numbers of a table.

    Parameters
    ----------
    source : path-like, str, or frame
        An array (``.npy``, ``.npz``), a text table (``.csv``, ``.tsv``, ``.txt``, also ``.gz``
        and ``.zst``), a ``.parquet`` file, a pattern such as ``"people*.csv"``, one SELECT
        statement over such files, ``"-"`` for standard input, or a frame of pandas, polars or
        Arrow.
    columns : str, optional
        Columns to use, by name or by number from 1: ``"height,width"``, ``"1-3,7"``.
    key : str, optional
        Array of an ``.npz`` file; may be left out if there is one.
    header : {"auto", "yes", "no"}, default="auto"
        Whether the first line of a text table holds names. ``"auto"``: one word makes a header.
    delimiter : {"auto", "tab", "semicolon", "pipe", "comma", "space"}, default="auto"
    decimal : {"auto", "point", "comma"}, default="auto"
    thousands : {"none", "comma", "point", "space", "apostrophe"}, default="none"
    skip_bad_rows : bool, default=False
        Skip rows that do not fit and rows without a value, and note which.
    skip_gaps : bool, default=False
        Skip rows in which a value is missing.
    skip_text : bool, default=False
        Leave out columns of text, unless ``columns`` is given.

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
    A text is read once, by all cores. Columns that hold an index are left out.
    """
    asked = Options(**options)
    folder = tempfile.mkdtemp(prefix="annlab-")
    try:
        table = _read(source, asked, folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    # it may hold the values
    weakref.finalize(table, shutil.rmtree, folder, ignore_errors=True)
    return table


def _read(source: Any, options: Options, folder: str) -> Table:
    """Read a table; temporary files go to the folder."""
    if is_select(source):
        return _load(sources.open_select(Database("query", options, folder), source))
    if not isinstance(source, (str, os.PathLike)):
        return _load(sources.open_frame(Database("the frame", options, folder), source))
    path = _copy_stream(os.path.expanduser(source), folder)
    paths = find_files(path)
    name = "standard input" if source == "-" else Path(source).name
    ending = ending_of(paths[0])
    if options.key is not None and ending != ".npz":
        rule, remedy = "given with an .npz file only", f"{option('columns')} chooses columns."
        raise invalid(option("key"), rule, repr(options.key), remedy)
    if ending in (*ARRAYS, *PARQUET):
        options.check_not_text(name)
    if ending in ARRAYS:
        X, columns = read_array(Path(path), options)
        return Table(name, X, None, columns)
    if ending in PARQUET:
        return _load(sources.open_parquet(Database(name, options, folder), paths))
    for encoding in ("utf-8", "latin-1"):
        try:
            return _load(sources.open_text(Database(name, options, folder), paths, encoding))
        except OtherEncoding:
            continue
    rule = "text in UTF-8, UTF-16 or Latin-1"
    raise invalid(name, rule, "another encoding", "Save it again as UTF-8.")


def is_select(source: Any) -> bool:
    """Tell whether a source is a SQL statement and not the name of a file."""
    return isinstance(source, str) and bool(re.match(r"\s*(select|with|from)\s", source, re.I))


def _copy_stream(path: str, folder: str) -> str:
    """Copy standard input or a pipe to a file; return the path to read."""
    if path != "-" and not (os.path.exists(path) and stat.S_ISFIFO(os.stat(path).st_mode)):
        return path
    copy = Path(folder, "stream" + (Path(path).suffix or ".csv"))
    with copy.open("wb") as file, sys.stdin.buffer if path == "-" else open(path, "rb") as stream:
        shutil.copyfileobj(stream, file)
    return str(copy)


def _load(source: sources.Source) -> Table:
    """Convert the chosen columns of a source to an array."""
    database, options = source.database, source.database.options
    chosen = _choose_columns(source)
    kind = "FLOAT" if source.single else "DOUBLE"
    values = ", ".join(
        f"CAST(coalesce({source.numbers[place]}, 'nan') AS {kind}) AS v{place}" for place in chosen
    )
    database.run(f"CREATE TABLE numbers AS SELECT {values} FROM {source.relation}")
    n = database.rows("SELECT count(*) FROM numbers")[0][0]
    rows = None if source.rows is None else np.array(source.rows, dtype=np.int64)
    if options.skip_bad_rows or options.skip_gaps:
        rule = f"abs(v{{0}}) <= {LARGEST}" if options.skip_bad_rows else "NOT isnan(v{0})"
        good = " AND ".join(rule.format(place) for place in chosen)
        database.run(f"CREATE TABLE kept AS SELECT rowid AS place, * FROM numbers WHERE {good}")
        kept = database.run("SELECT place FROM kept").fetchnumpy()["place"].astype(np.int64)
        database.run("DROP TABLE numbers; ALTER TABLE kept RENAME TO numbers")
        if len(kept) < n:
            source.notes.append(f"{n - len(kept)} of {n} rows have gaps and were left out")
            rows, n = kept + 1 if rows is None else rows[kept], len(kept)
    if n < 1:
        raise invalid(database.name, "a table with rows of numbers", "none", "Fill it.")
    shape, dtype = (n, len(chosen)), np.dtype(np.float32 if source.single else np.float64)
    free = available_memory()
    if free is None or 3 * dtype.itemsize * shape[0] * shape[1] < free:
        X = np.empty(shape, dtype=dtype)
    else:
        X = np.lib.format.open_memmap(f"{database.folder}/numbers.npy", "w+", dtype, shape)
    step = max(1, _BLOCK // shape[1])
    for start in range(0, n, step):
        stop = min(start + step, n)
        block = database.run(f"SELECT * FROM numbers WHERE rowid >= {start} AND rowid < {stop}")
        columns = block.fetchnumpy()
        for across, place in enumerate(chosen):
            X[start:stop, across] = columns[f"v{place}"]
    names = tuple(_name(source, place) for place in chosen) if any(source.names) else None
    table = Table(database.name, X, names, chosen, rows, source.notes, source)
    table.refuse_bad_value()
    database.run("DROP TABLE numbers")
    return table


def _choose_columns(source: sources.Source) -> list[int]:
    """Return the positions of the columns to use; note the ones left out."""
    options, d = source.database.options, len(source.names)
    chosen = options.choose(tuple(source.names), d)
    given = chosen is not None
    if chosen is None:
        chosen = [place for place in range(d) if place not in source.index]
        for place in sorted(source.index):
            source.notes.append(f"left out: {_name(source, place)}, an index or nothing")
    texts = [place for place in chosen if source.numbers[place] is None]
    chosen = [place for place in chosen if source.numbers[place] is not None]
    if texts and (given or not options.skip_text):
        raise _text_column(source, texts[0], chosen)
    source.notes.extend(f"left out: {_name(source, place)}, text" for place in texts)
    if not chosen:
        rule = "a table with rows of numbers"
        raise invalid(source.database.name, rule, "no column of numbers")
    return chosen


def _text_column(source: sources.Source, place: int, good: list[int]) -> Exception:
    """Return the error for a column of text, listing the numeric columns."""
    names = source.names
    remedy = "Encode the text as numbers, such as one column of 0 and 1 for each value."
    if good:
        words = [names[p] or str(p + 1) for p in good]
        listed = ",".join(f'"{word}"' if "," in word else word for word in words)
        remedy = f"Choose columns of numbers: {option('columns', listed)}. Or e{remedy[1:]}"
    column = column_of(source.database.name, names[place], place)
    return invalid(column, "numbers", source.texts[place], remedy)


def _name(source: sources.Source, place: int) -> str:
    return source.names[place] or f"column {place + 1}"

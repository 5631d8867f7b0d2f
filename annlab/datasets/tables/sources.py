"""Where a table comes from: a relation in DuckDB, and what is known of its columns."""

from __future__ import annotations

import glob
import json
import os
import re
import shutil
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annlab._support.errors import invalid
from annlab._support.memory import available_memory
from annlab.datasets.tables.dialect import (
    Dialect,
    Record,
    is_index_name,
    is_missing,
    lay_out,
    looks_numeric,
    records,
)
from annlab.datasets.tables.options import option

if TYPE_CHECKING:
    import duckdb

#: Endings of text tables and of Parquet; a compressed text table has one more.
TEXT = (".csv", ".tsv", ".tab", ".txt", ".dat")
COMPRESSED = (".gz", ".zst")
PARQUET = (".parquet", ".pq")
#: Lines from which the layout of a text table is decided.
_SAMPLE_LINES = 200
_NUMERIC = re.compile(r"(U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|FLOAT|DOUBLE|DECIMAL.*|BOOLEAN)$")


@dataclass
class Source:
    """A relation in DuckDB, and what is known of its columns.

    ``expressions`` turn a column into a number, or into NULL; None marks a column of text.
    """

    name: str
    relation: str
    names: list[str]
    has_names: bool
    expressions: list[str | None]
    notes: list[str]
    index: set[int] = field(default_factory=set)
    single: bool = False
    dialect: Dialect | None = None
    paths: list[str] = field(default_factory=list)
    encoding: str = "utf-8"


class OtherEncoding(ValueError):
    """A text file is not in the encoding in which it was read."""


def is_select(source: Any) -> bool:
    """Tell whether a source is a statement and not the name of a file."""
    return (
        isinstance(source, str) and re.match(r"\s*(select|with|from)\s", source, re.I) is not None
    )


def connect(folder: str) -> duckdb.DuckDBPyConnection:
    import duckdb

    free = available_memory() or 1 << 32
    return duckdb.connect(
        config={
            "python_enable_replacements": False,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "memory_limit": f"{max(free // 2 >> 20, 256)}MB",
            "temp_directory": folder,
        }
    )


def open_source(
    connection: duckdb.DuckDBPyConnection,
    source: Any,
    layout: dict[str, str],
    encoding: str,
    skip_bad_rows: bool,
) -> Source:
    """Find out what a source is, and which columns it has."""
    if hasattr(source, "columns") or hasattr(source, "__arrow_c_stream__"):
        return _open_frame(connection, source)
    if is_select(source):
        return _open_select(connection, source)
    paths, name = _files(source)
    if ending_of(paths[0]) in PARQUET:
        return _open_parquet(connection, paths, name)
    return _open_text(connection, paths, name, layout, encoding, skip_bad_rows)


def ending_of(path: str) -> str:
    """The ending that says what is in a file, in lower case, whatever it is compressed with."""
    name = Path(path.lower())
    return Path(name.stem).suffix if name.suffix in COMPRESSED else name.suffix


def copy_stream(source: Any, folder: Path) -> Any:
    """The source itself, or a copy of what standard input or a pipe gives once."""
    if not isinstance(source, (str, os.PathLike)) or is_select(source):
        return source
    path = os.fspath(source)
    if path != "-" and not (os.path.exists(path) and stat.S_ISFIFO(os.stat(path).st_mode)):
        return path
    # the folder's name is random, that of the file is what errors say
    copy = folder / ("standard input" if path == "-" else Path(path).name)
    with copy.open("wb") as file, sys.stdin.buffer if path == "-" else open(path, "rb") as stream:
        shutil.copyfileobj(stream, file)
    return os.fspath(copy)


def _files(source: str) -> tuple[list[str], str]:
    """Paths behind a name, one or those that a pattern fits, and what errors call them."""
    if not os.path.exists(source) and glob.has_magic(source):
        found = sorted(glob.glob(source))
        if not found:
            raise invalid(source, "a pattern that some file fits", "none", "Check it.")
        return found, Path(source).name
    with open(source, "rb"):
        return [source], Path(source).name


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def identifier(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def run(connection: duckdb.DuckDBPyConnection, query: str, name: str) -> Any:
    """Execute a query; what DuckDB refuses becomes one sentence with the name of the table."""
    import duckdb

    try:
        return connection.execute(query)
    except (duckdb.Error, RuntimeError) as reason:
        raise _refusal(name, str(reason)) from reason


def _refusal(name: str, words: str) -> Exception:
    """What DuckDB says of a table, in one sentence of ours."""
    if "nicode" in words:
        return OtherEncoding(words)
    line = re.search(r"CSV Error on Line: (\d+)", words)
    where = f"line {line[1]}" if line else ""
    width = re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", words)
    if width:
        return invalid(
            f"Each row of {name}",
            f"made of {width[1]} columns",
            f"{width[2]} column{'s' * (width[2] != '1')} in {where}",
            f"Correct that line, or skip such rows: {option('skip_bad_rows', True)}.",
        )
    if "unterminated quote" in words:
        return invalid(
            name, "a table whose quotes are closed", f"an open quote in {where}", "Close it."
        )
    if "Out of Memory" in words:
        return invalid(
            name, "small enough for this machine", "a table that is not",
            f"Choose fewer columns with {option('columns')}, or use a machine with more memory.",
        )  # fmt: skip
    if "invalid state" in words:
        return invalid(
            name, "a table whose lines all end alike", "several kinds of line ends or stray quotes",
            "Save it again with one kind.",
        )  # fmt: skip
    first = words.split("\n")[0].split(": ", 1)[-1]
    return invalid(name, "a table that can be read", f"{where} {first}".strip(), "Save it again.")


def _open_frame(connection: duckdb.DuckDBPyConnection, frame: Any) -> Source:
    frame = frame.collect() if hasattr(frame, "collect") else frame
    if hasattr(frame, "to_arrow"):
        frame = frame.to_arrow()
    names = [str(name) for name in getattr(frame, "column_names", getattr(frame, "columns", []))]
    connection.register("frame", frame)
    return _typed(connection, "frame", "the frame", names)


def _open_select(connection: duckdb.DuckDBPyConnection, query: str) -> Source:
    import duckdb

    name = "the SELECT statement"
    try:
        statements = connection.extract_statements(query)
    except duckdb.Error as reason:
        raise _refusal(name, str(reason)) from reason
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise invalid(
            "INPUT", "one SELECT statement", repr(query), "Only reading is possible here."
        )
    return _typed(connection, f"({query.rstrip().rstrip(';')})", name, None)


def _open_parquet(connection: duckdb.DuckDBPyConnection, paths: list[str], name: str) -> Source:
    listed = ", ".join(map(quoted, paths))
    first = quoted(paths[0])
    query = f"SELECT name, coalesce(num_children, 0) FROM parquet_schema({first})"
    schema = run(connection, query, name).fetchall()
    # of columns that have parts, only the names of the whole columns count
    names = None if any(parts for _, parts in schema[1:]) else [one for one, _ in schema[1:]]
    found = _typed(connection, f"read_parquet([{listed}])", name, names)
    query = f"SELECT decode(value) FROM parquet_kv_metadata({first}) WHERE decode(key) = 'pandas'"
    for (text,) in run(connection, query, name).fetchall():
        index = json.loads(text).get("index_columns", [])
        found.index |= {found.names.index(one) for one in index if one in found.names}
    return found


def _typed(
    connection: duckdb.DuckDBPyConnection, relation: str, name: str, names: list[str] | None
) -> Source:
    """A source whose columns have types."""
    described = run(connection, f"DESCRIBE SELECT * FROM {relation}", name).fetchall()
    read = [row[0] for row in described]
    if names is None:
        names = read
    _refuse_doubles(names, name)
    kinds = [row[1] for row in described]
    expressions = [
        f"CAST({identifier(one)} AS DOUBLE)" if _NUMERIC.match(kind) else None
        for one, kind in zip(read, kinds, strict=True)
    ]
    index = {place for place, one in enumerate(read) if one.startswith("Unnamed: 0") or not one}
    return Source(
        name, relation, read, True, expressions, [], index,
        single=all(kind == "FLOAT" for kind in kinds),
    )  # fmt: skip


def _refuse_doubles(names: list[str], name: str) -> None:
    for one in names:
        if one and names.count(one) > 1:
            places = [str(place) for place, other in enumerate(names, 1) if other == one]
            raise invalid(
                f"The names of the columns of {name}",
                "all different",
                f"{one!r} for columns {' and '.join(places)}",
                "Rename them.",
            )


def _open_text(
    connection: duckdb.DuckDBPyConnection,
    paths: list[str],
    name: str,
    layout: dict[str, str],
    encoding: str,
    skip_bad_rows: bool,
) -> Source:
    with open(paths[0], "rb") as file:
        if file.read(2) in (b"\xff\xfe", b"\xfe\xff"):
            encoding = "utf-16"
    dialects = []
    for path in paths:
        shown = name if len(paths) == 1 else Path(path).name
        lines = _first_lines(connection, path, encoding, shown)
        dialects.append(lay_out(lines, shown, **layout))
        if not dialects[-1].alike(dialects[0]):
            raise invalid(
                name,
                "a pattern of files that are laid out alike",
                f"{shown}, unlike {Path(paths[0]).name}",
                "Read them one by one.",
            )
    first = dialects[0]
    called = list(first.names or [""] * first.width)
    _refuse_doubles(called, name)
    index, notes = _index(first, called), list(first.notes)
    if encoding != "utf-8":
        notes.append(f"encoding: {encoding}")
    relation = _relation(connection, first, paths, encoding, skip_bad_rows)
    cells = [_cell(place, first) for place in range(first.width)]
    return Source(
        name, relation, called, first.names is not None, cells, notes, index, dialect=first,
        paths=paths, encoding=encoding,
    )  # fmt: skip


def _index(dialect: Dialect, called: list[str]) -> set[int]:
    """Places of columns that are no features: names of rows, and what follows a last delimiter."""
    if dialect.width == 1:
        return set()
    index = {place for place, one in enumerate(called) if one.startswith("Unnamed: 0")}
    if dialect.names and is_index_name(called[0]):
        index.add(0)
    if not called[-1] and not any(dialect.column(dialect.width - 1)):
        index.add(dialect.width - 1)
    return index


def _raw(path: str, encoding: str) -> str:
    """Lines of a text file, one to a row; blank ones are NULL."""
    return (
        f"read_csv({quoted(path)}, columns={{'line': 'VARCHAR'}}, delim='\x01', quote='', "
        "escape='', header=false, auto_detect=false, strict_mode=false, "
        f"encoding='{encoding}', max_line_size=100000000)"
    )


def _first_lines(
    connection: duckdb.DuckDBPyConnection, path: str, encoding: str, name: str
) -> list[str]:
    query = f"SELECT line FROM {_raw(path, encoding)} LIMIT {_SAMPLE_LINES}"
    lines = [row[0] or "" for row in run(connection, query, name).fetchall()]
    return [line.lstrip("\ufeff") for line in lines[:1]] + lines[1:]


def _relation(
    connection: duckdb.DuckDBPyConnection,
    dialect: Dialect,
    paths: list[str],
    encoding: str,
    skip_bad_rows: bool,
) -> str:
    """The rows of a text table, as columns c0, c1, … of text."""
    if dialect.delimiter == " ":
        paths = [_single_blanks(connection, path, encoding) for path in paths]
        encoding = "utf-8"
    columns = ", ".join(f"'c{place}': 'VARCHAR'" for place in range(dialect.width))
    listed = ", ".join(map(quoted, paths))
    # a blank line is no row, of which DuckDB knows only where a row has several fields
    blank = " WHERE c0 IS NOT NULL" if dialect.width == 1 else ""
    rejects = ", store_rejects=true" if skip_bad_rows else ""
    return (
        f"(SELECT * FROM read_csv([{listed}], columns={{{columns}}}, "
        f"delim={quoted(dialect.delimiter)}, quote='\"', escape='\"', header=false, "
        f"skip={dialect.skip}, auto_detect=false, strict_mode=true, nullstr='', "
        f"encoding='{encoding}', max_line_size=100000000{rejects}){blank})"
    )


def _single_blanks(connection: duckdb.DuckDBPyConnection, path: str, encoding: str) -> str:
    """Copy a file whose columns are separated by runs of blanks to one with single blanks."""
    folder = connection.execute("SELECT current_setting('temp_directory')").fetchall()[0][0]
    copy = os.path.join(folder, f"blanks-{len(os.listdir(folder))}.txt")
    query = (
        f"SELECT regexp_replace(trim(line, ' \t'), '[ \t]+', ' ', 'g') FROM {_raw(path, encoding)}"
    )
    options = "FORMAT csv, HEADER false, DELIMITER '\x01', QUOTE '', ESCAPE '', NULLSTR ''"
    run(connection, f"COPY ({query}) TO {quoted(copy)} ({options})", Path(path).name)
    return copy


def _cell(place: int, dialect: Dialect) -> str | None:
    """SQL that turns a field into a number, or NULL; None for a column of text."""
    cell = f"c{place}"
    held = [value for value in dialect.column(place) if not is_missing(value)]
    if held and all(value.lower() in ("true", "false") for value in held):
        return f"CASE lower(trim({cell})) WHEN 'true' THEN 1 WHEN 'false' THEN 0 END"
    words = [value for value in held if not looks_numeric(value)]
    if 2 * len(words) > len(held):
        return None
    # DuckDB alone reads 1_000 as a number
    cell = f"replace({cell}, '_', '?')"
    if dialect.thousands:
        mark = re.escape(dialect.thousands)
        grouped = f"[+-]?\\d{{1,3}}({mark}\\d{{3}})+({re.escape(dialect.decimal)}\\d*)?"
        cell = (
            f"CASE WHEN regexp_full_match(trim({cell}), {quoted(grouped)}) "
            f"THEN replace({cell}, {quoted(dialect.thousands)}, '') ELSE {cell} END"
        )
    if dialect.decimal == ",":
        cell = f"replace(replace({cell}, '.', '?'), ',', '.')"
    return f"TRY_CAST({cell} AS DOUBLE)"


def shown(found: Source, place: int) -> str:
    return found.names[place] or f"column {place + 1}"


def lines_of(connection: duckdb.DuckDBPyConnection, found: Source) -> Iterator[Record]:
    """Records of a text table with the numbers of their lines."""
    assert found.dialect is not None
    cursor = connection.cursor().execute(f"SELECT line FROM {_raw(found.paths[0], found.encoding)}")

    def each() -> Iterator[str]:
        while rows := cursor.fetchmany(4096):
            for (line,) in rows:
                yield line or ""

    for number, fields in records(each(), found.dialect.delimiter):
        if number > found.dialect.skip:
            yield number, fields

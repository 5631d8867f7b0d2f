"""Sources of tables: relations in DuckDB with facts about their columns."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from annlab._support.errors import invalid
from annlab.datasets.tables.database import Database, identifier, quoted
from annlab.datasets.tables.layout import (
    MISSING,
    Layout,
    Record,
    are_booleans,
    are_numbers,
    is_missing,
    lay_out,
    looks_numeric,
)

#: Lines from which the layout of a text table is decided.
_SAMPLE_LINES = 200
_NUMERIC = re.compile(r"(U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|FLOAT|DOUBLE|DECIMAL.*|BOOLEAN)$")
#: What pandas calls the index of a table that was written with it.
_INDEX_NAME = re.compile(r"Unnamed: 0[\d_.a-z]*", re.ASCII)


@dataclass
class Source:
    """A relation in DuckDB with facts about its columns."""

    database: Database
    relation: str
    #: One for each column; empty where there is none.
    names: list[str]
    #: SQL for each column as DOUBLE: NULL or NaN if missing, infinity if not a number; None if text
    numbers: list[str | None]
    #: What the columns of text hold, for errors.
    texts: list[str]
    #: Columns that are not features.
    index: set[int]
    notes: list[str] = field(default_factory=list)
    #: Whether all columns are FLOAT.
    single: bool = False
    #: Numbers of the rows in the file, where some do not fit.
    rows: list[int] | None = None
    layout: Layout | None = None
    path: str | None = None
    encoding: str = "utf-8"

    def record(self, row: int) -> Record | None:
        """Return line number (from 1) and fields of a row of a single text file."""
        if self.layout is None or self.path is None:
            return None
        found = self.database.records(self.path, self.encoding, self.layout)
        return next(islice(found, row - 1, None))


def open_frame(database: Database, frame: Any) -> Source:
    """Open a frame of pandas, polars or Arrow."""
    frame = frame.collect() if hasattr(frame, "collect") else frame
    frame = frame.to_arrow() if hasattr(frame, "to_arrow") else frame
    names = [str(name) for name in getattr(frame, "column_names", getattr(frame, "columns", []))]
    database.connection.register("frame", frame)
    return _typed(database, "frame", names)


def open_select(database: Database, query: str) -> Source:
    """Open the result of one SELECT statement."""
    import duckdb

    try:
        statements = database.connection.extract_statements(query)
    except duckdb.Error as reason:
        raise database.refusal(str(reason)) from reason
    if [one.type for one in statements] != [duckdb.StatementType.SELECT]:
        rule = "one SELECT statement"
        raise invalid("INPUT", rule, repr(query), "Use a statement that only reads.")
    return _typed(database, f"({query.rstrip().rstrip(';')})", None)


def open_parquet(database: Database, paths: Sequence[str]) -> Source:
    """Open Parquet files as one table."""
    first = quoted(paths[0])
    query = f"SELECT name, coalesce(num_children, 0) FROM parquet_schema({first})"
    schema = database.rows(query)[1:]
    # the schema also lists the parts of nested columns
    names = None if any(parts for _, parts in schema) else [name for name, _ in schema]
    listed = ", ".join(map(quoted, paths))
    found = _typed(database, f"read_parquet([{listed}])", names)
    query = f"SELECT decode(value) FROM parquet_kv_metadata({first}) WHERE decode(key) = 'pandas'"
    for (text,) in database.rows(query):
        index = json.loads(text).get("index_columns", [])
        found.index |= {found.names.index(one) for one in index if one in found.names}
    return found


def _typed(database: Database, relation: str, names: list[str] | None) -> Source:
    """Return a source with typed columns; ``names`` are the original ones."""
    described = database.rows(f"DESCRIBE SELECT * FROM {relation}")
    read, kinds = [row[0] for row in described], [row[1] for row in described]
    _refuse_doubles(read if names is None else names, database.name)
    numbers = [
        f"CAST({identifier(one)} AS DOUBLE)" if _NUMERIC.match(kind) else None
        for one, kind in zip(read, kinds, strict=True)
    ]
    index = {place for place, one in enumerate(read) if not one or _INDEX_NAME.fullmatch(one)}
    single = all(kind == "FLOAT" for kind in kinds)
    texts = [f"values of type {kind}" for kind in kinds]
    return Source(database, relation, read, numbers, texts, index, single=single)


def _refuse_doubles(names: list[str], table: str) -> None:
    for one in names:
        if one and names.count(one) > 1:
            places = [str(place) for place, other in enumerate(names, 1) if other == one]
            got = f"{one!r} for columns {' and '.join(places)}"
            raise invalid(
                f"The names of the columns of {table}", "all different", got, "Rename them."
            )


def open_text(database: Database, paths: list[str], encoding: str) -> Source:
    """Open text files with the same layout as one table."""
    with open(paths[0], "rb") as file:
        if file.read(2) in (b"\xff\xfe", b"\xfe\xff"):
            encoding = "utf-16"
    options, layouts = database.options, []
    for path in paths:
        name = database.name if len(paths) == 1 else Path(path).name
        lines = list(database.lines(path, encoding, f"LIMIT {_SAMPLE_LINES}"))
        layouts.append(lay_out(lines, name, options))
        if layouts[-1] != layouts[0]:
            rule = "a pattern of files that are laid out alike"
            got = f"{name}, unlike {Path(paths[0]).name}"
            raise invalid(database.name, rule, got, "Read them one by one.")
    layout = layouts[0]
    names = list(layout.names or [""] * layout.width)
    _refuse_doubles(names, database.name)
    columns = [layout.column(place) for place in range(layout.width)]
    numbers = [_number(f"c{place}", cells, layout) for place, cells in enumerate(columns)]
    texts = [_first_text(layout, place) for place in range(layout.width)]
    source = Source(
        database, "", names, numbers, texts, _find_index(layout, columns), list(layout.notes),
        layout=layout, path=paths[0] if len(paths) == 1 else None, encoding=encoding,
    )  # fmt: skip
    if encoding != "utf-8":
        source.notes.append(f"encoding: {encoding}")
    skip = layout.skip
    if options.skip_bad_rows:
        copy, rows, misfits = database.good_rows(paths, encoding, layout)
        paths, encoding, skip = [copy], "utf-8", 0
        if misfits:
            listed = ", ".join(map(str, misfits[:10]))
            source.notes.append(f"{len(misfits)} rows do not fit and were skipped: line {listed}")
            source.rows = rows
    elif layout.delimiter == " ":
        paths = [database.single_blanks(path, encoding) for path in paths]
        encoding = "utf-8"
    source.relation = _read_csv(paths, encoding, layout, skip)
    return source


def _find_index(layout: Layout, columns: list[list[str]]) -> set[int]:
    """Return columns that are not features: row names, and trailing empty ones."""
    if layout.names is None or layout.width == 1:
        index = set()
    else:
        index = {place for place, one in enumerate(layout.names) if _INDEX_NAME.fullmatch(one)}
        if not layout.names[0]:
            index.add(0)
    last = layout.width - 1
    if last and not (layout.names and layout.names[last]) and not any(columns[last]):
        index.add(last)
    return index


def _first_text(layout: Layout, place: int) -> str:
    for line, fields in layout.rows:
        cell = fields[place] if place < len(fields) else ""
        if not (is_missing(cell) or looks_numeric(cell)):
            return f"text such as {cell!r} in line {line}"
    return ""


def _read_csv(paths: Sequence[str], encoding: str, layout: Layout, skip: int) -> str:
    """Return the rows of a text table as text columns c0, c1, …."""
    columns = ", ".join(f"'c{place}': 'VARCHAR'" for place in range(layout.width))
    listed = ", ".join(map(quoted, paths))
    # DuckDB takes a blank line for a row where rows have one field
    blank = " WHERE c0 IS NOT NULL" if layout.width == 1 else ""
    return (
        f"(SELECT * FROM read_csv([{listed}], columns={{{columns}}}, "
        f"delim={quoted(layout.delimiter)}, quote='\"', escape='\"', header=false, skip={skip}, "
        f"auto_detect=false, strict_mode=true, nullstr='', encoding='{encoding}', "
        f"max_line_size=100000000){blank})"
    )


def _number(cell: str, values: list[str], layout: Layout) -> str | None:
    """Return the SQL that converts a field to a number, for `Source.numbers`."""
    if not are_numbers(values):
        return None
    # DuckDB alone reads 1_000 as a number
    text = f"replace({cell}, '_', '?')"
    if layout.thousands:
        mark = re.escape(layout.thousands)
        grouped = f"[+-]?\\d{{1,3}}({mark}\\d{{3}})+({re.escape(layout.decimal)}\\d*)?"
        text = (
            f"CASE WHEN regexp_full_match(trim({cell}), {quoted(grouped)}) "
            f"THEN replace({cell}, {quoted(layout.thousands)}, '') ELSE {text} END"
        )
    if layout.decimal == ",":
        text = f"replace(replace({text}, '.', '?'), ',', '.')"
    number = f"TRY_CAST({text} AS DOUBLE)"
    if are_booleans(values):
        number = f"CASE lower(trim({cell})) WHEN 'true' THEN 1.0 WHEN 'false' THEN 0.0 END"
    missing = ", ".join(map(quoted, MISSING))
    is_gap = f"coalesce(lower(trim({cell})), '') IN ({missing})"
    return f"coalesce({number}, CASE WHEN {is_gap} THEN NULL ELSE CAST('inf' AS DOUBLE) END)"

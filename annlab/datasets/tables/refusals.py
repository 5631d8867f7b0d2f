"""Refusals of values that are no numbers: which, where, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from annlab._support.checks import LARGEST
from annlab._support.errors import invalid
from annlab.datasets.tables.dialect import MISSING, is_missing, is_number, looks_numeric
from annlab.datasets.tables.options import option
from annlab.datasets.tables.sources import Source, identifier, lines_of, quoted, run

if TYPE_CHECKING:
    import duckdb


def unusable(value: str) -> str:
    """SQL condition that no distance can be computed from a value."""
    return f"({value} IS NULL OR isnan({value}) OR abs({value}) > {LARGEST})"


def refuse_value(
    connection: duckdb.DuckDBPyConnection, found: Source, faulty: list[int], skip_gaps: bool
) -> None:
    """Refuse the first value that is no number; a missing one only if it may not be skipped.

    Parameters
    ----------
    connection
        Its table ``numbers`` holds the columns v0, v1, …, with NULL for what is no number.
    found : Source
    faulty : list of int
        Columns that hold such values.
    skip_gaps : bool

    Raises
    ------
    ValueError
    """
    first: tuple[int, int, Any] | None = None
    for place in faulty:
        query = f"SELECT rowid + 1, v{place} FROM numbers WHERE {unusable(f'v{place}')}"
        if skip_gaps and found.dialect is None:
            query += f" AND NOT (v{place} IS NULL OR isnan(v{place}))"
        elif skip_gaps:
            query = _odd_cells(found, place)
        # of a typed source the number itself is what it holds
        for row, value in run(connection, f"{query} LIMIT 1", found.name).fetchall():
            if first is None or row < first[0]:
                first = row, place, value
    if first is not None:
        raise _bad_value(connection, found, *first)


def _odd_cells(found: Source, place: int) -> str:
    """Query for rows of a text table in which a cell is neither a number nor missing."""
    missing = ", ".join(map(quoted, MISSING))
    return (
        f"SELECT row, cell FROM (SELECT row_number() OVER () AS row, c{place} AS cell, "
        f"{unusable(f'({found.expressions[place]})')} AS bad FROM {found.relation}) "
        f"WHERE bad AND lower(trim(coalesce(cell, ''))) NOT IN ({missing}) ORDER BY row"
    )


def _look_up(
    connection: duckdb.DuckDBPyConnection, found: Source, row: int
) -> tuple[str, list[str] | None]:
    """Where a person finds a row, and its fields: those of its line, if the file has lines."""
    if found.dialect is not None and len(found.paths) == 1:
        for place, (line, fields) in enumerate(lines_of(connection, found), 1):
            if place == row:
                return f"line {line}", fields
    return f"row {row}", None


def _column(found: Source, place: int) -> str:
    shown = repr(found.names[place]) if found.names[place] and found.has_names else place + 1
    return f"Column {shown} of {found.name}"


def _bad_value(
    connection: duckdb.DuckDBPyConnection, found: Source, row: int, place: int, value: Any
) -> Exception:
    """The refusal of a value that cannot be used, with what there is to do about it."""
    where, fields = _look_up(connection, found, row)
    text = "" if value is None else str(value).strip()
    if fields is not None and place < len(fields):
        text = fields[place]
    if is_missing(text):
        got = f"{text!r} in {where}" if text else f"an empty cell in {where}"
        skip = option("skip_bad_rows", True)
        remedy = f"Fill in or remove the rows that lack a value, or skip them: {skip}."
        return invalid(_column(found, place), "numbers", got, remedy)
    got = f"{text!r} in {where}"
    if is_number(text):
        infinite = "inf" in text.lower()
        remedy = (
            "Remove or correct the rows that hold infinity."
            if infinite
            else "Divide the column by a constant."
        )
        return invalid(_column(found, place), "finite numbers", got, remedy)
    if looks_numeric(text) and "," in text:
        remedy = "Say what its comma means: "
        remedy += f"{option('decimal', 'comma')}, or {option('thousands', 'comma')}."
    elif looks_numeric(text):
        remedy = f"Say what its marks mean: {option('decimal')}, {option('thousands')}."
    elif row == 1 and not found.has_names:
        remedy = f"If the first line holds names, say so: {option('header', 'yes')}."
    else:
        remedy = f"Correct that line, choose other {option('columns')}, or skip such rows: "
        remedy += f"{option('skip_bad_rows', True)}."
    return invalid(_column(found, place), "numbers", got, remedy)


def text_column(
    connection: duckdb.DuckDBPyConnection, found: Source, place: int, good: list[int]
) -> Exception:
    """The refusal of a column of text, with the columns that hold numbers."""
    remedy = "Encode the text as numbers, such as one column of 0 and 1 for each value."
    if good:
        words = [found.names[p] if found.has_names and found.names[p] else str(p + 1) for p in good]
        listed = ",".join(f'"{word}"' if "," in word else word for word in words)
        remedy = f"Choose columns of numbers: {option('columns', listed)}. Or e{remedy[1:]}"
    cell = f"c{place}" if found.dialect else identifier(found.names[place])
    query = (
        f"SELECT row_number() OVER (), CAST({cell} AS VARCHAR) FROM {found.relation} LIMIT 10000"
    )
    for row, value in run(connection, query, found.name).fetchall():
        text = "" if value is None else value.strip()
        if not is_missing(text) and not looks_numeric(text):
            where, _ = _look_up(connection, found, row)
            return invalid(
                _column(found, place), "numbers", f"text such as {text!r} in {where}", remedy
            )
    return invalid(_column(found, place), "numbers", "text", remedy)

"""A table of numbers, and errors for values that are not numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from annlab._support.checks import LARGEST
from annlab._support.errors import invalid
from annlab.datasets.tables.layout import is_missing, is_number, looks_numeric
from annlab.datasets.tables.options import option

if TYPE_CHECKING:
    from annlab._support.types import Matrix
    from annlab.datasets.tables.sources import Source

#: Values of an array that are searched at a time.
_SEARCHED = 1 << 22


@dataclass(frozen=True)
class Table:
    """Numbers of a table.

    Attributes
    ----------
    name : str
        What reports and errors call the table.
    X : ndarray or csr_matrix of shape (n, d)
        Memory-mapped from ``.npy`` files, and from tables that exceed memory.
    names : tuple of str, or None
    columns : list of int
        Positions of the columns in the source.
    rows : ndarray of shape (n,), int64, or None
        Numbers of the rows in the source, from 1, where some were skipped.
    notes : list of str
        What was decided, for a report.
    source : Source, or None
        None for an array file.
    """

    name: str
    X: Matrix
    names: tuple[str, ...] | None
    columns: list[int]
    rows: np.ndarray | None = None
    notes: list[str] = field(default_factory=list)
    source: Source | None = None

    def refuse_bad_value(self) -> None:
        """Raise for the first value that is missing, infinite or too large, if any."""
        found = _search(self.X) if isinstance(self.X, np.ndarray) else None
        if found is None:
            return
        row, across, count = found
        value, place = float(self.X[row, across]), self.columns[across]
        number = row + 1 if self.rows is None else int(self.rows[row])
        record = self.source.record(number) if self.source else None
        if record:
            cell, where = record[1][place], f"line {record[0]}"
        else:
            # NULL and NaN are the same here
            cell = "" if np.isnan(value) and self.source else f"{value:g}"
            where = f"row {number:,}"
        got = f"{(repr(cell) if record else cell) if cell else 'an empty cell'} in {where}"
        if count > 1:
            got += f", the first of {count:,} values that cannot be used"
        if is_missing(cell) and not self.source:
            remedy = "Remove the rows that lack a value: X = X[numpy.isfinite(X).all(axis=1)]."
        else:
            remedy = _remedy(cell, may_be_name=number == 1 and self.names is None)
        name = self.source.names[place] if self.source else ""
        rule = "finite numbers" if is_number(cell) else "numbers"
        raise invalid(column_of(self.name, name, place), rule, got, remedy)


def _remedy(cell: str, may_be_name: bool) -> str:
    """Return the remedy for a field that cannot be used."""
    skip, columns = option("skip_bad_rows", True), option("columns")
    if is_missing(cell):
        return f"Fill in or remove the rows that lack a value, or skip them: {skip}."
    if is_number(cell) and "inf" in cell.lower():
        return "Remove or correct the rows that hold infinity."
    if is_number(cell):
        return "Divide the column by a constant."
    if looks_numeric(cell) and "," in cell:
        comma, thousands = option("decimal", "comma"), option("thousands", "comma")
        return f"Say what its comma means: {comma}, or {thousands}."
    if looks_numeric(cell):
        return f"Say what its marks mean: {option('decimal')}, {option('thousands')}."
    if may_be_name:
        return f"If the first line holds names, say so: {option('header', 'yes')}."
    return f"Correct that line, choose other {columns}, or skip such rows: {skip}."


def _search(X: np.ndarray) -> tuple[int, int, int] | None:
    """Return row and column of the first bad value, and the number of bad values."""
    largest = min(LARGEST, float(np.finfo(X.dtype).max)) if X.dtype.kind == "f" else np.inf
    height = max(1, _SEARCHED // X.shape[1])
    first, count = None, 0
    for start in range(0, len(X), height):
        # NaN is not smaller than anything
        bad = ~(np.abs(X[start : start + height]) <= largest)
        if first is None and bad.any():
            row, column = divmod(int(bad.argmax()), X.shape[1])
            first = start + row, column
        count += int(np.count_nonzero(bad))
    return None if first is None else (*first, count)


def column_of(table: str, name: str, place: int) -> str:
    """Return the name of a column for error messages."""
    return f"Column {repr(name) if name else place + 1} of {table}"

"""Detect the layout of a text table: delimiter, width, header, marks.

DuckDB then reads the file with exactly these options and refuses the first line that does not
fit. A rule that is wrong about a file leads to a refusal, not to wrong numbers.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from annlab._support.errors import invalid
from annlab.datasets.tables.options import DELIMITERS, MARKS, Options, option

#: What tables hold where a value is missing, in lower case.
MISSING = ("", "na", "n/a", "#n/a", "nan", "null", "none", "missing", "-", "?", ".")

_NUMBER = re.compile(r"[+-]?((\d+\.?\d*|\.\d+)(e[+-]?\d+)?|inf(inity)?)|nan", re.I | re.ASCII)
_DECIMAL_COMMA = re.compile(r"[+-]?(\d+,\d*|,\d+)(e[+-]?\d+)?", re.I | re.ASCII)
_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+", re.ASCII)
_YEAR = re.compile(r"(1[89]|20)\d\d", re.ASCII)

#: The number of a record's last line in the file, and its fields.
Record = tuple[int, list[str]]


@dataclass(frozen=True)
class Layout:
    """Layout of a text table."""

    #: One character; a space means any run of blanks.
    delimiter: str
    #: Lines before the first row of data.
    skip: int
    #: Fields of each row.
    width: int
    #: One for each field; empty where the header has none.
    names: tuple[str, ...] | None
    decimal: str
    #: Empty if there is no such mark.
    thousands: str
    #: The first rows of data.
    rows: list[Record] = field(compare=False)
    #: What was decided, for a report.
    notes: list[str] = field(compare=False)

    def column(self, place: int) -> list[str]:
        """Return the fields of one column in the first rows."""
        return [fields[place] for _, fields in self.rows if len(fields) > place]


def is_number(text: str) -> bool:
    """Tell whether a field is a number, written with a decimal point."""
    return _NUMBER.fullmatch(text.strip()) is not None


def is_missing(text: str) -> bool:
    """Tell whether a field marks a missing value."""
    return text.strip().lower() in MISSING


def looks_numeric(text: str) -> bool:
    """Tell whether a field is a number, such as ``1.5``, ``1,5``, ``1,033.5``."""
    plain = text.strip().replace(" ", "").replace("'", "")
    points = (plain, plain.replace(".", "").replace(",", "."), plain.replace(",", ""))
    return any(map(is_number, points))


def are_booleans(cells: Sequence[str]) -> bool:
    """Tell whether all values of a column are true or false."""
    held = {cell.lower() for cell in cells if not is_missing(cell)}
    return bool(held) and held <= {"true", "false"}


def are_numbers(cells: Sequence[str]) -> bool:
    """Tell whether at least half of a column's values are numbers."""
    held = [cell for cell in cells if not is_missing(cell)]
    return are_booleans(held) or 2 * sum(map(looks_numeric, held)) >= len(held)


def records(lines: Iterable[str], delimiter: str, *, strict: bool = False) -> Iterator[Record]:
    """Split lines into fields, skipping blank lines; open quotes may be an error."""
    if delimiter == " ":
        lines = (re.sub(r"[ \t]+", " ", line.strip(" \t")) for line in lines)
    before = csv.field_size_limit(1 << 30)
    try:
        # line ends are part of a field where quotes enclose several lines
        ended = (line + "\n" for line in lines)
        reader = csv.reader(ended, delimiter=delimiter, skipinitialspace=True, strict=strict)
        for fields in reader:
            if any(one.strip() for one in fields) or len(fields) > 1:
                yield reader.line_num, [one.strip() for one in fields]
    finally:
        csv.field_size_limit(before)


def lay_out(lines: list[str], name: str, options: Options) -> Layout:
    """Detect the layout of a table from its first lines; refuse ambiguous ones."""
    delimiter = DELIMITERS.get(options.delimiter) or _find_delimiter(lines, options.marks)
    rows = list(records(lines, delimiter))
    if not rows:
        raise invalid(name, "a file with rows", "an empty file", "Fill it.")
    width = _width(rows)
    start, names, notes = _find_start(rows, width, delimiter)
    line, first = rows[start] if start < len(rows) else (0, [])
    if names is None and len(first) == width and options.header != "no":
        below = [fields for _, fields in rows[start + 1 :] if len(fields) == width]
        has_names = options.header == "yes" or _are_names(first, below)
        if has_names is None:
            yes, no = option("header", "yes"), option("header", "no")
            rule = "unambiguous about its first row, which may be names or data"
            raise invalid(name, rule, f"{first} in line {line}", f"Say which: {yes}, or {no}.")
        if has_names:
            names, start = first, start + 1
    rest = rows[start:]
    if not rest:
        raise invalid(name, "a file with rows", "none", "Fill it.")
    skip = rows[start - 1][0] if start else 0
    if names is None:
        said = option("header", "yes")
        notes.append(f"no line of names: the first row is data ({said} makes it names)")
    else:
        names = tuple(names)
        notes.append(f"names from line {skip}: {', '.join(names[:12])}")
    if width > 1:
        called = {value: key for key, value in DELIMITERS.items()}[delimiter]
        notes.insert(0, f"delimiter: {called}")
    decimal = _find_decimal(rest, delimiter, names is not None, name, options)
    if decimal == "," and options.decimal == "auto":
        notes.append("decimal mark: comma")
    return Layout(delimiter, skip, width, names, decimal, options.marks[1], rest, notes)


def _width(rows: list[Record]) -> int:
    """Return the most frequent number of fields; the larger one on ties."""
    counts = Counter(len(fields) for _, fields in rows)
    return max(counts, key=lambda width: (counts[width], width), default=0)


def _find_delimiter(lines: list[str], marks: tuple[str, str]) -> str:
    """Return the best delimiter; marks inside numbers are the last resort."""
    fits = {mark: _fitness(lines, mark) for mark in DELIMITERS.values()}
    # a mark inside numbers can also delimit where the numbers are quoted
    quoted = list(fits) if any('"' in line for line in lines) else []
    for allowed in ([mark for mark in fits if mark not in marks], quoted):
        best = max(allowed, key=lambda mark: fits[mark], default="")
        if best and fits[best][1] > 0:
            return best
    return ";" if "," in marks else ","


def _fitness(lines: list[str], delimiter: str) -> tuple[float, float]:
    """Return how well a delimiter fits: rows of equal width, and numeric cells."""
    rows = list(records(lines, delimiter))
    width = _width(rows)
    regular = [fields for _, fields in rows if len(fields) == width]
    cells = [cell for fields in regular for cell in fields if cell]
    if width < 2 or 2 * len(regular) <= len(rows) or not cells:
        return 0.0, 0.0
    numbers = sum(
        is_number(cell) or (delimiter != "," and bool(_DECIMAL_COMMA.fullmatch(cell)))
        for cell in cells
    )
    share = len(regular) / len(rows)
    # rounded, because equal products differ in the last bit
    return round(share * numbers / len(cells), 9), share


def _find_start(
    rows: list[Record], width: int, delimiter: str
) -> tuple[int, Sequence[str] | None, list[str]]:
    """Skip comments, titles and a header that is one name short.

    A first row of another width stays: DuckDB refuses it.
    """
    notes: list[str] = []
    for place, (line, fields) in enumerate(rows):
        below = [row for _, row in rows[place + 1 :] if len(row) == width]
        is_comment = fields[0].startswith("#")
        if is_comment:
            first = fields[0].lstrip("#").strip()
            fields = fields[1:] if delimiter == " " and not first else [first, *fields[1:]]
            if len(fields) == width and _has_word(fields):
                return place + 1, fields, notes
        elif len(fields) == width - 1 and _has_word(fields) and below:
            if not any(row[-1] for row in below):
                return place + 1, [*fields, ""], notes
            # one name above two fields may head a single column with decimal commas
            has_names = width > 2 or delimiter != "," or _has_word(below[0])
            if has_names and _are_row_names([row[0] for row in below]):
                notes.append("the header is one name short: the first column holds names of rows")
                return place + 1, ["", *fields], notes
        if not is_comment and not _is_title(fields, below, delimiter):
            return place, None, notes
        notes.append(f"line {line} is {'a comment' if is_comment else 'a title'}, and was skipped")
    return len(rows), None, notes


def _is_title(fields: list[str], below: list[list[str]], delimiter: str) -> bool:
    """Tell whether a line is a title: one word, perhaps padded with delimiters."""
    if not fields[0] or any(fields[1:]) or looks_numeric(fields[0]) or not below:
        return False
    if len(below[0]) == 2 and len(fields) == 1 and delimiter == ",":
        return _has_word(below[0])
    return len(below[0]) > 1 and all(below[0][:2])


def _is_word(cell: str) -> bool:
    return not (looks_numeric(cell) or is_missing(cell) or are_booleans([cell]))


def _has_word(fields: list[str]) -> bool:
    return any(map(_is_word, fields))


def _are_row_names(cells: list[str]) -> bool:
    """Tell whether the cells of a column are words, or count from 0 or 1."""
    if not any(map(looks_numeric, cells)):
        return True
    return any(cells == [str(place + first) for place in range(len(cells))] for first in (0, 1))


def _are_names(first: list[str], below: list[list[str]]) -> bool | None:
    """Tell whether the first row holds names; None if that is unclear.

    It is unclear only where all words are above text and there are integers beside them. Years
    and integers that count are names.
    """
    numeric = [
        place for place in range(len(first)) if are_numbers([fields[place] for fields in below])
    ]
    beside = [first[place] for place in numeric if first[place]]
    if any(map(_is_word, beside)) or not _has_word(first):
        return _has_word(first)
    if not all(cell.isdigit() for cell in beside):
        return False
    counted = [str(int(beside[0]) + step) for step in range(len(beside))] if beside else []
    years = all(map(_YEAR.fullmatch, beside))
    return True if not beside or (len(beside) > 1 and (years or beside == counted)) else None


def _find_decimal(
    rows: list[Record], delimiter: str, has_names: bool, name: str, options: Options
) -> str:
    """Return the decimal mark: a comma only if it cannot mean anything else."""
    if options.decimal != "auto" or options.thousands == "comma":
        return MARKS.get(options.decimal, ".")
    cells = [(line, cell) for line, fields in rows for cell in fields]
    commas = [(line, cell) for line, cell in cells if _DECIMAL_COMMA.fullmatch(cell)]
    if delimiter == "," and not (has_names or commas or any("." in cell for _, cell in cells)):
        commas = _split_numbers(rows, cells)
    if not commas:
        return "."
    if delimiter != "," and not all(_GROUPED.fullmatch(cell) for _, cell in commas):
        return ","
    line, cell = commas[0]
    raise invalid(
        name,
        "unambiguous about its commas",
        f"{cell!r} in line {line}",
        f"Say what they mean: {option('decimal', 'comma')}, "
        f"{option('decimal', 'point')}, or {option('thousands', 'comma')}.",
    )


def _split_numbers(rows: list[Record], cells: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """Return integers that may be halves of numbers with decimal commas."""
    # no integer is written 024 or -0, and few have 11 digits
    halves = [(line, cell) for line, cell in cells if re.fullmatch(r"[+-]0|0\d+|\d{11,}", cell)]
    last = {len(fields[-1]) for _, fields in rows}
    if not halves and all(len(fields) == 2 for _, fields in rows) and last in ({3}, {6}, {9}):
        # 1,033 above 2,044
        return [(rows[0][0], ",".join(rows[0][1]))]
    return halves

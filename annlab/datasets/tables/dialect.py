"""How a text table is laid out: delimiter, header, width and marks, by explicit rules.

DuckDB reads the file afterwards with exactly these options and refuses the first line that does
not fit. So a rule here may be simple: if it is wrong, the file is refused and not misread.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from annlab._support.errors import invalid
from annlab.datasets.tables.options import option

#: Delimiters by the name that options take, in the order in which ties are decided.
DELIMITERS = {"tab": "\t", "semicolon": ";", "pipe": "|", "comma": ",", "space": " "}
#: Marks of decimals and of thousands, by the name that options take.
MARKS = {"point": ".", "comma": ",", "space": " ", "apostrophe": "'"}
#: What tables hold where a value is missing, in lower case.
MISSING = ("", "na", "n/a", "#n/a", "nan", "null", "none", "missing", "-", "?", ".")
#: A name that pandas gives to the index of a table that was written with its index.
_INDEX_NAME = re.compile(r"|Unnamed: 0[\d_.a-z]*", re.ASCII)

_NUMBER = re.compile(r"[+-]?((\d+\.?\d*|\.\d+)(e[+-]?\d+)?|inf(inity)?)|nan", re.I | re.ASCII)
_DECIMAL_COMMA = re.compile(r"[+-]?(\d+,\d*|,\d+)(e[+-]?\d+)?", re.I | re.ASCII)
_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+", re.ASCII)
_YEAR = re.compile(r"(1[89]|20)\d\d", re.ASCII)

#: A record: the number of its last line in the file, and its fields.
Record = tuple[int, list[str]]


@dataclass(frozen=True)
class Dialect:
    """Layout of a text table.

    Attributes
    ----------
    delimiter : str
        One character; a space stands for any run of blanks.
    skip : int
        Lines before the first row of data.
    width : int
        Fields of each row.
    names : tuple of str, or None
        One for each field; empty where the header has none.
    decimal, thousands : str
        Characters; ``thousands`` may be empty.
    sample : list of Record
        The first rows of data.
    notes : list of str
        What was decided, for the report.
    """

    delimiter: str
    skip: int
    width: int
    names: tuple[str, ...] | None
    decimal: str = "."
    thousands: str = ""
    sample: list[Record] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def column(self, place: int) -> list[str]:
        """Fields of one column in the sample."""
        return [fields[place] for _, fields in self.sample if len(fields) > place]

    def alike(self, other: Dialect) -> bool:
        """Tell whether another file is laid out in the same way."""
        names = ("delimiter", "skip", "width", "names", "decimal", "thousands")
        return all(getattr(self, name) == getattr(other, name) for name in names)


def is_number(text: str) -> bool:
    """Tell whether a field is a number, written with a decimal point."""
    return _NUMBER.fullmatch(text.strip()) is not None


def is_missing(text: str) -> bool:
    """Tell whether a field stands for a missing value."""
    return text.strip().lower() in MISSING


def is_index_name(name: str) -> bool:
    """Tell whether a header leaves a column without a name of its own, as an index has."""
    return _INDEX_NAME.fullmatch(name) is not None


def looks_numeric(text: str) -> bool:
    """Tell whether a field is a number in some notation: ``1.5``, ``1,5``, ``1,033.5``."""
    plain = text.strip().replace(" ", "").replace("'", "")
    return (
        is_number(plain)
        or is_number(plain.replace(".", "").replace(",", "."))
        or is_number(plain.replace(",", ""))
    )


def records(lines: Iterable[str], delimiter: str) -> Iterator[Record]:
    """Cut lines into fields, quotes heeded; blank lines are left out."""
    if delimiter == " ":
        lines = (re.sub(r"[ \t]+", " ", line.strip(" \t")) for line in lines)
    before = csv.field_size_limit(1 << 30)
    try:
        # with their ends, which belong to a field where quotes hold several lines
        ended = (line + "\n" for line in lines)
        reader = csv.reader(ended, delimiter=delimiter, skipinitialspace=True)
        for fields in reader:
            if any(one.strip() for one in fields) or len(fields) > 1:
                yield reader.line_num, [one.strip() for one in fields]
    finally:
        csv.field_size_limit(before)


def _width(rows: list[Record]) -> int:
    """The number of fields that most records have; of equally frequent ones the larger."""
    counts = Counter(len(fields) for _, fields in rows)
    return max(counts, key=lambda width: (counts[width], width), default=0)


def _fitness(lines: list[str], delimiter: str) -> tuple[float, float]:
    """How well a delimiter cuts lines: the share of rows of one width, times that of numbers."""
    rows = list(records(lines, delimiter))
    width = _width(rows)
    regular = [fields for _, fields in rows if len(fields) == width]
    cells = [cell for fields in regular for cell in fields if cell]
    if width < 2 or 2 * len(regular) <= len(rows) or not cells:
        return 0.0, 0.0
    numbers = sum(is_number(cell) or _is_decimal_comma(cell, delimiter) for cell in cells)
    share = len(regular) / len(rows)
    # rounded, so that equal products are equal
    return round(share * numbers / len(cells), 9), share


def _is_decimal_comma(cell: str, delimiter: str) -> bool:
    return delimiter != "," and _DECIMAL_COMMA.fullmatch(cell) is not None


def _find_delimiter(lines: list[str], marks: tuple[str, ...]) -> str:
    """The delimiter that fits best; a mark inside numbers only if nothing else fits."""
    fits = {mark: _fitness(lines, mark) for mark in DELIMITERS.values()}
    # quotes keep the marks inside numbers from those between them
    quoted = list(fits) if any('"' in line for line in lines) else []
    for allowed in ([mark for mark in fits if mark not in marks], quoted):
        best = max(allowed, key=lambda mark: fits[mark], default="")
        if best and fits[best][1] > 0:
            return best
    return ";" if "," in marks else ","


def lay_out(
    lines: list[str],
    name: str,
    *,
    delimiter: str = "auto",
    header: str = "auto",
    decimal: str = "auto",
    thousands: str = "none",
) -> Dialect:
    """Decide how a table is laid out.

    Parameters
    ----------
    lines : list of str
        The first lines of the file, without their ends.
    name : str
        What errors call the file.
    delimiter, header, decimal, thousands : str
        What the caller said; see `annlab.datasets.tables.read_table`.

    Returns
    -------
    Dialect

    Raises
    ------
    ValueError
        If there are no rows, or a line does not fit, or the marks can be read in two ways.
    """
    marks = MARKS.get(decimal, ""), MARKS.get(thousands, "")
    mark = DELIMITERS.get(delimiter) or _find_delimiter(lines, marks)
    rows = list(records(lines, mark))
    # of a table that begins with a comment the fields are counted without its sign
    bare = [(end, _uncommented(fields, mark)) for end, fields in rows]
    if not rows:
        raise invalid(name, "a file with rows", "one that is empty", "Fill it.")
    width = _width(rows)
    notes: list[str] = []
    lead, names = _leading(rows, bare, width, mark, name, notes)
    if names is None and header != "no":
        first = bare[lead][1]
        below = [fields for _, fields in rows[lead + 1 :] if len(fields) == width]
        if header == "yes" or _holds_names(first, below, name, rows[lead][0]):
            names = first
            lead += 1
    if names is not None:
        notes.append(f"names from line {rows[lead - 1][0]}: {', '.join(names[:12])}")
    else:
        header_yes = option("header", "yes")
        notes.append(f"no line of names: the first row is data ({header_yes} makes it names)")
    body = rows[lead:]
    if not body:
        raise invalid(name, "a file with rows", "one that has none", "Fill it.")
    skip = rows[lead - 1][0] if lead else 0
    named = names is not None
    decided = _decimal(body, mark, name, decimal, thousands, named, notes)
    called = next(key for key, value in DELIMITERS.items() if value == mark)
    if width > 1:
        notes.insert(0, f"delimiter: {called}")
    return Dialect(
        mark, skip, width, None if names is None else tuple(names), decided,
        "" if thousands == "none" else MARKS[thousands], body, notes,
    )  # fmt: skip


def _uncommented(fields: list[str], mark: str) -> list[str]:
    """Fields of a line without the ``#`` that it begins with."""
    if not fields or not fields[0].startswith("#"):
        return fields
    first = fields[0].lstrip("#").strip()
    return fields[1:] if mark == " " and not first else [first, *fields[1:]]


def _leading(
    rows: list[Record], bare: list[Record], width: int, mark: str, name: str, notes: list[str]
) -> tuple[int, list[str] | None]:
    """Go past what stands above the table: comments, a title, a header that is one name short."""
    lead, names = 0, None
    while lead < len(rows):
        end, fields = rows[lead]
        comment = fields[0].startswith("#")
        if comment and len(bare[lead][1]) == width and _is_header(bare[lead][1]):
            return lead + 1, bare[lead][1]
        if len(fields) == width and not comment:
            return lead, names
        short = len(fields) == width - 1 and _is_header(fields)
        if short and len(rows) > lead + 1 and len(rows[lead + 1][1]) == width and not comment:
            below = [row for _, row in rows[lead + 1 :] if len(row) == width]
            if not any(row[-1] for row in below):
                return lead + 1, [*fields, ""]
            if _are_row_names([row[0] for row in below]):
                notes.append("the header is one name short: the first column holds names of rows")
                return lead + 1, ["", *fields]
        # one name above two fields: a title, or a column whose commas are decimal marks
        unclear = (
            mark == "," and width == 2 and not _is_header(rows[min(lead + 1, len(rows) - 1)][1])
        )
        if not comment and (len(fields) != 1 or looks_numeric(fields[0]) or unclear):
            raise invalid(
                f"Each row of {name}",
                f"made of {width} columns, as most rows are",
                f"{len(fields)} in line {end}",
                "Correct that line. If its commas are decimal marks, say so: "
                f"{option('decimal', 'comma')}."
                if mark == "," and 2 * len(fields) == width
                else "Correct that line.",
            )
        notes.append(f"line {end} is {'a comment' if comment else 'a title'}, and was passed over")
        lead += 1
    raise invalid(name, "a file with rows", "one that has none", "Fill it.")


def _is_header(fields: list[str]) -> bool:
    """One word makes a header."""
    return any(cell and not looks_numeric(cell) and not is_missing(cell) for cell in fields)


def _are_row_names(cells: list[str]) -> bool:
    """Tell whether the cells of a column are words, or count from 0 or 1."""
    if not any(map(looks_numeric, cells)):
        return True
    return any(cells == [str(place + first) for place in range(len(cells))] for first in (0, 1))


def _holds_names(first: list[str], below: list[list[str]], name: str, line: int) -> bool:
    """Tell whether the first row of a table holds names: one word makes a header.

    Only where its words are all above text, and there are numbers beside them, it may be either.
    Then numbers that are years, or count, are names; and fractions are not.
    """
    if not _is_header(first):
        return False
    columns = list(zip(*below, strict=True))
    beside = []
    for place, cell in enumerate(first):
        held = [one for one in columns[place] if not is_missing(one)] if below else []
        numeric = 2 * sum(map(looks_numeric, held)) > len(held)
        if numeric and cell and not looks_numeric(cell):
            return True
        if numeric and looks_numeric(cell):
            beside.append(cell)
    if not all(cell.isdigit() for cell in beside):
        return False
    counted = [str(int(beside[0]) + step) for step in range(len(beside))] if beside else []
    years = all(map(_YEAR.fullmatch, beside))
    if not beside or (len(beside) > 1 and (years or beside == counted)):
        return True
    raise invalid(
        name, "clear about its first row, which may be names or data", f"{first} in line {line}",
        f"Say which: {option('header', 'yes')}, or {option('header', 'no')}.",
    )  # fmt: skip


def _decimal(
    body: list[Record],
    mark: str,
    name: str,
    decimal: str,
    thousands: str,
    named: bool,
    notes: list[str],
) -> str:
    """The decimal mark: a comma where it cannot be anything else."""
    if decimal != "auto" or thousands == "comma":
        return MARKS[decimal] if decimal != "auto" else "."
    cells = [(end, cell) for end, fields in body for cell in fields]
    commas = [(end, cell) for end, cell in cells if _DECIMAL_COMMA.fullmatch(cell)]
    if mark == "," and not named and not commas and not any("." in cell for _, cell in cells):
        commas = _torn_numbers(body, cells)
    if not commas:
        return "."
    end, cell = commas[0]
    if mark == "," or all(_GROUPED.fullmatch(cell) for _, cell in commas):
        raise invalid(
            name,
            "clear about its commas",
            f"{cell!r} in line {end}",
            f"Say what they mean: {option('decimal', 'comma')}, {option('decimal', 'point')}, "
            f"or {option('thousands', 'comma')}.",
        )
    notes.append("decimal mark: comma")
    return ","


def _torn_numbers(body: list[Record], cells: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """Fields of a table of integers without names that may be halves of numbers with a comma."""
    # no integer is written 024 or -0, and few have 11 digits
    torn = [(end, cell) for end, cell in cells if re.fullmatch(r"[+-]0|0\d+|\d{11,}", cell)]
    last = {len(fields[-1]) for _, fields in body}
    if not torn and all(len(row) == 2 for _, row in body) and last in ({3}, {6}, {9}):
        # 1,033 above 2,044
        torn = [(body[0][0], ",".join(body[0][1]))]
    return torn

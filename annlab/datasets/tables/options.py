"""Options of the reader of tables, and how messages write them."""

from __future__ import annotations

import csv
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from annlab._support.checks import check_choice, did_you_mean
from annlab._support.errors import invalid

#: Delimiters by the name that options take; ties are decided in this order.
DELIMITERS = {"tab": "\t", "semicolon": ";", "pipe": "|", "comma": ",", "space": " "}
#: Marks of decimals and of thousands, by the name that options take.
MARKS = {"point": ".", "comma": ",", "space": " ", "apostrophe": "'"}
#: What options accept, the default first.
CHOICES = {
    "header": ("auto", "yes", "no"),
    "delimiter": ("auto", *DELIMITERS),
    "decimal": ("auto", "point", "comma"),
    "thousands": ("none", *MARKS),
}

_FLAGS: ContextVar[bool] = ContextVar("_FLAGS", default=False)


@contextmanager
def named_as_flags() -> Iterator[None]:
    """Let messages name options as the command line does."""
    before = _FLAGS.set(True)
    try:
        yield
    finally:
        _FLAGS.reset(before)


def option(name: str, value: str | bool = "") -> str:
    """Return an option, and its value if given, as the user has to type it.

    Examples
    --------
    >>> from annlab.datasets.tables.options import named_as_flags, option
    >>> option("header", "yes"), option("skip_bad_rows", True), option("columns")
    ("header='yes'", 'skip_bad_rows=True', 'columns')
    >>> with named_as_flags():
    ...     option("header", "yes"), option("skip_bad_rows", True), option("columns")
    ('--header yes', '--skip-bad-rows', '--columns')
    """
    if not _FLAGS.get():
        return f"{name}={value!r}" if value else name
    flag = "--" + name.replace("_", "-")
    return f"{flag} {shlex.quote(value)}" if isinstance(value, str) and value else flag


@dataclass(frozen=True)
class Options:
    """Options of `annlab.datasets.tables.read_table`, checked."""

    columns: str | None = None
    key: str | None = None
    header: str = "auto"
    delimiter: str = "auto"
    decimal: str = "auto"
    thousands: str = "none"
    skip_bad_rows: bool = False
    skip_gaps: bool = False
    skip_text: bool = False

    def __post_init__(self) -> None:
        for name, choices in CHOICES.items():
            check_choice(getattr(self, name), option(name), choices)
        if self.thousands == self.decimal:
            rule = f"another mark than {option('decimal')}"
            raise invalid(option("thousands"), rule, self.decimal)

    @property
    def marks(self) -> tuple[str, str]:
        """Return the given decimal and thousands marks; "" for one not given."""
        return MARKS.get(self.decimal, ""), MARKS.get(self.thousands, "")

    def check_not_text(self, name: str) -> None:
        """Refuse text options for a file format that defines its own layout."""
        for one in (*CHOICES, "skip_bad_rows"):
            if getattr(self, one) != getattr(Options, one):
                rule, got = "given with a text table only", f"{getattr(self, one)!r} for {name}"
                raise invalid(option(one), rule, got, "Leave it out.")

    def choose(self, names: tuple[str, ...] | None, d: int) -> list[int] | None:
        """Return the positions of the columns named by ``columns``; None for all."""
        if self.columns is None:
            return None
        places = {name: place for place, name in enumerate(names or ()) if name}
        chosen: list[int] = []
        for word in next(csv.reader([self.columns], skipinitialspace=True), []):
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
                    f"Columns: {', '.join(places)}." if places else f"Use numbers from 1 to {d}."
                )
                raise invalid(option("columns"), "made of existing columns", repr(word), remedy)
        if not chosen:
            rule, remedy = "one column or more", "Leave it out for all."
            raise invalid(option("columns"), rule, repr(self.columns), remedy)
        return list(dict.fromkeys(chosen))

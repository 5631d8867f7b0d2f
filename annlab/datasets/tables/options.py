"""How messages write the options of the reader: as keywords in Python, as flags in a shell."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

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
    """Write an option, and its value if given, as the caller's user has to type it.

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

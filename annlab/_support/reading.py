"""Errors of format libraries, as one sentence with the name of the file."""

from __future__ import annotations

import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import numpy as np

from annlab._support.errors import invalid

#: What NumPy, zipfile, Pillow and SciPy raise for a damaged, encrypted or odd file.
READ_FAULTS = (
    OSError,
    EOFError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    OverflowError,
    RecursionError,
    RuntimeError,
    SyntaxError,
    struct.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)


@contextmanager
def reading(name: str, rule: str, remedy: str) -> Iterator[None]:
    """Turn any error of a format library into one that names the file.

    Parameters
    ----------
    name : str
        The file, or the parameter that names it.
    rule : str
        What the file must be, readable after "must be".
    remedy : str

    Raises
    ------
    ValueError
        In place of every error of `READ_FAULTS`, except those of a file that is not there or may
        not be opened.

    Examples
    --------
    >>> from annlab._support.reading import reading
    >>> with reading("rows.npy", "a whole .npy file", "Save it again."):
    ...     raise EOFError("no data left")
    Traceback (most recent call last):
    ValueError: rows.npy must be a whole .npy file; got a damaged one (no data left). Save it again.
    """
    try:
        yield
    except (FileNotFoundError, PermissionError, IsADirectoryError):
        raise
    except READ_FAULTS as reason:
        words = str(reason).split("\n")[0] or type(reason).__name__
        raise invalid(name, rule, f"a damaged one ({words[:90]})", remedy) from reason


def npy_header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type of an array, from the beginning of an ``.npy`` file."""
    version = np.lib.format.read_magic(stream)
    read = (
        np.lib.format.read_array_header_1_0
        if version == (1, 0)
        else np.lib.format.read_array_header_2_0
    )
    shape, _, dtype = read(stream)
    return shape, dtype

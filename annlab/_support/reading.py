"""Read and write array files; errors of format libraries become one sentence."""

from __future__ import annotations

import errno
import os
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np

from annlab._support.errors import invalid
from annlab._support.files import atomic_write

#: Errors of NumPy, zipfile, Pillow and SciPy for a damaged, encrypted or odd file.
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
    """Turn errors of a format library into a ValueError made by `invalid`.

    Errors of a file that is missing or may not be opened are passed on.

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
    """Return shape and dtype of an array from the header of an ``.npy`` file."""
    version = np.lib.format.read_magic(stream)
    read = (
        np.lib.format.read_array_header_1_0
        if version == (1, 0)
        else np.lib.format.read_array_header_2_0
    )
    shape, _, dtype = read(stream)
    return shape, dtype


def write_npz(target: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write arrays to an ``.npz`` file, whole or not at all."""
    with atomic_write(target) as stream:
        np.savez(stream, **arrays)  # type: ignore[arg-type]


def read_npz(path: str | os.PathLike[str], *, max_bytes: int) -> dict[str, np.ndarray]:
    """Read the arrays of an ``.npz`` file; check sizes before decoding.

    Raises
    ------
    OSError, ValueError
    """
    # opened first: later errors are about the content of the file
    with open(path, "rb") as file:
        try:
            archive = zipfile.ZipFile(file)
            total = sum(member.file_size for member in archive.infolist())
            if total <= max_bytes:
                return {
                    member.filename.removesuffix(".npy"): _read_member(archive, member)
                    for member in archive.infolist()
                }
        except MemoryError:
            raise
        except Exception as reason:
            if isinstance(reason, OSError) and reason.errno not in (None, errno.EINVAL):
                raise
            # zipfile, zlib and the npy reader raise a dozen kinds of error for damaged files,
            # OSError(EINVAL) among them
            raise invalid(
                "path",
                "an undamaged .npz file",
                f"{Path(path).name} ({reason})",
                "Save the result again.",
            ) from reason
    raise invalid(
        "path",
        f"a file of at most max_bytes={max_bytes:,} bytes once decoded",
        f"{total:,} bytes",
        "Raise max_bytes if you trust the file.",
    )


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    with archive.open(member) as stream:
        shape, dtype = npy_header(stream)
        # the header may state any shape: check it against the size of the member
        count = 1
        for length in shape:
            count *= int(length)
        left = member.file_size - stream.tell()
        if dtype.hasobject or count * dtype.itemsize != left:
            raise ValueError(f"{member.filename} does not match its header")
    with archive.open(member) as stream:
        return np.lib.format.read_array(stream, allow_pickle=False)

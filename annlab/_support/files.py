"""Write a file whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any


@contextmanager
def atomic_write(target: str | os.PathLike[str], *, text: bool = False) -> Iterator[IO[Any]]:
    """Open a new file that replaces ``target`` if the block succeeds.

    A full disk, an error or a kill leaves the older file unchanged. Text is UTF-8 with ``\\n``.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist.
    OSError
        If it cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from annlab._support.files import atomic_write
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with atomic_write(Path(folder) / "a.txt", text=True) as file:
    ...         _ = file.write("whole")
    ...     [(path.name, path.read_text()) for path in Path(folder).iterdir()]
    [('a.txt', 'whole')]
    """
    target = Path(target)
    if not target.parent.is_dir():
        # otherwise the error would name the temporary file
        raise FileNotFoundError(errno.ENOENT, "No such folder to save in", str(target.parent))
    # not by tempfile, whose files only the owner can read
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    how: dict[str, Any] = {"encoding": "utf-8", "newline": "\n"} if text else {}
    try:
        with open(temporary, "x" if text else "xb", **how) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException as reason:
        temporary.unlink(missing_ok=True)
        if is_disk_full(reason):
            words = f"The disk that holds {target.parent.resolve()} is full"
            raise OSError(errno.ENOSPC, words, target.name) from reason
        raise


def is_disk_full(reason: BaseException) -> bool:
    """Tell whether an error means a full disk; NumPy's error has no errno."""
    if not isinstance(reason, OSError):
        return False
    return reason.errno == errno.ENOSPC or "requested and" in str(reason)

"""Re-readable blocks of rows: files, tables, sequences, functions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from annlab._support.checks import check_data, is_dask, is_npy_path, is_sparse, map_npy
from annlab._support.errors import invalid
from annlab.rows.survey import widths


@dataclass(frozen=True)
class Blocks:
    """Blocks of rows that can be read again and again.

    Attributes
    ----------
    open : function
        Returns an iterator over all blocks.
    n, d : int or None
        Rows of all blocks, and columns of the first; None if only reading tells.
    """

    open: Callable[[], Iterator[Any]]
    n: int | None = None
    d: int | None = None


def _is_table(X: Any) -> bool:
    """Whether X looks like a 2-D array that can be read in slices."""
    # the attribute of a class is not a shape
    if isinstance(X, type):
        return False
    return len(getattr(X, "shape", None) or ()) == 2 and hasattr(X, "__getitem__")


def is_mapped(X: Any) -> bool:
    """Tell whether X is a memory-mapped table, or the path of one."""
    return is_npy_path(X) or (isinstance(X, np.memmap) and X.ndim == 2)


def is_in_blocks(X: Any) -> bool:
    """Tell whether X is data that is read in blocks; nothing is read.

    Examples
    --------
    >>> import numpy as np
    >>> from annlab.rows.reading import is_in_blocks
    >>> is_in_blocks([np.zeros((3, 2)), np.ones((4, 2))]), is_in_blocks([[0.0, 0.0], [1.0, 1.0]])
    (True, False)
    """
    if is_mapped(X):
        return True
    if isinstance(X, type) or hasattr(X, "__array__") or is_sparse(X) or is_dask(X):
        # the __array__ of an HDF5 table would read all of it
        return _is_table(X) and getattr(X, "chunks", "none") != "none" and not is_dask(X)
    if isinstance(X, (str, bytes, dict, set, frozenset)) or hasattr(X, "shape"):
        return False
    if callable(X) or hasattr(X, "__next__"):
        return True
    if hasattr(X, "__len__") and hasattr(X, "__getitem__"):
        try:
            return len(X) > 0 and (is_npy_path(X[0]) or _is_table(X[0]))
        except (TypeError, KeyError, IndexError):
            return False
    return hasattr(X, "__iter__")


def open_blocks(X: Any) -> Blocks:
    """Open a memmap, an .npy path, a sequence of arrays or paths, or a function.

    A function returns an iterable of blocks, a fresh one at each call. Raises TypeError or
    ValueError.
    """
    if hasattr(X, "__next__"):
        raise invalid(
            "X",
            "something that can be read again in each iteration",
            f"a {type(X).__name__}, which can be read once",
            "Pass a function that opens it again, such as X=lambda: read_blocks(path), "
            "or a list of the blocks.",
        )
    if is_npy_path(X):
        X = map_npy(X)
        if X.ndim != 2:
            check_data(X)
    if _is_table(X):
        table = _as_block(X, None)
        return Blocks(lambda: iter([table]), *map(int, table.shape))
    if hasattr(X, "__len__"):
        tables = [_as_block(block, number) for number, block in enumerate(X)]
        n = sum(int(table.shape[0]) for table in tables)
        return Blocks(lambda: iter(tables), n, int(tables[0].shape[1]) if tables else 1)
    return Blocks(lambda: _listed(_called(X) if callable(X) else X))


def _listed(blocks: Any) -> Iterator[Any]:
    for number, block in enumerate(blocks):
        yield _as_block(block, number)


def _called(function: Callable[[], Any]) -> Any:
    blocks = function()
    if _is_table(blocks) or not hasattr(blocks, "__iter__"):
        raise invalid(
            "X",
            "a function that returns an iterator over blocks",
            f"one that returned {type(blocks).__name__}",
            "Return a generator, or a list of 2-D arrays.",
            error=TypeError,
        )
    return blocks


def _as_block(block: Any, number: int | None) -> Any:
    """Return a block with shape, dtype and slicing; arrays are unchanged."""
    name = "X" if number is None else f"block {number} of X"
    if is_npy_path(block):
        block = map_npy(block, name)
    if is_sparse(block) or is_dask(block):
        raise invalid(
            name,
            "a dense array",
            f"a {type(block).__name__}",
            "Join the blocks: scipy.sparse.vstack or dask.array.concatenate.",
            error=TypeError,
        )
    kind = getattr(getattr(block, "dtype", None), "kind", "")
    if _is_table(block) and kind in tuple("fiub") and not np.ma.isMaskedArray(block):
        if block.shape[1] < 1:
            check_data(block, name=name)
        return np.asarray(block) if isinstance(block, np.matrix) else block
    return check_data(block, name=name)


def changed(got: str) -> Exception:
    return invalid(
        "X",
        "the same rows each time that it is read",
        got,
        "Pass a function that opens the data at each call and returns a fresh iterator.",
    )


def cut(blocks: Iterator[Any], bounds: Sequence[tuple[int, int]]) -> Iterator[np.ndarray]:
    """Cut consecutive blocks into consecutive chunks, as views if possible.

    Bounds have no gaps and begin at 0. Raises ValueError if there are more or fewer rows.
    """
    block: Any = None
    at = 0
    for start, stop in bounds:
        pieces: list[np.ndarray] = []
        missing = stop - start
        while missing:
            if block is None or at == block.shape[0]:
                block, at = next(blocks, None), 0
                if block is None:
                    raise changed(f"{stop - missing:,} rows where there were {bounds[-1][1]:,}")
                continue
            rows = np.asanyarray(block[at : at + missing])
            pieces.append(rows)
            at += len(rows)
            missing -= len(rows)
        if len({piece.shape[1] for piece in pieces}) > 1:
            raise widths([piece.shape[1] for piece in pieces])
        yield pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
    if (block is not None and at < block.shape[0]) or any(more.shape[0] for more in blocks):
        raise changed(f"more than the {bounds[-1][1]:,} rows that there were")

"""Data in memory, in blocks of a file, or in a Dask collection.

`Rows` is the interface to all of them, and `sweep` its one verb. Nothing outside this folder asks
which kind it is.
"""

from __future__ import annotations

from typing import Any

from annlab._support.checks import check_data, check_sample_weight, is_dask
from annlab._support.errors import invalid
from annlab._support.threads import Workers
from annlab.rows.base import Rows
from annlab.rows.blocks import BlockRows
from annlab.rows.memory import MemoryRows
from annlab.rows.reading import is_in_blocks, is_mapped

__all__ = ["Rows", "is_out_of_core", "open_rows"]


def is_out_of_core(X: Any, *, together: bool = False) -> bool:
    """Tell whether X is read part by part; nothing is read.

    With ``together`` the caller makes a copy of its own, and a mapped file is read like an array.
    """
    return is_dask(X) or (is_in_blocks(X) and not (together and is_mapped(X)))


def open_rows(
    X: Any,
    *,
    metric: str,
    sample_weight: Any,
    workers: Workers,
    together: bool = False,
    remedy: str = "",
) -> Rows:
    """Check data and weights; raise TypeError or ValueError.

    Parameters
    ----------
    X : array-like, sparse matrix, mapped file, blocks, or Dask collection
    metric : {"euclidean", "cosine"}
    sample_weight : array-like of shape (n,), optional
    workers : Workers
    together : bool, default=False
        As in `is_out_of_core`.
    remedy : str, optional
        Refuse data out of core, with this remedy.
    """
    if not is_out_of_core(X, together=together):
        X = check_data(X, accept_sparse=True)
        weights = check_sample_weight(sample_weight, X.shape[0])
        return MemoryRows(X, metric=metric, sample_weight=weights, workers=workers)
    if remedy:
        got = f"a {type(X).__name__}"
        raise invalid("X", "in memory, or a mapped .npy file, here", got, remedy, error=TypeError)
    if is_dask(X):
        from annlab.rows.dask import DaskRows

        return DaskRows(X, metric=metric, sample_weight=sample_weight, workers=workers)
    return BlockRows(X, metric=metric, sample_weight=sample_weight, workers=workers)

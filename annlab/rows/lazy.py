"""Lazy labels and distances of the rows of a Dask collection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from annlab._support.checks import check_data, is_sparse, working_dtype
from annlab._support.errors import invalid, require
from annlab._support.threads import single_threaded_blas
from annlab.distances import from_squared, nearest, pairwise_sq
from annlab.rows.base import short_bounds
from annlab.rows.coordinates import Chunk, Coordinates

if TYPE_CHECKING:
    from dask.array import Array
    from dask.dataframe import DataFrame

#: What `as_array` accepts.
Collection: TypeAlias = "Array | DataFrame"


def as_array(X: Any) -> Array:
    """Turn a Dask array or frame into an array whose partitions hold whole rows.

    Nothing is computed. Raises TypeError or ValueError if it is no table of numbers.
    """
    require("dask.array", purpose="for a Dask collection", extra="dask")
    # looked up in the class, because a Delayed has every attribute
    if hasattr(type(X), "to_dask_array") and hasattr(type(X), "columns"):
        X = X.to_dask_array()
    if not hasattr(type(X), "numblocks"):
        raise invalid(
            "X",
            "a dask.array or a dask.dataframe with rows and columns",
            type(X).__name__,
            "Turn it into one: dask.array.stack or dask.dataframe.from_delayed.",
            error=TypeError,
        )
    if X.ndim != 2:
        check_data(np.empty((1,) * X.ndim if X.ndim else ()))
    if X.dtype.kind not in "fiubO":
        check_data(np.empty((1, 1), dtype=X.dtype))
    if X.shape[1] == 0:
        check_data(np.empty((1, 0)))
    return X if X.numblocks[1] == 1 else X.rechunk({1: -1})


def table_of(raw: object) -> np.ndarray:
    """Return the rows of a partition as an array of numbers."""
    if is_sparse(raw) or not hasattr(raw, "__array__"):
        raise invalid(
            "X",
            "made of dense partitions",
            f"one of {type(raw).__name__}",
            "Turn them into arrays: X.map_blocks(lambda part: part.toarray()).",
            error=TypeError,
        )
    # arrays from another process may be unaligned, which the compiled loops do not take
    table = np.require(raw, requirements="A")
    return check_data(table) if table.dtype.kind == "O" and len(table) else table


def _compared(raw: np.ndarray, centroids: np.ndarray, metric: str) -> tuple[Chunk, np.ndarray]:
    """Return rows of a partition and centroids, in the centroids' coordinates."""
    rows = check_data(table_of(raw), n_features=centroids.shape[1])
    dtype = working_dtype(rows.dtype)
    frame = Coordinates(metric == "cosine", dtype, dtype).around(centroids)
    return frame.chunk(rows), frame.inward(centroids)


def label_part(raw: np.ndarray, centroids: np.ndarray, metric: str) -> np.ndarray:
    """Label the rows of a partition as `KMeansANN.predict` does."""
    if len(table_of(raw)) == 0:
        return np.empty(0, dtype=np.int32)
    with single_threaded_blas():
        chunk, inner = _compared(raw, centroids, metric)
        labels = np.concatenate(
            [
                nearest(chunk.coordinates.load(chunk.raw[a:b]), inner)
                for a, b in short_bounds(len(chunk.raw), max(chunk.raw.shape[1], len(inner)))
            ]
        )
    if chunk.zero is not None:
        labels[chunk.zero] = 0
    return labels


def distance_part(raw: np.ndarray, centroids: np.ndarray, metric: str) -> np.ndarray:
    """Compute distances of a partition's rows to all centroids, (len(raw), k)."""
    table = table_of(raw)
    out = np.empty((len(table), len(centroids)), dtype=working_dtype(table.dtype))
    if len(table) == 0:
        return out
    with single_threaded_blas():
        chunk, inner = _compared(table, centroids, metric)
        wide = inner.astype(np.float64)
        for a, b in short_bounds(len(table), max(len(centroids), table.shape[1])):
            part = chunk.coordinates.load(chunk.raw[a:b]).astype(np.float64)
            out[a:b] = from_squared(pairwise_sq(part, wide), metric)
    if chunk.zero is not None:
        out[chunk.zero] = 1.0
    return out


def lazy_labels(X: Collection, centroids: np.ndarray, *, metric: str) -> Any:
    """Find the nearest centroid of each row: a lazy Dask array (n,), int32.

    Centroids (k, d) are in the caller's coordinates. 2·n·k·d operations each time it is computed.
    """
    array: Any = as_array(X)
    return array.map_blocks(
        label_part, np.asarray(centroids), metric, drop_axis=1, dtype=np.int32,
        meta=np.empty(0, dtype=np.int32),
    )  # fmt: skip


def lazy_distances(X: Collection, centroids: np.ndarray, *, metric: str) -> Any:
    """Compute distances to all centroids: a lazy Dask array of shape (n, k)."""
    array: Any = as_array(X)
    dtype = working_dtype(array.dtype)
    return array.map_blocks(
        distance_part, np.asarray(centroids), metric, dtype=dtype,
        chunks=(array.chunks[0], (len(centroids),)), meta=np.empty((0, 0), dtype=dtype),
    )  # fmt: skip

"""Exact labels, distances and inertia, and an estimate of label recall."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np

from annlab._support.checks import is_sparse, working_dtype
from annlab._support.errors import AnnlabWarning, invalid
from annlab._support.threads import Workers, chunk_bounds
from annlab._support.types import Matrix
from annlab.distances import from_squared, nearest, paired_sq, pairwise_sq, unit_rows
from annlab.fit.searches import Exact
from annlab.rows import Rows, open_rows
from annlab.rows.coordinates import Chunk, Coordinates
from annlab.rows.memory import MemoryRows
from annlab.rows.tally import Tally, inertia_of_rows

#: Points whose labels are checked, and standard errors of a 95 % interval.
_CHECKED = 2000
_Z = 1.96
#: Distances computed at once: 8 MB of float64.
_BLOCK_VALUES = 1 << 20


def warn_zero_rows(rows: Rows, stacklevel: int = 4) -> None:
    """Warn about rows without a direction."""
    if rows.n_zero:
        warnings.warn(
            f"{rows.n_zero} rows of X are all zero and have no direction: "
            "they get label 0. Drop them, or use metric='euclidean'.",
            AnnlabWarning,
            stacklevel=stacklevel,
        )


def open_beside(
    X: Any, centroids: np.ndarray, *, metric: str, workers: Workers, sample_weight: Any = None
) -> Rows:
    """Open rows for one comparison with the caller's centroids (k, d)."""
    rows = open_rows(X, metric=metric, sample_weight=sample_weight, workers=workers)
    if rows.d != centroids.shape[1]:
        raise invalid(
            "X",
            f"an array with {centroids.shape[1]} columns",
            f"shape {(rows.n, rows.d)}",
            "Use the features that the centroids were made from.",
        )
    warn_zero_rows(rows)
    return rows.around(centroids)


def label(rows: Rows, centroids: np.ndarray) -> tuple[Any, Tally]:
    """Label rows exactly and sum them by cluster, in the centroids' coordinates."""
    task = Exact().task(rows, rows.inward(centroids))
    return rows.sweep(replace(task, target=rows.target(centroids)))


def label_rows(X: Matrix, centroids: np.ndarray, *, metric: str, workers: Workers) -> np.ndarray:
    """Find the nearest centroid of each row exactly, independently of other rows.

    Parameters
    ----------
    X : ndarray or CSR of shape (n, d)
        Checked by the caller.
    centroids : ndarray of shape (k, d)
        In the caller's coordinates.
    metric : {"euclidean", "cosine"}
    workers : Workers

    Returns
    -------
    ndarray of shape (n,), int32

    Notes
    -----
    2·n·k·d operations.
    """
    rows = beside(X, centroids, metric=metric, workers=workers)
    warn_zero_rows(rows)
    labels = np.concatenate(
        workers.map(
            Exact().task(rows, rows.inward(centroids)).labels,
            [(chunk,) for _, _, chunk in rows.chunks()],
            work=float(rows.n) * rows.d * len(centroids),
        )
    )
    return np.asarray(labels)


def beside(
    X: Matrix,
    centroids: np.ndarray,
    *,
    metric: str,
    workers: Workers,
    sample_weight: np.ndarray | None = None,
) -> MemoryRows:
    """Transform checked rows in memory into the coordinates of centroids."""
    dtype = working_dtype(X.dtype)
    frame = Coordinates(metric == "cosine", dtype, dtype)
    return MemoryRows(
        X,
        sample_weight=sample_weight,
        workers=workers,
        coordinates=frame.around(centroids, may_shift=not is_sparse(X)),
        once=True,
    )


def distances_to(rows: MemoryRows, centroids: np.ndarray) -> np.ndarray:
    """Compute distances to all centroids, (n, k); exactly 0 for equal rows.

    Notes
    -----
    2·n·k·d operations, in float64.
    """
    k = len(centroids)
    target = rows.inward(centroids).astype(np.float64)
    out = np.empty((rows.n, k), dtype=rows.coordinates.out_dtype)
    bounds = chunk_bounds(rows.n, max(1, _BLOCK_VALUES // max(k, rows.d)))
    step = 4 * rows.workers.n_jobs
    for first in range(0, len(bounds), step):
        some = bounds[first : first + step]
        tasks = [(rows.chunk(a, b), target) for a, b in some]
        for (a, b), block in zip(some, rows.workers.map(_distances, tasks), strict=True):
            out[a:b] = block
    return out


def _distances(chunk: Chunk, centroids: np.ndarray) -> np.ndarray:
    rows = chunk.load().astype(np.float64)
    squared = pairwise_sq(rows, centroids)
    # differences tell a short distance from the rounding error of a zero
    size = 1e-12 * (np.einsum("ij,ij->i", centroids, centroids).max(initial=0.0))
    near = np.nonzero(squared <= size)
    if near[0].size:
        squared[near] = paired_sq(rows[near[0]], centroids, near[1].astype(np.int32))
    out = from_squared(squared, "cosine" if chunk.coordinates.unit else "euclidean")
    if chunk.zero is not None:
        out[chunk.zero] = 1.0
    return out


def recall_of(
    rows: Rows, labels: np.ndarray, centroids: np.ndarray, rng: np.random.RandomState
) -> tuple[float, tuple[float, float]]:
    """Estimate the share of exact labels from 2,000 points: 2·2,000·k·d operations.

    Centroids (k, d) are in working coordinates.

    Returns
    -------
    share : float
        A label counts as exact if its centroid is as near as the nearest, to seven digits.
    interval : tuple of float
        Wilson's interval of 95 % (Wilson 1927, doi 10.1080/01621459.1927.10502953); the share
        twice if all points were checked.
    """
    size = min(rows.n, _CHECKED)
    chosen = np.arange(rows.n) if size == rows.n else rng.choice(rows.n, size, replace=False)
    right = 0
    # sparse rows become dense: some at a time; looking up rows in blocks takes a pass
    for a, b in chunk_bounds(size, 256 if rows.sparse else size):
        taken = rows.take(chosen[a:b])
        tasks = [
            (taken[i:j], labels[chosen[a + i : a + j]], centroids)
            for i, j in chunk_bounds(b - a, 256)
        ]
        right += int(sum(rows.workers.map(_count_right, tasks)))
    share = right / size
    if size == rows.n:
        return share, (share, share)
    spread = _Z * np.sqrt(share * (1 - share) / size + (_Z / (2 * size)) ** 2)
    middle, scale = share + _Z**2 / (2 * size), 1 + _Z**2 / size
    return share, (float((middle - spread) / scale), float(min(1.0, (middle + spread) / scale)))


def _count_right(rows: np.ndarray, labels: np.ndarray, centroids: np.ndarray) -> int:
    least = paired_sq(rows, centroids, nearest(rows, centroids))
    got = paired_sq(rows, centroids, labels)
    return int(np.count_nonzero(got <= least * (1 + 1e-7)))


def exact_inertia(
    X: Matrix,
    centroids: np.ndarray,
    labels: np.ndarray,
    metric: str,
    weights: np.ndarray | None,
    workers: Workers,
) -> float:
    """Compute Σ w ‖x − c‖² in float64, without rows of label −1: 3·n·d operations.

    Centroids are in the caller's coordinates. For cosine both sides are scaled to length 1 first.
    """
    rows = max(256, (1 << 18) // max(X.shape[1], 1))
    target, unit = centroids.astype(np.float64), metric == "cosine"
    if unit:
        target = unit_rows(target)[0]
    tasks = [
        (X[a:b], target, labels[a:b], None if weights is None else weights[a:b], unit)
        for a, b in chunk_bounds(X.shape[0], rows)
    ]
    work = 8.0 * X.shape[0] * X.shape[1]
    return float(sum(workers.map(inertia_of_rows, tasks, work=work)))

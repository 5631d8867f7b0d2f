"""Points in the layout of the compiled loops, and passes of graph fits."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from annlab._kernels import loops
from annlab._support.threads import Workers, chunk_bounds
from annlab.distances import decide, rivals, uncertain
from annlab.fit.lloyd import cluster_means
from annlab.fit.searches import half_norms
from annlab.rows.memory import MemoryRows

#: Values of a chunk of rows: 2 MB of float32. A chunk's bounds depend on the data alone.
VALUES = 1 << 19
#: Products of a task: about 0.1 s, which bounds the delay of Ctrl-C.
PRODUCTS = 1 << 32


@dataclass
class Cloud:
    """Contiguous points with their norms.

    Attributes
    ----------
    X : ndarray of shape (n, d)
    norms : ndarray of shape (n,)
        ‖x‖².
    weights : ndarray of shape (n,), or empty if every point weighs 1
    workers : Workers
    """

    X: np.ndarray
    norms: np.ndarray
    weights: np.ndarray
    workers: Workers

    @classmethod
    def of(cls, rows: MemoryRows) -> Cloud:
        """Make a cloud of rows in working coordinates, in their own order."""
        X = np.ascontiguousarray(rows.load(0, rows.n))
        return cls(X, np.einsum("ij,ij->i", X, X), scaled_weights(rows), rows.workers)

    @classmethod
    def reordered(cls, rows: MemoryRows, order: np.ndarray) -> Cloud:
        """Return the rows in the given order: one copy of the data."""
        X = np.empty((rows.n, rows.d), dtype=rows.dtype)
        norms = np.empty(rows.n, dtype=rows.dtype)

        def fill(start: int, stop: int) -> None:
            part = X[start:stop] = rows.take(order[start:stop])
            norms[start:stop] = np.einsum("ij,ij->i", part, part)

        rows.workers.map(fill, chunk_bounds(rows.n, max(512, VALUES // rows.d)))
        weights = scaled_weights(rows)
        return cls(X, norms, weights[order] if len(weights) > 0 else weights, rows.workers)


def scaled_weights(rows: MemoryRows) -> np.ndarray:
    """Return weights in the data's dtype, at most 1; empty if all weigh 1."""
    weights = rows.sample_weight
    if weights is None:
        return np.empty(0, dtype=rows.dtype)
    return (weights / rows.heaviest).astype(rows.dtype)


def weighed(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return values times weights (which may be empty), in float64."""
    wide = values.astype(np.float64)
    return wide * weights if len(weights) > 0 else wide


def sort_by(keys: np.ndarray, n_keys: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the stable order of int32 keys, and where each key begins."""
    order = np.empty(len(keys), dtype=np.int32)
    starts = np.empty(n_keys + 1, dtype=np.int64)
    loops.counting_sort(keys, order, starts)
    return order, starts


def even_cuts(starts: np.ndarray, pieces: int = 64) -> list[tuple[int, int]]:
    """Cut blocks into runs of similar size, independently of the threads."""
    n_blocks, n = len(starts) - 1, int(starts[-1])
    if pieces == 1 or n_blocks == 1:
        return [(0, n_blocks)]
    marks = np.searchsorted(starts, np.arange(1, pieces) * (n / pieces))
    edges = np.unique(np.concatenate([[0], np.clip(marks, 0, n_blocks), [n_blocks]]))
    return [(a, b) for a, b in pairwise(edges.tolist())]


def pieces(values: int) -> int:
    """Return the number of tasks for a pass over that many values."""
    return min(64, max(1, values >> 16))


@dataclass
class Nearby:
    """The two nearest centroids of each point.

    Attributes
    ----------
    labels, second : ndarrays of shape (n,), int32
    d1, d2 : ndarrays of shape (n,)
        Their squared distances; ``d2`` is infinite if there is one centroid only.
    n_distances : int
    """

    labels: np.ndarray
    second: np.ndarray
    d1: np.ndarray
    d2: np.ndarray
    n_distances: int

    @classmethod
    def empty(cls, n: int, dtype: np.dtype) -> Nearby:
        return cls(
            np.empty(n, np.int32), np.empty(n, np.int32), np.empty(n, dtype), np.empty(n, dtype), 0
        )


def assign_blocks(
    cloud: Cloud,
    centroids: np.ndarray,
    order: np.ndarray,
    starts: np.ndarray,
    candidates: np.ndarray,
    counts: np.ndarray,
    tasks: int = 1,
) -> Nearby:
    """Find the two nearest of the candidates that the points of each block share.

    Parameters
    ----------
    cloud : Cloud
    centroids : ndarray of shape (k, d)
    order, starts : ndarrays of shape (n,), int32, and (n_blocks + 1,), int64
        Points block by block, and where each block begins.
    candidates, counts : ndarrays of shape (n_blocks, width) and (n_blocks,), int32
        Ascending; the first ``counts[b]`` count.
    tasks : int, default=1
        Pieces that the work is cut into.

    Notes
    -----
    2·n·width·d operations. Near-ties are decided by the rule of `annlab.distances`.
    """
    found = Nearby.empty(len(order), cloud.X.dtype)
    halves = half_norms(centroids)

    def run(lo: int, hi: int) -> None:
        loops.assign_blocks(
            cloud.X, cloud.norms, order, starts, candidates, counts, centroids, halves, lo, hi,
            found.labels, found.second, found.d1, found.d2,
        )  # fmt: skip

    cloud.workers.map(run, even_cuts(starts, tasks))
    close = uncertain(found.d1, found.d2, 2.0 * halves, cloud.X.shape[1])
    # a single candidate has no rival
    close = close[found.d2[close] < np.inf]
    if not close.size:
        return found
    block = np.empty(len(order), dtype=np.int32)
    block[order] = np.repeat(np.arange(len(counts), dtype=np.int32), np.diff(starts))
    grouped, firsts = sort_by(block[close], len(counts))
    grouped = close[grouped]

    def settle(lo: int, hi: int) -> None:
        for b in range(lo, hi):
            places = grouped[firsts[b] : firsts[b + 1]]
            if not len(places):
                continue
            listed = candidates[b, : counts[b]]
            rows, near = cloud.X[places], centroids[listed]
            # a product leaves two or three candidates, which are compared by differences
            pairs, columns = rivals(rows, near, 2.0 * halves[listed])
            nearest = listed[decide(rows, near, pairs, columns)]
            changed = nearest != found.labels[places]
            places = places[changed]
            found.second[places] = found.labels[places]
            found.labels[places] = nearest[changed]

    cloud.workers.map(
        settle, even_cuts(firsts), work=len(close) * candidates.shape[1] * len(centroids)
    )
    return found


def assign_all(rows: MemoryRows, centroids: np.ndarray) -> Nearby:
    """Compare all points with all centroids of shape (k, d): 2·n·k·d operations."""
    n, (k, d) = rows.n, centroids.shape
    one_block = np.arange(k, dtype=np.int32)[None], np.array([k], dtype=np.int32)

    def chunk(start: int, stop: int) -> Nearby:
        X = rows.load(start, stop)
        norms = np.einsum("ij,ij->i", X, X)
        order = np.arange(len(X), dtype=np.int32)
        cloud = Cloud(X, norms, norms[:0], rows.workers)
        found = assign_blocks(cloud, centroids, order, np.array([0, len(X)]), *one_block)
        found.n_distances = len(X) * k
        return found

    rows_each = max(512, min(VALUES // d, PRODUCTS // (k * d), max(2048, n // 16)))
    parts = rows.workers.map(chunk, chunk_bounds(n, rows_each), work=n * k * d)
    if len(parts) == 1:
        return parts[0]
    return Nearby(
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.second for part in parts]),
        np.concatenate([part.d1 for part in parts]),
        np.concatenate([part.d2 for part in parts]),
        n * k,
    )


def sums_of(cloud: Cloud, labels: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return sum (k, d) and weight (k,) of each cluster's points, in float64."""
    order, starts = sort_by(labels, k)
    sums = np.empty((k, cloud.X.shape[1]))
    mass = np.empty(k)

    def run(lo: int, hi: int) -> None:
        loops.cluster_sums(cloud.X, cloud.weights, order, starts, lo, hi, sums, mass)

    cloud.workers.map(run, even_cuts(starts, pieces(cloud.X.size)))
    return sums, mass


def means_of(cloud: Cloud, labels: np.ndarray, centroids: np.ndarray, *, unit: bool) -> np.ndarray:
    """Return cluster means, unit ones if ``unit``; empty clusters keep theirs."""
    sums, mass = sums_of(cloud, labels, len(centroids))
    return cluster_means(sums, mass, centroids, unit=unit).astype(centroids.dtype)

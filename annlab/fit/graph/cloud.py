"""Points as the compiled loops want them, and what every stage of a graph fit does with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from annlab._support.threads import Workers, chunk_bounds
from annlab.distances import decide, rivals, uncertain
from annlab.fit.lloyd import cluster_means
from annlab.fit.searches import half_norms
from annlab.rows.memory import MemoryRows

#: Values of a chunk of rows: 2 MB of float32. A chunk's bounds depend on the data alone.
VALUES = 1 << 19
#: Products of a task: about 0.1 s, so that Ctrl-C is soon heard.
PRODUCTS = 1 << 32


@dataclass
class Cloud:
    """Points as the kernels want them: contiguous, with norms, and the loops for their type.

    Attributes
    ----------
    X : ndarray of shape (n, d)
    norms : ndarray of shape (n,)
        ‖x‖².
    weights : ndarray of shape (n,), or empty where every point weighs 1
    workers : Workers
    kernels : module
        `annlab._kernels.loops`, or those in NumPy.
    """

    X: np.ndarray
    norms: np.ndarray
    weights: np.ndarray
    workers: Workers
    kernels: Any

    @classmethod
    def of(cls, rows: MemoryRows, kernels: Any) -> Cloud:
        """Rows in working coordinates, in their own order."""
        X = np.ascontiguousarray(rows.take(np.arange(rows.n)))
        norms = np.einsum("ij,ij->i", X, X)
        return cls(X, norms, scaled_weights(rows), rows.workers, kernels)

    def weighed(self, values: np.ndarray) -> np.ndarray:
        """``values`` times the weights, in float64."""
        wide = values.astype(np.float64)
        return wide * self.weights if len(self.weights) > 0 else wide


def scaled_weights(rows: MemoryRows) -> np.ndarray:
    """Weights in the type of the data, at most 1; empty where every point weighs 1."""
    weights = rows.sample_weight
    if weights is None or rows.heaviest <= 0:
        return np.empty(0, dtype=rows.dtype)
    return (weights / rows.heaviest).astype(rows.dtype)


def sort_by(kernels: Any, keys: np.ndarray, n_keys: int) -> tuple[np.ndarray, np.ndarray]:
    """Stable order (n,), int32, of int32 keys, and where each key begins (n_keys + 1,), int64."""
    order = np.empty(len(keys), dtype=np.int32)
    starts = np.empty(n_keys + 1, dtype=np.int64)
    kernels.counting_sort(keys, order, starts)
    return order, starts


def even_cuts(starts: np.ndarray, pieces: int = 64) -> list[tuple[int, int]]:
    """Cut blocks into runs of about equally many points; the same for every thread count."""
    n_blocks, n = len(starts) - 1, int(starts[-1])
    marks = np.searchsorted(starts, np.arange(1, pieces) * (n / pieces))
    edges = np.unique(np.concatenate([[0], np.clip(marks, 0, n_blocks), [n_blocks]]))
    return [(a, b) for a, b in pairwise(edges.tolist())]


def pieces(values: int) -> int:
    """Into how many tasks to cut a pass over so many values: one where it is over in no time."""
    return min(64, max(1, values >> 16))


@dataclass
class Nearby:
    """What a restricted assignment finds, per point.

    Attributes
    ----------
    labels, second : ndarrays of shape (n,), int32
    d1, d2 : ndarrays of shape (n,)
        Squared distances to the two; ``d2`` is infinite where there is one centroid only.
    n_distances : int
    """

    labels: np.ndarray
    second: np.ndarray
    d1: np.ndarray
    d2: np.ndarray
    n_distances: int

    def rename(self, places: np.ndarray, nearest: np.ndarray) -> None:
        """Note what the tie rule has decided for some points; the distances are as good."""
        changed = nearest != self.labels[places]
        places = places[changed]
        self.second[places] = self.labels[places]
        self.labels[places] = nearest[changed]

    @classmethod
    def empty(cls, n: int, dtype: np.dtype) -> Nearby:
        return cls(
            np.empty(n, np.int32), np.empty(n, np.int32), np.empty(n, dtype), np.empty(n, dtype), 0
        )


def assign_blocks(
    cloud: Cloud,
    centroids: np.ndarray,
    halves: np.ndarray,
    order: np.ndarray,
    starts: np.ndarray,
    candidates: np.ndarray,
    counts: np.ndarray,
    tasks: int = 1,
) -> Nearby:
    """Two nearest of the candidates that the points of each block share.

    Parameters
    ----------
    cloud : Cloud
    centroids, halves : ndarrays of shape (k, d) and (k,)
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

    def run(lo: int, hi: int) -> None:
        cloud.kernels.assign_blocks(
            cloud.X, cloud.norms, order, starts, candidates, counts, centroids, halves, lo, hi,
            found.labels, found.second, found.d1, found.d2,
        )  # fmt: skip

    cloud.workers.map(run, even_cuts(starts, tasks))
    close = uncertain(found.d1, found.d2, 2.0 * halves, cloud.X.shape[1])
    # one candidate alone has no rival
    close = close[found.d2[close] < np.inf]
    if close.size:
        block = np.empty(len(order), dtype=np.int32)
        block[order] = np.repeat(np.arange(len(counts), dtype=np.int32), np.diff(starts))
        _settle(cloud, centroids, 2.0 * halves, candidates, counts, found, close, block[close])
    return found


def _settle(
    cloud: Cloud,
    centroids: np.ndarray,
    norms: np.ndarray,
    candidates: np.ndarray,
    counts: np.ndarray,
    found: Nearby,
    close: np.ndarray,
    block: np.ndarray,
) -> None:
    """Decide the points ``close`` by the tie rule, each among the candidates of its block.

    A product with the candidates leaves two or three of them, whose distances are then taken by
    differences.
    """
    places, starts = sort_by(cloud.kernels, block, len(counts))
    places = close[places]

    def run(lo: int, hi: int) -> None:
        for b in range(lo, hi):
            some = places[starts[b] : starts[b + 1]]
            if not len(some):
                continue
            listed = candidates[b, : counts[b]]
            rows, near = cloud.X[some], centroids[listed]
            pairs, columns = rivals(rows, near, norms[listed])
            found.rename(some, listed[decide(rows, near, pairs, columns)])

    cloud.workers.map(run, even_cuts(starts), work=len(close) * candidates.shape[1] * len(norms))


def assign_all(
    load: Callable[[int, int], np.ndarray],
    n: int,
    kernels: Any,
    workers: Workers,
    centroids: np.ndarray,
) -> tuple[Nearby, np.ndarray]:
    """Compare all points with all centroids.

    Parameters
    ----------
    load : callable
        ``load(start, stop)`` gives rows in working coordinates.
    n : int
    kernels : module
    workers : Workers
    centroids : ndarray of shape (k, d)

    Returns
    -------
    found : Nearby
    norms : ndarray of shape (n,)
        ‖x‖² of the points.

    Notes
    -----
    2·n·k·d operations.
    """
    halves = half_norms(centroids)

    def chunk(start: int, stop: int) -> tuple[Nearby, np.ndarray]:
        rows = load(start, stop)
        norms = np.einsum("ij,ij->i", rows, rows)
        cloud = Cloud(rows, norms, norms[:0], workers, kernels)
        order = np.arange(len(rows), dtype=np.int32)
        found = assign_blocks(cloud, centroids, halves, order, np.array([0, len(rows)]), *one_block)
        return found, norms

    k, d = centroids.shape
    one_block = np.arange(k, dtype=np.int32)[None], np.array([k], dtype=np.int32)
    rows_each = max(512, min(VALUES // d, PRODUCTS // (k * d), max(2048, n // 16)))
    parts = workers.map(chunk, chunk_bounds(n, rows_each), work=n * k * d)
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part, _ in parts])
        for name in ("labels", "second", "d1", "d2")
    }
    found = Nearby(**columns, n_distances=n * len(centroids))
    return found, np.concatenate([norms for _, norms in parts])


def times(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    return values * weights if len(weights) > 0 else values


def reordered(
    gather: Callable[[np.ndarray], np.ndarray],
    order: np.ndarray,
    norms: np.ndarray,
    weights: np.ndarray,
    kernels: Any,
    workers: Workers,
) -> Cloud:
    """The points in the given order, as a `Cloud`: one copy of the data."""
    first = gather(order[:1])
    bounds = chunk_bounds(len(order), max(512, VALUES // first.shape[1]))
    X = np.empty((len(order), first.shape[1]), dtype=first.dtype)

    def fill(start: int, stop: int) -> None:
        X[start:stop] = gather(order[start:stop])

    workers.map(fill, bounds)
    own = weights[order] if len(weights) > 0 else weights
    return Cloud(X, norms[order], own, workers, kernels)


def sums_of(cloud: Cloud, labels: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Sum (k, d) and weight (k,) of each cluster's points, in float64."""
    order, starts = sort_by(cloud.kernels, labels, k)
    sums = np.empty((k, cloud.X.shape[1]))
    mass = np.empty(k)

    def run(lo: int, hi: int) -> None:
        cloud.kernels.cluster_sums(cloud.X, cloud.weights, order, starts, lo, hi, sums, mass)

    cloud.workers.map(run, even_cuts(starts, pieces(cloud.X.size)))
    return sums, mass


def means_of(cloud: Cloud, labels: np.ndarray, centroids: np.ndarray, *, unit: bool) -> np.ndarray:
    """Means of the clusters; an empty cluster keeps its centroid. ``unit``: scaled to length 1."""
    sums, mass = sums_of(cloud, labels, len(centroids))
    return cluster_means(sums, mass, centroids, unit=unit).astype(centroids.dtype)

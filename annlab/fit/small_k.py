"""k-means at small k: one fused pass an iteration, most iterations on a sample.

At small k an iteration reads all of X and computes little, so what counts is the number of passes.
Three things save them:

1. One pass does it all: distances, nearest centroid, sums (`assign_fused`).
2. Seeding and most iterations happen on nested samples; all points come in last
   (`grow_by_samples`).
3. Over-relaxed updates with momentum get there in about half the steps; the last update is a
   plain one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from annlab import _kernels_numpy
from annlab._support.threads import Workers, chunk_bounds
from annlab.distances import nearest, same_total, uncertain, unit_means
from annlab.fit.graph.cloud import Cloud, assign_all, half_norms, means_of, scaled_weights
from annlab.fit.graph.relocation import relocate
from annlab.fit.graph.tree import Tree, grow, plant_tree
from annlab.fit.momentum import Momentum
from annlab.fit.searches import Assigner, Assignment, cluster_means, finish
from annlab.rows.memory import Points
from annlab.rows.sample import stratified

#: Finish when an iteration gains less than ``GAIN * tol``.
GAIN = 4.0
#: Products of a pass up to which the fit ends as Lloyd's algorithm does, by ``tol``.
_TINY = 1 << 21
#: Each chunk has sums of its own: beyond this many values in all there are fewer chunks.
_MOST_SUMS = 1 << 22
#: A sample starts with this many points for each cluster, and not fewer than `_LEAST_SAMPLE`.
_PER_CLUSTER = 32
_LEAST_SAMPLE = 2048
#: Each sample is this many times larger than the one before.
_GROWTH = 4
#: From so many clusters on, with so many points for each, the seeds come from a tree.
_TREE_FROM, _PER_LEAF = 128, 8


def _bounds(n: int, k: int, d: int) -> list[tuple[int, int]]:
    """Chunks of a fused pass: one for little work, 16 for more; they depend on n, k, d alone."""
    # where 16 pieces would be long ones, there are more: Ctrl-C is to be heard soon
    most = max(16, n * k * d >> 32)
    pieces = min(most, max(1, n * k * d >> 21), max(1, n // 768), max(4, _MOST_SUMS // (k * d)))
    # a fifth piece would be alone, on the threads of most machines
    pieces -= pieces % 4 if pieces > 4 else 0
    return chunk_bounds(n, -(-n // pieces))


@dataclass
class Pass:
    """What one fused pass finds.

    Attributes
    ----------
    labels, d1 : ndarrays of shape (n,)
        Nearest centroid and its squared distance.
    sums, totals : ndarrays of shape (k, d) and (k,), float64
    inertia : float
    """

    labels: np.ndarray
    d1: np.ndarray
    sums: np.ndarray
    totals: np.ndarray
    inertia: float


def fused_pass(
    source: Any,
    n: int,
    shift: np.ndarray,
    weights: np.ndarray,
    centroids: np.ndarray,
    kernels: Any,
    workers: Workers,
) -> Pass:
    """Label all points and sum them by cluster.

    Parameters
    ----------
    source : ndarray of shape (n, d), or callable
        The rows, or ``source(start, stop)`` that gives some.
    n : int
    shift : ndarray of shape (d,)
        Taken from the rows first.
    weights : ndarray of shape (n,) or (0,)
    centroids : ndarray of shape (k, d)
    kernels : module
    workers : Workers

    Notes
    -----
    2·n·k·d operations, one read of X.
    """
    k, d = centroids.shape
    labels = np.empty(n, dtype=np.int32)
    d1 = np.empty(n, dtype=centroids.dtype)
    halves = half_norms(centroids)

    def chunk(start: int, stop: int) -> tuple[float, np.ndarray, np.ndarray]:
        sums, totals = np.zeros((k, d)), np.zeros(k)
        rows = source(start, stop) if callable(source) else source[start:stop]
        own = weights[start:stop] if len(weights) > 0 else weights
        inertia = label_and_sum(
            rows, shift, own, centroids, halves, kernels, labels[start:stop], d1[start:stop], sums,
            totals,
        )  # fmt: skip
        return inertia, sums, totals

    parts = workers.map(chunk, _bounds(n, k, d))
    inertia, sums, totals = 0.0, parts[0][1], parts[0][2]
    for number, (value, more, mass) in enumerate(parts):
        inertia += value
        if number:
            sums += more
            totals += mass
    return Pass(labels, d1, sums, totals, inertia)


def label_and_sum(
    rows: np.ndarray,
    shift: np.ndarray,
    weights: np.ndarray,
    centroids: np.ndarray,
    halves: np.ndarray,
    kernels: Any,
    labels: np.ndarray,
    d1: np.ndarray,
    sums: np.ndarray,
    totals: np.ndarray,
) -> float:
    """Label some rows and add them up by cluster; near-ties by the rule of `annlab.distances`.

    Parameters
    ----------
    rows, weights : ndarrays of shape (m, d) and (m,) or (0,)
    shift : ndarray of shape (d,)
        Taken from the rows first.
    centroids, halves : ndarrays of shape (k, d) and (k,)
    kernels : module
    labels, d1 : ndarrays of shape (m,), written
    sums, totals : ndarrays of shape (k, d) and (k,), float64, added to

    Returns
    -------
    float
        Σ w · d1.
    """
    m, (k, d) = len(rows), centroids.shape
    d2 = np.empty_like(d1)
    inertia = float(
        kernels.assign_fused(
            rows, shift, weights, centroids, halves, 0, m, labels, d1, d2, sums, totals
        )
    )
    close = uncertain(d1, d2, 2.0 * halves, d)
    if k == 1 or not close.size:
        return inertia
    own = rows[close] - shift
    chosen = nearest(own, centroids)
    changed = chosen != labels[close]
    if changed.any():
        places, old, new = close[changed], labels[close[changed]], chosen[changed]
        moved = own[changed].astype(np.float64)
        if len(weights) > 0:
            moved *= weights[places, None]
        np.subtract.at(sums, old, moved)
        np.add.at(sums, new, moved)
        labels[places] = new
        # counted again: a difference of weights would leave a trace in an emptied cluster
        totals[:] = np.bincount(labels, weights=weights if len(weights) > 0 else None, minlength=k)
        sums[totals == 0] = 0.0
    return inertia


def _seed(
    X: np.ndarray,
    weights: np.ndarray,
    n_clusters: int,
    kernels: Any,
    workers: Workers,
    rng: np.random.RandomState,
    unit: bool,
) -> tuple[np.ndarray, int]:
    """Seeds and relocation on a small sample; the best of a few tries where k is small.

    The seeds come from D² sampling; where k is larger, which makes that the longest part of a
    fit, from a tree.
    """
    cloud = Cloud(X, np.einsum("ij,ij->i", X, X), weights, workers, kernels)
    whole = np.array([0, len(X)])
    best, least, work = None, np.inf, 0
    tries = 2 if n_clusters <= 20 else 1

    def load(start: int, stop: int) -> np.ndarray:
        return X[start:stop]

    for _ in range(tries):
        if n_clusters < _TREE_FROM or len(X) < _PER_LEAF * n_clusters:
            uniforms = rng.uniform(size=n_clusters)
            rounds = min(n_clusters, 32)
            centroids, _ = grow(cloud, whole, np.array([n_clusters]), rounds, 1, uniforms)
        else:
            tree = plant_tree(
                load, X.__getitem__, len(X), weights, n_clusters, kernels, workers, rng
            )
            assert isinstance(tree, Tree), "it was not allowed to give up"
            centroids, work = tree.centroids, work + tree.n_distances
        for turn in range(3):
            found, _ = assign_all(load, len(X), kernels, workers, centroids)
            work += len(X) * n_clusters
            labels = found.labels
            if turn < 2:
                labels, _ = relocate(cloud, found, n_clusters, share=0.3)
            centroids = means_of(cloud, labels, centroids, unit=unit)
        inertia = float(cloud.weighed(found.d1).sum())
        # a try that ends in the same clusters in another order is not better
        if best is None or same_total(inertia, X.dtype) < least:
            best, least = centroids, inertia
    assert best is not None, "there is at least one try"
    return best, work


def grow_by_samples(
    gather: Any,
    n: int,
    weights: np.ndarray,
    n_clusters: int,
    kernels: Any,
    workers: Workers,
    rng: np.random.RandomState,
    *,
    unit: bool = False,
    min_gain: float = 1e-3,
    most: int = 40,
) -> tuple[np.ndarray, int, int]:
    """Seed on a small sample and iterate on nested, growing ones.

    Parameters
    ----------
    gather : callable
        ``gather(indices)`` gives rows in working coordinates.
    n : int
    weights : ndarray of shape (n,) or (0,)
    n_clusters : int
    kernels : module
    workers : Workers
    rng : RandomState
    unit : bool, default=False
        Scale centroids to length 1.
    min_gain : float, default=1e-3
        Leave a sample when an iteration lowers its inertia by less than this share.
    most : int, default=40
        Iterations on one sample at most.

    Returns
    -------
    centroids : ndarray of shape (k, d)
    n_distances : int
    n_iter : int
        Iterations on samples, those of the seeding left out.

    Notes
    -----
    The samples are nested: each holds every fourth point of the next. On the first, clusters
    are relocated (`annlab.fit.graph.relocation`), which mends a seeding that left a group of points
    without a centroid.
    """
    sizes = [min(n, max(_LEAST_SAMPLE, _PER_CLUSTER * n_clusters))]
    while sizes[-1] * _GROWTH <= n // 8:
        sizes.append(sizes[-1] * _GROWTH)
    largest = stratified(n, sizes[-1], rng)
    rows = gather(largest)
    own = weights[largest] if len(weights) > 0 else weights
    no_shift = np.zeros(rows.shape[1], dtype=rows.dtype)
    centroids, work, n_iter = rows[:0], 0, 0
    for level in range(len(sizes)):
        stride = _GROWTH ** (len(sizes) - 1 - level)
        X = np.ascontiguousarray(rows[::stride])
        w = np.ascontiguousarray(own[::stride]) if len(own) > 0 else own
        if level == 0:
            centroids, work = _seed(X, w, n_clusters, kernels, workers, rng, unit)
        last, momentum = np.inf, Momentum(1.5, 0.6)
        for _ in range(most):
            found = fused_pass(X, len(X), no_shift, w, centroids, kernels, workers)
            work += len(X) * n_clusters
            n_iter += 1
            done = not found.inertia < (1.0 - min_gain) * last
            if done:
                new = cluster_means(found.sums, found.totals, centroids)
            else:
                radius_sq = float(found.d1.mean())
                new = momentum.step(found.sums, found.totals, centroids, radius_sq)
            if unit:
                new = unit_means(new, centroids)
            centroids = new.astype(rows.dtype)
            last = found.inertia
            if done:
                break
    return centroids, work, n_iter


class FusedAssigner(Assigner):
    """Every point against every centroid in one fused pass, with a start of its own.

    Parameters
    ----------
    points : Points
    kernels : module
        Compiled loops or their NumPy twins.
    tol : float, default=1e-4
        With its own start: finish when an iteration lowers the inertia by less than this share.
    max_iter : int, optional
        The iteration that must not be over-relaxed, because it is the last.

    Notes
    -----
    2·n·k·d operations an iteration, one read of X.
    """

    name = "small_k"
    exact = True
    #: What ``algorithm_params`` may set.
    params = ()

    def __init__(
        self,
        points: Points,
        kernels: Any,
        *,
        tol: float = 1e-4,
        max_iter: int | None = None,
    ) -> None:
        self.points = points
        self.min_gain = GAIN * tol
        self._max_iter = max_iter
        self._kernels = kernels
        self.compiled = kernels is not _kernels_numpy
        self._weights, self._scale = scaled_weights(points)
        self._relaxed = False
        self._momentum = Momentum(1.5, 0.6)
        self._last = np.inf
        self._round = 0
        self._start_work = 0
        X = points.X
        plain = points.metric == "euclidean" and not points.sparse and X.dtype == points.dtype
        if plain and X.flags.c_contiguous:
            self._source: Any = X
            shift = points.shift if points.shift is not None else np.zeros(points.d)
            self._shift = shift.astype(points.dtype)
        else:
            self._source = self._load
            self._shift = np.zeros(points.d, dtype=points.dtype)

    def _load(self, start: int, stop: int) -> np.ndarray:
        return np.ascontiguousarray(self.points.piece(start, stop).load())

    def start(self, n_clusters: int, rng: np.random.RandomState) -> np.ndarray:
        """Seed and iterate on samples.

        Returns
        -------
        ndarray of shape (k, d), working coordinates
        """
        return self.start_on(self.points, n_clusters, rng)

    def start_on(self, points: Points, n_clusters: int, rng: np.random.RandomState) -> np.ndarray:
        """`start` that draws its samples from some of the points, in the same coordinates."""
        # where a pass takes no time, plain steps to the end are the better ending
        self._relaxed = self.points.n * n_clusters * points.d > _TINY
        self._momentum = Momentum(1.5, 0.6)
        self._last, self._round = np.inf, 0
        weights = self._weights if points is self.points else scaled_weights(points)[0]
        centroids, self._start_work, n_iter = grow_by_samples(
            points.rows, points.n, weights, n_clusters, self._kernels, points.workers, rng,
            unit=points.metric == "cosine", min_gain=max(1e-3, self.min_gain),
        )  # fmt: skip
        # n_iter of a result counts what goes over all points: where that is 1, this says why
        self.begun = f"started with {n_iter} iterations on samples, which n_iter does not count"
        return centroids

    def state(self) -> dict[str, Any]:
        names = ("relaxed", "last", "round", "start_work")
        return self._momentum.state() | {name: getattr(self, f"_{name}") for name in names}

    def restore(self, state: dict[str, Any], labels: np.ndarray | None, n_clusters: int) -> None:
        self._momentum = Momentum(1.5, 0.6)
        self._relaxed, self._last, self._round, self._start_work = False, np.inf, 0, 0
        if state:
            self._momentum.restore(state, (n_clusters, self.points.d))
            self._relaxed, self._last = bool(state["relaxed"]), float(state["last"])
            self._round, self._start_work = int(state["round"]), int(state["start_work"])

    def assign(self, centroids: np.ndarray, previous: np.ndarray | None) -> Assignment:
        points, k = self.points, len(centroids)
        found = fused_pass(
            self._source, points.n, self._shift, self._weights, centroids, self._kernels,
            points.workers,
        )  # fmt: skip
        base = finish(points, found.labels, found.d1, points.n * k + self.take_start_work())
        totals = found.totals
        kind, sums, finished = self.next_step(
            found.sums, totals, found.inertia, found.d1.mean, centroids
        )
        if self._scale != 1.0:
            sums, totals = sums * self._scale, totals * self._scale
        return replace(base, kind=kind, sums=sums, totals=totals, finished=finished)

    def take_start_work(self) -> int:
        """Distances that the start took, if nobody has counted them yet."""
        work, self._start_work = self._start_work, 0
        return work

    def next_step(
        self,
        sums: np.ndarray,
        totals: np.ndarray,
        inertia: float,
        mean_sq: Callable[[], Any],
        centroids: np.ndarray,
    ) -> tuple[str, np.ndarray, bool]:
        """Decide where the centroids go after a pass: to the means, or beyond them.

        Parameters
        ----------
        sums, totals : ndarrays of shape (k, d) and (k,), float64
        inertia : float
        mean_sq : function
            Gives the mean squared distance of a point to its centroid.
        centroids : ndarray of shape (k, d)

        Returns
        -------
        kind : str
        sums : ndarray of shape (k, d), float64
            Over ``totals``, that is where they go.
        finished : bool
        """
        self._round += 1
        small = not inertia < (1.0 - self.min_gain) * self._last
        self._last = inertia
        if self._relaxed and (small or self._round == self._max_iter):
            # from here on plain steps: the first that gains little is the last
            self._relaxed = False
            return "lloyd", sums, True
        if not self._relaxed:
            return "lloyd", sums, False
        moved = self._momentum.step(sums, totals, centroids, float(mean_sq()))
        moved *= totals[:, None]
        return "relaxed", moved, False

    def again(self, points: Points) -> Assigner:
        """The same way to assign, on other coordinates."""
        return FusedAssigner(points, self._kernels)

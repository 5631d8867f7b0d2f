"""k-means at small k: one fused pass an iteration, most iterations on a sample.

At small k an iteration reads all of X and computes little, so what counts is the number of passes.
Three things save them:

1. One pass does it all: distances, nearest centroid, sums (`annlab.fit.searches.Fused`).
2. Seeding and most iterations are on nested samples; all points come in last (`grow_by_samples`).
3. Over-relaxed updates with momentum get there in about half the steps; the last update is a
   plain one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from annlab._kernels import loops
from annlab.distances import paired_sq, same_total, unit_means
from annlab.fit.graph.cloud import Cloud, assign_all, means_of
from annlab.fit.graph.relocation import relocate
from annlab.fit.graph.tree import Tree, grow, plant_tree
from annlab.fit.lloyd import Lloyd, means
from annlab.fit.momentum import Momentum, check_move
from annlab.fit.searches import Fused
from annlab.fit.states import Found, Limits, State
from annlab.rows import Rows
from annlab.rows.coordinates import Coordinates
from annlab.rows.memory import MemoryRows
from annlab.rows.sample import stratified

#: Finish when an iteration gains less than ``GAIN * tol``.
GAIN = 4.0
#: Products of a pass up to which the fit ends as Lloyd's algorithm does, by ``tol``.
_TINY = 1 << 21
#: A sample starts with this many points for each cluster, and not fewer than `_LEAST_SAMPLE`.
_PER_CLUSTER = 32
_LEAST_SAMPLE = 2048
#: Each sample is this many times larger than the one before.
_GROWTH = 4
#: From so many clusters on, with so many points for each, the seeds come from a tree.
_TREE_FROM, _PER_LEAF = 128, 8
_MOMENTUM = Momentum(1.5, 0.6)


class Pace(NamedTuple):
    """What `SmallK` remembers from one iteration to the next.

    Attributes
    ----------
    relaxed : bool
        Whether its steps still go beyond the means.
    last : float
        Inertia of the last iteration.
    before : ndarray of shape (k, d), or None
        Centroids before the last move.
    turn : int
        Moves so far.
    """

    relaxed: bool = False
    last: float = np.inf
    before: np.ndarray | None = None
    turn: int = 0

    def check(self, n: int, k: int, d: int) -> None:
        """Raise ValueError unless it fits data of this size: it may come from a file."""
        check_move(self.before, k, d)


class SmallK(Lloyd):
    """Lloyd's algorithm in fused passes, with a start of its own.

    Parameters
    ----------
    limits : Limits

    Notes
    -----
    2·n·k·d operations an iteration, one read of X. From a start that the caller gave, it is plain
    Lloyd.
    """

    memory_type = Pace
    #: What ``algorithm_params`` may set.
    params = ()

    def __init__(self, limits: Limits) -> None:
        self.search: Fused
        super().__init__("small_k", Fused(), Fused(), limits)
        self.min_gain = GAIN * limits.tol

    def begin(self, rows: Rows, n_clusters: int, init: Any, rng: np.random.RandomState) -> State:
        if not (isinstance(init, str) and init == "k-means++"):
            return super().begin(rows, n_clusters, init, rng)
        centroids, work, n_iter = grow_by_samples(
            rows.sample(n_clusters, rng), n_clusters, self.search, rng,
            min_gain=max(1e-3, self.min_gain),
        )  # fmt: skip
        return State(
            centroids,
            # where a pass takes no time, plain steps to the end are the better ending
            memory=Pace(relaxed=rows.n * n_clusters * rows.d > _TINY),
            uncounted=work,
            # n_iter of a result counts what goes over all points: where that is 1, this says why
            story=f"started with {n_iter} iterations on samples, which n_iter does not count",
        )

    def start_at(self, centroids: np.ndarray) -> State:
        return State(centroids, memory=Pace())

    def assign(self, rows: Rows, state: State) -> Found:
        found = super().assign(rows, state)
        tally, pace = found.tally, state.memory
        small = not tally.inertia < (1.0 - self.min_gain) * pace.last
        kept = pace._replace(last=tally.inertia)
        if not pace.relaxed:
            return replace(found, memory=kept)
        if small or state.iteration + 1 == self.limits.max_iter:
            # from here on plain steps: the first that gains little is the last
            return replace(found, finished=True, memory=kept._replace(relaxed=False))
        moved = _MOMENTUM.step(
            tally.sums, tally.totals, state.centroids, tally.unweighted / rows.n, pace.before,
            pace.turn,
        )  # fmt: skip
        moved *= tally.totals[:, None]
        kept = kept._replace(before=state.centroids, turn=pace.turn + 1)
        return replace(found, kind="relaxed", tally=replace(tally, sums=moved), memory=kept)


def _seed(
    rows: MemoryRows, n_clusters: int, search: Fused, rng: np.random.RandomState, unit: bool
) -> tuple[np.ndarray, int]:
    """Seeds and relocation on a small sample; the best of a few tries where k is small.

    The seeds come from D² sampling; where k is larger, which makes that the longest part of a
    fit, from a tree.
    """
    cloud = Cloud.of(rows, loops)
    best, least, work = None, np.inf, 0
    tries = 2 if n_clusters <= 20 else 1
    for _ in range(tries):
        if n_clusters < _TREE_FROM or rows.n < _PER_LEAF * n_clusters:
            uniforms = rng.uniform(size=n_clusters)
            whole = np.array([0, rows.n])
            rounds = min(n_clusters, 32)
            centroids, _ = grow(cloud, whole, np.array([n_clusters]), rounds, 1, uniforms)
        else:
            tree = plant_tree(
                rows.load, rows.take, rows.n, cloud.weights, n_clusters, cloud.kernels,
                rows.workers, rng,
            )  # fmt: skip
            assert isinstance(tree, Tree), "it was not allowed to give up"
            centroids, work = tree.centroids, work + tree.n_distances
        for turn in range(3):
            found, _ = assign_all(rows.load, rows.n, cloud.kernels, rows.workers, centroids)
            work += rows.n * n_clusters
            labels = found.labels
            if turn < 2:
                labels, _ = relocate(cloud, found, n_clusters, share=0.3)
            centroids = means_of(cloud, labels, centroids, unit=unit)
        if tries == 1:
            return centroids, work
        # by differences: a try that ends in the same clusters in another order is not better
        inertia = float(cloud.weighed(paired_sq(cloud.X, centroids, labels)).sum())
        if best is None or same_total(inertia, np.float64) < least:
            best, least = centroids, inertia
    assert best is not None, "there is at least one try"
    return best, work


def grow_by_samples(
    rows: MemoryRows,
    n_clusters: int,
    search: Fused,
    rng: np.random.RandomState,
    *,
    min_gain: float = 1e-3,
    most: int = 40,
) -> tuple[np.ndarray, int, int]:
    """Seed on a small sample and iterate on nested, growing ones.

    Parameters
    ----------
    rows : MemoryRows
    n_clusters : int
    search : Fused
    rng : RandomState
    min_gain : float, default=1e-3
        Leave a sample when an iteration lowers its inertia by less than this share.
    most : int, default=40
        Iterations on one sample at most.

    Returns
    -------
    centroids : ndarray of shape (k, d), working coordinates
    n_distances : int
    n_iter : int
        Iterations on samples, those of the seeding left out.

    Notes
    -----
    The samples are nested: each holds every fourth point of the next. On the first, clusters
    are relocated (`annlab.fit.graph.relocation`), which mends a seeding that left a group of
    points without a centroid.
    """
    n, unit, workers = rows.n, rows.coordinates.unit, rows.workers
    sizes = [min(n, max(_LEAST_SAMPLE, _PER_CLUSTER * n_clusters))]
    while sizes[-1] * _GROWTH <= n // 8:
        sizes.append(sizes[-1] * _GROWTH)
    largest = stratified(n, sizes[-1], rng)
    sample = np.ascontiguousarray(rows.take(largest))
    weights = None if rows.sample_weight is None else rows.sample_weight[largest]
    centroids, work, n_iter = sample[:0], 0, 0
    for level in range(len(sizes)):
        stride = _GROWTH ** (len(sizes) - 1 - level)
        X = np.ascontiguousarray(sample[::stride])
        w = None if weights is None else np.ascontiguousarray(weights[::stride])
        part = MemoryRows(
            X, sample_weight=w, workers=workers, coordinates=Coordinates.plain(X.dtype)
        )
        if level == 0:
            centroids, work = _seed(part, n_clusters, search, rng, unit)
        last, before, turn = np.inf, None, 0
        for _ in range(most):
            _, tally = part.sweep(search.task(part, centroids))
            work += len(X) * n_clusters
            n_iter += 1
            done = not tally.inertia < (1.0 - min_gain) * last
            if done:
                new = means(tally, centroids)
            else:
                radius_sq = tally.unweighted / len(X)
                new = _MOMENTUM.step(tally.sums, tally.totals, centroids, radius_sq, before, turn)
                before, turn = centroids, turn + 1
            if unit:
                new = unit_means(new, centroids)
            centroids = new.astype(X.dtype)
            last = tally.inertia
            if done:
                break
    return centroids, work, n_iter

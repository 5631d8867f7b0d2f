"""k-means at small k: fused passes, most iterations on a sample.

At small k an iteration reads all of X and computes little, so the number of passes counts:

1. One pass finds the nearest centroids and adds up the clusters (`annlab.fit.searches.Fused`).
2. Seeding and most iterations run on nested samples (`grow_by_samples`).
3. Over-relaxed updates with momentum need about half the steps; the last update is a plain one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from annlab.distances import paired_sq, same_total, unit_means
from annlab.fit.graph.cloud import Cloud, assign_all, means_of, weighed
from annlab.fit.graph.relocation import relocate
from annlab.fit.graph.tree import grow, plant_tree
from annlab.fit.lloyd import Lloyd, cluster_means
from annlab.fit.momentum import Momentum, check_move
from annlab.fit.searches import Fused
from annlab.fit.settings import Init
from annlab.fit.states import Found, Limits, State
from annlab.rows import Rows
from annlab.rows.memory import MemoryRows
from annlab.rows.sample import stratified

#: Finish when an iteration gains less than ``GAIN * tol``.
GAIN = 4.0
#: Products of a pass up to which the fit ends as Lloyd's algorithm does, by ``tol``.
_TINY = 1 << 21
#: Points of the first sample: for each cluster, and in total at least.
_PER_CLUSTER = 32
_LEAST_SAMPLE = 2048
#: Each sample is this many times larger than the one before.
_GROWTH = 4
#: Iterations on one sample at most.
_MOST = 40
#: Clusters, and points for each, from which the seeds come from a tree.
_TREE_FROM, _PER_LEAF = 128, 8
_MOMENTUM = Momentum(1.5, 0.6)


class Pace(NamedTuple):
    """Memory of `SmallK` between two iterations.

    Attributes
    ----------
    relaxed : bool
        Whether steps still go beyond the means.
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

    From a start that the caller gave, it is plain Lloyd. 2·n·k·d operations and one read of X an
    iteration.
    """

    memory_type = Pace
    #: What ``algorithm_params`` may set.
    params = ()

    def __init__(self, limits: Limits) -> None:
        self.search: Fused
        super().__init__("small_k", Fused(), Fused(), limits)
        self.min_gain = GAIN * limits.tol

    def begin(self, rows: Rows, n_clusters: int, init: Init, rng: np.random.RandomState) -> State:
        if not (isinstance(init, str) and init == "k-means++"):
            return super().begin(rows, n_clusters, init, rng)
        source = rows.sample(n_clusters, rng)
        least = max(1e-3, self.min_gain)
        centroids, work, n_iter = grow_by_samples(source, n_clusters, rng, min_gain=least)
        return State(
            centroids,
            # on tiny data, plain steps to convergence give better results
            memory=Pace(relaxed=rows.n * n_clusters * rows.d > _TINY),
            uncounted=work,
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
            # plain steps from here on: the first that gains little is the last
            return replace(found, finished=True, memory=kept._replace(relaxed=False))
        moved = _MOMENTUM.step(
            tally.sums, tally.totals, state.centroids, tally.unweighted / rows.n, pace.before,
            pace.turn,
        )  # fmt: skip
        moved *= tally.totals[:, None]
        kept = kept._replace(before=state.centroids, turn=pace.turn + 1)
        return replace(found, kind="relaxed", tally=replace(tally, sums=moved), memory=kept)


def _seed(
    rows: MemoryRows, n_clusters: int, rng: np.random.RandomState, unit: bool
) -> tuple[np.ndarray, int]:
    """Seed and relocate on a small sample; return the best try and distances.

    Seeds come from D² sampling, or from a tree at larger k, where that is faster.
    """
    cloud = Cloud.of(rows)
    best, least, work = rows.X[:0], np.inf, 0
    tries = 2 if n_clusters <= 20 else 1
    for _ in range(tries):
        if n_clusters < _TREE_FROM or rows.n < _PER_LEAF * n_clusters:
            uniforms = rng.uniform(size=n_clusters)
            whole = np.array([0, rows.n])
            rounds = min(n_clusters, 32)
            centroids, _ = grow(cloud, whole, np.array([n_clusters]), rounds, 1, uniforms)
        else:
            tree = plant_tree(rows, n_clusters, rng)
            assert tree is not None, "any contrast will do"
            centroids, work = tree.centroids, work + tree.n_distances
        for turn in range(3):
            found = assign_all(rows, centroids)
            work += found.n_distances
            labels = found.labels
            if turn < 2:
                labels, _ = relocate(cloud, found, n_clusters, share=0.3)
            centroids = means_of(cloud, labels, centroids, unit=unit)
        if tries == 1:
            return centroids, work
        # by differences: a try that ends in the same clusters in another order is not better
        inertia = float(weighed(paired_sq(rows.X, centroids, labels), cloud.weights).sum())
        if same_total(inertia, np.float64) < least:
            best, least = centroids, inertia
    return best, work


def grow_by_samples(
    rows: MemoryRows, n_clusters: int, rng: np.random.RandomState, *, min_gain: float
) -> tuple[np.ndarray, int, int]:
    """Seed on a small sample and iterate on nested, growing ones.

    Parameters
    ----------
    rows : MemoryRows
    n_clusters : int
    rng : RandomState
    min_gain : float
        Leave a sample when an iteration lowers its inertia by less than this share.

    Returns
    -------
    centroids : ndarray of shape (k, d), working coordinates
    n_distances : int
    n_iter : int
        Iterations on samples, without those of the seeding.

    Notes
    -----
    Each sample holds every fourth point of the next. On the first, clusters are relocated
    (`annlab.fit.graph.relocation`), because seeds may leave a group of points without a centroid.
    """
    n, unit, search = rows.n, rows.coordinates.unit, Fused()
    sizes = [min(n, max(_LEAST_SAMPLE, _PER_CLUSTER * n_clusters))]
    while sizes[-1] * _GROWTH <= n // 8:
        sizes.append(sizes[-1] * _GROWTH)
    largest = stratified(n, sizes[-1], rng)
    centroids, work, n_iter = np.empty((0, rows.d)), 0, 0
    for level in reversed(range(len(sizes))):
        part = rows.part(largest[:: _GROWTH**level])
        if n_iter == 0:
            centroids, work = _seed(part, n_clusters, rng, unit)
        last, before = np.inf, None
        for turn in range(_MOST):
            tally = part.sweep(search.task(part, centroids))[1]
            work += part.n * n_clusters
            n_iter += 1
            done = not tally.inertia < (1.0 - min_gain) * last
            if done:
                new = cluster_means(tally.sums, tally.totals, centroids)
            else:
                radius_sq = tally.unweighted / part.n
                new = _MOMENTUM.step(tally.sums, tally.totals, centroids, radius_sq, before, turn)
                before = centroids
            if unit:
                new = unit_means(new, centroids)
            centroids, last = new.astype(rows.dtype), tally.inertia
            if done:
                break
    return centroids, work, n_iter

"""The algorithm `graph`: its start, its assignments, and when it ends."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from annlab import _kernels_numpy
from annlab._support.checks import check_integer, check_real
from annlab._support.threads import chunk_bounds
from annlab.fit.graph.cloud import (
    VALUES,
    Cloud,
    Nearby,
    assign_all,
    means_of,
    reordered,
    scaled_weights,
    sort_by,
    sums_of,
)
from annlab.fit.graph.neighbours import assign_nearby, neighbourhoods
from annlab.fit.graph.relocation import relocate
from annlab.fit.graph.samples import grow_from_sample
from annlab.fit.graph.tree import Tree, plant_tree
from annlab.fit.momentum import Momentum
from annlab.fit.searches import Assigner, Assignment, finish
from annlab.fit.small_k import FusedAssigner
from annlab.rows.memory import Points

#: Below this ratio of second-nearest to nearest coarse distance (squared, median over all points)
#: a tree loses more than it saves: 1.1 to 2 on photos, text and heavy tails, 1.03 on Gaussians in
#: 128 dimensions.
LOW_CONTRAST = 1.08
#: Finish when an iteration gains less than this many times ``tol``: early where relocation has
#: gained much in all (a share of the inertia), late where it has not.
EARLY, LATE, MUCH = 20.0, 5.0, 0.036


class GraphAssigner(Assigner):
    """Points to centroids through the centroids' neighbours, with a start of its own.

    Parameters
    ----------
    points : Points
    kernels : module
        Compiled loops or their NumPy twins.
    tol : float, default=1e-4
        Finish when an iteration lowers the inertia by less than 20 times this share, or 5 times
        where relocation has gained little.
    max_iter : int, optional
        The iteration that must not move clusters elsewhere, because it is the last.
    n_candidates : int, default=96
        Centroids that a point is compared with.
    n_relocations : int, default=6
        Iterations that may move centroids to other places.
    relocation_share : float, default=0.3
        Clusters that such an iteration moves at most, as a share of k.

    Notes
    -----
    It remembers where the points were, in the order of the tree; `assign` is to be called with
    the centroids that came out of the last call, or with some that moved a little.
    """

    name = "graph"
    exact = False
    exact_below = 700
    #: What ``algorithm_params`` may set.
    params = ("n_candidates", "n_relocations", "relocation_share")

    def __init__(
        self,
        points: Points,
        kernels: Any,
        *,
        tol: float = 1e-4,
        max_iter: int | None = None,
        n_candidates: int = 96,
        n_relocations: int = 6,
        relocation_share: float = 0.3,
    ) -> None:
        n_candidates = check_integer(n_candidates, "n_candidates", minimum=8)
        n_relocations = check_integer(n_relocations, "n_relocations", minimum=0)
        relocation_share = check_real(relocation_share, "relocation_share", maximum=0.5)
        self.points = points
        self._tol = tol
        self._max_iter = max_iter
        self._kernels = kernels
        self.compiled = kernels is not _kernels_numpy
        self._seed = 0
        self._width = n_candidates
        self._n_relocations = n_relocations
        self._share = relocation_share
        self._weights, self._scale = scaled_weights(points)
        self._reset()

    def _reset(self) -> None:
        self._rng = np.random.RandomState(self._seed)
        self._cloud: Cloud | None = None
        self._order: np.ndarray | None = None
        self._labels: np.ndarray | None = None
        self._start_work = 0
        self._gained = 0.0
        # labels come from lists of neighbours, which far moves would outrun: no momentum
        self._momentum = Momentum(1.6, 0.0)
        self._round = 0
        self._last = np.inf
        # with a start that the caller gave, it is Lloyd's algorithm and nothing else
        self._own = False
        self._settled = True
        self._reported: np.ndarray | None = None
        self.reason = ""

    def state(self) -> dict[str, Any]:
        momentum = self._momentum.state()
        names = ("seed", "start_work", "gained", "round", "last", "own", "settled")
        return momentum | {name: getattr(self, f"_{name}") for name in names} | {
            "rng": self._rng,
            "order": self._order,
            "labels": self._labels,
            "reason": self.reason,
        }  # fmt: skip

    def restore(self, state: dict[str, Any], labels: np.ndarray | None, n_clusters: int) -> None:
        self._reset()
        if not state:
            return
        points, workers = self.points, self.points.workers
        order, own = state["order"], state["labels"]
        for row in (order, own):
            if row.shape != (points.n,) or row.dtype != np.int32 or row.min() < 0:
                raise ValueError("an order or labels of another shape")
        if own.max() >= n_clusters:
            raise ValueError("labels beyond the clusters")
        if not (np.bincount(order, minlength=points.n) == 1).all():
            raise ValueError("an order that is none")
        self._momentum.restore(state, (n_clusters, points.d))
        # a file may hold anything; what numbers it holds decides nothing but the fit's own end
        self._seed, self._start_work = int(state["seed"]), int(state["start_work"])
        self._round, self._gained = int(state["round"]), float(state["gained"])
        self._last = float(state["last"])
        self._own, self._settled = bool(state["own"]), bool(state["settled"])
        self._rng, self.reason = state["rng"], str(state["reason"])
        if not isinstance(self._rng, np.random.RandomState):
            raise TypeError("no state of random numbers")
        self._order, self._labels, self._reported = order, own, labels
        norms = np.concatenate(workers.map(self._norms, chunk_bounds(points.n, self._rows_each())))
        self._cloud = reordered(points.rows, order, norms, self._weights, self._kernels, workers)

    def _rows_each(self) -> int:
        return max(512, VALUES // self.points.d)

    def _norms(self, start: int, stop: int) -> np.ndarray:
        rows = self._load(start, stop)
        return np.asarray(np.einsum("ij,ij->i", rows, rows))

    def _load(self, start: int, stop: int) -> np.ndarray:
        return np.asarray(self.points.piece(start, stop).load())

    def start(self, n_clusters: int, rng: np.random.RandomState) -> np.ndarray:
        """Plant a tree, or grow from a sample where a tree would not do.

        Returns
        -------
        ndarray of shape (k, d), working coordinates
        """
        self._seed = int(rng.randint(2**31 - 1))
        self._reset()
        self._own, self._settled = True, self._n_relocations == 0
        points, workers = self.points, self.points.workers
        unit = points.metric == "cosine"
        grown = plant_tree(
            self._load, points.rows, points.n, self._weights, n_clusters, self._kernels, workers,
            self._rng, least_contrast=LOW_CONTRAST,
        )  # fmt: skip
        if isinstance(grown, Tree):
            self.reason = f"tree start, contrast {grown.contrast:.2f}"
            self.begun = "started from a tree of the points"
            self._cloud, self._order = grown.cloud, grown.order
            self._labels, self._start_work = grown.labels, grown.n_distances
            if unit:
                return means_of(grown.cloud, grown.labels, grown.centroids, unit=True)
            return grown.centroids
        self.reason = f"sample start, contrast {grown:.2f}"
        self.begun = "started with iterations on a sample, which n_iter does not count"
        centroids, self._start_work, self._gained = grow_from_sample(
            points.rows, points.n, self._weights, n_clusters, self._kernels, workers, self._rng,
            unit=unit,
        )  # fmt: skip
        return centroids

    def _adopt(self, centroids: np.ndarray) -> Nearby:
        """Compare all points with all centroids, then lay the points out block by block."""
        points, workers = self.points, self.points.workers
        found, norms = assign_all(self._load, points.n, self._kernels, workers, centroids)
        around = neighbourhoods(centroids, self._kernels, workers, self._rng, width=self._width)
        order, _ = sort_by(self._kernels, around.block[found.labels], len(around.counts))
        self._cloud = reordered(points.rows, order, norms, self._weights, self._kernels, workers)
        self._order = order
        return Nearby(
            labels=found.labels[order],
            second=found.second[order],
            d1=found.d1[order],
            d2=found.d2[order],
            n_distances=found.n_distances,
        )

    def _find(self, centroids: np.ndarray) -> Nearby:
        if self._labels is None or self._cloud is None:
            return self._adopt(centroids)
        around = neighbourhoods(
            centroids, self._kernels, self.points.workers, self._rng, width=self._width
        )
        return assign_nearby(self._cloud, centroids, self._labels, around)

    def assign(self, centroids: np.ndarray, previous: np.ndarray | None) -> Assignment:
        k = len(centroids)
        self._heed(previous)
        found = self._find(centroids)
        cloud, order = self._cloud, self._order
        assert cloud is not None and order is not None
        self._labels = found.labels
        base = self._report(found)
        # where moving clusters gains much, the fit is ahead of Lloyd's and may end early; where
        # it gains little (uniform data), only patience gets there
        least = self._tol * (EARLY if self._gained >= MUCH else LATE)
        small = not base.inertia < (1.0 - least) * self._last
        self._last = base.inertia
        self._round += 1
        at_end = self._round == self._max_iter
        moved = False
        if not self._settled and not at_end:
            self._labels, expected = relocate(cloud, found, k, share=self._share)
            moved = expected > 0
            self._gained += expected
            # the last rounds move a handful of centroids: what is left is Lloyd's business
            self._settled = self._round >= self._n_relocations or expected < 0.4 * self._tol
        sums, totals = sums_of(cloud, self._labels, k)
        kind, members, finished = "lloyd", None, False
        if moved:
            self._momentum.restart()
            kind, members = "relocation", np.empty_like(base.labels)
            members[order] = self._labels
        elif self._own and not small and not at_end:
            kind = "relaxed"
            radius_sq = float(found.d1.mean())
            sums = self._momentum.step(sums, totals, centroids, radius_sq)
            sums *= totals[:, None]
        else:
            finished = self._own
        self._reported = base.labels
        if self._scale != 1.0:
            sums, totals = sums * self._scale, totals * self._scale
        return replace(
            base, kind=kind, members=members, sums=sums, totals=totals, finished=finished
        )

    def again(self, points: Points) -> Assigner:
        """Exact assignment of the same points, by the rule of `annlab.distances.nearest`."""
        return FusedAssigner(points, self._kernels)

    def _heed(self, previous: np.ndarray | None) -> None:
        """Take over what the loop has changed in the labels that it was given."""
        if previous is None or self._reported is None or previous is self._reported:
            return
        changed = np.flatnonzero(previous != self._reported)
        if changed.size and self._labels is not None:
            place = np.empty(self.points.n, dtype=np.int32)
            place[self._order] = np.arange(self.points.n, dtype=np.int32)
            self._labels[place[changed]] = previous[changed]

    def final(self, centroids: np.ndarray, previous: np.ndarray | None) -> Assignment:
        """Label the points for ``centroids`` once more, without moving any cluster."""
        self._heed(previous)
        found = self._find(centroids)
        self._labels = found.labels
        return self._report(found)

    def _report(self, found: Nearby) -> Assignment:
        """Bring an answer back into the order of the data."""
        order = self._order
        labels = np.empty(self.points.n, dtype=np.int32)
        distances_sq = np.empty(self.points.n)
        labels[order] = found.labels
        distances_sq[order] = found.d1
        work, self._start_work = found.n_distances + self._start_work, 0
        return finish(self.points, labels, distances_sq, work)

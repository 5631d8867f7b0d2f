"""The algorithm `graph`: where it begins, how it assigns, and when it ends."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from annlab._kernels import loops
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
from annlab.fit.lloyd import Lloyd
from annlab.fit.momentum import Momentum
from annlab.fit.searches import Fused
from annlab.fit.states import Found, Limits, State
from annlab.rows import Rows
from annlab.rows.memory import MemoryRows
from annlab.rows.tally import Tally, inertia_of_rows

#: Below this ratio of second-nearest to nearest coarse distance (squared, median over all points)
#: a tree loses more than it saves: 1.1 to 2 on photos, text and heavy tails, 1.03 on Gaussians in
#: 128 dimensions.
LOW_CONTRAST = 1.08
#: Finish when an iteration gains less than this many times ``tol``: early where relocation has
#: gained much in all (a share of the inertia), late where it has not.
EARLY, LATE, MUCH = 20.0, 5.0, 0.036
#: Labels come from lists of neighbours, which far moves would outrun: no share of the last move.
_MOMENTUM = Momentum(1.6, 0.0)


class Layout(NamedTuple):
    """What `Graph` remembers from one iteration to the next.

    Attributes
    ----------
    own : bool
        Whether it began in its own way; if not, it is Lloyd's algorithm and nothing else.
    settled : bool
        Whether no more clusters are moved elsewhere.
    seed : int
        Of the random numbers; those of an iteration come from it and the number of the iteration.
    order : ndarray of shape (n,), int32, or None
        Point that is at each place of the layout; None before the first assignment.
    members : ndarray of shape (n,), int32, or None
        Cluster of the point at each place, after any relocation.
    gained : float
        What relocations have gained in all, as a share of the inertia.
    last : float
        Inertia of the last iteration.
    """

    own: bool = False
    settled: bool = True
    seed: int = 0
    order: np.ndarray | None = None
    members: np.ndarray | None = None
    gained: float = 0.0
    last: float = np.inf

    def check(self, n: int, k: int, d: int) -> None:
        """Raise ValueError unless it fits data of this size: it may come from a file."""
        if self.order is None or self.members is None:
            raise ValueError("no layout after an iteration")
        for row in (self.order, self.members):
            if row.shape != (n,) or row.dtype != np.int32 or row.min() < 0:
                raise ValueError("an order or labels of another shape")
        if self.members.max() >= k:
            raise ValueError("labels beyond the clusters")
        if not (np.bincount(self.order, minlength=n) == 1).all():
            raise ValueError("an order that is not a permutation")
        if not 0 <= self.seed < 2**32:
            raise ValueError("a seed out of range")


class Graph(Lloyd):
    """Points to centroids through the centroids' neighbours, with a start of its own.

    Parameters
    ----------
    limits : Limits
        It finishes when an iteration lowers the inertia by less than 20 times ``tol``, or 5 times
        where relocation has gained little.
    n_candidates : int, default=96
        Centroids that a point is compared with.
    n_relocations : int, default=6
        Iterations that may move centroids to other places.
    relocation_share : float, default=0.3
        Clusters that such an iteration moves at most, as a share of k.
    """

    exact_below = 700
    memory_type = Layout
    #: What ``algorithm_params`` may set.
    params = ("n_candidates", "n_relocations", "relocation_share")

    def __init__(
        self,
        limits: Limits,
        *,
        n_candidates: int = 96,
        n_relocations: int = 6,
        relocation_share: float = 0.3,
    ) -> None:
        self.search: Fused
        super().__init__("graph", Fused(), Fused(), limits)
        self.exact = False
        self._width = check_integer(n_candidates, "n_candidates", minimum=8)
        self._n_relocations = check_integer(n_relocations, "n_relocations", minimum=0)
        self._share = check_real(relocation_share, "relocation_share", maximum=0.5)
        # the points in the order of a layout: what can be made again from the rows and that order
        self._laid_out: tuple[np.ndarray, Cloud] | None = None

    def begin(self, rows: Rows, n_clusters: int, init: Any, rng: np.random.RandomState) -> State:
        """Plant a tree, or grow from a sample where a tree would not do."""
        if not (isinstance(init, str) and init == "k-means++"):
            return super().begin(rows, n_clusters, init, rng)
        assert isinstance(rows, MemoryRows)
        # of an earlier start
        self._laid_out = None
        seed = int(rng.randint(2**31 - 1))
        rng = np.random.RandomState(seed)
        weights = scaled_weights(rows)
        unit = rows.coordinates.unit
        layout = Layout(own=True, settled=self._n_relocations == 0, seed=seed)
        grown = plant_tree(
            rows.load, rows.take, rows.n, weights, n_clusters, loops, rows.workers, rng,
            least_contrast=LOW_CONTRAST,
        )  # fmt: skip
        if isinstance(grown, Tree):
            self._laid_out = (grown.order, grown.cloud)
            centroids = grown.centroids
            if unit:
                centroids = means_of(grown.cloud, grown.labels, centroids, unit=True)
            return State(
                centroids,
                memory=layout._replace(order=grown.order, members=grown.labels),
                uncounted=grown.n_distances,
                story="started from a tree of the points",
            )
        centroids, work, gained = grow_from_sample(
            rows.take, rows.n, weights, n_clusters, loops, rows.workers, rng, unit=unit
        )
        return State(
            centroids,
            memory=layout._replace(gained=gained),
            uncounted=work,
            story="started with iterations on a sample, which n_iter does not count",
        )

    def start_at(self, centroids: np.ndarray) -> State:
        return State(centroids, memory=Layout())

    def cost(self, rows: Rows, state: State) -> float:
        # by the restricted search: a comparison with all centroids may take longer than the fit
        return self.assign(rows, replace(state, known=None, labels=None)).tally.inertia

    def assign(self, rows: Rows, state: State) -> Found:
        assert isinstance(rows, MemoryRows)
        k = len(state.centroids)
        layout, cloud, found = self._find(rows, state, state.centroids)
        base = self._report(rows, layout, found, k)
        # where moving clusters gains much, the fit is ahead of Lloyd's and may end early; where
        # it gains little (uniform data), only patience gets there
        least = self.limits.tol * (EARLY if layout.gained >= MUCH else LATE)
        small = not base.tally.inertia < (1.0 - least) * layout.last
        layout = layout._replace(last=base.tally.inertia)
        at_end = state.iteration + 1 == self.limits.max_iter
        moved, members = False, found.labels
        if not layout.settled and not at_end:
            members, expected = relocate(cloud, found, k, share=self._share)
            moved = expected > 0
            # the last rounds move a handful of centroids: what is left is Lloyd's business
            layout = layout._replace(
                gained=layout.gained + expected,
                settled=state.iteration + 1 >= self._n_relocations
                or expected < 0.4 * self.limits.tol,
            )
        sums, totals = sums_of(cloud, members, k)
        kind, own, finished = "lloyd", None, False
        if moved:
            kind, own = "relocation", np.empty_like(base.labels)
            own[layout.order] = members
        elif layout.own and not small and not at_end:
            kind = "relaxed"
            radius_sq = float(found.d1.mean())
            sums = _MOMENTUM.step(sums, totals, state.centroids, radius_sq, None, 0)
            sums *= totals[:, None]
        else:
            finished = layout.own
        scale = rows.heaviest
        return Found(
            labels=base.labels,
            tally=replace(base.tally, sums=sums * scale, totals=totals * scale),
            kind=kind,
            finished=finished,
            memory=layout._replace(members=members),
            members=own,
        )

    def finish(self, rows: Rows, state: State, centroids: np.ndarray, exact: bool) -> Found:
        if exact:
            return super().finish(rows, state, centroids, exact)
        assert isinstance(rows, MemoryRows)
        layout, cloud, found = self._find(rows, state, rows.inward(centroids))
        last = self._report(rows, layout, found, len(centroids))
        target, unit = rows.target(centroids), rows.coordinates.unit
        tasks = [
            (rows.X[a:b], target, last.labels[a:b], rows.weights(a, b), unit)
            for a, b in chunk_bounds(rows.n, max(256, (1 << 18) // rows.d))
        ]
        parts = rows.workers.map(inertia_of_rows, tasks, work=8.0 * rows.n * rows.d)
        sums, totals = sums_of(cloud, found.labels, len(centroids))
        return replace(
            last,
            tally=replace(
                last.tally,
                sums=sums * rows.heaviest,
                totals=totals * rows.heaviest,
                counts=np.bincount(found.labels, minlength=len(centroids)),
                exact_inertia=float(sum(parts)),
            ),
        )

    def _find(
        self, rows: MemoryRows, state: State, centroids: np.ndarray
    ) -> tuple[Layout, Cloud, Nearby]:
        """Look each point up among the neighbours of its cluster; all clusters the first time."""
        layout: Layout = state.memory
        rng = np.random.RandomState([layout.seed, state.iteration])
        workers = rows.workers
        if layout.order is None or layout.members is None:
            # compare with all centroids, then lay the points out block by block
            found, norms = assign_all(rows.load, rows.n, loops, workers, centroids)
            around = neighbourhoods(centroids, loops, workers, rng, width=self._width)
            order, _ = sort_by(loops, around.block[found.labels], len(around.counts))
            cloud = reordered(rows.take, order, norms, scaled_weights(rows), loops, workers)
            self._laid_out = (order, cloud)
            found = replace(
                found, labels=found.labels[order], second=found.second[order],
                d1=found.d1[order], d2=found.d2[order],
            )  # fmt: skip
            return layout._replace(order=order), cloud, found
        members = layout.members
        if state.known is not state.labels:
            # points that became the centroid of a cluster that was empty
            changed = np.flatnonzero(state.known != state.labels)
            place = np.empty(rows.n, dtype=np.int32)
            place[layout.order] = np.arange(rows.n, dtype=np.int32)
            members = members.copy()
            members[place[changed]] = state.known[changed]
        cloud = self._cloud(rows, layout.order)
        around = neighbourhoods(centroids, loops, workers, rng, width=self._width)
        return layout, cloud, assign_nearby(cloud, centroids, members, around)

    def _cloud(self, rows: MemoryRows, order: np.ndarray) -> Cloud:
        """The points in the order of a layout, made again only for another order."""
        if self._laid_out is None or self._laid_out[0] is not order:

            def norms_of(start: int, stop: int) -> np.ndarray:
                part = np.asarray(rows.load(start, stop))
                return np.asarray(np.einsum("ij,ij->i", part, part))

            bounds = chunk_bounds(rows.n, max(512, VALUES // rows.d))
            norms = np.concatenate(rows.workers.map(norms_of, bounds))
            weights = scaled_weights(rows)
            cloud = reordered(rows.take, order, norms, weights, loops, rows.workers)
            self._laid_out = (order, cloud)
        return self._laid_out[1]

    def _report(self, rows: MemoryRows, layout: Layout, found: Nearby, k: int) -> Found:
        """Bring an answer back into the order of the data; its sums are still to come."""
        labels = np.empty(rows.n, dtype=np.int32)
        distances_sq = np.empty(rows.n)
        labels[layout.order] = found.labels
        distances_sq[layout.order] = found.d1
        if rows.zero is not None:
            labels[rows.zero], distances_sq[rows.zero] = 0, 1.0
        weights = rows.sample_weight
        tally = Tally(
            sums=None,
            totals=np.empty(0),
            counts=np.empty(0, dtype=np.int64),
            inertia=float(distances_sq.sum() if weights is None else weights @ distances_sq),
            n_distances=found.n_distances,
        )
        return Found(labels, tally)

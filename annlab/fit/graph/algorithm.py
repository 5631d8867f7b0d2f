"""The algorithm `graph`: its start, its assignment, and when it stops."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from annlab._support.checks import check_integer, check_real
from annlab.fit.answers import exact_inertia
from annlab.fit.graph.cloud import Cloud, Nearby, assign_all, means_of, sort_by, sums_of
from annlab.fit.graph.neighbours import assign_nearby, neighbourhoods
from annlab.fit.graph.relocation import relocate
from annlab.fit.graph.samples import grow_from_sample
from annlab.fit.graph.tree import plant_tree
from annlab.fit.lloyd import Lloyd
from annlab.fit.momentum import Momentum
from annlab.fit.searches import Fused
from annlab.fit.settings import Init
from annlab.fit.states import Found, Limits, State
from annlab.rows import Rows
from annlab.rows.memory import MemoryRows
from annlab.rows.tally import Tally

#: Contrast (see `plant_tree`) below which a tree loses more than it saves: 1.1 to 2 on photos, text
#: and heavy tails, 1.03 on Gaussians in 128 dimensions.
LOW_CONTRAST = 1.08
#: Finish when an iteration gains less than this many times ``tol``: early if relocation has gained
#: much in all (a share of the inertia), late if it has not.
EARLY, LATE, MUCH = 20.0, 5.0, 0.036
#: No share of the last move: far moves would outrun the lists of neighbours.
_MOMENTUM = Momentum(1.6, 0.0)


class Layout(NamedTuple):
    """Memory of `Graph` between two iterations.

    Attributes
    ----------
    own : bool
        Whether the start was its own; from a given start it is plain Lloyd.
    settled : bool
        Whether relocation has ended.
    seed : int
        The generator of an iteration is made from it and the number of the iteration.
    order : ndarray of shape (n,), int32, or None
        Point at each place of the layout; None before the first assignment.
    members : ndarray of shape (n,), int32, or None
        Cluster of the point at each place, after any relocation.
    gained : float
        Gain of all relocations, as a share of the inertia.
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
            raise ValueError("no layout, although an iteration is finished")
        for row in (self.order, self.members):
            if row.shape != (n,) or row.dtype != np.int32 or row.min() < 0:
                raise ValueError("an order or labels of the wrong shape")
        if self.members.max() >= k:
            raise ValueError("labels out of range")
        if not (np.bincount(self.order, minlength=n) == 1).all():
            raise ValueError("an order that is not a permutation")
        if not 0 <= self.seed < 2**32:
            raise ValueError("a seed out of range")


class Graph(Lloyd):
    """Compare points with neighbouring centroids only; with a start of its own.

    Parameters
    ----------
    limits : Limits
        The fit stops when an iteration lowers the inertia by less than 20 times ``tol``, or 5
        times if relocation has gained little.
    n_candidates : int, default=96
        Centroids that each point is compared with.
    n_relocations : int, default=6
        Iterations that may relocate centroids.
    relocation_share : float, default=0.3
        Largest share of the centroids that such an iteration relocates.
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
        # cache: an order and the points in it
        self._laid_out: tuple[np.ndarray, Cloud] | None = None

    def begin(self, rows: Rows, n_clusters: int, init: Init, rng: np.random.RandomState) -> State:
        """Plant a tree, or grow from a sample if the contrast is low."""
        if not (isinstance(init, str) and init == "k-means++"):
            return super().begin(rows, n_clusters, init, rng)
        assert isinstance(rows, MemoryRows)
        # free the memory of an earlier start
        self._laid_out = None
        seed = int(rng.randint(2**31 - 1))
        rng = np.random.RandomState(seed)
        layout = Layout(own=True, settled=self._n_relocations == 0, seed=seed)
        tree = plant_tree(rows, n_clusters, rng, least_contrast=LOW_CONTRAST)
        if tree is None:
            centroids, work, gained = grow_from_sample(rows, n_clusters, rng)
            return State(
                centroids,
                memory=layout._replace(gained=gained),
                uncounted=work,
                story="started with iterations on a sample, which n_iter does not count",
            )
        self._laid_out = (tree.order, tree.cloud)
        centroids = tree.centroids
        if rows.coordinates.unit:
            centroids = means_of(tree.cloud, tree.labels, centroids, unit=True)
        return State(
            centroids,
            memory=layout._replace(order=tree.order, members=tree.labels),
            uncounted=tree.n_distances,
            story="started from a tree of the points",
        )

    def start_at(self, centroids: np.ndarray) -> State:
        return State(centroids, memory=Layout())

    def cost(self, rows: Rows, state: State) -> float:
        # by the restricted search: comparing with all centroids may take longer than the fit
        return self.assign(rows, replace(state, known=None, labels=None)).tally.inertia

    def assign(self, rows: Rows, state: State) -> Found:
        assert isinstance(rows, MemoryRows)
        k = len(state.centroids)
        layout, cloud, found = self._find(rows, state, state.centroids)
        base = self._report(rows, layout, found, k)
        # a large gain by relocation puts the fit ahead of Lloyd's: it may end early
        least = self.limits.tol * (EARLY if layout.gained >= MUCH else LATE)
        small = not base.tally.inertia < (1.0 - least) * layout.last
        layout = layout._replace(last=base.tally.inertia)
        at_end = state.iteration + 1 == self.limits.max_iter
        moved, members = False, found.labels
        if not layout.settled and not at_end:
            members, expected = relocate(cloud, found, k, share=self._share)
            moved = expected > 0
            # do not relocate only a few centroids: Lloyd's steps move them
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
        sums, totals = sums_of(cloud, found.labels, len(centroids))
        return replace(
            last,
            tally=replace(
                last.tally,
                sums=sums * rows.heaviest,
                totals=totals * rows.heaviest,
                counts=np.bincount(found.labels, minlength=len(centroids)),
                exact_inertia=exact_inertia(
                    rows.X, centroids, last.labels, rows.metric, rows.sample_weight, rows.workers
                ),
            ),
        )

    def _find(
        self, rows: MemoryRows, state: State, centroids: np.ndarray
    ) -> tuple[Layout, Cloud, Nearby]:
        """Assign each point among its cluster's neighbours; at first among all."""
        layout: Layout = state.memory
        rng = np.random.RandomState([layout.seed, state.iteration])
        around = neighbourhoods(centroids, rows.workers, rng, width=self._width)
        if layout.order is None or layout.members is None:
            # compare with all centroids, then lay the points out block by block
            found = assign_all(rows, centroids)
            order, _ = sort_by(around.block[found.labels], len(around.counts))
            cloud = self._cloud(rows, order)
            found = replace(
                found, labels=found.labels[order], second=found.second[order],
                d1=found.d1[order], d2=found.d2[order],
            )  # fmt: skip
            return layout._replace(order=order), cloud, found
        members = layout.members
        if state.known is not None and state.known is not state.labels:
            # points that became the centroid of an empty cluster
            changed = np.flatnonzero(state.known != state.labels)
            place = np.empty(rows.n, dtype=np.int32)
            place[layout.order] = np.arange(rows.n, dtype=np.int32)
            members = members.copy()
            members[place[changed]] = state.known[changed]
        cloud = self._cloud(rows, layout.order)
        return layout, cloud, assign_nearby(cloud, centroids, members, around)

    def _cloud(self, rows: MemoryRows, order: np.ndarray) -> Cloud:
        """Return the points in the given order; copy them only if it changed."""
        if self._laid_out is None or self._laid_out[0] is not order:
            self._laid_out = (order, Cloud.reordered(rows, order))
        return self._laid_out[1]

    def _report(self, rows: MemoryRows, layout: Layout, found: Nearby, k: int) -> Found:
        """Return labels and inertia in the order of the data, without sums."""
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

"""One step of Lloyd's algorithm: assign all points, then move all centroids.

Points are assigned by a search (`annlab.fit.searches`). Other algorithms have another start and
another `assign`; the step is the same.

Lloyd (1982), "Least squares quantization in PCM", IEEE Transactions on Information Theory 28(2),
doi 10.1109/TIT.1982.1056489.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np

from annlab.distances import unit_means
from annlab.fit.searches import Search
from annlab.fit.settings import Init
from annlab.fit.states import Found, Limits, State, why_stop
from annlab.initialization import initial_centroids
from annlab.result import Step
from annlab.rows import Rows


class Lloyd:
    """Lloyd's algorithm with a search.

    Parameters
    ----------
    name : str
    search : Search
        For the iterations.
    last : Search
        Exact; for the returned labels.
    limits : Limits
    """

    exact_below = 0

    def __init__(self, name: str, search: Search, last: Search, limits: Limits) -> None:
        self.name, self.limits = name, limits
        self.search, self.last = search, last
        self.exact = search.exact

    def begin(self, rows: Rows, n_clusters: int, init: Init, rng: np.random.RandomState) -> State:
        return self.start_at(start(rows, n_clusters, init, rng))

    def start_at(self, centroids: np.ndarray) -> State:
        """Return the state before the first iteration from centroids."""
        return State(centroids)

    def step(self, rows: Rows, state: State) -> State:
        return advance(self, rows, state)

    def assign(self, rows: Rows, state: State) -> Found:
        """Label all rows for the centroids of a state."""
        labels, tally = rows.sweep(self.search.task(rows, state.centroids), state.known)
        return Found(labels, tally)

    def finish(self, rows: Rows, state: State, centroids: np.ndarray, exact: bool) -> Found:
        target = rows.target(centroids)
        if exact:
            # coordinates of `predict`: labels are equal, near-ties included
            rows = rows.around(centroids)
        search = self.last if exact else self.search
        task = replace(search.task(rows, rows.inward(centroids)), target=target)
        labels, tally = rows.sweep(task, None if exact else state.labels)
        return Found(labels, tally)

    def cost(self, rows: Rows, state: State) -> float:
        target = rows.target(rows.outward(state.centroids))
        # by differences in float64: starts that end in the same clusters cost the same
        task = replace(self.search.task(rows, state.centroids), target=target)
        return float(rows.sweep(task, None)[1].exact_inertia)


def advance(algorithm: Any, rows: Rows, state: State) -> State:
    """Take one step of any algorithm with ``assign(rows, state) -> Found``."""
    began = time.perf_counter()
    found = algorithm.assign(rows, state)
    centroids, reseeded = move(rows, found, state.centroids)
    moved_sq = centroids.astype(np.float64)
    moved_sq -= state.centroids
    moved_sq *= moved_sq
    tally = found.tally
    counted = None if tally.n_distances is None else tally.n_distances + state.uncounted
    step = Step(
        iteration=state.iteration + 1,
        kind=found.kind,
        inertia=tally.inertia,
        n_moved=rows.moved(tally, found.labels, state.labels),
        n_empty=len(reseeded),
        shift_sq=float(moved_sq.sum()),
        n_distances=counted,
        elapsed_s=time.perf_counter() - began,
    )
    return State(
        centroids=centroids,
        steps=(*state.steps, step),
        labels=found.labels,
        at=state.centroids,
        # an approximate search may not find the centroid of a re-seeded point
        known=rows.relabelled(found.labels, reseeded),
        outliers=found.outliers,
        memory=found.memory,
        story=state.story,
        reason=why_stop(step, found, algorithm.limits),
    )


def start(
    rows: Rows, n_clusters: int, init: Init, rng: np.random.RandomState, seeds: Rows | None = None
) -> np.ndarray:
    """Turn the parameter ``init`` into centroids (k, d), working coordinates.

    Points are drawn from ``seeds`` (`MemoryRows`), by default ``rows.sample``.
    """
    if not isinstance(init, str) and not callable(init):
        seeds = rows
    elif seeds is None:
        seeds = rows.sample(n_clusters, rng)
    return initial_centroids(init, seeds, n_clusters, rng)


def cluster_means(
    sums: np.ndarray, totals: np.ndarray, centroids: np.ndarray, *, unit: bool = False
) -> np.ndarray:
    """Divide sums (k, d) by weights (k,); an empty cluster keeps its centroid.

    ``unit`` scales the means to length 1.

    Examples
    --------
    >>> import numpy as np
    >>> from annlab.fit.lloyd import cluster_means
    >>> cluster_means(np.array([[6.0], [0.0]]), np.array([3.0, 0.0]), np.array([[1.0], [9.0]]))
    array([[2.],
           [9.]])
    """
    filled = totals > 0
    if filled.all():
        found = sums / totals[:, None]
    else:
        found = centroids.astype(np.float64)
        np.divide(sums, totals[:, None], out=found, where=filled[:, None])
    return unit_means(found, centroids) if unit else found


def move(rows: Rows, found: Found, centroids: np.ndarray) -> tuple[np.ndarray, dict[int, int]]:
    """Move each centroid to the weighted mean of its points; re-seed empty ones.

    An empty cluster takes over the point of largest weight times squared distance, but never the
    last point of a cluster. It keeps its centroid if no point is left.

    Returns
    -------
    new_centroids : ndarray of shape (k, d), dtype of ``centroids``
    reseeded : dict of int to int
        The point of each re-seeded cluster, as ``{point: cluster}``.
    """
    sums, totals = found.tally.sums, found.tally.totals
    empty = np.flatnonzero(totals == 0)
    reseeded: dict[int, int] = {}
    if empty.size:
        size = min(rows.n, 4 * empty.size + 16)
        weighted = rows if found.weighted is None else found.weighted
        worst = weighted.worst(centroids, found.labels, size, found.seeds)
        donors = worst.labels if found.members is None else found.members[worst.indices]
        columns = (worst.indices, worst.rows, worst.badness, donors, worst.weights)
        candidates = iter(zip(*columns, strict=True))
        for cluster in empty:
            for index, row, badness, donor, weight in candidates:
                if badness <= 0:
                    break
                if weight > 0:
                    if totals[donor] - weight <= 1e-12 * weight:
                        continue
                    sums[donor] -= weight * row
                    totals[donor] -= weight
                sums[cluster], totals[cluster] = row, 1.0
                reseeded[int(index)] = int(cluster)
                break
    new = cluster_means(sums, totals, centroids, unit=rows.coordinates.unit)
    return new.astype(centroids.dtype), reseeded

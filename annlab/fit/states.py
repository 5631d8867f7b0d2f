"""k-means as a sequence of states: `begin` the first, `step` the next.

A step is in `annlab.fit.lloyd`; several starts, callbacks, checkpoints and Ctrl-C are in
`annlab.fit.run`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

import numpy as np

from annlab.fit.settings import Init
from annlab.result import Step, owned
from annlab.rows import Rows
from annlab.rows.tally import Tally


@dataclass(frozen=True, eq=False)
class State:
    """A fit between two iterations; centroids in working coordinates.

    Attributes
    ----------
    centroids : ndarray of shape (k, d)
        For the next assignment.
    steps : tuple of Step
        The iterations so far.
    labels : ndarray of shape (n,), int32, or None
        Of the last iteration; lists of delayed parts for Dask rows.
    at : ndarray of shape (k, d), or None
        The centroids that ``labels`` belong to.
    known : ndarray of shape (n,), int32, or None
        Labels for the next assignment to start from: ``labels``, except for points that became
        the centroid of an empty cluster.
    outliers : ndarray of shape (n,), bool, or None
    memory : NamedTuple or None
        What the algorithm remembers.
    uncounted : int
        Distances computed by the start, which the next step counts.
    story : str
        What the algorithm's own start did, as a clause for `KMeansResult.reason`.
    reason : str
        Why the fit stopped; empty until it does.
    """

    centroids: np.ndarray
    steps: tuple[Step, ...] = ()
    labels: Any = None
    at: np.ndarray | None = None
    known: np.ndarray | None = None
    outliers: np.ndarray | None = None
    memory: Any = None
    uncounted: int = 0
    story: str = ""
    reason: str = ""

    @property
    def iteration(self) -> int:
        """Iterations that are finished."""
        return len(self.steps)

    def shown(self, rows: Rows) -> Step:
        """Return the last step with its arrays, in the caller's coordinates."""
        assert self.at is not None
        before = self.steps[-2].new_centroids if self.iteration > 1 else None
        return replace(
            self.steps[-1],
            labels=rows.shown(self.labels),
            centroids=owned(rows.outward(self.at)) if before is None else before,
            new_centroids=owned(rows.outward(self.centroids)),
        )


class Limits(NamedTuple):
    """Limits of a fit: iterations, ``tol``, and its threshold for Σ ‖new − old‖²."""

    max_iter: int
    tol: float
    tol_sq: float


@dataclass(frozen=True, eq=False)
class Found:
    """The answer of an assignment.

    Attributes
    ----------
    labels : ndarray of shape (n,), int32
    tally : Tally
        The next centroids are ``sums`` over ``totals``; the update may write to both.
    kind : str
        Becomes `Step.kind`.
    finished : bool
        The algorithm's own reason to stop: an iteration gains too little.
    memory : NamedTuple or None
        Becomes `State.memory`.
    members : ndarray of shape (n,), int32, or None
        Labels for the update, if clusters were relocated.
    outliers : ndarray of shape (n,), bool, or None
    weighted : Rows or None
        The rows with the weights for the update, if those differ.
    seeds : ndarray of shape (n,), float64, or None
        Weights of the points that an empty cluster may be re-seeded from, if those differ.
    """

    labels: Any
    tally: Tally
    kind: str = "lloyd"
    finished: bool = False
    memory: Any = None
    members: np.ndarray | None = None
    outliers: np.ndarray | None = None
    weighted: Rows | None = None
    seeds: np.ndarray | None = None

    @property
    def is_plain(self) -> bool:
        """Whether the new centroids are the means of these labels."""
        return self.members is None and self.kind != "relaxed"


class Algorithm(Protocol):
    """An algorithm that clusters rows; all its memory is in the states.

    Attributes
    ----------
    name : str
        Becomes `KMeansResult.algorithm`.
    exact : bool
        Whether every label names the nearest centroid.
    exact_below : int
        Up to this many clusters, comparing with all centroids costs little beside the fit, and
        ``final_assignment="auto"`` makes the returned labels exact.
    limits : Limits
    """

    name: str
    exact: bool
    exact_below: int
    limits: Limits

    def begin(self, rows: Rows, n_clusters: int, init: Init, rng: np.random.RandomState) -> State:
        """Return the state before the first iteration."""

    def step(self, rows: Rows, state: State) -> State:
        """Return the state after one more iteration."""

    def finish(self, rows: Rows, state: State, centroids: np.ndarray, exact: bool) -> Found:
        """Label all rows for the returned centroids (the caller's coordinates)."""

    def cost(self, rows: Rows, state: State) -> float:
        """Return the cost by which starts are compared."""


def states(
    algorithm: Algorithm, rows: Rows, state: State, *, trace: bool = False
) -> Iterator[State]:
    """Iterate until a reason to stop; ``trace`` keeps the arrays of each step."""
    while not state.reason:
        state = algorithm.step(rows, state)
        if trace:
            state = replace(state, steps=(*state.steps[:-1], state.shown(rows)))
        yield state


#: Reasons that mean convergence.
CONVERGED = ("labels unchanged", "tolerance", "small gain")


def why_stop(step: Step, found: Found, limits: Limits) -> str:
    """Return the strongest reason to stop after a step, or ""."""
    # only plain Lloyd steps can signal convergence
    if found.is_plain and step.n_moved == 0:
        return "labels unchanged"
    if found.is_plain and step.shift_sq <= limits.tol_sq:
        return "tolerance"
    if found.finished:
        return "small gain"
    return "max_iter" if step.iteration == limits.max_iter else ""

"""A whole fit: starts, callback, progress, Ctrl-C and checkpoint."""

from __future__ import annotations

import logging
import signal
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from annlab._support.checks import check_n_clusters, check_random_state
from annlab._support.errors import AnnlabWarning
from annlab._support.progress import Progress as Line
from annlab._support.threads import Workers
from annlab.distances import same_total
from annlab.fit.answers import recall_of, warn_zero_rows
from annlab.fit.checkpoint import Checkpoint, Progress, copied
from annlab.fit.choose import make_algorithm
from annlab.fit.settings import Settings, describe
from annlab.fit.states import CONVERGED, Algorithm, Found, Limits, State, states
from annlab.result import KMeansResult, Trace, owned
from annlab.rows import Rows, open_rows


class Variant:
    """Parts of a fit that variants of k-means may replace; the base keeps all."""

    #: Whether it needs the rows in memory or in a mapped file.
    together = False

    def settings(self) -> dict[str, Any]:
        """Parameters of the variant, for a checkpoint."""
        return {}

    def variance(self, rows: Rows) -> float:
        """Mean variance of the features, for ``tol``."""
        return rows.variance

    def wrap(
        self, algorithm: Algorithm, rows: Rows, n_clusters: int, rng: np.random.RandomState
    ) -> Algorithm:
        """Wrap the algorithm."""
        return algorithm


@dataclass
class _Fit:
    """A fit under way: ``best`` is the last state of the best finished start."""

    settings: Settings
    rows: Rows
    algorithm: Algorithm
    why: str
    rng: np.random.RandomState
    began: float
    keeper: Checkpoint | None = None
    rng_begin: np.random.RandomState | None = None
    turn: int = 0
    state: State | None = None
    best: State | None = None
    best_cost: float = np.inf

    def run(self) -> tuple[KMeansResult, Found]:
        """Run all starts, then label the rows for the best one."""
        n_init, reason = self.settings.n_init, ""
        while self.turn < n_init and reason != "callback":
            state = self._one_start()
            reason = state.reason
            cost = self.algorithm.cost(self.rows, state) if n_init > 1 else 0.0
            # an earlier start that ended in the same clusters is as good
            if self.best is None or same_total(cost, state.centroids.dtype) < self.best_cost:
                self.best, self.best_cost = state, cost
            self.state, self.turn = None, self.turn + 1
        assert self.best is not None, "there is at least one start"
        ended = self.best.reason if reason != "callback" else reason
        return self._finish(replace(self.best, reason=ended))

    def _one_start(self) -> State:
        """Iterate from one start to its end."""
        settings, rows, state = self.settings, self.rows, self.state
        if state is None:
            state = self.algorithm.begin(rows, settings.n_clusters, settings.init, self.rng)
            if state.story:
                logging.getLogger("annlab").info("start: %s", state.story)
        line = Line(settings.progress, settings.max_iter, f"k-means ({self.algorithm.name})")
        rows.on_chunks = line.part if settings.progress and rows.streams else None
        try:
            for after in states(self.algorithm, rows, state, trace=settings.trace):
                self.state = state = after
                if self.keeper is not None:
                    self.keeper.save(self._progress(state))
                step = state.steps[-1]
                line.update(step.iteration, f"inertia {step.inertia:.6g}, {step.n_moved:,} moved")
                if self._callback_stops(state):
                    self.state = state = replace(state, reason="callback")
                    break
        except KeyboardInterrupt:
            done = 0 if self.state is None else self.state.iteration
            line.close(f"{_iterations(done)} (interrupted)")
            raise
        finally:
            rows.on_chunks = None
        line.close(f"{_iterations(state.iteration)} ({state.reason})")
        return state

    def _callback_stops(self, state: State) -> bool:
        callback = self.settings.callback
        if callback is None:
            return False
        answer = callback(state.steps[-1] if self.settings.trace else state.shown(self.rows))
        # True itself: a callback may return any other value by accident
        return isinstance(answer, (bool, np.bool_)) and bool(answer) and not state.reason

    def _progress(self, state: State) -> Progress:
        assert self.rng_begin is not None
        return Progress(
            algorithm=self.algorithm.name,
            why=self.why,
            shift=self.rows.coordinates.shift,
            tol_sq=self.algorithm.limits.tol_sq,
            rng_begin=self.rng_begin,
            rng_now=self.rng,
            turn=self.turn,
            state=state,
            best=self.best,
            best_cost=self.best_cost,
            elapsed_s=time.perf_counter() - self.began,
        )

    def _finish(self, state: State) -> tuple[KMeansResult, Found]:
        """Label all rows for the returned centroids."""
        settings, rows, algorithm = self.settings, self.rows, self.algorithm
        returned = rows.outward(state.centroids)
        wish, cheap = settings.final_assignment, settings.n_clusters <= algorithm.exact_below
        exact = algorithm.exact or wish == "exact" or (wish == "auto" and cheap)
        last = algorithm.finish(rows, state, returned, exact)
        recall: tuple[float, tuple[float, float] | None] = (1.0, None)
        if not exact:
            recall = recall_of(rows, last.labels, rows.inward(returned), self.rng)
        if last.tally.n_used < settings.n_clusters:
            warnings.warn(
                f"Only {last.tally.n_used} of n_clusters={settings.n_clusters} clusters have "
                "points: X has too few distinct rows, or too many rows without a direction. Ask "
                "for fewer clusters.",
                AnnlabWarning,
                stacklevel=5,
            )
        return self._result(
            state,
            returned,
            _marked(last.labels, last.outliers),
            outliers=last.outliers,
            inertia=last.tally.exact_inertia,
            more_distances=[last.tally.n_distances],
            recall=recall,
        ), last

    def interrupted(self) -> KMeansResult | None:
        """Return the result of the last finished iteration, or None."""
        state = self.best or self.state
        if state is None or state.at is None:
            return None
        text = f"The result is that of {_iterations(state.iteration)}. "
        if self.best is not None and self.settings.n_init > 1:
            text = "The result is that of an earlier one of the n_init starts. "
        elsewhere = "init=result.centroids" if self.keeper is None else "the same checkpoint"
        _warn_interrupted(f"{text}Fit again with {elsewhere} to go on.")
        # nothing is assigned again: the inertia is that of the step
        return self._result(
            replace(state, reason="interrupted"),
            self.rows.outward(state.at),
            _marked(state.labels, state.outliers),
            outliers=state.outliers,
            inertia=state.steps[-1].inertia,
            recall=(1.0 if self.algorithm.exact else None, None),
        )

    def _result(
        self,
        state: State,
        centroids: np.ndarray,
        labels: Any,
        *,
        outliers: np.ndarray | None,
        inertia: float,
        recall: tuple[float | None, tuple[float, float] | None],
        more_distances: list[int | None] | None = None,
    ) -> KMeansResult:
        counts = [step.n_distances for step in state.steps] + (more_distances or [])
        why = self.why
        # with several starts, the best one may not be the last
        if why and state.story and self.settings.n_init == 1:
            why = f"{why}; {state.story}"
        return KMeansResult(
            labels=self.rows.labels_of(labels, centroids),
            centroids=owned(centroids),
            inertia=inertia,
            n_iter=state.iteration,
            converged=state.reason in CONVERGED,
            stop_reason=state.reason,
            n_distances=None if None in counts else int(sum(c for c in counts if c is not None)),
            trace=Trace(state.steps),
            algorithm=self.algorithm.name,
            reason=why,
            metric=self.settings.metric,
            elapsed_s=time.perf_counter() - self.began,
            recall_estimate=recall[0],
            recall_interval=recall[1],
            outlier_mask=None if outliers is None else owned(outliers),
        )


def fit(
    X: Any, settings: Settings, variant: Variant | None = None
) -> tuple[KMeansResult, Found | None]:
    """Fit, and return the result with the last assignment (None if interrupted).

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid.
    KeyboardInterrupt
        If Ctrl-C is pressed before the first iteration is finished.
    """
    began = time.perf_counter()
    settings, variant = settings.checked(), variant or Variant()
    rng = check_random_state(settings.random_state)
    keeper = None if settings.checkpoint is None else Checkpoint(settings.checkpoint)
    under_way: _Fit | None = None
    try:
        with Workers(settings.n_jobs) as workers:
            under_way = _prepare(X, settings, variant, rng, keeper, workers, began)
            result, last = under_way.run()
    except KeyboardInterrupt:
        with _ignoring_interrupts():
            left = None if under_way is None else under_way.interrupted()
            if left is None:
                raise
            return left, None
    if keeper is not None and result.stop_reason != "callback":
        keeper.remove()
    return result, last


def _prepare(
    X: Any,
    settings: Settings,
    variant: Variant,
    rng: np.random.RandomState,
    keeper: Checkpoint | None,
    workers: Workers,
    began: float,
) -> _Fit:
    """Open the rows, choose the algorithm, and load the checkpoint, if any."""
    algorithm, is_named = settings.algorithm, isinstance(settings.algorithm, str)
    rows = open_rows(
        X, metric=settings.metric, sample_weight=settings.sample_weight, workers=workers,
        together=variant.together or (is_named and algorithm == "graph"),
        remedy="kmeans_ann takes data in parts." if variant.together else "",
    )  # fmt: skip
    k = check_n_clusters(settings.n_clusters, rows.n)
    warn_zero_rows(rows, stacklevel=5)
    saved = rng_begin = None
    if keeper is not None:
        rng_begin = copied(rng)
        words = settings.words() | {"sample_weight": describe(rows.sample_weight)}
        keeper.fit = {"X": rows.digest(), **words, "variant": describe(variant.settings())}
        saved = keeper.load(settings, rows.n, rows.d)
    if saved is not None:
        rng_begin = saved.rng_begin
        rng.set_state(rng_begin.get_state())
        rows = _shifted(rows, saved.shift)
        if is_named and algorithm == "auto":
            algorithm = saved.algorithm
    tol_sq = settings.tol * variant.variance(rows) if saved is None else saved.tol_sq
    limits = Limits(settings.max_iter, settings.tol, tol_sq)
    params = settings.algorithm_params or {}
    made, why = make_algorithm(algorithm, rows, k, params, rng, limits)
    made = variant.wrap(made, rows, k, rng)
    if saved is None:
        return _Fit(settings, rows, made, why, rng, began, keeper, rng_begin)
    rng.set_state(saved.rng_now.get_state())
    return _Fit(
        settings, rows, made, saved.why, rng, began - saved.elapsed_s, keeper, rng_begin,
        saved.turn, saved.state, saved.best, saved.best_cost,
    )  # fmt: skip


def _shifted(rows: Rows, shift: np.ndarray | None) -> Rows:
    """Return the rows in the coordinates of a checkpoint (last bits may differ)."""
    now = rows.coordinates.shift
    if now is None or shift is None or np.array_equal(now, shift):
        return rows
    return rows.within(replace(rows.coordinates, shift=shift))


@contextmanager
def _ignoring_interrupts() -> Iterator[None]:
    """Ignore further Ctrl-C while the result is assembled."""
    before = None
    if threading.current_thread() is threading.main_thread():
        # None if the handler is not Python's own
        before = signal.getsignal(signal.SIGINT)
        if before is not None:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        if before is not None:
            signal.signal(signal.SIGINT, before)


def _marked(labels: Any, outliers: np.ndarray | None) -> Any:
    """Set the labels of outliers to −1."""
    return labels if outliers is None else np.where(outliers, np.int32(-1), labels)


def _iterations(n: int) -> str:
    return "1 iteration" if n == 1 else f"{n} iterations"


def _warn_interrupted(text: str) -> None:
    warnings.warn(f"The fit was interrupted. {text}", AnnlabWarning, stacklevel=5)

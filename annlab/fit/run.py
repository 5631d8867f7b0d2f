"""Lloyd's loop, once: a generator of steps. `kmeans` and `kmeans_ann` only drain it.

Each turn assigns every point to a centroid and moves every centroid to the mean of its points.
How points are assigned is the assigner's business (`annlab.fit.searches`); where the loop begins is
the start's (`annlab.initialization`). Robust, parallel and distributed fits replace one of the
two, never the loop.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from annlab._support.checks import (
    check_choice,
    check_data,
    check_integer,
    check_n_clusters,
    check_random_state,
    check_real,
    check_sample_weight,
    is_dask,
)
from annlab._support.errors import AnnlabWarning, invalid
from annlab._support.progress import Progress
from annlab._support.threads import Workers, chunk_bounds
from annlab.distances import nearest, paired_sq, same_total, unit_rows
from annlab.fit.checkpoint import (
    Checkpoint,
    Run,
    Saved,
    data_digest,
    describe,
    hash_rows,
    join_digests,
    twin_of,
)
from annlab.fit.choose import make_assigner
from annlab.fit.searches import (
    Assigner,
    Assignment,
    ExactAssigner,
    cluster_means,
    cluster_sums,
    inertia_of_rows,
    worst_served,
)
from annlab.initialization import initial_centroids
from annlab.result import KMeansResult, Step, Trace, owned
from annlab.rows.blocks import BlockPoints, PartAssigner, PartedPoints, is_in_blocks, is_mapped
from annlab.rows.memory import Points

Callback = Callable[[Step], Any]


def update_centroids(
    points: Points, assignment: Assignment, centroids: np.ndarray
) -> tuple[np.ndarray, dict[int, int]]:
    """Move each centroid to the weighted mean of its points; re-seed the empty ones.

    An empty cluster takes over the point that its own centroid serves worst, as in scikit-learn;
    points are taken in order of falling distance, never the last one of a cluster.

    Parameters
    ----------
    points : Points
    assignment : Assignment
    centroids : ndarray of shape (k, d)
        Kept where a cluster is empty and no point is left to re-seed it from.

    Returns
    -------
    new_centroids : ndarray of shape (k, d), dtype of ``centroids``
    reseeded : dict of int to int
        The point that each re-seeded cluster took over, as ``{point: cluster}``.
    """
    if assignment.sums is None or assignment.totals is None:
        labels = assignment.labels if assignment.members is None else assignment.members
        sums, totals = cluster_sums(points, labels, assignment.weights, len(centroids))
    else:
        sums, totals = assignment.sums, assignment.totals
    empty = np.flatnonzero(totals == 0)
    reseeded: dict[int, int] = {}
    if empty.size:
        worst = worst_served(points, assignment, min(points.n, 4 * empty.size + 16))
        columns = (worst.indices, worst.rows, worst.badness, worst.labels, worst.weights)
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
    new = cluster_means(sums, totals, centroids, unit=points.metric == "cosine")
    return new.astype(centroids.dtype), reseeded


def lloyd_steps(
    assigner: Assigner,
    centroids: np.ndarray,
    *,
    max_iter: int,
    tol_sq: float,
    done: int = 0,
    previous: np.ndarray | None = None,
    known: np.ndarray | None = None,
) -> Iterator[tuple[Step, str, np.ndarray]]:
    """Iterate until nothing changes: the loop of the whole package.

    Parameters
    ----------
    assigner : Assigner
        Holds the points and labels them.
    centroids : ndarray of shape (k, d)
        Start, in the working coordinates of ``assigner.points``.
    max_iter : int
        Iterations at most.
    tol_sq : float
        Stop when Σ ‖new_centroids − centroids‖² is at most this.
    done : int, default=0
        Iterations that an earlier run of the loop has been through; it goes on from there.
    previous, known : ndarrays of shape (n,), int32, optional
        Where it goes on: labels of the last iteration, and what that yielded as ``known``.

    Yields
    ------
    step : Step
        In working coordinates, with its arrays.
    stop_reason : str
        Empty while the loop goes on.
    known : ndarray of shape (n,), int32
        The labels that the next assignment starts from: those of the step, but for points that
        have become centroids of clusters that were empty.

    Notes
    -----
    Lloyd (1982), "Least squares quantization in PCM", IEEE Transactions on Information Theory
    28(2), doi 10.1109/TIT.1982.1056489.
    """
    points = assigner.points
    for iteration in range(done + 1, max_iter + 1):
        begin = time.perf_counter()
        assignment = assigner.assign(centroids, known)
        new_centroids, reseeded = update_centroids(points, assignment, centroids)
        if previous is None:
            n_moved = points.n
        elif assignment.n_moved is not None:
            n_moved = assignment.n_moved
        else:
            n_moved = int(np.count_nonzero(assignment.labels != previous))
        shift_sq = float(np.sum((new_centroids.astype(np.float64) - centroids) ** 2))
        step = Step(
            iteration=iteration,
            kind=assignment.kind,
            inertia=assignment.inertia,
            n_moved=n_moved,
            n_empty=len(reseeded),
            shift_sq=shift_sq,
            n_distances=assignment.n_distances,
            elapsed_s=time.perf_counter() - begin,
            labels=assignment.labels,
            centroids=centroids,
            new_centroids=new_centroids,
        )
        # a step that did not go to the means is no reason to stop: the next one may
        plain = assignment.members is None and assignment.kind != "relaxed"
        if n_moved == 0 and plain:
            reason = "labels unchanged"
        elif shift_sq <= tol_sq and plain:
            reason = "tolerance"
        elif assignment.finished:
            reason = "small gain"
        elif iteration == max_iter:
            reason = "max_iter"
        else:
            reason = ""
        previous, centroids = assignment.labels, new_centroids
        known = previous
        if reseeded:
            # the point now has a centroid of its own, which an approximate search may not find
            known = assigner.relabelled(previous, reseeded)
        # sums and distances would otherwise lie about while the next ones are made
        del assignment, new_centroids
        yield step, reason, known
        if reason:
            return


class SoFar:
    """What a fit has found at any moment: what is left of it where Ctrl-C ends it."""

    def __init__(self) -> None:
        #: the best of the starts that are through, and its cost
        self.best: Run | None = None
        self.cost = np.inf
        #: the start that is under way
        self.now: Run | None = None

    def take(self, run: Run, cost: float) -> None:
        """Note that a start is through."""
        # an earlier start that ended in the same clusters is as good
        if self.best is None or same_total(cost, run.centroids.dtype) < self.cost:
            self.cost, self.best = cost, run
        self.now = None


def _drain(
    assigner: Assigner,
    run: Run,
    so_far: SoFar,
    *,
    max_iter: int,
    tol_sq: float,
    trace: bool,
    callback: Callback | None,
    progress: bool,
    save: Callable[[Run], None] | None,
) -> Run:
    """Run the loop from where ``run`` stands to its end."""
    points = assigner.points
    after: Any = None
    line = Progress(progress, max_iter, f"k-means ({assigner.name})")
    assigner.watch(line)
    loop = lloyd_steps(
        assigner, run.centroids, max_iter=max_iter, tol_sq=tol_sq, done=run.done,
        previous=run.labels, known=run.known,
    )  # fmt: skip
    try:
        while not run.reason:
            step, reason, known = next(loop)
            # the loop gives each step its arrays; they are left out of it further down
            assert step.centroids is not None and step.new_centroids is not None
            assert step.labels is not None
            if trace or callback is not None:
                before = owned(points.outward(step.centroids)) if after is None else after
                after = owned(points.outward(step.new_centroids))
                # labels that lie on other machines are not brought here at each step
                seen = owned(step.labels) if isinstance(step.labels, np.ndarray) else None
                shown = replace(step, labels=seen, centroids=before, new_centroids=after)
            bare = replace(step, labels=None, centroids=None, new_centroids=None)
            del run.steps[run.done :]
            run.steps.append(shown if trace else bare)
            # one assignment: at any moment there is a whole run to fall back on
            so_far.now = run = Run(
                centroids=step.new_centroids,
                done=step.iteration,
                steps=run.steps,
                labels=step.labels,
                at=step.centroids,
                known=known,
                outliers=assigner.outliers,
                reason=reason,
            )
            if save is not None:
                save(run)
            line.update(step.iteration, f"inertia {step.inertia:.6g}, {step.n_moved:,} moved")
            if callback is not None:
                answer = callback(shown)
                # True itself, not any truthy value: a callback may return what it appended to
                if isinstance(answer, (bool, np.bool_)) and answer and not reason:
                    so_far.now = run = replace(run, reason="callback")
    except KeyboardInterrupt:
        line.close(f"{_iterations(run.done)} (interrupted)")
        raise
    line.close(f"{_iterations(run.done)} ({run.reason})")
    return run


def _iterations(n: int) -> str:
    return "1 iteration" if n == 1 else f"{n} iterations"


class _Shield:
    """Within it a further Ctrl-C loses nothing: it only ends what is `open`.

    The user has been heard already, and what remains is to hand over the result.
    """

    def __init__(self) -> None:
        self.open = False
        self._before: Any = None

    def __enter__(self) -> _Shield:
        if threading.current_thread() is threading.main_thread():
            # None where the handler is not Python's own
            self._before = signal.getsignal(signal.SIGINT)
            if self._before is not None:
                signal.signal(signal.SIGINT, self._hear)
        return self

    def __exit__(self, *exc: Any) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _hear(self, *args: Any) -> None:
        if self.open:
            self.open = False
            raise KeyboardInterrupt


def _warn_interrupted(text: str) -> None:
    warnings.warn(f"The fit was interrupted. {text}", AnnlabWarning, stacklevel=4)


def _begin(
    assigner: Assigner, init: Any, seeds: Points, n_clusters: int, rng: np.random.RandomState
) -> np.ndarray:
    """The start that was asked for; where none was, the assigner's own if it has one."""
    own = assigner.start(n_clusters, rng) if isinstance(init, str) and init == "k-means++" else None
    if own is not None:
        return own
    if isinstance(init, str) or callable(init):
        seeds = seeds.seeds(n_clusters, rng)
    return initial_centroids(init, seeds, n_clusters, rng)


def _warn_zero_rows(points: Points) -> None:
    n_zero = points.count_zero_rows()
    if n_zero:
        warnings.warn(
            f"{n_zero} rows of X are all zero and have no direction: "
            "they get label 0. Drop them, or use metric='euclidean'.",
            AnnlabWarning,
            stacklevel=4,
        )


def label_rows(X: Any, centroids: np.ndarray, *, metric: str, workers: Workers) -> np.ndarray:
    """Exact nearest centroid of each row, the same whatever other rows are asked with it.

    Parameters
    ----------
    X : ndarray or CSR of shape (n, d)
        Checked by the caller.
    centroids : ndarray of shape (k, d)
        In the caller's coordinates.
    metric : {"euclidean", "cosine"}
    workers : Workers

    Returns
    -------
    ndarray of shape (n,), int32

    Notes
    -----
    2·n·k·d operations.
    """
    points = Points(X, metric=metric, workers=workers, around=centroids)
    _warn_zero_rows(points)
    return ExactAssigner(points).label(points.inward(centroids))


def is_parted(X: Any, *, algorithm: Any = "auto") -> bool:
    """Tell whether a fit leaves X where it is and reads it part by part."""
    # a mapped file that the caller wants laid out anew is read like any array
    return is_dask(X) or (is_in_blocks(X) and not (algorithm == "graph" and is_mapped(X)))


def open_parts(X: Any, *, metric: str, sample_weight: Any, workers: Workers) -> PartedPoints:
    """Points that stay where they are: in blocks, or in the partitions of a Dask collection."""
    if is_dask(X):
        from annlab.rows.dask import DaskPoints

        return DaskPoints(X, metric=metric, sample_weight=sample_weight, workers=workers)
    return BlockPoints(X, metric=metric, sample_weight=sample_weight, workers=workers)


def label_parts(X: Any, centroids: np.ndarray, *, metric: str, workers: Workers) -> Any:
    """Exact labels of data in parts, as `label_rows` gives them; lazy for a Dask collection."""
    if is_dask(X):
        from annlab.rows.dask import lazy_labels

        return lazy_labels(X, centroids, metric=metric)
    points = _comparable(X, centroids, metric=metric, sample_weight=None, workers=workers)
    return last_assignment(points, centroids).labels


def distance_parts(X: Any, centroids: np.ndarray, *, metric: str) -> Any:
    """Distances of a Dask collection to all centroids, as a lazy Dask array of shape (n, k)."""
    from annlab.rows.dask import lazy_distances

    return lazy_distances(X, centroids, metric=metric)


def score_parts(
    X: Any, centroids: np.ndarray, *, metric: str, sample_weight: Any, workers: Workers
) -> float:
    """`exact_inertia` of data in parts, with exact labels."""
    points = _comparable(X, centroids, metric=metric, sample_weight=sample_weight, workers=workers)
    inertia = last_assignment(points, centroids).exact_inertia
    assert inertia is not None
    return inertia


def _comparable(
    X: Any, centroids: np.ndarray, *, metric: str, sample_weight: Any, workers: Workers
) -> PartedPoints:
    points = open_parts(X, metric=metric, sample_weight=sample_weight, workers=workers)
    if points.d != centroids.shape[1]:
        raise invalid(
            "X",
            f"an array with {centroids.shape[1]} columns",
            f"shape {(points.n, points.d)}",
            "Use the features that the centroids were made from.",
        )
    _warn_zero_rows(points)
    return points


def last_assignment(points: PartedPoints, centroids: np.ndarray) -> Assignment:
    """Exact labels and inertia of points in parts, for centroids in the caller's coordinates."""
    last = points.around(centroids)
    return PartAssigner(ExactAssigner(last), last, last=True).assign(last.inward(centroids), None)


class Stage:
    """What a variant of k-means may replace; this one replaces nothing."""

    #: Whether the variant works on points that are never together.
    takes_parts = True

    def settings(self) -> dict[str, Any]:
        """Parameters of the variant, by which a checkpoint knows it."""
        return {}

    def seed_points(self, points: Points, n_clusters: int, rng: np.random.RandomState) -> Points:
        """Points that a named start draws from."""
        return points

    def variance(self, points: Points) -> float:
        """Mean variance of the features, which ``tol`` is a share of."""
        return points.variance

    def wrap(self, assigner: Assigner) -> Assigner:
        """The assigner that the loop sees."""
        return assigner

    def cost(self, assigner: Assigner, centroids: np.ndarray) -> float:
        """How bad centroids are (working coordinates): the lowest of several starts is kept."""
        return assigner.assign(centroids, None).inertia

    def done(self, final: Assignment) -> None:
        """See the last assignment, which the result is made from."""


def fit_clusters(
    X: Any,
    n_clusters: int,
    max_iter: int,
    *,
    algorithm: Any,
    algorithm_params: dict[str, Any] | None,
    init: Any,
    n_init: int,
    tol: float,
    metric: str,
    sample_weight: Any,
    random_state: Any,
    n_jobs: int | None,
    trace: bool,
    callback: Callback | None,
    progress: bool,
    final_assignment: str = "auto",
    checkpoint: Any = None,
    stage: Stage | None = None,
) -> KMeansResult:
    """Check everything, then start, iterate, assign a last time and report.

    The body of `kmeans` and `kmeans_ann`, whose parameters these are.

    Parameters
    ----------
    stage : Stage, optional
        What a variant replaces: the points that starts are drawn from, the assigner, and the
        measure by which the best of several starts is chosen.
    """
    begin = time.perf_counter()
    check_choice(metric, "metric", ("euclidean", "cosine"))
    check_choice(final_assignment, "final_assignment", ("auto", "exact", "algorithm"))
    stage = stage or Stage()
    parted = is_parted(X, algorithm=algorithm) and (stage.takes_parts or not is_mapped(X))
    if parted and not stage.takes_parts:
        raise invalid(
            "X",
            "in memory, or a mapped .npy file, here",
            f"a {type(X).__name__}",
            "kmeans_ann takes data in parts.",
            error=TypeError,
        )
    n_clusters = check_integer(n_clusters, "n_clusters")
    weights = None
    if not parted:
        X = check_data(X, accept_sparse=True)
        check_n_clusters(n_clusters, X.shape[0])
        weights = check_sample_weight(sample_weight, X.shape[0])
    max_iter = check_integer(max_iter, "max_iter")
    n_init = check_integer(n_init, "n_init")
    tol = check_real(tol, "tol")
    rng = check_random_state(random_state)
    if callback is not None and not callable(callback):
        raise invalid("callback", "None or a function of one Step", repr(callback), error=TypeError)
    if algorithm_params is not None and not isinstance(algorithm_params, dict):
        raise invalid("algorithm_params", "None or a dict", repr(algorithm_params), error=TypeError)
    keeper = None if checkpoint is None else Checkpoint(checkpoint)
    if not isinstance(init, str) and not callable(init):
        n_init = 1
    so_far, shield = SoFar(), _Shield()
    recall: float | None
    interval: tuple[float, float] | None
    labels: Any

    def result() -> KMeansResult:
        return KMeansResult(
            labels=owned(_marked(labels, outliers)) if isinstance(labels, np.ndarray) else labels,
            centroids=owned(returned),
            inertia=inertia,
            n_iter=len(steps),
            converged=reason in ("labels unchanged", "tolerance", "small gain"),
            stop_reason=reason,
            n_distances=None if None in counts else int(sum(c for c in counts if c is not None)),
            trace=Trace(steps),
            algorithm=assigner.name,
            reason=why,
            metric=metric,
            elapsed_s=time.perf_counter() - begin,
            recall_estimate=recall,
            recall_interval=interval,
            outlier_mask=None if outliers is None else owned(outliers),
        )

    try:
        with Workers(n_jobs) as workers:
            saved: Saved | None = None
            points: Points
            if parted:
                points = open_parts(X, metric=metric, sample_weight=sample_weight, workers=workers)
                check_n_clusters(n_clusters, points.n)
                weights = points.sample_weight
            else:
                points = Points(X, metric=metric, sample_weight=weights, workers=workers)
            _warn_zero_rows(points)
            if keeper is not None:
                keeper.bind(
                    {
                        "X": data_digest(X, workers.map)
                        if not isinstance(points, PartedPoints)
                        else join_digests(f"{points.n} {points.d}", points.each(hash_rows)),
                        "n_clusters": str(n_clusters),
                        "max_iter": str(max_iter),
                        "algorithm": describe(algorithm),
                        "algorithm_params": describe(algorithm_params),
                        "init": describe(init),
                        "n_init": str(n_init),
                        "tol": repr(tol),
                        "metric": metric,
                        "sample_weight": describe(weights),
                        "random_state": describe(random_state),
                        "trace": str(bool(trace)),
                        "final_assignment": final_assignment,
                        "stage": describe(stage.settings()),
                    }
                )
                begun = twin_of(rng)
                saved = keeper.load(points.n, points.d, n_clusters, n_init, max_iter, trace)
                if saved is not None:
                    begun = saved.rng_begin
                    rng.set_state(begun.get_state())
                    begin -= saved.elapsed_s
            if saved is not None:
                points.shift = saved.shift
            # what "auto" chose depends on what was compiled then
            again = saved is not None and algorithm == "auto"
            inner, why = make_assigner(
                saved.algorithm if saved is not None and again else algorithm,
                points,
                n_clusters,
                algorithm_params or {},
                rng,
                workers.n_jobs,
                tol=tol,
                max_iter=max_iter,
                compiled=None if saved is None else saved.compiled,
            )
            if isinstance(points, PartedPoints):
                inner = PartAssigner(inner, points)
            assigner = stage.wrap(inner)
            seeds = stage.seed_points(points, n_clusters, rng)
            first, tol_sq = 0, tol * stage.variance(points)
            if saved is not None:
                why = saved.why if again else why
                first, tol_sq = saved.turn, saved.tol_sq
                so_far.best, so_far.cost = saved.best, saved.best_cost
                rng.set_state(saved.rng_now.get_state())
            for turn in range(first, n_init):
                if saved is not None and turn == first:
                    run, labels = saved.run, saved.run.labels
                    try:
                        assigner.restore(saved.assigner, labels, n_clusters)
                    except (KeyError, TypeError, ValueError, AttributeError) as fault:
                        assert keeper is not None
                        raise keeper.damaged(fault) from fault
                    so_far.now = run
                else:
                    # an assigner that remembers the start before would look for points there
                    assigner.restore({}, None, n_clusters)
                    run = Run(_begin(assigner, init, seeds, n_clusters, rng))
                    if inner.begun:
                        logging.getLogger("annlab").info("start: %s", inner.begun)
                        # of several starts one is returned, and not always the last
                        if why and n_init == 1:
                            why = f"{why}; {inner.begun}"

                def save(run: Run, turn: int = turn, why: str = why) -> None:
                    assert keeper is not None
                    keeper.save(
                        Saved(
                            algorithm=inner.name,
                            why=why,
                            compiled=inner.compiled,
                            shift=points.shift,
                            tol_sq=tol_sq,
                            rng_begin=begun,
                            rng_now=rng,
                            turn=turn,
                            run=run,
                            assigner=assigner.state(),
                            best=so_far.best,
                            best_cost=so_far.cost,
                            elapsed_s=time.perf_counter() - begin,
                        )
                    )

                run = _drain(
                    assigner,
                    run,
                    so_far,
                    max_iter=max_iter,
                    tol_sq=tol_sq,
                    trace=trace,
                    callback=callback,
                    progress=progress,
                    save=None if keeper is None else save,
                )
                so_far.take(run, stage.cost(assigner, run.centroids) if n_init > 1 else 0.0)
                if run.reason == "callback":
                    break
            best, ended = so_far.best, run.reason
            assert best is not None
            steps, reason = best.steps, ended if ended == "callback" else best.reason
            returned = points.outward(best.centroids)
            if (
                assigner.exact
                or final_assignment == "exact"
                or (final_assignment == "auto" and n_clusters <= assigner.exact_below)
            ):
                # the rule of predict, so that labels == predict(X) to the last near-tie
                if isinstance(points, PartedPoints):
                    final = last_assignment(points, returned)
                else:
                    last = Points(
                        X, metric=metric, sample_weight=weights, workers=workers, around=returned
                    )
                    final = stage.wrap(assigner.again(last)).assign(last.inward(returned), None)
                recall, interval = 1.0, None
            else:
                final = assigner.final(points.inward(returned), best.labels)
                recall, interval = recall_of(points, final.labels, points.inward(returned), rng)
            labels = final.labels
            outliers = final.outliers
            if final.exact_inertia is not None and final.n_used is not None:
                inertia, n_used = final.exact_inertia, final.n_used
            else:
                marked = _marked(labels, outliers)
                inertia = exact_inertia(
                    X, returned, marked, metric, weights, workers, compiled=inner.compiled
                )
                used = np.bincount(labels[labels >= 0], minlength=n_clusters)
                n_used = int(np.count_nonzero(used))
            counts = [step.n_distances for step in steps] + [final.n_distances]
            stage.done(final)
    except KeyboardInterrupt:
        # what follows is short, whatever the data: no point is assigned any more
        with shield:
            best = so_far.best or so_far.now
            if best is None or best.labels is None or best.at is None:
                raise
            steps, reason = best.steps[: best.done], "interrupted"
            returned, labels, outliers = points.outward(best.at), best.labels, best.outliers
            recall, interval = (1.0 if assigner.exact else None), None
            inertia, n_used = steps[-1].inertia, n_clusters
            counts = [step.n_distances for step in steps]
            try:
                shield.open = True
                if isinstance(points, PartedPoints):
                    # what is not here is not read once more
                    labels = points.labels_so_far(labels, returned)
                else:
                    with Workers(n_jobs) as workers:
                        marked = _marked(labels, outliers)
                        inertia = exact_inertia(
                            X, returned, marked, metric, weights, workers, compiled=inner.compiled
                        )
                shield.open = False
            except KeyboardInterrupt:
                # the step's own is as good, but for rounding
                pass
            text = f"The result is that of {_iterations(len(steps))}. "
            if so_far.best is not None and n_init > 1:
                text = "The result is that of an earlier one of the n_init starts. "
            elsewhere = "init=result.centroids" if keeper is None else "the same checkpoint"
            _warn_interrupted(f"{text}Fit again with {elsewhere} to go on.")
            return result()
    if n_used < n_clusters:
        _warn_unused(n_used, n_clusters)
    if keeper is not None and reason != "callback":
        keeper.remove()
    return result()


def _marked(labels: np.ndarray, outliers: np.ndarray | None) -> np.ndarray:
    """Labels with −1 for outliers."""
    return labels if outliers is None else np.where(outliers, np.int32(-1), labels)


def _warn_unused(used: int, n_clusters: int) -> None:
    warnings.warn(
        f"Only {used} of n_clusters={n_clusters} clusters have points: X has too few distinct "
        "rows, or too many rows without a direction. Ask for fewer clusters.",
        AnnlabWarning,
        stacklevel=4,
    )


#: Points whose labels are checked, and how many standard errors make an interval of 95 %.
_CHECKED = 2000
_Z = 1.96


def recall_of(
    points: Points, labels: np.ndarray, centroids: np.ndarray, rng: np.random.RandomState
) -> tuple[float, tuple[float, float]]:
    """Estimate the share of labels that name the exact nearest centroid, on 2,000 points.

    Parameters
    ----------
    points : Points
    labels : ndarray of shape (n,), int32
    centroids : ndarray of shape (k, d), working coordinates
    rng : RandomState

    Returns
    -------
    share : float
        A label whose centroid is as near as the nearest, to seven digits, counts as exact.
    interval : tuple of float
        Wilson's interval of 95 % (Wilson 1927, doi 10.1080/01621459.1927.10502953); the share
        twice where all points were checked.

    Notes
    -----
    2·2,000·k·d operations.
    """
    size = min(points.n, _CHECKED)
    chosen = np.arange(points.n) if size == points.n else rng.choice(points.n, size, replace=False)
    # points in parts are looked up in one pass; sparse ones become dense, so only some at a time
    source: Any = points if points.sparse else points.rows(chosen)
    tasks = [
        (source[a:b] if source is not points else points, chosen[a:b], labels, centroids)
        for a, b in chunk_bounds(size, 256)
    ]
    right = int(sum(points.workers.map(_count_right, tasks)))
    share = right / size
    if size == points.n:
        return share, (share, share)
    spread = _Z * np.sqrt(share * (1 - share) / size + (_Z / (2 * size)) ** 2)
    middle, scale = share + _Z**2 / (2 * size), 1 + _Z**2 / size
    return share, (float((middle - spread) / scale), float(min(1.0, (middle + spread) / scale)))


def _count_right(source: Any, chosen: np.ndarray, labels: np.ndarray, centroids: np.ndarray) -> int:
    rows = source.rows(chosen) if isinstance(source, Points) else source
    least = paired_sq(rows, centroids, nearest(rows, centroids))
    got = paired_sq(rows, centroids, labels[chosen])
    return int(np.count_nonzero(got <= least * (1 + 1e-7)))


def exact_inertia(
    X: Any,
    centroids: np.ndarray,
    labels: np.ndarray,
    metric: str,
    weights: np.ndarray | None,
    workers: Workers,
    *,
    compiled: bool | None = False,
) -> float:
    """Σ w ‖x − c‖² in float64, in the caller's coordinates; labels of −1 are left out.

    For cosine both sides are scaled to length 1 first. ``compiled`` adds up in compiled loops,
    where they are loaded. They round the last bit differently; so a fit asks for them if its
    iterations ran in them, and not because something else has loaded them.

    Notes
    -----
    3·n·d operations.
    """
    if compiled and metric == "euclidean" and X.__class__ is np.ndarray and X.dtype == np.float32:
        from annlab._kernels_cache import load_kernels

        kernels = load_kernels(compile=False, load=False)
        if kernels is not None and X.flags.c_contiguous:
            w = np.empty(0) if weights is None else weights
            target = centroids.astype(np.float64)
            bounds = chunk_bounds(len(X), max(1024, (1 << 18) // X.shape[1]))
            tasks = [(X, w, labels, target, a, b) for a, b in bounds]
            return float(sum(workers.map(kernels.paired_inertia, tasks, work=2 * X.size)))
    rows = max(256, (1 << 18) // max(X.shape[1], 1))
    target = centroids.astype(np.float64)
    if metric == "cosine":
        target = unit_rows(target)[0]
    chunks = [
        (X[a:b], target, labels[a:b], None if weights is None else weights[a:b], metric)
        for a, b in chunk_bounds(X.shape[0], rows)
    ]
    work = 8.0 * X.shape[0] * X.shape[1]
    return float(sum(workers.map(inertia_of_rows, chunks, work=work)))

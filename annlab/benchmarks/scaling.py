"""Where the time of one k-means iteration goes when several cores share it.

The loop is the package's own: `annlab.fit.searches` labels the points, `annlab.lloyd` moves the
centroids. Only the `annlab._support.threads.Workers` that hand out the chunks are replaced by ones
with a clock in them, and by ones that send the chunks to processes, as the slide deck does.
"""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from annlab._support.checks import check_choice, check_data, check_integer, check_real
from annlab._support.errors import invalid
from annlab._support.threads import Workers, chunk_bounds, single_threaded_blas
from annlab.fit.searches import ExactAssigner, _nearest_chunk
from annlab.lloyd import update_centroids
from annlab.rows.memory import Points

#: How an iteration may be spread over cores.
WAYS = ("threads", "processes", "new processes")
#: Iterations over which a pool that serves a whole fit is written off.
FIT_ITERATIONS = 10
#: The parts of an iteration, in the order in which they are drawn.
PARTS = ("assign", "update", "overhead", "pool start", "data transfer")


@dataclass(frozen=True, eq=False)
class IterationCost:
    """One iteration: its seconds, by what they went into, and what came out.

    Attributes
    ----------
    way : str
        One of `WAYS`.
    n_jobs, n_chunks : int
    n_sharers : int
        Workers that had something to do: no more than there are chunks, one where so little is
        to be done that it is not handed out.
    assign_s, update_s : float
        Labelling the points and moving the centroids: the work of the tasks divided by the
        workers that shared it, and what one core does alone.
    overhead_s : float
        Handing out, and waiting for the last task.
    start_s : float
        Starting the pool (and ending it): each iteration's own, or a tenth of the one of a fit.
    transfer_s : float
        Sending rows and centroids to other processes, and labels back.
    assign_tasks_s, update_tasks_s : float
        Seconds inside tasks that workers share, all workers together.
    sent_bytes : int
        Bytes through pipes, both ways.
    labels : ndarray of shape (n,), int32
    centroids : ndarray of shape (k, d)
        After the update.
    """

    way: str
    n_jobs: int
    n_chunks: int
    n_sharers: int
    assign_s: float
    update_s: float
    overhead_s: float
    start_s: float
    transfer_s: float
    assign_tasks_s: float
    update_tasks_s: float
    sent_bytes: int
    labels: np.ndarray
    centroids: np.ndarray

    @property
    def parts(self) -> dict[str, float]:
        """Seconds by the names of `PARTS`."""
        values = (self.assign_s, self.update_s, self.overhead_s, self.start_s, self.transfer_s)
        return dict(zip(PARTS, values, strict=True))

    @property
    def total_s(self) -> float:
        """Seconds of the whole iteration."""
        return sum(self.parts.values())

    @property
    def serial_share(self) -> float:
        """Share of the time on one core outside tasks: no second worker could take it over."""
        if self.n_jobs != 1:
            raise invalid("serial_share", "read from one worker's iteration", self.n_jobs)
        return max(0.0, 1.0 - (self.assign_tasks_s + self.update_tasks_s) / self.total_s)

    def same_bits(self, other: IterationCost) -> bool:
        """Tell whether labels and centroids are the same to the last bit."""
        return (
            self.labels.tobytes() == other.labels.tobytes()
            and self.centroids.tobytes() == other.centroids.tobytes()
        )


def amdahl(serial_share: float, n_jobs: Any) -> Any:
    """Largest speed-up that ``n_jobs`` workers can reach where a share of the work is serial.

    Parameters
    ----------
    serial_share : float
        From 0 to 1.
    n_jobs : int or array-like

    Returns
    -------
    float, or ndarray where ``n_jobs`` is one
        1 / (s + (1 − s) / p).

    Raises
    ------
    ValueError

    Notes
    -----
    Amdahl (1967), "Validity of the single processor approach to achieving large scale computing
    capabilities", doi 10.1145/1465482.1465560.

    Examples
    --------
    >>> from annlab.benchmarks.scaling import amdahl
    >>> amdahl(0.0, 4), amdahl(0.25, 4), amdahl(1.0, 4)
    (4.0, 2.2857142857142856, 1.0)
    """
    share = check_real(serial_share, "serial_share")
    if share > 1:
        raise invalid("serial_share", "at most 1", serial_share)
    workers = np.asarray(n_jobs, dtype=np.float64)
    if not np.all(workers >= 1):
        raise invalid("n_jobs", "at least 1", n_jobs)
    answer = 1.0 / (share + (1.0 - share) / workers)
    return float(answer) if answer.ndim == 0 else answer


def predict_parts(cost: IterationCost, n_jobs: int) -> dict[str, float]:
    """Reckon the parts of an iteration with more workers than were measured.

    Parameters
    ----------
    cost : IterationCost
        Measured with as many workers as there are cores, or with one.
    n_jobs : int
        At least as many.

    Returns
    -------
    dict of str to float
        As `IterationCost.parts`. The tasks are shared by all workers, as far as there are chunks;
        handing out, the pool and the bytes that travel cost what they cost before, which is the
        least that they can.

    Raises
    ------
    ValueError

    Notes
    -----
    From one worker, and where nothing has to be sent or handed out, this is Amdahl's law.

    Examples
    --------
    >>> import numpy as np
    >>> from annlab.benchmarks.scaling import IterationCost, predict_parts
    >>> none = np.zeros(0)
    >>> one = IterationCost(
    ...     "processes", 1, 16, 1, assign_s=8.0, update_s=2.0, overhead_s=0.0, start_s=0.5,
    ...     transfer_s=1.0, assign_tasks_s=8.0, update_tasks_s=0.0, sent_bytes=0, labels=none,
    ...     centroids=none,
    ... )
    >>> predict_parts(one, 4)["assign"], predict_parts(one, 4)["update"]
    (2.0, 2.0)
    """
    n_jobs = check_integer(n_jobs, "n_jobs", minimum=cost.n_jobs)
    parts = cost.parts
    # what was not worth handing out, or cannot be cut, stays with one worker
    if cost.n_jobs == 1 or cost.n_sharers > 1:
        saved = 1.0 / cost.n_sharers - 1.0 / min(n_jobs, cost.n_chunks)
        parts["assign"] -= saved * cost.assign_tasks_s
        parts["update"] -= saved * cost.update_tasks_s
    return parts


def process_context() -> Any:
    """Start method for pools of processes that are safe beside threads.

    Returns
    -------
    multiprocessing.context.BaseContext
        A server that has imported everything already and is forked from (``forkserver``), the
        kindest case; a new interpreter for each process (``spawn``) where there is no such
        server. A notebook's own process is never forked: it has threads.

    Examples
    --------
    >>> from annlab.benchmarks.scaling import process_context
    >>> process_context().get_start_method() in ("forkserver", "spawn")
    True
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["annlab.benchmarks.scaling", "annlab.benchmarks.deck_parallel"])
    return context


def _pickled(value: Any) -> int:
    from multiprocessing.reduction import ForkingPickler

    return len(ForkingPickler.dumps(value))


class RecordedPool:
    """A stand-in for `multiprocessing.Pool` that counts pools and the bytes through their pipes.

    Parameters
    ----------
    make : callable
        Makes the real pool: called with the number of processes.

    Attributes
    ----------
    n_pools, n_processes, sent_bytes : int
        What was started in all; bytes of tasks and answers together.

    Notes
    -----
    Counting pickles everything a second time, so a run that is recorded is not one to be timed.

    Examples
    --------
    >>> from annlab.benchmarks.scaling import RecordedPool
    >>> pool = RecordedPool.inline()
    >>> with pool(2) as workers:
    ...     workers.map(len, ["one", "three"])
    [3, 5]
    >>> pool.n_pools, pool.n_processes, pool.sent_bytes > 0
    (1, 2, True)
    """

    def __init__(self, make: Callable[[int], Any]) -> None:
        self._make, self._pool = make, None
        self.n_pools = self.n_processes = self.sent_bytes = 0

    @classmethod
    def inline(cls) -> RecordedPool:
        """One that starts no process: the caller does all tasks."""
        from multiprocessing.dummy import Pool

        return cls(lambda n_jobs: Pool(1))

    def __call__(self, n_jobs: int) -> RecordedPool:
        self.n_pools += 1
        self.n_processes += n_jobs
        self._pool = self._make(n_jobs)
        return self

    def __enter__(self) -> RecordedPool:
        return self

    def __exit__(self, *exc: Any) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.terminate()
            pool.join()

    def map(self, function: Callable[[Any], Any], tasks: Iterable[Any]) -> list[Any]:
        """As `multiprocessing.pool.Pool.map`."""
        todo = list(tasks)
        assert self._pool is not None, "used outside of its with block"
        answers = self._pool.map(function, todo)
        self.sent_bytes += sum(map(_pickled, todo)) + sum(map(_pickled, answers))
        return list(answers)


def _clocked(function: Callable[..., Any], *task: Any) -> tuple[Any, float, int]:
    begin = perf_counter()
    answer = function(*task)
    return answer, perf_counter() - begin, threading.get_ident()


def _answer_nothing(*task: Any) -> None:
    """Receive a task and do nothing: what remains is the transport."""


def _one_blas_thread() -> None:
    # for the life of the process: its tasks are its share of the cores
    single_threaded_blas().__enter__()


_booted = False


def _boot() -> None:
    """Start the server that processes are forked from: the first pool of a session waits for it."""
    global _booted
    if not _booted:
        with process_context().Pool(1) as first:
            first.map(_answer_nothing, range(1))
        _booted = True


@dataclass
class _Lap:
    """One ``map`` of an iteration."""

    assigning: bool
    wall_s: float
    tasks_s: float
    sharers: int
    n_tasks: int
    start_s: float = 0.0
    transfer_s: float = 0.0
    sent_bytes: int = 0


class _ClockedWorkers(Workers):
    """Workers that write down how long each map took, and where."""

    def __init__(self, n_jobs: int, way: str) -> None:
        super().__init__(n_jobs)
        self.way = way
        self.laps: list[_Lap] = []
        #: seconds inside a map that are not the iteration's: only the clock needed them
        self.aside_s = 0.0
        self.pool_s = 0.0
        self._processes: Any = None

    def __enter__(self) -> _ClockedWorkers:
        super().__enter__()
        if self.way == "threads":
            begin = perf_counter()
            super().map(int, [()] * self.n_jobs)
            self.pool_s = perf_counter() - begin
        else:
            _boot()
            if self.way == "processes":
                begin = perf_counter()
                self._processes = self._start()
                self.pool_s = perf_counter() - begin
        return self

    def __exit__(self, *exc: Any) -> None:
        self._end()
        super().__exit__(*exc)

    def _start(self) -> Any:
        pool = process_context().Pool(self.n_jobs, initializer=_one_blas_thread)
        # started is not ready: each answers once
        pool.map(_answer_nothing, range(self.n_jobs), chunksize=1)
        return pool

    def _end(self) -> None:
        pool, self._processes = self._processes, None
        if pool is not None:
            pool.terminate()
            pool.join()

    def map(
        self,
        function: Callable[..., Any],
        tasks: Iterable[Sequence[Any]],
        work: float = float("inf"),
    ) -> list[Any]:
        todo = [(function, *task) for task in tasks]
        assigning = function is _nearest_chunk
        if self.way != "threads" and assigning:
            return self._in_processes(todo)
        begin = perf_counter()
        if self.way == "threads":
            found = super().map(_clocked, todo, work)
        else:
            found = [_clocked(*task) for task in todo]
        wall_s = perf_counter() - begin
        alone = {seat for *_, seat in found} <= {threading.get_ident()}
        sharers = 1 if alone else min(self.n_jobs, len(todo))
        tasks_s = sum(seconds for _, seconds, _ in found)
        self.laps.append(_Lap(assigning, wall_s, tasks_s, sharers, len(todo)))
        return [answer for answer, *_ in found]

    def _in_processes(self, todo: list[Any]) -> list[Any]:
        begin = perf_counter()
        if self._processes is None:
            self._processes = self._start()
        started = perf_counter()
        found = self._processes.starmap(_clocked, todo, chunksize=1)
        done = perf_counter()
        self._processes.starmap(_answer_nothing, todo, chunksize=1)
        sent = perf_counter()
        sent_bytes = sum(map(_pickled, todo)) + sum(_pickled(answer) for answer in found)
        tasks_s = sum(seconds for _, seconds, _ in found)
        sharers = min(self.n_jobs, len(todo))
        start_s = started - begin
        counted = perf_counter()
        if self.way == "new processes":
            self._end()
        start_s += perf_counter() - counted
        wall_s = done - started
        transfer_s = min(sent - done, max(0.0, wall_s - tasks_s / sharers))
        self.aside_s += counted - done
        self.laps.append(
            _Lap(True, wall_s, tasks_s, sharers, len(todo), start_s, transfer_s, sent_bytes)
        )
        return [answer for answer, *_ in found]


class _ChunkedPoints(Points):
    """Points whose chunks have a size of the caller's choice."""

    def __init__(self, X: np.ndarray, rows: int | None, workers: Workers) -> None:
        self._rows = rows
        super().__init__(X, workers=workers)

    def bounds(self) -> list[tuple[int, int]]:
        return super().bounds() if self._rows is None else chunk_bounds(self.n, self._rows)


def measure_iteration(
    X: Any,
    centroids: Any,
    n_jobs: int = 1,
    *,
    way: str = "threads",
    chunk_rows: int | None = None,
    repeats: int = 3,
    callback: Callable[[], Any] | None = None,
) -> IterationCost:
    """Run one exact k-means iteration with a clock in it.

    Parameters
    ----------
    X : array-like of shape (n, d)
    centroids : array-like of shape (k, d)
    n_jobs : int, default=1
        Workers.
    way : {"threads", "processes", "new processes"}, default="threads"
        Threads that read X where it lies (annlab's way); one pool of processes for a fit, to which
        the chunks are sent in each iteration; or a new pool in each iteration (the deck's way).
    chunk_rows : int, optional
        Rows of a chunk; None means annlab's own rule, which knows n and d and not ``n_jobs``.
    repeats : int, default=3
        Iterations to time, after one that does not count; the quickest is returned.
    callback : callable, optional
        Called after each of them; may raise to end the measurement.

    Returns
    -------
    IterationCost

    Raises
    ------
    TypeError, ValueError

    Notes
    -----
    (repeats + 1) · 2·n·k·d operations. Sending alone is timed by a second round of tasks that do
    nothing; the round itself is not counted.

    Examples
    --------
    >>> import numpy as np
    >>> from annlab.benchmarks.scaling import measure_iteration
    >>> X = np.random.RandomState(0).rand(2000, 8)
    >>> one, two = (measure_iteration(X, X[:20], n_jobs, repeats=1) for n_jobs in (1, 2))
    >>> one.same_bits(two), one.n_chunks, one.total_s > 0
    (True, 8, True)
    """
    X = check_data(X)
    centroids = check_data(centroids, name="centroids", n_features=X.shape[1])
    n_jobs = check_integer(n_jobs, "n_jobs")
    check_choice(way, "way", WAYS)
    if chunk_rows is not None:
        chunk_rows = check_integer(chunk_rows, "chunk_rows")
    repeats = check_integer(repeats, "repeats")
    found = []
    with _ClockedWorkers(n_jobs, way) as workers:
        points = _ChunkedPoints(X, chunk_rows, workers)
        points.settle()
        assigner = ExactAssigner(points)
        start = points.inward(centroids)
        for _ in range(repeats + 1):
            found.append(_one_iteration(assigner, start, workers))
            if callback is not None:
                callback()
    return min(found[1:], key=lambda cost: cost.total_s)


def _one_iteration(
    assigner: ExactAssigner, start: np.ndarray, workers: _ClockedWorkers
) -> IterationCost:
    workers.laps.clear()
    workers.aside_s = 0.0
    begin = perf_counter()
    assignment = assigner.assign(start, None)
    assigned = perf_counter()
    moved, _ = update_centroids(assigner.points, assignment, start)
    end = perf_counter()
    (lap,) = (lap for lap in workers.laps if lap.assigning)
    others = [lap for lap in workers.laps if not lap.assigning]
    shared_s = lap.tasks_s / lap.sharers
    assign_s = assigned - begin - workers.aside_s - lap.start_s - lap.wall_s + shared_s
    waited_s = sum(one.wall_s - one.tasks_s / one.sharers for one in others)
    start_s = lap.start_s if workers.way == "new processes" else workers.pool_s / FIT_ITERATIONS
    # in processes the update is the parent's, which no second process takes over
    update_tasks_s = sum(one.tasks_s for one in others) if workers.way == "threads" else 0.0
    return IterationCost(
        way=workers.way,
        n_jobs=workers.n_jobs,
        n_chunks=lap.n_tasks,
        n_sharers=lap.sharers,
        assign_s=max(0.0, assign_s),
        update_s=max(0.0, end - assigned - waited_s),
        overhead_s=max(0.0, lap.wall_s - lap.transfer_s - shared_s + waited_s),
        start_s=start_s,
        transfer_s=lap.transfer_s,
        assign_tasks_s=lap.tasks_s,
        update_tasks_s=update_tasks_s,
        sent_bytes=lap.sent_bytes,
        labels=assignment.labels,
        centroids=assigner.points.outward(moved),
    )

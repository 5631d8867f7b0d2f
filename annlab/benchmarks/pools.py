"""Threads and processes with a clock, for measurements of parallel work."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar

from annlab._support.threads import Workers, single_threaded_blas

if TYPE_CHECKING:
    from multiprocessing.context import BaseContext
    from multiprocessing.pool import Pool


T = TypeVar("T")
#: Iterations over which the start of a pool for a whole fit is spread.
FIT_ITERATIONS = 10


def process_context() -> BaseContext:
    """Return a start method for pools of processes that is safe beside threads.

    Returns
    -------
    multiprocessing.context.BaseContext
        ``forkserver``, with all imports done, or ``spawn`` where that does not exist. A notebook's
        own process is never forked, because it has threads.

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


def _pickled(value: object) -> int:
    from multiprocessing.reduction import ForkingPickler

    return len(ForkingPickler.dumps(value))


class RecordedPool:
    """Count the pools that are made, and the bytes through their pipes.

    Counting pickles everything a second time, so do not time a recorded run.

    Parameters
    ----------
    make : callable
        Makes the real pool; called with the number of processes.

    Attributes
    ----------
    n_pools, n_processes, sent_bytes : int
        Totals; bytes of tasks and answers together.

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

    def __init__(self, make: Callable[[int], Pool]) -> None:
        self._make = make
        self._pool: Pool | None = None
        self.n_pools = self.n_processes = self.sent_bytes = 0

    @classmethod
    def inline(cls) -> RecordedPool:
        """Return a pool without processes: the caller runs all tasks."""
        from multiprocessing.dummy import Pool

        return cls(lambda n_jobs: Pool(1))

    def __call__(self, n_jobs: int) -> RecordedPool:
        self.n_pools += 1
        self.n_processes += n_jobs
        self._pool = self._make(n_jobs)
        return self

    def __enter__(self) -> RecordedPool:
        return self

    def __exit__(self, *exc: object) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.terminate()
            pool.join()

    def map(self, function: Callable[[Any], Any], tasks: Iterable[Any]) -> list[Any]:
        """Apply a function as `multiprocessing.pool.Pool.map` does."""
        todo = list(tasks)
        assert self._pool is not None, "used outside of its with block"
        answers = self._pool.map(function, todo)
        self.sent_bytes += sum(map(_pickled, todo)) + sum(map(_pickled, answers))
        return list(answers)


def _clocked(function: Callable[..., T], *task: object) -> tuple[T, float, int]:
    begin = perf_counter()
    answer = function(*task)
    return answer, perf_counter() - begin, threading.get_ident()


def _answer_nothing(*task: object) -> None:
    """Receive a task and do nothing, to time its transport."""


def _one_blas_thread() -> None:
    # for the life of the process, which uses one core
    single_threaded_blas().__enter__()


_booted = False


def _boot() -> None:
    """Start the server that processes are forked from, once in a session."""
    global _booted
    if not _booted:
        with process_context().Pool(1) as first:
            first.map(_answer_nothing, range(1))
        _booted = True


@dataclass(frozen=True)
class Lap:
    """One round of tasks: their answers and its seconds."""

    answers: list[Any]
    wall_s: float
    tasks_s: float
    sharers: int
    start_s: float = 0.0
    transfer_s: float = 0.0
    sent_bytes: int = 0

    @property
    def shared_s(self) -> float:
        """Seconds inside tasks if all sharers worked side by side."""
        return self.tasks_s / self.sharers

    @property
    def overhead_s(self) -> float:
        """Seconds for handing out tasks and waiting for the last one."""
        return self.wall_s - self.transfer_s - self.shared_s


class Crew:
    """Workers of one kind, threads or processes, with clocks."""

    def __init__(self, n_jobs: int, way: str) -> None:
        self.n_jobs, self.way = n_jobs, way
        self._workers = Workers(n_jobs)
        self._pool: Pool | None = None
        #: Share of one iteration in starting the workers of a whole fit.
        self.start_s = 0.0

    def __enter__(self) -> Crew:
        self._workers.__enter__()
        begin = perf_counter()
        if self.way == "threads":
            self._workers.map(int, [()] * self.n_jobs)
        else:
            _boot()
            begin = perf_counter()
            if self.way == "processes":
                self._pool = self._new_pool()
        if self.way != "new processes":
            self.start_s = (perf_counter() - begin) / FIT_ITERATIONS
        return self

    def __exit__(self, *exc: object) -> None:
        self._end_pool()
        self._workers.__exit__(*exc)

    def _new_pool(self) -> Pool:
        pool = process_context().Pool(self.n_jobs, initializer=_one_blas_thread)
        # wait until each process is ready
        pool.map(_answer_nothing, range(self.n_jobs), chunksize=1)
        return pool

    def _end_pool(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.terminate()
            pool.join()

    def in_threads(
        self, function: Callable[..., object], tasks: Sequence[Sequence[object]], work: float
    ) -> Lap:
        """Run tasks that share X."""
        begin = perf_counter()
        found = self._workers.map(_clocked, [(function, *task) for task in tasks], work)
        wall_s = perf_counter() - begin
        alone = {seat for *_, seat in found} <= {threading.get_ident()}
        sharers = 1 if alone else min(self.n_jobs, len(tasks))
        answers = [answer for answer, *_ in found]
        return Lap(answers, wall_s, sum(seconds for _, seconds, _ in found), sharers)

    def in_processes(
        self, function: Callable[..., object], tasks: Sequence[Sequence[object]]
    ) -> Lap:
        """Send tasks to processes; time the sending by a second, empty round."""
        todo = [(function, *task) for task in tasks]
        begin = perf_counter()
        pool = self._pool or self._new_pool()
        started = perf_counter()
        found = pool.starmap(_clocked, todo, chunksize=1)
        done = perf_counter()
        pool.starmap(_answer_nothing, todo, chunksize=1)
        sent = perf_counter()
        start_s = started - begin
        if self._pool is None:
            self._pool = pool
            self._end_pool()
            start_s += perf_counter() - sent
        tasks_s = sum(seconds for _, seconds, _ in found)
        sharers = min(self.n_jobs, len(todo))
        return Lap(
            answers=[answer for answer, *_ in found],
            wall_s=done - started,
            tasks_s=tasks_s,
            sharers=sharers,
            start_s=start_s,
            transfer_s=min(sent - done, max(0.0, done - started - tasks_s / sharers)),
            sent_bytes=sum(map(_pickled, todo)) + sum(map(_pickled, found)),
        )

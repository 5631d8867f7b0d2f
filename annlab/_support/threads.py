"""Threads of the package: their number, and an ordered map over chunks.

A fit has the same bits for every ``n_jobs``: bounds of chunks depend on the data alone, each chunk
is computed with single-threaded BLAS, and results are combined in the order of the chunks.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from annlab._support.errors import invalid

T = TypeVar("T")


def available_cpus() -> int:
    """Count the available cores, within container quotas and affinity."""
    from joblib import cpu_count

    return int(cpu_count())


def _configured() -> tuple[Any, int | None]:
    """Return backend and n_jobs of joblib's ``parallel_config``; None if not set."""
    from joblib import parallel

    config = getattr(getattr(parallel, "_backend", None), "config", None)
    if not config:
        return None, None
    backend, n_jobs = config.get("backend"), config.get("n_jobs")
    # values that are not set are sentinels of joblib
    is_backend = hasattr(backend, "configure") or hasattr(backend, "apply_async")
    return backend if is_backend else None, n_jobs if isinstance(n_jobs, int) else None


def resolve_n_jobs(n_jobs: int | None) -> int:
    """Turn ``n_jobs`` into a number of threads (at least 1).

    Parameters
    ----------
    n_jobs : int or None
        None: the value of ``joblib.parallel_config``, else all cores of this process; 1 inside a
        parallel task of joblib. Negative: ``cores + 1 + n_jobs``, as in joblib.

    Raises
    ------
    ValueError
        If it is 0 or not an integer.
    """
    import numbers

    if n_jobs is None:
        backend, configured = _configured()
        if configured is None:
            nested = (getattr(backend, "nesting_level", 0) or 0) > 0
            return 1 if nested else available_cpus()
        n_jobs = configured
    if not isinstance(n_jobs, numbers.Integral) or isinstance(n_jobs, bool) or n_jobs == 0:
        raise invalid(
            "n_jobs",
            "None or an integer other than 0",
            repr(n_jobs),
            "Use n_jobs=-1 or None for all cores, n_jobs=1 for one.",
        )
    return int(n_jobs) if n_jobs > 0 else max(1, available_cpus() + 1 + int(n_jobs))


def chunk_bounds(n: int, rows: int) -> list[tuple[int, int]]:
    """Cut ``range(n)`` into chunks of ``rows``; the last one may be shorter.

    Examples
    --------
    >>> from annlab._support.threads import chunk_bounds
    >>> chunk_bounds(10, 4)
    [(0, 4), (4, 8), (8, 10)]
    """
    return [(start, min(start + rows, n)) for start in range(0, n, rows)]


_blas_lock = threading.Lock()
_controller: Any = None
_limits: list[Any] = []
_holders = 0
#: How many modules were loaded when BLAS libraries were last looked for.
_modules = 0


def _take_blas_control() -> None:
    """Let this thread set limits; the caller holds the lock.

    threadpoolctl >= 3.8 silently ignores all threads but the first one that set a limit.
    """
    import threadpoolctl

    controller = getattr(threadpoolctl, "OpenBLASController", None)
    clear = getattr(controller, "clear_controlling_thread", None)
    if clear is not None:
        clear(force=True)


def _limit_blas() -> None:
    """Set the limit; the caller holds the lock."""
    global _controller, _modules
    if _controller is None or _modules != len(sys.modules):
        # new modules may bring a BLAS library, as faiss does; the search takes some milliseconds
        from threadpoolctl import ThreadpoolController

        _controller = ThreadpoolController()
        _modules = len(sys.modules)
    _take_blas_control()
    _limits.append(_controller.limit(limits=1, user_api="blas"))


@contextmanager
def single_threaded_blas() -> Iterator[None]:
    """Limit BLAS to one thread while at least one such context is open.

    The limit is one of the process: the first context sets it, the last one restores the old one.
    """
    global _holders
    with _blas_lock:
        if _holders == 0 or _modules != len(sys.modules):
            _limit_blas()
        _holders += 1
    try:
        yield
    finally:
        with _blas_lock:
            _holders -= 1
            if _holders == 0 and _limits:
                # this thread may not be the one that set the limit
                _take_blas_control()
                while _limits:
                    _limits.pop().restore_original_limits()
                _take_blas_control()


def _limit_this_thread() -> None:
    # a BLAS on OpenMP has a limit for each calling thread
    with _blas_lock:
        if _controller is not None and _holders:
            _controller.limit(limits=1, user_api="blas")


class _Threads(ThreadPoolExecutor):
    """A pool that remembers which BLAS libraries its threads have limited."""

    def __init__(self, n_threads: int) -> None:
        super().__init__(n_threads, thread_name_prefix="annlab", initializer=_limit_this_thread)
        self.n_threads = n_threads
        self.libraries = _controller


#: Threads of the last fit, kept for the next one, because starting them may take longer than a fit.
_idle: _Threads | None = None


def _exchange_idle(pool: _Threads | None) -> _Threads | None:
    global _idle
    with _blas_lock:
        before, _idle = _idle, pool
    return before


def _take_threads(n_threads: int) -> _Threads:
    """Return the kept threads if their number fits, else new ones; never shared."""
    kept = _exchange_idle(None)
    if kept is not None:
        if kept.n_threads == n_threads and kept.libraries is _controller:
            return kept
        kept.shutdown(wait=False)
    return _Threads(n_threads)


def _give_threads_back(pool: _Threads) -> None:
    """Keep these threads for the next fit; end those kept so far."""
    kept = _exchange_idle(pool)
    if kept is not None:
        kept.shutdown(wait=False)


def _forget_threads() -> None:
    # a forked child has none of its parent's threads
    global _idle
    _idle = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads)

_task = threading.local()


class Stopped(Exception):
    """The result is not needed: another task failed, or the user interrupted."""


def breathe() -> None:
    """Raise `Stopped` if the task of this thread is no longer needed."""
    stop = getattr(_task, "stop", None)
    if stop is not None and stop.is_set():
        raise Stopped


#: Number of operations from which threads pay off.
_WORTH_THREADS = 4e6


class Workers:
    """An ordered parallel map, opened once for a fit.

    Parameters
    ----------
    n_jobs : int or None, default=None
        As in `resolve_n_jobs`.

    Notes
    -----
    NumPy, BLAS, hnswlib and the compiled loops release the interpreter lock, so threads are enough.
    A dispatch through `concurrent.futures` costs 0.2 ms, through ``joblib.Parallel`` 10 ms. Of
    ``joblib.parallel_config`` only ``n_jobs`` counts.

    Examples
    --------
    >>> from annlab._support.threads import Workers
    >>> with Workers(n_jobs=2) as workers:
    ...     workers.map(pow, [(2, 3), (3, 2)])
    [8, 9]
    """

    def __init__(self, n_jobs: int | None = None) -> None:
        self.n_jobs = resolve_n_jobs(n_jobs)
        self._pool: _Threads | None = None
        self._blas: Any = None

    def __enter__(self) -> Workers:
        self._blas = single_threaded_blas()
        self._blas.__enter__()
        return self

    def __exit__(self, *exc: Any) -> None:
        try:
            pool, self._pool = self._pool, None
            if pool is not None:
                self._close(pool, *exc)
        finally:
            # also after a second Ctrl-C while the threads end their chunks
            blas, self._blas = self._blas, None
            if blas is not None:
                blas.__exit__(*exc)

    @staticmethod
    def _close(pool: _Threads, *exc: Any) -> None:
        if exc[0] is None:
            _give_threads_back(pool)
            return
        try:
            pool.__exit__(*exc)
        except BaseException:
            # Ctrl-C while the threads end their chunks: do not wait for them
            pool.shutdown(wait=False, cancel_futures=True)
            raise

    def map(
        self,
        function: Callable[..., T],
        tasks: Iterable[Sequence[Any]],
        work: float = float("inf"),
    ) -> list[T]:
        """Call ``function(*task)`` for each task; results in the order of the tasks.

        ``work`` is about the number of arithmetic operations of all tasks; few of them run faster
        one after the other.
        """
        todo = list(tasks)
        if self.n_jobs == 1 or len(todo) <= 1 or work < _WORTH_THREADS:
            return [function(*task) for task in todo]
        if self._pool is None:
            self._pool = _take_threads(self.n_jobs - 1)
        return _share(self._pool, function, todo)


def _share(pool: _Threads, function: Callable[..., T], todo: list[Sequence[Any]]) -> list[T]:
    """Run tasks on this thread and on the threads of the pool.

    Waking a thread can take as long as a small task, so this thread begins at once, each takes the
    next task when it is free, and threads that have not begun by the end are not waited for.
    """
    results: list[Any] = [None] * len(todo)
    waiting = deque(range(len(todo)))
    failed: list[tuple[int, BaseException]] = []
    stop = threading.Event()

    def work() -> None:
        before = getattr(_task, "stop", None)
        _task.stop = stop
        try:
            while not stop.is_set():
                try:
                    number = waiting.popleft()
                except IndexError:
                    break
                try:
                    results[number] = function(*todo[number])
                except Stopped:
                    break
                except Exception as reason:
                    stop.set()
                    failed.append((number, reason))
        finally:
            _task.stop = before

    try:
        helpers = [pool.submit(work) for _ in range(min(pool.n_threads, len(todo) - 1))]
        work()
        for helper in helpers:
            if not helper.cancel():
                helper.result()
    except BaseException:
        # Ctrl-C: the other tasks are not needed
        stop.set()
        raise
    if failed:
        raise min(failed, key=lambda one: one[0])[1]
    return results

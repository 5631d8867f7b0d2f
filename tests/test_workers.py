"""Workers: number of threads, order of results, and BLAS threads."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import joblib
import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from annlab._support import threads
from annlab._support.threads import (
    Workers,
    available_cpus,
    resolve_n_jobs,
    single_threaded_blas,
)


def forget_blas_libraries():
    """Make the next `Workers` look for BLAS libraries, as after an import."""
    threads._modules = 0


def blas_threads():
    """Return the threads of BLAS libraries with one number for the whole process.

    That of Faiss, if an earlier test has loaded it, runs on OpenMP: each thread has its own number.
    """
    return {
        info["num_threads"]
        for info in threadpool_info()
        if info["user_api"] == "blas" and info["threading_layer"] != "openmp"
    }


@pytest.fixture
def several_blas_threads():
    """Give BLAS several threads, as on a machine of many cores."""
    # a BLAS that came later would have a number of its own
    import scipy.linalg  # noqa: F401

    with threadpool_limits(3, user_api="blas"):
        if blas_threads() != {3}:
            pytest.skip("this BLAS does not let its threads be counted")
        yield


# -- how many ----------------------------------------------------------------------------------


def test_n_jobs_becomes_a_number_of_threads(monkeypatch):
    monkeypatch.setattr(threads, "available_cpus", lambda: 6)
    assert resolve_n_jobs(None) == 6
    assert resolve_n_jobs(2) == 2
    assert resolve_n_jobs(np.int64(3)) == 3
    assert [resolve_n_jobs(n) for n in (-1, -2, -6, -99)] == [6, 5, 1, 1]


@pytest.mark.parametrize("bad", [0, 1.0, "2", True, [1]])
def test_wrong_n_jobs_is_refused(bad):
    with pytest.raises(ValueError, match=r"^n_jobs must be None or an integer other than 0; got "):
        resolve_n_jobs(bad)
    with pytest.raises(ValueError, match=r"^n_jobs"):
        Workers(bad)


def test_cores_are_those_of_this_process():
    assert available_cpus() == joblib.cpu_count()
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("no affinity here")
    code = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from annlab._support.threads import resolve_n_jobs; print(resolve_n_jobs(None))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"


def test_parallel_config_sets_n_jobs():
    with joblib.parallel_config(n_jobs=3):
        assert resolve_n_jobs(None) == 3
        assert resolve_n_jobs(2) == 2
    with joblib.parallel_config(backend="threading", n_jobs=-1):
        assert resolve_n_jobs(None) == available_cpus()
    with joblib.parallel_config(backend="threading"):
        assert resolve_n_jobs(None) == available_cpus()
    assert resolve_n_jobs(None) == available_cpus()


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_threads_do_not_multiply_inside_tasks(backend):
    tasks = (joblib.delayed(resolve_n_jobs)(n) for n in (None, None, 2))
    assert joblib.Parallel(n_jobs=2, backend=backend)(tasks) == [1, 1, 2]


# -- the map -----------------------------------------------------------------------------------


@pytest.mark.parametrize("n_jobs", [1, 2, 4])
def test_map_keeps_the_order_of_the_tasks(n_jobs):
    gate = threading.Event()

    def slow_first(number):
        if number == 0 and n_jobs > 1:
            assert gate.wait(10), "no second task ran beside the first"
        elif number == 1:
            gate.set()
        return number, threading.get_ident()

    with Workers(n_jobs) as workers:
        results = workers.map(slow_first, [(i,) for i in range(20)])
    assert [number for number, _ in results] == list(range(20))
    threads = {ident for _, ident in results}
    if n_jobs == 1:
        assert threads == {threading.get_ident()}
    else:
        # the caller's own is one of them
        assert 2 <= len(threads) <= n_jobs


def _threads(workers, tasks=8):
    together = threading.Barrier(workers.n_jobs, timeout=10)

    def here(number):
        if number < workers.n_jobs:
            together.wait()
        return threading.current_thread()

    found = set(workers.map(here, [(i,) for i in range(tasks)]))
    assert threading.current_thread() in found
    return found - {threading.current_thread()}


def test_threads_are_kept_for_the_next_fit():
    with Workers(2) as workers:
        first = _threads(workers)
    with Workers(2) as workers:
        assert _threads(workers) == first
    with Workers(3) as workers:
        assert len(_threads(workers)) == 2
    for thread in first:
        thread.join(timeout=10)
    assert not any(thread.is_alive() for thread in first), "no fit will use them"


def test_map_does_not_wait_for_a_busy_thread():
    busy, free = threading.Event(), threading.Event()
    with Workers(2) as workers:
        # the only other thread is held by something else
        _threads(workers)
        pool = workers._pool
        pool.submit(lambda: (busy.set(), free.wait(20)))
        assert busy.wait(10)
        here = workers.map(lambda i: (i, threading.get_ident()), [(i,) for i in range(6)])
        assert here == [(i, threading.get_ident()) for i in range(6)]
        free.set()


def test_interruption_ends_the_tasks(monkeypatch):
    done = []

    def slow(number):
        time.sleep(0.01)
        done.append(number)

    with pytest.raises(KeyboardInterrupt), Workers(3) as workers:
        workers.map(abs, [(-1,)] * 4)
        submit, calls = workers._pool.submit, []

        def interrupted(work):
            calls.append(work)
            if len(calls) == 2:
                raise KeyboardInterrupt
            return submit(work)

        monkeypatch.setattr(workers._pool, "submit", interrupted)
        workers.map(slow, [(i,) for i in range(300)])
    # leaving the block waits for those that have begun
    assert len(done) < 100


def test_first_of_several_errors_is_raised():
    together = threading.Barrier(2, timeout=10)

    def fails(number):
        together.wait()
        raise KeyError(number)

    for _ in range(5):
        with pytest.raises(KeyError) as told, Workers(2) as workers:
            workers.map(fails, [(0,), (1,)])
        assert told.value.args == (0,)


def test_overlapping_fits_share_no_thread():
    with Workers(2) as one:
        first = _threads(one)
        with Workers(2) as other:
            # a task may run a fit of its own: it must not wait for the threads it runs on
            assert not _threads(other) & first
            assert _threads(one) == first


def test_threads_without_a_blas_limit_are_not_kept():
    with Workers(2) as workers:
        first = _threads(workers)
        forget_blas_libraries()
    with Workers(2) as workers:
        assert not _threads(workers) & first


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_forked_child_starts_its_own_threads():
    with Workers(2) as workers:
        workers.map(abs, [(-1,)] * 4)
    child = os.fork()
    if child == 0:
        with Workers(2) as workers:
            os._exit(0 if workers.map(abs, [(-3,)] * 4) == [3] * 4 else 1)
    for _ in range(200):
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        time.sleep(0.05)
    else:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        pytest.fail("the child waits for threads that it does not have")
    assert os.waitstatus_to_exitcode(status) == 0


def test_error_is_raised_and_ends_the_pool():
    def fails(number):
        if number == 3:
            raise KeyError("three")

    with Workers(2) as workers:
        mine = _threads(workers)
    with pytest.raises(KeyError, match="three"), Workers(2) as workers:
        workers.map(fails, [(i,) for i in range(8)])
    assert not any(thread.is_alive() for thread in mine)


def test_abandoned_task_ends_at_its_next_breath():
    begun, ended = threading.Event(), []

    def works_long(number):
        if number == 0:
            assert begun.wait(10)
            raise KeyError("zero")
        begun.set()
        try:
            # far longer than this test waits, unless the task is ended
            for _ in range(10_000):
                time.sleep(0.005)
                threads.breathe()
        except threads.Stopped:
            ended.append(number)
            raise

    with pytest.raises(KeyError, match="zero"), Workers(2) as workers:
        workers.map(works_long, [(0,), (1,)])
    assert ended == [1]
    # outside of a map there is no caller that could have left
    threads.breathe()


@pytest.mark.usefixtures("several_blas_threads")
def test_second_ctrl_c_ends_threads_and_limit(monkeypatch):
    def impatient(*exc):
        raise KeyboardInterrupt

    workers = Workers(2)
    workers.__enter__()
    mine = _threads(workers)
    monkeypatch.setattr(workers._pool, "__exit__", impatient)
    assert blas_threads() == {1}
    with pytest.raises(KeyboardInterrupt):
        workers.__exit__(ValueError, ValueError(), None)
    for thread in mine:
        thread.join(timeout=10)
    assert not any(thread.is_alive() for thread in mine)
    assert blas_threads() == {3}


# -- BLAS --------------------------------------------------------------------------------------


@pytest.mark.usefixtures("several_blas_threads")
def test_blas_limit_is_shared_between_threads():
    # threadpoolctl 3.8 listens to one thread only, unless it is told otherwise
    with single_threaded_blas():
        pass
    seen, ended, first = [], threading.Event(), single_threaded_blas()

    def work():
        first.__enter__()
        seen.append(blas_threads())
        ended.wait(10)

    fit = threading.Thread(target=work)
    fit.start()
    while not seen:
        ended.wait(0.01)
    with Workers(n_jobs=3) as workers:
        assert seen + workers.map(blas_threads, [()] * 3) == [{1}] * 4
    ended.set()
    fit.join()
    # the limit was set in the other thread and is lifted in this one
    first.__exit__(None, None, None)
    assert blas_threads() == {3}


@pytest.mark.usefixtures("several_blas_threads")
def test_workers_limit_blas_to_one_thread():
    with Workers(2) as workers:
        assert workers.map(blas_threads, [()] * 3) == [{1}] * 3
    assert blas_threads() == {3}
    with pytest.raises(ZeroDivisionError), Workers(1):
        raise ZeroDivisionError
    assert blas_threads() == {3}


@pytest.mark.usefixtures("several_blas_threads")
@pytest.mark.parametrize("order", ["first ends first", "last ends first"])
def test_overlapping_fits_share_the_limit(order):
    first, second = Workers(1), Workers(1)
    first.__enter__()
    second.__enter__()
    ends = (first, second) if order == "first ends first" else (second, first)
    ends[0].__exit__(None, None, None)
    assert blas_threads() == {1}, "the one that still runs lost its limit"
    ends[1].__exit__(None, None, None)
    assert blas_threads() == {3}, "the limit outlived the fits"


@pytest.mark.usefixtures("several_blas_threads")
def test_new_blas_libraries_are_limited():
    with single_threaded_blas():
        with threadpool_limits(3, user_api="blas"):
            # as if these libraries had been loaded just now, with threads of their own
            forget_blas_libraries()
            with single_threaded_blas():
                assert blas_threads() == {1}
            assert blas_threads() == {1}
        assert blas_threads() == {1}
    assert blas_threads() == {3}


@pytest.mark.usefixtures("several_blas_threads")
def test_old_threadpoolctl_works(monkeypatch):
    import threadpoolctl

    # before version 3.8 any thread could set a limit, and there was nothing to take over
    monkeypatch.delattr(threadpoolctl.OpenBLASController, "clear_controlling_thread", raising=False)
    with Workers(2) as workers:
        assert workers.map(blas_threads, [()] * 3) == [{1}] * 3
    assert blas_threads() == {3}

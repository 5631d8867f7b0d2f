"""Parallel k-means: the same bits for every degree of parallelism."""

from __future__ import annotations

import subprocess
import sys

import joblib
import numpy as np
import pytest

from annlab import assign_points_to_clusters, kmeans, parallel_kmeans_ann
from annlab._support.threads import Workers
from annlab.rows.memory import MemoryRows


@pytest.fixture(scope="module")
def X():
    return np.random.RandomState(0).rand(5003, 6).astype(np.float32)


def test_the_data_spans_several_chunks_and_a_remainder(X):
    with Workers(1) as workers:
        bounds = MemoryRows(X, workers=workers).bounds()
    sizes = {stop - start for start, stop in bounds}
    assert len(bounds) > 3 and len(sizes) == 2


@pytest.mark.parametrize("n_clusters", [5, 400])
@pytest.mark.parametrize("n_jobs", [2, 3, 4])
def test_every_n_jobs_gives_the_same_bits(X, n_clusters, n_jobs):
    n_iter = 4
    one = parallel_kmeans_ann(X, n_clusters, n_iter, n_jobs=1, algorithm="brute", random_state=0)
    many = parallel_kmeans_ann(
        X, n_clusters, n_iter, n_jobs=n_jobs, algorithm="brute", random_state=0
    )
    np.testing.assert_array_equal(one.labels, many.labels)
    np.testing.assert_array_equal(one.centroids, many.centroids)
    assert one.inertia == many.inertia


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_joblib_backends_give_the_same_bits(X, backend):
    alone = kmeans(X, 5, 3, n_jobs=1, random_state=0)
    with joblib.parallel_config(backend=backend, n_jobs=2):
        with Workers() as workers:
            assert workers.n_jobs == 2
        other = kmeans(X, 5, 3, random_state=0)
    np.testing.assert_array_equal(alone.labels, other.labels)
    np.testing.assert_array_equal(alone.centroids, other.centroids)


def test_more_than_one_thread_really_works():
    import threading

    # three tasks that wait for each other finish only if three threads run at once
    barrier = threading.Barrier(3, timeout=20)
    with Workers(3) as workers:
        assert len(workers.map(lambda i: barrier.wait() >= 0, [(0,), (1,), (2,)])) == 3


def test_results_come_back_in_the_order_of_the_tasks():
    import time

    def slow_first(i):
        time.sleep(0.05 if i == 0 else 0)
        return i

    with Workers(4) as workers:
        assert workers.map(slow_first, [(i,) for i in range(9)]) == list(range(9))


def test_an_error_in_a_task_reaches_the_caller():
    def fail(i):
        raise RuntimeError(f"task {i}")

    with Workers(2) as workers, pytest.raises(RuntimeError, match="task 0"):
        workers.map(fail, [(0,), (1,)])


def test_assign_takes_a_tuple_or_two_arguments(X):
    centroids = X[:7]
    expected = ((X[:, None, :] - centroids[None]) ** 2).sum(axis=2).argmin(axis=1)
    np.testing.assert_array_equal(assign_points_to_clusters((X, centroids)), expected)
    np.testing.assert_array_equal(assign_points_to_clusters(X, centroids), expected)
    with pytest.raises(TypeError, match="chunk"):
        assign_points_to_clusters(X)
    with pytest.raises(ValueError, match="centroids"):
        assign_points_to_clusters(X, centroids[:, :3])


@pytest.mark.parametrize("n_jobs", [0, 1.5, "two", True])
def test_a_bad_n_jobs_is_named(X, n_jobs):
    with pytest.raises(ValueError, match="n_jobs"):
        parallel_kmeans_ann(X, 3, n_jobs=n_jobs)


def test_blas_threads_do_not_multiply():
    script = (
        "import numpy as np\n"
        "from threadpoolctl import threadpool_info\n"
        "from annlab._support.threads import Workers\n"
        "np.ones((4, 4)) @ np.ones((4, 4))\n"
        "def blas():\n"
        "    return max(i['num_threads'] for i in threadpool_info() if i['user_api'] == 'blas')\n"
        "before = blas()\n"
        "with Workers(2):\n"
        "    assert blas() == 1\n"
        "assert blas() == before\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)

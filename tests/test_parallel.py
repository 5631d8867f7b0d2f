"""Parallel k-means: the same bits for every degree of parallelism."""

from __future__ import annotations

import joblib
import numpy as np
import pytest

from annlab import assign_points_to_clusters, kmeans, parallel_kmeans_ann
from annlab._support.threads import Workers


@pytest.fixture(scope="module")
def X():
    return np.random.RandomState(0).rand(5003, 6).astype(np.float32)


@pytest.mark.parametrize("n_clusters", [5, 400])
@pytest.mark.parametrize("n_jobs", [2, 3, 4])
def test_n_jobs_does_not_change_bits(X, n_clusters, n_jobs):
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
def test_bad_n_jobs_is_named(X, n_jobs):
    with pytest.raises(ValueError, match="n_jobs"):
        parallel_kmeans_ann(X, 3, n_jobs=n_jobs)

"""The deck's calls, as its slides write them, where no other test makes them."""

from __future__ import annotations

import numpy as np
import pytest

import annlab


@pytest.fixture(scope="module")
def X():
    return np.random.RandomState(0).rand(1000, 2)


def test_slide_3(X):
    labels, centroids = annlab.kmeans_ann(X, n_clusters=5)
    assert labels.shape == (1000,) and centroids.shape == (5, 2)
    result = annlab.kmeans_ann(X, 5, 100)
    assert len(result) == 2 and result[0] is result.labels and result[1] is result.centroids


def test_slide_10():
    pytest.importorskip("faiss")
    X = np.random.RandomState(42).rand(2000, 32).astype(np.float32)
    labels, centroids = annlab.kmeans_faiss(X, 10)
    assert labels.shape == (2000,) and centroids.shape == (10, 32)


def test_slide_12(X):
    X = X.copy()
    X[0] = [10, 10]
    labels, centroids = annlab.robust_kmeans_ann(X, n_clusters=5)
    assert labels[0] == -1 and np.abs(centroids).max() <= 1


def test_slide_13():
    X = np.random.RandomState(0).rand(10_000, 10)
    labels, centroids = annlab.parallel_kmeans_ann(X, n_clusters=10)
    assert labels.shape == (10_000,) and centroids.shape == (10, 10)

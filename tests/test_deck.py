"""The calls on the deck's slides, as the slides write them."""

from __future__ import annotations

import numpy as np
import pytest

import annlab

pytest.importorskip("faiss")


@pytest.mark.parametrize(
    ("call", "d", "k"),
    [
        (lambda X: annlab.kmeans_ann(X, n_clusters=5), 2, 5),
        (lambda X: annlab.kmeans_ann(X, 5, 100), 2, 5),
        (lambda X: annlab.kmeans_faiss(X.astype("f4"), 10), 32, 10),
        (lambda X: annlab.robust_kmeans_ann(X, n_clusters=5), 2, 5),
        (lambda X: annlab.parallel_kmeans_ann(X, n_clusters=10), 10, 10),
    ],
    ids=["slide 3", "slide 3, positional", "slide 10", "slide 12", "slide 13"],
)
def test_calls_of_the_deck_return_labels_and_centroids(call, d, k):
    labels, centroids = call(np.random.RandomState(42).rand(2000, d))
    assert labels.shape == (2000,) and centroids.shape == (k, d)

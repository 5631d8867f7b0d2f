"""Checks of topic 1, introduction to k-means."""

from __future__ import annotations

import numpy as np

from annlab.classroom._case import Case
from annlab.classroom._content import load
from annlab.classroom._values import cluster_means, empty_cluster


def inertia_by_hand() -> float:
    """Check 01-1: the inertia at the end, five points on a line."""
    from annlab.lloyd import kmeans

    X, start = np.array([[0.0], [2.0], [3.0], [11.0], [13.0]]), np.array([[0.0], [2.0]])
    return kmeans(X, 2, init=start, tol=0).inertia


def assign_points(case: Case, answer: object) -> None:
    """Check 01-2: labels of the nearest centroids."""
    from annlab.distances import pairwise_sq

    X, centroids = case.rng.randn(40, 3), case.rng.randn(6, 3)
    distances_sq = pairwise_sq(X, centroids)
    truth = distances_sq.argmin(axis=1)
    case.compare(
        case.call(answer, X, centroids),
        truth,
        {
            "index_over_samples": distances_sq.argmin(axis=0),
            "off_by_one": truth + 1,
            "farthest": distances_sq.argmax(axis=1),
            "distances_not_labels": np.sqrt(distances_sq.min(axis=1)),
        },
    )


def move_centroids(case: Case, answer: object) -> None:
    """Check 01-3: means, and the empty cluster."""
    X = case.rng.randn(30, 2) + 5.0
    labels, centroids = case.rng.randint(3, size=30), case.rng.randn(5, 2)
    # cluster 3 is left empty, in the middle
    labels[:4] = 4
    truth = cluster_means(X, labels, centroids)
    medians, counts = centroids.copy(), np.bincount(labels, minlength=5)
    for j in np.flatnonzero(counts):
        medians[j] = np.median(X[labels == j], axis=0)
    case.compare(
        case.call(answer, X, labels, centroids),
        truth,
        {
            **empty_cluster(truth, 3),
            "median_not_mean": medians,
            "sum_not_mean": truth * counts[:, None],
        },
    )


def measure_inertia(case: Case, answer: object) -> None:
    """Check 01-4: inertia of any labels."""
    from annlab.distances import paired_sq

    X, centroids = case.rng.randn(50, 4), case.rng.randn(6, 4)
    labels = case.rng.randint(6, size=50)
    squares = paired_sq(X, centroids, labels)
    nearest = ((X[:, None] - centroids) ** 2).sum(axis=2).min(axis=1)
    case.compare(
        case.call(answer, X, labels, centroids),
        squares.sum(),
        {
            "not_squared": np.sqrt(squares).sum(),
            "mean_not_sum": squares.mean(),
            "ignores_labels": nearest.sum(),
            "root_of_sum": np.sqrt(squares.sum()),
        },
    )


EXERCISES, QUESTIONS, SHEET, LESSON = load(
    1, [inertia_by_hand, assign_points, move_centroids, measure_inertia]
)

"""Topic 1, introduction to k-means: its checks, and the picture of its sheet."""

from __future__ import annotations

import numpy as np

from annlab.classroom._case import Case
from annlab.classroom._content import Figure, load
from annlab.classroom._values import cluster_means, empty_cluster

# -- checks --------------------------------------------------------------------------------------


def run_with_a_pencil(case: Case, answer: object) -> None:
    """01-1: the inertia at the end, five points on a line."""
    from annlab.lloyd import kmeans

    X, start = np.array([[0.0], [2.0], [3.0], [11.0], [13.0]]), np.array([[0.0], [2.0]])
    end = kmeans(X, 2, init=start, tol=0)
    first = kmeans(X, 2, init=start, tol=0, max_iter=1)
    gap = np.abs(X - end.centroids[end.labels])
    labels = np.abs(X - start.T).argmin(axis=1)
    moved = cluster_means(X, labels, start)
    case.compare(
        answer,
        end.inertia,
        {
            "not_squared": gap.sum(),
            "first_assignment": ((X - start.T) ** 2).min(axis=1).sum(),
            "stopped_early": ((X - moved[labels]) ** 2).sum(),
            "stopped_early-2": first.inertia,
            "mean_not_sum": end.inertia / len(X),
        },
    )


def assign_points(case: Case, answer: object) -> None:
    """01-2: labels of the nearest centroids."""
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
    """01-3: means, and the empty cluster."""
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
    """01-4: inertia of any labels."""
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


# -- sheet ---------------------------------------------------------------------------------------


def draw_sheet(figure: Figure) -> None:
    """Show three moments of one run, from a bad start."""
    from annlab.datasets import make_blobs
    from annlab.lloyd import kmeans
    from annlab.widgets.base.look import (
        frame_limits,
        plane,
        scatter_centroids,
        scatter_clusters,
        three,
    )

    X = make_blobs(150, 3, separation=6, random_state=4, dtype=np.float64).X
    trace = kmeans(X, 3, init=X[[0, 1, 2]], tol=0, trace=True).trace
    limits = frame_limits(X)
    for axes, number in zip(figure.subplots(1, 3), (0, 1, len(trace) - 1), strict=True):
        step = trace[number]
        plane(axes, limits, f"iteration {number + 1}: inertia {three(step.inertia)}")
        scatter_clusters(axes, X, step.labels, size=14)
        scatter_centroids(axes, step.centroids)


EXERCISES, QUESTIONS, SHEET, LESSON = load(
    1, draw_sheet, [run_with_a_pencil, assign_points, move_centroids, measure_inertia]
)

"""Checks of topic 12, outliers and noise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from annlab.classroom._case import Case
from annlab.classroom._content import load
from annlab.classroom._values import cluster_means, empty_cluster, with_row


def limit_by_hand() -> float:
    """Check 12-1: the limit by median and MAD, seven distances."""
    from annlab.robust import outlier_limit

    return outlier_limit(np.array([2.0, 3.0, 3.0, 4.0, 5.0, 7.0, 60.0]), 3.0)


def move_without_outliers(case: Case, answer: object) -> None:
    """Check 12-2: means of the points inside the limit."""
    X = case.rng.randn(40, 2)
    labels, centroids = case.rng.randint(3, size=40), case.rng.randn(4, 2)
    # cluster 3 has outliers only; two points of the others lie exactly on the limit
    labels[:3], labels[3:6], labels[6:9], labels[9:12] = 3, 0, 1, 2
    limit = 2.5
    distances = case.rng.uniform(0.1, 2.0, size=40)
    wild = np.r_[0:3, 3, 6, 9]
    distances[wild], distances[[4, 7]] = case.rng.uniform(20, 30, size=len(wild)), limit
    X[wild] += 25.0
    X[[4, 7]] += 2.0

    def moved(keep: np.ndarray) -> np.ndarray:
        return cluster_means(X[keep], labels[keep], centroids)

    inside = distances <= limit
    truth = moved(inside)
    falls_back = with_row(truth, 3, X[labels == 3].mean(axis=0))
    shares = centroids.copy()
    for j in range(4):
        shares[j] = X[inside & (labels == j)].sum(axis=0) / (labels == j).sum()
    case.compare(
        case.call(answer, X, labels, distances, centroids, limit),
        truth,
        {
            "outliers_in": cluster_means(X, labels, centroids),
            "outliers_in-2": falls_back,
            **empty_cluster(truth, 3),
            "off_by_one": moved(distances < limit),
            "turned_round": moved(~inside),
            "divides_by_all": [shares, with_row(shares, 3, centroids[3])],
        },
    )


def mark_outliers(case: Case, answer: object) -> None:
    """Check 12-3: labels, with −1 for outliers."""
    from annlab.distances import pairwise_sq
    from annlab.robust import MAD_TO_SIGMA, outlier_limit

    # distances made to measure: some very small, a bulk, three between the right limit and those
    # of wrong yardsticks, and five that are far out, of which a mean sees two or three
    ladder = np.concatenate(
        [[0.05, 0.1, 0.15], np.linspace(1.4, 2.6, 31), [3.02, 3.2, 3.25], [6, 8, 20, 60, 90]]
    )
    n, threshold = len(ladder), 2.0
    middles = np.array([[0.0, 0.0], [300.0, 0.0], [0.0, 300.0]]) + case.rng.randn(3, 2)
    # near points go to the first cluster, so a limit per cluster would differ
    owner = np.arange(n) * 3 // n
    owner[-5:] = [0, 1, 2, 0, 1]
    angle = case.rng.uniform(0, 2 * np.pi, size=n)
    X = middles[owner] + ladder[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    order = case.rng.permutation(n)
    X = X[order]
    squares = pairwise_sq(X, middles)
    labels, gaps = squares.argmin(axis=1), np.sqrt(squares.min(axis=1))

    def marked(out: np.ndarray) -> np.ndarray:
        return np.where(out, -1, labels)

    limit, middle = outlier_limit(gaps, threshold), np.median(gaps)
    mad = np.median(np.abs(gaps - middle))
    truth = marked(gaps > limit)
    case.compare(
        case.call(answer, X, middles, threshold),
        truth,
        {
            "unmarked": labels,
            "mask_not_labels": gaps > limit,
            "outliers_in": [
                marked(gaps > gaps.mean() + threshold * gaps.std(ddof=ddof)) for ddof in (0, 1)
            ],
            "twice_the_mean": marked(gaps > threshold * gaps.mean()),
            "squared_distances": marked(gaps**2 > outlier_limit(gaps**2, threshold)),
            "two_sided": marked(np.abs(gaps - middle) > threshold * MAD_TO_SIGMA * mad),
            "forgets_factor": marked(gaps > middle + threshold * mad),
        },
    )


def _smallest(
    statistic: Callable[[Any], Any],
    values: np.ndarray,
    wild: float,
    broken: Callable[[float], bool],
    added: bool = False,
) -> int:
    """Return the smallest number of wild values that breaks the statistic."""
    # added values finally outvote the good ones, but cannot change a minimum
    for m in range(1, 5 * len(values)):
        kept = values if added else values[m:]
        if broken(float(statistic(np.concatenate([np.full(m, wild), kept])))):
            return m
    return -1


def count_to_breakdown(case: Case, answer: object) -> None:
    """Check 12-4: how many wild values break a statistic."""

    def trimmed_mean(values: np.ndarray) -> float:
        return float(np.sort(values)[2:-2].mean())

    def lower_quartile(values: np.ndarray) -> float:
        return float(np.sort(values)[len(values) // 4])

    wild = 1e7
    for statistic, n in (
        (np.median, 11),
        (np.median, 8),
        (trimmed_mean, 12),
        (np.mean, 9),
        (lower_quartile, 13),
        (np.min, 7),
    ):
        # the smallest value comes first: replacing it changes all of these statistics
        values = np.r_[9.0, case.rng.uniform(10, 20, size=n - 1)]
        low, high = values.min(), values.max()

        def outside(value: float, low: float = low, high: float = high) -> bool:
            return not low <= value <= high

        def other(value: float, before: float = float(statistic(values))) -> bool:
            return not np.isclose(value, before)

        truth = _smallest(statistic, values, wild, outside)
        with case.retell(
            "unanswered",
            "off_by_one",
            saying="returns nothing",
            when=truth == n,
        ):
            got = case.call(answer, statistic, values, wild)
        case.compare(
            got,
            truth,
            {
                "any_change": _smallest(statistic, values, wild, other),
                "off_by_one-2": truth - 1,
                "adds_not_replaces": _smallest(statistic, values, wild, outside, added=True),
                "off_by_one-3": truth + 1,
                "share_not_count": truth / n,
            },
        )


EXERCISES, QUESTIONS, SHEET, LESSON = load(
    12, [limit_by_hand, move_without_outliers, mark_outliers, count_to_breakdown]
)

"""Checks of topic 14, visualization."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from annlab.classroom._case import Case, Recorder
from annlab.classroom._content import load
from annlab.classroom._values import compare_shuffled, hits_by_row


def _others(X: np.ndarray, n_neighbors: int) -> np.ndarray:
    """Find the nearest other rows of each row, the nearest first."""
    from annlab.distances import pairwise_sq

    gaps = pairwise_sq(X, X)
    np.fill_diagonal(gaps, np.inf)
    return gaps.argsort(axis=1)[:, :n_neighbors]


def _shared(one: np.ndarray, other: np.ndarray) -> float:
    """Return how many neighbours two lists share, on average over the rows."""
    return float(hits_by_row(one, other).mean())


def trust_by_hand() -> float:
    """Check 14-1: trustworthiness of a map of five points."""
    from annlab.metrics import trustworthiness

    data = np.array([0.0, 1.0, 3.0, 7.0, 15.0])[:, None]
    places = np.array([0.0, 1.0, 7.0, 15.0, 3.0])[:, None]
    return trustworthiness(data, places, n_neighbors=1)


def keep_neighbors(case: Case, answer: object) -> None:
    """Check 14-2: the share of neighbours that a map keeps."""
    for n, m in ((30, 4), (25, 6)):
        X = case.rng.randn(n, 6)
        Y = X[:, :2] + 0.2 * case.rng.randn(n, 2)
        in_data, on_map = _others(X, m), _others(Y, m)
        rows = np.arange(n)[:, None]
        shared = _shared(in_data, on_map)
        with_itself = [np.hstack([rows, found]) for found in (in_data, on_map)]
        itself = [
            _shared(*(found[:, :-1] for found in with_itself)) / m,
            _shared(*with_itself) / (m + 1),
            _shared(*with_itself) / m,
        ]
        case.compare(
            case.call(answer, X, Y, m),
            shared / m,
            {
                "counts_itself": itself,
                "compares_places": (in_data == on_map).mean(),
                "mixes_points": np.isin(on_map, in_data).mean(),
                "count_not_share": [shared, shared * n],
                "share_of_misses": 1 - shared / m,
                "percent": 100 * shared / m,
            },
        )


def make_null(case: Case, answer: object) -> None:
    """Check 14-3: null data with the same columns but no structure."""
    X = case.rng.randn(300, 4) + 10.0 * np.arange(4)
    got = case.array(case.call(answer, X, np.random.RandomState(case.seed)), X.shape)
    compare_shuffled(case, got, X)


class _Nulls(Recorder):
    """Null data that carry their number, scored from a list."""

    def __init__(self, scores: np.ndarray) -> None:
        self.scores = scores
        self.made = 0
        self.scored: list[int] = []

    def __call__(self, X: ArrayLike) -> np.ndarray:
        self.made += 1
        return np.full(np.shape(X), float(self.made))

    def score(self, Z: ArrayLike) -> float:
        number = round(float(np.asarray(Z).flat[0]))
        self.scored.append(number)
        return float(self.scores[number % len(self.scores)])


def compare_with_nulls(case: Case, answer: object) -> None:
    """Check 14-4: how often noise scores as high as the data."""
    n_nulls = 20
    # the score of the data is number 0: seven nulls reach it, two of these only just
    scores = np.array([0.3] * 2 + [0.45, 0.5, 0.55, 0.6, 0.65] + list(np.linspace(0.1, 0.25, 13)))
    scores = np.append(0.3, case.rng.permutation(scores))
    nulls = _Nulls(scores)
    got = case.call(answer, np.zeros((6, 2)), nulls.score, nulls, n_nulls)
    if nulls.made == 0:
        raise case.wrong("no_null")
    if 0 not in nulls.scored:
        raise case.wrong("no_data")
    if nulls.made == 1:
        raise case.wrong("stale_null")
    if nulls.made != n_nulls:
        kind = "off_by_one" if abs(nulls.made - n_nulls) == 1 else "other_nulls"
        raise case.wrong(kind, n_nulls=n_nulls, made=nulls.made)
    data, drawn = scores[0], scores[1:]
    reached = drawn >= data
    case.compare(
        got,
        reached.mean(),
        {
            "ignores_ties": (drawn > data).mean(),
            "turned_round": (drawn < data).mean(),
            "turned_round-2": (drawn <= data).mean(),
            "count_not_share": reached.sum(),
            "counts_itself": (reached.sum() + 1) / (n_nulls + 1),
        },
    )


EXERCISES, QUESTIONS, SHEET, LESSON = load(
    14, [trust_by_hand, keep_neighbors, make_null, compare_with_nulls]
)

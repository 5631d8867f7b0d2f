"""Checks of topic 11, evaluating quality."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from annlab.classroom._case import Case, Recorder
from annlab.classroom._content import load
from annlab.classroom._values import compare_shuffled


def silhouette_by_hand() -> float:
    """Check 11-1: the silhouette of one point among seven."""
    from sklearn.metrics import silhouette_samples

    X = np.array([0.0, 9.0, 10.0, 11.0, 13.0, 20.0, 22.0])[:, None]
    return float(silhouette_samples(X, [0, 0, 0, 1, 1, 2, 2])[1])


def write_rand_index(case: Case, answer: object) -> None:
    """Check 11-2: the unadjusted Rand index."""
    from sklearn.metrics import rand_score

    for n, k in ((30, 3), (24, 5)):
        truth = case.rng.randint(k, size=n)
        # permuted names, a gap in the numbers, and a third of all points moved
        labels = np.where(case.rng.rand(n) < 0.35, case.rng.randint(k, size=n), (truth + 1) % k)
        labels[labels == k - 1] = 8
        right = rand_score(truth, labels)
        pairs = n * (n - 1) / 2
        ours, theirs = (np.equal.outer(one, one) for one in (labels, truth))
        both = (ours & theirs).sum() - n
        either = (ours | theirs).sum() - n
        case.compare(
            case.call(answer, labels, truth),
            right,
            {
                "compares_names": (labels == truth).mean(),
                "counts_itself": (ours == theirs).mean(),
                "only_together": both / (2 * pairs),
                "only_together-2": both / either,
                "count_not_share": right * pairs,
                "share_of_misses": 1 - right,
            },
        )


def _lonely_point(case: Case) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Make points, labels and some rows, with the only point of cluster 3."""
    groups = [case.rng.randn(12, 2) + middle for middle in ([0, 0], [3, 0], [0, 3])]
    X = np.vstack([*groups, [[-6.0, 5.0]]])
    labels = np.concatenate([np.repeat([0, 1, 2], 12), [3]])
    order = case.rng.permutation(37)
    X, labels = X[order], labels[order]
    lonely = np.flatnonzero(labels == 3)
    some = np.concatenate([np.flatnonzero(labels == j)[:4] for j in range(3)] + [lonely])
    return X, labels, case.rng.permutation(some)


def sampled_silhouettes(case: Case, answer: object) -> None:
    """Check 11-3: silhouettes of some rows, each against all points."""
    from sklearn.metrics import silhouette_samples

    from annlab.distances import pairwise_sq

    X, labels, rows = _lonely_point(case)
    alone = labels[rows] == 3
    gaps = np.sqrt(pairwise_sq(X, X))
    np.fill_diagonal(gaps, 0.0)
    truth = silhouette_samples(X, labels)[rows]
    in_cluster = np.equal.outer(labels, np.arange(4))
    means = gaps @ in_cluster / in_cluster.sum(axis=0)
    # the mean over the own cluster counts the point itself
    a = means[in_cluster][rows]
    b = np.where(in_cluster, np.inf, means).min(axis=1)[rows]
    counts_itself = (b - a) / np.maximum(a, b)
    case.compare(
        case.call(answer, X, labels, rows),
        truth,
        {
            "sample_against_itself": silhouette_samples(X[rows], labels[rows]),
            "counts_itself": [counts_itself, np.where(alone, 0.0, counts_itself)],
            "empty_cluster_nan": np.where(alone, np.nan, truth),
            "lonely_point_perfect": np.where(alone, 1.0, truth),
            "squared_distances": silhouette_samples(gaps**2, labels, metric="precomputed")[rows],
        },
    )


class _Witness(Recorder):
    """Cluster and score for the shuffled twin, recording their arguments."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values
        self.scored: list[tuple[np.ndarray, np.ndarray]] = []

    @staticmethod
    def labels(X: ArrayLike) -> np.ndarray:
        return np.argmax(np.asarray(X) / np.array([1.0, 2.0, 3.0]), axis=1)

    def score(self, X: ArrayLike, labels: ArrayLike) -> float:
        self.scored.append((np.array(X, dtype=float), np.array(labels)))
        # a number of its own for every call tells which call was returned
        return float(self.values[len(self.scored) - 1])


def shuffled_twin(case: Case, answer: object) -> None:
    """Check 11-4: the score of the same columns without their groups."""
    # all numbers are different, within and across columns
    X = case.rng.permutation(120).reshape(40, 3) + np.array([0.0, 0.25, 0.5])
    X[:, 1] *= 2
    X[:, 2] *= 3

    def twin(seed: int) -> np.ndarray:
        witness = _Witness(case.rng.rand(100))
        value = case.array(case.call(answer, X, witness.labels, witness.score, seed), ())
        calls = np.flatnonzero(np.isclose(witness.values[: len(witness.scored)], value))
        if not len(witness.scored):
            raise case.wrong("no_score")
        if not len(calls):
            raise case.wrong("different-2")
        data, labels = witness.scored[calls[0]]
        if data.shape != X.shape:
            raise case.wrong("wrong_shape")
        compare_shuffled(case, data, X)
        if np.array_equal(labels, witness.labels(data)):
            return data
        if np.array_equal(labels, witness.labels(X)):
            raise case.wrong("stale_labels")
        raise case.wrong("different")

    one, again, other = twin(3), twin(3), twin(4)
    if not np.array_equal(one, again) or np.array_equal(one, other):
        raise case.wrong("ignores_seed")


EXERCISES, QUESTIONS, SHEET, LESSON = load(
    11, [silhouette_by_hand, write_rand_index, sampled_silhouettes, shuffled_twin]
)

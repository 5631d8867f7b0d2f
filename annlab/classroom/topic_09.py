"""Checks of topic 9, document clustering."""

from __future__ import annotations

import numpy as np

from annlab.classroom._case import Case
from annlab.classroom._content import load
from annlab.classroom._values import cluster_means, empty_cluster, with_empty, with_row


def cosine_by_hand() -> float:
    """Check 09-1: the cosine between two texts of five words."""
    texts = "milk milk tea lemon lemon".split(), "tea milk milk sugar sugar".split()
    x, y = ([text.count(term) for term in sorted({*texts[0], *texts[1]})] for text in texts)
    return float(np.dot(x, y) / (np.linalg.norm(x) * np.linalg.norm(y)))


def weigh_words(case: Case, answer: object) -> None:
    """Check 09-2: TF-IDF from counts, with a text that has no word."""
    from sklearn.feature_extraction.text import TfidfTransformer
    from sklearn.preprocessing import normalize

    counts = case.rng.poisson(0.9, size=(12, 7))
    # each word occurs in some text, often in some and seldom in others
    counts[:7] += 2 * np.eye(7, dtype=counts.dtype)
    counts[7:, 0] += 1 + case.rng.randint(3, size=5)
    counts[:, 6] *= counts[:, 6] > 1
    empty = 9
    counts[empty] = 0
    n = len(counts)
    truth = TfidfTransformer().fit_transform(counts).toarray()
    n_with = (counts > 0).sum(axis=0)
    idf = 1 + np.log((1 + n) / (1 + n_with))
    weighted = counts * idf

    slips = {
        "counts_not_texts": normalize(counts * (1 + np.log((1 + n) / (1 + counts.sum(axis=0))))),
        "forgets_idf": normalize(counts.astype(np.float64)),
        "not_smoothed": normalize(counts * (1 + np.log(n / n_with))),
    }
    got = case.call(answer, counts)
    case.compare(
        # a sparse matrix is also right
        got.toarray() if hasattr(got, "toarray") else got,
        truth,
        {
            "empty_text_nan": with_row(truth, empty, np.nan),
            "empty_text_dropped": np.delete(truth, empty, axis=0),
            "not_scaled": weighted,
            "scales_columns": normalize(weighted, axis=0),
            **{kind: with_empty(value, empty) for kind, value in slips.items()},
        },
        rtol=1e-4,
    )


def measure_purity(case: Case, answer: object) -> None:
    """Check 09-3: purity, with cluster numbers that leave gaps."""
    from annlab.metrics import purity

    # rows are clusters, columns are subjects; the noise keeps each row's largest where it is
    table = np.array([(12, 2, 1), (3, 9, 4), (1, 1, 8), (20, 10, 6)])
    table[table > 7] += case.rng.randint(3, size=(table > 7).sum())
    rows = np.concatenate(
        [np.tile((c, s), (table[i, s], 1)) for i, c in enumerate((0, 2, 3, 5)) for s in range(3)]
    )
    labels, subjects = case.rng.permutation(rows).T
    truth = purity(labels, subjects)
    shares = table.max(axis=1) / table.sum(axis=1)
    case.compare(
        case.call(answer, labels.copy(), subjects.copy()),
        truth,
        {
            "mean_of_clusters": shares.mean(),
            "empty_cluster_nan": np.nan,
            "empty_cluster_zero": shares.sum() / 6,
            "turned_round": purity(subjects, labels),
            "compares_names": (labels == subjects).mean(),
            "count_not_share": table.max(axis=1).sum(),
        },
    )


def move_themes(case: Case, answer: object) -> None:
    """Check 09-4: centroids of spherical k-means, with an empty theme."""
    from sklearn.preprocessing import normalize

    n, d, k = 30, 6, 4
    X = case.rng.rand(n, d) ** 3
    # within each theme, the lengths differ by a factor of a hundred
    X = normalize(X) * np.logspace(0, 2, n)[case.rng.permutation(n), None]
    labels = case.rng.choice([0, 2, 3], size=n)
    labels[:6] = [0, 2, 3, 0, 2, 3]
    centroids = normalize(case.rng.rand(k, d))
    means = cluster_means(normalize(X), labels, centroids)
    raw_means = cluster_means(X, labels, centroids)
    truth = normalize(means)
    slips = {
        "long_texts_win": normalize(raw_means),
        "not_scaled": means,
        "plain_kmeans": raw_means,
    }
    case.compare(
        case.call(answer, X, labels, centroids),
        truth,
        {
            **empty_cluster(truth, 1, "empty_theme"),
            **{kind: with_empty(value, 1) for kind, value in slips.items()},
        },
        rtol=1e-4,
    )


EXERCISES, QUESTIONS, SHEET, LESSON = load(
    9, [cosine_by_hand, weigh_words, measure_purity, move_themes]
)

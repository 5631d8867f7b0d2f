"""Topic 9, document clustering: its checks, and the picture of its sheet."""

from __future__ import annotations

import numpy as np

from annlab.classroom._case import Case
from annlab.classroom._content import Figure, load
from annlab.classroom._values import cluster_means, empty_cluster, with_empty, with_row

# -- checks --------------------------------------------------------------------------------------


def cosine_by_hand(case: Case, answer: object) -> None:
    """09-1: the cosine between two texts of five words."""
    texts = ["milk milk tea lemon lemon".split(), "tea milk milk sugar sugar".split()]
    terms = sorted({word for text in texts for word in text})
    x, y = np.array([[text.count(term) for term in terms] for text in texts], dtype=np.float64)
    lengths, product = np.sqrt([x @ x, y @ y]), float(x @ y)
    truth = product / lengths.prod()
    has_x, has_y = x > 0, y > 0
    shared = float((has_x & has_y).sum())
    case.compare(
        answer,
        truth,
        {
            "not_scaled": product,
            "not_scaled-2": product / lengths[0],
            "lengths_squared": product / (x @ x * (y @ y)),
            "words_for_length": product / (x.sum() * y.sum()),
            "ignores_counts": shared / np.sqrt(has_x.sum() * has_y.sum()),
            "share_of_words": shared / (has_x | has_y).sum(),
            "cosine_distance": 1 - truth,
            "angle_not_cosine": np.degrees(np.arccos(truth)),
            "angle_not_cosine-2": np.arccos(truth),
            "euclidean": np.linalg.norm(x - y),
            "euclidean-2": np.square(x - y).sum(),
        },
    )


def weigh_words(case: Case, answer: object) -> None:
    """09-2: TF-IDF from counts, with a text that has no word."""
    from sklearn.feature_extraction.text import TfidfTransformer

    counts = case.rng.poisson(0.9, size=(12, 7))
    # each word stands in some text, often in some and seldom in others
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

    def unit(X: np.ndarray, power: float = 2, axis: int = 1) -> np.ndarray:
        size = (np.abs(X) ** power).sum(axis=axis, keepdims=True) ** (1 / power)
        return X / np.where(size > 0, size, 1)

    slips = {
        "counts_not_texts": unit(counts * (1 + np.log((1 + n) / (1 + counts.sum(axis=0))))),
        "forgets_idf": unit(counts.astype(np.float64)),
        "forgets_the_one": unit(counts * (idf - 1)),
        "other_logarithm": unit(counts * (1 + np.log10((1 + n) / (1 + n_with)))),
        "not_smoothed": unit(counts * (1 + np.log(n / n_with))),
        "sums_to_one": unit(weighted, power=1),
    }
    got = case.call(answer, counts)
    case.compare(
        # a sparse matrix is as right
        got.toarray() if hasattr(got, "toarray") else got,
        truth,
        {
            "empty_text_nan": with_row(truth, empty, np.nan),
            "empty_text_dropped": np.delete(truth, empty, axis=0),
            "not_scaled": weighted,
            "scales_columns": unit(weighted, axis=0),
            **{kind: with_empty(value, empty) for kind, value in slips.items()},
        },
        rtol=1e-4,
    )


def measure_purity(case: Case, answer: object) -> None:
    """09-3: purity, with cluster numbers that leave gaps."""
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
            "share_of_strays": 1 - truth,
            "one_cluster": shares.max(),
        },
    )


def move_themes(case: Case, answer: object) -> None:
    """09-4: the centroids of spherical k-means, texts of unlike length, a theme without texts."""
    from sklearn.preprocessing import normalize

    n, d, k = 30, 6, 4
    X = case.rng.rand(n, d) ** 3
    # from a note to a novel: within each theme, the lengths differ by a factor of a hundred
    X = normalize(X) * np.logspace(0, 2, n)[case.rng.permutation(n), None]
    labels = case.rng.choice([0, 2, 3], size=n)
    labels[:6] = [0, 2, 3, 0, 2, 3]
    centroids = normalize(case.rng.rand(k, d))
    unit, sums = normalize(X), centroids.copy()
    for j in np.unique(labels):
        sums[j] = X[labels == j].sum(axis=0)
    means = cluster_means(unit, labels, centroids)
    raw_means = cluster_means(X, labels, centroids)
    truth = normalize(means)
    slips = {
        "long_texts_win": normalize(raw_means),
        "not_scaled": means,
        "plain_kmeans": raw_means,
        "sum_not_scaled": sums,
    }
    case.compare(
        case.call(answer, X, labels, centroids),
        truth,
        {
            **empty_cluster(truth, 1, "empty_theme"),
            **{kind: with_empty(value, 1) for kind, value in slips.items()},
            "never_moves": centroids,
        },
        rtol=1e-4,
    )


# -- sheet ---------------------------------------------------------------------------------------


def draw_sheet(figure: Figure) -> None:
    """Show the cosines of all pairs of texts, with plain words and after an SVD."""
    from sklearn.preprocessing import normalize

    from annlab.applications import cluster_documents
    from annlab.datasets import load_documents
    from annlab.widgets.base.look import chart

    corpus = load_documents()
    order = np.argsort(corpus.labels, kind="stable")
    edges = np.searchsorted(corpus.labels[order], np.arange(len(corpus.label_names)))
    made = cluster_documents(corpus, 8, n_components=20, n_init=1, random_state=9)
    words = (made.tfidf @ made.tfidf.T).toarray()
    directions = normalize(made.X)
    panels = {"plain words": words, "20 directions of an SVD": directions @ directions.T}
    middle = edges + np.diff([*edges, len(order)]) / 2
    both = figure.subplots(1, 2)
    for axes, (title, cosines) in zip(both, panels.items(), strict=True):
        chart(axes, title=title)
        axes.grid(False)
        image = axes.imshow(
            cosines[np.ix_(order, order)], cmap="gray_r", vmin=0, vmax=0.7, interpolation="nearest"
        )
        for edge in edges[1:]:
            axes.axhline(edge - 0.5, color="#0072B2", linewidth=0.4)
            axes.axvline(edge - 0.5, color="#0072B2", linewidth=0.4)
        axes.set_xticks([])
        axes.set_yticks(middle, corpus.label_names if title == "plain words" else [], fontsize=10)
        axes.tick_params(length=0)
    figure.colorbar(image, ax=list(both), shrink=0.7, label="cosine", pad=0.02, extend="max")


EXERCISES, QUESTIONS, SHEET, LESSON = load(
    9, draw_sheet, [cosine_by_hand, weigh_words, measure_purity, move_themes]
)

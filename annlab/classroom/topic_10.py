"""Checks of topic 10, faiss.

The checks need no faiss: strings are read by annlab, and the searches are small enough for NumPy.
"""

from __future__ import annotations

import numpy as np

from annlab.classroom._case import Case
from annlab.classroom._content import load
from annlab.classroom._values import cluster_means, encode


def bytes_by_hand() -> float:
    """Check 10-1: bytes of a row in an index."""
    from annlab.indexes.factory_string import explain_factory

    return explain_factory("PCA96,IVF512,PQ24", 384).bytes_per_row


def encode_rows(case: Case, answer: object) -> None:
    """Check 10-2: product quantization, the encoding half."""
    from annlab.distances import pairwise_sq

    for m, n_words, width in ((3, 5, 2), (2, 6, 4)):
        X, words = case.rng.randn(24, m * width), case.rng.randn(m, n_words, width)
        truth = encode(X, words)
        slices = zip(np.split(X, m, axis=1), words, strict=True)
        strided = np.hstack([X[:, i::m] for i in range(m)])
        case.compare(
            case.call(answer, X, words),
            truth,
            {
                "first_codebook": encode(X, [words[0]] * m),
                "strided_slices": encode(strided, words),
                "off_by_one": truth + 1,
                "index_over_samples": np.column_stack(
                    [pairwise_sq(x, book).argmin(axis=0) for x, book in slices]
                ),
            },
        )


def search_cells(case: Case, answer: object) -> None:
    """Check 10-3: an inverted file, with an empty cell."""
    from annlab.distances import pairwise_sq

    X, heads = case.rng.rand(80, 2), case.rng.rand(9, 2)
    # the last cell is empty, and nearest to the last query
    heads[8] = [6.0, 6.0]
    queries = np.vstack([case.rng.rand(40, 2), [[6.1, 5.9]]])
    cells = pairwise_sq(X, heads).argmin(axis=1)
    to_heads = pairwise_sq(queries, heads)
    order = to_heads.argsort(axis=1)
    gaps = pairwise_sq(queries, X)

    def best(probed: np.ndarray, missing: int = -1, local: bool = False) -> np.ndarray:
        found = np.full(len(queries), missing)
        for q, chosen in enumerate(probed):
            rows = np.concatenate([np.flatnonzero(cells == cell) for cell in chosen])
            if len(rows):
                place = int(gaps[q, rows].argmin())
                found[q] = place if local else rows[place]
        return found

    def place_in_sorted(probed: np.ndarray) -> np.ndarray:
        found = np.full(len(queries), -1)
        for q, chosen in enumerate(probed):
            rows = np.flatnonzero(np.isin(cells, chosen))
            if len(rows):
                found[q] = gaps[q, rows].argmin()
        return found

    for nprobe in (2, 1):
        probed = order[:, :nprobe]
        truth = best(probed)
        mistakes = {
            "brute_force": gaps.argmin(axis=1),
            "place_in_list": [best(probed, local=True), place_in_sorted(probed)],
            "off_by_one": best(order[:, : nprobe + 1]),
            "off_by_one-2": best(order[:, 1 : nprobe + 1]),
            "off_by_one-3": best(order[:, :1]),
            "empty_cell": best(probed, missing=0),
        }
        # first without the questions that meet empty cells, to know why it raises with them
        case.call(answer, X, heads, queries[truth >= 0], nprobe)
        with case.retell(
            "raised",
            "empty_cell-2",
        ):
            got = case.call(answer, X, heads, queries, nprobe)
        case.compare(got, truth, mistakes)


def price_of_a_sample(case: Case, answer: object) -> None:
    """Check 10-4: the loss of training on a few rows."""
    from annlab.metrics import inertia

    X, labels = case.rng.randn(120, 3) + 4.0, np.arange(120) % 4
    # ten rows of each cluster are drawn
    drawn = np.concatenate(
        [case.rng.choice(np.flatnonzero(labels == j), 10, replace=False) for j in range(4)]
    )
    case.rng.shuffle(drawn)

    def means(rows: np.ndarray) -> np.ndarray:
        return cluster_means(X[rows], labels[rows], np.zeros((4, 3)))

    everything = np.arange(120)
    sampled, whole = means(drawn), means(everything)

    def cost(centroids: np.ndarray, rows: np.ndarray = everything) -> float:
        return inertia(X[rows], labels[rows], centroids)

    def plain(centroids: np.ndarray) -> float:
        return float(np.linalg.norm(X - centroids[labels], axis=1).sum())

    ratio = cost(sampled) / cost(whole)
    case.compare(
        case.call(answer, X, labels, drawn),
        ratio - 1,
        {
            "judged_on_sample": [
                cost(sampled, drawn) / cost(whole) - 1,
                cost(sampled, drawn) / cost(whole, drawn) - 1,
                3 * cost(sampled, drawn) / cost(whole) - 1,
            ],
            "ratio_not_share": ratio,
            "percent": 100 * (ratio - 1),
            "turned_round": cost(whole) / cost(sampled) - 1,
            "not_squared": plain(sampled) / plain(whole) - 1,
        },
    )


EXERCISES, QUESTIONS, SHEET, LESSON = load(
    10, [bytes_by_hand, encode_rows, search_cells, price_of_a_sample]
)

"""Checks of topic 6, high-dimensional data."""

from __future__ import annotations

import numpy as np

from annlab.classroom._case import Case
from annlab.classroom._content import load
from annlab.classroom._values import decode, encode


def distance_from_codes() -> float:
    """Check 06-1: a distance from codes."""
    books = [np.array([[0.0, 0.0], [4.0, 2.0]]), np.array([[0.0, 5.0], [3.0, 3.0]])]
    stored = decode(encode(np.array([[5.0, 1.0, 2.0, 6.0]]), books), books)
    return float(((stored - [1.0, 2.0, 3.0, 0.0]) ** 2).sum())


def contrast_of_rows(case: Case, answer: object) -> None:
    """Check 06-2: the median contrast, every row against the others."""
    from annlab.distances import pairwise_sq
    from annlab.metrics import distance_contrast

    for d in (2, 12):
        X = case.rng.rand(41, d)
        truth = distance_contrast(X, n_queries=len(X))
        gaps = np.sqrt(pairwise_sq(X, X))
        np.fill_diagonal(gaps, 0.0)
        gaps.sort(axis=1)
        far, near, second = gaps[:, -1], gaps[:, 1], gaps[:, 2]
        case.compare(
            case.call(answer, X),
            truth,
            {
                "counts_itself": np.inf,
                "ratio_not_contrast": truth + 1,
                "mean_not_median": np.mean((far - near) / near),
                "squared_not_plain": np.median((far**2 - near**2) / near**2),
                "off_by_one": np.median((far - second) / second),
            },
        )


def measure_with_a_ruler(case: Case, answer: object) -> None:
    """Check 06-3: the intrinsic dimension, from counts that grow with the radius."""
    from annlab.distances import pairwise_sq

    for m, radius in ((2, 0.15), (1, 0.1), (3, 0.2)):
        n, d = 150, 9
        # an orthonormal frame leaves distances as they are
        frame = np.linalg.qr(case.rng.randn(d, m))[0].T
        X = case.rng.rand(n, m) @ frame
        off = ~np.eye(n, dtype=bool)
        sq = pairwise_sq(X, X)[off]
        inner, outer = (sq < radius**2).sum(), (sq < 4 * radius**2).sum()
        truth = np.log2(outer / inner)
        case.compare(
            case.call(answer, X, radius),
            truth,
            {
                "counts_itself": np.log2((outer + n) / (inner + n)),
                "ratio_not_log": outer / inner,
                "wrong_logarithm": np.log(outer / inner),
                "wrong_logarithm-2": np.log10(outer / inner),
                "ring_not_circle": np.log2((outer - inner) / inner),
                "squared_not_plain": np.log2((sq < 2 * radius).sum() / max((sq < radius).sum(), 1)),
            },
        )


def _coded_rows(case: Case) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Return 45 rows with different codes, hence distinct distances by code."""
    rows = case.rng.randn(400, 6)
    books = [np.round(case.rng.randn(5, 2), 2) for _ in range(3)]
    codes = encode(rows, books)
    first = np.sort(np.unique(codes, axis=0, return_index=True)[1])[:45]
    return rows[first], codes[first], books


def search_with_codes(case: Case, answer: object) -> None:
    """Check 06-4: product quantization with re-ranking."""
    from annlab.distances import pairwise_sq

    X, codes, books = _coded_rows(case)
    stored = decode(codes, books)
    queries = case.rng.randn(3000, X.shape[1])
    exact = pairwise_sq(queries, X)
    by_code = pairwise_sq(queries, stored).argsort(axis=1)
    by_word = pairwise_sq(decode(encode(queries, books), books), stored).argsort(axis=1)
    every = np.arange(len(queries))

    def best(order: np.ndarray, few: int) -> np.ndarray:
        short = order[:, :few]
        return short[every, exact[every[:, None], short].argmin(axis=1)]

    for few in (4, 3):
        truth = best(by_code, few)
        place = exact[every[:, None], by_code[:, :few]].argmin(axis=1)
        kinds = {
            "believes_the_codes": by_code[:, 0],
            "brute_force": exact.argmin(axis=1),
            "too_few": best(by_code, few - 1),
            "too_many": best(by_code, few + 1),
            "codes_the_query": best(by_word, few),
            "position_not_row": place,
        }
        # a query for which each of these mistakes gives a different wrong answer
        apart = np.sort(np.column_stack([truth, *kinds.values()]), axis=1)
        clear = np.flatnonzero((np.diff(apart, axis=1) > 0).all(axis=1))
        assert len(clear), "no query tells the mistakes apart"
        for q in clear[:2]:
            case.compare(
                case.call(answer, X, codes, books, queries[q], few),
                truth[q],
                {kind: values[q] for kind, values in kinds.items()},
                rtol=1e-9,
            )


EXERCISES, QUESTIONS, SHEET, LESSON = load(
    6, [distance_from_codes, contrast_of_rows, measure_with_a_ruler, search_with_codes]
)

"""Computations that several checks share."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from annlab.classroom._case import Case


def cluster_means(X: np.ndarray, labels: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Return the mean of each cluster; empty clusters keep their centroids."""
    means = np.array(start, dtype=float)
    for cluster in np.unique(labels):
        means[cluster] = X[labels == cluster].mean(axis=0)
    return means


def with_row(values: np.ndarray, row: int, what: ArrayLike) -> np.ndarray:
    """Return a copy in which one row is replaced."""
    changed = np.array(values, dtype=float)
    changed[row] = what
    return changed


def with_empty(values: np.ndarray, row: int) -> list[np.ndarray]:
    """Return three variants: the empty cluster's row unchanged, NaN, or zero."""
    return [values, with_row(values, row, np.nan), with_row(values, row, 0.0)]


def empty_cluster(truth: np.ndarray, row: int, name: str = "empty_cluster") -> dict[str, Any]:
    """Return an empty cluster's centroid after each of three classic mistakes."""
    return {
        f"{name}_nan": with_row(truth, row, np.nan),
        f"{name}_zero": with_row(truth, row, 0.0),
        f"{name}_dropped": np.delete(truth, row, axis=0),
    }


def hits_by_row(found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return how many entries of each row of ``truth`` are in that of ``found``."""
    return np.array([len(set(a) & set(b)) for a, b in zip(found, truth, strict=True)])


def front(gain: np.ndarray, cost: np.ndarray) -> np.ndarray:
    """Return the rows that no other row beats; no two are equal in both columns."""
    as_good = (gain[:, None] >= gain) & (cost[:, None] <= cost)
    # each row is as good as itself
    return np.flatnonzero(as_good.sum(axis=0) == 1)


def encode(X: np.ndarray, books: Iterable[np.ndarray]) -> np.ndarray:
    """Return the row numbers of the nearest words, of shape (n, n_books)."""
    from annlab.distances import pairwise_sq

    books = list(books)
    pairs = zip(np.split(X, len(books), axis=1), books, strict=True)
    return np.column_stack([pairwise_sq(piece, book).argmin(axis=1) for piece, book in pairs])


def decode(codes: np.ndarray, books: Iterable[np.ndarray]) -> np.ndarray:
    """Return the rows reconstructed from their words."""
    return np.hstack([book[column] for book, column in zip(books, codes.T, strict=True)])


def compare_shuffled(case: Case, data: np.ndarray, X: np.ndarray) -> None:
    """Raise unless each column of X, of distinct values, is shuffled by itself."""
    ordered = np.sort(X, axis=0)
    if np.array_equal(data, X):
        raise case.wrong("unchanged")
    if np.array_equal(data, ordered):
        raise case.wrong("sorts_columns")
    columns = np.sort(data, axis=0)
    if not np.array_equal(columns, ordered):
        if np.array_equal(np.sort(columns, axis=1), np.sort(ordered, axis=1)):
            raise case.wrong("swaps_columns")
        if np.array_equal(np.sort(data, axis=None), np.sort(X, axis=None)):
            raise case.wrong("mixes_columns")
        raise case.wrong("other_values")
    linked = [
        set(map(tuple, data[:, pair])) == set(map(tuple, X[:, pair]))
        for pair in map(list, combinations(range(X.shape[1]), 2))
    ]
    if all(linked):
        raise case.wrong("moves_whole_rows")
    if any(linked):
        raise case.wrong("still_linked")

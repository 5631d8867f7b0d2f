"""The silhouette of all points or of a sample."""

from __future__ import annotations

from typing import Any

import numpy as np

from annlab._support.checks import (
    check_integer,
    is_sparse,
)
from annlab._support.threads import Workers, chunk_bounds
from annlab._support.types import Matrix
from annlab.distances import from_squared, pairwise_sq

#: Up to this many points the silhouette is that of scikit-learn, of all points.
SILHOUETTE_ALL = 10_000
#: Of more points as many are scored as this many pairs allow, at least 500.
_SILHOUETTE_PAIRS = 200_000_000


def mean_silhouette(
    X: Matrix,
    codes: np.ndarray,
    n_clusters: int,
    metric: str,
    sample_size: int | None,
    rng: np.random.RandomState,
    n_jobs: int | None,
) -> dict[str, Any]:
    n = len(codes)
    if sample_size is None:
        size = n if n <= SILHOUETTE_ALL else min(SILHOUETTE_ALL, max(500, _SILHOUETTE_PAIRS // n))
    else:
        size = min(n, check_integer(sample_size, "sample_size", minimum=2))
    if size == n:
        from sklearn.metrics import silhouette_score

        return {"silhouette": float(silhouette_score(X, codes, metric=metric)), "n_silhouette": n}
    chosen = np.sort(rng.choice(n, size, replace=False))
    values = silhouette_of_rows(X, codes, chosen, n_clusters, metric=metric, n_jobs=n_jobs)
    # drawn without replacement
    error = values.std(ddof=1) / np.sqrt(size) * np.sqrt(1 - size / n)
    return {
        "silhouette": float(values.mean()),
        "n_silhouette": size,
        "silhouette_error": float(error),
    }


def silhouette_of_rows(
    X: Matrix,
    codes: np.ndarray,
    rows: np.ndarray,
    n_clusters: int,
    *,
    metric: str = "euclidean",
    n_jobs: int | None = None,
) -> np.ndarray:
    """Return the silhouette of some rows, each compared with all points.

    Parameters
    ----------
    X : ndarray or CSR of shape (n, d)
        Unit rows for cosine.
    codes : ndarray of shape (n,), integer from 0 to n_clusters − 1
    rows : ndarray of shape (m,), integer
    n_clusters : int
    metric : {"euclidean", "cosine"}
    n_jobs : int, optional

    Returns
    -------
    ndarray of shape (m,), float64
        0 for the only point of its cluster.

    Notes
    -----
    O(m·n·d); each thread holds blocks of about 32 MB.
    """
    sizes = np.bincount(codes, minlength=n_clusters)
    step = 64
    tasks = [
        (X, codes, sizes, rows[start : start + step], metric) for start in range(0, len(rows), step)
    ]
    with Workers(n_jobs) as workers:
        return np.concatenate(workers.map(_silhouette_chunk, tasks))


def _silhouette_chunk(
    X: Matrix, codes: np.ndarray, sizes: np.ndarray, rows: np.ndarray, metric: str
) -> np.ndarray:
    from scipy.sparse import csr_matrix

    n, m, k = len(codes), len(rows), len(sizes)
    queries = (X[rows].toarray() if is_sparse(X) else X[rows]).astype(np.float64)
    sums = np.zeros((k, m))
    for start, stop in chunk_bounds(n, 1 << 16):
        # the block is the query of pairwise_sq, because it may be sparse
        distances = pairwise_sq(X[start:stop].astype(np.float64), queries)
        inside = np.flatnonzero((start <= rows) & (rows < stop))
        distances[rows[inside] - start, inside] = 0.0
        size = stop - start
        members = csr_matrix((np.ones(size), codes[start:stop], np.arange(size + 1)), (size, k))
        sums += members.T @ from_squared(distances, metric)
    own, columns = codes[rows], np.arange(m)
    a = sums[own, columns] / np.maximum(sizes[own] - 1, 1)
    means = sums / sizes[:, None]
    means[own, columns] = np.inf
    b = means.min(axis=0)
    largest = np.maximum(a, b)
    scores = np.divide(b - a, largest, out=np.zeros_like(a), where=largest > 0)
    return np.where(sizes[own] == 1, 0.0, scores)

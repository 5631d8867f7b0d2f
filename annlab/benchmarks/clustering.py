"""Compare exact and approximate k-means (slide 4): same start, same stop."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from annlab._support.checks import (
    check_data,
    check_integer,
    check_n_clusters,
    check_random_state,
    check_real,
    is_sparse,
)
from annlab._support.threads import resolve_n_jobs
from annlab.benchmarks.timing import Seconds, timed
from annlab.clustering import kmeans_ann
from annlab.metrics import inertia

#: Rows of the fit that warms up imports and threads.
_WARM_ROWS = 512


def _same_start(X: Any, n_clusters: int, random_state: Any) -> np.ndarray:
    rows = check_random_state(random_state).choice(X.shape[0], n_clusters, replace=False)
    return X[rows].toarray() if is_sparse(X) else X[rows]


def _measure(
    X: Any,
    n_clusters: int,
    fit: Callable[[Any, np.ndarray], tuple[np.ndarray, np.ndarray, int, str]],
    random_state: Any,
    n_jobs: int | None,
    repeats: int,
) -> Seconds:
    start = _same_start(X, n_clusters, random_state)
    with warnings.catch_warnings():
        # a few rows may have too few distinct values
        warnings.simplefilter("ignore")
        few = X[:_WARM_ROWS]
        fit(few, _same_start(few, min(n_clusters, few.shape[0], 8), 0))
    seconds, times, answer = timed(lambda: fit(X, start), check_integer(repeats, "repeats"))
    labels, centroids, n_iter, algorithm = answer
    return Seconds(
        seconds,
        inertia=inertia(X, labels, centroids),
        n_iter=n_iter,
        algorithm=algorithm,
        labels=labels,
        centroids=centroids,
        repeats_s=times,
        threads=resolve_n_jobs(n_jobs),
    )


def benchmark_kmeans(
    X: Any,
    n_clusters: int,
    *,
    max_iter: int = 100,
    tol: float = 1e-4,
    random_state: Any = 42,
    n_jobs: int | None = None,
    repeats: int = 1,
) -> Seconds:
    """Time scikit-learn's k-means from the start of `benchmark_kmeans_ann`.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n, d)
    n_clusters : int
    max_iter : int, default=100
    tol : float, default=1e-4
        scikit-learn's stopping rule, which is annlab's as well.
    random_state : int, RandomState, Generator or None, default=42
        Draws the start: ``n_clusters`` distinct rows. The same integer gives both functions the
        same start.
    n_jobs : int, optional
        Threads; None for all cores of this process.
    repeats : int, default=1
        Runs; the median counts.

    Returns
    -------
    Seconds
        A float, with ``inertia`` (float64, recomputed outside the clock), ``n_iter``, ``labels``,
        ``centroids``, ``algorithm``, ``repeats_s``, ``threads`` and ``machine``.

    Raises
    ------
    TypeError, ValueError

    Notes
    -----
    A fit of a few rows warms up imports and threads outside the clock.

    Examples
    --------
    >>> import numpy as np
    >>> from annlab.benchmarks import benchmark_kmeans, benchmark_kmeans_ann
    >>> X = np.random.RandomState(0).rand(500, 2)
    >>> exact, ann = benchmark_kmeans(X, 5), benchmark_kmeans_ann(X, 5)
    >>> exact > 0, bool(abs(exact.inertia / ann.inertia - 1) < 1e-9), exact.n_iter == ann.n_iter
    (True, True, True)
    """
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    X = check_data(X, accept_sparse=True)
    n_clusters = check_n_clusters(n_clusters, X.shape[0])
    max_iter, tol = check_integer(max_iter, "max_iter"), check_real(tol, "tol")

    def fit(rows: Any, start: np.ndarray) -> tuple[np.ndarray, np.ndarray, int, str]:
        model = KMeans(len(start), init=start, n_init=1, max_iter=max_iter, tol=tol)
        model.fit(rows)
        return model.labels_, model.cluster_centers_, int(model.n_iter_), "scikit-learn lloyd"

    with threadpool_limits(resolve_n_jobs(n_jobs)):
        return _measure(X, n_clusters, fit, random_state, n_jobs, repeats)


def benchmark_kmeans_ann(
    X: Any,
    n_clusters: int,
    *,
    max_iter: int = 100,
    tol: float = 1e-4,
    algorithm: Any = "auto",
    algorithm_params: dict[str, Any] | None = None,
    random_state: Any = 42,
    n_jobs: int | None = None,
    repeats: int = 1,
) -> Seconds:
    """Time `annlab.kmeans_ann`, with start and stop of `benchmark_kmeans`.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n, d)
    n_clusters : int
    max_iter, tol, random_state, n_jobs, repeats
        As in `benchmark_kmeans`.
    algorithm : str or object, default="auto"
        As in `annlab.kmeans_ann`; so is ``algorithm_params``.

    Returns
    -------
    Seconds
        As `benchmark_kmeans`, and ``result``, the `KMeansResult`.

    Raises
    ------
    TypeError, ValueError

    Examples
    --------
    >>> import numpy as np
    >>> from annlab.benchmarks import benchmark_kmeans_ann
    >>> ann_time = benchmark_kmeans_ann(np.random.RandomState(0).rand(500, 2), 5)
    >>> f"{ann_time:.2f}".count(".")
    1
    """
    X = check_data(X, accept_sparse=True)
    n_clusters = check_n_clusters(n_clusters, X.shape[0])
    last: dict[str, Any] = {}

    def fit(rows: Any, start: np.ndarray) -> tuple[np.ndarray, np.ndarray, int, str]:
        result = kmeans_ann(
            rows,
            len(start),
            max_iter,
            algorithm=algorithm,
            algorithm_params=algorithm_params,
            init=start,
            tol=tol,
            random_state=0,
            n_jobs=n_jobs,
        )
        last["result"] = result
        return result.labels, result.centroids, result.n_iter, f"annlab {result.algorithm}"

    seconds = _measure(X, n_clusters, fit, random_state, n_jobs, repeats)
    seconds.facts["result"] = last["result"]
    return seconds

"""k-means on several cores, under the two names of the slide deck."""

from __future__ import annotations

from typing import Any

import numpy as np

from annlab._support.checks import check_data
from annlab._support.errors import invalid
from annlab._support.threads import Workers
from annlab.clustering import kmeans_ann
from annlab.fit.answers import label_rows
from annlab.result import KMeansResult


def assign_points_to_clusters(chunk: Any, centroids: Any = None) -> np.ndarray:
    """Label the points of a chunk with their nearest centroids.

    Parameters
    ----------
    chunk : array-like of shape (n, d), or a tuple ``(chunk, centroids)``
        The deck passes a tuple, because ``Pool.map`` takes one argument.
    centroids : array-like of shape (k, d), optional

    Returns
    -------
    ndarray of shape (n,), int32

    Raises
    ------
    TypeError, ValueError

    Notes
    -----
    2·n·k·d operations, on one thread. A label depends on its row alone.

    Examples
    --------
    >>> from annlab import assign_points_to_clusters
    >>> assign_points_to_clusters(([[0.0], [9.0]], [[1.0], [8.0]]))
    array([0, 1], dtype=int32)
    """
    if centroids is None:
        if not isinstance(chunk, tuple) or len(chunk) != 2:
            raise invalid(
                "chunk",
                "a tuple (chunk, centroids) where centroids is not given",
                type(chunk).__name__,
                "Call assign_points_to_clusters(chunk, centroids).",
                error=TypeError,
            )
        chunk, centroids = chunk
    rows = check_data(chunk, name="chunk", accept_sparse=True)
    centres = check_data(centroids, name="centroids", n_features=rows.shape[1])
    with Workers(1) as workers:
        return label_rows(rows, centres, metric="euclidean", workers=workers)


def parallel_kmeans_ann(
    X: Any,
    n_clusters: int,
    max_iter: int = 100,
    n_jobs: int | None = None,
    **options: Any,
) -> KMeansResult:
    """Run `kmeans_ann` on ``n_jobs`` cores, with the deck's order of arguments.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n, d)
    n_clusters : int
    max_iter : int, default=100
    n_jobs : int, optional
        None means all cores of this process, or the value of ``joblib.parallel_config``.
    **options
        As in `kmeans_ann`.

    Returns
    -------
    KMeansResult
        The same for every ``n_jobs``, bit for bit.

    Notes
    -----
    Threads of one pool share X. The deck opens a pool of processes and sends X in each iteration.

    Examples
    --------
    >>> import numpy as np
    >>> from annlab import parallel_kmeans_ann
    >>> X = np.random.RandomState(0).rand(1000, 4)
    >>> one = parallel_kmeans_ann(X, 5, n_jobs=1, random_state=0)
    >>> two = parallel_kmeans_ann(X, 5, n_jobs=2, random_state=0)
    >>> bool((one.labels == two.labels).all())
    True
    """
    return kmeans_ann(X, n_clusters, max_iter, n_jobs=n_jobs, **options)

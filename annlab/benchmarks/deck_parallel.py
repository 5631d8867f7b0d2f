"""The slide deck's parallel k-means (slide 13): its text, and a running form.

The loop says ``in``, random state and pool are parameters, and an empty cluster keeps its centroid,
where the slide takes the mean of nothing. Processes can import it from here, but not from a
notebook.
"""

from __future__ import annotations

from multiprocessing import Pool, cpu_count
from typing import Any

import numpy as np
from sklearn.neighbors import NearestNeighbors

#: The two functions as the slide prints them, which is not valid Python.
SLIDE_13 = """\
import numpy as np
from sklearn.neighbors import NearestNeighbors
from multiprocessing import Pool, cpu_count

def assign_points_to_clusters(args):
    chunk, centroids = args
    ann = NearestNeighbors(n_neighbors=1, algorithm='ball_tree')
    ann.fit(centroids)
    distances, labels = ann.kneighbors(chunk)
    return labels.flatten()

def parallel_kmeans_ann(X, n_clusters, max_iter=100, n_jobs=None):
    if n_jobs is None:
        n_jobs = cpu_count()

    centroids = X[np.random.choice(X.shape[0], n_clusters, replace=False)]

    for _ range(max_iter):
        # Split data into chunks for parallel processing
        chunks = np.array_split(X, n_jobs)

        # Assign points to clusters in parallel
        with Pool(n_jobs) as pool:
            results = pool.map(assign_points_to_clusters,
                               [(chunk, centroids) for chunk in chunks])

        labels = np.concatenate(results)

        # Update centroids
        new_centroids = np.array([X[labels == k].mean(axis=0)
                                  for k in range(n_clusters)])

        if np.allclose(centroids, new_centroids):
            break

        centroids = new_centroids

    return labels, centroids
"""


def assign_points_to_clusters(args: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Label the points of a chunk, as a task of the slide's pool.

    Parameters
    ----------
    args : tuple (chunk, centroids)
        Arrays of shape (m, d) and (k, d).

    Returns
    -------
    ndarray of shape (m,), int64

    Examples
    --------
    >>> import numpy as np
    >>> from annlab.benchmarks.deck_parallel import assign_points_to_clusters
    >>> assign_points_to_clusters((np.array([[0.0], [9.0]]), np.array([[1.0], [8.0]])))
    array([0, 1])
    """
    chunk, centroids = args
    ann = NearestNeighbors(n_neighbors=1, algorithm="ball_tree")
    ann.fit(centroids)
    _distances, labels = ann.kneighbors(chunk)
    return labels.flatten()


def deck_parallel_kmeans_ann(
    X: np.ndarray,
    n_clusters: int,
    max_iter: int = 100,
    n_jobs: int | None = None,
    random_state: int | None = None,
    pool: Any = Pool,
) -> tuple[np.ndarray, np.ndarray]:
    """Cluster as on slide 13: a new pool in each iteration receives all of X.

    Parameters
    ----------
    X : ndarray of shape (n, d)
    n_clusters : int
    max_iter : int, default=100
    n_jobs : int, optional
        None for `multiprocessing.cpu_count`, which ignores a container's quota.
    random_state : int, optional
    pool : callable, default=multiprocessing.Pool
        Called with ``n_jobs`` in each iteration; a context manager with ``map``.

    Returns
    -------
    labels : ndarray of shape (n,), int64
        Nearest of the centroids *before* the last update, as on the slide.
    centroids : ndarray of shape (n_clusters, d)

    Notes
    -----
    Each iteration starts n_jobs processes and, if X is float64, sends 8·n·d bytes to them. The
    update runs on one core and passes over all points for each cluster.

    Examples
    --------
    >>> import numpy as np
    >>> from annlab.benchmarks.deck_parallel import deck_parallel_kmeans_ann
    >>> from annlab.benchmarks.scaling import RecordedPool
    >>> X = np.random.RandomState(0).rand(200, 2)
    >>> labels, centroids = deck_parallel_kmeans_ann(
    ...     X, 5, 3, n_jobs=2, random_state=0, pool=RecordedPool.inline()
    ... )
    >>> labels.shape, centroids.shape
    ((200,), (5, 2))
    """
    if n_jobs is None:
        n_jobs = cpu_count()

    rng = np.random.RandomState(random_state)
    centroids = X[rng.choice(X.shape[0], n_clusters, replace=False)]

    for _ in range(max_iter):
        # Split data into chunks for parallel processing
        chunks = np.array_split(X, n_jobs)

        # Assign points to clusters in parallel
        with pool(n_jobs) as workers:
            results = workers.map(
                assign_points_to_clusters, [(chunk, centroids) for chunk in chunks]
            )

        labels = np.concatenate(results)

        # Update centroids
        new_centroids = np.array(
            [
                X[labels == cluster].mean(axis=0) if np.any(labels == cluster) else old
                for cluster, old in enumerate(centroids)
            ]
        )

        if np.allclose(centroids, new_centroids):
            break

        centroids = new_centroids

    return labels, centroids

"""The slide deck's own k-means (slide 3), changed only so that it runs.

The random state is a parameter, and an empty cluster keeps its centroid, where the slide takes the
mean of nothing, gets NaN and fails in the next fit.
"""

from __future__ import annotations

import numpy as np


def deck_kmeans_ann(
    X: np.ndarray, n_clusters: int, max_iter: int = 100, random_state: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Cluster as on slide 3: rebuild an index over the centroids each iteration.

    Parameters
    ----------
    X : ndarray of shape (n, d)
    n_clusters : int
    max_iter : int, default=100
    random_state : int, optional

    Returns
    -------
    labels : ndarray of shape (n,), int64
        Nearest of the centroids *before* the last update, as on the slide.
    centroids : ndarray of shape (n_clusters, d)

    Notes
    -----
    The index is a ball tree, which is exact. At large d it compares a point with nearly all
    centroids, one by one and on one thread; the update passes over all points for each cluster.

    Examples
    --------
    >>> import numpy as np
    >>> from annlab.benchmarks.deck import deck_kmeans_ann
    >>> labels, centroids = deck_kmeans_ann(np.random.RandomState(0).rand(200, 2), 5)
    >>> labels.shape, centroids.shape
    ((200,), (5, 2))
    """
    from sklearn.neighbors import NearestNeighbors

    rng = np.random.RandomState(random_state)
    # Initialize centroids randomly
    centroids = X[rng.choice(X.shape[0], n_clusters, replace=False)]

    for _ in range(max_iter):
        # Build ANN index for current centroids
        ann = NearestNeighbors(n_neighbors=1, algorithm="ball_tree")
        ann.fit(centroids)

        # Assign points to nearest centroids
        _distances, labels = ann.kneighbors(X)
        labels = labels.flatten()

        # Update centroids
        new_centroids = np.array(
            [
                X[labels == cluster].mean(axis=0) if np.any(labels == cluster) else old
                for cluster, old in enumerate(centroids)
            ]
        )

        # Check for convergence
        if np.all(centroids == new_centroids):
            break

        centroids = new_centroids

    return labels, centroids

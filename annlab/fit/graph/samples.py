"""Start for data of high intrinsic dimension: relocating k-means on a sample."""

from __future__ import annotations

import numpy as np

from annlab.fit.graph.cloud import Cloud, assign_all, means_of
from annlab.fit.graph.neighbours import assign_nearby, neighbourhoods
from annlab.fit.graph.relocation import relocate
from annlab.rows.memory import MemoryRows
from annlab.rows.sample import stratified

#: Points of the sample for each cluster.
_SAMPLE_PER_CLUSTER = 16
#: Iterations on the sample.
_ROUNDS = 6


def grow_from_sample(
    rows: MemoryRows, n_clusters: int, rng: np.random.RandomState
) -> tuple[np.ndarray, int, float]:
    """Run k-means with relocation on a sample of 16 points for each cluster.

    Returns
    -------
    centroids : ndarray of shape (k, d)
    n_distances : int
    gain : float
        Gain of the relocations, as a share of the inertia.

    Notes
    -----
    One comparison of the sample with all centroids (2·16k·k·d operations), then restricted
    iterations on the sample.
    """
    size = min(rows.n, _SAMPLE_PER_CLUSTER * n_clusters)
    sample = rows.part(stratified(rows.n, size, rng))
    cloud = Cloud.of(sample)
    # positive weights first: a start at a point without weight would stay alone
    ticket = rng.uniform(size=size) + (cloud.weights <= 0 if len(cloud.weights) > 0 else 0.0)
    centroids = cloud.X[np.sort(np.argsort(ticket, kind="stable")[:n_clusters])]
    found = assign_all(sample, centroids)
    work, gained = found.n_distances, 0.0
    for _ in range(_ROUNDS - 1):
        labels, gain = relocate(cloud, found, n_clusters)
        gained += gain
        centroids = means_of(cloud, labels, centroids, unit=rows.coordinates.unit)
        around = neighbourhoods(centroids, rows.workers, rng)
        found = assign_nearby(cloud, centroids, labels, around)
        work += found.n_distances
    centroids = means_of(cloud, found.labels, centroids, unit=rows.coordinates.unit)
    return centroids, work, gained

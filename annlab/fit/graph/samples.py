"""A start for data of high intrinsic dimension: k-means with relocation on a sample."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from annlab._support.threads import Workers
from annlab.fit.graph.cloud import Cloud, assign_all, means_of
from annlab.fit.graph.neighbours import assign_nearby, neighbourhoods
from annlab.fit.graph.relocation import relocate
from annlab.rows.sample import stratified

#: Points of the sample for each cluster.
_SAMPLE_PER_CLUSTER = 16


def grow_from_sample(
    gather: Callable[[np.ndarray], np.ndarray],
    n: int,
    weights: np.ndarray,
    n_clusters: int,
    kernels: Any,
    workers: Workers,
    rng: np.random.RandomState,
    *,
    unit: bool = False,
    rounds: int = 6,
) -> tuple[np.ndarray, int, float]:
    """k-means with relocation on a sample of 16 points for each cluster.

    Returns
    -------
    centroids : ndarray of shape (k, d)
    n_distances : int
    gain : float
        What the relocations gained, as a share of the inertia.

    Notes
    -----
    One comparison of the sample with all centroids (2·16k·k·d operations), then restricted
    iterations on the sample.
    """
    size = min(n, _SAMPLE_PER_CLUSTER * n_clusters)
    sample = stratified(n, size, rng)
    rows = gather(sample)
    own = weights[sample] if len(weights) > 0 else weights
    cloud = Cloud(rows, np.einsum("ij,ij->i", rows, rows), own, workers, kernels)
    # positive weights first: a start at a point without weight would stay alone
    ticket = rng.uniform(size=size) + (own <= 0 if len(own) > 0 else 0.0)
    centroids = rows[np.sort(np.argsort(ticket, kind="stable")[:n_clusters])].copy()
    labels: np.ndarray | None = None
    work, gained = 0, 0.0
    for turn in range(rounds):
        if labels is None:
            found, _ = assign_all(lambda a, b: rows[a:b], size, kernels, workers, centroids)
        else:
            around = neighbourhoods(centroids, kernels, workers, rng)
            found = assign_nearby(cloud, centroids, labels, around)
        work += found.n_distances
        labels = found.labels
        if turn < rounds - 1:
            labels, gain = relocate(cloud, found, n_clusters)
            gained += gain
        centroids = means_of(cloud, labels, centroids, unit=unit)
    return centroids, work, gained

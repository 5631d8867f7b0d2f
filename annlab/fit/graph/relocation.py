"""Centroids that would not be missed move to where one centroid serves too many points."""

from __future__ import annotations

import numpy as np

from annlab._support.threads import chunk_bounds
from annlab.fit.graph.cloud import Cloud, Nearby, pieces, sort_by


def relocate(
    cloud: Cloud, found: Nearby, n_clusters: int, *, share: float = 0.3
) -> tuple[np.ndarray, float]:
    """Move centroids that nobody would miss to where one centroid serves too many.

    Removing a cluster costs Σ w (d₂² − d₁²): its points go to their second choice. Cutting a
    cluster in two gains what `split_clusters` measures. Pairs are made while a cut gains more
    than a removal costs.

    Parameters
    ----------
    cloud : Cloud
    found : Nearby
    n_clusters : int
    share : float, default=0.3
        Clusters to move at most, as a share of k.

    Returns
    -------
    labels : ndarray of shape (n,), int32
        With the moves carried out.
    gain : float
        Expected fall of the inertia, as a share of it.

    Notes
    -----
    About 20·n·d·share operations. The removal costs are upper bounds where the receiving means
    move, and lower bounds nowhere, so the inertia of the new means falls by at least the gain.
    """
    k = n_clusters
    errors = cloud.weighed(found.d1)
    spread = np.bincount(found.labels, weights=errors, minlength=k)
    total = float(spread.sum())
    most = int(share * k)
    if most < 1 or k < 3 or not total > 0:
        return found.labels, 0.0
    costs = np.bincount(found.labels, weights=cloud.weighed(found.d2) - errors, minlength=k)
    order, starts = sort_by(cloud.kernels, found.labels, k)
    size = min(k, 2 * most + 1)
    chosen = np.sort(np.argsort(-spread, kind="stable")[:size]).astype(np.int32)
    gains = np.zeros(k)
    half = np.zeros(len(found.labels), dtype=np.int32)

    def split(lo: int, hi: int) -> None:
        cloud.kernels.split_clusters(
            cloud.X, cloud.weights, order, starts, chosen, lo, hi, gains, half
        )

    each = max(1, -(-size // pieces(cloud.X.size)))
    cloud.workers.map(split, chunk_bounds(size, each))
    dearest = chosen[np.argsort(-gains[chosen], kind="stable")]
    cheapest = np.argsort(costs, kind="stable").astype(np.int32)
    removed = np.empty(most, dtype=np.int32)
    divided = np.empty(most, dtype=np.int32)
    pairs = cloud.kernels.pair_relocations(
        order, starts, found.second, cheapest, costs, dearest, gains, most, removed, divided
    )
    # in order of index: which clusters move is certain, which of two costs is lower need not be
    removed, divided = np.sort(removed[:pairs]), np.sort(divided[:pairs])
    gone = np.zeros(k, dtype=bool)
    gone[removed] = True
    heir = np.full(k, -1, dtype=np.int32)
    heir[divided] = removed
    labels = np.where(gone[found.labels], found.second, found.labels)
    target = heir[found.labels]
    labels = np.where((target >= 0) & (half == 1), target, labels)
    return labels, float(gains[divided].sum() - costs[removed].sum()) / total

"""Move centroids that are hardly needed to clusters that gain by a split."""

from __future__ import annotations

import numpy as np

from annlab._kernels import loops
from annlab._support.threads import chunk_bounds
from annlab.fit.graph.cloud import Cloud, Nearby, pieces, sort_by, weighed


def relocate(
    cloud: Cloud, found: Nearby, n_clusters: int, *, share: float = 0.3
) -> tuple[np.ndarray, float]:
    """Match clusters to remove with clusters to split, while the split gains more.

    Removing a cluster costs Σ w (d₂² − d₁²): its points go to their second choice. The gain of a
    split is measured by `split_clusters`.

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
        After the moves.
    gain : float
        Expected fall of the inertia, as a share of it.

    Notes
    -----
    About 20·n·d·share operations. The costs of removal are upper bounds, because the receiving
    means move; so the inertia of the new means falls by at least the gain.
    """
    k = n_clusters
    errors = weighed(found.d1, cloud.weights)
    spread = np.bincount(found.labels, weights=errors, minlength=k)
    total = float(spread.sum())
    most = int(share * k)
    if most < 1 or k < 3 or not total > 0:
        return found.labels, 0.0
    second_errors = weighed(found.d2, cloud.weights)
    costs = np.bincount(found.labels, weights=second_errors - errors, minlength=k)
    order, starts = sort_by(found.labels, k)
    size = min(k, 2 * most + 1)
    chosen = np.sort(np.argsort(-spread, kind="stable")[:size]).astype(np.int32)
    gains = np.zeros(k)
    half = np.zeros(len(found.labels), dtype=np.int32)

    def split(lo: int, hi: int) -> None:
        loops.split_clusters(cloud.X, cloud.weights, order, starts, chosen, lo, hi, gains, half)

    each = max(1, -(-size // pieces(cloud.X.size)))
    cloud.workers.map(split, chunk_bounds(size, each))
    dearest = chosen[np.argsort(-gains[chosen], kind="stable")]
    cheapest = np.argsort(costs, kind="stable").astype(np.int32)
    removed = np.empty(most, dtype=np.int32)
    divided = np.empty(most, dtype=np.int32)
    pairs = loops.pair_relocations(
        order, starts, found.second, cheapest, costs, dearest, gains, most, removed, divided
    )
    if not pairs:
        return found.labels, 0.0
    # by index: which clusters move is certain, the order of close costs is not
    removed, divided = np.sort(removed[:pairs]), np.sort(divided[:pairs])
    gone = np.zeros(k, dtype=bool)
    gone[removed] = True
    heir = np.full(k, -1, dtype=np.int32)
    heir[divided] = removed
    labels = np.where(gone[found.labels], found.second, found.labels)
    target = heir[found.labels]
    labels = np.where((target >= 0) & (half == 1), target, labels)
    return labels, float(gains[divided].sum() - costs[removed].sum()) / total

"""A tree to start from: coarse groups share the clusters among them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from annlab._kernels import loops
from annlab.fit.graph.cloud import (
    Cloud,
    assign_all,
    assign_blocks,
    means_of,
    pieces,
    scaled_weights,
    sort_by,
    weighed,
)
from annlab.rows.memory import MemoryRows
from annlab.rows.sample import stratified

#: Points that the coarse centroids are trained on, per coarse centroid.
_COARSE_SAMPLE = 64


def share_out(total: int, mass: np.ndarray, room: np.ndarray) -> np.ndarray:
    """Split ``total`` in proportion to ``mass``, from 1 up to the room of each.

    Returns
    -------
    ndarray of the shape of ``mass``, int64, with sum ``total``

    Notes
    -----
    Largest remainders; the excess of a full share goes to the others.

    Examples
    --------
    >>> import numpy as np
    >>> from annlab.fit.graph.tree import share_out
    >>> share_out(10, np.array([1.0, 1.0, 8.0]), np.array([5, 1, 9]))
    array([1, 1, 8])
    """
    shares = np.minimum(1, room).astype(np.int64)
    # fewer clusters than groups with room: the heaviest get one each
    if shares.sum() > total:
        shares[np.argsort(-mass, kind="stable")[total:]] = 0
        short = total - shares.sum()
        if short > 0:
            shares[np.flatnonzero((shares == 0) & (room > 0))[:short]] = 1
    while (left := total - int(shares.sum())) > 0:
        open_mass = np.where(room > shares, np.maximum(mass, 0.0), 0.0)
        if open_mass.sum() <= 0:
            open_mass = np.where(room > shares, 1.0, 0.0)
        quota = left * open_mass / open_mass.sum()
        whole = np.minimum(np.floor(quota).astype(np.int64), room - shares)
        if whole.sum() == 0:
            order = np.argsort(-(quota - np.floor(quota)), kind="stable")
            whole[order[(room > shares)[order]][:left]] = 1
        shares += whole
    return shares


def grow(
    cloud: Cloud,
    starts: np.ndarray,
    shares: np.ndarray,
    rounds: int,
    passes: int,
    uniforms: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw the groups' children by D² sampling, then run ``passes`` iterations.

    Points are compared with the children of their own group only.

    Returns
    -------
    centroids : ndarray of shape (k, d)
    labels : ndarray of shape (n,), int32
    """
    n, d = cloud.X.shape
    k = int(shares.sum())
    plan = np.concatenate([starts, [0], np.cumsum(shares)]).astype(np.int64)
    centroids = np.zeros((k, d), dtype=cloud.X.dtype)
    d1 = np.empty(n, dtype=cloud.X.dtype)

    def group(g: int) -> None:
        loops.seed_groups(
            cloud.X, cloud.norms, cloud.weights, g, g + 1, rounds, plan, uniforms, centroids, d1
        )

    # longest first: no thread ends with a long one alone
    turns = np.argsort(-np.diff(starts) * shares, kind="stable")
    cloud.workers.map(group, [(int(g),) for g in turns])
    children = plan[len(starts) : -1, None] + np.arange(shares.max())
    children = np.minimum(children, k - 1).astype(np.int32)
    order, counts = np.arange(n, dtype=np.int32), shares.astype(np.int32)
    for _ in range(passes + 1):
        found = assign_blocks(
            cloud, centroids, order, starts, children, counts, pieces(cloud.X.size)
        )
        centroids = means_of(cloud, found.labels, centroids, unit=False)
    return centroids, found.labels


@dataclass
class Tree:
    """A start for large k.

    Attributes
    ----------
    cloud : Cloud
        The points, group by group.
    order : ndarray of shape (n,), int32
        Row ``i`` of the cloud is point ``order[i]``.
    centroids : ndarray of shape (k, d)
    labels : ndarray of shape (n,), int32
        Of the rows of the cloud.
    n_distances : int
    """

    cloud: Cloud
    order: np.ndarray
    centroids: np.ndarray
    labels: np.ndarray
    n_distances: int


def plant_tree(
    rows: MemoryRows, n_clusters: int, rng: np.random.RandomState, *, least_contrast: float = 0.0
) -> Tree | None:
    """Run two-level k-means: coarse groups, then clusters in each group.

    Parameters
    ----------
    rows : MemoryRows
    n_clusters : int
    rng : RandomState
    least_contrast : float, default=0
        Return None if the contrast (median of second-nearest over nearest squared coarse
        distance) is lower.

    Notes
    -----
    With g = √k groups about 2·n·d·(g + 2·k/g) operations. A group gets children in proportion to
    SSE^0.8: SSE itself would be right if a cluster's error did not depend on how many share the
    group, but it falls. Points are reordered once, group by group, so all later stages run in
    contiguous memory.
    """
    n = rows.n
    n_groups = max(1, min(round(np.sqrt(n_clusters)), n))
    sample = Cloud.of(rows.part(stratified(n, min(n, _COARSE_SAMPLE * n_groups), rng)))
    whole = np.array([0, len(sample.X)])
    coarse, _ = grow(sample, whole, np.array([n_groups]), 4, 8, rng.uniform(size=n_groups))
    found = assign_all(rows, coarse)
    if n_groups > 1 and _contrast(found.d1, found.d2) < least_contrast:
        return None
    order, starts = sort_by(found.labels, n_groups)
    cloud = Cloud.reordered(rows, order)
    errors = weighed(found.d1, scaled_weights(rows))
    spread = np.bincount(found.labels, weights=errors, minlength=n_groups)
    shares = share_out(n_clusters, spread**0.8, np.diff(starts))
    centroids, labels = grow(cloud, starts, shares, 4, 1, rng.uniform(size=n_clusters))
    work = n * n_groups + int((2 * np.diff(starts) * shares).sum())
    return Tree(cloud, order, centroids, labels, work)


def _contrast(d1: np.ndarray, d2: np.ndarray) -> float:
    """Return the median of ``d2 / d1`` over at most 4,096 points."""
    step = max(1, len(d1) // 4096)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = d2[::step] / d1[::step]
    ratio = ratio[~np.isnan(ratio)]
    return float(np.median(ratio)) if ratio.size else np.inf

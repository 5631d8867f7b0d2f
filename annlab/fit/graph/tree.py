"""A tree to start from: coarse groups, each of which gets its share of the clusters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from annlab._support.threads import Workers
from annlab.fit.graph.cloud import (
    Cloud,
    assign_all,
    assign_blocks,
    half_norms,
    means_of,
    pieces,
    reordered,
    sort_by,
    times,
)
from annlab.rows.sample import stratified

#: Points that the coarse centroids are trained on, per coarse centroid.
_COARSE_SAMPLE = 64


def share_out(total: int, mass: np.ndarray, room: np.ndarray) -> np.ndarray:
    """Split ``total`` in proportion to ``mass``: at least 1 where there is room, at most the room.

    Returns
    -------
    ndarray of the shape of ``mass``, int64, with sum ``total``

    Notes
    -----
    Largest remainders; what a full share cannot take goes to the others.

    Examples
    --------
    >>> import numpy as np
    >>> from annlab.fit.graph.tree import share_out
    >>> share_out(10, np.array([1.0, 1.0, 8.0]), np.array([5, 1, 9]))
    array([1, 1, 8])
    """
    shares = np.minimum(1, room).astype(np.int64)
    # more groups with room than clusters to give: the heaviest get one each
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
    cloud: Cloud, starts: np.ndarray, shares: np.ndarray, rounds: int, passes: int, uniforms: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Children of all groups, and labels: D² sampling, then ``passes`` Lloyd iterations.

    The groups go in parallel; a point is compared with the children of its own group.
    """
    n, d = cloud.X.shape
    k = int(shares.sum())
    plan = np.concatenate([starts, [0], np.cumsum(shares)]).astype(np.int64)
    centroids = np.zeros((k, d), dtype=cloud.X.dtype)
    d1 = np.empty(n, dtype=cloud.X.dtype)
    # the longest first, so that no thread ends with a long one alone
    turns = np.argsort(-np.diff(starts) * shares, kind="stable")

    def group(g: int) -> None:
        cloud.kernels.seed_groups(
            cloud.X, cloud.norms, cloud.weights, g, g + 1, rounds, plan, uniforms, centroids, d1
        )

    cloud.workers.map(group, [(int(g),) for g in turns])
    children = plan[len(starts) : -1, None] + np.arange(shares.max())
    children = np.minimum(children, k - 1).astype(np.int32)
    order, counts = np.arange(n, dtype=np.int32), shares.astype(np.int32)
    labels = np.zeros(n, dtype=np.int32)
    for _ in range(passes + 1):
        found = assign_blocks(
            cloud, centroids, half_norms(centroids), order, starts, children, counts,
            pieces(cloud.X.size),
        )  # fmt: skip
        labels = found.labels
        centroids = means_of(cloud, labels, centroids, unit=False)
    return centroids, labels


@dataclass
class Tree:
    """What `plant_tree` leaves behind.

    Attributes
    ----------
    cloud : Cloud
        The points, group by group.
    order : ndarray of shape (n,), int32
        Row ``i`` of the cloud is point ``order[i]``.
    centroids : ndarray of shape (k, d)
    labels : ndarray of shape (n,), int32
        Of the rows of the cloud.
    contrast : float
        Median of second-nearest over nearest squared coarse distance.
    n_distances : int
    """

    cloud: Cloud
    order: np.ndarray
    centroids: np.ndarray
    labels: np.ndarray
    contrast: float
    n_distances: int


def coarse_centroids(
    rows: np.ndarray, weights: np.ndarray, n_groups: int, kernels: Any, workers: Workers, rng: Any
) -> np.ndarray:
    """k-means of a sample: D² sampling, then eight Lloyd passes.

    Returns
    -------
    ndarray of shape (n_groups, d)
    """
    norms = np.einsum("ij,ij->i", rows, rows)
    cloud = Cloud(rows, norms, weights, workers, kernels)
    whole = np.array([0, len(rows)])
    return grow(cloud, whole, np.array([n_groups]), 4, 8, rng.uniform(size=n_groups))[0]


def plant_tree(
    load: Callable[[int, int], np.ndarray],
    gather: Callable[[np.ndarray], np.ndarray],
    n: int,
    weights: np.ndarray,
    n_clusters: int,
    kernels: Any,
    workers: Workers,
    rng: np.random.RandomState,
    *,
    passes: int = 1,
    least_contrast: float = 0.0,
) -> Tree | float:
    """Two-level k-means: coarse groups, and in each group its share of the clusters.

    Parameters
    ----------
    load, gather : callable
        ``load(start, stop)`` and ``gather(indices)`` give rows in working coordinates.
    n : int
    weights : ndarray of shape (n,), or empty where every point weighs 1
    n_clusters : int
    kernels : module
    workers : Workers
    rng : RandomState
    passes : int, default=1
        Lloyd passes inside each group.
    least_contrast : float, default=0
        Give up, and return the contrast, where it is lower than this.

    Returns
    -------
    Tree, or the contrast

    Notes
    -----
    With g = √k groups about 2·n·d·(g + (passes + 1)·k/g) operations. A group gets children in
    proportion to SSE^0.8: in proportion to SSE would be right where a cluster's error did not
    depend on how many share the group, and it falls. Reordering the points once, group by group,
    is what makes everything after it run in contiguous memory.
    """
    n_groups = max(1, min(round(np.sqrt(n_clusters)), n))
    size = min(n, _COARSE_SAMPLE * n_groups)
    sample = stratified(n, size, rng)
    sample_weights = weights[sample] if len(weights) > 0 else weights
    coarse = coarse_centroids(gather(sample), sample_weights, n_groups, kernels, workers, rng)
    found, norms = assign_all(load, n, kernels, workers, coarse)
    contrast = np.inf
    if n_groups > 1:
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = found.d2 / found.d1
        ratio = ratio[:: max(1, n // 4096)]
        ratio = ratio[~np.isnan(ratio)]
        contrast = float(np.median(ratio)) if ratio.size else np.inf
    if contrast < least_contrast:
        return contrast
    order, starts = sort_by(kernels, found.labels, n_groups)
    cloud = reordered(gather, order, norms, weights, kernels, workers)
    spread = np.bincount(found.labels, weights=times(weights, found.d1), minlength=n_groups)
    shares = share_out(n_clusters, spread**0.8, np.diff(starts))
    centroids, labels = grow(cloud, starts, shares, 4, passes, rng.uniform(size=n_clusters))
    work = n * n_groups + int((passes + 1) * (np.diff(starts) * shares).sum())
    return Tree(cloud, order, centroids, labels, contrast, work)

"""Neighbouring centroids, and assignment among them only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from annlab._support.rounding import products
from annlab._support.threads import Workers, chunk_bounds
from annlab.fit.graph.cloud import PRODUCTS, Cloud, Nearby, assign_blocks, sort_by
from annlab.fit.graph.tree import Tree, plant_tree
from annlab.fit.searches import half_norms


@dataclass
class Neighbourhoods:
    """Blocks of neighbouring centroids, and the candidates that each block shares.

    Attributes
    ----------
    block : ndarray of shape (k,), int32
        Block of each centroid.
    candidates : ndarray of shape (n_blocks, width), int32
        Ascending; the first ``counts[b]`` count.
    counts : ndarray of shape (n_blocks,), int32
    """

    block: np.ndarray
    candidates: np.ndarray
    counts: np.ndarray


def neighbourhoods(
    centroids: np.ndarray,
    kernels: Any,
    workers: Workers,
    rng: np.random.RandomState,
    *,
    block_size: int = 16,
    width: int = 96,
    n_near: int = 10,
) -> Neighbourhoods:
    """Group the centroids into blocks and list, for each block, the centroids near any of its own.

    Parameters
    ----------
    centroids : ndarray of shape (k, d)
    kernels : module
    workers : Workers
    rng : RandomState
        The blocks come from a tree over the centroids; another draw gives other blocks, so that
        a neighbour that one iteration misses is found by the next.
    block_size : int, default=16
        Centroids of a block on average.
    width : int, default=96
        Candidates of a block.
    n_near : int, default=10
        Blocks in which the candidates are sought.

    Notes
    -----
    About 2·k·d·(2·√(k/16) + k/16² + 16·10) operations.
    """
    k = len(centroids)
    n_blocks = -(-k // block_size)
    if k <= width:
        return Neighbourhoods(
            np.zeros(k, dtype=np.int32),
            np.arange(k, dtype=np.int32)[None],
            np.array([k], dtype=np.int32),
        )
    alike = np.empty(0, dtype=centroids.dtype)
    tree = plant_tree(
        lambda a, b: centroids[a:b], lambda i: centroids[i], k, alike, n_blocks, kernels,
        workers, rng,
    )  # fmt: skip
    assert isinstance(tree, Tree)
    block = np.empty(k, dtype=np.int32)
    block[tree.order] = tree.labels
    # duplicates of centroids may leave blocks without members: number the others anew
    used, inverse = np.unique(block, return_inverse=True)
    block = inverse.astype(np.int32).ravel()
    n_blocks = len(used)
    members, starts = sort_by(kernels, block, n_blocks)
    # in float64, so that rounding does not choose the neighbours
    middle = np.add.reduceat(centroids[members].astype(np.float64), starts[:-1], axis=0)
    middle /= np.diff(starts)[:, None]
    halves = half_norms(middle)
    n_near = min(n_near, n_blocks)

    def nearest_blocks(start: int, stop: int) -> np.ndarray:
        score = halves - products(middle[start:stop], middle)
        score[np.arange(stop - start), np.arange(start, stop)] = -np.inf
        near = np.argpartition(score, n_near - 1, axis=1)[:, :n_near]
        near = np.sort(near, axis=1)
        own = near == np.arange(start, stop)[:, None]
        # the block itself first: its own centroids are always candidates
        return np.take_along_axis(near, np.argsort(~own, axis=1, kind="stable"), axis=1)

    near = np.concatenate(workers.map(nearest_blocks, chunk_bounds(n_blocks, 128)))
    widest = max(width, int(np.diff(starts).max()))
    candidates = np.zeros((n_blocks, widest), dtype=np.int32)
    counts = np.zeros(n_blocks, dtype=np.int32)
    flat = np.ascontiguousarray(near, dtype=np.int32).ravel()
    near_starts = np.arange(n_blocks + 1, dtype=np.int64) * n_near
    norms = half_norms(centroids)

    def choose(start: int, stop: int) -> None:
        kernels.choose_candidates(
            centroids, norms, members, starts, flat, near_starts, width, start, stop,
            candidates, counts,
        )  # fmt: skip

    workers.map(choose, chunk_bounds(n_blocks, max(1, -(-n_blocks // 64))))
    return Neighbourhoods(block, candidates, counts)


def assign_nearby(
    cloud: Cloud, centroids: np.ndarray, labels: np.ndarray, around: Neighbourhoods
) -> Nearby:
    """Give each point the nearest of the candidates of the block that its label lies in.

    Parameters
    ----------
    cloud : Cloud
    centroids : ndarray of shape (k, d)
    labels : ndarray of shape (n,), int32
        Where each point was.
    around : Neighbourhoods

    Notes
    -----
    2·n·width·d operations. The old label is always among the candidates, so no point gets worse.
    """
    order, starts = sort_by(cloud.kernels, around.block[labels], len(around.counts))
    work = len(labels) * around.candidates.shape[1] * cloud.X.shape[1]
    found = assign_blocks(
        cloud, centroids, half_norms(centroids), order, starts, around.candidates, around.counts,
        max(64, work // PRODUCTS),
    )  # fmt: skip
    found.n_distances = int(np.diff(starts) @ around.counts.astype(np.int64))
    return found

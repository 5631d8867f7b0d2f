"""Neighbouring centroids, and assignment among them only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from annlab._kernels import loops
from annlab._support.rounding import products
from annlab._support.threads import Workers, chunk_bounds
from annlab.fit.graph.cloud import PRODUCTS, Cloud, Nearby, assign_blocks, sort_by
from annlab.fit.graph.tree import plant_tree
from annlab.fit.searches import half_norms
from annlab.rows.coordinates import Coordinates
from annlab.rows.memory import MemoryRows

#: Centroids of a block on average, and blocks in which its candidates are sought.
_BLOCK_SIZE = 16
_N_NEAR = 10


@dataclass
class Neighbourhoods:
    """Blocks of neighbouring centroids, and the candidates of each block.

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
    centroids: np.ndarray, workers: Workers, rng: np.random.RandomState, *, width: int = 96
) -> Neighbourhoods:
    """Group the centroids into blocks and list the centroids near each block.

    Parameters
    ----------
    centroids : ndarray of shape (k, d)
    workers : Workers
    rng : RandomState
        The blocks come from a tree over the centroids. Another draw gives other blocks, so a
        neighbour that one iteration misses is found by the next.
    width : int, default=96
        Candidates of a block.

    Notes
    -----
    About 2·k·d·(2·√(k/16) + k/16² + 16·10) operations.
    """
    k = len(centroids)
    if k <= width:
        every = np.arange(k, dtype=np.int32)[None]
        return Neighbourhoods(np.zeros(k, dtype=np.int32), every, np.array([k], dtype=np.int32))
    frame = Coordinates.plain(centroids.dtype)
    rows = MemoryRows(centroids, workers=workers, coordinates=frame)
    tree = plant_tree(rows, -(-k // _BLOCK_SIZE), rng)
    assert tree is not None, "any contrast will do"
    block = np.empty(k, dtype=np.int32)
    block[tree.order] = tree.labels
    # duplicates among the centroids may leave blocks empty: number the others again
    used, inverse = np.unique(block, return_inverse=True)
    block = inverse.astype(np.int32).ravel()
    n_blocks = len(used)
    members, starts = sort_by(block, n_blocks)
    near = _near_blocks(centroids, members, starts, workers)
    widest = max(width, int(np.diff(starts).max()))
    candidates = np.zeros((n_blocks, widest), dtype=np.int32)
    counts = np.zeros(n_blocks, dtype=np.int32)
    near_starts = np.arange(n_blocks + 1, dtype=np.int64) * near.shape[1]
    norms = half_norms(centroids)

    def choose(start: int, stop: int) -> None:
        loops.choose_candidates(
            centroids, norms, members, starts, near.ravel(), near_starts, width, start, stop,
            candidates, counts,
        )  # fmt: skip

    workers.map(choose, chunk_bounds(n_blocks, max(1, -(-n_blocks // 64))))
    return Neighbourhoods(block, candidates, counts)


def _near_blocks(
    centroids: np.ndarray, members: np.ndarray, starts: np.ndarray, workers: Workers
) -> np.ndarray:
    """Return the nearest blocks of each block, itself first."""
    n_blocks = len(starts) - 1
    # in float64: rounding must not choose the neighbours
    middle = np.add.reduceat(centroids[members].astype(np.float64), starts[:-1], axis=0)
    middle /= np.diff(starts)[:, None]
    halves = half_norms(middle)
    n_near = min(_N_NEAR, n_blocks)

    def nearest_blocks(start: int, stop: int) -> np.ndarray:
        score = halves - products(middle[start:stop], middle)
        score[np.arange(stop - start), np.arange(start, stop)] = -np.inf
        near = np.sort(np.argpartition(score, n_near - 1, axis=1)[:, :n_near], axis=1)
        own = near == np.arange(start, stop)[:, None]
        return np.take_along_axis(near, np.argsort(~own, axis=1, kind="stable"), axis=1)

    parts = workers.map(nearest_blocks, chunk_bounds(n_blocks, 128))
    return np.concatenate(parts).astype(np.int32)


def assign_nearby(
    cloud: Cloud, centroids: np.ndarray, labels: np.ndarray, around: Neighbourhoods
) -> Nearby:
    """Compare each point with the candidates of its cluster's block.

    Parameters
    ----------
    cloud : Cloud
    centroids : ndarray of shape (k, d)
    labels : ndarray of shape (n,), int32
        Clusters of the points before.
    around : Neighbourhoods

    Notes
    -----
    2·n·width·d operations. The old label is always a candidate: no point is served worse.
    """
    order, starts = sort_by(around.block[labels], len(around.counts))
    work = len(labels) * around.candidates.shape[1] * cloud.X.shape[1]
    found = assign_blocks(
        cloud, centroids, order, starts, around.candidates, around.counts,
        max(64, work // PRODUCTS),
    )  # fmt: skip
    found.n_distances = int(np.diff(starts) @ around.counts.astype(np.int64))
    return found

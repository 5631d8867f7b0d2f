"""k-means at large k: a tree to start from, then assignment among neighbouring centroids only.

BLAS cannot be beaten on rate, only on work: a point that was near a centroid is, after one update,
near that centroid or one of its neighbours. So an iteration compares each point with about a
hundred centroids instead of k, in products large enough for BLAS to run at full speed.

Four stages, each a function that can be read alone:

1. `plant_tree`: √k coarse groups, each of which gets its share of the k children (hierarchical
   k-means, but with k known: Nistér & Stewénius 2006, doi 10.1109/CVPR.2006.264).
2. `neighbourhoods` and `assign_nearby`: blocks of about 16 neighbouring centroids share the
   candidates that lie nearest to any of them. The restriction to a centroid's neighbours is that
   of k²-means (Agustsson et al. 2016, arXiv 1605.09299); the blocks are what makes it fast.
3. `relocate`: centroids that nobody would miss move to where one centroid serves too many (the
   idea of "breathing k-means", Fritzke 2020, arXiv 2006.15666).
4. `grow_from_sample`: where every centroid is about as far as every other (high intrinsic
   dimension), a tree separates points that belong together. There the start is k-means on a
   sample, and all points are compared with all centroids once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from annlab import _kernels_numpy
from annlab._points import Points
from annlab._support.checks import check_integer, check_real
from annlab._support.threads import Workers, chunk_bounds
from annlab.assignment import Assigner, Assignment, cluster_means, finish

#: Below this ratio of second-nearest to nearest coarse distance (squared, median over all points)
#: a tree loses more than it saves: 1.1 to 2 on photos, text and heavy tails, 1.03 on Gaussians in
#: 128 dimensions.
LOW_CONTRAST = 1.08
#: Values of a chunk of rows: 2 MB of float32. A chunk's bounds depend on the data alone.
_VALUES = 1 << 19
#: Products of a task: about 0.1 s, so that Ctrl-C is soon heard.
_PRODUCTS = 1 << 32
#: Points that the coarse centroids are trained on, per coarse centroid.
_COARSE_SAMPLE = 64
#: Finish when an iteration gains less than this many times ``tol``: early where relocation has
#: gained much in all (a share of the inertia), late where it has not.
EARLY, LATE, MUCH = 20.0, 5.0, 0.036
#: Points of the sample for each cluster in `grow_from_sample`.
_SAMPLE_PER_CLUSTER = 16


@dataclass
class Cloud:
    """Points as the kernels want them: contiguous, with norms, and the loops for their type.

    Attributes
    ----------
    X : ndarray of shape (n, d)
    norms : ndarray of shape (n,)
        ‖x‖².
    weights : ndarray of shape (n,), or empty where every point weighs 1
    workers : Workers
    kernels : module
        `annlab._kernels` (float32) or `annlab._kernels_numpy` (any type).
    """

    X: np.ndarray
    norms: np.ndarray
    weights: np.ndarray
    workers: Workers
    kernels: Any

    def weighed(self, values: np.ndarray) -> np.ndarray:
        """``values`` times the weights, in float64."""
        wide = values.astype(np.float64)
        return wide * self.weights if len(self.weights) > 0 else wide


def half_norms(centroids: np.ndarray) -> np.ndarray:
    """½‖c‖² of each centroid, summed in float64, shape (k,), dtype of the centroids."""
    total = np.einsum("ij,ij->i", centroids, centroids, dtype=np.float64)
    return (0.5 * total).astype(centroids.dtype)


def sort_by(kernels: Any, keys: np.ndarray, n_keys: int) -> tuple[np.ndarray, np.ndarray]:
    """Stable order (n,), int32, of int32 keys, and where each key begins (n_keys + 1,), int64."""
    order = np.empty(len(keys), dtype=np.int32)
    starts = np.empty(n_keys + 1, dtype=np.int64)
    kernels.counting_sort(keys, order, starts)
    return order, starts


def even_cuts(starts: np.ndarray, pieces: int = 64) -> list[tuple[int, int]]:
    """Cut blocks into runs of about equally many points; the same for every thread count."""
    n_blocks, n = len(starts) - 1, int(starts[-1])
    marks = np.searchsorted(starts, np.arange(1, pieces) * (n / pieces))
    edges = np.unique(np.concatenate([[0], np.clip(marks, 0, n_blocks), [n_blocks]]))
    return [(a, b) for a, b in pairwise(edges.tolist())]


def _pieces(values: int) -> int:
    """Into how many tasks to cut a pass over so many values: one where it is over in no time."""
    return min(64, max(1, values >> 16))


@dataclass
class Nearby:
    """What a restricted assignment finds, per point.

    Attributes
    ----------
    labels, second : ndarrays of shape (n,), int32
    d1, d2 : ndarrays of shape (n,)
        Squared distances to the two; ``d2`` is infinite where there is one centroid only.
    n_distances : int
    """

    labels: np.ndarray
    second: np.ndarray
    d1: np.ndarray
    d2: np.ndarray
    n_distances: int

    @classmethod
    def empty(cls, n: int, dtype: np.dtype) -> Nearby:
        return cls(
            np.empty(n, np.int32), np.empty(n, np.int32), np.empty(n, dtype), np.empty(n, dtype), 0
        )


def scan_rows(
    kernels: Any, rows: np.ndarray, norms: np.ndarray, centroids: np.ndarray, halves: np.ndarray
) -> Nearby:
    """Two nearest of all centroids for some rows: one block whose candidates are all."""
    n, k = len(rows), len(centroids)
    found = Nearby.empty(n, rows.dtype)
    kernels.assign_blocks(
        rows, norms, np.arange(n, dtype=np.int32), np.array([0, n]),
        np.arange(k, dtype=np.int32)[None], np.array([k], dtype=np.int32), centroids, halves,
        0, 1, found.labels, found.second, found.d1, found.d2,
    )  # fmt: skip
    return found


def assign_all(
    load: Callable[[int, int], np.ndarray],
    n: int,
    kernels: Any,
    workers: Workers,
    centroids: np.ndarray,
) -> tuple[Nearby, np.ndarray]:
    """Compare all points with all centroids.

    Parameters
    ----------
    load : callable
        ``load(start, stop)`` gives rows in working coordinates.
    n : int
    kernels : module
    workers : Workers
    centroids : ndarray of shape (k, d)

    Returns
    -------
    found : Nearby
    norms : ndarray of shape (n,)
        ‖x‖² of the points.

    Notes
    -----
    2·n·k·d operations.
    """
    halves = half_norms(centroids)

    def chunk(start: int, stop: int) -> tuple[Nearby, np.ndarray]:
        rows = load(start, stop)
        norms = np.einsum("ij,ij->i", rows, rows)
        return scan_rows(kernels, rows, norms, centroids, halves), norms

    k, d = centroids.shape
    rows_each = max(512, min(_VALUES // d, _PRODUCTS // (k * d), max(2048, n // 16)))
    parts = workers.map(chunk, chunk_bounds(n, rows_each), work=n * k * d)
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part, _ in parts])
        for name in ("labels", "second", "d1", "d2")
    }
    found = Nearby(**columns, n_distances=n * len(centroids))
    return found, np.concatenate([norms for _, norms in parts])


def stratified(n: int, size: int, rng: np.random.RandomState) -> np.ndarray:
    """One index from each of ``size`` equal stretches: a sample without sorting or repetition.

    Returns
    -------
    ndarray of shape (size,), int64, ascending
    """
    if size >= n:
        return np.arange(n)
    sample = ((np.arange(size) + rng.uniform(size=size)) * (n / size)).astype(np.int64)
    return np.minimum(sample, n - 1)


#: Values of the centroids that a step treats at once.
_STEP_VALUES = 1 << 16


class Momentum:
    """Over-relaxed updates: more than the step to the means, and more and more of the last move.

    Parameters
    ----------
    length : float
        Length of the step; 1 goes to the means, 2 would only swing to and fro.
    most : float
        Share of the last move that is repeated, after some steps.

    Notes
    -----
    Lloyd's update is a gradient step, so what speeds up gradient descent speeds it up as well
    (Nesterov 1983; for k-means compare Bottou & Bengio 1995, "Convergence properties of the
    K-means algorithms", NIPS 7). It takes about half the iterations of plain steps.
    """

    def __init__(self, length: float, most: float) -> None:
        self.length, self.most = length, most
        self.before: np.ndarray | None = None
        self.turn = 0

    def restart(self) -> None:
        """Forget the last move: clusters have been moved elsewhere."""
        self.before, self.turn = None, 0

    def state(self) -> dict[str, Any]:
        """What a later `step` depends on."""
        return {"before": self.before, "turn": self.turn}

    def restore(self, state: dict[str, Any], shape: tuple[int, int]) -> None:
        """Go on from a `state`.

        Raises
        ------
        KeyError, TypeError, ValueError
        """
        before, turn = state["before"], int(state["turn"])
        if before is not None and before.shape != shape:
            raise ValueError("centroids of another shape")
        self.before, self.turn = before, turn

    def step(
        self, sums: np.ndarray, totals: np.ndarray, centroids: np.ndarray, radius_sq: float
    ) -> np.ndarray:
        """Where the centroids go.

        Parameters
        ----------
        sums, totals : ndarrays of shape (k, d) and (k,), float64
        centroids : ndarray of shape (k, d)
        radius_sq : float
            Mean squared distance of a point to its centroid. A centroid that has come farther
            than that was re-seeded, and gets no momentum.

        Returns
        -------
        ndarray of shape (k, d), float64
            Empty clusters stay.
        """
        new = np.empty(sums.shape)
        share = min(self.most, self.turn / (self.turn + 3.0))
        # some rows at a time: at large k each further array of this size is worth saving
        for start, stop in chunk_bounds(len(sums), max(1, _STEP_VALUES // sums.shape[1])):
            at, filled = new[start:stop], totals[start:stop] > 0
            at[:] = centroids[start:stop]
            means = sums[start:stop][filled]
            means /= totals[start:stop][filled, None]
            means -= at[filled]
            means *= self.length
            at[filled] += means
            if self.before is not None and self.most > 0:
                move = centroids[start:stop] - self.before[start:stop]
                move[np.einsum("ij,ij->i", move, move) > radius_sq] = 0.0
                move[~filled] = 0.0
                at += share * move
        self.before = centroids
        self.turn += 1
        return new


def scaled_weights(points: Points) -> tuple[np.ndarray, float]:
    """Weights in the type of the data, at most 1, and the factor that was taken out of them.

    Returns
    -------
    weights : ndarray of shape (n,), or empty where every point weighs 1
    scale : float
    """
    weights = points.sample_weight
    if weights is None or weights.max() <= 0:
        return np.empty(0, dtype=points.dtype), 1.0
    scale = float(weights.max())
    return (weights / scale).astype(points.dtype), scale


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
    >>> from annlab.graph import share_out
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
    """Children of all groups, the groups in parallel; returns centroids and labels."""
    n, d = cloud.X.shape
    k = int(shares.sum())
    plan = np.concatenate([starts, [0], np.cumsum(shares)]).astype(np.int64)
    centroids = np.zeros((k, d), dtype=cloud.X.dtype)
    labels = np.zeros(n, dtype=np.int32)
    d1 = np.empty(n, dtype=cloud.X.dtype)
    # the longest first, so that no thread ends with a long one alone
    turns = np.argsort(-np.diff(starts) * shares, kind="stable")

    def group(g: int) -> None:
        cloud.kernels.grow_groups(
            cloud.X, cloud.norms, cloud.weights, g, g + 1, rounds, plan, uniforms, passes,
            centroids, labels, d1,
        )  # fmt: skip

    cloud.workers.map(group, [(int(g),) for g in turns])
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
    spread = np.bincount(found.labels, weights=_times(weights, found.d1), minlength=n_groups)
    shares = share_out(n_clusters, spread**0.8, np.diff(starts))
    centroids, labels = grow(cloud, starts, shares, 4, passes, rng.uniform(size=n_clusters))
    work = n * n_groups + int((passes + 1) * (np.diff(starts) * shares).sum())
    return Tree(cloud, order, centroids, labels, contrast, work)


def _times(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    return values * weights if len(weights) > 0 else values


def reordered(
    gather: Callable[[np.ndarray], np.ndarray],
    order: np.ndarray,
    norms: np.ndarray,
    weights: np.ndarray,
    kernels: Any,
    workers: Workers,
) -> Cloud:
    """The points in the given order, as a `Cloud`: one copy of the data."""
    first = gather(order[:1])
    bounds = chunk_bounds(len(order), max(512, _VALUES // first.shape[1]))
    X = np.empty((len(order), first.shape[1]), dtype=first.dtype)

    def fill(start: int, stop: int) -> None:
        X[start:stop] = gather(order[start:stop])

    workers.map(fill, bounds)
    own = weights[order] if len(weights) > 0 else weights
    return Cloud(X, norms[order], own, workers, kernels)


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
    middle = np.add.reduceat(centroids[members], starts[:-1], axis=0)
    middle /= np.diff(starts)[:, None].astype(middle.dtype)
    halves = half_norms(middle)
    n_near = min(n_near, n_blocks)

    def nearest_blocks(start: int, stop: int) -> np.ndarray:
        score = halves - middle[start:stop] @ middle.T
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
    found = Nearby.empty(len(labels), cloud.X.dtype)
    halves = half_norms(centroids)

    def run(lo: int, hi: int) -> None:
        cloud.kernels.assign_blocks(
            cloud.X, cloud.norms, order, starts, around.candidates, around.counts, centroids,
            halves, lo, hi, found.labels, found.second, found.d1, found.d2,
        )  # fmt: skip

    work = len(labels) * around.candidates.shape[1] * cloud.X.shape[1]
    cloud.workers.map(run, even_cuts(starts, max(64, work // _PRODUCTS)))
    found.n_distances = int(np.diff(starts) @ around.counts.astype(np.int64))
    return found


def sums_of(cloud: Cloud, labels: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Sum (k, d) and weight (k,) of each cluster's points, in float64."""
    order, starts = sort_by(cloud.kernels, labels, k)
    sums = np.empty((k, cloud.X.shape[1]))
    mass = np.empty(k)

    def run(lo: int, hi: int) -> None:
        cloud.kernels.cluster_sums(cloud.X, cloud.weights, order, starts, lo, hi, sums, mass)

    cloud.workers.map(run, even_cuts(starts, _pieces(cloud.X.size)))
    return sums, mass


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

    pieces = _pieces(cloud.X.size)
    cloud.workers.map(split, chunk_bounds(size, max(1, -(-size // pieces))))
    dearest = chosen[np.argsort(-gains[chosen], kind="stable")]
    cheapest = np.argsort(costs, kind="stable").astype(np.int32)
    removed = np.empty(most, dtype=np.int32)
    divided = np.empty(most, dtype=np.int32)
    pairs = cloud.kernels.pair_relocations(
        order, starts, found.second, cheapest, costs, dearest, gains, most, removed, divided
    )
    removed, divided = removed[:pairs], divided[:pairs]
    gone = np.zeros(k, dtype=bool)
    gone[removed] = True
    heir = np.full(k, -1, dtype=np.int32)
    heir[divided] = removed
    labels = np.where(gone[found.labels], found.second, found.labels)
    target = heir[found.labels]
    labels = np.where((target >= 0) & (half == 1), target, labels)
    return labels, float(gains[divided].sum() - costs[removed].sum()) / total


def means_of(cloud: Cloud, labels: np.ndarray, centroids: np.ndarray, *, unit: bool) -> np.ndarray:
    """Means of the clusters; an empty cluster keeps its centroid. ``unit``: scaled to length 1."""
    sums, mass = sums_of(cloud, labels, len(centroids))
    return cluster_means(sums, mass, centroids, unit=unit).astype(centroids.dtype)


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


class GraphAssigner(Assigner):
    """Points to centroids through the centroids' neighbours, with a start of its own.

    Parameters
    ----------
    points : Points
    kernels : module
        Compiled loops or their NumPy twins.
    tol : float, default=1e-4
        Finish when an iteration lowers the inertia by less than 20 times this share, or 5 times
        where relocation has gained little.
    max_iter : int, optional
        The iteration that must not move clusters elsewhere, because it is the last.
    n_candidates : int, default=96
        Centroids that a point is compared with.
    n_relocations : int, default=6
        Iterations that may move centroids to other places.
    relocation_share : float, default=0.3
        Clusters that such an iteration moves at most, as a share of k.

    Notes
    -----
    It remembers where the points were, in the order of the tree; `assign` is to be called with
    the centroids that came out of the last call, or with some that moved a little.
    """

    name = "graph"
    exact = False
    exact_below = 700
    #: What ``algorithm_params`` may set.
    params = ("n_candidates", "n_relocations", "relocation_share")

    def __init__(
        self,
        points: Points,
        kernels: Any,
        *,
        tol: float = 1e-4,
        max_iter: int | None = None,
        n_candidates: int = 96,
        n_relocations: int = 6,
        relocation_share: float = 0.3,
    ) -> None:
        n_candidates = check_integer(n_candidates, "n_candidates", minimum=8)
        n_relocations = check_integer(n_relocations, "n_relocations", minimum=0)
        relocation_share = check_real(relocation_share, "relocation_share", maximum=0.5)
        self.points = points
        self._tol = tol
        self._max_iter = max_iter
        self._kernels = kernels
        self.compiled = kernels is not _kernels_numpy
        self._seed = 0
        self._width = n_candidates
        self._n_relocations = n_relocations
        self._share = relocation_share
        self._weights, self._scale = scaled_weights(points)
        self._reset()

    def _reset(self) -> None:
        self._rng = np.random.RandomState(self._seed)
        self._cloud: Cloud | None = None
        self._order: np.ndarray | None = None
        self._labels: np.ndarray | None = None
        self._start_work = 0
        self._gained = 0.0
        # labels come from lists of neighbours, which far moves would outrun: no momentum
        self._momentum = Momentum(1.6, 0.0)
        self._round = 0
        self._last = np.inf
        # with a start that the caller gave, it is Lloyd's algorithm and nothing else
        self._own = False
        self._settled = True
        self._reported: np.ndarray | None = None
        self.reason = ""

    def state(self) -> dict[str, Any]:
        momentum = self._momentum.state()
        names = ("seed", "start_work", "gained", "round", "last", "own", "settled")
        return momentum | {name: getattr(self, f"_{name}") for name in names} | {
            "rng": self._rng,
            "order": self._order,
            "labels": self._labels,
            "reason": self.reason,
        }  # fmt: skip

    def restore(self, state: dict[str, Any], labels: np.ndarray | None, n_clusters: int) -> None:
        self._reset()
        if not state:
            return
        points, workers = self.points, self.points.workers
        order, own = state["order"], state["labels"]
        for row in (order, own):
            if row.shape != (points.n,) or row.dtype != np.int32 or row.min() < 0:
                raise ValueError("an order or labels of another shape")
        if own.max() >= n_clusters:
            raise ValueError("labels beyond the clusters")
        if not (np.bincount(order, minlength=points.n) == 1).all():
            raise ValueError("an order that is none")
        self._momentum.restore(state, (n_clusters, points.d))
        # a file may hold anything; what numbers it holds decides nothing but the fit's own end
        self._seed, self._start_work = int(state["seed"]), int(state["start_work"])
        self._round, self._gained = int(state["round"]), float(state["gained"])
        self._last = float(state["last"])
        self._own, self._settled = bool(state["own"]), bool(state["settled"])
        self._rng, self.reason = state["rng"], str(state["reason"])
        if not isinstance(self._rng, np.random.RandomState):
            raise TypeError("no state of random numbers")
        self._order, self._labels, self._reported = order, own, labels
        norms = np.concatenate(workers.map(self._norms, chunk_bounds(points.n, self._rows_each())))
        self._cloud = reordered(points.rows, order, norms, self._weights, self._kernels, workers)

    def _rows_each(self) -> int:
        return max(512, _VALUES // self.points.d)

    def _norms(self, start: int, stop: int) -> np.ndarray:
        rows = self._load(start, stop)
        return np.asarray(np.einsum("ij,ij->i", rows, rows))

    def _load(self, start: int, stop: int) -> np.ndarray:
        return np.asarray(self.points.piece(start, stop).load())

    def start(self, n_clusters: int, rng: np.random.RandomState) -> np.ndarray:
        """Plant a tree, or grow from a sample where a tree would not do.

        Returns
        -------
        ndarray of shape (k, d), working coordinates
        """
        self._seed = int(rng.randint(2**31 - 1))
        self._reset()
        self._own, self._settled = True, self._n_relocations == 0
        points, workers = self.points, self.points.workers
        unit = points.metric == "cosine"
        grown = plant_tree(
            self._load, points.rows, points.n, self._weights, n_clusters, self._kernels, workers,
            self._rng, least_contrast=LOW_CONTRAST,
        )  # fmt: skip
        if isinstance(grown, Tree):
            self.reason = f"tree start, contrast {grown.contrast:.2f}"
            self.begun = "started from a tree of the points"
            self._cloud, self._order = grown.cloud, grown.order
            self._labels, self._start_work = grown.labels, grown.n_distances
            if unit:
                return means_of(grown.cloud, grown.labels, grown.centroids, unit=True)
            return grown.centroids
        self.reason = f"sample start, contrast {grown:.2f}"
        self.begun = "started with iterations on a sample, which n_iter does not count"
        centroids, self._start_work, self._gained = grow_from_sample(
            points.rows, points.n, self._weights, n_clusters, self._kernels, workers, self._rng,
            unit=unit,
        )  # fmt: skip
        return centroids

    def _adopt(self, centroids: np.ndarray) -> Nearby:
        """Compare all points with all centroids, then lay the points out block by block."""
        points, workers = self.points, self.points.workers
        found, norms = assign_all(self._load, points.n, self._kernels, workers, centroids)
        around = neighbourhoods(centroids, self._kernels, workers, self._rng, width=self._width)
        order, _ = sort_by(self._kernels, around.block[found.labels], len(around.counts))
        self._cloud = reordered(points.rows, order, norms, self._weights, self._kernels, workers)
        self._order = order
        return Nearby(
            labels=found.labels[order],
            second=found.second[order],
            d1=found.d1[order],
            d2=found.d2[order],
            n_distances=found.n_distances,
        )

    def _find(self, centroids: np.ndarray) -> Nearby:
        if self._labels is None or self._cloud is None:
            return self._adopt(centroids)
        around = neighbourhoods(
            centroids, self._kernels, self.points.workers, self._rng, width=self._width
        )
        return assign_nearby(self._cloud, centroids, self._labels, around)

    def assign(self, centroids: np.ndarray, previous: np.ndarray | None) -> Assignment:
        k = len(centroids)
        self._heed(previous)
        found = self._find(centroids)
        cloud, order = self._cloud, self._order
        assert cloud is not None and order is not None
        self._labels = found.labels
        base = self._report(found)
        # where moving clusters gains much, the fit is ahead of Lloyd's and may end early; where
        # it gains little (uniform data), only patience gets there
        least = self._tol * (EARLY if self._gained >= MUCH else LATE)
        small = not base.inertia < (1.0 - least) * self._last
        self._last = base.inertia
        self._round += 1
        at_end = self._round == self._max_iter
        moved = False
        if not self._settled and not at_end:
            self._labels, expected = relocate(cloud, found, k, share=self._share)
            moved = expected > 0
            self._gained += expected
            # the last rounds move a handful of centroids: what is left is Lloyd's business
            self._settled = self._round >= self._n_relocations or expected < 0.4 * self._tol
        sums, totals = sums_of(cloud, self._labels, k)
        kind, members, finished = "lloyd", None, False
        if moved:
            self._momentum.restart()
            kind, members = "relocation", np.empty_like(base.labels)
            members[order] = self._labels
        elif self._own and not small and not at_end:
            kind = "relaxed"
            radius_sq = float(found.d1.mean())
            sums = self._momentum.step(sums, totals, centroids, radius_sq)
            sums *= totals[:, None]
        else:
            finished = self._own
        self._reported = base.labels
        if self._scale != 1.0:
            sums, totals = sums * self._scale, totals * self._scale
        return replace(
            base, kind=kind, members=members, sums=sums, totals=totals, finished=finished
        )

    def again(self, points: Points) -> Assigner:
        """Exact assignment of the same points, by the rule of `annlab.distances.nearest`."""
        from annlab.fused import FusedAssigner

        return FusedAssigner(points, self._kernels, decide=True)

    def _heed(self, previous: np.ndarray | None) -> None:
        """Take over what the loop has changed in the labels that it was given."""
        if previous is None or self._reported is None or previous is self._reported:
            return
        changed = np.flatnonzero(previous != self._reported)
        if changed.size and self._labels is not None:
            place = np.empty(self.points.n, dtype=np.int32)
            place[self._order] = np.arange(self.points.n, dtype=np.int32)
            self._labels[place[changed]] = previous[changed]

    def final(self, centroids: np.ndarray, previous: np.ndarray | None) -> Assignment:
        """Label the points for ``centroids`` once more, without moving any cluster."""
        self._heed(previous)
        found = self._find(centroids)
        self._labels = found.labels
        return self._report(found)

    def _report(self, found: Nearby) -> Assignment:
        """Bring an answer back into the order of the data."""
        order = self._order
        labels = np.empty(self.points.n, dtype=np.int32)
        distances_sq = np.empty(self.points.n)
        labels[order] = found.labels
        distances_sq[order] = found.d1
        work, self._start_work = found.n_distances + self._start_work, 0
        return finish(self.points, labels, distances_sq, work)

"""Starts: initial centroids (k, d) from the points, working coordinates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from annlab._support.checks import check_data
from annlab._support.errors import invalid
from annlab.distances import first_least, nearest, paired_sq, pairwise_sq
from annlab.rows.coordinates import Chunk, Coordinates
from annlab.rows.memory import MemoryRows

__all__ = ["INITS", "initial_centroids", "k_means_parallel", "k_means_plus_plus", "random_points"]


def random_points(points: MemoryRows, n_clusters: int, rng: np.random.RandomState) -> np.ndarray:
    """Draw distinct points, with probability proportional to their weights.

    Returns
    -------
    ndarray of shape (k, d)

    Notes
    -----
    Forgy (1965). O(n).
    """
    weights = points.sample_weight
    if weights is None:
        chosen = rng.choice(points.n, n_clusters, replace=False)
    else:
        share = weights / weights.sum()
        # not of the weights: the smallest ones have a share of 0
        positive = np.flatnonzero(share)
        if len(positive) >= n_clusters:
            chosen = rng.choice(positive, n_clusters, replace=False, p=share[positive])
        else:
            others = np.setdiff1d(np.arange(points.n), positive)
            extra = rng.choice(others, n_clusters - len(positive), replace=False)
            chosen = np.concatenate([positive, extra])
    return points.take(chosen)


def k_means_plus_plus(
    points: MemoryRows, n_clusters: int, rng: np.random.RandomState
) -> np.ndarray:
    """Draw points one by one, proportionally to D², each the best of some.

    Each round draws ``2 + ln k`` candidates and keeps the one that lowers Σ w D² most.

    Returns
    -------
    ndarray of shape (k, d)

    Notes
    -----
    About 2·n·k·d·(2 + ln k) operations; at large k ``"k-means||"`` is faster. Arthur &
    Vassilvitskii (2007), "k-means++: the advantages of careful seeding", SODA, pages 1027-1035;
    the greedy choice is from their section 5.
    """
    trials = 2 + int(np.log(n_clusters))
    weights = np.ones(points.n) if points.sample_weight is None else points.sample_weight
    bounds, pieces = points.bounds(), points.pieces()
    closest = np.full(points.n, np.inf, dtype=points.dtype)
    chosen = np.empty(n_clusters, dtype=np.int64)
    for number in range(n_clusters):
        if number == 0:
            candidates = _draw(weights, 1, rng)
        else:
            candidates = _draw(weights * closest, trials, rng)
            if candidates is None:
                candidates = _draw(weights, 1, rng)
        rows = points.take(candidates)
        parts = points.workers.map(
            _closer,
            [
                (piece, rows, closest[a:b], weights[a:b])
                for (a, b), piece in zip(bounds, pieces, strict=True)
            ],
            work=2 * points.n * points.d * len(candidates),
        )
        potential = np.sum([potential for _, potential in parts], axis=0)
        best = first_least(potential, points.dtype)
        chosen[number] = candidates[best]
        joined = [distances[best] for distances, _ in parts]
        if points.dtype == np.float32:
            tasks = [
                (piece, rows[best], closest[a:b], own)
                for (a, b), piece, own in zip(bounds, pieces, joined, strict=True)
            ]
            joined = points.workers.map(_exactly, tasks, work=points.n * points.d)
        for (a, b), own in zip(bounds, joined, strict=True):
            closest[a:b] = own
    return points.take(chosen)


def _draw(mass: np.ndarray, size: int, rng: np.random.RandomState) -> Any:
    """Draw indices proportionally to ``mass``; return None if it is all zero."""
    cumulative = np.cumsum(mass)
    total = cumulative[-1]
    if not total > 0:
        return None
    places = np.searchsorted(cumulative, rng.uniform(size=size) * total, side="right")
    if places.max() == len(mass):
        # rounded up to the total
        places = np.minimum(places, np.flatnonzero(mass)[-1])
    return places


def _closer(
    chunk: Chunk, candidates: np.ndarray, closest: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return nearest distances with each candidate added, and the potentials."""
    # in the working type: these tables are large
    distances = np.ascontiguousarray(pairwise_sq(chunk.load(), candidates).T)
    np.minimum(distances, closest, out=distances)
    return distances, distances @ weights


def _exactly(
    chunk: Chunk, centroid: np.ndarray, before: np.ndarray, joined: np.ndarray
) -> np.ndarray:
    """Recompute the distances to a new centroid by differences.

    Otherwise the next draw would depend on the rounding of a float32 product.
    """
    nearer = np.flatnonzero(joined < before)
    joined[nearer] = paired_sq(chunk.load()[nearer], centroid[None], np.zeros_like(nearer))
    return joined


def k_means_parallel(
    points: MemoryRows, n_clusters: int, rng: np.random.RandomState, *, n_rounds: int = 5
) -> np.ndarray:
    """Draw many points in a few rounds, then reduce them to k: k-means||.

    Returns
    -------
    ndarray of shape (k, d)

    Notes
    -----
    Each round draws about 2k/5 points with probability proportional to D²; they are weighted by
    the points nearest to them and reduced with k-means++. About 4·n·k·d operations. Bahmani et al.
    (2012), "Scalable k-means++", PVLDB 5(7), doi 10.14778/2180912.2180915.
    """
    weights = np.ones(points.n) if points.sample_weight is None else points.sample_weight
    bounds, pieces = points.bounds(), points.pieces()
    closest = np.full(points.n, np.inf)
    owner = np.zeros(points.n, dtype=np.int64)
    chosen: list[int] = []
    new = np.atleast_1d(_draw(weights, 1, rng))
    for number in range(n_rounds + 1):
        rows = points.take(new)
        tasks = [(piece, rows) for piece in pieces]
        parts = points.workers.map(_nearest_new, tasks, work=points.n * points.d * len(rows))
        for (a, b), (distance, place) in zip(bounds, parts, strict=True):
            nearer = distance < closest[a:b]
            closest[a:b][nearer] = distance[nearer]
            owner[a:b][nearer] = place[nearer] + len(chosen)
        chosen.extend(int(i) for i in new)
        mass = weights * closest
        total = mass.sum()
        if number == n_rounds or not total > 0:
            break
        share = np.minimum(1.0, mass / total * (2.0 * n_clusters / n_rounds))
        drawn = np.flatnonzero(rng.uniform(size=points.n) < share)
        new = drawn if drawn.size else np.atleast_1d(_draw(mass, 1, rng))
    candidates = np.array(chosen)
    candidate_weights = np.bincount(owner, weights=weights, minlength=len(candidates))
    if len(candidates) < n_clusters:
        rest = np.setdiff1d(np.arange(points.n), candidates)
        extra = rng.choice(rest, n_clusters - len(candidates), replace=False)
        return points.take(np.concatenate([candidates, extra]))
    taken = points.take(candidates)
    reduced = MemoryRows(
        taken,
        sample_weight=candidate_weights,
        workers=points.workers,
        coordinates=Coordinates.plain(taken.dtype),
    )
    return k_means_plus_plus(reduced, n_clusters, rng).astype(points.dtype)


def _nearest_new(chunk: Chunk, candidates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rows = chunk.load()
    place = nearest(rows, candidates)
    return paired_sq(rows, candidates, place), place


#: Named starts. Each returns distinct rows of the data while there are enough, prefers rows with
#: weight, breaks ties by the lowest index, and gives the same bits for any number of threads.
INITS: dict[str, Callable[[MemoryRows, int, np.random.RandomState], np.ndarray]] = {
    "k-means++": k_means_plus_plus,
    "random": random_points,
    "k-means||": k_means_parallel,
}


def initial_centroids(
    init: Any, points: Any, n_clusters: int, rng: np.random.RandomState
) -> np.ndarray:
    """Turn the parameter ``init`` into centroids.

    Parameters
    ----------
    init : str, callable or array-like of shape (k, d)
        A name of `INITS`; a function ``init(X, n_clusters, random_state)`` as in scikit-learn; or
        the centroids themselves.
    points : Rows
        `MemoryRows` unless ``init`` is an array.
    n_clusters : int
    rng : RandomState

    Returns
    -------
    ndarray of shape (k, d), working coordinates

    Raises
    ------
    TypeError, ValueError
        If the name is unknown or the shape is wrong.
    """
    if isinstance(init, str):
        if init not in INITS:
            raise invalid(
                "init",
                "one of "
                + ", ".join(repr(name) for name in INITS)
                + ", a function, or an array of shape (n_clusters, d)",
                repr(init),
            )
        return INITS[init](points, n_clusters, rng)
    given = init(points.X, n_clusters, random_state=rng) if callable(init) else init
    centroids = check_data(given, name="init", n_features=points.d)
    if len(centroids) != n_clusters:
        raise invalid(
            "init",
            f"an array of shape ({n_clusters}, {points.d})",
            f"shape {centroids.shape}",
            "Give one row for each cluster.",
        )
    return points.inward(centroids)

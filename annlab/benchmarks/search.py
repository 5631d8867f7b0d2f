"""Measure searches: build and query time, and recall against brute force.

Answers are judged outside the clock, by distances that are recomputed here for all indexes alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from annlab._support.checks import check_data, check_integer, check_random_state
from annlab._support.errors import invalid
from annlab._support.types import MatrixLike, Seed
from annlab.benchmarks.judging import (
    Index,
    clone_index,
    judged,
    metric_of,
    name_of,
    new_index,
    params_of,
    per_query,
    split_queries,
    warm_up,
)
from annlab.benchmarks.timing import Seconds, timed
from annlab.indexes import make_index
from annlab.metrics import distance_contrast, recall_at_k


def benchmark_ann(
    X: MatrixLike,
    algorithm: str | Index,
    *,
    n_neighbors: int = 5,
    Q: MatrixLike | None = None,
    n_queries: int | None = None,
    algorithm_params: Mapping[str, Any] | None = None,
    random_state: Seed = 42,
    repeats: int = 1,
) -> Seconds:
    """Time the build and the queries of an index, and count what it finds.

    Parameters
    ----------
    X : array-like of shape (n, d)
    algorithm : str or object
        A name of `available_indexes`, or an object with ``fit`` and ``kneighbors`` (cloned).
    n_neighbors : int, default=5
    Q : array-like of shape (nq, d), optional
        Queries; by default ``n_queries`` rows of X, which are held out of the index.
    n_queries : int, optional
        1,000 by default, at most half of X. Asked for in one call.
    algorithm_params : dict, optional
        Parameters of the named index.
    random_state : int, RandomState, Generator or None, default=42
        Draws the queries, and seeds an index that draws.
    repeats : int, default=1
        Builds and query calls; the medians count.

    Returns
    -------
    Seconds
        Build and queries together, as a float; with ``build_s``, ``query_s``,
        ``queries_per_s``, ``recall`` (recall@n_neighbors against brute force, ties counted as
        right), ``exact``, ``n_distances`` (a query; None where the method cannot count),
        ``n_queries``, ``n_neighbors``, ``algorithm`` and ``machine``.

    Raises
    ------
    TypeError, ValueError

    Notes
    -----
    A build of 256 rows warms up imports and threads outside the clock.

    Examples
    --------
    >>> import numpy as np
    >>> from annlab.benchmarks import benchmark_ann
    >>> time_taken = benchmark_ann(np.random.RandomState(0).rand(500, 10), "ball_tree")
    >>> time_taken.recall, time_taken == time_taken.build_s + time_taken.query_s
    (1.0, True)
    """
    X = check_data(X, min_rows=2)
    rng = check_random_state(random_state)
    rows, asked = split_queries(X, Q, n_queries, rng)
    return _measure(
        rows, asked, algorithm, algorithm_params, n_neighbors, int(rng.randint(2**31 - 1)), repeats
    )


def _measure(
    X: np.ndarray,
    Q: np.ndarray,
    algorithm: str | Index,
    params: Mapping[str, Any] | None,
    n_neighbors: int,
    seed: int,
    repeats: int,
) -> Seconds:
    n_neighbors = check_integer(n_neighbors, "n_neighbors", maximum=len(X))
    repeats = check_integer(repeats, "repeats")
    index = new_index(algorithm, params, seed)
    metric = metric_of(index)
    warm_up(index, X, Q)
    build_s, builds, built = timed(lambda: clone_index(index).fit(X), repeats)
    query_s, calls, answer = timed(lambda: built.kneighbors(Q, n_neighbors=n_neighbors), repeats)
    truth = make_index("brute", metric=metric).fit(X).kneighbors(Q, n_neighbors)[0]
    recall = recall_at_k(judged(Q, X, answer, metric), truth)
    seconds = _seconds(built, build_s, query_s, len(Q), recall, n_neighbors)
    seconds.facts["repeats_s"] = tuple(b + q for b, q in zip(builds, calls, strict=True))
    return seconds


def _seconds(
    built: Index, build_s: float, query_s: float, n_queries: int, recall: float, n_neighbors: int
) -> Seconds:
    """Return build and query time together, with the facts of the measurement."""
    return Seconds(
        build_s + query_s,
        algorithm=name_of(built),
        build_s=build_s,
        query_s=query_s,
        queries_per_s=n_queries / query_s,
        recall=recall,
        exact=bool(getattr(built, "exact", False)),
        n_distances=per_query(built, n_queries),
        n_queries=n_queries,
        n_neighbors=n_neighbors,
        params=params_of(built),
    )


def benchmark_high_dim(
    n_samples: int,
    n_features: int,
    *,
    algorithm: str | Index = "ball_tree",
    n_neighbors: int = 5,
    n_queries: int = 100,
    algorithm_params: Mapping[str, Any] | None = None,
    random_state: Seed = 42,
    repeats: int = 1,
) -> Seconds:
    """Time an index on uniform data, and measure the contrast of distances.

    Parameters
    ----------
    n_samples, n_features : int
        Rows and columns of the uniform data, in float64, as on slide 6.
    algorithm : str or object, default="ball_tree"
        As in `benchmark_ann`; so are ``n_neighbors``, ``algorithm_params`` and ``repeats``.
    n_queries : int, default=100
        Further uniform points.
    random_state : int, RandomState, Generator or None, default=42

    Returns
    -------
    Seconds
        As `benchmark_ann`, and ``contrast``: (farthest − nearest) / nearest, the median over the
        queries. If it is near 0, all points are about equally far, and no index can rule out any.

    Raises
    ------
    TypeError, ValueError

    Notes
    -----
    Beyer, Goldstein, Ramakrishnan & Shaft (1999), doi 10.1007/3-540-49257-7_15.

    Examples
    --------
    >>> from annlab.benchmarks import benchmark_high_dim
    >>> low, high = (benchmark_high_dim(500, d, n_queries=20) for d in (2, 200))
    >>> low.contrast > 10 * high.contrast, low.recall, high.recall
    (True, 1.0, 1.0)
    """
    n_samples = check_integer(n_samples, "n_samples", minimum=2)
    n_features = check_integer(n_features, "n_features")
    n_queries = check_integer(n_queries, "n_queries")
    rng = check_random_state(random_state)
    X, Q = rng.rand(n_samples, n_features), rng.rand(n_queries, n_features)
    seconds = _measure(
        X, Q, algorithm, algorithm_params, n_neighbors, int(rng.randint(2**31 - 1)), repeats
    )
    seconds.facts["contrast"] = distance_contrast(X, Q)
    return seconds


class TradeoffPoint(NamedTuple):
    """One line of `accuracy_speed_tradeoff`; unpacks as the deck does.

    Attributes
    ----------
    n_neighbors : int
    accuracy : float
        Recall@n_neighbors, the query point itself left out.
    seconds : Seconds
        Build and queries; carries ``build_s``, ``query_s``, ``queries_per_s``.
    """

    n_neighbors: int
    accuracy: float
    seconds: Seconds


def accuracy_speed_tradeoff(
    X: MatrixLike,
    n_neighbors_range: Any,
    *,
    algorithm: str | Index = "hnsw",
    algorithm_params: Mapping[str, Any] | None = None,
    n_queries: int = 100,
    random_state: Seed = 42,
) -> list[TradeoffPoint]:
    """Measure accuracy and time of an index for several numbers of neighbours.

    Parameters
    ----------
    X : array-like of shape (n, d)
    n_neighbors_range : iterable of int
        From 1 to n − 1.
    algorithm : str or object, default="hnsw"
        As in `benchmark_ann`. The deck's ball tree is exact, so its accuracy is always 1.
    algorithm_params : dict, optional
        Parameters of the named index. For ``"hnsw"`` the default is a small graph with
        ``ef = 10``, which loses accuracy even on small data.
    n_queries : int, default=100
        Rows of X to ask for, drawn at random.
    random_state : int, RandomState, Generator or None, default=42

    Returns
    -------
    list of TradeoffPoint
        Each unpacks as ``n_neighbors, accuracy, seconds``.

    Raises
    ------
    TypeError, ValueError

    Notes
    -----
    Each query is a row of X; finding itself does not count. `recall_speed_curve` turns the knobs
    of the index itself.

    Examples
    --------
    >>> import numpy as np
    >>> from annlab.benchmarks import accuracy_speed_tradeoff
    >>> X = np.random.RandomState(0).rand(300, 10)
    >>> [(n, 0 < accuracy <= 1) for n, accuracy, seconds in accuracy_speed_tradeoff(X, [5, 10])]
    [(5, True), (10, True)]
    """
    X = check_data(X, min_rows=3)
    try:
        wanted = [
            check_integer(n, "n_neighbors_range", maximum=len(X) - 1) for n in n_neighbors_range
        ]
    except TypeError as reason:
        raise invalid(
            "n_neighbors_range",
            f"a sequence of integers from 1 to {len(X) - 1}",
            repr(n_neighbors_range),
            "Pass a list such as [5, 10, 20].",
            error=TypeError,
        ) from reason
    if not wanted:
        return []
    if algorithm == "hnsw" and algorithm_params is None:
        algorithm_params = {"M": 4, "ef_construction": 20, "ef": 10}
    rng = check_random_state(random_state)
    size = min(check_integer(n_queries, "n_queries"), len(X))
    chosen = np.sort(rng.choice(len(X), size, replace=False))
    index = new_index(algorithm, algorithm_params, int(rng.randint(2**31 - 1)))
    metric, Q = metric_of(index), X[chosen]
    warm_up(index, X, Q)
    distances, indices = make_index("brute", metric=metric).fit(X).kneighbors(Q, max(wanted) + 1)
    truth = _without_self(distances, indices, chosen)[0]
    points = []
    for n_neighbors in wanted:
        build_s, _, built = timed(lambda: clone_index(index).fit(X))
        # one more, because the query is among them
        ask = partial(built.kneighbors, Q, n_neighbors=n_neighbors + 1)
        query_s, _, answer = timed(ask)
        found = _without_self(*judged(Q, X, answer, metric), chosen)
        accuracy = recall_at_k(found, truth, n_neighbors)
        seconds = _seconds(built, build_s, query_s, size, accuracy, n_neighbors)
        points.append(TradeoffPoint(n_neighbors, accuracy, seconds))
    return points


def _without_self(
    distances: np.ndarray, indices: np.ndarray, own: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Drop each query's own row, or the farthest one if it was not found."""
    itself = indices == own[:, None]
    itself[~itself.any(axis=1), -1] = True
    shape = (len(indices), indices.shape[1] - 1)
    return distances[~itself].reshape(shape), indices[~itself].reshape(shape)

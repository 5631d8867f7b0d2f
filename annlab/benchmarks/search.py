"""Measuring searches: build and query apart, many queries, recall against brute force.

Answers are judged outside the clock, and by distances that are recomputed here in one way for all
indexes, so that nobody marks his own work.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from annlab._support.checks import check_choice, check_data, check_integer, check_random_state
from annlab._support.errors import invalid
from annlab._support.progress import Progress
from annlab.benchmarks.machine import machine_record
from annlab.benchmarks.timing import Seconds, timed
from annlab.distances import from_squared, paired_sq, unit_rows
from annlab.fit.searches import _clone
from annlab.indexes import make_index
from annlab.metrics import distance_contrast, recall_at_k

#: Queries of a measurement that are held out of the data unless told otherwise.
_QUERIES = 1000


def _new_index(algorithm: Any, params: Mapping[str, Any] | None, seed: int | None = None) -> Any:
    """Unfitted index of a name, or a clone of the object."""
    if isinstance(algorithm, str):
        index = make_index(algorithm, **(params or {}))
    else:
        for method in ("fit", "kneighbors"):
            if not callable(getattr(algorithm, method, None)) or isinstance(algorithm, type):
                raise invalid(
                    "algorithm",
                    "a name of available_indexes() or an object with fit and kneighbors",
                    repr(algorithm),
                    "Pass an instance, such as sklearn.neighbors.NearestNeighbors().",
                    error=TypeError,
                )
        if params:
            raise invalid(
                "algorithm_params", "None where algorithm is an object", params, "Set them on it."
            )
        index = _clone(algorithm)
    known = _params_of(index)
    if seed is not None and "random_state" in known and known["random_state"] is None:
        index.set_params(random_state=seed)
    return index


def _params_of(index: Any) -> dict[str, Any]:
    get_params = getattr(index, "get_params", None)
    return get_params(deep=False) if callable(get_params) else {}


def _metric_of(index: Any) -> str:
    return "cosine" if _params_of(index).get("metric") == "cosine" else "euclidean"


def _name_of(index: Any) -> str:
    return getattr(index, "name", "") or type(index).__name__


def _warm(index: Any, X: np.ndarray, Q: np.ndarray) -> None:
    """Imports and threads, on a few rows and a throw-away copy."""
    few = X[:: max(1, len(X) // 256)][:256]
    _clone(index).fit(few).kneighbors(Q[:8], n_neighbors=1)


def _queries(
    X: np.ndarray, Q: Any, n_queries: int | None, rng: np.random.RandomState
) -> tuple[np.ndarray, np.ndarray]:
    """Rows to index and rows to ask for: those given, or some held out of X."""
    if Q is not None:
        return X, check_data(Q, name="Q", n_features=X.shape[1])
    size = (
        min(_QUERIES, len(X) // 2) if n_queries is None else check_integer(n_queries, "n_queries")
    )
    if not 1 <= size < len(X):
        raise invalid(
            "n_queries",
            f"from 1 to {len(X) - 1}, because they are held out of the {len(X)} rows of X",
            size,
            "Pass queries of their own as Q.",
        )
    order = rng.permutation(len(X))
    return X[np.sort(order[size:])], X[np.sort(order[:size])]


def _judged(
    Q: np.ndarray, X: np.ndarray, answer: Any, metric: str
) -> tuple[np.ndarray, np.ndarray]:
    """Distances of the rows that were found, recomputed here; with the rows."""
    try:
        indices = np.asarray(answer[1])
    except (TypeError, IndexError, KeyError, ValueError):
        indices = np.empty(0)
    if (
        indices.ndim != 2
        or len(indices) != Q.shape[0]
        or indices.dtype.kind not in "iu"
        or not 0 <= indices.min(initial=0) <= indices.max(initial=0) < len(X)
    ):
        raise invalid(
            "algorithm",
            "an object whose kneighbors returns (distances, indices), one row for each query",
            f"indices of shape {indices.shape} and dtype {indices.dtype}",
            f"Return rows of the {len(X)} that were indexed.",
            error=TypeError,
        )
    if metric == "cosine":
        Q, X = unit_rows(Q)[0], unit_rows(X)[0]
    indices = np.asarray(indices, dtype=np.int64)
    return from_squared(paired_sq(Q, X, indices), metric), indices


def _truth(Q: np.ndarray, X: np.ndarray, n_neighbors: int, metric: str) -> np.ndarray:
    return make_index("brute", metric=metric).fit(X).kneighbors(Q, n_neighbors)[0]


def _per_query(index: Any, n_queries: int) -> float | None:
    count = getattr(index, "n_distances_", None)
    return None if count is None else count / n_queries


def benchmark_ann(
    X: Any,
    algorithm: Any,
    *,
    n_neighbors: int = 5,
    Q: Any = None,
    n_queries: int | None = None,
    algorithm_params: Mapping[str, Any] | None = None,
    random_state: Any = 42,
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
    rows, asked = _queries(X, Q, n_queries, rng)
    return _measure(
        rows, asked, algorithm, algorithm_params, n_neighbors, int(rng.randint(2**31 - 1)), repeats
    )


def _measure(
    X: np.ndarray,
    Q: np.ndarray,
    algorithm: Any,
    params: Mapping[str, Any] | None,
    n_neighbors: int,
    seed: int,
    repeats: int,
) -> Seconds:
    n_neighbors = check_integer(n_neighbors, "n_neighbors", maximum=len(X))
    repeats = check_integer(repeats, "repeats")
    index = _new_index(algorithm, params, seed)
    metric = _metric_of(index)
    _warm(index, X, Q)
    build_s, builds, built = timed(lambda: _clone(index).fit(X), repeats)
    query_s, calls, answer = timed(lambda: built.kneighbors(Q, n_neighbors=n_neighbors), repeats)
    found = _judged(Q, X, answer, metric)
    return Seconds(
        build_s + query_s,
        algorithm=_name_of(index),
        build_s=build_s,
        query_s=query_s,
        queries_per_s=len(Q) / query_s,
        recall=recall_at_k(found, _truth(Q, X, n_neighbors, metric)),
        exact=bool(getattr(built, "exact", False)),
        n_distances=_per_query(built, len(Q)),
        n_queries=len(Q),
        n_neighbors=n_neighbors,
        params=_params_of(built),
        repeats_s=tuple(b + q for b, q in zip(builds, calls, strict=True)),
    )


def benchmark_high_dim(
    n_samples: int,
    n_features: int,
    *,
    algorithm: Any = "ball_tree",
    n_neighbors: int = 5,
    n_queries: int = 100,
    algorithm_params: Mapping[str, Any] | None = None,
    random_state: Any = 42,
    repeats: int = 1,
) -> Seconds:
    """Time any index on uniform data of a dimension, and say how far the distances differ.

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
        queries. Where it is near 0, all points are about equally far, and no index can rule any
        of them out.

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
    X: Any,
    n_neighbors_range: Any,
    *,
    algorithm: Any = "hnsw",
    algorithm_params: Mapping[str, Any] | None = None,
    n_queries: int = 100,
    random_state: Any = 42,
) -> list[TradeoffPoint]:
    """Accuracy and time of an approximate index, by the number of neighbours asked for.

    Parameters
    ----------
    X : array-like of shape (n, d)
    n_neighbors_range : iterable of int
        From 1 to n − 1.
    algorithm : str or object, default="hnsw"
        As in `benchmark_ann`. The deck takes a ball tree, which is exact: its accuracy could only
        ever be 1.
    algorithm_params : dict, optional
        Parameters of the named index. The default for ``"hnsw"`` is a small graph with
        ``ef = 10``, so that there is a loss to be seen on small data.
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
    Each query is a row of X and finds itself at distance 0; that is no achievement and is left
    out. The number of neighbours is not a knob of the index: for its own, see
    `recall_speed_curve`.

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
    index = _new_index(algorithm, algorithm_params, int(rng.randint(2**31 - 1)))
    metric, Q = _metric_of(index), X[chosen]
    _warm(index, X, Q)
    distances, indices = make_index("brute", metric=metric).fit(X).kneighbors(Q, max(wanted) + 1)
    truth = _without_self(distances, indices, chosen)[0]
    points = []
    for n_neighbors in wanted:
        build_s, _, built = timed(lambda: _clone(index).fit(X))
        # one more than asked for, because the query is among them
        n_asked = n_neighbors + 1
        begin = perf_counter()
        answer = built.kneighbors(Q, n_neighbors=n_asked)
        query_s = perf_counter() - begin
        found = _without_self(*_judged(Q, X, answer, metric), chosen)
        accuracy = recall_at_k(found, truth, n_neighbors)
        seconds = Seconds(
            build_s + query_s,
            algorithm=_name_of(index),
            build_s=build_s,
            query_s=query_s,
            queries_per_s=size / query_s,
            recall=accuracy,
            exact=bool(getattr(built, "exact", False)),
            n_distances=_per_query(built, size),
            n_queries=size,
            n_neighbors=n_neighbors,
            params=_params_of(built),
        )
        points.append(TradeoffPoint(n_neighbors, accuracy, seconds))
    return points


def _without_self(
    distances: np.ndarray, indices: np.ndarray, own: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Drop each query's own row; where it was not found, the farthest row goes instead."""
    itself = indices == own[:, None]
    itself[~itself.any(axis=1), -1] = True
    shape = (len(indices), indices.shape[1] - 1)
    return distances[~itself].reshape(shape), indices[~itself].reshape(shape)


# --- recall against speed ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RecallSpeedPoint:
    """One setting of an index.

    Attributes
    ----------
    recall : float
        Recall@n_neighbors against brute force.
    queries_per_s : float
        Median over the repeats.
    build_s : float
        Of the index that answered; shared by settings that need no rebuild.
    query_s : float
    n_distances : float or None
        Distances a query; None where the method cannot count.
    params : dict
        The knobs that were turned, with their values.
    """

    recall: float
    queries_per_s: float
    build_s: float
    query_s: float
    n_distances: float | None
    params: dict[str, Any]


class RecallSpeedCurve(Sequence[RecallSpeedPoint]):
    """The settings of one index that were measured, with the exact baseline beside them.

    Attributes
    ----------
    algorithm : str
        Name of the index.
    exact : RecallSpeedPoint
        Brute force on the same queries, measured in turns with the others.
    n_samples, n_features, n_queries, n_neighbors : int
    metric : str
    machine : dict
    """

    def __init__(
        self, points: Sequence[RecallSpeedPoint], exact: RecallSpeedPoint, **facts: Any
    ) -> None:
        self._points = tuple(points)
        self.exact = exact
        self.algorithm: str = facts["algorithm"]
        self.n_samples: int = facts["n_samples"]
        self.n_features: int = facts["n_features"]
        self.n_queries: int = facts["n_queries"]
        self.n_neighbors: int = facts["n_neighbors"]
        self.metric: str = facts["metric"]
        self.machine: dict[str, Any] = facts["machine"]

    def __len__(self) -> int:
        return len(self._points)

    def __iter__(self) -> Iterator[RecallSpeedPoint]:
        return iter(self._points)

    def __getitem__(self, item: Any) -> Any:
        return self._points[item]

    def front(self) -> list[RecallSpeedPoint]:
        """The settings that no other one beats in both recall and speed, by rising recall."""
        best: list[RecallSpeedPoint] = []
        order = sorted(self._points, key=lambda point: (-point.queries_per_s, -point.recall))
        for point in order:
            if not best or point.recall > best[-1].recall:
                best.append(point)
        return best

    def __repr__(self) -> str:
        lines = [
            f"RecallSpeedCurve of {self.algorithm}: {self.n_samples:,} points, {self.n_features} "
            f"features, recall@{self.n_neighbors} of {self.n_queries:,} queries; {len(self)} "
            "settings, those that no other one beats:",
            f"{'recall':>8} {'queries/s':>11} {'build s':>9} {'distances':>10}  settings",
        ]
        for point in [*self.front(), self.exact]:
            count = "–" if point.n_distances is None else f"{point.n_distances:,.0f}"
            if point is self.exact:
                settings = "brute force (exact)"
            else:
                settings = ", ".join(f"{name}={value}" for name, value in point.params.items())
            lines.append(
                f"{point.recall:8.4f} {point.queries_per_s:11,.0f} {point.build_s:9.3g} "
                f"{count:>10}  {settings}"
            )
        return "\n".join(lines)


def _settings(
    index: Any, knobs: Mapping[str, Any] | None
) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Builds, each with the query settings to measure on it."""
    known = _params_of(index)
    given = knobs is not None
    if given and not isinstance(knobs, Mapping):
        raise invalid("knobs", "None or a dict of name to values", repr(knobs), error=TypeError)
    ladders = dict(knobs if knobs is not None else getattr(index, "knobs", {}))
    for name, values in ladders.items():
        if name not in known:
            raise invalid(
                "knobs", f"among the parameters of the index ({', '.join(known)})", repr(name)
            )
        if isinstance(values, (str, bytes)) or not isinstance(values, (Sequence, np.ndarray)):
            raise invalid("knobs", "a dict of name to a list of values", f"{name}={values!r}")
    quick = [name for name in getattr(index, "query_knobs", ()) if name in ladders]
    slow = [name for name in ladders if name not in quick]
    queries = [
        dict(zip(quick, values, strict=True))
        for values in itertools.product(*(ladders[name] for name in quick))
    ]
    if given:
        builds = [
            dict(zip(slow, values, strict=True))
            for values in itertools.product(*(ladders[name] for name in slow))
        ]
    else:
        # all combinations would be dozens of builds: turn one knob at a time
        builds = [{}]
        builds += [
            {name: value} for name in slow for value in ladders[name] if value != known[name]
        ]
    return [(build, queries) for build in builds]


def recall_speed_curve(
    index: Any,
    X: Any,
    Q: Any = None,
    *,
    n_neighbors: int = 10,
    knobs: Mapping[str, Any] | None = None,
    n_queries: int | None = None,
    repeats: int = 3,
    random_state: Any = 42,
    progress: bool = False,
) -> RecallSpeedCurve:
    """Recall and speed of an index over the range of its own knobs, beside brute force.

    Parameters
    ----------
    index : str or object
        A name of `available_indexes`, or an index with the parameters that stay fixed (cloned).
    X : array-like of shape (n, d)
    Q : array-like of shape (nq, d), optional
        Queries; by default ``n_queries`` rows of X, which are held out of the index.
    n_neighbors : int, default=10
    knobs : dict of str to sequence, optional
        Parameters to turn, with their values: all combinations are measured. By default the
        index's own (``index.knobs``): the full ladder of those that need no rebuild, for the
        parameters as they are and with each other knob turned by itself.
    n_queries : int, optional
        1,000 by default, at most half of X.
    repeats : int, default=3
        Rounds; in each round every setting of a build and brute force take their turn, and the
        median counts.
    random_state : int, RandomState, Generator or None, default=42
    progress : bool, default=False
        Show a line of progress on stderr.

    Returns
    -------
    RecallSpeedCurve
        A sequence of `RecallSpeedPoint`, with ``exact`` (brute force) and ``front()``.

    Raises
    ------
    TypeError, ValueError

    Examples
    --------
    >>> import numpy as np
    >>> from annlab.benchmarks import recall_speed_curve
    >>> X = np.random.RandomState(0).rand(600, 8)
    >>> curve = recall_speed_curve("lsh", X, knobs={"n_probes": [1, 16]}, repeats=1)
    >>> curve[0].recall <= curve[1].recall, curve.exact.recall
    (True, 1.0)
    """
    X = check_data(X, min_rows=2)
    rng = check_random_state(random_state)
    rows, asked = _queries(X, Q, n_queries, rng)
    n_neighbors = check_integer(n_neighbors, "n_neighbors", maximum=len(rows))
    repeats = check_integer(repeats, "repeats")
    template = _new_index(index, None, int(rng.randint(2**31 - 1)))
    metric = check_choice(_metric_of(template), "metric", ("euclidean", "cosine"))
    plan = _settings(template, knobs)
    _warm(template, rows, asked)
    baseline = make_index("brute", metric=metric)
    baseline_s, _, baseline = timed(lambda: baseline.fit(rows))
    truth = baseline.kneighbors(asked, n_neighbors)[0]
    exact_times: list[float] = []
    points: list[RecallSpeedPoint] = []
    line = Progress(progress, len(plan), f"{_name_of(template)}, builds")
    for number, (build, settings) in enumerate(plan, start=1):
        prepared = _clone(template)
        if build:
            prepared.set_params(**build)
        build_s, _, fitted = timed(lambda made=prepared: made.fit(rows))  # type: ignore[misc]
        times: list[list[float]] = [[] for _ in settings]
        judged: list[tuple[float, float | None]] = []
        for turn in range(repeats):
            for place, setting in enumerate(settings):
                if setting:
                    fitted.set_query_params(**setting)
                query_s, _, answer = timed(
                    lambda made=fitted: made.kneighbors(asked, n_neighbors=n_neighbors)  # type: ignore[misc]
                )
                times[place].append(query_s)
                if turn == 0:
                    recall = recall_at_k(_judged(asked, rows, answer, metric), truth)
                    judged.append((recall, _per_query(fitted, len(asked))))
            exact_times.append(timed(lambda: baseline.kneighbors(asked, n_neighbors))[0])
        for place, setting in enumerate(settings):
            query_s = float(np.median(times[place]))
            points.append(
                RecallSpeedPoint(
                    recall=judged[place][0],
                    queries_per_s=len(asked) / query_s,
                    build_s=build_s,
                    query_s=query_s,
                    n_distances=judged[place][1],
                    params={**build, **setting},
                )
            )
        line.update(number)
    line.close(f"{len(points)} settings")
    query_s = float(np.median(exact_times))
    exact = RecallSpeedPoint(
        recall=1.0,
        queries_per_s=len(asked) / query_s,
        build_s=baseline_s,
        query_s=query_s,
        n_distances=float(len(rows)),
        params={},
    )
    return RecallSpeedCurve(
        points,
        exact,
        algorithm=_name_of(template),
        n_samples=len(rows),
        n_features=rows.shape[1],
        n_queries=len(asked),
        n_neighbors=n_neighbors,
        metric=metric,
        machine=machine_record(),
    )

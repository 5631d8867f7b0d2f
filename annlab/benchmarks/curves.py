"""Measure recall against speed over an index's knobs, beside brute force."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from annlab._support.checks import check_choice, check_data, check_integer, check_random_state
from annlab._support.errors import invalid
from annlab._support.progress import Progress
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
from annlab.benchmarks.machine import machine_record
from annlab.benchmarks.timing import timed
from annlab.indexes import make_index
from annlab.metrics import recall_at_k


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
        Shared by settings that need no rebuild.
    query_s : float
    n_distances : float or None
        Distances a query; None if the index does not count them.
    params : dict
        Knobs and their values.
    """

    recall: float
    queries_per_s: float
    build_s: float
    query_s: float
    n_distances: float | None
    params: dict[str, Any]


@dataclass(frozen=True, eq=False, repr=False)
class RecallSpeedCurve(Sequence[RecallSpeedPoint]):
    """The measured settings of an index; a sequence of `RecallSpeedPoint`.

    Attributes
    ----------
    points : sequence of RecallSpeedPoint
    exact : RecallSpeedPoint
        Brute force on the same queries, in turns with the others.
    algorithm : str
        Name of the index.
    n_samples, n_features, n_queries, n_neighbors : int
    metric : str
    machine : dict
    """

    points: Sequence[RecallSpeedPoint]
    exact: RecallSpeedPoint
    algorithm: str
    n_samples: int
    n_features: int
    n_queries: int
    n_neighbors: int
    metric: str
    machine: dict[str, Any]

    def __len__(self) -> int:
        return len(self.points)

    def __iter__(self) -> Iterator[RecallSpeedPoint]:
        return iter(self.points)

    def __getitem__(self, item: Any) -> Any:
        return self.points[item]

    def front(self) -> list[RecallSpeedPoint]:
        """Return the settings that no other beats in recall and speed, by recall."""
        best: list[RecallSpeedPoint] = []
        order = sorted(self.points, key=lambda point: (-point.queries_per_s, -point.recall))
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
    index: Index, knobs: Mapping[str, Any] | None
) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Return builds, each with the query settings to measure on it."""
    known = params_of(index)
    given = knobs is not None
    if given and not isinstance(knobs, Mapping):
        raise invalid("knobs", "None or a dict of name to values", repr(knobs), error=TypeError)
    ladders = dict(knobs if knobs is not None else getattr(index, "knobs", {}))
    for name, values in ladders.items():
        if name not in known:
            raise invalid(
                "knobs", f"one of the parameters of the index ({', '.join(known)})", repr(name)
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
    index: Index,
    X: MatrixLike,
    Q: MatrixLike | None = None,
    *,
    n_neighbors: int = 10,
    knobs: Mapping[str, Any] | None = None,
    n_queries: int | None = None,
    repeats: int = 3,
    random_state: Seed = 42,
    progress: bool = False,
) -> RecallSpeedCurve:
    """Measure recall and speed over an index's own knobs, beside brute force.

    Parameters
    ----------
    index : str or object
        A name of `available_indexes`, or an index with the parameters that stay fixed (cloned).
    X : array-like of shape (n, d)
    Q : array-like of shape (nq, d), optional
        Queries; by default ``n_queries`` rows of X, which are held out of the index.
    n_neighbors : int, default=10
    knobs : dict of str to sequence, optional
        Parameters and their values: all combinations are measured. By default ``index.knobs``:
        all values of those that need no rebuild, with the other knobs turned one at a time.
    n_queries : int, optional
        1,000 by default, at most half of X.
    repeats : int, default=3
        Rounds; in each, every setting of a build and brute force take their turn; the median
        counts.
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
    rows, asked = split_queries(X, Q, n_queries, rng)
    n_neighbors = check_integer(n_neighbors, "n_neighbors", maximum=len(rows))
    repeats = check_integer(repeats, "repeats")
    template = new_index(index, None, int(rng.randint(2**31 - 1)))
    metric = check_choice(metric_of(template), "metric", ("euclidean", "cosine"))
    plan = _settings(template, knobs)
    warm_up(template, rows, asked)
    brute = make_index("brute", metric=metric)
    brute_s, _, brute = timed(partial(brute.fit, rows))
    race = _Race(rows, asked, n_neighbors, brute, repeats)
    points: list[RecallSpeedPoint] = []
    line = Progress(progress, len(plan), f"{name_of(template)}, builds")
    for number, (build, settings) in enumerate(plan, start=1):
        points += race.run(clone_index(template), build, settings)
        line.update(number)
    line.close(f"{len(points)} settings")
    query_s = float(np.median(race.brute_times))
    return RecallSpeedCurve(
        tuple(points),
        race.point(1.0, query_s, brute_s, float(len(rows)), {}),
        algorithm=name_of(template),
        n_samples=len(rows),
        n_features=rows.shape[1],
        n_queries=len(asked),
        n_neighbors=n_neighbors,
        metric=metric,
        machine=machine_record(),
    )


class _Race:
    """Settings of an index and brute force, in turns on the same queries."""

    def __init__(
        self, rows: np.ndarray, asked: np.ndarray, n_neighbors: int, brute: Index, repeats: int
    ) -> None:
        self.rows, self.asked, self.n_neighbors = rows, asked, n_neighbors
        self.brute, self.repeats = brute, repeats
        self.brute_times: list[float] = []
        self.truth = self.ask(brute)[1][0]

    def ask(self, index: Index) -> tuple[float, Any]:
        """Return the seconds of a call and its answer."""
        call = partial(index.kneighbors, self.asked, n_neighbors=self.n_neighbors)
        seconds, _, answer = timed(call)
        return seconds, answer

    def point(
        self,
        recall: float,
        query_s: float,
        build_s: float,
        n_distances: float | None,
        params: dict[str, Any],
    ) -> RecallSpeedPoint:
        speed = len(self.asked) / query_s
        return RecallSpeedPoint(recall, speed, build_s, query_s, n_distances, params)

    def run(
        self, index: Any, build: dict[str, Any], settings: list[dict[str, Any]]
    ) -> list[RecallSpeedPoint]:
        """Build once and measure every setting in turns with brute force."""
        if build:
            index.set_params(**build)
        build_s, _, fitted = timed(partial(index.fit, self.rows))
        metric = metric_of(index)
        times: list[list[float]] = [[] for _ in settings]
        found: list[tuple[float, float | None]] = []
        for turn in range(self.repeats):
            for setting, seconds in zip(settings, times, strict=True):
                if setting:
                    fitted.set_query_params(**setting)
                query_s, answer = self.ask(fitted)
                seconds.append(query_s)
                if turn == 0:
                    recall = recall_at_k(judged(self.asked, self.rows, answer, metric), self.truth)
                    found.append((recall, per_query(fitted, len(self.asked))))
            self.brute_times.append(self.ask(self.brute)[0])
        return [
            self.point(recall, float(np.median(seconds)), build_s, count, {**build, **setting})
            for setting, seconds, (recall, count) in zip(settings, times, found, strict=True)
        ]

"""``index_race``: recall and speed of indexes on one data set."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from annlab._support.checks import check_data, check_integer
from annlab.benchmarks.timing import timed
from annlab.datasets import make_uniform_cube
from annlab.indexes import make_index
from annlab.metrics import recall_at_k
from annlab.widgets.base import (
    ALARM,
    INK,
    MARKERS,
    PALETTE,
    QUIET,
    Explorer,
    Job,
    Predict,
    Prediction,
    Store,
    ask,
    chart,
    choice,
    ladder,
    share,
    switch,
    three,
)
from annlab.widgets.base.jobs import CLOCK
from annlab.widgets.base.marks import curve, legend, ringed, write
from annlab.widgets.base.rows import OWN, cube_or_patches, digest

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike

_DS, _NS = (2, 8, 32, 192), (1000, 2000, 4000)
_QUERIES, _NEIGHBORS = 100, 10
_WANTED = (0.5, 0.8, 0.9, 0.95, 0.99, 1.0)
_BUILDS = ("light", "usual", "heavy")
#: racer -> (what the build turns, its three values, fixed parameters, query knob, its values)
_RACERS: dict[str, tuple[str, tuple[int, ...], dict[str, Any], str, tuple[int, ...]]] = {
    "brute": ("", (), {}, "", ()),
    "kd_tree": ("leaf_size", (100, 40, 10), {}, "", ()),
    "lsh": ("n_tables", (4, 8, 16), {"random_state": 0}, "n_probes", (1, 2, 4, 8, 16, 32)),
    "hnsw": (
        "M",
        (4, 8, 16),
        {"ef_construction": 60, "random_state": 0},
        "ef",
        (10, 14, 20, 40, 80),
    ),
    "pq": (
        "n_subspaces",
        (4, 8, 16),
        {"n_codes": 64, "random_state": 0},
        "rerank",
        (10, 20, 40, 80, 160),
    ),
}
_TITLES = {"kd_tree": "kd_tree (exact)", "lsh": "lsh", "hnsw": "hnsw", "pq": "pq"}


@dataclass(frozen=True, slots=True)
class Lap:
    """One setting of one index.

    ``recall`` is recall@10 of 100 queries that are not among the indexed rows; ``distances`` are
    computed for a query. Seconds to build, and for a query, are None unless they were measured.
    """

    racer: str
    setting: str
    recall: float
    distances: float
    build_s: float | None = None
    query_s: float | None = None

    def cost(self, seconds: bool) -> float:
        """Return seconds or distances for a query."""
        if not seconds:
            return self.distances
        assert self.query_s is not None
        return self.query_s

    def height(self, seconds: bool) -> float:
        """Return the place on the axis: queries per second, or distances."""
        return 1 / self.cost(True) if seconds else self.distances


def front(laps: list[Lap], seconds: bool) -> list[Lap]:
    """Return the laps that no other beats in recall and cost, by recall.

    Examples
    --------
    >>> from annlab.widgets._race import Lap, front
    >>> laps = [Lap("a", "", 0.9, 50.0), Lap("b", "", 0.8, 60.0), Lap("c", "", 1.0, 100.0)]
    >>> [lap.racer for lap in front(laps, False)]
    ['c', 'a']
    """
    best: list[Lap] = []
    for lap in sorted(laps, key=lambda one: (-one.recall, one.cost(seconds))):
        if not best or lap.cost(seconds) < best[-1].cost(seconds):
            best.append(lap)
    return best


@dataclass(frozen=True, slots=True)
class Built:
    """A fitted index, kept for both ways of counting.

    ``lock`` is held while the query knob is turned: two explorers may show the same state.
    """

    index: Any
    build_s: float
    lock: threading.Lock


_known = Store(1_000)
#: Indexes, of some megabytes each.
_built = Store(12)
#: Nearest rows of the queries, by what is indexed.
_truths = Store(24)


class RaceExplorer(Explorer):
    """The explorer that `index_race` makes."""

    name = "index_race"
    title = "A race of indexes: how much recall for how much work?"
    size = (840, 420)
    slow = True

    def __init__(self, X: ArrayLike | None, *, max_samples: int, predict: Predict) -> None:
        self.own, self.mark = None, ""
        check_integer(max_samples, "max_samples", minimum=min(_NS))
        ns: tuple[int, ...] = tuple(n for n in _NS if n <= max_samples)
        controls = [choice("data", "Data", "What is indexed", ("uniform", "patches"), "uniform")]
        if X is None:
            controls.append(ladder("d", "Dimensions d", "Features of a row", _DS, 32))
        else:
            X = np.ascontiguousarray(check_data(X, min_rows=150), dtype=np.float64)
            self.own = X[np.random.RandomState(0).permutation(len(X))]
            self.mark = digest(self.own)
            most = len(X) - _QUERIES
            ns = tuple(n for n in ns if n < most)
            ns = (*ns, most) if len(ns) < len(_NS) else ns
            controls = []
        if len(ns) > 1:
            controls.append(ladder("n", "Rows n", "How many rows are indexed", ns, ns[0]))
        self.n = ns[0]
        controls += [
            ladder("build", "Build", "How much care goes into building", _BUILDS, "usual"),
            choice(
                "cost",
                "Count",
                "Distances are the same everywhere; queries per second are measured here",
                ("distances", "queries per second"),
                "distances",
            ),
            ladder(
                "wanted",
                "Recall wanted",
                "The cheapest setting with at least this recall is marked",
                [(f"{recall:g}", recall) for recall in _WANTED],
                0.9,
            ),
        ]
        for name, title in _TITLES.items():
            controls.append(switch(name, title, f"Let {name} take part", name == "lsh"))
        super().__init__(controls, predict=ask(predict, {"winner": self._question}))

    def _question(self) -> Prediction:
        return Prediction(
            "Let all four take part: who reaches the wanted recall with the fewest distances?",
            tuple(_RACERS),
            truth=self._truth,
        )

    def _truth(self, result: list[Lap]) -> str:
        values = self.values
        asked = {name: values[name] for name in ("data", "d", "n", "build") if name in values}
        racers: dict[str, Any] = dict.fromkeys(_TITLES, True)
        laps = self.compute(Job(), **asked, cost="distances", **racers)
        return self._cheapest(laps, values["wanted"], False).racer

    def _cheapest(self, laps: list[Lap], wanted: float, seconds: bool) -> Lap:
        # never empty: brute force has recall 1
        good = [lap for lap in laps if lap.recall >= wanted]
        return min(good, key=lambda lap: lap.cost(seconds))

    def compute(
        self,
        job: Job,
        *,
        build: str,
        cost: str,
        kd_tree: bool,
        lsh: bool,
        hnsw: bool,
        pq: bool,
        data: str = OWN,
        d: int | None = None,
        n: int | None = None,
    ) -> list[Lap]:
        n = n or self.n
        X = self.own if self.own is not None else cube_or_patches(data, max(_NS) + _QUERIES)[:, :d]
        racers = zip(_RACERS, (True, kd_tree, lsh, hnsw, pq), strict=True)
        names = [name for name, takes_part in racers if takes_part]
        measure = self._counted if cost == "distances" else self._clocked
        laps = []
        for place, name in enumerate(names):
            job.report(place, len(names), name)
            key = (data, self.mark, d, n, name, build if name != "brute" else "")
            laps += _known.get((*key, cost), measure, key, X, job)
        return laps

    def _build(self, key: tuple[Any, ...], X: np.ndarray) -> Built:
        n, name, build = key[3:]
        turned, values, fixed, _, _ = _RACERS[name]
        params = dict(fixed)
        if turned:
            params[turned] = values[_BUILDS.index(build)]
        if name == "pq":
            params[turned] = min(params[turned], X.shape[1])
        index, rows = make_index(name, **params), np.ascontiguousarray(X[_QUERIES : _QUERIES + n])
        build_s, _, _ = timed(lambda: index.fit(rows))
        return Built(index, build_s, threading.Lock())

    def _counted(self, key: tuple[Any, ...], X: np.ndarray, job: Job) -> list[Lap]:
        """Measure recall and distances of all settings of an index."""
        asked, name = X[:_QUERIES], key[4]
        built, exact = _built.get(key, self._build, key, X), (*key[:4], "brute", "")
        brute = _built.get(exact, self._build, exact, X)
        truth = _truths.get(key[:4], brute.index.kneighbors, asked, _NEIGHBORS)
        knob, values = _RACERS[name][3:]
        laps = []
        with built.lock:
            index = built.index
            if name == "hnsw":
                index.set_params(count_distances=True)
            for value in values or (None,):
                job.check()
                if value is not None:
                    index.set_query_params(**{knob: value})
                recall = recall_at_k(index.kneighbors(asked, _NEIGHBORS), truth)
                setting = f"{knob}={value}" if knob else "exact"
                laps.append(Lap(name, setting, recall, index.n_distances_ / len(asked)))
        return laps

    def _clocked(self, key: tuple[Any, ...], X: np.ndarray, job: Job) -> list[Lap]:
        """Add times to laps, which already have recall and distances."""
        counted = _known.get((*key, "distances"), self._counted, key, X, job)
        built = _built.get(key, self._build, key, X)
        with built.lock:
            return [self._timed(lap, built, X[:_QUERIES], job) for lap in counted]

    def _timed(self, lap: Lap, built: Built, asked: np.ndarray, job: Job) -> Lap:
        """Return the lap with its times."""
        job.check()
        index = built.index
        knob, _, value = lap.setting.partition("=")
        if value:
            index.set_query_params(**{knob: int(value)})
        if lap.racer == "hnsw":
            index.set_params(count_distances=False)
        index.kneighbors(asked, _NEIGHBORS)
        with CLOCK:
            query_s = min(timed(lambda: index.kneighbors(asked, _NEIGHBORS))[0] for _ in range(3))
        return replace(lap, build_s=built.build_s, query_s=query_s / len(asked))

    def sentence(
        self,
        result: list[Lap],
        frame: int,
        *,
        build: str,
        cost: str,
        wanted: float,
        **values: object,
    ) -> str:
        seconds = cost != "distances"
        best = self._cheapest(result, wanted, seconds)
        brute = result[0]
        if seconds:
            assert best.build_s is not None
            told = (
                f"{three(1 / best.cost(True))} queries per second after {three(best.build_s)} s of "
                f"building ({three(1 / brute.cost(True))} by brute force)"
            )
        else:
            told = f"{three(best.distances)} distances a query instead of {three(brute.distances)}"
        racers = ", ".join(dict.fromkeys(lap.racer for lap in result))
        where = str(values.get("data", OWN))
        if "d" in values:
            where += f" in {values['d']} dimensions"
        return (
            f"recall {wanted:g} wanted: cheapest is {best.racer} ({best.setting}) with recall "
            f"{share(best.recall)} and {told}. In the race on {values.get('n', self.n):,} rows of "
            f"{where}, {build} builds: {racers}; {len(front(result, seconds))} of {len(result)} "
            "settings are on the front."
        )

    def draw(
        self,
        figure: Figure,
        result: list[Lap],
        frame: int,
        *,
        build: str,
        cost: str,
        wanted: float,
        **values: object,
    ) -> None:
        seconds = cost != "distances"
        axes = figure.subplots()
        where = str(values.get("data", OWN))
        if "d" in values:
            where += f", d = {values['d']}"
        chart(
            axes,
            f"recall@{_NEIGHBORS}",
            "queries per second" if seconds else "distances a query",
            f"{where}, n = {values.get('n', self.n):,}, {build} builds: better is right and "
            f"{'up' if seconds else 'down'}",
        )
        axes.axvspan(wanted, 1.02, color=PALETTE[2], alpha=0.1, linewidth=0)
        _draw_laps(axes, result, seconds)
        best = self._cheapest(result, wanted, seconds)
        label = f"cheapest with recall {wanted:g}"
        ringed(axes, best.recall, best.height(seconds), ALARM, size=19, width=2.6, label=label)
        _scale(axes, result, seconds)
        corner: dict[str, Any] = {"color": QUIET, "transform": axes.get_xaxis_transform()}
        write(axes, wanted - 0.01, 0.02, "wanted", "right bottom", **corner)
        legend(axes, "center left", bbox_to_anchor=(1.01, 0.5))


def _draw_laps(axes: Axes, result: list[Lap], seconds: bool) -> None:
    """Draw each racer's curve on top of the front of all."""
    ahead = front(result, seconds)
    axes.plot(
        [lap.recall for lap in ahead],
        [lap.height(seconds) for lap in ahead],
        color="#b9b9b9",
        linewidth=9,
        alpha=0.6,
        solid_capstyle="round",
        label="front: unbeaten settings",
        zorder=1,
    )
    edge: dict[str, Any] = {"markeredgecolor": INK, "markeredgewidth": 0.6, "zorder": 3}
    looks = {"brute": ("brute force", INK)}
    looks |= {name: (_TITLES[name], color) for name, color in zip(_TITLES, PALETTE, strict=False)}
    for marker, (name, (label, color)) in zip(MARKERS, looks.items(), strict=False):
        laps = [lap for lap in result if lap.racer == name]
        if laps:
            recalls, heights = zip(
                *((lap.recall, lap.height(seconds)) for lap in laps), strict=True
            )
            curve(axes, recalls, heights, color, marker, size=9, label=label, **edge)


def _scale(axes: Axes, result: list[Lap], seconds: bool) -> None:
    # the last percents are what indexes differ in, so they get more room
    axes.set_xscale(
        "function",
        functions=(
            lambda recall: -np.log10(np.maximum(1.03 - np.asarray(recall), 1e-3)),
            lambda place: 1.03 - 10.0 ** -np.asarray(place),
        ),
    )
    axes.set_xlim(-0.05, 1.008)
    axes.set_xticks([0, *_WANTED], [f"{recall:g}" for recall in (0, *_WANTED)])
    axes.set_yscale("log")
    if seconds:
        heights = np.log10([lap.height(True) for lap in result])
        axes.set_ylim(10 ** np.floor(heights.min()), 10 ** np.ceil(heights.max()))
    else:
        axes.set_ylim(10, 2 * result[0].distances)
    axes.yaxis.set_minor_formatter("")


def index_race(
    X: ArrayLike | None = None, *, max_samples: int = 4000, predict: Predict = None
) -> RaceExplorer:
    """Let indexes race for recall@10 against work, on data of your choice.

    Each racer is measured at several settings of its query parameter; *Build* changes the one that
    needs a rebuild. The thick grey line is the front: settings that no other one beats in both
    recall and cost. Choose a recall, and the cheapest setting is marked.

    Parameters
    ----------
    X : array-like of shape (n, d), optional
        Your own data. 100 rows are queries, up to 4,000 others are indexed.
    max_samples : int, default=4000
        Most rows to index.
    predict : "winner" or Prediction, optional
        Ask for a prediction; Compare shows the truth.

    Returns
    -------
    Explorer
        Display it as the last expression of a cell.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid.

    Notes
    -----
    ``pq`` counts its tables as whole distances, and its look-ups not at all; ``hnsw`` estimates
    its count by walking again. Measurements are kept for the life of the process.

    Examples
    --------
    >>> from annlab import widgets
    >>> race = widgets.index_race(max_samples=1000)
    >>> race.set(data="uniform", d=2, wanted=1.0, lsh=False)  # doctest: +ELLIPSIS
    recall 1 wanted: cheapest is brute (exact) with recall 1 and 1,000 distances a query ...
    >>> race.set(kd_tree=True)  # doctest: +ELLIPSIS
    recall 1 wanted: cheapest is kd_tree (exact) with recall 1 and ... distances a query ...
    """
    return RaceExplorer(X, max_samples=max_samples, predict=predict)


def example() -> RaceExplorer:
    """Make a small explorer for the tests."""
    X = make_uniform_cube(420, 6, random_state=0, dtype=np.float64)
    return index_race(X, predict="winner")

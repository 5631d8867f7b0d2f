"""When an index over the centroids pays, in distances and in seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from annlab._support.checks import check_data
from annlab._support.errors import invalid
from annlab.benchmarks.timing import timed
from annlab.distances import nearest, paired_sq
from annlab.indexes import make_index
from annlab.widgets.base import (
    INK,
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
    three,
)
from annlab.widgets.base.jobs import CLOCK
from annlab.widgets.base.marks import chosen, curve, legend, write
from annlab.widgets.base.rows import OWN, cube_or_patches, digest, rotated

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike

_KS = (4, 10, 32, 100, 320, 1000, 3200)
_DS = (2, 4, 8, 16, 32, 64, 192)
_NS = (1_000, 10_000, 100_000, 1_000_000)
#: Rows of each data set: the first are queries, the others become centroids.
_QUERIES, _ROWS = 200, 4_000
#: Points that are timed; times of more points are extrapolated from them.
_TIMED = 1_000
_INDEXES = ("kd_tree", "ball_tree", "lsh", "hnsw")
_PARAMS = {"lsh": {"random_state": 0}, "hnsw": {"random_state": 0, "count_distances": True}}
#: An index pays if it costs less than this share.
_PAYS = 0.9
_known = Store(4_000)


@dataclass(frozen=True, slots=True)
class Cost:
    """Cost of finding the nearest of ``k`` centroids, for one point.

    ``distances`` are those that the index computes, ``recall`` the share of points that get a
    nearest centroid; seconds to compare one point with all, to build the index, and to search
    it for one point are None unless they were measured.
    """

    k: int
    distances: float
    recall: float
    exact_s: float | None = None
    build_s: float | None = None
    index_s: float | None = None

    def totals(self, n: int, seconds: bool) -> tuple[float, float, float]:
        """Return the cost for ``n`` points: without index, its build, its search."""
        if not seconds:
            return float(n * self.k), 0.0, n * self.distances
        assert self.exact_s is not None and self.build_s is not None and self.index_s is not None
        return n * self.exact_s, self.build_s, n * self.index_s

    def ratio(self, n: int, seconds: bool) -> float:
        """Return the cost with the index over the cost without."""
        exact, build, search = self.totals(n, seconds)
        return (build + search) / exact


def break_even(costs: list[Cost], n: int, seconds: bool) -> int | None:
    """Return the smallest k at which an index saves a tenth of the cost, or None.

    Examples
    --------
    >>> from annlab.widgets._break_even import Cost, break_even
    >>> break_even([Cost(4, 5.0, 1.0), Cost(10, 8.0, 1.0), Cost(32, 12.0, 1.0)], 1000, False)
    10
    """
    first = None
    for cost in reversed(costs):
        if cost.ratio(n, seconds) >= _PAYS:
            break
        first = cost.k
    return first


class BreakEvenExplorer(Explorer):
    """The explorer that `break_even_explorer` makes."""

    name = "break_even_explorer"
    title = "When does an index over the centroids beat comparing with all of them?"
    size = (840, 400)
    slow = True

    def __init__(self, X: ArrayLike | None, *, max_clusters: int, predict: Predict) -> None:
        self.own, self.mark = None, ""
        if X is not None:
            # no more axes than the ladder offers
            self.own = rotated(check_data(X, min_rows=40).astype(np.float64))[:, : max(_DS)]
            self.mark = digest(self.own)
        rows, columns = (_ROWS, max(_DS)) if self.own is None else self.own.shape
        #: a tenth of a small data set are queries, the others may be centroids
        self.n_queries = min(_QUERIES, rows // 10)
        self.ks = tuple(k for k in _KS if k <= min(max_clusters, rows - self.n_queries))
        if len(self.ks) < 3:
            raise invalid("max_clusters", f"at least {_KS[2]}", max_clusters)
        fewer = [d for d in _DS if d < columns]
        ds = (*fewer, columns) if self.own is not None else tuple(_DS)
        menu = ("uniform", "patches") if X is None else (OWN, "uniform")
        # the question is about a state that is not on the screen yet
        self.asked = ("patches" if X is None else "uniform", ds[-1])
        controls = [
            choice("data", "Data", "What points and centroids are drawn from", menu, menu[0]),
            choice("index", "Index", "What searches among the centroids", _INDEXES, "kd_tree"),
            choice(
                "cost",
                "Count",
                "Distances are the same everywhere; seconds are measured on this machine",
                ("distances", "seconds"),
                "distances",
            ),
            ladder(
                "d",
                "Dimensions d",
                "Features of a point (the main axes of patches come first)",
                ds,
                4 if self.own is None else ds[-1],
            ),
            ladder(
                "k",
                "Centroids k",
                "How many centroids the index holds",
                self.ks,
                10,
            ),
            ladder(
                "n",
                "Points n",
                "How many points ask, so how often one build is used",
                _NS,
                100_000,
            ),
        ]
        super().__init__(controls, predict=ask(predict, {"k": self._question}))

    def _question(self) -> Prediction:
        data, d = self.asked
        what = "image patches" if data == "patches" else "uniform points"
        return Prediction(
            f"Choose before you look: with {what} of {d} dimensions, from how many "
            "centroids on does the kd_tree save at least a tenth of the distances?",
            (*(f"k = {k:,}" for k in self.ks), "never"),
            truth=self._truth,
        )

    def _truth(self, result: list[Cost]) -> str:
        data, d = self.asked
        costs = self.compute(Job(), data=data, index="kd_tree", cost="distances", d=d)
        k = break_even(costs, 1, False)
        return "never" if k is None else f"k = {k:,}"

    def compute(self, job: Job, *, data: str, index: str, cost: str, d: int) -> list[Cost]:
        own = self.own if data == OWN else None
        rows = cube_or_patches(data, _ROWS) if own is None else own
        rows, mark = np.ascontiguousarray(rows[:, :d]), "" if own is None else self.mark
        found = []
        for place, k in enumerate(self.ks):
            job.report(place, len(self.ks), f"k = {k:,}")
            key = (data, mark, index, d, k, self.n_queries, cost == "seconds")
            found.append(_known.get(key, self._cost, rows, index, k, cost == "seconds"))
        return found

    def _cost(self, rows: np.ndarray, name: str, k: int, seconds: bool) -> Cost:
        asked, centroids = rows[: self.n_queries], rows[self.n_queries : self.n_queries + k]
        params = _PARAMS.get(name, {})
        index = make_index(name, **params).fit(centroids)
        labels = index.kneighbors(asked, 1)[1].ravel()
        best = paired_sq(asked, centroids, nearest(asked, centroids))
        right = paired_sq(asked, centroids, labels) <= best * (1 + 1e-9) + 1e-300
        counted, recall = index.n_distances_ / len(asked), float(right.mean())
        if not seconds:
            return Cost(k, counted, recall)
        # float32, which is what a fast clustering uses; counting would cost time
        crowd = np.tile(asked, (-(-_TIMED // len(asked)), 1))[:_TIMED].astype(np.float32)
        small = centroids.astype(np.float32)
        plain = {key: value for key, value in params.items() if key != "count_distances"}
        with CLOCK:
            nearest(crowd, small)
            build_s, _, built = timed(lambda: make_index(name, **plain).fit(small))
            built.kneighbors(crowd[:50], 1)
            # in turns, and the quickest counts: other load only ever slows down
            pairs = [
                (
                    timed(lambda: nearest(crowd, small))[0],
                    timed(lambda: built.kneighbors(crowd, 1))[0],
                )
                for _ in range(3)
            ]
        exact_s, index_s = (float(quickest) / len(crowd) for quickest in np.min(pairs, axis=0))
        return Cost(k, counted, recall, exact_s, build_s, index_s)

    def sentence(
        self,
        result: list[Cost],
        frame: int,
        *,
        index: str,
        cost: str,
        k: int,
        n: int,
        **values: object,
    ) -> str:
        seconds = cost == "seconds"
        here = result[self.ks.index(k)]
        exact, build, search = here.totals(n, seconds)
        first = break_even(result, n, seconds)
        pays = "it never pays" if first is None else f"it pays from k = {first:,} on"
        if seconds:
            told = (
                f"{three(exact)} s without an index, {three(build + search)} s with {index} "
                f"({three(build)} s of it to build)"
            )
        else:
            told = f"{three(here.distances)} of {k:,} distances a point with {index}"
        percent = three(100 * here.ratio(n, seconds))
        return (
            f"k = {k:,}, d = {values['d']}, {values['data']}: {told}, recall {share(here.recall)}; "
            f"{pays}. For n = {n:,} points: {percent}% of the {cost} of comparing with all."
        )

    def draw(
        self,
        figure: Figure,
        result: list[Cost],
        frame: int,
        *,
        index: str,
        cost: str,
        k: int,
        n: int,
        **values: object,
    ) -> None:
        left, right = figure.subplots(1, 2, width_ratios=(1.75, 1))
        title = f"{index}, d = {values['d']}, {values['data']}"
        self._draw_curves(left, result, n, k, cost == "seconds", index, title)
        self._draw_totals(right, result[self.ks.index(k)], n, cost == "seconds", index)

    def _draw_curves(
        self, axes: Axes, result: list[Cost], n: int, k: int, seconds: bool, index: str, title: str
    ) -> None:
        totals = [one.totals(n, seconds) for one in result]
        scale = 1e6 / n if seconds else 1.0 / n
        exact = [a * scale for a, _, _ in totals]
        with_index = [(b + c) * scale for _, b, c in totals]
        unit = "microseconds" if seconds else "distances"
        chart(axes, "centroids k", f"{unit} a point", title)
        axes.set(xscale="log", yscale="log")
        cheaper = np.array(with_index) < np.array(exact)
        look: dict[str, Any] = {"color": PALETTE[2], "alpha": 0.18, "linewidth": 0}
        axes.fill_between(self.ks, with_index, exact, where=cheaper, interpolate=True, **look)
        curve(axes, self.ks, exact, INK, "s", label="all compared")
        curve(axes, self.ks, with_index, PALETTE[0], width=2.4, size=8, label=index)
        axes.set_xticks(self.ks, [f"{one:,}" for one in self.ks])
        axes.minorticks_off()
        if not seconds:
            axes.set_ylim(2, 2 * self.ks[-1])
        axes.axvline(k, color=QUIET, linewidth=1.2, linestyle=":")
        first = break_even(result, n, seconds)
        if first is not None:
            here = with_index[self.ks.index(first)]
            chosen(axes, first, here, label=f"pays from k = {first:,}")
        legend(axes, "lower right")

    def _draw_totals(self, axes: Axes, here: Cost, n: int, seconds: bool, index: str) -> None:
        a, b, c = here.totals(n, seconds)
        unit = "seconds" if seconds else "distances"
        chart(axes, f"{unit} in all", "", f"k = {here.k:,}, n = {n:,}")
        axes.grid(False, axis="y")
        axes.barh([1], [a], color="#8c8c8c", height=0.5)
        axes.barh([0], [b], color=PALETTE[1], height=0.5, hatch="//", edgecolor=INK, linewidth=0)
        axes.barh([0], [c], left=[b], color=PALETTE[0], height=0.5)
        axes.set_yticks([0, 1], [index, "all"])
        axes.set_ylim(-0.7, 1.7)
        most = max(a, b + c)
        axes.set_xlim(0, 1.6 * most)
        axes.set_xticks([0, most], ["0", _short(most)])
        write(axes, a, 1, f" {_short(a)}", "left center")
        write(axes, b + c, 0, f" {_short(b + c)}", "left center")
        if seconds:
            write(axes, 0, -0.55, "hatched: build", "left center", color=QUIET)


def _short(value: float) -> str:
    """Write a large count with a word."""
    for size, word in ((1e9, "billion"), (1e6, "million")):
        if value >= size:
            return f"{three(value / size)} {word}"
    return three(value)


def break_even_explorer(
    X: ArrayLike | None = None, *, max_clusters: int = 3200, predict: Predict = None
) -> BreakEvenExplorer:
    """Find the number of centroids from which an index beats full comparison.

    The left chart shows the cost of one point against k, with the index and without; the right
    one the cost of assigning n points at the chosen k. Costs are distance computations or, on
    demand, seconds measured on this machine. An index "pays" from the smallest k on from which it
    saves at least a tenth.

    Parameters
    ----------
    X : array-like of shape (n, d), optional
        Your own data, rotated onto its principal axes, instead of image patches. A few rows are
        queries, the others serve as centroids.
    max_clusters : int, default=3200
        Largest k.
    predict : "k" or Prediction, optional
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
    Centroids are rows of the data, as at the start of k-means. Building an index costs seconds
    but no counted distances. Times of 1,000 float32 points are scaled to n; a measurement is kept
    for the life of the process.

    Examples
    --------
    >>> from annlab import widgets
    >>> explorer = widgets.break_even_explorer(max_clusters=320)
    >>> explorer  # doctest: +ELLIPSIS
    k = 10, d = 4, uniform: 10 of 10 distances a point with kd_tree, recall 1; it pays from ...
    >>> explorer.set(k=320).values["k"]
    320
    """
    return BreakEvenExplorer(X, max_clusters=max_clusters, predict=predict)


def example() -> BreakEvenExplorer:
    """Make a small explorer for the tests."""
    return break_even_explorer(max_clusters=100, predict="k")

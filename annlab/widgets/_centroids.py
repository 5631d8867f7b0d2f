"""Place the start of k-means, then step through it and see where it ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import ipywidgets
import numpy as np

from annlab._support.checks import check_integer, check_random_state
from annlab._support.types import Seed
from annlab.datasets import make_blobs
from annlab.lloyd import kmeans
from annlab.result import KMeansResult
from annlab.widgets.base import (
    Job,
    Prediction,
    Store,
    cluster_color,
    cluster_marker,
    switch,
    three,
)
from annlab.widgets.base.canvas import CanvasExplorer, check_handles, check_plane, handle_control
from annlab.widgets.base.scene import (
    Part,
    cluster_points,
    handles,
    panel,
    path,
    points,
    segments,
    square_bounds,
    texts,
)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

#: As many clusters as the palette has colours.
_MOST = 8
#: With more points, the hundred runs for a new number of clusters would take too long.
_MOST_POINTS = 600
#: Random starts that show where k-means can end.
_STARTS = 100
#: Buttons for a start: name of the method, label, tooltip.
_BEGINS = {
    "random_start": ("Random start", "Put the centroids on points drawn at random"),
    "plus_start": ("k-means++ start", "Put the centroids where k-means++ begins"),
    "worst_start": ("Worst of 100", "The worst of 100 random starts"),
}
#: Relative differences of inertia below which two runs end alike, and share a bar.
_SAME, _NEAR = 1e-3, 0.03
_BLUE, _GREEN, _ORANGE = "#0072B2", "#009E73", "#D55E00"


@dataclass(frozen=True)
class Ends:
    """Final inertias of many random starts for one number of clusters."""

    #: final inertia of each start, ascending, (100,) float64
    inertias: np.ndarray
    #: (inertia, how many starts end near it), ascending
    places: tuple[tuple[float, int], ...]
    worst_start: np.ndarray
    #: iterations of the longest run
    longest: int
    #: the run from a k-means++ start
    reply: KMeansResult


@dataclass(frozen=True)
class Run:
    """k-means from the reader's start, and its references."""

    run: KMeansResult
    ends: Ends


class CentroidCanvas(CanvasExplorer):
    """The explorer that `centroid_canvas` makes."""

    name = "centroid_canvas"
    title = "Where you start decides where k-means ends"
    size = (840, 464)
    replay = True
    frame_word = "step"
    hint = (
        "Mouse: drag a centroid, click free ground to add one, double-click one to remove it. "
        "Keys: Tab selects, arrows move (with Shift faster), Enter adds, Delete removes."
    )

    def __init__(
        self,
        X: np.ndarray,
        start: np.ndarray | None,
        n_clusters: int,
        random_state: Seed,
        predict: Prediction | None,
    ) -> None:
        self.X = X
        self._rng = check_random_state(random_state)
        self._seed = int(self._rng.randint(2**31 - 1))
        self._known = Store(_MOST)
        self._rect = (2, 34, 470, 424)
        self._bounds = square_bounds(X, self._rect)
        self._highest = float(kmeans(X, 1, n_jobs=1).inertia)
        first = self._random_start(n_clusters) if start is None else start
        x0, x1, y0, y1 = self._bounds
        places = [[x0, y0], [x0, y1], [x1, y0], [x1, y1]]
        places += [[(x0 + x1) / 2 + i * (x1 - x0) / 50, (y0 + y1) / 2] for i in range(4)]
        most = min(_MOST, len(X))
        trials = [places[:1], places[:most], X[: min(most, 3)].tolist()]
        reply = switch(
            "reply",
            "Show k-means++'s reply",
            "Draw the run that k-means++ makes with as many centroids",
        )
        centroids = handle_control("centroids", first, 1, most, trials)
        super().__init__(centroids, [reply], predict=predict)

    def _build_parts(self) -> None:
        super()._build_parts()
        for key, (label, tip) in _BEGINS.items():
            self._add_button(key, label, tip)

    def _widget_rows(self) -> dict[str, list[ipywidgets.DOMWidget]]:
        rows = super()._widget_rows()
        rows["controls"][:0] = [self.buttons[key] for key in _BEGINS]
        return rows

    # -- starts --------------------------------------------------------------------------------

    def _random_start(self, n_clusters: int) -> np.ndarray:
        options: dict[str, Any] = {"init": "random", "random_state": self._rng}
        return kmeans(self.X, n_clusters, 1, trace=True, n_jobs=1, **options).trace[0].centroids

    def random_start(self) -> Self:
        """Put the centroids on points drawn at random."""
        return self._begin(self._random_start(len(self._values["centroids"])))

    def plus_start(self) -> Self:
        """Put the centroids where k-means++ begins."""
        return self._begin(self.result.ends.reply.trace[0].centroids)

    def worst_start(self) -> Self:
        """Put the centroids where the worst of 100 random starts begins."""
        return self._begin(self.result.ends.worst_start)

    def _begin(self, start: np.ndarray) -> Self:
        places = check_handles(start, "centroids", 1, _MOST)
        with self._lock:
            self._pause()
            self._apply(self._values | {"centroids": places}, 0)
        return self

    # -- the explorer --------------------------------------------------------------------------

    def _fit(self, n_clusters: int, random_state: Seed = None, **init: Any) -> KMeansResult:
        options: dict[str, Any] = {"tol": 0.0, "trace": True, "n_jobs": 1, **init}
        return kmeans(self.X, n_clusters, random_state=random_state, **options)

    def _ends(self, n_clusters: int) -> Ends:
        rng = np.random.RandomState(self._seed)
        runs = [self._fit(n_clusters, rng, init="random") for _ in range(_STARTS)]
        runs.sort(key=lambda run: run.inertia)
        reply = self._fit(n_clusters, self._seed)
        places: Counter[float] = Counter()
        place = -np.inf
        for run in runs:
            if run.inertia > place * (1 + _NEAR):
                place = run.inertia
            places[place] += 1
        return Ends(
            np.array([run.inertia for run in runs]),
            tuple(places.items()),
            runs[-1].trace[0].centroids,
            max(run.n_iter for run in [*runs, reply]),
            reply,
        )

    def compute(self, job: Job, centroids: list[list[float]]) -> Run:
        k = len(centroids)
        return Run(self._fit(k, init=np.array(centroids)), self._known.get(k, self._ends, k))

    def frame_count(self, result: Run) -> int:
        return len(result.run.trace)

    def sentence(self, result: Run, frame: int, **values: Any) -> str:
        trace, best = result.run.trace, result.ends.inertias[0]
        step, k = trace[frame], result.run.n_clusters
        last = len(trace) - 1
        text = f"step {frame} of {last}, inertia {three(step.inertia)}"
        if frame == 0:
            text += f", {k} centroid{'s' * (k != 1)} where you put them"
        else:
            text += f", {step.n_moved:,} point{'s' * (step.n_moved != 1)} moved"
        if trace[max(frame - 1, 0)].n_empty and frame:
            text += ", an empty cluster was re-seeded"
        if values.get("reply"):
            text += f", k-means++ ends at {three(result.ends.reply.inertia)}"
        if frame < last:
            return text + "."
        lower = int(np.sum(result.ends.inertias < step.inertia * (1 - _SAME)))
        higher = int(np.sum(result.ends.inertias > step.inertia * (1 + _SAME)))
        if not lower:
            return (
                f"{text}: the end, and none of {_STARTS} random starts ends lower; "
                f"{higher} end higher."
            )
        return (
            f"{text}: the end, {three(step.inertia / best)} × the best of {_STARTS} random starts; "
            f"{lower} of them end lower, {higher} higher."
        )

    def scene(self, result: Run, frame: int, **values: Any) -> Part:
        trace, reply = result.run.trace, result.ends.reply
        step, k = trace[frame], result.run.n_clusters
        colors = [cluster_color(c) for c in range(k)]
        markers = [cluster_marker(c) for c in range(k)]
        layers = [cluster_points(self.X, step.labels)]
        walked = np.stack([trace[i].centroids for i in range(frame + 1)])
        layers += [path(walked[:, c], color=colors[c], width=2.0) for c in range(k)]
        if values["reply"]:
            layers.append(
                points(reply.centroids, color="ink", marker="D", size=10, width=2.2, hollow=True)
            )
        moves = np.hstack([step.centroids, step.new_centroids])
        far = np.abs(moves[:, :2] - moves[:, 2:]).sum(axis=1) > 0
        layers.append(segments(moves[far], color="ink", width=2.0, arrow=True))
        plane = panel(
            self._rect,
            self._bounds,
            layers,
            title="Colour: the nearest centroid. Arrow: to the mean.",
        )
        return {
            "panels": [plane, *self._curves(result, frame, values["reply"])],
            "handles": handles(
                step.centroids,
                name="centroid",
                color=colors,
                marker=markers,
                size=13,
                text=[str(c + 1) for c in range(k)],
                low=1,
                high=min(_MOST, len(self.X)),
                adds=True,
                removes=True,
            ),
        }

    def _curves(self, result: Run, frame: int, with_reply: bool) -> list[Part]:
        ends, trace = result.ends, result.run.trace
        steps = 5 * int(np.ceil((max(ends.longest, len(trace)) - 1) / 5)) or 5
        best = ends.inertias[0]
        # inertias of good and bad starts differ by factors: a logarithmic axis, with fixed ends
        top = max(self._highest, ends.inertias[-1], best * 2) * 1.6
        low, high = np.log10(max(best, top * 1e-6) * 0.85), np.log10(top)

        def height(inertia: float) -> float:
            return float(np.clip(np.log10(max(inertia, 1e-300)), low, high))

        decades = range(int(np.floor(low)), int(np.ceil(high)) + 1)
        marks = [digit * 10.0**power for power in decades for digit in (1, 2, 5)]
        ticks = [(float(np.log10(m)), three(m)) for m in marks if low <= np.log10(m) <= high]
        mine = np.array([(i, height(trace[i].inertia)) for i in range(frame + 1)])
        layers = []
        if with_reply:
            theirs = np.array([(i, height(s.inertia)) for i, s in enumerate(ends.reply.trace)])
            layers.append(path(theirs, color=_ORANGE, width=2.2, dash=(6, 4)))
            layers.append(points(theirs, color=_ORANGE, marker="D", size=3.5))
        layers += [path(mine, color=_BLUE, width=2.5), points(mine, color=_BLUE, size=4)]
        layers.append(points(mine[-1:], color=_BLUE, size=7, edge="ink", width=1.5))
        if with_reply:
            end = theirs[-1:] * [0, 1] + [steps, 0]
            layers.append(texts(end, ["k-means++"], color=_ORANGE, align="right", dy=15))
        chart = panel(
            (540, 34, 178, 374),
            (-0.4, steps + 0.4, low, high),
            layers,
            title="Inertia, step by step",
            axes=True,
            grid=True,
            xlabel="step",
            xticks=[(0, "0"), (steps, str(steps))],
            yticks=ticks,
        )
        return [chart, self._ends_panel(ends, height, mine[-1][1], (low, high))]

    def _ends_panel(
        self,
        ends: Ends,
        height: Callable[[float], float],
        mine: float,
        limits: tuple[float, float],
    ) -> Part:
        """Draw the histogram of final inertias, and the reader's run in it."""
        most = max(count for _, count in ends.places)
        # a bar of one start of a hundred must still be seen
        lengths = [max(count / most, 0.06) for _, count in ends.places]
        heights = [height(inertia) for inertia, _ in ends.places]
        bars = [[0.0, y, length, y] for length, y in zip(lengths, heights, strict=True)]
        shown = sorted({0, len(bars) - 1})
        notes = [texts([bars[i][2:]], [str(ends.places[i][1])], dx=6) for i in shown]
        line = segments([[0.0, mine, 1.5, mine]], color=_BLUE, width=1.5, dash=(4, 3))
        return panel(
            (736, 34, 100, 374),
            (0.0, 1.5, *limits),
            [segments(bars, color=_GREEN, width=7), line, *notes],
            title=f"{_STARTS} starts",
            axes=True,
            xlabel="end here",
        )


def centroid_canvas(
    X: ArrayLike | None = None,
    n_clusters: int = 5,
    *,
    start: ArrayLike | None = None,
    random_state: Seed = 0,
    predict: Prediction | None = None,
) -> CentroidCanvas:
    """Drag, add and remove start centroids, then step through Lloyd's algorithm.

    Parameters
    ----------
    X : array-like of shape (n, 2), optional
        At most 600 points of a plane; five groups of points by default.
    n_clusters : int, default=5
        Centroids to begin with, 1 to 8.
    start : array-like of shape (n_clusters, 2), optional
        Where they begin, instead of ``n_clusters`` points drawn at random.
    random_state : int, RandomState, Generator or None, default=0
        Draws the starts.
    predict : Prediction, optional

    Returns
    -------
    Explorer
        Each frame is one step of `annlab.kmeans`. Beside the points: the inertia of each step,
        and where 100 random starts end.

    Raises
    ------
    TypeError, ValueError
    MissingExtraError
        If anywidget is not installed.

    Notes
    -----
    One run of k-means for each position of the mouse, a few milliseconds, and 101 runs for each
    new number of centroids.

    Examples
    --------
    >>> from annlab import widgets
    >>> canvas = widgets.centroid_canvas(n_clusters=3)
    >>> canvas.step().frame
    1
    """
    if X is None:
        X = five_groups()
    X = check_plane(X, most=_MOST_POINTS)
    if start is not None:
        start = np.array(check_handles(start, "start", 1, min(_MOST, len(X))))
        n_clusters = len(start)
    n_clusters = check_integer(n_clusters, "n_clusters", maximum=min(_MOST, len(X)))
    return CentroidCanvas(X, start, n_clusters, random_state, predict)


def five_groups() -> np.ndarray:
    """Make two pairs of near groups and a single one, with many bad starts."""
    centers = [[0.0, 0.0], [2.6, 0.4], [9.0, 5.5], [8.6, 8.2], [1.2, 7.4]]
    return make_blobs(300, centers=centers, cluster_std=0.55, random_state=4, dtype=np.float64).X


def example() -> CentroidCanvas:
    """Make a small explorer for the tests."""
    return centroid_canvas(five_groups()[:60], 3)

"""Maps of data of many features: PCA, t-SNE and UMAP side by side, and how far to trust each."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from annlab._support.checks import check_choice, check_data, check_integer, check_random_state
from annlab._support.errors import MissingExtraError, invalid
from annlab.datasets import load_digits_data, load_patches, make_blobs, make_uniform_cube
from annlab.lloyd import kmeans
from annlab.metrics import check_labels, evaluate_clustering, trustworthiness
from annlab.plotting import visualize_clusters
from annlab.widgets.base import (
    ALARM,
    INK,
    PALETTE,
    PAPER,
    QUIET,
    Explorer,
    Job,
    Prediction,
    choice,
    ladder,
    number,
    scatter_clusters,
    share,
    slider,
)

#: Points of the built-in sets, and rows kept of data that is given: t-SNE of so few takes about
#: half a second in the plane.
_POINTS, _MOST, _FEWEST = 200, 400, 20
#: Neighbours of the point that is followed.
_NEAREST = 10
#: name -> clusters of k-means
_SETS = {
    "digits": 10,
    "patches": 5,
    "blobs, one far away": 4,
    "uniform noise": 5,
    "Gaussian noise": 5,
}
_PERPLEXITIES = (2, 5, 10, 30, 50, 80)
_NEIGHBORS = (5, 10, 15, 30, 60)
#: Of controls, in CSS pixels, so that they fill few rows.
_WIDTHS = {"perplexity": 290, "neighbors": 290, "seed": 100, "follow": 300, "dims": 165}
#: What the third map can be.
_THIRD = ("t-SNE, random start", "UMAP")
_COLORS = ("k-means in the data", "true groups")
#: Corners of a box, and the pairs that its edges join.
_CORNERS = np.array([(x, y, z) for x in (0, 1) for y in (0, 1) for z in (0, 1)])
_EDGES = np.array([(a, b) for a in range(8) for b in range(a) if (a ^ b).bit_count() == 1])
#: Places in CSS pixels: of the maps, of the bars (top and bottom), of the followed point's tiles.
_LEFTS, _TOP, _SIDE = (8, 287, 567), 32, 265
_BARS, _TILES = (352, 494), (640, 352, 192)
_SQUARE = np.array([(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)])
#: Area and opacity of points by depth; 0 is a plane. Far ones come first, smaller and paler:
#: three layers are enough for the eye.
_DEPTHS = {0: (18.0, 0.8), 1: (10.0, 0.45), 2: (15.0, 0.65), 3: (22.0, 0.9)}
#: One map at a time: t-SNE limits the threads of the whole process while it runs, and two that
#: overlap would put back each other's limits.
_turn = threading.Lock()


@dataclass(frozen=True, eq=False)
class Cloud:
    """Points to be mapped; compared by identity, so that maps of them can be kept.

    Attributes
    ----------
    X : ndarray of shape (n, d), float64
    truth : ndarray of shape (n,), int, or None
        True groups, where there are any.
    labels : ndarray of shape (n,), int
        Clusters of k-means in the data.
    silhouette : float
        Of these clusters.
    nearest : ndarray of shape (n, m), int
        Nearest other points of each.
    tile : tuple of int or None
        Shape of the picture that a row is.
    """

    X: np.ndarray
    truth: np.ndarray | None
    n_clusters: int
    labels: np.ndarray
    silhouette: float
    nearest: np.ndarray
    tile: tuple[int, ...] | None = None


@dataclass(frozen=True, eq=False)
class View:
    """One map, and what was measured on it.

    Attributes
    ----------
    name : str
    Y : ndarray of shape (n, 2 or 3)
        Coordinates, centred, and at most 1 away from the middle.
    trust : float
        Trustworthiness: 1 where the map shows no false neighbour.
    silhouette : float
        Of k-means carried out on the map.
    nearest : ndarray of shape (n, m), int
        Nearest other points of each on the map.
    """

    name: str
    Y: np.ndarray
    trust: float
    silhouette: float
    nearest: np.ndarray


@dataclass(frozen=True, eq=False)
class Maps:
    """What the three pictures show; the third may be missing, and then says why."""

    cloud: Cloud
    views: tuple[View, ...]
    missing: str = ""


def _nearest(X: np.ndarray) -> np.ndarray:
    from annlab.indexes import make_index

    m = min(_NEAREST, len(X) - 2)
    ids = make_index("brute").fit(X).kneighbors(X, m + 1)[1]
    # a point is its own neighbour, though not always the first one among duplicates
    return np.array([[j for j in row if j != i][:m] for i, row in enumerate(ids)])


def _clustered(X: np.ndarray, n_clusters: int) -> tuple[np.ndarray, float]:
    """Labels of k-means and their silhouette."""
    labels = kmeans(X, n_clusters, n_init=4, random_state=0, n_jobs=1).labels
    return labels, evaluate_clustering(X, labels, n_jobs=1).silhouette


def _cloud_of(X: np.ndarray, truth: Any, n_clusters: int, tile: Any = None) -> Cloud:
    labels, silhouette = _clustered(X, n_clusters)
    return Cloud(X, truth, n_clusters, labels, silhouette, _nearest(X), tile)


@lru_cache(maxsize=16)
def _built_in(name: str, n: int) -> Cloud:
    rng = check_random_state(0)
    truth: np.ndarray | None = None
    tile: tuple[int, ...] | None = None
    if name == "digits":
        digits = load_digits_data()
        assert digits.labels is not None
        X, truth, tile = digits.X[:n], np.asarray(digits.labels[:n]), (8, 8)
    elif name == "patches":
        X, tile = load_patches(n, 8, random_state=0), (8, 8, 3)
    elif name == "uniform noise":
        X = make_uniform_cube(n, 50, random_state=0)
    elif name == "Gaussian noise":
        X = rng.normal(size=(n, 50))
    else:
        X, truth = make_blobs(n, 4, 20, separation=8, random_state=0)
        # along the line from the middle of the others, to ten times the distance
        own = X[truth == 3].mean(axis=0) - X[truth != 3].mean(axis=0)
        X = X + 9 * own * (truth == 3)[:, None]
    return _cloud_of(np.asarray(X, dtype=np.float64), truth, _SETS[name], tile)


@lru_cache(maxsize=96)
def _mapped(cloud: Cloud, method: str, n_components: int, value: int, seed: int) -> View:
    from matplotlib.figure import Figure

    axes = Figure().add_subplot(projection="3d" if n_components == 3 else None)
    kind, name = "pca", "PCA"
    params: dict[str, Any] = {}
    if method == "UMAP":
        kind, name, params = "umap", f"UMAP, {value} neighbours", {"n_neighbors": value}
    elif method != "PCA":
        start = "random" if method in _THIRD else "pca"
        kind, name = "tsne", "random-start t-SNE" if start == "random" else "t-SNE"
        params = {"perplexity": float(value), "init": start}
    Y = visualize_clusters(
        cloud.X,
        cloud.labels,
        n_components,
        kind,
        ax=axes,
        legend=False,
        method_params=params | {"random_state": seed},
    ).embedding
    Y = np.asarray(Y, dtype=np.float64)
    Y = Y - (Y.max(axis=0) + Y.min(axis=0)) / 2
    # a box in space by its diagonal: it must not leave the frame from whatever side one looks
    reach = np.abs(Y).max(axis=0)
    Y /= max(float(np.linalg.norm(reach) if n_components == 3 else reach.max()), 1e-12)
    return View(
        name,
        Y,
        trustworthiness(cloud.X, Y),
        _clustered(Y, cloud.n_clusters)[1],
        _nearest(Y),
    )


def _patiently(job: Job, done: int, total: int, text: str, work: Callable[[], View]) -> View:
    """Work in a thread of its own, so that Stop need not wait until a map is finished."""
    answer: Future[View] = Future()

    def run() -> None:
        try:
            with _turn:
                value = work()
        except BaseException as reason:
            answer.set_exception(reason)
        else:
            answer.set_result(value)

    job.report(done, total, text)
    threading.Thread(target=run, daemon=True).start()
    while True:
        try:
            # what was stopped runs on unseen, and is kept for the next time
            return answer.result(timeout=0.05)
        except NotYet:
            job.report(done, total, text)


def _turned(Y: np.ndarray, azimuth: float, elevation: float) -> tuple[np.ndarray, np.ndarray]:
    """What the eye sees from a direction, without perspective, and how near each point is."""
    if Y.shape[1] == 2:
        return Y, np.zeros(len(Y))
    a, e = np.radians((azimuth, elevation))
    right = np.array([-np.sin(a), np.cos(a), 0.0])
    toward = np.array([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)])
    return Y @ np.column_stack([right, np.cross(toward, right)]), Y @ toward


def _folded(name: str) -> str:
    """A long name on two lines."""
    return name.replace(", ", ",\n").replace("start ", "start\n")


def _draw_lines(axes: Any, lines: Any, **style: Any) -> None:
    """Many lines as one artist, which is much faster."""
    from matplotlib.collections import LineCollection

    axes.add_collection(LineCollection(lines, **style), autolim=False)


class EmbeddingExplorer(Explorer):
    """The explorer that `embedding_explorer` makes."""

    name = "embedding_explorer"
    title = "One cloud of points, three maps of it: which would you believe?"
    size = (840, 525)
    slow = True

    def __init__(
        self,
        X: Any,
        labels: Any,
        *,
        n_clusters: int,
        tile: Any,
        n_points: int,
        n_components: int,
        predict: Any,
    ) -> None:
        check_integer(n_components, "n_components", minimum=2, maximum=3)
        self.n = check_integer(n_points, "n_points", minimum=60, maximum=_MOST)
        check_integer(n_clusters, "n_clusters", minimum=2, maximum=10)
        self.own: dict[str, Cloud] = {}
        menu: tuple[str, ...] = tuple(_SETS)
        d, k = 50, max(_SETS.values())
        if X is None:
            if labels is not None or tile is not None:
                raise invalid("labels and tile", "given with X only", "one of them without X")
        else:
            self._take_own(check_data(X, min_rows=_FEWEST), labels, n_clusters, tile)
            menu = tuple(self.own)
            k, d = n_clusters, self.own[menu[0]].X.shape[1]
            if d < n_components:
                raise invalid("X", f"of at least {n_components} features", d)
        if isinstance(predict, str):
            check_choice(predict, "predict", ("kept",))
            predict = Prediction(
                f"Of the {_NEAREST} points nearest to a point, how many are still among its "
                f"{_NEAREST} nearest on the t-SNE map, on average?",
                truth=self._truth,
                unit=f"of {_NEAREST}",
            )
        # t-SNE needs perplexities well below the number of points
        perplexities = [p for p in _PERPLEXITIES if 3 * p < self.n]
        neighbors = [m for m in _NEIGHBORS if 3 * m < self.n] or [5]
        neighbors += [self.n // 2] if len(neighbors) < 2 else []
        asked = max(p for p in perplexities if p <= 30)
        known = not self.own or next(iter(self.own.values())).truth is not None
        groups = k if not known or not self.own else max(k, self._n_groups)
        controls = [
            choice("data", "Data", "Points to map; noise has no groups", menu, menu[0]),
            choice(
                "third",
                "Third map",
                "What stands beside PCA and t-SNE; UMAP takes seconds to start up, once",
                _THIRD,
                _THIRD[0],
            ),
            number("seed", "Seed", "Of the random start, and of UMAP", 0, 9, 0),
            ladder(
                "perplexity",
                "t-SNE perplexity",
                "About how many neighbours each point tries to keep on both maps of t-SNE",
                perplexities,
                asked,
            ),
            ladder(
                "neighbors",
                "UMAP neighbours",
                "How many neighbours each point tries to keep on the map of UMAP",
                neighbors,
                max(m for m in neighbors if m <= 15),
            ),
        ]
        if d > 2:
            controls.insert(
                3,
                choice(
                    "dims",
                    "Dimensions",
                    "Of the maps",
                    {"2-D": 2, "3-D": 3},
                    n_components,
                ),
            )
        if known:
            controls.append(
                choice("color", "Colour by", "Whose groups", _COLORS, _COLORS[0], recompute=False)
            )
        controls += [
            choice(
                "highlight",
                "Highlight group",
                "Only this group keeps its colour, on all maps at once",
                ("all", *(str(group) for group in range(groups))),
                "all",
                recompute=False,
            ),
            slider(
                "follow",
                "Follow point",
                "Star on this point, rings on its nearest in the data, on all maps; 0 for none",
                0,
                self.n,
                0,
                recompute=False,
            ),
        ]
        if d > 2:
            controls += [
                slider(
                    "azimuth",
                    "Azimuth",
                    "Walk around the 3-D maps, in degrees",
                    -180,
                    180,
                    -60,
                    step=5,
                    recompute=False,
                ),
                slider(
                    "elevation",
                    "Elevation",
                    "Look at the 3-D maps from above, in degrees",
                    -90,
                    90,
                    25,
                    step=5,
                    recompute=False,
                ),
            ]
        super().__init__(controls, predict=predict)
        for name, width in _WIDTHS.items():
            if name in self.controls:
                self.controls[name].widget.layout.width = f"{width}px"

    def _take_own(self, rows: np.ndarray, labels: Any, n_clusters: int, tile: Any) -> None:
        rows = rows.astype(np.float64)
        truth = None if labels is None else check_labels(labels, "labels", len(rows))
        step = -(-len(rows) // _MOST)
        rows, truth = rows[::step], None if truth is None else truth[::step]
        if rows.shape[1] < 2:
            raise invalid("X", "of at least 2 features", rows.shape[1], "Draw a histogram.")
        if tile is not None and int(np.prod(tile)) != rows.shape[1]:
            raise invalid("tile", f"the shape of a picture of {rows.shape[1]} numbers", tile)
        rng = check_random_state(0)
        # each column keeps its values and loses its company
        alone = np.column_stack([rng.permutation(column) for column in rows.T])
        for name, X in (("X", rows), ("X with shuffled columns", alone)):
            different = len(np.unique(X, axis=0))
            if different < max(_FEWEST, 2 * n_clusters):
                raise invalid(
                    name, f"of at least {max(_FEWEST, 2 * n_clusters)} different rows", different
                )
        if truth is not None:
            # numbered from 0, outliers −1
            names, truth = np.unique(np.maximum(truth, -1), return_inverse=True)
            truth = truth - int(names[0] < 0)
            self._n_groups = int(truth.max()) + 1
        self.n = len(rows)
        shape = None if tile is None else tuple(tile)
        self.own = {
            "your data": _cloud_of(rows, truth, n_clusters, shape),
            "your data, shuffled": _cloud_of(alone, None, n_clusters, shape),
        }

    def _cloud(self, data: str) -> Cloud:
        return self.own[data] if data in self.own else _built_in(data, self.n)

    def _truth(self, result: Maps) -> float:
        cloud, view = result.cloud, result.views[1]
        rows = range(len(cloud.X))
        return round(float(np.mean([self._kept(cloud, view, row) for row in rows])), 1)

    def _map(
        self, job: Job, done: int, total: int, cloud: Cloud, method: str, *settings: int
    ) -> View:
        text = f"{method} starts up" if method == "UMAP" and "umap" not in sys.modules else method
        return _patiently(job, done, total, text, lambda: _mapped(cloud, method, *settings))

    def compute(
        self,
        job: Job,
        *,
        data: str,
        third: str,
        seed: int,
        perplexity: int,
        neighbors: int,
        dims: int = 2,
    ) -> Maps:
        cloud, missing = self._cloud(data), ""
        # the seed changes neither PCA nor a t-SNE that PCA starts: one map of each is enough
        views = [
            self._map(job, 0, 3, cloud, "PCA", dims, 0, 0),
            self._map(job, 1, 3, cloud, "t-SNE", dims, perplexity, 0),
        ]
        value = neighbors if third == "UMAP" else perplexity
        try:
            views.append(self._map(job, 2, 3, cloud, third, dims, value, seed))
        except MissingExtraError:
            missing = 'UMAP is not installed. Install it with: pip install "annlab[lab]"'
        return Maps(cloud, tuple(views), missing)

    def present(self, result: Any, frame: int, **values: Any) -> None:
        super().present(result, frame, **values)
        # what has no effect now takes no room
        idle = {"neighbors": values["third"] != "UMAP"}
        if "dims" in self.controls:
            idle |= dict.fromkeys(("azimuth", "elevation"), values["dims"] == 2)
        for name, hidden in idle.items():
            self.controls[name].widget.disabled = hidden
            self.controls[name].widget.layout.display = "none" if hidden else None

    def _groups(self, cloud: Cloud, color: str) -> tuple[np.ndarray, str]:
        if color == "true groups" and cloud.truth is not None:
            return cloud.truth, "the true groups"
        return cloud.labels, f"k-means of the data, k = {cloud.n_clusters}"

    def sentence(
        self,
        result: Maps,
        frame: int,
        *,
        data: str,
        third: str,
        seed: int,
        perplexity: int,
        neighbors: int,
        highlight: str,
        follow: int,
        color: str = _COLORS[0],
        dims: int = 2,
        azimuth: int = 0,
        elevation: int = 0,
    ) -> str:
        cloud = result.cloud
        labels, whose = self._groups(cloud, color)
        told = (
            f"{data}, {len(cloud.X)} points in {dims}-D, t-SNE perplexity {perplexity}, "
            f"UMAP neighbours {neighbors}, seed {seed}, coloured by {whose}"
        )
        if color == "true groups" and cloud.truth is None:
            told += " (these data have no true groups)"
        if highlight != "all":
            size = int((labels == int(highlight)).sum())
            told += (
                f", group {highlight} highlighted: {size} points"
                if size
                else (f"; there is no group {highlight}")
            )
        if dims == 3:
            told += f", seen from azimuth {azimuth}°, elevation {elevation}°"
        trust = ", ".join(f"{view.name} {share(view.trust)}" for view in result.views)
        told += f". Trustworthiness: {trust}. "
        scores = ", ".join(f"{view.name} {view.silhouette:.2f}" for view in result.views)
        told += f"Silhouette of k-means: the data {cloud.silhouette:.2f}, {scores}."
        if result.missing:
            told += f" {result.missing}."
        if follow:
            kept = ", ".join(f"{v.name} {self._kept(cloud, v, follow - 1)}" for v in result.views)
            told += (
                f" Of the {cloud.nearest.shape[1]} points nearest to point {follow}, so many are "
                f"among its nearest on the map: {kept}."
            )
        return told

    def _kept(self, cloud: Cloud, view: View, row: int) -> int:
        return len(np.intersect1d(cloud.nearest[row], view.nearest[row]))

    def draw(
        self,
        figure: Any,
        result: Maps,
        frame: int,
        *,
        third: str,
        highlight: str,
        follow: int,
        color: str = _COLORS[0],
        azimuth: int = 0,
        elevation: int = 0,
        **values: Any,
    ) -> None:
        # one pair of axes in CSS pixels for everything: each more, and the automatic layout,
        # would take as long as all the points
        figure.set_layout_engine("none")
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, self.size[0]), ylim=(self.size[1], 0), autoscale_on=False)
        axes.set_axis_off()
        cloud = result.cloud
        labels, _ = self._groups(cloud, color)
        turned = [_turned(view.Y, azimuth, elevation) for view in result.views]
        flats = [_placed(flat, left) for (flat, _), left in zip(turned, _LEFTS, strict=False)]
        for left, name in zip(_LEFTS, [*(v.name for v in result.views), third], strict=False):
            corners = _SQUARE * _SIDE + (left, _TOP)
            axes.plot(*corners.T, color="#c8c8c8", linewidth=0.8, zorder=0)
            axes.text(left, _TOP - 7, name, fontsize=12, color=INK, va="bottom")
        if values.get("dims") == 3:
            edges = [
                _edges(view.Y, azimuth, elevation, left)
                for view, left in zip(result.views, _LEFTS, strict=False)
            ]
            _draw_lines(axes, np.concatenate(edges), color="#c8c8c8", linewidth=1.0, zorder=0)
        depths = np.concatenate([_depth(near) for _, near in turned])
        rows = np.tile(labels, len(flats))
        self._points(axes, np.concatenate(flats), depths, rows, highlight)
        if follow:
            self._stars(axes, flats, cloud.nearest[follow - 1], follow - 1)
        if result.missing:
            words = result.missing.replace(". ", ".\n").replace(": ", ":\n")
            place = (_LEFTS[2] + _SIDE / 2, _TOP + _SIDE / 2)
            axes.text(*place, words, ha="center", va="center", fontsize=12, color=INK)
        names = [view.name for view in result.views]
        self._bars(
            axes,
            (140, 260),
            (0.5, "0.5: chance"),
            "trustworthiness ↑",
            {name: (v.trust, share(v.trust)) for name, v in zip(names, result.views, strict=True)},
        )
        scores = {name: v.silhouette for name, v in zip(names, result.views, strict=True)}
        self._bars(
            axes,
            (440, 580),
            (0.0, "0"),
            "k-means silhouette ↑",
            {n: (v, f"{v:.2f}") for n, v in ({"the data": cloud.silhouette} | scores).items()},
        )
        self._tiles(axes, cloud, follow)

    def _points(
        self, axes: Any, flat: np.ndarray, depths: np.ndarray, labels: np.ndarray, highlight: str
    ) -> None:
        chosen = np.ones(len(flat), dtype=bool)
        if highlight != "all" and (labels == int(highlight)).any():
            chosen = labels == int(highlight)
            scatter_clusters(axes, flat[~chosen], None, size=10, alpha=0.35)
        for depth, (size, alpha) in _DEPTHS.items():
            rows = chosen & (depths == depth)
            if rows.any():
                scatter_clusters(axes, flat[rows], labels[rows], size=size, alpha=alpha)

    def _stars(self, axes: Any, flats: list[np.ndarray], nearest: np.ndarray, row: int) -> None:
        stars = np.array([flat[row] for flat in flats])
        rings = np.concatenate([flat[nearest] for flat in flats])
        threads = np.stack([np.repeat(stars, len(nearest), axis=0), rings], axis=1)
        _draw_lines(axes, threads, color=INK, linewidth=0.8, alpha=0.6, zorder=2)
        axes.scatter(*rings.T, s=64, facecolors="none", edgecolors=INK, linewidths=1.4, zorder=3)
        axes.plot(
            *stars.T,
            "*",
            color=PAPER,
            markersize=19,
            markeredgecolor=INK,
            markeredgewidth=1.6,
            zorder=4,
        )

    def _bars(
        self,
        axes: Any,
        reach: tuple[float, float],
        base: tuple[float, str],
        heading: str,
        shown: dict[str, tuple[float, str]],
    ) -> None:
        """Bars from a base value, whose place is the first of ``reach``, to 1, at the second."""
        start, end = reach
        axes.text(start, _BARS[0] - 12, heading, fontsize=12, color=INK, va="bottom")
        middles = _BARS[0] + (np.arange(len(shown)) + 0.5) / len(shown) * (_BARS[1] - _BARS[0])
        lengths = [(value - base[0]) / (1 - base[0]) * (end - start) for value, _ in shown.values()]
        axes.barh(
            middles,
            lengths,
            left=start,
            height=0.62 * (_BARS[1] - _BARS[0]) / len(shown),
            color=[QUIET if name == "the data" else PALETTE[0] for name in shown],
        )
        for middle, length, (name, (_, words)) in zip(middles, lengths, shown.items(), strict=True):
            axes.text(start - 8, middle, _folded(name), ha="right", va="center", fontsize=11)
            axes.text(start + max(length, 0) + 6, middle, words, va="center", fontsize=11)
        axes.plot([start, start], _BARS, color=INK, linewidth=1)
        axes.plot([end, end], [_BARS[1] - 4, _BARS[1] + 2], color=INK, linewidth=1)
        for place, words in ((start, base[1]), (end, "1")):
            axes.text(place, _BARS[1] + 5, words, ha="center", va="top", fontsize=11)

    def _tiles(self, axes: Any, cloud: Cloud, follow: int) -> None:
        left, top, width = _TILES
        if cloud.tile is None or not follow:
            words = "Follow a point\nto see its nearest\non every map"
            if follow:
                words = f"★ point {follow}\n○ its {cloud.nearest.shape[1]} nearest\nin the data"
            place = (left + width / 2, (_BARS[0] + _BARS[1]) / 2)
            axes.text(*place, words, ha="center", va="center", fontsize=12, color=QUIET)
            return
        rows = np.r_[follow - 1, cloud.nearest[follow - 1]]
        low, high = float(cloud.X.min()), float(cloud.X.max())
        tiles = ((cloud.X[rows] - low) / max(high - low, 1e-12)).reshape(-1, *cloud.tile)
        sheet = _sheet(tiles, n_columns=4)
        pixel = min(width / sheet.shape[1], (_BARS[1] - top) / sheet.shape[0])
        axes.imshow(
            sheet,
            cmap="gray",
            vmin=0,
            vmax=1,
            interpolation="nearest",
            aspect="auto",
            extent=(left, left + pixel * sheet.shape[1], top + pixel * sheet.shape[0], top),
        )
        axes.text(left, _BARS[0] - 12, "★ and its ○", fontsize=12, color=INK, va="bottom")
        height, wide = cloud.tile[:2]
        frame = _SQUARE * pixel * (wide + 1, height + 1) + (left, top)
        axes.plot(*frame.T, color=ALARM, linewidth=2.5)


def _sheet(tiles: np.ndarray, n_columns: int) -> np.ndarray:
    """Little pictures side by side on white, with gaps of a pixel."""
    n_rows = -(-len(tiles) // n_columns)
    height, width, *channels = tiles.shape[1:]
    cells = np.ones((n_rows * n_columns, height + 1, width + 1, *channels))
    cells[: len(tiles), 1:, 1:] = tiles
    cells = cells.reshape(n_rows, n_columns, *cells.shape[1:]).swapaxes(1, 2)
    return cells.reshape(n_rows * (height + 1), n_columns * (width + 1), *channels)


def _placed(flat: np.ndarray, left: float) -> np.ndarray:
    """Coordinates of at most 1 as places in the map whose left edge is given."""
    return (flat * (1, -1) / 1.06 + 1) * _SIDE / 2 + (left, _TOP)


def _depth(near: np.ndarray) -> np.ndarray:
    """0 for points of a plane; in space 1, 2, 3 for the far, the middle and the near third."""
    if not near.any():
        return np.zeros(len(near), dtype=int)
    return 1 + np.searchsorted(np.quantile(near, (1 / 3, 2 / 3)), near, side="right")


def _edges(Y: np.ndarray, azimuth: float, elevation: float, left: float) -> np.ndarray:
    """Edges of the box around the points of a map in space."""
    low, high = Y.min(axis=0), Y.max(axis=0)
    corners, _ = _turned(low + _CORNERS * (high - low), azimuth, elevation)
    return _placed(corners, left)[_EDGES]


def embedding_explorer(
    X: Any = None,
    labels: Any = None,
    *,
    n_clusters: int = 5,
    tile: Any = None,
    n_points: int = _POINTS,
    n_components: int = 2,
    predict: Any = None,
) -> EmbeddingExplorer:
    """Compare maps of one cloud of points: PCA, t-SNE, and t-SNE from a random start or UMAP.

    The maps are linked: a highlighted group, or a followed point with its nearest in the data, is
    shown on all of them. Below: how trustworthy each map is, and the silhouette of k-means made
    in the data and on each map. Among the data is noise, which has no groups.

    Parameters
    ----------
    X : array-like of shape (n, d), optional
        Data of your own instead of the built-in sets; of more than 400 rows evenly spaced ones
        are kept. Beside them stand the same columns, each shuffled by itself: the same features
        without groups.
    labels : array-like of shape (n,), optional
        True groups of ``X``; −1 for points of no group.
    n_clusters : int, default=5
        Clusters of k-means in ``X``, from 2 to 10; the built-in sets have numbers of their own.
    tile : tuple of int, optional
        (height, width) or (height, width, 3), where the rows of ``X`` are little pictures: the
        followed point and its nearest are then shown.
    n_points : int, default=200
        Points of the built-in sets, from 60 to 400.
    n_components : {2, 3}, default=2
        Dimensions of the maps to begin with.
    predict : "kept" or Prediction, optional
        Ask how many nearest neighbours the t-SNE map keeps; Compare shows the truth.

    Returns
    -------
    Explorer
        Display it as the last expression of a cell.

    Raises
    ------
    TypeError, ValueError
        Naming the parameter, the rule and what came.

    Notes
    -----
    Each map costs O(n²) here, about a second for t-SNE; maps are kept, so going back is instant.
    The first map of UMAP takes seconds, in which it compiles itself. Sources: van der Maaten &
    Hinton (2008), "Visualizing data using t-SNE", JMLR 9; McInnes, Healy & Melville (2018),
    arXiv 1802.03426; trustworthiness: Venna & Kaski (2001), doi 10.1007/3-540-44668-0_68.

    Examples
    --------
    >>> from annlab import widgets
    >>> explorer = widgets.embedding_explorer(n_points=60).set(data="uniform noise")
    >>> explorer  # doctest: +ELLIPSIS
    uniform noise, 60 points in 2-D, t-SNE perplexity 10, UMAP neighbours 15, seed 0, ...
    >>> [view.Y.shape for view in explorer.set(dims=3).result.views]
    [(60, 3), (60, 3), (60, 3)]
    """
    return EmbeddingExplorer(
        X,
        labels,
        n_clusters=n_clusters,
        tile=tile,
        n_points=n_points,
        n_components=n_components,
        predict=predict,
    )


def example() -> EmbeddingExplorer:
    """Make a small one, for the tests that run over all explorers."""
    return embedding_explorer(n_points=60, n_components=3, predict="kept")

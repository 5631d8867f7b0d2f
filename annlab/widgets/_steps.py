"""``step_explorer``: exact and approximate k-means from the same start."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from annlab._support.checks import (
    check_choice,
    check_data,
    check_integer,
    check_n_clusters,
    check_random_state,
)
from annlab._support.errors import invalid
from annlab._support.types import Seed
from annlab.applications import load_image
from annlab.distances import nearest, paired_sq
from annlab.fit.choose import available_algorithms
from annlab.lloyd import kmeans, kmeans_ann
from annlab.result import KMeansResult
from annlab.widgets.base import (
    ALARM,
    INK,
    Explorer,
    Job,
    Predict,
    Prediction,
    ask,
    choice,
    cluster_color,
    frame_limits,
    number,
    plane,
    scatter_centroids,
    scatter_clusters,
    share,
    three,
)
from annlab.widgets.base.rows import main_axes, thinned

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike

    #: A method, a function, or the centroids to start from.
    Init = str | Callable[..., ArrayLike] | ArrayLike

#: Points and pixels that are drawn or, of an image, clustered.
_DRAWN, _PIXELS = 2500, 16_000
#: Centroids that are shown as little pictures.
_TILES = 24
#: Indexes in the menu beside the one that the caller chose.
_OFFERED = ("lsh", "hnsw", "pq", "kd_tree")

PREDICTIONS = {
    "wrong": lambda: Prediction(
        "How many points will still have a wrong centroid when the approximate run is over?",
        truth=lambda race: int(race.wrong[-1].sum()),
        unit="points",
    ),
    "inertia": lambda: Prediction(
        "Which run ends with the lower inertia?",
        ("exact", "approximate", "the same"),
        truth=lambda race: race.winner,
    ),
}


@dataclass(frozen=True, eq=False)
class Race:
    """Two fits from one start, and the errors of the approximate search.

    ``wrong`` marks, for each approximate step, the points for which another centroid was nearer.
    """

    exact: KMeansResult
    approximate: KMeansResult
    wrong: list[np.ndarray]

    @property
    def n_steps(self) -> int:
        """Iterations of the longer run."""
        return max(len(self.exact.trace), len(self.approximate.trace))

    @property
    def winner(self) -> str:
        """The run with the lower final inertia, to three digits."""
        ends = (self.exact.trace[-1].inertia, self.approximate.trace[-1].inertia)
        if three(ends[0]) == three(ends[1]):
            return "the same"
        return "exact" if ends[0] < ends[1] else "approximate"

    def steps(self, iteration: int) -> tuple[Any, Any, np.ndarray]:
        """Return the steps of both runs at an iteration, or their last steps."""
        a = min(iteration, len(self.exact.trace)) - 1
        b = min(iteration, len(self.approximate.trace)) - 1
        return self.exact.trace[a], self.approximate.trace[b], self.wrong[b]


def misassigned(X: np.ndarray, centroids: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Mark the points that are nearer to another centroid than their own.

    Returns an ndarray of shape (n,), bool. Distances are compared, so a tie is no error.

    Examples
    --------
    >>> import numpy as np
    >>> from annlab.widgets._steps import misassigned
    >>> X = np.array([[0.0], [1.0], [5.0]])
    >>> misassigned(X, np.array([[0.0], [2.0]]), np.array([0, 0, 0]))
    array([False, False,  True])
    """
    best = paired_sq(X, centroids, nearest(X, centroids))
    return paired_sq(X, centroids, labels) > best * (1 + 1e-9) + 1e-300


class StepExplorer(Explorer):
    """The explorer that `step_explorer` makes."""

    name = "step_explorer"
    title = "k-means step by step: exact search beside approximate search"
    replay = True
    slow = True
    frame_word = "iteration"

    def __init__(
        self,
        X: ArrayLike | None,
        n_clusters: int,
        algorithm: str | object,
        *,
        image: ArrayLike | None,
        patch_shape: tuple[int, ...] | None,
        algorithm_params: dict[str, Any] | None,
        init: Init,
        max_iter: int,
        predict: Predict,
        random_state: Seed,
    ) -> None:
        if (X is None) == (image is None):
            raise invalid("X", "given, or image", "both" if X is not None else "neither")
        if X is not None and np.ndim(X) == 3:
            X, image = None, X
        self.picture = None
        if image is not None:
            self.picture = thinned(load_image(np.asarray(image)), _PIXELS) / 255.0
        self.X = check_data(X) if self.picture is None else self.picture.reshape(-1, 3)
        self.n_clusters = check_n_clusters(n_clusters, len(self.X))
        self.max_iter = check_integer(max_iter, "max_iter")
        self.patch_shape = None if patch_shape is None else _checked(patch_shape, self.X.shape[1])
        self.given = algorithm_params or {}
        self.init = init
        self.chosen = type(algorithm).__name__
        if isinstance(algorithm, str):
            self.chosen = check_choice(algorithm, "algorithm", available_algorithms())
        self.menu = {self.chosen: algorithm} | {name: name for name in _OFFERED}
        self.seed = int(check_random_state(random_state).randint(2**31 - 1000))
        self.shown = np.unique(np.linspace(0, len(self.X) - 1, _DRAWN).astype(int))
        self.axes_of_view = _projection(self.X[self.shown])
        self.plane_X = self.flat(self.X[self.shown])
        self.limits = frame_limits(self.plane_X)
        self.size = self._room()
        controls = [
            choice(
                "index",
                "Index",
                "How the approximate run searches for the nearest centroid",
                list(self.menu),
                self.chosen,
            )
        ]
        if isinstance(init, str) or callable(init):
            # given centroids are the only start
            controls.append(
                number("start", "Start no.", "Another random start for both runs", 0, 99, 0)
            )
        super().__init__(controls, predict=ask(predict, PREDICTIONS))

    def _room(self) -> tuple[int, int]:
        (left, right), (low, high) = self.limits
        # two panels of 400 pixels; as high as the data needs, within what a laptop shows at once
        height = int(np.clip(400 * (high - low) / max(right - left, 1e-12), 240, 360)) + 70
        if self.picture is not None:
            rows, columns = self.picture.shape[:2]
            height += int(np.clip(400 * rows / columns, 160, 360)) + 20
        elif self.patch_shape is not None:
            height += 100
        return 840, height

    def flat(self, rows: np.ndarray) -> np.ndarray:
        """Return the coordinates of rows in the fixed view, shape (n, 2)."""
        if self.axes_of_view is None:
            return rows if rows.shape[1] == 2 else np.column_stack([rows, np.zeros(len(rows))])
        mean, basis = self.axes_of_view
        return (rows - mean) @ basis

    def compute(self, job: Job, *, index: str, start: int | None = None) -> Race:
        seed = self.seed + (start or 0)
        common: dict[str, Any] = {"max_iter": self.max_iter, "trace": True, "random_state": seed}
        first = kmeans(self.X, self.n_clusters, init=self.init, **common | {"max_iter": 1})
        common["init"] = first.trace[0].centroids
        exact = kmeans(self.X, self.n_clusters, callback=job.callback(2 * self.max_iter), **common)
        approximate = kmeans_ann(
            self.X,
            self.n_clusters,
            algorithm=self.menu[index],
            algorithm_params=self.given if index == self.chosen and self.given else None,
            callback=job.callback(2 * self.max_iter, before=self.max_iter),
            **common,
        )
        steps: list[Any] = list(approximate.trace)
        wrong = [misassigned(self.X, step.centroids, step.labels) for step in steps]
        return Race(exact, approximate, wrong)

    def frame_count(self, result: Race) -> int:
        return result.n_steps + 1

    def sentence(self, result: Race, frame: int, *, index: str, start: int | None = None) -> str:
        if frame == 0:
            which = "" if start is None else f" (start {start})"
            return (
                f"iteration 0 of {result.n_steps}, no point is assigned yet: exact search and "
                f"{index} begin with the same {self.n_clusters:,} centroids{which}."
            )
        exact, approximate, wrong = result.steps(frame)
        counts = f"{exact.n_distances:,} and {approximate.n_distances or 0:,} distance computations"
        if approximate.n_distances is None:
            counts = f"{exact.n_distances:,} distance computations and an uncounted number"
        return (
            f"iteration {frame} of {result.n_steps}, "
            f"{approximate.n_moved:,} point{'s' * (approximate.n_moved != 1)} moved, "
            f"inertia {three(exact.inertia)} exact and {three(approximate.inertia)} approximate, "
            f"recall {share(1 - wrong.mean())}, {counts} (exact search, then {index})."
        )

    def draw(
        self, figure: Figure, result: Race, frame: int, *, index: str, start: int | None = None
    ) -> None:
        ratios: list[float] | None = None
        if self.picture is not None:
            rows, columns = self.picture.shape[:2]
            (left, right), (low, high) = self.limits
            ratios = [
                float(np.clip((high - low) / (right - left), 0.5, 1)),
                float(np.clip(rows / columns, 0.4, 1)),
            ]
        elif self.patch_shape is not None:
            ratios = [self.size[1] - 190, 100]
        grid = figure.add_gridspec(2 if ratios else 1, 2, height_ratios=ratios)
        titles = ("exact search", f"approximate search ({index})")
        # before the first assignment there is no step
        exact, approximate, missed = result.steps(frame) if frame else (None, None, None)
        for side, (step, wrong) in enumerate(((exact, None), (approximate, missed))):
            axes = figure.add_subplot(grid[0, side])
            title = titles[side]
            if step is not None:
                title += f": inertia {three(step.inertia)}"
                if step.iteration < frame:
                    title += f", done after {step.iteration}"
            self._draw_points(axes, title, result, step, wrong)
            if self.picture is not None:
                self._draw_picture(figure.add_subplot(grid[1, side]), self.picture, step, wrong)
            elif self.patch_shape is not None:
                shown = result.exact.trace[0].centroids if step is None else step.new_centroids
                self._draw_tiles(figure.add_subplot(grid[1, side]), shown, self.patch_shape)
        self._explain(figure)

    def _draw_points(
        self, axes: Axes, title: str, result: Race, step: Any, wrong: np.ndarray | None
    ) -> None:
        plane(axes, self.limits, title)
        size = 22.0 if len(self.shown) <= 800 else 9.0
        big = 130.0 if self.n_clusters <= 16 else 60.0
        if self.picture is not None:
            colors = self.X[self.shown]
            x, y = self.plane_X.T
            axes.scatter(x, y, s=size, c=colors, linewidths=0, zorder=1)
        else:
            labels = None if step is None else step.labels[self.shown]
            scatter_clusters(axes, self.plane_X, labels, size=size)
        if step is None:
            start = result.exact.trace[0].centroids
            scatter_centroids(axes, self.flat(start), size=big, colors=self._true_colors(start))
            return
        if wrong is not None and wrong[self.shown].any():
            x, y = self.plane_X[wrong[self.shown]].T
            # many rings would hide what they mark
            size, width = (95, 1.8) if len(x) <= 40 else (30, 1.0)
            ring: dict[str, Any] = {"facecolors": "none", "edgecolors": ALARM}
            axes.scatter(x, y, s=size, linewidths=width, zorder=3, **ring)
        scatter_centroids(
            axes,
            self.flat(step.centroids),
            self.flat(step.new_centroids),
            size=big,
            colors=self._true_colors(step.centroids),
        )

    def _true_colors(self, centroids: np.ndarray) -> np.ndarray | None:
        return None if self.picture is None else np.clip(centroids, 0, 1)

    def _draw_picture(
        self, axes: Axes, shown: np.ndarray, step: Any, wrong: np.ndarray | None
    ) -> None:
        if step is not None:
            shown = np.clip(step.new_centroids, 0, 1)[step.labels].reshape(shown.shape)
        if wrong is not None and wrong.any():
            shown = shown.copy()
            shown[wrong.reshape(shown.shape[:2])] = (1.0, 0.0, 0.8)
        axes.imshow(shown, interpolation="nearest")
        axes.set_axis_off()

    def _draw_tiles(self, axes: Axes, centroids: np.ndarray, shape: tuple[int, ...]) -> None:
        count = min(len(centroids), _TILES)
        columns = min(count, 12)
        height, width = shape[0] + 2, shape[1] + 2
        sheet = np.ones((-(-count // columns) * height, columns * width, 3))
        true_colors = self.X.min() >= 0 and self.X.max() <= 1
        for place, centroid in enumerate(centroids[:count]):
            tile = centroid.reshape(*shape[:2], -1).astype(float)
            if not true_colors:
                tile = (tile - tile.min()) / max(np.ptp(tile), 1e-12)
            y, x = height * (place // columns) + 1, width * (place % columns) + 1
            # a grey tile fills all three channels
            sheet[y : y + shape[0], x : x + shape[1]] = np.clip(tile, 0, 1)
        axes.imshow(sheet, interpolation="nearest")
        axes.set_axis_off()

    def _explain(self, figure: Figure) -> None:
        from matplotlib.lines import Line2D

        dots: dict[str, Any] = {"linestyle": "none", "markersize": 10}
        handles = [
            Line2D([], [], marker="o", color=cluster_color(0), markeredgecolor=INK, **dots),
            Line2D([], [], marker="$→$", color=INK, linestyle="none", markersize=14),
            Line2D([], [], marker="o", color="none", markeredgecolor=ALARM, **dots),
        ]
        texts = ["centroid", "its move", "point assigned elsewhere by the approximate search"]
        if self.picture is not None:
            texts[2] += " (pink in the picture)"
        figure.legend(handles, texts, loc="outside lower center", ncols=3, frameon=False)


def _checked(patch_shape: Iterable[int], d: int) -> tuple[int, ...]:
    shape = tuple(patch_shape)
    if len(shape) not in (2, 3) or shape[2:] not in ((), (3,)) or int(np.prod(shape)) != d:
        raise invalid("patch_shape", f"(h, w) or (h, w, 3), {d} values in all, as in X", shape)
    return shape


def _projection(X: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the mean and the two main axes of ``X``, or None if it is a plane."""
    if X.shape[1] <= 2:
        return None
    mean = X.mean(axis=0, dtype=np.float64)
    return mean, main_axes(X - mean, 2)


def step_explorer(
    X: ArrayLike | None = None,
    n_clusters: int = 8,
    algorithm: str | object = "lsh",
    *,
    image: ArrayLike | None = None,
    patch_shape: tuple[int, ...] | None = None,
    algorithm_params: dict[str, Any] | None = None,
    init: Init = "k-means++",
    max_iter: int = 30,
    predict: Predict = None,
    random_state: Seed = None,
) -> StepExplorer:
    """Step through exact and approximate k-means from the same start.

    Each frame shows the points, the centroids and their moves, and rings the points that the
    approximate search assigned to a centroid that is not the nearest. The sentence gives moved
    points, the inertia of both, the recall (share of points with a nearest centroid) and the
    distances that each computed.

    Parameters
    ----------
    X : array-like of shape (n, d), optional
        More than two dimensions are shown in a fixed projection onto the two main axes. At most
        2,500 points are drawn; all are clustered. An array of shape (h, w, 3) is an image.
    n_clusters : int, default=8
    algorithm : str or object, default="lsh"
        As in `kmeans_ann`.
    image : array of shape (h, w), (h, w, 3) or (h, w, 4), optional
        Instead of X: cluster its pixels and show the recoloured image too. Large images are
        thinned to 16,000 pixels.
    patch_shape : tuple of int, optional
        Shape of a row of X that is an image patch, such as (8, 8, 3); the centroids are then shown
        as little pictures.
    algorithm_params : dict, optional
        Parameters of the index, such as ``{"n_tables": 2}``.
    init : str, function or array, default="k-means++"
    max_iter : int, default=30
    predict : {"wrong", "inertia"} or Prediction, optional
        Ask for a prediction; the truth appears at the last iteration.
    random_state : None, int, RandomState or Generator

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
    Two fits with full traces: O(n) memory for each iteration.

    Examples
    --------
    >>> from annlab import widgets
    >>> from annlab.datasets import make_blobs
    >>> X, _ = make_blobs(200, 4, separation=10, random_state=0)
    >>> explorer = widgets.step_explorer(X, 4, "kd_tree", random_state=0)
    >>> explorer  # doctest: +NORMALIZE_WHITESPACE
    iteration 0 of 2, no point is assigned yet: exact search and kd_tree begin
    with the same 4 centroids (start 0).
    >>> explorer.step().state
    'step_explorer?frame=1&index=kd_tree&start=0'
    """
    return StepExplorer(
        X,
        n_clusters,
        algorithm,
        image=image,
        patch_shape=patch_shape,
        algorithm_params=algorithm_params,
        init=init,
        max_iter=max_iter,
        predict=predict,
        random_state=random_state,
    )


def example() -> StepExplorer:
    """Make a small explorer for the tests."""
    from annlab.datasets import make_blobs

    X = make_blobs(90, 5, random_state=1, dtype=np.float64).X
    return step_explorer(
        X,
        5,
        algorithm_params={"n_tables": 1, "n_hashes": 3, "n_probes": 1},
        init="random",
        predict="wrong",
        random_state=0,
    )

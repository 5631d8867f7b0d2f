"""``quality_explorer``: four scores of a clustering, and their failures."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from annlab._support.checks import check_integer, check_random_state
from annlab._support.errors import invalid
from annlab._support.types import LabelsLike
from annlab.datasets import (
    load_digits_data,
    make_anisotropic,
    make_blobs,
    make_moons,
    make_rings,
    make_uniform_cube,
)
from annlab.lloyd import kmeans
from annlab.metrics import ClusteringScores, evaluate_clustering
from annlab.plotting import plot_silhouette
from annlab.widgets.base import (
    ALARM,
    INK,
    PALETTE,
    QUIET,
    Explorer,
    Job,
    Predict,
    Prediction,
    ask,
    chart,
    choice,
    frame_limits,
    ladder,
    plane,
    scatter_centroids,
    scatter_clusters,
    three,
)
from annlab.widgets.base.marks import chosen, legend_below
from annlab.widgets.base.rows import OWN, main_axes, own_rows, shuffled_columns

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure
    from numpy.typing import ArrayLike

#: Points of a built-in set, and most rows of your own: the silhouette compares all pairs, and
#: every k is clustered before the first picture.
_POINTS, _MOST = 300, 800
#: Starts of each clustering; with one, the curves would show luck.
_STARTS = 4
_SETS: tuple[str, ...] = ("blobs", "moons", "rings", "stretched", "unequal", "uniform", "digits")
_LEAST_K = 2
#: score -> (heading, low end and high end of its axis, whether more is better)
_SCORES = {
    "silhouette": ("silhouette ↑", -0.15, 1.2, True),
    "davies_bouldin": ("Davies–Bouldin ↓", 0.0, 3.2, False),
    "adjusted_rand": ("adjusted Rand ↑", -0.15, 1.2, True),
}


@dataclass(frozen=True, slots=True)
class Scored:
    """Labels and their scores."""

    labels: np.ndarray
    #: centroids in the plane of the picture, shape (k, 2)
    marks: np.ndarray
    scores: ClusteringScores


@dataclass(frozen=True, slots=True)
class Report:
    """One data set, clustered with every k."""

    X: np.ndarray
    #: the same points in the plane, shape (n, 2)
    shown: np.ndarray
    by_k: dict[int, Scored]
    #: the true groups, scored as if they were a clustering
    truth: Scored | None
    #: inertia of a single cluster
    total: float

    def best(self, score: str) -> int | None:
        """Return a score's choice of k; None if the score needs true groups."""
        values = {k: getattr(one.scores, score) for k, one in self.by_k.items()}
        if None in values.values():
            return None
        # equal scores go to the smaller k
        pick = max if _SCORES[score][3] else min
        return pick(values, key=lambda k: values[k])


def _unequal() -> tuple[np.ndarray, np.ndarray]:
    """Make one wide group beside two small tight ones."""
    rng = check_random_state(0)
    groups = ((240, (0.0, 0.0), 1.6), (30, (5.0, 0.0), 0.35), (30, (5.0, 2.2), 0.35))
    X = np.concatenate([rng.normal(centre, width, (n, 2)) for n, centre, width in groups])
    return X, np.repeat(np.arange(3), [n for n, _, _ in groups])


@lru_cache(maxsize=8)
def _data(name: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Make a built-in set: points in float64, and their true groups, if any."""
    if name == "uniform":
        return make_uniform_cube(_POINTS, 2, random_state=0, dtype=np.float64), None
    if name == "unequal":
        return _unequal()
    if name == "digits":
        digits = load_digits_data()
        assert digits.labels is not None
        return digits.X[:_POINTS].astype(np.float64), digits.labels[:_POINTS]
    made = {
        "blobs": lambda: make_blobs(_POINTS, 4, separation=6, random_state=0, dtype=np.float64),
        "moons": lambda: make_moons(_POINTS, random_state=0, dtype=np.float64),
        "rings": lambda: make_rings(_POINTS, random_state=0, dtype=np.float64),
        "stretched": lambda: make_anisotropic(_POINTS, random_state=0, dtype=np.float64),
    }[name]()
    return made.X, made.labels


def _plane_of(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the origin and the two directions of the picture."""
    d = X.shape[1]
    if d <= 2:
        return np.zeros(d), np.eye(d, 2)
    middle = X.mean(axis=0)
    return middle, main_axes(X - middle, 2)


class QualityExplorer(Explorer):
    """The explorer that `quality_explorer` makes."""

    name = "quality_explorer"
    title = "Is this a good clustering? Four scores answer, and do not agree"
    size = (840, 600)
    slow = True

    def __init__(
        self,
        X: ArrayLike | None,
        labels: LabelsLike | None,
        max_clusters: int,
        predict: Predict,
        random_state: int,
    ) -> None:
        check_integer(max_clusters, "max_clusters", minimum=_LEAST_K + 1, maximum=16)
        self.seed = check_integer(random_state, "random_state", minimum=0)
        self.own: dict[str, tuple[np.ndarray, np.ndarray | None]] = {}
        known, menu = True, _SETS
        if X is not None:
            rows, truth = own_rows(X, labels, fewest=_LEAST_K + 2, most=_MOST)
            different = len(np.unique(rows, axis=0))
            if different < _LEAST_K + 2:
                raise invalid(
                    "X", f"an array with at least {_LEAST_K + 2} different rows", different
                )
            max_clusters = min(max_clusters, different - 1)
            name, twin = self._without_groups(rows, max_clusters)
            self.own = {OWN: (rows, truth), name: (twin, None)}
            known, menu = truth is not None, tuple(self.own)
        elif labels is not None:
            raise invalid("labels", "given only with X", "labels without X")
        self.ks = tuple(range(_LEAST_K, max_clusters + 1))
        self.asked = "moons" if X is None else OWN
        shown = choice(
            "shown",
            "Colour by",
            "Whose groups are drawn, and whose silhouettes",
            ("k-means", "true groups"),
            "k-means",
        )
        controls = [
            choice("data", "Data", "Points to cluster; uniform ones have no groups", menu, menu[0]),
            ladder(
                "k",
                "Clusters k",
                "How many clusters k-means makes",
                self.ks,
                min(4, self.ks[-1]),
            ),
            *([shown] if known else []),
        ]
        super().__init__(controls, predict=ask(predict, {"silhouette": self._question}))

    def _question(self) -> Prediction:
        return Prediction(
            f"Choose before you look: with {self.asked}, at which k is the silhouette highest?",
            tuple(f"k = {k}" for k in self.ks),
            truth=self._truth,
        )

    def _without_groups(self, rows: np.ndarray, most: int) -> tuple[str, np.ndarray]:
        """Make data like these without groups, to compare the scores with."""
        rng = check_random_state(self.seed)
        alone = shuffled_columns(rows, rng)
        if rows.shape[1] > 1 and len(np.unique(alone, axis=0)) > most:
            return "shuffled", alone
        return "uniform", rows.min(axis=0) + rng.random_sample(rows.shape) * np.ptp(rows, axis=0)

    def _truth(self, result: Report) -> str:
        return f"k = {self.compute(Job(), data=self.asked).best('silhouette')}"

    def compute(self, job: Job, *, data: str) -> Report:
        X, truth = self.own[data] if data in self.own else _data(data)
        middle, basis = _plane_of(X)

        def scored(labels: np.ndarray, centroids: np.ndarray) -> Scored:
            scores = evaluate_clustering(X, labels, reference=truth, n_jobs=1)
            return Scored(labels, (centroids - middle) @ basis, scores)

        by_k = {}
        for place, k in enumerate(self.ks):
            job.report(place, len(self.ks), f"k = {k}")
            fit = kmeans(X, k, n_init=_STARTS, random_state=self.seed, n_jobs=1)
            by_k[k] = scored(fit.labels, fit.centroids)
        true = None
        if truth is not None and 1 <= truth.max() < len(truth) - 1:
            groups = range(int(truth.max()) + 1)
            true = scored(truth, np.array([X[truth == group].mean(axis=0) for group in groups]))
        total = float(((X - X.mean(axis=0)) ** 2).sum())
        return Report(X, (X - middle) @ basis, by_k, true, total)

    def _on_show(self, result: Report, k: int, shown: str) -> tuple[Scored, str]:
        if shown == "true groups" and result.truth is not None:
            return result.truth, f"the {result.truth.scores.n_clusters} true groups"
        return result.by_k[k], f"k-means with k = {k}"

    def sentence(
        self, result: Report, frame: int, *, data: str, k: int, shown: str = "k-means"
    ) -> str:
        one, whose = self._on_show(result, k, shown)
        scores = one.scores
        rand = scores.adjusted_rand
        compared = "no true groups to compare with"
        if rand is not None:
            compared = f"adjusted Rand {three(round(rand, 3))}"
        agrees = "" if rand is None else f", adjusted Rand {result.best('adjusted_rand')}"
        return (
            f"{data}, {whose}: silhouette {three(scores.silhouette)}, "
            f"Davies–Bouldin {three(scores.davies_bouldin)}, {compared}, "
            f"inertia {three(100 * scores.inertia / result.total)}% of one cluster's. "
            f"Of k = {self.ks[0]} to {self.ks[-1]} the silhouette would choose "
            f"{result.best('silhouette')}, Davies–Bouldin {result.best('davies_bouldin')}{agrees}; "
            f"the mark is at k = {k}."
        )

    def draw(
        self,
        figure: Figure,
        result: Report,
        frame: int,
        *,
        data: str,
        k: int,
        shown: str = "k-means",
    ) -> None:
        one, whose = self._on_show(result, k, shown)
        above, below = figure.subfigures(2, 1, squeeze=False, height_ratios=(1.45, 1)).ravel()
        left, right = above.subplots(1, 2, width_ratios=(1.15, 1))
        plane(left, frame_limits(result.shown), f"{data}, {whose}")
        scatter_clusters(left, result.shown, one.labels, size=18)
        scatter_centroids(left, one.marks, size=190)
        for cluster, (x, y) in enumerate(one.marks):
            left.annotate(
                str(cluster),
                (x, y),
                xytext=(9, 7),
                textcoords="offset points",
                fontsize=12,
                fontweight="bold",
                color=INK,
                zorder=6,
                bbox={"boxstyle": "round,pad=0.12", "fc": "white", "ec": "none", "alpha": 0.8},
            )
        plot_silhouette(result.X, one.labels, ax=right)
        chart(right, "silhouette of each point", "points, by cluster")
        mean = three(one.scores.silhouette)
        right.set_title(f"mean silhouette {mean}", fontsize=12, color=INK, loc="center")
        right.set_xlim(-0.5, 1)
        self._draw_scores(below, result, k)

    def _draw_scores(self, figure: SubFigure, result: Report, k: int) -> None:
        from matplotlib.lines import Line2D

        panels, truth, total = figure.subplots(1, 4), result.truth, result.total
        inertias = {one: scored.scores.inertia / total for one, scored in result.by_k.items()}
        self._curve(panels[0], inertias, k, "inertia ↓", (0.0, 1.2))
        if truth is not None:
            self._star(panels[0], truth, truth.scores.inertia / total, (0.0, 1.2))
        for axes, (score, (heading, low, high, _)) in zip(panels[1:], _SCORES.items(), strict=True):
            best = result.best(score)
            if best is None:
                # the same axes without a curve, so that nothing jumps
                self._curve(axes, {}, k, heading, (low, high))
                middle = (self.ks[0] + self.ks[-1]) / 2
                axes.text(middle, 0.5, "no true groups\nto compare with", ha="center", va="center")
                continue
            values = {one: getattr(scored.scores, score) for one, scored in result.by_k.items()}
            self._curve(axes, values, k, heading, (low, high))
            chosen(axes, best, min(values[best], high), size=11, clip_on=False, zorder=4)
            if truth is not None:
                self._star(axes, truth, getattr(truth.scores, score), (low, high))
        look: dict[str, Any] = {"color": "none", "markeredgecolor": INK}
        known = {
            "the k that a score would choose": Line2D(
                [], [], marker="D", markersize=9, markerfacecolor=ALARM, **look
            ),
            f"k = {k}": Line2D([], [], color=INK, linestyle=":", linewidth=1.6),
        }
        if truth is not None:
            star = Line2D([], [], marker="*", markersize=15, markerfacecolor=PALETTE[6], **look)
            known["the true groups"] = star
        legend_below(figure, list(known.values()), list(known), columns=3)

    def _curve(
        self,
        axes: Axes,
        values: dict[int, float],
        k: int,
        heading: str,
        limits: tuple[float, float],
    ) -> None:
        chart(axes, "k", "", heading)
        if values:
            axes.axvline(k, color=INK, linestyle=":", linewidth=1.6)
        ks, heights = list(values), list(values.values())
        axes.plot(ks, heights, "-", color=QUIET, linewidth=1.6)
        axes.plot(ks, heights, "o", color=PALETTE[0], markersize=5)
        axes.set(xlim=(self.ks[0] - 0.6, self.ks[-1] + 0.6), ylim=limits)
        axes.set_xticks([one for one in self.ks if one % 2 == 0])

    def _star(self, axes: Axes, truth: Scored, value: float, limits: tuple[float, float]) -> None:
        """Mark the score of the true groups at their number, within the axes."""
        low, high = limits
        place = min(truth.scores.n_clusters, self.ks[-1])
        inside = low + 0.9 * (high - low) if value > high else max(value, low)
        look: dict[str, Any] = {
            "color": PALETTE[6],
            "markeredgecolor": INK,
            "clip_on": False,
            "zorder": 5,
        }
        axes.plot([place], [inside], "*", markersize=17, **look)
        if value > high:
            axes.annotate(
                f"{three(value)}: off the scale",
                (place, inside),
                xytext=(11, -4),
                textcoords="offset points",
                fontsize=11,
                bbox={"boxstyle": "round,pad=0.1", "fc": "white", "ec": "none"},
                zorder=4,
            )


def quality_explorer(
    X: ArrayLike | None = None,
    labels: LabelsLike | None = None,
    *,
    max_clusters: int = 10,
    predict: Predict = None,
    random_state: int = 0,
) -> QualityExplorer:
    """Compare four scores of a clustering against k, on data of many shapes.

    Above: the points by cluster, and the silhouette of each. Below, against k: inertia (the
    elbow), silhouette, Davies–Bouldin and, where true groups are known, the adjusted Rand index.
    A diamond marks the k that a score would choose, a star the score of the true groups.

    Parameters
    ----------
    X : array-like of shape (n, d), optional
        Data of your own instead of the built-in sets, and the same columns, each shuffled by
        itself, as data without groups. Of more than 800 rows evenly spaced ones are kept.
    labels : array-like of shape (n,), optional
        True groups of ``X``; −1 for points of no group.
    max_clusters : int, default=10
        Largest k, from 3 to 16.
    predict : "silhouette" or Prediction, optional
        Ask for a prediction; Compare shows the truth.
    random_state : int, default=0
        Of the starts.

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
    O(k·n·d) for each fit of several, and O(n²·d) for each silhouette. Rousseeuw (1987),
    doi 10.1016/0377-0427(87)90125-7; Davies & Bouldin (1979), doi 10.1109/TPAMI.1979.4766909;
    Hubert & Arabie (1985), doi 10.1007/BF01908075.

    Examples
    --------
    >>> from annlab import widgets
    >>> explorer = widgets.quality_explorer(max_clusters=5)
    >>> explorer  # doctest: +ELLIPSIS
    blobs, k-means with k = 4: silhouette 0.843, Davies–Bouldin 0.218, adjusted Rand 1, ...
    >>> explorer.set(k=3).values["k"]
    3
    """
    return QualityExplorer(X, labels, max_clusters, predict, random_state)


def example() -> QualityExplorer:
    """Make a small explorer for the tests."""
    return quality_explorer(max_clusters=4, predict="silhouette")

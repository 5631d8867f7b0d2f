"""How good is a clustering: four scores against k side by side, and where each misleads."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from annlab._support.checks import check_data, check_integer, check_random_state
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
from annlab.metrics import ClusteringScores, check_labels, evaluate_clustering
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
from annlab.widgets.base.rows import OWN, evenly, main_axes, shuffled_columns

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure
    from numpy.typing import ArrayLike

#: Points of each built-in set, and rows that are kept of data that is given: the silhouette
#: compares all pairs, and every k is clustered before the first picture.
_POINTS, _MOST = 300, 800
#: Starts of each clustering: with one, the curves would show luck.
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
    """Labels, what stands for each cluster in the picture, and the scores.

    Attributes
    ----------
    labels : ndarray of shape (n,), int
    marks : ndarray of shape (k, 2)
        Centroids, in the plane of the picture.
    scores : ClusteringScores
    """

    labels: np.ndarray
    marks: np.ndarray
    scores: ClusteringScores


@dataclass(frozen=True, slots=True)
class Report:
    """One data set, clustered with every k.

    Attributes
    ----------
    X : ndarray of shape (n, d)
    shown : ndarray of shape (n, 2)
        The same points in the plane.
    by_k : dict of int to Scored
    truth : Scored or None
        The true groups, scored as if they were a clustering.
    total : float
        Inertia of a single cluster.
    """

    X: np.ndarray
    shown: np.ndarray
    by_k: dict[int, Scored]
    truth: Scored | None
    total: float

    def best(self, score: str) -> int | None:
        """k that a score would choose; None without a reference."""
        values = {k: getattr(one.scores, score) for k, one in self.by_k.items()}
        if None in values.values():
            return None
        # equal scores go to the smaller k
        pick = max if _SCORES[score][3] else min
        return pick(values, key=lambda k: values[k])


def _unequal() -> tuple[np.ndarray, np.ndarray]:
    """One wide crowd beside two small tight groups."""
    rng = check_random_state(0)
    groups = ((240, (0.0, 0.0), 1.6), (30, (5.0, 0.0), 0.35), (30, (5.0, 2.2), 0.35))
    X = np.concatenate([rng.normal(centre, width, (n, 2)) for n, centre, width in groups])
    return X, np.repeat(np.arange(3), [n for n, _, _ in groups])


@lru_cache(maxsize=8)
def _data(name: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Points in float64, and their true groups where they have some."""
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
    """Origin and two directions, the main ones where there are more features than two."""
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
        *,
        max_clusters: int,
        predict: Predict,
        random_state: int,
    ) -> None:
        check_integer(max_clusters, "max_clusters", minimum=_LEAST_K + 1, maximum=16)
        self.seed = check_integer(random_state, "random_state", minimum=0)
        self.own: dict[str, tuple[np.ndarray, np.ndarray | None]] = {}
        known, menu = True, _SETS
        if X is None:
            if labels is not None:
                raise invalid("labels", "given with X only", "labels without X")
        else:
            rows = check_data(X, min_rows=_LEAST_K + 2).astype(np.float64)
            truth = None if labels is None else check_labels(labels, "labels", len(rows))
            rows, truth = evenly(rows, _MOST), None if truth is None else evenly(truth, _MOST)
            most = len(np.unique(rows, axis=0)) - 1
            if most <= _LEAST_K:
                raise invalid("X", f"of at least {_LEAST_K + 2} different rows", most + 1)
            max_clusters = min(max_clusters, most)
            null = self._without_groups(rows, max_clusters)
            self.own = {OWN: (rows, truth), null[0]: (null[1], None)}
            known = truth is not None
            menu = tuple(self.own)
        self.ks = tuple(range(_LEAST_K, max_clusters + 1))
        self.asked = "moons" if X is None else OWN
        controls = [
            choice("data", "Data", "Points to cluster; uniform ones have no groups", menu, menu[0]),
            ladder(
                "k",
                "Clusters k",
                "How many clusters k-means makes",
                self.ks,
                min(4, self.ks[-1]),
                recompute=False,
            ),
        ]
        if known:
            controls.append(
                choice(
                    "shown",
                    "Colour by",
                    "Whose groups are drawn, and whose silhouettes",
                    ("k-means", "true groups"),
                    "k-means",
                    recompute=False,
                )
            )
        super().__init__(controls, predict=ask(predict, {"silhouette": self._question}))

    def _question(self) -> Prediction:
        return Prediction(
            f"Choose before you look: with {self.asked}, at which k is the silhouette highest?",
            tuple(f"k = {k}" for k in self.ks),
            truth=self._truth,
        )

    def _without_groups(self, rows: np.ndarray, most: int) -> tuple[str, np.ndarray]:
        """Data like these without groups: what every score has to be compared with."""
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

        def scored(labels: LabelsLike, centroids: np.ndarray) -> Scored:
            scores = evaluate_clustering(X, labels, reference=truth, n_jobs=1)
            return Scored(check_labels(labels, "labels"), (centroids - middle) @ basis, scores)

        by_k = {}
        for place, k in enumerate(self.ks):
            job.report(place, len(self.ks), f"k = {k}")
            fit = kmeans(X, k, n_init=_STARTS, random_state=self.seed, n_jobs=1)
            by_k[k] = scored(fit, fit.centroids)
        true = None
        if truth is not None and 2 <= len(np.unique(truth[truth >= 0])) < len(truth):
            names = np.unique(truth[truth >= 0])
            true = scored(truth, np.array([X[truth == name].mean(axis=0) for name in names]))
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
        told = (
            f"{data}, {whose}: silhouette {three(scores.silhouette)}, "
            f"Davies–Bouldin {three(scores.davies_bouldin)}, "
        )
        if scores.adjusted_rand is None:
            told += "no true groups to compare with, "
        else:
            told += f"adjusted Rand {three(round(scores.adjusted_rand, 3))}, "
        told += f"inertia {three(100 * scores.inertia / result.total)}% of one cluster's. "
        told += (
            f"Of k = {self.ks[0]} to {self.ks[-1]} the silhouette would choose "
            f"{result.best('silhouette')}, Davies–Bouldin {result.best('davies_bouldin')}"
        )
        agrees = result.best("adjusted_rand")
        if result.truth is None or agrees is None:
            return told + f"; the mark stands at k = {k}."
        return told + f", adjusted Rand {agrees}; the mark stands at k = {k}."

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
        # numbered from 0, as the marks are; all outliers are −1
        labels = np.maximum(one.labels, -1)
        labels = np.unique(labels, return_inverse=True)[1] - int(labels.min() < 0)
        scatter_clusters(left, result.shown, labels, size=18)
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
        plot_silhouette(result.X, labels, ax=right)
        chart(right, "silhouette of each point", "points, by cluster")
        mean = three(one.scores.silhouette)
        right.set_title(f"mean silhouette {mean}", fontsize=12, color=INK, loc="center")
        right.set_xlim(-0.5, 1)
        self._draw_scores(below, result, k)

    def _draw_scores(self, figure: SubFigure, result: Report, k: int) -> None:
        from matplotlib.lines import Line2D

        panels = figure.subplots(1, 4)
        ks = list(self.ks)
        inertia = [result.by_k[one].scores.inertia / result.total for one in ks]
        truth = result.truth
        self._curve(panels[0], ks, inertia, k, "inertia ↓", (0.0, 1.2))
        if truth is not None:
            self._star(panels[0], truth, truth.scores.inertia / result.total, (0.0, 1.2))
        for axes, (score, (heading, low, high, _)) in zip(panels[1:], _SCORES.items(), strict=True):
            values = [getattr(result.by_k[one].scores, score) for one in ks]
            if None in values:
                # the same axes without a curve, so that nothing jumps
                self._curve(axes, [], [], k, heading, (low, high))
                middle = (self.ks[0] + self.ks[-1]) / 2
                axes.text(middle, 0.5, "no true groups\nto compare with", ha="center", va="center")
                continue
            self._curve(axes, ks, values, k, heading, (low, high))
            best = result.best(score)
            assert best is not None
            here = min(values[ks.index(best)], high)
            chosen(axes, best, here, size=11, clip_on=False, zorder=4)
            if truth is not None:
                self._star(axes, truth, getattr(truth.scores, score), (low, high))

        def mark(shape: str, size: float, color: str) -> Any:
            return Line2D(
                [],
                [],
                color="none",
                marker=shape,
                markersize=size,
                markerfacecolor=color,
                markeredgecolor=INK,
            )

        known = {
            "the k that a score would choose": mark("D", 9, ALARM),
            f"k = {k}": Line2D([], [], color=INK, linestyle=":", linewidth=1.6),
        }
        if truth is not None:
            known["the true groups"] = mark("*", 15, PALETTE[6])
        legend_below(figure, list(known.values()), list(known), columns=3)

    def _curve(
        self,
        axes: Axes,
        ks: list[int],
        values: list[float],
        k: int,
        heading: str,
        limits: tuple[float, float],
    ) -> None:
        chart(axes, "k", "", heading)
        if ks:
            axes.axvline(k, color=INK, linestyle=":", linewidth=1.6)
        axes.plot(ks, values, "-", color=QUIET, linewidth=1.6)
        axes.plot(ks, values, "o", color=PALETTE[0], markersize=5)
        axes.set(xlim=(self.ks[0] - 0.6, self.ks[-1] + 0.6), ylim=limits)
        axes.set_xticks([one for one in self.ks if one % 2 == 0])

    def _star(self, axes: Axes, truth: Scored, value: float, limits: tuple[float, float]) -> None:
        """The truth's own score, at its number of groups, held inside the axes."""
        low, high = limits
        place = min(truth.scores.n_clusters, self.ks[-1])
        axes.plot(
            [place],
            [min(max(value, low), low + 0.9 * (high - low) if value > high else high)],
            "*",
            color=PALETTE[6],
            markersize=17,
            markeredgecolor=INK,
            clip_on=False,
            zorder=5,
        )
        if value > high:
            axes.annotate(
                f"{three(value)}: off the scale",
                (place, low + 0.9 * (high - low)),
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
    """See four scores of a clustering side by side, against k, on data of several shapes.

    Above: the points by cluster, and the silhouette of each. Below, against k: inertia (the
    elbow), silhouette, Davies–Bouldin and, where true groups are known, the adjusted Rand index.
    A diamond marks the k that a score would choose, a star the score of the true groups.

    Parameters
    ----------
    X : array-like of shape (n, d), optional
        Data of your own instead of the built-in sets; of more than 800 rows evenly spaced ones
        are kept. Beside them stand the same columns, each shuffled by itself: what the scores say
        where there are no groups.
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
    return QualityExplorer(
        X, labels, max_clusters=max_clusters, predict=predict, random_state=random_state
    )


def example() -> QualityExplorer:
    """Make a small one, for the tests that run over all explorers."""
    return quality_explorer(max_clusters=4, predict="silhouette")

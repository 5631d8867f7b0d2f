"""``outlier_sandbox``: place outliers and see which k-means they break."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from annlab._support.checks import check_integer, check_random_state
from annlab._support.types import Seed
from annlab.datasets import make_blobs
from annlab.distances import k_nearest
from annlab.lloyd import kmeans
from annlab.result import KMeansResult
from annlab.robust import outlier_limit, robust_kmeans_ann
from annlab.widgets.base import Job, Prediction, choice, cluster_color, slider, three
from annlab.widgets.base.canvas import CanvasExplorer, check_handles, check_plane, handle_control
from annlab.widgets.base.scene import (
    cluster_points,
    handles,
    legend,
    numbers,
    panel,
    points,
    segments,
    texts,
)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

_MOST_POINTS = 600
_MOST_OUTLIERS = 12
_MOST_COPIES = 40
BLUE, RED, ORANGE = "#0072B2", "#D55E00", "#E69F00"
#: Starts of every fit, or luck would decide the comparison.
_STARTS = 5


@dataclass(frozen=True)
class Contest:
    """Plain and robust k-means on the same contaminated points."""

    X: np.ndarray
    #: which rows the reader added
    added: np.ndarray
    plain: KMeansResult
    robust: KMeansResult
    #: distance of each point to its nearest centroid, plain and robust
    plain_distances: np.ndarray
    robust_distances: np.ndarray
    #: how far each clean centre is from the nearest centroid
    plain_miss: np.ndarray
    robust_miss: np.ndarray


class OutlierSandbox(CanvasExplorer):
    """The explorer that `outlier_sandbox` makes."""

    name = "outlier_sandbox"
    title = "Outliers against plain and robust k-means"
    size = (840, 520)
    hint = (
        "Mouse: click free ground to add an outlier, drag it, double-click it to remove it. "
        "Keys: Tab selects, arrows move (with Shift faster), Enter adds, Delete removes."
    )

    def __init__(
        self,
        X: np.ndarray,
        n_clusters: int,
        centers: np.ndarray,
        outliers: list[list[float]],
        threshold: float,
        random_state: Seed,
        predict: Prediction | None,
    ) -> None:
        self.X, self.n_clusters, self.centers = X, n_clusters, centers
        rng = check_random_state(random_state)
        self._seed = int(rng.randint(2**31 - 1))
        self._rect = (2, 34, 440, 440)
        low, high = X.min(axis=0), X.max(axis=0)
        middle, half = (low + high) / 2, float(np.max(high - low)) * 0.95
        # about twice the size of the data: room for outliers
        self._bounds = tuple(
            numbers([middle[0] - half, middle[0] + half, middle[1] - half, middle[1] + half])
        )
        # copies form a narrow group around their outlier
        self._cloud = rng.standard_normal((_MOST_COPIES, 2)) * half / 60
        self._cloud[0] = 0.0
        x0, x1, y0, y1 = self._bounds
        corners = [[x0, y0], [x0, y1], [x1, y0], [x1, y1]]
        trials = [[], corners * (_MOST_OUTLIERS // 4), [[x1, y1]]]
        super().__init__(
            handle_control("outliers", outliers, 0, _MOST_OUTLIERS, trials=trials),
            [
                slider(
                    "copies",
                    "Copies of each",
                    "How many outliers lie around each place that you marked",
                    1,
                    _MOST_COPIES,
                    1,
                ),
                choice(
                    "rule",
                    "Robust rule",
                    "Which points the robust k-means leaves out",
                    {"threshold": "threshold", "trim a share": "trim"},
                    "threshold",
                    buttons=True,
                ),
                slider(
                    "threshold",
                    "Threshold",
                    "An outlier is farther than median + threshold × 1.4826 × MAD; "
                    "for the slide's rule, than threshold × mean",
                    0.5,
                    8.0,
                    threshold,
                    step=0.25,
                ),
                slider(
                    "trim",
                    "Trimmed share",
                    "Share of the points that trimming leaves out",
                    0.0,
                    0.6,
                    0.1,
                    step=0.02,
                ),
            ],
            predict=predict,
        )

    def compute(
        self, job: Job, outliers: ArrayLike, copies: int, rule: str, threshold: float, trim: float
    ) -> Contest:
        places = np.array(outliers, dtype=float).reshape(-1, 2)
        extra = (places[:, None] + self._cloud[:copies]).reshape(-1, 2)
        X = np.concatenate([self.X, extra])
        common: dict[str, Any] = {"random_state": self._seed, "n_init": _STARTS, "n_jobs": 1}
        plain = kmeans(X, self.n_clusters, **common)
        robust = robust_kmeans_ann(
            X,
            self.n_clusters,
            outlier_threshold=threshold,
            trim=trim if rule == "trim" else None,
            **common,
        )

        def distances(Q: np.ndarray, fit: KMeansResult) -> np.ndarray:
            return k_nearest(Q, fit.centroids, 1)[0][:, 0]

        return Contest(
            X=X,
            added=np.arange(len(X)) >= len(self.X),
            plain=plain,
            robust=robust,
            plain_distances=distances(X, plain),
            robust_distances=distances(X, robust),
            plain_miss=distances(self.centers, plain),
            robust_miss=distances(self.centers, robust),
        )

    def sentence(self, result: Contest, frame: int, **values: Any) -> str:
        n, added = len(result.X), int(result.added.sum())
        mask = result.robust.outlier_mask
        assert mask is not None, "the robust fit always marks outliers"
        strict, trim = three(values["threshold"]), three(values["trim"])
        rule = f"threshold {strict}, trim {trim} off"
        if values["rule"] == "trim":
            rule = f"trim {trim}, threshold {strict} off"
        by_mean = result.plain_distances > values["threshold"] * result.plain_distances.mean()
        wrong = int((mask & ~result.added).sum())
        return (
            f"{added} outlier{'s' * (added != 1)} among {n} points ({three(100 * added / n)} %): "
            f"plain k-means misses a clean centre by {_far(result.plain_miss)}, robust by "
            f"{_far(result.robust_miss)} ({rule}). Robust leaves out "
            f"{int((mask & result.added).sum())} of the outliers and {wrong} good "
            f"point{'s' * (wrong != 1)}; {strict} × mean would flag "
            f"{int((by_mean & result.added).sum())} and {int((by_mean & ~result.added).sum())}."
        )

    # -- the picture -----------------------------------------------------------------------------

    def scene(self, result: Contest, frame: int, **values: Any) -> dict[str, Any]:
        places = np.array(values["outliers"], dtype=float).reshape(-1, 2)
        own = ~result.added
        copies = result.X[result.added].reshape(len(places), values["copies"], 2)[:, 1:]
        nearest = k_nearest(self.centers, result.plain.centroids, 1)[1][:, 0]
        strays = np.hstack([self.centers, result.plain.centroids[nearest]])
        layers = [
            cluster_points(result.X[own], result.robust.labels[own], size=3.6),
            points(copies.reshape(-1, 2), color=RED, marker="x", size=4, width=1.8, alpha=0.8),
            segments(strays, color="ink", width=1.6, dash=(5, 4)),
            points(self.centers, color="ink", marker="+", size=9, width=2.2),
            points(
                result.plain.centroids, color="ink", marker="D", size=10, width=2.6, hollow=True
            ),
            points(
                result.robust.centroids,
                color=[cluster_color(c) for c in range(self.n_clusters)],
                marker="o",
                size=9,
                edge="ink",
                width=2.0,
            ),
        ]
        return {
            "panels": [
                panel(
                    self._rect,
                    self._bounds,
                    layers,
                    title="Colour: the robust cluster. ×: left out.",
                ),
                *self._strips(result, values),
                legend(
                    (0, 486, 840, 28),
                    [
                        ("+", "ink", "clean centre", 125),
                        ("D", "ink", "plain centroid", 140),
                        ("o", BLUE, "robust centroid", 152),
                        ("x", RED, "outlier that you added", 200),
                    ],
                    hollow="plain centroid",
                ),
            ],
            "handles": handles(
                places,
                name="outlier",
                color=RED,
                marker="x",
                size=8,
                high=_MOST_OUTLIERS,
                adds=True,
                removes=True,
                glide=False,
            ),
        }

    def _strips(self, result: Contest, values: dict[str, Any]) -> list[dict[str, Any]]:
        """Draw the distances of each fit on a line, with the outlier limit."""
        plain, robust = result.plain_distances, result.robust_distances
        threshold = values["threshold"]
        limit = outlier_limit(robust, threshold)
        words = f"median + {three(threshold)} × scaled MAD"
        if values["rule"] == "trim":
            assert result.robust.outlier_mask is not None
            kept = robust[~result.robust.outlier_mask]
            limit = float(kept.max()) if len(kept) else 0.0
            words = f"trim {three(values['trim'])}"
        by_mean = f"{three(threshold)} × mean"
        mean_limit = threshold * float(plain.mean())
        return [
            self._strip(34, "plain", result, plain, mean_limit, by_mean, ORANGE),
            self._strip(270, "robust", result, robust, limit, words, BLUE),
        ]

    def _strip(
        self,
        top: float,
        name: str,
        result: Contest,
        distances: np.ndarray,
        limit: float,
        words: str,
        color: str,
    ) -> dict[str, Any]:
        reach = self._bounds[1] - self._bounds[0]
        jitter = np.random.RandomState(0).uniform(0.12, 0.88, len(distances))
        at = np.column_stack([np.minimum(distances, 0.98 * reach), jitter])
        line = min(limit, 0.98 * reach)
        align, dx = ("left", 7) if line < 0.5 * reach else ("right", -7)
        layers = [
            points(at[~result.added], color="quiet", size=3, alpha=0.6),
            points(at[result.added], color=RED, marker="x", size=5, width=2.2),
            segments([[line, 0, line, 1.25]], color=color, width=2.6),
            texts([[line, 1.1]], [words], bold=True, align=align, dx=dx),
        ]
        return panel(
            (480, top, 352, 150),
            (-0.01 * reach, reach, 0.0, 1.25),
            layers,
            title=f"Distances to the {name} centroids",
            axes=True,
            xlabel="distance",
        )


def _far(misses: np.ndarray) -> str:
    # without the rounding errors of a centroid that is in its place
    return three(round(float(misses.max()), 9))


def outlier_sandbox(
    X: ArrayLike | None = None,
    n_clusters: int = 3,
    *,
    centers: ArrayLike | None = None,
    outliers: ArrayLike | None = None,
    threshold: float = 3.0,
    random_state: Seed = 0,
    predict: Prediction | None = None,
) -> OutlierSandbox:
    """Click outliers into a picture; compare plain and robust k-means.

    Parameters
    ----------
    X : array-like of shape (n, 2), optional
        At most 600 clean points; three groups by default.
    n_clusters : int, default=3
        1 to 8.
    centers : array-like of shape (n_clusters, 2), optional
        The true centres, if they are known; by default those that k-means finds in ``X``.
    outliers : array-like of shape (m, 2), optional
        Outliers to begin with, at most 12; two by default.
    threshold : float, default=3.0
        ``outlier_threshold`` of `annlab.robust_kmeans_ann` to begin with.
    random_state : int, RandomState, Generator or None, default=0
    predict : Prediction, optional

    Returns
    -------
    Explorer

    Raises
    ------
    TypeError, ValueError
    MissingExtraError
        If anywidget is not installed.

    Notes
    -----
    Two fits for each position of the mouse, with five starts each.

    Examples
    --------
    >>> from annlab import widgets
    >>> sandbox = widgets.outlier_sandbox()
    >>> bool(sandbox.result.robust_miss.max() < sandbox.result.plain_miss.max())
    True
    """
    if X is None:
        X = three_groups()
    X = check_plane(X, most=_MOST_POINTS)
    n_clusters = check_integer(n_clusters, "n_clusters", maximum=min(8, len(X)))
    if centers is None:
        centers = kmeans(X, n_clusters, n_init=10, random_state=0, n_jobs=1).centroids
    else:
        check_handles(centers, "centers", n_clusters, n_clusters)
    centers = np.asarray(centers, dtype=np.float64)
    if outliers is None:
        low, high = X.min(axis=0), X.max(axis=0)
        middle, half = (low + high) / 2, float(np.max(high - low))
        outliers = [middle + half * np.array([0.8, 0.8]), middle + half * np.array([0.84, 0.62])]
    outliers = check_handles(outliers, "outliers", 0, _MOST_OUTLIERS)
    return OutlierSandbox(X, n_clusters, centers, outliers, threshold, random_state, predict)


def three_groups() -> np.ndarray:
    """Make three round groups of 50 points each."""
    centers = [[0.0, 0.0], [6.0, 1.0], [2.5, 5.5]]
    return make_blobs(150, centers=centers, cluster_std=0.7, random_state=1, dtype=np.float64).X


def example() -> OutlierSandbox:
    """Make a small explorer for the tests."""
    return outlier_sandbox(three_groups()[:60])

"""How much recall k-means needs: recall@1 of the index against inertia."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from annlab._support.checks import check_data, check_integer, check_n_clusters
from annlab._support.errors import invalid
from annlab._support.threads import single_threaded_blas
from annlab.datasets import load_digits_data, load_patches, make_blobs
from annlab.indexes import make_index
from annlab.indexes._base import NeighborIndex
from annlab.indexes.careless import CarelessIndex
from annlab.lloyd import kmeans, kmeans_ann
from annlab.result import KMeansResult
from annlab.widgets._steps import misassigned
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
    ladder,
    share,
    three,
)
from annlab.widgets.base.marks import chosen, curve, legend, write
from annlab.widgets.base.rows import OWN, evenly

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike

#: Points that are clustered, and points whose search is judged.
_POINTS, _JUDGED = 450, 225
#: Settings of each kind, from rough to fine.
_SETTINGS: dict[str, tuple[Any, ...]] = {
    "near misses": (0.0, 0.2, 0.4, 0.6, 0.8, 0.95),
    "far misses": (0.0, 0.2, 0.4, 0.6, 0.8, 0.95),
    "lsh": tuple({"n_tables": n, "n_hashes": 5, "n_probes": 1} for n in (1, 2, 4, 6, 9, 14)),
    "hnsw": tuple(
        {"M": M, "ef_construction": width, "ef": ef}
        for M, width, ef in ((2, 4, 1), (2, 8, 1), (2, 12, 2), (3, 12, 2), (4, 16, 4), (8, 40, 16))
    ),
    "pq": tuple(
        {"n_subspaces": parts, "n_codes": codes, "rerank": rerank}
        for parts, codes, rerank in (
            (1, 2, 1),
            (2, 2, 1),
            (2, 4, 1),
            (4, 4, 1),
            (4, 8, 1),
            (4, 8, 2),
        )
    ),
}
_ROUGHNESS = ("1 (roughest)", "2", "3", "4", "5", "6 (finest)")


@dataclass(frozen=True, eq=False)
class Setting:
    """One setting of an index inside k-means, over several starts.

    ``recall`` is recall@1 of the index itself, over first and last centroids of all starts;
    ``ratios`` are the final inertias over those of exact search; ``right`` is the share of points
    that end with their nearest centroid.
    """

    recall: float
    ratios: tuple[float, ...]
    right: float
    runs: tuple[KMeansResult, ...]

    @property
    def ratio(self) -> float:
        """Mean of ``ratios``."""
        return float(np.mean(self.ratios))


@dataclass(frozen=True, eq=False)
class Tradeoff:
    """Runs with exact search and six settings of an index, from the same starts."""

    exact: tuple[KMeansResult, ...]
    settings: tuple[Setting, ...]

    def needed(self, limit: float) -> float | None:
        """Return the lowest recall with at most ``limit`` times the exact inertia."""
        lowest = None
        for setting in sorted(self.settings, key=lambda one: -one.recall):
            if setting.ratio > limit:
                break
            lowest = setting.recall
        return lowest


def _thinned(X: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(evenly(X, _POINTS), dtype=np.float64)


@lru_cache(maxsize=4)
def _data(name: str) -> np.ndarray:
    if name == "digits":
        return _thinned(load_digits_data().X)
    if name == "patches":
        return load_patches(_POINTS, 8, random_state=0).astype(np.float64)
    return make_blobs(_POINTS, 20, 8, separation=6, random_state=0, dtype=np.float64).X


def _index(kind: str, setting: Any, dimensions: int) -> NeighborIndex:
    if kind.endswith("misses"):
        return CarelessIndex(setting, miss=kind.split()[0], random_state=0, n_jobs=1)
    if kind == "pq":
        setting = setting | {"n_subspaces": min(setting["n_subspaces"], dimensions)}
    return make_index(kind, **setting, random_state=0, n_jobs=1)


class TradeoffExplorer(Explorer):
    """The explorer that `tradeoff_explorer` makes."""

    name = "tradeoff_explorer"
    title = "How much recall does k-means need?"
    size = (840, 400)
    slow = True

    def __init__(
        self,
        X: ArrayLike | None,
        *,
        n_clusters: int | Sequence[int],
        n_starts: int,
        max_iter: int,
        predict: Predict,
    ) -> None:
        self.own = None if X is None else _thinned(check_data(X, min_rows=20))
        least = _POINTS if self.own is None else len(self.own)
        ks = [check_n_clusters(k, least) for k in np.atleast_1d(n_clusters).tolist()]
        if not ks or min(ks) < 3:
            rule = "at least 3, so that there is something to miss"
            raise invalid("n_clusters", rule, n_clusters)
        self.n_starts = check_integer(n_starts, "n_starts")
        self.max_iter = check_integer(max_iter, "max_iter")
        menu = ["digits", "patches", "blobs"]
        if self.own is not None:
            menu = [OWN, *menu]
        controls = [
            choice("data", "Data", "What is clustered", menu, menu[0]),
            choice(
                "index",
                "Index",
                "Errors made on purpose (near: the second nearest; far: any), or a real index",
                list(_SETTINGS),
                "near misses",
            ),
            ladder(
                "setting",
                "Setting",
                "From rough and quick to fine and slow",
                [(name, place) for place, name in enumerate(_ROUGHNESS)],
                2,
            ),
        ]
        self.k = ks[0]
        if len(ks) > 1:
            controls.append(ladder("k", "Clusters k", "How many clusters", ks, ks[0]))
        super().__init__(controls, predict=ask(predict, {"recall": self._question}))

    def _question(self) -> Prediction:
        # the question is about an index that is not on the screen yet
        return Prediction(
            "Now a real index. With lsh at its roughest setting, by how many percent does the "
            "inertia end higher than with exact search?",
            unit="%",
            truth=self._truth,
        )

    def _truth(self, result: Tradeoff) -> float:
        X = self._points("digits" if self.own is None else OWN)
        roughest = self._measured(X, self.k, "lsh", Job(), most=1).settings[0]
        return round(100 * (roughest.ratio - 1), 1)

    def _points(self, data: str) -> np.ndarray:
        return self.own if data == OWN and self.own is not None else _data(data)

    def _measured(self, X: np.ndarray, k: int, kind: str, job: Job, most: int = 6) -> Tradeoff:
        """Run exact search and ``most`` settings of an index from the same starts."""
        starts = [
            X[np.random.RandomState(seed).choice(len(X), k, replace=False)]
            for seed in range(self.n_starts)
        ]
        settings = []
        # the products are too small for threads
        with single_threaded_blas():
            exact = tuple(
                kmeans(X, k, init=start, max_iter=self.max_iter, trace=True, n_jobs=1)
                for start in starts
            )
            for place, values in enumerate(_SETTINGS[kind][:most], start=1):
                job.report(place, 7, f"setting {place} of 6")
                index = _index(kind, values, X.shape[1])
                settings.append(self._setting(X, k, index, starts, exact, job))
        return Tradeoff(exact, tuple(settings))

    def _setting(
        self,
        X: np.ndarray,
        k: int,
        index: NeighborIndex,
        starts: list[np.ndarray],
        exact: tuple[KMeansResult, ...],
        job: Job,
    ) -> Setting:
        asked = evenly(X, _JUDGED)
        runs, hits, right = [], [], []
        for start in starts:
            job.check()
            run = kmeans_ann(
                X, k, algorithm=index, init=start, max_iter=self.max_iter, trace=True, n_jobs=1
            )
            for centroids in (run.trace[0].centroids, run.centroids):
                found = index.fit(centroids).kneighbors(asked, 1)[1].ravel()
                hits.append(1 - misassigned(asked, centroids, found).mean())
            right.append(1 - misassigned(X, run.centroids, run.labels).mean())
            runs.append(run)
        ratios = tuple(
            float(run.inertia / best.inertia) for run, best in zip(runs, exact, strict=True)
        )
        return Setting(float(np.mean(hits)), ratios, float(np.mean(right)), tuple(runs))

    def compute(self, job: Job, *, data: str, index: str, k: int | None = None) -> Tradeoff:
        job.report(0, 7, "exact search")
        return self._measured(self._points(data), k or self.k, index, job)

    def sentence(
        self, result: Tradeoff, frame: int, *, data: str, index: str, setting: int, **k: int
    ) -> str:
        here = result.settings[setting]
        steps = [float(np.mean([run.n_iter for run in runs])) for runs in (here.runs, result.exact)]
        needed = result.needed(1.02)
        enough = (
            "no setting stays within 2% of exact search"
            if needed is None
            else f"recall {share(needed)} is enough for 2%"
        )
        plural = "s" if self.n_starts > 1 else ""
        return (
            f"recall {share(here.recall)} ({index}, {data}, k = {k.get('k', self.k)}): "
            f"{three(here.ratio)} times the inertia of exact search, mean of {self.n_starts} "
            f"start{plural} from {three(min(here.ratios))} to {three(max(here.ratios))}; "
            f"{share(here.right)} of the labels right at the end, {three(steps[0])} iterations "
            f"instead of {three(steps[1])}. Here {enough}."
        )

    def draw(
        self,
        figure: Figure,
        result: Tradeoff,
        frame: int,
        *,
        data: str,
        index: str,
        setting: int,
        **k: int,
    ) -> None:
        left, right = figure.subplots(1, 2, width_ratios=(1.3, 1))
        self._draw_tradeoff(left, result, setting, f"{index}, {data}, k = {k.get('k', self.k)}")
        self._draw_runs(right, result, setting)

    def _draw_tradeoff(self, axes: Axes, result: Tradeoff, setting: int, title: str) -> None:
        chart(axes, "recall@1 of the index", "inertia, exact search = 1", title)
        most = max(1.1, *(max(one.ratios) for one in result.settings))
        least = min(0.97, *(min(one.ratios) for one in result.settings))
        axes.axhspan(0, 1.02, color=PALETTE[2], alpha=0.13, linewidth=0)
        axes.axhline(1, color=INK, linewidth=1.6)
        for one in result.settings:
            recalls = [one.recall] * len(one.ratios)
            axes.plot(recalls, one.ratios, "o", color=PALETTE[4], markersize=5)
        order = sorted(result.settings, key=lambda one: one.recall)
        recalls, ratios = [one.recall for one in order], [one.ratio for one in order]
        label = "mean of the starts (dots)"
        curve(axes, recalls, ratios, PALETTE[0], "s", width=2.2, size=7, label=label)
        here = result.settings[setting]
        chosen(axes, here.recall, here.ratio, label="this setting")
        room = 0.1 * (most - least)
        axes.set(xlim=(-0.03, 1.03), ylim=(least - room, most + room))
        legend(axes)
        write(axes, 0.0, 1.0 - 0.3 * room, "exact search", "left top", color=QUIET)

    def _draw_runs(self, axes: Axes, result: Tradeoff, setting: int) -> None:
        here = result.settings[setting]
        unit = "inertia, end of exact search = 1"
        chart(axes, "iteration", unit, "the first start, step by step")
        base = result.exact[0].inertia
        runs = (
            (result.exact[0], INK, "s", "exact search"),
            (here.runs[0], ALARM, "D", "this setting"),
        )
        for run, color, marker, label in runs:
            values = run.trace.inertia / base
            curve(axes, range(1, len(values) + 1), values, color, marker, size=5, label=label)
        top = max(float(one.runs[0].trace.inertia[0]) for one in result.settings) / base
        axes.set(xlim=(0.5, self.max_iter + 0.5), ylim=(0.9, min(1.08 * top, 4.0)))
        axes.locator_params("x", integer=True)
        legend(axes)


def tradeoff_explorer(
    X: ArrayLike | None = None,
    *,
    n_clusters: int | Sequence[int] = (10, 20, 40),
    n_starts: int = 3,
    max_iter: int = 20,
    predict: Predict = None,
) -> TradeoffExplorer:
    """Trade recall of the index against the inertia of the clusters.

    On the left, each setting of an index is a point: how often it finds the nearest centroid, and
    the inertia with which k-means ends, relative to exact search from the same starts. On the
    right, one run goes down beside exact search.

    Parameters
    ----------
    X : array-like of shape (n, d), optional
        Your own data, beside digits, image patches and blobs. 450 rows are used at most.
    n_clusters : int or sequence of int, default=(10, 20, 40)
        One k, or several to choose from.
    n_starts : int, default=3
        Random starts; each is run exactly and with every setting.
    max_iter : int, default=20
    predict : "recall" or Prediction, optional
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
    "Near misses" and "far misses" are deliberate errors, see
    `annlab.indexes.careless.CarelessIndex`. The recall is that of the index, on the first and the
    last centroids; more labels are right, because a label only changes for a closer centroid.

    Examples
    --------
    >>> from annlab import widgets
    >>> from annlab.datasets import make_blobs
    >>> X = make_blobs(120, 6, separation=8, random_state=0).X
    >>> explorer = widgets.tradeoff_explorer(X, n_clusters=6, n_starts=1)
    >>> explorer.set(setting=5).text  # doctest: +ELLIPSIS
    'recall 0.9... (near misses, your data, k = 6): ... times the inertia of exact search, ...'
    """
    return TradeoffExplorer(
        X, n_clusters=n_clusters, n_starts=n_starts, max_iter=max_iter, predict=predict
    )


def example() -> TradeoffExplorer:
    """Make a small explorer for the tests."""
    X = make_blobs(60, 4, 4, random_state=0, dtype=np.float64).X
    return tradeoff_explorer(X, n_clusters=(4, 6), n_starts=1, max_iter=3, predict="recall")

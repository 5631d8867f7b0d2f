"""Maps of data of many features: PCA, t-SNE and UMAP side by side, and how far to trust each."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from annlab._support.checks import check_data, check_integer, check_random_state
from annlab._support.errors import MissingExtraError, invalid
from annlab._support.types import LabelsLike
from annlab.metrics import check_labels
from annlab.widgets._embedding_draw import draw_maps, draw_scores, draw_tiles
from annlab.widgets._embedding_maps import (
    FEWEST,
    MOST,
    NEAREST,
    POINTS,
    SETS,
    THIRD,
    Cloud,
    Maps,
    View,
    built_in,
    cloud_of,
    mapped,
    patiently,
)
from annlab.widgets.base import (
    Control,
    Explorer,
    Job,
    Predict,
    Prediction,
    ask,
    choice,
    ladder,
    number,
    share,
    slider,
)
from annlab.widgets.base.marks import page
from annlab.widgets.base.rows import OWN, evenly, shuffled_columns

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike

_PERPLEXITIES = (2, 5, 10, 30, 50, 80)
_NEIGHBORS = (5, 10, 15, 30, 60)
#: Of controls, in CSS pixels, so that they fill few rows.
_WIDTHS = {"perplexity": 290, "neighbors": 290, "seed": 100, "follow": 300, "dims": 165}
_COLORS = ("k-means in the data", "true groups")


class EmbeddingExplorer(Explorer):
    """The explorer that `embedding_explorer` makes."""

    name = "embedding_explorer"
    title = "One cloud of points, three maps of it: which would you believe?"
    size = (840, 525)
    slow = True

    def __init__(
        self,
        X: ArrayLike | None,
        labels: LabelsLike | None,
        *,
        n_clusters: int,
        tile: tuple[int, ...] | None,
        n_points: int,
        n_components: int,
        predict: Predict,
    ) -> None:
        check_integer(n_components, "n_components", minimum=2, maximum=3)
        self.n = check_integer(n_points, "n_points", minimum=60, maximum=MOST)
        check_integer(n_clusters, "n_clusters", minimum=2, maximum=10)
        self.own: dict[str, Cloud] = {}
        d, groups, known = 50, max(SETS.values()), True
        if X is None:
            if labels is not None or tile is not None:
                raise invalid("labels and tile", "given with X only", "one of them without X")
        else:
            self._take_own(check_data(X, min_rows=FEWEST), labels, n_clusters, tile)
            own = self.own[OWN]
            d, known = own.X.shape[1], own.truth is not None
            groups = n_clusters
            if own.truth is not None:
                groups = max(groups, int(own.truth.max()) + 1)
            if d < n_components:
                raise invalid("X", f"of at least {n_components} features", d)
        asked = ask(predict, {"kept": self._question})
        coloured = self._coloring(groups, known)
        controls = [*self._mapping(d > 2, n_components), *coloured]
        super().__init__(controls + (_turning() if d > 2 else []), predict=asked)
        for name, width in _WIDTHS.items():
            if name in self.controls:
                self.controls[name].widget.layout.width = f"{width}px"

    def _mapping(self, deep: bool, n_components: int) -> list[Control]:
        """Controls that make other maps."""
        # t-SNE needs perplexities well below the number of points
        perplexities = [p for p in _PERPLEXITIES if 3 * p < self.n]
        neighbors = [m for m in _NEIGHBORS if 3 * m < self.n] or [5]
        neighbors += [self.n // 2] if len(neighbors) < 2 else []
        menu = tuple(self.own or SETS)
        sizes = {"2-D": 2, "3-D": 3}
        dims = [choice("dims", "Dimensions", "Of the maps", sizes, n_components)] if deep else []
        return [
            choice("data", "Data", "Points to map; noise has no groups", menu, menu[0]),
            choice(
                "third",
                "Third map",
                "What stands beside PCA and t-SNE; UMAP takes seconds to start up, once",
                THIRD,
                THIRD[0],
            ),
            number("seed", "Seed", "Of the random start, and of UMAP", 0, 9, 0),
            *dims,
            ladder(
                "perplexity",
                "t-SNE perplexity",
                "About how many neighbours each point tries to keep on both maps of t-SNE",
                perplexities,
                max(p for p in perplexities if p <= 30),
            ),
            ladder(
                "neighbors",
                "UMAP neighbours",
                "How many neighbours each point tries to keep on the map of UMAP",
                neighbors,
                max(m for m in neighbors if m <= 15),
            ),
        ]

    def _coloring(self, groups: int, known: bool) -> list[Control]:
        """Controls that colour and mark the points of the maps."""
        whose = choice("color", "Colour by", "Whose groups", _COLORS, _COLORS[0], recompute=False)
        return [
            *([whose] if known else []),
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

    def _question(self) -> Prediction:
        return Prediction(
            f"Of the {NEAREST} points nearest to a point, how many are still among its "
            f"{NEAREST} nearest on the t-SNE map, on average?",
            truth=self._truth,
            unit=f"of {NEAREST}",
        )

    def _take_own(
        self,
        rows: np.ndarray,
        labels: LabelsLike | None,
        n_clusters: int,
        tile: tuple[int, ...] | None,
    ) -> None:
        rows = rows.astype(np.float64)
        truth = None if labels is None else check_labels(labels, "labels", len(rows))
        rows, truth = evenly(rows, MOST), None if truth is None else evenly(truth, MOST)
        if rows.shape[1] < 2:
            raise invalid("X", "of at least 2 features", rows.shape[1], "Draw a histogram.")
        if tile is not None and int(np.prod(tile)) != rows.shape[1]:
            raise invalid("tile", f"the shape of a picture of {rows.shape[1]} numbers", tile)
        alone = shuffled_columns(rows, check_random_state(0))
        for name, X in (("X", rows), ("X with shuffled columns", alone)):
            different = len(np.unique(X, axis=0))
            least = max(FEWEST, 2 * n_clusters)
            if different < least:
                raise invalid(name, f"of at least {least} different rows", different)
        if truth is not None:
            # numbered from 0, outliers −1
            names, truth = np.unique(np.maximum(truth, -1), return_inverse=True)
            truth = truth - int(names[0] < 0)
        self.n = len(rows)
        shape = None if tile is None else tuple(tile)
        self.own = {
            OWN: cloud_of(rows, truth, n_clusters, shape),
            f"{OWN}, shuffled": cloud_of(alone, None, n_clusters, shape),
        }

    def _cloud(self, data: str) -> Cloud:
        return self.own[data] if data in self.own else built_in(data, self.n)

    def _truth(self, result: Maps) -> float:
        cloud, view = result.cloud, result.views[1]
        rows = range(len(cloud.X))
        return round(float(np.mean([self._kept(cloud, view, row) for row in rows])), 1)

    def _map(
        self, job: Job, done: int, total: int, cloud: Cloud, method: str, *settings: int
    ) -> View:
        text = f"{method} starts up" if method == "UMAP" and "umap" not in sys.modules else method
        return patiently(job, done, total, text, lambda: mapped(cloud, method, *settings))

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
            missing = 'UMAP is not installed. Install it with: pip install "annlab-kmeans[lab]"'
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
        figure: Figure,
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
        axes = page(figure, self.size)
        labels, _ = self._groups(result.cloud, color)
        draw_maps(axes, result, labels, third, highlight, follow, (azimuth, elevation))
        draw_scores(axes, result)
        draw_tiles(axes, result.cloud, follow)


def _turning() -> list[Control]:
    """Controls that walk around maps in space."""
    return [
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


def embedding_explorer(
    X: ArrayLike | None = None,
    labels: LabelsLike | None = None,
    *,
    n_clusters: int = 5,
    tile: tuple[int, ...] | None = None,
    n_points: int = POINTS,
    n_components: int = 2,
    predict: Predict = None,
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
        If an argument is invalid.

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

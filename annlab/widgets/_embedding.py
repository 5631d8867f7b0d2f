"""``embedding_explorer``: PCA, t-SNE, UMAP, and how far to trust each."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from annlab._support.checks import check_integer, check_random_state
from annlab._support.errors import MissingExtraError, invalid
from annlab._support.types import LabelsLike
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
from annlab.widgets.base.rows import OWN, own_rows, shuffled_columns

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike

_PERPLEXITIES = (2, 5, 10, 30, 50, 80)
_NEIGHBORS = (5, 10, 15, 30, 60)
#: Widths of controls in CSS pixels, so that they fill few rows.
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
        if X is not None:
            self.own = _own_clouds(X, labels, n_clusters, tile)
            cloud = self.own[OWN]
            (self.n, d), known = cloud.X.shape, cloud.truth is not None
            groups = n_clusters
            if cloud.truth is not None:
                groups = max(groups, int(cloud.truth.max()) + 1)
            if d < n_components:
                raise invalid("X", f"an array with at least {n_components} features", d)
        elif labels is not None or tile is not None:
            raise invalid("labels and tile", "given only with X", "one of them without X")
        controls = [*self._mapping(d > 2, n_components), *self._coloring(groups, known)]
        controls += _turning() if d > 2 else []
        super().__init__(controls, predict=ask(predict, {"kept": self._question}))
        for name, width in _WIDTHS.items():
            if name in self.controls:
                self.controls[name].widget.layout.width = f"{width}px"

    def _mapping(self, deep: bool, n_components: int) -> list[Control]:
        """Make the controls of the maps."""
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
                "Shown beside PCA and t-SNE; UMAP takes seconds to start up, once",
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
        """Make the controls that colour and mark points."""
        whose = choice("color", "Colour by", "Whose groups", _COLORS, _COLORS[0])
        return [
            *([whose] if known else []),
            choice(
                "highlight",
                "Highlight group",
                "Only this group keeps its colour, on all maps at once",
                ("all", *(str(group) for group in range(groups))),
                "all",
            ),
            slider(
                "follow",
                "Follow point",
                "Star on this point, rings on its nearest in the data, on all maps; 0 for none",
                0,
                self.n,
                0,
            ),
        ]

    def _question(self) -> Prediction:
        return Prediction(
            f"Of the {NEAREST} points nearest to a point, how many are still among its "
            f"{NEAREST} nearest on the t-SNE map, on average?",
            truth=self._truth,
            unit=f"of {NEAREST}",
        )

    def _truth(self, result: Maps) -> float:
        cloud, view = result.cloud, result.views[1]
        return round(float(np.mean([_kept(cloud, view, row) for row in range(len(cloud.X))])), 1)

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
        cloud, missing = self.own.get(data) or built_in(data, self.n), ""

        def view(place: int, method: str, value: int, seed: int = 0) -> View:
            starts = method == "UMAP" and "umap" not in sys.modules
            text = "UMAP starts up" if starts else method
            return patiently(job, place, 3, text, mapped, cloud, method, dims, value, seed)

        # neither PCA nor a t-SNE that starts from it depends on the seed
        views = [view(0, "PCA", 0), view(1, "t-SNE", perplexity)]
        try:
            views.append(view(2, third, neighbors if third == "UMAP" else perplexity, seed))
        except MissingExtraError:
            missing = 'UMAP is not installed. Install it with: pip install "annlab-kmeans[lab]"'
        return Maps(cloud, tuple(views), missing)

    def present(self, result: Maps, frame: int, **values: Any) -> None:
        super().present(result, frame, **values)
        # controls without effect take no room
        idle = {"neighbors": values["third"] != "UMAP"}
        if "dims" in self.controls:
            idle |= dict.fromkeys(("azimuth", "elevation"), values["dims"] == 2)
        for name, hidden in idle.items():
            self.controls[name].widget.disabled = hidden
            self.controls[name].widget.layout.display = "none" if hidden else None

    def sentence(
        self,
        result: Maps,
        frame: int,
        *,
        highlight: str,
        follow: int,
        color: str = _COLORS[0],
        dims: int = 2,
        **values: Any,
    ) -> str:
        cloud, views = result.cloud, result.views
        labels, whose = _groups(cloud, color)
        told = (
            f"{values['data']}, {len(cloud.X)} points in {dims}-D, t-SNE perplexity "
            f"{values['perplexity']}, UMAP neighbours {values['neighbors']}, seed "
            f"{values['seed']}, coloured by {whose}"
        )
        if color == "true groups" and cloud.truth is None:
            told += " (these data have no true groups)"
        if highlight != "all":
            size = int((labels == int(highlight)).sum())
            shown = f", group {highlight} highlighted: {size} points"
            told += shown if size else f"; there is no group {highlight}"
        if dims == 3:
            told += f", seen from azimuth {values['azimuth']}°, elevation {values['elevation']}°"
        trust = ", ".join(f"{view.name} {share(view.trust)}" for view in views)
        scores = ", ".join(f"{view.name} {view.silhouette:.2f}" for view in views)
        told += (
            f". Trustworthiness: {trust}. "
            f"Silhouette of k-means: the data {cloud.silhouette:.2f}, {scores}."
        )
        if result.missing:
            told += f" {result.missing}."
        if follow:
            kept = ", ".join(f"{view.name} {_kept(cloud, view, follow - 1)}" for view in views)
            told += (
                f" Of the {cloud.nearest.shape[1]} points nearest to point {follow}, so many are "
                f"among its nearest on the map: {kept}."
            )
        return told

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
        **values: object,
    ) -> None:
        axes = page(figure, self.size)
        labels, _ = _groups(result.cloud, color)
        draw_maps(axes, result, labels, third, highlight, follow, (azimuth, elevation))
        draw_scores(axes, result)
        draw_tiles(axes, result.cloud, follow)


def _own_clouds(
    X: ArrayLike, labels: LabelsLike | None, n_clusters: int, tile: tuple[int, ...] | None
) -> dict[str, Cloud]:
    """Cluster data of your own, and the same columns, each shuffled by itself."""
    rows, truth = own_rows(X, labels, fewest=FEWEST, most=MOST)
    d = rows.shape[1]
    if d < 2:
        raise invalid("X", "an array with at least 2 features", d, "Draw a histogram.")
    if tile is not None and int(np.prod(tile)) != d:
        raise invalid("tile", f"the shape of a picture of {d} numbers", tile)
    alone = shuffled_columns(rows, check_random_state(0))
    least = max(FEWEST, 2 * n_clusters)
    for name, one in (("X", rows), ("X with shuffled columns", alone)):
        different = len(np.unique(one, axis=0))
        if different < least:
            raise invalid(name, f"an array with at least {least} different rows", different)
    return {
        OWN: cloud_of(rows, truth, n_clusters, tile),
        f"{OWN}, shuffled": cloud_of(alone, None, n_clusters, tile),
    }


def _groups(cloud: Cloud, color: str) -> tuple[np.ndarray, str]:
    """Return the groups to colour by, and their name in the sentence."""
    if color == "true groups" and cloud.truth is not None:
        return cloud.truth, "the true groups"
    return cloud.labels, f"k-means of the data, k = {cloud.n_clusters}"


def _kept(cloud: Cloud, view: View, row: int) -> int:
    """Count nearest points that are also among the nearest on a map."""
    return len(np.intersect1d(cloud.nearest[row], view.nearest[row]))


def _turning() -> list[Control]:
    """Make the controls that rotate 3-D maps."""
    return [
        slider(
            "azimuth",
            "Azimuth",
            "Walk around the 3-D maps, in degrees",
            -180,
            180,
            -60,
            step=5,
        ),
        slider(
            "elevation",
            "Elevation",
            "Look at the 3-D maps from above, in degrees",
            -90,
            90,
            25,
            step=5,
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
    """Compare maps of points: PCA, t-SNE, and UMAP or randomly started t-SNE.

    The maps are linked: a highlighted group, or a followed point with its nearest in the data, is
    shown on all of them. Below: how trustworthy each map is, and the silhouette of k-means made
    in the data and on each map. Two of the built-in sets are noise, which has no groups.

    Parameters
    ----------
    X : array-like of shape (n, d), optional
        Data of your own instead of the built-in sets, and the same columns, each shuffled by
        itself, as data without groups. Of more than 400 rows evenly spaced ones are kept.
    labels : array-like of shape (n,), optional
        True groups of ``X``; −1 for points of no group.
    n_clusters : int, default=5
        Clusters of k-means in ``X``, from 2 to 10.
    tile : tuple of int, optional
        (height, width) or (height, width, 3) if the rows of ``X`` are small pictures, to show
        those of the followed point and its nearest.
    n_points : int, default=200
        Points of the built-in sets, from 60 to 400.
    n_components : {2, 3}, default=2
        Dimensions of the first maps.
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
    Each map costs O(n²), about a second for t-SNE. The first map of UMAP takes seconds, in which
    it compiles itself. Sources: van der Maaten & Hinton (2008), "Visualizing data using t-SNE",
    JMLR 9; McInnes, Healy & Melville (2018), arXiv 1802.03426; trustworthiness: Venna & Kaski
    (2001), doi 10.1007/3-540-44668-0_68.

    Examples
    --------
    >>> from annlab import widgets
    >>> explorer = widgets.embedding_explorer(n_points=60).set(data="uniform noise")
    >>> explorer  # doctest: +ELLIPSIS
    uniform noise, 60 points in 2-D, t-SNE perplexity 10, UMAP neighbours 15, seed 0, ...
    >>> [view.Y.shape for view in explorer.set(dims=3).result.views]
    [(60, 3), (60, 3), (60, 3)]
    """
    return EmbeddingExplorer(X, labels, n_clusters, tile, n_points, n_components, predict)


def example() -> EmbeddingExplorer:
    """Make a small explorer for the tests."""
    return embedding_explorer(n_points=60, n_components=3, predict="kept")

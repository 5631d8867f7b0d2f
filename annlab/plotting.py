"""Pictures of points, fits, searches and comparisons: ``plot_…(…, ax=None) -> ax``.

Every function draws into the axes it is given, and only where none are given does it make a figure
through pyplot: so that notebooks show it and ``plt.show()`` finds it. Nothing here calls
``plt.show()``. Colours are told apart by colour-blind readers, and clusters differ by marker too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from annlab._support.checks import (
    as_array,
    check_choice,
    check_data,
    check_integer,
    check_items,
    check_random_state,
    check_real,
    is_sparse,
)
from annlab._support.errors import invalid, require
from annlab.metrics import check_labels

__all__ = [
    "cluster_color",
    "cluster_marker",
    "plot_clusters",
    "plot_convergence",
    "plot_elbow",
    "plot_palette",
    "plot_patches",
    "plot_recall_speed",
    "plot_silhouette",
    "plot_time_to_quality",
    "visualize_clusters",
]

#: Okabe & Ito (2008), "Color universal design", the strongest contrasts first.
PALETTE = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#D55E00",
    "#F0E442",
    "#000000",
)
#: A second code that needs no colour: with 8 colours and 7 markers 56 clusters differ.
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
OUTLIER_COLOR = "#6b6b6b"
#: More clusters than this get a continuous colour map: nobody reads 57 marks.
_MOST_MARKED = len(PALETTE) * len(MARKERS)
#: More clusters than this get no legend.
_MOST_NAMED = 12
#: Past so many points a picture in two dimensions shows a sample, and says so.
_MOST_DRAWN = 50_000
_METHOD_NAMES = {"tsne": "t-SNE", "pca": "PCA", "umap": "UMAP"}
#: Past so many points `visualize_clusters` projects a sample, and says so.
_MOST_PROJECTED: dict[str | None, int] = {"pca": 50_000, "tsne": 5_000, "umap": 20_000}


def cluster_color(cluster: int) -> str:
    """Colour of a cluster, one of eight.

    Examples
    --------
    >>> from annlab.plotting import cluster_color
    >>> cluster_color(0), cluster_color(8) == cluster_color(0)
    ('#0072B2', True)
    """
    return PALETTE[_cluster(cluster) % len(PALETTE)]


def cluster_marker(cluster: int) -> str:
    """Marker of a cluster: clusters of one colour have different markers.

    Examples
    --------
    >>> from annlab.plotting import cluster_marker
    >>> cluster_marker(0), cluster_marker(8)
    ('o', '^')
    """
    cluster = _cluster(cluster)
    return MARKERS[(cluster + cluster // len(PALETTE)) % len(MARKERS)]


def _cluster(cluster: Any) -> int:
    # any integer at all: −1 marks an outlier
    return check_integer(cluster, "cluster", minimum=-(2**63))


def _axes(ax: Any, *, figsize: tuple[float, float] = (6.4, 4.8), projection: str | None = None):  # type: ignore[no-untyped-def]
    """The axes given, or those of a new pyplot figure (a notebook shows it by itself)."""
    if ax is not None:
        if not hasattr(ax, "plot") or not hasattr(ax, "figure"):
            raise invalid("ax", "None or matplotlib axes", repr(ax), error=TypeError)
        if (projection == "3d") != (getattr(ax, "name", "") == "3d"):
            raise invalid(
                "ax",
                "three-dimensional axes" if projection == "3d" else "two-dimensional axes",
                f"axes of projection {getattr(ax, 'name', '?')!r}",
                "Make them with figure.add_subplot(projection='3d')."
                if projection == "3d"
                else "Make them with figure.add_subplot().",
            )
        return ax
    import matplotlib.pyplot as plt

    figure = plt.figure(figsize=figsize, layout="constrained")
    return figure.add_subplot(projection=projection)


def _sample(n: int, most: int, rng: np.random.RandomState) -> np.ndarray | None:
    """Rows to draw, in order; None for all of them."""
    return None if n <= most else np.sort(rng.choice(n, most, replace=False))


def _shown(n: int, sample: np.ndarray | None) -> str:
    return f"{n:,} points" if sample is None else f"{len(sample):,} of {n:,} points, at random"


# --- points ------------------------------------------------------------------------------------


def plot_clusters(
    X: Any,
    labels: Any = None,
    centroids: Any = None,
    *,
    ax: Any = None,
    max_points: int = _MOST_DRAWN,
    size: float | None = None,
    legend: bool | None = None,
    title: str | None = None,
    random_state: Any = 0,
) -> Any:
    """Draw points of two features by cluster, with their centroids.

    Parameters
    ----------
    X : array-like of shape (n, 2)
        For more features see `visualize_clusters`.
    labels : array-like of shape (n,), or a result, optional
        −1 is drawn as an outlier, a grey cross. A result brings its centroids along. None draws
        all points alike.
    centroids : array-like of shape (k, 2), optional
    ax : matplotlib Axes, optional
    max_points : int, default=50,000
        Draw a sample of more points; the title then says so.
    size : float, optional
        Area of a point, in points²; by default it shrinks with their number.
    legend : bool, optional
        By default where there are at most 12 clusters.
    title : str, optional
    random_state : None, int, RandomState or Generator, default=0
        Draws the sample.

    Returns
    -------
    matplotlib Axes
        With equal scales: unequal ones make right assignments look wrong.

    Raises
    ------
    TypeError, ValueError

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from annlab import kmeans
    >>> from annlab.datasets import make_blobs
    >>> from annlab.plotting import plot_clusters
    >>> X, _ = make_blobs(200, 3, random_state=0)
    >>> ax = plot_clusters(X, kmeans(X, 3, random_state=0), ax=Figure().add_subplot())
    >>> ax.get_aspect()
    1.0
    """
    X = check_data(X, n_features=2)
    n = len(X)
    if centroids is None:
        centroids = getattr(labels, "centroids", getattr(labels, "cluster_centers_", None))
    codes = np.zeros(n, dtype=np.int64) if labels is None else check_labels(labels, "labels", n)
    most = check_integer(max_points, "max_points")
    sample = _sample(n, most, check_random_state(random_state))
    ax = _axes(ax)
    drawn, marks = (X, codes) if sample is None else (X[sample], codes[sample])
    _scatter(ax, drawn, marks, size, legend if labels is not None else False)
    if centroids is not None:
        centroids = check_data(centroids, name="centroids", n_features=2)
        ax.scatter(
            *centroids.T, s=110, marker="*", c="white", edgecolors="black", linewidths=1.2, zorder=5
        )
    ax.set_aspect("equal", adjustable="datalim")
    if sample is not None:
        shown = _shown(n, sample)
        title = f"{title} ({shown})" if title else shown
    if title:
        ax.set_title(title)
    return ax


def _scatter(
    ax: Any, X: np.ndarray, codes: np.ndarray, size: float | None, legend: bool | None
) -> None:
    """Points by cluster, in 2-D or 3-D; −1 as crosses."""
    names = np.unique(codes[codes >= 0])
    area = (
        float(np.clip(10_000 / max(len(X), 1), 4, 40)) if size is None else check_real(size, "size")
    )
    if len(names) <= _MOST_MARKED:
        for name in names:
            ax.scatter(
                *X[codes == name].T,
                s=area,
                c=cluster_color(int(name)),
                marker=cluster_marker(int(name)),
                linewidths=0,
                alpha=0.8,
                label=f"cluster {name}",
            )
    else:
        kept = codes >= 0
        # neighbouring numbers say nothing about neighbouring clusters: spread them over the map
        place = np.searchsorted(names, codes[kept]) * 0.6180339887 % 1.0
        ax.scatter(*X[kept].T, s=area, c=place, cmap="viridis", linewidths=0, alpha=0.8)
    if (codes < 0).any():
        ax.scatter(
            *X[codes < 0].T,
            s=max(area, 16),
            c=OUTLIER_COLOR,
            marker="x",
            linewidths=0.8,
            label="outlier",
        )
    if legend is None:
        legend = len(names) + bool((codes < 0).any()) <= _MOST_NAMED
    if legend and ax.get_legend_handles_labels()[0]:
        ax.legend(loc="best", markerscale=1.5, fontsize="small")


def visualize_clusters(
    X: Any,
    labels: Any,
    n_components: int = 2,
    method: str | None = None,
    *,
    ax: Any = None,
    max_points: int | None = None,
    method_params: Mapping[str, Any] | None = None,
    size: float | None = None,
    legend: bool | None = None,
    random_state: Any = 42,
) -> Any:
    """Project points of any dimension to two or three and draw them by cluster.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n, d)
    labels : array-like of shape (n,), or a result
        −1 is drawn as an outlier.
    n_components : {2, 3}, default=2
    method : {"tsne", "pca", "umap"}, optional
        By default t-SNE, except that points with as many features as components are drawn as
        they are: there is nothing to reduce. ``"pca"`` shows distances as they are, as far as
        two directions can; the other two keep neighbours together and say nothing by the
        distance or the size of groups. ``"umap"`` needs the package umap-learn.
    ax : matplotlib Axes, optional
        Three-dimensional ones for three components.
    max_points : int, optional
        Project a sample of more points, and say so in the title: by default 5,000 for t-SNE,
        20,000 for UMAP and 50,000 otherwise.
    method_params : dict, optional
        Parameters of scikit-learn's `PCA` or `TSNE`, or of `umap.UMAP`, such as
        ``{"perplexity": 50}``.
    size, legend
        As in `plot_clusters`.
    random_state : None, int, RandomState or Generator, default=42
        Draws the sample and the projection.

    Returns
    -------
    matplotlib Axes
        ``ax.embedding`` holds the coordinates that are drawn, ``ax.rows`` the rows of X.

    Raises
    ------
    MissingExtraError
        For ``"umap"`` without umap-learn.
    TypeError, ValueError

    Notes
    -----
    More than 50 features are first reduced to 50 by PCA (sparse ones by truncated SVD), as
    scikit-learn recommends. How far to trust the picture: `annlab.metrics.trustworthiness`.
    van der Maaten & Hinton (2008), "Visualizing data using t-SNE", JMLR 9; McInnes, Healy &
    Melville (2018), "UMAP", arXiv 1802.03426.

    Examples
    --------
    >>> import numpy as np
    >>> from matplotlib.figure import Figure
    >>> from annlab.plotting import visualize_clusters
    >>> X = np.random.RandomState(0).rand(60, 20)
    >>> ax = visualize_clusters(X, [0, 1] * 30, method="pca", ax=Figure().add_subplot())
    >>> ax.get_title(), ax.embedding.shape
    ('PCA of 60 points', (60, 2))
    """
    X = check_data(X, accept_sparse=True)
    n, d = X.shape
    codes = check_labels(labels, "labels", n)
    n_components = check_integer(n_components, "n_components", minimum=2, maximum=3)
    if method is not None:
        check_choice(method, "method", tuple(_METHOD_NAMES))
    elif d != n_components:
        method = "tsne"
    if min(n, d) < n_components:
        raise invalid(
            "X",
            f"an array with at least {n_components} rows and columns for {n_components} components",
            f"shape {X.shape}",
            "A single feature is best shown as a histogram.",
        )
    if method_params is not None and not isinstance(method_params, Mapping):
        raise invalid("method_params", "None or a dict", repr(method_params), error=TypeError)
    if method is None and method_params:
        raise invalid(
            "method",
            f"named with method_params for data of {d} features, which are drawn as they are",
            None,
            "Pass method='tsne', 'pca' or 'umap'.",
        )
    if method == "umap":
        require("umap", purpose="for visualize_clusters(method='umap')", extra="lab")
    rng = check_random_state(random_state)
    most = (
        _MOST_PROJECTED.get(method, _MOST_DRAWN)
        if max_points is None
        else check_integer(max_points, "max_points")
    )
    sample = _sample(n, most, rng)
    if sample is not None:
        X, codes = X[sample], codes[sample]
    if method is not None:
        embedding = _project(X, n_components, method, dict(method_params or {}), rng)
    else:
        embedding = X.toarray() if is_sparse(X) else X.copy()
    ax = _axes(ax, figsize=(8, 6.5), projection="3d" if n_components == 3 else None)
    _scatter(ax, embedding, codes, size, legend)
    name = _METHOD_NAMES[method] if method else ""
    ax.set_title(f"{name} of {_shown(n, sample)}" if name else _shown(n, sample))
    for axis, set_label in enumerate(
        (ax.set_xlabel, ax.set_ylabel, getattr(ax, "set_zlabel", None))
    ):
        if axis < n_components and set_label is not None:
            set_label(f"{name} component {axis + 1}" if name else f"feature {axis + 1}")
    if method in (None, "pca"):
        # t-SNE and UMAP have no distances that would mean something
        ax.set_aspect("equal", adjustable="datalim" if n_components == 2 else "box")
    ax.embedding = embedding
    ax.rows = np.arange(n) if sample is None else sample
    return ax


def _project(
    X: Any, n_components: int, method: str, params: dict[str, Any], rng: np.random.RandomState
) -> np.ndarray:
    from sklearn.decomposition import PCA, TruncatedSVD

    n, d = X.shape
    seed = params.pop("random_state", int(rng.randint(2**31 - 1)))
    if method == "pca":
        make = TruncatedSVD if is_sparse(X) else PCA
        return make(n_components, random_state=seed, **params).fit_transform(X)
    if d > 50 and n > 50:
        make = TruncatedSVD if is_sparse(X) else PCA
        X = make(50, random_state=seed).fit_transform(X)
    elif is_sparse(X):
        X = X.toarray()
    # neither place nor size of the data means anything to the two, but their single precision
    # overflows, and t-SNE's tree of points that are not numbers crashes the process
    # (less the first row and not the mean: rows that are all alike become exactly 0)
    X = X.astype(np.float64) - X[0]
    largest = np.abs(X).max()
    X = X / largest if largest > 0 else X
    if method == "tsne":
        from sklearn.manifold import TSNE
        from threadpoolctl import threadpool_limits

        # t-SNE wants perplexity well below n; its default is for hundreds of points
        params.setdefault("perplexity", min(30.0, max(1.0, (n - 1) / 3)))
        params.setdefault("init", "pca" if n > n_components < d and largest > 0 else "random")
        # its threads meet thousands of times: for a few thousand points that costs more than it
        # saves, and on a machine that others use as well, minutes (they spin while they wait)
        with threadpool_limits(1):
            return TSNE(n_components, random_state=seed, **params).fit_transform(X)
    import warnings

    umap = require("umap", purpose="for visualize_clusters(method='umap')", extra="lab")
    params.setdefault("n_neighbors", max(2, min(15, n - 1)))
    # few points leave no room for the spectral start
    params.setdefault("init", "spectral" if n > 4 * n_components else "random")
    with warnings.catch_warnings():
        # it says that a random_state costs it its threads: that is what was asked for
        warnings.filterwarnings("ignore", message=".*n_jobs value.*")
        return np.asarray(
            umap.UMAP(n_components=n_components, random_state=seed, **params).fit_transform(X)
        )


# --- fits --------------------------------------------------------------------------------------


def _named(items: Any, what: str) -> dict[str, Any]:
    """One thing, several, or a dict of name to thing, as a dict."""
    if isinstance(items, Mapping):
        return {str(name): item for name, item in items.items()}
    if isinstance(items, (list, tuple)) and not hasattr(items, "labels"):
        return {f"{what} {number}": item for number, item in enumerate(items, start=1)}
    return {"": items}


def plot_convergence(
    results: Any, *, ax: Any = None, against: str = "iteration", relative: bool = False
) -> Any:
    """Draw how the inertia falls from step to step.

    Parameters
    ----------
    results : KMeansResult, Trace, a list of them, or a dict of name to either
    ax : matplotlib Axes, optional
    against : {"iteration", "seconds"}, default="iteration"
    relative : bool, default=False
        Divide by the lowest inertia of all of them.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    TypeError, ValueError

    Examples
    --------
    >>> import numpy as np
    >>> from matplotlib.figure import Figure
    >>> from annlab import kmeans
    >>> from annlab.plotting import plot_convergence
    >>> result = kmeans(np.random.RandomState(0).rand(100, 2), 5, random_state=0)
    >>> plot_convergence({"exact": result}, ax=Figure().add_subplot()).get_ylabel()
    'inertia'
    """
    check_choice(against, "against", ("iteration", "seconds"))
    lines = []
    for name, item in _named(results, "fit").items():
        trace = getattr(item, "trace", item)
        if not hasattr(trace, "inertia") or not len(trace):
            raise invalid(
                "results",
                "results or traces with at least one step",
                f"{name or 'the result'}: {type(item).__name__} without steps",
            )
        xs = (
            np.cumsum(trace.elapsed_s)
            if against == "seconds"
            else np.array([step.iteration for step in trace])
        )
        lines.append((name, xs, np.asarray(trace.inertia)))
    ax = _axes(ax)
    lowest = min(float(values.min()) for _, _, values in lines) if relative else 1.0
    for number, (name, xs, values) in enumerate(lines):
        ax.plot(
            xs,
            values / (lowest or 1.0),
            color=cluster_color(number),
            marker=cluster_marker(number),
            markersize=4,
            label=name or None,
        )
    ax.set_xlabel("seconds" if against == "seconds" else "iteration")
    ax.set_ylabel("inertia / lowest inertia" if relative else "inertia")
    if any(name for name, _, _ in lines):
        ax.legend()
    ax.grid(alpha=0.3)
    return ax


def plot_elbow(n_clusters: Any, inertias: Any, *, ax: Any = None, chosen: int | None = None) -> Any:
    """Draw inertia against the number of clusters.

    Parameters
    ----------
    n_clusters : sequence of int
    inertias : sequence of float, or of results
    ax : matplotlib Axes, optional
    chosen : int, optional
        Number of clusters to mark.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    TypeError, ValueError

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from annlab.plotting import plot_elbow
    >>> ax = plot_elbow([1, 2, 3], [9.0, 2.0, 1.8], chosen=2, ax=Figure().add_subplot())
    >>> ax.get_xlabel()
    'number of clusters k'
    """
    rule = "a sequence of numbers, one for each fit"
    ks = _floats(check_items(n_clusters, "n_clusters", rule), "n_clusters")
    items = check_items(inertias, "inertias", rule)
    values = _floats([getattr(item, "inertia", item) for item in items], "inertias")
    if ks.ndim != 1 or ks.shape != values.shape or not len(ks):
        raise invalid(
            "inertias", f"one value for each of the {ks.size} numbers of clusters", len(values)
        )
    if chosen is not None and check_integer(chosen, "chosen") not in ks:
        raise invalid("chosen", f"among n_clusters ({', '.join(map(str, ks))})", chosen)
    order = np.argsort(ks)
    ax = _axes(ax)
    ax.plot(ks[order], values[order], color=PALETTE[0], marker="o")
    if chosen is not None:
        ax.axvline(chosen, color=PALETTE[5], linestyle="--", label=f"k = {chosen}")
        ax.legend()
    ax.set_xlabel("number of clusters k")
    ax.set_ylabel("inertia")
    ax.set_ylim(bottom=0)
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.grid(alpha=0.3)
    return ax


def plot_silhouette(
    X: Any,
    labels: Any,
    *,
    ax: Any = None,
    metric: str = "euclidean",
    max_points: int = 2_000,
    random_state: Any = 0,
) -> Any:
    """Draw the silhouette of every point, cluster by cluster, and their mean.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n, d)
    labels : array-like of shape (n,), or a result
        −1 is left out.
    ax : matplotlib Axes, optional
    metric : {"euclidean", "cosine"}, default="euclidean"
    max_points : int, default=2,000
        Score a sample of more points, each compared with all; the title says so.
    random_state : None, int, RandomState or Generator, default=0

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    TypeError, ValueError
        Also for a single cluster, which has no silhouette.

    Notes
    -----
    O(max_points·n·d). Rousseeuw (1987), doi 10.1016/0377-0427(87)90125-7.

    Examples
    --------
    >>> import numpy as np
    >>> from matplotlib.figure import Figure
    >>> from annlab.plotting import plot_silhouette
    >>> X = np.array([[0.0], [1.0], [9.0], [10.0]])
    >>> plot_silhouette(X, [0, 0, 1, 1], ax=Figure().add_subplot()).get_title()
    'mean silhouette 0.889, 4 points'
    """
    from annlab.distances import unit_rows
    from annlab.metrics import silhouette_of_rows

    check_choice(metric, "metric", ("euclidean", "cosine"))
    X = check_data(X, accept_sparse=True)
    codes = check_labels(labels, "labels", X.shape[0])
    if (codes < 0).any():
        X, codes = X[codes >= 0], codes[codes >= 0]
    names, codes = np.unique(codes, return_inverse=True)
    if not 2 <= len(names) < len(codes):
        raise invalid(
            "labels",
            "of 2 to n − 1 clusters",
            f"{len(names)} cluster{'s' * (len(names) != 1)} of {len(codes)} points",
            "The silhouette compares a cluster with the nearest other one.",
        )
    if metric == "cosine":
        X, _ = unit_rows(X)
    n = len(codes)
    sample = _sample(n, check_integer(max_points, "max_points"), check_random_state(random_state))
    rows = np.arange(n) if sample is None else sample
    values = silhouette_of_rows(X, codes, rows, len(names), metric=metric)
    ax = _axes(ax)
    base = 0
    for place, name in enumerate(names):
        part = np.sort(values[codes[rows] == place])
        ax.fill_betweenx(
            np.arange(base, base + len(part)), 0, part, color=cluster_color(place), linewidth=0
        )
        if len(names) <= 30 and len(part):
            ax.text(-0.02, base + len(part) / 2, str(name), ha="right", va="center")
        base += len(part) + max(1, len(rows) // 100)
    mean = float(values.mean())
    ax.axvline(mean, color="black", linestyle="--", linewidth=1)
    ax.set_xlim(min(-0.1, float(values.min())), 1)
    ax.set_yticks([])
    ax.set_xlabel("silhouette")
    ax.set_ylabel("points, by cluster")
    ax.set_title(f"mean silhouette {mean:.3f}, {_shown(n, sample)}")
    return ax


# --- images ------------------------------------------------------------------------------------


def plot_palette(colors: Any, counts: Any = None, *, ax: Any = None) -> Any:
    """Draw the colours of a segmented image as a bar, by falling share.

    Parameters
    ----------
    colors : array-like of shape (k, 3) or (k, 4), or a segmentation
        uint8, or floats from 0 to 1. A result of `segment_image` brings its counts along.
    counts : array-like of shape (k,), optional
        Pixels of each colour; equal shares where nothing is given.
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    TypeError, ValueError

    Examples
    --------
    >>> import numpy as np
    >>> from matplotlib.figure import Figure
    >>> from annlab.plotting import plot_palette
    >>> colors = np.array([[255, 0, 0], [0, 0, 255]], dtype=np.uint8)
    >>> len(plot_palette(colors, [1, 3], ax=Figure().add_subplot()).patches)
    2
    """
    if hasattr(colors, "palette"):
        if counts is None:
            counts = np.bincount(np.ravel(colors.labels), minlength=len(colors.palette))
        colors = colors.palette
    colors = as_array(colors, "colors")
    if colors.ndim != 2 or colors.shape[1] not in (3, 4) or not len(colors):
        raise invalid("colors", "an array of shape (k, 3) or (k, 4)", f"shape {colors.shape}")
    colors = _zero_to_one(colors, "colors")
    shares = np.ones(len(colors)) if counts is None else _floats(counts, "counts")
    if shares.shape != (len(colors),) or shares.min() < 0 or shares.sum() <= 0:
        raise invalid("counts", f"{len(colors)} numbers >= 0, not all 0", counts)
    shares = shares / shares.sum()
    ax = _axes(ax, figsize=(6.4, 1.4))
    left = 0.0
    for place in np.argsort(-shares, kind="stable"):
        ax.barh(0, shares[place], left=left, height=1, color=colors[place], linewidth=0)
        if shares[place] >= 0.06 and counts is not None:
            dark = colors[place, :3] @ (0.299, 0.587, 0.114) < 0.55
            ax.text(
                left + shares[place] / 2,
                0,
                f"{shares[place]:.0%}",
                ha="center",
                va="center",
                color="white" if dark else "black",
            )
        left += shares[place]
    ax.set_xlim(0, 1)
    ax.set_ylim(-0.5, 0.5)
    ax.set_axis_off()
    return ax


def _floats(values: Any, name: str) -> np.ndarray:
    """Finite numbers as float64."""
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as reason:
        raise invalid(
            name, "made of numbers", f"{values!r} ({reason})", error=TypeError
        ) from reason
    if not np.isfinite(array).all():
        raise invalid(name, "made of finite numbers", values)
    return array


def _zero_to_one(values: np.ndarray, name: str) -> np.ndarray:
    if values.dtype.kind in "iu":
        if values.min() < 0 or values.max() > 255:
            raise invalid(name, "integers from 0 to 255", f"{values.min()} to {values.max()}")
        return values / 255.0
    if values.dtype.kind != "f" or not np.isfinite(values).all():
        raise invalid(name, "finite numbers", f"dtype {values.dtype}")
    # means of pixels may leave the range by a rounding error
    if values.min() < -1e-3 or values.max() > 1 + 1e-3:
        raise invalid(name, "floats from 0 to 1", f"{values.min():g} to {values.max():g}")
    return np.clip(values, 0.0, 1.0)


def plot_patches(
    patches: Any,
    *,
    ax: Any = None,
    shape: tuple[int, ...] | None = None,
    n_columns: int | None = None,
    max_patches: int = 256,
    rescale: bool = False,
) -> Any:
    """Draw rows of pixels as a grid of little images: patches, or the centroids of patches.

    Parameters
    ----------
    patches : array-like of shape (m, height·width·channels) or (m, height, width[, channels])
        uint8, or floats from 0 to 1.
    ax : matplotlib Axes, optional
    shape : tuple of int, optional
        (height, width) or (height, width, 3) of a flat row; squares of three channels or one
        are recognised.
    n_columns : int, optional
        About square by default.
    max_patches : int, default=256
        Draw the first ones of more; the title says so.
    rescale : bool, default=False
        Stretch each patch to the full range of brightness, and accept any numbers.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    TypeError, ValueError

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from annlab.datasets import load_patches
    >>> from annlab.plotting import plot_patches
    >>> ax = plot_patches(load_patches(30, 8, random_state=0), ax=Figure().add_subplot())
    >>> ax.images[0].get_array().shape
    (46, 55, 3)
    """
    array = as_array(patches, "patches")
    if array.ndim == 2 and array.size:
        array = array.reshape(len(array), *_patch_shape(array.shape[1], shape))
    if array.ndim == 3:
        array = array[..., None]
    if array.ndim != 4 or array.shape[-1] not in (1, 3) or not array.size:
        raise invalid(
            "patches",
            "an array of shape (m, height·width·channels) or (m, height, width, 1 or 3)",
            f"shape {np.shape(patches)}",
        )
    total = len(array)
    array = array[: check_integer(max_patches, "max_patches")]
    if rescale:
        array = array.astype(np.float64)
        low = array.min(axis=(1, 2, 3), keepdims=True)
        span = array.max(axis=(1, 2, 3), keepdims=True) - low
        array = np.divide(array - low, span, out=np.full_like(array, 0.5), where=span > 0)
    array = _zero_to_one(array, "patches")
    m, height, width, channels = array.shape
    columns = (
        int(np.ceil(np.sqrt(m))) if n_columns is None else check_integer(n_columns, "n_columns")
    )
    columns = min(columns, m)
    rows = -(-m // columns)
    sheet = np.ones((rows * (height + 1) + 1, columns * (width + 1) + 1, channels))
    for place, patch in enumerate(array):
        top, left = (place // columns) * (height + 1) + 1, (place % columns) * (width + 1) + 1
        sheet[top : top + height, left : left + width] = patch
    ax = _axes(ax, figsize=(6, 6 * sheet.shape[0] / sheet.shape[1]))
    if channels == 1:
        ax.imshow(sheet[..., 0], cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    else:
        ax.imshow(sheet, interpolation="nearest")
    if m < total:
        ax.set_title(f"the first {m} of {total:,}")
    ax.set_axis_off()
    return ax


def _patch_shape(n_pixels: int, shape: tuple[int, ...] | None) -> tuple[int, ...]:
    if shape is not None:
        rule = f"(height, width[, channels]) of {n_pixels} numbers"
        sides = tuple(
            check_integer(side, "shape", minimum=1) for side in check_items(shape, "shape", rule)
        )
        if int(np.prod(sides)) != n_pixels or len(sides) not in (2, 3):
            raise invalid("shape", rule, shape)
        return sides
    for channels in (3, 1):
        side = round((n_pixels / channels) ** 0.5)
        if side * side * channels == n_pixels:
            return (side, side, channels)
    raise invalid(
        "patches",
        "square patches of one or three channels, unless shape is given",
        f"rows of {n_pixels} numbers",
        "Pass shape=(height, width, channels).",
    )


# --- searches and comparisons --------------------------------------------------------------------


def plot_recall_speed(curves: Any, *, ax: Any = None, all_settings: bool = True) -> Any:
    """Draw queries per second against recall, with the exact baseline always on the plot.

    Parameters
    ----------
    curves : RecallSpeedCurve, a list of them, or a dict of name to curve
        From `annlab.benchmarks.recall_speed_curve`.
    ax : matplotlib Axes, optional
    all_settings : bool, default=True
        Also draw, faintly, the settings that others beat.

    Returns
    -------
    matplotlib Axes
        Lines join the settings that no other one of the same index beats.

    Raises
    ------
    TypeError, ValueError

    Examples
    --------
    >>> import numpy as np
    >>> from matplotlib.figure import Figure
    >>> from annlab.benchmarks import recall_speed_curve
    >>> from annlab.plotting import plot_recall_speed
    >>> X = np.random.RandomState(0).rand(400, 8)
    >>> curve = recall_speed_curve("lsh", X, knobs={"n_probes": [1, 8]}, repeats=1)
    >>> ax = plot_recall_speed(curve, ax=Figure().add_subplot())
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['lsh', 'brute force (exact)']
    """
    named = _named(curves, "index")
    for name, curve in named.items():
        if not hasattr(curve, "exact") or not hasattr(curve, "front"):
            raise invalid(
                "curves",
                "results of recall_speed_curve",
                f"{name or 'the curve'}: {type(curve).__name__}",
                error=TypeError,
            )
    if not named:
        raise invalid("curves", "at least one curve", "none")
    ax = _axes(ax)
    for number, (name, curve) in enumerate(named.items()):
        title = name if isinstance(curves, Mapping) else curve.algorithm
        color, marker = cluster_color(number), cluster_marker(number)
        front = curve.front()
        ax.plot(
            [point.recall for point in front],
            [point.queries_per_s for point in front],
            color=color,
            marker=marker,
            label=title,
        )
        if all_settings:
            ax.scatter(
                [point.recall for point in curve],
                [point.queries_per_s for point in curve],
                s=10,
                color=color,
                alpha=0.35,
                linewidths=0,
            )
    exact = [curve.exact.queries_per_s for curve in named.values()]
    speed = float(np.median(exact))
    ax.axhline(speed, color="black", linestyle="--", linewidth=1)
    ax.plot(
        [1.0], [speed], "*", color="black", markersize=13, label="brute force (exact)", zorder=5
    )
    first = next(iter(named.values()))
    ax.set_yscale("log")
    ax.set_xlabel(f"recall@{first.n_neighbors}")
    ax.set_ylabel("queries per second")
    ax.set_title(f"{first.n_samples:,} points, {first.n_features} features")
    ax.grid(alpha=0.3, which="both")
    ax.legend()
    return ax


def plot_time_to_quality(
    comparison: Any, *, ax: Any = None, peers: Iterable[str] | None = None
) -> Any:
    """Draw every peer's inertia against its time, with the floor of exact k-means.

    Parameters
    ----------
    comparison : Comparison
        From `annlab.benchmarks.compare`.
    ax : matplotlib Axes, optional
    peers : iterable of str, optional
        Keys of the peers to draw; all that have a run by default.

    Returns
    -------
    matplotlib Axes
        Time in seconds on a logarithmic scale; lower and further left is better. A circle with a
        dark edge is a library's own default run.

    Raises
    ------
    TypeError, ValueError
    """
    if not hasattr(comparison, "curve") or not hasattr(comparison, "reference"):
        raise invalid(
            "comparison", "a result of compare", type(comparison).__name__, error=TypeError
        )
    keys = comparison.keys() if peers is None else list(peers)
    if not keys:
        raise invalid("peers", "at least one peer with a run", "none")
    ax = _axes(ax, figsize=(9, 6))
    theirs = [key for key in keys if not comparison.peer(key)["is_ours"]]
    for number, key in enumerate([*theirs, *(key for key in keys if key not in theirs)]):
        points = comparison.curve(key)
        ours = key not in theirs
        color, marker = cluster_color(number), cluster_marker(number)
        ladder = [point for point in points if not point["rung"].get("defaults")]
        label = comparison.peer(key)["label"]
        ax.plot(
            [point["seconds"] for point in ladder],
            [point["ratio"] for point in ladder],
            color=color,
            marker=marker,
            markersize=6 if ours else 4,
            linewidth=2.4 if ours else 1.2,
            linestyle="-" if ours else "--",
            label=label if ladder else None,
        )
        own = [point for point in points if point["rung"].get("defaults")]
        ax.plot(
            [point["seconds"] for point in own],
            [point["ratio"] for point in own],
            linestyle="none",
            color=color,
            marker=marker,
            markersize=9,
            markeredgecolor="black",
            label=None if ladder else label,
        )
    floor = comparison.floors.get("gemm_iteration_s")
    if floor:
        ax.axvline(
            10 * floor,
            color="black",
            linestyle=":",
            linewidth=1.2,
            label="10 exact iterations at the measured peak of matrix products",
        )
    read = comparison.floors.get("memory_iteration_s")
    if read:
        ax.axvline(
            10 * read,
            color=OUTLIER_COLOR,
            linestyle="-.",
            linewidth=1.2,
            label="10 reads of the rows at the measured rate of memory",
        )
    ax.axhline(1.0, color=OUTLIER_COLOR, linewidth=0.8)
    ax.set_xscale("log")
    for axis in (ax.xaxis.set_major_formatter, ax.xaxis.set_minor_formatter):
        axis(_plain_seconds)
    ax.set_xlabel(f"seconds, whole call, {comparison.threads} threads")
    ax.set_ylabel("inertia / inertia of 25 exact iterations from a random start")
    data = comparison.data
    ax.set_title(
        f"{data['name']}: n = {data['n']:,}, d = {data['d']}, k = {comparison.n_clusters:,}"
    )
    low, high = _ratio_range(comparison, keys)
    ax.set_ylim(low, high)
    ax.grid(alpha=0.3, which="both")
    ax.legend(fontsize="x-small", loc="best")
    return ax


def _plain_seconds(value: float, position: int | None = None) -> str:
    """Seconds at 1, 2 and 5 of every power of ten."""
    digit = f"{value:e}"[0]
    return f"{value:g}" if digit in "125" else ""


def _ratio_range(comparison: Any, keys: Sequence[str]) -> tuple[float, float]:
    """Ratios to show: from the best on, and not as far up as the worst first rung."""
    ratios = [point["ratio"] for key in keys for point in comparison.curve(key)]
    low = min([*ratios, 1.0])
    high = max(min(max(ratios), 1.0 + 2.0 * (1.0 - low), 1.3), 1.1)
    margin = 0.04 * (high - low)
    return low - margin, high + margin

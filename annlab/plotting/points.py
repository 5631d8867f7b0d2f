"""Pictures of points and their clusters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from annlab._support.checks import (
    check_choice,
    check_data,
    check_integer,
    check_random_state,
    check_real,
    is_sparse,
)
from annlab._support.errors import invalid, require
from annlab._support.types import LabelsLike, Matrix, MatrixLike, Seed
from annlab.metrics import check_labels
from annlab.plotting._axes import (
    MARKERS,
    OUTLIER_COLOR,
    PALETTE,
    cluster_color,
    cluster_marker,
    drawing_axes,
    sample_rows,
    shown_rows,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: More clusters than this get a continuous colour map.
_MOST_MARKED = len(PALETTE) * len(MARKERS)
#: More clusters than this get no legend.
_MOST_NAMED = 12
#: A picture of more points shows a sample.
_MOST_DRAWN = 50_000
_METHOD_NAMES = {"tsne": "t-SNE", "pca": "PCA", "umap": "UMAP"}
#: `visualize_clusters` projects a sample of more points.
_MOST_PROJECTED: dict[str | None, int] = {"pca": 50_000, "tsne": 5_000, "umap": 20_000}


def plot_clusters(
    X: MatrixLike,
    labels: LabelsLike | None = None,
    centroids: MatrixLike | None = None,
    *,
    ax: Axes | None = None,
    max_points: int = _MOST_DRAWN,
    size: float | None = None,
    legend: bool | None = None,
    title: str | None = None,
    random_state: Seed = 0,
) -> Axes:
    """Draw points of two features by cluster, with their centroids.

    Parameters
    ----------
    X : array-like of shape (n, 2)
        For more features see `visualize_clusters`.
    labels : array-like of shape (n,), or a result, optional
        −1 is drawn as an outlier, a grey cross. A result supplies its centroids. None draws all
        points alike.
    centroids : array-like of shape (k, 2), optional
    ax : matplotlib Axes, optional
    max_points : int, default=50,000
        Draw a sample of more points, which the title mentions.
    size : float, optional
        Area of a point, in points²; by default it depends on their number.
    legend : bool, optional
        By default for up to 12 clusters.
    title : str, optional
    random_state : None, int, RandomState or Generator, default=0
        Draws the sample.

    Returns
    -------
    matplotlib Axes
        With equal scales.

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
    sample = sample_rows(n, most, check_random_state(random_state))
    ax = drawing_axes(ax)
    drawn, marks = (X, codes) if sample is None else (X[sample], codes[sample])
    _scatter(ax, drawn, marks, size, legend if labels is not None else False)
    if centroids is not None:
        x, y = check_data(centroids, name="centroids", n_features=2).T
        ax.scatter(x, y, s=110, marker="*", c="white", edgecolors="black", linewidths=1.2, zorder=5)
    ax.set_aspect("equal", adjustable="datalim")
    if sample is not None:
        shown = shown_rows(n, sample)
        title = f"{title} ({shown})" if title else shown
    if title:
        ax.set_title(title)
    return ax


def _scatter(
    ax: Axes, X: np.ndarray, codes: np.ndarray, size: float | None, legend: bool | None
) -> None:
    """Draw points by cluster, in 2-D or 3-D; −1 as crosses."""
    names = np.unique(codes[codes >= 0])
    scatter: Callable[..., object] = ax.scatter
    area = (
        float(np.clip(10_000 / max(len(X), 1), 4, 40)) if size is None else check_real(size, "size")
    )
    if len(names) <= _MOST_MARKED:
        for name in names:
            scatter(
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
        # give consecutive numbers different colours
        place = np.searchsorted(names, codes[kept]) * 0.6180339887 % 1.0
        scatter(*X[kept].T, s=area, c=place, cmap="viridis", linewidths=0, alpha=0.8)
    if (codes < 0).any():
        scatter(
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
    X: MatrixLike,
    labels: LabelsLike,
    n_components: int = 2,
    method: str | None = None,
    *,
    ax: Axes | None = None,
    max_points: int | None = None,
    method_params: Mapping[str, Any] | None = None,
    size: float | None = None,
    legend: bool | None = None,
    random_state: Seed = 42,
) -> Any:
    """Project points of any dimension to two or three and draw them by cluster.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n, d)
    labels : array-like of shape (n,), or a result
        −1 is drawn as an outlier.
    n_components : {2, 3}, default=2
    method : {"tsne", "pca", "umap"}, optional
        By default t-SNE; points with as many features as components are drawn as they are.
        ``"pca"`` shows distances as far as two directions can; in the other two, distances and
        sizes of groups have no meaning. ``"umap"`` needs the package umap-learn.
    ax : matplotlib Axes, optional
        Three-dimensional ones for three components.
    max_points : int, optional
        Project a sample of more points, by default 5,000 for t-SNE, 20,000 for UMAP and 50,000
        otherwise.
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
        If umap-learn is not installed for ``"umap"``.
    TypeError, ValueError

    Notes
    -----
    More than 50 features are first reduced to 50 by PCA (sparse ones by truncated SVD).
    `annlab.metrics.trustworthiness` measures the picture.
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
    n = X.shape[0]
    codes = check_labels(labels, "labels", n)
    n_components = check_integer(n_components, "n_components", minimum=2, maximum=3)
    method = _check_method(X, n_components, method, method_params)
    rng = check_random_state(random_state)
    most = (
        _MOST_PROJECTED.get(method, _MOST_DRAWN)
        if max_points is None
        else check_integer(max_points, "max_points")
    )
    sample = sample_rows(n, most, rng)
    if sample is not None:
        X, codes = X[sample], codes[sample]
    if method is not None:
        embedding = _project(X, n_components, method, dict(method_params or {}), rng)
    else:
        embedding = X.toarray() if is_sparse(X) else X.copy()
    ax = drawing_axes(ax, figsize=(8, 6.5), projection="3d" if n_components == 3 else None)
    _scatter(ax, embedding, codes, size, legend)
    name, component = "", "feature"
    if method is not None:
        name = f"{_METHOD_NAMES[method]} of "
        component = f"{_METHOD_NAMES[method]} component"
    ax.set_title(name + shown_rows(n, sample))
    for number, axis in enumerate("xyz"[:n_components], start=1):
        getattr(ax, f"set_{axis}label")(f"{component} {number}")
    if method in (None, "pca"):
        # distances of t-SNE and UMAP have no meaning
        ax.set_aspect("equal", adjustable="datalim" if n_components == 2 else "box")
    ax.embedding = embedding  # type: ignore[attr-defined]
    ax.rows = np.arange(n) if sample is None else sample  # type: ignore[attr-defined]
    return ax


def _check_method(
    X: Matrix, n_components: int, method: str | None, params: Mapping[str, Any] | None
) -> str | None:
    """Choose the projection (None to draw X as it is) and check its parameters."""
    n, d = X.shape
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
    if params is not None and not isinstance(params, Mapping):
        raise invalid("method_params", "None or a dict", repr(params), error=TypeError)
    if method is None and params:
        raise invalid(
            "method",
            f"named with method_params for data of {d} features, which are drawn as they are",
            None,
            "Pass method='tsne', 'pca' or 'umap'.",
        )
    if method == "umap":
        require("umap", purpose="for visualize_clusters(method='umap')", extra="lab")
    return method


def _project(
    X: Matrix,
    n_components: int,
    method: str,
    params: dict[str, Any],
    rng: np.random.RandomState,
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
    # in float32 large values would overflow, and NaN crash the process in t-SNE's tree; less the
    # first row, so that equal rows become exactly 0
    X = X.astype(np.float64) - X[0]
    largest = np.abs(X).max()
    X = X / largest if largest > 0 else X
    if method == "tsne":
        from sklearn.manifold import TSNE
        from threadpoolctl import threadpool_limits

        # perplexity must be well below n
        params.setdefault("perplexity", min(30.0, max(1.0, (n - 1) / 3)))
        params.setdefault("init", "pca" if n > n_components < d and largest > 0 else "random")
        # for a few thousand points, threads cost more than they save
        with threadpool_limits(1):
            return TSNE(n_components, random_state=seed, **params).fit_transform(X)
    import warnings

    umap = require("umap", purpose="for visualize_clusters(method='umap')", extra="lab")
    params.setdefault("n_neighbors", max(2, min(15, n - 1)))
    # few points leave no room for the spectral start
    params.setdefault("init", "spectral" if n > 4 * n_components else "random")
    with warnings.catch_warnings():
        # a random_state limits it to one thread, which it warns about
        warnings.filterwarnings("ignore", message=".*n_jobs value.*")
        return np.asarray(
            umap.UMAP(n_components=n_components, random_state=seed, **params).fit_transform(X)
        )

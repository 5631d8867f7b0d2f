"""Data, maps and measurements of `embedding_explorer`."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from annlab._support.checks import check_random_state
from annlab.datasets import load_digits_data, load_patches, make_blobs, make_uniform_cube
from annlab.lloyd import kmeans
from annlab.metrics import evaluate_clustering, trustworthiness
from annlab.plotting import visualize_clusters
from annlab.widgets.base import Job

#: Points of the built-in sets, and most and fewest rows of your own: t-SNE of so few takes about
#: half a second in the plane.
POINTS, MOST, FEWEST = 200, 400, 20
#: Neighbours of the point that is followed.
NEAREST = 10
#: name -> clusters of k-means
SETS = {
    "digits": 10,
    "patches": 5,
    "blobs, one far away": 4,
    "uniform noise": 5,
    "Gaussian noise": 5,
}
#: What the third map can be.
THIRD = ("t-SNE, random start", "UMAP")
#: Makes one map at a time: t-SNE limits the threads of the whole process while it runs.
_maker = ThreadPoolExecutor(1, thread_name_prefix="annlab-map")


@dataclass(frozen=True, eq=False)
class Cloud:
    """Points to map, compared by identity, because their maps are cached."""

    X: np.ndarray
    truth: np.ndarray | None
    n_clusters: int
    #: of k-means in the data, and their silhouette
    labels: np.ndarray
    silhouette: float
    #: nearest other points of each, shape (n, m)
    nearest: np.ndarray
    #: shape of the picture that a row is
    tile: tuple[int, ...] | None = None


@dataclass(frozen=True, eq=False)
class View:
    """A map, and what was measured on it."""

    name: str
    #: coordinates from -1 to 1, shape (n, 2 or 3)
    Y: np.ndarray
    trust: float
    #: of k-means carried out on the map
    silhouette: float
    #: nearest other points of each on the map, shape (n, m)
    nearest: np.ndarray


@dataclass(frozen=True, eq=False)
class Maps:
    """The maps that are shown, and the reason if the third is missing."""

    cloud: Cloud
    views: tuple[View, ...]
    missing: str = ""


def _nearest(X: np.ndarray) -> np.ndarray:
    from annlab.indexes import make_index

    m = min(NEAREST, len(X) - 2)
    ids = make_index("brute").fit(X).kneighbors(X, m + 1)[1]
    # among duplicates a point is not always its own first neighbour
    return np.array([[j for j in row if j != i][:m] for i, row in enumerate(ids)])


def _clustered(X: np.ndarray, n_clusters: int) -> tuple[np.ndarray, float]:
    """Return the labels of k-means and their silhouette."""
    labels = kmeans(X, n_clusters, n_init=4, random_state=0, n_jobs=1).labels
    return labels, evaluate_clustering(X, labels, n_jobs=1).silhouette


def cloud_of(
    X: np.ndarray, truth: np.ndarray | None, n_clusters: int, tile: tuple[int, ...] | None = None
) -> Cloud:
    labels, silhouette = _clustered(X, n_clusters)
    return Cloud(X, truth, n_clusters, labels, silhouette, _nearest(X), tile)


@lru_cache(maxsize=16)
def built_in(name: str, n: int) -> Cloud:
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
        # one blob moves away from the middle of the others, to ten times the distance
        own = X[truth == 3].mean(axis=0) - X[truth != 3].mean(axis=0)
        X = X + 9 * own * (truth == 3)[:, None]
    return cloud_of(np.asarray(X, dtype=np.float64), truth, SETS[name], tile)


@lru_cache(maxsize=96)
def mapped(cloud: Cloud, method: str, n_components: int, value: int, seed: int) -> View:
    from matplotlib.figure import Figure

    axes = Figure().add_subplot(projection="3d" if n_components == 3 else None)
    kind, name = "pca", "PCA"
    params: dict[str, Any] = {}
    if method == "UMAP":
        kind, name, params = "umap", f"UMAP, {value} neighbours", {"n_neighbors": value}
    elif method != "PCA":
        start = "random" if method in THIRD else "pca"
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
    # in space by the diagonal, or the box could leave the frame when it is turned
    reach = np.abs(Y).max(axis=0)
    Y /= max(float(np.linalg.norm(reach) if n_components == 3 else reach.max()), 1e-12)
    silhouette = _clustered(Y, cloud.n_clusters)[1]
    return View(name, Y, trustworthiness(cloud.X, Y), silhouette, _nearest(Y))


def patiently(
    job: Job,
    done: int,
    total: int,
    text: str,
    work: Callable[..., View],
    *arguments: object,
) -> View:
    """Compute a map in another thread, so that Stop takes effect at once.

    A map that was stopped is finished nevertheless, and cached.
    """
    job.report(done, total, text)
    answer = _maker.submit(work, *arguments)
    while True:
        try:
            return answer.result(timeout=0.05)
        except TimeoutError:
            job.report(done, total, text)

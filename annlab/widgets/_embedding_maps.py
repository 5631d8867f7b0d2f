"""Clouds of points, their maps to two or three dimensions, and what is measured on both."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
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

#: Points of the built-in sets, and rows kept of data that is given: t-SNE of so few takes about
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
#: One map at a time: t-SNE limits the threads of the whole process while it runs, and two that
#: overlap would put back each other's limits.
_turn = threading.Lock()


@dataclass(frozen=True, eq=False)
class Cloud:
    """Points to be mapped; compared by identity, so that maps of them can be kept.

    Attributes
    ----------
    X : ndarray of shape (n, d), float64
    truth : ndarray of shape (n,), int, or None
        True groups, where there are any.
    labels : ndarray of shape (n,), int
        Clusters of k-means in the data.
    silhouette : float
        Of these clusters.
    nearest : ndarray of shape (n, m), int
        Nearest other points of each.
    tile : tuple of int or None
        Shape of the picture that a row is.
    """

    X: np.ndarray
    truth: np.ndarray | None
    n_clusters: int
    labels: np.ndarray
    silhouette: float
    nearest: np.ndarray
    tile: tuple[int, ...] | None = None


@dataclass(frozen=True, eq=False)
class View:
    """One map, and what was measured on it.

    Attributes
    ----------
    name : str
    Y : ndarray of shape (n, 2 or 3)
        Coordinates, centred, and at most 1 away from the middle.
    trust : float
        Trustworthiness: 1 where the map shows no false neighbour.
    silhouette : float
        Of k-means carried out on the map.
    nearest : ndarray of shape (n, m), int
        Nearest other points of each on the map.
    """

    name: str
    Y: np.ndarray
    trust: float
    silhouette: float
    nearest: np.ndarray


@dataclass(frozen=True, eq=False)
class Maps:
    """What the three pictures show; the third may be missing, and then says why."""

    cloud: Cloud
    views: tuple[View, ...]
    missing: str = ""


def _nearest(X: np.ndarray) -> np.ndarray:
    from annlab.indexes import make_index

    m = min(NEAREST, len(X) - 2)
    ids = make_index("brute").fit(X).kneighbors(X, m + 1)[1]
    # a point is its own neighbour, though not always the first one among duplicates
    return np.array([[j for j in row if j != i][:m] for i, row in enumerate(ids)])


def _clustered(X: np.ndarray, n_clusters: int) -> tuple[np.ndarray, float]:
    """Labels of k-means and their silhouette."""
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
        # along the line from the middle of the others, to ten times the distance
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
    # a box in space by its diagonal: it must not leave the frame from whatever side one looks
    reach = np.abs(Y).max(axis=0)
    Y /= max(float(np.linalg.norm(reach) if n_components == 3 else reach.max()), 1e-12)
    return View(
        name,
        Y,
        trustworthiness(cloud.X, Y),
        _clustered(Y, cloud.n_clusters)[1],
        _nearest(Y),
    )


def patiently(job: Job, done: int, total: int, text: str, work: Callable[[], View]) -> View:
    """Work in a thread of its own, so that Stop need not wait until a map is finished."""
    answer: Future[View] = Future()

    def run() -> None:
        try:
            with _turn:
                value = work()
        except BaseException as reason:
            answer.set_exception(reason)
        else:
            answer.set_result(value)

    job.report(done, total, text)
    threading.Thread(target=run, daemon=True).start()
    while True:
        try:
            # what was stopped runs on unseen, and is kept for the next time
            return answer.result(timeout=0.05)
        except NotYet:
            job.report(done, total, text)

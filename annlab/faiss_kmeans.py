"""k-means by faiss, trained on all points, with exact labels and totals."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np

from annlab._support.checks import (
    check_choice,
    check_data,
    check_integer,
    check_n_clusters,
    check_random_state,
    check_sample_weight,
)
from annlab._support.errors import invalid
from annlab._support.threads import Workers, resolve_n_jobs
from annlab.fit.answers import exact_inertia, label_rows
from annlab.fit.lloyd import cluster_means
from annlab.indexes.faiss_index import faiss_threads, load_faiss
from annlab.initialization import initial_centroids
from annlab.result import KMeansResult, owned
from annlab.rows.memory import MemoryRows
from annlab.rows.tally import Labelled

__all__ = ["kmeans_faiss"]

#: Products of an iteration up to which one thread trains.
_SMALL = 1 << 22
#: A fit has converged if one more update would move the centroids by at most this × the variance.
_TOLERANCE = 1e-4


def kmeans_faiss(
    X: Any,
    n_clusters: int,
    max_iter: int = 100,
    *,
    init: Any = "random",
    n_init: int = 1,
    metric: str = "euclidean",
    sample_weight: Any = None,
    random_state: Any = None,
    n_jobs: int | None = None,
    max_points_per_centroid: int | None = None,
    verbose: bool = False,
) -> KMeansResult:
    """Cluster with `faiss.Kmeans`, and complete its result exactly.

    Parameters
    ----------
    X : array-like of shape (n, d)
        Dense. faiss computes in float32; float64 data are shifted to their mean before they are
        converted.
    n_clusters : int
        Number of clusters k, 1 to n.
    max_iter : int, default=100
        Most iterations. Recent versions of faiss stop when their float32 objective falls no
        further; older ones make all iterations.
    init : {"random", "k-means++", "k-means||"}, function, or array of shape (k, d)
        Start, drawn as in `annlab.kmeans`: the same ``random_state`` gives the same start.
    n_init : int, default=1
        Starts to try; the result of lowest inertia is kept.
    metric : {"euclidean", "cosine"}, default="euclidean"
        Cosine uses faiss's spherical k-means.
    sample_weight : array-like of shape (n,), optional
    random_state : None, int, RandomState or Generator
    n_jobs : int, optional
        Threads, for faiss as well.
    max_points_per_centroid : int, optional
        Train on a random sample of at most this many points for each cluster (faiss's default is
        256). None trains on all points. Labels and inertia are of all points either way.
    verbose : bool, default=False
        Let faiss print its progress.

    Returns
    -------
    KMeansResult
        With an empty trace. ``converged``: one more update would move the centroids by at most
        scikit-learn's tolerance. ``stop_reason``: ``"small gain"`` if faiss stopped by itself, else
        ``"max_iter"``.

    Raises
    ------
    MissingExtraError
        If faiss is not installed.
    TypeError, ValueError

    Notes
    -----
    2·n·k·d operations an iteration. A sample costs about 1/``max_points_per_centroid`` of the
    inertia, because the mean of m points has 1/m of their variance as its error. Johnson, Douze &
    Jégou (2017), arXiv 1702.08734.

    Examples
    --------
    >>> import numpy as np
    >>> from annlab.faiss_kmeans import kmeans_faiss
    >>> X = np.array([[0.0, 0.0], [0.0, 1.0], [8.0, 0.0], [8.0, 1.0]], dtype=np.float32)
    >>> labels, centroids = kmeans_faiss(X, 2, init=X[[0, 2]])
    >>> centroids.tolist()
    [[0.0, 0.5], [8.0, 0.5]]
    """
    begin = time.perf_counter()
    faiss = load_faiss("for kmeans_faiss")
    check_choice(metric, "metric", ("euclidean", "cosine"))
    X = check_data(X)
    n_clusters = check_n_clusters(n_clusters, X.shape[0])
    max_iter = check_integer(max_iter, "max_iter")
    n_init = check_integer(n_init, "n_init")
    most = X.shape[0] // n_clusters + 1
    if max_points_per_centroid is not None:
        most = min(check_integer(max_points_per_centroid, "max_points_per_centroid"), most)
    weights = check_sample_weight(sample_weight, X.shape[0])
    rng = check_random_state(random_state)
    if not isinstance(verbose, (bool, np.bool_)):
        raise invalid("verbose", "True or False", repr(verbose), error=TypeError)
    if not isinstance(init, str) and not callable(init):
        n_init = 1
    best: KMeansResult | None = None
    for _ in range(n_init):
        with Workers(n_jobs) as workers:
            points = MemoryRows(X, metric=metric, sample_weight=weights, workers=workers)
            start = initial_centroids(init, points, n_clusters, rng)
            rows, scale = _single(points)
        # outside of Workers, whose limit of one BLAS thread would apply to faiss as well
        trainer = faiss.Kmeans(
            points.d,
            n_clusters,
            niter=max_iter,
            seed=int(rng.randint(1, 2**31 - 1)),
            spherical=metric == "cosine",
            max_points_per_centroid=most,
            min_points_per_centroid=1,
            verbose=bool(verbose),
        )
        # on small data the threads cost more than they save
        small = points.n * n_clusters * points.d < _SMALL
        with faiss_threads(1 if small else resolve_n_jobs(n_jobs)):
            trainer.train(
                rows,
                weights=None if weights is None else weights.astype(np.float32),
                init_centroids=(start / scale).astype(np.float32),
            )
        del rows
        inner = (trainer.centroids * scale).astype(points.dtype)
        with Workers(n_jobs) as workers:
            points.workers = workers
            centroids = points.outward(inner)
            labels = label_rows(X, centroids, metric=metric, workers=workers)
            total = exact_inertia(X, centroids, labels, metric, weights, workers)
            moves_sq = _next_shift_sq(points, inner, labels)
        if best is None or total < best.inertia:
            best = KMeansResult(
                labels=owned(labels),
                centroids=owned(centroids),
                inertia=total,
                n_iter=len(trainer.obj),
                converged=bool(moves_sq <= _TOLERANCE * points.variance),
                stop_reason="max_iter" if len(trainer.obj) >= max_iter else "small gain",
                n_distances=(len(trainer.obj) * min(points.n, most * n_clusters) + points.n)
                * n_clusters,
                algorithm="faiss.Kmeans",
                metric=metric,
                recall_estimate=1.0,
            )
    assert best is not None
    return replace(best, elapsed_s=time.perf_counter() - begin)


def _single(points: MemoryRows) -> tuple[np.ndarray, float]:
    """Return all rows in working coordinates as float32, and their scale."""
    rows = points.load(0, points.n)
    scale = 1.0
    if rows.dtype == np.float64:
        largest = float(np.abs(rows).max(initial=0.0))
        if largest > 0 and not 1e-15 < largest < 1e15:
            # squares of such values leave the range of float32
            scale = largest
            rows = rows / scale
    return np.ascontiguousarray(rows, dtype=np.float32), scale


def _next_shift_sq(points: MemoryRows, centroids: np.ndarray, labels: np.ndarray) -> float:
    """Return Σ ‖mean − centroid‖² over the clusters with points."""
    tally = points.sweep(Labelled(centroids=centroids), labels)[1]
    filled = tally.totals > 0
    found = cluster_means(tally.sums, tally.totals, centroids, unit=points.coordinates.unit)
    return float(((found[filled] - centroids[filled]) ** 2).sum())

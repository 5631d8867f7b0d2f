"""Scores of a clustering, by itself and against a reference."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from annlab._support.checks import (
    check_choice,
    check_data,
    check_random_state,
    check_sample_weight,
    is_sparse,
)
from annlab._support.errors import AnnlabWarning, invalid
from annlab._support.pair import Pair
from annlab._support.threads import Workers
from annlab._support.types import LabelsLike, Matrix, MatrixLike, Seed
from annlab.distances import paired_sq, pairwise_sq, unit_rows
from annlab.fit.answers import exact_inertia
from annlab.metrics.labels import check_labels
from annlab.metrics.silhouette import mean_silhouette


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ClusteringScores(Pair):
    """Quality of a clustering. Unpacks as ``silhouette, davies_bouldin``.

    Attributes
    ----------
    silhouette : float
        Mean of (b − a) / max(a, b), from −1 to 1, higher is better; a is the mean distance to the
        points of the own cluster, b to those of the nearest other one.
    davies_bouldin : float
        Mean over the clusters of the worst (spread + spread) / distance; from 0, lower is better.
    calinski_harabasz : float
        Variance between clusters over variance inside, each per degree of freedom; higher is
        better.
    inertia : float
        Σ ‖x − c‖² in float64, with the centroids given, else with the means of the clusters.
    n_points, n_clusters, n_outliers : int
        Scored points, different labels, and points with label −1.
    n_silhouette : int
        Points whose silhouette was computed.
    silhouette_error : float
        Standard error of ``silhouette`` if these are a sample, else 0.
    adjusted_rand, normalized_mutual_info : float or None
        Agreement with the reference: 1 for the same partition, about 0 for an unrelated one.
    inertia_gap : float or None
        inertia / inertia of the reference − 1: 0.01 means one per cent worse.

    Examples
    --------
    >>> import numpy as np
    >>> from annlab.metrics import evaluate_clustering
    >>> X = np.array([[0.0], [1.0], [9.0], [10.0]])
    >>> silhouette, davies_bouldin = evaluate_clustering(X, [0, 0, 1, 1])
    >>> round(silhouette, 3), round(davies_bouldin, 3)
    (0.889, 0.111)
    """

    silhouette: float
    davies_bouldin: float
    calinski_harabasz: float
    inertia: float
    n_points: int
    n_clusters: int
    n_outliers: int
    n_silhouette: int
    silhouette_error: float = 0.0
    adjusted_rand: float | None = None
    normalized_mutual_info: float | None = None
    inertia_gap: float | None = None

    _pair_names = ("silhouette", "davies_bouldin")

    def __repr__(self) -> str:
        sampled = ""
        if self.n_silhouette < self.n_points:
            sampled = f" ± {self.silhouette_error:.4f} ({self.n_silhouette:,} points sampled)"
        outliers = f", {self.n_outliers:,} outliers left out" if self.n_outliers else ""
        lines = [
            f"ClusteringScores: {self.n_points:,} points, {self.n_clusters:,} clusters{outliers}",
            f"  silhouette         {self.silhouette:.4f}{sampled}",
            f"  Davies-Bouldin     {self.davies_bouldin:.4f}",
            f"  Calinski-Harabasz  {self.calinski_harabasz:.6g}",
            f"  inertia            {self.inertia:.6g}",
        ]
        if self.adjusted_rand is not None:
            lines.append(f"  adjusted Rand      {self.adjusted_rand:.4f}")
        if self.normalized_mutual_info is not None:
            lines.append(f"  mutual information {self.normalized_mutual_info:.4f}")
        if self.inertia_gap is not None:
            lines.append(f"  inertia gap        {self.inertia_gap:+.2%}")
        return "\n".join(lines)


def _centroids_of(labels: object) -> Any:
    for name in ("centroids", "cluster_centers_"):
        if hasattr(labels, name):
            return getattr(labels, name)
    return None


def _means(X: Matrix, labels: np.ndarray, n_clusters: int) -> np.ndarray:
    """Return the mean of each cluster, shape (n_clusters, d), float64."""
    from scipy.sparse import csr_matrix

    n = len(labels)
    members = csr_matrix((np.ones(n), labels, np.arange(n + 1)), shape=(n, n_clusters)).T
    sums = members @ X.astype(np.float64)
    sums = sums.toarray() if is_sparse(sums) else sums
    return sums / np.bincount(labels, minlength=n_clusters)[:, None]


def evaluate_clustering(
    X: MatrixLike,
    labels: LabelsLike,
    *,
    reference: LabelsLike | None = None,
    centroids: ArrayLike | None = None,
    metric: str | None = None,
    sample_size: int | None = None,
    random_state: Seed = 0,
    n_jobs: int | None = None,
) -> ClusteringScores:
    """Score a clustering by itself and, if given, against a reference.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n, d)
    labels : array-like of shape (n,), or a result
        −1 marks outliers. A result or a fitted estimator also supplies centroids and metric.
    reference : array-like of shape (n,), or a result, optional
        True groups, or the clustering to compare with; −1 is left out.
    centroids : array-like of shape (k, d), optional
        Row ``i`` for label ``i``; by default the means of the clusters.
    metric : {"euclidean", "cosine"}, optional
        That of the result, else Euclidean. Cosine scores unit rows.
    sample_size : int, optional
        Points whose silhouette is computed. By default all up to 10,000; of more points as many as
        200 million distances allow, at least 500.
    random_state : None, int, RandomState or Generator, default=0
        Draws that sample.
    n_jobs : int, optional
        Threads for the sample.

    Returns
    -------
    ClusteringScores
        Unpacks as ``silhouette, davies_bouldin``. The three scores are NaN, with a warning, for a
        single cluster and for as many clusters as points.

    Raises
    ------
    TypeError, ValueError

    Notes
    -----
    O(n²·d) up to 10,000 points, else O(sample·n·d). Sampled points are compared with *all* points,
    so the estimate has no bias, unlike that of scikit-learn's ``sample_size``. Rousseeuw (1987),
    doi 10.1016/0377-0427(87)90125-7; Davies & Bouldin (1979), doi 10.1109/TPAMI.1979.4766909;
    Caliński & Harabasz (1974), doi 10.1080/03610927408827101.

    Examples
    --------
    >>> from annlab import kmeans
    >>> from annlab.metrics import evaluate_clustering
    >>> from annlab.datasets import make_blobs
    >>> X, truth = make_blobs(300, 3, separation=8, random_state=0)
    >>> scores = evaluate_clustering(X, kmeans(X, 3, random_state=0), reference=truth)
    >>> scores.n_clusters, round(scores.adjusted_rand, 2)
    (3, 1.0)
    """
    X = check_data(X, accept_sparse=True)
    n = X.shape[0]
    given = check_labels(labels, "labels", n)
    if metric is None:
        metric = getattr(labels, "metric", None) or "euclidean"
        metric = metric if metric in ("euclidean", "cosine") else "euclidean"
    check_choice(metric, "metric", ("euclidean", "cosine"))
    rng = check_random_state(random_state)
    kept = given >= 0
    if not kept.any():
        raise invalid("labels", "0 or higher for at least one point", "nothing but −1")
    if metric == "cosine":
        X, _ = unit_rows(X)
    ours = _centroids_of(labels) if centroids is None else centroids
    total = _inertia_with(X, given, ours, metric, n_jobs)
    rows = centred(X if kept.all() else X[kept], metric)
    names, codes = np.unique(given[kept], return_inverse=True)
    n_points, k = len(codes), len(names)
    scores: dict[str, Any] = dict.fromkeys(
        ("silhouette", "davies_bouldin", "calinski_harabasz"), float("nan")
    )
    scores["n_silhouette"] = n_points
    if 2 <= k < n_points:
        scores.update(mean_silhouette(rows, codes, k, metric, sample_size, rng, n_jobs))
        scores["davies_bouldin"], scores["calinski_harabasz"] = spread_scores(rows, codes, k)
    else:
        warnings.warn(
            f"{k} cluster{'s' * (k != 1)} of {n_points} points: silhouette, Davies-Bouldin and "
            "Calinski-Harabasz are defined for 2 to n − 1 clusters, so they are NaN here.",
            AnnlabWarning,
            stacklevel=2,
        )
    if reference is not None:
        scores |= _agreement(X, given, ours, reference, metric, n_jobs)
    return ClusteringScores(
        inertia=total, n_points=n_points, n_clusters=k, n_outliers=n - n_points, **scores
    )


def centred(rows: Any, metric: str) -> Any:
    """Shift rows to mean 0, which keeps scores and the digits of products."""
    if metric != "euclidean" or is_sparse(rows):
        return rows
    return rows - rows.mean(axis=0, dtype=np.float64).astype(rows.dtype)


def _agreement(
    X: Matrix,
    given: np.ndarray,
    ours: ArrayLike | None,
    reference: LabelsLike,
    metric: str,
    n_jobs: int | None,
) -> dict[str, float]:
    """Compare labels with a reference on the points that are labelled in both."""
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    truth = check_labels(reference, "reference", len(given))
    both = (given >= 0) & (truth >= 0)
    if not both.any():
        raise invalid("reference", "0 or higher where labels are", "no such point")
    theirs = _centroids_of(reference)
    mine = _inertia_with(X, np.where(both, given, -1), ours, metric, n_jobs)
    base = _inertia_with(X, np.where(both, truth, -1), theirs, metric, n_jobs)
    return {
        "adjusted_rand": float(adjusted_rand_score(truth[both], given[both])),
        "normalized_mutual_info": float(normalized_mutual_info_score(truth[both], given[both])),
        "inertia_gap": mine / base - 1 if base > 0 else (0.0 if mine == 0 else np.inf),
    }


def _inertia_with(
    X: Matrix, labels: np.ndarray, centroids: ArrayLike | None, metric: str, n_jobs: int | None
) -> float:
    """Return the inertia with the given centroids, else with the means."""
    if centroids is None:
        kept = labels >= 0
        names, codes = np.unique(labels[kept], return_inverse=True)
        centroids = _means(X if kept.all() else X[kept], codes, len(names))
        labels = labels.copy()
        labels[kept] = codes
    return inertia(X, labels, centroids, metric=metric, n_jobs=n_jobs)


def spread_scores(X: Matrix, codes: np.ndarray, n_clusters: int) -> tuple[float, float]:
    """Return Davies-Bouldin and Calinski-Harabasz scores."""
    if not is_sparse(X):
        from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score

        return float(davies_bouldin_score(X, codes)), float(calinski_harabasz_score(X, codes))
    # scikit-learn refuses sparse rows
    n, sizes = len(codes), np.bincount(codes, minlength=n_clusters)
    means = _means(X, codes, n_clusters)
    distances_sq = paired_sq(X, means, codes)
    within = float(distances_sq.sum())
    center = sizes @ means / n
    between = float(sizes @ ((means - center) ** 2).sum(axis=1))
    harabasz = 1.0 if within == 0 else between * (n - n_clusters) / (within * (n_clusters - 1))
    spread = np.bincount(codes, weights=np.sqrt(distances_sq), minlength=n_clusters) / sizes
    apart = np.sqrt(pairwise_sq(means, means))
    np.fill_diagonal(apart, 0.0)
    if np.allclose(spread, 0) or np.allclose(apart, 0):
        return 0.0, harabasz
    apart[apart == 0] = np.inf
    return float(np.max((spread[:, None] + spread) / apart, axis=1).mean()), harabasz


def inertia(
    X: MatrixLike,
    labels: LabelsLike,
    centroids: MatrixLike,
    *,
    sample_weight: ArrayLike | None = None,
    metric: str = "euclidean",
    n_jobs: int | None = None,
) -> float:
    """Return Σ w ‖x − c‖² of the given labels, in float64.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n, d)
    labels : array-like of shape (n,), or a result
        −1 is left out. Labels need not name the nearest centroid.
    centroids : array-like of shape (k, d)
    sample_weight : array-like of shape (n,), optional
    metric : {"euclidean", "cosine"}, default="euclidean"
        Cosine: both sides are scaled to length 1 first.
    n_jobs : int, optional

    Returns
    -------
    float

    Raises
    ------
    TypeError, ValueError

    Notes
    -----
    3·n·d operations, by differences, without cancellation.

    Examples
    --------
    >>> import numpy as np
    >>> from annlab.metrics import inertia
    >>> inertia(np.array([[0.0], [2.0], [9.0]]), [0, 0, 1], np.array([[1.0], [9.0]]))
    2.0
    """
    check_choice(metric, "metric", ("euclidean", "cosine"))
    X = check_data(X, accept_sparse=True)
    centroids = check_data(centroids, name="centroids", n_features=X.shape[1])
    codes = check_labels(labels, "labels", X.shape[0])
    if codes.max() >= len(centroids):
        raise invalid(
            "labels",
            f"below the number of centroids ({len(centroids)})",
            f"a maximum of {codes.max()}",
            "Row i of centroids belongs to label i.",
        )
    weights = check_sample_weight(sample_weight, X.shape[0])
    with Workers(n_jobs) as workers:
        return exact_inertia(X, centroids, codes.astype(np.int32), metric, weights, workers)

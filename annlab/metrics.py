"""How good a clustering or a search is: scikit-learn's measures where they exist, over results.

Outliers (label −1) are left out of every measure, and every measure of a sample says so.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from annlab._support.checks import (
    as_array,
    check_choice,
    check_data,
    check_integer,
    check_random_state,
    check_real,
    check_sample_weight,
    is_sparse,
)
from annlab._support.errors import AnnlabWarning, invalid
from annlab._support.pair import Pair
from annlab._support.threads import Workers, chunk_bounds
from annlab.distances import from_squared, k_nearest, paired_sq, pairwise_sq, unit_rows
from annlab.lloyd import exact_inertia

__all__ = [
    "ClusteringScores",
    "distance_contrast",
    "evaluate_clustering",
    "inertia",
    "intrinsic_dimension",
    "label_agreement",
    "purity",
    "recall_at_k",
    "trustworthiness",
]

#: Up to this many points the silhouette is scikit-learn's, of all points.
SILHOUETTE_ALL = 10_000
#: Past that, as many points are scored as this many pairs of points allow, 500 at least.
_SILHOUETTE_PAIRS = 200_000_000
#: Up to this many points `trustworthiness` looks at all of them: it holds n² distances.
TRUSTWORTHINESS_ALL = 5_000


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ClusteringScores(Pair):
    """Quality of a clustering. Unpacks as ``silhouette, davies_bouldin``.

    Attributes
    ----------
    silhouette : float
        Mean over the points of (b − a) / max(a, b), from −1 to 1, higher is better; a is the mean
        distance to the points of the own cluster, b to those of the nearest other one.
    davies_bouldin : float
        Mean over the clusters of the worst (spread + spread) / distance; from 0, lower is better.
    calinski_harabasz : float
        Variance between clusters over variance inside, each per degree of freedom; higher is
        better.
    inertia : float
        Σ ‖x − c‖² in float64, with the centroids given, else with the means of the clusters.
    n_points, n_clusters, n_outliers : int
        Points that were scored, labels that occur, points left out because of label −1.
    n_silhouette : int
        Points whose silhouette was computed; fewer than ``n_points`` for large data.
    silhouette_error : float
        Standard error of ``silhouette`` from that sample; 0 where all points were used.
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


def _labels_of(labels: Any) -> Any:
    """Labels of a result (`KMeansResult`), of a fitted estimator, or the argument itself."""
    for name in ("labels", "labels_"):
        if hasattr(labels, name):
            return getattr(labels, name)
    return labels


def _centroids_of(labels: Any) -> Any:
    for name in ("centroids", "cluster_centers_"):
        if hasattr(labels, name):
            return getattr(labels, name)
    return None


def check_labels(labels: Any, name: str, n: int | None = None) -> np.ndarray:
    """Accept one label per point: integers, whole numbers, or names; return int64.

    Parameters
    ----------
    labels : array-like of shape (n,)
        A result or a fitted estimator counts as its labels. Names are numbered in sorted order.
    name : str
    n : int, optional
        Required length.

    Returns
    -------
    ndarray of shape (n,), int64
        Negative for outliers.

    Raises
    ------
    TypeError, ValueError
    """
    array = as_array(_labels_of(labels), name)
    if array.ndim != 1:
        raise invalid(name, "a 1-D array, one label per point", f"shape {array.shape}")
    if n is not None and len(array) != n:
        raise invalid(
            name, f"an array of shape ({n},), one label per row of X", f"shape {array.shape}"
        )
    if array.dtype.kind in "OUS":
        try:
            return np.unique(array, return_inverse=True)[1].astype(np.int64)
        except TypeError as reason:
            raise invalid(name, "integers, or names of one type", reason, error=TypeError) from None
    if array.dtype.kind == "f" and not np.array_equal(array, np.floor(array)):
        raise invalid(
            name,
            "whole numbers",
            "fractions or NaN",
            "Pass labels; distances or probabilities are no labels.",
        )
    if array.dtype.kind not in "iubf":
        raise invalid(name, "integers", f"dtype {array.dtype}", error=TypeError)
    return array.astype(np.int64)


def _means(X: Any, labels: np.ndarray, n_clusters: int) -> np.ndarray:
    """Mean of each cluster, shape (n_clusters, d), float64; labels are 0 … n_clusters − 1."""
    from scipy.sparse import csr_matrix

    n = len(labels)
    members = csr_matrix((np.ones(n), labels, np.arange(n + 1)), shape=(n, n_clusters)).T
    sums = members @ X.astype(np.float64)
    sums = sums.toarray() if is_sparse(sums) else sums
    return sums / np.bincount(labels, minlength=n_clusters)[:, None]


def evaluate_clustering(
    X: Any,
    labels: Any,
    *,
    reference: Any = None,
    centroids: Any = None,
    metric: str | None = None,
    sample_size: int | None = None,
    random_state: Any = 0,
    n_jobs: int | None = None,
) -> ClusteringScores:
    """Score a clustering: by itself, and against a reference where one is given.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n, d)
    labels : array-like of shape (n,), or a result
        −1 marks outliers, which are left out. A `KMeansResult` or a fitted estimator brings its
        centroids along.
    reference : array-like of shape (n,), or a result, optional
        True groups, or the clustering to compare with. −1 is left out as well.
    centroids : array-like of shape (k, d), optional
        Row ``i`` for label ``i``; the means of the clusters where nothing is given.
    metric : {"euclidean", "cosine"}, optional
        That of the result, else Euclidean. Cosine scores unit rows.
    sample_size : int, optional
        Points whose silhouette is computed. Up to 10,000 points all of them; past that as many as
        200 million distances allow, between 500 and 10,000.
    random_state : None, int, RandomState or Generator, default=0
        Draws that sample.
    n_jobs : int, optional
        Threads for the sample.

    Returns
    -------
    ClusteringScores
        Unpacks as ``silhouette, davies_bouldin``. The three scores are NaN, with a warning, where
        they are not defined: for a single cluster, or as many clusters as points.

    Raises
    ------
    TypeError, ValueError

    Notes
    -----
    O(n²·d) up to 10,000 points, else O(sample·n·d). The sampled points are compared with *all*
    points, so the estimate has no bias; scoring a sample among itself (scikit-learn's
    ``sample_size``) is biased where it holds few points of each cluster. Rousseeuw (1987),
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
    rows = X if kept.all() else X[kept]
    names, codes = np.unique(given[kept], return_inverse=True)
    n_points, k = len(codes), len(names)
    scores: dict[str, Any] = dict.fromkeys(
        ("silhouette", "davies_bouldin", "calinski_harabasz"), float("nan")
    )
    scores["n_silhouette"] = n_points
    if 2 <= k < n_points:
        scores.update(_silhouette(rows, codes, k, metric, sample_size, rng, n_jobs))
        scores["davies_bouldin"], scores["calinski_harabasz"] = _spread_scores(rows, codes, k)
    else:
        warnings.warn(
            f"{k} cluster{'s' * (k != 1)} of {n_points} points: silhouette, Davies-Bouldin and "
            "Calinski-Harabasz are defined for 2 to n − 1 clusters, so they are NaN here.",
            AnnlabWarning,
            stacklevel=2,
        )
    if reference is not None:
        from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

        truth = check_labels(reference, "reference", n)
        both = kept & (truth >= 0)
        if not both.any():
            raise invalid("reference", "0 or higher where labels are", "no such point")
        scores["adjusted_rand"] = float(adjusted_rand_score(truth[both], given[both]))
        scores["normalized_mutual_info"] = float(
            normalized_mutual_info_score(truth[both], given[both])
        )
        theirs = _centroids_of(reference)
        mine = _inertia_with(X, np.where(both, given, -1), ours, metric, n_jobs)
        base = _inertia_with(X, np.where(both, truth, -1), theirs, metric, n_jobs)
        scores["inertia_gap"] = mine / base - 1 if base > 0 else (0.0 if mine == 0 else np.inf)
    return ClusteringScores(
        inertia=total, n_points=n_points, n_clusters=k, n_outliers=n - n_points, **scores
    )


def _inertia_with(
    X: Any, labels: np.ndarray, centroids: Any, metric: str, n_jobs: int | None
) -> float:
    """Inertia with the centroids given, else with the means of the clusters."""
    if centroids is None:
        kept = labels >= 0
        names, codes = np.unique(labels[kept], return_inverse=True)
        centroids = _means(X if kept.all() else X[kept], codes, len(names))
        labels = labels.copy()
        labels[kept] = codes
    return inertia(X, labels, centroids, metric=metric, n_jobs=n_jobs)


def _silhouette(
    X: Any,
    codes: np.ndarray,
    n_clusters: int,
    metric: str,
    sample_size: int | None,
    rng: np.random.RandomState,
    n_jobs: int | None,
) -> dict[str, Any]:
    n = len(codes)
    if sample_size is None:
        size = n if n <= SILHOUETTE_ALL else min(SILHOUETTE_ALL, max(500, _SILHOUETTE_PAIRS // n))
    else:
        size = min(n, check_integer(sample_size, "sample_size", minimum=2))
    if size == n:
        from sklearn.metrics import silhouette_score

        return {"silhouette": float(silhouette_score(X, codes, metric=metric)), "n_silhouette": n}
    chosen = np.sort(rng.choice(n, size, replace=False))
    values = silhouette_of_rows(X, codes, chosen, n_clusters, metric=metric, n_jobs=n_jobs)
    # drawn without replacement: the error shrinks to 0 as the sample becomes the whole
    error = values.std(ddof=1) / np.sqrt(size) * np.sqrt(1 - size / n)
    return {
        "silhouette": float(values.mean()),
        "n_silhouette": size,
        "silhouette_error": float(error),
    }


def silhouette_of_rows(
    X: Any,
    codes: np.ndarray,
    rows: np.ndarray,
    n_clusters: int,
    *,
    metric: str = "euclidean",
    n_jobs: int | None = None,
) -> np.ndarray:
    """Silhouette of some rows, each compared with all points.

    Parameters
    ----------
    X : ndarray or CSR of shape (n, d)
        Unit rows for cosine.
    codes : ndarray of shape (n,), integer from 0 to n_clusters − 1
    rows : ndarray of shape (m,), integer
    n_clusters : int
    metric : {"euclidean", "cosine"}
    n_jobs : int, optional

    Returns
    -------
    ndarray of shape (m,), float64
        0 for the only point of its cluster.

    Notes
    -----
    O(m·n·d); each thread holds blocks of about 32 MB.
    """
    sizes = np.bincount(codes, minlength=n_clusters)
    step = 64
    tasks = [
        (X, codes, sizes, rows[start : start + step], metric) for start in range(0, len(rows), step)
    ]
    with Workers(n_jobs) as workers:
        return np.concatenate(workers.map(_silhouette_chunk, tasks))


def _silhouette_chunk(
    X: Any, codes: np.ndarray, sizes: np.ndarray, rows: np.ndarray, metric: str
) -> np.ndarray:
    from scipy.sparse import csr_matrix

    n, m, k = len(codes), len(rows), len(sizes)
    queries = (X[rows].toarray() if is_sparse(X) else X[rows]).astype(np.float64)
    sums = np.zeros((k, m))
    for start, stop in chunk_bounds(n, 1 << 16):
        # the block is the query of pairwise_sq, because that is the side that may be sparse
        distances = pairwise_sq(X[start:stop].astype(np.float64), queries)
        inside = np.flatnonzero((start <= rows) & (rows < stop))
        distances[rows[inside] - start, inside] = 0.0
        size = stop - start
        members = csr_matrix((np.ones(size), codes[start:stop], np.arange(size + 1)), (size, k))
        sums += members.T @ from_squared(distances, metric)
    own, columns = codes[rows], np.arange(m)
    a = sums[own, columns] / np.maximum(sizes[own] - 1, 1)
    means = sums / sizes[:, None]
    means[own, columns] = np.inf
    b = means.min(axis=0)
    largest = np.maximum(a, b)
    scores = np.divide(b - a, largest, out=np.zeros_like(a), where=largest > 0)
    return np.where(sizes[own] == 1, 0.0, scores)


def _spread_scores(X: Any, codes: np.ndarray, n_clusters: int) -> tuple[float, float]:
    """Davies-Bouldin and Calinski-Harabasz; scikit-learn's for dense rows."""
    if not is_sparse(X):
        from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score

        return float(davies_bouldin_score(X, codes)), float(calinski_harabasz_score(X, codes))
    # scikit-learn's refuse sparse rows; only the centroids become dense here
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
    X: Any,
    labels: Any,
    centroids: Any,
    *,
    sample_weight: Any = None,
    metric: str = "euclidean",
    n_jobs: int | None = None,
) -> float:
    """Σ w ‖x − c‖² of the labels *as they are*, in float64: the figure of merit of this package.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n, d)
    labels : array-like of shape (n,), or a result
        −1 is left out. Nothing is assigned anew: a label that is not the nearest costs.
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
    3·n·d operations, by differences: no cancellation, whatever the offset of the data.

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


def recall_at_k(
    found: Any, truth: Any, n_neighbors: int | None = None, *, tolerance: float = 1e-6
) -> float:
    """Share of the true nearest neighbours that a search found, counted by distance.

    Parameters
    ----------
    found : array-like of shape (nq, m), or a pair (distances, indices)
        Distances of the neighbours that were found, in any order. Given the pair that
        ``kneighbors`` returns, a row that is named twice counts once.
    truth : array-like of shape (nq, m') or a pair, m' ≥ n_neighbors
        Distances of the true neighbours, nearest first.
    n_neighbors : int, optional
        The k of recall@k; by default the columns of ``found``.
    tolerance : float, default=1e-6
        Relative excess that still counts as equal: two libraries round differently.

    Returns
    -------
    float
        From 0 to 1, averaged over the queries.

    Raises
    ------
    TypeError, ValueError

    Notes
    -----
    A neighbour counts if it is no farther than the true k-th one. So where several points lie at
    the same distance, any of them is right; comparing indices would call that an error. This is
    the definition of Aumüller, Bernhardsson & Faithfull (2020), "ANN-Benchmarks",
    doi 10.1016/j.is.2019.02.006.

    Examples
    --------
    >>> import numpy as np
    >>> from annlab.metrics import recall_at_k
    >>> recall_at_k(np.array([[1.0, 2.0, 4.0]]), np.array([[1.0, 2.0, 2.0]]))
    0.6666666666666666
    """
    distances, indices = _search_answer(found, "found")
    true_distances, _ = _search_answer(truth, "truth")
    tolerance = check_real(tolerance, "tolerance")
    m = distances.shape[1] if n_neighbors is None else check_integer(n_neighbors, "n_neighbors")
    for name, array in (("found", distances), ("truth", true_distances)):
        if array.shape[1] < m or len(array) != len(distances):
            raise invalid(
                name,
                f"an array of shape ({len(distances)}, {m}) or wider",
                f"shape {array.shape}",
                "Ask both searches for the same queries and at least n_neighbors neighbours.",
            )
    limit = np.sort(true_distances, axis=1)[:, m - 1]
    order = np.argsort(distances, axis=1, kind="stable")[:, :m]
    good = np.take_along_axis(distances, order, axis=1) <= (limit * (1 + tolerance))[:, None]
    if indices is not None:
        rows = np.take_along_axis(indices, order, axis=1)
        ranked = np.argsort(rows, axis=1, kind="stable")
        in_order = np.take_along_axis(rows, ranked, axis=1)
        again = np.zeros_like(good)
        repeats = in_order[:, 1:] == in_order[:, :-1]
        np.put_along_axis(again, ranked[:, 1:], repeats, axis=1)
        good &= ~again
    return float(good.mean())


def _search_answer(answer: Any, name: str) -> tuple[np.ndarray, np.ndarray | None]:
    indices = None
    if isinstance(answer, tuple) and len(answer) == 2:
        answer, indices = answer
        indices = as_array(indices, name)
    distances = as_array(answer, name)
    if distances.dtype.kind != "f":
        raise invalid(
            name,
            "distances (floating point), or the pair (distances, indices)",
            f"dtype {distances.dtype}",
            "Indices alone cannot tell a tie from an error.",
            error=TypeError,
        )
    if distances.ndim != 2 or 0 in distances.shape:
        raise invalid(name, "an array of shape (nq, m)", f"shape {distances.shape}")
    if np.isnan(distances).any():
        raise invalid(name, "free of NaN", "at least one NaN")
    if indices is not None and indices.shape != distances.shape:
        raise invalid(name, "two arrays of one shape", f"{distances.shape} and {indices.shape}")
    return distances.astype(np.float64), indices


def label_agreement(labels: Any, reference: Any, *, match: bool = False) -> float:
    """Share of the points on which two labellings agree.

    Parameters
    ----------
    labels, reference : array-like of shape (n,), or results
        Points that are −1 in either are left out.
    match : bool, default=False
        False compares the numbers as they are: for two assignments to the *same* centroids, such
        as an approximate and an exact one. True first pairs the clusters of both so that the
        agreement is largest (Kuhn 1955, doi 10.1002/nav.3800020109): for clusterings that number
        their clusters differently.

    Returns
    -------
    float
        From 0 to 1; NaN where no point is labelled in both.

    Raises
    ------
    TypeError, ValueError

    Examples
    --------
    >>> from annlab.metrics import label_agreement
    >>> label_agreement([0, 0, 1, 1], [1, 1, 0, 2])
    0.0
    >>> label_agreement([0, 0, 1, 1], [1, 1, 0, 2], match=True)
    0.75
    """
    ours = check_labels(labels, "labels")
    theirs = check_labels(reference, "reference", len(ours))
    both = (ours >= 0) & (theirs >= 0)
    if not both.any():
        return float("nan")
    if not match:
        return float(np.mean(ours[both] == theirs[both]))
    from scipy.optimize import linear_sum_assignment
    from sklearn.metrics.cluster import contingency_matrix

    table = contingency_matrix(theirs[both], ours[both])
    rows, columns = linear_sum_assignment(table, maximize=True)
    return float(table[rows, columns].sum() / both.sum())


def purity(labels: Any, reference: Any) -> float:
    """Share of the points that belong to the most frequent true group of their cluster.

    Parameters
    ----------
    labels : array-like of shape (n,), or a result
    reference : array-like of shape (n,)
        True groups. Points that are −1 in either are left out.

    Returns
    -------
    float
        From 0 to 1; it rises with the number of clusters by itself (1 when each point is its
        own cluster), so compare it at one k, or look at the adjusted Rand index.

    Raises
    ------
    TypeError, ValueError

    Examples
    --------
    >>> from annlab.metrics import purity
    >>> purity([0, 0, 0, 1, 1], ["a", "a", "b", "c", "c"])
    0.8
    """
    from sklearn.metrics.cluster import contingency_matrix

    ours = check_labels(labels, "labels")
    truth = check_labels(reference, "reference", len(ours))
    both = (ours >= 0) & (truth >= 0)
    if not both.any():
        return float("nan")
    table = contingency_matrix(truth[both], ours[both], sparse=True)
    return float(table.max(axis=0).sum() / both.sum())


def distance_contrast(
    X: Any,
    Q: Any = None,
    *,
    n_queries: int = 200,
    metric: str = "euclidean",
    random_state: Any = 0,
) -> float:
    """Relative contrast (farthest − nearest) / nearest, the median over queries.

    Parameters
    ----------
    X : array-like of shape (n, d)
    Q : array-like of shape (nq, d), optional
        Queries; by default rows of X drawn at random, each compared with the other rows.
    n_queries : int, default=200
        Rows to draw.
    metric : {"euclidean", "cosine"}, default="euclidean"
    random_state : None, int, RandomState or Generator, default=0

    Returns
    -------
    float
        It falls towards 0 as the dimension of uniform data grows: then the nearest neighbour is
        hardly nearer than any other point, and no index can rule anything out. Infinite where
        most queries coincide with a point.

    Raises
    ------
    TypeError, ValueError

    Notes
    -----
    O(nq·n·d). Beyer, Goldstein, Ramakrishnan & Shaft (1999), "When is 'nearest neighbor'
    meaningful?", ICDT, doi 10.1007/3-540-49257-7_15.

    Examples
    --------
    >>> import numpy as np
    >>> from annlab.metrics import distance_contrast
    >>> rng = np.random.RandomState(0)
    >>> bool(distance_contrast(rng.rand(500, 2)) > 10 * distance_contrast(rng.rand(500, 200)))
    True
    """
    check_choice(metric, "metric", ("euclidean", "cosine"))
    X = check_data(X, min_rows=2)
    rows = None
    if Q is None:
        size = min(len(X), check_integer(n_queries, "n_queries"))
        rows = check_random_state(random_state).choice(len(X), size, replace=False)
        Q = X[rows]
    else:
        Q = check_data(Q, name="Q", n_features=X.shape[1])
    X, Q = X.astype(np.float64), Q.astype(np.float64)
    if metric == "cosine":
        X, Q = unit_rows(X)[0], unit_rows(Q)[0]
    step = max(1, (1 << 22) // len(X))
    contrast = []
    for start in range(0, len(Q), step):
        distances = from_squared(pairwise_sq(Q[start : start + step], X), metric)
        farthest = distances.max(axis=1)
        if rows is not None:
            own = rows[start : start + step]
            distances[np.arange(len(own)), own] = np.inf
        nearest = distances.min(axis=1)
        contrast.append(
            np.divide(
                farthest - nearest,
                nearest,
                out=np.full(len(nearest), np.inf),
                where=nearest > 0,
            )
        )
    return float(np.median(np.concatenate(contrast)))


def intrinsic_dimension(
    X: Any,
    *,
    n_neighbors: int = 10,
    n_queries: int = 1000,
    random_state: Any = 0,
) -> float:
    """Dimension that the data itself has, from how fast the nearest neighbours recede.

    Parameters
    ----------
    X : array-like of shape (n, d)
        With at least three different rows. Equal rows count once.
    n_neighbors : int, default=10
        Neighbours K of a row, from 2; lowered to what there are. Fewer look closer, and vary
        more.
    n_queries : int, default=1000
        Rows to draw where there are more.
    random_state : None, int, RandomState or Generator, default=0

    Returns
    -------
    float
        Positive, not an integer, and seldom much above d. It is too low where the dimension is
        high and n is not astronomic: 1,000 uniform points in 1,000 dimensions give about 160,
        since most of a neighbourhood lies beyond the border of the data. Infinite where the K
        neighbours of every row are equally far.

    Raises
    ------
    TypeError, ValueError

    Notes
    -----
    The number of rows within a radius r grows as rᵐ, so for distances T₁ ≤ … ≤ T_K to the
    neighbours, the logarithms ln(T_K / T_j) have mean 1/m; their mean over all rows and j < K is
    inverted. O(n_queries·n·d). Levina & Bickel (2004), "Maximum likelihood estimation of intrinsic
    dimension", NIPS 17, averaged as MacKay & Ghahramani (2005) propose; for K = 2 it is that of
    Facco, d'Errico, Rodriguez & Laio (2017), doi 10.1038/s41598-017-11873-y.

    Examples
    --------
    >>> import numpy as np
    >>> from annlab.metrics import intrinsic_dimension
    >>> rng = np.random.RandomState(0)
    >>> sheet = rng.rand(1000, 2) @ rng.randn(2, 50)
    >>> round(intrinsic_dimension(sheet), 1)
    1.9
    """
    X = np.unique(check_data(X, min_rows=3).astype(np.float64), axis=0)
    n = len(X)
    if n < 3:
        raise invalid("X", "of at least three different rows", f"{n} different")
    n_neighbors = min(check_integer(n_neighbors, "n_neighbors", minimum=2), n - 1)
    size = min(n, check_integer(n_queries, "n_queries"))
    # distances are differences of squares: near the origin they keep their digits
    X -= X.mean(axis=0)
    rows = check_random_state(random_state).choice(n, size, replace=False)
    distances = k_nearest(X[rows], X, n_neighbors + 1)[0]
    # the row itself comes first, at distance 0; differences too small for float64 are left out
    distances = distances[distances[:, 1] > 0, 1:]
    logarithms = np.log(distances[:, -1:] / distances[:, :-1])
    mean = float(logarithms.mean()) if logarithms.size else 0.0
    return 1.0 / mean if mean > 0 else float("inf")


def trustworthiness(
    X: Any,
    embedding: Any,
    *,
    n_neighbors: int = 5,
    metric: str = "euclidean",
    random_state: Any = 0,
) -> float:
    """How far the neighbours in a picture are neighbours in the data: scikit-learn's measure.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n, d)
    embedding : array-like of shape (n, 2 or 3)
    n_neighbors : int, default=5
        Below n / 2.
    metric : {"euclidean", "cosine"}, default="euclidean"
        Of ``X``; in the picture distances are Euclidean.
    random_state : None, int, RandomState or Generator, default=0
        Draws 5,000 rows where there are more, with a warning: the measure holds n² distances.

    Returns
    -------
    float
        From 0 to 1; 1 means that no point of the picture has a false neighbour.

    Raises
    ------
    TypeError, ValueError

    Notes
    -----
    O(n²·d). Venna & Kaski (2001), "Neighborhood preservation in nonlinear projection methods",
    doi 10.1007/3-540-44668-0_68.

    Examples
    --------
    >>> import numpy as np
    >>> from annlab.metrics import trustworthiness
    >>> X = np.random.RandomState(0).rand(100, 2)
    >>> float(trustworthiness(X, 3 * X))
    1.0
    """
    from sklearn.manifold import trustworthiness as measure

    check_choice(metric, "metric", ("euclidean", "cosine"))
    X = check_data(X, accept_sparse=True, min_rows=3)
    embedding = check_data(embedding, name="embedding")
    n = X.shape[0]
    if len(embedding) != n:
        raise invalid("embedding", f"an array of {n} rows, one per row of X", embedding.shape)
    if n > TRUSTWORTHINESS_ALL:
        chosen = np.sort(
            check_random_state(random_state).choice(n, TRUSTWORTHINESS_ALL, replace=False)
        )
        X, embedding, n = X[chosen], embedding[chosen], TRUSTWORTHINESS_ALL
        warnings.warn(
            f"Trustworthiness of {n:,} points drawn at random: all would need n² distances.",
            AnnlabWarning,
            stacklevel=2,
        )
    largest = -(-n // 2) - 1
    n_neighbors = check_integer(n_neighbors, "n_neighbors", maximum=largest)
    return float(measure(X, embedding, n_neighbors=n_neighbors, metric=metric))

"""Quality of a search, and difficulty of the data for searches."""

from __future__ import annotations

import numpy as np

from annlab._support.checks import (
    as_array,
    check_choice,
    check_data,
    check_integer,
    check_random_state,
    check_real,
)
from annlab._support.errors import invalid
from annlab._support.types import MatrixLike, Seed
from annlab.distances import from_squared, k_nearest, pairwise_sq, unit_rows


def recall_at_k(
    found: object, truth: object, n_neighbors: int | None = None, *, tolerance: float = 1e-6
) -> float:
    """Return the share of true nearest neighbours found, judged by distance.

    Parameters
    ----------
    found : array-like of shape (nq, m), or a pair (distances, indices)
        Distances of the neighbours found, in any order; of a pair as ``kneighbors`` returns it, a
        row that is named twice counts once.
    truth : array-like of shape (nq, m') or a pair, m' ≥ n_neighbors
        Distances of the true neighbours, nearest first.
    n_neighbors : int, optional
        The k of recall@k; by default the columns of ``found``.
    tolerance : float, default=1e-6
        Relative difference that counts as equal: two libraries round differently.

    Returns
    -------
    float
        From 0 to 1, averaged over the queries.

    Raises
    ------
    TypeError, ValueError

    Notes
    -----
    A neighbour counts if it is no farther than the true k-th one, so any of several points at the
    same distance is right: Aumüller, Bernhardsson & Faithfull (2020), "ANN-Benchmarks",
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


def _search_answer(answer: object, name: str) -> tuple[np.ndarray, np.ndarray | None]:
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
        raise invalid(
            name, "two arrays of the same shape", f"{distances.shape} and {indices.shape}"
        )
    return distances.astype(np.float64), indices


def distance_contrast(
    X: MatrixLike,
    Q: MatrixLike | None = None,
    *,
    n_queries: int = 200,
    metric: str = "euclidean",
    random_state: Seed = 0,
) -> float:
    """Return the median relative contrast (farthest − nearest) / nearest.

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
        It falls towards 0 as the dimension of uniform data grows: then no index can rule anything
        out. Infinite if most queries coincide with a point.

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
    points, queries = X.astype(np.float64), np.asarray(Q, dtype=np.float64)
    if metric == "cosine":
        points, queries = unit_rows(points)[0], unit_rows(queries)[0]
    step = max(1, (1 << 22) // len(X))
    contrast = []
    for start in range(0, len(queries), step):
        distances = from_squared(pairwise_sq(queries[start : start + step], points), metric)
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
    X: MatrixLike,
    *,
    n_neighbors: int = 10,
    n_queries: int = 1000,
    random_state: Seed = 0,
) -> float:
    """Estimate the intrinsic dimension from distances to nearest neighbours.

    Parameters
    ----------
    X : array-like of shape (n, d)
        With at least three different rows; equal rows count once.
    n_neighbors : int, default=10
        Neighbours K of a row, 2 to n − 1. With fewer the estimate is more local and varies more.
    n_queries : int, default=1000
        Most rows to draw.
    random_state : None, int, RandomState or Generator, default=0

    Returns
    -------
    float
        Positive, not an integer. Too low for high dimensions: 1,000 uniform points in 1,000
        dimensions give about 160. Infinite if the K neighbours of every row are equally far.

    Raises
    ------
    TypeError, ValueError

    Notes
    -----
    For distances T₁ ≤ … ≤ T_K to the neighbours the logarithms ln(T_K / T_j) have mean 1/m; their
    mean over all rows and j < K is inverted. O(n_queries·n·d). Levina & Bickel (2004), "Maximum
    likelihood estimation of intrinsic dimension", NIPS 17, averaged as by MacKay & Ghahramani
    (2005); for K = 2 that of Facco et al. (2017), doi 10.1038/s41598-017-11873-y.

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
        raise invalid("X", "an array with at least three different rows", f"{n} different")
    n_neighbors = min(check_integer(n_neighbors, "n_neighbors", minimum=2), n - 1)
    size = min(n, check_integer(n_queries, "n_queries"))
    # near the origin products keep their digits
    X -= X.mean(axis=0)
    rows = check_random_state(random_state).choice(n, size, replace=False)
    distances = k_nearest(X[rows], X, n_neighbors + 1)[0]
    # without the row itself, and without distances that underflow to 0
    distances = distances[distances[:, 1] > 0, 1:]
    logarithms = np.log(distances[:, -1:] / distances[:, :-1])
    mean = float(logarithms.mean()) if logarithms.size else 0.0
    return 1.0 / mean if mean > 0 else float("inf")

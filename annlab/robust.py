"""k-means without outliers: they get label −1 and no weight.

The steps are those of any fit. The search also marks outliers, which do not move centroids, and
isolated points are not drawn by a start.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from annlab._support.checks import check_real
from annlab._support.types import Seed
from annlab.distances import k_nearest, paired_sq
from annlab.fit.answers import exact_inertia
from annlab.fit.lloyd import advance, start
from annlab.fit.run import Variant, fit
from annlab.fit.settings import Callback, Settings
from annlab.fit.states import Found, State
from annlab.result import KMeansResult
from annlab.rows import Rows
from annlab.rows.coordinates import Chunk
from annlab.rows.memory import MemoryRows
from annlab.rows.tally import Labelled

#: 1.4826 times the median absolute deviation estimates the standard deviation of a normal sample.
MAD_TO_SIGMA = 1.4826
#: Size of the sample in which isolated rows are detected.
_SAMPLE = 2048
#: Share of the points, those nearest to their centroids, by which several starts are compared.
_CORE = 0.75


def outlier_limit(distances: np.ndarray, threshold: float) -> float:
    """Return the outlier limit: median + threshold · 1.4826 · MAD.

    Parameters
    ----------
    distances : ndarray of shape (n,)
    threshold : float
        In robust standard deviations.

    Returns
    -------
    float

    Notes
    -----
    Up to half of the distances may be outliers. Rousseeuw & Croux (1993), "Alternatives to the
    median absolute deviation", JASA 88(424), doi 10.1080/01621459.1993.10476408.

    Examples
    --------
    >>> import numpy as np
    >>> from annlab.robust import outlier_limit
    >>> round(outlier_limit(np.array([1.0, 2.0, 3.0, 4.0, 1000.0]), 2.0), 4)
    5.9652
    """
    centre = float(np.median(distances))
    spread = float(np.median(np.abs(distances - centre)))
    return centre + threshold * MAD_TO_SIGMA * spread


class Trimmed:
    """An algorithm in which outliers have no weight.

    Parameters
    ----------
    inner : Algorithm
        Labels all points.
    outlier_threshold : float
    trim : float or None
        Share of the points to leave out; overrides the threshold.
    seeds : MemoryRows
        Rows with the weights for the draw of a start.
    allowed : ndarray of shape (n,), float64, optional
        Weights of the rows for re-seeding empty clusters.
    """

    exact_below = 0

    def __init__(
        self,
        inner: Any,
        outlier_threshold: float,
        trim: float | None,
        seeds: MemoryRows,
        allowed: np.ndarray | None = None,
    ) -> None:
        self.inner, self.seeds, self.allowed = inner, seeds, allowed
        self.name, self.exact, self.limits = inner.name, inner.exact, inner.limits
        self._threshold, self._trim = outlier_threshold, trim

    def begin(self, rows: Rows, n_clusters: int, init: Any, rng: np.random.RandomState) -> State:
        return self.inner.start_at(start(rows, n_clusters, init, rng, self.seeds))

    def step(self, rows: Rows, state: State) -> State:
        return advance(self, rows, state)

    def assign(self, rows: MemoryRows, state: State) -> Found:
        found = self.inner.assign(rows, state)
        distances_sq = paired(rows, state.centroids, found.labels)
        outliers = self._outliers(rows, state.centroids, found.labels, distances_sq)
        weights = np.ones(rows.n) if rows.sample_weight is None else rows.sample_weight
        weighted = rows.reweighted(np.where(outliers, 0.0, weights))
        members = found.labels if found.members is None else found.members
        tally = weighted.sweep(Labelled(centroids=state.centroids), members)[1]
        inertia = float(weighted.sample_weight @ distances_sq)
        return replace(
            found,
            kind="trim",
            tally=replace(tally, inertia=inertia, n_distances=found.tally.n_distances),
            outliers=outliers,
            weighted=weighted,
            seeds=self.allowed,
        )

    def finish(self, rows: MemoryRows, state: State, centroids: np.ndarray, exact: bool) -> Found:
        found = self.inner.finish(rows, state, centroids, exact)
        around = rows.around(centroids) if exact else rows
        inner = around.inward(centroids)
        distances_sq = paired(around, inner, found.labels)
        outliers = self._outliers(around, inner, found.labels, distances_sq)
        inertia = exact_inertia(
            rows.X, centroids, np.where(outliers, np.int32(-1), found.labels), rows.metric,
            rows.sample_weight, rows.workers,
        )  # fmt: skip
        return replace(found, outliers=outliers, tally=replace(found.tally, exact_inertia=inertia))

    def cost(self, rows: MemoryRows, state: State) -> float:
        # the inertia without outliers would favour the start with most outliers
        found = self.inner.assign(rows, replace(state, labels=None, known=None))
        distances_sq = paired(rows, state.centroids, found.labels)
        weights = rows.sample_weight
        if weights is None:
            core = max(1, int(_CORE * len(distances_sq)))
            return float(np.sort(distances_sq)[:core].sum())
        # a point of weight N counts as N points
        order = np.argsort(distances_sq, kind="stable")
        weights = weights[order]
        left = _CORE * weights.sum() - (np.cumsum(weights) - weights)
        return float(np.clip(left, 0.0, weights) @ distances_sq[order])

    def _outliers(
        self, rows: MemoryRows, centroids: np.ndarray, labels: np.ndarray, distances_sq: np.ndarray
    ) -> np.ndarray:
        """Return the mask of the outliers, shape (n,), bool."""
        weights = np.ones(rows.n) if rows.sample_weight is None else rows.sample_weight
        distances = np.sqrt(without_itself(rows, centroids, labels, distances_sq))
        if self._trim is None:
            return distances > outlier_limit(distances[weights > 0], self._threshold)
        # a point of weight N counts as N points
        order = np.argsort(-distances, kind="stable")
        # strictly less: a share of 0 leaves out no point
        gone = np.cumsum(weights[order]) < self._trim * weights.sum() * (1 + 1e-12)
        outliers = np.zeros(rows.n, dtype=bool)
        outliers[order[gone]] = True
        return outliers


def paired(rows: MemoryRows, centroids: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the squared distance of each row to its centroid, (n,) float64."""
    tasks = [(chunk, centroids, labels[a:b]) for a, b, chunk in rows.chunks()]
    return np.concatenate(rows.workers.map(_paired_chunk, tasks, work=4 * rows.n * rows.d))


def _paired_chunk(chunk: Chunk, centroids: np.ndarray, labels: np.ndarray) -> np.ndarray:
    distances_sq = paired_sq(chunk.load(), centroids, labels)
    if chunk.zero is not None:
        distances_sq[chunk.zero] = 1.0
    return distances_sq


def without_itself(
    rows: MemoryRows, centroids: np.ndarray, labels: np.ndarray, distances_sq: np.ndarray
) -> np.ndarray:
    """Return squared distances to the means of each cluster's other points.

    An outlier that a start has drawn is at distance 0 from its centroid. The mean of the other
    points of a cluster is m/(m − 1) times as far away as that of all; for a point alone in its
    cluster the nearest other centroid counts.
    """
    weights = np.ones(rows.n) if rows.sample_weight is None else rows.sample_weight
    mass = np.bincount(labels, weights=weights, minlength=len(centroids))
    rest = mass[labels] - weights
    shared = rest > 1e-12 * weights
    factor = np.ones(rows.n)
    factor[shared] = mass[labels][shared] / rest[shared]
    squared = distances_sq * factor**2
    alone = np.flatnonzero(~shared & (weights > 0))
    if alone.size and len(centroids) > 1:
        distances, nearest = k_nearest(rows.take(alone), centroids, 2)
        own = nearest[:, 0] == labels[alone]
        squared[alone] = np.where(own, distances[:, 1], distances[:, 0]) ** 2
    return squared


class RobustVariant(Variant):
    """The search, the weights and the start of `robust_kmeans_ann`."""

    together = True

    def __init__(self, outlier_threshold: float, trim: float | None) -> None:
        self._threshold, self._trim = outlier_threshold, trim

    def settings(self) -> dict[str, Any]:
        return {"outlier_threshold": self._threshold, "trim": self._trim}

    def variance(self, rows: Rows) -> float:
        # robust, because a far outlier would inflate the variance, and with it the tolerance
        if rows.sparse:
            # most medians would be 0
            return rows.variance
        step = max(1, rows.n // _SAMPLE)
        some = rows.take(np.arange(0, rows.n, step)).astype(np.float64)
        deviations = np.abs(some - np.median(some, axis=0))
        return float(np.mean((MAD_TO_SIGMA * np.median(deviations, axis=0)) ** 2))

    def wrap(self, algorithm: Any, rows: Any, n_clusters: int, rng: Any) -> Any:
        seeds = self.without_isolated(rows, n_clusters, rng)
        allowed = None if seeds is rows else seeds.sample_weight
        return Trimmed(algorithm, self._threshold, self._trim, seeds, allowed)

    def without_isolated(
        self, rows: MemoryRows, n_clusters: int, rng: np.random.RandomState
    ) -> MemoryRows:
        """Set the weights of isolated rows to 0 for starts and re-seeding.

        k-means++ prefers far points. A row is isolated if its distance to the m-th nearest row of
        a sample is beyond the robust limit.
        """
        # the sample is dense, also of sparse data
        size = min(rows.n, _SAMPLE, max(64, (1 << 24) // rows.d))
        sample = np.sort(rng.choice(rows.n, size, replace=False))
        m = min(max(2, len(sample) // (4 * n_clusters)), 16)
        if rows.n <= 2 * n_clusters:
            return rows
        some = rows.take(sample)
        chunks = [(piece, some, m + 1) for piece in rows.pieces()]
        reach = np.concatenate(rows.workers.map(_reach, chunks))
        isolated = reach > outlier_limit(reach, max(self._threshold, 2.0))
        weights = np.ones(rows.n) if rows.sample_weight is None else rows.sample_weight
        kept = np.where(isolated, 0.0, weights)
        return rows if np.count_nonzero(kept) < n_clusters else rows.reweighted(kept)


def _reach(chunk: Chunk, sample: np.ndarray, n_neighbors: int) -> np.ndarray:
    return k_nearest(chunk.load(), sample, n_neighbors)[0][:, -1]


def robust_kmeans_ann(
    X: Any,
    n_clusters: int,
    max_iter: int = 100,
    outlier_threshold: float = 2.0,
    *,
    trim: float | None = None,
    algorithm: Any = "auto",
    algorithm_params: dict[str, Any] | None = None,
    init: Any = "k-means++",
    n_init: int = 1,
    tol: float = 1e-4,
    metric: str = "euclidean",
    sample_weight: ArrayLike | None = None,
    random_state: Seed = None,
    n_jobs: int | None = None,
    trace: bool = False,
    callback: Callback | None = None,
    progress: bool = False,
    checkpoint: str | os.PathLike[str] | None = None,
) -> KMeansResult:
    """Cluster without outliers, which get label −1 and never move a centroid.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n, d)
    n_clusters : int
    max_iter : int, default=100
    outlier_threshold : float, default=2.0
        A point is an outlier if its distance to its centroid exceeds
        ``median + outlier_threshold · 1.4826 · MAD`` of all distances.
    trim : float, optional
        Leave out this share of the points (0 ≤ trim < 1), those farthest from their centroids,
        instead of those beyond the threshold.
    algorithm, algorithm_params, init, n_init, tol, metric, sample_weight, random_state, n_jobs, \
trace, callback, progress, checkpoint
        As in `kmeans_ann`. A named start draws from the rows that are not isolated.

    Returns
    -------
    KMeansResult
        With ``outlier_mask``; ``inertia`` is that of the other points.

    Raises
    ------
    TypeError, ValueError

    Notes
    -----
    The start computes distances to a sample of 2,048: 4,096·n·d operations more than `kmeans_ann`.
    With normally distributed clusters the default threshold also leaves out a few percent of
    points in the tails. Several outliers at one place may form a cluster. Cuesta-Albertos,
    Gordaliza & Matrán (1997), "Trimmed k-means", Annals of Statistics 25(2),
    doi 10.1214/aos/1031833664.

    Examples
    --------
    >>> import numpy as np
    >>> from annlab import robust_kmeans_ann
    >>> X = np.random.RandomState(0).rand(200, 2)
    >>> X[0] = [10, 10]
    >>> result = robust_kmeans_ann(X, 3, random_state=0)
    >>> bool(result.outlier_mask[0]), int(result.labels[0])
    (True, -1)
    """
    check_real(outlier_threshold, "outlier_threshold", strict=True)
    if trim is not None:
        check_real(trim, "trim", maximum=0.999)
    settings = Settings(
        n_clusters=n_clusters,
        max_iter=max_iter,
        algorithm=algorithm,
        algorithm_params=algorithm_params,
        init=init,
        n_init=n_init,
        tol=tol,
        metric=metric,
        sample_weight=sample_weight,
        random_state=random_state,
        n_jobs=n_jobs,
        trace=trace,
        callback=callback,
        progress=progress,
        checkpoint=checkpoint,
    )
    return fit(X, settings, RobustVariant(float(outlier_threshold), trim))[0]

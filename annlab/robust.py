"""k-means that outliers cannot move: they get label −1 and no weight.

Only two stages of the loop are replaced: the points that a start is drawn from, and the weights
with which the points move the centroids.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from annlab._support.checks import check_real
from annlab.distances import k_nearest
from annlab.fit.run import Callback, Stage, fit_clusters
from annlab.fit.searches import Assigner, Assignment
from annlab.result import KMeansResult
from annlab.rows.memory import Points

#: 1.4826 times the median absolute deviation estimates the standard deviation of a normal sample.
MAD_TO_SIGMA = 1.4826
#: Rows that stand for the data when isolated rows are looked for.
_SAMPLE = 2048
#: Share of the points, the best served ones, by which several starts are compared.
_CORE = 0.75


def outlier_limit(distances: np.ndarray, threshold: float) -> float:
    """Distance past which a point is an outlier: median + threshold · 1.4826 · MAD.

    Parameters
    ----------
    distances : ndarray of shape (n,)
        Plain distances of the points to their centroids.
    threshold : float
        In robust standard deviations.

    Returns
    -------
    float

    Notes
    -----
    Half of the distances would have to be outliers to move the median and the MAD beyond all
    bounds; one outlier is enough for mean and standard deviation. Rousseeuw & Croux (1993),
    "Alternatives to the median absolute deviation", JASA 88(424),
    doi 10.1080/01621459.1993.10476408.

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


class RobustAssigner(Assigner):
    """Give no weight to the points that the inner assigner serves badly.

    Parameters
    ----------
    inner : Assigner
    outlier_threshold : float
    trim : float or None
        Share of the points to leave out; overrides the threshold.
    stage : RobustStage
        Knows which rows are isolated.
    """

    def __init__(
        self, inner: Assigner, outlier_threshold: float, trim: float | None, stage: RobustStage
    ) -> None:
        self.inner, self.points = inner, inner.points
        self.name, self.exact = inner.name, inner.exact
        self._threshold, self._trim, self._stage = outlier_threshold, trim, stage

    def assign(self, centroids: np.ndarray, previous: np.ndarray | None) -> Assignment:
        found = self.inner.assign(centroids, previous)
        weights = np.ones(self.points.n) if found.weights is None else found.weights
        distances = np.sqrt(self._without_itself(found, weights, centroids))
        present = weights > 0
        if self._trim is None:
            limit = outlier_limit(distances[present], self._threshold)
            outliers = distances > limit
        else:
            # cut by weight, so that a point of weight N counts as N points
            order = np.argsort(-distances, kind="stable")
            # strictly less: a share of 0 is nobody, not even points without weight
            gone = np.cumsum(weights[order]) < self._trim * weights.sum() * (1 + 1e-12)
            outliers = np.zeros(self.points.n, dtype=bool)
            outliers[order[gone]] = True
        kept = np.where(outliers, 0.0, weights)
        self.outliers = outliers
        return replace(
            found,
            weights=kept,
            inertia=float(kept @ found.distances_sq),
            outliers=outliers,
            seed_weights=self._stage.seed_weights,
            kind="trim",
            # what the inner assigner has summed, it has summed with the outliers
            sums=None,
            totals=None,
        )

    def state(self) -> dict[str, Any]:
        return self.inner.state()

    def restore(self, state: dict[str, Any], labels: np.ndarray | None, n_clusters: int) -> None:
        self.inner.restore(state, labels, n_clusters)

    def _without_itself(
        self, found: Assignment, weights: np.ndarray, centroids: np.ndarray
    ) -> np.ndarray:
        """Squared distances as if no point had had a say in the place of its own centroid.

        A start that draws an outlier sits on it, at distance 0: without the point itself, the
        cluster's mean would lie m/(m − 1) times as far away, and a point alone in its cluster
        belongs to the nearest other centroid.
        """
        mass = np.bincount(found.labels, weights=weights, minlength=len(centroids))
        rest = mass[found.labels] - weights
        shared = rest > 1e-12 * weights
        factor = np.ones(self.points.n)
        factor[shared] = mass[found.labels][shared] / rest[shared]
        squared = found.distances_sq * factor**2
        alone = np.flatnonzero(~shared & (weights > 0))
        if alone.size and len(centroids) > 1:
            distances, nearest = k_nearest(self.points.rows(alone), centroids, 2)
            own = nearest[:, 0] == found.labels[alone]
            squared[alone] = np.where(own, distances[:, 1], distances[:, 0]) ** 2
        return squared


class RobustStage(Stage):
    """What `robust_kmeans_ann` replaces."""

    takes_parts = False

    def __init__(self, outlier_threshold: float, trim: float | None) -> None:
        self._threshold, self._trim = outlier_threshold, trim
        self._dense: np.ndarray | None = None

    def settings(self) -> dict[str, Any]:
        return {"outlier_threshold": self._threshold, "trim": self._trim}

    def seed_points(self, points: Points, n_clusters: int, rng: np.random.RandomState) -> Points:
        """Leave isolated rows out of the draw, of the start and of every re-seeding.

        k-means++ draws far points on purpose, so it loves outliers. A row is isolated when its
        distance to the m-th nearest row of a sample is beyond the same robust limit.
        """
        # the rows of the sample are held dense, also for sparse data of many features
        size = min(points.n, _SAMPLE, max(64, (1 << 24) // points.d))
        sample = np.sort(rng.choice(points.n, size, replace=False))
        m = min(max(2, len(sample) // (4 * n_clusters)), 16)
        if points.n <= 2 * n_clusters:
            return points
        rows = points.rows(sample)
        chunks = [(piece.load(), rows, m + 1) for piece in points.pieces()]
        reach = np.concatenate(points.workers.map(_reach, chunks))
        isolated = reach > outlier_limit(reach, max(self._threshold, 2.0))
        weights = np.ones(points.n) if points.sample_weight is None else points.sample_weight
        kept = np.where(isolated, 0.0, weights)
        if np.count_nonzero(kept) < n_clusters:
            return points
        self._dense = kept
        return points.reweighted(kept)

    def variance(self, points: Points) -> float:
        # one far outlier would inflate the variance, and with it the tolerance, without bound
        if points.sparse:
            # most medians are 0 there
            return points.variance
        step = max(1, points.n // _SAMPLE)
        rows = points.rows(np.arange(0, points.n, step)).astype(np.float64)
        deviations = np.abs(rows - np.median(rows, axis=0))
        return float(np.mean((MAD_TO_SIGMA * np.median(deviations, axis=0)) ** 2))

    def wrap(self, assigner: Assigner) -> Assigner:
        return RobustAssigner(assigner, self._threshold, self._trim, self)

    def cost(self, assigner: Assigner, centroids: np.ndarray) -> float:
        # the inertia without outliers would favour the run that calls most points outliers
        distances_sq = assigner.assign(centroids, None).distances_sq
        weights = assigner.points.sample_weight
        if weights is None:
            core = max(1, int(_CORE * len(distances_sq)))
            return float(np.sort(distances_sq)[:core].sum())
        # cut by weight, so that a point of weight N counts as N points
        order = np.argsort(distances_sq, kind="stable")
        weights = weights[order]
        left = _CORE * weights.sum() - (np.cumsum(weights) - weights)
        return float(np.clip(left, 0.0, weights) @ distances_sq[order])

    @property
    def seed_weights(self) -> np.ndarray | None:
        """Weights of the rows that are not isolated; None before `seed_points` or without any."""
        return self._dense


def _reach(rows: Any, sample: np.ndarray, n_neighbors: int) -> np.ndarray:
    return k_nearest(rows, sample, n_neighbors)[0][:, -1]


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
    sample_weight: Any = None,
    random_state: Any = None,
    n_jobs: int | None = None,
    trace: bool = False,
    callback: Callback | None = None,
    progress: bool = False,
    checkpoint: Any = None,
) -> KMeansResult:
    """k-means that leaves outliers out: they get label −1 and never move a centroid.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n, d)
    n_clusters : int
    max_iter : int, default=100
    outlier_threshold : float, default=2.0
        A point is an outlier when its distance to its centroid exceeds
        ``median + outlier_threshold · 1.4826 · MAD`` of all distances.
    trim : float, optional
        Leave out this share of the points (0 ≤ trim < 1), the worst served ones, instead of
        those beyond the threshold.
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
    The start looks at the distances of all points to a sample of 2,048: 4,096·n·d operations
    more than `kmeans_ann`. With normally distributed clusters the default threshold also leaves
    out the few percent of points in the tails. Several outliers at one place are a cluster to any
    k-means. Cuesta-Albertos, Gordaliza & Matrán (1997), "Trimmed k-means", Annals of Statistics
    25(2), doi 10.1214/aos/1031833664.

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
    return fit_clusters(
        X,
        n_clusters,
        max_iter,
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
        stage=RobustStage(float(outlier_threshold), trim),
    )

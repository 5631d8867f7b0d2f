"""`KMeansANN`: the scikit-learn face of the library. It holds no algorithm of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    ClusterMixin,
    TransformerMixin,
)
from sklearn.utils.validation import check_is_fitted, validate_data

from annlab._support.checks import (
    check_choice,
    check_data,
    check_n_clusters,
    check_random_state,
    check_sample_weight,
    is_dask,
)
from annlab._support.errors import invalid
from annlab._support.threads import Workers, chunk_bounds
from annlab.distances import from_squared, pairwise_sq, unit_means
from annlab.fit.choose import available_algorithms
from annlab.fit.run import (
    Stage,
    distance_parts,
    exact_inertia,
    fit_clusters,
    is_parted,
    label_parts,
    label_rows,
    score_parts,
)
from annlab.fit.searches import Assignment, ExactAssigner, cluster_sums
from annlab.indexes import available_indexes, index_class
from annlab.initialization import initial_centroids
from annlab.rows.blocks import is_mapped
from annlab.rows.memory import Piece, Points

#: Distances that `KMeansANN.transform` computes at once: 8 MB of float64.
_BLOCK_VALUES = 1 << 20


class _Watched(Stage):
    """Nothing replaced; the last assignment is looked at."""

    def __init__(self) -> None:
        self.final: Assignment | None = None

    def done(self, final: Assignment) -> None:
        # the sums alone: an assignment may hold on to points elsewhere
        self.final = final


class KMeansANN(ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClusterMixin, BaseEstimator):
    """k-means through a nearest-neighbour index over the centroids, as a scikit-learn estimator.

    Parameters
    ----------
    n_clusters : int, default=8
        Number of clusters k.
    algorithm : str or object, default="auto"
        A name of `available_algorithms`, or an object with ``fit(X)`` and
        ``kneighbors(Q, n_neighbors)``. It serves `fit`; everything else labels exactly.
    algorithm_params : dict, optional
        Parameters of the named index, such as ``{"ef": 50}``.
    init : {"k-means++", "random", "k-means||"}, function, or array of shape (k, d)
        Start. A function is called as ``init(X, n_clusters, random_state=...)``.
    n_init : int, default=1
        Starts that `fit` tries; the result of lowest inertia is kept.
    max_iter : int, default=100
        Iterations of `fit` at most.
    tol : float, default=1e-4
        `fit` stops when the centroids move, in sum of squares, by at most ``tol`` times the mean
        variance of the features (scikit-learn's meaning).
    metric : {"euclidean", "cosine"}, default="euclidean"
        Cosine works on unit rows with normalised means.
    random_state : None, int, RandomState or Generator, default=None
    n_jobs : int, optional
        Threads; None means all cores, or what ``joblib.parallel_config`` says. The result is the
        same for every value.
    trace : bool, default=False
        Keep labels and centroids of every iteration in ``result_.trace``.
    callback : callable, optional
        Called by `fit` with each `Step`; returning True stops the fit.
    progress : bool, default=False
        Show a line of progress on stderr.
    final_assignment : {"auto", "exact", "algorithm"}, default="auto"
        How `fit` makes ``labels_``: compared with all centroids, or as in the iterations.
        ``"auto"`` compares with all where that costs little beside the fit.
    checkpoint : path-like, optional
        File that `fit` writes after each iteration and goes on from, as in `annlab.kmeans`.

    Attributes
    ----------
    cluster_centers_ : ndarray of shape (k, d), dtype of the data
        Read-only; unit rows for cosine.
    labels_ : ndarray of shape (n,), int32
        Of the data of `fit`, or of the last batch of `partial_fit`. Equal to ``predict(X)`` for
        exact algorithms, with ``final_assignment="exact"`` and after `partial_fit`; else
        ``result_.recall_estimate`` says which share is.
    inertia_ : float
        Σ w ‖x − c‖² of ``labels_``, in float64.
    n_iter_ : int
        Iterations of `fit`, or batches since `partial_fit` began.
    n_steps_ : int
        Batches that `partial_fit` has seen since the last `fit`.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (d,), object
        Only where the columns of X have names that are strings.
    result_ : KMeansResult
        All that `fit` has to say, trace included; `partial_fit` removes it.

    See Also
    --------
    annlab.kmeans_ann : The same as a function.
    sklearn.cluster.KMeans : Exact k-means.

    Notes
    -----
    `fit` takes 2·n·k·d operations an iteration with an exact algorithm. Lloyd (1982),
    doi 10.1109/TIT.1982.1056489; Philbin et al. (2007), doi 10.1109/CVPR.2007.383172.

    Examples
    --------
    >>> import numpy as np
    >>> from annlab import KMeansANN
    >>> X = np.array([[0.0, 0.0], [0.0, 1.0], [8.0, 0.0], [8.0, 1.0]])
    >>> model = KMeansANN(n_clusters=2, random_state=0).fit(X)
    >>> near, far = model.predict([[1.0, 1.0], [9.0, 0.0]])
    >>> bool(near == model.labels_[0]), bool(far == model.labels_[3])
    (True, True)
    >>> model.inertia_
    1.0
    """

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        algorithm: Any = "auto",
        algorithm_params: dict[str, Any] | None = None,
        init: Any = "k-means++",
        n_init: int = 1,
        max_iter: int = 100,
        tol: float = 1e-4,
        metric: str = "euclidean",
        random_state: Any = None,
        n_jobs: int | None = None,
        trace: bool = False,
        callback: Any = None,
        progress: bool = False,
        final_assignment: str = "auto",
        checkpoint: Any = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.algorithm = algorithm
        self.algorithm_params = algorithm_params
        self.init = init
        self.n_init = n_init
        self.max_iter = max_iter
        self.tol = tol
        self.metric = metric
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.trace = trace
        self.callback = callback
        self.progress = progress
        self.final_assignment = final_assignment
        self.checkpoint = checkpoint

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> KMeansANN:
        """Find the clusters of X.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, d), or data in parts
            Never written to. float32 stays float32. Data in parts, such as a mapped file, a list
            of blocks or a Dask collection, is what `annlab.kmeans` takes.
        y : ignored
        sample_weight : array-like of shape (n,), optional
            Weight N counts as N repetitions.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            Naming the parameter, the rule and what came.
        """
        parted = is_parted(X, algorithm=self.algorithm)
        if not parted:
            self._note_features(X, reset=True)
        watched = _Watched()
        result = fit_clusters(
            X,
            self.n_clusters,
            self.max_iter,
            algorithm=self.algorithm,
            algorithm_params=self.algorithm_params,
            init=self.init,
            n_init=self.n_init,
            tol=self.tol,
            metric=self.metric,
            sample_weight=sample_weight,
            random_state=self.random_state,
            n_jobs=self.n_jobs,
            trace=self.trace,
            callback=self.callback,
            progress=self.progress,
            final_assignment=self.final_assignment,
            checkpoint=self.checkpoint,
            stage=watched,
        )
        self.result_ = result
        self.cluster_centers_ = result.centroids
        self.labels_ = result.labels
        self.inertia_ = result.inertia
        self.n_iter_ = result.n_iter
        self.n_steps_ = 0
        if parted:
            self._learn_from_parts(X, watched.final)
            return self
        weights = check_sample_weight(sample_weight, len(result.labels))
        self._counts = np.bincount(result.labels, weights, result.n_clusters).astype(np.float64)
        self._means = result.centroids.astype(np.float64)
        if self.metric == "cosine":
            self._means *= self._mean_cosines(X, weights)[:, None]
        return self

    def _note_features(self, X: Any, *, reset: bool) -> None:
        """Note or compare names and number of the features, as scikit-learn does."""
        try:
            validate_data(self, X, reset=reset, skip_check_array=True)
        except (IndexError, KeyError, AttributeError):
            # it asks the first row for its length, where there may be none: ours say what is wrong
            check_data(X, accept_sparse=True)
            raise

    def _learn_from_parts(self, X: Any, final: Assignment | None) -> None:
        """Set what else `fit` leaves behind, for data that is not together."""
        centroids = self.cluster_centers_
        self.n_features_in_ = centroids.shape[1]
        names = getattr(X, "columns", None)
        if names is not None and all(isinstance(name, str) for name in names):
            self.feature_names_in_ = np.array(list(names), dtype=object)
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_
        self._means = centroids.astype(np.float64)
        if final is None or final.sums is None or final.totals is None:
            # it was interrupted: later batches count as much as all rows so far
            self._counts = np.full(len(centroids), len(self.labels_) / len(centroids))
            return
        self._counts = final.totals.copy()
        if self.metric == "cosine":
            along = np.einsum("ij,ij->i", final.sums, self._means)
            got = self._counts > 0
            lengths = np.divide(along, self._counts, out=np.ones(len(centroids)), where=got)
            self._means *= lengths[:, None]

    def _mean_cosines(self, X: Any, weights: np.ndarray | None) -> np.ndarray:
        """How long the mean of each cluster's unit rows is, along its centroid."""
        rows, centroids = check_data(X, accept_sparse=True), self.cluster_centers_
        with Workers(self.n_jobs) as workers:
            points = Points(rows, metric="cosine", workers=workers, around=centroids)
            sums, totals = cluster_sums(points, self.labels_, weights, len(centroids))
        along = np.einsum("ij,ij->i", sums, self._means)
        return np.divide(along, totals, out=np.ones(len(centroids)), where=totals > 0)

    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> KMeansANN:
        """Move the centroids by one batch; each stays the mean of all rows that it ever got.

        A batch counts as a whole or, where an error or Ctrl-C ends it, not at all.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, d)
            One batch. The first one, from which the start is drawn, has at least ``n_clusters``
            rows. After `fit`, batches go on from where it ended.
        y : ignored
        sample_weight : array-like of shape (n,), optional

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            Naming the parameter, the rule and what came.

        Notes
        -----
        4·n·k·d operations. A row is assigned once and for all to the centroid that is nearest to
        it when its batch comes. Sculley (2010), "Web-scale k-means clustering",
        doi 10.1145/1772690.1772862, without its draw of the batch.

        Examples
        --------
        >>> import numpy as np
        >>> from annlab import KMeansANN
        >>> model = KMeansANN(n_clusters=2, init=np.array([[0.0], [10.0]]))
        >>> model.partial_fit([[0.0], [2.0], [9.0]]).partial_fit([[4.0]]).cluster_centers_
        array([[2.],
               [9.]])
        """
        check_choice(self.metric, "metric", ("euclidean", "cosine"))
        rows = check_data(X, accept_sparse=True)
        weights = check_sample_weight(sample_weight, rows.shape[0])
        before = dict(self.__dict__)
        try:
            is_first = not hasattr(self, "cluster_centers_")
            self._note_features(rows if is_mapped(X) else X, reset=is_first)
            with Workers(self.n_jobs) as workers:
                if is_first:
                    self._draw_start(rows, weights, workers)
                elif self.n_clusters != len(self.cluster_centers_):
                    raise invalid(
                        "n_clusters",
                        f"{len(self.cluster_centers_)}, as many as there are centroids",
                        self.n_clusters,
                        "Call fit, or clone the estimator, to start with another number.",
                    )
                self._absorb(rows, weights, workers)
                self.labels_ = label_rows(
                    rows, self.cluster_centers_, metric=self.metric, workers=workers
                )
                self.inertia_ = exact_inertia(
                    rows, self.cluster_centers_, self.labels_, self.metric, weights, workers
                )
            self.n_steps_ += 1
            self.n_iter_ = self.n_steps_
            if hasattr(self, "result_"):
                del self.result_
        except BaseException:
            # Ctrl-C too: half a batch would leave centroids and counts of different batches
            self.__dict__.clear()
            self.__dict__.update(before)
            raise
        return self

    def _draw_start(self, rows: Any, weights: np.ndarray | None, workers: Workers) -> None:
        """Draw the start from the first batch."""
        n_clusters = check_n_clusters(self.n_clusters, rows.shape[0])
        rng = check_random_state(self.random_state)
        points = Points(rows, metric=self.metric, sample_weight=weights, workers=workers)
        start = points.outward(initial_centroids(self.init, points, n_clusters, rng))
        self._means = start.astype(np.float64)
        self._counts = np.zeros(n_clusters)
        self.cluster_centers_ = start
        self.n_steps_ = 0

    def _absorb(self, rows: Any, weights: np.ndarray | None, workers: Workers) -> None:
        """Move the running means by a batch, labelled with the centroids of before."""
        centroids = self.cluster_centers_
        points = Points(
            rows, metric=self.metric, sample_weight=weights, workers=workers, around=centroids
        )
        labels = ExactAssigner(points).assign(points.inward(centroids), None).labels
        sums, totals = cluster_sums(points, labels, weights, len(centroids))
        got = totals > 0
        batch_means = sums[got] / totals[got, None]
        if points.shift is not None:
            batch_means += points.shift
        counts = self._counts + totals
        # new arrays: an attribute that a caller holds does not change behind its back
        means = self._means.copy()
        means[got] += (batch_means - means[got]) * (totals[got] / counts[got])[:, None]
        self._means, self._counts = means, counts
        if self.metric == "cosine":
            means = unit_means(means, centroids)
        moved = means.astype(centroids.dtype)
        moved.setflags(write=False)
        self.cluster_centers_ = moved

    def fit_predict(self, X: Any, y: Any = None, sample_weight: Any = None) -> np.ndarray:
        """Find the clusters of X and return ``labels_``.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, d)
        y : ignored
        sample_weight : array-like of shape (n,), optional

        Returns
        -------
        ndarray of shape (n,), int32
        """
        return self.fit(X, sample_weight=sample_weight).labels_

    def predict(self, X: Any) -> np.ndarray:
        """Label each row with its nearest centroid, exactly.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, d)

        Returns
        -------
        ndarray of shape (n,), int32
            The label of a row depends on that row alone; ties go to the lowest label. A lazy Dask
            array for a Dask collection.

        Notes
        -----
        2·n·k·d operations.
        """
        if self._in_parts(X):
            with Workers(self.n_jobs) as workers:
                return label_parts(X, self.cluster_centers_, metric=self.metric, workers=workers)
        rows = self._rows(X)
        with Workers(self.n_jobs) as workers:
            return label_rows(rows, self.cluster_centers_, metric=self.metric, workers=workers)

    def transform(self, X: Any) -> np.ndarray:
        """Distances of each row to all centroids.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, d)

        Returns
        -------
        ndarray of shape (n, k), dtype of X
            Euclidean, or 1 − cosine (1 for a row without a direction). A lazy Dask array for a
            Dask collection.

        Notes
        -----
        2·n·k·d operations, in float64.
        """
        if is_dask(X) and self._in_parts(X):
            return distance_parts(X, self.cluster_centers_, metric=self.metric)
        rows, centroids = self._rows(X), self.cluster_centers_
        k = len(centroids)
        with Workers(self.n_jobs) as workers:
            points = Points(rows, metric=self.metric, workers=workers, around=centroids)
            target = points.inward(centroids).astype(np.float64)
            out = np.empty((points.n, k), dtype=points.out_dtype)
            bounds = chunk_bounds(points.n, max(1, _BLOCK_VALUES // max(k, points.d)))
            step = 4 * workers.n_jobs
            for first in range(0, len(bounds), step):
                some = bounds[first : first + step]
                tasks = [(points.piece(a, b), target, self.metric) for a, b in some]
                for (a, b), block in zip(some, workers.map(_distances, tasks), strict=True):
                    out[a:b] = block
        if points.zero_rows is not None:
            out[points.zero_rows] = 1.0
        return out

    def fit_transform(self, X: Any, y: Any = None, sample_weight: Any = None) -> np.ndarray:
        """Find the clusters of X and return its distances to the centroids.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, d)
        y : ignored
        sample_weight : array-like of shape (n,), optional

        Returns
        -------
        ndarray of shape (n, k), dtype of X
        """
        return self.fit(X, sample_weight=sample_weight).transform(X)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Minus the inertia of X with exact labels: higher is better.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, d)
        y : ignored
        sample_weight : array-like of shape (n,), optional

        Returns
        -------
        float
        """
        if self._in_parts(X):
            with Workers(self.n_jobs) as workers:
                return -score_parts(
                    X,
                    self.cluster_centers_,
                    metric=self.metric,
                    sample_weight=sample_weight,
                    workers=workers,
                )
        rows = self._rows(X)
        weights = check_sample_weight(sample_weight, rows.shape[0])
        centroids = self.cluster_centers_
        with Workers(self.n_jobs) as workers:
            labels = label_rows(rows, centroids, metric=self.metric, workers=workers)
            return -exact_inertia(rows, centroids, labels, self.metric, weights, workers)

    def _in_parts(self, X: Any) -> bool:
        """Whether X comes after `fit` as data that is not together."""
        check_is_fitted(self)
        if not is_parted(X) or is_mapped(X):
            return False
        width = getattr(X, "shape", (0, 0))[1:] or (0,)
        if is_dask(X) and width[0] != self.n_features_in_:
            raise invalid(
                "X",
                f"an array with {self.n_features_in_} columns",
                f"{width[0]}",
                "Use the features that the centroids were made from.",
            )
        return True

    def _rows(self, X: Any) -> Any:
        """Check data that comes after `fit`."""
        check_is_fitted(self)
        rows = check_data(X, accept_sparse=True)
        validate_data(self, rows if is_mapped(X) else X, reset=False, skip_check_array=True)
        return rows

    @property
    def _n_features_out(self) -> int:
        return len(self.cluster_centers_)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = _takes_sparse(self.algorithm)
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _distances(piece: Piece, centroids: np.ndarray, metric: str) -> np.ndarray:
    return from_squared(pairwise_sq(piece.load().astype(np.float64), centroids), metric)


def _takes_sparse(algorithm: Any) -> bool:
    if not isinstance(algorithm, str):
        return bool(getattr(algorithm, "accepts_sparse", False))
    if algorithm not in available_indexes():
        return algorithm == "auto" and algorithm in available_algorithms()
    try:
        return bool(getattr(index_class(algorithm), "accepts_sparse", False))
    except ImportError:
        return False

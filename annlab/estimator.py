"""`KMeansANN`: k-means as a scikit-learn estimator."""

from __future__ import annotations

import numbers
import os
import warnings
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
from annlab._support.threads import Workers
from annlab._support.types import Matrix, MatrixLike, Seed
from annlab.distances import unit_means
from annlab.fit.answers import beside, distances_to, exact_inertia, label, label_rows, open_beside
from annlab.fit.choose import available_algorithms
from annlab.fit.run import fit
from annlab.fit.settings import Callback, Settings
from annlab.fit.states import Found
from annlab.indexes import available_indexes, index_class
from annlab.initialization import initial_centroids
from annlab.result import KMeansResult
from annlab.rows import is_out_of_core
from annlab.rows.memory import MemoryRows
from annlab.rows.reading import is_mapped


class KMeansANN(ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClusterMixin, BaseEstimator):
    """k-means with an index over the centroids, as a scikit-learn estimator.

    Parameters
    ----------
    n_clusters : int, default=8
        Number of clusters k.
    algorithm : str or object, default="auto"
        A name of `available_algorithms`, or an object with ``fit(X)`` and
        ``kneighbors(Q, n_neighbors)``. Used by `fit`; all other methods label exactly.
    n_init : int or "auto", default=1
        Starts that `fit` tries; the result of lowest inertia is kept. ``"auto"`` is 1.
    max_iter : int, default=100
        Most iterations of `fit`.
    algorithm_params, init, tol, metric, random_state, n_jobs, trace, callback, progress, \
final_assignment, checkpoint
        As in `annlab.kmeans_ann`.
    copy_x : bool, default=True
        For compatibility with scikit-learn; the data is never written to.

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
        If the columns of X are named by strings.
    result_ : KMeansResult
        Full result of `fit`, with its trace; `partial_fit` removes it.

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
        n_init: int | str = 1,
        max_iter: int = 100,
        tol: float = 1e-4,
        metric: str = "euclidean",
        random_state: Seed = None,
        n_jobs: int | None = None,
        trace: bool = False,
        callback: Callback | None = None,
        progress: bool = False,
        final_assignment: str = "auto",
        checkpoint: str | os.PathLike[str] | None = None,
        copy_x: bool = True,
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
        self.copy_x = copy_x

    def fit(self, X: Any, y: object = None, sample_weight: Any = None) -> KMeansANN:
        """Find the clusters of X.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, d), or data in parts
            As in `annlab.kmeans`.
        y : ignored
        sample_weight : array-like of shape (n,), optional
            Weight N counts as N repetitions.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            If an argument is invalid.
        KeyboardInterrupt
            On Ctrl-C, after the fitted attributes are set to the last finished iteration.
        """
        is_graph = isinstance(self.algorithm, str) and self.algorithm == "graph"
        elsewhere = is_out_of_core(X, together=is_graph)
        if not elsewhere:
            self._note_features(X, reset=True)
        params = self.get_params(deep=False)
        del params["copy_x"]
        settings = Settings(**{**params, "n_init": self._n_init(), "sample_weight": sample_weight})
        result, last = fit(X, settings)
        self._take(result)
        if elsewhere:
            self._note_columns(X)
        self._learn(last)
        if result.stop_reason == "interrupted":
            # so that a search over many fits ends instead of starting the next one
            raise KeyboardInterrupt
        return self

    @classmethod
    def from_result(cls, result: KMeansResult, **params: Any) -> KMeansANN:
        """Make a fitted estimator from a result, such as a loaded one.

        Parameters
        ----------
        result : KMeansResult
        **params
            Parameters of the estimator, such as ``n_jobs``.

        Returns
        -------
        KMeansANN
            Ready for `predict`, `transform` and `partial_fit`, in which each cluster starts with
            the weight of its rows.

        Examples
        --------
        >>> import numpy as np
        >>> from annlab import KMeansANN, kmeans
        >>> result = kmeans(np.array([[0.0], [1.0], [9.0]]), 2, init=np.array([[0.0], [9.0]]))
        >>> KMeansANN.from_result(result).predict([[2.0], [7.0]])
        array([0, 1], dtype=int32)
        """
        if not isinstance(result, KMeansResult):
            raise invalid("result", "a KMeansResult", type(result).__name__, error=TypeError)
        if result.algorithm in available_algorithms():
            params.setdefault("algorithm", result.algorithm)
        model = cls(result.n_clusters, metric=result.metric, **params)
        model._take(result)
        model.n_features_in_ = result.centroids.shape[1]
        model._learn(None)
        if isinstance(result.labels, np.ndarray):
            inside = result.labels[result.labels >= 0]
            model._counts = np.bincount(inside, minlength=result.n_clusters).astype(np.float64)
        return model

    def _take(self, result: KMeansResult) -> None:
        """Set the public attributes of a fit."""
        self.result_ = result
        self.cluster_centers_ = result.centroids
        self.labels_ = result.labels
        self.inertia_ = result.inertia
        self.n_iter_ = result.n_iter
        self.n_steps_ = 0

    def _n_init(self) -> int | str:
        """Return the number of starts; "auto" means 1."""
        if isinstance(self.n_init, str) and self.n_init == "auto":
            return 1
        is_array = not isinstance(self.init, str) and not callable(self.init)
        if is_array and isinstance(self.n_init, numbers.Integral) and self.n_init > 1:
            warnings.warn(
                f"init is an array, which is one start: n_init={self.n_init} has no effect.",
                RuntimeWarning,
                stacklevel=3,
            )
        return self.n_init

    def _note_columns(self, X: Any) -> None:
        """Set names and number of the features of out-of-core data."""
        self.n_features_in_ = self.cluster_centers_.shape[1]
        names = getattr(X, "columns", None)
        if names is not None and all(isinstance(name, str) for name in names):
            self.feature_names_in_ = np.array(list(names), dtype=object)
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_

    def _learn(self, last: Found | None) -> None:
        """Set mean and weight of each cluster, with which `partial_fit` continues."""
        centroids = self.cluster_centers_
        self._means = centroids.astype(np.float64)
        if last is None:
            # weights are not known: assume equal ones
            self._counts = np.full(len(centroids), len(self.labels_) / len(centroids))
            return
        self._counts = last.tally.totals.copy()
        if self.metric == "cosine":
            # length of the mean of each cluster's unit rows, along its centroid
            along = np.einsum("ij,ij->i", last.tally.sums, self._means)
            got = self._counts > 0
            lengths = np.divide(along, self._counts, out=np.ones(len(centroids)), where=got)
            self._means *= lengths[:, None]

    def _note_features(self, X: Any, *, reset: bool) -> None:
        """Set or check names and number of the features, as scikit-learn does."""
        try:
            validate_data(self, X, reset=reset, skip_check_array=True)
        except (IndexError, KeyError, AttributeError):
            # scikit-learn fails on unusual first rows; our own check has a better message
            check_data(X, accept_sparse=True)
            raise

    def partial_fit(self, X: MatrixLike, y: object = None, sample_weight: Any = None) -> KMeansANN:
        """Update the centroids with one batch; each is the mean of all its rows.

        An error or Ctrl-C leaves the estimator as it was before the batch.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, d)
            One batch. The start is drawn from the first one, which needs at least ``n_clusters``
            rows. After `fit`, batches continue from its result.
        y : ignored
        sample_weight : array-like of shape (n,), optional

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            If an argument is invalid.

        Notes
        -----
        4·n·k·d operations. A row is assigned once, to the centroid that is nearest at that time.
        Sculley (2010), "Web-scale k-means clustering", doi 10.1145/1772690.1772862, without its
        draw of the batch.

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
            # also Ctrl-C: centroids and counts must belong to the same batches
            self.__dict__.clear()
            self.__dict__.update(before)
            raise
        return self

    def _draw_start(self, rows: Matrix, weights: np.ndarray | None, workers: Workers) -> None:
        """Draw the start from the first batch."""
        n_clusters = check_n_clusters(self.n_clusters, rows.shape[0])
        rng = check_random_state(self.random_state)
        points = MemoryRows(rows, metric=self.metric, sample_weight=weights, workers=workers)
        start = points.outward(initial_centroids(self.init, points, n_clusters, rng))
        self._means = start.astype(np.float64)
        self._counts = np.zeros(n_clusters)
        self.cluster_centers_ = start
        self.n_steps_ = 0

    def _absorb(self, rows: Matrix, weights: np.ndarray | None, workers: Workers) -> None:
        """Update the running means with a batch, labelled with the centroids so far."""
        centroids = self.cluster_centers_
        points = beside(rows, centroids, metric=self.metric, workers=workers, sample_weight=weights)
        tally = label(points, centroids)[1]
        sums, totals = tally.sums, tally.totals
        got = totals > 0
        batch_means = sums[got] / totals[got, None]
        if points.coordinates.shift is not None:
            batch_means += points.coordinates.shift
        counts = self._counts + totals
        # new arrays, because callers may hold the old ones
        means = self._means.copy()
        means[got] += (batch_means - means[got]) * (totals[got] / counts[got])[:, None]
        self._means, self._counts = means, counts
        if self.metric == "cosine":
            means = unit_means(means, centroids)
        moved = means.astype(centroids.dtype)
        moved.setflags(write=False)
        self.cluster_centers_ = moved

    def fit_predict(self, X: Any, y: object = None, sample_weight: Any = None) -> np.ndarray:
        """Find the clusters of X and return ``labels_``; parameters as in `fit`."""
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
            centroids = self.cluster_centers_
            if is_dask(X):
                from annlab.rows.lazy import lazy_labels

                return lazy_labels(X, centroids, metric=self.metric)
            with Workers(self.n_jobs) as workers:
                opened = open_beside(X, centroids, metric=self.metric, workers=workers)
                return np.asarray(label(opened, centroids)[0])
        rows = self._rows(X)
        with Workers(self.n_jobs) as workers:
            return label_rows(rows, self.cluster_centers_, metric=self.metric, workers=workers)

    def transform(self, X: Any) -> np.ndarray:
        """Return the distances of each row to all centroids.

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
            from annlab.rows.lazy import lazy_distances

            return lazy_distances(X, self.cluster_centers_, metric=self.metric)
        rows, centroids = self._rows(X), self.cluster_centers_
        with Workers(self.n_jobs) as workers:
            points = beside(rows, centroids, metric=self.metric, workers=workers)
            return distances_to(points, centroids)

    def fit_transform(self, X: Any, y: object = None, sample_weight: Any = None) -> np.ndarray:
        """Find the clusters of X and return `transform` of X; parameters as in `fit`."""
        return self.fit(X, sample_weight=sample_weight).transform(X)

    def score(self, X: Any, y: object = None, sample_weight: Any = None) -> float:
        """Return minus the inertia of X with exact labels.

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
            centroids = self.cluster_centers_
            with Workers(self.n_jobs) as workers:
                opened = open_beside(
                    X, centroids, metric=self.metric, workers=workers, sample_weight=sample_weight
                )
                return -label(opened, centroids)[1].exact_inertia
        rows = self._rows(X)
        weights = check_sample_weight(sample_weight, rows.shape[0])
        centroids = self.cluster_centers_
        with Workers(self.n_jobs) as workers:
            labels = label_rows(rows, centroids, metric=self.metric, workers=workers)
            return -exact_inertia(rows, centroids, labels, self.metric, weights, workers)

    def _in_parts(self, X: Any) -> bool:
        """Check that the model is fitted; tell whether X is out-of-core data."""
        check_is_fitted(self)
        if not is_out_of_core(X) or is_mapped(X):
            return False
        width = getattr(X, "shape", (0, 0))[1:] or (0,)
        if is_dask(X) and width[0] != self.n_features_in_:
            raise invalid(
                "X",
                f"an array with {self.n_features_in_} columns",
                f"{width[0]}",
                "Use the features that the model was fitted on.",
            )
        return True

    def _rows(self, X: MatrixLike) -> Matrix:
        """Check data in memory for a fitted model."""
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


def _takes_sparse(algorithm: Any) -> bool:
    if isinstance(algorithm, str) and algorithm in available_indexes():
        algorithm = index_class(algorithm)
    if isinstance(algorithm, str):
        return algorithm in ("auto", "small_k")
    return bool(getattr(algorithm, "accepts_sparse", False))

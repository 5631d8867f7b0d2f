"""What every nearest-neighbour index has in common; a new index is one file below this one.

The eight-line rule for a new index: subclass `NeighborIndex`, set ``name``, ``exact`` and
``accepts_sparse``; keep ``__init__`` to plain assignments (scikit-learn's ``clone`` reads them);
build in ``_build(X)``; answer in ``_search(Q, n_neighbors)`` with candidate rows, best first and
−1 where there is none; add the distances you computed to ``self.n_distances_`` (or leave it None
if the method cannot count them); register the class in ``annlab.indexes``. Everything else,
validation, unit rows for cosine, short answers, exact distances, order, is done here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from annlab._messages import invalid
from annlab._validation import check_choice, check_data, check_integer, is_sparse
from annlab.distances import from_squared, k_nearest, paired_sq, unit_rows


class NeighborIndex(BaseEstimator):
    """Base of all indexes: ``fit(X)``, then ``kneighbors(Q, n_neighbors)``.

    Attributes
    ----------
    name : str
        Name in `available_indexes`.
    exact : bool
        Whether the answer is always the true one.
    accepts_sparse : bool
        Whether queries (and X) may be SciPy sparse.
    n_features_in_, n_samples_fit_ : int
        Shape of the indexed data.
    n_distances_ : int or None
        Distance computations of the last ``kneighbors`` call, None where the method cannot count
        them.
    """

    name = ""
    exact = False
    accepts_sparse = False

    def fit(self, X: Any, y: Any = None) -> NeighborIndex:
        """Index the rows of ``X``.

        Parameters
        ----------
        X : array-like of shape (n, d)
            In k-means the rows are the *centroids*. Never written to; a copy is kept only where
            the method needs one.
        y : ignored

        Returns
        -------
        self
        """
        check_choice(self.metric, "metric", ("euclidean", "cosine"))
        X = check_data(X, accept_sparse=self.accepts_sparse)
        if is_sparse(X):
            X = X.toarray()
        if self.metric == "cosine":
            X, _ = unit_rows(X)
        self.n_samples_fit_, self.n_features_in_ = X.shape
        self.X_ = X
        self.n_distances_ = 0
        self._build(X)
        return self

    def kneighbors(
        self, Q: Any = None, n_neighbors: int = 5, return_distance: bool = True
    ) -> tuple[np.ndarray, np.ndarray] | np.ndarray:
        """Find the nearest indexed rows for each query.

        Parameters
        ----------
        Q : array-like of shape (nq, d)
            Sparse where ``accepts_sparse``.
        n_neighbors : int, default=5
            From 1 to the number of indexed rows.
        return_distance : bool, default=True
            False returns the indices alone.

        Returns
        -------
        distances : ndarray of shape (nq, n_neighbors), float64
            Exact Euclidean (or 1 − cosine) distances of the rows returned, ascending.
        indices : ndarray of shape (nq, n_neighbors), int64
            Rows of the fitted X. An approximate index may miss a true neighbour; it never
            returns a row twice or a short row: what is missing is completed by brute force.

        Raises
        ------
        ValueError, TypeError
            For unfitted use, wrong shapes, NaN, or ``n_neighbors`` out of range.
        """
        if not hasattr(self, "X_"):
            raise invalid(
                type(self).__name__,
                "fitted first",
                "an unfitted index",
                "Call fit(X).",
                error=_not_fitted(),
            )
        if Q is None:
            raise invalid("Q", "an array of queries", None, "Pass the rows to look up.")
        Q = check_data(
            Q, name="Q", accept_sparse=self.accepts_sparse, n_features=self.n_features_in_
        )
        n_neighbors = check_integer(
            n_neighbors, "n_neighbors", minimum=1, maximum=self.n_samples_fit_
        )
        if self.metric == "cosine":
            Q, _ = unit_rows(Q)
        self.n_distances_ = 0
        indices = np.asarray(self._search(Q, n_neighbors), dtype=np.int64)
        short = np.flatnonzero((indices < 0).any(axis=1))
        if short.size:
            indices = indices.copy()
            indices[short] = k_nearest(Q[short], self.X_, n_neighbors)[1]
            if self.n_distances_ is not None:
                self.n_distances_ += short.size * self.n_samples_fit_
        distances_sq = paired_sq(Q, self.X_, indices)
        order = np.argsort(distances_sq, axis=1, kind="stable")
        indices = np.take_along_axis(indices, order, axis=1)
        if not return_distance:
            return indices
        distances_sq = np.take_along_axis(distances_sq, order, axis=1)
        return from_squared(distances_sq, self.metric), indices

    def _build(self, X: np.ndarray) -> None:
        """Build whatever ``_search`` needs from the checked (for cosine: unit) rows."""
        raise NotImplementedError

    def _search(self, Q: Any, n_neighbors: int) -> np.ndarray:
        """Return candidate rows of shape (nq, n_neighbors), −1 where there is none."""
        raise NotImplementedError


def _not_fitted() -> type[Exception]:
    from sklearn.exceptions import NotFittedError

    return NotFittedError

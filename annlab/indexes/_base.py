"""The base class of all indexes.

To add an index: subclass `NeighborIndex`; set ``name``, ``exact`` and ``accepts_sparse``; keep
``__init__`` to plain assignments, which scikit-learn's ``clone`` reads; check parameters and build
in ``_build(X)``; answer in ``_search(Q, n_neighbors)``; list parameters that trade recall for speed
in ``knobs``, and those of them that need no rebuild in ``query_knobs``; register the class in
``annlab.indexes``. The base does the rest: validation, unit rows for cosine, chunks and threads,
missing answers, exact distances and their order.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator

from annlab._support.checks import (
    check_choice,
    check_data,
    check_integer,
    is_sparse,
    working_dtype,
)
from annlab._support.errors import invalid
from annlab._support.threads import Workers, chunk_bounds, resolve_n_jobs
from annlab._support.types import Matrix, MatrixLike
from annlab.distances import from_squared, k_nearest, paired_sq, ranked, unit_rows

#: Relative difference of two distances below which an exact index compares all rows again.
_TIE = {np.dtype(np.float32): 1e-5, np.dtype(np.float64): 1e-10}


class NeighborIndex(BaseEstimator):
    """Base of all indexes: ``fit(X)``, then ``kneighbors(Q, n_neighbors)``.

    Attributes
    ----------
    name : str
        Name in `available_indexes`.
    exact : bool
        Whether answers are always the true ones, ties in order of index.
    accepts_sparse : bool
        Whether queries (and X) may be SciPy sparse.
    knobs : dict of str to tuple
        Parameters that trade recall for speed, each with sensible values from fast to accurate;
        empty for exact methods. May depend on other parameters (``faiss``).
    query_knobs : tuple of str
        Those knobs that `set_query_params` changes on a fitted index without a rebuild.
    n_features_in_, n_samples_fit_ : int
        Shape of the indexed data.
    n_distances_ : int or None
        Query-to-row distances of the last ``kneighbors`` call, without the final comparison of
        the rows returned; None if the method does not count.

    Notes
    -----
    Queries are answered in chunks of ``chunk_rows`` rows, whose bounds depend on the number of
    queries alone, so the answer has the same bits for every ``n_jobs``.
    """

    name: ClassVar[str] = ""
    exact: bool = False
    accepts_sparse: ClassVar[bool] = False
    #: A property in FaissIndex; never written to.
    knobs: ClassVar[Any] = {}
    query_knobs: ClassVar[Any] = ()
    chunk_rows: ClassVar[int] = 1024
    #: False if the method holds the interpreter's lock.
    uses_threads: ClassVar[bool] = True

    def fit(self, X: MatrixLike, y: object = None) -> NeighborIndex:
        """Index the rows of ``X``.

        Parameters
        ----------
        X : array-like of shape (n, d)
            In k-means the rows are the *centroids*. Never written to, and not always copied: do
            not change X while the index is in use.
        y : ignored

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            If X or a parameter is invalid. An earlier fit stays usable.
        """
        check_choice(self.metric, "metric", ("euclidean", "cosine"))
        resolve_n_jobs(self.n_jobs)
        X = check_data(X, accept_sparse=self.accepts_sparse)
        if is_sparse(X):
            X = X.toarray()
        if self.metric == "cosine":
            X, _ = unit_rows(X)
        before = dict(self.__dict__)
        self._metric = self.metric
        try:
            self._build(X)
        except BaseException:
            # do not mix the rows of one fit with the structure of another
            self.__dict__.clear()
            self.__dict__.update(before)
            raise
        self.n_samples_fit_, self.n_features_in_ = X.shape
        self.X_ = X
        self.n_distances_: int | None = 0
        return self

    def kneighbors(
        self, Q: MatrixLike | None = None, n_neighbors: int = 5, return_distance: bool = True
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
            Rows of the fitted X; equal distances in order of index. An approximate index may
            miss a true neighbour, but each answer has ``n_neighbors`` different rows: missing
            ones are found by brute force.

        Raises
        ------
        ValueError, TypeError
            If an argument is invalid, or the index is not fitted.
        """
        self._check_fitted()
        if Q is None:
            raise invalid("Q", "an array of queries", None, "Pass the rows to look up.")
        queries = check_data(
            Q, name="Q", accept_sparse=self.accepts_sparse, n_features=self.n_features_in_
        )
        n_neighbors = check_integer(
            n_neighbors, "n_neighbors", minimum=1, maximum=self.n_samples_fit_
        )
        self._prepare(queries, n_neighbors)
        bounds = chunk_bounds(queries.shape[0], self.chunk_rows)
        with Workers(self.n_jobs) as workers:
            tasks = [(queries[start:stop], n_neighbors) for start, stop in bounds]
            if self.uses_threads:
                parts = workers.map(self._answer, tasks)
            else:
                parts = [self._answer(*task) for task in tasks]
        counts = [part[2] for part in parts if part[2] is not None]
        self.n_distances_ = sum(counts) if len(counts) == len(parts) else None
        self._finish(queries, n_neighbors)
        indices = np.concatenate([part[1] for part in parts])
        if not return_distance:
            return indices
        return np.concatenate([part[0] for part in parts]), indices

    def set_query_params(self, **params: Any) -> NeighborIndex:
        """Change knobs that need no rebuild; the next ``kneighbors`` uses them.

        Parameters
        ----------
        **params
            Among ``query_knobs``.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            If a parameter needs a rebuild (use ``set_params`` and ``fit``) or a value is invalid;
            the index then stays unchanged.

        Examples
        --------
        >>> import numpy as np
        >>> from annlab import make_index
        >>> index = make_index("lsh", random_state=0).fit(np.eye(4))
        >>> index.set_query_params(n_probes=4).n_probes
        4
        """
        unknown = sorted(set(params) - set(self.query_knobs))
        if unknown:
            raise invalid(
                "params",
                "one of the knobs that need no rebuild "
                f"({', '.join(self.query_knobs) or 'this index has none'})",
                ", ".join(unknown),
                "Use set_params(...) and fit(X) again for the others.",
            )
        before = {name: getattr(self, name) for name in params}
        self.set_params(**params)
        try:
            self._check_query_params()
        except (ValueError, TypeError):
            self.set_params(**before)
            self._check_query_params()
            raise
        return self

    def _check_fitted(self) -> None:
        if not hasattr(self, "X_"):
            from sklearn.exceptions import NotFittedError

            raise invalid(
                type(self).__name__,
                "fitted first",
                "an unfitted index",
                "Call fit(X).",
                error=NotFittedError,
            )

    def _build(self, X: np.ndarray) -> None:
        """Check the parameters and build the index; for cosine, of unit rows."""
        raise NotImplementedError

    def _check_query_params(self) -> None:
        """Check the ``query_knobs``, and pass them on to a fitted library."""

    def _prepare(self, Q: Matrix, n_neighbors: int) -> None:
        """Prepare a search; called by ``kneighbors`` before the threads start."""

    def _finish(self, Q: Matrix, n_neighbors: int) -> None:
        """Clean up; called by ``kneighbors`` after the threads have finished."""

    def _search(self, Q: Matrix, n_neighbors: int) -> tuple[np.ndarray, int | None]:
        """Answer one chunk, on one thread, without writing to anything shared.

        Parameters
        ----------
        Q : ndarray (C order, float32 or float64) or CSR of shape (rows, d)
            Unit rows for cosine.
        n_neighbors : int

        Returns
        -------
        candidates : ndarray of shape (rows, m), integer, m >= n_neighbors
            Different rows of X, −1 for a missing one; the base keeps the ``n_neighbors`` nearest.
            An exact index returns at least one more candidate (or all rows), by which the base
            detects ties; with ``m == n_neighbors`` it has to decide ties itself.
        n_distances : int or None
            Distances computed; None if the method does not count.
        """
        raise NotImplementedError

    def _slack(self, Q: Matrix) -> Any:
        """Bound by how much, squared, an omitted row may be nearer than the last one.

        Not 0 for an exact index that searches in a lower precision than that of the data.
        """
        return 0.0

    def _answer(self, Q: Matrix, n_neighbors: int) -> tuple[np.ndarray, np.ndarray, int | None]:
        """Search one chunk; complete, recompute and sort the answers."""
        if not is_sparse(Q):
            Q = np.ascontiguousarray(Q, dtype=working_dtype(Q.dtype))
        if self._metric == "cosine":
            Q, _ = unit_rows(Q)
        candidates, count = self._search(Q, n_neighbors)
        candidates = np.asarray(candidates, dtype=np.int64)
        missing = candidates < 0
        # sorted by row first, so that the stable sort by distance leaves ties in order of row
        candidates = np.sort(candidates, axis=1)
        if missing.any():
            again = np.flatnonzero((~missing).sum(axis=1) < n_neighbors)
            distances_sq = paired_sq(Q, self.X_, np.maximum(candidates, 0))
            distances_sq[candidates < 0] = np.inf
        else:
            again = np.empty(0, dtype=np.int64)
            distances_sq = paired_sq(Q, self.X_, candidates)
        if candidates.shape[1] > 1:
            distances_sq, order = ranked(distances_sq, Q.shape[1])
            candidates = np.take_along_axis(candidates, order, axis=1)
        if self.exact and n_neighbors < candidates.shape[1] < self.X_.shape[0]:
            # the last candidate ties with the last answer: there may be further ties
            nearer = distances_sq[:, n_neighbors - 1] * (1.0 + _TIE[self.X_.dtype])
            nearer += self._slack(Q)
            again = np.flatnonzero(distances_sq[:, -1] <= nearer)
        candidates = candidates[:, :n_neighbors]
        distances_sq = distances_sq[:, :n_neighbors]
        if again.size:
            rows = k_nearest(Q[again], self.X_, n_neighbors)[1]
            candidates[again] = rows
            distances_sq[again] = paired_sq(Q[again], self.X_, rows)
            if count is not None:
                count += again.size * self.X_.shape[0]
        return from_squared(distances_sq, self._metric), candidates, count


class Frame:
    """A shift and a scale that keep the digits of products and float32 casts.

    The frame subtracts the middle of rows that are far from the origin compared with their spread,
    and divides by a power of two if values are extreme. Both are rounded to a coarse binary grid,
    so that integers stay integers and ties stay ties. Ordinary data is not changed.

    Parameters
    ----------
    X : ndarray of shape (n, d)
    dtype : dtype, optional
        Type in which the method computes; that of X by default.

    Examples
    --------
    >>> import numpy as np
    >>> from annlab.indexes._base import Frame
    >>> frame = Frame(np.array([[1000.0], [1001.0], [1003.0]]))
    >>> frame.apply(np.array([[1002.5]]))
    array([[0.5]])
    """

    def __init__(self, X: np.ndarray, dtype: Any = None) -> None:
        self.dtype = np.dtype(X.dtype if dtype is None else dtype)
        self.shift: np.ndarray | None = None
        self.scale = 1.0
        low, high = X.min(axis=0).astype(np.float64), X.max(axis=0).astype(np.float64)
        spread = float((high - low).max())
        middle = low + (high - low) / 2.0
        largest = float(np.maximum(np.abs(low), np.abs(high)).max())
        # an offset of 16 spreads costs 4 bits, which is tolerable
        if spread > 0 and np.abs(middle).max() > 16.0 * spread:
            grid = 2.0 ** np.floor(np.log2(spread))
            self.shift = np.round(middle / grid) * grid
            largest = spread
        safe = 1e12 if self.dtype == np.float32 else 1e100
        if largest > 0 and not 1.0 / safe < largest < safe:
            self.scale = 2.0 ** np.floor(np.log2(largest))
        self.is_identity = self.shift is None and self.scale == 1.0 and self.dtype == X.dtype
        # farther queries are clipped: they cannot tell the rows apart
        self._largest = safe**1.25

    def apply(self, X: np.ndarray) -> np.ndarray:
        """Return rows in the frame, C-ordered, in its dtype; no copy if unchanged."""
        out = X if self.shift is None else X - self.shift
        if self.scale != 1.0:
            out = out / self.scale
        if out.size and max(-float(out.min()), float(out.max())) > self._largest:
            out = np.clip(out, -self._largest, self._largest)
        return np.ascontiguousarray(out, dtype=self.dtype)


def first_equal_rows(X: np.ndarray) -> np.ndarray:
    """Find each row's first equal row by sorting; return its index, (n,) int64.

    Examples
    --------
    >>> import numpy as np
    >>> from annlab.indexes._base import first_equal_rows
    >>> first_equal_rows(np.array([[1.0], [2.0], [1.0], [0.0], [-0.0]]))
    array([0, 1, 0, 3, 3])
    """
    _, first, inverse = np.unique(X, axis=0, return_index=True, return_inverse=True)
    return first[inverse.ravel()].astype(np.int64)

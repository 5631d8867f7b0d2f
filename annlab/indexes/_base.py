"""What every nearest-neighbour index has in common; a new index is one file below this one.

The eight-line rule for a new index: subclass `NeighborIndex`, set ``name``, ``exact`` and
``accepts_sparse``; keep ``__init__`` to plain assignments (scikit-learn's ``clone`` reads them);
check parameters and build in ``_build(X)``; answer in ``_search(Q, n_neighbors)``, a pure function
of one chunk of queries, with at least ``n_neighbors`` candidate rows a query (−1 where there is
none) and the number of distances computed for them (None if the method cannot count); name the
knobs that trade recall for speed in ``knobs`` and those that need no rebuild in ``query_knobs``;
register the class in ``annlab.indexes``. Everything else, validation, unit rows for cosine, chunks
and threads, short answers, exact distances and their order, is done here.
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

#: Two distances closer than this, relatively, count as a tie that must be looked at again.
_TIE = {np.dtype(np.float32): 1e-5, np.dtype(np.float64): 1e-10}


class NeighborIndex(BaseEstimator):
    """Base of all indexes: ``fit(X)``, then ``kneighbors(Q, n_neighbors)``.

    Attributes
    ----------
    name : str
        Name in `available_indexes`.
    exact : bool
        Whether the answer is always the true one, ties in order of index.
    accepts_sparse : bool
        Whether queries (and X) may be SciPy sparse.
    knobs : dict of str to tuple
        The parameters that trade recall for speed, each with a ladder of sensible values from
        quick to accurate; empty for exact methods. Read it from an instance: an index whose
        knobs depend on its other parameters (``faiss``) answers for itself.
    query_knobs : tuple of str
        Those knobs that `set_query_params` changes on a fitted index without a rebuild.
    n_features_in_, n_samples_fit_ : int
        Shape of the indexed data.
    n_distances_ : int or None
        Query-to-row distances that the search of the last ``kneighbors`` call computed, None
        where the method cannot count them. The final recheck of the rows that are returned is
        the same for all methods and not counted.

    Notes
    -----
    Queries are answered in chunks of ``chunk_rows`` rows, on ``n_jobs`` threads. The bounds of the
    chunks depend on the number of queries alone and each is computed on one thread, so the answer
    has the same bits for every ``n_jobs``.
    """

    name: ClassVar[str] = ""
    exact: bool = False
    accepts_sparse: ClassVar[bool] = False
    #: A property in FaissIndex; never written to.
    knobs: ClassVar[Any] = {}
    query_knobs: ClassVar[Any] = ()
    chunk_rows: ClassVar[int] = 1024
    #: False where the method holds the interpreter's lock, so that threads would only wait.
    uses_threads: ClassVar[bool] = True

    def fit(self, X: MatrixLike, y: object = None) -> NeighborIndex:
        """Index the rows of ``X``.

        Parameters
        ----------
        X : array-like of shape (n, d)
            In k-means the rows are the *centroids*. Never written to; a copy is kept only where
            the method needs one, so leave X as it is while the index is in use.
        y : ignored

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            For bad data or a bad parameter, naming it. An earlier fit stays usable.
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
            # half a build would answer with one fit's rows and the other's structure
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
            miss a true neighbour; it never returns a row twice or a short row: what is missing
            is completed by brute force.

        Raises
        ------
        ValueError, TypeError
            For unfitted use, wrong shapes, NaN, or ``n_neighbors`` out of range.
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
            For a parameter that needs a rebuild (use ``set_params`` and ``fit``) or a bad value;
            the index is then left as it was.

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
                "among the knobs that need no rebuild "
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
        """Check the parameters and build what ``_search`` needs from the (for cosine: unit) rows.

        A build that raises leaves an earlier fit as it was.
        """
        raise NotImplementedError

    def _check_query_params(self) -> None:
        """Raise for a bad value among ``query_knobs``; hand good ones on to a fitted library."""

    def _prepare(self, Q: Matrix, n_neighbors: int) -> None:
        """Do once, before the threads start, what a call of ``kneighbors`` needs."""

    def _finish(self, Q: Matrix, n_neighbors: int) -> None:
        """Do once, after the threads ended, what a call of ``kneighbors`` leaves to say."""

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
            Rows of X, no row twice, −1 where there is none. The base keeps the exactly nearest
            ``n_neighbors`` of them. An exact index returns at least one spare candidate (or all
            rows), by which the base sees ties that reach beyond what is asked for; with
            ``m == n_neighbors`` it vouches for the ties itself.
        n_distances : int or None
        """
        raise NotImplementedError

    def _slack(self, Q: Matrix) -> Any:
        """Bound, for each query, how much nearer than the last spare a row left out may be.

        0 where an exact index searches in the precision of the data; else twice the error of the
        squared distances by which it searched. float or ndarray of shape (rows,).
        """
        return 0.0

    def _answer(self, Q: Matrix, n_neighbors: int) -> tuple[np.ndarray, np.ndarray, int | None]:
        """Search one chunk, then make its answer complete, exact and ordered."""
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
            # the last spare as near as the last answer: there may be more rows in the same tie
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
    """A shift and a scale in which a method computes without losing digits.

    ``‖q‖² − 2 q·x + ‖x‖²`` and casts to float32 lose the differences between rows that lie far
    from the origin, and squares of very large or very small values leave the range of the type.
    The frame subtracts the mean where it is large against the spread, and divides by a power of
    two where the values are extreme. Both are rounded to a coarse binary grid, so integers stay
    integers and their exact ties stay ties; for data in ordinary range the frame changes nothing.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        The rows that will be indexed.
    dtype : dtype, optional
        Type in which the method computes; X's by default.

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
        # 4 bits lost to an offset are tolerable, and they are only lost where there is spread
        if spread > 0 and np.abs(middle).max() > 16.0 * spread:
            grid = 2.0 ** np.floor(np.log2(spread))
            self.shift = np.round(middle / grid) * grid
            largest = spread
        safe = 1e12 if self.dtype == np.float32 else 1e100
        if largest > 0 and not 1.0 / safe < largest < safe:
            self.scale = 2.0 ** np.floor(np.log2(largest))
        self.is_identity = self.shift is None and self.scale == 1.0 and self.dtype == X.dtype
        # a query that is so much farther away than the rows lie apart cannot tell them apart
        self._largest = safe**1.25

    def apply(self, X: np.ndarray) -> np.ndarray:
        """Bring rows into the frame; returns the array itself where nothing is to be done.

        Parameters
        ----------
        X : ndarray of shape (nq, d)

        Returns
        -------
        ndarray of shape (nq, d), C order, in the frame's dtype
        """
        out = X if self.shift is None else X - self.shift
        if self.scale != 1.0:
            out = out / self.scale
        if out.size and max(-float(out.min()), float(out.max())) > self._largest:
            out = np.clip(out, -self._largest, self._largest)
        return np.ascontiguousarray(out, dtype=self.dtype)


def first_equal_rows(X: np.ndarray) -> np.ndarray:
    """Index of the first row that equals each row.

    Parameters
    ----------
    X : ndarray of shape (n, d), float32 or float64

    Returns
    -------
    ndarray of shape (n,), int64
        ``arange(n)`` where all rows differ.

    Notes
    -----
    Sorts the rows: O(d·n log n) at worst, about 10 ms for 4,096 rows of d = 192.

    Examples
    --------
    >>> import numpy as np
    >>> from annlab.indexes._base import first_equal_rows
    >>> first_equal_rows(np.array([[1.0], [2.0], [1.0], [0.0], [-0.0]]))
    array([0, 1, 0, 3, 3])
    """
    _, first, inverse = np.unique(X, axis=0, return_index=True, return_inverse=True)
    return first[inverse.ravel()].astype(np.int64)

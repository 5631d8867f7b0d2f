"""The data of a fit: rows, weights, working coordinates, and the chunks they are read in."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np

from annlab._validation import is_sparse, working_dtype
from annlab._workers import Workers, chunk_bounds
from annlab.distances import squared_norms, unit_rows


@dataclass(frozen=True)
class Piece:
    """Some rows, and how to bring them into working coordinates (done where they are used)."""

    rows: Any
    shift: np.ndarray | None
    dtype: np.dtype

    def load(self) -> Any:
        """Return the rows, shifted and in the working type: a view where nothing changes."""
        if self.shift is None:
            return self.rows.astype(self.dtype, copy=False)
        return np.subtract(self.rows, self.shift, dtype=np.float64).astype(self.dtype)


class Points:
    """The data of a fit in *working coordinates*: unit rows for cosine, centred for Euclid.

    ``‖x‖² − 2 x·c + ‖c‖²`` in float32 loses the distance when the data lies far from the origin:
    an offset of 10,000 standard deviations changes more than half of all labels. So data whose
    mean is long against its spread is shifted by it; distances do not change.

    Parameters
    ----------
    X : ndarray or CSR of shape (n, d)
        Checked by the caller; never written to.
    metric : {"euclidean", "cosine"}, default="euclidean"
    sample_weight : ndarray of shape (n,), float64, optional
    workers : Workers
    shift : ndarray of shape (d,), float64, optional
        Shift to use instead of the data's mean.

    Attributes
    ----------
    n, d : int
    variance : float
        Mean over the features of the (weighted) variance.
    shift : ndarray of shape (d,), float64, or None
    dtype : dtype
        Working type: float32 or float64.
    zero_rows : ndarray of shape (n,), bool, or None
        Rows without a direction (cosine only).
    """

    def __init__(
        self,
        X: Any,
        *,
        metric: str = "euclidean",
        sample_weight: np.ndarray | None = None,
        workers: Workers,
        shift: np.ndarray | None = None,
    ) -> None:
        self.metric = metric
        self.sample_weight = sample_weight
        self.workers = workers
        self.sparse = is_sparse(X)
        self.out_dtype = working_dtype(X.dtype)
        self.dtype = self.out_dtype
        self.zero_rows: np.ndarray | None = None
        self._ready: np.ndarray | None = None
        if metric == "cosine":
            X, zero = unit_rows(X)
            self.zero_rows = zero if zero.any() else None
        self.X = X = workers.share(X)
        self.n, self.d = X.shape
        mean, self.variance = self._moments()
        length_sq, total = float(mean @ mean), self.variance * self.d
        self.shift: np.ndarray | None = None
        if metric == "euclidean" and not self.sparse:
            size = np.sqrt(length_sq + total)
            if self.dtype == np.float32 and size > 0 and not 1e-15 < size < 1e15:
                # squares of such values leave the range of float32
                self.dtype = np.dtype(np.float64)
            if shift is not None:
                self.shift = shift
            elif length_sq > total:
                self.shift = mean
        if self.shift is not None and not isinstance(X, np.memmap):
            # one copy now is cheaper than a shift of every chunk in every iteration
            work = np.empty(X.shape, dtype=self.dtype)
            loaded = self.workers.map(Piece.load, [(piece,) for piece in self.pieces()])
            for (start, stop), rows in zip(self.bounds(), loaded, strict=True):
                work[start:stop] = rows
            self._ready = work

    def bounds(self) -> list[tuple[int, int]]:
        """Chunk bounds; they depend on n and d alone."""
        rows = min(max(256, -(-self.n // 16)), max(256, (1 << 19) // max(self.d, 1)))
        if self.sparse:
            rows = 512
        return chunk_bounds(self.n, rows)

    def pieces(self) -> list[Piece]:
        """The chunks, in order."""
        return [self.piece(start, stop) for start, stop in self.bounds()]

    def piece(self, start: int, stop: int) -> Piece:
        """Rows ``start`` to ``stop``."""
        if self._ready is not None:
            return Piece(self._ready[start:stop], None, self.dtype)
        return Piece(self.X[start:stop], self.shift, self.dtype)

    def reweighted(self, sample_weight: np.ndarray) -> Points:
        """The same points with other weights; the data is shared, not copied."""
        twin = copy(self)
        twin.sample_weight = sample_weight
        return twin

    def rows(self, indices: np.ndarray) -> np.ndarray:
        """Some rows in working coordinates, dense, shape (len(indices), d)."""
        ready = self._ready
        source = self.X if ready is None else ready
        part = source[indices]
        if self.sparse:
            part = part.toarray()
        return Piece(part, self.shift if ready is None else None, self.dtype).load()

    def weights(self, start: int, stop: int) -> np.ndarray | None:
        """Weights of some rows, or None where all weigh 1."""
        return None if self.sample_weight is None else self.sample_weight[start:stop]

    def inward(self, centroids: np.ndarray) -> np.ndarray:
        """Bring centroids of the caller's coordinates into working coordinates."""
        work = np.asarray(centroids, dtype=np.float64)
        if self.metric == "cosine":
            work, _ = unit_rows(work)
        if self.shift is not None:
            work = work - self.shift
        return np.ascontiguousarray(work, dtype=self.dtype)

    def outward(self, centroids: np.ndarray) -> np.ndarray:
        """Bring centroids back into the caller's coordinates and type (a copy)."""
        work = centroids.astype(np.float64)
        if self.shift is not None:
            work += self.shift
        return work.astype(self.out_dtype)

    def _moments(self) -> tuple[np.ndarray, float]:
        pieces = [(self.X[start:stop], self.weights(start, stop)) for start, stop in self.bounds()]
        total = float(self.n if self.sample_weight is None else self.sample_weight.sum())
        mean = sum(self.workers.map(_sum_rows, pieces)) / total
        spread = self.workers.map(_sum_squares, [(*piece, mean) for piece in pieces])
        return mean, float(sum(spread)) / total / self.d


def _sum_rows(rows: Any, weights: np.ndarray | None) -> np.ndarray:
    w = np.ones(rows.shape[0]) if weights is None else weights
    return np.asarray(rows.T @ w) if is_sparse(rows) else w @ rows.astype(np.float64)


def _sum_squares(rows: Any, weights: np.ndarray | None, mean: np.ndarray) -> float:
    w = np.ones(rows.shape[0]) if weights is None else weights
    if is_sparse(rows):
        # Σ w (x − m)² = Σ w x² − 2 m·Σ w x + Σ w ‖m‖², without filling in the zeros
        squares = float(w @ squared_norms(rows.astype(np.float64)))
        return squares - 2.0 * float(mean @ (rows.T @ w)) + float(w.sum()) * float(mean @ mean)
    return float(w @ squared_norms(rows - mean))

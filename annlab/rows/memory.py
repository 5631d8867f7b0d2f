"""The data of a fit: rows, weights, working coordinates, and the chunks they are read in."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np

from annlab._support.checks import is_sparse, working_dtype
from annlab._support.threads import Workers, chunk_bounds
from annlab.distances import squared_norms, unit_rows


@dataclass(frozen=True)
class Piece:
    """Some rows, and how to bring them into working coordinates (done where they are used)."""

    rows: Any
    shift: np.ndarray | None
    dtype: np.dtype
    unit: bool = False

    def load(self) -> Any:
        """Return the rows in working coordinates and type: a view where nothing changes."""
        if self.unit:
            return unit_rows(self.rows)[0]
        if self.shift is None:
            return self.rows.astype(self.dtype, copy=False)
        if self.rows.dtype == self.dtype == np.float32:
            # the shift is a float32 number, so this rounds once, as float64 would
            return self.rows - self.shift.astype(np.float32)
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
    around : ndarray of shape (k, d), optional
        Centroids that say where the data lies. Shift and working type then come from them and
        not from the rows, so that what is computed for a row is the row's own; and rows are
        brought into working coordinates chunk by chunk, which suits a single pass.

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
    streams : bool
        Whether X is a memory-mapped file, which is only ever read in blocks.

    Notes
    -----
    Rows that are shifted or scaled are copied once (`settle`), because that is cheaper than to do
    it again in every iteration; memory-mapped rows never are.
    """

    def __init__(
        self,
        X: Any,
        *,
        metric: str = "euclidean",
        sample_weight: np.ndarray | None = None,
        workers: Workers,
        shift: np.ndarray | None = None,
        around: np.ndarray | None = None,
    ) -> None:
        self.metric = metric
        self.sample_weight = sample_weight
        self.workers = workers
        self.sparse = is_sparse(X)
        self.streams = isinstance(X, np.memmap)
        self.out_dtype = working_dtype(X.dtype)
        self.dtype = self.out_dtype
        self.zero_rows: np.ndarray | None = None
        self.shift: np.ndarray | None = None
        self._ready: Any = None
        self._variance: float | None = None
        self._may_settle = False
        self.X = workers.share(X)
        self.n, self.d = X.shape
        if metric == "cosine":
            zero = np.concatenate(workers.map(_is_zero, [(p.rows,) for p in self.pieces()]))
            self.zero_rows = zero if zero.any() else None
        else:
            self._centre(shift, around)
        changes = metric == "cosine" or self.shift is not None
        self._may_settle = changes and around is None and not isinstance(self.X, np.memmap)

    def __getstate__(self) -> dict[str, Any]:
        # a task in another process has no pool of its own
        return self.__dict__ | {"workers": None}

    def settle(self) -> None:
        """Keep a copy of all rows in working coordinates, where they differ from X.

        For whoever reads them in every iteration; who lays out a copy of its own does not call
        this, so that X is never there three times.
        """
        if not self._may_settle:
            return
        self._may_settle = False
        if self.metric == "cosine" and self.sparse:
            self._ready = unit_rows(self.X)[0]
        else:
            self._ready = self._loaded()

    def _centre(self, shift: np.ndarray | None, around: np.ndarray | None) -> None:
        """Choose the working type and the shift."""
        if around is not None:
            shift = None if self.sparse else around.astype(np.float64).mean(axis=0)
            largest = float(np.abs(around).max())
        else:
            mean, largest = self._moments()
            if shift is None and not self.sparse and mean @ mean > self.variance * self.d:
                shift = mean
        self.shift = shift
        if self.dtype == np.float32 and largest > 0 and not 1e-15 < largest < 1e15:
            # squares of such values leave the range of float32
            self.dtype = np.dtype(np.float64)
        if self.shift is not None and self.dtype == np.float32:
            # any shift near the mean will do; one that float32 holds makes the differences exact
            self.shift = self.shift.astype(np.float32).astype(np.float64)

    def _loaded(self) -> np.ndarray:
        """All rows in working coordinates."""
        work = np.empty((self.n, self.d), dtype=self.dtype)
        bounds = self.bounds()
        pieces = [self.piece(start, stop) for start, stop in bounds]
        # a few chunks at a time: their temporaries are all that lies beside the copy
        step = 4 * self.workers.n_jobs
        for first in range(0, len(pieces), step):
            loaded = self.workers.map(Piece.load, [(p,) for p in pieces[first : first + step]])
            for (start, stop), rows in zip(bounds[first : first + step], loaded, strict=True):
                work[start:stop] = rows
        return work

    @property
    def variance(self) -> float:
        if self._variance is None:
            self._moments()
        assert self._variance is not None
        return self._variance

    def bounds(self) -> list[tuple[int, int]]:
        """Chunk bounds; they depend on the data alone."""
        # values of a row that are stored
        width = self.X.nnz // self.n if self.sparse else self.d
        rows = min(max(256, -(-self.n // 16)), max(256, (1 << 19) // max(width, 1)), 1 << 16)
        return chunk_bounds(self.n, rows)

    def pieces(self) -> list[Piece]:
        """The chunks, in order."""
        self.settle()
        return [self.piece(start, stop) for start, stop in self.bounds()]

    def piece(self, start: int, stop: int) -> Piece:
        """Rows ``start`` to ``stop``."""
        if self._ready is not None:
            return Piece(self._ready[start:stop], None, self.dtype)
        return Piece(self.X[start:stop], self.shift, self.dtype, self.metric == "cosine")

    def reweighted(self, sample_weight: np.ndarray) -> Points:
        """The same points with other weights; the data is shared, not copied."""
        twin = copy(self)
        twin.workers = self.workers
        twin.sample_weight = sample_weight
        twin._variance = None
        return twin

    def rows(self, indices: np.ndarray) -> np.ndarray:
        """Some rows in working coordinates, dense, shape (len(indices), d)."""
        if self._ready is not None:
            part = Piece(self._ready[indices], None, self.dtype).load()
        else:
            part = self.X[indices]
            part = Piece(part, self.shift, self.dtype, self.metric == "cosine").load()
        return part.toarray() if self.sparse else part

    def weights(self, start: int, stop: int) -> np.ndarray | None:
        """Weights of some rows, or None where all weigh 1."""
        return None if self.sample_weight is None else self.sample_weight[start:stop]

    def count_zero_rows(self) -> int:
        """Rows without a direction (cosine only)."""
        return 0 if self.zero_rows is None else int(self.zero_rows.sum())

    def seeds(self, n_clusters: int, rng: np.random.RandomState) -> Points:
        """Points in memory that a start may be drawn from: all of them, where they are here."""
        return self

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

    def _moments_at_once(self, kernels: Any, total: float) -> tuple[np.ndarray, float]:
        """`_moments` in one read of X."""
        parts = self.workers.map(
            _chunk_moments,
            [
                (kernels, self.X[a:b], self.weights(a, b))
                for a, b in chunk_bounds(self.n, max(1024, (1 << 18) // self.d))
            ],
            work=2 * self.n * self.d,
        )
        mean = np.asarray(sum(first for first, _, _ in parts) / total)
        squares = sum(second for _, second, _ in parts) / total
        self._variance = float(np.maximum(squares - mean * mean, 0.0).mean())
        return mean, max(largest for _, _, largest in parts)

    def _moments(self) -> tuple[np.ndarray, float]:
        """Mean row in working coordinates and the largest magnitude; `variance` on the way."""
        tasks = [
            (self.piece(start, stop), self.weights(start, stop)) for start, stop in self.bounds()
        ]
        total = float(self.n if self.sample_weight is None else self.sample_weight.sum())
        if self.metric == "euclidean" and not self.sparse and self.X.dtype == np.float32:
            from annlab._kernels_cache import load_kernels

            kernels = load_kernels(compile=False, load=False)
            if kernels is not None and self.X.flags.c_contiguous:
                return self._moments_at_once(kernels, total)
        parts = self.workers.map(_sum_rows, tasks, work=8 * self.n * self.d)
        mean = np.asarray(sum(part for part, _ in parts) / total)
        around = [(*task, mean) for task in tasks]
        spread = sum(self.workers.map(_sum_squares, around, work=8 * self.n * self.d))
        self._variance = float(spread) / total / self.d
        return mean, max(largest for _, largest in parts)


def _chunk_moments(
    kernels: Any, rows: np.ndarray, weights: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, float]:
    first, second = np.zeros(rows.shape[1]), np.zeros(rows.shape[1])
    extremes = np.empty(3, dtype=np.float32)
    w = np.empty(0) if weights is None else weights
    kernels.moments(rows, w, 0, len(rows), first, second, extremes)
    return first, second, max(-float(extremes[0]), float(extremes[1]))


def _is_zero(rows: Any) -> np.ndarray:
    if is_sparse(rows):
        entries = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))[rows.data != 0]
        return np.bincount(entries, minlength=rows.shape[0]) == 0
    return ~rows.any(axis=1)


def _sum_rows(piece: Piece, weights: np.ndarray | None) -> tuple[np.ndarray, float]:
    rows = piece.load()
    w = np.ones(rows.shape[0]) if weights is None else weights
    values = rows.data if is_sparse(rows) else rows
    largest = max(-float(values.min()), float(values.max())) if values.size else 0.0
    if is_sparse(rows):
        return np.asarray(rows.T @ w), largest
    return w @ rows.astype(np.float64), largest


def _sum_squares(piece: Piece, weights: np.ndarray | None, mean: np.ndarray) -> float:
    rows = piece.load()
    w = np.ones(rows.shape[0]) if weights is None else weights
    if is_sparse(rows):
        # Σ w (x − m)² = Σ w x² − 2 m·Σ w x + Σ w ‖m‖², without filling in the zeros
        squares = float(w @ squared_norms(rows.astype(np.float64)))
        return squares - 2.0 * float(mean @ (rows.T @ w)) + float(w.sum()) * float(mean @ mean)
    return float(w @ squared_norms(rows - mean))

"""Working coordinates: unit rows for cosine, centred rows for Euclidean.

``‖x‖² − 2 x·c + ‖c‖²`` in float32 loses the distance far from the origin: an offset of 10,000
standard deviations changes more than half of all labels. So rows are shifted by their mean if it is
long compared with their spread; distances do not change.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike

from annlab._support.checks import is_sparse
from annlab._support.types import Matrix
from annlab.distances import unit_rows


@dataclass(frozen=True, eq=False)
class Coordinates:
    """The map between the caller's coordinates and working coordinates.

    Attributes
    ----------
    unit : bool
        Rows are scaled to length 1.
    out_dtype, dtype : dtype
        Floating type of the data, and of the working coordinates.
    shift : ndarray of shape (d,), float64, or None
        Subtracted from the rows.
    """

    unit: bool
    out_dtype: np.dtype
    dtype: np.dtype
    shift: np.ndarray | None = None

    @classmethod
    def plain(cls, dtype: DTypeLike) -> Coordinates:
        """Return coordinates that leave rows unchanged."""
        return cls(False, np.dtype(dtype), np.dtype(dtype))

    @classmethod
    def fitting(
        cls, dtype: np.dtype, largest: float, shift: np.ndarray | None, *, fine: bool = False
    ) -> Coordinates:
        """Return Euclidean coordinates for values up to ``largest`` in magnitude.

        ``fine`` asks for float64, for groups that float32 does not resolve.
        """
        working = dtype
        if fine or (dtype == np.float32 and largest > 0 and not 1e-15 < largest < 1e15):
            # their squares leave the range of float32
            working = np.dtype(np.float64)
        if shift is not None and working == np.float32:
            # a shift that float32 holds makes the differences exact
            shift = shift.astype(np.float32).astype(np.float64)
        return cls(False, dtype, working, shift)

    def around(self, centroids: np.ndarray, *, may_shift: bool = True) -> Coordinates:
        """Return coordinates that depend on the caller's centroids (k, d) alone.

        A row's label then does not depend on other rows. ``may_shift`` is False for sparse rows,
        which a shift would fill.
        """
        if self.unit:
            return Coordinates(True, self.out_dtype, self.out_dtype)
        shift = centroids.astype(np.float64).mean(axis=0) if may_shift else None
        return Coordinates.fitting(self.out_dtype, float(np.abs(centroids).max()), shift)

    def inward(self, centroids: np.ndarray) -> np.ndarray:
        """Bring centroids of the caller's coordinates into working coordinates."""
        work = np.asarray(centroids, dtype=np.float64)
        if self.unit:
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

    def load(self, raw: Matrix) -> Matrix:
        """Bring rows into working coordinates and type: a view where nothing changes."""
        if self.unit:
            return unit_rows(raw.astype(self.dtype, copy=False))[0]
        if self.shift is None:
            return raw.astype(self.dtype, copy=False)
        if raw.dtype == self.dtype == np.float32:
            # the shift is a float32 number: this rounds once, as float64 would
            return raw - self.shift.astype(np.float32)
        return np.subtract(raw, self.shift, dtype=np.float64).astype(self.dtype)

    def chunk(self, raw: Matrix) -> Chunk:
        """Make a chunk from rows in the caller's coordinates."""
        return Chunk(raw, self, zero_rows(raw) if self.unit else None)


def zero_rows(raw: Matrix) -> np.ndarray:
    """Return the mask of rows without a direction, shape (n,), bool."""
    if is_sparse(raw):
        entries = np.repeat(np.arange(raw.shape[0]), np.diff(raw.indptr))[raw.data != 0]
        return np.bincount(entries, minlength=raw.shape[0]) == 0
    return np.asarray(~np.asarray(raw).any(axis=1))


@dataclass(frozen=True, eq=False)
class Chunk:
    """Some rows, brought into working coordinates when they are used.

    Attributes
    ----------
    raw : ndarray or CSR of shape (m, d)
        In the caller's coordinates.
    coordinates : Coordinates
    zero : ndarray of shape (m,), bool, or None
        Rows without a direction, if there are any.
    ready : ndarray or CSR of shape (m, d), optional
        In working coordinates, if they are kept so.
    """

    raw: Matrix
    coordinates: Coordinates
    zero: np.ndarray | None = None
    ready: Matrix | None = None

    def load(self) -> Matrix:
        """Return the rows in working coordinates."""
        return self.coordinates.load(self.raw) if self.ready is None else self.ready

    def dense(self) -> tuple[np.ndarray, np.ndarray]:
        """Return contiguous rows of the working dtype, and the remaining shift."""
        frame, raw = self.coordinates, self.raw
        shift = np.zeros(raw.shape[1], dtype=frame.dtype)
        lies_well = raw.__class__ is np.ndarray and raw.flags.c_contiguous
        if self.ready is None and not frame.unit and lies_well and raw.dtype == frame.dtype:
            return raw, shift if frame.shift is None else frame.shift.astype(frame.dtype)
        rows = self.load()
        return np.ascontiguousarray(rows.toarray() if is_sparse(rows) else rows), shift

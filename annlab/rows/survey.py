"""Summaries of rows before a fit (sums, spread, magnitude), which add up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from annlab._kernels import loops
from annlab._support.checks import is_sparse
from annlab._support.errors import invalid
from annlab._support.types import Matrix
from annlab.distances import squared_norms, unit_rows
from annlab.rows.coordinates import Coordinates, zero_rows

#: Rows that a survey keeps to estimate the size of the groups.
_SOME = 256
#: A group must be this many times larger than the rounding error of a squared distance.
_RESOLVED = 1000.0


def widths(found: list[int]) -> Exception:
    """Return the error for blocks of different widths."""
    return invalid(
        "X",
        "made of blocks of equal width",
        f"blocks of {found[0]} and of {found[-1]} columns",
        "Give every block the same columns.",
    )


@dataclass
class Survey:
    """A summary of some rows.

    Attributes
    ----------
    sizes, positive : list of int
        Rows of each part, in order, and how many of them have a weight above 0.
    dtype : dtype
    total, heaviest : float
        Sum of the weights, and the largest.
    sums : ndarray of shape (d,), float64
        Σ w x.
    spread : float
        Σ w ‖x − mean‖².
    largest : float
        Largest magnitude.
    n_zero : int
        Rows without a direction.
    some : ndarray of shape (m, d)
        A few of the rows, evenly spaced, if they are dense.
    """

    sizes: list[int]
    positive: list[int]
    dtype: np.dtype
    total: float
    heaviest: float
    sums: np.ndarray
    spread: float
    largest: float
    n_zero: int
    some: np.ndarray

    def __add__(self, other: Survey) -> Survey:
        if len(self.sums) != len(other.sums):
            raise widths([len(self.sums), len(other.sums)])
        spread = self.spread + other.spread
        if self.total > 0 and other.total > 0:
            # Chan, Golub & LeVeque 1983, doi 10.1080/00031305.1983.10483115
            apart = self.sums / self.total - other.sums / other.total
            share = self.total * (other.total / (self.total + other.total))
            spread += share * float(apart @ apart)
        return Survey(
            self.sizes + other.sizes,
            self.positive + other.positive,
            np.result_type(self.dtype, other.dtype),
            self.total + other.total,
            max(self.heaviest, other.heaviest),
            self.sums + other.sums,
            spread,
            max(self.largest, other.largest),
            self.n_zero + other.n_zero,
            _thinned(np.concatenate([self.some, other.some])),
        )

    @property
    def variance(self) -> float:
        """Mean over the features of the (weighted) variance."""
        return self.spread / self.total / len(self.sums)

    def coordinates(self, *, unit: bool, may_shift: bool = True) -> Coordinates:
        """Return working coordinates for these rows."""
        if unit:
            return Coordinates(True, self.dtype, self.dtype)
        mean = self.sums / self.total
        is_far = may_shift and mean @ mean > self.spread / self.total
        fine = has_far_groups(self.some.astype(np.float64) - (mean if may_shift else 0.0))
        return Coordinates.fitting(
            self.dtype, self.largest, mean if is_far else None, fine=fine and may_shift
        )


def survey(raw: Matrix, weights: np.ndarray | None, unit: bool) -> Survey:
    """Summarise finite rows, scaled to length 1 first if ``unit``: 6·m·d operations."""
    n, d = raw.shape
    if n == 0:
        none = np.empty((0, d), np.float32)
        return Survey([0], [0], none.dtype, 0.0, 0.0, np.zeros(d), 0.0, 0.0, 0, none)
    n_zero = int(np.count_nonzero(zero_rows(raw))) if unit else 0
    w = np.ones(n) if weights is None else weights
    total = float(w.sum())
    sums, spread, largest = _moments(unit_rows(raw)[0] if unit else raw, weights, w, total)
    positive = int(np.count_nonzero(w > 0))
    some = _thinned(raw) if isinstance(raw, np.ndarray) else np.empty((0, d), raw.dtype)
    return Survey(
        [n], [positive], raw.dtype, total, float(w.max()), sums, spread, largest, n_zero, some
    )


def _thinned(rows: np.ndarray) -> np.ndarray:
    """Return about `_SOME` evenly spaced rows."""
    return np.array(rows[:: max(1, len(rows) // _SOME)])


def has_far_groups(rows: np.ndarray) -> bool:
    """Tell whether groups of rows are too far apart for float32.

    Parameters
    ----------
    rows : ndarray of shape (m, d), float64
        Centred.

    Notes
    -----
    Of 16 rows, each as far as possible from those before it (Gonzalez 1985,
    doi 10.1016/0304-3975(85)90224-5), the last distance estimates the size of the groups. It is
    compared with the rounding error of a float32 product of such rows. 16·m·d operations.
    """
    if len(rows) < 2:
        return False
    norm = float(np.median(np.einsum("ij,ij->i", rows, rows)))
    nearest = np.full(len(rows), np.inf)
    place, size = 0, np.inf
    for _ in range(16):
        difference = rows - rows[place]
        nearest = np.minimum(nearest, np.einsum("ij,ij->i", difference, difference))
        place = int(nearest.argmax())
        if nearest[place] == 0.0:
            break
        size = float(nearest[place])
    error = float(np.finfo(np.float32).eps) * (2.0 * np.sqrt(rows.shape[1]) + 17.0) * norm
    return size < _RESOLVED * error


def _moments(
    rows: Matrix, weights: np.ndarray | None, w: np.ndarray, total: float
) -> tuple[np.ndarray, float, float]:
    """Compute Σ w x, Σ w ‖x − mean‖² and the largest magnitude."""
    d = rows.shape[1]
    if is_sparse(rows):
        largest = float(np.abs(rows.data).max(initial=0.0))
        sums = np.asarray(rows.T @ w)
        squares = float(w @ squared_norms(rows.astype(np.float64)))
        return sums, squares - (float(sums @ sums) / total if total > 0 else 0.0), largest
    if rows.dtype == np.float32 and rows.flags.c_contiguous and total > 0:
        sums, second, extremes = np.zeros(d), np.zeros(d), np.empty(3, dtype=np.float32)
        own = np.empty(0) if weights is None else weights
        loops.moments(rows, own, 0, len(rows), sums, second, extremes)
        spread = float(np.maximum(second - sums * sums / total, 0.0).sum())
        return sums, spread, max(-float(extremes[0]), float(extremes[1]))
    largest = max(-float(rows.min()), float(rows.max()))
    wide = rows.astype(np.float64)
    sums = w @ wide
    if total > 0:
        wide = wide - sums / total
    return sums, float(w @ np.einsum("ij,ij->i", wide, wide)), largest

"""What one look at some rows tells, before anything is computed with them, and how it adds up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from annlab._kernels_cache import load_kernels
from annlab._support.checks import is_sparse
from annlab._support.errors import invalid
from annlab.distances import squared_norms, unit_rows
from annlab.rows.coordinates import Coordinates, zero_rows


def widths(found: list[int]) -> Exception:
    """The error for blocks of several widths."""
    return invalid(
        "X",
        "made of blocks of one width",
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
        )

    @property
    def variance(self) -> float:
        """Mean over the features of the (weighted) variance."""
        return self.spread / self.total / len(self.sums)

    def coordinates(self, *, unit: bool, may_shift: bool = True) -> Coordinates:
        """Working coordinates for these rows."""
        if unit:
            return Coordinates(True, self.dtype, self.dtype)
        mean = self.sums / self.total
        is_far = may_shift and mean @ mean > self.spread / self.total
        return Coordinates.fitting(self.dtype, self.largest, mean if is_far else None)


def survey(raw: Any, weights: np.ndarray | None, unit: bool) -> Survey:
    """Look at some rows once.

    Parameters
    ----------
    raw : ndarray or CSR of shape (m, d)
        Finite, float32 or float64.
    weights : ndarray of shape (m,), float64, or None
    unit : bool
        Scale them to length 1 first.

    Notes
    -----
    About 6·m·d operations.
    """
    n, d = raw.shape
    if n == 0:
        return Survey([0], [0], np.dtype(np.float32), 0.0, 0.0, np.zeros(d), 0.0, 0.0, 0)
    n_zero = int(np.count_nonzero(zero_rows(raw))) if unit else 0
    w = np.ones(n) if weights is None else weights
    total = float(w.sum())
    sums, spread, largest = _moments(unit_rows(raw)[0] if unit else raw, weights, w, total)
    positive = int(np.count_nonzero(w > 0))
    return Survey([n], [positive], raw.dtype, total, float(w.max()), sums, spread, largest, n_zero)


def _moments(
    rows: Any, weights: np.ndarray | None, w: np.ndarray, total: float
) -> tuple[np.ndarray, float, float]:
    """Σ w x, Σ w ‖x − mean‖² and the largest magnitude."""
    d = rows.shape[1]
    if is_sparse(rows):
        largest = float(np.abs(rows.data).max(initial=0.0))
        sums = np.asarray(rows.T @ w)
        squares = float(w @ squared_norms(rows.astype(np.float64)))
        return sums, squares - (float(sums @ sums) / total if total > 0 else 0.0), largest
    kernels = None
    if rows.dtype == np.float32 and rows.flags.c_contiguous:
        # they read the rows once, where they are loaded anyway
        kernels = load_kernels(compile=False, load=False)
    if kernels is not None and total > 0:
        sums, second, extremes = np.zeros(d), np.zeros(d), np.empty(3, dtype=np.float32)
        own = np.empty(0) if weights is None else weights
        kernels.moments(rows, own, 0, len(rows), sums, second, extremes)
        spread = float(np.maximum(second - sums * sums / total, 0.0).sum())
        return sums, spread, max(-float(extremes[0]), float(extremes[1]))
    largest = max(-float(rows.min()), float(rows.max()))
    wide = rows.astype(np.float64)
    sums = w @ wide
    if total > 0:
        wide = wide - sums / total
    return sums, float(w @ np.einsum("ij,ij->i", wide, wide)), largest

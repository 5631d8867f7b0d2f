"""Searches for the centroid of each point: exact, fused, or through an index.

For given centroids a search makes the task that runs on every chunk of rows.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np

from annlab._kernels import loops
from annlab._support.checks import is_sparse
from annlab._support.errors import invalid
from annlab._support.threads import breathe
from annlab._support.types import Matrix
from annlab.distances import Frame, frame_of, nearest, paired_sq, uncertain
from annlab.fit.sparse import SparsePass
from annlab.rows import Rows
from annlab.rows.coordinates import Chunk
from annlab.rows.tally import Tally, Task, pass_rows

T = TypeVar("T")
#: Rows of one query to an index: bounds memory, and is the same for every n_jobs.
_INDEX_ROWS = 1 << 16


class Search(Protocol):
    """A way to find each point's centroid; ``exact`` if always the nearest."""

    exact: bool

    def task(self, rows: Rows, centroids: np.ndarray) -> Task:
        """Return the task for centroids in working coordinates."""


# -- exact, through BLAS ---------------------------------------------------------------------------


class Exact:
    """Compare all points with all centroids through BLAS: 2·n·k·d operations."""

    exact = True

    def task(self, rows: Rows, centroids: np.ndarray) -> Compare | SparsePass:
        if rows.sparse:
            return SparsePass.of(centroids, rows.width)
        return Compare(centroids=centroids, frame=frame_of(centroids))


@dataclass(frozen=True, eq=False, kw_only=True)
class Compare(Task):
    """Compare rows with all centroids, whose `Frame` it keeps."""

    frame: Frame

    def find(
        self, rows: Matrix, old: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray, int | None]:
        labels = label_block(rows, self.centroids, self.frame)
        return labels, paired_sq(rows, self.centroids, labels), len(labels) * self.k

    def labels(self, chunk: Chunk) -> np.ndarray:
        """Label a chunk without adding it up."""
        labels = label_block(chunk.load(), self.centroids, self.frame)
        if chunk.zero is not None:
            labels[chunk.zero] = 0
        return labels


def label_block(rows: Matrix, centroids: np.ndarray, frame: Frame) -> np.ndarray:
    """Return the nearest centroid of some rows, shape (len(rows),), int32."""
    labels = np.empty(rows.shape[0], dtype=np.int32)
    # the product of a sub-block stays in cache; sub-blocks depend on the chunk alone
    step = max(1024, (1 << 19) // len(centroids))
    for start in range(0, rows.shape[0], step):
        breathe()
        labels[start : start + step] = nearest(rows[start : start + step], centroids, frame=frame)
    return labels


# -- exact, in one fused pass ----------------------------------------------------------------------


@dataclass(frozen=True)
class Fused:
    """Compare all points with all centroids and sum them up, in one pass."""

    exact = True

    def task(self, rows: Rows, centroids: np.ndarray) -> FusedPass:
        return FusedPass(centroids=centroids, halves=half_norms(centroids), heaviest=rows.heaviest)


@dataclass(frozen=True, eq=False, kw_only=True)
class FusedPass(Task):
    """Compare rows with all centroids and sum them by cluster, in one read.

    Attributes
    ----------
    halves : ndarray of shape (k,)
        ½‖c‖² of each centroid.
    heaviest : float
        Weights are divided by it, because the loops may run in float32.
    """

    shifts = True

    halves: np.ndarray
    heaviest: float = 1.0

    def chunk_rows(self, n: int, d: int, usual: int) -> int:
        return pass_rows(n, self.k, d, n * self.k * d)

    def find(
        self, rows: Matrix, old: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray, int | None]:
        raise NotImplementedError("it labels and adds up at once")

    def __call__(
        self, chunk: Chunk, weights: np.ndarray | None, old: np.ndarray | None
    ) -> tuple[np.ndarray, Tally]:
        rows, shift = chunk.dense()
        dtype = self.centroids.dtype
        own = np.empty(0, dtype) if weights is None else (weights / self.heaviest).astype(dtype)
        labels, distances_sq, sums, totals = label_and_sum(
            rows, shift, own, self.centroids, self.halves
        )
        if chunk.zero is not None:
            labels[chunk.zero], distances_sq[chunk.zero] = 0, 1.0
        if self.heaviest != 1.0:
            sums *= self.heaviest
            totals *= self.heaviest
        tally = self.tally(chunk, labels, weights, distances_sq, sums, len(labels) * self.k)
        if chunk.zero is None and weights is not None:
            # rounded as the sums are
            tally.totals = totals
        return labels, tally

    def exact_inertia(self, chunk: Chunk, labels: np.ndarray, weights: np.ndarray | None) -> float:
        raw, frame = chunk.raw, chunk.coordinates
        typed = not is_sparse(raw) and raw.dtype in (np.float32, np.float64)
        if self.target is None or not typed or frame.unit:
            return super().exact_inertia(chunk, labels, weights)
        own = np.empty(0) if weights is None else weights
        rows = np.ascontiguousarray(raw)
        return float(loops.paired_inertia(rows, own, labels, self.target, 0, len(rows)))


def half_norms(centroids: np.ndarray) -> np.ndarray:
    """Compute ½‖c‖² of each centroid in float64; return the centroids' dtype."""
    total = np.einsum("ij,ij->i", centroids, centroids, dtype=np.float64)
    return (0.5 * total).astype(centroids.dtype)


def label_and_sum(
    rows: np.ndarray,
    shift: np.ndarray,
    weights: np.ndarray,
    centroids: np.ndarray,
    halves: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Label some rows and sum them by cluster; near-ties follow the tie rule.

    Parameters
    ----------
    rows, weights : ndarrays of shape (m, d) and (m,) or (0,)
    shift : ndarray of shape (d,)
        Subtracted from the rows first.
    centroids, halves : ndarrays of shape (k, d) and (k,)

    Returns
    -------
    labels : ndarray of shape (m,), int32
    d1 : ndarray of shape (m,)
        Squared distances.
    sums, totals : ndarrays of shape (k, d) and (k,), float64
    """
    m, (k, d), dtype = len(rows), centroids.shape, centroids.dtype
    labels, d1, d2 = np.empty(m, np.int32), np.empty(m, dtype), np.empty(m, dtype)
    sums, totals = np.zeros((k, d)), np.zeros(k)
    loops.assign_fused(rows, shift, weights, centroids, halves, 0, m, labels, d1, d2, sums, totals)
    close = uncertain(d1, d2, 2.0 * halves, d)
    if k == 1 or not close.size:
        return labels, d1, sums, totals
    own = rows[close] - shift
    chosen = nearest(own, centroids)
    changed = chosen != labels[close]
    if changed.any():
        places, old, new = close[changed], labels[close[changed]], chosen[changed]
        moved = own[changed].astype(np.float64)
        if len(weights) > 0:
            moved *= weights[places, None]
        np.subtract.at(sums, old, moved)
        np.add.at(sums, new, moved)
        labels[places] = new
        # counted again: subtraction would leave a rounding error in an emptied cluster
        totals[:] = np.bincount(labels, weights=weights if len(weights) > 0 else None, minlength=k)
        sums[totals == 0] = 0.0
    return labels, d1, sums, totals


# -- through an index ------------------------------------------------------------------------------


class Index(Protocol):
    """An index that ``algorithm`` accepts: annlab's, scikit-learn's or your own."""

    def fit(self, X: np.ndarray) -> Index:
        """Index the rows of X."""

    def kneighbors(self, Q: Matrix, n_neighbors: int) -> tuple[np.ndarray, np.ndarray]:
        """Return distances and indices of the nearest rows, (nq, n_neighbors)."""


class Indexed:
    """Search an index over the *centroids*, rebuilt for each assignment.

    A point keeps its old label unless the candidate is really closer: an approximate search
    never makes the inertia rise.

    The index is cloned, never fitted in place.
    """

    def __init__(self, index: Index) -> None:
        self.index = index
        self.exact = bool(getattr(index, "exact", False))

    def task(self, rows: Rows, centroids: np.ndarray) -> LookUp:
        return LookUp(
            centroids=centroids, index=clone_index(self.index).fit(centroids), exact=self.exact
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class LookUp(Task):
    """Search an index of centroids; keep old labels that beat inexact answers."""

    # an index has its own threads, and counts distances for one caller at a time
    has_threads = True

    index: Index
    exact: bool

    def chunk_rows(self, n: int, d: int, usual: int) -> int:
        return _INDEX_ROWS

    def find(
        self, rows: Matrix, old: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray, int | None]:
        found = _candidates(self.index, rows, self.k)
        distances = paired_sq(rows, self.centroids, found)
        if old is not None and not self.exact:
            old_distances = paired_sq(rows, self.centroids, old)
            keep = old_distances <= distances
            found = np.where(keep, old, found)
            distances = np.where(keep, old_distances, distances)
        return found, distances, getattr(self.index, "n_distances_", None)


def clone_index(index: T) -> T:
    """Copy an index with its parameters, unfitted if it is scikit-learn's."""
    from sklearn.base import clone

    try:
        return clone(index)
    except TypeError:
        return copy.deepcopy(index)


def _candidates(index: Index, rows: Matrix, k: int) -> np.ndarray:
    answer = index.kneighbors(rows, n_neighbors=1)
    try:
        found = np.asarray(answer[1]).reshape(-1)
    except (TypeError, IndexError, ValueError) as reason:
        raise invalid(
            "algorithm",
            "an object whose kneighbors returns (distances, indices)",
            f"{type(index).__name__} returning {type(answer).__name__}",
            "Return two arrays of shape (n_queries, n_neighbors).",
            error=TypeError,
        ) from reason
    if found.shape != (rows.shape[0],) or found.dtype.kind not in "iu":
        raise invalid(
            "algorithm",
            f"an object whose kneighbors returns {rows.shape[0]} integer indices",
            f"shape {found.shape}, dtype {found.dtype}",
            "Return one neighbour for each query.",
        )
    if found.size and not 0 <= found.min() <= found.max() < k:
        raise invalid(
            "algorithm",
            f"an object whose indices lie between 0 and {k - 1}",
            f"indices from {found.min()} to {found.max()}",
            "Index the centroids, not the samples.",
        )
    return found.astype(np.int32)

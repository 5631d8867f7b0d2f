"""Exact search for sparse rows in one compiled pass over stored values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from annlab._kernels import loops
from annlab._support.errors import invalid
from annlab._support.types import Matrix
from annlab.distances import nearest, uncertain
from annlab.rows.coordinates import Chunk
from annlab.rows.tally import MOST_SUMS, Tally, Task, chunk_sums, pass_rows

#: Centroids of a pass are filled up to a multiple of this.
_ABREAST = 8


@dataclass(frozen=True, eq=False, kw_only=True)
class SparsePass(Task):
    """Compare sparse rows with all centroids and sum them, in float64.

    Attributes
    ----------
    columns, halves : ndarrays of shape (d, width) and (width,)
        The centroids feature by feature, and ½‖c‖²; the width is k or a little more.
    stored : float
        Values of a row that are stored, on average.
    """

    columns: np.ndarray
    halves: np.ndarray
    stored: float

    @classmethod
    def of(cls, centroids: np.ndarray, stored: float) -> SparsePass:
        k, d = centroids.shape
        width = -(-k // _ABREAST) * _ABREAST
        columns = np.zeros((d, width), dtype=centroids.dtype)
        halves = np.full(width, np.inf)
        for c, row in enumerate(centroids):
            wide = row.astype(np.float64)
            halves[c] = 0.5 * np.einsum("i,i->", wide, wide)
        # some features at a time stay in cache
        for start in range(0, d, 4096):
            for c in range(k):
                columns[start : start + 4096, c] = centroids[c, start : start + 4096]
        return cls(centroids=centroids, columns=columns, halves=halves, stored=stored)

    def chunk_rows(self, n: int, d: int, usual: int) -> int:
        return pass_rows(n, self.k, d, n * self.k * int(self.stored))

    def work(self, n: int, d: int) -> float:
        return n * self.stored * (self.k + 8)

    def find(
        self, rows: Matrix, old: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray, int | None]:
        labels, distances_sq = self._scan(rows, None, np.empty((0, 0)))
        return labels, distances_sq, len(labels) * self.k

    def labels(self, chunk: Chunk) -> np.ndarray:
        """Label a chunk without adding it up."""
        labels = self.find(chunk.load(), None)[0]
        if chunk.zero is not None:
            labels[chunk.zero] = 0
        return labels

    def __call__(
        self, chunk: Chunk, weights: np.ndarray | None, old: np.ndarray | None
    ) -> tuple[np.ndarray, Tally]:
        rows, is_wide = chunk.load(), self.centroids.size > MOST_SUMS
        sums = np.zeros((0, 0) if is_wide else self.centroids.shape)
        labels, distances_sq = self._scan(rows, weights, sums)
        if chunk.zero is not None:
            labels[chunk.zero], distances_sq[chunk.zero] = 0, 1.0
        if is_wide:
            sums = chunk_sums(rows, labels, weights, self.k)
        tally = self.tally(chunk, labels, weights, distances_sq, sums, len(labels) * self.k)
        if self.target is not None and not chunk.coordinates.unit:
            tally.exact_inertia = tally.inertia
        return labels, tally

    def exact_inertia(self, chunk: Chunk, labels: np.ndarray, weights: np.ndarray | None) -> float:
        # the distances are float64, in the caller's coordinates except for cosine
        return super().exact_inertia(chunk, labels, weights) if chunk.coordinates.unit else 0.0

    def _scan(
        self, rows: Any, weights: np.ndarray | None, sums: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Label rows and add them to the sums, unless those are empty."""
        m = rows.shape[0]
        labels, d1, d2 = np.empty(m, np.int32), np.empty(m), np.empty(m)
        starts = rows.indptr.astype(np.int64, copy=False)
        spoilt = loops.assign_sparse(
            np.ascontiguousarray(rows.data), rows.indices.astype(np.int32, copy=False), starts,
            np.empty(0) if weights is None else weights, self.columns, self.halves, 0, m,
            labels, d1, d2, sums, np.zeros(len(sums)),
        )  # fmt: skip
        if spoilt:
            raise invalid(
                "X", f"a sparse matrix with indices from 0 to {rows.shape[1] - 1}",
                f"{spoilt} rows with other indices", "Build it again: its structure is damaged.",
            )  # fmt: skip
        terms = int(np.diff(starts).max(initial=0))
        close = uncertain(d1, d2, 2.0 * self.halves[: self.k], terms)
        if self.k == 1 or not close.size:
            return labels, d1
        chosen = nearest(rows[close], self.centroids)
        changed = np.flatnonzero(chosen != labels[close])
        for place, new in zip(close[changed], chosen[changed], strict=True):
            if sums.size:
                span = slice(starts[place], starts[place + 1])
                weight = 1.0 if weights is None else weights[place]
                moved = weight * rows.data[span].astype(np.float64)
                sums[labels[place], rows.indices[span]] -= moved
                sums[new, rows.indices[span]] += moved
            labels[place] = new
        if sums.size and changed.size:
            # subtraction would leave a rounding error in an emptied cluster
            sums[np.bincount(labels, weights=weights, minlength=self.k) == 0] = 0.0
        return labels, d1

"""More rows than memory: they are read block by block, again in each sweep.

Whatever blocks the rows come in, they are cut into the chunks that they would be cut into in
memory, and sums are added in the order of the chunks. So from the same start the centroids of
exact k-means are the same as in memory, bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from typing import Any

import numpy as np

from annlab._support.checks import check_data, check_sample_weight
from annlab._support.errors import invalid
from annlab._support.threads import Workers, chunk_bounds
from annlab.rows.base import Rows
from annlab.rows.coordinates import Chunk
from annlab.rows.memory import MemoryRows
from annlab.rows.reading import changed, cut, open_blocks
from annlab.rows.sample import sample_size, stratified
from annlab.rows.survey import Survey, survey, widths
from annlab.rows.tally import Task


class BlockRows(Rows):
    """Rows that are read in blocks on this machine.

    Parameters
    ----------
    X : object
        As `open_blocks` takes it.
    metric : {"euclidean", "cosine"}
    sample_weight : array-like of shape (n,), optional
    workers : Workers

    Notes
    -----
    Holds one group of chunks of at most 2¹⁹ values at a time, beside the labels, the weights and
    the sample. X is read once to look at it, once for the sample (a file or an array: only the
    rows that are in it), and once for each sweep.
    """

    together = False
    streams = True

    def __init__(self, X: Any, *, metric: str, sample_weight: Any, workers: Workers) -> None:
        self.workers = workers
        self._blocks = open_blocks(X)
        scalar = sample_weight is not None and np.ndim(sample_weight) == 0
        n = self._blocks.n
        weights = None
        if sample_weight is not None and not scalar:
            weights = check_sample_weight(sample_weight, len(sample_weight) if n is None else n)
        self._survey = self._look(weights, metric == "cosine")
        settle_size(self, self._survey)
        if scalar:
            weights = check_sample_weight(sample_weight, self.n)
        if weights is not None:
            if len(weights) != self.n:
                raise _weights_of(f"shape {weights.shape} for {self.n:,} rows")
            self.heaviest = float(weights.max())
        self.sample_weight = weights
        self.n_zero = self._survey.n_zero
        self.coordinates = self._survey.coordinates(unit=metric == "cosine")

    def _look(self, weights: np.ndarray | None, unit: bool) -> Survey:
        """Check all rows and look at them once."""
        found: list[Survey] = []
        at = 0
        for group in self._grouped(self._first_chunks(), 1):
            tasks = []
            for rows in group:
                own = None if weights is None else weights[at : at + len(rows)]
                if own is not None and len(own) < len(rows):
                    raise _weights_of(f"{len(weights)} weights for more rows")  # type: ignore[arg-type]
                tasks.append((rows, own, unit))
                at += len(rows)
            found += self.workers.map(check_and_survey, tasks)
        if not found:
            raise invalid(
                "X", "made of at least one block", "no block (0 sample(s))", "Pass more data."
            )
        return reduce(Survey.__add__, found)

    def survey(self) -> Survey:
        return self._survey

    def _first_chunks(self) -> Iterator[np.ndarray]:
        """Chunks in order, before the number of rows need be known."""
        blocks = self._blocks.open()
        if self._blocks.n is None:
            for block in blocks:
                rows = min(max(256, (1 << 19) // block.shape[1]), 1 << 16)
                for a, b in chunk_bounds(block.shape[0], rows) or [(0, 0)]:
                    yield np.asanyarray(block[a:b])
            return
        first = next(blocks, None)
        if first is None:
            return

        def all_blocks() -> Iterator[Any]:
            yield first
            yield from blocks

        self.n, self.d = self._blocks.n, first.shape[1]
        if self.n == 0:
            yield np.empty((0, self.d))
            return
        # the chunks of every later sweep: the mean is then that of the data in memory, to the bit
        yield from cut(all_blocks(), self.bounds())

    def chunks(self, task: Task | None = None) -> Iterator[tuple[int, int, Chunk]]:
        bounds = self.bounds()
        for (a, b), rows in zip(bounds, cut(self._blocks.open(), bounds), strict=True):
            if self._blocks.n is None:
                # a function may give other values each time that it is called
                rows = check_data(rows)
            if rows.shape[1] != self.d:
                raise widths([self.d, rows.shape[1]])
            yield a, b, self.coordinates.chunk(np.asarray(rows))

    def take(self, indices: np.ndarray) -> np.ndarray:
        return np.asarray(self.coordinates.load(self._gather(indices)))

    def _gather(self, indices: np.ndarray) -> np.ndarray:
        """Some rows as the caller has them, found in one pass over the blocks."""
        order = np.argsort(indices, kind="stable")
        ascending = np.asarray(indices)[order]
        out = np.empty((len(ascending), self.d), dtype=self.coordinates.out_dtype)
        rows_each = min(max(256, (1 << 19) // max(self.d, 1)), 1 << 16)
        first = 0
        for block in self._blocks.open():
            end = first + block.shape[0]
            low, high = np.searchsorted(ascending, [first, end])
            # a group at a time, and each row once: a table in a file allows nothing else
            for a, b in chunk_bounds(high - low, rows_each):
                own, back = np.unique(ascending[low + a : low + b] - first, return_inverse=True)
                out[order[low + a : low + b]] = np.asarray(block[own])[back]
            first = end
        if first != self.n:
            raise changed(f"{first:,} rows where there were {self.n:,}")
        return out

    def sample(self, n_clusters: int, rng: np.random.RandomState) -> MemoryRows:
        size, weights = sample_size(self.d, n_clusters), self.sample_weight
        if weights is None or self.n <= size:
            chosen = stratified(self.n, size, rng)
        else:
            # rows without weight are no rows to start from, unless there are no others
            chosen = np.flatnonzero(weights)
            chosen = chosen[stratified(len(chosen), size, rng)]
            if len(chosen) < n_clusters:
                others = np.flatnonzero(weights == 0)
                more = others[stratified(len(others), n_clusters - len(chosen), rng)]
                chosen = np.sort(np.concatenate([chosen, more]))
        return MemoryRows(
            self._gather(chosen),
            sample_weight=None if weights is None else weights[chosen],
            workers=self.workers,
            # those of all rows, not of the sample
            coordinates=self.coordinates,
        )


def check_and_survey(raw: Any, weights: np.ndarray | None, unit: bool) -> Survey:
    """Check some rows as `check_data` does, and look at them once."""
    return survey(check_data(raw) if len(raw) else raw, weights, unit)


def settle_size(rows: Rows, survey: Survey) -> None:
    """Set n and d from the first look, and refuse data without rows or without weight."""
    rows.n, rows.d = sum(survey.sizes), len(survey.sums)
    if rows.n == 0:
        raise invalid(
            "X",
            "an array with at least 1 row",
            f"shape (0, {rows.d}) (0 sample(s))",
            "Pass more data.",
        )
    if survey.total <= 0:
        raise invalid(
            "sample_weight",
            "positive for at least one row",
            "weights that are all zero",
            "Give at least one row a positive weight.",
        )


def _weights_of(got: str) -> Exception:
    return invalid(
        "sample_weight",
        "None, one number, or one weight for each row",
        got,
        "Pass one weight for each row of X.",
    )

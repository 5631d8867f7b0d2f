"""Out-of-core rows, which are read block by block in each sweep.

Blocks of any size are cut into the chunks of the same data in memory, and sums are added in the
order of the chunks. So from the same start exact k-means gives the same bits as in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from typing import Any

import numpy as np

from annlab._support.checks import check_data, check_sample_weight
from annlab._support.errors import invalid
from annlab._support.threads import Workers
from annlab.rows.base import Rows, short_bounds
from annlab.rows.coordinates import Chunk
from annlab.rows.memory import MemoryRows
from annlab.rows.reading import changed, cut, open_blocks
from annlab.rows.sample import sample_size, stratified
from annlab.rows.survey import Survey, survey, widths
from annlab.rows.tally import Task


class BlockRows(Rows):
    """Rows that are read block by block on this machine.

    Parameters
    ----------
    X : object
        As in `open_blocks`.
    metric : {"euclidean", "cosine"}
    sample_weight : array-like of shape (n,), optional
    workers : Workers

    Notes
    -----
    Holds labels, weights, the sample, and a group of chunks of at most 2¹⁹ values. X is read once
    for the survey, once for the sample (only its rows, of a file or an array), and once a sweep.
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
        """Check and survey all rows."""
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
        """Yield chunks in order; the number of rows may still be unknown."""
        blocks = self._blocks.open()
        if self._blocks.n is None or self._blocks.d is None:
            for block in blocks:
                for a, b in short_bounds(*block.shape) or [(0, 0)]:
                    yield np.asanyarray(block[a:b])
            return
        self.n, self.d = self._blocks.n, self._blocks.d
        # the chunks of every sweep: the mean has the bits of data in memory
        yield from cut(blocks, self.bounds() or [(0, 0)])

    def chunks(self, task: Task | None = None) -> Iterator[tuple[int, int, Chunk]]:
        bounds = self.bounds()
        for (a, b), rows in zip(bounds, cut(self._blocks.open(), bounds), strict=True):
            if self._blocks.n is None:
                # a function may give other values at each call
                rows = check_data(rows)
            if rows.shape[1] != self.d:
                raise widths([self.d, rows.shape[1]])
            yield a, b, self.coordinates.chunk(np.asarray(rows))

    def take(self, indices: np.ndarray) -> np.ndarray:
        return np.asarray(self.coordinates.load(self._gather(indices)))

    def _gather(self, indices: np.ndarray) -> np.ndarray:
        """Read some rows in one pass over the blocks."""
        order = np.argsort(indices, kind="stable")
        ascending = np.asarray(indices)[order]
        out = np.empty((len(ascending), self.d), dtype=self.coordinates.out_dtype)
        first = 0
        for block in self._blocks.open():
            end = first + block.shape[0]
            low, high = np.searchsorted(ascending, [first, end])
            # a group at a time, ascending and each row once, as HDF5 demands
            for a, b in short_bounds(high - low, self.d):
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
            # a start takes rows without weight only if it needs them
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


def check_and_survey(raw: np.ndarray, weights: np.ndarray | None, unit: bool) -> Survey:
    """Check some rows as `check_data` does, and survey them."""
    return survey(check_data(raw) if len(raw) else raw, weights, unit)


def settle_size(rows: Rows, survey: Survey) -> None:
    """Set n and d from a survey; refuse data without rows or without weight."""
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

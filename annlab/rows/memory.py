"""Rows in memory, or in a mapped file."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from functools import reduce
from typing import Any

import numpy as np

from annlab._support.checks import is_sparse, working_dtype
from annlab._support.threads import Workers, chunk_bounds
from annlab._support.types import Matrix
from annlab.rows.base import Rows, short_bounds
from annlab.rows.coordinates import Chunk, Coordinates, zero_rows
from annlab.rows.survey import Survey, survey
from annlab.rows.tally import Task


class MemoryRows(Rows):
    """Rows that can be looked up at random.

    Parameters
    ----------
    X : ndarray or CSR of shape (n, d)
        Checked by the caller.
    metric : {"euclidean", "cosine"}, default="euclidean"
    sample_weight : ndarray of shape (n,), float64, optional
    workers : Workers
    coordinates : Coordinates, optional
        Instead of those that a survey of the data chooses.
    once : bool, default=False
        The rows are read once.

    Notes
    -----
    Rows that are shifted or scaled are copied once (`settle`) instead of in every iteration;
    memory-mapped rows never are, nor rows that are read once.
    """

    def __init__(
        self,
        X: Matrix,
        *,
        metric: str = "euclidean",
        sample_weight: np.ndarray | None = None,
        workers: Workers,
        coordinates: Coordinates | None = None,
        once: bool = False,
    ) -> None:
        self.X: Any = X
        self.n, self.d = X.shape
        self.sample_weight = sample_weight
        self.heaviest = 1.0 if sample_weight is None else float(sample_weight.max()) or 1.0
        self.workers = workers
        self.sparse = is_sparse(X)
        self.streams = isinstance(X, np.memmap)
        self.zero: np.ndarray | None = None
        self._ready: Any = None
        self._survey: Survey | None = None
        unit = metric == "cosine" if coordinates is None else coordinates.unit
        if unit:
            parts = [(X[a:b],) for a, b in self.bounds()]
            zero = np.concatenate(workers.map(zero_rows, parts))
            self.n_zero = int(np.count_nonzero(zero))
            self.zero = zero if self.n_zero else None
        if coordinates is not None:
            self.coordinates = coordinates
        elif unit:
            dtype = working_dtype(X.dtype)
            self.coordinates = Coordinates(True, dtype, dtype)
        else:
            self.coordinates = self._look(unit=False).coordinates(
                unit=False, may_shift=not self.sparse
            )
        changes = unit or self.coordinates.shift is not None
        self._may_settle = changes and not (self.streams or once)

    def survey(self) -> Survey:
        if self._survey is None:
            self._survey = self._look(unit=self.coordinates.unit)
        return self._survey

    def _look(self, *, unit: bool) -> Survey:
        # sums of sparse rows are as wide as those of dense ones: few chunks
        bounds = short_bounds(self.n, int(self.width)) if self.sparse else self.bounds()
        tasks = [(self.X[a:b], self.weights(a, b), unit) for a, b in bounds]
        parts = self.workers.map(survey, tasks, work=8.0 * self.n * self.d)
        self._survey = reduce(Survey.__add__, parts)
        return self._survey

    @property
    def width(self) -> float:
        return float(self.X.nnz / self.n) if self.sparse else self.d

    def settle(self) -> None:
        """Keep a copy of all rows in working coordinates if they differ from X."""
        if not self._may_settle:
            return
        self._may_settle = False
        if self.sparse:
            self._ready = self.coordinates.load(self.X)
            return
        ready = np.empty((self.n, self.d), dtype=self.dtype)
        bounds = self.bounds()
        # a few chunks at a time bound the temporaries
        step = 4 * self.workers.n_jobs
        for first in range(0, len(bounds), step):
            some = bounds[first : first + step]
            loaded = self.workers.map(self.coordinates.load, [(self.X[a:b],) for a, b in some])
            for (a, b), rows in zip(some, loaded, strict=True):
                ready[a:b] = rows
        self._ready = ready

    def chunk(self, start: int, stop: int) -> Chunk:
        """Return the rows ``start`` to ``stop`` as a chunk."""
        ready = None if self._ready is None else self._ready[start:stop]
        zero = None if self.zero is None else self.zero[start:stop]
        return Chunk(self.X[start:stop], self.coordinates, zero, ready)

    def pieces(self) -> list[Chunk]:
        """Return the chunks in order, for several passes."""
        self.settle()
        return [self.chunk(start, stop) for start, stop in self.bounds()]

    def chunks(self, task: Task | None = None) -> Iterator[tuple[int, int, Chunk]]:
        rows = self.chunk_rows()
        if task is not None:
            rows = task.chunk_rows(self.n, self.d, rows)
            if not (task.shifts and self.lies_well):
                self.settle()
        for start, stop in chunk_bounds(self.n, rows):
            yield start, stop, self.chunk(start, stop)

    @property
    def lies_well(self) -> bool:
        """Whether X needs a shift at most."""
        plain = not self.coordinates.unit and not self.sparse and self.X.dtype == self.dtype
        return bool(plain and self.X.flags.c_contiguous)

    def load(self, start: int, stop: int) -> Matrix:
        """Return the rows ``start`` to ``stop`` in working coordinates."""
        return self.chunk(start, stop).load()

    def take(self, indices: np.ndarray) -> np.ndarray:
        is_ready = self._ready is not None
        rows: Any = self._ready[indices] if is_ready else self.coordinates.load(self.X[indices])
        return rows.toarray() if self.sparse else rows

    def sample(self, n_clusters: int, rng: np.random.RandomState) -> MemoryRows:
        return self

    def around(self, centroids: np.ndarray) -> MemoryRows:
        return self.within(self.coordinates.around(centroids, may_shift=not self.sparse))

    def within(self, coordinates: Coordinates) -> MemoryRows:
        twin = copy(self)
        twin.coordinates = coordinates
        # for one pass a copy would cost more than it saves
        twin._ready, twin._may_settle = None, False
        return twin

    def part(self, indices: np.ndarray) -> MemoryRows:
        """Copy some of the rows, dense and in working coordinates."""
        weights = self.sample_weight
        return MemoryRows(
            np.ascontiguousarray(self.take(indices)),
            sample_weight=None if weights is None else weights[indices],
            workers=self.workers,
            coordinates=Coordinates.plain(self.dtype),
        )

    def reweighted(self, sample_weight: np.ndarray) -> MemoryRows:
        """Return the same rows with other weights."""
        twin = copy(self)
        twin.sample_weight = sample_weight
        twin._survey = None
        return twin

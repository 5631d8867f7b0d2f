"""`Rows`: the engine's interface to any kind of data."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from copy import copy
from typing import Any

import numpy as np

from annlab._support.checks import is_sparse
from annlab._support.threads import Workers, chunk_bounds
from annlab._support.types import Matrix
from annlab.distances import unit_rows
from annlab.result import owned
from annlab.rows.coordinates import Chunk, Coordinates
from annlab.rows.survey import Survey
from annlab.rows.tally import Tally, Task, Worst, join_worst, worst_in

#: Values of the sums of chunks that are held at once: 128 MB.
_SUMS_AT_ONCE = 1 << 24


class Rows(ABC):
    """The data of a fit, its weights, and its working coordinates.

    Attributes
    ----------
    n, d : int
    coordinates : Coordinates
    sample_weight : ndarray of shape (n,), float64, or None
    heaviest : float
        Largest weight; 1 without weights.
    n_zero : int
        Rows without a direction (cosine only).
    sparse, streams : bool
        Whether they are a sparse matrix; whether they are read in blocks.
    together : bool
        Whether an algorithm may make a copy of its own.
    keeps_labels : bool
        Whether the labels of one sweep are available to the next.
    on_chunks : callable or None
        Called as ``on_chunks(done, total)`` during a sweep.
    """

    n: int
    d: int
    coordinates: Coordinates
    workers: Workers
    sample_weight: np.ndarray | None = None
    heaviest: float = 1.0
    n_zero: int = 0
    sparse = False
    streams = False
    together = True
    keeps_labels = True
    on_chunks: Callable[[int, int], None] | None = None

    # -- what each kind defines

    @abstractmethod
    def survey(self) -> Survey:
        """Return a summary of all rows."""

    @abstractmethod
    def chunks(self, task: Task | None = None) -> Iterator[tuple[int, int, Chunk]]:
        """Yield all rows in order, as ``(start, stop, chunk)``."""

    @abstractmethod
    def take(self, indices: np.ndarray) -> np.ndarray:
        """Return some rows in working coordinates, dense, shape (len(indices), d)."""

    @abstractmethod
    def sample(self, n_clusters: int, rng: np.random.RandomState) -> Any:
        """Return `MemoryRows` to draw a start from: all rows, if they are in memory."""

    # -- the sweep

    def sweep(self, task: Task, old: Any = None) -> tuple[Any, Tally]:
        """Run a task on all chunks; return the labels (n,), int32, and the tally.

        ``old`` are the labels before. The labels of a Dask collection stay on its workers: they
        are a list of delayed parts.
        """
        labels = np.empty(self.n, dtype=np.int32)
        whole: Tally | None = None
        work = task.work(self.n, self.d)
        for group in self._grouped(self.chunks(task), task.k * self.d):
            todo = [
                (chunk, self.weights(a, b), None if old is None else old[a:b])
                for a, b, chunk in group
            ]
            if task.has_threads:
                found = [task(*one) for one in todo]
            else:
                found = self.workers.map(task, todo, work=work)
            for (a, b, _), (part, tally) in zip(group, found, strict=True):
                labels[a:b] = part
                whole = tally.dense() if whole is None else whole.__iadd__(tally)
            if self.on_chunks is not None:
                self.on_chunks(group[-1][1], self.n)
        assert whole is not None, "there is at least one row"
        return labels, whole

    def worst(
        self, centroids: np.ndarray, labels: Any, size: int, seeds: np.ndarray | None = None
    ) -> Worst:
        """Find the ``size`` best points to re-seed empty clusters from."""
        best: list[Worst] = []
        for group in self._grouped(self.chunks(), size * self.d):
            todo = [
                (
                    chunk, self.weights(a, b), labels[a:b], centroids, a, size,
                    None if seeds is None else seeds[a:b],
                )
                for a, b, chunk in group
            ]  # fmt: skip
            best = [join_worst([*best, *self.workers.map(worst_in, todo)], size)]
        return best[0]

    def _grouped(self, items: Iterator[Any], width: int) -> Iterator[list[Any]]:
        """Group items that are processed together; wide answers make small groups."""
        size = max(self.workers.n_jobs, _SUMS_AT_ONCE // max(width, 1))
        if self.streams:
            size = max(1, min(4 * self.workers.n_jobs, 16, size))
        group: list[Any] = []
        for item in items:
            group.append(item)
            if len(group) == size:
                yield group
                group = []
        if group:
            yield group

    # -- labels

    def moved(self, tally: Tally, labels: Any, before: Any) -> int:
        """Count the labels that changed; all of them the first time."""
        return self.n if before is None else int(np.count_nonzero(labels != before))

    def relabelled(self, labels: Any, changes: dict[int, int]) -> Any:
        """Return a copy of labels with some points in other clusters."""
        if not changes:
            return labels
        labels = labels.copy()
        labels[list(changes)] = list(changes.values())
        return labels

    def shown(self, labels: Any) -> np.ndarray | None:
        """Return labels for a callback or a trace; None if they are not in memory."""
        return owned(labels)

    def labels_of(self, labels: Any, centroids: np.ndarray) -> Any:
        """Return labels for a result, of centroids in the caller's coordinates."""
        return owned(labels)

    # -- chunks, weights and coordinates

    def chunk_rows(self) -> int:
        """Rows of a chunk; depends on n and d alone."""
        # a chunk of sparse rows holds enough values to be worth a task
        least = (1 << 17) // max(int(self.width), 1) if self.sparse else 256
        return min(max(least, -(-self.n // 16)), _short(int(self.width)))

    def bounds(self) -> list[tuple[int, int]]:
        """Bounds of the chunks."""
        return chunk_bounds(self.n, self.chunk_rows())

    @property
    def density(self) -> float:
        """Share of stored values."""
        return self.width / self.d

    @property
    def width(self) -> float:
        """Stored values of a row."""
        return self.d

    def weights(self, start: int, stop: int) -> np.ndarray | None:
        """Return weights of some rows, or None if all weigh 1."""
        return None if self.sample_weight is None else self.sample_weight[start:stop]

    @property
    def metric(self) -> str:
        return "cosine" if self.coordinates.unit else "euclidean"

    @property
    def dtype(self) -> np.dtype:
        """Type of the working coordinates."""
        return self.coordinates.dtype

    @property
    def variance(self) -> float:
        """Mean over the features of the (weighted) variance."""
        return self.survey().variance

    def inward(self, centroids: np.ndarray) -> np.ndarray:
        """Bring centroids of the caller's coordinates into working coordinates."""
        return self.coordinates.inward(centroids)

    def outward(self, centroids: np.ndarray) -> np.ndarray:
        """Bring centroids back into the caller's coordinates and type (a copy)."""
        return self.coordinates.outward(centroids)

    def around(self, centroids: np.ndarray) -> Rows:
        """Return the same rows in the coordinates of the caller's centroids (k, d)."""
        return self.within(self.coordinates.around(centroids, may_shift=not self.sparse))

    def within(self, coordinates: Coordinates) -> Rows:
        """Return the same rows in other coordinates."""
        twin = copy(self)
        twin.coordinates = coordinates
        return twin

    def target(self, centroids: np.ndarray) -> np.ndarray:
        """Return the caller's centroids in float64, of length 1 for cosine."""
        wide = centroids.astype(np.float64)
        return unit_rows(wide)[0] if self.coordinates.unit else wide

    def digest(self) -> str:
        """Return a digest of the values, the same for equal rows of any kind."""
        whole = hashlib.blake2b(f"{self.n} {self.d} {self.coordinates.out_dtype}".encode())
        for group in self._grouped(self.chunks(), 1):
            raw = [(chunk.raw, self.coordinates.out_dtype) for _, _, chunk in group]
            for part in self.workers.map(hash_rows, raw):
                whole.update(part)
        return whole.hexdigest()[:32]


def _short(d: int) -> int:
    """Return the maximum number of rows of d values in a chunk."""
    return min(max(256, (1 << 19) // max(d, 1)), 1 << 16)


def short_bounds(n: int, d: int) -> list[tuple[int, int]]:
    """Return bounds of chunks of bounded size, which depend on n and d alone."""
    return chunk_bounds(n, _short(d))


def hash_rows(rows: Matrix, dtype: np.dtype | None = None) -> bytes:
    """Return a digest of the values of some rows."""
    digest = hashlib.blake2b(digest_size=16)
    if is_sparse(rows):
        for part in (rows.indptr.astype(np.int64), rows.indices.astype(np.int64), rows.data):
            digest.update(part.tobytes())
    else:
        digest.update(np.asarray(rows, dtype=dtype).tobytes())
    return digest.digest()

"""Tasks that label chunks of rows, and tallies that add up the answers.

A `Task` is sent to the rows. For each chunk it returns labels and a `Tally`; tallies are added in
the order of the chunks, so a result is the same for every number of threads.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from annlab._support.checks import is_sparse
from annlab._support.types import Matrix
from annlab.distances import paired_sq, unit_rows
from annlab.rows.coordinates import Chunk

#: Values of the sums of all chunks of one pass: each chunk has its own.
MOST_SUMS = 1 << 22


@dataclass
class Tally:
    """Sums over labelled rows.

    Attributes
    ----------
    sums, totals : ndarrays of shape (k, d) and (k,), float64
        Weighted sum and weight of the rows of each cluster.
    counts : ndarray of shape (k,), int64
        Rows of each cluster.
    inertia : float
        Σ w d².
    unweighted : float
        Σ d².
    exact_inertia : float
        Σ w d² in the caller's coordinates, in float64; of a last assignment.
    n_distances : int or None
        None if an index does not count them.
    n_moved : int
        Labels that changed; only if the labels stay elsewhere.
    """

    sums: Matrix
    totals: np.ndarray
    counts: np.ndarray
    inertia: float = 0.0
    unweighted: float = 0.0
    exact_inertia: float = 0.0
    n_distances: int | None = 0
    n_moved: int = 0

    @classmethod
    def empty(cls, k: int, d: int) -> Tally:
        return cls(np.zeros((k, d)), np.zeros(k), np.zeros(k, dtype=np.int64))

    def dense(self) -> Tally:
        """Return the tally with dense sums."""
        return replace(self, sums=self.sums.toarray()) if is_sparse(self.sums) else self

    def __iadd__(self, other: Tally) -> Tally:
        if is_sparse(other.sums):
            entries = other.sums.tocoo()
            self.sums[entries.row, entries.col] += entries.data
        else:
            self.sums += other.sums
        self.totals += other.totals
        self.counts += other.counts
        self.inertia += other.inertia
        self.unweighted += other.unweighted
        self.exact_inertia += other.exact_inertia
        self.n_moved += other.n_moved
        if self.n_distances is not None and other.n_distances is not None:
            self.n_distances += other.n_distances
        else:
            self.n_distances = None
        return self

    @property
    def n_used(self) -> int:
        """Clusters with at least one row."""
        return int(np.count_nonzero(self.counts))


@dataclass(frozen=True, eq=False, kw_only=True)
class Task(ABC):
    """Label a chunk of rows and add it up by cluster. It can be pickled.

    Attributes
    ----------
    centroids : ndarray of shape (k, d)
        In working coordinates.
    target : ndarray of shape (k, d), float64, or None
        The centroids in the caller's coordinates (unit rows for cosine), of a last assignment.
    """

    #: Whether it uses threads of its own, and so takes one chunk at a time.
    has_threads: ClassVar[bool] = False
    #: Whether it subtracts the shift itself.
    shifts: ClassVar[bool] = False

    centroids: np.ndarray
    target: np.ndarray | None = None

    def __setstate__(self, state: dict[str, Any]) -> None:
        # arrays from another process may be unaligned, which the compiled loops do not take
        for name, value in state.items():
            if isinstance(value, np.ndarray):
                value = np.require(value, requirements="A")
            object.__setattr__(self, name, value)

    @property
    def k(self) -> int:
        return len(self.centroids)

    @abstractmethod
    def find(
        self, rows: Matrix, old: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray, int | None]:
        """Label rows in working coordinates; ``old`` are the labels before.

        Returns
        -------
        labels : ndarray of shape (m,), int32
        distances_sq : ndarray of shape (m,), float64
        n_distances : int or None
        """

    def chunk_rows(self, n: int, d: int, usual: int) -> int:
        """Return the rows per chunk of rows in memory."""
        return usual

    def work(self, n: int, d: int) -> float:
        """Return the operations for n rows; threads are used if there are many."""
        return float(n) * d * (self.k + 8)

    def __call__(
        self, chunk: Chunk, weights: np.ndarray | None, old: np.ndarray | None
    ) -> tuple[np.ndarray, Tally]:
        rows = chunk.load()
        labels, distances_sq, n_distances = self.find(rows, old)
        if chunk.zero is not None:
            labels[chunk.zero], distances_sq[chunk.zero] = 0, 1.0
        sums = chunk_sums(rows, labels, weights, self.k)
        return labels, self.tally(chunk, labels, weights, distances_sq, sums, n_distances)

    def tally(
        self,
        chunk: Chunk,
        labels: np.ndarray,
        weights: np.ndarray | None,
        distances_sq: np.ndarray,
        sums: Matrix,
        n_distances: int | None,
    ) -> Tally:
        """Add up a labelled chunk."""
        counts = np.bincount(labels, minlength=self.k)
        unweighted = float(distances_sq.sum(dtype=np.float64))
        if weights is None:
            totals, inertia = counts.astype(np.float64), unweighted
        else:
            totals = np.bincount(labels, weights=weights, minlength=self.k).astype(np.float64)
            inertia = float(weights @ distances_sq)
        exact = self.exact_inertia(chunk, labels, weights)
        return Tally(sums, totals, counts, inertia, unweighted, exact, n_distances)

    def exact_inertia(self, chunk: Chunk, labels: np.ndarray, weights: np.ndarray | None) -> float:
        """Compute Σ w ‖x − c‖² to ``target``; 0 without one."""
        if self.target is None:
            return 0.0
        return inertia_of_rows(chunk.raw, self.target, labels, weights, unit=chunk.coordinates.unit)


@dataclass(frozen=True, eq=False, kw_only=True)
class Labelled(Task):
    """A task whose labels are known and only need adding up."""

    def find(
        self, rows: Matrix, old: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray, int | None]:
        assert old is not None, "there are labels to keep"
        return old.copy(), paired_sq(rows, self.centroids, old), 0

    def work(self, n: int, d: int) -> float:
        return 16.0 * n * d


def pass_rows(n: int, k: int, d: int, products: int) -> int:
    """Return the rows per chunk of a pass that compares and adds up."""
    # one chunk for little work, 16 for more, and more if needed to react quickly to Ctrl-C;
    # they depend on the data alone
    most = max(16, products >> 32)
    pieces = min(most, max(1, products >> 21), max(1, n // 768), max(4, MOST_SUMS // (k * d)))
    # with 4 threads, a fifth chunk would run alone
    pieces -= pieces % 4 if pieces > 4 else 0
    return -(-n // pieces)


def chunk_sums(
    rows: Matrix, labels: np.ndarray, weights: np.ndarray | None, n_clusters: int
) -> Matrix:
    """Sum the weighted rows of each cluster, (k, d) float64, perhaps sparse.

    Examples
    --------
    >>> import numpy as np
    >>> from annlab.rows.tally import chunk_sums
    >>> chunk_sums(np.array([[1.0], [2.0], [4.0]]), np.array([0, 1, 1]), None, 2)
    array([[1.],
           [6.]])
    """
    from scipy.sparse import csr_matrix

    n = rows.shape[0]
    values = np.ones(n) if weights is None else weights
    members = csr_matrix((values, labels, np.arange(n + 1)), shape=(n, n_clusters)).T
    return members @ rows.astype(np.float64)


def inertia_of_rows(
    rows: Matrix,
    centroids: np.ndarray,
    labels: np.ndarray,
    weights: np.ndarray | None,
    unit: bool = False,
) -> float:
    """Compute Σ w ‖x − c‖² in float64, without rows of label −1: 3·m·d operations.

    ``unit`` scales the rows to length 1 first.
    """
    kept = labels >= 0
    if not kept.all():
        rows, labels = rows[kept], labels[kept]
        weights = None if weights is None else weights[kept]
    rows = np.asarray(rows) if not is_sparse(rows) else rows
    rows = rows.astype(np.float64)
    if unit:
        rows = unit_rows(rows)[0]
    distances = paired_sq(rows, centroids, labels)
    return float(distances.sum() if weights is None else weights @ distances)


# -- points to re-seed empty clusters from ---------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Worst:
    """The points farthest from their centroids, worst first; ties by index.

    Attributes
    ----------
    indices : ndarray of shape (m,), int64
    rows : ndarray of shape (m, d), float64
        In working coordinates.
    badness : ndarray of shape (m,), float64
        Squared distance to the centroid; 0 for a point that no cluster may be re-seeded from.
    labels : ndarray of shape (m,), int32
    weights : ndarray of shape (m,), float64
    """

    indices: np.ndarray
    rows: np.ndarray
    badness: np.ndarray
    labels: np.ndarray
    weights: np.ndarray


def worst_places(badness: np.ndarray, size: int) -> np.ndarray:
    """Find the ``size`` largest values, largest first; ties in order of place.

    The worst of parts are the worst of the whole, also among equal values.
    """
    size = min(len(badness), size)
    if size == 0:
        return np.empty(0, dtype=np.int64)
    limit = np.partition(badness, len(badness) - size)[len(badness) - size]
    above = np.flatnonzero(badness > limit)
    level = np.flatnonzero(badness == limit)[: size - len(above)]
    places = np.concatenate([above, level])
    return places[np.lexsort((places, -badness[places]))]


def worst_in(
    chunk: Chunk,
    weights: np.ndarray | None,
    labels: np.ndarray,
    centroids: np.ndarray,
    first: int,
    size: int,
    seeds: np.ndarray | None = None,
) -> Worst:
    """Find the worst points of a chunk; ``seeds`` replace the weights."""
    rows = chunk.load()
    badness = paired_sq(rows, centroids, labels)
    allowed = weights if seeds is None else seeds
    if allowed is not None:
        # the gain of re-seeding is the weight times the squared distance
        badness *= allowed
    if chunk.zero is not None:
        # a row without a direction cannot give one to a centroid
        badness[chunk.zero] = 0.0
    places = worst_places(badness, size)
    chosen = rows[places]
    return Worst(
        places + first,
        (chosen.toarray() if is_sparse(chosen) else chosen).astype(np.float64),
        badness[places],
        labels[places],
        np.ones(len(places)) if weights is None else weights[places],
    )


def join_worst(parts: Sequence[Worst], size: int) -> Worst:
    """Find the worst of several parts."""
    indices = np.concatenate([part.indices for part in parts])
    badness = np.concatenate([part.badness for part in parts])
    order = np.lexsort((indices, -badness))[:size]
    return Worst(
        indices[order],
        np.concatenate([part.rows for part in parts])[order],
        badness[order],
        np.concatenate([part.labels for part in parts])[order],
        np.concatenate([part.weights for part in parts])[order],
    )

"""Points to centroids: all points, in fixed chunks, through an exact search or an index.

An `Assigner` has ``assign(centroids, previous) -> Assignment``; the loop knows nothing else. It
works in the coordinates of its `Points`. What else a fit asks of it, the base class answers.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from annlab._support.checks import is_sparse
from annlab._support.errors import invalid
from annlab._support.progress import Progress
from annlab._support.threads import breathe, chunk_bounds
from annlab.distances import Frame, frame_of, nearest, paired_sq, unit_means, unit_rows
from annlab.rows.memory import Piece, Points

#: Rows that an index is asked for at once: bounds memory, and is the same for every n_jobs.
_INDEX_ROWS = 1 << 16
#: Sums of clusters are kept per chunk up to this many values, else gathered cluster by cluster.
_SMALL_SUMS = 1 << 14


@dataclass(frozen=True, eq=False)
class Worst:
    """The points that their centroids serve worst, worst first; ties in order of index.

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


@dataclass(frozen=True, eq=False)
class Assignment:
    """Labels of all points for given centroids, and what the update needs.

    Where the points are never together in one place (`annlab.rows.blocks`, `annlab.rows.dask`), the
    arrays of n values are replaced by the answers that the loop would take from them.

    Attributes
    ----------
    labels : ndarray of shape (n,), int32
        Or what stands for it where the labels lie elsewhere, too.
    distances_sq : ndarray of shape (n,), float64, or None
        Squared distance to the centroid of the label, recomputed by differences. None only where
        ``sums``, ``totals`` and ``worst`` are given.
    weights : ndarray of shape (n,), float64, or None
        Weights with which the points move the centroids: 0 for an outlier.
    inertia : float
        Σ weights · distances_sq.
    n_distances : int or None
    kind : str
        Becomes `Step.kind`.
    outliers : ndarray of shape (n,), bool, or None
        Points that belong to no cluster; their labels still name the nearest centroid.
    seed_weights : ndarray of shape (n,), float64, or None
        Points that an empty cluster may be re-seeded from (0: not from this one), where that
        differs from ``weights``.
    members : ndarray of shape (n,), int32, or None
        Labels that the update goes by, where the assigner has moved clusters elsewhere.
    sums, totals : ndarrays of shape (k, d) and (k,), float64, or None
        Sum and weight of each cluster of ``members``, where the assigner knows them already; the
        update may write to them.
    finished : bool
        The assigner's own reason to stop: what an iteration gains is no longer worth it.
    n_moved : int or None
        Points whose label is another one than in the last assignment, where they are counted.
    worst : function or None
        ``worst(m)`` gives the m points that are served worst, as `worst_served` does.
    n_used : int or None
        Clusters with at least one point, where they are counted.
    exact_inertia : float or None
        ``inertia`` in the caller's coordinates, summed in float64, where it is known.
    """

    labels: Any
    distances_sq: Any
    weights: np.ndarray | None
    inertia: float
    n_distances: int | None
    kind: str = "lloyd"
    outliers: np.ndarray | None = None
    seed_weights: np.ndarray | None = None
    members: np.ndarray | None = None
    sums: np.ndarray | None = None
    totals: np.ndarray | None = None
    finished: bool = False
    n_moved: int | None = None
    worst: Callable[[int], Worst] | None = None
    n_used: int | None = None
    exact_inertia: float | None = None


def worst_places(badness: np.ndarray, size: int) -> np.ndarray:
    """Places of the ``size`` largest values, largest first; ties in order of place.

    Which of several equal values are among them does not depend on how they are stored: the
    worst of parts are the worst of the whole.
    """
    size = min(len(badness), size)
    if size == 0:
        return np.empty(0, dtype=np.int64)
    limit = np.partition(badness, len(badness) - size)[len(badness) - size]
    above = np.flatnonzero(badness > limit)
    level = np.flatnonzero(badness == limit)[: size - len(above)]
    places = np.concatenate([above, level])
    return places[np.lexsort((places, -badness[places]))]


def worst_served(points: Points, assignment: Assignment, size: int) -> Worst:
    """The ``size`` points that an empty cluster would best be re-seeded from."""
    if assignment.worst is not None:
        return assignment.worst(size)
    weights, seeds = assignment.weights, assignment.seed_weights
    labels = assignment.labels if assignment.members is None else assignment.members
    badness = assignment.distances_sq.copy()
    if seeds is None:
        seeds = weights
    if seeds is not None:
        badness[seeds == 0] = 0.0
    if points.zero_rows is not None:
        # a row without a direction cannot give one to a centroid
        badness[points.zero_rows] = 0.0
    places = worst_places(badness, size)
    return Worst(
        indices=places,
        rows=points.rows(places).astype(np.float64),
        badness=badness[places],
        labels=labels[places],
        weights=np.ones(len(places)) if weights is None else weights[places],
    )


class Assigner(ABC):
    """Data in working coordinates, and a way to label it.

    Attributes
    ----------
    name : str
        Becomes `KMeansResult.algorithm`.
    exact : bool
        Whether every label names the nearest centroid.
    points : Points
    exact_below : int
        Up to this many clusters a comparison with all centroids costs little beside the fit, so
        that ``final_assignment="auto"`` makes the returned labels exact.
    """

    name: str
    exact: bool
    points: Points
    exact_below: int = 0
    #: Whether its loops are compiled ones; None where it has none that could be.
    compiled: bool | None = None
    #: What its own start did, as a clause for `KMeansResult.reason`; "" where there was none.
    begun: str = ""
    #: Outliers of the last assignment, shape (n,), bool; None where there is no such thing.
    outliers: np.ndarray | None = None

    @abstractmethod
    def assign(self, centroids: np.ndarray, previous: np.ndarray | None) -> Assignment:
        """Label all points for ``centroids`` (working coordinates); never write to either."""

    def start(self, n_clusters: int, rng: np.random.RandomState) -> np.ndarray | None:
        """Centroids (k, d) to begin with, or None: it has no start of its own."""
        return None

    def state(self) -> dict[str, Any]:
        """What `assign` remembers from call to call: arrays, numbers, text and RandomStates."""
        return {}

    def restore(self, state: dict[str, Any], labels: np.ndarray | None, n_clusters: int) -> None:
        """Remember what an assigner made with the same parameters remembered.

        Parameters
        ----------
        state : dict
            Of `state`; an empty one forgets every call so far. Not to be trusted: it may come
            from a file.
        labels : ndarray of shape (n,), int32, or None
            Of the last assignment before that state was taken.
        n_clusters : int

        Raises
        ------
        KeyError, TypeError, ValueError
            For a state that is none of this assigner's.
        """
        if state:
            raise ValueError("a state where there is nothing to remember")

    def again(self, points: Points) -> Assigner:
        """An exact assigner for the same rows in other coordinates."""
        return ExactAssigner(points)

    def final(self, centroids: np.ndarray, previous: np.ndarray | None) -> Assignment:
        """Label all points a last time, where the labels need not be exact."""
        return self.assign(centroids, previous)

    def relabelled(self, labels: Any, changes: dict[int, int]) -> Any:
        """Labels with some points in other clusters, for the next `assign`; the old ones stay."""
        labels = labels.copy()
        labels[list(changes)] = list(changes.values())
        return labels

    def watch(self, line: Progress) -> None:  # noqa: B027
        """Show on ``line`` how far an assignment is, where it takes long enough to tell."""


class ExactAssigner(Assigner):
    """Every point against every centroid, in blocks through BLAS: 2·n·k·d operations.

    Parameters
    ----------
    points : Points
    """

    name = "brute"
    exact = True

    def __init__(self, points: Points) -> None:
        self.points = points

    def assign(self, centroids: np.ndarray, previous: np.ndarray | None) -> Assignment:
        parts = self._chunks(_nearest_chunk, centroids)
        labels = np.concatenate([labels for labels, _ in parts])
        distances_sq = np.concatenate([distances for _, distances in parts])
        return finish(self.points, labels, distances_sq, self.points.n * len(centroids))

    def label(self, centroids: np.ndarray) -> np.ndarray:
        """The labels of `assign` alone.

        Returns
        -------
        ndarray of shape (n,), int32
        """
        labels = np.concatenate(self._chunks(_label_chunk, centroids))
        if self.points.zero_rows is not None:
            labels[self.points.zero_rows] = 0
        return labels

    def _chunks(self, function: Any, centroids: np.ndarray) -> list[Any]:
        if self.points.sparse:
            # SciPy multiplies by the transpose: in this order it needs no copy for each chunk
            centroids = np.asfortranarray(centroids)
        frame = frame_of(centroids, may_shift=not self.points.sparse)
        return self.points.workers.map(
            function,
            [(piece, centroids, frame) for piece in self.points.pieces()],
            work=self.points.n * self.points.d * (len(centroids) + 8),
        )


def _nearest_chunk(
    piece: Piece, centroids: np.ndarray, frame: Frame
) -> tuple[np.ndarray, np.ndarray]:
    rows = piece.load()
    labels = label_block(rows, centroids, frame)
    return labels, paired_sq(rows, centroids, labels)


def _label_chunk(piece: Piece, centroids: np.ndarray, frame: Frame) -> np.ndarray:
    return label_block(piece.load(), centroids, frame)


def label_block(rows: Any, centroids: np.ndarray, frame: Frame) -> np.ndarray:
    """Nearest of all centroids for some rows, shape (len(rows),), int32."""
    labels = np.empty(rows.shape[0], dtype=np.int32)
    # one product of a sub-block stays in cache; the sub-blocks depend on the chunk alone
    step = max(1024, (1 << 19) // len(centroids))
    for start in range(0, rows.shape[0], step):
        breathe()
        labels[start : start + step] = nearest(rows[start : start + step], centroids, frame=frame)
    return labels


class IndexAssigner(Assigner):
    """Through a nearest-neighbour index over the *centroids*, built anew for each assignment.

    A point keeps its old label unless the candidate is really closer, so that an approximate
    search never makes the inertia rise.

    Parameters
    ----------
    points : Points
    index : object
        With ``fit(X)`` and ``kneighbors(Q, n_neighbors) -> (distances, indices)``. Cloned, never
        fitted in place.
    name : str
    """

    def __init__(self, points: Points, index: Any, name: str) -> None:
        self.points = points
        self.name = name
        self.exact = bool(getattr(index, "exact", False))
        self._index = index
        if points.sparse and not getattr(index, "accepts_sparse", False):
            raise invalid(
                "X",
                f"dense for algorithm={name!r}",
                "a sparse matrix",
                "Use algorithm='auto', 'brute' or 'lsh', which take sparse input.",
                error=TypeError,
            )

    def assign(self, centroids: np.ndarray, previous: np.ndarray | None) -> Assignment:
        index = self.fitted(centroids)
        n = self.points.n
        labels = np.empty(n, dtype=np.int32)
        distances_sq = np.empty(n, dtype=np.float64)
        counts: list[int | None] = []
        for start, stop in chunk_bounds(n, _INDEX_ROWS):
            rows = self.points.piece(start, stop).load()
            # an exact search needs no guard
            old = None if previous is None or self.exact else previous[start:stop]
            found, distance = search_block(index, rows, centroids, old)
            counts.append(getattr(index, "n_distances_", None))
            labels[start:stop], distances_sq[start:stop] = found, distance
        total = None if None in counts else int(sum(c for c in counts if c is not None))
        return finish(self.points, labels, distances_sq, total)

    def fitted(self, centroids: np.ndarray) -> Any:
        """A clone of the index that holds the centroids."""
        return _clone(self._index).fit(centroids)


def search_block(
    index: Any, rows: Any, centroids: np.ndarray, old: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Labels and squared distances of some rows by an index that holds the centroids.

    A row keeps its ``old`` label, where there is one, unless the candidate is really closer.
    """
    found = _candidates(index, rows, len(centroids))
    distances = paired_sq(rows, centroids, found)
    if old is not None:
        old_distances = paired_sq(rows, centroids, old)
        keep = old_distances <= distances
        found = np.where(keep, old, found)
        distances = np.where(keep, old_distances, distances)
    return found, distances


def _clone(index: Any) -> Any:
    from sklearn.base import clone

    try:
        return clone(index)
    except TypeError:
        import copy

        # an object of the caller's own with fit and kneighbors, but not scikit-learn's
        return copy.deepcopy(index)


def _candidates(index: Any, rows: Any, k: int) -> np.ndarray:
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


def finish(
    points: Points, labels: np.ndarray, distances_sq: np.ndarray, n_distances: int | None
) -> Assignment:
    """Wrap up an assignment: zero rows go to label 0, inertia is totalled in float64."""
    if points.zero_rows is not None:
        labels[points.zero_rows] = 0
        distances_sq[points.zero_rows] = 1.0
    weights = points.sample_weight
    inertia = float(distances_sq.sum() if weights is None else weights @ distances_sq)
    return Assignment(labels, distances_sq, weights, inertia, n_distances)


def cluster_sums(
    points: Points, labels: np.ndarray, weights: np.ndarray | None, n_clusters: int
) -> tuple[np.ndarray, np.ndarray]:
    """Weighted sum and total weight of the points of each cluster.

    Parameters
    ----------
    points : Points
    labels : ndarray of shape (n,), int32
    weights : ndarray of shape (n,), float64, or None
    n_clusters : int

    Returns
    -------
    sums : ndarray of shape (k, d), float64
    totals : ndarray of shape (k,), float64

    Notes
    -----
    n·d additions in float64, in an order that does not depend on the number of threads: small
    tables are summed chunk by chunk, large ones cluster by cluster.
    """
    totals = np.bincount(labels, weights=weights, minlength=n_clusters).astype(np.float64)
    in_blocks = points.streams or points.workers.in_processes
    if n_clusters * points.d <= _SMALL_SUMS or points.sparse or in_blocks:
        tasks = [
            (piece, labels[a:b], None if weights is None else weights[a:b], n_clusters)
            for (a, b), piece in zip(points.bounds(), points.pieces(), strict=True)
        ]
        sums = np.zeros((n_clusters, points.d))
        for first in range(0, len(tasks), 16):
            group = tasks[first : first + 16]
            for part in points.workers.map(chunk_sums, group, work=16 * points.n * points.d):
                if is_sparse(part):
                    entries = part.tocoo()
                    sums[entries.row, entries.col] += entries.data
                else:
                    sums += part
        return sums, totals
    order = np.argsort(labels, kind="stable")
    ends = np.cumsum(np.bincount(labels, minlength=n_clusters))
    step = max(1, n_clusters // 64)
    blocks = [
        (points, order, ends, weights, first, min(first + step, n_clusters))
        for first in range(0, n_clusters, step)
    ]
    return np.concatenate(points.workers.map(_block_sums, blocks)), totals


def chunk_sums(
    piece: Piece, labels: np.ndarray, weights: np.ndarray | None, n_clusters: int
) -> Any:
    """Weighted sum of the rows of each cluster, shape (k, d), float64; sparse where they are."""
    from scipy.sparse import csr_matrix

    rows = piece.load()
    n = rows.shape[0]
    values = np.ones(n) if weights is None else weights
    members = csr_matrix((values, labels, np.arange(n + 1)), shape=(n, n_clusters)).T
    return members @ rows.astype(np.float64)


def _block_sums(
    points: Points,
    order: np.ndarray,
    ends: np.ndarray,
    weights: np.ndarray | None,
    first: int,
    last: int,
) -> np.ndarray:
    sums = np.zeros((last - first, points.d))
    begin = int(ends[first - 1]) if first else 0
    for cluster in range(first, last):
        breathe()
        end = int(ends[cluster])
        # long clusters go in pieces, so that memory stays bounded
        for start in range(begin, end, 1 << 14):
            members = order[start : min(start + (1 << 14), end)]
            rows = points.rows(members).astype(np.float64)
            if weights is not None:
                rows *= weights[members, None]
            sums[cluster - first] += rows.sum(axis=0)
        begin = end
    return sums


def inertia_of_rows(
    rows: Any, centroids: np.ndarray, labels: np.ndarray, weights: np.ndarray | None, metric: str
) -> float:
    """Σ w ‖x − c‖² of some rows in float64; labels of −1 are left out."""
    kept = labels >= 0
    if not kept.all():
        rows, labels = rows[kept], labels[kept]
        weights = None if weights is None else weights[kept]
    rows = rows.astype(np.float64)
    if metric == "cosine":
        rows = unit_rows(rows)[0]
    distances = paired_sq(rows, centroids, labels)
    return float(distances.sum() if weights is None else weights @ distances)


def cluster_means(
    sums: np.ndarray, totals: np.ndarray, centroids: np.ndarray, *, unit: bool = False
) -> np.ndarray:
    """Means of the clusters; an empty one keeps its centroid.

    Parameters
    ----------
    sums, totals : ndarrays of shape (k, d) and (k,), float64
    centroids : ndarray of shape (k, d)
        Those that the means replace.
    unit : bool, default=False
        Scale the means to length 1.

    Returns
    -------
    ndarray of shape (k, d), float64

    Examples
    --------
    >>> import numpy as np
    >>> from annlab.fit.searches import cluster_means
    >>> cluster_means(np.array([[6.0], [0.0]]), np.array([3.0, 0.0]), np.array([[1.0], [9.0]]))
    array([[2.],
           [9.]])
    """
    means = centroids.astype(np.float64)
    np.divide(sums, totals[:, None], out=means, where=(totals > 0)[:, None])
    return unit_means(means, centroids) if unit else means

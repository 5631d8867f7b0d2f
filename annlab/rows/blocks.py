"""More data than memory: points that are read block by block, again in each iteration.

Nothing of the loop changes. `BlockPoints` stands for `Points` whose rows are never together: a
memory-mapped file, a sequence of blocks, a function that opens the blocks anew. `PartAssigner`
stands for the assigner of the same name and reduces sums, inertia and the worst served points on
the way, so that beside the labels nothing has n values. `annlab.rows.dask` gives the same
answers from other machines.

Whatever blocks the rows come in, they are cut into the chunks that they would be cut into in
memory, and sums are added in the order of the chunks. So from the same start the centroids are the
same as in memory, bit for bit, where there are no weights and all sums fit into one table
(``n_clusters * d <= 16384``); elsewhere they differ by rounding, as sums of the same numbers in
another order do.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from functools import partial, reduce
from typing import Any

import numpy as np

from annlab import _kernels_numpy
from annlab._kernels_cache import load_kernels
from annlab._support.checks import (
    check_data,
    check_sample_weight,
    is_dask,
    is_npy_path,
    is_sparse,
    map_npy,
    working_dtype,
)
from annlab._support.errors import invalid
from annlab._support.progress import Progress
from annlab._support.threads import Workers, chunk_bounds
from annlab.distances import Frame, frame_of, paired_sq
from annlab.fit.graph.cloud import half_norms
from annlab.fit.searches import (
    Assigner,
    Assignment,
    ExactAssigner,
    IndexAssigner,
    Worst,
    chunk_sums,
    inertia_of_rows,
    label_block,
    search_block,
    worst_places,
)
from annlab.fit.small_k import FusedAssigner, label_and_sum
from annlab.rows.memory import Piece, Points
from annlab.rows.sample import stratified

#: Values of the sample that a start is drawn from (32 MB of float32), and rows for each cluster
#: that it has at least. Data of no more rows is the sample as a whole.
SAMPLE_VALUES = 1 << 23
SAMPLE_PER_CLUSTER = 8
#: Values of the sums of chunks that are held at once: 128 MB.
_SUMS_AT_ONCE = 1 << 24


# -- where blocks come from ------------------------------------------------------------------------


@dataclass(frozen=True)
class Blocks:
    """Blocks of rows that can be read again and again.

    Attributes
    ----------
    open : function
        Gives an iterator over all blocks, from the first.
    n : int or None
        Rows of all blocks; None where only reading them tells.
    """

    open: Callable[[], Iterator[Any]]
    n: int | None = None


def _is_table(X: Any) -> bool:
    """Whether X looks like a 2-D array that can be read in slices."""
    # a class has a shape that is none
    if isinstance(X, type):
        return False
    return len(getattr(X, "shape", None) or ()) == 2 and hasattr(X, "__getitem__")


def is_mapped(X: Any) -> bool:
    """Tell whether X is a memory-mapped table, or the path of one."""
    return is_npy_path(X) or (isinstance(X, np.memmap) and X.ndim == 2)


def is_in_blocks(X: Any) -> bool:
    """Tell whether X is data that is read in blocks; nothing is read.

    Examples
    --------
    >>> import numpy as np
    >>> from annlab.rows.blocks import is_in_blocks
    >>> is_in_blocks([np.zeros((3, 2)), np.ones((4, 2))]), is_in_blocks([[0.0, 0.0], [1.0, 1.0]])
    (True, False)
    """
    if is_mapped(X):
        return True
    if isinstance(X, type) or hasattr(X, "__array__") or is_sparse(X) or is_dask(X):
        # HDF5's tables have __array__, which would read them as a whole
        return _is_table(X) and getattr(X, "chunks", "none") != "none" and not is_dask(X)
    if isinstance(X, (str, bytes, dict, set, frozenset)) or hasattr(X, "shape"):
        return False
    if callable(X) or hasattr(X, "__next__"):
        return True
    if hasattr(X, "__len__") and hasattr(X, "__getitem__"):
        try:
            return len(X) > 0 and (is_npy_path(X[0]) or _is_table(X[0]))
        except (TypeError, KeyError, IndexError):
            return False
    return hasattr(X, "__iter__")


def open_blocks(X: Any) -> Blocks:
    """Say where the blocks of X come from.

    Parameters
    ----------
    X : memmap, path of an .npy file, sequence of 2-D arrays or paths, or function
        A function returns an iterable of blocks, a fresh one at each call.

    Raises
    ------
    TypeError, ValueError
    """
    if hasattr(X, "__next__"):
        raise invalid(
            "X",
            "something that can be read again in each iteration",
            f"a {type(X).__name__}, which can be read once",
            "Pass a function that opens it anew, such as X=lambda: read_blocks(path), "
            "or a list of the blocks.",
        )
    if is_npy_path(X):
        X = map_npy(X)
        if X.ndim != 2:
            check_data(X)
    if _is_table(X):
        table = _as_block(X, None)
        return Blocks(lambda: iter([table]), int(table.shape[0]))
    if hasattr(X, "__len__"):
        tables = [_as_block(block, number) for number, block in enumerate(X)]
        return Blocks(lambda: iter(tables), sum(int(table.shape[0]) for table in tables))
    if callable(X):
        return Blocks(partial(_called, X))
    return Blocks(lambda: _listed(X))


def _listed(blocks: Any) -> Iterator[Any]:
    for number, block in enumerate(blocks):
        yield _as_block(block, number)


def _called(function: Callable[[], Any]) -> Iterator[Any]:
    blocks = function()
    if _is_table(blocks) or not hasattr(blocks, "__iter__"):
        raise invalid(
            "X",
            "a function that returns an iterator over blocks",
            f"one that returned {type(blocks).__name__}",
            "Return a generator, or a list of 2-D arrays.",
            error=TypeError,
        )
    return _listed(blocks)


def _as_block(block: Any, number: int | None) -> Any:
    """A block that can be sliced and says its shape and type; arrays stay what they are."""
    name = "X" if number is None else f"block {number} of X"
    if is_npy_path(block):
        block = map_npy(block, name)
    if is_sparse(block) or is_dask(block):
        raise invalid(
            name,
            "a dense array",
            f"a {type(block).__name__}",
            "Join the blocks: scipy.sparse.vstack or dask.array.concatenate.",
            error=TypeError,
        )
    kind = getattr(getattr(block, "dtype", None), "kind", "")
    if _is_table(block) and kind in tuple("fiub") and not np.ma.isMaskedArray(block):
        if block.shape[1] < 1:
            check_data(block, name=name)
        return np.asarray(block) if isinstance(block, np.matrix) else block
    return check_data(block, name=name)


def _changed(got: str) -> Exception:
    return invalid(
        "X",
        "the same rows each time that it is read",
        got,
        "Pass a function that opens the data anew at each call and returns a fresh iterator.",
    )


def cut(blocks: Iterator[Any], bounds: Sequence[tuple[int, int]]) -> Iterator[np.ndarray]:
    """Rows of consecutive blocks in consecutive chunks, wherever the blocks end.

    Parameters
    ----------
    blocks : iterator of arrays of shape (any, d)
    bounds : sequence of (start, stop)
        Without gaps, from 0.

    Yields
    ------
    ndarray of shape (stop - start, d)
        A view where the chunk lies within one block of an array.

    Raises
    ------
    ValueError
        If there are more or fewer rows than the bounds say.
    """
    block: Any = None
    at = 0
    for start, stop in bounds:
        pieces: list[np.ndarray] = []
        missing = stop - start
        while missing:
            if block is None or at == block.shape[0]:
                block, at = next(blocks, None), 0
                if block is None:
                    raise _changed(f"{stop - missing:,} rows where there were {bounds[-1][1]:,}")
                continue
            rows = np.asanyarray(block[at : at + missing])
            pieces.append(rows)
            at += len(rows)
            missing -= len(rows)
        if len({piece.shape[1] for piece in pieces}) > 1:
            raise _widths([piece.shape[1] for piece in pieces])
        yield pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
    if (block is not None and at < block.shape[0]) or any(more.shape[0] for more in blocks):
        raise _changed(f"more than the {bounds[-1][1]:,} rows that there were")


def _widths(widths: list[int]) -> Exception:
    return invalid(
        "X",
        "made of blocks of one width",
        f"blocks of {widths[0]} and of {widths[-1]} columns",
        "Give every block the same columns.",
    )


# -- what is found out about some rows, and how it adds up -----------------------------------------


@dataclass
class Survey:
    """What one look at some rows tells, before anything is computed with them.

    Attributes
    ----------
    sizes : list of int
        Rows of each part, in order.
    positive : list of int
        Rows of each part that have a weight above 0.
    dtype : dtype
        Working type.
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
            raise _widths([len(self.sums), len(other.sums)])
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


def survey_rows(raw: Any, weights: np.ndarray | None, unit: bool) -> Survey:
    """Check some rows and look at them once.

    Raises
    ------
    TypeError, ValueError
        As `check_data`.
    """
    n, d = raw.shape
    if n == 0:
        return Survey([0], [0], np.dtype(np.float32), 0.0, 0.0, np.zeros(d), 0.0, 0.0, 0)
    X = check_data(raw)
    largest = max(-float(X.min()), float(X.max()))
    n_zero = int(np.count_nonzero(~X.any(axis=1))) if unit else 0
    rows = Piece(X, None, X.dtype, unit).load().astype(np.float64)
    w = np.ones(n) if weights is None else weights
    total, sums = float(w.sum()), w @ rows
    if total > 0:
        rows = rows - sums / total
    spread = float(w @ np.einsum("ij,ij->i", rows, rows))
    positive = int(np.count_nonzero(w > 0))
    return Survey([n], [positive], X.dtype, total, float(w.max()), sums, spread, largest, n_zero)


@dataclass
class Tally:
    """What an assignment of some rows adds up to.

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
        Σ w d² in the caller's coordinates, of a last assignment.
    n_distances : int or None
    n_moved : int
    """

    sums: np.ndarray
    totals: np.ndarray
    counts: np.ndarray
    inertia: float
    unweighted: float
    exact_inertia: float
    n_distances: int | None
    n_moved: int = 0

    def __iadd__(self, other: Tally) -> Tally:
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


@dataclass(frozen=True)
class Order:
    """What is to be done with rows: it travels to wherever they lie.

    Attributes
    ----------
    shift, dtype, unit
        How rows come into working coordinates (`Piece`).
    centroids : ndarray of shape (k, d)
        In working coordinates.
    frame : Frame or None
        Of the centroids, where every row is compared with all of them through BLAS.
    compiled : bool or None
        Whether the fused pass runs in compiled loops; None where it is not used.
    index : object or None
        Fitted on the centroids, where they are searched.
    exact : bool
        Whether an answer of the index needs no guard.
    scale : float
        What weights are divided by before the fused pass sees them.
    target : ndarray of shape (k, d), float64, or None
        Centroids in the caller's coordinates (unit rows for cosine), of a last assignment.
    """

    shift: np.ndarray | None
    dtype: np.dtype
    unit: bool
    centroids: np.ndarray
    frame: Frame | None = None
    compiled: bool | None = None
    index: Any = None
    exact: bool = True
    scale: float = 1.0
    target: np.ndarray | None = None

    def rows(self, raw: Any) -> np.ndarray:
        """Some rows in working coordinates."""
        if self.unit:
            # unit rows have the type of the rows: there are none among integers
            raw = np.asarray(raw).astype(working_dtype(raw.dtype), copy=False)
        return Piece(raw, self.shift, self.dtype, self.unit).load()


def _zero_rows(raw: Any, order: Order) -> np.ndarray | None:
    return np.asarray(~np.asarray(raw).any(axis=1)) if order.unit else None


def assign_rows(
    raw: Any, weights: np.ndarray | None, old: np.ndarray | None, order: Order
) -> tuple[np.ndarray, Tally]:
    """Label some rows and add them up by cluster: the one task of an iteration.

    Parameters
    ----------
    raw : ndarray of shape (m, d)
        As the caller has them.
    weights : ndarray of shape (m,), float64, or None
    old : ndarray of shape (m,), int32, or None
        Labels so far, for searches that are not exact.
    order : Order

    Returns
    -------
    labels : ndarray of shape (m,), int32
    tally : Tally
    """
    k = len(order.centroids)
    rows, zero = order.rows(raw), _zero_rows(raw, order)
    m = len(rows)
    n_distances: int | None = m * k
    if order.compiled is not None:
        labels, distances, sums, totals = _fused_rows(rows, weights, order)
    else:
        if order.index is None:
            assert order.frame is not None
            labels = label_block(rows, order.centroids, order.frame)
            distances = paired_sq(rows, order.centroids, labels)
        else:
            guard = None if order.exact else old
            labels, distances = search_block(order.index, rows, order.centroids, guard)
            n_distances = getattr(order.index, "n_distances_", None)
        if zero is not None:
            labels[zero] = 0
        sums = chunk_sums(Piece(rows, None, order.dtype), labels, weights, k)
        totals = np.bincount(labels, weights=weights, minlength=k).astype(np.float64)
    if zero is not None:
        labels[zero], distances[zero] = 0, 1.0
    exact = 0.0
    if order.target is not None:
        metric = "cosine" if order.unit else "euclidean"
        exact = inertia_of_rows(np.asarray(raw), order.target, labels, weights, metric)
    return labels, Tally(
        sums,
        totals,
        np.bincount(labels, minlength=k),
        float(distances.sum() if weights is None else weights @ distances),
        float(distances.sum()),
        exact,
        n_distances,
    )


def _fused_rows(
    rows: np.ndarray, weights: np.ndarray | None, order: Order
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The pass of `annlab.fit.small_k` over some rows."""
    k, d = order.centroids.shape
    m, dtype = len(rows), order.dtype
    # a process that lacks what was compiled for the others compiles it: rounding is then the same
    kernels: Any = (load_kernels(compile=True) if order.compiled else None) or _kernels_numpy
    labels, d1 = np.empty(m, np.int32), np.empty(m, dtype)
    sums, totals = np.zeros((k, d)), np.zeros(k)
    own = np.empty(0, dtype) if weights is None else (weights / order.scale).astype(dtype)
    label_and_sum(
        np.ascontiguousarray(rows), np.zeros(d, dtype), own, order.centroids,
        half_norms(order.centroids), kernels, labels, d1, sums, totals,
    )  # fmt: skip
    if order.scale != 1.0:
        sums *= order.scale
        totals *= order.scale
    return labels, d1.astype(np.float64), sums, totals


def worst_rows(
    raw: Any,
    weights: np.ndarray | None,
    labels: np.ndarray | None,
    order: Order,
    first: int,
    size: int,
) -> Worst:
    """The worst served among some rows, the first of which is row ``first`` of all."""
    if labels is None:
        labels = assign_rows(raw, weights, None, order)[0]
    rows, zero = order.rows(raw), _zero_rows(raw, order)
    badness = paired_sq(rows, order.centroids, labels)
    if weights is not None:
        badness[weights == 0] = 0.0
    if zero is not None:
        badness[zero] = 0.0
    places = worst_places(badness, size)
    return Worst(
        places + first,
        rows[places].astype(np.float64),
        badness[places],
        labels[places],
        np.ones(len(places)) if weights is None else weights[places],
    )


def join_worst(parts: Sequence[Worst], size: int) -> Worst:
    """The worst served of several parts."""
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


# -- points in parts, and their assigner -----------------------------------------------------------


class PartedPoints(Points):
    """Points that are never together: what `Points` tells about them, and sweeps over them.

    Attributes
    ----------
    n_zero : int
        Rows without a direction (cosine only).
    heaviest : float
        Largest weight; 1 without weights.
    target : ndarray of shape (k, d), or None
        Centroids in the caller's coordinates that these coordinates were made for.
    searches : bool
        Whether centroids may be searched through an index, and not only all be compared.
    """

    searches = True

    def __init__(self, *, metric: str, workers: Workers) -> None:
        self.metric, self.workers = metric, workers
        self.sample_weight: np.ndarray | None = None
        self.sparse, self.streams = False, True
        self.zero_rows = None
        self.shift: np.ndarray | None = None
        self.target: np.ndarray | None = None
        self._ready: Any = None
        self._variance: float | None = None
        self._may_settle = False
        self.n_zero = 0

    def count_zero_rows(self) -> int:
        return self.n_zero

    def _learn(self, survey: Survey, *, weighted: bool) -> None:
        """Take over what the first look has told."""
        self.n, self.d = sum(survey.sizes), len(survey.sums)
        if self.n == 0:
            raise invalid(
                "X",
                "an array with at least 1 row",
                f"shape (0, {self.d}) (0 sample(s))",
                "Pass more data.",
            )
        if survey.total <= 0:
            raise invalid(
                "sample_weight",
                "positive for at least one row",
                "weights that are all zero",
                "Give at least one row a positive weight.",
            )
        self.out_dtype = self.dtype = survey.dtype
        # none of the rows is here; whoever asks for their type finds it
        self.X = np.empty((0, self.d), dtype=survey.dtype)
        self.n_zero = survey.n_zero
        self.heaviest = survey.heaviest if weighted else 1.0
        self._mean = survey.sums / survey.total
        self._largest = survey.largest
        self._variance = survey.spread / survey.total / self.d
        if self.metric != "cosine":
            self._centre(None, None)

    def _moments(self) -> tuple[np.ndarray, float]:
        return self._mean, self._largest

    def around(self, centroids: np.ndarray) -> PartedPoints:
        """The same points in coordinates that centroids alone decide (the caller's, (k, d))."""
        twin = copy(self)
        # a copy, like a task in another process, comes without the pool
        twin.workers = self.workers
        twin.target = centroids
        twin.dtype = self.out_dtype
        if self.metric != "cosine":
            twin._centre(None, centroids)
        return twin

    def chunk_rows(self) -> int:
        """Rows of a chunk where n does not count."""
        return min(max(256, (1 << 19) // max(self.d, 1)), 1 << 16)

    def order(self, centroids: np.ndarray, made: Assigner, *, last: bool = False) -> Order:
        """What an assignment to centroids asks of each part."""
        plain = Order(self.shift, self.dtype, self.metric == "cosine", centroids)
        more: dict[str, Any] = {}
        if isinstance(made, FusedAssigner):
            more = {"compiled": made.compiled, "scale": self.heaviest}
        elif isinstance(made, IndexAssigner):
            more = {"index": made.fitted(centroids), "exact": made.exact}
        else:
            more = {"frame": frame_of(centroids)}
        if last:
            target = self.outward(centroids) if self.target is None else self.target
            target = target.astype(np.float64)
            if self.metric == "cosine":
                target = Piece(target, None, target.dtype, True).load()
            more["target"] = target
        return Order(plain.shift, plain.dtype, plain.unit, centroids, **more)

    def seeds(self, n_clusters: int, rng: np.random.RandomState) -> Points:
        """A sample in memory that starts are drawn from; all rows where they are not more."""
        size = max(SAMPLE_VALUES // self.d, SAMPLE_PER_CLUSTER * n_clusters)
        rows, weights = self._sample(size, n_clusters, rng)
        seeds = Points(rows, metric=self.metric, sample_weight=weights, workers=self.workers)
        # the coordinates are those of all points, not of the sample
        seeds.shift, seeds.dtype = self.shift, self.dtype
        seeds._may_settle = self.shift is not None or self.metric == "cosine"
        return seeds

    @abstractmethod
    def _sample(
        self, size: int, n_clusters: int, rng: np.random.RandomState
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Rows as the caller has them, in order, and their weights."""

    @abstractmethod
    def sweep(self, order: Order, old: Any, line: Progress | None) -> tuple[Any, Tally]:
        """Assign all rows: their labels, or what stands for them, and what they add up to."""

    @abstractmethod
    def worst(self, order: Order, labels: Any, size: int) -> Worst:
        """The worst served of all rows."""

    @abstractmethod
    def each(self, function: Callable[[Any], Any]) -> Iterator[Any]:
        """Answers of a function for all rows, as the caller has them, some at a time."""

    def labels_so_far(self, labels: Any, centroids: np.ndarray) -> Any:
        """Labels of a fit that was interrupted, for centroids in the caller's coordinates."""
        return labels

    @abstractmethod
    def last_labels(self, order: Order, labels: Any) -> Any:
        """Labels as the result has them, from those of a last sweep."""


class BlockPoints(PartedPoints):
    """Points that are read in blocks on this machine.

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
    the sample. X is read once to look at it, once for the sample (a file
    or an array: only the rows that are in it), and once for each assignment.
    """

    def __init__(self, X: Any, *, metric: str, sample_weight: Any, workers: Workers) -> None:
        super().__init__(metric=metric, workers=workers)
        self._blocks = open_blocks(X)
        scalar = sample_weight is not None and np.ndim(sample_weight) == 0
        n = self._blocks.n
        weights = None
        if sample_weight is not None and not scalar:
            weights = check_sample_weight(sample_weight, len(sample_weight) if n is None else n)
        unit = metric == "cosine"
        found: list[Survey] = []
        at = 0
        for group in self._grouped(self._first_chunks(), 1):
            tasks = []
            for rows in group:
                own = None if weights is None else weights[at : at + len(rows)]
                if own is not None and len(own) < len(rows):
                    raise _weights_of(f"shape {weights.shape}")  # type: ignore[union-attr]
                tasks.append((rows, own, unit))
                at += len(rows)
            found += workers.map(survey_rows, tasks)
        if not found:
            raise invalid(
                "X", "made of at least one block", "no block (0 sample(s))", "Pass more data."
            )
        self._learn(reduce(Survey.__add__, found), weighted=weights is not None)
        if weights is not None and len(weights) != self.n:
            raise _weights_of(f"shape {weights.shape} for {self.n:,} rows")
        if scalar:
            weights = check_sample_weight(sample_weight, self.n)
            self.heaviest = float(weights[0]) if weights is not None else 1.0
        self.sample_weight = weights

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

    def _grouped(self, items: Iterator[Any], width: int) -> Iterator[list[Any]]:
        """Items in lists: as many as are worked on at once, fewer where each has a wide answer."""
        size = max(1, min(4 * self.workers.n_jobs, 16, _SUMS_AT_ONCE // max(width, 1)))
        group: list[Any] = []
        for item in items:
            group.append(item)
            if len(group) == size:
                yield group
                group = []
        if group:
            yield group

    def _chunks(self) -> Iterator[tuple[int, int, np.ndarray]]:
        bounds = self.bounds()
        for (a, b), rows in zip(bounds, cut(self._blocks.open(), bounds), strict=True):
            if self._blocks.n is None:
                # a function may give other values each time that it is called
                rows = check_data(rows)
            if rows.shape[1] != self.d:
                raise _widths([self.d, rows.shape[1]])
            yield a, b, rows

    def rows(self, indices: np.ndarray) -> np.ndarray:
        """Some rows in working coordinates, found in one pass over the blocks."""
        raw = self._gather(indices)
        return Piece(raw, self.shift, self.dtype, self.metric == "cosine").load()

    def _gather(self, indices: np.ndarray) -> np.ndarray:
        """Some rows as the caller has them, in the working type."""
        order = np.argsort(indices, kind="stable")
        ascending = np.asarray(indices)[order]
        out = np.empty((len(ascending), self.d), dtype=self.out_dtype)
        first = 0
        for block in self._blocks.open():
            end = first + block.shape[0]
            low, high = np.searchsorted(ascending, [first, end])
            # a group at a time, and each row once: a table in a file allows nothing else
            for a, b in chunk_bounds(high - low, self.chunk_rows()):
                own, back = np.unique(ascending[low + a : low + b] - first, return_inverse=True)
                out[order[low + a : low + b]] = np.asarray(block[own])[back]
            first = end
        if first != self.n:
            raise _changed(f"{first:,} rows where there were {self.n:,}")
        return out

    def _sample(
        self, size: int, n_clusters: int, rng: np.random.RandomState
    ) -> tuple[np.ndarray, np.ndarray | None]:
        weights = self.sample_weight
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
        return self._gather(chosen), None if weights is None else weights[chosen]

    def sweep(
        self, order: Order, old: np.ndarray | None, line: Progress | None
    ) -> tuple[np.ndarray, Tally]:
        labels = np.empty(self.n, dtype=np.int32)
        tally: Tally | None = None
        n_chunks, done = len(self.bounds()), 0
        k, d = order.centroids.shape
        for group in self._grouped(self._chunks(), k * d):
            tasks = [
                (rows, self.weights(a, b), None if old is None else old[a:b], order)
                for a, b, rows in group
            ]
            if order.index is None:
                found = self.workers.map(assign_rows, tasks)
            else:
                # an index has threads of its own, and counts for one caller at a time
                found = [assign_rows(*task) for task in tasks]
            for (a, b, _), (part, own) in zip(group, found, strict=True):
                labels[a:b] = part
                if tally is None:
                    tally = own
                else:
                    tally += own
            done += len(group)
            if line is not None:
                line.part(done, n_chunks)
        assert tally is not None
        return labels, tally

    def worst(self, order: Order, labels: np.ndarray, size: int) -> Worst:
        best: Worst | None = None
        for group in self._grouped(self._chunks(), size * self.d):
            tasks = [
                (rows, self.weights(a, b), labels[a:b], order, a, size) for a, b, rows in group
            ]
            found = self.workers.map(worst_rows, tasks)
            best = join_worst(found if best is None else [best, *found], size)
        assert best is not None
        return best

    def last_labels(self, order: Order, labels: np.ndarray) -> np.ndarray:
        return labels

    def each(self, function: Callable[[Any], Any]) -> Iterator[Any]:
        for group in self._grouped(self._chunks(), 1):
            tasks = [(rows.astype(self.out_dtype, copy=False),) for _, _, rows in group]
            yield from self.workers.map(function, tasks)


def _weights_of(got: str) -> Exception:
    return invalid(
        "sample_weight",
        "None, one number, or one weight for each row",
        got,
        "Pass one weight for each row of X.",
    )


class PartAssigner(Assigner):
    """Assign points that are in parts as another assigner would if they were together.

    Parameters
    ----------
    made : Assigner
        Made for the points; says how they are compared with centroids.
    points : PartedPoints
    last : bool, default=False
        Whether its assignment is the last, which the result is made from.
    """

    def __init__(self, made: Assigner, points: PartedPoints, *, last: bool = False) -> None:
        if not isinstance(made, (ExactAssigner, FusedAssigner, IndexAssigner)):
            raise _not_in_parts(made.name, points)
        if isinstance(made, IndexAssigner) and not points.searches:
            raise _not_in_parts(made.name, points)
        self.made, self.points, self._last = made, points, last
        self.parted = points
        self.name, self.exact, self.exact_below = made.name, made.exact, made.exact_below
        self.compiled = made.compiled
        self._line: Progress | None = None

    def watch(self, line: Progress) -> None:
        self._line = line

    def start(self, n_clusters: int, rng: np.random.RandomState) -> np.ndarray | None:
        if not isinstance(self.made, FusedAssigner):
            return None
        centroids = self.made.start_on(self.parted.seeds(n_clusters, rng), n_clusters, rng)
        self.begun = self.made.begun
        return centroids

    def again(self, points: Points) -> Assigner:
        assert isinstance(points, PartedPoints)
        return PartAssigner(ExactAssigner(points), points, last=True)

    def state(self) -> dict[str, Any]:
        return self.made.state()

    def restore(self, state: dict[str, Any], labels: np.ndarray | None, n_clusters: int) -> None:
        self.made.restore(state, labels, n_clusters)

    def relabelled(self, labels: Any, changes: dict[int, int]) -> Any:
        # where all centroids are compared, nobody asks for the old labels
        return labels if self.exact else super().relabelled(labels, changes)

    def assign(self, centroids: np.ndarray, previous: Any) -> Assignment:
        return self._assign(centroids, previous, last=self._last)

    def final(self, centroids: np.ndarray, previous: Any) -> Assignment:
        return self._assign(centroids, previous, last=True)

    def _assign(self, centroids: np.ndarray, previous: Any, *, last: bool) -> Assignment:
        parted = self.parted
        order = parted.order(centroids, self.made, last=last)
        labels, tally = parted.sweep(order, previous, None if last else self._line)
        kind, sums, finished = "lloyd", tally.sums, False
        n_distances = tally.n_distances
        if isinstance(self.made, FusedAssigner):
            kind, sums, finished = self.made.next_step(
                sums, tally.totals, tally.inertia, lambda: tally.unweighted / parted.n, centroids
            )
            n_distances = parted.n * len(centroids) + self.made.take_start_work()
        return Assignment(
            labels=parted.last_labels(order, labels) if last else labels,
            distances_sq=None,
            weights=parted.sample_weight,
            inertia=tally.inertia,
            n_distances=n_distances,
            kind=kind,
            sums=sums,
            totals=tally.totals,
            finished=finished,
            n_moved=None if isinstance(labels, np.ndarray) else tally.n_moved,
            worst=partial(parted.worst, order, labels),
            n_used=int(np.count_nonzero(tally.counts)),
            exact_inertia=tally.exact_inertia if last else None,
        )


def _not_in_parts(name: str, points: PartedPoints) -> Exception:
    where = "blocks" if points.searches else "a Dask collection"
    return invalid(
        "algorithm",
        f"one that leaves the data where it is, for X in {where}",
        repr(name),
        "Use algorithm='auto', 'brute' or 'small_k'"
        + (", or an index over the centroids such as 'hnsw'." if points.searches else "."),
    )

"""k-means on many machines: rows stay in the partitions of a Dask collection.

In a sweep each partition labels its rows and adds them up, and the sums are reduced as a tree,
eight at a time. This process receives one table of sums, whatever the number of rows; it never
holds X. The work runs on the caller's ``dask.distributed`` client, or on Dask's default scheduler.

A task depends on its partition and the centroids alone, and the tree is the same for any number of
workers. So every cluster gives the same bits, even if it loses a worker and computes tasks again.
In memory the sums are added in another order: from the same start the centroids agree except for
rounding.

>>> import dask, dask.array as da
>>> from annlab import kmeans_ann
>>> X = da.random.RandomState(0).random_sample((1000, 2), chunks=(250, 2))
>>> with dask.config.set(scheduler="synchronous"):
...     result = kmeans_ann(X, 3, random_state=0)
>>> result.labels
dask.array<label_part, shape=(1000,), dtype=int32, chunksize=(250,), chunktype=numpy.ndarray>
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial, reduce
from operator import itemgetter
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from annlab._support.checks import check_sample_weight, is_dask
from annlab._support.errors import invalid
from annlab._support.threads import Workers, single_threaded_blas
from annlab.rows.base import Rows, short_bounds
from annlab.rows.blocks import check_and_survey, settle_size
from annlab.rows.coordinates import Chunk, Coordinates
from annlab.rows.lazy import Collection, as_array, lazy_labels, table_of
from annlab.rows.memory import MemoryRows
from annlab.rows.sample import sample_size, stratified
from annlab.rows.survey import Survey
from annlab.rows.tally import Tally, Task, Worst, join_worst, worst_in

if TYPE_CHECKING:
    from dask.array import Array
    from dask.delayed import Delayed

#: Weights of a partition.
Weights: TypeAlias = "np.ndarray | None"
#: Partitions whose sums one task adds up.
_BRANCHES = 8

# -- the tasks -------------------------------------------------------------------------------------


def _survey(raw: np.ndarray, weights: Weights, unit: bool) -> Survey:
    table = table_of(raw)
    w = None
    if weights is not None:
        w = np.asarray(weights, dtype=np.float64).reshape(-1)
        if len(w) != len(table):
            raise invalid(
                "sample_weight",
                "one weight for each row of X, partition by partition",
                f"{len(w):,} weights for a partition of {len(table):,} rows",
                "Give both the same partitions.",
            )
        if w.size and w.any():
            check_sample_weight(w, len(w))
    parts = [
        check_and_survey(table[a:b], None if w is None else w[a:b], unit)
        for a, b in short_bounds(*table.shape)
    ]
    whole = reduce(Survey.__add__, parts or [check_and_survey(table, w, unit)])
    # the chunks of a partition are one part
    whole.sizes, whole.positive = [sum(whole.sizes)], [sum(whole.positive)]
    return whole


def _assign(
    raw: np.ndarray, weights: Weights, task: Task, coordinates: Coordinates, keep: bool
) -> tuple[Any, Tally]:
    table = table_of(raw)
    if table.shape[1] != task.centroids.shape[1]:
        raise invalid(
            "X",
            f"an array with {task.centroids.shape[1]} columns",
            f"a partition of {table.shape[1]}",
        )
    labels = np.empty(len(table), dtype=np.int32)
    whole = Tally.empty(*task.centroids.shape)
    with single_threaded_blas():
        for a, b in short_bounds(*table.shape):
            own = None if weights is None else np.asarray(weights[a:b], dtype=np.float64)
            labels[a:b], part = task(coordinates.chunk(table[a:b]), own, None)
            whole += part
    return labels if keep else None, whole


def _moved(tally: Tally, labels: np.ndarray, before: np.ndarray | None) -> Tally:
    tally.n_moved = len(labels) if before is None else int(np.count_nonzero(labels != before))
    return tally


def _added(tallies: list[Tally]) -> Tally:
    # a task must not write into what another one has computed
    whole = Tally.empty(*tallies[0].sums.shape)
    for tally in tallies:
        whole += tally
    return whole


def _surveyed(parts: list[Survey]) -> Survey:
    return reduce(Survey.__add__, parts)


def _worst(
    raw: np.ndarray, weights: Weights, labels: np.ndarray, centroids: np.ndarray,
    coordinates: Coordinates, first: int, size: int,
) -> Worst:  # fmt: skip
    table = table_of(raw)
    found = [
        worst_in(
            coordinates.chunk(table[a:b]),
            None if weights is None else np.asarray(weights[a:b], dtype=np.float64),
            labels[a:b],
            centroids,
            first + a,
            size,
        )
        for a, b in short_bounds(*table.shape) or [(0, 0)]
    ]
    return join_worst(found, size)


def _picked(
    raw: np.ndarray, weights: Weights, indices: np.ndarray, positive: bool
) -> tuple[np.ndarray, np.ndarray | None]:
    table = table_of(raw)
    if weights is None:
        return table[indices], None
    w = np.asarray(weights, dtype=np.float64).reshape(-1)
    if positive:
        indices = np.flatnonzero(w)[indices]
    return table[indices], w[indices]


def _room_for(task: Task) -> Any:
    """Raise Dask's threshold for large graphs by the size of the centroids."""
    import dask

    # centroids, their frame, and the target
    n_bytes = 4 * task.centroids.size * 8
    return dask.config.set(
        {"distributed.admin.large-graph-warning-threshold": 10_000_000 + n_bytes}
    )


# -- the rows --------------------------------------------------------------------------------------


class DaskRows(Rows):
    """Rows in the partitions of a Dask collection.

    Parameters
    ----------
    X : dask.array.Array or dask.dataframe.DataFrame of shape (n, d)
    metric : {"euclidean", "cosine"}
    sample_weight : array-like or dask collection of shape (n,), optional
    workers : Workers
        For the sample that starts are drawn from, which is in memory.

    Notes
    -----
    This process holds k·d values, the sample and some hundred bytes for each partition. A worker
    holds a partition, its labels, and k·d sums. X is computed again in each sweep unless it was
    persisted: ``X = X.persist()`` if the machines have room for it.
    """

    together = False
    streams = True
    # labels passed from task to task would make a lost machine take the whole history with it
    keeps_labels = False

    def __init__(self, X: Collection, *, metric: str, sample_weight: Any, workers: Workers) -> None:
        from dask import delayed

        self.workers = workers
        self._delayed: Callable[..., Any] = partial(delayed, pure=False)
        self._array = as_array(X)
        self._parts = list(self._array.to_delayed().ravel())
        self._weights = self._weight_parts(sample_weight)
        surveys = [
            self._call(_survey, part, weights, metric == "cosine")
            for part, weights in zip(self._parts, self._weights, strict=True)
        ]
        self._survey: Survey = self._tree(_surveyed, surveys).compute()
        settle_size(self, self._survey)
        self.n_zero = self._survey.n_zero
        if sample_weight is not None:
            self.heaviest = self._survey.heaviest
        self.coordinates = self._survey.coordinates(unit=metric == "cosine")
        self._array = self._sized(self._array)

    def survey(self) -> Survey:
        return self._survey

    def chunks(self, task: Task | None = None) -> Iterator[tuple[int, int, Chunk]]:
        raise invalid(
            "checkpoint",
            "None for a Dask collection, whose labels stay on its workers",
            "a path",
            "Keep the centroids instead: callback=lambda step: "
            "numpy.save(path, step.new_centroids), and start from them with init.",
        )

    def _call(self, function: Callable[..., Any], *arguments: Any) -> Delayed:
        return self._delayed(function)(*arguments)

    def _sized(self, array: Array) -> Array:
        """Return the array with known numbers of rows."""
        if np.isnan(array.shape[0]):
            array = array.copy()
            array._chunks = (tuple(self._survey.sizes), (self.d,))
        return array

    def _weight_parts(self, sample_weight: Any) -> list[Any]:
        if sample_weight is None:
            return [None] * len(self._parts)
        import dask.array

        if not is_dask(sample_weight):
            if np.isnan(self._array.shape[0]):
                self._array = self._array.compute_chunk_sizes()
            n = int(self._array.shape[0])
            checked = check_sample_weight(sample_weight, n)
            sample_weight = dask.array.from_array(checked, chunks=(self._array.chunks[0],))
        elif hasattr(sample_weight, "to_dask_array"):
            sample_weight = sample_weight.to_dask_array()
        rows = self._array.chunks[0]
        if sample_weight.ndim != 1 or sample_weight.dtype.kind not in "fiub":
            raise invalid(
                "sample_weight",
                "None, one number, or a row of numbers",
                f"{sample_weight.ndim} dimensions of dtype {sample_weight.dtype}",
                "Pass one weight for each row of X.",
            )
        known = not np.isnan(sample_weight.shape[0]) and not np.isnan(sum(rows))
        if known and sample_weight.shape[0] == sum(rows):
            sample_weight = sample_weight.rechunk((rows,))
        parts = list(sample_weight.to_delayed().ravel())
        if len(parts) != len(self._parts):
            raise invalid(
                "sample_weight",
                f"in {len(self._parts)} partitions, as X is",
                f"{len(parts)}",
                "Give both the same partitions.",
            )
        return parts

    def _tree(self, join: Callable[[list[Any]], Any], parts: list[Delayed]) -> Delayed:
        """Reduce eight at a time, until one is left."""
        while len(parts) > 1:
            parts = [
                self._call(join, parts[first : first + _BRANCHES])
                for first in range(0, len(parts), _BRANCHES)
            ]
        return parts[0]

    def _sent(self, value: Task | Coordinates | np.ndarray) -> Delayed:
        # a task of its own: workers fetch it from each other
        return self._delayed(value, traverse=False)

    def sweep(self, task: Task, old: Any = None) -> tuple[Any, Tally]:
        import dask

        last = task.target is not None
        sent, frame = self._sent(task), self._sent(self.coordinates)
        labels, tallies = [], []
        before = old or [None] * len(self._parts)
        for part, weights, was in zip(self._parts, self._weights, before, strict=True):
            found = self._call(_assign, part, weights, sent, frame, not last)
            tally = self._call(itemgetter(1), found)
            if not last:
                labels.append(self._call(itemgetter(0), found))
                tally = self._call(_moved, tally, labels[-1], was)
            tallies.append(tally)
        root = self._tree(_added, tallies)
        with _room_for(task):
            if not last:
                # labels stay on the workers, for the next sweep to compare with
                root, *labels = dask.persist(root, *labels)
            return labels, root.compute()

    def worst(
        self, centroids: np.ndarray, labels: Any, size: int, seeds: np.ndarray | None = None
    ) -> Worst:
        sent, frame = self._sent(centroids), self._sent(self.coordinates)
        firsts = np.concatenate([[0], np.cumsum(self._survey.sizes)[:-1]]).tolist()
        parts = [
            self._call(_worst, *part, sent, frame, first, size)
            for *part, first in zip(self._parts, self._weights, labels, firsts, strict=True)
        ]
        found: Worst = self._tree(partial(join_worst, size=size), parts).compute()
        return found

    def sample(self, n_clusters: int, rng: np.random.RandomState) -> MemoryRows:
        import dask

        # a start takes rows without weight only if it needs them
        sizes, positives = self._survey.sizes, self._survey.positive
        size = sample_size(self.d, n_clusters)
        positive = self.n > size and n_clusters <= sum(positives) < self.n
        counts = positives if positive else sizes
        ends = np.cumsum(counts)
        chosen = stratified(int(ends[-1]), size, rng)
        tasks, low = [], 0
        for number, end in enumerate(ends.tolist()):
            high = int(np.searchsorted(chosen, end))
            if high > low:
                own = chosen[low:high] - (end - counts[number])
                part, weights = self._parts[number], self._weights[number]
                tasks.append(self._call(_picked, part, weights, own, positive))
            low = high
        found = dask.compute(*tasks)
        rows = np.concatenate([part for part, _ in found])
        weighted = found[0][1] is not None
        return MemoryRows(
            rows.astype(self.coordinates.out_dtype, copy=False),
            sample_weight=np.concatenate([own for _, own in found]) if weighted else None,
            workers=self.workers,
            coordinates=self.coordinates,
        )

    def take(self, indices: np.ndarray) -> np.ndarray:
        rows = self._array[np.sort(indices)].compute()
        return np.asarray(self.coordinates.load(rows))[np.argsort(np.argsort(indices))]

    def moved(self, tally: Tally, labels: Any, before: Any) -> int:
        return self.n if before is None else tally.n_moved

    def relabelled(self, labels: Any, changes: dict[int, int]) -> Any:
        # every search on Dask is exact: old labels are only counted
        return labels

    def shown(self, labels: Any) -> None:
        # a lazy array of the parts would keep the labels of every step on the workers
        return None

    def labels_of(self, labels: Any, centroids: np.ndarray) -> Any:
        return lazy_labels(self._array, centroids, metric=self.metric)

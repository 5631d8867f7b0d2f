"""Results of a fit: steps, trace and result, all read-only."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from annlab._support.checks import check_data, check_path, is_sparse
from annlab._support.errors import invalid
from annlab._support.pair import Pair
from annlab._support.reading import READ_FAULTS, read_npz, write_npz
from annlab._support.threads import Workers, chunk_bounds
from annlab._support.types import Matrix, MatrixLike
from annlab.distances import Frame, frame_of, nearest, unit_rows

#: Version of the file format that `KMeansResult.save` writes.
_FORMAT = 1
#: Largest file content that `KMeansResult.load` decodes, unless told otherwise.
_MAX_BYTES = 8 << 30


def owned(array: np.ndarray) -> np.ndarray:
    """Return a read-only C-ordered copy."""
    copy = np.array(array, order="C", copy=True)
    copy.setflags(write=False)
    return copy


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One iteration: assignment to ``centroids``, update to ``new_centroids``.

    Attributes
    ----------
    iteration : int
        From 1.
    kind : str
        ``"lloyd"`` for a full assignment and update of all points. With other kinds
        (``"relocation"``, ``"subsample"``, ``"trim"``) the inertia may rise.
    inertia : float
        Σ w ‖x − c‖² in float64, of ``labels`` with ``centroids`` (not with ``new_centroids``).
    n_moved : int
        Points whose label changed; all points in the first step.
    n_empty : int
        Empty clusters that were re-seeded in this update.
    shift_sq : float
        Σ ‖new_centroids − centroids‖².
    n_distances : int or None
        Point-to-centroid distances of the assignment; None if the index does not count.
    elapsed_s : float
        Wall time of this step.
    labels : ndarray of shape (n,), int32, or None
    centroids, new_centroids : ndarray of shape (k, d), or None
        None in the trace of a fit with ``trace=False``.
    """

    iteration: int
    kind: str
    inertia: float
    n_moved: int
    n_empty: int
    shift_sq: float
    n_distances: int | None
    elapsed_s: float
    labels: np.ndarray | None = None
    centroids: np.ndarray | None = None
    new_centroids: np.ndarray | None = None

    def __str__(self) -> str:
        distances = "not counted" if self.n_distances is None else f"{self.n_distances:,}"
        return (
            f"iteration {self.iteration}, {self.n_moved:,} point{'s' * (self.n_moved != 1)} moved, "
            f"inertia {self.inertia:.6g}, distances {distances}"
        )


class Trace(Sequence[Step]):
    """The steps of a fit, in order.

    Examples
    --------
    >>> import numpy as np
    >>> from annlab import kmeans
    >>> X = np.array([[0.0], [1.0], [9.0], [10.0]])
    >>> result = kmeans(X, 2, init=np.array([[0.0], [1.0]]), trace=True)
    >>> [float(value) for value in result.trace.inertia.round(2)]
    [145.0, 17.56, 1.0]
    """

    __slots__ = ("_steps",)

    def __init__(self, steps: Sequence[Step] = ()) -> None:
        self._steps = tuple(steps)

    def __len__(self) -> int:
        return len(self._steps)

    def __iter__(self) -> Iterator[Step]:
        return iter(self._steps)

    def __getitem__(self, item: Any) -> Any:
        return Trace(self._steps[item]) if isinstance(item, slice) else self._steps[item]

    def __repr__(self) -> str:
        if not self._steps:
            return "Trace(0 steps)"
        return (
            f"Trace({len(self)} steps, inertia {self._steps[0].inertia:.6g} → "
            f"{self._steps[-1].inertia:.6g})"
        )

    def _column(self, name: str, dtype: Any) -> np.ndarray:
        return np.array([getattr(step, name) for step in self._steps], dtype=dtype)

    @property
    def inertia(self) -> np.ndarray:
        """Inertia of each step, shape (n_steps,), float64."""
        return self._column("inertia", np.float64)

    @property
    def n_moved(self) -> np.ndarray:
        """Points that changed cluster in each step, shape (n_steps,), int64."""
        return self._column("n_moved", np.int64)

    @property
    def elapsed_s(self) -> np.ndarray:
        """Seconds of each step, shape (n_steps,), float64."""
        return self._column("elapsed_s", np.float64)

    @property
    def has_arrays(self) -> bool:
        """Whether the steps carry labels and centroids (``trace=True``)."""
        return bool(self._steps) and self._steps[0].labels is not None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class KMeansResult(Pair):
    """A clustering. Unpacks as ``labels, centroids = result``.

    Attributes
    ----------
    labels : ndarray of shape (n,), int32
        −1 marks an outlier (only with ``outlier_mask``). For a Dask collection a lazy Dask array.
    centroids : ndarray of shape (k, d), dtype of the data
    inertia : float
        Σ w ‖x − c‖² of ``labels`` with ``centroids``, in float64, without outliers.
    n_iter : int
        Assignments followed by an update.
    converged : bool
        Whether the fit stopped because nothing changed any more, within ``tol``.
    stop_reason : str
        ``"labels unchanged"``, ``"tolerance"``, ``"small gain"``, ``"max_iter"``, ``"callback"``
        or ``"interrupted"``.
    n_distances : int or None
        Point-to-centroid distances of all assignments; None if the index does not count.
    trace : Trace
        One `Step` per iteration.
    algorithm : str
        Algorithm that ran, such as ``"brute"`` or ``"hnsw"``.
    reason : str
        Why ``algorithm="auto"`` chose it, and what its start did before the first iteration;
        empty if the caller chose.
    metric : str
        ``"euclidean"`` or ``"cosine"``.
    elapsed_s : float
        Wall time of the whole fit, start included.
    recall_estimate : float or None
        Share of sampled points whose label is the nearest centroid; 1.0 for exact algorithms,
        None if it was not estimated.
    recall_interval : tuple of float or None
        95 % interval of that share.
    outlier_mask : ndarray of shape (n,), bool, or None
        Set by `robust_kmeans_ann`.

    Examples
    --------
    >>> import numpy as np
    >>> from annlab import kmeans
    >>> labels, centroids = kmeans(np.array([[0.0], [1.0], [9.0]]), 2, random_state=0)
    >>> bool(labels[0] == labels[1] != labels[2])
    True
    """

    _pair_names: ClassVar[tuple[str, str]] = ("labels", "centroids")

    labels: np.ndarray
    centroids: np.ndarray
    inertia: float
    n_iter: int
    converged: bool
    stop_reason: str
    n_distances: int | None = None
    trace: Trace = field(default_factory=Trace)
    algorithm: str = "brute"
    reason: str = ""
    metric: str = "euclidean"
    elapsed_s: float = 0.0
    recall_estimate: float | None = None
    recall_interval: tuple[float, float] | None = None
    outlier_mask: np.ndarray | None = None

    @property
    def n_clusters(self) -> int:
        """Number of centroids."""
        return len(self.centroids)

    def __repr__(self) -> str:
        lines = [
            f"KMeansResult: {len(self.labels):,} points, {self.n_clusters:,} clusters, "
            f"{self.centroids.shape[1]:,} features",
            f"  algorithm   {self.algorithm}" + (f" ({self.reason})" if self.reason else ""),
            f"  inertia     {self.inertia:.6g}",
            f"  iterations  {self.n_iter} ({self.stop_reason}"
            + ("" if self.converged else "; not converged")
            + ")",
            "  distances   "
            + ("not counted" if self.n_distances is None else f"{self.n_distances:,}"),
        ]
        if self.recall_estimate is not None and self.recall_estimate < 1:
            lines.append(f"  recall      {self.recall_estimate:.3f} (labels that are exact)")
        if self.outlier_mask is not None:
            lines.append(f"  outliers    {int(self.outlier_mask.sum()):,}")
        return "\n".join(lines)

    def assign(self, X: MatrixLike, *, index: Any = None, n_jobs: int | None = None) -> np.ndarray:
        """Label new rows with their nearest centroid, as `KMeansANN.predict` does.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, d)
        index : object, optional
            Index that was fitted on ``centroids``, with ``kneighbors(Q, n_neighbors)``; faster
            for many clusters, and as exact as the index is.
        n_jobs : int, optional
            Threads.

        Returns
        -------
        ndarray of shape (n,), int32

        Raises
        ------
        TypeError, ValueError

        Notes
        -----
        2·n·k·d operations without an index.

        Examples
        --------
        >>> import numpy as np
        >>> from annlab import kmeans
        >>> result = kmeans(np.array([[0.0], [1.0], [9.0]]), 2, init=np.array([[0.0], [9.0]]))
        >>> result.assign([[2.0], [7.0]])
        array([0, 1], dtype=int32)
        """
        rows = check_data(X, accept_sparse=True, n_features=self.centroids.shape[1])
        if index is not None:
            return index.kneighbors(rows, 1)[1][:, 0].astype(np.int32)
        centroids = self.centroids.astype(rows.dtype)
        frame = frame_of(centroids, may_shift=not is_sparse(rows))
        bounds = chunk_bounds(rows.shape[0], 1024)
        tasks = [(rows[a:b], centroids, frame, self.metric) for a, b in bounds]
        with Workers(n_jobs) as workers:
            return np.concatenate(workers.map(_assign_chunk, tasks))

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the result, trace included, to one ``.npz`` file.

        Parameters
        ----------
        path : path-like
            ``.npz`` is appended if it is missing.

        Returns
        -------
        pathlib.Path
            The file that was written.

        Raises
        ------
        OSError
            If the file cannot be written; an older file of that name then stays unchanged.
        ValueError
            If the labels are a lazy Dask array.
        """
        if not isinstance(self.labels, np.ndarray):
            raise invalid(
                "labels",
                "in memory to be saved",
                f"a lazy {type(self.labels).__name__} of Dask",
                "Compute them: dataclasses.replace(result, labels=result.labels.compute())"
                ".save(path). Or store them on the workers: result.labels.to_zarr(url).",
            )
        target = check_path(path)
        if target.suffix != ".npz":
            target = target.with_name(target.name + ".npz")
        arrays: dict[str, np.ndarray] = {"labels": self.labels, "centroids": self.centroids}
        if self.outlier_mask is not None:
            arrays["outlier_mask"] = self.outlier_mask
        facts = {name: getattr(self, name) for name in _RESULT_TYPES}
        facts |= {"format": _FORMAT, "steps": pack_steps(self.trace, arrays, "step")}
        arrays["facts"] = np.frombuffer(json.dumps(facts).encode(), dtype=np.uint8)
        write_npz(target, arrays)
        return target

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, max_bytes: int = _MAX_BYTES) -> KMeansResult:
        """Read a file that `save` wrote. Nothing in it is ever executed.

        Parameters
        ----------
        path : path-like
        max_bytes : int, default=8 GiB
            Refuse a file whose content would take more memory.

        Raises
        ------
        OSError
            If the file cannot be read.
        ValueError
            If it is not a result of annlab, is damaged, or is larger than ``max_bytes``.

        Examples
        --------
        >>> import tempfile, pathlib, numpy as np
        >>> from annlab import KMeansResult, kmeans
        >>> result = kmeans(np.array([[0.0], [1.0], [9.0]]), 2, random_state=0)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = result.save(pathlib.Path(folder) / "clusters")
        ...     again = KMeansResult.load(path)
        >>> again.inertia == result.inertia
        True
        """
        arrays = read_npz(check_path(path), max_bytes=max_bytes)
        try:
            facts = json.loads(arrays.pop("facts").tobytes().decode())
            if facts.pop("format") != _FORMAT:
                raise ValueError("an unsupported format version")
            entries = facts.pop("steps")
            _check_facts(facts, _RESULT_TYPES)
            labels, centroids = arrays["labels"], arrays["centroids"]
            mask = arrays.get("outlier_mask")
            if centroids.ndim != 2 or centroids.dtype not in (np.float32, np.float64):
                raise ValueError("the centroids are not a 2-D array of floats")
            check_labels(labels, labels.shape[:1], len(centroids), lowest=-1)
            if mask is not None and (mask.shape != labels.shape or mask.dtype != bool):
                raise ValueError("the outlier mask does not fit the labels")
            if facts["recall_interval"] is not None:
                facts["recall_interval"] = tuple(facts["recall_interval"])
            steps = unpack_steps(
                entries, arrays, "step", labels.shape, centroids.shape, centroids.dtype
            )
            return cls(
                labels=owned(labels),
                centroids=owned(centroids),
                outlier_mask=None if mask is None else owned(mask),
                trace=Trace(steps),
                **facts,
            )
        except READ_FAULTS as reason:
            raise invalid(
                "path",
                "a file that KMeansResult.save wrote",
                f"{Path(path).name} ({reason})",
                "Save the result again.",
            ) from reason


def _assign_chunk(rows: Matrix, centroids: np.ndarray, frame: Frame, metric: str) -> np.ndarray:
    if metric == "euclidean":
        return nearest(rows, centroids, frame=frame)
    rows, is_zero = unit_rows(rows)
    return np.where(is_zero, np.int32(0), nearest(rows, centroids, frame=frame))


_STEP_ARRAYS = ("labels", "centroids", "new_centroids")
_RESULT_ARRAYS = ("labels", "centroids", "trace", "outlier_mask")

#: Types of the values of a file by the annotation of their field; a hostile file may hold anything.
_NUMBER = (int, float)
_TYPES: dict[Any, tuple[type, ...]] = {
    "int": (int,),
    "float": _NUMBER,
    "str": (str,),
    "bool": (bool,),
    "int | None": (int, type(None)),
    "float | None": (*_NUMBER, type(None)),
    "tuple[float, float] | None": (list, type(None)),
}
_STEP_TYPES = {f.name: _TYPES[f.type] for f in fields(Step) if f.name not in _STEP_ARRAYS}
_RESULT_TYPES = {
    f.name: _TYPES[f.type] for f in fields(KMeansResult) if f.name not in _RESULT_ARRAYS
}


def _check_facts(facts: dict[str, Any], types: dict[str, tuple[type, ...]]) -> None:
    """Raise ValueError unless exactly these names have values of their types."""
    if set(facts) != set(types):
        raise ValueError(f"unexpected or missing names: {sorted(set(facts) ^ set(types))}")
    for name, allowed in types.items():
        if type(facts[name]) not in allowed:
            raise ValueError(f"{name} is {type(facts[name]).__name__}")
    interval = facts.get("recall_interval")
    if interval is not None and not (
        len(interval) == 2 and all(type(bound) in _NUMBER for bound in interval)
    ):
        raise ValueError("recall_interval is not a pair of numbers")


def pack_steps(
    steps: Iterable[Step], arrays: dict[str, np.ndarray], prefix: str
) -> list[dict[str, Any]]:
    """Add the arrays of steps to ``arrays``; return the rest, ready for JSON."""
    entries = []
    for number, step in enumerate(steps):
        entries.append({name: getattr(step, name) for name in _STEP_TYPES})
        for name in _STEP_ARRAYS:
            array = getattr(step, name)
            if array is not None:
                arrays[f"{prefix}{number}_{name}"] = array
    return entries


def unpack_steps(
    entries: list[dict[str, Any]],
    arrays: dict[str, np.ndarray],
    prefix: str,
    labels_shape: tuple[int, ...],
    centroids_shape: tuple[int, ...],
    dtype: np.dtype | None,
) -> list[Step]:
    """Restore the steps of `pack_steps`, with every value checked.

    Raises
    ------
    KeyError, TypeError, ValueError
    """
    steps = []
    for number, entry in enumerate(entries):
        _check_facts(entry, _STEP_TYPES)
        own: dict[str, Any] = {
            name: owned(arrays[f"{prefix}{number}_{name}"])
            for name in _STEP_ARRAYS
            if f"{prefix}{number}_{name}" in arrays
        }
        for name, array in own.items():
            if name == "labels":
                check_labels(array, labels_shape, centroids_shape[0], lowest=0)
            elif array.shape != centroids_shape or dtype not in (None, array.dtype):
                raise ValueError(f"the {name} of step {number} have the wrong shape")
        steps.append(Step(**entry, **own))
    return steps


def check_labels(labels: np.ndarray, shape: tuple[int, ...], k: int, *, lowest: int) -> None:
    """Raise ValueError unless labels are int32 from ``lowest`` to k − 1."""
    if labels.shape != shape or labels.ndim != 1 or labels.dtype != np.int32:
        raise ValueError("the labels are not int32, or not one for each row")
    if labels.size and not lowest <= labels.min() <= labels.max() < k:
        raise ValueError("the labels do not match the centroids")

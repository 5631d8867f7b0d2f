"""What a fit returns: steps, their trace, and the result. Frozen; the arrays are owned.

Nothing here computes: the loop fills these records, everything downstream reads them.
"""

from __future__ import annotations

import errno
import json
import os
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from annlab._support.checks import check_path
from annlab._support.errors import invalid
from annlab._support.files import atomic_write
from annlab._support.pair import Pair
from annlab._support.reading import READ_FAULTS, npy_header

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
    """One iteration: an assignment to ``centroids``, then an update to ``new_centroids``.

    Attributes
    ----------
    iteration : int
        From 1.
    kind : str
        ``"lloyd"`` for a full assignment and update of all points; other kinds
        (``"relocation"``, ``"subsample"``, ``"trim"``) are exempt from the law that inertia never
        rises.
    inertia : float
        Σ w ‖x − c‖² in float64, of ``labels`` with ``centroids`` (not with ``new_centroids``).
    n_moved : int
        Points whose label differs from the step before; all points in the first step.
    n_empty : int
        Clusters that had no points and were re-seeded in this update.
    shift_sq : float
        Σ ‖new_centroids − centroids‖².
    n_distances : int or None
        Point-to-centroid distances computed by the assignment; None where the index cannot count.
    elapsed_s : float
        Wall time of this step.
    labels : ndarray of shape (n,), int32, or None
    centroids, new_centroids : ndarray of shape (k, d), or None
        None in a stored trace when the fit ran with ``trace=False``.
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
        −1 marks an outlier (only where ``outlier_mask`` is given). Of a Dask collection a lazy
        Dask array, computed from X and the centroids when it is asked for.
    centroids : ndarray of shape (k, d), dtype of the data
    inertia : float
        Σ w ‖x − c‖² over the points that have a label, in float64, exact for these ``labels``
        with these ``centroids``.
    n_iter : int
        Assignments followed by an update.
    converged : bool
        Whether the loop stopped because nothing changed any more, within ``tol``.
    stop_reason : str
        ``"labels unchanged"``, ``"tolerance"``, ``"small gain"``, ``"max_iter"``, ``"callback"``
        or ``"interrupted"``.
    n_distances : int or None
        Point-to-centroid distances of all assignments; None where the index cannot count.
    trace : Trace
        One `Step` per iteration.
    algorithm : str
        What ran, such as ``"brute"`` or ``"hnsw"``.
    reason : str
        Why ``algorithm="auto"`` chose it, and what its own start did before the iterations that
        ``n_iter`` counts; empty where the caller chose.
    metric : str
        ``"euclidean"`` or ``"cosine"``.
    elapsed_s : float
        Wall time of the whole fit, start included.
    recall_estimate : float or None
        Share of sampled points whose label is the exact nearest centroid; 1.0 for exact
        algorithms, None where it was not estimated.
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

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the result, trace included, to one ``.npz`` file, whole or not at all.

        Parameters
        ----------
        path : path-like
            ``.npz`` is appended where it is missing.

        Returns
        -------
        pathlib.Path
            The file that was written.

        Raises
        ------
        OSError
            If the folder cannot be written; an older file of that name is then left as it was.
        ValueError
            If the labels are a lazy Dask array: compute them first, or store them where they are.
        """
        if not isinstance(self.labels, np.ndarray):
            raise invalid(
                "labels",
                "in memory to be saved",
                f"a lazy {type(self.labels).__name__} of Dask",
                "Bring them here: dataclasses.replace(result, labels=result.labels.compute())"
                ".save(path). Or leave them where they are: result.labels.to_zarr(url).",
            )
        target = check_path(path)
        if target.suffix != ".npz":
            target = target.with_name(target.name + ".npz")
        arrays: dict[str, np.ndarray] = {"labels": self.labels, "centroids": self.centroids}
        if self.outlier_mask is not None:
            arrays["outlier_mask"] = self.outlier_mask
        facts = {
            f.name: getattr(self, f.name)
            for f in fields(self)
            if f.name not in ("labels", "centroids", "outlier_mask", "trace")
        }
        facts |= {"format": _FORMAT, "steps": pack_steps(self.trace, arrays, "step")}
        arrays["facts"] = np.frombuffer(json.dumps(facts).encode(), dtype=np.uint8)
        write_npz(target, arrays)
        return target

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, max_bytes: int = _MAX_BYTES) -> KMeansResult:
        """Read what `save` wrote. Nothing in the file is ever executed.

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
            If it is no result of annlab, is damaged, or is larger than ``max_bytes``.

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
        arrays = read_npz(path, max_bytes=max_bytes)
        try:
            facts = json.loads(arrays.pop("facts").tobytes().decode())
            if facts.pop("format") != _FORMAT:
                raise ValueError("another version of the format")
            entries = facts.pop("steps")
            _check_facts(facts, _RESULT_TYPES)
            labels, centroids = arrays["labels"], arrays["centroids"]
            mask = arrays.get("outlier_mask")
            if centroids.ndim != 2 or centroids.dtype not in (np.float32, np.float64):
                raise ValueError("the centroids are no table of floats")
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


_STEP_ARRAYS = ("labels", "centroids", "new_centroids")
_STEP_FACTS = tuple(f.name for f in fields(Step) if f.name not in _STEP_ARRAYS)

_NUMBER = (int, float)
_NONE = type(None)
#: What a file must hold under each name: a hostile one could put anything there.
_STEP_TYPES: dict[str, tuple[type, ...]] = {
    "iteration": (int,),
    "kind": (str,),
    "inertia": _NUMBER,
    "n_moved": (int,),
    "n_empty": (int,),
    "shift_sq": _NUMBER,
    "n_distances": (int, _NONE),
    "elapsed_s": _NUMBER,
}
_RESULT_TYPES: dict[str, tuple[type, ...]] = {
    "inertia": _NUMBER,
    "n_iter": (int,),
    "converged": (bool,),
    "stop_reason": (str,),
    "n_distances": (int, _NONE),
    "algorithm": (str,),
    "reason": (str,),
    "metric": (str,),
    "elapsed_s": _NUMBER,
    "recall_estimate": (*_NUMBER, _NONE),
    "recall_interval": (list, _NONE),
}


def _check_facts(facts: dict[str, Any], types: dict[str, tuple[type, ...]]) -> None:
    """Raise ValueError or TypeError unless each name is there with a value of its type."""
    if set(facts) != set(types):
        raise ValueError(f"other names than expected: {sorted(set(facts) ^ set(types))}")
    for name, allowed in types.items():
        if type(facts[name]) not in allowed:
            raise ValueError(f"{name} is {type(facts[name]).__name__}")
    interval = facts.get("recall_interval")
    if interval is not None and not (
        len(interval) == 2 and all(type(bound) in _NUMBER for bound in interval)
    ):
        raise ValueError("recall_interval is no pair of numbers")


def pack_steps(
    steps: Iterable[Step], arrays: dict[str, np.ndarray], prefix: str
) -> list[dict[str, Any]]:
    """Put the arrays of steps among ``arrays``; return their numbers, ready for JSON."""
    entries = []
    for number, step in enumerate(steps):
        entries.append({name: getattr(step, name) for name in _STEP_FACTS})
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
    """The steps that `pack_steps` packed, every value checked.

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
                raise ValueError(f"the {name} of step {number} have another shape")
        steps.append(Step(**entry, **own))
    return steps


def check_labels(labels: np.ndarray, shape: tuple[int, ...], k: int, *, lowest: int) -> None:
    """Raise ValueError unless it is a row of int32 from ``lowest`` to k − 1."""
    if labels.shape != shape or labels.ndim != 1 or labels.dtype != np.int32:
        raise ValueError("labels are no row of int32 of the right length")
    if labels.size and not lowest <= labels.min() <= labels.max() < k:
        raise ValueError("labels and centroids do not fit together")


def write_npz(target: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write arrays beside ``target`` and move the finished file into place."""
    with atomic_write(target) as stream:
        np.savez(stream, **arrays)  # type: ignore[arg-type]


def read_npz(path: str | os.PathLike[str], *, max_bytes: int) -> dict[str, np.ndarray]:
    """Read the arrays of an ``.npz`` file, sizes checked before anything is decoded.

    Raises
    ------
    OSError, ValueError
    """
    check_path(path)
    # opened apart: what fails from here on is the content, not the access to it
    with open(path, "rb") as file:
        try:
            archive = zipfile.ZipFile(file)
            total = sum(member.file_size for member in archive.infolist())
            if total <= max_bytes:
                return {
                    member.filename.removesuffix(".npy"): _read_member(archive, member)
                    for member in archive.infolist()
                }
        except MemoryError:
            raise
        except Exception as reason:
            if isinstance(reason, OSError) and reason.errno not in (None, errno.EINVAL):
                raise
            # zipfile, zlib and the npy reader raise a dozen kinds of error on damaged files,
            # among them OSError(EINVAL) for a seek before the start
            raise invalid(
                "path",
                "an undamaged .npz file",
                f"{Path(path).name} ({reason})",
                "Save the result again.",
            ) from reason
    raise invalid(
        "path",
        f"a file of at most max_bytes={max_bytes:,} bytes once decoded",
        f"{total:,} bytes",
        "Raise max_bytes if you trust the file.",
    )


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    with archive.open(member) as stream:
        shape, dtype = npy_header(stream)
        # a header may promise any shape: believe it only if the bytes are there
        count = 1
        for length in shape:
            count *= int(length)
        left = member.file_size - stream.tell()
        if dtype.hasobject or count * dtype.itemsize != left:
            raise ValueError(f"{member.filename} does not hold what its header says")
    with archive.open(member) as stream:
        return np.lib.format.read_array(stream, allow_pickle=False)

"""Arrays of numbers from ``.npy`` and ``.npz`` files, checked before reading."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from annlab._support.errors import invalid
from annlab._support.memory import available_memory, readable_size
from annlab._support.reading import npy_header, reading
from annlab.datasets.tables.options import Options, option

if TYPE_CHECKING:
    from annlab._support.types import Matrix

#: Members of an archive that scipy.sparse.save_npz wrote.
_SPARSE = {"data", "shape", "format"}


def read_array(path: Path, options: Options) -> tuple[Matrix, list[int]]:
    """Return columns of an ``.npy`` or ``.npz`` file, and their positions.

    Nothing in a file is executed. An ``.npy`` file is memory-mapped, unless columns are chosen.
    """
    X = _read_npz(path, options) if path.suffix.lower() == ".npz" else _read_npy(path)
    chosen = options.choose(None, X.shape[1])
    if chosen is None:
        return X, list(range(X.shape[1]))
    _check_room((X.shape[0], len(chosen)), X.dtype, path.name, options)
    return X[:, chosen], chosen


def _read_npy(path: Path) -> np.ndarray:
    rule, remedy = "a whole .npy file", "Save it again: numpy.save('rows.npy', X)."
    with path.open("rb") as file, reading(path.name, rule, remedy):
        shape, dtype = npy_header(file)
    _check(shape, dtype, path.name)
    with reading(path.name, rule, remedy):
        return np.asanyarray(np.load(path, mmap_mode="r", allow_pickle=False))


def _read_npz(path: Path, options: Options) -> Matrix:
    remedy = "Save it again: numpy.savez('rows.npz', X=X)."
    with reading(path.name, "an .npz file as numpy.savez writes it", remedy):
        archive = np.load(path, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise ValueError("it holds a single array, not an archive")
    with archive:
        names, key = archive.files, options.key
        if key is None and set(names) >= _SPARSE:
            return _read_sparse(path)
        if key is None and len(names) == 1:
            key = names[0]
        if key not in names:
            raise invalid(
                option("key"),
                "the name of an array in the file",
                key if key is not None else "no name",
                f"Arrays in the file: {', '.join(names)}.",
            )
        with reading(path.name, "a whole .npz file", remedy), zipfile.ZipFile(path) as members:
            member = key if key in members.namelist() else f"{key}.npy"
            with members.open(member) as file:
                shape, dtype = npy_header(file)
        _check(shape, dtype, f"{key} in {path.name}")
        _check_room(shape, dtype, path.name, options)
        with reading(path.name, "a whole .npz file", remedy):
            return np.asarray(archive[key])


def _read_sparse(path: Path) -> Matrix:
    from scipy import sparse

    with reading(path.name, "a file of scipy.sparse.save_npz", "Save it again."):
        matrix = sparse.load_npz(path).tocsr()
    _check(matrix.shape, matrix.dtype, path.name)
    return matrix


def _check(shape: tuple[int, ...], dtype: np.dtype, name: str) -> None:
    if dtype.kind not in "fiub":
        raise invalid(
            name,
            "an array of real numbers",
            f"values of type {dtype}",
            "Split real and imaginary parts into columns."
            if dtype.kind == "c"
            else "Convert it before saving: X.astype(float).",
        )
    if len(shape) != 2 or 0 in shape:
        raise invalid(
            name,
            "a table with rows and columns",
            f"an array of shape {shape}",
            "Reshape it: X.reshape(len(X), -1)." if 0 not in shape else "Fill it.",
        )


def _check_room(shape: tuple[int, ...], dtype: np.dtype, name: str, options: Options) -> None:
    free, wanted = available_memory(), dtype.itemsize * shape[0] * shape[1]
    if free is not None and wanted > free:
        raise invalid(
            name,
            f"small enough for the {readable_size(free)} of free memory",
            f"{readable_size(wanted)}",
            f"Choose fewer columns with {option('columns')}, or save it as a float32 .npy "
            "file, which is read in blocks.",
        )

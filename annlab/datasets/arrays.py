"""Arrays of numbers from ``.npy`` and ``.npz`` files, looked at before they are read."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from annlab._support.errors import invalid
from annlab._support.reading import npy_header, reading

#: Members of an archive that scipy.sparse.save_npz wrote.
_SPARSE = {"data", "shape", "format"}


@dataclass(frozen=True)
class ArrayFile:
    """An array in a file that was looked at and not yet read.

    Attributes
    ----------
    n, d : int
    load : function
        Returns the array of shape (n, d): memory-mapped from an ``.npy`` file, CSR from a file of
        scipy.sparse.save_npz.
    load_bytes : int
        Memory that `load` takes; 0 where the file is memory-mapped.
    """

    n: int
    d: int
    load: Callable[[], Any]
    load_bytes: int


def open_array(path: Path, key: str | None = None) -> ArrayFile:
    """Look at an ``.npy`` or ``.npz`` file.

    Parameters
    ----------
    path : Path
    key : str, optional
        Array of an ``.npz`` file; may be left out if there is one.

    Returns
    -------
    ArrayFile

    Raises
    ------
    ValueError
        If the file is damaged, or its array is not a table of real numbers.

    Notes
    -----
    Nothing in a file is executed: arrays of objects are refused.
    """
    return _open_npz(path, key) if path.suffix.lower() == ".npz" else _open_npy(path)


def _open_npy(path: Path) -> ArrayFile:
    with (
        path.open("rb") as file,
        reading(path.name, "a whole .npy file", "Save it again: numpy.save('rows.npy', X)."),
    ):
        shape, dtype = npy_header(file)
    n, d = _check(shape, dtype, path.name)
    with reading(path.name, "a whole .npy file", "Save it again: numpy.save('rows.npy', X)."):
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
    return ArrayFile(n, d, lambda: mapped, 0)


def _check(shape: tuple[int, ...], dtype: np.dtype, where: str) -> tuple[int, int]:
    if dtype.kind not in "fiub":
        raise invalid(
            where,
            "an array of real numbers",
            f"values of type {dtype}",
            "Split real and imaginary parts into columns."
            if dtype.kind == "c"
            else "Convert it before saving: X.astype(float).",
        )
    if len(shape) != 2:
        raise invalid(
            where,
            "a table with rows and columns",
            f"an array of shape {shape}",
            "Reshape it: X.reshape(len(X), -1).",
        )
    if 0 in shape:
        raise invalid(where, "a table with rows and columns", f"an empty one of shape {shape}")
    return shape[0], shape[1]


def _open_npz(path: Path, key: str | None) -> ArrayFile:
    remedy = "Save it again: numpy.savez('rows.npz', X=X)."
    with reading(path.name, "an .npz file as numpy.savez writes it", remedy):
        archive = np.load(path, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise ValueError("it holds one array and no archive")
    with archive:
        names = archive.files
        if key is None and set(names) >= _SPARSE:
            return _open_sparse(path)
        if key is None and len(names) == 1:
            key = names[0]
        if key not in names:
            raise invalid(
                "--key",
                "the name of an array in the file",
                key if key is not None else "no name",
                f"There are: {', '.join(names)}.",
            )
        with reading(path.name, "a whole .npz file", remedy), zipfile.ZipFile(path) as members:
            member = key if key in members.namelist() else f"{key}.npy"
            with members.open(member) as file:
                shape, dtype = npy_header(file)
    n, d = _check(shape, dtype, f"{key} in {path.name}")

    def load() -> np.ndarray:
        with reading(path.name, "a whole .npz file", remedy):
            with np.load(path, allow_pickle=False) as again:
                return np.asarray(again[key])

    return ArrayFile(n, d, load, dtype.itemsize * n * d)


def _open_sparse(path: Path) -> ArrayFile:
    from scipy import sparse

    with reading(path.name, "a file of scipy.sparse.save_npz", "Save it again."):
        matrix = sparse.load_npz(path).tocsr()
    n, d = _check(matrix.shape, matrix.dtype, path.name)
    return ArrayFile(n, d, lambda: matrix, matrix.data.nbytes + matrix.indices.nbytes)

"""The standard nearest-neighbour benchmarks: downloaded, verified and cached."""

from __future__ import annotations

import hashlib
import os
import re
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from annlab._support.checks import check_choice, check_integer, check_path
from annlab._support.errors import AnnlabWarning, invalid, require
from annlab._support.files import atomic_write
from annlab._support.progress import Progress
from annlab._support.reading import READ_FAULTS
from annlab.datasets._types import ANNBenchmark

_SITE = "https://ann-benchmarks.com"
#: Sizes of the files in MB, as their site lists them.
_SIZES_MB = {
    "deep-image-96-angular": 3600,
    "fashion-mnist-784-euclidean": 217,
    "gist-960-euclidean": 3600,
    "glove-25-angular": 121,
    "glove-50-angular": 235,
    "glove-100-angular": 463,
    "glove-200-angular": 918,
    "lastfm-64-dot": 135,
    "mnist-784-euclidean": 217,
    "nytimes-256-angular": 301,
    "sift-128-euclidean": 501,
}
_METRICS = {"euclidean": "euclidean", "angular": "cosine", "cosine": "cosine"}
_PARTS = ("train", "test", "neighbors", "distances")
#: Decoded arrays larger than this are refused unless the caller raises the limit.
_MAX_BYTES = 8 << 30
_PURPOSE = "to fetch and read the standard nearest-neighbour benchmarks"


def available_ann_benchmarks() -> dict[str, int]:
    """Return the names of the benchmarks, with the size of each download in MB.

    Examples
    --------
    >>> from annlab.datasets import available_ann_benchmarks
    >>> available_ann_benchmarks()["glove-25-angular"]
    121
    """
    return dict(_SIZES_MB)


def _download(
    url: str, output_file: str, pooch: Any, *, name: str, max_bytes: int, progress: bool
) -> None:
    """Download for pooch; stop if the file grows past a limit."""
    import requests

    with requests.get(url, stream=True, timeout=60) as response:
        response.raise_for_status()
        promised = int(response.headers.get("content-length") or 0)
        if promised > max_bytes:
            raise _too_large("url", promised, max_bytes)
        done, line = 0, Progress(progress, promised or max_bytes, name)
        with open(output_file, "wb") as stream:
            for piece in response.iter_content(chunk_size=1 << 20):
                done += len(piece)
                if done > max_bytes:
                    raise _too_large("url", done, max_bytes)
                stream.write(piece)
                line.update(done, f"{done / 1e6:.1f} MB")
        line.close(f"{done / 1e6:.1f} MB")


def _too_large(name: str, size: int, limit: int) -> Exception:
    return invalid(
        name,
        f"at most max_bytes={limit:,} bytes",
        f"{size:,} bytes",
        "Raise max_bytes if you trust the file.",
    )


def _sha256(path: Path) -> str:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _known(known_hash: str | None, record: Path) -> str | None:
    """Return the required checksum: the caller's, or that of the first download."""
    value = known_hash
    if value is None and record.is_file():
        value = record.read_text(encoding="ascii", errors="replace").split(maxsplit=1)[0]
    if value is None:
        return None
    if not isinstance(value, str) or not re.fullmatch(r"(sha256:)?[0-9a-fA-F]{64}", value):
        raise invalid(
            "known_hash",
            "a sha256 checksum of 64 hexadecimal digits",
            repr(value),
            f"If it was read from {record.name}, delete that file.",
        )
    return value.removeprefix("sha256:").lower()


def fetch_ann_benchmark(
    name: str,
    *,
    url: str | None = None,
    known_hash: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    max_bytes: int | None = None,
    progress: bool = False,
) -> ANNBenchmark:
    """Download a standard nearest-neighbour benchmark, or read it from the cache.

    Parameters
    ----------
    name : str
        One of `available_ann_benchmarks`; any plain file name where ``url`` is given.
    url : str, optional
        Another address of an HDF5 file of the same layout (https or http).
    known_hash : str, optional
        The sha256 checksum that the file must have.
    cache_dir : path-like, optional
        Default: the environment variable ``ANNLAB_CACHE``, else the user's cache folder.
    max_bytes : int, optional
        Refuse a larger download, and larger arrays in the file. Default: 8 GiB.
    progress : bool, default=False
        Report the megabytes on standard error.

    Returns
    -------
    ANNBenchmark
        ``train``, ``test``, ``neighbors``, ``distances``, ``metric`` and ``sha256``.

    Raises
    ------
    ValueError
        For an unknown name, a wrong checksum, a file that is too large or has another layout.
    MissingExtraError
        If pooch or h5py is not installed.
    OSError
        If the network or the cache cannot be reached.

    Warns
    -----
    AnnlabWarning
        At the first download of a file for which no checksum is known.

    Notes
    -----
    The site publishes no checksums: the first download is trusted, and its sha256 is written
    beside the file. Later uses verify the file against it, and fetch a damaged file again. An
    interrupted download leaves nothing behind.

    Source: Aumüller, Bernhardsson & Faithfull (2020), ANN-Benchmarks, Information Systems 87,
    doi 10.1016/j.is.2019.02.006.

    Examples
    --------
    >>> from annlab.datasets import fetch_ann_benchmark
    >>> fetch_ann_benchmark("glove-25-angular")  # doctest: +SKIP
    ANNBenchmark glove-25-angular: 1,183,514 points, 25 features, 10,000 queries ...
    """
    url = _address(name, url)
    limit = _MAX_BYTES if max_bytes is None else check_integer(max_bytes, "max_bytes")
    pooch = require("pooch", purpose=_PURPOSE, extra="lab")
    require("h5py", purpose=_PURPOSE, extra="lab")
    folder = Path(
        cache_dir
        if cache_dir is not None
        else os.environ.get("ANNLAB_CACHE") or pooch.os_cache("annlab")
    )
    target = folder / f"{name}.hdf5"
    record = folder / f"{name}.hdf5.sha256"
    expected = _known(known_hash, record)
    is_first = not target.is_file()
    logger = pooch.get_logger()
    level = logger.level
    # its advice on checksums does not apply here
    logger.setLevel("WARNING")
    try:
        pooch.retrieve(
            url,
            known_hash=None if expected is None else f"sha256:{expected}",
            fname=target.name,
            path=folder,
            downloader=partial(_download, name=name, max_bytes=limit, progress=progress),
        )
    finally:
        logger.setLevel(level)
    try:
        benchmark = _read(target, name, expected, limit)
    except ValueError:
        # a file that cannot be read must not be trusted from now on
        if is_first:
            target.unlink(missing_ok=True)
        raise
    if expected is None:
        # in the format of sha256sum
        with atomic_write(record, text=True) as stream:
            stream.write(f"{benchmark.sha256}  {target.name}\n")
        if is_first:
            warnings.warn(
                f"No checksum is known for {name!r}; this first download is not verified. Its "
                f"sha256 {benchmark.sha256} is recorded in the cache and verified from now on.",
                AnnlabWarning,
                stacklevel=2,
            )
    return benchmark


def _address(name: str, url: str | None) -> str:
    """Return the address of a file; refuse other schemes and paths as names."""
    if url is None:
        check_choice(name, "name", _SIZES_MB)
        return f"{_SITE}/{name}.hdf5"
    if not isinstance(url, str) or not url.lower().startswith(("https://", "http://")):
        raise invalid(
            "url",
            "an address that starts with https:// or http://",
            repr(url),
            "Read a file that is on disk with read_ann_benchmark(path).",
        )
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", name):
        # the name becomes a file in the cache
        raise invalid(
            "name", "letters, digits, dots, hyphens and underscores", repr(name), "Rename it."
        )
    return url


def read_ann_benchmark(
    path: str | os.PathLike[str], *, max_bytes: int | None = None
) -> ANNBenchmark:
    """Read a benchmark file that is already on disk.

    Parameters
    ----------
    path : path-like
        An HDF5 file with ``train``, ``test``, ``neighbors``, ``distances`` and the attribute
        ``distance`` (``"euclidean"`` or ``"angular"``).
    max_bytes : int, optional
        Refuse a larger file, and larger arrays in it, before any of it is decoded.
        Default: 8 GiB.

    Returns
    -------
    ANNBenchmark

    Raises
    ------
    ValueError
        If the file is too large or has another layout.
    MissingExtraError
        If h5py is not installed.
    OSError
        If the file cannot be read.

    Notes
    -----
    Links, external storage and virtual datasets are refused, so the file cannot read others. The
    HDF5 library is not hardened against malicious files: read files from people you trust.

    Examples
    --------
    >>> from annlab.datasets import read_ann_benchmark
    >>> read_ann_benchmark("sift-128-euclidean.hdf5").metric  # doctest: +SKIP
    'euclidean'
    """
    require("h5py", purpose=_PURPOSE, extra="lab")
    file = check_path(path)
    limit = _MAX_BYTES if max_bytes is None else check_integer(max_bytes, "max_bytes")
    return _read(file, file.stem, None, limit)


def _read(path: Path, name: str, checksum: str | None, limit: int) -> ANNBenchmark:
    import h5py

    size = path.stat().st_size
    if size > limit:
        raise _too_large("path", size, limit)
    try:
        with h5py.File(path, "r") as file:
            parts = {part: _dataset(file, part) for part in _PARTS}
            promised = sum(int(np.prod(p.shape)) * p.dtype.itemsize for p in parts.values())
            # a compressed file may hold far more than its size
            if promised > limit:
                raise _too_large("path", promised, limit)
            n, d = parts["train"].shape
            nq, m = parts["neighbors"].shape
            if parts["test"].shape != (nq, d) or parts["distances"].shape != (nq, m) or not n:
                shapes = ", ".join(f"{part} {data.shape}" for part, data in parts.items())
                raise ValueError(f"the shapes do not fit together: {shapes}")
            kind = file.attrs.get("distance", "")
            kind = kind.decode() if isinstance(kind, bytes) else str(kind)
            if kind not in _METRICS:
                raise ValueError(f"the distance {kind!r} is neither 'euclidean' nor 'angular'")
            train, test, distances = (
                parts[part].astype(np.float32)[...] for part in ("train", "test", "distances")
            )
            neighbors = parts["neighbors"].astype(np.int64)[...]
        if neighbors.size and not 0 <= neighbors.min() <= neighbors.max() < n:
            raise ValueError("neighbors contain row numbers that train does not have")
        if not all(np.isfinite(array).all() for array in (train, test, distances)):
            raise ValueError("NaN or infinity in the data")
    except READ_FAULTS as reason:
        if isinstance(reason, FileNotFoundError):
            raise
        raise invalid(
            "path",
            "an undamaged HDF5 file with train, test, neighbors and distances",
            f"{path.name} ({reason})",
            "Delete it from the cache to fetch it again.",
        ) from reason
    return ANNBenchmark(
        train=train,
        test=test,
        neighbors=neighbors,
        distances=distances,
        metric=_METRICS[kind],
        name=name,
        path=path,
        sha256=_sha256(path) if checksum is None else checksum,
    )


def _dataset(file: Any, part: str) -> Any:
    """Return a plain 2-D numeric dataset that is stored in this file."""
    import h5py

    link = file.get(part, getlink=True)
    # links, external storage and virtual datasets can make one file read any other
    if not isinstance(link, h5py.HardLink) or not isinstance(file[part], h5py.Dataset):
        raise ValueError(f"{part} is missing or is not stored in the file")
    data = file[part]
    if data.external or data.is_virtual:
        raise ValueError(f"{part} is stored outside the file")
    wanted = "iu" if part == "neighbors" else "fiu"
    if data.ndim != 2 or data.dtype.kind not in wanted:
        raise ValueError(f"{part} has shape {data.shape} and dtype {data.dtype}")
    return data

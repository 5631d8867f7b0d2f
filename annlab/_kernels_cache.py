"""Where compiled loops are kept, whether they are there already, and how to get them.

Compiling takes seconds, loading from the cache a fraction of one. So nothing here compiles unless
it is asked to, and a job that NumPy finishes sooner never asks.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

_lock = threading.Lock()
_loaded: ModuleType | None = None
_failed = False


def _processor() -> str:
    """Tell this processor from another one: machine code does not travel between them."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("flags"):
                return line
    except OSError:
        pass
    import platform

    return platform.machine() + platform.processor()


@lru_cache(maxsize=1)
def _fingerprint() -> str:
    """Change when the source, numba, Python or the processor changes."""
    from importlib.metadata import PackageNotFoundError, version

    source = Path(__file__).with_name("_kernels.py").read_bytes()
    try:
        numba = version("numba")
    except PackageNotFoundError:  # pragma: no cover - numba is a core dependency
        numba = "none"
    parts = (source, numba.encode(), sys.version.encode(), _processor().encode())
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def _is_private(folder: Path) -> bool:
    """Accept a folder that only this user can write to: the cache holds code that will run."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        if hasattr(os, "getuid"):
            status = folder.stat()
            return status.st_uid == os.getuid() and not status.st_mode & 0o022
        return True
    except OSError:
        return False


@lru_cache(maxsize=1)
def cache_folder() -> Path | None:
    """Folder of the machine code, or None where this user can write nowhere.

    ``NUMBA_CACHE_DIR`` if it is set; else the user's cache folder (``XDG_CACHE_HOME`` or
    ``~/.cache``, ``LOCALAPPDATA`` on Windows); else a private folder among the temporary files.
    The folder where annlab is installed is never written to, so it may be read-only.
    """
    roots: list[Path] = []
    if os.environ.get("NUMBA_CACHE_DIR"):
        roots.append(Path(os.environ["NUMBA_CACHE_DIR"]))
    if sys.platform == "win32" and os.environ.get("LOCALAPPDATA"):
        roots.append(Path(os.environ["LOCALAPPDATA"]) / "annlab")
    if os.environ.get("XDG_CACHE_HOME"):
        roots.append(Path(os.environ["XDG_CACHE_HOME"]) / "annlab")
    with contextlib.suppress(RuntimeError):
        roots.append(Path.home() / ".cache" / "annlab")
    user = os.getuid() if hasattr(os, "getuid") else "user"
    # gettempdir raises where no folder for temporary files can be written
    with contextlib.suppress(OSError):
        roots.append(Path(tempfile.gettempdir()) / f"annlab-{user}")
    for root in roots:
        folder = root / f"kernels-{_fingerprint()}"
        if _is_private(folder):
            return folder
    return None


@contextlib.contextmanager
def numba_cache() -> Iterator[bool]:
    """Point numba at `cache_folder` while one function is declared; yield whether it may cache.

    The setting is put back, because other packages in this process use numba as well.
    """
    import numba

    # the settings appear in that module when it is imported, so a type checker sees none of them
    config: Any = numba.config
    folder = cache_folder()
    if folder is None:
        yield False
        return
    before = config.CACHE_DIR
    config.CACHE_DIR = str(folder)
    try:
        yield True
    finally:
        config.CACHE_DIR = before


def _marker() -> Path | None:
    folder = cache_folder()
    return None if folder is None else folder / "complete"


def are_warm() -> bool:
    """Tell whether the kernels can be had without compiling: loaded here, or in the cache.

    Reads one small file and imports nothing.
    """
    if _loaded is not None:
        return True
    if _failed or os.environ.get("NUMBA_DISABLE_JIT") == "1":
        return False
    marker = _marker()
    return marker is not None and marker.exists()


def are_loaded() -> bool:
    """Tell whether the kernels are in this process already, so that using them costs nothing."""
    return _loaded is not None


def load_kernels(*, compile: bool, load: bool = True) -> ModuleType | None:
    """Return the module of compiled kernels, or None.

    Parameters
    ----------
    compile : bool
        Whether to compile what the cache does not hold (about 10 s). If False, a cold cache
        gives None.
    load : bool, default=True
        Whether to load what the cache holds (most of a second, once for a process). If False,
        only kernels that this process has already are given.

    Returns
    -------
    module or None
        None also where numba cannot be imported or is switched off: every caller has the plain
        NumPy twin (`annlab._kernels_numpy`) to fall back on.
    """
    global _loaded, _failed
    if _loaded is not None:
        return _loaded
    if _failed or os.environ.get("NUMBA_DISABLE_JIT") == "1" or not load:
        return None
    if not (compile or are_warm()):
        return None
    with _lock:
        if _loaded is None and not _failed:
            try:
                from annlab import _kernels
            except (ImportError, OSError):
                # no numba, or a disk that fills while the machine code is written
                _failed = True
                return None
            # numba's BLAS is another library than NumPy's: the limit on threads must find it too
            from annlab._support import threads

            threads.forget_blas_libraries()
            marker = _marker()
            if marker is not None:
                with contextlib.suppress(OSError):
                    marker.touch()
            _loaded = _kernels
    return _loaded


def warmup() -> float:
    """Compile every kernel, or load it from the cache; return the seconds it took.

    Examples
    --------
    >>> from annlab._kernels_cache import warmup
    >>> warmup() >= 0.0
    True
    """
    from time import perf_counter

    start = perf_counter()
    load_kernels(compile=True)
    return perf_counter() - start

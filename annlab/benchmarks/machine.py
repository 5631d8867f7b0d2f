"""What every measurement carries along: the machine, its limits, memory, and who else used it."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import platform
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

import numpy as np

#: Packages whose version changes a measurement.
_PACKAGES = (
    "annlab-kmeans",
    "numpy",
    "scipy",
    "scikit-learn",
    "hnswlib",
    "faiss-cpu",
    "superkmeans",
    "threadpoolctl",
)


def package_versions() -> dict[str, str]:
    """Versions of the installed packages that take part in measurements.

    Examples
    --------
    >>> from annlab.benchmarks.machine import package_versions
    >>> "numpy" in package_versions()
    True
    """
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _memory_bytes() -> int | None:
    try:
        return int(os.sysconf("SC_PAGE_SIZE")) * int(os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):
        return None


@lru_cache(maxsize=1)
def _fixed_facts() -> tuple[tuple[str, Any], ...]:
    return (
        ("processor", _processor()),
        ("architecture", platform.machine()),
        ("memory_bytes", _memory_bytes()),
        ("system", f"{platform.system()} {platform.release()}"),
        ("python", platform.python_version()),
        ("versions", package_versions()),
    )


def machine_record() -> dict[str, Any]:
    """Describe the machine, the threads and the versions of this process.

    Returns
    -------
    dict
        processor, architecture, memory_bytes, system, python, versions, cores (of the machine),
        threads (that this process may use), blas (libraries with their threads), date (UTC).
        Nothing that names the machine or its user.

    Examples
    --------
    >>> from annlab.benchmarks import machine_record
    >>> machine_record()["threads"] >= 1
    True
    """
    from threadpoolctl import threadpool_info

    from annlab._support.threads import available_cpus

    libraries = [
        {
            "api": library["user_api"],
            "name": library["internal_api"],
            "version": library.get("version"),
            "threads": library["num_threads"],
        }
        for library in threadpool_info()
    ]
    record = dict(_fixed_facts())
    record["cores"] = os.cpu_count()
    record["threads"] = available_cpus()
    record["libraries"] = libraries
    record["date"] = datetime.now(UTC).isoformat(timespec="seconds")
    return record


# --- memory ------------------------------------------------------------------------------------


def _status() -> dict[str, int]:
    fields = {}
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name in ("VmHWM", "VmRSS", "RssAnon", "RssFile", "RssShmem"):
            fields[name] = int(value.split()[0]) * 1024
    return fields


class PeakMemory:
    """Anonymous memory that a piece of work needs above what was there before.

    Mapped files (libraries, data) count as resident memory too, so the resident peak alone would
    depend on which pages happen to be loaded. On Linux the peak is read from the kernel's own
    high-water mark, which is reset first: no sampling that could miss a short peak. Elsewhere
    the peak of the whole process is used, and ``method`` says so.

    Attributes
    ----------
    method : str
        ``"anonymous"``, ``"resident"`` or ``"none"``.

    Examples
    --------
    >>> import numpy as np
    >>> from annlab.benchmarks.machine import PeakMemory
    >>> memory = PeakMemory()
    >>> block = np.ones(4_000_000)
    >>> memory.method != "anonymous" or memory.peak_bytes() > 31_000_000
    True
    """

    def __init__(self) -> None:
        try:
            _give_back()
            self._base = _status()["RssAnon"]
            self.method = "anonymous"
            self.reset()
        except (OSError, KeyError):
            self.method = "resident" if _resident_peak() is not None else "none"
            self._base = _resident_peak() or 0

    def reset(self) -> None:
        """Forget the peak so far; what was there at the start stays the base."""
        if self.method == "anonymous":
            _give_back()
            # 5 resets VmHWM to the present size, see proc(5)
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")

    def peak_bytes(self) -> int | None:
        """Highest memory since the last reset, above the base; None where nobody knows."""
        if self.method == "anonymous":
            now = _status()
            files = now["RssFile"] + now.get("RssShmem", 0)
            return max(0, now["VmHWM"] - files - self._base)
        peak = _resident_peak()
        return None if peak is None else max(0, peak - self._base)


def _give_back() -> None:
    """Let the C library return freed memory to the system, or it would count for the next run."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _resident_peak() -> int | None:
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak) if sys.platform == "darwin" else int(peak) * 1024


# --- who else ----------------------------------------------------------------------------------


class OtherLoad:
    """Cores that other processes kept busy meanwhile: a measurement with neighbours is marked.

    Examples
    --------
    >>> from annlab.benchmarks.machine import OtherLoad
    >>> load = OtherLoad()
    >>> cores = load.cores()
    >>> cores is None or cores >= 0
    True
    """

    def __init__(self) -> None:
        self._begin = self._read()

    @staticmethod
    def _read() -> tuple[float, float, float] | None:
        try:
            words = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]
            ticks = os.sysconf("SC_CLK_TCK")
        except (OSError, ValueError, AttributeError):
            return None
        # user nice system idle iowait irq softirq steal: all but the fourth and the fifth is work
        busy = sum(int(word) for word in words[:3] + words[5:]) / ticks
        own = os.times()
        return perf_counter(), busy, own.user + own.system

    def cores(self) -> float | None:
        """Mean number of cores busy for others since the start; None where unknown.

        The kernel counts in hundredths of a second, so nothing is said about less than half of
        one.
        """
        end = self._read()
        if self._begin is None or end is None or end[0] - self._begin[0] < 0.5:
            return None
        elapsed = end[0] - self._begin[0]
        return max(0.0, (end[1] - self._begin[1] - (end[2] - self._begin[2])) / elapsed)


#: More busy cores of others than this, and a run counts as disturbed.
DISTURBED = 0.25


def wait_until_idle(limit_s: float) -> bool:
    """Wait until other processes leave the machine, up to so many seconds.

    Returns
    -------
    bool
        Whether it is idle: others keep at most a quarter of a core busy, or nobody can tell.

    Examples
    --------
    >>> from annlab.benchmarks.machine import wait_until_idle
    >>> wait_until_idle(0.0)
    False
    """
    give_up = perf_counter() + limit_s
    while perf_counter() < give_up:
        load = OtherLoad()
        sleep(0.6)
        cores = load.cores()
        if cores is None or cores <= DISTURBED:
            return True
    return False


# --- floors ------------------------------------------------------------------------------------


def _best(action: Callable[[], Any], seconds: float) -> float:
    """Shortest of the runs that fit in ``seconds``, after one that does not count."""
    action()
    best, begin = np.inf, perf_counter()
    while True:
        start = perf_counter()
        action()
        end = perf_counter()
        best = min(best, end - start)
        if end - begin > seconds:
            return best


def gemm_rate(*, size: int = 2048, seconds: float = 1.0) -> float:
    """Measure the peak of float32 matrix products, in operations per second.

    Parameters
    ----------
    size : int, default=2048
        Rows and columns of the square factors.
    seconds : float, default=1.0
        Time to measure for; the best run counts.

    Returns
    -------
    float
        2·size³ / seconds of the fastest product, with all threads of this process's BLAS.

    Examples
    --------
    >>> from annlab.benchmarks.machine import gemm_rate
    >>> gemm_rate(size=64, seconds=0.01) > 1e6
    True
    """
    rng = np.random.RandomState(0)
    A, B = (rng.rand(size, size).astype(np.float32) for _ in range(2))
    out = np.empty((size, size), dtype=np.float32)
    return 2.0 * size**3 / _best(lambda: np.matmul(A, B, out=out), seconds)


def memory_rate(*, n_bytes: int = 1 << 28, seconds: float = 1.0) -> float:
    """Measure how fast this process can read main memory once, in bytes per second.

    Parameters
    ----------
    n_bytes : int, default=2**28
        Size of the array; far larger than any cache.
    seconds : float, default=1.0

    Returns
    -------
    float
        With one thread for each core of this process.

    Examples
    --------
    >>> from annlab.benchmarks.machine import memory_rate
    >>> memory_rate(n_bytes=1 << 20, seconds=0.01) > 1e6
    True
    """
    from annlab._support.threads import Workers, chunk_bounds

    data = np.ones(n_bytes // 4, dtype=np.float32)
    with Workers() as workers:
        rows = max(1, len(data) // (4 * workers.n_jobs))
        pieces = [(data[a:b], data[a:b]) for a, b in chunk_bounds(len(data), rows)]
        # an inner product with itself does nearly nothing else than read
        best = _best(lambda: workers.map(np.dot, pieces), seconds)
    return data.nbytes / best


def measure_floors(n: int, d: int, n_clusters: int, *, seconds: float = 1.0) -> dict[str, float]:
    """What exact k-means cannot go below here: its products, and one read of the data.

    Parameters
    ----------
    n, d, n_clusters : int
        Shape of the problem; the data count as float32.
    seconds : float, default=1.0
        Time for each of the two measurements.

    Returns
    -------
    dict
        gemm_flops and memory_bytes_per_s, measured; gemm_iteration_s = 2·n·k·d / gemm_flops and
        memory_iteration_s = 4·n·d / memory_bytes_per_s: the floors of one exact iteration.

    Examples
    --------
    >>> from annlab.benchmarks import measure_floors
    >>> floors = measure_floors(1000, 10, 5, seconds=0.01)
    >>> floors["gemm_iteration_s"] == 2 * 1000 * 10 * 5 / floors["gemm_flops"]
    True
    """
    flops, rate = gemm_rate(seconds=seconds), memory_rate(seconds=seconds)
    return {
        "gemm_flops": flops,
        "memory_bytes_per_s": rate,
        "gemm_iteration_s": 2.0 * n * n_clusters * d / flops,
        "memory_iteration_s": 4.0 * n * d / rate,
    }

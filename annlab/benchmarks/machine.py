"""Describe the machine: its limits, its memory, and other load."""

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


def _package_versions() -> dict[str, str]:
    """Return the versions of the packages that take part in measurements."""
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
        ("versions", _package_versions()),
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


# --- memory -------------------------------------------------------------------------------------


def _status() -> dict[str, int]:
    fields = {}
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name in ("VmHWM", "VmRSS", "RssAnon", "RssFile", "RssShmem"):
            fields[name] = int(value.split()[0]) * 1024
    return fields


class PeakMemory:
    """Measure the peak of anonymous memory above what was in use before.

    Resident memory alone would depend on which pages of mapped files (libraries, data) are loaded.
    On Linux the peak is the kernel's own high-water mark, so short peaks are not missed. Elsewhere
    it is the peak of the whole process, and ``method`` says so.

    Attributes
    ----------
    method : {"anonymous", "resident", "none"}
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
        """Forget the peak so far; memory in use at the start stays the base."""
        if self.method == "anonymous":
            _give_back()
            # 5 resets VmHWM to the present size, see proc(5)
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")

    def peak_bytes(self) -> int | None:
        """Return the peak memory since the last reset, above the base, or None."""
        if self.method == "anonymous":
            now = _status()
            files = now["RssFile"] + now.get("RssShmem", 0)
            return max(0, now["VmHWM"] - files - self._base)
        peak = _resident_peak()
        return None if peak is None else max(0, peak - self._base)


def _give_back() -> None:
    """Return freed memory to the system, or it would count for the next run."""
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


# --- other processes ---------------------------------------------------------------------------


class OtherLoad:
    """Measure how many cores other processes keep busy from now on."""

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
        """Return the mean number of cores busy for others; None if unknown.

        The kernel counts in hundredths of a second, so it takes at least half a second to tell.
        """
        end = self._read()
        if self._begin is None or end is None or end[0] - self._begin[0] < 0.5:
            return None
        elapsed = end[0] - self._begin[0]
        return max(0.0, (end[1] - self._begin[1] - (end[2] - self._begin[2])) / elapsed)


#: A run is disturbed if others keep more cores busy.
DISTURBED = 0.25


def wait_until_idle(limit_s: float) -> bool:
    """Wait for an idle machine until time is up; return whether it is idle.

    It is idle if others keep at most a quarter of a core busy, or if that is unknown.
    """
    give_up = perf_counter() + limit_s
    while perf_counter() < give_up:
        load = OtherLoad()
        sleep(0.6)
        cores = load.cores()
        if cores is None or cores <= DISTURBED:
            return True
    return False


# --- floors -------------------------------------------------------------------------------------


def _best(action: Callable[[], Any], seconds: float) -> float:
    """Return the shortest of the runs that fit in ``seconds``, after a warm-up."""
    action()
    best, begin = np.inf, perf_counter()
    while True:
        start = perf_counter()
        action()
        end = perf_counter()
        best = min(best, end - start)
        if end - begin > seconds:
            return best


def _gemm_rate(seconds: float) -> float:
    """Measure the peak of float32 matrix products in operations per second."""
    size = 2048
    rng = np.random.RandomState(0)
    A, B = (rng.rand(size, size).astype(np.float32) for _ in range(2))
    out = np.empty((size, size), dtype=np.float32)
    return 2.0 * size**3 / _best(lambda: np.matmul(A, B, out=out), seconds)


def _memory_rate(seconds: float) -> float:
    """Measure how fast this process reads main memory, in bytes per second."""
    from annlab._support.threads import Workers, chunk_bounds

    # far larger than any cache
    data = np.ones(1 << 26, dtype=np.float32)
    with Workers() as workers:
        chunks = chunk_bounds(len(data), max(1, len(data) // (4 * workers.n_jobs)))
        pieces = [(data[a:b], data[a:b]) for a, b in chunks]
        # an inner product with itself does little else than read
        best = _best(lambda: workers.map(np.dot, pieces), seconds)
    return data.nbytes / best


def measure_floors(n: int, d: int, n_clusters: int, *, seconds: float = 1.0) -> dict[str, float]:
    """Measure lower bounds for an exact iteration: its products, one data read.

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
    flops, rate = _gemm_rate(seconds), _memory_rate(seconds)
    return {
        "gemm_flops": flops,
        "memory_bytes_per_s": rate,
        "gemm_iteration_s": 2.0 * n * n_clusters * d / flops,
        "memory_iteration_s": 4.0 * n * d / rate,
    }

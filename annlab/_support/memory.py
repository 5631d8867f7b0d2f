"""Memory that this process may use, within the limits of its container."""

from __future__ import annotations

import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")


def readable_size(n_bytes: float) -> str:
    """Format a number of bytes.

    Examples
    --------
    >>> from annlab._support.memory import readable_size
    >>> readable_size(3_200_000_000), readable_size(512)
    ('3.2 GB', '512 bytes')
    """
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if n_bytes >= size:
            return f"{n_bytes / size:.1f} {unit}"
    return f"{int(n_bytes)} bytes"


def _number(path: Path) -> int | None:
    """Read a number from a file of the kernel; None for "max" or a missing file."""
    try:
        return int(path.read_text().strip())
    except (OSError, ValueError):
        return None


def _entry(path: Path, name: str) -> int:
    """Read a number from a file of lines such as ``name 123``; 0 if missing."""
    try:
        for line in path.read_text().splitlines():
            words = line.replace(":", " ").split()
            if words and words[0] == name:
                return int(words[1])
    except (OSError, ValueError, IndexError):
        pass
    return 0


def container_limit(root: Path = _CGROUP) -> int | None:
    """Return the memory limit of this container in bytes, or None."""
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        limit = _number(root / name)
        # version 1 writes a number near 2**63 for no limit
        if limit is not None and limit < 1 << 60:
            return limit
    return None


def _container_free(root: Path) -> int | None:
    limit = container_limit(root)
    if limit is None:
        return None
    for used, facts, entry in (
        ("memory.current", "memory.stat", "inactive_file"),
        ("memory/memory.usage_in_bytes", "memory/memory.stat", "total_inactive_file"),
    ):
        taken = _number(root / used)
        if taken is not None:
            # the page cache counts as used, but is freed when needed
            return max(0, limit - taken + _entry(root / facts, entry))
    return limit


def total_memory() -> int | None:
    """Return the memory of the machine or container in bytes; None if unknown."""
    sizes = [container_limit()]
    try:
        sizes.append(int(os.sysconf("SC_PAGE_SIZE")) * int(os.sysconf("SC_PHYS_PAGES")))
    except (AttributeError, ValueError, OSError):
        sizes.append(_from_psutil("total"))
    return min((size for size in sizes if size), default=None)


def available_memory() -> int | None:
    """Return the bytes that are free without swapping; None if unknown.

    Examples
    --------
    >>> from annlab._support.memory import available_memory, total_memory
    >>> free, total = available_memory(), total_memory()
    >>> free is None or total is None or 0 < free <= total
    True
    """
    machine = 1024 * _entry(Path("/proc/meminfo"), "MemAvailable") or _from_psutil("available")
    sizes = [size for size in (machine, _container_free(_CGROUP)) if size is not None]
    return min(sizes, default=None)


def _from_psutil(name: str) -> int | None:
    """Ask psutil, which notebook kernels install, on systems without /proc."""
    try:
        import psutil
    except ImportError:
        return None
    return int(getattr(psutil.virtual_memory(), name))

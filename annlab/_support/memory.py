"""Memory that this process may use: the machine's, or what its container leaves of it."""

from __future__ import annotations

import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")


def readable_size(n_bytes: float) -> str:
    """Write a number of bytes as people read it.

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
    """The number in a file of the kernel's; None for "max", and where there is no such file."""
    try:
        return int(path.read_text().strip())
    except (OSError, ValueError):
        return None


def _entry(path: Path, name: str) -> int:
    """The number behind ``name`` in a file of lines such as ``name 123``; 0 if it is not there."""
    try:
        for line in path.read_text().splitlines():
            words = line.replace(":", " ").split()
            if words and words[0] == name:
                return int(words[1])
    except (OSError, ValueError, IndexError):
        pass
    return 0


def container_limit(root: Path = _CGROUP) -> int | None:
    """Bytes that the container of this process may use, or None without a limit."""
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        limit = _number(root / name)
        # version 1 writes a number near 2**63 where it means none
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
            # pages of files that were read are counted as used, and given back when needed
            return max(0, limit - taken + _entry(root / facts, entry))
    return limit


def total_memory() -> int | None:
    """Bytes of the machine or of the container, whichever is less; None where unknown."""
    sizes = [container_limit()]
    try:
        sizes.append(int(os.sysconf("SC_PAGE_SIZE")) * int(os.sysconf("SC_PHYS_PAGES")))
    except (AttributeError, ValueError, OSError):
        sizes.append(_from_psutil("total"))
    return min((size for size in sizes if size), default=None)


def available_memory() -> int | None:
    """Bytes that can be taken now without swapping; None where the system does not say.

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
    """For systems without /proc: psutil, which every kernel of a notebook brings along."""
    try:
        import psutil
    except ImportError:
        return None
    return int(getattr(psutil.virtual_memory(), name))

"""Cores, memory, room on the disk, and folders that can be written."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from annlab._cli.doctor.findings import Finding
from annlab._cli.doctor.shell import command_line, set_variable
from annlab._support.memory import available_memory, container_limit, readable_size, total_memory
from annlab._support.places import COPIES

_LITTLE_MEMORY, _TOO_LITTLE_MEMORY = 1_000_000_000, 300_000_000
_LITTLE_DISK, _TOO_LITTLE_DISK = 500_000_000, 50_000_000


def check_threads() -> Finding:
    """Check the cores available after affinity, quota and settings."""
    machine = os.cpu_count() or 1
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else machine
    quota = _cpu_quota()
    try:
        from annlab._support.threads import available_cpus

        usable = available_cpus()
    except ImportError:
        usable = affinity
    names = ("OMP_NUM_THREADS", "LOKY_MAX_CPU_COUNT")
    settings = {name: os.environ[name] for name in names if os.environ.get(name)}
    facts: dict[str, object] = {"machine": machine, "affinity": affinity, "usable": usable}
    facts |= {"container_quota": quota, "settings": settings}
    text = f"{usable} of {machine} core{'s' * (machine != 1)} for this process"
    if quota is not None and quota < machine:
        text += f" (a container's quota of {quota:g})"
    elif affinity < machine:
        text += " (its affinity)"
    text += "."
    cap = settings.get("LOKY_MAX_CPU_COUNT", "")
    if cap.isdigit() and int(cap) < min(affinity, machine):
        text += f" LOKY_MAX_CPU_COUNT={cap} limits annlab to fewer."
        return Finding("threads", "note", text, "unset LOKY_MAX_CPU_COUNT", facts)
    if quota is not None and quota < 1:
        text += " Less than one core: expect long waits."
        fix = "Give the container at least one core: docker run --cpus=2"
        return Finding("threads", "warning", text, fix, facts)
    return Finding("threads", "ok", text, facts=facts)


def _cpu_quota(root: Path = Path("/sys/fs/cgroup")) -> float | None:
    """Return the container's quota of cores, a fraction; None without a quota."""
    with contextlib.suppress(OSError, ValueError):
        quota, period = (root / "cpu.max").read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    with contextlib.suppress(OSError, ValueError):
        amount = int((root / "cpu" / "cpu.cfs_quota_us").read_text())
        every = int((root / "cpu" / "cpu.cfs_period_us").read_text())
        return amount / every if amount > 0 else None
    return None


def check_memory() -> Finding:
    """Check the free memory, within the container's limit."""
    free, total, limit = available_memory(), total_memory(), container_limit()
    facts = {"available_bytes": free, "total_bytes": total, "container_limit_bytes": limit}
    if free is None or total is None:
        return Finding("memory", "note", "This system does not say how much is free.", facts=facts)
    held = " (the container's limit)" if limit is not None and limit == total else ""
    text = f"{readable_size(free)} of {readable_size(total)}{held} are free."
    fix = "Close other programs and shut down notebooks that you do not use"
    fix += ", or give the container more: docker run --memory=4g" if held else "."
    if free < _TOO_LITTLE_MEMORY:
        text += " A kernel needs more than that and would be killed."
        return Finding("memory", "problem", text, fix, facts)
    if free < _LITTLE_MEMORY:
        text += " The larger notebooks need about 1 GB."
        return Finding("memory", "warning", text, fix, facts)
    return Finding("memory", "ok", text, facts=facts)


def _existing(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that exists."""
    folder = Path(os.path.abspath(folder))
    for place in (folder, *folder.parents):
        if os.path.lexists(place):
            return place
    return folder


def _write_error(folder: Path) -> str:
    """Return why a folder or its nearest parent is not writable, or ""."""
    place = _existing(folder)
    if not place.is_dir():
        return f"{place} is not a folder"
    try:
        with tempfile.TemporaryFile(dir=place) as file:
            # an empty file fits on a full disk
            file.write(b"annlab" * 1000)
            file.flush()
    except OSError as reason:
        return f"{place}: {reason.strerror or reason}"
    return ""


def check_disk(folders: Iterable[Path]) -> Finding:
    """Check the room on the disks that will be written to."""
    room: dict[str, int] = {}
    for folder in folders:
        with contextlib.suppress(OSError):
            room[str(_existing(folder))] = shutil.disk_usage(_existing(folder)).free
    facts = {"free_bytes": room}
    if not room:
        return Finding("disk", "note", "This system does not say how much is free.", facts=facts)
    place, least = min(room.items(), key=lambda pair: pair[1])
    text = f"{readable_size(least)} are free in {place}."
    purge = command_line(sys.executable, "-m", "pip", "cache", "purge")
    fix = f"Free some room there; {purge} helps."
    if least < _TOO_LITTLE_DISK:
        return Finding("disk", "problem", f"{text} Notebooks cannot be saved.", fix, facts)
    if least < _LITTLE_DISK:
        return Finding("disk", "warning", text, fix, facts)
    return Finding("disk", "ok", text, facts=facts)


def check_writing(folder: Path) -> list[Finding]:
    """Check write access to the notebooks and to Jupyter's own files."""

    def look(name: str, folder: Path, trouble: str, fix: str) -> Finding:
        error = _write_error(folder)
        facts = {"folder": str(folder), "error": error}
        if error:
            return Finding(name, "problem", f"{trouble}: {error}.", fix, facts)
        return Finding(name, "ok", f"Files can be written in {_existing(folder)}.", facts=facts)

    fix = f"annlab lab --dir {Path('~') / COPIES}   (or any folder that is yours)"
    findings = [look("notebooks folder", folder, "The notebooks cannot be written", fix)]
    with contextlib.suppress(ImportError):
        from jupyter_core.paths import jupyter_runtime_dir

        fix = set_variable("JUPYTER_RUNTIME_DIR", "jupyter-runtime")
        trouble = "JupyterLab cannot start a kernel, because it cannot write"
        findings.append(look("jupyter", Path(jupyter_runtime_dir()), trouble, fix))
    return findings

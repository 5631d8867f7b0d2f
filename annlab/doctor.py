"""``annlab doctor``: what is wrong with this installation, and the exact command that mends it.

Nothing is taken for granted here: packages are imported in processes of their own, because one
that was built for another processor kills the process that imports it, and only the standard
library is needed to look.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import json
import os
import platform
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from annlab._support.memory import available_memory, container_limit, readable_size, total_memory
from annlab._support.places import COPIES
from annlab._version import __version__

#: From "nothing to do" to "something does not work"; the first two need no action.
STATUSES = ("ok", "note", "warning", "problem")

_OLDEST, _NEWEST_TRIED = (3, 11), (3, 13)
_LITTLE_MEMORY, _TOO_LITTLE_MEMORY = 1_000_000_000, 300_000_000
_LITTLE_DISK, _TOO_LITTLE_DISK = 500_000_000, 50_000_000
_PROBE_S = 120.0

#: Build an index, ask it, and compare: machine code that this processor lacks is met here.
_PROBE_HNSWLIB = """
import hnswlib, numpy as np
X = np.random.RandomState(0).rand(300, 40).astype(np.float32)
for space in ("l2", "ip"):
    index = hnswlib.Index(space, 40)
    index.init_index(max_elements=300, random_seed=1)
    index.add_items(X, num_threads=1)
index = hnswlib.Index("l2", 40)
index.init_index(max_elements=300, ef_construction=200, random_seed=1)
index.add_items(X, num_threads=1)
index.set_ef(200)
labels, _ = index.knn_query(X, k=1, num_threads=1)
assert (labels[:, 0] == np.arange(300)).mean() > 0.95, "the rows do not find themselves"
"""
_PROBE_FAISS = """
import faiss, numpy as np
X = np.random.RandomState(0).rand(300, 40).astype(np.float32)
index = faiss.IndexHNSWFlat(40, 16)
index.add(X)
labels = index.search(X, 1)[1]
assert (labels[:, 0] == np.arange(300)).mean() > 0.95, "the rows do not find themselves"
"""
_PROBE_NUMBA = """
import numba
assert numba.njit(lambda x: x + 1)(1) == 2
"""
#: The name under which a package is imported, where it is not the one it is installed by.
_IMPORTED_AS = {
    "scikit-learn": "sklearn",
    "scikit-image": "skimage",
    "faiss-cpu": "faiss",
    "pillow": "PIL",
    "umap-learn": "umap",
}
#: What a package of the extra "lab" is for.
_PURPOSE = {
    "faiss-cpu": "notebook 10 and the faiss index",
    "umap-learn": "notebook 14",
    "scikit-image": "photographs",
    "anywidget": "canvases to draw on",
    "pandas": "tables",
    "pooch": "downloads",
    "h5py": "downloads",
}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes
    ----------
    name : str
        What was looked at, such as ``"hnswlib"``.
    status : {"ok", "note", "warning", "problem"}
        ``note``: good to know, nothing to do. ``warning``: works, but worse than it should.
        ``problem``: something does not work.
    text : str
        What was found, in a sentence.
    fix : str
        The command, or the action, that mends it; empty where nothing is to be mended.
    facts : dict
        The same as values, for programs.
    """

    name: str
    status: str
    text: str
    fix: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


# ------------------------------------------------------------------------------------------- fixes


def _command(*words: str) -> str:
    """A command line to copy, quoted for this system's shell."""
    if os.name == "nt":
        return subprocess.list2cmdline(words)
    return shlex.join(words)


def _install(*wanted: str) -> str:
    """The command that installs packages into the environment that is being looked at."""
    from importlib.util import find_spec

    if find_spec("pip") is None and shutil.which("uv"):
        return _command("uv", "pip", "install", "--python", sys.executable, *wanted)
    return _command(sys.executable, "-m", "pip", "install", *wanted)


def _rebuild_hnswlib() -> str:
    """Build hnswlib anew for any processor of this kind; a cached wheel may be the bad one."""
    wanted = f"hnswlib=={pins().get('hnswlib', '0.8.0')}"
    command = _install("--force-reinstall", "--no-deps", "--no-cache-dir", wanted)
    return command if os.name == "nt" else f"HNSWLIB_NO_NATIVE=1 {command}"


def _tested(name: str) -> str:
    """The requirement that installs a package in the version that annlab was tested with."""
    version = pins().get(_normal(name))
    return f"{name}=={version}" if version else name


# -------------------------------------------------------------------------------------------- pins


def pins_file() -> Path | None:
    """The list of the versions that annlab was tested with.

    It is ``binder/requirements.txt`` of the repository, the list that `make env` and Binder
    install; a wheel carries the same file as ``annlab/_pins/requirements.txt``.
    """
    package = Path(__file__).resolve().parent
    for folder in (package / "_pins", package.parent / "binder"):
        if (folder / "requirements.txt").is_file():
            return folder / "requirements.txt"
    return None


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@lru_cache(maxsize=1)
def pins() -> dict[str, str]:
    """Versions that annlab was tested with: normalised name -> version."""
    file = pins_file()
    if file is None:
        return {}
    lines = file.read_text(encoding="utf-8").splitlines()
    found = (re.match(r"([A-Za-z0-9._-]+)==([^\s;]+)", line) for line in lines)
    return {_normal(match[1]): match[2] for match in found if match}


def _installed(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _requirements() -> list[Any] | None:
    """What annlab declares, as packaging's objects; None where packaging is missing."""
    try:
        from packaging.requirements import Requirement
    except ImportError:
        return None
    try:
        declared = importlib.metadata.requires("annlab") or []
    except importlib.metadata.PackageNotFoundError:
        declared = []
    return [Requirement(text) for text in declared]


# ------------------------------------------------------------------------------------------- probe


@dataclass(frozen=True)
class Probe:
    """How a few lines of Python ended in a process of their own.

    ``how`` is ``"ok"``, ``"missing"`` (there is no such module), ``"error"``, ``"signal"`` or
    ``"time"``; ``text`` says more.
    """

    how: str
    text: str = ""


def probe(code: str, module: str) -> Probe:
    """Run ``code`` in a new process of this Python and say in words how it ended.

    Parameters
    ----------
    code : str
    module : str
        The module it is about: it counts as missing if the import of just this one fails.

    Returns
    -------
    Probe

    Examples
    --------
    >>> from annlab.doctor import probe
    >>> probe("import no_such_module", "no_such_module").how
    'missing'
    """
    try:
        done = subprocess.run(
            [sys.executable, "-X", "faulthandler=0", "-c", code],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PROBE_S,
        )
    except subprocess.TimeoutExpired:
        return Probe("time", f"it did not end within {_PROBE_S:.0f} s")
    if done.returncode == 0:
        return Probe("ok")
    killed = _signal_name(done.returncode)
    if killed:
        return Probe("signal", killed)
    lines = [line for line in done.stderr.strip().splitlines() if line.strip()]
    last = lines[-1] if lines else f"exit status {done.returncode}"
    if last == f"ModuleNotFoundError: No module named '{module}'":
        return Probe("missing")
    return Probe("error", last[:300])


def _signal_name(returncode: int) -> str:
    """Name of the signal that ended a process; empty if none did."""
    if os.name == "nt":
        # Windows has no signals: the status is the exception's code
        code = returncode & 0xFFFFFFFF
        known = {0xC000001D: "SIGILL", 0xC0000005: "SIGSEGV"}
        return known.get(code, f"exception {code:#x}" if code >= 0xC0000000 else "")
    if returncode >= 0:
        return ""
    try:
        return signal.Signals(-returncode).name
    except ValueError:
        return f"signal {-returncode}"


# ------------------------------------------------------------------------------------- the findings


def check_python() -> Finding:
    """Version and kind of the interpreter."""
    version = platform.python_version()
    bits = 64 if sys.maxsize > 2**32 else 32
    where = "a virtual environment" if sys.prefix != sys.base_prefix else "no virtual environment"
    facts = {"version": version, "implementation": sys.implementation.name, "bits": bits}
    text = f"{platform.python_implementation()} {version}, {where}."
    another = "Make the environment with another Python: make env PYTHON=python3.12"
    if sys.version_info[:2] < _OLDEST:
        oldest = ".".join(map(str, _OLDEST))
        return Finding("python", "problem", f"{text} annlab needs {oldest}.", another, facts)
    if bits == 32:
        return Finding("python", "problem", f"{text} It is a 32-bit build.", another, facts)
    if sys.implementation.name != "cpython":
        return Finding("python", "warning", f"{text} Only CPython was tried.", another, facts)
    if sys.version_info[:2] > _NEWEST_TRIED:
        newest = ".".join(map(str, _NEWEST_TRIED))
        return Finding("python", "note", f"{text} The newest one tried is {newest}.", facts=facts)
    return Finding("python", "ok", text, facts=facts)


def check_import(folder: Path = Path()) -> Finding:
    """Whether a script or a notebook that lies in a folder gets this annlab when it imports it.

    Python looks beside the script first. There, a folder ``annlab`` that is a whole checkout counts
    as a package without content, and comes before an editable installation; a script of one's own
    that is called ``annlab.py`` comes before any.

    Parameters
    ----------
    folder : Path
        By default the one from which the doctor is called.
    """
    from importlib.machinery import PathFinder

    folder = Path(os.path.abspath(folder))
    found = PathFinder.find_spec("annlab", [str(folder), *sys.path])
    own = Path(__file__).resolve().parent / "__init__.py"
    origin = None if found is None else found.origin
    facts = {"folder": str(folder), "annlab": str(own), "found": origin}
    # an editable installation is asked after all folders have been looked through
    if found is None or (origin is not None and Path(origin).resolve() == own):
        return Finding("import", "ok", f"A script in {folder} imports annlab.", facts=facts)
    place = origin or next(iter(found.submodule_search_locations or []), str(folder / "annlab"))
    kind = "file" if origin else "folder"
    text = (
        f"A script in {folder} imports the {kind} {place} under the name of annlab, "
        "and Python says 'cannot import name ... from annlab'."
    )
    fix = "Put the script into another folder, where nothing named annlab lies beside it"
    fix += ", or give that file another name." if origin else "."
    return Finding("import", "warning", text, fix, facts)


def check_versions() -> list[Finding]:
    """What is declared is there and new enough, and how far it is from the pins."""
    requirements = _requirements()
    if requirements is None:
        return [
            Finding(
                "versions",
                "warning",
                "The package packaging is missing, so versions cannot be compared.",
                _install(_tested("packaging")),
            )
        ]
    if not requirements:
        return [
            Finding(
                "versions",
                "problem",
                "annlab is imported from a folder, and is not installed in this Python.",
                _install("-e", str(Path(__file__).resolve().parent.parent)),
            )
        ]
    findings: list[Finding] = []
    core: list[Any] = []
    lab: list[Any] = []
    for requirement in requirements:
        for group, extra in ((core, ""), (lab, "lab")):
            marker = requirement.marker
            if marker is None or marker.evaluate({"extra": extra}):
                group.append(requirement)
                break
    # a package that a finding of its own looks at is not named twice
    own = {"hnswlib", "ipywidgets", "anywidget"}
    have_lab = _installed("jupyterlab") is not None
    for group, status in ((core, "problem"), (lab, "warning")):
        missing, old = [], []
        for requirement in group:
            version = _installed(requirement.name)
            if requirement.name in own:
                continue
            if version is None:
                missing.append(requirement.name)
            elif not requirement.specifier.contains(version, prereleases=True):
                old.append((requirement, version))
        if group is lab and not have_lab:
            findings.append(
                Finding(
                    "lab",
                    "note",
                    "The library is here, the packages of the notebooks are not.",
                    _install("annlab[lab]"),
                    {"missing": missing},
                )
            )
            continue
        for requirement, version in old:
            findings.append(
                Finding(
                    requirement.name,
                    status,
                    f"{requirement.name} {version} is too old: annlab needs "
                    f"{requirement.specifier}.",
                    _install(_tested(requirement.name)),
                    {"version": version, "needed": str(requirement.specifier)},
                )
            )
        if missing:
            named = ", ".join(
                f"{name} ({_PURPOSE[name]})" if name in _PURPOSE else name for name in missing
            )
            findings.append(
                Finding(
                    "packages" if group is core else "lab",
                    status,
                    f"Not installed: {named}.",
                    _install(*map(_tested, missing)),
                    {"missing": missing},
                )
            )
    findings.append(_against_pins())
    return findings


def _against_pins() -> Finding:
    file = pins_file()
    if file is None:
        return Finding(
            "pins",
            "problem",
            "The list of tested versions is missing from annlab.",
            _install("--force-reinstall", "--no-deps", "annlab"),
        )
    other = {}
    same = 0
    for name, tested in pins().items():
        version = _installed(name)
        if version == tested:
            same += 1
        elif version is not None:
            other[name] = {"version": version, "tested": tested}
    facts = {"file": str(file), "same": same, "other": other}
    if not other:
        return Finding("pins", "ok", f"All {same} packages are those tested.", facts=facts)
    some = [f"{name} {two['version']} (tested {two['tested']})" for name, two in other.items()]
    named = ", ".join(some[:4]) + (f" and {len(some) - 4} more" if len(some) > 4 else "")
    wanted = {name: two["tested"] for name, two in other.items() if name != "hnswlib"}
    return Finding(
        "pins",
        "note",
        f"{same} packages are those tested; others are not, which may print other digits: {named}.",
        _install(*(f"{name}=={version}" for name, version in wanted.items())) if wanted else "",
        facts,
    )


def check_hnswlib() -> Finding:
    """hnswlib: there, built for this processor, and right."""
    version = _installed("hnswlib")
    got = probe(_PROBE_HNSWLIB, "hnswlib")
    facts: dict[str, Any] = {"version": version, "probe": got.how, "detail": got.text}
    if got.how == "ok":
        text = f"hnswlib {version or ''} builds, searches and finds.".replace("  ", " ")
        return Finding("hnswlib", "ok", text, facts=facts)
    windows = platform.system() == "Windows"
    if got.how == "missing":
        faiss = probe(_PROBE_FAISS, "faiss").how == "ok"
        facts["faiss_stands_in"] = faiss
        if windows and faiss:
            text = "hnswlib has no wheels for Windows; the hnsw index runs on faiss."
            return Finding("hnswlib", "ok", text, facts=facts)
        if faiss:
            text = "hnswlib is not installed; the hnsw index runs on faiss in its place."
            fix = f"{_rebuild_hnswlib()}   (it needs a C++ compiler)"
            return Finding("hnswlib", "warning", text, fix, facts)
        text = "Neither hnswlib nor faiss is installed: the hnsw index cannot be built."
        return Finding("hnswlib", "problem", text, _install(_tested("faiss-cpu")), facts)
    fix = _rebuild_hnswlib()
    if windows:
        fix = _command(sys.executable, "-m", "pip", "uninstall", "-y", "hnswlib")
    if got.how == "signal":
        why = (
            "it was built for another processor"
            if got.text == "SIGILL"
            else "it is damaged, or was built for another Python or system"
        )
        text = (
            f"hnswlib kills the process that uses it ({got.text}): {why}. "
            "In a notebook this looks like a kernel that died."
        )
    elif got.how == "time":
        text = f"hnswlib hangs: {got.text}."
    else:
        text = f"hnswlib is installed and does not work: {got.text}"
    return Finding("hnswlib", "problem", text, fix, facts)


def check_faiss() -> Finding:
    """faiss: optional on most systems, and right where it is there."""
    version = _installed("faiss-cpu")
    got = probe(_PROBE_FAISS, "faiss")
    facts = {"version": version, "probe": got.how, "detail": got.text}
    if got.how == "ok":
        return Finding("faiss", "ok", f"faiss {version or ''} searches and finds.", facts=facts)
    fix = _install(_tested("faiss-cpu"))
    if got.how == "missing":
        text = "faiss is not installed: notebook 10 and the faiss index do without it."
        return Finding("faiss", "note", text, fix, facts)
    again = _install("--force-reinstall", "--no-deps", _tested("faiss-cpu"))
    how = {"signal": f"kills the process that uses it ({got.text})", "time": got.text}
    said = how.get(got.how, f"does not work: {got.text}")
    return Finding("faiss", "problem", f"faiss is installed and {said}.", again, facts)


def check_imports() -> list[Finding]:
    """The other packages that everything needs can be imported at all."""

    def look(name: str) -> Finding | None:
        module = _IMPORTED_AS.get(name, name)
        got = probe(_PROBE_NUMBA if name == "numba" else f"import {module}", module)
        if got.how in ("ok", "missing"):
            # what is missing is said where versions are compared
            return None
        said = {"signal": f"it kills the process ({got.text})", "time": got.text}
        text = f"{name} is installed and cannot be used: {said.get(got.how, got.text)}"
        facts = {"probe": got.how, "detail": got.text}
        again = _install("--force-reinstall", "--no-deps", _tested(name))
        return Finding(name, "problem", text, again, facts)

    # what others stand on first, so that mending from the top mends those as well
    names = ("numpy", "threadpoolctl", "joblib", "pillow", "numba", "matplotlib", "scikit-learn")
    # all in one process, which is quicker; one by one only if that fails
    together = "".join(f"import {_IMPORTED_AS.get(name, name)}\n" for name in names)
    if probe(together + _PROBE_NUMBA, "").how == "ok":
        return []
    with ThreadPoolExecutor(2) as pool:
        return [found for found in pool.map(look, names) if found is not None]


def _lab_extension(name: str) -> tuple[str | None, Path | None]:
    """Version and folder of a JupyterLab extension, as JupyterLab would find it."""
    try:
        from jupyter_core.paths import jupyter_path

        folders = [Path(folder) for folder in jupyter_path("labextensions")]
    except ImportError:
        folders = [Path(sys.prefix) / "share" / "jupyter" / "labextensions"]
    for folder in folders:
        try:
            record = json.loads((folder / name / "package.json").read_text(encoding="utf-8"))
            return str(record["version"]), folder / name
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return None, None


def _switched_off() -> set[str]:
    """Extensions that the user or the site has disabled in JupyterLab."""
    try:
        from jupyter_core.paths import jupyter_config_path

        folders = [Path(folder) for folder in jupyter_config_path()]
    except ImportError:
        return set()
    off: set[str] = set()
    for folder in folders:
        with contextlib.suppress(OSError, ValueError, AttributeError):
            page = folder / "labconfig" / "page_config.json"
            listed = json.loads(page.read_text(encoding="utf-8")).get("disabledExtensions", {})
            if isinstance(listed, dict):
                listed = [name for name, is_off in listed.items() if is_off]
            off.update(map(str, listed))
    return off


def _at_least(version: str | None, least: str) -> bool:
    """Whether a version such as "8.1.9" is not below another one; by numbers alone."""

    def numbers(text: str) -> list[int]:
        return [int(number) for number in re.findall(r"\d+", text.split("+")[0])[:3]]

    return version is not None and numbers(version) >= numbers(least)


def check_widgets() -> list[Finding]:
    """ipywidgets and anywidget: Python part, front end in JupyterLab, and both of one age."""
    findings = []
    off = _switched_off()
    least = {"ipywidgets": "8.1", "anywidget": "0.9.13"}
    for requirement in _requirements() or []:
        bounds = [c.version for c in requirement.specifier if c.operator == ">="]
        if requirement.name in least and bounds:
            least[requirement.name] = bounds[0]
    for name, extension, front in (
        ("ipywidgets", "@jupyter-widgets/jupyterlab-manager", "5.0"),
        ("anywidget", "anywidget", ""),
    ):
        version = _installed(name)
        front_version, place = _lab_extension(extension)
        got = probe(f"import {name}", name) if version else Probe("missing")
        facts = {"version": version, "front_end": front_version, "needed": least[name]}
        fix = _install(_tested(name))
        # the front end of ipywidgets is a package of its own, which may be there and damaged
        package = "jupyterlab_widgets" if name == "ipywidgets" else name
        again = _install("--force-reinstall", "--no-deps", _tested(package))
        have_lab = _installed("jupyterlab") is not None
        if version is None:
            needed = "every explorer of the notebooks" if name == "ipywidgets" else "some canvases"
            status = "problem" if name == "ipywidgets" else "warning" if have_lab else "note"
            text = f"{name} is not installed; {needed} needs it."
        elif not _at_least(version, least[name]):
            status, text = "problem", f"{name} {version} is too old: annlab needs {least[name]}."
        elif got.how != "ok":
            status = "problem"
            text = f"{name} {version} is installed and cannot be imported: {got.text or got.how}"
            fix = _install("--force-reinstall", _tested(name))
        elif not have_lab:
            status, fix = "ok", ""
            text = f"{name} {version}; no JupyterLab here, so no front end is looked for."
        elif place is None:
            status, fix = "problem", again
            text = f"JupyterLab lacks the front end of {name}: widgets show as text."
        elif front and not _at_least(front_version, front):
            status = "problem"
            text = f"The front end {extension} {front_version} is too old for {name} {version}."
            fix = _install("--upgrade", _tested("jupyterlab_widgets"))
        elif extension in off or f"{extension}:plugin" in off:
            status = "problem"
            text = f"The front end of {name} is switched off in JupyterLab: widgets show as text."
            fix = _command(
                *(sys.executable, "-m", "jupyter", "labextension", "enable"),
                extension if extension in off else f"{extension}:plugin",
            )
        else:
            status, fix = "ok", ""
            text = f"{name} {version} with its front end {front_version}."
        findings.append(Finding(name, status, text, fix, facts))
    return findings


def check_threads() -> Finding:
    """Cores of the machine, what affinity and a container's quota leave of them, and settings."""
    machine = os.cpu_count() or 1
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else machine
    quota = _cpu_quota()
    try:
        from annlab._support.threads import available_cpus

        usable = available_cpus()
    except ImportError:
        usable = affinity
    settings = {
        name: os.environ[name]
        for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "LOKY_MAX_CPU_COUNT")
        if os.environ.get(name)
    }
    facts = {
        "machine": machine,
        "affinity": affinity,
        "container_quota": quota,
        "usable": usable,
        "settings": settings,
    }
    text = f"{usable} of {machine} core{'s' * (machine != 1)} for this process"
    if quota is not None and quota < machine:
        text += f" (a container's quota of {quota:g})"
    elif affinity < machine:
        text += " (its affinity)"
    text += "."
    cap = settings.get("LOKY_MAX_CPU_COUNT", "")
    if cap.isdigit() and int(cap) < min(affinity, machine):
        text += f" LOKY_MAX_CPU_COUNT={cap} holds annlab to fewer than there are."
        return Finding("threads", "note", text, "unset LOKY_MAX_CPU_COUNT", facts)
    if quota is not None and quota < 1:
        text += " Less than one core: expect long waits."
        fix = "Give the container at least one core: docker run --cpus=2"
        return Finding("threads", "warning", text, fix, facts)
    return Finding("threads", "ok", text, facts=facts)


def _cpu_quota(root: Path = Path("/sys/fs/cgroup")) -> float | None:
    """Cores that the container may use, as a fraction; None without a quota."""
    with contextlib.suppress(OSError, ValueError):
        quota, period = (root / "cpu.max").read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    with contextlib.suppress(OSError, ValueError):
        amount = int((root / "cpu" / "cpu.cfs_quota_us").read_text())
        every = int((root / "cpu" / "cpu.cfs_period_us").read_text())
        return amount / every if amount > 0 else None
    return None


def check_memory() -> Finding:
    """Memory that can be had, the container's limit included."""
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
    """The folder, or the nearest one above it that exists."""
    folder = Path(os.path.abspath(folder))
    for place in (folder, *folder.parents):
        if os.path.lexists(place):
            return place
    return folder


def _write_error(folder: Path) -> str:
    """Why nothing can be written in a folder; empty if it can. Leaves nothing behind.

    A folder that does not exist is not made: then the one above it, that does, is tried.
    """
    place = _existing(folder)
    if not place.is_dir():
        return f"{place} is not a folder"
    try:
        with tempfile.TemporaryFile(dir=place) as file:
            # an empty file can be made on a full disk
            file.write(b"annlab" * 1000)
            file.flush()
    except OSError as reason:
        return f"{place}: {reason.strerror or reason}"
    return ""


def check_disk(folders: Iterable[Path]) -> Finding:
    """Room where something will be written."""
    room: dict[str, int] = {}
    for folder in folders:
        with contextlib.suppress(OSError):
            room[str(_existing(folder))] = shutil.disk_usage(_existing(folder)).free
    facts = {"free_bytes": room}
    if not room:
        return Finding("disk", "note", "This system does not say how much is free.", facts=facts)
    place, least = min(room.items(), key=lambda pair: pair[1])
    text = f"{readable_size(least)} are free in {place}."
    fix = f"Free some room there; {_command(sys.executable, '-m', 'pip', 'cache', 'purge')} helps."
    if least < _TOO_LITTLE_DISK:
        return Finding("disk", "problem", f"{text} Notebooks cannot be saved.", fix, facts)
    if least < _LITTLE_DISK:
        return Finding("disk", "warning", text, fix, facts)
    return Finding("disk", "ok", text, facts=facts)


def check_writing(folder: Path) -> list[Finding]:
    """Write access to the notebooks, to Jupyter's own files, and to temporary ones."""
    findings = []
    error = _write_error(folder)
    facts = {"folder": str(folder), "error": error}
    if error:
        home = Path("~") / COPIES
        text = f"The notebooks cannot be written: {error}."
        fix = f"annlab lab --dir {home}   (or any folder that is yours)"
        findings.append(Finding("notebooks folder", "problem", text, fix, facts))
    else:
        text = f"Notebooks can be written in {_existing(folder)}."
        findings.append(Finding("notebooks folder", "ok", text, facts=facts))
    try:
        from jupyter_core.paths import jupyter_runtime_dir

        runtime = Path(jupyter_runtime_dir())
    except ImportError:
        pass
    else:
        error = _write_error(runtime)
        facts = {"folder": str(runtime), "error": error}
        if error:
            text = f"JupyterLab cannot start a kernel, because it cannot write: {error}."
            fix = _set_variable("JUPYTER_RUNTIME_DIR", "jupyter-runtime")
            findings.append(Finding("jupyter", "problem", text, fix, facts))
        else:
            findings.append(Finding("jupyter", "ok", f"It can write in {runtime}.", facts=facts))
    return findings


def _set_variable(name: str, folder: str) -> str:
    if os.name == "nt":
        return f'$env:{name} = "$env:TEMP\\{folder}"'
    return f'export {name}="$(mktemp -d)/{folder}"'


def check_kernels() -> Finding:
    """Whether the compiled loops are ready, and where they are kept."""
    fix = _command(sys.executable, "-m", "annlab", "warmup")
    try:
        from annlab._kernels_cache import are_warm, cache_folder

        folder = cache_folder()
        warm = are_warm()
    except OSError as reason:
        folder, warm, why = None, False, f": {reason.strerror or reason}"
    else:
        why = ""
    facts = {"folder": None if folder is None else str(folder), "warm": warm}
    if os.environ.get("NUMBA_DISABLE_JIT") == "1":
        text = "NUMBA_DISABLE_JIT=1 switches compiling off: annlab computes with NumPy, slower."
        return Finding("compiled loops", "note", text, "unset NUMBA_DISABLE_JIT", facts)
    if folder is None:
        text = f"No folder can keep them{why}, so every process compiles them anew (about 10 s)."
        fix = f"{_set_variable('NUMBA_CACHE_DIR', 'annlab')}   (a folder that only you can write)"
        return Finding("compiled loops", "warning", text, fix, facts)
    if not warm:
        text = f"Not compiled yet; that takes some seconds, once. They will be kept in {folder}."
        return Finding("compiled loops", "note", text, fix, facts)
    return Finding("compiled loops", "ok", f"They are ready in {folder}.", facts=facts)


def examine(folder: Path = COPIES) -> list[Finding]:
    """Look at everything.

    Parameters
    ----------
    folder : Path
        Where the notebooks are, or shall be.

    Returns
    -------
    list of Finding
        In the order in which one would mend them.

    Notes
    -----
    Takes a few seconds: about ten processes are started.
    """
    checks: list[Callable[[], Finding | list[Finding]]] = [
        check_python,
        check_import,
        check_versions,
        check_imports,
        check_hnswlib,
        check_faiss,
        check_widgets,
        check_threads,
        check_memory,
        lambda: check_disk(_places(folder)),
        lambda: check_writing(folder),
        check_kernels,
    ]
    findings: list[Finding] = []
    # most of the time is spent waiting for the processes
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda check: check(), checks):
            findings += found if isinstance(found, list) else [found]
    return findings


def _places(folder: Path) -> list[Path]:
    """Folders that are written to."""
    places = [folder]
    with contextlib.suppress(OSError):
        places.append(Path(tempfile.gettempdir()))
    with contextlib.suppress(RuntimeError):
        places.append(Path.home())
    return places


def worst(findings: Iterable[Finding]) -> str:
    """The gravest status among the findings.

    Examples
    --------
    >>> from annlab.doctor import Finding, worst
    >>> worst([Finding("a", "ok", ""), Finding("b", "warning", ""), Finding("c", "note", "")])
    'warning'
    """
    return max((found.status for found in findings), key=STATUSES.index, default="ok")


def exit_status(findings: Iterable[Finding]) -> int:
    """0 if nothing has to be mended (notes included), else 1."""
    return int(STATUSES.index(worst(findings)) >= STATUSES.index("warning"))


def describe(findings: list[Finding]) -> str:
    """The findings for people: one line each, and below it the command that mends it."""
    width = max(len(found.name) for found in findings)
    lines = []
    for found in findings:
        lines.append(f"{found.status:<8} {found.name:<{width}}  {found.text}")
        if found.fix:
            label = "fix" if found.status in ("warning", "problem") else "if you like"
            lines.append(f"{'':8} {'':{width}}  {label}: {found.fix}")
    mend = [found for found in findings if found.status in ("warning", "problem")]
    lines.append("")
    if not mend:
        lines.append("All is well.")
    else:
        broken = sum(found.status == "problem" for found in mend)
        lines.append(
            f"To be mended: {len(mend)} ({broken} without which something does not work). "
            "Run the commands behind 'fix', from the top, then annlab doctor again."
        )
    return "\n".join(lines)


# ----------------------------------------------------------------------------------------- command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``annlab doctor``."""
    parser.description = (
        "Look at this installation and say what is wrong with it, each finding with the exact\n"
        "command that mends it: Python, versions, hnswlib and faiss (tried in processes of their\n"
        "own, so that a crash is a sentence here), widgets, threads, memory, disk, write access\n"
        "and the compiled loops. Nothing is changed."
    )
    parser.epilog = (
        "what the words mean:\n"
        "  ok        nothing to do             note      good to know, nothing to do\n"
        "  warning   works, worse than it should        problem   something does not work\n\n"
        "exit status:\n"
        "  0  nothing has to be mended    1  a warning or a problem    2  the call is at fault\n\n"
        "examples:\n"
        "  annlab doctor                       look, and say what to do\n"
        "  annlab doctor --dir ~/course        the notebooks are in another folder\n"
        "  annlab doctor --json > report.json  to attach to a question"
    )
    parser.add_argument("--json", action="store_true", help="write the findings as JSON")
    parser.add_argument(
        "--dir",
        type=Path,
        default=COPIES,
        metavar="FOLDER",
        help=f"where the notebooks are, or shall be (default: ./{COPIES})",
    )


def run(options: argparse.Namespace) -> int:
    """Examine this machine, print the findings, return 0 or 1."""
    findings = examine(options.dir.expanduser())
    status = exit_status(findings)
    if options.json:
        record = {
            "annlab": __version__,
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.machine()}",
            "status": worst(findings),
            "exit_status": status,
            "findings": [asdict(found) for found in findings],
        }
        print(json.dumps(record, indent=1))
        return status
    print(f"annlab {__version__}, {platform.system()} {platform.machine()}, {sys.executable}\n")
    print(describe(findings))
    return status

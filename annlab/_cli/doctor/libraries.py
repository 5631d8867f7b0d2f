"""Compiled packages, each tested in its own process: hnswlib, faiss, others."""

from __future__ import annotations

import os
import platform
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from annlab._cli.doctor.findings import Finding
from annlab._cli.doctor.packages import install, installed, pins, tested
from annlab._cli.doctor.probing import probe
from annlab._cli.doctor.shell import command_line

#: Search an index: this runs into machine code that the processor may lack.
_PROBE = """
import numpy as np
X = np.random.RandomState(0).rand(300, 40).astype(np.float32)
{search}
assert (labels[:, 0] == np.arange(300)).mean() > 0.95, "the rows do not find themselves"
"""
_PROBE_HNSWLIB = _PROBE.format(
    search="""
import hnswlib
for space in ("ip", "l2"):
    index = hnswlib.Index(space, 40)
    index.init_index(max_elements=300, ef_construction=200, random_seed=1)
    index.add_items(X, num_threads=1)
index.set_ef(200)
labels, _ = index.knn_query(X, k=1, num_threads=1)
"""
)
_PROBE_FAISS = _PROBE.format(
    search="""
import faiss
index = faiss.IndexHNSWFlat(40, 16)
index.add(X)
labels = index.search(X, 1)[1]
"""
)
#: Import names of packages, where they differ from the installation names.
_IMPORTED_AS = {"scikit-learn": "sklearn", "pillow": "PIL"}


def _rebuild_hnswlib() -> str:
    """Return the command that rebuilds hnswlib without pip's cached wheel."""
    wanted = f"hnswlib=={pins().get('hnswlib', '0.8.0')}"
    command = install("--force-reinstall", "--no-deps", "--no-cache-dir", wanted)
    return command if os.name == "nt" else f"HNSWLIB_NO_NATIVE=1 {command}"


def check_hnswlib() -> Finding:
    """Check that hnswlib is installed, built for this processor, and correct."""
    version = installed("hnswlib")
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
        return Finding("hnswlib", "problem", text, install(tested("faiss-cpu")), facts)
    fix = _rebuild_hnswlib()
    if windows:
        fix = command_line(sys.executable, "-m", "pip", "uninstall", "-y", "hnswlib")
    text = f"hnswlib is installed and {got.said}."
    if got.how == "signal":
        why = "it is damaged, or was built for another Python or system"
        if got.text == "SIGILL":
            why = "it was built for another processor"
        text += f" Probably {why}. In a notebook this looks like a kernel that died."
    return Finding("hnswlib", "problem", text, fix, facts)


def check_faiss() -> Finding:
    """Check that faiss, which is optional, answers correctly if installed."""
    version = installed("faiss-cpu")
    got = probe(_PROBE_FAISS, "faiss")
    facts = {"version": version, "probe": got.how, "detail": got.text}
    if got.how == "ok":
        return Finding("faiss", "ok", f"faiss {version or ''} searches and finds.", facts=facts)
    fix = install(tested("faiss-cpu"))
    if got.how == "missing":
        text = "faiss is not installed: notebook 10 and the faiss index do without it."
        return Finding("faiss", "note", text, fix, facts)
    again = install("--force-reinstall", "--no-deps", tested("faiss-cpu"))
    return Finding("faiss", "problem", f"faiss is installed and {got.said}.", again, facts)


def check_imports() -> list[Finding]:
    """Check that the other core packages can be imported."""

    def look(name: str) -> Finding | None:
        module = _IMPORTED_AS.get(name, name)
        got = probe(f"import {module}", module)
        if got.how in ("ok", "missing"):
            # check_versions reports what is missing
            return None
        text = f"{name} is installed and {got.said}."
        facts = {"probe": got.how, "detail": got.text}
        again = install("--force-reinstall", "--no-deps", tested(name))
        return Finding(name, "problem", text, again, facts)

    # dependencies first, so the first fix may also fix the others
    names = ("numpy", "threadpoolctl", "joblib", "pillow", "matplotlib", "scikit-learn")
    # all in one process first, which is quicker
    together = "".join(f"import {_IMPORTED_AS.get(name, name)}\n" for name in names)
    if probe(together, "").how == "ok":
        return []
    with ThreadPoolExecutor(2) as pool:
        return [found for found in pool.map(look, names) if found is not None]

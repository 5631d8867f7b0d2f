"""The compiled loops: whether they are ready, and where they are kept."""

from __future__ import annotations

import os
import sys

from annlab._cli.doctor.findings import Finding
from annlab._cli.doctor.shell import command_line, set_variable


def check_kernels() -> Finding:
    """Check that the compiled loops are ready, and that a folder can keep them."""
    fix = command_line(sys.executable, "-m", "annlab", "warmup")
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
        text = f"No folder can keep them{why}, so every process compiles them again (about 10 s)."
        fix = f"{set_variable('NUMBA_CACHE_DIR', 'annlab')}   (a folder that only you can write)"
        return Finding("compiled loops", "warning", text, fix, facts)
    if not warm:
        text = f"Not compiled yet; that takes some seconds, once. They will be kept in {folder}."
        return Finding("compiled loops", "note", text, fix, facts)
    return Finding("compiled loops", "ok", f"They are ready in {folder}.", facts=facts)

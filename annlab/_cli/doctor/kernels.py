"""Check whether the compiled loops run here, or their NumPy substitutes."""

from __future__ import annotations

import os
from pathlib import Path

from annlab._cli.doctor.findings import Finding
from annlab._cli.doctor.packages import install

#: Processor that the loops were built for -> description.
_PROCESSORS = {
    "any": "any processor of this kind",
    "avx2": "processors with AVX2",
    "avx512": "processors with AVX-512",
}


def check_kernels() -> Finding:
    """Check whether the compiled loops are installed, and for which processors."""
    from annlab._kernels import loops

    facts = {"loops": loops.processor}
    if loops.processor != "numpy":
        text = f"They are installed, built for {_PROCESSORS.get(loops.processor, loops.processor)}."
        return Finding("compiled loops", "ok", text, facts=facts)
    if os.environ.get("ANNLAB_LOOPS") == "numpy":
        text = "ANNLAB_LOOPS=numpy switches them off: annlab computes in NumPy, slower."
        return Finding("compiled loops", "note", text, "unset ANNLAB_LOOPS", facts)
    text = (
        "They were not compiled when annlab was installed: it computes in NumPy, with the same "
        "labels, slower on large data. They need a C++ compiler and Python's headers."
    )
    root = Path(__file__).resolve().parents[3]
    if (root / "pyproject.toml").is_file():
        again = install("--no-deps", "--editable", str(root))
    else:
        again = install("--force-reinstall", "--no-deps", "--no-cache-dir", "annlab-kmeans")
    return Finding("compiled loops", "note", text, again, facts)

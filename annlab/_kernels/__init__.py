"""The innermost loops: compiled when annlab was installed, or in NumPy.

``loops`` is the module that was built from ``native.cpp`` if a C++ compiler was available (or a
wheel for this system), else `annlab._kernels.numpy_twins`, which is the one to read first: the
functions and arguments are the same. Compiled loops are several times as fast and release the
interpreter lock, so they run on annlab's threads (`annlab._support.threads.Workers`). Each task
writes to rows or clusters of its own: a result has the same bits for every number of threads, and
on every kind of processor.

Compiled or not never changes a label: the loops find the nearest and the second nearest centroid,
and `annlab.distances.decide` decides if rounding could have swapped the two.

In the environment ``ANNLAB_LOOPS=numpy`` selects the twins, and ``ANNLAB_LOOPS=any`` the loops for
every processor of this architecture.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

from annlab._kernels import numpy_twins


def _choose() -> Any:
    wanted = os.environ.get("ANNLAB_LOOPS", "")
    if wanted != "numpy":
        try:
            native = import_module("annlab._kernels._native")
        except ImportError:
            return numpy_twins
        # a build of older sources has other loops
        if getattr(native, "version", 0) == numpy_twins.version:
            return next((kind for kind in native.kinds if kind.processor == wanted), native)
    return numpy_twins


#: The module in use. Its ``processor`` is "numpy", "any", "avx2" or "avx512".
loops: Any = _choose()

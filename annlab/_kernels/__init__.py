"""The innermost loops, compiled when annlab was installed, or else in NumPy.

``loops`` has every function of `annlab._kernels.numpy_twins`, which is the text to read first.
Where a C++ compiler was there at the installation (or a wheel was made for this system) it is the
module that ``native.cpp`` became: the same functions and arguments, float32 or float64 by the first
array, several times as fast. They release the interpreter lock, so they run on annlab's own threads
(`annlab._support.threads.Workers`), and each task writes to rows or clusters of its own: the result
has the same bits for every number of threads. Loops for several kinds of processors are in one
module, and all of them give the same bits.

Which loops run may change the time and never a label: they find the nearest and the second nearest
centroid, and where the two are closer than rounding may explain, `annlab.distances.decide` decides.

``ANNLAB_LOOPS=numpy`` in the environment takes the twins, ``ANNLAB_LOOPS=any`` the loops that every
processor of this architecture runs; tests use both.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any


def _choose() -> Any:
    wanted = os.environ.get("ANNLAB_LOOPS", "")
    if wanted != "numpy":
        try:
            native = import_module("annlab._kernels._native")
        except ImportError:
            pass
        else:
            return next((kind for kind in native.kinds if kind.processor == wanted), native)
    return import_module("annlab._kernels.numpy_twins")


#: A module; what it returns and takes is said in `annlab._kernels.numpy_twins`. Its ``processor``
#: says what it was made for: "numpy", "any", "avx2" or "avx512".
loops: Any = _choose()

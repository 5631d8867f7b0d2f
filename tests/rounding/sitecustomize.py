"""Change roundings in every process that has this folder on its path.

    ANNLAB_ROUNDING=3 PYTHONPATH=tests/rounding python tests/behaviour.py

Each inner product that a distance is made from is moved by a random amount of at most
``√d u ‖q‖ ‖x‖``, which is what another processor may round differently; each sort that is not
declared stable meets equal keys in random order. Products of compiled loops cannot be reached from
here, so their NumPy twins run. Results must be the stored ones: `make full-rounding`.
"""

from __future__ import annotations

import os
import sys
import zlib
from collections.abc import Callable
from typing import Any


def perturbation(seed: int) -> Callable[[Any, Any, Any], Any]:
    """Return products with an error drawn from the seed and the products."""
    import numpy as np

    def lengths(rows: Any) -> Any:
        if hasattr(rows, "toarray"):
            rows = rows.toarray()
        return np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))

    def perturb(products: Any, Q: Any, X: Any) -> Any:
        rng = np.random.default_rng(zlib.crc32(np.ascontiguousarray(products), seed))
        unit = float(np.finfo(products.dtype).eps) / 2
        with np.errstate(over="ignore", invalid="ignore"):
            bound = np.sqrt(X.shape[1]) * unit * lengths(Q)[:, None] * lengths(X)
            moved = products + rng.uniform(-1.0, 1.0, products.shape) * bound
            return moved.astype(products.dtype)

    return perturb


def unstable(sort: Callable[..., Any], seed: int) -> Callable[..., Any]:
    """`numpy.argsort` or `argpartition` that meets equal keys in random order.

    Only where annlab calls it, and does not ask for a stable sort.
    """
    import numpy as np

    def shuffled(a: Any, *args: Any, axis: int = -1, kind: Any = None, **options: Any) -> Any:
        caller = sys._getframe(1).f_globals.get("__name__", "")
        if kind is not None:
            options["kind"] = kind
        if not caller.startswith("annlab.") or kind in ("stable", "mergesort"):
            return sort(a, *args, axis=axis, **options)
        a = np.asarray(a)
        rng = np.random.default_rng(zlib.crc32(np.ascontiguousarray(a), seed))
        order = rng.permuted(np.broadcast_to(np.arange(a.shape[axis]), a.shape), axis=axis)
        place = sort(np.take_along_axis(a, order, axis), *args, axis=axis, **options)
        return np.take_along_axis(order, place, axis)

    return shuffled


def install(seed: int) -> None:
    """Round otherwise, from now on."""
    import numpy as np

    from annlab._support import rounding

    rounding.perturb = perturbation(seed)
    np.argsort = unstable(np.argsort, seed)
    np.argpartition = unstable(np.argpartition, seed)


if os.environ.get("ANNLAB_ROUNDING"):
    # compiled loops have products of their own
    os.environ["ANNLAB_LOOPS"] = "numpy"
    install(int(os.environ["ANNLAB_ROUNDING"]))

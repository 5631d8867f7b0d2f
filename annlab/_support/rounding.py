"""Inner products, and a bound of their rounding error in a squared distance.

See `annlab.distances.ties` for its use. `make full-rounding` sets `perturb`, which moves every
product by a random amount within the bound, and checks that no label changes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

#: Set by tests: ``perturb(products, Q, X)`` gives products of rows of Q and X with other roundings.
perturb: Callable[[np.ndarray, Any, np.ndarray], np.ndarray] | None = None


def products(Q: Any, X: np.ndarray) -> np.ndarray:
    """Return ``Q @ X.T`` as a dense array, for dense or sparse ``Q``."""
    out = np.asarray(Q @ X.T)
    return out if perturb is None else perturb(out, Q, X)


def product_error(d: int, dtype: np.dtype, size: Any, reach: Any) -> Any:
    """Bound the rounding error of the difference of two scores ``‖x‖² − 2 q·x``.

    Parameters
    ----------
    d : int
    dtype : dtype
        Type in which the products were computed.
    size, reach : float or ndarray
        Norms of the query, and of the longer of the two rows.

    Notes
    -----
    An inner product errs by at most ``d u ‖q‖ ‖x‖ / (1 − d u)`` (Higham 2002, section 3.1,
    doi 10.1137/1.9780898718027), in whatever order it is summed.
    """
    info = np.finfo(dtype)
    spoiled = min(0.5, d * float(info.eps) / 2)
    relative = float(info.eps) * (2.0 * (d + 5) * size * reach + 7.0 * reach * reach)
    return relative / (1.0 - spoiled) + 4.0 * (d + 2) * float(info.tiny)

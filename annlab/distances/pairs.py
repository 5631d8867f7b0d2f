"""Squared distances of all pairs or of chosen ones, norms, and unit rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from annlab._support.checks import is_sparse
from annlab._support.rounding import products
from annlab._support.types import Matrix

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

#: Values of differences that are held at once: 8 MB of float64.
_BLOCK_VALUES = 1 << 20


def squared_norms(X: Matrix) -> np.ndarray:
    """Return the squared Euclidean norm of each row.

    Parameters
    ----------
    X : ndarray or CSR of shape (n, d)

    Returns
    -------
    ndarray of shape (n,), dtype of X
        Summed in float64.

    Examples
    --------
    >>> import numpy as np
    >>> from annlab.distances import squared_norms
    >>> squared_norms(np.array([[3.0, 4.0]]))
    array([25.])
    """
    with np.errstate(over="ignore"):
        return norms64(X).astype(X.dtype)


def norms64(X: Matrix) -> np.ndarray:
    """Return `squared_norms` in float64."""
    if is_sparse(X):
        values = X.data.astype(np.float64)
        return _row_sums(values * values, X)
    return np.einsum("ij,ij->i", X, X, dtype=np.float64)


def _row_sums(values: np.ndarray, X: csr_matrix) -> np.ndarray:
    """Sum one value for each stored entry of a CSR matrix by row."""
    sums = np.zeros(X.shape[0])
    filled = np.diff(X.indptr) > 0
    sums[filled] = np.add.reduceat(values, X.indptr[:-1][filled])
    return sums


def pairwise_sq(Q: Matrix, X: np.ndarray) -> np.ndarray:
    """Return the squared Euclidean distances of all pairs, never below 0.

    Parameters
    ----------
    Q : ndarray or CSR of shape (nq, d)
    X : ndarray of shape (n, d)

    Returns
    -------
    ndarray of shape (nq, n)

    Notes
    -----
    2·nq·n·d floating-point operations in one product; the caller chooses the block.

    Examples
    --------
    >>> import numpy as np
    >>> from annlab.distances import pairwise_sq
    >>> pairwise_sq(np.array([[0.0, 0.0]]), np.array([[3.0, 4.0], [0.0, 1.0]]))
    array([[25.,  1.]])
    """
    out = products(Q, X)
    out *= -2.0
    out += squared_norms(X)
    out += squared_norms(Q)[:, None]
    np.maximum(out, 0.0, out=out)
    return out


def paired_sq(Q: Matrix, X: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """Return the squared distances of each query to its chosen rows of ``X``.

    Parameters
    ----------
    Q : ndarray or CSR of shape (nq, d)
    X : ndarray of shape (n, d)
    indices : ndarray of shape (nq,) or (nq, m), integer
        Rows of X for each query.

    Returns
    -------
    ndarray of the shape of ``indices``, float64
        Dense: differences in the wider of the two types, summed in float64. Sparse:
        ``‖q‖² − 2 q·x + ‖x‖²`` in float64.

    Notes
    -----
    3·nq·m·d operations; holds blocks of about 8 MB.

    Examples
    --------
    >>> import numpy as np
    >>> from annlab.distances import paired_sq
    >>> paired_sq(np.array([[0.0], [5.0]]), np.array([[1.0], [7.0]]), np.array([0, 1]))
    array([1., 4.])
    """
    if indices.ndim == 2:
        columns = [paired_sq(Q, X, indices[:, j]) for j in range(indices.shape[1])]
        return np.stack(columns, axis=1) if columns else np.empty(indices.shape)
    return listed_sq(Q, X, None, indices)


def listed_sq(Q: Matrix, X: np.ndarray, rows: np.ndarray | None, columns: np.ndarray) -> np.ndarray:
    """Return the squared distances of listed pairs, computed as in `paired_sq`.

    Parameters
    ----------
    Q : ndarray or CSR of shape (nq, d)
    X : ndarray of shape (n, d)
    rows, columns : ndarray of shape (m,), integer
        Pair i is ``Q[rows[i]]`` and ``X[columns[i]]``; None for ``rows`` means 0 to nq − 1.

    Returns
    -------
    ndarray of shape (m,), float64

    Notes
    -----
    3·m·d operations (sparse: 3·m·nnz of a row, and n·d once).

    Examples
    --------
    >>> import numpy as np
    >>> from annlab.distances import listed_sq
    >>> Q, X = np.array([[0.0], [5.0]]), np.array([[1.0], [7.0]])
    >>> listed_sq(Q, X, np.array([0, 0, 1]), np.array([0, 1, 1]))
    array([ 1., 49.,  4.])
    """
    width = Q.nnz // max(Q.shape[0], 1) if is_sparse(Q) else Q.shape[1]
    x_norms = norms64(X) if is_sparse(Q) else None
    out = np.empty(len(columns), dtype=np.float64)
    step = max(1, _BLOCK_VALUES // max(width, 1))
    for start in range(0, len(columns), step):
        stop = start + step
        part: Any = Q[start:stop] if rows is None else Q[rows[start:stop]]
        chosen = columns[start:stop]
        if x_norms is None:
            difference = part - X[chosen]
            out[start:stop] = np.einsum("ij,ij->i", difference, difference, dtype=np.float64)
        else:
            place = np.repeat(np.arange(part.shape[0]), np.diff(part.indptr))
            dots = _row_sums(part.data.astype(np.float64) * X[chosen[place], part.indices], part)
            out[start:stop] = np.maximum(norms64(part) - 2.0 * dots + x_norms[chosen], 0.0)
    return out


def unit_rows(X: Matrix) -> tuple[Matrix, np.ndarray]:
    """Scale each row to length 1; zero rows stay zero.

    Returns
    -------
    X_unit : ndarray or CSR of shape (n, d)
        A copy.
    is_zero : ndarray of shape (n,), bool

    Examples
    --------
    >>> import numpy as np
    >>> from annlab.distances import unit_rows
    >>> unit_rows(np.array([[3.0, 4.0], [0.0, 0.0]]))[0]
    array([[0.6, 0.8],
           [0. , 0. ]])
    """
    # dividing by the largest entry first keeps the squares of huge and tiny rows in range
    if is_sparse(X):
        copy = X.astype(X.dtype, copy=True)
        rows = np.repeat(np.arange(copy.shape[0]), np.diff(copy.indptr))
        peak = np.zeros(copy.shape[0])
        np.maximum.at(peak, rows, np.abs(copy.data))
        is_zero = peak == 0
        peak[is_zero] = 1.0
        values = copy.data / peak[rows]
        lengths = np.sqrt(_row_sums(values * values, copy))
        lengths[is_zero] = 1.0
        copy.data = (values / lengths[rows]).astype(X.dtype)
        return copy, is_zero
    peak = np.abs(X).max(axis=1).astype(np.float64)
    is_zero = peak == 0
    peak[is_zero] = 1.0
    scaled = X / peak[:, None]
    lengths = np.sqrt(np.einsum("ij,ij->i", scaled, scaled))
    lengths[is_zero] = 1.0
    scaled /= lengths[:, None]
    return np.ascontiguousarray(scaled, dtype=X.dtype), is_zero


def unit_means(means: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Scale means to length 1; where a mean is zero, keep the old centroid.

    Parameters
    ----------
    means, before : ndarray of shape (k, d)

    Returns
    -------
    ndarray of shape (k, d), dtype of ``means``

    Examples
    --------
    >>> import numpy as np
    >>> from annlab.distances import unit_means
    >>> unit_means(np.array([[0.0, 2.0], [0.0, 0.0]]), np.array([[1.0, 0.0], [1.0, 0.0]]))
    array([[0., 1.],
           [1., 0.]])
    """
    unit, is_zero = unit_rows(means)
    return np.where(is_zero[:, None], before, unit)


def from_squared(distances_sq: np.ndarray, metric: str) -> np.ndarray:
    """Turn squared Euclidean distances into distances of the metric.

    For cosine they are of unit rows, where ``1 − cos = ‖q − x‖² / 2``.
    """
    return distances_sq / 2.0 if metric == "cosine" else np.sqrt(distances_sq)

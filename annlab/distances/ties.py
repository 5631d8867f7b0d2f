"""The tie rule: which of several candidates counts as the nearest.

Two distances that differ only in their last bits may come out either way round, depending on the
processor, the number of threads and the shape of a product. A result must not depend on that.
Every search of the package therefore follows one rule:

1. **A product only rules out.** ``‖x‖² − 2 q·x`` is fast, but its error is bounded only by
   `product_error`. Candidates whose scores differ by more are in their true order.
2. **Differences decide.** Candidates closer than that (`uncertain` finds the rows, `rivals` the
   candidates) are compared again by ``Σ (q − x)²`` in float64 (`decide`).
3. **Equal distances: lowest index.** Distances that differ by less than the rounding error of the
   differences (`tie_limit`) are equal. Of equal candidates the one of lowest index is taken.
   Sorts of distances are stable, or made by `ranked`.

The same applies to sums over all rows, such as the inertia of several starts: totals that differ
only by rounding are equal (`same_total`), and the first one is taken (`first_least`).

Compiled loops decide no ties. They return, for each row, the nearest candidate and the squared
distances to it and to the second nearest, with any error within `product_error`; the caller asks
`uncertain` which rows to decide again. Sums by cluster are float64, in the order of the rows within
fixed chunks, and means are then rounded to the type of the data.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import DTypeLike

from annlab._support.checks import is_sparse
from annlab._support.rounding import product_error, products
from annlab._support.types import Matrix
from annlab.distances.pairs import listed_sq, norms64

#: Columns of one product: 1,024 rows by 1,024 columns of float32 stay in a 4 MB cache.
BLOCK = 1024


def scores(Q: Matrix, X: np.ndarray, norms: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Yield ``‖x‖² − 2 q·x`` for blocks of X, with each block's first row."""
    # a sparse product gains nothing from blocks, and a slice of columns would be copied
    width = max(BLOCK, (1 << 23) // max(Q.shape[0], 1)) if is_sparse(Q) else BLOCK
    for start in range(0, X.shape[0], width):
        block = products(Q, X[start : start + width])
        block *= -2.0
        block += norms[start : start + width]
        yield start, block


def margin(Q: Matrix, norms: np.ndarray, lowest: np.ndarray) -> np.ndarray:
    """Bound the rounding error of the difference of two scores, for each query.

    Only rows of X that may be the nearest count: their norm is at most that of the query plus
    the distance of the best found. The shift of a frame, one rounding of each value, is included.
    """
    d, dtype = Q.shape[1], norms.dtype
    largest = float(np.sqrt(norms.max()))
    size = np.sqrt(norms64(Q))
    nearest_sq = np.maximum(lowest.astype(np.float64) + size * size, 0.0)
    reach = size + np.sqrt(nearest_sq + product_error(d, dtype, size, largest))
    bound = product_error(d, dtype, size, np.minimum(largest, reach))
    # no bound where a partial sum may leave the range of the type
    bound[~(largest * (2.0 * size + largest) < np.finfo(dtype).max / 4)] = np.inf
    return bound


def widest_margin(Q: Matrix, norms: np.ndarray) -> float:
    """Bound `margin` for all queries by that of the longest of them."""
    d, dtype = Q.shape[1], norms.dtype
    largest = float(np.sqrt(norms.max()))
    own = norms64(Q) if is_sparse(Q) else np.einsum("ij,ij->i", Q, Q)
    # a little longer, because this norm is summed in the type of the data
    size = float(np.sqrt(own.max())) * (1.0 + (d + 2) * float(np.finfo(dtype).eps))
    if not largest * (2.0 * size + largest) < np.finfo(dtype).max / 4:
        return np.inf
    return float(product_error(d, dtype, size, largest))


def rivals(
    Q: Matrix, X: np.ndarray, norms: np.ndarray, margins: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """List pairs of a query and a row that may be its nearest by the products.

    Parameters
    ----------
    Q : ndarray or CSR of shape (nq, d)
    X : ndarray of shape (n, d)
    norms : ndarray of shape (n,)
        `squared_norms` of X.
    margins : ndarray of shape (nq,), optional
        `margin` of the queries, if known.

    Returns
    -------
    rows, columns : ndarray of shape (m,), int64
        Sorted as `decide` takes them.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        values = np.concatenate([block for _, block in scores(Q, X, norms)], axis=1)
        lowest = values.min(axis=1)
        limit = lowest + (margin(Q, norms, lowest) if margins is None else margins)
        # negated, so that a NaN counts as close
        rows, columns = np.nonzero(~(values > limit[:, None]))
        return rows, columns


def decide(Q: Matrix, X: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return the nearest listed candidates by float64 differences; ties: lowest.

    Parameters
    ----------
    Q : ndarray or CSR of shape (nq, d)
    X : ndarray of shape (n, d)
    rows, columns : ndarray of shape (m,), integer
        Pair i says that ``X[columns[i]]`` is a candidate of ``Q[rows[i]]``. Sorted by row, then by
        column; each row of Q has at least one.

    Returns
    -------
    ndarray of shape (nq,), of the type of ``columns``
    """
    exact = listed_sq(Q.astype(np.float64), X, rows, columns)
    each = np.arange(Q.shape[0])
    least = np.minimum.reduceat(exact, np.searchsorted(rows, each))
    norms = norms64(Q)
    limit = tie_limit(least, np.sqrt(norms), Q.shape[1])
    if is_sparse(Q):
        # these come from products, in float64
        limit += product_error(Q.shape[1], exact.dtype, np.sqrt(norms), np.sqrt(norms + least))
    # negated, so that infinite distances are equal
    tied = np.flatnonzero(~(exact > limit[rows]))
    return columns[tied[np.searchsorted(rows[tied], each)]]


def tie_limit(least: np.ndarray, size: np.ndarray, d: int) -> np.ndarray:
    """Return the squared distance up to which candidates tie with ``least``.

    ``least`` is by float64 differences, ``size`` the norm of the query. The sum of d squares errs
    by (d + 2) u; the coordinates, means among them, by a few u of their own size each.
    """
    unit = float(np.finfo(np.float64).eps)
    return least + unit * (2.0 * (d + 4) * least + 16.0 * np.sqrt(least) * size)


def uncertain(d1: np.ndarray, d2: np.ndarray, norms: np.ndarray, d: int) -> np.ndarray:
    """Find queries whose two nearest rows the products cannot tell apart.

    Parameters
    ----------
    d1, d2 : ndarray of shape (nq,)
        Squared distances to the nearest and to the second nearest, from products in their type.
    norms : ndarray of shape (n,)
        `squared_norms` of the rows.
    d : int

    Returns
    -------
    ndarray of shape (m,), int64, ascending
    """
    largest = float(np.sqrt(norms.max()))

    def margin(nearest_sq: float | np.ndarray) -> np.ndarray:
        # no query is longer than its nearest row and the way there
        size = largest + np.sqrt(nearest_sq)
        own = 8.0 * float(np.finfo(d1.dtype).eps) * size * size
        return product_error(d, d1.dtype, size, largest) + own

    # first by the margin of the farthest query; negated, so that a NaN counts as close
    with np.errstate(over="ignore", invalid="ignore"):
        gap = d2 - d1
        close = np.flatnonzero(~(gap > margin(float(d1.max(initial=0.0)))))
        if close.size:
            close = close[~(gap[close] > margin(d1[close].astype(np.float64)))]
    return close


def ranked(distances_sq: np.ndarray, d: int) -> tuple[np.ndarray, np.ndarray]:
    """Order the candidates of each row by distance, stably.

    Parameters
    ----------
    distances_sq : ndarray of shape (nq, m), float64
        By differences (`paired_sq`), candidates in order of index; inf for a missing one.
    d : int

    Returns
    -------
    distances_sq : ndarray of shape (nq, m), float64
        Ascending.
    order : ndarray of shape (nq, m), int64
        Candidates, nearest first.
    """
    order = np.argsort(distances_sq, axis=1, kind="stable")
    ascending = np.take_along_axis(distances_sq, order, axis=1)
    with np.errstate(invalid="ignore"):
        new = ascending[:, 1:] > tie_limit(ascending[:, :-1], np.sqrt(ascending[:, :-1]), d)
    ties = np.flatnonzero(~new.all(axis=1))
    if ties.size:
        group = np.zeros((len(ties), ascending.shape[1]), dtype=np.int64)
        np.cumsum(new[ties], axis=1, out=group[:, 1:])
        groups = np.empty_like(group)
        np.put_along_axis(groups, order[ties], group, axis=1)
        order[ties] = np.argsort(groups, axis=1, kind="stable")
    return ascending, order


def first_least(values: np.ndarray, dtype: DTypeLike) -> int:
    """Return the place of the least total (all >= 0); of equal ones the first.

    Examples
    --------
    >>> import numpy as np
    >>> from annlab.distances import first_least
    >>> first_least(np.array([2.0, 1.0 + 1e-15, 1.0]), np.float64)
    1
    """
    values = np.asarray(values, dtype=np.float64)
    return int(np.flatnonzero(~(values > same_total(float(values.min()), dtype)))[0])


def same_total(total: float, dtype: DTypeLike) -> float:
    """Return the value up to which another sum of distances counts as equal."""
    return total * (1.0 + float(np.finfo(dtype).eps) ** 0.75)

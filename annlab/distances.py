"""Exact distances, in blocks of bounded memory: the only place that computes them.

All functions take data as it comes (float32, float64, SciPy CSR on the query side), compute in the
type of the data, and never write to a caller's array. Large products run through BLAS as
``‖q − x‖² = ‖q‖² − 2 q·x + ‖x‖²``; a chosen pair is recomputed by `paired_sq` without that
formula's cancellation.

The tie rule
------------
A result must not depend on the processor, and the last bits of a product do. So every search of
the package follows one rule, which is written down here alone:

1. A product only rules out. Candidates whose squared distances differ by more than the rounding
   error of a product (`product_error`) are in the order that the products say.
2. Closer ones (`uncertain`) are compared again by float64 differences, ``Σ (x − c)²`` (`decide`).
3. What differs by less than the rounding error of *those* (`tie_limit`) is equal, and of equal
   candidates the one of lowest index is taken. Sorts that may meet ties are stable, or `ranked`.

Compiled loops take part by what they return: for each point the nearest candidate, and the squared
distances to it and to the second nearest, each with an error within `product_error`. They need not
sum in any particular order, and they decide no tie: the caller asks `uncertain` which of the
points to decide again. Sums of points by cluster are float64, added in the order of the points
within fixed chunks; means are then rounded to the type of the data, so that a last bit of a sum is
seen by nobody.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from annlab._support.checks import is_sparse
from annlab._support.rounding import product_error, products

#: Columns of one product: 1,024 rows by 1,024 columns of float32 stay in a 4 MB cache.
BLOCK = 1024
#: Values of differences up to which all pairs are compared in float64 at once.
_FEW = 1 << 12


def squared_norms(X: Any) -> np.ndarray:
    """Squared Euclidean norm of each row.

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
        return _norms64(X).astype(X.dtype)


def _norms64(X: Any) -> np.ndarray:
    if is_sparse(X):
        values = X.data.astype(np.float64)
        rows = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
        return np.bincount(rows, weights=values * values, minlength=X.shape[0])
    return np.einsum("ij,ij->i", X, X, dtype=np.float64)


def dot(Q: Any, X: np.ndarray) -> np.ndarray:
    """Inner products ``Q @ X.T`` as a dense array, for dense or sparse ``Q``.

    Returns
    -------
    ndarray of shape (nq, n)
    """
    return np.asarray(Q @ X.T)


def pairwise_sq(Q: Any, X: np.ndarray) -> np.ndarray:
    """Squared Euclidean distances of all pairs, never below 0.

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


@dataclass(frozen=True)
class Frame:
    """Rows that queries are compared with, moved to where their differences have most digits.

    Unit rows that all point in much the same direction, as those of raw counts or brightness do,
    differ only in the last digits of their products; around their mean they do not.

    Attributes
    ----------
    rows : ndarray of shape (n, d)
        The rows, less ``shift``.
    norms : ndarray of shape (n,)
        Their `squared_norms`.
    shift : ndarray of shape (d,), or None
        In the type of the rows.
    """

    rows: np.ndarray
    norms: np.ndarray
    shift: np.ndarray | None

    def move(self, Q: Any) -> Any:
        """Bring queries into the frame."""
        return Q if self.shift is None else Q - self.shift


def frame_of(X: np.ndarray, *, may_shift: bool = True) -> Frame:
    """Frame of rows that `nearest` will be asked about several times.

    Parameters
    ----------
    X : ndarray of shape (n, d)
    may_shift : bool, default=True
        False for sparse queries, which a shift would fill.

    Returns
    -------
    Frame
        Shifted where the mean row is longer than the rows are far from it.
    """
    norms = _norms64(X)
    if may_shift and np.isfinite(norms).all():
        mean = X.mean(axis=0, dtype=np.float64)
        length_sq = float(mean @ mean)
        if 2.0 * length_sq > float(norms.mean()):
            shift = mean.astype(X.dtype)
            moved = X - shift
            return Frame(moved, squared_norms(moved), shift)
    with np.errstate(over="ignore"):
        return Frame(X, norms.astype(X.dtype), None)


def nearest(
    Q: Any,
    X: np.ndarray,
    X_norms: np.ndarray | None = None,
    *,
    frame: Frame | None = None,
) -> np.ndarray:
    """Index of the nearest row of ``X`` for each row of ``Q``; ties go to the lowest index.

    Parameters
    ----------
    Q : ndarray or CSR of shape (nq, d)
    X : ndarray of shape (n, d)
    X_norms : ndarray of shape (n,), optional
        `squared_norms` of X, where the caller has them; X is then compared as it lies.
    frame : Frame, optional
        `frame_of` X, where the caller has it.

    Returns
    -------
    ndarray of shape (nq,), int32
        The answer for a row depends on that row and on X alone, never on the other rows of Q.

    Notes
    -----
    ``‖q‖²`` is left out: it is the same for all candidates of a row. Columns go in blocks of
    `BLOCK`, so the product of one block stays in cache. 2·nq·n·d operations.

    The last bits of a product depend on its shape, so near-ties are decided by the tie rule at the
    top of this module. Rows whose squares leave the range of float32 are decided in float64.

    Examples
    --------
    >>> import numpy as np
    >>> from annlab.distances import nearest
    >>> nearest(np.array([[0.9], [5.0]]), np.array([[0.0], [1.0], [4.0]]))
    array([1, 2], dtype=int32)
    """
    nq = Q.shape[0]
    if 0 < nq * X.size <= _FEW and not is_sparse(Q):
        return decide(Q, X, *np.divmod(np.arange(nq * len(X)), len(X))).astype(np.int32)
    if X_norms is not None:
        frame = Frame(X, X_norms, None)
    elif frame is None:
        frame = frame_of(X, may_shift=not is_sparse(Q))
    rows = np.arange(nq)
    best = np.zeros(nq, dtype=np.int32)
    lowest = np.full(nq, np.inf, dtype=X.dtype)
    second = np.full(nq, np.inf, dtype=X.dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        moved = frame.move(Q)
        for start, block in _scores(moved, frame.rows, frame.norms):
            choice = block.argmin(axis=1)
            value = block[rows, choice]
            block[rows, choice] = np.inf
            # argmin along short rows is many times quicker than min
            runner_up = block[rows, block.argmin(axis=1)]
            closer = value < lowest
            second = np.minimum(np.where(closer, lowest, value), np.minimum(second, runner_up))
            best[closer] = choice[closer] + start
            lowest[closer] = value[closer]
        if X.shape[0] == 1:
            return best
        gap = second - lowest
        # first by the margin of the longest query, then by its own; negated, so that a NaN
        # counts as close
        close = np.flatnonzero(~(gap > _widest_margin(moved, frame.norms)))
        margin = _margin(moved[close], frame.norms, lowest[close])
        near = ~(gap[close] > margin)
    close, margin = close[near], margin[near]
    if close.size:
        wild = ~np.isfinite(margin)
        if X.dtype != np.float64 and wild.any():
            far = close[wild]
            best[far] = nearest(Q[far].astype(np.float64), X.astype(np.float64))
            close, margin = close[~wild], margin[~wild]
        best[close] = _decide(Q[close], X, frame, margin)
    return best


def _scores(Q: Any, X: np.ndarray, norms: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Yield ``‖x‖² − 2 q·x`` for blocks of rows of X, with the first row of each block."""
    # a sparse product gains nothing from blocks, and a slice of columns would be copied
    width = max(BLOCK, (1 << 23) // max(Q.shape[0], 1)) if is_sparse(Q) else BLOCK
    for start in range(0, X.shape[0], width):
        block = products(Q, X[start : start + width])
        block *= -2.0
        block += norms[start : start + width]
        yield start, block


def _margin(Q: Any, norms: np.ndarray, lowest: np.ndarray) -> np.ndarray:
    """Bound the rounding error of the difference of two scores, for each query.

    Only rows of X that may be the nearest count: their norm is at most that of the query plus
    the distance of the best found. The shift of a frame, one rounding of each value, is included.
    """
    d, dtype = Q.shape[1], norms.dtype
    largest = float(np.sqrt(norms.max()))
    size = np.sqrt(_norms64(Q))
    nearest_sq = np.maximum(lowest.astype(np.float64) + size * size, 0.0)
    reach = size + np.sqrt(nearest_sq + product_error(d, dtype, size, largest))
    margin = product_error(d, dtype, size, np.minimum(largest, reach))
    # no bound where a partial sum may leave the range of the type
    margin[~(largest * (2.0 * size + largest) < np.finfo(dtype).max / 4)] = np.inf
    return margin


def _widest_margin(Q: Any, norms: np.ndarray) -> float:
    """A bound of `_margin` for all queries, from the longest of them."""
    d, dtype = Q.shape[1], norms.dtype
    largest = float(np.sqrt(norms.max()))
    # a little longer, because this norm is summed in the type of the data
    size = float(np.sqrt(_norms(Q).max())) * (1.0 + (d + 2) * float(np.finfo(dtype).eps))
    if not largest * (2.0 * size + largest) < np.finfo(dtype).max / 4:
        return np.inf
    return float(product_error(d, dtype, size, largest))


def _norms(Q: Any) -> np.ndarray:
    return _norms64(Q) if is_sparse(Q) else np.einsum("ij,ij->i", Q, Q)


def _decide(Q: Any, X: np.ndarray, frame: Frame, margin: np.ndarray) -> np.ndarray:
    """Nearest rows by float64 differences of all near-ties; equal distances: lowest index."""
    best = np.zeros(Q.shape[0], dtype=np.int32)
    step = max(1, (1 << 19) // max(X.shape))
    for start in range(0, Q.shape[0], step):
        part = Q[start : start + step]
        pairs = rivals(frame.move(part), frame.rows, frame.norms, margin[start : start + step])
        best[start : start + step] = decide(part, X, *pairs)
    return best


def rivals(
    Q: Any, X: np.ndarray, norms: np.ndarray, margin: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of a query and a row that may be its nearest, as far as products can tell.

    Parameters
    ----------
    Q : ndarray or CSR of shape (nq, d)
    X : ndarray of shape (n, d)
    norms : ndarray of shape (n,)
        `squared_norms` of X.
    margin : ndarray of shape (nq,), optional
        Rounding error of the difference of two scores.

    Returns
    -------
    rows, columns : ndarray of shape (m,), int64
        As `decide` takes them.

    Notes
    -----
    2·nq·n·d operations, in blocks of columns.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        values = np.concatenate([block for _, block in _scores(Q, X, norms)], axis=1)
        lowest = values.min(axis=1)
        limit = lowest + (_margin(Q, norms, lowest) if margin is None else margin)
        # negated, so that a NaN counts as close
        rows, columns = np.nonzero(~(values > limit[:, None]))
        return rows, columns


def decide(Q: Any, X: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Nearest of listed candidates by float64 differences; of equal ones the lowest index.

    Parameters
    ----------
    Q : ndarray or CSR of shape (nq, d)
    X : ndarray of shape (n, d)
    rows, columns : ndarray of shape (m,), integer
        Pair i says that ``X[columns[i]]`` is a candidate of ``Q[rows[i]]``. By row, and within a
        row by column, ascending; each row of Q has at least one.

    Returns
    -------
    ndarray of shape (nq,), of the type of ``columns``

    Notes
    -----
    3·m·d operations in float64.
    """
    exact = listed_sq(Q.astype(np.float64), X, rows, columns)
    each = np.arange(Q.shape[0])
    least = np.minimum.reduceat(exact, np.searchsorted(rows, each))
    norms = _norms64(Q)
    limit = tie_limit(least, np.sqrt(norms), Q.shape[1])
    if is_sparse(Q):
        # these come from products, in float64
        limit += product_error(Q.shape[1], exact.dtype, np.sqrt(norms), np.sqrt(norms + least))
    # negated, so that infinite distances are equal
    tied = np.flatnonzero(~(exact > limit[rows]))
    return columns[tied[np.searchsorted(rows[tied], each)]]


def tie_limit(least: Any, size: Any, d: int) -> Any:
    """Squared distance up to which a candidate counts as near as one at ``least``.

    Parameters
    ----------
    least : float or ndarray
        Squared distance by float64 differences.
    size : float or ndarray
        Norm of the query: the last bit of a coordinate is in proportion to it.
    d : int

    Notes
    -----
    The sum of d squares errs by (d + 2) u; the coordinates, means among them, by a few u each.
    """
    unit = float(np.finfo(np.float64).eps)
    return least + unit * (2.0 * (d + 4) * least + 16.0 * np.sqrt(least) * size)


def uncertain(d1: np.ndarray, d2: np.ndarray, norms: np.ndarray, d: int) -> np.ndarray:
    """Places where a product cannot tell the nearest row from the second nearest.

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
        `decide` is to be asked about these.
    """
    largest = float(np.sqrt(norms.max()))

    def margin(nearest_sq: Any) -> Any:
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


def first_least(values: np.ndarray, dtype: Any) -> int:
    """Place of the least of some totals, made in ``dtype``; of equal ones the first.

    Sums of many distances are compared so: two starts that end in the same clusters have the same
    inertia, whatever the last digits say.

    Examples
    --------
    >>> import numpy as np
    >>> from annlab.distances import first_least
    >>> first_least(np.array([2.0, 1.0 + 1e-15, 1.0]), np.float64)
    1
    """
    values = np.asarray(values, dtype=np.float64)
    return int(np.flatnonzero(~(values > same_total(float(values.min()), dtype)))[0])


def same_total(total: float, dtype: Any) -> float:
    """Total up to which another one, of as many distances in ``dtype``, counts as equal."""
    return total * (1.0 + float(np.finfo(dtype).eps) ** 0.75)


def ranked(distances_sq: np.ndarray, d: int) -> tuple[np.ndarray, np.ndarray]:
    """Order the candidates of each row by distance; equal ones stay in their order.

    Parameters
    ----------
    distances_sq : ndarray of shape (nq, m), float64
        By differences (`paired_sq`), candidates in order of index; inf where there is none.
    d : int

    Returns
    -------
    distances_sq : ndarray of shape (nq, m), float64
        Ascending.
    order : ndarray of shape (nq, m), int64
        Place of the candidate that comes first, second, …
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


def paired_sq(Q: Any, X: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """Squared distance of each query to the rows of ``X`` chosen for it, by differences.

    Parameters
    ----------
    Q : ndarray or CSR of shape (nq, d)
    X : ndarray of shape (n, d)
    indices : ndarray of shape (nq,) or (nq, m), integer
        Rows of X for each query.

    Returns
    -------
    ndarray of the shape of ``indices``, float64
        Summed in float64. Dense differences are taken in the wider of the two types, so there is
        no cancellation; sparse queries use ``‖q‖² − 2 q·x + ‖x‖²`` in float64.

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
    nq, d = Q.shape
    if is_sparse(Q):
        return listed_sq(Q, X, np.arange(nq), indices)
    out = np.empty(nq, dtype=np.float64)
    step = max(1, (1 << 20) // max(d, 1))
    for start in range(0, nq, step):
        stop = start + step
        difference = Q[start:stop] - X[indices[start:stop]]
        out[start:stop] = np.einsum("ij,ij->i", difference, difference, dtype=np.float64)
    return out


def listed_sq(Q: Any, X: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Squared distances of listed pairs of a query and a row, as `paired_sq` computes them.

    Parameters
    ----------
    Q : ndarray or CSR of shape (nq, d)
    X : ndarray of shape (n, d)
    rows, columns : ndarray of shape (m,), integer
        Pair i is ``Q[rows[i]]`` and ``X[columns[i]]``.

    Returns
    -------
    ndarray of shape (m,), float64

    Notes
    -----
    3·m·d operations (sparse: 3·m·nnz of a row, and n·d once); holds blocks of about 8 MB.

    Examples
    --------
    >>> import numpy as np
    >>> from annlab.distances import listed_sq
    >>> Q, X = np.array([[0.0], [5.0]]), np.array([[1.0], [7.0]])
    >>> listed_sq(Q, X, np.array([0, 0, 1]), np.array([0, 1, 1]))
    array([ 1., 49.,  4.])
    """
    out = np.empty(len(rows), dtype=np.float64)
    if not is_sparse(Q):
        step = max(1, (1 << 20) // max(Q.shape[1], 1))
        for start in range(0, len(rows), step):
            stop = start + step
            difference = Q[rows[start:stop]] - X[columns[start:stop]]
            out[start:stop] = np.einsum("ij,ij->i", difference, difference, dtype=np.float64)
        return out
    x_norms = np.einsum("ij,ij->i", X, X, dtype=np.float64)
    step = max(1, (1 << 20) // max(Q.nnz // max(Q.shape[0], 1), 1))
    for start in range(0, len(rows), step):
        part, chosen = Q[rows[start : start + step]], columns[start : start + step]
        place = np.repeat(np.arange(part.shape[0]), np.diff(part.indptr))
        values = part.data.astype(np.float64)
        dots = values * X[chosen[place], part.indices]
        dots = np.bincount(place, weights=dots, minlength=part.shape[0])
        norms = np.bincount(place, weights=values * values, minlength=part.shape[0])
        out[start : start + step] = np.maximum(norms - 2.0 * dots + x_norms[chosen], 0.0)
    return out


def unit_rows(X: Any) -> tuple[Any, np.ndarray]:
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
    if is_sparse(X):
        copy = X.astype(X.dtype, copy=True)
        values = copy.data.astype(np.float64)
        rows = np.repeat(np.arange(copy.shape[0]), np.diff(copy.indptr))
        peak = np.zeros(copy.shape[0])
        np.maximum.at(peak, rows, np.abs(values))
        is_zero = peak == 0
        peak[is_zero] = 1.0
        values /= peak[rows]
        lengths = np.sqrt(np.bincount(rows, weights=values * values, minlength=copy.shape[0]))
        lengths[is_zero] = 1.0
        copy.data = (values / lengths[rows]).astype(X.dtype)
        return copy, is_zero
    # dividing by the largest entry first keeps the squares of huge and tiny rows in range
    peak = np.abs(X).max(axis=1).astype(np.float64)
    is_zero = peak == 0
    peak[is_zero] = 1.0
    scaled = X / peak[:, None]
    lengths = np.sqrt(np.einsum("ij,ij->i", scaled, scaled))
    lengths[is_zero] = 1.0
    scaled /= lengths[:, None]
    return np.ascontiguousarray(scaled, dtype=X.dtype), is_zero


def unit_means(means: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Scale means to length 1; one of opposite directions has none and stays where it was.

    Parameters
    ----------
    means : ndarray of shape (k, d)
    before : ndarray of shape (k, d)
        The centroids that the means replace.

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


def k_nearest(
    Q: Any, X: np.ndarray, n_neighbors: int, *, metric: str = "euclidean"
) -> tuple[np.ndarray, np.ndarray]:
    """The ``n_neighbors`` nearest rows of ``X`` for each query, nearest first, by brute force.

    Parameters
    ----------
    Q : ndarray or CSR of shape (nq, d)
    X : ndarray of shape (n, d)
    n_neighbors : int
        At most n.
    metric : {"euclidean", "cosine"}, default="euclidean"

    Returns
    -------
    distances : ndarray of shape (nq, n_neighbors), float64
        Euclidean, or 1 − cosine.
    indices : ndarray of shape (nq, n_neighbors), int64
        Ties in order of index.

    Notes
    -----
    2·nq·n·d operations; queries go in blocks that hold about 32 MB of distances.

    Examples
    --------
    >>> import numpy as np
    >>> from annlab.distances import k_nearest
    >>> k_nearest(np.array([[0.9]]), np.array([[0.0], [1.0], [4.0]]), 2)[1]
    array([[1, 0]])
    """
    if metric == "cosine":
        Q, X = unit_rows(Q)[0], unit_rows(X)[0]
    distances_sq, indices = _k_nearest_sq(Q, X, n_neighbors)
    return from_squared(distances_sq, metric), indices


def _k_nearest_sq(Q: Any, X: np.ndarray, n_neighbors: int) -> tuple[np.ndarray, np.ndarray]:
    nq, n = Q.shape[0], X.shape[0]
    indices = np.empty((nq, n_neighbors), dtype=np.int64)
    distances_sq = np.empty((nq, n_neighbors), dtype=np.float64)
    step = max(1, (1 << 22) // max(n, 1))
    norms = squared_norms(X)
    # a few spare candidates: rounding in the product may swap near-ties, the recheck puts it right
    spare = min(n, n_neighbors + 4)
    for start in range(0, nq, step):
        part = Q[start : start + step]
        rows = np.arange(part.shape[0])
        with np.errstate(over="ignore", invalid="ignore"):
            scores = np.concatenate([block for _, block in _scores(part, X, norms)], axis=1)
            # where the scores overflow the rows are asked again below, in float64
            scores[~np.isfinite(scores)] = np.inf
        if spare < n:
            candidates = np.argpartition(scores, spare - 1, axis=1)[:, :spare]
            left_out = scores[rows, candidates[:, spare - 1]]
            candidates.sort(axis=1)
        else:
            candidates = np.tile(np.arange(n), (part.shape[0], 1))
        exact, order = ranked(paired_sq(part, X, candidates), X.shape[1])
        candidates = np.take_along_axis(candidates, order, axis=1)
        if spare < n:
            chosen = scores[rows[:, None], candidates[:, :n_neighbors]].max(axis=1)
            with np.errstate(over="ignore", invalid="ignore"):
                limit = chosen + _margin(part, norms, chosen)
            wild = ~np.isfinite(limit) & (X.dtype != np.float64)
            # all that was left out has at least this score: look again where that is too near
            for row in np.flatnonzero(~wild & ~(left_out > limit)):
                close = np.flatnonzero(scores[row] <= limit[row])
                all_sq = listed_sq(part, X, np.full(len(close), row), close)
                all_sq, order = ranked(all_sq[None], X.shape[1])
                candidates[row, :n_neighbors] = close[order[0, :n_neighbors]]
                exact[row, :n_neighbors] = all_sq[0, :n_neighbors]
            if wild.any():
                again = _k_nearest_sq(
                    part[wild].astype(np.float64), X.astype(np.float64), n_neighbors
                )
                exact[wild, :n_neighbors], candidates[wild, :n_neighbors] = again
        indices[start : start + step] = candidates[:, :n_neighbors]
        distances_sq[start : start + step] = exact[:, :n_neighbors]
    return distances_sq, indices


def from_squared(distances_sq: np.ndarray, metric: str) -> np.ndarray:
    """Turn squared distances (of unit rows, for cosine) into the metric's own distances.

    On unit rows ``1 − cos = ‖q − x‖² / 2``.
    """
    return distances_sq / 2.0 if metric == "cosine" else np.sqrt(distances_sq)

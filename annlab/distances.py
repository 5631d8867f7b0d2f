"""Exact distances, in blocks of bounded memory: the only place that computes them.

All functions take data as it comes (float32, float64, SciPy CSR on the query side), compute in the
type of the data, and never write to a caller's array. Large products run through BLAS as
``‖q − x‖² = ‖q‖² − 2 q·x + ‖x‖²``; a chosen pair is recomputed by `paired_sq` without that
formula's cancellation.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from annlab._support.checks import is_sparse

#: Columns of one product: 1,024 rows by 1,024 columns of float32 stay in a 4 MB cache.
BLOCK = 1024


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
    out = dot(Q, X)
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

    The last bits of a product depend on its shape. So where the best and the second best are
    closer than the rounding error of an inner product (at most ``d u ‖q‖ ‖x‖ / (1 − d u)``,
    Higham 2002, section 3.1, doi 10.1137/1.9780898718027), the row is decided again by float64
    differences. Rows whose squares leave the range of float32 are decided in float64.

    Examples
    --------
    >>> import numpy as np
    >>> from annlab.distances import nearest
    >>> nearest(np.array([[0.9], [5.0]]), np.array([[0.0], [1.0], [4.0]]))
    array([1, 2], dtype=int32)
    """
    if X_norms is not None:
        frame = Frame(X, X_norms, None)
    elif frame is None:
        frame = frame_of(X, may_shift=not is_sparse(Q))
    nq = Q.shape[0]
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
        block = dot(Q, X[start : start + width])
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
    reach = size + np.sqrt(nearest_sq + _error(d, dtype, size, largest))
    margin = _error(d, dtype, size, np.minimum(largest, reach))
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
    return float(_error(d, dtype, size, largest))


def _norms(Q: Any) -> np.ndarray:
    return _norms64(Q) if is_sparse(Q) else np.einsum("ij,ij->i", Q, Q)


def _error(d: int, dtype: np.dtype, size: Any, reach: Any) -> Any:
    """Rounding error of the difference of two scores for a query and rows of given norms."""
    info = np.finfo(dtype)
    spoiled = min(0.5, d * float(info.eps) / 2)
    relative = float(info.eps) * (2.0 * (d + 5) * size * reach + 7.0 * reach * reach)
    return relative / (1.0 - spoiled) + 4.0 * (d + 2) * float(info.tiny)


def _decide(Q: Any, X: np.ndarray, frame: Frame, margin: np.ndarray) -> np.ndarray:
    """Nearest rows by float64 differences of all near-ties; equal distances: lowest index."""
    best = np.zeros(Q.shape[0], dtype=np.int32)
    step = max(1, (1 << 19) // max(X.shape))
    for start in range(0, Q.shape[0], step):
        part = Q[start : start + step]
        blocks = _scores(frame.move(part), frame.rows, frame.norms)
        values = np.concatenate([block for _, block in blocks], axis=1)
        limit = values.min(axis=1) + margin[start : start + step]
        rows, columns = np.nonzero(values <= limit[:, None])
        exact = listed_sq(part.astype(np.float64), X, rows, columns)
        # by row, then by distance; the sort is stable, so the lowest index comes first
        order = np.lexsort((exact, rows))
        first = np.unique(rows[order], return_index=True)[1]
        best[start : start + step] = columns[order][first]
    return best


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
        exact = paired_sq(part, X, candidates)
        order = np.argsort(exact, axis=1, kind="stable")
        exact = np.take_along_axis(exact, order, axis=1)
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
                order = np.argsort(all_sq, kind="stable")[:n_neighbors]
                candidates[row, :n_neighbors] = close[order]
                exact[row, :n_neighbors] = all_sq[order]
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

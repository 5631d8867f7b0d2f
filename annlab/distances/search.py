"""Exact search for nearest rows by brute force."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from annlab._support.checks import is_sparse
from annlab._support.types import Matrix
from annlab.distances.pairs import (
    from_squared,
    listed_sq,
    norms64,
    paired_sq,
    squared_norms,
    unit_rows,
)
from annlab.distances.ties import decide, margin, ranked, rivals, scores, widest_margin

#: Values of differences up to which all pairs are compared in float64 at once.
_FEW = 1 << 12


@dataclass(frozen=True)
class Frame:
    """Rows to compare with queries, shifted so that products keep most digits.

    Rows that all point in much the same direction differ only in the last digits of their
    products; around their mean they do not.

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

    def move(self, Q: Matrix) -> Matrix:
        """Shift queries like the rows."""
        return Q if self.shift is None else Q - self.shift


def frame_of(X: np.ndarray, *, may_shift: bool = True) -> Frame:
    """Prepare rows for several calls of `nearest`.

    Parameters
    ----------
    X : ndarray of shape (n, d)
    may_shift : bool, default=True
        False for sparse queries, which a shift would make dense.

    Returns
    -------
    Frame
        Shifted if the mean row is longer than the rows' distance from it.
    """
    norms = norms64(X)
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
    Q: Matrix,
    X: np.ndarray,
    X_norms: np.ndarray | None = None,
    *,
    frame: Frame | None = None,
) -> np.ndarray:
    """Return the nearest row of ``X`` for each row of ``Q``; ties: lowest index.

    Parameters
    ----------
    Q : ndarray or CSR of shape (nq, d)
    X : ndarray of shape (n, d)
    X_norms : ndarray of shape (n,), optional
        `squared_norms` of X, if known; X is then not shifted.
    frame : Frame, optional
        `frame_of` X, if known.

    Returns
    -------
    ndarray of shape (nq,), int32
        The answer for a row depends on that row and on X alone, never on the other rows of Q.

    Notes
    -----
    2·nq·n·d operations. ``‖q‖²`` is left out: it is the same for all candidates of a row. Near-ties
    are decided by the rule in `annlab.distances.ties`; rows whose squares leave the range of
    float32 are compared in float64.

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
        for start, block in scores(moved, frame.rows, frame.norms):
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
        close = np.flatnonzero(~(gap > widest_margin(moved, frame.norms)))
        margins = margin(moved[close], frame.norms, lowest[close])
        near = ~(gap[close] > margins)
    close, margins = close[near], margins[near]
    wild = ~np.isfinite(margins) & (X.dtype != np.float64)
    if wild.any():
        far = close[wild]
        best[far] = nearest(Q[far].astype(np.float64), X.astype(np.float64))
        close, margins = close[~wild], margins[~wild]
    if close.size:
        best[close] = _decide_close(Q[close], X, frame, margins)
    return best


def _decide_close(Q: Matrix, X: np.ndarray, frame: Frame, margins: np.ndarray) -> np.ndarray:
    """Apply `decide` to the rivals of each query, some queries at a time."""
    best = np.zeros(Q.shape[0], dtype=np.int32)
    step = max(1, (1 << 19) // max(X.shape))
    for start in range(0, Q.shape[0], step):
        part = Q[start : start + step]
        pairs = rivals(frame.move(part), frame.rows, frame.norms, margins[start : start + step])
        best[start : start + step] = decide(part, X, *pairs)
    return best


def k_nearest(
    Q: Matrix, X: np.ndarray, n_neighbors: int, *, metric: str = "euclidean"
) -> tuple[np.ndarray, np.ndarray]:
    """Find the ``n_neighbors`` nearest rows of ``X`` by brute force.

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
        Euclidean, or 1 − cosine; ascending.
    indices : ndarray of shape (nq, n_neighbors), int64
        Ties in order of index.

    Notes
    -----
    2·nq·n·d operations; queries are handled in blocks that hold about 32 MB of distances.

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


def _k_nearest_sq(Q: Matrix, X: np.ndarray, n_neighbors: int) -> tuple[np.ndarray, np.ndarray]:
    frame = frame_of(X, may_shift=not is_sparse(Q))
    step = max(1, (1 << 22) // max(len(X), 1))
    parts = [
        _k_nearest_block(Q[start : start + step], X, n_neighbors, frame)
        for start in range(0, max(Q.shape[0], 1), step)
    ]
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])


def _k_nearest_block(
    Q: Matrix, X: np.ndarray, n_neighbors: int, frame: Frame
) -> tuple[np.ndarray, np.ndarray]:
    n, rows = len(X), np.arange(Q.shape[0])
    # a few spare candidates: rounding in the product may swap near-ties
    spare = min(n, n_neighbors + 4)
    if spare == n:
        exact, order = ranked(paired_sq(Q, X, np.tile(np.arange(n), (len(rows), 1))), X.shape[1])
        return exact[:, :n_neighbors], order[:, :n_neighbors]
    with np.errstate(over="ignore", invalid="ignore"):
        moved = frame.move(Q)
        table = np.concatenate([b for _, b in scores(moved, frame.rows, frame.norms)], axis=1)
        # rows whose scores overflow are asked again below, in float64
        table[~np.isfinite(table)] = np.inf
    candidates = np.argpartition(table, spare - 1, axis=1)[:, :spare]
    left_out = table[rows, candidates[:, spare - 1]]
    candidates.sort(axis=1)
    exact, order = ranked(paired_sq(Q, X, candidates), X.shape[1])
    exact = exact[:, :n_neighbors]
    candidates = np.take_along_axis(candidates, order[:, :n_neighbors], axis=1)
    chosen = table[rows[:, None], candidates].max(axis=1)
    with np.errstate(over="ignore", invalid="ignore"):
        limit = chosen + margin(moved, frame.norms, chosen)
    wild = ~np.isfinite(limit) & (X.dtype != np.float64)
    # all omitted rows have at least this score: search again where that is too near
    for row in np.flatnonzero(~wild & ~(left_out > limit)):
        close = np.flatnonzero(table[row] <= limit[row])
        again, order = ranked(listed_sq(Q, X, np.full(len(close), row), close)[None], X.shape[1])
        candidates[row], exact[row] = close[order[0, :n_neighbors]], again[0, :n_neighbors]
    if wild.any():
        exact[wild], candidates[wild] = _k_nearest_sq(
            Q[wild].astype(np.float64), X.astype(np.float64), n_neighbors
        )
    return exact, candidates

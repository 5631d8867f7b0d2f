"""Steps that go beyond the means and repeat a share of the last move."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from annlab._support.threads import chunk_bounds

#: Values of the centroids that a step treats at once.
_STEP_VALUES = 1 << 16


class Momentum(NamedTuple):
    """Over-relaxed updates: more than the step to the means, and more and more of the last move.

    Attributes
    ----------
    length : float
        Length of the step; 1 goes to the means, 2 would only swing to and fro.
    most : float
        Share of the last move that is repeated, after some steps.

    Notes
    -----
    Lloyd's update is a gradient step, so what speeds up gradient descent speeds it up as well
    (Nesterov 1983; for k-means compare Bottou & Bengio 1995, "Convergence properties of the
    K-means algorithms", NIPS 7). It takes about half the iterations of plain steps.
    """

    length: float
    most: float

    def step(
        self,
        sums: np.ndarray,
        totals: np.ndarray,
        centroids: np.ndarray,
        radius_sq: float,
        before: np.ndarray | None,
        turn: int,
    ) -> np.ndarray:
        """Where the centroids go.

        Parameters
        ----------
        sums, totals : ndarrays of shape (k, d) and (k,), float64
        centroids : ndarray of shape (k, d)
        radius_sq : float
            Mean squared distance of a point to its centroid. A centroid that has come farther
            than that was re-seeded, and gets no momentum.
        before : ndarray of shape (k, d), or None
            The centroids before the last move.
        turn : int
            Moves so far.

        Returns
        -------
        ndarray of shape (k, d), float64
            Empty clusters stay.
        """
        new = np.empty(sums.shape)
        share = min(self.most, turn / (turn + 3.0))
        # some rows at a time: at large k each further array of this size is worth saving
        for start, stop in chunk_bounds(len(sums), max(1, _STEP_VALUES // sums.shape[1])):
            at, filled = new[start:stop], totals[start:stop] > 0
            at[:] = centroids[start:stop]
            means = sums[start:stop][filled]
            means /= totals[start:stop][filled, None]
            means -= at[filled]
            means *= self.length
            at[filled] += means
            if before is not None and self.most > 0:
                move = centroids[start:stop] - before[start:stop]
                move[np.einsum("ij,ij->i", move, move) > radius_sq] = 0.0
                move[~filled] = 0.0
                at += share * move
        return new


def check_move(before: Any, k: int, d: int) -> None:
    """Raise ValueError unless it is None or a table of k centroids."""
    if before is not None and (before.shape != (k, d) or before.dtype.kind != "f"):
        raise ValueError("centroids of another shape")

"""Over-relaxed steps: beyond the means, plus a share of the last move."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from annlab._support.threads import chunk_bounds

#: Values of the centroids that a step processes at once.
_STEP_VALUES = 1 << 16


class Momentum(NamedTuple):
    """Over-relaxed updates with momentum.

    Attributes
    ----------
    length : float
        Length of the step; 1 goes to the means, 2 would oscillate.
    most : float
        Share of the last move that is repeated, reached after some steps.

    Notes
    -----
    Lloyd's update is a gradient step, so the acceleration of Nesterov (1983) applies (for k-means
    compare Bottou & Bengio 1995, "Convergence properties of the K-means algorithms", NIPS 7). It
    takes about half the iterations of plain steps.
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
        """Return the next centroids, shape (k, d), float64; empty clusters stay.

        Parameters
        ----------
        sums, totals : ndarrays of shape (k, d) and (k,), float64
        centroids : ndarray of shape (k, d)
        radius_sq : float
            Mean squared distance of a point to its centroid. A centroid that moved farther was
            re-seeded, and gets no momentum.
        before : ndarray of shape (k, d), or None
            The centroids before the last move.
        turn : int
            Moves so far.
        """
        new = np.empty(sums.shape)
        share = min(self.most, turn / (turn + 3.0))
        # in chunks: at large k another array of this size would be expensive
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


def check_move(before: np.ndarray | None, k: int, d: int) -> None:
    """Raise ValueError unless it is None or a table of k centroids."""
    if before is not None and (before.shape != (k, d) or before.dtype.kind != "f"):
        raise ValueError("centroids of the wrong shape")

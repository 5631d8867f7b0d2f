"""Steps that go beyond the means and repeat a share of the last move."""

from __future__ import annotations

from typing import Any

import numpy as np

from annlab._support.threads import chunk_bounds

#: Values of the centroids that a step treats at once.
_STEP_VALUES = 1 << 16


class Momentum:
    """Over-relaxed updates: more than the step to the means, and more and more of the last move.

    Parameters
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

    def __init__(self, length: float, most: float) -> None:
        self.length, self.most = length, most
        self.before: np.ndarray | None = None
        self.turn = 0

    def restart(self) -> None:
        """Forget the last move: clusters have been moved elsewhere."""
        self.before, self.turn = None, 0

    def state(self) -> dict[str, Any]:
        """What a later `step` depends on."""
        return {"before": self.before, "turn": self.turn}

    def restore(self, state: dict[str, Any], shape: tuple[int, int]) -> None:
        """Go on from a `state`.

        Raises
        ------
        KeyError, TypeError, ValueError
        """
        before, turn = state["before"], int(state["turn"])
        if before is not None and before.shape != shape:
            raise ValueError("centroids of another shape")
        self.before, self.turn = before, turn

    def step(
        self, sums: np.ndarray, totals: np.ndarray, centroids: np.ndarray, radius_sq: float
    ) -> np.ndarray:
        """Where the centroids go.

        Parameters
        ----------
        sums, totals : ndarrays of shape (k, d) and (k,), float64
        centroids : ndarray of shape (k, d)
        radius_sq : float
            Mean squared distance of a point to its centroid. A centroid that has come farther
            than that was re-seeded, and gets no momentum.

        Returns
        -------
        ndarray of shape (k, d), float64
            Empty clusters stay.
        """
        new = np.empty(sums.shape)
        share = min(self.most, self.turn / (self.turn + 3.0))
        # some rows at a time: at large k each further array of this size is worth saving
        for start, stop in chunk_bounds(len(sums), max(1, _STEP_VALUES // sums.shape[1])):
            at, filled = new[start:stop], totals[start:stop] > 0
            at[:] = centroids[start:stop]
            means = sums[start:stop][filled]
            means /= totals[start:stop][filled, None]
            means -= at[filled]
            means *= self.length
            at[filled] += means
            if self.before is not None and self.most > 0:
                move = centroids[start:stop] - self.before[start:stop]
                move[np.einsum("ij,ij->i", move, move) > radius_sq] = 0.0
                move[~filled] = 0.0
                at += share * move
        self.before = centroids
        self.turn += 1
        return new

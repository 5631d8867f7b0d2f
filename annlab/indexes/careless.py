"""An index that errs on purpose, to measure the effect of known errors.

It is not among `available_indexes`.
"""

from __future__ import annotations

import zlib

import numpy as np

from annlab._support.checks import check_choice, check_random_state, check_real
from annlab._support.types import Seed
from annlab.distances import k_nearest
from annlab.indexes._base import NeighborIndex


class CarelessIndex(NeighborIndex):
    """Brute force that overlooks each true neighbour with a given probability.

    Parameters
    ----------
    recall : float, default=0.9
        Share of the true neighbours that are found, from 0 to 1.
    miss : {"near", "far"}, default="near"
        What is returned for the others: the next best rows, or any rows.
    metric : {"euclidean", "cosine"}, default="euclidean"
    random_state : int, RandomState, Generator or None, default=None
        Draws the errors. They depend on it, on the indexed rows and on the query: the same query
        of the same rows gives the same error, and moved rows give new ones.
    n_jobs : int or None, default=None

    Attributes
    ----------
    exact : bool
        False, even for ``recall=1``.

    Raises
    ------
    ValueError, TypeError
        At ``fit``.

    Notes
    -----
    O(nq·n·(d + log n)).

    Examples
    --------
    >>> import numpy as np
    >>> from annlab.indexes.careless import CarelessIndex
    >>> X = np.arange(10.0)[:, None]
    >>> CarelessIndex(1.0).fit(X).kneighbors([[3.1]], 1)[1]
    array([[3]])
    >>> CarelessIndex(0.0, random_state=0).fit(X).kneighbors([[3.1]], 1)[1]
    array([[4]])
    """

    name = "careless"

    def __init__(
        self,
        recall: float = 0.9,
        *,
        miss: str = "near",
        metric: str = "euclidean",
        random_state: Seed = None,
        n_jobs: int | None = None,
    ) -> None:
        self.recall = recall
        self.miss = miss
        self.metric = metric
        self.random_state = random_state
        self.n_jobs = n_jobs

    def _build(self, X: np.ndarray) -> None:
        self._share = check_real(self.recall, "recall", maximum=1.0)
        self._far = check_choice(self.miss, "miss", ("near", "far")) == "far"
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        largest = float(np.abs(X).max())
        self._grid = 2.0 ** (np.ceil(np.log2(largest)) - 20) if largest > 0 else 1.0
        self._seed = zlib.crc32(self._rounded(X).tobytes(), seed)
        self._rows = X

    def _rounded(self, X: np.ndarray) -> np.ndarray:
        """Round rows to about six digits; last bits differ between processors."""
        return np.rint(np.asarray(X, dtype=np.float64) / self._grid)

    def _search(self, Q: np.ndarray, n_neighbors: int) -> tuple[np.ndarray, int]:
        n = len(self._rows)
        order = k_nearest(Q, self._rows, n)[1]
        found = order[:, :n_neighbors].copy()
        rest = order[:, n_neighbors:]
        seeds = np.array(
            [zlib.crc32(row.tobytes(), self._seed) for row in self._rounded(Q)], dtype=np.uint64
        )
        draws = _uniform(seeds, n if self._far else n_neighbors)
        if self._far:
            rest = np.take_along_axis(rest, np.argsort(draws[:, n_neighbors:], axis=1), axis=1)
        # each place has its own substitute, as far as there are rows left
        places = min(n_neighbors, rest.shape[1])
        missed = draws[:, :places] >= self._share
        found[:, :places] = np.where(missed, rest[:, :places], found[:, :places])
        return found, len(Q) * n


def _uniform(seeds: np.ndarray, count: int) -> np.ndarray:
    """Draw ``count`` numbers from [0, 1) for each seed, deterministically.

    The mixing steps of SplitMix64 (Steele, Lea & Flood 2014, doi 10.1145/2660193.2660195); a
    generator for each query would take a hundred times as long.
    """
    steps = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    x = (seeds[:, None] << np.uint64(20)) + steps
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    return (x >> np.uint64(11)) * 2.0**-53

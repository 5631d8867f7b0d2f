"""Locality-sensitive hashing: near rows often share a bucket."""

from __future__ import annotations

import heapq
from statistics import NormalDist
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from annlab._support.checks import (
    check_choice,
    check_data,
    check_integer,
    check_random_state,
    check_real,
    is_sparse,
)
from annlab._support.types import Matrix, MatrixLike, Seed
from annlab.distances import listed_sq, pairwise_sq, unit_rows
from annlab.indexes._base import Frame, NeighborIndex

#: Pairs of a query and a row that are marked at once.
_CELLS = 1 << 21
#: Bits of a hyperplane code that fit an integer.
_MOST_HASHES = 62
#: More tables would fill the memory.
_MOST_TABLES = 1 << 16


class LSHIndex(NeighborIndex):
    """Hash rows into buckets of several tables; compare queries with theirs.

    Each table has ``n_hashes`` random directions. A *hyperplane* hash is the side of a random
    hyperplane on which a row lies; two rows at angle θ agree with probability 1 − θ/π. A *p-stable*
    hash is the number of the slab of ``width`` into which a random Gaussian projection falls; near
    rows agree more often than far ones. Rows that agree in all hashes of a table share a bucket. A
    query is compared with the rows of its bucket in each table, and of the ``n_probes − 1`` buckets
    across the nearest walls.

    Parameters
    ----------
    family : {"auto", "hyperplane", "p-stable"}, default="auto"
        ``"auto"``: p-stable for the Euclidean metric, hyperplane for cosine.
    n_tables : int, default=8
        Independent tables; more give more recall and take 12 bytes for each row and table.
    n_hashes : int or "auto", default="auto"
        Hashes of a table, at most 62; more make smaller buckets. ``"auto"``: the fewest for which
        a typical row shares its bucket with at most 1/256 of the rows (or 4 rows).
    width : float or "auto", default="auto"
        Width of a slab of the p-stable family, in the units of the data. ``"auto"``: four times
        the distance within which three of four rows have another row, on a sample.
    n_probes : int, default=8
        Buckets searched in each table, the query's own included; 1 is plain LSH.
    metric : {"euclidean", "cosine"}, default="euclidean"
    random_state : None, int, RandomState or Generator, default=None
        Draws the directions.
    n_jobs : int or None, default=None
        Threads for queries.

    Attributes
    ----------
    family_ : str
    n_hashes_ : int
    width_ : float
        In the units of the data; NaN for hyperplanes.

    Raises
    ------
    ValueError, TypeError
        At ``fit``.

    Notes
    -----
    Build O(n·d·h) for h = n_tables · n_hashes directions; a query O(d·h) to hash plus O(d) for
    each candidate. ``n_distances_`` counts the different candidates of each query. Hyperplanes pass
    through the mean of the rows for the Euclidean metric, through the origin for cosine.

    Charikar 2002, doi 10.1145/509907.509965 (hyperplanes); Datar, Immorlica, Indyk & Mirrokni
    2004, doi 10.1145/997817.997857 (p-stable); Lv, Josephson, Wang, Charikar & Li 2007, VLDB,
    "Multi-probe LSH" (doi 10.5555/1325851.1325958).

    Examples
    --------
    >>> import numpy as np
    >>> from annlab.indexes.lsh import LSHIndex
    >>> X = np.random.RandomState(0).rand(500, 4)
    >>> index = LSHIndex(random_state=0).fit(X)
    >>> index.kneighbors(X[:3], 1)[1].ravel()
    array([0, 1, 2])
    >>> index.n_distances_ < 3 * 500
    True
    """

    name = "lsh"
    accepts_sparse = True
    knobs: ClassVar[dict[str, tuple]] = {
        "n_probes": (1, 2, 4, 8, 16, 32),
        "n_tables": (2, 4, 8, 16, 32),
    }
    query_knobs: ClassVar[tuple[str, ...]] = ("n_probes",)

    def __init__(
        self,
        *,
        family: str = "auto",
        n_tables: int = 8,
        n_hashes: int | str = "auto",
        width: float | str = "auto",
        n_probes: int = 8,
        metric: str = "euclidean",
        random_state: Seed = None,
        n_jobs: int | None = None,
    ) -> None:
        self.family = family
        self.n_tables = n_tables
        self.n_hashes = n_hashes
        self.width = width
        self.n_probes = n_probes
        self.metric = metric
        self.random_state = random_state
        self.n_jobs = n_jobs

    def _check_query_params(self) -> None:
        check_integer(self.n_probes, "n_probes")

    def _build(self, X: np.ndarray) -> None:
        check_choice(self.family, "family", ("auto", "hyperplane", "p-stable"))
        n_tables = check_integer(self.n_tables, "n_tables", maximum=_MOST_TABLES)
        self._check_query_params()
        if self.n_hashes != "auto":
            check_integer(self.n_hashes, "n_hashes", maximum=_MOST_HASHES)
        if self.width != "auto":
            check_real(self.width, "width", strict=True)
        rng = check_random_state(self.random_state)
        n, d = X.shape
        family = self.family
        if family == "auto":
            family = "hyperplane" if self._metric == "cosine" else "p-stable"
        # a sparse query is brought into the frame by its scale and by the projected shift
        self._frame = Frame(X)
        rows = self._frame.apply(X)
        nearest, typical = _scales(rows, rng)
        self.family_ = family
        width = 4.0 * nearest if self.width == "auto" else float(self.width) / self._frame.scale
        if family == "hyperplane":
            self.width_ = float("nan")
            cosines = 1.0 - typical**2 / 2.0
            if self._metric == "euclidean":
                centre = rows.mean(axis=0, dtype=np.float64)
                spread = np.sqrt(np.mean((rows[:4096] - centre) ** 2) * d)
                cosines = 1.0 - (typical / max(spread, np.finfo(float).tiny)) ** 2 / 2.0
            together = 1.0 - np.arccos(np.clip(cosines, -1.0, 1.0)) / np.pi
        else:
            self.width_ = width * self._frame.scale
            together = p_stable_collision(typical, width)
        self.n_hashes_ = (
            _enough_hashes(together, n) if self.n_hashes == "auto" else int(self.n_hashes)
        )
        shape = (d, n_tables * self.n_hashes_)
        self._directions = rng.standard_normal(shape).astype(rows.dtype)
        if family == "hyperplane":
            zero = np.zeros(d) if self._metric == "cosine" else centre
            self._offsets = -(zero @ self._directions)
            self._multipliers = np.tile(
                np.left_shift(np.uint64(1), np.arange(self.n_hashes_, dtype=np.uint64)), n_tables
            )
        else:
            self._directions /= rows.dtype.type(width)
            self._offsets = rng.uniform(0.0, 1.0, shape[1])
            # a random linear hash of the slab numbers modulo 2**64: a neighbouring slab differs
            # by one multiplier, and a chance collision only adds a candidate
            self._multipliers = rng.randint(0, 2**63, shape[1], dtype=np.uint64) * 2 + 1
        # for sparse queries, which do not go through the frame
        shift = np.zeros(d) if self._frame.shift is None else self._frame.shift
        self._sparse_offsets = self._offsets - (shift / self._frame.scale) @ self._directions
        codes = np.concatenate(
            [self._codes(self._positions(rows[a : a + 4096])) for a in range(0, n, 4096)]
        )
        order = np.argsort(codes, axis=0, kind="stable")
        self._order = np.ascontiguousarray(order.T, dtype=np.int32).ravel()
        self._buckets: list[tuple[np.ndarray, np.ndarray]] = []
        for table in range(n_tables):
            found, first = np.unique(codes[order[:, table], table], return_index=True)
            self._buckets.append((found, np.append(first, n) + table * n))

    def hashes(self, Q: MatrixLike) -> np.ndarray:
        """Return the hashes of queries: sides of planes (0, 1), or slab numbers.

        Parameters
        ----------
        Q : array-like of shape (nq, d)

        Returns
        -------
        ndarray of shape (nq, n_tables, n_hashes_), int64

        Examples
        --------
        >>> import numpy as np
        >>> from annlab.indexes.lsh import LSHIndex
        >>> index = LSHIndex(family="hyperplane", n_tables=2, n_hashes=3, random_state=0)
        >>> index.fit(np.eye(4)).hashes(np.ones((1, 4))).shape
        (1, 2, 3)
        """
        self._check_fitted()
        Q = check_data(Q, name="Q", accept_sparse=True, n_features=self.n_features_in_)
        if self._metric == "cosine":
            Q, _ = unit_rows(Q)
        return self._cells(self._positions(Q if is_sparse(Q) else self._frame.apply(Q)))

    def _positions(self, Q: Matrix) -> np.ndarray:
        """Project rows in the frame, or sparse rows as they are: (nq, L, h) float64."""
        positions = np.asarray(Q @ self._directions, dtype=np.float64)
        if is_sparse(Q):
            positions /= self._frame.scale
            positions += self._sparse_offsets
        else:
            positions += self._offsets
        # the slab numbers of far queries would overflow int64
        np.clip(positions, -(2.0**62), 2.0**62, out=positions)
        return positions.reshape(len(positions), -1, self.n_hashes_)

    def _cells(self, positions: np.ndarray) -> np.ndarray:
        if self.family_ == "hyperplane":
            return (positions > 0).astype(np.int64)
        return np.floor(positions).astype(np.int64)

    def _codes(self, positions: np.ndarray) -> np.ndarray:
        cells = self._cells(positions).view(np.uint64)
        return (cells * self._multipliers.reshape(1, -1, self.n_hashes_)).sum(axis=2)

    def _probes(self, positions: np.ndarray) -> np.ndarray:
        """Return the codes of buckets to search, (nq, L, probes), own bucket first."""
        codes = self._codes(positions)
        sets = probing_sequence(self.n_hashes_, self.n_probes, self.family_)
        multipliers = self._multipliers.reshape(1, -1, self.n_hashes_)
        # unsigned sums wrap around: a step down is the complement of a step up
        down = ~multipliers + np.uint64(1)
        if self.family_ == "hyperplane":
            margins = np.abs(positions)
            steps = np.where(positions > 0, down, multipliers)
        else:
            below = positions - np.floor(positions)
            margins = np.concatenate([below, 1.0 - below], axis=2)
            steps = np.broadcast_to(np.concatenate([down, multipliers], axis=2), margins.shape)
        needed = 1 + max((max(ranks) for ranks in sets if ranks), default=-1)
        near = np.argsort(margins, axis=2, kind="stable")[:, :, :needed]
        steps = np.take_along_axis(steps, near, axis=2)
        probes = np.empty((*codes.shape, len(sets)), dtype=np.uint64)
        for i, ranks in enumerate(sets):
            probes[:, :, i] = codes
            for rank in ranks:
                probes[:, :, i] += steps[:, :, rank]
        return probes

    def _search(self, Q: Matrix, n_neighbors: int) -> tuple[np.ndarray, int]:
        n = len(self.X_)
        out = np.full((Q.shape[0], n_neighbors), -1, dtype=np.int64)
        count = 0
        probes = self._probes(self._positions(Q if is_sparse(Q) else self._frame.apply(Q)))
        lows, sizes = np.empty(probes.shape, np.int64), np.zeros(probes.shape, np.int64)
        for table, (codes, starts) in enumerate(self._buckets):
            place = np.searchsorted(codes, probes[:, table])
            place[place == len(codes)] = 0
            lows[:, table] = starts[place]
            hit = codes[place] == probes[:, table]
            sizes[:, table] = np.where(hit, starts[place + 1] - starts[place], 0)
        step = max(1, _CELLS // n)
        for start in range(0, Q.shape[0], step):
            part = Q[start : start + step]
            queries, rows = self._candidates(
                lows[start : start + step], sizes[start : start + step]
            )
            count += len(rows)
            distances_sq = listed_sq(part, self.X_, queries, rows)
            order = np.lexsort((distances_sq, queries))
            queries, rows = queries[order], rows[order]
            begins = np.searchsorted(queries, np.arange(part.shape[0]))
            rank = np.arange(len(queries)) - begins[queries]
            best = rank < n_neighbors
            out[start + queries[best], rank[best]] = rows[best]
        return out, count

    def _candidates(self, lows: np.ndarray, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Expand ranges of the sorted tables to different (query, row) pairs, sorted."""
        nq, n = len(lows), len(self.X_)
        lows, sizes = lows.reshape(nq, -1), sizes.reshape(nq, -1)
        ends = np.cumsum(sizes.ravel())
        total = int(ends[-1])
        places = np.repeat(lows.ravel() - (ends - sizes.ravel()), sizes.ravel()) + np.arange(total)
        marks = np.zeros((nq, n), dtype=bool)
        marks[np.repeat(np.arange(nq), sizes.sum(axis=1)), self._order[places]] = True
        queries, rows = np.nonzero(marks)
        return queries, rows


def p_stable_collision(distance: ArrayLike, width: float) -> np.ndarray:
    """Return the collision probability of a p-stable hash at a distance.

    Notes
    -----
    1 − 2 Φ(−w/r) − (2 r / (√(2π) w)) (1 − exp(−w² / 2r²)), Datar et al. 2004, section 3.2.

    Examples
    --------
    >>> from annlab.indexes.lsh import p_stable_collision
    >>> p_stable_collision([0.0, 1.0, 4.0], width=4.0).round(3)
    array([1.   , 0.801, 0.369])
    """
    r = np.asarray(distance, dtype=np.float64)
    c = width / np.where(r > 0, r, 1.0)
    below = np.vectorize(NormalDist().cdf, otypes=[float])(-c)
    chance = 1.0 - 2.0 * below - 2.0 / (np.sqrt(2.0 * np.pi) * c) * -np.expm1(-c * c / 2.0)
    return np.where(r > 0, chance, 1.0)


def probing_sequence(n_hashes: int, n_probes: int, family: str) -> list[tuple[int, ...]]:
    """Return the sets of walls to cross, in order of expected squared distance.

    Parameters
    ----------
    n_hashes : int
    n_probes : int
        Sets wanted; fewer are returned if there are fewer buckets.
    family : {"hyperplane", "p-stable"}

    Returns
    -------
    list of tuple of int
        Ranks of walls; 0 is the one nearest to the query. A p-stable hash has two walls, at ranks
        that add up to ``2 * n_hashes − 1``; no set holds both.

    Notes
    -----
    The expected distances of the walls are those of order statistics (uniform in the slab for
    p-stable, half-normal for hyperplanes), so one order serves all queries: Lv et al. 2007,
    section 4.5. A best-first search with the paper's two moves, shift and expand.

    Examples
    --------
    >>> from annlab.indexes.lsh import probing_sequence
    >>> probing_sequence(4, 5, "p-stable")
    [(), (0,), (1,), (0, 1), (2,)]
    """
    h = n_hashes
    if family == "hyperplane":
        quantile = NormalDist().inv_cdf
        scores = [quantile(0.5 + 0.5 * (j + 1) / (h + 1)) ** 2 for j in range(h)]
    else:
        low = [(j + 1) * (j + 2) / (4 * (h + 1) * (h + 2)) for j in range(h)]
        high = [
            1 - (h - i) / (h + 1) + (h - i) * (h - i + 1) / (4 * (h + 1) * (h + 2))
            for i in range(h)
        ]
        scores = low + high
    sets: list[tuple[int, ...]] = [()]
    heap: list[tuple[float, tuple[int, ...]]] = [(scores[0], (0,))]
    while heap and len(sets) < n_probes:
        score, ranks = heapq.heappop(heap)
        if family == "hyperplane" or all(2 * h - 1 - r not in ranks for r in ranks):
            sets.append(ranks)
        last = ranks[-1]
        if last + 1 < len(scores):
            heapq.heappush(heap, (score - scores[last] + scores[last + 1], (*ranks[:-1], last + 1)))
            heapq.heappush(heap, (score + scores[last + 1], (*ranks, last + 1)))
    return sets


def _scales(rows: np.ndarray, rng: np.random.RandomState) -> tuple[float, np.ndarray]:
    """Return a typical nearest distance (upper quartile) and random distances.

    On a sample of at most 128 rows, each against 256 random rows.
    """
    n = len(rows)
    sample = rows[rng.permutation(n)[:128]]
    distances = np.sqrt(pairwise_sq(sample, rows).astype(np.float64))
    largest = float(distances.max())
    # without the row itself and its duplicates
    others = np.where(distances > 1e-3 * largest, distances, np.inf).min(axis=1)
    others = others[np.isfinite(others)]
    # not the median: rows in sparse regions need wide slabs
    nearest = float(np.quantile(others, 0.75)) if others.size else 1.0
    return nearest, distances[:, rng.randint(n, size=256)]


def _enough_hashes(together: np.ndarray, n: int) -> int:
    """Return the fewest hashes for which a typical bucket holds few random rows."""
    share = max(1.0 / 256.0, 4.0 / n)
    for h in range(1, 25):
        if np.median(np.mean(together**h, axis=1)) <= share:
            return h
    return 24

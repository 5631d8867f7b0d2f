"""Data in growing dimensions, and what distances, indexes and codes make of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from annlab._support.checks import check_random_state
from annlab.datasets import load_digits_data, load_patches, make_uniform_cube
from annlab.distances import from_squared, pairwise_sq
from annlab.indexes import make_index
from annlab.indexes.pq import PQIndex
from annlab.metrics import distance_contrast, intrinsic_dimension, recall_at_k

#: Rows that are searched, and further rows that search.
ROWS, QUERIES = 1000, 100
DS = tuple(2**power for power in range(1, 11))
#: Sides of the windows that are cut out of larger pictures, around one centre.
_PATCH_SIDES = (1, 2, 3, 4, 6, 8, 11, 13, 16, 18)
_DIGIT_SIDES = (3, 4, 5, 6, 8)
#: Built-in sets.
SETS = ("uniform", "normal", "8-dim. sheet", "2-dim. sheet", "digits", "patches")
#: Words of a codebook, and iterations of its k-means: ten sizes are trained for one picture.
CODES, _TRAINING = 64, 5
#: The indexes at the knobs that they keep in every dimension.
RACERS: dict[str, dict[str, Any]] = {
    "kd_tree": {},
    "ball_tree": {},
    "lsh": {"n_probes": 8, "random_state": 0},
    "hnsw": {"M": 8, "ef_construction": 40, "ef": 10, "count_distances": True, "random_state": 0},
    "pq": {},
}


#: Distances and row numbers, as an index answers.
Neighbors = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, slots=True, eq=False)
class Space:
    """One data set in one dimension.

    Attributes
    ----------
    rows : ndarray of shape (n, d), float64
    queries : ndarray of shape (nq, d), float64
        From the same source, and not among the rows.
    shape : tuple of int or None
        Of the picture that a row is.
    """

    rows: np.ndarray
    queries: np.ndarray
    shape: tuple[int, ...] | None

    @property
    def d(self) -> int:
        """Ambient dimension: the number of columns."""
        return self.rows.shape[1]


@dataclass(frozen=True, slots=True, eq=False)
class Geometry:
    """How the distances from queries to rows are spread.

    Attributes
    ----------
    contrast : float
        (farthest − nearest) / nearest, the median over the queries.
    intrinsic : float
        Estimated from the neighbours among the rows.
    distances : ndarray of shape (nq, n)
        Divided by their mean.
    """

    contrast: float
    intrinsic: float
    distances: np.ndarray


@dataclass(frozen=True, slots=True)
class Answered:
    """What an index found, and for how much work."""

    recall: float
    work: float


@dataclass(frozen=True, slots=True, eq=False)
class Coded:
    """Queries as product quantization keeps them.

    Attributes
    ----------
    codes : ndarray of shape (nq, pieces)
    decoded : ndarray of shape (nq, d)
    splits : ndarray of shape (pieces + 1,)
    error : float
        Share of the queries' variance (about the mean row) that the codes lose.
    code_bits, row_bytes : int
        Of one row, as codes and as float32.
    """

    codes: np.ndarray
    decoded: np.ndarray
    splits: np.ndarray
    error: float
    code_bits: int
    row_bytes: int


@dataclass(frozen=True, slots=True)
class Climb:
    """Everything that a view shows, for one data set in all its dimensions."""

    spaces: tuple[Space, ...]
    geometry: tuple[Geometry, ...]
    others: dict[str, tuple[tuple[int, Geometry], ...]]
    answers: tuple[dict[str, Answered], ...] = ()
    coded: tuple[Coded, ...] = ()


def _sheet(n: int, d: int, m: int) -> np.ndarray:
    """A gently curved m-dimensional sheet in d dimensions: each column is a wave over it."""
    rng = check_random_state(m)
    place = rng.random_sample((n, m))
    waves, phases = 1.5 * rng.standard_normal((m, d)), rng.uniform(0, 2 * np.pi, d)
    return np.sin(place @ waves + phases)


def _divided(X: np.ndarray, shape: tuple[int, ...] | None = None) -> Space:
    rows, queries = X[QUERIES:], X[:QUERIES]
    return Space(np.ascontiguousarray(rows), np.ascontiguousarray(queries), shape)


def _windows(pictures: np.ndarray, sides: tuple[int, ...]) -> tuple[Space, ...]:
    spaces = []
    for side in sides:
        start = (pictures.shape[1] - side) // 2
        cut = pictures[:, start : start + side, start : start + side]
        spaces.append(_divided(cut.reshape(len(cut), -1), cut.shape[1:]))
    return tuple(spaces)


@lru_cache(maxsize=len(SETS))
def built_in(name: str) -> tuple[Space, ...]:
    n, most = ROWS + QUERIES, DS[-1]
    if name == "patches":
        side = _PATCH_SIDES[-1]
        patches = load_patches(n, side, random_state=0).astype(np.float64)
        return _windows(patches.reshape(n, side, side, 3), _PATCH_SIDES)
    if name == "digits":
        digits = load_digits_data().X[:n].astype(np.float64) / 16
        return _windows(digits.reshape(n, 8, 8), _DIGIT_SIDES)
    if name == "uniform":
        X = make_uniform_cube(n, most, random_state=0, dtype=np.float64)
    elif name == "normal":
        X = check_random_state(0).standard_normal((n, most))
    else:
        X = _sheet(n, most, int(name[0]))
    # the same points throughout: each dimension keeps the columns of the one before
    return tuple(_divided(X[:, :d]) for d in DS)


def measured(space: Space) -> Geometry:
    distances = from_squared(pairwise_sq(space.queries, space.rows), "euclidean")
    mean = float(distances.mean())
    # one or two places, such as a single column of yes and no: points have no dimension
    spread = len(np.unique(space.rows, axis=0)) > 2
    return Geometry(
        distance_contrast(space.rows, space.queries),
        intrinsic_dimension(space.rows) if spread else 0.0,
        (distances / mean if mean > 0 else distances).astype(np.float32),
    )


def nearest_rows(space: Space) -> Neighbors:
    """The true nearest row of each query."""
    return make_index("brute", n_jobs=1).fit(space.rows).kneighbors(space.queries, 1)


def answered(name: str, space: Space, truth: Neighbors) -> Answered:
    """What an index with its knobs finds."""
    return judged(make_index(name, n_jobs=1, **RACERS[name]).fit(space.rows), space, truth)


def judged(index: Any, space: Space, truth: Neighbors) -> Answered:
    answer = index.kneighbors(space.queries, 1)
    pairs = len(space.queries) * len(space.rows)
    return Answered(recall_at_k(answer, truth), index.n_distances_ / pairs)


def quantized(space: Space, truth: Neighbors, pieces: int) -> tuple[Answered, Coded]:
    index = PQIndex(
        n_subspaces=pieces, n_codes=CODES, rerank=10, max_iter=_TRAINING, random_state=0, n_jobs=1
    ).fit(space.rows)
    codes = index.encode(space.queries)
    decoded = index.decode(codes)
    lost = float(((space.queries - decoded) ** 2).sum())
    spread = float(((space.queries - space.rows.mean(axis=0)) ** 2).sum())
    bits = sum(max(1, (len(book) - 1).bit_length()) for book in index.codebooks_)
    coded = Coded(
        codes,
        decoded.astype(np.float32),
        index.splits_,
        lost / spread if spread > 0 else 0.0,
        bits,
        4 * space.d,
    )
    return judged(index, space, truth), coded

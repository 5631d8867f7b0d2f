"""Data and measurements of `dimension_explorer` in growing dimensions."""

from __future__ import annotations

from collections.abc import Sequence
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

#: Rows that are searched, and further rows as queries.
ROWS, QUERIES = 1000, 100
DS = tuple(2**power for power in range(1, 11))
#: Sides of the windows that are cut out of larger pictures, around one centre.
_PATCH_SIDES = (1, 2, 3, 4, 6, 8, 11, 13, 16, 18)
_DIGIT_SIDES = (3, 4, 5, 6, 8)
#: Built-in sets.
SETS = ("uniform", "normal", "8-dim. sheet", "2-dim. sheet", "digits", "patches")
#: Words of a codebook, and iterations of its k-means.
CODES, _TRAINING = 64, 5
#: Indexes, and their knobs in every dimension; ``pq`` has those of `quantized`.
RACERS: dict[str, dict[str, Any]] = {
    "kd_tree": {},
    "ball_tree": {},
    "lsh": {"n_probes": 8, "random_state": 0},
    "hnsw": {"M": 8, "ef_construction": 40, "ef": 10, "count_distances": True, "random_state": 0},
}
#: Distances and row numbers, as an index answers.
Neighbors = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, slots=True, eq=False)
class Space:
    """Rows in one dimension, and queries from the same source."""

    rows: np.ndarray
    queries: np.ndarray
    #: of the picture that a row is
    shape: tuple[int, ...] | None

    @property
    def d(self) -> int:
        """Number of columns."""
        return self.rows.shape[1]


@dataclass(frozen=True, slots=True, eq=False)
class Geometry:
    """How the distances from queries to rows are spread."""

    #: (farthest - nearest) / nearest, the median over the queries
    contrast: float
    #: dimension estimated from the neighbours among the rows
    intrinsic: float
    #: divided by their mean, shape (queries, rows)
    distances: np.ndarray


@dataclass(frozen=True, slots=True)
class Answered:
    """What an index found, and the distances that it computed as a share of all."""

    recall: float
    work: float


@dataclass(frozen=True, slots=True, eq=False)
class Coded:
    """Queries as product quantization encodes them."""

    #: shape (queries, pieces)
    codes: np.ndarray
    #: shape (queries, d)
    decoded: np.ndarray
    #: first column of each piece, and d
    splits: np.ndarray
    #: share of the queries' variance that the codes lose
    error: float
    #: of one row
    code_bits: int
    row_bytes: int


@dataclass(frozen=True, slots=True)
class Climb:
    """What a view shows of one data set in all its dimensions."""

    spaces: Sequence[Space]
    geometry: Sequence[Geometry]
    #: data set -> its dimensions, each with its geometry
    others: dict[str, list[tuple[int, Geometry]]]
    answers: Sequence[dict[str, Answered]]
    coded: Sequence[Coded]


def _sheet(n: int, d: int, m: int) -> np.ndarray:
    """Make a curved m-dimensional sheet in d dimensions, one wave per column."""
    rng = check_random_state(m)
    place = rng.random_sample((n, m))
    waves, phases = 1.5 * rng.standard_normal((m, d)), rng.uniform(0, 2 * np.pi, d)
    return np.sin(place @ waves + phases)


def divided(X: np.ndarray, n_queries: int, shape: tuple[int, ...] | None = None) -> Space:
    """Divide data into queries and rows."""
    rows, queries = X[n_queries:], X[:n_queries]
    return Space(np.ascontiguousarray(rows), np.ascontiguousarray(queries), shape)


def _windows(pictures: np.ndarray, sides: tuple[int, ...]) -> tuple[Space, ...]:
    spaces = []
    for side in sides:
        start = (pictures.shape[1] - side) // 2
        cut = pictures[:, start : start + side, start : start + side]
        spaces.append(divided(cut.reshape(len(cut), -1), QUERIES, cut.shape[1:]))
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
    # each dimension adds columns to the one before
    return tuple(divided(X[:, :d], QUERIES) for d in DS)


def measured(space: Space) -> Geometry:
    distances = from_squared(pairwise_sq(space.queries, space.rows), "euclidean")
    mean = float(distances.mean())
    # one or two distinct points have no dimension
    spread = len(np.unique(space.rows, axis=0)) > 2
    return Geometry(
        distance_contrast(space.rows, space.queries),
        intrinsic_dimension(space.rows) if spread else 0.0,
        (distances / mean if mean > 0 else distances).astype(np.float32),
    )


def nearest_rows(space: Space) -> Neighbors:
    """Find the nearest row of each query by brute force."""
    return make_index("brute", n_jobs=1).fit(space.rows).kneighbors(space.queries, 1)


def answered(name: str, space: Space, truth: Neighbors) -> Answered:
    """Search with an index at its knobs."""
    return _judged(make_index(name, n_jobs=1, **RACERS[name]).fit(space.rows), space, truth)


def _judged(index: Any, space: Space, truth: Neighbors) -> Answered:
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
        codes=codes,
        decoded=decoded.astype(np.float32),
        splits=index.splits_,
        error=lost / spread if spread > 0 else 0.0,
        code_bits=bits,
        row_bytes=4 * space.d,
    )
    return _judged(index, space, truth), coded

"""Measurements of `faiss_explorer`: searches, and the loss of k-means."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from annlab.datasets import load_digits_data, load_patches
from annlab.distances import paired_sq
from annlab.faiss_kmeans import kmeans_faiss
from annlab.indexes import make_index
from annlab.indexes.factory_string import FactoryPart, FactoryString
from annlab.widgets.base import Job

#: Rows that are indexed (more than 256 for each of 16 cells), and further rows as queries.
ROWS, QUERIES = 5000, 200
EFFORTS = (1, 2, 4, 8, 16, 32, 64)
#: Rows for each cell that k-means trains on; 0 for all.
SAMPLES = (("16", 16), ("64", 64), ("256 (faiss)", 256), ("all rows", 0))
_STARTS, _ITERATIONS = 3, 10
#: faiss has one counter of comparisons for the whole process.
_counting = threading.Lock()


@dataclass(frozen=True, slots=True)
class Effort:
    """A search at one setting: share of nearest rows found, and rows compared."""

    dial: int
    recall: float
    compared: float


@dataclass(frozen=True, eq=False)
class Measured:
    """A factory string on data; wrong ones have only parts and an error."""

    factory: str
    n: int
    d: int
    parts: tuple[FactoryPart, ...]
    trouble: str = ""
    wrong: str = ""
    read: FactoryString | None = None
    dial: str = ""
    efforts: tuple[Effort, ...] = ()
    shared_bytes: int = 0
    #: rows for each cell -> inertia of each start, that of training on all rows being 1
    ratios: dict[int, tuple[float, ...]] | None = None

    def at(self, effort: int) -> Effort:
        """Return the highest setting that is at most ``effort``."""
        return [one for one in self.efforts if one.dial <= effort][-1]


@lru_cache(maxsize=4)
def built_in(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return rows and queries of a built-in set."""
    if name == "digits":
        return parted(load_digits_data().X)
    return parted(load_patches(ROWS + QUERIES, 4, random_state=0))


def parted(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Divide data into rows to index and queries."""
    X = np.ascontiguousarray(X, dtype=np.float32)
    X = X[np.random.RandomState(0).permutation(len(X))[: ROWS + QUERIES]]
    asked = min(QUERIES, len(X) // 5)
    return X[asked:], X[:asked]


def searches(
    job: Job, made: Any, X: np.ndarray, Q: np.ndarray, read: FactoryString
) -> list[Effort]:
    """Search at each setting of the dial; judge it by the true nearest rows."""
    truth = make_index("brute", n_jobs=1).fit(X).kneighbors(Q, 1)[0][:, 0]
    knob = next(iter(made.knobs), None)
    most = read.n_cells or max(EFFORTS)
    dials = [effort for effort in EFFORTS if effort <= most] if knob else [1]
    efforts = []
    for dial in dials:
        job.report(2 + dial / (most + 1), 3, "searching")
        if knob:
            made.set_query_params(**{knob: dial})
        rows = made.candidates(Q)
        gaps = np.sqrt(paired_sq(Q, X, np.maximum(rows, 0))[:, 0])
        # ties are right, also those that float32 cannot tell apart
        hits = (rows[:, 0] >= 0) & (gaps <= truth * (1 + 1e-4) + 1e-6)
        with _counting:
            compared = float(made.compared(Q).mean())
        efforts.append(Effort(dial, float(hits.mean()), compared))
    return efforts


def ratios(job: Job, X: np.ndarray, k: int) -> dict[int, tuple[float, ...]]:
    """Divide the inertia of training on few rows by that of all, for each start."""
    starts = range(_STARTS if k <= 128 else 1)
    totals: dict[int, list[float]] = {most: [] for _, most in SAMPLES}
    for place, (_, most) in enumerate(SAMPLES):
        for start in starts:
            job.report(place / len(SAMPLES), 3, "k-means")
            # float64, over all rows, whatever it was trained on
            common: dict[str, Any] = {"random_state": start, "n_jobs": 1}
            fit = kmeans_faiss(X, k, _ITERATIONS, max_points_per_centroid=most or None, **common)
            totals[most].append(fit.inertia)
    whole = totals[0]
    return {
        most: tuple(a / b if b > 0 else 1.0 for a, b in zip(found, whole, strict=True))
        for most, found in totals.items()
    }

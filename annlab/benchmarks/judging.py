"""Make, warm up and judge the indexes of a measurement."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from annlab._support.checks import check_data, check_integer
from annlab._support.errors import invalid
from annlab._support.types import MatrixLike
from annlab.distances import from_squared, paired_sq, unit_rows
from annlab.fit.searches import clone_index
from annlab.indexes import make_index


class Index(Protocol):
    """An index of annlab, or an object that works like one."""

    def fit(self, X: np.ndarray) -> Index: ...

    def kneighbors(self, Q: np.ndarray, *, n_neighbors: int) -> tuple[np.ndarray, np.ndarray]: ...


#: Queries that are held out of the data by default.
_QUERIES = 1000


def new_index(
    algorithm: str | Index, params: Mapping[str, Any] | None, seed: int | None = None
) -> Any:
    """Return an unfitted index by name, or a clone of the given object."""
    if isinstance(algorithm, str):
        index = make_index(algorithm, **(params or {}))
    else:
        for method in ("fit", "kneighbors"):
            if not callable(getattr(algorithm, method, None)) or isinstance(algorithm, type):
                raise invalid(
                    "algorithm",
                    "a name of available_indexes() or an object with fit and kneighbors",
                    repr(algorithm),
                    "Pass an instance, such as sklearn.neighbors.NearestNeighbors().",
                    error=TypeError,
                )
        if params:
            raise invalid(
                "algorithm_params", "None where algorithm is an object", params, "Set them on it."
            )
        index = clone_index(algorithm)
    known = params_of(index)
    if seed is not None and "random_state" in known and known["random_state"] is None:
        index.set_params(random_state=seed)
    return index


def params_of(index: Index) -> dict[str, Any]:
    get_params = getattr(index, "get_params", None)
    return get_params(deep=False) if callable(get_params) else {}


def metric_of(index: Index) -> str:
    return "cosine" if params_of(index).get("metric") == "cosine" else "euclidean"


def name_of(index: Index) -> str:
    return getattr(index, "name", "") or type(index).__name__


def warm_up(index: Index, X: np.ndarray, Q: np.ndarray) -> None:
    """Search a few rows, so that imports and new threads are not timed later."""
    few = X[:: max(1, len(X) // 256)][:256]
    clone_index(index).fit(few).kneighbors(Q[:8], n_neighbors=1)


def split_queries(
    X: np.ndarray, Q: MatrixLike | None, n_queries: int | None, rng: np.random.RandomState
) -> tuple[np.ndarray, np.ndarray]:
    """Return rows to index and queries: given ones, or rows held out of X."""
    if Q is not None:
        return X, check_data(Q, name="Q", n_features=X.shape[1])
    size = (
        min(_QUERIES, len(X) // 2) if n_queries is None else check_integer(n_queries, "n_queries")
    )
    if not 1 <= size < len(X):
        raise invalid(
            "n_queries",
            f"from 1 to {len(X) - 1}, because they are held out of the {len(X)} rows of X",
            size,
            "Pass separate queries as Q.",
        )
    order = rng.permutation(len(X))
    return X[np.sort(order[size:])], X[np.sort(order[:size])]


def judged(Q: np.ndarray, X: np.ndarray, answer: Any, metric: str) -> tuple[np.ndarray, np.ndarray]:
    """Return recomputed distances of the rows that were found, and these rows."""
    try:
        indices = np.asarray(answer[1])
    except (TypeError, IndexError, KeyError, ValueError):
        indices = np.empty(0)
    if (
        indices.ndim != 2
        or len(indices) != Q.shape[0]
        or indices.dtype.kind not in "iu"
        or not 0 <= indices.min(initial=0) <= indices.max(initial=0) < len(X)
    ):
        raise invalid(
            "algorithm",
            "an object whose kneighbors returns (distances, indices), one row for each query",
            f"indices of shape {indices.shape} and dtype {indices.dtype}",
            f"Return rows of the {len(X)} that were indexed.",
            error=TypeError,
        )
    if metric == "cosine":
        Q, X = unit_rows(Q)[0], unit_rows(X)[0]
    indices = np.asarray(indices, dtype=np.int64)
    return from_squared(paired_sq(Q, X, indices), metric), indices


def per_query(index: Index, n_queries: int) -> float | None:
    count = getattr(index, "n_distances_", None)
    return None if count is None else count / n_queries

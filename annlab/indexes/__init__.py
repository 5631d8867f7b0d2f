"""Nearest-neighbour indexes with one protocol. The classes load on first use."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from annlab._support.checks import did_you_mean
from annlab._support.errors import invalid

#: name -> (module below annlab.indexes, class)
_REGISTRY: dict[str, tuple[str, str]] = {
    "brute": ("exact", "BruteIndex"),
    "kd_tree": ("exact", "KDTreeIndex"),
    "ball_tree": ("exact", "BallTreeIndex"),
    "lsh": ("lsh", "LSHIndex"),
    "hnsw": ("hnsw", "HNSWIndex"),
    "pq": ("pq", "PQIndex"),
    "faiss": ("faiss_index", "FaissIndex"),
}

__all__ = ["available_indexes", "index_class", "make_index"]


def available_indexes() -> tuple[str, ...]:
    """Return the names for `make_index` and ``kmeans_ann(algorithm=...)``.

    Examples
    --------
    >>> from annlab import available_indexes
    >>> available_indexes()
    ('brute', 'kd_tree', 'ball_tree', 'lsh', 'hnsw', 'pq', 'faiss')
    """
    return tuple(_REGISTRY)


def index_class(name: str) -> type:
    """Return the class of a named index.

    Raises
    ------
    ValueError
        If the name is unknown.
    """
    if not isinstance(name, str) or name not in _REGISTRY:
        raise invalid(
            "name",
            "one of " + ", ".join(repr(n) for n in _REGISTRY),
            repr(name),
            did_you_mean(name, list(_REGISTRY)) or "See annlab.available_indexes().",
        )
    module, cls = _REGISTRY[name]
    return getattr(import_module(f"annlab.indexes.{module}"), cls)


def make_index(name: str, **params: Any) -> Any:
    """Make an unfitted nearest-neighbour index.

    Parameters
    ----------
    name : str
        One of `available_indexes`.
    **params
        Parameters of that index, such as ``ef`` for ``"hnsw"`` or ``n_tables`` for ``"lsh"``.

    Returns
    -------
    NeighborIndex
        With ``fit(X)`` and ``kneighbors(Q, n_neighbors) -> (distances, indices)``.

    Raises
    ------
    ValueError
        If the name or a parameter is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> from annlab import make_index
    >>> index = make_index("brute").fit(np.array([[0.0], [1.0], [4.0]]))
    >>> index.kneighbors(np.array([[0.9]]), 2)[1]
    array([[1, 0]])
    """
    cls = index_class(name)
    known: list[str] = cls._get_param_names()  # type: ignore[attr-defined]
    unknown = sorted(set(params) - set(known))
    if unknown:
        raise invalid(
            "params",
            f"one of the parameters of {name!r} ({', '.join(known)})",
            ", ".join(unknown),
            did_you_mean(unknown[0], list(known)) or "Check the spelling.",
        )
    return cls(**params)

"""Choose the algorithm with the least estimated time.

The figures are counts of floating-point operations divided by a rate, plus the cost of starting.
They should be right within a factor of two: if two algorithms are that close, either will do.

=============  =================================================================================
``small_k``    14 passes over all points: 14 · 2·n·k·d
``graph``      12 iterations of 2·n·d·96 at two fifths of the rate, a tree of 4·2·n·d·√k, and a
               tenth of a second. At low contrast (high intrinsic dimension, found by the start
               itself) one comparison of all points with all centroids is added.
``hnsw``       30 iterations of 30 µs a point, the time of a search among ten thousand centroids
``brute``      30 iterations of 2·n·k·d
=============  =================================================================================
"""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

from annlab._support.checks import check_choice
from annlab._support.errors import invalid
from annlab.fit.graph.algorithm import Graph
from annlab.fit.lloyd import Lloyd
from annlab.fit.searches import Exact, Index, Indexed
from annlab.fit.small_k import SmallK
from annlab.fit.states import Algorithm, Limits
from annlab.indexes import available_indexes, make_index
from annlab.rows import Rows

#: Operations a second of one thread in a large float32 product. Processors differ by a factor of
#: three either way; only ratios matter, except against the cost of a start.
RATE = 5e10
#: Threads assumed, whatever ``n_jobs`` is: the algorithm must not depend on it.
TYPICAL_THREADS = 4
#: How many times cheaper an approximate algorithm must be.
MARGIN = 2.0
#: Share of stored values from which a sparse matrix is treated like a dense one.
DENSE_FROM = 0.1
#: Points per cluster below which neighbourhoods are not informative.
LEAST_PER_CLUSTER = 2
#: Algorithms with a start of their own.
OWN_START: dict[str, type[SmallK] | type[Graph]] = {"small_k": SmallK, "graph": Graph}


def estimate(
    algorithm: str, n: int, k: int, d: int, threads: int, *, double: bool = False
) -> float:
    """Estimate the seconds that ``algorithm`` needs (see the table above).

    Parameters
    ----------
    algorithm : {"small_k", "graph", "hnsw", "brute"}
    n, k, d : int
    threads : int
    double : bool, default=False
        float64 data: half the rate.

    Examples
    --------
    >>> from annlab.fit.choose import estimate
    >>> estimate("graph", 200_000, 4096, 192, 4) < estimate("small_k", 200_000, 4096, 192, 4)
    True
    """
    rate = RATE * threads / (2.0 if double else 1.0)
    if algorithm == "small_k":
        return 14 * 2.0 * n * d * (k + 8) / rate + 2e-3
    if algorithm == "graph":
        return 2.0 * n * d * (12 * min(k, 96) * 2.5 + 4 * k**0.5) / rate + 0.1
    if algorithm == "hnsw":
        return 30 * 3e-5 * n / threads + 30 * 1e-4 * k
    return 30 * 2.0 * n * d * (k + 8) / rate + 1e-2


def choose(
    n: int, k: int, d: int, *, sparse: bool = False, streams: bool = False, double: bool = False
) -> tuple[str, str]:
    """Choose an algorithm for data of this shape.

    Parameters
    ----------
    n, k, d : int
        Points, clusters, features.
    sparse : bool, default=False
        X is a matrix of mostly zeros.
    streams : bool, default=False
        X is memory-mapped or in blocks: it is not copied.
    double : bool, default=False
        float64 data.

    Returns
    -------
    algorithm, reason : str

    Examples
    --------
    >>> from annlab.fit.choose import choose
    >>> choose(1_000_000, 4096, 64)[0]
    'graph'
    """
    threads = TYPICAL_THREADS
    if sparse:
        return "brute", "sparse input"
    times = {name: estimate(name, n, k, d, threads, double=double) for name in ("small_k", "graph")}
    if streams:
        times["graph"] = float("inf")
        times["hnsw"] = estimate("hnsw", n, k, d, threads)
    if n < LEAST_PER_CLUSTER * k:
        times["graph"] = float("inf")
    name = "small_k"
    for other in ("graph", "hnsw"):
        if MARGIN * times.get(other, float("inf")) < times[name]:
            name = other
    exact = f"all of them would take about {_say(times['small_k'])}"
    reason = {
        "small_k": "compares each point with all centroids: cheap enough at this size",
        "graph": f"compares each point with neighbouring centroids only: {exact}",
        "hnsw": f"looks up near centroids in a search graph: {exact}; without a copy of X",
    }[name]
    if name == "small_k" and streams:
        reason += ", without a copy of X"
    elif name == "small_k" and n < LEAST_PER_CLUSTER * k:
        reason = "compares each point with all centroids: too few points per cluster to skip any"
    return name, reason


def _say(seconds: float) -> str:
    if seconds < 1:
        return f"{max(1, round(seconds * 1000))} ms"
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"


def available_algorithms() -> tuple[str, ...]:
    """Return the names that ``kmeans_ann(algorithm=...)`` takes.

    Examples
    --------
    >>> from annlab import available_algorithms
    >>> "auto" in available_algorithms() and "hnsw" in available_algorithms()
    True
    """
    return ("auto", *OWN_START, *available_indexes())


def make_algorithm(
    algorithm: str | Index,
    rows: Rows,
    n_clusters: int,
    params: dict[str, Any],
    rng: np.random.RandomState,
    limits: Limits,
) -> tuple[Algorithm, str]:
    """Turn the parameter ``algorithm`` into an algorithm, with the reason for it.

    Parameters
    ----------
    algorithm : str or object
        A name of `available_algorithms`, or an object with ``fit`` and ``kneighbors``.
    rows : Rows
    n_clusters : int
    params : dict
        Parameters of the named index.
    rng : RandomState
        Seeds an index that has a ``random_state``.
    limits : Limits

    Returns
    -------
    algorithm : Algorithm
    reason : str
        Empty if the caller chose.

    Raises
    ------
    TypeError, ValueError
    """
    if not isinstance(algorithm, str):
        _check_index(algorithm, params)
        return _through(algorithm, type(algorithm).__name__, rows, limits), ""
    check_choice(algorithm, "algorithm", available_algorithms())
    name, reason = algorithm, ""
    if name == "auto":
        name, reason = choose(
            rows.n,
            n_clusters,
            rows.d,
            sparse=rows.density < DENSE_FROM,
            streams=rows.streams,
            double=rows.dtype != np.float32,
        )
        if rows.sparse and name == "graph":
            name, reason = "brute", "sparse input"
        if not rows.keeps_labels and name == "hnsw":
            name = "small_k"
            reason = "compares each point with all centroids: the labels stay on their machines"
        logging.getLogger("annlab").info("algorithm %s: %s", name, reason)
    if name == "brute" and not params:
        return Lloyd(name, Exact(), Exact(), limits), reason
    if name in OWN_START:
        return _with_own_start(name, rows, params, limits), reason
    index = make_index(name, **params)
    known = index.get_params(deep=False)
    if "random_state" in known and "random_state" not in params:
        index.set_params(random_state=int(rng.randint(2**31 - 1)))
    if "n_jobs" in known and "n_jobs" not in params:
        index.set_params(n_jobs=rows.workers.n_jobs)
    return _through(index, name, rows, limits), reason


def _with_own_start(name: str, rows: Rows, params: dict[str, Any], limits: Limits) -> Algorithm:
    if name == "graph" and rows.sparse:
        raise _needs_dense(name)
    if name == "graph" and not rows.together:
        raise _stays(name, rows)
    cls = OWN_START[name]
    unknown = sorted(set(params) - set(cls.params))
    if unknown:
        raise invalid(
            "algorithm_params",
            f"made of {', '.join(cls.params) or 'nothing'} for algorithm={name!r}",
            ", ".join(unknown),
        )
    return cls(limits, **params)


def _through(index: Index, name: str, rows: Rows, limits: Limits) -> Algorithm:
    """Return Lloyd's algorithm with an index over the centroids."""
    if rows.sparse and not getattr(index, "accepts_sparse", False):
        raise _needs_dense(name)
    if not rows.keeps_labels:
        raise _stays(name, rows)
    return Lloyd(name, Indexed(index), Exact(), limits)


def _check_index(algorithm: object, params: dict[str, Any]) -> None:
    for method in ("fit", "kneighbors"):
        if not callable(getattr(algorithm, method, None)) or isinstance(algorithm, type):
            raise invalid(
                "algorithm",
                "a name of available_algorithms() or an object with fit and kneighbors",
                repr(algorithm),
                "Pass an instance, such as sklearn.neighbors.NearestNeighbors().",
                error=TypeError,
            )
    if params:
        raise invalid(
            "algorithm_params",
            "None if algorithm is an object",
            params,
            "Set the parameters on the object itself.",
        )


def _needs_dense(name: str) -> Exception:
    return invalid(
        "X",
        f"dense for algorithm={name!r}",
        "a sparse matrix",
        "Use algorithm='auto', 'brute' or 'lsh', which take sparse input.",
        error=TypeError,
    )


def _stays(name: str, rows: Rows) -> Exception:
    where = "blocks" if rows.keeps_labels else "a Dask collection"
    return invalid(
        "algorithm",
        f"one that does not load all of X, for X in {where}",
        repr(name),
        "Use algorithm='auto', 'brute' or 'small_k'"
        + (", or an index over the centroids such as 'hnsw'." if rows.keeps_labels else "."),
    )

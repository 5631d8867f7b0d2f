"""Hierarchical navigable small-world graphs, through hnswlib or faiss."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar

import numpy as np

from annlab._support.checks import check_choice, check_integer, check_random_state
from annlab._support.errors import AnnlabWarning, invalid, require
from annlab._support.types import Matrix, Seed
from annlab.distances import nearest, paired_sq, unit_rows
from annlab.indexes._base import Frame, NeighborIndex, first_equal_rows

#: Rows held out of the graph to choose ``ef``, and the fewest rows for which that is done.
_HELD_OUT, _CALIBRATE_FROM = 256, 1024
_EF_LADDER = (32, 48, 64, 96, 128, 192, 256, 384, 512)
#: Recall of the held-out rows at which the ladder stops, one rung further up.
_RECALL = 0.99
#: ``ef`` for fewer rows.
_EF_SMALL = 128
#: Queries of a call that are walked again to count distances.
_WALKS = 64

_stand_in_announced = False


class HNSWIndex(NeighborIndex):
    """Search a graph of neighbours greedily, from long links to short ones.

    Parameters
    ----------
    M : int, default=16
        Links of a node, from 2 to 512; twice as many in the lowest layer. More links give more
        recall on data of high intrinsic dimension, and take more memory and time.
    ef_construction : int, default=200
        Nearest nodes that the insertion of a row looks for.
    ef : int or "auto", default="auto"
        Nearest nodes that a search keeps, at least ``n_neighbors``: trades speed for recall.
        ``"auto"`` measures it at ``fit``: the last rows to be inserted serve as queries, and
        ``ef`` is one step above the least value with which 99 % of them find their nearest row.
    metric : {"euclidean", "cosine"}, default="euclidean"
    count_distances : bool, default=False
        Estimate ``n_distances_`` by walking the graph again in Python for up to 64 queries of
        each call; otherwise it is None.
    backend : {"auto", "hnswlib", "faiss"}, default="auto"
        ``"auto"``: hnswlib, or faiss's HNSW if hnswlib cannot be imported (with one warning a
        process).
    random_state : None, int, RandomState or Generator, default=None
        Draws the levels of the rows and the rows that ``ef="auto"`` holds out.
    n_jobs : int or None, default=None
        Threads for queries; building uses one, so that it can be repeated.

    Attributes
    ----------
    ef_ : int
        The value of ``ef`` in use.
    backend_ : str
        "hnswlib" or "faiss".
    graph_ : object
        The library's own index. `NavigableGraph.from_index` reads it.
    node_rows_ : ndarray of shape (n_nodes,), int64
        Row of X behind each node. Equal rows share a node, because duplicates would fill each
        other's links and disconnect the graph.

    Raises
    ------
    ValueError, TypeError
        At ``fit``.
    MissingExtraError
        If neither library is installed.

    Notes
    -----
    Build about O(n · ef_construction · M · d); a query about O(ef · M · d · log n). The libraries
    compute in float32: rows are shifted and scaled first if that keeps digits, and the rows
    returned are compared exactly. Malkov & Yashunin 2018, doi 10.1109/TPAMI.2018.2889473
    (arXiv 1603.09320).

    Examples
    --------
    >>> import numpy as np
    >>> from annlab.indexes.hnsw import HNSWIndex
    >>> X = np.random.RandomState(0).rand(300, 8)
    >>> index = HNSWIndex(random_state=0).fit(X)
    >>> index.kneighbors(X[5:8], 1)[1].ravel()
    array([5, 6, 7])
    """

    name = "hnsw"
    knobs: ClassVar[dict[str, tuple]] = {
        "ef": (10, 20, 40, 80, 160, 320),
        "M": (4, 8, 16, 32),
        "ef_construction": (50, 100, 200, 400),
    }
    query_knobs: ClassVar[tuple[str, ...]] = ("ef",)

    def __init__(
        self,
        *,
        M: int = 16,
        ef_construction: int = 200,
        ef: int | str = "auto",
        metric: str = "euclidean",
        count_distances: bool = False,
        backend: str = "auto",
        random_state: Seed = None,
        n_jobs: int | None = None,
    ) -> None:
        self.M = M
        self.ef_construction = ef_construction
        self.ef = ef
        self.metric = metric
        self.count_distances = count_distances
        self.backend = backend
        self.random_state = random_state
        self.n_jobs = n_jobs

    @property
    def ef_(self) -> int:
        """The value of ``ef`` in use."""
        return self._measured_ef if isinstance(self.ef, str) else int(self.ef)

    def _check_query_params(self) -> None:
        if isinstance(self.ef, str):
            check_choice(self.ef, "ef", ("auto",))
        else:
            check_integer(self.ef, "ef")

    def _build(self, X: np.ndarray) -> None:
        check_integer(self.M, "M", minimum=2, maximum=512)
        check_integer(self.ef_construction, "ef_construction")
        self._check_query_params()
        check_choice(self.backend, "backend", ("auto", "hnswlib", "faiss"))
        self.backend_, library = _library(self.backend)
        rng = check_random_state(self.random_state)
        seed = int(rng.randint(1, 2**31 - 1))
        self._frame = Frame(X, np.float32)
        rows = self._frame.apply(X)
        # also rows that are equal only in float32
        first = first_equal_rows(rows)
        self.node_rows_ = np.flatnonzero(first == np.arange(len(first)))
        self._groups = _groups(first) if len(self.node_rows_) < len(first) else None
        held_out = 0
        if isinstance(self.ef, str) and len(self.node_rows_) >= _CALIBRATE_FROM:
            held_out = _HELD_OUT
            # the rows that are held out are last
            self.node_rows_ = rng.permutation(self.node_rows_)
        points = rows[self.node_rows_]
        inside = len(points) - held_out
        make = _FaissGraph if self.backend_ == "faiss" else _HnswlibGraph
        self._engine = make(library, points, self.M, self.ef_construction, seed)
        self._engine.add(points[:inside])
        self._measured_ef = min(_EF_SMALL, max(len(points), 1))
        if held_out:
            self._measured_ef = self._measure_ef(points[:inside], points[inside:])
            self._engine.add(points[inside:])

    @property
    def graph_(self) -> Any:
        """The library's own index."""
        return self._engine.graph

    def _measure_ef(self, points: np.ndarray, queries: np.ndarray) -> int:
        """Return one rung above the least ``ef`` that finds rows outside the graph."""
        truth = paired_sq(queries, points, nearest(queries, points))
        ladder = [ef for ef in _EF_LADDER if ef < len(points)]
        for rung, ef in enumerate(ladder):
            self._engine.set_ef(ef)
            found = self._engine.search(queries, 1)[:, 0]
            # by distance, so that ties are not misses
            hit = paired_sq(queries, points, found) <= truth * (1.0 + 1e-5)
            if hit.mean() >= _RECALL:
                return ladder[min(rung + 1, len(ladder) - 1)]
        return ladder[-1]

    def _prepare(self, Q: Matrix, n_neighbors: int) -> None:
        self._engine.set_ef(max(self.ef_, self._wanted(n_neighbors)))

    def _wanted(self, n_neighbors: int) -> int:
        # spare nodes, for near-ties in float32
        return min(n_neighbors + 2, len(self.node_rows_))

    def _search(self, Q: np.ndarray, n_neighbors: int) -> tuple[np.ndarray, None]:
        if self._compares_all(n_neighbors):
            return np.full((len(Q), n_neighbors), -1), None
        wanted = self._wanted(n_neighbors)
        nodes = self._engine.search(self._frame.apply(Q), wanted)
        if self._groups is None:
            return np.where(nodes >= 0, self.node_rows_[nodes], -1), None
        return self._expand(nodes, n_neighbors + 2), None

    def _compares_all(self, n_neighbors: int) -> bool:
        # a walk through most of the graph costs more than comparing all rows
        return 2 * n_neighbors > len(self.X_)

    def _expand(self, nodes: np.ndarray, room: int) -> np.ndarray:
        """Replace each node by all equal rows that share it, as far as there is room."""
        assert self._groups is not None, "only called where rows are equal"
        order, begins, sizes = self._groups
        first = np.where(nodes >= 0, self.node_rows_[nodes], 0)
        size = np.where(nodes >= 0, sizes[first], 0)
        ends = np.cumsum(size, axis=1)
        out = np.full((len(nodes), room), -1, dtype=np.int64)
        for slot in range(nodes.shape[1]):
            start = ends[:, slot] - size[:, slot]
            for offset in range(min(room, int(size[:, slot].max(initial=0)))):
                queries = np.flatnonzero((offset < size[:, slot]) & (start + offset < room))
                place = begins[first[queries, slot]] + offset
                out[queries, start[queries] + offset] = order[place]
        return out

    def _finish(self, Q: Matrix, n_neighbors: int) -> None:
        self.n_distances_ = None
        if not self.count_distances:
            return
        if self._compares_all(n_neighbors):
            self.n_distances_ = len(Q) * len(self.X_)
            return
        # evenly spread, so the same for the same call
        sample = np.unique(np.linspace(0, len(Q) - 1, min(len(Q), _WALKS)).astype(np.int64))
        queries = np.ascontiguousarray(Q[sample])
        if self._metric == "cosine":
            queries, _ = unit_rows(queries)
        mean = self._engine.count(self._frame.apply(queries), self)
        self.n_distances_ = round(mean * len(Q))


class _HnswlibGraph:
    """Adapter of hnswlib for the index."""

    def __init__(
        self, library: Any, points: np.ndarray, M: int, ef_construction: int, seed: int
    ) -> None:
        self.graph = library.Index(space="l2", dim=points.shape[1])
        self.graph.init_index(
            max_elements=len(points), M=M, ef_construction=ef_construction, random_seed=seed
        )

    def add(self, points: np.ndarray) -> None:
        begin = self.graph.get_current_count()
        ids = np.arange(begin, begin + len(points))
        # more than one thread would make the graph depend on their timing
        self.graph.add_items(points, ids, num_threads=1)

    def set_ef(self, ef: int) -> None:
        self.graph.set_ef(ef)

    def search(self, queries: np.ndarray, wanted: int) -> np.ndarray:
        try:
            return self.graph.knn_query(queries, k=wanted, num_threads=1)[0].astype(np.int64)
        except RuntimeError:
            # a query reached too few nodes: search one by one, and leave that one unanswered
            if len(queries) == 1:
                return np.full((1, wanted), -1, dtype=np.int64)
            return np.concatenate([self.search(query[None], wanted) for query in queries])

    def count(self, queries: np.ndarray, index: HNSWIndex) -> float:
        from annlab.indexes.walk import NavigableGraph, count_distances

        graph = NavigableGraph.from_index(index)
        return float(np.mean([count_distances(graph, query, self.graph.ef) for query in queries]))


class _FaissGraph:
    """Adapter of faiss's HNSW for the index."""

    def __init__(
        self, library: Any, points: np.ndarray, M: int, ef_construction: int, seed: int
    ) -> None:
        self.graph = library.IndexHNSWFlat(points.shape[1], M)
        self.graph.hnsw.efConstruction = ef_construction
        self.graph.hnsw.rng = library.RandomGenerator(seed)

    def add(self, points: np.ndarray) -> None:
        from annlab.indexes.faiss_index import faiss_threads

        with faiss_threads():
            self.graph.add(points)

    def set_ef(self, ef: int) -> None:
        self.graph.hnsw.efSearch = ef

    def search(self, queries: np.ndarray, wanted: int) -> np.ndarray:
        from annlab.indexes.faiss_index import faiss_threads

        with faiss_threads():
            return self.graph.search(queries, wanted)[1]

    def count(self, queries: np.ndarray, index: HNSWIndex) -> float:
        faiss = require("faiss", purpose="to count distances", extra="lab")
        faiss.cvar.hnsw_stats.reset()
        self.search(queries, 1)
        return faiss.cvar.hnsw_stats.ndis / len(queries)


def _library(backend: str) -> tuple[str, Any]:
    """Import the library, and warn once if faiss replaces hnswlib."""
    global _stand_in_announced
    if backend != "faiss":
        try:
            import hnswlib
        except ImportError as reason:
            if backend == "hnswlib":
                raise invalid(
                    "backend",
                    "a library that can be imported",
                    f"'hnswlib' ({reason})",
                    "Install hnswlib (it needs a C++ compiler), or use backend='faiss'.",
                    error=ImportError,
                ) from reason
        else:
            return "hnswlib", hnswlib
    faiss = require("faiss", purpose="for the hnsw index where hnswlib is missing", extra="lab")
    if backend == "auto" and not _stand_in_announced:
        _stand_in_announced = True
        warnings.warn(
            "hnswlib cannot be imported, so the 'hnsw' index runs on faiss's HNSW, whose results "
            "differ slightly. Install hnswlib (it needs a C++ compiler), or set backend='faiss' to "
            "silence this warning.",
            AnnlabWarning,
            stacklevel=4,
        )
    return "faiss", faiss


def _groups(first: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return rows sorted by group of equal rows, and where the groups are."""
    order = np.argsort(first, kind="stable")
    sizes = np.bincount(first, minlength=len(first))
    return order, np.cumsum(sizes) - sizes, sizes

"""The graph of an HNSW index as arrays, and the greedy walk over it."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from annlab._support.checks import check_data, check_integer, check_random_state
from annlab._support.errors import invalid
from annlab._support.types import MatrixLike, Seed
from annlab.distances import unit_rows
from annlab.indexes._layers import read_faiss, read_hnswlib

#: Linked nodes of each node of a layer.
Layer = Sequence[Sequence[int] | np.ndarray]


@dataclass(frozen=True, eq=False)
class Hop:
    """One step of a walk: the links of one node are examined.

    Attributes
    ----------
    layer : int
        0 is the layer that holds all nodes.
    node : int
        Current node.
    node_distance : float
        Its distance to the query.
    neighbors : tuple of int
        Nodes linked from it in this layer, in order.
    visited : tuple of int
        Those whose distance was computed in this hop.
    visited_distances : tuple of float
    skipped : tuple of int
        Those whose distance was known from an earlier hop of this layer.
    accepted : tuple of int
        Those that may be walked from later: in an upper layer each new nearest node, in layer 0
        each one that entered the ``ef`` nearest so far.
    best : int
        Nearest node so far.
    best_distance : float
    found : tuple of int
        Nearest nodes so far, nearest first: one in an upper layer, up to ``ef`` in layer 0. Those
        of the last hop are the answer.
    found_distances : tuple of float
    waiting : tuple of int
        Accepted nodes that have not been walked from, nearest first.
    n_distances : int
        Distances computed so far.
    """

    layer: int
    node: int
    node_distance: float
    neighbors: tuple[int, ...]
    visited: tuple[int, ...]
    visited_distances: tuple[float, ...]
    skipped: tuple[int, ...]
    accepted: tuple[int, ...]
    best: int
    best_distance: float
    found: tuple[int, ...]
    found_distances: tuple[float, ...]
    waiting: tuple[int, ...]
    n_distances: int

    def __str__(self) -> str:
        return (
            f"layer {self.layer}, at node {self.node}: {len(self.neighbors)} links, "
            f"{len(self.visited)} measured, {len(self.skipped)} skipped, "
            f"{len(self.accepted)} accepted; best {self.best} at {self.best_distance:.4g} "
            f"after {self.n_distances} distances"
        )


@dataclass(frozen=True, eq=False)
class NavigableGraph:
    """A hierarchical navigable small-world graph as plain arrays.

    Attributes
    ----------
    vectors : ndarray of shape (n_nodes, d), float32 or float64
        Position of each node.
    levels : ndarray of shape (n_nodes,), int64
        Highest layer of each node.
    links : tuple of tuple of ndarray
        ``links[layer][node]`` holds the int64 nodes linked from a node; empty if the node is not
        in the layer.
    entry_point : int
        Node at which every walk begins.
    rows : ndarray of shape (n_nodes,), int64
        Row of the fitted X of each node (the first one of equal rows).

    Examples
    --------
    >>> import numpy as np
    >>> from annlab.indexes.walk import NavigableGraph, greedy_walk
    >>> X = np.random.RandomState(0).rand(40, 2)
    >>> graph = NavigableGraph.build(X, M=4, random_state=0)
    >>> hops = greedy_walk(graph, X[7], ef=8)
    >>> hops[-1].found[0], hops[-1].best_distance
    (7, 0.0)
    """

    vectors: np.ndarray
    levels: np.ndarray
    links: tuple[tuple[np.ndarray, ...], ...]
    entry_point: int
    rows: np.ndarray

    @property
    def n_layers(self) -> int:
        """Number of layers, layer 0 included."""
        return len(self.links)

    def nodes(self, layer: int) -> np.ndarray:
        """Return the nodes of a layer, (m,) int64."""
        return np.flatnonzero(self.levels >= layer)

    def edges(self, layer: int) -> np.ndarray:
        """Return the directed links of a layer as pairs, (m, 2) int64.

        Examples
        --------
        >>> import numpy as np
        >>> from annlab.indexes.walk import NavigableGraph
        >>> NavigableGraph.build(np.array([[0.0], [1.0]]), random_state=0).edges(0).tolist()
        [[0, 1], [1, 0]]
        """
        links = self.links[layer]
        sizes = [len(row) for row in links]
        if not sum(sizes):
            return np.empty((0, 2), dtype=np.int64)
        return np.stack([np.repeat(np.arange(len(links)), sizes), np.concatenate(links)], axis=1)

    @classmethod
    def from_index(cls, index: Any) -> NavigableGraph:
        """Read the graph of a fitted `HNSWIndex`.

        Raises
        ------
        TypeError, sklearn.exceptions.NotFittedError
        """
        if not hasattr(index, "_check_fitted") or not hasattr(index, "backend"):
            raise invalid(
                "index",
                "a fitted HNSWIndex",
                type(index).__name__,
                "Make one with make_index('hnsw').fit(X).",
                error=TypeError,
            )
        index._check_fitted()
        read = read_faiss if index.backend_ == "faiss" else read_hnswlib
        vectors, levels, links, entry_point, nodes = read(index.graph_)
        return cls(vectors, levels, links, entry_point, index.node_rows_[nodes])

    @classmethod
    def build(
        cls,
        X: MatrixLike,
        *,
        M: int = 6,
        ef_construction: int = 40,
        metric: str = "euclidean",
        random_state: Seed = None,
    ) -> NavigableGraph:
        """Build a graph in plain Python, for teaching.

        Parameters
        ----------
        X : array-like of shape (n, d)
            A few thousand rows at most.
        M : int, default=6
            Links that a new node makes in a layer; a node keeps at most M, 2·M in layer 0.
        ef_construction : int, default=40
            Nearest nodes among which an insertion chooses its links.
        metric : {"euclidean", "cosine"}, default="euclidean"
        random_state : None, int, RandomState or Generator, default=None
            Draws the levels of the nodes.

        Returns
        -------
        NavigableGraph
            Equal rows are one node.

        Raises
        ------
        TypeError, ValueError

        Notes
        -----
        Algorithms 1 (insertion) and 4 (choice of links) of Malkov & Yashunin 2018,
        doi 10.1109/TPAMI.2018.2889473: a link is made only to a node that is nearer to the new
        one than to all links already chosen. About n · ef_construction · M distances.
        """
        from annlab._support.checks import check_choice
        from annlab.indexes._base import first_equal_rows

        X = check_data(X)
        M = check_integer(M, "M", minimum=2)
        ef_construction = check_integer(ef_construction, "ef_construction")
        if check_choice(metric, "metric", ("euclidean", "cosine")) == "cosine":
            X, _ = unit_rows(X)
        rows = np.unique(first_equal_rows(X))
        vectors = X[rows]
        rng = check_random_state(random_state)
        # about M**-l of the nodes reach layer l
        levels = (-np.log(1.0 - rng.uniform(size=len(rows))) / np.log(M)).astype(np.int64)
        links: list[list[list[int]]] = [
            [[] for _ in range(len(rows))] for _ in range(levels.max() + 1)
        ]
        entry_point = 0
        for node in range(1, len(rows)):
            _insert(vectors, levels, links, entry_point, node, M, max(ef_construction, M))
            if levels[node] > levels[entry_point]:
                entry_point = node
        frozen = tuple(tuple(np.array(row, dtype=np.int64) for row in layer) for layer in links)
        return cls(vectors, levels, frozen, entry_point, rows)


def greedy_walk(graph: NavigableGraph, query: ArrayLike, ef: int = 10) -> list[Hop]:
    """Search a graph for one query as HNSW does, and record every hop.

    Parameters
    ----------
    graph : NavigableGraph
    query : array-like of shape (d,)
        For a cosine index a unit vector.
    ef : int, default=10
        Nearest nodes that are kept in layer 0; with more the walk goes farther and misses less.

    Returns
    -------
    list of Hop
        ``hops[-1].found`` are the nodes found, nearest first, as hnswlib finds them on the same
        graph with the same ``ef``.

    Raises
    ------
    ValueError, TypeError

    Notes
    -----
    In the upper layers the walk moves to the nearest linked node until no link is nearer. In
    layer 0 it continues from the nearest node that has not been walked from, keeps the ``ef``
    nearest found, and stops when that node is farther than all of them. Distances are Euclidean,
    in float64. Malkov & Yashunin 2018, algorithms 2 and 5, doi 10.1109/TPAMI.2018.2889473.

    Examples
    --------
    >>> import numpy as np
    >>> from annlab.indexes.walk import NavigableGraph, greedy_walk
    >>> graph = NavigableGraph.build(np.arange(6.0)[:, None], M=2, random_state=1)
    >>> hops = greedy_walk(graph, [4.2], ef=2)
    >>> hops[-1].found
    (4, 5)
    """
    ef = check_integer(ef, "ef")
    (row,) = check_data(np.atleast_2d(query), name="query", n_features=graph.vectors.shape[1])
    return list(_walk(graph.vectors, graph.links, graph.entry_point, row, ef))


class _Measure:
    """Distances of a query to nodes, counted."""

    def __init__(self, vectors: np.ndarray, query: np.ndarray) -> None:
        self._vectors, self._query = vectors, query
        self.n_distances = 0

    def __call__(self, nodes: list[int]) -> list[float]:
        self.n_distances += len(nodes)
        difference = self._vectors[nodes] - self._query
        return np.sqrt(np.einsum("ij,ij->i", difference, difference, dtype=np.float64)).tolist()


def _walk(
    vectors: np.ndarray,
    links: Sequence[Layer],
    entry_point: int,
    query: np.ndarray,
    ef: int,
    down_to: int = 0,
    last_only: bool = False,
) -> Iterator[Hop]:
    """Yield the hops of a search down to a layer, or only the last hop."""
    measure = _Measure(vectors, query)
    best = entry_point, measure([entry_point])[0]
    for layer in range(len(links) - 1, down_to, -1):
        for hop in _descend(links[layer], layer, best, measure):
            best = hop.best, hop.best_distance
            if not last_only:
                yield hop
    yield from _spread(links[down_to], down_to, best, measure, ef, last_only)


def _look(
    links: Layer, node: int, known: set[int], measure: _Measure
) -> tuple[list[int], list[int], list[float]]:
    """Return the links of a node, the new ones, and their distances."""
    neighbors = [int(i) for i in links[node]]
    new = [i for i in neighbors if i not in known]
    known.update(new)
    return neighbors, new, measure(new)


def _descend(links: Layer, layer: int, best: tuple[int, float], measure: _Measure) -> Iterator[Hop]:
    """Move to the nearest linked node until no link is nearer."""
    known = {best[0]}
    moved = True
    while moved:
        node = best
        neighbors, new, distances = _look(links, node[0], known, measure)
        accepted = []
        for other in zip(new, distances, strict=True):
            if other[1] < best[1]:
                best = other
                accepted.append(other[0])
        moved = best != node
        yield Hop(
            layer,
            *node,
            tuple(neighbors),
            tuple(new),
            tuple(distances),
            tuple(i for i in neighbors if i not in new),
            tuple(accepted),
            *best,
            (best[0],),
            (best[1],),
            (best[0],) if moved else (),
            measure.n_distances,
        )


def _spread(
    links: Layer,
    layer: int,
    best: tuple[int, float],
    measure: _Measure,
    ef: int,
    last_only: bool,
) -> Iterator[Hop]:
    """Explore the nearest waiting nodes while they may be among the nearest."""
    known = {best[0]}
    waiting = [(best[1], best[0])]
    # a heap with the farthest on top
    found = [(-best[1], best[0])]
    while waiting and waiting[0][0] <= -found[0][0]:
        node_distance, node = heapq.heappop(waiting)
        neighbors, new, distances = _look(links, node, known, measure)
        accepted = []
        for other, distance in zip(new, distances, strict=True):
            if len(found) < ef or distance < -found[0][0]:
                heapq.heappush(waiting, (distance, other))
                heapq.heappush(found, (-distance, other))
                accepted.append(other)
                if len(found) > ef:
                    heapq.heappop(found)
        if last_only and waiting and waiting[0][0] <= -found[0][0]:
            continue
        nearest_first = sorted((-negative, i) for negative, i in found)
        yield Hop(
            layer,
            node,
            node_distance,
            tuple(neighbors),
            tuple(new),
            tuple(distances),
            tuple(i for i in neighbors if i not in new),
            tuple(accepted),
            nearest_first[0][1],
            nearest_first[0][0],
            tuple(i for _, i in nearest_first),
            tuple(distance for distance, _ in nearest_first),
            tuple(i for _, i in sorted(waiting)),
            measure.n_distances,
        )


def _insert(
    vectors: np.ndarray,
    levels: np.ndarray,
    links: list[list[list[int]]],
    entry_point: int,
    node: int,
    M: int,
    ef_construction: int,
) -> None:
    """Link a new node into every layer up to its level."""
    top = int(levels[entry_point])
    query = vectors[node]
    # all searches before the first link, or the lower ones would find the node itself
    searches = []
    for layer in range(min(int(levels[node]), top) + 1):
        *_, last = _walk(
            vectors, links[: top + 1], entry_point, query, ef_construction, layer, True
        )
        searches.append(list(zip(last.found_distances, last.found, strict=True)))
    for layer, nearest_first in enumerate(searches):
        chosen = _choose_links(vectors, nearest_first, M)
        links[layer][node] = chosen
        room = 2 * M if layer == 0 else M
        for other in chosen:
            mates = links[layer][other]
            mates.append(node)
            if len(mates) > room:
                apart = np.linalg.norm(vectors[mates] - vectors[other], axis=1)
                ranked = sorted(zip(apart.tolist(), mates, strict=True))
                links[layer][other] = _choose_links(vectors, ranked, room)


def _choose_links(vectors: np.ndarray, candidates: list[tuple[float, int]], room: int) -> list[int]:
    """Keep candidates that are nearer to the node than to those kept before."""
    kept: list[int] = []
    for distance, other in candidates:
        if len(kept) == room:
            break
        if not kept or np.linalg.norm(vectors[kept] - vectors[other], axis=1).min() >= distance:
            kept.append(other)
    return kept


def count_distances(graph: NavigableGraph, query: np.ndarray, ef: int) -> int:
    """Return the number of distances that walks compute."""
    *_, last = _walk(graph.vectors, graph.links, graph.entry_point, query, ef, last_only=True)
    return last.n_distances

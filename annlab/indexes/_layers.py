"""Read the layers of a graph of hnswlib or faiss as plain arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from annlab._support.errors import require

if TYPE_CHECKING:
    import hnswlib

#: Vectors, level of each node, links by layer and node, entry point, number of each node.
Read = tuple[np.ndarray, np.ndarray, tuple[tuple[np.ndarray, ...], ...], int, np.ndarray]


def read_hnswlib(graph: hnswlib.Index) -> Read:
    """Parse the state that hnswlib pickles: records of elements, upper links.

    A record of layer 0 is a 4-byte count with up to 2·M 4-byte links, the vector, and an 8-byte
    label; an element of level L has L records of a count and up to M links in ``link_lists``.
    """
    state = graph.__getstate__()
    state = state if isinstance(state, dict) else state[0]
    n = int(state["cur_element_count"])
    records = np.asarray(state["data_level0"]).view(np.uint8)
    records = records.reshape(-1, int(state["size_data_per_element"]))[:n]
    data, label = int(state["offset_data"]), int(state["label_offset"])
    first = int(state["offset_level0"])
    vectors = np.ascontiguousarray(records[:, data:label]).view(np.float32)
    nodes = np.ascontiguousarray(records[:, label : label + 8]).view(np.uint64)[:, 0]
    lists = np.ascontiguousarray(records[:, first:data]).view(np.uint32)
    levels = np.asarray(state["element_levels"])[:n].astype(np.int64)
    links = [tuple(_linked(row) for row in lists)]
    upper = np.asarray(state["link_lists"]).view(np.uint8)
    size = int(state["size_links_per_element"])
    starts = np.concatenate([[0], np.cumsum(levels)[:-1]]) * size
    for layer in range(1, int(state["max_level"]) + 1):
        rows = []
        for node in range(n):
            begin = int(starts[node]) + (layer - 1) * size
            rows.append(
                _linked(upper[begin : begin + size].view(np.uint32))
                if levels[node] >= layer
                else np.empty(0, dtype=np.int64)
            )
        links.append(tuple(rows))
    return vectors, levels, tuple(links), int(state["enterpoint_node"]), nodes.astype(np.int64)


def _linked(record: np.ndarray) -> np.ndarray:
    # the low 16 bits of the first word are the count
    return record[1 : 1 + int(record[0] & 0xFFFF)].astype(np.int64)


def read_faiss(graph: Any) -> Read:
    """Read the links of a faiss ``IndexHNSWFlat``: one array, padded with −1."""
    faiss = require("faiss", purpose="to read a graph that faiss built", extra="lab")
    hnsw, n = graph.hnsw, graph.ntotal
    vectors = graph.reconstruct_n(0, n)
    levels = faiss.vector_to_array(hnsw.levels).astype(np.int64) - 1
    offsets = faiss.vector_to_array(hnsw.offsets).astype(np.int64)
    neighbors = faiss.vector_to_array(hnsw.neighbors).astype(np.int64)
    places = faiss.vector_to_array(hnsw.cum_nneighbor_per_level).astype(np.int64)
    links = []
    for layer in range(int(hnsw.max_level) + 1):
        rows = []
        for node in range(n):
            row = np.empty(0, dtype=np.int64)
            if levels[node] >= layer:
                begin = offsets[node]
                row = neighbors[begin + places[layer] : begin + places[layer + 1]]
                row = row[row >= 0]
            rows.append(row)
        links.append(tuple(rows))
    return vectors, levels, tuple(links), int(hnsw.entry_point), np.arange(n)

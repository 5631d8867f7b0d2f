"""Export centroids to inverted files of faiss, flat indexes and hnswlib."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from annlab._support.checks import (
    check_choice,
    check_data,
    check_integer,
    check_random_state,
    is_npy_path,
    map_npy,
)
from annlab._support.errors import invalid, require
from annlab._support.progress import Progress
from annlab.clustering import kmeans_ann
from annlab.distances import unit_rows
from annlab.result import KMeansResult

__all__ = ["ivf", "to_faiss", "to_hnswlib"]

#: Codes of faiss for an inverted file.
_KIND = re.compile(r"Flat|SQ4|SQ6|SQ8|SQfp16|SQbf16|PQ\d+(x\d+)?(fs)?|RaBitQ")
#: Rows that a code is trained on; faiss itself uses 256 for each of 256 codewords.
_TRAINED_ON = 1 << 16
#: Values that are added at a time.
_BLOCK = 1 << 24


def ivf(
    X: Any,
    n_lists: int | None = None,
    kind: str = "Flat",
    *,
    result: KMeansResult | None = None,
    metric: str = "euclidean",
    random_state: Any = None,
    n_jobs: int | None = None,
    progress: bool = False,
    **fit_params: Any,
) -> Any:
    """Build an inverted file of faiss with a coarse quantizer by annlab.

    Parameters
    ----------
    X : array-like of shape (n, d), or the path of an ``.npy`` file
        Rows to index. A mapped file stays on disk: rows are read in blocks.
    n_lists : int, optional
        Lists, one for each cluster; about 4·√n to 16·√n is usual. Not needed with ``result``.
    kind : str, default="Flat"
        Code of the rows, as in faiss's factory strings: ``"Flat"`` (the rows), ``"SQ8"`` (a byte
        for each value), ``"PQ32"`` (32 bytes for each row).
    result : KMeansResult, optional
        A fit of these rows, such as a saved one, to be used instead of a new one.
    metric : {"euclidean", "cosine"}, default="euclidean"
        With ``"cosine"`` rows are scaled to length 1 and searched by inner product; scale queries
        yourself.
    random_state : None, int, RandomState or Generator
    n_jobs : int, optional
        Threads of the clustering.
    progress : bool, default=False
    **fit_params
        Passed to `kmeans_ann`. By default ``init="random"`` and ``max_iter=10``, as in faiss.

    Returns
    -------
    faiss.IndexIVF
        Trained and filled; ids are row numbers. Set ``index.nprobe`` before a search.

    Raises
    ------
    MissingExtraError
        If faiss is not installed.
    TypeError, ValueError
        If an argument is invalid.

    Notes
    -----
    Costs one clustering, one pass that encodes the rows, and for compressed kinds a training on
    65,536 rows. Each row goes to the list of its label, so no row is assigned twice.

    A random start and few iterations give lists of similar size. A fit with lower inertia spreads
    its centroids more evenly over space, so dense regions get long lists: on image patches, a query
    then reads several times as many rows for the same recall.

    Jégou, Douze & Schmid (2011), doi 10.1109/TPAMI.2010.57.

    Examples
    --------
    >>> import numpy as np
    >>> from annlab import export
    >>> X = np.random.RandomState(0).rand(2000, 8).astype(np.float32)
    >>> index = export.ivf(X, 32, random_state=0)
    >>> index.nprobe = 8
    >>> index.search(X[:3], 1)[1].ravel().tolist()
    [0, 1, 2]
    """
    faiss = require("faiss", purpose="for annlab.export", extra="lab")
    check_choice(metric, "metric", ("euclidean", "cosine"))
    if not isinstance(kind, str) or not _KIND.fullmatch(kind):
        raise invalid("kind", "'Flat', 'SQ8', 'PQ32' or another code of faiss", repr(kind))
    rows = map_npy(X) if is_npy_path(X) else X
    rows = rows if isinstance(rows, np.memmap) else check_data(rows)
    rng = check_random_state(random_state)
    if result is None:
        n_lists = check_integer(n_lists, "n_lists")
        result = kmeans_ann(
            rows, n_lists, metric=metric, random_state=rng, n_jobs=n_jobs, progress=progress,
            **{"init": "random", "max_iter": 10, **fit_params},
        )  # fmt: skip
    if len(result.labels) != len(rows):
        rule, got = f"a fit of the {len(rows):,} rows of X", f"{len(result.labels):,} labels"
        raise invalid("result", rule, got, "Fit these rows.")
    centroids = np.ascontiguousarray(result.centroids, dtype=np.float32)
    k, d = centroids.shape
    if n_lists is not None and n_lists != k:
        raise invalid("n_lists", f"the {k} clusters of the result", n_lists, "Leave it out.")
    measure = faiss.METRIC_INNER_PRODUCT if metric == "cosine" else faiss.METRIC_L2
    try:
        index = faiss.index_factory(d, f"IVF{k},{kind}", measure)
    except RuntimeError as reason:
        raise invalid("kind", f"a code that faiss can make of {d} values", repr(kind)) from reason
    index.quantizer.add(centroids)
    size = min(len(rows), _TRAINED_ON)
    index.train(_block(rows, np.sort(rng.choice(len(rows), size, replace=False)), metric))
    _fill(faiss, index, rows, np.asarray(result.labels), metric, progress)
    return index


def _block(rows: np.ndarray, chosen: Any, metric: str) -> np.ndarray:
    block = np.asarray(rows[chosen], dtype=np.float32)
    return np.ascontiguousarray(unit_rows(block)[0] if metric == "cosine" else block)


def _fill(
    faiss: Any, index: Any, rows: np.ndarray, labels: np.ndarray, metric: str, progress: bool
) -> None:
    """Add the rows, each to the list of its label; outliers to none."""
    step = max(1, _BLOCK // rows.shape[1])
    line = Progress(progress, len(rows), "inverted lists")
    for start in range(0, len(rows), step):
        stop = min(start + step, len(rows))
        block = _block(rows, slice(start, stop), metric)
        ids = np.arange(start, stop, dtype=np.int64)
        lists = labels[start:stop].astype(np.int64)
        pointers = (faiss.swig_ptr(array) for array in (block, ids, lists))
        index.add_core(len(block), *pointers)
        line.update(stop)
    line.close()


def to_faiss(result: KMeansResult) -> Any:
    """Return the centroids as a flat faiss index, which assigns rows to clusters.

    Parameters
    ----------
    result : KMeansResult

    Returns
    -------
    faiss.IndexFlat
        By squared Euclidean distance; for ``metric="cosine"`` by inner product, for queries of
        length 1.

    Raises
    ------
    MissingExtraError
        If faiss is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> from annlab import export, kmeans
    >>> X = np.random.RandomState(0).rand(200, 4).astype(np.float32)
    >>> result = kmeans(X, 5, random_state=0)
    >>> bool((export.to_faiss(result).search(X, 1)[1].ravel() == result.labels).all())
    True
    """
    faiss = require("faiss", purpose="for annlab.export", extra="lab")
    centroids = np.ascontiguousarray(result.centroids, dtype=np.float32)
    cosine = result.metric == "cosine"
    index = (faiss.IndexFlatIP if cosine else faiss.IndexFlatL2)(centroids.shape[1])
    index.add(centroids)
    return index


def to_hnswlib(
    result: KMeansResult, *, M: int = 16, ef_construction: int = 200, random_state: int = 0
) -> Any:
    """Return the centroids as a graph of hnswlib, for assignment at large k.

    Parameters
    ----------
    result : KMeansResult
    M : int, default=16
        Links of each node.
    ef_construction : int, default=200
        Candidates of an insertion.
    random_state : int, default=0

    Returns
    -------
    hnswlib.Index
        In space ``"cosine"`` or ``"l2"``; ids are labels.

    Raises
    ------
    MissingExtraError
        If hnswlib is not installed.

    Notes
    -----
    Built on one thread, to be reproducible. Malkov & Yashunin (2020), arXiv 1603.09320.

    Examples
    --------
    >>> import numpy as np
    >>> from annlab import export, kmeans
    >>> X = np.random.RandomState(0).rand(200, 4).astype(np.float32)
    >>> graph = export.to_hnswlib(kmeans(X, 50, random_state=0))
    >>> graph.get_current_count()
    50
    """
    hnswlib = require("hnswlib", purpose="for annlab.export.to_hnswlib", extra="lab")
    check_integer(M, "M", minimum=2)
    check_integer(ef_construction, "ef_construction")
    check_integer(random_state, "random_state", minimum=0)
    k, d = result.centroids.shape
    graph = hnswlib.Index(space="cosine" if result.metric == "cosine" else "l2", dim=d)
    graph.init_index(k, M=M, ef_construction=ef_construction, random_seed=random_state)
    graph.add_items(result.centroids, np.arange(k), num_threads=1)
    return graph

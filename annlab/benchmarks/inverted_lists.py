"""Compare inverted files trained by annlab with those trained by faiss."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from annlab import export
from annlab._support.checks import check_data, check_integer, check_random_state
from annlab._support.threads import resolve_n_jobs
from annlab._support.types import MatrixLike, Seed
from annlab.benchmarks.campaign.markdown import table
from annlab.benchmarks.judging import split_queries
from annlab.benchmarks.machine import machine_record
from annlab.indexes.faiss_index import faiss_threads, load_faiss
from annlab.metrics import recall_at_k

#: Neighbours that recall counts, and the numbers of lists that a query probes.
N_NEIGHBORS = 10
PROBES = (1, 4, 16, 64)
#: Rows that faiss samples for each list in its fastest setting; the default is up to 256.
SAMPLED = 64


class InvertedLists(NamedTuple):
    """Time, balance and recall of one inverted file.

    ``seconds`` covers training and filling; ``recalls`` holds recall@10 for each of `PROBES`;
    ``imbalance`` is n_lists · Σ size² / n²: 1 for lists of equal size, and the factor by which
    uneven lists lengthen a query.
    """

    trained_by: str
    seconds: float
    imbalance: float
    recalls: tuple[float, ...]


def compare_inverted_lists(
    X: MatrixLike,
    n_lists: int,
    *,
    n_queries: int = 1000,
    random_state: Seed = 0,
    n_jobs: int | None = None,
) -> Iterator[InvertedLists]:
    """Train inverted files with annlab and faiss; measure time and recall.

    Parameters
    ----------
    X : array-like of shape (n, d)
        Held in float32. Queries are drawn from it and left out of the files.
    n_lists : int
    n_queries : int, default=1000
    random_state : int, RandomState, Generator or None, default=0
    n_jobs : int, optional
        Threads of both libraries.

    Yields
    ------
    InvertedLists
        annlab; faiss on a sample of 64 rows a list; faiss on all rows, 10 iterations each, its
        default for inverted files.

    Raises
    ------
    MissingExtraError
        If faiss is not installed.
    TypeError, ValueError
        If an argument is invalid.

    Notes
    -----
    Lists store rows as they are ("Flat"), so recall depends on the lists alone.
    """
    faiss = load_faiss("to compare inverted files")
    rows = check_data(X).astype(np.float32, copy=False)
    n_lists = check_integer(n_lists, "n_lists", maximum=len(rows))
    n_queries = check_integer(n_queries, "n_queries", maximum=len(rows) // 2)
    rng = check_random_state(random_state)
    threads = resolve_n_jobs(n_jobs)
    rows, queries = split_queries(rows, None, n_queries, rng)
    with faiss_threads(threads):
        exact = faiss.IndexFlatL2(rows.shape[1])
        exact.add(rows)
        truth = exact.search(queries, N_NEIGHBORS)
        del exact

        begin = perf_counter()
        index = export.ivf(rows, n_lists, random_state=rng, n_jobs=threads)
        yield _judged("annlab", perf_counter() - begin, index, queries, truth)
        for name, per_list in (("faiss, sample", SAMPLED), ("faiss, all rows", len(rows))):
            index = faiss.index_factory(rows.shape[1], f"IVF{n_lists},Flat")
            index.cp.max_points_per_centroid = per_list
            begin = perf_counter()
            index.train(rows)
            index.add(rows)
            yield _judged(name, perf_counter() - begin, index, queries, truth)


def _judged(
    name: str,
    seconds: float,
    index: Any,
    queries: np.ndarray,
    truth: tuple[np.ndarray, np.ndarray],
) -> InvertedLists:
    recalls = []
    for probes in PROBES:
        index.nprobe = probes
        recalls.append(recall_at_k(index.search(queries, N_NEIGHBORS), truth))
    return InvertedLists(name, seconds, index.invlists.imbalance_factor(), tuple(recalls))


def inverted_lists_page(name: str, measured: Sequence[tuple[int, InvertedLists]]) -> str:
    """Return a page in Markdown: one row for each file, by number of lists."""
    machine = machine_record()
    columns = ["lists", "trained by", "seconds", "imbalance"]
    columns += [f"recall@10, nprobe {probes}" for probes in PROBES]
    rows = []
    for n_lists, lists in measured:
        figures = [f"{lists.seconds:.3g}", f"{lists.imbalance:.2f}"]
        recalls = [f"{recall:.3f}" for recall in lists.recalls]
        rows.append([f"{n_lists:,}", lists.trained_by, *figures, *recalls])
    return "\n".join(
        [
            f"# Inverted files on {name}",
            "",
            "Written by `annlab bench --inverted-lists`. The coarse quantizer of a faiss index is",
            "trained by `annlab.export.ivf`, or by faiss itself (10 iterations) on a sample of",
            f"{SAMPLED} rows a list or on all rows. *Seconds* covers training and filling.",
            "*Imbalance* is 1 for lists of equal size.",
            "",
            *table(columns, rows),
            f"{machine['threads']} cores, {machine['processor']}.",
            "",
        ]
    )

"""Checks of topic 13, parallel processing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np

from annlab.classroom._case import Case, Recorder
from annlab.classroom._content import load
from annlab.classroom._values import cluster_means, empty_cluster, with_empty, with_row


def speed_up_by_hand() -> float:
    """Check 13-1: Amdahl's law on paper."""
    from annlab.benchmarks.scaling import amdahl

    return float(amdahl(10 / 90, 4))


def join_chunks(case: Case, answer: object) -> None:
    """Check 13-2: centroids from the sums of the chunks."""
    chunks, k, d = 5, 4, 2
    counts = case.rng.randint(1, 30, size=(chunks, k))
    # one cluster is missing in one chunk only, another in all of them
    counts[0, 1] = counts[:, 3] = 0
    sums = counts[..., None] * (5.0 + case.rng.randn(chunks, k, d))
    centroids = 5.0 + case.rng.randn(k, d)
    total = counts.sum(axis=0)
    used = total > 0
    truth = centroids.copy()
    truth[used] = sums.sum(axis=0)[used] / total[used, None]
    with np.errstate(all="ignore"):
        each = sums / counts[..., None]
    present = np.where(counts > 0, 1.0, 0.0)[..., None]
    plain = np.nan_to_num(each)

    def stays_or_not(values: np.ndarray) -> list[np.ndarray]:
        return with_empty(with_row(values, 3, centroids[3]), 3)

    averages = (
        each.mean(axis=0),
        plain.mean(axis=0),
        plain.sum(axis=0) / np.maximum(present.sum(axis=0), 1.0),
    )
    case.compare(
        case.call(answer, sums, counts, centroids),
        truth,
        {
            **empty_cluster(truth, 3),
            "mean_of_means": [one for value in averages for one in stays_or_not(value)],
            "last_chunk": stays_or_not(plain[-1]),
            "sum_not_mean": stays_or_not(sums.sum(axis=0)),
        },
    )


def cut_rows(case: Case, answer: object) -> None:
    """Check 13-3: chunks that follow from the data alone."""
    from annlab._support.threads import chunk_bounds

    odd = int(case.rng.randint(41, 49))
    for n, rows in ((odd, 10), (60, 12), (7, 20), (3 * odd, odd)):
        truth = np.array(chunk_bounds(n, rows))
        got = case.call(answer, n, rows)
        if isinstance(got, Iterator):
            got = list(islice(got, n + 2))
        begins = np.arange(0, n, rows)
        parts = [part for part in np.array_split(np.arange(n), rows) if len(part)]
        case.compare(
            got,
            truth,
            {
                "drops_remainder": truth[: n // rows],
                "overruns": np.column_stack([begins, begins + rows]),
                "off_by_one": truth - [0, 1],
                "empty_chunk": np.append(truth, [(n, n)], axis=0),
                "empty_chunk-2": np.append(truth, [(n, n + rows)], axis=0),
                "pieces_not_rows": np.array([(part[0], part[-1] + 1) for part in parts]),
            },
            told={"n": n, "rows": rows},
        )


class _Pool(Recorder):
    """A pool that runs the tasks itself, last one first, and counts them."""

    def __init__(self, n_workers: int) -> None:
        self.n_workers = n_workers
        self.tasks: list[int] = []

    def map(self, function: Callable[[Any], Any], tasks: Iterable[Any]) -> list[Any]:
        todo = list(tasks)
        self.tasks.append(len(todo))
        return [function(task) for task in reversed(todo)][::-1]


def share_an_iteration(case: Case, answer: object) -> None:
    """Check 13-4: one iteration, distributed in chunks."""
    n, rows, k = 103, 20, 3
    centroids = np.array([[0.0, 0.0], [50.0, 0.0], [0.0, 50.0]])
    which = case.rng.choice(k, size=n, p=[0.7, 0.2, 0.1])
    for begin in range(0, n, rows):
        # every cluster has a point in every chunk
        which[begin : begin + k] = range(k)
    X = centroids[which] + 3.0 * case.rng.randn(n, 2)
    start = centroids + 2.0

    def means(first: int, last: int) -> np.ndarray:
        return cluster_means(X[first:last], which[first:last], start)

    of_chunks = [means(begin, begin + rows) for begin in range(0, n, rows)]
    whole = n // rows * rows
    wanted = -(-n // rows)
    mistakes = {
        "mean_of_means": np.mean(of_chunks, axis=0),
        "drops_remainder": means(0, whole),
        "last_chunk": of_chunks[-1],
    }
    for n_workers in (2, 4):
        pool = _Pool(n_workers)
        got = case.call(answer, X, start, rows, pool)
        if not pool.tasks:
            raise case.wrong("no_pool")
        if wanted not in pool.tasks and n_workers in pool.tasks:
            raise case.wrong("cut_by_workers")
        case.compare(got, means(0, n), mistakes)
        if any(number != wanted for number in pool.tasks):
            handed = pool.tasks[0]
            raise case.wrong("other_chunks", n=n, rows=rows, wanted=wanted, handed=handed)


EXERCISES, QUESTIONS, SHEET, LESSON = load(
    13, [speed_up_by_hand, join_chunks, cut_rows, share_an_iteration]
)

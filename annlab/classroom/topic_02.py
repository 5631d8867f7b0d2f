"""Checks of topic 2, approximate nearest neighbours."""

from __future__ import annotations

from typing import Any

import numpy as np

from annlab.classroom._case import Case
from annlab.classroom._content import load
from annlab.classroom._values import hits_by_row


def _chain(n: int, *extra: tuple[int, int]) -> dict[int, list[int]]:
    """Return points in a row, linked with their neighbours, and extra links."""
    links = {i: [j for j in (i - 1, i + 1) if 0 <= j < n] for i in range(n)}
    for one, other in extra:
        links[one].append(other)
        links[other].append(one)
    return links


def _graph(X: np.ndarray, links: dict[int, list[int]], entry: int) -> Any:
    """Make a graph of one layer from these links."""
    from annlab.indexes.walk import NavigableGraph

    rows = np.arange(len(X))
    layer = tuple(np.array(links[int(node)], dtype=np.int64) for node in rows)
    return NavigableGraph(X, np.zeros_like(rows), (layer,), entry, rows)


def distances_by_hand() -> int:
    """Check 02-1: the number of distances that a greedy walk measures."""
    from annlab.indexes.walk import greedy_walk

    graph = _graph(np.arange(12.0)[:, None], _chain(12, (0, 8)), 0)
    return greedy_walk(graph, np.array([9.3]), ef=1)[-1].n_distances


def write_recall(case: Case, answer: object) -> None:
    """Check 02-2: recall of a search for several neighbours."""
    truth = np.array([case.rng.choice(100, 5, replace=False) for _ in range(30)])
    found = truth.copy()
    for row in found:
        # some queries lose all; many replacements are neighbours of other queries
        lost = case.rng.randint(1, 6)
        row[:lost] = case.rng.choice(np.setdiff1d(np.arange(100), row), lost, replace=False)
        case.rng.shuffle(row)
    hits = hits_by_row(found, truth)
    case.compare(
        case.call(answer, found, truth),
        hits.sum() / truth.size,
        {
            "compares_places": (found == truth).mean(),
            "all_or_nothing": (hits == 5).mean(),
            "all_or_nothing-2": (hits > 0).mean(),
            "count_not_share": hits.sum(),
            "count_not_share-2": hits.mean(),
            "mixes_queries": [np.isin(found, truth).mean(), np.isin(truth, found).mean()],
        },
    )


def other_neighbors(case: Case, answer: object) -> None:
    """Check 02-3: the neighbours of a point, without the point itself."""
    from annlab.distances import k_nearest

    X, m = case.rng.randn(40, 3), 4
    order = k_nearest(X, X, m + 2)[1]
    case.compare(
        case.call(answer, X, m),
        order[:, 1 : m + 1],
        {
            "counts_itself": order[:, :m],
            "off_by_one": order[:, 1:m],
            "counts_itself-2": order[:, : m + 1],
            "off_by_one-2": order[:, 2 : m + 2],
        },
    )


def greedy_walk(case: Case, answer: object) -> None:
    """Check 02-4: where a greedy walk ends."""
    from annlab.indexes.walk import greedy_walk as walk

    links, rounds = _chain(40, (0, 20), (10, 30)), 0
    while rounds < 12:
        X = case.rng.rand(40, 2)
        # sorted by angle: links are short, and the walk can get stuck
        X = X[np.argsort(np.arctan2(X[:, 1] - 0.5, X[:, 0] - 0.5))]
        query, node = case.rng.rand(2), int(case.rng.randint(40))
        truth = walk(_graph(X, links, node), query, ef=1)[-1].best
        gaps = ((X - query) ** 2).sum(axis=1)
        nearest, first = int(gaps.argmin()), min([node, *links[node]], key=gaps.__getitem__)
        # where the walk oscillates at its end if it ignores the current point
        ends = [node]
        for _ in range(100):
            ends = [*ends[-1:], min(links[ends[-1]], key=gaps.__getitem__)]
        if not set(ends).isdisjoint({nearest, first, node} - {truth}):
            continue
        rounds += 1
        case.compare(
            case.call(answer, X, links, query, node),
            truth,
            {
                "brute_force": nearest,
                "one_step": first,
                "stays": node,
                "never_compares": ends,
            },
        )


EXERCISES, QUESTIONS, SHEET, LESSON = load(
    2, [distances_by_hand, write_recall, other_neighbors, greedy_walk]
)

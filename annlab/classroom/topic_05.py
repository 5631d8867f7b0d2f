"""Checks of topic 5, choosing an index."""

from __future__ import annotations

from functools import partial

import numpy as np

from annlab.classroom._case import Case
from annlab.classroom._content import load
from annlab.classroom._values import front


def answer_of_the_hash() -> int:
    """Check 05-1: which point a hash with two directions returns."""
    X = np.array([[4, 3], [1, 5], [2, 1], [-3, -1], [-1, 2], [2, 4], [3, -2], [3, 6]])
    query, directions = np.array([1, 2]), np.array([[1, 0], [1, -1]])
    bucket = ((X @ directions.T > 0) == (directions @ query > 0)).all(axis=1)
    gaps = ((X - query) ** 2).sum(axis=1)
    return int(np.where(bucket, gaps, np.inf).argmin())


def collect_candidates(case: Case, answer: object) -> None:
    """Check 05-2: the candidates of a hash with several tables."""
    n, n_tables, n_hashes = 60, 3, 4
    code = case.rng.rand(n_tables, n_hashes) < 0.5
    codes = case.rng.rand(n, n_tables, n_hashes) < 0.5
    # by luck no two rows might share two buckets, or only the first table might have any
    codes[7], codes[30, :2] = code, code[:2]
    for table, row in enumerate((11, 23, 42)):
        codes[row] = ~code
        codes[row, table] = code[table]
    codes[50:53] = ~code
    equal = codes == code
    shared = equal.all(axis=2)
    truth = np.flatnonzero(shared.any(axis=1))
    case.compare_rows(
        case.call(answer, codes, code),
        truth,
        n,
        {
            "counts_twice": np.sort(np.nonzero(shared)[0]),
            "all_tables": np.flatnonzero(shared.all(axis=1)),
            "brute_force": np.arange(n),
            "first_table": np.flatnonzero(shared[:, 0]),
            "last_table": np.flatnonzero(shared[:, -1]),
            "half_a_code": np.flatnonzero(equal.any(axis=(1, 2))),
            "half_a_code-2": np.flatnonzero(equal.any(axis=2).all(axis=1)),
        },
    )


def find_front(case: Case, answer: object) -> None:
    """Check 05-3: the settings that no other setting beats."""
    recalls = np.array([32, 31, 30, 29, 28, 27, 26, 26, 22, 20, 16]) / 32
    work = np.array([90, 60, 75, 66, 40, 40, 20, 33, 30, 25, 8])
    for _ in range(2):
        order = case.rng.permutation(len(work))
        r, w = recalls[order], work[order] * int(case.rng.randint(2, 9))
        finds_more = r[:, None] > r
        # from the best recall down, compared only with the one before
        down = np.lexsort((w, -r))
        cheaper = np.append(True, np.diff(w[down]) < 0)
        case.compare_rows(
            case.call(answer, r, w),
            front(r, w),
            len(w),
            {
                "keeps_ties": np.flatnonzero(~(finds_more & (w[:, None] < w)).any(axis=0)),
                "compares_neighbours": np.sort(down[cheaper]),
                "work_turned_round": np.flatnonzero(~(finds_more & (w[:, None] > w)).any(axis=0)),
                "best_only": np.array([r.argmax()]),
            },
        )


def _report(
    hits: np.ndarray, place: np.ndarray, which: int, first: int = 0, last: int = 2
) -> np.ndarray:
    """Return a setting's row, and its recall over half or all of the queries."""
    row, half = place[which], hits.shape[1] // 2
    return np.array([row, hits[row, first * half : last * half].mean()])


def choose_and_report(case: Case, answer: object) -> None:
    """Check 05-4: choose on one half of the queries, report the other."""
    half, wanted = 32, 0.75
    # hits in the half to choose with, hits in the other half, work
    plan = np.array([[32, 31, 90], [24, 19, 30], [20, 30, 20], [28, 27, 45], [15, 16, 5]])
    best, truth, peek, strict = range(4)
    for _ in range(2):
        place = case.rng.permutation(len(plan))
        hits = np.zeros((len(plan), 2 * half), dtype=bool)
        for row, counts in zip(place, plan, strict=True):
            for part in (0, 1):
                hits[row, part * half + case.rng.choice(half, counts[part], replace=False)] = True
        work = np.empty(len(plan), dtype=int)
        work[place] = plan[:, 2] * int(case.rng.randint(2, 9))
        report = partial(_report, hits, place)
        got = case.call(answer, hits, work, wanted)
        if np.ndim(got) == 0:
            raise case.wrong("wrong_shape")
        case.compare(
            got,
            report(truth, 1),
            {
                "tuned_on_report": report(truth, 0, 1),
                "tuned_on_report-2": report(truth),
                "chooses_with_all": report(peek),
                "chooses_with_all-2": report(peek, 1),
                "strict_bound": report(strict, 1),
                "best_not_cheapest": report(best, 1),
                "position_among_chosen": np.array(
                    [
                        np.searchsorted(np.sort(place[[best, truth, strict]]), place[truth]),
                        report(truth, 1)[1],
                    ]
                ),
            },
        )


EXERCISES, QUESTIONS, SHEET, LESSON = load(
    5, [answer_of_the_hash, collect_candidates, find_front, choose_and_report]
)

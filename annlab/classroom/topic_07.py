"""Checks of topic 7, accuracy and speed."""

from __future__ import annotations

import numpy as np

from annlab.classroom._case import Case
from annlab.classroom._content import load
from annlab.classroom._values import front, hits_by_row


def recall_by_hand() -> float:
    """Check 07-1: recall on a line, where the query is one of the points."""
    from annlab.distances import k_nearest

    places = np.array([0.0, 1.0, 3.0, 7.0, 8.0, 12.0, 15.0, 20.0, 25.0])
    order = k_nearest(np.array([[7.0]]), places[:, None], 6)[1][0]
    return len(set(places[order[1:]]) & {8.0, 3.0, 12.0, 20.0, 25.0}) / 5


def write_honest_recall(case: Case, answer: object) -> None:
    """Check 07-2: recall where every question is a row of the data."""
    n, m, easy = 40, 4, case.rng.randint(5, 15)
    found, true = np.empty((2, n, m + 1), dtype=np.int64)
    clean_found, clean_true = np.empty((2, n, m), dtype=np.int64)
    for i in range(n):
        rows = case.rng.permutation(np.delete(np.arange(n), i))
        neighbors, strangers = rows[:m], rows[m:]
        # a rough search may miss the question itself; then a true neighbour comes last
        unseen = i % 4 == 1
        lost = 0 if i % 2 == 0 and i < easy else 1 + i % 2 + unseen
        got = np.concatenate([neighbors[lost:], strangers[:lost]])
        case.rng.shuffle(got)
        found[i] = (
            np.append(got, neighbors[0]) if unseen else np.insert(got, case.rng.randint(m + 1), i)
        )
        # a twin at distance zero may come before the question
        true[i] = np.insert(neighbors, int(i % 5 == 0), i)
        clean_found[i], clean_true[i] = got, neighbors

    counted = hits_by_row(clean_found, clean_true)
    truth = counted.mean() / m
    case.compare(
        case.call(answer, found, true),
        truth,
        {
            "counts_itself": hits_by_row(found, true).mean() / (m + 1),
            "stays_in_the_answer": hits_by_row(found[:, :m], clean_true).mean() / m,
            "off_by_one": hits_by_row(found, clean_true).mean() / m,
            "drops_first_column": hits_by_row(found[:, 1:], true[:, 1:]).mean() / m,
            "compares_places": (clean_found == clean_true).mean(),
            "count_not_share": counted.sum(),
            "count_not_share-2": counted.mean(),
            "share_of_misses": 1 - truth,
        },
    )


def find_front(case: Case, answer: object) -> None:
    """Check 07-3: the settings that no other setting beats."""
    n = 12
    speed = 100 * (1 + case.rng.permutation(n))
    # roughly a trade-off, with settings in between that are beaten
    recall = np.round(0.99 - 0.00045 * speed - 0.3 * case.rng.rand(n) * (speed % 300 > 0), 3)
    fastest, best = int(speed.argmax()), int(recall.argmax())
    # two settings that lose in one respect only: by a little, so that no other one beats them
    recall = np.append(recall, [recall[fastest] - 1e-5, recall[best]])
    speed = np.append(speed, [speed[fastest], speed[best] - 1])
    mix = case.rng.permutation(n + 2)
    recall, speed = recall[mix], speed[mix].astype(float)

    better = (recall[:, None] > recall) & (speed[:, None] > speed)
    either = (recall[:, None] > recall) | (speed[:, None] > speed)
    truth = front(recall, -speed)
    winner = truth[[recall[truth].argmax()]]
    case.compare_rows(
        case.call(answer, recall, speed),
        truth,
        len(recall),
        {
            "beaten_in_one": np.flatnonzero(~either.any(axis=0)),
            "strictly_in_both": np.flatnonzero(~better.any(axis=0)),
            "turned_round": front(recall, speed),
            "one_winner": winner[0],
            "one_winner-2": winner,
        },
    )


def worst_served_cluster(case: Case, answer: object) -> None:
    """Check 07-4: the lowest recall of any cluster, one cluster being empty."""
    k = 6
    # (points, misses): one randomly chosen cluster is served badly
    worst = (case.rng.randint(9, 16), 6)
    sizes = np.array([(30, 4), worst, (25, 2), (15, 3), (20, 2)])[case.rng.permutation(k - 1)]
    nearest = np.repeat(np.arange(1, k), sizes[:, 0])
    missed = np.concatenate([np.arange(size) < lost for size, lost in sizes])
    labels = np.where(missed, nearest % (k - 1) + 1, nearest)
    mix = case.rng.permutation(len(nearest))
    labels, nearest = labels[mix], nearest[mix]
    hit = labels == nearest
    each = np.array([hit[nearest == j].mean() for j in range(1, k)])
    case.compare(
        case.call(answer, labels, nearest, k),
        each.min(),
        {
            "empty_cluster_nan": np.nan,
            "empty_cluster_zero": 0.0,
            "mean_of_all": hit.mean(),
            "mean_of_clusters": each.mean(),
            "groups_by_labels": min(hit[labels == j].mean() for j in range(1, k)),
            "share_of_misses": 1 - each.min(),
        },
    )


EXERCISES, QUESTIONS, SHEET, LESSON = load(
    7, [recall_by_hand, write_honest_recall, find_front, worst_served_cluster]
)

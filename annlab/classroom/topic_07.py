"""Topic 7, accuracy and speed: its checks, and the picture of its sheet."""

from __future__ import annotations

from typing import Any

import numpy as np

from annlab.classroom._case import Case
from annlab.classroom._content import Figure, load
from annlab.classroom._values import hits_by_row

# -- checks --------------------------------------------------------------------------------------


def honest_recall_by_hand(case: Case, answer: object) -> None:
    """07-1: recall on a line, the question being one of the points."""
    from annlab.distances import k_nearest

    places = np.array([0.0, 1.0, 3.0, 7.0, 8.0, 12.0, 15.0, 20.0, 25.0])
    asked, found = 7.0, {7.0, 8.0, 3.0, 12.0, 20.0, 25.0}
    order = places[k_nearest(np.array([[asked]]), places[:, None], 7)[1][0]]
    others = set(order[1:6])
    hits = len(others & found)
    case.compare(
        answer,
        hits / 5,
        {
            "counts_itself": len(set(order[:6]) & found) / 6,
            "counts_itself-2": (hits + 1) / 5,
            "stays_in_the_answer": hits / 6,
            "count_not_share": hits,
            "share_of_misses": 1 - hits / 5,
            "percent": 20 * hits,
        },
    )


def write_honest_recall(case: Case, answer: object) -> None:
    """07-2: recall where every question is a row of the data."""
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
        # a twin at distance zero may stand before the question
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
            "stays_in_the_answer-2": hits_by_row(found, clean_true).mean() / (m + 1),
            "off_by_one": hits_by_row(found, clean_true).mean() / m,
            "drops_first_column": hits_by_row(found[:, 1:], true[:, 1:]).mean() / m,
            "drops_first_column-2": hits_by_row(found[:, 1:], clean_true).mean() / m,
            "compares_places": (clean_found == clean_true).mean(),
            "count_not_share": counted.sum(),
            "count_not_share-2": counted.mean(),
            "share_of_misses": 1 - truth,
        },
    )


def find_front(case: Case, answer: object) -> None:
    """07-3: the settings that nothing beats."""
    n = 12
    speed = 100 * (1 + case.rng.permutation(n))
    # roughly a trade-off, with settings in between that are beaten
    recall = np.round(0.99 - 0.00045 * speed - 0.3 * case.rng.rand(n) * (speed % 300 > 0), 3)
    fastest, best = int(speed.argmax()), int(recall.argmax())
    # two settings that lose in one respect only: by a breath, so that nobody else beats them
    recall = np.append(recall, [recall[fastest] - 1e-5, recall[best]])
    speed = np.append(speed, [speed[fastest], speed[best] - 1])
    mix = case.rng.permutation(n + 2)
    recall, speed = recall[mix], speed[mix].astype(float)

    def kept(recall: np.ndarray, speed: np.ndarray) -> np.ndarray:
        # from fast to slow, a setting has to bring more recall than all before it
        order = np.lexsort((-recall, -speed))
        before = np.append(-np.inf, np.maximum.accumulate(recall[order])[:-1])
        return np.sort(order[recall[order] > before])

    better = (recall[:, None] > recall) & (speed[:, None] > speed)
    either = (recall[:, None] > recall) | (speed[:, None] > speed)
    truth = kept(recall, speed)
    winner = truth[[recall[truth].argmax()]]
    case.compare_rows(
        case.call(answer, recall, speed),
        truth,
        len(recall),
        {
            "beaten_in_one": np.flatnonzero(~either.any(axis=0)),
            "strictly_in_both": np.flatnonzero(~better.any(axis=0)),
            "turned_round": kept(recall, -speed),
            "turned_round-2": kept(-recall, speed),
            "one_winner": winner[0],
            "one_winner-2": winner,
            "complement": np.setdiff1d(np.arange(n + 2), truth),
        },
    )


def worst_served_cluster(case: Case, answer: object) -> None:
    """07-4: recall of the cluster that a search serves worst, one cluster having no points."""
    k = 6
    # (points, misses): one cluster is served badly, and which one that is, is drawn
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
            "best_not_worst": each.max(),
            "number_not_recall": 1 + each.argmin(),
            "share_of_misses": 1 - each.min(),
        },
    )


# -- sheet ---------------------------------------------------------------------------------------


def draw_sheet(figure: Figure) -> None:
    """Show an accuracy that cannot differ, and what random misses cost k-means."""
    from annlab.datasets import load_digits_data, make_uniform_cube
    from annlab.distances import k_nearest, pairwise_sq
    from annlab.indexes.careless import CarelessIndex
    from annlab.lloyd import kmeans, kmeans_ann
    from annlab.plotting import PALETTE
    from annlab.widgets.base.look import ALARM, chart

    digits = load_digits_data().X[::3].astype(np.float64)
    left, right = figure.subplots(1, 2)

    asked = (2, 5, 10, 20, 50)
    chart(left, "neighbours asked for", "score of a perfect search", "the slide's accuracy")
    cube = make_uniform_cube(600, 10, random_state=0, dtype=np.float64)
    looks = (("digits", digits, PALETTE[0], "o", 11), ("noise", cube, ALARM, "x", 7))
    for name, X, color, marker, size in looks:
        order = k_nearest(X[:1], X, max(asked) + 1)[1][0]
        scores = [np.isin(order[:m], order[1 : m + 1]).mean() for m in asked]
        left.plot(asked, scores, marker, color=color, markersize=size, label=name)
    left.axhline(1, color="#1a1a1a", linewidth=2, label="recall without the query")
    left.set(ylim=(0.45, 1.06))
    left.legend(loc="lower right", fontsize=10, frameon=False)

    shares = np.array([0, 0.1, 0.25, 0.5, 0.75, 1])
    starts = [
        digits[np.random.RandomState(s).choice(len(digits), 10, replace=False)] for s in (0, 1, 2)
    ]
    given: dict[str, Any] = {"n_jobs": 1, "max_iter": 60}
    exact = [kmeans(digits, 10, init=start, **given).inertia for start in starts]
    ratios = [
        np.mean(
            [
                kmeans_ann(
                    digits, 10, init=start, algorithm=CarelessIndex(R, random_state=0), **given
                ).inertia
                / best
                for start, best in zip(starts, exact, strict=True)
            ]
        )
        for R in shares
    ]
    near, second = np.sort(pairwise_sq(digits, starts[0]), axis=1)[:, :2].sum(axis=0)
    chart(right, "recall", "inertia, exact search = 1", "misses drawn anew heal")
    right.plot(shares, shares + (1 - shares) * second / near, "--", color="#555555")
    right.plot(shares, ratios, "o-", color=PALETTE[0])
    right.annotate("one assignment", (0.3, 1.31), fontsize=10, color="#555555")
    right.annotate("a whole run of k-means", (0.2, 0.935), fontsize=10, color=PALETTE[0])
    right.set(ylim=(0.9, 1.5))


EXERCISES, QUESTIONS, SHEET, LESSON = load(
    7, draw_sheet, [honest_recall_by_hand, write_honest_recall, find_front, worst_served_cluster]
)

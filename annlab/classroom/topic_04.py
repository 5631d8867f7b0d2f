"""Checks of topic 4, when an index pays."""

from __future__ import annotations

import numpy as np

from annlab.classroom._case import Case
from annlab.classroom._content import load


def looks_by_hand() -> float:
    """Check 04-1: looks into a sorted list, for all points of an iteration."""
    n, k = 300, 128
    return n * np.log2(k)


def share_computed(case: Case, answer: object) -> None:
    """Check 04-2: what share of the distances an index computes."""
    from annlab.indexes import make_index

    def computed(rows: np.ndarray, asked: np.ndarray, name: str) -> int:
        index = make_index(name).fit(rows)
        index.kneighbors(asked, 1)
        return int(index.n_distances_)

    # the second one computes more than everything
    for n, k, d, name in ((70, 400, 2, "kd_tree"), (90, 10, 3, "ball_tree")):
        X, centroids = case.rng.rand(n, d), case.rng.rand(k, d)
        count = computed(centroids, X, name)
        truth = count / (n * k)
        case.compare(
            case.call(answer, X, centroids, name),
            truth,
            {
                "index_over_samples": computed(X, centroids, name) / (n * k),
                "saved_not_computed": [1 - truth, max(1 - truth, 0.0)],
                "count_not_share": count,
                "count_not_share-2": count / n,
                "count_not_share-3": count / k,
                "capped": min(truth, 1.0),
            },
        )


def first_that_saves(case: Case, answer: object) -> None:
    """Check 04-3: the break-even, from a table of shares."""
    ks = np.array([8, 24, 70, 220, 650, 2000, 6000])
    # sixty-fourths, so that no rounding decides what "at least" means
    for saving in (0.25, 0.125):
        place = int(case.rng.randint(2, 4))
        limit = 1 - saving
        shares = limit + case.rng.randint(1, 8, size=len(ks)) / 64
        shares[0] = 1 + 5 / 64
        shares[place] = limit
        shares[[place + 1, -1]] = limit - 6 / 64, saving - 4 / 64
        enough = shares <= limit
        case.compare(
            case.call(answer, ks, shares, saving),
            ks[place],
            {
                "strict_bound": ks[np.argmax(shares < limit)],
                "position_not_k": place,
                "off_by_one": ks[place - 1],
                "share_for_saving": ks[np.argmax(shares <= saving)],
                "share_for_saving-2": ks[0],
                "last_not_first": ks[np.flatnonzero(enough)[-1]],
            },
        )
    shares = np.array([1.08, 1.0, 1.0, 0.98, 0.97, 0.96, 0.95])
    with case.retell("raised", "never_raises"), case.retell("unanswered", "never_is_none"):
        got = case.call(answer, ks, shares, 0.25)
    case.compare(
        got,
        np.inf,
        {"never_becomes_first": ks[0], "never_becomes_last": ks[-1]},
        otherwise="different-never",
    )


def points_that_pay(case: Case, answer: object) -> None:
    """Check 04-4: the number of points from which the build pays."""
    lift = 100 if case.hidden else 0
    rounds = (
        # a remainder; none; an expensive step; no gain; a loss that counts do not show
        (200, 30, 5_030 + lift, 1),
        (120, 20, 8_000 + lift, 1),
        (300, 40, 4_020 + lift, 2.5),
        (90, 30, 1_000 + lift, 3),
        (100, 60, 700 + lift, 2),
    )
    for k, seen, build, jump in rounds:
        gain = k - seen * jump
        truth = build // gain + 1 if gain > 0 else np.inf
        mistakes: dict[str, object] = {
            "counts_not_clock": build // (k - seen) + 1,
            "ignores_the_build": 1 if gain > 0 else 0,
        }
        if gain > 0:
            mistakes |= {
                "off_by_one": -(-build // gain),
                "off_by_one-2": build // gain,
                "not_whole": build / gain,
                "forgets_own_work": build // k + 1,
            }
        elif gain < 0:
            below = build // gain
            mistakes["negative_points"] = [build / gain, below, below + 1, -(-build // gain)]
        with (
            case.retell("raised", "divides_by_zero", saying="ZeroDivision"),
            case.retell("unanswered", "never_is_none", when=gain <= 0),
        ):
            got = case.call(answer, k, seen, build, jump)
        case.compare(
            got,
            truth,
            mistakes,
            otherwise="different" if gain > 0 else "different-never",
            rtol=1e-9,
        )


EXERCISES, QUESTIONS, SHEET, LESSON = load(
    4, [looks_by_hand, share_computed, first_that_saves, points_that_pay]
)

"""Checks of topic 3, k-means with approximate search."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from annlab.classroom._case import Case, Recorder
from annlab.classroom._content import load
from annlab.classroom._values import cluster_means


def recall_by_hand() -> float:
    """Check 03-1: recall of seven labels."""
    from annlab.distances import pairwise_sq

    X = np.array([0.0, 1.0, 2.0, 6.0, 7.0, 12.0, 14.0])[:, None]
    nearest = pairwise_sq(X, np.array([[1.0], [6.0], [13.0]])).argmin(axis=1)
    return float(np.mean(nearest == [0, 0, 1, 1, 1, 1, 2]))


def write_recall(case: Case, answer: object) -> None:
    """Check 03-2: a function that measures recall."""
    from annlab.distances import pairwise_sq

    for n, k, share in ((60, 5, 0.3), (40, 7, 0.6)):
        X, centroids = case.rng.randn(n, 3), case.rng.randn(k, 3)
        nearest = pairwise_sq(X, centroids).argmin(axis=1)
        labels = np.where(case.rng.rand(n) < share, (nearest + 1) % k, nearest)
        owner = pairwise_sq(centroids, X).argmin(axis=1)
        # otherwise a reversed search might look perfect by chance
        labels[owner[0]] = 1
        truth = (labels == nearest).mean()
        case.compare(
            case.call(answer, X, labels, centroids),
            truth,
            {
                "compares_with_itself": 1.0,
                "count_not_share": (labels == nearest).sum(),
                "share_of_misses": 1 - truth,
                "index_over_samples": (labels[owner] == np.arange(k)).mean(),
            },
        )


def keep_closer(case: Case, answer: object) -> None:
    """Check 03-3: the line that makes any search safe."""
    from annlab.distances import paired_sq

    X, centroids = case.rng.randn(50, 2), case.rng.randn(6, 2)
    old, candidate = case.rng.randint(6, size=(2, 50))
    # two points lie exactly between their two centroids
    centroids[1] = -centroids[0]
    X[:2], old[:2], candidate[:2] = 0.0, 0, 1
    old_sq = paired_sq(X, centroids, old)
    new_sq = paired_sq(X, centroids, candidate)
    case.compare(
        case.call(answer, X, centroids, old, candidate),
        np.where(new_sq < old_sq, candidate, old),
        {
            "believes_the_index": candidate,
            "keeps_the_worse": np.where(new_sq > old_sq, candidate, old),
            "switches_on_ties": np.where(new_sq <= old_sq, candidate, old),
        },
    )


class _Diary(Recorder):
    """An exact index that records what it was fitted on."""

    def __init__(self) -> None:
        self.fitted: list[np.ndarray] = []

    def fit(self, X: ArrayLike) -> _Diary:
        self.fitted.append(np.array(X))
        return self

    def kneighbors(self, Q: ArrayLike, n_neighbors: int = 1) -> tuple[np.ndarray, np.ndarray]:
        from annlab.distances import k_nearest

        if not self.fitted:
            raise RuntimeError("the index was asked before it was fitted")
        return k_nearest(np.asarray(Q), self.fitted[-1], n_neighbors)


def loop_with_index(case: Case, answer: object) -> None:
    """Check 03-4: the loop, with an index over the centroids."""
    from annlab.datasets import make_uniform_cube
    from annlab.lloyd import kmeans

    # without groups, so that every iteration moves the centroids
    X, n_iter = make_uniform_cube(200, 2, random_state=case.seed, dtype=np.float64), 3
    start = X[:4]
    trace = kmeans(X, 4, init=start, max_iter=n_iter, tol=0, trace=True).trace
    index = _Diary()
    got = case.call(answer, X, start, index, n_iter)
    if not index.fitted:
        raise case.wrong("no_index")
    if any(len(fitted) == len(X) for fitted in index.fitted):
        raise case.wrong("index_over_samples")
    got = case.array(got, start.shape)
    if len(index.fitted) == 1 or all(np.array_equal(index.fitted[0], f) for f in index.fitted):
        raise case.wrong("stale_index")
    # the last step of a trace has no move after it
    moved = [cluster_means(X, step.labels, start) for step in trace[:n_iter]]
    case.compare(got, moved[-1], {"off_by_one": moved[-2]}, rtol=1e-6)


EXERCISES, QUESTIONS, SHEET, LESSON = load(
    3, [recall_by_hand, write_recall, keep_closer, loop_with_index]
)

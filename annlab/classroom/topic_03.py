"""Topic 3, k-means with approximate search: checks, quiz, sheet and notes for the teacher."""

from __future__ import annotations

from typing import Any

import numpy as np

from annlab.classroom._base import (
    Case,
    Exercise,
    Idea,
    Lesson,
    Mistake,
    Question,
    Sheet,
    Wrong,
    claimed,
)

# -- checks --------------------------------------------------------------------------------------


def count_recall(case: Case, answer: Any) -> str:
    """03-1: recall of seven labels, by hand."""
    from annlab.distances import pairwise_sq

    X = np.array([0.0, 1.0, 2.0, 6.0, 7.0, 12.0, 14.0])[:, None]
    labels = np.array([0, 0, 1, 1, 1, 1, 2])
    hits = labels == pairwise_sq(X, np.array([[1.0], [6.0], [13.0]])).argmin(axis=1)
    case.compare(
        answer,
        hits.mean(),
        [
            Mistake(
                "count_not_share",
                hits.sum(),
                "That is the number of right labels. Recall is a share, from 0 to 1.",
            ),
            Mistake("share_of_misses", 1 - hits.mean(), "That is the share of wrong labels."),
            Mistake(
                "share_of_centroids",
                2 / 3,
                "You divide by the number of centroids. Every point is a question put to the "
                "index: the share is one of points.",
            ),
            Mistake("percent", 100 * hits.mean(), "In percent it is right; write it as a share."),
        ],
        "Find the true nearest centroid of each point, and count the labels that name it.",
    )
    return "Recall is the share of points whose label is the true nearest centroid."


def write_recall(case: Case, answer: Any) -> str:
    """03-2: a function that measures recall."""
    from annlab.distances import pairwise_sq

    for n, k, share in ((60, 5, 0.3), (40, 7, 0.6)):
        X, centroids = case.rng.randn(n, 3), case.rng.randn(k, 3)
        nearest = pairwise_sq(X, centroids).argmin(axis=1)
        labels = np.where(case.rng.rand(n) < share, (nearest + 1) % k, nearest)
        owner = pairwise_sq(centroids, X).argmin(axis=1)
        # or a search turned round might look perfect by chance
        labels[owner[0]] = 1
        truth = (labels == nearest).mean()
        got = case.call(answer, X, labels, centroids)
        case.compare(
            got,
            truth,
            [
                Mistake(
                    "compares_with_itself",
                    1.0,
                    "It returns 1 for labels that are partly wrong. What are they compared with? "
                    "The truth has to come from an exact search.",
                ),
                Mistake(
                    "count_not_share",
                    (labels == nearest).sum(),
                    "It returns the number of right labels. Recall is a share, from 0 to 1.",
                ),
                Mistake("share_of_misses", 1 - truth, "It returns the share of wrong labels."),
                Mistake(
                    "index_over_samples",
                    (labels[owner] == np.arange(k)).mean(),
                    "It asks for the nearest point of each centroid. It is the other way round: "
                    "the centroids are searched, and every point is a question.",
                ),
            ],
            "It is not the share of points whose label is their nearest centroid.",
            what="What your function returns",
        )
    return "Your function agrees with an exact search."


def keep_closer(case: Case, answer: Any) -> str:
    """03-3: the line that makes any search safe."""
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
        [
            Mistake(
                "believes_the_index",
                candidate,
                "It takes every candidate. A rough index may propose a centroid that is farther "
                "away than the old one, and then inertia rises.",
            ),
            Mistake(
                "keeps_the_worse",
                np.where(new_sq > old_sq, candidate, old),
                "It keeps the farther of the two: the comparison is turned round.",
            ),
            Mistake(
                "switches_on_ties",
                np.where(new_sq <= old_sq, candidate, old),
                "Two centroids at the same distance: keep the old label then. A loop that stops "
                "when no label changes may otherwise go to and fro for ever.",
            ),
            Mistake("never_changes", old, "It always keeps the old label."),
        ],
        "Compare, for each point, its distance to the old centroid with that to the candidate.",
        what="What your function returns",
    )
    return "A wrong answer of the index can now cost a chance, but never make things worse."


class _Diary:
    """An exact index that notes what it was fitted on."""

    def __init__(self) -> None:
        self.fitted: list[np.ndarray] = []

    def __deepcopy__(self, memo: Any) -> _Diary:
        # the check hands out copies, and wants to read this one
        return self

    def fit(self, X: Any) -> _Diary:
        self.fitted.append(np.array(X))
        return self

    def kneighbors(self, Q: Any, n_neighbors: int = 1) -> tuple[np.ndarray, np.ndarray]:
        from annlab.distances import k_nearest

        if not self.fitted:
            raise RuntimeError("the index was asked before it was fitted")
        return k_nearest(np.asarray(Q), self.fitted[-1], n_neighbors)


def loop_with_index(case: Case, answer: Any) -> str:
    """03-4: the loop, with an index over the centroids."""
    from annlab.datasets import make_uniform_cube
    from annlab.lloyd import kmeans

    # without groups, so that every iteration moves the centroids
    X, n_iter = make_uniform_cube(200, 2, random_state=case.seed, dtype=np.float64), 3
    start = X[:4]
    trace = kmeans(X, 4, init=start, max_iter=n_iter, tol=0, trace=True).trace
    index = _Diary()
    got = case.call(answer, X, start, index, n_iter)
    if not index.fitted:
        raise Wrong("no_index", "It never fits the index that it is given.")
    if any(len(fitted) == len(X) for fitted in index.fitted):
        raise Wrong(
            "index_over_samples",
            "The index is fitted on the points. It must hold the centroids: they are searched, "
            "and every point is a question.",
        )
    got = case.array(got, start.shape, "What your function returns")
    if len(index.fitted) == 1 or all(np.array_equal(index.fitted[0], f) for f in index.fitted):
        raise Wrong(
            "stale_index",
            "The index is fitted once, on the first centroids. They move in every iteration; an "
            "index that does not know that answers with places where no centroid is any more.",
        )
    # the last step of a trace has no move after it
    moved = [
        np.array([X[step.labels == j].mean(axis=0) for j in range(4)]) for step in trace[:n_iter]
    ]
    case.compare(
        got,
        moved[-1],
        [
            Mistake(
                "off_by_one",
                moved[-2],
                "Those are the centroids of one iteration too few. Does range begin at 1, or are "
                "the centroids returned before the last move?",
            ),
        ],
        "The index is used well, but the centroids are not the means of their points.",
        what="What your function returns",
        rtol=1e-6,
    )
    return "One line of Lloyd's loop is replaced, and nothing else."


def why_finished_is_not_right(case: Case, answer: Any) -> str:
    """03-5: free text."""
    case.explain(
        answer,
        ideas=[
            Idea(
                "missing_repeat",
                r"same|again|repeat|determin|identical|(each|every) time|unchang|(not|n't) change"
                r"|no label",
                "What does the index answer if it is asked the same question once more?",
            ),
            Idea(
                "missing_miss",
                r"wrong|miss|not (the |its |their |really )*(near|clos)|approximat|recall|mistake"
                r"|error|incorrect|false",
                "Say what is not in order with the labels at that moment.",
            ),
        ],
        claims=[
            Idea(
                "believes_exact",
                claimed(
                    r"\b(all|every)\b[^.]{0,40}\blabels?[^.]{0,25}\b(are|is) (right|correct|exact)",
                    before=True,
                )
                + r"|must be (right|correct|exact)|recall (is|must be|equals) (1\b|one|100)",
                "You say that the labels must be right. Look at the rings in the last frame of the "
                "step explorer: the run is over, and some points are ringed.",
            ),
            Idea(
                "blames_max_iter",
                r"(max_iter|too few iterations|more iterations (would|will))",
                "More iterations would not help here: the run stops because no label changes.",
            ),
        ],
    )
    return "Finished does not mean right. (Your teacher may want to read it, too.)"


EXERCISES = (
    Exercise(
        "03-1",
        "Recall by hand",
        "recall",
        1,
        "recall_by_hand",
        "value",
        "For each point, which of 1, 6 and 13 is nearest? Compare with its label.",
        count_recall,
    ),
    Exercise(
        "03-2",
        "Measure recall",
        "apply",
        2,
        "recall",
        "function",
        'make_index("brute").fit(centroids) answers exactly; ask it about every point.',
        write_recall,
    ),
    Exercise(
        "03-3",
        "Never trust blindly",
        "apply",
        2,
        "keep_closer",
        "function",
        "np.where takes three arrays: a condition, and what to take where it holds and where not.",
        keep_closer,
    ),
    Exercise(
        "03-4",
        "Replace one line",
        "analyse",
        3,
        "kmeans_with_index",
        "function",
        "Which line of Lloyd's loop asks for the nearest centroid? What has changed since the "
        "index was fitted last?",
        loop_with_index,
    ),
    Exercise(
        "03-5",
        "Finished and wrong",
        "analyse",
        2,
        "why_finished",
        "text",
        "Follow one ringed point in the step explorer through the last two iterations.",
        why_finished_is_not_right,
    ),
)

# -- quiz ----------------------------------------------------------------------------------------

QUESTIONS = (
    Question(
        "What does the index inside k-means hold?",
        ("the points", "the centroids", "the labels", "points and centroids"),
        "B",
        "The centroids are searched, and every point is a question put to the index. So an index "
        "saves over the number of centroids.",
    ),
    Question(
        "The deck replaces the search by a ball tree. What happens to the labels?",
        ("nothing, they are Lloyd's", "a few differ", "most differ"),
        "A",
        "A ball tree skips only what it can prove to be farther away: it is exact.",
    ),
    Question(
        "A run with a rough index has ended, because no label changes. Are all labels right?",
        ("yes", "no, not necessarily", "only with k-means++"),
        "B",
        "Asked the same question, the index gives the same wrong answer. Recall tells, the end of "
        "the run does not.",
    ),
    Question(
        "Two runs have nearly the same inertia, and 14% of their labels differ. What now?",
        ("one of them is broken", "both may be good", "average the labels"),
        "B",
        "k-means has many nearly equally good answers. Compare runs by inertia, not by labels.",
    ),
    Question(
        "A cluster loses all its points. What is the mean of no rows?",
        ("zero", "the old centroid", "not a number"),
        "C",
        "Zero divided by zero is NaN, and the next search breaks. Re-seed the cluster instead.",
    ),
)

# -- sheet ---------------------------------------------------------------------------------------


def draw_sheet(figure: Any) -> None:
    """Two frames of the same run: exact on the left, with misses ringed on the right."""
    from annlab.datasets import make_blobs
    from annlab.distances import pairwise_sq
    from annlab.lloyd import kmeans_ann
    from annlab.widgets._look import frame_limits, plane, scatter_centroids, scatter_clusters

    X = make_blobs(240, 8, separation=5, random_state=3, dtype=np.float64).X
    start = X[np.random.RandomState(3).choice(len(X), 8, replace=False)]
    rough = {"n_tables": 1, "n_hashes": 2, "n_probes": 1, "random_state": 0}
    given: dict[str, Any] = {"init": start, "max_iter": 3, "tol": 0, "trace": True}
    runs = {
        "exact search": kmeans_ann(X, 8, algorithm="brute", **given),
        "rough index, misses ringed": kmeans_ann(
            X, 8, algorithm="lsh", algorithm_params=rough, **given
        ),
    }
    limits = frame_limits(X)
    for axes, (title, run) in zip(figure.subplots(1, 2), runs.items(), strict=True):
        step = run.trace[1]
        plane(axes, limits, title)
        scatter_clusters(axes, X, step.labels, size=14)
        scatter_centroids(axes, step.centroids)
        missed = step.labels != pairwise_sq(X, step.centroids).argmin(axis=1)
        axes.scatter(*X[missed].T, s=70, facecolors="none", edgecolors="#D55E00", linewidths=1.2)


SHEET = Sheet(
    draw=draw_sheet,
    caption="Same points, same start, second iteration. Ringed points got a centroid that is not "
    "their nearest.",
    formula=r"$\mathrm{recall} = \frac{1}{n} \sum_{i=1}^{n} "
    r"\left[\, \ell_i = \mathrm{arg\,min}_j \, \| x_i - c_j \| \,\right]$",
    reading="The share of points whose label is the true nearest centroid.",
    code="""\
from annlab import datasets, kmeans, kmeans_ann
X = datasets.load_patches(5000, 8, random_state=0)
exact = kmeans(X, 64, random_state=0)
nearly = kmeans_ann(X, 64, algorithm="lsh", random_state=0)
print(nearly.inertia / exact.inertia, nearly.n_distances / exact.n_distances)""",
    misconception="The run has converged, so the labels are right.",
    truth="No label changes any more because the index repeats its answers, the wrong ones too. "
    "Judge a run by inertia, recall and work.",
)

# -- notes for the teacher -----------------------------------------------------------------------

LESSON = Lesson(
    minutes=45,
    exercise_minutes=45,
    aims=(
        "point at the one line of k-means that an index replaces",
        "measure recall, inertia and work of an approximate run",
        "make the code of the deck fail with an empty cluster, and mend it",
    ),
    prerequisites="topic 1, or k-means from elsewhere; NumPy's masks and means",
    misconceptions=(
        ("The index holds the points.", "03-4"),
        ("An index may be built once and used in every iteration.", "03-4"),
        ("An answer of the index can be taken as it is.", "03-3"),
        ("A run that has converged has the right labels.", "03-5"),
    ),
    lecture="Show the step explorer without a word and let the class say what the rings are. Take "
    "the vote on question 3 of the quiz before the last frame, and again after it.",
)

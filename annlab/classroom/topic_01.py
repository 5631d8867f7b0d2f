"""Topic 1, introduction to k-means: checks, quiz, sheet and notes for the teacher."""

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
    claimed,
)

# -- checks --------------------------------------------------------------------------------------


def run_with_a_pencil(case: Case, answer: Any) -> str:
    """01-1: the inertia at the end, five points on a line."""
    from annlab.lloyd import kmeans

    X, start = np.array([[0.0], [2.0], [3.0], [11.0], [13.0]]), np.array([[0.0], [2.0]])
    end = kmeans(X, 2, init=start, tol=0)
    first = kmeans(X, 2, init=start, tol=0, max_iter=1)
    gap = np.abs(X - end.centroids[end.labels])
    labels = np.abs(X - start.T).argmin(axis=1)
    moved = np.array([X[labels == j].mean() for j in (0, 1)])
    case.compare(
        answer,
        end.inertia,
        [
            Mistake(
                "not_squared",
                gap.sum(),
                "That is the sum of the plain distances. Inertia adds their squares.",
            ),
            Mistake(
                "first_assignment",
                float(np.abs(X - start.T).min(axis=1) @ np.abs(X - start.T).min(axis=1)),
                "That is the inertia of the start, before any centroid has moved.",
            ),
            Mistake(
                "stopped_early",
                float(((X[:, 0] - moved[labels]) ** 2).sum()),
                "That is the inertia after the first move. Assign again: a point changes sides.",
            ),
            Mistake("stopped_early", first.inertia, "One more round: are the labels still right?"),
            Mistake(
                "mean_not_sum",
                end.inertia / len(X),
                "That is the mean of the squared distances. Inertia is their sum.",
            ),
        ],
        "Let both steps run until nothing moves any more, then add the squared distances.",
        what="The inertia",
    )
    return "Assign, move, assign, move: and then nothing changes."


def assign_points(case: Case, answer: Any) -> str:
    """01-2: labels of the nearest centroids."""
    from annlab.distances import pairwise_sq

    X, centroids = case.rng.randn(40, 3), case.rng.randn(6, 3)
    distances_sq = pairwise_sq(X, centroids)
    truth = distances_sq.argmin(axis=1)
    case.compare(
        case.call(answer, X, centroids),
        truth,
        [
            Mistake(
                "index_over_samples",
                distances_sq.argmin(axis=0),
                "It returns the nearest point of each centroid: one number for each of the k "
                "centroids. Every point needs a label; over which axis does argmin run?",
            ),
            Mistake(
                "off_by_one",
                truth + 1,
                "The labels are one too large: rows are counted from 0.",
            ),
            Mistake(
                "farthest",
                distances_sq.argmax(axis=1),
                "It finds the farthest centroid of each point.",
            ),
            Mistake(
                "distances_not_labels",
                np.sqrt(distances_sq.min(axis=1)),
                "Those are the distances. A label is the row number of the nearest centroid.",
            ),
        ],
        "Some points get a centroid that is not their nearest.",
        what="What your function returns",
    )
    return "Every point has its nearest centroid."


def move_centroids(case: Case, answer: Any) -> str:
    """01-3: means, and the empty cluster."""
    X = case.rng.randn(30, 2) + 5.0
    labels, centroids = case.rng.randint(3, size=30), case.rng.randn(5, 2)
    # cluster 3 is left empty, in the middle
    labels[:4] = 4
    used = np.unique(labels)
    truth, sums, medians = centroids.copy(), np.zeros_like(centroids), centroids.copy()
    for j in used:
        truth[j] = X[labels == j].mean(axis=0)
        sums[j] = X[labels == j].sum(axis=0)
        medians[j] = np.median(X[labels == j], axis=0)
    hole, origin = truth.copy(), truth.copy()
    hole[3], origin[3] = np.nan, 0.0
    case.compare(
        case.call(answer, X, labels, centroids),
        truth,
        [
            Mistake(
                "empty_cluster_nan",
                hole,
                "One cluster has no points, and its centroid became NaN: the mean of no rows is "
                "zero divided by zero. Let that centroid stay where it is.",
            ),
            Mistake(
                "empty_cluster_dropped",
                truth[used],
                "A cluster without points has vanished, and the labels of those behind it are "
                "wrong from now on. Let its centroid stay where it is.",
            ),
            Mistake(
                "empty_cluster_zero",
                origin,
                "The centroid of the empty cluster jumps to the origin. Let it stay where it is.",
            ),
            Mistake("median_not_mean", medians, "Those are medians. k-means takes the mean."),
            Mistake(
                "sum_not_mean", sums, "Those are sums: divide by the number of points in each."
            ),
        ],
        "The centroids are not the means of their points.",
        what="What your function returns",
    )
    return "Means for the clusters that have points, and no NaN for the one that has none."


def measure_inertia(case: Case, answer: Any) -> str:
    """01-4: inertia of any labels."""
    from annlab.distances import paired_sq

    X, centroids = case.rng.randn(50, 4), case.rng.randn(6, 4)
    labels = case.rng.randint(6, size=50)
    squares = paired_sq(X, centroids, labels)
    nearest = ((X[:, None] - centroids) ** 2).sum(axis=2).min(axis=1)
    case.compare(
        case.call(answer, X, labels, centroids),
        squares.sum(),
        [
            Mistake(
                "not_squared",
                np.sqrt(squares).sum(),
                "It adds plain distances. Inertia adds squared distances: no root.",
            ),
            Mistake(
                "mean_not_sum", squares.mean(), "It returns a mean. Inertia is a sum over points."
            ),
            Mistake(
                "ignores_labels",
                nearest.sum(),
                "It takes the nearest centroid of each point and not the one that its label names. "
                "Labels may be out of date; inertia must show it.",
            ),
            Mistake(
                "root_of_sum", np.sqrt(squares.sum()), "There is a root too many around the sum."
            ),
        ],
        "It is not the sum of squared distances between points and the centroids of their labels.",
        what="What your function returns",
    )
    return "That is what k-means makes small."


def why_it_may_not_be_best(case: Case, answer: Any) -> str:
    """01-5: free text."""
    case.explain(
        answer,
        ideas=[
            Idea(
                "missing_local",
                r"local|stuck|no (single )?step|each step|nearest centroid|(cannot|can't|does not"
                r"|doesn't|never) (jump|cross|move|change|leave)|nothing (changes|moves)",
                "Why does k-means not walk on from the bad end to the good one? What does it look "
                "at in each step?",
            ),
            Idea(
                "missing_start",
                r"start|begin|init|seed|\+\+|first centroids|n_init|several (runs|tries)|again",
                "What decides which of the two ends a run comes to?",
            ),
        ],
        claims=[
            Idea(
                "blames_convergence",
                r"not (yet )?(converged|finished)|(needs?|too few|run for) (some |many )?(more )?"
                r"iterations|" + claimed("max_iter", before=True),
                "Both runs have come to their end: more iterations change nothing.",
            ),
            Idea(
                "believes_global",
                r"always (finds|reaches|gives|returns) the (best|optim|smallest|lowest|global)"
                r"|(same|one) (end|answer|result) from (every|any|each)",
                "You say that k-means finds the best clusters. Look at the two numbers: both runs "
                "were k-means.",
            ),
        ],
    )
    return "A local optimum, chosen by the start. (Your teacher may want to read it, too.)"


EXERCISES = (
    Exercise(
        "01-1",
        "k-means with a pencil",
        "recall",
        1,
        "inertia_by_hand",
        "value",
        "Only one point ever changes sides. After each move, ask of every point which centroid "
        "is nearer.",
        run_with_a_pencil,
    ),
    Exercise(
        "01-2",
        "Assign",
        "apply",
        2,
        "assign",
        "function",
        "X[:, None] - centroids has the shape (n, k, d). What is left when you square it and sum "
        "over the last axis?",
        assign_points,
    ),
    Exercise(
        "01-3",
        "Move, and mind the empty cluster",
        "apply",
        2,
        "move",
        "function",
        "Begin with a copy of the centroids and overwrite only those whose cluster has points.",
        move_centroids,
    ),
    Exercise(
        "01-4",
        "Measure inertia",
        "apply",
        2,
        "inertia",
        "function",
        "centroids[labels] has one row for each point.",
        measure_inertia,
    ),
    Exercise(
        "01-5",
        "Two ends",
        "analyse",
        2,
        "why_two_ends",
        "text",
        "Play the worst of 100 starts on the canvas of the notebook: why does no centroid cross "
        "the gap?",
        why_it_may_not_be_best,
    ),
)

# -- quiz ----------------------------------------------------------------------------------------

QUESTIONS = (
    Question(
        "What does one iteration of k-means do?",
        (
            "assign points, then move centroids",
            "merge the two nearest clusters",
            "draw new random centroids",
            "remove the worst point",
        ),
        "A",
        "Every point goes to its nearest centroid, and every centroid to the mean of its points.",
    ),
    Question(
        "n, k and d are all doubled. How does the work of one iteration grow?",
        ("2 times", "4 times", "6 times", "8 times"),
        "D",
        "An iteration compares n points with k centroids over d features: 2 times 2 times 2.",
    ),
    Question(
        "Two people run k-means on the same data and get different clusters. Who made a mistake?",
        ("one of them", "both", "perhaps nobody"),
        "C",
        "The start decides at which local optimum a run ends. Compare their inertia.",
    ),
    Question(
        "Inertia goes up from one iteration to the next, in exact k-means. What do you think?",
        ("it happens", "there is a bug", "k is too large"),
        "B",
        "Neither half can raise it: the nearest centroid is nearest, and the mean has the smallest "
        "sum of squares.",
    ),
    Question(
        "k-means with k=5 is run on points without any groups. What does it return?",
        ("an error", "one cluster", "five clusters"),
        "C",
        "It always answers. Whether the answer means anything is another question.",
    ),
)

# -- sheet ---------------------------------------------------------------------------------------


def draw_sheet(figure: Any) -> None:
    """Show three moments of one run, from a bad start."""
    from annlab.datasets import make_blobs
    from annlab.lloyd import kmeans
    from annlab.widgets._look import frame_limits, plane, scatter_centroids, scatter_clusters, three

    X = make_blobs(150, 3, separation=6, random_state=4, dtype=np.float64).X
    trace = kmeans(X, 3, init=X[[0, 1, 2]], tol=0, trace=True).trace
    limits = frame_limits(X)
    for axes, number in zip(figure.subplots(1, 3), (0, 1, len(trace) - 1), strict=True):
        step = trace[number]
        plane(axes, limits, f"iteration {number + 1}: inertia {three(step.inertia)}")
        scatter_clusters(axes, X, step.labels, size=14)
        scatter_centroids(axes, step.centroids)


SHEET = Sheet(
    draw=draw_sheet,
    caption="Each point has the colour of its nearest centroid; then each centroid moves to the "
    "mean of its points.",
    formula=r"$J = \sum_{i=1}^{n} \| x_i - c_{\ell_i} \|^2$",
    reading="Inertia: the squared distance of every point to the centroid of its cluster, summed.",
    code="""\
import numpy as np
def step(X, centroids):
    labels = ((X[:, None] - centroids) ** 2).sum(axis=2).argmin(axis=1)
    return np.array([X[labels == j].mean(axis=0) for j in range(len(centroids))])
print(step(np.array([[0.0], [1.0], [5.0]]), np.array([[0.0], [4.0]])))""",
    misconception="k-means finds the best clusters.",
    truth="It finds an end that no single step improves. The start decides which one: start well "
    "(k-means++), start several times, and keep the lowest inertia.",
)

# -- notes for the teacher -----------------------------------------------------------------------

LESSON = Lesson(
    minutes=40,
    exercise_minutes=40,
    aims=(
        "run k-means with a pencil, and write it in a dozen lines",
        "explain why two runs on the same data may differ",
        "say what an iteration costs, from n, k and d",
    ),
    prerequisites="Python, arrays and means in NumPy, the distance between two points",
    misconceptions=(
        ("Inertia is the sum of distances.", "01-1"),
        ("Every cluster has points.", "01-3"),
        ("k-means finds the best clusters.", "01-5"),
        ("A run that disappoints needs more iterations.", "01-5"),
    ),
    lecture="Let the class put five centroids on the canvas as badly as they can, then press Step "
    "together. Ask question 4 of the quiz before anybody has seen a curve of the inertia.",
)

"""Topic 11, evaluating quality: checks, quiz, sheet and notes for the teacher."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np

from annlab.classroom._base import (
    NEGATION,
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


def silhouette_by_hand(case: Case, answer: Any) -> str:
    """11-1: the silhouette of one point among seven."""
    from sklearn.metrics import silhouette_samples

    X = np.array([0.0, 9.0, 10.0, 11.0, 13.0, 20.0, 22.0])
    labels = np.array([0, 0, 0, 1, 1, 2, 2])
    own, other, far = (np.abs(X[labels == j] - 9.0) for j in range(3))
    centres = [abs(X[labels == j].mean() - 9.0) for j in range(3)]
    mates = own[own > 0]

    def value(a: float, b: float) -> float:
        return (b - a) / max(a, b)

    truth = silhouette_samples(X[:, None], labels)[1]
    a, b = mates.mean(), other.mean()
    case.compare(
        answer,
        truth,
        [
            Mistake(
                "counts_itself",
                value(own.mean(), b),
                "You count the point among its own mates: its distance to itself is 0 and makes a "
                "too small. Only the others of its cluster count.",
            ),
            Mistake(
                "sign_turned",
                -truth,
                "The sign is turned round. Is the point nearer to its own cluster or to the next? "
                "A point that would feel more at home next door is below 0.",
            ),
            Mistake(
                "not_divided",
                b - a,
                "That is the difference. A silhouette lies between -1 and 1: divide it.",
            ),
            Mistake(
                "divides_by_smaller",
                (b - a) / min(a, b),
                "You divide by the smaller of the two. Divide by the larger.",
            ),
            Mistake("divides_by_smaller", (b - a) / (a + b), "You divide by the sum."),
            Mistake(
                "nearest_not_mean",
                value(mates.min(), other.min()),
                "You take the nearest point of each cluster. A silhouette takes mean distances.",
            ),
            Mistake(
                "to_centroids",
                value(centres[0], centres[1]),
                "You measure to the middles of the clusters. Measure to their points, and "
                "take the mean.",
            ),
            Mistake(
                "squared_distances",
                value((mates**2).mean(), (other**2).mean()),
                "You square the distances. That is inertia's habit; here they are plain.",
            ),
            Mistake(
                "all_others",
                value(a, np.concatenate([other, far]).mean()),
                "You put the other clusters together. Take each by itself; the smallest mean is b.",
            ),
            Mistake(
                "all_others", value(a, far.mean()), "You take the farther of the two clusters."
            ),
            Mistake(
                "mean_of_all",
                silhouette_samples(X[:, None], labels).mean(),
                "That is the mean of all seven. Asked is the point at 9.",
            ),
        ],
        "Write down three mean distances: to its two mates, to the second cluster, to the third.",
        what="The silhouette",
    )
    return "Below zero: this point would feel more at home next door."


def write_rand_index(case: Case, answer: Any) -> str:
    """11-2: the Rand index, before it is adjusted."""
    from sklearn.metrics import adjusted_rand_score, rand_score

    for n, k in ((30, 3), (24, 5)):
        truth = case.rng.randint(k, size=n)
        # the same names for other groups, a gap in the numbers, and a third of all points astray
        labels = np.where(case.rng.rand(n) < 0.35, case.rng.randint(k, size=n), (truth + 1) % k)
        labels[labels == k - 1] = 8
        right = rand_score(truth, labels)
        pairs = n * (n - 1) / 2
        ours, theirs = (np.equal.outer(one, one) for one in (labels, truth))
        both = (ours & theirs).sum() - n
        either = (ours | theirs).sum() - n
        case.compare(
            case.call(answer, labels, truth),
            right,
            [
                Mistake(
                    "compares_names",
                    (labels == truth).mean(),
                    "It compares the labels point by point. The names of clusters mean nothing: "
                    "0 here may be 2 there. Compare pairs of points.",
                ),
                Mistake(
                    "counts_itself",
                    (ours == theirs).mean(),
                    "It also pairs every point with itself, and such a pair always agrees. A pair "
                    "has two different points.",
                ),
                Mistake(
                    "only_together",
                    both / (2 * pairs),
                    "It counts the pairs that are together in both. Pairs that are apart in both "
                    "agree as well.",
                ),
                Mistake(
                    "only_together",
                    both / either,
                    "It leaves out the pairs that are apart in both. They agree as well.",
                ),
                Mistake(
                    "count_not_share",
                    right * pairs,
                    "It returns the number of pairs. Asked is their share, from 0 to 1.",
                ),
                Mistake("count_not_share", 2 * right * pairs, "It returns a number, not a share."),
                Mistake("count_not_share", right * pairs / n, "Divide by the number of pairs."),
                Mistake(
                    "share_of_misses", 1 - right, "It returns the share on which they disagree."
                ),
                Mistake(
                    "adjusted",
                    adjusted_rand_score(truth, labels),
                    "That is the adjusted index: chance is taken off. Asked is the plain share.",
                ),
            ],
            "It is not the share of pairs on which the two labellings agree.",
            what="What your function returns",
        )
    return "Together in both or apart in both: the names of the clusters play no part."


def sampled_silhouettes(case: Case, answer: Any) -> str:
    """11-3: silhouettes of some rows, each against all points."""
    from sklearn.metrics import silhouette_samples

    from annlab.distances import pairwise_sq

    groups = [case.rng.randn(12, 2) + middle for middle in ([0, 0], [3, 0], [0, 3])]
    X = np.vstack([*groups, [[-6.0, 5.0]]])
    labels = np.concatenate([np.repeat([0, 1, 2], 12), [3]])
    order = case.rng.permutation(37)
    X, labels = X[order], labels[order]
    lonely = int(np.flatnonzero(labels == 3)[0])
    some = np.concatenate([np.flatnonzero(labels == j)[:4] for j in range(3)] + [[lonely]])
    rows = case.rng.permutation(some)
    alone = rows == lonely

    everything = np.arange(37)
    gaps = np.sqrt(pairwise_sq(X, X))
    np.fill_diagonal(gaps, 0.0)
    truth = silhouette_samples(X, labels)
    in_cluster = np.equal.outer(labels, np.arange(4))
    sizes = in_cluster.sum(axis=0)

    def ingredients(D: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Mean distance to the mates, the same with oneself, and to each other cluster."""
        sums = D @ in_cluster
        own = sums[everything, labels]
        others = np.where(in_cluster, np.nan, sums / sizes)
        return own / np.maximum(sizes[labels] - 1, 1), own / sizes[labels], others

    def value(a: np.ndarray, b: np.ndarray, for_lonely: float = 0.0) -> np.ndarray:
        s = (b - a) / np.maximum(a, b)
        return np.where(labels == 3, for_lonely, s)[rows]

    a, with_itself, others = ingredients(gaps)
    b = np.nanmin(others, axis=1)
    a_sq, _, others_sq = ingredients(gaps**2)
    together = (gaps * ~in_cluster[:, labels]).sum(axis=1) / (37 - sizes[labels])
    middles = np.array([X[labels == j].mean(axis=0) for j in range(4)])
    to_middles = np.sqrt(pairwise_sq(X, middles))
    to_others = np.where(in_cluster, np.inf, to_middles).min(axis=1)
    itself = (
        "A point is counted among its own mates, at distance 0. Only the others of its cluster "
        "count."
    )
    case.compare(
        case.call(answer, X, labels, rows),
        truth[rows],
        [
            Mistake(
                "sample_against_itself",
                silhouette_samples(X[rows], labels[rows]),
                "It compares the sample with itself. Each row of the sample is compared with all "
                "points, or the score is biased.",
            ),
            Mistake("counts_itself", value(with_itself, b), itself),
            Mistake("counts_itself", value(with_itself, b, 1.0), itself),
            Mistake(
                "empty_cluster_nan",
                np.where(alone, np.nan, truth[rows]),
                "All is right but for a point that is alone in its cluster: it has no mates, and "
                "the mean of no distances is NaN. Its silhouette is 0.",
            ),
            Mistake(
                "lonely_point_perfect",
                np.where(alone, 1.0, truth[rows]),
                "All is right but for a point that is alone in its cluster. It has no mates, so "
                "that nothing can be said of it: its silhouette is 0, not 1.",
            ),
            Mistake(
                "squared_distances",
                value(a_sq, np.nanmin(others_sq, axis=1)),
                "It takes squared distances. A silhouette takes plain ones: is a root missing?",
            ),
            Mistake(
                "all_others",
                value(a, together),
                "It puts all other clusters together. Take the mean for each of them, then the "
                "smallest.",
            ),
            Mistake(
                "farthest_cluster",
                value(a, np.nanmax(others, axis=1)),
                "It compares with the farthest cluster. The rival is the nearest one.",
            ),
            Mistake("sign_turned", -truth[rows], "The signs are turned round."),
            Mistake(
                "to_centroids",
                value(to_middles[everything, labels], to_others),
                "It measures to the middles of the clusters. A silhouette takes the mean of the "
                "distances to their points.",
            ),
            Mistake(
                "mean_not_values",
                truth[rows].mean(),
                "It returns the mean. Asked is one value for each of the rows.",
            ),
            Mistake(
                "all_rows",
                truth,
                "It returns a value for every point. Asked are those in rows, in their order.",
            ),
        ],
        "Some silhouettes are not right. Take one point and work it out on paper.",
        what="What your function returns",
    )
    return "A sample of the points, each compared with all: honest, and much cheaper."


class _Witness:
    """Cluster and score for the shuffled twin, noting what they are given."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values
        self.scored: list[tuple[np.ndarray, np.ndarray]] = []

    def __deepcopy__(self, memo: Any) -> _Witness:
        # the check hands out copies, and wants to read this one
        return self

    @staticmethod
    def labels(X: Any) -> np.ndarray:
        return np.argmax(np.asarray(X) / np.array([1.0, 2.0, 3.0]), axis=1)

    def score(self, X: Any, labels: Any) -> float:
        self.scored.append((np.array(X, dtype=float), np.array(labels)))
        # a number of its own for every call tells which call was returned
        return float(self.values[len(self.scored) - 1])


def shuffled_twin(case: Case, answer: Any) -> str:
    """11-4: the score of the same columns without their groups."""
    # no number occurs twice, and every column has numbers of its own
    X = case.rng.permutation(120).reshape(40, 3) + np.array([0.0, 0.25, 0.5])
    X[:, 1] *= 2
    X[:, 2] *= 3

    def twin(seed: int) -> np.ndarray:
        witness = _Witness(case.rng.rand(100))
        value = case.number(
            case.call(answer, X, witness.labels, witness.score, seed),
            "What your function returns",
        )
        calls = np.flatnonzero(np.isclose(witness.values[: len(witness.scored)], value))
        if not len(witness.scored):
            raise Wrong("no_score", "It never calls score.")
        if not len(calls):
            raise Wrong("different", "It does not return what score says of the shuffled data.")
        data, labels = witness.scored[calls[0]]
        _look_at_twin(X, data)
        if np.array_equal(labels, witness.labels(data)):
            return data
        if np.array_equal(labels, witness.labels(X)):
            raise Wrong(
                "stale_labels",
                "The shuffled data are scored with the labels of the real ones. What k-means makes "
                "of data without groups is the question: cluster them anew.",
            )
        raise Wrong("different", "score gets labels that cluster has not made of these data.")

    one, again, other = twin(3), twin(3), twin(4)
    if not np.array_equal(one, again) or np.array_equal(one, other):
        raise Wrong(
            "ignores_seed",
            "The same seed has to give the same shuffle, and another seed another one. Make a "
            "generator from the seed that you are given, once.",
        )
    return "Every column keeps its values, and what tied them together is gone."


def _look_at_twin(X: np.ndarray, data: np.ndarray) -> None:
    """Raise unless every column is shuffled by itself."""
    if data.shape != X.shape:
        raise Wrong("wrong_shape", "The data that score gets have another shape than X.")
    if np.array_equal(data, X):
        raise Wrong("not_shuffled", "It scores the data as they are. Where is the shuffle?")
    if not np.array_equal(np.sort(data, axis=0), np.sort(X, axis=0)):
        if np.array_equal(np.sort(data, axis=None), np.sort(X, axis=None)):
            raise Wrong(
                "mixes_columns",
                "Values wander from one column into another. Each column keeps its own values, in "
                "another order.",
            )
        raise Wrong(
            "draws_anew",
            "A column does not hold the same values as before. Shuffle it: no value may be lost, "
            "doubled or invented.",
        )

    def joined(i: int, j: int) -> bool:
        return set(zip(data[:, i], data[:, j], strict=True)) == set(
            zip(X[:, i], X[:, j], strict=True)
        )

    tied = [joined(i, j) for i, j in combinations(range(X.shape[1]), 2)]
    if all(tied):
        raise Wrong(
            "shuffles_rows",
            "All columns come in the same new order: whole rows have changed places, and the "
            "groups are all still there. Does each column get a shuffle of its own, from one "
            "generator that goes on?",
        )
    if any(tied):
        raise Wrong(
            "columns_still_joined",
            "Some columns still go together row by row. Shuffle each of them by itself.",
        )


def what_an_experiment_can_say(case: Case, answer: Any) -> str:
    """11-5: free text."""
    # what is doubted or ascribed to somebody is not claimed
    doubt = NEGATION + r"|\b(?:if|whether|though|any|every|conclu\w*|claim\w*|believe\w*)\b"
    case.explain(
        answer,
        ideas=[
            Idea(
                "missing_same",
                r"\bsame (label|centroid|cluster|run\b|thing|answer|result|assign)|identical|itself"
                r"|\bexact|already|by construction|nothing (is |was )?approximate|no approximat"
                r"|(not|n't|never) (really )?(an )?approximat|\bone run|(only|just) once"
                r"|(labels?|sets?|both|they)\b[^.]{0,30}\bthe same|both (methods|ways|searches)"
                r"|finished|equal|agree",
                "Where do the two sets of labels come from? How could they differ?",
            ),
            Idea(
                "missing_experiment",
                r"inside|during|(each|every) (iteration|step|turn)|in the loop|(second|two|another"
                r"|separate|own|whole|full|approximate|rough) (run|k-?means)|\bruns?\b.{0,40}"
                r"(approximat|rough|index|both|twice|lsh|hnsw)|(approximat|rough|lsh|hnsw).{0,40}"
                r"\bruns?\b|same (start|init)|kmeans_ann|from (the start|scratch)|again with"
                r"|while [^.]{0,20}(centroid|k-?means|iterat)",
                "And the second half of the question: what would have to be run beside the exact "
                "k-means, so that the scores could differ?",
            ),
        ],
        claims=[
            Idea(
                "believes_lossless",
                claimed(
                    r"(approximat\w*|index|tree|search)\b[^.,;:]{0,30}"
                    r"(\bcosts? (nothing|no)|\b(is|was) (free|harmless|lossless|good enough)"
                    r"|((does|did|do) not|doesn't|didn't|don't) "
                    r"(cost|affect|change|harm|hurt|reduce|lower|influence)"
                    r"|loses nothing|keeps the quality)"
                    r"(?![^.]*\b(wrong|false|unjustified|mistake))",
                    unless=doubt,
                    before=True,
                ),
                "You believe her. But would this experiment ever have said anything else, with any "
                "data?",
            ),
            Idea(
                "blames_the_score",
                claimed(
                    r"((another|other|better|different|finer|sensitive) (score|metric|measure"
                    r"|index)\w*|davies\S*|adjusted rand( index)?|more (digits|decimals|points"
                    r"|data|samples))[^.,;:]{0,20}\b(would|will|could|can|should|might|may) "
                    r"(?!not\b)(?![^.,;:]*\bsame\b)",
                    unless=doubt,
                    before=True,
                )
                + r"|silhouette[^.,;:]{0,20}(too (coarse|crude|rough|weak)"
                r"|insensitive|not (sensitive|precise|fine))",
                "It is not the fault of the score: any score of the same labels is the same. Ask "
                "where the labels come from.",
            ),
        ],
    )
    return "An experiment has to be able to say no. (Your teacher may want to read it, too.)"


EXERCISES = (
    Exercise(
        "11-1",
        "A silhouette by hand",
        "recall",
        1,
        "silhouette_at_9",
        "value",
        "a is the mean distance to the two mates; b is the smaller of two means.",
        silhouette_by_hand,
    ),
    Exercise(
        "11-2",
        "Pairs that agree",
        "apply",
        2,
        "rand_index",
        "function",
        "labels[:, None] == labels says of every two points whether they are together. "
        "np.triu_indices(n, 1) picks every pair once.",
        write_rand_index,
    ),
    Exercise(
        "11-3",
        "A fair sample",
        "apply",
        3,
        "silhouettes",
        "function",
        "For one row: the distances to all points first. Then a mean for each cluster, with care "
        "for its own.",
        sampled_silhouettes,
    ),
    Exercise(
        "11-4",
        "The shuffled twin",
        "analyse",
        3,
        "twin_score",
        "function",
        "RandomState(seed).permutation(column) shuffles a copy. Which data does cluster have to "
        "see?",
        shuffled_twin,
    ),
    Exercise(
        "11-5",
        "An experiment that cannot say no",
        "analyse",
        2,
        "why_no_difference",
        "text",
        "Follow one point: which centroid is its label, and which centroid does the tree find?",
        what_an_experiment_can_say,
    ),
)

# -- quiz ----------------------------------------------------------------------------------------

QUESTIONS = (
    Question(
        "A point lies just as near to the next cluster as to its own. What is its silhouette?",
        ("1", "0", "-1", "not defined"),
        "B",
        "The two mean distances are equal, and their difference is 0.",
    ),
    Question(
        "Uniform noise is cut into four. Is its silhouette higher than that of two true moons?",
        ("yes", "no", "noise has no silhouette"),
        "A",
        "Four compact pieces of nothing score better than two long true groups. A score alone "
        "says little.",
    ),
    Question(
        "You shuffle every column by itself, cluster again, and the score is the same. So?",
        ("the groups are confirmed", "the score is broken", "there is no sign of groups"),
        "C",
        "The shuffled twin has no groups. Data that score no better show none either, as far as "
        "this score can see.",
    ),
    Question(
        "Labels are drawn by lot, from more and more clusters. Which score rises by itself?",
        ("purity", "adjusted Rand index", "both", "neither"),
        "A",
        "With a cluster for every point, purity is 1. The adjusted Rand index stays near 0: what "
        "chance gives is taken off.",
    ),
    Question(
        "The deck asks a ball tree for labels, from finished centroids. How many differ?",
        ("about 1%", "it depends on the data", "it depends on k", "none"),
        "D",
        "A ball tree is exact, and the labels were those of the nearest centroids already. Nothing "
        "approximate was scored.",
    ),
)

# -- sheet ---------------------------------------------------------------------------------------


def draw_sheet(figure: Any) -> None:
    """Show three labellings with their silhouettes: truth, k-means, and noise."""
    from sklearn.metrics import silhouette_score

    from annlab.datasets import make_moons, make_uniform_cube
    from annlab.lloyd import kmeans
    from annlab.widgets._look import plane, scatter_clusters

    moons, truth = make_moons(300, random_state=0, dtype=np.float64)
    noise = make_uniform_cube(300, 2, random_state=0, dtype=np.float64)
    panels = {
        "true moons": (moons, truth),
        "k-means": (moons, kmeans(moons, 2, n_init=4, random_state=11).labels),
        "pure noise": (noise, kmeans(noise, 4, n_init=4, random_state=11).labels),
    }
    for axes, (title, (X, labels)) in zip(figure.subplots(1, 3), panels.items(), strict=True):
        # a square around each, so that all panels are equally large
        half = 0.55 * np.ptp(X, axis=0).max()
        middle = (X.min(axis=0) + X.max(axis=0)) / 2
        square = tuple((float(m - half), float(m + half)) for m in middle)
        plane(axes, square, f"{title}: {silhouette_score(X, labels):.2f}")
        scatter_clusters(axes, X, labels, size=13)


SHEET = Sheet(
    draw=draw_sheet,
    caption="Three labellings and their silhouettes. The right answer has the lowest of the three; "
    "pure noise beats it.",
    formula=r"$s_i = \frac{b_i - a_i}{\max(a_i,\, b_i)}$",
    reading="a is the mean distance of point i to the others of its cluster, b the smallest mean "
    "distance to another cluster.",
    code="""\
from annlab import datasets, evaluate_clustering as score, kmeans
from numpy import column_stack, random
X, rng = datasets.load_digits_data().X[:600].astype(float), random.RandomState(0)
twin = column_stack([rng.permutation(column) for column in X.T])
for Y in (X, twin): print(score(Y, kmeans(Y, 10, n_init=4, random_state=0)).silhouette)""",
    misconception="A high silhouette shows that the groups are real.",
    truth="It shows compact pieces, and noise can be cut into such. Compare: with the truth, with "
    "shuffled columns, or with the exact run from the same start.",
)

# -- notes for the teacher -----------------------------------------------------------------------

LESSON = Lesson(
    minutes=45,
    exercise_minutes=50,
    aims=(
        "compute a silhouette and a Rand index by hand, and say what each asks",
        "compare a score with that of the same data without groups",
        "recognise an experiment that could not have failed",
    ),
    prerequisites="topic 3; distances, means and Boolean masks in NumPy",
    misconceptions=(
        ("Each point is one of its own neighbours in the mean distance.", "11-1"),
        ("Labellings are compared label by label.", "11-2"),
        ("A sample may be scored against itself.", "11-3"),
        ("Shuffling the rows takes the groups away.", "11-4"),
        ("Equal scores show that an approximation costs nothing.", "11-5"),
    ),
    lecture="Show the two moons and vote on question 2 of the quiz before any formula. Then let "
    "the class design the slide's experiment anew on the board, before the notebook does.",
)

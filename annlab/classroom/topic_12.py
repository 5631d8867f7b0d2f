"""Topic 12, outliers and noise: checks, quiz, sheet and notes for the teacher."""

from __future__ import annotations

from collections.abc import Callable
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
    claimed,
)

# -- checks --------------------------------------------------------------------------------------


def limit_by_hand(case: Case, answer: Any) -> str:
    """12-1: the limit by median and MAD, seven distances."""
    from annlab.robust import MAD_TO_SIGMA, outlier_limit

    x, t = np.array([2.0, 3.0, 3.0, 4.0, 5.0, 7.0, 60.0]), 3.0
    middle, mean = np.median(x), x.mean()
    mad = np.median(np.abs(x - middle))
    by_mean = (
        "You measure with mean and deviation. The far value has moved both. Take the median, and "
        "the median of the distances from it."
    )
    case.compare(
        answer,
        outlier_limit(x, t),
        [
            Mistake("outliers_in", mean + t * x.std(), by_mean),
            Mistake("outliers_in", mean + t * x.std(ddof=1), by_mean),
            Mistake("outliers_in", middle + t * x.std(), "The spread is still the deviation."),
            Mistake(
                "twice_the_mean",
                2 * mean,
                "That is the rule of the slide, twice the mean distance: the far value has moved "
                "it.",
            ),
            Mistake(
                "forgets_factor",
                middle + t * mad,
                "The MAD is smaller than a standard deviation: multiply it by 1.4826.",
            ),
            Mistake(
                "forgets_median",
                t * MAD_TO_SIGMA * mad,
                "That is how far beyond the median the limit lies. Add the median.",
            ),
            Mistake(
                "one_deviation",
                middle + MAD_TO_SIGMA * mad,
                "That is one robust deviation beyond the median; the threshold allows three.",
            ),
            Mistake(
                "mean_not_median",
                middle + t * MAD_TO_SIGMA * np.abs(x - middle).mean(),
                "You take the mean of the distances from the median. One of them is 56, and spoils "
                "it: take their median.",
            ),
            Mistake(
                "mean_not_median",
                mean + t * MAD_TO_SIGMA * np.median(np.abs(x - mean)),
                "You measure from the mean. Measure from the median.",
            ),
            Mistake(
                "mean_not_median",
                middle + t * MAD_TO_SIGMA * np.median(np.abs(x - mean)),
                "You measure the spread from the mean. Measure it from the median.",
            ),
            Mistake(
                "unsorted",
                middle + t * MAD_TO_SIGMA * np.abs(x - middle)[len(x) // 2],
                "Did you sort the distances from the median before you took their middle?",
            ),
            Mistake(
                "spread_not_limit",
                mad,
                "That is the MAD. How do you get from it to the limit?",
            ),
        ],
        "First the median, then how far each number is from it, then the median of those.",
        what="The limit",
    )
    return "The 60 could be 600 or 6,000,000: this limit would not move."


def move_without_outliers(case: Case, answer: Any) -> str:
    """12-2: means of the points inside the limit."""
    X = case.rng.randn(40, 2)
    labels, centroids = case.rng.randint(3, size=40), case.rng.randn(4, 2)
    # cluster 3 has outliers only; two points of the others lie exactly on the limit
    labels[:3], labels[3:6], labels[6:9], labels[9:12] = 3, 0, 1, 2
    limit = 2.5
    distances = case.rng.uniform(0.1, 2.0, size=40)
    wild = np.r_[0:3, 3, 6, 9]
    distances[wild], distances[[4, 7]] = case.rng.uniform(20, 30, size=len(wild)), limit
    X[wild] += 25.0
    X[[4, 7]] += 2.0

    def moved(keep: np.ndarray, empty: Any = None) -> np.ndarray:
        new = centroids.copy()
        for j in range(4):
            mine = keep & (labels == j)
            if mine.any():
                new[j] = X[mine].mean(axis=0)
            elif empty is not None:
                new[j] = empty
        return new

    inside, everybody = distances <= limit, np.ones(40, dtype=bool)
    truth = moved(inside)
    falls_back, shares = truth.copy(), centroids.copy()
    falls_back[3] = X[labels == 3].mean(axis=0)
    for j in range(4):
        shares[j] = X[inside & (labels == j)].sum(axis=0) / (labels == j).sum()
    stays = shares.copy()
    stays[3] = centroids[3]
    hole = "One cluster has outliers only. "
    case.compare(
        case.call(answer, X, labels, distances, centroids, limit),
        truth,
        [
            Mistake(
                "outliers_in",
                moved(everybody),
                "The outliers still have a vote: these are the means of all points.",
            ),
            Mistake(
                "outliers_in",
                falls_back,
                hole + "There you let them vote after all. Without votes a centroid stays where it "
                "is.",
            ),
            Mistake(
                "empty_cluster_nan",
                moved(inside, np.nan),
                hole + "Nobody is left to vote, and the mean of no rows is NaN. Let that centroid "
                "stay where it is.",
            ),
            Mistake(
                "empty_cluster_zero",
                moved(inside, 0.0),
                hole + "Its centroid jumps to the origin. Let it stay where it is.",
            ),
            Mistake(
                "empty_cluster_dropped",
                truth[:3],
                hole + "It has vanished; its centroid has to stay where it is.",
            ),
            Mistake(
                "off_by_one",
                moved(distances < limit),
                "A point exactly on the limit is not beyond it, and keeps its vote. Is it < or <=?",
            ),
            Mistake(
                "turned_round",
                moved(~inside),
                "Those are the means of the outliers: the condition is turned round.",
            ),
            Mistake(
                "divides_by_all",
                shares,
                "The outliers are not added up, but they are counted: divide by the number of "
                "points inside.",
            ),
            Mistake(
                "divides_by_all",
                stays,
                "The outliers are not added up, but they are counted: divide by the number of "
                "points inside.",
            ),
        ],
        "The centroids are not the means of their points inside the limit.",
        what="What your function returns",
    )
    return "Points beyond the limit have no vote, and a cluster without votes stays."


def mark_outliers(case: Case, answer: Any) -> str:
    """12-3: labels, with −1 for outliers."""
    from annlab.distances import pairwise_sq
    from annlab.robust import MAD_TO_SIGMA, outlier_limit

    # distances made to measure: some very small, a bulk, three between the right limit and those
    # of wrong yardsticks, and five that are far out, of which a mean sees two or three
    ladder = np.concatenate(
        [[0.05, 0.1, 0.15], np.linspace(1.4, 2.6, 31), [3.02, 3.2, 3.25], [6, 8, 20, 60, 90]]
    )
    n, threshold = len(ladder), 2.0
    middles = np.array([[0.0, 0.0], [300.0, 0.0], [0.0, 300.0]]) + case.rng.randn(3, 2)
    # near points go to the first cluster: a yardstick for each cluster would be another one
    owner = np.arange(n) * 3 // n
    owner[-5:] = [0, 1, 2, 0, 1]
    angle = case.rng.uniform(0, 2 * np.pi, size=n)
    X = middles[owner] + ladder[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    order = case.rng.permutation(n)
    X = X[order]
    squares = pairwise_sq(X, middles)
    labels, gaps = squares.argmin(axis=1), np.sqrt(squares.min(axis=1))

    def marked(out: np.ndarray) -> np.ndarray:
        return np.where(out, -1, labels)

    limit, middle = outlier_limit(gaps, threshold), np.median(gaps)
    mad = np.median(np.abs(gaps - middle))
    own = np.array([outlier_limit(gaps[labels == j], threshold) for j in range(3)])
    by_mean = (
        "It measures with mean and deviation, which the far points have moved: some of them hide "
        "behind the others. Take the median and the MAD."
    )
    truth = marked(gaps > limit)
    case.compare(
        case.call(answer, X, middles, threshold),
        truth,
        [
            Mistake(
                "unmarked",
                labels,
                "Those are the labels of all points. Whoever uses them later has to see which are "
                "outliers: give them -1.",
            ),
            Mistake(
                "mask_not_labels",
                gaps > limit,
                "It returns which points are outliers. Asked are labels, with -1 for those.",
            ),
            Mistake("outliers_in", marked(gaps > gaps.mean() + threshold * gaps.std()), by_mean),
            Mistake(
                "outliers_in", marked(gaps > gaps.mean() + threshold * gaps.std(ddof=1)), by_mean
            ),
            Mistake(
                "twice_the_mean",
                marked(gaps > threshold * gaps.mean()),
                "That is the rule of the slide. The farthest points have moved the mean, and "
                "others hide behind them.",
            ),
            Mistake(
                "squared_distances",
                marked(gaps**2 > outlier_limit(gaps**2, threshold)),
                "It applies the yardstick to squared distances. Take the root first.",
            ),
            Mistake(
                "two_sided",
                marked(np.abs(gaps - middle) > threshold * MAD_TO_SIGMA * mad),
                "It also throws out the points that are nearest to their centroids. Very near is "
                "no fault: only beyond the limit are outliers.",
            ),
            Mistake(
                "forgets_factor",
                marked(gaps > middle + threshold * mad),
                "The MAD is smaller than a standard deviation: multiply it by 1.4826.",
            ),
            Mistake(
                "forgets_median",
                marked(gaps > threshold * MAD_TO_SIGMA * mad),
                "The limit lies beyond the median. Add it.",
            ),
            Mistake(
                "per_cluster",
                marked(gaps > own[labels]),
                "It has a yardstick for each cluster. Here one is asked for, from the distances of "
                "all points.",
            ),
            Mistake(
                "outliers_dropped",
                truth[truth >= 0],
                "The outliers are gone, so that labels and rows no longer fit together. Keep a "
                "place for each point.",
            ),
            Mistake("turned_round", marked(gaps <= limit), "It marks the good points."),
        ],
        "Labels of the nearest centroids, and -1 where the distance is beyond the limit.",
        what="What your function returns",
    )
    return "The two farthest points could not hide the others."


def _smallest(
    statistic: Callable[[Any], Any],
    values: np.ndarray,
    wild: float,
    broken: Callable[[float], bool],
    added: bool = False,
) -> int:
    """Smallest number of wild values with which the statistic is broken."""
    # added values outvote the good ones at last, but not those that a minimum looks for
    for m in range(1, 5 * len(values)):
        kept = values if added else values[m:]
        if broken(float(statistic(np.concatenate([np.full(m, wild), kept])))):
            return m
    return -1


def count_to_breakdown(case: Case, answer: Any) -> str:
    """12-4: how many values carry a statistic away."""

    def trimmed_mean(values: Any) -> float:
        return float(np.sort(values)[2:-2].mean())

    def lower_quartile(values: Any) -> float:
        return float(np.sort(values)[len(values) // 4])

    wild = 1e7
    for statistic, n in (
        (np.median, 11),
        (np.median, 8),
        (trimmed_mean, 12),
        (np.mean, 9),
        (lower_quartile, 13),
        (np.min, 7),
    ):
        # the least comes first: to replace it moves every one of these statistics
        values = np.r_[9.0, case.rng.uniform(10, 20, size=n - 1)]
        low, high = values.min(), values.max()

        def outside(value: float, low: float = low, high: float = high) -> bool:
            return not low <= value <= high

        def other(value: float, before: float = float(statistic(values))) -> bool:
            return not np.isclose(value, before)

        truth = _smallest(statistic, values, wild, outside)
        with case.retell(
            "unanswered",
            "off_by_one",
            "For the minimum it returns nothing: that one breaks only when every value is "
            "spoiled. Where does your range end?",
            saying="returns nothing",
            when=truth == n,
        ):
            got = case.call(answer, statistic, values, wild)
        case.compare(
            got,
            truth,
            [
                Mistake(
                    "any_change",
                    _smallest(statistic, values, wild, other),
                    "It stops as soon as the statistic moves at all. A median may move by one "
                    "place without harm: it breaks when it leaves the range of the good values.",
                ),
                Mistake(
                    "off_by_one",
                    truth - 1,
                    "That is one too few. Is it the number that the statistic survives?",
                ),
                Mistake(
                    "adds_not_replaces",
                    _smallest(statistic, values, wild, outside, added=True),
                    "It adds wild values to the good ones. Replace good ones by wild ones: the "
                    "number of values stays.",
                ),
                Mistake("off_by_one", truth + 1, "That is one too many. Where does m begin?"),
                Mistake(
                    "share_not_count",
                    truth / n,
                    "It returns a share. Asked is the number of values.",
                ),
            ],
            "Replace one value, then two, and so on, and ask the statistic each time.",
            what="What your function returns",
        )
    return "One for the mean, half for the median, and for the minimum all of them."


def why_it_finds_nothing(case: Case, answer: Any) -> str:
    """12-5: free text."""
    moves = (
        r"(pull|drag|shift|inflat|blow|blew|rais|increas|enlarg|stretch|distort|mov|affect|influenc"
        r"|spoil|widen|push|carr|huge|high|larg|big|contribut|part of|includ|sensitive"
        r"|grow|grew|explo|because of|contain|depend|itself|set by|sets)\w*"
    )
    yardstick = (
        r"(mean|average|deviation|variance|\bstd|\bsd\b|yardstick|limit|threshold|spread|sigma"
        r"|both)"
    )
    case.explain(
        answer,
        ideas=[
            Idea(
                "missing_masking",
                rf"\bmask|\bhid(e|es|ing|den)\b|{moves}[^.]{{0,60}}{yardstick}"
                rf"|{yardstick}[^.]{{0,60}}{moves}",
                "What are the mean and the deviation of these eight numbers, and what would they "
                "be without the 370?",
            ),
            Idea(
                "missing_median",
                r"\bmedian|\bmad\b|quartile|\biqr\b|percentile|quantile|\branks?\b|middle value"
                r"|\btrim",
                "And the second half of the question: which yardstick does not notice a single bad "
                "value?",
            ),
        ],
        claims=[
            Idea(
                "blames_the_factor",
                r"^(?!.*\b(?:median|mad|quartile)).*?"
                + claimed(
                    r"\b(three|3) (standard )?deviations (is|are|was|were) too"
                    r"|\b(use|take|try) (two|2|one|1)\b"
                    r"|(smaller|lower|other|larger|higher|different) (factor|multiple|number)"
                    r"[^.,;:]{0,20}(would|will|finds|helps|is enough)"
                    r"|\b(two|2|one|1) (standard )?(deviations?|sigmas?|sd)[^.,;:]{0,20}"
                    r"(would|will|should|can|could|finds?\b|(is|are) enough)",
                    unless=NEGATION + r"|\b(?:if|whether|though|while|although|even)\b",
                    before=True,
                ),
                "Another factor leaves the yardstick in the hands of the bad value: it sets the "
                "mean and the deviation by which it is judged.",
            ),
            Idea(
                "believes_the_mean",
                r"(one|single|a) (single |bad |wrong |wild )*(value|outlier|number|point)"
                r"[^.,;:]{0,12}\b(cannot|can't|can not|hardly|does not|doesn't|barely|will not)"
                r"\b[^.,;:]{0,20}\b(mean|average|deviation)"
                r"|\b(mean|average|deviation)\b[^.,;:]{0,25}\b(is|are|stays?|was|were) "
                r"(not|hardly|barely|un)[ -]?(really |much )?(affected|moved|changed|influenced)",
                "One value is enough: compute the mean of the eight numbers, and compare it with "
                "the seven good ones.",
            ),
        ],
    )
    return "Masking: the bad value sets the yardstick. (Your teacher may want to read it, too.)"


EXERCISES = (
    Exercise(
        "12-1",
        "A limit by hand",
        "recall",
        1,
        "limit_of_seven",
        "value",
        "Write the distances from the median under the seven numbers, sort them, and take the "
        "middle.",
        limit_by_hand,
    ),
    Exercise(
        "12-2",
        "No vote for outliers",
        "apply",
        2,
        "move_inside",
        "function",
        "A mask for the points inside, and another for those of cluster j; what if no point is in "
        "both?",
        move_without_outliers,
    ),
    Exercise(
        "12-3",
        "Mark them",
        "apply",
        3,
        "mark",
        "function",
        "np.median twice: of the distances, and of what they differ from that. Only one side of "
        "the limit is suspicious.",
        mark_outliers,
    ),
    Exercise(
        "12-4",
        "How many does it take",
        "analyse",
        3,
        "breakdown",
        "function",
        "In turn m of your loop, a copy of the values has wild in its first m places. Can all of "
        "them be spoiled?",
        count_to_breakdown,
    ),
    Exercise(
        "12-5",
        "Hidden by itself",
        "analyse",
        2,
        "why_nothing_found",
        "text",
        "Leave the last number out and compute the limit again. What has the number done to it?",
        why_it_finds_nothing,
    ),
)

# -- quiz ----------------------------------------------------------------------------------------

QUESTIONS = (
    Question(
        "How many of nine numbers can go wild before the median leaves the good ones?",
        ("none", "1", "4", "8"),
        "C",
        "With four wild ones the middle is still good. The fifth takes it over: one half is the "
        "breakdown point.",
    ),
    Question(
        "Outliers are points beyond twice the mean distance. One value goes far astray. And then?",
        ("it alone is found", "others can hide behind it", "good points are thrown out"),
        "B",
        "The mean follows the far value, and the limit follows the mean. Nothing nearer is "
        "suspicious any more: masking.",
    ),
    Question(
        "Plain k-means has given a lone outlier a centroid. Will more starts (n_init) help?",
        ("no, this has the lower inertia", "yes, always", "yes, with k-means++"),
        "A",
        "Squares make far points shout. To give one of them a centroid really is cheaper, and "
        "k-means++ even prefers far points.",
    ),
    Question(
        "Clean, normally distributed points, and a threshold of 2. How many are thrown away?",
        ("none", "about 5%", "about half"),
        "B",
        "Clean data have tails, too. A threshold is a price: 3 costs about 1%, and 2 about 5% in "
        "two dimensions.",
    ),
    Question(
        "A hundred wrong points lie together in one place. What finds them for sure?",
        ("median and MAD", "trimming", "more iterations", "none of these"),
        "D",
        "Points that lie together are a group to anybody who knows only the points. Look at your "
        "data.",
    ),
)

# -- sheet ---------------------------------------------------------------------------------------


def draw_sheet(figure: Any) -> None:
    """Show the same points, clustered with and without a vote for the outliers."""
    from annlab.datasets import make_blobs
    from annlab.lloyd import kmeans
    from annlab.robust import robust_kmeans_ann
    from annlab.widgets._look import frame_limits, plane, scatter_centroids, scatter_clusters

    middles = np.array([[0.0, 0.0], [6.0, 1.0], [2.5, 5.5]])
    clean = make_blobs(180, centers=middles, cluster_std=0.75, random_state=3, dtype=np.float64).X
    wild = np.random.RandomState(3).uniform([12, 6], [17, 10], size=(12, 2))
    X = np.concatenate([clean, wild])
    runs = {
        "every point has a vote": kmeans(X, 3, n_init=10, random_state=0),
        "no vote beyond the limit": robust_kmeans_ann(X, 3, outlier_threshold=3.0, init=middles),
    }
    limits = frame_limits(X)
    for axes, (title, run) in zip(figure.subplots(1, 2), runs.items(), strict=True):
        plane(axes, limits, title)
        scatter_clusters(axes, X, run.labels, size=14)
        scatter_centroids(axes, run.centroids)


SHEET = Sheet(
    draw=draw_sheet,
    caption="180 good points and 12 bad ones. Left, plain k-means gives a centroid away and "
    "squeezes two groups into one. Right, crosses are outliers, label -1.",
    formula=r"$x \,>\, \tilde{x} + t \cdot 1.4826 \cdot \mathrm{MAD}$",
    reading="A point is an outlier if its distance is beyond the median of all distances by t "
    "robust deviations. MAD is the median of the distances from the median.",
    code="""\
import numpy as np
from annlab import datasets, kmeans, robust_kmeans_ann
X = datasets.make_blobs(300, 3, separation=6, random_state=0).X
X = np.vstack([X, [[1e5, 1e5]]])
print(kmeans(X, 3).centroids, robust_kmeans_ann(X, 3, outlier_threshold=3).centroids)""",
    misconception="Outliers are the points beyond a few deviations from the mean.",
    truth="Mean and deviation are set by the very points that they should catch. Median and MAD "
    "hold until half of the values are bad.",
)

# -- notes for the teacher -----------------------------------------------------------------------

LESSON = Lesson(
    minutes=45,
    exercise_minutes=50,
    aims=(
        "set a limit by median and MAD, with a pencil and in code",
        "write the step of a k-means in which outliers have no vote",
        "measure the breakdown point of a statistic",
    ),
    prerequisites="topic 1; mean, median, standard deviation; masks in NumPy",
    misconceptions=(
        ("The standard deviation is a yardstick for outliers.", "12-1"),
        ("Where outliers are left out, every cluster still has points.", "12-2"),
        ("Far from the usual is suspicious on both sides.", "12-3"),
        ("Robust means that the value does not change at all.", "12-4"),
        ("One bad value can do little harm to a mean.", "12-5"),
    ),
    lecture="Ask the class for five numbers, then replace one by the telephone number of the "
    "school: who can still find it with mean and deviation? Vote on question 3 of the quiz before "
    "the sandbox is opened.",
)

"""Topic 7, accuracy and speed: checks, quiz, sheet and notes for the teacher."""

from __future__ import annotations

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


def honest_recall_by_hand(case: Case, answer: Any) -> str:
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
        [
            Mistake(
                "counts_itself",
                len(set(order[:6]) & found) / 6,
                "You count the point at 7 on both sides. To find oneself is no achievement: leave "
                "it out of the truth and out of the answer.",
            ),
            Mistake(
                "counts_itself",
                (hits + 1) / 5,
                "One of your hits is the point at 7 itself. It was not among those to be found.",
            ),
            Mistake(
                "stays_in_the_answer",
                hits / 6,
                "The point at 7 is out of the truth, but it still takes one of the six places in "
                "the answer. That is the slip of the slide.",
            ),
            Mistake(
                "count_not_share",
                hits,
                "That is the number of neighbours found. Recall is a share, from 0 to 1.",
            ),
            Mistake("share_of_misses", 1 - hits / 5, "That is the share of what was missed."),
            Mistake("percent", 20 * hits, "In percent it is right; write it as a share."),
        ],
        "Write down the five points that are nearest to 7, without 7. How many of them came back?",
        what="The recall",
    )
    return "The question is out of the truth and out of the answer."


def write_honest_recall(case: Case, answer: Any) -> str:
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

    def hits(some: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        return np.array([len(np.intersect1d(a, b)) for a, b in zip(some, wanted, strict=True)])

    counted = hits(clean_found, clean_true)
    truth = counted.mean() / m
    case.compare(
        case.call(answer, found, true),
        truth,
        [
            Mistake(
                "counts_itself",
                hits(found, true).mean() / (m + 1),
                "It counts the question as its own neighbour, in the truth and in the answer: a "
                "search gets one hit for nothing.",
            ),
            Mistake(
                "stays_in_the_answer",
                hits(found[:, :m], clean_true).mean() / m,
                "The question is out of the truth, but still in the answer, where it takes the "
                "place of a neighbour. Even a perfect search could not get full marks.",
            ),
            Mistake(
                "stays_in_the_answer",
                hits(found, clean_true).mean() / (m + 1),
                "You divide by the number of columns. One of them belongs to the question itself.",
            ),
            Mistake(
                "off_by_one",
                hits(found, clean_true).mean() / m,
                "Where the search has missed the question itself, m + 1 other rows are left. That "
                "is one try too many: keep the first m.",
            ),
            Mistake(
                "drops_first_column",
                hits(found[:, 1:], true[:, 1:]).mean() / m,
                "It drops the first column. The question does not always stand there: a twin at "
                "distance zero may come first. Which number has the question of row i?",
            ),
            Mistake(
                "drops_first_column",
                hits(found[:, 1:], clean_true).mean() / m,
                "It drops the first column of the answer. The question need not stand there.",
            ),
            Mistake(
                "compares_places",
                (clean_found == clean_true).mean(),
                "It compares place by place. A neighbour counts wherever it stands in the row.",
            ),
            Mistake(
                "count_not_share",
                counted.sum(),
                "It returns the number of hits. Recall is a share, from 0 to 1.",
            ),
            Mistake(
                "count_not_share",
                counted.mean(),
                "It returns the hits for each question. Divide by m as well.",
            ),
            Mistake("share_of_misses", 1 - truth, "It returns the share of what was missed."),
        ],
        "It is not the share of the true m other neighbours that are among the first m found.",
        what="What your function returns",
    )
    return "No hit for nothing, and a perfect search would get 1."


def find_front(case: Case, answer: Any) -> str:
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
    case.compare_rows(
        case.call(answer, recall, speed),
        truth,
        len(recall),
        [
            Mistake(
                "beaten_in_one",
                np.flatnonzero(~either.any(axis=0)),
                "It throws a setting out as soon as another one is better in one respect. Slow "
                "and accurate settings have their place beside fast and rough ones.",
            ),
            Mistake(
                "strictly_in_both",
                np.flatnonzero(~better.any(axis=0)),
                "A setting stays although another one is just as good in one respect and better "
                "in the other. Who would choose it?",
            ),
            Mistake(
                "turned_round",
                kept(recall, -speed),
                "It treats speed like a cost. Queries per second: more is better.",
            ),
            Mistake("turned_round", kept(-recall, speed), "It keeps the settings of low recall."),
            Mistake("one_winner", truth[recall[truth].argmax()], "It returns one setting only."),
            Mistake(
                "one_winner",
                [truth[recall[truth].argmax()]],
                "It returns the most accurate setting only. What about those that are faster?",
            ),
            Mistake(
                "complement",
                np.setdiff1d(np.arange(n + 2), truth),
                "Those are the settings that are beaten. The front is made of the others.",
            ),
        ],
        "Ask of each setting: is there another one that is at least as good in both respects, and "
        "better in one?",
        what="What your function returns",
    )
    return "Whoever chooses a setting chooses from the front."


def worst_served_cluster(case: Case, answer: Any) -> str:
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
        [
            Mistake(
                "empty_cluster_nan",
                np.nan,
                "It returns NaN: one cluster is nobody's nearest, and the mean of no points is "
                "zero divided by zero. Only clusters that have points can be served badly.",
            ),
            Mistake(
                "empty_cluster_zero",
                0.0,
                "It returns 0. One cluster is nobody's nearest, and none of its points was "
                "missed, since it has none. Leave it out.",
            ),
            Mistake(
                "mean_of_all",
                hit.mean(),
                "That is the recall over all points. The mean hides the worst: look at each "
                "cluster by itself.",
            ),
            Mistake("mean_of_clusters", each.mean(), "That is a mean over clusters again."),
            Mistake(
                "groups_by_labels",
                min(hit[labels == j].mean() for j in range(1, k)),
                "It groups the points by the labels that they were given. Recall asks about those "
                "that belong to a cluster: which of them did the search find?",
            ),
            Mistake("best_not_worst", each.max(), "That is the cluster that is served best."),
            Mistake(
                "number_not_recall",
                1 + each.argmin(),
                "That is the number of the cluster. Its recall is asked for.",
            ),
            Mistake("share_of_misses", 1 - each.min(), "That is the share of misses in it."),
        ],
        "Take the points whose nearest centroid is j. How many of them have the label j? Do that "
        "for each j.",
        what="What your function returns",
    )
    return "A recall that looks fine on the whole can leave one cluster alone."


def which_misses_heal(case: Case, answer: Any) -> str:
    """07-5: free text."""
    case.explain(
        answer,
        ideas=[
            Idea(
                "missing_chance",
                r"chance|heal|mov(e|es|ed|ing)\b|next (iteration|time|round|step)|later"
                r"|(an)?other (iteration|time|round)|correct(s|ed)|repair|recover|luck|mend"
                r"|average|eventual|again|anew|cancel|after all|sooner|most of the time"
                r"|(different|other|new) (\w+ )?(point|one|place|label|centroid|miss|error)",
                "What happens in the next iteration to a point that Dice has missed?",
            ),
            Idea(
                "missing_stay",
                r"\bsame\b|always|never|stay|remain|repeat|every (time|iteration|round)"
                r"|each (time|iteration|round)|permanent|for ?ever|stuck"
                r"|no (other|second|further|better)|again and again|systematic|persist"
                r"|add up|accumulat",
                "And what happens in the next iteration to a point that Stamp has missed?",
            ),
        ],
        claims=[
            Idea(
                "equal_recall_is_enough",
                claimed(
                    r"\b(same|equal(ly)?|identical|alike)\b",
                    r"inertia|result|cluster|good|well",
                    r"recall|both|they|two",
                    unless=NEGATION
                    + r"|differ|although|though|despite|\beven\b|\bbut\b|lower|higher|better|worse"
                    r"|\bless\b|\bmore\b|heal|chance|point|iteration",
                )
                + r"|(makes?|is) no difference|(does not|doesn't) matter which",
                "You say that equal recall means equal inertia. Recall counts the misses of one "
                "search; k-means asks again and again. Does it matter who is missed?",
            ),
            Idea(
                "wrong_winner",
                claimed(
                    r"\bstamp('s)?( \w+)? (is|ends?|has|gives|reaches|wins|finds|gets|comes|will|"
                    r"would)\b((?!dice|worse|higher|larger|than)[^.,;:]){0,25}"
                    r"\b(low|good|better|small|best)|stamp wins"
                ),
                "You expect Stamp to end better. Follow one point that it misses: when will it "
                "ever reach its nearest centroid?",
            ),
        ],
    )
    return "Misses that are drawn anew heal. (Your teacher may want to read it, too.)"


EXERCISES = (
    Exercise(
        "07-1",
        "Recall without oneself",
        "recall",
        1,
        "recall_by_hand",
        "value",
        "Who is nearest to the point at 7? And does it count?",
        honest_recall_by_hand,
    ),
    Exercise(
        "07-2",
        "An honest recall",
        "apply",
        2,
        "honest_recall",
        "function",
        "The question of row i is row i. A list comprehension with a condition strikes it out.",
        write_honest_recall,
    ),
    Exercise(
        "07-3",
        "The front",
        "apply",
        2,
        "front",
        "function",
        "Write down when one setting beats another; in one of the two respects they may be equal.",
        find_front,
    ),
    Exercise(
        "07-4",
        "A mean hides the worst",
        "analyse",
        3,
        "worst_recall",
        "function",
        "nearest says which cluster a point belongs to, labels what the search said. Which "
        "clusters occur in nearest at all?",
        worst_served_cluster,
    ),
    Exercise(
        "07-5",
        "Which misses heal",
        "analyse",
        2,
        "which_misses_heal",
        "text",
        "Follow one point that was missed through two iterations, once with each search.",
        which_misses_heal,
    ),
)

# -- quiz ----------------------------------------------------------------------------------------

QUESTIONS = (
    Question(
        "The slide measures 0.80 for five neighbours, on any data. What does it say of the index?",
        ("it misses one in five", "nothing", "it is too slow", "the data are hard"),
        "B",
        "The query is left out of the truth, but not of the answer: one of five must be wrong, "
        "whatever the index does.",
    ),
    Question(
        "Which of these is a knob of an index?",
        ("the number of neighbours asked for", "the number of points", "the probes of a hash"),
        "C",
        "A knob says how hard the index tries. The number of neighbours is part of the question.",
    ),
    Question(
        "Half of all answers are wrong, anew in each iteration. How much worse are the clusters?",
        ("hardly at all", "half as good", "useless"),
        "A",
        "Centroids move, other points are missed, and who has found the right centroid keeps it. "
        "Random misses heal.",
    ),
    Question(
        "Two indexes have a recall of 0.8 each. Do they serve k-means equally well?",
        ("yes, by definition", "not necessarily", "only in few dimensions"),
        "B",
        "It matters whether the same points are missed each time. The last word has the inertia.",
    ),
    Question(
        "A paper reports recall at 100. What does k-means want to know?",
        ("the same", "recall at k", "recall at 10", "recall at 1"),
        "D",
        "Each point asks for one centroid, its nearest. Recall at 1 is another number: measure "
        "what you use.",
    ),
)

# -- sheet ---------------------------------------------------------------------------------------


def draw_sheet(figure: Any) -> None:
    """Show an accuracy that cannot differ, and what random misses cost k-means."""
    from annlab.datasets import load_digits_data, make_uniform_cube
    from annlab.distances import k_nearest, pairwise_sq
    from annlab.indexes.careless import CarelessIndex
    from annlab.lloyd import kmeans, kmeans_ann
    from annlab.plotting import PALETTE
    from annlab.widgets._look import ALARM, chart

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


SHEET = Sheet(
    draw=draw_sheet,
    caption="Left: a search without mistakes, and the query in the answer but not in the truth. "
    "Right: handwritten digits, ten clusters, mean of three starts.",
    formula=r"$R@m = \frac{|\,\mathrm{found} \,\cap\, \mathrm{true}\,|}{m}$"
    r"$, \quad \mathrm{the\ query\ left\ out\ of\ both}$",
    reading="Of the m neighbours that I should have found, how many did I find?",
    code="""\
from annlab import datasets, kmeans, kmeans_ann
X = datasets.load_digits_data().X
exact = kmeans(X, 10, random_state=0)
rough = kmeans_ann(X, 10, algorithm="lsh", random_state=0)
print(rough.inertia / exact.inertia)""",
    misconception="The higher the recall of the index, the better the clusters.",
    truth="Misses that are drawn anew heal, misses that stay at their place do not. Ask for an "
    "inertia, over several starts, and take the cheapest setting that reaches it.",
)

# -- notes for the teacher -----------------------------------------------------------------------

LESSON = Lesson(
    minutes=45,
    exercise_minutes=45,
    aims=(
        "measure the recall of a search without counting the query",
        "tell a knob of an index from a part of the question",
        "choose a setting by the inertia that it leads to",
    ),
    prerequisites="topic 3: the loop with an index; what inertia and recall are",
    misconceptions=(
        ("The query may count as its own neighbour.", "07-1"),
        ("The query always stands in the first column.", "07-2"),
        ("The best setting is the one with the highest recall.", "07-3"),
        ("A good mean recall serves every cluster well.", "07-4"),
        ("Equal recall means equal clusters.", "07-5"),
    ),
    lecture="Let the class guess the slide's accuracy on data of their own, then show that it is "
    "fixed before anything is measured. Ask question 3 of the quiz before the trade-off explorer "
    "is opened; hardly anybody expects the answer.",
)

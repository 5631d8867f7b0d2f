"""Topic 4, when an index pays: checks, quiz, sheet and notes for the teacher."""

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


def _halvings(k: int) -> int:
    """Looks until one of k is left, when each look throws half of them away."""
    looks = 0
    while k > 1:
        k, looks = (k + 1) // 2, looks + 1
    return looks


def looks_by_hand(case: Case, answer: Any) -> str:
    """04-1: looks into a sorted list, for all points of an iteration."""
    n, k = 300, 128
    each = _halvings(k)
    case.compare(
        answer,
        n * each,
        [
            Mistake(
                "forgets_the_points",
                each,
                "That is what one point needs. Every point has to ask: an index saves nothing "
                "over the points.",
            ),
            Mistake(
                "brute_force",
                n * k,
                "That is brute force: every point compared with every centroid.",
            ),
            Mistake(
                "off_by_one",
                n * (each + 1),
                "One look too many for each point. When only one centroid is left, there is no "
                "border to look at.",
            ),
            Mistake(
                "off_by_one",
                n * (each - 1),
                "One look too few for each point. With two centroids left there is still a border "
                "between them.",
            ),
            Mistake(
                "halves_once",
                n * k // 2,
                "You halve only once. Each look halves what the look before has left.",
            ),
            *(
                Mistake(
                    "index_over_samples",
                    value,
                    "You search a sorted list of the points, once for each centroid. It is the "
                    "other way round: the centroids are searched, and every point is a question.",
                )
                for value in (k * _halvings(n), k * (_halvings(n) - 1), k * np.log2(n))
            ),
        ],
        "How often can 128 be halved until 1 is left? And who has to ask?",
        what="The number of looks",
    )
    return "The logarithm is one of k. The points still ask one by one."


def share_computed(case: Case, answer: Any) -> str:
    """04-2: what share of the distances an index computes."""
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
            [
                Mistake(
                    "index_over_samples",
                    computed(X, centroids, name) / (n * k),
                    "The index holds the points here. It must hold the centroids: they are "
                    "searched, and every point is a question.",
                ),
                Mistake(
                    "saved_not_computed",
                    1 - truth,
                    "That is the share that is saved. Asked for is the share that is computed.",
                ),
                Mistake(
                    "count_not_share",
                    count,
                    "That is the number of distances. A share says how many of those that brute "
                    "force would compute.",
                ),
                Mistake(
                    "count_not_share",
                    count / n,
                    "Those are the distances of one point. Divide by the number of centroids, too.",
                ),
                Mistake(
                    "count_not_share",
                    count / k,
                    "You divide by the number of centroids only. Brute force compares each of "
                    "them with every point.",
                ),
                Mistake(
                    "capped",
                    min(truth, 1.0),
                    "It never returns more than 1. An index may compute more than brute force, and "
                    "one wants to know.",
                ),
                Mistake(
                    "saved_not_computed",
                    max(1 - truth, 0.0),
                    "That is the share that is saved. Asked for is the share that is computed.",
                ),
            ],
            "It is not the number of computed distances, as a share of those of brute force.",
            what="What your function returns",
        )
    return "Counted, so it is the same on every computer. With few centroids it may exceed 1."


def first_that_saves(case: Case, answer: Any) -> str:
    """04-3: the break-even, from a table of shares."""
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
            [
                Mistake(
                    "strict_bound",
                    ks[np.argmax(shares < limit)],
                    "Where the index saves exactly what is asked, your function goes on. At least "
                    "a quarter includes a quarter.",
                ),
                Mistake(
                    "position_not_k",
                    place,
                    "That is the position in the array. Return the number of centroids that stands "
                    "there.",
                ),
                Mistake("off_by_one", ks[place - 1], "One entry too early: it does not pay there."),
                Mistake(
                    "share_for_saving",
                    ks[np.argmax(shares <= saving)],
                    "You compare the share with the saving. What is computed and what is saved "
                    "add up to 1.",
                ),
                Mistake(
                    "share_for_saving",
                    ks[0],
                    "It says that the index pays at once, where it computes more than brute force. "
                    "A large share is a small saving.",
                ),
                Mistake(
                    "last_not_first",
                    ks[np.flatnonzero(enough)[-1]],
                    "That is the largest k that pays. Break-even is the smallest.",
                ),
            ],
            "That is not the smallest k whose saving is large enough.",
            what="What your function returns",
        )
    shares = np.array([1.08, 1.0, 1.0, 0.98, 0.97, 0.96, 0.95])
    never = "Where no k saves enough, your function {}; return np.inf then."
    with (
        case.retell("raised", "never_raises", never.format("stops with an error")),
        case.retell("unanswered", "never_is_none", never.format("returns nothing")),
    ):
        got = case.call(answer, ks, shares, 0.25)
    case.compare(
        got,
        np.inf,
        [
            Mistake(
                "never_becomes_first",
                ks[0],
                "Here no k saves enough, and your function returns the first. The argmax of "
                "nothing "
                "but False is 0: ask whether there is a True at all.",
            ),
            Mistake(
                "never_becomes_last",
                ks[-1],
                "Here no k saves enough, and your function returns the last. Return np.inf then.",
            ),
        ],
        "Here no k saves enough. Return np.inf then.",
        what="What your function returns",
    )
    return "And it says so when the index never pays."


def points_that_pay(case: Case, answer: Any) -> str:
    """04-4: from how many points on the build is paid for."""
    lift = 100 if case.hidden else 0
    rounds = (
        # a remainder; none; a dear jump; nothing gained; a loss that counting does not see
        (200, 30, 5_030 + lift, 1),
        (120, 20, 8_000 + lift, 1),
        (300, 40, 4_020 + lift, 2.5),
        (90, 30, 1_000 + lift, 3),
        (100, 60, 700 + lift, 2),
    )
    for k, seen, build, jump in rounds:
        gain = k - seen * jump
        truth = build // gain + 1 if gain > 0 else np.inf
        mistakes = [
            Mistake(
                "counts_not_clock",
                build // (k - seen) + 1,
                "It counts distances only. One that the index computes is dearer than one of brute "
                "force: use jump.",
            ),
            Mistake(
                "ignores_the_build",
                1 if gain > 0 else 0,
                "It forgets the build, which is paid even if a single point asks.",
            ),
        ]
        if gain > 0:
            mistakes += [
                Mistake(
                    "off_by_one",
                    -(-build // gain),
                    "At that number both cost the same. The index has to cost less.",
                ),
                Mistake(
                    "off_by_one",
                    build // gain,
                    "At that number of points the index is not cheaper yet.",
                ),
                Mistake(
                    "not_whole",
                    build / gain,
                    "Points come in whole numbers. From which one on is the index really cheaper?",
                ),
                Mistake(
                    "forgets_own_work",
                    build // k + 1,
                    "Each point costs something with the index, too. You have not subtracted it.",
                ),
            ]
        elif gain < 0:
            negative = (build / gain, build // gain, build // gain + 1, -(-build // gain))
            mistakes += [
                Mistake(
                    "negative_points",
                    value,
                    "That is a negative number of points. Here each point costs more with the "
                    "index "
                    "than without, so it never pays.",
                )
                for value in negative
            ]
        with (
            case.retell(
                "raised",
                "divides_by_zero",
                "It divides by zero where a point costs the same with and without the index. "
                "Is the build ever paid for then?",
                saying="ZeroDivision",
            ),
            case.retell(
                "unanswered",
                "never_is_none",
                "It returns nothing where the index never pays; return np.inf then.",
                when=gain <= 0,
            ),
        ):
            got = case.call(answer, k, seen, build, jump)
        case.compare(
            got,
            truth,
            mistakes,
            "The index never costs less here. Return np.inf then."
            if gain <= 0
            else "Write down both costs for n points, and find the first n where the index is "
            "less.",
            what="What your function returns",
            rtol=1e-9,
        )
    return "A build is paid for by points, if each of them saves anything."


def unfair_race(case: Case, answer: Any) -> str:
    """04-5: free text."""
    case.explain(
        answer,
        ideas=[
            Idea(
                "missing_unequal",
                r"n_init|max_iter|\btol\b|start|begin|init|seed|iteration|stop|restart"
                r"|ten (times|runs|tries)|10 (times|runs|tries)|threads?|cores?",
                "Read the two functions again: which arguments differ? Do both runs do the same "
                "amount of work?",
            ),
            Idea(
                "missing_quality",
                r"inertia|quality|sum of (the )?squar|how good|n_distances|distances? comput"
                r"|number of (the )?(computed )?distances|same (result|clusters|labels|answer)"
                r"|worse|recall",
                "One run may be quick because its clusters are bad. Which number would tell?",
            ),
        ],
        claims=[
            Idea(
                "believes_the_clock",
                claimed(
                    r"(because|since|as|due to|thanks to) (of )?(the |a |its )?(ball "
                    r")?(tree|index|search)"
                    r"[^.]{0,25}( log|logarithm| skip| prun|fewer|is (much )?(faster|quicker))",
                    # what is doubted is not claimed either
                    unless=NEGATION + "|whether|hardly",
                ),
                "Ten centroids fit into one leaf of the tree: it can skip nothing here. The "
                "seconds "
                "must come from somewhere else.",
            ),
            Idea(
                "blames_noise",
                r"(should|must|only|ha(ve|s) to|needs? to|better) (be )?(repeat|time|measure|run)"
                r"[^.]{0,40}(more often|more times|again|several times|average|many times)",
                "Repeating makes the seconds steadier. It does not make two different tasks equal.",
            ),
        ],
    )
    return "Same task, same quality, then the clock. (Your teacher may want to read it, too.)"


EXERCISES = (
    Exercise(
        "04-1",
        "Halve a sorted list",
        "recall",
        1,
        "looks_by_hand",
        "value",
        "How many looks does one point need when there are only two centroids? Four? Eight?",
        looks_by_hand,
    ),
    Exercise(
        "04-2",
        "What is left of the work",
        "apply",
        2,
        "share",
        "function",
        "After kneighbors, an index tells what it has computed in n_distances_. What would brute "
        "force have computed?",
        share_computed,
    ),
    Exercise(
        "04-3",
        "Find the break-even",
        "apply",
        2,
        "break_even",
        "function",
        "First decide for each k whether it pays. Then think of the case in which none does.",
        first_that_saves,
    ),
    Exercise(
        "04-4",
        "Who pays for the build?",
        "analyse",
        3,
        "pays_from",
        "function",
        "How much does one point save? What if that is zero, or less?",
        points_that_pay,
    ),
    Exercise(
        "04-5",
        "A race that is not fair",
        "analyse",
        2,
        "what_is_unfair",
        "text",
        "What does n_init do in scikit-learn? What does a run return besides the time it took?",
        unfair_race,
    ),
)

# -- quiz ----------------------------------------------------------------------------------------

QUESTIONS = (
    Question(
        "An iteration computes n times k distances. Which of the two can an index make smaller?",
        ("n, the points", "k, the centroids", "both"),
        "B",
        "The centroids are searched, so each point looks at fewer of them. But every point has to "
        "ask.",
    ),
    Question(
        "100,000 points, 10 centroids, a ball tree. How many of a million distances are computed?",
        ("about 300,000", "about a half", "exactly a million", "more than a million"),
        "D",
        "Ten centroids fit into one leaf, so all are compared, and the centre of the ball as well.",
    ),
    Question(
        "1,000 uniform centroids in 32 dimensions. What share does a kd-tree compute?",
        ("about 1%", "about 10%", "about 50%", "all of it"),
        "D",
        "All distances are about equal there, so no box is far enough away to be skipped.",
    ),
    Question(
        "Image patches have 192 columns, and a tree skips half of the work. How is that possible?",
        ("they fill few dimensions", "it misses neighbours", "pixels are whole numbers"),
        "A",
        "Neighbouring pixels resemble each other. The directions in which data vary count, not the "
        "columns.",
    ),
    Question(
        "A tree computes a third of the distances and takes three times as long. What is wrong?",
        ("the tree has a bug", "nothing, its distances are dearer", "the clock"),
        "B",
        "Comparing with everything is one matrix product. A tree has to jump and decide before "
        "each "
        "distance.",
    ),
)

# -- sheet ---------------------------------------------------------------------------------------


def draw_sheet(figure: Any) -> None:
    """Distances a point over k, and how the work grows with n and with k."""
    from annlab.datasets import make_uniform_cube
    from annlab.indexes import make_index
    from annlab.plotting import PALETTE
    from annlab.widgets._look import chart

    def seen(k: int, d: int, n: int = 200) -> float:
        index = make_index("kd_tree").fit(make_uniform_cube(k, d, random_state=0, dtype=float))
        index.kneighbors(make_uniform_cube(n, d, random_state=1, dtype=float), 1)
        return float(index.n_distances_) / n

    left, right = figure.subplots(1, 2, width_ratios=(1.6, 1))
    ks = (10, 32, 100, 320, 1000, 3200)
    chart(left, "centroids", "distances for one point", "a kd-tree, uniform points")
    left.plot(ks, ks, color="#1a1a1a", linewidth=2)
    for number, (d, marker) in enumerate(((16, "^"), (8, "s"), (2, "o"))):
        line = [seen(k, d) for k in ks]
        left.plot(ks, line, "none" if d == 16 else "-", marker=marker, color=PALETTE[2 - number])
        name = "brute force, and\n16 dimensions" if d == 16 else f"{d} dimensions"
        place = {"xytext": (10, -4), "textcoords": "offset points", "fontsize": 10}
        left.annotate(name, (ks[-1], line[-1]), **place)
        pays = next((i for i, k in enumerate(ks) if line[i] < 0.9 * k), None)
        if pays is not None:
            ring = {"markeredgecolor": "#1a1a1a", "markeredgewidth": 1.8, "markersize": 13}
            left.plot(ks[pays], line[pays], "D", color="none", **ring)
    left.set(xscale="log", yscale="log", xlim=(7, 90_000), ylim=(7, 9000))
    chart(right, "work is multiplied by", "", "ten times as many ...")
    bars = {
        "points": 10 * seen(1000, 2, 2000) / seen(1000, 2, 200),
        "centroids,\n2 dimensions": seen(10_000, 2) / seen(1000, 2),
        "centroids,\n16 dimensions": seen(10_000, 16) / seen(1000, 16),
    }
    right.barh(range(3), list(bars.values()), color=[PALETTE[4], PALETTE[0], PALETTE[0]])
    for bar, value in enumerate(bars.values()):
        right.text(value + 0.15, bar, f"{value:.1f}", va="center", fontsize=11)
    right.set_yticks(range(3), list(bars))
    right.set(xlim=(0, 12.5), xticks=(0, 5, 10))
    right.grid(False, axis="y")
    right.invert_yaxis()


SHEET = Sheet(
    draw=draw_sheet,
    caption="Diamonds: the first k at which the tree saves a tenth of the distances, its "
    "break-even. "
    "Right: every point still has to ask.",
    formula=r"$n \cdot k \cdot t \quad$ against $\quad B(k) + n \cdot s(k, d) \cdot t'$",
    reading="One iteration: n points and k centroids, compared with all of them; or a build B, and "
    "for each point s distances, which are dearer ones.",
    code="""\
from annlab import datasets, make_index
for k in (10, 100, 1000):
    index = make_index("kd_tree").fit(datasets.make_uniform_cube(k, 2, random_state=0))
    index.kneighbors(datasets.make_uniform_cube(500, 2, random_state=1), 1)
    print(k, index.n_distances_ / (500 * k))""",
    misconception="With an index, the search costs O(log n) for n points.",
    truth="Each of the n points has to ask. An index shrinks the k, if there are many centroids "
    "and "
    "few intrinsic dimensions.",
)

# -- notes for the teacher -----------------------------------------------------------------------

LESSON = Lesson(
    minutes=40,
    exercise_minutes=45,
    aims=(
        "say what n, d and k do to the work of k-means, and which of them an index can shrink",
        "find the break-even of an index by counting, before any clock is started",
        "take a benchmark apart: same start, same stopping rule, quality beside every second",
    ),
    prerequisites="topic 3, or at least its vocabulary; logarithms; NumPy's comparisons",
    misconceptions=(
        ("An index saves work over the points.", "04-1"),
        ("An index computes at most as much as brute force.", "04-2"),
        ("An index pays always, from the first centroid on.", "04-3"),
        ("Building is free; fewer distances are fewer seconds.", "04-4"),
        ("The quicker run has the better method.", "04-5"),
    ),
    lecture="Let somebody guess a number from 1 to 1,000 in front of the class, and count the "
    "questions: that is the sorted list. Take the vote on question 2 of the quiz before the "
    "benchmark "
    "of the deck is run, and show the two functions of the last exercise for two minutes of "
    "silence.",
)

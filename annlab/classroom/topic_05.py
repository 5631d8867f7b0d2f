"""Topic 5, choosing an index: checks, quiz, sheet and notes for the teacher."""

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
    Wrong,
    claimed,
)

# -- checks --------------------------------------------------------------------------------------


def hash_by_hand(case: Case, answer: Any) -> str:
    """05-1: which point a hash with two directions answers with."""
    X = np.array([[4, 3], [1, 5], [2, 1], [-3, -1], [-1, 2], [2, 4], [3, -2], [3, 6]])
    query, directions = np.array([1, 2]), np.array([[1, 0], [1, -1]])
    same = (X @ directions.T > 0) == (directions @ query > 0)
    gaps = ((X - query) ** 2).sum(axis=1)

    def nearest(rows: np.ndarray) -> int:
        return int(np.flatnonzero(rows)[gaps[rows].argmin()])

    bucket = same.all(axis=1)
    truth = nearest(bucket)
    case.compare(
        answer,
        truth,
        [
            Mistake(
                "brute_force",
                int(gaps.argmin()),
                "That is the true nearest point. It lies on the other side of a border, and the "
                "hash never looks there.",
            ),
            Mistake(
                "half_a_code",
                nearest(same[:, 1]),
                "That point has the same second sign as the query, but not the same first. The "
                "whole code has to agree.",
            ),
            Mistake(
                "off_by_one",
                truth + 1,
                "It is the right point, but its row number is one less: rows are counted from 0.",
            ),
            Mistake(
                "farthest",
                int(np.flatnonzero(bucket)[gaps[bucket].argmax()]),
                "That point is in the bucket of the query, but it is the farthest there.",
            ),
            Mistake(
                "count_not_row",
                int(bucket.sum()),
                "That is the number of points in the bucket. Which of them is nearest?",
            ),
            Mistake("not_nearest", 1, "That point is in the bucket, but another is nearer."),
        ],
        "Write down the two signs of each point. Who has the signs of the query?",
        what="The row number",
    )
    return "And the true nearest point, just across the border, was never looked at."


def collect_candidates(case: Case, answer: Any) -> str:
    """05-2: the candidates of a hash with several tables."""
    n, n_tables, n_hashes = 60, 3, 4
    code = case.rng.rand(n_tables, n_hashes) < 0.5
    codes = case.rng.rand(n, n_tables, n_hashes) < 0.5
    # by luck nobody might share two buckets, or only the first table might have any
    codes[7], codes[30, :2] = code, code[:2]
    for table, row in enumerate((11, 23, 42)):
        codes[row] = ~code
        codes[row, table] = code[table]
    codes[50:53] = ~code
    equal = codes == code
    shared = equal.all(axis=2)
    truth = np.flatnonzero(shared.any(axis=1))
    case.compare_rows(
        case.call(answer, codes, code),
        truth,
        n,
        [
            Mistake(
                "counts_twice",
                np.sort(np.nonzero(shared)[0]),
                "A row that shares two buckets is listed twice, and would be compared twice.",
            ),
            Mistake(
                "all_tables",
                np.flatnonzero(shared.all(axis=1)),
                "Only rows that share the bucket in every table are left. Each table is another "
                "chance: one is enough.",
            ),
            Mistake(
                "brute_force",
                np.arange(n),
                "It returns every row. A hash is there to leave most of them out.",
            ),
            Mistake(
                "first_table",
                np.flatnonzero(shared[:, 0]),
                "Only the first table is looked into.",
            ),
            Mistake(
                "last_table",
                np.flatnonzero(shared[:, -1]),
                "Only the last table is left. Does each turn of the loop overwrite what the turn "
                "before has found?",
            ),
            Mistake(
                "half_a_code",
                np.flatnonzero(equal.any(axis=(1, 2))),
                "One equal sign is not enough. Within a table the whole code has to agree.",
            ),
            Mistake(
                "half_a_code",
                np.flatnonzero(equal.any(axis=2).all(axis=1)),
                "One equal sign in each table is not enough: within a table the whole code has to "
                "agree, and one table is enough.",
            ),
        ],
        "Those are not the rows that share the bucket of the query in at least one table.",
    )
    return "Within a table all signs, of the tables any: that is why tables find more."


def find_front(case: Case, answer: Any) -> str:
    """05-3: the settings that nobody beats."""
    recalls = np.array([32, 31, 30, 29, 28, 27, 26, 26, 22, 20, 16]) / 32
    work = np.array([90, 60, 75, 66, 40, 40, 20, 33, 30, 25, 8])
    for _ in range(2):
        order = case.rng.permutation(len(work))
        r, w = recalls[order], work[order] * int(case.rng.randint(2, 9))
        finds_more, costs_less = r[:, None] > r, w[:, None] < w
        beats = ((finds_more & ~costs_less.T) | (costs_less & ~finds_more.T)).any(axis=0)
        # from the best recall down, compared only with the one before
        down = np.lexsort((w, -r))
        cheaper = np.append(True, np.diff(w[down]) < 0)
        case.compare_rows(
            case.call(answer, r, w),
            np.flatnonzero(~beats),
            len(w),
            [
                Mistake(
                    "keeps_ties",
                    np.flatnonzero(~(finds_more & costs_less).any(axis=0)),
                    "It keeps a setting although another one finds as much for less, or more for "
                    "the same work. Equal in one and better in the other is enough to beat it.",
                ),
                Mistake(
                    "compares_neighbours",
                    np.sort(down[cheaper]),
                    "It keeps a setting that is cheaper than the one before it in the order, but "
                    "not "
                    "cheaper than all before. Compare with the cheapest so far.",
                ),
                Mistake(
                    "work_turned_round",
                    np.flatnonzero(~(finds_more & (w[:, None] > w)).any(axis=0)),
                    "It looks for much work. Recall should be high, work should be low.",
                ),
                Mistake(
                    "best_only",
                    np.array([r.argmax()]),
                    "It returns only the setting that finds most. Others find less for less work.",
                ),
                Mistake(
                    "best_only",
                    np.array([w.argmin()]),
                    "It returns only the cheapest setting. Others find more, for more work.",
                ),
                Mistake(
                    "best_only",
                    np.sort([r.argmax(), w.argmin()]),
                    "It returns only the two ends of the front. Between them are others that "
                    "nobody "
                    "beats.",
                ),
                Mistake(
                    "keeps_the_beaten",
                    np.flatnonzero(beats),
                    "It returns those that are beaten. The front is made of the others.",
                ),
                Mistake(
                    "beaten_in_one",
                    np.flatnonzero(~(finds_more | costs_less).any(axis=0)),
                    "Nothing is left: to be beaten, a setting must not be better in anything.",
                ),
                Mistake(
                    "values_not_rows",
                    np.sort(r[~beats]),
                    "It returns recalls. Return the row numbers of these settings.",
                ),
                Mistake(
                    "values_not_rows",
                    np.sort(w[~beats]),
                    "It returns the work. Return the row numbers of these settings.",
                ),
            ],
            "Ask of each setting: does another find at least as much, for no more work?",
        )
    return "Everything else can be forgotten: somebody does it better."


def choose_and_report(case: Case, answer: Any) -> str:
    """05-4: choose on one half of the queries, report the other."""
    half, wanted = 32, 0.75
    # hits in the half to choose with, hits in the other half, work
    plan = np.array([[32, 31, 90], [24, 19, 30], [20, 30, 20], [28, 27, 45], [15, 16, 5]])
    best, truth, peek, strict, cheap = range(5)
    for _ in range(2):
        place = case.rng.permutation(len(plan))
        hits = np.zeros((len(plan), 2 * half), dtype=bool)
        for row, counts in zip(place, plan, strict=True):
            for part in (0, 1):
                hits[row, part * half + case.rng.choice(half, counts[part], replace=False)] = True
        work = np.empty(len(plan), dtype=int)
        work[place] = plan[:, 2] * int(case.rng.randint(2, 9))

        def pair(
            which: int, first: int = 0, last: int = 2, place: Any = place, hits: Any = hits
        ) -> np.ndarray:
            row = place[which]
            return np.array([row, hits[row, first * half : last * half].mean()])

        got = case.call(answer, hits, work, wanted)
        if np.ndim(got) == 0:
            raise Wrong("wrong_shape", "Two numbers are wanted: the setting and its recall.")
        case.compare(
            got,
            pair(truth, 1),
            [
                Mistake(
                    "tuned_on_report",
                    pair(truth, 0, 1),
                    "The choice is right. But the recall that you report is that of the queries "
                    "you have chosen by: it is flattered by luck.",
                ),
                Mistake(
                    "tuned_on_report",
                    pair(truth),
                    "The choice is right. But the recall is that of all queries, and half of them "
                    "are those that you have chosen by.",
                ),
                Mistake(
                    "chooses_with_all",
                    pair(peek),
                    "You choose and report with all queries. Keep the second half out of the "
                    "choice.",
                ),
                Mistake(
                    "chooses_with_all",
                    pair(peek, 1),
                    "The second half takes part in the choice. It must be new when you report it.",
                ),
                Mistake(
                    "halves_swapped",
                    pair(peek, 0, 1),
                    "The halves are swapped: choose with the first, report the second.",
                ),
                Mistake(
                    "strict_bound",
                    pair(strict, 1),
                    "A cheaper setting has exactly the recall that is wanted. That is enough.",
                ),
                Mistake(
                    "best_not_cheapest",
                    pair(best, 1),
                    "That is the setting with the best recall. Asked for is the cheapest of those "
                    "that find enough.",
                ),
                Mistake(
                    "ignores_wanted",
                    pair(cheap, 1),
                    "That is the cheapest of all settings. It does not find enough.",
                ),
                Mistake(
                    "position_among_chosen",
                    np.array(
                        [
                            np.searchsorted(np.sort(place[[best, truth, strict]]), place[truth]),
                            pair(truth, 1)[1],
                        ]
                    ),
                    "The recall is right, but the number is a place among those that find enough. "
                    "Which row of hits is that?",
                ),
            ],
            "Choose the cheapest setting that finds enough in the first half of the columns, and "
            "report its recall in the second.",
            what="What your function returns",
        )
    return "Chosen on one half, reported on the other: that is an honest number."


def what_was_timed(case: Case, answer: Any) -> str:
    """05-5: free text."""
    case.explain(
        answer,
        ideas=[
            Idea(
                "missing_build",
                r"\bbuil[dt]|\bfit|set(ting)?[ -]?up|construct|creat|prepar",
                "What happens between the start of his clock and the only query?",
            ),
            Idea(
                "missing_many",
                r"many|several|thousands?|hundreds?|1,?000|more (than one|queries)|lots|all (the )?"
                r"(points|queries)|each (point|query)|per query|number of queries|queries",
                "How often does k-means ask, once an index is built?",
            ),
        ],
        claims=[
            Idea(
                "blames_accuracy",
                claimed(
                    r"trees? (is|are|may|might|can|could|do|will|only|give|return|find)\b"
                    r"[^.;?]{0,40}(approximat|less accurate|inaccurate|\bmiss(es)?\b|inexact"
                    r"|wrong)",
                    unless=NEGATION + "|both exact|all exact",
                ),
                "A ball tree and a kd-tree are exact, like brute force. There is no accuracy to be "
                "had for the time.",
            ),
            Idea(
                "blames_noise",
                r"(repeat|average)[^.;?]{0,30}(measurement|timing|experiment|race|clock)"
                r"(?![^.;?]*quer)",
                "Repeating the same race makes the same mistake more precisely. What is inside the "
                "clock that should not be?",
            ),
            Idea(
                "believes_brute",
                r"(he|colleague) is (quite |perfectly )?right|brute force (is|will be) always",
                "For a single query he is. k-means asks with every point.",
            ),
        ],
    )
    return "Build apart, and many queries. (Your teacher may want to read it, too.)"


EXERCISES = (
    Exercise(
        "05-1",
        "A hash by hand",
        "recall",
        1,
        "answer_of_the_hash",
        "value",
        "For each point two questions: is x above 0? Is x above y?",
        hash_by_hand,
    ),
    Exercise(
        "05-2",
        "Collect the candidates",
        "apply",
        2,
        "candidates",
        "function",
        "codes == code compares all signs at once. Over which axis must all agree, and over which "
        "is any enough?",
        collect_candidates,
    ),
    Exercise(
        "05-3",
        "The front",
        "apply",
        2,
        "front",
        "function",
        "Sort by recall, the best first, and remember the smallest work that you have met.",
        find_front,
    ),
    Exercise(
        "05-4",
        "Choose, and report honestly",
        "analyse",
        3,
        "choose",
        "function",
        "hits[:, :half] and hits[:, half:] have different duties. Which one may you look at first?",
        choose_and_report,
    ),
    Exercise(
        "05-5",
        "What was timed?",
        "analyse",
        2,
        "what_was_measured",
        "text",
        "What would each of the three cost for a second query?",
        what_was_timed,
    ),
)

# -- quiz ----------------------------------------------------------------------------------------

QUESTIONS = (
    Question(
        "Hashing with one table and one probe: which rows is a query compared with?",
        ("those in its bucket", "those in all near buckets", "all rows"),
        "A",
        "It never looks across a border, even if the nearest neighbour is just behind it.",
    ),
    Question(
        "More hashes in each table, and nothing else is changed. What happens?",
        ("more work, more found", "less work, less found", "less work, more found"),
        "B",
        "Buckets get smaller. (When they are too small to answer at all, brute force has to fill "
        "in.)",
    ),
    Question(
        "The deck races ball_tree, kd_tree and brute. Which of them has the lowest recall?",
        ("ball_tree", "kd_tree", "brute", "none, they are equal"),
        "D",
        "All three are exact, so there is no accuracy to trade for speed.",
    ),
    Question(
        "A has recall 0.9 and work 50, B has recall 0.8 and work 60. When would you take B?",
        ("when time is short", "when 0.8 is enough", "never"),
        "C",
        "B finds less and costs more. It is not on the front, so there is always a better choice.",
    ),
    Question(
        "You will ask a single query of a million new rows. Which index do you build?",
        ("none", "a kd-tree", "an HNSW graph", "a hash"),
        "A",
        "Every build looks at all rows. So does brute force, once, and then it has the answer.",
    ),
)

# -- sheet ---------------------------------------------------------------------------------------


def draw_sheet(figure: Any) -> None:
    """Show a query beside a border, and a front on handwritten digits."""
    from annlab.datasets import load_digits_data
    from annlab.indexes import make_index
    from annlab.metrics import recall_at_k
    from annlab.plotting import PALETTE
    from annlab.widgets._look import ALARM, chart, plane

    left, right = figure.subplots(1, 2)
    X, query = np.random.RandomState(12).uniform(-1, 1, (36, 2)), np.array([-0.12, 0.5])
    # room around the query, and its true nearest point behind the border
    X = np.vstack([X[np.linalg.norm(X - query, axis=1) > 0.45], [[0.17, 0.43], [-0.5, 0.68]]])
    bucket = ((X > 0) == (query > 0)).all(axis=1)
    gaps = np.linalg.norm(X - query, axis=1)
    found = np.flatnonzero(bucket)[gaps[bucket].argmin()]
    plane(left, ((-1.05, 1.05), (-1.05, 1.05)), "two hashes make four buckets")
    left.axhline(0, color="#1a1a1a", linewidth=1.2)
    left.axvline(0, color="#1a1a1a", linewidth=1.2)
    left.scatter(*X[~bucket].T, s=26, color="#9a9a9a")
    left.scatter(*X[bucket].T, s=32, color=PALETTE[0], marker="s")
    for row, style in ((found, "-"), (gaps.argmin(), ":")):
        left.plot(*np.array([query, X[row]]).T, style, color="#1a1a1a", linewidth=1.8)
    left.plot(*query, "X", color=ALARM, markersize=12)

    digits = load_digits_data().X.astype(float)
    asked, rows = digits[:150], digits[150:]
    truth = make_index("brute").fit(rows).kneighbors(asked, 1)
    points = []
    for tables in (1, 4, 16):
        for hashes in (2, 4, 6, 8):
            knobs = {"n_tables": tables, "n_hashes": hashes, "n_probes": 1, "random_state": 0}
            index = make_index("lsh", family="hyperplane", **knobs).fit(rows)
            recall = recall_at_k(index.kneighbors(asked, 1), truth)
            points.append((recall, index.n_distances_ / (len(asked) * len(rows)), tables))
    chart(right, "recall", "share of rows compared", "digits: hashing with t tables")
    kept: list[tuple[float, float, int]] = []
    for point in sorted(points, key=lambda one: (-one[0], one[1])):
        if not kept or point[1] < kept[-1][1]:
            kept.append(point)
    recalls, work, _ = zip(*kept, strict=True)
    right.plot(recalls, work, color="#8a8a8a", linewidth=4, zorder=0, label="front")
    for number, (tables, marker) in enumerate(((1, "o"), (4, "s"), (16, "^"))):
        x, y, _ = zip(*[one for one in points if one[2] == tables], strict=True)
        right.plot(x, y, marker, color=PALETTE[number], markersize=8, label=f"t = {tables}")
    right.set(xlim=(0, 1.05), ylim=(0, 1.05))
    right.legend(loc="upper left", fontsize=10, frameon=False)


SHEET = Sheet(
    draw=draw_sheet,
    caption="Left: the query (X) is compared with its bucket (squares) only; the dotted line leads "
    "to the true nearest. Right: nobody beats the settings on the grey line.",
    formula=r"$\mathrm{code}(x) = (\, a_1 \cdot x > 0,\ \ldots,\ a_h \cdot x > 0 \,)$",
    reading="On which side of h directions a point lies. Points with the same code share a bucket.",
    code="""\
from annlab import benchmark_ann, datasets
X = datasets.load_digits_data().X
for probes in (1, 4, 16, 64):
    run = benchmark_ann(X, "lsh", n_queries=100, algorithm_params={"n_probes": probes})
    print(probes, run.recall, run.n_distances)""",
    misconception="There is a best index; one has to know which.",
    truth="There is a front: settings that nobody beats in both recall and work. It is another "
    "one for "
    "other data. Say which recall you need and take the cheapest.",
)

# -- notes for the teacher -----------------------------------------------------------------------

LESSON = Lesson(
    minutes=45,
    exercise_minutes=50,
    aims=(
        "hash points with a pencil, and say what the number of hashes and of tables do",
        "read a front of recall and work, and find the cheapest setting for a recall",
        "spot what is missing in a comparison: many queries, a separate build, an approximate "
        "competitor",
    ),
    prerequisites="topic 2 for recall; dot products and their sign; boolean arrays in NumPy",
    misconceptions=(
        ("Near points always share a bucket.", "05-1"),
        ("More tables make the answer stricter.", "05-2"),
        ("A setting that is better in nothing may still be useful.", "05-3"),
        ("The recall that one has tuned for is the recall that one gets.", "05-4"),
        ("One query tells how fast an index is.", "05-5"),
    ),
    lecture="Draw the eight points of exercise 05-1 on the board, and let the class shout the two "
    "signs "
    "of each before anybody speaks of buckets. In the race of the notebook ask for recall 0.9 "
    "first, "
    "then 0.99: how much more does it cost?",
)

"""Topic 13, parallel processing: checks, quiz, sheet and notes for the teacher."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
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


def reckon_speed_up(case: Case, answer: Any) -> str:
    """13-1: Amdahl's law on paper."""
    from annlab.benchmarks.scaling import amdahl

    alone, serial, workers = 90.0, 10.0, 4
    truth = amdahl(serial / alone, workers)
    case.compare(
        answer,
        truth,
        [
            Mistake(
                "ideal",
                workers,
                "That would be so if all of the work could be divided. Ten milliseconds cannot.",
            ),
            Mistake(
                "time_not_ratio",
                alone / truth,
                "Those are the milliseconds that are left. A speed-up is a ratio of two times.",
            ),
            Mistake(
                "turned_round",
                1 / truth,
                "Turned round: the time on one core is divided by the time on four.",
            ),
            Mistake(
                "limit",
                alone / serial,
                "That is the limit for more and more workers. Here there are only four.",
            ),
            Mistake(
                "shares_swapped",
                amdahl(1 - serial / alone, workers),
                "You divide the serial part among the workers, and leave the other to one of them.",
            ),
            Mistake(
                "share_of_the_rest",
                amdahl(serial / (alone - serial), workers),
                "The serial share is a share of the whole time, and not of what can be divided.",
            ),
        ],
        "Which milliseconds are there whatever the number of workers, and what is left of the "
        "others?",
        what="The speed-up",
    )
    return "A ninth is serial, and four workers are only that much faster."


def join_chunks(case: Case, answer: Any) -> str:
    """13-2: from the sums of the chunks to centroids."""
    chunks, k, d = 5, 4, 2
    counts = case.rng.randint(1, 30, size=(chunks, k))
    # one cluster is missing in one chunk only, another in all of them
    counts[0, 1] = counts[:, 3] = 0
    sums = counts[..., None] * (5.0 + case.rng.randn(chunks, k, d))
    centroids = 5.0 + case.rng.randn(k, d)
    total = counts.sum(axis=0)
    used = total > 0
    truth = centroids.copy()
    truth[used] = sums.sum(axis=0)[used] / total[used, None]
    with np.errstate(all="ignore"):
        each = sums / counts[..., None]
    present = np.where(counts > 0, 1.0, 0.0)[..., None]
    plain = np.nan_to_num(each)
    averages = (
        each.mean(axis=0),
        plain.mean(axis=0),
        plain.sum(axis=0) / np.maximum(present.sum(axis=0), 1.0),
    )

    def with_hole(value: np.ndarray, hole: Any) -> np.ndarray:
        changed = np.array(value)
        changed[3] = hole
        return changed

    case.compare(
        case.call(answer, sums, counts, centroids),
        truth,
        [
            Mistake(
                "empty_cluster_nan",
                with_hole(truth, np.nan),
                "The cluster that has no point in any chunk became NaN: zero is divided by zero. "
                "Let its centroid stay where it is.",
            ),
            Mistake(
                "empty_cluster_zero",
                with_hole(truth, 0.0),
                "The cluster that has no point in any chunk jumps to the origin. Let its centroid "
                "stay where it is.",
            ),
            Mistake(
                "empty_cluster_dropped",
                truth[used],
                "A cluster without points has vanished, and those behind it change their numbers. "
                "Let its centroid stay where it is.",
            ),
            *(
                Mistake(
                    "mean_of_means",
                    with_hole(value, hole),
                    "It averages the means of the chunks. A chunk with two points of a cluster "
                    "then weighs as much as one with twenty. What can be added up without harm?",
                )
                for value in averages
                for hole in (centroids[3], np.nan, 0.0)
            ),
            *(
                Mistake(
                    "last_chunk",
                    with_hole(plain[-1], hole),
                    "Only the last chunk counts: those before it are overwritten.",
                )
                for hole in (centroids[3], np.nan, 0.0)
            ),
            *(
                Mistake(
                    "sum_not_mean",
                    with_hole(sums.sum(axis=0), hole),
                    "Those are sums. A centroid is a mean: by what must they be divided?",
                )
                for hole in (0.0, centroids[3])
            ),
        ],
        "Those are not the means of all points of each cluster.",
        what="What your function returns",
    )
    return "Sums and counts can be added up; means cannot."


def cut_rows(case: Case, answer: Any) -> str:
    """13-3: chunks that follow from the data alone."""
    from annlab._support.threads import chunk_bounds

    odd = int(case.rng.randint(41, 49))
    for n, rows in ((odd, 10), (60, 12), (7, 20), (3 * odd, odd)):
        truth = np.array(chunk_bounds(n, rows))
        got = case.call(answer, n, rows)
        if isinstance(got, Iterator):
            got = list(islice(got, n + 2))
        begins = np.arange(0, n, rows)
        pieces = [
            (part[0], part[-1] + 1) for part in np.array_split(np.arange(n), rows) if len(part)
        ]
        empty = np.append(truth, [(n, n)], axis=0)
        case.compare(
            got,
            truth,
            [
                Mistake(
                    "drops_remainder",
                    truth[: n // rows],
                    f"With {n} rows and chunks of {rows} it loses the rows at the end. The last "
                    "chunk may be shorter than the others.",
                ),
                Mistake(
                    "overruns",
                    np.column_stack([begins, begins + rows]),
                    f"With {n} rows the last chunk ends behind the data. NumPy's slices forgive "
                    "that; who counts rows by the bounds will count too many.",
                ),
                Mistake(
                    "off_by_one",
                    truth - [0, 1],
                    "The end of a chunk is the row behind its last one, as in Python's slices. "
                    "With these bounds X[begin:end] leaves a row out.",
                ),
                Mistake(
                    "empty_chunk",
                    empty,
                    f"With {n} rows and chunks of {rows} there is a chunk without rows at the end.",
                ),
                Mistake(
                    "empty_chunk",
                    np.append(truth, [(n, n + rows)], axis=0),
                    f"With {n} rows and chunks of {rows} there is one chunk too many: it begins "
                    "behind the last row.",
                ),
                Mistake(
                    "pieces_not_rows",
                    pieces,
                    f"It makes {rows} chunks. Asked for are chunks of {rows} rows each, however "
                    "many that will be.",
                ),
            ],
            f"For {n} rows in chunks of {rows} the bounds are other ones.",
            what="What your function returns",
        )
    return "The cut knows the data and not the workers, so everybody gets the same sums."


class _Pool:
    """A pool that does the tasks itself, the last one first, and notes how many there were."""

    def __init__(self, n_workers: int) -> None:
        self.n_workers = n_workers
        self.tasks: list[int] = []

    def __deepcopy__(self, memo: Any) -> _Pool:
        # the check hands out copies, and wants to read this one
        return self

    def map(self, function: Callable[[Any], Any], tasks: Iterable[Any]) -> list[Any]:
        todo = list(tasks)
        self.tasks.append(len(todo))
        return [function(task) for task in reversed(todo)][::-1]


def share_an_iteration(case: Case, answer: Any) -> str:
    """13-4: one iteration, handed out in chunks."""
    n, rows, k = 103, 20, 3
    centroids = np.array([[0.0, 0.0], [50.0, 0.0], [0.0, 50.0]])
    which = case.rng.choice(k, size=n, p=[0.7, 0.2, 0.1])
    for begin in range(0, n, rows):
        # every cluster has a point in every chunk
        which[begin : begin + k] = range(k)
    X = centroids[which] + 3.0 * case.rng.randn(n, 2)
    start = centroids + 2.0

    def means(X: np.ndarray, which: np.ndarray) -> np.ndarray:
        return np.array([X[which == j].mean(axis=0) for j in range(k)])

    of_chunks = [means(X[a : a + rows], which[a : a + rows]) for a in range(0, n, rows)]
    whole = n // rows * rows
    wanted = -(-n // rows)
    mistakes = [
        Mistake(
            "mean_of_means",
            np.mean(of_chunks, axis=0),
            "It averages the means of the chunks, so that a point in a short chunk weighs more "
            "than one in a long chunk. What can a task return that may simply be added?",
        ),
        Mistake(
            "drops_remainder",
            means(X[:whole], which[:whole]),
            "The rows at the end are in no chunk, since they do not fill one.",
        ),
        Mistake("last_chunk", of_chunks[-1], "Only the last chunk counts: add the others to it."),
        Mistake("never_moves", start, "It returns the centroids that it was given."),
    ]
    for n_workers in (2, 4):
        pool = _Pool(n_workers)
        got = case.call(answer, X, start, rows, pool)
        if not pool.tasks:
            raise Wrong(
                "no_pool",
                "It does all the work by itself. Let the pool's map do the tasks: that is where "
                "the workers are.",
            )
        if wanted not in pool.tasks and n_workers in pool.tasks:
            raise Wrong(
                "cut_by_workers",
                "It makes as many chunks as there are workers. On another machine the sums then "
                "have their brackets elsewhere, and the last digits differ. Use rows.",
            )
        case.compare(
            got,
            means(X, which),
            mistakes,
            "The centroids are not the means of the points that are nearest to the old ones.",
            what="What your function returns",
        )
        if any(number != wanted for number in pool.tasks):
            raise Wrong(
                "other_chunks",
                f"The centroids are right. But {n} points in chunks of {rows} rows are {wanted} "
                f"tasks, and the pool was handed {pool.tasks[0]}.",
            )
    return "Cut by the data, added in order: it does not matter how many workers there are."


def why_slower(case: Case, answer: Any) -> str:
    """13-5: free text."""
    case.explain(
        answer,
        ideas=[
            Idea(
                "missing_cost",
                r"\bsen[dt]|transfer|travel|cop(y|ies|ied)|pickl|seriali[sz]|pipe|shipp?|overhead"
                r"|start|launch|spawn|creat|set(ting)?[- ]up|\bfork|communicat|bytes",
                "What has to be done for four processes that one core need not do at all?",
            ),
            Idea(
                "missing_remedy",
                r"\bonce\b|(one|a single|same) pool|re-?us|\bkeep|\bkept|\bstay|thread|persist"
                r"|shar(ed|e|ing)[- ](the )?mem|memory[- ]?map"
                r"|(outside|before|above) (of )?the loop"
                r"|(only|just) (send|exchang)|(send|exchang)\w* (only|just)"
                r"|(at|from) the (start|beginn)"
                r"|\bonly (the )?(centroids|sums|labels)|\bleav|one core|more (centroids|clusters)",
                "You say where the time goes. Say also what you would change.",
            ),
        ],
        claims=[
            Idea(
                "blames_lock",
                r"\b(gil|lock)\b(?![^.]{0,30}(n't|not|releas|give|free))[^.]{0,40}"
                r"(block|prevent|slow|wait|one at a time|stop|lets only|allows only)"
                r"|" + claimed(r"because of the (gil|global|interpreter|lock)", before=True),
                "Each process has an interpreter of its own, with a lock of its own: it is threads "
                "that have to share one. Look for something else that takes time.",
            ),
            Idea(
                "wants_more_workers",
                claimed(
                    r"\b(needs?|use|take|add|try) (more|eight|8|sixteen|16) "
                    r"(processes|workers|cores)|too few (processes|workers|cores)"
                    r"|more (processes|workers|cores) (would|will|should|could) (?!not|never)",
                    before=True,
                ),
                "More processes have to be started and to be fed as well. Why did four not even "
                "reach the speed of one?",
            ),
        ],
    )
    return "Small things may travel, points should not. (Your teacher may want to read it, too.)"


EXERCISES = (
    Exercise(
        "13-1",
        "Amdahl with a pencil",
        "recall",
        1,
        "speed_up_by_hand",
        "value",
        "First find the milliseconds that one iteration takes with four workers.",
        reckon_speed_up,
    ),
    Exercise(
        "13-2",
        "Join what the chunks bring",
        "apply",
        2,
        "join",
        "function",
        "Add up over the chunks first, and divide last. For which clusters may you divide?",
        join_chunks,
    ),
    Exercise(
        "13-3",
        "Cut by the data",
        "apply",
        2,
        "cut",
        "function",
        "range takes a step; and what is the smaller of two numbers at the last chunk?",
        cut_rows,
    ),
    Exercise(
        "13-4",
        "Share an iteration",
        "analyse",
        3,
        "shared_move",
        "function",
        "A task gets rows of X and gives back, for each cluster, what the mean is made of.",
        share_an_iteration,
    ),
    Exercise(
        "13-5",
        "Four are slower than one",
        "analyse",
        2,
        "why_slower",
        "text",
        "Choose the way 'new processes' in the scaling explorer, and see which colours grow.",
        why_slower,
    ),
)

# -- quiz ----------------------------------------------------------------------------------------

QUESTIONS = (
    Question(
        "A tenth of the work is serial. How fast can a thousand cores be, against one?",
        ("1,000 times", "900 times", "100 times", "not even 10 times"),
        "D",
        "The serial tenth takes as long as before. If the rest took no time at all, the whole "
        "would be ten times as fast.",
    ),
    Question(
        "Two chunks give the means 2 and 8 of the same cluster. What is its centroid?",
        ("5", "10", "it depends on the counts"),
        "C",
        "With nine points in one chunk and one in the other it is nowhere near 5. Sums and counts "
        "can be added, means cannot.",
    ),
    Question(
        "A pool is started in each iteration. What do its processes get through their pipes?",
        ("all points, every time", "only the centroids", "nothing"),
        "A",
        "A process has a memory of its own: the points are sent again, although no point has "
        "changed.",
    ),
    Question(
        "Your laptop has 4 cores, the server 16, and the centroids differ in the last digits. Why?",
        ("one has a faulty core", "chunks were cut by cores", "another random seed"),
        "B",
        "Every addition rounds, so a sum depends on its brackets. Cut by the data, and both "
        "machines agree to the last bit.",
    ),
    Question(
        "Only one Python thread at a time holds the lock. Are threads useless for k-means?",
        ("yes", "no, NumPy gives it back", "only on Windows"),
        "B",
        "While NumPy computes, the lock is free for another thread. And threads read the points "
        "where they lie: nothing is sent.",
    ),
)

# -- sheet ---------------------------------------------------------------------------------------


def draw_sheet(figure: Any) -> None:
    """Amdahl's curves, and the bytes that travel in an iteration."""
    from annlab.benchmarks.scaling import amdahl
    from annlab.plotting import PALETTE
    from annlab.widgets._look import chart

    left, right = figure.subplots(1, 2, width_ratios=(1.15, 1))
    workers = np.array([1, 2, 4, 8, 16])
    for share, marker, color in zip((0.0, 0.05, 0.25), "os^", PALETTE, strict=False):
        speed = amdahl(share, workers)
        left.plot(workers, speed, marker=marker, color=color)
        left.annotate(
            f"{share:.0%} serial", (16, speed[-1]), (-6, 7), textcoords="offset points", ha="right"
        )
    left.set_xticks(workers)
    left.set_ylim(0, 18)
    chart(left, "workers", "times as fast", "What Amdahl allows")
    n, d, k, p = 100_000, 10, 10, 4
    sent = {"points": 8 * n * d, "centroids,\nsums, counts": p * (8 * k * d + 8 * k * (d + 1))}
    bars = right.bar(list(sent), list(sent.values()), width=0.55, color=[PALETTE[3], PALETTE[2]])
    # told apart without colour, too
    bars[0].set(hatch="//", edgecolor="white")
    right.bar_label(
        bars,
        [f"{b / 1e6:.0f} MB" if b > 1e6 else f"{b / 1e3:.0f} kB" for b in sent.values()],
        padding=3,
    )
    right.set_yscale("log")
    right.set_ylim(100, 1e8)
    chart(right, title="Bytes that may travel")


SHEET = Sheet(
    draw=draw_sheet,
    caption="Left: the serial share limits the speed-up. Right: an iteration on 100,000 points of "
    "10 features, 10 clusters, 4 processes.",
    formula=r"$S(p) = \frac{1}{s + (1 - s) \, / \, p} \;\leq\; \frac{1}{s}$",
    reading="Amdahl's law: the speed-up of p workers, if a share s of the time cannot be divided.",
    code="""\
from annlab import parallel_kmeans_ann
from annlab.datasets import make_uniform_cube
X = make_uniform_cube(20_000, 10, random_state=0)
fits = [parallel_kmeans_ann(X, 10, 5, n_jobs=p, random_state=0) for p in (1, 2, 4)]
print(len({fit.centroids.tobytes() for fit in fits}))""",
    misconception="Four processes make k-means nearly four times as fast.",
    truth="Processes have to be started, and points have to be sent to them. That may cost more "
    "than the work itself. Start once, send centroids and sums, and measure against one core.",
)

# -- notes for the teacher -----------------------------------------------------------------------

LESSON = Lesson(
    minutes=45,
    exercise_minutes=45,
    aims=(
        "cut k-means into tasks whose result does not depend on who does them",
        "reckon the largest possible speed-up from one measurement on one core",
        "decide what should travel between workers, and what should stay",
    ),
    prerequisites="topic 1; loops, means and sums in NumPy",
    misconceptions=(
        ("Four workers are four times as fast.", "13-1"),
        ("The means of the chunks can be averaged.", "13-2"),
        ("Data are cut into as many chunks as there are cores.", "13-4"),
        ("A pool of processes costs nothing.", "13-5"),
    ),
    lecture="Play it: four students add up the heights of the class, first with a list carried to "
    "each of them, then with the rows where they sit. Take the vote on question 2 of the quiz "
    "before anybody writes a task.",
)

"""Topic 2, approximate nearest neighbours: checks, quiz, sheet and notes for the teacher."""

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
)

# -- checks --------------------------------------------------------------------------------------


def _chain(n: int, *extra: tuple[int, int]) -> dict[int, list[int]]:
    """Points in a row, each linked with its neighbours, and some links besides."""
    links = {i: [j for j in (i - 1, i + 1) if 0 <= j < n] for i in range(n)}
    for one, other in extra:
        links[one].append(other)
        links[other].append(one)
    return links


def _graph(X: np.ndarray, links: dict[int, list[int]], entry: int) -> Any:
    """Make the graph that annlab's walk takes of these links: one layer."""
    from annlab.indexes.walk import NavigableGraph

    rows = np.arange(len(X))
    layer = tuple(np.array(links[int(node)], dtype=np.int64) for node in rows)
    return NavigableGraph(X, np.zeros_like(rows), (layer,), entry, rows)


def walk_by_hand(case: Case, answer: Any) -> str:
    """02-1: how many distances a greedy walk measures."""
    # the walk from 0 to 9.3, followed hop by hop: who is measured, and where it stands
    links, target, node = _chain(12, (0, 8)), 9.3, 0
    measured, hops = {0}, 0
    while True:
        measured.update(links[node])
        best = min([node, *links[node]], key=lambda place: abs(place - target))
        if best == node:
            break
        node, hops = best, hops + 1
    case.compare(
        answer,
        len(measured),
        [
            Mistake(
                "hops_not_distances",
                hops,
                "That is the number of steps. At every stop she measures all points that are "
                "linked from there.",
            ),
            Mistake(
                "hops_not_distances",
                hops + 1,
                "That is the number of places where she stands. At each of them she measures all "
                "points that are linked from there.",
            ),
            Mistake(
                "off_by_one",
                len(measured) - 1,
                "One is missing. Did you count the point that she measures last, before she knows "
                "that she has arrived? And the one where she begins?",
            ),
            Mistake("brute_force", 12, "That is brute force: she does not measure every point."),
            Mistake(
                "ignores_the_link",
                11,
                "That is the walk along the chain. There is a link from 0 to 8.",
            ),
            Mistake(
                "counts_twice",
                len(measured) + hops,
                "You count some points twice. What has been measured once is known.",
            ),
        ],
        "Follow her with a finger: write down every point that she measures, once.",
        what="The number of distances",
    )
    return "One long link saves most of the walk."


def write_recall(case: Case, answer: Any) -> str:
    """02-2: recall of a search for several neighbours."""
    truth = np.array([case.rng.choice(50, 5, replace=False) for _ in range(30)])
    found = truth.copy()
    for row in found:
        lost = case.rng.randint(1, 4)
        # in place of them come points that are neighbours of other queries
        row[:lost] = case.rng.choice(np.setdiff1d(np.arange(50), row), lost, replace=False)
        case.rng.shuffle(row)
    hits = np.array([len(set(a) & set(b)) for a, b in zip(found, truth, strict=True)])
    case.compare(
        case.call(answer, found, truth),
        hits.sum() / truth.size,
        [
            Mistake(
                "compares_places",
                (found == truth).mean(),
                "It compares place by place. A neighbour that is found counts wherever it stands "
                "in the row.",
            ),
            Mistake(
                "all_or_nothing",
                (hits == 5).mean(),
                "It counts the queries with all neighbours right. Recall is the share of the "
                "neighbours that were found.",
            ),
            Mistake("all_or_nothing", (hits > 0).mean(), "It counts queries with any hit at all."),
            Mistake(
                "count_not_share",
                hits.sum(),
                "It returns the number of hits. Recall is a share, from 0 to 1.",
            ),
            Mistake(
                "count_not_share",
                hits.mean(),
                "It returns hits for each query. Divide by the number of neighbours as well.",
            ),
            Mistake("share_of_misses", 1 - hits.sum() / truth.size, "It returns what is missed."),
            Mistake(
                "mixes_queries",
                np.isin(found, truth).mean(),
                "It looks for a neighbour among those of all queries. Each row is a query of its "
                "own: compare it with the same row of the truth.",
            ),
        ],
        "It is not the share of the true neighbours that were found.",
        what="What your function returns",
    )
    return "Recall asks how many of the true neighbours were found, in whatever order."


def other_neighbors(case: Case, answer: Any) -> str:
    """02-3: the neighbours of a point, without the point itself."""
    from annlab.distances import k_nearest

    X, m = case.rng.randn(40, 3), 4
    order = k_nearest(X, X, m + 2)[1]
    case.compare(
        case.call(answer, X, m),
        order[:, 1 : m + 1],
        [
            Mistake(
                "counts_itself",
                order[:, :m],
                "Each point is its own first neighbour here: the query lies in the index, at "
                "distance 0. Ask for one more, and leave the first out.",
            ),
            Mistake(
                "off_by_one",
                order[:, 1:m],
                "The point itself is left out, and one neighbour with it: there is one too few.",
            ),
            Mistake("counts_itself", order[:, : m + 1], "The point itself is still among them."),
            Mistake(
                "off_by_one", order[:, 2 : m + 2], "The very nearest neighbour is left out, too."
            ),
        ],
        "Those are not the nearest other points, the nearest first.",
        what="What your function returns",
    )
    return "Nobody is a neighbour of himself."


def greedy_walk(case: Case, answer: Any) -> str:
    """02-4: where a greedy walk ends."""
    from annlab.indexes.walk import greedy_walk as walk

    wrong_side = False
    for _ in range(12):
        X = case.rng.rand(40, 2)
        links = _chain(40, (0, 20), (10, 30))
        # sorted by angle: links are short, and the walk can get stuck
        X = X[np.argsort(np.arctan2(X[:, 1] - 0.5, X[:, 0] - 0.5))]
        query, node = case.rng.rand(2), int(case.rng.randint(40))
        truth = walk(_graph(X, links, node), query, ef=1)[-1].best
        nearest = int(((X - query) ** 2).sum(axis=1).argmin())
        first = min([node, *links[node]], key=lambda i: ((X[i] - query) ** 2).sum())
        wrong_side |= truth != nearest
        got = case.call(answer, X, links, query, node)
        case.compare(
            got,
            truth,
            [
                Mistake(
                    "brute_force",
                    nearest,
                    "It returns the nearest of all points. The walker knows only the points that "
                    "are linked from where she stands, and may get stuck.",
                ),
                Mistake(
                    "one_step",
                    first,
                    "It stops after one step. Go on until no linked point is nearer.",
                ),
                Mistake("stays", node, "It never leaves the start."),
            ],
            "The walk ends somewhere else. Step to the nearest linked point as long as it is "
            "nearer than where you stand.",
            what="What your function returns",
        )
    if not wrong_side:
        raise Wrong("different", "The test is at fault: no walk got stuck.")
    return "Greedy walks, stuck ones included."


def what_approximate_means(case: Case, answer: Any) -> str:
    """02-5: free text."""
    case.explain(
        answer,
        ideas=[
            Idea(
                "missing_proof",
                r"prove|proof|bound|triangle|certain|guarant|cannot (hold|contain|be)|can't"
                r"|impossible|too far|farther|only (skip|discard|throw)",
                "When does a ball tree leave a branch out? What does it know at that moment?",
            ),
            Idea(
                "missing_approximate",
                r"without|early|fixed|guess|might|could|may\b|miss|wrong|limit|give up|only (look"
                r"|search|visit)",
                "And the second half of the question: what would an approximate tree do?",
            ),
        ],
        claims=[
            Idea(
                "fast_means_approximate",
                r"(because|since|as) (it|the tree|a tree) (is|are|was|uses?|skips?)[^.]{0,30}"
                r"(fast|quick|tree|skips?)[^.]{0,60}approximat|fast(er)?[^.]{0,40}"
                r"(so|therefore|means)[^.]{0,30}approximat",
                "Fast does not mean approximate. Approximate means that the answer may be wrong.",
            ),
            Idea(
                "believes_the_slide",
                r"ball tree (is|gives|returns|finds)( an?| only)? approximat"
                r"|trades? (off )?(some )?accuracy",
                "That is what the slide says. How many of the 1,000 neighbours did its model miss?",
            ),
        ],
    )
    return "It skips only what it can prove. (Your teacher may want to read it, too.)"


EXERCISES = (
    Exercise(
        "02-1",
        "A walk by hand",
        "recall",
        1,
        "distances_by_hand",
        "value",
        "Where does she stand after the first step? Which points are linked from there?",
        walk_by_hand,
    ),
    Exercise(
        "02-2",
        "Recall of a search",
        "apply",
        2,
        "recall",
        "function",
        "set(row) & set(other) holds what two rows have in common.",
        write_recall,
    ),
    Exercise(
        "02-3",
        "Neighbours, but not oneself",
        "apply",
        2,
        "neighbors",
        "function",
        "Who is nearest to a point that lies in the index?",
        other_neighbors,
    ),
    Exercise(
        "02-4",
        "Write the walk",
        "analyse",
        3,
        "greedy",
        "function",
        "In each turn look at node and links[node] together, and take the nearest of them.",
        greedy_walk,
    ),
    Exercise(
        "02-5",
        "Fast is not approximate",
        "analyse",
        2,
        "why_exact",
        "text",
        "Read again what the notebook says about the proof that a ball tree needs.",
        what_approximate_means,
    ),
)

# -- quiz ----------------------------------------------------------------------------------------

QUESTIONS = (
    Question(
        "What does approximate mean in approximate nearest neighbours?",
        ("it is fast", "it uses a tree", "the answer may be wrong", "distances are rounded"),
        "C",
        "An approximate search may miss. Some exact searches are fast, and some trees are exact.",
    ),
    Question(
        "Of 1,000 true neighbours, how many does a ball tree miss?",
        ("0", "about 10", "about 100", "it depends on the data"),
        "A",
        "A ball tree leaves a branch out only if it can prove that nothing in it is near enough.",
    ),
    Question(
        "A greedy walk stops. What do we know?",
        (
            "it is at the nearest point",
            "no linked point is nearer",
            "it has measured every point",
        ),
        "B",
        "It may be a local minimum: the true nearest point lies where no link leads downhill.",
    ),
    Question(
        "A search in a graph misses too often. What can be turned for a single query?",
        ("M, the links of a node", "ef, the nodes it remembers", "the dimension"),
        "B",
        "A longer memory keeps other ways open. More links need another graph.",
    ),
    Question(
        "Where does an HNSW graph struggle most, at equal size and memory?",
        ("on pictures of digits", "on noise in 64 dimensions", "on points on a line"),
        "B",
        "Noise varies in all directions, so that all points are nearly equally far away.",
    ),
)

# -- sheet ---------------------------------------------------------------------------------------


def draw_sheet(figure: Any) -> None:
    """Show a walk that gets stuck, and the trade of recall for work."""
    from annlab.datasets import load_digits_data
    from annlab.indexes.walk import NavigableGraph
    from annlab.indexes.walk import greedy_walk as walk
    from annlab.plotting import PALETTE
    from annlab.widgets._look import ALARM, chart, plane

    left, right = figure.subplots(1, 2)
    angle = np.linspace(0.15, 2 * np.pi - 0.15, 40)
    X, query, path = (
        np.column_stack([np.cos(angle), np.sin(angle)]),
        [1.02, -0.08],
        range(10, -1, -1),
    )
    plane(left, ((-1.25, 1.35), (-1.25, 1.25)), "stuck: no link leads nearer")
    left.plot(*X.T, "-o", color="#c8c8c8", markerfacecolor=PALETTE[0], markersize=5)
    left.plot(*X[list(path)].T, color="#1a1a1a", linewidth=2.5)
    left.plot(*query, "X", color=ALARM, markersize=11)
    digits = load_digits_data().X.astype(float)
    known, asked = digits[:1000], digits[1000:1150]
    graph = NavigableGraph.build(known, M=4, random_state=0)
    gaps = np.array([np.linalg.norm(known - q, axis=1).min() for q in asked])
    chart(right, "share of the distances measured", "recall", "more memory, fewer misses")
    for ef in (1, 2, 4, 8, 16):
        ends = [walk(graph, q, ef)[-1] for q in asked]
        work = np.mean([end.n_distances for end in ends]) / len(known)
        recall = np.mean([end.best_distance for end in ends] <= gaps + 1e-9)
        right.plot(work, recall, "o", color=PALETTE[0], markersize=7)
        right.annotate(f"ef={ef}", (work, recall), (6, -9), textcoords="offset points", fontsize=10)
    right.set(ylim=(0.35, 1.05))
    right.margins(x=0.18)


SHEET = Sheet(
    draw=draw_sheet,
    caption="Left: a walk along links ends on the wrong side of a gap. Right: handwritten digits; "
    "ef is the number of points that the search remembers.",
    formula=r"$\mathrm{recall@}k = \frac{|\,\mathrm{found} \,\cap\, \mathrm{true}\,|}{k}$",
    reading="The share of the k true nearest neighbours that the search has found.",
    code="""\
from annlab import datasets, make_index
digits = datasets.load_digits_data().X
X, Q = digits[:1500], digits[1500:]
found = make_index("hnsw", ef=20, random_state=0).fit(X).kneighbors(Q, 5)[1]
truth = make_index("brute").fit(X).kneighbors(Q, 5)[1]""",
    misconception="A search that skips points, such as a ball tree, is approximate.",
    truth="A ball tree skips only what it can prove to be too far away: it is exact. Approximate "
    "means that the answer may be wrong.",
)

# -- notes for the teacher -----------------------------------------------------------------------

LESSON = Lesson(
    minutes=45,
    exercise_minutes=45,
    aims=(
        "tell an exact search from an approximate one, by measuring",
        "walk through a graph of neighbours by hand, and say why the walk can get stuck",
        "turn the knob that buys recall with work",
    ),
    prerequisites="NumPy arrays, distances, Python's lists and dictionaries",
    misconceptions=(
        ("Fast means approximate; a tree is approximate.", "02-5"),
        ("A greedy walk ends at the nearest point.", "02-4"),
        ("A point of the data has itself for a neighbour.", "02-3"),
        ("Neighbours have to be found in the right order.", "02-2"),
    ),
    lecture="Let two students play the walk on the horseshoe with a drawing on the board. Take the "
    "vote on question 2 of the quiz before the slide is checked in the notebook.",
)

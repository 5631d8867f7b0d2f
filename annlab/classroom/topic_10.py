"""Topic 10, faiss: checks, quiz, sheet and notes for the teacher.

The checks need no faiss: strings are read by annlab, and the searches are small enough for NumPy.
"""

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


def count_bytes(case: Case, answer: Any) -> str:
    """10-1: what a row takes, by hand."""
    from annlab.indexes.factory_string import explain_factory

    truth = explain_factory("PCA96,IVF512,PQ24", 384)
    whole, kept = 4 * 384, 4 * 96
    case.compare(
        answer,
        truth.bytes_per_row,
        [
            Mistake(
                "forgets_the_number",
                truth.code_bytes,
                "That is the code alone. IVF keeps rows in lists: what must stand beside a code, "
                "so that one knows whose it is?",
            ),
            Mistake(
                "whole_rows",
                whole,
                "That is a whole row, before anything is done to it. The last part says "
                "how it is kept.",
            ),
            Mistake("whole_rows", whole + 8, "You keep the whole row. The last part says how."),
            Mistake(
                "stops_at_pca",
                kept,
                "That is what is left after PCA96, four bytes for each number. Read on: "
                "there is one part more.",
            ),
            Mistake(
                "stops_at_pca",
                kept + 8,
                "You keep the 96 numbers as they are. The last part says how they are kept.",
            ),
            Mistake(
                "byte_for_each_number",
                96 + 8,
                "That would be SQ8, a byte for each of the 96 numbers. PQ keeps a byte for each "
                "slice.",
            ),
            Mistake("byte_for_each_number", 96, "A byte for each number is SQ8. What does PQ do?"),
            Mistake("bits_not_bytes", 8 * truth.bytes_per_row, "Those are bits, not bytes."),
            Mistake("bits_not_bytes", 8 * 24 + 8, "A slice takes 8 bits, which is one byte."),
            Mistake(
                "size_of_a_slice",
                4 + 8,
                "A slice is 4 numbers long; the code has one byte for each slice. How many are "
                "there?",
            ),
            Mistake(
                "cells_cost_bytes",
                truth.bytes_per_row + 512,
                "512 is the number of cells. A row lies in one of them and pays nothing for "
                "the others.",
            ),
        ],
        "Read the string from left to right and ask at each part what is left of the row.",
        what="The number of bytes",
    )
    return "1,536 bytes have become 32: the transform decides what is coded, the code what is kept."


def encode_rows(case: Case, answer: Any) -> str:
    """10-2: product quantization, the encoding half."""
    from annlab.distances import pairwise_sq

    for m, n_words, width in ((3, 5, 2), (2, 6, 4)):
        X, words = case.rng.randn(24, m * width), case.rng.randn(m, n_words, width)

        def codes(slices: list[np.ndarray], books: Any) -> np.ndarray:
            pairs = zip(slices, books, strict=True)
            return np.column_stack([pairwise_sq(s, book).argmin(axis=1) for s, book in pairs])

        slices = np.split(X, m, axis=1)
        truth = codes(slices, words)
        turned = [
            pairwise_sq(s, book).argmin(axis=0) for s, book in zip(slices, words, strict=True)
        ]
        decoded = np.hstack([book[truth[:, i]] for i, book in enumerate(words)])
        case.compare(
            case.call(answer, X, words),
            truth,
            [
                Mistake(
                    "first_codebook",
                    codes(slices, [words[0]] * m),
                    "It looks up every slice in the first list of codewords. Each slice has a list "
                    "of its own.",
                ),
                Mistake(
                    "strided_slices",
                    codes([X[:, i::m] for i in range(m)], words),
                    "Your slices take every m-th number. A slice is a piece of neighbouring "
                    "columns.",
                ),
                Mistake("off_by_one", truth + 1, "The codes are one too large: count from 0."),
                Mistake(
                    "index_over_samples",
                    np.column_stack(turned),
                    "It finds the nearest row for each codeword. It is the rows that are coded: "
                    "each needs the number of its nearest codeword. Over which axis does argmin "
                    "run?",
                ),
                Mistake(
                    "words_not_numbers",
                    decoded,
                    "Those are the codewords themselves, as long as the row was. The code keeps "
                    "only their numbers: that is where the bytes are saved.",
                ),
                Mistake(
                    "slices_in_rows",
                    truth.T,
                    "The codes are right, but lie on their side: a row of the answer belongs to a "
                    "row of X.",
                ),
            ],
            "Some slices are not coded by their nearest codeword.",
            what="What your function returns",
        )
    return "Rows of numbers have become a few small integers each."


def search_cells(case: Case, answer: Any) -> str:
    """10-3: an inverted file, with an empty cell."""
    from annlab.distances import pairwise_sq

    X, heads = case.rng.rand(80, 2), case.rng.rand(9, 2)
    # the last cell is empty, and the last question stands before its door
    heads[8] = [6.0, 6.0]
    queries = np.vstack([case.rng.rand(40, 2), [[6.1, 5.9]]])
    cells = pairwise_sq(X, heads).argmin(axis=1)
    to_heads = pairwise_sq(queries, heads)
    order = to_heads.argsort(axis=1)
    gaps = pairwise_sq(queries, X)

    def best(probed: np.ndarray, missing: int = -1, local: bool = False) -> np.ndarray:
        found = np.full(len(queries), missing)
        for q, chosen in enumerate(probed):
            rows = np.concatenate([np.flatnonzero(cells == cell) for cell in chosen])
            if len(rows):
                place = int(gaps[q, rows].argmin())
                found[q] = place if local else rows[place]
        return found

    def place_in_sorted(probed: np.ndarray) -> np.ndarray:
        found = np.full(len(queries), -1)
        for q, chosen in enumerate(probed):
            rows = np.flatnonzero(np.isin(cells, chosen))
            if len(rows):
                found[q] = gaps[q, rows].argmin()
        return found

    for nprobe in (2, 1):
        probed = order[:, :nprobe]
        truth = best(probed)
        local = (
            "It returns the place in the list. The rows of a list have numbers in X: that is what "
            "stands beside each code, and what is asked for."
        )
        mistakes = [
            Mistake(
                "brute_force",
                gaps.argmin(axis=1),
                "It finds the nearest of all rows. Only the rows of the probed cells may be "
                "compared, or nothing is saved.",
            ),
            Mistake("place_in_list", best(probed, local=True), local),
            Mistake("place_in_list", place_in_sorted(probed), local),
            Mistake(
                "off_by_one",
                best(order[:, : nprobe + 1]),
                "It looks into one cell too many.",
            ),
            Mistake(
                "off_by_one",
                best(order[:, 1 : nprobe + 1]),
                "It leaves out the nearest cell. Is the first place of argsort 0 or 1?",
            ),
            Mistake(
                "off_by_one",
                best(order[:, :1]),
                "It looks into one cell where two should be probed.",
            ),
            Mistake(
                "farthest_cells",
                best(order[:, -nprobe:]),
                "It probes the cells that are farthest away.",
            ),
            Mistake(
                "head_not_row",
                order[:, 0],
                "It returns the number of the nearest cell. What is wanted is a row of X that lies "
                "in it.",
            ),
            Mistake(
                "empty_cell",
                best(probed, missing=0),
                "One question meets an empty cell only, and you answer row 0. That is a row, and a "
                "wrong one: say -1.",
            ),
        ]
        # first without the questions that meet empty cells, to know why it raises with them
        case.call(answer, X, heads, queries[truth >= 0], nprobe)
        with case.retell(
            "raised",
            "empty_cell",
            "It works until a question meets an empty cell: there is nothing that argmin could "
            "choose from. Look at the number of rows first.",
        ):
            got = case.call(answer, X, heads, queries, nprobe)
        case.compare(
            got,
            truth,
            mistakes,
            "Choose the cells by their heads, then the nearest among the rows that lie in them.",
            what="What your function returns",
        )
    return "This is IVF: cheap, sometimes wrong, and honest where it has nothing to offer."


def price_of_a_sample(case: Case, answer: Any) -> str:
    """10-4: what it costs to train on a few rows."""
    from annlab.metrics import inertia

    X, labels = case.rng.randn(120, 3) + 4.0, np.arange(120) % 4
    # ten rows of each cluster are drawn
    drawn = np.concatenate(
        [case.rng.choice(np.flatnonzero(labels == j), 10, replace=False) for j in range(4)]
    )
    case.rng.shuffle(drawn)

    def means(rows: np.ndarray) -> np.ndarray:
        return np.array([X[rows][labels[rows] == j].mean(axis=0) for j in range(4)])

    sampled, whole, everything = means(drawn), means(np.arange(120)), np.arange(120)

    def cost(centroids: np.ndarray, rows: np.ndarray = everything) -> float:
        return inertia(X[rows], labels[rows], centroids)

    def plain(centroids: np.ndarray) -> float:
        return float(np.linalg.norm(X - centroids[labels], axis=1).sum())

    def nearest(centroids: np.ndarray) -> float:
        return float(((X[:, None] - centroids) ** 2).sum(axis=2).min(axis=1).sum())

    ratio = cost(sampled) / cost(whole)
    judged = (
        "You judge the centroids on the rows that they were fitted to. That is what faiss's own "
        "number does. Sum over all rows, on both sides."
    )
    case.compare(
        case.call(answer, X, labels, drawn),
        ratio - 1,
        [
            Mistake("judged_on_sample", cost(sampled, drawn) / cost(whole) - 1, judged),
            Mistake("judged_on_sample", cost(sampled, drawn) / cost(whole, drawn) - 1, judged),
            Mistake("judged_on_sample", 3 * cost(sampled, drawn) / cost(whole) - 1, judged),
            Mistake(
                "ratio_not_share",
                ratio,
                "It returns how many times as large the inertia is. Asked is by which share it is "
                "larger: without any loss the answer would be 0.",
            ),
            Mistake("percent", 100 * (ratio - 1), "In percent it is right; return it as a share."),
            Mistake(
                "difference_not_share",
                cost(sampled) - cost(whole),
                "It returns a difference. A share says how large it is beside the inertia that is "
                "possible.",
            ),
            Mistake(
                "turned_round",
                cost(whole) / cost(sampled) - 1,
                "The two are the wrong way round: the means of all rows are what is compared with.",
            ),
            Mistake(
                "turned_round",
                1 - cost(whole) / cost(sampled),
                "You divide by the inertia of the sample's centroids. Divide by that of all rows' "
                "means.",
            ),
            Mistake(
                "not_squared",
                plain(sampled) / plain(whole) - 1,
                "It adds plain distances. Inertia adds their squares.",
            ),
            Mistake(
                "ignores_labels",
                nearest(sampled) / nearest(whole) - 1,
                "It gives the rows new labels. Here they keep those that they have.",
            ),
        ],
        "Two sets of centroids, one from the drawn rows and one from all; all rows judge both.",
        what="What your function returns",
    )
    return "Both sets of centroids are judged by all rows. That is what faiss's own number omits."


def what_the_dial_cannot_mend(case: Case, answer: Any) -> str:
    """10-5: free text."""
    case.explain(
        answer,
        ideas=[
            Idea(
                "missing_code",
                r"\bcodes?\b|codeword|encod|quanti[sz]|round|compress|(eight|8) (bytes|numbers)"
                r"|lossy|information|detail|precis|inexact|pq8? (cannot|can't|mixes|loses|is too)",
                "All cells are searched already. What else stands between a row and its true "
                "distance? Read the second part of the string.",
            ),
            Idea(
                "missing_remedy",
                r"refin|rflat|\bflat\b|whole rows?|original|full rows?|re-?rank|once more"
                r"|more bytes|(longer|larger|bigger|finer|better) (code|encod)|\bsq\d"
                r"|\bpq ?(1\d|[2-9]\d)|more (slices|codewords|bits)|uncompressed",
                "And the second half of the question: which part would you change or add?",
            ),
        ],
        claims=[
            Idea(
                "wants_more_probes",
                claimed(
                    r"\b(more|higher|larger|bigger|greater|increas\w+|rais\w+)\b"
                    r"[^.,;:]{0,30}\b(nprobe|prob(e|es|ing)|cells)\b"
                    rf"(?:(?!{NEGATION})[^.,;:])*"
                    r"\b(help|find|bring|improve|mend|fix|solve|better)",
                    unless=NEGATION + r"|\b(?:if|though)\b",
                    before=True,
                )
                + r"|\b(should|must|would|has to|have to|needs? to) (just |only )?"
                r"(raise|increase|probe|look into)\b[^.,;:]{0,25}\b(nprobe|probes|cells)",
                "It looks into all 32 cells already: there is nothing left to probe. The dial "
                "mends only what the cells lose.",
            ),
            Idea(
                "blames_the_cells",
                claimed(
                    r"\b(lies?|lying|are|is|sits?|falls?|fell|lands?|stands?) (just )?"
                    r"(in|into|behind) (an?|the|some)? ?"
                    r"(other|another|wrong|neighbou?ring|different|adjacent|next) (cell|list)",
                    unless=NEGATION + r"|\b(?:if|though)\b",
                    before=True,
                ),
                "You look for the lost rows in other cells. With nprobe=32 every row is compared, "
                "whichever cell it lies in.",
            ),
        ],
    )
    return "The dial mends the cells, not the code. (Your teacher may want to read it, too.)"


EXERCISES = (
    Exercise(
        "10-1",
        "Read the string",
        "recall",
        1,
        "bytes_by_hand",
        "value",
        "How many slices are there, and how large is the number of one of 256 codewords? "
        "What else does a list keep?",
        count_bytes,
    ),
    Exercise(
        "10-2",
        "From rows to codes",
        "apply",
        2,
        "encode",
        "function",
        "np.split(X, len(words), axis=1) cuts X into pieces of neighbouring columns.",
        encode_rows,
    ),
    Exercise(
        "10-3",
        "Probe the cells",
        "apply",
        3,
        "probe",
        "function",
        "np.flatnonzero of a mask gives row numbers of X. Which of them is row number i of the "
        "list, and what if there are none?",
        search_cells,
    ),
    Exercise(
        "10-4",
        "The price of a sample",
        "analyse",
        3,
        "price",
        "function",
        "Write a helper for the means of some rows, then call it twice. Which rows judge?",
        price_of_a_sample,
    ),
    Exercise(
        "10-5",
        "What the dial cannot mend",
        "analyse",
        2,
        "why_not_nprobe",
        "text",
        "In the explorer of the notebook, compare IVF16,Flat with IVF16,PQ8 when all cells are "
        "probed.",
        what_the_dial_cannot_mend,
    ),
)

# -- quiz ----------------------------------------------------------------------------------------

QUESTIONS = (
    Question(
        "What does IVF64 do with the rows?",
        (
            "it keeps 64 numbers of each",
            "it sorts them into 64 cells",
            "it links each to 64 others",
            "it draws 64 of them",
        ),
        "B",
        "k-means makes 64 cells. A query looks into the nearest few and compares only the rows "
        "that lie there.",
    ),
    Question(
        "faiss makes 20 clusters of a million rows, with its defaults. How many rows train?",
        ("a million", "256", "5,120", "20"),
        "C",
        "At most 256 for each centroid, drawn at random: 20 times 256. It says so only if it is "
        "told to be verbose.",
    ),
    Question(
        "Each cluster trains on 100 rows in place of all. How much inertia does that cost?",
        ("about 1%", "about 10%", "it depends on n and d"),
        "A",
        "About 1/m, and m is 100. Neither the number of rows nor that of columns occurs in it. "
        "(Another local minimum may come on top.)",
    ),
    Question(
        "IVF64,PQ8 probes all 64 cells and still misses neighbours. What helps?",
        ("a larger nprobe", "more cells", "training longer", "refining with whole rows"),
        "D",
        "The code has lost what tells the rows apart. A refinement such as RFlat compares the best "
        "few once more.",
    ),
    Question(
        "The slide builds k-means on faiss.Kmeans. Are its labels approximate?",
        ("yes", "no, that search is exact", "only for large k"),
        "B",
        "The index inside is IndexFlatL2, which compares with every centroid. What is approximate "
        "is the training, on a sample.",
    ),
)

# -- sheet ---------------------------------------------------------------------------------------


def draw_sheet(figure: Any) -> None:
    """Show cells with a question at a border, and what a row costs."""
    from matplotlib.colors import ListedColormap

    from annlab.distances import pairwise_sq
    from annlab.indexes.factory_string import explain_factory
    from annlab.plotting import PALETTE
    from annlab.widgets._look import ALARM, INK, chart, plane

    left, right = figure.subplots(1, 2)
    heads = np.array([[0.24, 0.26], [0.74, 0.3], [0.3, 0.78], [0.78, 0.78]])
    X, query = np.random.RandomState(4).rand(90, 2), np.array([0.42, 0.3])
    # so that the nearest row lies just across the border
    X = X[np.linalg.norm(X - query, axis=1) > 0.13]
    X = np.vstack([X, [[0.53, 0.32]]])
    cells = pairwise_sq(X, heads).argmin(axis=1)
    side = np.linspace(0, 1, 200)
    grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    owner = pairwise_sq(grid, heads).argmin(axis=1).reshape(200, 200)
    plane(left, ((0.0, 1.0), (0.0, 1.0)), "nprobe=1: one cell is searched")
    shades = ListedColormap(["#d6e8f5", "#f4f4f4", "#f4f4f4", "#f4f4f4"])
    left.imshow(owner, extent=(0, 1, 0, 1), origin="lower", cmap=shades, interpolation="nearest")
    left.contour(side, side, owner, levels=[0.5, 1.5, 2.5], colors="#9a9a9a", linewidths=0.8)
    left.plot(*X[cells == 0].T, "o", color=PALETTE[0], markersize=4)
    left.plot(*X[cells != 0].T, "o", color="#9a9a9a", markersize=4)
    left.plot(*heads.T, "s", color=INK, markersize=7)
    left.plot(*query, "X", color=ALARM, markersize=11)
    inside = X[cells == 0]
    found = inside[np.linalg.norm(inside - query, axis=1).argmin()]
    left.plot(*np.array([query, found]).T, color=PALETTE[0], linewidth=1.6)
    for place, text, shift, align in (
        (X[-1], "nearest", (6, 12), "left"),
        (found, "found", (-9, 0), "right"),
    ):
        left.plot(*place, "o", color="none", markeredgecolor=INK, markersize=12)
        left.annotate(
            text, place, shift, textcoords="offset points", fontsize=10, ha=align, va="center"
        )
    strings = ("HNSW16", "IVF64,Flat", "IVF64,SQ8", "PCA64,IVF64,SQ8", "IVF64,PQ16")
    sizes = [explain_factory(string, 192).bytes_per_row for string in strings]
    chart(right, "bytes for a row of 192 numbers", "", "what a string costs")
    bars = right.barh(range(len(strings)), sizes, color=PALETTE[0])
    right.bar_label(bars, [f"{size:.0f}" for size in sizes], padding=3, fontsize=10)
    right.set_yticks(range(len(strings)), strings)
    right.invert_yaxis()
    right.margins(x=0.18)


SHEET = Sheet(
    draw=draw_sheet,
    caption="Left: the cross asks. Squares are the heads of cells; the nearest row lies behind a "
    "border and is missed. Right: from whole rows with links to 16 bytes of code.",
    formula=r"$J_{\mathrm{sample}} \approx J \left( 1 + \frac{1}{m} \right)$",
    reading="Centroids trained on m rows for each cluster cost about 1/m more inertia over all "
    "rows.",
    code="""\
from annlab import datasets, make_index
X = datasets.load_patches(10_000, 8, random_state=0)
truth = make_index("brute").fit(X[99:]).kneighbors(X[:99], 1)[1]
index = make_index("faiss", factory="IVF64,SQ8", nprobe=4, random_state=0).fit(X[99:])
print((index.candidates(X[:99]) == truth).mean(), "found; try nprobe=1 and nprobe=64")""",
    misconception="If an index misses too much, raise nprobe until it does not.",
    truth="nprobe mends only what the cells lose. What the code loses stays lost, unless the best "
    "few are compared once more with whole rows.",
)

# -- notes for the teacher -----------------------------------------------------------------------

LESSON = Lesson(
    minutes=45,
    exercise_minutes=50,
    aims=(
        "read a factory string and count the bytes of a row",
        "search an inverted file by hand, empty cells included",
        "tell what a silent sub-sample costs, judged by the inertia of all rows",
    ),
    prerequisites="topic 3; topic 5 helps; faiss for the notebook (not for the exercises)",
    misconceptions=(
        ("PQ8 keeps eight numbers; SQ8 keeps eight bytes.", "10-1"),
        ("A list keeps codes and nothing else.", "10-1"),
        ("Every cell has rows.", "10-3"),
        ("The objective that a trainer prints is the inertia.", "10-4"),
        ("A larger nprobe mends everything.", "10-5"),
    ),
    lecture="Draw the eight points of the notebook on the board and let one student be the query "
    "at 4.9. Vote on question 2 of the quiz before the cell with the fingerprints is run, and on "
    "question 4 before the explorer shows a code.",
)

"""Topic 6, high-dimensional data: checks, quiz, sheet and notes for the teacher."""

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


def _encode(X: np.ndarray, books: list[np.ndarray]) -> np.ndarray:
    """Row numbers of the nearest words, of shape (n, pieces)."""
    from annlab.distances import pairwise_sq

    pieces = np.split(X, len(books), axis=1)
    return np.column_stack(
        [pairwise_sq(piece, book).argmin(axis=1) for piece, book in zip(pieces, books, strict=True)]
    )


def _decode(codes: np.ndarray, books: list[np.ndarray]) -> np.ndarray:
    """Rows put together of their words."""
    return np.hstack([book[column] for book, column in zip(books, codes.T, strict=True)])


def codes_by_hand(case: Case, answer: Any) -> str:
    """06-1: a distance from codes."""
    books = [np.array([[0.0, 0.0], [4.0, 2.0]]), np.array([[0.0, 5.0], [3.0, 3.0]])]
    x, query = np.array([[5.0, 1.0, 2.0, 6.0]]), np.array([[1.0, 2.0, 3.0, 0.0]])
    codes, asked = _encode(x, books), _encode(query, books)
    stored = _decode(codes, books)

    def gap(a: np.ndarray, b: np.ndarray) -> float:
        return float(((a - b) ** 2).sum())

    truth = gap(query, stored)
    told = "In one of the pieces you take a word that is not the nearest. Compare both words."
    case.compare(
        answer,
        truth,
        [
            Mistake(
                "not_coded",
                gap(query, x),
                "That is the true squared distance. But the row itself is not kept, only its "
                "codes.",
            ),
            Mistake(
                "codes_the_query",
                gap(_decode(asked, books), stored),
                "You replace the query by words, too. That is not needed and loses more: the query "
                "is there in full, only the row is coded.",
            ),
            Mistake(
                "codes_the_query",
                gap(_decode(asked, books), x),
                "It is the other way round: the row is replaced by words, and the query is not.",
            ),
            Mistake(
                "loss_not_distance",
                gap(x, stored),
                "That is what the row loses by its codes. Asked for is the distance to the query.",
            ),
            Mistake(
                "plain_not_squared",
                np.sqrt(truth),
                "That is the plain distance. Here its square is wanted, which needs no root.",
            ),
            *(
                Mistake("wrong_word", gap(query, _decode(codes ^ np.array(flip), books)), told)
                for flip in ([[1, 0]], [[0, 1]], [[1, 1]])
            ),
        ],
        "First find the word that stands for each piece of the row; then take the query's distance "
        "to these words.",
        what="The squared distance",
    )
    return "One entry from each of two short tables, added: so PQ measures a million rows."


def contrast_of_rows(case: Case, answer: Any) -> str:
    """06-2: the median contrast, every row against the others."""
    from annlab.distances import pairwise_sq
    from annlab.metrics import distance_contrast

    for d in (2, 12):
        X = case.rng.rand(41, d)
        truth = distance_contrast(X, n_queries=len(X))
        gaps = np.sqrt(pairwise_sq(X, X))
        np.fill_diagonal(gaps, 0.0)
        gaps.sort(axis=1)
        far, near, second = gaps[:, -1], gaps[:, 1], gaps[:, 2]
        case.compare(
            case.call(answer, X),
            truth,
            [
                Mistake(
                    "counts_itself",
                    np.inf,
                    "It returns infinity: every row is its own nearest, at distance 0. Leave the "
                    "row itself out.",
                ),
                Mistake(
                    "ratio_not_contrast",
                    truth + 1,
                    "That is the ratio of farthest to nearest. Contrast is 0 when both are equally "
                    "far.",
                ),
                Mistake(
                    "mean_not_median",
                    np.mean((far - near) / near),
                    "That is the mean over the rows. A single row with a very near neighbour "
                    "spoils "
                    "it; take the median.",
                ),
                Mistake(
                    "squared_not_plain",
                    np.median((far**2 - near**2) / near**2),
                    "It is made of squared distances. Contrast compares plain ones: take the root "
                    "first.",
                ),
                Mistake(
                    "divides_by_farthest",
                    np.median((far - near) / far),
                    "It divides by the farthest. Divide by the nearest.",
                ),
                Mistake(
                    "off_by_one",
                    np.median((far - second) / second),
                    "The row itself is left out, and its nearest neighbour with it.",
                ),
                Mistake(
                    "all_pairs",
                    (far.max() - near.min()) / near.min(),
                    "It takes farthest and nearest over all pairs. Do it for each row, then take "
                    "the median.",
                ),
                Mistake(
                    "median_too_early",
                    np.median(far) / np.median(near) - 1,
                    "It takes medians of the distances first. Make the contrast of each row, then "
                    "take the median.",
                ),
            ],
            "It is not the median, over the rows, of how much farther the farthest other row is "
            "than the nearest other row.",
            what="What your function returns",
        )
    return "In more dimensions it comes out smaller: that is the curse."


def measure_with_a_ruler(case: Case, answer: Any) -> str:
    """06-3: the intrinsic dimension, from how counts grow with the radius."""
    from annlab.distances import pairwise_sq

    for m, radius in ((2, 0.15), (1, 0.1), (3, 0.2)):
        n, d = 150, 9
        # an orthonormal frame leaves distances as they are
        frame = np.linalg.qr(case.rng.randn(d, m))[0].T
        X = case.rng.rand(n, m) @ frame
        off = ~np.eye(n, dtype=bool)
        sq = pairwise_sq(X, X)[off]
        inner, outer = (sq < radius**2).sum(), (sq < 4 * radius**2).sum()
        truth = np.log2(outer / inner)
        case.compare(
            case.call(answer, X, radius),
            truth,
            [
                Mistake(
                    "counts_itself",
                    np.log2((outer + n) / (inner + n)),
                    "Every point counts as a neighbour of itself, in both circles. Leave it out, "
                    "or "
                    "the dimension comes out too low.",
                ),
                Mistake(
                    "ratio_not_log",
                    outer / inner,
                    "That is how many times as many there are. Of which power of 2 is that?",
                ),
                Mistake(
                    "wrong_logarithm",
                    np.log(outer / inner),
                    "That is the natural logarithm. The radius was doubled: which base fits?",
                ),
                Mistake(
                    "wrong_logarithm",
                    np.log10(outer / inner),
                    "That is the logarithm to base 10. The radius was doubled: which base fits?",
                ),
                Mistake(
                    "counts_columns",
                    d,
                    "That is the number of columns. The points may lie in far fewer directions.",
                ),
                Mistake(
                    "ring_not_circle",
                    np.log2((outer - inner) / inner),
                    "It counts those between the two radii. The larger circle contains the "
                    "smaller.",
                ),
                Mistake(
                    "rank_not_count",
                    m,
                    "That is a whole number, such as the rank of a matrix. It finds flat sheets "
                    "only; count the pairs, which works for bent ones as well.",
                ),
                Mistake("turned_round", -truth, "The two counts are turned round."),
                Mistake(
                    "squared_not_plain",
                    np.log2((sq < 2 * radius).sum() / max((sq < radius).sum(), 1)),
                    "It compares squared distances with the radius. Take the root, or square the "
                    "radius.",
                ),
            ],
            "Count the pairs of different points within the radius and within twice the radius.",
            what="What your function returns",
        )
    return "Nine columns each time, and the ruler found about 2, 1 and 3 directions."


def _coded_rows(case: Case) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """45 rows that all have different codes, so that no two are equally far by code."""
    rows = case.rng.randn(400, 6)
    books = [np.round(case.rng.randn(5, 2), 2) for _ in range(3)]
    codes = _encode(rows, books)
    first = np.sort(np.unique(codes, axis=0, return_index=True)[1])[:45]
    return rows[first], codes[first], books


def search_with_codes(case: Case, answer: Any) -> str:
    """06-4: product quantization with re-ranking."""
    from annlab.distances import pairwise_sq

    X, codes, books = _coded_rows(case)
    stored = _decode(codes, books)
    queries = case.rng.randn(3000, X.shape[1])
    exact = pairwise_sq(queries, X)
    by_code = pairwise_sq(queries, stored).argsort(axis=1)
    by_word = pairwise_sq(_decode(_encode(queries, books), books), stored).argsort(axis=1)
    every = np.arange(len(queries))

    def best(order: np.ndarray, few: int) -> np.ndarray:
        short = order[:, :few]
        return short[every, exact[every[:, None], short].argmin(axis=1)]

    for few in (4, 3):
        truth = best(by_code, few)
        place = exact[every[:, None], by_code[:, :few]].argmin(axis=1)
        kinds = {
            "believes_the_codes": by_code[:, 0],
            "brute_force": exact.argmin(axis=1),
            "too_few": best(by_code, few - 1),
            "too_many": best(by_code, few + 1),
            "codes_the_query": best(by_word, few),
            "position_not_row": place,
        }
        # a query at which every one of these goes wrong, and differently
        values = np.column_stack([truth, *kinds.values()])
        values.sort(axis=1)
        clear = np.flatnonzero((np.diff(values, axis=1) > 0).all(axis=1))
        if not len(clear):
            raise Wrong("different", "The test is at fault: no query tells the mistakes apart.")
        for q in clear[:2]:
            told = {
                "believes_the_codes": "It believes the codes: their nearest is not the nearest. "
                "Compare the best few once more, with the rows themselves.",
                "brute_force": "It compares all rows exactly. Only the best few by code may be "
                "compared; the other rows need not be touched at all.",
                "too_few": "One too few is compared exactly: the last of the best few is missing.",
                "too_many": "One too many is compared exactly.",
                "codes_the_query": "You replace the query by words, too, so that the list of the "
                "best few gets worse. The query is there in full: only the rows are coded.",
                "position_not_row": "That is a place in the list of the best few. Which row of X "
                "stands there?",
            }
            case.compare(
                case.call(answer, X, codes, books, queries[q], few),
                truth[q],
                [Mistake(kind, kinds[kind][q], told[kind]) for kind in kinds],
                "That is not the nearest of the best few by code.",
                what="What your function returns",
                rtol=1e-9,
            )
    return "Codes choose a few, the rows themselves decide."


def why_photographs_can_be_searched(case: Case, answer: Any) -> str:
    """06-5: free text."""
    case.explain(
        answer,
        ideas=[
            Idea(
                "missing_columns",
                r"intrinsic|correlat|depend|redundan|(small|thin|little) "
                r"part|repeat|structur|manifold|subspace|smooth"
                r"|neighbou?r(ing)? pixel|pixels? (next|near|beside)|adjacent|alike|similar|resembl"
                r"|few(er)? (\w+ )?(directions|dimensions)|low[- ]dimension|same "
                r"(information|colou?r)",
                "What do you know about a pixel if you know the one beside it? And in uniform "
                "data?",
            ),
            Idea(
                "missing_distances",
                r"equally (far|distant|near|close)|equidistant|same distance|contrast|concentrat"
                r"|as far|distances? (are|is|become|get|look)[^.]{0,20}(equal|same|similar|alike)"
                r"|(equal|same|similar) distances?|rul(e|ed|ing) out|nothing (can|to|could)"
                r"|(cannot|can't|can not|unable to|never) (\w+ )?(skip|discard|exclude|tell)"
                r"|near(est)? (neighbou?r )?(is |are )?(much|clearly|really|far|hardly|barely) "
                r"(near|clos)|no (real |clear |true )?nearest|hardly (near|clos)|(stand|gather|lie)"
                r"[^.]{0,15}around one|spread|(hardly|barely|do not|don't|no longer|distances) "
                r"(vary|differ)",
                "And the distances: how far is the nearest, compared with the others, in each of "
                "the two?",
            ),
        ],
        claims=[
            Idea(
                "blames_the_columns",
                claimed(r"too many (columns|dimensions)")
                + r"|(patches|photographs|photos|pictures|images) have "
                r"(fewer|less|not as many) columns|more columns than",
                "Both have 972 columns. So it cannot be their number.",
            ),
            Idea(
                "blames_the_index",
                r"(larger|bigger|higher|more|greater) (ef|m|links?|memory|trees|probes|tables)\b"
                r"|(better|other|another|different) (index|algorithm|method|graph)[^.]{0,20}"
                r"(would|will|could|can|is needed|works)",
                "It is the same index both times, and no other one saves uniform data. What is "
                "different about the data?",
            ),
            Idea(
                "blames_the_range",
                r"(larger|bigger|higher|greater) (range|values|numbers|scale)|not (been )?(scaled"
                r"|normali[sz]ed)",
                "The range of the values does not matter: multiply all of them by ten, and the "
                "same "
                "points are nearest.",
            ),
        ],
    )
    return "It is the directions that count. (Your teacher may want to read it, too.)"


EXERCISES = (
    Exercise(
        "06-1",
        "A distance from codes",
        "recall",
        1,
        "distance_from_codes",
        "value",
        "Which word of the first list is nearest to (5, 1)? Write the words of both pieces in a "
        "row.",
        codes_by_hand,
    ),
    Exercise(
        "06-2",
        "Contrast, but not with oneself",
        "apply",
        2,
        "contrast",
        "function",
        "What stands on the diagonal of the matrix of all distances? np.fill_diagonal can change "
        "it.",
        contrast_of_rows,
    ),
    Exercise(
        "06-3",
        "How many directions?",
        "apply",
        2,
        "directions",
        "function",
        "On a sheet of paper twice the radius holds four times as many points, and 4 is 2 to the "
        "power of what?",
        measure_with_a_ruler,
    ),
    Exercise(
        "06-4",
        "Search with codes",
        "analyse",
        3,
        "nearest_by_code",
        "function",
        "Three steps: distances from the tables for all rows, the row numbers of the best few, "
        "exact "
        "distances for those.",
        search_with_codes,
    ),
    Exercise(
        "06-5",
        "The same columns, another search",
        "analyse",
        2,
        "why_patches",
        "text",
        "Compare the two pictures of five indexes in the notebook, and what it says about pixels "
        "that "
        "lie side by side.",
        why_photographs_can_be_searched,
    ),
)

# -- quiz ----------------------------------------------------------------------------------------

QUESTIONS = (
    Question(
        "Uniform points in 1,000 dimensions: how many times as far as the nearest is the farthest?",
        ("1.1 times", "11 times", "110 times", "1,100 times"),
        "A",
        "A squared distance adds a thousand independent terms. Their fluctuations average out.",
    ),
    Question(
        "A sheet of paper hangs askew in 1,000 dimensions. What does a kd-tree compare there?",
        ("every row", "about half of the rows", "as few rows as in a plane"),
        "C",
        "The points vary in two directions only. The intrinsic dimension counts, not the columns.",
    ),
    Question(
        "64 columns, cut into 8 pieces, with lists of 16 words. How many bits does a row need?",
        ("8", "32", "64", "128"),
        "B",
        "Four bits number sixteen words, and there are eight pieces.",
    ),
    Question(
        "Where do the words of a codebook come from?",
        ("random numbers", "the largest columns", "a k-means of the pieces", "the first rows"),
        "C",
        "Words should be near to the pieces that occur. That is what centroids are.",
    ),
    Question(
        "1,024 columns of noise join the digits. Who still finds the same digit most of the time?",
        ("brute force, it is exact", "HNSW", "product quantization", "nobody"),
        "D",
        "The search is exact, but the nearest row is no longer the same digit. An index answers "
        "the "
        "question, it does not mend it.",
    ),
)

# -- sheet ---------------------------------------------------------------------------------------


def draw_sheet(figure: Any) -> None:
    """Histograms of distances, and how much a tree compares, as columns are added."""
    from annlab.datasets import load_patches, make_uniform_cube
    from annlab.distances import pairwise_sq
    from annlab.indexes import make_index
    from annlab.plotting import PALETTE
    from annlab.widgets._look import chart

    left, right = figure.subplots(1, 2)
    cube = make_uniform_cube(1100, 200, random_state=6, dtype=float)
    chart(left, "distance / mean distance", "", "uniform points")
    styles = ((2, "-", 0.06, 1.0), (20, "--", 1.25, 2.3), (200, ":", 1.13, 8.5))
    for number, (d, style, x, y) in enumerate(styles):
        distances = np.sqrt(pairwise_sq(cube[1000:, :d], cube[:1000, :d])).ravel()
        heights, edges = np.histogram(
            distances / distances.mean(), np.linspace(0, 2, 61), density=True
        )
        middles = (edges[1:] + edges[:-1]) / 2
        left.plot(middles, heights, style, color=PALETTE[number], linewidth=2.4)
        left.text(x, y, f"{d} dimensions", fontsize=10)
    left.set(xlim=(0, 2.05), ylim=(0, None), yticks=[])

    def compared(X: np.ndarray) -> float:
        tree = make_index("kd_tree").fit(X[100:])
        tree.kneighbors(X[:100], 1)
        return float(tree.n_distances_) / (100 * len(X[100:]))

    sides = (1, 2, 4, 8)
    columns = [3 * side**2 for side in sides]
    lines = {
        "uniform": [
            compared(make_uniform_cube(1100, d, random_state=1, dtype=float)) for d in columns
        ],
        "patches": [
            compared(load_patches(1100, side, random_state=6).astype(float)) for side in sides
        ],
    }
    chart(right, "columns", "share of rows compared", "a kd-tree, two kinds of data")
    for number, (name, marker) in enumerate((("uniform", "s"), ("patches", "o"))):
        right.plot(columns, lines[name], marker=marker, color=PALETTE[1 - number], linewidth=2)
        place = {"xytext": (0, 8 if number == 0 else -16), "textcoords": "offset points"}
        right.annotate(name, (columns[-1], lines[name][-1]), **place, ha="right", fontsize=10)
    right.set(xscale="log", ylim=(0, 1.15))
    right.set_xticks(columns, [str(d) for d in columns])
    right.minorticks_off()


SHEET = Sheet(
    draw=draw_sheet,
    caption="Left: in many independent dimensions all distances are nearly equal. Right: pieces of "
    "photographs have as many columns, but their pixels depend on each other.",
    formula=r"$\frac{\mathrm{spread\ of}\ D}{\mathrm{mean\ of}\ D} \approx \sqrt{\frac{7}{20\,d}}$",
    reading="The spread of the distances D among uniform points, relative to their mean, in d "
    "dimensions.",
    code="""\
import numpy as np
from annlab.metrics import distance_contrast, intrinsic_dimension
rng = np.random.RandomState(0)
for X in (rng.rand(1000, 500), rng.rand(1000, 2) @ rng.randn(2, 500)):
    print(X.shape[1], distance_contrast(X), intrinsic_dimension(X))""",
    misconception="Data with hundreds of columns cannot be searched.",
    truth="Not the columns count, but the directions in which the data really vary. Pictures have "
    "few "
    "of them, uniform random numbers have all.",
)

# -- notes for the teacher -----------------------------------------------------------------------

LESSON = Lesson(
    minutes=50,
    exercise_minutes=50,
    aims=(
        "say what many dimensions do to distances, and measure it by the contrast",
        "tell the number of columns from the intrinsic dimension, and estimate the latter",
        "pack a row into codes with a pencil, and search with codes and re-ranking",
    ),
    prerequisites="distances, medians and standard deviations in NumPy; topics 2 and 5 help",
    misconceptions=(
        ("To compare codes, the query has to be coded as well.", "06-1"),
        ("A row may be its own nearest neighbour.", "06-2"),
        ("The number of columns is the dimension of the data.", "06-3"),
        ("A distance from codes is the distance.", "06-4"),
        ("Data with hundreds of columns cannot be searched.", "06-5"),
    ),
    lecture="Bring a sheet of paper and hold it askew: how many numbers tell where an ant is on "
    "it? "
    "Take the vote on question 1 of the quiz before the first cell is run. For the codes let four "
    "students be the words of a list and the others walk to the nearest.",
)

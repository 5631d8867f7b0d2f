"""Topic 15, resources and capstone: checks, quiz, sheet and notes for the teacher."""

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


def weigh_codes(case: Case, answer: Any) -> str:
    """15-1: bytes of a photograph that is written in words."""
    from annlab.applications import cut_tiles
    from annlab.applications._pixels import code_bytes

    width, height, size, n_words = 320, 240, 8, 500
    blank = np.zeros((height, width, 3), dtype=np.uint8)
    tiles = cut_tiles(blank, size)[..., 0].size
    truth = code_bytes(tiles, n_words)
    case.compare(
        answer,
        truth,
        [
            Mistake("bits_not_bytes", 8 * truth, "Those are bits. A byte has eight of them."),
            Mistake(
                "off_by_one",
                code_bytes(tiles, n_words // 2),
                "That is one bit too few for each tile: how many different words can it name?",
            ),
            Mistake(
                "off_by_one",
                code_bytes(tiles, 2 * n_words),
                "That is one bit too many for each tile: how many words could it name?",
            ),
            Mistake(
                "fraction_of_a_bit",
                tiles * np.log2(n_words) / 8,
                "The logarithm is right, but each code gets a whole number of bits.",
            ),
            Mistake(
                "code_per_pixel",
                code_bytes(width * height, n_words),
                "You give each pixel a code. A tile has one, for all of its pixels.",
            ),
            Mistake(
                "code_per_value",
                code_bytes(3 * tiles, n_words),
                "A word has all three colours in it: a tile needs one code and not three.",
            ),
            Mistake(
                "number_of_tiles", tiles, "That is the number of the tiles (or one byte each)."
            ),
            Mistake(
                "pixels_not_codes",
                blank.size,
                "That is the photograph itself, with one byte for each of its values.",
            ),
            Mistake(
                "counts_the_book",
                truth + n_words * 3 * size**2,
                "The book is in it as well. Here only the codes are asked for.",
            ),
        ],
        "How many tiles are there, and how many bits tell one of 500 words from the others?",
        what="The number of bytes",
    )
    return "Less than a hundredth of the pixels, as long as the book costs nothing."


def cut_into_tiles(case: Case, answer: Any) -> str:
    """15-2: tiles of a grey picture."""
    from annlab.applications import cut_tiles

    for height, width, size in ((7, 11, 2), (10, 13, 3), (8, 12, 4)):
        picture = case.rng.randint(0, 256, size=(height, width)).astype(np.uint8)
        # a grey picture has three equal colours
        tiles = np.rint(255 * cut_tiles(picture, size)[..., ::3]).astype(int)
        rows, columns, pixels = tiles.shape
        truth = tiles.reshape(rows * columns, pixels)
        whole = picture[: rows * size, : columns * size].astype(int)
        sliding = np.lib.stride_tricks.sliding_window_view(picture, (size, size))
        turned = tiles.reshape(-1, size, size).swapaxes(1, 2).reshape(truth.shape)
        got = case.call(answer, picture, size)
        if isinstance(got, list) and len({np.size(tile) for tile in got}) > 1:
            raise Wrong(
                "keeps_remainder",
                "The tiles differ in size. What is left at the right and at the bottom fills no "
                "tile: drop it.",
            )
        case.compare(
            got,
            truth,
            [
                Mistake(
                    "cuts_strips",
                    whole.reshape(-1, pixels),
                    "Those are strips: pixels that follow each other in a row of the picture. A "
                    "tile takes its pixels from several rows.",
                ),
                Mistake(
                    "cuts_strips",
                    picture.ravel()[: picture.size // pixels * pixels].reshape(-1, pixels),
                    "Those are strips: pixels that follow each other in a row of the picture. A "
                    "tile takes its pixels from several rows.",
                ),
                Mistake(
                    "column_by_column",
                    tiles.swapaxes(0, 1).reshape(truth.shape),
                    "The tiles are right, but they come column by column. Go through the picture "
                    "row by row, as one reads.",
                ),
                Mistake(
                    "turned_tiles",
                    turned,
                    "Each tile is mirrored: its rows have become columns. In which order do the "
                    "axes stand when you flatten it?",
                ),
                Mistake(
                    "overlapping_tiles",
                    sliding.reshape(-1, pixels),
                    "The tiles overlap: the next one begins only one pixel further on.",
                ),
                Mistake(
                    "off_by_one",
                    tiles[: -(-height // size) - 1, : -(-width // size) - 1].reshape(-1, pixels),
                    "When the tiles fit exactly, the last row and the last column of tiles are "
                    "missing.",
                ),
            ],
            f"The tiles of a picture of {height} by {width} pixels are other ones.",
            what="What your function returns",
        )
    return "A picture has become points, and k-means can begin."


def count_words(case: Case, answer: Any) -> str:
    """15-3: the bag of words."""
    n_words = 12
    codes = case.rng.choice([0, 1, 2, 4, 5, 7, 8], size=(6, 9))
    codes[0, :2] = 1, 8
    found, times = np.unique(codes, return_counts=True)
    counts = np.zeros(n_words)
    counts[found] = times
    truth = counts / codes.size
    up_to_last = int(codes.max()) + 1
    case.compare(
        case.call(answer, codes, n_words),
        truth,
        [
            *(
                Mistake(
                    "drops_words",
                    value,
                    "Words that do not occur have no place in it. Two pictures can only be "
                    "compared if the same place stands for the same word: n_words numbers always.",
                )
                for value in (
                    times / codes.size,
                    times,
                    truth[:up_to_last],
                    counts[:up_to_last],
                )
            ),
            Mistake(
                "count_not_share",
                counts,
                "Those are counts. A large picture has more tiles than a small one: return shares.",
            ),
            Mistake(
                "only_whether",
                counts > 0,
                "It says whether a word occurs. Asked for is how often.",
            ),
            Mistake(
                "off_by_one",
                np.append(truth, 0.0),
                "It has one place too many: words are counted from 0.",
            ),
            Mistake(
                "off_by_one",
                np.append(0.0, truth[:-1]),
                "Everything stands one place too far to the right: words are counted from 0.",
            ),
            Mistake(
                "other_total",
                counts / n_words,
                "You divide by the number of words. The share is one of all tiles.",
            ),
            Mistake(
                "other_total",
                counts / len(codes),
                "You divide by the number of rows. The share is one of all tiles.",
            ),
        ],
        "It is not the share of the tiles that each word has.",
        what="What your function returns",
    )
    return "That is how a picture is searched like a text."


def reach_the_target(case: Case, answer: Any) -> str:
    """15-4: seconds until a run is good enough, if it ever is."""
    for what in ("reached", "never", "tie", "at once"):
        seconds = np.cumsum(0.5 + case.rng.rand(8)) + 9.0
        # rises again after the step that reaches the target, and once more at the end
        inertias = np.array([200.0, 170.0, 140.0, 110.0, 150.0, 100.0, 90.0, 96.0])
        inertias += case.rng.rand(8)
        target = {"reached": 120.0, "never": 80.0, "tie": inertias[3], "at once": 220.0}[what]
        good = np.flatnonzero(inertias <= target)
        below = np.flatnonzero(inertias < target)
        got = case.call(answer, seconds, inertias, target)
        if what == "never":
            case.compare(
                got,
                np.inf,
                [
                    Mistake(
                        "never_is_first",
                        seconds[0],
                        "A run that never gets there wins with its first step! argmax of an array "
                        "without any True is 0: ask first whether there is one.",
                    ),
                    Mistake(
                        "never_is_last",
                        seconds[-1],
                        "A run that never gets there has got the time of its end, as if it had.",
                    ),
                    Mistake(
                        "never_is_last",
                        seconds[inertias.argmin()],
                        "A run that never gets there has got the time of its best step, as if it "
                        "had.",
                    ),
                    Mistake(
                        "never_is_nan",
                        np.nan,
                        "A run that never gets there has the time np.inf: so it loses every race. "
                        "NaN can be compared with nothing.",
                    ),
                    Mistake(
                        "never_is_zero",
                        0.0,
                        "A run that never gets there has got the time 0, and wins every race.",
                    ),
                ],
                "A run that never gets there has the time np.inf.",
                what="What your function returns",
            )
            continue
        first = int(good[0])
        case.compare(
            got,
            seconds[first],
            [
                Mistake(
                    "ignores_ties",
                    seconds[below[0]] if len(below) else np.inf,
                    "A step whose inertia equals the target is good enough.",
                ),
                Mistake(
                    "off_by_one",
                    seconds[max(first - 1, 0)],
                    "That is the time of the step before: its inertia is still too high.",
                ),
                Mistake(
                    "time_of_best",
                    seconds[inertias.argmin()],
                    "That is the time of the lowest inertia. The race is over earlier, when the "
                    "target is reached for the first time.",
                ),
                Mistake(
                    "last_not_first",
                    seconds[-1],
                    "That is the time of the last step. When was it good enough for the first "
                    "time?",
                ),
                Mistake(
                    "last_not_first",
                    seconds[5],
                    "That is the step from which it stays good. Asked for is the first that is "
                    "good.",
                ),
                Mistake(
                    "first_step",
                    seconds[0],
                    "That is the time of the first step, whatever its inertia.",
                ),
                Mistake("steps_not_seconds", first, "That is a number of steps. Return seconds."),
                Mistake(
                    "steps_not_seconds", first + 1, "That is a number of steps. Return seconds."
                ),
            ],
            "It is not the time of the first step whose inertia is at most the target.",
            what="What your function returns",
        )
    return "Now two programs can race to the same place."


def which_book(case: Case, answer: Any) -> str:
    """15-5: free text."""
    case.explain(
        answer,
        ideas=[
            Idea(
                "missing_by_heart",
                r"by heart|memor|over-?fit|learn|(?<!un)(?<!not )(?<!never )(?<!neither )\bseen\b"
                r"|train|\bown (patches|photo)|same patches|\bknown|cop(y|ies)|single patch"
                r"|fitted|specialis|specializ",
                "Why does the larger book write the patches in the first column so much better?",
            ),
            Idea(
                "missing_unseen",
                r"unseen|(not|never|neither|n't|nobody)( \w+)* seen"
                r"|other (photo|picture|image|data)|another|stranger|\bnew\b|held[- ]out"
                r"|second column|test|generali[sz]|unknown"
                r"|right[- ]hand column|0\.1|tenth|validation",
                "Which of the numbers tells what the book is worth for the pictures to come?",
            ),
        ],
        claims=[
            Idea(
                "believes_the_learned",
                claimed(
                    r"(colleague|she|he|choice|they) (is|are|was) (right|correct)"
                    r"|(?<!to )\b(take|choose|prefer|use|recommend) (the )?"
                    r"(larger|bigger|book of 4,?096|4,?096)",
                    before=True,
                )
                + r"|(better|best|right|good|wise) to (take|choose|use) (the )?"
                r"(larger|bigger|4,?096)|more words are (always )?better",
                "You judge the book by the patches that it was learned from. It will be used for "
                "other photographs.",
            ),
            Idea(
                "blames_photo",
                r"(photo\w*|picture|image) (is|must be|was|seems) (just |simply |only |probably )?"
                r"(too |very |more |a )?(hard|difficult|bad|noisy|blurr|dark|poor)",
                "A difficult photograph is written badly by both books. Here the question is how "
                "the two books differ.",
            ),
        ],
    )
    return "Measure on what was not learned. (Your teacher may want to read it, too.)"


EXERCISES = (
    Exercise(
        "15-1",
        "What codes weigh",
        "recall",
        1,
        "code_bytes",
        "value",
        "With 3 bits one can name 8 words, with 4 bits 16.",
        weigh_codes,
    ),
    Exercise(
        "15-2",
        "Cut a picture into tiles",
        "apply",
        2,
        "cut",
        "function",
        "One way is two loops. Another is a reshape to four axes, two of which change places.",
        cut_into_tiles,
    ),
    Exercise(
        "15-3",
        "A bag of words",
        "apply",
        2,
        "bag",
        "function",
        "np.bincount takes one axis only, and has an argument for the least length.",
        count_words,
    ),
    Exercise(
        "15-4",
        "Time to quality",
        "analyse",
        3,
        "time_to_quality",
        "function",
        "inertias <= target is an array of True and False. What if there is no True in it?",
        reach_the_target,
    ),
    Exercise(
        "15-5",
        "Which book?",
        "analyse",
        2,
        "which_book",
        "text",
        "Look at step 2 of the capstone: which of its three curves goes on rising, and why?",
        which_book,
    ),
)

# -- quiz ----------------------------------------------------------------------------------------

QUESTIONS = (
    Question(
        "A photograph is written in visual words. What is the squared error of its tiles?",
        ("the number of words", "the inertia of its tiles", "the bytes of its codes"),
        "B",
        "Each tile is replaced by its nearest centroid, so the error is the sum of the squared "
        "distances.",
    ),
    Question(
        "The tiles of a photograph are shuffled. What happens to its bag of words?",
        ("it is shuffled, too", "a few numbers change", "nothing"),
        "C",
        "A bag counts words and forgets where they stood. To it, both are the same picture.",
    ),
    Question(
        "Program X ran ten iterations in 5 s, program Y in 9 s. Which is better?",
        ("X", "Y", "one cannot tell"),
        "C",
        "An iteration of one may bring more than one of the other. Let both run to the same "
        "inertia, and compare the time.",
    ),
    Question(
        "A paper's arXiv number has the right form. What do you know?",
        ("that it leads to the paper", "nothing yet, look it up", "that the paper is good"),
        "B",
        "A slip of the keyboard has the right form, too. Compare title and authors with what you "
        "find.",
    ),
    Question(
        "Ten times as many words, but each patch is compared with 100 neighbours. What grows?",
        ("the work of assigning", "the size of the book", "both ten times"),
        "B",
        "n patches times 100 candidates stays the same, whatever k is. The words themselves need "
        "ten times the room.",
    ),
)

# -- sheet ---------------------------------------------------------------------------------------


def draw_sheet(figure: Any) -> None:
    """Show a photograph written in words, and what more words bring to whom."""
    from annlab.applications import learn_visual_words
    from annlab.datasets import load_photo
    from annlab.plotting import PALETTE
    from annlab.widgets._look import chart

    china, flower = load_photo("china"), load_photo("flower")
    ks, n_patches = (2, 8, 32, 128, 512, 2048), 4000
    books = {
        k: learn_visual_words(["china"], k, n_patches=n_patches, max_iter=10, random_state=0)
        for k in ks
    }
    curves = {
        "its patches": [
            10 * np.log10(192 * n_patches / book.result.inertia) for book in books.values()
        ],
        "its photograph": [book.rebuild(china).psnr_db for book in books.values()],
        "another one": [book.rebuild(flower).psnr_db for book in books.values()],
    }
    grid = figure.add_gridspec(2, 2, width_ratios=(1, 1.5))
    for row, k in enumerate((8, 512)):
        axes = figure.add_subplot(grid[row, 0])
        axes.imshow(books[k].rebuild(china).image)
        axes.set_title(f"{k} words", fontsize=12, loc="left")
        axes.set_axis_off()
    axes = figure.add_subplot(grid[:, 1])
    for (name, values), marker, color in zip(curves.items(), "so^", PALETTE, strict=False):
        axes.plot(ks, values, marker=marker, color=color, label=name)
    axes.set_xscale("log", base=2)
    axes.set_xticks(ks, [str(k) for k in ks])
    axes.legend(frameon=False, loc="upper left")
    chart(axes, "words", "PSNR (dB)", "How well a book writes")


SHEET = Sheet(
    draw=draw_sheet,
    caption="Left: every tile of 8 by 8 pixels is replaced by its nearest word. Right: the words "
    "were learned from 4,000 patches of the temple; the other photograph is a flower.",
    formula=r"$\mathrm{PSNR} = 10 \, \log_{10} \frac{n \, d}{J}, \quad "
    r"J = \sum_{i=1}^{n} \| x_i - c_{a_i} \|^2$",
    reading="The quality of a picture of n tiles with d values each, from 0 to 1, follows from the "
    "inertia J: ten decibels are a factor of ten.",
    code="""\
from annlab.applications import learn_visual_words
from annlab.datasets import load_photo
for k in (64, 256, 1024):
    book = learn_visual_words(["china"], k, n_patches=4000, random_state=0)
    print(k, book.result.inertia, book.rebuild(load_photo("flower")).psnr_db)""",
    misconception="The more words, the better the book.",
    truth="More words always write better what they were learned from. What counts is a photograph "
    "that the book has never seen, and the bytes of the book itself.",
)

# -- notes for the teacher -----------------------------------------------------------------------

LESSON = Lesson(
    minutes=60,
    exercise_minutes=45,
    aims=(
        "turn pictures into words and words into pictures, and say what that costs",
        "choose the number of words by what was not learned",
        "race two programs to the same quality",
        "check a reference before passing it on",
    ),
    prerequisites="topics 3 and 8; reshape and axes in NumPy",
    misconceptions=(
        ("A reshape cuts a picture into tiles.", "15-2"),
        ("Words that do not occur need no place.", "15-3"),
        ("The program that ends first is the faster one.", "15-4"),
        ("The more words, the better the book.", "15-5"),
    ),
    lecture="Open the explorer with 16 words and let the class guess the photograph before you "
    "drag the words to 4,096. Then go through the six steps of the capstone, and let the class "
    "decide in each before you show the number.",
)

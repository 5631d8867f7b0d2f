"""Topic 8, image segmentation: checks, quiz, sheet and notes for the teacher."""

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


def bytes_by_hand(case: Case, answer: Any) -> str:
    """08-1: what a picture with a palette takes."""
    from annlab.applications import segment_image

    n_colours, shape = 40, (60, 100)
    n_pixels = shape[0] * shape[1]
    # a picture that has the forty colours already: k-means has nothing to decide
    greys = (np.arange(n_pixels) % n_colours).reshape(shape).astype(np.uint8)
    colours = np.repeat(np.arange(n_colours)[:, None] / 255.0, 3, axis=1)
    made = segment_image(greys, n_colours, init=colours, max_iter=1, random_state=0)
    truth, bits = made.compressed_bytes, float(np.log2(n_colours))
    case.compare(
        answer,
        truth,
        [
            Mistake(
                "forgets_the_palette",
                truth - 3 * n_colours,
                "Those are the labels. Whoever opens the picture needs the palette as well.",
            ),
            Mistake(
                "bits_not_rounded",
                n_pixels * bits / 8 + 3 * n_colours,
                "A label takes a whole number of bits, the same for each pixel.",
            ),
            Mistake(
                "off_by_one",
                n_pixels * int(bits) / 8 + 3 * n_colours,
                "So many bits cannot name forty colours. How many things can they name?",
            ),
            Mistake(
                "bits_not_bytes",
                n_pixels * np.ceil(bits) + 3 * n_colours,
                "You add bits and bytes. A byte has eight bits.",
            ),
            Mistake(
                "bits_not_bytes",
                n_pixels * np.ceil(bits) + 24 * n_colours,
                "In bits it is right; write it in bytes.",
            ),
            Mistake(
                "byte_a_label",
                n_pixels + 3 * n_colours,
                "That is a whole byte for each label. Forty colours need fewer bits.",
            ),
            Mistake(
                "three_labels",
                3 * (truth - 3 * n_colours) + 3 * n_colours,
                "A pixel has one label, and not one for each of red, green and blue.",
            ),
            Mistake(
                "one_byte_a_colour",
                truth - 2 * n_colours,
                "A colour of the palette takes three bytes: red, green and blue.",
            ),
            Mistake(
                "before_not_after", 3 * n_pixels, "That is the picture before it gets a palette."
            ),
        ],
        "Two parts: the labels, with as many bits as name forty things, and the palette.",
        what="The number of bytes",
        rtol=1e-4,
    )
    return "Labels and palette: about a quarter of what the picture took."


def measure_psnr(case: Case, answer: Any) -> str:
    """08-2: the quality of a palette, with whole numbers that wrap round."""
    from annlab.classroom._base import _silence

    h, w, k = 9, 14, 5
    palette = case.rng.randint(60, 200, size=(k, 3)).astype(np.uint8)
    labels = case.rng.randint(k, size=(h, w))
    # errors as those of a small palette, to both sides
    image = (palette[labels] + case.rng.randint(-30, 31, size=(h, w, 3))).astype(np.uint8)
    error = image.astype(np.float64) - palette[labels]
    mse = np.square(error).mean()
    with _silence():
        wrapped = np.square(image - palette[labels]).astype(np.float64).mean()
        half_wrapped = np.square((image - palette[labels]).astype(np.float64)).mean()
        square_wrapped = np.square(error.astype(np.int64)).astype(np.uint8).mean()

    def decibels(mean_square: Any) -> float:
        return float(10 * np.log10(255**2 / mean_square))

    case.compare(
        case.call(answer, image, labels, palette),
        decibels(mse),
        [
            *(
                Mistake(
                    "wraps_around",
                    decibels(value),
                    "Pixels are whole numbers from 0 to 255 (uint8). Subtract 20 from 10 in them, "
                    "and you get 246: they wrap round without a word. Turn them into floats first.",
                )
                for value in (wrapped, half_wrapped, square_wrapped)
            ),
            Mistake(
                "mean_square_of_pixels",
                decibels(3 * mse),
                "You divide by the number of pixels. Each pixel has three channels: the mean runs "
                "over all numbers of the picture.",
            ),
            Mistake(
                "sum_not_mean",
                decibels(mse * error.size),
                "That is the sum of the squared errors. Take their mean.",
            ),
            Mistake(
                "natural_logarithm",
                10 * np.log(255**2 / mse),
                "np.log is the natural logarithm. Decibels count powers of ten.",
            ),
            Mistake(
                "root_too_many",
                10 * np.log10(255**2 / np.sqrt(mse)),
                "There is a root too many: inside stands the mean of the squares.",
            ),
            Mistake(
                "not_squared",
                decibels(np.abs(error).mean()),
                "It takes the mean of the plain errors. The formula has their squares.",
            ),
            Mistake(
                "peak_not_squared",
                10 * np.log10(255 / mse),
                "The largest value is squared as well: the error is.",
            ),
            Mistake("upside_down", -decibels(mse), "Numerator and denominator are exchanged."),
            Mistake("factor_forgotten", decibels(mse) / 10, "Those are bels. Ten decibels a bel."),
            Mistake("mean_square_only", mse, "That is the mean squared error. One step is left."),
        ],
        "Paint each pixel with the colour of its label, and put the mean squared error of that "
        "into the formula.",
        what="What your function returns",
    )
    return "Ten decibels more are a tenth of the squared error."


def move_weighted_colours(case: Case, answer: Any) -> str:
    """08-3: means of colours that have weights, and a colour of the palette that nobody takes."""
    m, k = 40, 5
    colours = case.rng.randint(0, 256, size=(m, 3)).astype(np.float64)
    count = case.rng.randint(1, 500, size=m)
    palette = case.rng.randint(0, 256, size=(k, 3)).astype(np.float64)
    labels = case.rng.choice([0, 1, 3, 4], size=m)
    # colour 2 of the palette is taken by nobody
    labels[:4] = [0, 1, 3, 4]
    used = np.unique(labels)
    truth, plain, sums, per_colour, per_total = (palette.copy() for _ in range(5))
    for j in used:
        own, weight = colours[labels == j], count[labels == j]
        truth[j] = np.average(own, axis=0, weights=weight)
        plain[j] = own.mean(axis=0)
        sums[j] = weight @ own
        per_colour[j] = sums[j] / len(own)
        per_total[j] = sums[j] / count.sum()

    def empty_as(values: np.ndarray, what: float) -> np.ndarray:
        changed = values.copy()
        changed[2] = what
        return changed

    nan_told = (
        "One colour of the palette is taken by nobody and became NaN: the sum of no weights is "
        "zero. Let it stay as it is."
    )
    counts_told = (
        "It takes each distinct colour once. A colour that 400 pixels have must pull 400 times as "
        "hard: what is count for?"
    )
    divisor_told = (
        "The colours are weighted, but the sum is divided by the wrong number. The weights of a "
        "mean add up to one."
    )
    case.compare(
        case.call(answer, colours, count, labels, palette),
        truth,
        [
            Mistake("empty_cluster_nan", empty_as(truth, np.nan), nan_told),
            Mistake(
                "empty_cluster_zero",
                empty_as(truth, 0.0),
                "The colour that nobody takes has become black. Let it stay as it is.",
            ),
            Mistake(
                "empty_cluster_dropped",
                truth[used],
                "A colour of the palette has vanished, and the labels behind it name another "
                "colour from now on. Let it stay as it is.",
            ),
            Mistake("ignores_counts", plain, counts_told),
            Mistake("ignores_counts", empty_as(plain, np.nan), counts_told),
            Mistake("ignores_counts", empty_as(plain, 0.0), counts_told),
            Mistake("wrong_divisor", per_colour, divisor_told),
            Mistake("wrong_divisor", empty_as(per_colour, np.nan), divisor_told),
            Mistake("wrong_divisor", empty_as(per_colour, 0.0), divisor_told),
            Mistake("wrong_divisor", per_total, divisor_told),
            Mistake("wrong_divisor", empty_as(per_total, 0.0), divisor_told),
            Mistake("sum_not_mean", sums, "Those are sums: divide by the weight of each segment."),
            Mistake(
                "sum_not_mean",
                empty_as(sums, 0.0),
                "Those are sums: divide by the weight of each segment, if there is any.",
            ),
            Mistake("never_moves", palette, "The palette comes back as it was."),
        ],
        "A colour of the palette moves to the mean of all pixels that have its label.",
        what="What your function returns",
        rtol=1e-4,
    )
    return "The same palette as from all the pixels, and far fewer terms."


class _Clerk:
    """Finds the nearest colour of a palette, and keeps a list of what it was asked."""

    def __init__(self, palette: np.ndarray) -> None:
        self.palette = palette
        self.asked: list[np.ndarray] = []

    def __deepcopy__(self, memo: Any) -> _Clerk:
        # the check hands out copies, and wants to read this list
        return self

    def __call__(self, colours: Any) -> np.ndarray:
        from annlab.distances import k_nearest

        colours = np.asarray(colours, dtype=np.float64)
        if colours.ndim != 2 or colours.shape[1] != 3:
            raise ValueError(f"nearest wants colours of shape (n, 3), not {colours.shape}")
        self.asked.append(colours.copy())
        return k_nearest(colours, self.palette, 1)[1][:, 0]


def ask_each_colour_once(case: Case, answer: Any) -> str:
    """08-4: labels of a picture, each distinct colour looked up once."""
    from annlab.distances import k_nearest

    # wide, high, and of one colour
    for h, w, m in ((12, 17, 20), (15, 8, 9), (4, 6, 1)):
        # many colours share a channel, and some their sum
        cube = np.array(np.meshgrid(*[(10, 90, 170, 250)] * 3)).reshape(3, -1).T
        colours = cube[case.rng.permutation(64)[:m]]
        picked = np.append(np.arange(m), case.rng.randint(m, size=h * w - m))
        case.rng.shuffle(picked)
        image = colours[picked].reshape(h, w, 3).astype(np.uint8)
        clerk = _Clerk(case.rng.randint(0, 256, size=(6, 3)).astype(np.float64))
        pixels = image.reshape(-1, 3).astype(np.float64)
        truth = k_nearest(pixels, clerk.palette, 1)[1].reshape(h, w)
        got = case.call(answer, image, clerk)
        asked = sum(map(len, clerk.asked))
        if not clerk.asked:
            raise Wrong("never_asks", "It never asks nearest, which knows the palette.")
        if asked >= h * w:
            raise Wrong(
                "asks_every_pixel",
                f"It asks about {asked} colours, as many as the picture has pixels; different are "
                f"only {m}. Equal colours get equal answers: ask about each once.",
            )
        if asked > m:
            raise Wrong(
                "asks_too_often",
                f"It asks about {asked} colours, and the picture has {m} different ones. What is "
                "known need not be asked again.",
            )
        if asked < m:
            raise Wrong(
                "different",
                f"It asks about {asked} colours, and the picture has {m} different ones. Two "
                "colours are the same only if all three channels are.",
            )
        per_colour = clerk(clerk.asked[0]) if len(clerk.asked) == 1 else np.empty(0)
        case.compare(
            got,
            truth,
            [
                Mistake(
                    "not_handed_back",
                    per_colour,
                    "Those are the labels of the distinct colours. Hand them back to the pixels: "
                    "np.unique can tell which distinct colour each pixel has.",
                ),
                Mistake(
                    "flat_labels",
                    truth.ravel(),
                    "The labels are right and stand in one long row. Give them the shape of the "
                    "picture, height and width.",
                ),
                Mistake(
                    "flat_labels",
                    truth.reshape(-1, 1),
                    "The labels are right and stand in one column. Give them the shape of the "
                    "picture, height and width.",
                ),
                Mistake(
                    "rows_for_columns",
                    truth.reshape(w, h),
                    "Width and height are exchanged: an image has the shape (height, width, 3).",
                ),
                Mistake("rows_for_columns", truth.T, "The picture lies on its side."),
                Mistake(
                    "colours_not_labels",
                    clerk.palette[truth],
                    "That is the painted picture. The labels are asked for.",
                ),
            ],
            "Each distinct colour has got its label, but some pixels got that of another colour.",
            what="What your function returns",
        )
    return "Exact, and only a small part of the work; no index was needed."


#: What a sentence on dimensions may say besides, without being wrong.
_ALSO = r"\bnot\b|n't|five|centroid|palette|colou?r|cluster|also|besides|\bk\b"


def why_five_colours_need_no_index(case: Case, answer: Any) -> str:
    """08-5: free text."""
    many = r"\b(many|more|hundreds?|thousands?|large\w*|big\w*|256|high\w*|grows?|lots|1,?000)\b"
    things = r"(colou?rs?|centroids?|clusters?|palettes?|\bk\b|visual words|entries|segments?)"
    few = r"\b(five|5|few|small|handful|little|only|nothing to (skip|save|leave))\b"
    case.explain(
        answer,
        ideas=[
            Idea(
                "missing_few",
                rf"^(?=.*{few})(?=.*({things}|distances|comparisons|candidates|factor))",
                "What is searched for each pixel, and among how many? There the index has to save.",
            ),
            Idea(
                "missing_many",
                rf"{many}[^.]{{0,40}}{things}|{things}[^.]{{0,40}}{many}|\b(hundreds|thousands)\b",
                "And the second half of the question: what would have to be different?",
            ),
        ],
        claims=[
            Idea(
                "index_over_samples",
                claimed(
                    r"\bindex\b[^.]{0,20}\b(holds|contains|stores|is made of)\b"
                    r"[^.]{0,12}\b(pixels|points)"
                ),
                "You put the pixels into the index. They are the questions. What does k-means "
                "look for, once for each pixel?",
            ),
            Idea(
                "pixels_make_it_pay",
                claimed(
                    r"(more|many|larger?|bigger|higher?|enough|million)[^.!?;:]{0,25}"
                    r"\b(pixels?|pictures?|images?|photo\w*|resolution)\b",
                    r"\b(pays?|paid|helps?|saves?|worth\w*|useful|faster|quicker)\b",
                    unless=NEGATION
                    + r"|questions?|quer|centroid|only|palette|colou?r|cluster|\bk\b|merg",
                ),
                "More pixels are more questions, and each of them costs what it did before. Over "
                "which number does an index save?",
            ),
            Idea(
                "blames_three_dimensions",
                claimed(
                    r"because|since|reason|too",
                    r"(three|3|few|low|many|high|too many)[- ]?(dimension|features|channels)",
                    r"(index|tree|save|nothing|useless|slow)",
                    unless=_ALSO,
                ),
                "Three dimensions are easy for an index. It has too little to choose from: among "
                "how many does it search?",
            ),
        ],
    )
    return "An index saves over the palette. (Your teacher may want to read it, too.)"


EXERCISES = (
    Exercise(
        "08-1",
        "What a palette saves",
        "recall",
        1,
        "bytes_by_hand",
        "value",
        "How many different things can be named with 4 bits, with 5, with 6?",
        bytes_by_hand,
    ),
    Exercise(
        "08-2",
        "Decibels, and a trap",
        "apply",
        2,
        "psnr",
        "function",
        "Try np.uint8([10]) - np.uint8([20]) in a cell of its own.",
        measure_psnr,
    ),
    Exercise(
        "08-3",
        "Colours with a weight",
        "apply",
        2,
        "move_palette",
        "function",
        "How would you write it for a list in which each colour stands as often as it occurs?",
        move_weighted_colours,
    ),
    Exercise(
        "08-4",
        "Ask each colour once",
        "analyse",
        3,
        "label_picture",
        "function",
        "np.unique has axis and return_inverse; .ravel() makes the inverse flat in every NumPy.",
        ask_each_colour_once,
    ),
    Exercise(
        "08-5",
        "Fifty million pixels",
        "analyse",
        2,
        "why_no_index",
        "text",
        "What does the index hold, and what is a question put to it?",
        why_five_colours_need_no_index,
    ),
)

# -- quiz ----------------------------------------------------------------------------------------

QUESTIONS = (
    Question(
        "In the deck's program a tree labels the pixels after k-means. How many labels change?",
        ("about half", "those at the edges", "none"),
        "C",
        "k-means has labelled every pixel when it ends. The tree is exact, comes too late, and "
        "gives the same answers.",
    ),
    Question(
        "An image has a fourth channel, transparency. What does reshape(-1, 3) do to it?",
        ("it mixes up the channels", "it drops the fourth", "it raises an error"),
        "A",
        "The numbers are cut into threes, so that the blue of one pixel becomes the red of "
        "another. Only the count at the end may give it away.",
    ),
    Question(
        "Two seeds give the same segments under other numbers. How do you compare the pictures?",
        ("label by label", "paint each with its palette", "they cannot be compared"),
        "B",
        "Labels are names. The colour of the centroid does not depend on the numbering.",
    ),
    Question(
        "A photo has 2,000,000 pixels and 50,000 colours. How to save most of k-means, exactly?",
        ("use a ball tree", "use every 40th pixel", "shrink the photo", "cluster weighted colours"),
        "D",
        "Equal colours are one point with a weight. The objective is the same, with fewer terms; "
        "the others change it or save less.",
    ),
    Question(
        "A position weight is added. What happens to the PSNR?",
        ("it falls", "it rises", "it stays"),
        "A",
        "The palette now has to please the coordinates, too. Segments get compact, colours less "
        "exact.",
    ),
)

# -- sheet ---------------------------------------------------------------------------------------


def draw_sheet(figure: Any) -> None:
    """Show a photograph with few and with more colours, its palette below each."""
    from annlab.applications import segment_image
    from annlab.datasets import load_photo
    from annlab.widgets._look import three

    # upright, as the columns are
    photo = load_photo("china")[10:420, 40:340]
    columns = figure.subplots(2, 3, height_ratios=(14, 1))
    given: dict[str, Any] = {"algorithm": "brute", "max_iter": 20, "random_state": 8}
    n_colours = len(np.unique(photo.reshape(-1, 3), axis=0))
    pictures: list[tuple[Any, str, Any]] = [(photo, f"the photograph\n{n_colours:,} colours", None)]
    for k in (4, 16):
        made = segment_image(photo, k, **given)
        share = np.bincount(made.labels.ravel(), minlength=k) / made.labels.size
        saved = made.original_bytes / made.compressed_bytes
        title = f"{k} colours, {three(made.psnr_db)} dB\n{saved:.0f} times fewer bytes"
        pictures.append((made.segmented_image, title, (made.palette, share)))
    for (picture, title, bar), (above, below) in zip(pictures, columns.T, strict=True):
        above.imshow(picture, interpolation="nearest")
        above.set_title(title, fontsize=11, loc="left")
        above.set_axis_off()
        below.set_axis_off()
        if bar is None:
            continue
        left = 0.0
        palette, share = bar
        for j in np.argsort(palette.sum(axis=1)):
            below.barh(0, share[j], left=left, color=palette[j] / 255, edgecolor="#1a1a1a")
            left += share[j]
        below.set_xlim(0, 1)


SHEET = Sheet(
    draw=draw_sheet,
    caption="A photograph, and what k-means makes of it with 4 and with 16 colours. The bars show "
    "how many pixels took each colour.",
    formula=r"$\mathrm{PSNR} = 10\, \log_{10}\, \frac{255^2}{\mathrm{MSE}}$"
    r"$, \quad \mathrm{MSE} = \frac{1}{3n} \sum_{i=1}^{n} \| x_i - c_{a_i} \|^2$",
    reading="The mean squared error is the inertia, divided by a constant: k-means over pixels "
    "looks for the palette with the best PSNR.",
    code="""\
from annlab import datasets, segment_image
photo = datasets.load_photo("chelsea")
result = segment_image(photo, 8, random_state=0)
print(result.palette, result.psnr_db)
print(result.original_bytes / result.compressed_bytes)""",
    misconception="A large picture needs a nearest-neighbour index.",
    truth="An index saves over the colours of the palette, and five leave nothing to skip. What "
    "saves without any loss is to merge equal colours.",
)

# -- notes for the teacher -----------------------------------------------------------------------

LESSON = Lesson(
    minutes=40,
    exercise_minutes=45,
    aims=(
        "turn a picture into points and clusters into a picture",
        "say what a palette costs in decibels and saves in bytes",
        "find the line of a program in which an index would pay, and one in which it does not",
    ),
    prerequisites="topic 1, or k-means from elsewhere; NumPy's reshape, means and masks",
    misconceptions=(
        ("Pixels can be subtracted as they come from the file.", "08-2"),
        ("Every colour of the palette is taken by some pixel.", "08-3"),
        ("Equal points have to be searched one by one.", "08-4"),
        ("A large picture needs an index.", "08-5"),
    ),
    lecture="Begin with a photograph of the class and four colours, and let them say when they "
    "recognise it. Take the vote on question 1 of the quiz before the deck's program is run. "
    "Exercise 08-2 works well on the projector: the wrong number looks quite plausible.",
)

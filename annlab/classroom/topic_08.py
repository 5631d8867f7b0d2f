"""Checks of topic 8, image segmentation."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from annlab.classroom._case import Case, Recorder, silence
from annlab.classroom._content import load
from annlab.classroom._values import cluster_means, empty_cluster, with_empty, with_row


def bytes_by_hand() -> float:
    """Check 08-1: bytes of a picture with a palette."""
    n_pixels, n_colours = 60 * 100, 40
    return n_pixels * np.ceil(np.log2(n_colours)) / 8 + 3 * n_colours


def measure_psnr(case: Case, answer: object) -> None:
    """Check 08-2: the quality of a palette, with whole numbers that wrap round."""
    h, w, k = 9, 14, 5
    palette = case.rng.randint(60, 200, size=(k, 3)).astype(np.uint8)
    labels = case.rng.randint(k, size=(h, w))
    # errors like those of a small palette, of both signs
    image = (palette[labels] + case.rng.randint(-30, 31, size=(h, w, 3))).astype(np.uint8)
    error = image.astype(np.float64) - palette[labels]
    mse = np.square(error).mean()
    with silence():
        wrapped = np.square(image - palette[labels]).astype(np.float64).mean()
        half_wrapped = np.square((image - palette[labels]).astype(np.float64)).mean()
        square_wrapped = np.square(error.astype(np.int64)).astype(np.uint8).mean()

    def decibels(mean_square: float) -> float:
        return float(10 * np.log10(255**2 / mean_square))

    case.compare(
        case.call(answer, image, labels, palette),
        decibels(mse),
        {
            "wraps_around": [decibels(value) for value in (wrapped, half_wrapped, square_wrapped)],
            "mean_square_of_pixels": decibels(3 * mse),
            "sum_not_mean": decibels(mse * error.size),
            "natural_logarithm": 10 * np.log(255**2 / mse),
            "not_squared": decibels(np.abs(error).mean()),
        },
    )


def move_weighted_colours(case: Case, answer: object) -> None:
    """Check 08-3: means of weighted colours, and a palette colour without pixels."""
    m, k = 40, 5
    colours = case.rng.randint(0, 256, size=(m, 3)).astype(np.float64)
    count = case.rng.randint(1, 500, size=m)
    palette = case.rng.randint(0, 256, size=(k, 3)).astype(np.float64)
    labels = case.rng.choice([0, 1, 3, 4], size=m)
    # no pixel uses colour 2 of the palette
    labels[:4] = [0, 1, 3, 4]
    truth = cluster_means(np.repeat(colours, count, axis=0), np.repeat(labels, count), palette)
    n_pixels = np.bincount(labels, weights=count, minlength=k)[:, None]
    n_colours = np.bincount(labels, minlength=k)[:, None]
    n_pixels[2] = n_colours[2] = 1
    sums = truth * n_pixels
    plain = cluster_means(colours, labels, palette)
    divided = [sums / n_colours, with_row(sums / count.sum(), 2, palette[2])]
    case.compare(
        case.call(answer, colours, count, labels, palette),
        truth,
        {
            **empty_cluster(truth, 2),
            "ignores_counts": with_empty(plain, 2),
            "wrong_divisor": [one for value in divided for one in with_empty(value, 2)],
            "sum_not_mean": sums,
        },
        rtol=1e-4,
    )


class _Clerk(Recorder):
    """A search for the nearest palette colour that records its queries."""

    def __init__(self, palette: np.ndarray) -> None:
        self.palette = palette
        self.asked: list[np.ndarray] = []

    def __call__(self, colours: ArrayLike) -> np.ndarray:
        from annlab.distances import k_nearest

        colours = np.asarray(colours, dtype=np.float64)
        if colours.ndim != 2 or colours.shape[1] != 3:
            raise ValueError(f"nearest expects colours of shape (n, 3), not {colours.shape}")
        self.asked.append(colours.copy())
        return k_nearest(colours, self.palette, 1)[1][:, 0]


def ask_each_colour_once(case: Case, answer: object) -> None:
    """Check 08-4: labels of a picture, each distinct colour looked up once."""
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
            raise case.wrong("never_asks")
        if asked >= h * w:
            raise case.wrong("asks_every_pixel", asked=asked, m=m)
        if asked > m:
            raise case.wrong("asks_too_often", asked=asked, m=m)
        if asked < m:
            raise case.wrong("different-fewer", asked=asked, m=m)
        per_colour = clerk(clerk.asked[0]) if len(clerk.asked) == 1 else np.empty(0)
        case.compare(
            got,
            truth,
            {
                "not_handed_back": per_colour,
                "flat_labels": truth.ravel(),
                "flat_labels-2": truth.reshape(-1, 1),
                "rows_for_columns": truth.reshape(w, h),
            },
        )


EXERCISES, QUESTIONS, SHEET, LESSON = load(
    8, [bytes_by_hand, measure_psnr, move_weighted_colours, ask_each_colour_once]
)

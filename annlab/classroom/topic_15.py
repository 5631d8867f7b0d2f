"""Checks of topic 15, resources and capstone."""

from __future__ import annotations

import numpy as np

from annlab.classroom._case import Case
from annlab.classroom._content import load


def code_bytes_by_hand() -> float:
    """Check 15-1: bytes of a photograph that is stored as words."""
    n_tiles, n_words = (320 // 8) * (240 // 8), 500
    return n_tiles * np.ceil(np.log2(n_words)) / 8


def cut_into_tiles(case: Case, answer: object) -> None:
    """Check 15-2: tiles of a grey picture."""
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
        fewer = tiles[: -(-height // size) - 1, : -(-width // size) - 1]
        got = case.call(answer, picture, size)
        if isinstance(got, list) and len({np.size(tile) for tile in got}) > 1:
            raise case.wrong("keeps_remainder")
        case.compare(
            got,
            truth,
            {
                "cuts_strips": [
                    whole.reshape(-1, pixels),
                    picture.ravel()[: picture.size // pixels * pixels].reshape(-1, pixels),
                ],
                "column_by_column": tiles.swapaxes(0, 1).reshape(truth.shape),
                "turned_tiles": turned,
                "overlapping_tiles": sliding.reshape(-1, pixels),
                "off_by_one": fewer.reshape(-1, pixels),
            },
            told={"height": height, "width": width},
        )


def count_words(case: Case, answer: object) -> None:
    """Check 15-3: the bag of words."""
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
        {
            "drops_words": [times / codes.size, times, truth[:up_to_last], counts[:up_to_last]],
            "count_not_share": counts,
            "only_whether": counts > 0,
            "off_by_one": np.append(truth, 0.0),
            "off_by_one-2": np.append(0.0, truth[:-1]),
            "other_total": counts / n_words,
            "other_total-2": counts / len(codes),
        },
    )


def reach_the_target(case: Case, answer: object) -> None:
    """Check 15-4: seconds until a run is good enough, if it ever is."""
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
                {
                    "never_is_first": seconds[0],
                    "never_is_last": seconds[-1],
                    "never_is_last-2": seconds[inertias.argmin()],
                },
                otherwise="different-2",
            )
            continue
        first = int(good[0])
        case.compare(
            got,
            seconds[first],
            {
                "ignores_ties": seconds[below[0]] if len(below) else np.inf,
                "off_by_one": seconds[max(first - 1, 0)],
                "time_of_best": seconds[inertias.argmin()],
                "last_not_first": seconds[-1],
                "last_not_first-2": seconds[5],
                "steps_not_seconds": [first, first + 1],
            },
        )


EXERCISES, QUESTIONS, SHEET, LESSON = load(
    15, [code_bytes_by_hand, cut_into_tiles, count_words, reach_the_target]
)

"""Never slower: ``auto`` against scikit-learn's defaults over a grid of shapes, as a heat map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from annlab.benchmarks.campaign.cells import (
    Cell,
    finished,
    inertia_ratio,
    make_cell,
    seconds_of,
)
from annlab.benchmarks.campaign.markdown import table

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

#: The grid.
DATA = ("uniform", "blobs", "patches")
N = (1_000, 10_000, 100_000)
D = (2, 10, 64, 192)
K = (2, 10, 50, 200, 1_000)
#: The rule: at most so many times scikit-learn's seconds, or so many seconds more ...
FACTOR, SLACK_S = 1.1, 5e-3
#: ... in this share of the cells, and in none more than so many times (or the slack) ...
SHARE, HARD_FACTOR = 0.95, 1.3
#: ... at an inertia of at most so many times its own.
QUALITY = 1.01
#: Verdicts on a cell.
IN_RULE, SLOW, TOO_SLOW, WORSE = "in the rule", "slower", "far slower", "worse inertia"
#: What marks a cell on the heat map.
MARKS = {IN_RULE: "", SLOW: "!", TOO_SLOW: "!!", WORSE: "Q"}
_WORST = 10
#: The brief grid has no cells with more than so many rows × clusters × features; starting by
#: k-means++ costs as much in few features as in so many.
_MOST_OPERATIONS, _LEAST_WIDTH = 1.3e9, 64


def grid_cells(
    *,
    data: Sequence[str] = DATA,
    n: Sequence[int] = N,
    d: Sequence[int] = D,
    k: Sequence[int] = K,
    full: bool = True,
    most_rows: int | None = None,
) -> list[Cell]:
    """Make the cells of the grid, small data first; none asks for more clusters than rows.

    Without ``full`` those are left out in which scikit-learn alone takes minutes.

    Examples
    --------
    >>> from annlab.benchmarks.campaign.grid import grid_cells
    >>> len(grid_cells())
    180
    """
    return [
        make_cell(name, rows, features, clusters, ("auto", "default"))
        for rows in n
        if most_rows is None or rows <= most_rows
        for name in data
        for features in d
        for clusters in k
        if clusters <= rows
        and (full or rows * clusters * max(features, _LEAST_WIDTH) <= _MOST_OPERATIONS)
    ]


def speed_ratio(cell: Cell) -> float:
    """annlab's seconds over scikit-learn's: below one, annlab is faster."""
    return seconds_of(cell, "auto") / seconds_of(cell, "default")


def judge_cell(cell: Cell) -> list[str]:
    """What the rule says about a cell: its breaches, or that there are none.

    Returns
    -------
    list of str
        ``IN_RULE`` alone, or some of ``SLOW``, ``TOO_SLOW`` and ``WORSE``.
    """
    ours, theirs = seconds_of(cell, "auto"), seconds_of(cell, "default")
    breaches = []
    if ours > max(HARD_FACTOR * theirs, theirs + SLACK_S):
        breaches.append(TOO_SLOW)
    elif ours > max(FACTOR * theirs, theirs + SLACK_S):
        breaches.append(SLOW)
    # not <=, so that a figure that is no number is a breach
    if not inertia_ratio(cell, "auto", "default") <= QUALITY:
        breaches.append(WORSE)
    return breaches or [IN_RULE]


def summarize(part: dict[str, Any]) -> dict[str, Any]:
    """Shares and worst cells of a grid.

    Returns
    -------
    dict
        n_cells, n_all, share (in the whole rule), share_fast, share_good, n_too_slow,
        median_speed_up, kept (whether the rule holds for the grid), worst and worst_quality
        (cells).
    """
    cells = finished(part)
    verdicts = [judge_cell(cell) for cell in cells]
    fast = [not {SLOW, TOO_SLOW} & set(verdict) for verdict in verdicts]
    good = [WORSE not in verdict for verdict in verdicts]
    n_too_slow = sum(TOO_SLOW in verdict for verdict in verdicts)
    ratios = [speed_ratio(cell) for cell in cells]
    order = sorted(range(len(cells)), key=lambda place: -ratios[place])
    by_quality = sorted(cells, key=lambda cell: -inertia_ratio(cell, "auto", "default"))
    return {
        "n_cells": len(cells),
        "n_all": len(grid_cells()),
        "share": float(np.mean([a and b for a, b in zip(fast, good, strict=True)] or [False])),
        "share_fast": float(np.mean(fast or [False])),
        "share_good": float(np.mean(good or [False])),
        "n_too_slow": n_too_slow,
        "median_speed_up": float(1 / np.median(ratios)) if ratios else float("nan"),
        "kept": bool(cells) and np.mean(fast) >= SHARE and n_too_slow == 0 and all(good),
        "worst": [cells[place] for place in order[:_WORST]],
        "worst_quality": [
            cell for cell in by_quality if inertia_ratio(cell, "auto", "default") > QUALITY
        ][:_WORST],
    }


_COLUMNS = (
    "cell",
    "annlab, ms",
    "scikit-learn, ms",
    "ratio",
    "inertia ratio",
    "annlab chose",
    "verdict",
)


def _row(cell: Cell) -> list[str]:
    ours, theirs = seconds_of(cell, "auto"), seconds_of(cell, "default")
    return [
        cell["key"],
        f"{1e3 * ours:,.2f}",
        f"{1e3 * theirs:,.2f}",
        f"{ours / theirs:.2f}",
        f"{inertia_ratio(cell, 'auto', 'default'):.4f}",
        cell["results"]["auto"]["algorithm"],
        ", ".join(judge_cell(cell)),
    ]


def page(part: dict[str, Any]) -> list[str]:
    """Lines of Markdown: the verdict and the worst cells."""
    found = summarize(part)
    lines = [
        f"**{found['share']:.1%} of {found['n_cells']} cells are in the rule** "
        f"({found['n_all']} cells make the whole grid): at most max({FACTOR:g} × scikit-learn's "
        f"seconds, + {1e3 * SLACK_S:g} ms) in {found['share_fast']:.1%} (to reach: {SHARE:.0%}), "
        f"more than max({HARD_FACTOR:g} ×, + {1e3 * SLACK_S:g} ms) in {found['n_too_slow']} (to "
        f"reach: 0), inertia at most {QUALITY:g} × its own in {found['share_good']:.1%}. The rule "
        f"{'holds' if found['kept'] else 'does not hold'} for the cells that were measured. annlab "
        f"is {found['median_speed_up']:.3g} times as fast in the median cell.",
        "",
        "The slowest cells beside scikit-learn:",
        "",
        *table(_COLUMNS, [_row(cell) for cell in found["worst"]]),
    ]
    if found["worst_quality"]:
        rows = [_row(cell) for cell in found["worst_quality"]]
        lines += ["The worst inertia:", "", *table(_COLUMNS, rows)]
    return lines


def plot(part: dict[str, Any], figure: Figure) -> None:
    """Draw the heat map into a figure: one panel for each data set and number of rows.

    Blue cells are faster than scikit-learn, orange ones slower: two hues that people with any
    kind of colour blindness tell apart, and every cell carries its figures.
    """
    from matplotlib.colors import LinearSegmentedColormap, TwoSlopeNorm

    cells = finished(part)
    names = [name for name in DATA if any(cell["data"] == name for cell in cells)]
    names += sorted({cell["data"] for cell in cells} - set(names))
    rows = sorted({cell["n"] for cell in cells})
    features = sorted({cell["d"] for cell in cells})
    clusters = sorted({cell["k"] for cell in cells})
    colors = LinearSegmentedColormap.from_list("speed", ["#2166ac", "#f7f7f7", "#e08214"])
    norm = TwoSlopeNorm(0.0, -1.5, 0.5)
    axes = figure.subplots(len(names), len(rows), squeeze=False, sharex=True, sharey=True)
    for line, name in enumerate(names):
        for column, n in enumerate(rows):
            ax = axes[line][column]
            logs = np.full((len(features), len(clusters)), np.nan)
            for cell in cells:
                if (cell["data"], cell["n"]) != (name, n):
                    continue
                at = features.index(cell["d"]), clusters.index(cell["k"])
                ratio = speed_ratio(cell)
                logs[at] = np.clip(np.log10(ratio), -1.5, 0.5)
                verdict = judge_cell(cell)
                mark = "".join(MARKS[word] for word in verdict)
                ax.text(
                    at[1],
                    at[0],
                    f"{ratio:.2g}\n{inertia_ratio(cell, 'auto', 'default'):.3f}"
                    + (f" {mark}" if mark else ""),
                    ha="center",
                    va="center",
                    fontsize=7,
                    fontweight="bold" if mark else "normal",
                    color="white" if logs[at] < -1.05 else "black",
                )
                if mark:
                    ax.add_patch(_frame(at))
            image = ax.imshow(logs, cmap=colors, norm=norm, aspect="auto")
            ax.set_xticks(range(len(clusters)), [f"{k:,}" for k in clusters])
            ax.set_yticks(range(len(features)), [str(d) for d in features])
            ax.set_title(f"{name}, n = {n:,}", fontsize=10)
            if line == len(names) - 1:
                ax.set_xlabel("k")
            if column == 0:
                ax.set_ylabel("d")
    figure.suptitle(
        "annlab's seconds / scikit-learn's (defaults of both), and below it the ratio of inertia\n"
        f"framed: more than max({FACTOR:g} ×, + {1e3 * SLACK_S:g} ms) (!), "
        f"max({HARD_FACTOR:g} ×, + {1e3 * SLACK_S:g} ms) (!!), inertia above {QUALITY:g} × (Q)",
        fontsize=11,
    )
    bar = figure.colorbar(image, ax=axes, fraction=0.02, pad=0.01)
    ticks = [0.05, 0.1, 0.3, 1, 3]
    bar.set_ticks([float(np.log10(tick)) for tick in ticks], labels=[str(t) for t in ticks])
    bar.set_label("seconds, annlab / scikit-learn")


def _frame(at: tuple[int, int]) -> Rectangle:
    from matplotlib.patches import Rectangle

    return Rectangle((at[1] - 0.47, at[0] - 0.47), 0.94, 0.94, fill=False, linewidth=2.2)

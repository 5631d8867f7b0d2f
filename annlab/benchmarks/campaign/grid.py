"""``auto`` against scikit-learn's defaults over a grid, as a heat map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from annlab.benchmarks.campaign.cells import Cell, inertia_ratio, make_cell, seconds_of
from annlab.benchmarks.campaign.markdown import table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: The grid.
DATA = ("uniform", "blobs", "patches")
N = (1_000, 10_000, 100_000)
D = (2, 10, 64, 192)
K = (2, 10, 50, 200, 1_000)
#: The rule: at most this many times scikit-learn's seconds, or this many seconds more ...
FACTOR, SLACK_S = 1.1, 5e-3
#: ... in this share of the cells, and in none more than this many times (or the slack) ...
SHARE, HARD_FACTOR = 0.95, 1.3
#: ... at an inertia of at most this many times its own.
QUALITY = 1.01
#: Verdicts on a cell, with their marks on the heat map.
IN_RULE, SLOW, TOO_SLOW, WORSE = "in the rule", "slower", "far slower", "worse inertia"
MARKS = {IN_RULE: "", SLOW: "!", TOO_SLOW: "!!", WORSE: "Q"}
_WORST = 10
#: The brief grid has no cells with more rows × clusters × features; a k-means++ start costs as much
#: in few features as in so many.
_MOST_OPERATIONS, _LEAST_WIDTH = 1.3e9, 64


def grid_cells(
    *,
    data: Sequence[str] = DATA,
    n: Sequence[int] = N,
    d: Sequence[int] = D,
    k: Sequence[int] = K,
    full: bool = True,
) -> list[Cell]:
    """Return the cells of the grid, small data first, with at most n clusters.

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
        for name in data
        for features in d
        for clusters in k
        if clusters <= rows
        and (full or rows * clusters * max(features, _LEAST_WIDTH) <= _MOST_OPERATIONS)
    ]


def speed_ratio(cell: Cell) -> float:
    """Return annlab's seconds over scikit-learn's."""
    return seconds_of(cell, "auto") / seconds_of(cell, "default")


def judge_cell(cell: Cell) -> list[str]:
    """Return ``[IN_RULE]``, or breaches among ``SLOW``, ``TOO_SLOW``, ``WORSE``."""
    ours, theirs = seconds_of(cell, "auto"), seconds_of(cell, "default")
    breaches = []
    if ours > max(HARD_FACTOR * theirs, theirs + SLACK_S):
        breaches.append(TOO_SLOW)
    elif ours > max(FACTOR * theirs, theirs + SLACK_S):
        breaches.append(SLOW)
    # not <=, so that NaN is a breach
    if not inertia_ratio(cell, "auto", "default") <= QUALITY:
        breaches.append(WORSE)
    return breaches or [IN_RULE]


def summarize(cells: Sequence[Cell]) -> dict[str, Any]:
    """Return the shares of a grid, whether the rule is kept, and the worst cells."""
    verdicts = [judge_cell(cell) for cell in cells]
    share_fast = _share([not {SLOW, TOO_SLOW} & set(verdict) for verdict in verdicts])
    share_good = _share([WORSE not in verdict for verdict in verdicts])
    n_too_slow = sum(TOO_SLOW in verdict for verdict in verdicts)
    quality = {cell["key"]: inertia_ratio(cell, "auto", "default") for cell in cells}
    worse = [cell for cell in cells if quality[cell["key"]] > QUALITY]
    return {
        "share": _share([verdict == [IN_RULE] for verdict in verdicts]),
        "share_fast": share_fast,
        "share_good": share_good,
        "n_too_slow": n_too_slow,
        "median_speed_up": float(np.median([1 / speed_ratio(cell) for cell in cells] or [0.0])),
        "kept": share_fast >= SHARE and n_too_slow == 0 and share_good == 1,
        "worst": sorted(cells, key=speed_ratio, reverse=True)[:_WORST],
        "worst_quality": sorted(worse, key=lambda cell: -quality[cell["key"]])[:_WORST],
    }


def _share(holds: Sequence[bool]) -> float:
    return float(np.mean(holds)) if holds else 0.0


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


def page(cells: Sequence[Cell]) -> list[str]:
    """Return lines of Markdown: the verdict and the worst cells."""
    found = summarize(cells)
    lines = [
        f"**{found['share']:.1%} of {len(cells)} cells are in the rule** "
        f"({len(grid_cells())} cells make the whole grid): at most max({FACTOR:g} × scikit-learn's "
        f"seconds, + {1e3 * SLACK_S:g} ms) in {found['share_fast']:.1%} (goal: {SHARE:.0%}), "
        f"more than max({HARD_FACTOR:g} ×, + {1e3 * SLACK_S:g} ms) in {found['n_too_slow']} (goal: "
        f"0), inertia at most {QUALITY:g} × its own in {found['share_good']:.1%}. The rule "
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


def plot(cells: Sequence[Cell], figure: Figure) -> None:
    """Draw the heat map: one panel for each data set and number of rows.

    Blue cells are faster than scikit-learn, orange ones slower: two hues that people with any
    kind of colour blindness can tell apart, and every cell carries its figures.
    """
    from matplotlib.colors import LinearSegmentedColormap, TwoSlopeNorm
    from matplotlib.patches import Rectangle

    names = [name for name in DATA if any(cell["data"] == name for cell in cells)]
    names += sorted({cell["data"] for cell in cells} - set(names))
    rows, features, clusters = (sorted({cell[name] for cell in cells}) for name in "ndk")
    colors = LinearSegmentedColormap.from_list("speed", ["#2166ac", "#f7f7f7", "#e08214"])
    norm = TwoSlopeNorm(0.0, -1.5, 0.5)
    axes = figure.subplots(len(names), len(rows), squeeze=False, sharex=True, sharey=True)
    for (line, column), ax in np.ndenumerate(axes):
        name, n = names[line], rows[column]
        logs = np.full((len(features), len(clusters)), np.nan)
        for cell in cells:
            if (cell["data"], cell["n"]) != (name, n):
                continue
            y, x = features.index(cell["d"]), clusters.index(cell["k"])
            ratio = speed_ratio(cell)
            logs[y, x] = np.clip(np.log10(ratio), -1.5, 0.5)
            mark = "".join(MARKS[word] for word in judge_cell(cell))
            text = f"{ratio:.2g}\n{inertia_ratio(cell, 'auto', 'default'):.3f} {mark}".strip()
            color = "white" if logs[y, x] < -1.05 else "black"
            weight = "bold" if mark else "normal"
            ax.text(
                x, y, text, ha="center", va="center", fontsize=7, fontweight=weight, color=color
            )
            if mark:
                corner = (x - 0.47, y - 0.47)
                ax.add_patch(Rectangle(corner, 0.94, 0.94, fill=False, linewidth=2.2))
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

"""Distributions that nobody tuned on: annlab's defaults against 25 iterations of plain Lloyd."""

from __future__ import annotations

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
from annlab.benchmarks.campaign.workloads import DESCRIPTIONS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Data, rows, features, and the numbers of clusters.
DATA: dict[str, tuple[int, int, tuple[int, ...]]] = {
    "digits with noise": (100_000, 64, (100, 1000)),
    "docstrings": (7_000, 100, (50, 500)),
    "heavy tails": (100_000, 32, (100, 1000)),
    "near duplicates": (100_000, 48, (100, 1000)),
    "unbalanced": (100_000, 32, (100, 1000)),
}
CONTENDERS = ("auto", "graph", "random-25")
_COLUMNS = (
    *("data", "n", "d", "k", "annlab"),
    *("its s", "Lloyd's s", "times as fast", "inertia ratio", ""),
)
#: At most so many times plain Lloyd's inertia.
QUALITY = 1.01


def untuned_cells(*, full: bool = True, most_rows: int | None = None) -> list[Cell]:
    """Make the cells of all distributions, ``full`` or not; with ``most_rows`` on fewer rows.

    Examples
    --------
    >>> from annlab.benchmarks.campaign.untuned import untuned_cells
    >>> len(untuned_cells())
    10
    """
    cells = []
    for name, (n, d, clusters) in DATA.items():
        rows = n if most_rows is None else min(n, most_rows)
        cells += [make_cell(name, rows, d, k, CONTENDERS) for k in clusters if 2 * k <= rows]
    return cells


def is_kept(cell: Cell, contender: str) -> bool:
    """Whether a contender is neither slower than plain Lloyd nor worse than 1.01 × its inertia."""
    fast = seconds_of(cell, contender) <= seconds_of(cell, "random-25")
    return bool(fast and inertia_ratio(cell, contender, "random-25") <= QUALITY)


def page(part: dict[str, Any]) -> list[str]:
    """Lines of Markdown: one row for each distribution, k and algorithm."""
    cells = finished(part)
    rows, kept = [], {name: 0 for name in CONTENDERS[:2]}
    for cell in cells:
        for name in kept:
            good = is_kept(cell, name)
            kept[name] += good
            ours, theirs = seconds_of(cell, name), seconds_of(cell, "random-25")
            rows.append(
                [
                    cell["data"],
                    f"{cell['n']:,}",
                    str(cell["d"]),
                    f"{cell['k']:,}",
                    f"{name} ({cell['results'][name]['algorithm']})",
                    f"{ours:.3g}",
                    f"{theirs:.3g}",
                    f"{theirs / ours:.3g}",
                    f"{inertia_ratio(cell, name, 'random-25'):.4f}",
                    "kept" if good else "**missed**",
                ]
            )
    verdict = ", ".join(f"`{name}` in {count} of {len(cells)}" for name, count in kept.items())
    names = dict.fromkeys(cell["data"] for cell in cells)
    return [
        f"Never slower and never more than {QUALITY:g} × the inertia of 25 iterations from a "
        f"random start: {verdict}.",
        "",
        *table(_COLUMNS, rows),
        *(f"- {name}: {DESCRIPTIONS[name]}." for name in names),
        "",
    ]


def plot(part: dict[str, Any], figure: Figure) -> None:
    """Draw inertia ratio against speed-up; right of 1 and below the line is where to be."""
    from annlab.plotting import cluster_color, cluster_marker

    ax = figure.subplots()
    cells = finished(part)
    names = list(dict.fromkeys(cell["data"] for cell in cells))
    for place, name in enumerate(names):
        for contender in CONTENDERS[:2]:
            shown = [cell for cell in cells if cell["data"] == name]
            speed = [seconds_of(cell, "random-25") / seconds_of(cell, contender) for cell in shown]
            ratios = [inertia_ratio(cell, contender, "random-25") for cell in shown]
            ax.plot(
                speed,
                ratios,
                linestyle="none",
                color=cluster_color(place),
                marker=cluster_marker(place),
                markersize=8,
                fillstyle="full" if contender == "auto" else "none",
                label=f"{name}, {contender}",
            )
    ax.set_xscale("log")
    ax.axvline(1.0, color="black", linewidth=0.8)
    ax.axhline(QUALITY, color="black", linewidth=0.8, linestyle=":")
    finite = [
        ratio
        for cell in cells
        for ratio in [inertia_ratio(cell, name, "random-25") for name in CONTENDERS[:2]]
        if np.isfinite(ratio)
    ]
    if finite:
        ax.set_ylim(min([*finite, 0.95]) - 0.02, max([*finite, 1.02]) + 0.02)
    ax.set_xlabel("times as fast as 25 iterations of Lloyd")
    ax.set_ylabel("inertia / inertia of 25 iterations from a random start")
    ax.set_title("Distributions that nobody tuned on (filled: auto, hollow: graph)")
    ax.grid(alpha=0.3, which="both")
    ax.legend(fontsize="x-small")

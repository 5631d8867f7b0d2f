"""Picture of `faiss_explorer`: the string, a search, bytes, training."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from annlab.indexes.factory_string import ROLES
from annlab.widgets._faiss_measure import SAMPLES, Effort, Measured
from annlab.widgets.base import ALARM, INK, LOOK, PALETTE, PAPER, QUIET, chart
from annlab.widgets.base.marks import MEDIUM, chosen, curve, legend, write

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Examples of each role, shown if a string is wrong.
_KNOWN = {
    "transform": ("PCA16  OPQ8", "RR32", "L2norm"),
    "coarse quantizer": ("IVF64", "IVF64_HNSW16"),
    "graph": ("HNSW32",),
    "encoding": ("Flat  SQ8", "PQ8  PQ8x4", "LSH  LSHrt"),
    "refinement": ("RFlat", "Refine(SQ8)"),
}


def percent(part: float) -> str:
    """Write a share of queries as a percentage; only 1 is 100%."""
    return f"{min(100 * part, 100.0 if part == 1 else 99.9):.3g}%"


def draw_anatomy(axes: Axes, result: Measured) -> None:
    """Draw a box for each part of the string, and write what it does."""
    axes.set_axis_off()
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.set_title(
        f'faiss.index_factory({result.d}, "{result.factory[:48]}")',
        fontsize=13,
        color=INK,
        loc="left",
        family="monospace",
    )
    shown = [(part.text, part.role, part.meaning) for part in result.parts]
    if result.read is None:
        last = result.wrong if result.wrong else result.factory
        shown = [one for one in shown if one[0] != last]
        shown.append((last[:16] or "(nothing)", "does not fit", ""))
    places = max(3, len(shown))
    width = 1 / places
    for place, (text, role, meaning) in enumerate(shown):
        left, middle = place * width, place * width + width / 2 - 0.018
        _draw_box(axes, left, width, role)
        bold = {"weight": "bold", "family": "monospace"}
        write(axes, middle, 0.69, text, "center", size=15, color=INK, **bold)
        write(axes, middle, 0.87, role, "center bottom", color=QUIET)
        words = textwrap.fill(meaning, round(90 / places / LOOK.text))
        write(axes, left + 0.012, 0.47, words, "left top", color=INK)
        if place + 1 < len(shown):
            axes.annotate(
                "",
                xy=(left + width + 0.004, 0.69),
                xytext=(left + width - 0.042, 0.69),
                arrowprops={"arrowstyle": "-|>", "color": QUIET, "linewidth": 1.6},
            )


def _draw_box(axes: Axes, left: float, width: float, role: str) -> None:
    from matplotlib.patches import FancyBboxPatch

    fits = role in ROLES
    box = FancyBboxPatch(
        (left + 0.012, 0.56),
        width - 0.06,
        0.26,
        boxstyle="round,pad=0.004,rounding_size=0.02",
        facecolor=PAPER,
        edgecolor=PALETTE[ROLES.index(role)] if fits else ALARM,
        linewidth=3,
        linestyle="-" if fits else "--",
        mutation_aspect=4,
    )
    axes.add_patch(box)


def draw_trouble(axes: Axes, result: Measured) -> None:
    """Write what is wrong and, below it, parts that can be used."""
    axes.set_axis_off()
    axes.set(xlim=(0, 1), ylim=(0, 1))
    write(axes, 0, 0.98, textwrap.fill(result.trouble, 82), "left top", size=14, color=INK)
    write(axes, 0, 0.52, "Parts that can be read, in their order:", size=MEDIUM, color=QUIET)
    for place, role in enumerate(ROLES):
        left, examples = place / len(ROLES), "\n".join(_KNOWN[role])
        axes.plot([left, left + 0.17], [0.43, 0.43], color=PALETTE[place], linewidth=3)
        write(axes, left, 0.39, role, "left top", size=MEDIUM, color=QUIET)
        write(axes, left, 0.28, examples, "left top", size=MEDIUM, color=INK, family="monospace")


def draw_search(axes: Axes, result: Measured, here: Effort, seen: list[Effort]) -> None:
    """Draw nearest rows found against rows compared; show efforts in ``seen``."""
    chart(axes, f"rows compared, of {result.n:,}", "nearest row found", "what it finds")
    found = [one.recall for one in seen]
    curve(axes, [one.compared for one in seen], found, PALETTE[0], width=2.2)
    chosen(axes, here.compared, here.recall, clip_on=False)
    axes.set_xscale("log")
    axes.set(xlim=(min(20, result.n / 20), 1.5 * result.n), ylim=(-0.03, 1.06))
    axes.xaxis.set_major_formatter("{x:,.0f}")
    words = f"{result.dial} {here.dial}" if result.dial else "no dial to turn"
    corner = {"color": INK, "transform": axes.transAxes}
    told = f"{words}: {percent(here.recall)}"
    write(axes, 0.96, 0.06, told, "right baseline", size=MEDIUM, **corner)


def draw_bytes(axes: Axes, result: Measured) -> None:
    """Draw the bytes of a row, raw and as the index stores it."""
    assert result.read is not None, "a string that cannot be read keeps no rows"
    read, raw = result.read, 4.0 * result.d
    chart(axes, "bytes", "", "what a row takes")
    axes.grid(False)
    pieces = (
        (float(read.code_bytes), "code", PALETTE[3], ""),
        (float(read.id_bytes), "row number", PALETTE[1], "//"),
        (read.link_bytes, "links", PALETTE[2], ".."),
    )
    axes.barh([1], [raw], height=0.5, color=QUIET, label="row as it is")
    left = 0.0
    for size, label, color, hatch in pieces:
        if size:
            look: dict[str, Any] = {
                "color": color,
                "hatch": hatch,
                "edgecolor": PAPER,
                "label": label,
            }
            axes.barh([0], [size], left=left, height=0.5, linewidth=0, **look)
            left += size
    most = max(raw, left)
    for place, size in ((1, raw), (0, left)):
        write(axes, size + 0.03 * most, place, f"{size:.0f}", "left center", size=MEDIUM, color=INK)
    axes.set(xlim=(0, 1.28 * most), ylim=(-0.6, 2.9), yticks=[])
    legend(axes)


def draw_training(axes: Axes, result: Measured, sample: int) -> None:
    """Draw what k-means loses if it trains on fewer rows."""
    if result.ratios is None:
        axes.set_axis_off()
        words = "It has no cells,\nso no rows are sampled\nto train them."
        middle = {"color": QUIET, "transform": axes.transAxes}
        write(axes, 0.5, 0.6, words, "center baseline", size=MEDIUM, **middle)
        return
    chart(axes, "rows to train a cell", "inertia, all rows = 1", "what its k-means loses")
    order = [most for _, most in SAMPLES]
    places = range(len(order))
    for place, most in enumerate(order):
        ratios = result.ratios[most]
        axes.plot([place] * len(ratios), ratios, "o", color=PALETTE[4], markersize=6)
    expected = [1 + 1 / most if most else 1 for most in order]
    axes.plot(places, expected, "--", color=QUIET, linewidth=1.6, label="1 + 1/r")
    means = [float(np.mean(result.ratios[most])) for most in order]
    curve(axes, places, means, PALETTE[0], "s", width=2.2, label="mean of starts")
    here = order.index(sample)
    chosen(axes, here, means[here])
    every = [ratio for ratios in result.ratios.values() for ratio in ratios]
    # room for the legend above all starts
    lowest, highest = min(0.98, *every) - 0.005, max(1.06, *every)
    axes.set(
        xlim=(-0.4, len(order) - 0.6),
        ylim=(lowest, highest + 0.5 * (highest - lowest)),
        xticks=places,
        xticklabels=["16", "64", "256", "all"],
    )
    legend(axes)

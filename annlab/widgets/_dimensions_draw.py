"""Pictures of `dimension_explorer`, one function for each view."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from annlab.widgets._dimensions_measure import Climb, Coded
from annlab.widgets.base import ALARM, INK, MARKERS, PALETTE, PAPER, QUIET, chart
from annlab.widgets.base.marks import curve, legend, legend_below, ringed, write
from annlab.widgets.base.rows import OWN

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: name -> colour and marker of its curve
_LOOKS = {
    "uniform": (PALETTE[0], MARKERS[0]),
    "normal": (PALETTE[4], MARKERS[4]),
    "8-dim. sheet": (PALETTE[3], MARKERS[3]),
    "2-dim. sheet": (PALETTE[2], MARKERS[2]),
    "digits": (PALETTE[1], MARKERS[1]),
    "patches": (ALARM, MARKERS[5]),
    OWN: (INK, MARKERS[6]),
}
_RACER_LOOKS = {
    "kd_tree": (PALETTE[1], MARKERS[1]),
    "ball_tree": (PALETTE[3], MARKERS[3]),
    "lsh": (PALETTE[0], MARKERS[0]),
    "hnsw": (PALETTE[2], MARKERS[2]),
    "pq": (ALARM, MARKERS[5]),
}
#: Columns of a row that there is room to draw.
_COLUMNS = 128
_CONTRASTS = ([0.1, 1, 10, 100], ["0.1", "1", "10", "100"])


def draw_distances(figure: Figure, result: Climb, frame: int, data: str, row: int) -> None:
    """Draw the spread of distances, and their contrast in growing dimensions."""
    left, right = figure.subplots(1, 2, width_ratios=(1.25, 1))
    _draw_spread(left, result, frame, data, row)
    here = result.spaces[frame].d
    chart(right, "dimensions d (columns)", "(farthest − nearest) / nearest", "relative contrast")
    _dimension_axis(right, here)
    for name, pairs in result.others.items():
        color, marker = _LOOKS[name]
        # the end of the curve may be the answer of a prediction
        pairs = pairs[: frame + 1] if name == data else pairs
        contrasts = [_cut(one.contrast) for _, one in pairs]
        curve(right, [d for d, _ in pairs], contrasts, color, marker, label=name)
    _here(right, here, _cut(result.geometry[frame].contrast))
    right.set_yscale("log")
    right.set_ylim(0.05, 400)
    right.set_yticks(*_CONTRASTS)
    legend(right, "lower left")


def _draw_spread(axes: Axes, result: Climb, frame: int, data: str, row: int) -> None:
    geometry = result.geometry[frame]
    title = f"{data}, d = {result.spaces[frame].d:,}: distances from the queries"
    chart(axes, "distance to a point, mean = 1", "share of all distances", title)
    edges = np.linspace(0, 3, 61)
    shares = np.histogram(np.minimum(geometry.distances, 2.999), edges)[0]
    shares = shares / geometry.distances.size
    top = 1.4 * shares.max()
    axes.stairs(shares, edges, fill=True, color=PALETTE[4], alpha=0.75)
    own = geometry.distances[row]
    for value, color, marker, label in (
        (float(own.min()), PALETTE[2], MARKERS[2], f"nearest to query {row}"),
        (float(own.max()), ALARM, MARKERS[3], "farthest from it"),
    ):
        axes.axvline(min(value, 3), ymax=0.82, color=color, linewidth=2.2)
        edge: dict[str, Any] = {"line": "none", "markeredgecolor": INK, "clip_on": False}
        curve(axes, [min(value, 3)], [0.04 * top], color, marker, size=10, label=label, **edge)
    axes.set(xlim=(0, 3), ylim=(0, top))
    axes.yaxis.set_major_formatter(lambda share, _: f"{100 * share:.3g}%")
    box: dict[str, Any] = {"facecolor": PAPER, "edgecolor": PAPER, "framealpha": 0.9}
    axes.legend(loc="upper right", fontsize=11, **box)


def draw_indexes(figure: Figure, result: Climb, frame: int, data: str) -> None:
    """Draw what indexes find at fixed knobs, and for how much work."""
    left, right = figure.subplots(1, 2)
    ds = [space.d for space in result.spaces]
    work = "distances computed, brute force = 1"
    chart(left, "dimensions d (columns)", "recall@1", f"{data}: found (up is better)")
    chart(right, "dimensions d (columns)", work, "work (down is better)")
    for name, (color, marker) in _RACER_LOOKS.items():
        label = f"{name} (exact)" if name.endswith("tree") else name
        edge: dict[str, Any] = {"markeredgecolor": INK, "markeredgewidth": 0.5}
        for axes, values in (
            (left, [one[name].recall for one in result.answers]),
            (right, [one[name].work for one in result.answers]),
        ):
            curve(axes, ds, values, color, marker, size=7, label=label, **edge)
    right.axhline(1, color=INK, linewidth=1.4, label="brute force")
    for axes in (left, right):
        _dimension_axis(axes, ds[frame])
        axes.set_ylim(-0.03, 1.12)
        axes.set_yticks(np.linspace(0, 1, 6))
    handles, labels = right.get_legend_handles_labels()
    legend_below(figure, handles, labels, columns=6)


def draw_intrinsic(figure: Figure, result: Climb, frame: int, data: str) -> None:
    """Draw intrinsic dimension against columns, and contrast against it."""
    left, right = figure.subplots(1, 2)
    estimated = "intrinsic dimension, estimated"
    chart(left, "dimensions d (columns)", estimated, "the data's own dimension")
    chart(right, estimated, "relative contrast", "contrast follows it")
    left.plot([1, 2000], [1, 2000], color=QUIET, linestyle=":", linewidth=1.4)
    for name, pairs in result.others.items():
        color, marker = _LOOKS[name]
        size, alpha, order, width = (7, 1.0, 4, 2.6) if name == data else (5, 0.75, 2, 1.4)
        look: dict[str, Any] = {"size": size, "alpha": alpha, "zorder": order}
        spread = [one.intrinsic for _, one in pairs]
        contrasts = [_cut(one.contrast) for _, one in pairs]
        curve(left, [d for d, _ in pairs], spread, color, marker, width=width, **look)
        curve(right, spread, contrasts, color, marker, line="none", label=name, **look)
    here, contrast = result.geometry[frame].intrinsic, _cut(result.geometry[frame].contrast)
    _dimension_axis(left, result.spaces[frame].d)
    _here(left, result.spaces[frame].d, here)
    _here(right, here, contrast)
    left.set_yscale("log", base=2)
    right.set_xscale("log", base=2)
    right.set_yscale("log")
    ticks = [2, 8, 32, 128]
    left.set_ylim(1, 300)
    left.set_yticks(ticks, map(str, ticks))
    right.set(xlim=(1, 300), ylim=(0.05, 400))
    right.set_xticks(ticks, map(str, ticks))
    right.set_yticks(*_CONTRASTS)
    for axes in (left, right):
        axes.minorticks_off()
    handles, labels = right.get_legend_handles_labels()
    # seven, with your own data, are too wide
    legend_below(figure, handles, labels, columns=6 if len(labels) <= 6 else 4)


def draw_codes(figure: Figure, result: Climb, frame: int, data: str, row: int) -> None:
    """Draw a row before and after product quantization, and what all codes lose."""
    space, coded = result.spaces[frame], result.coded[frame]
    before, after = space.queries[row], coded.decoded[row]
    if space.shape is None:
        top, lost = figure.subplots(1, 2, width_ratios=(2.2, 1))
    else:
        panels = figure.subplot_mosaic(
            [["before", "after", "curve"], ["row", "row", "curve"]],
            width_ratios=(1, 1, 0.95),
            height_ratios=(1.15, 1),
        )
        top, lost = panels["row"], panels["curve"]
        for key, values, title in (
            ("before", before, f"query {row}"),
            ("after", after, "from its codes"),
        ):
            axes, pixels = panels[key], np.clip(values.reshape(space.shape), 0, 1)
            axes.imshow(pixels, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
            axes.set_axis_off()
            axes.set_title(title, fontsize=12, color=INK)
    # the same for all queries
    limits = float(space.queries.min()), float(space.queries.max())
    _draw_row(top, before, after, coded, coded.codes[row], limits)
    chart(lost, "dimensions d (columns)", "", f"variance lost, {data}")
    _dimension_axis(lost, space.d)
    color, marker = _LOOKS[data]
    errors = [one.error for one in result.coded]
    curve(lost, [one.d for one in result.spaces], errors, color, marker)
    _here(lost, space.d, coded.error)
    lost.set_ylim(-0.03, 1.13)
    lost.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "25%", "50%", "75%", "100%"])


def _draw_row(
    axes: Axes,
    before: np.ndarray,
    after: np.ndarray,
    coded: Coded,
    codes: np.ndarray,
    limits: tuple[float, float],
) -> None:
    pieces, splits = len(codes), coded.splits
    shown = min(len(before), _COLUMNS)
    part = f", first {shown} columns" if shown < len(before) else ""
    cut = f"{pieces} pieces" if pieces > 1 else "1 piece"
    chart(axes, "column", "", f"{cut}{part}; above, the codes")
    axes.grid(False)
    low, high = limits[0], max(limits[1], limits[0] + 1e-9)
    room = high - low
    columns = np.arange(shown + 1) - 0.5
    for piece in range(0, pieces, 2):
        start, stop = splits[piece] - 0.5, splits[piece + 1] - 0.5
        axes.axvspan(start, stop, color="#eeeeee", linewidth=0, zorder=0)
    for values, color, width, label in (
        (before, INK, 1.5, "numbers"),
        (after, ALARM, 2.2, "words of the codes"),
    ):
        look: dict[str, Any] = {"color": color, "linewidth": width, "label": label}
        axes.stairs(values[:shown], columns, baseline=None, **look)
    begun = int(np.searchsorted(splits, shown))
    for piece in range(0, begun, -(-begun // 16)):
        middle = (splits[piece] + min(splits[piece + 1], shown) - 1) / 2
        write(axes, middle, high + 0.06 * room, str(codes[piece]), "center bottom", color=ALARM)
    axes.set(xlim=(-0.5, shown - 0.5), ylim=(low - 0.45 * room, high + 0.32 * room))
    axes.locator_params("x", integer=True, nbins=6)
    legend(axes, "lower center", ncols=2)


def _dimension_axis(axes: Axes, d: int) -> None:
    axes.set_xscale("log", base=2)
    axes.set_xlim(1.7, 1250)
    axes.set_xticks([2, 8, 32, 128, 512], ["2", "8", "32", "128", "512"])
    axes.minorticks_off()
    axes.axvline(d, color=QUIET, linewidth=1.4, linestyle=":", zorder=0)


def _here(axes: Axes, x: float, y: float) -> None:
    ringed(axes, x, y, size=15, width=2.4, clip_on=False)


def _cut(contrast: float) -> float:
    """Limit a contrast, which is infinite if most queries coincide with a point."""
    return min(contrast, 300.0)

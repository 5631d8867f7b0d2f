"""Draw scenes of `annlab.widgets.base.scene` with matplotlib."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from annlab.widgets.base.look import ARROW, INK, PAPER, QUIET
from annlab.widgets.base.scene import Part

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ROLES = {"ink": INK, "quiet": QUIET, "paper": PAPER, "line": "#c8c8c8"}
#: CSS pixels in a point of matplotlib.
_PX = 72.0 / 96.0


def draw_scene(figure: Figure, scene: Part) -> None:
    """Draw a scene on an empty matplotlib figure of the scene's size."""
    width, height = scene["size"]
    # panels have fixed places
    figure.set_layout_engine("none")
    planes = []
    for one in scene["panels"]:
        left, top, wide, high = one["rect"]
        axes = figure.add_axes(
            (left / width, 1 - (top + high) / height, wide / width, high / height)
        )
        axes.set_xlim(*one["bounds"][:2])
        axes.set_ylim(*one["bounds"][2:])
        _dress(axes, one)
        for order, layer in enumerate(one["layers"]):
            LAYERS[layer["type"]](axes, layer, 2 + order)
        planes.append(axes)
    moved = scene.get("handles")
    if moved:
        _draw_handles(planes[moved["panel"]], moved)


def _color(name: str) -> str:
    return _ROLES.get(name, name)


def _line(layer: Part, order: float) -> dict[str, Any]:
    """Return what matplotlib's lines, circles and arrows all take."""
    dash = [length * _PX for length in layer["dash"]]
    return {
        "linewidth": layer["width"] * _PX,
        "linestyle": (0, dash) if dash else "solid",
        "alpha": layer["alpha"],
        "zorder": order,
    }


def _each(value: Any, index: int) -> Any:
    return value if isinstance(value, (str, int, float)) else value[index]


def _dress(axes: Axes, one: Part) -> None:
    for axis, ticks in ((axes.xaxis, one.get("xticks", ())), (axes.yaxis, one.get("yticks", ()))):
        axis.set_ticks([place for place, _ in ticks], [text for _, text in ticks], color=QUIET)
    axes.tick_params(length=0)
    for side, spine in axes.spines.items():
        spine.set_color(INK if one.get("active") else _ROLES["line"])
        spine.set_linewidth(2.0 if one.get("active") else 0.8)
        spine.set_visible(
            not one.get("bare") and (not one.get("axes") or side in ("left", "bottom"))
        )
    axes.patch.set_visible(False)
    if one.get("grid"):
        axes.grid(True, axis="y", color="#e3e3e3", linewidth=0.6)
        axes.set_axisbelow(True)
    if one.get("title"):
        axes.set_title(one["title"], loc="left", fontsize=11, fontweight="bold", color=INK)
    if one.get("xlabel"):
        axes.set_xlabel(one["xlabel"], fontsize=11, color=INK, labelpad=4)


def _draw_points(axes: Axes, layer: Part, order: float) -> None:
    x, y = np.array(layer["x"]), np.array(layer["y"])
    looks: dict[tuple[Any, ...], list[int]] = {}
    for i in range(len(x)):
        look = tuple(_each(layer[key], i) for key in ("marker", "color", "size"))
        looks.setdefault(look, []).append(i)
    for (marker, color, size), rows in looks.items():
        style: dict[str, Any] = {
            "facecolors": _color(color),
            "edgecolors": _color(layer["edge"]) if layer["edge"] else "none",
            "linewidths": layer["width"] * _PX,
        }
        if marker in ("x", "+"):
            width = layer["cross_width"] if "cross_width" in layer else layer["width"] or 2.0
            style = {"c": _color(color), "linewidths": width * _PX}
        elif layer["hollow"]:
            width = layer["width"] or 2.0
            style = {"facecolors": "none", "edgecolors": _color(color), "linewidths": width * _PX}
        area = (2 * size * _PX) ** 2 * (1.4 if marker == "*" else 1.0)
        axes.scatter(
            x[rows], y[rows], s=area, marker=marker, alpha=layer["alpha"], zorder=order, **style
        )


def _draw_segments(axes: Axes, layer: Part, order: float) -> None:
    from matplotlib.collections import LineCollection

    color, line = _color(layer["color"]), _line(layer, order)
    if layer["arrow"]:
        line.pop("zorder")
        head = 8 + 2 * layer["width"]
        arrow = dict(ARROW, mutation_scale=head, color=color, **line)
        for x1, y1, x2, y2 in layer["ends"]:
            axes.annotate("", xy=(x2, y2), xytext=(x1, y1), zorder=order, arrowprops=arrow)
        return
    lines = [((x1, y1), (x2, y2)) for x1, y1, x2, y2 in layer["ends"]]
    axes.add_collection(LineCollection(lines, colors=color, **line), autolim=False)


def _draw_path(axes: Axes, layer: Part, order: float) -> None:
    axes.plot(layer["x"], layer["y"], color=_color(layer["color"]), **_line(layer, order))


def _draw_circles(axes: Axes, layer: Part, order: float) -> None:
    from matplotlib.patches import Circle

    for i, (x, y, r) in enumerate(zip(layer["x"], layer["y"], layer["r"], strict=True)):
        edge = _color(_each(layer["color"], i))
        axes.add_patch(Circle((x, y), r, fill=False, edgecolor=edge, **_line(layer, order)))


def _draw_texts(axes: Axes, layer: Part, order: float) -> None:
    from matplotlib.patheffects import withStroke

    for i, words in enumerate(layer["text"]):
        axes.annotate(
            words,
            (layer["x"][i], layer["y"][i]),
            xytext=(layer["dx"] * _PX, layer["dy"] * _PX),
            textcoords="offset points",
            ha=layer["align"],
            va="center",
            fontsize=11,
            fontweight="bold" if layer["bold"] else "normal",
            color=_color(_each(layer["color"], i)),
            path_effects=[withStroke(linewidth=3, foreground=PAPER)],
            annotation_clip=True,
            zorder=order,
        )


LAYERS = {
    "points": _draw_points,
    "segments": _draw_segments,
    "path": _draw_path,
    "circles": _draw_circles,
    "texts": _draw_texts,
}


def _draw_handles(axes: Axes, moved: Part) -> None:
    from matplotlib.patheffects import withStroke

    area = (2 * moved["size"] * _PX) ** 2
    for i, (x, y) in enumerate(moved["xy"]):
        marker, color = _each(moved["marker"], i), _color(_each(moved["color"], i))
        common = {"c": color, "marker": marker, "s": area, "zorder": 50}
        if marker in ("x", "+"):
            halo = [withStroke(linewidth=5, foreground=PAPER)]
            axes.scatter([x], [y], linewidths=2.6, path_effects=halo, **common)
            continue
        axes.scatter([x], [y], s=area * 1.35, c=PAPER, marker=marker, linewidths=0, zorder=49)
        axes.scatter([x], [y], edgecolors=INK, linewidths=1.5, **common)
        if moved["text"]:
            red, green, blue = (int(color[k : k + 2], 16) for k in (1, 3, 5))
            dark = 0.3 * red + 0.59 * green + 0.11 * blue < 140
            axes.annotate(
                moved["text"][i],
                (x, y),
                ha="center",
                va="center_baseline",
                fontsize=11,
                fontweight="bold",
                color=PAPER if dark else "#000000",
                zorder=51,
            )

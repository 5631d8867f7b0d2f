"""The picture of a canvas as plain data: drawn by ``static/canvas.js`` and, here, by matplotlib.

A scene is a dict of JSON values, so that the browser, a snapshot and a saved page show the same::

    {"size": (width, height),              # CSS pixels
     "sentence": "...",                    # what the picture shows, read aloud
     "hint": "...",                        # how to use mouse and keys
     "edit": 3,                            # the reader's change that it answers (browser only)
     "panels": [...],                      # `panel`
     "handles": {...}}                     # `handles`: the points that the reader moves

A panel is a rectangle with data bounds and layers, which are drawn in order. Colours are ``"ink"``,
``"quiet"``, ``"paper"``, ``"line"`` (they follow a dark theme), or a hex colour of the palette.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from annlab.plotting import cluster_color, cluster_marker
from annlab.widgets.base.look import INK, PAPER, QUIET

_ROLES = {"ink": INK, "quiet": QUIET, "paper": PAPER, "line": "#c8c8c8"}
#: CSS pixels in a point of matplotlib.
_PX = 72.0 / 96.0


def numbers(values: Any) -> list[float]:
    """Turn an array into floats of five significant digits: exact enough for pixels, and short."""
    return [float(f"{value:.5g}") for value in np.asarray(values, dtype=float).ravel()]


def square_bounds(
    X: np.ndarray, rect: Sequence[float], pad: float = 0.08
) -> tuple[float, float, float, float]:
    """Data bounds that hold ``X`` with a margin and give a rectangle equal scales on both axes.

    Parameters
    ----------
    X : ndarray of shape (n, 2)
    rect : (left, top, width, height)
        CSS pixels.
    pad : float, default=0.08
        Margin, as a share of the longer side.

    Returns
    -------
    (x0, x1, y0, y1)
    """
    low, high = np.min(X, axis=0).astype(float), np.max(X, axis=0).astype(float)
    middle, span = (low + high) / 2, np.maximum(high - low, 1e-9)
    _, _, width, height = rect
    unit = max(span[0] / width, span[1] / height) * (1 + 2 * pad)
    half = np.array([width, height]) * unit / 2
    x0, y0 = middle - half
    x1, y1 = middle + half
    return tuple(numbers([x0, x1, y0, y1]))  # type: ignore[return-value]


def panel(
    rect: Sequence[float], bounds: Sequence[float], layers: Sequence[dict[str, Any]], **dress: Any
) -> dict[str, Any]:
    """A rectangle of a scene.

    Parameters
    ----------
    rect : (left, top, width, height)
    bounds : (x0, x1, y0, y1)
    layers : sequence of dict
        In the order in which they are drawn.
    **dress
        ``title``, ``xlabel``; ``xticks`` and ``yticks`` as lists of (place, text); ``axes=True``
        for two axis lines instead of a frame; ``bare=True`` for neither; ``active=True`` for a
        strong frame; ``grid=True`` for quiet lines at the y ticks.
    """
    for ticks in ("xticks", "yticks"):
        if ticks in dress:
            dress[ticks] = [[float(place), text] for place, text in dress[ticks]]
    return {"rect": list(rect), "bounds": numbers(bounds), "layers": list(layers), **dress}


def legend(
    rect: Sequence[float], items: Sequence[tuple[str, str, str, float]], *, hollow: str = ""
) -> dict[str, Any]:
    """A panel that explains markers, in one line (wide rectangle) or one below the other.

    Parameters
    ----------
    rect : (left, top, width, height)
    items : sequence of (marker, color, words, width)
        ``width`` is the room that an item takes in a line, in CSS pixels; in a column it is the
        height.
    hollow : str, default=""
        Markers that are drawn as outlines.
    """
    _, _, wide, high = rect
    layers = []
    place = 0.0
    for marker, color, words, room in items:
        at = (8.0, high - place - room / 2) if high > wide else (place + 8.0, high / 2)
        outline = words in hollow.split("|")
        layers.append(
            points(
                np.array([at]),
                color=color,
                marker=marker,
                size=6.0,
                edge="" if outline else "ink",
                width=2.0 if outline or marker in "x+" else 0.7,
                hollow=outline,
            )
        )
        layers.append(texts([at], [words], dx=13))
        place += room
    return panel(rect, (0.0, wide, 0.0, high), layers, bare=True)


def points(
    X: np.ndarray,
    *,
    color: str | Sequence[str],
    marker: str | Sequence[str] = "o",
    size: float | Sequence[float] | np.ndarray = 4.0,
    alpha: float | Sequence[float] = 1.0,
    edge: str = "",
    width: float = 0.0,
    hollow: bool = False,
) -> dict[str, Any]:
    """A layer of markers; ``size`` is their radius and ``width`` their line, in CSS pixels."""
    return {
        "type": "points",
        "x": numbers(X[:, 0]),
        "y": numbers(X[:, 1]),
        "color": color if isinstance(color, str) else list(color),
        "marker": marker if isinstance(marker, str) else list(marker),
        "size": size if isinstance(size, (int, float)) else numbers(size),
        "alpha": alpha if isinstance(alpha, (int, float)) else numbers(alpha),
        "edge": edge,
        "width": width,
        "hollow": hollow,
    }


def cluster_points(
    X: np.ndarray, labels: np.ndarray, *, size: float = 4.2, alpha: float = 0.85
) -> dict[str, Any]:
    """Points in the colour and the marker of their cluster; −1 is a cross."""
    inside = labels >= 0
    return points(
        X,
        color=[cluster_color(int(c)) if c >= 0 else "ink" for c in labels],
        marker=[cluster_marker(int(c)) if c >= 0 else "x" for c in labels],
        size=np.where(inside, size, size + 0.8),
        alpha=alpha,
        edge="paper",
        width=0.6,
    ) | {"cross_width": 1.8}


def segments(
    ends: Any,
    *,
    color: str = "line",
    width: float = 1.0,
    alpha: float = 1.0,
    dash: Sequence[float] = (),
    arrow: bool = False,
) -> dict[str, Any]:
    """A layer of straight lines, each (x1, y1, x2, y2)."""
    rows = np.asarray(ends, dtype=float).reshape(-1, 4)
    return {
        "type": "segments",
        "ends": [numbers(row) for row in rows],
        "color": color,
        "width": width,
        "alpha": alpha,
        "dash": list(dash),
        "arrow": arrow,
    }


def path(
    X: Any,
    *,
    color: str = "ink",
    width: float = 2.0,
    alpha: float = 1.0,
    dash: Sequence[float] = (),
) -> dict[str, Any]:
    """A layer that joins points by one line."""
    rows = np.asarray(X, dtype=float).reshape(-1, 2)
    return {
        "type": "path",
        "x": numbers(rows[:, 0]),
        "y": numbers(rows[:, 1]),
        "color": color,
        "width": width,
        "alpha": alpha,
        "dash": list(dash),
    }


def circles(
    centers: np.ndarray,
    radius: Any,
    *,
    color: str | Sequence[str] = "quiet",
    width: float = 1.2,
    alpha: float = 1.0,
    dash: Sequence[float] = (),
) -> dict[str, Any]:
    """A layer of circles whose radii are in data units."""
    rows = np.asarray(centers, dtype=float).reshape(-1, 2)
    return {
        "type": "circles",
        "x": numbers(rows[:, 0]),
        "y": numbers(rows[:, 1]),
        "r": numbers(np.broadcast_to(radius, len(rows))),
        "color": color if isinstance(color, str) else list(color),
        "width": width,
        "alpha": alpha,
        "dash": list(dash),
    }


def texts(
    X: Any,
    words: Sequence[str],
    *,
    color: str | Sequence[str] = "ink",
    align: str = "left",
    dx: float = 0.0,
    dy: float = 0.0,
    bold: bool = False,
) -> dict[str, Any]:
    """A layer of words beside places; ``dx`` and ``dy`` (upwards) are CSS pixels."""
    rows = np.asarray(X, dtype=float).reshape(-1, 2)
    return {
        "type": "texts",
        "x": numbers(rows[:, 0]),
        "y": numbers(rows[:, 1]),
        "text": list(words),
        "color": color if isinstance(color, str) else list(color),
        "align": align,
        "dx": dx,
        "dy": dy,
        "bold": bold,
    }


def handles(
    X: Any,
    *,
    panel: int = 0,
    name: str,
    color: str | Sequence[str] = "ink",
    marker: str | Sequence[str] = "o",
    size: float = 12.0,
    text: Sequence[str] = (),
    low: int = 0,
    high: int = 50,
    adds: bool = False,
    removes: bool = False,
    places: bool = False,
    glide: bool = True,
) -> dict[str, Any]:
    """The points that the reader moves.

    Parameters
    ----------
    X : array-like of shape (m, 2)
    panel : int, default=0
        Panel that they lie in.
    name : str
        What one is called, such as "centroid".
    color, marker : str or sequence of str
    size : float, default=12
        Radius in CSS pixels.
    text : sequence of str, default=()
        One or two letters on each.
    low, high : int
        How few and how many there may be.
    adds, removes : bool, default=False
        Whether a click on free ground adds one, and a double-click on one removes it.
    places : bool, default=False
        Whether a click on free ground moves the selected one there.
    glide : bool, default=True
        Whether they glide to new places that Python gives them.
    """
    rows = np.asarray(X, dtype=float).reshape(-1, 2)
    return {
        "xy": [numbers(row) for row in rows],
        "panel": panel,
        "name": name,
        "color": color if isinstance(color, str) else list(color),
        "marker": marker if isinstance(marker, str) else list(marker),
        "size": size,
        "text": list(text),
        "min": low,
        "max": high,
        "adds": adds,
        "removes": removes,
        "places": places,
        "glide": glide,
    }


# ------------------------------------------------------------------ the same by matplotlib


def draw_scene(figure: Any, scene: dict[str, Any]) -> None:
    """Draw a scene on an empty matplotlib figure of the scene's size.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    scene : dict
    """
    width, height = scene["size"]
    # panels have places of their own
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
            _LAYERS[layer["type"]](axes, layer, one, 2 + order)
        planes.append(axes)
    moved = scene.get("handles")
    if moved:
        _draw_handles(planes[moved["panel"]], moved)


def _color(name: str) -> str:
    return _ROLES.get(name, name)


def _each(value: Any, index: int) -> Any:
    return value if isinstance(value, (str, int, float)) else value[index]


def _dress(axes: Any, one: dict[str, Any]) -> None:
    axes.set_xticks([place for place, _ in one.get("xticks", ())])
    axes.set_xticklabels([text for _, text in one.get("xticks", ())], color=QUIET)
    axes.set_yticks([place for place, _ in one.get("yticks", ())])
    axes.set_yticklabels([text for _, text in one.get("yticks", ())], color=QUIET)
    axes.tick_params(length=0)
    for side, spine in axes.spines.items():
        spine.set_color(INK if one.get("active") else "#c8c8c8")
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


def _draw_points(axes: Any, layer: dict[str, Any], one: dict[str, Any], order: float) -> None:
    x, y = np.array(layer["x"]), np.array(layer["y"])
    looks: dict[tuple[Any, ...], list[int]] = {}
    for i in range(len(x)):
        look = tuple(_each(layer[key], i) for key in ("marker", "color", "size", "alpha"))
        looks.setdefault(look, []).append(i)
    for (marker, color, size, alpha), rows in looks.items():
        line = marker in ("x", "+")
        edges: Any = _color(layer["edge"]) if layer["edge"] else "none"
        widths = layer["width"] * _PX
        face: Any = _color(color)
        if line:
            edges, widths = None, layer.get("cross_width", layer["width"] or 2.0) * _PX
        elif layer["hollow"]:
            edges, face, widths = face, "none", (layer["width"] or 2.0) * _PX
        axes.scatter(
            x[rows],
            y[rows],
            s=(2 * size * _PX) ** 2 * (1.4 if marker == "*" else 1.0),
            marker=marker,
            facecolors=None if line else face,
            c=face if line else None,
            edgecolors=edges,
            linewidths=widths,
            alpha=alpha,
            zorder=order,
        )


def _draw_segments(axes: Any, layer: dict[str, Any], one: dict[str, Any], order: float) -> None:
    from matplotlib.collections import LineCollection

    style: Any = (0, [length * _PX for length in layer["dash"]]) if layer["dash"] else "solid"
    color, width = _color(layer["color"]), layer["width"] * _PX
    if layer["arrow"]:
        for x1, y1, x2, y2 in layer["ends"]:
            axes.annotate(
                "",
                xy=(x2, y2),
                xytext=(x1, y1),
                zorder=order,
                arrowprops={
                    "arrowstyle": "-|>",
                    "mutation_scale": 8 + 2 * layer["width"],
                    "color": color,
                    "linewidth": width,
                    "linestyle": style,
                    "alpha": layer["alpha"],
                    "shrinkA": 0,
                    "shrinkB": 0,
                },
            )
        return
    lines = [((x1, y1), (x2, y2)) for x1, y1, x2, y2 in layer["ends"]]
    axes.add_collection(
        LineCollection(
            lines,
            colors=color,
            linewidths=width,
            linestyles=[style],
            alpha=layer["alpha"],
            zorder=order,
        ),
        autolim=False,
    )


def _draw_path(axes: Any, layer: dict[str, Any], one: dict[str, Any], order: float) -> None:
    style: Any = (0, [length * _PX for length in layer["dash"]]) if layer["dash"] else "solid"
    axes.plot(
        layer["x"],
        layer["y"],
        color=_color(layer["color"]),
        linewidth=layer["width"] * _PX,
        linestyle=style,
        alpha=layer["alpha"],
        zorder=order,
    )


def _draw_circles(axes: Any, layer: dict[str, Any], one: dict[str, Any], order: float) -> None:
    from matplotlib.patches import Circle

    style: Any = (0, [length * _PX for length in layer["dash"]]) if layer["dash"] else "solid"
    for i, (x, y, r) in enumerate(zip(layer["x"], layer["y"], layer["r"], strict=True)):
        circle = Circle(
            (x, y),
            r,
            fill=False,
            edgecolor=_color(_each(layer["color"], i)),
            linewidth=layer["width"] * _PX,
            linestyle=style,
            alpha=layer["alpha"],
            zorder=order,
        )
        axes.add_patch(circle)


def _draw_texts(axes: Any, layer: dict[str, Any], one: dict[str, Any], order: float) -> None:
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


_LAYERS = {
    "points": _draw_points,
    "segments": _draw_segments,
    "path": _draw_path,
    "circles": _draw_circles,
    "texts": _draw_texts,
}


def _draw_handles(axes: Any, moved: dict[str, Any]) -> None:
    from matplotlib.patheffects import withStroke

    area = (2 * moved["size"] * _PX) ** 2
    for i, (x, y) in enumerate(moved["xy"]):
        marker, color = _each(moved["marker"], i), _color(_each(moved["color"], i))
        if marker in ("x", "+"):
            halo = [withStroke(linewidth=5, foreground=PAPER)]
            axes.scatter(
                [x], [y], s=area, c=color, marker=marker, linewidths=2.6, zorder=50,
                path_effects=halo,
            )  # fmt: skip
            continue
        axes.scatter([x], [y], s=area * 1.35, c=PAPER, marker=marker, linewidths=0, zorder=49)
        axes.scatter(
            [x], [y], s=area, c=color, marker=marker, edgecolors=INK, linewidths=1.5, zorder=50
        )
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

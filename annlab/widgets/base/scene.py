"""The picture of a canvas as plain data, for canvas.js and `scene_figure`.

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
from typing import TYPE_CHECKING, Any

import numpy as np

from annlab.plotting import cluster_color, cluster_marker

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


#: A scene, panel, layer or set of handles, as JSON values.
Part = dict[str, Any]
#: One word (a colour, a marker) for all places of a layer, or one for each.
Words = str | Sequence[str]


def numbers(values: ArrayLike) -> list[float]:
    """Turn an array into floats of five significant digits, enough for pixels."""
    return [float(f"{value:.5g}") for value in np.asarray(values, dtype=float).ravel()]


def square_bounds(X: np.ndarray, rect: Sequence[float], pad: float = 0.08) -> list[float]:
    """Return bounds (x0, x1, y0, y1) around ``X``, of equal scale on both axes.

    ``rect`` is (left, top, width, height) of the panel, ``pad`` the margin as a share of the
    longer side.
    """
    low, high = np.min(X, axis=0).astype(float), np.max(X, axis=0).astype(float)
    middle, span = (low + high) / 2, np.maximum(high - low, 1e-9)
    sides = np.array(rect[2:], dtype=float)
    half = sides * np.max(span / sides) * (1 + 2 * pad) / 2
    (x0, y0), (x1, y1) = middle - half, middle + half
    return numbers([x0, x1, y0, y1])


def panel(
    rect: Sequence[float], bounds: Sequence[float], layers: Sequence[Part], **dress: Any
) -> Part:
    """Make a panel (left, top, width, height) with bounds (x0, x1, y0, y1).

    ``dress`` may have ``title``, ``xlabel``; ``xticks`` and ``yticks`` as lists of (place, text);
    ``axes=True`` for two axis lines instead of a frame, ``bare=True`` for neither, ``active=True``
    for a strong frame; ``grid=True`` for quiet lines at the y ticks.
    """
    for ticks in ("xticks", "yticks"):
        if ticks in dress:
            dress[ticks] = [[float(place), text] for place, text in dress[ticks]]
    return {"rect": list(rect), "bounds": numbers(bounds), "layers": list(layers), **dress}


def legend(
    rect: Sequence[float], items: Sequence[tuple[str, str, str, float]], *, hollow: str = ""
) -> Part:
    """Make a line that explains markers.

    ``items`` are (marker, colour, words, width in CSS pixels); the marker of the words ``hollow``
    is an outline.
    """
    _, _, wide, high = rect
    layers = []
    left = 0.0
    for marker, color, words, room in items:
        place = [(left + 8.0, high / 2)]
        outline = words == hollow
        layers.append(
            points(
                place,
                color=color,
                marker=marker,
                size=6.0,
                edge="" if outline else "ink",
                width=2.0 if outline or marker in "x+" else 0.7,
                hollow=outline,
            )
        )
        layers.append(texts(place, [words], dx=13))
        left += room
    return panel(rect, (0.0, wide, 0.0, high), layers, bare=True)


def _layer(kind: str, X: ArrayLike, **style: object) -> Part:
    rows = np.asarray(X, dtype=float).reshape(-1, 2)
    return {"type": kind, "x": numbers(rows[:, 0]), "y": numbers(rows[:, 1]), **_plain(style)}


def _plain(style: Part) -> Part:
    """Turn sequences into lists for JSON."""
    return {
        key: value if isinstance(value, (str, bool, int, float)) else list(value)
        for key, value in style.items()
    }


def points(
    X: ArrayLike,
    *,
    color: Words,
    marker: Words = "o",
    size: ArrayLike = 4.0,
    alpha: float = 1.0,
    edge: str = "",
    width: float = 0.0,
    hollow: bool = False,
) -> Part:
    """Make a layer of markers; ``size`` (radius) and ``width`` in CSS pixels."""
    return _layer(
        "points",
        X,
        color=color,
        marker=marker,
        size=size if isinstance(size, (int, float)) else numbers(size),
        alpha=alpha,
        edge=edge,
        width=width,
        hollow=hollow,
    )


def cluster_points(
    X: np.ndarray, labels: np.ndarray, *, size: float = 4.2, alpha: float = 0.85
) -> Part:
    """Make a layer of points in their cluster's colour and marker; −1: a cross."""
    return points(
        X,
        color=[cluster_color(int(c)) if c >= 0 else "ink" for c in labels],
        marker=[cluster_marker(int(c)) if c >= 0 else "x" for c in labels],
        size=np.where(labels >= 0, size, size + 0.8),
        alpha=alpha,
        edge="paper",
        width=0.6,
    ) | {"cross_width": 1.8}


def segments(
    ends: ArrayLike,
    *,
    color: str = "line",
    width: float = 1.0,
    alpha: float = 1.0,
    dash: Sequence[float] = (),
    arrow: bool = False,
) -> Part:
    """Make a layer of straight lines, each (x1, y1, x2, y2)."""
    rows = np.asarray(ends, dtype=float).reshape(-1, 4)
    style = {"color": color, "width": width, "alpha": alpha, "dash": dash, "arrow": arrow}
    return {"type": "segments", "ends": [numbers(row) for row in rows], **_plain(style)}


def path(
    X: ArrayLike,
    *,
    color: str = "ink",
    width: float = 2.0,
    alpha: float = 1.0,
    dash: Sequence[float] = (),
) -> Part:
    """Make a layer that joins points by one line."""
    return _layer("path", X, color=color, width=width, alpha=alpha, dash=dash)


def circles(
    centers: np.ndarray,
    radius: ArrayLike,
    *,
    color: Words = "quiet",
    width: float = 1.2,
    alpha: float = 1.0,
    dash: Sequence[float] = (),
) -> Part:
    """Make a layer of circles whose radii are in data units."""
    r = numbers(np.broadcast_to(radius, len(centers)))
    return _layer("circles", centers, r=r, color=color, width=width, alpha=alpha, dash=dash)


def texts(
    X: ArrayLike,
    words: Sequence[str],
    *,
    color: Words = "ink",
    align: str = "left",
    dx: float = 0.0,
    dy: float = 0.0,
    bold: bool = False,
) -> Part:
    """Make a layer of texts; ``dx`` and ``dy`` (upwards) are CSS pixels."""
    return _layer("texts", X, text=words, color=color, align=align, dx=dx, dy=dy, bold=bold)


def handles(
    X: ArrayLike,
    *,
    name: str,
    color: Words = "ink",
    marker: Words = "o",
    size: float = 12.0,
    text: Sequence[str] = (),
    low: int = 0,
    high: int = 50,
    adds: bool = False,
    removes: bool = False,
    places: bool = False,
    glide: bool = True,
) -> Part:
    """Describe the points that the reader can move, in the first panel.

    ``name`` is what one is called, ``size`` its radius in CSS pixels, ``text`` one or two letters
    on each; there may be ``low`` to ``high``. A click on free ground adds one if ``adds``, or
    moves the selected one there if ``places``; a double-click on one removes it if ``removes``.
    If ``glide``, they glide to new places that Python gives them.
    """
    rows = np.asarray(X, dtype=float).reshape(-1, 2)
    return _plain(
        {
            "xy": [numbers(row) for row in rows],
            "panel": 0,
            "name": name,
            "color": color,
            "marker": marker,
            "size": size,
            "text": text,
            "min": low,
            "max": high,
            "adds": adds,
            "removes": removes,
            "places": places,
            "glide": glide,
        }
    )

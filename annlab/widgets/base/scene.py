"""The picture of a canvas as plain data: drawn by ``static/canvas.js`` and `scene_figure`.

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


def _layer(kind: str, X: ArrayLike, **style: Any) -> dict[str, Any]:
    """A layer of places, and of what is written to JSON beside them."""
    rows = np.asarray(X, dtype=float).reshape(-1, 2)
    plain = {
        key: value if isinstance(value, (str, bool, int, float)) else list(value)
        for key, value in style.items()
    }
    return {"type": kind, "x": numbers(rows[:, 0]), "y": numbers(rows[:, 1]), **plain}


def points(
    X: ArrayLike,
    *,
    color: str | Sequence[str],
    marker: str | Sequence[str] = "o",
    size: float | Sequence[float] | np.ndarray = 4.0,
    alpha: float = 1.0,
    edge: str = "",
    width: float = 0.0,
    hollow: bool = False,
) -> dict[str, Any]:
    """A layer of markers; ``size`` is their radius and ``width`` their line, in CSS pixels."""
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
    ends: ArrayLike,
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
    X: ArrayLike,
    *,
    color: str = "ink",
    width: float = 2.0,
    alpha: float = 1.0,
    dash: Sequence[float] = (),
) -> dict[str, Any]:
    """A layer that joins points by one line."""
    return _layer("path", X, color=color, width=width, alpha=alpha, dash=dash)


def circles(
    centers: np.ndarray,
    radius: ArrayLike,
    *,
    color: str | Sequence[str] = "quiet",
    width: float = 1.2,
    alpha: float = 1.0,
    dash: Sequence[float] = (),
) -> dict[str, Any]:
    """A layer of circles whose radii are in data units."""
    r = numbers(np.broadcast_to(radius, len(centers)))
    return _layer("circles", centers, r=r, color=color, width=width, alpha=alpha, dash=dash)


def texts(
    X: ArrayLike,
    words: Sequence[str],
    *,
    color: str | Sequence[str] = "ink",
    align: str = "left",
    dx: float = 0.0,
    dy: float = 0.0,
    bold: bool = False,
) -> dict[str, Any]:
    """A layer of words beside places; ``dx`` and ``dy`` (upwards) are CSS pixels."""
    return _layer("texts", X, text=words, color=color, align=align, dx=dx, dy=dy, bold=bold)


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

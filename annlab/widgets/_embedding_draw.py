"""Picture of `embedding_explorer`: three maps, two sets of bars, tiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from annlab.widgets._embedding_maps import Cloud, Maps
from annlab.widgets.base import ALARM, INK, PALETTE, PAPER, QUIET, scatter_clusters, share
from annlab.widgets.base.marks import MEDIUM, write

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Corners of a box, and the pairs that its edges join.
_CORNERS = np.array([(x, y, z) for x in (0, 1) for y in (0, 1) for z in (0, 1)])
_EDGES = np.array([(a, b) for a in range(8) for b in range(a) if (a ^ b).bit_count() == 1])
#: Places in CSS pixels of the maps, the bars (top and bottom), and the followed point's tiles.
_LEFTS, _TOP, _SIDE = (8, 287, 567), 32, 265
_BARS, _TILES = (352, 494), (640, 352, 192)
_SQUARE = np.array([(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)])
#: Area and opacity of points by depth, far ones first; 0 is for 2-D.
_DEPTHS = {0: (18.0, 0.8), 1: (10.0, 0.45), 2: (15.0, 0.65), 3: (22.0, 0.9)}


def draw_maps(
    axes: Axes,
    result: Maps,
    labels: np.ndarray,
    third: str,
    highlight: str,
    follow: int,
    direction: tuple[float, float],
) -> None:
    """Draw the maps side by side, seen from ``direction`` (azimuth, elevation)."""
    turned = [_turned(view.Y, *direction) for view in result.views]
    flats = [_placed(flat, left) for (flat, _), left in zip(turned, _LEFTS, strict=False)]
    for left, name in zip(_LEFTS, [*(v.name for v in result.views), third], strict=False):
        corners = _SQUARE * _SIDE + (left, _TOP)
        axes.plot(*corners.T, color="#c8c8c8", linewidth=0.8, zorder=0)
        write(axes, left, _TOP - 7, name, "left bottom", size=MEDIUM, color=INK)
    if result.views[0].Y.shape[1] == 3:
        boxes = zip(result.views, _LEFTS, strict=False)
        edges = np.concatenate([_edges(view.Y, direction, left) for view, left in boxes])
        _draw_lines(axes, edges, color="#c8c8c8", linewidth=1.0, zorder=0)
    depths = np.concatenate([_depth(near) for _, near in turned])
    _draw_points(axes, np.concatenate(flats), depths, np.tile(labels, len(flats)), highlight)
    if follow:
        _draw_stars(axes, flats, result.cloud.nearest[follow - 1], follow - 1)
    if result.missing:
        words = result.missing.replace(". ", ".\n").replace(": ", ":\n")
        middle = _LEFTS[2] + _SIDE / 2, _TOP + _SIDE / 2
        write(axes, *middle, words, "center", size=MEDIUM, color=INK)


def _draw_points(
    axes: Axes, flat: np.ndarray, depths: np.ndarray, labels: np.ndarray, highlight: str
) -> None:
    chosen = np.ones(len(flat), dtype=bool)
    if highlight != "all" and (labels == int(highlight)).any():
        chosen = labels == int(highlight)
        scatter_clusters(axes, flat[~chosen], None, size=10, alpha=0.35)
    for depth, (size, alpha) in _DEPTHS.items():
        rows = chosen & (depths == depth)
        if rows.any():
            scatter_clusters(axes, flat[rows], labels[rows], size=size, alpha=alpha)


def _draw_stars(axes: Axes, flats: list[np.ndarray], nearest: np.ndarray, row: int) -> None:
    stars = np.array([flat[row] for flat in flats])
    rings = np.concatenate([flat[nearest] for flat in flats])
    threads = np.stack([np.repeat(stars, len(nearest), axis=0), rings], axis=1)
    _draw_lines(axes, threads, color=INK, linewidth=0.8, alpha=0.6, zorder=2)
    x, y = rings.T
    axes.scatter(x, y, s=64, facecolors="none", edgecolors=INK, linewidths=1.4, zorder=3)
    look: dict[str, Any] = {"markeredgecolor": INK, "markeredgewidth": 1.6, "zorder": 4}
    axes.plot(*stars.T, "*", color=PAPER, markersize=19, **look)


def draw_scores(axes: Axes, result: Maps) -> None:
    """Draw the trustworthiness of each map, and the silhouette of k-means on it."""
    trust = {view.name: (view.trust, share(view.trust)) for view in result.views}
    _draw_bars(axes, (140, 260), (0.5, "0.5: chance"), "trustworthiness ↑", trust)
    scores = {view.name: view.silhouette for view in result.views}
    scores = {"the data": result.cloud.silhouette} | scores
    told = {name: (score, f"{score:.2f}") for name, score in scores.items()}
    _draw_bars(axes, (440, 580), (0.0, "0"), "k-means silhouette ↑", told)


def _draw_bars(
    axes: Axes,
    reach: tuple[float, float],
    base: tuple[float, str],
    heading: str,
    shown: dict[str, tuple[float, str]],
) -> None:
    """Draw bars from ``base`` to 1, between two places in CSS pixels (``reach``)."""
    (start, end), (top, bottom) = reach, _BARS
    write(axes, start, top - 12, heading, "left bottom", size=MEDIUM, color=INK)
    middles = top + (np.arange(len(shown)) + 0.5) / len(shown) * (bottom - top)
    lengths = [(value - base[0]) / (1 - base[0]) * (end - start) for value, _ in shown.values()]
    height = 0.62 * (bottom - top) / len(shown)
    colors = [QUIET if name == "the data" else PALETTE[0] for name in shown]
    axes.barh(middles, lengths, left=start, height=height, color=colors)
    for middle, length, (name, (_, words)) in zip(middles, lengths, shown.items(), strict=True):
        write(axes, start - 8, middle, _folded(name), "right center")
        write(axes, start + max(length, 0) + 6, middle, words, "left center")
    axes.plot([start, start], _BARS, color=INK, linewidth=1)
    axes.plot([end, end], [bottom - 4, bottom + 2], color=INK, linewidth=1)
    for place, words in ((start, base[1]), (end, "1")):
        write(axes, place, bottom + 5, words, "center top")


def draw_tiles(axes: Axes, cloud: Cloud, follow: int) -> None:
    """Draw the followed point and its neighbours, or say how to see them."""
    left, top, width = _TILES
    if cloud.tile is None or not follow:
        words = "Follow a point\nto see its nearest\non every map"
        if follow:
            words = f"★ point {follow}\n○ its {cloud.nearest.shape[1]} nearest\nin the data"
        middle = left + width / 2, (_BARS[0] + _BARS[1]) / 2
        write(axes, *middle, words, "center", size=MEDIUM, color=QUIET)
        return
    rows = np.r_[follow - 1, cloud.nearest[follow - 1]]
    low, high = float(cloud.X.min()), float(cloud.X.max())
    tiles = ((cloud.X[rows] - low) / max(high - low, 1e-12)).reshape(-1, *cloud.tile)
    sheet = _sheet(tiles, n_columns=4)
    pixel = min(width / sheet.shape[1], (_BARS[1] - top) / sheet.shape[0])
    box = (left, left + pixel * sheet.shape[1], top + pixel * sheet.shape[0], top)
    grey: dict[str, Any] = {"cmap": "gray", "vmin": 0, "vmax": 1}
    axes.imshow(sheet, interpolation="nearest", aspect="auto", extent=box, **grey)
    write(axes, left, _BARS[0] - 12, "★ and its ○", "left bottom", size=MEDIUM, color=INK)
    height, wide = cloud.tile[:2]
    frame = _SQUARE * pixel * (wide + 1, height + 1) + (left, top)
    axes.plot(*frame.T, color=ALARM, linewidth=2.5)


def _sheet(tiles: np.ndarray, n_columns: int) -> np.ndarray:
    """Put small pictures side by side on white, with gaps of a pixel."""
    n_rows = -(-len(tiles) // n_columns)
    height, width, *channels = tiles.shape[1:]
    cells = np.ones((n_rows * n_columns, height + 1, width + 1, *channels))
    cells[: len(tiles), 1:, 1:] = tiles
    cells = cells.reshape(n_rows, n_columns, *cells.shape[1:]).swapaxes(1, 2)
    return cells.reshape(n_rows * (height + 1), n_columns * (width + 1), *channels)


def _turned(Y: np.ndarray, azimuth: float, elevation: float) -> tuple[np.ndarray, np.ndarray]:
    """Project points along a direction; also return their depth."""
    if Y.shape[1] == 2:
        return Y, np.zeros(len(Y))
    a, e = np.radians((azimuth, elevation))
    right = np.array([-np.sin(a), np.cos(a), 0.0])
    toward = np.array([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)])
    return Y @ np.column_stack([right, np.cross(toward, right)]), Y @ toward


def _folded(name: str) -> str:
    """Put a long name on two lines."""
    return name.replace(", ", ",\n").replace("start ", "start\n")


def _draw_lines(axes: Axes, lines: np.ndarray, **style: Any) -> None:
    """Draw many lines as one artist, which is much faster."""
    from matplotlib.collections import LineCollection

    axes.add_collection(LineCollection(list(lines), **style), autolim=False)


def _placed(flat: np.ndarray, left: float) -> np.ndarray:
    """Turn coordinates from -1 to 1 into places in the map with this left edge."""
    return (flat * (1, -1) / 1.06 + 1) * _SIDE / 2 + (left, _TOP)


def _depth(near: np.ndarray) -> np.ndarray:
    """Return 0 for 2-D points, or 1, 2, 3 for the far, middle and near third."""
    if not near.any():
        return np.zeros(len(near), dtype=int)
    return 1 + np.searchsorted(np.quantile(near, (1 / 3, 2 / 3)), near, side="right")


def _edges(Y: np.ndarray, direction: tuple[float, float], left: float) -> np.ndarray:
    """Return the edges of the box around a 3-D map."""
    low, high = Y.min(axis=0), Y.max(axis=0)
    corners, _ = _turned(low + _CORNERS * (high - low), *direction)
    return _placed(corners, left)[_EDGES]

"""Style of the widgets' pictures, and the drawing of a frame.

Frames are drawn with `matplotlib.figure.Figure` and the Agg canvas, never with pyplot, whose global
state is not thread-safe.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from annlab.plotting import cluster_color, cluster_marker

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: `PALETTE`, darker, for thin edges: without them yellow is lost on white.
_EDGES = "#004b75 #8f6300 #00664b #8a4a72 #2a7aa8 #8c3d00 #8a7f00 #000000".split()
#: Text and quiet lines.
INK, QUIET, PAPER = "#1a1a1a", "#6b6b6b", "#ffffff"
#: Errors and highlights.
ALARM = "#D55E00"

#: An arrow from point to point, for matplotlib's ``arrowprops``.
ARROW: dict[str, Any] = {"arrowstyle": "-|>", "shrinkA": 0, "shrinkB": 0}

#: CSS pixels per inch, and picture pixels per CSS pixel: sharp on high-density screens too.
_CSS_DPI, _RATIO = 96, 2
#: No text of a picture is smaller than this, in points at displayed size.
MIN_POINTS = 11.0


class Look:
    """Enlargement of pictures, text and lines, set by `projector`."""

    def __init__(self) -> None:
        self.size, self.text, self.lines = 1.0, 1.0, 1.0

    @property
    def key(self) -> tuple[float, float, float]:
        """Key of cached frames."""
        return (self.size, self.text, self.lines)


LOOK = Look()


def render(draw: Callable[[Any], None], size: tuple[int, int]) -> bytes:
    """Draw one frame of a size in CSS pixels and return it as PNG.

    ``draw`` is called with an empty figure in constrained layout. Afterwards texts below 11 points
    are raised to 11, and `projector` enlarges texts, lines and markers. The same drawing gives the
    same bytes.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine
    from PIL import Image

    width, height = size
    layout = ConstrainedLayoutEngine()
    # fonts in points stay 1/72 inch, so at 96 dots an inch they have their nominal size
    figure = Figure(
        figsize=(width / _CSS_DPI, height / _CSS_DPI),
        dpi=_CSS_DPI * _RATIO * LOOK.size,
        facecolor=PAPER,
        layout=layout,
    )
    canvas = FigureCanvasAgg(figure)
    # a margin, or equal-aspect panels push their titles over the edge
    layout.set(w_pad=0.08, h_pad=0.1)
    draw(figure)
    _make_legible(figure)
    canvas.draw()
    # the page behind is opaque, so that no alpha channel is needed
    pixels = np.asarray(canvas.buffer_rgba())[..., :3].copy()
    buffer = io.BytesIO()
    # a level of 3 costs a reader half the time of the usual 6, and a tenth more bytes
    Image.fromarray(pixels).save(buffer, format="png", compress_level=3)
    return buffer.getvalue()


def _make_legible(figure: Figure) -> None:
    from matplotlib.collections import PathCollection
    from matplotlib.lines import Line2D
    from matplotlib.text import Text

    artists = list(_artists(figure))
    for text in _of_kind(Text, artists):
        text.set_fontsize(max(text.get_fontsize(), MIN_POINTS) * LOOK.text)
    for axes in figure.axes:
        if not axes.axison:
            continue
        for axis in (axes.xaxis, axes.yaxis):
            # ticks are made when the figure is drawn; this sets those to come
            ticks = axis.get_major_ticks()
            label = ticks[0].label1.get_fontsize() if ticks else MIN_POINTS * LOOK.text
            axis.set_tick_params(labelsize=label, which="both")
    if LOOK.lines == 1:
        return
    for line in _of_kind(Line2D, artists):
        line.set_linewidth(line.get_linewidth() * LOOK.lines)
        line.set_markersize(line.get_markersize() * LOOK.lines)
    for dots in _of_kind(PathCollection, artists):
        dots.set_sizes(np.asarray(dots.get_sizes()) * LOOK.lines**2)
        dots.set_linewidths(np.asarray(dots.get_linewidths()) * LOOK.lines)


def _of_kind(kind: type, artists: list[Any]) -> list[Any]:
    return [artist for artist in artists if isinstance(artist, kind)]


def _artists(parent: Artist) -> Iterator[Any]:
    """Yield all artists; skip axes that are off, which would create ticks."""
    from matplotlib.axis import Axis

    for part in parent.get_children():
        if not isinstance(part, Axis) or part.axes.axison:
            yield part
            yield from _artists(part)


def frame_limits(X: np.ndarray, pad: float = 0.06) -> tuple[tuple[float, float], ...]:
    """Return limits (low, high) of x and y with a margin."""
    low, high = np.min(X, axis=0), np.max(X, axis=0)
    margin = pad * max(float(np.max(high - low)), 1e-9)
    return tuple((float(a) - margin, float(b) + margin) for a, b in zip(low, high, strict=True))


def plane(axes: Axes, limits: tuple[tuple[float, float], ...], title: str = "") -> Axes:
    """Style axes for points: equal aspect, limits of `frame_limits`, no ticks.

    Unequal scales make right assignments look wrong, so use it for every 2-D picture of points.
    """
    axes.set_xlim(*limits[0])
    axes.set_ylim(*limits[1])
    axes.set_aspect("equal", adjustable="box")
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color("#c8c8c8")
        spine.set_linewidth(0.8)
    if title:
        axes.set_title(title, fontsize=12, color=INK, loc="left")
    return axes


def chart(axes: Axes, x: str = "", y: str = "", title: str = "") -> Axes:
    """Dress axes as a chart: quiet grid, no frame above and right, labelled axes."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.grid(True, color="#e3e3e3", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.set_xlabel(x, fontsize=11)
    axes.set_ylabel(y, fontsize=11)
    if title:
        axes.set_title(title, fontsize=12, color=INK, loc="left")
    return axes


def scatter_clusters(
    axes: Axes,
    X: np.ndarray,
    labels: np.ndarray | None,
    *,
    size: float = 22.0,
    alpha: float = 0.75,
) -> None:
    """Draw points in the colour and marker of their cluster.

    A label of −1 (an outlier) is a grey cross; ``labels=None`` draws all points grey. ``size``
    is the area of a marker in points².
    """
    if labels is None:
        axes.scatter(X[:, 0], X[:, 1], s=size, c="#9a9a9a", alpha=alpha, linewidths=0, zorder=1)
        return
    lost = X[labels < 0]
    if len(lost):
        axes.scatter(lost[:, 0], lost[:, 1], s=size, c=QUIET, marker="x", zorder=1)
    for marker, clusters in _by_marker(np.unique(labels[labels >= 0])).items():
        rows = np.isin(labels, clusters)
        axes.scatter(
            X[rows, 0],
            X[rows, 1],
            s=size,
            c=[cluster_color(int(cluster)) for cluster in labels[rows]],
            marker=marker,
            alpha=alpha,
            edgecolors=[_EDGES[int(cluster) % len(_EDGES)] for cluster in labels[rows]],
            linewidths=0.6 if size > 15 else 0.3,
            zorder=1,
        )


def _by_marker(clusters: Iterable[int]) -> dict[str, list[int]]:
    """Group clusters by marker, which is faster than a scatter per cluster."""
    groups: dict[str, list[int]] = {}
    for cluster in clusters:
        groups.setdefault(cluster_marker(int(cluster)), []).append(int(cluster))
    return groups


def scatter_centroids(
    axes: Axes,
    centroids: np.ndarray,
    moved_to: np.ndarray | None = None,
    *,
    size: float = 130.0,
    colors: Sequence[str] | np.ndarray | None = None,
) -> None:
    """Draw centroids in the colour and marker of their cluster, with arrows.

    Rows with NaN are left out. ``moved_to`` are the tips of the arrows, ``size`` is the area of a
    marker in points², and ``colors`` replace the palette.
    """
    if moved_to is not None:
        for start, stop in zip(centroids, moved_to, strict=True):
            if np.isfinite(start).all() and np.isfinite(stop).all() and np.any(start != stop):
                axes.annotate(
                    "",
                    xy=tuple(stop),
                    xytext=tuple(start),
                    zorder=4,
                    annotation_clip=False,
                    arrowprops=dict(ARROW, color=INK, linewidth=1.6),
                )
    shown = np.flatnonzero(np.isfinite(centroids).all(axis=1))
    for marker, clusters in _by_marker(shown).items():
        axes.scatter(
            centroids[clusters, 0],
            centroids[clusters, 1],
            s=size,
            c=[cluster_color(c) if colors is None else colors[c] for c in clusters],
            marker=marker,
            edgecolors=INK,
            linewidths=1.8,
            zorder=5,
        )


def three(value: float) -> str:
    """Write three significant digits; further ones differ between processors.

    Examples
    --------
    >>> from annlab.widgets.base.look import three
    >>> three(41.23456), three(123456.0), three(0.9712), three(1.0), three(0.0)
    ('41.2', '123,000', '0.971', '1', '0')
    """
    if not np.isfinite(value):
        return "not a number" if np.isnan(value) else ("∞" if value > 0 else "−∞")
    if value == 0:
        return "0"
    digits = 2 - int(np.floor(np.log10(abs(value))))
    rounded = round(float(value), digits)
    if abs(rounded) >= 100:
        return f"{rounded:,.0f}"
    if abs(rounded) < 1e-4:
        return f"{rounded:.2e}"
    return f"{rounded:.{max(digits, 0)}f}".rstrip("0").rstrip(".")


def share(value: float) -> str:
    """Write a share with three decimals; only exact values are written as 0 or 1.

    Examples
    --------
    >>> from annlab.widgets.base.look import share
    >>> share(0.98765), share(0.99999), share(1.0), share(0.00001)
    ('0.988', '0.999', '1', '0.001')
    """
    if value in (0, 1):
        return f"{value:.0f}"
    return f"{min(max(value, 0.001), 0.999):.3f}"

"""Parts of charts: curves, the mark of the chosen setting, legends, texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from annlab.widgets.base.look import ALARM, INK

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure
    from numpy.typing import ArrayLike

#: Sizes of letters, in points.
SMALL, MEDIUM = 11, 12


def curve(
    axes: Axes,
    x: ArrayLike,
    y: ArrayLike,
    color: str,
    marker: str = "o",
    *,
    line: str = "-",
    width: float = 2.0,
    size: float = 6.0,
    **more: Any,
) -> None:
    """Draw a line with markers; ``width`` and ``size`` in points."""
    axes.plot(
        x, y, color=color, marker=marker, linestyle=line, linewidth=width, markersize=size, **more
    )


def chosen(
    axes: Axes, x: float, y: float, *, size: float = 12.0, zorder: float = 5.0, **more: Any
) -> None:
    """Mark the chosen setting with a diamond."""
    look: dict[str, Any] = {"color": ALARM, "markeredgecolor": INK}
    axes.plot([x], [y], "D", markersize=size, zorder=zorder, **look, **more)


def ringed(
    axes: Axes,
    x: float,
    y: float,
    color: str = INK,
    *,
    size: float,
    width: float,
    marker: str = "o",
    **more: Any,
) -> None:
    """Draw a ring around a point of a curve."""
    look: dict[str, Any] = {"color": "none", "markeredgecolor": color, "markeredgewidth": width}
    axes.plot([x], [y], marker, markersize=size, zorder=5, **look, **more)


def legend(axes: Axes, where: str = "upper right", **more: Any) -> None:
    """Explain curves and marks inside the axes."""
    look: dict[str, Any] = {"loc": where, "frameon": False, "fontsize": SMALL}
    axes.legend(**look, **more)


def legend_below(
    figure: Figure | SubFigure, handles: Sequence[Artist], labels: Sequence[str], columns: int
) -> None:
    """Explain marks in lines below all panels."""
    look: dict[str, Any] = {"frameon": False, "fontsize": SMALL}
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, **look)


def write(
    axes: Axes,
    x: float,
    y: float,
    words: str,
    place: str = "left baseline",
    *,
    size: float = SMALL,
    **more: Any,
) -> None:
    """Write a text at a position of the axes.

    ``place`` is the horizontal and the vertical alignment; "center" alone means both.
    """
    across, _, along = place.partition(" ")
    axes.text(x, y, words, ha=across, va=along or across, fontsize=size, **more)


def page(figure: Figure, size: tuple[int, int]) -> Axes:
    """Make axes in CSS pixels for the whole figure, y downwards.

    Clicks can be looked up in it, and it is faster than axes with automatic layout.
    """
    figure.set_layout_engine("none")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, size[0]), ylim=(size[1], 0), autoscale_on=False)
    axes.set_axis_off()
    return axes

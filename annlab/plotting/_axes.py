"""Colours, markers, axes and samples of all pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from annlab._support.checks import check_integer
from annlab._support.errors import invalid

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Okabe & Ito (2008), "Color universal design", the strongest contrasts first.
PALETTE = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#D55E00",
    "#F0E442",
    "#000000",
)
#: With 8 colours and 7 markers 56 clusters differ.
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
OUTLIER_COLOR = "#6b6b6b"


def cluster_color(cluster: int) -> str:
    """Return the colour of a cluster, one of eight.

    Examples
    --------
    >>> from annlab.plotting import cluster_color
    >>> cluster_color(0), cluster_color(8) == cluster_color(0)
    ('#0072B2', True)
    """
    return PALETTE[_cluster(cluster) % len(PALETTE)]


def cluster_marker(cluster: int) -> str:
    """Return the marker of a cluster, different for clusters of the same colour.

    Examples
    --------
    >>> from annlab.plotting import cluster_marker
    >>> cluster_marker(0), cluster_marker(8)
    ('o', '^')
    """
    cluster = _cluster(cluster)
    return MARKERS[(cluster + cluster // len(PALETTE)) % len(MARKERS)]


def _cluster(cluster: object) -> int:
    # any integer is allowed: −1 marks an outlier
    return check_integer(cluster, "cluster", minimum=-(2**63))


def drawing_axes(
    ax: Axes | None, *, figsize: tuple[float, float] = (6.4, 4.8), projection: str | None = None
) -> Axes:
    """Return the given axes, or those of a new pyplot figure."""
    if ax is None:
        import matplotlib.pyplot as plt

        figure = plt.figure(figsize=figsize, layout="constrained")
        return figure.add_subplot(projection=projection)
    if not hasattr(ax, "plot") or not hasattr(ax, "figure"):
        raise invalid("ax", "None or matplotlib axes", repr(ax), error=TypeError)
    found = getattr(ax, "name", "?")
    if (projection == "3d") != (found == "3d"):
        wanted, argument = "three-dimensional axes", "projection='3d'"
        if projection is None:
            wanted, argument = "two-dimensional axes", ""
        raise invalid(
            "ax",
            wanted,
            f"axes of projection {found!r}",
            f"Make them with figure.add_subplot({argument}).",
        )
    return ax


def sample_rows(n: int, most: int, rng: np.random.RandomState) -> np.ndarray | None:
    """Return the rows to draw, in order; None for all."""
    return None if n <= most else np.sort(rng.choice(n, most, replace=False))


def shown_rows(n: int, sample: np.ndarray | None) -> str:
    """Say how many points a picture shows."""
    return f"{n:,} points" if sample is None else f"{len(sample):,} of {n:,} points, at random"


def by_name(items: object, what: str) -> dict[str, Any]:
    """Return one item, a list, or a dict as a dict of name to item."""
    if isinstance(items, Mapping):
        return {str(name): item for name, item in items.items()}
    if isinstance(items, (list, tuple)) and not hasattr(items, "labels"):
        return {f"{what} {number}": item for number, item in enumerate(items, start=1)}
    return {"": items}


def finite_numbers(values: object, name: str) -> np.ndarray:
    """Accept finite numbers; return float64."""
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as reason:
        raise invalid(
            name, "made of numbers", f"{values!r} ({reason})", error=TypeError
        ) from reason
    if not np.isfinite(array).all():
        raise invalid(name, "made of finite numbers", values)
    return array

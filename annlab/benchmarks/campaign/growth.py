"""How annlab's time grows with the points, the clusters and the features."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from annlab._support.errors import invalid
from annlab.benchmarks.campaign.cells import CONTENDERS as ALL
from annlab.benchmarks.campaign.cells import Cell, make_cell, seconds_of
from annlab.benchmarks.campaign.markdown import table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: What grows, over which values, and what stays fixed.
SERIES: dict[str, tuple[tuple[int, ...], dict[str, Any]]] = {
    "n": (
        (10_000, 30_000, 100_000, 300_000, 1_000_000),
        {"data": "P1M", "d": 64, "k": 1024},
    ),
    "k": (
        (256, 1024, 4096, 16_384, 65_536),
        {"data": "P1M", "n": 1_000_000, "d": 64},
    ),
    "d": (
        (16, 32, 64, 128, 256, 512, 768),
        {"data": "patches", "n": 100_000, "k": 1024},
    ),
}
CONTENDERS = ("auto", "graph")
NAMES = {"n": "points", "k": "clusters", "d": "features"}


def growth_cells(*, full: bool = True) -> list[Cell]:
    """Return the cells of the growth curves; every other value unless ``full``.

    Examples
    --------
    >>> from annlab.benchmarks.campaign.growth import growth_cells
    >>> len(growth_cells())
    17
    """
    return [
        make_cell(**{**fixed, name: value}, contenders=CONTENDERS, series=name)
        for name, (values, fixed) in SERIES.items()
        for value in values[:: 1 if full else 2]
    ]


class Slope(NamedTuple):
    """Exponent of a power law, seconds ~ value ** exponent, fitted on logarithms.

    ``low`` and ``high`` are its 95 % interval (Student's t; infinite with two runs), ``steepest``
    is the largest slope between neighbouring values, ``constant`` the fitted log(seconds) at 1.
    """

    exponent: float
    low: float
    high: float
    steepest: float
    constant: float


def fit_slope(values: ArrayLike, seconds: ArrayLike) -> Slope:
    """Fit an exponent to the seconds of runs, perhaps several for each value.

    Raises
    ------
    ValueError
        For fewer than two distinct values, or entries that are not positive.

    Examples
    --------
    >>> from annlab.benchmarks.campaign.growth import fit_slope
    >>> slope = fit_slope([1, 10, 100], [2.0, 20.0, 200.0])
    >>> round(slope.exponent, 6), round(slope.steepest, 6)
    (1.0, 1.0)
    """
    from scipy.stats import linregress, t

    x, y = (np.asarray(a, dtype=np.float64) for a in (values, seconds))
    if x.shape != y.shape or len(np.unique(x)) < 2 or not (np.all(x > 0) and np.all(y > 0)):
        raise invalid("values", "positive, at least two distinct ones, one for each time", values)
    x, y = np.log(x), np.log(y)
    line = linregress(x, y)
    exponent, freedom = float(line.slope), len(x) - 2
    # a line always fits two runs
    margin = float(t.ppf(0.975, freedom)) * float(line.stderr) if freedom > 0 else float("inf")
    medians = {place: float(np.median(y[x == place])) for place in np.unique(x)}
    steepest = max((medians[b] - medians[a]) / (b - a) for a, b in pairwise(medians))
    return Slope(
        exponent, exponent - margin, exponent + margin, float(steepest), float(line.intercept)
    )


def slopes(cells: Sequence[Cell]) -> dict[tuple[str, str], Slope]:
    """Return slopes by series and contender, for series of two values or more."""
    found = {}
    for name in SERIES:
        for contender in CONTENDERS:
            runs = [
                (cell[name], seconds)
                for cell in cells
                if cell["series"] == name
                for seconds in cell["results"][contender]["seconds"]
            ]
            if len({value for value, _ in runs}) >= 2:
                found[name, contender] = fit_slope(*zip(*runs, strict=True))
    return found


def _fixed(cells: Sequence[Cell], name: str) -> str:
    """Describe the sizes that are fixed in a series."""
    first = next(cell for cell in cells if cell["series"] == name)
    return first["data"] + "".join(
        f", {other} = {first[other]:,}" for other in "ndk" if other != name
    )


def page(cells: Sequence[Cell]) -> list[str]:
    """Return lines of Markdown: exponents with intervals, and the times."""
    exponents = [
        [
            f"{NAMES[name]} ({name})",
            _fixed(cells, name),
            contender,
            f"{slope.exponent:.2f}",
            f"{slope.low:.2f} to {slope.high:.2f}",
            f"{slope.steepest:.2f}",
        ]
        for (name, contender), slope in slopes(cells).items()
    ]
    times = [
        [
            cell["key"],
            f"{seconds_of(cell, 'auto'):.3g}",
            cell["results"]["auto"]["algorithm"],
            f"{seconds_of(cell, 'graph'):.3g}",
        ]
        for cell in cells
    ]
    return [
        "Exponents of seconds ~ value ** exponent, by least squares on logarithms over all runs, "
        "with their 95 % intervals; *steepest* is the largest exponent between two neighbouring "
        "values.",
        "",
        *table(["grows", "fixed", "algorithm", "exponent", "95 % interval", "steepest"], exponents),
        "Median seconds:",
        "",
        *table(["cell", "auto", "chose", "graph"], times),
    ]


def _short(number: int) -> str:
    """Abbreviate a number: 16, 4096, 30k, 1M."""
    for unit, name in ((10**6, "M"), (10**3, "k")):
        if number >= unit and number % unit == 0:
            return f"{number // unit}{name}"
    return str(number)


def plot(cells: Sequence[Cell], figure: Figure) -> None:
    """Draw the three curves, each with its fitted line."""
    from matplotlib.ticker import NullLocator

    from annlab.plotting import cluster_color, cluster_marker

    fitted = slopes(cells)
    axes = figure.subplots(1, len(SERIES), squeeze=False, sharey=True)[0]
    for ax, name in zip(axes, SERIES, strict=True):
        shown = sorted((c for c in cells if c["series"] == name), key=lambda cell: cell[name])
        if not shown:
            ax.set_title("not measured", fontsize=9)
            continue
        x = np.array([cell[name] for cell in shown], dtype=float)
        for place, contender in enumerate(CONTENDERS):
            look = {"color": cluster_color(place), "marker": cluster_marker(place)}
            label = ALL[contender][2].partition(", ")[2].partition(",")[0]
            slope = fitted.get((name, contender))
            if slope is not None:
                label += f": {name}^{slope.exponent:.2f} ({slope.low:.2f} to {slope.high:.2f})"
                y = np.exp(slope.constant) * x**slope.exponent
                ax.plot(x, y, color=look["color"], lw=1.2, ls="--" if place else "-")
            y = [seconds_of(cell, contender) for cell in shown]
            ax.plot(x, y, linestyle="none", label=label, **look)
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_xticks(x, [_short(cell[name]) for cell in shown])
        ax.xaxis.set_minor_locator(NullLocator())
        ax.set_xlabel(f"{NAMES[name]} ({name})")
        ax.grid(alpha=0.3, which="both")
        ax.set_title(_fixed(cells, name), fontsize=9)
        ax.legend(fontsize="x-small", loc="upper left")
    axes[0].set_ylabel("seconds, whole call")

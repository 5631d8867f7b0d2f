"""Growth: how annlab's time grows with the points, the clusters and the features."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from annlab._support.errors import invalid
from annlab.benchmarks.campaign.cells import LABELS, Cell, finished, make_cell, seconds_of
from annlab.benchmarks.campaign.markdown import table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: What grows, over which values, and what stays: data, n, d, k.
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


def growth_cells(*, most_rows: int | None = None, full: bool = True) -> list[Cell]:
    """Make the cells of the growth curves; none asks for more clusters than rows.

    With ``most_rows`` on fewer rows; without ``full`` every other value of a series is left out.

    Examples
    --------
    >>> from annlab.benchmarks.campaign.growth import growth_cells
    >>> len(growth_cells())
    17
    """
    cells = []
    for name, (values, fixed) in SERIES.items():
        for value in values[:: 1 if full else 2]:
            shape = {**fixed, name: value}
            if most_rows is not None:
                if name == "n" and value > most_rows:
                    continue
                shape["n"] = min(shape["n"], most_rows)
            if shape["k"] <= shape["n"]:
                cells.append(make_cell(**shape, contenders=CONTENDERS, series=name))
    return cells


@dataclass(frozen=True)
class Slope:
    """Exponent of a power law, fitted on logarithms.

    Attributes
    ----------
    exponent : float
        seconds ~ value ** exponent.
    low, high : float
        95 % interval of the least-squares slope (Student's t); infinite with two runs alone.
    steepest : float
        Largest slope between neighbouring values: a curve that bends up shows here.
    constant : float
        Natural logarithm of the seconds at value 1, as fitted.
    """

    exponent: float
    low: float
    high: float
    steepest: float
    constant: float


def fit_slope(values: ArrayLike, seconds: ArrayLike) -> Slope:
    """Fit an exponent to times.

    Parameters
    ----------
    values, seconds : array-like of shape (m,)
        One entry for each run, several for the same value where it was repeated.

    Returns
    -------
    Slope

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
    # through two runs alone goes any line
    margin = float(t.ppf(0.975, freedom)) * float(line.stderr) if freedom > 0 else float("inf")
    places = np.unique(x)
    medians = [float(np.median(y[x == place])) for place in places]
    steps = [
        (upper - lower) / (end - begin)
        for (begin, end), (lower, upper) in zip(pairwise(places), pairwise(medians), strict=True)
    ]
    steepest, constant = float(max(steps)), float(line.intercept)
    return Slope(exponent, exponent - margin, exponent + margin, steepest, constant)


def slopes(part: dict[str, Any]) -> dict[tuple[str, str], Slope]:
    """Fitted slopes by series and contender; a series of one value has none."""
    found = {}
    for name in SERIES:
        cells = [cell for cell in finished(part) if cell["series"] == name]
        for contender in CONTENDERS:
            runs = [
                (cell[name], seconds)
                for cell in cells
                if contender in cell["results"]
                for seconds in cell["results"][contender]["seconds"]
            ]
            if len({value for value, _ in runs}) >= 2:
                found[name, contender] = fit_slope(*zip(*runs, strict=True))
    return found


def _fixed(cells: list[Cell], name: str) -> str:
    """What stays the same in a series."""
    first = cells[0]
    return first["data"] + "".join(
        f", {other} = {first[other]:,}" for other in ("n", "d", "k") if other != name
    )


def page(part: dict[str, Any]) -> list[str]:
    """Lines of Markdown: exponents with intervals, and the times."""
    cells = finished(part)
    exponents = []
    for (name, contender), slope in slopes(part).items():
        fixed = _fixed([cell for cell in cells if cell["series"] == name], name)
        exponents.append(
            [
                f"{NAMES[name]} ({name})",
                fixed,
                contender,
                f"{slope.exponent:.2f}",
                f"{slope.low:.2f} to {slope.high:.2f}",
                f"{slope.steepest:.2f}",
            ]
        )
    times = []
    for cell in cells:
        results = cell["results"]
        auto, graph = (
            f"{seconds_of(cell, name):.3g}" if name in results else "–" for name in CONTENDERS
        )
        times.append([cell["key"], auto, results.get("auto", {}).get("algorithm", "–"), graph])
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
    """Such as 16, 4096, 30k, 1M."""
    for unit, name in ((10**6, "M"), (10**3, "k")):
        if number >= unit and number % unit == 0:
            return f"{number // unit}{name}"
    return str(number)


def plot(part: dict[str, Any], figure: Figure) -> None:
    """Draw the three curves, each with its fitted line."""
    from matplotlib.ticker import NullLocator

    from annlab.plotting import cluster_color, cluster_marker

    fitted = slopes(part)
    axes = figure.subplots(1, len(SERIES), squeeze=False, sharey=True)[0]
    for ax, name in zip(axes, SERIES, strict=True):
        cells = [cell for cell in finished(part) if cell["series"] == name]
        for place, contender in enumerate(CONTENDERS):
            shown = sorted(
                (cell for cell in cells if contender in cell["results"]),
                key=lambda cell: cell[name],
            )
            if not shown:
                continue
            x = np.array([cell[name] for cell in shown], dtype=float)
            label = LABELS[contender].partition(", ")[2].partition(",")[0]
            slope = fitted.get((name, contender))
            if slope is not None:
                label += f": {name}^{slope.exponent:.2f} ({slope.low:.2f} to {slope.high:.2f})"
                ax.plot(
                    x,
                    np.exp(slope.constant) * x**slope.exponent,
                    color=cluster_color(place),
                    linewidth=1.2,
                    linestyle="--" if place else "-",
                )
            ax.plot(
                x,
                [seconds_of(cell, contender) for cell in shown],
                color=cluster_color(place),
                marker=cluster_marker(place),
                linestyle="none",
                label=label,
            )
        ax.set_xscale("log")
        ax.set_yscale("log")
        places = sorted({cell[name] for cell in cells})
        ax.set_xticks(places, [_short(place) for place in places])
        ax.xaxis.set_minor_locator(NullLocator())
        ax.set_xlabel(f"{NAMES[name]} ({name})")
        ax.grid(alpha=0.3, which="both")
        if cells:
            ax.set_title(_fixed(cells, name), fontsize=9)
            ax.legend(fontsize="x-small", loc="upper left")
        else:
            ax.set_title("not measured", fontsize=9)
    axes[0].set_ylabel("seconds, whole call")

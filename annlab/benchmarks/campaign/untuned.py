"""Untuned distributions: annlab's defaults against 25 plain iterations."""

from __future__ import annotations

from collections.abc import Sequence

from annlab.benchmarks.campaign.cells import Cell, inertia_ratio, make_cell, seconds_of
from annlab.benchmarks.campaign.markdown import table
from annlab.benchmarks.campaign.workloads import DESCRIPTIONS

#: Data, rows, features, and the numbers of clusters.
DATA: dict[str, tuple[int, int, tuple[int, ...]]] = {
    "digits with noise": (100_000, 64, (100, 1000)),
    "docstrings": (7_000, 100, (50, 500)),
    "heavy tails": (100_000, 32, (100, 1000)),
    "near duplicates": (100_000, 48, (100, 1000)),
    "unbalanced": (100_000, 32, (100, 1000)),
}
CONTENDERS = ("auto", "graph", "random-25")
OURS, LLOYD = CONTENDERS[:2], CONTENDERS[2]
_COLUMNS = (
    *("data", "n", "d", "k", "annlab"),
    *("its s", "Lloyd's s", "times as fast", "inertia ratio", ""),
)
#: Allowed inertia as a multiple of plain Lloyd's.
QUALITY = 1.01


def untuned_cells(*, full: bool = True) -> list[Cell]:
    """Return the cells of all distributions, ``full`` or not.

    Examples
    --------
    >>> from annlab.benchmarks.campaign.untuned import untuned_cells
    >>> len(untuned_cells())
    10
    """
    return [
        make_cell(name, n, d, k, CONTENDERS)
        for name, (n, d, clusters) in DATA.items()
        for k in clusters
    ]


def speed_up(cell: Cell, contender: str) -> float:
    """Return the speed-up of a contender over plain Lloyd."""
    return seconds_of(cell, LLOYD) / seconds_of(cell, contender)


def is_kept(cell: Cell, contender: str) -> bool:
    """Return whether a contender is not slower than plain Lloyd, nor much worse."""
    return bool(speed_up(cell, contender) >= 1 and inertia_ratio(cell, contender, LLOYD) <= QUALITY)


def page(cells: Sequence[Cell]) -> list[str]:
    """Return lines of Markdown: one row for each distribution, k and algorithm."""
    rows = [
        [
            cell["data"],
            f"{cell['n']:,}",
            str(cell["d"]),
            f"{cell['k']:,}",
            f"{name} ({cell['results'][name]['algorithm']})",
            f"{seconds_of(cell, name):.3g}",
            f"{seconds_of(cell, LLOYD):.3g}",
            f"{speed_up(cell, name):.3g}",
            f"{inertia_ratio(cell, name, LLOYD):.4f}",
            "kept" if is_kept(cell, name) else "**missed**",
        ]
        for cell in cells
        for name in OURS
    ]
    verdict = ", ".join(
        f"`{name}` in {sum(is_kept(cell, name) for cell in cells)} of {len(cells)}" for name in OURS
    )
    names = dict.fromkeys(cell["data"] for cell in cells)
    return [
        f"Never slower and never more than {QUALITY:g} × the inertia of 25 iterations from a "
        f"random start: {verdict}.",
        "",
        *table(_COLUMNS, rows),
        *(f"- {name}: {DESCRIPTIONS[name]}." for name in names),
        "",
    ]

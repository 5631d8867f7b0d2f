"""Peak memory above the rows, of one fit in a fresh process."""

from __future__ import annotations

from collections.abc import Sequence

from annlab.benchmarks.campaign.cells import CONTENDERS, Cell, make_cell, seconds_of
from annlab.benchmarks.campaign.markdown import table

#: The case, and the limit as a multiple of the bytes of the rows.
DATA, N, D, K, LIMIT = "P200", 200_000, 192, 4096, 1.5
#: Contenders; memory does not grow with the iterations.
_NAMES = ("auto", "graph", "random-3")


def memory_cells(*, full: bool = True) -> list[Cell]:
    """Return the cells; each contender gets its own process."""
    return [make_cell(DATA, N, D, K, [name], series=name, peak=True) for name in _NAMES]


def page(cells: Sequence[Cell]) -> list[str]:
    """Return lines of Markdown: one row for each contender."""
    rows = []
    for cell in cells:
        (name,) = cell["contenders"]
        peaks = [peak for peak in cell["results"][name]["peak_bytes"] if peak is not None]
        x_bytes = 4 * cell["n"] * cell["d"]
        ratio = max(peaks) / x_bytes if peaks else None
        word = ""
        if ratio is not None and not name.startswith("random"):
            word = "kept" if ratio < LIMIT else "**missed**"
        rows.append(
            [
                CONTENDERS[name][2],
                f"{cell['data']} ({cell['n']:,} × {cell['d']}), {cell['k']:,}",
                f"{x_bytes / 1e6:,.0f}",
                "–" if ratio is None else f"{max(peaks) / 1e6:,.0f}",
                "–" if ratio is None else f"{ratio:.2f}",
                f"{seconds_of(cell, name):.3g}",
                word,
            ]
        )
    return [
        "Highest anonymous memory during one fit in a fresh process, above what was in use with "
        f"the rows loaded. Goal: less than {LIMIT:g} × the rows.",
        "",
        *table(["peer", "data, k", "rows, MB", "peak above, MB", "× rows", "s", ""], rows),
    ]

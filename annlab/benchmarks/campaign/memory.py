"""Peak memory above the rows, of one fit in a fresh process."""

from __future__ import annotations

from typing import Any

from annlab.benchmarks.campaign.cells import CONTENDERS, Cell, finished, make_cell, seconds_of
from annlab.benchmarks.campaign.markdown import table
from annlab.benchmarks.campaign.peers import all_peers

#: The case, and what is allowed: so many times the bytes of the rows.
DATA, N, D, K, LIMIT = "P200", 200_000, 192, 4096, 1.5
#: Who is measured; memory does not grow with the iterations.
_NAMES = ("auto", "graph", "random-3")


def memory_cells(*, full: bool = True, most_rows: int | None = None) -> list[Cell]:
    """Make the cells, ``full`` or not: each contender gets a process of its own."""
    n = N if most_rows is None else min(N, most_rows)
    return [make_cell(DATA, n, D, min(K, n), [name], series=name, peak=True) for name in _NAMES]


def page(part: dict[str, Any]) -> list[str]:
    """Lines of Markdown: one row for each contender."""
    rows, peers = [], all_peers()
    for cell in finished(part):
        (name,) = cell["contenders"]
        peaks = [peak for peak in cell["results"][name]["peak_bytes"] if peak is not None]
        x_bytes = 4 * cell["n"] * cell["d"]
        ratio = max(peaks) / x_bytes if peaks else None
        word = "" if ratio is None or name.startswith("random") else "**missed**"
        rows.append(
            [
                peers[CONTENDERS[name][0]].label,
                f"{cell['data']} ({cell['n']:,} × {cell['d']}), {cell['k']:,}",
                f"{x_bytes / 1e6:,.0f}",
                "–" if ratio is None else f"{max(peaks) / 1e6:,.0f}",
                "–" if ratio is None else f"{ratio:.2f}",
                f"{seconds_of(cell, name):.3g}",
                "kept" if word and ratio is not None and ratio < LIMIT else word,
            ]
        )
    return [
        "Highest anonymous memory during one fit in a fresh process, above what was there with the "
        f"rows loaded. To reach: less than {LIMIT:g} × the rows.",
        "",
        *table(["peer", "data, k", "rows, MB", "peak above, MB", "× rows", "s", ""], rows),
    ]

"""One page over whatever was measured in a folder; what was not is named as missing."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from annlab._support.errors import invalid
from annlab.benchmarks import grid, growth, memory, untuned
from annlab.benchmarks.cells import finished, machine_facts, settings_facts
from annlab.benchmarks.comparison import Comparison
from annlab.benchmarks.store import read_part
from annlab.benchmarks.targets import TARGETS, judge, target_of, verdict_table

PAGE = "README.md"


@dataclass(frozen=True)
class Part:
    """A part of the page that is made of cells.

    Attributes
    ----------
    name : str
        Of the command's option, and of the files.
    title : str
    lines : function of the part's record
        Its Markdown.
    plot : function of (record, figure), or None
    size : tuple of float
        Of the figure, in inches.
    n_cells : int
        Cells of the whole part.
    """

    name: str
    title: str
    lines: Callable[[dict[str, Any]], list[str]]
    plot: Callable[[dict[str, Any], Any], None] | None
    size: tuple[float, float]
    n_cells: int


PARTS = (
    Part("grid", "Never slower", grid.page, grid.plot, (15, 10), len(grid.grid_cells())),
    Part("growth", "Growth", growth.page, growth.plot, (14, 5), len(growth.growth_cells())),
    Part(
        "untuned",
        "Distributions that nobody tuned on",
        untuned.page,
        untuned.plot,
        (8, 6),
        len(untuned.untuned_cells()),
    ),
    Part("memory", "Peak memory", memory.page, None, (0, 0), len(memory.RUNGS)),
)


def _figure(part: Part, record: dict[str, Any], path: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    assert part.plot is not None
    figure = Figure(figsize=part.size, layout="constrained")
    FigureCanvasAgg(figure)
    part.plot(record, figure)
    figure.savefig(path, dpi=120, metadata={"Software": None})


def _is_part(path: Path) -> bool:
    try:
        return "part" in json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, TypeError):
        return False


def _section(part: Part, folder: Path) -> tuple[list[str], str]:
    """Lines of a part, and what is missing of it."""
    path = folder / f"{part.name}.json"
    command = f"`annlab bench --{part.name}`"
    if not (path.exists() and _is_part(path)):
        return [], f"{part.title} ({command}): not run"
    record = read_part(path)
    lines = [f"## {part.title}", "", *part.lines(record)]
    # where no cell came through there is nothing to draw
    if part.plot is not None and finished(record):
        _figure(part, record, path.with_suffix(".png"))
        lines += [f"![{part.title}]({part.name}.png)", ""]
        lines += settings_facts(record)
    lines += machine_facts(record)
    done = sum(cell["status"] == "ok" for cell in record["cells"])
    missing = ""
    if done < part.n_cells:
        missing = f"{part.title} ({command}): {part.n_cells - done} of {part.n_cells} cells"
    return lines, missing


def write_page(folder: str | Path) -> Path:
    """Write one page over all that was measured in a folder, from the numbers there.

    Parameters
    ----------
    folder : path-like
        Holds the ``.json`` files of `Comparison.save` and of the parts; tables and plots are made
        anew from them.

    Returns
    -------
    pathlib.Path
        ``README.md`` in that folder.

    Raises
    ------
    OSError, ValueError
        Also where there is nothing in the folder.
    """
    target = Path(folder)
    names = {f"{part.name}.json" for part in PARTS}
    files = sorted(target.glob("*.json"))
    if not files:
        raise invalid("folder", "a folder with comparisons (.json)", folder, "Run annlab bench.")
    loaded = sorted(
        (
            (Comparison.load(file), file)
            for file in files
            if not (file.name in names and _is_part(file))
        ),
        key=lambda pair: (pair[0].data["name"], pair[0].data["n"], pair[0].n_clusters),
    )
    lines = [
        "# k-means by time to quality",
        "",
        "Written by `annlab bench`; the numbers are in the `.json` files beside this page.",
        "Quality is the exact float64 inertia of the labels that a peer returns with the centroids",
        "that it returns; time is that of the whole call.",
        "",
    ]
    # where nobody has finished yet there is nothing to draw
    shown = [pair for pair in loaded if pair[0].keys()]
    missing = [f"{file.stem}: no peer finished" for found, file in loaded if not found.keys()]
    judged = [
        (target_case, comparison)
        for comparison, _ in shown
        if (target_case := target_of(comparison)) is not None
    ]
    if judged:
        order = [*TARGETS]
        judged.sort(key=lambda pair: order.index(pair[0]))
        lines += [
            "## What was to be reached, and what was",
            "",
            "How soon annlab's `kmeans_ann(X, k)` gets to an inertia that was set beforehand, and "
            "how many times as fast as scikit-learn and the best other peer get to the point that "
            "is named. Medians over the seeds; each case's own table is below.",
            "",
            *verdict_table([judge(comparison, case) for case, comparison in judged]),
        ]
    have = {case.key for case, _ in judged}
    absent = [case.key for case in TARGETS if case.key not in have]
    if absent:
        missing.append(f"Cases (`annlab bench --targets`): {', '.join(absent)} not run")
    for part in PARTS:
        section, lack = _section(part, target)
        lines += section
        missing += [lack] if lack else []
    if missing:
        lines += ["## Missing", "", *(f"- {text}." for text in missing), ""]
    for comparison, file in shown:
        comparison.save(target, file.stem)
        lines += [
            comparison.table(),
            f"![Time to quality on {comparison.data['name']}, "
            f"k = {comparison.n_clusters:,}]({file.stem}.png)",
            "",
        ]
    page = target / PAGE
    page.write_text("\n".join(lines), encoding="utf-8")
    return page

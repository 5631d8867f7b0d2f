"""One page over whatever was measured in a folder; what was not is named as missing."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annlab._support.errors import invalid
from annlab.benchmarks.campaign import grid, growth, memory, untuned
from annlab.benchmarks.campaign.cells import Cell, finished, machine_facts, settings_facts
from annlab.benchmarks.campaign.comparison import Comparison
from annlab.benchmarks.campaign.markdown import save_figure
from annlab.benchmarks.campaign.store import read_part
from annlab.benchmarks.campaign.targets import TARGETS
from annlab.benchmarks.campaign.verdicts import judge, target_of, verdict_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAGE = "README.md"
_HEAD = """\
# k-means by time to quality

Written by `annlab bench`; the numbers are in the `.json` files beside this page.
Quality is the exact float64 inertia of the labels that a peer returns with the centroids
that it returns; time is that of the whole call.
"""
_TARGETS = """\
## What was to be reached, and what was

How soon annlab's `kmeans_ann(X, k)` gets to an inertia that was set beforehand, and how many \
times as fast as scikit-learn and the best other peer get to the point that is named. Medians \
over the seeds; each case's own table is below.
"""


@dataclass(frozen=True)
class Part:
    """A part of the page that is made of cells.

    Attributes
    ----------
    name : str
        Of the command's option, and of the files.
    title : str
    cells : function
        Makes the cells; knows the keyword ``full``.
    lines : function of the part's record
        Its Markdown.
    plot : function of (record, figure), or None
    size : tuple of float
        Of the figure, in inches.
    repeats : int
        Seeds of each cell.
    """

    name: str
    title: str
    cells: Callable[..., list[Cell]]
    lines: Callable[[dict[str, Any]], list[str]]
    plot: Callable[[dict[str, Any], Figure], None] | None = None
    size: tuple[float, float] = (0, 0)
    repeats: int = 3


PARTS = (
    Part("grid", "Never slower", grid.grid_cells, grid.page, grid.plot, (15, 10)),
    Part("growth", "Growth", growth.growth_cells, growth.page, growth.plot, (14, 5)),
    Part(
        "untuned",
        "Distributions that nobody tuned on",
        untuned.untuned_cells,
        untuned.page,
        untuned.plot,
        (8, 6),
    ),
    Part("memory", "Peak memory", memory.memory_cells, memory.page, repeats=1),
)


def write_page(folder: str | Path) -> Path:
    """Write one page over all that was measured in a folder, from the numbers there.

    Parameters
    ----------
    folder : path-like
        Holds the ``.json`` files of `Comparison.save` and of the parts; tables and plots are made
        again from them. Files of fits that behave otherwise than those measured last are left out
        of the page, which names them.

    Returns
    -------
    pathlib.Path
        ``README.md`` in that folder.

    Raises
    ------
    OSError, ValueError
        Also if there is nothing in the folder.
    """
    target = Path(folder)
    files = sorted(target.glob("*.json"))
    if not files:
        raise invalid("folder", "a folder with comparisons (.json)", folder, "Run annlab bench.")
    parts = {file: read_part(file) for file in files if _is_part(file)}
    comparisons = {file: Comparison.load(file) for file in files if file not in parts}
    missing = _set_aside(parts, comparisons)
    shown = sorted(
        ((found, file) for file, found in comparisons.items() if found.keys()),
        key=lambda pair: (pair[0].data["name"], pair[0].data["n"], pair[0].n_clusters),
    )
    missing += [f"{file.stem}: no peer finished" for file, c in comparisons.items() if not c.keys()]
    lines = _HEAD.split("\n") + _verdicts([found for found, _ in shown], missing)
    records = {file.stem: record for file, record in parts.items()}
    for part in PARTS:
        lines += _section(part, records.get(part.name), target, missing)
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


def _is_part(path: Path) -> bool:
    names = {part.name for part in PARTS}
    try:
        return path.stem in names and "part" in json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, TypeError):
        return False


def _set_aside(parts: dict[Path, dict[str, Any]], comparisons: dict[Path, Comparison]) -> list[str]:
    """Drop figures of other behaviour than those measured last, and name them."""
    measured = {
        **{file: (record["machine"], record["settings"]) for file, record in parts.items()},
        **{file: (found.machine, found.options) for file, found in comparisons.items()},
    }
    # files from before there was a digest have none
    tie = {
        file: (facts.get("code") or {}).get("behaviour") for file, (_, facts) in measured.items()
    }
    last = max(measured, key=lambda file: measured[file][0].get("date", ""))
    others = [file for file in measured if tie[file] != tie[last]]
    for file in others:
        parts.pop(file, None)
        comparisons.pop(file, None)
    return [
        f"{file.name}: measured with fits of behaviour {tie[file]}, the others with {tie[last]}; "
        "figures of both are never on one page. Measure it again with --again"
        for file in others
    ]


def _verdicts(comparisons: list[Comparison], missing: list[str]) -> list[str]:
    """Lines about the targets; cases that were not run are added to what is missing."""
    judged = {
        case: judge(found, case) for found in comparisons if (case := target_of(found)) is not None
    }
    absent = [case.key for case in TARGETS if case not in judged]
    if absent:
        missing.append(f"Cases (`annlab bench --targets`): {', '.join(absent)} not run")
    if not judged:
        return []
    return _TARGETS.split("\n") + verdict_table(
        [judged[case] for case in TARGETS if case in judged]
    )


def _section(
    part: Part, record: dict[str, Any] | None, folder: Path, missing: list[str]
) -> list[str]:
    """Lines of a part; cells that were not measured are added to what is missing."""
    command = f"`annlab bench --{part.name}`"
    if record is None:
        missing.append(f"{part.title} ({command}): not run")
        return []
    lines = [f"## {part.title}", "", *part.lines(record)]
    done = finished(record)
    # without a measured cell there is nothing to draw
    if part.plot is not None and done:
        plot = part.plot
        save_figure(folder / f"{part.name}.png", part.size, lambda figure: plot(record, figure))
        lines += [f"![{part.title}]({part.name}.png)", "", *settings_facts(record)]
    n_cells = len(part.cells())
    if len(done) < n_cells:
        missing.append(f"{part.title} ({command}): {n_cells - len(done)} of {n_cells} cells")
    return [*lines, *machine_facts(record)]

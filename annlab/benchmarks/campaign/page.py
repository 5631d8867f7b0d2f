"""Write one page over the measurements in a folder; what is missing is named."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from annlab._support.errors import invalid
from annlab.benchmarks.campaign import grid, growth, memory, untuned
from annlab.benchmarks.campaign.behaviour import behaviour_of
from annlab.benchmarks.campaign.cells import Cell, machine_facts, settings_facts
from annlab.benchmarks.campaign.comparison import PART, Comparison
from annlab.benchmarks.campaign.markdown import save_figure
from annlab.benchmarks.campaign.store import SUFFIX, Record, read_records
from annlab.benchmarks.campaign.targets import TARGETS
from annlab.benchmarks.campaign.verdicts import judge, target_of, verdict_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAGE = "README.md"
_HEAD = f"""\
# k-means by time to quality

Written by `annlab bench`; the numbers are in the `{SUFFIX}` files beside this page.
Quality is the exact float64 inertia of the labels and centroids that a peer returns; time is that
of the whole call.
"""
_TARGETS = """\
## Goals, and what was reached

How soon annlab's `kmeans_ann(X, k)` gets to an inertia that was set beforehand, and how many \
times as fast as scikit-learn and the best other peer get to the point that is named. Medians \
over the seeds; each case's own table is below.
"""


@dataclass(frozen=True)
class Part:
    """A part of the page that is made of cells.

    ``name`` is that of the command's option and of the files, ``lines`` returns the Markdown of
    finished cells, ``size`` is that of the plot in inches, ``repeats`` the seeds of each cell.
    """

    name: str
    title: str
    cells: Callable[..., list[Cell]]
    lines: Callable[[Sequence[Cell]], list[str]]
    plot: Callable[[Sequence[Cell], Figure], None] | None = None
    size: tuple[float, float] = (0, 0)
    repeats: int = 3


PARTS = (
    Part("grid", "Never slower", grid.grid_cells, grid.page, grid.plot, (15, 10)),
    Part("growth", "Growth", growth.growth_cells, growth.page, growth.plot, (14, 5)),
    Part("untuned", "Distributions not used for tuning", untuned.untuned_cells, untuned.page),
    Part("memory", "Peak memory", memory.memory_cells, memory.page, repeats=1),
)


def finished_cells(path: Path) -> tuple[Record, list[Cell], list[Cell]]:
    """Return the header of a part's file, all its cells, and the timed ones."""
    header, records = read_records(path)
    cells = list(records.values())
    return header, cells, [cell for cell in cells if cell["status"] == "ok"]


def write_page(folder: str | Path) -> Path:
    """Write ``README.md`` on all measurements in a folder, with tables and plots.

    Figures of fits that behave otherwise than those measured last are named but not shown.

    Raises
    ------
    OSError, ValueError
        Also if the folder holds no measurements.
    """
    target = Path(folder)
    headers = {file: read_records(file)[0] for file in sorted(target.glob(f"*{SUFFIX}"))}
    if not headers:
        raise invalid(
            "folder", f"a folder with measurements ({SUFFIX})", folder, "Run annlab bench."
        )
    files, missing = _of_one_behaviour(headers)
    loaded = {file: Comparison.load(file) for file in files if headers[file]["part"] == PART}
    missing += [f"{file.stem}: no peer finished" for file, c in loaded.items() if not c.keys()]
    comparisons = sorted(
        ((found, file) for file, found in loaded.items() if found.keys()),
        key=lambda pair: (pair[0].data["name"], pair[0].data["n"], pair[0].n_clusters),
    )
    lines = _HEAD.split("\n") + _verdicts([found for found, _ in comparisons], missing)
    for part in PARTS:
        lines += _section(part, target / f"{part.name}{SUFFIX}", files, missing)
    if missing:
        lines += ["## Missing", "", *(f"- {text}." for text in missing), ""]
    for comparison, file in comparisons:
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


def _of_one_behaviour(headers: dict[Path, Record]) -> tuple[list[Path], list[str]]:
    """Return the files of the latest behaviour, and sentences on the others."""
    tie = {file: behaviour_of(header["settings"]) for file, header in headers.items()}
    last = max(headers, key=lambda file: headers[file]["machine"].get("date", ""))
    return [file for file in headers if tie[file] == tie[last]], [
        f"{file.name}: measured with fits of behaviour {tie[file]}, the others with {tie[last]}; "
        "figures of both are never on one page. Measure it again with --again"
        for file in headers
        if tie[file] != tie[last]
    ]


def _verdicts(comparisons: list[Comparison], missing: list[str]) -> list[str]:
    """Return lines about the targets; add absent cases to ``missing``."""
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


def _section(part: Part, path: Path, files: list[Path], missing: list[str]) -> list[str]:
    """Return lines of a part; add unmeasured cells to ``missing``."""
    command = f"`annlab bench --{part.name}`"
    if path not in files:
        missing.append(f"{part.title} ({command}): not run")
        return []
    header, cells, done = finished_cells(path)
    lines = [f"## {part.title}", "", *part.lines(done)]
    if part.plot is not None and done:
        plot = part.plot
        save_figure(path.with_suffix(".png"), part.size, lambda figure: plot(done, figure))
        lines += [f"![{part.title}]({part.name}.png)", ""]
    if part.repeats > 1 and done:
        lines += settings_facts(header, done)
    n_cells = len(part.cells())
    if len(done) < n_cells:
        missing.append(f"{part.title} ({command}): {n_cells - len(done)} of {n_cells} cells")
    return [*lines, *machine_facts(header, cells)]

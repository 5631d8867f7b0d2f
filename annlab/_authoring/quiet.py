"""Store timings only if the machine was idle while they were measured.

A cell shows timings if ``annlab.reason`` in its metadata begins with ``timings:``. On a busy
machine it keeps its stored output, or has none.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from annlab._authoring.cells import code_cells, reason_of
from annlab._authoring.execution import execute
from annlab._authoring.normalising import content_name
from annlab._support.errors import require
from annlab._support.threads import available_cpus

if TYPE_CHECKING:
    from nbformat import NotebookNode

#: A machine is idle if fewer cores than this are busy on average over the window.
IDLE_CORES = 0.3
WINDOW_S = 30.0
#: Window after the execution, to notice work that began meanwhile.
AFTER_S = 5.0
PATIENCE_S = 600.0


def busy_cores(seconds: float) -> float:
    """Measure how many cores are busy on average over the given time."""
    psutil = require("psutil", purpose="to measure how busy the machine is", extra="test")
    return float(psutil.cpu_percent(interval=seconds)) / 100 * psutil.cpu_count()


@dataclass
class Patience:
    """Seconds left for waiting for an idle machine, over all notebooks."""

    left_s: float = PATIENCE_S

    def wait(self) -> float:
        """Wait until the machine is idle or time is up; return the last load."""
        while (load := busy_cores(WINDOW_S)) >= IDLE_CORES:
            self.left_s -= WINDOW_S
            if self.left_s <= 0:
                break
        return load


def execute_quietly(
    notebook: NotebookNode, folder: Path, patience: Patience, *, timeout: int = 600
) -> tuple[NotebookNode, str]:
    """Execute a notebook; keep its stored timings if the machine is busy.

    Returns
    -------
    notebook : nbformat.NotebookNode
        A copy. Cells with new timings have ``annlab.measured = {"cores", "load"}`` in their
        metadata: the cores of this process, and how many were busy with other work.
    note : str
        Which timings were kept, and why; empty if none were.
    """
    timed = [number for number, cell in code_cells(notebook) if shows_timings(cell)]
    if not timed:
        return execute(notebook, folder, timeout=timeout), ""
    load = patience.wait()
    fresh = execute(notebook, folder, timeout=timeout)
    if load < IDLE_CORES:
        load = max(load, busy_cores(AFTER_S))
    if load < IDLE_CORES:
        for number in timed:
            measured = {"cores": available_cpus(), "load": round(load, 2)}
            fresh.cells[number - 1].metadata["annlab"]["measured"] = measured
        return fresh, ""
    for number in timed:
        _keep_output(fresh, notebook, number)
    cells = ", ".join(map(str, timed))
    return (
        fresh,
        f"timings of cells {cells} were kept: other work keeps {load:.1f} cores busy",
    )


def shows_timings(cell: NotebookNode) -> bool:
    """Return whether a cell declares that its output shows timings."""
    return reason_of(cell).startswith("timings:")


def _keep_output(fresh: NotebookNode, stored: NotebookNode, number: int) -> None:
    """Restore the stored output of a cell, or none if the cell has been edited."""
    new, old = fresh.cells[number - 1], stored.cells[number - 1]
    # the identifier is made from the content, so an edited cell gets another one
    kept = old.outputs if old.get("id", "").startswith(content_name(old)) else []
    if not kept:
        new.metadata["annlab"].pop("measured", None)
    new.outputs = copy.deepcopy(kept)
    for output in new.outputs:
        if output.output_type == "execute_result":
            output.execution_count = new.execution_count

"""Timings are stored only if the machine was idle while they were taken.

A cell shows timings if its metadata says so: ``annlab.reason`` begins with ``timings:``. On a busy
machine its older output stays, and one that has none is stored without an output.
"""

from __future__ import annotations

import copy
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annlab._authoring.cells import WIDGET_STATE, WIDGET_VIEW, code_cells, reason_of
from annlab._authoring.execution import execute
from annlab._authoring.normalising import content_name
from annlab._support.errors import require
from annlab._support.threads import available_cpus

if TYPE_CHECKING:
    from nbformat import NotebookNode

#: A machine is idle if fewer cores than this are busy, on average over a window of time.
IDLE_CORES = 0.3
WINDOW_S = 30.0
#: Window after the execution: other work that began during it mostly still runs.
AFTER_S = 5.0
PATIENCE_S = 600.0


def busy_cores(seconds: float) -> float:
    """Measure how many cores are busy, on average over so many seconds from now."""
    psutil = require("psutil", purpose="to measure how busy the machine is", extra="test")
    return float(psutil.cpu_percent(interval=seconds)) / 100 * psutil.cpu_count()


@dataclass
class Patience:
    """Seconds that may still be spent on waiting for an idle machine, over all notebooks."""

    left_s: float = PATIENCE_S

    def wait(self) -> float:
        """Wait until the machine is idle or patience ends; return the load measured last."""
        while (load := busy_cores(WINDOW_S)) >= IDLE_CORES:
            self.left_s -= WINDOW_S
            if self.left_s <= 0:
                break
        return load


def execute_quietly(
    notebook: NotebookNode, folder: Path, patience: Patience, *, timeout: int = 600
) -> tuple[NotebookNode, str]:
    """Execute a notebook, but renew the timings in it only on an idle machine.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        As stored. Not changed.
    folder : Path
        Working folder of the kernel.
    patience : Patience
        How long to wait for an idle machine.
    timeout : int, default=600
        Seconds for one cell.

    Returns
    -------
    notebook : nbformat.NotebookNode
        Each cell with timings that are new has ``annlab.measured = {"cores", "load"}`` in its
        metadata: the cores that this process may use, and how many were busy beside it.
    note : str
        Which timings were not renewed, and why; empty if all were.
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
        f"timings of cells {cells} are not renewed: other work keeps {load:.1f} cores busy",
    )


def shows_timings(cell: NotebookNode) -> bool:
    """Tell whether a cell says that its output shows timings."""
    return reason_of(cell).startswith("timings:")


def _keep_output(fresh: NotebookNode, stored: NotebookNode, number: int) -> None:
    """Put the stored output of a cell back, or none if the cell was edited since."""
    new, old = fresh.cells[number - 1], stored.cells[number - 1]
    # a stored cell is named by its content, so an edited one no longer fits its name
    kept = old.outputs if old.get("id", "").startswith(content_name(old)) else []
    if not kept:
        new.metadata["annlab"].pop("measured", None)
    _exchange_widgets(fresh, new.outputs, stored, kept)
    new.outputs = copy.deepcopy(kept)
    for output in new.outputs:
        if output.output_type == "execute_result":
            output.execution_count = new.execution_count


def _exchange_widgets(
    fresh: NotebookNode, outputs: list[NotebookNode], stored: NotebookNode, kept: list[NotebookNode]
) -> None:
    """Exchange the states behind the widgets of ``outputs`` for those behind ``kept``."""
    states, older = _states(fresh), _states(stored)
    gone = _behind(outputs, states)
    kept_states = {name: older[name] for name in older if name in _behind(kept, older)}
    # in the same place among the others: the file numbers the models in this order
    result: dict[str, Any] = {}
    for name, state in states.items():
        if name in gone:
            result.update(kept_states)
        else:
            result[name] = state
    result.update(kept_states)
    if result:
        fresh.metadata["widgets"] = {
            WIDGET_STATE: {"version_major": 2, "version_minor": 0, "state": result}
        }


def _states(notebook: NotebookNode) -> dict[str, Any]:
    return dict(notebook.metadata.get("widgets", {}).get(WIDGET_STATE, {}).get("state", {}))


def _behind(outputs: list[NotebookNode], states: dict[str, Any]) -> set[str]:
    """Return the models that the shown widgets are made of: all that are linked, either way."""
    links: dict[str, set[str]] = {name: set() for name in states}
    for name, state in states.items():
        for other in re.findall(r"IPY_MODEL_(\w+)", json.dumps(state)):
            if other in links:
                links[name].add(other)
                links[other].add(name)
    views = [output.get("data", {}).get(WIDGET_VIEW) for output in outputs]
    waiting = [view["model_id"] for view in views if view]
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in links and name not in found:
            found.add(name)
            waiting += links[name]
    return found

"""Cells: contenders on one shape of data, in turns, seed by seed, in a fresh process.

The grid, the growth curves, the untuned distributions and the peaks of memory are made of cells.
They differ in which cells there are and in what is read off them, never in how a cell is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from time import perf_counter
from typing import Any
from zlib import crc32

import numpy as np

from annlab._support.progress import Progress, tell
from annlab.benchmarks.campaign.behaviour import describe
from annlab.benchmarks.campaign.child import START_S, Child
from annlab.benchmarks.campaign.peers import DEFAULTS
from annlab.benchmarks.campaign.store import Store
from annlab.benchmarks.machine import DISTURBED, wait_until_idle

#: Who may take part in a cell: a peer's key, and the settings of its rung.
CONTENDERS: dict[str, tuple[str, dict[str, Any]]] = {
    "auto": ("annlab-auto", DEFAULTS),
    "graph": ("annlab-graph", DEFAULTS),
    "default": ("sklearn-kmeans++", DEFAULTS),
    "random-25": ("sklearn-random", {"max_iter": 25}),
    "random-3": ("sklearn-random", {"max_iter": 3}),
}
#: The same for people.
LABELS = {
    "auto": "annlab, algorithm='auto', its defaults",
    "graph": "annlab, algorithm='graph', otherwise its defaults",
    "default": "scikit-learn KMeans, its defaults (k-means++, n_init=1, max_iter=300, tol=1e-4)",
    "random-25": "scikit-learn KMeans(init='random', n_init=1, max_iter=25, tol=0)",
    "random-3": "scikit-learn KMeans(init='random', n_init=1, max_iter=3, tol=0)",
}
#: A contender that took longer is not repeated with other seeds.
ONCE_PAST_S = 60.0
#: No cell takes that long; a process that says nothing for so long is ended.
_CELL_S = 3600.0

Cell = dict[str, Any]


def fresh_seeds(random_state: int, key: str, repeats: int) -> list[int]:
    """Draw the seeds of a cell: its own, and far from the small ones that people tune with.

    Examples
    --------
    >>> from annlab.benchmarks.campaign.cells import fresh_seeds
    >>> a, b = (fresh_seeds(1, key, 5) for key in ("a", "b"))
    >>> a == fresh_seeds(1, "a", 5), a == b, min(a) >= 1000
    (True, False, True)
    """
    rng = np.random.RandomState([random_state, crc32(key.encode())])
    return [int(seed) for seed in rng.randint(1000, 2**31 - 2, size=repeats)]


def make_cell(
    data: str, n: int, d: int, k: int, contenders: Sequence[str], *, series: str = "", **more: Any
) -> Cell:
    """Make a cell that is still to be measured."""
    key = f"{data}, n={n}, d={d}, k={k}"
    if series:
        key, more["series"] = f"{series}: {key}", series
    return {"key": key, "data": data, "n": n, "d": d, "k": k, "contenders": [*contenders], **more}


def _cost(cell: Cell) -> float:
    """Estimate roughly how long a cell takes; only ratios count."""
    n, d, k = cell["n"], cell["d"], cell["k"]
    ours = n * d * (40 * min(k, 100) + 10 * k**0.5)
    work = {
        # a greedy k-means++ compares all points with 2 + log k candidates for each cluster, slowly
        "default": n * d * k * (30 + 4 * (2 + np.log(k))),
        "random-25": n * d * k * 26,
        "random-3": n * d * k * 4,
    }
    return 1e8 + sum(work.get(name, ours) for name in cell["contenders"])


def measure_cells(
    cells: Sequence[Cell],
    store: Store,
    *,
    label: str,
    deadline: float = float("inf"),
    wait_idle_s: float = 0.0,
    progress: bool = True,
) -> bool:
    """Measure the cells that the store does not have yet, one by one.

    Parameters
    ----------
    cells : sequence of dict
        Of `make_cell`; those of the same data and contenders share a process.
    store : Store
        Its settings say how many threads, repeats and which random state.
    label : str
        For the line of progress.
    deadline : float
        No cell begins after that moment of `time.perf_counter`.
    wait_idle_s : float, default=0
        Wait up to so long before each process for others to leave the machine.
    progress : bool, default=True

    Returns
    -------
    bool
        Whether all cells are measured now.
    """
    todo = [cell for cell in cells if not store.has(cell["key"])]
    line = Progress(progress, len(cells), f"annlab bench: {label}")
    if progress and len(todo) < len(cells):
        tell(f"{label}: {len(cells) - len(todo)} of {len(cells)} cells are measured already")
    costs = {cell["key"]: _cost(cell) for cell in cells}
    begin, had = perf_counter(), sum(_cost(cell) for cell in todo)

    def show(key: str) -> None:
        left = sum(cost for name, cost in costs.items() if not store.has(name))
        # before the first cell is through, a guess; then as fast as so far
        rate = (perf_counter() - begin) / (had - left) if left < had else 2e-11
        line.update(sum(map(store.has, costs)), key, left_s=left * rate)

    for _, group in groupby(
        todo, key=lambda cell: (cell["data"], cell["n"], cell["d"], cell["contenders"])
    ):
        waiting = list(group)
        while waiting and perf_counter() < deadline:
            wait_until_idle(wait_idle_s)
            show(waiting[0]["key"])
            waiting = _one_process(waiting, store, show, deadline)
    done = sum(map(store.has, costs))
    line.close(f"{done} of {len(cells)} cells")
    return done == len(cells)


def _job(cells: list[Cell], settings: dict[str, Any]) -> dict[str, Any]:
    """Tell `worker.run_cells` what to measure."""
    seed, first = settings["random_state"], cells[0]
    return {
        "task": "cells",
        **{name: first[name] for name in ("data", "n", "d")},
        "data_seed": seed,
        "threads": settings["threads"],
        "once_past_s": ONCE_PAST_S,
        "cells": [
            {
                "key": cell["key"],
                "k": cell["k"],
                "peak": cell.get("peak", False),
                "contenders": {name: CONTENDERS[name] for name in cell["contenders"]},
                "seeds": fresh_seeds(seed, cell["key"], settings["repeats"]),
            }
            for cell in cells
        ],
    }


def _one_process(
    waiting: list[Cell], store: Store, show: Callable[[str], None], deadline: float
) -> list[Cell]:
    """Measure cells in a fresh process; return those that are left for another one."""
    left = {cell["key"]: cell for cell in waiting}
    current = waiting[0]["key"]
    job = _job(waiting, store.settings)
    with Child(job, job["threads"]) as child:
        while left:
            answer = child.answer(START_S + _CELL_S)
            event = answer.pop("event")
            if event == "ready":
                store.machine = answer["machine"]
            elif event == "begin":
                current = answer["key"]
                if perf_counter() > deadline:
                    # the budget is used up: what is running is only just begun
                    return []
                show(current)
            elif event == "cell":
                store.add({**left.pop(answer["key"]), "status": "ok", **answer})
            else:
                store.add({**left.pop(current), "status": f"failed: {answer['reason']}"})
                return list(left.values())
    return []


# --- reading -----------------------------------------------------------------------------------


def finished(part: dict[str, Any]) -> list[Cell]:
    """Return the cells of a part that have times."""
    return [cell for cell in part["cells"] if cell["status"] == "ok"]


def seconds_of(cell: Cell, contender: str) -> float:
    """Return the median seconds of a contender."""
    return float(np.median(cell["results"][contender]["seconds"]))


def inertia_ratio(cell: Cell, ours: str, theirs: str) -> float:
    """Return the median float64 inertia of one contender over that of another.

    One where both are nothing beside the data: as many clusters as points leave rounding alone.
    """
    a, b = (float(np.median(cell["results"][name]["inertia"])) for name in (ours, theirs))
    tiny = 1e-9 * cell["n"] * cell["d"]
    if a <= tiny and b <= tiny:
        return 1.0
    return a / b if b > 0 else float("inf")


def settings_facts(part: dict[str, Any]) -> list[str]:
    """Say who took part and how, for the page."""
    settings = part["settings"]
    names = list(dict.fromkeys(name for cell in finished(part) for name in cell["contenders"]))
    return [
        "Contenders: " + "; ".join(LABELS[name] for name in names) + ".",
        "",
        f"Medians of {settings['repeats']} runs with fresh seeds, in turns, float32, one fresh "
        "process for each data set; the first run of a cell not counted "
        f"where it took less than 2 s; a contender past {ONCE_PAST_S:.0f} s is not repeated.",
        "",
    ]


def machine_facts(part: dict[str, Any]) -> list[str]:
    """Name machine, date, versions and seeds of a part, what failed and what was disturbed."""
    settings, machine = part["settings"], part["machine"]
    cells = finished(part)
    dates = sorted(cell["date"] for cell in cells)
    versions = ", ".join(f"{name} {version}" for name, version in settings["versions"].items())
    period = f"{dates[0]} to {dates[-1]}" if dates else "never"
    notes = [
        f"{machine['processor']}, {machine['cores']} cores, {settings['threads']} threads, "
        f"{machine['system']}, Python {machine['python']}, {versions}, "
        f"{describe(settings['code'])}, {period}; seeds and data from "
        f"random_state={settings['random_state']}."
    ]
    failed = [f"{cell['key']} ({cell['status']})" for cell in part["cells"] if cell not in cells]
    if failed:
        notes.append("Not measured: " + "; ".join(failed) + ".")
    loads = [cell["others_cores"] for cell in cells if cell["others_cores"] is not None]
    disturbed = float(np.mean([load > DISTURBED for load in loads])) if loads else 0.0
    if disturbed > 0:
        notes.append(
            f"Other processes disturbed {disturbed:.0%} of the cells that took long enough to tell "
            f"(more than {DISTURBED:g} cores): repeat on an idle machine before quoting times."
        )
    return [line for note in notes for line in (note, "")]

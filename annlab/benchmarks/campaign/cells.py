"""Measure cells: contenders on data of one shape, in turns, in a new process.

The grid, the growth curves, the untuned distributions and the peaks of memory are made of cells.
They differ in their cells and in what is read from them, not in how a cell is measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from time import perf_counter
from typing import Any
from zlib import crc32

import numpy as np

from annlab._support.progress import Progress, tell
from annlab.benchmarks.campaign.behaviour import code_facts, describe
from annlab.benchmarks.campaign.child import WARM_UP_S, Child, ChildEnded, stored
from annlab.benchmarks.campaign.peers import DEFAULTS
from annlab.benchmarks.campaign.store import Store
from annlab.benchmarks.campaign.workloads import make_rows
from annlab.benchmarks.machine import DISTURBED, machine_record, wait_until_idle

#: Contenders: a peer's key, the settings of its rung, and a name for people.
CONTENDERS: dict[str, tuple[str, dict[str, Any], str]] = {
    "auto": ("annlab-auto", DEFAULTS, "annlab, algorithm='auto', its defaults"),
    "graph": ("annlab-graph", DEFAULTS, "annlab, algorithm='graph', otherwise its defaults"),
    "default": (
        "sklearn-kmeans++",
        DEFAULTS,
        "scikit-learn KMeans, its defaults (k-means++, n_init=1, max_iter=300, tol=1e-4)",
    ),
    "random-25": (
        "sklearn-random",
        {"max_iter": 25},
        "scikit-learn KMeans(init='random', n_init=1, max_iter=25, tol=0)",
    ),
    "random-3": (
        "sklearn-random",
        {"max_iter": 3},
        "scikit-learn KMeans(init='random', n_init=1, max_iter=3, tol=0)",
    ),
}
#: A contender that took longer is not repeated with other seeds.
ONCE_PAST_S = 60.0
#: A process without an answer for this many seconds is ended.
_FIT_S = 3600.0
#: Packages whose version affects times.
_DECISIVE = ("numpy", "scipy", "scikit-learn")

Cell = dict[str, Any]


def settings_of(threads: int, repeats: int, random_state: int) -> dict[str, Any]:
    """Return the settings under which cells may be compared."""
    machine = machine_record()
    return {
        "threads": threads,
        "repeats": repeats,
        "random_state": random_state,
        "processor": machine["processor"],
        "versions": {name: machine["versions"].get(name) for name in _DECISIVE},
        "code": code_facts(),
    }


def fresh_seeds(random_state: int, key: str, repeats: int) -> list[int]:
    """Draw the seeds of a cell, none of them among the small ones for tuning.

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
    """Return a cell that is still to be measured."""
    key = f"{data}, n={n}, d={d}, k={k}"
    if series:
        key, more["series"] = f"{series}: {key}", series
    return {"key": key, "data": data, "n": n, "d": d, "k": k, "contenders": [*contenders], **more}


def measure_cells(
    cells: Sequence[Cell],
    store: Store,
    *,
    label: str,
    deadline: float = float("inf"),
    wait_idle_s: float = 0.0,
    progress: bool = True,
) -> bool:
    """Measure the missing cells; return whether all are measured now.

    Neighbours with the same data share a process. No cell begins after ``deadline``, a moment of
    `time.perf_counter`; ``wait_idle_s`` is the longest wait for other work before each process.
    """
    settings = store.header["settings"]
    todo = [cell for cell in cells if not store.has(cell["key"])]
    line = Progress(progress, len(cells), f"annlab bench: {label}")
    if progress and len(todo) < len(cells):
        tell(f"{label}: {len(cells) - len(todo)} of {len(cells)} cells are measured already")
    number = len(cells) - len(todo)
    for (data, n, d), group in groupby(todo, key=lambda cell: (cell["data"], cell["n"], cell["d"])):
        if perf_counter() > deadline:
            break
        rows = make_rows(data, n, d, random_state=settings["random_state"])
        with stored(rows) as path:
            child = None
            for cell in group:
                if perf_counter() > deadline:
                    break
                line.update(number, cell["key"])
                number += 1
                if child is None:
                    wait_until_idle(wait_idle_s)
                    child = Child(path, settings["threads"])
                measured = _measure(child, cell, settings)
                store.add("cell", **{**cell, "n": rows.shape[0], "d": rows.shape[1]}, **measured)
                # peaks of memory are those of a fresh process
                if cell.get("peak") or measured["status"] != "ok":
                    child.close()
                    child = None
            if child is not None:
                child.close()
    done = sum(store.has(cell["key"]) for cell in cells)
    line.close(f"{done} of {len(cells)} cells")
    return done == len(cells)


def _measure(child: Child, cell: Cell, settings: dict[str, Any]) -> dict[str, Any]:
    """Fit the contenders of a cell in turns.

    The first seed runs twice and the first time does not count, unless it was slow: it warms caches
    for this shape.
    """
    seeds = fresh_seeds(settings["random_state"], cell["key"], settings["repeats"])
    results: dict[str, dict[str, Any]] = {name: {} for name in cell["contenders"]}
    loads = []
    for turn, seed in enumerate([seeds[0], *seeds]):
        for name, facts in results.items():
            peer, rung, _ = CONTENDERS[name]
            longest = max(facts.get("seconds", [0.0]))
            if longest > (WARM_UP_S if turn == 1 else ONCE_PAST_S):
                continue
            request = {"peer": peer, "k": cell["k"], "rung": rung, "seed": seed}
            try:
                answer = child.ask(
                    _FIT_S, task="fit", **request, ladder=False, peak=cell.get("peak", False)
                )
            except (TimeoutError, ChildEnded) as reason:
                return {"status": f"failed: {reason}"}
            if "error" in answer:
                return {"status": f"failed: {answer['error']}"}
            if turn == 1:
                facts.clear()
            for fact in ("seconds", "inertia", "peak_bytes"):
                facts.setdefault(fact, []).append(answer[fact])
            facts["algorithm"] = answer["algorithm"]
            if answer["others_cores"] is not None:
                loads.append(answer["others_cores"])
    return {
        "status": "ok",
        "results": results,
        "others_cores": float(np.mean(loads)) if loads else None,
        "date": machine_record()["date"],
    }


# --- reading -----------------------------------------------------------------------------------


def seconds_of(cell: Cell, contender: str) -> float:
    """Return the median seconds of a contender."""
    return float(np.median(cell["results"][contender]["seconds"]))


def inertia_ratio(cell: Cell, ours: str, theirs: str) -> float:
    """Return the median float64 inertia of one contender over that of another.

    It is 1 where both are negligible: with as many clusters as points only rounding is left.
    """
    a, b = (float(np.median(cell["results"][name]["inertia"])) for name in (ours, theirs))
    tiny = 1e-9 * cell["n"] * cell["d"]
    if a <= tiny and b <= tiny:
        return 1.0
    return a / b if b > 0 else float("inf")


def settings_facts(header: dict[str, Any], cells: Sequence[Cell]) -> list[str]:
    """Return lines that say how finished cells were measured."""
    names = list(dict.fromkeys(name for cell in cells for name in cell["contenders"]))
    return [
        "Contenders: " + "; ".join(CONTENDERS[name][2] for name in names) + ".",
        "",
        f"Medians of {header['settings']['repeats']} runs with fresh seeds, in turns, float32, one "
        "fresh process for each data set; the first run of a cell not counted "
        f"where it took less than {WARM_UP_S:g} s; a contender past {ONCE_PAST_S:.0f} s is not "
        "repeated.",
        "",
    ]


def machine_facts(header: dict[str, Any], cells: Sequence[Cell]) -> list[str]:
    """Return lines on machine, dates, versions, seeds, failures and disturbances."""
    settings, machine = header["settings"], header["machine"]
    finished = [cell for cell in cells if cell["status"] == "ok"]
    dates = sorted(cell["date"] for cell in finished)
    versions = ", ".join(f"{name} {version}" for name, version in settings["versions"].items())
    period = f"{dates[0]} to {dates[-1]}" if dates else "never"
    notes = [
        f"{machine['processor']}, {machine['cores']} cores, {settings['threads']} threads, "
        f"{machine['system']}, Python {machine['python']}, {versions}, "
        f"{describe(settings['code'])}, {period}; seeds and data from "
        f"random_state={settings['random_state']}."
    ]
    failed = [f"{cell['key']} ({cell['status']})" for cell in cells if cell["status"] != "ok"]
    if failed:
        notes.append("Not measured: " + "; ".join(failed) + ".")
    loads = [cell["others_cores"] for cell in finished if cell["others_cores"] is not None]
    disturbed = float(np.mean([load > DISTURBED for load in loads])) if loads else 0.0
    if disturbed > 0:
        notes.append(
            f"Other processes disturbed {disturbed:.0%} of the cells that took long enough to tell "
            f"(more than {DISTURBED:g} cores): repeat on an idle machine before quoting times."
        )
    return [line for note in notes for line in (note, "")]

"""The runs of a comparison: curves and times to a quality.

Quality is the exact float64 inertia of the labels and centroids that a peer returns, recomputed
outside the clock. Time is that of the whole call: start, iterations and final labels. So a peer's
curve is a ladder of whole runs with more and more iterations.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from annlab._support.checks import check_real
from annlab._support.errors import invalid
from annlab.benchmarks.campaign.store import Record
from annlab.benchmarks.machine import DISTURBED

#: The peer and the rung that every inertia is divided by.
REFERENCE_PEER, REFERENCE_STEP = "sklearn-random", 25
REFERENCE = f"scikit-learn KMeans(init='random', n_init=1, max_iter={REFERENCE_STEP}, tol=0)"
#: Why a rung has no time; details may follow after a colon.
CONVERGED, TOO_SLOW = "converged on an earlier rung", "too slow"
OUT_OF_TIME, FAILED = "no time left", "failed"
ONCE = "made with one seed alone"


@dataclass(frozen=True, eq=False, repr=False)
class Measured:
    """What `compare` measured; `Comparison` describes the attributes."""

    data: Record
    n_clusters: int
    threads: int
    reference: Record
    peers: list[Record]
    runs: list[Record]
    floors: dict[str, float]
    machine: Record
    options: Record = field(default_factory=dict)

    def keys(self) -> list[str]:
        """Return the keys of the peers that have at least one run."""
        have = {run["peer"] for run in self.runs if run["status"] == "ok"}
        return [peer["key"] for peer in self.peers if peer["key"] in have]

    def peer(self, key: str) -> Record:
        """Return the record of a peer.

        Raises
        ------
        ValueError
            For an unknown key.
        """
        for record in self.peers:
            if record["key"] == key:
                return record
        raise invalid("key", "one of " + ", ".join(p["key"] for p in self.peers), repr(key))

    def finished(self, key: str) -> list[Record]:
        """Return the runs of a peer that have a time."""
        return [run for run in self.runs if run["peer"] == key and run["status"] == "ok"]

    def curve(self, key: str) -> list[Record]:
        """Return the rungs of a peer, quickest first, with medians over the seeds.

        Each has rung, seconds, ratio (inertia over the reference) and n_seeds.
        """
        self.peer(key)
        rungs: dict[str, list[Record]] = {}
        for run in self.finished(key):
            rungs.setdefault(json.dumps(run["rung"], sort_keys=True), []).append(run)
        points = [
            {
                "rung": runs[0]["rung"],
                "seconds": float(np.median([run["seconds"] for run in runs])),
                "ratio": float(np.median([run["inertia"] for run in runs]))
                / self.reference["inertia"],
                "n_seeds": len(runs),
            }
            for runs in rungs.values()
        ]
        return sorted(points, key=lambda point: point["seconds"])

    def time_to(self, key: str, ratio: float) -> float:
        """Return a peer's seconds to an inertia of ``ratio`` times the reference.

        It is the median over the seeds, infinite if the median seed never gets there. A peer's time
        is interpolated between the two rungs that enclose the quality, as if it had stopped at the
        best moment; annlab's own is that of the first whole run that got there.
        """
        limit = check_real(ratio, "ratio", strict=True) * self.reference["inertia"]
        whole_runs = bool(self.peer(key)["is_ours"])
        seeds: dict[int, list[Record]] = {}
        for run in self.finished(key):
            seeds.setdefault(run["seed"], []).append(run)
        cut_short = {
            run["seed"] for run in self.runs if run["peer"] == key and run["status"] == ONCE
        }
        times = []
        for seed, runs in seeds.items():
            time = _first_time(runs, limit, whole_runs)
            # a seed without long runs does not show what they would reach
            if time < float("inf") or seed not in cut_short:
                times.append(time)
        return float(np.median(times)) if times else float("inf")

    def best(self, key: str) -> float:
        """Return a peer's lowest ratio: the median of its seeds at its best rung."""
        return min((point["ratio"] for point in self.curve(key)), default=float("inf"))

    def levels(self) -> list[float]:
        """Return the ratios of the columns: 1.05, 1.01, 1.00, and lower reached ones."""
        lowest = min((self.best(key) for key in self.keys()), default=1.0)
        below = [round(1.0 - 0.05 * step, 2) for step in range(1, 20)]
        return [1.05, 1.01, 1.0, *[level for level in below if level >= lowest][:5]]

    def disturbed(self) -> float:
        """Return the share of runs during which others used over a quarter of a core."""
        known = [run["others_cores"] for run in self.runs if run.get("others_cores") is not None]
        return float(np.mean([cores > DISTURBED for cores in known])) if known else 0.0

    def turns_left(self) -> int:
        """Return how many processes (a peer with a seed) are still to be run."""
        done = Counter(
            (run["peer"], run["seed"]) for run in self.runs if run["status"] != OUT_OF_TIME
        )
        turns = self.options.get("turns", [])
        return sum(done[peer, seed] < n_rungs for peer, seed, n_rungs in turns)


def _first_time(runs: list[Record], limit: float, whole_runs: bool) -> float:
    """Return the least time of one seed to an inertia of at most ``limit``."""
    reached = [run for run in runs if run["inertia"] <= limit]
    if not reached:
        return float("inf")
    first = min(reached, key=lambda run: run["seconds"])
    before = [run for run in runs if run["seconds"] < first["seconds"]]
    if whole_runs or not before:
        return float(first["seconds"])
    last = max(before, key=lambda run: run["seconds"])
    share = (last["inertia"] - limit) / (last["inertia"] - first["inertia"])
    return float(last["seconds"] + share * (first["seconds"] - last["seconds"]))


def reference_of(runs: list[Record]) -> Record:
    """Return the reference run: the median inertia at its rung, or the nearest."""
    finished = [run for run in runs if run["status"] == "ok"]
    last: dict[int, tuple[int, float]] = {}
    cut_short = set()
    for run in runs:
        step = run["rung"].get("max_iter", REFERENCE_STEP + 1)
        if run["peer"] != REFERENCE_PEER or step > REFERENCE_STEP:
            continue
        if run["status"] == "ok":
            last[run["seed"]] = max(last.get(run["seed"], (0, 0.0)), (step, run["inertia"]))
        elif run["status"] != CONVERGED:
            cut_short.add(run["seed"])
    if last:
        # seeds that were not run to the end count only if none was
        last = {seed: end for seed, end in last.items() if seed not in cut_short} or last
        steps = sorted({step for step, _ in last.values()})
        text = f"median of {len(last)} seed{'s' * (len(last) != 1)}"
        if steps != [REFERENCE_STEP]:
            # it converged before, or ran out of time
            text += ", at max_iter = " + ", ".join(str(step) for step in steps)
        return {"definition": text, "inertia": float(np.median([i for _, i in last.values()]))}
    if finished:
        return {
            "definition": "not run: the lowest inertia of all peers is used instead",
            "inertia": float(min(run["inertia"] for run in finished)),
        }
    return {"definition": "no peer finished", "inertia": float("nan")}

"""What a comparison measured: curves, times to quality, a page, files.

Quality is the exact float64 inertia of the labels that a peer returns with the centroids that it
returns, recomputed outside the clock. Time is that of the whole call: start, iterations and final
labels. So a peer's curve is a ladder of whole runs with more and more iterations.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from annlab._support.checks import check_real
from annlab._support.errors import invalid
from annlab._support.files import atomic_write
from annlab.benchmarks.machine import DISTURBED

#: The peer and the rung that every inertia is divided by.
REFERENCE_PEER, REFERENCE_STEP = "sklearn-random", 25
REFERENCE = f"scikit-learn KMeans(init='random', n_init=1, max_iter={REFERENCE_STEP}, tol=0)"
#: Why a rung has no time; details may follow after a colon.
CONVERGED, TOO_SLOW = "converged on an earlier rung", "too slow"
OUT_OF_TIME, FAILED = "no time left", "failed"
ONCE = "made with one seed alone"
_FORMAT = 1


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """What `compare` measured. Everything in it is plain data: `save` writes it as JSON.

    Attributes
    ----------
    data : dict
        name, n, d, description.
    n_clusters, threads : int
    reference : dict
        definition and inertia: what ratios are relative to.
    peers : list of dict
        key, label, settings, knob, is_ours, prepare_s (imports and warm-up), left_out (why a peer
        has no runs; empty otherwise).
    runs : list of dict
        peer, seed, rung (settings), status (``"ok"``, or why there is no time), seconds, inertia,
        n_iter, n_used (clusters with points), peak_bytes (anonymous memory above the rows),
        others_cores (busy for other processes meanwhile), repeats_s.
    floors : dict
        Of `measure_floors`.
    machine, options : dict
    """

    data: dict[str, Any]
    n_clusters: int
    threads: int
    reference: dict[str, Any]
    peers: list[dict[str, Any]]
    runs: list[dict[str, Any]]
    floors: dict[str, float]
    machine: dict[str, Any]
    options: dict[str, Any] = field(default_factory=dict)

    # --- reading ---------------------------------------------------------------------------

    def keys(self) -> list[str]:
        """Keys of the peers that have at least one run."""
        have = {run["peer"] for run in self.runs if run["status"] == "ok"}
        return [peer["key"] for peer in self.peers if peer["key"] in have]

    def peer(self, key: str) -> dict[str, Any]:
        """The record of a peer.

        Raises
        ------
        ValueError
            For an unknown key.
        """
        for record in self.peers:
            if record["key"] == key:
                return record
        raise invalid("key", "among " + ", ".join(p["key"] for p in self.peers), repr(key))

    def _finished(self, key: str) -> list[dict[str, Any]]:
        return [run for run in self.runs if run["peer"] == key and run["status"] == "ok"]

    def curve(self, key: str) -> list[dict[str, Any]]:
        """Rungs of a peer: medians over the seeds of seconds and ratio, cheapest first.

        Returns
        -------
        list of dict
            rung, seconds, ratio (inertia over the reference), n_seeds.
        """
        self.peer(key)
        rungs: dict[str, list[dict[str, Any]]] = {}
        for run in self._finished(key):
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
        """Seconds that a peer takes to an inertia of at most ``ratio`` times the reference.

        Returns
        -------
        float
            Median over the seeds; infinite where the median seed never gets there. A peer's time
            is interpolated between the two rungs that enclose the quality, as if he had stopped
            at the very best moment; annlab's own is that of the first whole run that got there.
        """
        limit = check_real(ratio, "ratio", strict=True) * self.reference["inertia"]
        exact = bool(self.peer(key)["is_ours"])
        seeds: dict[int, list[dict[str, Any]]] = {}
        for run in self._finished(key):
            seeds.setdefault(run["seed"], []).append(run)
        cut_short = {
            run["seed"] for run in self.runs if run["peer"] == key and run["status"] == ONCE
        }
        times = []
        for seed, runs in seeds.items():
            time = _first_time(runs, limit, exact)
            # a seed whose long runs were spared says nothing about what they would reach
            if time < float("inf") or seed not in cut_short:
                times.append(time)
        return float(np.median(times)) if times else float("inf")

    def best(self, key: str) -> float:
        """Lowest ratio that a peer reached, the median over its seeds at its best rung."""
        return min((point["ratio"] for point in self.curve(key)), default=float("inf"))

    def levels(self) -> list[float]:
        """Ratios that are worth a column: 1.05, 1.01, 1.00, and lower ones that were reached."""
        lowest = min((self.best(key) for key in self.keys()), default=1.0)
        below = [round(1.0 - 0.05 * step, 2) for step in range(1, 20)]
        return [1.05, 1.01, 1.0, *[level for level in below if level >= lowest][:5]]

    def disturbed(self) -> float:
        """Share of the runs during which others kept more than a quarter of a core busy."""
        known = [run["others_cores"] for run in self.runs if run.get("others_cores") is not None]
        return float(np.mean([cores > DISTURBED for cores in known])) if known else 0.0

    # --- showing ---------------------------------------------------------------------------

    def __repr__(self) -> str:
        return (
            f"Comparison on {self.data['name']}: {self.data['n']:,} points, {self.data['d']} "
            f"features, {self.n_clusters:,} clusters, {len(self.keys())} peers, "
            f"{len(self.runs)} runs, {self.threads} threads"
        )

    def table(self) -> str:
        """The comparison as a page in Markdown: times to quality, floors, settings."""
        levels = self.levels()
        n, d, k = self.data["n"], self.data["d"], self.n_clusters
        lines = [
            f"## {self.data['name']}: n = {n:,}, d = {d}, k = {k:,}",
            "",
            self.data["description"],
            "",
            f"Seconds to an inertia of at most … × that of {REFERENCE}: "
            f"{self.reference['inertia']:.6g} ({self.reference['definition']}).",
            "",
            "| peer | best ratio | "
            + " | ".join(f"to {level:.2f}" for level in levels)
            + " | own defaults: s, ratio | memory, MB | seeds |",
            "|---|---|" + "---|" * (len(levels) + 3),
        ]
        for key in self.keys():
            lines.append(self._row(key, levels))
        lines += self._floor_rows(len(levels))
        lines += ["", *self._notes(), "", "Settings:", ""]
        for peer in self.peers:
            settings = ", ".join(f"{name}={value}" for name, value in peer["settings"].items())
            left_out = f"; left out: {peer['left_out']}" if peer["left_out"] else ""
            lines.append(f"- {peer['label']}: {settings or 'its defaults'}{left_out}")
        return "\n".join(lines) + "\n"

    def _row(self, key: str, levels: Sequence[float]) -> str:
        runs = self._finished(key)
        times = [self.time_to(key, level) for level in levels]
        cells = ["–" if time == float("inf") else f"{time:.3g}" for time in times]
        defaults = [point for point in self.curve(key) if point["rung"].get("defaults")]
        own = f"{defaults[0]['seconds']:.3g}, {defaults[0]['ratio']:.3f}" if defaults else "–"
        peaks = [run["peak_bytes"] for run in runs if run["peak_bytes"] is not None]
        peak = f"{max(peaks) / 1e6:,.0f}" if peaks else "–"
        seeds = len({run["seed"] for run in runs})
        return (
            f"| {self.peer(key)['label']} | {self.best(key):.3f} | {' | '.join(cells)} | {own} | "
            f"{peak} | {seeds} |"
        )

    def _floor_rows(self, n_levels: int) -> list[str]:
        """What ten exact iterations cannot go below, in the columns of the times."""
        if not self.floors:
            return []
        floors = {
            "*floor: matrix products of 10 exact iterations*": self.floors["gemm_iteration_s"],
            "*floor: 10 reads of the rows*": self.floors["memory_iteration_s"],
        }
        return [
            f"| {label} | – |" + f" {10 * seconds:.3g} |" * n_levels + " – | – | – |"
            for label, seconds in floors.items()
        ]

    def _notes(self) -> list[str]:
        rows_mb = 4.0 * self.data["n"] * self.data["d"] / 1e6
        notes = [
            "A dash: not reached. Memory: anonymous, above the rows themselves "
            f"({rows_mb:,.0f} MB).",
        ]
        if self.floors:
            notes.append(
                f"Floors of exact k-means here: {self.floors['gemm_iteration_s']:.3g} s of matrix "
                f"product an iteration (at {self.floors['gemm_flops'] / 1e9:,.0f} GFLOP/s in "
                f"float32, {self._blas()}), ten of "
                f"them {10 * self.floors['gemm_iteration_s']:.3g} s; one read of the rows "
                f"{self.floors['memory_iteration_s']:.3g} s (at "
                f"{self.floors['memory_bytes_per_s'] / 1e9:,.1f} GB/s)."
            )
        versions = ", ".join(f"{k} {v}" for k, v in self.machine["versions"].items())
        notes.append(
            f"{self.machine['processor']}, {self.machine['cores']} cores, {self.threads} threads, "
            f"{self.machine['system']}, Python {self.machine['python']}, {versions}, "
            f"{self.machine['date']}."
        )
        if self.options.get("seeds"):
            seeds = ", ".join(str(seed) for seed in self.options["seeds"])
            code = self.options.get("code")
            notes.append(f"Seeds: {seeds}." + (f" Code of annlab: {code}." if code else ""))
        if self.options.get("turns_left"):
            notes.append(f"Not finished: {self.options['turns_left']} turns of peers are left.")
        notes += self._left_out()
        if self.disturbed() > 0:
            notes.append(
                f"Other processes disturbed {self.disturbed():.0%} of the runs (more than "
                f"{DISTURBED:g} cores): repeat on an idle machine before quoting times. OpenMP's "
                "threads spin while they wait, which costs scikit-learn, faiss and superkmeans "
                "most; OMP_WAIT_POLICY=passive in the environment tames that."
            )
        return [part for note in notes for part in (note, "")][:-1]

    def _blas(self) -> str:
        """The library that made the products of the floor."""
        found = [
            f"{library['name']} {library['version'] or ''}".strip()
            for library in self.machine.get("libraries", [])
            if library["api"] == "blas"
        ]
        return " and ".join(dict.fromkeys(found)) or "unknown BLAS"

    def _left_out(self) -> list[str]:
        """One sentence for each reason why rungs have no time; what converged needs none."""
        counts: dict[str, dict[str, int]] = {}
        for run in self.runs:
            reason = run["status"].partition(":")[0]
            if reason not in ("ok", CONVERGED):
                labels = counts.setdefault(reason, {})
                label = self.peer(run["peer"])["label"]
                labels[label] = labels.get(label, 0) + 1
        past = self.options.get("once_past_s", 0)
        explained = {
            ONCE: f"Runs past {past:.0f} s, made with one seed alone (runs spared)",
            TOO_SLOW: f"Runs past the limit of {self.options.get('run_limit_s', 0):.0f} s",
            OUT_OF_TIME: "Runs for which the time budget did not suffice",
            FAILED: "Runs that failed",
        }
        return [
            f"{explained.get(reason, reason)}: "
            + ", ".join(f"{label} ({count})" for label, count in labels.items())
            + "."
            for reason, labels in counts.items()
        ]

    def plot(self, ax: Any = None) -> Any:
        """Draw the curves: `annlab.plotting.plot_time_to_quality`."""
        from annlab.plotting import plot_time_to_quality

        return plot_time_to_quality(self, ax=ax)

    # --- files -----------------------------------------------------------------------------

    def save(self, folder: str | os.PathLike[str], name: str | None = None) -> list[Path]:
        """Write the numbers (.json), the page (.md) and the plot (.png).

        Parameters
        ----------
        folder : path-like
            Made where it is missing.
        name : str, optional
            Stem of the files; data and k by default.

        Returns
        -------
        list of pathlib.Path

        Raises
        ------
        OSError
        """
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        target = Path(folder)
        numbers = self.save_numbers(target, name)
        stem = numbers.stem
        page = target / f"{stem}.md"
        # a page of its own on the site, so its heading is the first one there
        page.write_text(self.table().removeprefix("#"), encoding="utf-8")
        figure = Figure(figsize=(9, 6), layout="constrained")
        FigureCanvasAgg(figure)
        self.plot(figure.add_subplot())
        picture = target / f"{stem}.png"
        figure.savefig(picture, dpi=120, metadata={"Software": None})
        return [numbers, page, picture]

    def save_numbers(self, folder: str | os.PathLike[str], name: str | None = None) -> Path:
        """Write the numbers alone, all or nothing; parameters as in `save`."""
        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        numbers = target / f"{name or file_stem(self.data['name'], self.n_clusters)}.json"
        # a run that is cut short here leaves the file as it was
        with atomic_write(numbers, text=True) as file:
            file.write(json.dumps(self.to_dict(), indent=1) + "\n")
        return numbers

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain data."""
        return {
            "format": _FORMAT,
            "data": self.data,
            "n_clusters": self.n_clusters,
            "threads": self.threads,
            "reference": self.reference,
            "floors": self.floors,
            "machine": self.machine,
            "options": self.options,
            "peers": self.peers,
            "runs": self.runs,
        }

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Comparison:
        """Read a file that `save` wrote.

        Raises
        ------
        OSError, ValueError
        """
        try:
            record = json.loads(Path(path).read_text(encoding="utf-8"))
            if record.pop("format") != _FORMAT:
                raise ValueError("another version of the format")
            return cls(**record)
        except (ValueError, KeyError, TypeError, AttributeError) as reason:
            raise invalid(
                "path", "a .json file that Comparison.save wrote", f"{Path(path).name} ({reason})"
            ) from reason


def file_stem(name: str, n_clusters: int) -> str:
    """Stem of a comparison's files."""
    return f"{name}_k{n_clusters}".replace(" ", "_")


def _first_time(runs: list[dict[str, Any]], limit: float, whole_runs: bool) -> float:
    """Least time of one seed's runs to an inertia of at most ``limit``."""
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

"""Judge a comparison by its target, and show the verdicts as tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from annlab.benchmarks.campaign.comparison import Comparison
from annlab.benchmarks.campaign.markdown import table
from annlab.benchmarks.campaign.measured import REFERENCE_PEER
from annlab.benchmarks.campaign.targets import DEFAULT_PEER, OURS, TARGETS, Target

_NAN = float("nan")


def target_of(comparison: Comparison) -> Target | None:
    """Return the case that a comparison belongs to, if its data is complete."""
    for target in TARGETS:
        if (target.data, target.n_clusters, target.rows) == (
            comparison.data["name"],
            comparison.n_clusters,
            comparison.data["n"],
        ):
            return target
    return None


@dataclass
class Race:
    """Seconds that a competitor needs to reach the point that it is compared at.

    If ``is_bound``, it did not reach it, and its longest run is a lower bound.
    """

    who: str = "–"
    seconds: float = _NAN
    is_bound: bool = False

    def faster(self, ours: float) -> float:
        """Return how many times faster annlab is; 0 if it misses the target."""
        if np.isnan(self.seconds) or np.isnan(ours):
            return _NAN
        return self.seconds / ours if np.isfinite(ours) else 0.0

    def is_won(self, ours: float, goal: float) -> bool | None:
        """Return whether annlab is fast enough; None if unknown."""
        found = self.faster(ours)
        if np.isnan(found) or (found < goal and self.is_bound):
            return None
        return found >= goal


@dataclass
class Verdict:
    """Figures of a case: NaN if not run, infinite if not reached.

    ``seconds`` are annlab's to the target's inertia, ``quality`` is its lowest inertia over that of
    ``target.of``; ``own_s`` and ``own_quality`` are those of its default run.
    """

    target: Target
    seconds: float = _NAN
    quality: float = _NAN
    own_s: float = _NAN
    own_quality: float = _NAN
    sklearn: Race = field(default_factory=Race)
    peers: Race = field(default_factory=Race)
    notes: list[str] = field(default_factory=list)

    def reached(self) -> dict[str, bool | None]:
        """Return whether each part of the target is reached; None if unknown."""
        target, ours = self.target, self.seconds
        parts: dict[str, bool | None] = {
            "inertia": None if np.isnan(self.quality) else self.quality <= target.quality,
            "scikit-learn": self.sklearn.is_won(ours, target.faster),
        }
        if target.peers_faster is not None:
            parts["other peers"] = self.peers.is_won(ours, target.peers_faster)
        return parts


def judge(comparison: Comparison, target: Target) -> Verdict:
    """Read the figures of a target from a comparison."""
    found = Verdict(target)
    reference = comparison.reference["inertia"]
    default_s, default_inertia, n_defaults = _at(comparison, DEFAULT_PEER, {"defaults": True})
    five_s = _NAN
    if target.of == "its default":
        base = default_inertia
        if np.isnan(base):
            found.notes.append("scikit-learn's default run is missing")
    elif target.of == "5 iterations":
        five_s, base = _iterations(comparison, 5, found.notes)
    else:
        base = reference
        text = comparison.reference["definition"]
        if not text.startswith("median") or "at max_iter" in text or "of 1 seed" in text:
            found.notes.append(f"reference: {text}")
    point = target.quality * base / reference
    if OURS in comparison.keys() and np.isfinite(point):
        found.seconds = comparison.time_to(OURS, point)
        found.quality = comparison.best(OURS) * reference / base
    found.own_s, own_inertia, _ = _at(comparison, OURS, {"defaults": True})
    found.own_quality = own_inertia / base
    if target.than == "5 iterations":
        found.sklearn = Race("scikit-learn", five_s)
    elif target.than == "its default run":
        found.sklearn = Race("scikit-learn", default_s)
        if n_defaults == 1:
            found.notes.append("scikit-learn's default run: one seed")
    elif isinstance(target.than, str):
        found.sklearn = _best(comparison, (REFERENCE_PEER, DEFAULT_PEER), point, found.notes)
        if np.isfinite(default_s) and np.isfinite(found.seconds):
            found.notes.append(
                f"scikit-learn's default run takes {default_s:.3g} s, "
                f"{default_s / found.seconds:.3g} times annlab's"
            )
    else:
        found.sklearn = _best(comparison, (REFERENCE_PEER,), target.than, found.notes)
    if target.peers_faster is not None:
        others = [
            peer["key"]
            for peer in comparison.peers
            if not peer["is_ours"] and peer["key"] not in (REFERENCE_PEER, DEFAULT_PEER)
        ]
        found.peers = _best(comparison, others, target.peers_to, found.notes)
    if comparison.turns_left():
        found.notes.append(f"not finished: {comparison.turns_left()} turns left")
    if comparison.disturbed() > 0:
        found.notes.append(f"{comparison.disturbed():.0%} of the runs disturbed by other processes")
    return found


def _at(comparison: Comparison, key: str, rung: dict[str, object]) -> tuple[float, float, int]:
    """Return median seconds, inertia and runs of a rung; NaN if it was not run."""
    runs = [run for run in comparison.finished(key) if run["rung"] == rung]
    if not runs:
        return _NAN, _NAN, 0
    seconds = float(np.median([run["seconds"] for run in runs]))
    return seconds, float(np.median([run["inertia"] for run in runs])), len(runs)


def _iterations(comparison: Comparison, steps: int, notes: list[str]) -> tuple[float, float]:
    """Return seconds and inertia of that many iterations, perhaps extrapolated."""
    seconds, inertia, n_runs = _at(comparison, REFERENCE_PEER, {"max_iter": steps})
    if n_runs:
        if n_runs == 1:
            notes.append(f"{steps} iterations of scikit-learn: one run")
        return seconds, inertia
    runs = comparison.finished(REFERENCE_PEER)
    done = sorted({run["rung"]["max_iter"] for run in runs if "max_iter" in run["rung"]})
    if not done:
        notes.append(f"{steps} iterations of scikit-learn: not run")
        return _NAN, _NAN
    low, high = done[0], done[-1]
    first, last = (_at(comparison, REFERENCE_PEER, {"max_iter": step}) for step in (low, high))
    # with one rung alone: a run of m iterations passes over the data once more, for the labels
    each = (last[0] - first[0]) / (high - low) if high > low else last[0] / (high + 1)
    notes.append(
        f"extrapolated: {steps} iterations of scikit-learn from {', '.join(map(str, done))}, at "
        f"{each:.3g} s each; its inertia is that after {high}"
    )
    return last[0] + each * (steps - high), last[1]


def _best(comparison: Comparison, keys: Sequence[str], point: float, notes: list[str]) -> Race:
    """Return the fastest of some peers to a ratio, else the closest one."""
    keys = [key for key in keys if comparison.finished(key)]
    if not keys or not np.isfinite(point):
        return Race()
    times = {key: comparison.time_to(key, point) for key in keys}
    best = min(keys, key=lambda key: times[key])
    label = comparison.peer(best)["label"]
    if np.isfinite(times[best]):
        if times[best] <= comparison.curve(best)[0]["seconds"]:
            notes.append(f"{label} got there in its shortest run already")
        return Race(label, times[best])
    nearest = min(keys, key=comparison.best)
    label = comparison.peer(nearest)["label"]
    at = min(comparison.curve(nearest), key=lambda rung: rung["ratio"])
    notes.append(
        f"{label} came nearest to {point:.3g}: {at['ratio']:.3f} in {at['seconds']:.3g} s, a lower "
        "bound on its time"
    )
    return Race(label, at["seconds"], True)


# --- showing -----------------------------------------------------------------------------------

_WORD = {True: "reached", False: "**missed**", None: "not known"}


def _figure(value: float, pattern: str = ".3g") -> str:
    if np.isnan(value):
        return "–"
    return "not reached" if not np.isfinite(value) else format(value, pattern)


def _race(race: Race, ours: float, goal: float) -> list[str]:
    least = "≥ " if race.is_bound else ""
    return [least + _figure(race.seconds), least + _figure(race.faster(ours)), f"{goal:g}"]


def _to(ratio: str | float) -> str:
    return ratio if isinstance(ratio, str) else f"{ratio:.2f} × 25 iterations"


def verdict_table(verdicts: Sequence[Verdict]) -> list[str]:
    """Return Markdown: a table per question, a row per case, then the notes."""
    questions: dict[str, list[list[str]]] = {}
    notes = []
    for verdict in verdicts:
        target = verdict.target
        case = f"{target.data}, {target.n_clusters:,}"
        seconds = _figure(verdict.seconds)
        own = [_figure(verdict.own_s), _figure(verdict.own_quality, ".4f")]
        rows = {
            "inertia": [
                *(f"{target.quality:g} × {target.of}", seconds, *own),
                _figure(verdict.quality, ".4f"),
            ],
            "scikit-learn": [
                *(seconds, _to(target.than)),
                *_race(verdict.sklearn, verdict.seconds, target.faster),
            ],
            "other peers": [
                *(seconds, verdict.peers.who, _to(target.peers_to)),
                *_race(verdict.peers, verdict.seconds, target.peers_faster or _NAN),
            ],
        }
        for question, reached in verdict.reached().items():
            questions.setdefault(question, []).append([case, *rows[question], _WORD[reached]])
        if verdict.notes:
            notes.append(f"- {case}: {'; '.join(verdict.notes)}.")
    times = ["s", "times as fast", "goal"]
    heads = {
        "inertia": (
            "annlab's inertia, beside that of scikit-learn",
            ["goal", "annlab, s", "defaults, s", "defaults, inertia", "lowest inertia"],
        ),
        "scikit-learn": (
            "annlab to that inertia, beside scikit-learn",
            ["annlab, s", "scikit-learn to", *times],
        ),
        "other peers": (
            "annlab to that inertia, beside the best other peer",
            ["annlab, s", "peer", "to", *times],
        ),
    }
    lines = []
    for question, (title, columns) in heads.items():
        if question in questions:
            lines += [
                f"{title}:",
                "",
                *table(["data, k", *columns, "verdict"], questions[question]),
            ]
    return [*lines, *notes, *([""] if notes else [])]

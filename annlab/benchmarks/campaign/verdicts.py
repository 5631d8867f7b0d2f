"""What was to be reached, and what was: verdicts on the cases of `targets`.

A verdict is read off the numbers of a comparison, so any comparison of the same data can be judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from annlab.benchmarks.campaign.comparison import Comparison
from annlab.benchmarks.campaign.markdown import table
from annlab.benchmarks.campaign.measured import REFERENCE_PEER
from annlab.benchmarks.campaign.targets import DEFAULT_PEER, OURS, TARGETS, Target

#: Ten exact iterations are the floor that annlab is to pass below, from so many clusters on.
FLOOR_ITERATIONS, FLOOR_FROM = 10, 4096


def target_of(comparison: Comparison) -> Target | None:
    """The case that a comparison is about, if it is one: its data at full size, its k."""
    for target in TARGETS:
        shape = comparison.data["name"], comparison.data["n"], comparison.n_clusters
        if shape == (target.data, target.rows, target.n_clusters):
            return target
    return None


@dataclass(frozen=True)
class Verdict:
    """What a comparison says about a target; infinite or NaN figures were not reached or not run.

    Attributes
    ----------
    target : Target
    quality : float
        Lowest inertia of annlab's median curve over that of ``target.of``.
    seconds : float
        annlab's, to the quality that was to be reached.
    own_s, own_quality : float
        annlab's call without any setting, and its inertia over that of ``target.of``.
    sklearn_s : float
        scikit-learn's, to the stated point.
    best_peer : str
        Label of the best other peer; empty where none was run or none is asked for.
    peer_s : float
        His seconds to the stated point.
    floor_s : float
        Ten exact iterations at the measured peak of matrix products.
    sklearn_is_bound, peer_is_bound : bool
        Nobody got to the stated point: the seconds are those of a run that fell short of it.
    notes : tuple of str
        What is extrapolated, missing or reached by nobody.
    """

    target: Target
    quality: float
    seconds: float
    own_s: float
    own_quality: float
    sklearn_s: float
    best_peer: str
    peer_s: float
    floor_s: float
    sklearn_is_bound: bool
    peer_is_bound: bool
    notes: tuple[str, ...]

    @property
    def faster(self) -> float:
        """scikit-learn's seconds over annlab's."""
        return _over(self.sklearn_s, self.seconds)

    @property
    def peers_faster(self) -> float:
        """The best other peer's seconds over annlab's."""
        return _over(self.peer_s, self.seconds)

    def reached(self) -> dict[str, bool | None]:
        """Each part of the target: reached, missed, or None where nothing can be said."""
        target = self.target
        parts: dict[str, bool | None] = {
            "inertia": None if np.isnan(self.quality) else self.quality <= target.quality,
            "scikit-learn": _enough(self.faster, target.faster, self.sklearn_is_bound),
        }
        if target.peers_faster is not None:
            parts["other peers"] = _enough(
                self.peers_faster, target.peers_faster, self.peer_is_bound
            )
        if target.n_clusters >= FLOOR_FROM:
            known = not (np.isnan(self.floor_s) or np.isnan(self.seconds))
            parts["below the floor"] = self.seconds < self.floor_s if known else None
        return parts


def _over(theirs: float, ours: float) -> float:
    """Times as fast: zero where annlab did not get there, NaN where somebody was not run."""
    if np.isnan(theirs) or np.isnan(ours):
        return float("nan")
    return theirs / ours if np.isfinite(ours) else 0.0


def _enough(found: float, wanted: float, is_bound: bool) -> bool | None:
    """Whether a figure suffices; one that is a bound from below can only say yes."""
    if np.isnan(found):
        return None
    return True if found >= wanted else (None if is_bound else False)


def _runs(comparison: Comparison, key: str) -> list[dict[str, Any]]:
    return [run for run in comparison.runs if run["peer"] == key and run["status"] == "ok"]


def _at(comparison: Comparison, key: str, rung: dict[str, Any]) -> tuple[float, float, int]:
    """Median seconds and inertia of a rung, and how many runs; NaN where it was not run."""
    runs = [run for run in _runs(comparison, key) if run["rung"] == rung]
    if not runs:
        return float("nan"), float("nan"), 0
    seconds = float(np.median([run["seconds"] for run in runs]))
    return seconds, float(np.median([run["inertia"] for run in runs])), len(runs)


def _iterations(comparison: Comparison, steps: int) -> tuple[float, float, str]:
    """Seconds and inertia of so many random-start iterations, extrapolated where they must be."""
    seconds, inertia, runs = _at(comparison, REFERENCE_PEER, {"max_iter": steps})
    if runs:
        note = "" if runs > 1 else f"{steps} iterations of scikit-learn: one run"
        return seconds, inertia, note
    done = sorted(
        {
            run["rung"]["max_iter"]
            for run in _runs(comparison, REFERENCE_PEER)
            if "max_iter" in run["rung"]
        }
    )
    if not done:
        return float("nan"), float("nan"), f"{steps} iterations of scikit-learn: not run"
    low, high = done[0], done[-1]
    first, last = (_at(comparison, REFERENCE_PEER, {"max_iter": step}) for step in (low, high))
    # with one rung alone: a run of m iterations passes over the data once more, for the labels
    each = (last[0] - first[0]) / (high - low) if high > low else last[0] / (high + 1)
    note = (
        f"extrapolated: {steps} iterations of scikit-learn from {', '.join(map(str, done))}, at "
        f"{each:.3g} s each; its inertia is that after {high}"
    )
    return last[0] + each * (steps - high), last[1], note


def judge(comparison: Comparison, target: Target) -> Verdict:
    """Read a target's figures off a comparison.

    Parameters
    ----------
    comparison : Comparison
    target : Target

    Returns
    -------
    Verdict

    Notes
    -----
    A time to a quality is `Comparison.time_to`: interpolated for peers, that of a whole run for
    annlab. Where no other peer got to the stated point, the time of the one that came nearest
    bounds his time from below, and a note says so.
    """
    notes: list[str] = []
    reference = comparison.reference["inertia"]
    five_s = float("nan")
    if target.of == "default":
        base = _at(comparison, DEFAULT_PEER, {"defaults": True})[1]
        if np.isnan(base):
            notes.append("scikit-learn's default run is missing")
    elif target.of == "5 iterations":
        five_s, base, note = _iterations(comparison, 5)
        notes += [note] if note else []
    else:
        base = reference
        if comparison.reference["definition"].partition(" ")[0] != "median":
            notes.append(f"reference {comparison.reference['definition']}")
        elif any(
            text in comparison.reference["definition"] for text in ("at max_iter", "of 1 seed")
        ):
            notes.append(f"reference: {comparison.reference['definition']}")
    keys = comparison.keys()
    point = target.quality * base / reference
    has_ours = OURS in keys and np.isfinite(point)
    seconds = comparison.time_to(OURS, point) if has_ours else float("nan")
    quality = comparison.best(OURS) * reference / base if has_ours else float("nan")
    own_s, own_inertia, _ = _at(comparison, OURS, {"defaults": True})
    sklearn_s, sklearn_is_bound = _sklearn_seconds(comparison, target, point, five_s, notes)
    default_s = _at(comparison, DEFAULT_PEER, {"defaults": True})[0]
    if target.than == "same point" and np.isfinite(default_s) and np.isfinite(seconds):
        notes.append(
            f"scikit-learn's default run takes {default_s:.3g} s, "
            f"{default_s / seconds:.3g} times annlab's"
        )
    best_peer, peer_s, peer_is_bound = "", float("nan"), False
    if target.peers_faster is not None:
        best_peer, peer_s, peer_is_bound = _best_peer(comparison, target, notes)
    if comparison.data["n"] != target.rows:
        notes.append(f"a trial on {comparison.data['n']:,} of {target.rows:,} rows")
    floor = comparison.floors.get("gemm_iteration_s")
    left = comparison.options.get("turns_left", 0)
    if left:
        notes.append(f"not finished: {left} turns left")
    if comparison.disturbed() > 0:
        notes.append(f"{comparison.disturbed():.0%} of the runs disturbed by other processes")
    return Verdict(
        target=target,
        quality=quality,
        seconds=seconds,
        own_s=own_s,
        own_quality=own_inertia / base,
        sklearn_s=sklearn_s,
        best_peer=best_peer,
        peer_s=peer_s,
        floor_s=FLOOR_ITERATIONS * floor if floor else float("nan"),
        sklearn_is_bound=sklearn_is_bound,
        peer_is_bound=peer_is_bound,
        notes=tuple(notes),
    )


def _sklearn_seconds(
    comparison: Comparison, target: Target, point: float, five_s: float, notes: list[str]
) -> tuple[float, bool]:
    """scikit-learn's seconds to the point that a target states, and whether it fell short."""
    if target.than == "5 iterations":
        return five_s, False
    if target.than == "default":
        seconds, _, runs = _at(comparison, DEFAULT_PEER, {"defaults": True})
        if runs == 1:
            notes.append("scikit-learn's default run: one seed")
        return seconds, False
    keys = comparison.keys()
    if target.than == "same point":
        starts = [key for key in (REFERENCE_PEER, DEFAULT_PEER) if key in keys]
        goal = point
    else:
        starts = [key for key in (REFERENCE_PEER,) if key in keys]
        goal = float(target.than)
    if not starts or not np.isfinite(goal):
        return float("nan"), False
    times = {key: comparison.time_to(key, goal) for key in starts}
    best = min(times, key=lambda key: times[key])
    if np.isfinite(times[best]):
        _note_first_rung(comparison, best, times[best], notes)
        return times[best], False
    longest = max(run["seconds"] for key in starts for run in _runs(comparison, key))
    notes.append(f"scikit-learn did not get there in {longest:.3g} s, which stand for its time")
    return float(longest), True


def _note_first_rung(comparison: Comparison, key: str, seconds: float, notes: list[str]) -> None:
    """Say where nothing shorter was run that could have sufficed as well."""
    if seconds <= comparison.curve(key)[0]["seconds"]:
        notes.append(f"{comparison.peer(key)['label']} got there in its shortest run already")


def _best_peer(comparison: Comparison, target: Target, notes: list[str]) -> tuple[str, float, bool]:
    """Best of the others to the point that a target states, his seconds, whether he fell short."""
    others = [
        key
        for key in comparison.keys()
        if not comparison.peer(key)["is_ours"] and key not in (REFERENCE_PEER, DEFAULT_PEER)
    ]
    if not others:
        notes.append("no other peer was run")
        return "", float("nan"), False
    times = {key: comparison.time_to(key, target.peers_to) for key in others}
    best = min(times, key=lambda key: times[key])
    if np.isfinite(times[best]):
        _note_first_rung(comparison, best, times[best], notes)
        return comparison.peer(best)["label"], times[best], False
    nearest = min(others, key=comparison.best)
    at = min(comparison.curve(nearest), key=lambda rung: rung["ratio"])
    label = comparison.peer(nearest)["label"]
    notes.append(
        f"no other peer got to {target.peers_to:g}; nearest {label}, {at['ratio']:.3f} in "
        f"{at['seconds']:.3g} s, which stand for his time"
    )
    return label, at["seconds"], True


# --- showing -----------------------------------------------------------------------------------


_WORD = {True: "reached", False: "**missed**", None: "not known"}


def _figure(value: float, pattern: str) -> str:
    if np.isnan(value):
        return "–"
    return "not reached" if not np.isfinite(value) else format(value, pattern)


def _than(target: Target) -> str:
    if isinstance(target.than, str):
        return {
            "same point": "to the same inertia",
            "default": "its default run",
            "5 iterations": "5 iterations",
        }[target.than]
    return _to(target.than)


def _to(ratio: float) -> str:
    return f"to {ratio:.2f} × 25 iterations"


def _race(seconds: float, faster: float, goal: float, is_bound: bool) -> list[str]:
    """Somebody's seconds, how many times as fast annlab is, and is to be."""
    least = "≥ " if is_bound else ""
    return [least + _figure(seconds, ".3g"), least + _figure(faster, ".3g"), f"{goal:g}"]


def _case(target: Target) -> str:
    return f"{target.data}, {target.n_clusters:,}"


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A titled table; nothing if it has no rows."""
    return [f"{title}:", "", *table(columns, rows)] if rows else []


def verdict_table(verdicts: Sequence[Verdict]) -> list[str]:
    """Lines of Markdown: a table for each question, one row for each case, then the notes."""
    of = {"random-25": "25 iterations", "default": "its default", "5 iterations": "5 iterations"}
    inertia, sklearn, others, floor = [], [], [], []
    for verdict in verdicts:
        target = verdict.target
        case, seconds = _case(target), _figure(verdict.seconds, ".3g")
        words = {name: _WORD[value] for name, value in verdict.reached().items()}
        inertia.append(
            [
                case,
                f"{target.quality:g} × {of[target.of]}",
                seconds,
                _figure(verdict.own_s, ".3g"),
                _figure(verdict.own_quality, ".4f"),
                _figure(verdict.quality, ".4f"),
                words["inertia"],
            ]
        )
        race = _race(verdict.sklearn_s, verdict.faster, target.faster, verdict.sklearn_is_bound)
        sklearn.append([case, seconds, _than(target), *race, words["scikit-learn"]])
        if target.peers_faster is not None:
            race = _race(
                verdict.peer_s, verdict.peers_faster, target.peers_faster, verdict.peer_is_bound
            )
            peer = [verdict.best_peer or "–", _to(target.peers_to)]
            others.append([case, seconds, *peer, *race, words["other peers"]])
        if "below the floor" in words:
            floor.append([case, seconds, _figure(verdict.floor_s, ".3g"), words["below the floor"]])
    noted = [
        f"- {_case(verdict.target)}: {'; '.join(verdict.notes)}."
        for verdict in verdicts
        if verdict.notes
    ]
    case, ours, times, goal, end = "data, k", "annlab, s", "times as fast", "to reach", "verdict"
    return [
        *_table(
            "annlab's inertia, beside that of scikit-learn",
            [case, goal, ours, "defaults, s", "defaults, inertia", "lowest inertia", end],
            inertia,
        ),
        *_table(
            "annlab to that inertia, beside scikit-learn",
            [case, ours, "scikit-learn", "s", times, goal, end],
            sklearn,
        ),
        *_table(
            "annlab to that inertia, beside the best other peer",
            [case, ours, "peer", "to", "s", times, goal, end],
            others,
        ),
        *_table(
            f"annlab to that inertia, beside {FLOOR_ITERATIONS} exact iterations at the measured "
            "peak of matrix products",
            [case, ours, "floor, s", end],
            floor,
        ),
        *noted,
        *([""] if noted else []),
    ]

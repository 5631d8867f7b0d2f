"""The page of a comparison, in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from annlab.benchmarks.campaign.behaviour import describe
from annlab.benchmarks.campaign.markdown import table
from annlab.benchmarks.campaign.measured import (
    CONVERGED,
    FAILED,
    ONCE,
    OUT_OF_TIME,
    REFERENCE,
    TOO_SLOW,
    Measured,
)
from annlab.benchmarks.machine import DISTURBED


def page(found: Measured) -> str:
    """Return a comparison in Markdown: times to quality, floors, settings."""
    levels = found.levels()
    n, d, k = found.data["n"], found.data["d"], found.n_clusters
    lines = [
        f"## {found.data['name']}: n = {n:,}, d = {d}, k = {k:,}",
        "",
        found.data["description"],
        "",
        f"Seconds to an inertia of at most … × that of {REFERENCE}: "
        f"{found.reference['inertia']:.6g} ({found.reference['definition']}).",
        "",
        *table(
            [
                *("peer", "best ratio", *(f"to {level:.2f}" for level in levels)),
                *("own defaults: s, ratio", "memory, MB", "seeds"),
            ],
            [_row(found, key, levels) for key in found.keys()],
        ),
        *_notes(found),
        "Settings:",
        "",
    ]
    for peer in found.peers:
        settings = ", ".join(f"{name}={value}" for name, value in peer["settings"].items())
        left_out = f"; left out: {peer['left_out']}" if peer["left_out"] else ""
        lines.append(f"- {peer['label']}: {settings or 'its defaults'}{left_out}")
    return "\n".join(lines) + "\n"


def _row(found: Measured, key: str, levels: Sequence[float]) -> list[str]:
    runs = found.finished(key)
    times = [found.time_to(key, level) for level in levels]
    cells = ["–" if time == float("inf") else f"{time:.3g}" for time in times]
    defaults = [point for point in found.curve(key) if point["rung"].get("defaults")]
    own = f"{defaults[0]['seconds']:.3g}, {defaults[0]['ratio']:.3f}" if defaults else "–"
    peaks = [run["peak_bytes"] for run in runs if run["peak_bytes"] is not None]
    peak = f"{max(peaks) / 1e6:,.0f}" if peaks else "–"
    seeds = str(len({run["seed"] for run in runs}))
    return [found.peer(key)["label"], f"{found.best(key):.3f}", *cells, own, peak, seeds]


def _notes(found: Measured) -> list[str]:
    rows_mb = 4.0 * found.data["n"] * found.data["d"] / 1e6
    notes = [
        f"A dash: not reached. Memory: anonymous, above the rows themselves ({rows_mb:,.0f} MB).",
    ]
    if found.floors:
        notes.append(
            f"Floors of exact k-means here: {found.floors['gemm_iteration_s']:.3g} s of matrix "
            f"product an iteration (at {found.floors['gemm_flops'] / 1e9:,.0f} GFLOP/s in "
            f"float32, {_blas(found)}), ten of "
            f"them {10 * found.floors['gemm_iteration_s']:.3g} s; one read of the rows "
            f"{found.floors['memory_iteration_s']:.3g} s (at "
            f"{found.floors['memory_bytes_per_s'] / 1e9:,.1f} GB/s)."
        )
    versions = ", ".join(f"{k} {v}" for k, v in found.machine["versions"].items())
    notes.append(
        f"{found.machine['processor']}, {found.machine['cores']} cores, {found.threads} threads, "
        f"{found.machine['system']}, Python {found.machine['python']}, {versions}, "
        f"{found.machine['date']}."
    )
    if found.options.get("seeds"):
        seeds = ", ".join(str(seed) for seed in found.options["seeds"])
        code = found.options.get("code")
        notes.append(f"Seeds: {seeds}." + (f" Code: {describe(code)}." if code else ""))
    if found.turns_left():
        notes.append(f"Not finished: {found.turns_left()} turns of peers are left.")
    notes += _left_out(found)
    if found.disturbed() > 0:
        notes.append(
            f"Other processes disturbed {found.disturbed():.0%} of the runs (more than "
            f"{DISTURBED:g} cores): repeat on an idle machine before quoting times. OpenMP's "
            "threads spin while they wait, which costs scikit-learn, faiss and superkmeans "
            "most; OMP_WAIT_POLICY=passive in the environment tames that."
        )
    return [part for note in notes for part in (note, "")]


def _blas(found: Measured) -> str:
    """Name the library that made the products of the floor."""
    names = [
        f"{library['name']} {library['version'] or ''}".strip()
        for library in found.machine.get("libraries", [])
        if library["api"] == "blas"
    ]
    return " and ".join(dict.fromkeys(names)) or "unknown BLAS"


def _left_out(found: Measured) -> list[str]:
    """Return the reasons, except convergence, why rungs have no times."""
    counts: dict[str, dict[str, int]] = {}
    for run in found.runs:
        reason = run["status"].partition(":")[0]
        if reason not in ("ok", CONVERGED):
            labels = counts.setdefault(reason, {})
            label = found.peer(run["peer"])["label"]
            labels[label] = labels.get(label, 0) + 1
    past = found.options.get("once_past_s", 0)
    explained = {
        ONCE: f"Runs past {past:.0f} s, made with one seed alone (runs spared)",
        TOO_SLOW: f"Runs past the limit of {found.options.get('run_limit_s', 0):.0f} s",
        OUT_OF_TIME: "Runs for which the time budget did not suffice",
        FAILED: "Runs that failed",
    }
    return [
        f"{explained.get(reason, reason)}: "
        + ", ".join(f"{label} ({count})" for label, count in labels.items())
        + "."
        for reason, labels in counts.items()
    ]

"""Peak memory above the rows, of one fit in a fresh process."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from annlab.benchmarks.machine import machine_record, wait_until_idle
from annlab.benchmarks.peers import all_peers
from annlab.benchmarks.running import START_S, Child
from annlab.benchmarks.store import Store

#: The case, and what is allowed: so many times the bytes of the rows.
DATA, N_CLUSTERS, LIMIT = "P200", 4096, 1.5
#: Who is measured, on which rung; memory does not grow with the iterations.
RUNGS: dict[str, dict[str, Any]] = {
    "annlab-auto": {"defaults": True},
    "annlab-graph": {"defaults": True},
    "sklearn-random": {"max_iter": 3},
}
_RUN_S = 600.0


def measure_memory(
    store: Store,
    *,
    data: str = DATA,
    n: int | None = None,
    n_clusters: int = N_CLUSTERS,
    peers: Sequence[str] = tuple(RUNGS),
    wait_idle_s: float = 0.0,
) -> bool:
    """Measure peers that the store does not have yet, each in a process of its own.

    Parameters
    ----------
    store : Store
        Its settings say how many threads and which random state.
    data : str, default="P200"
        Of `annlab.datasets.available_benchmark_data`.
    n : int, optional
        Fewer rows, for a trial.
    n_clusters : int, default=4096
    peers : sequence of str
        Keys of `RUNGS`.
    wait_idle_s : float, default=0

    Returns
    -------
    bool
        Whether all are measured now.

    Notes
    -----
    The process loads the rows and the compiled loops, then the kernel's high-water mark of
    anonymous memory is reset, then one fit runs.
    """
    from annlab.datasets import load_benchmark_data

    keys = {f"{data}, k={n_clusters}, {peer}": peer for peer in peers}
    todo = {key: peer for key, peer in keys.items() if not store.has(key)}
    if not todo:
        return True
    X = load_benchmark_data(data, n=n).X
    with tempfile.TemporaryDirectory(prefix="annlab-bench-") as folder:
        path = Path(folder) / "rows.npy"
        np.save(path, X)
        for key, peer in todo.items():
            wait_until_idle(wait_idle_s)
            cell = {
                "key": key,
                "peer": peer,
                "label": all_peers()[peer].label,
                "data": data,
                "n": len(X),
                "d": X.shape[1],
                "k": n_clusters,
                "x_bytes": X.nbytes,
            }
            store.add({**cell, **_one(peer, path, n_clusters, store)})
    return all(store.has(key) for key in keys)


def _one(peer: str, path: Path, n_clusters: int, store: Store) -> dict[str, Any]:
    settings = store.settings
    job = {
        "peer": peer,
        "path": str(path),
        "n_clusters": n_clusters,
        "rungs": [{"id": 0, "settings": RUNGS[peer]}],
        "seed": settings["random_state"],
        "threads": settings["threads"],
        "run_limit_s": _RUN_S,
    }
    child = Child(job, settings["threads"])
    reason = "no answer"
    try:
        while True:
            answer = child.answer(START_S + 2 * _RUN_S)
            if answer["event"] == "ready":
                store.machine = answer["machine"]
            elif answer["event"] == "run":
                return {
                    "status": "ok",
                    "peak_bytes": answer["peak_bytes"],
                    "memory": answer["memory"],
                    "seconds": answer["seconds"],
                    "others_cores": answer["others_cores"],
                    "date": machine_record()["date"],
                }
            elif answer["event"] != "begin":
                reason = answer.get("reason", answer["event"])
                return {"status": f"failed: {reason}"}
    finally:
        child.close()


def page(part: dict[str, Any]) -> list[str]:
    """Lines of Markdown: one row for each peer."""
    lines = [
        "Highest anonymous memory during one fit in a fresh process, above what was there with the "
        f"rows and the compiled loops loaded. To reach: less than {LIMIT:g} × the rows.",
        "",
        "| peer | data, k | rows, MB | peak above, MB | × rows | s | |",
        "|---|---|---|---|---|---|---|",
    ]
    for cell in part["cells"]:
        if cell["status"] != "ok" or cell["peak_bytes"] is None:
            lines.append(f"| {cell['label']} | {cell['data']}, {cell['k']:,} | – | – | – | – | – |")
            continue
        ratio = cell["peak_bytes"] / cell["x_bytes"]
        word = "kept" if ratio < LIMIT else "**missed**"
        lines.append(
            f"| {cell['label']} | {cell['data']} ({cell['n']:,} × {cell['d']}), {cell['k']:,} | "
            f"{cell['x_bytes'] / 1e6:,.0f} | {cell['peak_bytes'] / 1e6:,.0f} | {ratio:.2f} | "
            f"{cell['seconds']:.3g} | {word if cell['peer'].startswith('annlab-') else ''} |"
        )
    return [*lines, ""]

"""What ``annlab cluster`` writes: labels, centroids and a report, whole or not at all."""

from __future__ import annotations

import argparse
import contextlib
import csv
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annlab._support.errors import invalid
from annlab._support.files import is_disk_full
from annlab._version import __version__

if TYPE_CHECKING:
    import numpy as np

    from annlab._cli.cluster_input import Rows
    from annlab.result import KMeansResult

#: What the command writes, in this order: a report that is there says that the rest is.
OUTPUTS = ("labels.npy", "centroids.npy", "labels.csv", "centroids.csv", "report.md", "report.json")
_TABLES = ("labels.csv", "centroids.csv")


def _outputs(table: bool) -> list[str]:
    return [name for name in OUTPUTS if table or name not in _TABLES]


def prepare(folder: Path, *, force: bool) -> None:
    """Say now, and not after the clustering, what will stand in the way of writing."""
    if folder.exists() and not folder.is_dir():
        raise invalid("--out", "a folder, or a name that is free", folder, "Name another one.")
    # also those of another kind of input: results of two runs are not to lie side by side
    there = [name for name in OUTPUTS if os.path.lexists(folder / name)]
    if there and not force:
        raise invalid(
            "--out",
            "a folder without results",
            f"{folder}, which holds {', '.join(there)}",
            "Name another one, or replace them with --force.",
        )
    made = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as reason:
        if made:
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise invalid(
            "--out",
            "a folder in which files can be written",
            f"{folder} ({reason.strerror or reason})",
            "Name another one, such as --out ~/clusters.",
        ) from reason


def write_outputs(
    folder: Path,
    result: KMeansResult,
    centroids: np.ndarray,
    report: dict[str, Any],
    rows: Rows,
) -> list[Path]:
    """Write labels, centroids and report; an older result is replaced once all is written.

    Returns
    -------
    list of Path
        The files, the report last.
    """
    import numpy as np

    names = _outputs(rows.table)
    staging = Path(tempfile.mkdtemp(dir=folder, prefix=".annlab-"))
    try:
        np.save(staging / "labels.npy", result.labels)
        np.save(staging / "centroids.npy", centroids)
        if rows.table:
            places = range(1, rows.n + 1) if rows.numbers is None else rows.numbers.tolist()
            pairs = zip(places, result.labels.tolist(), strict=True)
            _write_table(staging / "labels.csv", ["row", "label"], pairs)
            called = rows.names or [f"column {place}" for place in range(1, rows.d + 1)]
            lines = ([label, *row] for label, row in enumerate(centroids.tolist()))
            _write_table(staging / "centroids.csv", ["label", *called], lines)
        (staging / "report.md").write_text(as_text(report), encoding="utf-8")
        (staging / "report.json").write_text(json.dumps(report, indent=1), encoding="utf-8")
        # first no report, then the files, the report last: what lies there is whole or has none
        for name in reversed(OUTPUTS):
            with contextlib.suppress(FileNotFoundError):
                (folder / name).unlink()
        for name in names:
            os.replace(staging / name, folder / name)
    except OSError as reason:
        if not is_disk_full(reason):
            raise
        raise invalid(
            "--out",
            "a folder on a disk with room for the results",
            f"{folder.resolve()}, whose disk is full",
            "Free some space, or name a folder on another disk.",
        ) from reason
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return [folder / name for name in names]


def _write_table(path: Path, header: list[str], lines: Any) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(header)
        table.writerows(lines)


def make_report(
    options: argparse.Namespace, rows: Rows, result: KMeansResult, notes: list[str], total_s: float
) -> dict[str, Any]:
    """Everything about a run, as values that JSON holds."""
    import numpy as np

    sizes = np.bincount(result.labels, minlength=result.n_clusters)
    return {
        "annlab": __version__,
        "input": {
            "file": rows.name,
            "n_samples": rows.n,
            "n_features": rows.d,
            "columns": None if rows.names is None else list(rows.names),
            "read_as": list(rows.notes),
        },
        "parameters": {
            "n_clusters": options.n_clusters,
            "algorithm": options.algorithm,
            "metric": options.metric,
            "standardize": options.standardize,
            "max_iter": options.max_iter,
            "n_init": options.n_init,
            "random_state": options.random_state,
            "n_jobs": options.n_jobs,
        },
        "result": {
            "algorithm": result.algorithm,
            "reason": result.reason,
            "inertia": result.inertia,
            "n_iter": result.n_iter,
            "converged": result.converged,
            "stop_reason": result.stop_reason,
            "n_distances": result.n_distances,
            "recall_estimate": result.recall_estimate,
            "recall_interval": result.recall_interval,
            "inertia_of_each_iteration": result.trace.inertia.tolist(),
        },
        "cluster_sizes": {
            "smallest": int(sizes.min()),
            "median": float(np.median(sizes)),
            "largest": int(sizes.max()),
            "empty": int(np.count_nonzero(sizes == 0)),
            "of_each": sizes.tolist(),
        },
        "seconds": {"clustering": result.elapsed_s, "in_all": total_s},
        "notes": notes,
        "files": _outputs(rows.table),
    }


def as_text(report: dict[str, Any]) -> str:
    """The report for people, in Markdown."""
    given, asked, got = report["input"], report["parameters"], report["result"]
    sizes, seconds = report["cluster_sizes"], report["seconds"]
    why = f" ({got['reason']})" if got["reason"] else ""
    lines = [
        f"# {given['file']} in {asked['n_clusters']:,} clusters",
        "",
        f"- **Data**: {given['n_samples']:,} rows of {given['n_features']:,} columns"
        + (f" ({', '.join(given['columns'][:20])})" if given["columns"] else ""),
        *([f"- **Read as**: {'; '.join(given['read_as'])}"] if given["read_as"] else []),
        f"- **Algorithm**: {got['algorithm']}{why}, {asked['metric']}, "
        f"random state {asked['random_state']}",
        f"- **Iterations**: {got['n_iter']}, ended by: {got['stop_reason']}",
        f"- **Inertia**: {got['inertia']:.6g} (sum of squared distances to the nearest "
        "centroid" + (", in standard deviations)" if asked["standardize"] else ")"),
        f"- **Cluster sizes**: {sizes['smallest']:,} to {sizes['largest']:,}, "
        f"median {sizes['median']:,.0f}"
        + (f", {sizes['empty']:,} without a row" if sizes["empty"] else ""),
    ]
    if got["recall_estimate"] is not None and got["recall_estimate"] < 1:
        low, high = got["recall_interval"] or (None, None)
        between = f" (95 % interval {low:.3f} to {high:.3f})" if low is not None else ""
        lines.append(
            f"- **Labels that are exact**: {got['recall_estimate']:.1%} estimated{between}"
        )
    lines.append(f"- **Time**: {seconds['clustering']:.2f} s of {seconds['in_all']:.2f} s in all")
    if not got["converged"]:
        lines += ["", "The clustering had not settled when it ended: raise --max-iter to go on."]
    lines += [f"\nNote: {note}" for note in report["notes"]]
    lines += [
        "",
        "`labels.npy` holds the number of the cluster of each row, `centroids.npy` the centroid",
        "of each cluster, `report.json` this report as values.",
        "",
    ]
    return "\n".join(lines)

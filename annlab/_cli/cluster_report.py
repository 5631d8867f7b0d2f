"""Write labels, centroids and a report of ``annlab cluster``, all or nothing."""

from __future__ import annotations

import argparse
import contextlib
import csv
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annlab._support.errors import invalid
from annlab._support.files import is_disk_full
from annlab._version import __version__
from annlab.datasets.tables import ending_of, is_select

if TYPE_CHECKING:
    import numpy as np

    from annlab.datasets.tables import Table
    from annlab.result import KMeansResult

#: What the command writes; the report comes last, so an interrupted run leaves none.
OUTPUTS = (
    "labels.npy", "centroids.npy", "model.npz", "labels.csv", "centroids.csv", "scan.csv",
    "report.md", "report.json",
)  # fmt: skip


def output_name(source: str) -> str:
    """Return the name of the folder for the results of an input."""
    if is_select(source):
        return "query-clusters"
    path = Path("stdin" if source == "-" else source)
    stem = path.name.removesuffix(path.suffix).removesuffix(ending_of(source))
    return "".join(letter for letter in stem if letter not in "*?[]") + "-clusters"


def prepare(folder: Path, *, force: bool) -> None:
    """Make the folder, and refuse one that cannot be written to."""
    if folder.exists() and not folder.is_dir():
        raise invalid("--out", "a folder, or an unused name", folder, "Name another one.")
    # also files that this run would not write: they would look like its results
    found = [name for name in OUTPUTS if os.path.lexists(folder / name)]
    if found and not force:
        raise invalid(
            "--out",
            "a folder without results",
            f"{folder}, which holds {', '.join(found)}",
            "Name another one, or replace them with --force.",
        )
    is_new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as reason:
        if is_new:
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise invalid(
            "--out",
            "a folder in which files can be written",
            f"{folder} ({reason.strerror or reason})",
            "Name another one, such as --out ~/clusters.",
        ) from reason


def write_outputs(folder: Path, writers: Mapping[str, Callable[[Path], object]]) -> list[Path]:
    """Write files, each by its function; replace older results at the end."""
    staging = Path(tempfile.mkdtemp(dir=folder, prefix=".annlab-"))
    try:
        for name, write in writers.items():
            write(staging / name)
        # the report goes first and comes back last: with a report, the results are complete
        for name in reversed(OUTPUTS):
            with contextlib.suppress(FileNotFoundError):
                (folder / name).unlink()
        for name in writers:
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
    return [folder / name for name in writers]


def label_writers(labels: np.ndarray, table: Table) -> dict[str, Callable[[Path], object]]:
    """Return functions that write the labels as an array and as a table."""
    import numpy as np

    def write_csv(path: Path) -> None:
        rows = range(1, len(labels) + 1) if table.rows is None else table.rows.tolist()
        write_table(path, ["row", "label"], zip(rows, labels.tolist(), strict=True))

    writers: dict[str, Callable[[Path], object]] = {"labels.npy": lambda p: np.save(p, labels)}
    return writers | ({"labels.csv": write_csv} if table.source else {})


def result_writers(
    result: KMeansResult, centroids: np.ndarray, report: dict[str, Any], table: Table
) -> dict[str, Callable[[Path], object]]:
    """Return functions that write the files of a report, except scan.csv."""
    import numpy as np

    called = table.names or [f"column {place + 1}" for place in table.columns]
    lines = ([label, *row] for label, row in enumerate(centroids.tolist()))
    writers = label_writers(result.labels, table) | {
        "centroids.npy": lambda path: np.save(path, centroids),
        "model.npz": result.save,
        "centroids.csv": lambda path: write_table(path, ["label", *called], lines),
        "report.md": lambda path: path.write_text(as_text(report), encoding="utf-8"),
        "report.json": lambda path: path.write_text(json.dumps(report, indent=1), encoding="utf-8"),
    }
    return {name: writers[name] for name in report["files"] if name in writers}


def write_table(path: Path, header: list[str], lines: Iterable[Iterable[Any]]) -> None:
    """Write a CSV file."""
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(header)
        table.writerows(lines)


def make_report(
    options: argparse.Namespace,
    table: Table,
    result: KMeansResult,
    notes: list[str],
    total_s: float,
) -> dict[str, Any]:
    """Collect everything about a run as values that JSON can store."""
    import numpy as np

    n, d = table.X.shape
    sizes = np.bincount(result.labels, minlength=result.n_clusters)
    # people open tables in a spreadsheet program, but not arrays
    tables = ("labels.csv", "centroids.csv") if table.source else ()
    skipped = {"labels.csv", "centroids.csv", "scan.csv"}.difference(tables)
    asked = (
        "n_clusters", "algorithm", "metric", "standardize", "max_iter", "n_init", "random_state",
        "n_jobs",
    )  # fmt: skip
    return {
        "annlab": __version__,
        "input": {
            "file": table.name,
            "n_samples": n,
            "n_features": d,
            "columns": table.names and list(table.names),
            "read_as": table.notes,
        },
        "parameters": {name: getattr(options, name) for name in asked},
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
        "files": [name for name in OUTPUTS if name not in skipped],
    }


def as_text(report: dict[str, Any]) -> str:
    """Write the report in Markdown."""
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
        lines += ["", "The clustering did not converge: raise --max-iter to continue."]
    lines += [f"\nNote: {note}" for note in report["notes"]]
    lines += [
        "",
        "`labels.npy` holds the number of the cluster of each row, `centroids.npy` the centroid",
        "of each cluster, `report.json` this report as values. With `--predict model.npz` (and",
        "`report.json` beside it) the command labels new rows.",
        "",
    ]
    return "\n".join(lines)

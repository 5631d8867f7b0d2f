"""``annlab cluster``: cluster a file and write labels, centroids and a report."""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import json
import warnings
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from annlab._cli.cluster_report import (
    as_text,
    label_writers,
    make_report,
    output_name,
    prepare,
    result_writers,
    write_outputs,
    write_table,
)
from annlab._support.errors import AnnlabWarning, invalid
from annlab._support.memory import available_memory, readable_size
from annlab._support.progress import tell
from annlab.datasets.tables import ARRAYS, CHOICES, ending_of, named_as_flags, read_table

if TYPE_CHECKING:
    import numpy as np

    from annlab._support.types import Matrix
    from annlab.datasets.tables import Table
    from annlab.metrics import ClusterScan
    from annlab.result import KMeansResult

_DESCRIPTION = (
    "Cluster the rows of a file and write labels, centroids and a report.\n\n"
    "INPUT is an .npy file (memory-mapped: it is read in blocks), .npz, a text table (.csv,\n"
    ".tsv, .txt, also .gz and .zst), .parquet, a pattern of such files in quotes, one SELECT\n"
    "statement over them, or - for a table on standard input. The folder --out then holds\n"
    "labels.npy, centroids.npy, model.npz, report.md to read and report.json for programs;\n"
    "for tables also labels.csv and centroids.csv. --force replaces existing results."
)
_EPILOG = (
    "exit status:\n"
    "  0    done\n"
    "  2    the call, the file or the installation is at fault; one sentence says why\n"
    "  130  stopped with Ctrl-C; the result so far is written\n\n"
    "examples:\n"
    "  annlab cluster rows.npy --n-clusters 1000\n"
    "  annlab cluster people.csv --n-clusters 8 --columns height,weight\n"
    "  annlab cluster table.csv --n-clusters 8 --columns 2-5 --out first-try\n"
    "  annlab cluster \"SELECT height, age FROM 'people*.csv' WHERE age > 18\" --n-clusters 8\n"
    "  annlab cluster people.csv --n-clusters 8 --standardize\n"
    "  annlab cluster words.npz --key vectors --n-clusters 500 --metric cosine\n"
    "  annlab cluster rows.npy --n-clusters 4096 --algorithm hnsw --n-jobs 4 --json\n"
    "  annlab cluster people.csv --n-clusters 2-20\n"
    "  annlab cluster new.csv --predict people-clusters/model.npz\n\n"
    "then, in Python:\n"
    "  labels = numpy.load('rows-clusters/labels.npy')"
)
#: Ratio of the spreads of two columns above which the report mentions it.
_UNLIKE = 100.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``annlab cluster``."""
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    add = parser.add_argument
    add("input", metavar="INPUT", help="file, pattern, SELECT statement or -")
    k_help = "number of clusters, or a range such as 2-20 of which the best is chosen"
    add("--n-clusters", metavar="K", help=k_help)
    predict_help = "label the rows of INPUT by the model.npz of an earlier call; no --n-clusters"
    add("--predict", type=Path, metavar="MODEL", help=predict_help)
    algorithms = "auto (default), brute (exact), hnsw, ...; a wrong name lists all"
    add("--algorithm", default="auto", metavar="NAME", help=algorithms)
    add("--metric", default="euclidean", metavar="NAME", help="euclidean (default) or cosine")
    for name, default, text in (
        ("--max-iter", 100, "maximum number of iterations (100)"),
        ("--n-init", 1, "starts; the best result is kept (1)"),
        ("--random-state", 0, "seed: the same one gives the same result (0)"),
        ("--n-jobs", None, "threads (all cores); does not change the result"),
    ):
        add(name, type=int, default=default, metavar="N", help=text)
    add("--columns", metavar="LIST", help="columns to use, by name or number from 1: 1-3,7")
    add("--key", metavar="NAME", help="array in an .npz file, if it holds several")
    for name, text in (
        ("header", "does the first line of a text file hold names?"),
        ("delimiter", "what separates the columns of a text file"),
        ("decimal", "decimal mark"),
        ("thousands", "mark between thousands, as in 1,033"),
    ):
        usual = CHOICES[name][0]
        add(f"--{name}", choices=CHOICES[name], default=usual, help=f"{text} ({usual})")
    for name, text in (
        ("--skip-bad-rows", "skip rows that do not fit or lack a value; the report says which"),
        ("--standardize", "scale each column to mean 0 and standard deviation 1"),
        ("--force", "replace existing results"),
        ("--json", "print the report as JSON"),
        ("--quiet", "show no progress"),
    ):
        add(name, action="store_true", help=text)
    add("--out", type=Path, metavar="FOLDER", help="default: ./NAME-clusters, from INPUT's name")


@named_as_flags()
def run(options: argparse.Namespace) -> int:
    """Read, cluster or predict, and write; return 0, or 130 if interrupted."""
    begin = perf_counter()
    ks = _check_options(options)
    folder = (options.out or Path(output_name(options.input))).expanduser()
    is_new = not folder.exists()
    prepare(folder, force=options.force)
    try:
        if options.predict is not None:
            return _predict(options, folder)
        table = _read(options, options.columns)
        _check_size(table, ks[-1], options)
        fitted = _fit(table, ks, options)
    except BaseException:
        if is_new:
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise
    for note in fitted.notes:
        tell(f"annlab cluster: {note}")
    writers, report, scan = {}, {}, fitted.scan
    if fitted.result is not None:
        options.n_clusters = fitted.result.n_clusters
        report = make_report(options, table, fitted.result, fitted.notes, perf_counter() - begin)
        report["scaling"] = fitted.scaling and [column.tolist() for column in fitted.scaling]
        writers = result_writers(fitted.result, fitted.centroids(), report, table)
    if scan is not None:
        rows = scan.to_table()
        report["scan"] = rows
        writers["scan.csv"] = lambda path: write_table(
            path, list(rows[0]), [row.values() for row in rows]
        )
    written = write_outputs(folder, writers)
    if options.json:
        print(json.dumps(report, indent=1))
    else:
        if scan is not None:
            print(f"{scan}\n")
        if fitted.result is not None:
            print(as_text(report).partition("\n`labels.npy`")[0].strip())
        print("\nWritten: " + ", ".join(map(str, written)))
    return 130 if fitted.result is not None and fitted.result.stop_reason == "interrupted" else 0


def _read(options: argparse.Namespace, columns: str | None) -> Table:
    given = {name: getattr(options, name) for name in ("key", *CHOICES, "skip_bad_rows")}
    table = read_table(options.input, columns=columns, **given)
    if not options.quiet:
        tell(f"{table.name}: {table.X.shape[0]:,} rows, {table.X.shape[1]:,} columns")
        for note in table.notes:
            tell(f"  {note}")
    return table


def _predict(options: argparse.Namespace, folder: Path) -> int:
    """Label rows by a model of an earlier call, with its columns and its scaling."""
    import numpy as np

    from annlab.result import KMeansResult

    model = KMeansResult.load(options.predict)
    facts: dict[str, Any] = {}
    with contextlib.suppress(OSError, ValueError):
        facts = json.loads(options.predict.with_name("report.json").read_text(encoding="utf-8"))
    columns, names = options.columns, facts.get("input", {}).get("columns")
    # arrays have no names
    if columns is None and names and ending_of(options.input) not in ARRAYS:
        line = io.StringIO()
        csv.writer(line).writerow(names)
        columns = line.getvalue().strip()
    table = _read(options, columns)
    X = table.X
    if facts.get("scaling"):
        mean, spread = (np.array(column, dtype=X.dtype) for column in facts["scaling"])
        X = (X - mean) / spread
    try:
        labels = model.assign(X, n_jobs=options.n_jobs)
    except ValueError:
        table.refuse_bad_value()
        raise
    written = write_outputs(folder, label_writers(labels, table))
    sizes = np.bincount(labels, minlength=model.n_clusters).tolist()
    if options.json:
        print(json.dumps({"file": table.name, "n_samples": len(labels), "sizes": sizes}))
    else:
        print(f"{len(labels):,} rows in {model.n_clusters:,} clusters")
        print("Written: " + ", ".join(map(str, written)))
    return 0


def _check_options(options: argparse.Namespace) -> list[int]:
    """Check options without reading data; return the numbers of clusters to try."""
    from annlab._support.checks import check_choice, check_integer
    from annlab.fit.choose import available_algorithms

    check_choice(options.algorithm, "--algorithm", available_algorithms())
    check_choice(options.metric, "--metric", ("euclidean", "cosine"))
    check_integer(options.max_iter, "--max-iter")
    check_integer(options.n_init, "--n-init")
    check_integer(options.random_state, "--random-state", minimum=0, maximum=2**32 - 1)
    if options.n_jobs == 0:
        rule, remedy = "an integer other than 0", "Leave it out to use all cores."
        raise invalid("--n-jobs", rule, 0, remedy)
    if options.predict is not None:
        return []
    low, _, high = (options.n_clusters or "").partition("-")
    if not low.isdigit() or not (high or low).isdigit() or not 1 <= int(low) <= int(high or low):
        rule = "an integer >= 1, or a range such as 2-20"
        remedy = "To label rows by an earlier result: --predict model.npz."
        raise invalid("--n-clusters", rule, options.n_clusters or "nothing", remedy)
    return list(range(int(low), int(high or low) + 1))


def _check_size(table: Table, k: int, options: argparse.Namespace) -> None:
    """Refuse more clusters than rows, and a fit that does not fit into memory."""
    n, d = table.X.shape
    if k > n:
        rule = f"at most the {n:,} rows of {table.name}"
        raise invalid("--n-clusters", rule, k, "Ask for fewer clusters.")
    free = available_memory()
    # labels and distances, both sets of centroids in float64, and the scaled copy
    wanted = 24 * n + 3 * 8 * k * d + 8 * n * d * options.standardize
    if free is not None and wanted > free:
        raise invalid(
            table.name,
            f"small enough for the {readable_size(free)} of free memory",
            f"{readable_size(wanted)}",
            "Ask for fewer clusters or columns, or use a machine with more memory.",
        )


@dataclass(frozen=True)
class _Fitted:
    """A scan, if a range of k was given, and a result, unless no k stands out."""

    result: KMeansResult | None
    scan: ClusterScan | None
    #: Mean and standard deviation of the columns, if they were scaled.
    scaling: tuple[np.ndarray, np.ndarray] | None
    notes: list[str]

    def centroids(self) -> np.ndarray:
        """Centroids in the units of the table."""
        assert self.result is not None
        if self.scaling is None:
            return self.result.centroids
        mean, spread = self.scaling
        return self.result.centroids * spread + mean


def _fit(table: Table, ks: list[int], options: argparse.Namespace) -> _Fitted:
    """Scan the numbers of clusters if there are several, then cluster."""
    from annlab.clustering import kmeans_ann
    from annlab.metrics import scan_n_clusters

    common = {
        "metric": options.metric,
        "random_state": options.random_state,
        "n_jobs": options.n_jobs,
        "progress": not options.quiet,
    }
    result, scan = None, None
    k: int | None = ks[0]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", AnnlabWarning)
        X, scaling, notes = _scale(table, options)
        try:
            if len(ks) > 1:
                scan = scan_n_clusters(X, ks, **common)
                notes.append(f"Of {ks[0]} to {ks[-1]} clusters, {scan.answer}.")
                k = scan.best_k
            if k is not None:
                result = kmeans_ann(
                    X, k, options.max_iter, algorithm=options.algorithm, n_init=options.n_init,
                    **common,
                )  # fmt: skip
        except ValueError:
            # name the column and the row of the file, where the library names X
            table.refuse_bad_value()
            raise
        except MemoryError as reason:
            raise invalid(
                table.name,
                "small enough for the memory of this machine",
                f"{table.X.shape[0]:,} rows of {table.X.shape[1]:,} columns",
                "Save it as a float32 .npy file, which is read in blocks.",
            ) from reason
    for warning in caught:
        if warning.category is AnnlabWarning:
            notes.append(str(warning.message))
        else:
            warnings.warn_explicit(
                warning.message, warning.category, warning.filename, warning.lineno
            )
    return _Fitted(result, scan, scaling, list(dict.fromkeys(notes)))


def _scale(
    table: Table, options: argparse.Namespace
) -> tuple[Matrix, tuple[np.ndarray, np.ndarray] | None, list[str]]:
    """Standardise the columns if requested; else note very different spreads."""
    import numpy as np

    from annlab._support.checks import working_dtype

    X, notes = table.X, list[str]()
    if not isinstance(X, np.ndarray):
        if options.standardize:
            rule = "left out for sparse input"
            raise invalid("--standardize", rule, "it", "Scale the columns beforehand.")
        return X, None, notes
    sample = X[:: 1 if options.standardize else max(1, len(X) // 10_000)]
    with np.errstate(all="ignore"):
        spread = np.asarray(sample.std(axis=0, dtype=np.float64))
        mean = np.asarray(sample.mean(axis=0, dtype=np.float64))
    if options.standardize:
        dtype = working_dtype(X.dtype)
        mean, spread = mean.astype(dtype), np.where(spread > 0, spread, 1.0).astype(dtype)
        return (X - mean) / spread, (mean, spread), notes
    held = np.flatnonzero(spread > 0)
    if options.metric == "euclidean" and len(held):
        most, least = held[spread[held].argmax()], held[spread[held].argmin()]
        ratio = spread[most] / spread[least]
        if ratio > _UNLIKE:
            names = table.names or [f"column {place + 1}" for place in table.columns]
            notes.append(
                f"The values of {names[most]} spread {ratio:,.0f} times as far as those of "
                f"{names[least]}, so they decide the distances alone. If the units differ: "
                "--standardize."
            )
    return X, None, notes

"""``annlab cluster``: cluster a file and write labels, centroids and a report."""

from __future__ import annotations

import argparse
import contextlib
import json
import warnings
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from annlab._cli.cluster_report import as_text, make_report, output_name, prepare, write_outputs
from annlab._support.errors import AnnlabWarning, invalid
from annlab._support.memory import available_memory, readable_size
from annlab._support.progress import tell
from annlab.datasets.tables import CHOICES, named_as_flags, read_table

if TYPE_CHECKING:
    import numpy as np

    from annlab._support.types import Matrix
    from annlab.datasets.tables import Table
    from annlab.result import KMeansResult

#: Ratio of the spreads of two columns above which the report mentions it.
_UNLIKE = 100.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``annlab cluster``."""
    parser.description = (
        "Cluster the rows of a file and write labels, centroids and a report.\n\n"
        "INPUT is an .npy file (memory-mapped: it is read in blocks), .npz, a text table (.csv,\n"
        ".tsv, .txt, also .gz and .zst), .parquet, a pattern of such files in quotes, one SELECT\n"
        "statement over them, or - for a table on standard input. The folder --out then holds\n"
        "labels.npy, centroids.npy, report.md to read and report.json for programs; for tables\n"
        "also labels.csv and centroids.csv. Existing results are overwritten only with --force."
    )
    parser.epilog = (
        "exit status:\n"
        "  0    done\n"
        "  2    the call, the file or the installation is at fault; one sentence says why\n"
        "  130  stopped with Ctrl-C; what had been reached by then is written\n\n"
        "examples:\n"
        "  annlab cluster rows.npy --n-clusters 1000\n"
        "  annlab cluster people.csv --n-clusters 8 --columns height,weight\n"
        "  annlab cluster table.csv --n-clusters 8 --columns 2-5 --out first-try\n"
        "  annlab cluster \"SELECT height, age FROM 'people*.csv' WHERE age > 18\" --n-clusters 8\n"
        "  annlab cluster people.csv --n-clusters 8 --standardize\n"
        "  annlab cluster words.npz --key vectors --n-clusters 500 --metric cosine\n"
        "  annlab cluster rows.npy --n-clusters 4096 --algorithm hnsw --n-jobs 4 --json\n\n"
        "then, in Python:\n"
        "  labels = numpy.load('rows-clusters/labels.npy')"
    )
    add = parser.add_argument
    add("input", metavar="INPUT", help="file, pattern, SELECT statement or -")
    add("--n-clusters", type=int, required=True, metavar="K", help="number of clusters")
    algorithms = "auto (default), brute (exact), hnsw, ...; a wrong name lists all"
    add("--algorithm", default="auto", metavar="NAME", help=algorithms)
    add("--metric", default="euclidean", metavar="NAME", help="euclidean (default) or cosine")
    for name, default, text in (
        ("--max-iter", 100, "iterations at most (100)"),
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
        default = CHOICES[name][0]
        add(f"--{name}", choices=CHOICES[name], default=default, help=f"{text} ({default})")
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
    """Read, cluster and write; return 0, or 130 if interrupted."""
    begin = perf_counter()
    _check_options(options)
    folder = (options.out or Path(output_name(options.input))).expanduser()
    is_new = not folder.exists()
    prepare(folder, force=options.force)
    try:
        given = ("columns", "key", *CHOICES, "skip_bad_rows")
        table = read_table(options.input, **{name: getattr(options, name) for name in given})
        _check_size(table, options)
        if not options.quiet:
            tell(f"{table.name}: {table.X.shape[0]:,} rows, {table.X.shape[1]:,} columns")
            for note in table.notes:
                tell(f"  {note}")
        result, centroids, notes = _fit(table, options)
    except BaseException:
        if is_new:
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise
    report = make_report(options, table, result, notes, perf_counter() - begin)
    written = write_outputs(folder, result, centroids, report, table)
    for note in notes:
        tell(f"annlab cluster: {note}")
    if options.json:
        print(json.dumps(report, indent=1))
    else:
        print(as_text(report).partition("\n`labels.npy`")[0].strip())
        print("\nWritten: " + ", ".join(str(file) for file in written))
    return 130 if result.stop_reason == "interrupted" else 0


def _check_options(options: argparse.Namespace) -> None:
    from annlab._support.checks import check_choice, check_integer
    from annlab.fit.choose import available_algorithms

    check_choice(options.algorithm, "--algorithm", available_algorithms())
    check_choice(options.metric, "--metric", ("euclidean", "cosine"))
    check_integer(options.n_clusters, "--n-clusters")
    check_integer(options.max_iter, "--max-iter")
    check_integer(options.n_init, "--n-init")
    check_integer(options.random_state, "--random-state", minimum=0, maximum=2**32 - 1)
    if options.n_jobs == 0:
        rule, remedy = "an integer other than 0", "Leave it out to use all cores."
        raise invalid("--n-jobs", rule, 0, remedy)


def _check_size(table: Table, options: argparse.Namespace) -> None:
    """Refuse more clusters than rows, and a fit that does not fit into memory."""
    n, d = table.X.shape
    if options.n_clusters > n:
        raise invalid(
            "--n-clusters",
            f"at most the {n:,} rows of {table.name}",
            options.n_clusters,
            "Ask for fewer clusters.",
        )
    free = available_memory()
    # labels and distances, both sets of centroids in float64, and the scaled copy
    wanted = 24 * n + 3 * 8 * options.n_clusters * d + 8 * n * d * options.standardize
    if free is not None and wanted > free:
        raise invalid(
            table.name,
            f"small enough for the {readable_size(free)} that are free",
            f"a need of {readable_size(wanted)}",
            "Ask for fewer clusters or columns, or use a machine with more memory.",
        )


def _fit(table: Table, options: argparse.Namespace) -> tuple[KMeansResult, np.ndarray, list[str]]:
    """Return the result, the centroids in the units of the input, and notes for the report."""
    from annlab.clustering import kmeans_ann

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", AnnlabWarning)
        X, mean, spread, notes = _scale(table, options)
        try:
            result = kmeans_ann(
                X,
                options.n_clusters,
                options.max_iter,
                algorithm=options.algorithm,
                metric=options.metric,
                n_init=options.n_init,
                random_state=options.random_state,
                n_jobs=options.n_jobs,
                progress=not options.quiet,
            )
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
    return result, result.centroids * spread + mean, list(dict.fromkeys(notes))


def _scale(
    table: Table, options: argparse.Namespace
) -> tuple[Matrix, np.ndarray, np.ndarray, list[str]]:
    """Standardise the columns if asked for; else note columns of very different spread.

    Returns X, mean, spread, notes; ``X * spread + mean`` is in the units of the table.
    """
    import numpy as np

    from annlab._support.checks import working_dtype

    X, dtype, notes = table.X, working_dtype(table.X.dtype), []
    # of the lower precision, so that the centroids keep their own
    unscaled = np.zeros(1, dtype=np.float32), np.ones(1, dtype=np.float32)
    if not isinstance(X, np.ndarray):
        if options.standardize:
            rule = "left out for sparse input"
            raise invalid("--standardize", rule, "it", "Scale the columns beforehand.")
        return X, *unscaled, notes
    sample = X[:: 1 if options.standardize else max(1, len(X) // 10_000)]
    with np.errstate(all="ignore"):
        spread = np.asarray(sample.std(axis=0, dtype=np.float64))
        mean = np.asarray(sample.mean(axis=0, dtype=np.float64)).astype(dtype)
    if options.standardize:
        spread = np.where(spread > 0, spread, 1.0).astype(dtype)
        return (X - mean) / spread, mean, spread, notes
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
    return X, *unscaled, notes

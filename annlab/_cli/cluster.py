"""``annlab cluster``: rows in, labels, centroids and a report out.

Nothing is computed here: `read_rows` opens the input, `kmeans_ann` clusters, `write_outputs`
writes. Whatever can be known before the clustering is checked before it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import warnings
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from annlab._cli.cluster_input import Rows, bad_value, output_name, read_rows
from annlab._cli.cluster_report import OUTPUTS, as_text, make_report, prepare, write_outputs
from annlab._support.errors import AnnlabWarning, invalid
from annlab._support.memory import available_memory, readable_size
from annlab._support.progress import tell

if TYPE_CHECKING:
    import numpy as np

    from annlab.result import KMeansResult

__all__ = ["OUTPUTS", "add_arguments", "as_text", "read_rows", "run"]

#: Ratio of the spreads of two columns past which the report mentions it.
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
    parser.add_argument("input", metavar="INPUT", help="file, pattern, SELECT statement or -")
    parser.add_argument(
        "--n-clusters", type=int, required=True, metavar="K", help="number of clusters"
    )
    parser.add_argument(
        "--algorithm",
        default="auto",
        metavar="NAME",
        help="auto (default), brute (exact), hnsw, ...; a wrong name lists all",
    )
    parser.add_argument(
        "--metric", default="euclidean", metavar="NAME", help="euclidean (default) or cosine"
    )
    parser.add_argument(
        "--max-iter", type=int, default=100, metavar="N", help="iterations at most (100)"
    )
    parser.add_argument(
        "--n-init", type=int, default=1, metavar="N", help="starts; the best result is kept (1)"
    )
    parser.add_argument(
        "--random-state",
        type=int,
        default=0,
        metavar="N",
        help="seed: the same one gives the same result (0)",
    )
    parser.add_argument(
        "--n-jobs", type=int, metavar="N", help="threads (all cores); does not change the result"
    )
    parser.add_argument(
        "--columns", metavar="LIST", help="columns to use, by name or number from 1: 1-3,7"
    )
    parser.add_argument("--key", metavar="NAME", help="array in an .npz file, if it holds several")
    parser.add_argument(
        "--header",
        choices=("auto", "yes", "no"),
        default="auto",
        help="does the first line of a text file hold names? (auto)",
    )
    parser.add_argument(
        "--delimiter",
        choices=("auto", "tab", "semicolon", "pipe", "comma", "space"),
        default="auto",
        help="what separates the columns of a text file (auto)",
    )
    parser.add_argument(
        "--decimal", choices=("auto", "point", "comma"), default="auto", help="decimal mark (auto)"
    )
    parser.add_argument(
        "--thousands",
        choices=("none", "comma", "point", "space", "apostrophe"),
        default="none",
        help="mark between thousands, as in 1,033 (none)",
    )
    parser.add_argument(
        "--skip-bad-rows",
        action="store_true",
        help="skip rows that do not fit or lack a value; the report says which",
    )
    parser.add_argument(
        "--standardize",
        action="store_true",
        help="scale each column to mean 0 and standard deviation 1 (features in different units)",
    )
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER", help="default: ./NAME-clusters, from INPUT's name"
    )
    parser.add_argument("--force", action="store_true", help="replace results that are there")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument("--quiet", action="store_true", help="show no progress")


def run(options: argparse.Namespace) -> int:
    """Check everything that can be known beforehand, cluster, write; 0, or 130 if interrupted."""
    begin = perf_counter()
    _check_options(options)
    rows = read_rows(
        options.input, columns=options.columns, key=options.key, header=options.header,
        delimiter=options.delimiter, decimal=options.decimal, thousands=options.thousands,
        skip_bad_rows=options.skip_bad_rows,
    )  # fmt: skip
    if options.n_clusters > rows.n:
        raise invalid(
            "--n-clusters",
            f"at most the {rows.n:,} rows of {rows.name}",
            options.n_clusters,
            "Ask for fewer clusters.",
        )
    _check_room(rows, options)
    folder = (options.out or Path(output_name(options.input))).expanduser()
    made = not folder.exists()
    prepare(folder, force=options.force)
    if not options.quiet:
        tell(f"{rows.name}: {rows.n:,} rows, {rows.d:,} columns")
        for note in rows.notes:
            tell(f"  {note}")
    try:
        result, centroids, notes = _fit(rows, options)
    except BaseException:
        if made:
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise
    report = make_report(options, rows, result, notes, perf_counter() - begin)
    written = write_outputs(folder, result, centroids, report, rows)
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
        raise invalid(
            "--n-jobs",
            "an integer other than 0",
            0,
            "Leave it out to use all cores of this machine.",
        )


def _fit(rows: Rows, options: argparse.Namespace) -> tuple[KMeansResult, np.ndarray, list[str]]:
    """Load and cluster; return the result, the centroids in the units of the input, and notes."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", AnnlabWarning)
        try:
            X = rows.load()
            result, centroids, notes = _cluster(X, rows, options)
        except MemoryError as reason:
            raise invalid(
                rows.name,
                "small enough for the memory of this machine",
                f"{rows.n:,} rows of {rows.d:,} columns",
                "Save it as a float32 .npy file, which is read in blocks.",
            ) from reason
    for warning in caught:
        if warning.category is AnnlabWarning:
            notes.append(str(warning.message))
        else:
            warnings.warn_explicit(
                warning.message, warning.category, warning.filename, warning.lineno
            )
    return result, centroids, list(dict.fromkeys(notes))


def _cluster(
    X: Any, rows: Rows, options: argparse.Namespace
) -> tuple[KMeansResult, np.ndarray, list[str]]:
    from annlab.clustering import kmeans_ann

    mean, spread, notes = _spreads(X, rows, options)
    try:
        result = kmeans_ann(
            X if mean is None else (X - mean) / spread,
            options.n_clusters,
            options.max_iter,
            algorithm=options.algorithm,
            metric=options.metric,
            n_init=options.n_init,
            random_state=options.random_state,
            n_jobs=options.n_jobs,
            progress=not options.quiet,
        )
    except ValueError as reason:
        # the library names X; a person looks for a column and a row of the file
        bad = bad_value(X, rows)
        if bad is None:
            raise
        raise bad from reason
    centroids = result.centroids if mean is None else result.centroids * spread + mean
    return result, centroids, notes


def _spreads(
    X: Any, rows: Rows, options: argparse.Namespace
) -> tuple[np.ndarray | None, np.ndarray | None, list[str]]:
    """Mean and standard deviation to scale by, if asked for; else a note if columns are unlike."""
    import numpy as np

    if not isinstance(X, np.ndarray):
        if options.standardize:
            raise invalid(
                "--standardize", "left out for sparse input", "it", "Scale the columns beforehand."
            )
        return None, None, []
    step = 1 if options.standardize else max(1, rows.n // 10_000)
    sample = X[::step]
    with np.errstate(all="ignore"):
        spread = np.asarray(sample.std(axis=0, dtype=np.float64))
    if options.standardize:
        mean = np.asarray(sample.mean(axis=0, dtype=np.float64)).astype(X.dtype)
        return mean, np.where(spread > 0, spread, 1.0).astype(X.dtype), []
    held = spread[spread > 0]
    if options.metric != "euclidean" or not len(held) or not held.max() > _UNLIKE * held.min():
        return None, None, []
    called = rows.names or [f"column {place}" for place in range(1, rows.d + 1)]
    most, least = (
        called[int(spread.argmax())],
        called[int(np.argmin(np.where(spread > 0, spread, np.inf)))],
    )
    note = (
        f"The values of {most} spread {held.max() / held.min():,.0f} times as far as those of "
        f"{least}, so they decide the distances alone. If the units differ: --standardize."
    )
    return None, None, [note]


def _check_room(rows: Rows, options: argparse.Namespace) -> None:
    """Refuse what cannot fit into memory before it is read."""
    free = available_memory()
    # labels, distances and both sets of centroids are held whatever the input is; of a mapped
    # file only the labels, old and new
    held = 24 if rows.load_bytes else 12
    copy = 8 * rows.n * rows.d if options.standardize else 0
    wanted = rows.load_bytes + copy + held * rows.n + 3 * 8 * options.n_clusters * rows.d
    if free is not None and wanted > free:
        remedy = (
            "Choose fewer columns with --columns, or save it as a float32 .npy file, "
            "which is read in blocks."
            if rows.load_bytes
            else "Ask for fewer clusters, or use a machine with more memory."
        )
        raise invalid(
            rows.name,
            f"small enough for the {readable_size(free)} that are free",
            f"a need of {readable_size(wanted)}",
            remedy,
        )

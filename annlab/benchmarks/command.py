"""``annlab bench``: compare k-means implementations from the command line."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from annlab._messages import invalid

#: The cases that annlab's own figures are about.
FULL = (
    ("U100", 10),
    ("U100", 100),
    ("P200", 1024),
    ("P200", 4096),
    ("P200", 16384),
    ("P1M", 4096),
    ("P1M", 65536),
    ("G500", 4096),
)
_PAGE = "README.md"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``annlab bench``."""
    parser.description = (
        "Compare k-means implementations by the time they take to a quality.\n\n"
        "Every peer gets the same rows, threads and seeds, runs in fresh processes, in turns, and\n"
        "is judged by the exact inertia of the labels it returns. Writes numbers (.json), a table\n"
        "(.md) and a plot (.png) for each case, and a page over all of them."
    )
    parser.epilog = (
        "examples:\n"
        "  annlab bench --quick                        a first impression in under two minutes\n"
        "  annlab bench --data P200 --clusters 1024    one case, all peers (many minutes)\n"
        "  annlab bench --full --out data/benchmarks   every case of annlab's figures (hours)\n"
        "  annlab bench --page --out data/benchmarks   write the page anew from the numbers there\n"
    )
    parser.add_argument(
        "--data",
        nargs="+",
        metavar="NAME",
        help="P200 (default), P1M, G500, U100, or a .npy file with rows",
    )
    parser.add_argument(
        "--clusters", nargs="+", type=int, metavar="K", help="default: 1024; 256 with --quick"
    )
    parser.add_argument("--full", action="store_true", help="all cases of annlab's own figures")
    parser.add_argument(
        "--quick", action="store_true", help="at most 20,000 rows, one seed, 90 seconds a case"
    )
    parser.add_argument("--peers", nargs="+", metavar="KEY", help="only these (see --list)")
    parser.add_argument("--list", action="store_true", help="list the peers and end")
    parser.add_argument("--seeds", type=int, metavar="N", help="seeds for each peer (3)")
    parser.add_argument("--seeds-annlab", type=int, metavar="N", help="seeds for annlab (5)")
    parser.add_argument("--ladder", nargs="+", type=int, metavar="N", help="iterations to ask for")
    parser.add_argument("--threads", type=int, metavar="N", help="default: all cores")
    parser.add_argument(
        "--run-limit", type=float, metavar="S", help="end a run after so many seconds (600)"
    )
    parser.add_argument(
        "--budget", type=float, metavar="S", help="begin nothing after so many seconds a case"
    )
    parser.add_argument(
        "--wait-idle",
        type=float,
        default=0.0,
        metavar="S",
        help="wait up to so long before each process for others to leave the machine",
    )
    parser.add_argument("--random-state", type=int, default=0, metavar="N")
    parser.add_argument(
        "--out", default="annlab-bench", metavar="FOLDER", help="default: annlab-bench"
    )
    parser.add_argument("--page", action="store_true", help="only write the page anew")
    parser.add_argument("--silent", action="store_true", help="show no progress")


def run(options: argparse.Namespace) -> int:
    """Run the cases one after the other and write their files; 0 if every case has a result."""
    from annlab.benchmarks.peers import choose_peers

    if options.list:
        for peer in choose_peers(options.peers):
            print(f"{peer.key:24} {peer.label}{_left_out(peer.missing())}")
        return 0
    folder = Path(options.out)
    if options.page:
        print(write_page(folder))
        return 0
    from annlab.benchmarks.running import compare

    failed = 0
    for name, n_clusters in _cases(options):
        result = compare(
            _data(name),
            n_clusters,
            peers=options.peers,
            quick=options.quick,
            n_seeds=options.seeds,
            n_seeds_annlab=options.seeds_annlab,
            ladder=options.ladder,
            run_limit_s=options.run_limit,
            budget_s=options.budget,
            wait_idle_s=options.wait_idle,
            n_jobs=options.threads,
            random_state=options.random_state,
            progress=not options.silent,
        )
        if not result.keys():
            failed += 1
            print(f"No peer finished on {name} with k = {n_clusters}.", file=sys.stderr)
            continue
        print(result.table())
        for path in result.save(folder):
            print(path)
        # after each case, so that a comparison of hours that is cut short leaves a page
        print(write_page(folder))
    return 1 if failed else 0


def _left_out(reason: str) -> str:
    return f" (left out: {reason})" if reason else ""


def _cases(options: argparse.Namespace) -> list[tuple[str, int]]:
    if options.full:
        return list(FULL)
    clusters = options.clusters or [256 if options.quick else 1024]
    return [(name, k) for name in options.data or ["P200"] for k in clusters]


def _data(name: str) -> Any:
    if not name.endswith(".npy"):
        return name
    import numpy as np

    from annlab.datasets import Dataset

    try:
        X = np.load(name, allow_pickle=False)
    except ValueError as reason:
        raise invalid("--data", "an .npy file with numbers", f"{name} ({reason})") from reason
    stem = Path(name).stem
    return Dataset(X=X, labels=None, name=stem, description=f"Rows of {Path(name).name}.")


def write_page(folder: str | Path) -> Path:
    """Write one page over all comparisons in a folder, from their numbers.

    Parameters
    ----------
    folder : path-like
        Holds the ``.json`` files of `Comparison.save`; each is shown with its table and plot.

    Returns
    -------
    pathlib.Path
        ``README.md`` in that folder.

    Raises
    ------
    OSError, ValueError
        Also where there is no comparison in the folder.
    """
    from annlab.benchmarks.comparison import Comparison

    target = Path(folder)
    files = sorted(target.glob("*.json"))
    if not files:
        raise invalid("folder", "a folder with comparisons (.json)", folder, "Run annlab bench.")
    loaded = sorted(
        ((Comparison.load(file), file) for file in files),
        key=lambda pair: (pair[0].data["name"], pair[0].data["n"], pair[0].n_clusters),
    )
    parts = [
        "# k-means by time to quality",
        "",
        "Written by `annlab bench`; the numbers are in the `.json` files beside this page.",
        "Quality is the exact float64 inertia of the labels that a peer returns with the centroids",
        "that it returns; time is that of the whole call.",
        "",
    ]
    for comparison, file in loaded:
        comparison.save(target, file.stem)
        parts += [
            comparison.table(),
            f"![Time to quality on {comparison.data['name']}, "
            f"k = {comparison.n_clusters:,}]({file.stem}.png)",
            "",
        ]
    page = target / _PAGE
    page.write_text("\n".join(parts), encoding="utf-8")
    return page

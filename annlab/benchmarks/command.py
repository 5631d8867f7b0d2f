"""``annlab bench``: compare k-means implementations from the command line."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from annlab._support.checks import check_real
from annlab._support.errors import invalid
from annlab.benchmarks.page import PARTS, write_page
from annlab.benchmarks.store import Store, read_part, settings_of

if TYPE_CHECKING:
    from annlab.benchmarks.comparison import Comparison

#: Random state of targets and parts: nothing was ever tuned with the seeds that it draws.
FRESH = 2611
#: Parts that are made of cells, in the order in which they run.
PART_NAMES = ("grid", "untuned", "growth", "memory")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``annlab bench``."""
    parser.description = (
        "Compare k-means implementations by the time they take to a quality.\n\n"
        "Every peer gets the same rows, threads and seeds, runs in fresh processes, in turns, and\n"
        "is judged by the exact inertia of the labels it returns. Writes numbers (.json), a table\n"
        "(.md) and a plot (.png) for each case, and a page over all of them.\n\n"
        "A fair run needs a quiet machine: nothing else running, power plugged in, and\n"
        "--wait-idle 60, which waits before each process until others keep at most a quarter of\n"
        "a core busy. Each run notes what others used meanwhile; a page says which share of its\n"
        "runs was disturbed. --targets and the parts (--grid, --untuned, --growth, --memory) go\n"
        "on where they were interrupted.\n\n"
        "A peer is one implementation with its settings. Its ladder is a list of numbers of\n"
        "iterations; each is a rung: a run of its own, with a time and an inertia.\n\n"
        "Data, made on the spot: P200, 200,000 patches of two photographs, 192 features; P1M,\n"
        "1,000,000 of them in 64; G500, 500,000 points around 2,000 centres in 128, noisy: hard;\n"
        "U100, 100,000 uniform points in 10."
    )
    parser.epilog = (
        "examples:\n"
        "  annlab bench --quick                        a first impression in under two minutes\n"
        "  annlab bench --data P200 --clusters 1024    one case, all peers (many minutes)\n"
        "  annlab bench --targets --rows P200-1024     target and reached, for one case\n"
        "  annlab bench --grid --budget 30             never slower: as much as 30 minutes give\n"
        "  annlab bench --full --out data/benchmarks   every case, all peers, all rungs (hours)\n"
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
    parser.add_argument(
        "--full", action="store_true", help="all cases of annlab's own figures, whole ladders"
    )
    parser.add_argument(
        "--targets",
        action="store_true",
        help="the same cases, only the rungs that decide; each target and what was reached",
    )
    parser.add_argument("--rows", metavar="NAMES", help="only these cases, such as U100,P200-1024")
    parser.add_argument(
        "--grid",
        action="store_true",
        help="algorithm='auto' against scikit-learn's defaults: a heat map",
    )
    parser.add_argument("--untuned", action="store_true", help="distributions that nobody tuned on")
    parser.add_argument(
        "--growth", action="store_true", help="time against points, clusters, features"
    )
    parser.add_argument("--memory", action="store_true", help="peak memory above the rows")
    parser.add_argument(
        "--max-rows",
        type=int,
        metavar="N",
        help="targets and parts on at most so many rows, as a trial",
    )
    parser.add_argument("--again", action="store_true", help="measure anew what is there already")
    parser.add_argument(
        "--quick", action="store_true", help="at most 20,000 rows, one seed, 90 seconds a case"
    )
    parser.add_argument(
        "--peers", nargs="+", metavar="KEY", help="compare only these peers (see --list)"
    )
    parser.add_argument("--list", action="store_true", help="list the peers and end")
    parser.add_argument("--seeds", type=int, metavar="N", help="seeds for each peer (3)")
    parser.add_argument("--seeds-annlab", type=int, metavar="N", help="seeds for annlab (5)")
    parser.add_argument(
        "--ladder", nargs="+", type=int, metavar="N", help="the rungs: iterations to ask for"
    )
    parser.add_argument("--threads", type=int, metavar="N", help="default: all cores")
    parser.add_argument(
        "--run-limit", type=float, metavar="S", help="end a run after so many seconds (600)"
    )
    parser.add_argument(
        "--budget",
        type=float,
        metavar="MINUTES",
        help="start no new run after so many minutes; what is measured by then is kept",
    )
    parser.add_argument(
        "--wait-idle",
        type=float,
        default=0.0,
        metavar="S",
        help="seconds to wait at most, before each process, until the machine is quiet (0)",
    )
    parser.add_argument(
        "--random-state", type=int, metavar="N", help=f"seed (0; {FRESH} for targets and parts)"
    )
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
    begin = perf_counter()
    deadline = float("inf")
    if options.budget is not None:
        deadline = begin + 60.0 * check_real(options.budget, "--budget", strict=True)
    parts = [name for name in PART_NAMES if getattr(options, name)]
    status = 0
    if options.targets:
        status |= _targets(options, folder, deadline)
    for name in parts:
        status |= _part(name, options, folder, deadline)
    if not (options.targets or parts):
        status |= _comparisons(options, folder, deadline)
    return status


def _settings(options: argparse.Namespace, deadline: float) -> dict[str, Any]:
    """What comparisons and targets take from the command line alike."""
    return {
        "n_seeds": options.seeds,
        "n_seeds_annlab": options.seeds_annlab,
        "run_limit_s": options.run_limit,
        "wait_idle_s": options.wait_idle,
        "n_jobs": options.threads,
        "progress": not options.silent,
        "stop_after_s": None if deadline == float("inf") else max(0.0, deadline - perf_counter()),
    }


def _compare(
    folder: Path, data: Any, stem: str, n_clusters: int, *, resume: bool, **settings: Any
) -> Comparison:
    """Compare, storing the numbers after each peer; go on with what is stored if asked to."""
    from annlab.benchmarks.comparison import Comparison
    from annlab.benchmarks.running import compare

    path = folder / f"{stem}.json"
    earlier = Comparison.load(path) if resume and path.exists() else None
    return compare(
        data,
        n_clusters,
        resume=earlier,
        checkpoint=lambda found: found.save_numbers(folder),
        **settings,
    )


def _comparisons(options: argparse.Namespace, folder: Path, deadline: float) -> int:
    from annlab.benchmarks.comparison import file_stem

    failed = 0
    for name, n_clusters in _cases(options):
        if perf_counter() > deadline:
            failed += 1
            print(f"No time left for {name} with k = {n_clusters}.", file=sys.stderr)
            continue
        data = _data(name)
        result = _compare(
            folder,
            data,
            file_stem(getattr(data, "name", name), n_clusters),
            n_clusters,
            resume=options.full and not options.again,
            peers=options.peers,
            quick=options.quick,
            ladder=options.ladder,
            random_state=options.random_state or 0,
            **_settings(options, deadline),
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


def _targets(options: argparse.Namespace, folder: Path, deadline: float) -> int:
    """Run the cases of the targets, and print target against reached; 0 if all are finished."""
    from annlab.benchmarks.comparison import file_stem
    from annlab.benchmarks.targets import RUN_LIMIT_S, choose_targets, judge, verdict_table
    from annlab.datasets import load_benchmark_data

    cases = choose_targets(options.rows)
    verdicts, unfinished = [], 0
    for number, case in enumerate(cases):
        rows = case.rows if options.max_rows is None else min(case.rows, options.max_rows)
        left_min = sum(target.minutes for target in cases[number:])
        if perf_counter() > deadline or case.n_clusters > rows:
            why = "no time left" if case.n_clusters <= rows else f"more clusters than {rows:,} rows"
            print(f"{case.key}: {why}", file=sys.stderr)
            unfinished += 1
            continue
        if not options.silent:
            print(
                f"Case {number + 1} of {len(cases)}, {case.key}: about {case.minutes:g} minutes on "
                f"four cores, {left_min:g} for all that are left",
                file=sys.stderr,
            )
        settings = _settings(options, deadline)
        settings["run_limit_s"] = options.run_limit or RUN_LIMIT_S
        result = _compare(
            folder,
            load_benchmark_data(case.data, n=rows),
            file_stem(case.data, case.n_clusters),
            case.n_clusters,
            resume=not options.again,
            peers=options.peers or case.peers,
            ladder=options.ladder or dict(case.ladder),
            random_state=FRESH if options.random_state is None else options.random_state,
            **settings,
        )
        unfinished += result.options["turns_left"] > 0
        if result.keys():
            result.save(folder)
            verdicts.append(judge(result, case))
            print("\n".join(verdict_table(verdicts[-1:])))
            print(write_page(folder))
    if len(verdicts) > 1:
        print("\n".join(verdict_table(verdicts)))
    return 1 if unfinished else 0


def _part(name: str, options: argparse.Namespace, folder: Path, deadline: float) -> int:
    """Measure a part of the page; 0 if all of its cells are there."""
    from annlab._support.threads import resolve_n_jobs
    from annlab.benchmarks import grid, growth, memory, untuned
    from annlab.benchmarks.cells import measure_cells

    most = options.max_rows
    usual = {"grid": 5, "untuned": 5, "growth": 5, "memory": 1}
    store = Store(
        folder / f"{name}.json",
        name,
        settings_of(
            resolve_n_jobs(options.threads),
            options.seeds or usual[name],
            FRESH if options.random_state is None else options.random_state,
        ),
        again=options.again,
    )
    if name == "memory":
        complete = perf_counter() < deadline and memory.measure_memory(
            store,
            n=most,
            n_clusters=(options.clusters or [memory.N_CLUSTERS])[0],
            wait_idle_s=options.wait_idle,
        )
    else:
        if name == "grid":
            cells = grid.grid_cells(data=options.data or grid.DATA)
        elif name == "growth":
            cells = growth.growth_cells(most_rows=most)
        else:
            cells = untuned.untuned_cells(most_rows=most)
        if options.clusters:
            cells = [cell for cell in cells if cell["k"] in options.clusters]
        if most is not None:
            cells = [cell for cell in cells if cell["n"] <= most]
        if options.data:
            cells = [cell for cell in cells if cell["data"] in options.data]
        if not cells:
            raise invalid("--data, --clusters, --max-rows", "such that a cell is left", "none")
        complete = measure_cells(
            cells,
            store,
            label=name,
            deadline=deadline,
            wait_idle_s=options.wait_idle,
            progress=not options.silent,
        )
    if store.path.exists():
        (part,) = (part for part in PARTS if part.name == name)
        print("\n".join(part.lines(read_part(store.path))))
        print(write_page(folder))
    return 0 if complete else 1


def _left_out(reason: str) -> str:
    return f" (left out: {reason})" if reason else ""


def _cases(options: argparse.Namespace) -> list[tuple[str, int]]:
    if options.full:
        from annlab.benchmarks.targets import choose_targets

        return [(case.data, case.n_clusters) for case in choose_targets(options.rows)]
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

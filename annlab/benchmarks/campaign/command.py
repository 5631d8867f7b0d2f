"""``annlab bench``: compare k-means implementations from the command line."""

from __future__ import annotations

import argparse
from pathlib import Path
from time import perf_counter
from typing import Any

from annlab._support.checks import check_real
from annlab._support.errors import invalid
from annlab._support.progress import tell
from annlab._support.threads import resolve_n_jobs
from annlab.benchmarks.campaign.cells import measure_cells, settings_of
from annlab.benchmarks.campaign.comparison import Comparison, file_stem
from annlab.benchmarks.campaign.page import PARTS, Part, finished_cells, write_page
from annlab.benchmarks.campaign.peers import choose_peers
from annlab.benchmarks.campaign.running import compare
from annlab.benchmarks.campaign.store import SUFFIX, Store
from annlab.benchmarks.campaign.targets import RUN_LIMIT_S, choose_targets
from annlab.benchmarks.campaign.verdicts import Verdict, judge, verdict_table
from annlab.benchmarks.inverted_lists import (
    InvertedLists,
    compare_inverted_lists,
    inverted_lists_page,
)
from annlab.datasets import Dataset, load_benchmark_data

#: Random state of targets and parts: nothing was ever tuned with the seeds that it draws.
FRESH = 2611
#: Most important first, for budgets that end early.
_ORDER = ("memory", "untuned", "targets", "grid", "growth")

_DESCRIPTION = """\
Compare k-means implementations by the time they need to reach a quality.

Every peer gets the same rows, threads and seeds, runs in fresh processes, in turns, and
is judged by the exact inertia of the labels it returns. Writes numbers (.jsonl), a table
(.md) and a plot (.png) for each case, and a page over all of them.

A fair run needs a quiet machine: nothing else running, power plugged in, and
--wait-idle 60, which waits before each process until others keep at most a quarter of
a core busy. Each run notes what others used meanwhile; a page says which share of its
runs was disturbed. --targets and the parts (--grid, --untuned, --growth, --memory) can be
interrupted: the same command resumes them. All five take at most 90 minutes on two
cores; with --full, which measures every cell and every peer, many hours. Figures are tied
to what fits return: those of fits that behave otherwise are refused, not mixed.

A peer is one implementation with its settings. Its ladder is a list of numbers of
iterations; each is a rung: a run of its own, with a time and an inertia.

Data, made on the spot: P200, 200,000 patches of two photographs, 192 features; P1M,
1,000,000 of them in 64; G500, 500,000 points around 2,000 centres in 128, noisy: hard;
U100, 100,000 uniform points in 10."""
_EPILOG = """\
examples:
  annlab bench --quick                        a first impression in under two minutes
  annlab bench --data P200 --clusters 1024    one case, all peers (many minutes)
  annlab bench --targets --rows P200-1024     goals and figures of one case
  annlab bench --grid --budget 30             never slower: as much as fits in 30 minutes
  annlab bench --page --out data/benchmarks   write the page again from the numbers there
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``annlab bench``."""
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    add = parser.add_argument
    add(
        "--data",
        nargs="+",
        metavar="NAME",
        help="P200 (default), P1M, G500, U100, or a .npy file with rows",
    )
    add("--clusters", nargs="+", type=int, metavar="K", help="default: 1024; 256 with --quick")
    add("--targets", action="store_true", help="annlab's own cases, with their goals")
    add("--rows", metavar="NAMES", help="only these cases, such as U100,P200-1024")
    add(
        "--grid",
        action="store_true",
        help="algorithm='auto' against scikit-learn's defaults: a heat map",
    )
    add("--untuned", action="store_true", help="distributions not used for tuning")
    add("--growth", action="store_true", help="time against points, clusters, features")
    add("--memory", action="store_true", help="peak memory above the rows")
    add(
        "--inverted-lists",
        action="store_true",
        help="faiss indexes trained by annlab and by faiss (P1M; 4,096 and 65,536 lists)",
    )
    add("--full", action="store_true", help="every cell, peer, rung and seed of these five (hours)")
    add("--again", action="store_true", help="measure again what is stored already")
    add("--quick", action="store_true", help="at most 20,000 rows, one seed, 90 seconds per case")
    add("--peers", nargs="+", metavar="KEY", help="compare only these peers (see --list)")
    add("--list", action="store_true", help="list the peers and end")
    add("--page", action="store_true", help="only write the page again")
    add("--seeds", type=int, metavar="N", help="seeds for each peer (3; 5 for annlab)")
    add("--ladder", nargs="+", type=int, metavar="N", help="the rungs: iterations to ask for")
    add("--threads", type=int, metavar="N", help="default: all cores")
    add("--run-limit", type=float, metavar="S", help="end a run after this many seconds (600)")
    add(
        "--budget",
        type=float,
        metavar="MINUTES",
        help="stop after this many minutes, keeping what was measured",
    )
    add(
        "--wait-idle",
        type=float,
        default=0.0,
        metavar="S",
        help="seconds to wait at most, before each process, until the machine is quiet (0)",
    )
    add("--random-state", type=int, metavar="N", help=f"seed (0; {FRESH} for targets and parts)")
    add("--out", default="annlab-bench", metavar="FOLDER", help="default: annlab-bench")
    add("--silent", action="store_true", help="show no progress")


def run(options: argparse.Namespace) -> int:
    """Run what the options ask for; return 0 if everything has a result."""
    if options.list:
        for peer in choose_peers(options.peers):
            reason = peer.missing()
            print(f"{peer.key:24} {peer.label}" + (f" (left out: {reason})" if reason else ""))
        return 0
    folder = Path(options.out)
    if options.page:
        print(write_page(folder))
        return 0
    if options.inverted_lists:
        return _inverted_lists(options, folder)
    deadline = float("inf")
    if options.budget is not None:
        deadline = perf_counter() + 60.0 * check_real(options.budget, "--budget", strict=True)
    wanted = [name for name in _ORDER if getattr(options, name)]
    if not wanted:
        return _comparisons(options, folder, deadline)
    parts = {part.name: part for part in PARTS}
    status = 0
    for name in wanted:
        if name == "targets":
            status |= _targets(options, folder, deadline)
        else:
            status |= _part(parts[name], options, folder, deadline)
    return status


def _compare(
    options: argparse.Namespace,
    folder: Path,
    data: str | Dataset,
    n_clusters: int,
    deadline: float,
    **settings: Any,
) -> Comparison:
    """Compare, appending each run to the case's file."""
    name = data if isinstance(data, str) else data.name
    path = folder / f"{file_stem(name, n_clusters)}{SUFFIX}"
    if options.again or not options.targets:
        path.unlink(missing_ok=True)
    given = {
        "n_seeds": options.seeds,
        "n_seeds_annlab": options.seeds,
        "run_limit_s": options.run_limit,
        "peers": options.peers,
        "ladder": options.ladder,
        "random_state": options.random_state,
        "budget_s": None if deadline == float("inf") else max(0.0, deadline - perf_counter()),
    }
    return compare(
        data,
        n_clusters,
        **settings | {key: value for key, value in given.items() if value is not None},
        wait_idle_s=options.wait_idle,
        n_jobs=options.threads,
        progress=not options.silent,
        path=path,
    )


def _comparisons(options: argparse.Namespace, folder: Path, deadline: float) -> int:
    failed = 0
    clusters = options.clusters or [256 if options.quick else 1024]
    for name, n_clusters in [(name, k) for name in options.data or ["P200"] for k in clusters]:
        if perf_counter() > deadline:
            failed += 1
            tell(f"No time left for {name} with k = {n_clusters}.")
            continue
        result = _compare(options, folder, _data(name), n_clusters, deadline, quick=options.quick)
        if not result.keys():
            failed += 1
            tell(f"No peer finished on {name} with k = {n_clusters}.")
            continue
        print(result.table())
        for path in result.save(folder):
            print(path)
        # after each case, so an interrupted campaign leaves a page
        print(write_page(folder))
    return 1 if failed else 0


def _targets(options: argparse.Namespace, folder: Path, deadline: float) -> int:
    """Run the cases of the targets and print the verdicts; 0 if all are finished."""
    cases = choose_targets(options.rows)
    verdicts: list[Verdict] = []
    unfinished = 0
    for number, case in enumerate(cases):
        if perf_counter() > deadline:
            tell(f"{case.key}: no time left")
            unfinished += 1
            continue
        if not options.silent:
            minutes = [one.minutes if options.full else one.brief_minutes for one in cases]
            tell(
                f"Case {number + 1} of {len(cases)}, {case.key}: about {minutes[number]:g} minutes "
                f"on {'four' if options.full else 'two'} cores, {sum(minutes[number:]):g} for all "
                "that are left"
            )
        ladders = case.ladders if options.full else case.brief
        result = _compare(
            options,
            folder,
            load_benchmark_data(case.data, n=case.rows),
            case.n_clusters,
            deadline,
            run_limit_s=RUN_LIMIT_S,
            peers=list(ladders),
            ladder=ladders,
            random_state=FRESH,
            n_seeds=3 if options.full else 1,
            n_seeds_annlab=5 if options.full else 3,
        )
        unfinished += result.turns_left() > 0
        if result.keys():
            result.save(folder)
            verdicts.append(judge(result, case))
            print("\n".join(verdict_table(verdicts[-1:])))
            print(write_page(folder))
    if len(verdicts) > 1:
        print("\n".join(verdict_table(verdicts)))
    return 1 if unfinished else 0


def _inverted_lists(options: argparse.Namespace, folder: Path) -> int:
    """Compare inverted files trained by annlab and by faiss, and write a page."""
    (name,) = options.data or ["P1M"]
    data = _data(name)
    rows = load_benchmark_data(data).X if isinstance(data, str) else data.X
    measured: list[tuple[int, InvertedLists]] = []
    for n_lists in options.clusters or (4096, 65_536):
        for lists in compare_inverted_lists(
            rows, n_lists, random_state=options.random_state or 0, n_jobs=options.threads
        ):
            if not options.silent:
                tell(f"{n_lists:,} lists, {lists.trained_by}: {lists.seconds:.3g} s")
            measured.append((n_lists, lists))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "inverted_lists.md"
    path.write_text(inverted_lists_page(name, measured), encoding="utf-8")
    print(path)
    return 0


def _part(part: Part, options: argparse.Namespace, folder: Path, deadline: float) -> int:
    """Measure a part of the page; 0 if all of its cells are measured."""
    cells = [
        cell
        for cell in part.cells(full=options.full)
        if (not options.clusters or cell["k"] in options.clusters)
        and (not options.data or cell["data"] in options.data)
    ]
    if not cells:
        raise invalid("--data, --clusters", "names that select at least one cell", "none")
    random_state = FRESH if options.random_state is None else options.random_state
    path = folder / f"{part.name}{SUFFIX}"
    complete = measure_cells(
        cells,
        Store(
            path,
            part.name,
            settings_of(
                resolve_n_jobs(options.threads), options.seeds or part.repeats, random_state
            ),
            again=options.again,
        ),
        label=part.name,
        deadline=deadline,
        wait_idle_s=options.wait_idle,
        progress=not options.silent,
    )
    if path.exists():
        print("\n".join(part.lines(finished_cells(path)[2])))
        print(write_page(folder))
    return 0 if complete else 1


def _data(name: str) -> str | Dataset:
    if not name.endswith(".npy"):
        return name
    import numpy as np

    try:
        X = np.load(name, allow_pickle=False)
    except ValueError as reason:
        raise invalid("--data", "an .npy file with numbers", f"{name} ({reason})") from reason
    stem = Path(name).stem
    return Dataset(X=X, labels=None, name=stem, description=f"Rows of {Path(name).name}.")

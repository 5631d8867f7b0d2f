"""One peer in a fresh process: read a job, run its rungs, answer in lines of JSON.

Started by `annlab.benchmarks.comparison`; the standard output carries the answers alone, whatever
the libraries print goes to standard error.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from collections.abc import Callable
from time import perf_counter, sleep
from typing import Any

import numpy as np

#: A first rung that is quicker than this is run twice, and the first time does not count.
_WARM_UP_S = 2.0
#: Quick rungs are repeated until they add up to this, five times at most; the median counts.
_REPEAT_S = 0.25
#: Between two fits that take turns.
_PAUSE_S = 0.02


def _answers() -> Callable[[dict[str, Any]], None]:
    """Keep the standard output for the answers; libraries print to standard error from now on."""
    stream = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def answer(record: dict[str, Any]) -> None:
        stream.write(json.dumps(record) + "\n")
        stream.flush()

    return answer


def _prepare(peer: Any, X: np.ndarray, settings: dict[str, Any], threads: int) -> None:
    """Import, start threads, load or compile loops: what happens once in a process."""
    if peer.is_ours:
        from annlab._kernels_cache import load_kernels

        load_kernels(compile=True)
    few = np.ascontiguousarray(X[:: max(1, len(X) // 2048)][:2048])
    k = min(8, len(few))
    peer.run(few, k, settings, 0, threads)


def _one_run(
    peer: Any, X: np.ndarray, k: int, settings: dict[str, Any], seed: int, threads: int
) -> tuple[float, Any]:
    begin = perf_counter()
    answer = peer.run(X, k, settings, seed, threads)
    return perf_counter() - begin, answer


def _expected_s(done: list[tuple[int, float]], step: int) -> float:
    """Time of a rung from those before it: a start, and then so much for each iteration.

    One rung alone cannot tell the start from the iterations: then the least that is likely.
    """
    if not done:
        return 0.0
    if len(done) == 1:
        return done[0][1]
    (low, quick), (high, slow) = done[-2:]
    return slow + max(0.0, slow - quick) / (high - low) * (step - high)


def run_job(job: dict[str, Any], answer: Callable[[dict[str, Any]], None]) -> None:
    """Run the rungs of one peer, from cheap to dear, and answer after each.

    Parameters
    ----------
    job : dict
        peer, path of the rows (.npy), n_clusters, rungs, seed, threads, run_limit_s.
    answer : function of a dict
    """
    from annlab.benchmarks.comparison import CONVERGED, FAILED, TOO_SLOW
    from annlab.benchmarks.machine import OtherLoad, PeakMemory, machine_record
    from annlab.benchmarks.peers import all_peers
    from annlab.metrics import inertia

    # warnings about few iterations are expected: the ladder asks for them
    warnings.simplefilter("ignore")
    peer = all_peers()[job["peer"]]
    k, seed, threads, limit = job["n_clusters"], job["seed"], job["threads"], job["run_limit_s"]
    X = np.load(job["path"])
    begin = perf_counter()
    _prepare(peer, X, job["rungs"][0]["settings"], threads)
    answer({"event": "ready", "prepare_s": perf_counter() - begin, "machine": machine_record()})
    memory, whole = PeakMemory(), OtherLoad()
    done: list[tuple[int, float]] = []
    is_warm = is_done = False
    for rung in job["rungs"]:
        settings = rung["settings"]
        step = settings.get(peer.knob)
        if step is not None and is_done:
            answer({"event": "skip", "rung": rung["id"], "reason": CONVERGED})
            continue
        expected = 0.0 if step is None else _expected_s(done, step)
        if expected > limit:
            reason = f"{TOO_SLOW}: about {expected:.0f} s expected, {limit:.0f} s allowed"
            answer({"event": "skip", "rung": rung["id"], "reason": reason})
            continue
        answer({"event": "begin", "rung": rung["id"]})
        memory.reset()
        others = OtherLoad()
        try:
            seconds, found = _one_run(peer, X, k, settings, seed, threads)
        except Exception as reason:
            # the library may refuse this rung alone, such as its defaults for few features
            text = f"{FAILED}: {type(reason).__name__}: {reason}"
            answer({"event": "skip", "rung": rung["id"], "reason": text})
            continue
        if not is_warm and seconds < _WARM_UP_S:
            memory.reset()
            others = OtherLoad()
            seconds, found = _one_run(peer, X, k, settings, seed, threads)
        is_warm = True
        cores = others.cores()
        times = [seconds]
        while sum(times) < _REPEAT_S and len(times) < 5:
            times.append(_one_run(peer, X, k, settings, seed, threads)[0])
        seconds = float(np.median(times))
        peak = memory.peak_bytes()
        labels, centroids, n_iter = found
        answer(
            {
                "event": "run",
                "rung": rung["id"],
                "seconds": seconds,
                "repeats_s": times,
                "inertia": inertia(X, labels, centroids, n_jobs=threads),
                "n_used": len(np.unique(labels)),
                "n_iter": n_iter,
                "peak_bytes": peak,
                "memory": memory.method,
                "others_cores": cores,
            }
        )
        if step is not None:
            done.append((step, seconds))
            # converged: more iterations would give this very result once more
            is_done = n_iter is not None and n_iter < step
    answer({"event": "done", "others_cores": whole.cores()})


def measure(job: dict[str, Any], answer: Callable[[dict[str, Any]], None]) -> None:
    """Measure the floors of this machine for the shape of the job."""
    from annlab.benchmarks.machine import machine_record, measure_floors

    floors = measure_floors(job["n"], job["d"], job["n_clusters"], seconds=job["seconds"])
    answer({"event": "floors", "floors": floors, "machine": machine_record()})


def _contender(name: str) -> tuple[Any, dict[str, Any]]:
    """Peer and settings of a contender of a cell."""
    from annlab.benchmarks.cells import CONTENDERS
    from annlab.benchmarks.peers import all_peers

    key, settings = CONTENDERS[name]
    return all_peers()[key], settings


def _fit(
    name: str, X: np.ndarray, k: int, seed: int, threads: int
) -> tuple[float, np.ndarray, np.ndarray, str]:
    """Seconds, labels, centroids, and what annlab chose."""
    peer, settings = _contender(name)
    if not peer.is_ours:
        seconds, (labels, centroids, _) = _one_run(peer, X, k, settings, seed, threads)
        return seconds, labels, centroids, ""
    from annlab.clustering import kmeans_ann

    begin = perf_counter()
    algorithm = peer.settings["algorithm"]
    result = kmeans_ann(X, k, algorithm=algorithm, random_state=seed, n_jobs=threads)
    seconds = perf_counter() - begin
    return seconds, result.labels, result.centroids, result.algorithm


def run_cells(job: dict[str, Any], answer: Callable[[dict[str, Any]], None]) -> None:
    """Run the cells of one data set: the contenders in turns, seed by seed.

    Parameters
    ----------
    job : dict
        data, n, d, data_seed, threads, once_past_s, and cells: dicts of key, k, seeds, contenders.
    answer : function of a dict
    """
    from annlab.benchmarks.machine import OtherLoad, machine_record
    from annlab.benchmarks.workloads import make_rows
    from annlab.metrics import inertia

    warnings.simplefilter("ignore")
    threads = job["threads"]
    X = make_rows(job["data"], job["n"], job["d"], random_state=job["data_seed"])
    names = list(dict.fromkeys(name for cell in job["cells"] for name in cell["contenders"]))
    for name in names:
        peer, settings = _contender(name)
        _prepare(peer, X, settings, threads)
    answer({"event": "ready", "machine": machine_record()})
    for cell in job["cells"]:
        answer({"event": "begin", "key": cell["key"]})
        k = cell["k"]
        found: dict[str, dict[str, Any]] = {
            name: {"seconds": [], "inertia": [], "algorithm": ""} for name in cell["contenders"]
        }
        others = OtherLoad()
        # the first seed runs twice, and the first time does not count: it warms caches and pages
        # for this shape. What is slow needs no warming: there the first time stands
        for turn in range(-1, len(cell["seeds"])):
            seed = cell["seeds"][max(turn, 0)]
            for name, facts in found.items():
                longest = max(facts["seconds"], default=0.0)
                if longest > (_WARM_UP_S if turn == 0 else job["once_past_s"]):
                    continue
                # threads of OpenMP spin for a while after a fit: the next one shall not pay
                sleep(_PAUSE_S)
                seconds, labels, centroids, algorithm = _fit(name, X, k, seed, threads)
                if turn == 0:
                    facts["seconds"].clear()
                    facts["inertia"].clear()
                facts["seconds"].append(seconds)
                facts["inertia"].append(inertia(X, labels, centroids, n_jobs=threads))
                facts["algorithm"] = algorithm
        answer(
            {
                "event": "cell",
                "key": cell["key"],
                "n": X.shape[0],
                "d": X.shape[1],
                "results": found,
                "others_cores": others.cores(),
                "date": machine_record()["date"],
            }
        )
    answer({"event": "done"})


def main() -> int:
    """Read one job from standard input."""
    answer = _answers()
    job = json.loads(sys.stdin.read())
    try:
        tasks = {"floors": measure, "cells": run_cells}
        tasks.get(job["peer"], run_job)(job, answer)
    except Exception as reason:
        # whatever a library raises ends this peer and not the comparison
        answer({"event": "error", "reason": f"{type(reason).__name__}: {reason}"})
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

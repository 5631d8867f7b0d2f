"""What a fresh process does: read a job, measure, answer in lines of JSON.

Started by `annlab.benchmarks.campaign.child`. The standard output carries the answers alone;
whatever the libraries print goes to standard error.
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

from annlab.benchmarks.campaign.measured import CONVERGED, FAILED, TOO_SLOW
from annlab.benchmarks.campaign.peers import Answer, Peer, all_peers
from annlab.benchmarks.campaign.workloads import make_rows
from annlab.benchmarks.machine import OtherLoad, PeakMemory, machine_record, measure_floors
from annlab.metrics import inertia

#: Sends one answer.
Send = Callable[[dict[str, Any]], None]
#: A first rung that is quicker than this is run twice, and the first time does not count.
_WARM_UP_S = 2.0
#: Quick rungs are repeated until they add up to this, five times at most; the median counts.
_REPEAT_S = 0.25
#: Between two fits that take turns.
_PAUSE_S = 0.02


def _prepare(peer: Peer, X: np.ndarray, rung: dict[str, Any], threads: int) -> None:
    """Import and start threads: what happens once in a process."""
    few = np.ascontiguousarray(X[:: max(1, len(X) // 2048)][:2048])
    peer.run(few, min(8, len(few)), rung, 0, threads)


class _Stopwatch:
    """Runs of one peer on the same rows, each with its own peak of memory and load of others."""

    def __init__(self, peer: Peer, X: np.ndarray, k: int, seed: int, threads: int) -> None:
        self.peer, self.fixed = peer, (X, k)
        self.seed, self.threads = seed, threads
        self.memory = PeakMemory()
        self.is_warm = False

    def once(self, rung: dict[str, Any]) -> tuple[float, Answer]:
        begin = perf_counter()
        answer = self.peer.run(*self.fixed, rung, self.seed, self.threads)
        return perf_counter() - begin, answer

    def measure(self, rung: dict[str, Any]) -> tuple[Answer, dict[str, Any]]:
        """Run a rung, twice if it is the first and quick, again while it is quick."""
        for _ in range(2):
            self.memory.reset()
            others = OtherLoad()
            seconds, answer = self.once(rung)
            if self.is_warm or seconds >= _WARM_UP_S:
                break
            self.is_warm = True
        self.is_warm = True
        cores = others.cores()
        times = [seconds]
        while sum(times) < _REPEAT_S and len(times) < 5:
            times.append(self.once(rung)[0])
        return answer, {
            "seconds": float(np.median(times)),
            "repeats_s": times,
            "inertia": inertia(self.fixed[0], answer.labels, answer.centroids, n_jobs=self.threads),
            "n_used": len(np.unique(answer.labels)),
            "n_iter": answer.n_iter,
            "peak_bytes": self.memory.peak_bytes(),
            "memory": self.memory.method,
            "others_cores": cores,
        }


def _expected_s(done: list[tuple[int, float]], step: int) -> float:
    """Expect of a rung what those before it took: a start, and then so much for each iteration.

    One rung alone cannot tell the start from the iterations: then the least that is likely.
    """
    if not done:
        return 0.0
    if len(done) == 1:
        return done[0][1]
    (low, quick), (high, slow) = done[-2:]
    return slow + max(0.0, slow - quick) / (high - low) * (step - high)


def run_ladder(job: dict[str, Any], send: Send) -> None:
    """Run the rungs of one peer, from cheap to expensive, and answer after each.

    Parameters
    ----------
    job : dict
        peer, path of the rows (.npy), n_clusters, rungs, seed, threads, run_limit_s.
    send : function of a dict
    """
    peer = all_peers()[job["peer"]]
    limit = job["run_limit_s"]
    X = np.load(job["path"])
    begin = perf_counter()
    _prepare(peer, X, job["rungs"][0]["settings"], job["threads"])
    send({"event": "ready", "prepare_s": perf_counter() - begin, "machine": machine_record()})
    watch, whole = _Stopwatch(peer, X, job["n_clusters"], job["seed"], job["threads"]), OtherLoad()
    done: list[tuple[int, float]] = []
    is_done = False
    for rung in job["rungs"]:
        number, settings = rung["id"], rung["settings"]
        step = settings.get(peer.knob)
        expected = 0.0 if step is None else _expected_s(done, step)
        reason = ""
        if step is not None and is_done:
            reason = CONVERGED
        elif expected > limit:
            reason = f"{TOO_SLOW}: about {expected:.0f} s expected, {limit:.0f} s allowed"
        if reason:
            send({"event": "skip", "rung": number, "reason": reason})
            continue
        send({"event": "begin", "rung": number})
        try:
            answer, facts = watch.measure(settings)
        except Exception as problem:
            # the library may refuse this rung alone, such as its defaults for few features
            reason = f"{FAILED}: {type(problem).__name__}: {problem}"
            send({"event": "skip", "rung": number, "reason": reason})
            continue
        send({"event": "run", "rung": number, **facts})
        if step is not None:
            done.append((step, facts["seconds"]))
            # converged: more iterations would give this very result once more
            is_done = answer.n_iter is not None and answer.n_iter < step
    send({"event": "done", "others_cores": whole.cores()})


def run_floors(job: dict[str, Any], send: Send) -> None:
    """Measure the floors of this machine for the shape of the job."""
    floors = measure_floors(job["n"], job["d"], job["n_clusters"], seconds=job["seconds"])
    send({"event": "floors", "floors": floors, "machine": machine_record()})


def run_cells(job: dict[str, Any], send: Send) -> None:
    """Run the cells of one data set: the contenders in turns, seed by seed.

    Parameters
    ----------
    job : dict
        data, n, d, data_seed, threads, once_past_s, and cells: dicts of key, k, seeds, peak
        (whether memory is measured) and contenders, a dict of name to peer and rung.
    send : function of a dict
    """
    X = make_rows(job["data"], job["n"], job["d"], random_state=job["data_seed"])
    known = all_peers()
    for peer, rung in {
        name: pair for cell in job["cells"] for name, pair in cell["contenders"].items()
    }.values():
        _prepare(known[peer], X, rung, job["threads"])
    send({"event": "ready", "machine": machine_record()})
    for cell in job["cells"]:
        send({"event": "begin", "key": cell["key"]})
        others = OtherLoad()
        send(
            {
                "event": "cell",
                "key": cell["key"],
                "n": X.shape[0],
                "d": X.shape[1],
                "results": _turns(X, cell, job),
                "others_cores": others.cores(),
                "date": machine_record()["date"],
            }
        )
    send({"event": "done"})


def _turns(X: np.ndarray, cell: dict[str, Any], job: dict[str, Any]) -> dict[str, Any]:
    """Seconds, inertia and peak memory of the contenders of a cell.

    The first seed runs twice, and the first time does not count: it warms caches and pages for
    this shape. What is slow needs no warming: there the first time stands.
    """
    threads, known = job["threads"], all_peers()
    # a reset gives freed memory back, which the next fit would pay for
    memory = PeakMemory() if cell["peak"] else None
    results: dict[str, dict[str, Any]] = {
        name: {"seconds": [], "inertia": [], "algorithm": "", "peak_bytes": []}
        for name in cell["contenders"]
    }
    for turn in range(-1, len(cell["seeds"])):
        seed = cell["seeds"][max(turn, 0)]
        for name, (peer, rung) in cell["contenders"].items():
            facts = results[name]
            longest = max(facts["seconds"], default=0.0)
            if longest > (_WARM_UP_S if turn == 0 else job["once_past_s"]):
                continue
            # threads of OpenMP spin for a while after a fit: the next one shall not pay
            sleep(_PAUSE_S)
            if memory is not None:
                memory.reset()
            begin = perf_counter()
            answer = known[peer].run(X, cell["k"], rung, seed, threads)
            seconds = perf_counter() - begin
            if turn == 0:
                for values in (facts["seconds"], facts["inertia"], facts["peak_bytes"]):
                    values.clear()
            facts["seconds"].append(seconds)
            facts["peak_bytes"].append(None if memory is None else memory.peak_bytes())
            facts["inertia"].append(inertia(X, answer.labels, answer.centroids, n_jobs=threads))
            facts["algorithm"] = answer.algorithm
    return results


#: What a job may ask for.
TASKS = {"ladder": run_ladder, "floors": run_floors, "cells": run_cells}


def main() -> int:
    """Read one job from standard input."""
    # libraries print to standard error from now on
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def send(record: dict[str, Any]) -> None:
        answers.write(json.dumps(record) + "\n")
        answers.flush()

    # warnings about few iterations are expected: the ladder asks for them
    warnings.simplefilter("ignore")
    job = json.loads(sys.stdin.read())
    try:
        TASKS[job["task"]](job, send)
    except Exception as reason:
        # whatever a library raises ends this peer and not the comparison
        send({"event": "error", "reason": f"{type(reason).__name__}: {reason}"})
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

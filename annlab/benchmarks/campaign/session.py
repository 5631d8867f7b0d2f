"""The runs of one comparison, as they come in: peers in turns, in fresh processes."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from annlab.benchmarks.campaign.child import START_S, Child
from annlab.benchmarks.campaign.comparison import Comparison
from annlab.benchmarks.campaign.measured import (
    CONVERGED,
    FAILED,
    ONCE,
    OUT_OF_TIME,
    REFERENCE_PEER,
    REFERENCE_STEP,
    TOO_SLOW,
)
from annlab.benchmarks.campaign.peers import Peer
from annlab.benchmarks.machine import machine_record, wait_until_idle

#: Judging a result and sending it may take so long beyond a limit.
_SLACK_S = 5.0

Rung = dict[str, Any]


@dataclass(frozen=True)
class Limits:
    """How long things may take, in seconds; moments are those of `time.perf_counter`.

    Attributes
    ----------
    run_s : float
        A run that takes longer is ended, and one that would is not begun.
    once_past_s : float
        A run that took longer is not repeated with other seeds.
    wait_idle_s : float
        To wait before each process for others to leave the machine.
    deadline : float
        Moment after which no rung is begun; peers share the time until then.
    stop : float
        Moment after which no process is started.
    """

    run_s: float
    once_past_s: float = 60.0
    wait_idle_s: float = 0.0
    deadline: float = float("inf")
    stop: float = float("inf")


def _rung_key(peer: str, rung: Rung) -> tuple[str, str]:
    return peer, json.dumps(rung, sort_keys=True)


class Session:
    """The runs of one comparison.

    Parameters
    ----------
    rows : ndarray of shape (n, d), float32
    n_clusters, threads : int
    limits : Limits
    records : list of dict
        The peers, as `Comparison` stores them.

    Attributes
    ----------
    runs : list of dict
    """

    def __init__(
        self,
        rows: np.ndarray,
        n_clusters: int,
        threads: int,
        limits: Limits,
        records: list[dict[str, Any]],
    ) -> None:
        self.rows, self.n_clusters, self.threads = rows, n_clusters, threads
        self.limits = limits
        self.records = {record["key"]: record for record in records}
        self.runs: list[dict[str, Any]] = []
        self.path = Path()
        self._turn_ends = limits.deadline
        self._durations: dict[str, list[float]] = {}
        self._slow: set[tuple[str, str]] = set()

    def resume(self, earlier: Comparison) -> None:
        """Continue an earlier comparison; peers that only that one has are kept."""
        for run in earlier.runs:
            self._add(dict(run))
        for record in earlier.peers:
            mine = self.records.setdefault(record["key"], dict(record))
            mine["prepare_s"] = record["prepare_s"]
            mine["left_out"] = mine["left_out"] or record["left_out"]

    @contextmanager
    def stored_rows(self) -> Iterator[None]:
        """Keep the rows in a file for the processes."""
        with tempfile.TemporaryDirectory(prefix="annlab-bench-") as folder:
            self.path = Path(folder) / "rows.npy"
            np.save(self.path, self.rows)
            yield

    def left_s(self, turns: list[tuple[Peer, int]]) -> float:
        """Estimate how long the turns to come take, from those of the same peers so far."""
        known = [np.mean(times) for times in self._durations.values()]
        usual = float(np.mean(known)) if known else 5.0
        expected = sum(self._durations.get(peer.key, [usual])[-1] for peer, _ in turns)
        return min(expected, max(0.0, self.limits.deadline - perf_counter()))

    def measure_floors(self, seconds: float) -> tuple[dict[str, float], dict[str, Any]]:
        """Measure the floors, and the machine as a fresh process with these threads sees it."""
        n, d = self.rows.shape
        shape = {"n": n, "d": d, "n_clusters": self.n_clusters}
        wait_until_idle(self.limits.wait_idle_s)
        with Child({"task": "floors", "seconds": seconds, **shape}, self.threads) as child:
            answer = child.answer(START_S + 10 * seconds)
        if answer["event"] != "floors":
            return {}, machine_record()
        return answer["floors"], answer["machine"]

    def run(self, peer: Peer, seed: int, rungs: list[Rung], *, turns_left: int) -> None:
        """Run a peer's ladder with one seed; restart it where a rung had to be ended.

        Of a time budget a turn gets at most twice its share, so that no peer starves the others.
        """
        begin = perf_counter()
        share = max(4.0, 2.0 * (self.limits.deadline - begin) / turns_left)
        self._turn_ends = min(self.limits.deadline, begin + share)
        todo: list[Rung] = []
        for number, rung in enumerate(rungs):
            if _rung_key(peer.key, rung) in self._slow:
                self._store(peer, seed, rung, ONCE)
            else:
                todo.append({"id": number, "settings": rung})
        while todo:
            if perf_counter() > self._turn_ends:
                for rung in todo:
                    self._store(peer, seed, rung["settings"], OUT_OF_TIME)
                break
            todo = self._one_process(peer, seed, todo)
        self._durations.setdefault(peer.key, []).append(perf_counter() - begin)

    def _store(
        self, peer: Peer, seed: int, rung: Rung, status: str, **facts: Any
    ) -> dict[str, Any]:
        run = {"peer": peer.key, "seed": seed, "rung": rung, "status": status, **facts}
        self._add(run)
        return run

    def _add(self, run: dict[str, Any]) -> None:
        """Keep a run; one that took long, or would, is not made with another seed."""
        self.runs.append(run)
        past = run["status"] == "ok" and run["seconds"] > self.limits.once_past_s
        if past or run["status"].startswith(TOO_SLOW):
            self._slow.add(_rung_key(run["peer"], run["rung"]))

    def _one_process(self, peer: Peer, seed: int, todo: list[Rung]) -> list[Rung]:
        """Run rungs in a fresh process; return those that another process has to take up."""
        wait_until_idle(self.limits.wait_idle_s)
        limit, waiting = self.limits.run_s, {rung["id"]: rung["settings"] for rung in todo}
        job = {
            "task": "ladder",
            "peer": peer.key,
            "path": str(self.path),
            "n_clusters": self.n_clusters,
            "rungs": todo,
            "seed": seed,
            "threads": self.threads,
            "run_limit_s": limit,
        }
        stored: list[dict[str, Any]] = []
        current: int | None = None
        # importing and warming up is not the peer's time, but it has an end too
        allowed = START_S + limit
        with Child(job, self.threads) as child:
            while True:
                answer = child.answer(min(allowed, self._turn_ends + _SLACK_S / 2 - perf_counter()))
                event = answer.pop("event")
                if event == "ready":
                    self.records[peer.key]["prepare_s"] = answer["prepare_s"]
                elif event == "begin":
                    current, allowed = answer["rung"], limit + _SLACK_S
                elif event == "skip":
                    self._store(peer, seed, waiting.pop(answer["rung"]), answer["reason"])
                elif event == "run":
                    rung = waiting.pop(answer.pop("rung"))
                    stored.append(self._store(peer, seed, rung, "ok", **answer))
                    current, allowed = None, START_S + limit
                elif event == "done":
                    for run in stored:
                        if run["others_cores"] is None:
                            run["others_cores"] = answer["others_cores"]
                    return []
                elif event == "timeout":
                    return self._give_up(peer, seed, waiting, current)
                else:
                    reason = answer.get("reason", "it ended without an answer")
                    self._fail(peer, seed, waiting, f"{FAILED}: {reason}")
                    return []

    def _fail(self, peer: Peer, seed: int, waiting: dict[int, Rung], reason: str) -> None:
        record = self.records[peer.key]
        record["left_out"] = record["left_out"] or reason
        for rung in waiting.values():
            self._store(peer, seed, rung, reason)

    def _give_up(
        self, peer: Peer, seed: int, waiting: dict[int, Rung], current: int | None
    ) -> list[Rung]:
        """Store that a rung took too long, and dearer ones with it; others get another process."""
        out_of_time = perf_counter() > self._turn_ends
        reason = (
            OUT_OF_TIME if out_of_time else f"{TOO_SLOW}: ended after {self.limits.run_s:.0f} s"
        )
        again = []
        slow = waiting.get(current) if current is not None else None
        for number, rung in waiting.items():
            dearer = slow is None or (peer.knob in rung and peer.knob in slow)
            if number == current or dearer or out_of_time:
                self._store(peer, seed, rung, reason)
            else:
                again.append({"id": number, "settings": rung})
        return again

    def reference(self) -> dict[str, Any]:
        """Say what ratios of inertia are relative to."""
        return reference_of(self.runs)


def reference_of(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the median inertia of the reference peer at its rung, or of what comes nearest."""
    finished = [run for run in runs if run["status"] == "ok"]
    last: dict[int, tuple[int, float]] = {}
    cut_short = set()
    for run in runs:
        step = run["rung"].get("max_iter", REFERENCE_STEP + 1)
        if run["peer"] != REFERENCE_PEER or step > REFERENCE_STEP:
            continue
        if run["status"] == "ok":
            if last.get(run["seed"], (0, 0.0))[0] < step:
                last[run["seed"]] = (step, run["inertia"])
        elif run["status"] != CONVERGED:
            cut_short.add(run["seed"])
    if last:
        # seeds that were not run to the end count only where none was
        last = {seed: end for seed, end in last.items() if seed not in cut_short} or last
        steps = sorted({step for step, _ in last.values()})
        text = f"median of {len(last)} seed{'s' * (len(last) != 1)}"
        if steps != [REFERENCE_STEP]:
            # it converged before, or ran out of time
            text += ", at max_iter = " + ", ".join(str(step) for step in steps)
        return {"definition": text, "inertia": float(np.median([i for _, i in last.values()]))}
    if finished:
        return {
            "definition": "not run: the lowest inertia of all peers stands for it",
            "inertia": float(min(run["inertia"] for run in finished)),
        }
    return {"definition": "no peer finished", "inertia": float("nan")}

"""Running a comparison: peers in turns, in fresh processes, on equal terms."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from annlab._support.checks import (
    check_data,
    check_integer,
    check_n_clusters,
    check_random_state,
    check_real,
)
from annlab._support.errors import invalid
from annlab._support.progress import Progress
from annlab._support.threads import resolve_n_jobs
from annlab.benchmarks.comparison import (
    CONVERGED,
    FAILED,
    ONCE,
    OUT_OF_TIME,
    REFERENCE_PEER,
    REFERENCE_STEP,
    TOO_SLOW,
    Comparison,
)
from annlab.benchmarks.machine import machine_record, wait_until_idle
from annlab.benchmarks.peers import Peer, choose_peers
from annlab.benchmarks.store import code_fingerprint

#: Iterations asked for, rung by rung.
LADDER = (1, 2, 3, 5, 7, 10, 15, 20, 25, 35, 50, 75, 100)
QUICK_LADDER = (1, 3, 10, 25)
#: A quick comparison takes at most this many rows, and this long.
QUICK_ROWS, QUICK_S = 20_000, 90.0
#: A fresh process may take so long to import and warm up.
START_S = 60.0
#: Judging a result and sending it may take so long beyond a limit.
_SLACK_S = 5.0


class Child:
    """A fresh Python process that runs one job and answers in lines of JSON."""

    def __init__(self, job: dict[str, Any], threads: int) -> None:
        environment = dict(os.environ)
        for name in (
            "OMP_NUM_THREADS",
            "OPENBLAS_NUM_THREADS",
            "MKL_NUM_THREADS",
            "BLIS_NUM_THREADS",
            "VECLIB_MAXIMUM_THREADS",
            "NUMBA_NUM_THREADS",
        ):
            environment[name] = str(threads)
        package = str(Path(__file__).resolve().parents[2])
        path = environment.get("PYTHONPATH")
        environment["PYTHONPATH"] = package if not path else os.pathsep.join((package, path))
        self._noise = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "annlab.benchmarks._worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._noise,
            env=environment,
            text=True,
            encoding="utf-8",
        )
        self._lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(job))
            self._process.stdin.close()
        except OSError:
            pass  # it died at once; the missing answer tells

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def answer(self, limit_s: float) -> dict[str, Any]:
        """Next answer; an ``"event"`` of ``"timeout"`` or ``"end"`` where there is none."""
        try:
            line = self._lines.get(timeout=max(limit_s, 0.01))
        except queue.Empty:
            return {"event": "timeout"}
        if line is None:
            status = self._process.wait()
            self._noise.seek(0)
            last = self._noise.read().decode(errors="replace").strip().splitlines()[-1:]
            reason = f"the process ended with status {status}" + "".join(f": {x}" for x in last)
            return {"event": "end", "reason": reason}
        return json.loads(line)

    def close(self) -> None:
        """End the process, whatever it is doing."""
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._noise.close()


def compare(
    data: Any,
    n_clusters: int,
    *,
    peers: Any = None,
    quick: bool = False,
    n_seeds: int | None = None,
    n_seeds_annlab: int | None = None,
    ladder: Sequence[int] | Mapping[str, Sequence[int]] | None = None,
    run_limit_s: float | None = None,
    budget_s: float | None = None,
    once_past_s: float = 60.0,
    wait_idle_s: float = 0.0,
    n_jobs: int | None = None,
    random_state: Any = 0,
    progress: bool = True,
    stop_after_s: float | None = None,
    resume: Comparison | None = None,
    checkpoint: Callable[[Comparison], Any] | None = None,
) -> Comparison:
    """Compare k-means implementations by their time to quality, on equal terms.

    Parameters
    ----------
    data : str, Dataset or array-like of shape (n, d)
        A name of `annlab.datasets.available_benchmark_data`, a data set, or rows. Everybody gets
        them as float32.
    n_clusters : int
    peers : str or sequence of str, optional
        Keys of `annlab.benchmarks.peers.all_peers`; by default all that are of use. A peer that is
        not installed is named as left out.
    quick : bool, default=False
        At most 20,000 rows, one seed, few rungs and 90 seconds.
    n_seeds, n_seeds_annlab : int, optional
        Seeds for each peer (3; 1 if quick) and for annlab's algorithms (5; 1 if quick).
    ladder : sequence of int, or dict of str to sequence of int, optional
        Iterations to ask for; (1, 2, 3, 5, 7, 10, 15, 20, 25, 35, 50, 75, 100) or, if quick,
        (1, 3, 10, 25). As a dict, those of each peer by his key; who is not in it gets the
        usual ones. A peer's own defaults are a rung of their own, whatever the ladder.
    run_limit_s : float, optional
        A run that takes longer is ended, and one that would is not begun: 600 s; 10 s if quick.
    budget_s : float, optional
        Nothing is begun after that; 90 s if quick, else no limit.
    once_past_s : float, default=60
        A run that took longer is not repeated with other seeds.
    wait_idle_s : float, default=0
        Wait up to so long before each process for others to leave the machine.
    n_jobs : int, optional
        Threads of every peer; None for all cores of this process.
    random_state : int, RandomState, Generator or None, default=0
        Draws the seeds (the same ones for every peer) and the rows of a quick comparison.
    progress : bool, default=True
        Show the peers with their settings, progress and time left on stderr.
    stop_after_s : float, optional
        No process is started after that; nothing that runs is cut short. The comparison says how
        many turns are left (``options["turns_left"]``).
    resume : Comparison, optional
        An unfinished comparison of the same data with the same settings: only the turns that are
        left are run.
    checkpoint : function of a Comparison, optional
        Called after each turn with what is there so far.

    Returns
    -------
    Comparison
        With ``time_to(peer, ratio)``, ``curve(peer)``, ``table()``, ``plot()``, ``save(folder)``.

    Raises
    ------
    TypeError, ValueError

    Notes
    -----
    Each peer runs in a fresh process for each seed, and the peers take turns: nobody profits
    from the others' warm caches or suffers for a busy hour alone. A process imports, warms up on
    2,048 rows, runs its cheapest rung once for nothing if that takes less than 2 s, and then its
    ladder; compiled loops are compiled outside the clock (``prepare_s``).

    Examples
    --------
    >>> import numpy as np
    >>> from annlab.benchmarks import compare
    >>> X = np.random.RandomState(0).rand(400, 4)
    >>> result = compare(X, 4, peers=["sklearn-random"], quick=True, progress=False)
    >>> result.keys(), result.time_to("sklearn-random", 2.0) > 0
    (['sklearn-random'], True)
    """
    begin = perf_counter()
    rng = check_random_state(random_state)
    rows, about = _rows(data, quick, rng)
    n_clusters = check_n_clusters(n_clusters, len(rows))
    threads = resolve_n_jobs(n_jobs)
    usual = tuple(QUICK_LADDER if quick else LADDER)
    own: dict[str, tuple[int, ...]] = {}
    if isinstance(ladder, Mapping):
        own = {key: _steps(values) for key, values in ladder.items()}
        steps = usual
    else:
        steps = usual if ladder is None else _steps(ladder)
        if not steps:
            raise invalid("ladder", "a sequence of at least one integer", ladder)
    seeds_of = {
        False: check_integer(n_seeds if n_seeds is not None else (1 if quick else 3), "n_seeds"),
        True: check_integer(
            n_seeds_annlab if n_seeds_annlab is not None else n_seeds or (1 if quick else 5),
            "n_seeds_annlab",
        ),
    }
    limit = check_real(
        run_limit_s if run_limit_s is not None else (10.0 if quick else 600.0),
        "run_limit_s",
        strict=True,
    )
    budget = float("inf")
    if budget_s is not None or quick:
        budget = check_real(QUICK_S if budget_s is None else budget_s, "budget_s", strict=True)
    stop = float("inf")
    if stop_after_s is not None:
        stop = begin + check_real(stop_after_s, "stop_after_s")
    once_past_s = check_real(once_past_s, "once_past_s")
    wait_idle_s = check_real(wait_idle_s, "wait_idle_s")
    chosen = choose_peers(peers)
    seeds = [int(seed) for seed in rng.randint(2**31 - 2, size=max(seeds_of.values()))]
    records = [
        {
            "key": peer.key,
            "label": peer.label,
            "settings": peer.settings,
            "knob": peer.knob,
            "is_ours": peer.is_ours,
            "prepare_s": None,
            "left_out": peer.missing(about["d"]),
        }
        for peer in chosen
    ]
    _announce(records, about, n_clusters, threads, progress)
    session = _Session(
        rows=rows,
        n_clusters=n_clusters,
        threads=threads,
        limit=limit,
        deadline=begin + budget,
        once_past_s=once_past_s,
        wait_idle_s=wait_idle_s,
        records={str(record["key"]): record for record in records},
    )
    able = [peer for peer in chosen if not peer.missing(about["d"])]
    turns = _turns(able, seeds, seeds_of)
    options: dict[str, Any] = {
        "quick": quick,
        "ladder": {key: list(values) for key, values in own.items()} if own else list(steps),
        "seeds": seeds,
        "n_seeds": seeds_of[False],
        "n_seeds_annlab": seeds_of[True],
        "run_limit_s": limit,
        "budget_s": None if budget == float("inf") else budget,
        "once_past_s": once_past_s,
        "code": code_fingerprint(),
        "environment": {
            name: value
            for name, value in sorted(os.environ.items())
            if name.startswith(("OMP_", "GOMP_", "KMP_")) and len(value) < 40
        },
    }
    done: list[list[Any]] = []
    elapsed_before = 0.0
    floors: dict[str, float] = {}
    machine: dict[str, Any] = {}
    if resume is not None:
        _check_same(resume, about, n_clusters, threads, options)
        done = [list(turn) for turn in resume.options.get("turns_done", [])]
        elapsed_before = resume.options.get("elapsed_s", 0.0)
        floors, machine = resume.floors, resume.machine
        session.take_up(resume)
        # who is not asked for this time keeps what he has
        asked = {record["key"] for record in records}
        records += [dict(earlier) for earlier in resume.peers if earlier["key"] not in asked]

    def state() -> Comparison:
        left = sum([peer.key, seed] not in done for peer, seed in turns)
        return Comparison(
            data=about,
            n_clusters=n_clusters,
            threads=threads,
            reference=_reference(session.runs),
            peers=records,
            runs=session.runs,
            floors=floors,
            machine=machine,
            options={
                **options,
                "turns_done": done,
                "turns_left": left,
                "elapsed_s": elapsed_before + perf_counter() - begin,
            },
        )

    with tempfile.TemporaryDirectory(prefix="annlab-bench-") as folder:
        session.path = Path(folder) / "rows.npy"
        np.save(session.path, rows)
        if not floors:
            wait_until_idle(wait_idle_s)
            floors, machine = session.measure_floors(1.0 if not quick else 0.3)
        line = Progress(progress, len(turns), "annlab bench: runs of peers")
        for number, (peer, seed) in enumerate(turns):
            if [peer.key, seed] in done:
                continue
            if perf_counter() > stop:
                break
            left = [(peer, seed) for peer, seed in turns[number:] if [peer.key, seed] not in done]
            line.update(
                len(turns) - len(left),
                f"{peer.label}, seed {seeds.index(seed) + 1}",
                left_s=session.left(left),
            )
            rungs = _with_reference(peer, own[peer.key] if peer.key in own else peer.steps(steps))
            session.run(peer, seed, rungs, turns_left=len(left))
            done.append([peer.key, seed])
            if checkpoint is not None:
                checkpoint(state())
        finished = state()
        left_text = f", {finished.options['turns_left']} turns left"
        line.close(
            f"done in {perf_counter() - begin:.0f} s"
            + (left_text if finished.options["turns_left"] else "")
        )
    return finished


def _steps(values: Any) -> tuple[int, ...]:
    return tuple(sorted({check_integer(step, "ladder") for step in values}))


def _check_same(
    resume: Comparison,
    about: dict[str, Any],
    n_clusters: int,
    threads: int,
    options: dict[str, Any],
) -> None:
    """Refuse to go on with a comparison that was made otherwise."""
    was = {"data": resume.data, "n_clusters": resume.n_clusters, "threads": resume.threads}
    now = {"data": about, "n_clusters": n_clusters, "threads": threads}
    for name in ("ladder", "seeds", "n_seeds", "n_seeds_annlab", "run_limit_s", "code"):
        was[name], now[name] = resume.options.get(name), options[name]
    differing = [name for name in now if was[name] != now[name]]
    if differing:
        raise invalid(
            "resume",
            "a comparison that was made alike",
            "one that differs in " + ", ".join(differing),
            "Pass --again to measure anew, or another --out.",
        )


def _rows(data: Any, quick: bool, rng: np.random.RandomState) -> tuple[np.ndarray, dict[str, Any]]:
    if isinstance(data, str):
        from annlab.datasets import load_benchmark_data

        data = load_benchmark_data(data)
    if hasattr(data, "X") and hasattr(data, "description"):
        X, name, text = data.X, data.name, data.description
    else:
        X, name, text = data, "array", "Rows of the caller."
    X = check_data(X, name="data", min_rows=2)
    if quick and len(X) > QUICK_ROWS:
        text = f"{QUICK_ROWS:,} of {len(X):,} rows, drawn at random. {text}"
        X = X[np.sort(rng.choice(len(X), QUICK_ROWS, replace=False))]
    X = np.ascontiguousarray(X, dtype=np.float32)
    check_data(X, name="data as float32")
    return X, {"name": name, "n": len(X), "d": X.shape[1], "description": text}


def _with_reference(peer: Peer, steps: tuple[int, ...]) -> list[dict[str, Any]]:
    """Rungs of a peer; the reference's rung is always among those of the reference peer."""
    if peer.key == REFERENCE_PEER:
        steps = tuple(sorted({*steps, REFERENCE_STEP}))
    return peer.rungs(steps)


def _turns(
    peers: list[Peer], seeds: list[int], seeds_of: dict[bool, int]
) -> list[tuple[Peer, int]]:
    """Order of the processes: seed by seed, each time another peer begins."""
    turns = []
    for number, seed in enumerate(seeds):
        first = number * len(peers) // len(seeds)
        for peer in peers[first:] + peers[:first]:
            if number < seeds_of[peer.is_ours]:
                turns.append((peer, seed))
    return turns


def _reference(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Median inertia of the reference peer at its rung, or what comes nearest, and say which."""
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


def _announce(
    records: list[dict[str, Any]],
    about: dict[str, Any],
    n_clusters: int,
    threads: int,
    progress: bool,
) -> None:
    if not progress:
        return
    print(
        f"{about['name']}: {about['n']:,} rows, {about['d']} features, {n_clusters:,} clusters, "
        f"{threads} threads",
        file=sys.stderr,
    )
    for record in records:
        settings = ", ".join(f"{name}={value}" for name, value in record["settings"].items())
        text = f"left out: {record['left_out']}" if record["left_out"] else settings or "defaults"
        print(f"  {record['label']}: {text}", file=sys.stderr)


def _rung_key(peer: str, rung: dict[str, Any]) -> tuple[str, str]:
    return peer, json.dumps(rung, sort_keys=True)


class _Session:
    """The runs of one comparison, as they come in."""

    def __init__(
        self,
        *,
        rows: np.ndarray,
        n_clusters: int,
        threads: int,
        limit: float,
        deadline: float,
        once_past_s: float,
        wait_idle_s: float,
        records: dict[str, dict[str, Any]],
    ) -> None:
        self.rows, self.n_clusters, self.threads = rows, n_clusters, threads
        self.limit, self.deadline = limit, deadline
        self._turn_ends = deadline
        self.once_past_s, self.wait_idle_s = once_past_s, wait_idle_s
        self.records = records
        self.runs: list[dict[str, Any]] = []
        self.path = Path()
        self._durations: dict[str, list[float]] = {}
        self._slow: set[tuple[str, str]] = set()

    def take_up(self, earlier: Comparison) -> None:
        """Go on where an earlier comparison ended."""
        for run in earlier.runs:
            self._add(dict(run))
        for record in earlier.peers:
            if record["key"] in self.records:
                mine = self.records[record["key"]]
                mine["prepare_s"] = record["prepare_s"]
                mine["left_out"] = mine["left_out"] or record["left_out"]

    def left(self, turns: list[tuple[Peer, int]]) -> float:
        """Seconds that the turns to come will take, from those of the same peers so far."""
        known = [np.mean(times) for times in self._durations.values()]
        usual = float(np.mean(known)) if known else 5.0
        expected = sum(
            float(self._durations[peer.key][-1]) if peer.key in self._durations else usual
            for peer, _ in turns
        )
        return min(expected, max(0.0, self.deadline - perf_counter()))

    def measure_floors(self, seconds: float) -> tuple[dict[str, float], dict[str, Any]]:
        """Floors, and the machine as a fresh process with these threads sees it."""
        n, d = self.rows.shape
        job = {"peer": "floors", "n": n, "d": d, "n_clusters": self.n_clusters, "seconds": seconds}
        child = Child(job, self.threads)
        try:
            answer = child.answer(START_S + 10 * seconds)
        finally:
            child.close()
        if answer["event"] != "floors":
            return {}, machine_record()
        return answer["floors"], answer["machine"]

    def run(
        self, peer: Peer, seed: int, settings: list[dict[str, Any]], *, turns_left: int
    ) -> None:
        """Run a peer's ladder with one seed; restart it where a rung had to be ended.

        Of a time budget a turn gets at most twice its share, so that no peer starves the others.
        """
        begin = perf_counter()
        share = max(4.0, 2.0 * (self.deadline - begin) / turns_left)
        self._turn_ends = min(self.deadline, begin + share)
        todo: list[dict[str, Any]] = []
        for number, rung in enumerate(settings):
            if _rung_key(peer.key, rung) in self._slow:
                self._store(peer, seed, rung, ONCE)
                continue
            todo.append({"id": number, "settings": rung})
        while todo:
            if perf_counter() > self._turn_ends:
                for rung in todo:
                    self._store(peer, seed, rung["settings"], OUT_OF_TIME)
                break
            todo = self._one_process(peer, seed, todo)
        self._durations.setdefault(peer.key, []).append(perf_counter() - begin)

    def _store(
        self, peer: Peer, seed: int, rung: dict[str, Any], status: str, **facts: Any
    ) -> dict[str, Any]:
        run = {"peer": peer.key, "seed": seed, "rung": rung, "status": status, **facts}
        self._add(run)
        return run

    def _add(self, run: dict[str, Any]) -> None:
        """Keep a run; one that took long, or would, is not made with another seed."""
        self.runs.append(run)
        past = run["status"] == "ok" and run["seconds"] > self.once_past_s
        if past or run["status"].startswith(TOO_SLOW):
            self._slow.add(_rung_key(run["peer"], run["rung"]))

    def _one_process(
        self, peer: Peer, seed: int, todo: list[dict[str, Any]]
    ) -> list[dict[str, Any]]:
        """Run rungs in a fresh process; return those that another process has to take up."""
        wait_until_idle(self.wait_idle_s)
        job = {
            "peer": peer.key,
            "path": str(self.path),
            "n_clusters": self.n_clusters,
            "rungs": todo,
            "seed": seed,
            "threads": self.threads,
            "run_limit_s": self.limit,
        }
        waiting = {rung["id"]: rung["settings"] for rung in todo}
        stored: list[dict[str, Any]] = []
        child = Child(job, self.threads)
        try:
            # importing and warming up is not the peer's time, but it has an end too
            allowed = START_S + self.limit
            current: int | None = None
            while True:
                answer = child.answer(min(allowed, self._turn_ends + _SLACK_S / 2 - perf_counter()))
                event = answer["event"]
                if event == "ready":
                    self.records[peer.key]["prepare_s"] = answer["prepare_s"]
                elif event == "begin":
                    current = answer["rung"]
                    allowed = self.limit + _SLACK_S
                elif event == "skip":
                    self._store(peer, seed, waiting.pop(answer["rung"]), answer["reason"])
                elif event == "run":
                    number = answer.pop("rung")
                    facts = {name: value for name, value in answer.items() if name != "event"}
                    stored.append(self._store(peer, seed, waiting.pop(number), "ok", **facts))
                    current = None
                    allowed = START_S + self.limit
                elif event == "done":
                    for run in stored:
                        if run["others_cores"] is None:
                            run["others_cores"] = answer["others_cores"]
                    return []
                elif event == "timeout":
                    return self._give_up(peer, seed, waiting, current)
                else:
                    reason = answer.get("reason", "it ended without an answer")
                    if not self.records[peer.key]["left_out"]:
                        self.records[peer.key]["left_out"] = f"{FAILED}: {reason}"
                    for rung in waiting.values():
                        self._store(peer, seed, rung, f"{FAILED}: {reason}")
                    return []
        finally:
            child.close()

    def _give_up(
        self, peer: Peer, seed: int, waiting: dict[int, dict[str, Any]], current: int | None
    ) -> list[dict[str, Any]]:
        """A rung took too long: dearer ones would as well, others get a process of their own."""
        out_of_time = perf_counter() > self._turn_ends
        reason = OUT_OF_TIME if out_of_time else f"{TOO_SLOW}: ended after {self.limit:.0f} s"
        again = []
        slow = waiting.get(current) if current is not None else None
        for number, rung in waiting.items():
            dearer = slow is None or (peer.knob in rung and peer.knob in slow)
            if number == current or dearer or out_of_time:
                self._store(peer, seed, rung, reason)
            else:
                again.append({"id": number, "settings": rung})
        return again

"""Run a comparison: peers in turns, in fresh processes, on equal terms."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from annlab._support.checks import (
    check_data,
    check_integer,
    check_n_clusters,
    check_random_state,
    check_real,
)
from annlab._support.errors import invalid
from annlab._support.progress import Progress, tell
from annlab._support.threads import resolve_n_jobs
from annlab._support.types import Seed
from annlab.benchmarks.campaign.behaviour import code_facts
from annlab.benchmarks.campaign.child import START_S, Child, ChildEnded, stored
from annlab.benchmarks.campaign.comparison import PART, Comparison
from annlab.benchmarks.campaign.measured import (
    CONVERGED,
    FAILED,
    ONCE,
    OUT_OF_TIME,
    REFERENCE_PEER,
    REFERENCE_STEP,
    TOO_SLOW,
)
from annlab.benchmarks.campaign.peers import Peer, choose_peers
from annlab.benchmarks.campaign.store import Store
from annlab.benchmarks.machine import machine_record, wait_until_idle
from annlab.datasets import Dataset, load_benchmark_data

#: Iterations asked for, rung by rung.
LADDER = (1, 2, 3, 5, 7, 10, 15, 20, 25, 35, 50, 75, 100)
QUICK_LADDER = (1, 3, 10, 25)
#: A quick comparison takes at most this many rows, and this long.
QUICK_ROWS, QUICK_S = 20_000, 90.0

Rung = dict[str, Any]
#: A peer with a seed, and the rungs of its ladder: what one process runs.
Turn = tuple[Peer, int, list[Rung]]


def compare(
    data: str | Dataset | ArrayLike,
    n_clusters: int,
    *,
    peers: str | Sequence[str] | None = None,
    quick: bool = False,
    n_seeds: int | None = None,
    n_seeds_annlab: int | None = None,
    ladder: Sequence[int] | Mapping[str, Sequence[int]] | None = None,
    run_limit_s: float | None = None,
    budget_s: float | None = None,
    once_past_s: float = 60.0,
    wait_idle_s: float = 0.0,
    n_jobs: int | None = None,
    random_state: Seed = 0,
    progress: bool = True,
    path: str | os.PathLike[str] | None = None,
) -> Comparison:
    """Compare k-means implementations by their time to quality, on equal terms.

    Parameters
    ----------
    data : str, Dataset or array-like of shape (n, d)
        A name of `annlab.datasets.available_benchmark_data`, a data set, or rows. All peers get
        them as float32.
    n_clusters : int
    peers : str or sequence of str, optional
        Keys of `annlab.benchmarks.campaign.peers.all_peers`; by default all that are of use. A
        peer that is not installed is named as left out.
    quick : bool, default=False
        At most 20,000 rows, one seed, few rungs and 90 seconds.
    n_seeds, n_seeds_annlab : int, optional
        Seeds for each peer (3; 1 if quick) and for annlab's algorithms (5; 1 if quick).
    ladder : sequence of int, or dict of str to sequence of int, optional
        Iterations to ask for; (1, 2, 3, 5, 7, 10, 15, 20, 25, 35, 50, 75, 100) or, if quick,
        (1, 3, 10, 25). A dict maps peer keys to ladders; other peers use the default. A peer's
        own defaults are a rung of their own, whatever the ladder.
    run_limit_s : float, optional
        A run that takes longer is ended, and one that would is not begun: 600 s; 10 s if quick.
    budget_s : float, optional
        Nothing is begun after that, and what still runs is ended; 90 s if quick, else no limit.
    once_past_s : float, default=60
        A run that took longer is not repeated with other seeds.
    wait_idle_s : float, default=0
        Longest wait before each process for other work to end.
    n_jobs : int, optional
        Threads of every peer; None for all cores of this process.
    random_state : int, RandomState, Generator or None, default=0
        Draws the seeds (the same ones for every peer) and the rows of a quick comparison.
    progress : bool, default=True
        Show the peers with their settings, progress and time left on stderr.
    path : path-like, optional
        File of JSON lines to which each run is appended. If it exists, only what is missing in it
        is run; it must have been made with the same data and settings.

    Returns
    -------
    Comparison
        With ``time_to(peer, ratio)``, ``curve(peer)``, ``table()``, ``plot()``, ``save(folder)``.

    Raises
    ------
    TypeError, ValueError

    Notes
    -----
    Each peer runs in a fresh process for each seed, and the peers take turns, so none profits from
    warm caches of another or suffers alone from a busy hour. A process imports, warms up on 2,048
    rows, runs its cheapest rung once without counting it if that takes less than 2 s, and then its
    ladder. Imports and warm-up are outside the clock (``prepare_s``).

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
    theirs = check_integer(n_seeds if n_seeds is not None else (1 if quick else 3), "n_seeds")
    ours = check_integer(
        n_seeds_annlab if n_seeds_annlab is not None else n_seeds or (1 if quick else 5),
        "n_seeds_annlab",
    )
    run_limit_s = (10.0 if quick else 600.0) if run_limit_s is None else run_limit_s
    budget_s = QUICK_S if budget_s is None and quick else budget_s
    deadline = float("inf")
    if budget_s is not None:
        deadline = begin + check_real(budget_s, "budget_s")
    chosen = choose_peers(peers)
    ladders = _ladders(chosen, ladder, QUICK_LADDER if quick else LADDER)
    seeds = [int(seed) for seed in rng.randint(2**31 - 2, size=max(theirs, ours))]
    able = [peer for peer in chosen if not peer.missing(about["d"])]
    turns = _turns(able, ladders, seeds, {False: theirs, True: ours})
    settings = {
        "data": about,
        "n_clusters": n_clusters,
        "threads": threads,
        "seeds": seeds,
        "turns": [(peer.key, seed, len(rungs)) for peer, seed, rungs in turns],
        "ladders": ladders,
        "run_limit_s": check_real(run_limit_s, "run_limit_s", strict=True),
        "once_past_s": check_real(once_past_s, "once_past_s"),
        "processor": machine_record()["processor"],
        "code": code_facts(),
    }
    store = Store(path, PART, settings, floors={})
    wait_idle_s = check_real(wait_idle_s, "wait_idle_s")
    with stored(rows) as file:
        if store.is_new:
            wait_until_idle(wait_idle_s)
            store.header |= _floors(file, threads, n_clusters, 0.3 if quick else 1.0)
        for peer in chosen:
            store.add("peer", **_record(peer, peer.missing(about["d"])))
        if progress:
            _announce(store)
        _Runner(store, file, wait_idle_s, deadline).run(
            turns, Progress(progress, len(turns), _LINE)
        )
    return Comparison.of(store)


_LINE = "annlab bench: runs of peers"


class _Runner:
    """Run the turns of a comparison and add their runs to its store."""

    def __init__(self, store: Store, rows: Path, wait_idle_s: float, deadline: float) -> None:
        self.store, self.rows = store, rows
        self.wait_idle_s, self.deadline = wait_idle_s, deadline
        self.settings = store.header["settings"]

    def run(self, turns: list[Turn], line: Progress) -> None:
        """Run the remaining turns until the time is up.

        Of a time budget a turn gets at most twice its share, so no peer starves the others.
        """
        begin = perf_counter()
        for number, (peer, seed, rungs) in enumerate(turns):
            todo = [rung for rung in rungs if self._is_missing(peer, seed, rung)]
            now = perf_counter()
            if todo and now < self.deadline:
                place = self.settings["seeds"].index(seed) + 1
                line.update(number, f"{peer.label}, seed {place}")
                share = max(4.0, 2.0 * (self.deadline - now) / (len(turns) - number))
                self._turn(peer, seed, todo, min(self.deadline, now + share))
        left = Comparison.of(self.store).turns_left()
        line.close(
            f"done in {perf_counter() - begin:.0f} s" + (f", {left} turns left" if left else "")
        )

    def _is_missing(self, peer: Peer, seed: int, rung: Rung) -> bool:
        run = self.store.find(peer.key, seed, rung)
        return run is None or run["status"] == OUT_OF_TIME

    def _turn(self, peer: Peer, seed: int, rungs: list[Rung], ends: float) -> None:
        """Run a peer's ladder in one process; start a new one after a timeout."""
        limit, threads = self.settings["run_limit_s"], self.settings["threads"]
        child, skip, prepare_s = None, "", None
        done: list[tuple[int, float]] = []
        for rung in rungs:
            step = rung.get(peer.knob)
            facts: dict[str, Any] = {}
            # what ends a ladder does not concern the library's own defaults, unless it crashed
            status = skip if step is not None or skip.startswith(FAILED) else ""
            status = status or self._why_not(peer, rung, done, ends)
            if not status:
                if child is None:
                    wait_until_idle(self.wait_idle_s)
                    child = Child(self.rows, threads)
                try:
                    facts = child.ask(
                        limit,
                        ends=ends,
                        task="fit",
                        peer=peer.key,
                        k=self.settings["n_clusters"],
                        rung=rung,
                        seed=seed,
                        ladder=True,
                        peak=True,
                    )
                    status = f"{FAILED}: {facts['error']}" if "error" in facts else "ok"
                except TimeoutError:
                    out_of_time = perf_counter() > ends
                    status = (
                        OUT_OF_TIME if out_of_time else f"{TOO_SLOW}: ended after {limit:.0f} s"
                    )
                except ChildEnded as reason:
                    status = f"{FAILED}: {reason}"
                if not facts:
                    child.close()
                    child, skip = None, status
            if status == "ok":
                prepare_s = facts.pop("prepare_s")
                if step is not None:
                    done.append((step, facts["seconds"]))
                    # more iterations would give this very result again
                    if facts["n_iter"] is not None and facts["n_iter"] < step:
                        skip = CONVERGED
            else:
                facts = {}
            self.store.add("run", peer=peer.key, seed=seed, rung=rung, status=status, **facts)
        if child is not None:
            child.close()
        self._note(peer, prepare_s)

    def _why_not(self, peer: Peer, rung: Rung, done: list[tuple[int, float]], ends: float) -> str:
        """Return the reason to skip a rung, or "" to run it."""
        limit = self.settings["run_limit_s"]
        for run in self.store.all("run"):
            if (run["peer"], run["rung"]) == (peer.key, rung):
                past = run["status"] == "ok" and run["seconds"] > self.settings["once_past_s"]
                if past or run["status"].startswith(TOO_SLOW):
                    return ONCE
        if perf_counter() > ends:
            return OUT_OF_TIME
        step = rung.get(peer.knob)
        expected = 0.0 if step is None else expected_s(done, step)
        if expected > limit:
            return f"{TOO_SLOW}: about {expected:.0f} s expected, {limit:.0f} s allowed"
        return ""

    def _note(self, peer: Peer, prepare_s: float | None) -> None:
        """Record what a turn showed about its peer."""
        runs = [run["status"] for run in self.store.all("run") if run["peer"] == peer.key]
        failed = [status for status in runs if status.startswith(FAILED)]
        reason = failed[0] if failed and "ok" not in runs else ""
        self.store.add("peer", **_record(peer, reason, prepare_s))


def expected_s(done: list[tuple[int, float]], step: int) -> float:
    """Extrapolate the seconds of a rung linearly from the last two rungs.

    One rung alone cannot tell the start from the iterations: then at least as long as that one.
    """
    if not done:
        return 0.0
    if len(done) == 1:
        return done[0][1]
    (low, quick), (high, slow) = done[-2:]
    return slow + max(0.0, slow - quick) / (high - low) * (step - high)


def _floors(rows: Path, threads: int, k: int, seconds: float) -> dict[str, Any]:
    """Measure the floors, and the machine as a new process sees it."""
    child = Child(rows, threads)
    try:
        return child.ask(START_S, task="floors", k=k, seconds=seconds)
    except (TimeoutError, ChildEnded):
        return {}
    finally:
        child.close()


def _ladders(
    peers: Sequence[Peer],
    ladder: Sequence[int] | Mapping[str, Sequence[int]] | None,
    usual: tuple[int, ...],
) -> dict[str, list[int]]:
    """Return the steps of each peer."""

    def steps(values: Sequence[int]) -> tuple[int, ...]:
        return tuple(sorted({check_integer(step, "ladder") for step in values}))

    own: Mapping[str, Sequence[int]] = ladder if isinstance(ladder, Mapping) else {}
    if ladder is not None and not isinstance(ladder, Mapping):
        if not len(ladder):
            raise invalid("ladder", "a sequence of at least one integer", ladder)
        usual = steps(ladder)
    return {
        peer.key: list(steps(own[peer.key]) if peer.key in own else peer.steps(usual))
        for peer in peers
    }


def _record(peer: Peer, left_out: str, prepare_s: float | None = None) -> dict[str, Any]:
    return {
        "key": peer.key,
        "label": peer.label,
        "settings": peer.settings,
        "knob": peer.knob,
        "is_ours": peer.is_ours,
        "prepare_s": prepare_s,
        "left_out": left_out,
    }


def _rows(data: Any, quick: bool, rng: np.random.RandomState) -> tuple[np.ndarray, dict[str, Any]]:
    if isinstance(data, str):
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


def _turns(
    peers: list[Peer], ladders: dict[str, list[int]], seeds: list[int], seeds_of: dict[bool, int]
) -> list[Turn]:
    """Return the order of the processes, in which the peers take turns to begin."""
    turns = []
    for number, seed in enumerate(seeds):
        first = number * len(peers) // len(seeds)
        for peer in peers[first:] + peers[:first]:
            if number < seeds_of[peer.is_ours]:
                steps = set(ladders[peer.key])
                if peer.key == REFERENCE_PEER:
                    steps.add(REFERENCE_STEP)
                turns.append((peer, seed, peer.rungs(tuple(sorted(steps)))))
    return turns


def _announce(store: Store) -> None:
    settings = store.header["settings"]
    about = settings["data"]
    tell(
        f"{about['name']}: {about['n']:,} rows, {about['d']} features, "
        f"{settings['n_clusters']:,} clusters, {settings['threads']} threads"
    )
    for peer in store.all("peer"):
        fixed = ", ".join(f"{name}={value}" for name, value in peer["settings"].items())
        text = f"left out: {peer['left_out']}" if peer["left_out"] else fixed or "defaults"
        tell(f"  {peer['label']}: {text}")

"""Running a comparison: peers in turns, in fresh processes, on equal terms."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
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
from annlab.benchmarks.campaign.behaviour import check_alike, code_facts
from annlab.benchmarks.campaign.comparison import Comparison
from annlab.benchmarks.campaign.measured import REFERENCE_PEER, REFERENCE_STEP
from annlab.benchmarks.campaign.peers import Peer, choose_peers
from annlab.benchmarks.campaign.session import Limits, Session
from annlab.benchmarks.machine import machine_record
from annlab.datasets import Dataset, load_benchmark_data

#: Iterations asked for, rung by rung.
LADDER = (1, 2, 3, 5, 7, 10, 15, 20, 25, 35, 50, 75, 100)
QUICK_LADDER = (1, 3, 10, 25)
#: A quick comparison takes at most this many rows, and this long.
QUICK_ROWS, QUICK_S = 20_000, 90.0
#: What must be the same where a comparison is resumed.
_FIXED = ("ladder", "seeds", "n_seeds", "n_seeds_annlab", "run_limit_s", "code")


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
    stop_after_s: float | None = None,
    resume: Comparison | None = None,
    checkpoint: Callable[[Comparison], object] | None = None,
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
    Each peer runs in a fresh process for each seed, and the peers take turns, so no peer profits
    from warm caches of another or suffers for a busy hour alone. A process imports, warms up on
    2,048 rows, runs its cheapest rung once for nothing if that takes less than 2 s, and then its
    ladder; what comes before it is outside the clock (``prepare_s``).

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
    steps, own = _ladders(ladder, QUICK_LADDER if quick else LADDER)
    theirs = check_integer(n_seeds if n_seeds is not None else (1 if quick else 3), "n_seeds")
    ours = check_integer(
        n_seeds_annlab if n_seeds_annlab is not None else n_seeds or (1 if quick else 5),
        "n_seeds_annlab",
    )
    if quick:
        budget_s = QUICK_S if budget_s is None else budget_s
    limits = _limits(begin, quick, run_limit_s, once_past_s, wait_idle_s, budget_s, stop_after_s)
    chosen = choose_peers(peers)
    seeds = [int(seed) for seed in rng.randint(2**31 - 2, size=max(theirs, ours))]
    options = {
        "quick": quick,
        "ladder": {key: list(values) for key, values in own.items()} if own else list(steps),
        "seeds": seeds,
        "n_seeds": theirs,
        "n_seeds_annlab": ours,
        "run_limit_s": limits.run_s,
        "budget_s": budget_s,
        "once_past_s": limits.once_past_s,
        "code": code_facts(),
        "environment": _threading_environment(),
    }
    records = [_record(peer, about["d"]) for peer in chosen]
    _announce(records, about, n_clusters, threads, progress)
    run = _Run(about, options, Session(rows, n_clusters, threads, limits, records), begin)
    if resume is not None:
        run.resume(resume)
    able = [peer for peer in chosen if not peer.missing(about["d"])]
    turns = _turns(able, seeds, {False: theirs, True: ours})
    ladders = {peer.key: own.get(peer.key, peer.steps(steps)) for peer in able}
    run.all_turns(turns, ladders, Progress(progress, len(turns), _LINE), checkpoint)
    return run.comparison()


_LINE = "annlab bench: runs of peers"


class _Run:
    """A comparison on its way: which turns are done, and what it looks like so far."""

    def __init__(
        self, about: dict[str, Any], options: dict[str, Any], session: Session, begin: float
    ) -> None:
        self.about, self.options, self.session, self.begin = about, options, session, begin
        self.floors: dict[str, float] = {}
        self.machine: dict[str, Any] = {}
        self.done: list[list[Any]] = []
        self.n_left = 0
        self.elapsed_before = 0.0

    def resume(self, earlier: Comparison) -> None:
        """Continue an earlier comparison, if it was made alike."""
        session = self.session
        was = {"data": earlier.data, "n_clusters": earlier.n_clusters, "threads": earlier.threads}
        now = {"data": self.about, "n_clusters": session.n_clusters, "threads": session.threads}
        was["processor"] = earlier.machine.get("processor")
        now["processor"] = machine_record()["processor"]
        for name in _FIXED:
            was[name], now[name] = earlier.options.get(name), self.options[name]
        check_alike(was, now, f"a comparison on {earlier.data['name']}")
        self.done = [list(turn) for turn in earlier.options.get("turns_done", [])]
        self.elapsed_before = earlier.options.get("elapsed_s", 0.0)
        self.floors, self.machine = earlier.floors, earlier.machine
        session.resume(earlier)

    def comparison(self) -> Comparison:
        """What is there so far."""
        return Comparison(
            data=self.about,
            n_clusters=self.session.n_clusters,
            threads=self.session.threads,
            reference=self.session.reference(),
            peers=list(self.session.records.values()),
            runs=self.session.runs,
            floors=self.floors,
            machine=self.machine,
            options={
                **self.options,
                "turns_done": self.done,
                "turns_left": self.n_left,
                "elapsed_s": self.elapsed_before + perf_counter() - self.begin,
            },
        )

    def all_turns(
        self,
        turns: list[tuple[Peer, int]],
        ladders: dict[str, tuple[int, ...]],
        line: Progress,
        checkpoint: Callable[[Comparison], object] | None,
    ) -> None:
        """Run the turns that are left, until the time is over."""
        left = [(peer, seed) for peer, seed in turns if [peer.key, seed] not in self.done]
        self.n_left = len(left)
        with self.session.stored_rows():
            if not self.floors:
                self.floors, self.machine = self.session.measure_floors(
                    0.3 if self.options["quick"] else 1.0
                )
            while left and perf_counter() <= self.session.limits.stop:
                peer, seed = left[0]
                line.update(
                    len(turns) - len(left),
                    f"{peer.label}, seed {self.options['seeds'].index(seed) + 1}",
                    left_s=self.session.left_s(left),
                )
                rungs = _with_reference(peer, ladders[peer.key])
                self.session.run(peer, seed, rungs, turns_left=len(left))
                self.done.append([peer.key, seed])
                left.pop(0)
                self.n_left = len(left)
                if checkpoint is not None:
                    checkpoint(self.comparison())
        text = f", {self.n_left} turns left" if self.n_left else ""
        line.close(f"done in {perf_counter() - self.begin:.0f} s{text}")


def _ladders(
    ladder: Sequence[int] | Mapping[str, Sequence[int]] | None, usual: tuple[int, ...]
) -> tuple[tuple[int, ...], dict[str, tuple[int, ...]]]:
    """Return the steps of all peers, and those of peers with a ladder of their own."""

    def steps(values: Sequence[int]) -> tuple[int, ...]:
        return tuple(sorted({check_integer(step, "ladder") for step in values}))

    if isinstance(ladder, Mapping):
        return usual, {key: steps(values) for key, values in ladder.items()}
    if ladder is not None and not len(ladder):
        raise invalid("ladder", "a sequence of at least one integer", ladder)
    return usual if ladder is None else steps(ladder), {}


def _limits(
    begin: float,
    quick: bool,
    run_limit_s: float | None,
    once_past_s: float,
    wait_idle_s: float,
    budget_s: float | None,
    stop_after_s: float | None,
) -> Limits:
    if run_limit_s is None:
        run_limit_s = 10.0 if quick else 600.0
    return Limits(
        run_s=check_real(run_limit_s, "run_limit_s", strict=True),
        once_past_s=check_real(once_past_s, "once_past_s"),
        wait_idle_s=check_real(wait_idle_s, "wait_idle_s"),
        deadline=_moment(begin, budget_s, "budget_s", strict=True),
        stop=_moment(begin, stop_after_s, "stop_after_s"),
    )


def _threading_environment() -> dict[str, str]:
    """Variables that change how OpenMP's threads behave."""
    return {
        name: value
        for name, value in sorted(os.environ.items())
        if name.startswith(("OMP_", "GOMP_", "KMP_")) and len(value) < 40
    }


def _moment(begin: float, seconds: float | None, name: str, **rule: bool) -> float:
    """Return the moment so many seconds after the beginning; never without a number."""
    return float("inf") if seconds is None else begin + check_real(seconds, name, **rule)


def _record(peer: Peer, n_features: int) -> dict[str, Any]:
    return {
        "key": peer.key,
        "label": peer.label,
        "settings": peer.settings,
        "knob": peer.knob,
        "is_ours": peer.is_ours,
        "prepare_s": None,
        "left_out": peer.missing(n_features),
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


def _announce(
    records: list[dict[str, Any]],
    about: dict[str, Any],
    n_clusters: int,
    threads: int,
    progress: bool,
) -> None:
    if not progress:
        return
    tell(
        f"{about['name']}: {about['n']:,} rows, {about['d']} features, {n_clusters:,} clusters, "
        f"{threads} threads"
    )
    for record in records:
        settings = ", ".join(f"{name}={value}" for name, value in record["settings"].items())
        text = f"left out: {record['left_out']}" if record["left_out"] else settings or "defaults"
        tell(f"  {record['label']}: {text}")

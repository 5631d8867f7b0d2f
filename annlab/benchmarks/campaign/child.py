"""A new process that holds rows and fits peers, one request after another.

Requests and answers are lines of JSON. `Child` is the caller's end; `main` runs in the process,
where standard output carries answers alone and what libraries print goes to standard error.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

import numpy as np

from annlab._support.places import PACKAGE
from annlab.benchmarks.campaign.peers import Peer, all_peers
from annlab.benchmarks.machine import OtherLoad, PeakMemory, machine_record, measure_floors
from annlab.metrics import inertia

#: Time for a new process to import, load the rows and warm up.
START_S = 60.0
#: Extra time for judging a result.
SLACK_S = 5.0
#: A peer's first fit that is quicker than this is run twice, and the first time does not count.
WARM_UP_S = 2.0
#: Quick fits are repeated until they add up to this, at most five times; the median counts.
_REPEAT_S = 0.25
#: OpenMP's threads spin for a while after a fit; the next fit waits that long.
_PAUSE_S = 0.02
_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


class ChildEnded(Exception):
    """The process ended without an answer."""


@contextlib.contextmanager
def stored(rows: np.ndarray) -> Iterator[Path]:
    """Save rows to a temporary file for the processes."""
    with tempfile.TemporaryDirectory(prefix="annlab-bench-") as folder:
        path = Path(folder) / "rows.npy"
        np.save(path, rows)
        yield path


class Child:
    """A fresh Python process with rows and a number of threads.

    Parameters
    ----------
    rows : Path
        .npy file.
    threads : int
    """

    def __init__(self, rows: Path, threads: int) -> None:
        environment = {**os.environ, **dict.fromkeys(_THREADS, str(threads))}
        path = environment.get("PYTHONPATH")
        package = str(PACKAGE.parent)
        environment["PYTHONPATH"] = package if not path else os.pathsep.join((package, path))
        self._noise = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "annlab.benchmarks.campaign.child", rows, str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._noise,
            env=environment,
            text=True,
            encoding="utf-8",
        )
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._start_s = START_S
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as answers:
            for line in answers:
                self._lines.put(line)
        self._lines.put(None)

    def ask(self, limit_s: float, *, ends: float = float("inf"), **request: Any) -> dict[str, Any]:
        """Send a request and return its answer; its ``error`` is a library's error.

        The time for a new process to start is added to the limit; no answer is awaited past the
        moment ``ends`` of `time.perf_counter`.

        Raises
        ------
        TimeoutError
            If there is no answer in time; the process is still busy then.
        ChildEnded
        """
        assert self._process.stdin is not None
        # if the process has ended, the missing answer says so
        with contextlib.suppress(OSError):
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        allowed = min(limit_s + self._start_s + SLACK_S, max(0.0, ends - perf_counter()))
        self._start_s = 0.0
        try:
            line = self._lines.get(timeout=allowed)
        except queue.Empty:
            raise TimeoutError(f"no answer in {allowed:.0f} s") from None
        if line is None:
            status = self._process.wait()
            self._noise.seek(0)
            last = self._noise.read().decode(errors="replace").strip().splitlines()[-1:]
            raise ChildEnded(": ".join([f"the process ended with status {status}", *last]))
        return json.loads(line)

    def close(self) -> None:
        """End the process, whatever it is doing."""
        self._process.kill()
        self._process.wait()
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._noise.close()


class _Server:
    """The child's side: the rows, and what it keeps between two fits."""

    def __init__(self, rows: np.ndarray, threads: int) -> None:
        self.rows, self.threads = rows, threads
        self.peers = all_peers()
        self.prepare_s: dict[str, float] = {}
        self.warm: set[str] = set()
        self.memory: PeakMemory | None = None
        self.others = OtherLoad()

    def floors(self, k: int, seconds: float) -> dict[str, Any]:
        """Measure the floors of this machine for the shape of the rows."""
        n, d = self.rows.shape
        floors = measure_floors(n, d, k, seconds=seconds)
        return {"floors": floors, "machine": machine_record()}

    def fit(
        self, peer: str, k: int, rung: dict[str, Any], seed: int, ladder: bool, peak: bool
    ) -> dict[str, Any]:
        """Fit once and judge; a quick rung of a ladder is warmed up and repeated."""
        runner = self.peers[peer]
        if peer not in self.prepare_s:
            begin = perf_counter()
            self._prepare(runner, rung)
            self.prepare_s[peer] = perf_counter() - begin
        if peak and self.memory is None:
            self.memory = PeakMemory()

        answer: Any = None

        def once() -> float:
            nonlocal answer
            sleep(_PAUSE_S)
            if peak and self.memory is not None:
                self.memory.reset()
            begin = perf_counter()
            answer = runner.run(self.rows, k, rung, seed, self.threads)
            return perf_counter() - begin

        times = [once()]
        if ladder:
            if peer not in self.warm and times[0] < WARM_UP_S:
                times = [once()]
            while sum(times) < _REPEAT_S and len(times) < 5:
                times.append(once())
        self.warm.add(peer)
        cores = self.others.cores()
        if cores is not None:
            self.others = OtherLoad()
        return {
            "seconds": float(np.median(times)),
            "repeats_s": times,
            "inertia": inertia(self.rows, answer.labels, answer.centroids, n_jobs=self.threads),
            "n_used": len(np.unique(answer.labels)),
            "n_iter": answer.n_iter,
            "algorithm": answer.algorithm,
            "peak_bytes": self.memory.peak_bytes() if peak and self.memory else None,
            "others_cores": cores,
            "prepare_s": self.prepare_s[peer],
        }

    def _prepare(self, peer: Peer, rung: dict[str, Any]) -> None:
        """Fit a few rows, so that imports and new threads are not timed later."""
        few = np.ascontiguousarray(self.rows[:: max(1, len(self.rows) // 2048)][:2048])
        peer.run(few, min(8, len(few)), rung, 0, self.threads)


def main(rows: str, threads: str) -> None:
    """Answer the requests on standard input until it ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    # the low number of iterations is intended
    warnings.simplefilter("ignore")
    server = _Server(np.load(rows), int(threads))
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = getattr(server, request.pop("task"))(**request)
        except Exception as reason:
            # whatever a library raises ends this fit alone
            answer = {"error": f"{type(reason).__name__}: {reason}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])

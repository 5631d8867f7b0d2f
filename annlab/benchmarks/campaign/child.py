"""A fresh process that measures and answers in lines of JSON."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from typing import Any

from annlab._support.places import PACKAGE

#: A fresh process may take so long to import and warm up.
START_S = 60.0
_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS",
)


class Child:
    """A fresh Python process that runs one job of `worker`.

    Parameters
    ----------
    job : dict
        Plain data; its ``"task"`` is a name of `worker.TASKS`.
    threads : int
    """

    def __init__(self, job: dict[str, Any], threads: int) -> None:
        environment = {**os.environ, **dict.fromkeys(_THREADS, str(threads))}
        path = environment.get("PYTHONPATH")
        package = str(PACKAGE.parent)
        environment["PYTHONPATH"] = package if not path else os.pathsep.join((package, path))
        self._noise = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "annlab.benchmarks.campaign.worker"],
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
        # if it died at once, the missing answer tells
        with contextlib.suppress(OSError):
            self._process.stdin.write(json.dumps(job))
            self._process.stdin.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def answer(self, limit_s: float) -> dict[str, Any]:
        """Return the next answer; an ``"event"`` of ``"timeout"`` or ``"end"`` if there is none."""
        try:
            line = self._lines.get(timeout=max(limit_s, 0.01))
        except queue.Empty:
            return {"event": "timeout", "reason": f"no answer in {limit_s:.0f} s"}
        if line is None:
            status = self._process.wait()
            self._noise.seek(0)
            last = self._noise.read().decode(errors="replace").strip().splitlines()[-1:]
            reason = f"the process ended with status {status}" + "".join(f": {x}" for x in last)
            return {"event": "end", "reason": reason}
        return json.loads(line)

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *exc: object) -> None:
        """End the process, whatever it is doing."""
        self._process.kill()
        self._process.wait()
        self._noise.close()

"""Computations of explorers: progress, Stop, threads, stored measurements."""

from __future__ import annotations

import atexit
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import ipywidgets

if TYPE_CHECKING:
    from annlab.result import Step

#: A computation shows its progress after this many seconds.
_PATIENCE_S = 0.3

#: Held while something is timed: two explorers must not disturb each other's measurements.
CLOCK = threading.Lock()

_closing = threading.Event()
atexit.register(_closing.set)


def ending() -> bool:
    """Tell whether the process is about to end, so that threads should too."""
    return _closing.is_set()


def asked_by_browser() -> bool:
    """Tell whether a message from a browser is being handled, and not a cell."""
    try:
        from IPython import get_ipython

        kernel = getattr(get_ipython(), "kernel", None)
        if kernel is None:
            return False
        return kernel.get_parent().get("header", {}).get("msg_type") == "comm_msg"
    except Exception:
        # other kernels may lack this interface; computing synchronously is always right
        return False


class Store:
    """Results kept by key, shared by all explorers that use it; safe for threads.

    Of more than ``most`` results the least recently used is dropped.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: OrderedDict[object, Any] = OrderedDict()
        self._lock = threading.Lock()

    def __contains__(self, key: object) -> bool:
        return key in self._known

    def __len__(self) -> int:
        return len(self._known)

    def get(self, key: object, measure: Callable[..., Any], *arguments: object) -> Any:
        """Return the stored result of a key; compute it if it is new."""
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
                return self._known[key]
        made = measure(*arguments)
        with self._lock:
            # two explorers that measure at the same time show the same result
            known = self._known.setdefault(key, made)
            while len(self._known) > self._most:
                self._known.popitem(last=False)
            return known


class Stopped(Exception):
    """The reader pressed Stop, or requested something else meanwhile."""


class Job:
    """Progress and Stop of one ``compute``; ``show`` gets the share and a text."""

    def __init__(self, show: Callable[[float, str], None] | None = None) -> None:
        self._show = show
        self._stop = threading.Event()

    def stop(self) -> None:
        """Make the next `report` raise `Stopped`."""
        self._stop.set()

    def check(self) -> None:
        """Raise `Stopped` if the result is no longer wanted; do not catch it."""
        if self._stop.is_set() or ending():
            raise Stopped

    def report(self, done: float, total: float, text: str = "") -> None:
        """Report ``done`` of ``total``, or raise `Stopped`, which must not be caught."""
        self.check()
        if self._show is not None:
            self._show(min(1.0, done / max(total, 1e-12)), text)

    def callback(self, total: int, before: int = 0) -> Callable[[Step], bool]:
        """Make a ``callback`` that reports each iteration and can stop the fit.

        ``total`` counts the iterations of all fits, ``before`` those of the fits before this one.
        """

        def told(step: Step) -> bool:
            self.report(before + step.iteration, total, f"iteration {step.iteration}")
            return False

        return told


class Worker:
    """A thread that computes what a browser requests; the latest request wins.

    The explorer's ``lock`` is held while a result is handed over. With a ``stop_button``, ``row``
    shows the progress of what takes longer than 0.3 s.
    """

    def __init__(self, lock: threading.RLock, stop_button: ipywidgets.Button | None = None) -> None:
        self._lock = lock
        self._job: Job | None = None
        self.bar = ipywidgets.FloatProgress(
            min=0.0,
            max=1.0,
            description="Computing",
            style={"description_width": "initial"},
            layout={"width": "190px"},
        )
        self._doing = ipywidgets.Label(layout={"max_width": "110px"})
        self.row: ipywidgets.HBox | None = None
        if stop_button is not None:
            self.row = ipywidgets.HBox(
                [self.bar, stop_button, self._doing],
                layout={"visibility": "hidden", "align_items": "center"},
            )

    def start(self, compute: Callable[[Job], object], done: Callable[[Any, str], None]) -> None:
        """Call ``done`` with the result of ``compute``, or with None and the error."""
        self.cancel()
        job = self._job = Job(self._show if self.row else None)
        threading.Thread(target=self._work, args=(job, compute, done), daemon=True).start()
        if self.row:
            timer = threading.Timer(_PATIENCE_S, self._show_row, (job,))
            timer.daemon = True
            timer.start()

    def stop(self) -> None:
        """Stop the computation and say so."""
        if self._job is not None:
            self._job.stop()

    def cancel(self) -> None:
        """Stop the computation and drop its result."""
        self.stop()
        self._job = None

    def _work(
        self, job: Job, compute: Callable[[Job], object], done: Callable[[Any, str], None]
    ) -> None:
        result, trouble = None, ""
        try:
            result = compute(job)
        except Stopped:
            trouble = "Stopped: the picture still shows the previous values."
        except Exception as reason:
            trouble = f"Not possible: {reason}"
        with self._lock:
            if self._job is not job:
                return
            self._job = None
            if self.row:
                self.row.layout.visibility = "hidden"
                self.bar.value = 0.0
            done(result, trouble)

    def _show_row(self, job: Job) -> None:
        with self._lock:
            if self._job is job and self.row:
                self.row.layout.visibility = "visible"

    def _show(self, share: float, text: str) -> None:
        # a message for every percent, not for every report
        if abs(share - self.bar.value) >= 0.01 or share >= 1:
            self.bar.value = share
            self._doing.value = text

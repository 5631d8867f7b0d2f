"""One line of progress on stderr, redrawn in place."""

from __future__ import annotations

import contextlib
import sys
import time


def tell(text: str, end: str = "\n") -> None:
    """Write to stderr; ignore that it is missing or closed."""
    # None in a program without a console; print would then take stdout
    if sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):
            print(text, end=end, file=sys.stderr, flush=True)


class Progress:
    """Redraw a line at most four times a second, with the estimated time left.

    Parameters
    ----------
    enabled : bool
        False makes every call free.
    total : int
        Number of updates that end the work.
    label : str
    """

    def __init__(self, enabled: bool, total: int, label: str) -> None:
        self.enabled, self.total, self.label = enabled, total, label
        self._begin = time.perf_counter()
        self._shown = 0.0
        self._width = 0
        self._done, self._text = 0, ""

    def update(self, done: int, text: str = "", *, left_s: float | None = None) -> None:
        """Show that ``done`` of ``total`` is finished.

        ``left_s`` is the time left, if parts of the work take different times.
        """
        if not self.enabled:
            return
        self._done, self._text = done, text
        now = time.perf_counter()
        if done < self.total and now - self._shown < 0.25:
            return
        self._shown = now
        if left_s is None:
            left = (now - self._begin) / max(done, 1) * (self.total - done)
            remaining = f"at most {left:.0f} s left"
        else:
            remaining = f"about {left_s:.0f} s left"
        self._show([f"{self.label} {done}/{self.total}", text, remaining])

    def part(self, done: int, total: int) -> None:
        """Show how many rows of the current step are finished."""
        if not self.enabled:
            return
        now = time.perf_counter()
        if now - self._shown < 0.25:
            return
        self._shown = now
        steps = self._done + done / total
        left = (now - self._begin) / steps * (self.total - steps)
        where = f"{self.label} {self._done + 1}/{self.total}, row {done:,}/{total:,}"
        self._show([where, self._text, f"at most {left:.0f} s left"])

    def _show(self, parts: list[str]) -> None:
        line = ", ".join(part for part in parts if part)
        tell("\r" + line.ljust(self._width), end="")
        self._width = len(line)

    def close(self, text: str = "") -> None:
        """End the line."""
        if self.enabled and self._width:
            tell("\r" + f"{self.label} {text}".ljust(self._width))

"""Frames of an explorer as PNG: drawn on demand or ahead, and kept."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from annlab.widgets.base.jobs import Store, ending
from annlab.widgets.base.look import render

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Frames that an explorer keeps.
KEPT_FRAMES = 400
#: Seconds without drawing ahead after a frame was requested: more requests may follow.
_QUIET_S = 0.4


class _Turns:
    """Lock for drawing with matplotlib, in which requested frames go first.

    With a plain lock, explorers that draw ahead could pass it among themselves while a reader
    waits for a frame.
    """

    def __init__(self) -> None:
        self._free = threading.Condition()
        self._busy, self._waiting, self._asked = False, 0, 0.0

    @contextmanager
    def take(self, ahead: bool) -> Iterator[None]:
        with self._free:
            if ahead:
                while self._busy or self._waiting or self._pause() > 0:
                    self._free.wait(max(self._pause(), 0.05))
            else:
                self._waiting += 1
                while self._busy:
                    self._free.wait()
                self._waiting -= 1
            self._busy = True
        try:
            yield
        finally:
            with self._free:
                self._busy = False
                if not ahead:
                    self._asked = time.monotonic()
                self._free.notify_all()

    def _pause(self) -> float:
        return self._asked + _QUIET_S - time.monotonic()


_turns = _Turns()


class Pictures:
    """The frames of one explorer, of a size in CSS pixels."""

    def __init__(self, size: tuple[int, int]) -> None:
        self._size = size
        self.known = Store(KEPT_FRAMES)
        self._stop_ahead = threading.Event()

    def get(self, key: object, draw: Callable[[Figure], None], *, ahead: bool = False) -> bytes:
        """Return the PNG of a frame; ``key`` covers all that it depends on."""

        def made() -> bytes:
            with _turns.take(ahead):
                # the previous thread may have drawn this frame
                return bytes(self.known.get(key, render, draw, self._size))

        # a known frame does not wait for a turn
        return bytes(self.known.get(key, made))

    def draw_ahead(self, frames: Sequence[int], draw: Callable[[int], object]) -> None:
        """Draw frames ahead in a thread, replacing the previous list."""
        self.stop()
        stop = self._stop_ahead = threading.Event()

        def work() -> None:
            for frame in frames[:KEPT_FRAMES]:
                # the pause lets the kernel answer between two frames
                if stop.wait(0.01) or ending():
                    return
                draw(frame)

        threading.Thread(target=work, daemon=True).start()

    def stop(self) -> None:
        """Stop drawing ahead."""
        self._stop_ahead.set()

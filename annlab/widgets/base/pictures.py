"""Frames of an explorer as PNG: drawn on demand or ahead, and kept."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from annlab.widgets.base.jobs import Store, ending
from annlab.widgets.base.look import render

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Frames that an explorer keeps.
KEPT_FRAMES = 400


class Pictures:
    """The frames of one explorer, of a size in CSS pixels."""

    def __init__(self, size: tuple[int, int]) -> None:
        self._size = size
        self.known = Store(KEPT_FRAMES)
        self._painting = threading.Lock()
        self._stop_ahead = threading.Event()

    def get(self, key: object, draw: Callable[[Figure], None], *, ahead: bool = False) -> bytes:
        """Return the PNG of a frame; ``key`` says all that it depends on."""
        # without the lock first: a known frame must not wait for one that is being drawn ahead
        return bytes(self.known.get(key, self._painted, key, draw, ahead))

    def _painted(self, key: object, draw: Callable[[Figure], None], ahead: bool) -> bytes:
        with self._painting:
            # the thread that held the lock may have drawn this very frame
            made = partial(render, draw, self._size, ahead=ahead)
            return bytes(self.known.get(key, made))

    def draw_ahead(self, frames: Sequence[int], draw: Callable[[int], object]) -> None:
        """Draw frames in a thread, instead of those that are still being drawn ahead."""
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
        """Draw nothing ahead."""
        self._stop_ahead.set()

"""Controls of a replay (scrubber, number field, speed) and its thread."""

from __future__ import annotations

import threading
from collections.abc import Callable

import ipywidgets

from annlab.widgets.base.controls import WIDE
from annlab.widgets.base.jobs import ending

#: Seconds between frames while running.
SPEEDS = {"slow": 1.6, "normal": 0.8, "fast": 0.25}


class Player:
    """Scrubber, number field and speed of a replay; ``word`` names its frames."""

    def __init__(self, word: str, animated: bool) -> None:
        self.scrubber = ipywidgets.IntSlider(
            min=0,
            max=1,
            description=word.capitalize(),
            tooltip=f"Drag, or use the arrow keys, to go to any {word}",
            readout=False,
            style=WIDE,
            layout={"flex": "1 1 220px", "min_width": "180px", "max_width": "420px"},
        )
        self.field = ipywidgets.BoundedIntText(
            min=0,
            max=1,
            description="No.",
            tooltip=f"Type the number of the {word}",
            style=WIDE,
            layout={"width": "100px"},
        )
        self.speed = ipywidgets.Dropdown(
            options=list(SPEEDS),
            value="normal",
            description="Speed",
            tooltip="Speed of Run",
            style=WIDE,
            layout={"width": "130px"},
        )
        self.places = (self.scrubber, self.field)
        self.parts = [*self.places, self.speed] if animated else [*self.places]
        self._stop: threading.Event | None = None

    @property
    def running(self) -> bool:
        """Whether frames advance by themselves."""
        return self._stop is not None

    def run(self, lock: threading.RLock, step: Callable[[], bool]) -> None:
        """Call ``step`` repeatedly in a thread until it returns False."""
        stop = self._stop = threading.Event()

        def work() -> None:
            while not stop.wait(SPEEDS[self.speed.value]) and not ending():
                with lock:
                    if stop.is_set() or not step():
                        return

        threading.Thread(target=work, daemon=True).start()

    def pause(self) -> None:
        """Stop at the current frame."""
        if self._stop is not None:
            self._stop.set()
            self._stop = None

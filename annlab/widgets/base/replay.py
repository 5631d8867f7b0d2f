"""Step through the frames of an explorer."""

from __future__ import annotations

from typing import Any, Self, SupportsIndex

from annlab._support.errors import invalid
from annlab.widgets.base import jobs
from annlab.widgets.base.panel import Panel


class Replay(Panel):
    """The frames of a result, and navigation between them."""

    result: Any
    _frame = 0

    def frame_count(self, result: Any) -> int:
        """Return the number of frames of a result (replay only)."""
        return 1

    def _refresh(self) -> None:
        """Update picture, sentence and state to result, frame and values."""
        raise NotImplementedError

    @property
    def frame(self) -> int:
        """Current frame; setting it goes there.

        Raises
        ------
        TypeError, ValueError
            For a frame that does not exist.
        """
        return self._frame

    @frame.setter
    def frame(self, frame: int) -> None:
        self._go(self._check_frame(frame))

    @property
    def n_frames(self) -> int:
        """Number of frames of the result that is shown."""
        return self._count(self.result) if self.replay else 1

    def _count(self, result: object) -> int:
        return max(1, int(self.frame_count(result)))

    def _check_frame(self, frame: SupportsIndex) -> int:
        rule = f"an integer from 0 to {self.n_frames - 1}"
        if isinstance(frame, bool) or not hasattr(frame, "__index__"):
            raise invalid("frame", rule, repr(frame), error=TypeError)
        if not 0 <= int(frame) < self.n_frames:
            raise invalid("frame", rule, frame)
        return int(frame)

    def _go(self, frame: int) -> None:
        """Show a frame; numbers out of range mean the first or last one."""
        with self._lock:
            self._frame = min(max(frame, 0), self.n_frames - 1)
            self._show_frame_controls()
            self._refresh()

    def _show_frame_controls(self) -> None:
        if self.player is not None:
            last = self.n_frames - 1
            for widget in self.player.places:
                # a slider without room to move would divide by zero in the browser
                self._quietly(widget, max=max(last, 1), value=self._frame)
                widget.disabled = last == 0

    def _on_frame(self, change: dict[str, Any]) -> None:
        with self._lock:
            # inside the lock: another thread that ignores changes must not swallow this one
            if not self._quiet:
                self._pause()
                self._go(int(change["new"]))

    def step(self) -> Self:
        """Go to the next frame; stay at the last one."""
        with self._lock:
            self._go(self._frame + 1)
        return self

    def step_back(self) -> Self:
        """Go to the previous frame; stay at the first one."""
        with self._lock:
            self._go(self._frame - 1)
        return self

    def run(self) -> Self:
        """Go to the last frame: at once from Python, frame by frame in a browser."""
        with self._lock:
            if self.player is not None and self.player.running:
                self._pause()
            elif self.player is not None and self.animated and jobs.asked_by_browser():
                if self._frame == self.n_frames - 1:
                    self._go(0)
                self.buttons["run"].description = "Pause"
                self.player.run(self._lock, self._run_on)
            else:
                self._go(self.n_frames - 1)
        return self

    def _run_on(self) -> bool:
        """Go to the next frame, and tell whether more follow."""
        self.step()
        more = self._frame < self.n_frames - 1
        if not more:
            self._pause()
        return more

    def _pause(self) -> None:
        if self.player is not None and self.player.running:
            self.player.pause()
            self.buttons["run"].description = "Run"

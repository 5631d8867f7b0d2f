"""The widgets of an explorer, and how they are arranged."""

from __future__ import annotations

import html
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import ipywidgets

from annlab.widgets.base.controls import WIDE, Control
from annlab.widgets.base.frontend import make_dress
from annlab.widgets.base.jobs import Worker
from annlab.widgets.base.look import LOOK
from annlab.widgets.base.player import Player
from annlab.widgets.base.predict import Prediction

#: Buttons of a replay: label and tooltip, in which {0} is the word for a frame.
_REPLAY = {
    "step_back": ("Step back", "Go to the previous {0}"),
    "step": ("Step", "Go to the next {0}"),
    "run": ("Run", "Go on, {0} by {0}; press again to pause"),
    "reset": ("Reset", "Back to the first {0} and the first values"),
}


class Panel(ipywidgets.VBox):
    """Controls, buttons, picture and sentence: the visible part of an `Explorer`."""

    #: public function that makes it, and head of the state string
    name: ClassVar[str] = ""
    #: one line above the picture
    title: ClassVar[str] = ""
    #: width and height of the picture in CSS pixels; 840 is what JupyterLab has room for beside
    #: its side bar on a screen of 1280
    size: tuple[int, int] = (840, 400)
    #: whether the result is a sequence of frames to step through
    replay: ClassVar[bool] = False
    #: what one frame is called
    frame_word: ClassVar[str] = "frame"
    #: whether the frames can run by themselves (replay only)
    animated: ClassVar[bool] = True
    #: whether ``compute`` may take longer than 0.3 s
    slow: ClassVar[bool] = False
    #: whether the picture contains the answer, so that `draw` hides it while `veiled`
    keeps_back: ClassVar[bool] = False

    # set here, because a widget whose construction failed is closed as well
    _quiet = False
    worker: Worker | None = None
    player: Player | None = None

    controls: dict[str, Control]
    prediction: Prediction | None
    _lock: threading.RLock

    def make_stage(self) -> ipywidgets.DOMWidget:
        """Make the widget that shows the picture; override for a canvas."""
        return ipywidgets.Image(format="png")

    def press(self, key: str) -> None:
        """Act as a click on the button ``key`` does."""
        raise NotImplementedError

    def _on_frame(self, change: dict[str, Any]) -> None:
        raise NotImplementedError

    def _on_share(self, change: dict[str, Any]) -> None:
        raise NotImplementedError

    def _build_parts(self) -> None:
        self.buttons: dict[str, ipywidgets.Button] = {}
        self._dress = make_dress()
        self._heading = ipywidgets.HTML(
            f'<div class="annlab-title">{html.escape(self.title)}</div>' if self.title else ""
        )
        # the widgets are the live regions, because what is in them is replaced
        self._says = ipywidgets.HTML()
        self._says.add_class("annlab-status")
        self._note = ipywidgets.HTML()
        self._note.add_class("annlab-alert")
        self._share = ipywidgets.Text(
            description="Share this frame",
            tooltip="Copy this text; paste another one and press Enter to see its frame",
            continuous_update=False,
            style=WIDE,
            layout={"width": "min(430px, 100%)"},
        )
        self._share.add_class("annlab-share")
        self._share.observe(self._on_share, "value")
        if self.replay:
            for key, (label, hint) in _REPLAY.items():
                if key != "run" or self.animated:
                    self._add_button(key, label, hint.format(self.frame_word))
            self.player = Player(self.frame_word, self.animated)
            self.scrubber, self.frame_field = self.player.places
            self.speed = self.player.speed
            for widget in self.player.places:
                widget.observe(self._on_frame, "value")
        elif self.controls:
            self._add_button("reset", "Reset", "Back to the first values")
        if self.prediction is not None and not self.replay:
            self._add_button("compare", "Compare", "Show the truth beside your prediction")
        if self.slow:
            self._add_button("stop", "Stop", "Stop the computation and keep the picture")
        self.worker = Worker(self._lock, self.buttons.get("stop"))

    def _add_button(self, key: str, label: str, hint: str) -> None:
        button = ipywidgets.Button(description=label, tooltip=hint, layout={"width": "auto"})
        button.on_click(lambda _: self.press(key))
        self.buttons[key] = button

    def _widget_rows(self) -> dict[str, list[ipywidgets.DOMWidget]]:
        """Return the widgets by row, from top to bottom; a subclass adds its own.

        The rows ``picture`` and ``sentence`` are columns: one widget below the other.
        """
        shown = [one.widget for one in self.controls.values() if one.widget is not self.stage]
        asked = [] if self.prediction is None else [self.prediction]
        compare = [self.buttons["compare"]] if "compare" in self.buttons else []
        keys = [self.buttons[key] for key in _REPLAY if key in self.buttons]
        progress = [self.worker.row] if self.worker and self.worker.row else []
        return {
            "controls": shown if self.replay else [*shown, *keys],
            "prediction": [*asked, *compare],
            "player": [*keys, *self.player.parts] if self.player else [],
            "picture": [self.stage],
            "sentence": [self._says],
            "foot": [self._share, *progress, self._note],
        }

    def _arranged(self) -> list[ipywidgets.DOMWidget]:
        parts = [self._dress, self._heading]
        for name, row in self._widget_rows().items():
            if name in ("picture", "sentence"):
                parts += row
            elif row:
                side = "flex-end" if name == "prediction" else "center"
                parts.append(
                    ipywidgets.HBox(row, layout={"flex_flow": "row wrap", "align_items": side})
                )
        return parts

    def _fit_stage(self) -> None:
        width, height = (round(side * LOOK.size) for side in self.size)
        self.stage.layout.width = f"{width}px"
        self.stage.layout.max_width = "100%"
        # scaled to its width if that is less than the picture's
        self.stage.layout.height = "auto"
        if isinstance(self.stage, ipywidgets.Image):
            # the browser knows the shape before a picture is loaded, so the page does not jump
            self.stage.width, self.stage.height = str(width), str(height)
        if LOOK.size > 1:
            self.add_class("annlab-projector")
        else:
            self.remove_class("annlab-projector")

    def _say_note(self, text: str) -> None:
        self._note.value = f'<div class="annlab-note">{html.escape(text)}</div>' if text else ""

    @contextmanager
    def _unheard(self) -> Iterator[None]:
        """Ignore changes of the controls within the block."""
        before, self._quiet = self._quiet, True
        try:
            yield
        finally:
            self._quiet = before

    def _quietly(self, widget: ipywidgets.Widget, **traits: object) -> None:
        """Set traits and ignore the change."""
        # min and max together, or an old value is clipped to a limit that is about to change; and
        # in one message, or the browser clips it, and sends the clipped value back
        with self._unheard(), widget.hold_sync(), widget.hold_trait_notifications():
            for name, value in traits.items():
                setattr(widget, name, value)

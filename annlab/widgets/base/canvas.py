"""Explorers with a canvas: points that the reader drags, adds and removes.

A subclass writes ``scene(result, frame, **values)`` (see `annlab.widgets.base.scene`) where other
explorers write ``draw``; browser, snapshot and saved page are drawn from it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

import ipywidgets
import numpy as np
import traitlets

from annlab._support.checks import check_data
from annlab._support.errors import invalid
from annlab.widgets.base.controls import Control
from annlab.widgets.base.explorer import Explorer
from annlab.widgets.base.frontend import canvas_class
from annlab.widgets.base.look import LOOK
from annlab.widgets.base.predict import Prediction
from annlab.widgets.base.scene import Part, numbers
from annlab.widgets.base.scene_figure import draw_scene

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike


@cache
def _canvas() -> type[ipywidgets.DOMWidget]:
    return canvas_class(
        "canvas",
        value=traitlets.List(),
        # number of the reader's latest change, counted by the browser
        edit=traitlets.Int(),
        scene=traitlets.Dict(),
        look=traitlets.Dict(),
    )


def check_plane(X: ArrayLike, *, most: int) -> np.ndarray:
    """Return 2-D points as float64; refuse too many to draw during a drag."""
    rows = np.asarray(check_data(X, n_features=2, min_rows=2), dtype=np.float64)
    if len(rows) > most:
        rule = f"at most {most:,} points, so that dragging stays smooth"
        remedy = "Pass a random sample of the rows."
        raise invalid("X", rule, f"{len(rows):,} points", remedy)
    return rows


def check_handles(places: ArrayLike, name: str, low: int, high: int) -> list[list[float]]:
    """Return ``low`` to ``high`` handle positions, rounded to five digits."""
    rule = f"a list of {low} to {high} pairs [x, y] of finite numbers"
    try:
        rows = np.asarray(places, dtype=np.float64)
    except (TypeError, ValueError) as reason:
        raise invalid(name, rule, repr(places)) from reason
    if rows.size == 0 and low == 0:
        return []
    if rows.ndim != 2 or rows.shape[1] != 2 or not low <= len(rows) <= high:
        raise invalid(name, rule, json.dumps(np.round(rows, 3).tolist()))
    if not np.isfinite(rows).all() or np.abs(rows).max() > 1e9:
        raise invalid(name, rule, rows.tolist())
    return [numbers(row) for row in rows]


class CanvasExplorer(Explorer):
    """Base of explorers with a canvas; `handle_control` makes its ``handles``."""

    #: what mouse and keys do, under the canvas
    hint: ClassVar[str] = ""

    def __init__(
        self,
        handles: Control,
        controls: Sequence[Control] = (),
        *,
        predict: Prediction | None = None,
    ) -> None:
        self._canvas, self._handles = handles.widget, handles.name
        super().__init__([handles, *controls], predict=predict)
        self._canvas.observe(self._on_edit, "edit")

    def scene(self, result: Any, frame: int, **values: Any) -> Part:
        """Describe the picture of a frame; ``values`` are those of all controls."""
        raise NotImplementedError

    def frame_after_drag(self, result: Any) -> int:
        """Return the frame to show after the reader moved a point."""
        return 0

    def make_stage(self) -> ipywidgets.DOMWidget:
        return self._canvas

    def present(self, result: Any, frame: int, **values: Any) -> None:
        scene = self._whole_scene(result, frame, values) | {"edit": self.stage.edit}
        with self.stage.hold_sync():
            self.stage.look = {"size": LOOK.size, "text": LOOK.text, "lines": LOOK.lines}
            self.stage.scene = scene

    def draw(self, figure: Figure, result: Any, frame: int, **values: Any) -> None:
        draw_scene(figure, self._whole_scene(result, frame, values))

    def _whole_scene(self, result: object, frame: int, values: dict[str, Any]) -> Part:
        return {
            "size": list(self.size),
            "sentence": self.sentence(result, frame, **values),
            "hint": self.hint,
            **self.scene(result, frame, **values),
        }

    def _on_edit(self, change: dict[str, Any]) -> None:
        # each scene carries the number of the edit that it answers; an edit that led back to what
        # is shown makes no new scene, so the old one is the answer
        with self._lock:
            if self._canvas.value == self._values[self._handles]:
                self.stage.scene = self.stage.scene | {"edit": change["new"]}

    def _on_control(self, change: dict[str, Any]) -> None:
        with self._lock:
            self._dragged = not self._quiet and change["owner"] is self._canvas
            try:
                super()._on_control(change)
            finally:
                self._dragged = False

    _dragged = False

    def _accept(self, values: dict[str, Any], result: Any, frame: int | None = None) -> None:
        if self._dragged and self.replay and frame is None:
            # with a prediction the end, and so the truth, is not shown unasked
            frame = 0 if self.prediction is not None else self.frame_after_drag(result)
        super()._accept(values, result, frame)

    def _start_job(self, values: dict[str, Any], frame: int | None = None) -> None:
        # these computations take milliseconds: done within the message, because the browser sends
        # the next position of a drag when this one is answered
        try:
            self._apply(values, frame)
        except (ValueError, TypeError) as reason:
            self._apply(self._values)
            self._say_note(f"Not possible: {reason}")


def handle_control(
    name: str, start: ArrayLike, low: int, high: int, trials: Sequence[ArrayLike]
) -> Control:
    """Make a canvas, and the control that holds the positions of its handles.

    There may be ``low`` to ``high`` handles; ``trials`` are what the test driver sets.
    """

    def decode(text: str) -> list[list[float]]:
        try:
            places = json.loads(text)
        except json.JSONDecodeError as reason:
            raise invalid(name, "JSON", repr(text)) from reason
        check_handles(places, name, low, high)
        return places

    widget = _canvas()(
        value=check_handles(start, name, low, high),
        description=name,
        tooltip=f"Picture in which you move the {name}",
    )
    return Control(
        name,
        widget,
        encode=lambda value: json.dumps(value, separators=(",", ":")),
        decode=decode,
        trials=[check_handles(trial, name, low, high) for trial in trials],
    )

"""Explorers whose picture is a canvas: points that the reader drags, adds and removes.

A subclass writes ``scene(result, frame, **values)`` (see `annlab.widgets.base.scene`) where other
explorers write ``draw``; browser, snapshot and saved page are drawn from it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import traitlets

from annlab._support.checks import check_data
from annlab._support.errors import invalid, require
from annlab.widgets.base.controls import Control, custom
from annlab.widgets.base.explorer import Explorer
from annlab.widgets.base.jobs import Job
from annlab.widgets.base.look import LOOK
from annlab.widgets.base.panel import STATIC
from annlab.widgets.base.predict import Prediction
from annlab.widgets.base.scene import numbers
from annlab.widgets.base.scene_figure import draw_scene

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Height of the line under the canvas that says what mouse and keys do, in CSS pixels.
_HINT_PX = 48


def canvas_class(name: str, **traits: Any) -> type:
    """Make an anywidget class from ``static/<name>.js`` and ``static/<name>.css``.

    Parameters
    ----------
    name : str
    **traits : traitlets.TraitType
        Synchronised traits; they are tagged here.

    Returns
    -------
    type
        Subclass of `anywidget.AnyWidget`, with a ``description`` and those traits.

    Raises
    ------
    MissingExtraError
        If anywidget is not installed.
    """
    anywidget = require("anywidget", purpose=f"for the canvas of {name}", extra="lab")
    body: dict[str, Any] = {trait: kind.tag(sync=True) for trait, kind in traits.items()}
    body |= {
        "_esm": (STATIC / f"{name}.js").read_text(encoding="utf-8"),
        "_css": (STATIC / f"{name}.css").read_text(encoding="utf-8"),
        "description": traitlets.Unicode("").tag(sync=True),
        "__doc__": f"Canvas of {name}.",
    }
    return type(f"{name.title().replace('_', '')}Canvas", (anywidget.AnyWidget,), body)


@cache
def _canvas() -> type:
    return canvas_class(
        "canvas",
        value=traitlets.List(),
        # number of the reader's latest change, counted by the browser
        edit=traitlets.Int(),
        scene=traitlets.Dict(),
        look=traitlets.Dict(),
    )


def check_plane(X: Any, name: str = "X", *, most: int) -> np.ndarray:
    """Accept points of a plane, few enough to be drawn while the reader drags.

    Returns
    -------
    ndarray of shape (n, 2), float64

    Raises
    ------
    TypeError, ValueError
    """
    X = check_data(X, name=name, n_features=2, min_rows=2)
    if len(X) > most:
        raise invalid(
            name, f"at most {most:,} points, so that dragging stays smooth", f"{len(X):,} points",
            "Pass a random sample of the rows.",
        )  # fmt: skip
    return np.asarray(X, dtype=np.float64)


def check_handles(places: Any, name: str, low: int, high: int) -> list[list[float]]:
    """Accept positions of handles: between ``low`` and ``high`` pairs of finite numbers.

    Returns
    -------
    list of [x, y]
        With five digits, as a browser sends them.

    Raises
    ------
    ValueError
    """
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
    """Base of the explorers with a canvas.

    Parameters
    ----------
    handles : Control
        Made by `handle_control`: the positions of the points that the reader moves.
    controls : sequence of Control, default=()
    predict : Prediction, optional
    frame : int, default=0
    """

    #: what mouse and keys do, under the canvas
    hint: ClassVar[str] = ""

    def __init__(
        self,
        handles: Control,
        controls: Sequence[Control] = (),
        *,
        predict: Prediction | None = None,
        frame: int = 0,
    ) -> None:
        self._canvas, self._handles = handles.widget, handles.name
        super().__init__([handles, *controls], predict=predict, frame=frame)
        self._canvas.observe(self._on_edit, "edit")

    def scene(self, result: Any, frame: int, **values: Any) -> dict[str, Any]:
        """Describe the picture of a frame; ``values`` are those of all controls."""
        raise NotImplementedError

    def frame_after_drag(self, result: Any) -> int:
        """Frame that is shown after the reader moved a point."""
        return 0

    def make_stage(self) -> Any:
        return self._canvas

    def present(self, result: Any, frame: int, **values: Any) -> None:
        scene = self._whole_scene(result, frame, values) | {"edit": self.stage.edit}
        with self.stage.hold_sync():
            self.stage.look = {"size": LOOK.size, "text": LOOK.text, "lines": LOOK.lines}
            self.stage.scene = scene

    def draw(self, figure: Figure, result: Any, frame: int, **values: Any) -> None:
        draw_scene(figure, self._whole_scene(result, frame, values))

    def _whole_scene(self, result: Any, frame: int, values: dict[str, Any]) -> dict[str, Any]:
        return {
            "size": list(self.size),
            "sentence": self.sentence(result, frame, **values),
            "hint": self.hint,
            **self.scene(result, frame, **values),
        }

    def _fit_stage(self) -> None:
        super()._fit_stage()
        self.stage.layout.height = (
            f"{round(self.size[1] * LOOK.size + _HINT_PX * LOOK.size * LOOK.text)}px"
        )

    def _on_edit(self, change: dict[str, Any]) -> None:
        # the scene carries the number that it answers; where a change led back to what is shown,
        # no new scene comes of it, and the old one is the answer
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
        # these computations take milliseconds: done within the message, because the browser
        # sends the next position of a drag when this one is answered, and none is left behind
        try:
            # a shared text brings values and a frame of its own
            self._check_shared(self._computed(values, Job()), frame)
            self._put(values)
            self._apply(values, frame)
        except (ValueError, TypeError) as reason:
            self._take(self._values)
            self._say_note(f"Not possible: {reason}")


def handle_control(
    name: str,
    start: Sequence[Sequence[float]] | np.ndarray,
    low: int,
    high: int,
    trials: Sequence[Any],
) -> Control:
    """Make a canvas and the control that holds the positions of its handles.

    Parameters
    ----------
    name : str
    start : sequence of (x, y)
    low, high : int
        How few and how many there may be.
    trials : sequence of sequences of (x, y)
        What the test driver sets.

    Returns
    -------
    Control
    """
    widget = _canvas()(
        value=check_handles(start, name, low, high),
        description=name,
        tooltip=f"Picture in which you move the {name}",
    )
    return custom(
        name,
        widget,
        trials=[check_handles(trial, name, low, high) for trial in trials],
        check=lambda places: check_handles(places, name, low, high),
    )

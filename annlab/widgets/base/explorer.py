"""The base class of all explorers; see `annlab.widgets.base`."""

from __future__ import annotations

import base64
import html
import inspect
import os
import threading
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import ipywidgets

from annlab._support.errors import invalid
from annlab.widgets.base import jobs, states
from annlab.widgets.base.controls import Control
from annlab.widgets.base.jobs import Job, Store
from annlab.widgets.base.look import LOOK
from annlab.widgets.base.page import write_page
from annlab.widgets.base.pictures import Pictures
from annlab.widgets.base.predict import Prediction
from annlab.widgets.base.replay import Replay

if TYPE_CHECKING:
    from IPython.display import Image
    from matplotlib.figure import Figure

#: Results of ``compute`` that an explorer keeps.
_KEPT_RESULTS = 16
#: Living explorers, which `projector` redraws.
living: weakref.WeakSet[Explorer] = weakref.WeakSet()


class Explorer(Replay):
    """Base of all explorers; `annlab.widgets.base` shows how to write one.

    Attributes
    ----------
    controls : dict of str to Control
        In the order in which they are shown.
    buttons : dict of str to ipywidgets.Button
    result : object
        What ``compute`` returned for the values shown.
    """

    # set here, because a widget whose construction failed is closed as well
    _pictures: Pictures | None = None

    # -- what a subclass writes ----------------------------------------------------------------

    # (the bare *args only tells type checkers that a subclass names its own keywords)
    def compute(self, job: Job, *args: Any, **values: Any) -> Any:
        """Compute what the picture shows from the values of recomputing controls."""
        raise NotImplementedError

    def draw(self, figure: Figure, result: Any, frame: int, *args: Any, **values: Any) -> None:
        """Draw a frame on an empty figure; ``values`` are those of all controls."""
        raise NotImplementedError

    def sentence(self, result: Any, frame: int, *args: Any, **values: Any) -> str:
        """Describe the frame in one sentence, changing facts first."""
        raise NotImplementedError

    def present(self, result: Any, frame: int, **values: Any) -> None:
        """Show a frame on the stage; override for a canvas."""
        self.stage.value = self._png(result, frame, values)

    # -- construction --------------------------------------------------------------------------

    def __init__(
        self, controls: Sequence[Control] = (), *, predict: Prediction | None = None
    ) -> None:
        self._lock = threading.RLock()
        self._results = Store(_KEPT_RESULTS)
        self._pictures = Pictures(self.size)
        self.controls = {control.name: control for control in controls}
        self.prediction = predict
        self._parameters = inspect.signature(self.compute).parameters
        self.stage = self.make_stage()
        self._build_parts()
        super().__init__(self._arranged())
        self.add_class("annlab-explorer")
        self._fit_stage()
        self._values = self._initial = self._chosen()
        self.result = self._computed(self._values, Job())
        self._show_frame_controls()
        self._refresh()
        for control in controls:
            control.widget.observe(self._on_control, "value")
        if predict is not None:
            # one lock for both, or each could wait for the other
            predict._lock = self._lock
        # a browser counts its views of a widget once the count is not None
        self._view_count = 0
        self.observe(self._on_views, "_view_count")
        living.add(self)

    # -- what is shown -------------------------------------------------------------------------

    @property
    def values(self) -> dict[str, Any]:
        """Values of the controls to which the picture belongs."""
        return dict(self._values)

    @property
    def text(self) -> str:
        """The sentence below the picture."""
        return self._sentence

    @property
    def veiled(self) -> bool:
        """Whether the truth of a prediction is hidden until Compare is pressed."""
        return self.prediction is not None and not self.replay and self.prediction.hides_truth

    def __repr__(self) -> str:
        # traitlets may ask before the first frame exists
        return getattr(self, "_sentence", type(self).__name__)

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        bundle = super()._repr_mimebundle_(**kwargs)
        width, height = self.size
        # the picture is for readers without a kernel, and for pages without widgets
        bundle["image/png"] = base64.b64encode(self.png()).decode("ascii")
        return bundle, {"image/png": {"width": width, "height": height}}

    def png(self, frame: int | None = None) -> bytes:
        """Return the picture of a frame (by default the one shown) as PNG."""
        with self._lock:
            result, values = self.result, self.values
            frame = self._frame if frame is None else self._check_frame(frame)
        return self._png(result, frame, values)

    def snapshot(self, frame: int | None = None) -> Image:
        """Return a static picture of a frame (by default the one shown).

        Returns
        -------
        IPython.display.Image
            Its alternative text is the sentence.
        """
        from IPython.display import Image

        with self._lock:
            shown = self._frame if frame is None else self._check_frame(frame)
            words = self.sentence(self.result, shown, **self.values)
        width, height = self.size
        return Image(data=self.png(shown), format="png", width=width, height=height, alt=words)

    def _png(
        self, result: Any, frame: int, values: dict[str, Any], *, ahead: bool = False
    ) -> bytes:
        assert self._pictures is not None, "an explorer that is shown is complete"
        veiled = self.keeps_back and self.veiled
        key = (tuple(map(repr, values.values())), frame, LOOK.key, veiled)
        return self._pictures.get(
            key, lambda figure: self.draw(figure, result, frame, **values), ahead=ahead
        )

    def _refresh(self) -> None:
        """Update picture, sentence and state to result, frame and values."""
        with self._lock:
            self._sentence = self.sentence(self.result, self._frame, **self._values)
            self.present(self.result, self._frame, **self._values)
            words = html.escape(self._sentence)
            self._says.value = f'<div class="annlab-sentence">{words}</div>'
            self._dress.alt = self._sentence
            if self.prediction is not None and self.replay and self._frame == self.n_frames - 1:
                # after the picture, which must show the truth first
                self.prediction.reveal_from(self.result)
            self._say_note("")
            self._quietly(self._share, value=self.state)

    # -- buttons -------------------------------------------------------------------------------

    def reset(self) -> Self:
        """Go back to the first frame, the first values and no prediction."""
        with self._lock:
            self._pause()
            if self.prediction is not None:
                self.prediction.reset()
            self._frame = 0
            self._apply(self._initial)
        return self

    def press(self, key: str) -> None:
        """Act as a click on the button ``key`` does."""
        if key == "stop":
            if self.worker is not None:
                self.worker.stop()
        elif key == "compare":
            if self.prediction is not None:
                with self._lock:
                    self.prediction.reveal_from(self.result)
                    if self.keeps_back:
                        self._refresh()
        else:
            if key in ("step", "step_back"):
                with self._lock:
                    self._pause()
            getattr(self, key)()

    # -- values --------------------------------------------------------------------------------

    def set(self, **values: Any) -> Self:
        """Set controls by their names and show the result.

        Raises
        ------
        ValueError
            For an unknown name or a value that the control does not take.
        """
        for name, value in values.items():
            if name not in self.controls:
                raise invalid("values", "one of " + ", ".join(self.controls), name)
            # checked here, because widgets clip silently
            values[name] = self.controls[name].accept(value)
        with self._lock:
            self._apply(self._values | values)
        return self

    def _chosen(self) -> dict[str, Any]:
        return {name: control.value for name, control in self.controls.items()}

    def _on_control(self, change: dict[str, Any]) -> None:
        with self._lock:
            if not self._quiet:
                self._pause()
                self._want(self._chosen())

    def _want(self, values: dict[str, Any], frame: int | None = None) -> None:
        """Show the result of values; compute new ones for a browser in a thread."""
        if self._key(values) not in self._results and jobs.asked_by_browser():
            self._start_job(values, frame)
        else:
            self._apply(values, frame)

    def _asked(self, values: dict[str, Any]) -> dict[str, Any]:
        """Return the values that ``compute`` takes; a change of others only redraws."""
        return {name: value for name, value in values.items() if name in self._parameters}

    def _key(self, values: dict[str, Any]) -> tuple[str, ...]:
        return tuple(map(repr, self._asked(values).values()))

    def _computed(self, values: dict[str, Any], job: Job, frame: int | None = None) -> Any:
        """Compute (or look up) a result, and check that it has the frame."""
        asked = self._asked(values)
        result = self._results.get(self._key(values), lambda: self.compute(job, **asked))
        if frame is not None and frame >= self._count(result):
            raise invalid("frame", f"from 0 to {self._count(result) - 1}", frame)
        return result

    def _apply(self, values: dict[str, Any], frame: int | None = None) -> None:
        """Compute and show the result of values; an error changes nothing."""
        if self.worker is not None:
            self.worker.cancel()
        result = self._computed(values, Job(), frame)
        self._put(values)
        self._accept(values, result, frame)

    def _put(self, values: dict[str, Any]) -> None:
        """Set the controls to values without reacting to the change."""
        with self._unheard():
            for name, value in values.items():
                self.controls[name].value = value

    def _accept(self, values: dict[str, Any], result: Any, frame: int | None = None) -> None:
        with self._lock:
            changed = result is not self.result
            self.result, self._values = result, dict(values)
            if self.replay:
                self._frame = min(self._frame, self.n_frames - 1)
            if changed and self.prediction is not None and self.prediction.truth is not None:
                # another question of the same kind: its truth must not be on the screen yet
                self.prediction.reset()
                self._frame = 0
            if frame is not None:
                self._frame = frame
            self._show_frame_controls()
            self._refresh()
            self._draw_ahead()

    def _start_job(self, values: dict[str, Any], frame: int | None = None) -> None:
        def done(result: object, trouble: str) -> None:
            # a shared text brings values of its own; a failure puts the old ones back
            self._put(self._values if trouble else values)
            if trouble:
                self._quietly(self._share, value=self.state)
                self._say_note(trouble)
            else:
                self._accept(values, result, frame)

        assert self.worker is not None, "an explorer that gets a request is complete"
        self.worker.start(lambda job: self._computed(values, job, frame), done)

    # -- frames drawn ahead ----------------------------------------------------------------------

    def _on_views(self, change: dict[str, Any]) -> None:
        if change["new"]:
            self._draw_ahead()
        else:
            self._pause()

    def _draw_ahead(self) -> None:
        """Draw the next frames in a thread if a browser shows the explorer."""
        assert self._pictures is not None, "an explorer that is shown is complete"
        self._pictures.stop()
        if self._view_count and self.replay and isinstance(self.stage, ipywidgets.Image):
            result, values, first = self.result, self.values, self._frame
            self._pictures.draw_ahead(
                [*range(first, self.n_frames), *range(first - 1, -1, -1)],
                lambda frame: self._png(result, frame, values, ahead=True),
            )

    def close(self) -> None:
        """Stop the threads and close the widget."""
        self._pause()
        if self.worker is not None:
            self.worker.cancel()
        if self._pictures is not None:
            self._pictures.stop()
        living.discard(self)
        super().close()

    # -- sharing ---------------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """Short text of this frame and these values, for `restore`."""
        frame = self._frame if self.replay else None
        return states.written(self.name, frame, self.controls, self._values)

    def restore(self, text: str) -> Self:
        """Go to the frame and values of a state string of the same explorer.

        Raises
        ------
        ValueError
            If it is damaged, from another explorer, or needs something that this one lacks.
        """
        values, frame = states.parsed(text, self.state, self.controls)
        with self._lock:
            self._pause()
            self._apply(self._values | values, frame)
        return self

    def _on_share(self, change: dict[str, Any]) -> None:
        with self._lock:
            if self._quiet or change["new"].strip() == self.state:
                return
            try:
                values, frame = states.parsed(change["new"], self.state, self.controls)
                self._pause()
                self._want(self._values | values, frame)
            except (ValueError, TypeError) as reason:
                self._quietly(self._share, value=self.state)
                self._say_note(str(reason))

    def save_html(self, path: str | os.PathLike[str], *, over: str | None = None) -> Path:
        """Write a self-contained page with the frames and a scrubber.

        Parameters
        ----------
        path : path-like
        over : str, optional
            Name of a control whose options (or extreme values) become the frames, if there is
            nothing to step through.

        Returns
        -------
        pathlib.Path
            The file that was written.

        Raises
        ------
        ValueError
            For an unknown control.
        OSError
            If the file cannot be written.
        """
        if over is not None and over not in self.controls:
            raise invalid("over", "one of " + ", ".join(self.controls), repr(over))
        with self._lock:
            here, values = self._frame, self.values
            if over is None:
                wanted = [(self.result, frame, values) for frame in range(self.n_frames)]
            else:
                wanted = []
                for value in self.controls[over].trials:
                    there = values | {over: value}
                    result = self._computed(there, Job())
                    wanted.append((result, min(here, self._count(result) - 1), there))
            shots = [
                (self._png(result, frame, there), self.sentence(result, frame, **there))
                for result, frame, there in wanted
            ]
        return write_page(
            path,
            shots,
            title=self.title,
            word=over.replace("_", " ") if over else self.frame_word,
            start=0 if over else here,
            size=self.size,
            animated=self.animated,
        )


def projector(on: bool = True) -> None:
    """Enlarge all explorers for a lecture hall, or restore their size.

    Parameters
    ----------
    on : bool, default=True
        False goes back to the usual size.

    Examples
    --------
    >>> from annlab import widgets
    >>> widgets.projector()
    >>> widgets.projector(False)
    """
    look = (1.35, 1.12, 1.3) if on else (1.0, 1.0, 1.0)
    if look == LOOK.key:
        return
    LOOK.size, LOOK.text, LOOK.lines = look
    for explorer in list(living):
        with explorer._lock:
            explorer._fit_stage()
            explorer._refresh()
            explorer._draw_ahead()

"""The base of all explorers: one mechanism for stepping, computing, drawing and sharing.

An explorer is a picture, one sentence that says what the picture shows, and controls. To write
one, subclass `Explorer` in a module ``annlab/widgets/_<name>.py``, export the function ``<name>``
from it, and add one line to ``_HOMES`` in ``annlab/widgets/__init__.py``::

    class RadiusExplorer(Explorer):
        name = "radius_explorer"               # the public function, and the head of the state
        title = "How many neighbours lie within a radius?"
        size = (840, 400)                      # CSS pixels; fixed, so that nothing jumps

        def __init__(self, X, *, predict=None):
            self.X = check_data(X)             # plain attributes first, then:
            super().__init__(
                [slider("radius", "Radius r", "Distance up to which points count", 0.0, 1.0, 0.5)],
                predict=predict,
            )

        def compute(self, job, radius):        # keyword = name of the control
            job.report(0, 1)                   # progress; also where Stop takes effect
            return count_neighbors(self.X, radius)   # call the library: no algorithm in a widget

        def draw(self, figure, result, frame, radius):
            axes = plane(figure.subplots(), self.limits)
            scatter_clusters(axes, self.X, result)

        def sentence(self, result, frame, radius):
            return f"radius {three(radius)}, {result.sum():,} pairs of neighbours"

    def radius_explorer(X, *, predict=None):
        \"\"\"numpydoc, with a runnable example.\"\"\"
        return RadiusExplorer(X, predict=predict)

    def example():                             # small and fast: every test runs over it
        return radius_explorer(make_uniform_cube(50, 2, random_state=0))

**Replay.** Set ``replay = True`` and override ``frame_count(result)``: the explorer then has Step
back, Step, Run, Reset, a speed, a scrubber and a number field, and ``frame`` counts from 0.
``frame_word`` names a frame ("iteration"). ``compute`` runs once for all frames; frames are drawn
when asked for, kept as PNG, and drawn ahead once a browser shows the explorer. Where a person
decides when to go on, ``animated = False`` leaves out Run and the speed, on saved pages as well.

**Compute.** A change of a control calls ``compute``. Results are kept by their values, so going
back is instant. With ``slow = True`` a progress bar and a Stop button appear when it takes more
than 0.3 s: call ``job.report(done, total, "text")`` often (or pass
``callback=job.callback(total)`` to a fit). A control made with ``recompute=False`` only draws
anew. `compute`, `draw` and `sentence` run in worker threads: let them read ``self`` and their
arguments and write to nothing.

**Threads.** Computation is synchronous when Python sets a control (tests, nbval, another cell)
and moves to a worker thread when the browser does. Saved notebooks are therefore deterministic.

**Sentences** begin with what changes; numbers that are not counts go through `three` (three
digits). The sentence is the explorer's repr, of which nbval compares the first 110 characters.

**Pictures** are drawn on a bare Figure: no pyplot, no rcParams, no mathtext where plain text does.
Use `plane` for points (equal aspect) and `chart` for curves, the palette with markers, and put
fixed limits everywhere. Text below 11 points is raised; `projector` enlarges all.

**Prediction.** Pass ``Prediction("How many …?", truth=lambda result: …)`` to ``super().__init__``;
the truth appears at the last frame (replay) or at "Compare" (compute).

**Canvas.** Where the mouse draws, make an anywidget from ``static/<name>.js`` and ``.css`` with
`canvas_class`, watch its trait with ``custom(...)``, and return it from ``make_stage()``. Push the
computed picture to it in ``present(result, frame, **values)``; still write ``draw``, which
snapshots and saved pages use.

An explorer gives: ``state`` and ``restore(text)``, ``snapshot()``, ``save_html(path)``,
``frame``, ``values``, ``set(**values)``, ``step()``, ``step_back()``, ``run()``, ``reset()``.
"""

from __future__ import annotations

import atexit
import base64
import html
import os
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qsl, quote

import ipywidgets

from annlab._support.errors import invalid, require
from annlab.plotting import MARKERS, PALETTE, cluster_color, cluster_marker
from annlab.widgets._controls import Control, choice, custom, entry, ladder, number, slider, switch
from annlab.widgets._look import (
    ALARM,
    INK,
    LOOK,
    PAPER,
    QUIET,
    chart,
    check_size,
    frame_limits,
    plane,
    render,
    scatter_centroids,
    scatter_clusters,
    three,
)
from annlab.widgets._predict import Prediction

__all__ = [
    "ALARM",
    "INK",
    "MARKERS",
    "PALETTE",
    "PAPER",
    "QUIET",
    "Control",
    "Explorer",
    "Job",
    "Prediction",
    "Stopped",
    "Store",
    "canvas_class",
    "chart",
    "choice",
    "cluster_color",
    "cluster_marker",
    "custom",
    "entry",
    "frame_limits",
    "ladder",
    "number",
    "plane",
    "projector",
    "scatter_centroids",
    "scatter_clusters",
    "slider",
    "switch",
    "three",
]

_STATIC = Path(__file__).parent / "static"
#: Results of ``compute`` and drawn frames that an explorer keeps.
_KEPT_RESULTS, _KEPT_FRAMES = 16, 400
#: A computation shows its progress after this many seconds.
_PATIENCE_S = 0.3
#: Seconds between frames while running.
_SPEEDS = {"slow": 1.6, "normal": 0.8, "fast": 0.25}

#: Living explorers, which `projector` draws anew.
_living: weakref.WeakSet[Explorer] = weakref.WeakSet()
_closing = threading.Event()
atexit.register(_closing.set)


class Store:
    """What was measured once, for the life of the process and for all explorers of a kind.

    So a state shows the same again, here and in a second widget.

    Parameters
    ----------
    most : int
        Measurements that are kept; the oldest goes first.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: dict[Any, Any] = {}
        self._lock = threading.Lock()

    def get(self, key: Any, measure: Callable[..., Any], *arguments: Any) -> Any:
        """What is known by this key, or else what ``measure(*arguments)`` returns."""
        with self._lock:
            if key in self._known:
                return self._known[key]
        made = measure(*arguments)
        with self._lock:
            while len(self._known) >= self._most:
                self._known.pop(next(iter(self._known)))
            # of two explorers that measured at the same time, both show the same
            return self._known.setdefault(key, made)


class Stopped(Exception):
    """The reader pressed Stop, or asked for something else meanwhile."""


class Job:
    """What ``compute`` gets: the way to report progress, and the place where Stop takes effect.

    Parameters
    ----------
    show : callable, optional
        Called with the share that is done and a text.
    """

    def __init__(self, show: Callable[[float, str], None] | None = None) -> None:
        self._show = show
        self._stop = threading.Event()

    def stop(self) -> None:
        """Make the next `report` raise `Stopped`."""
        self._stop.set()

    @property
    def stopped(self) -> bool:
        """Whether the result is no longer wanted."""
        return self._stop.is_set() or _closing.is_set()

    def report(self, done: float, total: float, text: str = "") -> None:
        """Say that ``done`` of ``total`` is through.

        Raises
        ------
        Stopped
            If the result is no longer wanted; let it pass.
        """
        if self.stopped:
            raise Stopped
        if self._show is not None:
            self._show(min(1.0, done / max(total, 1e-12)), text)

    def callback(self, total: int, before: int = 0) -> Callable[[Any], bool]:
        """Make a ``callback`` for ``kmeans_ann`` that reports each iteration and can stop it.

        Parameters
        ----------
        total : int
            Iterations of all fits of the computation.
        before : int, default=0
            Iterations of the fits before this one.
        """

        def told(step: Any) -> bool:
            self.report(before + step.iteration, total, f"iteration {step.iteration}")
            return False

        return told


def _asked_by_browser() -> bool:
    """Tell whether a message of a widget in a browser is being handled, and not a cell."""
    try:
        from IPython import get_ipython

        kernel = getattr(get_ipython(), "kernel", None)
        if kernel is None:
            return False
        return kernel.get_parent().get("header", {}).get("msg_type") == "comm_msg"
    except Exception:
        # the kernel's interface is not ours: without an answer, synchronous is always right
        return False


class Explorer(ipywidgets.VBox):
    """Base of all explorers; the module's docstring shows how to write one.

    Parameters
    ----------
    controls : sequence of Control, default=()
        In the order in which they are shown.
    predict : Prediction, optional
    frame : int, default=0
        Frame to begin with.

    Attributes
    ----------
    controls : dict of str to Control
    buttons : dict of str to ipywidgets.Button
    result : object
        What ``compute`` returned for the values shown.
    """

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
    #: whether the picture holds the answer, so that `draw` keeps it back while `veiled`
    keeps_back: ClassVar[bool] = False

    # set here, because a widget whose construction failed is closed as well
    _compared = False
    _quiet = False
    _job: Job | None = None
    _runner: threading.Event | None = None
    _ahead: threading.Event | None = None

    # -- what a subclass writes ----------------------------------------------------------------

    # (the bare *args only tells type checkers that a subclass names its own keywords)
    def compute(self, job: Job, *args: Any, **values: Any) -> Any:
        """Compute what the picture shows; ``values`` are those of the recomputing controls."""
        raise NotImplementedError

    def frame_count(self, result: Any) -> int:
        """Number of frames of a result (replay only)."""
        return 1

    def draw(self, figure: Any, result: Any, frame: int, *args: Any, **values: Any) -> None:
        """Draw a frame on an empty figure; ``values`` are those of all controls."""
        raise NotImplementedError

    def sentence(self, result: Any, frame: int, *args: Any, **values: Any) -> str:
        """Say in one sentence what the frame shows, what changes first."""
        raise NotImplementedError

    def make_stage(self) -> Any:
        """Make the widget that shows the picture; override for a canvas."""
        return ipywidgets.Image(format="png")

    def present(self, result: Any, frame: int, **values: Any) -> None:
        """Bring a frame onto the stage; override for a canvas."""
        self.stage.value = self._png(result, frame, values)

    # -- construction --------------------------------------------------------------------------

    def __init__(
        self,
        controls: Sequence[Control] = (),
        *,
        predict: Prediction | None = None,
        frame: int = 0,
    ) -> None:
        self._lock = threading.RLock()
        self._store, self._painting = threading.Lock(), threading.Lock()
        self._frames: OrderedDict[Any, bytes] = OrderedDict()
        self._results: OrderedDict[Any, Any] = OrderedDict()
        self.size = check_size(self.size)
        self.controls = {control.name: control for control in controls}
        self.prediction = predict
        self.stage = self.make_stage()
        self._build_parts()
        super().__init__(self._arranged())
        self.add_class("annlab-explorer")
        self._fit_stage()
        self._initial = {name: control.value for name, control in self.controls.items()}
        self._values = dict(self._initial)
        self.result = self._computed(self._values, Job())
        if self.replay:
            frame = self._check_frame(frame)
        self._frame = frame
        self._first = frame
        self._show_frame_controls()
        self._refresh()
        for control in controls:
            control.observe(self._on_control)
        if predict is not None:
            # one lock for both, or each could wait for the other
            predict._lock = self._lock
        # a browser counts its views of a widget once the count is not None
        self._view_count = 0
        self.observe(self._on_views, "_view_count")
        _living.add(self)

    def _build_parts(self) -> None:
        self.buttons: dict[str, Any] = {}
        layout = ipywidgets.Layout
        self._style = ipywidgets.HTML(
            f"<style>{(_STATIC / 'explorer.css').read_text(encoding='utf-8')}</style>",
            layout=layout(display="none"),
        )
        self._heading = ipywidgets.HTML(
            f'<div class="annlab-title">{html.escape(self.title)}</div>' if self.title else ""
        )
        self._says = ipywidgets.HTML()
        self._note = ipywidgets.HTML()
        self._share = ipywidgets.Text(
            description="Share this frame",
            tooltip="Copy this text; paste another one and press Enter to see its frame",
            continuous_update=False,
            style={"description_width": "initial"},
            layout=layout(width="min(430px, 100%)"),
        )
        self._share.add_class("annlab-share")
        self._share.observe(self._on_share, "value")
        word = self.frame_word
        if self.replay:
            for key, label, hint in (
                ("step_back", "Step back", f"Go back one {word}"),
                ("step", "Step", f"Go on one {word}"),
                ("run", "Run", f"Go on, {word} by {word}; press again to pause"),
                ("reset", "Reset", f"Back to the first {word} and the first values"),
            ):
                if key != "run" or self.animated:
                    self._add_button(key, label, hint)
            self.scrubber = ipywidgets.IntSlider(
                min=0,
                max=1,
                description=word.capitalize(),
                tooltip=f"Drag, or use the arrow keys, to go to any {word}",
                readout=False,
                style={"description_width": "initial"},
                layout=layout(flex="1 1 220px", min_width="180px", max_width="420px"),
            )
            self.frame_field = ipywidgets.BoundedIntText(
                min=0,
                max=1,
                description="No.",
                tooltip=f"Type the number of the {word}",
                style={"description_width": "initial"},
                layout=layout(width="100px"),
            )
            self.speed = ipywidgets.Dropdown(
                options=list(_SPEEDS),
                value="normal",
                description="Speed",
                tooltip="How fast Run goes on",
                style={"description_width": "initial"},
                layout=layout(width="130px"),
            )
            self.scrubber.observe(self._on_frame, "value")
            self.frame_field.observe(self._on_frame, "value")
        elif self.controls:
            self._add_button("reset", "Reset", "Back to the first values")
        if self.prediction is not None and not self.replay:
            self._add_button("compare", "Compare", "Show the truth beside your prediction")
        if self.slow:
            self._add_button("stop", "Stop", "Stop the computation and keep the picture")
            self._progress = ipywidgets.FloatProgress(
                min=0.0,
                max=1.0,
                description="Computing",
                style={"description_width": "initial"},
                layout=layout(width="190px"),
            )
            self._doing = ipywidgets.Label(layout=layout(max_width="110px"))
            self._busy = ipywidgets.HBox(
                [self._progress, self.buttons["stop"], self._doing],
                layout=layout(visibility="hidden", align_items="center"),
            )

    def _add_button(self, key: str, label: str, hint: str) -> None:
        button = ipywidgets.Button(
            description=label, tooltip=hint, layout=ipywidgets.Layout(width="auto")
        )
        button.on_click(lambda _: self.press(key))
        self.buttons[key] = button

    def _arranged(self) -> list[Any]:
        row = {"flex_flow": "row wrap", "align_items": "center"}
        parts: list[Any] = [self._style, self._heading]
        shown = [
            control.widget for control in self.controls.values() if control.widget is not self.stage
        ]
        if not self.replay and "reset" in self.buttons:
            shown.append(self.buttons["reset"])
        if shown:
            parts.append(ipywidgets.HBox(shown, layout=ipywidgets.Layout(**row)))
        if self.prediction is not None:
            asked = [self.prediction]
            if "compare" in self.buttons:
                asked.append(self.buttons["compare"])
            parts.append(
                ipywidgets.HBox(
                    asked, layout=ipywidgets.Layout(**row | {"align_items": "flex-end"})
                )
            )
        if self.replay:
            keys = [
                self.buttons[key]
                for key in ("step_back", "step", "run", "reset")
                if key in self.buttons
            ]
            fields = [self.scrubber, self.frame_field]
            if self.animated:
                fields.append(self.speed)
            parts.append(ipywidgets.HBox([*keys, *fields], layout=ipywidgets.Layout(**row)))
        parts.append(self.stage)
        parts.append(self._says)
        foot = [self._share, self._busy] if self.slow else [self._share]
        parts.append(ipywidgets.HBox([*foot, self._note], layout=ipywidgets.Layout(**row)))
        return parts

    def _fit_stage(self) -> None:
        width, height = (round(side * LOOK.size) for side in self.size)
        # both sides fixed, or the page jumps while a new picture loads
        self.stage.layout.width = f"{width}px"
        self.stage.layout.max_width = "100%"
        self.stage.layout.height = f"{height}px"
        self.stage.layout.object_fit = "contain"
        if LOOK.size > 1:
            self.add_class("annlab-projector")
        else:
            self.remove_class("annlab-projector")

    # -- what is shown -------------------------------------------------------------------------

    @property
    def values(self) -> dict[str, Any]:
        """Values of the controls to which the picture belongs."""
        return dict(self._values)

    @property
    def frame(self) -> int:
        """Frame that is shown; setting it goes there.

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
        return max(1, int(self.frame_count(self.result))) if self.replay else 1

    @property
    def text(self) -> str:
        """The sentence under the picture."""
        return self._sentence

    @property
    def veiled(self) -> bool:
        """Whether a prediction is asked for, and Compare was not pressed yet (compute only)."""
        return self.prediction is not None and not self.replay and not self._compared

    def __repr__(self) -> str:
        # traitlets may ask before the first frame is there
        return getattr(self, "_sentence", type(self).__name__)

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        bundle = super()._repr_mimebundle_(**kwargs)
        width, height = self.size
        # readers without a kernel, and pages that know no widgets, get the picture
        bundle["image/png"] = base64.b64encode(self.png()).decode("ascii")
        return bundle, {"image/png": {"width": width, "height": height}}

    def png(self, frame: int | None = None) -> bytes:
        """Picture of a frame (by default the one shown) as PNG.

        Parameters
        ----------
        frame : int, optional

        Returns
        -------
        bytes
        """
        with self._lock:
            result, values = self.result, self.values
            frame = self._frame if frame is None else self._check_frame(frame)
        return self._png(result, frame, values)

    def snapshot(self, frame: int | None = None) -> Any:
        """Static picture of a frame, for readers without a kernel.

        Parameters
        ----------
        frame : int, optional
            The one shown, by default.

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
        veiled = self.keeps_back and self.veiled
        key = (self._key(values, every=True), frame, LOOK.key, veiled)
        # without the lock first: a known frame must not wait for one that is being drawn ahead
        picture = self._frames.get(key)
        if picture is None:
            with self._painting:
                # the thread that held the lock may have drawn this very frame
                picture = self._frames.get(key)
                if picture is None:
                    picture = render(
                        lambda figure: self.draw(figure, result, frame, **values),
                        self.size,
                        ahead=ahead,
                    )
                    self._frames[key] = picture
                    while len(self._frames) > _KEPT_FRAMES:
                        self._frames.popitem(last=False)
        return picture

    def _key(self, values: dict[str, Any], *, every: bool) -> tuple[str, ...]:
        return tuple(
            repr(value) for name, value in values.items() if every or self.controls[name].recompute
        )

    def _refresh(self) -> None:
        """Bring picture, sentence and state up to date with result, frame and values."""
        with self._lock:
            self._sentence = self.sentence(self.result, self._frame, **self._values)
            self.present(self.result, self._frame, **self._values)
            self._says.value = (
                '<div class="annlab-sentence" role="status" aria-live="polite">'
                f"{html.escape(self._sentence)}</div>"
            )
            if self.prediction is not None and self.replay and self._frame == self.n_frames - 1:
                # after the picture: the truth must not be told before it is shown
                self.prediction.reveal_from(self.result)
            self._refresh_state()

    def _refresh_state(self) -> None:
        with self._lock:
            self._say_note("")
            self._quietly(self._share, value=self.state)

    def _say_note(self, text: str) -> None:
        self._note.value = (
            f'<div class="annlab-note" role="alert">{html.escape(text)}</div>' if text else ""
        )

    def _quietly(self, widget: Any, **traits: Any) -> None:
        """Set traits without hearing of it."""
        before, self._quiet = self._quiet, True
        try:
            # min and max together, or an old value is cut at a limit that is about to change; and
            # in one message, or the browser cuts it, and sends back what it has cut
            with widget.hold_sync(), widget.hold_trait_notifications():
                for name, value in traits.items():
                    setattr(widget, name, value)
        finally:
            self._quiet = before

    # -- frames --------------------------------------------------------------------------------

    def _check_frame(self, frame: Any) -> int:
        last = self.n_frames - 1
        if isinstance(frame, bool) or not hasattr(frame, "__index__"):
            raise invalid("frame", f"an integer from 0 to {last}", repr(frame), error=TypeError)
        if not 0 <= int(frame) <= last:
            raise invalid("frame", f"an integer from 0 to {last}", frame)
        return int(frame)

    def _go(self, frame: int) -> None:
        with self._lock:
            self._frame = frame
            self._show_frame_controls()
            self._refresh()

    def _show_frame_controls(self) -> None:
        if self.replay:
            last = self.n_frames - 1
            for widget in (self.scrubber, self.frame_field):
                # a slider without room to move would divide by zero in the browser
                self._quietly(widget, max=max(last, 1), value=self._frame)
                widget.disabled = last == 0

    def _on_frame(self, change: Any) -> None:
        with self._lock:
            # inside the lock: another thread's quiet moment must not swallow this change
            if self._quiet:
                return
            self._pause()
            self._go(min(int(change["new"]), self.n_frames - 1))

    def step(self) -> Explorer:
        """Go on one frame; the last one stays."""
        with self._lock:
            self._go(min(self._frame + 1, self.n_frames - 1))
        return self

    def step_back(self) -> Explorer:
        """Go back one frame; the first one stays."""
        with self._lock:
            self._go(max(self._frame - 1, 0))
        return self

    def run(self) -> Explorer:
        """Go to the last frame: at once from Python, frame by frame in a browser."""
        with self._lock:
            if self._runner is not None:
                self._pause()
            elif self.animated and _asked_by_browser():
                if self._frame == self.n_frames - 1:
                    self._go(0)
                self._runner = threading.Event()
                self.buttons["run"].description = "Pause"
                threading.Thread(
                    target=self._keep_running, args=(self._runner,), daemon=True
                ).start()
            else:
                self._go(self.n_frames - 1)
        return self

    def _keep_running(self, stop: threading.Event) -> None:
        while not stop.wait(_SPEEDS[self.speed.value]) and not _closing.is_set():
            with self._lock:
                if stop.is_set():
                    return
                self.step()
                if self._frame >= self.n_frames - 1:
                    self._pause()

    def _pause(self) -> None:
        if self._runner is not None:
            self._runner.set()
            self._runner = None
            self.buttons["run"].description = "Run"

    def reset(self) -> Explorer:
        """Back to the first frame, the first values and no prediction."""
        with self._lock:
            self._pause()
            if self.prediction is not None:
                self.prediction.reset()
            self._compared = False
            self._frame = self._first if self.replay else 0
            self._take(self._initial)
        return self

    def press(self, key: str) -> None:
        """Do what a click on the button ``key`` does."""
        if key == "stop":
            if self._job is not None:
                self._job.stop()
        elif key == "compare":
            if self.prediction is not None:
                self.prediction.reveal_from(self.result)
                with self._lock:
                    self._compared = True
                    if self.keeps_back:
                        self._refresh()
        else:
            if key in ("step", "step_back"):
                with self._lock:
                    self._pause()
            getattr(self, key)()

    # -- values --------------------------------------------------------------------------------

    def set(self, **values: Any) -> Explorer:
        """Set controls and show the result.

        Parameters
        ----------
        **values
            By the names of the controls.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For an unknown name or a value that the control does not take.
        """
        for name, value in values.items():
            if name not in self.controls:
                raise invalid("values", "among " + ", ".join(self.controls), name)
            # through the text, because it is checked there: widgets cut silently
            values[name] = self.controls[name].accept(value)
        with self._lock:
            self._take(self._values | values)
        return self

    def _take(self, values: dict[str, Any], frame: int | None = None) -> None:
        """Put values on the controls and show their result, here and now."""
        self._put(values)
        # a control may round or cut what it is given
        self._apply({name: control.value for name, control in self.controls.items()}, frame)

    def _put(self, values: dict[str, Any]) -> None:
        """Put values on the controls without hearing of it."""
        before, self._quiet = self._quiet, True
        try:
            for name, value in values.items():
                self.controls[name].value = value
        finally:
            self._quiet = before

    def _on_control(self, change: Any) -> None:
        with self._lock:
            if self._quiet:
                return
            self._pause()
            wanted = {name: control.value for name, control in self.controls.items()}
            key = self._key(wanted, every=False)
            known = key in self._results
            if not known and _asked_by_browser():
                self._start_job(wanted)
            else:
                self._apply(wanted)

    def _computed(self, values: dict[str, Any], job: Job) -> Any:
        key = self._key(values, every=False)
        with self._store:
            if key in self._results:
                self._results.move_to_end(key)
                return self._results[key]
        asked = {name: value for name, value in values.items() if self.controls[name].recompute}
        result = self.compute(job, **asked)
        with self._store:
            self._results[key] = result
            while len(self._results) > _KEPT_RESULTS:
                self._results.popitem(last=False)
        return result

    def _apply(self, values: dict[str, Any], frame: int | None = None) -> None:
        """Compute (or look up) and show."""
        self._cancel_job()
        self._accept(values, self._computed(values, Job()), frame)

    def _accept(self, values: dict[str, Any], result: Any, frame: int | None = None) -> None:
        with self._lock:
            anew = result is not self.result
            self.result, self._values = result, dict(values)
            if self.replay:
                self._frame = min(self._frame, self.n_frames - 1)
            if anew and self.prediction is not None and self.prediction.truth is not None:
                # another question of the same kind: its truth must not be on the screen yet
                self.prediction.reset()
                self._frame = 0
            if frame is not None:
                self._frame = frame
            self._show_frame_controls()
            self._refresh()
            self._draw_ahead()

    def _cancel_job(self) -> None:
        if self._job is not None:
            self._job.stop()
            self._job = None

    def _start_job(self, values: dict[str, Any], frame: int | None = None) -> None:
        self._cancel_job()
        job = self._job = Job(self._show_progress if self.slow else None)
        threading.Thread(target=self._work, args=(job, values, frame), daemon=True).start()
        if self.slow:
            timer = threading.Timer(_PATIENCE_S, self._show_busy, (job,))
            timer.daemon = True
            timer.start()

    def _show_busy(self, job: Job) -> None:
        with self._lock:
            if self._job is job:
                self._busy.layout.visibility = "visible"

    def _show_progress(self, share: float, text: str) -> None:
        # a message for every percent, not for every report
        if abs(share - self._progress.value) >= 0.01 or share >= 1:
            self._progress.value = share
            self._doing.value = text

    def _work(self, job: Job, values: dict[str, Any], frame: int | None) -> None:
        trouble = ""
        try:
            result = self._computed(values, job)
            self._check_shared(result, frame)
        except Stopped:
            trouble = "Stopped: the picture still shows the values before."
        except Exception as reason:
            trouble = f"Not possible: {reason}"
        with self._lock:
            if self._job is not job:
                return
            self._job = None
            if self.slow:
                self._busy.layout.visibility = "hidden"
                self._progress.value = 0.0
            # a shared text brings values of its own; a failure puts the old ones back
            self._put(self._values if trouble else values)
            if trouble:
                self._quietly(self._share, value=self.state)
                self._say_note(trouble)
            else:
                self._accept(values, result, frame)

    # -- frames drawn ahead ----------------------------------------------------------------------

    def _on_views(self, change: Any) -> None:
        if change["new"]:
            self._draw_ahead()
        else:
            self._pause()

    def _draw_ahead(self) -> None:
        """Draw the frames to come in a thread, but only where a browser shows the explorer."""
        if self._ahead is not None:
            self._ahead.set()
        if not (self._view_count and self.replay and isinstance(self.stage, ipywidgets.Image)):
            return
        stop = self._ahead = threading.Event()
        result, values, first, count = self.result, self.values, self._frame, self.n_frames
        order = [*range(first, count), *range(first - 1, -1, -1)][:_KEPT_FRAMES]

        def work() -> None:
            for frame in order:
                # the pause lets the kernel answer between two frames
                if stop.wait(0.01) or _closing.is_set():
                    return
                self._png(result, frame, values, ahead=True)

        threading.Thread(target=work, daemon=True).start()

    def close(self) -> None:
        """Stop the threads and close the widget."""
        self._pause()
        self._cancel_job()
        if self._ahead is not None:
            self._ahead.set()
        _living.discard(self)
        super().close()

    # -- sharing ---------------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """Short text that names this frame and these values; `restore` takes it back."""
        parts = [f"frame={self._frame}"] if self.replay else []
        parts += [
            f"{name}={quote(control.encode(self._values[name]), safe=',:[]')}"
            for name, control in self.controls.items()
        ]
        return f"{self.name}?{'&'.join(parts)}"

    def restore(self, text: str) -> Explorer:
        """Go to the frame and the values of a state string.

        Parameters
        ----------
        text : str
            As `state` gives it, from an explorer of the same kind.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If it is damaged, of another explorer, or asks for what this one does not have.
        """
        wanted, frame = self._parsed(text)
        with self._lock:
            self._pause()
            # computed before anything is shown: a bad frame leaves all as it was
            result = self._computed(wanted, Job())
            self._check_shared(result, frame)
            self._take(wanted, frame)
        return self

    def _parsed(self, text: Any) -> tuple[dict[str, Any], int | None]:
        """Values and frame of a state string."""
        if not isinstance(text, str) or "?" not in text:
            raise invalid("state", f"a text such as {self.state!r}", repr(text))
        head, _, tail = text.strip().partition("?")
        if head != self.name:
            raise invalid("state", f"of {self.name}", repr(head), "Paste it into its own widget.")
        try:
            pairs = parse_qsl(tail, keep_blank_values=True, strict_parsing=bool(tail))
        except ValueError as reason:
            raise invalid("state", f"a text such as {self.state!r}", repr(text)) from reason
        wanted = dict(self._values)
        frame: int | None = None
        for key, value in pairs:
            if key == "frame" and self.replay:
                if not (value.isascii() and value.isdigit()):
                    raise invalid("frame", "a number of digits", repr(value))
                frame = int(value)
            elif key in self.controls:
                wanted[key] = self.controls[key].decode(value)
            else:
                known = [*(["frame"] if self.replay else []), *self.controls]
                raise invalid("state", "made of " + ", ".join(known), repr(key))
        return wanted, frame

    def _check_shared(self, result: Any, frame: int | None) -> None:
        last = max(1, int(self.frame_count(result))) - 1
        if frame is not None and frame > last:
            raise invalid("frame", f"from 0 to {last}", frame)

    def _on_share(self, change: Any) -> None:
        with self._lock:
            if self._quiet or change["new"].strip() == self.state:
                return
            try:
                wanted, frame = self._parsed(change["new"])
                if self._key(wanted, every=False) in self._results or not _asked_by_browser():
                    self.restore(change["new"])
                else:
                    self._start_job(wanted, frame)
            except (ValueError, TypeError) as reason:
                self._quietly(self._share, value=self.state)
                self._say_note(str(reason))

    def save_html(self, path: str | os.PathLike[str], *, over: str | None = None) -> Path:
        """Write a self-contained page with the frames and a scrubber: no kernel, no network.

        Parameters
        ----------
        path : path-like
        over : str, optional
            Where there is nothing to step through: a control whose options (or some of whose
            values) become the frames.

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
        from annlab.widgets._page import write_page

        with self._lock:
            here, values = self._frame, self.values
            if over is None:
                shots = [
                    (self.png(frame), self.sentence(self.result, frame, **values))
                    for frame in range(self.n_frames)
                ]
                word, start = self.frame_word, here
            else:
                if over not in self.controls:
                    raise invalid("over", "among " + ", ".join(self.controls), repr(over))
                shots = []
                for value in self.controls[over].trials:
                    there = values | {over: value}
                    result = self._computed(there, Job())
                    frame = min(here, self.frame_count(result) - 1) if self.replay else 0
                    shots.append(
                        (self._png(result, frame, there), self.sentence(result, frame, **there))
                    )
                word, start = over.replace("_", " "), 0
        return write_page(
            path,
            title=self.title,
            word=word,
            shots=shots,
            start=start,
            size=self.size,
            animated=self.animated,
        )


def projector(on: bool = True) -> None:
    """Enlarge text, lines and pictures of all explorers for a lecture hall, or go back.

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
    for explorer in list(_living):
        with explorer._lock:
            explorer._fit_stage()
            explorer._refresh()
            explorer._draw_ahead()


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
    import traitlets

    anywidget = require("anywidget", purpose=f"for the canvas of {name}", extra="lab")
    body: dict[str, Any] = {trait: kind.tag(sync=True) for trait, kind in traits.items()}
    body |= {
        "_esm": (_STATIC / f"{name}.js").read_text(encoding="utf-8"),
        "_css": (_STATIC / f"{name}.css").read_text(encoding="utf-8"),
        "description": traitlets.Unicode("").tag(sync=True),
        "__doc__": f"Canvas of {name}.",
    }
    return type(f"{name.title().replace('_', '')}Canvas", (anywidget.AnyWidget,), body)

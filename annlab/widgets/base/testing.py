"""Test any explorer through everything that it offers.

`exercise` sets every control to its minimum, its maximum and every option, presses every button,
walks the frames and then acts at random. Later explorers are covered by being in the registry.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import ipywidgets
import numpy as np

from annlab._support.checks import check_random_state
from annlab._support.types import Seed
from annlab.widgets.base.explorer import Explorer

#: Widgets whose output a saved notebook cannot hold or compare.
_REFUSED = (ipywidgets.Output, ipywidgets.interactive)
#: Widgets that carry no action of their own.
_PASSIVE = (ipywidgets.HTML, ipywidgets.Label, ipywidgets.Image, ipywidgets.Box)


def parts_of(widget: ipywidgets.Widget) -> Iterator[ipywidgets.Widget]:
    """Yield a widget and everything inside it."""
    yield widget
    for child in getattr(widget, "children", ()):
        yield from parts_of(child)


def _check_anatomy(explorer: Explorer) -> None:
    """Assert what must be true of every new explorer."""
    assert explorer.name and explorer.title, "an explorer has a name and a title"
    parts = list(parts_of(explorer))
    for part in parts:
        kind = type(part).__name__
        assert not isinstance(part, _REFUSED), f"{kind} cannot be compared"
        if isinstance(part, (*_PASSIVE, ipywidgets.FloatProgress)) or part is explorer._dress:
            continue
        if isinstance(part, ipywidgets.DOMWidget):
            label = getattr(part, "description", "")
            assert part.tooltip, f"a {kind} has no tooltip ({label!r})"
            assert label or getattr(part, "options", ()), f"a {kind} has no description"
    for control in explorer.controls.values():
        assert control.widget in parts, f"the control {control.name!r} is not shown"
        assert len(control.trials) >= 2, f"the control {control.name!r} has nothing to choose"
    check_shown(explorer)


def check_shown(explorer: Explorer) -> None:
    """Assert that picture, sentence, frame controls and state agree."""
    sentence = explorer.text
    assert repr(explorer) == sentence, "the repr is the sentence, which nbval compares"
    assert re.match(r"\S.{20,}", sentence), f"too short for a sentence: {sentence!r}"
    assert "nan" not in sentence.lower().split(), sentence
    picture = explorer.png()
    assert picture.startswith(b"\x89PNG"), "the picture is a PNG"
    assert 0 <= explorer.frame < explorer.n_frames
    if isinstance(explorer.stage, ipywidgets.Image):
        assert bytes(explorer.stage.value) == picture, "the picture on the stage is another one"
    if explorer.replay:
        assert explorer.scrubber.value == explorer.frame == explorer.frame_field.value
    for name, value in explorer.values.items():
        assert explorer.controls[name].value == value, f"{name} shows another value"


def _try_values(explorer: Explorer) -> None:
    for control in explorer.controls.values():
        before = explorer.values[control.name]
        sentences, states = {explorer.text}, {explorer.state}
        for value in control.trials:
            control.value = value
            check_shown(explorer)
            sentences.add(explorer.text)
            states.add(explorer.state)
        assert len(states) > 1, f"{control.name} is not in the state"
        assert len(sentences) > 1, f"{control.name} never changes the sentence"
        control.value = before
        check_shown(explorer)


def _try_frames(explorer: Explorer) -> None:
    last = explorer.n_frames - 1
    assert last > 0, "a replay has at least two frames"
    for widget in (explorer.scrubber, explorer.frame_field):
        assert (widget.min, widget.max) == (0, last)
        for frame in (last, 0):
            widget.value = frame
            check_shown(explorer)
            assert explorer.frame == frame
    for frame in range(1, last + 1):
        before = explorer.text
        explorer.buttons["step"].click()
        check_shown(explorer)
        assert explorer.frame == frame
        assert explorer.text != before, f"frame {frame} has the sentence of the one before"
    explorer.buttons["step"].click()
    assert explorer.frame == last
    explorer.buttons["step_back"].click()
    check_shown(explorer)
    assert explorer.frame == last - 1
    explorer.buttons["reset"].click()
    check_shown(explorer)
    assert ("run" in explorer.buttons) is explorer.animated
    explorer.run()
    check_shown(explorer)
    assert explorer.frame == explorer.n_frames - 1


def _try_state(explorer: Explorer, fresh: Explorer) -> None:
    """Assert that a state taken from one explorer shows the same in another."""
    fresh.restore(explorer.state)
    if "compare" in explorer.buttons:
        # a state does not say whether the truth was revealed
        explorer.press("compare")
        fresh.press("compare")
    assert fresh.state == explorer.state
    assert fresh.text == explorer.text
    assert fresh.png() == explorer.png(), "the same state has another picture"


def exercise(
    make: Callable[[], Explorer], *, n_actions: int = 50, random_state: Seed = 0
) -> Explorer:
    """Test an explorer, made twice by ``make``, systematically and at random.

    Returns
    -------
    Explorer
        In the state of the last action.

    Raises
    ------
    AssertionError
        If something does not change, does not agree, or has no label.
    """
    rng = check_random_state(random_state)
    explorer, fresh = make(), make()
    assert fresh.text == explorer.text, "two explorers with the same arguments differ"
    assert fresh.png() == explorer.png(), "two pictures of the same state differ"
    _check_anatomy(explorer)
    first = explorer.text
    _try_values(explorer)
    if explorer.replay:
        _try_frames(explorer)
    _try_state(explorer, fresh)
    if "reset" in explorer.buttons:
        explorer.buttons["reset"].click()
        assert explorer.text == first, "Reset does not lead back"
    sentences = {first}
    for _ in range(n_actions):
        actions = _actions(explorer, rng)
        actions[rng.randint(len(actions))]()
        check_shown(explorer)
        sentences.add(explorer.text)
    assert len(sentences) > 1, f"{n_actions} actions did not change the sentence"
    _try_state(explorer, fresh)
    fresh.close()
    return explorer


def _actions(explorer: Explorer, rng: np.random.RandomState) -> list[Callable[[], None]]:
    """Return random actions, the most effective kinds several times."""

    def turn() -> None:
        control = list(explorer.controls.values())[rng.randint(len(explorer.controls))]
        widget = control.widget
        low, high = getattr(widget, "min", None), getattr(widget, "max", None)
        if low is not None and high is not None and rng.randint(2):
            value = low + rng.random_sample() * (high - low)
            control.value = round(value) if isinstance(low, int) else value
        else:
            control.value = control.trials[rng.randint(len(control.trials))]

    def press() -> None:
        keys = sorted(explorer.buttons)
        explorer.buttons[keys[rng.randint(len(keys))]].click()

    def scrub() -> None:
        explorer.scrubber.value = rng.randint(explorer.n_frames)

    def share() -> None:
        explorer._share.value = explorer.state.replace("frame=", "frame=0")

    def spoil() -> None:
        text = explorer.text
        explorer._share.value = "not a state"
        assert explorer._share.value == explorer.state
        assert explorer.text == text

    def predict() -> None:
        prediction = explorer.prediction
        if prediction is not None and prediction.truth is None:
            options = prediction.options or ("3", "not a number", "12.5")
            prediction.field.value = options[rng.randint(len(options))]

    actions = [share, spoil, predict]
    actions += [turn] * 4 if explorer.controls else []
    actions += [press] * 4 if explorer.buttons else []
    actions += [scrub] * 3 if explorer.replay else []
    return actions

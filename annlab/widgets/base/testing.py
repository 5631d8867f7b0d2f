"""Drive any explorer through everything that it offers, as its tests must.

`exercise` sets every control to its minimum, its maximum and every option, presses every button,
walks the frames and then acts at random. Later explorers are covered by being in the registry.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import ipywidgets

from annlab._support.checks import check_random_state
from annlab._support.types import Seed
from annlab.widgets.base.explorer import Explorer

#: Widgets whose output a saved notebook cannot hold or compare.
_REFUSED = (ipywidgets.Output, ipywidgets.interactive)
#: Widgets that carry no action of their own.
_PASSIVE = (ipywidgets.HTML, ipywidgets.Label, ipywidgets.Image, ipywidgets.Box)


def parts_of(widget: Any) -> Iterator[Any]:
    """Yield a widget and everything inside it."""
    yield widget
    for child in getattr(widget, "children", ()):
        yield from parts_of(child)


def check_anatomy(explorer: Explorer) -> None:
    """Assert what holds for every explorer before anybody touches it.

    Raises
    ------
    AssertionError
    """
    assert explorer.name and explorer.title, "an explorer has a name and a title"
    parts = list(parts_of(explorer))
    for part in parts:
        assert not isinstance(part, _REFUSED), f"{type(part).__name__} cannot be compared"
        if isinstance(part, ipywidgets.DOMWidget) and not isinstance(part, _PASSIVE):
            if isinstance(part, ipywidgets.FloatProgress):
                continue
            name = type(part).__name__
            assert part.tooltip, f"a {name} has no tooltip ({getattr(part, 'description', '')!r})"
            labelled = getattr(part, "description", "") or getattr(part, "options", ())
            assert labelled, f"a {name} has no description ({part.tooltip!r})"
    for control in explorer.controls.values():
        assert control.widget in parts, f"the control {control.name!r} is not shown"
        assert len(control.trials) >= 2, f"the control {control.name!r} has nothing to choose"
    check_shown(explorer)


def check_shown(explorer: Explorer) -> None:
    """Assert that picture, sentence, frame controls and state agree.

    Raises
    ------
    AssertionError
    """
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


def _try_values(explorer: Explorer, seen: Callable[[], None]) -> None:
    for control in explorer.controls.values():
        before = explorer.values[control.name]
        sentences, states = {explorer.text}, {explorer.state}
        for value in control.trials:
            control.value = value
            seen()
            assert explorer.values[control.name] == control.value
            sentences.add(explorer.text)
            states.add(explorer.state)
        assert len(states) > 1, f"{control.name} is not in the state"
        assert len(sentences) > 1, f"{control.name} never changes the sentence"
        control.value = before
        seen()


def _try_frames(explorer: Explorer, seen: Callable[[], None]) -> None:
    last = explorer.n_frames - 1
    assert last > 0, "a replay has at least two frames"
    for widget in (explorer.scrubber, explorer.frame_field):
        assert (widget.min, widget.max) == (0, last)
        texts = set()
        for frame in (last, 0):
            widget.value = frame
            seen()
            assert explorer.frame == frame
            texts.add(explorer.text)
        assert len(texts) == 2, "the first and the last frame have the same sentence"
    for frame in range(1, last + 1):
        before = explorer.text
        explorer.buttons["step"].click()
        seen()
        assert explorer.frame == frame
        assert explorer.text != before, f"frame {frame} has the sentence of the one before"
    explorer.buttons["step"].click()
    assert explorer.frame == last
    explorer.buttons["step_back"].click()
    seen()
    assert explorer.frame == last - 1
    explorer.buttons["reset"].click()
    seen()
    assert ("run" in explorer.buttons) is explorer.animated
    if explorer.animated:
        explorer.buttons["run"].click()
    else:
        explorer.run()
    seen()
    assert explorer.frame == explorer.n_frames - 1


def _try_state(explorer: Explorer, fresh: Explorer) -> None:
    """A state taken here shows the same there."""
    fresh.restore(explorer.state)
    assert fresh.state == explorer.state
    assert fresh.text == explorer.text
    assert fresh.png() == explorer.png(), "the same state has another picture"


def exercise(
    make: Callable[[], Explorer], *, n_actions: int = 50, random_state: Seed = 0
) -> Explorer:
    """Drive an explorer through all it offers, then through random actions.

    Parameters
    ----------
    make : callable
        Makes the explorer; called twice.
    n_actions : int, default=50
    random_state : None, int, RandomState or Generator

    Returns
    -------
    Explorer
        In the state of the last action.

    Raises
    ------
    AssertionError
        Where something does not change, does not agree, or is not labelled.
    """
    rng = check_random_state(random_state)
    explorer, fresh = make(), make()
    assert fresh.text == explorer.text, "two explorers with the same arguments differ"
    assert fresh.png() == explorer.png(), "two pictures of the same state differ"
    check_anatomy(explorer)

    def seen() -> None:
        check_shown(explorer)

    first = explorer.text
    _try_values(explorer, seen)
    if explorer.replay:
        _try_frames(explorer, seen)
    _try_state(explorer, fresh)
    if "reset" in explorer.buttons:
        explorer.buttons["reset"].click()
        assert explorer.text == first, "Reset does not lead back"
    sentences = {first}
    for _ in range(n_actions):
        actions = _actions(explorer, rng)
        actions[rng.randint(len(actions))]()
        seen()
        sentences.add(explorer.text)
    assert len(sentences) > 1, "fifty actions did not change the sentence"
    _try_state(explorer, fresh)
    fresh.close()
    return explorer


def _actions(explorer: Explorer, rng: Any) -> list[Callable[[], Any]]:
    """One random action of each kind that the explorer offers now."""

    def turn() -> None:
        control = list(explorer.controls.values())[rng.randint(len(explorer.controls))]
        widget = control.widget
        low, high = getattr(widget, "min", None), getattr(widget, "max", None)
        if low is not None and high is not None and rng.randint(2):
            share = rng.random_sample()
            value = low + share * (high - low)
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

    actions: list[Callable[[], Any]] = [share, spoil, predict]
    # the actions that change most come up most
    actions += [turn] * 4 if explorer.controls else []
    actions += [press] * 4 if explorer.buttons else []
    actions += [scrub] * 3 if explorer.replay else []
    return actions

"""Controls of an explorer: widget, name, and value in a state string.

Every control has a description and a tooltip. Sliders report their value when they are released.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import ipywidgets

from annlab._support.errors import invalid

#: Values to choose from, each with its label: pairs, a mapping, or values that label themselves.
Options = Mapping[str, object] | Iterable[object]

WIDE = {"description_width": "initial"}


class Control:
    """A parameter of an explorer and the widget that sets it.

    Made by `slider`, `ladder`, `choice`, `switch`, `number` and `entry`. ``name`` is the keyword
    of ``compute`` and ``draw``; ``encode`` and ``decode`` write and read a value in the state
    string; ``trials`` are the values that the test driver sets.
    """

    def __init__(
        self,
        name: str,
        widget: ipywidgets.Widget,
        *,
        encode: Callable[[Any], str] = str,
        decode: Callable[[str], Any],
        trials: Sequence[object],
    ) -> None:
        self.name, self.widget = name, widget
        self.encode, self.decode = encode, decode
        self.trials: tuple[Any, ...] = tuple(trials)

    def __repr__(self) -> str:
        return f"Control({self.name}={self.encode(self.value)})"

    @property
    def value(self) -> Any:
        """Current value."""
        return self.widget.value

    @value.setter
    def value(self, value: Any) -> None:
        self.widget.value = value

    def accept(self, value: object) -> Any:
        """Return the value in the control's form; raise ValueError if invalid."""
        return self.decode(self.encode(value))


def _dress(description: str, tooltip: str, width: str = "330px") -> dict[str, Any]:
    return {
        "description": description,
        "tooltip": tooltip,
        "continuous_update": False,
        "style": WIDE,
        "layout": {"width": width},
    }


def _read_number(name: str, kind: type, low: float, high: float) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        rule = f"{'an integer' if kind is int else 'a number'} from {low} to {high}"
        try:
            value = kind(text)
        except ValueError as reason:
            raise invalid(name, rule, repr(text)) from reason
        if not low <= value <= high:
            raise invalid(name, rule, text)
        return value

    return read


def _write_real(value: float) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def slider(
    name: str,
    description: str,
    tooltip: str,
    low: float,
    high: float,
    value: float,
    *,
    step: float | None = None,
) -> Control:
    """Make a slider over integers, or real numbers if any argument is a float.

    ``step`` is 1 for integers and a hundredth of the range for real numbers by default.
    """
    whole = all(isinstance(number, int) for number in (low, high, value, step or 1))
    kind = ipywidgets.IntSlider if whole else ipywidgets.FloatSlider
    widget = kind(
        value=value,
        min=low,
        max=high,
        step=step or (1 if whole else (high - low) / 100),
        **_dress(description, tooltip),
    )
    return Control(
        name,
        widget,
        encode=str if whole else _write_real,
        decode=_read_number(name, int if whole else float, low, high),
        trials=(low, high),
    )


def number(
    name: str,
    description: str,
    tooltip: str,
    low: int,
    high: int,
    value: int,
) -> Control:
    """Make a small field for an integer, such as the number of a random start."""
    widget = ipywidgets.BoundedIntText(
        value=value, min=low, max=high, **_dress(description, tooltip, "150px")
    )
    decode = _read_number(name, int, low, high)
    return Control(name, widget, decode=decode, trials=(low, high))


def _pairs(options: Options) -> list[tuple[str, Any]]:
    if isinstance(options, Mapping):
        return [(str(label), value) for label, value in options.items()]
    pairs: list[tuple[str, Any]] = []
    for option in options:
        if isinstance(option, tuple) and len(option) == 2:
            pairs.append((str(option[0]), option[1]))
        else:
            pairs.append((f"{option:,}" if isinstance(option, int) else str(option), option))
    return pairs


def _selection(name: str, widget: ipywidgets.Widget, pairs: list[tuple[str, Any]]) -> Control:
    rule = "one of " + ", ".join(label for label, _ in pairs)

    def encode(value: object) -> str:
        for label, option in pairs:
            if option is value or option == value:
                return label
        raise invalid(name, rule, repr(value))

    def decode(text: str) -> Any:
        for label, option in pairs:
            if label == text:
                return option
        raise invalid(name, rule, repr(text))

    trials = [option for _, option in pairs]
    return Control(name, widget, encode=encode, decode=decode, trials=trials)


def ladder(
    name: str,
    description: str,
    tooltip: str,
    options: Options,
    value: object,
) -> Control:
    """Make a slider over given values, such as k = 10, 100, 1,000.

    ``options`` are values, (label, value) pairs, or a mapping of labels to values.
    """
    pairs = _pairs(options)
    widget = ipywidgets.SelectionSlider(options=pairs, value=value, **_dress(description, tooltip))
    return _selection(name, widget, pairs)


def choice(
    name: str,
    description: str,
    tooltip: str,
    options: Options,
    value: object,
    *,
    buttons: bool = False,
) -> Control:
    """Make a drop-down list, or a row of buttons for two to four short options.

    ``options`` are values, (label, value) pairs, or a mapping of labels to values.
    """
    pairs = _pairs(options)
    common = {"options": pairs, "value": value, "description": description, "tooltip": tooltip}
    if buttons:
        widget = ipywidgets.ToggleButtons(
            **common,
            tooltips=[f"{tooltip}: {label}" for label, _ in pairs],
            style=WIDE | {"button_width": "auto"},
        )
    else:
        longest = max(len(label) for label, _ in pairs) + len(description)
        width = f"{90 + 8 * longest}px"
        widget = ipywidgets.Dropdown(**common, style=WIDE, layout={"width": width})
    return _selection(name, widget, pairs)


def switch(name: str, description: str, tooltip: str, value: bool = False) -> Control:
    """Make a check box."""
    widget = ipywidgets.Checkbox(
        value=value,
        description=description,
        tooltip=tooltip,
        indent=False,
        layout={"width": "auto"},
    )
    return _selection(name, widget, [("no", False), ("yes", True)])


def entry(
    name: str,
    description: str,
    tooltip: str,
    value: str,
    *,
    trials: Sequence[str],
) -> Control:
    """Make a text field, submitted with Enter."""
    widget = ipywidgets.Text(value=value, **_dress(description, tooltip))
    return Control(name, widget, decode=str, trials=trials)

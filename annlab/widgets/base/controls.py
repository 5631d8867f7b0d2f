"""Controls of an explorer: an ipywidget, its name, and how a state string writes its value.

Every control has a description and a tooltip; sliders answer when they are let go.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets

from annlab._support.errors import invalid

_WIDE = {"description_width": "initial"}


class Control:
    """A parameter of an explorer and the widget that sets it.

    Made by `slider`, `ladder`, `choice`, `switch`, `number`, `entry` and `custom`.

    Attributes
    ----------
    name : str
        The keyword with which ``compute`` and ``draw`` get the value, and its name in the state
        string.
    widget : ipywidgets.Widget
    recompute : bool
        Whether a change calls ``compute``; otherwise it only draws anew.
    """

    def __init__(
        self,
        name: str,
        widget: Any,
        *,
        recompute: bool = True,
        trait: str = "value",
        encode: Callable[[Any], str] = str,
        decode: Callable[[str], Any],
        trials: Sequence[Any],
    ) -> None:
        self.name, self.widget, self.recompute = name, widget, recompute
        self._trait, self._encode, self._decode = trait, encode, decode
        self._trials = tuple(trials)

    def __repr__(self) -> str:
        return f"Control({self.name}={self.encode(self.value)})"

    @property
    def value(self) -> Any:
        """Current value."""
        return getattr(self.widget, self._trait)

    @value.setter
    def value(self, value: Any) -> None:
        setattr(self.widget, self._trait, value)

    @property
    def trials(self) -> tuple[Any, ...]:
        """Values that the test driver sets: minimum, maximum, every option."""
        return self._trials

    def observe(self, handler: Callable[[Any], None]) -> None:
        """Call ``handler`` when the value changes."""
        self.widget.observe(handler, self._trait)

    def encode(self, value: Any) -> str:
        """Write a value for the state string."""
        return self._encode(value)

    def decode(self, text: str) -> Any:
        """Read a value from the state string.

        Raises
        ------
        ValueError
            If the control cannot take it.
        """
        return self._decode(text)

    def accept(self, value: Any) -> Any:
        """Return a value as the control takes it.

        Raises
        ------
        ValueError
            If the control cannot take it.
        """
        return self._decode(self._encode(value))


def _dress(description: str, tooltip: str, width: str = "330px") -> dict[str, Any]:
    return {
        "description": description,
        "tooltip": tooltip,
        "continuous_update": False,
        "style": _WIDE,
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


def _write_real(value: Any) -> str:
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
    recompute: bool = True,
) -> Control:
    """A slider over integers (if low, high, value and step are) or real numbers.

    Parameters
    ----------
    name, description, tooltip : str
    low, high, value : int or float
    step : int or float, optional
        1 for integers, a hundredth of the range for real numbers.
    recompute : bool, default=True

    Returns
    -------
    Control
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
        recompute=recompute,
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
    *,
    recompute: bool = True,
) -> Control:
    """A small field for an integer, such as the number of a random start."""
    widget = ipywidgets.BoundedIntText(
        value=value, min=low, max=high, **_dress(description, tooltip, "150px")
    )
    return Control(
        name,
        widget,
        recompute=recompute,
        decode=_read_number(name, int, low, high),
        trials=(low, high),
    )


def _pairs(options: Any) -> list[tuple[str, Any]]:
    if hasattr(options, "items"):
        return [(str(label), value) for label, value in options.items()]
    pairs = []
    for option in options:
        if isinstance(option, tuple) and len(option) == 2:
            pairs.append((str(option[0]), option[1]))
        else:
            pairs.append((f"{option:,}" if isinstance(option, int) else str(option), option))
    return pairs


def _selection(name: str, widget: Any, pairs: list[tuple[str, Any]], recompute: bool) -> Control:
    def encode(value: Any) -> str:
        for label, option in pairs:
            if option is value or option == value:
                return label
        raise invalid(name, "one of " + ", ".join(label for label, _ in pairs), repr(value))

    def decode(text: str) -> Any:
        for label, option in pairs:
            if label == text:
                return option
        raise invalid(name, "one of " + ", ".join(label for label, _ in pairs), repr(text))

    return Control(
        name,
        widget,
        recompute=recompute,
        encode=encode,
        decode=decode,
        trials=[option for _, option in pairs],
    )


def ladder(
    name: str,
    description: str,
    tooltip: str,
    options: Any,
    value: Any,
    *,
    recompute: bool = True,
) -> Control:
    """A slider over a few given values, such as k = 10, 100, 1,000.

    Parameters
    ----------
    name, description, tooltip : str
    options : sequence of values or (label, value), or mapping of label to value
        Integers are their own labels, such as 1,000.
    value : object
        One of the values.
    recompute : bool, default=True

    Returns
    -------
    Control
    """
    pairs = _pairs(options)
    widget = ipywidgets.SelectionSlider(options=pairs, value=value, **_dress(description, tooltip))
    return _selection(name, widget, pairs, recompute)


def choice(
    name: str,
    description: str,
    tooltip: str,
    options: Any,
    value: Any,
    *,
    buttons: bool = False,
    recompute: bool = True,
) -> Control:
    """One of several options: a drop-down list, or a row of buttons.

    Parameters
    ----------
    name, description, tooltip : str
    options : sequence of values or (label, value), or mapping of label to value
    value : object
        One of the values.
    buttons : bool, default=False
        Show all options at once: for two to four short ones.
    recompute : bool, default=True

    Returns
    -------
    Control
    """
    pairs = _pairs(options)
    common: dict[str, Any] = {
        "options": pairs,
        "value": value,
        "description": description,
        "tooltip": tooltip,
    }
    if buttons:
        widget = ipywidgets.ToggleButtons(
            **common,
            tooltips=[f"{tooltip}: {label}" for label, _ in pairs],
            style={"description_width": "initial", "button_width": "auto"},
        )
    else:
        longest = max(len(label) for label, _ in pairs) + len(description)
        widget = ipywidgets.Dropdown(
            **common, style=_WIDE, layout={"width": f"{90 + 8 * longest}px"}
        )
    return _selection(name, widget, pairs, recompute)


def switch(
    name: str, description: str, tooltip: str, value: bool = False, *, recompute: bool = True
) -> Control:
    """A check box."""
    widget = ipywidgets.Checkbox(
        value=value,
        description=description,
        tooltip=tooltip,
        indent=False,
        layout={"width": "auto"},
    )

    def decode(text: str) -> bool:
        if text not in ("yes", "no"):
            raise invalid(name, "yes or no", repr(text))
        return text == "yes"

    return Control(
        name,
        widget,
        recompute=recompute,
        encode=lambda on: "yes" if on else "no",
        decode=decode,
        trials=(False, True),
    )


def entry(
    name: str,
    description: str,
    tooltip: str,
    value: str,
    *,
    trials: Sequence[str],
    check: Callable[[str], Any] | None = None,
    recompute: bool = True,
) -> Control:
    """A line of text, taken over with Enter.

    Parameters
    ----------
    name, description, tooltip, value : str
    trials : sequence of str
        Texts that the test driver types.
    check : callable, optional
        Called with a text from a state string; raises ValueError for a bad one.
    recompute : bool, default=True

    Returns
    -------
    Control
    """
    widget = ipywidgets.Text(value=value, **_dress(description, tooltip))

    def decode(text: str) -> str:
        if check is not None:
            check(text)
        return text

    return Control(name, widget, recompute=recompute, decode=decode, trials=trials)


def custom(
    name: str,
    widget: Any,
    *,
    trials: Sequence[Any],
    trait: str = "value",
    check: Callable[[Any], Any] | None = None,
    recompute: bool = True,
) -> Control:
    """Any other widget, such as an anywidget canvas, whose trait holds plain JSON data.

    Parameters
    ----------
    name : str
    widget : ipywidgets.Widget
        With a description (where it has that trait) and a tooltip.
    trials : sequence
        Values that the test driver sets.
    trait : str, default="value"
        The trait to watch: numbers, texts, lists and dicts of them, which the state string holds
        as JSON.
    check : callable, optional
        Called with a value from a state string; raises ValueError for a bad one.
    recompute : bool, default=True

    Returns
    -------
    Control
    """

    def decode(text: str) -> Any:
        try:
            value = json.loads(text)
        except json.JSONDecodeError as reason:
            raise invalid(name, "JSON", repr(text)) from reason
        if check is not None:
            check(value)
        return value

    return Control(
        name,
        widget,
        recompute=recompute,
        trait=trait,
        encode=lambda value: json.dumps(value, separators=(",", ":")),
        decode=decode,
        trials=trials,
    )

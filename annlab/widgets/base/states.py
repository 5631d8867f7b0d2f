"""Write and read state strings: the frame and the values of an explorer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, quote

from annlab._support.errors import invalid
from annlab.widgets.base.controls import Control


def written(
    name: str, frame: int | None, controls: Mapping[str, Control], values: Mapping[str, Any]
) -> str:
    """Write a state; ``frame`` is None without a replay."""
    parts = [] if frame is None else [f"frame={frame}"]
    parts += [
        f"{key}={quote(control.encode(values[key]), safe=',:[]')}"
        for key, control in controls.items()
    ]
    return f"{name}?{'&'.join(parts)}"


def parsed(
    text: object, here: str, controls: Mapping[str, Control]
) -> tuple[dict[str, Any], int | None]:
    """Read values and frame from a state; ``here`` is the current state.

    Raises
    ------
    ValueError
        If it is damaged, of another explorer, or names what this one does not have.
    """
    name, replay = here.partition("?")[0], here.partition("?")[2].startswith("frame=")
    if not isinstance(text, str) or "?" not in text:
        raise invalid("state", f"text such as {here!r}", repr(text))
    head, _, tail = text.strip().partition("?")
    if head != name:
        raise invalid("state", f"a state of {name}", repr(head), "Paste it into its own widget.")
    try:
        pairs = parse_qsl(tail, keep_blank_values=True, strict_parsing=bool(tail))
    except ValueError as reason:
        raise invalid("state", f"text such as {here!r}", repr(text)) from reason
    values: dict[str, Any] = {}
    frame: int | None = None
    for key, value in pairs:
        if key == "frame" and replay:
            if not (value.isascii() and value.isdigit()):
                raise invalid("frame", "a whole number", repr(value))
            frame = int(value)
        elif key in controls:
            values[key] = controls[key].decode(value)
        else:
            known = [*(["frame"] if replay else []), *controls]
            raise invalid("state", "made of " + ", ".join(known), repr(key))
    return values, frame

"""Widgets with their own front ends, from ``annlab/widgets/static``."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import ipywidgets
import traitlets

from annlab._support.errors import MissingExtraError, require

STATIC = Path(__file__).parents[1] / "static"


def canvas_class(name: str, **traits: traitlets.TraitType) -> type[ipywidgets.DOMWidget]:
    """Make an anywidget class with traits from ``static/<name>.js`` and ``.css``.

    It also has a ``description``; all traits are synchronised with the browser.

    Raises
    ------
    MissingExtraError
        If anywidget is not installed.
    """
    anywidget = require("anywidget", purpose=f"for the {name} of explorers", extra="lab")
    body: dict[str, object] = {trait: kind.tag(sync=True) for trait, kind in traits.items()}
    body |= {
        "_esm": (STATIC / f"{name}.js").read_text(encoding="utf-8"),
        "_css": (STATIC / f"{name}.css").read_text(encoding="utf-8"),
        "description": traitlets.Unicode("").tag(sync=True),
        "__doc__": f"Front end of {name}.",
    }
    return type(f"{name.title()}Canvas", (anywidget.AnyWidget,), body)


@cache
def _dress() -> type[ipywidgets.DOMWidget]:
    return canvas_class("explorer", alt=traitlets.Unicode(""))


def make_dress() -> ipywidgets.DOMWidget:
    """Make the hidden widget with styles and texts for screen readers."""
    hidden = {"display": "none"}
    try:
        return _dress()(layout=hidden)
    except MissingExtraError:
        # explorers without a canvas need ipywidgets alone
        style = (STATIC / "explorer.css").read_text(encoding="utf-8")
        return ipywidgets.HTML(f"<style>{style}</style>", layout=hidden)

"""Explorers: interactive pictures, one line each in a notebook.

Each name loads on first use; ``__init__.pyi`` lists them. `annlab.widgets.base` explains how to
write a new one.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from annlab._support.listed import public_names

_HOMES = public_names(__file__)
#: The names that are not explorers.
_HELPERS = (
    "Explorer",
    "Prediction",
    "predict",
    "progress_map",
    "projector",
    "verdict",
    "your_data",
)
__all__ = ["available_explorers", "example", *sorted(_HOMES)]


def available_explorers() -> tuple[str, ...]:
    """Return the names of the explorers, each a function of this package.

    Examples
    --------
    >>> from annlab import widgets
    >>> "step_explorer" in widgets.available_explorers()
    True
    """
    return tuple(name for name in _HOMES if name not in _HELPERS)


def example(name: str) -> Any:
    """Make an explorer on small data, as its tests do.

    Parameters
    ----------
    name : str
        One of `available_explorers`.

    Returns
    -------
    Explorer

    Examples
    --------
    >>> from annlab import widgets
    >>> widgets.example("step_explorer").frame
    0
    """
    from annlab._support.checks import check_choice

    check_choice(name, "name", available_explorers())
    return import_module(_HOMES[name]).example()


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'annlab.widgets' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)

"""k-means with approximate nearest neighbours: taught, measured and fast.

Every name loads on first use, so that ``import annlab`` is instant. The one list of the public
names, and of where each is from, is ``__init__.pyi``, which type checkers read as well.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from annlab._support.listed import public_names
from annlab._version import __version__

_HOMES = public_names(__file__)
#: without modules that are available as attributes, such as ``annlab.datasets``
__all__ = ["__version__", *sorted(name for name in _HOMES if _HOMES[name] != "annlab")]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'annlab' has no attribute {name!r}")
    if home == "annlab":
        return import_module(f"annlab.{name}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*__all__, *_HOMES})

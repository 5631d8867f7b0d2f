"""The template for errors, the warning class, and optional imports."""

from __future__ import annotations

import importlib
from types import ModuleType


class AnnlabWarning(UserWarning):
    """Something works, but perhaps not as expected."""


class MissingExtraError(ImportError):
    """An optional package is needed and not installed."""


def invalid(
    name: str,
    rule: str,
    got: object,
    remedy: str = "",
    *,
    error: type[Exception] = ValueError,
) -> Exception:
    """Build an error from parameter, rule (after "must be"), value and remedy.

    The value is shown with ``str`` and cut at 120 characters. The caller raises the error.

    Examples
    --------
    >>> from annlab._support.errors import invalid
    >>> str(invalid("n_clusters", "an integer >= 1", 0, "Ask for one cluster or more."))
    'n_clusters must be an integer >= 1; got 0. Ask for one cluster or more.'
    """
    shown = str(got)
    if len(shown) > 120:
        shown = shown[:117] + "..."
    text = f"{name} must be {rule}; got {shown}."
    return error(f"{text} {remedy}" if remedy else text)


def require(module: str, *, purpose: str, extra: str) -> ModuleType:
    """Import an optional package, or raise `MissingExtraError`.

    ``purpose`` is readable after "is needed"; ``extra`` is the extra of annlab that installs it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as reason:
        raise MissingExtraError(
            f"The package {module!r} is needed {purpose}, and it cannot be imported ({reason}). "
            f'Install it with: pip install "annlab-kmeans[{extra}]"'
        ) from reason

"""The one template for errors, the warning class, and the check for optional packages."""

from __future__ import annotations

import importlib
from types import ModuleType


class AnnlabWarning(UserWarning):
    """Something works, but not as the caller may expect; the text says what to do."""


class MissingExtraError(ImportError):
    """An optional package is needed for a named purpose and is not installed."""


def invalid(
    name: str,
    rule: str,
    got: object,
    remedy: str = "",
    *,
    error: type[Exception] = ValueError,
) -> Exception:
    """Build the house's error: parameter, rule, value received, remedy.

    Parameters
    ----------
    name : str
        Parameter as the caller knows it.
    rule : str
        What is required, readable after "must be".
    got : object
        What came; shown with ``str`` and cut at 120 characters.
    remedy : str, default=""
        One sentence that says what to do.
    error : type, default=ValueError
        Class of the exception to build (it is returned, not raised).

    Returns
    -------
    Exception
        Ready to be raised by the caller.

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
    """Import an optional package, or say what it is for and how to install it.

    Parameters
    ----------
    module : str
        Name to import, such as ``"faiss"``.
    purpose : str
        What the package is needed for, readable after "is needed".
    extra : str
        Name of annlab's extra that installs it.

    Returns
    -------
    module

    Raises
    ------
    MissingExtraError
        If the package cannot be imported.
    """
    try:
        return importlib.import_module(module)
    except ImportError as reason:
        raise MissingExtraError(
            f"The package {module!r} is needed {purpose}, and it cannot be imported ({reason}). "
            f'Install it with: pip install "annlab-kmeans[{extra}]"'
        ) from reason

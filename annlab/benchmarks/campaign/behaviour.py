"""The tie between stored figures and the code: what a few fixed small fits return.

A renamed variable or a moved file changes nothing here; another label, or another inertia in the
first six digits, does. Figures of fits that behave differently are never mixed.
"""

from __future__ import annotations

import subprocess
import warnings
from functools import lru_cache
from hashlib import sha256
from typing import Any

import numpy as np

from annlab._support.errors import invalid
from annlab._support.places import PACKAGE
from annlab._version import __version__

#: Algorithm, points, features, clusters of each fit.
_FITS = (
    ("auto", 500, 6, 8),
    ("brute", 500, 6, 8),
    ("small_k", 700, 10, 12),
    ("graph", 1500, 8, 60),
)


@lru_cache(maxsize=1)
def behaviour() -> str:
    """Digest labels and inertia of a few fixed small fits: 12 hexadecimal digits.

    Examples
    --------
    >>> from annlab.benchmarks.campaign.behaviour import behaviour
    >>> len(behaviour())
    12
    """
    from annlab.clustering import kmeans_ann

    digest = sha256()
    for algorithm, n, d, k in _FITS:
        rng = np.random.RandomState(k)
        centres = rng.uniform(-10.0, 10.0, (k, d))
        X = (centres[rng.randint(k, size=n)] + 3.0 * rng.standard_normal((n, d))).astype("f4")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = kmeans_ann(X, k, 30, algorithm=algorithm, random_state=0, n_jobs=1)
        # which cluster is called 0 is no behaviour: number them as they appear
        _, first, labels = np.unique(result.labels, return_index=True, return_inverse=True)
        digest.update(np.argsort(np.argsort(first))[labels].astype("<i4").tobytes())
        digest.update(f"{result.inertia:.5e}".encode())
    return digest.hexdigest()[:12]


def code_facts() -> dict[str, str]:
    """Version, commit (empty outside of a checkout) and behaviour of this annlab."""
    return {"version": __version__, "commit": _commit(), "behaviour": behaviour()}


def _commit() -> str:
    checkout = PACKAGE.parent
    # an installed package may be somewhere inside another project's checkout
    if not (checkout / ".git").exists():
        return ""
    command = ["git", "-C", str(checkout), "rev-parse", "--short=12", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def describe(code: dict[str, str]) -> str:
    """Name the code that figures are of, such as ``annlab 1.0 (commit …, behaviour …)``."""
    commit = f"commit {code['commit']}, " if code.get("commit") else ""
    return f"annlab {code['version']} ({commit}behaviour {code['behaviour']})"


def check_alike(was: dict[str, Any], now: dict[str, Any], what: str) -> None:
    """Refuse to add figures to those that were measured otherwise.

    Parameters
    ----------
    was, now : dict
        Settings stored and wanted; of ``code`` only the behaviour counts.
    what : str
        File or comparison, for the message.

    Raises
    ------
    ValueError
        Names each setting that differs, and what to do.
    """

    def shown(settings: dict[str, Any], name: str) -> Any:
        value = settings.get(name)
        return value.get("behaviour") if name == "code" and isinstance(value, dict) else value

    differing = [name for name in now if shown(was, name) != shown(now, name)]
    if not differing:
        return
    remedy = "Pass --again to measure everything again, or another --out."
    if "code" in differing:
        remedy = (
            f"annlab's fits return other labels or inertia than when it was measured (behaviour "
            f"{shown(was, 'code')}, now {shown(now, 'code')}). {remedy}"
        )
    raise invalid(
        "out",
        "a folder whose figures were measured alike",
        f"{what}, which differs in " + ", ".join(sorted(differing)),
        remedy,
    )

"""Identify the code of stored figures by the results of fixed small fits.

Renaming a variable or moving a file changes nothing here; another label, or another inertia in the
first six digits, does.
"""

from __future__ import annotations

import subprocess
import warnings
from functools import lru_cache
from hashlib import sha256
from typing import Any

import numpy as np

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
    """Return a digest of labels and inertia of the fixed fits: 12 hex digits.

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
        # the numbering of the clusters does not count: number them as they appear
        _, first, labels = np.unique(result.labels, return_index=True, return_inverse=True)
        digest.update(np.argsort(np.argsort(first))[labels].astype("<i4").tobytes())
        digest.update(f"{result.inertia:.5e}".encode())
    return digest.hexdigest()[:12]


def code_facts() -> dict[str, str]:
    """Return version, commit (empty outside of a checkout) and behaviour."""
    return {"version": __version__, "commit": _commit(), "behaviour": behaviour()}


def _commit() -> str:
    checkout = PACKAGE.parent
    # an installed package may be inside another project's checkout
    if not (checkout / ".git").exists():
        return ""
    command = ["git", "-C", str(checkout), "rev-parse", "--short=12", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def behaviour_of(settings: dict[str, Any]) -> str | None:
    """Return the behaviour that figures belong to; None in files without one."""
    return (settings.get("code") or {}).get("behaviour")


def describe(code: dict[str, str]) -> str:
    """Name the code of figures, such as ``annlab 1.0 (commit …, behaviour …)``."""
    commit = f"commit {code['commit']}, " if code.get("commit") else ""
    return f"annlab {code['version']} ({commit}behaviour {code['behaviour']})"

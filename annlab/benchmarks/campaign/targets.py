"""The cases for annlab's own figures, each with its goals.

A case is an ordinary comparison, run with ladders that are dense where its question is decided.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from annlab._support.errors import invalid
from annlab.benchmarks.campaign.measured import REFERENCE_PEER

#: The algorithm that is judged: the default.
OURS = "annlab-auto"
DEFAULT_PEER = "sklearn-kmeans++"
#: A run that takes longer is ended.
RUN_LIMIT_S = 900.0
_ROWS = {"U100": 100_000, "P200": 200_000, "P1M": 1_000_000, "G500": 500_000}

#: The peers of a case, and the iterations to ask each for.
Ladders = dict[str, tuple[int, ...]]
_OUR_STEPS = (1, 2, 3, 5, 7, 10, 15, 25)
_SMALL = (1, 2, 3, 5, 7, 10, 15, 20, 25, 35, 50, 75, 100)
#: 1.01 × the inertia of 25 iterations is usually reached here; earlier at the largest k, and later
#: where all of that inertia must be reached.
_USUAL, _EARLY, _LATE = (5, 7, 10, 12, 15, 25), (2, 3, 4, 5, 7, 10, 25), (5, 10, 15, 20, 25, 30)
_PLAIN = (REFERENCE_PEER, "faiss", "faiss-super", "superkmeans-flat")


def _ladders(steps: tuple[int, ...], **more: tuple[int, ...]) -> Ladders:
    """Return the ladders of all strong peers; ``steps`` are for plain iterations."""
    return {
        **dict.fromkeys(_PLAIN, steps),
        OURS: _OUR_STEPS,
        "superkmeans-tree": (1, 2, 3, 5, 10, 20),
        "superkmeans-tree-long": (1, 2, 3, 5, 10, 20),
        "superkmeans-default": (),
        "sklearn-minibatch": (5, 25),
        **more,
    }


_STARTS: Ladders = {DEFAULT_PEER: (), "sklearn-bisecting": ()}
_U100 = _ladders(_SMALL, **{**_STARTS, OURS: _SMALL, DEFAULT_PEER: _SMALL})
_P200_SMALL = _ladders(_USUAL, **{**_STARTS, OURS: (*_OUR_STEPS, 35, 50)})
_FIVE: Ladders = {OURS: (1, 2, 3, 5, 7, 10), REFERENCE_PEER: (1, 5)}
#: For larger cases unless --full: the reference and the strongest other peer.
_BRIEF: Ladders = {REFERENCE_PEER: (10, 25), OURS: (1, 2, 3, 5, 10), "superkmeans-tree": (2, 5, 10)}


@dataclass(frozen=True, eq=False)
class Target:
    """One case and its goals.

    Attributes
    ----------
    data : str
    n_clusters : int
    quality : float
        annlab's inertia must be at most this many times that of ``of``.
    of : {"25 iterations", "its default", "5 iterations"}
        scikit-learn's run with that inertia; its start is random but for its default.
    faster : float
        At least this many times as fast as scikit-learn ...
    than : {"the same inertia", "its default run", "5 iterations"} or float
        ... to that point; a number is a multiple of the reference's inertia.
    peers_faster : float or None
        At least this many times as fast as the best other peer ...
    peers_to : float
        ... to this many times the reference's inertia.
    ladders, brief : dict of str to tuple of int
        Peers and iterations: all of them, and fewer for a campaign of 90 minutes.
    minutes, brief_minutes : float
        Rough duration on four cores, and brief on two.
    """

    data: str
    n_clusters: int
    quality: float
    of: str
    faster: float
    than: str | float
    peers_faster: float | None
    peers_to: float
    ladders: Ladders
    brief: Ladders
    minutes: float
    brief_minutes: float

    @property
    def key(self) -> str:
        """Name on the command line, such as ``P200-4096``."""
        return f"{self.data}-{self.n_clusters}"

    @property
    def rows(self) -> int:
        """Rows of the data."""
        return _ROWS[self.data]


_SAME, _LONG, _OWN = "the same inertia", "25 iterations", "its default"
_MIDDLE = _ladders(_USUAL)
TARGETS = (
    Target("U100", 10, 1.005, _OWN, 3, _SAME, 1, 1.01, _U100, _U100, 4, 2),
    Target("U100", 100, 1.005, _OWN, 5, _SAME, None, 1.01, _U100, _U100, 4, 3),
    Target(
        *("P200", 1024, 1.01, _OWN, 80, "its default run", 4, 1.01),
        *(_P200_SMALL, _BRIEF | {DEFAULT_PEER: ()}, 10, 7),
    ),
    Target("P200", 4096, 0.86, _LONG, 20, 1.01, 6, 1.01, _MIDDLE, _BRIEF, 20, 4),
    Target("P200", 16384, 0.66, _LONG, 15, 1.01, 8, 1.01, _ladders(_EARLY), _BRIEF, 35, 10),
    Target("P1M", 4096, 0.93, _LONG, 35, 1.01, 18, 1.01, _MIDDLE, _BRIEF, 35, 8),
    Target(
        *("P1M", 65536, 0.80, "5 iterations", 80, "5 iterations", None, 1.01),
        *(_FIVE, {OURS: (1, 2, 3, 5), REFERENCE_PEER: (1, 2)}, 12, 7),
    ),
    Target("G500", 4096, 1.00, _LONG, 20, 1.00, 1.7, 1.00, _ladders(_LATE), _BRIEF, 40, 9),
)


def choose_targets(rows: str | Sequence[str] | None = None) -> list[Target]:
    """Return cases by name; ``"U100"`` means all of its cases.

    Raises
    ------
    ValueError
        For an unknown name; the message lists the known ones.

    Examples
    --------
    >>> from annlab.benchmarks.campaign.targets import choose_targets
    >>> [target.key for target in choose_targets("U100,P200-1024")]
    ['U100-10', 'U100-100', 'P200-1024']
    """
    if rows is None:
        return list(TARGETS)
    names = rows.split(",") if isinstance(rows, str) else list(rows)
    for name in names:
        if not any(name in (target.key, target.data) for target in TARGETS):
            known = ", ".join(target.key for target in TARGETS)
            raise invalid("rows", f"one of {known}", repr(name))
    return [target for target in TARGETS if {target.key, target.data} & set(names)]

"""The cases that annlab's own figures are about, and what is to be reached in each.

A case is an ordinary comparison, run with ladders that are dense where its question is decided.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from annlab._support.errors import invalid
from annlab.benchmarks.campaign.measured import REFERENCE_PEER

#: Whose time counts: what a user gets who chooses nothing.
OURS = "annlab-auto"
DEFAULT_PEER = "sklearn-kmeans++"
#: A run that takes longer is ended.
RUN_LIMIT_S = 900.0
_ROWS = {"U100": 100_000, "P200": 200_000, "P1M": 1_000_000, "G500": 500_000}

#: Who is run, and the iterations to ask each for.
Ladders = dict[str, tuple[int, ...]]
_OUR_STEPS = (1, 2, 3, 5, 7, 10, 15, 25)
_SMALL = (1, 2, 3, 5, 7, 10, 15, 20, 25, 35, 50, 75, 100)
#: Where 1.01 × 25 iterations is reached, as a rule; fewer iterations at the largest k, more where
#: the whole of it must be.
_USUAL, _EARLY, _LATE = (5, 7, 10, 12, 15, 25), (2, 3, 4, 5, 7, 10, 25), (5, 10, 15, 20, 25, 30)
_PLAIN = (REFERENCE_PEER, "faiss", "faiss-super", "superkmeans-flat")


def _ladders(steps: tuple[int, ...], **more: tuple[int, ...]) -> Ladders:
    """Ladders of all strong peers, with some steps for plain iterations, and others by key."""
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
#: Of the larger cases unless all is to be run: the reference and the strongest other peer.
_BRIEF: Ladders = {REFERENCE_PEER: (10, 25), OURS: (1, 2, 3, 5, 10), "superkmeans-tree": (2, 5, 10)}


@dataclass(frozen=True, eq=False)
class Target:
    """One case.

    Attributes
    ----------
    data : str
    n_clusters : int
    quality : float
        annlab's inertia must be at most so many times that of ``of``.
    of : {"random-25", "default", "5 iterations"}
        Whose inertia: the reference's; scikit-learn's default run; 5 random-start iterations.
    faster : float
        At least so many times as fast as scikit-learn ...
    than : {"same point", "default", "5 iterations"} or float
        ... to the same inertia (the better of both starts), for its whole default run, for five
        iterations, or to so many times the reference's inertia.
    peers_faster : float or None
        At least so many times as fast as the best other peer ...
    peers_to : float
        ... to so many times the reference's inertia.
    ladders : dict of str to tuple of int
        Who is run, and the iterations to ask each for.
    brief : dict of str to tuple of int
        The same where 90 minutes must do for all cases.
    minutes, brief_minutes : float
        What the case takes, roughly, on four cores; and brief, on two.
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
        """Rows of the data at full size."""
        return _ROWS[self.data]


_MIDDLE = _ladders(_USUAL)
TARGETS = (
    Target("U100", 10, 1.005, "default", 10, "same point", None, 1.01, _U100, _U100, 4, 2),
    Target("U100", 100, 1.005, "default", 5, "same point", None, 1.01, _U100, _U100, 4, 3),
    Target(
        *("P200", 1024, 1.01, "default", 80, "default", 4, 1.01, _P200_SMALL),
        *(_BRIEF | {DEFAULT_PEER: ()}, 10, 7),
    ),
    Target("P200", 4096, 0.86, "random-25", 20, 1.01, 4.5, 1.01, _MIDDLE, _BRIEF, 20, 4),
    Target("P200", 16384, 0.66, "random-25", 15, 1.01, 5.5, 1.01, _ladders(_EARLY), _BRIEF, 35, 10),
    Target("P1M", 4096, 0.93, "random-25", 35, 1.01, 15, 1.01, _MIDDLE, _BRIEF, 35, 8),
    Target(
        *("P1M", 65536, 0.80, "5 iterations", 80, "5 iterations", None, 1.01, _FIVE),
        *({OURS: (1, 2, 3, 5), REFERENCE_PEER: (1, 2)}, 12, 7),
    ),
    Target("G500", 4096, 1.00, "random-25", 20, 1.00, 2, 1.00, _ladders(_LATE), _BRIEF, 40, 9),
)


def choose_targets(rows: str | Sequence[str] | None = None) -> list[Target]:
    """Return cases by name; ``"U100"`` stands for all of its cases.

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
            raise invalid("rows", f"among {known}", repr(name))
    return [target for target in TARGETS if {target.key, target.data} & set(names)]

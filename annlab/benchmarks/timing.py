"""A duration that is a float, as in the slide deck, with measurement facts."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np

#: Facts that the repr shows, with their formats.
_SHOWN = {
    "build_s": "build {:.3g} s",
    "query_s": "queries {:.3g} s",
    "queries_per_s": "{:,.0f} queries/s",
    "recall": "recall {:.3f}",
    "contrast": "contrast {:.3g}",
    "inertia": "inertia {:.6g}",
    "n_iter": "{} iterations",
    "algorithm": "{}",
}


class Seconds(float):
    """Seconds that carry what was measured with them.

    A plain float in computations and formats; ``print`` and the repr also show the facts.

    Parameters
    ----------
    value : float
    **facts
        Become attributes, such as ``inertia`` and ``n_iter``; all of them are in ``facts``.

    Attributes
    ----------
    facts : dict
    machine : dict
        `annlab.benchmarks.machine_record` at the time of the measurement.

    Examples
    --------
    >>> from annlab.benchmarks import Seconds
    >>> slow, fast = Seconds(1.5, inertia=10.0, n_iter=7), Seconds(0.5)
    >>> slow / fast, f"{slow:.2f}", slow.n_iter
    (3.0, '1.50', 7)
    >>> slow
    1.5 s (inertia 10, 7 iterations)
    """

    facts: dict[str, Any]

    def __new__(cls, value: float, **facts: Any) -> Seconds:
        self = super().__new__(cls, value)
        if "machine" not in facts:
            from annlab.benchmarks.machine import machine_record

            facts["machine"] = machine_record()
        self.facts = facts
        return self

    def __getattr__(self, name: str) -> Any:
        if name == "facts":  # they are missing during unpickling
            raise AttributeError(name)
        try:
            return self.facts[name]
        except KeyError:
            raise AttributeError(
                f"these seconds carry {', '.join(self.facts)}, not {name!r}"
            ) from None

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self.facts})

    def __repr__(self) -> str:
        shown = [
            text.format(self.facts[name])
            for name, text in _SHOWN.items()
            if self.facts.get(name) is not None
        ]
        return f"{float(self):.4g} s" + (f" ({', '.join(shown)})" if shown else "")


def timed(action: Callable[[], Any], repeats: int = 1) -> tuple[float, tuple[float, ...], Any]:
    """Run ``action``; return median seconds, all seconds, and the last answer."""
    times = []
    answer = None
    for _ in range(repeats):
        begin = perf_counter()
        answer = action()
        times.append(perf_counter() - begin)
    return float(np.median(times)), tuple(times), answer

"""The parameters of a fit, checked in one place."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from annlab._support.checks import check_choice, check_integer, check_real
from annlab._support.errors import invalid
from annlab._support.types import Seed
from annlab.fit.searches import Index
from annlab.result import Step
from annlab.rows.base import hash_rows

Callback = Callable[[Step], Any]
#: A start: its name, a function ``init(X, n_clusters, random_state=...)``, or the centroids.
Init: TypeAlias = "str | Callable[..., ArrayLike] | ArrayLike"
#: Settings that change no label: a checkpoint may be resumed with other values.
_WITHOUT_EFFECT = ("n_jobs", "callback", "progress", "checkpoint")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The parameters of `annlab.kmeans_ann`, which describes them."""

    n_clusters: int
    max_iter: int = 100
    algorithm: str | Index = "auto"
    algorithm_params: dict[str, Any] | None = None
    init: Init = "k-means++"
    n_init: int = 1
    tol: float = 1e-4
    metric: str = "euclidean"
    sample_weight: Any = None
    random_state: Seed = None
    n_jobs: int | None = None
    trace: bool = False
    callback: Callback | None = None
    progress: bool = False
    final_assignment: str = "auto"
    checkpoint: str | os.PathLike[str] | None = None

    def checked(self) -> Settings:
        """Return the same settings in plain types; raise TypeError or ValueError."""
        check_choice(self.metric, "metric", ("euclidean", "cosine"))
        check_choice(self.final_assignment, "final_assignment", ("auto", "exact", "algorithm"))
        callback, params = self.callback, self.algorithm_params
        if callback is not None and not callable(callback):
            raise invalid(
                "callback", "None or a function of one Step", repr(callback), error=TypeError
            )
        if params is not None and not isinstance(params, dict):
            raise invalid("algorithm_params", "None or a dict", repr(params), error=TypeError)
        n_init = check_integer(self.n_init, "n_init")
        is_drawn = isinstance(self.init, str) or callable(self.init)
        return replace(
            self,
            n_clusters=check_integer(self.n_clusters, "n_clusters"),
            max_iter=check_integer(self.max_iter, "max_iter"),
            # an array is one start
            n_init=n_init if is_drawn else 1,
            tol=check_real(self.tol, "tol"),
        )

    def words(self) -> dict[str, str]:
        """Describe the parameters that determine the result."""
        names = [field.name for field in fields(self) if field.name not in _WITHOUT_EFFECT]
        return {name: describe(getattr(self, name)) for name in names}


def describe(value: object) -> str:
    """Describe a parameter by a text that is the same in every process.

    An array by its digest, a function by its name, an object by its class and parameters.
    """
    # first, because a float64 is a float with another repr
    if isinstance(value, np.generic):
        return repr(value.item())
    if value is None or isinstance(value, (str, bool, int, float)):
        return repr(value)
    if isinstance(value, dict):
        items = sorted((str(name), describe(entry)) for name, entry in value.items())
        return "{" + ", ".join(f"{name}: {entry}" for name, entry in items) + "}"
    if isinstance(value, np.random.RandomState | np.random.Generator):
        return type(value).__name__
    if callable(value) and hasattr(value, "__qualname__"):
        return f"the function {value.__module__}.{value.__qualname__}"
    if hasattr(value, "get_params"):
        return f"{type(value).__name__} with {describe(value.get_params(deep=False))}"
    try:
        array = np.asarray(value)
        if array.dtype.kind in "biuf":
            return f"an array of shape {array.shape} with digest {hash_rows(array).hex()}"
    except (TypeError, ValueError):
        pass
    return f"an object of class {type(value).__qualname__}"

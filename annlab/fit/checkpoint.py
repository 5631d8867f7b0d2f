"""The last state of a fit in a file, from which a killed fit can be resumed.

A checkpoint holds the last `State` and that of the best earlier start, which decide the rest of the
fit: a resumed fit gives the same bits as an uninterrupted one. It is an ``.npz`` file of plain
numbers, written beside the old one and moved into place. Nothing in it is executed, and every value
is checked.
"""

from __future__ import annotations

import glob
import json
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np

from annlab._support.errors import AnnlabWarning, invalid
from annlab._support.reading import read_npz, write_npz
from annlab._version import __version__
from annlab.fit.choose import OWN_START, available_algorithms
from annlab.fit.settings import Settings
from annlab.fit.states import State
from annlab.result import check_labels, pack_steps, unpack_steps

_FORMAT = 2
_REMEDY = "Give this fit a file of its own, or delete that one."
_STATE_ARRAYS = ("centroids", "labels", "at", "known", "outliers")
_STATE_FACTS = {"story": str, "reason": str, "uncounted": int}


@dataclass(frozen=True, eq=False)
class Progress:
    """Content of a checkpoint.

    Attributes
    ----------
    algorithm, why : str
        What ``algorithm="auto"`` chose.
    shift : ndarray of shape (d,), float64, or None
        Of the working coordinates.
    tol_sq : float
    rng_begin, rng_now : RandomState
        Before the first draw of the fit, and after the last. Generators derived from a seed and the
        number of the start would not have to be stored, but would change the labels that each
        ``random_state`` gives.
    turn : int
        Which of the ``n_init`` starts ``state`` belongs to, from 0.
    state : State
        The last one.
    best : State or None
        The last state of the best earlier start.
    best_cost : float
    elapsed_s : float
    """

    algorithm: str
    why: str
    shift: np.ndarray | None
    tol_sq: float
    rng_begin: np.random.RandomState
    rng_now: np.random.RandomState
    turn: int
    state: State
    best: State | None
    best_cost: float
    elapsed_s: float


_FACTS = {
    "algorithm": str,
    "why": str,
    "tol_sq": float,
    "turn": int,
    "best_cost": float,
    "elapsed_s": float,
}


def copied(rng: np.random.RandomState) -> np.random.RandomState:
    """Return a generator in the same state.

    Raises
    ------
    ValueError
        If it is not over NumPy's own bit generator for RandomState.
    """
    state = rng.get_state(legacy=False)
    if not isinstance(state, dict) or state["bit_generator"] != "MT19937":
        raise invalid(
            "random_state",
            "None, an integer, a Generator or a RandomState over MT19937 with checkpoint",
            rng,
            "Use random_state=0.",
        )
    twin = np.random.RandomState()
    twin.set_state(state)
    return twin


class Checkpoint:
    """A file, and the fit that it belongs to.

    Parameters
    ----------
    path : path-like
        ``.npz`` is appended if it is missing.

    Attributes
    ----------
    fit : dict of str to str
        Data and parameters of the fit, in words.

    Raises
    ------
    TypeError
        If it is not a path.
    ValueError
        If it is a folder, or in a folder that does not exist.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        if not isinstance(path, (str, os.PathLike)) or not str(path):
            raise invalid("checkpoint", "None or a path", repr(path), error=TypeError)
        target = Path(path)
        if "\0" in str(target) or not target.name:
            raise invalid("checkpoint", "None or a path to a file", repr(str(target)))
        if target.suffix != ".npz":
            target = target.with_name(target.name + ".npz")
        if not target.parent.is_dir():
            raise invalid(
                "checkpoint", "a file in a folder that exists", target, "Make the folder first."
            )
        if target.is_dir():
            raise invalid("checkpoint", "a file", f"the folder {target}")
        self.path = target
        self.fit: dict[str, str] = {}
        self._warned = False

    def save(self, progress: Progress) -> None:
        """Write the file again, whole or not at all; a failure warns once."""
        arrays = {
            "rng_begin": _numbers_of(progress.rng_begin),
            "rng_now": _numbers_of(progress.rng_now),
        }
        if progress.shift is not None:
            arrays["shift"] = progress.shift
        facts: dict[str, Any] = {name: getattr(progress, name) for name in _FACTS}
        facts |= {"format": _FORMAT, "kind": "checkpoint"}
        facts["fit"] = self.fit | {"version of annlab": __version__}
        facts["state"] = _pack(progress.state, arrays, "state")
        best = progress.best
        facts["best"] = None if best is None else _pack(best, arrays, "best")
        arrays["facts"] = np.frombuffer(json.dumps(facts).encode(), dtype=np.uint8)
        try:
            write_npz(self.path, arrays)
        except OSError as reason:
            if not self._warned:
                self._warned = True
                older = " The file holds an earlier iteration." if self.path.exists() else ""
                warnings.warn(
                    f"The checkpoint {self.path.name} could not be written ({reason}); the fit "
                    f"goes on without it.{older} Free some space: every iteration tries again.",
                    AnnlabWarning,
                    stacklevel=6,
                )

    def load(self, settings: Settings, n: int, d: int) -> Progress | None:
        """Read the file; return None if it does not exist.

        Raises
        ------
        ValueError
            If the file is damaged, not a checkpoint, or that of another fit.
        """
        if not self.path.exists():
            return None
        k, steps = settings.n_clusters, 2 * settings.max_iter
        # labels, layouts and centroids of two states and of their traces
        most = (1 << 22) + (64 * n + 100 * k * d) * (2 + steps * settings.trace) + 1024 * steps
        known = available_algorithms()[1:]
        if not isinstance(settings.algorithm, str):
            known = (type(settings.algorithm).__name__,)
        with self._refusing_damage():
            arrays = read_npz(self.path, max_bytes=most)
            facts = json.loads(arrays.pop("facts").tobytes().decode())
            if facts["kind"] != "checkpoint" or facts["format"] != _FORMAT:
                raise ValueError("another kind of file")
            fit = facts["fit"]
            if not all(isinstance(text, str) for text in fit.values()):
                raise ValueError("parameters that are not text")
        self._compare(fit)
        with self._refusing_damage():
            plain = _checked({name: facts[name] for name in _FACTS}, _FACTS)
            if not 0 <= plain["turn"] < settings.n_init or plain["algorithm"] not in known:
                raise ValueError("a start or an algorithm that does not exist")
            shift = arrays.get("shift")
            if shift is not None and (shift.shape != (d,) or shift.dtype != np.float64):
                raise ValueError("a shift of the wrong shape")
            own = OWN_START.get(plain["algorithm"])
            memory_type = None if own is None else own.memory_type
            size, best = (n, d, k), facts["best"]
            return Progress(
                **plain,
                shift=shift,
                rng_begin=_generator_of(arrays["rng_begin"]),
                rng_now=_generator_of(arrays["rng_now"]),
                state=_unpack(facts["state"], arrays, "state", size, memory_type),
                best=None if best is None else _unpack(best, arrays, "best", size, memory_type),
            )

    def _compare(self, before: dict[str, str]) -> None:
        """Raise ValueError unless the file is of the same fit."""
        now = self.fit | {"version of annlab": __version__}
        for name in dict.fromkeys([*now, *before]):
            one, other = before.get(name, "nothing"), now.get(name, "nothing")
            if one != other:
                raise invalid(
                    "checkpoint",
                    "of the same data and parameters",
                    f"{self.path.name}, where {name} was {one[:32]} and now is {other[:32]}",
                    _REMEDY,
                )

    @contextmanager
    def _refusing_damage(self) -> Iterator[None]:
        """Turn errors in the content into one that names the file."""
        try:
            yield
        except (
            KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError
        ) as reason:  # fmt: skip
            raise invalid(
                "checkpoint",
                "an undamaged file that a fit wrote as its checkpoint",
                f"{self.path.name} ({reason})",
                _REMEDY,
            ) from reason

    def remove(self) -> None:
        """Delete the file, and temporary files that killed processes may have left."""
        pattern = f".{glob.escape(self.path.name)}.{'?' * 16}"
        for path in (self.path, *self.path.parent.glob(pattern)):
            try:
                path.unlink(missing_ok=True)
            except OSError:
                # an unused file does no harm
                continue


def _pack(state: State, arrays: dict[str, np.ndarray], prefix: str) -> dict[str, Any]:
    """Add the arrays of a state to ``arrays``; return the rest, ready for JSON."""
    for name in _STATE_ARRAYS:
        array = getattr(state, name)
        if array is not None and not (name == "known" and array is state.labels):
            arrays[f"{prefix}_{name}"] = array
    facts: dict[str, Any] = {name: getattr(state, name) for name in _STATE_FACTS}
    facts["steps"] = pack_steps(state.steps, arrays, f"{prefix}_step")
    facts["memory"] = {}
    for name, value in ({} if state.memory is None else state.memory._asdict()).items():
        if isinstance(value, np.ndarray):
            arrays[f"{prefix}_memory_{name}"] = value
        else:
            facts["memory"][name] = value
    return facts


def _unpack(
    facts: dict[str, Any],
    arrays: dict[str, np.ndarray],
    prefix: str,
    size: tuple[int, int, int],
    memory_type: Any,
) -> State:
    """Return and check the state that `_pack` packed; ``size`` is (n, d, k)."""
    n, d, k = size
    own: dict[str, Any] = {name: arrays.get(f"{prefix}_{name}") for name in _STATE_ARRAYS}
    if own["known"] is None:
        own["known"] = own["labels"]
    for name in ("centroids", "at"):
        if own[name].shape != (k, d) or own[name].dtype not in (np.float32, np.float64):
            raise ValueError("centroids of the wrong shape")
        if not np.isfinite(own[name]).all():
            raise ValueError("centroids that are not finite")
    for name in ("labels", "known"):
        check_labels(own[name], (n,), k, lowest=0)
    outliers = own["outliers"]
    if outliers is not None and (outliers.shape != (n,) or outliers.dtype != bool):
        raise ValueError("outliers of the wrong shape")
    # the steps of a trace are in the caller's type, which need not be the working one
    steps = unpack_steps(facts["steps"], arrays, f"{prefix}_step", (n,), (k, d), None)
    if not steps or any(step.iteration != i for i, step in enumerate(steps, start=1)):
        raise ValueError("steps that are not consecutive")
    plain = _checked({name: facts[name] for name in _STATE_FACTS}, _STATE_FACTS)
    memory = _unpack_memory(facts["memory"], arrays, f"{prefix}_memory", memory_type)
    if memory is not None:
        memory.check(n, k, d)
    return State(**own, **plain, steps=tuple(steps), memory=memory)


def _unpack_memory(
    facts: dict[str, Any], arrays: dict[str, np.ndarray], prefix: str, memory_type: Any
) -> Any:
    """Return an instance of ``memory_type``; None if there is no such type."""
    if memory_type is None:
        if facts:
            raise ValueError("a memory for an algorithm without one")
        return None
    values = {}
    for name, kind in get_type_hints(memory_type).items():
        values[name] = arrays.get(f"{prefix}_{name}")
        if values[name] is None:
            values |= _checked({name: facts.get(name)}, {name: kind})
        elif kind != np.ndarray | None:
            raise ValueError(f"{name} is an array")
    return memory_type(**values)


def _checked(facts: dict[str, Any], kinds: dict[str, Any]) -> dict[str, Any]:
    """Return the values; raise ValueError unless each has its type."""
    for name, kind in kinds.items():
        value = facts[name]
        allowed = kind | int if kind is float else kind
        # to isinstance True is an integer
        if not isinstance(value, allowed) or (type(value) is bool and kind in (int, float)):
            raise ValueError(f"{name} is {type(value).__name__}")
    return facts


def _numbers_of(rng: np.random.RandomState) -> np.ndarray:
    """Return the state of a generator as 627 numbers, exact in float64."""
    whole: Any = rng.get_state(legacy=False)
    inner = whole["state"]
    return np.array([*inner["key"], inner["pos"], whole["has_gauss"], whole["gauss"]], np.float64)


def _generator_of(numbers: np.ndarray) -> np.random.RandomState:
    """Return the generator that `_numbers_of` describes."""
    if numbers.shape != (627,) or numbers.dtype != np.float64 or not np.isfinite(numbers).all():
        raise ValueError("not a state of random numbers")
    key, pos = numbers[:624], int(numbers[624])
    if not 0 <= pos <= 624 or key.min() < 0 or key.max() >= 2**32:
        raise ValueError("not a state of random numbers")
    rng = np.random.RandomState()
    gauss = (int(numbers[625] != 0), float(numbers[626]))
    rng.set_state(("MT19937", key.astype(np.uint32), pos, *gauss))
    return rng

"""The last state of a fit in a file, so that a killed fit can go on.

A checkpoint holds the last `State` and the best one of the earlier starts, which is all that
decides the rest of the fit: a fit that goes on from it gives the very bits of one that was never
interrupted. It is an ``.npz`` file of plain numbers, written beside the old one and moved into
its place. Nothing in it is ever executed, and nothing in it is believed before it is checked.
"""

from __future__ import annotations

import glob
import json
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np

from annlab._support.errors import AnnlabWarning, invalid
from annlab._version import __version__
from annlab.fit.states import State
from annlab.result import check_labels, pack_steps, read_npz, unpack_steps, write_npz

_FORMAT = 2
_REMEDY = "Give this fit a file of its own, or delete that one."
_STATE_ARRAYS = ("centroids", "labels", "at", "known", "outliers")
_WRONG = (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError)


@dataclass(frozen=True, eq=False)
class Progress:
    """How far a fit has come: the content of a checkpoint.

    Attributes
    ----------
    algorithm, why : str
        What ``algorithm="auto"`` chose.
    shift : ndarray of shape (d,), float64, or None
        Of the working coordinates.
    tol_sq : float
    rng_begin, rng_now : RandomState
        As they were before the first draw of the fit, and after the last.
    turn : int
        Which one of the ``n_init`` starts ``state`` is, from 0.
    state : State
        The last one.
    best : State or None
        The last state of the best one of the earlier starts.
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


def twin_of(rng: np.random.RandomState) -> np.random.RandomState:
    """A generator in the same state.

    Raises
    ------
    ValueError
        For a RandomState over another bit generator than NumPy's own for it.
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

    Raises
    ------
    TypeError
        If it is not a path.
    ValueError
        If it is a folder, or in a folder that does not exist.
    """

    def __init__(self, path: Any) -> None:
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

    def bind(self, fit: dict[str, str]) -> None:
        """Say which fit the file is for: its data and parameters, in words."""
        self.fit = {**fit, "version of annlab": __version__}

    def save(self, progress: Progress) -> None:
        """Write the file again, whole or not at all; if that fails, warn once and go on."""
        arrays = {
            "rng_begin": _numbers_of(progress.rng_begin),
            "rng_now": _numbers_of(progress.rng_now),
        }
        if progress.shift is not None:
            arrays["shift"] = progress.shift
        facts: dict[str, Any] = {name: getattr(progress, name) for name in _FACTS}
        facts |= {"format": _FORMAT, "kind": "checkpoint", "fit": self.fit}
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

    def load(self, n: int, d: int, k: int, n_init: int, most_bytes: int) -> _File | None:
        """Read the file; None if there is none.

        Parameters
        ----------
        n, d, k, n_init : int
            Of the fit.
        most_bytes : int
            Refuse a file whose content would take more memory.

        Raises
        ------
        ValueError
            If the file is damaged, not a checkpoint, or that of another fit.
        """
        if not self.path.exists():
            return None
        with self.refusing_damage():
            arrays = read_npz(self.path, max_bytes=most_bytes)
            facts = json.loads(arrays.pop("facts").tobytes().decode())
            if facts["kind"] != "checkpoint" or facts["format"] != _FORMAT:
                raise ValueError("another kind of file")
            fit = facts["fit"]
            if not all(isinstance(text, str) for text in fit.values()):
                raise ValueError("parameters that are not text")
        for name in dict.fromkeys([*self.fit, *fit]):
            before, now = fit.get(name, "nothing"), self.fit.get(name, "nothing")
            if before != now:
                raise invalid(
                    "checkpoint",
                    "of the same data and parameters",
                    f"{self.path.name}, where {name} was {before[:32]} and now is {now[:32]}",
                    _REMEDY,
                )
        with self.refusing_damage():
            _check_facts({name: facts[name] for name in _FACTS}, _FACTS)
            if not 0 <= facts["turn"] < n_init or facts["algorithm"] == "auto":
                raise ValueError("a start or an algorithm that does not exist")
            shift = arrays.get("shift")
            if shift is not None and (shift.shape != (d,) or shift.dtype != np.float64):
                raise ValueError("a shift of another shape")
            generators = {name: _generator_of(arrays[name]) for name in ("rng_begin", "rng_now")}
        return _File(self, facts, arrays, generators, (n, d, k))

    def refusing_damage(self) -> _Refusing:
        """A context in which content that fits no fit becomes an error that names the file."""
        return _Refusing(self.path)

    def remove(self) -> None:
        """Delete the file, and what killed processes may have left of files beside it."""
        pattern = f".{glob.escape(self.path.name)}.{'?' * 16}"
        for path in (self.path, *self.path.parent.glob(pattern)):
            try:
                path.unlink(missing_ok=True)
            except OSError:
                # it is of no use any more, and does no harm
                continue


class _Refusing:
    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, reason: Any, traceback: Any) -> None:
        if isinstance(reason, _WRONG):
            raise invalid(
                "checkpoint",
                "an undamaged file that a fit wrote as its checkpoint",
                f"{self._path.name} ({reason})",
                _REMEDY,
            ) from reason


@dataclass(frozen=True, eq=False)
class _File:
    """A file that belongs to this fit; its states are still to be checked."""

    keeper: Checkpoint
    facts: dict[str, Any]
    arrays: dict[str, np.ndarray]
    generators: dict[str, np.random.RandomState]
    size: tuple[int, int, int]

    def named_algorithm(self, known: tuple[str, ...]) -> str:
        """The algorithm that was chosen, if there is one of that name."""
        name: str = self.facts["algorithm"]
        with self.keeper.refusing_damage():
            if name not in known:
                raise ValueError("an algorithm that does not exist")
        return name

    def progress(self, memory_type: Any) -> Progress:
        """The content, if the algorithm remembers things of that type.

        Raises
        ------
        ValueError
        """
        best = self.facts["best"]
        with self.keeper.refusing_damage():
            plain: dict[str, Any] = {name: self.facts[name] for name in _FACTS}
            return Progress(
                **(plain | self.generators),
                shift=self.arrays.get("shift"),
                state=self._state(self.facts["state"], "state", memory_type),
                best=None if best is None else self._state(best, "best", memory_type),
            )
        raise AssertionError("refused above")

    def _state(self, facts: dict[str, Any], prefix: str, memory_type: Any) -> State:
        n, d, k = self.size
        arrays: dict[str, Any] = {
            name: self.arrays.get(f"{prefix}_{name}") for name in _STATE_ARRAYS
        }
        labels, outliers = arrays["labels"], arrays["outliers"]
        if arrays["known"] is None:
            arrays["known"] = labels
        for name in ("centroids", "at"):
            table = arrays[name]
            if table.shape != (k, d) or table.dtype not in (np.float32, np.float64):
                raise ValueError("centroids of another shape")
            if not np.isfinite(table).all():
                raise ValueError("centroids that are not finite")
        for name in ("labels", "known"):
            check_labels(arrays[name], (n,), k, lowest=0)
        if outliers is not None and (outliers.shape != (n,) or outliers.dtype != bool):
            raise ValueError("outliers of another shape")
        # the steps of a trace are in the caller's type, which need not be the working one
        steps = unpack_steps(facts["steps"], self.arrays, f"{prefix}_step", (n,), (k, d), None)
        if not steps or any(step.iteration != i for i, step in enumerate(steps, start=1)):
            raise ValueError("steps that do not follow each other")
        words = {"story": str, "reason": str, "uncounted": int}
        plain: dict[str, Any] = {name: facts[name] for name in words}
        _check_facts(plain, words)
        memory = _unpack_memory(facts["memory"], self.arrays, f"{prefix}_memory", memory_type)
        if memory is not None:
            memory.check(n, k, d)
        return State(**arrays, **plain, steps=tuple(steps), memory=memory)


def _pack(state: State, arrays: dict[str, np.ndarray], prefix: str) -> dict[str, Any]:
    """Put the arrays of a state among ``arrays``; return the rest, ready for JSON."""
    for name in _STATE_ARRAYS:
        array = getattr(state, name)
        if array is not None and not (name == "known" and array is state.labels):
            arrays[f"{prefix}_{name}"] = array
    facts: dict[str, Any] = {name: getattr(state, name) for name in ("story", "reason")}
    facts["uncounted"] = state.uncounted
    facts["steps"] = pack_steps(state.steps, arrays, f"{prefix}_step")
    facts["memory"] = {}
    for name, value in ({} if state.memory is None else state.memory._asdict()).items():
        if isinstance(value, np.ndarray):
            arrays[f"{prefix}_memory_{name}"] = value
        else:
            facts["memory"][name] = value
    return facts


def _unpack_memory(
    facts: dict[str, Any], arrays: dict[str, np.ndarray], prefix: str, memory_type: Any
) -> Any:
    """What an algorithm remembers, as the type says; None if it remembers nothing."""
    if memory_type is None:
        if facts:
            raise ValueError("a memory where there is nothing to remember")
        return None
    values = {}
    for name, kind in get_type_hints(memory_type).items():
        array = arrays.get(f"{prefix}_{name}")
        values[name] = facts.get(name) if array is None else array
        if array is None:
            _check_facts({name: values[name]}, {name: kind})
        elif kind != np.ndarray | None:
            raise ValueError(f"{name} is an array")
    return memory_type(**values)


def _check_facts(facts: dict[str, Any], kinds: dict[str, Any]) -> None:
    """Raise ValueError unless each value has its type."""
    for name, kind in kinds.items():
        value = facts[name]
        allowed = kind | int if kind is float else kind
        # to isinstance True is an integer
        if not isinstance(value, allowed) or (type(value) is bool and kind in (int, float)):
            raise ValueError(f"{name} is {type(value).__name__}")


def _numbers_of(rng: np.random.RandomState) -> np.ndarray:
    """The state of a generator as 627 numbers, which float64 holds exactly."""
    whole: Any = rng.get_state(legacy=False)
    inner = whole["state"]
    return np.array([*inner["key"], inner["pos"], whole["has_gauss"], whole["gauss"]], np.float64)


def _generator_of(numbers: np.ndarray) -> np.random.RandomState:
    """The generator that `_numbers_of` describes."""
    if numbers.shape != (627,) or numbers.dtype != np.float64 or not np.isfinite(numbers).all():
        raise ValueError("not a state of random numbers")
    key, pos = numbers[:624], int(numbers[624])
    if not 0 <= pos <= 624 or key.min() < 0 or key.max() >= 2**32:
        raise ValueError("not a state of random numbers")
    rng = np.random.RandomState()
    gauss = (int(numbers[625] != 0), float(numbers[626]))
    rng.set_state(("MT19937", key.astype(np.uint32), pos, *gauss))
    return rng

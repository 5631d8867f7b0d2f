"""What a fit leaves on disk after each iteration, so that a killed one can go on.

A checkpoint holds all that decides the rest of the fit: where the loop stands, what the assigner
remembers, the state of the random numbers, the earlier ones of several starts. A fit that goes on
from it gives the very bits of one that was never interrupted. It is an ``.npz`` file of plain
numbers, written beside the old one and moved into its place; nothing in it is ever executed.
"""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from annlab._support.checks import is_sparse
from annlab._support.errors import AnnlabWarning, invalid
from annlab._version import __version__
from annlab.result import Step, check_labels, pack_steps, read_npz, unpack_steps, write_npz

_FORMAT = 1
_REMEDY = "Give this fit a file of its own, or delete that one."
#: Bytes of data that one task hashes.
_HASHED_BYTES = 1 << 24


@dataclass(frozen=True, eq=False)
class Run:
    """One start of a fit, as far as it has come; arrays in working coordinates.

    Attributes
    ----------
    centroids : ndarray of shape (k, d)
        Where the next iteration begins.
    done : int
        Iterations that are through.
    steps : list of Step
        The first ``done`` of them count.
    labels : ndarray of shape (n,), int32, or None
        Of the last iteration.
    at : ndarray of shape (k, d), or None
        The centroids that ``labels`` belong to.
    known : ndarray of shape (n,), int32, or None
        The labels that the next assignment starts from.
    outliers : ndarray of shape (n,), bool, or None
    reason : str
        Why the loop ended; empty where it goes on.
    """

    centroids: np.ndarray
    done: int = 0
    steps: list[Step] = field(default_factory=list)
    labels: np.ndarray | None = None
    at: np.ndarray | None = None
    known: np.ndarray | None = None
    outliers: np.ndarray | None = None
    reason: str = ""


@dataclass(eq=False)
class Saved:
    """The content of a checkpoint.

    Attributes
    ----------
    algorithm, why : str
        What ``algorithm="auto"`` chose, which depends on what was compiled at that moment.
    compiled : bool or None
        Whether compiled loops were used; None where there are none.
    shift : ndarray of shape (d,), float64, or None
        Of the working coordinates.
    tol_sq : float
    rng_begin, rng_now : RandomState
        As they were before the first draw of the fit, and after the last.
    turn : int
        Which one of the ``n_init`` starts ``run`` is, from 0.
    run : Run
    assigner : dict
        What the assigner remembers.
    best : Run or None
        The best one of the starts before.
    best_cost : float
    elapsed_s : float
    """

    algorithm: str
    why: str
    compiled: bool | None
    shift: np.ndarray | None
    tol_sq: float
    rng_begin: np.random.RandomState
    rng_now: np.random.RandomState
    turn: int
    run: Run
    assigner: dict[str, Any]
    best: Run | None
    best_cost: float
    elapsed_s: float


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


def hash_rows(rows: Any) -> bytes:
    """Digest of some rows: of their values, whatever their layout."""
    digest = hashlib.blake2b(digest_size=16)
    if is_sparse(rows):
        for part in (rows.indptr.astype(np.int64), rows.indices.astype(np.int64), rows.data):
            digest.update(part.tobytes())
    else:
        digest.update(rows.tobytes())
    return digest.digest()


def data_digest(X: Any, map_: Any) -> str:
    """Digest of all data, in chunks.

    Parameters
    ----------
    X : ndarray or CSR of shape (n, d)
    map_ : callable
        ``map_(function, tasks)``, such as `Workers.map`.

    Notes
    -----
    One read of X, about 1 GB/s on each core.
    """
    width = max(1, X.nnz // X.shape[0]) if is_sparse(X) else X.shape[1]
    step = max(1, _HASHED_BYTES // (width * X.dtype.itemsize))
    starts = range(0, X.shape[0], step)
    parts = map_(hash_rows, [(X[start : start + step],) for start in starts])
    return join_digests(f"{X.shape} {X.dtype.str}", parts)


def join_digests(head: str, parts: Iterable[bytes]) -> str:
    """Digest of the digests of all parts, in order, and of what else there is to say."""
    whole = hashlib.blake2b(head.encode(), digest_size=16)
    for part in parts:
        whole.update(part)
    return whole.hexdigest()


def describe(value: Any) -> str:
    """A parameter in words that are the same in another process.

    Arrays by their digest, functions by their name; an object by its class and, where it has
    them, its parameters.
    """
    # first: a float64 is a float too, but in other words
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


class Checkpoint:
    """A file, and the fit that it belongs to.

    Parameters
    ----------
    path : path-like
        ``.npz`` is appended where it is missing.

    Raises
    ------
    TypeError
        If it is no path.
    ValueError
        If it is a folder, or lies in none.
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

    def save(self, saved: Saved) -> None:
        """Write the file anew, whole or not at all; where that fails, warn once and go on."""
        arrays: dict[str, np.ndarray] = {}
        facts: dict[str, Any] = {
            name: getattr(saved, name)
            for name in ("algorithm", "why", "compiled", "tol_sq", "turn", "best_cost", "elapsed_s")
        }
        facts |= {"format": _FORMAT, "kind": "checkpoint", "fit": self.fit}
        facts["run"] = _pack_run(saved.run, arrays, "run")
        facts["best"] = None if saved.best is None else _pack_run(saved.best, arrays, "best")
        facts["state"] = _pack_state(
            saved.assigner
            | {"rng_begin": saved.rng_begin, "rng_now": saved.rng_now, "shift": saved.shift},
            arrays,
        )
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
                    stacklevel=5,
                )

    def load(self, n: int, d: int, k: int, n_init: int, max_iter: int, trace: bool) -> Saved | None:
        """Read the file; None where there is none.

        Parameters
        ----------
        n, d, k, n_init, max_iter : int
            Of the fit.
        trace : bool
            Whether the steps come with arrays, so that the file may be large.

        Raises
        ------
        ValueError
            If the file is damaged, no checkpoint, or that of another fit.
        """
        if not self.path.exists():
            return None
        steps = 2 * max_iter
        most = (1 << 22) + (64 * n + 100 * k * d) * (2 + steps * bool(trace)) + 1024 * steps
        try:
            arrays = read_npz(self.path, max_bytes=most)
            facts = json.loads(arrays.pop("facts").tobytes().decode())
            if facts["kind"] != "checkpoint" or facts["format"] != _FORMAT:
                raise ValueError("another kind of file")
            fit = facts["fit"]
            if not all(isinstance(text, str) for text in fit.values()):
                raise ValueError("parameters that are no text")
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as reason:
            raise self._damaged(reason) from reason
        for name in dict.fromkeys([*self.fit, *fit]):
            before, now = fit.get(name, "nothing"), self.fit.get(name, "nothing")
            if before != now:
                raise invalid(
                    "checkpoint",
                    "of the same data and parameters",
                    f"{self.path.name}, where {name} was {before[:32]} and now is {now[:32]}",
                    _REMEDY,
                )
        try:
            state = _unpack_state(facts["state"], arrays)
            own = {name: state.pop(name) for name in ("rng_begin", "rng_now", "shift")}
            for name in ("rng_begin", "rng_now"):
                if not isinstance(own[name], np.random.RandomState):
                    raise ValueError(f"{name} is no state of random numbers")
            if own["shift"] is not None and (own["shift"].shape, own["shift"].dtype.kind) != (
                (d,),
                "f",
            ):
                raise ValueError("a shift of another shape")
            best = facts["best"]
            if not 0 <= facts["turn"] < n_init or facts["compiled"] not in (None, True, False):
                raise ValueError("a start that there is none of")
            if facts["algorithm"] == "auto":
                raise ValueError("an algorithm that is none")
            for name, kind in (("algorithm", str), ("why", str), ("turn", int)):
                if type(facts[name]) is not kind:
                    raise ValueError(f"{name} is {type(facts[name]).__name__}")
            for name in ("tol_sq", "best_cost", "elapsed_s"):
                facts[name] = float(facts[name])
            return Saved(
                **{
                    name: facts[name]
                    for name in (
                        "algorithm", "why", "compiled", "tol_sq", "turn", "best_cost", "elapsed_s",
                    )
                },
                **own,
                run=_unpack_run(facts["run"], arrays, "run", n, d, k),
                best=None if best is None else _unpack_run(best, arrays, "best", n, d, k),
                assigner=state,
            )  # fmt: skip
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as reason:
            raise self._damaged(reason) from reason

    def damaged(self, reason: Exception) -> Exception:
        """The error for content that fits no fit."""
        return self._damaged(reason)

    def _damaged(self, reason: Exception) -> Exception:
        return invalid(
            "checkpoint",
            "an undamaged file that a fit wrote as its checkpoint",
            f"{self.path.name} ({reason})",
            _REMEDY,
        )

    def remove(self) -> None:
        """Delete the file, and what killed processes may have left of files beside it."""
        leftovers: Iterable[Path] = self.path.parent.glob(f".{_escaped(self.path.name)}.{'?' * 16}")
        for path in (self.path, *leftovers):
            try:
                path.unlink(missing_ok=True)
            except OSError:
                # it is of no use any more, and does no harm
                continue


def _escaped(name: str) -> str:
    import glob

    return glob.escape(name)


def _pack_run(run: Run, arrays: dict[str, np.ndarray], prefix: str) -> dict[str, Any]:
    for name in ("centroids", "labels", "at", "outliers"):
        array = getattr(run, name)
        if array is not None:
            arrays[f"{prefix}_{name}"] = array
    if run.known is not None and run.known is not run.labels:
        arrays[f"{prefix}_known"] = run.known
    steps = pack_steps(run.steps[: run.done], arrays, f"{prefix}_step")
    return {"done": run.done, "reason": run.reason, "steps": steps}


def _unpack_run(
    facts: dict[str, Any], arrays: dict[str, np.ndarray], prefix: str, n: int, d: int, k: int
) -> Run:
    centroids, at = arrays[f"{prefix}_centroids"], arrays[f"{prefix}_at"]
    labels = arrays[f"{prefix}_labels"]
    known = arrays.get(f"{prefix}_known", labels)
    outliers = arrays.get(f"{prefix}_outliers")
    for table in (centroids, at):
        if table.shape != (k, d) or table.dtype not in (np.float32, np.float64):
            raise ValueError("centroids of another shape")
        if not np.isfinite(table).all():
            raise ValueError("centroids that are not finite")
    for row in (labels, known):
        check_labels(row, (n,), k, lowest=0)
    if outliers is not None and (outliers.shape != (n,) or outliers.dtype != bool):
        raise ValueError("outliers of another shape")
    # the steps of a trace are in the caller's type, which need not be the working one
    steps = unpack_steps(facts["steps"], arrays, f"{prefix}_step", (n,), (k, d), None)
    done, reason = facts["done"], facts["reason"]
    if type(done) is not int or done != len(steps) or done < 1 or type(reason) is not str:
        raise ValueError("a number of steps that is not theirs")
    return Run(centroids, done, steps, labels, at, known, outliers, reason)


def _pack_state(state: dict[str, Any], arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    for name, value in state.items():
        if isinstance(value, np.random.RandomState):
            whole: Any = value.get_state(legacy=False)
            arrays[f"state_{name}"] = whole["state"]["key"]
            facts[name] = {
                "pos": int(whole["state"]["pos"]),
                "has_gauss": int(whole["has_gauss"]),
                "gauss": float(whole["gauss"]),
            }
        elif isinstance(value, np.ndarray):
            arrays[f"state_{name}"] = value
            facts[name] = "array"
        else:
            facts[name] = [value]
    return facts


def _unpack_state(facts: dict[str, Any], arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    state: dict[str, Any] = {}
    for name, value in facts.items():
        if isinstance(value, dict):
            key = arrays[f"state_{name}"]
            if key.shape != (624,) or key.dtype != np.uint32 or not 0 <= value["pos"] <= 624:
                raise ValueError("no state of random numbers")
            rng = np.random.RandomState()
            rng.set_state(("MT19937", key, value["pos"], value["has_gauss"], value["gauss"]))
            state[name] = rng
        elif value == "array":
            state[name] = arrays[f"state_{name}"]
        else:
            (state[name],) = value
    return state

"""Data of a check, and helpers that recognise common mistakes.

A check is a function ``check(case, answer)`` that raises `Wrong` if the answer is not right. It
names mistakes by their keys; the messages are in ``content/NN.toml``.
"""

from __future__ import annotations

import contextlib
import copy
import io
import itertools
import re
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from annlab.classroom._base import Exercise, Verdict, Wrong

#: A text that explains something has at least this many words.
MIN_WORDS = 8


class Recorder:
    """An object that is passed to the student's function and examined afterwards."""

    def __deepcopy__(self, memo: object) -> Recorder:
        # `Case.call` passes copies; this must remain the object that the check reads
        return self


class Case:
    """Data of a check, and helpers that recognise common mistakes.

    The hidden test of the grading has another ``seed``, and so other data. ``rng`` is a
    RandomState made from it.
    """

    def __init__(self, exercise: Exercise, hidden: bool = False) -> None:
        self.exercise = exercise
        self.hidden = hidden
        self.seed = 20_000 if hidden else 10_000
        self.rng = np.random.RandomState(self.seed)

    # -- messages ----------------------------------------------------------------------------------

    def message(self, key: str, **values: object) -> str:
        """Return what the exercise says of a mistake, with some values filled in."""
        text = self.exercise.messages[key]
        return text.format(**values) if values else text

    def wrong(self, key: str, **values: object) -> Wrong:
        """Return the exception for a mistake."""
        return Wrong(_kind_of(key), self.message(key, **values))

    # -- values ------------------------------------------------------------------------------------

    def array(self, answer: object, shape: tuple[int, ...] | None = None) -> np.ndarray:
        """Return a numeric array without NaN, of the given shape if there is one."""
        what = self.exercise.what
        answered(answer)
        if callable(answer):
            raise Wrong("wrong_type", f"{what} is a function; call it and use its result.")
        try:
            with silence():
                value = np.asarray(answer)
        except Exception as reason:
            raise Wrong("wrong_type", f"{what} is not an array of numbers: {reason}") from None
        if value.dtype.kind not in "biuf":
            kind = type(answer).__name__
            raise Wrong("wrong_type", f"{what} should consist of numbers; it is a {kind}.")
        if shape == () and value.size == 1:
            value = value.reshape(())
        if shape is not None and value.shape != shape:
            told = "a single number" if shape == () else f"shape {shape}"
            raise Wrong("wrong_shape", f"{what} should have {told}; it has shape {value.shape}.")
        if value.dtype.kind == "f" and np.isnan(value).any():
            raise Wrong(
                "nan",
                f"{what} holds NaN: somewhere zero is divided by zero. The mean of no rows is NaN, "
                "too: is something empty, such as a cluster?",
            )
        return value

    # -- functions ---------------------------------------------------------------------------------

    def call(self, function: Any, *arguments: object, **options: object) -> Any:
        """Call the student's function on copies of the arguments.

        Its output is discarded, because anything on stderr costs the points of a grade cell.
        """
        answered(function)
        if not callable(function):
            raise Wrong("wrong_type", f"Write a function; this is {_with_article(function)}.")
        given = copy.deepcopy((arguments, options))
        name = getattr(function, "__name__", "your function")
        try:
            with silence():
                result = function(*given[0], **given[1])
        except KeyboardInterrupt:
            raise
        except NotImplementedError:
            raise Wrong("unanswered", f"{name} is not written yet.") from None
        except BaseException as reason:
            said = f"{type(reason).__name__}: {reason}" if str(reason) else type(reason).__name__
            raise Wrong("raised", f"Your function {name} raised {said}") from None
        if not _same((arguments, options), given):
            raise Wrong(
                "changes_input",
                f"{name} changes its argument. Work on a copy, or make a new array.",
            )
        if result is None or result is Ellipsis:
            raise Wrong("unanswered", f"{name} returns nothing: did you forget the return?")
        return result

    @contextlib.contextmanager
    def retell(self, kind: str, key: str, *, saying: str = "", when: bool = True) -> Iterator[None]:
        """Replace a general mistake raised in the block by a more specific one.

        Only if ``when`` is true and the old message contains ``saying``. What the function raised
        is added to the new message.
        """
        try:
            yield
        except Wrong as wrong:
            if not when or wrong.kind != kind or saying not in wrong.message:
                raise
            told = self.message(key)
            told = f"{told} ({wrong.message})" if kind == "raised" else told
            raise Wrong(_kind_of(key), told) from None

    # -- comparing ---------------------------------------------------------------------------------

    def compare(
        self,
        answer: object,
        truth: ArrayLike,
        mistakes: Mapping[str, Any],
        *,
        otherwise: str = "different",
        rtol: float = 1e-3,
        atol: float = 1e-6,
        told: Mapping[str, object] | None = None,
    ) -> None:
        """Raise unless the answer is right; recognise mistakes by their values.

        Parameters
        ----------
        answer, truth : array-like
        mistakes : mapping of str to array-like
            Value of each mistake on these data, or a list of several; tried in this order. A
            value that equals the truth on these data is skipped.
        otherwise : str, default="different"
            Key of the message for an answer that is no known mistake.
        rtol, atol : float
            By default, three right digits are enough.
        told : mapping, optional
            Values to insert into the messages.
        """
        truth = np.asarray(truth)
        wrong = {key: self.wrong(key, **(told or {})) for key in mistakes}

        def near(one: ArrayLike, other: ArrayLike) -> bool:
            one, other = np.asarray(one), np.asarray(other)
            if one.shape != other.shape:
                return False
            if one.dtype.kind not in "biuf" or other.dtype.kind not in "biuf":
                return bool(np.array_equal(one, other))
            return bool(np.allclose(one, other, rtol=rtol, atol=atol, equal_nan=True))

        answered(answer)
        # a mistake may have another shape or be NaN, so it is recognised before those are checked
        with contextlib.suppress(ValueError, TypeError), silence():
            given = np.asarray(answer)
            for key, values in mistakes.items():
                for value in _listed(values):
                    if near(given, value) and not near(truth, value):
                        raise wrong[key]
        if not near(self.array(answer, truth.shape), truth):
            raise Wrong("different", self.message(otherwise, **(told or {})))

    def compare_rows(
        self, answer: Any, truth: ArrayLike, n: int, mistakes: Mapping[str, Any]
    ) -> None:
        """Raise unless the answer has these row numbers, in any order and container.

        ``n`` is the number of rows to choose from; ``mistakes`` as in `compare`, with sorted
        values. A wrong number of rows gets the message ``"different"``, not one about the shape.
        """
        answered(answer)
        if isinstance(answer, set | frozenset | range):
            answer = list(answer)
        rows, truth = self.array(answer), np.sort(truth)
        if rows.dtype.kind == "b" and rows.size == n:
            raise Wrong(
                "mask_not_rows",
                "It returns True and False. Return row numbers: np.flatnonzero makes them.",
            )
        if rows.ndim == 2 and 1 in rows.shape:
            rows = rows.ravel()
        if rows.ndim == 1:
            rows = np.sort(rows)
            values = itertools.chain.from_iterable(map(_listed, mistakes.values()))
            known = any(np.array_equal(rows, value) for value in values)
            if len(rows) != len(truth) and not known:
                raise self.wrong("different")
        self.compare(rows, truth, mistakes, rtol=1e-9)

    # -- free texts --------------------------------------------------------------------------------

    def look_for_terms(self, answer: object) -> None:
        """Raise if a free text seems to omit a question of the rubric."""
        answered(answer)
        if not isinstance(answer, str):
            said = _with_article(answer)
            raise Wrong("wrong_type", f"Write a text between quotes; this is {said}.")
        answered(answer.strip() or None)
        words = len(re.findall(r"\w+", answer))
        if words < MIN_WORDS:
            raise Wrong("too_short", f"{words} words are too few: write a sentence or two.")
        for criterion in self.exercise.rubric:
            if not criterion.seen_in(answer):
                raise Wrong("not_recognised", criterion.asks)


def run_check(exercise: Exercise, answer: object, *, hidden: bool = False) -> Verdict:
    """Return the verdict on any answer."""
    text = exercise.takes == "text"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exercise.check(Case(exercise, hidden), answer)
    except Wrong as wrong:
        message, points = wrong.message, exercise.part_points.get(wrong.kind, 0)
        if hidden and wrong.kind in ("different", "raised"):
            message += " (On data that you have not seen. Do you use the arguments throughout?)"
        advice = text and wrong.kind == "not_recognised"
        return Verdict(exercise.id, False, wrong.kind, message, advice, points)
    except Exception as reason:
        # an answer that makes the check itself fail must not look like a fault of annlab
        said = f"{type(reason).__name__}: {reason}"[:150]
        message = f"The check cannot make sense of this answer ({said}). Read the exercise again."
        return Verdict(exercise.id, False, "wrong_type", message)
    return Verdict(exercise.id, True, "", exercise.praise, advice=text)


# -- helpers -------------------------------------------------------------------------------------


def answered(answer: object) -> None:
    """Raise if nothing has been written yet."""
    if answer is None or answer is Ellipsis:
        raise Wrong(
            "unanswered",
            "There is nothing yet: write your answer in the cell above and run it.",
        )


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Discard prints and warnings."""
    sink = io.StringIO()
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(sink),
        contextlib.redirect_stderr(sink),
        np.errstate(all="ignore"),
    ):
        warnings.simplefilter("ignore")
        yield


def _listed(values: Any) -> list[Any]:
    return values if isinstance(values, list) else [values]


def _kind_of(key: str) -> str:
    """Return the kind in a key: ``"off_by_one"`` for ``"off_by_one-2"``."""
    return key.partition("-")[0]


def _with_article(value: object) -> str:
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def _same(before: object, after: object) -> bool:
    """Whether arguments are unchanged; those of other types count as unchanged."""
    if isinstance(before, np.ndarray):
        if not isinstance(after, np.ndarray) or before.shape != after.shape:
            return False
        return bool(np.array_equal(before, after, equal_nan=before.dtype.kind == "f"))
    if isinstance(before, tuple | list):
        if not isinstance(after, tuple | list) or len(before) != len(after):
            return False
        return all(map(_same, before, after))
    if isinstance(before, dict):
        if not isinstance(after, dict) or before.keys() != after.keys():
            return False
        return all(_same(before[key], after[key]) for key in before)
    return True

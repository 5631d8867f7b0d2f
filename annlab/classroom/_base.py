"""What an exercise is made of, and how an answer is looked at: the words of every topic module.

A check is a function ``check(case, answer)``. It returns a sentence of praise when the answer is
right and raises `Wrong(kind, message)` when it is not; `Case` has the helpers that do the raising:
`Case.number`, `Case.array`, `Case.call`, `Case.compare`, `Case.explain`. A *kind* is the short
name of a classic mistake ("not_squared"); known-wrong submissions are tested against it.

A check computes the truth with the library when it is called. No solution is stored here, because
this package is installed at the students'.
"""

from __future__ import annotations

import contextlib
import copy
import html
import io
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from annlab._support.errors import invalid

#: What an exercise asks of the student, in growing difficulty.
LEVELS = ("recall", "apply", "analyse")
#: What an exercise takes as its answer.
ANSWERS = ("value", "function", "text")
#: Kinds that any check may find, without a mistake of their own being declared.
COMMON_KINDS = frozenset(
    {
        "unanswered",
        "raised",
        "wrong_type",
        "wrong_shape",
        "nan",
        "changes_input",
        "different",
        "too_short",
    }
)
#: A text that explains something has at least this many words.
MIN_WORDS = 8
#: Words that turn a claim into its denial.
NEGATION = r"\b(?:no|not|nor|never|neither|none|nothing|cannot|without)\b|n't"


class Wrong(Exception):
    """An answer is not right yet.

    Parameters
    ----------
    kind : str
        Short name of the mistake, such as ``"not_squared"``.
    message : str
        What it looks like, said to the student; it must not contain the solution.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind, self.message = kind, message


class WrongAnswer(AssertionError):
    """Raised in the grade cells of a notebook; Jupyter shows the verdict and no traceback.

    Parameters
    ----------
    verdict : Verdict
    """

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(f"[{verdict.kind}] {verdict.message}")
        self.verdict = verdict

    def _render_traceback_(self) -> list[str]:
        # the hook by which IPython lets an exception show itself
        return [str(self.verdict), f'Help: classroom.hint("{self.verdict.exercise}")']


@dataclass(frozen=True)
class Mistake:
    """A classic mistake, recognised by what it leads to.

    Parameters
    ----------
    kind : str
        Short name: ``"not_squared"``, ``"off_by_one"``, ``"counts_itself"``.
    value : array-like
        What an answer with this mistake comes to on the data of the check.
    message : str
        Names the mistake and points at the remedy, without giving the solution.
    """

    kind: str
    value: Any
    message: str


@dataclass(frozen=True)
class Idea:
    """Something that a free text must say, or must not say.

    Parameters
    ----------
    kind : str
    pattern : str
        Regular expression, tried anywhere in the text in lower case.
    message : str
        What to think about, if the idea is missing (or the false claim is there).
    """

    kind: str
    pattern: str
    message: str

    def in_(self, text: str) -> bool:
        """Whether the text holds it."""
        return re.search(self.pattern, text.lower(), flags=re.S) is not None


def claimed(*parts: str, unless: str = NEGATION, before: bool = False) -> str:
    r"""Pattern of something that is claimed, and not denied.

    Parameters
    ----------
    *parts : str
        Regular expressions: what one sentence has to hold, in any order.
    unless : str, default=NEGATION
        Regular expression: a sentence that holds this, too, claims nothing.
    before : bool, default=False
        Whether only what stands before the claim, in the same clause, may deny it: for a claim
        that has a negation of its own, such as "it costs nothing". Takes one part.

    Returns
    -------
    str
        For an `Idea`; other patterns may follow after ``|``.

    Examples
    --------
    >>> import re
    >>> from annlab.classroom._base import claimed
    >>> same = claimed(r"\bsame\b", r"\binertia\b")
    >>> texts = "the inertia is the same.", "why? the inertia is not the same."
    >>> [bool(re.search(same, text)) for text in texts]
    [True, False]
    >>> free = claimed(r"costs nothing", before=True)
    >>> texts = "so it costs nothing", "it is slow, so never say that it costs nothing."
    >>> [bool(re.search(free, text)) for text in texts]
    [True, False]
    """
    ends = ".,!?;:" if before else ".!?;:"
    # the point of a number ends nothing
    start = rf"(?:^|(?<!\d)[{ends}]|[{ends}](?!\d))"
    inside = rf"(?:[^{ends}]|(?<=\d)[.,](?=\d))"
    if before:
        if len(parts) != 1:
            raise invalid("parts", "one pattern if before=True", len(parts))
        return rf"{start}(?:(?!{unless}){inside})*?(?:{parts[0]})"
    wanted = "".join(f"(?={inside}*(?:{part}))" for part in parts)
    return rf"{start}{wanted}(?!{inside}*(?:{unless}))"


@dataclass(frozen=True)
class Verdict:
    """What a check found: true if the answer is right.

    Attributes
    ----------
    exercise : str
        Such as ``"03-2"``.
    right : bool
    kind : str
        Short name of the mistake; empty if there is none.
    message : str
        Praise, or what kind of mistake it looks like.
    """

    exercise: str
    right: bool
    kind: str
    message: str

    def __bool__(self) -> bool:
        return self.right

    @property
    def _head(self) -> str:
        if self.right:
            return f"{self.exercise}: right"
        return f"{self.exercise}: not yet" if self.kind == "unanswered" else f"{self.exercise}: no"

    def __repr__(self) -> str:
        return f"{self._head}. {self.message}"

    __str__ = __repr__

    def _repr_html_(self) -> str:
        # a sign and a word beside the colour, for readers who cannot tell colours apart
        sign, color = ("✓", "#009E73") if self.right else ("✗", "#D55E00")
        hint = "" if self.right else f' <i>classroom.hint("{self.exercise}") has a hint.</i>'
        return (
            f'<div class="annlab-verdict" role="status" style="border-left:5px solid {color};'
            f'padding:4px 10px"><b>{sign} {html.escape(self._head)}.</b> '
            f"{html.escape(self.message)}{hint}</div>"
        )


@dataclass(frozen=True)
class Exercise:
    """An exercise: everything about it but its text, its stub and its solution.

    Those stand in ``notebooks/exercises/topics/NN.md``, which is not installed with annlab.

    Parameters
    ----------
    id : str
        Topic and number: ``"03-2"``.
    title : str
    level : {"recall", "apply", "analyse"}
    points : int
    answer : str
        Name of the variable or function that the student writes.
    takes : {"value", "function", "text"}
    hint : str
        One sentence that helps and does not solve.
    check : callable
        ``check(case, answer) -> str``, see the module.
    """

    id: str
    title: str
    level: str
    points: int
    answer: str
    takes: str
    hint: str
    check: Callable[[Case, Any], str | None] = field(repr=False)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"\d\d-\d", self.id):
            raise invalid("id", "a topic and a number such as '03-2'", repr(self.id))
        for name, allowed in (("level", LEVELS), ("takes", ANSWERS)):
            if getattr(self, name) not in allowed:
                raise invalid(name, f"one of {allowed}", repr(getattr(self, name)))

    @property
    def topic(self) -> int:
        """Number of the topic."""
        return int(self.id[:2])


@dataclass(frozen=True)
class Question:
    """A question of the quiz.

    Parameters
    ----------
    text : str
        Ends with a question mark.
    options : sequence of str
        Two to four answers; the letters A to D are put before them.
    right : str
        Letter of the right one.
    because : str
        The explanation, one or two sentences.
    """

    text: str
    options: Sequence[str]
    right: str
    because: str

    def __post_init__(self) -> None:
        if not self.text.endswith("?"):
            raise invalid("text", "a sentence that ends with a question mark", repr(self.text))
        if not 2 <= len(self.options) <= 4:
            raise invalid("options", "two to four answers", len(self.options))
        if self.right not in self.letters:
            raise invalid("right", f"one of {', '.join(self.letters)}", repr(self.right))

    @property
    def letters(self) -> str:
        """``"ABC"`` for three options."""
        return "ABCD"[: len(self.options)]


@dataclass(frozen=True)
class Sheet:
    """What the printable page of a topic shows.

    Parameters
    ----------
    draw : callable
        ``draw(figure)`` draws the picture on an empty (sub)figure of about 18 by 9.5 centimetres.
    caption : str
        What the picture shows, one sentence.
    formula : str
        In Matplotlib's mathtext, with its dollar signs.
    reading : str
        The formula in words.
    code : str
        At most five lines that run as they stand.
    misconception, truth : str
        What people believe, and what is the case.
    """

    draw: Callable[[Any], None] = field(repr=False)
    caption: str
    formula: str
    reading: str
    code: str
    misconception: str
    truth: str


@dataclass(frozen=True)
class Lesson:
    """What a teacher wants to know about a topic; becomes a section of ``TEACHING.md``.

    Parameters
    ----------
    minutes : int
        For the notebook; the exercises come on top.
    exercise_minutes : int
    aims : sequence of str
        What a student can do afterwards; each begins with a verb.
    prerequisites : str
    misconceptions : sequence of (str, str)
        What students believe, and the id of the exercise that exposes it.
    lecture : str
        How to teach it in front of a class, two or three sentences.
    """

    minutes: int
    exercise_minutes: int
    aims: Sequence[str]
    prerequisites: str
    misconceptions: Sequence[tuple[str, str]]
    lecture: str


class Case:
    """What a check gets beside the answer: data of its own, and helpers that know classic slips.

    Parameters
    ----------
    hidden : bool, default=False
        Whether this is the hidden test of the grading: other data, so that an answer that knows
        the visible data by heart does not pass.

    Attributes
    ----------
    rng : numpy.random.RandomState
        Seeded, another one for the hidden test.
    seed : int
        The seed, for functions that take ``random_state``.
    """

    def __init__(self, hidden: bool = False) -> None:
        self.hidden = hidden
        self.seed = 20_000 if hidden else 10_000
        self.rng = np.random.RandomState(self.seed)

    # -- values ------------------------------------------------------------------------------------

    def number(self, answer: Any, what: str = "The answer") -> float:
        """Return a finite number, or say what came instead."""
        value = self.array(answer, (), what)
        return float(value)

    def array(self, answer: Any, shape: tuple[int, ...] | None = None, what: str = "") -> Any:
        """Return a numeric array of the shape asked for, without NaN, or say what came instead.

        Parameters
        ----------
        answer : object
        shape : tuple of int, optional
            ``-1`` stands for any length.
        what : str, default=""
            Subject of the message.
        """
        what = what or "The answer"
        self.answered(answer)
        if callable(answer):
            raise Wrong("wrong_type", f"{what} is a function; call it and hand in its result.")
        try:
            with _silence():
                value = np.asarray(answer)
        except Exception as reason:
            raise Wrong("wrong_type", f"{what} is no array of numbers: {reason}") from None
        if value.dtype.kind not in "biuf":
            kind = type(answer).__name__
            raise Wrong("wrong_type", f"{what} should consist of numbers; it is a {kind}.")
        if shape is not None:
            fits = value.ndim == len(shape) and all(
                wanted in (-1, have) for wanted, have in zip(shape, value.shape, strict=True)
            )
            if not fits and value.size == 1 and shape == ():
                value, fits = value.reshape(()), True
            if not fits:
                told = "a single number" if shape == () else f"shape {_shape(shape)}"
                raise Wrong(
                    "wrong_shape", f"{what} should have {told}; it has shape {_shape(value.shape)}."
                )
        if value.dtype.kind == "f" and np.isnan(value).any():
            raise Wrong(
                "nan",
                f"{what} holds NaN: somewhere zero is divided by zero. The mean of no rows is NaN, "
                "too: is something empty, such as a cluster?",
            )
        return value

    def answered(self, answer: Any, what: str = "") -> None:
        """Raise if nothing has been written yet."""
        if answer is None or answer is Ellipsis:
            raise Wrong(
                "unanswered",
                what or "There is nothing yet: write your answer in the cell above and run it.",
            )

    def text(self, answer: Any, min_words: int = MIN_WORDS) -> str:
        """Return a text of some words."""
        self.answered(answer)
        if not isinstance(answer, str):
            raise Wrong("wrong_type", f"Write a text between quotes; this is {_kind(answer)}.")
        if not answer.strip():
            self.answered(None)
        words = len(re.findall(r"\w+", answer))
        if words < min_words:
            raise Wrong("too_short", f"{words} words are too few: write a sentence or two.")
        return answer

    # -- functions ---------------------------------------------------------------------------------

    def call(self, function: Any, *arguments: Any, **options: Any) -> Any:
        """Call the student's function on copies of the arguments, and guard against all it does.

        What it prints is swallowed, because anything on stderr costs the points of a grade cell.
        """
        self.answered(function)
        if not callable(function):
            raise Wrong("wrong_type", f"A function is wanted; this is {_kind(function)}.")
        given = copy.deepcopy((arguments, options))
        name = getattr(function, "__name__", "your function")
        try:
            with _silence():
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
                f"{name} changes the array it is given. Work on a copy, or make a new array.",
            )
        if result is None or result is Ellipsis:
            raise Wrong("unanswered", f"{name} returns nothing: is there a return?")
        return result

    @contextlib.contextmanager
    def retell(
        self, kind: str, new_kind: str, message: str, *, saying: str = "", when: bool = True
    ) -> Iterator[None]:
        """Give a mistake that comes up in here another name, because here more is known about it.

        Parameters
        ----------
        kind : str
            Such as ``"raised"``, or ``"unanswered"`` for a function that returns nothing.
        new_kind, message : str
            What to say instead. What the function raised is added.
        saying : str, default=""
            Only if the old message holds this.
        when : bool, default=True
            Only then.

        Examples
        --------
        >>> from annlab.classroom._base import Case, Wrong
        >>> case = Case()
        >>> try:
        ...     with case.retell("unanswered", "never_is_none", "Return np.inf if it never pays."):
        ...         case.call(lambda k: None, 3)
        ... except Wrong as wrong:
        ...     print(wrong.kind, wrong.message)
        never_is_none Return np.inf if it never pays.
        """
        try:
            yield
        except Wrong as wrong:
            if not when or wrong.kind != kind or saying not in wrong.message:
                raise
            told = f"{message} ({wrong.message})" if kind == "raised" else message
            raise Wrong(new_kind, told) from None

    # -- comparing ---------------------------------------------------------------------------------

    def compare(
        self,
        answer: Any,
        truth: Any,
        mistakes: Sequence[Mistake] = (),
        otherwise: str = "",
        *,
        what: str = "The answer",
        rtol: float = 1e-3,
        atol: float = 1e-6,
    ) -> None:
        """Raise unless the answer is the truth; recognise a mistake by the value it leads to.

        Parameters
        ----------
        answer, truth : array-like
            Compared after the shape has been checked.
        mistakes : sequence of Mistake
            Tried in this order. One whose value equals the truth on these data is skipped.
        otherwise : str
            Message for an answer that is no known mistake (kind ``"different"``).
        what : str
            Subject of messages about type and shape.
        rtol, atol : float
            A number with three right digits is right.
        """
        truth = np.asarray(truth)

        def near(one: Any, other: Any) -> bool:
            one, other = np.asarray(one), np.asarray(other)
            if one.shape != other.shape:
                return False
            if one.dtype.kind not in "biuf" or other.dtype.kind not in "biuf":
                return bool(np.array_equal(one, other))
            return bool(np.allclose(one, other, rtol=rtol, atol=atol, equal_nan=True))

        def found(value: Any) -> None:
            for mistake in mistakes:
                if near(value, mistake.value) and not near(truth, mistake.value):
                    raise Wrong(mistake.kind, mistake.message)

        self.answered(answer)
        # a mistake may have another shape, or be NaN: it is told before shape and NaN are
        try:
            with _silence():
                found(np.asarray(answer))
        except (ValueError, TypeError):
            pass
        value = self.array(answer, truth.shape, what)
        if not near(value, truth):
            raise Wrong("different", otherwise or f"{what} is another one.")

    def compare_rows(
        self,
        answer: Any,
        truth: Any,
        n: int,
        mistakes: Sequence[Mistake] = (),
        otherwise: str = "",
        *,
        what: str = "What your function returns",
    ) -> None:
        """Raise unless the answer has these row numbers, in whatever order and container.

        Too many or too few of them are no matter of shape: that gets the message ``otherwise``.

        Parameters
        ----------
        answer : array-like or set of int
            A column, as ``np.argwhere`` gives it, will do, too.
        truth : array-like of shape (n_found,), of int
        n : int
            Number of rows to choose from.
        mistakes : sequence of Mistake
            Their values in growing order.
        otherwise, what : str
            See `compare`.
        """
        self.answered(answer)
        if isinstance(answer, set | frozenset | range):
            answer = list(answer)
        rows, truth = self.array(answer, None, what), np.sort(truth)
        if rows.dtype.kind == "b" and rows.size == n:
            raise Wrong(
                "mask_not_rows",
                "It returns True and False. Row numbers are wanted: np.flatnonzero makes them.",
            )
        if rows.ndim == 2 and 1 in rows.shape:
            rows = rows.ravel()
        if rows.ndim == 1:
            rows = np.sort(rows)
            known = any(np.array_equal(rows, mistake.value) for mistake in mistakes)
            if len(rows) != len(truth) and not known:
                raise Wrong("different", otherwise or f"{what} is another selection.")
        self.compare(rows, truth, mistakes, otherwise, what=what, rtol=1e-9)

    def explain(
        self,
        answer: Any,
        ideas: Sequence[Idea],
        claims: Sequence[Idea] = (),
        min_words: int = MIN_WORDS,
    ) -> None:
        """Raise unless a free text says every idea and makes none of the false claims.

        Parameters
        ----------
        answer : str
        ideas : sequence of Idea
            What must be said.
        claims : sequence of Idea
            What must not be said; looked for first, because it is the more instructive mistake.
        min_words : int
        """
        text = self.text(answer, min_words)
        for claim in claims:
            if claim.in_(text):
                raise Wrong(claim.kind, claim.message)
        for idea in ideas:
            if not idea.in_(text):
                raise Wrong(idea.kind, idea.message)


def run_check(exercise: Exercise, answer: Any, *, hidden: bool = False) -> Verdict:
    """Look at an answer; whatever it is, a verdict comes back."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            praise = exercise.check(Case(hidden), answer)
    except Wrong as wrong:
        message = wrong.message
        if hidden and wrong.kind in ("different", "raised"):
            message += " (On data that you have not seen. Do you use the arguments throughout?)"
        return Verdict(exercise.id, False, wrong.kind, message)
    except Exception as reason:
        # an answer so odd that the check itself stumbles must not look like a fault of annlab
        said = f"{type(reason).__name__}: {reason}"[:150]
        message = f"The check cannot make sense of this answer ({said}). Read the exercise again."
        return Verdict(exercise.id, False, "wrong_type", message)
    return Verdict(exercise.id, True, "", praise or "Well done.")


# -- helpers -------------------------------------------------------------------------------------


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Swallow what is printed and warned."""
    sink = io.StringIO()
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(sink),
        contextlib.redirect_stderr(sink),
        np.errstate(all="ignore"),
    ):
        warnings.simplefilter("ignore")
        yield


def _shape(shape: tuple[int, ...]) -> str:
    inner = ", ".join("n" if side == -1 else str(side) for side in shape)
    return f"({inner},)" if len(shape) == 1 else f"({inner})"


def _kind(value: Any) -> str:
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def _same(before: Any, after: Any) -> bool:
    """Whether arguments are as they were; what cannot be compared counts as unchanged."""
    if isinstance(before, np.ndarray):
        if not isinstance(after, np.ndarray) or before.shape != after.shape:
            return False
        return bool(np.array_equal(before, after, equal_nan=before.dtype.kind == "f"))
    if isinstance(before, tuple | list):
        return len(before) == len(after) and all(map(_same, before, after))
    if isinstance(before, dict):
        return before.keys() == after.keys() and all(_same(before[k], after[k]) for k in before)
    return True

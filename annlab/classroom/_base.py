"""The parts of a topic: exercises, verdicts, quiz questions, sheet, lesson.

The texts are in ``content/NN.toml``, the checks in ``topic_NN.py``. No solution is stored here,
because this package is installed on the students' machines: a check computes the truth with the
library. A *kind* is the short name of a common mistake, such as ``"not_squared"``.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from annlab._support.errors import invalid

#: What an exercise asks of the student, in growing difficulty.
LEVELS = ("recall", "apply", "analyse")
#: What an exercise takes as its answer.
ANSWERS = ("value", "function", "text")


class Wrong(Exception):
    """A wrong answer: the kind of mistake, and the message for the student."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind, self.message = kind, message


class WrongAnswer(AssertionError):
    """Error of a grade cell, which Jupyter shows without traceback."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(f"[{verdict.kind}] {verdict.message}")
        self.verdict = verdict

    def _render_traceback_(self) -> list[str]:
        # the hook by which IPython lets an exception show itself
        return [str(self.verdict), f'Help: classroom.hint("{self.verdict.exercise}")']


@dataclass(frozen=True)
class Criterion:
    """A line of the rubric for marking a free text.

    Parameters
    ----------
    asks : str
        The question that the text has to answer.
    terms : sequence of str
        Beginnings of words; if the text holds one of them, it probably answers the question.
    """

    asks: str
    terms: Sequence[str]

    def seen_in(self, text: str) -> bool:
        """Whether the text holds one of the terms."""
        return any(re.search(rf"\b{re.escape(term)}", text.lower()) for term in self.terms)


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
        Praise, or what the mistake looks like.
    advice : bool
        Whether this is about a free text: only terms were looked for, and the teacher decides.
    points : int
        Part points for an answer that is nearly right.
    """

    exercise: str
    right: bool
    kind: str
    message: str
    advice: bool = False
    points: int = 0

    def __bool__(self) -> bool:
        return self.right

    @property
    def _head(self) -> str:
        if self.advice:
            seen = "looks complete" if self.right else "not recognised"
            return f"{self.exercise}: {seen}, your teacher decides"
        if self.right:
            return f"{self.exercise}: right"
        if self.points:
            worth = "1 point" if self.points == 1 else f"{self.points} points"
            return f"{self.exercise}: partly right, {worth}"
        return f"{self.exercise}: not yet" if self.kind == "unanswered" else f"{self.exercise}: no"

    def __repr__(self) -> str:
        return f"{self._head}. {self.message}"

    __str__ = __repr__

    def _repr_html_(self) -> str:
        # a sign and a word beside the colour, for readers who cannot tell colours apart
        sign, color = ("✓", "#009E73") if self.right else ("✗", "#D55E00")
        if self.advice or self.points:
            sign, color = "?" if self.advice else "½", "#0072B2"
        hint = "" if self.right else f' <i>classroom.hint("{self.exercise}") has a hint.</i>'
        return (
            f'<div class="annlab-verdict" role="status" style="border-left:5px solid {color};'
            f'padding:4px 10px"><b>{sign} {html.escape(self._head)}.</b> '
            f"{html.escape(self.message)}{hint}</div>"
        )


@dataclass(frozen=True)
class Exercise:
    """An exercise without its text, stub and solution.

    Those are in ``notebooks/exercises/topics/NN.md``, which is not installed with annlab.
    """

    id: str  # topic and number: "03-2"
    title: str
    level: str  # one of LEVELS
    points: int
    minutes: int
    answer: str  # name of the variable or function that the student writes
    takes: str  # one of ANSWERS
    hints: Sequence[str]  # from a nudge to nearly the plan; none solves the exercise
    #: ``check(case, answer)`` returns if the answer is right, and raises `Wrong` otherwise.
    check: Callable[..., None] = field(repr=False)
    praise: str = "Well done."
    what: str = "The answer"  # subject of messages about type and shape
    #: What to say of each mistake. A key is a kind, and after a hyphen the number of a variant;
    #: "different" is for answers without a known mistake.
    messages: Mapping[str, str] = field(default_factory=dict, repr=False)
    #: What each mistake leads to in an exercise that takes a value; keys as in ``messages``.
    values: Mapping[str, float | list[float]] = field(default_factory=dict, repr=False)
    #: Points for kinds of mistakes that leave a part of the work right.
    part_points: Mapping[str, int] = field(default_factory=dict, repr=False)
    #: What a free text has to answer, each for an equal share of the points.
    rubric: Sequence[Criterion] = field(default=(), repr=False)
    #: Suggested comments on common wrong claims of a free text.
    replies: Sequence[str] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"\d\d-\d", self.id):
            raise invalid("id", "a topic and a number such as '03-2'", repr(self.id))
        for name, allowed in (("level", LEVELS), ("takes", ANSWERS)):
            if getattr(self, name) not in allowed:
                raise invalid(name, f"one of {allowed}", repr(getattr(self, name)))


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
    minutes : int, default=2
        With the vote and the talk about it.
    """

    text: str
    options: Sequence[str]
    right: str
    because: str
    minutes: int = 2

    def __post_init__(self) -> None:
        if not self.text.endswith("?"):
            raise invalid("text", "a sentence that ends with a question mark", repr(self.text))
        if not 2 <= len(self.options) <= 4:
            raise invalid("options", "two to four answers", len(self.options))
        if self.right not in self.letters:
            raise invalid("right", f"one of {', '.join(self.letters)}", repr(self.right))

    @property
    def letters(self) -> str:
        """Letters of the options: ``"ABC"`` for three."""
        return "ABCD"[: len(self.options)]


@dataclass(frozen=True)
class Picture:
    """State of an explorer that a sheet shows."""

    explorer: str  # a function of `annlab.widgets`
    frame: int = 0  # -1 is the last one
    #: Arguments of `annlab.datasets.make_blobs`, whose points the explorer gets.
    points: Mapping[str, Any] = field(default_factory=dict)
    given: Mapping[str, Any] = field(default_factory=dict)  # its other arguments
    settings: Mapping[str, Any] = field(default_factory=dict)  # values of its controls


@dataclass(frozen=True)
class Sheet:
    """Contents of the printable page of a topic."""

    picture: Picture
    caption: str
    formula: str  # in Matplotlib's mathtext, with its dollar signs
    reading: str  # the formula in words
    code: str  # at most five lines that run as they are
    misconception: str
    truth: str


@dataclass(frozen=True)
class Lesson:
    """Notes for teachers on a topic; a section of ``TEACHING.md``."""

    minutes: int  # for the notebook, without the exercises
    aims: Sequence[str]  # what a student can do afterwards; each begins with a verb
    prerequisites: str
    misconceptions: Sequence[tuple[str, str]]  # a belief, and the exercise that exposes it
    lecture: str  # how to teach it in front of a class

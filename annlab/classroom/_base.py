"""The parts of a topic: exercises and their verdicts, quiz questions, the sheet, the lesson.

The texts are in ``content/NN.toml`` (read by `_content`), the checks in ``topic_NN.py``, and the
data and helpers of a check in `_case`. No solution is stored here, because this package is
installed on the students' machines: a check computes the truth with the library.

A *kind* is the short name of a classic mistake (``"not_squared"``); known-wrong submissions are
tested against it.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from annlab._support.errors import invalid

if TYPE_CHECKING:
    from matplotlib.figure import FigureBase

#: What an exercise asks of the student, in growing difficulty.
LEVELS = ("recall", "apply", "analyse")
#: What an exercise takes as its answer.
ANSWERS = ("value", "function", "text")
#: Kinds that any check may find.
COMMON_KINDS = frozenset(
    "unanswered raised wrong_type wrong_shape nan changes_input different too_short".split()
)
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
    advice : bool
        Whether it is about a free text: words were looked for, and the teacher decides.
    """

    exercise: str
    right: bool
    kind: str
    message: str
    advice: bool = False

    def __bool__(self) -> bool:
        return self.right

    @property
    def _head(self) -> str:
        if self.right:
            return f"{self.exercise}: right"
        if self.advice:
            return f"{self.exercise}: not recognised, your teacher decides"
        return f"{self.exercise}: not yet" if self.kind == "unanswered" else f"{self.exercise}: no"

    def __repr__(self) -> str:
        return f"{self._head}. {self.message}"

    __str__ = __repr__

    def _repr_html_(self) -> str:
        # a sign and a word beside the colour, for readers who cannot tell colours apart
        sign, color = ("✓", "#009E73") if self.right else ("✗", "#D55E00")
        if self.advice:
            sign, color = "?", "#0072B2"
        hint = "" if self.right else f' <i>classroom.hint("{self.exercise}") has a hint.</i>'
        return (
            f'<div class="annlab-verdict" role="status" style="border-left:5px solid {color};'
            f'padding:4px 10px"><b>{sign} {html.escape(self._head)}.</b> '
            f"{html.escape(self.message)}{hint}</div>"
        )


@dataclass(frozen=True)
class Exercise:
    """An exercise: everything about it but its text, its stub and its solution.

    Those are in ``notebooks/exercises/topics/NN.md``, which is not installed with annlab.

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
        ``check(case, answer)`` returns if the answer is right, and raises `Wrong` otherwise.
    praise : str
        Message for a right answer.
    what : str
        Subject of messages about the answer's type and shape.
    messages : mapping of str to str
        What to say of each mistake. A key is a kind, and after a hyphen the number of a variant;
        ``"different"`` is for an answer that is no known mistake.
    ideas, claims : sequence of Idea
        What a free text must say, and what it must not say.
    """

    id: str
    title: str
    level: str
    points: int
    answer: str
    takes: str
    hint: str
    check: Callable[..., None] = field(repr=False)
    praise: str = "Well done."
    what: str = "The answer"
    messages: Mapping[str, str] = field(default_factory=dict, repr=False)
    ideas: Sequence[Idea] = field(default=(), repr=False)
    claims: Sequence[Idea] = field(default=(), repr=False)

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

    draw: Callable[[FigureBase], None] = field(repr=False)
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

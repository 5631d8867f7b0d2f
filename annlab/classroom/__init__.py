"""The classroom: self-checking exercises, and course folders for teachers.

In any notebook::

    from annlab import classroom

    classroom.exercises()                  # the list
    classroom.hint("03-2")                 # a hint; ("03-2", 2) says more
    classroom.check("03-2", my_answer)     # right, or what the mistake looks like

A teacher calls ``annlab classroom new DIR`` and ``annlab classroom grade DIR``.

The texts of a topic (hints, messages, quiz questions, sheet, lesson) are in ``content/NN.toml``,
its checks in ``topic_NN.py``. Exercise texts, stubs, solutions and known-wrong answers are in
``notebooks/exercises/topics/NN.md``, which is not installed: a student's annlab has no solutions.
"""

from __future__ import annotations

import re
from importlib import import_module
from typing import TYPE_CHECKING, Any

from annlab._support.errors import invalid

if TYPE_CHECKING:
    from annlab.classroom._base import Exercise, Question, Verdict

__all__ = [
    "ExerciseList",
    "check",
    "exercises",
    "find",
    "grade",
    "hint",
    "questions",
    "topic",
    "topics",
]


def topics() -> tuple[int, ...]:
    """Return the numbers of the topics that have exercises."""
    return tuple(range(1, 16))


def topic(number: int | str) -> Any:
    """Return a topic's module, with its ``EXERCISES`` and ``QUESTIONS``.

    Parameters
    ----------
    number : int or str
        ``3``, ``"3"`` or ``"03"``.

    Raises
    ------
    ValueError
        If the topic is unknown.
    """
    known = topics()
    wanted = int(number) if str(number).isdecimal() else -1
    if wanted not in known:
        rule = "one of the topics " + ", ".join(f"{n:02d}" for n in known)
        raise invalid("topic", rule, repr(number))
    return import_module(f"annlab.classroom.topic_{wanted:02d}")


def find(id: str) -> Exercise:
    """Return an exercise.

    Parameters
    ----------
    id : str
        Such as ``"03-2"``.

    Raises
    ------
    ValueError
        If the id is unknown; a similar one is suggested.
    """
    from annlab._support.checks import did_you_mean

    if isinstance(id, str) and re.fullmatch(r"\d?\d-\d", id):
        # "3-2" is short for "03-2"
        id = id.rjust(4, "0")
        if int(id[:2]) in topics():
            for one in exercises(id[:2]):
                if one.id == id:
                    return one
    remedy = did_you_mean(id, [one.id for one in exercises()]) if isinstance(id, str) else ""
    raise invalid(
        "exercise", "an id such as '03-2'", repr(id), remedy or "See classroom.exercises()."
    )


def check(id: str, answer: Any) -> Verdict:
    """Check an answer, in any notebook.

    Parameters
    ----------
    id : str
        Such as ``"03-2"``.
    answer : object
        A value, an array, a text, or a function: a function is called on test data.

    Returns
    -------
    Verdict
        True if the answer is right; otherwise ``kind`` and ``message`` describe the mistake. Of
        a free text it only says whether the expected terms occur; a teacher marks it.

    Raises
    ------
    ValueError
        For an unknown id.

    Examples
    --------
    >>> from annlab import classroom
    >>> classroom.check("01-1", 4 / 3)
    01-1: no. That is the mean of the squared distances. Inertia is their sum.
    >>> bool(classroom.check("01-1", 20 / 3))
    True
    """
    from annlab.classroom._case import run_check

    return run_check(find(id), answer)


def grade(id: str, answer: Any, *, hidden: bool = False) -> int | None:
    """Check an answer in a grade cell: show the verdict; raise for zero points.

    Parameters
    ----------
    id : str
    answer : object
    hidden : bool, default=False
        Also check with the data of the hidden tests; the worse verdict counts.

    Returns
    -------
    int or None
        Part points, which nbgrader reads from the output of the cell; None if the answer is right.

    Raises
    ------
    WrongAnswer
        nbgrader gives no points to a cell that raises.
    ValueError
        For an unknown id.
    """
    from annlab.classroom._base import WrongAnswer
    from annlab.classroom._case import run_check

    exercise = find(id)
    verdict = run_check(exercise, answer)
    if hidden and (verdict or verdict.points):
        seen, verdict = verdict, run_check(exercise, answer, hidden=True)
        verdict = min(seen, verdict, key=lambda one: (one.right, one.points))
    if not verdict and not verdict.points:
        raise WrongAnswer(verdict)
    if not hidden or verdict.points:
        from IPython.display import display

        # displayed, because nbgrader reads a result as points; grading reads the metadata
        display(verdict, metadata={"annlab": [verdict.kind, verdict.message]})
    return verdict.points or None


def hint(id: str, stage: int = 1) -> str:
    """Return help with an exercise that does not solve it.

    Parameters
    ----------
    id : str
    stage : int, default=1
        A later hint says more; an exercise has two or three.

    Raises
    ------
    ValueError
        For an unknown id, or a stage that the exercise does not have.

    Examples
    --------
    >>> from annlab import classroom
    >>> print(classroom.hint("01-1"))
    After each move, ask of every point which centroid is nearer. Two points will change sides.
    More help: classroom.hint("01-1", 2)
    """
    from annlab._support.checks import check_integer

    hints = find(id).hints
    stage = check_integer(stage, "stage", minimum=1, maximum=len(hints))
    more = f'\nMore help: classroom.hint("{id}", {stage + 1})' if stage < len(hints) else ""
    return _Told(hints[stage - 1] + more)


class _Told(str):
    """A text that a notebook shows without quotes."""

    __repr__ = str.__str__


class ExerciseList(tuple):
    """Exercises, shown as a table."""

    def __repr__(self) -> str:
        return "\n".join(f"{one.id}  {one.level:8}  {one.points} P  {one.title}" for one in self)

    def _repr_html_(self) -> str:
        from html import escape

        rows = [
            f"<tr><td>{one.id}</td><td>{escape(one.title)}</td><td>{one.level}</td>"
            f"<td>{one.points}</td></tr>"
            for one in self
        ]
        head = "<tr><th>id</th><th>exercise</th><th>level</th><th>points</th></tr>"
        return f"<table>{head}{''.join(rows)}</table>"


def exercises(number: int | str | None = None) -> ExerciseList:
    """List the exercises, of one topic or of all.

    Parameters
    ----------
    number : int or str, optional
        Topic.

    Returns
    -------
    ExerciseList
        A tuple of `Exercise`, displayed as a table.

    Examples
    --------
    >>> from annlab import classroom
    >>> [one.id for one in classroom.exercises(1)][:2]
    ['01-1', '01-2']
    """
    chosen = topics() if number is None else [number]
    return ExerciseList(one for which in chosen for one in topic(which).EXERCISES)


def questions(number: int | str) -> tuple[Question, ...]:
    """Return the questions of a topic's quiz.

    Parameters
    ----------
    number : int or str
        Topic.
    """
    return tuple(topic(number).QUESTIONS)

"""Read the texts of a topic from ``content/NN.toml``, joining broken lines."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from importlib import resources
from typing import Any, NamedTuple

from annlab.classroom._base import Criterion, Exercise, Lesson, Picture, Question, Sheet
from annlab.classroom._case import Case

#: Values in which blanks and line breaks count.
_VERBATIM = {"code", "formula"}


class Topic(NamedTuple):
    """Everything about a topic."""

    exercises: tuple[Exercise, ...]
    questions: tuple[Question, ...]
    sheet: Sheet
    lesson: Lesson


def load(number: int, checks: Sequence[Callable[..., Any]]) -> Topic:
    """Combine the texts of a topic with its checks, in exercise order.

    That is, for a value, a function that returns the right one; for a function,
    ``check(case, answer)``; nothing for a free text, which has a rubric.
    """
    path = resources.files(__package__) / "content" / f"{number:02d}.toml"
    content = _joined(tomllib.loads(path.read_text(encoding="utf-8")))
    rest = iter(checks)
    exercises = []
    for given in content["exercises"]:
        given["rubric"] = tuple(Criterion(**one) for one in given.get("rubric", ()))
        if given["takes"] == "function":
            given["what"] = "What your function returns"
        if given["takes"] == "text":
            given["check"] = Case.look_for_terms
        else:
            check = next(rest)
            given["check"] = _compare_with(check) if given["takes"] == "value" else check
        exercises.append(Exercise(**given))
    if list(rest):
        raise ValueError(f"{path.name} has fewer exercises than topic_{number:02d}.py has checks")
    sheet = content["sheet"]
    return Topic(
        tuple(exercises),
        tuple(Question(**one) for one in content["questions"]),
        Sheet(picture=Picture(**sheet.pop("picture")), **sheet),
        Lesson(**content["lesson"]),
    )


def _compare_with(right: Callable[[], float]) -> Callable[[Case, Any], None]:
    def check(case: Case, answer: Any) -> None:
        case.compare(answer, right(), case.exercise.values)

    return check


def _joined(value: Any) -> Any:
    """Join the lines of each text into one."""
    if isinstance(value, str):
        return " ".join(value.split())
    if isinstance(value, list):
        return [_joined(one) for one in value]
    if isinstance(value, dict):
        return {key: v if key in _VERBATIM else _joined(v) for key, v in value.items()}
    return value

"""Read the texts of a topic from ``content/NN.toml``.

A long text may be broken into lines anywhere. The patterns of a free text are regular expressions,
tried in lower case::

    [[exercises.claims]]
    kind = "believes_global"
    message = "..."                     # what to think about
    says = ["always best", "..."]       # any of these, anywhere
    claims = ["..."]                    # any of these, unless denied before in the same clause
    claims_together = ["...", "..."]    # all of these, in a sentence that denies nothing
    unless = ["<denied>|hardly"]        # what denies a claim; by default <denied>
    not_with = ["..."]                  # nothing is claimed if any of these is in the text

``<denied>`` is `_base.NEGATION`; other names are set in ``[exercises.words]``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from typing import TYPE_CHECKING, Any, NamedTuple

from annlab.classroom._base import (
    NEGATION,
    Exercise,
    Idea,
    Lesson,
    Question,
    Sheet,
    claimed,
)
from annlab.classroom._case import Case

if TYPE_CHECKING:
    from matplotlib.figure import FigureBase as Figure
else:
    # Matplotlib is loaded when a sheet is drawn
    Figure = object

#: Values in which blanks and line breaks count.
_VERBATIM = {"code", "formula", "says", "claims_together", "unless", "not_with", "words"}


class Topic(NamedTuple):
    """Everything about a topic."""

    exercises: tuple[Exercise, ...]
    questions: tuple[Question, ...]
    sheet: Sheet
    lesson: Lesson


def load(
    number: int,
    draw: Callable[[Figure], None],
    checks: Sequence[Callable[[Case, Any], None]],
) -> Topic:
    """Put a topic together from its texts and its checks.

    Parameters
    ----------
    number : int
    draw : callable
        Draws the picture of the sheet.
    checks : sequence of callable
        One for each exercise that takes a value or a function, in their order. A free text has
        none, because its ideas and claims are in the file.
    """
    path = resources.files(__package__) / "content" / f"{number:02d}.toml"
    content = tomllib.loads(path.read_text(encoding="utf-8"))
    rest = iter(checks)
    exercises = []
    for given in content["exercises"]:
        words = {"denied": NEGATION}
        words |= {word: "|".join(parts) for word, parts in given.pop("words", {}).items()}
        for name in ("ideas", "claims"):
            given[name] = tuple(_idea(one, words) for one in given.get(name, ()))
        if given["takes"] == "function":
            given["what"] = "What your function returns"
        check = Case.explain if given["takes"] == "text" else next(rest)
        exercises.append(Exercise(check=check, **_joined(given)))
    if list(rest):
        raise ValueError(f"{path.name} has fewer exercises than topic_{number:02d}.py has checks")
    return Topic(
        tuple(exercises),
        tuple(Question(**_joined(one)) for one in content["questions"]),
        Sheet(draw=draw, **_joined(content["sheet"])),
        Lesson(**_joined(content["lesson"])),
    )


def _joined(value: Any) -> Any:
    """Join the lines of each text into one."""
    if isinstance(value, str):
        return " ".join(value.split())
    if isinstance(value, list):
        return [_joined(one) for one in value]
    if isinstance(value, dict):
        return {key: v if key in _VERBATIM else _joined(v) for key, v in value.items()}
    return value


def _idea(given: Mapping[str, Any], words: Mapping[str, str]) -> Idea:
    """Make the pattern of an idea or of a false claim."""

    def of(name: str) -> list[str]:
        parts = given.get(name, [])
        for word, pattern in words.items():
            parts = [part.replace(f"<{word}>", pattern) for part in parts]
        return parts

    unless = "|".join(of("unless")) or NEGATION
    ways = of("says")
    if of("claims"):
        ways.append(claimed("|".join(of("claims")), unless=unless, before=True))
    if of("claims_together"):
        ways.append(claimed(*of("claims_together"), unless=unless))
    pattern = "|".join(ways)
    if of("not_with"):
        pattern = rf"^(?!.*(?:{'|'.join(of('not_with'))})).*?(?:{pattern})"
    return Idea(given["kind"], pattern, _joined(given["message"]))

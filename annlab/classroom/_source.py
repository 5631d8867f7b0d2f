"""Make nbgrader's notebooks from ``notebooks/exercises/topics/NN.md``.

The Markdown consists of these parts::

    # 3. A title                          everything up to the first exercise is the introduction

    ```python                             a code block without a name: a cell given to the student
    import numpy as np
    ```

    ## 03-2                               begins an exercise; title, level and points are added
    The text of the exercise.

    ```python answer                      the cell that the student fills in
    def recall(X, labels, centroids):
        \"\"\"Say what it returns.\"\"\"
        ### BEGIN SOLUTION
        return ...
        ### END SOLUTION
    ```

    ```python wrong kind=not_squared says="squared"
    def recall(X, labels, centroids):     a known-wrong answer: replaces the whole cell
        ...
    ```

    ```python right
    recall = lambda X, labels, centroids: ...   another right answer, which has to pass as well
    ```

``right`` and ``wrong`` blocks are only used by tests: the i-th wrong answers of all exercises make
the i-th wrong submission. Grade cells only call `classroom.grade`.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from annlab import classroom
from annlab._support.errors import invalid
from annlab.classroom._base import Exercise

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
BEGIN_HIDDEN, END_HIDDEN = "### BEGIN HIDDEN TESTS", "### END HIDDEN TESTS"
#: What a student finds instead of a solution; a comment, so that the copy runs as it is.
STUB = "# YOUR CODE HERE"
KERNELSPEC = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
_FENCE = re.compile(r"^```python([^\n`]*)\n(.*?)^```[ \t]*$", flags=re.M | re.S)
_HEADING = re.compile(r"^## (\d\d-\d)[ \t]*$", flags=re.M)


def assignment_name(number: int) -> str:
    """Return the name of a topic's assignment and notebook: ``"topic_03"``."""
    return f"topic_{number:02d}"


@dataclass(frozen=True)
class WrongAnswerSource:
    """A known-wrong answer, with the kind and part of the expected message."""

    code: str
    kind: str
    says: str


@dataclass
class Part:
    """An exercise in the source: cells around the answer, and test answers."""

    exercise: Exercise
    cells: list[tuple[str, str]] = field(default_factory=list)
    answer: str = ""
    after: list[tuple[str, str]] = field(default_factory=list)
    wrong: list[WrongAnswerSource] = field(default_factory=list)
    right: list[str] = field(default_factory=list)


@dataclass
class TopicSource:
    """Contents of a topic's source file."""

    number: int
    intro: list[tuple[str, str]]
    parts: list[Part]


def exercises_folder() -> Path:
    """Return ``notebooks/exercises`` of the checkout; wheels do not include it."""
    folder = Path(__file__).resolve().parents[2] / "notebooks" / "exercises"
    if not (folder / "topics").is_dir():
        raise FileNotFoundError(
            "The sources of the exercises are not installed with annlab, because they hold the "
            "solutions. Call this from a checkout of the repository."
        )
    return folder


def read_topic(path: Path) -> TopicSource:
    """Read the source ``NN.md`` of a topic.

    Raises
    ------
    ValueError
        If the file does not match the topic's exercises.
    """
    number = int(path.stem)
    text = path.read_text(encoding="utf-8").replace("\r\n", "\n")
    known = {one.id: one for one in classroom.exercises(number)}
    pieces = _HEADING.split(text)
    parts = []
    for id, body in zip(pieces[1::2], pieces[2::2], strict=True):
        if id not in known:
            raise invalid("heading", f"an exercise of topic_{number:02d}.py", id)
        parts.append(_read_part(known[id], body))
    if [part.exercise.id for part in parts] != list(known):
        raise invalid(
            f"{path.name}",
            "made of the exercises " + ", ".join(known),
            ", ".join(part.exercise.id for part in parts),
        )
    intro = [(kind, body) for kind, _, body in _blocks(pieces[0])]
    return TopicSource(number, intro, parts)


def _blocks(text: str) -> list[tuple[str, str, str]]:
    """Split Markdown into (kind, words after ``python``, content)."""
    found: list[tuple[str, str, str]] = []
    place = 0
    for fence in _FENCE.finditer(text):
        prose = text[place : fence.start()].strip()
        if prose:
            found.append(("markdown", "", prose))
        found.append(("code", fence[1].strip(), fence[2].strip("\n")))
        place = fence.end()
    rest = text[place:].strip()
    if rest:
        found.append(("markdown", "", rest))
    return found


def _read_part(exercise: Exercise, body: str) -> Part:
    part = Part(exercise)
    for kind, words, content in _blocks(body):
        role, *options = shlex.split(words) if words else [""]
        if kind == "markdown" or not role:
            (part.after if part.answer else part.cells).append((kind, content))
        elif role == "answer":
            if part.answer:
                raise invalid(f"{exercise.id}", "an exercise with one answer block", "two")
            part.answer = content
        elif role == "right":
            part.right.append(content)
        elif role == "wrong":
            given = dict(option.split("=", 1) for option in options)
            if set(given) != {"kind", "says"}:
                raise invalid(f"{exercise.id} wrong", 'with kind=… and says="…"', words)
            part.wrong.append(WrongAnswerSource(content, given["kind"], given["says"]))
        else:
            raise invalid(f"{exercise.id} code block", "nothing, answer, right or wrong", role)
    for mark in (BEGIN, END):
        if part.answer.count(mark) != 1:
            raise invalid(f"{exercise.id} answer", f"a block with one {mark}", part.answer)
    if exercise.answer not in part.answer:
        raise invalid(f"{exercise.id} answer", f"a cell that sets {exercise.answer}", part.answer)
    return part


def stub_of(answer: str) -> str:
    """Return an answer cell as the student gets it.

    Examples
    --------
    >>> from annlab.classroom._source import stub_of
    >>> print(stub_of("x = ...\\n### BEGIN SOLUTION\\nx = 1\\n### END SOLUTION"))
    x = ...
    # YOUR CODE HERE
    """
    pattern = rf"^([ \t]*){BEGIN}\n.*?^[ \t]*{END}[ \t]*$"
    return re.sub(pattern, rf"\g<1>{STUB}", answer, flags=re.M | re.S)


def solution_of(answer: str) -> list[str]:
    """Return the lines between the markers, without indent."""
    inside = answer.split(BEGIN)[1].split(END)[0]
    return [line.strip() for line in inside.strip().split("\n")]


def grade_cell(exercise: Exercise) -> str:
    """Return the code of the cell below an answer: it only calls the check."""
    if exercise.takes == "text":
        # only advice: the teacher gives the points
        call = f'classroom.check("{exercise.id}", {exercise.answer})'
        return f"from annlab import classroom\n\n{call}"
    call = f'classroom.grade("{exercise.id}", {exercise.answer}'
    lines = ["from annlab import classroom", "", f"{call})"]
    if exercise.takes == "function":
        lines += [BEGIN_HIDDEN, f"{call}, hidden=True)", END_HIDDEN]
    return "\n".join(lines)


def heading_of(exercise: Exercise) -> str:
    """Return the heading of an exercise in the notebook."""
    points = "1 point" if exercise.points == 1 else f"{exercise.points} points"
    return f"## {exercise.id} · {exercise.title} ({exercise.level}, {points})"


def make_notebook(source: TopicSource) -> dict[str, Any]:
    """Make nbgrader's source notebook (schema 3), as plain JSON data."""
    cells: list[dict[str, Any]] = []

    def add(kind: str, text: str, id: str, **nbgrader: Any) -> None:
        cell: dict[str, Any] = {"cell_type": kind, "id": id, "metadata": {}, "source": text}
        if nbgrader:
            cell["metadata"]["nbgrader"] = {"schema_version": 3, "task": False, **nbgrader}
        if kind == "code":
            cell |= {"execution_count": None, "outputs": []}
        cells.append(cell)

    for number, (kind, text) in enumerate(source.intro):
        add(kind, text, f"intro-{number}")
    for part in source.parts:
        one = part.exercise
        for number, (kind, text) in enumerate(part.cells):
            if number == 0:
                text = f"{heading_of(one)}\n\n{text}" if kind == "markdown" else text
            add(kind, text, f"text-{one.id}-{number}")
        # a cell that is both solution and grade is marked by the teacher
        by_hand = one.takes == "text"
        points = {"points": one.points}
        add(
            "code",
            part.answer,
            f"answer-{one.id}",
            grade=by_hand,
            solution=True,
            locked=False,
            grade_id=f"answer-{one.id}",
            **(points if by_hand else {}),
        )
        for number, (kind, text) in enumerate(part.after):
            add(kind, text, f"after-{one.id}-{number}")
        add(
            "code",
            grade_cell(one),
            f"test-{one.id}",
            grade=not by_hand,
            solution=False,
            locked=True,
            grade_id=f"test-{one.id}",
            **({} if by_hand else points),
        )
    return {
        "cells": cells,
        "metadata": {"kernelspec": KERNELSPEC, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def dumps(notebook: dict[str, Any]) -> str:
    """Serialise a notebook deterministically."""
    cells = [
        {**cell, "source": cell["source"].splitlines(keepends=True)} for cell in notebook["cells"]
    ]
    return (
        json.dumps({**notebook, "cells": cells}, indent=1, ensure_ascii=False, sort_keys=True)
        + "\n"
    )


def sources(folder: Path | None = None, topics: Sequence[int] = ()) -> list[TopicSource]:
    """Read the sources of some topics, by default of all."""
    folder = folder or exercises_folder()
    paths = sorted((folder / "topics").glob("[0-9][0-9].md"))
    return [read_topic(path) for path in paths if not topics or int(path.stem) in topics]


def build(
    folder: Path | None = None, topics: Sequence[int] = (), *, check: bool = False
) -> list[str]:
    """Update the generated notebooks; return those that were out of date.

    With ``check=True`` nothing is written.
    """
    folder = folder or exercises_folder()
    stale = []
    for source in sources(folder, topics):
        name = assignment_name(source.number)
        path = folder / "source" / name / f"{name}.ipynb"
        text = dumps(make_notebook(source))
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(path.relative_to(folder).as_posix())
            if not check:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8", newline="\n")
    return stale

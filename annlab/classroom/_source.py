"""From the readable source of a topic to nbgrader's notebooks.

``notebooks/exercises/topics/NN.md`` is Markdown that anybody can read and edit. Its parts::

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
    def recall(X, labels, centroids):     a known-wrong submission: replaces the whole cell
        ...
    ```

    ```python right
    recall = lambda X, labels, centroids: ...   another right answer, which has to pass as well
    ```

What stands in ``right`` and ``wrong`` blocks reaches neither the source notebook nor the students:
the i-th wrong answers of all exercises make the i-th wrong submission. The grade cells are made
from `annlab.classroom`: they only call `classroom.grade`.
"""

from __future__ import annotations

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
    """Name of a topic's assignment, folder and notebook.

    Examples
    --------
    >>> from annlab.classroom._source import assignment_name
    >>> assignment_name(3)
    'topic_03'
    """
    return f"topic_{number:02d}"


@dataclass(frozen=True)
class WrongAnswerSource:
    """A known-wrong submission of one exercise, and what is expected of it."""

    code: str
    kind: str
    says: str


@dataclass
class Part:
    """An exercise as the source has it: text and given cells, answer cell, known-wrong answers."""

    exercise: Exercise
    cells: list[tuple[str, str]] = field(default_factory=list)
    answer: str = ""
    after: list[tuple[str, str]] = field(default_factory=list)
    wrong: list[WrongAnswerSource] = field(default_factory=list)
    right: list[str] = field(default_factory=list)


@dataclass
class TopicSource:
    """A topic's source file, read."""

    number: int
    intro: list[tuple[str, str]]
    parts: list[Part]

    @property
    def n_variants(self) -> int:
        """Number of wrong submissions that can be put together."""
        return max(len(part.wrong) for part in self.parts)


def exercises_folder() -> Path:
    """Folder ``notebooks/exercises`` of the checkout.

    Raises
    ------
    FileNotFoundError
        Where annlab was installed without it, as at the students'.
    """
    folder = Path(__file__).resolve().parents[2] / "notebooks" / "exercises"
    if not (folder / "topics").is_dir():
        raise FileNotFoundError(
            "The sources of the exercises are not installed with annlab, because they hold the "
            "solutions. Call this from a checkout of the repository."
        )
    return folder


def read_topic(path: Path) -> TopicSource:
    """Read the source of a topic.

    Parameters
    ----------
    path : Path
        ``NN.md``.

    Raises
    ------
    ValueError
        Where the file and the topic's module do not fit together.
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
    """Cut Markdown into (``markdown`` or ``code``, words after ``python``, content)."""
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
    """Answer cell as the student gets it.

    Examples
    --------
    >>> from annlab.classroom._source import stub_of
    >>> print(stub_of("x = ...\\n### BEGIN SOLUTION\\nx = 1\\n### END SOLUTION"))
    x = ...
    # YOUR CODE HERE
    """
    pattern = rf"^([ \t]*){BEGIN}\n.*?^[ \t]*{END}[ \t]*$"
    return re.sub(pattern, rf"\g<1>{STUB}", answer, flags=re.M | re.S)


def solution_of(answer: str) -> str:
    """Lines between the markers, without the common indent."""
    lines = answer.split("\n")
    first = next(i for i, line in enumerate(lines) if line.strip() == BEGIN)
    last = next(i for i, line in enumerate(lines) if line.strip() == END)
    return "\n".join(line.strip() for line in lines[first + 1 : last])


def grade_cell(exercise: Exercise) -> str:
    """Code of the cell below an answer: it only calls the check."""
    if exercise.takes == "text":
        # advice: the teacher gives the points
        call = f'classroom.check("{exercise.id}", {exercise.answer})'
        return f"from annlab import classroom\n\n{call}"
    call = f'classroom.grade("{exercise.id}", {exercise.answer}'
    lines = ["from annlab import classroom", "", f"{call})"]
    if exercise.takes == "function":
        lines += [BEGIN_HIDDEN, f"{call}, hidden=True)", END_HIDDEN]
    return "\n".join(lines)


def heading_of(exercise: Exercise) -> str:
    """Heading of an exercise in the notebook."""
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
        # nbgrader leaves an answer that is graded itself to the teacher
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
    """Write a notebook as text, always in the same way."""
    import json

    plain = json.loads(json.dumps(notebook))
    for cell in plain["cells"]:
        cell["source"] = cell["source"].splitlines(keepends=True)
    return json.dumps(plain, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def answers(source: TopicSource, variant: int | None) -> dict[str, str]:
    """Answer cells of a submission: the reference, or a known-wrong one.

    Parameters
    ----------
    source : TopicSource
    variant : int or None
        None gives the solutions; ``i`` the i-th wrong answer of each exercise, and the solution
        of an exercise that has fewer.

    Returns
    -------
    dict of str to str
        By id.
    """
    chosen = {}
    for part in source.parts:
        text = re.sub(r"^[ \t]*### (BEGIN|END) SOLUTION[ \t]*\n?", "", part.answer, flags=re.M)
        if variant is not None and variant < len(part.wrong):
            text = part.wrong[variant].code
        chosen[part.exercise.id] = text.rstrip("\n")
    return chosen


def fill_in(notebook: Any, texts: dict[str, str]) -> Any:
    """Write answers into the answer cells of a student copy, as a student does."""
    import copy

    done = copy.deepcopy(notebook)
    for cell in done["cells"]:
        id = cell["metadata"].get("nbgrader", {}).get("grade_id", "")
        if id.startswith("answer-"):
            cell["source"] = texts[id.removeprefix("answer-")]
    return done


def sources(folder: Path | None = None, topics: Sequence[int] = ()) -> list[TopicSource]:
    """Read the sources of some topics, or of all."""
    folder = exercises_folder() if folder is None else folder
    paths = sorted((folder / "topics").glob("[0-9][0-9].md"))
    return [read_topic(path) for path in paths if not topics or int(path.stem) in topics]


def build(
    folder: Path | None = None, topics: Sequence[int] = (), *, check: bool = False
) -> list[str]:
    """Bring the generated notebooks up to date with their sources.

    Parameters
    ----------
    folder : Path, optional
        By default that of the checkout.
    topics : sequence of int, default=()
        All, by default.
    check : bool, default=False
        Only look; write nothing.

    Returns
    -------
    list of str
        Files that were not in step.
    """
    folder = exercises_folder() if folder is None else folder
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

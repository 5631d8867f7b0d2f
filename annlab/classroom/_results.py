"""Results of grading: a row for each submission, from nbgrader's notebook."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from annlab.classroom._submission import Notebook, exercise_of, mark

#: Status of a submission.
GRADED, BROKEN, MISSING = "graded", "not graded", "not handed in"
#: Kinds of scores: given by the teacher, and still to be given.
BY_HAND, WAITS = "by_hand", "waits"


@dataclass(frozen=True)
class Mark:
    """Points for one exercise in the gradebook."""

    auto: float | None  # from the check; None if only the teacher can give any
    most: float
    by_hand: float | None = None  # from the teacher, with extra credit; overrides ``auto``

    @property
    def score(self) -> float:
        """Points that count."""
        return next((one for one in (self.by_hand, self.auto) if one is not None), 0.0)

    def as_score(self, exercise: str, said: str = "") -> Score:
        """Return the points of the check as a score."""
        if self.auto is not None:
            return Score(exercise, self.auto, self.most)
        told = f"{self.most:g} points wait for the teacher"
        return Score(exercise, 0.0, self.most, WAITS, f"{told} ({said})" if said else told)


@dataclass(frozen=True)
class Score:
    """Points for one exercise, and what the check said."""

    exercise: str
    score: float
    max_score: float
    kind: str = ""
    message: str = ""

    def with_mark(self, mark: Mark | None) -> Score:
        """Return the score with the teacher's points, if there are any."""
        if mark is None or mark.by_hand is None:
            return self
        told = f"{mark.by_hand:g} of {self.max_score:g} points by hand"
        if mark.auto is not None:
            told += f"; the check gave {mark.auto:g}"
        return replace(self, score=mark.by_hand, kind=BY_HAND, message=told)


@dataclass
class Row:
    """Result of one student in one assignment."""

    student: str
    assignment: str
    status: str
    notes: list[str] = field(default_factory=list)
    exercises: list[Score] = field(default_factory=list)

    @property
    def pair(self) -> tuple[str, str]:
        """Student and assignment."""
        return self.student, self.assignment

    @property
    def score(self) -> float:
        """Points of all exercises."""
        return sum(one.score for one in self.exercises)

    @property
    def max_score(self) -> float:
        """Greatest possible number of points."""
        return sum(one.max_score for one in self.exercises)

    @property
    def reason(self) -> str:
        """What was unusual and why points are missing, in one line."""
        told = [
            f"{one.exercise}: {one.message or 'no points'}"
            for one in self.exercises
            if (one.score < one.max_score or one.kind == BY_HAND) and one.message not in self.notes
        ]
        return " | ".join([*self.notes, *told])


def no_points(released: Notebook | None, message: str) -> list[Score]:
    """Return a score of zero for each exercise of an assignment."""
    return [
        Score(exercise_of(cell), 0.0, float(mark(cell)["points"]), "not_graded", message)
        for cell in (released or {"cells": []})["cells"]
        if mark(cell).get("grade")
    ]


def scores_of(graded: Notebook, marks: Mapping[str, Mark]) -> list[Score]:
    """Return points and reasons of the checks in a notebook that nbgrader ran."""
    trouble, found = {}, []
    for cell in graded["cells"]:
        id, exercise = str(mark(cell).get("grade_id", "")), exercise_of(cell)
        if id.startswith("answer-"):
            trouble[exercise] = first_error(cell)
        if not id.startswith("test-") or exercise not in marks:
            continue
        points = marks[exercise]
        if not mark(cell).get("grade"):
            found.append(_free_text(exercise, points, cell))
            continue
        kind, message = why(cell) if points.score < points.most else ("", "")
        before = trouble.get(exercise)
        if kind in ("raised", "unanswered") and before:
            kind, message = "raised", f"the answer cell raised {before}"
            if before == "CellTimeoutError":
                kind, message = "timeout", "the answer cell did not end within its time limit"
        found.append(Score(exercise, points.auto or 0.0, points.most, kind, message))
    return found


def _free_text(exercise: str, points: Mark, advice: Mapping[str, Any]) -> Score:
    """Return the score of a free text, with the advice of the check."""
    if points.auto is not None:
        # nbgrader gives no points for an unchanged cell
        return Score(exercise, points.auto, points.most, "unanswered", "there is no answer")
    said = first_error(advice)
    for output in advice.get("outputs", []):
        said = said or "".join(output.get("data", {}).get("text/plain", ""))
    return points.as_score(exercise, said)


def first_error(cell: Mapping[str, Any]) -> str:
    """Return the first error in a cell's outputs, or an empty text."""
    if _timed_out(cell):
        return "CellTimeoutError"
    for output in cell.get("outputs", []):
        if output.get("output_type") == "error":
            text = f"{output.get('ename')}: {output.get('evalue')}".rstrip(": ")
            return text[:200]
    return ""


def _timed_out(cell: Mapping[str, Any]) -> bool:
    # the interrupt leaves a KeyboardInterrupt of its own before nbgrader's mark
    return any(output.get("ename") == "CellTimeoutError" for output in cell.get("outputs", []))


def why(cell: Mapping[str, Any]) -> tuple[str, str]:
    """Return the kind and the message of the mistake that a grade cell found."""
    if _timed_out(cell):
        return "timeout", "a cell did not end within its time limit"
    outputs = cell.get("outputs", [])
    for output in outputs:
        if output.get("output_type") == "error":
            said = re.fullmatch(r"\[(\w+)\] (.*)", str(output.get("evalue")), flags=re.S)
            if output.get("ename") == "WrongAnswer" and said:
                return said[1], said[2]
            return "raised", f"the test raised {first_error(cell)}"
    for output in outputs:
        if output.get("output_type") == "stream" and output.get("name") == "stderr":
            text = "".join(output.get("text", "")).strip()[:100]
            return "stderr", f"something was written to stderr during the test: {text}"
    for output in reversed(outputs):
        # part points: `classroom.grade` leaves kind and message beside the verdict
        kind, message = output.get("metadata", {}).get("annlab", ("", ""))
        if kind:
            return str(kind), str(message)
    return "unknown", "no points, and no message"

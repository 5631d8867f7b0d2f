"""Grade one submission: ``python -m annlab.classroom._worker ORDER``."""

from __future__ import annotations

import json
import re
import shutil
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from annlab._support.files import atomic_write
from annlab.classroom._course import nbgrader_api
from annlab.classroom._gradebook import Gradebook, graded_notebook
from annlab.classroom._grading import DIED, LOCKED
from annlab.classroom._results import BROKEN, GRADED, Mark, Row, scores_of
from annlab.classroom._submission import (
    Notebook,
    answers_in,
    files_in,
    find_notebook,
    is_notebook,
    read_notebook,
    restore,
)

#: End of the note on a mark that was given to another answer.
OUTDATED = "points by hand were for an earlier answer and do not count for this one"


def grade_submission(order: dict[str, Any]) -> Row:
    """Grade one submission in this process.

    ``order`` names the ``folder`` of the course, ``student``, ``assignment``, ``timeout_s`` of a
    cell, and a ``private`` folder to work in.
    """
    folder, student, name = Path(order["folder"]), order["student"], order["assignment"]
    row = Row(student, name, BROKEN)
    try:
        released = read_notebook(folder / "release" / name / f"{name}.ipynb")
        path, notebook, row.notes = find_notebook(
            folder / "submitted" / student / name, name, released
        )
        notebook, notes = restore(notebook, released)
        row.notes += notes
    except (ValueError, OSError) as reason:
        row.notes.append(str(reason))
        return row
    # nbgrader searches with patterns, and the path of the course may contain [, ] and ?
    root = Path(order["private"]) / "course"
    shutil.copytree(folder / "source" / name, root / "source" / name)
    _copy_files(path, root / "submitted" / student / name, notebook, name)
    api = nbgrader_api(root, folder, Execute__timeout=max(1, round(order["timeout_s"])))
    log = _autograde(api, root / "submitted" / student / name, name)
    graded = graded_notebook(root, student, name)
    if log or not graded.exists():
        row.notes.append(why_not_graded(log))
        return row
    book = Gradebook(folder)
    place = graded_notebook(folder, student, name)
    marks = book.marks()[row.pair]
    old = book.rows().get(row.pair, row)
    withdrawn = _outdated(marks, place, notebook, released)
    book.withdraw(row.pair, withdrawn)
    # until the teacher gives points again
    by_hand = {exercise for exercise, mark in marks.items() if mark.by_hand is not None}
    told = [note for note in old.notes if note.endswith(OUTDATED)]
    row.notes += [note for note in told if note.partition(":")[0] not in by_hand]
    row.notes += withdrawn.values()
    _replace(graded.parent, place.parent)
    row.status = GRADED
    row.exercises = scores_of(read_notebook(place), marks)
    return row


def _autograde(api: Any, place: Path, name: str) -> str:
    """Grade one submission with nbgrader; return its log if that fails."""
    from nbgrader.apps.api import capture_log, temp_attrs
    from nbgrader.converters import Autograde

    class AutogradeOne(Autograde):
        def init_notebooks(self) -> None:
            # no search by patterns: a name may contain [ and ], or end with a blank
            self.assignments = {str(place): [str(place / f"{name}.ipynb")]}
            self.notebooks: list[str] = []

    with temp_attrs(api.coursedir, assignment_id=name):
        app = AutogradeOne(coursedir=api.coursedir, parent=api)
        app.force = app.create_student = True
        done = capture_log(app)
    return "" if done["success"] else f"{done.get('log', '')}\n{done.get('error', '')}"


def _copy_files(path: Path, place: Path, notebook: Notebook, name: str) -> None:
    """Copy a submission: the notebook and the student's data files."""
    place.mkdir(parents=True)
    for file in files_in(path.parent):
        if not is_notebook(file.name):
            copy = place / file.relative_to(path.parent)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, copy, follow_symlinks=False)
    (place / f"{name}.ipynb").write_text(json.dumps(notebook), encoding="utf-8")


def _outdated(
    marks: dict[str, Mark], before: Path, notebook: Notebook, released: Notebook
) -> dict[str, str]:
    """Return a note on each manual mark that was given to an earlier answer."""
    try:
        old = answers_in(read_notebook(before), released)
    except (OSError, ValueError):
        # the graded notebook is gone, so it is not known what the teacher saw
        return {}
    new = answers_in(notebook, released)
    return {
        exercise: f"{exercise}: {mark.by_hand:g} {OUTDATED}"
        for exercise, mark in marks.items()
        if mark.by_hand is not None
        and old.get(f"answer-{exercise}") != new.get(f"answer-{exercise}")
    }


def _replace(made: Path, place: Path) -> None:
    """Replace an earlier graded notebook."""
    from nbgrader.utils import rmtree

    if place.exists():
        rmtree(str(place))
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(made, place)


def why_not_graded(log: str) -> str:
    """Return the reason in nbgrader's log."""
    if re.search(r"DeadKernel|kernel died", log, flags=re.I):
        return DIED
    if re.search(r"unresponsive|CellTimeoutError", log):
        return "stopped: a cell did not end and could not be interrupted"
    if "database is locked" in log:
        return LOCKED
    lines = [
        line.strip() for line in log.splitlines() if re.match(r"\s*[\w.]*(Error|Exception)\b", line)
    ]
    return f"nbgrader gave up: {lines[-1][:200] if lines else 'no reason given'}"


if __name__ == "__main__":
    order = json.loads(sys.argv[1])
    # atomic: `_grading` reads it only if it is complete
    report = json.dumps(asdict(grade_submission(order)))
    with atomic_write(order["result"], text=True) as file:
        file.write(report)

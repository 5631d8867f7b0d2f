"""The tables of a course, made from the gradebook: by submission and by exercise."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable, Sequence
from pathlib import Path

from annlab._support.files import atomic_write
from annlab.classroom._gradebook import Gradebook
from annlab.classroom._results import Row

#: The command that makes the tables from the gradebook.
AGAIN = "    annlab classroom grade DIR --tables-only"
GRADES, BY_EXERCISE = "grades.csv", "grades_by_exercise.csv"
_COLUMNS = {
    GRADES: ["student", "assignment", "score", "max_score", "status", "reason"],
    BY_EXERCISE: ["student", "assignment", "exercise", "score", "max_score", "kind", "message"],
}


def write_tables(book: Gradebook, rows: Sequence[Row], say: Callable[[str], None]) -> None:
    """Write both tables; set aside a file of that name that annlab has not written.

    Parameters
    ----------
    book : Gradebook
        It knows what was written last.
    rows : sequence of Row
        All of the course.
    say : callable
        Called with a sentence for each file that was set aside.
    """
    for name, content in _contents(rows).items():
        path = book.folder / name
        if path.exists() and _digest(path.read_bytes()) not in (
            book.digest(name),
            _digest(content),
        ):
            kept = _set_aside(path)
            say(f"{name} was changed by somebody else; that file is now {kept.name}.")
        try:
            with atomic_write(path) as file:
                file.write(content)
        except PermissionError:
            say(f"{name} cannot be written: is it open in a program? Close it and call\n{AGAIN}")
            continue
        book.set_digest(name, _digest(content))


def _contents(rows: Sequence[Row]) -> dict[str, bytes]:
    lines: dict[str, list[list[str]]] = {name: [columns] for name, columns in _COLUMNS.items()}
    for row in rows:
        pair = (row.student, row.assignment)
        points = (f"{row.score:g}", f"{row.max_score:g}")
        lines[GRADES].append(_plain(*pair, *points, row.status, row.reason))
        for one in row.exercises:
            points = (f"{one.score:g}", f"{one.max_score:g}")
            lines[BY_EXERCISE].append(_plain(*pair, one.exercise, *points, one.kind, one.message))
    contents = {}
    for name, table in lines.items():
        text = io.StringIO(newline="")
        csv.writer(text).writerows(table)
        contents[name] = text.getvalue().encode("utf-8")
    return contents


def _plain(*values: str) -> list[str]:
    """Return texts of one line each, and none that a spreadsheet takes for a formula."""
    # blanks at the end of a name may be all that tells two students apart
    lines = [" ".join(value.splitlines()) for value in values]
    return [f"'{line}" if line.lstrip()[:1] in tuple("=+-@") else line for line in lines]


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _set_aside(path: Path) -> Path:
    number = 1
    while (kept := path.with_name(f"{path.stem} (set aside {number}){path.suffix}")).exists():
        number += 1
    path.rename(kept)
    return kept


def format_rows(rows: Sequence[Row]) -> str:
    """Return a table for a terminal."""
    wide = max([len("student"), *(len(row.student) for row in rows)])
    lines = [f"{'student':{wide}}  assignment  points   status         reason"]
    for row in rows:
        points = f"{row.score:g}/{row.max_score:g}"
        reason = row.reason if len(row.reason) <= 110 else row.reason[:107] + "..."
        lines.append(
            f"{row.student:{wide}}  {row.assignment:10}  {points:7}  {row.status:13}  {reason}"
        )
    return "\n".join(lines)

"""The tables of a course, from the gradebook, also for Moodle and Canvas."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from annlab._support.files import atomic_write
from annlab.classroom._gradebook import Gradebook
from annlab.classroom._results import BY_HAND, GRADED, WAITS, Row

GRADES, BY_EXERCISE, BY_STUDENT = "grades.csv", "grades_by_exercise.csv", "grades_by_student.csv"
MOODLE, CANVAS, MISTAKES = "grades_moodle.csv", "grades_canvas.csv", "mistakes.csv"
#: Optional, made by the teacher: columns "student" (name of the folder) and "login".
LOGINS = "students.csv"

Table = list[list[str]]


def write_tables(book: Gradebook, rows: Sequence[Row], say: Callable[[str], None]) -> None:
    """Write all tables from all rows of a course.

    A file of that name that annlab has not written is set aside, and ``say`` is told.
    """
    for name, table in _tables(rows, _logins(book.folder / LOGINS)).items():
        text = io.StringIO(newline="")
        csv.writer(text).writerows(_plain(line) for line in table)
        content, path = text.getvalue().encode("utf-8"), book.folder / name
        digest = _digest(content)
        if path.exists() and _digest(path.read_bytes()) not in (book.digest(name), digest):
            kept = _set_aside(path)
            say(f"{name} was changed by another program; that file is now {kept.name}.")
        try:
            with atomic_write(path) as file:
                file.write(content)
        except PermissionError:
            say(
                f"{name} cannot be written: is it open in a program? Close it and call\n"
                "    annlab classroom grade DIR --tables-only"
            )
            continue
        book.set_digest(name, digest)


def _tables(rows: Sequence[Row], logins: Mapping[str, str]) -> dict[str, Table]:
    return {
        GRADES: [
            ["student", "assignment", "score", "max_score", "status", "reason"],
            *(
                [*row.pair, f"{row.score:g}", f"{row.max_score:g}", row.status, row.reason]
                for row in rows
            ),
        ],
        BY_EXERCISE: [
            ["student", "assignment", "exercise", "score", "max_score", "kind", "message"],
            *(
                [
                    *row.pair,
                    one.exercise,
                    f"{one.score:g}",
                    f"{one.max_score:g}",
                    one.kind,
                    one.message,
                ]
                for row in rows
                for one in row.exercises
            ),
        ],
        **_by_student(rows, logins),
        MISTAKES: _mistakes(rows),
    }


def _by_student(rows: Iterable[Row], logins: Mapping[str, str]) -> dict[str, Table]:
    """Return a line for each student: totals, and what Moodle and Canvas import."""
    most: dict[str, float] = defaultdict(float)
    scores: dict[str, dict[str, float]] = defaultdict(dict)
    for row in rows:
        # a stray file cannot earn points
        if row.max_score:
            most[row.assignment] = max(most[row.assignment], row.max_score)
            scores[row.student][row.assignment] = row.score
    names = sorted(most)
    points = [f"{most[name]:g}" for name in names]
    total = sum(most.values())
    table = [["student", *names, "total", "max_total", "percent"]]
    moodle = [["username", *names]]
    canvas = [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", *names],
        ["Points Possible", "", "", "", "", *points],
    ]
    for student, given in sorted(scores.items()):
        cells = [f"{given[name]:g}" if name in given else "" for name in names]
        got = sum(given.values())
        table.append([student, *cells, f"{got:g}", f"{total:g}", f"{100 * got / total:.1f}"])
        login = logins.get(student, student)
        moodle.append([login, *cells])
        # the number that Canvas gives to downloaded files
        number = re.search(r"_(\d+)$", student)
        canvas.append([student, number[1] if number else "", "", login, "", *cells])
    return {BY_STUDENT: table, MOODLE: moodle, CANVAS: canvas}


def _mistakes(rows: Iterable[Row]) -> Table:
    """Return the number of students per kind of mistake, most frequent first."""
    students: dict[tuple[str, str], set[str]] = defaultdict(set)
    told: dict[tuple[str, str], str] = {}
    graded: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        for one in row.exercises if row.status == GRADED else []:
            graded[one.exercise].add(row.student)
            if one.kind not in ("", BY_HAND, WAITS):
                students[one.exercise, one.kind].add(row.student)
                told.setdefault((one.exercise, one.kind), one.message)
    order = sorted(students, key=lambda key: (key[0], -len(students[key]), key[1]))
    return [
        ["exercise", "kind", "students", "of", "message"],
        *([*key, str(len(students[key])), str(len(graded[key[0]])), told[key]] for key in order),
    ]


def _logins(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        return {line.get("student", ""): line.get("login", "") for line in csv.DictReader(file)}


def _plain(values: Iterable[str]) -> list[str]:
    """Return one-line texts that no spreadsheet takes for formulas."""
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

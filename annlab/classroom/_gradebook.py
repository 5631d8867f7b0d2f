"""The course's ``gradebook.db``: nbgrader's marks, and annlab's notes.

All tables of the course are made from this database. annlab adds two of its own: ``annlab_rows``
(status, notes and messages of each submission) and ``annlab_files`` (digests of the CSV files that
were written, to recognise one that another program has changed).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

from annlab._support.errors import invalid
from annlab.classroom._results import GRADED, Mark, Row, Score, scores_of
from annlab.classroom._submission import exercise_named, read_notebook

DATABASE = "gradebook.db"
#: Seconds to wait while another process writes.
WAIT_S = 60
_TABLES = """
CREATE TABLE IF NOT EXISTS annlab_rows
    (student TEXT, assignment TEXT, row TEXT, PRIMARY KEY (student, assignment));
CREATE TABLE IF NOT EXISTS annlab_files (name TEXT PRIMARY KEY, digest TEXT);
"""
_GRADES = """
FROM grade
JOIN base_cell ON base_cell.id = grade.cell_id
JOIN submitted_notebook ON submitted_notebook.id = grade.notebook_id
JOIN submitted_assignment ON submitted_assignment.id = submitted_notebook.assignment_id
JOIN assignment ON assignment.id = submitted_assignment.assignment_id
"""

Pair = tuple[str, str]


def graded_notebook(folder: Path, student: str, name: str) -> Path:
    """Return the path of a notebook that nbgrader has run."""
    return folder / "autograded" / student / name / f"{name}.ipynb"


class Gradebook:
    """Marks and rows of a course; a ValueError without a valid database."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        path = folder / DATABASE
        remedy = f"Restore {DATABASE}, or make a new course and move submitted/ into it."
        if not path.is_file():
            raise invalid("DIR", f"a course folder with its {DATABASE}", folder, remedy)
        try:
            with self._open() as connection:
                connection.execute("SELECT manual_score FROM grade LIMIT 1")
                connection.executescript(_TABLES)
        except sqlite3.DatabaseError as reason:
            raise invalid(str(path), "nbgrader's database", str(reason), remedy) from None

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        uri = (self.folder.resolve() / DATABASE).as_uri() + "?mode=rw"
        with closing(sqlite3.connect(uri, uri=True, timeout=WAIT_S)) as connection, connection:
            yield connection

    # -- nbgrader's marks --------------------------------------------------------------------------

    def marks(self) -> dict[Pair, dict[str, Mark]]:
        """Return the marks of every submission by exercise."""
        found: dict[Pair, dict[str, Mark]] = {}
        query = f"""
            SELECT student_id, assignment.name, base_cell.name, auto_score, manual_score,
                extra_credit, grade_cells.max_score
            {_GRADES} JOIN grade_cells ON grade_cells.id = base_cell.id
        """
        with self._open() as connection:
            for student, name, cell, auto, by_hand, extra, most in connection.execute(query):
                if by_hand is not None or extra:
                    by_hand = (auto or 0.0 if by_hand is None else by_hand) + (extra or 0.0)
                marks = found.setdefault((student, name), {})
                marks[exercise_named(cell)] = Mark(auto, most, by_hand)
        # a submission that was never graded has no marks at all
        return {
            pair: marks
            for pair, marks in found.items()
            if any(one.auto is not None or one.by_hand is not None for one in marks.values())
        }

    def withdraw(self, pair: Pair, exercises: Iterable[str]) -> None:
        """Delete marks given by hand, and ask for new ones."""
        which = f"SELECT grade.id {_GRADES} WHERE student_id = ? AND assignment.name = ?"
        with self._open() as connection:
            for exercise in exercises:
                connection.execute(
                    "UPDATE grade SET manual_score = NULL, extra_credit = NULL, "
                    f"needs_manual_grade = 1 WHERE id IN ({which} AND base_cell.name IN (?, ?))",
                    (*pair, f"test-{exercise}", f"answer-{exercise}"),
                )

    # -- rows --------------------------------------------------------------------------------------

    def save(self, row: Row) -> None:
        """Save a row."""
        with self._open() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO annlab_rows VALUES (?, ?, ?)",
                (*row.pair, json.dumps(asdict(row))),
            )

    def forget(self, pairs: Iterable[Pair]) -> None:
        """Delete rows; nbgrader's marks stay."""
        with self._open() as connection:
            connection.executemany(
                "DELETE FROM annlab_rows WHERE student = ? AND assignment = ?", pairs
            )

    def annotate(self, pairs: Iterable[Pair], note: str) -> None:
        """Add a note to rows, once."""
        found = self._rows_without_hand_marks(self.marks())
        for pair in pairs:
            row = found[pair]
            row.notes = [*(one for one in row.notes if one != note), note]
            self.save(row)

    def rows(self) -> dict[Pair, Row]:
        """Return every row, with marks given by hand."""
        marks = self.marks()
        found = self._rows_without_hand_marks(marks)
        for pair, row in found.items():
            if row.status == GRADED:
                hand = marks.get(pair, {})
                row.exercises = [one.with_mark(hand.get(one.exercise)) for one in row.exercises]
        return found

    def _rows_without_hand_marks(self, marks: Mapping[Pair, Mapping[str, Mark]]) -> dict[Pair, Row]:
        found: dict[Pair, Row] = {}
        with self._open() as connection:
            for (text,) in connection.execute("SELECT row FROM annlab_rows"):
                told = json.loads(text)
                row = Row(**told | {"exercises": [Score(**one) for one in told["exercises"]]})
                found[row.pair] = row
        for pair, given in marks.items():
            row = found.setdefault(pair, Row(*pair, GRADED))
            points = {one.exercise: one.score for one in row.exercises}
            if row.status == GRADED and points != {
                name: one.auto or 0.0 for name, one in given.items()
            }:
                # nbgrader's own command has graded it
                row.exercises = self._scores(pair, given)
        return dict(sorted(found.items()))

    def _scores(self, pair: Pair, marks: Mapping[str, Mark]) -> list[Score]:
        """Return the points of the checks, with messages from the notebook, if any."""
        with suppress(OSError, ValueError):
            return scores_of(read_notebook(graded_notebook(self.folder, *pair)), marks)
        return [mark.as_score(exercise) for exercise, mark in sorted(marks.items())]

    # -- files -------------------------------------------------------------------------------------

    def digest(self, name: str) -> str | None:
        """Return the digest of a table when annlab last wrote it."""
        with self._open() as connection:
            query = "SELECT digest FROM annlab_files WHERE name = ?"
            found = connection.execute(query, (name,)).fetchone()
        return found[0] if found else None

    def set_digest(self, name: str, digest: str) -> None:
        """Save the digest of a table that annlab has written."""
        with self._open() as connection:
            connection.execute("INSERT OR REPLACE INTO annlab_files VALUES (?, ?)", (name, digest))

"""Grade a course: each submission in a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from annlab._support.errors import invalid, require
from annlab.classroom._course import CONFIG
from annlab.classroom._gradebook import Gradebook, Pair
from annlab.classroom._results import BROKEN, GRADED, MISSING, Row, Score, no_points
from annlab.classroom._submission import is_litter, read_notebook
from annlab.classroom._tables import write_tables

#: Reasons to try a second time.
LOCKED, DIED = "the gradebook is locked", "the kernel died while the notebook ran"
#: Note on a mark whose submission no longer exists.
GONE = "graded before; it is no longer in submitted/"


def grade_course(
    folder: Path,
    *,
    timeout_s: float = 30,
    limit_s: float = 300,
    jobs: int = 0,
    students: Sequence[str] = (),
    assignments: Sequence[str] = (),
    told: Callable[[Row], None] | None = None,
    say: Callable[[str], None] | None = None,
) -> list[Row]:
    """Grade all submissions and write the tables; errors affect single rows.

    Parameters
    ----------
    folder : Path
        As `new_course` makes it, with notebooks in ``submitted/STUDENT/ASSIGNMENT/``.
    timeout_s, limit_s : float
        Seconds for one cell, which is then interrupted, and for a whole submission.
    jobs : int, default=0
        Submissions at the same time; 0 means half of the processors.
    students, assignments : sequence of str, default=()
        Grade only these. A student without a submission gets a row that says so.
    told, say : callable, optional
        Called with each new row, and with a sentence for each table that was set aside.

    Returns
    -------
    list of Row
        By student and assignment.

    Raises
    ------
    ValueError
        If ``folder`` is not a course, or an assignment is unknown.
    KeyboardInterrupt
        After all processes have been ended and the tables have been written.
    """
    from annlab._support.threads import available_cpus

    course = _Course(folder)
    for name in assignments:
        if name not in course.released:
            raise invalid("--assignments", "one of " + ", ".join(course.released), repr(name))
    names = course.students(students)
    todo = [(student, name) for student in names for name in course.wanted(assignments)]
    if not names and not course.strays:
        # do not replace an earlier table by an empty one
        return []
    jobs = jobs or max(1, available_cpus() // 2)
    lock, running = threading.Lock(), Running()
    before = course.book.rows()

    def work(pair: Pair) -> None:
        old = before.get(pair)
        gone = pair not in course.handed_in
        if gone:
            row = old if old is not None and old.status == GRADED else course.absent(*pair)
        else:
            row = grade_one(course.folder, *pair, timeout_s, limit_s, running)
        with lock:
            if running.stopped:
                return
            if gone and row is old:
                course.book.annotate([pair], GONE)
            else:
                course.keep(row)
            if told is not None:
                told(row)

    try:
        _in_parallel(work, todo, jobs, running)
    except BaseException:
        course.write(say)
        raise
    if not students and not assignments:
        course.clear_up(todo)
    shown = {row.pair for row in course.strays if not students or row.student in names}
    rows = course.write(say)
    if students or assignments:
        rows = [row for row in rows if row.pair in shown.union(todo)]
    return rows


def _in_parallel(
    work: Callable[[Pair], None], todo: Sequence[Pair], jobs: int, running: Running
) -> None:
    """Grade in threads; end all processes if one fails or is interrupted."""
    with ThreadPoolExecutor(jobs) as pool:
        try:
            for future in [pool.submit(work, pair) for pair in todo]:
                future.result()
        except BaseException:
            # the processes do not receive Ctrl-C
            running.stop()
            pool.shutdown(cancel_futures=True)
            raise


def remake_tables(folder: Path, say: Callable[[str], None] | None = None) -> list[Row]:
    """Write the tables from the gradebook again, after manual marking."""
    return _Course(folder).write(say)


class _Course:
    """Contents of a course folder; a ValueError if it is not a course."""

    def __init__(self, folder: Path) -> None:
        require("nbgrader", purpose="to grade", extra="classroom")
        self.folder = Path(folder).expanduser()
        self.released = [path.name for path in _folders(self.folder / "release")]
        if not (self.folder / CONFIG).exists() or not self.released:
            raise invalid(
                "DIR", "a course folder", folder, "Make one with: annlab classroom new DIR"
            )
        self.book = Gradebook(self.folder)
        students = _folders(self.folder / "submitted")
        self._folders = {(one.name, path.name) for one in students for path in _folders(one)}
        self.handed_in = {pair for pair in self._folders if pair[1] in self.released}
        self.strays = list(_strays(self.folder, self.released))

    def students(self, chosen: Sequence[str]) -> list[str]:
        """Return the students to grade: all with a submission, or chosen ones."""
        known = {student for student, _ in self._folders}.difference(self.released)
        if not chosen:
            return sorted(known)
        # macOS writes ö as two characters
        same = {unicodedata.normalize("NFC", student): student for student in known}
        return sorted({same.get(unicodedata.normalize("NFC", name), name) for name in chosen})

    def wanted(self, chosen: Sequence[str]) -> list[str]:
        """Return the assignments to grade."""
        # an assignment without any submission is not missing yet
        collected = {name for _, name in self.handed_in}
        return list(chosen) or [name for name in self.released if name in collected]

    def absent(self, student: str, name: str) -> Row:
        """Return the row of an assignment that was not handed in."""
        told = "nothing was handed in"
        scores = no_points(released_notebook(self.folder, name), told)
        return Row(student, name, MISSING, [told], scores)

    def keep(self, row: Row) -> None:
        """Save a row; if the submission is broken, mention an earlier one's mark."""
        marks = self.book.marks().get(row.pair, {}).values()
        score = sum(one.score for one in marks)
        if row.status == BROKEN and score:
            most = sum(one.most for one in marks)
            note = f"what was handed in before had {score:g} of {most:g} points"
            row = replace(row, notes=[*row.notes, note])
        self.book.save(row)

    def clear_up(self, done: Iterable[Pair]) -> None:
        """Delete rows without a submission; keep and annotate those with a mark."""
        left = {pair: row for pair, row in self.book.rows().items() if pair not in set(done)}
        self.book.annotate([pair for pair, row in left.items() if row.status == GRADED], GONE)
        self.book.forget(pair for pair, row in left.items() if row.status != GRADED)

    def write(self, say: Callable[[str], None] | None) -> list[Row]:
        """Write the tables, and return all rows of the course."""
        found = self.book.rows()
        for stray in self.strays:
            # a misplaced submission is not a missing one
            if stray.pair in found and found[stray.pair].status == MISSING:
                del found[stray.pair]
        rows = sorted([*found.values(), *self.strays], key=lambda row: row.pair)
        write_tables(self.book, rows, say or (lambda sentence: None))
        return rows


def _folders(folder: Path) -> list[Path]:
    return [x for x in sorted(folder.glob("*")) if x.is_dir() and not is_litter(x.name)]


def _strays(folder: Path, released: Sequence[str]) -> Iterator[Row]:
    """Make a row for each file outside of ``submitted/STUDENT/ASSIGNMENT/``."""
    submitted = folder / "submitted"
    for path in sorted([*submitted.glob("*"), *submitted.glob("*/*")]):
        outer = "" if path.parent == submitted else path.parent.name
        if is_litter(path.name) or is_litter(outer):
            continue
        by_assignment = outer in released
        if path.is_dir() and not by_assignment and (not outer or path.name in released):
            continue
        name = next((one for one in released if one in path.name), "")
        student = outer or "?"
        if by_assignment:
            name, student = outer, path.name.partition(".")[0]
        place = f"submitted/{student if student != '?' else 'STUDENT'}/{name or 'ASSIGNMENT'}/"
        note = f"{path.relative_to(folder).as_posix()} was not graded: put its notebook in {place}"
        yield Row(student, name or path.name.partition(".")[0], BROKEN, [note])


def released_notebook(folder: Path, name: str) -> dict[str, Any] | None:
    """Read the student copy of an assignment, if it can be read."""
    with contextlib.suppress(OSError, ValueError):
        return read_notebook(folder / "release" / name / f"{name}.ipynb")
    return None


# -- processes -----------------------------------------------------------------------------------


class Running:
    """The running grading processes, to be ended together."""

    def __init__(self) -> None:
        self.stopped = False
        self._processes: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()

    def start(self, command: Sequence[str], **options: Any) -> subprocess.Popen[bytes] | None:
        """Start a process, unless all have been stopped."""
        with self._lock:
            if self.stopped:
                return None
            process = subprocess.Popen(command, **options)
            self._processes.add(process)
            return process

    def ended(self, process: subprocess.Popen[bytes]) -> None:
        """Forget a process."""
        with self._lock:
            self._processes.discard(process)

    def stop(self) -> None:
        """End all processes, and start no more."""
        with self._lock:
            self.stopped = True
            for process in self._processes:
                _kill(process)


def grade_one(
    folder: Path, student: str, name: str, timeout_s: float, limit_s: float, running: Running
) -> Row:
    """Grade one submission in its own process, killed when time is up."""
    order = {"folder": str(folder.resolve()), "student": student, "assignment": name}
    row, trouble = _in_a_process(order | {"timeout_s": timeout_s}, limit_s, running)
    if row is not None and not running.stopped and {LOCKED, DIED} & set(row.notes):
        # another submission kept the gradebook busy, or two kernels chose the same port
        time.sleep(1.0)
        row, trouble = _in_a_process(order | {"timeout_s": timeout_s}, limit_s, running)
    if row is None:
        row = Row(student, name, BROKEN, [trouble or "the process that graded it died"])
    if not row.exercises:
        row.exercises = no_points(released_notebook(folder, name), row.notes[-1])
    return row


def _in_a_process(
    order: dict[str, object], limit_s: float, running: Running
) -> tuple[Row | None, str]:
    """Return the row, or None and the reason."""
    with tempfile.TemporaryDirectory(prefix="annlab-grade-") as private:
        result = Path(private) / "result.json"
        order = order | {"private": private, "result": str(result)}
        process = running.start(
            [sys.executable, "-m", "annlab.classroom._worker", json.dumps(order)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=_environment(private),
            start_new_session=True,
        )
        if process is None:
            return None, "interrupted"
        try:
            _, said = process.communicate(timeout=limit_s)
            trouble = said.decode(errors="replace").strip()[-300:]
        except subprocess.TimeoutExpired:
            _end(process)
            trouble = f"stopped after {limit_s:g} seconds: it did not end"
        finally:
            if process.poll() is None:
                _end(process)
            running.ended(process)
        if running.stopped:
            return None, "interrupted"
        with contextlib.suppress(OSError, ValueError):
            told = json.loads(result.read_text(encoding="utf-8"))
            told["exercises"] = [Score(**one) for one in told["exercises"]]
            return Row(**told), ""
    return None, trouble


def _environment(private: str) -> dict[str, str]:
    environment = dict(os.environ)
    environment["PATH"] = (
        str(Path(sys.executable).parent) + os.pathsep + environment.get("PATH", "")
    )
    environment["JUPYTER_PREFER_ENV_PATH"] = "1"
    # keep histories and settings of students' kernels out of the teacher's home folder
    environment["IPYTHONDIR"] = str(Path(private) / "ipython")
    environment["JUPYTER_RUNTIME_DIR"] = str(Path(private) / "runtime")
    environment.setdefault("OMP_NUM_THREADS", "2")
    return environment


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and its kernels, which run in sessions of their own."""
    import psutil

    family = []
    with contextlib.suppress(psutil.Error):
        family = psutil.Process(process.pid).children(recursive=True)
    for member in [process, *family]:
        with contextlib.suppress(psutil.Error, OSError):
            member.kill()


def _end(process: subprocess.Popen[bytes]) -> None:
    _kill(process)
    process.communicate()

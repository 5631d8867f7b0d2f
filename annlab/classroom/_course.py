"""A teacher's course folder: made ready, and graded whatever the students hand in."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from annlab._support.errors import invalid, require
from annlab._support.files import atomic_write
from annlab.classroom._source import (
    BEGIN,
    BEGIN_HIDDEN,
    assignment_name,
    build,
    exercises_folder,
    solution_of,
    stub_of,
)

CONFIG = "nbgrader_config.py"
GRADES, BY_EXERCISE = "grades.csv", "grades_by_exercise.csv"
#: Seconds for one cell, and for one submission with the start of its kernel.
CELL_S, SUBMISSION_S = 30, 300
#: A notebook larger than this is not opened: nobody writes ten megabytes of answers.
MAX_BYTES = 10_000_000
#: Troubles that may be gone at a second try.
LOCKED, DIED = "the gradebook is locked", "the kernel died while the notebook ran"
#: How a submission fared.
GRADED, BROKEN, MISSING = "graded", "not graded", "not handed in"

README = """\
# A course folder

| folder or file | what it is |
|---|---|
| `release/` | student copies without solutions: hand these out |
| `submitted/STUDENT/{example}/{example}.ipynb` | put what comes back here, one folder a student |
| `source/` | the exercises with their solutions: for teachers only |
| `gradebook.db` | nbgrader's record; it holds solutions as well |
| `{grades}`, `{by_exercise}` | the result of grading |
| `autograded/` | the students' notebooks as they were run, with every message |

    annlab classroom grade .

grades what lies in `submitted/` and writes both tables. Nothing needs a network or a server. Ctrl-C
keeps what has been graded; `--students NAME` grades one again and leaves the other lines.

**Students' code runs as you.** Each submission runs in processes of its own with a time limit, so
an endless or crashing one harms no other. That is no sandbox: such code can read and delete your
files (the other submissions, the solutions and the gradebook, too), reach the network, fill the
memory, leave a program running in the background, and cheat by replacing the checks. For people
that you do not trust, grade in a container or under an account that owns nothing else.

**Free texts** are graded by the words that they use, which is quick and coarse: read them, too, in
`autograded/`. Points that you change with nbgrader's formgrader stay in `gradebook.db`.
"""


# -- a new course --------------------------------------------------------------------------------


def new_course(
    folder: Path, topics: Sequence[int] = (), *, exercises: Path | None = None
) -> list[str]:
    """Write a course folder: sources, settings, and student copies without solutions.

    Parameters
    ----------
    folder : Path
        New, or empty.
    topics : sequence of int, default=()
        All topics that have exercises, by default.
    exercises : Path, optional
        Folder with the sources, by default that of the checkout.

    Returns
    -------
    list of str
        Names of the assignments.

    Raises
    ------
    ValueError
        If the folder holds something, or for a topic without exercises.
    RuntimeError
        If a student copy holds a part of a solution; the course is removed again.
    """
    require("nbgrader", purpose="to make a course", extra="classroom")
    folder = Path(folder).expanduser()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise invalid("DIR", "a new or an empty folder", folder, "Name another one.")
    origin = exercises_folder() if exercises is None else exercises
    stale = build(origin, topics, check=True)
    if stale:
        raise ValueError(f"{', '.join(stale)} is not in step. Call: annlab classroom build")
    known = [int(path.stem) for path in sorted((origin / "topics").glob("[0-9][0-9].md"))]
    for number in topics:
        if number not in known:
            rule = "among " + ", ".join(f"{n:02d}" for n in known)
            raise invalid("--topics", rule, f"{number:02d}")
    names = [assignment_name(number) for number in (sorted(set(topics)) or known)]
    existed = folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        shutil.copy(origin / CONFIG, folder / CONFIG)
        for name in names:
            shutil.copytree(origin / "source" / name, folder / "source" / name)
        (folder / "submitted").mkdir()
        text = README.format(example=names[0], grades=GRADES, by_exercise=BY_EXERCISE)
        (folder / "README.md").write_text(text, encoding="utf-8")
        grader = _grader(folder)
        for name in names:
            done = grader.generate_assignment(name)
            if not done["success"]:
                raise RuntimeError(f"nbgrader could not make {name}:\n{done.get('error', done)}")
            leaks = find_leaks(folder, name)
            if leaks:
                raise RuntimeError(f"the student copy of {name} holds solutions: {leaks}")
    except BaseException:
        for made in list(folder.iterdir()):
            shutil.rmtree(made) if made.is_dir() else made.unlink()
        if not existed:
            folder.rmdir()
        raise
    return names


def find_leaks(folder: Path, name: str) -> list[str]:
    """Lines of solutions, markers and hidden tests that a student copy should not hold."""
    source = json.loads((folder / "source" / name / f"{name}.ipynb").read_text(encoding="utf-8"))
    copy = json.loads((folder / "release" / name / f"{name}.ipynb").read_text(encoding="utf-8"))
    handed_out = "\n".join("".join(cell["source"]) for cell in copy["cells"])
    given = {line.strip() for cell in copy["cells"] for line in "".join(cell["source"]).split("\n")}
    leaks = [mark for mark in (BEGIN, BEGIN_HIDDEN, "hidden=True") if mark in handed_out]
    outputs = sum(bool(cell.get("outputs")) for cell in copy["cells"])
    leaks += [f"{outputs} outputs"] if outputs else []
    for cell in source["cells"]:
        text = "".join(cell["source"])
        if BEGIN in text:
            # a closing quote is no secret, nor is what stands outside the markers as well
            public = {line.strip() for line in stub_of(text).split("\n")}
            secret = [x for x in solution_of(text).split("\n") if len(x) > 8 and x not in public]
            leaks += [line for line in secret if line in given]
    return leaks


def _grader(folder: Path, **overrides: Any) -> Any:
    """Make nbgrader's API for a course folder with its own settings."""
    import logging

    from nbgrader.apps import NbGraderAPI
    from nbgrader.coursedir import CourseDirectory
    from traitlets.config import Config
    from traitlets.config.loader import PyFileConfigLoader

    config: Any = Config()
    if (folder / CONFIG).exists():
        config = PyFileConfigLoader(CONFIG, path=str(folder)).load_config()
    config.CourseDirectory.root = str(folder.resolve())
    # two submissions at a time write to it; SQLite then waits
    database = (folder / "gradebook.db").resolve().as_posix()
    config.CourseDirectory.db_url = f"sqlite:///{database}?timeout=60"
    for name, value in overrides.items():
        section, trait = name.split("__")
        config[section][trait] = value
    # nbgrader calls the command alembic, which lies beside this Python
    tools = str(Path(sys.executable).parent)
    if tools not in os.environ.get("PATH", "").split(os.pathsep):
        os.environ["PATH"] = tools + os.pathsep + os.environ.get("PATH", "")
    logging.disable(logging.CRITICAL)
    try:
        # it complains that there is no exchange folder, which nobody asked for
        return NbGraderAPI(coursedir=CourseDirectory(config=config), config=config)
    finally:
        logging.disable(logging.NOTSET)


# -- grading -------------------------------------------------------------------------------------


@dataclass
class Score:
    """Points for one exercise, and what the check said."""

    exercise: str
    score: float
    max_score: float
    kind: str = ""
    message: str = ""


@dataclass
class Row:
    """How one student fared in one assignment."""

    student: str
    assignment: str
    status: str
    score: float = 0.0
    max_score: float = 0.0
    notes: list[str] = field(default_factory=list)
    exercises: list[Score] = field(default_factory=list)

    @property
    def reason(self) -> str:
        """Why points are missing and what was unusual, in one line."""
        lost = [
            f"{one.exercise}: {one.message or 'no points'}"
            for one in self.exercises
            if one.score < one.max_score and one.message not in self.notes
        ]
        return " | ".join([*self.notes, *lost])


def grade_course(
    folder: Path,
    *,
    timeout_s: float = CELL_S,
    limit_s: float = SUBMISSION_S,
    jobs: int = 0,
    students: Sequence[str] = (),
    assignments: Sequence[str] = (),
    told: Callable[[Row], None] | None = None,
) -> list[Row]:
    """Grade all that was submitted; a broken submission spoils its own row only.

    Parameters
    ----------
    folder : Path
        As `new_course` makes it, with notebooks in ``submitted/STUDENT/ASSIGNMENT/``.
    timeout_s : float, default=30
        Seconds for one cell; then it is interrupted, and the next cell runs.
    limit_s : float, default=300
        Seconds for one submission; then all its processes are ended.
    jobs : int, default=0
        Submissions at the same time; 0 means half of the processors.
    students, assignments : sequence of str, default=()
        Restrict the run. A student of whom nothing is there gets a row that says so.
    told : callable, optional
        Called with each row when it is known.

    Returns
    -------
    list of Row
        By student and assignment. Also written to ``grades.csv`` and ``grades_by_exercise.csv``;
        a restricted run leaves the lines of the others there.

    Raises
    ------
    ValueError
        If ``folder`` is no course, or for an assignment that is not there.
    KeyboardInterrupt
        After the processes have been ended and the rows known so far have been written.
    """
    from annlab._support.threads import available_cpus

    require("nbgrader", purpose="to grade", extra="classroom")
    folder = Path(folder).expanduser()
    released = sorted(path.name for path in folder.glob("release/*") if path.is_dir())
    if not (folder / CONFIG).exists() or not released:
        raise invalid("DIR", "a course folder", folder, "Make one with: annlab classroom new DIR")
    handed_in = {
        (path.parent.name, path.name)
        for path in folder.glob("submitted/*/*")
        if path.is_dir() and not path.name.startswith(".")
    }
    for name in assignments:
        if name not in released:
            raise invalid("--assignments", "among " + ", ".join(released), repr(name))
    strays = _strays(folder)
    names = sorted({student for student, _ in handed_in} if not students else set(students))
    wanted = [
        name
        for name in (assignments or released)
        # nobody is told off for an assignment that has not been collected from anybody
        if assignments or any(name == which for _, which in handed_in)
    ]
    todo = [(student, name) for student in names for name in wanted]
    if not names and not strays:
        # a table from before is not replaced by an empty one
        return []
    jobs = jobs or max(1, available_cpus() // 2)
    lock, running = threading.Lock(), _Running()
    done: dict[tuple[str, str], Row] = {}

    def work(pair: tuple[str, str]) -> None:
        row = _absent(folder, *pair)
        if pair in handed_in:
            row = _grade_one(folder, *pair, timeout_s, limit_s, running)
        with lock:
            if not running.stopped:
                done[pair] = row
                if told is not None:
                    told(row)

    def rows() -> list[Row]:
        return [done[pair] for pair in todo if pair in done]

    pool = ThreadPoolExecutor(jobs)
    try:
        for future in [pool.submit(work, pair) for pair in todo]:
            future.result()
    except BaseException:
        # what is known is kept, whatever happens; the processes know nothing of a Ctrl-C
        running.stop()
        pool.shutdown(cancel_futures=True)
        write_tables(folder, rows(), keep_others=True)
        raise
    pool.shutdown()
    found = rows()
    for student, name in sorted(handed_in):
        if name not in released and not assignments and student in names:
            found = [row for row in found if (row.student, row.assignment) != (student, name)]
            note = f"there is no assignment {name!r} in release/"
            found.append(Row(student, name, BROKEN, notes=[note]))
    for stray in strays:
        # somebody has worked on it: that is not "not handed in"
        if not students or stray.student in names:
            same = (stray.student, stray.assignment)
            if same not in handed_in:
                found = [row for row in found if (row.student, row.assignment) != same]
            found.append(stray)
    write_tables(folder, found, keep_others=bool(students or assignments))
    return found


def _strays(folder: Path) -> list[Row]:
    """A row for each notebook that lies where nobody looks for one."""
    submitted = folder / "submitted"
    found = []
    for path in sorted([*submitted.glob("*.ipynb"), *submitted.glob("*/*.ipynb")]):
        own = path.parent != submitted
        match = re.match(r"topic_\d\d", path.name)
        name = match.group() if match else path.stem
        student = path.parent.name if own else "?"
        place = f"submitted/{student if own else 'STUDENT'}/{name if match else 'ASSIGNMENT'}/"
        lies = path.relative_to(folder).as_posix()
        found.append(
            Row(student, name, BROKEN, notes=[f"{lies} was not graded: move it to {place}"])
        )
    return found


class _Running:
    """The processes that grade at the moment, to be ended together."""

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
        """End all processes, and let none begin."""
        with self._lock:
            self.stopped = True
            for process in self._processes:
                _kill(process)


def _absent(folder: Path, student: str, name: str) -> Row:
    row = Row(student, name, MISSING, notes=["nothing was handed in"])
    row.exercises = _no_points(folder, name, "nothing was handed in")
    row.max_score = sum(one.max_score for one in row.exercises)
    return row


def _no_points(folder: Path, name: str, message: str) -> list[Score]:
    try:
        released = _read(folder / "release" / name / f"{name}.ipynb")
    except (OSError, ValueError):
        return []
    return [
        Score(_exercise_of(cell), 0.0, float(_mark(cell)["points"]), "not_graded", message)
        for cell in released["cells"]
        if _mark(cell).get("grade")
    ]


def _grade_one(
    folder: Path, student: str, name: str, timeout_s: float, limit_s: float, running: _Running
) -> Row:
    """Grade in a process of its own, and end that with all its children when time is over."""
    trouble = ""
    # the second try is for a gradebook that another submission kept busy, and for a kernel that
    # did not come up: two that start at the same time may choose the same port
    for _ in range(2):
        with tempfile.TemporaryDirectory(prefix="annlab-grade-") as private:
            result = Path(private) / "result.json"
            order = {
                "folder": str(folder.resolve()),
                "student": student,
                "assignment": name,
                "timeout_s": timeout_s,
                "private": private,
                "result": str(result),
            }
            process = running.start(
                [sys.executable, "-m", "annlab.classroom._worker", json.dumps(order)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=_environment(private),
                start_new_session=True,
            )
            if process is None:
                trouble = "interrupted"
                break
            try:
                _, said = process.communicate(timeout=limit_s)
                trouble = said.decode(errors="replace").strip()[-300:]
            except subprocess.TimeoutExpired:
                _end(process)
                trouble = f"stopped after {limit_s:g} seconds: it did not come to an end"
            finally:
                if process.poll() is None:
                    _end(process)
                running.ended(process)
            if running.stopped:
                trouble = "interrupted"
                break
            if result.exists():
                with contextlib.suppress(ValueError):
                    told = json.loads(result.read_text(encoding="utf-8"))
                    if told["status"] == GRADED or not _worth_a_retry(told["notes"]):
                        told["exercises"] = [Score(**one) for one in told["exercises"]]
                        row = Row(**told)
                        if not row.exercises:
                            row.exercises = _no_points(folder, name, row.notes[-1])
                            row.max_score = sum(one.max_score for one in row.exercises)
                        return row
                    trouble = "; ".join(told["notes"])
                    time.sleep(1.0)
                    continue
            break
    row = Row(student, name, BROKEN, notes=[trouble or "the process that graded it died"])
    row.exercises = _no_points(folder, name, row.notes[0])
    row.max_score = sum(one.max_score for one in row.exercises)
    return row


def _worth_a_retry(notes: Sequence[str]) -> bool:
    return any(note in (LOCKED, DIED) for note in notes)


def _environment(private: str) -> dict[str, str]:
    environment = dict(os.environ)
    environment["PATH"] = (
        str(Path(sys.executable).parent) + os.pathsep + environment.get("PATH", "")
    )
    environment["JUPYTER_PREFER_ENV_PATH"] = "1"
    # histories and settings of students' kernels do not belong into the teacher's home folder
    environment["IPYTHONDIR"] = str(Path(private) / "ipython")
    environment["JUPYTER_RUNTIME_DIR"] = str(Path(private) / "runtime")
    environment.setdefault("OMP_NUM_THREADS", "2")
    return environment


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and its kernels, which sit in sessions of their own."""
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


# -- one submission (runs in its own process) ------------------------------------------------------


def _mark(cell: Any) -> dict[str, Any]:
    metadata = cell.get("metadata")
    mark = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    return mark if isinstance(mark, dict) else {}


def _exercise_of(cell: Any) -> str:
    return str(_mark(cell).get("grade_id", "")).removeprefix("test-")


def _read(path: Path) -> dict[str, Any]:
    """Read a notebook that anybody may have written.

    Raises
    ------
    ValueError
        If it is none.
    """
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"the notebook is larger than {MAX_BYTES / 1e6:.0f} MB")
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        cells = notebook["cells"]
        for cell in cells:
            cell["source"] = "".join(cell["source"])
            cell.setdefault("metadata", {})
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as reason:
        raise ValueError(f"the file is no notebook ({type(reason).__name__})") from None
    return dict(notebook)


def submitted_notebook(folder: Path, name: str) -> tuple[Path, list[str]]:
    """Find the notebook in a student's folder, also under another name.

    Raises
    ------
    ValueError
        If there is none, or more than one could be meant.
    """
    path = folder / f"{name}.ipynb"
    if path.exists():
        return path, []
    others = sorted(folder.glob("*.ipynb"))
    if len(others) == 1:
        return others[0], [f"handed in as {others[0].name}"]
    if not others:
        raise ValueError(f"there is no {name}.ipynb in the folder")
    raise ValueError(f"there is no {name}.ipynb, but several others: which one is meant?")


def _restored(ids: list[str], fault: str) -> list[str]:
    """One sentence for all test cells and one for all answer cells that came back."""
    notes = []
    for what in ("test", "answer"):
        those = [id.split("-", 1)[1] for id in ids if id.startswith("test-") is (what == "test")]
        if len(those) == 1:
            notes.append(f"the {what} cell of {those[0]} was {fault}: restored")
        elif those:
            notes.append(f"{len(those)} {what} cells were {fault} ({', '.join(those)}): restored")
    return notes


def restore(
    submitted: dict[str, Any], released: dict[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """Put back what the student deleted or doubled; say what was done.

    Answer cells are the student's. Grade cells are taken from the student copy, and nbgrader then
    overwrites them with those of the source. A missing answer cell comes back as the empty stub.

    Parameters
    ----------
    submitted, released : dict
        Notebooks as JSON data.

    Returns
    -------
    notebook : dict
    notes : list of str
    """
    notes = []
    edited: list[str] = []
    missing: list[str] = []
    wanted = {_mark(c)["grade_id"]: c for c in released["cells"] if _mark(c).get("grade_id")}
    cells: list[dict[str, Any]] = []
    have: dict[str, int] = {}
    for cell in submitted["cells"]:
        id = _mark(cell).get("grade_id")
        if id is not None and (id not in wanted or id in have):
            # a copied cell carries the mark of its original
            cell = {**cell, "metadata": {}}
            id = None
        if id is not None:
            have[id] = len(cells)
            # marks of the student's copy may have been edited
            cell = {**cell, "metadata": wanted[id]["metadata"]}
            if cell.get("cell_type") != wanted[id]["cell_type"]:
                cell = {**wanted[id], "source": cell["source"]}
                notes.append(f"the type of cell {id} was changed back")
            if id.startswith("test-") and cell["source"].strip() != wanted[id]["source"].strip():
                edited.append(id)
        cells.append(cell)
    last = -1
    for id in wanted:
        place = next((i for i, cell in enumerate(cells) if _mark(cell).get("grade_id") == id), None)
        if place is None:
            missing.append(id)
            last += 1
            cells.insert(last, wanted[id])
        else:
            last = max(last, place)
    notes += _restored(edited, "edited") + _restored(missing, "missing")
    clean = []
    for number, cell in enumerate(cells):
        kind = cell.get("cell_type")
        if kind not in ("code", "markdown", "raw"):
            kind = "raw"
        kept: dict[str, Any] = {
            "cell_type": kind,
            "id": f"cell-{number}",
            "metadata": cell["metadata"] if isinstance(cell["metadata"], dict) else {},
            "source": cell["source"],
        }
        if kind == "code":
            kept |= {"execution_count": None, "outputs": []}
        clean.append(kept)
    whole = {**released, "cells": clean}
    return whole, notes


def grade_submission(order: dict[str, Any]) -> Row:
    """Grade one submission in this process (see `_grade_one`)."""
    folder, student, name = Path(order["folder"]), order["student"], order["assignment"]
    row = Row(student, name, BROKEN)
    try:
        released = _read(folder / "release" / name / f"{name}.ipynb")
        path, row.notes = submitted_notebook(folder / "submitted" / student / name, name)
        notebook, notes = restore(_read(path), released)
        row.notes += notes
    except (ValueError, OSError) as reason:
        row.notes.append(str(reason))
        return row
    place = Path(order["private"]) / "submitted" / student / name
    # a student may hand in data files as well; they lie beside the notebook
    shutil.copytree(
        path.parent, place, ignore=shutil.ignore_patterns("*.ipynb", ".*"), symlinks=True
    )
    (place / f"{name}.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    api = _grader(
        folder,
        CourseDirectory__submitted_directory=str(Path(order["private"]) / "submitted"),
        Execute__timeout=max(1, round(order["timeout_s"])),
    )
    done = api.autograde(name, student, force=True)
    graded = folder / "autograded" / student / name / f"{name}.ipynb"
    if not done["success"] or not graded.exists():
        row.notes.append(_why_not_graded(f"{done.get('log', '')}\n{done.get('error', '')}"))
        return row
    row.status = GRADED
    row.exercises = _scores(api, folder, student, name, _read(graded))
    row.score = sum(one.score for one in row.exercises)
    row.max_score = sum(one.max_score for one in row.exercises)
    return row


def _why_not_graded(log: str) -> str:
    """Say what nbgrader's log comes to."""
    if re.search(r"DeadKernel|kernel died", log, flags=re.I):
        return DIED
    if re.search(r"unresponsive|CellTimeoutError", log):
        return "stopped: a cell did not come to an end and could not be interrupted"
    if "database is locked" in log:
        return LOCKED
    lines = [
        line.strip() for line in log.splitlines() if re.match(r"\s*[\w.]*(Error|Exception)\b", line)
    ]
    return f"nbgrader gave up: {lines[-1][:200] if lines else 'no reason given'}"


def _scores(api: Any, folder: Path, student: str, name: str, graded: dict[str, Any]) -> list[Score]:
    from nbgrader.api import Gradebook

    with Gradebook(api.coursedir.db_url) as book:
        submission = book.find_submission_notebook(name, name, student)
        points = {one.name: (float(one.score), float(one.max_score)) for one in submission.grades}
    trouble = {}
    found = []
    for cell in graded["cells"]:
        id = _mark(cell).get("grade_id", "")
        if id.startswith("answer-"):
            trouble[id.removeprefix("answer-")] = _first_error(cell)
        if id in points:
            exercise = id.removeprefix("test-")
            score, most = points[id]
            kind, message = _why(cell) if score < most else ("", "")
            before = trouble.get(exercise)
            if kind in ("raised", "unanswered") and before:
                kind, message = "raised", f"the answer cell raised {before}"
                if before == "CellTimeoutError":
                    kind, message = "timeout", "the answer cell did not end within its time limit"
            found.append(Score(exercise, score, most, kind, message))
    return found


def _first_error(cell: Any) -> str:
    if _timed_out(cell):
        return "CellTimeoutError"
    for output in cell.get("outputs", []):
        if output.get("output_type") == "error":
            text = f"{output.get('ename')}: {output.get('evalue')}".rstrip(": ")
            return text[:200]
    return ""


def _timed_out(cell: Any) -> bool:
    # the interrupt leaves a KeyboardInterrupt of its own before nbgrader's mark
    return any(output.get("ename") == "CellTimeoutError" for output in cell.get("outputs", []))


def _why(cell: Any) -> tuple[str, str]:
    """Kind and message that a grade cell's outputs tell."""
    if _timed_out(cell):
        return "timeout", "a cell did not end within its time limit"
    for output in cell.get("outputs", []):
        if output.get("output_type") == "error":
            said = re.fullmatch(r"\[(\w+)\] (.*)", str(output.get("evalue")), flags=re.S)
            if output.get("ename") == "WrongAnswer" and said:
                return said[1], said[2]
            return "raised", f"the test raised {_first_error(cell)}"
    for output in cell.get("outputs", []):
        if output.get("output_type") == "stream" and output.get("name") == "stderr":
            text = "".join(output.get("text", "")).strip()[:100]
            return "stderr", f"something was written to stderr during the test: {text}"
    return "unknown", "no points, and no message"


# -- tables --------------------------------------------------------------------------------------


_COLUMNS = {
    GRADES: ["student", "assignment", "score", "max_score", "status", "reason"],
    BY_EXERCISE: ["student", "assignment", "exercise", "score", "max_score", "kind", "message"],
}


def write_tables(folder: Path, rows: Sequence[Row], *, keep_others: bool = False) -> None:
    """Write ``grades.csv`` (a line for each submission) and ``grades_by_exercise.csv``.

    Parameters
    ----------
    folder : Path
    rows : sequence of Row
    keep_others : bool, default=False
        Whether lines of submissions that are not among ``rows`` stay as they are.
    """
    lines: dict[str, list[list[str]]] = {name: [] for name in _COLUMNS}
    for row in rows:
        pair = (row.student, row.assignment)
        points = (f"{row.score:g}", f"{row.max_score:g}")
        lines[GRADES].append(_plain(*pair, *points, row.status, row.reason))
        for one in row.exercises:
            points = (f"{one.score:g}", f"{one.max_score:g}")
            lines[BY_EXERCISE].append(_plain(*pair, one.exercise, *points, one.kind, one.message))
    mine = {tuple(_plain(row.student, row.assignment)) for row in rows}
    for name, columns in _COLUMNS.items():
        path = folder / name
        if keep_others and path.exists():
            with path.open(encoding="utf-8", newline="") as file:
                before = [line for line in csv.reader(file) if len(line) == len(columns)]
            old = [x for x in before if tuple(x[:2]) not in mine and x != columns]
            lines[name] = sorted([*lines[name], *old], key=lambda line: line[:2])
        # whole or not at all: a table is what hours of grading leave behind
        with atomic_write(path, text=True) as file:
            csv.writer(file).writerows([columns, *lines[name]])


def _plain(*values: str) -> list[str]:
    """Texts for a table: one line each, and none that a spreadsheet takes for a formula."""
    lines = [" ".join(value.split()) for value in values]
    return [f"'{line}" if line[:1] in tuple("=+-@") else line for line in lines]


def format_rows(rows: Sequence[Row]) -> str:
    """Table for a terminal."""
    wide = max([len("student"), *(len(row.student) for row in rows)])
    lines = [f"{'student':{wide}}  assignment  points   status         reason"]
    for row in rows:
        points = f"{row.score:g}/{row.max_score:g}"
        reason = row.reason if len(row.reason) <= 110 else row.reason[:107] + "..."
        lines.append(
            f"{row.student:{wide}}  {row.assignment:10}  {points:7}  {row.status:13}  {reason}"
        )
    return "\n".join(lines)

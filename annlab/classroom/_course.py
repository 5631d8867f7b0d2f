"""A teacher's course folder: sources, student copies without solutions, and nbgrader's settings."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from annlab._support.errors import invalid, require
from annlab.classroom._gradebook import DATABASE, WAIT_S
from annlab.classroom._source import (
    BEGIN,
    BEGIN_HIDDEN,
    assignment_name,
    build,
    exercises_folder,
    solution_of,
    stub_of,
)
from annlab.classroom._submission import read_notebook
from annlab.classroom._tables import BY_EXERCISE, GRADES

CONFIG = "nbgrader_config.py"

README = """\
# A course folder

| folder or file | what it is |
|---|---|
| `release/` | student copies without solutions: hand these out |
| `submitted/STUDENT/{example}/{example}.ipynb` | put what comes back here, one folder a student |
| `source/` | the exercises with their solutions: for teachers only |
| `gradebook.db` | nbgrader's record; it holds solutions as well |
| `{grades}`, `{by_exercise}` | the result of grading, made from it |
| `autograded/` | the students' notebooks as they were run, with every message |

    annlab classroom grade .

grades what is in `submitted/` and writes both tables. Nothing needs a network or a server. Ctrl-C
keeps what has been graded; `--students NAME` grades one again and leaves the other lines.

**`gradebook.db` is the truth; the tables are made from it.** A table that was changed by another
program is kept under another name before a new one is written. Points that you change with
nbgrader's formgrader go before those of the checks, and

    annlab classroom grade . --tables-only

writes them into the tables. They count for the answer that you saw: if the student hands in another
one, the points of the checks count again and the table tells you so.

**Students' code runs as you.** Each submission runs in processes of its own with a time limit, so
an endless or crashing one harms no other. That is no sandbox: such code can read and delete your
files (the other submissions, the solutions and the gradebook, too), reach the network, fill the
memory, leave a program running in the background, and cheat by replacing the checks. For people
that you do not trust, grade in a container or under an account that owns nothing else.

**Free texts** wait for your points: the check looks for words and only advises. Read them with
nbgrader's formgrader, which shows the advice below each answer; the rubric is in `TEACHING.md`.
"""


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
        If a student copy holds a part of a solution; then no course is made.
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
    with tempfile.TemporaryDirectory(prefix="annlab-course-") as private:
        # nbgrader searches with patterns, and the path of the course may hold [, ] and ?
        made = Path(private) / "course"
        made.mkdir()
        _make(made, origin, names)
        existed = folder.exists()
        try:
            shutil.copytree(made, folder, dirs_exist_ok=True)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            if existed:
                folder.mkdir(exist_ok=True)
            raise
    return names


def _make(folder: Path, origin: Path, names: Sequence[str]) -> None:
    shutil.copy(origin / CONFIG, folder / CONFIG)
    for name in names:
        shutil.copytree(origin / "source" / name, folder / "source" / name)
    (folder / "submitted").mkdir()
    text = README.format(example=names[0], grades=GRADES, by_exercise=BY_EXERCISE)
    (folder / "README.md").write_text(text, encoding="utf-8")
    api = nbgrader_api(folder)
    for name in names:
        done = api.generate_assignment(name)
        if not done["success"]:
            raise RuntimeError(f"nbgrader could not make {name}:\n{done.get('error', done)}")
        leaks = find_leaks(folder, name)
        if leaks:
            raise RuntimeError(f"the student copy of {name} holds solutions: {leaks}")


def find_leaks(folder: Path, name: str) -> list[str]:
    """Lines of solutions, markers and hidden tests that a student copy should not hold."""
    source = read_notebook(folder / "source" / name / f"{name}.ipynb")
    copy = read_notebook(folder / "release" / name / f"{name}.ipynb")
    handed_out = "\n".join(cell["source"] for cell in copy["cells"])
    given = {line.strip() for line in handed_out.split("\n")}
    leaks = [mark for mark in (BEGIN, BEGIN_HIDDEN, "hidden=True") if mark in handed_out]
    outputs = sum(bool(cell.get("outputs")) for cell in copy["cells"])
    leaks += [f"{outputs} outputs"] if outputs else []
    for cell in source["cells"]:
        text = cell["source"]
        if BEGIN in text:
            # a closing quote is no secret, nor is what stands outside the markers as well
            public = {line.strip() for line in stub_of(text).split("\n")}
            secret = [x for x in solution_of(text).split("\n") if len(x) > 8 and x not in public]
            leaks += [line for line in secret if line in given]
    return leaks


def nbgrader_api(root: Path, course: Path | None = None, **overrides: object) -> Any:
    """Make nbgrader's API.

    Parameters
    ----------
    root : Path
        Where it works: a path without characters that mean something in a pattern.
    course : Path, optional
        The folder with the settings and the gradebook; by default ``root``.
    **overrides
        Settings by section and name, such as ``Execute__timeout=30``.
    """
    from nbgrader.apps import NbGraderAPI
    from nbgrader.coursedir import CourseDirectory
    from traitlets.config import Config
    from traitlets.config.loader import PyFileConfigLoader

    course = root if course is None else course
    config: Any = Config()
    if (course / CONFIG).exists():
        config = PyFileConfigLoader(CONFIG, path=str(course)).load_config()
    config.CourseDirectory.root = str(root.resolve())
    database = root.resolve() / DATABASE
    if course != root:
        try:
            # the path of the course may hold characters that mean something in an address
            database.symlink_to(course.resolve() / DATABASE)
        except OSError:
            # Windows allows neither links to everybody nor such characters
            database = course.resolve() / DATABASE
    # two submissions at a time write to it; SQLite then waits
    config.CourseDirectory.db_url = f"sqlite:///{database.as_posix()}?timeout={WAIT_S}"
    for name, value in overrides.items():
        section, trait = name.split("__")
        config[section][trait] = value
    # nbgrader calls the command alembic, which is beside this Python
    tools = str(Path(sys.executable).parent)
    if tools not in os.environ.get("PATH", "").split(os.pathsep):
        os.environ["PATH"] = tools + os.pathsep + os.environ.get("PATH", "")
    logging.disable(logging.CRITICAL)
    try:
        # it complains that there is no exchange folder, which nobody asked for
        return NbGraderAPI(coursedir=CourseDirectory(config=config), config=config)
    finally:
        logging.disable(logging.NOTSET)

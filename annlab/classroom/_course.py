"""Make a course folder: sources, student copies, and nbgrader's settings."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from importlib import resources
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

CONFIG = "nbgrader_config.py"


def new_course(
    folder: Path, topics: Sequence[int] = (), *, exercises: Path | None = None
) -> list[str]:
    """Write a course folder and return the names of its assignments.

    ``folder`` must be new or empty; ``exercises`` has the sources, by default those of the
    checkout. A ValueError for a wrong folder or topic; a RuntimeError if a student copy would
    contain a part of a solution, and then no course is made.
    """
    require("nbgrader", purpose="to make a course", extra="classroom")
    folder = Path(folder).expanduser()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise invalid("DIR", "a new or an empty folder", folder, "Name another one.")
    origin = exercises_folder() if exercises is None else exercises
    stale = build(origin, topics, check=True)
    if stale:
        raise ValueError(f"{', '.join(stale)} is out of date. Call: annlab classroom build")
    known = [int(path.stem) for path in sorted((origin / "topics").glob("[0-9][0-9].md"))]
    for number in topics:
        if number not in known:
            rule = "one of " + ", ".join(f"{n:02d}" for n in known)
            raise invalid("--topics", rule, f"{number:02d}")
    names = [assignment_name(number) for number in (sorted(set(topics)) or known)]
    with tempfile.TemporaryDirectory(prefix="annlab-course-") as private:
        # nbgrader searches with patterns, and the path of the course may contain [, ] and ?
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
    about = resources.files(__package__) / "content" / "course.md"
    text = about.read_text(encoding="utf-8").format(example=names[0])
    (folder / "README.md").write_text(text, encoding="utf-8")
    api = nbgrader_api(folder)
    for name in names:
        done = api.generate_assignment(name)
        if not done["success"]:
            raise RuntimeError(f"nbgrader could not make {name}:\n{done.get('error', done)}")
        leaks = find_leaks(folder, name)
        if leaks:
            raise RuntimeError(f"the student copy of {name} contains solutions: {leaks}")


def find_leaks(folder: Path, name: str) -> list[str]:
    """Return lines of solutions, markers and hidden tests in a student copy."""
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
            # a closing quote is no secret, nor is a line that is outside the markers as well
            public = {line.strip() for line in stub_of(text).split("\n")}
            secret = [x for x in solution_of(text) if len(x) > 8 and x not in public]
            leaks += [line for line in secret if line in given]
    return leaks


def nbgrader_api(root: Path, course: Path | None = None, **overrides: object) -> Any:
    """Make nbgrader's API for ``root``, a path without wildcard characters.

    Settings and gradebook are those of ``course``, by default ``root``; overrides are named by
    section and trait, such as ``Execute__timeout=30``.
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
            # the path of the course may contain characters with a meaning in a URL
            database.symlink_to(course.resolve() / DATABASE)
        except OSError:
            # Windows does not allow every user to make links
            database = course.resolve() / DATABASE
    # SQLite waits while another submission writes
    config.CourseDirectory.db_url = f"sqlite:///{database.as_posix()}?timeout={WAIT_S}"
    for name, value in overrides.items():
        section, trait = name.split("__")
        config[section][trait] = value
    # nbgrader calls the command alembic, which is installed beside this Python
    tools = str(Path(sys.executable).parent)
    if tools not in os.environ.get("PATH", "").split(os.pathsep):
        os.environ["PATH"] = tools + os.pathsep + os.environ.get("PATH", "")
    logging.disable(logging.CRITICAL)
    try:
        # it warns that there is no exchange folder, and none is needed
        return NbGraderAPI(coursedir=CourseDirectory(config=config), config=config)
    finally:
        logging.disable(logging.NOTSET)

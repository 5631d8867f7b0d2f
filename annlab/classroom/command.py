"""``annlab classroom``: courses, grading, learning platforms, printed sheets."""

from __future__ import annotations

import argparse
from pathlib import Path

_ABOUT = (
    "Graded exercises for a class, on this machine alone: no server, no network.\n\n"
    "NEW writes a course folder with student copies that contain no solutions. Put what the\n"
    "students hand in under submitted/STUDENT/topic_NN/ (IMPORT sorts a download of Moodle or\n"
    "Canvas into it), and GRADE writes the tables. A broken, endless or empty submission gets\n"
    "a row that says so, and does not affect the others."
)
_EXAMPLES = (
    "examples:\n"
    "  annlab classroom new course --topics 1 3       two topics; all without --topics\n"
    "  annlab classroom import course download.zip --assignment topic_03\n"
    "  annlab classroom grade course                  writes course/grades.csv and others\n"
    "  annlab classroom grade course --timeout 10     seconds for one cell\n"
    "  annlab classroom quiz questions                quiz questions as GIFT and QTI 2.1\n"
    "  annlab classroom sheets pages                  one printable A4 page for each topic\n"
    "  annlab classroom build                         after editing the exercises\n\n"
    "Students' code runs with your rights. Grade people you do not trust in a container."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``annlab classroom``."""
    parser.description, parser.epilog = _ABOUT, _EXAMPLES
    tasks = parser.add_subparsers(dest="task", metavar="TASK", required=True)

    new = tasks.add_parser("new", help="write a course folder (from a checkout)")
    new.add_argument("folder", type=Path, metavar="DIR", help="a new or an empty folder")
    _add_topics(new, "by default all")

    imports = tasks.add_parser(
        "import", help="sort submissions from Moodle or Canvas into a course"
    )
    imports.add_argument("folder", type=Path, metavar="DIR", help="a course folder")
    imports.add_argument("download", type=Path, metavar="DOWNLOAD", help="a ZIP file or a folder")
    imports.add_argument("--assignment", required=True, metavar="NAME", help="such as topic_03")

    grade = tasks.add_parser("grade", help="grade what was submitted, print and save the tables")
    grade.add_argument("folder", type=Path, metavar="DIR", help="a course folder")
    for name, default, metavar, help in (
        ("timeout", 30.0, "S", "seconds for a cell (default: 30)"),
        ("limit", 300.0, "S", "seconds for a whole submission (default: 300)"),
        ("jobs", 0, "N", "submissions at the same time (default: half of the processors)"),
    ):
        grade.add_argument(
            f"--{name}", type=type(default), default=default, metavar=metavar, help=help
        )
    grade.add_argument("--students", nargs="+", default=[], metavar="NAME", help="only these")
    grade.add_argument(
        "--assignments", nargs="+", default=[], metavar="NAME", help="only these, as topic_03"
    )
    grade.add_argument(
        "--tables-only",
        action="store_true",
        help="grade nothing; write the tables again, with marks that were changed by hand",
    )

    for name, help in (
        ("quiz", "write quiz questions as GIFT (Moodle) and QTI 2.1 (Canvas and others)"),
        ("sheets", "write one A4 page (PDF) for each topic"),
    ):
        write = tasks.add_parser(name, help=help)
        write.add_argument("folder", type=Path, metavar="DIR", help="created if missing")
        _add_topics(write, "by default all")

    build = tasks.add_parser("build", help="make the notebooks from their sources (maintainers)")
    _add_topics(build, "only their notebooks; by default all, and TEACHING.md")
    build.add_argument("--check", action="store_true", help="only report what is out of date")


def _add_topics(parser: argparse.ArgumentParser, help: str) -> None:
    parser.add_argument("--topics", type=int, nargs="+", default=[], metavar="N", help=help)


def run(options: argparse.Namespace) -> int:
    """Run the task and return the exit status."""
    tasks = {
        "new": _new,
        "import": _import,
        "grade": _grade,
        "quiz": _quiz,
        "sheets": _sheets,
        "build": _build,
    }
    return tasks[options.task](options)


def _new(options: argparse.Namespace) -> int:
    from annlab.classroom._course import new_course

    names = new_course(options.folder, options.topics)
    print(f"{options.folder}: {', '.join(names)}.")
    print(f"Hand out {options.folder / 'release'}; README.md in the folder says what comes next.")
    return 0


def _import(options: argparse.Namespace) -> int:
    from annlab.classroom._lms import import_download

    students, unknown = import_download(options.folder, options.download, options.assignment)
    print(f"{options.assignment}: {len(students)} students: {', '.join(students)}")
    for name in unknown:
        print(f"{name}: not named as Moodle or Canvas does; copy it by hand.")
    return 0 if students and not unknown else 1


def _grade(options: argparse.Namespace) -> int:
    from annlab._support.checks import check_integer, check_real
    from annlab.classroom._grading import grade_course, remake_tables
    from annlab.classroom._results import GRADED, WAITS, Row
    from annlab.classroom._tables import GRADES, format_rows

    for name in ("timeout", "limit"):
        check_real(getattr(options, name), f"--{name}", strict=True)
    check_integer(options.jobs, "--jobs", minimum=0)

    def told(row: Row) -> None:
        print(f"{row.student} {row.assignment}: {row.status}", flush=True)

    try:
        rows = (
            remake_tables(options.folder, print)
            if options.tables_only
            else grade_course(
                options.folder,
                timeout_s=options.timeout,
                limit_s=options.limit,
                jobs=options.jobs,
                students=options.students,
                assignments=options.assignments,
                told=told,
                say=print,
            )
        )
    except KeyboardInterrupt:
        print(f"\nInterrupted. The results so far are in {options.folder / GRADES}.")
        return 130
    if not rows:
        print(f"There is nothing in {options.folder / 'submitted'} yet.")
        return 1
    print(f"\n{format_rows(rows)}\n\nWritten: {options.folder / GRADES} and the other tables.")
    waiting = sum(one.kind == WAITS for row in rows for one in row.exercises)
    if waiting:
        print(f"{waiting} free texts wait for your points: README.md says how to give them.")
    return 0 if all(row.status == GRADED for row in rows) else 1


def _quiz(options: argparse.Namespace) -> int:
    from annlab.classroom._lms import write_quizzes

    for path in write_quizzes(options.folder, options.topics):
        print(path)
    return 0


def _sheets(options: argparse.Namespace) -> int:
    from annlab.classroom._sheets import write_sheets

    for path in write_sheets(options.folder, options.topics):
        print(path)
    return 0


def _build(options: argparse.Namespace) -> int:
    from annlab.classroom import _source, _teaching

    stale = _source.build(topics=options.topics, check=options.check)
    if not options.topics:
        stale += _teaching.build(check=options.check)
    for name in stale:
        print(f"{name}: {'out of date' if options.check else 'updated'}")
    if not stale:
        print("Everything is up to date.")
    return 1 if stale and options.check else 0

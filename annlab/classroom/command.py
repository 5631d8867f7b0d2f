"""``annlab classroom``: a course folder for a teacher, its grading, the sheets."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``annlab classroom``."""
    parser.description = (
        "Graded exercises for a class, on this machine alone: no server, no network.\n\n"
        "NEW writes a course folder with student copies that hold no solutions. Put what the\n"
        "students hand in under submitted/STUDENT/topic_NN/, and GRADE writes a table. A broken,\n"
        "endless or empty submission gets a row that says so, and harms no other."
    )
    parser.epilog = (
        "examples:\n"
        "  annlab classroom new course                    all topics that have exercises\n"
        "  annlab classroom new course --topics 1 3       two of them\n"
        "  annlab classroom grade course                  writes course/grades.csv\n"
        "  annlab classroom grade course --timeout 10     seconds for one cell\n"
        "  annlab classroom sheets pages                  one printable A4 page for each topic\n"
        "  annlab classroom build                         after an edit of the exercises\n\n"
        "Students' code runs with your rights. Grade strangers in a container."
    )
    tasks = parser.add_subparsers(dest="task", metavar="TASK", required=True)

    new = tasks.add_parser("new", help="write a course folder (from a checkout)")
    new.add_argument("folder", type=Path, metavar="DIR", help="a new or an empty folder")
    _add_topics(new, "by default all")

    grade = tasks.add_parser("grade", help="grade what was submitted, print and save the table")
    grade.add_argument("folder", type=Path, metavar="DIR", help="a course folder")
    grade.add_argument(
        "--timeout", type=float, default=30, metavar="S", help="seconds for a cell (default: 30)"
    )
    grade.add_argument(
        "--limit",
        type=float,
        default=300,
        metavar="S",
        help="seconds for a whole submission (default: 300)",
    )
    grade.add_argument(
        "--jobs",
        type=int,
        default=0,
        metavar="N",
        help="submissions at the same time (default: half of the processors)",
    )
    grade.add_argument("--students", nargs="+", default=[], metavar="NAME", help="only these")
    grade.add_argument(
        "--assignments", nargs="+", default=[], metavar="NAME", help="only these, as topic_03"
    )
    grade.add_argument(
        "--tables-only",
        action="store_true",
        help="grade nothing; write the tables anew, with marks that were changed by hand",
    )

    sheets = tasks.add_parser("sheets", help="write one A4 page (PDF) for each topic")
    sheets.add_argument("folder", type=Path, metavar="DIR", help="made if it is not there")
    _add_topics(sheets, "by default all")

    build = tasks.add_parser("build", help="make the notebooks from their sources (maintainers)")
    _add_topics(build, "only their notebooks; by default all, and TEACHING.md")
    build.add_argument("--check", action="store_true", help="only tell what is not in step")


def _add_topics(parser: argparse.ArgumentParser, help: str) -> None:
    parser.add_argument("--topics", type=int, nargs="+", default=[], metavar="N", help=help)


def run(options: argparse.Namespace) -> int:
    """Do the task."""
    return {"new": _new, "grade": _grade, "sheets": _sheets, "build": _build}[options.task](options)


def _new(options: argparse.Namespace) -> int:
    from annlab.classroom._course import new_course

    names = new_course(options.folder, options.topics)
    print(f"{options.folder}: {', '.join(names)}.")
    print(f"Hand out {options.folder / 'release'}; README.md in the folder says what comes next.")
    return 0


def _grade(options: argparse.Namespace) -> int:
    from annlab._support.checks import check_integer, check_real
    from annlab.classroom._grading import grade_course, remake_tables
    from annlab.classroom._results import GRADED, WAITS, Row
    from annlab.classroom._tables import BY_EXERCISE, GRADES, format_rows

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
        print(f"\nInterrupted. What was graded is in {options.folder / GRADES}.")
        return 130
    if not rows:
        print(f"There is nothing in {options.folder / 'submitted'} yet.")
        return 1
    print(f"\n{format_rows(rows)}\n\nWritten: {options.folder / GRADES}, {BY_EXERCISE} beside it.")
    waiting = sum(one.kind == WAITS for row in rows for one in row.exercises)
    if waiting:
        print(f"{waiting} free texts wait for your points: README.md says how to give them.")
    # a submission that could not be graded is told by the exit status, too
    return 0 if all(row.status == GRADED for row in rows) else 1


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
        print(f"{name}: {'not in step' if options.check else 'made anew'}")
    if not stale:
        print("Everything is in step.")
    return 1 if stale and options.check else 0

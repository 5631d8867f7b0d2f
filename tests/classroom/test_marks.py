"""Marks are never lost or changed: all tables are made from the gradebook."""

from __future__ import annotations

import os

import pytest
from courses import hand_in, read_csv, reference, released

pytest.importorskip("nbgrader", reason='needs pip install "annlab-kmeans[classroom]"')

from annlab.classroom import _course, _gradebook, _grading
from annlab.classroom._results import BROKEN, GRADED, MISSING, WAITS, Row, Score
from annlab.classroom._tables import (
    BY_EXERCISE,
    BY_STUDENT,
    CANVAS,
    GRADES,
    LOGINS,
    MISTAKES,
    MOODLE,
)
from annlab.cli import main


def graded(folder, student, name, *given):
    """Replace `grade_one` by one that needs no kernel and gives one of two points."""
    return Row(student, name, GRADED, exercises=[Score("01-1", 1.0, 2.0, "kind", "why; not, é")])


@pytest.fixture
def quick(course, monkeypatch):
    """A course of two students that was graded once, without kernels."""
    monkeypatch.setattr(_grading, "grade_one", graded)
    for student in ("ada", "bob"):
        hand_in(course, student, 1, {"cells": []})
    _grading.grade_course(course, jobs=1)
    return course


def lines(folder):
    return {(x["student"], x["assignment"]): x for x in read_csv(folder / GRADES)}


def by_nbgrader(folder):
    """Nbgrader's own interface to the gradebook."""
    from nbgrader.api import Gradebook

    return Gradebook(_course.nbgrader_api(folder).coursedir.db_url)


def give(folder, student, exercise, **points):
    """Write points into the gradebook, as nbgrader and its formgrader do."""
    with by_nbgrader(folder) as book:
        book.update_or_create_student(student)
        book.update_or_create_submission("topic_01", student)
        cell = f"{'answer' if exercise == '01-5' else 'test'}-{exercise}"
        grade = book.find_grade(cell, "topic_01", "topic_01", student)
        for name, value in points.items():
            setattr(grade, name, value)
        book.db.commit()


# -- tables --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text.replace(",", ";").encode(),
        lambda text: text.encode("utf-8-sig"),
        lambda text: text.encode("cp1252"),
        lambda text: text.replace(",1,2,", ",2,2,").encode(),
        lambda text: b"",
    ],
    ids="semicolons BOM cp1252 edited empty".split(),
)
def test_changed_table_is_set_aside(quick, spoil):
    path, before = quick / GRADES, (quick / GRADES).read_bytes()
    path.write_bytes(spoil(before.decode("utf-8").replace("why", "é")))
    foreign, told = path.read_bytes(), []
    _grading.grade_course(quick, jobs=1, students=["ada"], say=told.append)
    assert path.read_bytes() == before, "all lines, from the gradebook"
    assert (quick / "grades (set aside 1).csv").read_bytes() == foreign
    assert told == [
        f"{GRADES} was changed by another program; that file is now grades (set aside 1).csv."
    ]
    # and again, beside the first
    path.write_bytes(foreign)
    _grading.grade_course(quick, jobs=1, students=["ada"], say=told.append)
    assert (quick / "grades (set aside 2).csv").read_bytes() == foreign
    assert path.read_bytes() == before and len(told) == 2


def test_own_table_is_replaced_silently(quick):
    told = []
    _grading.grade_course(quick, jobs=1, say=told.append)
    (quick / BY_EXERCISE).unlink()
    _grading.grade_course(quick, jobs=1, students=["bob"], say=told.append)
    assert told == []
    assert {path.name for path in quick.glob("*.csv")} == {
        *(GRADES, BY_EXERCISE, BY_STUDENT, CANVAS, MISTAKES, MOODLE)
    }


def table(folder, name):
    return (folder / name).read_text(encoding="utf-8").splitlines()


def test_tables_by_student_and_for_platforms(quick):
    hand_in(quick, "cleo_77", 3, {"cells": []})
    (quick / LOGINS).write_text("student,login\nada,al2026\n", encoding="utf-8")
    (quick / "submitted" / "stray.txt").write_text("x")
    _grading.grade_course(quick, jobs=1)
    assert table(quick, BY_STUDENT) == [
        "student,topic_01,topic_03,total,max_total,percent",
        "ada,1,0,1,19,5.3",
        "bob,1,0,1,19,5.3",
        "cleo_77,0,1,1,19,5.3",
    ]
    assert table(quick, MOODLE)[:3] == ["username,topic_01,topic_03", "al2026,1,0", "bob,1,0"]
    assert table(quick, CANVAS) == [
        "Student,ID,SIS User ID,SIS Login ID,Section,topic_01,topic_03",
        "Points Possible,,,,,9,10",
        "ada,,,al2026,,1,0",
        "bob,,,bob,,1,0",
        "cleo_77,77,,cleo_77,,0,1",
    ]


def test_mistakes_are_counted_by_kind(quick):
    assert table(quick, MISTAKES) == [
        "exercise,kind,students,of,message",
        '01-1,kind,2,2,"why; not, é"',
    ]
    give(quick, "ada", "01-1", auto_score=1.0, manual_score=2.0)
    _grading.remake_tables(quick, print)
    assert table(quick, MISTAKES)[1].startswith("01-1,kind,1,2")


def test_locked_table_is_reported_and_kept(quick, monkeypatch):
    def refuse(source, target):
        raise PermissionError(13, "in use", str(target))

    told, before = [], (quick / GRADES).read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", refuse)
        _grading.grade_course(quick, jobs=1, say=told.append)
    assert len(told) == 6 and all("--tables-only" in sentence for sentence in told)
    assert (quick / GRADES).read_bytes() == before
    _grading.remake_tables(quick, told.append)
    assert len(told) == 6


def test_marks_of_plain_nbgrader_are_in_the_table(quick):
    give(quick, "cleo", "01-1", auto_score=1.0)
    give(quick, "cleo", "01-5", auto_score=0.0, manual_score=1.5)
    _grading.grade_course(quick, jobs=1, students=["ada"])
    assert (lines(quick)["cleo", "topic_01"]["score"], lines(quick).keys()) == (
        "2.5",
        {("ada", "topic_01"), ("bob", "topic_01"), ("cleo", "topic_01")},
    )


@pytest.mark.parametrize("spoil", ["missing", "damaged", "foreign"])
def test_course_without_gradebook_is_refused(quick, spoil):
    import sqlite3

    path = quick / _gradebook.DATABASE
    path.unlink()
    if spoil == "damaged":
        path.write_bytes(b"no database " * 100)
    elif spoil == "foreign":
        sqlite3.connect(path).execute("CREATE TABLE other (x)")
    before = (quick / GRADES).read_bytes()
    with pytest.raises(ValueError, match=r"Restore gradebook\.db"):
        _grading.grade_course(quick, jobs=1, students=["ada"])
    assert (quick / GRADES).read_bytes() == before


# -- submissions that come and go ------------------------------------------------------------------


def test_mark_outlives_its_submission(quick):
    import shutil

    shutil.rmtree(quick / "submitted" / "ada" / "topic_01")
    shutil.rmtree(quick / "submitted" / "bob")
    hand_in(quick, "ada", 3, {"cells": []})
    for _ in range(2):
        rows = {row.pair: row for row in _grading.grade_course(quick, jobs=1)}
        assert rows.keys() == {("ada", "topic_01"), ("ada", "topic_03"), ("bob", "topic_01")}
        for student in ("ada", "bob"):
            row = rows[student, "topic_01"]
            assert (row.status, row.score, row.notes) == (GRADED, 1.0, [_grading.GONE])


def test_broken_submission_mentions_the_earlier_mark(quick, monkeypatch):
    def broken(folder, student, name, *given):
        return Row(student, name, BROKEN, ["x"])

    give(quick, "ada", "01-1", auto_score=1.0)
    monkeypatch.setattr(_grading, "grade_one", broken)
    for _ in range(2):
        _grading.grade_course(quick, jobs=1)
        reason = lines(quick)["ada", "topic_01"]["reason"]
        assert reason == "x | what was handed in before had 1 of 9 points"
    assert lines(quick)["bob", "topic_01"]["reason"] == "x"


def test_row_of_a_removed_student_is_deleted(quick):
    (quick / "submitted" / "eve" / "topic_03").mkdir(parents=True)
    _grading.grade_course(quick, jobs=1)
    assert lines(quick)["eve", "topic_01"]["status"] == MISSING
    (quick / "submitted" / "eve" / "topic_03").rmdir()
    (quick / "submitted" / "eve").rmdir()
    _grading.grade_course(quick, jobs=1)
    assert {student for student, _ in lines(quick)} == {"ada", "bob", "eve"}, "topic_03 was graded"
    assert ("eve", "topic_01") not in lines(quick)


@pytest.mark.parametrize(
    ("place", "student", "name", "expected"),
    [
        ("cleo/topic_01.zip", "cleo", "topic_01", "cleo/topic_01"),
        ("cleo/homework.py", "cleo", "homework", "cleo/ASSIGNMENT"),
        ("topic_03.zip", "?", "topic_03", "STUDENT/topic_03"),
        ("topic_01/cleo.ipynb", "cleo", "topic_01", "cleo/topic_01"),
        ("topic_01/cleo/x.ipynb", "cleo", "topic_01", "cleo/topic_01"),
        ("cleo/Topic 1/x.ipynb", "cleo", "Topic 1", "cleo/ASSIGNMENT"),
    ],
)
def test_misplaced_submission_is_in_the_table(quick, place, student, name, expected):
    path = quick / "submitted" / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"PK")
    rows = _grading.grade_course(quick, jobs=1, students=["ada"])
    assert {row.student for row in rows} == {"ada"}, "strays of others are not returned"
    found = lines(quick)[student, name]
    assert found["status"] == BROKEN
    assert found["reason"].endswith(f"put its notebook in submitted/{expected}/")


def test_litter_is_ignored(quick):
    for place in "__MACOSX/topic_01/x", "._ada/topic_01/x", ".DS_Store", "ada/._topic_01/x":
        path = quick / "submitted" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("junk")
    _grading.grade_course(quick, jobs=1)
    assert lines(quick).keys() == {("ada", "topic_01"), ("bob", "topic_01")}


def test_student_is_found_in_any_unicode_form(quick):
    hand_in(quick, "Jo\u0308rg", 1, {"cells": []})
    (row,) = _grading.grade_course(quick, jobs=1, students=["J\u00f6rg"])
    assert (row.student, row.status) == ("Jo\u0308rg", GRADED)


# -- marks by hand ---------------------------------------------------------------------------------


def test_tables_only_writes_marks_by_hand(quick, capsys):
    give(quick, "ada", "01-1", auto_score=1.0, manual_score=0.5)
    assert main(["classroom", "grade", str(quick), "--tables-only"]) == 0
    assert lines(quick)["ada", "topic_01"]["score"] == "0.5"
    told = "0.5 of 1 points by hand; the check gave 1"
    reason = lines(quick)["ada", "topic_01"]["reason"]
    assert reason.startswith(f"01-1: {told} | ")
    assert reason.endswith("01-5: 2 points wait for the teacher")
    shown = capsys.readouterr().out
    assert told in shown and "wait for your points" in shown
    line, *_ = [x for x in read_csv(quick / BY_EXERCISE) if x["student"] == "ada"]
    assert (line["score"], line["kind"], line["message"]) == ("0.5", "by_hand", told)
    # a mark taken back is the check's again
    give(quick, "ada", "01-1", manual_score=None, extra_credit=None)
    assert main(["classroom", "grade", str(quick), "--tables-only"]) == 0
    assert lines(quick)["ada", "topic_01"]["score"] == "1"


def test_mark_by_hand_counts_for_one_answer_only(course):
    hand_in(course, "ada", 1, reference(course, 1))
    (row,) = _grading.grade_course(course)
    total = row.score
    assert row.exercises[-1].kind == WAITS and total == row.max_score - 2
    assert row.reason.startswith("01-5: 2 points wait for the teacher (01-5: looks complete, ")
    give(course, "ada", "01-5", manual_score=0.5)
    give(course, "ada", "01-2", manual_score=1.5)
    (row,) = _grading.grade_course(course)
    assert (row.score, row.notes) == (total, [])
    assert row.reason == (
        "01-2: 1.5 of 2 points by hand; the check gave 2 | 01-5: 0.5 of 2 points by hand"
    )
    # an empty answer, handed in later
    hand_in(course, "ada", 1, released(course, 1))
    for _ in range(2):
        (row,) = _grading.grade_course(course)
        assert (row.status, row.score) == (GRADED, 0.0)
        (last,) = [one for one in row.exercises if one.exercise == "01-5"]
        assert last.kind == "unanswered"
        with by_nbgrader(course) as book:
            grade = book.find_grade("answer-01-5", "topic_01", "topic_01", "ada")
            assert (grade.manual_score, grade.score) == (None, 0.0)
        assert row.notes == [
            f"{told} points by hand were for an earlier answer and do not count for this one"
            for told in ("01-2: 1.5", "01-5: 0.5")
        ]
        assert lines(course)["ada", "topic_01"]["reason"].startswith(row.notes[0])
    give(course, "ada", "01-5", manual_score=1.0)
    (row,) = _grading.grade_course(course)
    assert (row.score, [note[:5] for note in row.notes]) == (1.0, ["01-2:"])


# -- names ---------------------------------------------------------------------------------------


def test_names_may_contain_special_characters(tmp_path):
    odd = "a[b] {c} ?*#% "
    folder = tmp_path / odd / odd
    _course.new_course(folder, [1])
    hand_in(folder, odd, 1, reference(folder, 1))
    hand_in(folder, odd.strip(), 1, released(folder, 1))
    rows = {row.student: row for row in _grading.grade_course(folder, jobs=2)}
    assert rows.keys() == {odd, odd.strip()}
    assert all(row.status == GRADED for row in rows.values()), rows
    assert rows[odd].score == rows[odd].max_score - 2 > rows[odd.strip()].score == 0
    assert lines(folder)[odd, "topic_01"]["score"] == f"{rows[odd].score:g}"
    assert (folder / "autograded" / odd / "topic_01" / "topic_01.ipynb").exists()
    # nothing landed beside the course
    assert [path.name for path in tmp_path.iterdir()] == [odd]
    assert [path.name for path in (tmp_path / odd).iterdir()] == [odd]

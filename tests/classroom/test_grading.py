"""nbgrader itself: student copies, stubs, references, known-wrong and broken submissions.

Every day three assignments are graded; ``pytest -m full tests/classroom`` grades the others.

``ANNLAB_TOPICS="5"`` grades that topic alone: with ``-k copies`` while it is being written.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("nbgrader", reason='needs pip install "annlab[classroom]"')

from annlab import classroom
from annlab.classroom import _course, _source
from annlab.cli import main

#: Assignments that are graded in every run; the others have the mark ``full``.
EVERYDAY = (1, 2, 3)
FOLDER = Path(__file__).resolve().parents[2] / "notebooks" / "exercises"
ONLY = [int(word) for word in os.environ.get("ANNLAB_TOPICS", "").split()]
SOURCES = {source.number: source for source in _source.sources(FOLDER, ONLY)}


def marked(numbers):
    return [
        pytest.param(number, marks=() if number in EVERYDAY or ONLY else pytest.mark.full)
        for number in numbers
    ]


def released(folder, number):
    name = _source.assignment_name(number)
    return json.loads((folder / "release" / name / f"{name}.ipynb").read_text(encoding="utf-8"))


def hand_in(folder, student, number, notebook, name=None, exist_ok=False):
    assignment = _source.assignment_name(number)
    place = folder / "submitted" / student / assignment
    place.mkdir(parents=True, exist_ok=exist_ok)
    text = notebook if isinstance(notebook, str) else json.dumps(notebook)
    (place / (name or f"{assignment}.ipynb")).write_text(text, encoding="utf-8")


def reference(folder, number):
    texts = _source.answers(SOURCES[number], None)
    return _source.fill_in(released(folder, number), texts)


def read_csv(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """A course of all topics, made once: that takes seconds."""
    folder = tmp_path_factory.mktemp("made") / "course"
    assert _course.new_course(folder, ONLY) == [_source.assignment_name(n) for n in SOURCES]
    return folder


@pytest.fixture
def course(made, tmp_path):
    """A copy of it, to be worked with."""
    return shutil.copytree(made, tmp_path / "course")


def test_no_student_copy_holds_a_solution(made):
    for number, source in SOURCES.items():
        name = _source.assignment_name(number)
        copy = released(made, number)
        text = "\n".join("".join(cell["source"]) for cell in copy["cells"])
        assert _course.find_leaks(made, name) == []
        assert "SOLUTION" not in text and "HIDDEN" not in text and "hidden=" not in text
        assert text.count(_source.STUB) == len(source.parts)


@pytest.mark.parametrize("number", marked(SOURCES))
def test_copies_run_and_every_submission_gets_its_score(number, course):
    folder, source = course, SOURCES[number]
    copy = released(folder, number)
    # the third and later wrong answers are proved without nbgrader in tests/test_classroom.py
    variants = range(min(2, source.n_variants))
    expected = {"stub": {one.exercise.id: ("unanswered", "") for one in source.parts}}
    hand_in(folder, "stub", number, copy)
    hand_in(folder, "reference", number, reference(folder, number))
    expected["reference"] = {}
    for variant in variants:
        student = f"wrong-{variant + 1}"
        hand_in(folder, student, number, _source.fill_in(copy, _source.answers(source, variant)))
        expected[student] = {
            part.exercise.id: (part.wrong[variant].kind, part.wrong[variant].says)
            for part in source.parts
            if variant < len(part.wrong)
        }

    rows = {row.student: row for row in _course.grade_course(folder, jobs=2)}
    assert rows.keys() == expected.keys()
    for student, row in rows.items():
        assert (row.status, row.notes) == (_course.GRADED, []), (student, row.reason)
        assert len(row.exercises) == len(source.parts)
        for one in row.exercises:
            points = classroom.find(one.exercise).points
            kind, says = expected[student].get(one.exercise, ("", ""))
            assert one.max_score == points
            assert one.score == (0 if kind else points), (student, one)
            assert one.kind == kind, (student, one)
            assert says in one.message, (student, one)


def processes_of(folder, but=None):
    """Command lines of the processes that work in a folder."""
    import psutil

    found = []
    for process in psutil.process_iter(["cmdline", "pid"]):
        words = " ".join(process.info["cmdline"] or [])
        if str(folder) in words and process.info["pid"] != but:
            found.append(words)
    return found


def test_broken_submissions_spoil_only_their_own_rows(course, tmp_path, capsys, monkeypatch):
    folder = course
    # the private folders of the grading processes, to be found again
    (tmp_path / "private").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "private"))
    good = reference(folder, 1)
    total = sum(one.points for one in classroom.exercises(1))
    texts = _source.answers(SOURCES[1], None)

    def with_answer(id, code):
        return _source.fill_in(released(folder, 1), texts | {id: code})

    def without(*ids):
        return good | {
            "cells": [
                cell
                for cell in good["cells"]
                if cell["metadata"].get("nbgrader", {}).get("grade_id") not in ids
            ]
        }

    tampered = json.loads(json.dumps(without("test-01-2", "test-01-5")))
    for cell in tampered["cells"]:
        if cell["metadata"].get("nbgrader", {}).get("grade_id") == "test-01-1":
            cell["source"] = "pass"
            cell["metadata"]["nbgrader"]["points"] = 50
    # none of these ends; they sleep, so that the other tests can have the processor
    endless = "import time\ndef assign(X, centroids):\n    while True:\n        time.sleep(0.05)"
    waiting = "import time\nwhile True:\n    time.sleep(0.05)"
    stubborn = (
        "import time\nwhile True:\n    try:\n        while True:\n            time.sleep(0.05)\n"
        "    except KeyboardInterrupt:\n        pass"
    )
    loud = "import sys\n" + texts["01-2"].replace(
        "    distances_sq", "    print('careful', file=sys.stderr)\n    distances_sq", 1
    )
    sly = "import sys\nERR = sys.stderr\n" + texts["01-2"].replace(
        "    distances_sq", "    print('sly', file=ERR)\n    distances_sq", 1
    )
    submissions = {
        "good": good,
        "endless-in-test": with_answer("01-2", endless),
        "endless-in-cell": with_answer("01-2", waiting),
        "stubborn": with_answer("01-2", stubborn),
        # every cell is within its limit, all together are not
        "slow": _source.fill_in(
            released(folder, 1),
            {id: f"import time\ntime.sleep(10)\n{text}" for id, text in texts.items()},
        ),
        "tampered": tampered,
        "no-answer": without("answer-01-3", "answer-01-1", "test-01-1"),
        "loud": with_answer("01-2", loud),
        "sly": with_answer("01-2", sly),
        "raises": with_answer("01-2", "1 / 0"),
        "dies": with_answer("01-2", "import os\nos._exit(1)"),
        "not-json": "{ this is no notebook",
        "not-a-notebook": "[1, 2]",
    }
    for student, notebook in submissions.items():
        hand_in(folder, student, 1, notebook)
    (folder / "submitted" / "empty" / "topic_01").mkdir(parents=True)
    (folder / "submitted" / "nothing").mkdir()
    (folder / "submitted" / "stranger" / "topic_99").mkdir(parents=True)
    hand_in(folder, "=1+1", 1, good, name="topic_01 (2).ipynb")

    capsys.readouterr()
    argv = ["--timeout", "12", "--limit", "45", "--jobs", "4"]
    assert main(["classroom", "grade", str(folder), *argv]) == 1, "some could not be graded"
    shown = capsys.readouterr().out
    rows = {row["student"]: row for row in read_csv(folder / _course.GRADES)}
    lines = read_csv(folder / _course.BY_EXERCISE)
    of = {(line["student"], line["exercise"]): line for line in lines}

    def points(student):
        return float(rows[student]["score"])

    def reason(student):
        return rows[student]["reason"]

    # nothing is lost from the others
    for student in ("good", "'=1+1"):
        assert (points(student), rows[student]["status"]) == (total, "graded"), rows[student]
    assert "handed in as topic_01 (2).ipynb" in reason("'=1+1")
    # one exercise is lost, the others count
    two = classroom.find("01-2").points
    for student, kind, says in [
        ("endless-in-test", "timeout", "time limit"),
        ("endless-in-cell", "timeout", "time limit"),
        ("raises", "raised", "ZeroDivisionError"),
        ("sly", "stderr", "stderr"),
    ]:
        assert points(student) == total - two, rows[student]
        assert of[student, "01-2"]["kind"] == kind, of[student, "01-2"]
        assert says in reason(student)
    # what is printed to stderr inside an answer does no harm
    assert points("loud") == total, reason("loud")
    # tests come back, whatever became of them
    assert points("tampered") == total, reason("tampered")
    assert "2 test cells were missing (" in reason("tampered"), "once, with a count"
    assert "test cell of 01-1 was edited: restored" in reason("tampered")
    lost = sum(classroom.find(id).points for id in ("01-1", "01-3"))
    assert points("no-answer") == total - lost, reason("no-answer")
    assert "test cell of 01-1 was missing" in reason("no-answer")
    assert "2 answer cells were missing (01-1, 01-3): restored" in reason("no-answer")
    for id in ("01-1", "01-3"):
        assert of["no-answer", id]["kind"] == "unanswered"
    # nothing to be saved
    for student, says in [
        ("stubborn", "did not come to an end"),
        ("slow", "stopped after 45 seconds"),
        ("dies", "the kernel died"),
        ("not-json", "no notebook"),
        ("not-a-notebook", "no notebook"),
        ("empty", "there is no topic_01.ipynb"),
    ]:
        assert (points(student), rows[student]["status"]) == (0, "not graded"), rows[student]
        assert says in reason(student), reason(student)
        assert float(rows[student]["max_score"]) == total
    assert (
        "no assignment 'topic_99'"
        in [
            row["reason"]
            for row in read_csv(folder / _course.GRADES)
            if row["student"] == "stranger"
        ][-1]
    )
    assert "nothing" not in rows, "a student without an assignment is not listed"
    # nothing goes on behind the teacher's back, and nothing is left
    assert processes_of(tmp_path / "private") == []
    assert list((tmp_path / "private").iterdir()) == []
    # every student is in the printed table, too
    assert all(student in shown for student in submissions)


def test_what_is_not_handed_in_is_a_row(course, capsys):
    folder = course
    assert main(["classroom", "grade", str(folder)]) == 1, "nothing is there yet"
    assert not (folder / _course.GRADES).exists()
    for wrong in (["--jobs", "-1"], ["--timeout", "0"], ["--limit", "-3"]):
        assert main(["classroom", "grade", str(folder), *wrong]) == 2
        assert f"{wrong[0]} must be" in capsys.readouterr().err
    hand_in(folder, "ada", 1, "no notebook")
    hand_in(folder, "bob", 3, "nothing")
    # notebooks in the wrong place: of a student who has done nothing else, and of nobody
    (folder / "submitted" / "cleo").mkdir()
    for stray in ("cleo/topic_01 (1).ipynb", "homework.ipynb"):
        (folder / "submitted" / stray).write_text("{}")
    rows = {(row.student, row.assignment): row for row in _course.grade_course(folder, jobs=2)}
    assert rows["cleo", "topic_01"].notes == [
        "submitted/cleo/topic_01 (1).ipynb was not graded: move it to submitted/cleo/topic_01/"
    ]
    assert rows["?", "homework"].notes[0].endswith("move it to submitted/STUDENT/ASSIGNMENT/")
    assert {rows["cleo", "topic_01"].status, rows["?", "homework"].status} == {_course.BROKEN}
    for stray in ("cleo/topic_01 (1).ipynb", "homework.ipynb"):
        (folder / "submitted" / stray).unlink()
    (folder / "submitted" / "cleo").rmdir()
    assert rows["ada", "topic_03"].status == rows["bob", "topic_01"].status == _course.MISSING
    assert rows["ada", "topic_01"].status == rows["bob", "topic_03"].status == _course.BROKEN

    # to grade one again leaves the lines of the others
    (folder / "submitted" / "ada" / "topic_01" / "topic_01.ipynb").unlink()
    hand_in(folder, "ada", 1, reference(folder, 1), exist_ok=True)
    only = {"students": ["ada"], "assignments": ["topic_01"]}
    (again,) = _course.grade_course(folder, jobs=2, **only)
    assert again.score == again.max_score > 0
    lines = [(x["student"], x["assignment"], x["status"]) for x in read_csv(folder / "grades.csv")]
    assert sorted(lines) == [
        ("?", "homework", _course.BROKEN),
        ("ada", "topic_01", _course.GRADED),
        ("ada", "topic_03", _course.MISSING),
        ("bob", "topic_01", _course.MISSING),
        ("bob", "topic_03", _course.BROKEN),
        ("cleo", "topic_01", _course.BROKEN),
    ]
    exercises = [x["exercise"] for x in read_csv(folder / _course.BY_EXERCISE)]
    every = [one.id for number in (1, 3) for one in classroom.exercises(number)]
    assert exercises == 2 * every
    with pytest.raises(ValueError, match="--assignments must be among topic_01"):
        _course.grade_course(folder, assignments=["topic_1"])


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is no signal to one process there")
def test_an_interrupted_grading_keeps_what_is_known(course):
    """Ctrl-C in a terminal: quickly at an end, with a table and without processes."""
    folder = course
    hand_in(folder, "ada", 1, "no notebook")
    endless = _source.answers(SOURCES[1], None) | {"01-1": "import time\ntime.sleep(600)"}
    for student in ("bob", "eve"):
        hand_in(folder, student, 1, _source.fill_in(released(folder, 1), endless))
    # whoever runs the tests in the background may have them ignore Ctrl-C
    start = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from annlab.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", start, "classroom", "grade", str(folder), "--jobs", "1"]
    process = subprocess.Popen(
        [*command, "--timeout", "600", "--limit", "600"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout.readline() == "ada topic_01: not graded\n"
        deadline = time.monotonic() + 60
        while not processes_of(folder, but=process.pid) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert processes_of(folder, but=process.pid)
        process.send_signal(signal.SIGINT)
        shown, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert shown == f"\nInterrupted. What was graded is in {folder / _course.GRADES}.\n"
    assert [row["student"] for row in read_csv(folder / _course.GRADES)] == ["ada"]
    assert processes_of(folder) == []


def test_a_course_is_made_whole_or_not_at_all(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "course"
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")
    assert main(["classroom", "new", str(folder), "--topics", "1"]) != 0
    assert "DIR must be a new or an empty folder" in capsys.readouterr().err
    assert [path.name for path in folder.iterdir()] == ["mine.txt"]
    with pytest.raises(ValueError, match="--topics"):
        _course.new_course(tmp_path / "other", [99])
    monkeypatch.setattr(_course, "find_leaks", lambda *given: ["answer = 42"])
    with pytest.raises(RuntimeError, match="holds solutions"):
        _course.new_course(tmp_path / "leaky", [1])
    assert not (tmp_path / "leaky").exists() and not (tmp_path / "other").exists()
    with pytest.raises(ValueError, match="a course folder"):
        _course.grade_course(tmp_path)


def test_leaks_are_found(course):
    folder = course
    path = folder / "release" / "topic_01" / "topic_01.ipynb"
    copy = json.loads(path.read_text(encoding="utf-8"))
    assert _course.find_leaks(folder, "topic_01") == []
    for spoiled in ("    moved = centroids.copy()\n", "### BEGIN SOLUTION\n", "f(hidden=True)\n"):
        leaky = json.loads(json.dumps(copy))
        leaky["cells"][-1]["source"] = [spoiled]
        path.write_text(json.dumps(leaky), encoding="utf-8")
        assert _course.find_leaks(folder, "topic_01"), spoiled


def test_the_plain_nbgrader_command_agrees(course):
    """A teacher who uses nbgrader's own tools gets the same points."""
    from nbgrader.api import Gradebook

    folder = course
    hand_in(folder, "ada", 3, reference(folder, 3))
    grader = _course._grader(folder)
    assert grader.autograde("topic_03", "ada")["success"]
    with Gradebook(grader.coursedir.db_url) as book:
        submission = book.find_submission("topic_03", "ada")
        assert submission.score == submission.max_score > 0

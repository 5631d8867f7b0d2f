"""nbgrader itself: student copies, stubs, references, known-wrong and broken submissions.

Every day three assignments are graded; ``pytest -m full tests/classroom`` grades the others.

``ANNLAB_TOPICS="5"`` grades that topic alone.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from courses import ONLY, SOURCES, hand_in, marked_cell, read_csv, reference, released

pytest.importorskip("nbgrader", reason='needs pip install "annlab-kmeans[classroom]"')

from annlab import classroom
from annlab.classroom import (
    _course,
    _grading,
    _results,
    _source,
    _tables,
    _worker,
)
from annlab.cli import main

#: Assignments that are graded in every run; the others have the mark ``full``.
EVERYDAY = (1, 2, 3)


def marked(numbers):
    return [
        pytest.param(number, marks=() if number in EVERYDAY or ONLY else pytest.mark.full)
        for number in numbers
    ]


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
    # the third and later wrong answers are proved without nbgrader in test_exercises.py
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

    rows = {row.student: row for row in _grading.grade_course(folder, jobs=2)}
    assert rows.keys() == expected.keys()
    for student, row in rows.items():
        assert (row.status, row.notes) == (_results.GRADED, []), (student, row.reason)
        assert len(row.exercises) == len(source.parts)
        for one in row.exercises:
            points = classroom.find(one.exercise).points
            kind, says = expected[student].get(one.exercise, ("", ""))
            assert one.max_score == points
            if classroom.find(one.exercise).takes == "text" and student != "stub":
                # the teacher decides; what the words suggest is advice
                assert (one.score, one.kind) == (0, _results.WAITS)
                head = "not recognised" if kind else "right. "
                assert (
                    f"{points:g} points wait for the teacher ({one.exercise}: {head}" in one.message
                )
                assert says.replace("'", "") in one.message.replace("'", "")
                continue
            if kind == "unanswered" and classroom.find(one.exercise).takes == "text":
                assert (one.score, one.kind) == (0, "unanswered")
                continue
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
    # the free text waits for the teacher
    most = sum(one.points for one in classroom.exercises(1))
    total = most - classroom.find("01-5").points
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
    rows = {row["student"]: row for row in read_csv(folder / _tables.GRADES)}
    lines = read_csv(folder / _tables.BY_EXERCISE)
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
        assert float(rows[student]["max_score"]) == most
    assert (
        "no assignment 'topic_99'"
        in [
            row["reason"]
            for row in read_csv(folder / _tables.GRADES)
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
    assert not (folder / _tables.GRADES).exists()
    for wrong in (["--jobs", "-1"], ["--timeout", "0"], ["--limit", "-3"]):
        assert main(["classroom", "grade", str(folder), *wrong]) == 2
        assert f"{wrong[0]} must be" in capsys.readouterr().err
    hand_in(folder, "ada", 1, "no notebook")
    hand_in(folder, "bob", 3, "nothing")
    # notebooks in the wrong place: of a student who has done nothing else, and of nobody
    (folder / "submitted" / "cleo").mkdir()
    for stray in ("cleo/topic_01 (1).ipynb", "homework.ipynb"):
        (folder / "submitted" / stray).write_text("{}")
    rows = {(row.student, row.assignment): row for row in _grading.grade_course(folder, jobs=2)}
    assert rows["cleo", "topic_01"].notes == [
        "submitted/cleo/topic_01 (1).ipynb was not graded: move it to submitted/cleo/topic_01/"
    ]
    assert rows["?", "homework"].notes[0].endswith("move it to submitted/STUDENT/ASSIGNMENT/")
    assert {rows["cleo", "topic_01"].status, rows["?", "homework"].status} == {_results.BROKEN}
    for stray in ("cleo/topic_01 (1).ipynb", "homework.ipynb"):
        (folder / "submitted" / stray).unlink()
    (folder / "submitted" / "cleo").rmdir()
    assert rows["ada", "topic_03"].status == rows["bob", "topic_01"].status == _results.MISSING
    assert rows["ada", "topic_01"].status == rows["bob", "topic_03"].status == _results.BROKEN

    # to grade one again leaves the lines of the others
    (folder / "submitted" / "ada" / "topic_01" / "topic_01.ipynb").unlink()
    hand_in(folder, "ada", 1, reference(folder, 1))
    only = {"students": ["ada"], "assignments": ["topic_01"]}
    (again,) = _grading.grade_course(folder, jobs=2, **only)
    assert 0 < again.score == again.max_score - classroom.find("01-5").points
    lines = [(x["student"], x["assignment"], x["status"]) for x in read_csv(folder / "grades.csv")]
    assert sorted(lines) == [
        ("ada", "topic_01", _results.GRADED),
        ("ada", "topic_03", _results.MISSING),
        ("bob", "topic_01", _results.MISSING),
        ("bob", "topic_03", _results.BROKEN),
    ]
    exercises = [x["exercise"] for x in read_csv(folder / _tables.BY_EXERCISE)]
    every = [one.id for number in (1, 3) for one in classroom.exercises(number)]
    assert exercises == 2 * every
    with pytest.raises(ValueError, match="--assignments must be among topic_01"):
        _grading.grade_course(folder, assignments=["topic_1"])


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
    assert shown == f"\nInterrupted. What was graded is in {folder / _tables.GRADES}.\n"
    assert [row["student"] for row in read_csv(folder / _tables.GRADES)] == ["ada"]
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
        _grading.grade_course(tmp_path)


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
    grader = _course.nbgrader_api(folder)
    assert grader.autograde("topic_03", "ada")["success"]
    with Gradebook(grader.coursedir.db_url) as book:
        submission = book.find_submission("topic_03", "ada")
        assert submission.score == submission.max_score - classroom.find("03-5").points > 0
        assert submission.needs_manual_grade


# -- pieces, without a kernel ----------------------------------------------------------------------


def small_release(tmp_path, *cells):
    """A course folder with one assignment of the given cells, as far as reading it goes."""
    place = tmp_path / "release" / "topic_01"
    place.mkdir(parents=True)
    text = json.dumps({"cells": list(cells), "nbformat": 4})
    (place / "topic_01.ipynb").write_text(text, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("log", "says"),
    [
        ("nbclient.exceptions.DeadKernelError: Kernel died", _grading.DIED),
        ("ERROR: the kernel is unresponsive", "could not be interrupted"),
        ("sqlite3.OperationalError: database is locked", _grading.LOCKED),
        ("words\n  KeyError: 'x'\nmore", "nbgrader gave up: KeyError: 'x'"),
        ("words", "nbgrader gave up: no reason given"),
    ],
)
def test_why_nothing_was_graded(log, says):
    assert says in _worker.why_not_graded(log)
    worth = says in (_grading.DIED, _grading.LOCKED)
    assert _grading._worth_a_retry(["x", _worker.why_not_graded(log)]) == worth


def test_why_there_are_no_points():
    def cell(*outputs):
        return {"outputs": list(outputs)}

    printed = {"output_type": "stream", "name": "stdout", "text": ["hello"]}
    careful = {"output_type": "stream", "name": "stderr", "text": ["be ", "careful\n"]}
    error = {"output_type": "error", "ename": "KeyError", "evalue": "'x'"}
    verdict = {"output_type": "error", "ename": "WrongAnswer", "evalue": "[off_by_one] One less."}
    assert _results.why(cell(printed, error)) == ("raised", "the test raised KeyError: 'x'")
    assert _results.why(cell(printed, verdict)) == ("off_by_one", "One less.")
    kind, message = _results.why(cell(printed, careful))
    assert (kind, message.endswith(": be careful")) == ("stderr", True)
    assert _results.why(cell(printed)) == ("unknown", "no points, and no message")
    assert _results.first_error(cell(printed, error)) == "KeyError: 'x'"
    assert _results.first_error(cell(printed)) == ""
    over = {"output_type": "error", "ename": "CellTimeoutError", "evalue": ""}
    assert _results.first_error(cell(error, over)) == "CellTimeoutError"


def test_nothing_is_begun_after_the_end(tmp_path):
    folder = small_release(tmp_path, marked_cell("answer-01-1"), marked_cell("test-01-1"))
    running = _grading.Running()
    running.stop()
    assert running.start([sys.executable, "-c", "1 / 0"]) is None
    row = _grading.grade_one(folder, "ada", "topic_01", 1.0, 1.0, running)
    assert (row.status, row.notes) == (_results.BROKEN, ["interrupted"])
    assert (row.score, row.max_score) == (0.0, 2.0)
    assert [(one.exercise, one.kind, one.message) for one in row.exercises] == [
        ("01-1", "not_graded", "interrupted")
    ]
    # an assignment that cannot be read has no points to lose
    assert _results.no_points(_grading.released_notebook(folder, "topic_02"), "x") == []


def test_whatever_happens_to_the_teacher_no_process_is_left(tmp_path):
    class Interrupted(_grading.Running):
        def start(self, command, **options):
            sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
            self.process = super().start(sleep, **options)
            communicate = self.process.communicate

            def once(timeout=None):
                self.process.communicate = communicate
                raise KeyboardInterrupt

            self.process.communicate = once
            return self.process

    running = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        _grading.grade_one(small_release(tmp_path), "ada", "topic_01", 1.0, 1.0, running)
    assert running.process.poll() is not None
    assert running._processes == set()


def test_strays_of_others_are_not_in_the_table(course, monkeypatch):
    folder = course
    hand_in(folder, "ada", 1, {"cells": []})
    hand_in(folder, "bob", 1, {"cells": []})
    for student in ("ada", "bob"):
        (folder / "submitted" / student / "topic_01.ipynb").write_text("{}")

    def graded(folder, student, name, *given):
        return _results.Row(student, name, _results.GRADED)

    monkeypatch.setattr(_grading, "grade_one", graded)
    rows = _grading.grade_course(folder, jobs=1, students=["ada"])
    # her own stray is told, and takes nothing from what was handed in in the right place
    assert [(row.student, row.status) for row in rows] == [
        ("ada", _results.GRADED),
        ("ada", _results.BROKEN),
    ]
    assert rows[1].notes[0].startswith("submitted/ada/topic_01.ipynb was not graded")
    assert [row.student for row in _grading.grade_course(folder, jobs=1)].count("bob") == 2


def test_a_course_that_fails_half_way_leaves_the_folder_as_it_was(tmp_path, monkeypatch):
    class Failing:
        def generate_assignment(self, name):
            return {"success": False, "error": "no space left"}

    monkeypatch.setattr(_course, "nbgrader_api", lambda folder: Failing())
    folder = tmp_path / "mine"
    folder.mkdir()
    with pytest.raises(RuntimeError, match=r"could not make topic_01:\nno space left"):
        _course.new_course(folder, [1])
    assert folder.is_dir() and list(folder.iterdir()) == []
    monkeypatch.setattr(_course, "build", lambda *given, check: ["topic_01.ipynb"])
    with pytest.raises(ValueError, match=r"topic_01\.ipynb is not in step"):
        _course.new_course(tmp_path / "other", [1])
    assert not (tmp_path / "other").exists()


def test_a_folder_without_settings_is_graded_in_its_own_place(tmp_path):
    grader = _course.nbgrader_api(tmp_path, Execute__timeout=7)
    assert Path(grader.coursedir.root) == tmp_path.resolve()
    assert grader.config.Execute.timeout == 7


def test_the_command_says_what_it_made(tmp_path, capsys):
    folder = tmp_path / "course"
    assert main(["classroom", "new", str(folder), "--topics", "3"]) == 0
    assert capsys.readouterr().out.splitlines()[:2] == [
        f"{folder}: topic_03.",
        f"Hand out {folder / 'release'}; README.md in the folder says what comes next.",
    ]
    assert (folder / "release" / "topic_03" / "topic_03.ipynb").exists()

"""nbgrader itself: student copies, stubs, references, known-wrong and broken submissions.

By default three assignments are graded; ``pytest -m full tests/classroom`` grades the others.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from courses import (
    ONLY,
    SOURCES,
    answers,
    fill_in,
    hand_in,
    marked_cell,
    read_csv,
    reference,
    released,
)

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


def test_student_copy_contains_no_solution(made):
    for number, source in SOURCES.items():
        copy = released(made, number)
        text = "\n".join("".join(cell["source"]) for cell in copy["cells"])
        assert _course.find_leaks(made, _source.assignment_name(number)) == []
        assert "SOLUTION" not in text and "HIDDEN" not in text and "hidden=" not in text
        assert text.count(_source.STUB) == len(source.parts)


@pytest.mark.parametrize("number", marked(SOURCES))
def test_submission_gets_its_score(number, course):
    source, copy = SOURCES[number], released(course, number)
    hand_in(course, "stub", number, copy)
    expected = {"stub": {part.exercise.id: ("unanswered", "") for part in source.parts}}
    # the third and later wrong answers are tested without nbgrader in test_exercises.py
    for student, variant in (("reference", None), ("wrong-1", 0), ("wrong-2", 1)):
        hand_in(course, student, number, fill_in(copy, answers(number, variant)))
        expected[student] = {
            part.exercise.id: (part.wrong[variant].kind, part.wrong[variant].says)
            for part in source.parts
            if variant is not None and variant < len(part.wrong)
        }
    rows = {row.student: row for row in _grading.grade_course(course, jobs=2)}
    assert rows.keys() == expected.keys()
    for student, row in rows.items():
        assert (row.status, row.notes) == (_results.GRADED, []), (student, row.reason)
        assert len(row.exercises) == len(source.parts)
        for one in row.exercises:
            exercise = classroom.find(one.exercise)
            kind, says = expected[student].get(one.exercise, ("", ""))
            assert one.max_score == exercise.points
            if exercise.takes == "text" and student != "stub":
                # the teacher decides; what the terms suggest is advice
                assert (one.score, one.kind) == (0, _results.WAITS)
                told = f"{exercise.points} points wait for the teacher ({one.exercise}: looks"
                assert one.message.startswith(told)
                continue
            points = exercise.part_points.get(kind, 0) if kind else exercise.points
            assert (one.score, one.kind) == (points, kind), (student, one)
            assert exercise.takes == "text" or says in one.message, (student, one)


def processes_of(folder, but=None):
    """Return the command lines of the processes that work in a folder."""
    import psutil

    found = []
    for process in psutil.process_iter(["cmdline", "pid"]):
        words = " ".join(process.info["cmdline"] or [])
        if str(folder) in words and process.info["pid"] != but:
            found.append(words)
    return found


def broken_submissions(folder):
    """Return notebooks by student, with lost exercises (None: all) and messages."""
    good, texts = reference(folder, 1), answers(1)

    def with_answer(code):
        return fill_in(released(folder, 1), texts | {"01-2": code})

    def without(*ids):
        kept = [cell for cell in good["cells"] if grade_id(cell) not in ids]
        return json.loads(json.dumps(good | {"cells": kept}))

    def grade_id(cell):
        return cell["metadata"].get("nbgrader", {}).get("grade_id")

    tampered = without("test-01-2", "test-01-5")
    for cell in tampered["cells"]:
        if grade_id(cell) == "test-01-1":
            cell["source"] = "pass"
            cell["metadata"]["nbgrader"]["points"] = 50
    # endless code sleeps, so that other tests can have the processor
    wait = "import time\n{}while True:\n{}    time.sleep(0.05)"
    stubborn = (
        "import time\nwhile True:\n    try:\n        while True:\n            time.sleep(0.05)\n"
        "    except KeyboardInterrupt:\n        pass"
    )
    stderr = "import sys\nERR = sys.stderr\n" + texts["01-2"].replace(
        "    distances_sq", "    print('careful', file={})\n    distances_sq", 1
    )
    # every cell is within its limit, all together are not
    slow = {id: f"import time\ntime.sleep(10)\n{text}" for id, text in texts.items()}
    two = ["01-2"]
    return {
        "good": (good, [], ""),
        "with-file": (with_answer(f"open('data/a.txt').read()\n{texts['01-2']}"), [], ""),
        "endless-in-test": (
            with_answer(wait.format("def assign(X, centroids):\n    ", "    ")),
            two,
            "time limit",
        ),
        "endless-in-cell": (with_answer(wait.format("", "")), two, "time limit"),
        "raises": (with_answer("1 / 0"), two, "ZeroDivisionError"),
        # output inside a call is discarded, but not that of a saved stream
        "loud": (with_answer(stderr.format("sys.stderr")), [], ""),
        "sly": (with_answer(stderr.format("ERR")), two, "stderr"),
        "tampered": (tampered, [], "test cells missing and restored: 01-2, 01-5"),
        "edited": (tampered, [], "test cells edited and restored: 01-1"),
        "no-answer": (
            without("answer-01-3", "answer-01-1", "test-01-1"),
            ["01-1", "01-3"],
            "answer cells missing and restored: 01-1, 01-3",
        ),
        "stubborn": (with_answer(stubborn), None, "did not end"),
        "slow": (fill_in(released(folder, 1), slow), None, "stopped after 45 seconds"),
        "dies": (with_answer("import os\nos._exit(1)"), None, "the kernel died"),
        "not-json": ("{ this is no notebook", None, "not a notebook"),
        "not-a-notebook": ("[1, 2]", None, "not a notebook"),
    }


def test_broken_submission_affects_only_its_own_row(course, tmp_path, capsys, monkeypatch):
    # the private folders of the grading processes, to be found again
    (tmp_path / "private").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "private"))
    submissions = broken_submissions(course)
    for student, (notebook, _, _) in submissions.items():
        hand_in(course, student, 1, notebook)
    (course / "submitted" / "with-file" / "topic_01" / "data").mkdir()
    (course / "submitted" / "with-file" / "topic_01" / "data" / "a.txt").write_text("a")
    (course / "submitted" / "empty" / "topic_01").mkdir(parents=True)
    (course / "submitted" / "nothing").mkdir()
    (course / "submitted" / "stranger" / "topic_99").mkdir(parents=True)
    hand_in(course, "=1+1", 1, reference(course, 1), name="topic_01 (2).ipynb")

    capsys.readouterr()
    argv = ["--timeout", "12", "--limit", "45", "--jobs", "4"]
    assert main(["classroom", "grade", str(course), *argv]) == 1, "some could not be graded"
    shown = capsys.readouterr().out
    rows = {row["student"]: row for row in read_csv(course / _tables.GRADES)}
    points = {one.id: one.points for one in classroom.exercises(1)}
    most = sum(points.values())
    expected = {student: told for student, (_, *told) in submissions.items()}
    expected |= {
        "empty": (None, "there is no topic_01.ipynb"),
        "'=1+1": ([], "handed in as topic_01 (2).ipynb"),
    }
    for student, (lost, says) in expected.items():
        row = rows[student]
        # the free text waits for the teacher
        left = 0 if lost is None else most - sum(points[id] for id in [*lost, "01-5"])
        status = "not graded" if lost is None else "graded"
        assert (float(row["score"]), row["status"]) == (left, status), row
        assert float(row["max_score"]) == most
        assert says in row["reason"], row
        assert student.removeprefix("'") in shown
    told = "submitted/stranger/topic_99 was not graded: put its notebook in submitted/stranger/"
    assert rows["stranger"]["reason"].startswith(told)
    assert "nothing" not in rows, "a student without an assignment is not listed"
    kinds = {
        (x["student"], x["exercise"]): x["kind"] for x in read_csv(course / _tables.BY_EXERCISE)
    }
    assert kinds["endless-in-cell", "01-2"] == kinds["endless-in-test", "01-2"] == "timeout"
    assert kinds["raises", "01-2"] == "raised" and kinds["sly", "01-2"] == "stderr"
    assert kinds["no-answer", "01-1"] == "unanswered"
    # no process and no file is left
    assert processes_of(tmp_path / "private") == []
    assert list((tmp_path / "private").iterdir()) == []


def test_missing_and_stray_submissions_get_a_row(course):
    assert main(["classroom", "grade", str(course)]) == 1, "no submissions yet"
    assert not (course / _tables.GRADES).exists()
    hand_in(course, "ada", 1, "no notebook")
    hand_in(course, "bob", 3, "nothing")
    # misplaced notebooks: of a student without other work, and of no student
    (course / "submitted" / "cleo").mkdir()
    for stray in ("cleo/topic_01 (1).ipynb", "homework.ipynb"):
        (course / "submitted" / stray).write_text("{}")
    rows = {row.pair: row for row in _grading.grade_course(course, jobs=2)}
    assert {pair: row.status for pair, row in rows.items()} == {
        ("ada", "topic_01"): _results.BROKEN,
        ("ada", "topic_03"): _results.MISSING,
        ("bob", "topic_01"): _results.MISSING,
        ("bob", "topic_03"): _results.BROKEN,
        ("cleo", "topic_01"): _results.BROKEN,
        ("?", "homework"): _results.BROKEN,
    }
    assert (
        rows["cleo", "topic_01"].notes[0].endswith("put its notebook in submitted/cleo/topic_01/")
    )
    assert rows["?", "homework"].notes[0].endswith("in submitted/STUDENT/ASSIGNMENT/")
    with pytest.raises(ValueError, match="--assignments must be one of topic_01"):
        _grading.grade_course(course, assignments=["topic_1"])


@pytest.mark.parametrize("wrong", [["--jobs", "-1"], ["--timeout", "0"], ["--limit", "-3"]])
def test_grade_command_refuses_wrong_limits(tmp_path, wrong, capsys):
    assert main(["classroom", "grade", str(tmp_path), *wrong]) == 2
    assert f"{wrong[0]} must be" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is no signal to one process there")
def test_interrupted_grading_keeps_its_results(course):
    """Ctrl-C in a terminal ends it quickly, with a table and without processes."""
    folder = course
    hand_in(folder, "ada", 1, "no notebook")
    endless = answers(1) | {"01-1": "import time\ntime.sleep(600)"}
    for student in ("bob", "eve"):
        hand_in(folder, student, 1, fill_in(released(folder, 1), endless))
    # a process in the background may ignore Ctrl-C
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
    assert shown == f"\nInterrupted. The results so far are in {folder / _tables.GRADES}.\n"
    assert [row["student"] for row in read_csv(folder / _tables.GRADES)] == ["ada"]
    assert processes_of(folder) == []


def test_course_is_complete_or_not_created(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "course"
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")
    assert main(["classroom", "new", str(folder), "--topics", "1"]) != 0
    assert "DIR must be a new or an empty folder" in capsys.readouterr().err
    assert [path.name for path in folder.iterdir()] == ["mine.txt"]
    (folder / "mine.txt").unlink()
    with pytest.raises(ValueError, match="--topics"):
        _course.new_course(folder, [99])
    with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="contains solutions"):
        patch.setattr(_course, "find_leaks", lambda *given: ["answer = 42"])
        _course.new_course(folder, [1])
    failed = {"success": False, "error": "no space left"}
    nbgrader = SimpleNamespace(generate_assignment=lambda name: failed)
    with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="no space left"):
        patch.setattr(_course, "nbgrader_api", lambda folder: nbgrader)
        _course.new_course(folder, [1])
    with monkeypatch.context() as patch, pytest.raises(ValueError, match="is out of date"):
        patch.setattr(_course, "build", lambda *given, check: ["topic_01.ipynb"])
        _course.new_course(folder, [1])
    assert list(folder.iterdir()) == []
    with pytest.raises(ValueError, match="a course folder"):
        _grading.grade_course(folder)
    assert main(["classroom", "new", str(folder), "--topics", "1"]) == 0
    assert f"Hand out {folder / 'release'}" in capsys.readouterr().out
    assert (folder / "release" / "topic_01" / "topic_01.ipynb").exists()


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


def test_plain_nbgrader_gives_the_same_points(course):
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
    """Return a minimal course folder with one assignment of the given cells."""
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
def test_reason_is_read_from_the_log(log, says):
    assert says in _worker.why_not_graded(log)


PRINTED = {"output_type": "stream", "name": "stdout", "text": ["hello"]}
CAREFUL = {"output_type": "stream", "name": "stderr", "text": ["be ", "careful\n"]}
ERROR = {"output_type": "error", "ename": "KeyError", "evalue": "'x'"}
VERDICT = {"output_type": "error", "ename": "WrongAnswer", "evalue": "[off_by_one] One less."}
PART = {"output_type": "display_data", "metadata": {"annlab": ["ties", "Ties?"]}}
OVER = {"output_type": "error", "ename": "CellTimeoutError", "evalue": ""}


@pytest.mark.parametrize(
    ("outputs", "kind", "says"),
    [
        ([PRINTED, ERROR], "raised", "the test raised KeyError: 'x'"),
        ([PRINTED, VERDICT], "off_by_one", "One less."),
        ([PRINTED, CAREFUL], "stderr", ": be careful"),
        ([PART, PRINTED], "ties", "Ties?"),
        ([ERROR, OVER], "timeout", "a cell did not end"),
        ([PRINTED], "unknown", "no points, and no message"),
    ],
)
def test_outputs_tell_why_points_are_missing(outputs, kind, says):
    found, message = _results.why({"outputs": outputs})
    assert found == kind and says in message


def test_no_process_starts_after_the_stop(tmp_path):
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
    # an unreadable assignment has no points
    assert _results.no_points(_grading.released_notebook(folder, "topic_02"), "x") == []


def test_folder_without_settings_is_its_own_course(tmp_path):
    grader = _course.nbgrader_api(tmp_path, Execute__timeout=7)
    assert Path(grader.coursedir.root) == tmp_path.resolve()
    assert grader.config.Execute.timeout == 7

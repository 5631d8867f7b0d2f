"""The topics: every answer gets its verdict, sources and notebooks agree, nothing is revealed."""

from __future__ import annotations

import re
import subprocess
import sys

import numpy as np
import pytest
from courses import FOLDER, ONLY, SOURCES, answers
from threadpoolctl import threadpool_limits

from annlab import classroom
from annlab.classroom import _base, _source, _teaching
from annlab.classroom._case import run_check
from annlab.cli import main

ROOT = FOLDER.parents[1]
TOPICS = [number for number in classroom.topics() if not ONLY or number in ONLY]
EXERCISES = [one for number in TOPICS for one in classroom.exercises(number)]
#: (topic, exercise, kind of answer, number of the answer among those of its kind)
ANSWERS = [
    (number, part.exercise.id, what, which)
    for number, source in SOURCES.items()
    for part in source.parts
    for what, count in (
        ("solution", 1),
        ("stub", 1),
        ("wrong", len(part.wrong)),
        ("right", len(part.right)),
    )
    for which in range(count)
]


def run_cells(cells, names):
    for kind, text in cells:
        if kind == "code":
            exec(re.sub(r"^%.*$", "", text, flags=re.M), names)


# ------------------------------------------------------------------------------ every exercise


def test_notebooks_and_teaching_are_up_to_date():
    assert set(SOURCES) == set(TOPICS)
    assert _source.build(FOLDER, ONLY, check=True) == [], "call: annlab classroom build"
    assert ONLY or _teaching.build(FOLDER.parent, check=True) == [], "call: annlab classroom build"


@pytest.mark.parametrize("number", TOPICS)
def test_topic_is_complete(number):
    exercises = classroom.exercises(number)
    order = [_base.LEVELS.index(one.level) for one in exercises]
    assert order == sorted(order) and len(set(order)) == 3, "recall, then apply, then analyse"
    assert [one.takes for one in exercises].count("text") == 1
    assert [one.id for one in exercises] == [f"{number:02d}-{i}" for i in range(1, 6)]
    for part in SOURCES[number].parts:
        one, kinds = part.exercise, {wrong.kind for wrong in part.wrong}
        known = {key.partition("-")[0] for key in one.messages}
        assert len(part.right if one.takes == "text" else kinds) >= 2, one.id
        assert len(one.rubric) == (2 if one.takes == "text" else 0), one.id
        assert len(one.hints) == (3 if one.points == 3 else 2), one.id
        assert one.minutes >= 5 and all(hint.endswith((".", "?")) for hint in one.hints)
        assert set(one.part_points) <= known, one.id
        assert bool(one.part_points) == (one.points == 3), one.id
        assert all(points in (1, 2) for points in one.part_points.values()), one.id
        secret = {line for line in _source.solution_of(part.answer) if len(line) > 8}
        assert not any(line in hint for line in secret for hint in one.hints), one.id


@pytest.mark.parametrize(("number", "id", "what", "which"), ANSWERS)
def test_answer_gets_its_verdict(number, id, what, which):
    part = next(part for part in SOURCES[number].parts if part.exercise.id == id)
    text = {
        "solution": lambda: answers(number)[id],
        "stub": lambda: _source.stub_of(part.answer),
        "wrong": lambda: part.wrong[which].code,
        "right": lambda: part.right[which],
    }[what]()
    names: dict = {}
    run_cells([*SOURCES[number].intro, *part.cells, ("code", text)], names)
    for hidden in (False, True):
        verdict = run_check(part.exercise, names[part.exercise.answer], hidden=hidden)
        if what == "wrong":
            expected = part.wrong[which]
            assert (verdict.right, verdict.kind) == (False, expected.kind), (hidden, verdict)
            assert expected.says in verdict.message, "the message names the mistake"
        elif what == "stub":
            assert (verdict.right, verdict.kind) == (False, "unanswered"), (hidden, verdict)
        else:
            assert verdict.right, (hidden, verdict)


@pytest.mark.parametrize("number", TOPICS)
def test_every_message_is_used_by_a_check(number):
    folder = ROOT / "annlab" / "classroom"
    names = f"topic_{number:02d}.py", "_case.py", "_values.py"
    code = "".join((folder / name).read_text() for name in names)
    for exercise in classroom.exercises(number):
        keys = set(exercise.messages) - {"different"}
        if exercise.takes == "value":
            assert keys == set(exercise.values)
            continue
        # empty_cluster() makes three kinds of one name
        keys -= {key for key in keys if re.search("^empty.*_(nan|zero|dropped)$", key)}
        assert [key for key in keys if f'"{key}"' not in code] == [], exercise.id


@pytest.mark.parametrize("number", TOPICS)
def test_student_copy_runs_as_it_is_handed_out(number):
    source, names = SOURCES[number], {}
    run_cells(source.intro, names)
    for part in source.parts:
        run_cells([*part.cells, ("code", _source.stub_of(part.answer)), *part.after], names)


NONSENSE = {
    "ellipsis": ...,
    "nan": float("nan"),
    "word": "a word",
    "words": "words " * 40,
    "huge": 1e300,
    "nested": [[]],
    "dict": {},
    "object": object(),
    "zeros": np.zeros((3, 3, 3)),
    "strings": np.array(["x"]),
    "class": int,
    "no arguments": lambda: 1,
    "first argument": lambda *args: args[0],
    "raises": lambda *args: 1 / 0,
    "nans": lambda *args: np.full((7, 9), np.nan),
    "returns text": lambda *args: "text",
    "exits": lambda *args: sys.exit(3),
    "prints": print,
}


@pytest.mark.parametrize("id", [one.id for one in EXERCISES])
def test_checks_survive_nonsense_and_do_not_pass_it(id):
    for name, answer in NONSENSE.items():
        verdict = classroom.check(id, answer)
        assert not verdict, name
        assert verdict.kind and len(verdict.message) > 15, (name, verdict)


def test_installed_annlab_contains_no_solution():
    package = "\n".join(
        path.read_text(encoding="utf-8")
        for path in (ROOT / "annlab" / "classroom").rglob("*")
        if path.suffix in (".py", ".toml")
    )
    for part in (part for source in SOURCES.values() for part in source.parts):
        # a line may occur by chance in a check; the whole solution must not
        long = [line for line in _source.solution_of(part.answer) if len(line) > 25]
        assert not long or not all(line in package for line in long), part.exercise.id


# ------------------------------------------------------------------------- sources and notebooks


def test_sources_are_only_in_a_checkout(monkeypatch, tmp_path):
    monkeypatch.setattr(_source, "__file__", str(tmp_path / "a" / "b" / "_source.py"))
    with pytest.raises(FileNotFoundError, match="checkout"):
        _source.exercises_folder()


def test_nbval_runs_exercises_only_if_named():
    from importlib.util import module_from_spec, spec_from_file_location
    from types import SimpleNamespace

    spec = spec_from_file_location("exercises_conftest", FOLDER / "conftest.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)

    def ignored(*arguments):
        config = SimpleNamespace(args=arguments, invocation_params=SimpleNamespace(dir=ROOT))
        return module.pytest_ignore_collect(FOLDER / "source", config)

    assert ignored("notebooks") is ignored("tests", str(ROOT / "notebooks")) is True
    assert ignored("notebooks/exercises/source") is None
    assert ignored("notebooks/exercises/source/topic_03/topic_03.ipynb::Cell 1") is None


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda text: text.replace("## 03-2", "## 03-9"), "heading"),
        (lambda text: text.replace("## 03-2\n", ""), "one answer"),
        (lambda text: text.split("## 03-5")[0], "made of the exercises"),
        (lambda text: text.replace("### END SOLUTION", "", 1), "END SOLUTION"),
        (lambda text: text.replace("wrong kind=", "wrong sort=", 1), "kind"),
        (lambda text: text.replace("```python answer", "```python solution", 1), "right or wrong"),
        (lambda text: text.replace("recall_by_hand", "other"), "recall_by_hand"),
    ],
)
def test_faulty_source_is_refused(tmp_path, edit, message):
    path = tmp_path / "03.md"
    path.write_text(edit((FOLDER / "topics" / "03.md").read_text(encoding="utf-8")))
    with pytest.raises(ValueError, match=message):
        _source.read_topic(path)


@pytest.mark.parametrize("number", SOURCES)
def test_notebook_is_valid_and_worth_its_points(number):
    import nbformat

    source = SOURCES[number]
    text = _source.dumps(_source.make_notebook(source))
    notebook = nbformat.reads(text, as_version=4)
    nbformat.validate(notebook)
    marks = [cell.metadata.nbgrader for cell in notebook.cells if "nbgrader" in cell.metadata]
    assert len({mark.grade_id for mark in marks}) == len(marks) == 2 * len(source.parts)
    points = sum(mark.points for mark in marks if mark.grade)
    assert points == sum(part.exercise.points for part in source.parts)
    cells = [cell.source for cell in notebook.cells]
    for part in source.parts:
        assert not any(wrong.code in cells for wrong in part.wrong)
        verb = "check" if part.exercise.takes == "text" else "grade"
        assert f'classroom.{verb}("{part.exercise.id}' in text.replace("\\", "")


def test_build_writes_missing_and_outdated_notebooks(tmp_path):
    (tmp_path / "topics").mkdir()
    (tmp_path / "topics" / "03.md").write_bytes((FOLDER / "topics" / "03.md").read_bytes())
    name = "source/topic_03/topic_03.ipynb"
    made, original = tmp_path / name, FOLDER / name
    assert _source.build(tmp_path, check=True) == [name]
    assert not made.exists()
    assert _source.build(tmp_path) == [name]
    assert made.read_bytes() == original.read_bytes()
    made.write_text("old", encoding="utf-8")
    assert _source.build(tmp_path, [4]) == []
    assert _source.build(tmp_path, [3]) == [name]
    assert made.read_bytes() == original.read_bytes()


def test_teaching_is_replaced_between_its_markers(tmp_path, monkeypatch):
    monkeypatch.setattr(_teaching, "made", lambda: f"{_teaching.BEGIN}\nmade\n{_teaching.END}")
    page = tmp_path / "TEACHING.md"
    old = f"head {_teaching.BEGIN}old{_teaching.END} tail"
    page.write_text(old, encoding="utf-8")
    assert _teaching.build(tmp_path, check=True) == ["TEACHING.md"]
    assert page.read_text(encoding="utf-8") == old
    assert _teaching.build(tmp_path) == ["TEACHING.md"]
    assert page.read_text(encoding="utf-8") == f"head {_teaching.made()} tail"
    assert _teaching.build(tmp_path) == []
    page.write_text(f"{_teaching.BEGIN} and no end", encoding="utf-8")
    with pytest.raises(ValueError, match="must contain both markers once"):
        _teaching.build(tmp_path)


@pytest.mark.parametrize(
    ("words", "stale", "status", "says"),
    [
        ([], ["a.ipynb"], 0, "a.ipynb: updated\nTEACHING.md: updated\n"),
        (["--check", "--topics", "3"], ["a.ipynb"], 1, "a.ipynb: out of date\n"),
        (["--topics", "3"], [], 0, "Everything is up to date.\n"),
    ],
)
def test_build_command_reports_what_it_did(words, stale, status, says, monkeypatch, capsys):
    monkeypatch.setattr(_source, "build", lambda **options: list(stale))
    monkeypatch.setattr(_teaching, "build", lambda **options: ["TEACHING.md"])
    assert main(["classroom", "build", *words]) == status
    assert capsys.readouterr().out == says


@pytest.mark.parametrize("number", TOPICS)
def test_every_misconception_is_exposed_by_an_exercise(number):
    lesson = classroom.topic(number).LESSON
    assert len(lesson.misconceptions) >= 3
    assert {id for _, id in lesson.misconceptions} <= {one.id for one in EXERCISES}


@pytest.mark.parametrize("number", TOPICS)
def test_code_of_a_sheet_runs(number):
    code = classroom.topic(number).SHEET.code
    assert len(code.split("\n")) <= 5
    assert max(map(len, code.split("\n"))) <= 88, "longer lines print too small"
    # several tests at a time on few cores: threads that wait for each other take minutes
    with threadpool_limits(1):
        exec(code, {"print": lambda *values: None})


def test_classroom_opens_quickly():
    heavy = {"sklearn", "matplotlib", "numba", "nbgrader", "nbformat", "scipy"}
    code = (
        "import sys; from annlab import classroom; classroom.hint('03-1'); "
        f"print(sorted({heavy!r} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# ------------------------------------------------------------------------------ single exercises


def twin_of(change, labels=None):
    """An answer to 11-4 that makes its twin of X by `change(X, rng)`."""

    def answer(X, cluster, score, seed):
        data = change(X, np.random.RandomState(seed))
        return score(data, cluster(data) if labels is None else labels(X, cluster))

    return answer


def by_column(X, rng):
    return np.column_stack([rng.permutation(column) for column in X.T])


def off_by_one(X, cluster, score, seed):
    return twin_of(by_column)(X, cluster, score, seed) + 1


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (twin_of(by_column), ""),
        (lambda X, cluster, score, seed: 1.0, "no_score"),
        (off_by_one, "different"),
        (twin_of(by_column, lambda X, cluster: cluster(X)), "stale_labels"),
        (twin_of(by_column, lambda X, cluster: (cluster(X) + 1) % 3), "different"),
        (twin_of(lambda X, rng: X[:20]), "wrong_shape"),
        (twin_of(lambda X, rng: X), "unchanged"),
        (twin_of(lambda X, rng: by_column(X, np.random.RandomState(0))), "ignores_seed"),
    ],
)
def test_shuffled_twin_names_the_mistake(answer, kind):
    verdict = run_check(classroom.find("11-4"), answer)
    assert (verdict.right, verdict.kind) == (not kind, kind)

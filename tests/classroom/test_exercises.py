"""The exercises without nbgrader: sources, checks, known-wrong answers, sheets, quiz, notes.

To test some topics only: ``ANNLAB_TOPICS="5 6" pytest tests/classroom/test_exercises.py``.
"""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from courses import FOLDER, ONLY, SOURCES
from threadpoolctl import threadpool_limits

from annlab import classroom
from annlab.classroom import _base, _case, _source, _teaching
from annlab.classroom._base import (
    COMMON_KINDS,
    NEGATION,
    Exercise,
    Idea,
    Question,
    Wrong,
    claimed,
)
from annlab.classroom._case import Case, run_check
from annlab.cli import main

ROOT = FOLDER.parents[1]
TOPICS = [number for number in classroom.topics() if not ONLY or number in ONLY]
EXERCISES = [one for number in TOPICS for one in classroom.exercises(number)]
#: (topic, exercise, number of the wrong answer; None is the reference, -1 the stub, "right-0" and
#: so on are other right answers)
ANSWERS = [
    (number, part.exercise.id, which)
    for number, source in SOURCES.items()
    for part in source.parts
    for which in (
        *(None, -1),
        *range(len(part.wrong)),
        *(f"right-{i}" for i in range(len(part.right))),
    )
]


def answer_of(number: int, id: str, which):
    """Run the given cells and one answer of a topic, and return what the student wrote."""
    source = SOURCES[number]
    part = next(part for part in source.parts if part.exercise.id == id)
    if isinstance(which, str):
        text = part.right[int(which.removeprefix("right-"))]
    else:
        text = _source.stub_of(part.answer) if which == -1 else _source.answers(source, which)[id]
    names: dict = {}
    for kind, given in [*source.intro, *part.cells]:
        if kind == "code":
            exec(as_module(given), names)
    exec(text, names)
    return part, names[part.exercise.answer], names


def as_module(cell: str) -> str:
    return re.sub(r"^%.*$", "", cell, flags=re.M)


# ------------------------------------------------------------------------------ every exercise


def test_every_topic_has_a_source_and_a_module():
    assert set(SOURCES) == set(TOPICS)


def test_notebooks_are_in_step_with_their_sources():
    assert _source.build(FOLDER, ONLY, check=True) == [], "call: annlab classroom build"
    assert ONLY or _teaching.build(FOLDER.parent, check=True) == [], "call: annlab classroom build"


@pytest.mark.parametrize("number", TOPICS)
def test_a_topic_is_complete(number):
    exercises = classroom.exercises(number)
    assert 3 <= len(exercises) <= 5
    order = [_base.LEVELS.index(one.level) for one in exercises]
    assert order == sorted(order), "growing difficulty: recall, apply, analyse"
    assert len(set(order)) == 3, "each of recall, apply and analyse"
    assert [one.takes for one in exercises].count("text") == 1, "one of free text"
    assert any(one.takes == "function" for one in exercises), "one with hidden tests"
    assert [one.id for one in exercises] == [
        f"{number:02d}-{i}" for i in range(1, len(exercises) + 1)
    ]
    for part in SOURCES[number].parts:
        assert len(part.wrong) >= 2, f"{part.exercise.id}: two known-wrong submissions"
        assert len({wrong.kind for wrong in part.wrong}) >= 2, part.exercise.id
        if part.exercise.takes == "text":
            assert len(part.right) >= 2, "a free text can be said in other words"
        assert part.exercise.hint.endswith((".", "?")), part.exercise.id
        solution = {line for line in _source.solution_of(part.answer).split("\n") if len(line) > 8}
        assert not any(line in part.exercise.hint for line in solution), "a hint solves nothing"


@pytest.mark.parametrize(("number", "id", "which"), ANSWERS)
def test_every_answer_gets_its_verdict(number, id, which):
    part, answer, _ = answer_of(number, id, which)
    for hidden in (False, True):
        verdict = run_check(part.exercise, answer, hidden=hidden)
        told = (hidden, verdict)
        if which is None or isinstance(which, str):
            assert verdict.right, told
        elif which == -1:
            assert (verdict.right, verdict.kind) == (False, "unanswered"), told
        else:
            wrong = part.wrong[which]
            assert (verdict.right, verdict.kind) == (False, wrong.kind), told
            assert wrong.says in verdict.message, "the message names the mistake"


@pytest.mark.parametrize("number", TOPICS)
def test_every_message_is_used_by_a_check(number):
    folder = ROOT / "annlab" / "classroom"
    code = "".join((folder / name).read_text() for name in (f"topic_{number:02d}.py", "_case.py"))
    for exercise in classroom.exercises(number):
        for key in set(exercise.messages) - {"different"}:
            # empty_cluster() and the like make three kinds of one name
            made = f'"{key}"' in code or key.rpartition("_")[2] in ("nan", "zero", "dropped")
            assert made, f"{exercise.id}: {key}"


@pytest.mark.parametrize("number", TOPICS)
def test_given_cells_run_with_stubs_and_with_solutions(number):
    source = SOURCES[number]
    for which in (-1, None):
        names: dict = {}
        for kind, given in source.intro:
            if kind == "code":
                exec(as_module(given), names)
        for part in source.parts:
            text = _source.stub_of(part.answer)
            if which is None:
                text = _source.answers(source, None)[part.exercise.id]
            given_before = [text for kind, text in part.cells if kind == "code"]
            given_after = [text for kind, text in part.after if kind == "code"]
            for cell in [*given_before, text, *given_after]:
                exec(as_module(cell), names)


NONSENSE = {
    "ellipsis": ...,
    "none": None,
    "nan": float("nan"),
    "word": "a word",
    "words": "words " * 40,
    "huge": 1e300,
    "negative": -1,
    "empty list": [],
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
        assert verdict._repr_html_(), name


def test_kinds_of_mistakes_are_words():
    for source in SOURCES.values():
        for part in source.parts:
            for wrong in part.wrong:
                assert re.fullmatch(r"[a-z_]+", wrong.kind)


# ----------------------------------------------------------------------------- what annlab reveals


def test_an_installed_annlab_holds_no_solution():
    package = "\n".join(
        path.read_text(encoding="utf-8")
        for path in (ROOT / "annlab" / "classroom").rglob("*")
        if path.suffix in (".py", ".toml")
    )
    for source in SOURCES.values():
        for part in source.parts:
            if part.exercise.takes == "function":
                # a line may occur by chance in a check; the whole solution must not
                body = _source.solution_of(part.answer).split("\n")
                long = [line for line in body if len(line) > 25]
                assert not long or not all(line in package for line in long), part.exercise.id


def test_sources_are_asked_for_in_a_sentence(monkeypatch, tmp_path):
    monkeypatch.setattr(_source, "__file__", str(tmp_path / "a" / "b" / "_source.py"))
    with pytest.raises(FileNotFoundError, match="checkout"):
        _source.exercises_folder()


def test_nbval_runs_the_exercises_only_where_they_are_named():
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


# ---------------------------------------------------------------------------------------- reading


def topic_file(tmp_path, edit):
    path = tmp_path / "03.md"
    path.write_text(edit((FOLDER / "topics" / "03.md").read_text(encoding="utf-8")))
    return path


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
def test_a_source_that_does_not_fit_is_refused(tmp_path, edit, message):
    with pytest.raises(ValueError, match=message):
        _source.read_topic(topic_file(tmp_path, edit))


def test_notebook_format():
    import nbformat

    for source in SOURCES.values():
        made = _source.make_notebook(source)
        notebook = nbformat.reads(_source.dumps(made), as_version=4)
        nbformat.validate(notebook)
        marks = [cell.metadata.nbgrader for cell in notebook.cells if "nbgrader" in cell.metadata]
        assert all(mark.schema_version == 3 for mark in marks)
        ids = [mark.grade_id for mark in marks]
        assert len(ids) == len(set(ids)) == 2 * len(source.parts)
        points = sum(mark.points for mark in marks if mark.grade)
        assert points == sum(part.exercise.points for part in source.parts)
        text = _source.dumps(made)
        cells = [cell.source for cell in notebook.cells]
        for part in source.parts:
            assert not any(wrong.code in cells for wrong in part.wrong)
            verb = "check" if part.exercise.takes == "text" else "grade"
            assert f'classroom.{verb}("{part.exercise.id}' in text.replace("\\", "")


def test_stubs_keep_their_indent():
    text = "def f():\n    '''Doc.'''\n    ### BEGIN SOLUTION\n    return 1\n    ### END SOLUTION"
    assert _source.stub_of(text) == "def f():\n    '''Doc.'''\n    # YOUR CODE HERE"


def test_prose_after_the_last_fence_is_a_cell_too():
    text = "before\n\n```python given\nx = 1\n```\n\nafter\n"
    assert [kind for kind, _, _ in _source._blocks(text)] == ["markdown", "code", "markdown"]
    assert _source._blocks(text)[-1][2] == "after"


def test_notebooks_are_made_where_they_are_missing_or_old(tmp_path):
    (tmp_path / "topics").mkdir()
    source = FOLDER / "topics" / "03.md"
    (tmp_path / "topics" / "03.md").write_bytes(source.read_bytes())
    made = tmp_path / "source" / "topic_03" / "topic_03.ipynb"
    name = ["source/topic_03/topic_03.ipynb"]
    assert _source.build(tmp_path, check=True) == name
    assert not made.exists()
    assert _source.build(tmp_path) == name
    original = FOLDER / "source" / "topic_03" / "topic_03.ipynb"
    assert made.read_bytes() == original.read_bytes()
    assert _source.build(tmp_path) == []
    made.write_text("old", encoding="utf-8")
    assert _source.build(tmp_path, [4]) == []
    assert made.read_text(encoding="utf-8") == "old"
    assert _source.build(tmp_path, [3]) == name
    assert made.read_bytes() == original.read_bytes()


def test_the_page_for_teachers_is_made_between_its_markers(tmp_path, monkeypatch):
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
    with pytest.raises(ValueError, match="must hold both markers once"):
        _teaching.build(tmp_path)


@pytest.mark.parametrize(
    ("words", "stale", "status", "says"),
    [
        ([], ["a.ipynb"], 0, "a.ipynb: made anew\nTEACHING.md: made anew\n"),
        (["--check"], ["a.ipynb"], 1, "a.ipynb: not in step\nTEACHING.md: not in step\n"),
        (["--check", "--topics", "3"], ["a.ipynb"], 1, "a.ipynb: not in step\n"),
        (["--topics", "3"], [], 0, "Everything is in step.\n"),
    ],
)
def test_the_command_that_builds_tells_what_it_did(words, stale, status, says, monkeypatch, capsys):
    asked = {}

    def build(*, topics, check):
        asked.update(topics=topics, check=check)
        return list(stale)

    monkeypatch.setattr(_source, "build", build)
    monkeypatch.setattr(_teaching, "build", lambda *, check: ["TEACHING.md"])
    assert main(["classroom", "build", *words]) == status
    assert capsys.readouterr().out == says
    assert asked == {"topics": [3] if "3" in words else [], "check": "--check" in words}


def test_the_command_writes_sheets_and_names_them(tmp_path, capsys):
    assert main(["classroom", "sheets", str(tmp_path / "new"), "--topics", "3"]) == 0
    named = [Path(line) for line in capsys.readouterr().out.splitlines()]
    assert named and sorted(named) == sorted((tmp_path / "new").iterdir())


# ------------------------------------------------------------------------------------- the checks


def one(check, takes="function", **more):
    return Exercise("99-1", "A title", "apply", 1, "f", takes, "A hint.", check, **more)


def case_of(hidden=False, **more):
    return Case(one(None, **more), hidden)


def test_a_function_cannot_change_what_it_is_given():
    def check(case, answer):
        case.call(answer, np.arange(3))

    def spoil(a):
        a[0] = 9
        return a

    assert run_check(one(check), spoil).kind == "changes_input"
    assert run_check(one(check), lambda a: a).right


def test_prints_and_warnings_of_an_answer_are_swallowed(capfd):
    import warnings

    def check(case, answer):
        case.call(answer, 1)

    def loud(a):
        print("out")
        print("err", file=sys.stderr)
        warnings.warn("careful", stacklevel=1)
        return np.zeros(1) / np.zeros(1)

    assert run_check(one(check), loud).right
    assert capfd.readouterr() == ("", "")


def test_what_an_answer_raises_is_told():
    def check(case, answer):
        case.call(answer, 1)

    verdict = run_check(one(check), lambda a: a / 0)
    assert verdict.kind == "raised"
    assert "ZeroDivisionError: division by zero" in verdict.message


def test_an_answer_that_breaks_the_check_gets_a_verdict_too():
    class Odd:
        def __array__(self, *given, **more):
            return np.zeros(3)

        def __eq__(self, other):
            raise RuntimeError("odd")

        __hash__ = None

    def check(case, answer):
        assert answer == 1

    verdict = run_check(one(check), Odd())
    assert verdict.kind == "wrong_type" and "RuntimeError: odd" in verdict.message


def test_a_mistake_that_equals_the_truth_is_no_mistake():
    messages = {"same": "no", "twice-2": "{how} doubled", "different": "another"}
    mistakes = {"same": 2.0, "twice-2": [3.5, 4.0]}
    case = case_of(messages=messages)
    case.compare(2.0, 2.0, mistakes)
    for answer, kind, says in [
        (3.5, "twice", "just doubled"),
        (4.0, "twice", "just doubled"),
        (5.0, "different", "another"),
    ]:
        with pytest.raises(Wrong, match=says) as caught:
            case.compare(answer, 2.0, mistakes, told={"how": "just"})
        assert caught.value.kind == kind


@pytest.mark.parametrize(
    ("answer", "kind"),
    [([1.0, 2.0, 3.0], "wrong_shape"), ([1.0, np.nan], "nan"), (len, "wrong_type")],
)
def test_shape_nan_and_type_are_told_apart(answer, kind):
    with pytest.raises(Wrong) as caught:
        case_of(messages={"different": ""}).compare(answer, [1.0, 2.0], {})
    assert caught.value.kind == kind
    assert kind in COMMON_KINDS


def test_hidden_data_are_other_data():
    assert not np.array_equal(case_of().rng.rand(3), case_of(hidden=True).rng.rand(3))
    assert np.array_equal(case_of().rng.rand(3), case_of().rng.rand(3))


def test_texts():
    ideas = [Idea("no_cat", r"\bcats?\b", "Where is the animal?")]
    claims = [Idea("dog", r"\bdogs? (is|are) better", "Think again.")]
    say = case_of(ideas=ideas, claims=claims).explain
    say("There is a black cat that sleeps on the sofa.")
    for text, kind in [
        ("", "unanswered"),
        ("A cat.", "too_short"),
        ("There is an animal somewhere on the old sofa.", "no_cat"),
        ("The cat is nice, and still dogs are better animals.", "dog"),
        (3, "wrong_type"),
    ]:
        with pytest.raises(Wrong) as caught:
            say(text)
        assert caught.value.kind == kind


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("They have the same inertia.", True),
        ("Inertia? It is the same for both.", False),
        ("That is not the case. The inertia is the same.", True),
        ("With 0.5 of it the inertia is still the same.", True),
        ("The inertia is not the same.", False),
        ("Nobody knows. The inertia isn't the same.", False),
        ("It has the same sum. The inertia is larger.", False),
        ("With 0.5 of it, not more, the inertia is the same.", False),
        ("It is not 0.5 if the inertia is the same.", False),
        ("The inertia is hardly the same.", False),
        ("A notebook and nothingness: the inertia is the same.", True),
    ],
)
def test_a_claim_is_told_from_its_denial(text, said):
    same = Idea("k", claimed(r"\bsame\b", r"\binertia\b", unless=NEGATION + "|hardly"), "m")
    assert same.in_(text) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("The index costs nothing here.", True),
        ("Not so fast, the index costs nothing.", True),
        ("The index costs nothing and loses no row.", True),
        ("It is not true that the index costs nothing.", False),
        ("Without a build the index costs nothing.", False),
        ("Never with 1,000 rows the index costs nothing.", False),
    ],
)
def test_a_claim_with_a_negation_of_its_own(text, said):
    free = Idea("k", claimed("index costs nothing", before=True), "m")
    assert free.in_(text) == said
    with pytest.raises(ValueError, match="parts must be one pattern"):
        claimed("a", "b", before=True)


@pytest.mark.parametrize(
    "rows",
    [
        [4, 1, 7],
        (1, 4, 7),
        {7, 4, 1},
        np.array([[1], [4], [7]]),
        np.nonzero([0, 1, 0, 0, 1, 0, 0, 1]),
    ],
    ids=str,
)
def test_rows_come_in_any_order_and_container(rows):
    case_of(messages={"different": ""}).compare_rows(rows, [7, 1, 4], 9, {})


@pytest.mark.parametrize(
    ("rows", "kind"),
    [
        ([1, 4], "different"),
        ([1, 4, 4, 7], "different"),
        ([1, 4, 8], "different"),
        (range(9), "all_rows"),
        (np.isin(np.arange(9), [1, 4, 7]), "mask_not_rows"),
        (4, "wrong_shape"),
        (np.eye(3), "wrong_shape"),
        ([], "different"),
        (None, "unanswered"),
    ],
    ids=str,
)
def test_wrong_rows(rows, kind):
    case = case_of(messages={"all_rows": "m", "different": "d"})
    with pytest.raises(Wrong) as caught:
        case.compare_rows(rows, [1, 4, 7], 9, {"all_rows": np.arange(9)})
    assert caught.value.kind == kind


def test_a_mistake_is_retold_where_more_is_known():
    case = case_of(messages={"empty_cell": "Empty?", "k": "m"})
    with pytest.raises(Wrong, match=r"Empty\? \(.*ZeroDivisionError") as caught:
        with case.retell("raised", "empty_cell", saying="ZeroDivision"):
            case.call(lambda x: 1 / x, 0)
    assert caught.value.kind == "empty_cell"
    for more in ({"saying": "KeyError"}, {"when": False}):
        with pytest.raises(Wrong) as caught, case.retell("raised", "k", **more):
            case.call(lambda x: 1 / x, 0)
        assert caught.value.kind == "raised"
    with case.retell("raised", "k"):
        assert case.call(lambda x: 1 / x, 2) == 0.5


# ---------------------------------------------------------------------------------- names and looks


@pytest.mark.skipif(bool(ONLY), reason="loads every topic")
@pytest.mark.parametrize("id", ["03-9", "03_2", "", None, 3, "99-1"])
def test_unknown_ids(id):
    for call in (lambda: classroom.check(id, 1), lambda: classroom.hint(id)):
        with pytest.raises(ValueError, match=r"exercise must be an id such as '03-2'; got"):
            call()


@pytest.mark.skipif(bool(ONLY), reason="loads every topic")
def test_a_near_id_is_suggested():
    with pytest.raises(ValueError, match=r"'03-\d'"):
        classroom.check("03-22", 1)
    assert classroom.find("3-2").id == "03-2"


def test_verdicts_tell_right_from_wrong_without_colour():
    right = classroom.check("01-1", 20 / 3)
    wrong = classroom.check("01-1", 16 / 3)
    assert right and not wrong
    assert "✓" in right._repr_html_() and "✗" in wrong._repr_html_()
    assert repr(wrong).startswith("01-1: no. ")
    assert "hint" in wrong._repr_html_() and "hint" not in right._repr_html_()


def test_a_free_text_is_never_told_no():
    text = "The start decides, and one may hope for the very best of ends."
    verdict = classroom.check("01-5", text)
    assert verdict.advice and not verdict and verdict.kind == "missing_local"
    assert repr(verdict).startswith("01-5: not recognised, your teacher decides. ")
    assert "<b>? 01-5: not recognised" in verdict._repr_html_()
    for answer in ("", "A few words.", 3):
        assert not classroom.check("01-5", answer).advice


def test_exercises_are_a_table():
    listed = classroom.exercises(3)
    assert ONLY or list(classroom.exercises()) == EXERCISES
    assert len(repr(listed).splitlines()) == len(listed)
    assert listed._repr_html_().count("<tr>") == len(listed) + 1
    assert repr(classroom.hint("03-1")) == str(classroom.hint("03-1"))
    with pytest.raises(ValueError, match="topic must be one of"):
        classroom.exercises(16)


def test_a_grade_cell_shows_or_raises(capsys):
    pytest.importorskip("IPython")
    classroom.grade("01-1", 20 / 3)
    assert "01-1: right" in capsys.readouterr().out
    with pytest.raises(_base.WrongAnswer, match=r"^\[not_squared\] ") as caught:
        classroom.grade("01-1", 16 / 3)
    shown = caught.value._render_traceback_()
    assert shown == [str(caught.value.verdict), 'Help: classroom.hint("01-1")']


def test_the_classroom_opens_quickly():
    heavy = {"sklearn", "matplotlib", "numba", "nbgrader", "nbformat", "scipy"}
    code = (
        "import sys; from annlab import classroom; classroom.hint('03-1'); "
        f"print(sorted({heavy!r} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# ------------------------------------------------------------------------- quiz, sheets, teaching


def quiz_texts(quiz, frame):
    """Texts and bars of a screen of a quiz as a lecture hall sees it: text, and its box."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from annlab.widgets.base import look as _look

    width, height = quiz.size
    figure = Figure(figsize=(width / 96, height / 96), dpi=96 * _look.LOOK.size)
    renderer = FigureCanvasAgg(figure).get_renderer()
    quiz.draw(figure, quiz.questions, frame, votes="/".join(["A" * 999] * len(quiz.questions)))
    _look._make_legible(figure)
    (axes,) = figure.axes
    parts = [(text.get_text(), text.get_window_extent(renderer)) for text in axes.texts]
    parts += [("bar", bar.get_window_extent(renderer)) for bar in axes.patches if bar.get_width()]
    return figure.bbox, parts


@pytest.mark.parametrize("number", TOPICS)
def test_questions_fit_on_the_projector(number, monkeypatch):
    from annlab import widgets
    from annlab.widgets.base import look as _look

    questions = classroom.questions(number)
    assert len(questions) >= 4
    assert len({question.right for question in questions}) >= 2, "not always the same letter"
    # what widgets.projector() sets, without telling all explorers
    for name, value in {"size": 1.35, "text": 1.12, "lines": 1.3}.items():
        monkeypatch.setattr(_look.LOOK, name, value)
    quiz = widgets.quiz(number)
    for place, question in enumerate(questions):
        page, parts = quiz_texts(quiz, 2 * place + 1)
        shown = [text for text, _ in parts]
        assert set(question.options) <= set(shown), "an option takes two lines"
        assert question.text in {text.replace("\n", " ") for text in shown}
        assert "999" in shown and shown.count("bar") == 1
        for text, box in parts:
            assert box.x0 >= page.x0 and box.x1 <= page.x1, text
            assert box.y0 >= page.y0 and box.y1 <= page.y1, text
        for (one, box), (other, next_box) in itertools.combinations(parts, 2):
            assert not box.overlaps(next_box), (one, other)
        assert len(set(question.options)) == len(question.options)


@pytest.mark.parametrize(
    "given",
    [
        ("No question.", ("a", "b"), "A", "x"),
        ("One?", ("a",), "A", "x"),
        ("Three?", ("a", "b", "c"), "D", "x"),
    ],
)
def test_questions_are_checked(given):
    with pytest.raises(ValueError):
        Question(*given)


def test_votes():
    from annlab import widgets

    quiz = widgets.quiz("03")
    for letter in "BBAX":
        quiz.vote(letter)
    assert quiz.tally_text == "BBA"
    quiz.buttons["undo"].click()
    quiz.buttons["vote_D"].click()
    assert quiz.tally_text == "BBD"
    quiz.step()
    assert quiz.revealed and "answer B (67% of 3)" in quiz.text
    quiz.vote("A")
    assert quiz.tally_text == "BBD", "no votes after the reveal"
    quiz.step().vote("A")
    assert quiz.values["votes"] == "BBD/A"
    other = widgets.quiz(3).restore(quiz.state)
    assert other.text == quiz.text and other.tally_text == "A"
    quiz.controls["votes"].value = "b b, a"
    quiz.frame = 0
    assert "3 votes (A 1, B 2, C 0, D 0)" in quiz.text
    assert quiz.reset().tally_text == ""


def test_a_slip_in_the_votes_costs_no_vote_and_is_named():
    from annlab import widgets
    from annlab.classroom import _quiz

    quiz = widgets.quiz("03")
    quiz.controls["votes"].value = "ab7bxx/ce"
    assert quiz.text.startswith("question 1 of 5, 3 votes (A 1, B 2, C 0, D 0); not counted: ")
    assert "'7X' for question 1, 'E' for question 2" in quiz.text
    assert quiz.values["votes"] == "ab7bxx/ce", "the text stays, to be corrected"
    # the buttons take back what counts and keep the rest
    quiz.buttons["undo"].click()
    assert quiz.tally_text == "AB" and quiz.values["votes"] == "AB7XX/CE"
    quiz.vote("D")
    assert quiz.tally_text == "ABD" and quiz.values["votes"] == "AB7XXD/CE"
    other = widgets.quiz(3).restore(quiz.state)
    assert other.text == quiz.text and other.png() == quiz.png()
    slip = quiz.png()
    quiz.controls["votes"].value = "abd/c"
    assert "not counted" not in quiz.text and quiz.png() != slip, "the slip is on the picture too"
    quiz.controls["votes"].value = "a" + "/" * 5 + "b"
    assert quiz.tally_text == "A" and "what follows slash 5: there is no such question" in quiz.text
    quiz.controls["votes"].value = "a" * (_quiz._MOST + 1)
    assert len(quiz.tally_text) == _quiz._MOST and "more than 2,000 votes" in quiz.text
    # a letter that this question does not have is one as well
    asked = [Question("Is it late?", ("yes", "no"), "A", "It always is.")]
    assert "1 vote (A 1, B 0); not counted: 'C'" in widgets.quiz("x", asked).set(votes="ac").text


def test_a_quiz_does_not_run_by_itself(tmp_path):
    from annlab import widgets
    from annlab.widgets.base.testing import parts_of

    quiz, replay = widgets.quiz("03"), widgets.example("step_explorer")
    for explorer, runs in ((quiz, False), (replay, True)):
        shown = {getattr(part, "description", "") for part in parts_of(explorer)}
        assert ("Run" in shown, "Speed" in shown) == (runs, runs)
        assert {"Reset", "No."} <= shown
        page = explorer.save_html(tmp_path / "page.html").read_text(encoding="utf-8")
        assert ('id="run" hidden' in page) is not runs
        assert ("<span hidden>, space runs" in page) is not runs
    assert quiz.run().frame == quiz.n_frames - 1


def test_a_quiz_of_ones_own():
    from annlab import widgets

    asked = [Question("Is it late?", ("yes", "no"), "A", "It always is.")]
    quiz = widgets.quiz("mine", asked).vote("C")
    assert quiz.tally_text == "" and "vote_C" not in quiz.buttons
    # longer words than ours are broken, and nothing runs over the bars
    long = "an option that says rather a lot and takes a second line"
    talk = widgets.quiz(
        "mine", [Question(f"{'Why' * 9} {'or not ' * 9}?", (long,) * 4, "B", long * 3)]
    )
    for frame in (0, 1):
        _, parts = quiz_texts(talk, frame)
        assert sum(text.replace("\n", " ") == long for text, _ in parts) == 4
        for (one, box), (other, next_box) in itertools.combinations(parts, 2):
            assert not box.overlaps(next_box), (one, other)
    with pytest.raises(ValueError, match="topic must be"):
        widgets.quiz(99)


@pytest.mark.parametrize("number", TOPICS)
def test_the_code_of_a_sheet_runs(number):
    code = classroom.topic(number).SHEET.code
    assert len(code.split("\n")) <= 5
    assert max(map(len, code.split("\n"))) <= 88, "longer lines print too small"
    # several tests at a time on few cores: threads that wait for each other take minutes
    with threadpool_limits(1):
        exec(code, {"print": lambda *values: None})


@pytest.mark.parametrize("number", TOPICS)
def test_a_sheet_is_one_page_without_overlaps(number):
    from annlab.classroom._sheets import make_page

    with threadpool_limits(1):
        figure = make_page(number)
    figure.canvas.draw()
    page = figure.bbox
    renderer = figure.canvas.get_renderer()
    texts = [a for a in figure.get_children() if type(a).__name__ == "Text" and a.get_text()]
    boxes = sorted((t.get_window_extent(renderer) for t in texts), key=lambda box: -box.y1)
    assert len(boxes) >= 8
    for above, below in itertools.pairwise(boxes):
        assert below.y1 <= above.y0 + 1, "two texts overlap"
    for box in boxes:
        assert box.x0 >= 0 and box.x1 <= page.width * 0.94, "a line is too long"


def test_a_font_with_an_odd_date_is_no_news_to_a_teacher(tmp_path, caplog):
    import logging

    from annlab.classroom._sheets import write_sheets

    # the formula of topic 4 takes a letter from a font whose date fontTools doubts
    before = logging.getLogger("fontTools.ttLib.tables._h_e_a_d").level
    write_sheets(tmp_path, [4])
    assert [record.message for record in caplog.records if "timestamp" in record.message] == []
    assert logging.getLogger("fontTools.ttLib.tables._h_e_a_d").level == before


def test_sheets_are_files_that_do_not_change(tmp_path):
    from annlab.classroom._sheets import write_sheets

    first = write_sheets(tmp_path / "a", [1])[0].read_bytes()
    assert first.startswith(b"%PDF")
    assert first == write_sheets(tmp_path / "b", [1])[0].read_bytes()
    assert re.search(rb"/MediaBox \[ ?0 0 595\.\d+ 841\.\d+ ?\]", first), "A4"
    with pytest.raises(ValueError, match="topic must be"):
        write_sheets(tmp_path, [16])


@pytest.mark.parametrize("number", TOPICS)
def test_every_misconception_is_exposed_by_an_exercise(number):
    lesson = classroom.topic(number).LESSON
    known = {one.id for one in classroom.exercises(number)}
    assert len(lesson.misconceptions) >= 3
    assert {id for _, id in lesson.misconceptions} <= known
    assert len(lesson.aims) >= 2
    page = _teaching.section(number)
    for belief, id in lesson.misconceptions:
        assert f"| {belief} | {id} |" in page


# ------------------------------------------------------------------------------ single exercises


def twin_of(change, labels=None):
    """An answer to 11-4 that makes its twin of X by `change(X, rng)`."""

    def answer(X, cluster, score, seed):
        data = change(X, np.random.RandomState(seed))
        return score(data, cluster(data) if labels is None else labels(X, cluster))

    return answer


def by_column(X, rng):
    return np.column_stack([rng.permutation(column) for column in X.T])


def drawn_anew(X, rng):
    return np.column_stack([rng.choice(column, len(column)) for column in X.T])


def two_tied(X, rng):
    rows = rng.permutation(len(X))
    return np.column_stack([X[rows, 0], X[rows, 1], rng.permutation(X[:, 2])])


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (twin_of(by_column), ""),
        (lambda X, cluster, score, seed: 1.0, "no_score"),
        (
            lambda X, cluster, score, seed: twin_of(by_column)(X, cluster, score, seed) + 1,
            "different",
        ),
        (twin_of(by_column, lambda X, cluster: cluster(X)), "stale_labels"),
        (twin_of(by_column, lambda X, cluster: (cluster(X) + 1) % 3), "different"),
        (twin_of(lambda X, rng: X[:20]), "wrong_shape"),
        (twin_of(lambda X, rng: X), "not_shuffled"),
        (twin_of(lambda X, rng: rng.permutation(X.ravel()).reshape(X.shape)), "mixes_columns"),
        (twin_of(drawn_anew), "draws_anew"),
        (twin_of(lambda X, rng: rng.permutation(X)), "shuffles_rows"),
        (twin_of(two_tied), "columns_still_joined"),
        (twin_of(lambda X, rng: by_column(X, np.random.RandomState(0))), "ignores_seed"),
    ],
)
def test_what_is_wrong_with_a_shuffled_twin(answer, kind):
    verdict = run_check(classroom.find("11-4"), answer)
    assert (verdict.right, verdict.kind) == (not kind, kind)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [({"id": "3-2"}, "'03-2'"), ({"level": "hard"}, "level"), ({"takes": "image"}, "takes")],
)
def test_an_exercise_is_checked_when_it_is_written(wrong, says):
    given = {"id": "99-1", "title": "A title", "level": "apply", "points": 1, "answer": "f"}
    given |= {"takes": "function", "hint": "A hint.", "check": lambda case, answer: None}
    assert Exercise(**given).topic == 99
    with pytest.raises(ValueError, match=says):
        Exercise(**(given | wrong))


def test_what_only_looks_like_an_array_is_no_array():
    class Odd:
        def __array__(self, dtype=None, copy=None):
            raise RuntimeError("not today")

    def check(case, answer):
        case.array(answer, (2,))

    verdict = run_check(one(check, "value"), Odd())
    assert (verdict.right, verdict.kind) == (False, "wrong_type")
    assert "no array of numbers: not today" in verdict.message


def test_a_stub_that_is_called_by_the_answer_is_not_an_error_of_it():
    def unwritten(a):
        raise NotImplementedError

    verdict = run_check(one(lambda case, answer: case.call(answer, 1)), unwritten)
    assert verdict.kind == "unanswered"
    assert "unwritten is not written yet" in verdict.message


def test_arguments_of_another_shape_are_not_the_same():
    a = np.array([1.0, np.nan])
    assert _case._same(a, a.copy())
    assert not _case._same(a, a[:1]) and not _case._same(a, a.tolist())
    assert not _case._same((a,), (a[::-1],)) and _case._same([a], [a.copy()])

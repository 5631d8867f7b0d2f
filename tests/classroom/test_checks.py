"""What a check works with, verdicts, hints, and the public functions of `annlab.classroom`."""

from __future__ import annotations

import sys
import warnings

import numpy as np
import pytest
from courses import ONLY

from annlab import classroom
from annlab.classroom._base import Criterion, Exercise, Question, WrongAnswer
from annlab.classroom._case import Case, Wrong, run_check

GIVEN = {
    "id": "99-1",
    "title": "A title",
    "level": "apply",
    "points": 3,
    "minutes": 5,
    "answer": "f",
    "takes": "function",
    "hints": ["A hint."],
}


def one(check=None, **more):
    return Exercise(**GIVEN | {"check": check} | more)


def case_of(hidden=False, **more):
    return Case(one(**more), hidden)


def caught(call, *arguments, **options):
    with pytest.raises(Wrong) as found:
        call(*arguments, **options)
    return found.value


# -- functions -----------------------------------------------------------------------------------


def spoil(a):
    a[0] = 9
    return a


def resize(a):
    a.resize(1, refcheck=False)
    return a


def unwritten(a):
    raise NotImplementedError


@pytest.mark.parametrize(
    ("answer", "kind", "says"),
    [
        (lambda a: a, "", ""),
        (spoil, "changes_input", "spoil changes its argument"),
        (resize, "changes_input", "resize changes its argument"),
        (unwritten, "unanswered", "unwritten is not written yet"),
        (lambda a: None, "unanswered", "returns nothing"),
        (lambda a: 1 / 0, "raised", "ZeroDivisionError: division by zero"),
        (3, "wrong_type", "Write a function; this is an int"),
    ],
)
def test_call_guards_against_the_function(answer, kind, says):
    verdict = run_check(one(lambda case, answer: case.call(answer, np.arange(3))), answer)
    assert (verdict.right, verdict.kind) == (not kind, kind)
    assert says in verdict.message


def test_call_passes_interrupts_on():
    def interrupt():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        case_of().call(interrupt)


def test_call_discards_prints_and_warnings(capfd):
    def loud(a):
        print("out")
        print("err", file=sys.stderr)
        warnings.warn("careful", stacklevel=1)
        return np.zeros(1) / np.zeros(1)

    assert run_check(one(lambda case, answer: case.call(answer, 1)), loud).right
    assert capfd.readouterr() == ("", "")


def test_retell_gives_a_mistake_a_better_name():
    case = case_of(messages={"empty_cell": "Empty?", "k": "m"})

    def divide(key, x, **more):
        with case.retell("raised", key, **more):
            return case.call(lambda x: 1 / x, x)

    wrong = caught(divide, "empty_cell", 0, saying="ZeroDivision")
    assert wrong.kind == "empty_cell"
    assert wrong.message.startswith("Empty? (") and "ZeroDivisionError" in wrong.message
    assert caught(divide, "k", 0, saying="KeyError").kind == "raised"
    assert caught(divide, "k", 0, when=False).kind == "raised"
    assert divide("k", 2) == 0.5


# -- values --------------------------------------------------------------------------------------


def test_compare_skips_a_mistake_that_equals_the_truth():
    messages = {"same": "no", "twice-2": "{how} doubled", "different": "another"}
    mistakes = {"same": 2.0, "twice-2": [3.5, 4.0]}
    case = case_of(messages=messages)
    case.compare(2.0, 2.0, mistakes, told={"how": "just"})
    for answer, kind, says in [
        (3.5, "twice", "just doubled"),
        (4.0, "twice", "just doubled"),
        (5.0, "different", "another"),
    ]:
        wrong = caught(case.compare, answer, 2.0, mistakes, told={"how": "just"})
        assert (wrong.kind, wrong.message) == (kind, says)


class Odd:
    """Looks like an array, but is not one."""

    def __array__(self, *given, **more):
        raise RuntimeError("not today")


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ([1.0, 2.0, 3.0], "wrong_shape"),
        ([1.0, np.nan], "nan"),
        (len, "wrong_type"),
        ("ab", "wrong_type"),
        (Odd(), "wrong_type"),
    ],
    ids=["shape", "nan", "function", "text", "broken array"],
)
def test_compare_tells_shape_nan_and_type_apart(answer, kind):
    assert (
        run_check(
            one(
                lambda case, answer: case.compare(answer, [1.0, 2.0], {}),
                messages={"different": "d"},
            ),
            answer,
        ).kind
        == kind
    )


def test_answer_that_breaks_the_check_gets_a_verdict():
    def check(case, answer):
        raise RuntimeError("odd")

    verdict = run_check(one(check), 1)
    assert verdict.kind == "wrong_type" and "RuntimeError: odd" in verdict.message


def test_hidden_data_are_other_data():
    assert not np.array_equal(case_of().rng.rand(3), case_of(hidden=True).rng.rand(3))
    assert np.array_equal(case_of().rng.rand(3), case_of().rng.rand(3))


@pytest.mark.parametrize(
    "rows",
    [[4, 1, 7], {7, 4, 1}, np.array([[1], [4], [7]]), np.nonzero([0, 1, 0, 0, 1, 0, 0, 1])],
    ids=str,
)
def test_compare_rows_takes_any_order_and_container(rows):
    case_of(messages={"different": ""}).compare_rows(rows, [7, 1, 4], 9, {})


@pytest.mark.parametrize(
    ("rows", "kind"),
    [
        ([1, 4], "different"),
        ([1, 4, 4, 7], "different"),
        (range(9), "all_rows"),
        (np.isin(np.arange(9), [1, 4, 7]), "mask_not_rows"),
        (4, "wrong_shape"),
        (np.eye(3), "wrong_shape"),
        (None, "unanswered"),
    ],
    ids=str,
)
def test_compare_rows_names_the_mistake(rows, kind):
    case = case_of(messages={"all_rows": "m", "different": "d", "all_rows-2": "n"})
    mistakes = {"all_rows": np.arange(9), "all_rows-2": [np.arange(8)]}
    assert caught(case.compare_rows, rows, [1, 4, 7], 9, mistakes).kind == kind


# -- free texts and part points ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "right", "kind", "head"),
    [
        ("There is a black cat that sleeps on the sofa.", True, "", "looks complete"),
        ("There is an animal somewhere on the sofa.", False, "not_recognised", "not recognised"),
        ("A concatenation sleeps here and there on a sofa.", False, "not_recognised", "not recog"),
        ("", False, "unanswered", "not yet"),
        ("A cat.", False, "too_short", "no"),
        (3, False, "wrong_type", "no"),
    ],
)
def test_free_text_gets_advice_and_is_never_wrong(text, right, kind, head):
    rubric = [Criterion("Where is the animal?", ["cat"]), Criterion("What of it?", ["sofa"])]
    verdict = run_check(one(Case.look_for_terms, takes="text", rubric=rubric), text)
    assert (verdict.right, verdict.kind) == (right, kind)
    assert repr(verdict).startswith(f"99-1: {head}")
    assert verdict.advice == (kind in ("", "not_recognised"))
    assert ("your teacher decides" in repr(verdict)) == verdict.advice
    assert ("<b>? " in verdict._repr_html_()) == verdict.advice


def test_nearly_right_answer_gets_part_points(monkeypatch, capsys):
    pytest.importorskip("IPython")
    values = {False: 1.0, True: 1.0}

    def check(case, answer):
        case.compare(answer[case.hidden], 1.0, {"ties": 2.0, "half": 3.0})

    messages = {"ties": "Ties?", "half": "Half.", "different": "d"}
    exercise = one(check, messages=messages, part_points={"ties": 2, "half": 1})
    monkeypatch.setattr(classroom, "find", lambda id: exercise)
    assert classroom.grade("99-1", values, hidden=True) is None
    assert capsys.readouterr().out == ""
    for seen, hidden, points in [(2.0, 1.0, 2), (1.0, 2.0, 2), (2.0, 3.0, 1), (3.0, 2.0, 1)]:
        assert classroom.grade("99-1", {False: seen, True: hidden}, hidden=True) == points
    assert "99-1: partly right, 1 point. Half." in capsys.readouterr().out
    for answer in ({False: 2.0, True: 4.0}, {False: 4.0, True: 1.0}):
        with pytest.raises(WrongAnswer, match=r"^\[different\] d"):
            classroom.grade("99-1", answer, hidden=True)
    assert "½" in run_check(exercise, {False: 2.0})._repr_html_()


# -- public functions ----------------------------------------------------------------------------


def test_grade_shows_a_right_answer_and_raises_on_a_wrong_one(capsys):
    pytest.importorskip("IPython")
    assert classroom.grade("01-1", 20 / 3) is None
    assert "01-1: right" in capsys.readouterr().out
    with pytest.raises(WrongAnswer, match=r"^\[not_squared\] ") as found:
        classroom.grade("01-1", 16 / 3)
    shown = found.value._render_traceback_()
    assert shown == [str(found.value.verdict), 'Help: classroom.hint("01-1")']


def test_verdict_tells_right_from_wrong_without_colour():
    right, wrong = classroom.check("01-1", 20 / 3), classroom.check("01-1", 16 / 3)
    assert right and not wrong
    assert "✓" in right._repr_html_() and "✗" in wrong._repr_html_()
    assert repr(wrong).startswith("01-1: no. ")
    assert "hint" in wrong._repr_html_() and "hint" not in right._repr_html_()


def test_hint_leads_from_stage_to_stage():
    hints = [classroom.hint("03-4", stage) for stage in (1, 2, 3)]
    assert repr(hints[0]).endswith('\nMore help: classroom.hint("03-4", 2)')
    assert len(set(hints)) == 3 and "More help" not in hints[2]
    with pytest.raises(ValueError, match="stage must be an integer >= 1 and <= 3; got 4"):
        classroom.hint("03-4", 4)


@pytest.mark.skipif(bool(ONLY), reason="loads every topic")
@pytest.mark.parametrize("id", ["03-9", "03_2", "", None, 3, "99-1"])
def test_unknown_id_is_refused(id):
    for call in (lambda: classroom.check(id, 1), lambda: classroom.hint(id)):
        with pytest.raises(ValueError, match=r"exercise must be an id such as '03-2'; got"):
            call()


@pytest.mark.skipif(bool(ONLY), reason="loads every topic")
def test_similar_id_is_suggested():
    with pytest.raises(ValueError, match=r"'03-\d'"):
        classroom.check("03-22", 1)
    assert classroom.find("3-2").id == "03-2"


def test_exercises_are_a_table():
    listed = classroom.exercises(3)
    assert ONLY or len(classroom.exercises()) == 75
    assert len(repr(listed).splitlines()) == len(listed)
    assert listed._repr_html_().count("<tr>") == len(listed) + 1
    with pytest.raises(ValueError, match="topic must be one of"):
        classroom.exercises(16)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [({"id": "3-2"}, "'03-2'"), ({"level": "hard"}, "level"), ({"takes": "image"}, "takes")],
)
def test_exercise_is_validated(wrong, says):
    with pytest.raises(ValueError, match=says):
        one(**wrong)


@pytest.mark.parametrize(
    "given",
    [
        ("No question.", ("a", "b"), "A", "x"),
        ("One?", ("a",), "A", "x"),
        ("Three?", ("a", "b", "c"), "D", "x"),
    ],
)
def test_question_is_validated(given):
    with pytest.raises(ValueError):
        Question(*given)

"""The quiz on the projector, and the printed sheets."""

from __future__ import annotations

import itertools
import logging
import re
from pathlib import Path

import pytest
from courses import ONLY
from threadpoolctl import threadpool_limits

from annlab import classroom, widgets
from annlab.classroom import _sheets
from annlab.classroom._base import Question
from annlab.cli import main
from annlab.widgets.base import look

TOPICS = [number for number in classroom.topics() if not ONLY or number in ONLY]
OWN = [Question("Is it late?", ("yes", "no"), "A", "It always is.")]


def parts_on_screen(quiz, frame):
    """Texts and bars of a screen of a quiz, each with its box, and the box of the page."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    width, height = quiz.size
    figure = Figure(figsize=(width / 96, height / 96), dpi=96 * look.LOOK.size)
    renderer = FigureCanvasAgg(figure).get_renderer()
    quiz.draw(figure, quiz.questions, frame, votes="/".join(["A" * 999] * len(quiz.questions)))
    look._make_legible(figure)
    (axes,) = figure.axes
    parts = [(text.get_text(), text.get_window_extent(renderer)) for text in axes.texts]
    parts += [("bar", bar.get_window_extent(renderer)) for bar in axes.patches if bar.get_width()]
    return figure.bbox, parts


def assert_apart(parts):
    for (one, box), (other, next_box) in itertools.combinations(parts, 2):
        assert not box.overlaps(next_box), (one, other)


# -- quiz ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", TOPICS)
def test_questions_fit_on_the_projector(number, monkeypatch):
    questions = classroom.questions(number)
    assert len(questions) >= 4
    assert len({question.right for question in questions}) >= 2, "not always the same letter"
    # what widgets.projector() sets, without telling all explorers
    for name, value in {"size": 1.35, "text": 1.12, "lines": 1.3}.items():
        monkeypatch.setattr(look.LOOK, name, value)
    quiz = widgets.quiz(number)
    for place, question in enumerate(questions):
        page, parts = parts_on_screen(quiz, 2 * place + 1)
        shown = [text for text, _ in parts]
        assert set(question.options) <= set(shown), "an option takes two lines"
        assert question.text in {text.replace("\n", " ") for text in shown}
        assert "999" in shown and shown.count("bar") == 1
        for text, box in parts:
            assert box.x0 >= page.x0 and box.x1 <= page.x1, text
            assert box.y0 >= page.y0 and box.y1 <= page.y1, text
        assert_apart(parts)
        assert len(set(question.options)) == len(question.options)


def test_long_questions_are_broken_into_lines():
    long = "an option that says rather a lot and takes a second line"
    talk = [Question(f"{'Why' * 9} {'or not ' * 9}?", (long,) * 4, "B", long * 3)]
    for frame in (0, 1):
        _, parts = parts_on_screen(widgets.quiz("mine", talk), frame)
        assert sum(text.replace("\n", " ") == long for text, _ in parts) == 4
        assert_apart(parts)


def test_quiz_counts_votes_until_the_answer_is_shown():
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


def test_quiz_names_votes_that_do_not_count():
    quiz = widgets.quiz("03")
    quiz.controls["votes"].value = "ab7bxx/ce"
    assert quiz.text.startswith("question 1 of 5, 3 votes (A 1, B 2, C 0, D 0); not counted: ")
    assert "'7X' for question 1, 'E' for question 2" in quiz.text
    assert quiz.values["votes"] == "ab7bxx/ce", "the text remains, to be corrected"
    # the buttons change what counts and keep the rest
    quiz.buttons["undo"].click()
    assert quiz.values["votes"] == "AB7XX/CE"
    quiz.vote("D")
    assert quiz.tally_text == "ABD" and quiz.values["votes"] == "AB7XXD/CE"
    slip = quiz.png()
    quiz.controls["votes"].value = "abd/c"
    assert "not counted" not in quiz.text and quiz.png() != slip, "the slip is in the picture too"
    quiz.controls["votes"].value = "a" + "/" * 5 + "b"
    assert quiz.tally_text == "A" and "what follows slash 5: there is no such question" in quiz.text


def test_quiz_takes_own_questions():
    quiz = widgets.quiz("mine", OWN).vote("C")
    assert quiz.tally_text == "" and "vote_C" not in quiz.buttons
    assert "1 vote (A 1, B 0); not counted: 'C'" in quiz.set(votes="ac").text
    with pytest.raises(ValueError, match="topic must be"):
        widgets.quiz(99)


# -- sheets --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pages():
    """Pages by number, each made once."""
    made = {}

    def page(number):
        if number not in made:
            with threadpool_limits(1):
                made[number] = _sheets.make_page(number)
        return made[number]

    return page


@pytest.mark.parametrize("number", TOPICS)
def test_sheet_is_one_page_without_overlaps(number, pages):
    figure = pages(number)
    renderer = figure.canvas.get_renderer()
    texts = [a for a in figure.get_children() if type(a).__name__ == "Text" and a.get_text()]
    boxes = [text.get_window_extent(renderer) for text in texts]
    (axes,) = figure.axes
    boxes = sorted([*boxes, axes.get_window_extent(renderer)], key=lambda box: -box.y1)
    assert len(boxes) >= 9
    for above, below in itertools.pairwise(boxes):
        assert below.y1 <= above.y0 + 1, "two parts overlap"
    for box in boxes:
        assert box.x0 >= 0 and box.x1 <= figure.bbox.width * 0.94, "a line is too long"


def test_sheet_that_is_too_long_is_refused(monkeypatch):
    from dataclasses import replace

    module = classroom.topic(1)
    monkeypatch.setattr(module, "SHEET", replace(module.SHEET, truth="too long " * 200))
    with pytest.raises(ValueError, match="sheet of topic 1 is too long"):
        _sheets.make_page(1)


def test_sheets_are_reproducible_a4_files(tmp_path, caplog):
    logger = logging.getLogger("fontTools.ttLib.tables._h_e_a_d")
    before = logger.level
    # the formula of topic 4 takes a letter from a font whose date fontTools doubts
    first, second = (_sheets.write_sheets(tmp_path / name, [4])[0].read_bytes() for name in "ab")
    assert first.startswith(b"%PDF") and first == second
    assert re.search(rb"/MediaBox \[ ?0 0 595\.\d+ 841\.\d+ ?\]", first), "A4"
    assert [record.message for record in caplog.records if "timestamp" in record.message] == []
    assert logger.level == before
    with pytest.raises(ValueError, match="topic must be"):
        _sheets.write_sheets(tmp_path, [16])


@pytest.mark.parametrize(("task", "count"), [("sheets", 1), ("quiz", 2)])
def test_command_names_the_files_it_wrote(task, count, tmp_path, capsys):
    assert main(["classroom", task, str(tmp_path / "new"), "--topics", "3"]) == 0
    named = [Path(line) for line in capsys.readouterr().out.splitlines()]
    assert len(named) == count and sorted(named) == sorted((tmp_path / "new").iterdir())

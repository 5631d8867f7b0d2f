"""A student copy in JupyterLab: a wrong answer and its message, the right one; the quiz."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
from jupyter_browser import Notebook, write_notebook

_CONTENT = "window.jupyterapp.shell.currentWidget.content"


@pytest.fixture(scope="module")
def student_copy(lab: Any, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The student copy of the first topic, as nbgrader makes it."""
    pytest.importorskip("nbgrader", reason='needs pip install "annlab-kmeans[classroom]"')
    from annlab.classroom._course import new_course

    course = tmp_path_factory.mktemp("classroom") / "course"
    new_course(course, [1])
    shutil.copy(course / "release" / "topic_01" / "topic_01.ipynb", lab.folder)
    return "topic_01.ipynb"


def go_to(notebook: Notebook, text: str) -> int:
    """Make the code cell with this text the active one, as clicks would."""
    number = notebook.page.evaluate(
        f"""text => {{
            const content = {_CONTENT};
            const found = content.widgets.findIndex(
                cell => cell.model.type === 'code'
                    && cell.model.sharedModel.getSource().includes(text));
            content.activeCellIndex = found;
            return found;
        }}""",
        text,
    )
    assert number >= 0, text
    return int(number)


def run_active(notebook: Notebook) -> None:
    """Run the active cell with Shift and Enter, which goes on to the next."""
    before = sum(cell["execution_count"] or 0 for cell in notebook.cells())
    notebook.page.keyboard.press("Shift+Enter")
    notebook.page.wait_for_function(
        f"""before => [...{_CONTENT}.model.cells]
            .filter(cell => cell.type === 'code')
            .reduce((sum, cell) => sum + (cell.executionCount || 0), 0) > before""",
        arg=before,
    )
    notebook.wait_idle()


def write_answer(notebook: Notebook, old: str, new: str) -> None:
    """Replace the answer in the cell, and run it and the test below."""
    go_to(notebook, old)
    notebook.page.evaluate("window.jupyterapp.commands.execute('notebook:enter-edit-mode')")
    notebook.page.wait_for_function(
        "document.activeElement?.closest('.jp-Notebook .jp-Cell.jp-mod-active') !== null"
    )
    notebook.page.keyboard.press("Control+A")
    notebook.page.keyboard.type(new)
    run_active(notebook)
    run_active(notebook)


def shown_below(notebook: Notebook, text: str) -> str:
    """Return what a reader sees below the cell with this text."""
    number = go_to(notebook, text)
    cell = notebook.page.locator(".jp-Notebook .jp-Cell").nth(number)
    cell.scroll_into_view_if_needed()
    return " ".join(cell.locator(".jp-OutputArea").inner_text().split())


def test_a_wrong_answer_is_named_and_the_right_one_passes(
    open_notebook: Any, student_copy: str, screenshots: Any
) -> None:
    notebook = open_notebook(student_copy)
    go_to(notebook, "from annlab import classroom, kmeans")
    run_active(notebook)
    test = 'classroom.grade("01-1"'

    # an unchanged answer gets a message without traceback
    go_to(notebook, "inertia_by_hand = ...")
    run_active(notebook)
    run_active(notebook)
    assert shown_below(notebook, test).startswith("01-1: not yet. There is nothing yet")

    write_answer(notebook, "inertia_by_hand = ...", "inertia_by_hand = 16 / 3")
    seen = shown_below(notebook, test)
    assert seen.startswith("01-1: no. That is the sum of the plain distances."), seen
    assert "Traceback" not in seen
    notebook.screenshot(screenshots / "classroom_wrong.png")

    write_answer(notebook, "inertia_by_hand = 16", "inertia_by_hand = 20 / 3")
    seen = shown_below(notebook, test)
    assert seen.startswith("✓ 01-1: right."), seen
    notebook.screenshot(screenshots / "classroom_right.png")
    assert not [problem for problem in notebook.problems() if "dialog" in problem]


def test_the_quiz_is_answered_with_the_keyboard(
    open_notebook: Any, lab: Any, screenshots: Any
) -> None:
    name = "quiz.ipynb"
    write_notebook(lab.folder / name, "from annlab import widgets\nwidgets.quiz('03')")
    notebook = open_notebook(name)
    notebook.run_all()
    quiz = notebook.widget()
    press = notebook.page.keyboard.press
    assert quiz.sentence().startswith("question 1 of 5, no votes")

    # from the first button, Tab and Enter alone
    quiz.locator.get_by_role("button", name="A", exact=True).focus()
    press("Enter")
    quiz.wait_for_sentence("question 1 of 5, 1 vote (A 1, B 0")
    press("Tab")
    press("Enter")
    quiz.wait_for_sentence("question 1 of 5, 2 votes (A 1, B 1")
    press("Space")
    quiz.wait_for_sentence("question 1 of 5, 3 votes (A 1, B 2")

    # nothing runs by itself here
    assert quiz.locator.get_by_role("button", name="Reset").is_visible()
    assert quiz.locator.get_by_role("button", name="Run").count() == 0
    assert quiz.locator.get_by_label("Speed").count() == 0

    # the votes of a whole class at once: a typing error costs no vote
    quiz.locator.get_by_label("Votes").focus()
    press("Control+A")
    notebook.page.keyboard.type("abb7bbc")
    press("Enter")
    quiz.wait_for_sentence("question 1 of 5, 6 votes (A 1, B 4, C 1, D 0); not counted: '7'")
    assert quiz.locator.get_by_label("Votes").input_value() == "abb7bbc"
    notebook.screenshot(screenshots / "quiz_slip.png")
    press("Control+A")
    notebook.page.keyboard.type("abbbbc")
    press("Enter")
    quiz.wait_for_sentence("question 1 of 5, 6 votes (A 1, B 4, C 1, D 0)")

    quiz.locator.get_by_role("button", name="Reveal / next").focus()
    press("Enter")
    quiz.wait_for_sentence("question 1 of 5, answer B (67% of 6)")
    notebook.screenshot(screenshots / "quiz.png")
    press("Enter")
    quiz.wait_for_sentence("question 2 of 5, no votes")
    assert notebook.problems() == []

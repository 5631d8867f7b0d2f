"""Every notebook as a reader meets it: run all cells, operate every widget once, look."""

from __future__ import annotations

from pathlib import Path

import pytest
from jupyter_browser import opened

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("*.ipynb"))

pytestmark = pytest.mark.full


def answer_predictions(notebook):
    """Answer the questions whose truth is still hidden, and read the answer in the sentence.

    Those between the cells are revealed by a later cell when all cells run; those of an explorer
    wait for the reader.
    """
    boxes = notebook.page.locator(".jp-OutputArea-output .annlab-prediction")
    for number in range(boxes.count()):
        box = boxes.nth(number)
        verdict = box.locator(".annlab-verdict")
        fields = box.locator(".widget-toggle-button, input")
        if not fields.count() or not fields.first.is_enabled() or not fields.first.is_visible():
            assert verdict.text_content().startswith("It is "), verdict.text_content()
            continue
        if box.locator("input").count():
            fields.first.fill("1")
            fields.first.press("Enter")
        else:
            fields.first.click()
        notebook.page.wait_for_function(
            "box => box.textContent.includes('you said')", arg=box.element_handle()
        )
        compare = box.locator("xpath=ancestor::*[contains(@class, 'annlab-explorer')]")
        button = compare.get_by_role("button", name="Compare", exact=True)
        if button.count() and button.is_enabled():
            button.click()
            notebook.page.wait_for_function(
                "box => box.textContent.includes('It is ')", arg=box.element_handle()
            )


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs_and_its_widgets_answer(
    path, browser, lab, screenshots, keep_picture, operate
):
    with opened(browser, lab.url, path.name) as notebook:
        notebook.run_all(timeout_s=300)
        # a cell that fails also keeps those after it from running
        assert notebook.problems() == [] and notebook.not_executed() == []
        explorers = notebook.page.locator(".jp-OutputArea-output .annlab-explorer")
        assert explorers.count() >= 1
        for number in range(explorers.count()):
            operate(notebook, number, f"{path.stem}_{number}")
        if path.stem.startswith("03_"):
            widget = notebook.widget()
            widget.press("Step")
            widget.wait_for_sentence("iteration 2 of ")
            widget.settle()
            keep_picture(widget.screenshot(screenshots / "step_explorer.png"))
        answer_predictions(notebook)
        notebook.wait_idle()
        assert notebook.problems() == []
        notebook.screenshot(screenshots / f"{path.stem}.png")

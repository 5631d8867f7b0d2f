"""Every notebook as a reader meets it: run all cells, operate every widget once, look.

The screenshots of a run lie in ``notebooks/_output/screenshots``, beside ``latencies*.json``: how
long each operation took from the mouse to the new picture. Seconds are for reading, not for a
test: machines differ.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from jupyter_browser import opened

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("*.ipynb"))


class Operator:
    """Does to an explorer what a reader does first, whatever its controls are."""

    def __init__(self, widget):
        self.widget, self.page, self.root = widget, widget.page, widget.locator

    def seen(self):
        """Sentence and picture; of a map, which has no picture, the sentence and the fields."""
        if self.root.locator(".annlab-sentence").count():
            return self.widget.sentence(), self.widget.picture()
        return self.root.locator(".annlab-verdict").text_content(), self.root.inner_html()

    def changed(self, before, patience_s):
        """Seconds until sentence and picture are both new, or None."""
        begin = time.monotonic()
        while time.monotonic() - begin < patience_s:
            now = self.seen()
            if now[0] != before[0] and now[1] != before[1]:
                return time.monotonic() - begin
            self.page.wait_for_timeout(10)
        return None

    def actions(self):
        """Name and function of everything that may be tried, what readers do first coming first."""
        canvas = self.root.locator(".annlab-canvas canvas")
        if canvas.count():
            yield "drag", lambda: self.drag(canvas.first)
        step = self.root.get_by_role("button", name="Step", exact=True)
        if step.count() and step.is_enabled():
            yield "Step", step.click
        sliders = self.root.locator(".noUi-handle")
        for number in range(sliders.count()):
            handle = sliders.nth(number)
            low, high, now = (
                float(handle.get_attribute(name))
                for name in ("aria-valuemin", "aria-valuemax", "aria-valuenow")
            )
            if handle.is_visible() and low < high:
                key = "ArrowRight" if now < high else "ArrowLeft"
                yield f"slider {number}", lambda handle=handle, key=key: handle.press(key)
        lists = self.root.locator("select:visible")
        for number in range(lists.count()):
            options = lists.nth(number).locator("option")
            if options.count() > 1 and lists.nth(number).is_enabled():
                yield f"list {number}", lambda lists=lists, number=number: self.take(lists, number)
        boxes = self.root.locator("input[type=checkbox]:visible")
        for number in range(boxes.count()):
            yield f"box {number}", boxes.nth(number).click

    def drag(self, canvas):
        """Drag the first handle to the middle of the canvas; click there if there is none."""
        box = canvas.bounding_box()
        places = json.loads(canvas.get_attribute("data-places") or "[]")
        middle = (box["x"] + 0.45 * box["width"], box["y"] + 0.4 * box["height"])
        if not places:
            self.page.mouse.click(*middle)
            return
        self.page.mouse.move(box["x"] + places[0][0], box["y"] + places[0][1])
        self.page.mouse.down()
        self.page.mouse.move(*middle, steps=10)
        self.page.mouse.up()

    def take(self, lists, number):
        """Choose the option after the present one."""
        now = lists.nth(number).evaluate("list => list.selectedIndex")
        count = lists.nth(number).locator("option").count()
        lists.nth(number).select_option(index=(now + 1) % count)

    def operate(self):
        """Try the actions until one changes sentence and picture; its name and seconds."""
        tried = []
        for name, act in self.actions():
            before = self.seen()
            act()
            took = self.changed(before, patience_s=20.0)
            if took is not None:
                return name, took
            tried.append(name)
        raise AssertionError(f"nothing changed sentence and picture; tried {tried}")


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


@pytest.fixture(scope="module")
def latencies(screenshots):
    """What each operation took, written when the course is through."""
    taken: dict[str, float] = {}
    yield taken
    # each of several workers writes what it has measured
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    (screenshots / f"latencies{worker}.json").write_text(json.dumps(taken, indent=1))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs_and_its_widgets_answer(path, browser, server, screenshots, latencies):
    with opened(browser, server, path.name) as notebook:
        notebook.run_all(timeout_s=300)
        # a cell that fails also keeps those after it from running
        assert notebook.problems() == [] and notebook.not_executed() == []
        explorers = notebook.page.locator(".jp-OutputArea-output .annlab-explorer")
        assert explorers.count() >= 1
        for number in range(explorers.count()):
            widget = notebook.widget(number=number)
            if not widget.locator.locator(".annlab-sentence").count():
                continue
            widget.settle()
            action, took = Operator(widget).operate()
            latencies[f"{path.stem} {number}: {action}"] = round(took, 3)
            widget.settle()
            widget.screenshot(screenshots / f"{path.stem}_{number}.png")
        answer_predictions(notebook)
        notebook.wait_idle()
        assert notebook.problems() == []
        notebook.screenshot(screenshots / f"{path.stem}.png")

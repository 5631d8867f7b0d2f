"""The three canvases under a real mouse and a real keyboard, in JupyterLab, light and dark."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from jupyter_browser import _PANEL as PANEL
from jupyter_browser import opened, write_notebook

CELLS = {
    "centroid_canvas": "widgets.centroid_canvas()",
    "graph_walk": "widgets.graph_walk()",
    "outlier_sandbox": "widgets.outlier_sandbox()",
}


class Canvas:
    """A canvas explorer in the page."""

    def __init__(self, notebook, widget):
        self.notebook, self.widget, self.page = notebook, widget, notebook.page
        self.canvas = widget.locator.locator(".annlab-canvas canvas")
        self.canvas.wait_for(state="visible")
        self.page.wait_for_function(
            "canvas => canvas.dataset.frames", arg=self.canvas.element_handle()
        )

    def handles(self):
        """Return the positions of the handles in data coordinates."""
        return json.loads(self.canvas.get_attribute("data-handles"))

    def selected(self):
        return int(self.canvas.get_attribute("data-selected"))

    def stored(self, name):
        """Return the positions that Python holds, as its state string says."""
        state = self.widget.locator.get_by_label("Share this frame").input_value()
        return json.loads(re.search(rf"{name}=([^&]*)", state)[1])

    def place(self, index):
        """Return the pixel of a handle in the window."""
        x, y = json.loads(self.canvas.get_attribute("data-places"))[index]
        box = self.canvas.bounding_box()
        return box["x"] + x, box["y"] + y

    def drag(self, index, dx, dy):
        self.notebook.drag(self.place(index), dx, dy)

    def click(self, x, y):
        """Click a pixel of the canvas."""
        box = self.canvas.bounding_box()
        self.page.mouse.click(box["x"] + x, box["y"] + y)

    def wait_until(self, condition, value=None):
        """Wait until a condition in JavaScript, on the canvas and a value, holds."""
        self.page.wait_for_function(
            f"([canvas, value]) => ({condition})(canvas, value)",
            arg=[self.canvas.element_handle(), value],
        )

    def focus(self):
        """Focus the canvas as the keyboard does."""
        # a key tells the browser that the keyboard is in use, whatever the mouse did before
        self.page.keyboard.press("Escape")
        self.canvas.focus()

    def wait_for_words(self, beginning):
        """Wait until what is read aloud begins like this."""
        said = self.widget.locator.locator(".annlab-canvas-live")
        self.page.wait_for_function(
            "([said, words]) => said.textContent.startsWith(words)",
            arg=[said.element_handle(), beginning],
        )

    def settle(self, name):
        """Wait until browser and Python hold the same positions."""

        def agree():
            mine, theirs = self.handles(), self.stored(name)
            return len(mine) == len(theirs) and np.allclose(mine, theirs, rtol=1e-4, atol=1e-4)

        self.notebook.wait_until(agree, f"browser and Python did not agree on the {name}")
        return self.handles()


@pytest.fixture(scope="module")
def notebook(browser, lab):
    """Open one notebook with all canvases: its page and its kernel take most of the time."""
    write_notebook(lab.folder / "canvases.ipynb", "from annlab import widgets", *CELLS.values())
    with opened(browser, lab.url, "canvases.ipynb") as notebook:
        yield notebook


@pytest.fixture
def fresh(notebook):
    """Run the notebook again and show the canvas; check that nothing is wrong."""

    def show(name):
        notebook.run_all()
        assert notebook.problems() == []
        return Canvas(notebook, notebook.widget(number=[*CELLS].index(name)))

    yield show
    assert notebook.problems() == []


def test_the_canvases_follow_the_theme(notebook, fresh, screenshots):
    fresh("centroid_canvas")
    brightest = """c => Math.max(
        ...c.getContext('2d').getImageData(0, c.height - 1, 1, 1).data.slice(0, 3))"""
    try:
        for theme, condition in (("Light", "=== 255"), ("Dark", "< 40")):
            set_theme(notebook.page, theme)
            for number, name in enumerate(CELLS):
                shown = Canvas(notebook, notebook.widget(number=number))
                shown.wait_until(f"c => ({brightest})(c) {condition}")
                if theme == "Dark":
                    shown.widget.screenshot(screenshots / f"{name}_dark.png")
    finally:
        # JupyterLab remembers the theme, and every later picture would be dark
        set_theme(notebook.page, "Light")


def set_theme(page, name):
    change = "window.jupyterapp.commands.execute('apputils:change-theme', {theme: %r})"
    page.evaluate(change % f"JupyterLab {name}")
    light = "true" if name == "Light" else "false"
    page.wait_for_function(f"document.body.dataset.jpThemeLight === '{light}'")


def test_centroids_follow_the_mouse(fresh, screenshots):
    shown = fresh("centroid_canvas")
    widget, start = shown.widget, shown.handles()
    widget.screenshot(screenshots / "centroid_canvas.png")

    with widget.changes():
        shown.drag(0, -120, 90)
    now = shown.settle("centroids")
    assert now[1:] == start[1:] and now[0][0] < start[0][0] and now[0][1] < start[0][1]

    with widget.changes():
        widget.press("Step")
    assert widget.sentence().startswith("step 1 of ")
    widget.settle()
    moved = shown.handles()
    assert moved != now

    # a drag in a later step makes a new start of what is shown
    with widget.changes():
        shown.drag(1, 30, 30)
    assert widget.sentence().startswith("step 0 of ")
    assert shown.settle("centroids")[0] == pytest.approx(moved[0])

    # a click on an empty place adds, a double-click removes
    with widget.changes():
        shown.click(235, 250)
    assert len(shown.settle("centroids")) == 6
    with widget.changes():
        shown.page.mouse.dblclick(*shown.place(5))
    assert len(shown.settle("centroids")) == 5


def test_centroids_follow_the_keyboard(fresh):
    shown = fresh("centroid_canvas")
    keyboard, page = shown.page.keyboard, shown.page
    assert shown.canvas.get_attribute("aria-label") == shown.widget.sentence()
    shown.focus()
    # the first is selected when the keyboard arrives
    shown.wait_until("c => c.dataset.selected === '0'")
    keyboard.press("Tab")
    keyboard.press("Tab")
    keyboard.press("Shift+Tab")
    shown.wait_until("c => c.dataset.selected === '1'")
    before = shown.handles()
    with shown.widget.changes():
        for _ in range(6):
            keyboard.press("Shift+ArrowLeft")
        keyboard.press("ArrowUp")
    now = shown.settle("centroids")
    assert now[1][0] < before[1][0] and now[1][1] > before[1][1]
    assert [now[i] for i in (0, 2, 3, 4)] == [before[i] for i in (0, 2, 3, 4)]
    shown.wait_for_words("centroid 2 of 5")

    with shown.widget.changes():
        keyboard.press("Enter")
    assert len(shown.settle("centroids")) == 6 and shown.selected() == 5
    with shown.widget.changes():
        keyboard.press("Delete")
    assert len(shown.settle("centroids")) == 5
    assert shown.canvas.get_attribute("aria-label") == shown.widget.sentence()

    # JupyterLab's own keys did nothing: the cells are as they were, no cell is being edited
    assert len(shown.notebook.cells()) == 1 + len(CELLS)
    assert page.evaluate("document.activeElement.tagName") == "CANVAS"
    # the keyboard is not trapped: past the last centroid it goes on
    for _ in range(6):
        keyboard.press("Tab")
    assert page.evaluate("document.activeElement.tagName") != "CANVAS"


def test_a_busy_kernel_keeps_an_added_point(open_notebook, lab, screenshots):
    """The point that was added stays, and stays selected, until the kernel has answered."""
    begun, free = lab.folder / "begun", lab.folder / "free"
    busy = (
        "import pathlib, time\n"
        "pathlib.Path('begun').touch()\n"
        "while not pathlib.Path('free').exists():\n"
        "    time.sleep(0.02)\n"
    )
    canvas = CELLS["centroid_canvas"]
    write_notebook(lab.folder / "busy.ipynb", "from annlab import widgets", canvas, busy)
    notebook = open_notebook("busy.ipynb")
    page = notebook.page
    # without subshells a widget's messages wait until the cell is done
    page.evaluate(f"{PANEL}.sessionContext.session.kernel.commsOverSubshells = 'disabled'")
    page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }")
    shown = Canvas(notebook, notebook.widget())
    start = shown.handles()
    notebook.wait_until(begun.exists, "the busy cell did not begin")
    page.clock.install()
    try:
        shown.focus()
        shown.wait_until("c => c.dataset.selected === '0'")
        page.keyboard.press("Enter")
        shown.wait_until("c => JSON.parse(c.dataset.handles).length === 6")
        added = shown.handles()[5]
        page.clock.fast_forward(20_000)
        page.keyboard.press("Shift+ArrowUp")
        page.keyboard.press("ArrowLeft")
        shown.wait_until("(c, y) => JSON.parse(c.dataset.handles)[5]?.[1] > y", added[1])
        assert shown.selected() == 5
        assert shown.handles()[:5] == start
        assert shown.canvas.get_attribute("data-pending") == "3", "nothing is answered yet"
        assert shown.stored("centroids") == start
        shown.widget.screenshot(screenshots / "centroid_canvas_busy.png")
        here = shown.handles()
    finally:
        free.touch()
    shown.wait_until("c => c.dataset.pending === ''")
    assert shown.settle("centroids") == here and shown.selected() == 5
    with shown.widget.changes():
        page.keyboard.press("Delete")
    assert shown.settle("centroids") == start
    assert notebook.problems() == []

    # a dead kernel does not answer: nothing moves, and the canvas says why
    page.evaluate(f"() => {{ {PANEL}.sessionContext.session.kernel.restart(); }}")
    page.wait_for_selector(".jupyter-widgets-disconnected .annlab-canvas", state="attached")
    page.keyboard.press("Enter")
    shown.wait_for_words("No kernel is connected")
    assert shown.handles() == start and shown.canvas.get_attribute("data-pending") == ""


def test_the_query_follows_the_mouse(fresh, screenshots):
    shown = fresh("graph_walk")
    widget = shown.widget
    assert widget.sentence().startswith("hop 0 of ")
    with widget.changes():
        shown.drag(0, -90, -120)
    here = shown.settle("query")
    # the whole walk is shown while the query is dragged
    widget.settle()
    assert re.match(r"hop (\d+) of \1\b", widget.sentence()), widget.sentence()
    with widget.changes():
        shown.click(420, 300)
    assert shown.settle("query") != here
    with widget.changes():
        widget.press("Step back")
    with widget.changes():
        widget.slide("Hop", 0.0)
    widget.settle()
    assert widget.sentence().startswith("hop 0 of ")
    with widget.changes():
        widget.slide("ef", 1.0)
    with widget.changes():
        widget.press_key("Hop", "ArrowRight")
    shown.focus()
    with widget.changes():
        shown.page.keyboard.press("Shift+ArrowRight")
    shown.settle("query")
    widget.settle()
    widget.screenshot(screenshots / "graph_walk.png")


def test_outliers_follow_the_mouse(fresh, screenshots):
    shown = fresh("outlier_sandbox")
    widget = shown.widget
    assert widget.sentence().startswith("2 outliers ")
    with widget.changes():
        shown.click(40, 420)
    assert widget.sentence().startswith("3 outliers ")
    with widget.changes():
        shown.drag(2, 60, -120)
    shown.settle("outliers")
    with widget.changes():
        shown.page.keyboard.press("Enter")
    assert len(shown.settle("outliers")) == 4
    with widget.changes():
        shown.page.keyboard.press("Delete")
    with widget.changes():
        shown.page.mouse.dblclick(*shown.place(2))
    assert len(shown.settle("outliers")) == 2
    with widget.changes():
        widget.slide("Copies", 0.5)
    widget.settle()
    widget.screenshot(screenshots / "outlier_sandbox.png")


def test_canvases_work_in_a_narrow_high_density_window(open_notebook, notebook):
    # a second window on the same notebook, and the same kernel
    narrow = {"width": 900, "height": 900}
    again = open_notebook(notebook.name, viewport=narrow, device_scale_factor=2)
    again.run_all()
    shown = Canvas(again, again.widget())
    drawn = shown.canvas.evaluate("c => [c.width, c.height]")
    assert drawn == [2 * 840, 2 * 464], "a pixel of the canvas for each pixel of the screen"
    box = shown.canvas.bounding_box()
    assert box["width"] < 840
    assert box["height"] / box["width"] == pytest.approx(464 / 840, rel=0.01)
    scale = box["width"] / 840
    x, y = json.loads(shown.canvas.get_attribute("data-places"))[0]
    start = shown.handles()[0]
    again.drag((box["x"] + scale * x, box["y"] + scale * y), -60, 0)
    assert shown.settle("centroids")[0][0] < start[0]

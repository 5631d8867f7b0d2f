"""The harness itself, on a notebook that the test writes: it must see what it is there to see."""

from __future__ import annotations

import pytest
from jupyter_browser import write_notebook

SMALL = """
import io
import ipywidgets
from matplotlib.figure import Figure

def picture(value):
    figure = Figure(figsize=(3, 2))
    figure.subplots().bar([0, 1], [value, 10])
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()

image = ipywidgets.Image(value=picture(3), format="png")
says = ipywidgets.HTML('<div class="annlab-sentence">value 3</div>')
slider = ipywidgets.IntSlider(3, 0, 10, description="Value", continuous_update=False)
button = ipywidgets.Button(description="One more")
field = ipywidgets.IntText(3, description="Number")
options = ipywidgets.Dropdown(options=["low", "high"], value="low", description="Pick")

def show(change):
    image.value = picture(change["new"])
    says.value = f'<div class="annlab-sentence">value {change["new"]}</div>'

slider.observe(show, "value")
button.on_click(lambda _: setattr(slider, "value", slider.value + 1))
field.observe(lambda change: setattr(slider, "value", change["new"]), "value")
options.observe(lambda change: setattr(slider, "value", 9), "value")
box = ipywidgets.VBox([button, slider, field, options, image, says])
box.add_class("annlab-explorer")
"""


def test_it_drives_buttons_sliders_fields_and_lists(server, open_notebook, screenshots):
    write_notebook(server.folder / "small.ipynb", SMALL, "box", "slider.value")
    notebook = open_notebook("small.ipynb")
    assert notebook.not_executed() == [1, 2, 3]
    notebook.run_all()
    assert notebook.not_executed() == [] and notebook.problems() == []
    widget = notebook.widget()
    assert widget.buttons() == ["One more"]
    assert widget.sentence() == "value 3"
    assert widget.picture().startswith(b"\x89PNG")
    with widget.changes():
        widget.press("One more")
    assert widget.sentence() == "value 4"
    with widget.changes():
        widget.slide("Value", 1.0)
    assert widget.sentence() == "value 10"
    with widget.changes():
        widget.press_key("Value", "ArrowLeft")
    assert widget.sentence() == "value 9"
    with widget.changes():
        widget.fill("Number", "2")
    assert widget.sentence() == "value 2"
    with widget.changes():
        widget.choose("Pick", "high")
    assert widget.sentence() == "value 9"
    widget.settle()
    assert notebook.problems() == []
    assert widget.screenshot(screenshots / "harness.png").stat().st_size > 1000


def test_a_change_that_does_not_come_is_noticed(server, open_notebook, monkeypatch):
    write_notebook(server.folder / "still.ipynb", SMALL, "box")
    notebook = open_notebook("still.ipynb")
    notebook.run_all()
    widget = notebook.widget()
    monkeypatch.setattr("jupyter_browser.PATIENCE_S", 1.0)
    with pytest.raises(AssertionError, match="the sentence 'value 3' did not change"):
        with widget.changes():
            pass


def test_it_sees_what_goes_wrong(server, open_notebook):
    wrong = {
        "import sys; print('careful', file=sys.stderr)": "careful",
        "import warnings; warnings.warn('old name')": "old name",
        "import anywidget\n"
        "class Broken(anywidget.AnyWidget):\n"
        "    _esm = 'export default { render() { throw new Error(\"broken front end\"); } }'\n"
        "Broken()": "broken front end",
        # last, because an error ends the run
        "1 / 0": "ZeroDivisionError",
    }
    write_notebook(server.folder / "wrong.ipynb", "1 + 1", *wrong, "1 + 2")
    notebook = open_notebook("wrong.ipynb")
    assert notebook.problems() == []
    notebook.run_all()
    notebook.page.wait_for_timeout(500)
    seen = notebook.problems()
    for complaint in wrong.values():
        assert any(complaint in problem for problem in seen), (complaint, seen)
    assert notebook.not_executed() == [6]


def test_nothing_greets_the_reader_but_the_notebook(server, open_notebook, screenshots):
    """No news, no update notice, no question about kernels."""
    write_notebook(server.folder / "plain.ipynb", "1 + 1")
    notebook = open_notebook("plain.ipynb")
    notebook.page.wait_for_timeout(3000)
    assert notebook.problems() == []
    notebook.screenshot(screenshots / "plain.png")

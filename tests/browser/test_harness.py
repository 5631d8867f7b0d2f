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


def test_it_drives_buttons_sliders_fields_and_lists(lab, open_notebook, screenshots, monkeypatch):
    write_notebook(lab.folder / "small.ipynb", SMALL, "box", "slider.value")
    notebook = open_notebook("small.ipynb")
    assert notebook.not_executed() == [1, 2, 3]
    notebook.run_all()
    assert notebook.not_executed() == [] and notebook.problems() == []
    widget = notebook.widget()
    assert widget.buttons() == ["One more"]
    assert widget.sentence() == "value 3"
    assert widget.picture().startswith(b"\x89PNG")
    acts = [
        (lambda: widget.press("One more"), 4),
        (lambda: widget.slide("Value", 1.0), 10),
        (lambda: widget.press_key("Value", "ArrowLeft"), 9),
        (lambda: widget.fill("Number", "2"), 2),
        (lambda: widget.choose("Pick", "high"), 9),
    ]
    for act, value in acts:
        with widget.changes():
            act()
        assert widget.sentence() == f"value {value}"
    widget.settle()
    assert widget.screenshot(screenshots / "harness.png").stat().st_size > 1000
    # no news, no update notice, no question about kernels have come up meanwhile
    assert notebook.problems() == []
    monkeypatch.setattr("jupyter_browser.PATIENCE_S", 1.0)
    with pytest.raises(AssertionError, match="the sentence 'value 9' did not change"):
        with widget.changes():
            pass


def test_it_sees_what_goes_wrong(lab, open_notebook):
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
    write_notebook(lab.folder / "wrong.ipynb", "1 + 1", *wrong, "1 + 2")
    notebook = open_notebook("wrong.ipynb")
    assert notebook.problems() == []
    notebook.run_all()

    # the front end breaks a moment after its cell has run
    notebook.wait_until(
        lambda: all(words in " ".join(notebook.problems()) for words in wrong.values()),
        f"not all of {list(wrong.values())} were seen",
    )
    assert notebook.not_executed() == [6]

"""The step explorer under mouse and keyboard: step, drag, run, look."""

from __future__ import annotations

import pytest
from jupyter_browser import opened, write_notebook


@pytest.fixture(scope="module")
def notebook(browser, lab):
    """One notebook for all tests of this file: opening it takes most of their time."""
    cells = ("from annlab import widgets", "widgets.example('step_explorer')")
    write_notebook(lab.folder / "steps.ipynb", *cells)
    with opened(browser, lab.url, "steps.ipynb") as notebook:
        notebook.run_all()
        yield notebook


def iteration(sentence: str) -> tuple[int, int]:
    """Read ``iteration 3 of 12, …``."""
    words = sentence.replace(",", " ").replace(":", " ").split()
    assert words[0] == "iteration" and words[2] == "of", sentence
    return int(words[1]), int(words[3])


def test_step_explorer_steps_scrubs_runs_and_resets(notebook):
    assert notebook.not_executed() == [] and notebook.problems() == []
    widget = notebook.widget()
    for label in ("Step back", "Step", "Run", "Reset"):
        assert label in widget.buttons()
    first, last = iteration(widget.sentence())
    assert first == 0 and last >= 2

    with widget.changes():
        widget.press("Step")
    assert iteration(widget.sentence()) == (1, last)
    with widget.changes():
        widget.press("Step")
    assert iteration(widget.sentence()) == (2, last)

    with widget.changes():
        widget.press("Step back")
    assert iteration(widget.sentence()) == (1, last)

    # the mouse drags to the end, the keyboard goes one back
    with widget.changes():
        widget.slide("Iteration", 1.0)
    # the frames that the drag passes are shown as well
    widget.wait_for_sentence(f"iteration {last} of {last}")
    with widget.changes():
        widget.press_key("Iteration", "ArrowLeft")
    assert iteration(widget.sentence()) == (last - 1, last)

    with widget.changes():
        widget.press("Reset")
    assert iteration(widget.sentence()) == (0, last)
    with widget.changes():
        widget.choose("Speed", "fast")
        widget.press("Run")
    widget.wait_for_sentence(f"iteration {last} of {last}")
    widget.settle()
    assert notebook.problems() == []


def test_nothing_jumps_while_stepping(notebook):
    """The picture keeps its place and its size from frame to frame."""
    widget = notebook.widget()
    widget.press("Reset")
    widget.wait_for_sentence("iteration 0 of ")
    places = []
    for _ in range(3):
        with widget.changes():
            widget.press("Step")
        widget.settle()
        places.append(widget.locator.locator("img").first.bounding_box())
    assert places[0] == places[1] == places[2]
    drawn = widget.locator.locator("img").first.evaluate(
        "img => [img.naturalWidth / img.clientWidth, img.naturalHeight / img.clientHeight]"
    )
    assert drawn[0] == pytest.approx(drawn[1], rel=0.02), "the picture is stretched"
    assert drawn[0] >= 1, "the picture is enlarged, and so blurred"

"""Every explorer under a reader's hands, on small data and in one notebook."""

from __future__ import annotations

import pytest
from jupyter_browser import VIEWPORT, opened, write_notebook

from annlab import widgets

EXPLORERS = widgets.available_explorers()


@pytest.fixture(scope="module")
def explorers(browser, lab):
    """One notebook with every explorer on small data."""
    cells = [f"widgets.example({name!r})" for name in EXPLORERS]
    write_notebook(lab.folder / "explorers.ipynb", "from annlab import widgets", *cells)
    with opened(browser, lab.url, "explorers.ipynb") as notebook:
        notebook.run_all(timeout_s=300)
        assert notebook.problems() == [] and notebook.not_executed() == []
        yield notebook


@pytest.mark.parametrize("name", EXPLORERS)
def test_every_explorer_answers_a_reader(name, explorers, operate):
    operate(explorers, EXPLORERS.index(name), name)
    explorers.wait_idle()
    assert explorers.problems() == []


UNNAMED = """root => {
    const wrong = [];
    const sentence = root.querySelector('.annlab-sentence').textContent;
    for (const image of root.querySelectorAll('img'))
        if (image.alt !== sentence) wrong.push('the picture says ' + image.alt);
    if (!root.querySelector('[role=status] .annlab-sentence')) wrong.push('not read aloud');
    for (const slider of root.querySelectorAll('.widget-slider')) {
        const handle = slider.querySelector('.noUi-handle');
        const readout = slider.querySelector('.widget-readout')?.textContent;
        const label = slider.querySelector('.widget-label').textContent;
        if (handle.getAttribute('aria-label') !== label) wrong.push('no name: ' + label);
        if (readout && handle.getAttribute('aria-valuetext') !== readout)
            wrong.push(label + ' says ' + handle.getAttribute('aria-valuetext'));
    }
    return wrong;
}"""


@pytest.mark.parametrize("name", EXPLORERS)
def test_every_explorer_can_be_read_aloud_and_fills_its_width(name, explorers):
    widget = explorers.widget(number=EXPLORERS.index(name))
    explorers.wait_until(lambda: not widget.locator.evaluate(UNNAMED), f"unnamed parts of {name}")
    try:
        explorers.page.set_viewport_size({"width": 800, "height": 900})
        widget.show()
        picture = widget.locator.locator(".annlab-canvas canvas, img").first
        shown, room = picture.bounding_box(), widget.locator.bounding_box()
        assert shown["width"] == pytest.approx(min(room["width"], 840), abs=12)
        shape = picture.evaluate("p => (p.naturalHeight || p.height) / (p.naturalWidth || p.width)")
        assert shown["height"] / shown["width"] == pytest.approx(shape, rel=0.02)
    finally:
        explorers.page.set_viewport_size(VIEWPORT)

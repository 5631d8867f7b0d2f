"""Every explorer under a reader's hands, on small data and in one notebook."""

from __future__ import annotations

import pytest
from jupyter_browser import opened, write_notebook

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

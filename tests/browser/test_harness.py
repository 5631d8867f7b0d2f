"""Test that the harness notices problems, on a notebook that the test writes."""

from __future__ import annotations

from jupyter_browser import write_notebook


def test_problems_of_a_page_are_noticed(lab, open_notebook):
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

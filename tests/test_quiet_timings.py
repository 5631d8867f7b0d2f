"""Timings are stored on an idle machine; a busy one keeps the older ones."""

from __future__ import annotations

import copy

import nbformat
import pytest

from annlab._authoring import quiet
from annlab._authoring.normalising import normalise
from annlab._authoring.quiet import Patience, execute_quietly

TIMINGS = {"tags": ["nbval-ignore-output"], "annlab": {"reason": "timings: seconds of a fit"}}


def readings(monkeypatch, *cores: float) -> list[float]:
    """Simulate the given load readings; return the remaining ones."""
    left = list(cores)
    monkeypatch.setattr(quiet, "busy_cores", lambda seconds: left.pop(0))
    return left


def cell(source: str, text: str, **metadata):
    made = nbformat.v4.new_code_cell(source, execution_count=1, metadata=copy.deepcopy(metadata))
    made.outputs = [nbformat.v4.new_output("execute_result", {"text/plain": text})]
    return made


def notebook(edition: str):
    """A notebook with one cell of timings between two others."""
    return nbformat.v4.new_notebook(
        cells=[
            cell("a", f"a of {edition}"),
            cell("clock()", f"seconds of {edition}", **TIMINGS),
            cell("b", f"b of {edition}"),
        ]
    )


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Execute the stored notebook, with the given one as the result."""

    def runs(stored, fresh, patience=None):
        fresh = copy.deepcopy(fresh)
        for new, old in zip(fresh.cells, stored.cells, strict=True):
            new.metadata = copy.deepcopy(old.metadata)
        monkeypatch.setattr(quiet, "execute", lambda notebook, folder, timeout: fresh)
        return execute_quietly(stored, tmp_path, patience or Patience())

    return runs


def texts(made) -> list[str]:
    return [one.outputs[0].data["text/plain"] if one.outputs else "" for one in made.cells]


def test_an_idle_machine_renews_timings_and_is_recorded(run, monkeypatch):
    readings(monkeypatch, 0.11, 0.04)
    made, note = run(normalise(notebook("old"), "x.ipynb"), notebook("new"))
    assert texts(made) == ["a of new", "seconds of new", "b of new"] and note == ""
    measured = made.cells[1].metadata["annlab"]["measured"]
    assert measured == {"cores": quiet.available_cpus(), "load": 0.11}
    assert "measured" in normalise(made, "x.ipynb").cells[1].metadata["annlab"]
    assert all("annlab" not in made.cells[n].metadata for n in (0, 2))


def test_a_busy_machine_is_waited_for(run, monkeypatch):
    left = readings(monkeypatch, 1.5, 0.9, 0.29, 0.1)
    patience = Patience()
    made, note = run(normalise(notebook("old"), "x.ipynb"), notebook("new"), patience)
    assert texts(made)[1] == "seconds of new" and note == "" and left == []
    assert patience.left_s == quiet.PATIENCE_S - 2 * quiet.WINDOW_S


def test_after_ten_minutes_the_older_timings_are_kept(run, monkeypatch):
    windows = int(quiet.PATIENCE_S / quiet.WINDOW_S)
    left = readings(monkeypatch, *[1.25] * windows, 0.7, 0.0)
    stored = normalise(notebook("old"), "x.ipynb")
    stored.cells[1].metadata["annlab"]["measured"] = {"cores": 8, "load": 0.02}
    patience = Patience()
    made, note = run(stored, notebook("new"), patience)
    assert texts(made) == ["a of new", "seconds of old", "b of new"]
    assert made.cells[1].metadata["annlab"]["measured"] == {"cores": 8, "load": 0.02}
    assert note == "timings of cells 2 were kept: other work keeps 1.2 cores busy"
    # the waiting time is shared: the next notebook gets a single reading
    _, note = run(stored, notebook("new"), patience)
    assert "0.7 cores" in note and left == [0.0]


def test_work_that_begins_meanwhile_counts(run, monkeypatch):
    readings(monkeypatch, 0.0, 1.9)
    made, note = run(normalise(notebook("old"), "x.ipynb"), notebook("new"))
    assert texts(made)[1] == "seconds of old" and "1.9 cores" in note


@pytest.mark.parametrize("change", ["edited", "never executed"])
def test_timings_without_an_older_output_are_not_stored(run, monkeypatch, change):
    readings(monkeypatch, 1.0)
    stored = normalise(notebook("old"), "x.ipynb")
    stored.cells[1].metadata["annlab"]["measured"] = {"cores": 8, "load": 0.02}
    if change == "edited":
        stored.cells[1].source = "another_clock()"
    else:
        stored.cells[1].outputs = []
    made, _ = run(stored, notebook("new"), Patience(0))
    assert texts(made) == ["a of new", "", "b of new"]
    assert "measured" not in made.cells[1].metadata["annlab"]

"""Every notebook is executed and follows the rules; the checks find faults."""

from __future__ import annotations

import base64
import copy
import io
import json
from pathlib import Path

import nbformat
import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from annlab import cli, widgets
from annlab._authoring import checks, topics
from annlab._authoring.cells import WIDGET_STATE, WIDGET_VIEW
from annlab._authoring.checks import exempt_cells, findings, machine_traces
from annlab._authoring.execution import execute
from annlab._authoring.normalising import KERNELSPEC, LANGUAGE, dumps, normalise
from annlab._authoring.slimming import is_slim, slim
from annlab._authoring.topics import SECTIONS
from annlab._authoring.verdicts import VERDICTS_FILE, verdict_table
from annlab._support import places
from annlab._support.places import checkout_folder
from annlab.widgets._topics import TOPICS

FOLDER = Path(__file__).resolve().parent.parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
GALLERY = sorted(FOLDER.glob("gallery/*.ipynb"))

#: Cells that nbval runs but does not compare, by notebook. A new one is a decision: it needs a
#: reason in the cell's metadata (annlab.reason) and a change here.
EXEMPT: dict[str, int] = {
    "01_introduction.ipynb": 1,
    "04_advantages.ipynb": 2,
    "05_choosing_an_algorithm.ipynb": 1,
    "07_accuracy_and_speed.ipynb": 1,
    "08_image_segmentation.ipynb": 1,
    "10_faiss.ipynb": 1,
    "13_parallel_processing.ipynb": 5,
    "14_visualization.ipynb": 5,
    "15_resources_and_capstone.ipynb": 3,
}


# ------------------------------------------------------------------------------- the notebooks


def test_there_is_one_notebook_for_each_topic():
    assert [path.stem for path in NOTEBOOKS] == ["00_start_here", *(t.file for t in TOPICS)]


@pytest.mark.parametrize("path", [*NOTEBOOKS, *GALLERY], ids=lambda path: path.name)
def test_notebook_may_be_published(path):
    assert findings(path) == []


def test_exempt_cells_are_counted():
    counted = {path.name: len(exempt_cells(path)) for path in NOTEBOOKS}
    assert counted == {name: EXEMPT.get(name, 0) for name in counted}


def test_all_notebooks_together_are_small():
    assert sum(path.stat().st_size for path in NOTEBOOKS) <= 14_000_000


def test_the_table_of_verdicts_is_up_to_date():
    assert (FOLDER / VERDICTS_FILE).read_text(encoding="utf-8") == verdict_table(FOLDER)


# -------------------------------------------------------------------- the checks, tried by damage


def code(source: str, count: int, *outputs: dict, **metadata) -> nbformat.NotebookNode:
    cell = nbformat.v4.new_code_cell(source, execution_count=count, metadata=metadata)
    cell.outputs = [nbformat.from_dict(output) for output in outputs]
    return cell


def said(text: str, name: str = "stdout") -> dict:
    return {"output_type": "stream", "name": name, "text": text}


def result(count: int, **data) -> dict:
    return {"output_type": "execute_result", "execution_count": count, "metadata": {}, "data": data}


#: Place of the verdict in the example: the first code cell of "the slide, checked".
VERDICT = 2 + 3 * [name for name, _ in SECTIONS].index("the slide, checked") + 1


def good() -> nbformat.NotebookNode:
    """Return a minimal topic notebook without a fault."""
    view = {"model_id": "a" * 32, "version_major": 2, "version_minor": 0}
    titles = {
        "vocabulary": "Vocabulary",
        "the naive version": "The naive version, by hand",
        "predict before you run": "Predict before you run",
        "the idea": "The idea",
        "annlab's version": "annlab's version",
        "the widget": "Step through it",
        "the slide, checked": "The slide, checked",
        "failure modes": "Where it fails",
        "exercises": "Exercises",
        "your data": "Now your data",
        "what we learned": "What we learned",
    }
    assert list(titles) == [name for name, _ in SECTIONS]
    cells = [
        nbformat.v4.new_markdown_cell("# A question?\n\n![hero](images/hero.png)"),
        code("import numpy as np\nrng = np.random.default_rng(0)", 1),
    ]
    for place, title in enumerate(titles.values()):
        words = " ".join(["word"] * 90)
        cells.append(nbformat.v4.new_markdown_cell(f"## {title}\n\n{words} [next](other.ipynb)"))
        for _ in range(2):
            count = sum(cell.cell_type == "code" for cell in cells) + 1
            cells.append(
                code(f"{place} + {count}", count, result(count, **{"text/plain": "1.234"}))
            )
    seen = widgets.verdict(7, says="It is fast.", measured="It took 3 s.", holds=False)
    cells[VERDICT]["source"] = 'widgets.verdict(7, "It is fast.", f"It took {s} s.", s < 1)'
    cells[VERDICT]["outputs"] = [
        nbformat.from_dict(
            result(
                cells[VERDICT].execution_count,
                **{"text/plain": repr(seen), "text/markdown": seen._repr_markdown_()},
            )
        )
    ]
    cells[3]["outputs"] = [
        nbformat.from_dict(result(2, **{"text/plain": "iteration 0", WIDGET_VIEW: view}))
    ]
    state = {"a" * 32: {"model_name": "HTMLModel", "state": {"value": "iteration 0"}}}
    return nbformat.v4.new_notebook(
        cells=cells,
        metadata={
            "kernelspec": KERNELSPEC,
            "language_info": LANGUAGE,
            "widgets": {WIDGET_STATE: {"state": state, "version_major": 2, "version_minor": 0}},
        },
    )


@pytest.fixture
def check(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "hero.png").write_bytes(b"")
    (tmp_path / "other.ipynb").write_text("{}")

    def run(notebook: nbformat.NotebookNode, *, as_it_is: bool = False) -> list[str]:
        path = tmp_path / "07_example.ipynb"
        path.write_text(dumps(notebook if as_it_is else normalise(notebook, path.name)))
        return findings(path)

    return run


def test_the_good_notebook_is_good(check):
    assert check(good()) == []


# Each damage takes a notebook and spoils it; the cells are those of `good`.


def put(place, **fields):
    return lambda nb: nb.cells[place].update(fields)


def added(place, text):
    return lambda nb: nb.cells[place].update(source=nb.cells[place].source + text)


def replaced(place, old, new):
    return lambda nb: nb.cells[place].update(source=nb.cells[place].source.replace(old, new))


def shown(**output):
    return lambda nb: nb.cells[3].outputs.append(nbformat.from_dict(output))


def tagged(tag, **facts):
    """Tag a cell; a reason goes into the metadata of annlab."""
    return lambda nb: nb.cells[3].metadata.update(
        tags=[tag], **({"annlab": facts} if facts else {})
    )


def both(*damages):
    return lambda nb: [damage(nb) for damage in damages]


def other_state(nb):
    nb.cells[3].outputs[0].data[WIDGET_VIEW]["model_id"] = "b" * 32


def address_in_state(nb):
    state = nb.metadata["widgets"][WIDGET_STATE]["state"]["a" * 32]["state"]
    state["value"] = "<img src='http://localhost:8888/x.png'>"


def too_few_cells(nb):
    del nb.cells[-10:-3]


def long_cells(nb):
    for cell in nb.cells:
        if cell.cell_type == "code" and "import" not in cell.source:
            cell.source = "\n".join([cell.source] * 5)


def too_little_prose(nb):
    for cell in nb.cells[2:]:
        cell.source = cell.source.replace("word word", "word")


ERROR = shown(output_type="error", ename="ValueError", evalue="no", traceback=["no"])


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (put(3, execution_count=None), "was not executed"),
        (put(3, execution_count=40), "was executed as number 40, not 2"),
        (put(3, source="  \n"), "is empty"),
        (added(3, ";"), "ends with a semicolon"),
        (ERROR, "shows an error: ValueError"),
        (both(ERROR, tagged("raises-exception")), "is expected to fail"),
        (shown(**said("careful", "stderr")), "wrote to stderr: careful"),
        (other_state, "whose state is not stored"),
        (lambda nb: nb.metadata.pop("widgets"), "whose state is not stored"),
        (shown(**said("saved to /home/ada/x.npz")), "/home/ada"),
        (address_in_state, "localhost"),
        (shown(**said("<object at 0x7f3a2b1c9d50>")), "0x7f3a2b1c9d50"),
        (tagged("nbval-ignore-output"), "is exempt from comparison"),
        (tagged("nbval-ignore-output", reason="it differed"), "got 'it differed'"),
        (tagged("nbval-skip", reason="timings: a race"), "without its twin"),
        (added(2, " [there](no_such.ipynb#part)"), "links to no_such.ipynb"),
        (added(2, " ![there](images/none.png)"), "links to images/none.png"),
        (added(2, " The recall is 1.234 here."), "has the number 1.234"),
        (put(0, source="A question?"), "first cell must be the title"),
        (replaced(2, "Vocabulary", "Things"), "'vocabulary' is missing"),
        (
            both(
                replaced(2, "Vocabulary", "Exercises, early"),
                replaced(-3, "What we learned", "Vocabulary"),
            ),
            "comes too early",
        ),
        (put(1, source="\n".join(f"x{i} = {i}" for i in range(9))), "set-up cell has 9 lines"),
        (put(3, source="import math"), "cell 4 imports"),
        (too_few_cells, "code cells, not 20 to 38"),
        (long_cells, "median code cell has 5 lines"),
        (too_little_prose, "words of prose"),
        (put(VERDICT, outputs=[]), "no cell shows a verdict"),
        (replaced(VERDICT, "{s}", "3"), "whose 'measured' is not computed"),
        (replaced(VERDICT, "s < 1", "holds=False"), "whose 'holds' is not computed"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_fault_is_found(check, damage, complaint):
    notebook = good()
    damage(notebook)
    assert any(complaint in found for found in check(notebook)), check(notebook)


def test_an_exemption_with_a_reason_passes(check):
    notebook = good()
    notebook.cells[3].metadata["tags"] = ["nbval-ignore-output"]
    notebook.cells[3].metadata["annlab"] = {"reason": "timings: seconds differ between machines"}
    assert check(notebook) == []


@pytest.mark.parametrize(
    ("text", "traces"),
    [
        ("see https://doi.org/10.1109/TIT.1982.1056489", []),
        ("1/2, and/or, n / k, 3.14/2, k/tmp, 0x1f, </home>, C: 3 D:4", []),
        ("svg xmlns http://www.w3.org/2000/svg", []),
        ("/tmp/x", ["/tmp/x"]),
        ("(/usr/a)", ["/usr/a"]),
        ("C:\\Users\\ada", ["C:\\Users"]),
        ("http://127.0.0.1:8888/", ["127.0.0.1:8888", "http://127.0.0.1"]),
        ("https://example.org/a", ["https://example.org"]),
    ],
)
def test_traces_of_a_machine_are_found(text, traces):
    assert machine_traces(text) == traces


@pytest.mark.parametrize(
    ("answer", "earlier"),
    [
        ("1.234", "cell 5"),
        ("2.5", "cell 3: about 2.5× as fast"),
        ("graph", "cell 3: the Graph wins."),
        ("234", None),
        ("1.23", None),
        ("2", "cell 3: 2, then 3"),
        ("5", "cell 3: it takes 5."),
    ],
)
def test_predictions_that_are_answered_earlier_are_found(check, answer, earlier):
    notebook = good()
    place, _, text = (earlier or "").partition(": ")
    notebook.cells[2].source += f" {text or 'nothing'}"
    notebook.cells[5].metadata["annlab"] = {"answer": ["the unheard-of", answer]}
    expected = [f"cell 6 asks for {answer!r}, which {place} already shows"] if earlier else []
    assert check(notebook) == expected


def test_the_table_of_verdicts_is_that_of_the_notebooks(check, tmp_path, capsys):
    """The command writes it, and its check notices changes in notebooks."""
    notebook = good()
    assert check(notebook) == []
    command = ["notebooks", "--dir", str(tmp_path)]
    (tmp_path / "other.ipynb").unlink()
    (tmp_path / "other.ipynb").mkdir()  # the target of a link, but no notebook
    assert cli.main([*command, "--no-execute", "07"]) == 0, capsys.readouterr().out
    table = tmp_path / VERDICTS_FILE
    rows = [line for line in table.read_text().splitlines() if line.startswith("| 7 ")]
    assert rows == [
        "| 7 | [07](07_example.ipynb) | It is fast. | It took 3 s. | **does not hold** |"
    ]
    assert "Of 1 claims: 0 × *holds*, 1 × *does not hold*, 0 × *holds in part*." in (
        table.read_text()
    )
    assert cli.main([*command, "--check", "07"]) == 0
    table.write_text(table.read_text().replace("3 s", "2 s"))
    assert cli.main([*command, "--check", "07"]) == 1
    assert "the verdicts are not those" in capsys.readouterr().out


def test_damaged_files_are_refused(check, tmp_path):
    notebook = normalise(good(), "07_example.ipynb")
    del notebook.metadata["kernelspec"]
    assert any("metadata.kernelspec must be" in one for one in check(notebook, as_it_is=True))
    (tmp_path / "01_x.ipynb").write_text('{"cells": [')
    (found,) = findings(tmp_path / "01_x.ipynb")
    assert "not a valid notebook" in found


def test_a_file_that_is_not_normalised_is_refused(check):
    notebook = normalise(good(), "07_example.ipynb")
    notebook.cells[3].metadata["execution"] = {"iopub.execute_input": "2026-01-01"}
    assert check(notebook, as_it_is=True) == ["the file is not normalised: run annlab notebooks"]


# ------------------------------------------------------------------- executing and normalising


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("executed")
    cells = [
        "import ipywidgets, sys, pathlib",
        "print('one')\nprint('two', flush=True)\nprint('three')",
        "ipywidgets.VBox([ipywidgets.HTML('a'), ipywidgets.IntSlider(3)])",
        "print(pathlib.Path(sys.prefix, 'lib'))",
    ]
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in cells],
        metadata={"kernelspec": KERNELSPEC},
    )
    return notebook, execute(notebook, folder)


def test_two_runs_normalise_to_the_same_text(executed, tmp_path):
    notebook, first = executed
    second = execute(first, tmp_path)
    assert dumps(first) != dumps(second), "widget names should differ before normalising"
    once = normalise(first, "x.ipynb")
    assert dumps(normalise(nbformat.reads(dumps(once), 4), "x.ipynb")) == dumps(once)
    assert dumps(normalise(first, "x.ipynb")) == dumps(normalise(second, "x.ipynb"))
    assert notebook.cells[0].execution_count is None, "the input was changed"


def test_states_of_removed_widgets_are_removed(executed, tmp_path):
    stale = copy.deepcopy(executed[1])
    stale.cells = stale.cells[:1]
    assert stale.metadata["widgets"]
    assert "widgets" not in normalise(execute(stale, tmp_path), "x.ipynb").metadata


def test_a_normalised_notebook_keeps_what_matters(executed):
    clean = normalise(executed[1], "x.ipynb")
    view = clean.cells[2].outputs[0].data[WIDGET_VIEW]["model_id"]
    states = clean.metadata["widgets"][WIDGET_STATE]["state"]
    box = states[view]["state"]
    assert len(box["children"]) == 2
    assert all(child.removeprefix("IPY_MODEL_") in states for child in box["children"])
    assert [cell.execution_count for cell in clean.cells] == [1, 2, 3, 4]
    assert clean.cells[1].outputs[0].text == "one\ntwo\nthree\n"
    assert clean.cells[3].outputs[0].text.startswith("<environment>")
    assert dict(clean.metadata.kernelspec) == KERNELSPEC


def test_the_command_executes_normalises_and_checks(tmp_path, capsys):
    path = tmp_path / "00_small.ipynb"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("6 * 7")])
    nbformat.write(notebook, path)
    assert cli.main(["notebooks", "--dir", str(tmp_path), "--check"]) == 1
    assert "was not executed" in capsys.readouterr().out
    assert cli.main(["notebooks", "--dir", str(tmp_path)]) == 0
    assert "in order" in capsys.readouterr().out
    saved = json.loads(path.read_text())
    assert saved["cells"][0]["outputs"][0]["data"]["text/plain"] == ["42"]
    assert cli.main(["notebooks", "--dir", str(tmp_path), "--check", "00"]) == 0


def test_a_notebook_that_fails_stays_as_it_was(tmp_path, capsys):
    path = tmp_path / "00_small.ipynb"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 / 0")])
    nbformat.write(notebook, path)
    before = path.read_bytes()
    assert cli.main(["notebooks", "--dir", str(tmp_path)]) == 1
    assert "ZeroDivisionError" in capsys.readouterr().out
    assert path.read_bytes() == before


def test_an_unknown_name_is_refused(tmp_path, capsys):
    assert cli.main(["notebooks", "--dir", str(tmp_path), "99"]) == 2
    assert "beginning of a notebook's name" in capsys.readouterr().err


def png(size: int, mode: str = "RGB") -> str:
    """A picture in base64, with a text for screen readers in its metadata."""
    values = np.random.RandomState(0).randint(256, size=(size, size, len(mode)), dtype=np.uint8)
    values = np.sort(values, axis=0)
    if mode == "RGBA":
        values[..., 3] = 255
    texts, file = PngInfo(), io.BytesIO()
    texts.add_text("alt", "a gradient")
    Image.fromarray(values).save(file, "PNG", pnginfo=texts)
    return base64.b64encode(file.getvalue()).decode()


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_stored_pictures_get_a_palette(mode):
    before = png(200, mode)
    notebook = nbformat.v4.new_notebook(cells=[code("a", 1, result(1, **{"image/png": before}))])
    slim(notebook)
    after = notebook.cells[0].outputs[0].data["image/png"]
    assert len(after) < 0.7 * len(before)
    old, new = (Image.open(io.BytesIO(base64.b64decode(one))) for one in (before, after))
    assert new.mode == "P" and new.text == {"alt": "a gradient"}
    difference = np.asarray(old.convert("RGB"), float) - np.asarray(new.convert("RGB"), float)
    assert np.abs(difference).mean() < 5
    slim(notebook)
    assert notebook.cells[0].outputs[0].data["image/png"] == after


def test_a_widget_with_a_picture_is_stored_as_the_picture():
    notebook = good()
    view = {WIDGET_VIEW: {"model_id": "b" * 32}, "image/png": png(8), "text/plain": "x"}
    notebook.cells[4].outputs = [nbformat.from_dict(result(3, **view))]
    states = notebook.metadata["widgets"][WIDGET_STATE]["state"]
    states["b" * 32] = {"state": {"layout": f"IPY_MODEL_{'c' * 32}"}}
    states["c" * 32] = {"state": {}}
    assert not is_slim(notebook)
    slim(notebook)
    assert is_slim(notebook)
    assert set(notebook.cells[4].outputs[0].data) == {"image/png", "text/plain"}
    # the widget without a picture keeps its state
    assert set(notebook.metadata["widgets"][WIDGET_STATE]["state"]) == {"a" * 32}
    assert WIDGET_VIEW in notebook.cells[3].outputs[0].data


# -- the smaller rules -----------------------------------------------------------------------------


def test_large_notebooks_are_refused(check, monkeypatch):
    monkeypatch.setattr(checks, "MAX_BYTES", 100)
    (found,) = check(good())
    assert found.endswith("bytes, not at most 100")


def test_a_cell_that_is_not_to_run_has_no_number():
    cells = [code("a", 1), code("b", None, tags=["skip-execution"]), code("c", 2), code("d", 7)]
    cells[1].execution_count = None
    notebook = nbformat.v4.new_notebook(cells=cells)
    found = list(checks._execution(notebook))
    assert len(found) == 1 and "number 7, not 3" in found[0]


def test_a_topic_without_code_is_refused():
    text = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("words")])
    assert list(topics._sizes(text)) == ["there is no code"]


@pytest.mark.parametrize(
    ("source", "imports"),
    [("%time\nimport os", True), ("x = 'import os'", False), ("import os from", False)],
)
def test_imports_are_those_of_code_that_parses(source, imports):
    assert topics._imports(source) is imports


def test_notebooks_of_an_installed_package_are_not_changed(tmp_path, monkeypatch):
    monkeypatch.setattr(places, "PACKAGE", tmp_path / "annlab")
    with pytest.raises(ValueError, match="--dir must be given unless annlab runs from"):
        checkout_folder()
    (tmp_path / "notebooks").mkdir()
    with pytest.raises(ValueError, match="--dir"):
        checkout_folder()
    (tmp_path / "pyproject.toml").write_text("")
    assert checkout_folder() == tmp_path / "notebooks"

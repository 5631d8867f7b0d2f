"""Reading, finding and restoring what students hand in; without nbgrader."""

from __future__ import annotations

import json

import pytest
from courses import marked_cell

from annlab.classroom import _submission
from annlab.classroom._submission import find_notebook, read_notebook, restore

RELEASED = {
    "cells": [
        marked_cell("answer-01-1", "stub 1"),
        marked_cell("test-01-1", "check(1)\ncheck(2)"),
        marked_cell("answer-01-2", "stub 2"),
        marked_cell("test-01-2", "check(3)"),
    ],
    "nbformat": 4,
}


def notebook(*answers):
    """The student copy with some answers; None leaves a stub."""
    cells = json.loads(json.dumps(RELEASED["cells"]))
    for cell, answer in zip(cells[::2], answers, strict=False):
        cell["source"] = cell["source"] if answer is None else answer
    return {"cells": cells, "nbformat": 4}


BLANK, HALF, FULL = notebook(), notebook("x = 1"), notebook("x = 1", "y = 2")
OTHER = {"cells": [marked_cell("answer-02-1", "z = 3")], "nbformat": 4}


def handed_in(folder, files):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = content if isinstance(content, str) else json.dumps(content)
        path.write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("files", "found", "notes"),
    [
        ({"topic_01.ipynb": FULL}, "topic_01.ipynb", []),
        ({"ada.ipynb": FULL}, "ada.ipynb", ["handed in as ada.ipynb"]),
        ({"topic_01.ipynb.txt": FULL}, "topic_01.ipynb.txt", ["handed in as topic_01.ipynb.txt"]),
        ({"deep/er/topic_01.ipynb": FULL}, "deep/er/topic_01.ipynb", []),
        (
            {"topic_01.ipynb": BLANK, "topic_01 (1).ipynb": FULL},
            "topic_01 (1).ipynb",
            [
                "handed in as topic_01 (1).ipynb",
                "topic_01.ipynb has no answers and was not graded",
            ],
        ),
        (
            {"topic_01.ipynb": FULL, "topic_01-Copy1.ipynb": HALF},
            "topic_01.ipynb",
            ["topic_01-Copy1.ipynb has other answers and was not graded"],
        ),
        ({"a.ipynb": FULL, "b.ipynb": FULL}, "a.ipynb", ["handed in as a.ipynb"]),
        ({"topic_01.ipynb": BLANK, "topic_01-Copy1.ipynb": BLANK}, "topic_01.ipynb", []),
        (
            {"topic_01.ipynb": HALF, "old/topic_01.ipynb": FULL},
            "topic_01.ipynb",
            ["old/topic_01.ipynb has other answers and was not graded"],
        ),
        (
            {"topic_01.ipynb": "{ cut off", "topic_01 (1).ipynb": FULL},
            "topic_01 (1).ipynb",
            [
                "handed in as topic_01 (1).ipynb",
                "topic_01.ipynb cannot be read: the file is not a notebook (JSONDecodeError)",
            ],
        ),
        (
            {
                "topic_01.ipynb": FULL,
                "._topic_01.ipynb": "junk",
                "__MACOSX/topic_01.ipynb": "junk",
                ".ipynb_checkpoints/topic_01-checkpoint.ipynb": HALF,
            },
            "topic_01.ipynb",
            [],
        ),
    ],
)
def test_find_notebook_takes_the_one_with_the_answers(tmp_path, files, found, notes):
    path, content, told = find_notebook(handed_in(tmp_path, files), "topic_01", RELEASED)
    assert path.relative_to(tmp_path).as_posix() == found
    assert content["cells"] == files[found]["cells"]
    assert told == notes


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({}, "there is no topic_01.ipynb in the folder"),
        ({"topic_01.zip": "PK"}, "but topic_01.zip: unpack it there"),
        ({f"{x}.txt": x for x in "abcde"}, "but a.txt, b.txt, c.txt and 2 more: ask"),
        ({"topic_01.ipynb": "[1, 2]"}, "the file is not a notebook"),
        ({"a.ipynb": "{}", "b.ipynb": "x"}, "none of the notebooks can be read: a.ipynb, b.ipynb"),
        ({"topic_01.ipynb": OTHER}, "topic_01.ipynb has no answer cell of topic_01"),
        ({"a.ipynb": HALF, "b.ipynb": FULL}, "different answers: which one is meant?"),
    ],
)
def test_find_notebook_lists_the_files_it_found(tmp_path, files, says):
    with pytest.raises(ValueError) as caught:
        find_notebook(handed_in(tmp_path, files), "topic_01", RELEASED)
    assert says in str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_notebook_is_read_in_any_encoding(tmp_path, encoding):
    path = tmp_path / "topic_01.ipynb"
    text = json.dumps(notebook("café = 'é'"), ensure_ascii=False)
    path.write_bytes(text.encode(encoding))
    assert read_notebook(path)["cells"][0]["source"] == "café = 'é'"


def test_windows_line_ends_do_not_count_as_an_edit(tmp_path):
    path = tmp_path / "topic_01.ipynb"
    path.write_text(json.dumps(FULL).replace("\\n", "\\r\\n"), encoding="utf-8", newline="\r\n")
    whole, notes = restore(read_notebook(path), RELEASED)
    assert notes == []
    assert whole["cells"][1]["source"] == "check(1)\ncheck(2)"


def test_read_notebook_refuses_a_large_file(tmp_path, monkeypatch):
    path = tmp_path / "large.ipynb"
    path.write_text(json.dumps({"cells": []}), encoding="utf-8")
    assert read_notebook(path) == {"cells": []}
    monkeypatch.setattr(_submission, "MAX_BYTES", path.stat().st_size - 1)
    with pytest.raises(ValueError, match="the notebook is larger than"):
        read_notebook(path)


def test_restore_removes_marks_of_copies_and_restores_types():
    handed_in = {
        "cells": [
            marked_cell("answer-01-1", "mine", kind="markdown"),
            marked_cell("answer-01-1", "a copy of it"),
            marked_cell("answer-99-1", "of another course"),
            {"cell_type": "heading", "source": "old", "metadata": {}},
            {"cell_type": "markdown", "source": "odd", "metadata": ["no", "dict"]},
            marked_cell("test-01-1", "check(1)\ncheck(2)\n"),
            *RELEASED["cells"][2:],
        ]
    }
    whole, notes = restore(handed_in, RELEASED)
    assert notes == ["the type of cell answer-01-1 was changed back"]
    cells = whole["cells"][:6]
    assert [cell["source"] for cell in cells] == [
        "mine", "a copy of it", "of another course", "old", "odd", "check(1)\ncheck(2)\n",
    ]  # fmt: skip
    assert cells[0]["metadata"] == RELEASED["cells"][0]["metadata"]
    assert [cell["metadata"] for cell in cells[1:5]] == [{}, {}, {}, {}]
    assert [cell["cell_type"] for cell in cells] == [
        "code", "code", "code", "raw", "markdown", "code",
    ]  # fmt: skip
    assert all(("outputs" in cell) == (cell["cell_type"] == "code") for cell in cells)


def test_restore_finds_cells_by_id_without_metadata():
    cells = [
        {"cell_type": "code", "id": id, "source": source, "metadata": {}}
        for id, source in [("answer-01-1", "x = 1"), ("test-01-1", "check(1)\ncheck(2)")]
    ]
    whole, notes = restore({"cells": cells}, RELEASED)
    assert notes == [
        "test cells missing and restored: 01-2",
        "answer cells missing and restored: 01-2",
    ]
    assert whole["cells"][0]["source"] == "x = 1"
    assert _submission.answers_in({"cells": cells}, RELEASED) == {"answer-01-1": "x = 1"}

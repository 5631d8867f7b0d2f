"""Courses to be graded, and what students hand in."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

from annlab.classroom import _source

FOLDER = Path(__file__).resolve().parents[2] / "notebooks" / "exercises"
#: ``ANNLAB_TOPICS="5"`` looks at that topic alone: while it is being written.
ONLY = [int(word) for word in os.environ.get("ANNLAB_TOPICS", "").split()]
SOURCES = {source.number: source for source in _source.sources(FOLDER, ONLY)}


def released(folder, number):
    name = _source.assignment_name(number)
    return json.loads((folder / "release" / name / f"{name}.ipynb").read_text(encoding="utf-8"))


def reference(folder, number):
    texts = _source.answers(SOURCES[number], None)
    return _source.fill_in(released(folder, number), texts)


def hand_in(folder, student, number, notebook, name=None, encoding="utf-8"):
    assignment = _source.assignment_name(number)
    place = folder / "submitted" / student / assignment
    place.mkdir(parents=True, exist_ok=True)
    text = notebook if isinstance(notebook, str) else json.dumps(notebook)
    (place / (name or f"{assignment}.ipynb")).write_bytes(text.encode(encoding))


def read_csv(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def marked_cell(id, source="", kind="code", **mark):
    mark = {"grade_id": id, "points": 2, "grade": id.startswith("test-"), **mark}
    return {"cell_type": kind, "source": source, "metadata": {"nbgrader": mark}}

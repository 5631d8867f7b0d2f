"""Courses to be graded, and what students hand in."""

from __future__ import annotations

import copy
import csv
import json
import os
import re
from pathlib import Path

from annlab.classroom import _source

FOLDER = Path(__file__).resolve().parents[2] / "notebooks" / "exercises"
#: ``ANNLAB_TOPICS="5"`` tests that topic alone, while it is being written.
ONLY = [int(word) for word in os.environ.get("ANNLAB_TOPICS", "").split()]
SOURCES = {source.number: source for source in _source.sources(FOLDER, ONLY)}


def answers(number, variant=None):
    """Answer cells of a topic by exercise: the solutions, or the wrong answers of a variant."""
    chosen = {}
    for part in SOURCES[number].parts:
        text = re.sub(r"^[ \t]*### (BEGIN|END) SOLUTION[ \t]*\n?", "", part.answer, flags=re.M)
        if variant is not None and variant < len(part.wrong):
            text = part.wrong[variant].code
        chosen[part.exercise.id] = text.rstrip("\n")
    return chosen


def fill_in(notebook, texts):
    """Write answers into a student copy, as a student does."""
    done = copy.deepcopy(notebook)
    for cell in done["cells"]:
        id = cell["metadata"].get("nbgrader", {}).get("grade_id", "")
        if id.startswith("answer-"):
            cell["source"] = texts[id.removeprefix("answer-")]
    return done


def released(folder, number):
    name = _source.assignment_name(number)
    return json.loads((folder / "release" / name / f"{name}.ipynb").read_text(encoding="utf-8"))


def reference(folder, number):
    return fill_in(released(folder, number), answers(number))


def hand_in(folder, student, number, notebook, name=None):
    assignment = _source.assignment_name(number)
    place = folder / "submitted" / student / assignment
    place.mkdir(parents=True, exist_ok=True)
    text = notebook if isinstance(notebook, str) else json.dumps(notebook)
    (place / (name or f"{assignment}.ipynb")).write_text(text, encoding="utf-8")


def read_csv(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def marked_cell(id, source="", kind="code", **mark):
    mark = {"grade_id": id, "points": 2, "grade": id.startswith("test-"), **mark}
    return {"cell_type": kind, "source": source, "metadata": {"nbgrader": mark}}

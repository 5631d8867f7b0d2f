"""Collect the verdicts on the slides' claims from the notebooks' outputs."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from annlab._authoring.cells import code_cells
from annlab._support.errors import require
from annlab.widgets._verdict import WORDS

if TYPE_CHECKING:
    from nbformat import NotebookNode

#: Table of all verdicts, written by `verdict_table`.
VERDICTS_FILE = "README.md"
_VERDICT = re.compile(r"\| slide (\d+) says \| we measured \| verdict \|\n\|(?:-+\|)+\n(\|.*\|)")


def verdicts(notebook: NotebookNode) -> list[tuple[int, str]]:
    """Return (slide, row ``| claim | measurement | verdict |``) of each verdict."""
    shown = [
        output.get("data", {}).get("text/markdown", "")
        for _, cell in code_cells(notebook)
        for output in cell.outputs
    ]
    return [(int(m[1]), m[2]) for text in shown for m in _VERDICT.finditer(text)]


def verdict_findings(notebook: NotebookNode) -> Iterator[str]:
    """Yield what is wrong with the verdicts of a notebook."""
    if not verdicts(notebook):
        yield "no cell shows a verdict (widgets.verdict)"
    for number, cell in code_cells(notebook):
        source = cell.source
        if "verdict(" not in source:
            continue
        for call in ast.walk(ast.parse(source)):
            if not (isinstance(call, ast.Call) and ast.unparse(call.func).endswith("verdict")):
                continue
            given = {word.arg: word.value for word in call.keywords}
            given |= dict(zip(("slide", "says", "measured", "holds"), call.args, strict=False))
            for name in ("measured", "holds"):
                # a typed sentence or outcome is an opinion
                if not any(isinstance(part, ast.Name) for part in ast.walk(given[name])):
                    yield f"cell {number} states a verdict whose {name!r} is not computed"


def verdict_table(folder: Path) -> str:
    """Return the text of ``notebooks/README.md`` from the stored outputs."""
    nbformat = require("nbformat", purpose="to read notebooks", extra="test")
    rows = []
    for path in sorted(filter(Path.is_file, folder.glob("*.ipynb"))):
        notebook = nbformat.read(path, as_version=4)
        rows += [
            f"| {slide} | [{path.stem[:2]}]({path.name}) {row}" for slide, row in verdicts(notebook)
        ]
    outcomes = [re.sub(r"\W", " ", row.rsplit("|", 2)[1]).strip() for row in rows]
    counts = ", ".join(f"{outcomes.count(word)} × *{word}*" for word in WORDS.values())
    return "\n".join(
        [
            "# What the deck says, what we measured, verdict",
            "",
            "The course grew out of a deck of fifteen slides. Each notebook takes the claims of "
            "its slide,",
            "runs the slide's own code where there is some, and computes a verdict. This table is "
            "collected",
            "from the outputs of those cells by `annlab notebooks`; to change a row, change the "
            "notebook.",
            "",
            f"Of {len(rows)} claims: {counts}.",
            "",
            "| slide | notebook | the deck says | we measured | verdict |",
            "|---|---|---|---|---|",
            *rows,
            "",
            "Begin with [00_start_here](00_start_here.ipynb).",
            "",
        ]
    )

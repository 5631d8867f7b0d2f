"""Rules for topic notebooks: sections in order, short cells, enough prose."""

from __future__ import annotations

import ast
import re
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from annlab._authoring.badges import INSTALL_TAG, without_badges
from annlab._authoring.cells import code_cells, headings, prose, tags_of

if TYPE_CHECKING:
    from nbformat import NotebookNode

#: Sections of a topic notebook, in this order: what the lint calls one, and how its heading reads.
SECTIONS: tuple[tuple[str, str], ...] = (
    ("vocabulary", r"vocabulary|words"),
    ("the naive version", r"naive|by hand|from scratch"),
    ("predict before you run", r"predict"),
    ("the idea", r"\bidea\b"),
    ("annlab's version", r"annlab"),
    ("the widget", r"step through|explore|play|try it|race|walk"),
    ("the slide, checked", r"slide"),
    ("failure modes", r"fail|breaks|goes wrong"),
    ("exercises", r"exercise"),
    ("your data", r"your (own )?data"),
    ("what we learned", r"learned"),
)
SETUP_LINES = 8
CODE_CELLS = (20, 38)
MEDIAN_LINES = 4
PROSE_WORDS = (900, 2300)
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_LINK_TARGET = re.compile(r"\]\([^)]*\)+")


def is_topic(path: Path) -> bool:
    """Tell whether a notebook is one of the numbered topics.

    Examples
    --------
    >>> from pathlib import Path
    >>> from annlab._authoring.topics import is_topic
    >>> [is_topic(Path(name)) for name in ("00_start_here.ipynb", "03_kmeans_with_ann.ipynb")]
    [False, True]
    """
    return re.match(r"(?!00)\d\d_", path.name) is not None


def topic_findings(notebook: NotebookNode) -> Iterator[str]:
    """Yield what a topic notebook lacks, or has too much of."""
    yield from _order(notebook)
    yield from _sizes(notebook)


def _order(notebook: NotebookNode) -> Iterator[str]:
    first = notebook.cells[0] if notebook.cells else None
    if first is None or first.cell_type != "markdown" or not first.source.startswith("# "):
        yield "the first cell must be the title and the question (a heading of the first level)"
    titles = headings(notebook)
    position = 0
    for name, pattern in SECTIONS:
        places = [n for n, title in enumerate(titles) if re.search(pattern, title, flags=re.I)]
        later = [place for place in places if place >= position]
        if not places:
            yield f"the section {name!r} is missing (no heading with /{pattern}/)"
        elif not later:
            yield f"the section {name!r} ({titles[places[0]]!r}) comes too early"
        else:
            position = later[0] + 1


def _lines(source: str) -> int:
    return sum(bool(line.strip()) for line in source.splitlines())


def _sizes(notebook: NotebookNode) -> Iterator[str]:
    # neither the cell for Colab nor the buttons are the author's: badges.py makes them
    code = [
        (number, cell.source)
        for number, cell in code_cells(notebook)
        if INSTALL_TAG not in tags_of(cell)
    ]
    if not code:
        yield "there is no code"
        return
    if _lines(code[0][1]) > SETUP_LINES:
        yield f"the set-up cell has {_lines(code[0][1])} lines, not at most {SETUP_LINES}"
    for number, source in code[1:]:
        if "your-data" not in tags_of(notebook.cells[number - 1]) and _imports(source):
            yield f"cell {number} imports: the set-up cell is the only place for that"
    if not CODE_CELLS[0] <= len(code) <= CODE_CELLS[1]:
        yield f"there are {len(code)} code cells, not {CODE_CELLS[0]} to {CODE_CELLS[1]}"
    median = statistics.median(_lines(source) for _, source in code)
    if median > MEDIAN_LINES:
        yield f"the median code cell has {median:g} lines, not at most {MEDIAN_LINES}"
    words = sum(
        len(_WORD.findall(_LINK_TARGET.sub("]", without_badges(text))))
        for _, text in prose(notebook)
    )
    if not PROSE_WORDS[0] <= words <= PROSE_WORDS[1]:
        yield f"there are {words} words of prose, not {PROSE_WORDS[0]} to {PROSE_WORDS[1]}"


def _imports(source: str) -> bool:
    code = "\n".join(
        "" if line.lstrip().startswith(("%", "!")) else line for line in source.split("\n")
    )
    try:
        tree = ast.parse(code)
    except SyntaxError:
        # a cell may show code that does not parse; then it is in a string or expected to fail
        return False
    return any(isinstance(node, (ast.Import, ast.ImportFrom)) for node in ast.walk(tree))

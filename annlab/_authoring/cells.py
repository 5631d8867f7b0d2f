"""Read the parts of a notebook: its cells, their text, tags and outputs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbformat import NotebookNode

WIDGET_STATE = "application/vnd.jupyter.widget-state+json"
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
#: Tags that exempt a cell from nbval's comparison, and the accepted reasons.
EXEMPT_TAGS = frozenset({"nbval-ignore-output", "nbval-skip", "skip-execution"})
REASONS = ("timings", "embeddings")


def tags_of(cell: NotebookNode) -> set[str]:
    """Return the tags of a cell."""
    return set(cell.metadata.get("tags", ()))


def reason_of(cell: NotebookNode) -> str:
    """Return the stated reason why a cell is not compared or fails, or ""."""
    return str(cell.metadata.get("annlab", {}).get("reason", ""))


def code_cells(notebook: NotebookNode) -> list[tuple[int, NotebookNode]]:
    """Return (number from 1, cell) of every code cell."""
    return [(n, cell) for n, cell in enumerate(notebook.cells, 1) if cell.cell_type == "code"]


def prose(notebook: NotebookNode) -> list[tuple[int, str]]:
    """Return (number from 1, text) of every Markdown cell."""
    return [
        (n, cell.source) for n, cell in enumerate(notebook.cells, 1) if cell.cell_type == "markdown"
    ]


def text_places(output: NotebookNode) -> Iterator[tuple[Any, Any]]:
    """Yield (container, key) of every readable text of an output."""
    if output.output_type == "stream":
        yield output, "text"
    elif output.output_type == "error":
        for place in range(len(output.traceback)):
            yield output.traceback, place
        yield output, "evalue"
    else:
        for kind in output.data:
            if kind.startswith("text/") or kind == "image/svg+xml":
                yield output.data, kind


def headings(notebook: NotebookNode) -> list[str]:
    """Return the headings of the second level, in order."""
    return [
        match.group(1).strip()
        for _, text in prose(notebook)
        for match in re.finditer(r"^## (.+)$", text, flags=re.M)
    ]

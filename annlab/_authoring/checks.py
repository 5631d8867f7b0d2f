"""Find problems of a saved notebook for readers, GitHub or nbval."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from annlab._authoring.cells import (
    EXEMPT_TAGS,
    REASONS,
    WIDGET_VIEW,
    code_cells,
    prose,
    reason_of,
    tags_of,
    text_places,
)
from annlab._authoring.normalising import KERNELSPEC, dumps, normalise
from annlab._authoring.slimming import is_slim, widget_states
from annlab._authoring.topics import is_topic, topic_findings
from annlab._authoring.verdicts import verdict_findings
from annlab._support.errors import require

if TYPE_CHECKING:
    from nbformat import NotebookNode

ERROR_TAGS = frozenset({"raises-exception", "nbval-raises-exception"})
#: Code hosts do not preview notebooks of more than about 2 MB.
MAX_BYTES = 1_500_000

#: Hosts that a stored output may name: publications, namespaces, links in scikit-learn's displays.
KNOWN_HOSTS = frozenset(
    {"doi.org", "dx.doi.org", "arxiv.org", "www.w3.org", "purl.org", "creativecommons.org"}
    | {"matplotlib.org", "scikit-learn.org"}
)
_HOST = re.compile(r"\b(?:https?|ftp|wss?|file)://([^\s/\"'<>\\:]*)")
_NUMERIC_HOST = re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}:\d+|\blocalhost\b")
_MEMORY = re.compile(r"\b0x[0-9a-fA-F]{6,}")
_PATH = re.compile(
    r"(?<![\w/.:<])/(?:home|root|Users|tmp|var|opt|usr|mnt|srv|work|private|builds?)/[\w.@+-]+"
    r"|\b[A-Za-z]:\\\\?[\w.]+"
)
_LINK = re.compile(r"(?<!\!)\[[^\]]*\]\(([^)\s]+)[^)]*\)|!\[[^\]]*\]\(([^)\s]+)[^)]*\)")
_DECIMAL = re.compile(r"(?<![\w.])\d+\.\d{2,}(?![\w.]*\w)")


def findings(path: Path) -> list[str]:
    """Return the problems of a saved notebook, one sentence each."""
    nbformat = require("nbformat", purpose="to read notebooks", extra="test")
    try:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
    except (ValueError, nbformat.ValidationError) as reason:
        return [f"the file is not a valid notebook: {str(reason).splitlines()[0]}"]
    found = [*_execution(notebook), *_metadata(notebook), *_machine_traces(notebook)]
    found += _exemptions(notebook)
    found += _links(notebook, path)
    found += _typed_numbers(notebook)
    found += _spoilers(notebook)
    if not is_slim(notebook):
        found.append("a widget is stored beside its picture: run annlab notebooks")
    if path.stat().st_size > MAX_BYTES:
        found.append(f"the file has {path.stat().st_size:,} bytes, not at most {MAX_BYTES:,}")
    if is_topic(path):
        found += [*topic_findings(notebook), *verdict_findings(notebook)]
    if dumps(normalise(notebook, path.name)) != path.read_text(encoding="utf-8"):
        found.append("the file is not normalised: run annlab notebooks")
    return found


def exempt_cells(path: Path) -> list[tuple[int, str]]:
    """Return the number and the reason of each cell that nbval does not compare."""
    nbformat = require("nbformat", purpose="to read notebooks", extra="test")
    notebook = nbformat.read(path, as_version=4)
    return [
        (number, reason_of(cell))
        for number, cell in enumerate(notebook.cells, 1)
        if EXEMPT_TAGS & tags_of(cell)
    ]


def _execution(notebook: NotebookNode) -> Iterator[str]:
    expected = 0
    for number, cell in code_cells(notebook):
        if not cell.source.strip():
            yield f"cell {number} is empty"
            continue
        if cell.source.rstrip().endswith(";"):
            # nbval runs cells outside the history, where IPython looks for the semicolon
            yield f"cell {number} ends with a semicolon, which nbval ignores: use plt.show()"
        if "skip-execution" in tags_of(cell):
            continue
        expected += 1
        if cell.execution_count is None:
            # nbval does not compare such a cell
            yield f"cell {number} was not executed"
        elif cell.execution_count != expected:
            yield (
                f"cell {number} was executed as number {cell.execution_count}, not {expected}: "
                "run the notebook from the top"
            )
        for output in cell.outputs:
            if output.output_type == "error" and not ERROR_TAGS & tags_of(cell):
                yield f"cell {number} shows an error: {output.ename}: {output.evalue}"
            if output.output_type == "stream" and output.name == "stderr":
                yield f"cell {number} wrote to stderr: {output.text.strip()[:120]}"


def _metadata(notebook: NotebookNode) -> Iterator[str]:
    if dict(notebook.metadata.get("kernelspec", {})) != KERNELSPEC:
        # otherwise JupyterLab opens a dialog over the page
        yield f"metadata.kernelspec must be {KERNELSPEC}"
    known = widget_states(notebook)
    for number, cell in code_cells(notebook):
        for output in cell.outputs:
            view = output.get("data", {}).get(WIDGET_VIEW)
            if view and view["model_id"] not in known:
                yield f"cell {number} shows a widget whose state is not stored"


def machine_traces(text: str) -> list[str]:
    """Return traces of one machine or run: paths, hosts, memory addresses.

    Examples
    --------
    >>> from annlab._authoring.checks import machine_traces
    >>> machine_traces("read /home/ada/data.csv, <object at 0x7f3a2b1c9d50>; doi.org/10.1/x")
    ['/home/ada', '0x7f3a2b1c9d50']
    """
    found = [match.group() for match in _PATH.finditer(text)]
    found += [match.group() for match in _MEMORY.finditer(text)]
    found += [match.group() for match in _NUMERIC_HOST.finditer(text)]
    found += [match.group() for match in _HOST.finditer(text) if match.group(1) not in KNOWN_HOSTS]
    return found


def _machine_traces(notebook: NotebookNode) -> Iterator[str]:
    for number, cell in code_cells(notebook):
        for output in cell.outputs:
            for holder, key in text_places(output):
                for trace in machine_traces(holder[key]):
                    yield f"cell {number} shows an address or a path of a machine: {trace}"
    states = [model["state"] for model in widget_states(notebook).values()]
    for trace in machine_traces(json.dumps(states)):
        yield f"a widget's state holds an address or a path of a machine: {trace}"


def _exemptions(notebook: NotebookNode) -> Iterator[str]:
    for number, cell in enumerate(notebook.cells, 1):
        tags = tags_of(cell)
        reason = reason_of(cell)
        if "nbval-skip" in tags and "skip-execution" not in tags:
            yield f"cell {number} has the tag nbval-skip without its twin skip-execution"
        if EXEMPT_TAGS & tags and not reason.startswith(tuple(f"{word}: " for word in REASONS)):
            yield (
                f"cell {number} is exempt from comparison: metadata.annlab.reason must begin "
                f"with one of {', '.join(REASONS)} and a colon, and say why; got {reason!r}"
            )
        if ERROR_TAGS & tags and not reason:
            yield f"cell {number} is expected to fail: metadata.annlab.reason must say what for"


def _links(notebook: NotebookNode, path: Path) -> Iterator[str]:
    for number, text in prose(notebook):
        for match in _LINK.finditer(text):
            target = unquote(match.group(1) or match.group(2))
            if re.match(r"[a-z]+:|#|attachment:", target):
                continue
            file = target.split("#")[0]
            if not (path.parent / file).exists():
                yield f"cell {number} links to {target}, which does not exist"


def _typed_numbers(notebook: NotebookNode) -> Iterator[str]:
    printed: set[str] = set()
    for _, cell in code_cells(notebook):
        for output in cell.outputs:
            data = output.get("data", {})
            text = output.get("text", "") + data.get("text/plain", "")
            printed.update(_DECIMAL.findall(text))
    for number, text in prose(notebook):
        words = re.sub(
            r"```.*?```|`[^`]*`|\$[^$]*\$|https?:\S+|10\.\d{4,}/\S+", " ", text, flags=re.S
        )
        for typed in sorted(set(_DECIMAL.findall(words)) & printed):
            yield f"cell {number} has the number {typed} in its prose, which a cell prints"


def _spoilers(notebook: NotebookNode) -> Iterator[str]:
    """Find answers to a prediction that an earlier text or output already shows.

    A cell that asks for a prediction lists the values of its answer, as strings, in
    ``metadata.annlab.answer``.
    """
    earlier: list[tuple[int, str]] = []
    for number, cell in enumerate(notebook.cells, 1):
        for answer in cell.metadata.get("annlab", {}).get("answer", []):
            whole = re.compile(rf"(?<!\w)(?<!\d[.,]){re.escape(answer)}(?!\w|[.,]\d)", flags=re.I)
            for place, text in earlier:
                if whole.search(text):
                    yield f"cell {number} asks for {answer!r}, which cell {place} already shows"
                    break
        shown = [
            holder[key] for output in cell.get("outputs", []) for holder, key in text_places(output)
        ]
        earlier.append((number, "\n".join([cell.source, *shown])))

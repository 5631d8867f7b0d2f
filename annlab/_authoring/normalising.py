"""Remove from a notebook what differs between two runs or two machines."""

from __future__ import annotations

import copy
import hashlib
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from annlab._authoring.cells import WIDGET_STATE, text_places
from annlab._support.errors import require
from annlab._support.places import PACKAGE

if TYPE_CHECKING:
    from nbformat import NotebookNode

#: Metadata of every saved notebook: as JupyterLab writes it, without the version of Python.
KERNELSPEC = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
LANGUAGE = {
    "codemirror_mode": {"name": "ipython", "version": 3},
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "name": "python",
    "nbconvert_exporter": "python",
    "pygments_lexer": "ipython3",
}
_KERNEL_FILE = re.compile(r"\S*ipykernel_\d+[/\\]\d+\.py")


def normalise(notebook: NotebookNode, name: str) -> NotebookNode:
    """Return a copy without what differs between two runs of the same notebook.

    The file's name determines the names of its widgets.
    """
    clean = copy.deepcopy(notebook)
    clean.nbformat, clean.nbformat_minor = 4, 5
    states = clean.metadata.get("widgets")
    clean.metadata = type(clean.metadata)(kernelspec=KERNELSPEC, language_info=LANGUAGE)
    if states:
        clean.metadata["widgets"] = states
    taken: dict[str, int] = {}
    for cell in clean.cells:
        cell["id"] = _cell_id(cell, taken)
        kept = {key: cell.metadata[key] for key in ("annlab", "tags") if cell.metadata.get(key)}
        nbgrader = cell.metadata.get("nbgrader")
        cell["metadata"] = type(cell.metadata)(kept, **({"nbgrader": nbgrader} if nbgrader else {}))
        if cell.cell_type == "code":
            cell["outputs"] = [_normal_output(output) for output in _joined(cell.outputs)]
    return _renamed_widgets(clean, name)


def content_name(cell: NotebookNode) -> str:
    """Return a name for a cell that depends on its content alone."""
    text = f"{cell.cell_type}\n{cell.source}".encode()
    return hashlib.sha256(text).hexdigest()[:12]


def _cell_id(cell: NotebookNode, taken: dict[str, int]) -> str:
    """Return the name of a cell, numbered if several have the same content."""
    identifier = content_name(cell)
    taken[identifier] = taken.get(identifier, 0) + 1
    return identifier if taken[identifier] == 1 else f"{identifier}-{taken[identifier]}"


def _joined(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Join neighbouring outputs of one stream, which kernels split at random."""
    joined: list[NotebookNode] = []
    for output in outputs:
        last = joined[-1] if joined else None
        if last and output.output_type == "stream" == last.output_type and output.name == last.name:
            last["text"] = last.text + output.text
        else:
            joined.append(output)
    return joined


def _normal_output(output: NotebookNode) -> NotebookNode:
    output.pop("transient", None)
    for holder, key in text_places(output):
        holder[key] = _without_machine(holder[key])
    return output


def _without_machine(text: str) -> str:
    text = _KERNEL_FILE.sub("<cell>", text)
    places = {
        str(PACKAGE.parent): "<checkout>",
        sys.prefix: "<environment>",
        sys.base_prefix: "<python>",
        str(Path.home()): "~",
    }
    # the longest first: an environment is often inside the checkout
    for place in sorted(places, key=len, reverse=True):
        if len(place) > 1:
            text = text.replace(place, places[place])
    return text


def _renamed_widgets(notebook: NotebookNode, name: str) -> NotebookNode:
    """Number the widget models, which have random names, in order of creation.

    The new name begins with the number, because the file sorts the names.
    """
    states = notebook.metadata.get("widgets", {}).get(WIDGET_STATE, {}).get("state")
    if not states:
        notebook.metadata.pop("widgets", None)
        return notebook
    tail = hashlib.sha256(name.encode()).hexdigest()[:24]
    names = {old: f"{number:08x}{tail}" for number, old in enumerate(states)}
    nbformat = require("nbformat", purpose="to read notebooks", extra="test")
    # 32 random hexadecimal digits occur nowhere else
    pattern = re.compile("|".join(map(re.escape, names)))
    text = pattern.sub(lambda match: names[match.group()], json.dumps(notebook))
    return nbformat.from_dict(json.loads(text))


def dumps(notebook: NotebookNode) -> str:
    """Return the text of a notebook file, the same on every machine."""
    nbformat = require("nbformat", purpose="to write notebooks", extra="test")
    return str(nbformat.writes(notebook, version=4)).rstrip("\n") + "\n"

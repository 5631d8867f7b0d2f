"""Make a notebook small enough for previews on code hosts: at most 1.5 MB."""

from __future__ import annotations

import base64
import json
import re
from io import BytesIO
from typing import TYPE_CHECKING, Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from annlab._authoring.cells import WIDGET_STATE, WIDGET_VIEW, code_cells

if TYPE_CHECKING:
    from nbformat import NotebookNode


def slim(notebook: NotebookNode) -> None:
    """Shrink stored pictures, and replace each widget by its picture, if any.

    Without a kernel a widget's controls do nothing, and most viewers cannot show it; its state
    would hold the same picture again.
    """
    for _, cell in code_cells(notebook):
        for output in cell.outputs:
            data = output.get("data", {})
            if "image/png" in data:
                data["image/png"] = _fewer_colours(data["image/png"])
                data.pop(WIDGET_VIEW, None)
    states = widget_states(notebook)
    kept = _shown_models(notebook, states)
    notebook.metadata.pop("widgets", None)
    if kept:
        states = {name: state for name, state in states.items() if name in kept}
        content = {"version_major": 2, "version_minor": 0, "state": states}
        notebook.metadata["widgets"] = {WIDGET_STATE: content}


def is_slim(notebook: NotebookNode) -> bool:
    """Return whether no widget is stored beside its picture."""
    return not any(
        {"image/png", WIDGET_VIEW} <= set(output.get("data", ()))
        for _, cell in code_cells(notebook)
        for output in cell.outputs
    )


def _fewer_colours(encoded: str) -> str:
    """Return a base64 PNG reduced to 256 colours, or unchanged if not smaller."""
    png = base64.b64decode(encoded)
    image = Image.open(BytesIO(png))
    is_transparent = image.mode == "RGBA" and image.getchannel("A").getextrema()[0] != 255
    if image.mode not in ("RGB", "RGBA") or is_transparent:
        return encoded
    texts = PngInfo()
    for key, text in image.info.items():
        if isinstance(text, str):
            texts.add_text(str(key), text)
    file = BytesIO()
    reduced = image.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    reduced.save(file, "PNG", optimize=True, pnginfo=texts)
    return base64.b64encode(min(png, file.getvalue(), key=len)).decode("ascii")


def widget_states(notebook: NotebookNode) -> dict[str, Any]:
    """Return the stored states of the widget models, by name."""
    return dict(notebook.metadata.get("widgets", {}).get(WIDGET_STATE, {}).get("state", {}))


def _shown_models(notebook: NotebookNode, states: dict[str, Any]) -> set[str]:
    """Return the names of all models that the shown widgets consist of."""
    links: dict[str, set[str]] = {name: set() for name in states}
    for name, state in states.items():
        for other in re.findall(r"IPY_MODEL_(\w+)", json.dumps(state)):
            if other in links:
                links[name].add(other)
                links[other].add(name)
    waiting = [
        output.data[WIDGET_VIEW]["model_id"]
        for _, cell in code_cells(notebook)
        for output in cell.outputs
        if WIDGET_VIEW in output.get("data", {})
    ]
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in links and name not in found:
            found.add(name)
            waiting += links[name]
    return found

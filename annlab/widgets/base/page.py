"""A self-contained page of frames with a scrubber: it needs no kernel, no network, no library."""

from __future__ import annotations

import base64
import html
import json
import os
from collections.abc import Sequence
from pathlib import Path
from string import Template

_STATIC = Path(__file__).parents[1] / "static"


def write_page(
    path: str | os.PathLike[str],
    *,
    title: str,
    word: str,
    shots: Sequence[tuple[bytes, str]],
    start: int,
    size: tuple[int, int],
    animated: bool = True,
) -> Path:
    """Write frames and their sentences into one HTML file.

    Parameters
    ----------
    path : path-like
    title : str
        Heading of the page.
    word : str
        What a frame is called.
    shots : sequence of (bytes, str)
        PNG and sentence of each frame.
    start : int
        Frame to begin with.
    size : tuple of int
        Width and height of a picture in CSS pixels.
    animated : bool, default=True
        Whether the page has a Run button.

    Returns
    -------
    pathlib.Path
    """
    frames = [
        {"picture": "data:image/png;base64," + base64.b64encode(png).decode("ascii"), "text": text}
        for png, text in shots
    ]
    # "</script>" inside a sentence must not end the script
    data = json.dumps({"frames": frames, "start": start}).replace("<", "\\u003c")
    page = Template((_STATIC / "replay.html").read_text(encoding="utf-8")).substitute(
        title=html.escape(title or "annlab"),
        word=html.escape(word),
        Word=html.escape(word.capitalize()),
        last=len(frames) - 1,
        width=size[0],
        height=size[1],
        hidden="" if animated else "hidden",
        css=(_STATIC / "replay.css").read_text(encoding="utf-8"),
        js=(_STATIC / "replay.js").read_text(encoding="utf-8"),
        data=data,
    )
    target = Path(path)
    target.write_text(page, encoding="utf-8")
    return target

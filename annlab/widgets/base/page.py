"""A self-contained page of frames with a scrubber, without kernel or network."""

from __future__ import annotations

import base64
import html
import json
import os
from collections.abc import Sequence
from pathlib import Path
from string import Template

from annlab.widgets.base.frontend import STATIC


def write_page(
    path: str | os.PathLike[str],
    shots: Sequence[tuple[bytes, str]],
    *,
    title: str,
    word: str,
    start: int,
    size: tuple[int, int],
    animated: bool,
) -> Path:
    """Write frames (PNG and sentence) into one HTML file, and return its path.

    ``word`` is what a frame is called, ``size`` a picture's in CSS pixels; the page has a Run
    button if it is ``animated``.
    """
    frames = [
        {"picture": "data:image/png;base64," + base64.b64encode(png).decode("ascii"), "text": text}
        for png, text in shots
    ]
    # "</script>" inside a sentence must not end the script
    data = json.dumps({"frames": frames, "start": start}).replace("<", "\\u003c")
    page = Template((STATIC / "replay.html").read_text(encoding="utf-8")).substitute(
        title=html.escape(title),
        word=html.escape(word),
        Word=html.escape(word.capitalize()),
        last=len(frames) - 1,
        width=size[0],
        height=size[1],
        hidden="" if animated else "hidden",
        css=(STATIC / "replay.css").read_text(encoding="utf-8"),
        js=(STATIC / "replay.js").read_text(encoding="utf-8"),
        data=data,
    )
    target = Path(path)
    target.write_text(page, encoding="utf-8")
    return target

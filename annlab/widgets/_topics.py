"""The map of progress: fifteen topics, and which of them the reader has ticked on this machine."""

from __future__ import annotations

import html
import json
import os
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ipywidgets

from annlab._support.errors import invalid
from annlab._support.files import atomic_write

_STATIC = Path(__file__).parent / "static"


@dataclass(frozen=True, slots=True)
class Topic:
    """A notebook of the course and the question that it answers."""

    file: str
    title: str
    question: str

    @property
    def number(self) -> int:
        """Number of the topic, 1 to 15, as the slide's."""
        return int(self.file[:2])


TOPICS = tuple(
    Topic(**topic) for topic in json.loads((_STATIC / "topics.json").read_text(encoding="utf-8"))
)


def progress_path() -> Path:
    """File that holds the ticks of this user on this machine.

    ``ANNLAB_PROGRESS`` names another one.
    """
    named = os.environ.get("ANNLAB_PROGRESS")
    if named:
        return Path(named)
    if sys.platform == "win32" and os.environ.get("LOCALAPPDATA"):
        return Path(os.environ["LOCALAPPDATA"]) / "annlab" / "progress.json"
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "annlab" / "progress.json"


def read_progress(path: Path) -> set[int]:
    """Numbers of the ticked topics; a missing or damaged file counts as none."""
    try:
        done = json.loads(path.read_text(encoding="utf-8"))["done"]
        return {number for number in done if number in range(1, len(TOPICS) + 1)}
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def write_progress(path: Path, done: set[int]) -> None:
    """Store the ticks, whole or not at all.

    Raises
    ------
    OSError
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path, text=True) as file:
        file.write(json.dumps({"done": sorted(done)}))


class ProgressMap(ipywidgets.VBox):
    """A row of fifteen fields and a box to tick for each topic.

    The ticks are read when a browser shows the map, not before: a notebook that is saved on one
    machine does not carry somebody's progress to another.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.done: set[int] = set()
        self._lock = threading.RLock()
        self._quiet = False
        style = ipywidgets.HTML(
            f"<style>{(_STATIC / 'explorer.css').read_text(encoding='utf-8')}</style>",
            layout=ipywidgets.Layout(display="none"),
        )
        self._map, self._says = ipywidgets.HTML(), ipywidgets.HTML()
        self.boxes = {
            topic.number: ipywidgets.Checkbox(
                description=f"{topic.number}. {topic.question}",
                tooltip=f"Tick it when you can answer the question of {topic.title}",
                indent=False,
                layout=ipywidgets.Layout(width="100%", max_width="620px"),
            )
            for topic in TOPICS
        }
        super().__init__([style, self._map, self._says, *self.boxes.values()])
        self.add_class("annlab-explorer")
        for box in self.boxes.values():
            box.observe(self._on_tick, "value")
        self._show()
        self._view_count = 0
        self.observe(self._on_view, "_view_count")

    def __repr__(self) -> str:
        # the same for every reader, because saved notebooks compare it
        return "Map of progress: tick a topic when you can answer its question."

    @property
    def sentence(self) -> str:
        """How far the reader is, and what comes next."""
        open_ = [topic for topic in TOPICS if topic.number not in self.done]
        told = f"{len(self.done)} of {len(TOPICS)} topics done"
        if not open_:
            return f"{told}. Well done!"
        return f"{told}; next: {open_[0].number}. {open_[0].title}."

    def tick(self, number: int, done: bool = True) -> ProgressMap:
        """Tick a topic, or take the tick away.

        Parameters
        ----------
        number : int
            From 1 to 15.
        done : bool, default=True

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For a topic that does not exist.
        """
        if number not in self.boxes:
            raise invalid("number", f"an integer from 1 to {len(TOPICS)}", repr(number))
        self.boxes[number].value = done
        return self

    def _on_view(self, change: dict[str, Any]) -> None:
        if change["new"] and not change["old"]:
            with self._lock:
                self._quiet = True
                try:
                    self.done |= read_progress(self.path)
                    for number, box in self.boxes.items():
                        box.value = number in self.done
                finally:
                    self._quiet = False
                self._show()

    def _on_tick(self, change: dict[str, Any]) -> None:
        with self._lock:
            if self._quiet:
                return
            before = read_progress(self.path)
            number = next(n for n, box in self.boxes.items() if box is change["owner"])
            # another notebook may have written meanwhile: change this one tick only
            self.done = (self.done | before) - {number} | ({number} if change["new"] else set())
            trouble = ""
            try:
                write_progress(self.path, self.done)
            except OSError as reason:
                trouble = f" It could not be stored ({reason.strerror or reason})."
            self._show(trouble)

    def _show(self, trouble: str = "") -> None:
        fields = "".join(
            '<span class="annlab-field{}" title="{}">{}</span>'.format(
                " annlab-done" if topic.number in self.done else "",
                html.escape(topic.title),
                f"{topic.number}&nbsp;✓" if topic.number in self.done else topic.number,
            )
            for topic in TOPICS
        )
        self._map.value = f'<div class="annlab-map" aria-hidden="true">{fields}</div>'
        self._says.value = (
            '<div class="annlab-verdict" role="status">'
            f"{html.escape(self.sentence + trouble)}</div>"
        )


def progress_map() -> ProgressMap:
    """Show which of the fifteen topics are done, on this machine and for this user.

    Returns
    -------
    ProgressMap
        Display it as the last expression of a cell. Ticks are stored in the user's data folder;
        where that cannot be written, they last as long as the kernel.

    Examples
    --------
    >>> from annlab import widgets
    >>> widgets.progress_map()
    Map of progress: tick a topic when you can answer its question.
    """
    return ProgressMap(progress_path())

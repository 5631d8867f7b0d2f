"""``progress_map``: the course's topics, with the completed ones ticked."""

from __future__ import annotations

import html
import json
import os
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import ipywidgets

from annlab._support.errors import invalid
from annlab._support.files import atomic_write

_STATIC = Path(__file__).parent / "static"


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic of the course: its notebook and its question."""

    file: str
    title: str
    question: str

    @property
    def number(self) -> int:
        """Number of the topic and of its slide, 1 to 15."""
        return int(self.file[:2])


TOPICS = tuple(
    Topic(**topic) for topic in json.loads((_STATIC / "topics.json").read_text(encoding="utf-8"))
)


def progress_path() -> Path:
    """Return the file of this user's ticks, or ``ANNLAB_PROGRESS`` if set."""
    named = os.environ.get("ANNLAB_PROGRESS")
    if named:
        return Path(named)
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    if sys.platform == "win32":
        data = os.environ.get("LOCALAPPDATA") or data
    return Path(data) / "annlab" / "progress.json"


def _read(path: Path) -> set[int]:
    """Return the ticked topics; a missing or damaged file counts as none."""
    try:
        done = json.loads(path.read_text(encoding="utf-8"))["done"]
        return {number for number in done if number in range(1, len(TOPICS) + 1)}
    except (OSError, ValueError, KeyError, TypeError):
        return set()


class ProgressMap(ipywidgets.VBox):
    """A map of the topics with a check box for each.

    The ticks are read when a browser shows the map: a saved notebook must not carry them to
    another machine.
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
        # the same for every reader, because it is compared in saved notebooks
        return "Map of progress: tick a topic when you can answer its question."

    @property
    def sentence(self) -> str:
        """Say how many topics are done, and which is next."""
        open_ = [topic for topic in TOPICS if topic.number not in self.done]
        told = f"{len(self.done)} of {len(TOPICS)} topics done"
        if not open_:
            return f"{told}. Well done!"
        return f"{told}; next: {open_[0].number}. {open_[0].title}."

    def tick(self, number: int, done: bool = True) -> Self:
        """Tick or untick the topic ``number``, from 1 to 15."""
        if number not in self.boxes:
            raise invalid("number", f"an integer from 1 to {len(TOPICS)}", repr(number))
        self.boxes[number].value = done
        return self

    def _on_view(self, change: dict[str, Any]) -> None:
        if change["new"] and not change["old"]:
            with self._lock:
                self.done |= _read(self.path)
                self._quiet = True
                for number, box in self.boxes.items():
                    box.value = number in self.done
                self._quiet = False
                self._show()

    def _on_tick(self, change: dict[str, Any]) -> None:
        with self._lock:
            if self._quiet:
                return
            number = next(n for n, box in self.boxes.items() if box is change["owner"])
            # with the ticks that another notebook has stored meanwhile
            self.done = (self.done | _read(self.path)) - {number}
            self.done |= {number} if change["new"] else set()
            trouble = ""
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                with atomic_write(self.path, text=True) as file:
                    file.write(json.dumps({"done": sorted(self.done)}))
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
    """Show which of the fifteen topics this user has completed.

    Returns
    -------
    ProgressMap
        Display it as the last expression of a cell. Ticks are stored in the user's data folder;
        if that is not possible, they last as long as the kernel.

    Examples
    --------
    >>> from annlab import widgets
    >>> widgets.progress_map()
    Map of progress: tick a topic when you can answer its question.
    """
    return ProgressMap(progress_path())

"""Printable A4 pages, one per topic: picture, formula, code, misconception."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annlab import classroom
from annlab.classroom._base import Picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Inches; A4 upright.
_A4 = (8.27, 11.69)
_LEFT, _WIDTH = 0.09, 0.82
#: Share of the page that the picture may be high.
_PICTURE = 0.31
_INK, _QUIET, _RULE = "#1a1a1a", "#555555", "#0072B2"


def wrapped(figure: Figure, text: str, size: float, width: float, **font: Any) -> str:
    """Break a text into lines no wider than ``width``, a share of the figure.

    Measured with the renderer of the figure's Agg canvas, because letters differ in width.
    """
    from matplotlib.text import Text

    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    limit = width * figure.bbox.width

    def wide(line: str) -> float:
        probe = Text(0, 0, line, fontsize=size, figure=figure, **font)
        return float(probe.get_window_extent(renderer).width)

    lines, line = [], ""
    for word in text.split():
        longer = f"{line} {word}".strip()
        if line and wide(longer) > limit:
            lines.append(line)
            line = word
        else:
            line = longer
    return "\n".join([*lines, line])


def draw_picture(picture: Picture) -> Any:
    """Return an explorer in the state that a sheet shows, as an array of pixels."""
    from PIL import Image

    from annlab import widgets
    from annlab.datasets import make_blobs

    points = [make_blobs(**picture.points, dtype=float).X] if picture.points else []
    explorer = getattr(widgets, picture.explorer)(*points, **picture.given).set(**picture.settings)
    try:
        return Image.open(io.BytesIO(explorer.png(picture.frame % explorer.n_frames)))
    finally:
        explorer.close()


class _Page:
    """An empty page, filled from top to bottom."""

    def __init__(self) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        self.figure = Figure(figsize=_A4, dpi=100, facecolor="white")
        self.renderer = FigureCanvasAgg(self.figure).get_renderer()

    def write(self, text: str, top: float, size: float, *, wrap: bool = True, **font: Any) -> float:
        """Write a text whose upper edge is at ``top``; return its lower edge."""
        from matplotlib.text import Text

        if wrap:
            plain = {key: font[key] for key in ("weight", "style") if key in font}
            text = wrapped(self.figure, text, size, _WIDTH, **plain)
        look = {"color": _INK, "va": "top", "linespacing": 1.35, "fontsize": size, **font}
        artist = Text(_LEFT, top, text, transform=self.figure.transFigure, **look)
        self.figure.add_artist(artist)
        height = artist.get_window_extent(self.renderer).height
        return float(top - height / self.figure.bbox.height)

    def show(self, picture: Any, top: float) -> float:
        """Show a picture whose upper edge is at ``top``; return its lower edge."""
        axes = self.figure.add_axes((0.07, top - _PICTURE, 0.86, _PICTURE), anchor="N")
        axes.imshow(picture, interpolation="none")
        axes.set_axis_off()
        axes.apply_aspect()
        return float(axes.get_position().y0)

    def box(self, top: float, bottom: float, face: str, edge: str) -> None:
        """Draw a box behind the texts."""
        from matplotlib.patches import FancyBboxPatch

        self.figure.add_artist(
            FancyBboxPatch(
                (_LEFT - 0.012, bottom),
                _WIDTH + 0.024,
                top - bottom,
                boxstyle="round,pad=0,rounding_size=0.008",
                facecolor=face,
                edgecolor=edge,
                linewidth=0.8,
                transform=self.figure.transFigure,
                zorder=-1,
                mutation_aspect=_A4[0] / _A4[1],
            )
        )


def make_page(number: int) -> Figure:
    """Make the sheet of a topic.

    Raises
    ------
    ValueError
        If its texts are too long for the page.
    """
    from annlab.widgets._topics import TOPICS

    sheet, place = classroom.topic(number).SHEET, TOPICS[number - 1]
    page, gap = _Page(), 0.16 / _A4[1]
    y = page.write(f"{number}. {place.title}", 0.955, 21, weight="bold")
    y = page.write(place.question, y - 0.5 * gap, 13, color=_QUIET)
    y = page.show(draw_picture(sheet.picture), y - gap)
    y = page.write(sheet.caption, y - 0.6 * gap, 10, color=_QUIET, style="italic")

    y = page.write("In one formula", y - 1.6 * gap, 13, weight="bold", color=_RULE)
    # limits of sums exceed the box that Matplotlib reports, hence the wide gaps
    y = page.write(sheet.formula, y - 1.9 * gap, 17, wrap=False)
    y = page.write(sheet.reading, y - 1.6 * gap, 11.5)

    y = page.write("In five lines", y - 1.6 * gap, 13, weight="bold", color=_RULE)
    top = y - 0.7 * gap
    longest = max(len(line) for line in sheet.code.split("\n"))
    size = min(10.5, 0.98 * _WIDTH * _A4[0] * 72 / (0.602 * longest))
    y = page.write(sheet.code, top - 0.7 * gap, size, wrap=False, family="monospace")
    page.box(top, y - 0.7 * gap, "#f4f4f4", "#c8c8c8")

    y = page.write("Do not believe", y - 2.3 * gap, 13, weight="bold", color="#D55E00")
    top = y - 0.7 * gap
    y = page.write(f"✗  {sheet.misconception}", top - 0.7 * gap, 12, weight="bold")
    y = page.write(f"✓  {sheet.truth}", y - 0.6 * gap, 12)
    page.box(top, y - 0.7 * gap, "#fdf3ec", "#e0b090")
    exercises = ", ".join(one.id for one in classroom.exercises(number))
    page.write(f"annlab, topic {number} of 15 · exercises {exercises}", 0.045, 9, color=_QUIET)
    if y < 0.06:
        raise ValueError(f"the sheet of topic {number} is too long: shorten its texts")
    return page.figure


@contextmanager
def _fonts_in_silence() -> Iterator[None]:
    """Silence fontTools' warnings about dates in Matplotlib's fonts."""
    logger = logging.getLogger("fontTools.ttLib.tables._h_e_a_d")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def write_sheets(folder: Path, topics: Sequence[int] = ()) -> list[Path]:
    """Write the sheets of topics (default: all) as PDF files; return their paths."""
    import matplotlib

    numbers = topics or classroom.topics()
    for number in numbers:
        classroom.topic(number)
    folder = Path(folder).expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    # a reader's own settings do not decide how a sheet looks; letters stay letters in the PDF
    settings = matplotlib.rc_context({**matplotlib.rcParamsDefault, "pdf.fonttype": 42})
    with settings, _fonts_in_silence():
        for number in numbers:
            path = folder / f"{number:02d}_sheet.pdf"
            # without a date, the same sheet is the same file
            meta = {"Title": f"annlab, topic {number}", "CreationDate": None, "Producer": None}
            make_page(number).savefig(path, format="pdf", metadata=meta)
            written.append(path)
    return written

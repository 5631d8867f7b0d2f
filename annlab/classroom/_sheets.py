"""One printable A4 page for each topic: picture, formula, five lines of code, one misconception."""

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
    """Break a text into lines that are no wider than ``width``, a share of the figure.

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


def make_page(number: int) -> Figure:
    """Make the sheet of a topic.

    Raises
    ------
    ValueError
        If its texts are too long for the page.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import FancyBboxPatch
    from matplotlib.text import Text

    from annlab.widgets._topics import TOPICS

    figure = Figure(figsize=_A4, dpi=100, facecolor="white")
    renderer = FigureCanvasAgg(figure).get_renderer()
    sheet, place = classroom.topic(number).SHEET, TOPICS[number - 1]
    gap = 0.16 / _A4[1]

    def write(text: str, top: float, size: float, *, wrap: bool = True, **font: Any) -> float:
        """Write a text whose upper edge is at ``top``; return its lower edge."""
        if wrap:
            plain = {key: font[key] for key in ("weight", "style") if key in font}
            text = wrapped(figure, text, size, _WIDTH, **plain)
        look = {"color": _INK, "va": "top", "linespacing": 1.35, "fontsize": size, **font}
        artist = Text(_LEFT, top, text, transform=figure.transFigure, **look)
        figure.add_artist(artist)
        return top - artist.get_window_extent(renderer).height / figure.bbox.height

    def box(top: float, bottom: float, face: str, edge: str) -> None:
        figure.add_artist(
            FancyBboxPatch(
                (_LEFT - 0.012, bottom),
                _WIDTH + 0.024,
                top - bottom,
                boxstyle="round,pad=0,rounding_size=0.008",
                facecolor=face,
                edgecolor=edge,
                linewidth=0.8,
                transform=figure.transFigure,
                zorder=-1,
                mutation_aspect=_A4[0] / _A4[1],
            )
        )

    y = write(f"{number}. {place.title}", 0.955, 21, weight="bold")
    y = write(place.question, y - 0.5 * gap, 13, color=_QUIET) - gap
    axes = figure.add_axes((0.07, y - _PICTURE, 0.86, _PICTURE), anchor="N")
    axes.imshow(draw_picture(sheet.picture), interpolation="none")
    axes.set_axis_off()
    axes.apply_aspect()
    y = write(sheet.caption, axes.get_position().y0 - 0.6 * gap, 10, color=_QUIET, style="italic")

    y = write("In one formula", y - 1.6 * gap, 13, weight="bold", color=_RULE)
    # limits of sums reach out of the box that Matplotlib reports, hence the wide gaps
    y = write(sheet.formula, y - 1.9 * gap, 17, wrap=False)
    y = write(sheet.reading, y - 1.6 * gap, 11.5)

    y = write("In five lines", y - 1.6 * gap, 13, weight="bold", color=_RULE)
    top = y - 0.7 * gap
    longest = max(len(line) for line in sheet.code.split("\n"))
    size = min(10.5, 0.98 * _WIDTH * _A4[0] * 72 / (0.602 * longest))
    bottom = write(sheet.code, top - 0.7 * gap, size, wrap=False, family="monospace")
    box(top, bottom - 0.7 * gap, "#f4f4f4", "#c8c8c8")

    y = write("Do not believe", bottom - 2.3 * gap, 13, weight="bold", color="#D55E00")
    top = y - 0.7 * gap
    y = write(f"✗  {sheet.misconception}", top - 0.7 * gap, 12, weight="bold")
    y = write(f"✓  {sheet.truth}", y - 0.6 * gap, 12)
    box(top, y - 0.7 * gap, "#fdf3ec", "#e0b090")
    exercises = ", ".join(one.id for one in classroom.exercises(number))
    write(f"annlab, topic {number} of 15 · exercises {exercises}", 0.045, 9, color=_QUIET)
    if y < 0.06:
        raise ValueError(f"the sheet of topic {number} is too long: shorten its texts")
    return figure


@contextmanager
def _fonts_in_silence() -> Iterator[None]:
    """Ignore what fontTools says about the dates inside Matplotlib's own fonts."""
    logger = logging.getLogger("fontTools.ttLib.tables._h_e_a_d")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def write_sheets(folder: Path, topics: Sequence[int] = ()) -> list[Path]:
    """Write the sheets as PDF, one file for each topic, and return their paths.

    Parameters
    ----------
    folder : Path
        Created if missing; files of the same name are replaced.
    topics : sequence of int, default=()
        All topics, by default.

    Raises
    ------
    ValueError
        If a topic has no exercises.
    """
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

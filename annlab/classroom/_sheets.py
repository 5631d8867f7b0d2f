"""One printable A4 page for each topic: picture, formula, five lines of code, one misconception."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from annlab import classroom

#: Inches; A4 upright.
_A4 = (8.27, 11.69)
_LEFT, _WIDTH = 0.09, 0.82
_INK, _QUIET, _RULE = "#1a1a1a", "#555555", "#0072B2"


def wrapped(figure: Any, text: str, size: float, width: float, **font: Any) -> str:
    """Break a text into lines that are no wider than ``width``.

    Measured with the renderer, because letters differ in width.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        With an Agg canvas.
    text : str
    size : float
        Of the letters, in points.
    width : float
        Share of the figure.
    **font
        Such as ``weight="bold"``.

    Returns
    -------
    str
    """
    from matplotlib.text import Text

    renderer = figure.canvas.get_renderer()
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


def draw_page(figure: Any, number: int) -> None:
    """Draw the sheet of a topic on an empty A4 figure.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        With an Agg or PDF canvas.
    number : int
        Topic.
    """
    from matplotlib.patches import FancyBboxPatch
    from matplotlib.text import Text

    from annlab.widgets._topics import TOPICS

    sheet, place = classroom.topic(number).SHEET, TOPICS[number - 1]
    inch = figure.bbox.height / _A4[1]

    def write(text: str, top: float, size: float, *, width: float = _WIDTH, **font: Any) -> float:
        """Write a wrapped text whose upper edge is at ``top``; return its lower edge."""
        left = font.pop("left", _LEFT)
        plain = {key: value for key, value in font.items() if key in ("family", "weight", "style")}
        if font.pop("wrap", True):
            text = wrapped(figure, text, size, width, **plain)
        artist = Text(
            left,
            top,
            text,
            fontsize=size,
            va="top",
            transform=figure.transFigure,
            linespacing=1.35,
            **{"color": _INK, **font},
        )
        artist.set_figure(figure)
        figure.add_artist(artist)
        box = artist.get_window_extent(figure.canvas.get_renderer())
        return top - box.height / figure.bbox.height

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

    gap = 0.16 * inch / figure.bbox.height
    y = write(f"{number}. {place.title}", 0.955, 21, weight="bold")
    y = write(place.question, y - 0.5 * gap, 13, color=_QUIET)
    # the picture gets what the other parts leave
    picture_top = y - gap
    height = 9.5 / 2.54 / _A4[1]
    # a subfigure fills a cell of a grid over the whole page
    rows = (1 - picture_top, height, picture_top - height)
    grid = figure.add_gridspec(3, 3, height_ratios=rows, width_ratios=(0.07, 0.86, 0.07))
    sheet.draw(figure.add_subfigure(grid[1, 1], facecolor="none"))
    y = write(sheet.caption, picture_top - height - 0.6 * gap, 10, color=_QUIET, style="italic")

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


def make_page(number: int) -> Any:
    """Make the sheet of a topic as a figure.

    Parameters
    ----------
    number : int

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=_A4, dpi=100, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    draw_page(figure, number)
    return figure


@contextmanager
def _fonts_in_silence() -> Iterator[None]:
    """Keep back what fontTools says of the dates inside the fonts that Matplotlib brings."""
    logger = logging.getLogger("fontTools.ttLib.tables._h_e_a_d")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def write_sheets(folder: Path, topics: Sequence[int] = ()) -> list[Path]:
    """Write the sheets as PDF, one file for each topic.

    Parameters
    ----------
    folder : Path
        Made if it is not there; files of the same name are replaced.
    topics : sequence of int, default=()
        All topics, by default.

    Returns
    -------
    list of Path

    Raises
    ------
    ValueError
        For a topic without exercises.
    """
    import matplotlib

    pages = [(number, classroom.topic(number)) for number in (topics or classroom.topics())]
    folder = Path(folder).expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    # a reader's own settings do not decide how a sheet looks; letters stay letters in the PDF
    settings = matplotlib.rc_context({**matplotlib.rcParamsDefault, "pdf.fonttype": 42})
    with settings, _fonts_in_silence():
        for number, _ in pages:
            path = folder / f"{number:02d}_sheet.pdf"
            # without a date, so that the same sheet is the same file
            meta = {"Title": f"annlab, topic {number}", "CreationDate": None, "Producer": None}
            make_page(number).savefig(path, format="pdf", metadata=meta)
            written.append(path)
    return written

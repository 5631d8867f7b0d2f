"""The picture of `annlab.widgets.visual_words_explorer`: mosaic, photograph, patches of a word."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from annlab.applications import RebuiltImage
from annlab.widgets._words_learn import MEMBERS, grid_columns
from annlab.widgets.base import ALARM, INK, PAPER, three
from annlab.widgets.base.marks import MEDIUM, write

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Boxes of the picture in CSS pixels: left, top, width, height.
SIZE = (840, 446)
_MOSAIC = (8, 34, 400, 400)
_PHOTO = (424, 34, 408, 290)
_STRIP = (424, 366, 408, 68)


def grid(n_words: int) -> tuple[int, float]:
    """Columns of the mosaic, and the side of a word in CSS pixels."""
    columns = grid_columns(n_words)
    return columns, _MOSAIC[2] / columns


def _cell(
    box: tuple[float, ...], spot: tuple[float, float], height: float, width: float
) -> tuple[int, int]:
    """Row and column of a spot (y, x) in a grid that begins in a corner of a box."""
    return int((spot[0] - box[1]) // height), int((spot[1] - box[0]) // width)


def _fitted(shape: tuple[int, ...]) -> tuple[float, float, float, float]:
    """Box of a photograph of these proportions (rows, columns) within its place."""
    left, top, width, height = _PHOTO
    scale = min(width / shape[1], height / shape[0])
    return left, top, shape[1] * scale, shape[0] * scale


def place_at(x: float, y: float, order: np.ndarray, codes: np.ndarray) -> int | None:
    """Place in the mosaic of the word that lies at a spot of the picture."""
    columns, cell = grid(len(order))
    row, column = _cell(_MOSAIC, (y, x), cell, cell)
    if 0 <= column < columns and row >= 0 and row * columns + column < len(order):
        return int(row * columns + column)
    box = _fitted(codes.shape)
    row, column = _cell(box, (y, x), box[3] / codes.shape[0], box[2] / codes.shape[1])
    if 0 <= row < codes.shape[0] and 0 <= column < codes.shape[1]:
        return int(np.flatnonzero(order == codes[row, column])[0])
    return None


@cache
def _tiled_image() -> type:
    """Class of images that are enlarged by repeating pixels, without matplotlib's resampling."""
    from matplotlib.image import AxesImage

    class TiledImage(AxesImage):
        def make_image(
            self, renderer: Any, magnification: float = 1.0, unsampled: bool = False
        ) -> tuple[np.ndarray, float, float, Any]:
            left, right, bottom, top = self.get_extent()
            corners = self.axes.transData.transform([(left, bottom), (right, top)])
            (x, y), (end, ceiling) = np.rint(corners).astype(int)
            pixels = np.asarray(self.get_array())
            rows = (np.arange(ceiling - y) + 0.5) / (ceiling - y) * len(pixels)
            columns = (np.arange(end - x) + 0.5) / (end - x) * pixels.shape[1]
            enlarged = pixels[rows.astype(int)[::-1, None], columns.astype(int)]
            opaque = np.full((*enlarged.shape[:2], 1), 255, dtype=np.uint8)
            return np.concatenate([enlarged, opaque], axis=2), float(x), float(y), None

    return TiledImage


def _put(axes: Axes, pixels: np.ndarray, box: tuple[float, ...], title: str = "") -> None:
    """Put a picture of bytes into a box of CSS pixels, and its title above it."""
    left, top, width, height = box
    image = _tiled_image()(axes, extent=(left, left + width, top + height, top))
    image.set_data(pixels)
    axes.add_image(image)
    if title:
        write(axes, left, top - 6, title, "left bottom", size=MEDIUM, color=INK)


def _ring(axes: Axes, left: float, top: float, width: float, height: float) -> None:
    """Frame a tile so that it is found on dark and on light ground."""
    from matplotlib.patches import Rectangle

    for color, line in ((INK, 4.5), (PAPER, 3.0), (ALARM, 1.6)):
        axes.add_patch(
            Rectangle(
                (left, top), width, height, fill=False, edgecolor=color, linewidth=line,
                clip_on=False, zorder=3,
            )
        )  # fmt: skip


def draw_mosaic(axes: Axes, words: np.ndarray, place: int, order: str) -> None:
    n_words, side = words.shape[:2]
    columns, cell = grid(n_words)
    rows = -(-n_words // columns)
    # thousands of words would be mostly gaps
    gap = 1 if columns <= 32 else 0
    sheet = np.full((rows * (side + gap), columns * (side + gap), 3), 255, dtype=np.uint8)
    tiles = sheet.reshape(rows, side + gap, columns, side + gap, 3).swapaxes(1, 2)
    row, column = np.divmod(np.arange(n_words), columns)
    tiles[row, column, :side, :side] = _bytes(words)
    how = {
        "frequency": "most frequent first",
        "hue": "greys, then by hue",
        "likeness": "like beside like",
    }
    box = (*_MOSAIC[:2], columns * cell, rows * cell)
    _put(axes, sheet, box, f"{n_words:,} words, {how[order]}")
    top, left = _MOSAIC[1] + place // columns * cell, _MOSAIC[0] + place % columns * cell
    drawn = cell * side / (side + gap)
    _ring(axes, left, top, drawn, drawn)


def draw_photo(
    axes: Axes,
    photo: np.ndarray,
    rebuilt: RebuiltImage,
    chosen: int,
    view: str,
    name: str,
) -> None:
    height, width = rebuilt.image.shape[:2]
    original = photo[:height, :width]
    title = f"{name}, rebuilt: PSNR {three(rebuilt.psnr_db)} dB"
    shown: np.ndarray = rebuilt.image
    if view == "where the word is":
        here = rebuilt.codes == chosen
        shown = _highlighted(original, here)
        title = f"{name}: in {int(here.sum()):,} of {here.size:,} tiles"
    elif view == "what is lost":
        error = np.sqrt(((rebuilt.image.astype(np.float32) - original) ** 2).mean(axis=2))
        shown = _bytes(1 - error / 64)[..., None].repeat(3, axis=2)
        title = f"{name}: error, dark where large"
    _put(axes, shown, _fitted(rebuilt.codes.shape), title)


def _highlighted(photo: np.ndarray, here: np.ndarray) -> np.ndarray:
    """The photograph paled, but for the tiles of a word, each in a frame."""
    side = photo.shape[0] // here.shape[0]
    shown = (photo.astype(np.float32) * 0.35 + 255 * 0.65).astype(np.uint8)
    if here.all():
        return photo
    tiles = shown.reshape(here.shape[0], side, here.shape[1], side, 3).swapaxes(1, 2)
    source = photo.reshape(here.shape[0], side, here.shape[1], side, 3).swapaxes(1, 2)
    kept = source[here]
    if side > 3:
        frame = np.ones((side, side), dtype=bool)
        frame[1:-1, 1:-1] = False
        kept = kept.copy()
        kept[:, frame] = [int(ALARM[i : i + 2], 16) for i in (1, 3, 5)]
    tiles[here] = kept
    return shown


def draw_strip(axes: Axes, word: np.ndarray, members: np.ndarray, place: int, count: int) -> None:
    left, top, width, height = _STRIP
    # short, for the lecture hall as well
    told = "its only patch" if count == 1 else f"{len(members)} of its {count:,} patches"
    _put(axes, _bytes(word), (left, top, height, height), f"word {place:,}: {told}")
    _ring(axes, left, top, height, height)
    # two rows of six beside the word, as one picture
    columns, enlarged = MEMBERS // 2, -(-96 // word.shape[0])
    side = word.shape[0] * enlarged
    gap = side // 16
    sheet = np.full((2, side + gap, columns, side + gap, 3), 255, dtype=np.uint8)
    for number_, member in enumerate(members):
        row, column = divmod(number_, columns)
        sheet[row, :side, column, :side] = member.repeat(enlarged, 0).repeat(enlarged, 1)
    step = min((width - height - 16) / columns, height / 2)
    box = (left + height + 16, top, columns * step, 2 * step)
    _put(axes, sheet.reshape(2 * (side + gap), columns * (side + gap), 3), box)


def _bytes(pixels: np.ndarray) -> np.ndarray:
    """Numbers from 0 to 1 as bytes, which are drawn faster."""
    return np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8)

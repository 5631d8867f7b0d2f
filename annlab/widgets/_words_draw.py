"""Picture of `visual_words_explorer`: mosaic, photograph, patches of a word."""

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
    from matplotlib.backend_bases import RendererBase

#: Boxes of the picture in CSS pixels: left, top, width, height.
SIZE = (840, 446)
_MOSAIC = (8, 34, 400, 400)
_PHOTO = (424, 34, 408, 290)
_STRIP = (424, 366, 408, 68)


def grid(n_words: int) -> tuple[int, float]:
    """Return the columns of the mosaic, and the side of a word in CSS pixels."""
    columns = grid_columns(n_words)
    return columns, _MOSAIC[2] / columns


def _fitted(shape: tuple[int, ...]) -> tuple[float, float, float, float]:
    """Return the box of a photograph of shape (rows, columns) within a place."""
    left, top, width, height = _PHOTO
    scale = min(width / shape[1], height / shape[0])
    return left, top, shape[1] * scale, shape[0] * scale


def place_at(x: float, y: float, order: np.ndarray, codes: np.ndarray) -> int | None:
    """Return the place in the mosaic of the word at a point, or None."""
    columns, cell = grid(len(order))
    row, column = (y - _MOSAIC[1]) // cell, (x - _MOSAIC[0]) // cell
    if row >= 0 and 0 <= column < columns and row * columns + column < len(order):
        return int(row * columns + column)
    left, top, width, height = _fitted(codes.shape)
    row, column = (y - top) // (height / len(codes)), (x - left) // (width / codes.shape[1])
    if 0 <= row < codes.shape[0] and 0 <= column < codes.shape[1]:
        return int(np.flatnonzero(order == codes[int(row), int(column)])[0])
    return None


@cache
def _tiled_image() -> type:
    """Make an image class that repeats pixels, which beats resampling in speed."""
    from matplotlib.image import AxesImage

    class TiledImage(AxesImage):
        def make_image(
            self, renderer: RendererBase, magnification: float = 1.0, unsampled: bool = False
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
    """Draw a uint8 picture in a box of CSS pixels, with its title above."""
    left, top, width, height = box
    image = _tiled_image()(axes, extent=(left, left + width, top + height, top))
    image.set_data(pixels)
    axes.add_image(image)
    if title:
        write(axes, left, top - 6, title, "left bottom", size=MEDIUM, color=INK)


def _ring(axes: Axes, left: float, top: float, width: float, height: float) -> None:
    """Frame a tile in colours visible on dark and light backgrounds."""
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
    row, column = np.divmod(np.arange(n_words), columns)
    _tiles(sheet, side + gap)[row, column, :side, :side] = _bytes(words)
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
    axes: Axes, photo: np.ndarray, rebuilt: RebuiltImage, chosen: int, view: str, name: str
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
    """Pale a photograph, except for the tiles of a word, and frame these."""
    if here.all():
        return photo
    side = len(photo) // len(here)
    shown = (photo.astype(np.float32) * 0.35 + 255 * 0.65).astype(np.uint8)
    tiles, kept = _tiles(shown, side), _tiles(photo, side)[here]
    if side > 3:
        frame = np.ones((side, side), dtype=bool)
        frame[1:-1, 1:-1] = False
        kept[:, frame] = [int(ALARM[i : i + 2], 16) for i in (1, 3, 5)]
    tiles[here] = kept
    return shown


def _tiles(pixels: np.ndarray, side: int) -> np.ndarray:
    """View a picture as tiles, by row and column."""
    rows, columns = pixels.shape[0] // side, pixels.shape[1] // side
    return pixels.reshape(rows, side, columns, side, 3).swapaxes(1, 2)


def draw_strip(axes: Axes, word: np.ndarray, members: np.ndarray, place: int, count: int) -> None:
    left, top, width, height = _STRIP
    # short enough for the letters of `projector`
    told = "its only patch" if count == 1 else f"{len(members)} of its {count:,} patches"
    _put(axes, _bytes(word), (left, top, height, height), f"word {place:,}: {told}")
    _ring(axes, left, top, height, height)
    # two rows of six beside the word, as one picture
    columns, enlarged = MEMBERS // 2, -(-96 // word.shape[0])
    side = word.shape[0] * enlarged
    gap = side // 16
    sheet = np.full((2 * (side + gap), columns * (side + gap), 3), 255, dtype=np.uint8)
    row, column = np.divmod(np.arange(len(members)), columns)
    large = members.repeat(enlarged, axis=1).repeat(enlarged, axis=2)
    _tiles(sheet, side + gap)[row, column, :side, :side] = large
    step = min((width - height - 16) / columns, height / 2)
    box = (left + height + 16, top, columns * step, 2 * step)
    _put(axes, sheet, box)


def _bytes(pixels: np.ndarray) -> np.ndarray:
    """Turn numbers from 0 to 1 into bytes, which are drawn faster."""
    return np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8)

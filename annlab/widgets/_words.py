"""Visual words: patches of photographs clustered, the words shown, and photographs written in them.

The picture can be clicked: on a word of the mosaic, or on a place of the photograph.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import ipywidgets
import numpy as np
import traitlets

from annlab._support.checks import check_choice, check_integer, check_random_state
from annlab._support.errors import invalid
from annlab.applications import RebuiltImage, VisualWords, load_image
from annlab.datasets import load_patches, load_photos, load_sample_image
from annlab.distances import paired_sq
from annlab.lloyd import kmeans_ann
from annlab.widgets.base import (
    ALARM,
    INK,
    PAPER,
    Explorer,
    Job,
    Prediction,
    choice,
    ladder,
    number,
    three,
)
from annlab.widgets.base.canvas import canvas_class

_KS = (16, 64, 256, 1024, 4096)
_PATCHES = (5_000, 20_000, 100_000)
_SIZES = (4, 8, 12)
_ALGORITHMS = {"auto": "auto", "graph": "graph", "exact": "brute"}
_ORDERS = ("frequency", "hue", "likeness")
_VIEWS = ("where the word is", "rebuilt", "what is lost")
#: Iterations at most: comparing all with all is given fewer, because each takes so long.
_ITERATIONS = {"auto": 30, "graph": 30, "exact": 10}
#: Patches of a word that are shown, from the nearest to the farthest.
_MEMBERS = 12
#: Pixels of a photograph that are kept, rows and columns thinned.
_MOST = 700_000
#: Below this saturation a colour has no hue worth sorting by.
_GREY = 0.15

#: Boxes of the picture in CSS pixels: left, top, width, height.
_SIZE = (840, 446)
_MOSAIC = (8, 34, 400, 400)
_PHOTO = (424, 34, 408, 290)
_STRIP = (424, 366, 408, 68)

_QUESTION = "By how many dB is the unseen photograph rebuilt worse than the average of the others?"


@dataclass(frozen=True)
class Learned:
    """What the explorer shows.

    Attributes
    ----------
    vocabulary : VisualWords
    rebuilt : dict of str to RebuiltImage
    orders : dict of str to ndarray of shape (k,)
        Words by place in the mosaic.
    members : ndarray of shape (k, 12, 3·size·size), uint8
        Patches of each word, from the nearest to the farthest; the last ones repeat where a word
        has fewer.
    n : int
        Patches that were learned from.
    """

    vocabulary: VisualWords
    rebuilt: dict[str, RebuiltImage]
    orders: dict[str, np.ndarray]
    members: np.ndarray
    n: int


@cache
def _picture() -> type:
    return canvas_class(
        "picture",
        picture=traitlets.Bytes(),
        alt=traitlets.Unicode(""),
        point=traitlets.List([0.0, 0.0, 0]),
    )


class VisualWordsExplorer(Explorer):
    """The explorer that `visual_words_explorer` makes."""

    name = "visual_words_explorer"
    title = "Visual words: thousands of patches, and the photographs that they write"
    slow = True
    size = _SIZE

    # set here, because the base presents while it is being made
    _looked_at = False

    def __init__(
        self,
        photos: Any,
        n_words: int,
        *,
        unseen: Any,
        n_patches: int,
        patch_size: int,
        algorithm: str,
        predict: Any,
        random_state: Any,
    ) -> None:
        check_integer(n_words, "n_words", maximum=_KS[-1])
        check_integer(n_patches, "n_patches", maximum=_PATCHES[-1])
        check_integer(patch_size, "patch_size", minimum=2, maximum=16)
        check_choice(algorithm, "algorithm", tuple(_ALGORITHMS))
        self.seen, self.unseen = _collected(photos, unseen)
        self.photos = self.seen | self.unseen
        self.sizes = sorted({*_SIZES, int(patch_size)})
        shortest = min(min(photo.shape[:2]) for photo in self.photos.values())
        if shortest < self.sizes[-1]:
            raise invalid(
                "photos",
                f"of at least {self.sizes[-1]} pixels on the shorter side",
                f"{shortest} pixels",
                "Pass a larger picture.",
            )
        self.seed = int(check_random_state(random_state).randint(2**31 - 1))
        if isinstance(predict, str):
            check_choice(predict, "predict", ("unseen",))
            if not self.unseen:
                raise invalid("predict", "None where no photograph is left unseen", repr(predict))
            predict = Prediction(_QUESTION, truth=self._gap, unit="dB")
        # what the photographs have room for, at the largest patches
        most = self._positions(self.sizes[-1])
        patches = sorted({*(n for n in _PATCHES if n < most), min(int(n_patches), most)})
        if len(patches) == 1:
            patches = sorted({max(2, most // 2), *patches})
        words = sorted({*(k for k in _KS if 4 * k <= patches[-1]), int(n_words)})
        if int(n_words) > patches[0]:
            raise invalid("n_words", f"at most {patches[0]:,}, the fewest patches", n_words)
        super().__init__(
            [
                choice(
                    "patches",
                    "Learn from",
                    "How many patches are cut out of the photographs and clustered",
                    [(f"{n:,} patches", n) for n in patches],
                    min(int(n_patches), most),
                    buttons=True,
                ),
                choice(
                    "algorithm",
                    "Algorithm",
                    "auto decides by cost; graph compares neighbouring words only; exact compares "
                    "all, and stops after the iteration that runs",
                    tuple(_ALGORITHMS),
                    algorithm,
                    buttons=True,
                ),
                ladder(
                    "k",
                    "Words k",
                    "Number of clusters: each centroid is a word",
                    [(f"{k:,}", k) for k in words],
                    int(n_words),
                ),
                choice(
                    "side",
                    "Side",
                    "Width and height of a patch in pixels",
                    [(f"{size} pixels", size) for size in self.sizes],
                    int(patch_size),
                ),
                choice(
                    "order",
                    "Sort by",
                    "Most frequent first, by colour, or like beside like",
                    _ORDERS,
                    _ORDERS[0],
                    recompute=False,
                ),
                choice(
                    "photo",
                    "Photo",
                    "Which photograph is written in words",
                    tuple(self.photos),
                    next(iter(self.photos)),
                    recompute=False,
                ),
                choice(
                    "view",
                    "Show",
                    "Where the word is used, the photograph rebuilt from words, or the error",
                    _VIEWS,
                    _VIEWS[0],
                    recompute=False,
                ),
                number(
                    "word",
                    "Word",
                    "Its place in the mosaic; or click a word, or a spot of the photograph. "
                    "A number beyond the last word stands for the last",
                    1,
                    words[-1],
                    1,
                    recompute=False,
                ),
            ],
            predict=predict,
        )
        self._opening = self.result
        self.stage.observe(self._on_point, "point")

    # -- the stage ---------------------------------------------------------------------------------

    def make_stage(self) -> Any:
        return _picture()(
            description="picture",
            tooltip="Click a word of the mosaic, or a spot of the photograph, to see its word",
        )

    def _widget_rows(self) -> dict[str, list[Any]]:
        rows = super()._widget_rows()
        # its place is kept while it is empty, or the page would jump
        self._clock = ipywidgets.HTML(layout=ipywidgets.Layout(width="150px"))
        rows["foot"].insert(1, self._clock)
        return rows

    def present(self, result: Learned, frame: int, **values: Any) -> None:
        """Bring picture, its text, and the time of the fit up to date."""
        if self._looked_at:
            picture = self._png(result, frame, values)
            with self.stage.hold_sync():
                self.stage.alt = self.sentence(result, frame, **values)
                self.stage.picture = picture
        # the opening picture tells no time, so that a saved notebook is the same each time
        timed = result is not getattr(self, "_opening", result)
        seconds = result.vocabulary.result.elapsed_s
        self._clock.value = f"<div>fitted in {three(seconds)} s</div>" if timed else ""

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        self._look_at()
        return super()._repr_mimebundle_(**kwargs)

    def _on_views(self, change: Any) -> None:
        super()._on_views(change)
        if change["new"]:
            self._look_at()

    def _look_at(self) -> None:
        """Draw from now on: an explorer that only gives a snapshot stores no second picture."""
        with self._lock:
            if not self._looked_at:
                self._looked_at = True
                self.present(self.result, self._frame, **self._values)

    def _on_point(self, change: Any) -> None:
        with self._lock:
            x, y = (float(share) for share in change["new"][:2])
            place = self._place_at(x * _SIZE[0], y * _SIZE[1])
            if place is not None:
                self.controls["word"].value = place + 1

    def _place_at(self, x: float, y: float) -> int | None:
        """Place in the mosaic of the word that lies at a spot of the picture."""
        values, learned = self._values, self.result
        order = learned.orders[values["order"]]
        columns, cell = _grid(len(order))
        row, column = _cell(_MOSAIC, (y, x), cell, cell)
        if 0 <= column < columns and row >= 0 and row * columns + column < len(order):
            return int(row * columns + column)
        codes = learned.rebuilt[values["photo"]].codes
        left, top, width, height = _fitted(codes.shape)
        row, column = _cell(
            (left, top, width, height), (y, x), height / codes.shape[0], width / codes.shape[1]
        )
        if 0 <= row < codes.shape[0] and 0 <= column < codes.shape[1]:
            return int(np.flatnonzero(order == codes[row, column])[0])
        return None

    # -- learning ----------------------------------------------------------------------------------

    def _positions(self, size: int) -> int:
        shapes = (photo.shape for photo in self.seen.values())
        return sum((h - size + 1) * (w - size + 1) for h, w, _ in shapes)

    def compute(self, job: Job, *, patches: int, algorithm: str, k: int, side: int) -> Learned:
        # above the first percent, or the text of the job before would stay
        job.report(0.02, 1, "cutting patches")
        X = load_patches(patches, side, photos=self.seen, random_state=self.seed)
        iterations = _ITERATIONS[algorithm]
        # the last tenth of the bar is for the photographs
        fit = kmeans_ann(
            X,
            _room(X, k),
            iterations,
            algorithm=_ALGORITHMS[algorithm],
            # choosing thousands of starts by their distances takes longer than the rest
            init="random" if algorithm == "exact" else "k-means++",
            random_state=self.seed,
            callback=job.callback(iterations + iterations // 10 + 1),
        )
        job.report(0.9, 1, "writing photos")
        vocabulary = VisualWords.from_fit(fit, side)
        rebuilt = {}
        for name, photo in self.photos.items():
            rebuilt[name] = vocabulary.rebuild(photo)
            job.report(0.95, 1, "writing photos")
        return Learned(vocabulary, rebuilt, _orders(vocabulary), _members(X, vocabulary), len(X))

    def _gap(self, learned: Learned) -> float:
        """Decibels between the photographs that gave patches and the one that gave none."""
        seen = np.mean([learned.rebuilt[name].psnr_db for name in self.seen])
        return round(float(seen - np.mean([learned.rebuilt[n].psnr_db for n in self.unseen])), 1)

    # -- words and picture -------------------------------------------------------------------------

    def sentence(
        self,
        result: Learned,
        frame: int,
        *,
        patches: int,
        algorithm: str,
        k: int,
        side: int,
        order: str,
        photo: str,
        view: str,
        word: int,
    ) -> str:
        vocabulary, rebuilt = result.vocabulary, result.rebuilt[photo]
        n_words, fit = len(vocabulary.words), vocabulary.result
        place = min(word, n_words)
        index = result.orders[order][place - 1]
        recall = fit.recall_estimate
        quality = "" if recall is None or recall >= 1 else f", about {recall:.1%} of labels exact"
        tiles = int((rebuilt.codes == index).sum())
        return (
            f"{n_words:,} words of {side} × {side} pixels from {result.n:,} patches write {photo} "
            f"with PSNR about {rebuilt.psnr_db:.0f} dB; {rebuilt.code_bytes:,} bytes of codes, "
            f"{rebuilt.book_bytes:,} of words, {rebuilt.original_bytes:,} before. "
            f"Word {place:,} (by {order}) stands for {int(vocabulary.counts[index]):,} patches "
            f"and {tiles:,} of {rebuilt.codes.size:,} tiles. Shown: {view}; "
            f"asked for {algorithm}: {fit.algorithm}, {fit.n_iter} iterations, "
            f"inertia {three(fit.inertia / result.n)} a patch{quality}."
        )

    def draw(
        self,
        figure: Any,
        result: Learned,
        frame: int,
        *,
        patches: int,
        algorithm: str,
        k: int,
        side: int,
        order: str,
        photo: str,
        view: str,
        word: int,
    ) -> None:
        # the boxes are fixed, because clicks are looked up in them; and one pair of axes in CSS
        # pixels is drawn faster than one for each box
        figure.set_layout_engine("none")
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, _SIZE[0]), ylim=(_SIZE[1], 0), autoscale_on=False)
        axes.set_axis_off()
        words = result.vocabulary.words.reshape(-1, side, side, 3)
        place = min(word, len(words))
        chosen = result.orders[order][place - 1]
        _draw_mosaic(axes, words[result.orders[order]], place - 1, order)
        rebuilt = result.rebuilt[photo]
        _draw_photo(axes, self.photos[photo], rebuilt, int(chosen), view, photo)
        members = result.members[chosen].reshape(-1, side, side, 3)
        count = int(result.vocabulary.counts[chosen])
        _draw_strip(axes, words[chosen], members[: min(count, _MEMBERS)], place, count)


def _room(X: np.ndarray, k: int) -> int:
    """k, or the number of distinct rows where that is less: a drawing has many equal patches."""
    spread = X @ np.linspace(1, 2, X.shape[1], dtype=np.float32)
    # rounded, these are at most as many as the distinct rows, and mostly more than enough
    if len(np.unique(spread.round(3))) >= k:
        return k
    return min(k, len(np.unique(np.rint(X * 255).astype(np.uint8), axis=0)))


def _grid(n_words: int) -> tuple[int, float]:
    """Columns of the mosaic, and the side of a word in CSS pixels."""
    columns = int(np.ceil(np.sqrt(n_words)))
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


def _put(axes: Any, pixels: np.ndarray, box: tuple[float, ...], title: str = "") -> None:
    """Put a picture of bytes into a box of CSS pixels, and its title above it."""
    left, top, width, height = box
    image = _tiled_image()(axes, extent=(left, left + width, top + height, top))
    image.set_data(pixels)
    axes.add_image(image)
    if title:
        axes.text(left, top - 6, title, fontsize=12, color=INK, ha="left", va="bottom")


def _ring(axes: Any, left: float, top: float, width: float, height: float) -> None:
    """Frame a tile so that it is found on dark and on light ground."""
    from matplotlib.patches import Rectangle

    for color, line in ((INK, 4.5), (PAPER, 3.0), (ALARM, 1.6)):
        axes.add_patch(
            Rectangle(
                (left, top), width, height, fill=False, edgecolor=color, linewidth=line,
                clip_on=False, zorder=3,
            )
        )  # fmt: skip


def _draw_mosaic(axes: Any, words: np.ndarray, place: int, order: str) -> None:
    n_words, side = words.shape[:2]
    columns, cell = _grid(n_words)
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


def _draw_photo(
    axes: Any,
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


def _draw_strip(axes: Any, word: np.ndarray, members: np.ndarray, place: int, count: int) -> None:
    left, top, width, height = _STRIP
    # short, for the lecture hall as well
    told = "its only patch" if count == 1 else f"{len(members)} of its {count:,} patches"
    _put(axes, _bytes(word), (left, top, height, height), f"word {place:,}: {told}")
    _ring(axes, left, top, height, height)
    # two rows of six beside the word, as one picture
    columns, enlarged = _MEMBERS // 2, -(-96 // word.shape[0])
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


def _orders(vocabulary: VisualWords) -> dict[str, np.ndarray]:
    """Words by place in the mosaic, for each way to sort them."""
    from matplotlib.colors import rgb_to_hsv

    words = vocabulary.words
    means = np.clip(words.reshape(len(words), -1, 3).mean(axis=1), 0, 1)
    hue, saturation, brightness = rgb_to_hsv(means).T
    # greys first, dark to light; then bands of hue, dark to light in each
    band = np.where(saturation < _GREY, -1, np.floor(hue * 24))
    # the two directions in which words differ most: rows along one, columns along the other
    centred = words.astype(np.float64) - words.mean(axis=0)
    _, vectors = np.linalg.eigh(centred.T @ centred)
    first, second = vectors[:, -1], vectors[:, -2]
    along = centred @ (first * np.sign(first.sum() or 1))
    across = centred @ (second * np.sign(second[np.abs(second).argmax()]))
    columns, _ = _grid(len(words))
    row = np.empty(len(words), dtype=np.int64)
    row[np.argsort(-along, kind="stable")] = np.arange(len(words)) // columns
    return {
        "frequency": np.argsort(-vocabulary.counts, kind="stable"),
        "hue": np.lexsort((brightness, band)),
        "likeness": np.lexsort((across, row)),
    }


def _members(X: np.ndarray, vocabulary: VisualWords) -> np.ndarray:
    """Patches of each word, evenly from the nearest to the farthest."""
    labels = vocabulary.result.labels
    by_word = np.lexsort((paired_sq(X, vocabulary.words, labels), labels))
    starts = np.concatenate([[0], np.cumsum(vocabulary.counts)[:-1]])
    last = np.maximum(vocabulary.counts - 1, 0)
    shares = np.arange(_MEMBERS) / (_MEMBERS - 1)
    spread = np.rint(last[:, None] * shares).astype(np.int64)
    # of few patches each is shown once
    few = np.minimum(np.arange(_MEMBERS), last[:, None])
    places = np.where(vocabulary.counts[:, None] > _MEMBERS, spread, few) + starts[:, None]
    chosen = X[by_word[np.minimum(places, len(X) - 1)]]
    return np.rint(chosen * 255).astype(np.uint8)


def _collected(photos: Any, unseen: Any) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Photographs that give patches, and those that only are rebuilt."""
    if photos is None:
        photos = load_photos()
        unseen = {"coffee (not seen)": load_sample_image()} if unseen is None else unseen
    if not isinstance(photos, Mapping):
        photos = {"your picture": photos}
    if not photos:
        raise invalid("photos", "at least one picture", "none")
    unseen = {} if unseen is None else unseen
    if not isinstance(unseen, Mapping):
        unseen = {"not seen": unseen}
    if set(photos) & set(unseen):
        raise invalid("unseen", "named otherwise than photos", sorted(set(photos) & set(unseen)))
    seen, rest = (
        {str(name): _thinned(load_image(image)) for name, image in some.items()}
        for some in (photos, unseen)
    )
    return seen, rest


def _thinned(pixels: np.ndarray) -> np.ndarray:
    step = max(1, int(np.ceil(np.sqrt(pixels.shape[0] * pixels.shape[1] / _MOST))))
    return np.ascontiguousarray(pixels[::step, ::step])


def visual_words_explorer(
    photos: Any = None,
    n_words: int = 256,
    *,
    unseen: Any = None,
    n_patches: int = 5_000,
    patch_size: int = 8,
    algorithm: str = "auto",
    predict: Any = None,
    random_state: Any = 0,
) -> VisualWordsExplorer:
    """Cluster patches of photographs into visual words, and see what the words can write.

    On the left all words as a mosaic; on the right a photograph, with the tiles that the chosen
    word stands for, or rebuilt from words; below it the word among its patches. Click a word, or
    a spot of the photograph. The sentence names PSNR, bytes, and how the fit went.

    Parameters
    ----------
    photos : image, or mapping of name to image, optional
        As in `annlab.applications.load_image`; they give the patches. By default the two
        photographs that scikit-learn brings along. Of each at most 700,000 pixels are kept.
    n_words : int, default=256
        At most 4,096.
    unseen : image, or mapping of name to image, optional
        Photographs that give no patches and are only written in words; a cup of coffee where
        ``photos`` is left out.
    n_patches : int, default=5,000
        At most 100,000, and what the photographs have room for.
    patch_size : int, default=8
        From 2 to 16 pixels.
    algorithm : {"auto", "graph", "exact"}, default="auto"
        "exact" compares every patch with every word, for at most 10 iterations from random
        patches; the others are those of `annlab.kmeans_ann`.
    predict : "unseen" or Prediction, optional
        Ask how much worse an unseen photograph fares; "Compare" shows the truth.
    random_state : None, int, RandomState or Generator, default=0

    Returns
    -------
    Explorer
        Display it as the last expression of a cell.

    Raises
    ------
    TypeError, ValueError

    Notes
    -----
    100,000 patches to 4,096 words take about a second with "auto" on two cores, and many times
    that with "exact", which shows its progress and can be stopped. O(n·d) memory for a fit.

    Examples
    --------
    >>> from annlab import widgets
    >>> from annlab.datasets import load_photo
    >>> explorer = widgets.visual_words_explorer(load_photo("china")[::4, ::4], 16, n_patches=500)
    >>> explorer.set(k=64).result.vocabulary
    VisualWords: 64 words of 8 x 8 pixels, from 500 patches
    """
    return VisualWordsExplorer(
        photos,
        n_words,
        unseen=unseen,
        n_patches=n_patches,
        patch_size=patch_size,
        algorithm=algorithm,
        predict=predict,
        random_state=random_state,
    )


def example() -> VisualWordsExplorer:
    """Make a small one, for the tests that run over all explorers."""
    photos = {name: photo[::8, ::8] for name, photo in load_photos().items()}
    return visual_words_explorer(
        photos, 64, unseen={"coffee": load_sample_image()[::8, ::8]}, n_patches=800,
        predict="unseen",
    )  # fmt: skip

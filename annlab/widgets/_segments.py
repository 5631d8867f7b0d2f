"""Segments of a picture: photograph, k, colour space and place, down to palette, PSNR and bytes."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import ipywidgets
import numpy as np

from annlab._support.checks import check_choice, check_integer, check_random_state
from annlab._support.errors import invalid
from annlab._support.types import Seed
from annlab.applications import SegmentationResult, load_image, segment_image
from annlab.widgets.base import (
    INK,
    Control,
    Explorer,
    Job,
    Predict,
    Prediction,
    ask,
    choice,
    cluster_color,
    ladder,
    slider,
    switch,
    three,
)
from annlab.widgets.base.rows import pictures, thinned

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Pixels that are clustered while "every pixel" is off, and at most.
_QUICK, _MOST = 80_000, 4_000_000
_ITERATIONS = 40
_KS = (2, 3, 4, 5, 6, 8, 12, 16, 24, 32, 64, 128, 256)
#: What is on the menu when no picture is given: name -> how the photograph is called.
_PHOTOS = ("retina", "china", "flower", "astronaut", "chelsea")
_VIEWS = ("own colours", "map colours", "what is lost")

_QUESTION = "How many decibels more would twice as many segments bring?"


class _Menu(Control):
    """A drop-down list of pictures that grows when the reader uploads one."""

    def __init__(self, pictures: dict[str, np.ndarray], value: str) -> None:
        self.pictures = pictures
        widget = ipywidgets.Dropdown(
            options=list(pictures),
            value=value,
            description="Picture",
            tooltip="Which picture is divided; Upload adds one of your own",
            style={"description_width": "initial"},
            layout=ipywidgets.Layout(width="240px"),
        )
        super().__init__("picture", widget, decode=self._known, trials=tuple(pictures))

    def _known(self, name: str) -> str:
        return check_choice(name, "picture", tuple(self.pictures))

    def add(self, name: str, pixels: np.ndarray) -> None:
        self.pictures[name] = pixels
        kept = self.widget.value
        self.widget.options = list(self.pictures)
        self.widget.value = kept


class SegmentationExplorer(Explorer):
    """The explorer that `segmentation_explorer` makes."""

    name = "segmentation_explorer"
    title = "Segments of a picture: clusters of its pixels"
    slow = True
    size = (840, 470)

    def __init__(
        self,
        image: object,
        n_clusters: int,
        *,
        color_space: str,
        position_weight: float,
        predict: Predict,
        random_state: Seed,
    ) -> None:
        check_integer(n_clusters, "n_clusters", maximum=256)
        check_choice(color_space, "color_space", ("rgb", "lab"))
        if not 0 <= position_weight <= 2:
            raise invalid("position_weight", "from 0 to 2", position_weight)
        self.pictures = _collected(image)
        self.seed = int(check_random_state(random_state).randint(2**31 - 1))
        asked = ask(predict, {"doubling": self._question})
        self.menu = _Menu(self.pictures, next(iter(self.pictures)))
        self.upload = ipywidgets.FileUpload(
            accept="image/*",
            multiple=False,
            description="Upload",
            tooltip="Choose an image file of your own; it stays on this machine",
            layout=ipywidgets.Layout(width="110px"),
        )
        how = _dividing(int(n_clusters), color_space, float(position_weight))
        super().__init__([self.menu, *how], predict=asked)
        self.upload.observe(self._on_upload, "value")

    def _widget_rows(self) -> dict[str, list[Any]]:
        rows = super()._widget_rows()
        # beside the list that it adds to
        rows["controls"].insert(1, self.upload)
        return rows

    def _on_upload(self, change: dict[str, Any]) -> None:
        if not change["new"]:
            return
        file = change["new"][0]
        data = bytes(file["content"])
        try:
            pixels = thinned(load_image(data), _MOST)
        except (ValueError, TypeError) as reason:
            self._say_note(str(reason))
            return
        # the same name may come twice with other content
        name = f"{file['name'][:24]} ({hashlib.sha256(data).hexdigest()[:4]})"
        with self._lock:
            with self._unheard():
                self.menu.add(name, pixels)
            self.menu.value = name

    def _pixels(self, picture: str, whole: bool) -> np.ndarray:
        pixels = self.pictures[picture]
        return pixels if whole else thinned(pixels, _QUICK)

    def compute(
        self,
        job: Job,
        *,
        k: int,
        space: str,
        place: float,
        whole: bool,
        picture: str,
    ) -> SegmentationResult:
        job.report(0, 1, "reading the colours")
        pixels = self._pixels(picture, whole)
        # a drawing may have fewer colours than segments are asked for; a fit would warn
        packed = pixels.reshape(-1, 3).astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
        return segment_image(
            pixels,
            min(k, len(np.unique(packed)) if place == 0 else len(packed)),
            color_space=space,
            position_weight=place,
            max_iter=_ITERATIONS,
            random_state=self.seed,
            callback=job.callback(_ITERATIONS),
        )

    def _question(self) -> Prediction:
        return Prediction(_QUESTION, truth=self._gain, unit="dB")

    def _gain(self, result: SegmentationResult) -> float:
        """Decibels that twice as many segments bring, all else the same."""
        asked = {name: self.values[name] for name in ("space", "place", "whole", "picture")}
        twice = self.compute(Job(), k=2 * self.values["k"], **asked)
        return round(twice.psnr_db - result.psnr_db, 1)

    def sentence(
        self,
        result: SegmentationResult,
        frame: int,
        *,
        space: str,
        place: float,
        view: str,
        whole: bool,
        picture: str,
        **values: Any,
    ) -> str:
        height, width = result.labels.shape
        ratio = result.original_bytes / result.compressed_bytes
        return (
            f"{len(result.palette)} segments in {space}, position weight {three(place)}: "
            f"PSNR about {_decibels(result)} dB, {result.compressed_bytes:,} bytes, "
            f"{three(ratio)} times fewer; "
            f"{'every pixel' if whole else f'at most {_QUICK:,} pixels'} of {picture} "
            f"({width:,} × {height:,}), "
            f"{result.result.n_iter} iterations with {result.result.algorithm}, shown: {view}."
        )

    def draw(
        self,
        figure: Figure,
        result: SegmentationResult,
        frame: int,
        *,
        view: str,
        whole: bool,
        picture: str,
        **values: Any,
    ) -> None:
        pixels = self._pixels(picture, whole)
        grid = figure.add_gridspec(2, 2, height_ratios=[12, 1.6])
        left, right = (figure.add_subplot(grid[0, side]) for side in (0, 1))
        names = {
            "own colours": f"{len(result.palette)} segments, PSNR {three(result.psnr_db)} dB",
            "map colours": f"{len(result.palette)} segments, loud colours",
            "what is lost": "error, dark where it is large",
        }
        # what no screen can show need not be drawn: 400 CSS pixels a panel, twice as sharp
        step = max(1, max(pixels.shape[:2]) // 800)
        left.imshow(pixels[::step, ::step], interpolation="nearest")
        left.set_title(f"original, {pixels.shape[1]:,} × {pixels.shape[0]:,}", fontsize=12)
        shown, options = self._view(pixels, result, view, step)
        right.imshow(shown, interpolation="nearest", **options)
        right.set_title(names[view], fontsize=12)
        for axes in (left, right):
            axes.set_axis_off()
        _draw_palette(figure.add_subplot(grid[1, :]), result, loud=view == "map colours")

    @staticmethod
    def _view(
        pixels: np.ndarray, result: SegmentationResult, view: str, step: int
    ) -> tuple[np.ndarray, dict[str, Any]]:
        part = np.s_[::step, ::step]
        if view == "own colours":
            return result.segmented_image[part], {}
        if view == "map colours":
            return _loud(len(result.palette))[result.labels[part]], {}
        lost = result.segmented_image[part].astype(float) - pixels[part]
        return np.sqrt((lost**2).mean(axis=2)), {"cmap": "gray_r", "vmin": 0, "vmax": 64}


def _dividing(k: int, color_space: str, position_weight: float) -> list[Control]:
    """Controls that divide the picture another way, or show the segments another way."""
    return [
        ladder(
            "k",
            "Segments k",
            "Number of clusters, and of colours in the palette",
            sorted({*_KS, k}),
            k,
        ),
        choice(
            "space",
            "Colours as",
            "Where colours are compared: as stored (RGB), or as the eye does (Lab)",
            ("rgb", "lab"),
            color_space,
            buttons=True,
        ),
        slider(
            "place",
            "Position weight",
            "0: only colour counts; 1: across the picture is as far as black from white",
            0.0,
            2.0,
            position_weight,
            step=0.1,
        ),
        choice(
            "view",
            "Show",
            "Palette colours, one loud colour for each segment, or the error",
            _VIEWS,
            _VIEWS[0],
            recompute=False,
        ),
        switch(
            "whole",
            "every pixel",
            "Off: a thinned picture, answered at once. On: all pixels, up to four million",
        ),
    ]


def _decibels(result: SegmentationResult) -> str:
    return "∞" if np.isinf(result.psnr_db) else f"{result.psnr_db:.0f}"


def _loud(k: int) -> np.ndarray:
    """One colour for each of k segments: the widgets' eight, then light ones, then dark ones."""
    from matplotlib.colors import to_rgb

    base = np.array([to_rgb(cluster_color(j)) for j in range(k)])
    # towards white (1) or black (0), by how much, for each further round of eight
    goal, pull = np.array([[0, 0], [1, 0.55], [0, 0.5], [1, 0.8], [0, 0.7]]).T
    turn = np.arange(k) // 8 % len(goal)
    return base + (goal[turn, None] - base) * pull[turn, None]


def _draw_palette(axes: Axes, result: SegmentationResult, *, loud: bool) -> None:
    from annlab.plotting import plot_palette

    counts = np.bincount(result.labels.ravel(), minlength=len(result.palette))
    plot_palette(_loud(len(counts)) if loud else result.palette, counts, ax=axes)
    axes.set_title("share of the pixels, by segment", fontsize=11, color=INK, loc="left")


def _collected(image: object) -> dict[str, np.ndarray]:
    """Name -> pixels: the photographs at hand, or those that the caller gives."""
    if image is None:
        from annlab._support.errors import MissingExtraError
        from annlab.datasets import load_photo

        photos = {}
        for name in _PHOTOS:
            try:
                photos[name] = load_photo(name)
            except MissingExtraError:
                # without scikit-image, scikit-learn's two are left
                continue
        return photos
    found = pictures(image, "your picture", _MOST)
    if not found:
        raise invalid("image", "at least one picture", "none")
    return found


def segmentation_explorer(
    image: object = None,
    n_clusters: int = 5,
    *,
    color_space: str = "rgb",
    position_weight: float = 0.0,
    predict: Predict = None,
    random_state: Seed = 0,
) -> SegmentationExplorer:
    """Divide a picture into segments: choose k, the colour space and how much the place counts.

    The picture stands beside its segments, over a bar of the palette. The sentence names PSNR,
    the bytes of an indexed picture, and how the fit went. "Upload" takes a picture of your own.

    Parameters
    ----------
    image : image, or mapping of name to image, optional
        As in `annlab.applications.load_image`; by default a menu of photographs, the first of
        1,411 × 1,411 pixels. At most four million pixels are kept.
    n_clusters : int, default=5
        At most 256.
    color_space : {"rgb", "lab"}, default="rgb"
    position_weight : float, default=0.0
        From 0 to 2.
    predict : "doubling" or Prediction, optional
        Ask what twice as many segments would bring; "Compare" shows the truth.
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
    Until "every pixel" is ticked, rows and columns are thinned to 80,000 pixels, so that an answer
    takes a fraction of a second. O(pixels) memory for each result.

    Examples
    --------
    >>> from annlab import widgets
    >>> from annlab.datasets import load_photo
    >>> explorer = widgets.segmentation_explorer(load_photo("china")[::4, ::4], 8)
    >>> explorer.set(k=2).result.palette.shape
    (2, 3)
    """
    return SegmentationExplorer(
        image,
        n_clusters,
        color_space=color_space,
        position_weight=position_weight,
        predict=predict,
        random_state=random_state,
    )


def example() -> SegmentationExplorer:
    """Make a small one, for the tests that run over all explorers."""
    from annlab.datasets import load_photo

    photos = {name: load_photo(name)[::16, ::16] for name in ("china", "flower")}
    return segmentation_explorer(photos, 4, predict="doubling")

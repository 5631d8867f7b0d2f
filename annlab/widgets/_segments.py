"""``segmentation_explorer``: segment a photograph by its pixels' clusters."""

from __future__ import annotations

import contextlib
import hashlib
from typing import TYPE_CHECKING, Any

import ipywidgets
import numpy as np

from annlab._support.checks import check_choice, check_integer, check_random_state
from annlab._support.errors import MissingExtraError, invalid
from annlab._support.types import Seed
from annlab.applications import SegmentationResult, load_image, segment_image
from annlab.datasets import load_photo
from annlab.plotting import plot_palette
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
    from matplotlib.figure import Figure

#: Pixels that are clustered while "every pixel" is off, and while it is on.
_QUICK, _MOST = 80_000, 4_000_000
_ITERATIONS = 40
_KS = (2, 3, 4, 5, 6, 8, 12, 16, 24, 32, 64, 128, 256)
#: Photographs of the menu when no picture is given.
_PHOTOS = ("retina", "china", "flower", "astronaut", "chelsea")
_VIEWS = ("own colours", "map colours", "what is lost")


class _Menu(Control):
    """A drop-down list of pictures, to which an upload adds one."""

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
        color_space: str,
        position_weight: float,
        predict: Predict,
        random_state: Seed,
    ) -> None:
        k = check_integer(n_clusters, "n_clusters", maximum=256)
        check_choice(color_space, "color_space", ("rgb", "lab"))
        if not 0 <= position_weight <= 2:
            raise invalid("position_weight", "from 0 to 2", position_weight)
        self.pictures = _collected(image)
        self.seed = int(check_random_state(random_state).randint(2**31 - 1))
        self.menu = _Menu(self.pictures, next(iter(self.pictures)))
        self.upload = ipywidgets.FileUpload(
            accept="image/*",
            multiple=False,
            description="Upload",
            tooltip="Choose an image file of your own; it stays on this machine",
            layout=ipywidgets.Layout(width="110px"),
        )
        controls = [
            self.menu,
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
                float(position_weight),
                step=0.1,
            ),
            choice(
                "view",
                "Show",
                "Palette colours, one loud colour for each segment, or the error",
                _VIEWS,
                _VIEWS[0],
            ),
            switch(
                "whole",
                "every pixel",
                "Off: a thinned picture, answered at once. On: all pixels, up to four million",
            ),
        ]
        super().__init__(controls, predict=ask(predict, {"doubling": self._question}))
        self.upload.observe(self._on_upload, "value")

    def _widget_rows(self) -> dict[str, list[Any]]:
        rows = super()._widget_rows()
        # beside the list that it adds to
        rows["controls"].insert(1, self.upload)
        return rows

    def _on_upload(self, change: dict[str, Any]) -> None:
        if not change["new"]:
            return
        (file,) = change["new"]
        data = bytes(file["content"])
        try:
            pixels = thinned(load_image(data), _MOST)
        except (ValueError, TypeError) as reason:
            self._say_note(str(reason))
            return
        # two files may have the same name
        name = f"{file['name'][:24]} ({hashlib.sha256(data).hexdigest()[:4]})"
        with self._lock:
            with self._unheard():
                self.menu.add(name, pixels)
            self.menu.value = name

    def _pixels(self, picture: str, whole: bool) -> np.ndarray:
        pixels = self.pictures[picture]
        return pixels if whole else thinned(pixels, _QUICK)

    def compute(
        self, job: Job, *, k: int, space: str, place: float, whole: bool, picture: str
    ) -> SegmentationResult:
        job.report(0, 1, "reading the colours")
        pixels = self._pixels(picture, whole)
        # a fit warns if a drawing has fewer colours than segments
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
        question = "How many decibels more would twice as many segments bring?"
        return Prediction(question, truth=self._gain, unit="dB")

    def _gain(self, result: SegmentationResult) -> float:
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
        **values: object,
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
        **values: object,
    ) -> None:
        pixels = self._pixels(picture, whole)
        grid = figure.add_gridspec(2, 2, height_ratios=[12, 1.6])
        left, right = (figure.add_subplot(grid[0, side]) for side in (0, 1))
        # 400 CSS pixels a panel, twice as sharp: more pixels would not be seen
        step = max(1, max(pixels.shape[:2]) // 800)
        part = np.s_[::step, ::step]
        left.imshow(pixels[part], interpolation="nearest")
        left.set_title(f"original, {pixels.shape[1]:,} × {pixels.shape[0]:,}", fontsize=12)
        n_segments = len(result.palette)
        if view == "own colours":
            right.imshow(result.segmented_image[part], interpolation="nearest")
            title = f"{n_segments} segments, PSNR {three(result.psnr_db)} dB"
        elif view == "map colours":
            right.imshow(_loud(n_segments)[result.labels[part]], interpolation="nearest")
            title = f"{n_segments} segments, loud colours"
        else:
            lost = result.segmented_image[part].astype(float) - pixels[part]
            error = np.sqrt((lost**2).mean(axis=2))
            right.imshow(error, interpolation="nearest", cmap="gray_r", vmin=0, vmax=64)
            title = "error, dark where it is large"
        right.set_title(title, fontsize=12)
        for axes in (left, right):
            axes.set_axis_off()
        palette = figure.add_subplot(grid[1, :])
        counts = np.bincount(result.labels.ravel(), minlength=n_segments)
        colors = _loud(n_segments) if view == "map colours" else result.palette
        plot_palette(colors, counts, ax=palette)
        palette.set_title("share of the pixels, by segment", fontsize=11, color=INK, loc="left")


def _decibels(result: SegmentationResult) -> str:
    return "∞" if np.isinf(result.psnr_db) else f"{result.psnr_db:.0f}"


def _loud(k: int) -> np.ndarray:
    """Make a colour for each of k segments: the palette, then its variants."""
    from matplotlib.colors import to_rgb

    base = np.array([to_rgb(cluster_color(j)) for j in range(k)])
    # for each further round of eight: towards white (1) or black (0), and by how much
    goal, pull = np.array([[0, 0], [1, 0.55], [0, 0.5], [1, 0.8], [0, 0.7]]).T
    turn = np.arange(k) // 8 % len(goal)
    return base + (goal[turn, None] - base) * pull[turn, None]


def _collected(image: object) -> dict[str, np.ndarray]:
    """Return the pictures of the menu by name: given ones, or photographs."""
    if image is None:
        photos = {}
        for name in _PHOTOS:
            # without scikit-image, scikit-learn's two are left
            with contextlib.suppress(MissingExtraError):
                photos[name] = load_photo(name)
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
    """Segment a picture by k, colour space and weight of the position.

    The picture and its segments are side by side, over a bar of the palette. The sentence names
    PSNR and the bytes of an indexed picture. "Upload" takes a picture of your own.

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
    Until "every pixel" is ticked, rows and columns are thinned to 80,000 pixels. O(pixels) memory
    for each result.

    Examples
    --------
    >>> from annlab import widgets
    >>> from annlab.datasets import load_photo
    >>> explorer = widgets.segmentation_explorer(load_photo("china")[::4, ::4], 8)
    >>> explorer.set(k=2).result.palette.shape
    (2, 3)
    """
    return SegmentationExplorer(
        image, n_clusters, color_space, position_weight, predict, random_state
    )


def example() -> SegmentationExplorer:
    """Make a small explorer for the tests."""
    photos = {name: load_photo(name)[::16, ::16] for name in ("china", "flower")}
    return segmentation_explorer(photos, 4, predict="doubling")

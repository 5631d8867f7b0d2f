"""``visual_words_explorer``: patches as words, and rebuilt photographs."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import ipywidgets
import numpy as np
import traitlets

from annlab._support.checks import check_choice, check_integer, check_random_state
from annlab._support.errors import invalid
from annlab._support.types import Seed
from annlab.applications import VisualWords
from annlab.datasets import load_patches, load_photos, load_sample_image
from annlab.lloyd import kmeans_ann
from annlab.widgets._words_draw import SIZE, draw_mosaic, draw_photo, draw_strip, place_at
from annlab.widgets._words_learn import MEMBERS, Learned, members_of, orders
from annlab.widgets.base import (
    Control,
    Explorer,
    Job,
    Predict,
    Prediction,
    ask,
    choice,
    ladder,
    number,
    three,
)
from annlab.widgets.base.canvas import canvas_class
from annlab.widgets.base.marks import page
from annlab.widgets.base.rows import pictures

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_KS = (16, 64, 256, 1024, 4096)
_PATCHES = (5_000, 20_000, 100_000)
_SIZES = (4, 8, 12)
_ALGORITHMS = {"auto": "auto", "graph": "graph", "exact": "brute"}
_ORDERS = ("frequency", "hue", "likeness")
_VIEWS = ("where the word is", "rebuilt", "what is lost")
#: Most iterations; each takes much longer with "exact".
_ITERATIONS = {"auto": 30, "graph": 30, "exact": 10}
#: Most pixels of a photograph.
_MOST = 700_000


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
    size = SIZE

    # set here, because the base class calls `present` while it is constructed
    _looked_at = False
    _opening: Learned | None = None

    def __init__(
        self,
        photos: object,
        n_words: int,
        unseen: object,
        n_patches: int,
        patch_size: int,
        algorithm: str,
        predict: Predict,
        random_state: Seed,
    ) -> None:
        n_words = check_integer(n_words, "n_words", maximum=_KS[-1])
        n_patches = check_integer(n_patches, "n_patches", maximum=_PATCHES[-1])
        side = check_integer(patch_size, "patch_size", minimum=2, maximum=16)
        check_choice(algorithm, "algorithm", tuple(_ALGORITHMS))
        self.seen, self.unseen = _collected(photos, unseen)
        self.photos = self.seen | self.unseen
        self.sizes = sorted({*_SIZES, side})
        shortest = min(min(photo.shape[:2]) for photo in self.photos.values())
        if shortest < self.sizes[-1]:
            raise invalid(
                "photos",
                f"pictures of at least {self.sizes[-1]} pixels on the shorter side",
                f"{shortest} pixels",
                "Pass a larger picture.",
            )
        self.seed = int(check_random_state(random_state).randint(2**31 - 1))
        # number of the largest patches that the photographs have room for
        most = self._positions(self.sizes[-1])
        n = min(n_patches, most)
        patches = sorted({*(m for m in _PATCHES if m < most), n})
        if len(patches) == 1:
            patches = sorted({max(2, most // 2), *patches})
        if n_words > patches[0]:
            raise invalid("n_words", f"at most {patches[0]:,}, the fewest patches", n_words)
        words = sorted({*(k for k in _KS if 4 * k <= patches[-1]), n_words})
        controls = self._learning(patches, n, algorithm, words, n_words, side)
        controls += self._showing(words[-1])
        super().__init__(controls, predict=ask(predict, {"unseen": self._question}))
        self._opening = self.result
        self.stage.observe(self._on_point, "point")

    def _learning(
        self, patches: list[int], n: int, algorithm: str, words: list[int], k: int, side: int
    ) -> list[Control]:
        """Make the controls that learn other words."""
        return [
            choice(
                "patches",
                "Learn from",
                "How many patches are cut out of the photographs and clustered",
                [(f"{n:,} patches", n) for n in patches],
                n,
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
            ladder("k", "Words k", "Number of clusters: each centroid is a word", words, k),
            choice(
                "side",
                "Side",
                "Width and height of a patch in pixels",
                [(f"{size} pixels", size) for size in self.sizes],
                side,
            ),
        ]

    def _showing(self, last: int) -> list[Control]:
        """Make the controls that show the words another way."""
        return [
            choice(
                "order",
                "Sort by",
                "Most frequent first, by colour, or like beside like",
                _ORDERS,
                _ORDERS[0],
            ),
            choice(
                "photo",
                "Photo",
                "Which photograph is written in words",
                tuple(self.photos),
                next(iter(self.photos)),
            ),
            choice(
                "view",
                "Show",
                "Where the word is used, the photograph rebuilt from words, or the error",
                _VIEWS,
                _VIEWS[0],
            ),
            number(
                "word",
                "Word",
                "Its place in the mosaic; or click a word, or a spot of the photograph. "
                "A number beyond the last word means the last",
                1,
                last,
                1,
            ),
        ]

    def _question(self) -> Prediction:
        if not self.unseen:
            raise invalid("predict", "None if there are no unseen photographs", repr("unseen"))
        question = (
            "By how many dB is the unseen photograph rebuilt worse than the average of the others?"
        )
        return Prediction(question, truth=self._gap, unit="dB")

    # -- the stage ---------------------------------------------------------------------------------

    def make_stage(self) -> Any:
        return _picture()(
            description="picture",
            tooltip="Click a word of the mosaic, or a spot of the photograph, to see its word",
        )

    def _widget_rows(self) -> dict[str, list[Any]]:
        rows = super()._widget_rows()
        # of a fixed width, or the page would jump
        self._clock = ipywidgets.HTML(layout=ipywidgets.Layout(width="150px"))
        rows["foot"].insert(1, self._clock)
        return rows

    def present(self, result: Learned, frame: int, **values: Any) -> None:
        if self._looked_at:
            picture = self._png(result, frame, values)
            with self.stage.hold_sync():
                self.stage.alt = self.sentence(result, frame, **values)
                self.stage.picture = picture
        # the first picture shows no times, on which saved notebooks must not depend
        timed = self._opening is not None and self._opening is not result
        seconds = result.vocabulary.result.elapsed_s
        self._clock.value = f"<div>fitted in {three(seconds)} s</div>" if timed else ""

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        self._look_at()
        return super()._repr_mimebundle_(**kwargs)

    def _on_views(self, change: dict[str, Any]) -> None:
        super()._on_views(change)
        if change["new"]:
            self._look_at()

    def _look_at(self) -> None:
        """Draw on the stage from now on; not needed for snapshots."""
        with self._lock:
            if not self._looked_at:
                self._looked_at = True
                self.present(self.result, self._frame, **self._values)

    def _on_point(self, change: dict[str, Any]) -> None:
        with self._lock:
            x, y = (float(share) for share in change["new"][:2])
            order = self.result.orders[self._values["order"]]
            codes = self.result.rebuilt[self._values["photo"]].codes
            place = place_at(x * SIZE[0], y * SIZE[1], order, codes)
            if place is not None:
                self.controls["word"].value = place + 1

    # -- learning ----------------------------------------------------------------------------------

    def _positions(self, size: int) -> int:
        shapes = (photo.shape for photo in self.seen.values())
        return sum((h - size + 1) * (w - size + 1) for h, w, _ in shapes)

    def compute(self, job: Job, *, patches: int, algorithm: str, k: int, side: int) -> Learned:
        # more than one per cent, or the text of the previous job would stay
        job.report(0.02, 1, "cutting patches")
        X = load_patches(patches, side, photos=self.seen, random_state=self.seed)
        iterations = _ITERATIONS[algorithm]
        # a fit warns if there are fewer distinct patches than words, as in a drawing
        distinct = len(set(map(bytes, np.rint(X * 255).astype(np.uint8))))
        # the last tenth of the bar is for the photographs
        fit = kmeans_ann(
            X,
            min(k, distinct),
            iterations,
            algorithm=_ALGORITHMS[algorithm],
            # k-means++ of thousands of words takes longer than the rest
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
        return Learned(vocabulary, rebuilt, orders(vocabulary), members_of(X, vocabulary), len(X))

    def _gap(self, learned: Learned) -> float:
        """Return the gap in decibels between seen and unseen photographs."""
        seen = np.mean([learned.rebuilt[name].psnr_db for name in self.seen])
        return round(float(seen - np.mean([learned.rebuilt[n].psnr_db for n in self.unseen])), 1)

    # -- words and picture -------------------------------------------------------------------------

    def sentence(
        self,
        result: Learned,
        frame: int,
        *,
        algorithm: str,
        side: int,
        order: str,
        photo: str,
        view: str,
        word: int,
        **values: object,
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
        figure: Figure,
        result: Learned,
        frame: int,
        *,
        side: int,
        order: str,
        photo: str,
        view: str,
        word: int,
        **values: object,
    ) -> None:
        # fixed boxes, in which clicks are looked up
        axes = page(figure, SIZE)
        words = result.vocabulary.words.reshape(-1, side, side, 3)
        place = min(word, len(words))
        chosen = result.orders[order][place - 1]
        draw_mosaic(axes, words[result.orders[order]], place - 1, order)
        draw_photo(axes, self.photos[photo], result.rebuilt[photo], int(chosen), view, photo)
        members = result.members[chosen].reshape(-1, side, side, 3)
        count = int(result.vocabulary.counts[chosen])
        draw_strip(axes, words[chosen], members[: min(count, MEMBERS)], place, count)


def _collected(
    photos: object, unseen: object
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return the photographs that give patches, and those that are only rebuilt."""
    if photos is None:
        photos = load_photos()
        unseen = {"coffee (not seen)": load_sample_image()} if unseen is None else unseen
    seen = pictures(photos, "your picture", _MOST)
    if not seen:
        raise invalid("photos", "at least one picture", "none")
    rest = pictures({} if unseen is None else unseen, "not seen", _MOST)
    if set(seen) & set(rest):
        raise invalid("unseen", "different from photos in name", sorted(set(seen) & set(rest)))
    return seen, rest


def visual_words_explorer(
    photos: object = None,
    n_words: int = 256,
    *,
    unseen: object = None,
    n_patches: int = 5_000,
    patch_size: int = 8,
    algorithm: str = "auto",
    predict: Predict = None,
    random_state: Seed = 0,
) -> VisualWordsExplorer:
    """Cluster patches into visual words, and rebuild photographs from them.

    On the left all words as a mosaic; on the right a photograph, with the tiles of the chosen
    word, or rebuilt; below it the word among its patches. Click a word, or a spot of the
    photograph. The sentence names PSNR, bytes, and how the fit went.

    Parameters
    ----------
    photos : image, or mapping of name to image, optional
        As in `annlab.applications.load_image`; they give the patches. By default the two
        photographs of scikit-learn. At most 700,000 pixels of each are kept.
    n_words : int, default=256
        At most 4,096.
    unseen : image, or mapping of name to image, optional
        Photographs that give no patches and are only rebuilt; a cup of coffee if ``photos`` is
        left out.
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
    that with "exact". O(n·d) memory for a fit.

    Examples
    --------
    >>> from annlab import widgets
    >>> from annlab.datasets import load_photo
    >>> explorer = widgets.visual_words_explorer(load_photo("china")[::4, ::4], 16, n_patches=500)
    >>> explorer.set(k=64).result.vocabulary
    VisualWords: 64 words of 8 x 8 pixels, from 500 patches
    """
    return VisualWordsExplorer(
        photos, n_words, unseen, n_patches, patch_size, algorithm, predict, random_state
    )


def example() -> VisualWordsExplorer:
    """Make a small explorer for the tests."""
    photos = {name: photo[::8, ::8] for name, photo in load_photos().items()}
    coffee = {"coffee": load_sample_image()[::8, ::8]}
    return visual_words_explorer(photos, 64, unseen=coffee, n_patches=800, predict="unseen")

"""Photographs of installed packages, and the image patches cut from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from annlab._support.checks import check_choice, check_integer, check_items, check_random_state
from annlab._support.errors import invalid, require
from annlab._support.threads import chunk_bounds
from annlab._support.types import Seed
from annlab.datasets._files import data_path

#: In scikit-learn.
_SKLEARN = ("china", "flower")
#: In scikit-image, with their files.
_SKIMAGE = {
    "astronaut": "astronaut.png",
    "chelsea": "chelsea.png",
    "coffee": "coffee.png",
    "hubble_deep_field": "hubble_deep_field.jpg",
    "immunohistochemistry": "ihc.png",
    "retina": "retina.jpg",
    "rocket": "rocket.jpg",
}
#: Those of at least 1,400 × 1,400 pixels.
_LARGE = ("retina",)
#: Rows that are cut and converted at a time.
_BLOCK = 1 << 16


def available_photos() -> tuple[str, ...]:
    """Return the names of photographs; all but two need the ``lab`` extra.

    Examples
    --------
    >>> from annlab.datasets import available_photos
    >>> available_photos()[:2]
    ('china', 'flower')
    """
    return (*_SKLEARN, *_SKIMAGE)


def load_photo(name: str = "china") -> np.ndarray:
    """Load a photograph of scikit-learn or scikit-image, without network.

    Parameters
    ----------
    name : str, default="china"
        One of `available_photos`. ``china`` and ``flower`` come from scikit-learn, the others
        from scikit-image.

    Returns
    -------
    ndarray of shape (h, w, 3), uint8
        Red, green, blue; the caller's own copy.

    Raises
    ------
    ValueError
        For an unknown name.
    MissingExtraError
        If scikit-image is needed and not installed.

    Notes
    -----
    ``china`` © danielbuechele and ``flower`` © vultilion, both CC BY 2.0; ``coffee``,
    ``chelsea`` and ``retina`` are CC0; ``astronaut`` and ``hubble_deep_field`` (NASA) and
    ``rocket`` (SpaceX) are in the public domain; ``immunohistochemistry`` has no known
    restriction.

    Examples
    --------
    >>> from annlab.datasets import load_photo
    >>> load_photo("flower").shape
    (427, 640, 3)
    """
    check_choice(name, "name", available_photos())
    if name in _SKLEARN:
        from sklearn.datasets import load_sample_image

        return np.array(load_sample_image(f"{name}.jpg"))
    skimage = require("skimage", purpose=f"for the photograph {name!r}", extra="lab")
    return _open(Path(next(iter(skimage.__path__))) / "data" / _SKIMAGE[name])


def _open(path: Path) -> np.ndarray:
    from PIL import Image

    with Image.open(path) as image:
        return np.array(image.convert("RGB"))


def load_photos(names: Sequence[str] = _SKLEARN) -> dict[str, np.ndarray]:
    """Load several photographs, by default the two of scikit-learn.

    Parameters
    ----------
    names : sequence of str, default=("china", "flower")
        Of `available_photos`.

    Returns
    -------
    dict of str to ndarray of shape (h, w, 3), uint8

    Raises
    ------
    ValueError, MissingExtraError
        As `load_photo`.

    Examples
    --------
    >>> from annlab.datasets import load_photos
    >>> {name: photo.shape for name, photo in load_photos().items()}
    {'china': (427, 640, 3), 'flower': (427, 640, 3)}
    """
    if isinstance(names, str):
        raise invalid("names", "a sequence of names", repr(names), f"Pass [{names!r}].")
    return {name: load_photo(name) for name in check_items(names, "names", "a sequence of names")}


def load_large_photo(name: str = "retina") -> np.ndarray:
    """Load a photograph of at least 1,400 × 1,400 pixels (needs scikit-image).

    Parameters
    ----------
    name : {"retina"}, default="retina"
        A human retina, 1411 × 1411, CC0 (Häggström, M., 2014, doi 10.15347/wjm/2014.008).

    Returns
    -------
    ndarray of shape (h, w, 3), uint8

    Raises
    ------
    ValueError
        For another name.
    MissingExtraError
        If scikit-image is not installed.

    Examples
    --------
    >>> from annlab.datasets import load_large_photo
    >>> load_large_photo().shape  # doctest: +SKIP
    (1411, 1411, 3)
    """
    check_choice(name, "name", _LARGE)
    return load_photo(name)


def load_sample_image() -> np.ndarray:
    """Load ``sample_image.jpg``, the picture that the slide deck segments.

    Returns
    -------
    ndarray of shape (400, 600, 3), uint8
        A cup of coffee on a wooden table, CC0; see ``data/README.md``.

    Examples
    --------
    >>> from annlab.datasets import load_sample_image
    >>> load_sample_image().shape
    (400, 600, 3)
    """
    return _open(data_path("sample_image.jpg"))


def _as_photos(photos: Any) -> list[np.ndarray]:
    """Load photographs that are named; check those that are arrays."""
    if isinstance(photos, str):
        photos = (photos,)
    elif isinstance(photos, Mapping):
        photos = tuple(photos.values())
    elif isinstance(photos, np.ndarray) and photos.ndim == 3:
        photos = (photos,)
    arrays = []
    for photo in photos:
        array = load_photo(photo) if isinstance(photo, str) else np.asarray(photo)
        if array.ndim != 3 or array.shape[2] != 3 or array.dtype != np.uint8:
            raise invalid(
                "photos",
                "names or uint8 arrays of shape (h, w, 3)",
                f"an array of shape {array.shape}, dtype {array.dtype}",
                "See available_photos() for names.",
            )
        arrays.append(array)
    if not arrays:
        raise invalid("photos", "at least one photograph", "none", "Use photos=('china',).")
    return arrays


def sample_patches(
    n: int, size: int, photos: Any, mirror: bool, random_state: Seed
) -> Iterator[np.ndarray]:
    """Yield ``n`` patches in random order as uint8 blocks (m, 3·size·size)."""
    n = check_integer(n, "n")
    size = check_integer(size, "size")
    rng = check_random_state(random_state)
    arrays = _as_photos(photos)
    if mirror:
        arrays += [array[:, ::-1] for array in arrays]
    windows = []
    for array in arrays:
        if min(array.shape[:2]) < size:
            raise invalid(
                "size",
                f"at most {min(array.shape[:2])}, the shorter side of the smallest photograph",
                size,
                "Ask for smaller patches.",
            )
        # (rows, columns, 3, size, size) -> (rows, columns, size, size, 3): no copy
        windows.append(
            sliding_window_view(array, (size, size), axis=(0, 1)).transpose(0, 1, 3, 4, 2)
        )
    starts = np.cumsum([0] + [view.shape[0] * view.shape[1] for view in windows])
    if n > starts[-1]:
        rule = f"at most {starts[-1]:,}, the number of distinct positions"
        remedy = "Pass further photos= (see available_photos())"
        remedy += "." if mirror else ", or mirror=True, which doubles it."
        raise invalid("n", rule, f"{n:,}", remedy)
    positions = rng.permutation(starts[-1])[:n]
    return _cut(windows, starts, positions)


def _cut(
    windows: list[np.ndarray], starts: np.ndarray, positions: np.ndarray
) -> Iterator[np.ndarray]:
    d = int(np.prod(windows[0].shape[2:]))
    for begin, end in chunk_bounds(len(positions), _BLOCK):
        wanted = positions[begin:end]
        photo = np.searchsorted(starts, wanted, side="right") - 1
        block = np.empty((end - begin, d), dtype=np.uint8)
        for number, view in enumerate(windows):
            rows = np.flatnonzero(photo == number)
            y, x = np.divmod(wanted[rows] - starts[number], view.shape[1])
            block[rows] = view[y, x].reshape(len(rows), d)
        yield block


def load_patches(
    n: int = 100_000,
    size: int = 8,
    *,
    photos: Any = _SKLEARN,
    mirror: bool = False,
    random_state: Seed = None,
) -> np.ndarray:
    """Cut real image patches out of photographs, each from another position.

    Parameters
    ----------
    n : int, default=100_000
        Number of patches. The two default photographs have 531,720 positions at ``size=8``.
    size : int, default=8
        Side of a patch in pixels.
    photos : sequence of str or of ndarray, default=("china", "flower")
        Names of `available_photos`, or uint8 arrays of shape (h, w, 3).
    mirror : bool, default=False
        Draw from the left-right mirror images too, which doubles the positions
        (1,063,440 at the defaults).
    random_state : int, RandomState, Generator or None, default=None
        Chooses the positions and their order.

    Returns
    -------
    ndarray of shape (n, 3·size·size), float32, C order
        Values from 0 to 1. ``X[i].reshape(size, size, 3)`` is the picture of patch ``i``. The
        rows are in random order, so a prefix is a fair sample.

    Raises
    ------
    ValueError
        If there are fewer than ``n`` positions, or a photograph is smaller than a patch.

    Notes
    -----
    Neighbouring positions overlap, so the data has the low intrinsic dimension of natural images.
    O(n·size²); about 0.1 s and no more memory than the result for n = 100,000.

    Examples
    --------
    >>> from annlab.datasets import load_patches
    >>> X = load_patches(1000, random_state=0)
    >>> X.shape, X.dtype.name
    ((1000, 192), 'float32')
    """
    blocks = sample_patches(n, size, photos, mirror, random_state)
    X = np.empty((n, 3 * size * size), dtype=np.float32)
    start = 0
    for block in blocks:
        np.multiply(block, np.float32(1 / 255), out=X[start : start + len(block)])
        start += len(block)
    return X

"""Pictures from files and arrays, as 8-bit colours."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias

import numpy as np

from annlab._support.checks import check_integer
from annlab._support.errors import invalid
from annlab.applications.colours import check_unit_range

if TYPE_CHECKING:
    from PIL.Image import Image

#: What `load_image` accepts.
ImageLike: TypeAlias = "str | os.PathLike[str] | bytes | BinaryIO | Image | np.ndarray"
#: Larger pictures are refused before they are decoded, unless the caller raises the limit.
MAX_PIXELS = 64_000_000
#: Formats that Pillow decodes by itself; PostScript and others would start other programs.
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM")


@contextmanager
def _no_pillow_limit() -> Iterator[None]:
    """Lift Pillow's own limit of pixels; `_check_size` applies the caller's."""
    from PIL import Image

    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


@_no_pillow_limit()
def load_image(image: Any, *, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Read a picture as an array of 8-bit colours.

    Parameters
    ----------
    image : path, bytes, binary file, PIL image, or array
        Arrays have shape (h, w), (h, w, 1), (h, w, 3) or (h, w, 4), uint8, bool, or floats from
        0 to 1. Files: PNG, JPEG, WebP, GIF (its first frame), BMP, TIFF, PPM.
    max_pixels : int, default=64,000,000
        Refuse a larger picture before it is decoded.

    Returns
    -------
    ndarray of shape (h, w, 3), uint8, C order
        Grey becomes three equal channels, transparent pixels are laid over white, and photographs
        are turned by their EXIF tag.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it cannot be read as a picture, is damaged, empty, or too large.
    TypeError
        For any other kind of object.

    Examples
    --------
    >>> import numpy as np
    >>> from annlab.applications import load_image
    >>> load_image(np.array([[0.0, 1.0]])).tolist()
    [[[0, 0, 0], [255, 255, 255]]]
    """
    limit = check_integer(max_pixels, "max_pixels")
    if isinstance(image, (str, os.PathLike)):
        try:
            with open(image, "rb") as stream:
                return _from_file(stream, limit)
        except FileNotFoundError:
            raise invalid(
                "image",
                "the path of an existing file",
                repr(os.fspath(image)),
                "annlab.datasets.data_path('sample_image.jpg') is one that ships with annlab.",
                error=FileNotFoundError,
            ) from None
        except OSError as reason:
            raise _unreadable(reason) from reason
    if isinstance(image, (bytes, bytearray, memoryview)):
        return _from_file(io.BytesIO(image), limit)
    if hasattr(image, "getbands") and hasattr(image, "convert"):
        return _decoded(image, limit)
    if hasattr(image, "read"):
        return _from_file(image, limit)
    if isinstance(image, np.ndarray):
        return _from_array(image, limit)
    raise invalid(
        "image",
        "a path, bytes, a binary file, a PIL image or a numpy array",
        type(image).__name__,
        "Convert it with numpy.asarray.",
        error=TypeError,
    )


def _unreadable(reason: object) -> Exception:
    return invalid(
        "image",
        "readable as " + ", ".join(_FORMATS[:-1]) + f" or {_FORMATS[-1]}",
        str(reason).strip() or type(reason).__name__,
        "Check that the file is complete and really a picture.",
    )


def _check_size(size: tuple[int, int], limit: int) -> None:
    width, height = size
    if width * height > limit:
        raise invalid(
            "image",
            f"a picture of at most max_pixels={limit:,} pixels",
            f"{width} x {height}",
            "Scale it down, or raise max_pixels if you trust the file.",
        )
    if width * height == 0:
        raise invalid(
            "image", "at least one pixel in size", f"{width} x {height}", "Pass a picture."
        )


def _from_file(stream: BinaryIO, limit: int) -> np.ndarray:
    from PIL import Image

    Image.init()
    formats = [name for name in _FORMATS if name in Image.OPEN]
    try:
        picture = Image.open(stream, formats=formats)
    except Image.UnidentifiedImageError as reason:
        # Pillow's text contains an address in memory
        raise _unreadable("a file of another format") from reason
    except Exception as reason:
        raise _unreadable(reason) from reason
    with picture:
        return _decoded(picture, limit)


def _decoded(picture: Image, limit: int) -> np.ndarray:
    from PIL import ImageOps

    _check_size(picture.size, limit)
    try:
        # reads the pixels; Pillow raises a dozen kinds of error on damaged files
        picture.load()
        upright = ImageOps.exif_transpose(picture)
    except Exception as reason:
        raise _unreadable(reason) from reason
    return _from_pil(upright)


def _from_pil(picture: Image) -> np.ndarray:
    if picture.mode == "F":
        return _from_array(np.asarray(picture), picture.width * picture.height)
    if picture.mode.startswith("I"):
        # Pillow's own conversion would clip it to white
        grey = np.asarray(picture).astype(np.int64)
        # mode I holds 32 bits without a known white; PNG uses 16 of them
        if picture.mode == "I" and picture.format != "PNG":
            raise invalid(
                "image",
                "a picture of at most 16 bits per channel",
                f"32 bits (mode I, values from {grey.min()} to {grey.max()})",
                "Scale it to floats from 0 to 1 and pass the array.",
            )
        return _grey((grey / 257.0).round().astype(np.uint8))
    if "A" in picture.getbands() or "a" in picture.getbands() or "transparency" in picture.info:
        return _from_array(np.asarray(picture.convert("RGBA")), picture.width * picture.height)
    return np.ascontiguousarray(np.asarray(picture.convert("RGB")))


def _grey(values: np.ndarray) -> np.ndarray:
    return np.repeat(values[:, :, None], 3, axis=2)


def _from_array(array: np.ndarray, limit: int) -> np.ndarray:
    channels = array.shape[2] if array.ndim == 3 else 1
    if array.ndim not in (2, 3) or channels not in (1, 3, 4):
        raise invalid(
            "image",
            "of shape (h, w), (h, w, 1), (h, w, 3) or (h, w, 4)",
            f"shape {array.shape}",
            "Put the channels last.",
        )
    _check_size((array.shape[1], array.shape[0]), limit)
    if array.dtype == bool:
        array = array * np.uint8(255)
    elif array.dtype != np.uint8:
        scaled = check_unit_range(array, "image") * 255.0
        # halves go up: rounding to even would shift greys that were stored as n/255
        array = np.floor(scaled + 0.5).astype(np.uint8)
    array = array.reshape(*array.shape[:2], channels)
    if channels == 1:
        return _grey(array[:, :, 0])
    if channels == 4:
        alpha = array[:, :, 3:] / 255.0
        over_white = array[:, :, :3] * alpha + 255.0 * (1.0 - alpha)
        return np.floor(over_white + 0.5).astype(np.uint8)
    return np.array(array, order="C")

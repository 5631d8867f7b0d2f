"""The deck's two real-life examples, segments and documents, and the capstone, visual words.

All turn their input into points, call `annlab.kmeans_ann`, and turn labels and centroids back
into something that can be looked at.
"""

from __future__ import annotations

import io
import math
import os
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

import numpy as np

from annlab._support.checks import (
    as_array,
    check_choice,
    check_integer,
    check_random_state,
    check_real,
)
from annlab._support.errors import invalid
from annlab._support.pair import Pair
from annlab._support.threads import Workers
from annlab.datasets import Corpus, load_patches
from annlab.lloyd import kmeans_ann, label_rows
from annlab.metrics import purity
from annlab.result import KMeansResult

#: Larger pictures are refused before they are decoded, unless the caller raises the limit.
MAX_PIXELS = 64_000_000
#: Formats that Pillow decodes by itself; PostScript and the like would start other programs.
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM")

# --- colour -------------------------------------------------------------------------------------

#: linear sRGB -> CIE XYZ, IEC 61966-2-1, divided by the white point D65 (2° observer).
_TO_XYZ = (
    np.array(
        [
            [0.412453, 0.357580, 0.180423],
            [0.212671, 0.715160, 0.072169],
            [0.019334, 0.119193, 0.950227],
        ]
    )
    / np.array([0.95047, 1.0, 1.08883])[:, None]
)
_FROM_XYZ = np.linalg.inv(_TO_XYZ)
_DELTA = 6 / 29


def rgb_to_lab(rgb: Any) -> np.ndarray:
    """Convert sRGB colours to CIELAB, where distances resemble what the eye sees.

    Parameters
    ----------
    rgb : array-like of shape (..., 3)
        uint8, or floats from 0 to 1.

    Returns
    -------
    ndarray of shape (..., 3), float64
        L from 0 to 100; a and b roughly from −110 to 110.

    Raises
    ------
    TypeError, ValueError

    Notes
    -----
    IEC 61966-2-1 (sRGB) and CIE 15 (L*a*b*), white point D65, 2° observer. O(size).

    Examples
    --------
    >>> import numpy as np
    >>> from annlab.applications import rgb_to_lab
    >>> rgb_to_lab(np.array([255, 0, 0], dtype=np.uint8)).round(1).tolist()
    [53.2, 80.1, 67.2]
    """
    values = _unit_colours(rgb, "rgb")
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    xyz = linear @ _TO_XYZ.T
    f = np.where(xyz > _DELTA**3, np.cbrt(xyz), xyz / (3 * _DELTA**2) + 4 / 29)
    x, y, z = np.moveaxis(f, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def lab_to_rgb(lab: Any) -> np.ndarray:
    """Convert CIELAB to sRGB; colours that a screen cannot show are clipped.

    Parameters
    ----------
    lab : array-like of shape (..., 3)

    Returns
    -------
    ndarray of shape (..., 3), float64
        From 0 to 1.

    Raises
    ------
    TypeError, ValueError

    Notes
    -----
    The inverse of `rgb_to_lab` on all colours that sRGB holds. O(size).

    Examples
    --------
    >>> from annlab.applications import lab_to_rgb
    >>> lab_to_rgb([100.0, 0.0, 0.0]).round(3).tolist()
    [1.0, 1.0, 1.0]
    """
    values = _colours(lab, "lab").astype(np.float64)
    y = (values[..., 0] + 16) / 116
    f = np.stack([y + values[..., 1] / 500, y, y - values[..., 2] / 200], axis=-1)
    xyz = np.where(f > _DELTA, f**3, 3 * _DELTA**2 * (f - 4 / 29))
    linear = np.clip(xyz @ _FROM_XYZ.T, 0.0, 1.0)
    rgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.clip(rgb, 0.0, 1.0)


def _colours(values: Any, name: str) -> np.ndarray:
    array = as_array(values, name)
    if array.dtype.kind not in "fiu" or array.ndim < 1 or array.shape[-1] != 3:
        raise invalid(
            name,
            "an array of numbers of shape (..., 3)",
            f"shape {array.shape}, dtype {array.dtype}",
            "Put the three channels last.",
        )
    return array


def _unit_colours(values: Any, name: str) -> np.ndarray:
    array = _colours(values, name)
    if array.dtype == np.uint8:
        return array / 255.0
    return _check_unit_range(array, name).astype(np.float64)


def _check_unit_range(array: np.ndarray, name: str) -> np.ndarray:
    if array.dtype.kind != "f":
        raise invalid(
            name,
            "of dtype uint8, or floats from 0 to 1",
            f"dtype {array.dtype}",
            "Divide it by its largest possible value, or convert it to uint8.",
        )
    # the negation also catches NaN
    if array.size and not (array.min() >= 0 and array.max() <= 1):
        raise invalid(
            name,
            "from 0 to 1 where it is of a floating type",
            f"values from {array.min():g} to {array.max():g}",
            "Divide by 255 if these are 8-bit values.",
        )
    return array


# --- pictures -----------------------------------------------------------------------------------


def load_image(image: Any, *, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Turn whatever holds a picture into an array of 8-bit colours.

    Parameters
    ----------
    image : path, bytes, binary file, PIL image, or array
        Arrays have shape (h, w), (h, w, 1), (h, w, 3) or (h, w, 4), uint8, bool, or floats from
        0 to 1. Files: PNG, JPEG, WebP, GIF (its first frame), BMP, TIFF, PPM.
    max_pixels : int, default=64,000,000
        Refuse a larger picture. The size is read from the header, before anything is decoded.

    Returns
    -------
    ndarray of shape (h, w, 3), uint8, C order
        Grey becomes three equal channels; what is transparent is laid over white; photographs
        are turned as their camera noted.

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
            f"of at most max_pixels={limit:,} pixels",
            f"{width} x {height}",
            "Scale it down, or raise max_pixels if you trust the file.",
        )
    if width * height == 0:
        raise invalid("image", "of at least one pixel", f"{width} x {height}", "Pass a picture.")


def _from_file(stream: BinaryIO, limit: int) -> np.ndarray:
    from PIL import Image

    Image.init()
    formats = [name for name in _FORMATS if name in Image.OPEN]
    try:
        with warnings.catch_warnings():
            # Pillow's own size warning comes at another limit; `_check_size` replaces it
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            picture = Image.open(stream, formats=formats)
    except Image.UnidentifiedImageError as reason:
        # Pillow's text names the stream by its address in memory, which helps nobody
        raise _unreadable("a file that is none of these") from reason
    except Exception as reason:
        raise _unreadable(reason) from reason
    with picture:
        return _decoded(picture, limit)


def _decoded(picture: Any, limit: int) -> np.ndarray:
    from PIL import ImageOps

    _check_size(picture.size, limit)
    try:
        # reads the pixels; Pillow raises a dozen kinds of error on damaged files
        picture.load()
        upright = ImageOps.exif_transpose(picture)
    except Exception as reason:
        raise _unreadable(reason) from reason
    return _from_pil(upright)


def _from_pil(picture: Any) -> np.ndarray:
    from PIL import Image

    if picture.mode == "F":
        return _from_array(np.asarray(picture), picture.width * picture.height)
    if picture.mode.startswith("I"):
        # 16-bit grey; Pillow's own conversion would clip it to white
        grey = np.asarray(picture).astype(np.int64)
        if grey.min() < 0 or grey.max() > 65535:
            raise invalid(
                "image",
                "of at most 16 bits per channel",
                f"values from {grey.min()} to {grey.max()}",
                "Scale it to floats from 0 to 1 and pass the array.",
            )
        return _grey((grey / 257.0).round().astype(np.uint8))
    if "A" in picture.getbands() or "a" in picture.getbands() or "transparency" in picture.info:
        colour = picture.convert("RGBA")
        white = Image.new("RGBA", colour.size, (255, 255, 255, 255))
        picture = Image.alpha_composite(white, colour)
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
        scaled = _check_unit_range(array, "image") * 255.0
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


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SegmentationResult(Pair):
    """A segmented picture. Unpacks as ``labels, palette = result``.

    Attributes
    ----------
    labels : ndarray of shape (h, w), int32
        Segment of each pixel.
    palette : ndarray of shape (k, 3), uint8
        Colour of each segment.
    segmented_image : ndarray of shape (h, w, 3), uint8
        ``palette[labels]``.
    psnr_db : float
        Peak signal-to-noise ratio against the original, 10 log₁₀(255² / MSE) over all channels;
        infinite where nothing was lost.
    original_bytes : int
        3·h·w: the pixels as they are in memory.
    compressed_bytes : int
        The palette and ⌈log₂ k⌉ bits a pixel: what an indexed picture takes before any further
        compression.
    color_space : str
    result : KMeansResult
        Its ``labels`` are those of the pixels, row by row; its ``centroids`` are the points of
        the feature space that was clustered, colours first.
    """

    labels: np.ndarray
    palette: np.ndarray
    segmented_image: np.ndarray
    psnr_db: float
    original_bytes: int
    compressed_bytes: int
    color_space: str
    result: KMeansResult

    _pair_names = ("labels", "palette")

    def __repr__(self) -> str:
        height, width = self.labels.shape
        return (
            f"SegmentationResult: {width} x {height} pixels, {len(self.palette)} segments "
            f"({self.color_space})\n"
            f"  PSNR   {self.psnr_db:.2f} dB\n"
            f"  bytes  {self.original_bytes:,} → {self.compressed_bytes:,}"
        )


def segment_image(
    image: Any,
    n_clusters: int = 5,
    *,
    color_space: str = "rgb",
    position_weight: float = 0.0,
    algorithm: Any = "auto",
    algorithm_params: dict[str, Any] | None = None,
    init: Any = "k-means++",
    n_init: int = 1,
    max_iter: int = 100,
    tol: float = 1e-4,
    random_state: Any = None,
    n_jobs: int | None = None,
    callback: Any = None,
    max_pixels: int = MAX_PIXELS,
) -> SegmentationResult:
    """Split a picture into segments of similar colour by k-means over its pixels.

    Parameters
    ----------
    image : path, bytes, binary file, PIL image, or array
        As in `load_image`.
    n_clusters : int, default=5
        Number of segments.
    color_space : {"rgb", "lab"}, default="rgb"
        Where colours are compared: sRGB as stored, or CIELAB, which is closer to the eye.
    position_weight : float, default=0.0
        How much it counts where a pixel is. At 1 the longer side of the picture is as far as one
        colour channel from none to full (in ``"lab"``, as black from white).
    algorithm, algorithm_params, init, n_init, max_iter, tol, random_state, n_jobs, callback
        As in `annlab.kmeans_ann`.
    max_pixels : int, default=64,000,000
        Refuse a larger picture before it is decoded.

    Returns
    -------
    SegmentationResult
        Unpacks as ``labels, palette``.

    Raises
    ------
    FileNotFoundError, ValueError, TypeError
        For an unreadable image and as `annlab.kmeans_ann`.

    Notes
    -----
    Without positions, equal colours are clustered once, weighted by how many pixels have them:
    the same objective, with fewer points. O(h·w) plus the cost of the fit.

    Examples
    --------
    >>> from annlab.applications import segment_image
    >>> from annlab.datasets import data_path
    >>> labels, palette = segment_image(data_path("sample_image.jpg"), 5, random_state=0)
    >>> labels.shape, palette.shape
    ((400, 600), (5, 3))
    """
    check_choice(color_space, "color_space", ("rgb", "lab"))
    weight = check_real(position_weight, "position_weight")
    pixels = load_image(image, max_pixels=max_pixels)
    height, width = pixels.shape[:2]
    colours, inverse, counts = pixels.reshape(-1, 3), None, None
    if weight == 0:
        packed = colours.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], dtype=np.uint32)
        values, places, repeats = np.unique(packed, return_inverse=True, return_counts=True)
        # fewer colours than clusters: leave it to the fit to warn about it
        if _is_integer_at_most(n_clusters, len(values)):
            inverse, counts = places.reshape(-1), repeats
            colours = np.stack([values >> 16, values >> 8 & 255, values & 255], axis=1)
            colours = colours.astype(np.uint8)
    X = _features(colours, color_space)
    if weight > 0:
        y, x = np.divmod(np.arange(height * width), width)
        places = np.stack([x, y], axis=1) * (weight / max(height - 1, width - 1, 1))
        X = np.concatenate([X, places.astype(np.float32)], axis=1)
    result = kmeans_ann(
        X,
        n_clusters,
        max_iter,
        algorithm=algorithm,
        algorithm_params=algorithm_params,
        init=init,
        n_init=n_init,
        tol=tol,
        sample_weight=counts,
        random_state=random_state,
        n_jobs=n_jobs,
        callback=callback,
    )
    if inverse is not None:
        result = replace(result, labels=_frozen(result.labels[inverse]))
    palette = _palette(result.centroids[:, :3], color_space)
    labels = result.labels.reshape(height, width)
    segmented = palette[labels]
    return SegmentationResult(
        labels=labels,
        palette=_frozen(palette),
        segmented_image=_frozen(segmented),
        psnr_db=_psnr_db(segmented, pixels),
        original_bytes=pixels.size,
        compressed_bytes=palette.size + _code_bytes(height * width, len(palette)),
        color_space=color_space,
        result=result,
    )


def _psnr_db(image: np.ndarray, original: np.ndarray) -> float:
    """Peak signal-to-noise ratio of 8-bit pixels, in decibels; infinite where they are equal."""
    error = float(np.mean((image.astype(np.float64) - original) ** 2))
    return 10 * math.log10(255**2 / error) if error > 0 else math.inf


def _code_bytes(n: int, n_values: int) -> int:
    """Bytes of n codes, each one of so many values, packed without gaps."""
    n_bits = math.ceil(math.log2(n_values)) if n_values > 1 else 0
    return math.ceil(n * n_bits / 8)


def _is_integer_at_most(value: Any, limit: int) -> bool:
    return isinstance(value, (int, np.integer)) and int(value) <= limit


def _frozen(array: np.ndarray) -> np.ndarray:
    array.setflags(write=False)
    return array


def _features(colours: np.ndarray, color_space: str) -> np.ndarray:
    """Colours as float32 points in a box about one unit wide."""
    if color_space == "rgb":
        return colours.astype(np.float32) / np.float32(255)
    return (rgb_to_lab(colours) / 100).astype(np.float32)


def _palette(points: np.ndarray, color_space: str) -> np.ndarray:
    points = points.astype(np.float64)
    rgb = np.clip(points, 0, 1) if color_space == "rgb" else lab_to_rgb(points * 100)
    return np.floor(rgb * 255 + 0.5).astype(np.uint8)


# --- documents ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class DocumentClusters(Pair):
    """Clustered documents. Unpacks as ``labels, centroids = result``.

    Attributes
    ----------
    labels : ndarray of shape (n,), int32
    centroids : ndarray of shape (k, d), float32
        In the space that was clustered: d terms, or ``n_components`` after the reduction.
    top_terms : tuple of k tuples of str
        The terms of greatest mean weight in each cluster, heaviest first.
    purity : float or None
        Share of documents that belong to the main true theme of their cluster; None where no
        themes are known.
    tfidf : CSR of shape (n, n_terms), float32
        The term weights, unit rows.
    X : CSR of shape (n, n_terms) or ndarray of shape (n, n_components), float32
        What was clustered.
    vectorizer : TfidfVectorizer
        Fitted.
    svd : TruncatedSVD or None
        Fitted, where ``n_components`` was given.
    result : KMeansResult
    """

    labels: np.ndarray
    centroids: np.ndarray
    top_terms: tuple[tuple[str, ...], ...]
    purity: float | None
    tfidf: Any
    X: Any
    vectorizer: Any
    svd: Any
    result: KMeansResult

    _pair_names = ("labels", "centroids")

    def __repr__(self) -> str:
        counts = np.bincount(self.labels, minlength=len(self.top_terms))
        known = "" if self.purity is None else f", purity {self.purity:.3f}"
        lines = [f"DocumentClusters: {len(self.labels):,} documents{known}"]
        lines += [
            f"  {label:>3}  {counts[label]:>6,}  {' '.join(terms[:8])}"
            for label, terms in enumerate(self.top_terms)
        ]
        return "\n".join(lines)


def cluster_documents(
    documents: Iterable[str],
    n_clusters: int,
    *,
    n_components: int | None = None,
    n_top_terms: int = 10,
    metric: str = "cosine",
    reference: Any = None,
    vectorizer: Any = None,
    algorithm: Any = "auto",
    algorithm_params: dict[str, Any] | None = None,
    init: Any = "k-means++",
    n_init: int = 10,
    max_iter: int = 100,
    tol: float = 1e-4,
    random_state: Any = None,
    n_jobs: int | None = None,
) -> DocumentClusters:
    """Group texts by the words they use: TF-IDF, then k-means.

    Parameters
    ----------
    documents : iterable of str, or Corpus
        A `Corpus` brings its true themes along.
    n_clusters : int
    n_components : int, optional
        Reduce the terms to that many dimensions by a truncated SVD (latent semantic analysis).
        Short texts share few words, so this often finds themes that the terms alone do not.
    n_top_terms : int, default=10
        Terms to name for each cluster.
    metric : {"cosine", "euclidean"}, default="cosine"
    reference : array-like of shape (n,), optional
        True themes, for ``purity``; −1 where unknown.
    vectorizer : object with ``fit_transform`` and ``get_feature_names_out``, optional
        It is cloned. By default scikit-learn's ``TfidfVectorizer`` with English stop words and
        1 + log(count) as term frequency.
    algorithm, algorithm_params, init, max_iter, tol, random_state, n_jobs
        As in `annlab.kmeans_ann`; sparse texts run with ``"brute"`` and ``"lsh"``.
    n_init : int, default=10
        Starts, of which the best fit is kept: cheap here, and starts matter with sparse texts.

    Returns
    -------
    DocumentClusters
        Unpacks as ``labels, centroids``.

    Raises
    ------
    TypeError, ValueError
        For input that is no sequence of texts, texts without any word, and as
        `annlab.kmeans_ann`.

    Notes
    -----
    The matrix of documents and terms stays sparse throughout; only the k centroids are dense.
    Cost O(n_init · iterations · k · (number of nonzeros)). Deerwester et al. (1990),
    doi 10.1002/(SICI)1097-4571(199009)41:6<391::AID-ASI1>3.0.CO;2-9; Dhillon & Modha (2001),
    doi 10.1023/A:1007612920971.

    Examples
    --------
    >>> from annlab.applications import cluster_documents
    >>> documents = [
    ...     "the train left the station late",
    ...     "a late train and an empty station",
    ...     "butter and flour make the dough",
    ...     "roll the dough with flour",
    ... ]
    >>> labels, centroids = cluster_documents(documents, 2, random_state=0)
    >>> bool(labels[0] == labels[1] != labels[2] == labels[3])
    True
    """
    if isinstance(documents, Corpus):
        reference = documents.labels if reference is None else reference
        documents = documents.documents
    texts = _texts(documents)
    n_top_terms = check_integer(n_top_terms, "n_top_terms")
    check_choice(metric, "metric", ("cosine", "euclidean"))
    tfidf, model = _weights(texts, vectorizer)
    X, svd = tfidf, None
    if n_components is not None:
        X, svd = _reduced(tfidf, n_components, random_state)
    result = kmeans_ann(
        X,
        n_clusters,
        max_iter,
        algorithm=algorithm,
        algorithm_params=algorithm_params,
        init=init,
        n_init=n_init,
        tol=tol,
        metric=metric,
        random_state=random_state,
        n_jobs=n_jobs,
    )
    return DocumentClusters(
        labels=result.labels,
        centroids=result.centroids,
        top_terms=_top_terms(tfidf, result, model.get_feature_names_out(), n_top_terms),
        purity=None if reference is None else purity(result.labels, reference),
        tfidf=tfidf,
        X=X,
        vectorizer=model,
        svd=svd,
        result=result,
    )


def _texts(documents: Any) -> Sequence[str]:
    rule = "a sequence of texts (str)"
    if isinstance(documents, (str, bytes)):
        raise invalid(
            "documents",
            rule,
            f"one {type(documents).__name__}",
            "Pass a list of texts, one entry for each document.",
            error=TypeError,
        )
    try:
        texts = list(documents)
    except TypeError as reason:
        raise invalid(
            "documents", rule, type(documents).__name__, "Pass a list.", error=TypeError
        ) from reason
    if not texts:
        raise invalid(
            "documents", "a list with at least one text", "an empty one", "Pass a list of texts."
        )
    for number, text in enumerate(texts):
        if not isinstance(text, str):
            raise invalid(
                "documents",
                rule,
                f"{type(text).__name__} at position {number}",
                "Decode bytes, and replace missing texts by ''.",
                error=TypeError,
            )
    return texts


def _weights(texts: Sequence[str], vectorizer: Any) -> tuple[Any, Any]:
    """TF-IDF as CSR, float32, and the fitted vectorizer."""
    if vectorizer is None:
        from sklearn.feature_extraction.text import TfidfVectorizer

        model = TfidfVectorizer(stop_words="english", sublinear_tf=True, dtype=np.float32)
    else:
        from sklearn.base import clone

        for method in ("fit_transform", "get_feature_names_out"):
            if not callable(getattr(vectorizer, method, None)) or isinstance(vectorizer, type):
                raise invalid(
                    "vectorizer",
                    "None or an object with fit_transform and get_feature_names_out",
                    repr(vectorizer),
                    "Pass an instance, such as TfidfVectorizer().",
                    error=TypeError,
                )
        model = clone(vectorizer)
    try:
        weights = model.fit_transform(texts)
    except ValueError as reason:
        if "vocabulary" not in str(reason) and "no terms remain" not in str(reason).lower():
            raise
        raise invalid(
            "documents",
            "texts with at least one word that the vectorizer keeps",
            f"{len(texts)} text{'s' * (len(texts) != 1)} without any",
            "Pass vectorizer=TfidfVectorizer(stop_words=None) to keep common words.",
        ) from reason
    return weights.tocsr().astype(np.float32, copy=False), model


def _reduced(tfidf: Any, n_components: int, random_state: Any) -> tuple[np.ndarray, Any]:
    from sklearn.decomposition import TruncatedSVD

    largest = min(tfidf.shape)
    n_components = check_integer(n_components, "n_components", maximum=largest)
    svd = TruncatedSVD(n_components, random_state=check_random_state(random_state))
    return np.ascontiguousarray(svd.fit_transform(tfidf), dtype=np.float32), svd


def _top_terms(
    tfidf: Any, result: KMeansResult, names: np.ndarray, n_terms: int
) -> tuple[tuple[str, ...], ...]:
    """Name the heaviest terms of each cluster's mean, one row at a time."""
    from scipy.sparse import csr_matrix

    n = tfidf.shape[0]
    member = csr_matrix(
        (np.ones(n, dtype=np.float32), (result.labels, np.arange(n))),
        shape=(result.n_clusters, n),
    )
    sums = (member @ tfidf).tocsr()
    chosen = []
    for label in range(result.n_clusters):
        row = slice(sums.indptr[label], sums.indptr[label + 1])
        terms, weights = sums.indices[row], sums.data[row]
        # ties in alphabetical order: the vectorizer numbers its terms that way
        order = np.lexsort((terms, -weights))[:n_terms]
        chosen.append(tuple(str(name) for name in names[terms[order]]))
    return tuple(chosen)


# --- visual words -------------------------------------------------------------------------------


def cut_tiles(image: Any, size: int) -> np.ndarray:
    """Cut a picture into square tiles that do not overlap, row by row.

    Parameters
    ----------
    image : path, bytes, binary file, PIL image, or array
        As in `load_image`. What is left at the right and at the bottom is dropped.
    size : int
        Side of a tile in pixels, at most the shorter side of the picture.

    Returns
    -------
    ndarray of shape (h // size, w // size, 3·size·size), float32
        Values from 0 to 1, in the order of `annlab.datasets.load_patches`.

    Raises
    ------
    TypeError, ValueError

    Examples
    --------
    >>> import numpy as np
    >>> from annlab.applications import cut_tiles
    >>> cut_tiles(np.zeros((5, 9, 3), dtype=np.uint8), 4).shape
    (1, 2, 48)
    """
    pixels = load_image(image)
    size = check_integer(size, "size")
    rows, columns = pixels.shape[0] // size, pixels.shape[1] // size
    if rows == 0 or columns == 0:
        raise invalid(
            "size",
            f"at most {min(pixels.shape[:2])}, the shorter side of the picture",
            size,
            "Ask for smaller tiles.",
        )
    squares = pixels[: rows * size, : columns * size].reshape(rows, size, columns, size, 3)
    # multiplied as in `load_patches`, so that equal pixels are equal numbers
    tiles = squares.swapaxes(1, 2).reshape(rows, columns, -1)
    return np.multiply(tiles, np.float32(1 / 255), dtype=np.float32)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class RebuiltImage(Pair):
    """A picture written in visual words. Unpacks as ``codes, image = rebuilt``.

    Attributes
    ----------
    codes : ndarray of shape (rows, columns), int32
        Word of each tile.
    image : ndarray of shape (rows·size, columns·size, 3), uint8
        Each tile replaced by its word.
    psnr_db : float
        Against the tiles of the original; infinite where nothing was lost.
    original_bytes : int
        The pixels of those tiles as they are in memory.
    code_bytes : int
        ⌈log₂ k⌉ bits a tile.
    book_bytes : int
        The words themselves at 8 bits a value; many pictures can share them.
    """

    codes: np.ndarray
    image: np.ndarray
    psnr_db: float
    original_bytes: int
    code_bytes: int
    book_bytes: int

    _pair_names = ("codes", "image")

    def __repr__(self) -> str:
        rows, columns = self.codes.shape
        return (
            f"RebuiltImage: {rows} x {columns} tiles\n"
            f"  PSNR   {self.psnr_db:.2f} dB\n"
            f"  bytes  {self.original_bytes:,} → {self.code_bytes:,}"
            f" and a book of {self.book_bytes:,}"
        )


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class VisualWords(Pair):
    """A vocabulary of patches. Unpacks as ``words, counts = vocabulary``.

    Attributes
    ----------
    words : ndarray of shape (k, 3·size·size), float32
        The centroids: ``words[j].reshape(size, size, 3)`` is the picture of word ``j``.
    counts : ndarray of shape (k,), int64
        Patches that each word stands for.
    size : int
        Side of a word in pixels.
    result : KMeansResult
        The fit over the patches.
    """

    words: np.ndarray
    counts: np.ndarray
    size: int
    result: KMeansResult

    _pair_names = ("words", "counts")

    def __repr__(self) -> str:
        return (
            f"VisualWords: {len(self.words):,} words of {self.size} x {self.size} pixels, "
            f"from {int(self.counts.sum()):,} patches"
        )

    @classmethod
    def from_fit(cls, result: KMeansResult, size: int) -> VisualWords:
        """Take the centroids of patches for words.

        Parameters
        ----------
        result : KMeansResult
            Of rows as `annlab.datasets.load_patches` and `cut_tiles` give them.
        size : int
            Side of the patches in pixels.

        Returns
        -------
        VisualWords

        Raises
        ------
        TypeError, ValueError
        """
        size = check_integer(size, "size")
        if result.centroids.shape[1] != 3 * size * size:
            raise invalid(
                "size",
                "such that 3·size·size is the number of features",
                f"{size} for {result.centroids.shape[1]} features",
                "Pass the size that the patches were cut with.",
            )
        counts = np.bincount(result.labels, minlength=result.n_clusters)
        return cls(result.centroids, _frozen(counts), size, result)

    def encode(self, image: Any, *, n_jobs: int | None = None) -> np.ndarray:
        """Find the nearest word of each tile of a picture.

        Parameters
        ----------
        image : path, bytes, binary file, PIL image, or array
            As in `load_image`.
        n_jobs : int, optional

        Returns
        -------
        ndarray of shape (h // size, w // size), int32

        Raises
        ------
        TypeError, ValueError

        Notes
        -----
        Exact; 2·tiles·k·d operations.
        """
        tiles = cut_tiles(image, self.size)
        rows, columns, d = tiles.shape
        with Workers(n_jobs) as workers:
            codes = label_rows(
                tiles.reshape(-1, d), self.words, metric="euclidean", workers=workers
            )
        return codes.reshape(rows, columns)

    def rebuild(self, image: Any, *, n_jobs: int | None = None) -> RebuiltImage:
        """Replace each tile of a picture by its nearest word, and say what that saves and costs.

        Parameters
        ----------
        image : path, bytes, binary file, PIL image, or array
            As in `load_image`.
        n_jobs : int, optional

        Returns
        -------
        RebuiltImage
            Unpacks as ``codes, image``.

        Raises
        ------
        TypeError, ValueError
        """
        pixels = load_image(image)
        codes = self.encode(pixels, n_jobs=n_jobs)
        rows, columns = codes.shape
        original = pixels[: rows * self.size, : columns * self.size]
        book = np.floor(np.clip(self.words, 0, 1) * np.float32(255) + np.float32(0.5))
        tiles = book.astype(np.uint8)[codes].reshape(rows, columns, self.size, self.size, 3)
        rebuilt = tiles.swapaxes(1, 2).reshape(original.shape)
        return RebuiltImage(
            codes=_frozen(codes),
            image=_frozen(np.ascontiguousarray(rebuilt)),
            psnr_db=_psnr_db(rebuilt, original),
            original_bytes=original.size,
            code_bytes=_code_bytes(codes.size, len(self.words)),
            book_bytes=self.words.size,
        )

    def histogram(self, image: Any, *, n_jobs: int | None = None) -> np.ndarray:
        """Describe a picture by how often each word occurs in it: its bag of words.

        Parameters
        ----------
        image : path, bytes, binary file, PIL image, or array
            As in `load_image`.
        n_jobs : int, optional

        Returns
        -------
        ndarray of shape (k,), float64
            Shares of the tiles; they sum to 1. Where the tiles lie no longer matters.

        Raises
        ------
        TypeError, ValueError

        Notes
        -----
        Sivic & Zisserman (2003), "Video Google", doi 10.1109/ICCV.2003.1238663.
        """
        codes = self.encode(image, n_jobs=n_jobs)
        return np.bincount(codes.ravel(), minlength=len(self.words)) / codes.size


def learn_visual_words(
    photos: Any = ("china", "flower"),
    n_words: int = 256,
    *,
    n_patches: int = 20_000,
    size: int = 8,
    algorithm: Any = "auto",
    algorithm_params: dict[str, Any] | None = None,
    init: Any = "k-means++",
    max_iter: int = 50,
    tol: float = 1e-4,
    random_state: Any = None,
    n_jobs: int | None = None,
    callback: Any = None,
) -> VisualWords:
    """Cluster patches of photographs: each centroid is a visual word.

    Parameters
    ----------
    photos : sequence of str or of ndarray, or mapping, default=("china", "flower")
        As in `annlab.datasets.load_patches`.
    n_words : int, default=256
        Number of clusters k.
    n_patches : int, default=20,000
        Patches to learn from, each cut at another position.
    size : int, default=8
        Side of a patch in pixels.
    algorithm, algorithm_params, init, max_iter, tol, n_jobs, callback
        As in `annlab.kmeans_ann`.
    random_state : int, RandomState, Generator or None, default=None
        Chooses the patches and the start.

    Returns
    -------
    VisualWords
        Unpacks as ``words, counts``.

    Raises
    ------
    TypeError, ValueError
        As `annlab.datasets.load_patches` and `annlab.kmeans_ann`.

    Notes
    -----
    Sivic & Zisserman (2003), doi 10.1109/ICCV.2003.1238663; with an approximate search over many
    words: Philbin et al. (2007), doi 10.1109/CVPR.2007.383172.

    Examples
    --------
    >>> from annlab.applications import learn_visual_words
    >>> from annlab.datasets import load_photo
    >>> vocabulary = learn_visual_words(n_words=16, n_patches=1000, size=4, random_state=0)
    >>> vocabulary
    VisualWords: 16 words of 4 x 4 pixels, from 1,000 patches
    >>> vocabulary.rebuild(load_photo("china")).codes.shape
    (106, 160)
    """
    rng = check_random_state(random_state)
    patches = load_patches(n_patches, size, photos=photos, random_state=rng)
    result = kmeans_ann(
        patches,
        n_words,
        max_iter,
        algorithm=algorithm,
        algorithm_params=algorithm_params,
        init=init,
        tol=tol,
        random_state=rng,
        n_jobs=n_jobs,
        callback=callback,
    )
    return VisualWords.from_fit(result, size)

"""Segmentation of a picture by k-means over its pixels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from annlab._support.checks import check_choice, check_real
from annlab._support.pair import Pair
from annlab._support.types import Seed
from annlab.applications._pixels import code_bytes, frozen, psnr_db
from annlab.applications.colours import lab_to_rgb, rgb_to_lab
from annlab.applications.images import MAX_PIXELS, ImageLike, load_image
from annlab.clustering import kmeans_ann
from annlab.result import KMeansResult


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
        Peak signal-to-noise ratio, 10 log₁₀(255² / MSE) over all channels; infinite if equal.
    original_bytes : int
        3·h·w.
    compressed_bytes : int
        The palette and ⌈log₂ k⌉ bits a pixel.
    color_space : str
    result : KMeansResult
        Its ``labels`` are those of the pixels, row by row; its ``centroids`` are features,
        colours first.
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
    image: ImageLike,
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
    random_state: Seed = None,
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
        Weight of the position of a pixel. At 1 the longer side of the picture is as long as the
        range of one colour channel (in ``"lab"``, as black from white).
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
        distinct, places, repeats = _distinct_colours(colours)
        # with fewer colours than clusters, the fit warns
        if isinstance(n_clusters, (int, np.integer)) and n_clusters <= len(distinct):
            colours, inverse, counts = distinct, places, repeats
    X = _features(colours, color_space)
    if weight > 0:
        X = np.concatenate([X, _positions(height, width, weight)], axis=1)
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
        result = replace(result, labels=frozen(result.labels[inverse]))
    palette = _palette(result.centroids[:, :3], color_space)
    labels = result.labels.reshape(height, width)
    segmented = palette[labels]
    return SegmentationResult(
        labels=labels,
        palette=frozen(palette),
        segmented_image=frozen(segmented),
        psnr_db=psnr_db(segmented, pixels),
        original_bytes=pixels.size,
        compressed_bytes=palette.size + code_bytes(height * width, len(palette)),
        color_space=color_space,
        result=result,
    )


def _distinct_colours(colours: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the distinct colours, each pixel's colour number, and the counts."""
    packed = colours.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], dtype=np.uint32)
    values, places, repeats = np.unique(packed, return_inverse=True, return_counts=True)
    distinct = np.stack([values >> 16, values >> 8 & 255, values & 255], axis=1)
    return distinct.astype(np.uint8), places.reshape(-1), repeats


def _positions(height: int, width: int, weight: float) -> np.ndarray:
    """Return column and row of each pixel; the longer side is ``weight`` long."""
    y, x = np.divmod(np.arange(height * width), width)
    places = np.stack([x, y], axis=1) * (weight / max(height - 1, width - 1, 1))
    return places.astype(np.float32)


def _features(colours: np.ndarray, color_space: str) -> np.ndarray:
    """Return colours as float32 points in a box about one unit wide."""
    if color_space == "rgb":
        return colours.astype(np.float32) / np.float32(255)
    return (rgb_to_lab(colours) / 100).astype(np.float32)


def _palette(points: np.ndarray, color_space: str) -> np.ndarray:
    points = points.astype(np.float64)
    rgb = np.clip(points, 0, 1) if color_space == "rgb" else lab_to_rgb(points * 100)
    return np.floor(rgb * 255 + 0.5).astype(np.uint8)

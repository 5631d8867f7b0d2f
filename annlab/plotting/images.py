"""Pictures of colours and patches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from annlab._support.checks import (
    as_array,
    check_integer,
    check_items,
)
from annlab._support.errors import invalid
from annlab.plotting._axes import (
    drawing_axes,
    finite_numbers,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_palette(colors: Any, counts: ArrayLike | None = None, *, ax: Axes | None = None) -> Axes:
    """Draw the colours of a segmented image as a bar, by falling share.

    Parameters
    ----------
    colors : array-like of shape (k, 3) or (k, 4), or a segmentation
        uint8, or floats from 0 to 1. A result of `segment_image` supplies its counts.
    counts : array-like of shape (k,), optional
        Pixels of each colour; equal shares by default.
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    TypeError, ValueError

    Examples
    --------
    >>> import numpy as np
    >>> from matplotlib.figure import Figure
    >>> from annlab.plotting import plot_palette
    >>> colors = np.array([[255, 0, 0], [0, 0, 255]], dtype=np.uint8)
    >>> len(plot_palette(colors, [1, 3], ax=Figure().add_subplot()).patches)
    2
    """
    if hasattr(colors, "palette"):
        if counts is None:
            counts = np.bincount(np.ravel(colors.labels), minlength=len(colors.palette))
        colors = colors.palette
    colors = as_array(colors, "colors")
    if colors.ndim != 2 or colors.shape[1] not in (3, 4) or not len(colors):
        raise invalid("colors", "an array of shape (k, 3) or (k, 4)", f"shape {colors.shape}")
    colors = _zero_to_one(colors, "colors")
    shares = np.ones(len(colors)) if counts is None else finite_numbers(counts, "counts")
    if shares.shape != (len(colors),) or shares.min() < 0 or shares.sum() <= 0:
        raise invalid("counts", f"{len(colors)} numbers >= 0, not all 0", counts)
    shares = shares / shares.sum()
    ax = drawing_axes(ax, figsize=(6.4, 1.4))
    left = 0.0
    for place in np.argsort(-shares, kind="stable"):
        ax.barh(0, shares[place], left=left, height=1, color=colors[place], linewidth=0)
        if shares[place] >= 0.06 and counts is not None:
            dark = colors[place, :3] @ (0.299, 0.587, 0.114) < 0.55
            ax.text(
                left + shares[place] / 2,
                0,
                f"{shares[place]:.0%}",
                ha="center",
                va="center",
                color="white" if dark else "black",
            )
        left += shares[place]
    ax.set_xlim(0, 1)
    ax.set_ylim(-0.5, 0.5)
    ax.set_axis_off()
    return ax


def _zero_to_one(values: np.ndarray, name: str) -> np.ndarray:
    if values.dtype.kind in "iu":
        if values.min() < 0 or values.max() > 255:
            raise invalid(name, "integers from 0 to 255", f"{values.min()} to {values.max()}")
        return values / 255.0
    if values.dtype.kind != "f" or not np.isfinite(values).all():
        raise invalid(name, "finite numbers", f"dtype {values.dtype}")
    # means of pixels may exceed the range by rounding
    if values.min() < -1e-3 or values.max() > 1 + 1e-3:
        raise invalid(name, "floats from 0 to 1", f"{values.min():g} to {values.max():g}")
    return np.clip(values, 0.0, 1.0)


def plot_patches(
    patches: ArrayLike,
    *,
    ax: Axes | None = None,
    shape: tuple[int, ...] | None = None,
    n_columns: int | None = None,
    max_patches: int = 256,
    rescale: bool = False,
) -> Axes:
    """Draw rows of pixels as a grid of small images: patches or their centroids.

    Parameters
    ----------
    patches : array-like of shape (m, height·width·channels) or (m, height, width[, channels])
        uint8, or floats from 0 to 1.
    ax : matplotlib Axes, optional
    shape : tuple of int, optional
        (height, width) or (height, width, 3) of a flat row; squares are recognised.
    n_columns : int, optional
        By default the grid is about square.
    max_patches : int, default=256
        Draw the first ones of more.
    rescale : bool, default=False
        Stretch each patch to the full range of brightness; accepts any numbers.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    TypeError, ValueError

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from annlab.datasets import load_patches
    >>> from annlab.plotting import plot_patches
    >>> ax = plot_patches(load_patches(30, 8, random_state=0), ax=Figure().add_subplot())
    >>> ax.images[0].get_array().shape
    (46, 55, 3)
    """
    array = as_array(patches, "patches")
    if array.ndim == 2 and array.size:
        array = array.reshape(len(array), *_patch_shape(array.shape[1], shape))
    if array.ndim == 3:
        array = array[..., None]
    if array.ndim != 4 or array.shape[-1] not in (1, 3) or not array.size:
        raise invalid(
            "patches",
            "an array of shape (m, height·width·channels) or (m, height, width, 1 or 3)",
            f"shape {np.shape(patches)}",
        )
    total = len(array)
    array = array[: check_integer(max_patches, "max_patches")]
    if rescale:
        array = array.astype(np.float64)
        low = array.min(axis=(1, 2, 3), keepdims=True)
        span = array.max(axis=(1, 2, 3), keepdims=True) - low
        array = np.divide(array - low, span, out=np.full_like(array, 0.5), where=span > 0)
    array = _zero_to_one(array, "patches")
    m, height, width, channels = array.shape
    columns = (
        int(np.ceil(np.sqrt(m))) if n_columns is None else check_integer(n_columns, "n_columns")
    )
    columns = min(columns, m)
    rows = -(-m // columns)
    sheet = np.ones((rows * (height + 1) + 1, columns * (width + 1) + 1, channels))
    for place, patch in enumerate(array):
        top, left = (place // columns) * (height + 1) + 1, (place % columns) * (width + 1) + 1
        sheet[top : top + height, left : left + width] = patch
    ax = drawing_axes(ax, figsize=(6, 6 * sheet.shape[0] / sheet.shape[1]))
    if channels == 1:
        ax.imshow(sheet[..., 0], cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    else:
        ax.imshow(sheet, interpolation="nearest")
    if m < total:
        ax.set_title(f"the first {m} of {total:,}")
    ax.set_axis_off()
    return ax


def _patch_shape(n_pixels: int, shape: tuple[int, ...] | None) -> tuple[int, ...]:
    if shape is not None:
        rule = f"(height, width[, channels]) of {n_pixels} numbers"
        sides = tuple(
            check_integer(side, "shape", minimum=1) for side in check_items(shape, "shape", rule)
        )
        if int(np.prod(sides)) != n_pixels or len(sides) not in (2, 3):
            raise invalid("shape", rule, shape)
        return sides
    for channels in (3, 1):
        side = round((n_pixels / channels) ** 0.5)
        if side * side * channels == n_pixels:
            return (side, side, channels)
    raise invalid(
        "patches",
        "square patches of one or three channels, unless shape is given",
        f"rows of {n_pixels} numbers",
        "Pass shape=(height, width, channels).",
    )

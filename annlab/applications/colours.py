"""Conversion between sRGB and CIELAB."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from annlab._support.checks import as_array
from annlab._support.errors import invalid

#: linear sRGB -> CIE XYZ, IEC 61966-2-1, divided by the white point D65 (2° observer).
_TO_XYZ = np.array(
    [
        [0.412453, 0.357580, 0.180423],
        [0.212671, 0.715160, 0.072169],
        [0.019334, 0.119193, 0.950227],
    ]
) / np.array([[0.95047], [1.0], [1.08883]])
_FROM_XYZ = np.linalg.inv(_TO_XYZ)
_DELTA = 6 / 29


def rgb_to_lab(rgb: ArrayLike) -> np.ndarray:
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


def lab_to_rgb(lab: ArrayLike) -> np.ndarray:
    """Convert CIELAB to sRGB, clipped to the colours that sRGB has.

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


def _colours(values: ArrayLike, name: str) -> np.ndarray:
    array = as_array(values, name)
    if array.dtype.kind not in "fiu" or array.ndim < 1 or array.shape[-1] != 3:
        raise invalid(
            name,
            "an array of numbers of shape (..., 3)",
            f"shape {array.shape}, dtype {array.dtype}",
            "Put the three channels last.",
        )
    return array


def _unit_colours(values: ArrayLike, name: str) -> np.ndarray:
    array = _colours(values, name)
    if array.dtype == np.uint8:
        return array / 255.0
    return check_unit_range(array, name).astype(np.float64)


def check_unit_range(array: np.ndarray, name: str) -> np.ndarray:
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

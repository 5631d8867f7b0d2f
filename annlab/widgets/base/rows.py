"""Rows and pictures for explorers: thinned, rotated or without groups."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from annlab._support.checks import check_data
from annlab._support.types import LabelsLike
from annlab.datasets import load_patches, make_uniform_cube
from annlab.metrics import check_labels

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

#: Name of a reader's own data in menus.
OWN = "your data"


def digest(X: np.ndarray) -> str:
    """Return a key of the rows' content, for stored measurements."""
    return hashlib.sha256(X.tobytes()).hexdigest()


def own_rows(
    X: ArrayLike, labels: LabelsLike | None, *, fewest: int, most: int
) -> tuple[np.ndarray, np.ndarray | None]:
    """Check a reader's own rows, and thin them evenly if there are too many.

    Returns the rows as float64, and their groups numbered from 0 (−1 for outliers) or None.
    """
    rows = check_data(X, min_rows=fewest).astype(np.float64)
    if labels is None:
        return evenly(rows, most), None
    groups = np.maximum(check_labels(labels, "labels", len(rows)), -1)
    names, groups = np.unique(evenly(groups, most), return_inverse=True)
    return evenly(rows, most), groups - int(names[0] < 0)


def evenly(X: np.ndarray, most: int) -> np.ndarray:
    """Return at most that many rows, evenly spaced."""
    return X[:: -(-len(X) // most)]


def shuffled_columns(X: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    """Permute each column on its own: the same features without groups."""
    return np.column_stack([rng.permutation(column) for column in X.T])


def main_axes(X: np.ndarray, count: int | None = None) -> np.ndarray:
    """Return the principal axes of centred rows, the widest first.

    The result has shape (d, count), by default (d, d).
    """
    basis = np.linalg.eigh(X.T @ X)[1][:, ::-1][:, :count]
    # an eigenvector's sign is arbitrary; this one does not depend on the machine
    return basis * np.sign(basis[np.abs(basis).argmax(axis=0), np.arange(basis.shape[1])])


def rotated(X: np.ndarray) -> np.ndarray:
    """Centre rows and rotate them onto their main axes, widest first."""
    X = X - X.mean(axis=0)
    return X @ main_axes(X)


@lru_cache(maxsize=4)
def cube_or_patches(kind: str, count: int) -> np.ndarray:
    """Return rows of 192 features: uniform ones, or rotated image patches."""
    if kind == "uniform":
        return make_uniform_cube(count, 192, random_state=0, dtype=np.float64)
    return rotated(load_patches(count, 8, random_state=0).astype(np.float64))


def thinned(pixels: np.ndarray, most: int) -> np.ndarray:
    """Thin a picture to at most that many pixels."""
    step = max(1, int(np.ceil(np.sqrt(pixels.shape[0] * pixels.shape[1] / most))))
    return np.ascontiguousarray(pixels[::step, ::step])


def pictures(images: object, name: str, most: int) -> dict[str, np.ndarray]:
    """Return the pixels of one picture, or of a mapping of pictures, by name."""
    from annlab.applications import load_image

    if not isinstance(images, Mapping):
        images = {name: images}
    return {str(key): thinned(load_image(image), most) for key, image in images.items()}

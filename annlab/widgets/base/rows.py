"""Rows and pictures that explorers show: thinned, turned into their axes, or without groups."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from annlab._support.checks import check_data
from annlab._support.types import LabelsLike
from annlab.metrics import check_labels

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

#: What a reader's own data are called on menus.
OWN = "your data"


def digest(X: np.ndarray) -> str:
    """Name rows by their content, so that what is measured on them can be kept."""
    return hashlib.sha256(X.tobytes()).hexdigest()


def own_rows(
    X: ArrayLike, labels: LabelsLike | None, *, fewest: int, most: int
) -> tuple[np.ndarray, np.ndarray | None]:
    """Check rows of the reader's own, and keep evenly spaced ones if there are too many.

    Returns
    -------
    rows : ndarray of shape (n, d), float64
    groups : ndarray of shape (n,), int, or None
        Numbered from 0; −1 for outliers.

    Raises
    ------
    TypeError, ValueError
    """
    rows = check_data(X, min_rows=fewest).astype(np.float64)
    if labels is None:
        return evenly(rows, most), None
    groups = np.maximum(check_labels(labels, "labels", len(rows)), -1)
    names, groups = np.unique(evenly(groups, most), return_inverse=True)
    return evenly(rows, most), groups - int(names[0] < 0)


def evenly(X: np.ndarray, most: int) -> np.ndarray:
    """At most so many rows, evenly spaced."""
    return X[:: -(-len(X) // most)]


def shuffled_columns(X: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    """The same features without groups: each column keeps its values and loses its company."""
    return np.column_stack([rng.permutation(column) for column in X.T])


def main_axes(X: np.ndarray, count: int | None = None) -> np.ndarray:
    """Directions in which centred rows spread most, the widest first.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Of mean 0.
    count : int, optional
        How many axes; all by default.

    Returns
    -------
    ndarray of shape (d, count)
    """
    basis = np.linalg.eigh(X.T @ X)[1][:, ::-1][:, :count]
    # an eigenvector has no sign of its own; this one does not depend on the machine
    return basis * np.sign(basis[np.abs(basis).argmax(axis=0), np.arange(basis.shape[1])])


def thinned(pixels: np.ndarray, most: int) -> np.ndarray:
    """A picture of at most so many pixels: rows and columns are left out."""
    step = max(1, int(np.ceil(np.sqrt(pixels.shape[0] * pixels.shape[1] / most))))
    return np.ascontiguousarray(pixels[::step, ::step])


def pictures(images: object, name: str, most: int) -> dict[str, np.ndarray]:
    """Name -> pixels of one picture, or of a mapping of name to picture."""
    from annlab.applications import load_image

    if not isinstance(images, Mapping):
        images = {name: images}
    return {str(key): thinned(load_image(image), most) for key, image in images.items()}

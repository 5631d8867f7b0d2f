"""Rows and pictures that explorers show: thinned, turned into their axes, or without groups."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np

#: What a reader's own data are called on menus.
OWN = "your data"


def digest(X: np.ndarray) -> str:
    """Name rows by their content, so that what is measured on them can be kept."""
    return hashlib.sha256(X.tobytes()).hexdigest()


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

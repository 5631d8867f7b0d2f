"""Words of `visual_words_explorer`, their orders and their patches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from annlab.applications import RebuiltImage, VisualWords
from annlab.distances import paired_sq

#: Patches of a word that are shown, from the nearest to the farthest.
MEMBERS = 12
#: Saturation below which a colour counts as grey.
_GREY = 0.15


@dataclass(frozen=True)
class Learned:
    """What the explorer shows."""

    vocabulary: VisualWords
    rebuilt: dict[str, RebuiltImage]
    #: name of an order -> words by place in the mosaic
    orders: dict[str, np.ndarray]
    #: pixels of patches of each word, from the nearest to the farthest, shape (k, 12, d), uint8
    members: np.ndarray
    #: patches that were learned from
    n: int


def grid_columns(n_words: int) -> int:
    """Return the columns of a mosaic that is about as wide as it is high."""
    return int(np.ceil(np.sqrt(n_words)))


def orders(vocabulary: VisualWords) -> dict[str, np.ndarray]:
    """Sort the words for the mosaic in several ways."""
    from matplotlib.colors import rgb_to_hsv

    words = vocabulary.words
    means = np.clip(words.reshape(len(words), -1, 3).mean(axis=1), 0, 1)
    hue, saturation, brightness = rgb_to_hsv(means).T
    # greys first, dark to light; then bands of hue, dark to light in each
    band = np.where(saturation < _GREY, -1, np.floor(hue * 24))
    # the two directions in which words differ most: rows along one, columns along the other
    centred = words.astype(np.float64) - words.mean(axis=0)
    _, vectors = np.linalg.eigh(centred.T @ centred)
    first, second = vectors[:, -1], vectors[:, -2]
    along = centred @ (first * np.sign(first.sum() or 1))
    across = centred @ (second * np.sign(second[np.abs(second).argmax()]))
    columns = grid_columns(len(words))
    row = np.empty(len(words), dtype=np.int64)
    row[np.argsort(-along, kind="stable")] = np.arange(len(words)) // columns
    return {
        "frequency": np.argsort(-vocabulary.counts, kind="stable"),
        "hue": np.lexsort((brightness, band)),
        "likeness": np.lexsort((across, row)),
    }


def members_of(X: np.ndarray, vocabulary: VisualWords) -> np.ndarray:
    """Choose patches of each word, evenly from the nearest to the farthest."""
    labels = vocabulary.result.labels
    by_word = np.lexsort((paired_sq(X, vocabulary.words, labels), labels))
    starts = np.concatenate([[0], np.cumsum(vocabulary.counts)[:-1]])
    last = np.maximum(vocabulary.counts - 1, 0)
    shares = np.arange(MEMBERS) / (MEMBERS - 1)
    spread = np.rint(last[:, None] * shares).astype(np.int64)
    # each of few patches is shown once
    few = np.minimum(np.arange(MEMBERS), last[:, None])
    places = np.where(vocabulary.counts[:, None] > MEMBERS, spread, few) + starts[:, None]
    chosen = X[by_word[np.minimum(places, len(X) - 1)]]
    return np.rint(chosen * 255).astype(np.uint8)

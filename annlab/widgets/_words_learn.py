"""What `annlab.widgets.visual_words_explorer` learns: words, their orders and their patches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from annlab.applications import RebuiltImage, VisualWords
from annlab.distances import paired_sq

#: Patches of a word that are shown, from the nearest to the farthest.
MEMBERS = 12
#: Below this saturation a colour has no hue worth sorting by.
_GREY = 0.15


@dataclass(frozen=True)
class Learned:
    """What the explorer shows.

    Attributes
    ----------
    vocabulary : VisualWords
    rebuilt : dict of str to RebuiltImage
    orders : dict of str to ndarray of shape (k,)
        Words by place in the mosaic.
    members : ndarray of shape (k, 12, 3·size·size), uint8
        Patches of each word, from the nearest to the farthest; the last ones repeat where a word
        has fewer.
    n : int
        Patches that were learned from.
    """

    vocabulary: VisualWords
    rebuilt: dict[str, RebuiltImage]
    orders: dict[str, np.ndarray]
    members: np.ndarray
    n: int


def room(X: np.ndarray, k: int) -> int:
    """k, or the number of distinct rows where that is less: a drawing has many equal patches."""
    spread = X @ np.linspace(1, 2, X.shape[1], dtype=np.float32)
    # rounded, these are at most as many as the distinct rows, and mostly more than enough
    if len(np.unique(spread.round(3))) >= k:
        return k
    return min(k, len(np.unique(np.rint(X * 255).astype(np.uint8), axis=0)))


def grid_columns(n_words: int) -> int:
    """Columns of the mosaic, which is about as wide as it is high."""
    return int(np.ceil(np.sqrt(n_words)))


def orders(vocabulary: VisualWords) -> dict[str, np.ndarray]:
    """Words by place in the mosaic, for each way to sort them."""
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
    """Patches of each word, evenly from the nearest to the farthest."""
    labels = vocabulary.result.labels
    by_word = np.lexsort((paired_sq(X, vocabulary.words, labels), labels))
    starts = np.concatenate([[0], np.cumsum(vocabulary.counts)[:-1]])
    last = np.maximum(vocabulary.counts - 1, 0)
    shares = np.arange(MEMBERS) / (MEMBERS - 1)
    spread = np.rint(last[:, None] * shares).astype(np.int64)
    # of few patches each is shown once
    few = np.minimum(np.arange(MEMBERS), last[:, None])
    places = np.where(vocabulary.counts[:, None] > MEMBERS, spread, few) + starts[:, None]
    chosen = X[by_word[np.minimum(places, len(X) - 1)]]
    return np.rint(chosen * 255).astype(np.uint8)

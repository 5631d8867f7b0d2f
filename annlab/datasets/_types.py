"""Records that loaders return."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from annlab._support.pair import Pair


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Dataset(Pair):
    """Points and what is known about them. Unpacks as ``X, labels = dataset``.

    Attributes
    ----------
    X : ndarray of shape (n, d), float32 unless another dtype was asked for, C order
    labels : ndarray of shape (n,), int32, or None
        The true group of each point; −1 marks an outlier; None if unknown.
    name : str
    description : str
        One or two sentences: what the rows are and where they come from.
    centers : ndarray of shape (k, d), dtype of X, or None
        The true centres of generated groups, row ``i`` for label ``i``.
    label_names : tuple of str
        ``label_names[i]`` is the name of label ``i``; empty if labels have no names.

    Examples
    --------
    >>> from annlab.datasets import make_blobs
    >>> X, labels = make_blobs(300, 3, random_state=0)
    >>> X.shape, X.dtype.name, sorted(set(labels.tolist()))
    ((300, 2), 'float32', [0, 1, 2])
    """

    X: np.ndarray
    labels: np.ndarray | None
    name: str
    description: str
    centers: np.ndarray | None = None
    label_names: tuple[str, ...] = ()

    _pair_names = ("X", "labels")

    def __repr__(self) -> str:
        n, d = self.X.shape
        if self.labels is None:
            groups = "no labels"
        else:
            groups = f"{len(np.unique(self.labels[self.labels >= 0])):,} groups"
            outliers = int((self.labels < 0).sum())
            groups += f", {outliers:,} outliers" if outliers else ""
        return f"Dataset {self.name}: {n:,} points, {d:,} features, {self.X.dtype}, {groups}"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Corpus(Pair):
    """Texts with their themes. Unpacks as ``documents, labels = corpus``.

    Attributes
    ----------
    documents : tuple of str
    labels : ndarray of shape (n,), int32
    label_names : tuple of str
        ``label_names[i]`` is the name of label ``i``, in alphabetical order.
    name : str
    description : str

    Examples
    --------
    >>> from annlab.datasets import load_documents
    >>> documents, labels = load_documents()
    >>> len(documents) == len(labels)
    True
    """

    documents: tuple[str, ...]
    labels: np.ndarray
    label_names: tuple[str, ...]
    name: str
    description: str

    _pair_names = ("documents", "labels")

    def __repr__(self) -> str:
        counts = Counter(self.labels.tolist())
        themes = ", ".join(f"{theme} {counts[i]}" for i, theme in enumerate(self.label_names[:8]))
        more = len(self.label_names) - 8
        return (
            f"Corpus {self.name}: {len(self.documents):,} documents, "
            f"{len(self.label_names)} labels ({themes}{f', and {more} more' if more > 0 else ''})"
        )


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ANNBenchmark:
    """A standard nearest-neighbour benchmark: points, queries and true answers.

    Attributes
    ----------
    train : ndarray of shape (n, d), float32
        The points to index.
    test : ndarray of shape (nq, d), float32
        The queries.
    neighbors : ndarray of shape (nq, m), int64
        Rows of ``train``, nearest first.
    distances : ndarray of shape (nq, m), float32
        Their distances in ``metric``.
    metric : str
        ``"euclidean"`` or ``"cosine"`` (the files call it angular).
    name : str
    path : pathlib.Path
        The file in the cache.
    sha256 : str
        Its checksum, to be passed as ``known_hash`` elsewhere.
    """

    train: np.ndarray
    test: np.ndarray
    neighbors: np.ndarray
    distances: np.ndarray
    metric: str
    name: str
    path: Path
    sha256: str

    def __repr__(self) -> str:
        return (
            f"ANNBenchmark {self.name}: {len(self.train):,} points, {self.train.shape[1]:,} "
            f"features, {len(self.test):,} queries with {self.neighbors.shape[1]} neighbours, "
            f"{self.metric}"
        )

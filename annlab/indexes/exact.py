"""Exact indexes: brute force, and the two trees of scikit-learn."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from annlab._support.checks import check_integer, is_sparse
from annlab._support.types import Matrix
from annlab.distances import frame_of, k_nearest, nearest
from annlab.indexes._base import NeighborIndex


class BruteIndex(NeighborIndex):
    """Compare each query with every row through BLAS, in cache-sized blocks.

    Parameters
    ----------
    metric : {"euclidean", "cosine"}, default="euclidean"
    n_jobs : int or None, default=None
        Threads for queries; None for all cores of this process.

    Notes
    -----
    2·nq·n·d operations; at d = 128 and 4,096 rows about as fast as a walk through an HNSW graph.
    Sparse queries stay sparse.

    Examples
    --------
    >>> import numpy as np
    >>> from annlab.indexes.exact import BruteIndex
    >>> index = BruteIndex().fit(np.array([[0.0], [1.0], [4.0]]))
    >>> index.kneighbors(np.array([[0.9], [5.0]]), 1)[1].ravel()
    array([1, 2])
    >>> index.n_distances_
    6
    """

    name = "brute"
    exact = True
    accepts_sparse = True

    def __init__(self, *, metric: str = "euclidean", n_jobs: int | None = None) -> None:
        self.metric = metric
        self.n_jobs = n_jobs

    def _build(self, X: np.ndarray) -> None:
        self._frame = frame_of(X)

    def _search(self, Q: Matrix, n_neighbors: int) -> tuple[np.ndarray, int]:
        count = Q.shape[0] * len(self.X_)
        if n_neighbors > 1:
            return k_nearest(Q, self.X_, n_neighbors)[1], count
        # a sparse query cannot be shifted without becoming dense
        frame = None if is_sparse(Q) else self._frame
        return nearest(Q, self.X_, frame=frame)[:, None], count


class _TreeIndex(NeighborIndex):
    """Base of the two trees."""

    exact = True
    # scikit-learn's trees hold the interpreter's lock while they search
    uses_threads: ClassVar[bool] = False
    _tree_class: ClassVar[str] = ""

    def __init__(
        self, *, leaf_size: int = 40, metric: str = "euclidean", n_jobs: int | None = None
    ) -> None:
        self.leaf_size = leaf_size
        self.metric = metric
        self.n_jobs = n_jobs

    def _build(self, X: np.ndarray) -> None:
        import sklearn.neighbors

        leaf_size = check_integer(self.leaf_size, "leaf_size")
        tree_class = getattr(sklearn.neighbors, self._tree_class)
        self.tree_ = tree_class(X, leaf_size=leaf_size, metric="euclidean")

    def _search(self, Q: np.ndarray, n_neighbors: int) -> tuple[np.ndarray, int]:
        # one more, by which the base detects ties
        m = min(n_neighbors + 1, self.tree_.data.shape[0])
        self.tree_.reset_n_calls()
        rows = self.tree_.query(Q, k=m, return_distance=False, sort_results=False)
        return rows, int(self.tree_.get_n_calls())


class KDTreeIndex(_TreeIndex):
    """Split space at medians of coordinates (scikit-learn's `KDTree`); exact.

    Parameters
    ----------
    leaf_size : int, default=40
        Rows of a leaf, which are compared one by one.
    metric : {"euclidean", "cosine"}, default="euclidean"
    n_jobs : int or None, default=None
        No effect: the tree holds the interpreter's lock.

    Notes
    -----
    Build O(d·n log n); a query about O(d·log n) for small d, O(d·n) above some 15 dimensions, where
    hardly any leaf can be ruled out. Bentley 1975, doi 10.1145/361002.361007.

    Examples
    --------
    >>> import numpy as np
    >>> from annlab.indexes.exact import KDTreeIndex
    >>> KDTreeIndex(leaf_size=1).fit(np.array([[0.0], [1.0], [4.0]])).kneighbors([[0.9]], 2)[1]
    array([[1, 0]])
    """

    name = "kd_tree"
    _tree_class = "KDTree"


class BallTreeIndex(_TreeIndex):
    """Nest the rows in balls (scikit-learn's `BallTree`); exact.

    Parameters
    ----------
    leaf_size : int, default=40
        Rows of a leaf, which are compared one by one.
    metric : {"euclidean", "cosine"}, default="euclidean"
    n_jobs : int or None, default=None
        No effect: the tree holds the interpreter's lock.

    Notes
    -----
    A ball is skipped if, by the triangle inequality, it holds no row nearer than the best so far.
    Costs as for the k-d tree, and it degrades a little later as d grows. ``n_distances_`` counts
    the centres of balls as well as rows. Omohundro 1989, ICSI technical report TR-89-063.

    Examples
    --------
    >>> import numpy as np
    >>> from annlab.indexes.exact import BallTreeIndex
    >>> BallTreeIndex(leaf_size=1).fit(np.array([[0.0], [1.0], [4.0]])).kneighbors([[0.9]], 2)[1]
    array([[1, 0]])
    """

    name = "ball_tree"
    _tree_class = "BallTree"

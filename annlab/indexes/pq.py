"""Product quantization: rows become short codes, distances look-ups."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from annlab._support.checks import check_data, check_integer, check_random_state
from annlab._support.errors import invalid
from annlab._support.threads import Workers
from annlab._support.types import Matrix, MatrixLike, Seed
from annlab.distances import nearest, pairwise_sq, unit_rows
from annlab.indexes._base import Frame, NeighborIndex

#: Queries whose distances to all rows are summed at once.
_QUERIES = 64


class PQIndex(NeighborIndex):
    """Cut vectors into pieces, quantize each by k-means, search the codes.

    A row becomes ``n_subspaces`` codes, each the nearest of ``n_codes`` centroids of its piece. A
    query is not coded (*asymmetric* distance): its pieces are compared with all centroids once, and
    the distance to a row is the sum of ``n_subspaces`` table entries. The ``rerank`` nearest rows
    by that sum are compared exactly.

    Parameters
    ----------
    n_subspaces : int, default=16
        Pieces, at most d. If it does not divide d, the first pieces are one longer.
    n_codes : int, default=256
        Centroids of a piece, 2 to 65,536, or its different values if they are fewer. 256 make a
        code one byte.
    rerank : int, default=64
        Nearest rows by code that are compared exactly, at least ``n_neighbors``; 1 searches by the
        codes alone.
    max_iter : int, default=20
        Iterations of the k-means that trains each piece.
    metric : {"euclidean", "cosine"}, default="euclidean"
    random_state : None, int, RandomState or Generator, default=None
        Draws the starts of the k-means runs.
    n_jobs : int or None, default=None
        Threads for training and queries.

    Attributes
    ----------
    codebooks_ : list of ndarray of shape (at most n_codes, d of the piece)
        In the coordinates of the data, dtype of X.
    codes_ : ndarray of shape (n, n_subspaces), uint8 or uint16
    splits_ : ndarray of shape (n_subspaces + 1,), int64
        Piece m holds the columns ``splits_[m]`` to ``splits_[m + 1]``.
    quantization_error_ : float
        Mean squared distance between a row and its decoded codes.
    compressed_bytes_, codebook_bytes_, original_bytes_ : int
        Size of the codes packed to whole bits, of the codebooks, and of X.
    n_lookups_ : int
        Table entries summed by the last ``kneighbors`` call.

    Raises
    ------
    ValueError, TypeError
        At ``fit``.

    Notes
    -----
    Training costs O(n · n_codes · d) an iteration. A query costs O(n_codes · d) for its tables,
    ``n · n_subspaces`` additions, and ``rerank`` exact distances. ``n_distances_`` counts the
    tables as ``n_codes`` distances, and the exact ones. Jégou, Douze & Schmid 2011,
    doi 10.1109/TPAMI.2010.57.

    Examples
    --------
    >>> import numpy as np
    >>> from annlab.indexes.pq import PQIndex
    >>> X = np.random.RandomState(0).rand(500, 8)
    >>> index = PQIndex(n_subspaces=4, n_codes=16, random_state=0).fit(X)
    >>> index.codes_.shape, index.compressed_bytes_, index.original_bytes_
    ((500, 4), 1000, 32000)
    >>> index.kneighbors(X[5:8], 1)[1].ravel()
    array([5, 6, 7])
    """

    name = "pq"
    knobs: ClassVar[dict[str, tuple]] = {
        "rerank": (1, 4, 16, 64, 256),
        "n_subspaces": (4, 8, 16, 32),
        "n_codes": (16, 64, 256),
    }
    query_knobs: ClassVar[tuple[str, ...]] = ("rerank",)

    def __init__(
        self,
        *,
        n_subspaces: int = 16,
        n_codes: int = 256,
        rerank: int = 64,
        max_iter: int = 20,
        metric: str = "euclidean",
        random_state: Seed = None,
        n_jobs: int | None = None,
    ) -> None:
        self.n_subspaces = n_subspaces
        self.n_codes = n_codes
        self.rerank = rerank
        self.max_iter = max_iter
        self.metric = metric
        self.random_state = random_state
        self.n_jobs = n_jobs

    def _check_query_params(self) -> None:
        check_integer(self.rerank, "rerank")

    def _build(self, X: np.ndarray) -> None:
        n, d = X.shape
        n_subspaces = min(check_integer(self.n_subspaces, "n_subspaces"), d)
        n_codes = check_integer(self.n_codes, "n_codes", minimum=2, maximum=1 << 16)
        check_integer(self.max_iter, "max_iter")
        self._check_query_params()
        rng = check_random_state(self.random_state)
        seeds = rng.randint(2**31 - 1, size=n_subspaces)
        self._frame = Frame(X)
        rows = self._frame.apply(X)
        sizes = [len(piece) for piece in np.array_split(np.arange(d), n_subspaces)]
        splits = np.concatenate([[0], np.cumsum(sizes)])
        tasks = [
            (np.ascontiguousarray(rows[:, a:b]), n_codes, self.max_iter, int(seed))
            for a, b, seed in zip(splits[:-1], splits[1:], seeds, strict=True)
        ]
        with Workers(self.n_jobs) as workers:
            books = workers.map(_train, tasks)
        self.splits_, self._books = splits, books
        self.codes_ = self._encode(rows)
        shift = np.zeros(d) if self._frame.shift is None else self._frame.shift
        self.codebooks_ = [
            (book * self._frame.scale + shift[a:b]).astype(X.dtype)
            for book, a, b in zip(books, splits[:-1], splits[1:], strict=True)
        ]
        error = 0.0
        for start in range(0, n, 4096):
            difference = X[start : start + 4096] - self.decode(self.codes_[start : start + 4096])
            error += float(np.einsum("ij,ij->", difference, difference, dtype=np.float64))
        self.quantization_error_ = error / n
        bits = sum(max(1, (len(book) - 1).bit_length()) for book in books)
        self.compressed_bytes_ = -(-n * bits // 8)
        self.codebook_bytes_ = sum(book.nbytes for book in self.codebooks_)
        self.original_bytes_ = X.nbytes
        self.n_lookups_ = 0

    def _encode(self, rows: np.ndarray) -> np.ndarray:
        largest = max(len(book) for book in self._books)
        codes = np.empty(
            (len(rows), len(self._books)), dtype=np.uint8 if largest <= 256 else np.uint16
        )
        for m, book in enumerate(self._books):
            piece = rows[:, self.splits_[m] : self.splits_[m + 1]]
            for start in range(0, len(rows), 4096):
                codes[start : start + 4096, m] = nearest(
                    np.ascontiguousarray(piece[start : start + 4096]), book
                )
        return codes

    def encode(self, Q: MatrixLike) -> np.ndarray:
        """Return the codes of any rows.

        Parameters
        ----------
        Q : array-like of shape (nq, d)

        Returns
        -------
        ndarray of shape (nq, n_subspaces), uint8 or uint16

        Examples
        --------
        >>> import numpy as np
        >>> from annlab.indexes.pq import PQIndex
        >>> X = np.array([[0.0, 5.0], [1.0, 5.0], [0.0, 7.0]])
        >>> index = PQIndex(n_subspaces=2, n_codes=2).fit(X)
        >>> index.encode([[0.9, 6.8]]).tolist()
        [[1, 1]]
        """
        self._check_fitted()
        Q = check_data(Q, name="Q", n_features=self.n_features_in_)
        if self._metric == "cosine":
            Q, _ = unit_rows(Q)
        return self._encode(self._frame.apply(Q))

    def decode(self, codes: ArrayLike) -> np.ndarray:
        """Return the rows that codes represent: the centroids of their pieces.

        Parameters
        ----------
        codes : array-like of shape (m, n_subspaces), integer
            Such as ``codes_``.

        Returns
        -------
        ndarray of shape (m, d), dtype of X
            For cosine: of the unit rows.

        Raises
        ------
        ValueError, TypeError
            If codes are not in the codebooks.

        Examples
        --------
        >>> import numpy as np
        >>> from annlab.indexes.pq import PQIndex
        >>> X = np.array([[0.0, 5.0], [1.0, 5.0], [0.0, 7.0]])
        >>> index = PQIndex(n_subspaces=2, n_codes=2).fit(X)
        >>> index.decode(index.codes_).tolist()
        [[0.0, 5.0], [1.0, 5.0], [0.0, 7.0]]
        """
        if not hasattr(self, "codebooks_"):  # fit itself decodes before it is done
            self._check_fitted()
        codes = np.asarray(codes)
        pieces = len(self.codebooks_)
        if codes.ndim != 2 or codes.shape[1] != pieces or codes.dtype.kind not in "iu":
            raise invalid(
                "codes",
                f"an integer array of shape (m, {pieces})",
                f"shape {codes.shape}, dtype {codes.dtype}",
                "Pass rows of codes_, or what encode(Q) returns.",
            )
        for m, book in enumerate(self.codebooks_):
            if codes.size and not 0 <= codes[:, m].min() <= codes[:, m].max() < len(book):
                raise invalid(
                    "codes",
                    f"from 0 to {len(book) - 1} in column {m}",
                    f"{codes[:, m].min()} to {codes[:, m].max()}",
                    "Pass rows of codes_, or what encode(Q) returns.",
                )
        return np.concatenate([book[codes[:, m]] for m, book in enumerate(self.codebooks_)], axis=1)

    def asymmetric_sq(self, Q: MatrixLike) -> np.ndarray:
        """Return the squared distances of queries to all rows by their codes (ADC).

        Parameters
        ----------
        Q : array-like of shape (nq, d)

        Returns
        -------
        ndarray of shape (nq, n), float64
            ``‖q − decode(codes_[i])‖²`` within rounding; for cosine between unit rows.

        Notes
        -----
        O(nq · (n_codes · d + n · n_subspaces)); all of it is held at once.
        """
        self._check_fitted()
        Q = check_data(Q, name="Q", n_features=self.n_features_in_)
        if self._metric == "cosine":
            Q, _ = unit_rows(Q)
        return self._sums(self._frame.apply(Q)).T.astype(np.float64) * self._frame.scale**2

    def _sums(self, Q: np.ndarray) -> np.ndarray:
        """Return the sums of table entries, (n, nq), in the frame."""
        sums = np.zeros((len(self.codes_), len(Q)), dtype=Q.dtype)
        for m, book in enumerate(self._books):
            piece = np.ascontiguousarray(Q[:, self.splits_[m] : self.splits_[m + 1]])
            # in float64, so that the result does not depend on the rounding of a product
            table = pairwise_sq(piece.astype(np.float64), book.astype(np.float64))
            table = np.ascontiguousarray(table.T, dtype=Q.dtype)
            sums += table[self.codes_[:, m]]
        return sums

    def _prepare(self, Q: Matrix, n_neighbors: int) -> None:
        self.n_lookups_ = Q.shape[0] * self.codes_.size

    def _search(self, Q: np.ndarray, n_neighbors: int) -> tuple[np.ndarray, int]:
        n = len(self.codes_)
        kept = min(max(self.rerank, n_neighbors), n)
        tables = max(len(book) for book in self._books)
        count = len(Q) * (tables + (kept if self.rerank > 1 else 0))
        Q = self._frame.apply(Q)
        out = np.empty((len(Q), kept), dtype=np.int64)
        for start in range(0, len(Q), _QUERIES):
            sums = np.ascontiguousarray(self._sums(Q[start : start + _QUERIES]).T)
            if kept == 1:
                out[start : start + _QUERIES, 0] = sums.argmin(axis=1)
            else:
                out[start : start + _QUERIES] = np.argpartition(sums, kept - 1, axis=1)[:, :kept]
        return out, count


def _train(piece: np.ndarray, n_codes: int, max_iter: int, seed: int) -> np.ndarray:
    """Return the centroids of one piece, or its different values if they are few."""
    from annlab.clustering import kmeans

    distinct = np.unique(piece, axis=0)
    if len(distinct) <= n_codes:
        return distinct
    # k-means++ would take longer than the iterations that it saves
    result = kmeans(piece, n_codes, max_iter=max_iter, init="random", random_state=seed, n_jobs=1)
    return np.ascontiguousarray(result.centroids, dtype=piece.dtype)

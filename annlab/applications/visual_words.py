"""Visual words: centroids of image patches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from annlab._support.checks import check_integer, check_random_state
from annlab._support.errors import invalid
from annlab._support.pair import Pair
from annlab._support.threads import Workers
from annlab._support.types import Seed
from annlab.applications._pixels import code_bytes, frozen, psnr_db
from annlab.applications.images import ImageLike, load_image
from annlab.clustering import kmeans_ann
from annlab.datasets import load_patches
from annlab.fit.answers import label_rows
from annlab.result import KMeansResult


def cut_tiles(image: ImageLike, size: int) -> np.ndarray:
    """Cut a picture into square tiles that do not overlap, row by row.

    Parameters
    ----------
    image : path, bytes, binary file, PIL image, or array
        As in `load_image`. An incomplete tile at the right or at the bottom is dropped.
    size : int
        Side of a tile in pixels, at most the shorter side of the picture.

    Returns
    -------
    ndarray of shape (h // size, w // size, 3·size·size), float32
        Values from 0 to 1, in the order of `annlab.datasets.load_patches`.

    Raises
    ------
    TypeError, ValueError

    Examples
    --------
    >>> import numpy as np
    >>> from annlab.applications import cut_tiles
    >>> cut_tiles(np.zeros((5, 9, 3), dtype=np.uint8), 4).shape
    (1, 2, 48)
    """
    pixels = load_image(image)
    size = check_integer(size, "size")
    rows, columns = pixels.shape[0] // size, pixels.shape[1] // size
    if rows == 0 or columns == 0:
        raise invalid(
            "size",
            f"at most {min(pixels.shape[:2])}, the shorter side of the picture",
            size,
            "Ask for smaller tiles.",
        )
    squares = pixels[: rows * size, : columns * size].reshape(rows, size, columns, size, 3)
    # multiplied as in `load_patches`, so that equal pixels are equal numbers
    tiles = squares.swapaxes(1, 2).reshape(rows, columns, -1)
    return np.multiply(tiles, np.float32(1 / 255), dtype=np.float32)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class RebuiltImage(Pair):
    """A picture rebuilt from visual words. Unpacks as ``codes, image = rebuilt``.

    Attributes
    ----------
    codes : ndarray of shape (rows, columns), int32
        Word of each tile.
    image : ndarray of shape (rows·size, columns·size, 3), uint8
        Each tile replaced by its word.
    psnr_db : float
        Against the tiles of the original; infinite if equal.
    original_bytes : int
        Of the pixels of those tiles.
    code_bytes : int
        ⌈log₂ k⌉ bits a tile.
    book_bytes : int
        The words at 8 bits a value; many pictures can share them.
    """

    codes: np.ndarray
    image: np.ndarray
    psnr_db: float
    original_bytes: int
    code_bytes: int
    book_bytes: int

    _pair_names = ("codes", "image")

    def __repr__(self) -> str:
        rows, columns = self.codes.shape
        return (
            f"RebuiltImage: {rows} x {columns} tiles\n"
            f"  PSNR   {self.psnr_db:.2f} dB\n"
            f"  bytes  {self.original_bytes:,} → {self.code_bytes:,}"
            f" and a book of {self.book_bytes:,}"
        )


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class VisualWords(Pair):
    """A vocabulary of patches. Unpacks as ``words, counts = vocabulary``.

    Attributes
    ----------
    words : ndarray of shape (k, 3·size·size), float32
        The centroids: ``words[j].reshape(size, size, 3)`` is the picture of word ``j``.
    counts : ndarray of shape (k,), int64
        Patches of each word.
    size : int
        Side of a word in pixels.
    result : KMeansResult
        The fit over the patches.
    """

    words: np.ndarray
    counts: np.ndarray
    size: int
    result: KMeansResult

    _pair_names = ("words", "counts")

    def __repr__(self) -> str:
        return (
            f"VisualWords: {len(self.words):,} words of {self.size} x {self.size} pixels, "
            f"from {int(self.counts.sum()):,} patches"
        )

    @classmethod
    def from_fit(cls, result: KMeansResult, size: int) -> VisualWords:
        """Use the centroids of patches as words.

        Parameters
        ----------
        result : KMeansResult
            Of rows from `annlab.datasets.load_patches` or `cut_tiles`.
        size : int
            Side of the patches in pixels.

        Returns
        -------
        VisualWords

        Raises
        ------
        TypeError, ValueError
        """
        size = check_integer(size, "size")
        if result.centroids.shape[1] != 3 * size * size:
            raise invalid(
                "size",
                "such that 3·size·size is the number of features",
                f"{size} for {result.centroids.shape[1]} features",
                "Pass the size that the patches were cut with.",
            )
        counts = np.bincount(result.labels, minlength=result.n_clusters)
        return cls(result.centroids, frozen(counts), size, result)

    def encode(self, image: ImageLike, *, n_jobs: int | None = None) -> np.ndarray:
        """Find the nearest word of each tile of a picture.

        Parameters
        ----------
        image : path, bytes, binary file, PIL image, or array
            As in `load_image`.
        n_jobs : int, optional

        Returns
        -------
        ndarray of shape (h // size, w // size), int32

        Raises
        ------
        TypeError, ValueError

        Notes
        -----
        Exact; 2·tiles·k·d operations.
        """
        tiles = cut_tiles(image, self.size)
        rows, columns, d = tiles.shape
        with Workers(n_jobs) as workers:
            codes = label_rows(
                tiles.reshape(-1, d), self.words, metric="euclidean", workers=workers
            )
        return codes.reshape(rows, columns)

    def rebuild(self, image: ImageLike, *, n_jobs: int | None = None) -> RebuiltImage:
        """Replace each tile of a picture by its nearest word.

        Parameters
        ----------
        image, n_jobs
            As in `encode`.

        Returns
        -------
        RebuiltImage
            Unpacks as ``codes, image``.
        """
        pixels = load_image(image)
        codes = self.encode(pixels, n_jobs=n_jobs)
        rows, columns = codes.shape
        original = pixels[: rows * self.size, : columns * self.size]
        book = np.floor(np.clip(self.words, 0, 1) * np.float32(255) + np.float32(0.5))
        tiles = book.astype(np.uint8)[codes].reshape(rows, columns, self.size, self.size, 3)
        rebuilt = tiles.swapaxes(1, 2).reshape(original.shape)
        return RebuiltImage(
            codes=frozen(codes),
            image=frozen(np.ascontiguousarray(rebuilt)),
            psnr_db=psnr_db(rebuilt, original),
            original_bytes=original.size,
            code_bytes=code_bytes(codes.size, len(self.words)),
            book_bytes=self.words.size,
        )

    def histogram(self, image: ImageLike, *, n_jobs: int | None = None) -> np.ndarray:
        """Describe a picture by the shares of its words: its bag of words.

        Parameters
        ----------
        image, n_jobs
            As in `encode`.

        Returns
        -------
        ndarray of shape (k,), float64
            Shares of the tiles; they sum to 1.

        Notes
        -----
        Sivic & Zisserman (2003), "Video Google", doi 10.1109/ICCV.2003.1238663.
        """
        codes = self.encode(image, n_jobs=n_jobs)
        return np.bincount(codes.ravel(), minlength=len(self.words)) / codes.size


def learn_visual_words(
    photos: Any = ("china", "flower"),
    n_words: int = 256,
    *,
    n_patches: int = 20_000,
    size: int = 8,
    algorithm: Any = "auto",
    algorithm_params: dict[str, Any] | None = None,
    init: Any = "k-means++",
    max_iter: int = 50,
    tol: float = 1e-4,
    random_state: Seed = None,
    n_jobs: int | None = None,
    callback: Any = None,
) -> VisualWords:
    """Cluster patches of photographs: each centroid is a visual word.

    Parameters
    ----------
    photos : sequence of str or of ndarray, or mapping, default=("china", "flower")
        As in `annlab.datasets.load_patches`.
    n_words : int, default=256
        Number of clusters k.
    n_patches : int, default=20,000
        Patches to learn from, each cut at another position.
    size : int, default=8
        Side of a patch in pixels.
    algorithm, algorithm_params, init, max_iter, tol, n_jobs, callback
        As in `annlab.kmeans_ann`.
    random_state : int, RandomState, Generator or None, default=None
        Chooses the patches and the start.

    Returns
    -------
    VisualWords
        Unpacks as ``words, counts``.

    Raises
    ------
    TypeError, ValueError
        As `annlab.datasets.load_patches` and `annlab.kmeans_ann`.

    Notes
    -----
    Sivic & Zisserman (2003), doi 10.1109/ICCV.2003.1238663; with an approximate search over many
    words: Philbin et al. (2007), doi 10.1109/CVPR.2007.383172.

    Examples
    --------
    >>> from annlab.applications import learn_visual_words
    >>> from annlab.datasets import load_photo
    >>> vocabulary = learn_visual_words(n_words=16, n_patches=1000, size=4, random_state=0)
    >>> vocabulary
    VisualWords: 16 words of 4 x 4 pixels, from 1,000 patches
    >>> vocabulary.rebuild(load_photo("china")).codes.shape
    (106, 160)
    """
    rng = check_random_state(random_state)
    patches = load_patches(n_patches, size, photos=photos, random_state=rng)
    result = kmeans_ann(
        patches,
        n_words,
        max_iter,
        algorithm=algorithm,
        algorithm_params=algorithm_params,
        init=init,
        tol=tol,
        random_state=rng,
        n_jobs=n_jobs,
        callback=callback,
    )
    return VisualWords.from_fit(result, size)

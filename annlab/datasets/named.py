"""Data sets by name: digits, and the four of annlab's benchmarks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from annlab._support.checks import check_choice, check_integer
from annlab._support.threads import Workers
from annlab._support.types import Seed
from annlab.datasets._types import Dataset
from annlab.datasets.photos import _SKLEARN, load_patches, sample_patches
from annlab.datasets.shapes import make_uniform_cube
from annlab.datasets.synthetic import make_gaussian_mixture


def load_digits_data() -> Dataset:
    """Load the handwritten digits of scikit-learn.

    Returns
    -------
    Dataset
        ``X`` of shape (1797, 64), float32: 8 × 8 pixels with values from 0 to 16. ``labels`` are
        the digits 0 to 9.

    Notes
    -----
    Source: Alpaydin & Kaynak (1998), Optical Recognition of Handwritten Digits, UCI Machine
    Learning Repository, doi 10.24432/C50P49, CC BY 4.0.

    Examples
    --------
    >>> from annlab.datasets import load_digits_data
    >>> load_digits_data()
    Dataset digits: 1,797 points, 64 features, float32, 10 groups
    """
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    return Dataset(
        X=np.ascontiguousarray(X, dtype=np.float32),
        labels=y.astype(np.int32),
        name="digits",
        description="Handwritten digits, 8 x 8 pixels, by 13 writers.",
        label_names=tuple("0123456789"),
    )


def _p200(n: int, random_state: Seed) -> Dataset:
    return Dataset(
        X=load_patches(n, 8, random_state=random_state),
        labels=None,
        name="P200",
        description=f"{n:,} real 8 x 8 colour patches of two photographs, values 0 to 1.",
    )


def _moments(block: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    part = block.astype(np.float64)
    return part.sum(axis=0), part.T @ part


def _project(block: np.ndarray, mean: np.ndarray, basis: np.ndarray) -> np.ndarray:
    return ((block - mean) @ basis).astype(np.float32)


def _p1m(n: int, random_state: Seed) -> Dataset:
    # two passes over 8-bit patches, because all 192 columns as floats take 768 MB
    blocks = list(sample_patches(n, 8, _SKLEARN, True, random_state))
    with Workers() as workers:
        moments = workers.map(_moments, [(block,) for block in blocks])
        mean = sum(total for total, _ in moments) / n
        gram = sum(products for _, products in moments)
        _, vectors = np.linalg.eigh(gram / n - np.outer(mean, mean))
        basis = vectors[:, ::-1][:, :64]
        # fix the sign of each eigenvector, which depends on the solver
        basis = basis * np.sign(basis[np.abs(basis).argmax(axis=0), np.arange(basis.shape[1])])
        X = np.concatenate(workers.map(_project, [(block, mean, basis / 255) for block in blocks]))
    return Dataset(
        X=X,
        labels=None,
        name="P1M",
        description=(
            f"{n:,} real 8 x 8 colour patches of two photographs and their mirror images, "
            "projected on their first 64 principal components."
        ),
    )


def _g500(n: int, random_state: Seed) -> Dataset:
    return replace(make_gaussian_mixture(n, 2000, 128, random_state=random_state), name="G500")


def _u100(n: int, random_state: Seed) -> Dataset:
    return Dataset(
        X=make_uniform_cube(n, 10, random_state=random_state),
        labels=None,
        name="U100",
        description=f"{n:,} uniform points in the unit cube of 10 dimensions, as on slide 4.",
    )


_BENCHMARKS: dict[str, tuple[int, Callable[[int, Any], Dataset]]] = {
    "P200": (200_000, _p200),
    "P1M": (1_000_000, _p1m),
    "G500": (500_000, _g500),
    "U100": (100_000, _u100),
}


def available_benchmark_data() -> tuple[str, ...]:
    """Return the names that `load_benchmark_data` accepts.

    Examples
    --------
    >>> from annlab.datasets import available_benchmark_data
    >>> available_benchmark_data()
    ('P200', 'P1M', 'G500', 'U100')
    """
    return tuple(_BENCHMARKS)


def load_benchmark_data(name: str, *, n: int | None = None, random_state: Seed = 0) -> Dataset:
    """Make one of the data sets of annlab's benchmarks, without network.

    Parameters
    ----------
    name : {"P200", "P1M", "G500", "U100"}
        - P200: 200,000 patches of 8 × 8 × 3 pixels from scikit-learn's two photographs, d = 192.
        - P1M: 1,000,000 of them, mirror images included, projected by PCA to d = 64.
        - G500: 500,000 points around 2,000 Gaussian centres in d = 128, log-normal weights, unit
          noise; high intrinsic dimension.
        - U100: 100,000 uniform points in d = 10.
    n : int, optional
        Another number of points, for a trial run; published figures use the default.
    random_state : int, RandomState, Generator or None, default=0
        Published figures use 0.

    Returns
    -------
    Dataset
        ``X`` float32, C order. Only G500 has labels and centers.

    Raises
    ------
    TypeError, ValueError

    Notes
    -----
    P1M takes some seconds and about 1 GB of memory while it is made.

    Examples
    --------
    >>> from annlab.datasets import load_benchmark_data
    >>> load_benchmark_data("U100", n=1000)
    Dataset U100: 1,000 points, 10 features, float32, no labels
    """
    check_choice(name, "name", _BENCHMARKS)
    default, make = _BENCHMARKS[name]
    return make(default if n is None else check_integer(n, "n"), random_state)

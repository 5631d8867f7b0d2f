"""Rows of the cells: three kinds for the grid, and untuned distributions.

All are drawn from ``random_state``, float32, without a network.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from annlab._support.checks import check_choice, check_integer, check_random_state
from annlab._support.types import Seed

#: (rows, features, generator) -> rows
Maker = Callable[[int, int, np.random.RandomState], np.ndarray]
#: Groups of the blobs of the grid.
_BLOBS = 50


def _uniform(n: int, d: int, rng: np.random.RandomState) -> np.ndarray:
    from annlab.datasets import make_uniform_cube

    return make_uniform_cube(n, d, random_state=rng)


def _blobs(n: int, d: int, rng: np.random.RandomState) -> np.ndarray:
    from annlab.datasets import make_blobs

    return make_blobs(n, _BLOBS, d, random_state=rng).X


def _principal(X: np.ndarray, d: int) -> np.ndarray:
    """Return the first ``d`` principal components of the rows."""
    mean = X.mean(axis=0, dtype=np.float64)
    few = X[:50_000] - mean
    _, vectors = np.linalg.eigh(few.T @ few)
    basis = vectors[:, ::-1][:, :d]
    return (X - mean.astype(np.float32)) @ basis.astype(np.float32)


def _patches(n: int, d: int, rng: np.random.RandomState) -> np.ndarray:
    from annlab.datasets import load_patches

    # 8 x 8 x 3 values hold 192 components; more come from larger patches
    X = load_patches(n, 8 if d <= 192 else 16, random_state=rng)
    return X if d == X.shape[1] else _principal(X, d)


def _benchmark(name: str) -> Maker:
    def make(n: int, d: int, rng: np.random.RandomState) -> np.ndarray:
        from annlab.datasets import load_benchmark_data

        return load_benchmark_data(name, n=n, random_state=rng).X

    return make


def _noisy_digits(n: int, d: int, rng: np.random.RandomState) -> np.ndarray:
    from annlab.datasets import load_digits_data

    digits = load_digits_data().X
    return digits[rng.randint(len(digits), size=n)] + rng.standard_normal((n, digits.shape[1]))


def _docstrings(n: int, d: int, rng: np.random.RandomState) -> np.ndarray:
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    from annlab.datasets import load_docstrings

    texts = load_docstrings().documents
    chosen = rng.permutation(len(texts))[:n]
    words = TfidfVectorizer(sublinear_tf=True, min_df=3).fit_transform(texts[i] for i in chosen)
    return TruncatedSVD(d, random_state=rng.randint(2**31 - 1)).fit_transform(words)


def _heavy_tailed(n: int, d: int, rng: np.random.RandomState) -> np.ndarray:
    # Student's t with two degrees of freedom: no variance, one point in a thousand is far out
    return rng.standard_normal((n, d)) / np.sqrt(rng.chisquare(2.0, size=(n, 1)) / 2.0)


def _near_duplicates(n: int, d: int, rng: np.random.RandomState) -> np.ndarray:
    originals = rng.standard_normal((max(1, n // 50), d))
    return originals[rng.randint(len(originals), size=n)] + 1e-3 * rng.standard_normal((n, d))


def _unbalanced(n: int, d: int, rng: np.random.RandomState) -> np.ndarray:
    # 90 % of the rows in one group, the others in 200 small, unequal groups
    centers = 4.0 * rng.standard_normal((201, d))
    share = np.r_[0.9, 0.1 * rng.dirichlet(np.full(200, 0.5))]
    group = rng.choice(201, size=n, p=share / share.sum())
    return centers[group] + rng.standard_normal((n, d))


_MAKERS: dict[str, Maker] = {
    "uniform": _uniform,
    "blobs": _blobs,
    "patches": _patches,
    "P200": _benchmark("P200"),
    "P1M": _benchmark("P1M"),
    "digits with noise": _noisy_digits,
    "docstrings": _docstrings,
    "heavy tails": _heavy_tailed,
    "near duplicates": _near_duplicates,
    "unbalanced": _unbalanced,
}

#: Descriptions for the page.
DESCRIPTIONS = {
    "uniform": "uniform in the unit cube",
    "blobs": f"{_BLOBS} round Gaussian groups of equal size",
    "patches": "8 x 8 colour patches of two photographs (16 x 16 above 192 features), projected on "
    "their first d principal components",
    "P200": "8 x 8 colour patches of two photographs, 192 features",
    "P1M": "patches of two photographs and their mirror images, 64 principal components",
    "digits with noise": "scikit-learn's 1,797 digits drawn with repetition, values 0 to 16, plus "
    "N(0, 1) noise",
    "docstrings": "TF-IDF of the docstrings of installed packages, truncated SVD",
    "heavy tails": "multivariate Student's t with two degrees of freedom",
    "near duplicates": "n / 50 Gaussian rows, each repeated about 50 times with noise of 0.001",
    "unbalanced": "90 % of the rows in one Gaussian group, the rest in 200 groups of unequal size",
}


def available_workloads() -> tuple[str, ...]:
    """Return the names that `make_rows` accepts."""
    return tuple(_MAKERS)


def make_rows(name: str, n: int, d: int, *, random_state: Seed = 0) -> np.ndarray:
    """Return the rows of a cell: shape (n, d), float32, C order.

    Digits, P200 and P1M have 64, 192 and 64 features whatever ``d``, and there are only so many
    docstrings.

    Examples
    --------
    >>> from annlab.benchmarks.campaign.workloads import make_rows
    >>> make_rows("heavy tails", 100, 3).shape
    (100, 3)
    """
    check_choice(name, "name", _MAKERS)
    n, d = check_integer(n, "n"), check_integer(d, "d")
    X = _MAKERS[name](n, d, check_random_state(random_state))
    return np.ascontiguousarray(X, dtype=np.float32)

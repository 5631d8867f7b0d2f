"""Generated points without round groups: a cube, rings, moons."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from annlab._support.checks import check_integer, check_random_state, check_real
from annlab._support.types import Seed
from annlab.datasets._drawing import add_noise, group_sizes, shuffled, wanted_dtype
from annlab.datasets._types import Dataset


def make_uniform_cube(
    n_samples: int = 1000,
    n_features: int = 2,
    *,
    random_state: Seed = None,
    dtype: DTypeLike = np.float32,
) -> np.ndarray:
    """Draw points uniformly from the unit cube.

    Parameters
    ----------
    n_samples, n_features : int
    random_state : int, RandomState, Generator or None, default=None
        42 gives the numbers of ``np.random.seed(42); np.random.rand(n, d)``, rounded to
        ``dtype``.
    dtype : {float32, float64}, default=float32

    Returns
    -------
    ndarray of shape (n_samples, n_features), C order
        Values in [0, 1], without groups.

    Raises
    ------
    TypeError, ValueError

    Examples
    --------
    >>> from annlab.datasets import make_uniform_cube
    >>> make_uniform_cube(2, 2, random_state=42).round(3).tolist()
    [[0.375, 0.9509999752044678], [0.7319999933242798, 0.5989999771118164]]
    """
    n = check_integer(n_samples, "n_samples")
    d = check_integer(n_features, "n_features")
    return check_random_state(random_state).random_sample((n, d)).astype(wanted_dtype(dtype))


def make_rings(
    n_samples: int = 1000,
    n_clusters: int = 2,
    *,
    noise: float = 0.05,
    random_state: Seed = None,
    dtype: DTypeLike = np.float32,
) -> Dataset:
    """Draw concentric rings of radius 1, 2, …, which k-means cannot find.

    Parameters
    ----------
    n_samples : int, default=1000
    n_clusters : int, default=2
        Number of rings; points per ring are equal to within one.
    noise : float, default=0.05
        Standard deviation of the noise in each coordinate.
    random_state : int, RandomState, Generator or None, default=None
    dtype : {float32, float64}, default=float32

    Returns
    -------
    Dataset
        Label 0 is the innermost ring.

    Raises
    ------
    TypeError, ValueError

    Examples
    --------
    >>> from annlab.datasets import make_rings
    >>> make_rings(100, 3, random_state=0)
    Dataset rings: 100 points, 2 features, float32, 3 groups
    """
    n = check_integer(n_samples, "n_samples")
    k = check_integer(n_clusters, "n_clusters", maximum=n)
    std = check_real(noise, "noise")
    rng = check_random_state(random_state)
    labels = np.repeat(np.arange(k), group_sizes(n, k))
    angle = rng.uniform(0, 2 * np.pi, size=n)
    X = ((labels + 1.0) * np.array([np.cos(angle), np.sin(angle)])).T.astype(
        wanted_dtype(dtype), "C"
    )
    add_noise(X, std, rng)
    X, labels = shuffled(X, labels, rng)
    return Dataset(
        X=X,
        labels=labels,
        name="rings",
        description=f"{k} concentric rings around the origin, noise {std:g}.",
    )


def make_moons(
    n_samples: int = 1000,
    *,
    noise: float = 0.1,
    random_state: Seed = None,
    dtype: DTypeLike = np.float32,
) -> Dataset:
    """Draw two interleaved half circles in the plane.

    Parameters
    ----------
    n_samples : int, default=1000
    noise : float, default=0.1
        Standard deviation of the noise in each coordinate; the moons touch from about 0.2.
    random_state : int, RandomState, Generator or None, default=None
    dtype : {float32, float64}, default=float32

    Returns
    -------
    Dataset
        Label 0 is the upper moon, around (0, 0); label 1 the lower one, around (1, 0.5).

    Raises
    ------
    TypeError, ValueError

    Examples
    --------
    >>> from annlab.datasets import make_moons
    >>> make_moons(100, random_state=0)
    Dataset moons: 100 points, 2 features, float32, 2 groups
    """
    n = check_integer(n_samples, "n_samples", minimum=2)
    std = check_real(noise, "noise")
    rng = check_random_state(random_state)
    labels = np.repeat([0, 1], group_sizes(n, 2))
    angle = rng.uniform(0, np.pi, size=n)
    x, y = np.cos(angle), np.sin(angle)
    lower = labels == 1
    x[lower], y[lower] = 1 - x[lower], 0.5 - y[lower]
    X = np.column_stack([x, y]).astype(wanted_dtype(dtype))
    add_noise(X, std, rng)
    X, labels = shuffled(X, labels, rng)
    return Dataset(
        X=X,
        labels=labels,
        name="moons",
        description=f"Two interleaved half circles of radius 1, noise {std:g}.",
    )

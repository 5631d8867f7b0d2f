"""Generated groups with known labels.

All draw from NumPy's `RandomState`, so a seed gives the same points under every NumPy version.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from annlab._support.checks import check_data, check_integer, check_random_state, check_real
from annlab._support.errors import invalid
from annlab._support.types import Seed
from annlab.datasets._drawing import add_noise, group_sizes, shuffled, wanted_dtype
from annlab.datasets._types import Dataset


def make_blobs(
    n_samples: int = 1000,
    n_clusters: int = 5,
    n_features: int = 2,
    *,
    cluster_std: float = 1.0,
    centers: ArrayLike | None = None,
    box: float = 10.0,
    separation: float = 0.0,
    random_state: Seed = None,
    dtype: DTypeLike = np.float32,
) -> Dataset:
    """Draw round groups of equal size.

    Parameters
    ----------
    n_samples : int, default=1000
        Group sizes differ by at most one; rows come in random order.
    n_clusters : int, default=5
        Ignored if ``centers`` is given.
    n_features : int, default=2
        Ignored if ``centers`` is given.
    cluster_std : float, default=1.0
        Standard deviation of a group in each direction.
    centers : array-like of shape (k, d), optional
        By default they are drawn uniformly from a box.
    box : float, default=10.0
        Half the side of that box, around the origin.
    separation : float, default=0.0
        Smallest distance between two centres, in units of ``cluster_std``. Groups 10 apart do
        not overlap.
    random_state : int, RandomState, Generator or None, default=None
    dtype : {float32, float64}, default=float32

    Returns
    -------
    Dataset
        With ``labels`` of shape (n_samples,) int32 and ``centers`` of shape (k, d).

    Raises
    ------
    TypeError, ValueError
        For invalid arguments, and if centres that far apart do not fit into the box.

    Examples
    --------
    >>> from annlab.datasets import make_blobs
    >>> make_blobs(100, 4, 3, random_state=0)
    Dataset blobs: 100 points, 3 features, float32, 4 groups
    """
    n = check_integer(n_samples, "n_samples")
    std = check_real(cluster_std, "cluster_std")
    rng = check_random_state(random_state)
    if centers is None:
        k = check_integer(n_clusters, "n_clusters", maximum=n)
        d = check_integer(n_features, "n_features")
        side = check_real(box, "box", strict=True)
        gap = check_real(separation, "separation") * std
        means = _spread_centers(k, d, side, gap, rng)
    else:
        means = np.asarray(check_data(centers, name="centers"), dtype=np.float64)
        k = check_integer(len(means), "the number of centers", maximum=n)
    labels = np.repeat(np.arange(k), group_sizes(n, k))
    X = means[labels].astype(wanted_dtype(dtype))
    add_noise(X, std, rng)
    X, labels = shuffled(X, labels, rng)
    return Dataset(
        X=X,
        labels=labels,
        name="blobs",
        description=f"{k} round groups of equal size, standard deviation {std:g}.",
        centers=means.astype(X.dtype),
    )


def _spread_centers(
    k: int, d: int, side: float, gap: float, rng: np.random.RandomState
) -> np.ndarray:
    """Draw centres from a box, each at least ``gap`` from those before it."""
    means = np.empty((k, d))
    for i in range(k):
        for _ in range(1000):
            means[i] = rng.uniform(-side, side, size=d)
            if gap == 0 or i == 0 or np.min(np.sum((means[:i] - means[i]) ** 2, 1)) >= gap * gap:
                break
        else:
            raise invalid(
                "separation",
                "small enough that the centres fit into the box",
                f"{gap:g} between {k} centres in a box of side {2 * side:g} in {d} dimensions",
                "Ask for fewer clusters, a larger box or less separation.",
            )
    return means


def make_blobs_with_outliers(
    n_samples: int = 1000,
    n_clusters: int = 5,
    n_features: int = 2,
    *,
    outlier_fraction: float = 0.1,
    outlier_scale: float = 10.0,
    cluster_std: float = 1.0,
    separation: float = 6.0,
    box: float = 10.0,
    random_state: Seed = None,
    dtype: DTypeLike = np.float32,
) -> Dataset:
    """Draw round groups and add gross outliers far outside them, all on one side.

    Parameters
    ----------
    n_samples : int, default=1000
        Points in all, outliers included.
    n_clusters, n_features, cluster_std, separation, box, random_state, dtype
        As in `make_blobs`.
    outlier_fraction : float, default=0.1
        Share of outliers, from 0 up to but not including 1.
    outlier_scale : float, default=10.0
        Outliers lie between ``box`` and ``outlier_scale · box`` in every coordinate. They have
        one sign, so they pull every mean the same way.

    Returns
    -------
    Dataset
        Outliers have label −1; ``centers`` are those of the groups.

    Raises
    ------
    TypeError, ValueError

    Examples
    --------
    >>> from annlab.datasets import make_blobs_with_outliers
    >>> make_blobs_with_outliers(200, 3, random_state=0)
    Dataset blobs with outliers: 200 points, 2 features, float32, 3 groups, 20 outliers
    """
    n = check_integer(n_samples, "n_samples")
    share = check_real(outlier_fraction, "outlier_fraction", maximum=1.0)
    scale = check_real(outlier_scale, "outlier_scale", minimum=1.0, strict=True)
    rng = check_random_state(random_state)
    n_out = round(share * n)
    blobs = make_blobs(
        n - n_out if n_out < n else 0,
        n_clusters,
        n_features,
        cluster_std=cluster_std,
        separation=separation,
        box=box,
        random_state=rng,
        dtype=dtype,
    )
    far = rng.uniform(box, scale * box, size=(n_out, blobs.X.shape[1])).astype(blobs.X.dtype)
    labels = np.concatenate([blobs.labels, np.full(n_out, -1)])
    X, labels = shuffled(np.concatenate([blobs.X, far]), labels, rng)
    return Dataset(
        X=X,
        labels=labels,
        name="blobs with outliers",
        description=f"{n_clusters} round groups and {n_out} gross outliers (label -1).",
        centers=blobs.centers,
    )


def make_anisotropic(
    n_samples: int = 1000,
    n_clusters: int = 3,
    n_features: int = 2,
    *,
    elongation: float = 6.0,
    cluster_std: float = 1.0,
    box: float = 10.0,
    random_state: Seed = None,
    dtype: DTypeLike = np.float32,
) -> Dataset:
    """Draw long parallel groups, which k-means does not find.

    Parameters
    ----------
    n_samples, n_clusters, n_features, cluster_std, box, random_state, dtype
        As in `make_blobs`; ``n_features`` is at least 2.
    elongation : float, default=6.0
        The groups' longest standard deviation, as a multiple of the others.

    Returns
    -------
    Dataset
        All groups are stretched along one random direction.

    Raises
    ------
    TypeError, ValueError

    Examples
    --------
    >>> from annlab.datasets import make_anisotropic
    >>> make_anisotropic(100, random_state=0)
    Dataset anisotropic: 100 points, 2 features, float32, 3 groups
    """
    d = check_integer(n_features, "n_features", minimum=2)
    stretch = check_real(elongation, "elongation", strict=True)
    rng = check_random_state(random_state)
    blobs = make_blobs(
        n_samples,
        n_clusters,
        d,
        cluster_std=cluster_std,
        box=box,
        random_state=rng,
        dtype=np.float64,
    )
    direction = rng.standard_normal(d)
    direction /= np.linalg.norm(direction)
    means = blobs.centers[blobs.labels]  # type: ignore[index]
    offset = blobs.X - means
    offset += (stretch - 1.0) * np.outer(offset @ direction, direction)
    kind = wanted_dtype(dtype)
    return Dataset(
        X=(means + offset).astype(kind),
        labels=blobs.labels,
        name="anisotropic",
        description=f"{n_clusters} parallel groups, {stretch:g} times as long as wide.",
        centers=blobs.centers.astype(kind),  # type: ignore[union-attr]
    )


def make_gaussian_mixture(
    n_samples: int = 10_000,
    n_clusters: int = 100,
    n_features: int = 16,
    *,
    weight_sigma: float = 1.0,
    center_scale: float = 1.0,
    noise: float = 1.0,
    random_state: Seed = None,
    dtype: DTypeLike = np.float32,
) -> Dataset:
    """Draw points around many normal centres of very different weights.

    Parameters
    ----------
    n_samples : int, default=10_000
    n_clusters : int, default=100
        Number of centres, drawn from N(0, ``center_scale ** 2`` I).
    n_features : int, default=16
    weight_sigma : float, default=1.0
        The logarithms of the weights are drawn from N(0, ``weight_sigma ** 2``), so the sizes are
        log-normal. 0 gives equal weights.
    center_scale : float, default=1.0
    noise : float, default=1.0
        Standard deviation of a point around its centre in each direction.
    random_state : int, RandomState, Generator or None, default=None
    dtype : {float32, float64}, default=float32

    Returns
    -------
    Dataset
        A light centre may have no points.

    Raises
    ------
    TypeError, ValueError

    Notes
    -----
    In many dimensions the noise fills the space, so the intrinsic dimension is ``n_features``:
    hard for every method that relies on neighbourhoods. O(n·d).

    Examples
    --------
    >>> from annlab.datasets import make_gaussian_mixture
    >>> mixture = make_gaussian_mixture(5000, 50, 8, random_state=0)
    >>> mixture.X.shape, mixture.centers.shape
    ((5000, 8), (50, 8))
    """
    n = check_integer(n_samples, "n_samples")
    k = check_integer(n_clusters, "n_clusters")
    d = check_integer(n_features, "n_features")
    sigma = check_real(weight_sigma, "weight_sigma")
    scale = check_real(center_scale, "center_scale")
    std = check_real(noise, "noise")
    rng = check_random_state(random_state)
    kind = wanted_dtype(dtype)
    centers = (scale * rng.standard_normal((k, d))).astype(kind)
    log_weights = sigma * rng.standard_normal(k)
    weights = np.exp(log_weights - log_weights.max())
    labels = rng.choice(k, size=n, p=weights / weights.sum()).astype(np.int32)
    X = centers[labels]
    add_noise(X, std, rng)
    return Dataset(
        X=X,
        labels=labels,
        name="gaussian mixture",
        description=(
            f"{n:,} points around {k:,} normal centres (scale {scale:g}) with log-normal "
            f"weights (sigma {sigma:g}) and noise {std:g}."
        ),
        centers=centers,
    )

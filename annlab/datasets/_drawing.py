"""Sizes, noise, order and dtype of generated points."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from annlab._support.checks import check_choice
from annlab._support.threads import chunk_bounds

#: Normal deviates drawn at a time, as float64.
_BLOCK = 1 << 22


def wanted_dtype(dtype: DTypeLike) -> np.dtype:
    try:
        name = np.dtype(dtype).name
    except TypeError:
        name = str(dtype)
    return np.dtype(check_choice(name, "dtype", ("float32", "float64")))


def group_sizes(n: int, k: int) -> np.ndarray:
    """Split ``n`` into ``k`` counts that differ by at most one."""
    return np.full(k, n // k) + (np.arange(k) < n % k)


def add_noise(X: np.ndarray, noise: float, rng: np.random.RandomState) -> None:
    """Add normal noise in place; the result does not depend on the block size."""
    if noise == 0:
        return
    for start, stop in chunk_bounds(len(X), max(1, _BLOCK // X.shape[1])):
        X[start:stop] += noise * rng.standard_normal(X[start:stop].shape)


def shuffled(
    X: np.ndarray, labels: np.ndarray, rng: np.random.RandomState
) -> tuple[np.ndarray, np.ndarray]:
    order = rng.permutation(len(X))
    return X[order], labels[order].astype(np.int32)

"""A sample without sorting or repetition."""

from __future__ import annotations

import numpy as np


def stratified(n: int, size: int, rng: np.random.RandomState) -> np.ndarray:
    """One index from each of ``size`` equal stretches: a sample without sorting or repetition.

    Returns
    -------
    ndarray of shape (size,), int64, ascending
    """
    if size >= n:
        return np.arange(n)
    sample = ((np.arange(size) + rng.uniform(size=size)) * (n / size)).astype(np.int64)
    return np.minimum(sample, n - 1)

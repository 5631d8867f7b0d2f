"""Samples of rows."""

from __future__ import annotations

import numpy as np

#: Values of the sample for a start (32 MB of float32), and rows for each cluster at least.
SAMPLE_VALUES = 1 << 23
SAMPLE_PER_CLUSTER = 8


def sample_size(d: int, n_clusters: int) -> int:
    """Return the sample size for a start if the rows are not in memory."""
    return max(SAMPLE_VALUES // d, SAMPLE_PER_CLUSTER * n_clusters)


def stratified(n: int, size: int, rng: np.random.RandomState) -> np.ndarray:
    """Draw one index from each of ``size`` equal stretches; ascending, int64."""
    if size >= n:
        return np.arange(n)
    sample = ((np.arange(size) + rng.uniform(size=size)) * (n / size)).astype(np.int64)
    return np.minimum(sample, n - 1)

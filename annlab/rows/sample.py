"""The sample that a start is drawn from, if not all rows are in memory."""

from __future__ import annotations

import numpy as np

#: Values of the sample (32 MB of float32), and rows for each cluster that it has at least. Data
#: of no more rows is the sample as a whole.
SAMPLE_VALUES = 1 << 23
SAMPLE_PER_CLUSTER = 8


def sample_size(d: int, n_clusters: int) -> int:
    """Rows of the sample."""
    return max(SAMPLE_VALUES // d, SAMPLE_PER_CLUSTER * n_clusters)


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

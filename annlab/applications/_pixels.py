"""Signal-to-noise ratio and code sizes of pictures."""

from __future__ import annotations

import math

import numpy as np


def psnr_db(image: np.ndarray, original: np.ndarray) -> float:
    """Return the peak signal-to-noise ratio of 8-bit pixels in dB; inf if equal."""
    error = float(np.mean((image.astype(np.float64) - original) ** 2))
    return 10 * math.log10(255**2 / error) if error > 0 else math.inf


def code_bytes(n: int, n_values: int) -> int:
    """Return the size in bytes of n packed codes with that many possible values."""
    n_bits = math.ceil(math.log2(n_values)) if n_values > 1 else 0
    return math.ceil(n * n_bits / 8)


def frozen(array: np.ndarray) -> np.ndarray:
    array.setflags(write=False)
    return array

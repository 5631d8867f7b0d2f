"""What every test file shares: no display, and places."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# before anything imports matplotlib; kernels that tests start inherit it where they set nothing
os.environ.setdefault("MPLBACKEND", "agg")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    """Top folder of the checkout."""
    return ROOT

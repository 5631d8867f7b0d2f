"""Shared by all tests: no display, and paths."""

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


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip tests that take minutes, unless requested."""
    if "full" in config.option.markexpr:
        return
    for item in items:
        if item.get_closest_marker("full"):
            item.add_marker(pytest.mark.skip(reason="takes minutes or gigabytes: pytest -m full"))

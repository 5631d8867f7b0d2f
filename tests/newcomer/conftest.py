"""The marker of the tests that play a newcomer."""

from __future__ import annotations

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "newcomer: makes a fresh environment and runs the course in it (minutes)"
    )

"""Exercises are run by nbval only where they are asked for: their notebooks store no outputs.

``pytest --nbval notebooks`` compares outputs and leaves them out;
``pytest --nbval-lax notebooks/exercises/source`` runs them with the solutions of their authors.
"""

from __future__ import annotations

from pathlib import Path

import pytest

_HERE = Path(__file__).resolve().parent


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out what lies here, unless this folder or a part of it was named."""
    named = (
        Path(config.invocation_params.dir, argument.split("::")[0]).resolve()
        for argument in config.args
    )
    return None if any(path.is_relative_to(_HERE) for path in named) else True

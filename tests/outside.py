"""Programs that only maintainers need, and where tests find them."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
#: beside this Python, or where `make tools` puts them
FOLDERS = (Path(sys.prefix) / "bin", ROOT / ".make" / "tools" / "bin")

#: tests that need these programs, or build environments, run in `make full`
full = pytest.mark.full


def tool(name: str) -> str:
    """Path of a program; without it the test is skipped, in continuous integration it fails."""
    found = shutil.which(name, path=os.pathsep.join(map(str, FOLDERS))) or shutil.which(name)
    if found is None:
        missing = f"{name} was not found: run make tools"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    return found

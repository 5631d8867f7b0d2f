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

#: tests that build environments take minutes
full = pytest.mark.full


def tool(name: str) -> str:
    """Path of a program; without it the test is skipped, in continuous integration it fails."""
    found = shutil.which(name, path=os.pathsep.join(map(str, FOLDERS))) or shutil.which(name)
    if found is None:
        missing = f"{name} was not found: run make tools"
        # one job has them and must not skip; those that try other systems say that they have not
        if os.environ.get("CI") == "true" and os.environ.get("ANNLAB_WITHOUT_TOOLS") != "1":
            pytest.fail(missing)
        pytest.skip(missing)
    return found

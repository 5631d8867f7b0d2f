"""Helpers of several tests: programs, a clone, a port, a server's answer."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
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


def checkout(folder: Path) -> Path:
    """Copy what git would clone, as it is now."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("asks git, and this is no checkout")
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


def free_port() -> int:
    """Return a port that no server uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(address: str | urllib.request.Request) -> str:
    """Return the answer of a server, trying for up to a minute."""
    for _ in range(120):
        try:
            with urllib.request.urlopen(address, timeout=30) as answer:
                return answer.read().decode()
        except OSError as reason:
            last = reason
            time.sleep(0.5)
    raise AssertionError(f"no answer from the server: {last}")

"""Installed packages, the tested versions, and commands that install them."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

from annlab._cli.doctor.shell import command_line
from annlab._support.places import shipped


def install(*wanted: str) -> str:
    """Return the command that installs packages into the checked environment."""
    from importlib.util import find_spec

    if find_spec("pip") is None and shutil.which("uv"):
        return command_line("uv", "pip", "install", "--python", sys.executable, *wanted)
    return command_line(sys.executable, "-m", "pip", "install", *wanted)


def tested(name: str) -> str:
    """Return the requirement for a package in the tested version."""
    version = pins().get(_normal(name))
    return f"{name}=={version}" if version else name


def pins_file() -> Path | None:
    """Return the list of tested versions, which Binder installs."""
    return shipped("_pins", "binder", "requirements.txt")


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@lru_cache(maxsize=1)
def pins() -> dict[str, str]:
    """Return the versions that annlab was tested with, by normalised name."""
    file = pins_file()
    if file is None:
        return {}
    lines = file.read_text(encoding="utf-8").splitlines()
    found = (re.match(r"([A-Za-z0-9._-]+)==([^\s;]+)", line) for line in lines)
    return {_normal(match[1]): match[2] for match in found if match}


def installed(name: str) -> str | None:
    """Return the installed version of a package; None if it is not installed."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def requirements() -> list[Any] | None:
    """Return annlab's declared requirements; None if packaging is missing."""
    try:
        from packaging.requirements import Requirement
    except ImportError:
        return None
    try:
        declared = importlib.metadata.requires("annlab-kmeans") or []
    except importlib.metadata.PackageNotFoundError:
        declared = []
    return [Requirement(text) for text in declared]

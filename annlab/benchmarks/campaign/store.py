"""Cells of a measurement, kept in a file as they come in: an interrupted run can be resumed.

A cell is measured under settings: threads, seeds, processor, versions, and the behaviour of the
fits. Cells of other settings are never mixed with these: the file is refused, with what differs.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from annlab._support.errors import invalid
from annlab._support.files import atomic_write
from annlab.benchmarks.campaign.behaviour import check_alike, code_facts
from annlab.benchmarks.machine import machine_record

FORMAT = 2
#: Packages whose version decides over a time.
_DECISIVE = ("numpy", "scipy", "scikit-learn")


def settings_of(threads: int, repeats: int, random_state: int) -> dict[str, Any]:
    """Settings under which cells may stand side by side."""
    machine = machine_record()
    versions = {name: machine["versions"].get(name) for name in _DECISIVE}
    return {
        "threads": threads,
        "repeats": repeats,
        "random_state": random_state,
        "processor": machine["processor"],
        "versions": versions,
        "code": code_facts(),
    }


def read_part(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a file that a `Store` wrote.

    Raises
    ------
    OSError, ValueError
    """
    try:
        record = json.loads(Path(path).read_text(encoding="utf-8"))
        if record["format"] != FORMAT:
            raise ValueError("another version of the format")
        for name, kind in (("part", str), ("settings", dict), ("machine", dict), ("cells", list)):
            if not isinstance(record[name], kind):
                raise TypeError(f"{name} is no {kind.__name__}")
        return record
    except (ValueError, KeyError, TypeError) as reason:
        raise invalid(
            "path", "a .json file with measured cells", f"{Path(path).name} ({reason})"
        ) from reason


class Store:
    """The cells of one part, written to their file after each one.

    Parameters
    ----------
    path : path-like
        Created if it is missing, resumed if it exists.
    part : str
        Name of the part, such as ``"grid"``.
    settings : dict
        Of `settings_of`.
    again : bool, default=False
        Start over, whatever the file holds.

    Attributes
    ----------
    cells : dict of str to dict
        By the cell's key.

    Raises
    ------
    OSError, ValueError
        Also if the file holds cells of other settings.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from annlab.benchmarks.campaign.store import Store
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "grid.json"
    ...     Store(path, "grid", {"threads": 2}).add({"key": "a", "status": "ok"})
    ...     list(Store(path, "grid", {"threads": 2}).cells)
    ['a']
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        part: str,
        settings: dict[str, Any],
        *,
        again: bool = False,
    ) -> None:
        self.path, self.part, self.settings = Path(path), part, settings
        self.machine: dict[str, Any] = machine_record()
        self.cells: dict[str, dict[str, Any]] = {}
        if again or not self.path.exists():
            return
        found = read_part(self.path)
        if found["part"] != part:
            raise invalid("path", f"a file of part {part!r}", f"{self.path.name}: {found['part']}")
        if found["cells"]:
            # as JSON stores them: a tuple comes back as a list
            check_alike(found["settings"], json.loads(json.dumps(settings)), self.path.name)
        self.machine = found["machine"]
        self.cells = {cell["key"]: cell for cell in found["cells"]}

    def has(self, key: str) -> bool:
        """Whether a cell is measured; one that failed is tried once more."""
        return self.cells.get(key, {}).get("status") == "ok"

    def add(self, cell: dict[str, Any]) -> None:
        """Keep a cell and write the file."""
        self.cells[cell["key"]] = cell
        head = {
            "format": FORMAT,
            "part": self.part,
            "settings": self.settings,
            "machine": self.machine,
        }
        lines = ",\n".join(json.dumps(cell) for cell in self.cells.values())
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(self.path, text=True) as file:
            file.write(json.dumps(head, indent=1)[:-2] + ',\n "cells": [\n' + lines + "\n]\n}\n")

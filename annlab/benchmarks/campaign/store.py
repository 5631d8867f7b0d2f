"""Keep measurements in files of JSON lines: a header, then one record a line.

Records are appended as they are measured, so an interrupted run can be resumed; a later record
replaces an earlier one of the same cell, peer or run. The header has the settings (threads, seeds,
processor, versions, behaviour of the fits): records of other settings are refused, not mixed.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from annlab._support.errors import invalid
from annlab._support.files import atomic_write
from annlab.benchmarks.campaign.behaviour import behaviour_of
from annlab.benchmarks.machine import machine_record

Record = dict[str, Any]

FORMAT = 3
SUFFIX = ".jsonl"
#: What identifies a record of each kind.
_IDENTITY = {"cell": ("key",), "peer": ("key",), "run": ("peer", "seed", "rung")}


def read_records(path: str | os.PathLike[str]) -> tuple[Record, dict[str, Record]]:
    """Read header and records of a file; ignore a truncated last line.

    Raises
    ------
    OSError, ValueError
    """
    lines = Path(path).read_text(encoding="utf-8").split("\n")
    try:
        header = json.loads(lines[0])
        if header["format"] != FORMAT:
            raise ValueError("an unsupported format version")
        if not isinstance(header["part"], str) or not isinstance(header["settings"], dict):
            raise TypeError("no part or settings in its first line")
        # a last line without a line end is incomplete
        records = [json.loads(line) for line in lines[1:-1]]
        return header, {_name(record): record for record in records}
    except (ValueError, KeyError, TypeError) as reason:
        raise invalid(
            "path", f"a {SUFFIX} file with measurements", f"{Path(path).name} ({reason})"
        ) from reason


def _name(record: Record) -> str:
    kind = record["kind"]
    return json.dumps([kind, *(record[name] for name in _IDENTITY[kind])], sort_keys=True)


class Store:
    """Records of one part or comparison, appended to their file as they arrive.

    An existing file is resumed, unless ``again`` is true; it must have the same settings. Without a
    path everything is kept in memory. ``more`` are further entries of a new header.

    Raises
    ------
    OSError, ValueError
        Also if the file holds records of other settings.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from annlab.benchmarks.campaign.store import Store
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "grid.jsonl"
    ...     Store(path, "grid", {"threads": 2}).add("cell", key="a", status="ok")
    ...     [cell["key"] for cell in Store(path, "grid", {"threads": 2}).all("cell")]
    ['a']
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None,
        part: str,
        settings: Record,
        *,
        again: bool = False,
        **more: Any,
    ) -> None:
        self.path = None if path is None else Path(path)
        self.header = {"format": FORMAT, "part": part, "machine": machine_record(), **more}
        # as JSON stores them: tuples become lists
        self.header["settings"] = json.loads(json.dumps(settings))
        self._records: dict[str, Record] = {}
        self.is_new = again or self.path is None or not self.path.exists()
        if self.is_new or self.path is None:
            return
        header, self._records = read_records(self.path)
        if header["part"] != part:
            raise invalid("path", f"a file of part {part!r}", f"{self.path.name}: {header['part']}")
        if self._records:
            check_alike(header["settings"], self.header["settings"], self.path.name)
        self.header = header
        # drop a truncated line
        self.write()

    def all(self, kind: str) -> list[Record]:
        """Return the records of a kind, in the order in which they were first added."""
        return [record for record in self._records.values() if record["kind"] == kind]

    def has(self, key: str) -> bool:
        """Return whether a cell is measured; one that failed counts as missing."""
        cell = self._records.get(_name({"kind": "cell", "key": key}), {})
        return cell.get("status") == "ok"

    def find(self, peer: str, seed: int, rung: Record) -> Record | None:
        """Return the record of a run."""
        return self._records.get(_name({"kind": "run", "peer": peer, "seed": seed, "rung": rung}))

    def add(self, kind: str, **record: Any) -> None:
        """Keep a record and append it to the file."""
        record = {"kind": kind, **record}
        self._records[_name(record)] = record
        if self.path is None:
            return
        if self.is_new:
            self.write()
        else:
            with open(self.path, "a", encoding="utf-8", newline="\n") as file:
                file.write(json.dumps(record) + "\n")

    def write(self) -> None:
        """Write the whole file again."""
        assert self.path is not None
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_records(self.path, self.header, list(self._records.values()))
        self.is_new = False


def write_records(path: Path, header: Record, records: list[Record]) -> None:
    """Write a file of records, all or nothing."""
    with atomic_write(path, text=True) as file:
        for line in (header, *records):
            file.write(json.dumps(line) + "\n")


def check_alike(was: Record, now: Record, what: str) -> None:
    """Refuse to add records to those that were measured under other settings.

    Of the settings' ``code`` only the behaviour counts.
    """
    before, after = behaviour_of(was), behaviour_of(now)
    differing = [
        name
        for name in now
        if (before != after if name == "code" else was.get(name) != now.get(name))
    ]
    if not differing:
        return
    remedy = "Pass --again to measure everything again, or another --out."
    if "code" in differing:
        remedy = (
            "annlab's fits return other labels or inertia than when it was measured (behaviour "
            f"{before}, now {after}). {remedy}"
        )
    raise invalid(
        "out",
        "a folder whose figures were measured with the same settings",
        f"{what}, which differs in {', '.join(sorted(differing))}",
        remedy,
    )

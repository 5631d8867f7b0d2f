"""Memory that a process may use, on systems of every kind."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from annlab._support import memory
from annlab._support.memory import available_memory, readable_size, total_memory


@pytest.fixture
def elsewhere(monkeypatch, tmp_path):
    """Simulate a system without the kernel's files, outside of a container."""
    counted = SimpleNamespace(total=8_000_000_000, available=3_000_000_000)
    psutil = SimpleNamespace(virtual_memory=lambda: counted)
    monkeypatch.setitem(sys.modules, "psutil", psutil)
    monkeypatch.delattr(memory.os, "sysconf", raising=False)
    monkeypatch.setattr(memory, "_entry", lambda path, name: 0)
    monkeypatch.setattr(memory, "container_limit", lambda root=tmp_path: None)


@pytest.mark.usefixtures("elsewhere")
def test_psutil_counts_without_kernel_files(monkeypatch):
    assert total_memory() == 8_000_000_000
    assert available_memory() == 3_000_000_000
    monkeypatch.setitem(sys.modules, "psutil", None)
    assert total_memory() is None
    assert available_memory() is None


@pytest.mark.usefixtures("elsewhere")
def test_smaller_of_machine_and_container_counts(monkeypatch):
    monkeypatch.setattr(memory, "container_limit", lambda root=None: 2_000_000_000)
    monkeypatch.setattr(memory, "_number", lambda path: None)
    assert total_memory() == 2_000_000_000
    # the container does not say what is taken: all of it may be free
    assert available_memory() == 2_000_000_000
    monkeypatch.setattr(memory, "container_limit", lambda root=None: 90_000_000_000)
    assert total_memory() == 8_000_000_000
    assert available_memory() == 3_000_000_000


def test_odd_kernel_files_are_ignored(tmp_path):
    path = tmp_path / "facts"
    assert memory._number(path) is None and memory._entry(path, "MemFree") == 0
    path.write_text("max\n")
    assert memory._number(path) is None
    path.write_text("MemTotal: 9 kB\n\nMemFree:   123 kB\nother\nodd few\n")
    assert memory._entry(path, "MemFree") == 123
    assert [memory._entry(path, name) for name in ("other", "odd", "none")] == [0, 0, 0]


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 bytes"),
        (999.9, "999 bytes"),
        (1000, "1.0 kB"),
        (2_500_000, "2.5 MB"),
        (1e9, "1.0 GB"),
        (7.25e12, "7.2 TB"),
    ],
)
def test_readable_size(size, text):
    assert readable_size(size) == text

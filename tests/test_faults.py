"""A few of each of the faults of `tests/faults.py`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import faults
import pytest

linux = pytest.mark.skipif(sys.platform == "win32", reason="signals of another kind")


def survived(row, at_least):
    assert row.failures == []
    assert row.survived == row.injected >= at_least


@linux
def test_killed_fit_is_resumed(tmp_path):
    survived(faults.killed(2, tmp_path, seed=1, names=("small_k",)), 2)


@linux
@pytest.mark.parametrize("moments", [4, pytest.param(32, marks=pytest.mark.full)])
def test_interrupted_fit_returns_its_result(tmp_path, moments):
    survived(faults.interrupted(moments, tmp_path, seed=3), moments)


@linux
def test_full_disk_damages_nothing(tmp_path):
    survived(faults.disk_full(2, tmp_path), 4)


def test_damaged_files_are_refused_or_unharmed(tmp_path):
    for row in faults.damaged(97, tmp_path):
        survived(row, 20)


def test_failure_is_counted(tmp_path):
    row = faults.Row("a fault")
    row.count(None)
    row.count("it broke")
    text = faults.table([row])
    assert "| a fault | 2 | 1 (50 %) |" in text and row.failures == ["it broke"]


def test_leftover_threads_are_found():
    # in a process of its own, because other tests leave threads that wait
    code = """if True:
        import threading, time
        import faults
        from annlab._support.threads import Workers

        with Workers(3) as workers:
            workers.map(time.sleep, [(0.02,)] * 3)
        end = time.monotonic() + 60
        while faults.leftover_threads(2) and time.monotonic() < end:
            time.sleep(0.005)
        print(faults.leftover_threads(2), faults.leftover_threads(1))
        gate = threading.Event()
        threading.Thread(target=gate.wait, name="annlab_9").start()
        print(faults.leftover_threads(2))
        gate.set()
    """
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[] ['2 that wait']\n['annlab_9 in wait']\n"


def test_results_are_compared_bit_by_bit():
    one = faults.fit("brute", X=faults.data(500), k=5)
    assert faults.difference(one, faults.fit("brute", X=faults.data(500), k=5)) is None
    other = faults.fit("brute", X=faults.data(500), k=5, random_state=8)
    assert faults.difference(one, other) is not None
    assert faults.inconsistency(one, faults.data(500)) is None
    assert faults.inconsistency(one, faults.data(500)[::-1].copy()) is not None


def test_table_was_written_by_the_script(root):
    text = (root / "tests" / "README.md").read_text(encoding="utf-8")
    begin, end = (text.index(mark) for mark in faults.MARKS)
    lines = [line for line in text[begin:end].splitlines() if line.startswith("| ")][1:]
    assert len(lines) >= 5
    for line in lines:
        _, _, injected, share, means, _ = (part.strip() for part in line.split("|"))
        assert share == f"{injected} (100 %)" and means

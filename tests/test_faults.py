"""A few of each of the faults of `tests/faults.py`."""

from __future__ import annotations

import sys
import threading
import time

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
    from annlab._support.threads import Workers

    def until(condition):
        end = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < end
            time.sleep(0.005)

    before = faults.leftover_threads(99)
    with Workers(3) as workers:
        workers.map(time.sleep, [(0.02,)] * 3)
    # threads of earlier tests may end meanwhile
    until(lambda: set(faults.leftover_threads(2)) <= set(before))
    assert "2 that wait" in faults.leftover_threads(1)
    gate = threading.Event()
    busy = threading.Thread(target=gate.wait, name="annlab_9")
    busy.start()
    assert faults.leftover_threads(2) == [*before, "annlab_9 in wait"]
    gate.set()
    busy.join()


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

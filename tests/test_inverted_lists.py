"""Inverted files: annlab's training beside faiss's, judged by recall."""

import numpy as np
import pytest

from annlab.benchmarks.inverted_lists import (
    PROBES,
    compare_inverted_lists,
    inverted_lists_page,
)
from annlab.cli import main

pytest.importorskip("faiss")


@pytest.fixture(scope="module")
def measured():
    X = np.random.RandomState(0).rand(3000, 8).astype(np.float32)
    return list(compare_inverted_lists(X, 64, n_queries=100, random_state=0))


def test_inverted_files_find_all_when_every_list_is_probed(measured):
    names = [lists.trained_by for lists in measured]
    assert names == ["annlab", "faiss, sample", "faiss, all rows"]
    assert PROBES[-1] == 64
    for lists in measured:
        assert lists.recalls == tuple(sorted(lists.recalls))
        assert 0 < lists.recalls[0] < lists.recalls[-1] == 1
        assert 1 <= lists.imbalance < 2


def test_page_has_a_row_for_each_file(measured):
    page = inverted_lists_page("uniform points", [(64, lists) for lists in measured])
    for lists in measured:
        assert f"| 64 | {lists.trained_by} | {lists.seconds:.3g} |" in page


def test_bench_writes_the_page_of_inverted_lists(tmp_path):
    np.save(tmp_path / "rows.npy", np.random.RandomState(1).rand(2000, 4).astype(np.float32))
    options = ["--data", str(tmp_path / "rows.npy"), "--clusters", "16", "--silent"]
    assert main(["bench", "--inverted-lists", *options, "--out", str(tmp_path / "out")]) == 0
    assert "| 16 | annlab |" in (tmp_path / "out" / "inverted_lists.md").read_text()

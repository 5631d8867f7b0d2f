"""A share of the fuzz run (`tests/fuzz.py`), and tests that it finds faults."""

from __future__ import annotations

import os
from pathlib import Path

import fuzz
import numpy as np
import pytest

#: Everyday share; the full run is `python tests/fuzz.py`.
CASES = int(os.environ.get("ANNLAB_FUZZ_CASES", "400"))


def test_bad_and_odd_input_is_answered_or_refused_by_name():
    found = fuzz.run(CASES, seed=20_261_123)
    assert [text for _, text in found["failures"]] == []
    counts = found["counts"]
    # neither all good nor all bad
    assert counts["answered"] > 0.2 * CASES and counts["refused"] > 0.2 * CASES


def test_fuzz_run_calls_everything_public():
    import annlab

    functions = fuzz.targets()
    for name in annlab.__all__:
        value = getattr(annlab, name)
        if callable(value) and not fuzz.is_record(value) and not _is_error(value):
            assert name in functions, f"{name} is not called: say in LEFT_OUT why"
    for name in fuzz.LEFT_OUT:
        room, _, function = name.partition(".")
        assert hasattr(getattr(annlab, room), function), name
    assert {f"index {name}" for name in annlab.available_indexes()} <= set(functions)


def _is_error(value):
    return isinstance(value, type) and issubclass(value, BaseException)


SPOILT = {
    "an index error": (lambda X: [][1], "IndexError"),
    "a wrong attribute": (lambda X: X.nothing, "AttributeError"),
    "a message of another library": (lambda X: float("a"), "not in annlab's words"),
    "NaN": (lambda X: np.array([np.nan]), "NaN"),
    "no end": (lambda X: _spin(), "more than"),
}


def _spin():
    while True:
        pass


@pytest.mark.parametrize("case", SPOILT)
def test_fuzz_run_reports_failures(case, monkeypatch, tmp_path):
    function, text = SPOILT[case]
    monkeypatch.setattr(fuzz, "LIMIT_S", 0.05)
    for number in range(30):
        _, _, failure = fuzz.run_case(0, number, {"function": function}, Path(tmp_path))
        if failure is not None:
            assert text in failure and failure.startswith("function(")
            return
    pytest.fail("it was not seen")


def test_a_case_can_be_repeated(tmp_path):
    functions = fuzz.targets()
    once, again = (fuzz.run_case(5, 77, functions, Path(tmp_path)) for _ in range(2))
    assert once == again

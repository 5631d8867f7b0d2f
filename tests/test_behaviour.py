"""Results of every public entry are the stored ones: see tests/behaviour.py."""

from __future__ import annotations

import behaviour
import numpy as np
import pytest


def test_every_entry_gives_the_stored_digest() -> None:
    lines = behaviour.changed(behaviour.run())
    assert not lines, "\n".join(lines)


@pytest.mark.parametrize(
    ("got", "same"),
    [
        (["a", 1.00001, 3], True),
        (["a", 1.00003, 3], False),
        (["b", 1.0, 3], False),
        (["a", 1.0, 4], False),
        (["a", 1.0], False),
    ],
)
def test_digests_agree_to_six_digits(got: list, same: bool) -> None:
    assert behaviour.agree(got, ["a", 1.0, 3]) is same


def test_digest_sees_one_label() -> None:
    assert behaviour.digest(np.zeros(9)) != behaviour.digest(np.eye(1, 9))

"""Results are independent of rounding: see tests/rounding, `make full-rounding`."""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Callable
from pathlib import Path

import behaviour
import numpy as np
import pytest

import annlab
from annlab._kernels import numpy_twins
from annlab._support import rounding
from annlab.distances import ties
from annlab.fit import small_k

#: cases that go through every decision: tied ones, and one of each kind of the others
QUICK = ("tied", "algorithm", "n_init", "cosine float32", "many_clusters float32", "weights small")


@pytest.fixture
def rounded(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Return a function that installs the roundings of a seed for this test."""
    path = Path(__file__).parent / "rounding" / "sitecustomize.py"
    spec = importlib.util.spec_from_file_location("other_roundings", path)
    assert spec is not None and spec.loader is not None
    other = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(other)
    argsort, argpartition = np.argsort, np.argpartition

    def install(seed: int) -> None:
        # compiled loops have products of their own
        for room in _importers("loops"):
            monkeypatch.setattr(room, "loops", numpy_twins)
        monkeypatch.setattr(rounding, "perturb", other.perturbation(seed))
        monkeypatch.setattr(np, "argsort", other.unstable(argsort, seed))
        monkeypatch.setattr(np, "argpartition", other.unstable(argpartition, seed))

    return install


def test_fits_hold_under_another_rounding(rounded: Callable[[int], None]) -> None:
    rounded(1)
    lines = behaviour.changed(behaviour.run(QUICK))
    assert not lines, "\n".join(lines)


def test_perturbation_stays_within_its_bound(rounded: Callable[[int], None]) -> None:
    rng = np.random.RandomState(0)
    Q, X = rng.standard_normal((40, 9)).astype("f"), rng.standard_normal((50, 9)).astype("f")
    plain = rounding.products(Q, X)
    rounded(2)
    moved = rounding.products(Q, X)
    bound = (
        np.sqrt(9) * np.finfo("f").eps / 2 * np.outer(*(np.linalg.norm(Z, axis=1) for Z in (Q, X)))
    )
    # the sum itself is rounded once more
    assert (np.abs(moved - plain) <= bound + np.spacing(np.abs(plain))).all()
    assert np.mean(moved != plain) > 0.5


def test_unstable_sort_shuffles_equal_keys(rounded: Callable[[int], None]) -> None:
    sort = "import numpy as np; place = np.argsort(keys{})"
    keys = np.repeat([2, 1], 50)
    rounded(3)
    found = {}
    for kind in ("", ", kind='stable'"):
        space = {"__name__": "annlab.somewhere", "keys": keys}
        exec(sort.format(kind), space)
        found[kind] = space["place"]
        assert (keys[found[kind]] == np.sort(keys)).all()
    np.testing.assert_array_equal(found[", kind='stable'"], np.argsort(keys, kind="stable"))
    assert (found[""] != found[", kind='stable'"]).any()


FAULTS = [
    # the highest of equal ones
    (ties, "decide", "columns[tied[np.searchsorted(rows[tied], each)]]",
     "columns[tied[np.searchsorted(rows[tied], each, side='right') - 1]]"),
    # no product is ever in doubt: rounding decides ties
    (ties, "uncertain", "~(gap > margin(float(d1.max(initial=0.0))))", "gap <= -np.inf"),
    # a later try that ends in the same clusters replaces the first
    (small_k, "_seed", "same_total(inertia, np.float64) < least", "inertia <= least"),
    # so does a later start
    (ties, "same_total", "total * (1.0 + ", "total * (1.0 - "),
]  # fmt: skip


@pytest.mark.parametrize(("module", "name", "right", "wrong"), FAULTS, ids=lambda f: str(f)[:20])
def test_tie_fault_is_caught(module, name, right, wrong, rounded, monkeypatch) -> None:
    source = inspect.getsource(getattr(module, name))
    assert source.count(right) == 1
    space = dict(vars(module))
    exec(compile(source.replace(right, wrong), "<fault>", "exec", dont_inherit=True), space)
    for room in (module, *_importers(name)):
        monkeypatch.setattr(room, name, space[name])
    for seed in range(1, 6):
        rounded(seed)
        try:
            if behaviour.changed(behaviour.run(["tied", "n_init"])):
                return
        except IndexError:
            # noticed even sooner: no candidate is left
            return
    pytest.fail("no case noticed")


def _importers(name: str) -> list:
    """Return the modules of annlab that imported the name."""
    import sys

    return [
        room
        for path, room in sys.modules.items()
        if path.startswith("annlab.") and room is not None and name in vars(room)
    ]


def test_wall_has_one_answer(rounded: Callable[[int], None]) -> None:
    palettes = set()
    for seed in (None, 1, 2, 3):
        if seed is not None:
            rounded(seed)
        palette = annlab.segment_image(behaviour.wall(), 4, random_state=8).palette
        palettes.add(tuple(palette[:, 0].tolist()))
    assert palettes == {(226, 163, 98, 30)}

"""The index that errs on purpose: rate, kind and places of its errors."""

from __future__ import annotations

import numpy as np
import pytest

from annlab.datasets import make_uniform_cube
from annlab.distances import k_nearest
from annlab.indexes import available_indexes
from annlab.indexes.careless import CarelessIndex

X = make_uniform_cube(50, 3, random_state=0, dtype=np.float64)
Q = make_uniform_cube(4000, 3, random_state=1, dtype=np.float64)
ORDER = k_nearest(Q, X, 50)[1]


@pytest.mark.parametrize("miss", ["near", "far"])
@pytest.mark.parametrize("recall", [0.0, 0.3, 0.9, 1.0])
def test_careless_recall(recall, miss):
    found = CarelessIndex(recall, miss=miss, random_state=0).fit(X).kneighbors(Q, 1)[1]
    right = (found[:, 0] == ORDER[:, 0]).mean()
    assert right == pytest.approx(recall, abs=0.025)
    if recall in (0.0, 1.0):
        assert right == recall


def test_careless_misses():
    near = CarelessIndex(0.0, random_state=0).fit(X).kneighbors(Q, 1)[1]
    assert (near[:, 0] == ORDER[:, 1]).all()
    far = CarelessIndex(0.0, miss="far", random_state=0).fit(X).kneighbors(Q, 1)[1]
    ranks = (ORDER == far).argmax(axis=1)
    assert set(ranks) == set(range(1, 50))
    # uniform over 49 ranks, of deviation 14
    assert ranks.mean() == pytest.approx(25, abs=1)


@pytest.mark.parametrize("miss", ["near", "far"])
@pytest.mark.parametrize("n_neighbors", [3, 40, 50])
def test_careless_rows_are_different(miss, n_neighbors):
    found = CarelessIndex(0.5, miss=miss, random_state=0).fit(X).kneighbors(Q[:99], n_neighbors)[1]
    assert all(len(set(row)) == n_neighbors for row in found)
    true = [len(set(a) & set(b)) for a, b in zip(found, ORDER[:99, :n_neighbors], strict=True)]
    least = max(0.5, 1 - (50 - n_neighbors) * 0.5 / n_neighbors)
    assert np.mean(true) / n_neighbors == pytest.approx(least, abs=0.08)


def test_careless_errors_depend_on_query_and_rows():
    index = CarelessIndex(0.5, random_state=0).fit(X)
    found = index.kneighbors(Q, 1)[1]
    assert (index.kneighbors(Q[::-1], 1)[1][::-1] == found).all()
    assert (index.kneighbors(Q[:7], 1)[1] == found[:7]).all()
    again = CarelessIndex(0.5, random_state=0, n_jobs=2).fit(X).kneighbors(Q, 1)[1]
    assert (again == found).all()
    # the last bits of a mean differ between processors, which must not matter
    near = CarelessIndex(0.5, random_state=0).fit(X * (1 + 1e-15)).kneighbors(Q, 1)[1]
    assert (near == found).all()
    # moved rows, and another seed, meet other errors: half of the points agree by chance
    for other in (CarelessIndex(0.5, random_state=0).fit(X + 1e-3), None):
        other = other or CarelessIndex(0.5, random_state=1).fit(X)
        assert (other.kneighbors(Q, 1)[1] == found).mean() == pytest.approx(0.5, abs=0.05)


def test_careless_is_not_registered():
    assert "careless" not in available_indexes()
    with pytest.raises(ValueError, match="recall"):
        CarelessIndex(1.5).fit(X)
    with pytest.raises(ValueError, match="miss"):
        CarelessIndex(miss="wide").fit(X)

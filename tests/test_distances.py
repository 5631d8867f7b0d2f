"""Distances: exact answers for data of every size."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from scipy.spatial.distance import cdist

from annlab._support.rounding import product_error
from annlab.distances import (
    from_squared,
    k_nearest,
    listed_sq,
    nearest,
    paired_sq,
    pairwise_sq,
    squared_norms,
    unit_rows,
)
from annlab.distances import search as room
from annlab.distances.ties import BLOCK, margin, scores, widest_margin

FLOATS = (np.float32, np.float64)


def wide_sq(Q, X):
    """Return all squared distances by differences, in the widest type."""
    Q, X = Q.astype(np.longdouble), X.astype(np.longdouble)
    return np.stack([((X - q) ** 2).sum(axis=1) for q in Q])


def normal(rng, n, k, d):
    return rng.randn(n, d), rng.randn(k, d)


def integers(rng, n, k, d):
    return rng.randint(0, 3, (n, d)), rng.randint(0, 3, (k, d))


def midpoints(rng, n, k, d):
    X = rng.randn(k, d).astype(np.float32)
    return (X[rng.randint(k, size=n)] + X[rng.randint(k, size=n)]) / 2, X


def duplicates(rng, n, k, d):
    X = np.repeat(rng.randn(k, d), 2, axis=0)[:k]
    return X[rng.randint(k, size=n)], X


def far_from_the_origin(rng, n, k, d):
    return rng.randn(n, d) + 1e4, rng.randn(k, d) + 1e4


def far_from_each_other(rng, n, k, d):
    return rng.randn(n, d) * 1e4 + 1e5, rng.randn(k, d)


def huge(rng, n, k, d):
    return rng.randn(n, d) * 10.0 ** rng.uniform(-20, 24, (n, 1)), rng.randn(k, d) * 1e19


def tiny(rng, n, k, d):
    return rng.randn(n, d) * 10.0 ** rng.uniform(-24, -10, (n, 1)), rng.randn(k, d) * 1e-20


KINDS = (
    normal, integers, midpoints, duplicates, far_from_the_origin, far_from_each_other, huge, tiny,
)  # fmt: skip


# -- all pairs ---------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("make", [np.asarray, sparse.csr_matrix])
def test_pairwise_sq(dtype, make):
    rng = np.random.RandomState(0)
    Q, X = rng.randn(7, 5).astype(dtype), rng.randn(4, 5).astype(dtype)
    out = pairwise_sq(make(Q), X)
    assert out.dtype == dtype and type(out) is np.ndarray
    np.testing.assert_allclose(
        out, wide_sq(Q, X).astype(float), rtol=1e-4 if dtype == np.float32 else 1e-12
    )
    assert (pairwise_sq(make(X), X) >= 0).all()
    np.testing.assert_allclose(squared_norms(make(Q)), (Q.astype(float) ** 2).sum(1), rtol=1e-6)
    assert squared_norms(make(Q)).dtype == dtype


# -- the nearest -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_nearest_equals_brute_force(kind, dtype):
    rng = np.random.RandomState(0)
    for d, k, n in [(1, 5, 30), (3, 40, 200), (64, 1100, 40), (193, 7, 60)]:
        Q, X = (part.astype(dtype) for part in kind(rng, n, k, d))
        found = nearest(Q, X)
        assert found.dtype == np.int32
        truth = wide_sq(Q, X)
        chosen = truth[np.arange(n), found]
        assert (chosen <= truth.min(axis=1) * (1 + 1e-12)).all()
        # one at a time, reversed, and among rows of another size: the answer is the row's own
        alone = [nearest(Q[i : i + 1], X)[0] for i in range(n)]
        np.testing.assert_array_equal(alone, found)
        np.testing.assert_array_equal(nearest(Q[::-1].copy(), X)[::-1], found)
        among = np.concatenate([Q, Q * dtype(1e3), Q * dtype(1e-3)])
        np.testing.assert_array_equal(nearest(among, X)[:n], found)


@pytest.mark.parametrize("dtype", FLOATS)
def test_nearest_breaks_ties_by_index(dtype):
    X = np.random.RandomState(0).randint(5, 9, (2 * BLOCK + 10, 3)).astype(dtype)
    for twins in ([3, 7], [5, BLOCK + 1], [BLOCK + 2, 2 * BLOCK + 5]):
        rows = X.copy()
        rows[twins] = 1.0
        assert nearest(np.ones((1, 3), dtype), rows)[0] == twins[0]
        assert nearest(np.ones((4, 3), dtype), rows).tolist() == [twins[0]] * 4
    # equally far in opposite directions
    assert nearest(np.array([[1.0]], dtype), np.array([[2.0], [0.0]], dtype))[0] == 0
    assert nearest(np.array([[0.3]], dtype), np.array([[0.3], [0.3]], dtype))[0] == 0


@pytest.mark.parametrize("kind", [normal, integers, duplicates])
@pytest.mark.parametrize("dtype", FLOATS)
def test_nearest_of_sparse_queries(kind, dtype):
    rng = np.random.RandomState(1)
    Q, X = (part.astype(dtype) for part in kind(rng, 60, 1100, 20))
    Q[np.random.RandomState(2).rand(*Q.shape) < 0.7] = 0
    found = nearest(sparse.csr_matrix(Q), X)
    truth = wide_sq(Q, X)
    assert (truth[np.arange(60), found] <= truth.min(axis=1) * (1 + 1e-12) + 1e-12).all()
    if kind is integers:
        np.testing.assert_array_equal(found, nearest(Q, X))


@pytest.mark.parametrize("dtype", FLOATS)
def test_frame_shifts_rows_of_one_direction(monkeypatch, dtype):
    rng = np.random.RandomState(0)
    Q, X = (unit_rows((50 + rng.rand(n, 20)).astype(dtype))[0] for n in (500, 12))
    frame = room.frame_of(X)
    np.testing.assert_allclose(frame.rows + frame.shift, X, rtol=1e-6)
    np.testing.assert_array_equal(frame.norms, squared_norms(frame.rows))
    seen = []
    decide = room._decide_close
    monkeypatch.setattr(room, "_decide_close", lambda Q, *a: seen.append(len(Q)) or decide(Q, *a))
    found = nearest(Q, X)
    np.testing.assert_array_equal(found, wide_sq(Q, X).argmin(axis=1))
    assert sum(seen) < 50
    np.testing.assert_array_equal(nearest(Q, X, frame=frame), found)
    seen.clear()
    np.testing.assert_array_equal(nearest(Q, X, squared_norms(X)), found)
    if dtype == np.float32:
        assert sum(seen) > 250, "this test needs data that a frame helps"
    assert room.frame_of(X - X.mean(axis=0)).shift is None
    assert room.frame_of(X, may_shift=False).shift is None
    assert room.frame_of(np.full((3, 2), 1e30, np.float32)).norms.dtype == np.float32


def test_nearest_decides_only_near_ties(monkeypatch):
    """The margin must hold, and must not be so wide that everything is near."""
    seen = []
    decide = room._decide_close
    monkeypatch.setattr(room, "_decide_close", lambda Q, *a: seen.append(len(Q)) or decide(Q, *a))
    rng = np.random.RandomState(0)
    Q, X = rng.randn(2000, 64).astype(np.float32), rng.randn(300, 64).astype(np.float32)
    nearest(Q, X)
    assert sum(seen) < 40
    seen.clear()
    nearest((X[:150] + X[150:]) / 2, X)
    assert sum(seen) > 0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", FLOATS)
def test_margin_bounds_the_rounding(kind, dtype):
    rng = np.random.RandomState(3)
    for d, k in [(1, 30), (8, 30), (300, 30)]:
        Q, X = (part.astype(dtype) for part in kind(rng, 40, k, d))
        norms = squared_norms(X)
        with np.errstate(all="ignore"):
            ((_, found),) = scores(Q, X, norms)
            bound = margin(Q, norms, found.min(axis=1))
            widest = widest_margin(Q, norms)
        truth = wide_sq(Q, X)
        for row in np.flatnonzero(np.isfinite(bound)):
            best = truth[row].argmin()
            # whatever was computed as nearest: the true nearest lies within the margin
            assert found[row, best] - found[row].min() <= bound[row] <= widest
            # and its norm is covered by the margin
            size, reach = (float(np.linalg.norm(v.astype(float))) for v in (Q[row], X[best]))
            assert bound[row] >= product_error(d, norms.dtype, size, reach) * (1 - 1e-6)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("d", [1, 10, 5000])
@pytest.mark.parametrize(("size", "reach"), [(1.0, 1.0), (1e-3, 10.0), (1e4, 1e-2)])
def test_product_error_follows_the_theory(dtype, d, size, reach):
    """Higham's bound of an inner product, twice, with the roundings of norm, sum and shift."""
    u = np.finfo(dtype).eps / 2
    gamma = d * u / (1 - d * u)
    one_score = 2 * gamma * size * reach + 3 * u * (reach**2 + 2 * size * reach)
    shift = 4 * u * size * reach + 2 * u * reach**2
    needed = 2 * (one_score + shift)
    assert needed <= product_error(d, np.dtype(dtype), size, reach) <= 2.5 * needed


# -- chosen pairs ------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("make", [np.asarray, sparse.csr_matrix])
def test_paired_sq_and_listed_sq(dtype, make):
    rng = np.random.RandomState(0)
    Q, X = rng.randn(30, 5).astype(dtype), rng.randn(8, 5).astype(dtype)
    every = np.tile(np.arange(8), (30, 1))
    truth = wide_sq(Q, X).astype(float)
    out = paired_sq(make(Q), X, every)
    assert out.dtype == np.float64
    np.testing.assert_allclose(out, truth, rtol=1e-6 if dtype == np.float32 else 1e-13)
    np.testing.assert_array_equal(paired_sq(make(Q), X, every[:, 3]), out[:, 3])
    rows, columns = rng.randint(30, size=50), rng.randint(8, size=50)
    np.testing.assert_array_equal(listed_sq(make(Q), X, rows, columns), out[rows, columns])
    assert paired_sq(make(Q), X, every[:, :0]).shape == (30, 0)
    assert listed_sq(make(Q), X, rows[:0], columns[:0]).shape == (0,)


def test_paired_sq_keeps_digits_far_from_the_origin():
    Q, X = np.array([[1e8 + 1.0, 1e8]]), np.array([[1e8, 1e8]])
    assert paired_sq(Q, X, np.array([0]))[0] == 1.0
    assert pairwise_sq(Q, X)[0, 0] != 1.0, "this test needs data that cancels"
    large = np.full((1, 2), 1e38, dtype=np.float32)
    assert paired_sq(large, -large, np.array([0]))[0] == pytest.approx(8e76)


def test_paired_sq_of_wide_rows():
    d = 1 << 19
    rng = np.random.RandomState(0)
    Q, X = rng.rand(5, d).astype(np.float32), rng.rand(2, d).astype(np.float32)
    indices = np.array([0, 1, 1, 0, 1])
    truth = [((Q[i].astype(float) - X[j]) ** 2).sum() for i, j in enumerate(indices)]
    np.testing.assert_allclose(paired_sq(Q, X, indices), truth, rtol=1e-6)
    np.testing.assert_allclose(listed_sq(Q, X, np.arange(5), indices), truth, rtol=1e-6)


# -- unit rows ---------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("make", [np.asarray, sparse.csr_matrix])
def test_unit_rows(dtype, make):
    rng = np.random.RandomState(0)
    X = rng.randn(6, 4).astype(dtype)
    X[1], X[2], X[3], X[4] = 0, X[0] * dtype(1e30), X[0] * dtype(1e-30), X[0] * dtype(3)
    given = make(X.copy())
    unit, zero = unit_rows(given)
    assert zero.tolist() == [False, True, False, False, False, False]
    dense = unit.toarray() if sparse.issparse(unit) else unit
    assert unit.dtype == dtype
    np.testing.assert_allclose(np.linalg.norm(dense, axis=1), [1, 0, 1, 1, 1, 1], rtol=1e-6)
    for row in (2, 3, 4):
        np.testing.assert_allclose(dense[row], dense[0], rtol=1e-5)
    np.testing.assert_array_equal(given.toarray() if sparse.issparse(given) else given, X)


# -- several neighbours ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_k_nearest_equals_brute_force(kind, dtype):
    rng = np.random.RandomState(5)
    for d, k, n, m in [(1, 9, 20, 3), (3, 40, 30, 1), (16, 1100, 12, 6), (5, 6, 10, 6)]:
        Q, X = (part.astype(dtype) for part in kind(rng, n, k, d))
        found_distances, found = k_nearest(Q, X, m)
        assert found.dtype == np.int64 and found_distances.dtype == np.float64
        assert all(len(set(row)) == m for row in found.tolist())
        truth = np.sqrt(wide_sq(Q, X))
        rtol = 1e-5 if dtype == np.float32 else 1e-12
        got = np.take_along_axis(truth, found, axis=1).astype(float)
        np.testing.assert_allclose(got, np.sort(truth, axis=1)[:, :m].astype(float), rtol=rtol)
        np.testing.assert_allclose(found_distances, got, rtol=rtol)


def test_from_squared():
    rng = np.random.RandomState(0)
    A, B = rng.randn(5, 3), rng.randn(4, 3)
    np.testing.assert_allclose(from_squared(pairwise_sq(A, B), "euclidean"), cdist(A, B))
    unit = pairwise_sq(unit_rows(A)[0], unit_rows(B)[0])
    np.testing.assert_allclose(from_squared(unit, "cosine"), cdist(A, B, "cosine"))

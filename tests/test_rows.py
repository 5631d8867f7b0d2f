"""Points: working coordinates that keep distances, and chunks that cover the data."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy import sparse
from scipy.spatial.distance import cdist

from annlab._support.threads import Workers
from annlab.rows.memory import MemoryRows


@pytest.fixture
def workers():
    with Workers(2) as opened:
        yield opened


def data(n=3000, d=5, dtype=np.float64, offset=0.0):
    return (np.random.RandomState(0).randn(n, d) + offset).astype(dtype)


def rows_of(X, *, around=None, **options):
    points = MemoryRows(X, **options)
    return points if around is None else points.around(around)


def whole(points):
    """Return all rows in working coordinates, dense."""
    loaded = [piece.load() for piece in points.pieces()]
    return np.concatenate([r.toarray() if sparse.issparse(r) else r for r in loaded])


CASES = {
    "plain": {},
    "far": {"offset": 1e4},
    "float32 far": {"offset": 1e4, "dtype": np.float32},
    "around": {"around": np.full((2, 5), 3.0)},
    "cosine": {"metric": "cosine"},
    "cosine around": {"metric": "cosine", "around": np.eye(5)},
}


@pytest.mark.parametrize("kind", ["dense", "sparse", "memory map"])
@pytest.mark.parametrize("case", CASES)
def test_coordinates_keep_distances(case, kind, workers, tmp_path):
    options = dict(CASES[case])
    X = data(offset=options.pop("offset", 0.0), dtype=options.pop("dtype", np.float64))
    C = X[:7] * X.dtype.type(1.01)
    given = X
    if kind == "sparse":
        given = sparse.csr_matrix(X)
    if kind == "memory map":
        np.save(tmp_path / "X.npy", X)
        given = np.load(tmp_path / "X.npy", mmap_mode="r")
    points = rows_of(given, workers=workers, **options)
    rows, centroids = whole(points), points.inward(C)
    assert rows.dtype == centroids.dtype == points.dtype == X.dtype
    metric = options.get("metric", "euclidean")
    expected = cdist(X.astype(float), C.astype(float), metric)
    if metric == "cosine":
        expected = np.sqrt(2 * np.maximum(expected, 0))
    rtol = 1e-3 if X.dtype == np.float32 else 1e-7
    np.testing.assert_allclose(cdist(rows, centroids), expected, rtol=rtol, atol=1e-7)
    # and back again
    back = points.outward(centroids)
    unit = C / np.linalg.norm(C, axis=1, keepdims=True) if metric == "cosine" else C
    np.testing.assert_allclose(back, unit, rtol=1e-6)
    assert back.dtype == X.dtype
    # some rows are those of the whole
    some = np.array([2999, 0, 17, 17])
    np.testing.assert_array_equal(points.take(some), rows[some])
    loaded = points.load(10, 20)
    loaded = loaded.toarray() if kind == "sparse" else loaded
    np.testing.assert_array_equal(loaded, rows[10:20])
    assert points.streams == (kind == "memory map")


def test_far_data_is_shifted(workers):
    assert rows_of(data(), workers=workers).coordinates.shift is None
    np.testing.assert_allclose(
        rows_of(data(offset=9.0), workers=workers).coordinates.shift, data(offset=9.0).mean(axis=0)
    )
    weights = np.r_[np.ones(10), np.zeros(2990)]
    X = data(offset=9.0)
    weighted = rows_of(X, sample_weight=weights, workers=workers)
    np.testing.assert_allclose(weighted.coordinates.shift, X[:10].mean(axis=0))
    # float32 holds the shift exactly, so that the difference is rounded once
    single = rows_of(data(offset=9.0, dtype=np.float32), workers=workers).coordinates.shift
    np.testing.assert_array_equal(single, single.astype(np.float32))
    assert rows_of(sparse.csr_matrix(data(offset=9.0)), workers=workers).coordinates.shift is None
    assert rows_of(data(offset=9.0), metric="cosine", workers=workers).coordinates.shift is None


@pytest.mark.parametrize(
    ("scale", "expected"),
    [(1.0, "float32"), (1e14, "float32"), (1e16, "float64"), (1e-16, "float64"), (0.0, "float32")],
)
@pytest.mark.parametrize("make", [np.asarray, sparse.csr_matrix])
def test_float32_out_of_range_becomes_float64(scale, expected, make, workers):
    X = data(dtype=np.float32) * np.float32(scale)
    points = rows_of(make(X), workers=workers)
    assert points.dtype == expected and points.coordinates.out_dtype == np.float32
    assert points.inward(X[:2]).dtype == expected and points.outward(X[:2]).dtype == np.float32
    frame = rows_of(make(data(dtype=np.float32)), workers=workers, around=X[:5])
    assert frame.dtype == expected, "the frame is that of the centroids"
    # one row is enough, whatever it weighs
    X = data(dtype=np.float32)
    X[5] = 1e20
    weights = np.r_[np.ones(5), 0.0, np.ones(2994)]
    assert rows_of(make(X), sample_weight=weights, workers=workers).dtype == np.float64


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_matrix])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("offset", [0.0, 50.0])
def test_variance_is_weighted(make, dtype, offset, workers):
    X = data(dtype=dtype, offset=offset)
    rows = X.astype(float)
    points = rows_of(make(X), workers=workers)
    assert points.variance == pytest.approx(rows.var(axis=0).mean(), rel=1e-6)
    weights = np.random.RandomState(1).randint(0, 3, 3000).astype(float)
    twin = points.reweighted(weights)
    repeated = np.repeat(rows, weights.astype(int), axis=0)
    assert twin.variance == pytest.approx(repeated.var(axis=0).mean(), rel=1e-6)
    assert points.variance == pytest.approx(rows.var(axis=0).mean(), rel=1e-6)
    assert twin.X is points.X and twin.workers is points.workers
    np.testing.assert_array_equal(twin.weights(5, 9), weights[5:9])
    assert points.weights(5, 9) is None
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    cosine = rows_of(make(X), metric="cosine", workers=workers)
    assert cosine.variance == pytest.approx(unit.var(axis=0).mean(), rel=1e-5)


def test_rows_without_a_direction_are_found(workers):
    X = data(1000)
    X[[0, 999]] = 0.0
    for given in (X, sparse.csr_matrix(X)):
        points = rows_of(given, metric="cosine", workers=workers)
        np.testing.assert_array_equal(np.flatnonzero(points.zero), [0, 999])
    # zeros that are stored count as zeros
    stored = sparse.csr_matrix((np.array([0.0, 1.0]), np.array([0, 1]), np.array([0, 1, 2])))
    assert rows_of(stored, metric="cosine", workers=workers).zero.tolist() == [True, False]
    assert rows_of(X[1:999], metric="cosine", workers=workers).zero is None
    assert rows_of(X, workers=workers).zero is None


@pytest.mark.parametrize("n", [1, 255, 256, 257, 5001, 200_000])
def test_chunks_cover_the_rows(n, workers):
    for X in (np.zeros((n, 3), np.float32), sparse.csr_matrix(np.ones((n, 30)))):
        bounds = rows_of(X, workers=workers).bounds()
        assert bounds[0][0] == 0 and bounds[-1][1] == n
        assert all(a[1] == b[0] for a, b in pairwise(bounds))
        sizes = [stop - start for start, stop in bounds]
        assert max(sizes) == sizes[0] and (len(sizes) == 1 or min(sizes[:-1]) >= 256)
        # chunks of sparse rows hold more of them
        assert n < 5000 or (2 if sparse.issparse(X) else 16) <= len(sizes) <= 21


def test_copy_is_made_once_and_only_if_it_pays(workers, tmp_path):
    X = data(offset=9.0)
    points = rows_of(X, workers=workers)
    first = points.pieces()[0].load()
    assert np.shares_memory(first, points.pieces()[0].load()), "it was shifted again"
    assert not np.shares_memory(first, X)
    plain = rows_of(data(), workers=workers)
    assert np.shares_memory(plain.pieces()[0].load(), plain.X)
    for given in (
        rows_of(X, workers=workers, around=X[:3]),
        rows_of(X, workers=workers, around=X[:3], metric="cosine"),
    ):
        one, other = (given.pieces()[0].load() for _ in range(2))
        assert not np.shares_memory(one, other), "a copy of all rows is kept for a single pass"
    np.save(tmp_path / "X.npy", X)
    mapped = rows_of(np.load(tmp_path / "X.npy", mmap_mode="r"), workers=workers)
    assert not np.shares_memory(mapped.pieces()[0].load(), mapped.pieces()[0].load())
    np.testing.assert_array_equal(X, data(offset=9.0))

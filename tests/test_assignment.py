"""Assignment: labels for given centroids, and the sums by cluster that follow."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import sparse
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist
from sklearn.neighbors import NearestNeighbors

from annlab import assignment as room
from annlab import available_algorithms, available_indexes, kmeans_ann
from annlab._points import Points
from annlab._workers import Workers
from annlab.assignment import (
    ExactAssigner,
    IndexAssigner,
    cluster_sums,
    finish,
    make_assigner,
)


@pytest.fixture
def workers():
    with Workers(2) as opened:
        yield opened


def data(n=2000, d=5, k=11, seed=0, dtype=np.float64):
    rng = np.random.RandomState(seed)
    return rng.randn(n, d).astype(dtype), rng.randn(k, d).astype(dtype)


class Plain:
    """An index of a caller's own: no scikit-learn, nothing but the two methods."""

    fits = 0

    def fit(self, X):
        self.X = X
        self.fits += 1
        return self

    def kneighbors(self, Q, n_neighbors):
        order = np.argsort(cdist(Q, self.X), axis=1)[:, :n_neighbors]
        return np.take_along_axis(cdist(Q, self.X), order, axis=1), order


class Misled(Plain):
    """Finds the nearest for half of the queries and a random row for the others."""

    def kneighbors(self, Q, n_neighbors):
        distances, indices = super().kneighbors(Q, n_neighbors)
        rng = np.random.RandomState(len(Q))
        wrong = rng.rand(len(Q)) < 0.5
        indices[wrong, 0] = rng.randint(len(self.X), size=wrong.sum())
        return distances, indices


# -- exact -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("k", [1, 11, 1500])
def test_exact_labels_and_distances(dtype, k, workers):
    X, C = data(3000, k=k, dtype=dtype)
    points = Points(X, workers=workers)
    sizes = [stop - start for start, stop in points.bounds()]
    assert len(sizes) > 3 and sizes[-1] < sizes[0], "three chunks and a remainder"
    found = ExactAssigner(points).assign(C, None)
    truth = cdist(X.astype(float), C.astype(float), "sqeuclidean")
    np.testing.assert_array_equal(found.labels, truth.argmin(axis=1))
    np.testing.assert_allclose(found.distances_sq, truth.min(axis=1), rtol=1e-5)
    assert found.labels.dtype == np.int32 and found.distances_sq.dtype == np.float64
    assert found.n_distances == 3000 * k
    assert found.inertia == pytest.approx(truth.min(axis=1).sum(), rel=1e-6)
    assert (found.kind, found.weights, found.outliers) == ("lloyd", None, None)


def test_long_chunks_are_labelled_in_blocks(monkeypatch, workers):
    X, C = data(40_000, d=2, k=600)
    points = Points(X, workers=workers, shift=np.zeros(2))
    asked = []
    nearest = room.nearest
    monkeypatch.setattr(
        room, "nearest", lambda Q, *a, **o: asked.append(len(Q)) or nearest(Q, *a, **o)
    )
    labels = ExactAssigner(points).label(C)
    assert len(asked) > len(points.bounds()) and sum(asked) == 40_000
    np.testing.assert_array_equal(labels, cKDTree(C).query(X)[1])
    np.testing.assert_array_equal(ExactAssigner(points).assign(C, None).labels, labels)


def test_inertia_is_weighted(workers):
    X, C = data(500)
    weights = np.random.RandomState(0).rand(500)
    found = ExactAssigner(Points(X, sample_weight=weights, workers=workers)).assign(C, None)
    expected = weights @ cdist(X, C, "sqeuclidean").min(axis=1)
    assert found.inertia == pytest.approx(expected)
    assert found.weights is weights


def test_sparse_rows_get_the_labels_of_dense_ones(workers):
    X, C = data(1500, d=30)
    X[np.random.RandomState(1).rand(*X.shape) < 0.8] = 0
    dense = ExactAssigner(Points(X, workers=workers, shift=np.zeros(30))).assign(C, None)
    points = Points(sparse.csr_matrix(X), workers=workers)
    thin = ExactAssigner(points).assign(C, None)
    assert len(points.bounds()) > 3
    np.testing.assert_array_equal(thin.labels, dense.labels)
    np.testing.assert_allclose(thin.distances_sq, dense.distances_sq, rtol=1e-9)


def test_rows_without_a_direction_go_to_label_0(workers):
    X, C = data(10, k=3)
    X[[2, 7]] = 0.0
    points = Points(X, metric="cosine", workers=workers)
    np.testing.assert_array_equal(np.flatnonzero(points.zero_rows), [2, 7])
    found = finish(points, np.full(10, 2, np.int32), np.full(10, 0.5), None)
    assert found.labels.tolist() == [2, 2, 0, 2, 2, 2, 2, 0, 2, 2]
    assert found.inertia == 8 * 0.5 + 2 * 1.0
    labels = ExactAssigner(points).assign(points.inward(C), None).labels
    assert labels[2] == labels[7] == 0


# -- through an index --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "index",
    [
        NearestNeighbors(),
        NearestNeighbors(algorithm="brute"),
        NearestNeighbors(n_neighbors=3, algorithm="ball_tree"),
        Plain(),
    ],
    ids=["auto", "brute", "ball_tree", "of one's own"],
)
def test_any_index_of_the_protocol_serves(index, workers):
    X, C = data()
    found = IndexAssigner(Points(X, workers=workers), index, "mine").assign(C, None)
    np.testing.assert_array_equal(found.labels, cdist(X, C).argmin(axis=1))
    np.testing.assert_allclose(found.distances_sq, cdist(X, C, "sqeuclidean").min(axis=1))
    assert found.n_distances is None
    assert not hasattr(index, "X") and not hasattr(index, "n_samples_fit_"), "fitted in place"


@pytest.mark.parametrize("name", available_indexes())
def test_every_index_serves(name, workers):
    pytest.importorskip("faiss") if name == "faiss" else None
    X, C = data(3000, d=8, k=64)
    points = Points(X, workers=workers)
    assigner, reason = make_assigner(name, points, 64, {}, np.random.RandomState(0), 2)
    found = assigner.assign(points.inward(C), None)
    truth = cdist(X, C)
    right = np.mean(found.labels == truth.argmin(axis=1))
    assert right == 1.0 if assigner.exact else right > 0.85
    assert assigner.name == name and reason == ""
    shifted = cdist(X, C, "sqeuclidean")[np.arange(3000), found.labels]
    np.testing.assert_allclose(found.distances_sq, shifted, rtol=1e-6)


def test_queries_go_to_the_index_in_batches(monkeypatch, workers):
    X, C = data(1000)
    asked = []

    class Counted(Plain):
        n_distances_ = 0

        def kneighbors(self, Q, n_neighbors):
            asked.append(len(Q))
            self.n_distances_ = len(Q) * 2
            return super().kneighbors(Q, n_neighbors)

    points = Points(X, workers=workers)
    whole = IndexAssigner(points, Counted(), "mine").assign(C, None)
    monkeypatch.setattr(room, "_INDEX_ROWS", 300)
    parts = IndexAssigner(points, Counted(), "mine").assign(C, None)
    assert asked == [1000, 300, 300, 300, 100]
    np.testing.assert_array_equal(parts.labels, whole.labels)
    np.testing.assert_array_equal(parts.distances_sq, whole.distances_sq)
    assert whole.n_distances == parts.n_distances == 2000


def test_a_point_keeps_its_label_unless_the_candidate_is_closer(workers):
    X, C = data(800)
    truth = cdist(X, C, "sqeuclidean")
    points = Points(X, workers=workers)
    assigner = IndexAssigner(points, Misled(), "mine")
    first = assigner.assign(C, None)
    assert np.mean(first.labels != truth.argmin(axis=1)) > 0.3, "this test needs wrong answers"
    best = truth.argmin(axis=1).astype(np.int32)
    np.testing.assert_array_equal(assigner.assign(C, best).labels, best)
    previous = np.random.RandomState(5).randint(11, size=800).astype(np.int32)
    kept = assigner.assign(C, previous)
    expected = np.where(
        truth[np.arange(800), previous] <= truth[np.arange(800), first.labels],
        previous,
        first.labels,
    )
    np.testing.assert_array_equal(kept.labels, expected)
    np.testing.assert_allclose(kept.distances_sq, truth[np.arange(800), expected])
    # equally close: the old label stays
    twins = np.array([[0.0], [2.0]])
    middle = IndexAssigner(
        Points(np.ones((4, 1)), workers=workers, shift=np.zeros(1)), Plain(), "mine"
    )
    assert middle.assign(twins, np.array([0, 1, 0, 1], np.int32)).labels.tolist() == [0, 1, 0, 1]


def test_an_exact_index_needs_no_memory(workers):
    X, C = data(400)
    exact = Misled()
    exact.exact = True
    points = Points(X, workers=workers)
    with_memory = IndexAssigner(points, exact, "mine").assign(C, np.zeros(400, np.int32))
    without = IndexAssigner(points, exact, "mine").assign(C, None)
    np.testing.assert_array_equal(with_memory.labels, without.labels)


# -- refusals ----------------------------------------------------------------------------------


def answer(value):
    class Answers(Plain):
        def kneighbors(self, Q, n_neighbors):
            return value(len(Q)) if callable(value) else value

    return Answers()


BAD_ANSWERS = {
    "nothing": (None, TypeError, r"returns \(distances, indices\); got Answers returning NoneT"),
    "one array": ([np.zeros(3)], TypeError, r"returns \(distances, indices\)"),
    "ragged": (([0], [[1], [1, 2]]), TypeError, r"returns \(distances, indices\)"),
    "too few": ((0, np.zeros((3, 1), int)), ValueError, "50 integer indices; got shape"),
    "two each": (lambda n: (0, np.zeros((n, 2), int)), ValueError, "50 integer indices"),
    "no integers": (lambda n: (0, np.zeros((n, 1))), ValueError, "dtype float64"),
    "too high": (lambda n: (0, np.full((n, 1), 11)), ValueError, "0 and 10; got indices from 11"),
    "too low": (lambda n: (0, np.full((n, 1), -1)), ValueError, "between 0 and 10"),
}


@pytest.mark.parametrize("case", BAD_ANSWERS)
def test_what_an_index_must_not_answer(case, workers):
    value, error, says = BAD_ANSWERS[case]
    X, C = data(50)
    with pytest.raises(error, match=f"^algorithm must be an object whose .*{says}"):
        IndexAssigner(Points(X, workers=workers), answer(value), "mine").assign(C, None)


class Half:
    def fit(self, X):
        return self


BAD_ALGORITHMS = {
    "a name": ("annoy", ValueError, "one of 'auto', .*'brute'.*; got 'annoy'"),
    "nothing": (None, TypeError, "a name of available_algorithms.* got None"),
    "a number": (3, TypeError, "a name of available_algorithms"),
    "a class": (NearestNeighbors, TypeError, "Pass an instance"),
    "half of the protocol": (Half(), TypeError, "with fit and kneighbors"),
}


@pytest.mark.parametrize("case", BAD_ALGORITHMS)
def test_bad_algorithms(case):
    algorithm, error, says = BAD_ALGORITHMS[case]
    with pytest.raises(error, match=f"^algorithm must be .*{says}"):
        kmeans_ann(data()[0], 3, algorithm=algorithm)


def test_bad_parameters_of_algorithms():
    X = data(60)[0]
    with pytest.raises(ValueError, match=r"leaves.*leaf_size|leaf_size.*leaves"):
        kmeans_ann(X, 3, algorithm="kd_tree", algorithm_params={"leaves": 3})
    with pytest.raises(ValueError, match=r"^algorithm_params must be None where algorithm is an"):
        kmeans_ann(X, 3, algorithm=Plain(), algorithm_params={"leaf_size": 3})
    with pytest.raises(TypeError, match=r"^algorithm_params must be None or a dict; got 3"):
        kmeans_ann(X, 3, algorithm="kd_tree", algorithm_params=3)
    for name in ("small_k", "graph"):
        if name in available_algorithms():
            with pytest.raises(ValueError, match=r"^algorithm_params must be .*speed"):
                kmeans_ann(X, 3, algorithm=name, algorithm_params={"speed": 3})


@pytest.mark.parametrize("algorithm", ["kd_tree", "ball_tree", "hnsw", "pq", Plain()])
def test_who_does_not_take_sparse_data_says_so(algorithm):
    X = sparse.csr_matrix(np.abs(data(80)[0]))
    with pytest.raises(TypeError, match=r"^X must be dense for algorithm=.*'brute' or 'lsh'"):
        kmeans_ann(X, 3, algorithm=algorithm)


@pytest.mark.parametrize("algorithm", ["auto", "brute", "lsh"])
def test_who_takes_sparse_data(algorithm):
    X = np.abs(data(300, d=12)[0])
    X[X < 0.8] = 0
    result = kmeans_ann(sparse.csr_matrix(X), 4, algorithm=algorithm, init=X[:4], random_state=0)
    dense = kmeans_ann(X, 4, algorithm="brute", init=X[:4])
    assert result.inertia == pytest.approx(dense.inertia, rel=0.02)
    if algorithm == "auto":
        assert result.algorithm in ("brute", "lsh") and result.reason == "sparse input"


def test_names():
    names = available_algorithms()
    assert names[0] == "auto" and set(available_indexes()) < set(names)
    assert len(set(names)) == len(names)


def test_parameters_reach_the_index():
    X = data(300)[0]
    one = kmeans_ann(X, 8, algorithm="lsh", algorithm_params={"n_tables": 1}, random_state=0)
    many = kmeans_ann(X, 8, algorithm="lsh", algorithm_params={"n_tables": 20}, random_state=0)
    assert one.n_distances / one.n_iter < many.n_distances / many.n_iter
    again = kmeans_ann(X, 8, algorithm="lsh", algorithm_params={"n_tables": 1}, random_state=0)
    np.testing.assert_array_equal(one.labels, again.labels)


# -- sums --------------------------------------------------------------------------------------


def sums_by_hand(X, labels, weights, k):
    sums = [[0.0] * X.shape[1] for _ in range(k)]
    totals = [0.0] * k
    for row, label, weight in zip(X.tolist(), labels.tolist(), weights.tolist(), strict=True):
        totals[label] += weight
        for f, value in enumerate(row):
            sums[label][f] += weight * value
    return np.array(sums), np.array(totals)


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("path", ["chunks", "clusters", "sparse", "memory map"])
def test_sums_are_those_of_plain_loops(path, weighted, tmp_path, monkeypatch):
    X = data(1700, d=6)[0].astype(np.float32)
    rng = np.random.RandomState(0)
    labels = rng.randint(9, size=1700).astype(np.int32)
    labels[labels == 4] = 5
    weights = rng.rand(1700) if weighted else np.ones(1700)
    expected, expected_totals = sums_by_hand(X, labels, weights, 9)
    if path == "clusters":
        monkeypatch.setattr(room, "_SMALL_SUMS", 1)
    given = X
    if path == "sparse":
        given = sparse.csr_matrix(X)
    if path == "memory map":
        np.save(tmp_path / "X.npy", X)
        given = np.load(tmp_path / "X.npy", mmap_mode="r")
        monkeypatch.setattr(room, "_SMALL_SUMS", 1)
    ways = []
    for n_jobs in (1, 2, 4):
        with Workers(n_jobs) as workers:
            points = Points(given, workers=workers, shift=np.zeros(6))
            ways.append(cluster_sums(points, labels, weights if weighted else None, 9))
    for sums, totals in ways:
        np.testing.assert_allclose(sums, expected, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(totals, expected_totals)
        np.testing.assert_array_equal(sums, ways[0][0])
        assert sums.dtype == totals.dtype == np.float64
    assert (ways[0][0][4] == 0).all() and ways[0][1][4] == 0


def test_long_clusters_are_summed_in_pieces(monkeypatch, workers):
    monkeypatch.setattr(room, "_SMALL_SUMS", 1)
    X = np.full((40_000, 1), 0.1, dtype=np.float32)
    points = Points(X, workers=workers, shift=np.zeros(1))
    taken = []
    rows = Points.rows
    monkeypatch.setattr(Points, "rows", lambda self, i: taken.append(len(i)) or rows(self, i))
    labels = np.ones(40_000, np.int32)
    sums, totals = cluster_sums(points, labels, None, 3)
    assert len(taken) == 3 and max(taken) == 1 << 14
    # summed in float64: in float32 the sum would be off by far more
    assert sums[1, 0] == pytest.approx(math.fsum(X[:, 0].tolist()), rel=1e-12)
    assert totals.tolist() == [0.0, 40_000.0, 0.0]

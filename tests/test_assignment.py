"""Assignment: labels for given centroids, and the sums by cluster that follow."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import sparse
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist
from sklearn.neighbors import NearestNeighbors

from annlab import available_algorithms, available_indexes, kmeans_ann
from annlab._kernels_cache import load_kernels
from annlab._support.threads import Workers, chunk_bounds
from annlab.fit import choose as choosing
from annlab.fit import searches as room
from annlab.fit.choose import make_assigner
from annlab.fit.searches import (
    Assigner,
    Assignment,
    ExactAssigner,
    IndexAssigner,
    Worst,
    cluster_means,
    cluster_sums,
    finish,
    inertia_of_rows,
    label_block,
    worst_places,
    worst_served,
)
from annlab.rows.memory import Points


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
    "far too high": (lambda n: (0, np.full((n, 1), 99)), ValueError, "0 and 10; got indices"),
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


def test_any_cut_into_chunks_has_the_same_sums_and_few_tables_at_a_time(monkeypatch, workers):
    X = data(2050)[0]
    labels = np.random.RandomState(0).randint(7, size=2050).astype(np.int32)
    expected, totals = sums_by_hand(X, labels, np.ones(2050), 7)
    points = Points(X, workers=workers, shift=np.zeros(5))
    points.settle()
    monkeypatch.setattr(Points, "bounds", lambda self: chunk_bounds(self.n, 50))
    at_once = []
    original = Workers.map

    def watched(self, function, tasks, work=float("inf")):
        at_once.append(len(tasks))
        return original(self, function, tasks, work)

    monkeypatch.setattr(Workers, "map", watched)
    found = cluster_sums(points, labels, None, 7)
    np.testing.assert_allclose(found[0], expected)
    np.testing.assert_array_equal(found[1], totals)
    # 41 tables of k·d numbers are never there together
    assert sum(at_once) == 41 and max(at_once) <= 16


@pytest.mark.parametrize(("k", "by_chunks"), [(16_384 // 4, True), (16_384 // 4 + 1, False)])
def test_small_tables_are_summed_by_chunks(k, by_chunks, monkeypatch, workers):
    """`kmeans` promises where blocks have the bits of data in memory: up to k·d of 16,384."""
    X = data(300, d=4)[0]
    labels = np.random.RandomState(0).randint(k, size=300).astype(np.int32)
    calls = []
    original = room.chunk_sums
    monkeypatch.setattr(room, "chunk_sums", lambda *task: calls.append(1) or original(*task))
    sums, totals = cluster_sums(Points(X, workers=workers, shift=np.zeros(4)), labels, None, k)
    assert bool(calls) == by_chunks
    assert sums.shape == (k, 4) and totals.shape == (k,)
    np.testing.assert_allclose(sums.sum(axis=0), X.sum(axis=0))
    np.testing.assert_array_equal(totals, np.bincount(labels, minlength=k))


def test_data_in_processes_goes_there_in_chunks(monkeypatch, workers):
    X = data(300)[0]
    monkeypatch.setattr(Workers, "in_processes", True)
    monkeypatch.setattr(room, "_SMALL_SUMS", 1)
    monkeypatch.setattr(room, "_block_sums", None)
    labels = np.arange(300, dtype=np.int32) % 4
    sums, _ = cluster_sums(Points(X, workers=workers, shift=np.zeros(5)), labels, None, 4)
    np.testing.assert_allclose(sums, [X[i::4].sum(axis=0) for i in range(4)])


@pytest.mark.parametrize("k", [3, 64, 200, 1000])
def test_large_tables_are_shared_out_to_threads(k, monkeypatch, workers):
    monkeypatch.setattr(room, "_SMALL_SUMS", 1)
    X = data(2000, d=2)[0]
    labels = np.random.RandomState(0).randint(k, size=2000).astype(np.int32)
    points = Points(X, workers=workers, shift=np.zeros(2))
    points.settle()
    shares = []
    original = Workers.map

    def watched(self, function, tasks, work=float("inf")):
        shares.append(len(tasks))
        return original(self, function, tasks, work)

    monkeypatch.setattr(Workers, "map", watched)
    sums, _ = cluster_sums(points, labels, None, k)
    expected = sums_by_hand(X, labels, np.ones(2000), k)[0]
    np.testing.assert_allclose(sums, expected, atol=1e-12)
    # enough of them for many threads, and no more than it costs to hand out
    assert min(k, 64) <= shares[0] <= 128


def test_an_empty_first_and_last_cluster_have_empty_sums(monkeypatch, workers):
    monkeypatch.setattr(room, "_SMALL_SUMS", 1)
    X = np.arange(1.0, 7.0)[:, None]
    points = Points(X, workers=workers, shift=np.zeros(1))
    labels = np.array([2, 1, 2, 1, 4, 4], np.int32)
    sums, totals = cluster_sums(points, labels, None, 7)
    assert sums.ravel().tolist() == [0, 6, 4, 0, 11, 0, 0]
    assert totals.tolist() == [0, 2, 2, 0, 2, 0, 0]


def test_means_of_clusters():
    sums = np.array([[6.0, 8.0], [0.0, 0.0], [1e-9, 0.0]])
    totals = np.array([2.0, 0.0, 1e-9])
    before = np.array([[9.0, 9.0], [0.6, 0.8], [9.0, 9.0]], dtype=np.float32)
    with np.errstate(all="raise"):
        means = cluster_means(sums, totals, before)
        unit = cluster_means(sums, totals, before, unit=True)
    kept = before[1].astype(float)
    np.testing.assert_allclose(means, [[3.0, 4.0], kept, [1.0, 0.0]])
    np.testing.assert_allclose(unit, [[0.6, 0.8], kept, [1.0, 0.0]])
    assert means.dtype == np.float64 and before[0, 0] == 9.0


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("make", [np.asarray, sparse.csr_matrix])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("least", [-1, 0])
def test_inertia_of_some_rows(metric, make, weighted, least):
    X, C = data(60, k=3)
    labels = np.random.RandomState(0).randint(least, 3, 60).astype(np.int32)
    weights = np.random.RandomState(1).rand(60) if weighted else None
    rows = X / np.linalg.norm(X, axis=1, keepdims=True) if metric == "cosine" else X
    expected = math.fsum(
        (1.0 if weights is None else weights[i]) * math.dist(rows[i], C[labels[i]]) ** 2
        for i in range(60)
        if labels[i] != -1
    )
    given = make(X)
    # a name that is equal, not the very same object
    found = inertia_of_rows(given, C, labels, weights, "".join(list(metric)))
    assert found == pytest.approx(expected, rel=1e-12) and type(found) is float


# -- who is served worst -----------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
def test_worst_places_are_those_of_a_sort(seed):
    rng = np.random.RandomState(seed)
    # few values, so that many are alike
    badness = rng.randint(0, 1 + 2 * seed, 23).astype(float)
    by_hand = sorted(range(23), key=lambda i: (-badness[i], i))
    for size in range(26):
        places = worst_places(badness, size)
        assert places.tolist() == by_hand[:size] and places.dtype == np.int64
    assert worst_places(badness[:0], 3).tolist() == []
    # the worst of parts are the worst of the whole
    half = worst_places(badness[:9], 5), 9 + worst_places(badness[9:], 5)
    both = np.sort(np.concatenate(half))
    assert both[worst_places(badness[both], 5)].tolist() == by_hand[:5]


def served(points, size, **more):
    labels = np.array([0, 1, 1, 0, 1], np.int32)
    distances_sq = np.array([3.0, 9.0, 1.0, 9.0, 4.0])
    given = Assignment(labels, distances_sq, points.sample_weight, 0.0, None, **more)
    found = worst_served(points, given, size)
    assert distances_sq.tolist() == [3.0, 9.0, 1.0, 9.0, 4.0], "the caller's own"
    return found


def test_the_worst_served_points(workers):
    X = np.arange(10, dtype=np.float32).reshape(5, 2)
    points = Points(X, workers=workers, shift=np.zeros(2))
    found = served(points, 3)
    assert found.indices.tolist() == [1, 3, 4]
    assert found.rows.tolist() == [[2, 3], [6, 7], [8, 9]] and found.rows.dtype == np.float64
    assert found.badness.tolist() == [9, 9, 4]
    assert found.labels.tolist() == [1, 0, 1]
    assert found.weights.tolist() == [1, 1, 1] and found.weights.dtype == np.float64
    moved = served(points, 3, members=np.array([4, 3, 2, 1, 0], np.int32))
    assert moved.labels.tolist() == [3, 1, 0]
    assert served(points, 2, worst=lambda size: ("asked", size)) == ("asked", 2)


def test_points_without_weight_are_served_well_enough(workers):
    X = np.arange(10.0).reshape(5, 2)
    weights = np.array([2.0, 0.0, 1.0, 0.5, 0.0])
    points = Points(X, sample_weight=weights, workers=workers, shift=np.zeros(2))
    found = served(points, 5)
    assert found.indices.tolist() == [3, 0, 2, 1, 4]
    assert found.badness.tolist() == [9, 3, 1, 0, 0]
    assert found.weights.tolist() == [0.5, 2, 1, 0, 0]
    # who may be a seed is another question than who moves a centroid
    named = served(points, 2, seed_weights=np.array([1.0, 1.0, 0.0, 0.0, 1.0]))
    assert named.indices.tolist() == [1, 4] and named.weights.tolist() == [0, 0]


def test_rows_without_a_direction_are_served_well_enough(workers):
    X = np.array([[1.0, 1.0], [0.0, 0.0], [2.0, 1.0], [1.0, 3.0], [1.0, 4.0]])
    found = served(Points(X, metric="cosine", workers=workers), 5)
    assert found.indices.tolist() == [3, 4, 0, 2, 1] and found.badness[-1] == 0


def test_records_are_compared_as_objects_and_never_change():
    empty = np.empty(0)
    for record in (Worst(*[empty] * 5), Assignment(empty, empty, None, 0.0, None)):
        assert record == record and len({record, record}) == 1
        assert record != type(record)(**vars(record))
        with pytest.raises(AttributeError):
            record.labels = None


# -- what every assigner answers ---------------------------------------------------------------


class Least(Assigner):
    """What a new assigner has to bring: nothing but `assign`."""

    def assign(self, centroids, previous):
        return "labels", centroids, previous


def test_an_assigner_that_brings_nothing_of_its_own(workers):
    with pytest.raises(TypeError):
        Assigner()
    least, points = Least(), Points(data()[0], workers=workers)
    assert least.start(3, np.random.RandomState(0)) is None
    assert (least.exact_below, least.compiled, least.outliers) == (0, None, None)
    assert least.state() == {}
    least.restore({}, None, 3)
    with pytest.raises(ValueError, match="nothing to remember"):
        least.restore({"centroids": np.zeros(3)}, None, 3)
    again = least.again(points)
    assert type(again) is ExactAssigner and again.points is points
    assert least.final("centroids", "previous") == ("labels", "centroids", "previous")
    labels = np.array([0, 1, 2, 3], np.int32)
    assert least.relabelled(labels, {1: 7, 3: 0}).tolist() == [0, 7, 2, 0]
    assert labels.tolist() == [0, 1, 2, 3]
    assert (ExactAssigner.exact, ExactAssigner.name) == (True, "brute")


def announced(monkeypatch, action):
    """The amounts of work that an action tells `Workers.map`."""
    amounts = []
    original = Workers.map

    def watched(self, function, tasks, work=float("inf")):
        amounts.append(work)
        return original(self, function, tasks, work)

    with monkeypatch.context() as patch:
        patch.setattr(Workers, "map", watched)
        action()
    return amounts


@pytest.mark.parametrize(
    ("n", "d", "k"), [(300, 2, 50), (3000, 2, 50), (300, 40, 50), (300, 2, 900)]
)
def test_whether_threads_pay_is_judged_by_the_operations(n, d, k, monkeypatch, workers):
    """Announced work is that of the documented cost, within a small factor: 2·n·k·d, and n·d."""
    X, C = data(n, d=d, k=k)
    points = Points(X, workers=workers, shift=np.zeros(d))
    points.settle()
    (work,) = announced(monkeypatch, lambda: ExactAssigner(points).assign(C, None))
    assert n * k * d <= work <= 4 * n * k * d
    labels = np.zeros(n, np.int32)
    for work in announced(monkeypatch, lambda: cluster_sums(points, labels, None, 2)):
        assert n * d <= work <= 64 * n * d


def test_shifting_the_centroids_never_fills_sparse_rows(monkeypatch, workers):
    X, C = np.abs(data(300, d=8)[0]) + 5, np.abs(data(300, d=8)[1]) + 5
    seen = []
    original = room.nearest

    def watched(rows, centroids, *, frame):
        seen.append((sparse.issparse(rows), frame.shift is None, centroids.flags.f_contiguous))
        return original(rows, centroids, frame=frame)

    monkeypatch.setattr(room, "nearest", watched)
    dense = ExactAssigner(Points(X, workers=workers, shift=np.zeros(8))).label(C)
    assert seen[-1][:2] == (False, False), "this test needs centroids far from the origin"
    thin = ExactAssigner(Points(sparse.csr_matrix(X), workers=workers)).label(C)
    # laid out by columns SciPy need not copy them for each chunk
    assert seen[-1] == (True, True, True)
    np.testing.assert_array_equal(thin, dense)


@pytest.mark.parametrize("k", [1, 64, 5000])
def test_a_product_of_a_block_stays_small(k, monkeypatch):
    X, C = data(20_000, d=1, k=k)
    asked = []
    monkeypatch.setattr(
        room,
        "nearest",
        lambda rows, C, frame: asked.append(len(rows)) or np.full(len(rows), len(asked)),
    )
    labels = label_block(X, C, room.frame_of(C))
    largest = max(asked)
    # half a million numbers, or a thousand rows where those are more
    assert largest * k <= 1 << 19 or largest == 1024
    # and not needlessly many calls
    assert 2 * largest * k > 1 << 19 or largest == 20_000
    assert sum(asked) == 20_000 and labels.dtype == np.int32
    np.testing.assert_array_equal(labels, np.repeat(np.arange(1, len(asked) + 1), asked))


def test_the_exact_labels_alone_put_rows_without_a_direction_into_cluster_0(workers):
    X = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    points = Points(X, metric="cosine", workers=workers)
    assert ExactAssigner(points).label(np.array([[0.0, 1.0], [1.0, 0.0]])).tolist() == [0, 1, 0, 0]


# -- what an index is asked --------------------------------------------------------------------


def test_an_index_is_asked_for_a_bounded_number_of_rows(workers):
    asked = []

    class Quick:
        def fit(self, X):
            return self

        def kneighbors(self, Q, n_neighbors):
            asked.append((len(Q), n_neighbors))
            return None, np.zeros((len(Q), 1), np.int64)

    points = Points(np.zeros((70_000, 1), np.float32), workers=workers)
    found = IndexAssigner(points, Quick(), "mine").assign(np.zeros((2, 1), np.float32), None)
    # so that its answers stay small beside the data, and its loops long
    assert asked == [(1 << 16, 1), (70_000 - (1 << 16), 1)]
    assert found.labels.dtype == np.int32 and found.distances_sq.dtype == np.float64
    assert found.labels.shape == found.distances_sq.shape == (70_000,)


def test_no_rows_have_no_neighbours():
    class Nothing:
        def kneighbors(self, Q, n_neighbors):
            return None, np.empty((0, 1), np.int64)

    found, distances = room.search_block(Nothing(), np.empty((0, 2)), np.ones((3, 2)), None)
    assert found.shape == distances.shape == (0,)


def test_the_nearest_index_may_be_the_last_or_the_first(workers):
    X, C = data(30, k=4)
    for which in (0, 3):
        index = answer(lambda n, which=which: (None, np.full((n, 1), which, np.uint8)))
        found = IndexAssigner(Points(X, workers=workers), index, "mine").assign(C, None)
        assert set(found.labels) == {which}


def test_counts_of_distances_are_given_only_where_all_are_known(monkeypatch, workers):
    monkeypatch.setattr(room, "_INDEX_ROWS", 20)

    class Sometimes(Plain):
        def kneighbors(self, Q, n_neighbors):
            self.n_distances_ = 5 if len(Q) == 20 else None
            return super().kneighbors(Q, n_neighbors)

    X, C = data(40)
    found = IndexAssigner(Points(X, workers=workers), Sometimes(), "mine").assign(C, None)
    assert found.n_distances == 10 and type(found.n_distances) is int
    found = IndexAssigner(Points(X[:30], workers=workers), Sometimes(), "mine").assign(C, None)
    assert found.n_distances is None


def test_what_makes_an_index_of_ones_own_special(workers):
    points = Points(sparse.csr_matrix(np.eye(3)), workers=workers)
    assert IndexAssigner(Points(np.eye(3), workers=workers), Plain(), "x").exact is False
    index = Plain()
    index.accepts_sparse = True
    assert IndexAssigner(points, index, "x").name == "x"
    index.accepts_sparse = False
    with pytest.raises(TypeError, match="dense for algorithm='x'"):
        IndexAssigner(points, index, "x")


# -- how a name becomes an assigner ------------------------------------------------------------


def made(algorithm, points, params=None, seed=0, n_jobs=3, **more):
    rng = np.random.RandomState(seed)
    return make_assigner(algorithm, points, 4, params or {}, rng, n_jobs, **more)


def parameters(points, name, params=None, **more):
    return made(name, points, params, **more)[0]._index.get_params()


def test_an_index_is_seeded_by_the_fit_unless_it_has_a_seed_of_its_own(workers):
    points = Points(data(50)[0], workers=workers)
    seeds = [parameters(points, "lsh", seed=seed)["random_state"] for seed in range(40)]
    assert len(set(seeds)) == 40
    # any RandomState takes them
    assert 0 <= min(seeds) and 2**30 < max(seeds) < 2**31
    assert parameters(points, "lsh", seed=3)["random_state"] == seeds[3]
    assert parameters(points, "lsh", {"random_state": 11})["random_state"] == 11
    rng = np.random.RandomState(0)
    make_assigner("lsh", points, 4, {"random_state": 11}, rng, 1)
    make_assigner("kd_tree", points, 4, {}, rng, 1)
    assert rng.randint(1000) == np.random.RandomState(0).randint(1000), "nothing was drawn"


def test_an_index_uses_the_cores_of_the_fit_unless_it_is_told_otherwise(workers):
    points = Points(data(50)[0], workers=workers)
    assert parameters(points, "lsh")["n_jobs"] == 3
    assert parameters(points, "lsh", {"n_jobs": 2})["n_jobs"] == 2
    for name in available_indexes():
        if name != "faiss":
            assert parameters(points, name, {"n_jobs": 1} if name == "brute" else {})


def test_brute_goes_through_an_index_only_for_its_parameters(workers):
    points = Points(data(50)[0], workers=workers)
    assert type(made("brute", points)[0]) is ExactAssigner
    assigner, reason = made("brute", points, {"n_jobs": 1})
    assert (type(assigner), assigner.exact, reason) == (IndexAssigner, True, "")


AUTO = {
    "float32": (lambda X: X.astype(np.float32), False, False),
    "float64": (lambda X: X, False, True),
    "enormous": (lambda X: (X * 1e20).astype(np.float32), False, True),
    "sparse": (sparse.csr_matrix, True, True),
}


@pytest.mark.parametrize("case", AUTO)
def test_auto_is_told_what_the_data_is(case, monkeypatch, caplog, workers):
    convert, thin, double = AUTO[case]
    asked = []
    original = choosing.choose

    def watched(*sizes, **known):
        asked.append((sizes, known))
        return original(*sizes, **known)

    monkeypatch.setattr(choosing, "choose", watched)
    points = Points(convert(data(200)[0]), workers=workers)
    with caplog.at_level("INFO", logger="annlab"):
        assigner, reason = made("auto", points)
    ((sizes, known),) = asked
    assert sizes == (200, 4, 5)
    assert (known["sparse"], known["streams"], known["double"]) == (thin, False, double)
    assert assigner.name == ("brute" if thin else "small_k")
    assert caplog.messages == [f"algorithm {assigner.name}: {reason}"] and reason


@pytest.mark.parametrize("name", ["small_k", "graph"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_compiled_loops_serve_where_they_are_asked_for_and_fit_the_data(name, dtype, workers):
    points = Points(data(50, dtype=dtype)[0], workers=workers)
    possible = dtype == np.float32 and load_kernels(compile=True) is not None
    assert made(name, points)[0].compiled is possible
    assert made(name, points, compiled=True)[0].compiled is possible
    assert made(name, points, compiled=False)[0].compiled is False


def test_without_compiled_loops_numpy_serves(monkeypatch, workers):
    monkeypatch.setattr(choosing, "load_kernels", lambda **options: None)
    points = Points(data(50, dtype=np.float32)[0], workers=workers)
    assigner = made("small_k", points, compiled=True)[0]
    assert assigner.compiled is False
    C = points.inward(data(50)[1].astype(np.float32))
    np.testing.assert_array_equal(
        assigner.assign(C, None).labels, ExactAssigner(points).assign(C, None).labels
    )


@pytest.mark.parametrize("name", ["small_k", "graph"])
def test_compiled_loops_do_not_take_sparse_rows(name, workers):
    points = Points(sparse.csr_matrix(np.eye(5)), workers=workers)
    with pytest.raises(TypeError, match=f"dense for algorithm='{name}'"):
        made(name, points)


def test_both_methods_must_be_there(workers):
    points = Points(data(50)[0], workers=workers)

    class OtherHalf:
        def kneighbors(self, Q, n_neighbors):
            return None

    for algorithm in (Half(), OtherHalf(), Plain):
        with pytest.raises(TypeError, match="with fit and kneighbors"):
            made(algorithm, points)
    assert made(Plain(), points)[0].name == "Plain"


def test_each_name_makes_its_own_assigner(workers):
    points = Points(data(50)[0], workers=workers)
    for name in available_algorithms()[1:]:
        if name != "faiss":
            # a name that is equal, not the very same object
            assert made("".join(list(name)), points)[0].name == name


def test_only_an_assigner_that_says_so_has_finished(workers):
    X, C = data(50)
    assert ExactAssigner(Points(X, workers=workers)).assign(C, None).finished is False


@pytest.mark.parametrize("n", [1, 2, 3, 257])
def test_sums_of_any_number_of_rows(n, workers):
    X, labels = data(n)[0], np.arange(n, dtype=np.int32) % 3
    sums, totals = cluster_sums(Points(X, workers=workers, shift=np.zeros(5)), labels, None, 3)
    expected, expected_totals = sums_by_hand(X, labels, np.ones(n), 3)
    np.testing.assert_allclose(sums, expected, atol=1e-12)
    np.testing.assert_array_equal(totals, expected_totals)

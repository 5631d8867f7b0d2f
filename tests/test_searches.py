"""Searches: labels and sums for given centroids, and named searches."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import sparse
from scipy.spatial.distance import cdist
from sklearn.neighbors import NearestNeighbors

from annlab import available_algorithms, available_indexes, kmeans_ann
from annlab._kernels import loops, numpy_twins
from annlab._support.threads import Workers
from annlab.fit import choose as choosing
from annlab.fit import searches as room
from annlab.fit import sparse as fit_sparse
from annlab.fit.choose import make_algorithm
from annlab.fit.graph import cloud, neighbours, relocation, tree
from annlab.fit.lloyd import cluster_means
from annlab.fit.searches import Exact, Fused, Indexed, label_block
from annlab.fit.states import Limits
from annlab.rows import survey
from annlab.rows.coordinates import Coordinates
from annlab.rows.memory import MemoryRows
from annlab.rows.tally import Labelled, inertia_of_rows, worst_places


def rows_of(X, workers, weights=None, **options):
    """Return rows in their own coordinates."""
    frame = Coordinates.plain(X.dtype)
    return MemoryRows(X, sample_weight=weights, workers=workers, coordinates=frame, **options)


def assigned(search, points, centroids, old=None):
    """Return labels and tally of a sweep."""
    return points.sweep(search.task(points, centroids), old)


@pytest.fixture
def workers():
    with Workers(2) as opened:
        yield opened


def data(n=2000, d=5, k=11, seed=0, dtype=np.float64):
    rng = np.random.RandomState(seed)
    return rng.randn(n, d).astype(dtype), rng.randn(k, d).astype(dtype)


class Plain:
    """A caller's index with only the two methods, without scikit-learn."""

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
@pytest.mark.parametrize("search", [Exact(), Fused()])
def test_exact_labels_and_distances(search, dtype, k, workers):
    X, C = data(3000, k=k, dtype=dtype)
    points = rows_of(X, workers)
    sizes = [stop - start for start, stop in points.bounds()]
    assert len(sizes) > 3 and sizes[-1] < sizes[0], "three chunks and a remainder"
    labels, tally = assigned(search, points, C)
    truth = cdist(X.astype(float), C.astype(float), "sqeuclidean")
    np.testing.assert_array_equal(labels, truth.argmin(axis=1))
    assert labels.dtype == np.int32 and tally.n_distances == 3000 * k
    assert tally.inertia == pytest.approx(truth.min(axis=1).sum(), rel=1e-5)
    assert tally.unweighted == pytest.approx(tally.inertia)
    assert tally.n_used == len(np.unique(labels))


@pytest.mark.parametrize("scale", [1.0, 1e-30, 1e30])
@pytest.mark.parametrize("search", [Exact(), Fused()])
def test_sums_and_inertia_are_weighted(search, scale, workers):
    X, C = data(500, dtype=np.float32)
    weights = scale * np.random.RandomState(0).rand(500)
    labels, tally = assigned(search, rows_of(X, workers, weights), C)
    expected = weights @ cdist(X, C, "sqeuclidean").min(axis=1)
    assert tally.inertia == pytest.approx(expected, rel=1e-5)
    sums, totals = sums_by_hand(X, labels, weights, len(C))
    np.testing.assert_allclose(tally.sums, sums, rtol=1e-5, atol=1e-4 * scale)
    np.testing.assert_allclose(tally.totals, totals, rtol=1e-6)


def test_sparse_rows_get_the_labels_of_dense_ones(workers):
    X, C = data(20_000, d=30, k=70)
    X[np.random.RandomState(1).rand(*X.shape) < 0.8] = 0
    dense = assigned(Exact(), rows_of(X, workers), C)
    points = MemoryRows(sparse.csr_matrix(X), workers=workers)
    assert len(list(points.chunks(Exact().task(points, C)))) > 2
    thin = assigned(Exact(), points, C)
    np.testing.assert_array_equal(thin[0], dense[0])
    assert thin[1].inertia == pytest.approx(dense[1].inertia, rel=1e-9)
    np.testing.assert_allclose(thin[1].sums, dense[1].sums, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("weights", [None, np.array([1.0, 2.0, 0.5])])
def test_near_ties_of_sparse_rows_follow_the_rule(weights, workers):
    points = rows_of(sparse.csr_matrix([[1.0, 1.0], [2.0, 2.0], [0.0, 3.0]]), workers, weights)
    task = Exact().task(points, np.eye(2))
    # as if rounding had made the first centroid farther
    task.halves[0] += 1e-15
    labels, tally = points.sweep(task)
    assert labels.tolist() == [0, 0, 1]
    expected = [[3, 3], [0, 3]] if weights is None else [[5, 5], [0, 1.5]]
    np.testing.assert_array_equal(tally.sums, expected)


def test_sums_too_wide_for_each_chunk_are_sparse(monkeypatch, workers):
    X, C = data(500, d=30, k=7)
    X[np.random.RandomState(1).rand(*X.shape) < 0.8] = 0
    points = rows_of(sparse.csr_matrix(X), workers)
    found = assigned(Exact(), points, C)
    fit = kmeans_ann(points.X, 7, init=C, algorithm="brute")
    monkeypatch.setattr(fit_sparse, "MOST_SUMS", 100)
    again = assigned(Exact(), points, C)
    assert kmeans_ann(points.X, 7, init=C, algorithm="brute").inertia == pytest.approx(fit.inertia)
    np.testing.assert_array_equal(found[0], again[0])
    np.testing.assert_allclose(found[1].sums, again[1].sums, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found[1].inertia, again[1].inertia)


def test_damaged_sparse_rows_are_refused(workers):
    X = sparse.csr_matrix(np.eye(3))
    points = rows_of(X, workers)
    X.indices[1] = 7
    with pytest.raises(ValueError, match="indices from 0 to 2; got 1 rows with other indices"):
        assigned(Exact(), points, np.eye(3))


def test_zero_rows_get_label_0(workers):
    X, C = data(10, k=3)
    X[[2, 7]] = 0.0
    points = MemoryRows(X, metric="cosine", workers=workers)
    alone = MemoryRows(np.delete(X, [2, 7], axis=0), metric="cosine", workers=workers)
    for search in (Exact(), Fused()):
        labels, tally = assigned(search, points, points.inward(C))
        rest = assigned(search, alone, points.inward(C))[1]
        assert labels[2] == labels[7] == 0
        assert tally.inertia == pytest.approx(rest.inertia + 2.0)
        np.testing.assert_allclose(tally.totals, rest.totals + np.array([2, 0, 0]))


# -- through an index --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "index",
    [
        NearestNeighbors(),
        NearestNeighbors(algorithm="brute"),
        NearestNeighbors(n_neighbors=3, algorithm="ball_tree"),
        Plain(),
    ],
    ids=["auto", "brute", "ball_tree", "object"],
)
def test_foreign_indexes_are_accepted(index, workers):
    X, C = data()
    labels, tally = assigned(Indexed(index), rows_of(X, workers), C)
    np.testing.assert_array_equal(labels, cdist(X, C).argmin(axis=1))
    assert tally.inertia == pytest.approx(cdist(X, C, "sqeuclidean").min(axis=1).sum())
    assert tally.n_distances is None
    assert not hasattr(index, "X") and not hasattr(index, "n_samples_fit_"), "fitted in place"


@pytest.mark.parametrize("name", available_indexes())
def test_named_indexes_are_accepted(name, workers):
    pytest.importorskip("faiss") if name == "faiss" else None
    X, C = data(3000, d=8, k=64)
    points = rows_of(X, workers)
    algorithm, reason = made(name, points, k=64)
    labels, tally = assigned(algorithm.search, points, C)
    truth = cdist(X, C, "sqeuclidean")
    right = np.mean(labels == truth.argmin(axis=1))
    assert right == 1.0 if algorithm.exact else right > 0.85
    assert algorithm.name == name and reason == ""
    assert tally.inertia == pytest.approx(truth[np.arange(3000), labels].sum(), rel=1e-6)


def test_queries_go_to_the_index_in_batches(monkeypatch, workers):
    X, C = data(1000)
    asked = []

    class Counted(Plain):
        n_distances_ = 0

        def kneighbors(self, Q, n_neighbors):
            asked.append(len(Q))
            self.n_distances_ = len(Q) * 2
            return super().kneighbors(Q, n_neighbors)

    points = rows_of(X, workers)
    whole = assigned(Indexed(Counted()), points, C)
    monkeypatch.setattr(room, "_INDEX_ROWS", 300)
    parts = assigned(Indexed(Counted()), points, C)
    assert asked == [1000, 300, 300, 300, 100]
    np.testing.assert_array_equal(parts[0], whole[0])
    assert whole[1].n_distances == parts[1].n_distances == 2000


def test_points_keep_labels_unless_a_candidate_is_closer(workers):
    X, C = data(800)
    truth = cdist(X, C, "sqeuclidean")
    points = rows_of(X, workers)
    misled = Indexed(Misled())
    first = assigned(misled, points, C)[0]
    assert np.mean(first != truth.argmin(axis=1)) > 0.3, "this test needs wrong answers"
    best = truth.argmin(axis=1).astype(np.int32)
    np.testing.assert_array_equal(assigned(misled, points, C, best)[0], best)
    previous = np.random.RandomState(5).randint(11, size=800).astype(np.int32)
    kept, tally = assigned(misled, points, C, previous)
    places = np.arange(800)
    expected = np.where(truth[places, previous] <= truth[places, first], previous, first)
    np.testing.assert_array_equal(kept, expected)
    assert tally.inertia == pytest.approx(truth[places, expected].sum())
    # equally close: the old label stays
    twins, old = np.array([[0.0], [2.0]]), np.array([0, 1, 0, 1], np.int32)
    middle = assigned(Indexed(Plain()), rows_of(np.ones((4, 1)), workers), twins, old)[0]
    assert middle.tolist() == [0, 1, 0, 1]


def test_exact_index_ignores_old_labels(workers):
    X, C = data(400)
    exact = Misled()
    exact.exact = True
    points = rows_of(X, workers)
    with_memory = assigned(Indexed(exact), points, C, np.zeros(400, np.int32))[0]
    np.testing.assert_array_equal(with_memory, assigned(Indexed(exact), points, C)[0])


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
def test_bad_answers_of_an_index_are_named(case, workers):
    value, error, says = BAD_ANSWERS[case]
    X, C = data(50)
    with pytest.raises(error, match=f"^algorithm must be an object whose .*{says}"):
        assigned(Indexed(answer(value)), rows_of(X, workers), C)


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
    with pytest.raises(ValueError, match=r"^algorithm_params must be None if algorithm is an"):
        kmeans_ann(X, 3, algorithm=Plain(), algorithm_params={"leaf_size": 3})
    with pytest.raises(TypeError, match=r"^algorithm_params must be None or a dict; got 3"):
        kmeans_ann(X, 3, algorithm="kd_tree", algorithm_params=3)
    for name in ("small_k", "graph"):
        if name in available_algorithms():
            with pytest.raises(ValueError, match=r"^algorithm_params must be .*speed"):
                kmeans_ann(X, 3, algorithm=name, algorithm_params={"speed": 3})


@pytest.mark.parametrize("algorithm", ["kd_tree", "ball_tree", "hnsw", "pq", Plain()])
def test_dense_algorithms_refuse_sparse_data(algorithm):
    X = sparse.csr_matrix(np.abs(data(80)[0]))
    with pytest.raises(TypeError, match=r"^X must be dense for algorithm=.*'brute' or 'lsh'"):
        kmeans_ann(X, 3, algorithm=algorithm)


@pytest.mark.parametrize("algorithm", ["auto", "brute", "lsh"])
def test_sparse_algorithms_take_sparse_data(algorithm):
    X = np.abs(data(300, d=12)[0])
    X[X < 2.0] = 0
    result = kmeans_ann(sparse.csr_matrix(X), 4, algorithm=algorithm, init=X[:4], random_state=0)
    dense = kmeans_ann(X, 4, algorithm="brute", init=X[:4])
    assert result.inertia == pytest.approx(dense.inertia, rel=0.02)
    if algorithm == "auto":
        assert result.algorithm == "brute" and result.reason == "sparse input"


@pytest.mark.parametrize("density", [0.3, 1.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("algorithm", ["auto", "small_k", "brute"])
def test_sparse_and_dense_data_get_the_same_labels(algorithm, dtype, density):
    rng = np.random.RandomState(0)
    # dense rows are shifted, which sparse ones cannot be: in float32 that saves digits
    offset = 30.0 if dtype == np.float64 or density < 1 else 0.0
    X = rng.rand(3000, 8).astype(dtype) + dtype(offset)
    X[rng.rand(*X.shape) > density] = 0
    weights = rng.rand(len(X))
    options = {"algorithm": algorithm, "random_state": 42, "sample_weight": weights}
    dense, thin = (kmeans_ann(Y, 8, **options) for Y in (X, sparse.csr_matrix(X)))
    np.testing.assert_array_equal(dense.labels, thin.labels)
    np.testing.assert_allclose(dense.centroids, thin.centroids, rtol=1e-3, atol=1e-4)
    assert dense.n_iter == thin.n_iter and dense.algorithm == thin.algorithm


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
@pytest.mark.parametrize("path", ["dense", "sparse", "memory map"])
def test_sums_equal_plain_loops(path, weighted, tmp_path):
    X = data(1700, d=6)[0].astype(np.float32)
    rng = np.random.RandomState(0)
    labels = rng.randint(9, size=1700).astype(np.int32)
    labels[labels == 4] = 5
    weights = rng.rand(1700) if weighted else np.ones(1700)
    expected, expected_totals = sums_by_hand(X, labels, weights, 9)
    given = X
    if path == "sparse":
        given = sparse.csr_matrix(X)
    if path == "memory map":
        np.save(tmp_path / "X.npy", X)
        given = np.load(tmp_path / "X.npy", mmap_mode="r")
    ways = []
    for n_jobs in (1, 2, 4):
        with Workers(n_jobs) as workers:
            points = rows_of(given, workers, weights if weighted else None)
            ways.append(points.sweep(Labelled(centroids=X[:9]), labels)[1])
    for tally in ways:
        np.testing.assert_allclose(tally.sums, expected, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(tally.totals, expected_totals)
        np.testing.assert_array_equal(tally.sums, ways[0].sums)
        assert tally.sums.dtype == tally.totals.dtype == np.float64
    assert (ways[0].sums[4] == 0).all() and ways[0].totals[4] == 0


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
    found = inertia_of_rows(given, C, labels, weights, metric == "cosine")
    assert found == pytest.approx(expected, rel=1e-12) and type(found) is float


# -- who is served worst -----------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
def test_worst_places_equal_a_sort(seed):
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


def worst(points, size, seeds=None):
    labels = np.array([0, 1, 1, 0, 1], np.int32)
    return points.worst(np.zeros((2, 2)), labels, size, seeds)


def test_worst_points(workers):
    X = np.array([[1.0, 1.0], [3.0, 0.0], [0.0, 1.0], [0.0, 3.0], [2.0, 0.0]])
    found = worst(rows_of(X.astype(np.float32), workers), 3)
    assert found.indices.tolist() == [1, 3, 4]
    assert found.rows.tolist() == [[3, 0], [0, 3], [2, 0]] and found.rows.dtype == np.float64
    assert found.badness.tolist() == [9, 9, 4]
    assert found.labels.tolist() == [1, 0, 1]
    assert found.weights.tolist() == [1, 1, 1] and found.weights.dtype == np.float64
    # points without weight are served well enough
    weighted = rows_of(X, workers, np.array([2.0, 0.0, 1.0, 0.5, 0.0]))
    found = worst(weighted, 5)
    assert found.indices.tolist() == [3, 0, 2, 1, 4]
    assert found.badness.tolist() == [4.5, 4, 1, 0, 0]
    assert found.weights.tolist() == [0.5, 2, 1, 0, 0]
    # points may be seeds without moving a centroid, and vice versa
    named = worst(weighted, 2, np.array([1.0, 1.0, 0.0, 0.0, 1.0]))
    assert named.indices.tolist() == [1, 4] and named.weights.tolist() == [0, 0]
    # and rows without a direction cannot give one
    X[1] = 0.0
    cosine = MemoryRows(X, metric="cosine", workers=workers)
    assert cosine.worst(np.eye(2), np.zeros(5, np.int32), 5).badness[-1] == 0


@pytest.mark.parametrize("k", [1, 64, 5000])
def test_block_products_are_bounded(k, monkeypatch):
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


# -- what an index is asked --------------------------------------------------------------------


def test_distance_counts_need_all_parts(monkeypatch, workers):
    monkeypatch.setattr(room, "_INDEX_ROWS", 20)

    class Sometimes(Plain):
        def kneighbors(self, Q, n_neighbors):
            self.n_distances_ = 5 if len(Q) == 20 else None
            return super().kneighbors(Q, n_neighbors)

    X, C = data(40)
    counted = [
        assigned(Indexed(Sometimes()), rows_of(rows, workers), C)[1].n_distances
        for rows in (X, X[:30])
    ]
    assert counted == [10, None] and type(counted[0]) is int


def test_foreign_index_attributes(workers):
    points = MemoryRows(sparse.csr_matrix(np.eye(3)), workers=workers)
    assert Indexed(Plain()).exact is False
    index = Plain()
    index.accepts_sparse = True
    assert made(index, points)[0].name == "Plain"
    index.accepts_sparse = False
    with pytest.raises(TypeError, match="dense for algorithm='Plain'"):
        made(index, points)


# -- how a name becomes an assigner ------------------------------------------------------------


def made(algorithm, points, params=None, *, k=4, rng=None, seed=0, **more):
    rng = rng or np.random.RandomState(seed)
    limits = Limits(100, 1e-4, 0.0)
    return make_algorithm(algorithm, points, k, params or {}, rng, limits, **more)


def parameters(points, name, params=None, **more):
    return made(name, points, params, **more)[0].search.index.get_params()


def test_index_is_seeded_by_the_fit(workers):
    points = MemoryRows(data(50)[0], workers=workers)
    seeds = [parameters(points, "lsh", seed=seed)["random_state"] for seed in range(40)]
    assert len(set(seeds)) == 40
    # any RandomState takes them
    assert 0 <= min(seeds) and 2**30 < max(seeds) < 2**31
    assert parameters(points, "lsh", seed=3)["random_state"] == seeds[3]
    assert parameters(points, "lsh", {"random_state": 11})["random_state"] == 11
    rng = np.random.RandomState(0)
    made("lsh", points, {"random_state": 11}, rng=rng)
    made("kd_tree", points, rng=rng)
    assert rng.randint(1000) == np.random.RandomState(0).randint(1000), "nothing was drawn"


def test_index_uses_n_jobs_of_the_fit(workers):
    points = MemoryRows(data(50)[0], workers=workers)
    assert parameters(points, "lsh")["n_jobs"] == 2
    assert parameters(points, "lsh", {"n_jobs": 3})["n_jobs"] == 3
    for name in available_indexes():
        if name != "faiss":
            assert parameters(points, name, {"n_jobs": 1} if name == "brute" else {})


def test_brute_uses_an_index_only_with_parameters(workers):
    points = MemoryRows(data(50)[0], workers=workers)
    assert type(made("brute", points)[0].search) is Exact
    algorithm, reason = made("brute", points, {"n_jobs": 1})
    assert (type(algorithm.search), algorithm.exact, reason) == (Indexed, True, "")


AUTO = {
    "float32": (lambda X: X.astype(np.float32), False, False),
    "float64": (lambda X: X, False, True),
    "enormous": (lambda X: (X * 1e20).astype(np.float32), False, True),
    "sparse": (lambda X: sparse.csr_matrix(np.where(X > 1.7, X, 0.0)), True, True),
    "sparse, but full": (sparse.csr_matrix, False, True),
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
    points = MemoryRows(convert(data(200)[0]), workers=workers)
    with caplog.at_level("INFO", logger="annlab"):
        algorithm, reason = made("auto", points)
    ((sizes, known),) = asked
    assert sizes == (200, 4, 5)
    assert (known["sparse"], known["streams"], known["double"]) == (thin, False, double)
    assert algorithm.name == ("brute" if thin else "small_k")
    assert caplog.messages == [f"algorithm {algorithm.name}: {reason}"] and reason


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("algorithm", ["small_k", "graph"])
def test_compiled_loops_keep_labels(algorithm, dtype, monkeypatch):
    X = np.random.RandomState(0).rand(3000, 7).astype(dtype)
    found = []
    for kernels in (loops, numpy_twins):
        for module in (room, cloud, tree, neighbours, relocation, survey):
            monkeypatch.setattr(module, "loops", kernels)
        found.append(kmeans_ann(X, 20, algorithm=algorithm, random_state=0))
    compiled, plain = found
    np.testing.assert_array_equal(compiled.labels, plain.labels)
    assert compiled.inertia == pytest.approx(plain.inertia, rel=1e-6)


def test_auto_avoids_indexes_with_remote_labels(monkeypatch, workers):
    monkeypatch.setattr(choosing, "choose", lambda *sizes, **known: ("hnsw", "because"))
    points = MemoryRows(data(50)[0], workers=workers)
    assert made("auto", points)[0].name == "hnsw"
    points.keeps_labels = False
    algorithm, reason = made("auto", points)
    assert algorithm.name == "small_k" and "all centroids" in reason

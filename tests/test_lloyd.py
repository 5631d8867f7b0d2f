"""The loop: oracles, laws, and how a fit ends."""

from __future__ import annotations

import ast
import inspect
import re
import signal
import threading
import time
import tracemalloc
import warnings
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from scipy import sparse
from scipy.spatial.distance import cdist
from scipy.stats import binomtest
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from annlab import available_algorithms, kmeans, kmeans_ann
from annlab._support.errors import AnnlabWarning
from annlab._support.threads import Workers
from annlab.fit import run
from annlab.fit.answers import exact_inertia, label, label_rows, open_beside, recall_of
from annlab.fit.lloyd import Lloyd, move
from annlab.fit.searches import Exact
from annlab.fit.settings import Settings
from annlab.fit.states import Found, Limits, State, states
from annlab.rows.coordinates import Coordinates
from annlab.rows.memory import MemoryRows
from annlab.rows.tally import Labelled, Tally

ALGORITHMS = available_algorithms()
#: Those that compare all centroids, one way or another.
EXACT = tuple(
    name for name in ("brute", "kd_tree", "ball_tree", "small_k", "auto") if name in ALGORITHMS
)
#: Settings bad enough that an approximate index errs often.
POOR = {
    "lsh": {"n_tables": 1, "n_probes": 1},
    "pq": {"n_codes": 4, "rerank": 1},
    "hnsw": {"M": 2, "ef": 1, "ef_construction": 2},
    "faiss": {"factory": "IVF8,Flat"},
}


@pytest.fixture(autouse=True)
def _skip_without_faiss(request):
    if "faiss" in request.node.name:
        pytest.importorskip("faiss")


def blobs(n=600, d=4, k=6, seed=0, dtype=np.float64):
    rng = np.random.RandomState(seed)
    centres = rng.uniform(-20, 20, (k, d))
    return (centres[rng.randint(k, size=n)] + rng.randn(n, d)).astype(dtype)


def cloud(n=1500, d=6, seed=0, dtype=np.float64):
    """Return points without clusters: many iterations, many points near a border."""
    return np.random.RandomState(seed).rand(n, d).astype(dtype)


def truth(X, centroids, weights=None, metric="euclidean"):
    """Return the nearest centroids and the inertia, by differences in float64."""
    X, centroids = np.asarray(X, float), np.asarray(centroids, float)
    if metric == "cosine":
        length = np.linalg.norm(X, axis=1, keepdims=True)
        X = X / np.where(length > 0, length, 1)
        centroids = centroids / np.linalg.norm(centroids, axis=1, keepdims=True)
    distances = cdist(X, centroids, "sqeuclidean")
    weights = np.ones(len(X)) if weights is None else weights
    return distances.argmin(axis=1), float(weights @ distances.min(axis=1))


# -- oracle: scikit-learn ----------------------------------------------------------------------


@cache
def oracle(make, seed, tol):
    """Return data, start, and scikit-learn's result (on one thread, for speed)."""
    X = make(seed=seed) + 3.0
    init = X[np.random.RandomState(seed).choice(len(X), 6, replace=False)]
    with threadpool_limits(1):
        return X, init, KMeans(6, init=init, n_init=1, tol=tol, max_iter=300).fit(X)


@pytest.mark.parametrize("algorithm", EXACT)
@pytest.mark.parametrize("tol", [0.0, 1e-4, 1e-2])
@pytest.mark.parametrize("make", [blobs, cloud])
def test_exact_algorithms_equal_scikit_learn(algorithm, tol, make):
    for seed in range(3):
        X, init, theirs = oracle(make, seed, tol)
        ours = kmeans_ann(X, 6, 300, algorithm=algorithm, init=init, tol=tol)
        np.testing.assert_array_equal(ours.labels, theirs.labels_)
        assert ours.n_iter == theirs.n_iter_
        np.testing.assert_allclose(ours.centroids, theirs.cluster_centers_, rtol=1e-9)
        assert ours.inertia == pytest.approx(theirs.inertia_, rel=1e-9)


def test_weighted_fit_equals_scikit_learn():
    X = blobs()
    weights = np.random.RandomState(0).rand(len(X))
    with threadpool_limits(1):
        theirs = KMeans(5, init=X[:5], n_init=1, tol=0).fit(X, sample_weight=weights)
    for algorithm in EXACT:
        ours = kmeans_ann(X, 5, algorithm=algorithm, init=X[:5], tol=0, sample_weight=weights)
        np.testing.assert_array_equal(ours.labels, theirs.labels_)
        assert (ours.n_iter, ours.inertia) == (theirs.n_iter_, pytest.approx(theirs.inertia_))


# -- oracle: plain loops -----------------------------------------------------------------------


def one_iteration(X, centroids, weights, metric):
    """Return labels, inertia and means of Lloyd's iteration in plain Python."""

    def unit(row):
        length = sum(v * v for v in row) ** 0.5
        return [v / length for v in row]

    rows = [[float(v) for v in row] for row in X]
    centroids = [[float(v) for v in row] for row in centroids]
    if metric == "cosine":
        rows, centroids = [unit(r) for r in rows], [unit(c) for c in centroids]
    labels, inertia = [], 0.0
    sums = [[0.0] * len(rows[0]) for _ in centroids]
    totals = [0.0] * len(centroids)
    for row, weight in zip(rows, weights, strict=True):
        gaps = [sum((a - b) ** 2 for a, b in zip(row, c, strict=True)) for c in centroids]
        label = gaps.index(min(gaps))
        labels.append(label)
        inertia += weight * gaps[label]
        totals[label] += weight
        for f, value in enumerate(row):
            sums[label][f] += weight * value
    means = [[v / t for v in s] for s, t in zip(sums, totals, strict=True)]
    return labels, inertia, [unit(m) for m in means] if metric == "cosine" else means


@pytest.mark.parametrize("algorithm", EXACT)
@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_iteration_equals_plain_loops(algorithm, metric, weighted, dtype):
    X = cloud(300, dtype=dtype) + dtype(0.5)
    weights = np.random.RandomState(1).randint(0, 4, 300).astype(float) if weighted else None
    result = kmeans_ann(
        X, 5, 1, algorithm=algorithm, init=X[:5], metric=metric, sample_weight=weights, trace=True
    )
    given = np.ones(300) if weights is None else weights
    labels, inertia, means = one_iteration(X.tolist(), X[:5].tolist(), given.tolist(), metric)
    (step,) = result.trace
    np.testing.assert_array_equal(step.labels, labels)
    rtol = 1e-5 if dtype == np.float32 else 1e-12
    assert step.inertia == pytest.approx(inertia, rel=rtol)
    np.testing.assert_allclose(step.new_centroids, means, rtol=rtol)
    np.testing.assert_array_equal(result.centroids, step.new_centroids)
    assert (step.n_moved, step.n_empty, result.n_iter) == (300, 0, 1)


# -- empty clusters ----------------------------------------------------------------------------


def plain_rows(X, workers, weights=None):
    frame = Coordinates.plain(X.dtype)
    return MemoryRows(X, sample_weight=weights, workers=workers, coordinates=frame)


def moved(X, labels, centroids, weights=None, *, worst=None, **more):
    """Call `move` for given labels."""
    X, centroids = np.asarray(X, float), np.asarray(centroids, float)
    labels = np.asarray(labels, np.int32)
    with Workers(1) as workers:
        points = plain_rows(X, workers, weights)
        tally = points.sweep(Labelled(centroids=centroids), labels)[1]
        if worst is not None:
            points.worst = worst
        return move(points, Found(labels, tally, **more), centroids)


def test_empty_cluster_takes_the_worst_point():
    X = [[0.0], [1.0], [10.0], [11.0], [50.0]]
    new, reseeded = moved(X, [0, 0, 1, 1, 1], [[0.5], [10.5], [1000.0]])
    assert new.tolist() == [[0.5], [10.5], [50.0]]
    assert reseeded == {4: 2}


def test_reseeding_leaves_the_last_point_of_a_cluster():
    new, reseeded = moved([[0.0], [1.0], [100.0]], [0, 0, 1], [[0.5], [0.0], [9.0]])
    # 100 is worst served, but alone; the next worst is 0 (as bad as 1, and earlier)
    assert new.ravel().tolist() == [1.0, 100.0, 0.0]
    assert reseeded == {0: 2}


def test_reseeding_keeps_the_centroid_if_no_point_is_left():
    new, reseeded = moved([[1.0], [1.0]], [0, 0], [[1.0], [7.0]])
    assert new.ravel().tolist() == [1.0, 7.0] and reseeded == {}


def test_reseeding_takes_no_point_without_weight():
    X = [[0.0], [2.0], [6.0], [90.0]]
    weights = np.array([1.0, 3.0, 2.0, 0.0])
    new, reseeded = moved(X, [0, 0, 0, 0], [[0.0], [50.0]], weights)
    assert reseeded == {2: 1}
    assert new.ravel().tolist() == [1.5, 6.0]
    # not even if all others are well served
    new, reseeded = moved([[1.0], [9.0]], [0, 0], [[1.0], [50.0]], np.array([1.0, 0.0]))
    assert reseeded == {} and new.ravel().tolist() == [1.0, 50.0]
    # unless they are named as seeds, and then they move no centroid
    new, reseeded = moved(X, [0] * 4, [[0.0], [50.0]], weights, seeds=np.ones(4))
    assert reseeded == {3: 1}
    assert new.ravel().tolist() == [3.0, 90.0]


@pytest.mark.parametrize("algorithm", EXACT)
def test_reseeding_agrees_with_scikit_learn(algorithm):
    X = np.r_[blobs(200, d=2, k=4), [[400.0, 0.0]]]
    init = np.r_[X[:4], [[1e4, 1e4]]]
    for max_iter in (1, 2, 50):
        theirs = KMeans(5, init=init, n_init=1, tol=0, max_iter=max_iter)
        with threadpool_limits(1), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs.fit(X)
        ours = kmeans_ann(X, 5, max_iter, algorithm=algorithm, init=init, tol=0, trace=True)
        np.testing.assert_allclose(ours.centroids, theirs.cluster_centers_, rtol=1e-9)
        np.testing.assert_array_equal(ours.labels, theirs.labels_)
        assert ours.trace[0].n_empty == 1 and ours.n_iter == theirs.n_iter_
    assert ours.labels[-1] == 4 and np.count_nonzero(ours.labels == 4) == 1


# -- law: inertia never rises ------------------------------------------------------------------


def falls(result, rtol):
    """Assert that no full step after a plain one raises the inertia."""
    steps = list(result.trace)
    pairs = [(a.inertia, b.inertia) for a, b in pairwise(steps) if a.kind == b.kind == "lloyd"]
    assert all(after <= before * (1 + rtol) for before, after in pairs), pairs
    if steps[-1].kind == "lloyd":
        assert result.inertia <= steps[-1].inertia * (1 + rtol)
    return len(pairs)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_inertia_never_rises(algorithm, dtype):
    X = cloud(dtype=dtype)
    rtol = 1e-6 if dtype == np.float32 else 1e-12
    for params in ({}, POOR.get(algorithm, {})):
        result = kmeans_ann(
            X, 40, 12, algorithm=algorithm, algorithm_params=params, init=X[:40], tol=0,
            random_state=0, final_assignment="algorithm",
        )  # fmt: skip
        assert falls(result, rtol) >= 3


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_inertia_never_rises_after_reseeding(algorithm):
    """An approximate search must not lose a point that became a centroid."""
    reseeded = 0
    for seed in range(4):
        X = blobs(400, k=3, seed=seed)
        init = np.r_[X[:8], X[:8], X[:8] + 300.0]
        for params in ({}, POOR.get(algorithm, {})):
            result = kmeans_ann(
                X, 24, 8, algorithm=algorithm, algorithm_params=params, init=init, tol=0,
                random_state=seed, final_assignment="algorithm",
            )  # fmt: skip
            falls(result, 1e-12)
            reseeded += sum(step.n_empty for step in result.trace)
    assert reseeded > 20, "this test needs empty clusters"


class Blind:
    """An index that always returns the first row: the worst possible."""

    def fit(self, X):
        return self

    def kneighbors(self, Q, n_neighbors):
        return np.zeros((len(Q), 1)), np.zeros((len(Q), 1), int)


def test_worst_index_keeps_the_inertia():
    X = blobs(300)
    result = kmeans_ann(X, 5, 6, algorithm=Blind(), init=X[:5], tol=0, trace=True)
    falls(result, 1e-12)
    assert np.isfinite(result.centroids).all()
    # each step re-seeds, and re-seeded points keep their clusters
    assert len(np.unique(result.labels)) == 5


# -- laws of the data --------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", EXACT)
@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_weight_counts_as_repetition(algorithm, metric):
    X = cloud(200)
    weights = np.random.RandomState(0).randint(0, 4, 200)
    options = {"algorithm": algorithm, "init": X[:5], "tol": 1e-6, "metric": metric}
    weighted = kmeans_ann(X, 5, sample_weight=weights, **options)
    repeated = kmeans_ann(np.repeat(X, weights, axis=0), 5, **options)
    np.testing.assert_array_equal(np.repeat(weighted.labels, weights), repeated.labels)
    np.testing.assert_allclose(weighted.centroids, repeated.centroids, rtol=1e-9)
    assert weighted.inertia == pytest.approx(repeated.inertia, rel=1e-9)
    assert weighted.n_iter == repeated.n_iter > 2
    scaled = kmeans_ann(X, 5, sample_weight=weights * 1e-9, **options)
    np.testing.assert_array_equal(scaled.labels, weighted.labels)
    assert scaled.inertia == pytest.approx(weighted.inertia * 1e-9)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_order_of_the_rows_does_not_matter(algorithm):
    X, init = blobs(), blobs()[:6]
    order = np.random.RandomState(0).permutation(len(X))
    one, other = (
        kmeans_ann(rows, 6, algorithm=algorithm, init=init, random_state=0)
        for rows in (X, X[order])
    )
    np.testing.assert_array_equal(one.labels[order], other.labels)
    np.testing.assert_allclose(one.centroids, other.centroids, rtol=1e-9)
    assert one.inertia == pytest.approx(other.inertia, rel=1e-9)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_scale_and_offset_do_not_matter(algorithm, dtype):
    """Scaled by powers of two, so that nothing is rounded; about 1e18 and 1e-18."""
    X = blobs(dtype=dtype)
    plain = kmeans_ann(X, 6, algorithm=algorithm, init=X[:6], random_state=0)
    assert plain.n_iter > 2
    for scale in (2.0**60, 2.0**-60):
        Y = X * dtype(scale)
        result = kmeans_ann(Y, 6, algorithm=algorithm, init=Y[:6], random_state=0)
        np.testing.assert_array_equal(result.labels, plain.labels)
        np.testing.assert_allclose(result.centroids, plain.centroids * scale, rtol=1e-5)
        assert result.inertia == pytest.approx(plain.inertia * scale**2, rel=1e-4)
        assert result.centroids.dtype == dtype
    far = X + dtype(1e4 if dtype == np.float32 else 1e9)
    result = kmeans_ann(far, 6, algorithm=algorithm, init=far[:6], random_state=0)
    exact = kmeans(far.astype(float) - far[0], 6, init=far[:6].astype(float) - far[0])
    np.testing.assert_array_equal(result.labels, exact.labels)
    assert result.inertia == pytest.approx(truth(far, result.centroids)[1], rel=1e-6)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.filterwarnings("ignore::annlab._support.errors.AnnlabWarning")
def test_repeated_points_get_one_label(algorithm, metric):
    distinct = blobs(5, seed=3)
    X = np.repeat(distinct, [1, 30, 7, 2, 60], axis=0)
    options = {"algorithm": algorithm, "metric": metric, "random_state": 0}
    best = min(
        (kmeans_ann(X, 5, **{**options, "random_state": seed}) for seed in range(5)),
        key=lambda result: result.inertia,
    )
    assert best.inertia == pytest.approx(0.0, abs=1e-18)
    assert len(np.unique(best.labels)) == 5
    many = kmeans_ann(X, 9, **options)
    assert np.isfinite(many.centroids).all()
    # the same row, the same label
    for row in distinct:
        assert len(set(many.labels[(row == X).all(axis=1)])) == 1


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_too_few_distinct_points_warn(algorithm):
    X = np.full((50, 3), 7.0)
    with pytest.warns(AnnlabWarning, match=r"Only 1 of n_clusters=4 clusters have points"):
        result = kmeans_ann(X, 4, algorithm=algorithm, random_state=0)
    assert result.inertia == 0.0 and set(result.labels) == {result.labels[0]}
    np.testing.assert_array_equal(result.centroids, np.full((4, 3), 7.0))


def test_enormous_row_without_weight_has_no_effect():
    X = blobs(dtype=np.float32)
    X[0] = 1e25
    weights = np.r_[0.0, np.ones(len(X) - 1)]
    with_it = kmeans(X, 5, init=X[1:6], sample_weight=weights, tol=0)
    without = kmeans(X[1:], 5, init=X[1:6], tol=0)
    np.testing.assert_array_equal(with_it.labels[1:], without.labels)
    np.testing.assert_allclose(with_it.centroids, without.centroids, rtol=1e-5)
    assert with_it.inertia == pytest.approx(without.inertia, rel=1e-5)


LAYOUTS = {
    "list": lambda X: X.tolist(),
    "fortran": np.asfortranarray,
    "big endian": lambda X: X.astype(">f8"),
    "strided": lambda X: np.repeat(np.repeat(X, 2, axis=0), 3, axis=1)[::2, ::3],
    "object": lambda X: X.astype(object),
    "int64": lambda X: X.astype(np.int64),
    "int16": lambda X: X.astype(np.int16),
    "float16": lambda X: X.astype(np.float16),
    "float32": lambda X: X.astype(np.float32),
    "memory map": None,
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_result(layout, tmp_path):
    X = np.round(blobs(700) * 4)
    plain = kmeans(X, 5, init=X[:5])
    if layout == "memory map":
        np.save(tmp_path / "X.npy", X)
        given = np.load(tmp_path / "X.npy", mmap_mode="r")
    else:
        given = LAYOUTS[layout](X)
    if isinstance(given, np.ndarray):
        given.flags.writeable = False
    result = kmeans(given, 5, init=X[:5])
    np.testing.assert_array_equal(result.labels, plain.labels)
    narrow = layout in ("int16", "float16", "float32")
    assert result.centroids.dtype == (np.float32 if narrow else np.float64)
    np.testing.assert_allclose(result.centroids, plain.centroids, rtol=1e-5 if narrow else 1e-12)
    assert result.inertia == pytest.approx(plain.inertia, rel=1e-6)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", [1.0, 2.0**60, 2.0**-60])
def test_sparse_equals_dense(metric, dtype, scale):
    rng = np.random.RandomState(0)
    kinds = rng.randint(4, size=900)
    X = rng.poisson(0.05 + 2.0 * (np.arange(40) % 4 == kinds[:, None])).astype(dtype)
    X[~X.any(axis=1), 0] = 1
    # no two distances alike: where they are, the last bit decides
    X = (X * rng.uniform(0.5, 1.5, X.shape)).astype(dtype) * dtype(scale)
    # no two rows at a right angle, which would be equally far from each other
    init = X[:4] + dtype(0.1 * scale) * rng.rand(4, 40).astype(dtype)
    options = {"init": init, "metric": metric, "sample_weight": 1 + kinds % 2, "tol": 0}
    dense, thin = kmeans(X, 4, **options), kmeans(sparse.csr_matrix(X), 4, **options)
    np.testing.assert_array_equal(thin.labels, dense.labels)
    np.testing.assert_allclose(thin.centroids, dense.centroids, rtol=1e-4, atol=1e-5 * scale)
    assert thin.inertia == pytest.approx(dense.inertia, rel=1e-5)
    assert thin.centroids.dtype == dtype and thin.n_iter == dense.n_iter
    other = kmeans(sparse.coo_array(X), 4, **options)
    np.testing.assert_array_equal(other.labels, thin.labels)


# -- cosine ------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_cosine_ignores_the_length_of_a_row(algorithm):
    X = np.abs(blobs(400)) + 0.1
    lengths = 2.0 ** np.random.RandomState(0).randint(-20, 20, 400)
    one, other = (
        kmeans_ann(Y, 5, algorithm=algorithm, metric="cosine", init=X[:5], random_state=0)
        for Y in (X, X * lengths[:, None])
    )
    np.testing.assert_array_equal(one.labels, other.labels)
    np.testing.assert_array_equal(one.centroids, other.centroids)
    np.testing.assert_allclose(np.linalg.norm(one.centroids, axis=1), 1.0, rtol=1e-12)
    assert one.inertia == pytest.approx(truth(X, one.centroids, metric="cosine")[1])
    assert one.metric == "cosine"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("make", [np.asarray, sparse.csr_matrix])
def test_row_without_a_direction_gets_label_0(algorithm, make):
    if make is sparse.csr_matrix and algorithm not in ("auto", "brute", "lsh"):
        pytest.skip("does not take sparse input")
    X = np.abs(blobs(300)) + 0.1
    X[[5, 200]] = 0.0
    with pytest.warns(AnnlabWarning, match=r"2 rows of X are all zero.*label 0"):
        result = kmeans_ann(
            make(X), 4, algorithm=algorithm, metric="cosine", init=X[:4], random_state=0
        )
    assert result.labels[5] == result.labels[200] == 0
    kept = np.delete(X, [5, 200], axis=0)
    without = kmeans_ann(
        make(kept), 4, algorithm=algorithm, metric="cosine", init=X[:4], random_state=0
    )
    np.testing.assert_array_equal(np.delete(result.labels, [5, 200]), without.labels)
    # each of them is at distance 1 from any unit centroid
    assert result.inertia == pytest.approx(without.inertia + 2.0)


# -- any number of threads ---------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", [name for name in ALGORITHMS if name != "faiss"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_number_of_threads_changes_no_bit(algorithm, dtype, monkeypatch):
    # a fused pass is cut into chunks of about two million operations
    X = cloud(60_001 if algorithm in ("auto", "small_k") else 1501, dtype=dtype) + dtype(2)
    weights = np.random.RandomState(0).rand(len(X))
    threads = set()
    original = Workers.map

    together = threading.Event()

    def watched(self, function, tasks, work=None):
        tasks = list(tasks)
        shared = self.n_jobs > 1 and len(tasks) > 1

        def noted(*task):
            threads.add(threading.get_ident())
            if len(threads) > 1:
                together.set()
            # small tasks would all be done before a second thread is awake
            assert not shared or together.wait(20)
            return function(*task)

        # however little work there is
        return original(self, noted, tasks)

    monkeypatch.setattr(Workers, "map", watched)
    results, counts = [], []
    for n_jobs in (1, 2, 4):
        threads.clear()
        together.clear()
        options = {"sample_weight": weights, "random_state": 0, "tol": 0, "n_jobs": n_jobs}
        results.append(kmeans_ann(X, 23, 4, algorithm=algorithm, **options))
        counts.append(len(threads))
    assert counts[0] == 1 and counts[1] >= 2 and counts[2] >= 2, "only one thread ran"
    for other in results[1:]:
        np.testing.assert_array_equal(results[0].labels, other.labels)
        np.testing.assert_array_equal(results[0].centroids, other.centroids)
        assert results[0].inertia == other.inertia
        np.testing.assert_array_equal(results[0].trace.inertia, other.trace.inertia)
        assert results[0].n_distances == other.n_distances


# -- how a fit ends ----------------------------------------------------------------------------


def test_fit_stops_within_the_tolerance():
    X = cloud()
    tight, loose = kmeans(X, 9, init=X[:9], tol=1e-8), kmeans(X, 9, init=X[:9], tol=1e-2)
    assert loose.n_iter < tight.n_iter
    assert loose.stop_reason == "tolerance" and loose.converged
    limit = 1e-2 * X.var(axis=0).mean()
    shifts = [step.shift_sq for step in loose.trace]
    assert shifts[-1] <= limit < min(shifts[:-1])


@pytest.mark.parametrize("answer", [True, np.True_])
def test_callback_stops_the_fit(answer):
    X = cloud()
    seen = []

    def callback(step):
        seen.append(step)
        return answer if len(seen) == 4 else None

    result = kmeans(X, 9, init=X[:9], tol=0, callback=callback)
    assert (result.n_iter, result.stop_reason, result.converged) == (4, "callback", False)
    np.testing.assert_array_equal(result.centroids, seen[-1].new_centroids)
    assert not result.trace.has_arrays and seen[0].labels is not None
    assert [step.iteration for step in seen] == [1, 2, 3, 4]


@pytest.mark.parametrize("answer", [1, "yes", [0], np.ones(3), 0.5])
def test_callback_stops_only_by_true(answer):
    X = blobs()
    plain = kmeans(X, 6, init=X[:6])
    heard = kmeans(X, 6, init=X[:6], callback=lambda step: answer)
    assert (heard.stop_reason, heard.n_iter) == (plain.stop_reason, plain.n_iter)


def test_interruption_leaves_a_consistent_result():
    X = cloud()

    def callback(step):
        if step.iteration == 3:
            raise KeyboardInterrupt

    with pytest.warns(AnnlabWarning, match=r"interrupted.*3 iterations.*init=result.centroids"):
        result = kmeans(X, 9, init=X[:9], tol=0, callback=callback)
    assert (result.n_iter, result.stop_reason, result.converged) == (3, "interrupted", False)
    # the labels of the third iteration, and the centroids that it gave them to
    plain = kmeans(X, 9, 2, init=X[:9], tol=0)
    np.testing.assert_array_equal(result.labels, plain.labels)
    np.testing.assert_array_equal(result.centroids, plain.centroids)
    assert result.inertia == pytest.approx(plain.inertia, rel=1e-12)
    rest = kmeans(X, 9, init=result.centroids, tol=0)
    np.testing.assert_array_equal(rest.labels, kmeans(X, 9, init=X[:9], tol=0).labels)


def test_interruption_before_the_first_result_is_raised(monkeypatch):
    def interrupted(self, rows, state):
        raise KeyboardInterrupt

    monkeypatch.setattr(Lloyd, "assign", interrupted)
    with pytest.raises(KeyboardInterrupt):
        kmeans(blobs(), 3, random_state=0)


def test_interruption_of_a_later_start_keeps_the_earlier_one():
    X = cloud()
    starts = []

    def start(data, n_clusters, random_state):
        if len(starts) == 2:
            raise KeyboardInterrupt
        starts.append(data[len(starts) * 50 :][:n_clusters])
        return starts[-1]

    with pytest.warns(AnnlabWarning, match="interrupted"):
        result = kmeans(X, 5, init=start, n_init=4, tol=0)
    both = [kmeans(X, 5, init=given, tol=0) for given in starts]
    assert result.inertia == min(one.inertia for one in both)
    assert result.stop_reason == "interrupted" and not result.converged


def test_error_in_a_callback_is_raised_and_leaves_no_thread():
    def callback(step):
        raise LookupError("mine")

    # threads of an earlier fit may be kept for this one
    before = set(threading.enumerate())
    with pytest.raises(LookupError, match="mine"):
        kmeans(cloud(), 5, random_state=0, callback=callback, n_jobs=3)
    assert set(threading.enumerate()) <= before


def test_progress_is_one_line_on_stderr(capsys):
    def callback(step):
        if step.iteration == 2:
            raise KeyboardInterrupt

    kmeans(cloud(), 4, 2, tol=0, random_state=0, progress=True)
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("\r") and "k-means (brute)" in err and "inertia" in err
    assert err.rstrip().endswith("2 iterations (max_iter)")
    with pytest.warns(AnnlabWarning):
        kmeans(cloud(), 4, 2, tol=0, random_state=0, progress=True, callback=callback)
    assert capsys.readouterr().err.rstrip(" \n").endswith("2 iterations (interrupted)")
    kmeans(blobs(), 4, random_state=0)
    assert capsys.readouterr() == ("", "")


# -- what is returned --------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_labels_centroids_and_inertia_match(algorithm, metric, dtype):
    X = cloud(dtype=dtype) + dtype(0.2)
    weights = np.random.RandomState(0).rand(len(X))
    result = kmeans_ann(
        X, 15, 4, algorithm=algorithm, metric=metric, sample_weight=weights, random_state=0
    )
    labels, _ = truth(X, result.centroids, weights, metric)
    if result.recall_estimate == 1.0:
        np.testing.assert_array_equal(result.labels, labels)
    else:
        assert np.mean(result.labels == labels) > 0.8
    rows, centres = np.asarray(X, float), np.asarray(result.centroids, float)
    if metric == "cosine":
        rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        centres = centres / np.linalg.norm(centres, axis=1, keepdims=True)
    own = weights @ ((rows - centres[result.labels]) ** 2).sum(axis=1)
    # exact for these labels and centroids: float64, whatever the data is
    assert result.inertia == pytest.approx(own, rel=1e-9)
    assert isinstance(result.inertia, float)
    assert result.labels.dtype == np.int32 and result.centroids.dtype == dtype


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("offset", [0.0, 100.0])
def test_arrays_of_a_step_match_its_numbers(algorithm, offset):
    X = cloud() + offset
    result = kmeans_ann(X, 9, 6, algorithm=algorithm, init=X[:9], tol=0, trace=True, random_state=0)
    before = X[:9]
    labels = np.full(len(X), -1)
    for step in result.trace:
        np.testing.assert_allclose(step.centroids, before, rtol=1e-12)
        own = ((X - step.centroids[step.labels]) ** 2).sum()
        assert step.inertia == pytest.approx(own, rel=1e-9)
        assert step.n_moved == np.count_nonzero(step.labels != labels)
        shift_sq = ((step.new_centroids - step.centroids) ** 2).sum()
        assert step.shift_sq == pytest.approx(shift_sq, rel=1e-6, abs=1e-15)
        if step.n_empty == 0 and step.kind == "lloyd":
            means = [X[step.labels == j].mean(axis=0) for j in range(9)]
            np.testing.assert_allclose(step.new_centroids, means, rtol=1e-9)
        before, labels = step.new_centroids, step.labels
    np.testing.assert_array_equal(result.centroids, before)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_result_owns_its_arrays(algorithm):
    X = blobs()
    init, weights = X[:5].copy(), np.ones(len(X))
    copies = X.copy(), init.copy(), weights.copy()
    result = kmeans_ann(
        X, 5, algorithm=algorithm, init=init, sample_weight=weights, trace=True, random_state=0
    )
    for given, copy in zip((X, init, weights), copies, strict=True):
        np.testing.assert_array_equal(given, copy)
    kept = [result.labels.copy(), result.centroids.copy(), result.trace[0].centroids.copy()]
    X[:], init[:], weights[:] = 0.0, 0.0, 0.0
    held = (result.labels, result.centroids, result.trace[0].centroids)
    for array, copy in zip(held, kept, strict=True):
        np.testing.assert_array_equal(array, copy)
        assert not array.flags.writeable


@pytest.mark.parametrize("function", [kmeans, kmeans_ann])
def test_warnings_point_at_the_caller(function):
    def interrupt(step):
        raise KeyboardInterrupt

    rows = np.r_[np.zeros((1, 2)), np.eye(2)]
    with pytest.warns(AnnlabWarning) as caught:
        function(np.ones((9, 2)), 3, random_state=0)
        function(rows, 2, metric="cosine", random_state=0)
        function(cloud(), 3, init=cloud()[:3], callback=interrupt)
    texts = [str(warning.message) for warning in caught]
    for part in ("clusters have points", "all zero", "interrupted"):
        assert any(part in text for text in texts)
    assert {warning.filename for warning in caught} == {__file__}


def test_reason_tells_the_start_of_a_single_start():
    X = cloud(3000, dtype=np.float32)

    def told(**options):
        return kmeans_ann(X, 20, 2, random_state=0, **options).reason

    assert re.search(r"\w; started with \d+ iterations on samples", told())
    # of several starts one is returned, and not always the last
    for options in ({"n_init": 2}, {"init": "random"}, {"init": X[:20]}):
        assert told(**options) and "started" not in told(**options)
    # callers that choose the algorithm get no reasons
    assert told(algorithm="small_k") == ""


# -- starts and seeds --------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_random_state_decides_the_result(algorithm):
    X = cloud(700, dtype=np.float32)

    def fit(seed):
        return kmeans_ann(X, 12, 3, algorithm=algorithm, random_state=seed).centroids

    before = np.random.get_state()  # noqa: NPY002
    np.testing.assert_array_equal(fit(3), fit(3))
    np.testing.assert_array_equal(fit(np.random.RandomState(3)), fit(3))
    assert not np.array_equal(fit(3), fit(4))
    assert not np.array_equal(fit(None), fit(None))
    one, other = np.random.default_rng(0), np.random.default_rng(0)
    first = fit(one)
    np.testing.assert_array_equal(first, fit(other))
    assert not np.array_equal(first, fit(one)), "a generator moves on"
    after = np.random.get_state()  # noqa: NPY002
    np.testing.assert_array_equal(before[1], after[1])
    assert before[2:] == after[2:], "the global random state was used"


@pytest.mark.parametrize("algorithm", ["brute", "small_k"])
def test_best_of_several_starts_is_kept(algorithm):
    X = blobs(400, k=10, seed=1)
    rng = np.random.RandomState(0)
    singles = [
        kmeans_ann(X, 10, algorithm=algorithm, init="random", random_state=rng).inertia
        for _ in range(6)
    ]
    best = kmeans_ann(X, 10, algorithm=algorithm, init="random", n_init=6, random_state=0)
    assert len({round(value, 6) for value in singles}) > 1
    assert best.inertia == pytest.approx(min(singles), rel=1e-9)


# -- hnsw --------------------------------------------------------------------------------------


def test_hnsw_finds_99_percent_by_default():
    rng = np.random.RandomState(0)
    X = rng.randn(8000, 16).astype(np.float32)
    init = rng.randn(4096, 16).astype(np.float32)
    result = kmeans_ann(X, 4096, 1, algorithm="hnsw", init=init, trace=True, random_state=0)
    with Workers() as workers:
        exact = label_rows(X, init, metric="euclidean", workers=workers)
    assert np.mean(result.trace[0].labels == exact) >= 0.99


# -- refusals ----------------------------------------------------------------------------------

GOOD = blobs(30)
#: One case for each parameter: the checks have tests of their own.
BAD = {
    "X": ({"X": np.where(GOOD > GOOD.mean(), np.nan, GOOD)}, "free of NaN"),
    "n_clusters": ({"n_clusters": 31}, r"n_samples=30\); got n_clusters=31"),
    "max_iter": ({"max_iter": 0}, ">= 1; got 0"),
    "n_init": ({"n_init": 0}, ">= 1; got 0"),
    "tol": ({"tol": -1.0}, ">= 0; got -1.0"),
    "metric": ({"metric": "l1"}, "'euclidean', 'cosine'; got 'l1'"),
    "init": ({"init": GOOD[:3]}, r"shape \(2, 4\); got shape \(3, 4\)"),
    "sample_weight": ({"sample_weight": -np.ones(30)}, "non-negative"),
    "random_state": ({"random_state": -1}, "got -1"),
    "n_jobs": ({"n_jobs": 0}, "other than 0; got 0"),
    "callback": ({"callback": 3}, "a function of one Step; got 3"),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("function", [kmeans, kmeans_ann])
def test_invalid_argument_is_named(function, name):
    wrong, says = BAD[name]
    options = {"X": GOOD, "n_clusters": 2, **wrong}
    with pytest.raises((ValueError, TypeError), match=f"^{name} must be .*{says}") as caught:
        function(**options)
    assert "; got " in str(caught.value)


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match=r"^final_assignment must be one of .*; got 'none'"):
        kmeans_ann(GOOD, 2, final_assignment="none")
    with pytest.raises(ValueError, match=r"^init must be one of .*; got 'farthest'"):
        kmeans_ann(GOOD, 2, init="farthest")


# -- the exact functions -----------------------------------------------------------------------


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_matrix])
@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_inertia_leaves_outliers_out(make, metric, dtype):
    X, C = cloud(5000, dtype=dtype), cloud(7, seed=1, dtype=dtype)
    rng = np.random.RandomState(0)
    labels, weights = rng.randint(-1, 7, 5000).astype(np.int32), rng.rand(5000)
    rows, centres = X.astype(float), C.astype(float)
    if metric == "cosine":
        rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        centres = centres / np.linalg.norm(centres, axis=1, keepdims=True)
    each = ((rows - centres[labels]) ** 2).sum(axis=1)
    kept = labels >= 0
    with Workers(2) as workers:
        for given in (None, weights):
            own = np.ones(5000) if given is None else given
            value = exact_inertia(make(X), C, labels, metric, given, workers)
            assert value == pytest.approx(own[kept] @ each[kept], rel=1e-9)


@pytest.mark.parametrize("n", [500, 6000])
def test_recall_estimate_holds_the_true_share(n):
    X, C = cloud(n), cloud(9, seed=1)
    labels = truth(X, C)[0].astype(np.int32)
    with Workers(2) as workers:
        points = MemoryRows(X, workers=workers)
        assert recall_of(points, labels, points.inward(C), np.random.RandomState(0))[0] == 1.0
        wrong = np.random.RandomState(1).rand(n) < 0.3
        labels[wrong] = (labels[wrong] + 1) % 9
        share, (low, high) = recall_of(points, labels, points.inward(C), np.random.RandomState(0))
    right = 1 - wrong.mean()
    assert low <= right <= high
    if n == 500:
        # all points were checked, so nothing is estimated
        assert share == low == high == pytest.approx(right)
    else:
        wilson = binomtest(round(share * 2000), 2000).proportion_ci(method="wilson")
        assert (low, high) == pytest.approx((wilson.low, wilson.high), abs=1e-5)


# -- memory ------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["brute", "small_k"])
@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_fit_takes_less_than_half_more_than_one_copy(algorithm, metric):
    """At most one shifted or scaled copy of the data exists."""
    rng = np.random.RandomState(0)
    X = rng.rand(200_000, 64).astype(np.float32) + np.float32(50)
    options = {"algorithm": algorithm, "metric": metric, "n_jobs": 1, "init": X[:8].copy()}
    kmeans_ann(X[:500], 8, 2, **options)
    tracemalloc.start()
    try:
        kmeans_ann(X, 8, 2, **options)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1.5 * X.nbytes


def test_memory_map_is_never_copied(tmp_path):
    X = cloud(200_000, d=16, dtype=np.float32) + np.float32(9)
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    for metric in ("euclidean", "cosine"):
        options = {"metric": metric, "n_jobs": 1, "init": X[:8].copy()}
        kmeans(mapped[:500], 8, 2, **options)
        tracemalloc.start()
        try:
            result = kmeans(mapped, 8, 2, **options)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        # labels, distances and the chunk at hand
        assert peak < 1.2 * X.nbytes
        np.testing.assert_array_equal(result.labels, kmeans(X, 8, 2, **options).labels)


@pytest.mark.parametrize("algorithm", ["brute", "small_k", "graph"])
def test_weight_of_a_single_row_counts(algorithm):
    X = np.array([[3.0, 4.0]], dtype=np.float32)
    start = np.array([[0.0, 0.0]], dtype=np.float32)
    steps = []
    kmeans_ann(X, 1, 1, algorithm=algorithm, init=start, sample_weight=[7.0], callback=steps.append)
    # the squared distance to the start is 25
    assert steps[0].inertia == pytest.approx(7 * 25)


# -- interruptions -----------------------------------------------------------------------------


def test_interruption_of_the_last_assignment_keeps_the_last_step(monkeypatch):
    X = cloud()
    plain = kmeans(X, 9, 4, init=X[:9], tol=0, trace=True)

    def interrupted(self, *args):
        raise KeyboardInterrupt

    monkeypatch.setattr(Lloyd, "finish", interrupted)
    with pytest.warns(AnnlabWarning, match="interrupted.*is that of 4 iterations"):
        result = kmeans(X, 9, 4, init=X[:9], tol=0)
    np.testing.assert_array_equal(result.labels, plain.trace[-1].labels)
    np.testing.assert_array_equal(result.centroids, plain.trace[-1].centroids)
    assert result.inertia == pytest.approx(plain.trace[-1].inertia, rel=1e-12)
    assert (result.stop_reason, result.n_iter, result.converged) == ("interrupted", 4, False)


def test_second_interruption_is_ignored(monkeypatch):
    X = cloud()

    def callback(step):
        if step.iteration == 3:
            raise KeyboardInterrupt

    warn = run._warn_interrupted

    def interrupted(text):
        signal.raise_signal(signal.SIGINT)
        warn(text)

    monkeypatch.setattr(run, "_warn_interrupted", interrupted)
    before = signal.getsignal(signal.SIGINT)
    with pytest.warns(AnnlabWarning, match="interrupted"):
        result = kmeans(X, 9, init=X[:9], tol=0, callback=callback)
    assert signal.getsignal(signal.SIGINT) is before
    assert result.inertia == result.trace[-1].inertia
    assert result.inertia == pytest.approx(((X - result.centroids[result.labels]) ** 2).sum())


def test_starts_share_no_memory():
    """The second start gives the same result as alone."""
    X = np.random.RandomState(0).rand(4000, 8).astype(np.float32)
    # the first one is so bad that the second is kept
    starts = [X[:750] * np.float32(0.01), X[-750:].copy()]
    for name in ("graph", "small_k"):
        turns = iter(starts)
        both = kmeans_ann(
            X, 750, 3, algorithm=name, n_init=2, random_state=0, tol=0,
            init=lambda X, n_clusters, random_state: next(turns),  # noqa: B023
        )  # fmt: skip
        alone = kmeans_ann(X, 750, 3, algorithm=name, init=starts[1], random_state=0, tol=0)
        np.testing.assert_array_equal(both.centroids, alone.centroids)


# -- the loop by itself ------------------------------------------------------------------------


class Scripted(Lloyd):
    """An algorithm that returns prepared assignments in turn."""

    def __init__(self, answers, limits):
        super().__init__("scripted", Exact(), Exact(), limits)
        self.answers, self.asked = iter(answers), []

    def assign(self, rows, state):
        known = state.known
        self.asked.append((state.centroids.copy(), None if known is None else known.copy()))
        return next(self.answers)


#: Two clusters of two points each, and the means of them.
FOUR = np.array([[0.0], [2.0], [10.0], [12.0]])
MEANS = np.array([[1.0], [11.0]])


def answered(labels=(0, 0, 1, 1), *, members=None, **more):
    labels = np.array(labels, np.int32)
    by = labels if members is None else members
    sums = np.array([FOUR[by == j].sum(axis=0) for j in (0, 1)])
    counts = np.bincount(by, minlength=2)
    tally = Tally(sums, counts.astype(float), counts, inertia=4.0, n_distances=8)
    return Found(labels, tally, members=members, **more)


def scripted(answers, start=MEANS, *, max_iter=9, tol_sq=-1.0, state=None):
    """Steps and reasons of the loop over `FOUR`."""
    with Workers(1) as workers:
        points = plain_rows(FOUR, workers)
        algorithm = Scripted(answers, Limits(max_iter, 0.0, tol_sq))
        state = state or State(start)
        found = list(states(algorithm, points, state, trace=True))
    steps = [after.steps[-1] for after in found]
    first = state.iteration + 1
    assert [step.iteration for step in steps] == list(range(first, first + len(steps)))
    return steps, tuple(s.reason for s in found), [s.known for s in found], algorithm


def test_loop_stops_at_unchanged_labels():
    steps, reasons, known, assigner = scripted([answered((0, 1, 1, 1)), answered(), answered()])
    assert reasons == ("", "", "labels unchanged")
    assert [step.n_moved for step in steps] == [4, 1, 0]
    # each assignment starts from the labels of the one before
    assert assigner.asked[0][1] is None
    np.testing.assert_array_equal(assigner.asked[1][1], [0, 1, 1, 1])
    np.testing.assert_array_equal(known[-1], [0, 0, 1, 1])
    np.testing.assert_array_equal(assigner.asked[2][0], MEANS)


def test_loop_stops_exactly_at_the_tolerance():
    start = MEANS + 3.0
    assert scripted([answered()], start, tol_sq=18.0)[1] == ("tolerance",)
    steps, reasons, *_ = scripted([answered()] * 2, start, tol_sq=17.9)
    assert reasons[0] == "" and steps[0].shift_sq == 18.0
    # several reasons at once: the strongest is named
    assert scripted([answered(finished=True)], start, tol_sq=18.0)[1] == ("tolerance",)
    assert scripted([answered(finished=True)], start, max_iter=1)[1] == ("small gain",)
    assert scripted([answered()], start, max_iter=1)[1] == ("max_iter",)


@pytest.mark.parametrize(
    "more", [{"kind": "relaxed"}, {"members": np.array([0, 0, 1, 1], np.int32)}]
)
def test_only_plain_steps_signal_convergence(more):
    steps, reasons, *_ = scripted([answered(**more)] * 3 + [answered()], tol_sq=1.0)
    assert reasons == ("", "", "", "labels unchanged")
    assert [step.shift_sq for step in steps] == [0.0] * 4
    assert [step.n_moved for step in steps] == [4, 0, 0, 0]


def test_loop_continues_an_earlier_state():
    labels = np.array([0, 1, 1, 1], np.int32)
    known = np.array([1, 1, 1, 1], np.int32)
    before = scripted([answered(), answered((1, 1, 0, 0))], max_iter=2)[0]
    state = State(MEANS, steps=tuple(before), labels=labels, known=known)
    steps, reasons, _, algorithm = scripted([answered()] * 2, max_iter=3, state=state)
    assert (len(steps), steps[0].n_moved, reasons) == (1, 1, ("max_iter",))
    np.testing.assert_array_equal(algorithm.asked[0][1], known)
    ended = State(MEANS, steps=tuple(before), reason="max_iter")
    assert scripted([], state=ended)[0] == []


def test_reseeded_point_keeps_its_cluster():
    answers = [answered((0, 0, 0, 0)), answered((0, 0, 0, 0)), answered()]
    steps, reasons, known, assigner = scripted(answers, max_iter=3)
    # of the two worst served the first, which is the point at 12
    assert steps[0].n_empty == 1 and reasons[0] == ""
    (taken,) = np.flatnonzero(known[0] == 1)
    assert steps[0].new_centroids[1, 0] == FOUR[taken, 0]
    np.testing.assert_array_equal(steps[0].labels, [0, 0, 0, 0])
    np.testing.assert_array_equal(assigner.asked[1][1], known[0])
    # what moved is judged by the labels that were given, not by those that are known
    assert steps[1].n_moved == 0


@pytest.mark.parametrize("unit", [1e-9, 1.0, 1e9])
def test_reseeding_leaves_more_than_rounding(unit):
    """No point is taken if only a rounding error of its cluster would remain."""
    X, weights = np.array([[0.0], [8.0], [3.0]]), np.array([1e-14, 2.0, 2.0])
    centroids = np.array([[0.0], [3.5], [99.0]])
    new, reseeded = moved(X, [0, 0, 1], centroids, unit * weights)
    assert reseeded == {} and new[2, 0] == 99.0
    # a light point beside it is enough, whatever weights are counted in
    for light in (1e-3, 1e-6, 1e-10):
        new, reseeded = moved(X, [0, 0, 1], centroids, unit * np.array([light, 1.0, 1.0]))
        assert reseeded == {1: 2}
        assert new[1:].ravel().tolist() == pytest.approx([3.0, 8.0])


def test_steps_take_no_longer_than_the_fit():
    begin = time.perf_counter()
    result = kmeans(cloud(), 6, 5, random_state=0, tol=0, callback=lambda step: time.sleep(0.002))
    whole = time.perf_counter() - begin
    times = [step.elapsed_s for step in result.trace]
    assert all(seconds > 0 for seconds in times)
    # what a callback takes is the fit's, not the step's
    assert sum(times) + 0.01 <= result.elapsed_s <= whole


# -- Ctrl-C ------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_init", [1, 2])
def test_interruption_names_the_returned_result(n_init, tmp_path):
    X = cloud()
    turns = []

    def callback(step):
        turns.append(step.iteration)
        if turns.count(2) == n_init:
            raise KeyboardInterrupt

    options = {"init": "random", "tol": 0, "random_state": 0, "callback": callback}
    with pytest.warns(AnnlabWarning, match="interrupted") as caught:
        result = kmeans(X, 4, 3, n_init=n_init, **options)
    (text,) = [str(warning.message) for warning in caught]
    assert ("an earlier one of the n_init starts" in text) == (n_init == 2)
    assert ("that of 2 iterations" in text) == (n_init == 1)
    assert "init=result.centroids" in text and "checkpoint" not in text
    assert len(result.trace) == result.n_iter == (2 if n_init == 1 else 3)
    assert result.recall_estimate == 1.0 and result.recall_interval is None
    assert result.n_distances == result.n_iter * len(X) * 4
    turns.clear()
    with pytest.warns(AnnlabWarning, match="Fit again with the same checkpoint"):
        kmeans(X, 4, 3, n_init=n_init, checkpoint=tmp_path / "run", **options)


def test_interrupted_approximate_fit_claims_no_recall():
    def callback(step):
        raise KeyboardInterrupt

    with pytest.warns(AnnlabWarning, match="interrupted"):
        result = kmeans_ann(blobs(), 4, algorithm=Blind(), random_state=0, callback=callback)
    assert result.recall_estimate is None and result.n_distances is None


def test_stop_reason_is_that_of_the_kept_start_or_callback():
    X = blobs()
    # the first start is at its end at once, the second one never
    starts = [kmeans(X, 6, random_state=0, tol=0).centroids, X[:6] * 9]

    def fit(**more):
        turns = iter(starts)
        init = lambda X, n_clusters, random_state: next(turns)  # noqa: E731
        return kmeans(X, 6, 2, tol=0, init=init, n_init=2, **more)

    assert fit().stop_reason in ("labels unchanged", "tolerance")
    seen = []
    ended = fit(callback=lambda step: seen.append(step.inertia) or seen[-1] > 2 * seen[0])
    assert ended.stop_reason == "callback" and ended.inertia < 2 * seen[0] < seen[-1]


# -- which labels are returned -----------------------------------------------------------------


@pytest.mark.parametrize(
    "final", ["auto", "exact", "algorithm"], ids=["where it is cheap", "always", "never"]
)
@pytest.mark.parametrize("exact_below", [0, 5, 6])
@pytest.mark.parametrize("exact", [True, False])
def test_final_assignment_is_exact_or_estimated(final, exact_below, exact, monkeypatch):
    X = blobs()
    monkeypatch.setattr(Lloyd, "exact_below", exact_below)
    index = Blind()
    index.exact = exact
    result = kmeans_ann(X, 6, 2, algorithm=index, init=X[:6], final_assignment=final)
    nearest = truth(X, result.centroids)[0]
    if exact or final == "exact" or (final == "auto" and exact_below == 6):
        np.testing.assert_array_equal(result.labels, nearest)
        assert (result.recall_estimate, result.recall_interval) == (1.0, None)
    else:
        assert result.recall_estimate == pytest.approx(np.mean(result.labels == nearest))
        # all points were looked at
        assert result.recall_interval == (result.recall_estimate,) * 2
    assert np.isfinite(result.inertia)


# -- exact inertia -----------------------------------------------------------------------------


# -- data in parts -----------------------------------------------------------------------------


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_labels_and_inertia_of_blocks_equal_those_of_all_rows(metric):
    X, C = cloud(700), cloud(5, seed=1)
    weights = np.random.RandomState(0).rand(700)
    blocks = [X[:300], X[300:]]
    with Workers(2) as workers:
        options = {"metric": metric, "workers": workers}
        rows = open_beside(blocks, C, sample_weight=weights, **options)
        labels, tally = label(rows, C)
        with pytest.raises(
            ValueError, match=r"^X must be an array with 4 columns; got shape \(700"
        ):
            open_beside(blocks, C[:, :4], **options)
    expected, least = truth(X, C, weights, metric)
    np.testing.assert_array_equal(labels, expected)
    assert tally.exact_inertia == pytest.approx(least, rel=1e-9)


def test_variant_that_needs_all_rows_refuses_blocks():
    class Together(run.Variant):
        together = True

    settings = Settings(n_clusters=3, max_iter=5, algorithm="brute")
    with pytest.raises(TypeError, match=r"^X must be in memory.*got a list"):
        run.fit([blobs(), blobs()], settings, Together())
    assert run.fit(blobs(), settings, Together())[0].labels.shape == (600,)


@pytest.mark.parametrize("function", [kmeans, kmeans_ann])
def test_defaults_match_the_documentation(function):
    documented = {}
    for text in (inspect.getdoc(kmeans), inspect.getdoc(function)):
        for name, value in re.findall(r"^(\w+) : .*default=(.+)$", text, re.MULTILINE):
            documented[name] = ast.literal_eval(value)
    parameters = inspect.signature(function).parameters
    assert documented["max_iter"] == 100 and len(documented) >= 6
    for name, value in documented.items():
        assert parameters[name].default == value, name


# -- going on from a checkpoint ----------------------------------------------------------------


def stopped_at(path, iteration, X, **options):
    return kmeans(X, 6, checkpoint=path, callback=lambda s: s.iteration == iteration, **options)


def test_elapsed_time_counts_all_parts(tmp_path):
    begin = time.perf_counter()
    first = stopped_at(tmp_path / "run", 2, cloud(), random_state=0)
    second = kmeans(cloud(), 6, checkpoint=tmp_path / "run", random_state=0)
    assert second.n_iter > 2
    assert sum(step.elapsed_s for step in second.trace) <= second.elapsed_s
    assert first.trace.elapsed_s.sum() < second.elapsed_s <= time.perf_counter() - begin


def test_interruption_leaves_a_foreign_handler(monkeypatch):
    monkeypatch.setattr(signal, "getsignal", lambda number: None)
    monkeypatch.setattr(signal, "signal", lambda *args: pytest.fail("nothing could put it back"))
    with run._ignoring_interrupts():
        pass

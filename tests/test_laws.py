"""Laws that hold for any data: hypothesis looks for data that breaks them.

What tests/test_lloyd.py states for chosen data is not said again; here the data is not chosen.
``ANNLAB_LAWS=full`` tries hundreds of examples of each law, and new ones every time.
"""

from __future__ import annotations

import os
import warnings
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.spatial.distance import cdist

from annlab import (
    KMeansANN,
    assign_points_to_clusters,
    available_algorithms,
    kmeans,
    kmeans_ann,
    make_index,
    robust_kmeans_ann,
)
from annlab._support.errors import AnnlabWarning
from annlab.indexes import available_indexes, index_class

settings.register_profile(
    "everyday",
    max_examples=15,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
settings.register_profile(
    "full",
    max_examples=400,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
settings.load_profile("full" if os.environ.get("ANNLAB_LAWS") == "full" else "everyday")

ALGORITHMS = tuple(name for name in available_algorithms() if name != "faiss")
EXACT = (
    "small_k",
    *(name for name in available_indexes() if name != "faiss" and index_class(name).exact),
)


@pytest.fixture(autouse=True)
def _quiet():
    """Ignore warnings about too few distinct rows."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AnnlabWarning)
        yield


def rows(draw, n, d, seed):
    """Return data of many kinds, by a seed that hypothesis shrinks."""
    rng = np.random.RandomState(seed)
    kind = draw(
        st.sampled_from(
            ["cloud", "blobs", "grid", "duplicates", "constant columns", "a line", "far out"]
        )
    )
    X = rng.randn(n, d)
    if kind == "blobs":
        X += 20 * rng.randn(5, d)[rng.randint(5, size=n)]
    elif kind == "grid":
        X = rng.randint(0, 4, (n, d)).astype(float)
    elif kind == "duplicates":
        X = X[rng.randint(max(1, n // 5), size=n)]
    elif kind == "constant columns":
        X[:, rng.rand(d) < 0.5] = 3.0
    elif kind == "a line":
        X = X[:, :1] * np.ones(d)
    elif kind == "far out":
        X[rng.randint(n)] *= 1e3
    return X


@st.composite
def cases(draw, most_n=120, most_k=10):
    """Return data, a number of clusters, and a start of rows."""
    n = draw(st.integers(2, most_n))
    d = draw(st.integers(1, 7))
    seed = draw(st.integers(0, 2**32 - 1))
    X = rows(draw, n, d, seed)
    k = draw(st.integers(1, min(n, most_k)))
    start = X[np.random.RandomState(seed).choice(n, k, replace=False)]
    return X, k, start, seed


def least_sq(X, centroids):
    return cdist(np.asarray(X, float), np.asarray(centroids, float), "sqeuclidean").min(axis=1)


def inertia_of(X, result):
    X, centroids = np.asarray(X, float), np.asarray(result.centroids, float)
    return float(((X - centroids[result.labels]) ** 2).sum())


def spread_of(X):
    return float(((X - X.mean(axis=0)) ** 2).sum())


# -- the loop ----------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@given(case=cases(), dtype=st.sampled_from([np.float32, np.float64]))
def test_inertia_never_rises(algorithm, case, dtype):
    X, k, start, seed = case
    X, start = X.astype(dtype), start.astype(dtype)
    result = kmeans_ann(
        X, k, 8, algorithm=algorithm, init=start, tol=0, random_state=seed % 1000,
        final_assignment="algorithm",
    )  # fmt: skip
    slack = (1e-5 if dtype == np.float32 else 1e-10) * (spread_of(X.astype(float)) + 1e-300)
    for one, other in pairwise(result.trace):
        if one.kind == other.kind == "lloyd":
            assert other.inertia <= one.inertia + slack
    if result.trace[-1].kind == "lloyd":
        assert result.inertia <= result.trace[-1].inertia + slack


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@given(case=cases())
def test_labels_are_nearest_or_recall_is_estimated(algorithm, case):
    X, k, start, seed = case
    result = kmeans_ann(X, k, 4, algorithm=algorithm, init=start, random_state=seed % 1000)
    least = least_sq(X, result.centroids)
    got = ((X - result.centroids[result.labels]) ** 2).sum(axis=1)
    right = got <= least * (1 + 1e-9) + 1e-12 * max(1.0, spread_of(X) / len(X))
    # fewer points than are sampled for the estimate: it is the share itself
    assert np.mean(right) >= result.recall_estimate - 1e-12
    assert result.inertia == pytest.approx(inertia_of(X, result), rel=1e-9, abs=1e-12)
    if algorithm in EXACT:
        assert result.recall_estimate == 1.0 and right.all()


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@given(case=cases())
def test_labels_equal_predict(metric, case):
    X, k, start, seed = case
    model = KMeansANN(k, init=start, metric=metric, random_state=seed % 1000, max_iter=5).fit(X)
    np.testing.assert_array_equal(model.labels_, model.predict(X))
    if metric == "euclidean":
        np.testing.assert_array_equal(
            model.labels_, assign_points_to_clusters(X, model.cluster_centers_)
        )
    # a row's label is its own, whatever other rows are asked with it
    some = np.arange(len(X))[:: 1 + seed % 3]
    np.testing.assert_array_equal(model.predict(X[some]), model.labels_[some])


@given(case=cases(), data=st.data())
def test_k_distinct_points_are_k_clusters(case, data):
    X, _, _, seed = case
    distinct = np.unique(X, axis=0)
    assume(len(distinct) <= 30)
    counts = data.draw(st.lists(st.integers(1, 9), min_size=len(distinct), max_size=len(distinct)))
    many = np.repeat(distinct, counts, axis=0)
    result = kmeans(many, len(distinct), init=distinct, random_state=seed % 1000)
    assert result.inertia <= 1e-20 * max(1.0, float(np.abs(many).max()) ** 2) * len(many)
    np.testing.assert_array_equal(result.labels, np.repeat(np.arange(len(distinct)), counts))


# -- what must not matter ------------------------------------------------------------------------


def well_apart(X, result):
    """Return whether no row has a near-tie, which rounding would decide."""
    if len(result.centroids) < 2:
        return True
    for step in result.trace:
        table = np.sort(cdist(X, step.centroids, "sqeuclidean"), axis=1)
        gap = table[:, 1] - table[:, 0]
        if (gap < 1e-6 * (table[:, 1] + spread_of(X) / len(X))).any():
            return False
    return True


def traced(X, k, start, **more):
    return kmeans(X, k, 6, init=start, tol=0, trace=True, **more)


@given(case=cases(), angle=st.integers(0, 2**31 - 1), where=st.floats(-1e4, 1e4))
def test_rotation_and_shift_move_clusters(case, angle, where):
    X, k, start, _ = case
    plain = traced(X, k, start)
    assume(well_apart(X, plain) and all(step.n_empty == 0 for step in plain.trace))
    turn = np.linalg.qr(np.random.RandomState(angle).randn(X.shape[1], X.shape[1]))[0]
    result = traced(X @ turn + where, k, start @ turn + where)
    np.testing.assert_array_equal(result.labels, plain.labels)
    size = np.abs(X).max() + abs(where) + 1
    np.testing.assert_allclose(
        result.centroids, plain.centroids @ turn + where, rtol=0, atol=1e-9 * size
    )
    assert result.inertia == pytest.approx(plain.inertia, rel=1e-6, abs=1e-9 * size**2)


@given(
    case=cases(),
    power=st.integers(-60, 60),
    dtype=st.sampled_from([np.float32, np.float64]),
    metric=st.sampled_from(["euclidean", "cosine"]),
)
def test_scale_keeps_labels(case, power, dtype, metric):
    """From about 1e-18 to 1e18; powers of two, so that nothing is rounded."""
    X, k, start, _ = case
    X, start = X.astype(dtype), start.astype(dtype)
    scale = dtype(2.0**power)
    plain = kmeans(X, k, 4, init=start, tol=0, metric=metric)
    result = kmeans(X * scale, k, 4, init=start * scale, tol=0, metric=metric)
    assert np.isfinite(result.centroids).all() and np.isfinite(result.inertia)
    # far from 1, float32 is worked in float64: another rounding, and ties may fall otherwise
    if dtype == np.float64:
        np.testing.assert_array_equal(result.labels, plain.labels)
        times = 1.0 if metric == "cosine" else float(scale)
        np.testing.assert_allclose(result.centroids, plain.centroids * times, rtol=1e-12)
    own = float(scale) ** 2 if metric == "euclidean" else 1.0
    if plain.inertia > 1e-6 * (spread_of(X.astype(float)) + 1e-30) and dtype == np.float64:
        assert result.inertia == pytest.approx(plain.inertia * own, rel=1e-6)


@given(case=cases(), data=st.data())
def test_order_of_rows_and_columns_keeps_labels(case, data):
    X, k, start, _ = case
    plain = traced(X, k, start)
    assume(well_apart(X, plain) and all(step.n_empty == 0 for step in plain.trace))
    order = np.array(data.draw(st.permutations(range(len(X)))))
    columns = np.array(data.draw(st.permutations(range(X.shape[1]))))
    result = traced(X[order][:, columns], k, start[:, columns])
    np.testing.assert_array_equal(result.labels, plain.labels[order])
    np.testing.assert_allclose(result.centroids, plain.centroids[:, columns], atol=1e-9, rtol=1e-9)


@given(case=cases(), data=st.data(), metric=st.sampled_from(["euclidean", "cosine"]))
def test_weight_equals_repetitions(case, data, metric):
    X, k, start, _ = case
    plain = traced(X, k, start)
    assume(well_apart(X, plain))
    weights = np.array(data.draw(st.lists(st.integers(0, 4), min_size=len(X), max_size=len(X))))
    assume((weights > 0).sum() >= k)
    options = {"init": start, "tol": 0, "metric": metric, "trace": True}
    weighted = kmeans(X, k, 5, sample_weight=weights, **options)
    assume(all(step.n_empty == 0 for step in weighted.trace))
    many = np.repeat(X, weights, axis=0)
    repeated = kmeans(many, k, 5, **options)
    assume(metric == "cosine" or well_apart(many, repeated))
    assert weighted.inertia == pytest.approx(repeated.inertia, rel=1e-7, abs=1e-9)
    if metric == "euclidean":
        np.testing.assert_array_equal(np.repeat(weighted.labels, weights), repeated.labels)
        np.testing.assert_allclose(weighted.centroids, repeated.centroids, rtol=1e-9, atol=1e-9)


def as_pandas(X):
    return pytest.importorskip("pandas").DataFrame(X)


def as_polars(X):
    return pytest.importorskip("polars").DataFrame({str(j): X[:, j] for j in range(X.shape[1])})


def read_only(X):
    X = X.copy()
    X.setflags(write=False)
    return X


WAYS = {
    "Fortran": np.asfortranarray,
    "backwards": lambda X: X[::-1].copy()[::-1],
    "every other": lambda X: np.repeat(np.repeat(X, 2, axis=0), 2, axis=1)[::2, ::2],
    "read-only": read_only,
    "list": lambda X: X.tolist(),
    "pandas": as_pandas,
    "polars": as_polars,
    "int64": lambda X: X.astype(np.int64),
    "int8": lambda X: X.astype(np.int8),
    "float16": lambda X: X.astype(np.float16),
    "float32": lambda X: X.astype(np.float32),
    "CSR": sparse.csr_matrix,
    "CSC array": sparse.csc_array,
}


@pytest.mark.parametrize("way", WAYS)
@given(case=cases(most_n=60, most_k=5))
def test_container_keeps_labels(way, case):
    """Small integers, which every container holds exactly."""
    X, k, _, seed = case
    X = np.clip(np.round(X * 4), -100, 100)
    distinct = np.unique(X, axis=0)
    assume(len(distinct) >= k)
    # a start off the lattice: no two centroids are equally far
    start = distinct[:k] + np.random.RandomState(seed).uniform(0.01, 0.2, (k, X.shape[1]))
    plain = kmeans(X, k, 1, init=start, trace=True)
    given_X = WAYS[way](X)
    before = X.copy()
    result = kmeans(given_X, k, 1, init=start, trace=True)
    np.testing.assert_array_equal(X, before)
    if way in ("int8", "float16", "float32"):
        assert result.centroids.dtype == np.float32
        start32 = start.astype(np.float32).astype(float)
        table = np.sort(cdist(X, start32, "sqeuclidean"), axis=1)
        assume(k == 1 or (table[:, 1] - table[:, 0]).min() > 1e-3)
    np.testing.assert_array_equal(result.trace[0].labels, plain.trace[0].labels)
    np.testing.assert_allclose(result.centroids, plain.centroids, rtol=1e-5, atol=1e-4)


# -- other rooms -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["hnsw", "lsh", "pq"])
@given(case=cases(most_n=60))
def test_approximate_indexes_return_true_distances(name, case):
    """They may miss neighbours, but distances are true, without repeats, in order."""
    X, k, queries, seed = case
    index = make_index(name)
    if "random_state" in index.get_params():
        index.set_params(random_state=seed % 1000)
    distances, indices = index.fit(X).kneighbors(queries, n_neighbors=k)
    own = np.take_along_axis(cdist(queries, X), indices, axis=1)
    np.testing.assert_allclose(distances, own, rtol=1e-9, atol=1e-9)
    assert (np.diff(distances, axis=1) >= 0).all()
    assert all(len(set(row)) == k for row in indices.tolist())


@given(case=cases(), share=st.floats(0.0, 0.4))
def test_trimmed_points_are_outliers(case, share):
    X, k, start, seed = case
    result = robust_kmeans_ann(X, k, 4, trim=share, init=start, random_state=seed % 1000)
    assert result.outlier_mask.sum() <= share * len(X) * (1 + 1e-9)
    np.testing.assert_array_equal(result.labels == -1, result.outlier_mask)
    kept = ~result.outlier_mask
    own = ((X[kept] - result.centroids[result.labels[kept]]) ** 2).sum()
    assert result.inertia == pytest.approx(own, rel=1e-9, abs=1e-12)


@given(case=cases(), data=st.data())
def test_partial_fit_counts_every_row_once(case, data):
    """After `partial_fit`, each centroid is the mean of its rows."""
    X, k, start, _ = case
    cut = data.draw(st.integers(k, len(X)))
    model = KMeansANN(k, init=start).partial_fit(X[:cut])
    first = assign_points_to_clusters(X[:cut], start)
    means = start.copy()
    for j in np.unique(first):
        means[j] = X[:cut][first == j].mean(axis=0)
    np.testing.assert_allclose(model.cluster_centers_, means, rtol=1e-9, atol=1e-9)
    if cut < len(X):
        model.partial_fit(X[cut:])
        assert model._counts.sum() == len(X)
        whole = (model._counts[:, None] * model._means)[model._counts > 0].sum(axis=0)
        np.testing.assert_allclose(whole, X.sum(axis=0), rtol=1e-7, atol=1e-7 * len(X))

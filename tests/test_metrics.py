"""Measures against scikit-learn, against sums written out, and against laws."""

from __future__ import annotations

import itertools
import re
import statistics
import warnings
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.spatial.distance import cdist
from sklearn import metrics as sk

from annlab import kmeans, metrics
from annlab._support.errors import AnnlabWarning
from annlab.datasets import make_blobs
from annlab.distances import pairwise_sq
from annlab.metrics import (
    distance_contrast,
    evaluate_clustering,
    inertia,
    intrinsic_dimension,
    label_agreement,
    purity,
    recall_at_k,
    silhouette_of_rows,
    trustworthiness,
)


@pytest.fixture
def data():
    rng = np.random.RandomState(0)
    centers = np.array([[0.0, 0.0, 0.0], [6.0, 0.0, 1.0], [0.0, 6.0, -2.0]])
    truth = rng.randint(3, size=240)
    return centers[truth] + rng.normal(size=(240, 3)), truth


# --- evaluate_clustering -------------------------------------------------------------------------


def test_scores_equal_scikit_learn(data):
    X, truth = data
    labels = np.where(np.arange(240) % 7 == 0, (truth + 1) % 3, truth)
    scores = evaluate_clustering(X, labels, reference=truth)
    assert scores.silhouette == pytest.approx(sk.silhouette_score(X, labels), abs=1e-12)
    assert scores.davies_bouldin == pytest.approx(sk.davies_bouldin_score(X, labels))
    assert scores.calinski_harabasz == pytest.approx(sk.calinski_harabasz_score(X, labels))
    assert scores.adjusted_rand == pytest.approx(sk.adjusted_rand_score(truth, labels))
    assert scores.normalized_mutual_info == pytest.approx(
        sk.normalized_mutual_info_score(truth, labels)
    )


def test_sparse_scores_equal_dense_scores(data):
    X, truth = data
    X = np.where(np.abs(X) < 0.8, 0.0, X)
    dense, sparse = evaluate_clustering(X, truth), evaluate_clustering(csr_matrix(X), truth)
    for name in ("silhouette", "davies_bouldin", "calinski_harabasz", "inertia"):
        assert getattr(sparse, name) == pytest.approx(getattr(dense, name), rel=1e-9), name


def test_outliers_are_left_out(data):
    X, truth = data
    spoiled = np.vstack([X, [[1e4, 0, 0], [0, -1e4, 0]]])
    labels = np.append(truth, [-1, -1])
    scores = evaluate_clustering(spoiled, labels, reference=np.append(truth, [0, 1]))
    clean = evaluate_clustering(X, truth, reference=truth)
    assert scores.n_outliers == 2
    assert scores.n_points == 240
    assert "2 outliers" in repr(scores)
    for name in ("silhouette", "davies_bouldin", "inertia", "adjusted_rand", "inertia_gap"):
        assert getattr(scores, name) == pytest.approx(getattr(clean, name)), name


def test_inertia_gap_compares_the_centroids_of_both_results(data):
    X, _ = data
    good = kmeans(X, 3, random_state=0)
    poor = kmeans(X, 3, init=X[:3], max_iter=1)
    scores = evaluate_clustering(X, poor, reference=good)
    assert scores.inertia == pytest.approx(poor.inertia)
    assert scores.inertia_gap == pytest.approx(poor.inertia / good.inertia - 1)
    assert evaluate_clustering(X, good, reference=good).inertia_gap == 0


def test_inertia_uses_means_without_centroids(data):
    X, truth = data
    expected = sum(((X[truth == c] - X[truth == c].mean(axis=0)) ** 2).sum() for c in range(3))
    assert evaluate_clustering(X, truth).inertia == pytest.approx(expected)
    given = evaluate_clustering(X, truth, centroids=np.zeros((3, 3)))
    assert given.inertia == pytest.approx((X**2).sum())


def test_cosine_scores_equal_scikit_learn(data):
    X, truth = data
    X = X + 3
    scaled = X * np.random.RandomState(1).uniform(0.5, 9, size=(240, 1))
    ours = evaluate_clustering(scaled, truth, metric="cosine")
    assert ours.silhouette == pytest.approx(sk.silhouette_score(X, truth, metric="cosine"))
    result = kmeans(scaled, 3, metric="cosine", random_state=0)
    assert evaluate_clustering(scaled, result).inertia == pytest.approx(result.inertia)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("sparse", [False, True])
def test_silhouette_of_rows_equals_scikit_learn(data, metric, sparse):
    X, truth = data
    truth = truth.copy()
    truth[17] = 3
    rows = np.array([17, 3, 200, 11])
    X = X / np.linalg.norm(X, axis=1, keepdims=True)
    ours = silhouette_of_rows(csr_matrix(X) if sparse else X, truth, rows, 4, metric=metric)
    assert ours == pytest.approx(sk.silhouette_samples(X, truth, metric=metric)[rows], abs=1e-6)
    assert ours[0] == 0


@pytest.fixture
def drawn(monkeypatch):
    """Replace the silhouette; return the requested samples and their values."""
    seen = []

    def rows_of(X, codes, rows, n_clusters, **options):
        values = np.sin(np.arange(len(rows)))
        seen.append((rows, values))
        return values

    monkeypatch.setattr("annlab.metrics.silhouette.silhouette_of_rows", rows_of)
    monkeypatch.setattr("sklearn.metrics.silhouette_score", lambda X, labels, **options: 0.5)
    return seen


@pytest.mark.parametrize(
    ("n", "size"),
    # all up to 10,000; then as many as 200 million distances allow, from 500 to 10,000
    [(10_000, None), (10_001, 10_000), (25_000, 8_000), (100_000, 2_000), (500_000, 500)],
)
def test_silhouette_is_sampled_past_ten_thousand_points(n, size, drawn):
    X = np.arange(n, dtype=float)[:, None]
    scores = evaluate_clustering(X, (X[:, 0] > n / 2).astype(int))
    if size is None:
        assert not drawn
        assert (scores.silhouette, scores.n_silhouette, scores.silhouette_error) == (0.5, n, 0.0)
        return
    ((rows, values),) = drawn
    assert scores.n_silhouette == len(rows) == size
    # different points, in ascending order
    assert (np.diff(rows) > 0).all() and 0 <= rows[0] and rows[-1] < n
    assert scores.silhouette == pytest.approx(statistics.fmean(values))


@pytest.mark.parametrize("size", [2, 50, 99])
def test_silhouette_error_is_that_of_draws_without_replacement(size, drawn):
    X, labels = np.random.RandomState(0).rand(100, 2), np.arange(100) % 3
    scores = evaluate_clustering(X, labels, sample_size=size)
    assert f"{size} points sampled" in repr(scores)
    with pytest.raises(ValueError, match="sample_size must be"):
        evaluate_clustering(X, labels, sample_size=1)
    # Cochran, Sampling Techniques (1977), section 2.5: s / √m · √(1 − m/n)
    expected = statistics.stdev(drawn[0][1]) * ((1 - size / 100) / size) ** 0.5
    assert scores.silhouette_error == pytest.approx(expected)


@pytest.fixture
def blocks(monkeypatch):
    """Return sizes and bytes of the blocks of distances that a measure requests."""
    asked = []

    def spy(Q, X):
        out = pairwise_sq(Q, X)
        asked.append((out.size, out.nbytes))
        return out

    for module in ("silhouette", "search"):
        monkeypatch.setattr(f"annlab.metrics.{module}.pairwise_sq", spy)
    return asked


def test_silhouette_reads_many_points_in_blocks(blocks):
    rng = np.random.RandomState(0)
    n = (1 << 16) + 3
    X, codes = rng.rand(n, 1), rng.randint(0, 3, n)
    codes[5] = codes[n - 1] = 3
    rows = np.concatenate([[5, n - 1, 1 << 16, (1 << 16) - 1, 0], rng.choice(n, 70)])
    ours = silhouette_of_rows(X, codes, rows, 4, n_jobs=1)
    # those about the end of a block, and some others
    for row, value in zip(rows[:20], ours[:20], strict=True):
        far = np.abs(X[:, 0] - X[row, 0])
        own = codes == codes[row]
        a = far[own].sum() / (own.sum() - 1)
        b = min(far[codes == c].mean() for c in range(4) if c != codes[row])
        assert value == pytest.approx((b - a) / max(a, b), abs=1e-9)
    # "blocks of about 32 MB": no larger, and no smaller than makes sense
    assert max(n_bytes for _, n_bytes in blocks) == 32 << 20
    assert len(blocks) == 4


def test_silhouette_far_from_the_origin_ignores_the_point_itself():
    rng = np.random.RandomState(0)
    codes = np.repeat([0, 1, 2], [2, 2, 3])
    X = 1e6 + rng.rand(7, 30) + 4.0 * codes[:, None]
    # products of such coordinates lose the distance of a point to itself
    assert np.sqrt(np.diag(pairwise_sq(X, X))).max() > 0.05
    expected = sk.silhouette_samples(X - 1e6, codes)
    found = silhouette_of_rows(X, codes, np.arange(7), 3)
    np.testing.assert_allclose(found, expected, atol=2e-3)


def test_silhouette_of_coinciding_points_is_zero():
    X, codes = np.ones((6, 2)), np.array([0, 0, 0, 1, 1, 1])
    np.testing.assert_array_equal(silhouette_of_rows(X, codes, np.arange(6), 2), np.zeros(6))
    assert evaluate_clustering(X, codes).silhouette == 0


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1], r"labels must be an array of shape \(3,\)"),
        ([[0], [1], [1]], "labels must be a 1-D array"),
        (1, "labels must be a 1-D array"),
        ([0.5, 1, 1], "labels must be whole numbers"),
        ([0, np.nan, 1], "labels must be whole numbers"),
        ([-1, -1, -1], "labels must be 0 or higher"),
        ([0, "a", None], "labels must be integers, or names"),
    ],
)
def test_bad_labels_are_named(labels, message):
    with pytest.raises((TypeError, ValueError), match=message):
        evaluate_clustering(
            np.eye(3), np.array(labels, dtype=object if None in np.ravel(labels) else None)
        )


def test_bad_metric_and_bad_reference():
    with pytest.raises(ValueError, match="metric must be one of"):
        evaluate_clustering(np.eye(3), [0, 0, 1], metric="manhattan")
    with pytest.raises(ValueError, match="reference must be"):
        evaluate_clustering(np.eye(3), [0, 0, 1], reference=[0, 1])


# --- inertia -------------------------------------------------------------------------------------


def test_inertia_equals_a_plain_sum(data):
    X, truth = data
    C = np.random.RandomState(1).rand(3, 3)
    weights = np.random.RandomState(2).rand(240)
    expected = sum(w * ((x - C[c]) ** 2).sum() for x, c, w in zip(X, truth, weights, strict=True))
    assert inertia(X, truth, C, sample_weight=weights) == pytest.approx(expected)
    labels = truth.copy()
    labels[:50] = -1
    kept = ((X[50:] - C[truth[50:]]) ** 2).sum()
    assert inertia(X, labels, C) == pytest.approx(kept)
    assert inertia(csr_matrix(X), truth, C) == pytest.approx(inertia(X, truth, C))


def test_inertia_of_float32_keeps_its_digits_far_from_the_origin():
    X = np.array([[10_000.0], [10_001.0], [10_003.0]], dtype=np.float32)
    assert inertia(X, [0, 0, 0], np.array([[10_001.0]], dtype=np.float32)) == 5.0


# --- recall --------------------------------------------------------------------------------------


def test_recall_refuses_bare_indices():
    with pytest.raises(TypeError, match="Indices alone"):
        recall_at_k(np.array([[1, 2]]), np.array([[1.0, 2.0]]))


# --- distances and pictures ----------------------------------------------------------------------


def test_contrast_follows_its_formula():
    X = np.array([[0.0], [1.0], [4.0]])
    assert distance_contrast(X, np.array([[-1.0]])) == pytest.approx((5 - 1) / 1)
    # each row against the other two: (4 - 1) / 1, (3 - 1) / 1, (4 - 3) / 3
    assert distance_contrast(X, n_queries=3) == pytest.approx(2.0)
    assert distance_contrast(X, np.array([[1.0]])) == np.inf


def test_intrinsic_dimension_follows_its_formula():
    X = np.random.RandomState(0).rand(40, 3)
    expected = dimension_written_out(X, 5)
    assert intrinsic_dimension(X, n_neighbors=5) == pytest.approx(expected)
    # equal rows count once, and neither shift, scale nor a turn of the axes changes a dimension
    turn = np.linalg.qr(np.random.RandomState(1).randn(3, 3))[0]
    same = np.concatenate([X, X[:7]]) @ turn * 1e-3 + 5.0
    assert intrinsic_dimension(same, n_neighbors=5) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("d", [10, 300])
@pytest.mark.parametrize("m", [1, 2, 5])
def test_intrinsic_dimension_ignores_the_number_of_columns(m, d):
    rng = np.random.RandomState(0)
    sheet = rng.rand(1200, m) @ rng.randn(m, d)
    assert intrinsic_dimension(sheet, n_queries=400) == pytest.approx(m, rel=0.15)


def test_intrinsic_dimension_of_odd_data():
    assert intrinsic_dimension(np.eye(5)) == np.inf
    assert intrinsic_dimension([[0.0], [1.0], [3.0]]) > 0
    with pytest.raises(ValueError, match="three different rows"):
        intrinsic_dimension(np.ones((9, 2)))
    with pytest.raises(ValueError, match="n_neighbors"):
        intrinsic_dimension(np.eye(5), n_neighbors=1)


# --- odd arguments, each by what is promised -----------------------------------------------------


@pytest.mark.parametrize("case", range(12))
def test_sparse_scores_of_degenerate_clusters_equal_scikit_learn(case):
    rng = np.random.RandomState(case)
    n, k = 24 + case, 2 + case % 4
    codes = np.concatenate([np.arange(k), rng.randint(0, k, n - k)])
    centers = rng.randint(-3, 4, (k, 3)) * 4.0
    if case % 3 == 1:
        # some clusters have the same mean
        centers[: k - 1] = centers[0]
    noise = rng.randint(-1, 2, (n, 3)).astype(float)
    if case % 3 == 1:
        # each row twice, mirrored at the centre: means are exact
        codes, noise = np.repeat(codes, 2), np.stack([noise, -noise], axis=1).reshape(-1, 3)
    if case in (4, 10):
        centers[:] = centers[0]
    if case in (2, 8):
        noise[:] = 0.0
    X = centers[codes] + noise
    labels = codes * 3 + 1
    ours = evaluate_clustering(csr_matrix(X), labels)
    assert ours.davies_bouldin == pytest.approx(sk.davies_bouldin_score(X, labels), abs=1e-9)
    assert ours.calinski_harabasz == pytest.approx(sk.calinski_harabasz_score(X, labels), abs=1e-9)
    assert ours.silhouette == pytest.approx(sk.silhouette_score(X, labels), abs=1e-9)


def test_result_supplies_centroids_and_metric(data):
    X, truth = data
    X = X + 3
    C = np.random.RandomState(3).rand(3, 3)
    for names in (("labels", "centroids"), ("labels_", "cluster_centers_")):
        result = SimpleNamespace(**dict(zip(names, (truth, C), strict=True)))
        assert evaluate_clustering(X, result).inertia == pytest.approx(((X - C[truth]) ** 2).sum())
        result.metric = "cosine"
        cosine = evaluate_clustering(X, truth, centroids=C, metric="cosine")
        assert evaluate_clustering(X, result).inertia == pytest.approx(cosine.inertia)
        assert tuple(evaluate_clustering(X, result)) == pytest.approx(tuple(cosine))
        # arguments override the result
        plain = evaluate_clustering(X, truth, centroids=C + 1)
        said = evaluate_clustering(X, result, centroids=C + 1, metric="euclidean")
        assert said.inertia == pytest.approx(plain.inertia)
        # an unknown metric of an estimator is ignored
        result.metric = "manhattan"
        assert evaluate_clustering(X, result).silhouette == pytest.approx(plain.silhouette)
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    means = np.array([unit[truth == c].mean(axis=0) for c in range(3)])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    expected = ((unit - means[truth]) ** 2).sum()
    assert evaluate_clustering(X, truth, metric="cosine").inertia == pytest.approx(expected)


def test_inertia_gap_to_zero_inertia():
    X = np.array([[0.0], [0.0], [1.0], [1.0], [5.0]])
    perfect, poor = [0, 0, 1, 1, 2], [0, 0, 0, 1, 1]
    assert evaluate_clustering(X, perfect, reference=perfect).inertia_gap == 0.0
    assert evaluate_clustering(X, poor, reference=perfect).inertia_gap == np.inf
    assert evaluate_clustering(X, perfect, reference=poor).inertia_gap == -1.0


def test_reference_may_leave_points_out(data):
    X, truth = data
    labels = np.where(np.arange(240) % 5 == 0, (truth + 1) % 3, truth)
    labels[:20] = -1
    reference = truth.copy()
    reference[10:40] = -1
    both = np.arange(40, 240)
    scores = evaluate_clustering(X, labels, reference=reference)
    part = evaluate_clustering(X[both], labels[both], reference=reference[both])
    assert scores.n_points == 220 and scores.n_outliers == 20
    for name in ("adjusted_rand", "normalized_mutual_info", "inertia_gap"):
        assert getattr(scores, name) == pytest.approx(getattr(part, name)), name
    with pytest.raises(ValueError, match="reference must be 0 or higher"):
        evaluate_clustering(X, labels, reference=np.where(labels < 0, 0, -1))


@pytest.mark.parametrize(
    "labels",
    [
        np.array([b"b", b"a", b"b", b"c"]),
        np.array(["b", "a", "b", "c"], dtype=object),
        ["b", "a", "b", "c"],
        np.array([1.0, 0.0, 1.0, 2.0]),
        np.array([1, 0, 1, 2], dtype=np.uint8),
        SimpleNamespace(labels=[1, 0, 1, 2]),
        SimpleNamespace(labels_=[1, 0, 1, 2]),
    ],
)
def test_check_labels_accepts(labels):
    found = metrics.check_labels(labels, "labels", 4)
    assert found.dtype == np.int64 and found.tolist() == [1, 0, 1, 2]


def test_check_labels_refuses():
    assert metrics.check_labels([True, False], "labels").tolist() == [1, 0]
    with pytest.raises(TypeError, match="labels must be integers; got dtype complex"):
        metrics.check_labels([1j, 0], "labels")
    with pytest.raises(TypeError, match="labels must be integers; got dtype datetime"):
        metrics.check_labels(np.array(["2020-01-01"], dtype="M8[D]"), "labels")
    with pytest.raises(ValueError, match="whole numbers"):
        metrics.check_labels([0.0, np.inf, np.nan], "labels")


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([0] * 6, "^1 cluster of 6 points"),
        ([0, 1, 2, 3, 4, 5], "^6 clusters of 6 points"),
        ([-1, -1, -1, -1, 2, -1], "^1 cluster of 1 point"),
    ],
)
def test_undefined_scores_warn_at_the_call(labels, words):
    X = np.random.RandomState(0).rand(6, 2)
    with pytest.warns(AnnlabWarning, match=words) as caught:
        scores = evaluate_clustering(X, labels, reference=[0, 0, 0, 1, 1, 1])
    assert caught[0].filename == __file__
    assert np.isnan([*scores, scores.calinski_harabasz]).all()
    assert np.isfinite([scores.inertia, scores.adjusted_rand]).all()
    assert scores.n_silhouette == scores.n_points == 6 - scores.n_outliers
    # from 2 clusters to one less than the points
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isfinite([*evaluate_clustering(X, [0, 1, 2, 3, 4, 4])]).all()
        assert np.isfinite([*evaluate_clustering(X, [0, 0, 0, 0, 0, 1])]).all()


def test_inertia_refuses_labels_without_centroid():
    X = np.eye(3)
    assert inertia(X, [2, 2, 2], np.zeros((3, 3))) == 3.0
    with pytest.raises(ValueError, match=r"number of centroids \(3\); got a maximum of 3"):
        inertia(X, [0, 1, 3], np.zeros((3, 3)))
    with pytest.raises(ValueError, match="centroids must be an array with 3 columns"):
        inertia(X, [0, 1, 1], np.eye(2))
    assert inertia(X, [-1, -1, -1], np.zeros((3, 3))) == 0.0
    assert inertia(3 * X, [0, 1, 2], 7 * X, metric="cosine") == pytest.approx(0.0)
    with pytest.raises(ValueError, match="metric must be one of"):
        inertia(X, [0, 1, 2], X, metric="manhattan")


# --- recall, agreement and purity, written out ---------------------------------------------------


@pytest.mark.parametrize("case", range(6))
def test_recall_equals_a_plain_count(case):
    rng = np.random.RandomState(case)
    nq, wide, m = rng.randint(1, 5), rng.randint(2, 7), rng.randint(1, 4)
    m = min(m, wide)
    # few values, so many ties; and rows that are named several times
    truth = rng.randint(1, 4, (nq, wide)).astype(float)
    distances = rng.randint(1, 5, (nq, wide)).astype(float)
    indices = rng.randint(0, 9, (nq, wide))
    # a row has one distance
    distances = 1.0 + indices % 4
    plain, paired = 0, 0
    for q in range(nq):
        limit = sorted(truth[q])[m - 1]
        nearest = sorted(range(wide), key=lambda j: (distances[q, j], j))[:m]
        good = [j for j in nearest if distances[q, j] <= limit]
        plain += len(good)
        paired += len({indices[q, j] for j in good})
    assert recall_at_k(distances, truth, m) == pytest.approx(plain / (nq * m))
    assert recall_at_k((distances, indices), truth, m) == pytest.approx(paired / (nq * m))


def test_recall_tolerance():
    truth = np.array([[8.0]])
    assert recall_at_k(truth * (1 + 0.9e-6), truth) == 1.0
    assert recall_at_k(truth * (1 + 1.1e-6), truth) == 0.0
    assert recall_at_k(truth * (1 + 1e-9), truth, tolerance=0) == 0.0
    with pytest.raises(ValueError, match="tolerance"):
        recall_at_k(truth, truth, tolerance=-1e-6)


@pytest.mark.parametrize(
    ("found", "truth", "m", "words"),
    [
        (np.ones((2, 3)), np.ones((3, 3)), None, "truth must be an array of shape (2, 3)"),
        (np.ones((2, 3)), np.ones((2, 2)), None, "truth must be an array of shape (2, 3)"),
        (np.ones((2, 3)), np.ones((2, 4)), 4, "found must be an array of shape (2, 4)"),
        (np.ones((2, 3)), np.ones((2, 3)), 0, "n_neighbors must be"),
        (np.ones(3), np.ones((1, 3)), None, "found must be an array of shape (nq, m)"),
        (np.ones((0, 3)), np.ones((0, 3)), None, "found must be an array of shape (nq, m)"),
        (np.array([[1.0, np.nan]]), np.ones((1, 2)), None, "found must be free of NaN"),
        (
            (np.ones((1, 2)), np.ones((1, 3), int)),
            np.ones((1, 2)),
            None,
            "found must be two arrays of the same shape",
        ),
    ],
)
def test_recall_refuses_unequal_answers(found, truth, m, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        recall_at_k(found, truth, m)


@pytest.mark.parametrize("case", range(8))
def test_agreement_and_purity_equal_plain_counts(case):
    rng = np.random.RandomState(case)
    ours, theirs = rng.randint(-1, 4, 25), rng.randint(-1, 3 + case % 3, 25)
    pairs = [(a, b) for a, b in zip(ours, theirs, strict=True) if a >= 0 and b >= 0]
    assert label_agreement(ours, theirs) == np.mean([a == b for a, b in pairs])
    best = max(
        sum(names[a] == b for a, b in pairs) for names in itertools.permutations(range(6), 4)
    )
    assert label_agreement(ours, theirs, match=True) == pytest.approx(best / len(pairs))
    largest = [max(Counter(b for a, b in pairs if a == c).values(), default=0) for c in range(4)]
    assert purity(ours, theirs) == pytest.approx(sum(largest) / len(pairs))


def test_agreement_without_common_points_is_nan():
    for function in (label_agreement, purity):
        assert np.isnan(function([-1, 0], [0, -1]))
        assert function([0, -1], [0, -1]) == 1.0
        with pytest.raises(ValueError, match=r"reference must be an array of shape \(2,\)"):
            function([0, 1], [0, 1, 1])


# --- distances, block by block -------------------------------------------------------------------


def contrast_written_out(Q, X, metric, own=None):
    values = []
    for q, row in enumerate(cdist(Q, X, metric)):
        others = np.delete(row, own[q]) if own is not None else row
        values.append((others.max() - others.min()) / others.min())
    return np.median(values)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_contrast_is_computed_in_blocks(metric, blocks):
    X = np.random.RandomState(0).rand(2100, 3) + 0.1
    expected = contrast_written_out(X, X, metric, np.arange(2100))
    assert distance_contrast(X, n_queries=5000, metric=metric) == pytest.approx(expected, rel=1e-6)
    # 32 MB of distances at once
    assert len(blocks) == 2 and (1 << 21) < max(size for size, _ in blocks) <= 1 << 22
    Q = np.random.RandomState(1).rand(7, 3)
    expected = contrast_written_out(Q, X, metric)
    assert distance_contrast(X, Q, metric=metric) == pytest.approx(expected, rel=1e-6)


def test_contrast_of_drawn_rows():
    X = np.random.RandomState(0).rand(500, 3)
    each = [contrast_written_out(X[i : i + 1], X, "euclidean", [i]) for i in range(500)]
    assert np.isclose(distance_contrast(X, n_queries=1, random_state=3), each).any()
    assert distance_contrast(np.ones((4, 2))) == np.inf
    for options, words in (
        ({"n_queries": 0}, "n_queries must be"),
        ({"Q": np.ones((2, 2))}, "Q must be"),
        ({"metric": "manhattan"}, "metric must be one of"),
    ):
        with pytest.raises(ValueError, match=words):
            distance_contrast(X, **options)


def dimension_written_out(X, n_neighbors):
    logarithms = []
    for row in X:
        far = sorted(np.linalg.norm(X - row, axis=1))[1 : n_neighbors + 1]
        logarithms += [np.log(far[-1] / one) for one in far[:-1] if far[0] > 0]
    return 1 / np.mean(logarithms)


@pytest.mark.parametrize(("n", "n_neighbors"), [(40, 2), (40, 10), (11, 10), (10, 10), (5, 10)])
def test_intrinsic_dimension_of_few_rows(n, n_neighbors):
    X = np.random.RandomState(n).rand(n, 3)
    expected = dimension_written_out(X, min(n_neighbors, n - 1))
    assert intrinsic_dimension(X, n_neighbors=n_neighbors) == pytest.approx(expected)


def test_intrinsic_dimension_skips_underflowing_distances():
    X = np.array([[0.0], [1e-200], [1.0], [3.0], [7.0]])
    centred = X - X.mean()
    expected = dimension_written_out(centred, 3)
    assert intrinsic_dimension(X, n_neighbors=3) == pytest.approx(expected)
    with pytest.raises(ValueError, match="X must be at least 1e-150 in magnitude"):
        intrinsic_dimension([[0.0], [1e-200], [2e-200]])


@pytest.mark.parametrize(("n", "largest"), [(10, 4), (11, 5), (12, 5)])
def test_trustworthiness_equals_scikit_learn(n, largest):
    from sklearn.manifold import trustworthiness as reference

    X = np.random.RandomState(n).rand(n, 3)
    picture = X[:, :2]
    for m in (1, largest):
        for metric in ("euclidean", "cosine"):
            ours = trustworthiness(X, picture, n_neighbors=m, metric=metric)
            assert ours == reference(X, picture, n_neighbors=m, metric=metric)
    assert trustworthiness(csr_matrix(X), picture, n_neighbors=1) == pytest.approx(
        reference(X, picture, n_neighbors=1)
    )
    with pytest.raises(ValueError, match="n_neighbors must be"):
        trustworthiness(X, picture, n_neighbors=largest + 1)
    with pytest.raises(ValueError, match=f"embedding must be an array of {n} rows"):
        trustworthiness(X, picture[:5])


def test_trustworthiness_of_many_points_is_that_of_a_sample(monkeypatch):
    monkeypatch.setattr("annlab.metrics.projection.TRUSTWORTHINESS_ALL", 50)
    X = np.random.RandomState(0).rand(120, 6)
    with pytest.warns(AnnlabWarning, match="50 random points"):
        assert 0 < trustworthiness(X, X[:, :2]) < 1


@pytest.mark.parametrize("offset", [1e4, 1e6])
def test_scores_ignore_an_offset(offset):
    data = make_blobs(300, n_clusters=4, random_state=0)
    moved = data.X.astype(np.float32) + np.float32(offset)
    # float32 has rounded the values: the same ones without the offset
    back = moved.astype(np.float64) - offset
    scores = evaluate_clustering(moved, data.labels, random_state=0)
    expected = evaluate_clustering(back, data.labels, random_state=0)
    for name in ("silhouette", "davies_bouldin", "calinski_harabasz", "inertia"):
        assert getattr(scores, name) == pytest.approx(getattr(expected, name), rel=1e-5), name

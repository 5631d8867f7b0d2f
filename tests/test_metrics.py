"""Measures against scikit-learn, against sums written out, and against laws."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn import metrics as sk

from annlab import kmeans
from annlab._messages import AnnlabWarning
from annlab.metrics import (
    ClusteringScores,
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


def test_scores_are_those_of_scikit_learn(data):
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


def test_unpacks_as_the_deck_does(data):
    X, truth = data
    scores = evaluate_clustering(X, truth)
    silhouette, davies_bouldin = scores
    assert len(scores) == 2
    assert (scores[0], scores[1]) == (silhouette, davies_bouldin)
    assert f"{scores[0]:.4f}" == f"{scores.silhouette:.4f}"
    assert scores.adjusted_rand is None
    assert scores.inertia_gap is None


def test_sparse_rows_give_the_scores_of_dense_ones(data):
    X, truth = data
    X = np.where(np.abs(X) < 0.8, 0.0, X)
    dense, sparse = evaluate_clustering(X, truth), evaluate_clustering(csr_matrix(X), truth)
    for name in ("silhouette", "davies_bouldin", "calinski_harabasz", "inertia"):
        assert getattr(sparse, name) == pytest.approx(getattr(dense, name), rel=1e-9), name


def test_sparse_degenerate_clusters_follow_scikit_learn():
    X = np.repeat(np.array([[0.0, 1.0], [2.0, 0.0]]), 3, axis=0)
    labels = np.repeat([0, 1], 3)
    sparse, dense = evaluate_clustering(csr_matrix(X), labels), evaluate_clustering(X, labels)
    assert tuple(sparse) == tuple(dense) == (1.0, 0.0)
    assert sparse.calinski_harabasz == dense.calinski_harabasz


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


def test_labels_need_not_be_consecutive(data):
    X, truth = data
    odd = np.array([7, 100, 3])[truth]
    assert tuple(evaluate_clustering(X, odd)) == pytest.approx(tuple(evaluate_clustering(X, truth)))


def test_inertia_gap_compares_the_centroids_of_both_results(data):
    X, _ = data
    good = kmeans(X, 3, random_state=0)
    poor = kmeans(X, 3, init=X[:3], max_iter=1)
    scores = evaluate_clustering(X, poor, reference=good)
    assert scores.inertia == pytest.approx(poor.inertia)
    assert scores.inertia_gap == pytest.approx(poor.inertia / good.inertia - 1)
    assert evaluate_clustering(X, good, reference=good).inertia_gap == 0


def test_without_centroids_the_means_serve(data):
    X, truth = data
    expected = sum(((X[truth == c] - X[truth == c].mean(axis=0)) ** 2).sum() for c in range(3))
    assert evaluate_clustering(X, truth).inertia == pytest.approx(expected)
    given = evaluate_clustering(X, truth, centroids=np.zeros((3, 3)))
    assert given.inertia == pytest.approx((X**2).sum())


def test_a_fitted_estimator_is_a_reference(data):
    X, truth = data
    estimator = SimpleNamespace(labels_=truth, cluster_centers_=np.zeros((3, 3)))
    scores = evaluate_clustering(X, truth, reference=estimator)
    assert scores.inertia_gap == pytest.approx(scores.inertia / (X**2).sum() - 1)


def test_cosine_scores_unit_rows(data):
    X, truth = data
    X = X + 3
    scaled = X * np.random.RandomState(1).uniform(0.5, 9, size=(240, 1))
    ours = evaluate_clustering(scaled, truth, metric="cosine")
    assert ours.silhouette == pytest.approx(sk.silhouette_score(X, truth, metric="cosine"))
    result = kmeans(scaled, 3, metric="cosine", random_state=0)
    assert evaluate_clustering(scaled, result).inertia == pytest.approx(result.inertia)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("sparse", [False, True])
def test_silhouette_of_some_rows_is_scikit_learns(data, metric, sparse):
    X, truth = data
    truth = truth.copy()
    truth[17] = 3
    rows = np.array([17, 3, 200, 11])
    X = X / np.linalg.norm(X, axis=1, keepdims=True)
    ours = silhouette_of_rows(csr_matrix(X) if sparse else X, truth, rows, 4, metric=metric)
    assert ours == pytest.approx(sk.silhouette_samples(X, truth, metric=metric)[rows], abs=1e-6)
    assert ours[0] == 0


def test_large_data_are_sampled_and_say_so():
    rng = np.random.RandomState(0)
    X = rng.rand(10_050, 2).astype(np.float32)
    labels = kmeans(X, 200, max_iter=2, init="random", random_state=0).labels
    scores = evaluate_clustering(X, labels, sample_size=600)
    exact = sk.silhouette_score(X, labels)
    assert scores.n_silhouette == 600
    assert "600 points sampled" in repr(scores)
    assert 0 < scores.silhouette_error < 0.03
    assert abs(scores.silhouette - exact) < 4 * scores.silhouette_error
    again = evaluate_clustering(X, labels, sample_size=600, random_state=1)
    assert again.silhouette != scores.silhouette
    assert evaluate_clustering(X, labels, sample_size=600).silhouette == scores.silhouette


def test_past_ten_thousand_points_sampling_is_the_default(monkeypatch):
    monkeypatch.setattr("annlab.metrics._SILHOUETTE_PAIRS", 1)
    X = np.random.RandomState(0).rand(10_001, 2)
    labels = (X[:, 0] > 0.5).astype(int)
    assert evaluate_clustering(X, labels).n_silhouette == 500
    assert evaluate_clustering(X[:10_000], labels[:10_000]).n_silhouette == 10_000


@pytest.mark.parametrize("labels", [[0] * 6, [0, 1, 2, 3, 4, 5], [-1, -1, -1, -1, 2, -1]])
def test_undefined_scores_are_nan_with_a_warning(labels):
    X = np.random.RandomState(0).rand(6, 2)
    with pytest.warns(AnnlabWarning, match="NaN"):
        scores = evaluate_clustering(X, labels, reference=[0, 0, 0, 1, 1, 1])
    assert np.isnan(scores.silhouette)
    assert np.isnan(scores.davies_bouldin)
    assert np.isfinite(scores.inertia)
    assert np.isfinite(scores.adjusted_rand)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1], r"labels must be an array of shape \(3,\)"),
        ([[0], [1], [1]], "labels must be a 1-D array"),
        ([0.5, 1, 1], "labels must be whole numbers"),
        ([0, np.nan, 1], "labels must be whole numbers"),
        ([-1, -1, -1], "labels must be 0 or higher"),
        ([0, "a", None], "labels must be integers, or names"),
    ],
)
def test_bad_labels_are_named(labels, message):
    with pytest.raises((TypeError, ValueError), match=message):
        evaluate_clustering(np.eye(3), np.array(labels, dtype=object if None in labels else None))


def test_bad_metric_and_bad_reference():
    with pytest.raises(ValueError, match="metric must be one of"):
        evaluate_clustering(np.eye(3), [0, 0, 1], metric="manhattan")
    with pytest.raises(ValueError, match="reference must be"):
        evaluate_clustering(np.eye(3), [0, 0, 1], reference=[0, 1])


def test_nothing_is_written_to_the_callers_arrays(data):
    X, truth = data
    labels = truth.copy()
    labels[0] = -1
    X.setflags(write=False)
    labels.setflags(write=False)
    assert isinstance(evaluate_clustering(X, labels, reference=truth), ClusteringScores)


# --- inertia -------------------------------------------------------------------------------------


def test_inertia_is_the_sum_written_out(data):
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


def test_inertia_takes_labels_as_they_are():
    assert inertia(np.array([[0.0], [9.0]]), [1, 0], np.array([[0.0], [9.0]])) == 162.0


def test_inertia_refuses_a_label_without_a_centroid():
    with pytest.raises(ValueError, match=r"labels must be below the number of centroids \(2\)"):
        inertia(np.eye(3), [0, 1, 2], np.eye(3)[:2])
    with pytest.raises(ValueError, match="centroids must be an array with 3 columns"):
        inertia(np.eye(3), [0, 1, 1], np.eye(2))


# --- recall --------------------------------------------------------------------------------------


def test_recall_counts_by_distance_so_ties_are_right():
    truth = np.array([[1.0, 2.0, 2.0, 2.0]])
    found = (np.array([[1.0, 2.0]]), np.array([[4, 9]]))
    assert recall_at_k(found, truth) == 1.0
    assert recall_at_k(np.array([[1.0, 2.1]]), truth) == 0.5


def test_recall_without_ties_is_the_share_of_common_indices():
    rng = np.random.RandomState(0)
    X, Q = rng.rand(300, 4), rng.rand(20, 4)
    D = sk.pairwise_distances(Q, X)
    true = np.argsort(D, axis=1)[:, :10]
    found = np.array([rng.permutation(np.argsort(row)[:15])[:10] for row in D])
    expected = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(true, found, strict=True)])
    rows = np.arange(20)[:, None]
    assert recall_at_k((D[rows, found], found), (D[rows, true], true)) == pytest.approx(expected)


def test_a_row_that_is_named_twice_counts_once():
    truth = np.array([[1.0, 2.0, 3.0]])
    found = np.array([[1.0, 1.0, 2.0]])
    assert recall_at_k(found, truth) == 1.0
    assert recall_at_k((found, np.array([[5, 5, 6]])), truth) == pytest.approx(2 / 3)


def test_recall_at_fewer_neighbours_than_were_asked_for():
    truth = np.array([[1.0, 2.0, 3.0]])
    assert recall_at_k(np.array([[1.0, 9.0, 2.5]]), truth, 1) == 1.0
    assert recall_at_k(np.array([[1.0, 9.0, 2.5]]), truth, 2) == 0.5


def test_recall_bears_the_rounding_of_another_library():
    exact = np.full((1, 1), 0.1)
    assert recall_at_k(exact * (1 + 1e-8), exact) == 1.0
    assert recall_at_k(exact * (1 + 1e-3), exact) == 0.0
    assert recall_at_k(exact * (1 + 1e-3), exact, tolerance=1e-2) == 1.0


def test_recall_refuses_bare_indices_and_short_truth():
    with pytest.raises(TypeError, match="Indices alone"):
        recall_at_k(np.array([[1, 2]]), np.array([[1.0, 2.0]]))
    with pytest.raises(ValueError, match="truth must be an array of shape"):
        recall_at_k(np.array([[1.0, 2.0]]), np.array([[1.0]]))


# --- agreement, purity ---------------------------------------------------------------------------


def test_agreement_with_and_without_matching():
    a = np.array([0, 0, 1, 1, 2, -1])
    b = np.array([2, 2, 0, 1, 1, 0])
    assert label_agreement(a, a) == 1.0
    assert label_agreement(a, b) == pytest.approx(1 / 5)
    assert label_agreement(a, b, match=True) == pytest.approx(4 / 5)
    assert np.isnan(label_agreement([-1], [0]))


def test_matching_undoes_any_renumbering():
    rng = np.random.RandomState(0)
    labels = rng.randint(9, size=500)
    assert label_agreement(rng.permutation(9)[labels], labels, match=True) == 1.0


def test_purity_is_the_largest_share_of_each_cluster():
    assert purity([0, 0, 0, 1, 1, -1], list("aabccz")) == pytest.approx(4 / 5)
    assert purity([0, 1, 2], [5, 5, 5]) == 1.0


# --- distances and pictures ----------------------------------------------------------------------


def test_contrast_is_the_formula_of_beyer():
    X = np.array([[0.0], [1.0], [4.0]])
    assert distance_contrast(X, np.array([[-1.0]])) == pytest.approx((5 - 1) / 1)
    # each row against the other two: (4 - 1) / 1, (3 - 1) / 1, (4 - 3) / 3
    assert distance_contrast(X, n_queries=3) == pytest.approx(2.0)
    assert distance_contrast(X, np.array([[1.0]])) == np.inf


def test_contrast_falls_with_the_dimension():
    rng = np.random.RandomState(0)
    values = [distance_contrast(rng.rand(400, d)) for d in (2, 10, 100, 1000)]
    assert values == sorted(values, reverse=True)
    assert values[-1] < 0.3


def test_intrinsic_dimension_is_its_formula():
    X = np.random.RandomState(0).rand(40, 3)
    logarithms = []
    for row in X:
        far = sorted(np.linalg.norm(X - row, axis=1))[1:6]
        logarithms += [np.log(far[-1] / one) for one in far[:-1]]
    expected = 1 / np.mean(logarithms)
    assert intrinsic_dimension(X, n_neighbors=5) == pytest.approx(expected)
    # equal rows count once, and neither shift, scale nor a turn of the axes changes a dimension
    turn = np.linalg.qr(np.random.RandomState(1).randn(3, 3))[0]
    same = np.concatenate([X, X[:7]]) @ turn * 1e-3 + 5.0
    assert intrinsic_dimension(same, n_neighbors=5) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("d", [10, 300])
@pytest.mark.parametrize("m", [1, 2, 5])
def test_intrinsic_dimension_follows_the_data_and_not_its_columns(m, d):
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


def test_trustworthiness_is_scikit_learns(monkeypatch):
    from sklearn.manifold import trustworthiness as reference

    rng = np.random.RandomState(0)
    X = rng.rand(120, 6)
    assert trustworthiness(X, X[:, :2]) == reference(X, X[:, :2])
    monkeypatch.setattr("annlab.metrics.TRUSTWORTHINESS_ALL", 50)
    with pytest.warns(AnnlabWarning, match="50 points"):
        assert 0 < trustworthiness(X, X[:, :2]) < 1
    with pytest.raises(ValueError, match="embedding must be an array of 120 rows"):
        trustworthiness(X, X[:5, :2])

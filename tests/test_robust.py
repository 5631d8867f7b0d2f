"""Robust k-means: outliers get no cluster and no say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from annlab import kmeans, robust_kmeans_ann
from annlab.robust import outlier_limit

#: A centre counts as found when a centroid lies this close to it; the blobs' deviation is 0.5.
FOUND = 0.3


def blobs_with_gross_outliers(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.RandomState(seed)
    centres = np.array([[-8.0, -8.0], [8.0, -8.0], [0.0, 0.0], [-8.0, 8.0], [8.0, 8.0]])
    blobs = np.concatenate([c + 0.5 * rng.randn(180, 2) for c in centres])
    outliers = rng.uniform(-100, 100, (100, 2))
    return np.concatenate([blobs, outliers]), centres


def worst_miss(centres: np.ndarray, centroids: np.ndarray) -> float:
    """Largest distance between a true centre and the centroid matched to it one to one."""
    distances = cdist(centres, centroids)
    return distances[linear_sum_assignment(distances)].max()


@pytest.mark.parametrize("seed", range(8))
def test_true_centres_are_found_where_plain_kmeans_misses_them(seed):
    X, centres = blobs_with_gross_outliers(seed)
    robust = robust_kmeans_ann(X, 5, random_state=seed)
    plain = kmeans(X, 5, random_state=seed)
    assert worst_miss(centres, robust.centroids) < FOUND
    assert worst_miss(centres, plain.centroids) > FOUND
    gross = np.abs(X).max(axis=1) > 14
    assert robust.outlier_mask[gross].all()


def test_labels_mask_and_inertia_agree():
    X, _ = blobs_with_gross_outliers(3)
    result = robust_kmeans_ann(X, 5, random_state=0)
    assert ((result.labels == -1) == result.outlier_mask).all()
    kept = ~result.outlier_mask
    expected = sum(
        float(((x - result.centroids[label]) ** 2).sum())
        for x, label in zip(X[kept], result.labels[kept], strict=True)
    )
    assert result.inertia == pytest.approx(expected, rel=1e-12)


def test_an_outlier_that_the_start_drew_is_let_go():
    X, centres = blobs_with_gross_outliers(1)
    X = np.concatenate([X[:900], [[200.0, 200.0]]])
    start = np.concatenate([centres[:4], [[200.0, 200.0]]])
    result = robust_kmeans_ann(X, 5, init=start)
    assert result.labels[-1] == -1
    assert worst_miss(centres, result.centroids) < FOUND


def test_one_outlier_moves_nothing_at_all():
    X, centres = blobs_with_gross_outliers(2)
    X = np.concatenate([X[:900], [[50.0, 0.0]]])
    far = X.copy()
    far[-1] = [5e6, 0.0]
    near = robust_kmeans_ann(X, 5, init=centres)
    gone = robust_kmeans_ann(far, 5, init=centres)
    np.testing.assert_allclose(near.centroids, gone.centroids, rtol=0, atol=1e-6)


def test_trim_leaves_out_exactly_the_share_asked_for():
    X, centres = blobs_with_gross_outliers(4)
    result = robust_kmeans_ann(X, 5, trim=0.1, random_state=0)
    assert result.outlier_mask.sum() == 100
    assert worst_miss(centres, result.centroids) < FOUND
    assert not robust_kmeans_ann(X[:900], 5, trim=0.0, random_state=0).outlier_mask.any()


def test_weight_counts_as_repetition():
    X, centres = blobs_with_gross_outliers(5)
    weight = np.random.RandomState(0).randint(0, 4, len(X))
    weighted = robust_kmeans_ann(X, 5, init=centres, trim=0.1, sample_weight=weight, tol=0)
    repeated = robust_kmeans_ann(np.repeat(X, weight, axis=0), 5, init=centres, trim=0.1, tol=0)
    np.testing.assert_allclose(weighted.centroids, repeated.centroids, atol=0.02)


def test_outlier_limit_by_hand_and_its_breakdown_point():
    distances = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    # median 3, absolute deviations 2 1 0 1 2, so their median is 1
    assert outlier_limit(distances, 2.0) == pytest.approx(3 + 2 * 1.4826)
    spoiled = np.concatenate([np.full(51, 1.0) + np.arange(51) / 50, np.full(49, 1e9)])
    assert outlier_limit(spoiled, 2.0) < 10


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"outlier_threshold": 0.0}, "outlier_threshold"),
        ({"outlier_threshold": np.nan}, "outlier_threshold"),
        ({"trim": 1.0}, "trim"),
        ({"trim": -0.1}, "trim"),
    ],
)
def test_bad_parameters_are_named(options, name):
    with pytest.raises(ValueError, match=name):
        robust_kmeans_ann(np.eye(4), 2, **options)

"""Robust k-means: outliers get no cluster and no influence."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment
from scipy.sparse import random as sparse_random
from scipy.spatial.distance import cdist
from scipy.stats import median_abs_deviation

from annlab import kmeans, robust_kmeans_ann
from annlab._support.threads import Workers
from annlab.fit.lloyd import Lloyd
from annlab.fit.searches import Exact
from annlab.fit.states import Limits, State
from annlab.robust import RobustVariant, Trimmed, outlier_limit
from annlab.rows.memory import MemoryRows
from annlab.rows.tally import Labelled

#: A centre counts as found when a centroid is this close to it; the blobs' deviation is 0.5.
FOUND = 0.3


def blobs_with_gross_outliers(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.RandomState(seed)
    centres = np.array([[-8.0, -8.0], [8.0, -8.0], [0.0, 0.0], [-8.0, 8.0], [8.0, 8.0]])
    blobs = np.concatenate([c + 0.5 * rng.randn(180, 2) for c in centres])
    outliers = rng.uniform(-100, 100, (100, 2))
    return np.concatenate([blobs, outliers]), centres


def worst_miss(centres: np.ndarray, centroids: np.ndarray) -> float:
    """Return the largest distance between true centres and matched centroids."""
    distances = cdist(centres, centroids)
    return distances[linear_sum_assignment(distances)].max()


@pytest.mark.parametrize("seed", range(8))
def test_robust_fit_finds_centres_among_outliers(seed):
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


def test_outlier_drawn_by_the_start_is_released():
    X, centres = blobs_with_gross_outliers(1)
    X = np.concatenate([X[:900], [[200.0, 200.0]]])
    start = np.concatenate([centres[:4], [[200.0, 200.0]]])
    result = robust_kmeans_ann(X, 5, init=start)
    assert result.labels[-1] == -1
    assert worst_miss(centres, result.centroids) < FOUND


def test_trim_leaves_out_the_exact_share():
    X, centres = blobs_with_gross_outliers(4)
    result = robust_kmeans_ann(X, 5, trim=0.1, random_state=0)
    assert result.outlier_mask.sum() == 100
    assert worst_miss(centres, result.centroids) < FOUND
    assert not robust_kmeans_ann(X[:900], 5, trim=0.0, random_state=0).outlier_mask.any()


def test_outlier_limit():
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


# -- one assignment, by its rules ------------------------------------------------------------------


def trimmed(points, threshold=2.0, trim=None, search=Exact):
    inner = Lloyd("brute", search(), search(), Limits(9, 0.0, 0.0))
    return Trimmed(inner, threshold, trim, points)


def assigned(X, centroids, weights=None, threshold=2.0, trim=None, search=Exact):
    """Return the robust algorithm's assignment of points to centroids."""
    with Workers(1) as workers:
        points = MemoryRows(X, sample_weight=weights, workers=workers)
        state = State(points.inward(centroids))
        return trimmed(points, threshold, trim, search).assign(points, state)


def without_itself(X, labels, weights, centroids):
    """Distance of each point to the mean of the others of its cluster, written out.

    A point that has no others belongs to the nearest of the other centroids.
    """
    answer = []
    for i, (x, label) in enumerate(zip(X, labels, strict=True)):
        others = [j for j in range(len(X)) if labels[j] == label and j != i and weights[j] > 0]
        if others:
            mean = np.average(X[others], axis=0, weights=weights[others])
            answer.append(np.linalg.norm(x - mean))
        else:
            rest = [c for j, c in enumerate(centroids) if j != label]
            answer.append(min(np.linalg.norm(x - c) for c in rest))
    return np.array(answer)


@pytest.fixture
def weighted_groups():
    """Points, weights, labels and the means of the labels; two points are alone."""
    rng = np.random.RandomState(7)
    # two points would be equally far from each other, three are not
    labels = np.repeat([0, 1, 2, 3, 4], [30, 25, 3, 1, 1])
    centres = np.array([[0.0, 0, 0], [20, 0, 0], [0, 20, 0], [9, 9, 9], [9, 9, -30]])
    X = centres[labels] + rng.randn(len(labels), 3) * rng.uniform(0.1, 2, (len(labels), 1))
    weights = rng.randint(1, 9, len(labels)) / 2
    means = np.array([np.average(X[labels == c], axis=0, weights=weights[labels == c])
                      for c in range(5)])  # fmt: skip
    return X, weights, labels, means


@pytest.mark.parametrize("scale", [1.0, 1e-13, 1e13])
@pytest.mark.parametrize("threshold", [0.3, 1.0, 2.0, 5.0])
def test_points_are_measured_without_themselves(weighted_groups, threshold, scale):
    X, weights, labels, means = weighted_groups
    found = assigned(X, means, weights * scale, threshold)
    np.testing.assert_array_equal(found.labels, labels)
    distances = without_itself(X, labels, weights, means)
    # the rule in the words of its source, through SciPy
    limit = np.median(distances) + threshold * median_abs_deviation(distances, scale="normal")
    expected = distances > limit
    assert 0 < expected.sum() < len(X)
    np.testing.assert_array_equal(found.outliers, expected)
    kept_weights = np.where(expected, 0.0, weights * scale)
    np.testing.assert_allclose(found.weighted.sample_weight, kept_weights)
    own = ((X - means[labels]) ** 2).sum(axis=1)
    kept = ~expected
    assert found.tally.inertia == pytest.approx(scale * weights[kept] @ own[kept], rel=1e-9)


@pytest.mark.parametrize("size", [0, 1, 2, 3, 10, 40, 59])
def test_trimming_takes_the_farthest_points(weighted_groups, size):
    X, _, labels, means = weighted_groups
    ones = np.ones(len(X))
    means = np.array([X[labels == c].mean(axis=0) for c in range(5)])
    distances = without_itself(X, labels, ones, means)
    found = assigned(X, means, trim=size / len(X))
    assert sorted(np.flatnonzero(found.outliers)) == sorted(np.argsort(-distances)[:size])
    assert found.kind == "trim"
    # outliers do not count among the sums
    assert found.tally.totals.sum() == len(X) - size


@pytest.mark.parametrize("n", [7, 10, 29, 100, 1000])
def test_trimmed_share_is_rounded_down(n):
    X = np.random.RandomState(n).rand(n, 2)
    centre = X.mean(axis=0, keepdims=True)
    for size in {1, n // 3, 7 * n // 10, 29 * n // 100, n - 1}:
        # 0.29 · 100 is 28.999999999999996
        assert assigned(X, centre, trim=size / n).outliers.sum() == size
        # a fraction of a point does not count
        assert assigned(X, centre, trim=(size + 0.9) / n).outliers.sum() == size


def test_trimming_counts_weights(weighted_groups):
    X, weights, labels, means = weighted_groups
    distances = without_itself(X, labels, weights, means)
    for trim in (0.1, 0.4):
        gone, left = [], trim * weights.sum()
        for i in np.argsort(-distances):
            left -= weights[i]
            if left < -1e-9:
                break
            gone.append(i)
        for scale in (1.0, 1e-9, 1e9):
            found = assigned(X, means, weights * scale, trim=trim)
            assert sorted(np.flatnonzero(found.outliers)) == sorted(gone)


def test_trim_of_zero_keeps_all():
    X = np.array([[0.0], [1.0], [2.0], [99.0]])
    found = assigned(X, np.array([[1.0]]), np.array([1.0, 1.0, 1.0, 0.0]), trim=0.0)
    assert not found.outliers.any()


def test_limit_ignores_points_without_weight():
    rng = np.random.RandomState(0)
    X = np.concatenate([rng.randn(60, 2), 50 + rng.randn(200, 2)])
    weights = np.repeat([1.0, 0.0], [60, 200])
    centre = X[:60].mean(axis=0, keepdims=True)
    heavy = assigned(X, centre, weights)
    alone = assigned(X[:60], centre)
    np.testing.assert_array_equal(heavy.outliers[:60], alone.outliers)
    # they are far beyond it
    assert heavy.outliers[60:].all()
    assert heavy.tally.inertia == pytest.approx(alone.tally.inertia)


class _Given(Labelled):
    def find(self, rows, old):
        return super().find(rows, _Labels.given)


class _Labels:
    """A search whose labels are given, right or wrong, like those of a poor index."""

    exact = False
    given: np.ndarray

    def task(self, rows, centroids):
        return _Given(centroids=centroids)


def test_single_point_of_a_cluster_is_compared_with_others():
    # the last point sits beside centroid 1, but was given to centroid 2, alone
    X = np.array([[0.0, 0], [0.2, 0], [0.4, 0], [10, 0], [10.2, 0], [10.4, 0], [10.2, 0.1]])
    centroids = np.array([[0.2, 0.0], [10.2, 0.0], [300.0, 0.0]])
    _Labels.given = np.array([0, 0, 0, 1, 1, 1, 2], dtype=np.int32)
    assert not assigned(X, centroids, search=_Labels).outliers.any()
    # where it is far from all others, it is an outlier although its own centroid sits on it
    X[6] = centroids[2]
    assert assigned(X, centroids, search=_Labels).outliers.tolist() == [False] * 6 + [True]
    # in whatever order the centroids are
    X[6] = [10.2, 0.1]
    _Labels.given = np.array([1, 1, 1, 2, 2, 2, 0], dtype=np.int32)
    assert not assigned(X, centroids[[2, 0, 1]], search=_Labels).outliers.any()


def test_single_cluster_and_single_point():
    result = robust_kmeans_ann([[3.0, 4.0]], 1)
    assert result.labels.tolist() == [0] and result.inertia == 0
    two = robust_kmeans_ann([[0.0], [1.0], [9.0]], 1, sample_weight=[0, 0, 2])
    np.testing.assert_array_equal(two.centroids, [[9.0]])


# -- the start -------------------------------------------------------------------------------------


def seeds_of(X, n_clusters, threshold=2.0, weights=None, seed=0):
    """Return the weights with which a start is drawn, or None if all are equal."""
    with Workers(1) as workers:
        points = MemoryRows(X, sample_weight=weights, workers=workers)
        rng = np.random.RandomState(seed)
        found = RobustVariant(threshold, None).wrap(trimmed(points).inner, points, n_clusters, rng)
        if found.seeds is points:
            assert found.allowed is None
            return None
        assert found.seeds.sample_weight is found.allowed
        return found.allowed


@pytest.mark.parametrize(
    ("n", "n_clusters", "largest"),
    # a quarter of the mean cluster, from 2 to 16
    [(120, 20, 2), (1200, 33, 9), (1600, 3, 16)],
)
def test_small_groups_are_isolated(n, n_clusters, largest):
    rng = np.random.RandomState(0)
    bulk = rng.rand(n - largest, 2)
    for size, isolated in ((1, True), (largest, True), (largest + 1, False)):
        group = 40 + 1e-3 * rng.rand(size, 2)
        weights = seeds_of(np.concatenate([bulk[: n - size], group]), n_clusters)
        assert (weights[-size:] == 0).all() == isolated
        assert (weights[-size:] == 0).any() == isolated
        # hardly any of the others
        assert (weights[:-size] == 0).mean() < 0.15


def test_isolated_rows_equal_the_definition():
    rng = np.random.RandomState(1)
    X = np.concatenate([rng.randn(500, 3), rng.randn(500, 3) * 4])
    weights = rng.randint(1, 5, 1000) / 2
    # up to 2,048 rows the sample is all of them; 16 neighbours, and the row itself
    reach = np.sort(cdist(X, X), axis=1)[:, 16]
    for threshold in (2.0, 3.0, 6.0):
        limit = np.median(reach) + threshold * median_abs_deviation(reach, scale="normal")
        expected = np.where(reach > limit, 0.0, weights)
        assert 0 < (expected == 0).sum()
        found = seeds_of(X, 2, threshold, weights)
        # MAD_TO_SIGMA has five digits
        np.testing.assert_array_equal(found, expected)
    # a low threshold is about the distances to centroids, not a reason to start from the densest
    np.testing.assert_array_equal(seeds_of(X, 2, 0.1), seeds_of(X, 2, 2.0))


def test_start_uses_all_of_few_rows():
    rng = np.random.RandomState(0)
    X = np.concatenate([rng.rand(19, 2), [[99.0, 99.0]]])
    # two rows for each cluster say nothing about which is isolated
    for n_clusters in (10, 11, 19):
        assert seeds_of(X, n_clusters) is None
    assert seeds_of(X, 9)[-1] == 0
    # fewer than the clusters are left: then all serve
    weights = np.zeros(20)
    weights[[0, 1, 2, 19]] = 1.0
    assert seeds_of(X, 4, weights=weights) is None
    kept = seeds_of(X, 3, weights=weights)
    assert np.flatnonzero(kept).tolist() == [0, 1, 2]


# -- the tolerance, and the best of several starts -------------------------------------------------


def variance_of(X):
    with Workers(1) as workers:
        return RobustVariant(2.0, None).variance(MemoryRows(X, workers=workers))


@pytest.mark.parametrize("n", [1, 2, 101, 2048])
def test_variance_uses_median_deviation(n):
    X = np.random.RandomState(n).randn(n, 4) * [1, 2, 5, 0] + 3
    expected = np.mean(median_abs_deviation(X, axis=0, scale="normal") ** 2)
    assert variance_of(X) == pytest.approx(expected, rel=1e-5)


def test_variance_of_sparse_data():
    S = sparse_random(300, 20, 0.05, format="csr", random_state=0)
    assert variance_of(S) == pytest.approx(S.toarray().var(axis=0).mean())


@pytest.mark.parametrize("n", [1, 2, 3, 4, 50, 101])
def test_cost_sums_the_nearest_three_quarters(n):
    X = np.random.RandomState(n).randn(n, 2)
    centroids = np.array([[0.5, 0.0], [-0.5, 1.0]])
    with Workers(1) as workers:
        points = MemoryRows(X, workers=workers)
        cost = trimmed(points).cost(points, State(points.inward(centroids)))
    best = sorted(cdist(X, centroids, "sqeuclidean").min(axis=1))
    assert cost == pytest.approx(sum(best[: max(1, 3 * n // 4)]))


# -- what the signature says -----------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1.0, 1e-13, 1e13])
def test_cost_counts_weights(scale):
    rng = np.random.RandomState(0)
    X, weights = rng.randn(40, 2), rng.randint(0, 4, 40)
    weights[0] += -weights.sum() % 4
    # the worst ones have no weight, so they are ignored
    X[weights == 0] += 50
    centroids = np.array([[0.5, 0.0], [-0.5, 1.0]])
    costs = []
    for rows, w in ((X, weights * scale), (np.repeat(X, weights, axis=0), None)):
        with Workers(1) as workers:
            points = MemoryRows(rows, sample_weight=w, workers=workers)
            costs.append(trimmed(points).cost(points, State(points.inward(centroids))))
    assert costs[0] == pytest.approx(scale * costs[1])


def test_out_of_core_data_is_refused():
    X = np.random.RandomState(0).rand(300, 2)
    with pytest.raises(TypeError, match="in memory"):
        robust_kmeans_ann([X[:100], X[100:]], 3)


def test_checkpoint_depends_on_threshold_and_trim(tmp_path):
    X, _ = blobs_with_gross_outliers(0)
    path = tmp_path / "fit.npz"
    options = {"random_state": 0, "checkpoint": path}
    for other in ({"outlier_threshold": 2.5}, {"trim": 0.1}):
        path.unlink(missing_ok=True)
        robust_kmeans_ann(X, 5, callback=lambda step: True, **options)
        with pytest.raises(ValueError, match="checkpoint"):
            robust_kmeans_ann(X, 5, **options, **other)

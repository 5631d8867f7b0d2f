"""Numbers that lose digits: groups far apart, huge ratios of weights, tiny values."""

from __future__ import annotations

import numpy as np
import pytest

from annlab import KMeansANN, kmeans_ann
from annlab.datasets import make_blobs
from annlab.rows.survey import has_far_groups

ALGORITHMS = ("auto", "small_k", "brute", "graph")
#: Four places in two groups, 20,000 apart and 0.05 wide.
PAIRS = np.array([[side * 1e4, y] for side in (1, -1) for y in (0, 0.05)] * 20, dtype=np.float32)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_groups_far_apart_are_resolved(algorithm):
    result = kmeans_ann(PAIRS, 4, algorithm=algorithm, random_state=0)
    assert result.inertia == 0 and len(np.unique(result.labels)) == 4


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_float32_groups_are_clustered_as_in_float64(algorithm):
    rng = np.random.RandomState(0)
    regions = [rng.rand(300, 2) * 2e4, rng.rand(300, 2) * 2e4 + [1e6, 0]]
    towns = np.concatenate(regions).astype(np.float32)
    init = towns[rng.choice(600, 60, replace=False)]
    single = kmeans_ann(towns, 60, algorithm=algorithm, init=init, tol=0, random_state=0)
    double = kmeans_ann(
        towns.astype(np.float64), 60, algorithm="brute", init=init, tol=0, random_state=0
    )
    assert single.inertia <= 1.02 * double.inertia


def test_transform_resolves_near_centroids():
    model = KMeansANN(4, random_state=0).fit(PAIRS)
    distances = model.transform(model.cluster_centers_)
    assert np.all(np.diag(distances) == 0)
    np.testing.assert_allclose(distances[~np.eye(4, dtype=bool)].min(), 0.05, rtol=1e-3)


@pytest.mark.parametrize("d", [2, 10, 100])
def test_ordinary_data_stays_in_single_precision(d):
    blobs = make_blobs(400, n_clusters=5, n_features=d, random_state=0).X.astype(np.float64)
    uniform = np.random.RandomState(0).rand(400, d)
    repeated = np.repeat(np.eye(4, d), 100, axis=0)
    for rows in (blobs, uniform, repeated):
        assert not has_far_groups(rows - rows.mean(axis=0))


def test_empty_cluster_is_reseeded_by_weight_and_distance():
    X = np.array([[0.0], [4.0], [1000.0]])
    weights = np.array([1e8, 1e8, 1e-8])
    init = np.array([[1.0], [1e6]])
    result = kmeans_ann(X, 2, algorithm="brute", init=init, sample_weight=weights)
    # two heavy points apart; the light one joins the nearer
    assert result.inertia == pytest.approx(1e-8 * 996**2, rel=1e-6)


def test_values_whose_squares_vanish_are_refused():
    X = np.random.RandomState(0).rand(30, 2)
    with pytest.raises(ValueError, match="Multiply the data by a constant"):
        kmeans_ann(X * 1e-170, 3)
    assert kmeans_ann(X * 1e-140, 3, random_state=0).inertia > 0
    assert kmeans_ann(np.zeros((5, 2)), 1).inertia == 0


def test_interrupted_fit_keeps_its_attributes():
    X = make_blobs(400, n_clusters=8, random_state=0).X

    def press(step):
        if step.iteration == 3:
            raise KeyboardInterrupt

    model = KMeansANN(8, algorithm="brute", init="random", tol=0, random_state=1, callback=press)
    with pytest.warns(UserWarning, match="interrupted"), pytest.raises(KeyboardInterrupt):
        model.fit(X)
    assert model.n_iter_ == 3 and model.result_.stop_reason == "interrupted"
    assert np.array_equal(model.predict(model.cluster_centers_), np.arange(8))

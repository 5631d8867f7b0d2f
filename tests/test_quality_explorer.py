"""quality_explorer shows the scores of scikit-learn and what each would choose."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sk

from annlab import widgets
from annlab.datasets import make_blobs, make_moons


@pytest.fixture(scope="module")
def moons():
    return make_moons(120, random_state=0, dtype=np.float64)


def test_scores_are_those_of_scikit_learn_and_the_diamond_marks_the_best(moons):
    report = widgets.quality_explorer(*moons, max_clusters=5).result
    oracles = {
        "silhouette": lambda labels: sk.silhouette_score(moons.X, labels),
        "davies_bouldin": lambda labels: -sk.davies_bouldin_score(moons.X, labels),
        "adjusted_rand": lambda labels: sk.adjusted_rand_score(moons.labels, labels),
    }
    for score, oracle in oracles.items():
        values = {k: oracle(one.labels) for k, one in report.by_k.items()}
        assert report.best(score) == max(values, key=values.get)
        for k, value in values.items():
            assert abs(getattr(report.by_k[k].scores, score)) == pytest.approx(abs(value))
    inertias = [one.scores.inertia for one in report.by_k.values()]
    assert list(report.by_k) == [2, 3, 4, 5]
    assert report.total > inertias[0] and (np.diff(inertias) < 0).all()


def test_the_true_groups_are_scored_as_a_clustering(moons):
    explorer = widgets.quality_explorer(*moons, max_clusters=3).set(k=2)
    by_kmeans, before = explorer.text, explorer.png()
    explorer.set(shown="true groups")
    expected = sk.silhouette_score(moons.X, moons.labels)
    assert f"the 2 true groups: silhouette {expected:.3f}" in explorer.text
    assert "adjusted Rand 1," in explorer.text
    assert explorer.text != by_kmeans and explorer.png() != before


def test_outliers_of_the_truth_are_left_out_of_its_scores(moons):
    truth = moons.labels.astype(int)
    truth[::10] = -1
    result = widgets.quality_explorer(moons.X, truth, max_clusters=3).result
    kept = truth >= 0
    assert result.truth.scores.n_outliers == (~kept).sum()
    assert result.truth.scores.silhouette == pytest.approx(
        sk.silhouette_score(moons.X[kept], truth[kept])
    )


def test_the_shuffled_twin_has_the_same_columns_and_no_groups():
    X, _ = make_blobs(120, 3, separation=8, random_state=0, dtype=np.float64)
    explorer = widgets.quality_explorer(X, max_clusters=4)
    assert "shown" not in explorer.controls and "no true groups" in explorer.text
    real = explorer.result
    twin = explorer.set(data="shuffled").result
    np.testing.assert_array_equal(np.sort(twin.X, axis=0), np.sort(X, axis=0))
    assert not np.array_equal(twin.X, X)
    assert twin.by_k[3].scores.silhouette < real.by_k[3].scores.silhouette - 0.1


def test_one_column_has_a_uniform_twin_in_its_range():
    X = np.linspace(3.0, 5.0, 50)[:, None] ** 2
    twin = widgets.quality_explorer(X, max_clusters=3).set(data="uniform").result.X
    assert twin.shape == X.shape and X.min() <= twin.min() and twin.max() <= X.max()


def test_long_data_are_thinned_with_their_labels():
    X, truth = make_blobs(2001, 3, separation=8, random_state=0, dtype=np.float64)
    result = widgets.quality_explorer(X, truth, max_clusters=3).result
    assert len(result.X) == 667
    assert result.by_k[3].scores.adjusted_rand == pytest.approx(1.0)


def test_the_prediction_is_about_the_data_it_names(moons):
    explorer = widgets.quality_explorer(moons.X, max_clusters=4, predict="silhouette")
    explorer.set(data="shuffled")
    explorer.press("compare")
    values = {
        k: one.scores.silhouette for k, one in explorer.set(data="your data").result.by_k.items()
    }
    assert explorer.prediction.truth is None, "another question: nothing is revealed yet"
    explorer.press("compare")
    assert explorer.prediction.truth == f"k = {max(values, key=values.get)}"

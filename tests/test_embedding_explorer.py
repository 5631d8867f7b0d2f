"""embedding_explorer shows scikit-learn's maps and scores, linked, beside noise."""

from __future__ import annotations

import io
import sys
import threading
import time

import numpy as np
import pytest
from PIL import Image
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.manifold import trustworthiness as sk_trustworthiness
from sklearn.metrics import silhouette_score

from annlab import widgets
from annlab.widgets import _embedding_draw, _embedding_maps
from annlab.widgets.base import Job, Stopped


@pytest.fixture(scope="module")
def explorer():
    return widgets.embedding_explorer(n_points=60)


def similar(Y, reference):
    """Return whether two maps are the same up to a shift and a scale."""
    left, right = (np.asarray(a, dtype=float) - np.mean(a, axis=0) for a in (Y, reference))
    return np.allclose(left / np.linalg.norm(left), right / np.linalg.norm(right), atol=1e-6)


def test_maps_are_those_of_scikit_learn(explorer):
    result = explorer.reset().result
    X = result.cloud.X
    pca, tsne, other = result.views
    assert similar(pca.Y, PCA(2).fit_transform(X))
    few = PCA(50, random_state=0).fit_transform(X)
    # t-SNE does not depend on offset and scale, except by rounding
    few = (few - few[0]) / np.abs(few - few[0]).max()
    assert similar(tsne.Y, TSNE(perplexity=10, init="pca", random_state=0).fit_transform(few))
    random = TSNE(perplexity=10, init="random", random_state=0).fit_transform(few)
    assert similar(other.Y, random) and not similar(other.Y, tsne.Y)


def test_scores_are_those_of_scikit_learn(explorer):
    result = explorer.reset().result
    cloud = result.cloud
    assert cloud.silhouette == pytest.approx(silhouette_score(cloud.X, cloud.labels))
    distances = np.linalg.norm(cloud.X[:, None] - cloud.X, axis=2)
    np.fill_diagonal(distances, np.inf)
    sorted_ = np.sort(distances, axis=1)[:, :10]
    assert np.take_along_axis(distances, cloud.nearest, axis=1) == pytest.approx(sorted_)
    for view in result.views:
        assert view.trust == pytest.approx(sk_trustworthiness(cloud.X, view.Y))
        assert f"{view.name} {view.trust:.3f}" in explorer.text


@pytest.mark.parametrize(("value", "changed"), [({"seed": 3}, [2]), ({"perplexity": 2}, [1, 2])])
def test_a_setting_changes_the_maps_that_depend_on_it(explorer, value, changed):
    before = explorer.reset().result.views
    after = explorer.set(**value).result.views
    for place, (old, new) in enumerate(zip(before, after, strict=True)):
        assert new is old if place not in changed else not similar(new.Y, old.Y)
    assert explorer.reset().result.views == before, "maps are kept"


def test_noise_seems_to_have_groups_on_every_map_and_is_trusted_less(explorer):
    digits = explorer.reset().result
    noise = explorer.set(data="uniform noise", color="true groups").result
    assert noise.cloud.truth is None and "no true groups" in explorer.text
    for noisy, real in zip(noise.views, digits.views, strict=True):
        assert noisy.silhouette > noise.cloud.silhouette + 0.15
        assert noisy.trust < real.trust - 0.05


@pytest.mark.parametrize(("control", "value"), [("highlight", "2"), ("follow", 5)])
def test_a_group_and_a_point_are_marked_on_every_map(explorer, control, value):
    plain, marked = (
        np.asarray(Image.open(io.BytesIO(png)))
        for png in (explorer.reset().png(), explorer.set(**{control: value}).png())
    )
    top, side = 2 * _embedding_draw._TOP, 2 * _embedding_draw._SIDE
    for left in _embedding_draw._LEFTS:
        place = np.s_[top : top + side, 2 * left : 2 * left + side]
        assert not np.array_equal(plain[place], marked[place])


def test_the_followed_point_counts_the_neighbours_that_each_map_keeps(explorer):
    explorer.reset().set(follow=5)
    result = explorer.result
    for view in result.views:
        near = np.argsort(np.linalg.norm(view.Y - view.Y[4], axis=1))
        kept = len(set(near[near != 4][:10]) & set(result.cloud.nearest[4]))
        assert f"{view.name} {kept}" in explorer.text.split("on the map: ")[1]


def test_three_dimensions_turn_without_a_new_map(explorer):
    explorer.reset()
    assert explorer.controls["azimuth"].widget.disabled
    before = explorer.set(dims=3).result
    assert not explorer.controls["azimuth"].widget.disabled
    assert {view.Y.shape for view in before.views} == {(60, 3)}
    picture = explorer.png()
    assert explorer.set(azimuth=40, elevation=-10).result is before
    assert explorer.png() != picture and "azimuth 40°, elevation -10°" in explorer.text
    Y = before.views[0].Y
    flat, near = _embedding_draw._turned(Y, -60, 25)
    assert np.linalg.norm(flat, axis=1) ** 2 + near**2 == pytest.approx((Y**2).sum(axis=1))
    flat, _ = _embedding_draw._turned(Y, -90, 90)  # from above
    assert flat == pytest.approx(Y[:, :2])


def test_umap_is_mapped_where_it_is_installed(explorer):
    pytest.importorskip("umap")
    explorer.reset()
    assert explorer.controls["neighbors"].widget.disabled
    few = explorer.set(third="UMAP", neighbors=5)
    assert not explorer.controls["neighbors"].widget.disabled
    assert few.result.views[2].name == "UMAP, 5 neighbours"
    before = few.result.views[2]
    assert explorer.set(neighbors=15).result.views[2] is not before


def test_without_umap_the_map_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "umap", None)
    explorer = widgets.embedding_explorer(np.random.RandomState(0).rand(40, 5))
    explorer.set(third="UMAP")
    assert len(explorer.result.views) == 2
    assert 'pip install "annlab-kmeans[lab]"' in explorer.text
    assert explorer.set(third="t-SNE, random start").result.missing == ""


def test_stop_does_not_wait_until_a_map_is_finished():
    job, begun, go_on = Job(), threading.Event(), threading.Event()

    def slow_map():
        begun.set()
        go_on.wait(20)

    threading.Thread(target=lambda: begun.wait(20) and job.stop(), daemon=True).start()
    start = time.monotonic()
    with pytest.raises(Stopped):
        _embedding_maps.patiently(job, 0, 1, "a map", slow_map)
    assert time.monotonic() - start < 15 and not go_on.is_set()
    go_on.set()


def test_own_data_have_a_shuffled_twin():
    rng = np.random.RandomState(0)
    truth = np.repeat([3, 8, -1], (30, 30, 5))
    X = rng.normal(size=(65, 12)) + 9 * (truth == 8)[:, None]
    explorer = widgets.embedding_explorer(X, truth, n_clusters=2, tile=(3, 4), predict="kept")
    assert explorer.controls["highlight"].trials == ("all", "0", "1")
    assert set(explorer.result.cloud.truth) == {-1, 0, 1}
    explorer.set(color="true groups", highlight="1", follow=65)
    assert "group 1 highlighted: 30 points" in explorer.text
    twin = explorer.set(data="your data, shuffled").result.cloud
    np.testing.assert_array_equal(np.sort(twin.X, axis=0), np.sort(X, axis=0))
    assert twin.silhouette < 0.5
    view = explorer.result.views[1]
    kept = [len(set(a) & set(b)) for a, b in zip(twin.nearest, view.nearest, strict=True)]
    explorer.press("compare")
    assert explorer.prediction.truth == pytest.approx(np.mean(kept), abs=0.051)


def test_two_features_have_no_third_dimension_and_long_data_are_thinned():
    X = np.random.RandomState(0).rand(801, 2)
    explorer = widgets.embedding_explorer(X, n_clusters=3)
    assert "dims" not in explorer.controls and "color" not in explorer.controls
    assert len(explorer.result.cloud.X) == 267
    with pytest.raises(ValueError, match="X must be an array with at least 3 features"):
        widgets.embedding_explorer(X, n_components=3)

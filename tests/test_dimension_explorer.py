"""dimension_explorer measures what the library and NumPy measure, in all its views."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from annlab import make_index, widgets
from annlab.datasets import load_patches
from annlab.metrics import distance_contrast, intrinsic_dimension
from annlab.widgets import _dimensions
from annlab.widgets.base import three


@pytest.fixture(scope="module")
def X():
    rng = np.random.RandomState(0)
    return rng.rand(120, 3) @ rng.randn(3, 12)


def test_sizes_double_and_end_with_all_columns(X):
    result = widgets.dimension_explorer(X).result
    assert [space.d for space in result.spaces] == [2, 4, 8, 12]
    small, large = result.spaces[0], result.spaces[-1]
    np.testing.assert_array_equal(small.rows, large.rows[:, :2])
    # every row of the data is once a row or a query; columns are only in another order
    assert (len(large.rows), len(large.queries)) == (90, 30)
    together = np.concatenate([large.rows, large.queries])
    np.testing.assert_allclose(np.sort(together.sum(axis=1)), np.sort(X.sum(axis=1)))


def test_distances_and_intrinsic_dimension_are_those_of_the_library(X):
    explorer = widgets.dimension_explorer(X).set(row=7)
    result = explorer.result
    for space, geometry in zip(result.spaces, result.geometry, strict=True):
        exact = np.linalg.norm(space.queries[:, None] - space.rows[None], axis=2)
        np.testing.assert_allclose(geometry.distances, exact / exact.mean(), rtol=1e-5)
        assert geometry.contrast == distance_contrast(space.rows, space.queries)
        assert geometry.intrinsic == intrinsic_dimension(space.rows)
    nearest = float(result.geometry[0].distances[7].min())
    assert f"Query 7 has its nearest at {three(nearest)}" in explorer.text


def test_patches_are_windows_around_one_centre():
    spaces = widgets.dimension_explorer().set(data="patches").result.spaces
    whole = load_patches(1100, 18, random_state=0).reshape(-1, 18, 18, 3)
    four = next(space for space in spaces if space.shape == (4, 4, 3))
    np.testing.assert_allclose(four.queries[5].reshape(4, 4, 3), whole[5, 7:11, 7:11], rtol=1e-6)
    assert spaces[0].d == 3 and spaces[-1].d == 972


def test_indexes_are_judged_against_brute_force(X):
    explorer = widgets.dimension_explorer(X).set(view="indexes")
    for space, answers in zip(explorer.result.spaces, explorer.result.answers, strict=True):
        assert set(answers) == {*_dimensions.RACERS, "pq"}
        assert answers["kd_tree"].recall == answers["ball_tree"].recall == 1
        exact = np.linalg.norm(space.queries[:, None] - space.rows[None], axis=2)
        index = make_index("lsh", n_probes=8, random_state=0, n_jobs=1).fit(space.rows)
        found = index.kneighbors(space.queries, 1)[1].ravel()
        hits = exact[np.arange(len(found)), found] <= exact.min(axis=1) * (1 + 1e-9)
        assert answers["lsh"].recall == pytest.approx(hits.mean())
        assert answers["lsh"].work == index.n_distances_ / exact.size


def test_a_tree_falls_back_to_brute_force_in_uniform_dimensions():
    explorer = widgets.dimension_explorer().set(view="indexes")
    answers = explorer.result.answers
    assert answers[0]["kd_tree"].work < 0.2 and answers[-1]["kd_tree"].work > 0.99
    assert answers[-1]["hnsw"].recall < answers[0]["hnsw"].recall == 1
    # columns of a sheet do not spread the distances
    sheet = explorer.set(view="distances", data="2-dim. sheet").result.geometry
    assert min(one.contrast for one in sheet) > 40
    assert all(one.intrinsic == pytest.approx(2, abs=0.3) for one in sheet)


def test_codes_are_those_of_the_index_and_their_bits_are_counted(X):
    explorer = widgets.dimension_explorer(X).set(view="codes", pieces=4, row=3).run()
    space, coded = explorer.result.spaces[-1], explorer.result.coded[-1]
    index = make_index(
        "pq", n_subspaces=4, n_codes=64, rerank=10, max_iter=5, random_state=0, n_jobs=1
    ).fit(space.rows)
    np.testing.assert_array_equal(coded.codes, index.encode(space.queries))
    np.testing.assert_allclose(coded.decoded, index.decode(coded.codes), rtol=1e-6)
    lost = ((space.queries - coded.decoded) ** 2).sum()
    spread = ((space.queries - space.rows.mean(axis=0)) ** 2).sum()
    assert coded.error == pytest.approx(lost / spread, rel=1e-5)
    assert f"codes: {' '.join(map(str, coded.codes[3]))}." in explorer.text
    assert "24 bits a row instead of 384, a factor of 16" in explorer.text
    assert coded.error < explorer.set(pieces=1).result.coded[-1].error


def test_controls_that_a_view_does_not_use_are_disabled(X):
    explorer = widgets.dimension_explorer(X)
    for view, off in {"distances": "pieces", "indexes": "row"}.items():
        explorer.set(view=view)
        assert [n for n in ("pieces", "row") if explorer.controls[n].widget.disabled] == [off]


def test_prediction_is_the_ratio_at_the_last_size(X):
    explorer = widgets.dimension_explorer(X, predict="contrast")
    explorer.prediction.predict(3)
    space = explorer.result.spaces[-1]
    exact = np.linalg.norm(space.queries[:, None] - space.rows[None], axis=2)
    ratio = np.median(exact.max(axis=1) / exact.min(axis=1))
    assert explorer.prediction.truth is None
    explorer.run()
    assert explorer.prediction.truth == pytest.approx(ratio, rel=0.006)


def test_another_view_keeps_the_prediction_and_other_data_reset_it(X):
    explorer = widgets.dimension_explorer(X, predict="contrast").run()
    truth, last = explorer.prediction.truth, explorer.frame
    explorer.set(view="codes").set(pieces=2)
    assert (explorer.frame, explorer.prediction.truth) == (last, truth)
    explorer.set(data="uniform")
    assert (explorer.frame, explorer.prediction.truth) == (0, None)


def test_fewer_sizes_reach_the_browser_in_one_message(X):
    # two messages would let the browser cut the old place at the new end, and send that back
    explorer = widgets.dimension_explorer(X, predict="contrast").set(data="uniform").run()
    sent = []

    class Wire:
        kernel, comm_id = "any", "any"

        def on_msg(self, callback): ...

        def close(self, *given, **named): ...

        def send(self, data=None, **named):
            sent.append(set(data["state"]))

    explorer.scrubber.comm = Wire()
    explorer.set(data="your data")
    assert (explorer.scrubber.value, explorer.scrubber.max) == (0, 3)
    assert [keys for keys in sent if keys & {"max", "value"}] == [{"max", "value"}]


def test_the_curve_ends_at_the_size_shown(X):
    explorer = widgets.dimension_explorer(X, predict="contrast")
    contrasts = [one.contrast for one in explorer.result.geometry]
    for frame in range(explorer.n_frames):
        figure = Figure()
        explorer.draw(figure, explorer.result, frame, **explorer.values)
        (curve,) = [line for line in figure.axes[1].lines if line.get_label() == "your data"]
        np.testing.assert_allclose(curve.get_ydata(), contrasts[: frame + 1])


def test_measurements_are_shared_among_explorers(X, monkeypatch):
    widgets.dimension_explorer(X).set(view="codes")
    for name in ("measured", "quantized"):
        monkeypatch.setattr(_dimensions, name, None)
    widgets.dimension_explorer(X).set(view="codes")


CORNERS = np.repeat(np.eye(4), 10, axis=0)


@pytest.mark.parametrize(
    "X",
    [np.random.RandomState(0).rand(20, 1), CORNERS, np.ones((40, 3)), np.arange(40.0)[:, None] % 2],
    ids=["one column", "corners", "one place", "yes and no"],
)
def test_every_view_takes_few_columns_and_equal_rows(X):
    explorer = widgets.dimension_explorer(X)
    for view in ("distances", "indexes", "intrinsic", "codes"):
        explorer.set(view=view).run()
        assert explorer.result.spaces[-1].d == X.shape[1]
        assert "nan" not in explorer.text

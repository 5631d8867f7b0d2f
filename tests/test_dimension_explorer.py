"""dimension_explorer: what it measures is what the library and NumPy measure, in all its views."""

from __future__ import annotations

import numpy as np
import pytest

from annlab import make_index, widgets
from annlab.datasets import load_patches
from annlab.metrics import distance_contrast, intrinsic_dimension
from annlab.widgets import _dimensions
from annlab.widgets.base import Job, Stopped, three
from annlab.widgets.base.explorer import living


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
    assert len(large.rows) == 90 and len(large.queries) == 30
    together = np.sort(np.concatenate([large.rows, large.queries]), axis=0)
    np.testing.assert_array_equal(
        together[:, np.argsort(together[0])], np.sort(X, axis=0)[:, np.argsort(X.min(axis=0))]
    )


def test_distances_and_intrinsic_dimension_are_the_librarys(X):
    result = widgets.dimension_explorer(X).result
    for space, geometry in zip(result.spaces, result.geometry, strict=True):
        exact = np.linalg.norm(space.queries[:, None] - space.rows[None], axis=2)
        np.testing.assert_allclose(geometry.distances, exact / exact.mean(), rtol=1e-5)
        assert geometry.contrast == distance_contrast(space.rows, space.queries)
        assert geometry.intrinsic == intrinsic_dimension(space.rows)


def test_the_dots_of_the_sentence_are_the_query_that_was_asked_for(X):
    explorer = widgets.dimension_explorer(X).set(row=7)
    own = explorer.result.geometry[0].distances[7]
    assert f"Query 7 has its nearest at {three(float(own.min()))}" in explorer.text


def test_contrast_falls_with_uniform_columns_and_not_with_those_of_a_sheet():
    explorer = widgets.dimension_explorer()
    uniform = [one.contrast for one in explorer.result.geometry]
    assert uniform == sorted(uniform, reverse=True) and uniform[-1] < 0.2
    sheet = explorer.set(data="2-dim. sheet").result.geometry
    assert min(one.contrast for one in sheet) > 40
    assert all(one.intrinsic == pytest.approx(2, abs=0.3) for one in sheet)


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
    answers = widgets.dimension_explorer().set(view="indexes").result.answers
    assert answers[0]["kd_tree"].work < 0.2
    assert answers[-1]["kd_tree"].work > 0.99
    assert answers[-1]["hnsw"].recall < answers[0]["hnsw"].recall == 1


def test_codes_decode_to_the_words_and_their_bits_are_counted(X):
    explorer = widgets.dimension_explorer(X).set(view="codes", pieces=4, row=3)
    explorer.run()
    space, coded = explorer.result.spaces[-1], explorer.result.coded[-1]
    assert coded.codes.shape == (30, 4) and coded.splits.tolist() == [0, 3, 6, 9, 12]
    index = make_index(
        "pq", n_subspaces=4, n_codes=64, rerank=10, max_iter=5, random_state=0, n_jobs=1
    ).fit(space.rows)
    np.testing.assert_allclose(coded.decoded, index.decode(coded.codes), rtol=1e-6)
    # no other word of a piece is nearer
    for piece, book in enumerate(index.codebooks_):
        part = space.queries[:, 3 * piece : 3 * piece + 3]
        nearest = np.linalg.norm(part[:, None] - book[None], axis=2).argmin(axis=1)
        np.testing.assert_array_equal(coded.codes[:, piece], nearest)
    lost = ((space.queries - index.decode(coded.codes)) ** 2).sum()
    spread = ((space.queries - space.rows.mean(axis=0)) ** 2).sum()
    assert coded.error == pytest.approx(lost / spread, rel=1e-5)
    assert (coded.code_bits, coded.row_bytes) == (24, 48)
    assert f"codes: {' '.join(map(str, coded.codes[3]))}." in explorer.text
    assert "24 bits a row instead of 384, a factor of 16" in explorer.text


def test_more_pieces_lose_less(X):
    explorer = widgets.dimension_explorer(X).set(view="codes")
    errors = [explorer.set(pieces=pieces).result.coded[-1].error for pieces in (1, 2, 4, 8)]
    assert errors == sorted(errors, reverse=True)


def test_controls_that_a_view_does_not_hear_are_switched_off(X):
    explorer = widgets.dimension_explorer(X)
    off = {}
    for view in ("distances", "indexes", "intrinsic", "codes"):
        explorer.set(view=view)
        off[view] = [n for n in ("pieces", "row") if explorer.controls[n].widget.disabled]
    assert off == {
        "distances": ["pieces"],
        "indexes": ["row"],
        "intrinsic": ["pieces", "row"],
        "codes": [],
    }


def test_prediction_is_the_ratio_at_the_last_size(X):
    explorer = widgets.dimension_explorer(X, predict="contrast")
    explorer.prediction.predict(3)
    space = explorer.result.spaces[-1]
    exact = np.linalg.norm(space.queries[:, None] - space.rows[None], axis=2)
    ratio = np.median(exact.max(axis=1) / exact.min(axis=1))
    assert explorer.prediction.truth is None
    explorer.run()
    assert explorer.prediction.truth == pytest.approx(ratio, rel=0.006)


def test_another_view_keeps_the_size_and_another_data_set_asks_anew(X):
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


def test_the_curve_does_not_tell_what_is_to_be_predicted(X, monkeypatch):
    from matplotlib.axes import Axes

    drawn = []
    real = Axes.plot

    def plot(self, x, y, *args, **kwargs):
        if kwargs.get("label") == "your data":
            drawn.append(list(y))
        return real(self, x, y, *args, **kwargs)

    monkeypatch.setattr(Axes, "plot", plot)
    explorer = widgets.dimension_explorer(X, predict="contrast").step().run()
    contrasts = [one.contrast for one in explorer.result.geometry]
    assert drawn == [contrasts[:1], contrasts[:2], contrasts]


def test_measurements_are_shared_between_views_and_explorers(X, monkeypatch):
    widgets.dimension_explorer(X).set(view="codes")

    def again(*given):
        raise AssertionError("measured a second time")

    for name in ("measured", "quantized"):
        monkeypatch.setattr(_dimensions, name, again)
    widgets.dimension_explorer(X).set(view="codes")
    with pytest.raises(AssertionError, match="second time"):
        widgets.dimension_explorer(X + 1.0)


def test_it_can_be_stopped(X):
    explorer = widgets.dimension_explorer(X)
    job = Job()
    job.stop()
    with pytest.raises(Stopped):
        explorer.compute(job, view="indexes", data="normal", pieces=16)


@pytest.mark.parametrize("shape", [(20, 1), (40, 2), (5000, 3)])
def test_data_of_other_shapes(shape):
    X = np.random.RandomState(0).rand(*shape)
    explorer = widgets.dimension_explorer(X)
    for view in ("indexes", "intrinsic", "codes"):
        explorer.set(view=view).run()
        assert explorer.result.spaces[-1].d == shape[1]
    assert len(explorer.result.spaces[0].rows) <= 1000


@pytest.mark.parametrize(
    "X",
    [np.repeat(np.eye(4), 10, axis=0), np.arange(40.0)[:, None] % 2, np.ones((40, 3))],
    ids=["corners", "yes and no", "one place"],
)
def test_equal_rows_are_no_trouble(X):
    explorer = widgets.dimension_explorer(X)
    for view in ("distances", "indexes", "intrinsic", "codes"):
        explorer.set(view=view).run()
        assert "nan" not in explorer.text


@pytest.fixture(autouse=True)
def closed():
    yield
    for explorer in list(living):
        explorer.close()

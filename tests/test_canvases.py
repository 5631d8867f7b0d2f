"""The canvases: data to and from Python, and numbers equal to the library's."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

import annlab
from annlab import MissingExtraError, kmeans, robust_kmeans_ann, widgets
from annlab.indexes.walk import greedy_walk
from annlab.widgets._centroids import five_groups
from annlab.widgets._outliers import three_groups
from annlab.widgets._walk import default_map
from annlab.widgets.base import MARKERS, canvas, frontend, jobs, scene_figure, three

STATIC = Path(annlab.__file__).parent / "widgets" / "static"
NAMES = ("centroid_canvas", "graph_walk", "outlier_sandbox")


@pytest.fixture
def browser(monkeypatch):
    """Pretend that a browser, and not a cell, sets the traits."""
    monkeypatch.setattr(jobs, "asked_by_browser", lambda: True)


@pytest.fixture(params=NAMES)
def explorer(request):
    return widgets.example(request.param)


# -------------------------------------------------------------------------------- the traits


def test_scenes_are_plain_data_with_equal_scales_that_reach_the_browser(explorer):
    scene, sent = explorer.stage.scene, explorer.stage.get_state()
    assert json.loads(json.dumps(scene, allow_nan=False)) == scene
    assert scene["sentence"] == explorer.text
    assert scene["size"] == list(explorer.size)
    assert "Tab" in scene["hint"] and "drag" in scene["hint"]
    for panel in scene["panels"]:
        left, top, width, height = panel["rect"]
        assert left >= 0 and left + width <= explorer.size[0]
        assert top >= 0 and top + height <= explorer.size[1]
        assert {layer["type"] for layer in panel["layers"]} <= set(scene_figure.LAYERS)
    (_, _, width, height), (x0, x1, y0, y1) = (
        scene["panels"][0][key] for key in ("rect", "bounds")
    )
    assert (x1 - x0) / width == pytest.approx((y1 - y0) / height, rel=1e-3)
    assert {"value", "scene", "look", "_esm", "_css"} <= set(sent)
    assert "export default" in sent["_esm"]
    assert next(iter(explorer.controls.values())).widget is explorer.stage


def test_layers_and_markers_are_drawn_by_both_sides():
    source = (STATIC / "canvas.js").read_text(encoding="utf-8")
    block = re.search(r"const LAYERS = \{(.*?)\n\};", source, flags=re.S)[1]
    drawn = set(re.findall(r"^  (\w+)\(ctx", block, flags=re.M))
    assert drawn == set(scene_figure.LAYERS)
    markers = re.search(r"const CORNERS = \{(.*?)\n\};", source, flags=re.S)[1]
    for marker in (set(MARKERS) | {"*"}) - {"o"}:
        assert f"{marker}:" in markers or f'"{marker}":' in markers, marker


def test_static_files_ask_nothing_of_the_network():
    for file in ("canvas.js", "canvas.css"):
        text = (STATIC / file).read_text(encoding="utf-8")
        asks = r"//[\w.-]+\.\w{2,}|@import|url\(|\bfetch\(|^import "
        assert not re.search(asks, text, re.M), file


def test_scenes_carry_the_number_of_the_edit_that_they_answer():
    canvas = widgets.centroid_canvas(five_groups(), 2).stage
    start = list(canvas.value)
    canvas.set_state({"value": [*start, [5.0, 5.0]], "edit": 3})
    assert canvas.scene["edit"] == 3 and len(canvas.scene["handles"]["xy"]) == 3
    # answered although nothing changed, and although Python refuses
    canvas.set_state({"edit": 4, "value": list(canvas.value)})
    assert canvas.scene["edit"] == 4 and len(canvas.scene["handles"]["xy"]) == 3
    canvas.set_state({"edit": 5, "value": start})
    assert canvas.scene["edit"] == 5 and len(canvas.scene["handles"]["xy"]) == 2


def test_the_projector_enlarges_the_canvas(explorer):
    assert explorer.stage.look == {"size": 1.0, "text": 1.0, "lines": 1.0}
    widgets.projector()
    try:
        assert explorer.stage.look["size"] > 1
        assert explorer.stage.layout.width == f"{round(1.35 * explorer.size[0])}px"
    finally:
        widgets.projector(False)
    assert explorer.stage.look["size"] == 1


def test_a_missing_anywidget_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "anywidget", None)
    canvas._canvas.cache_clear()
    frontend._dress.cache_clear()
    plain = widgets.example("break_even_explorer")
    assert ".annlab-sentence" in plain._dress.value, "without a canvas, ipywidgets is enough"
    with pytest.raises(MissingExtraError, match=r"annlab-kmeans\[lab\]"):
        widgets.centroid_canvas()


@pytest.mark.parametrize(
    "bad",
    [
        [],
        [[1.0]],
        [[1.0, 2.0]] * 9,
        [[1.0, float("nan")]],
        [[1e12, 0.0]],
        "everywhere",
        [[1.0, 2.0], [3.0]],
    ],
)
def test_invalid_positions_are_refused(bad):
    with pytest.raises(ValueError, match="1 to 8 pairs"):
        canvas.check_handles(bad, "centroids", 1, 8)
    assert canvas.check_handles([], "outliers", 0, 3) == []


def test_states_with_bad_positions_change_nothing(explorer):
    state, text = explorer.state, explorer.text
    name = next(iter(explorer.controls))
    for bad in ("[[1]]", "no", "[[1,NaN]]"):
        with pytest.raises(ValueError, match=name):
            explorer.restore(re.sub(rf"{name}=[^&]*", f"{name}={bad}", state))
    assert (explorer.state, explorer.text) == (state, text)


def test_positions_that_cannot_be_computed_are_taken_back(browser):
    sandbox = widgets.example("outlier_sandbox")
    before = sandbox.text
    sandbox.stage.value = [[1.0, float("nan")]]
    assert sandbox.text == before
    assert "Not possible" in sandbox._note.value
    assert np.isfinite(sandbox.stage.value).all()


# -------------------------------------------------------------------------- centroid_canvas


def test_each_step_is_a_step_of_the_library():
    X = five_groups()
    start = [[0.0, 0.0], [1.0, 1.0], [8.0, 8.0]]
    canvas = widgets.centroid_canvas(X, start=start)
    trace = kmeans(X, 3, init=np.array(start), tol=0.0, trace=True).trace
    assert canvas.n_frames == len(trace)
    for frame, step in enumerate(trace):
        canvas.frame = frame
        assert canvas.result.run.trace[frame].inertia == step.inertia
        np.testing.assert_allclose(canvas.stage.scene["handles"]["xy"], step.centroids, rtol=1e-4)
        assert f"inertia {three(step.inertia)}" in canvas.text


def test_a_drag_computes_at_once_and_starts_again(browser):
    canvas = widgets.centroid_canvas(five_groups(), 3)
    canvas.frame = 2
    shown = canvas.stage.scene["handles"]["xy"]
    moved = [[0.5, 0.5], *shown[1:]]
    canvas.stage.value = moved
    assert canvas.frame == 0
    assert canvas.values["centroids"] == moved
    assert canvas.stage.scene["handles"]["xy"] == moved
    expected = kmeans(canvas.X, 3, init=np.array(moved), tol=0.0)
    np.testing.assert_array_equal(canvas.result.run.labels, expected.labels)


def test_adding_and_removing_change_the_number_of_clusters(browser):
    canvas = widgets.centroid_canvas(five_groups(), 2)
    places = list(canvas.stage.value)
    canvas.stage.value = [*places, [5.0, 5.0]]
    assert canvas.result.run.n_clusters == 3 and "3 centroids" in canvas.text
    assert canvas.stage.scene["handles"]["text"] == ["1", "2", "3"]
    canvas.stage.value = places[:1]
    assert "1 centroid " in canvas.text
    assert canvas.run().result.run.inertia == pytest.approx(
        float(((canvas.X - canvas.X.mean(axis=0)) ** 2).sum())
    )


def test_the_buttons_place_starts():
    canvas = widgets.centroid_canvas(five_groups(), 5)
    ends = canvas.result.ends
    assert len(ends.inertias) == 100 and (np.diff(ends.inertias) >= 0).all()
    assert sum(count for _, count in ends.places) == 100
    canvas.press("worst_start")
    assert canvas.run().result.run.inertia == pytest.approx(ends.inertias[-1], rel=1e-3)
    assert "0 higher" in canvas.text
    canvas.press("plus_start")
    assert canvas.frame == 0
    assert canvas.run().result.run.inertia == pytest.approx(ends.reply.inertia, rel=1e-3)
    canvas.press("random_start")
    first = canvas.values["centroids"]
    gaps = np.abs(canvas.X[:, None] - np.array(first)).sum(axis=2).min(axis=0)
    assert (gaps < 1e-3).all(), "a random start draws points of the data"
    canvas.press("random_start")
    assert canvas.values["centroids"] != first
    # the default data make a bad start easy to see
    ends = widgets.centroid_canvas().result.ends
    assert ends.inertias[-1] > 5 * ends.inertias[0]
    assert ends.reply.inertia == pytest.approx(ends.inertias[0], rel=1e-3)


# -------------------------------------------------------------------------------- graph_walk


def test_each_hop_is_a_hop_of_the_library():
    walk = widgets.graph_walk(ef=4)
    hops = greedy_walk(walk.result.graph, [0.45, 0.3], 4)
    assert walk.n_frames == len(hops) + 1
    for frame, hop in enumerate(hops, 1):
        walk.frame = frame
        assert walk.text.startswith(f"hop {frame} of {len(hops)}, layer {hop.layer}, at point ")
        assert f" after {hop.n_distances} of 150 distances" in walk.text
        panel = walk.stage.scene["panels"][-3]
        assert panel["title"] == "Nearest remembered"
        names = panel["layers"][2]["text"]
        assert [int(name.split()[0]) for name in names] == list(hop.found)
        ticked = {int(name.split()[0]) for name in names if "✓" in name}
        assert ticked == set(hop.found) - set(hop.waiting)


def test_the_default_walk_misses_with_a_short_memory_and_finds_with_a_long_one():
    walk = widgets.graph_walk().run()
    result = walk.result
    missed = f"missed the true nearest point {result.nearest}, at {three(result.distance)}."
    assert not result.found_it and walk.text.endswith(missed)
    walk.set(ef=8).run()
    assert walk.result.found_it and walk.text.endswith("found the true nearest point.")
    distances = np.linalg.norm(walk.result.graph.vectors - walk.result.query, axis=1)
    assert walk.result.hops[-1].best == int(distances.argmin())
    on_a_point = widgets.graph_walk(default_map(), query=default_map()[17], ef=20).run()
    assert on_a_point.text.endswith("found the true nearest point.")


def test_a_dragged_query_shows_its_whole_walk_unless_it_is_to_be_predicted(browser):
    walk = widgets.graph_walk()
    walk.stage.value = [[0.8, 0.2]]
    assert walk.frame == walk.n_frames - 1
    assert walk.stage.scene["handles"]["xy"] == [[0.8, 0.2]]
    guess = widgets.Prediction("How many hops?", truth=lambda walk: len(walk.hops))
    walk = widgets.graph_walk(predict=guess)
    walk.stage.value = [[0.8, 0.2]]
    assert walk.frame == 0 and guess.truth is None
    walk.frame = walk.n_frames - 1
    assert guess.truth == len(walk.result.hops)


def test_the_layer_of_the_walk_has_the_strong_frame():
    walk = widgets.graph_walk()
    for frame in range(walk.n_frames):
        walk.frame = frame
        active = [p["title"] for p in walk.stage.scene["panels"] if p.get("active")]
        layer = walk.result.hops[max(frame - 1, 0)].layer
        assert len(active) == 1 and re.match(rf"Layer {layer}\b", active[0])


# --------------------------------------------------------------------------- outlier_sandbox


def test_both_fits_are_the_library_s():
    sandbox = widgets.outlier_sandbox(outliers=[[14.0, 14.0]], threshold=2.5)
    X = np.concatenate([three_groups(), [[14.0, 14.0]]])
    common = {"random_state": sandbox._seed, "n_init": 5}
    plain = kmeans(X, 3, **common)
    robust = robust_kmeans_ann(X, 3, outlier_threshold=2.5, **common)
    np.testing.assert_array_equal(sandbox.result.X, X)
    np.testing.assert_allclose(sandbox.result.plain.centroids, plain.centroids)
    np.testing.assert_array_equal(sandbox.result.robust.labels, robust.labels)
    sandbox.set(rule="trim", trim=0.2)
    trimmed = robust_kmeans_ann(X, 3, trim=0.2, outlier_threshold=2.5, **common)
    np.testing.assert_array_equal(sandbox.result.robust.outlier_mask, trimmed.outlier_mask)
    assert sandbox.result.robust.outlier_mask.sum() == round(0.2 * len(X) - 0.5)


def test_outliers_move_plain_centroids_and_not_robust_ones():
    sandbox = widgets.outlier_sandbox(outliers=[])
    assert sandbox.result.plain_miss.max() == pytest.approx(0, abs=1e-9)
    sandbox.set(outliers=[[11.0, 11.0], [11.0, 9.0]], copies=10)
    assert sandbox.text.startswith("20 outliers among 170 points")
    assert sandbox.result.plain_miss.max() > 2
    assert sandbox.result.robust_miss.max() < 0.3
    assert "Robust leaves out 20 of the outliers" in sandbox.text
    # the outliers have drawn a centroid to them, so none is far from its centroid
    assert "3 × mean would flag 0 and 0" in sandbox.text
    # too many break every rule
    assert sandbox.set(copies=40).result.robust_miss.max() > 2


def test_left_out_points_are_crosses():
    sandbox = widgets.outlier_sandbox(outliers=[[11.0, 11.0]])
    layer = sandbox.stage.scene["panels"][0]["layers"][0]
    labels = sandbox.result.robust.labels[~sandbox.result.added]
    crosses = np.array([marker == "x" for marker in layer["marker"]])
    np.testing.assert_array_equal(crosses, labels < 0)

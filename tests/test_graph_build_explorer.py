"""graph_build shows the insertion that `NavigableGraph.build` makes."""

from __future__ import annotations

import numpy as np
import pytest

from annlab import widgets
from annlab.indexes.walk import NavigableGraph


@pytest.fixture(scope="module")
def explorer():
    return widgets.graph_build(ef_construction=6)


def shown(explorer, kind):
    return [step for step in explorer.result.steps if step.kind == kind]


def test_the_last_insertion_completes_the_graph(explorer):
    X = explorer.X
    explorer.set(point=len(X) - 1)
    graph = NavigableGraph.build(X, M=3, ef_construction=6, random_state=7)
    for layer, links in enumerate(graph.links):
        for mine, expected in zip(explorer.result.after.links[layer], links, strict=True):
            np.testing.assert_array_equal(mine, expected)


@pytest.mark.parametrize("point", [1, 60, 115, 128])
def test_links_are_chosen_among_the_nearest_found(explorer, point):
    result, X = explorer.set(point=point).result, explorer.X
    layers = range(min(result.level, result.before.n_layers - 1), -1, -1)
    assert [step.layer for step in shown(explorer, "search")] == list(layers)
    for step in shown(explorer, "link"):
        links = result.links(step.layer)
        assert 1 <= len(links) <= 3 and set(links) <= set(step.hops[-1].found)
        # no link is nearer to one chosen before it than to the new point
        for place, link in enumerate(links):
            apart = np.linalg.norm(X[links[:place]] - X[link], axis=1)
            assert (apart >= np.linalg.norm(X[point] - X[link])).all()


def test_layers_above_the_level_are_only_walked_through(explorer):
    result = explorer.set(point=2, M=8).result
    walked = {step.layer for step in shown(explorer, "walk")}
    assert walked == set(range(result.level + 1, result.before.n_layers))


def test_the_end_counts_the_bytes_of_the_links(explorer):
    text = explorer.set(point=115, M=4).run().text
    level = explorer.result.level
    assert f"room for 8 links in layer 0 and 4 in each layer above takes {32 + 16 * level}" in text
    assert "37.3 a point on average" in text


def test_a_new_top_layer_becomes_the_entry_point(explorer):
    levels = NavigableGraph.build(explorer.X, M=3, random_state=7).levels
    highest = int(levels.argmax())
    assert "every search now begins there" in explorer.set(point=highest).run().text

"""``graph_build``: insert a point into an HNSW graph, step by step."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from annlab._support.checks import check_integer
from annlab._support.errors import invalid
from annlab.indexes.walk import Hop, NavigableGraph, greedy_walk
from annlab.widgets._walk import default_map
from annlab.widgets.base import (
    ALARM,
    INK,
    PALETTE,
    QUIET,
    Explorer,
    Job,
    Prediction,
    frame_limits,
    plane,
    slider,
    three,
)
from annlab.widgets.base.canvas import check_plane
from annlab.widgets.base.marks import legend_below

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike

_MOST_POINTS, _MOST_EF, _MOST_M = 400, 40, 8
#: what a mark means -> marker, size in points, colour; later ones are drawn on top
_MARKS = {
    "walked from, or measured": ("o", 7, PALETTE[4]),
    "nearest found": ("s", 7, PALETTE[1]),
    "linked": ("o", 10, PALETTE[2]),
    "new point": ("*", 17, ALARM),
}


@dataclass(frozen=True, eq=False)
class Step:
    """A step in a layer: "draw", "walk", "search", "link" or "end"."""

    kind: str
    layer: int
    hops: tuple[Hop, ...] = ()


@dataclass(frozen=True, eq=False)
class Insertion:
    """A graph before and after its last insertion, and the steps between."""

    before: NavigableGraph
    after: NavigableGraph
    steps: list[Step]

    @property
    def level(self) -> int:
        """Top layer of the new point."""
        return int(self.after.levels[-1])

    def links(self, layer: int) -> list[int]:
        """Nodes that the new point is linked to."""
        return self.after.links[layer][-1].tolist()

    def n_dropped(self, layer: int) -> int:
        """Number of older links that made room."""
        old, new = (set(map(tuple, g.edges(layer).tolist())) for g in (self.before, self.after))
        return len(old - new)


class GraphBuild(Explorer):
    """The explorer that `graph_build` makes."""

    name = "graph_build"
    title = "How an HNSW graph grows: one point is inserted"
    size = (840, 560)
    replay = True
    frame_word = "step"

    def __init__(
        self, X: np.ndarray, point: int, M: int, ef: int, predict: Prediction | None, seed: int
    ) -> None:
        self.X, self.seed = X, seed
        ef_text = "How many nearest nodes an insertion looks for before it links; at least M"
        controls = [
            slider("point", "Point", "Which insertion is shown", 1, len(X) - 1, point),
            slider("ef", "ef_construction", ef_text, 1, _MOST_EF, ef),
            slider("M", "Links M", "Links that a new point makes in a layer", 2, _MOST_M, M),
        ]
        super().__init__(controls, predict=predict)

    def compute(self, job: Job, *, point: int, ef: int, M: int) -> Insertion:
        common: dict[str, Any] = {"M": M, "ef_construction": ef, "random_state": self.seed}
        # the first points get the same layers, whatever follows them
        before = NavigableGraph.build(self.X[:point], **common)
        after = NavigableGraph.build(self.X[: point + 1], **common)
        steps = [Step("draw", 0)]
        for layer in range(before.n_layers - 1, -1, -1):
            inside = layer <= after.levels[-1]
            # each search begins at the entry point; only in its own layer it spreads out
            part = replace(before, links=before.links[layer:])
            walk = greedy_walk(part, self.X[point], max(ef, M) if inside else 1)
            hops = tuple(hop for hop in walk if hop.layer == 0)
            kinds = ("search", "link") if inside else ("walk",)
            steps += [Step(kind, layer, hops) for kind in kinds]
        return Insertion(before, after, [*steps, Step("end", 0)])

    def frame_count(self, result: Insertion) -> int:
        return len(result.steps)

    def sentence(self, result: Insertion, frame: int, *, point: int, ef: int, M: int) -> str:
        step, level, n_layers = result.steps[frame], result.level, result.after.n_layers
        head = f"step {frame} of {len(result.steps) - 1}, point {point}, "
        if step.kind == "draw":
            told = f"its random top layer is {level}, where 1 in {M**level:,} points gets"
        elif step.kind == "end":
            entry = ", and every search now begins there" * (result.after.entry_point == point)
            average = three(4 * M * (2 + 1 / (M - 1)))
            told = (
                f"done: it is in {level + 1} of {n_layers} layers{entry}. At 4 bytes a link, room "
                f"for {2 * M} links in layer 0 and {M} in each layer above takes "
                f"{4 * M * (2 + level)} bytes, {average} a point on average"
            )
        else:
            head += f"layer {step.layer}: "
            last, found = step.hops[-1], len(step.hops[-1].found)
            if step.kind == "walk":
                told = f"a greedy walk leads from point {step.hops[0].node} to point {last.best}"
            elif step.kind == "search":
                measured = 1 + sum(len(hop.visited) for hop in step.hops)
                told = f"the search measures {measured} points; nearest found: {found}"
            else:
                told = (
                    f"of {found} found, {len(result.links(step.layer))} are linked, each nearer to "
                    f"the new point than to those before it; older links dropped: "
                    f"{result.n_dropped(step.layer)}"
                )
        return f"{head}{told} (M = {M}, ef_construction = {ef})."

    def draw(self, figure: Figure, result: Insertion, frame: int, **values: object) -> None:
        layer = result.steps[frame].layer
        grid = figure.add_gridspec(3, 2, width_ratios=(3, 1))
        large = figure.add_subplot(grid[:, 0])
        self._draw_layer(large, result, frame, layer, large=True)
        others = [other for other in range(result.after.n_layers) if other != layer]
        for place in range(3):
            axes = figure.add_subplot(grid[2 - place, 1])
            if place < len(others):
                self._draw_layer(axes, result, frame, others[place], large=False)
            else:
                axes.set_axis_off()
        handles, labels = large.get_legend_handles_labels()
        legend_below(figure, handles, labels, columns=4)

    def _draw_layer(
        self, axes: Axes, result: Insertion, frame: int, layer: int, *, large: bool
    ) -> None:
        step, X, point = result.steps[frame], self.X, len(result.before.vectors)
        linked = any(one.kind == "link" and one.layer == layer for one in result.steps[: frame + 1])
        inside = layer <= result.level and (linked or step.kind == "end")
        graph = result.after if inside else result.before
        nodes = graph.nodes(layer)
        plane(axes, frame_limits(X), f"layer {layer}, n = {len(nodes)}")
        if layer < graph.n_layers:
            _draw_links(axes, X[graph.edges(layer)], "#c8c8c8", 0.9)
        axes.plot(*X[nodes].T, "o", color=QUIET, markersize=4 if large else 2.5)
        marked: dict[str, list[int]] = {"new point": [point] if large or inside else []}
        if large and step.hops:
            route = [hop.node for hop in step.hops]
            marked["walked from, or measured"] = route
            if step.kind == "walk":
                _draw_links(axes, X[list(pairwise(route))], INK, 1.8)
            else:
                marked["walked from, or measured"] += [i for hop in step.hops for i in hop.visited]
            marked["nearest found"] = list(step.hops[-1].found)
        if large and inside:
            marked["linked"] = result.links(layer)
            _draw_links(axes, X[[(point, other) for other in marked["linked"]]], PALETTE[2], 2.4)
        for what, (marker, size, color) in _MARKS.items():
            look: dict[str, Any] = {"color": color, "markeredgecolor": INK, "markersize": size}
            axes.plot(*X[marked.get(what, [])].T, marker, label=what, **look)


def _draw_links(axes: Axes, ends: np.ndarray, color: str, width: float) -> None:
    from matplotlib.collections import LineCollection

    lines = LineCollection(list(ends.reshape(-1, 2, 2)), colors=color, linewidths=width, zorder=1)
    axes.add_collection(lines, autolim=False)


def graph_build(
    X: ArrayLike | None = None,
    *,
    point: int | None = None,
    M: int = 3,
    ef_construction: int = 8,
    predict: Prediction | None = None,
    random_state: int = 7,
) -> GraphBuild:
    """Insert one point into an HNSW graph, step by step.

    Chance draws the top layer of the point. A greedy walk leads down to that layer; from there on
    each layer is searched for the nearest nodes, and the point is linked to some of them.

    Parameters
    ----------
    X : array-like of shape (n, 2), optional
        At most 400 points of a plane, in the order of insertion; by default those of `graph_walk`.
        Equal points count once.
    point : int, optional
        Point to begin with, from 1 to n − 1; by default 115, or the last one.
    M : int, default=3
        Links that a new point makes in a layer, 2 to 8.
    ef_construction : int, default=8
        Nearest nodes that the search of a layer keeps, 1 to 40; at least M.
    predict : Prediction, optional
    random_state : int, default=7
        Draws the layers of the points.

    Returns
    -------
    Explorer
        A frame for each step of `annlab.indexes.walk.NavigableGraph.build`.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid.

    Notes
    -----
    Malkov & Yashunin 2018, algorithms 1 and 4, doi 10.1109/TPAMI.2018.2889473.

    Examples
    --------
    >>> from annlab import widgets
    >>> build = widgets.graph_build(point=66)
    >>> build.result.level, build.result.links(0)
    (3, [43, 17, 31])
    """
    X = check_plane(default_map() if X is None else X, most=_MOST_POINTS)
    X = X[np.sort(np.unique(X, axis=0, return_index=True)[1])]
    if len(X) < 3:
        raise invalid("X", "an array with at least 3 different points", len(X))
    point = min(115, len(X) - 1) if point is None else point
    M = check_integer(M, "M", minimum=2, maximum=_MOST_M)
    ef = check_integer(ef_construction, "ef_construction", maximum=_MOST_EF)
    point = check_integer(point, "point", maximum=len(X) - 1)
    seed = check_integer(random_state, "random_state", minimum=0)
    return GraphBuild(X, point, M, ef, predict, seed)


def example() -> GraphBuild:
    """Make a small explorer for the tests."""
    return graph_build(default_map()[:30])

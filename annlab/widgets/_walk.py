"""``graph_walk``: the greedy walk of an HNSW graph, hop by hop and layer by layer."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from annlab._support.checks import check_integer
from annlab._support.errors import invalid
from annlab._support.types import Seed
from annlab.datasets import make_gaussian_mixture
from annlab.distances import k_nearest
from annlab.indexes.walk import Hop, NavigableGraph, greedy_walk
from annlab.widgets.base import Job, Prediction, slider, switch, three
from annlab.widgets.base.canvas import CanvasExplorer, check_handles, check_plane, handle_control
from annlab.widgets.base.scene import (
    circles,
    handles,
    legend,
    panel,
    path,
    points,
    segments,
    square_bounds,
    texts,
)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

_MOST_POINTS = 400
_MOST_EF = 24
BLUE, SKY, ORANGE, GREEN, RED = "#0072B2", "#56B4E9", "#E69F00", "#009E73", "#D55E00"


@dataclass(frozen=True)
class Walk:
    """A walk, and the truth that it looks for."""

    graph: NavigableGraph
    query: np.ndarray
    hops: list[Hop]
    #: true nearest node and its distance
    nearest: int
    distance: float

    @property
    def found_it(self) -> bool:
        """Whether the walk ends at the true nearest node (or at one as near)."""
        return self.hops[-1].best_distance <= self.distance * (1 + 1e-12)


class GraphWalk(CanvasExplorer):
    name = "graph_walk"
    title = "A greedy walk through a graph of neighbours"
    size = (840, 548)
    replay = True
    frame_word = "hop"
    hint = (
        "Mouse: drag the query, or click where it should go. "
        "Keys: Tab selects it, arrows move it (with Shift faster)."
    )

    def __init__(
        self,
        X: np.ndarray,
        query: Any,
        ef: int,
        M: int,
        random_state: Seed,
        predict: Prediction | None,
    ) -> None:
        self.X = X
        # one number for all graphs: changing M back and forth gives the same graph again
        self._seed = random_state
        self._graphs: dict[int, NavigableGraph] = {}
        self._guard = threading.Lock()
        self._rect = (162, 34, 446, 446)
        self._bounds = square_bounds(X, self._rect)
        x0, x1, y0, y1 = self._bounds
        super().__init__(
            handle_control(
                "query", [query], 1, 1, trials=[[[x0, y0]], [[x1, y1]], [X[0] + (x1 - x0) / 99]]
            ),
            [
                slider(
                    "ef",
                    "Memory ef",
                    "How many of the nearest nodes found so far the search in layer 0 remembers",
                    1,
                    _MOST_EF,
                    ef,
                ),
                slider("M", "Links M", "Links that a new node makes", 2, 8, M),
                switch(
                    "truth",
                    "Show the true nearest",
                    "Ring the point that is really nearest to the query",
                    recompute=False,
                ),
            ],
            predict=predict,
        )

    def _graph(self, M: int) -> NavigableGraph:
        with self._guard:
            if M not in self._graphs:
                self._graphs[M] = NavigableGraph.build(self.X, M=M, random_state=self._seed)
            return self._graphs[M]

    def compute(self, job: Job, query: Any, ef: int, M: int) -> Walk:
        graph, place = self._graph(M), np.array(query[0])
        distance, nearest = k_nearest(place[None], graph.vectors, 1)
        return Walk(
            graph, place, greedy_walk(graph, place, ef), int(nearest[0, 0]), float(distance[0, 0])
        )

    def frame_count(self, result: Walk) -> int:
        return len(result.hops) + 1

    def frame_after_drag(self, result: Walk) -> int:
        # while the query is dragged the whole walk is shown
        return len(result.hops)

    def sentence(self, result: Walk, frame: int, **values: Any) -> str:
        hops, n = result.hops, len(result.graph.vectors)
        if frame == 0:
            return (
                f"hop 0 of {len(hops)}: the walk enters layer {hops[0].layer} at point "
                f"{hops[0].node}, distance {three(hops[0].node_distance)}; 1 distance measured of "
                f"{n} that brute force measures" + self._truth(result, values) + "."
            )
        hop = hops[frame - 1]
        text = (
            f"hop {frame} of {len(hops)}, layer {hop.layer}, at point {hop.node}: "
            f"{len(hop.visited)} link{'s' * (len(hop.visited) != 1)} measured, "
            f"{len(hop.skipped)} skipped; best distance "
            f"{three(hop.best_distance)} after {hop.n_distances} of {n} distances"
        )
        if frame < len(hops):
            after = hops[frame]
            if after.layer < hop.layer:
                text += f"; no link is nearer, so the walk goes down to layer {after.layer}"
            return text + self._truth(result, values) + "."
        if result.found_it:
            return text + ": the end, and it found the true nearest point."
        return text + (
            f": the end, and it missed the true nearest point {result.nearest}, "
            f"at {three(result.distance)}."
        )

    def _truth(self, result: Walk, values: dict[str, Any]) -> str:
        if not values.get("truth"):
            return ""
        return f"; the true nearest is point {result.nearest}, at {three(result.distance)}"

    # -- the picture -----------------------------------------------------------------------------

    def scene(self, result: Walk, frame: int, **values: Any) -> dict[str, Any]:
        graph, hops = result.graph, result.hops
        layer = hops[max(frame - 1, 0)].layer
        reveal = values["truth"] or frame == len(hops)
        panels = [self._layer_panel(result, frame, 0, self._rect, layer == 0, reveal)]
        tops = range(graph.n_layers - 1, 0, -1)
        shown = list(tops)[-3:]
        for place, upper in enumerate(shown):
            rect = (2, 34 + place * 159, 138, 128)
            panels.append(self._layer_panel(result, frame, upper, rect, layer == upper, reveal))
        panels.append(self._list_panel(result, frame, values["ef"]))
        panels += [
            legend(
                (2, 490, 630, 26),
                [
                    ("s", "#000000", "here now", 108),
                    ("o", BLUE, "measured now", 142),
                    ("o", SKY, "measured before", 160),
                    ("D", ORANGE, "skipped: known already", 200),
                ],
            ),
            legend(
                (2, 518, 630, 26),
                [
                    ("X", RED, "query", 108),
                    ("*", GREEN, "best so far", 142),
                    ("o", "line", "never looked at", 160),
                ],
            ),
        ]
        return {
            "panels": panels,
            "handles": handles(
                result.query[None],
                name="query",
                color=RED,
                marker="X",
                size=9,
                low=1,
                high=1,
                places=True,
                glide=False,
            ),
        }

    def _layer_panel(
        self, result: Walk, frame: int, layer: int, rect: Any, active: bool, reveal: bool
    ) -> dict[str, Any]:
        graph = result.graph
        X, nodes = graph.vectors, graph.nodes(layer)
        done = [hop for hop in result.hops[:frame] if hop.layer == layer]
        now = done[-1] if done and result.hops[frame - 1].layer == layer else None
        large = layer == 0
        size = 5.0 if large else 4.0
        pairs = np.sort(graph.edges(layer), axis=1)
        pairs = np.unique(pairs, axis=0) if len(pairs) else pairs
        layers = [segments(np.hstack([X[pairs[:, 0]], X[pairs[:, 1]]]), color="line", width=0.9)]
        known = _measured_before(result, frame, layer)
        fresh = list(now.visited) if now else []
        skipped = [i for i in now.skipped if i != now.node] if now else []
        plain = np.setdiff1d(nodes, [*known, *fresh, *skipped])
        layers.append(points(X[plain], color="line", size=size - 1, edge="quiet", width=0.8))
        old = sorted(set(known) - set(fresh) - set(skipped))
        walked = _walked_links(result, frame, layer)
        layers.append(segments(_ends(X, walked), color="ink", width=2.4, alpha=0.9))
        layers.append(points(X[old], color=SKY, size=size, edge="ink", width=0.7))
        if now:
            looks = [(now.node, i) for i in now.neighbors]
            layers.append(segments(_ends(X, looks), color=BLUE, width=1.6))
            layers.append(
                points(X[skipped], color=ORANGE, marker="D", size=size, edge="ink", width=0.7)
            )
            layers.append(points(X[fresh], color=BLUE, size=size + 1, edge="ink", width=0.9))
        here = _standing(result, frame, layer)
        if here is not None:
            layers.append(
                points(X[[here]], color="ink", marker="s", size=size + 3, edge="paper", width=1.2)
            )
        best = _best(result, frame)
        if layer <= result.hops[max(frame - 1, 0)].layer and best in nodes:
            layers.append(
                points(X[[best]], color=GREEN, marker="*", size=size + 3, edge="ink", width=0.9)
            )
        if large and reveal:
            layers += self._truth_layers(result, X, best)
        if not large:
            layers.append(
                points(result.query[None], color=RED, marker="X", size=6, edge="ink", width=0.8)
            )
        words = (
            f"Layer {layer}: all {len(nodes)} points"
            if large
            else f"Layer {layer}, n = {len(nodes)}"
        )
        bounds = self._bounds if large else square_bounds(
            np.array(self._bounds).reshape(2, 2).T, rect, pad=0.0
        )  # fmt: skip
        return panel(rect, bounds, layers, title=words, active=active)

    def _truth_layers(self, result: Walk, X: np.ndarray, best: int) -> list[dict[str, Any]]:
        """A ring around the true nearest point, and its name."""
        x0, x1 = self._bounds[:2]
        place, color = X[[result.nearest]], GREEN if result.found_it else RED
        left = place[0, 0] > (x0 + x1) / 2
        # on the side where the walk's own end is not
        up = place[0, 1] > X[best, 1] or result.nearest == best
        words = "true nearest" + ("" if result.found_it else ", missed")
        return [
            circles(place, 0.028 * (x1 - x0), color=color, width=2.6),
            texts(
                place,
                [words],
                color=color,
                bold=True,
                align="right" if left else "left",
                dx=-18 if left else 18,
                dy=20 if up else -20,
            ),
        ]

    def _list_panel(self, result: Walk, frame: int, ef: int) -> dict[str, Any]:
        """The nearest nodes remembered, as bars, and which of them the walk has left."""
        found, distances, waiting = _remembered(result, frame)
        farthest = max(hop.node_distance for hop in result.hops) or 1.0
        rect = (634, 34, 204, 446)
        rows = np.arange(len(found))
        bars = np.column_stack([np.zeros(len(found)), rows, distances, rows])
        waits = np.array([node in waiting for node in found], dtype=bool)
        layers = [
            segments(bars[~waits], color=SKY, width=10),
            segments(bars[waits], color=BLUE, width=10),
        ]
        names = [f"{node}{'' if wait else ' ✓'}" for node, wait in zip(found, waits, strict=True)]
        layers.append(texts(bars[:, 2:], names, dx=6))
        limit = result.hops[max(frame - 1, 0)]
        deep = max(8, ef)
        if frame and limit.layer == 0 and len(found) == ef:
            # a waiting node beyond this line ends the walk
            layers.append(
                path(
                    [[distances[-1], -0.6], [distances[-1], deep - 0.4]],
                    color=RED,
                    width=1.4,
                    dash=(5, 4),
                )
            )
        return panel(
            rect,
            (0.0, 1.45 * farthest, deep - 0.4, -0.6),
            layers,
            title="Nearest remembered",
            axes=True,
            xlabel="distance (✓ walked from)",
        )


def _ends(X: np.ndarray, pairs: Any) -> np.ndarray:
    rows = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return np.hstack([X[rows[:, 0]], X[rows[:, 1]]])


def _best(result: Walk, frame: int) -> int:
    return result.hops[frame - 1].best if frame else result.hops[0].node


def _standing(result: Walk, frame: int, layer: int) -> int | None:
    """Node of a layer where the walk stands, or where it left the layer."""
    if frame == 0:
        return result.hops[0].node if layer == result.hops[0].layer else None
    done = [hop for hop in result.hops[:frame] if hop.layer == layer]
    return done[-1].node if done else None


def _measured_before(result: Walk, frame: int, layer: int) -> list[int]:
    """Nodes of a layer whose distance was known before the hop that is shown."""
    before = [hop for hop in result.hops[: max(frame - 1, 0)] if hop.layer == layer]
    nodes = [i for hop in before for i in hop.visited]
    first = next((hop for hop in result.hops if hop.layer == layer), None)
    if first is not None and (before or (frame and result.hops[frame - 1].layer == layer)):
        nodes.append(first.node)
    return nodes


def _walked_links(result: Walk, frame: int, layer: int) -> list[tuple[int, int]]:
    """Links by which the walk reached the nodes it walked from."""
    links: list[tuple[int, int]] = []
    parent: dict[int, int] = {}
    for hop in result.hops[:frame]:
        if hop.layer != layer:
            continue
        if hop.node in parent:
            links.append((parent[hop.node], hop.node))
        for node in hop.visited:
            parent.setdefault(node, hop.node)
    return links


def _remembered(result: Walk, frame: int) -> tuple[list[int], np.ndarray, set[int]]:
    if frame == 0:
        first = result.hops[0]
        return [first.node], np.array([first.node_distance]), {first.node}
    hop = result.hops[frame - 1]
    return list(hop.found), np.array(hop.found_distances), set(hop.waiting)


def graph_walk(
    X: ArrayLike | None = None,
    *,
    query: Any = None,
    ef: int = 3,
    M: int = 3,
    random_state: int = 7,
    predict: Prediction | None = None,
) -> GraphWalk:
    """Follow the greedy search of an HNSW graph, hop by hop and layer by layer.

    Parameters
    ----------
    X : array-like of shape (n, 2), optional
        At most 400 points of a plane; points around several centres by default.
    query : array-like of shape (2,), optional
        Where the query begins; it can be dragged. By default the middle of X.
    ef : int, default=3
        Nodes that the search in layer 0 remembers, 1 to 24.
    M : int, default=3
        Links that a new node makes, 2 to 8.
    random_state : int, default=7
        Draws the layers of the nodes.
    predict : Prediction, optional

    Returns
    -------
    Explorer
        Frame 0 is the entry point; each further frame is a hop of
        `annlab.indexes.walk.greedy_walk`.

    Raises
    ------
    TypeError, ValueError
    MissingExtraError
        If anywidget is not installed.

    Notes
    -----
    Malkov & Yashunin 2018, doi 10.1109/TPAMI.2018.2889473.

    Examples
    --------
    >>> from annlab import widgets
    >>> walk = widgets.graph_walk(ef=1)
    >>> walk.run().result.hops[-1].n_distances < len(walk.X)
    True
    """
    if X is None:
        X, query = default_map(), (0.45, 0.3) if query is None else query
    X = check_plane(X, most=_MOST_POINTS)
    ef = check_integer(ef, "ef", maximum=_MOST_EF)
    M = check_integer(M, "M", minimum=2, maximum=8)
    random_state = check_integer(random_state, "random_state", minimum=0)
    if query is None:
        query = (X.min(axis=0) + X.max(axis=0)) / 2
    try:
        query = check_handles(np.reshape(query, (1, -1)), "query", 1, 1)[0]
    except (TypeError, ValueError) as reason:
        raise invalid("query", "two finite numbers", repr(query)) from reason
    return GraphWalk(X, query, ef, M, random_state, predict)


def default_map() -> np.ndarray:
    """Points around eight centres.

    Returns
    -------
    ndarray of shape (150, 2), float64
    """
    X = make_gaussian_mixture(
        150, 9, 2, weight_sigma=0.3, center_scale=2.4, random_state=11, dtype=np.float64
    ).X
    # stretched to fill a square picture
    return (X - X.min(axis=0)) / np.ptp(X, axis=0)


def example() -> GraphWalk:
    """A small one, for the tests of all explorers."""
    return graph_walk(default_map()[:30], ef=2)

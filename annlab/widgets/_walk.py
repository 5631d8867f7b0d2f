"""The greedy walk of an HNSW graph, hop by hop and layer by layer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from annlab._support.checks import check_integer
from annlab._support.errors import invalid
from annlab.datasets import make_gaussian_mixture
from annlab.distances import k_nearest
from annlab.indexes.walk import Hop, NavigableGraph, greedy_walk
from annlab.widgets.base import Job, Prediction, Store, slider, switch, three
from annlab.widgets.base.canvas import CanvasExplorer, check_handles, check_plane, handle_control
from annlab.widgets.base.scene import (
    Part,
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
    """A walk, and the node that it looks for."""

    graph: NavigableGraph
    query: np.ndarray
    hops: list[Hop]
    #: true nearest node and its distance
    nearest: int
    distance: float

    @property
    def found_it(self) -> bool:
        """Whether the walk ends at the nearest node (or at one equally near)."""
        return self.hops[-1].best_distance <= self.distance * (1 + 1e-12)

    def hop(self, frame: int) -> Hop:
        """Return the hop of a frame; frame 0 has the first one, not yet made."""
        return self.hops[max(frame - 1, 0)]

    def done(self, frame: int, layer: int) -> list[Hop]:
        """Return the hops up to a frame within a layer."""
        return [hop for hop in self.hops[:frame] if hop.layer == layer]


class GraphWalk(CanvasExplorer):
    """The explorer that `graph_walk` makes."""

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
        query: list[float],
        ef: int,
        M: int,
        random_state: int,
        predict: Prediction | None,
    ) -> None:
        self.X = X
        # one seed for all graphs: changing M back and forth gives the same graph again
        self._seed = random_state
        self._graphs = Store(8)
        self._rect = (162, 34, 446, 446)
        self._bounds = square_bounds(X, self._rect)
        x0, x1, y0, y1 = self._bounds
        trials = [[[x0, y0]], [[x1, y1]], [X[0] + (x1 - x0) / 99]]
        remembered = "How many of the nearest nodes found so far the search in layer 0 remembers"
        controls = [
            slider("ef", "Memory ef", remembered, 1, _MOST_EF, ef),
            slider("M", "Links M", "Links that a new node makes", 2, 8, M),
            switch(
                "truth",
                "Show the true nearest",
                "Ring the point that is really nearest to the query",
            ),
        ]
        start = handle_control("query", [query], 1, 1, trials)
        super().__init__(start, controls, predict=predict)

    def _graph(self, M: int) -> NavigableGraph:
        return NavigableGraph.build(self.X, M=M, random_state=self._seed)

    def compute(self, job: Job, query: list[list[float]], ef: int, M: int) -> Walk:
        graph, place = self._graphs.get(M, self._graph, M), np.array(query[0])
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
        truth = f"the true nearest is point {result.nearest}, at {three(result.distance)}"
        aside = f"; {truth}." if values.get("truth") else "."
        if frame == 0:
            return (
                f"hop 0 of {len(hops)}: the walk enters layer {hops[0].layer} at point "
                f"{hops[0].node}, distance {three(hops[0].node_distance)}; 1 distance measured of "
                f"{n} that brute force measures{aside}"
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
            return text + aside
        if result.found_it:
            return f"{text}: the end, and it found the true nearest point."
        return (
            f"{text}: the end, and it missed the true nearest point {result.nearest}, "
            f"at {three(result.distance)}."
        )

    # -- the picture -----------------------------------------------------------------------------

    def scene(self, result: Walk, frame: int, **values: Any) -> Part:
        active = result.hop(frame).layer
        reveal = values["truth"] or frame == len(result.hops)
        panels = [self._layer_panel(result, frame, 0, self._rect, active == 0)]
        if reveal:
            panels[0]["layers"] += self._truth_layers(result, _best(result, frame))
        # a column has room for three
        upper = list(range(result.graph.n_layers - 1, 0, -1))[-3:]
        for place, layer in enumerate(upper):
            rect = (2, 34 + place * 159, 138, 128)
            panels.append(self._layer_panel(result, frame, layer, rect, active == layer))
        panels += [
            self._list_panel(result, frame, values["ef"]),
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
        query: dict[str, Any] = {"color": RED, "marker": "X", "size": 9, "glide": False}
        moved = handles(result.query[None], name="query", low=1, high=1, places=True, **query)
        return {"panels": panels, "handles": moved}

    def _layer_panel(
        self, result: Walk, frame: int, layer: int, rect: tuple[int, ...], active: bool
    ) -> Part:
        graph, X = result.graph, result.graph.vectors
        nodes, done = graph.nodes(layer), result.done(frame, layer)
        now = done[-1] if done and result.hop(frame).layer == layer else None
        size = 5.0 if layer == 0 else 4.0
        known = _measured_before(result, frame, layer)
        fresh = set(now.visited) if now else set()
        skipped = set(now.skipped) - {now.node} if now else set()
        plain = sorted({*nodes} - known - fresh - skipped)
        old = sorted(known - fresh - skipped)

        def dots(rows: Iterable[int], color: str, grow: float = 0.0, **style: Any) -> Part:
            look = {"edge": "ink", "width": 0.7, **style}
            return points(X[list(rows)], color=color, size=size + grow, **look)

        links = np.unique(np.sort(graph.edges(layer), axis=1), axis=0)
        layers = [
            segments(_ends(X, links), color="line", width=0.9),
            dots(plain, "line", -1, edge="quiet", width=0.8),
            segments(_ends(X, _walked_links(done)), color="ink", width=2.4, alpha=0.9),
            dots(old, SKY),
        ]
        if now:
            looks = [(now.node, i) for i in now.neighbors]
            layers += [
                segments(_ends(X, looks), color=BLUE, width=1.6),
                dots([i for i in now.skipped if i in skipped], ORANGE, marker="D"),
                dots(now.visited, BLUE, 1, width=0.9),
            ]
        here = done[-1] if done else result.hops[0]
        if here.layer == layer:
            layers.append(dots([here.node], "ink", 3, marker="s", edge="paper", width=1.2))
        best = _best(result, frame)
        if layer <= result.hop(frame).layer and best in nodes:
            layers.append(dots([best], GREEN, 3, marker="*", width=0.9))
        bounds, words = self._bounds, f"Layer 0: all {len(nodes)} points"
        if layer:
            query = result.query[None]
            layers.append(points(query, color=RED, marker="X", size=6, edge="ink", width=0.8))
            corners = np.array(self._bounds).reshape(2, 2).T
            bounds = square_bounds(corners, rect, pad=0.0)
            words = f"Layer {layer}, n = {len(nodes)}"
        return panel(rect, bounds, layers, title=words, active=active)

    def _truth_layers(self, result: Walk, best: int) -> list[Part]:
        """Draw a ring around the true nearest point, and its name."""
        X, (x0, x1) = result.graph.vectors, self._bounds[:2]
        place, color = X[[result.nearest]], GREEN if result.found_it else RED
        share = (place[0, 0] - x0) / (x1 - x0)
        # on the side away from the walk's own end
        up = place[0, 1] > X[best, 1] or result.nearest == best
        words = "true nearest" + ("" if result.found_it else ", missed")
        align = "left" if share < 0.2 else "right" if share > 0.8 else "center"
        return [
            circles(place, 0.028 * (x1 - x0), color=color, width=2.6),
            texts(place, [words], color=color, bold=True, dy=34 if up else -34, align=align),
        ]

    def _list_panel(self, result: Walk, frame: int, ef: int) -> Part:
        """Draw the list of nearest nodes as bars, and mark the visited ones."""
        hop = result.hop(frame)
        found, distances, waiting = hop.found, np.array(hop.found_distances), hop.waiting
        if frame == 0:
            found, distances, waiting = (hop.node,), np.array([hop.node_distance]), (hop.node,)
        rows = np.arange(len(found))
        bars = np.column_stack([np.zeros(len(found)), rows, distances, rows])
        waits = np.isin(found, list(waiting))
        names = [f"{node}{'' if wait else ' ✓'}" for node, wait in zip(found, waits, strict=True)]
        layers = [
            segments(bars[~waits], color=SKY, width=10),
            segments(bars[waits], color=BLUE, width=10),
            texts(bars[:, 2:], names, dx=6),
        ]
        deep = max(8, ef)
        if frame and hop.layer == 0 and len(found) == ef:
            # a waiting node beyond this line ends the walk
            limit = [[distances[-1], -0.6], [distances[-1], deep - 0.4]]
            layers.append(path(limit, color=RED, width=1.4, dash=(5, 4)))
        farthest = max(hop.node_distance for hop in result.hops) or 1.0
        return panel(
            (634, 34, 204, 446),
            (0.0, 1.45 * farthest, deep - 0.4, -0.6),
            layers,
            title="Nearest remembered",
            axes=True,
            xlabel="distance (✓ walked from)",
        )


def _ends(X: np.ndarray, pairs: ArrayLike) -> np.ndarray:
    rows = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return np.hstack([X[rows[:, 0]], X[rows[:, 1]]])


def _best(result: Walk, frame: int) -> int:
    return result.hops[frame - 1].best if frame else result.hops[0].node


def _measured_before(result: Walk, frame: int, layer: int) -> set[int]:
    """Return the nodes of a layer whose distances were known before this hop."""
    before = result.done(frame - 1, layer) if frame else []
    nodes = {i for hop in before for i in hop.visited}
    if result.done(frame, layer):
        nodes.add(next(hop.node for hop in result.hops if hop.layer == layer))
    return nodes


def _walked_links(hops: list[Hop]) -> list[tuple[int, int]]:
    """Return the links along which the walk moved."""
    links: list[tuple[int, int]] = []
    parent: dict[int, int] = {}
    for hop in hops:
        if hop.node in parent:
            links.append((parent[hop.node], hop.node))
        for node in hop.visited:
            parent.setdefault(node, hop.node)
    return links


def graph_walk(
    X: ArrayLike | None = None,
    *,
    query: ArrayLike | None = None,
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
        start = check_handles(np.reshape(query, (1, -1)), "query", 1, 1)[0]
    except (TypeError, ValueError) as reason:
        raise invalid("query", "two finite numbers", repr(query)) from reason
    return GraphWalk(X, start, ef, M, random_state, predict)


def default_map() -> np.ndarray:
    """Make 150 points of a plane, around nine centres."""
    X = make_gaussian_mixture(
        150, 9, 2, weight_sigma=0.3, center_scale=2.4, random_state=11, dtype=np.float64
    ).X
    # stretched to fill a square picture
    return (X - X.min(axis=0)) / np.ptp(X, axis=0)


def example() -> GraphWalk:
    """Make a small explorer for the tests."""
    return graph_walk(default_map()[:30], ef=2)

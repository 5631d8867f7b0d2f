"""Pictures of searches and comparisons."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from annlab._support.errors import invalid
from annlab.plotting._axes import (
    OUTLIER_COLOR,
    by_name,
    cluster_color,
    cluster_marker,
    drawing_axes,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


#: Floors of exact k-means: key in the comparison, colour, line style, label.
_FLOORS = (
    (
        "gemm_iteration_s",
        "black",
        ":",
        "10 exact iterations at the measured peak of matrix products",
    ),
    (
        "memory_iteration_s",
        OUTLIER_COLOR,
        "-.",
        "10 reads of the rows at the measured rate of memory",
    ),
)


def plot_recall_speed(curves: object, *, ax: Axes | None = None, all_settings: bool = True) -> Axes:
    """Draw queries per second against recall, with the exact baseline.

    Parameters
    ----------
    curves : RecallSpeedCurve, a list of them, or a dict of name to curve
        From `annlab.benchmarks.recall_speed_curve`.
    ax : matplotlib Axes, optional
    all_settings : bool, default=True
        Also draw, faintly, the settings that others dominate.

    Returns
    -------
    matplotlib Axes
        Lines join the settings that no other one of the same index dominates.

    Raises
    ------
    TypeError, ValueError

    Examples
    --------
    >>> import numpy as np
    >>> from matplotlib.figure import Figure
    >>> from annlab.benchmarks import recall_speed_curve
    >>> from annlab.plotting import plot_recall_speed
    >>> X = np.random.RandomState(0).rand(400, 8)
    >>> curve = recall_speed_curve("lsh", X, knobs={"n_probes": [1, 8]}, repeats=1)
    >>> ax = plot_recall_speed(curve, ax=Figure().add_subplot())
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['lsh', 'brute force (exact)']
    """
    named = by_name(curves, "index")
    for name, curve in named.items():
        if not hasattr(curve, "exact") or not hasattr(curve, "front"):
            raise invalid(
                "curves",
                "results of recall_speed_curve",
                f"{name or 'the curve'}: {type(curve).__name__}",
                error=TypeError,
            )
    if not named:
        raise invalid("curves", "at least one curve", "none")
    ax = drawing_axes(ax)
    for number, (name, curve) in enumerate(named.items()):
        title = name if isinstance(curves, Mapping) else curve.algorithm
        color, marker = cluster_color(number), cluster_marker(number)
        front = curve.front()
        ax.plot(
            [point.recall for point in front],
            [point.queries_per_s for point in front],
            color=color,
            marker=marker,
            label=title,
        )
        if all_settings:
            ax.scatter(
                [point.recall for point in curve],
                [point.queries_per_s for point in curve],
                s=10,
                color=color,
                alpha=0.35,
                linewidths=0,
            )
    exact = [curve.exact.queries_per_s for curve in named.values()]
    speed = float(np.median(exact))
    ax.axhline(speed, color="black", linestyle="--", linewidth=1)
    ax.plot(
        [1.0], [speed], "*", color="black", markersize=13, label="brute force (exact)", zorder=5
    )
    first = next(iter(named.values()))
    ax.set_yscale("log")
    ax.set_xlabel(f"recall@{first.n_neighbors}")
    ax.set_ylabel("queries per second")
    ax.set_title(f"{first.n_samples:,} points, {first.n_features} features")
    ax.grid(alpha=0.3, which="both")
    ax.legend()
    return ax


def plot_time_to_quality(
    comparison: Any, *, ax: Axes | None = None, peers: Iterable[str] | None = None
) -> Axes:
    """Draw the peers' inertia against time, with the floor of exact k-means.

    Parameters
    ----------
    comparison : Comparison
        From `annlab.benchmarks.compare`.
    ax : matplotlib Axes, optional
    peers : iterable of str, optional
        Keys of the peers to draw; all that have a run by default.

    Returns
    -------
    matplotlib Axes
        Lower and further left is better. A mark with a dark edge is a library's default run.

    Raises
    ------
    TypeError, ValueError
    """
    if not hasattr(comparison, "curve") or not hasattr(comparison, "reference"):
        raise invalid(
            "comparison", "a result of compare", type(comparison).__name__, error=TypeError
        )
    keys = comparison.keys() if peers is None else list(peers)
    if not keys:
        raise invalid("peers", "at least one peer with a run", "none")
    ax = drawing_axes(ax, figsize=(9, 6))
    # other peers first, so that annlab's lines are drawn above theirs
    for number, key in enumerate(sorted(keys, key=lambda key: comparison.peer(key)["is_ours"])):
        _draw_peer(ax, comparison.peer(key), comparison.curve(key), number)
    for name, color, style, label in _FLOORS:
        if comparison.floors.get(name):
            seconds = 10 * comparison.floors[name]
            ax.axvline(seconds, color=color, linestyle=style, linewidth=1.2, label=label)
    ax.axhline(1.0, color=OUTLIER_COLOR, linewidth=0.8)
    ax.set_xscale("log")
    for axis in (ax.xaxis.set_major_formatter, ax.xaxis.set_minor_formatter):
        axis(_plain_seconds)
    ax.set_xlabel(f"seconds, whole call, {comparison.threads} threads")
    ax.set_ylabel("inertia / inertia of 25 exact iterations from a random start")
    data = comparison.data
    ax.set_title(
        f"{data['name']}: n = {data['n']:,}, d = {data['d']}, k = {comparison.n_clusters:,}"
    )
    low, high = _ratio_range(comparison, keys)
    ax.set_ylim(low, high)
    ax.grid(alpha=0.3, which="both")
    ax.legend(fontsize="x-small", loc="best")
    return ax


def _draw_peer(ax: Axes, peer: dict[str, Any], points: list[dict[str, Any]], number: int) -> None:
    """Draw a peer's ladder as a line, and its default run as a mark."""
    color, marker = cluster_color(number), cluster_marker(number)
    ladder = [point for point in points if not point["rung"].get("defaults")]
    own = [point for point in points if point["rung"].get("defaults")]
    ours = peer["is_ours"]
    ax.plot(
        [point["seconds"] for point in ladder],
        [point["ratio"] for point in ladder],
        color=color,
        marker=marker,
        markersize=6 if ours else 4,
        linewidth=2.4 if ours else 1.2,
        linestyle="-" if ours else "--",
        label=peer["label"] if ladder else None,
    )
    ax.plot(
        [point["seconds"] for point in own],
        [point["ratio"] for point in own],
        linestyle="none",
        color=color,
        marker=marker,
        markersize=9,
        markeredgecolor="black",
        label=None if ladder else peer["label"],
    )


def _plain_seconds(value: float, position: float | None = None) -> str:
    """Label seconds at 1, 2 and 5 of every power of ten."""
    digit = f"{value:e}"[0]
    return f"{value:g}" if digit in "125" else ""


def _ratio_range(comparison: Any, keys: Sequence[str]) -> tuple[float, float]:
    """Return the range of ratios to show, without the worst ones."""
    ratios = [point["ratio"] for key in keys for point in comparison.curve(key)]
    low = min([*ratios, 1.0])
    high = max(min(max(ratios), 1.0 + 2.0 * (1.0 - low), 1.3), 1.1)
    margin = 0.04 * (high - low)
    return low - margin, high + margin

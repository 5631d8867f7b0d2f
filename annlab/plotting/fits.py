"""Pictures of fits: convergence, elbow, silhouettes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from annlab._support.checks import (
    check_choice,
    check_data,
    check_integer,
    check_items,
    check_random_state,
)
from annlab._support.errors import invalid
from annlab._support.types import LabelsLike, MatrixLike, Seed
from annlab.metrics import ClusterScan, check_labels
from annlab.plotting._axes import (
    OUTLIER_COLOR,
    PALETTE,
    by_name,
    cluster_color,
    cluster_marker,
    drawing_axes,
    finite_numbers,
    sample_rows,
    shown_rows,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_convergence(
    results: object, *, ax: Axes | None = None, against: str = "iteration", relative: bool = False
) -> Axes:
    """Draw the inertia of each step.

    Parameters
    ----------
    results : KMeansResult, Trace, a list of them, or a dict of name to either
    ax : matplotlib Axes, optional
    against : {"iteration", "seconds"}, default="iteration"
    relative : bool, default=False
        Divide by the lowest inertia of all of them.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    TypeError, ValueError

    Examples
    --------
    >>> import numpy as np
    >>> from matplotlib.figure import Figure
    >>> from annlab import kmeans
    >>> from annlab.plotting import plot_convergence
    >>> result = kmeans(np.random.RandomState(0).rand(100, 2), 5, random_state=0)
    >>> plot_convergence({"exact": result}, ax=Figure().add_subplot()).get_ylabel()
    'inertia'
    """
    check_choice(against, "against", ("iteration", "seconds"))
    lines = []
    for name, item in by_name(results, "fit").items():
        trace = getattr(item, "trace", item)
        if not hasattr(trace, "inertia") or not len(trace):
            raise invalid(
                "results",
                "results or traces with at least one step",
                f"{name or 'the result'}: {type(item).__name__} without steps",
            )
        xs = (
            np.cumsum(trace.elapsed_s)
            if against == "seconds"
            else np.array([step.iteration for step in trace])
        )
        lines.append((name, xs, np.asarray(trace.inertia)))
    ax = drawing_axes(ax)
    lowest = min(float(values.min()) for _, _, values in lines) if relative else 1.0
    for number, (name, xs, values) in enumerate(lines):
        ax.plot(
            xs,
            values / (lowest or 1.0),
            color=cluster_color(number),
            marker=cluster_marker(number),
            markersize=4,
            label=name or None,
        )
    ax.set_xlabel("seconds" if against == "seconds" else "iteration")
    ax.set_ylabel("inertia / lowest inertia" if relative else "inertia")
    if any(name for name, _, _ in lines):
        ax.legend()
    ax.grid(alpha=0.3)
    return ax


def plot_elbow(
    n_clusters: Sequence[int],
    inertias: Sequence[object],
    *,
    ax: Axes | None = None,
    chosen: int | None = None,
) -> Axes:
    """Draw inertia against the number of clusters.

    Parameters
    ----------
    n_clusters : sequence of int
    inertias : sequence of float, or of results
    ax : matplotlib Axes, optional
    chosen : int, optional
        Number of clusters to mark.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    TypeError, ValueError

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from annlab.plotting import plot_elbow
    >>> ax = plot_elbow([1, 2, 3], [9.0, 2.0, 1.8], chosen=2, ax=Figure().add_subplot())
    >>> ax.get_xlabel()
    'number of clusters k'
    """
    rule = "a sequence of numbers, one for each fit"
    ks = finite_numbers(check_items(n_clusters, "n_clusters", rule), "n_clusters")
    items = check_items(inertias, "inertias", rule)
    values = finite_numbers([getattr(item, "inertia", item) for item in items], "inertias")
    if ks.ndim != 1 or ks.shape != values.shape or not len(ks):
        raise invalid(
            "inertias", f"one value for each of the {ks.size} numbers of clusters", len(values)
        )
    if chosen is not None and check_integer(chosen, "chosen") not in ks:
        raise invalid("chosen", f"one of n_clusters ({', '.join(map(str, ks))})", chosen)
    order = np.argsort(ks)
    ax = drawing_axes(ax)
    ax.plot(ks[order], values[order], color=PALETTE[0], marker="o")
    if chosen is not None:
        ax.axvline(chosen, color=PALETTE[5], linestyle="--", label=f"k = {chosen}")
        ax.legend()
    ax.set_xlabel("number of clusters k")
    ax.set_ylabel("inertia")
    ax.set_ylim(bottom=0)
    ax.xaxis.get_major_locator().set_params(integer=True)  # type: ignore[call-arg]
    ax.grid(alpha=0.3)
    return ax


def plot_scan(scan: ClusterScan, *, ax: Axes | None = None) -> Axes:
    """Draw the scores of a scan against k: silhouette, stability and inertia.

    Parameters
    ----------
    scan : ClusterScan
        From `annlab.scan_n_clusters`.
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
        A dashed line marks ``scan.best_k``.

    Raises
    ------
    TypeError

    Examples
    --------
    >>> import numpy as np
    >>> from matplotlib.figure import Figure
    >>> from annlab import scan_n_clusters
    >>> from annlab.plotting import plot_scan
    >>> X = np.random.RandomState(0).rand(100, 2)
    >>> scan = scan_n_clusters(X, 2, 6, n_resamples=0, random_state=0)
    >>> plot_scan(scan, ax=Figure().add_subplot()).get_title()
    'no k stands out'
    """
    if not isinstance(scan, ClusterScan):
        raise invalid("scan", "a result of scan_n_clusters", type(scan).__name__, error=TypeError)
    ax = drawing_axes(ax)
    ks = scan.n_clusters
    for number, name in enumerate(("silhouette", "stability")):
        values = getattr(scan, name)
        if np.isfinite(values).any():
            color, marker = cluster_color(number), cluster_marker(number)
            ax.plot(ks, values, color=color, marker=marker, markersize=4, label=name)
    right = ax.twinx()
    right.plot(ks, scan.inertia, color=OUTLIER_COLOR, linestyle=":")
    right.set_ylim(bottom=0)
    right.set_ylabel("inertia (dotted)")
    if scan.best_k is not None:
        ax.axvline(scan.best_k, color=PALETTE[5], linestyle="--")
    ax.set_xlabel("number of clusters k")
    ax.set_ylim(0, 1.05)
    ax.set_title(scan.answer)
    ax.grid(alpha=0.3)
    ax.legend()
    return ax


def plot_silhouette(
    X: MatrixLike,
    labels: LabelsLike,
    *,
    ax: Axes | None = None,
    metric: str = "euclidean",
    max_points: int = 2_000,
    random_state: Seed = 0,
) -> Axes:
    """Draw the silhouette of every point, cluster by cluster, and their mean.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n, d)
    labels : array-like of shape (n,), or a result
        −1 is left out.
    ax : matplotlib Axes, optional
    metric : {"euclidean", "cosine"}, default="euclidean"
    max_points : int, default=2,000
        Score a sample of more points, each compared with all.
    random_state : None, int, RandomState or Generator, default=0

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    TypeError, ValueError
        Also for a single cluster.

    Notes
    -----
    O(max_points·n·d). Rousseeuw (1987), doi 10.1016/0377-0427(87)90125-7.

    Examples
    --------
    >>> import numpy as np
    >>> from matplotlib.figure import Figure
    >>> from annlab.plotting import plot_silhouette
    >>> X = np.array([[0.0], [1.0], [9.0], [10.0]])
    >>> plot_silhouette(X, [0, 0, 1, 1], ax=Figure().add_subplot()).get_title()
    'mean silhouette 0.889, 4 points'
    """
    from annlab.distances import unit_rows
    from annlab.metrics import silhouette_of_rows

    check_choice(metric, "metric", ("euclidean", "cosine"))
    X = check_data(X, accept_sparse=True)
    codes = check_labels(labels, "labels", X.shape[0])
    if (codes < 0).any():
        X, codes = X[codes >= 0], codes[codes >= 0]
    names, codes = np.unique(codes, return_inverse=True)
    if not 2 <= len(names) < len(codes):
        raise invalid(
            "labels",
            "of 2 to n − 1 clusters",
            f"{len(names)} cluster{'s' * (len(names) != 1)} of {len(codes)} points",
            "The silhouette compares a cluster with the nearest other one.",
        )
    if metric == "cosine":
        X, _ = unit_rows(X)
    n = len(codes)
    sample = sample_rows(
        n, check_integer(max_points, "max_points"), check_random_state(random_state)
    )
    rows = np.arange(n) if sample is None else sample
    values = silhouette_of_rows(X, codes, rows, len(names), metric=metric)
    ax = drawing_axes(ax)
    base = 0
    for place, name in enumerate(names):
        part = np.sort(values[codes[rows] == place])
        ax.fill_betweenx(
            np.arange(base, base + len(part)), 0, part, color=cluster_color(place), linewidth=0
        )
        if len(names) <= 30 and len(part):
            ax.text(-0.02, base + len(part) / 2, str(name), ha="right", va="center")
        base += len(part) + max(1, len(rows) // 100)
    mean = float(values.mean())
    ax.axvline(mean, color="black", linestyle="--", linewidth=1)
    ax.set_xlim(min(-0.1, float(values.min())), 1)
    ax.set_yticks([])
    ax.set_xlabel("silhouette")
    ax.set_ylabel("points, by cluster")
    ax.set_title(f"mean silhouette {mean:.3f}, {shown_rows(n, sample)}")
    return ax

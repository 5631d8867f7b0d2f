"""``scaling_explorer``: measured speed-up, Amdahl's law, parts of the time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from annlab._support.checks import check_choice, check_data, check_n_clusters
from annlab._support.threads import available_cpus
from annlab.benchmarks.machine import OtherLoad
from annlab.benchmarks.scaling import (
    PARTS,
    WAYS,
    IterationCost,
    amdahl,
    measure_iteration,
    predict_parts,
)
from annlab.datasets import load_patches
from annlab.widgets.base import (
    ALARM,
    INK,
    PALETTE,
    PAPER,
    QUIET,
    Explorer,
    Job,
    Predict,
    Prediction,
    Store,
    ask,
    chart,
    choice,
    ladder,
    three,
)
from annlab.widgets.base.jobs import CLOCK
from annlab.widgets.base.marks import curve, legend, ringed, write
from annlab.widgets.base.rows import digest

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike

_NS = (2_000, 20_000, 100_000)
_JOBS = (1, 2, 4, 8, 16)
_CHUNKS = {"own rule": 0, "256": 256, "2,048": 2_048, "16,384": 16_384, "all rows": 1 << 40}
_TITLES = {
    "threads": "threads, nothing sent",
    "processes": "processes, one pool",
    "new processes": "processes, new pool each iteration",
}
_HATCHES = ("", "//", "..", "xx", "\\\\")
_REPEATS = 3
#: Answers of the prediction.
_ANSWERS = ("slower", "up to twice as fast", "more than twice as fast")
#: Cores that other programs keep busy at which the sentence warns.
_NOISE = 0.5
_known = Store(300)
#: Cores that other programs kept busy, by what was measured.
_others: dict[tuple[object, ...], float] = {}


@dataclass(frozen=True, eq=False)
class Scaling:
    """One iteration, spread over more and more workers."""

    #: with annlab's threads on one core, which speed-ups are counted from
    alone: IterationCost
    #: by the number of workers, as far as there are cores
    measured: dict[int, IterationCost]
    #: on one core with annlab's own chunks
    own: IterationCost
    #: cores that other programs kept busy; None if unknown
    others: float | None = None

    def parts(self, n_jobs: int) -> dict[str, float]:
        """Return the seconds of each part: measured, or predicted beyond the cores."""
        if n_jobs in self.measured:
            return self.measured[n_jobs].parts
        return predict_parts(self.measured[max(self.measured)], n_jobs)

    def speed_up(self, n_jobs: int) -> float:
        """Return the speed-up over one core."""
        return self.alone.total_s / sum(self.parts(n_jobs).values())

    @property
    def same_bits(self) -> bool:
        """Whether all numbers of workers gave the same bits."""
        return all(self.alone.same_bits(cost) for cost in self.measured.values())

    @property
    def noisy(self) -> bool:
        """Whether other programs disturbed the clock."""
        return self.others is not None and self.others >= _NOISE

    @property
    def drift(self) -> float:
        """Largest difference of any centroid coordinate from annlab's own chunks."""
        return float(np.abs(self.alone.centroids - self.own.centroids).max())

    @property
    def same_labels(self) -> bool:
        """Whether annlab's own chunks gave the same labels."""
        return bool(np.array_equal(self.alone.labels, self.own.labels))


@lru_cache(maxsize=1)
def _patches() -> np.ndarray:
    return load_patches(max(_NS), 4, random_state=0).astype(np.float64)


def _answer(speed_up: float) -> str:
    return _ANSWERS[int(speed_up >= 1) + int(speed_up > 2)]


class ScalingExplorer(Explorer):
    """The explorer that `scaling_explorer` makes."""

    name = "scaling_explorer"
    title = "What do more cores bring, and where does the time go?"
    size = (840, 470)
    slow = True

    def __init__(
        self, X: ArrayLike | None, n_clusters: int, max_samples: int, predict: Predict
    ) -> None:
        self.own, self.mark = None, ""
        ns: tuple[int, ...] = tuple(n for n in _NS if n <= max_samples)
        if X is not None:
            self.own = np.ascontiguousarray(check_data(X, min_rows=30), dtype=np.float64)
            self.mark = digest(self.own)
            most = min(len(self.own), max_samples)
            ns = tuple(sorted({max(10, most // 10), max(10, most // 3), most}))
        if len(ns) < 2:
            check_choice(max_samples, "max_samples", _NS[1:])
        self.n_clusters = check_n_clusters(n_clusters, max(ns))
        self.cores = available_cpus()
        n = ns[1]
        controls = [
            ladder("n", "Points n", "How many points an iteration has", ns, n),
            ladder(
                "n_jobs",
                "Workers n_jobs",
                "Threads or processes that share the points; predicted beyond your cores",
                _JOBS,
                2,
            ),
            ladder(
                "chunk",
                "Rows of a chunk",
                "What is handed out at once; annlab's own rule knows the data, never n_jobs",
                _CHUNKS,
                0,
            ),
            choice(
                "way",
                "Way",
                "Who computes, and what has to travel",
                [(_TITLES[way], way) for way in WAYS],
                "threads",
            ),
        ]
        super().__init__(controls, predict=ask(predict, {"pool": lambda: self._question(n)}))

    def _question(self, n: int) -> Prediction:
        # not about the state shown
        return Prediction(
            f"The deck's way, 2 processes in a new pool each time, n = {n:,} points: how fast, "
            "beside one core?",
            _ANSWERS,
            truth=lambda result: _answer(
                self.compute(Job(), n=n, way="new processes", chunk=0).speed_up(2)
            ),
        )

    def compute(self, job: Job, *, n: int, chunk: int, way: str) -> Scaling:
        wanted = [(1, "threads", chunk), (1, "threads", 0)]
        wanted += [(p, way, chunk) for p in _JOBS if p <= max(1, self.cores)]
        found = []
        # our own processes would count as others
        load = OtherLoad() if way == "threads" else None
        for place, (n_jobs, how, rows) in enumerate(wanted):
            # a chunk cannot have more rows than there are
            key = (self.mark, self.n_clusters, n, min(rows, n), how, n_jobs)
            with CLOCK:
                found.append(_known.get(key, self._measured, job, key, place, len(wanted)))
        case = (self.mark, self.n_clusters, n, chunk, way)
        others = None if load is None else load.cores()
        if others is not None:
            _others[case] = others
        measured = {cost.n_jobs: cost for cost in found[2:]}
        return Scaling(found[0], measured, found[1], _others.get(case))

    def _measured(
        self, job: Job, key: tuple[str, int, int, int, str, int], place: int, n_measured: int
    ) -> IterationCost:
        _, _, n, rows, how, n_jobs = key
        done = place * (_REPEATS + 1)

        def told(step: int = 1) -> None:
            nonlocal done
            done += step
            job.report(done, n_measured * (_REPEATS + 1), f"{n_jobs} {how.split()[-1]}")

        told(0)
        X = (_patches() if self.own is None else self.own)[:n]
        return measure_iteration(
            X,
            X[: min(self.n_clusters, n)],
            n_jobs,
            way=how,
            chunk_rows=rows or None,
            # one core is measured more often, because everything is compared with it
            repeats=_REPEATS + (2 if (how, n_jobs) == ("threads", 1) else 0),
            callback=told,
        )

    def sentence(
        self, result: Scaling, frame: int, *, n: int, chunk: int, way: str, n_jobs: int
    ) -> str:
        parts, one = result.parts(n_jobs), result.measured[1]
        total, share = sum(parts.values()), result.alone.serial_share
        how = "measured on" if n_jobs in result.measured else "predicted from"
        spent = ", ".join(f"{name} {100 * parts[name] / total:.0f}%" for name in PARTS)
        sent = f", {three(one.sent_bytes / 1e6)} MB sent" if one.sent_bytes else ""
        last = result.measured[max(result.measured)]
        idle = last.n_jobs > 1 and last.n_sharers == 1 and last.n_chunks > 1
        quiet = ", too little work to hand them out" if idle else ""
        jobs = " and ".join(f"{p}" for p in result.measured)
        bits = "the same bits" if result.same_bits else "different bits"
        busy = ""
        if result.noisy:
            busy = f" Other programs kept {result.others:.1f} cores busy meanwhile: read with care."
        return (
            f"n_jobs = {n_jobs}, n = {n:,}, {_TITLES[way]}: {three(result.speed_up(n_jobs))} times "
            f"as fast as one core ({how} {self._which_cores}; Amdahl allows "
            f"{three(amdahl(share, n_jobs))} with a serial share of {three(100 * share)}%). "
            f"{three(1e3 * total)} ms an iteration: {spent}{sent}. "
            f"{one.n_chunks:,} chunk{'s' * (one.n_chunks > 1)}{quiet}; n_jobs = {jobs} gave "
            f"{bits}{_drift(result) if chunk else ''}.{busy}"
        )

    @property
    def _which_cores(self) -> str:
        """Describe the cores of this machine for readers of a stored picture."""
        return f"{self.cores} core{'s' * (self.cores > 1)}"

    def draw(
        self,
        figure: Figure,
        result: Scaling,
        frame: int,
        *,
        n: int,
        way: str,
        n_jobs: int,
        **values: object,
    ) -> None:
        left, right = figure.subplots(1, 2, width_ratios=(1, 1.15))
        busy = " (busy machine)" if result.noisy else ""
        self._draw_speed(left, result, n_jobs, f"n = {n:,}: {_TITLES[way].split(',')[0]}{busy}")
        self._draw_parts(right, result, n_jobs)

    def _draw_speed(self, axes: Axes, result: Scaling, n_jobs: int, title: str) -> None:
        chart(axes, "workers n_jobs", "times as fast as one core", title)
        axes.set(xscale="log", yscale="log")
        jobs = np.array(_JOBS)
        axes.plot(jobs, jobs, ":", color=QUIET, linewidth=1.8, label="ideal")
        allowed = amdahl(result.alone.serial_share, jobs)
        axes.plot(jobs, allowed, "-", color=INK, linewidth=2, label="Amdahl's line")
        axes.axhline(1, color=QUIET, linewidth=1)
        measured = list(result.measured)
        beyond = [p for p in _JOBS if p >= measured[-1]]
        look: dict[str, Any]
        if len(beyond) > 1:
            speeds = [result.speed_up(p) for p in beyond]
            look = {"line": "--", "markerfacecolor": "white", "label": "predicted"}
            curve(axes, beyond, speeds, PALETTE[0], width=1.6, size=8, **look)
            axes.axvspan(measured[-1] * 1.41, 20, color=INK, alpha=0.06, linewidth=0)
        speeds = [result.speed_up(p) for p in measured]
        look = {"label": f"measured on {self._which_cores}", "zorder": 4}
        curve(axes, measured, speeds, PALETTE[0], width=2.4, size=8, **look)
        look = {"marker": "D", "label": f"n_jobs = {n_jobs}"}
        ringed(axes, n_jobs, result.speed_up(n_jobs), ALARM, size=14, width=2.4, **look)
        axes.set_xlim(0.85, 20)
        axes.set_xticks(_JOBS, [f"{p}" for p in _JOBS])
        lowest = min(0.5, *(0.6 * result.speed_up(p) for p in _JOBS))
        ticks = [tick for tick in (0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 16) if tick >= lowest]
        axes.set_ylim(max(lowest, 0.004), 22)
        axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
        _legend_below(axes)

    def _draw_parts(self, axes: Axes, result: Scaling, n_jobs: int) -> None:
        chart(axes, "workers n_jobs", "milliseconds an iteration", "where the time goes")
        axes.grid(False, axis="x")
        colors = (PALETTE[0], PALETTE[2], "#b0b0b0", PALETTE[1], PALETTE[3])
        n_measured, bottom = len(result.measured), np.zeros(len(_JOBS))
        for name, color, hatch in zip(PARTS, colors, _HATCHES, strict=True):
            heights = 1e3 * np.array([result.parts(p)[name] for p in _JOBS])
            look: dict[str, Any] = {"color": color, "hatch": hatch, "label": name}
            places = range(len(_JOBS))
            bars = axes.bar(places, heights, 0.72, bottom, edgecolor=INK, linewidth=0.5, **look)
            for bar in bars[n_measured:]:
                bar.set_alpha(0.4)
            bottom += heights
        here = _JOBS.index(n_jobs)
        axes.plot([here], [bottom[here]], "v", color=ALARM, markersize=11, zorder=5)
        alone = 1e3 * result.alone.total_s
        axes.axhline(alone, color=INK, linewidth=1.6, linestyle="--")
        top = 1.16 * max(alone, bottom.max())
        box = {"facecolor": PAPER, "edgecolor": "none", "alpha": 0.75, "pad": 1}
        write(axes, len(_JOBS) - 0.45, alone + 0.015 * top, "one core", "right bottom", bbox=box)
        if n_measured < len(_JOBS):
            axes.axvspan(n_measured - 0.5, len(_JOBS), color=INK, alpha=0.06, linewidth=0)
            middle = (n_measured + len(_JOBS) - 1) / 2
            write(axes, middle, 0.985 * top, "predicted", "center top")
        axes.set_ylim(0, top)
        axes.set_xlim(-0.6, len(_JOBS) - 0.4)
        axes.set_xticks(range(len(_JOBS)), [f"{p}" for p in _JOBS])
        _legend_below(axes)


def _drift(result: Scaling) -> str:
    """Say how the result differs from that with annlab's own chunks."""
    if result.drift == 0 and result.same_labels:
        return "; against annlab's own chunks nothing differs"
    labels = "no label" if result.same_labels else "some labels"
    return (
        f"; against annlab's own chunks {labels} and centroids by up to {three(result.drift)} "
        "differ"
    )


def _legend_below(axes: Axes) -> None:
    look = {"ncols": 3, "columnspacing": 1.0, "handlelength": 1.5, "handletextpad": 0.5}
    legend(axes, "upper center", bbox_to_anchor=(0.47, -0.17), **look)


def scaling_explorer(
    X: ArrayLike | None = None,
    *,
    n_clusters: int = 128,
    max_samples: int = 100_000,
    predict: Predict = None,
) -> ScalingExplorer:
    """Measure how one k-means iteration scales over the cores of this machine.

    The left chart shows the speed-up over one core against Amdahl's line, which follows from the
    serial share measured on one core; the right one shows where the time goes. Workers beyond the
    cores of this process are predicted, and drawn so.

    Parameters
    ----------
    X : array-like of shape (n, d), optional
        Data of your own instead of image patches.
    n_clusters : int, default=128
        Centroids; the first points serve as such.
    max_samples : int, default=100,000
        Most points to measure with.
    predict : "pool" or Prediction, optional
        Ask for a prediction; Compare shows the truth.

    Returns
    -------
    Explorer
        Display it as the last expression of a cell.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid.

    Notes
    -----
    An iteration is 2·n·k·d operations in float64. The quickest of three counts, and is kept for
    the life of the process. The start of a pool that serves a whole fit is spread over ten
    iterations.

    Examples
    --------
    >>> from annlab import widgets
    >>> explorer = widgets.scaling_explorer(n_clusters=8, max_samples=20_000).set(n=2_000)
    >>> explorer  # doctest: +ELLIPSIS
    n_jobs = 2, n = 2,000, threads, nothing sent: ... times as fast as one core (...
    >>> explorer.result.same_bits
    True
    """
    return ScalingExplorer(X, n_clusters, max_samples, predict)


def example() -> ScalingExplorer:
    """Make a small explorer for the tests."""
    X = load_patches(900, 4, random_state=0)
    return scaling_explorer(X, n_clusters=8, predict="pool")

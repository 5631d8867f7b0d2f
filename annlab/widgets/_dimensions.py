"""What many dimensions do to distances and to indexes, and what helps: few intrinsic ones."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from annlab._support.checks import check_choice, check_data, check_random_state
from annlab._support.threads import single_threaded_blas
from annlab.datasets import load_digits_data, load_patches, make_uniform_cube
from annlab.distances import from_squared, pairwise_sq
from annlab.indexes import make_index
from annlab.indexes.pq import PQIndex
from annlab.metrics import distance_contrast, intrinsic_dimension, recall_at_k
from annlab.widgets.base import (
    ALARM,
    INK,
    MARKERS,
    PALETTE,
    PAPER,
    QUIET,
    Explorer,
    Job,
    Prediction,
    Store,
    chart,
    choice,
    ladder,
    number,
    share,
    three,
)

#: Rows that are searched, and further rows that search.
_ROWS, _QUERIES = 1000, 100
_DS = tuple(2**power for power in range(1, 11))
#: Sides of the windows that are cut out of larger pictures, around one centre.
_PATCH_SIDES = (1, 2, 3, 4, 6, 8, 11, 13, 16, 18)
_DIGIT_SIDES = (3, 4, 5, 6, 8)
_VIEWS = {
    "distances": "distances",
    "indexes": "indexes",
    "intrinsic dimension": "intrinsic",
    "codes": "codes",
}
#: name -> colour and marker of its curve
_SETS: dict[str, tuple[str, str]] = {
    "uniform": (PALETTE[0], MARKERS[0]),
    "normal": (PALETTE[4], MARKERS[4]),
    "8-dim. sheet": (PALETTE[3], MARKERS[3]),
    "2-dim. sheet": (PALETTE[2], MARKERS[2]),
    "digits": (PALETTE[1], MARKERS[1]),
    "patches": (ALARM, MARKERS[5]),
}
_OWN = "your data"
_LOOKS = {**_SETS, _OWN: (INK, MARKERS[6])}
#: Columns of a row that there is room to draw.
_COLUMNS = 128
_PIECES = (1, 2, 4, 8, 16, 32, 64)
#: Words of a codebook, and iterations of its k-means: ten sizes are trained for one picture.
_CODES, _TRAINING = 64, 5
#: The indexes at the knobs that they keep in every dimension.
_RACERS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "kd_tree": (PALETTE[1], MARKERS[1], {}),
    "ball_tree": (PALETTE[3], MARKERS[3], {}),
    "lsh": (PALETTE[0], MARKERS[0], {"n_probes": 8, "random_state": 0}),
    "hnsw": (
        PALETTE[2],
        MARKERS[2],
        {
            "M": 8,
            "ef_construction": 40,
            "ef": 10,
            "count_distances": True,
            "random_state": 0,
        },
    ),
    "pq": (ALARM, MARKERS[5], {}),
}
#: Which controls a view listens to, beside the view and the data.
_USES = {
    "distances": ("row",),
    "indexes": ("pieces",),
    "intrinsic": (),
    "codes": ("pieces", "row"),
}


@dataclass(frozen=True, slots=True, eq=False)
class Space:
    """One data set in one dimension.

    Attributes
    ----------
    rows : ndarray of shape (n, d), float64
    queries : ndarray of shape (nq, d), float64
        From the same source, and not among the rows.
    shape : tuple of int or None
        Of the picture that a row is.
    """

    rows: np.ndarray
    queries: np.ndarray
    shape: tuple[int, ...] | None

    @property
    def d(self) -> int:
        """Ambient dimension: the number of columns."""
        return self.rows.shape[1]


@dataclass(frozen=True, slots=True, eq=False)
class Geometry:
    """How the distances from queries to rows are spread.

    Attributes
    ----------
    contrast : float
        (farthest − nearest) / nearest, the median over the queries.
    intrinsic : float
        Estimated from the neighbours among the rows.
    distances : ndarray of shape (nq, n)
        Divided by their mean.
    """

    contrast: float
    intrinsic: float
    distances: np.ndarray


@dataclass(frozen=True, slots=True)
class Answered:
    """What an index found, and for how much work."""

    recall: float
    work: float


@dataclass(frozen=True, slots=True, eq=False)
class Coded:
    """Queries as product quantization keeps them.

    Attributes
    ----------
    codes : ndarray of shape (nq, pieces)
    decoded : ndarray of shape (nq, d)
    splits : ndarray of shape (pieces + 1,)
    error : float
        Share of the queries' variance (about the mean row) that the codes lose.
    code_bits, row_bytes : int
        Of one row, as codes and as float32.
    """

    codes: np.ndarray
    decoded: np.ndarray
    splits: np.ndarray
    error: float
    code_bits: int
    row_bytes: int


@dataclass(frozen=True, slots=True)
class Climb:
    """Everything that a view shows, for one data set in all its dimensions."""

    spaces: tuple[Space, ...]
    geometry: tuple[Geometry, ...]
    others: dict[str, tuple[tuple[int, Geometry], ...]]
    answers: tuple[dict[str, Answered], ...] = ()
    coded: tuple[Coded, ...] = ()


def _sheet(n: int, d: int, m: int) -> np.ndarray:
    """A gently curved m-dimensional sheet in d dimensions: each column is a wave over it."""
    rng = check_random_state(m)
    place = rng.random_sample((n, m))
    waves, phases = 1.5 * rng.standard_normal((m, d)), rng.uniform(0, 2 * np.pi, d)
    return np.sin(place @ waves + phases)


def _divided(X: np.ndarray, shape: tuple[int, ...] | None = None) -> Space:
    rows, queries = X[_QUERIES:], X[:_QUERIES]
    return Space(np.ascontiguousarray(rows), np.ascontiguousarray(queries), shape)


def _windows(pictures: np.ndarray, sides: tuple[int, ...]) -> tuple[Space, ...]:
    spaces = []
    for side in sides:
        start = (pictures.shape[1] - side) // 2
        cut = pictures[:, start : start + side, start : start + side]
        spaces.append(_divided(cut.reshape(len(cut), -1), cut.shape[1:]))
    return tuple(spaces)


@lru_cache(maxsize=len(_SETS))
def _spaces(name: str) -> tuple[Space, ...]:
    n, most = _ROWS + _QUERIES, _DS[-1]
    if name == "patches":
        side = _PATCH_SIDES[-1]
        patches = load_patches(n, side, random_state=0).astype(np.float64)
        return _windows(patches.reshape(n, side, side, 3), _PATCH_SIDES)
    if name == "digits":
        digits = load_digits_data().X[:n].astype(np.float64) / 16
        return _windows(digits.reshape(n, 8, 8), _DIGIT_SIDES)
    if name == "uniform":
        X = make_uniform_cube(n, most, random_state=0, dtype=np.float64)
    elif name == "normal":
        X = check_random_state(0).standard_normal((n, most))
    else:
        X = _sheet(n, most, int(name[0]))
    # the same points throughout: each dimension keeps the columns of the one before
    return tuple(_divided(X[:, :d]) for d in _DS)


def _measured(space: Space) -> Geometry:
    distances = from_squared(pairwise_sq(space.queries, space.rows), "euclidean")
    mean = float(distances.mean())
    # one or two places, such as a single column of yes and no: points have no dimension
    spread = len(np.unique(space.rows, axis=0)) > 2
    return Geometry(
        distance_contrast(space.rows, space.queries),
        intrinsic_dimension(space.rows) if spread else 0.0,
        (distances / mean if mean > 0 else distances).astype(np.float32),
    )


def _judged(index: Any, space: Space, truth: Any) -> Answered:
    answer = index.kneighbors(space.queries, 1)
    pairs = len(space.queries) * len(space.rows)
    return Answered(recall_at_k(answer, truth), index.n_distances_ / pairs)


def _quantized(space: Space, truth: Any, pieces: int) -> tuple[Answered, Coded]:
    index = PQIndex(
        n_subspaces=pieces, n_codes=_CODES, rerank=10, max_iter=_TRAINING, random_state=0, n_jobs=1
    ).fit(space.rows)
    codes = index.encode(space.queries)
    decoded = index.decode(codes)
    lost = float(((space.queries - decoded) ** 2).sum())
    spread = float(((space.queries - space.rows.mean(axis=0)) ** 2).sum())
    bits = sum(max(1, (len(book) - 1).bit_length()) for book in index.codebooks_)
    coded = Coded(
        codes,
        decoded.astype(np.float32),
        index.splits_,
        lost / spread if spread > 0 else 0.0,
        bits,
        4 * space.d,
    )
    return _judged(index, space, truth), coded


_known = Store(1_000)


class DimensionExplorer(Explorer):
    """The explorer that `dimension_explorer` makes."""

    name = "dimension_explorer"
    title = "Near and far in many dimensions"
    size = (840, 430)
    replay = True
    slow = True
    frame_word = "size"

    def __init__(self, X: Any, *, predict: Any) -> None:
        self.own: tuple[Space, ...] = ()
        self.mark = ""
        least = _QUERIES
        if X is not None:
            X = np.ascontiguousarray(check_data(X, min_rows=20), dtype=np.float64)
            rng = check_random_state(0)
            X = X[rng.permutation(len(X))[: _ROWS + _QUERIES]][:, rng.permutation(X.shape[1])]
            self.mark = hashlib.sha256(X.tobytes()).hexdigest()
            least = min(_QUERIES, len(X) // 4)
            widths = [*(d for d in _DS if d < X.shape[1]), X.shape[1]]
            self.own = tuple(
                Space(
                    np.ascontiguousarray(X[least:, :d]), np.ascontiguousarray(X[:least, :d]), None
                )
                for d in widths
            )
        menu = [_OWN, *_SETS] if self.own else list(_SETS)
        if isinstance(predict, str):
            check_choice(predict, "predict", ("contrast",))
            predict = Prediction(
                "At the last size, how many times as far as the nearest point is the farthest?",
                truth=self._truth,
                unit="times as far",
            )
        controls = [
            choice("view", "Show", "What is looked at", _VIEWS, "distances", buttons=True),
            choice("data", "Data", "Points that are searched", menu, menu[0]),
            ladder(
                "pieces",
                "Pieces",
                "Into how many pieces product quantization cuts a row; each becomes one code",
                [(str(pieces), pieces) for pieces in _PIECES],
                8,
            ),
            number(
                "row",
                "Query",
                "Whose distances, or whose codes, are shown",
                0,
                least - 1,
                min(2, least - 1),
                recompute=False,
            ),
        ]
        super().__init__(controls, predict=predict)

    def _truth(self, result: Climb) -> float:
        return float(f"{1 + result.geometry[-1].contrast:.3g}")

    # -- computing -----------------------------------------------------------------------------

    def _all(self, data: str) -> tuple[Space, ...]:
        return self.own if data == _OWN else _spaces(data)

    def _once(self, what: str, data: str, place: int, make: Any, *more: Any) -> Any:
        """Measure a thing once: views and explorers share what they measure."""
        key = (what, self.mark if data == _OWN else data, place, *more)
        return _known.get(key, make)

    def compute(self, job: Job, *, view: str, data: str, pieces: int) -> Climb:
        spaces = self._all(data)
        names = list(dict.fromkeys([data, *_SETS] if view == "intrinsic" else [data, "uniform"]))
        steps = [(name, place) for name in names for place in range(len(self._all(name)))]
        extra = len(spaces) if view in ("indexes", "codes") else 0
        total = len(steps) + 4 * extra
        # the products are small: threads would wait for each other longer than they compute
        with single_threaded_blas():
            found: dict[str, list[tuple[int, Geometry]]] = {name: [] for name in names}
            for done, (name, place) in enumerate(steps):
                space = self._all(name)[place]
                job.report(done, total, f"{name}, d = {space.d:,}")
                geometry = self._once("geometry", name, place, lambda space=space: _measured(space))
                found[name].append((space.d, geometry))
            others = {name: tuple(pairs) for name, pairs in found.items()}
            mine = tuple(geometry for _, geometry in others[data])
            if not extra:
                return Climb(spaces, mine, others)
            answers: list[dict[str, Answered]] = []
            coded: list[Coded] = []
            for place, space in enumerate(spaces):
                job.report(len(steps) + 4 * place, total, f"{view}, d = {space.d:,}")
                truth = self._once(
                    "truth",
                    data,
                    place,
                    lambda space=space: (
                        make_index("brute", n_jobs=1).fit(space.rows).kneighbors(space.queries, 1)
                    ),
                )
                quantized = self._once(
                    "pq",
                    data,
                    place,
                    lambda space=space, truth=truth: _quantized(space, truth, pieces),
                    pieces,
                )
                coded.append(quantized[1])
                told: dict[str, Answered] = {}
                for name in _RACERS if view == "indexes" else ():
                    job.check()
                    told[name] = (
                        quantized[0]
                        if name == "pq"
                        else self._once(
                            name,
                            data,
                            place,
                            lambda space=space, truth=truth, name=name: _judged(
                                make_index(name, n_jobs=1, **_RACERS[name][2]).fit(space.rows),
                                space,
                                truth,
                            ),
                        )
                    )
                answers.append(told)
        return Climb(spaces, mine, others, tuple(answers), tuple(coded))

    def frame_count(self, result: Climb) -> int:
        return len(result.spaces)

    def present(self, result: Climb, frame: int, *args: Any, **values: Any) -> None:
        """Show a frame, and switch off what the view does not listen to."""
        for name in ("pieces", "row"):
            self.controls[name].widget.disabled = name not in _USES[values["view"]]
        super().present(result, frame, **values)

    def _accept(self, values: dict[str, Any], result: Climb, frame: int | None = None) -> None:
        with self._lock:
            if values["data"] == self._values["data"]:
                # another look at the same data asks nothing new: frame and prediction stay
                self.result = result
            super()._accept(values, result, frame)

    # -- telling -------------------------------------------------------------------------------

    def sentence(
        self, result: Climb, frame: int, *, view: str, data: str, pieces: int, row: int
    ) -> str:
        space, geometry = result.spaces[frame], result.geometry[frame]
        where = f"{space.d:,} dimensions, {data}"
        if view == "indexes":
            told = "; ".join(
                f"{name} {share(one.recall)} for {three(one.work)}"
                for name, one in result.answers[frame].items()
            )
            return (
                f"{where}: recall@1, and distances computed as a share of brute force: {told}. "
                f"Pieces of pq: {min(pieces, space.d)}."
            )
        if view == "intrinsic":
            below = result.others["uniform"]
            as_uniform = min(below, key=lambda pair: abs(pair[1].intrinsic - geometry.intrinsic))
            return (
                f"{where}: intrinsic dimension about {three(geometry.intrinsic)}, contrast "
                f"{three(geometry.contrast)}. Of the uniform sets, the one in {as_uniform[0]:,} "
                f"dimensions comes nearest to that, and its contrast is "
                f"{three(as_uniform[1].contrast)}."
            )
        if view == "codes":
            coded = result.coded[frame]
            codes = [str(code) for code in coded.codes[row]]
            shown = " ".join(codes[:8]) + (" …" if len(codes) > 8 else "")
            return (
                f"{where}, query {row} as {_codes(len(codes))}: {shown}. The codes lose "
                f"{three(coded.error)} of the variance of all queries and take "
                f"{coded.code_bits} bits a row instead of {8 * coded.row_bytes:,}, a factor of "
                f"{three(8 * coded.row_bytes / coded.code_bits)}."
            )
        own = geometry.distances[row]
        told = (
            f"the farthest point is {three(1 + geometry.contrast)} times as far as the nearest "
            f"(median of {len(space.queries)} queries)"
        )
        if not np.isfinite(geometry.contrast):
            told = "most queries coincide with a point, so that their nearest is at distance 0"
        bits = min(pieces, space.d) * (_CODES - 1).bit_length()
        return (
            f"{where}: {told}. Query {row} has its nearest at {three(float(own.min()))} and its "
            f"farthest at {three(float(own.max()))} times the mean distance. A row takes "
            f"{4 * space.d:,} bytes as numbers, {-(-bits // 8)} as {_codes(min(pieces, space.d))}."
        )

    # -- drawing -------------------------------------------------------------------------------

    def draw(
        self,
        figure: Any,
        result: Climb,
        frame: int,
        *,
        view: str,
        data: str,
        pieces: int,
        row: int,
    ) -> None:
        if view == "indexes":
            self._draw_indexes(figure, result, frame, data)
        elif view == "intrinsic":
            self._draw_intrinsic(figure, result, frame, data)
        elif view == "codes":
            self._draw_codes(figure, result, frame, data, row)
        else:
            self._draw_distances(figure, result, frame, data, row)

    def _dimension_axis(self, axes: Any, d: int | None) -> None:
        axes.set_xscale("log", base=2)
        axes.set_xlim(1.7, 1250)
        axes.set_xticks([2, 8, 32, 128, 512], ["2", "8", "32", "128", "512"])
        axes.minorticks_off()
        if d is not None:
            axes.axvline(d, color=QUIET, linewidth=1.4, linestyle=":", zorder=0)

    def _draw_distances(self, figure: Any, result: Climb, frame: int, data: str, row: int) -> None:
        left, right = figure.subplots(1, 2, width_ratios=(1.25, 1))
        space, geometry = result.spaces[frame], result.geometry[frame]
        chart(
            left,
            "distance to a point, mean = 1",
            "share of all distances",
            f"{data}, d = {space.d:,}: distances from the queries",
        )
        edges = np.linspace(0, 3, 61)
        counts = np.histogram(np.minimum(geometry.distances, 2.999), edges)[0]
        left.stairs(
            counts / geometry.distances.size, edges, fill=True, color=PALETTE[4], alpha=0.75
        )
        own = geometry.distances[row]
        for value, color, marker, label in (
            (float(own.min()), PALETTE[2], MARKERS[2], f"nearest to query {row}"),
            (float(own.max()), ALARM, MARKERS[3], "farthest from it"),
        ):
            # not into the legend
            left.axvline(min(value, 3), ymax=0.82, color=color, linewidth=2.2)
            left.plot(
                [min(value, 3)],
                [0.04],
                marker,
                color=color,
                markersize=10,
                markeredgecolor=INK,
                label=label,
                clip_on=False,
            )
        # one scale for all sizes would flatten the first ones: the share of the root
        left.set_yscale("function", functions=(np.sqrt, np.square))
        left.set(xlim=(0, 3), ylim=(0, 1))
        left.set_yticks([0, 0.05, 0.2, 0.5, 1], ["0", "5%", "20%", "50%", "100%"])
        left.legend(
            loc="upper right", facecolor=PAPER, edgecolor=PAPER, framealpha=0.9, fontsize=11
        )
        chart(
            right,
            "dimensions d (columns)",
            "(farthest − nearest) / nearest",
            "relative contrast",
        )
        self._dimension_axis(right, space.d)
        for name, pairs in result.others.items():
            color, marker = _LOOKS[name]
            # the curve grows with the size: its end may be what the reader is to predict
            pairs = pairs[: frame + 1] if name == data else pairs
            right.plot(
                [d for d, _ in pairs],
                [_cut(one.contrast) for _, one in pairs],
                color=color,
                marker=marker,
                markersize=6,
                linewidth=2,
                label=name,
            )
        right.plot([space.d], [_cut(geometry.contrast)], "o", **_RING, zorder=5, clip_on=False)
        right.set_yscale("log")
        right.set_ylim(0.05, 400)
        right.set_yticks([0.1, 1, 10, 100], ["0.1", "1", "10", "100"])
        right.legend(loc="lower left", frameon=False, fontsize=11)

    def _draw_indexes(self, figure: Any, result: Climb, frame: int, data: str) -> None:
        left, right = figure.subplots(1, 2)
        ds = [space.d for space in result.spaces]
        chart(left, "dimensions d (columns)", "recall@1", f"{data}: found (up is better)")
        chart(
            right,
            "dimensions d (columns)",
            "distances computed, brute force = 1",
            "work (down is better)",
        )
        for name, (color, marker, _) in _RACERS.items():
            for axes, values in (
                (left, [one[name].recall for one in result.answers]),
                (right, [one[name].work for one in result.answers]),
            ):
                axes.plot(
                    ds,
                    values,
                    color=color,
                    marker=marker,
                    markersize=7,
                    markeredgecolor=INK,
                    markeredgewidth=0.5,
                    linewidth=2,
                    label=f"{name} (exact)" if name.endswith("tree") else name,
                )
        right.axhline(1, color=INK, linewidth=1.4, label="brute force")
        for axes in (left, right):
            self._dimension_axis(axes, ds[frame])
            axes.set_ylim(-0.03, 1.12)
            axes.set_yticks(np.linspace(0, 1, 6))
        handles, labels = right.get_legend_handles_labels()
        figure.legend(
            handles, labels, loc="outside lower center", ncols=6, frameon=False, fontsize=11
        )

    def _draw_intrinsic(self, figure: Any, result: Climb, frame: int, data: str) -> None:
        left, right = figure.subplots(1, 2)
        chart(
            left,
            "dimensions d (columns)",
            "intrinsic dimension, estimated",
            "the data's own dimension",
        )
        chart(
            right,
            "intrinsic dimension, estimated",
            "relative contrast",
            "contrast follows it",
        )
        left.plot([1, 2000], [1, 2000], color=QUIET, linestyle=":", linewidth=1.4)
        for name, pairs in result.others.items():
            color, marker = _LOOKS[name]
            ours = name == data
            look: dict[str, Any] = {
                "color": color,
                "marker": marker,
                "markersize": 7 if ours else 5,
                "alpha": 1.0 if ours else 0.75,
                "zorder": 4 if ours else 2,
            }
            spread = [one.intrinsic for _, one in pairs]
            left.plot([d for d, _ in pairs], spread, linewidth=2.6 if ours else 1.4, **look)
            right.plot(
                spread,
                [_cut(one.contrast) for _, one in pairs],
                linestyle="none",
                label=name,
                **look,
            )
        here = result.geometry[frame]
        self._dimension_axis(left, result.spaces[frame].d)
        left.plot([result.spaces[frame].d], [here.intrinsic], "o", **_RING, zorder=5, clip_on=False)
        right.plot([here.intrinsic], [_cut(here.contrast)], "o", **_RING, zorder=5, clip_on=False)
        left.set_yscale("log", base=2)
        right.set_xscale("log", base=2)
        right.set_yscale("log")
        ticks = [2, 8, 32, 128]
        left.set_ylim(1, 300)
        left.set_yticks(ticks, map(str, ticks))
        right.set(xlim=(1, 300), ylim=(0.05, 400))
        right.set_xticks(ticks, map(str, ticks))
        right.set_yticks([0.1, 1, 10, 100], ["0.1", "1", "10", "100"])
        for axes in (left, right):
            axes.minorticks_off()
        handles, labels = right.get_legend_handles_labels()
        figure.legend(
            handles,
            labels,
            loc="outside lower center",
            # data of your own are a seventh, and seven are too wide
            ncols=6 if len(labels) <= 6 else 4,
            frameon=False,
            fontsize=11,
        )

    def _draw_codes(self, figure: Any, result: Climb, frame: int, data: str, row: int) -> None:
        space, coded = result.spaces[frame], result.coded[frame]
        before, after = space.queries[row], coded.decoded[row]
        if space.shape is None:
            top, curve = figure.subplots(1, 2, width_ratios=(2.2, 1))
        else:
            panels = figure.subplot_mosaic(
                [["before", "after", "curve"], ["row", "row", "curve"]],
                width_ratios=(1, 1, 0.95),
                height_ratios=(1.15, 1),
            )
            top, curve = panels["row"], panels["curve"]
            for key, values, title in (
                ("before", before, f"query {row}"),
                ("after", after, "from its codes"),
            ):
                axes = panels[key]
                axes.imshow(
                    np.clip(values.reshape(space.shape), 0, 1),
                    cmap="gray",
                    vmin=0,
                    vmax=1,
                    interpolation="nearest",
                )
                axes.set_axis_off()
                axes.set_title(title, fontsize=12, color=INK)
        # of all queries, so that nothing jumps from one to the next
        limits = float(space.queries.min()), float(space.queries.max())
        self._draw_row(top, before, after, coded, coded.codes[row], limits)
        chart(curve, "dimensions d (columns)", "", f"variance lost, {data}")
        self._dimension_axis(curve, space.d)
        color, marker = _LOOKS[data]
        curve.plot(
            [one.d for one in result.spaces],
            [one.error for one in result.coded],
            color=color,
            marker=marker,
            markersize=6,
            linewidth=2,
        )
        curve.plot([space.d], [coded.error], "o", **_RING, zorder=5, clip_on=False)
        curve.set_ylim(-0.03, 1.13)
        curve.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "25%", "50%", "75%", "100%"])

    def _draw_row(
        self,
        axes: Any,
        before: np.ndarray,
        after: np.ndarray,
        coded: Coded,
        codes: np.ndarray,
        limits: tuple[float, float],
    ) -> None:
        pieces, splits = len(codes), coded.splits
        shown = min(len(before), _COLUMNS)
        part = f", first {shown} columns" if shown < len(before) else ""
        cut = f"{pieces} pieces" if pieces > 1 else "1 piece"
        chart(axes, "column", "", f"{cut}{part}; above, the codes")
        axes.grid(False)
        low, high = limits[0], max(limits[1], limits[0] + 1e-9)
        room = high - low
        columns = np.arange(shown + 1) - 0.5
        for piece in range(0, pieces, 2):
            axes.axvspan(
                splits[piece] - 0.5, splits[piece + 1] - 0.5, color="#eeeeee", linewidth=0, zorder=0
            )
        for values, color, width, label in (
            (before, INK, 1.5, "numbers"),
            (after, ALARM, 2.2, "words of the codes"),
        ):
            axes.stairs(
                values[:shown], columns, baseline=None, color=color, linewidth=width, label=label
            )
        begun = int(np.searchsorted(splits, shown))
        for piece in range(0, begun, -(-begun // 16)):
            middle = (splits[piece] + min(splits[piece + 1], shown) - 1) / 2
            axes.text(
                middle,
                high + 0.06 * room,
                str(codes[piece]),
                ha="center",
                va="bottom",
                fontsize=11,
                color=ALARM,
            )
        axes.set(xlim=(-0.5, shown - 0.5), ylim=(low - 0.45 * room, high + 0.32 * room))
        axes.xaxis.get_major_locator().set_params(integer=True, nbins=6)
        axes.legend(loc="lower center", ncols=2, frameon=False, fontsize=11)


_RING: dict[str, Any] = {
    "color": "none",
    "markeredgecolor": INK,
    "markeredgewidth": 2.4,
    "markersize": 15,
}


def _codes(count: int) -> str:
    return f"{count} code{'' if count == 1 else 's'}"


def _cut(contrast: float) -> float:
    """A contrast that can be drawn: infinite where most queries coincide with a point."""
    return min(contrast, 300.0)


def dimension_explorer(X: Any = None, *, predict: Any = None) -> DimensionExplorer:
    """Let the dimension grow, step by step, and watch distances, indexes and codes.

    A thousand points are searched by a hundred others, in 2 to 1,024 dimensions. *Show* chooses
    what is looked at: the distances from the queries and their contrast; what trees, hashing, a
    graph and codes find at fixed knobs, and how many distances they compute; the intrinsic
    dimension against the number of columns; or a single row as product quantization keeps it.

    Parameters
    ----------
    X : array-like of shape (n, d), optional
        Data of your own, of at least 20 rows. 1,100 rows drawn at random are used at most; the
        columns join in random order.
    predict : "contrast" or Prediction, optional
        Ask for a prediction; the truth appears at the last size.

    Returns
    -------
    Explorer
        Display it as the last expression of a cell.

    Raises
    ------
    TypeError, ValueError
        Naming the parameter, the rule and what came.

    Notes
    -----
    Columns are added to the same points, except for patches and digits, where a window around
    one centre grows. A sheet's columns are waves over an m-dimensional cube. Knobs: ``lsh``
    8 tables and 8 probes; ``hnsw`` M = 8, ef = 10; ``pq`` 64 codes a piece, the 10 best compared
    exactly, its tables counted as whole distances and its look-ups not at all.

    Examples
    --------
    >>> from annlab import widgets
    >>> explorer = widgets.dimension_explorer()
    >>> explorer.text  # doctest: +ELLIPSIS
    '2 dimensions, uniform: the farthest point is 72.6 times as far as the nearest (median of ...'
    >>> explorer.run().text  # doctest: +ELLIPSIS
    '1,024 dimensions, uniform: the farthest point is 1.11 times as far as the nearest ...'
    """
    return DimensionExplorer(X, predict=predict)


def example() -> DimensionExplorer:
    """Make a small one, for the tests that run over all explorers."""
    X = check_random_state(0).random_sample((80, 3)) @ check_random_state(1).randn(3, 12)
    return dimension_explorer(X, predict="contrast")

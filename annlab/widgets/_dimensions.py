"""``dimension_explorer``: distances, indexes and codes in many dimensions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from annlab._support.checks import check_data, check_random_state
from annlab._support.threads import single_threaded_blas
from annlab.widgets._dimensions_draw import (
    draw_codes,
    draw_distances,
    draw_indexes,
    draw_intrinsic,
)
from annlab.widgets._dimensions_measure import (
    CODES,
    DS,
    QUERIES,
    RACERS,
    ROWS,
    SETS,
    Answered,
    Climb,
    Coded,
    Geometry,
    Space,
    answered,
    built_in,
    divided,
    measured,
    nearest_rows,
    quantized,
)
from annlab.widgets.base import (
    Explorer,
    Job,
    Predict,
    Prediction,
    Store,
    ask,
    choice,
    ladder,
    number,
    share,
    three,
)
from annlab.widgets.base.rows import OWN, digest

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike

_VIEWS = {
    "distances": "distances",
    "indexes": "indexes",
    "intrinsic dimension": "intrinsic",
    "codes": "codes",
}
_PIECES = (1, 2, 4, 8, 16, 32, 64)
#: Controls that a view uses, beside the view and the data.
_USES = {
    "distances": ("row",),
    "indexes": ("pieces",),
    "intrinsic": (),
    "codes": ("pieces", "row"),
}
_known = Store(1_000)


class DimensionExplorer(Explorer):
    """The explorer that `dimension_explorer` makes."""

    name = "dimension_explorer"
    title = "Near and far in many dimensions"
    size = (840, 430)
    replay = True
    slow = True
    frame_word = "size"

    def __init__(self, X: ArrayLike | None, predict: Predict) -> None:
        self.own: tuple[Space, ...] = ()
        self.mark = ""
        least = QUERIES
        if X is not None:
            X = np.ascontiguousarray(check_data(X, min_rows=20), dtype=np.float64)
            rng = check_random_state(0)
            X = X[rng.permutation(len(X))[: ROWS + QUERIES]][:, rng.permutation(X.shape[1])]
            self.mark = digest(X)
            least = min(QUERIES, len(X) // 4)
            ds = [*(d for d in DS if d < X.shape[1]), X.shape[1]]
            self.own = tuple(divided(X[:, :d], least) for d in ds)
        menu = [OWN, *SETS] if self.own else SETS
        controls = [
            choice("view", "Show", "What is shown", _VIEWS, "distances", buttons=True),
            choice("data", "Data", "Points that are searched", menu, menu[0]),
            ladder(
                "pieces",
                "Pieces",
                "Into how many pieces product quantization cuts a row; each becomes one code",
                _PIECES,
                8,
            ),
            number(
                "row",
                "Query",
                "Whose distances, or whose codes, are shown",
                0,
                least - 1,
                min(2, least - 1),
            ),
        ]
        super().__init__(controls, predict=ask(predict, {"contrast": self._question}))

    def _question(self) -> Prediction:
        return Prediction(
            "At the last size, how many times as far as the nearest point is the farthest?",
            truth=lambda result: float(f"{1 + result.geometry[-1].contrast:.3g}"),
            unit="times as far",
        )

    def _all(self, data: str) -> tuple[Space, ...]:
        return self.own if data == OWN else built_in(data)

    def _once(
        self, what: object, data: str, place: int, make: Callable[..., Any], *arguments: object
    ) -> Any:
        """Return a measurement, shared by all views and explorers."""
        return _known.get((what, self.mark if data == OWN else data, place), make, *arguments)

    def compute(self, job: Job, *, view: str, data: str, pieces: int) -> Climb:
        spaces = self._all(data)
        names = list(dict.fromkeys([data, *SETS] if view == "intrinsic" else [data, "uniform"]))
        steps = [(name, place) for name in names for place in range(len(self._all(name)))]
        searched = spaces if view in ("indexes", "codes") else ()
        total = len(steps) + 4 * len(searched)
        others: dict[str, list[tuple[int, Geometry]]] = {name: [] for name in names}
        answers: list[dict[str, Answered]] = []
        coded: list[Coded] = []
        # the products are too small to share among threads
        with single_threaded_blas():
            for done, (name, place) in enumerate(steps):
                space = self._all(name)[place]
                job.report(done, total, f"{name}, d = {space.d:,}")
                geometry = self._once("geometry", name, place, measured, space)
                others[name].append((space.d, geometry))
            for place, space in enumerate(searched):
                job.report(len(steps) + 4 * place, total, f"{view}, d = {space.d:,}")
                truth = self._once("truth", data, place, nearest_rows, space)
                by_codes, codes = self._once(
                    ("pq", pieces), data, place, quantized, space, truth, pieces
                )
                coded.append(codes)
                told = {}
                for name in RACERS if view == "indexes" else ():
                    job.check()
                    told[name] = self._once(name, data, place, answered, name, space, truth)
                answers.append(told | {"pq": by_codes})
        return Climb(spaces, [geometry for _, geometry in others[data]], others, answers, coded)

    def frame_count(self, result: Climb) -> int:
        return len(result.spaces)

    def present(self, result: Climb, frame: int, **values: Any) -> None:
        for name in ("pieces", "row"):
            self.controls[name].widget.disabled = name not in _USES[values["view"]]
        super().present(result, frame, **values)

    def _accept(self, values: dict[str, Any], result: Climb, frame: int | None = None) -> None:
        with self._lock:
            if values["data"] == self._values["data"]:
                # another view of the same data keeps frame and prediction
                self.result = result
            super()._accept(values, result, frame)

    def sentence(
        self, result: Climb, frame: int, *, view: str, data: str, pieces: int, row: int
    ) -> str:
        space, geometry = result.spaces[frame], result.geometry[frame]
        where, pieces = f"{space.d:,} dimensions, {data}", min(pieces, space.d)
        if view == "indexes":
            told = "; ".join(
                f"{name} {share(one.recall)} for {three(one.work)}"
                for name, one in result.answers[frame].items()
            )
            return (
                f"{where}: recall@1, and distances computed as a share of brute force: {told}. "
                f"Pieces of pq: {pieces}."
            )
        if view == "intrinsic":
            d, uniform = min(
                result.others["uniform"],
                key=lambda pair: abs(pair[1].intrinsic - geometry.intrinsic),
            )
            return (
                f"{where}: intrinsic dimension about {three(geometry.intrinsic)}, contrast "
                f"{three(geometry.contrast)}. Of the uniform sets, the one in {d:,} dimensions "
                f"comes nearest to that, and its contrast is {three(uniform.contrast)}."
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
        code_bytes = -(-pieces * (CODES - 1).bit_length() // 8)
        return (
            f"{where}: {told}. Query {row} has its nearest at {three(float(own.min()))} and its "
            f"farthest at {three(float(own.max()))} times the mean distance. A row takes "
            f"{4 * space.d:,} bytes as numbers, {code_bytes} as {_codes(pieces)}."
        )

    def draw(
        self,
        figure: Figure,
        result: Climb,
        frame: int,
        *,
        view: str,
        data: str,
        row: int,
        **values: object,
    ) -> None:
        if view == "indexes":
            draw_indexes(figure, result, frame, data)
        elif view == "intrinsic":
            draw_intrinsic(figure, result, frame, data)
        elif view == "codes":
            draw_codes(figure, result, frame, data, row)
        else:
            draw_distances(figure, result, frame, data, row)


def _codes(count: int) -> str:
    return f"{count} code{'' if count == 1 else 's'}"


def dimension_explorer(X: ArrayLike | None = None, *, predict: Predict = None) -> DimensionExplorer:
    """Increase the dimension step by step; watch distances, indexes and codes.

    A thousand points are searched by a hundred others, in 2 to 1,024 dimensions. *Show* chooses
    between the distances from the queries and their contrast; what trees, hashing, a graph and
    codes find at fixed knobs, and how many distances they compute; the intrinsic dimension
    against the number of columns; and a row as product quantization keeps it.

    Parameters
    ----------
    X : array-like of shape (n, d), optional
        Data of your own, at least 20 rows. At most 1,100 rows, drawn at random, are used; the
        columns are added in random order.
    predict : "contrast" or Prediction, optional
        Ask for a prediction; the truth appears at the last size.

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
    Columns are added to the same points; of patches and digits a window around one centre grows.
    The columns of a sheet are waves over an m-dimensional cube. Knobs: ``lsh``
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
    return DimensionExplorer(X, predict)


def example() -> DimensionExplorer:
    """Make a small explorer for the tests."""
    X = check_random_state(0).random_sample((80, 3)) @ check_random_state(1).randn(3, 12)
    return dimension_explorer(X, predict="contrast")

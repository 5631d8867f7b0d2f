"""faiss in one picture: a factory string taken apart, what it keeps and finds, how it trained."""

from __future__ import annotations

import hashlib
import textwrap
import threading
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from annlab._support.checks import check_choice, check_data
from annlab.datasets import load_digits_data, load_patches
from annlab.distances import paired_sq
from annlab.faiss_kmeans import kmeans_faiss
from annlab.indexes import make_index
from annlab.indexes.factory_string import (
    ROLES,
    FactoryError,
    FactoryPart,
    FactoryString,
    explain_factory,
)
from annlab.indexes.faiss_index import load_faiss
from annlab.widgets.base import (
    ALARM,
    INK,
    LOOK,
    PALETTE,
    PAPER,
    QUIET,
    Explorer,
    Job,
    Prediction,
    Store,
    chart,
    choice,
    entry,
    ladder,
    three,
)

#: Rows that are indexed (more than 256 for each of 16 cells), and queries that are no rows.
_ROWS, _QUERIES = 5000, 200
_EFFORTS = (1, 2, 4, 8, 16, 32, 64)
#: Rows for each cell that k-means trains on, 0 for all; faiss takes 256 unless told otherwise.
_SAMPLES = (("16", 16), ("64", 64), ("256 (faiss)", 256), ("all rows", 0))
#: Examples of each role, for a reader whose string was wrong.
_KNOWN = {
    "transform": ("PCA16  OPQ8", "ITQ32  RR32", "L2norm"),
    "coarse quantizer": ("IVF64", "IVF64_HNSW16", "IMI2x4"),
    "graph": ("HNSW32",),
    "encoding": ("Flat  SQ8", "PQ8  PQ8x4", "LSH  LSHrt"),
    "refinement": ("RFlat", "Refine(SQ8)"),
}
_STARTS, _ITERATIONS = 3, 10
#: A refinement compares so many times more rows than asked for; faiss's own 1 refines nothing.
_REFINE = 10
#: faiss's counter of a walk belongs to the process, so one explorer counts at a time.
_counting = threading.Lock()


@dataclass(frozen=True, slots=True)
class Effort:
    """A search at one setting of its dial: share of nearest rows found, rows compared, cells."""

    dial: int
    recall: float
    compared: float


@dataclass(frozen=True, eq=False)
class Measured:
    """A factory string on data; only ``trouble``, ``parts`` and ``wrong`` where it is no good."""

    factory: str
    n: int
    d: int
    parts: tuple[FactoryPart, ...]
    trouble: str = ""
    wrong: str = ""
    read: FactoryString | None = None
    dial: str = ""
    efforts: tuple[Effort, ...] = ()
    shared_bytes: int = 0
    #: rows for each cell -> inertia of each start over that of training on all rows
    ratios: dict[int, tuple[float, ...]] | None = None

    def at(self, effort: int) -> Effort:
        """The setting nearest below ``effort``."""
        return [one for one in self.efforts if one.dial <= effort][-1]


@lru_cache(maxsize=4)
def _data(name: str) -> tuple[np.ndarray, np.ndarray]:
    if name == "digits":
        return _parted(load_digits_data().X)
    return _parted(load_patches(_ROWS + _QUERIES, 4, random_state=0))


def _parted(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows to index and rows to ask with."""
    X = np.ascontiguousarray(X, dtype=np.float32)
    X = X[np.random.RandomState(0).permutation(len(X))[: _ROWS + _QUERIES]]
    asked = min(_QUERIES, len(X) // 5)
    return X[asked:], X[:asked]


#: What k-means made of a data set with so many cells stays, whatever the string around it.
_fits = Store(50)


class FaissExplorer(Explorer):
    """The explorer that `faiss_explorer` makes."""

    name = "faiss_explorer"
    title = "What does an index_factory string make of your rows?"
    size = (840, 500)
    slow = True
    keeps_back = True

    def __init__(self, X: Any, *, factory: str, predict: Any) -> None:
        load_faiss("for faiss_explorer")
        self.own_rows, self.mark = None, ""
        menu = ["patches", "digits"]
        if X is not None:
            self.own_rows = _parted(check_data(X, min_rows=50))
            self.mark = hashlib.sha256(self.own_rows[0].tobytes()).hexdigest()
            menu = ["your data", *menu]
        rows = self._rows(menu[0])[0]
        strings = _examples(*rows.shape)
        explain_factory(factory, rows.shape[1], n_rows=len(rows))
        typed = "" if factory in strings else factory
        if isinstance(predict, str):
            check_choice(predict, "predict", ("nprobe",))
            cells = explain_factory(strings[1], rows.shape[1]).n_cells
            predict = Prediction(
                f"How many of the {cells} cells of {strings[1]} must a query look into, so that "
                "95 of 100 nearest rows are found?",
                [f"{effort}" for effort in _EFFORTS if effort <= cells],
                truth=lambda result: self._enough(strings[1]),
            )
        super().__init__(
            [
                choice("data", "Data", "Rows that are indexed", menu, menu[0]),
                choice(
                    "index",
                    "index_factory",
                    "A string that says how rows are kept and searched",
                    strings,
                    strings[1] if typed else factory,
                ),
                entry(
                    "own",
                    "or your own",
                    "Type a string such as PCA16,IVF32,SQ8 and press Enter; empty: the list's",
                    typed,
                    trials=("", "HNSW8", "IVF8,Falt"),
                ),
                ladder(
                    "effort",
                    "Effort",
                    "nprobe: cells a query looks into; efSearch: rows a walk keeps in mind",
                    [(f"{effort}", effort) for effort in _EFFORTS],
                    1,
                    recompute=False,
                ),
                ladder(
                    "sample",
                    "Rows to train a cell",
                    "k-means trains on at most so many rows for each cell; faiss takes 256",
                    _SAMPLES,
                    256,
                ),
            ],
            predict=predict,
        )

    def _rows(self, data: str) -> tuple[np.ndarray, np.ndarray]:
        if data == "your data" and self.own_rows is not None:
            return self.own_rows
        return _data(data)

    def _enough(self, factory: str) -> str:
        values = self.values
        result = self.compute(
            Job(), data=values["data"], index=factory, own="", sample=values["sample"]
        )
        found = [one.dial for one in result.efforts if one.recall >= 0.95]
        return f"{min(found, default=result.efforts[-1].dial)}"

    # -- computing -----------------------------------------------------------------------------

    def compute(self, job: Job, *, data: str, index: str, own: str, sample: int) -> Measured:
        X, Q = self._rows(data)
        (n, d), factory = X.shape, own or index
        try:
            read = explain_factory(factory, d, n_rows=n)
        except FactoryError as reason:
            return Measured(factory, n, d, reason.parts, str(reason), reason.wrong)
        job.report(0, 3, "k-means")
        ratios = None
        if _has_cells(read):
            key = (data, self.mark if data == "your data" else "", read.n_cells)
            ratios = _fits.get(key, self._ratios, job, X, read.n_cells)
        job.report(1, 3, "building")
        refines = read.parts[-1].role == "refinement"
        made = make_index(
            "faiss",
            factory=factory,
            random_state=0,
            max_points_per_centroid=sample or None,
            search_params={"k_factor_rf": _REFINE} if refines else None,
            n_jobs=1,
        )
        try:
            made.fit(X)
        except ValueError as reason:
            # what only faiss itself can find wrong
            return Measured(factory, n, d, read.parts, str(reason))
        job.report(2, 3, "searching")
        from faiss import serialize_index

        whole = int(serialize_index(made.index_).nbytes)
        return Measured(
            factory,
            n,
            d,
            read.parts,
            read=read,
            dial={"nprobe": "nprobe", "ef": "efSearch"}.get(next(iter(made.knobs), ""), ""),
            efforts=tuple(self._searches(job, made, X, Q, read)),
            shared_bytes=max(0, whole - round(n * read.bytes_per_row)),
            ratios=ratios,
        )

    def _searches(
        self, job: Job, made: Any, X: np.ndarray, Q: np.ndarray, read: FactoryString
    ) -> list[Effort]:
        truth = make_index("brute", n_jobs=1).fit(X).kneighbors(Q, 1)[0][:, 0]
        knob = next(iter(made.knobs), None)
        most = read.n_cells or max(_EFFORTS)
        dials = [effort for effort in _EFFORTS if effort <= most] if knob else [1]
        efforts = []
        for dial in dials:
            job.report(2 + dial / (most + 1), 3, "searching")
            if knob:
                made.set_query_params(**{knob: dial})
            rows = made.candidates(Q)
            gaps = np.sqrt(paired_sq(Q, X, np.maximum(rows, 0))[:, 0])
            # equal rows are equally right, and float32 cannot tell nearly equal ones apart
            hits = (rows[:, 0] >= 0) & (gaps <= truth * (1 + 1e-4) + 1e-6)
            with _counting:
                compared = float(made.compared(Q).mean())
            efforts.append(Effort(dial, float(hits.mean()), compared))
        return efforts

    def _ratios(self, job: Job, X: np.ndarray, k: int) -> dict[int, tuple[float, ...]]:
        starts = range(_STARTS if k <= 128 else 1)
        totals: dict[int, list[float]] = {most: [] for _, most in _SAMPLES}
        for place, (_, most) in enumerate(_SAMPLES):
            for start in starts:
                job.report(place / len(_SAMPLES), 3, "k-means")
                # float64, over all rows, whatever it was trained on
                fit = kmeans_faiss(
                    X,
                    k,
                    _ITERATIONS,
                    random_state=start,
                    max_points_per_centroid=most or None,
                    n_jobs=1,
                )
                totals[most].append(fit.inertia)
        whole = totals[0]
        return {
            most: tuple(a / b if b > 0 else 1.0 for a, b in zip(found, whole, strict=True))
            for most, found in totals.items()
        }

    # -- telling -------------------------------------------------------------------------------

    def sentence(
        self,
        result: Measured,
        frame: int,
        *,
        data: str,
        index: str,
        own: str,
        effort: int,
        sample: int,
    ) -> str:
        read = result.read
        if read is None:
            return f"{result.factory!r} is no index of {data}. {result.trouble}"
        here = result.at(effort)
        dial = f"with {result.dial} {here.dial}" if result.dial else "(no dial)"
        kept = [f"{read.code_bytes} of code"]
        if read.id_bytes:
            kept.append(f"{read.id_bytes} of row number")
        if read.link_bytes:
            kept.append(f"{read.link_bytes:.0f} of links")
        told = (
            f"{result.factory} {dial} keeps {read.bytes_per_row:.0f} bytes a row "
            f"({', '.join(kept)}) where the row itself has {4 * result.d}. "
        )
        cells = (
            f" in {here.dial} of {read.n_cells:,} cells"
            if read.n_cells and result.dial == "nprobe"
            else ""
        )
        told += (
            f"On {data} it finds the nearest row of {_percent(here.recall)} of the queries, "
            f"comparing {three(here.compared)} of {result.n:,} rows{cells}. "
        )
        if result.ratios is None:
            what = "no k-means over whole rows" if read.n_cells else "no cells to train"
            told += f"There are {what}, so the sample makes no difference to them. "
        else:
            used = min(result.n, sample * read.n_cells or result.n)
            told += (
                f"k-means with its {read.n_cells:,} cells, trained on {used:,} of the rows, ends "
                f"with {_more(float(np.mean(result.ratios[sample])))} of training on all. "
            )
        return told + read.sentence

    # -- drawing -------------------------------------------------------------------------------

    def draw(
        self,
        figure: Any,
        result: Measured,
        frame: int,
        *,
        data: str,
        index: str,
        own: str,
        effort: int,
        sample: int,
    ) -> None:
        grid = figure.add_gridspec(2, 3, height_ratios=(1, 1.25), width_ratios=(1.15, 0.85, 1))
        self._draw_anatomy(figure.add_subplot(grid[0, :]), result)
        if result.read is None:
            axes = figure.add_subplot(grid[1, :])
            axes.set_axis_off()
            self._draw_trouble(axes, result)
            return
        search, kept, trained = (figure.add_subplot(grid[1, place]) for place in range(3))
        self._draw_search(search, result, effort)
        self._draw_bytes(kept, result)
        self._draw_training(trained, result, sample)

    def _draw_anatomy(self, axes: Any, result: Measured) -> None:
        from matplotlib.patches import FancyBboxPatch

        axes.set_axis_off()
        axes.set(xlim=(0, 1), ylim=(0, 1))
        axes.set_title(
            f'faiss.index_factory({result.d}, "{result.factory[:48]}")',
            fontsize=13,
            color=INK,
            loc="left",
            family="monospace",
        )
        shown = [(part.text, part.role, part.meaning, False) for part in result.parts]
        if result.read is None:
            last = result.wrong if result.wrong else result.factory
            shown = [one for one in shown if one[0] != last]
            shown.append((last[:16] or "(nothing)", "does not fit", "", True))
        # four places, so that a part keeps its size when another one joins
        places = max(3, len(shown))
        width = 1 / places
        for place, (text, role, meaning, wrong) in enumerate(shown):
            left = place * width
            color = ALARM if wrong else PALETTE[ROLES.index(role)]
            box = FancyBboxPatch(
                (left + 0.012, 0.56),
                width - 0.06,
                0.26,
                boxstyle="round,pad=0.004,rounding_size=0.02",
                facecolor=PAPER,
                edgecolor=color,
                linewidth=3,
                linestyle="--" if wrong else "-",
                mutation_aspect=4,
            )
            axes.add_patch(box)
            middle = left + width / 2 - 0.018
            axes.text(
                middle,
                0.69,
                text,
                fontsize=15,
                color=INK,
                weight="bold",
                family="monospace",
                ha="center",
                va="center",
            )
            axes.text(middle, 0.87, role, fontsize=11, color=QUIET, ha="center", va="bottom")
            axes.text(
                left + 0.012,
                0.47,
                textwrap.fill(meaning, round(90 / places / LOOK.text)),
                fontsize=11,
                color=INK,
                ha="left",
                va="top",
            )
            if place + 1 < len(shown):
                axes.annotate(
                    "",
                    xy=(left + width + 0.004, 0.69),
                    xytext=(left + width - 0.042, 0.69),
                    arrowprops={"arrowstyle": "-|>", "color": QUIET, "linewidth": 1.6},
                )

    def _draw_trouble(self, axes: Any, result: Measured) -> None:
        """What is wrong, and below it the parts that would do."""
        axes.set(xlim=(0, 1), ylim=(0, 1))
        axes.text(0, 0.98, textwrap.fill(result.trouble, 82), fontsize=14, color=INK, va="top")
        axes.text(0, 0.52, "Parts that can be read, in their order:", fontsize=12, color=QUIET)
        for place, role in enumerate(ROLES):
            left = place / len(ROLES)
            axes.plot([left, left + 0.17], [0.43, 0.43], color=PALETTE[place], linewidth=3)
            axes.text(left, 0.39, role, fontsize=12, color=QUIET, va="top")
            axes.text(
                left,
                0.28,
                "\n".join(_KNOWN[role]),
                fontsize=12,
                color=INK,
                va="top",
                family="monospace",
            )

    def _draw_search(self, axes: Any, result: Measured, effort: int) -> None:
        chart(axes, f"rows compared, of {result.n:,}", "nearest row found", "what it finds")
        # while the reader predicts, the curve goes no farther than the dial was turned
        seen = [one for one in result.efforts if not self.veiled or one.dial <= effort]
        axes.plot(
            [one.compared for one in seen],
            [one.recall for one in seen],
            "-o",
            color=PALETTE[0],
            linewidth=2.2,
            markersize=6,
        )
        here = result.at(effort)
        axes.plot(
            [here.compared],
            [here.recall],
            "D",
            color=ALARM,
            markersize=12,
            markeredgecolor=INK,
            zorder=5,
            clip_on=False,
        )
        axes.set_xscale("log")
        axes.set(xlim=(min(20, result.n / 20), 1.5 * result.n), ylim=(-0.03, 1.06))
        axes.xaxis.set_major_formatter("{x:,.0f}")
        words = f"{result.dial} {here.dial}" if result.dial else "no dial to turn"
        axes.text(
            0.96,
            0.06,
            f"{words}: {_percent(here.recall)}",
            fontsize=12,
            color=INK,
            ha="right",
            transform=axes.transAxes,
        )

    def _draw_bytes(self, axes: Any, result: Measured) -> None:
        assert result.read is not None
        read, raw = result.read, 4.0 * result.d
        chart(axes, "bytes", "", "what a row takes")
        axes.grid(False)
        pieces = (
            (float(read.code_bytes), "code", PALETTE[3], ""),
            (float(read.id_bytes), "row number", PALETTE[1], "//"),
            (read.link_bytes, "links", PALETTE[2], ".."),
        )
        axes.barh([1], [raw], height=0.5, color=QUIET, label="row as it is")
        left = 0.0
        for size, label, color, hatch in pieces:
            if size:
                axes.barh(
                    [0],
                    [size],
                    left=left,
                    height=0.5,
                    color=color,
                    hatch=hatch,
                    edgecolor=PAPER,
                    linewidth=0,
                    label=label,
                )
                left += size
        most = max(raw, left)
        for place, size in ((1, raw), (0, left)):
            axes.text(size + 0.03 * most, place, f"{size:.0f}", va="center", fontsize=12, color=INK)
        axes.set(xlim=(0, 1.28 * most), ylim=(-0.6, 2.9), yticks=[])
        axes.legend(loc="upper right", frameon=False, fontsize=11)

    def _draw_training(self, axes: Any, result: Measured, sample: int) -> None:
        if result.ratios is None:
            axes.set_axis_off()
            words = (
                "It has no cells,\nso no rows are sampled\nto train them."
                if result.read is not None and not result.read.n_cells
                else "Its cells are products\nof halves: not compared\nwith k-means here."
            )
            axes.text(
                0.5, 0.6, words, fontsize=12, color=QUIET, ha="center", transform=axes.transAxes
            )
            return
        chart(axes, "rows to train a cell", "inertia, all rows = 1", "what its k-means loses")
        order = [most for _, most in _SAMPLES]
        for place, most in enumerate(order):
            ratios = result.ratios[most]
            axes.plot([place] * len(ratios), ratios, "o", color=PALETTE[4], markersize=6)
        axes.plot(
            range(len(order)),
            [1 + 1 / most if most else 1 for most in order],
            "--",
            color=QUIET,
            linewidth=1.6,
            label="1 + 1/m",
        )
        axes.plot(
            range(len(order)),
            [float(np.mean(result.ratios[most])) for most in order],
            "-s",
            color=PALETTE[0],
            linewidth=2.2,
            markersize=6,
            label="mean of starts",
        )
        here = order.index(sample)
        axes.plot(
            [here],
            [float(np.mean(result.ratios[sample]))],
            "D",
            color=ALARM,
            markersize=12,
            markeredgecolor=INK,
            zorder=5,
        )
        every = [ratio for ratios in result.ratios.values() for ratio in ratios]
        # room for the legend above all starts
        lowest, highest = min(0.98, *every) - 0.005, max(1.06, *every)
        axes.set(
            xlim=(-0.4, len(order) - 0.6),
            ylim=(lowest, highest + 0.5 * (highest - lowest)),
            xticks=range(len(order)),
            xticklabels=["16", "64", "256", "all"],
        )
        axes.legend(loc="upper right", frameon=False, fontsize=11)


def _percent(part: float) -> str:
    """A share of queries; only all is 100%."""
    return f"{min(100 * part, 100.0 if part == 1 else 99.9):.3g}%"


def _more(ratio: float) -> str:
    """How an inertia compares with another one."""
    change = 100 * (ratio - 1)
    if abs(change) < 0.05:
        return "the inertia"
    return f"{abs(change):.1f}% {'more' if change > 0 else 'less'} inertia than that"


def _has_cells(read: FactoryString) -> bool:
    return any(part.text.startswith("IVF") for part in read.parts)


def _examples(n: int, d: int) -> list[str]:
    """Strings that fit these rows, simple ones first; the second has cells."""
    slices = max(m for m in range(1, 9) if d % m == 0)
    code = f"PQ{slices}" if n >= 2000 else f"PQ{slices}x4"
    cells = 16 if n >= 160 else 4
    kept = max(1, d // 3)
    return [
        "Flat",
        f"IVF{cells},Flat",
        f"IVF{cells},SQ8",
        f"IVF{cells},{code}",
        f"IVF{cells},{code},RFlat",
        f"IVF{4 * cells}_HNSW16,Flat",
        code,
        "SQ8",
        f"PCA{kept},IVF{cells},SQ8",
        "HNSW16",
        "LSHrt",
    ]


def faiss_explorer(
    X: Any = None, *, factory: str = "IVF16,Flat", predict: Any = None
) -> FaissExplorer:
    """Take an ``index_factory`` string of faiss apart and see what it does to real rows.

    Above, the parts of the string and what each does. Below: how many nearest rows a search
    finds for how many comparisons, over its dial; the bytes that a row takes; and the k-means
    inside, which faiss trains on a sample of 256 rows for each cell unless told otherwise.

    Parameters
    ----------
    X : array-like of shape (n, d), optional
        Data of your own, beside image patches and digits. 5,200 rows are used at most; some are
        kept apart as queries.
    factory : str, default="IVF16,Flat"
        String to begin with; any that `annlab.indexes.factory_string.explain_factory` reads.
    predict : "nprobe" or Prediction, optional
        Ask for a prediction; Compare shows the truth.

    Returns
    -------
    Explorer
        Display it as the last expression of a cell. A string that is typed wrong does no harm:
        the picture marks the part and says what to write.

    Raises
    ------
    MissingExtraError
        If faiss is not installed.
    TypeError, ValueError
        Naming the parameter, the rule and what came.

    Notes
    -----
    Recall is that of faiss's own first answer (`FaissIndex.candidates`), not of annlab's
    ``kneighbors``, which compares the best few exactly. A refinement (``RFlat``) looks at ten
    rows. Inertia is summed in float64 over all rows, whatever k-means was trained on.

    Examples
    --------
    >>> import numpy as np
    >>> from annlab import widgets
    >>> X = np.random.RandomState(0).rand(300, 8)
    >>> explorer = widgets.faiss_explorer(X, factory="IVF4,SQ8")
    >>> explorer.set(effort=4).text  # doctest: +ELLIPSIS
    'IVF4,SQ8 with nprobe 4 keeps 16 bytes a row (8 of code, 8 of row number) where ...'
    """
    return FaissExplorer(X, factory=factory, predict=predict)


def example() -> FaissExplorer:
    """Make a small one, for the tests that run over all explorers."""
    X = np.random.RandomState(0).rand(400, 6)
    return faiss_explorer(X, predict="nprobe")

"""``faiss_explorer``: a factory string taken apart, and what it does to rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from annlab._support.checks import check_data
from annlab.indexes import make_index
from annlab.indexes.factory_string import FactoryError, explain_factory
from annlab.indexes.faiss_index import load_faiss
from annlab.widgets._faiss_draw import (
    draw_anatomy,
    draw_bytes,
    draw_search,
    draw_training,
    draw_trouble,
    percent,
)
from annlab.widgets._faiss_measure import (
    EFFORTS,
    SAMPLES,
    Measured,
    built_in,
    parted,
    ratios,
    searches,
)
from annlab.widgets.base import (
    Explorer,
    Job,
    Predict,
    Prediction,
    Store,
    ask,
    choice,
    entry,
    ladder,
    three,
)
from annlab.widgets.base.rows import OWN, digest

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike

#: How many times more rows a refinement compares than asked for; faiss's default 1 refines nothing.
_REFINE = 10
#: Losses of k-means, by data and number of cells: other parts of a string do not change them.
_fits = Store(50)


class FaissExplorer(Explorer):
    """The explorer that `faiss_explorer` makes."""

    name = "faiss_explorer"
    title = "What does an index_factory string make of your rows?"
    size = (840, 500)
    slow = True
    keeps_back = True

    def __init__(self, X: ArrayLike | None, factory: str, predict: Predict) -> None:
        load_faiss("for faiss_explorer")
        self.own_rows, self.mark = None, ""
        menu = ["patches", "digits"]
        if X is not None:
            self.own_rows = parted(check_data(X, min_rows=50))
            self.mark = digest(self.own_rows[0])
            menu = [OWN, *menu]
        n, d = self._rows(menu[0])[0].shape
        explain_factory(factory, d, n_rows=n)
        self._strings = _examples(n, d)
        typed = "" if factory in self._strings else factory
        controls = [
            choice("data", "Data", "Rows that are indexed", menu, menu[0]),
            choice(
                "index",
                "index_factory",
                "A string that says how rows are kept and searched",
                self._strings,
                self._strings[1] if typed else factory,
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
                EFFORTS,
                1,
            ),
            ladder(
                "sample",
                "Rows to train a cell",
                "k-means trains on at most this many rows for each cell; faiss takes 256",
                SAMPLES,
                256,
            ),
        ]
        super().__init__(controls, predict=ask(predict, {"nprobe": lambda: self._question(d)}))

    def _rows(self, data: str) -> tuple[np.ndarray, np.ndarray]:
        if data == OWN and self.own_rows is not None:
            return self.own_rows
        return built_in(data)

    def _question(self, d: int) -> Prediction:
        factory = self._strings[1]
        cells = explain_factory(factory, d).n_cells
        return Prediction(
            f"How many of the {cells} cells of {factory} must a query look into, so that "
            "95 of 100 nearest rows are found?",
            [f"{effort}" for effort in EFFORTS if effort <= cells],
            truth=lambda result: self._enough(factory),
        )

    def _enough(self, factory: str) -> str:
        """Return the lowest effort that finds 95 % of the nearest rows."""
        data, sample = self.values["data"], self.values["sample"]
        efforts = self.compute(Job(), data=data, index=factory, own="", sample=sample).efforts
        found = [one.dial for one in efforts if one.recall >= 0.95]
        return f"{min(found, default=efforts[-1].dial)}"

    def compute(self, job: Job, *, data: str, index: str, own: str, sample: int) -> Measured:
        X, Q = self._rows(data)
        (n, d), factory = X.shape, own or index
        try:
            read = explain_factory(factory, d, n_rows=n)
        except FactoryError as reason:
            return Measured(factory, n, d, reason.parts, str(reason), reason.wrong)
        job.report(0, 3, "k-means")
        losses = None
        if read.n_cells:
            key = (data, self.mark if data == OWN else "", read.n_cells)
            losses = _fits.get(key, ratios, job, X, read.n_cells)
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
            # some faults only faiss itself can find
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
            efforts=tuple(searches(job, made, X, Q, read)),
            shared_bytes=max(0, whole - round(n * read.bytes_per_row)),
            ratios=losses,
        )

    def sentence(
        self,
        result: Measured,
        frame: int,
        *,
        data: str,
        effort: int,
        sample: int,
        **values: object,
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
        cells = f" in {here.dial} of {read.n_cells:,} cells" if result.dial == "nprobe" else ""
        told += (
            f"On {data} it finds the nearest row of {percent(here.recall)} of the queries, "
            f"comparing {three(here.compared)} of {result.n:,} rows{cells}. "
        )
        if result.ratios is None:
            told += "There are no cells to train, so the sample makes no difference to them. "
        else:
            used = min(result.n, sample * read.n_cells or result.n)
            told += (
                f"k-means with its {read.n_cells:,} cells, trained on {used:,} of the rows, ends "
                f"with {_more(float(np.mean(result.ratios[sample])))} of training on all. "
            )
        return told + read.sentence

    def draw(
        self,
        figure: Figure,
        result: Measured,
        frame: int,
        *,
        effort: int,
        sample: int,
        **values: object,
    ) -> None:
        grid = figure.add_gridspec(2, 3, height_ratios=(1, 1.25), width_ratios=(1.15, 0.85, 1))
        draw_anatomy(figure.add_subplot(grid[0, :]), result)
        if result.read is None:
            draw_trouble(figure.add_subplot(grid[1, :]), result)
            return
        search, kept, trained = (figure.add_subplot(grid[1, place]) for place in range(3))
        # during a prediction, the curve ends at the dial's position
        seen = [one for one in result.efforts if not self.veiled or one.dial <= effort]
        draw_search(search, result, result.at(effort), seen)
        draw_bytes(kept, result)
        draw_training(trained, result, sample)


def _more(ratio: float) -> str:
    """Say by how much one inertia exceeds another."""
    change = 100 * (ratio - 1)
    if abs(change) < 0.05:
        return "the inertia"
    return f"{abs(change):.1f}% {'more' if change > 0 else 'less'} inertia than that"


def _examples(n: int, d: int) -> list[str]:
    """Return strings that fit these rows, simple first; the second has cells."""
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
    X: ArrayLike | None = None,
    *,
    factory: str = "IVF16,Flat",
    predict: Predict = None,
) -> FaissExplorer:
    """Take an ``index_factory`` string apart and see what it does to rows.

    Above, the parts of the string and what each does. Below: the share of nearest rows that a
    search finds against rows compared, over its dial; the bytes of a row; and the k-means inside,
    which faiss trains on at most 256 rows for each cell unless told otherwise.

    Parameters
    ----------
    X : array-like of shape (n, d), optional
        Data of your own, beside image patches and digits. At most 5,200 rows are used, some of
        them as queries.
    factory : str, default="IVF16,Flat"
        First string; any that `annlab.indexes.factory_string.explain_factory` reads.
    predict : "nprobe" or Prediction, optional
        Ask for a prediction; Compare shows the truth.

    Returns
    -------
    Explorer
        Display it as the last expression of a cell. If a string is wrong, the picture marks the
        part and says what to write.

    Raises
    ------
    MissingExtraError
        If faiss is not installed.
    TypeError, ValueError
        If an argument is invalid.

    Notes
    -----
    Recall is that of faiss's own first answer (`FaissIndex.candidates`), before annlab's
    ``kneighbors`` compares the best few exactly. A refinement (``RFlat``) compares ten rows.
    Inertia is summed in float64 over all rows.

    Examples
    --------
    >>> import numpy as np
    >>> from annlab import widgets
    >>> X = np.random.RandomState(0).rand(300, 8)
    >>> explorer = widgets.faiss_explorer(X, factory="IVF4,SQ8")
    >>> explorer.set(effort=4).text  # doctest: +ELLIPSIS
    'IVF4,SQ8 with nprobe 4 keeps 16 bytes a row (8 of code, 8 of row number) where ...'
    """
    return FaissExplorer(X, factory, predict)


def example() -> FaissExplorer:
    """Make a small explorer for the tests."""
    X = np.random.RandomState(0).rand(400, 6)
    return faiss_explorer(X, predict="nprobe")

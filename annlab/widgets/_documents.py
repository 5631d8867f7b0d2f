"""Themes of a heap of texts: corpus, k, dimensions, and the documents of a theme to read."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import ipywidgets
import numpy as np

from annlab._support.checks import check_integer, check_random_state
from annlab._support.errors import invalid
from annlab._support.types import Seed
from annlab.applications import DocumentClusters, cluster_documents
from annlab.datasets import Corpus
from annlab.widgets.base import (
    INK,
    QUIET,
    Control,
    Explorer,
    Job,
    Predict,
    Prediction,
    ask,
    choice,
    cluster_color,
    cluster_marker,
    frame_limits,
    ladder,
    plane,
    scatter_clusters,
    slider,
    three,
)
from annlab.widgets.base.marks import write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Themes at most, so that the list beside the map stays legible.
_MOST = 12
_DIMENSIONS = (2, 5, 10, 20, 50, 100)
#: Dimensions from which the map is made, and documents that can be read at a time.
_MAP_DIMENSIONS, _READ = 20, 5
_STARTS = 5
#: Answers of the prediction.
_SIZES_TO_CLICK = ("plain words", "2 dimensions", "20 dimensions", "100 dimensions")


@dataclass(frozen=True, eq=False)
class Themes:
    """A clustering of documents, their places on the map, and who is typical.

    Attributes
    ----------
    corpus : Corpus
    clusters : DocumentClusters
    places : ndarray of shape (n, 2)
    typical : list of k ndarrays of int
        Documents of each theme, the nearest to its centroid first.
    """

    corpus: Corpus
    clusters: DocumentClusters
    places: np.ndarray
    typical: list[np.ndarray]

    def main_label(self, theme: int) -> tuple[str, float] | None:
        """Most frequent true theme of a cluster and its share; None where none is known."""
        known = self.corpus.labels[self.typical[theme]]
        known = known[known >= 0]
        if not len(known):
            return None
        counts = np.bincount(known)
        return self.corpus.label_names[counts.argmax()], float(counts.max() / len(known))


class _ThemeButtons(Control):
    """A button for each theme; there are as many as the result has."""

    def __init__(self) -> None:
        widget = ipywidgets.ToggleButtons(
            options=[("all", 0), *((str(theme), theme) for theme in range(1, _MOST + 1))],
            value=0,
            description="Read theme",
            tooltip="Mark a theme on the map and read its documents",
            style={"description_width": "initial", "button_width": "auto"},
            # room for two rows, so that nothing jumps when there are more themes
            layout=ipywidgets.Layout(width="100%", max_width="840px", min_height="92px"),
        )
        super().__init__("theme", widget, recompute=False, decode=self._read, trials=(0, 1, 2))

    @staticmethod
    def _read(text: str) -> int:
        if not (text.isascii() and text.isdigit()) or int(text) > _MOST:
            raise invalid("theme", f"0 (all) or the number of a theme, at most {_MOST}", text)
        return int(text)

    def show(self, names: list[str]) -> None:
        """Offer these themes; the value must be among them."""
        options = [("all", 0), *((name, number) for number, name in enumerate(names, 1))]
        if list(self.widget.options) != options:
            value = self.widget.value
            self.widget.options = options
            self.widget.tooltips = ["All themes", *(f"Read the theme {name}" for name in names)]
            self.widget.value = value if value <= len(names) else 0

    @property
    def value(self) -> int:
        """Current value."""
        return int(self.widget.value)

    @value.setter
    def value(self, value: int) -> None:
        if value not in [number for _, number in self.widget.options]:
            # a state may name a theme of a k that is only now being set
            self.widget.options = [
                ("all", 0),
                *((str(theme), theme) for theme in range(1, _MOST + 1)),
            ]
        self.widget.value = value


class DocumentExplorer(Explorer):
    """The explorer that `document_explorer` makes."""

    name = "document_explorer"
    title = "Themes of a heap of texts: clusters of its documents"
    slow = True
    size = (840, 480)

    def __init__(
        self,
        corpus: Any,
        n_clusters: int,
        n_components: int | None,
        *,
        predict: Predict,
        random_state: Seed,
    ) -> None:
        check_integer(n_clusters, "n_clusters", minimum=2, maximum=_MOST)
        if n_components is not None:
            check_integer(n_components, "n_components", minimum=2)
        self.shelf = _shelf(corpus)
        self.books: dict[str, tuple[Corpus, np.ndarray]] = {}
        self.seed = int(check_random_state(random_state).randint(2**31 - 1))
        names = list(self.shelf)
        given = () if n_components is None else (int(n_components),)
        self.buttons_of_themes = _ThemeButtons()
        self.pane = ipywidgets.HTML(
            layout=ipywidgets.Layout(height="190px", max_width="840px", overflow="auto")
        )
        controls = [
            slider("k", "Themes k", "Number of clusters", 2, _MOST, int(n_clusters)),
            ladder(
                "size",
                "Dimensions",
                "Cluster plain word weights, or their reduction by an SVD",
                [("words", 0), *((str(d), d) for d in sorted({*_DIMENSIONS, *given}))],
                n_components or 0,
            ),
            choice(
                "metric",
                "Compare by",
                "Cosine looks at the direction only, Euclid at the length of the vector too",
                ("cosine", "euclidean"),
                "cosine",
                buttons=True,
            ),
            self.buttons_of_themes,
        ]
        if len(names) > 1:
            menu = choice("corpus", "Corpus", "Which texts are clustered", names, names[0])
            controls.insert(0, menu)
        super().__init__(controls, predict=ask(predict, {"dimensions": self._question}))

    def _question(self) -> Prediction:
        return Prediction(
            "Which of these gives the purest themes?", _SIZES_TO_CLICK, truth=self._purest
        )

    def _widget_rows(self) -> dict[str, list[Any]]:
        rows = super()._widget_rows()
        rows["sentence"].append(self.pane)
        return rows

    def _accept(self, values: dict[str, Any], result: Themes, frame: int | None = None) -> None:
        # a theme that the new result does not have cannot stay marked
        theme = values["theme"] if values["theme"] <= len(result.typical) else 0
        super()._accept(values | {"theme": theme}, result, frame)

    def present(self, result: Themes, frame: int, **values: Any) -> None:
        """Bring picture, buttons and reading pane up to date."""
        names = [
            f"{number}: {' '.join(terms[:1])}"
            for number, terms in enumerate(result.clusters.top_terms, 1)
        ]
        with self._unheard():
            self.buttons_of_themes.show(names)
            self.buttons_of_themes.value = values["theme"]
        self.pane.value = self._to_read(result, values["theme"])
        super().present(result, frame, **values)

    def _to_read(self, result: Themes, theme: int) -> str:
        if not theme:
            return '<div class="annlab-question">Choose a theme to read its documents.</div>'
        rows = []
        for place in result.typical[theme - 1][:_READ]:
            label = result.corpus.labels[place]
            name = f"{result.corpus.label_names[label]}. " if label >= 0 else ""
            text = result.corpus.documents[place]
            short = text if len(text) <= 420 else text[:420].rsplit(" ", 1)[0] + " …"
            rows.append(f"<li><b>{html.escape(name)}</b>{html.escape(short)}</li>")
        return f"<ol>{''.join(rows)}</ol>"

    def _book(self, name: str | None) -> tuple[str, Corpus, np.ndarray]:
        name = name or next(iter(self.shelf))
        if name not in self.books:
            corpus = self.shelf[name]()
            self.books[name] = corpus, _map(tuple(corpus.documents))
        return name, *self.books[name]

    def compute(
        self, job: Job, *, k: int, size: int, metric: str, corpus: str | None = None
    ) -> Themes:
        from threadpoolctl import threadpool_limits

        job.report(0, 1, "reading the texts")
        _, texts, places = self._book(corpus)
        job.report(1, 3, "looking for themes")
        n = len(texts.documents)
        # so few documents are too little work to share, and one thread is the same everywhere
        with threadpool_limits(1):
            clusters = cluster_documents(
                texts if texts.label_names else texts.documents,
                min(k, n),
                n_components=min(size, n - 1) or None,
                metric=metric,
                n_init=_STARTS,
                random_state=self.seed,
                n_jobs=1,
            )
        job.report(1, 1)
        return Themes(texts, clusters, places, _typical(clusters))

    def _purest(self, result: Themes) -> str:
        """Answer of the prediction: the same corpus and k, in four sizes."""
        asked = {name: self.values[name] for name in self.values if name not in ("size", "theme")}
        options = dict(zip((0, 2, 20, 100), _SIZES_TO_CLICK, strict=True))
        found = {
            size: self.compute(Job(), size=size, **asked).clusters.purity or 0.0 for size in options
        }
        return options[max(found, key=lambda size: found[size])]

    def sentence(
        self,
        result: Themes,
        frame: int,
        *,
        metric: str,
        theme: int,
        corpus: str | None = None,
        **values: Any,
    ) -> str:
        clusters = result.clusters
        space = f"{clusters.svd.n_components} dimensions" if clusters.svd else "plain words"
        known = "" if clusters.purity is None else f": purity about {clusters.purity:.2f}"
        name = f" of {corpus}" if corpus else ""
        whole = (
            f"{len(result.typical)} themes from {space} ({metric}){known}; "
            f"{len(result.corpus.documents):,} documents{name}, "
            f"{clusters.result.n_iter} iterations"
        )
        if not theme:
            return f"{whole}; no theme is marked."
        main = result.main_label(theme - 1)
        mostly = f", {main[1]:.0%} of them {main[0]}" if main else ""
        return (
            f"theme {theme} ({' '.join(clusters.top_terms[theme - 1][:4])}): "
            f"{len(result.typical[theme - 1]):,} documents{mostly}; {whole}."
        )

    def draw(
        self, figure: Figure, result: Themes, frame: int, *, theme: int, **values: Any
    ) -> None:
        chart, listing = figure.subplots(1, 2, width_ratios=(1.05, 1))
        plane(chart, frame_limits(result.places), "map: near texts use similar words")
        labels = result.clusters.labels
        if theme:
            chart.scatter(*result.places.T, s=12, c="#cfcfcf", linewidths=0, zorder=0)
            chosen = labels == theme - 1
            scatter_clusters(chart, result.places[chosen], labels[chosen], size=34, alpha=0.9)
        else:
            scatter_clusters(chart, result.places, labels, size=20)
        self._list(listing, result, theme)
        if theme and len(result.typical) <= _MOST - 4 and len(result.typical[theme - 1]):
            # the room under a short list: the text in the middle of the theme
            text = result.corpus.documents[result.typical[theme - 1][0]]
            lines = textwrap.wrap(text, 50, max_lines=6, placeholder=" …")
            write(listing, 0, _MOST - 3.4, "\n".join(lines), "left top", color=INK)

    @staticmethod
    def _list(axes: Axes, result: Themes, theme: int) -> None:
        axes.set(xlim=(0, 1), ylim=(_MOST, 0))
        axes.set_axis_off()
        purity = result.clusters.purity
        title = "themes" if purity is None else f"themes, purity {three(purity)}"
        axes.set_title(title, fontsize=12, color=INK, loc="left")
        for place, terms in enumerate(result.clusters.top_terms):
            quiet = theme and theme != place + 1
            ink, color = (QUIET, "#cfcfcf") if quiet else (INK, cluster_color(place))
            axes.plot(
                0.03,
                place + 0.5,
                marker=cluster_marker(place),
                markersize=9,
                color=color,
                markeredgecolor=ink,
                markeredgewidth=0.8,
            )
            words = f"{place + 1}  {_fitting(terms, 44)}"
            write(axes, 0.09, place + 0.3, words, "left center", color=ink)
            main = result.main_label(place)
            mostly = f", {main[1]:.0%} {main[0]}" if main else ""
            told = f"    {len(result.typical[place])} documents{mostly}"
            write(axes, 0.09, place + 0.73, told, "left center", color=QUIET)


def _fitting(terms: tuple[str, ...], room: int) -> str:
    """As many terms as fit into so many letters."""
    text = ""
    for term in terms:
        if len(text) + 1 + len(term) > room and text:
            break
        text = f"{text} {term}".strip()
    return text[:room]


def _typical(clusters: DocumentClusters) -> list[np.ndarray]:
    from sklearn.preprocessing import normalize

    rows, centers = normalize(clusters.X), normalize(clusters.centroids)
    likeness = np.asarray(rows @ centers.T)[np.arange(len(clusters.labels)), clusters.labels]
    order = np.argsort(-likeness, kind="stable")
    return [order[clusters.labels[order] == theme] for theme in range(len(clusters.centroids))]


@lru_cache(maxsize=8)
def _map(documents: tuple[str, ...]) -> np.ndarray:
    """Places of the documents on a plane: t-SNE of their reduction, the same for every k."""
    from matplotlib.figure import Figure
    from threadpoolctl import threadpool_limits

    from annlab.plotting import visualize_clusters

    n = len(documents)
    with threadpool_limits(1):
        X = cluster_documents(
            documents,
            1,
            n_components=min(_MAP_DIMENSIONS, n - 1),
            n_init=1,
            max_iter=1,
            random_state=0,
            n_jobs=1,
        ).X
        length = np.linalg.norm(X, axis=1, keepdims=True)
        axes = visualize_clusters(
            X / np.maximum(length, 1e-9),
            np.zeros(n, dtype=int),
            ax=Figure().add_subplot(),
            method_params={"max_iter": 500},
            random_state=0,
        )
    places = np.array(axes.embedding)
    # shared by all explorers of these texts
    places.setflags(write=False)
    return places


def _docstrings() -> Corpus:
    from annlab.datasets import load_docstrings

    return load_docstrings(
        600, packages=("scipy",), label="subpackage", min_per_label=100, random_state=0
    )


def _shelf(corpus: Any) -> dict[str, Callable[[], Corpus]]:
    """Name -> how to get the corpus; reading is put off until somebody asks."""
    if corpus is None:
        from annlab.datasets import load_documents

        return {"short texts": load_documents, "docstrings of SciPy": _docstrings}
    if not isinstance(corpus, Mapping):
        corpus = {"your texts": corpus}
    shelf: dict[str, Callable[[], Corpus]] = {}
    for name, texts in corpus.items():
        book = texts if isinstance(texts, Corpus) else _unlabelled(texts)
        if len(book.documents) < 4:
            raise invalid("corpus", "of at least four documents", len(book.documents))
        shelf[str(name)] = partial(_given, book)
    if not shelf:
        raise invalid("corpus", "at least one corpus", "none")
    return shelf


def _given(book: Corpus) -> Corpus:
    return book


def _unlabelled(texts: Any) -> Corpus:
    if isinstance(texts, (str, bytes)) or not all(isinstance(text, str) for text in texts):
        raise invalid("corpus", "a Corpus or a sequence of texts", repr(texts)[:60])
    texts = tuple(texts)
    return Corpus(
        documents=texts,
        labels=np.full(len(texts), -1, dtype=np.int32),
        label_names=(),
        name="texts",
        description="The reader's own texts.",
    )


def document_explorer(
    corpus: Any = None,
    n_clusters: int = 8,
    n_components: int | None = 20,
    *,
    predict: Predict = None,
    random_state: Seed = 0,
) -> DocumentExplorer:
    """Look for the themes of a heap of texts, see them on a map, and read them.

    Each theme is named by its heaviest words. The map is the same for every setting, so that one
    sees what a setting changes. A button for each theme marks it and shows its most typical
    documents.

    Parameters
    ----------
    corpus : Corpus, sequence of str, or mapping of name to these, optional
        By default a menu: annlab's short texts on eight themes, and docstrings of SciPy.
    n_clusters : int, default=8
        From 2 to 12.
    n_components : int or None, default=20
        Dimensions of the truncated SVD; None clusters plain TF-IDF weights.
    predict : "dimensions" or Prediction, optional
        Ask which number of dimensions gives the purest themes; "Compare" shows the truth.
    random_state : None, int, RandomState or Generator, default=0

    Returns
    -------
    Explorer
        Display it as the last expression of a cell.

    Raises
    ------
    TypeError, ValueError

    Notes
    -----
    The map is t-SNE of 20 dimensions (`annlab.plotting.visualize_clusters`): neighbours on it are
    neighbours in the data, while distances between groups mean little.

    Examples
    --------
    >>> from annlab import widgets
    >>> from annlab.datasets import load_documents
    >>> texts = load_documents().documents[::8]
    >>> explorer = widgets.document_explorer(texts, 4, 10)
    >>> len(explorer.result.clusters.top_terms)
    4
    """
    return DocumentExplorer(
        corpus, n_clusters, n_components, predict=predict, random_state=random_state
    )


def example() -> DocumentExplorer:
    """Make a small one, for the tests that run over all explorers."""
    from annlab.datasets import load_documents

    texts = load_documents()
    part = Corpus(
        documents=texts.documents[::6],
        labels=texts.labels[::6],
        label_names=texts.label_names,
        name="part",
        description="A sixth of the short texts.",
    )
    return document_explorer({"texts": part, "no labels": texts.documents[3::8]}, 4, 10)

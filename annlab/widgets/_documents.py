"""``document_explorer``: themes of a corpus on a map, and their documents."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

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

#: Most themes that the list beside the map has room for.
_MOST = 12
_DIMENSIONS = (2, 5, 10, 20, 50, 100)
#: Dimensions that the map is made from, and documents shown of a theme.
_MAP_DIMENSIONS, _READ = 20, 5
_STARTS = 5
#: Answers of the prediction -> dimensions.
_ANSWERS = {"plain words": 0, "2 dimensions": 2, "20 dimensions": 20, "100 dimensions": 100}
#: A corpus, or a function that reads one.
_Book: TypeAlias = Corpus | Callable[[], Corpus]
_Texts: TypeAlias = Corpus | Sequence[str]


@dataclass(frozen=True, eq=False)
class Themes:
    """A clustering of documents, and what the picture adds to it."""

    corpus: Corpus
    clusters: DocumentClusters
    #: of the documents on the map, shape (n, 2)
    places: np.ndarray
    #: documents of each theme, the nearest to its centroid first
    typical: list[np.ndarray]

    def main_label(self, theme: int) -> tuple[str, float] | None:
        """Return a cluster's most frequent true theme and its share, if known."""
        known = self.corpus.labels[self.typical[theme]]
        known = known[known >= 0]
        if not len(known):
            return None
        counts = np.bincount(known)
        return self.corpus.label_names[counts.argmax()], float(counts.max() / len(known))


class _ThemeButtons(Control):
    """A button for each theme of the result."""

    def __init__(self) -> None:
        widget = ipywidgets.ToggleButtons(
            description="Read theme",
            tooltip="Mark a theme on the map and read its documents",
            style={"description_width": "initial", "button_width": "auto"},
            # two rows, or the page would jump when there are more themes
            layout=ipywidgets.Layout(width="100%", max_width="840px", min_height="92px"),
        )
        super().__init__("theme", widget, decode=self._read, trials=(0, 1, 2))
        self.show([str(theme) for theme in range(1, _MOST + 1)])

    @staticmethod
    def _read(text: str) -> int:
        if not (text.isascii() and text.isdigit()) or int(text) > _MOST:
            raise invalid("theme", f"0 (all) or the number of a theme, at most {_MOST}", text)
        return int(text)

    def show(self, names: list[str]) -> None:
        """Show these themes as buttons; unmark a theme that no longer exists."""
        options = [("all", 0), *((name, number) for number, name in enumerate(names, 1))]
        if list(self.widget.options) != options:
            value = self.widget.value or 0
            self.widget.options = options
            self.widget.tooltips = ["All themes", *(f"Read the theme {name}" for name in names)]
            self.widget.value = value if value <= len(names) else 0

    @property
    def value(self) -> int:
        """Current value."""
        return int(self.widget.value)

    @value.setter
    def value(self, value: int) -> None:
        if value >= len(self.widget.options):
            # a state may name a theme of a k that is only now being set
            self.show([str(theme) for theme in range(1, _MOST + 1)])
        self.widget.value = value


class DocumentExplorer(Explorer):
    """The explorer that `document_explorer` makes."""

    name = "document_explorer"
    title = "Themes of a heap of texts: clusters of its documents"
    slow = True
    size = (840, 480)

    def __init__(
        self,
        corpus: _Texts | Mapping[str, _Texts] | None,
        n_clusters: int,
        n_components: int | None,
        predict: Predict,
        random_state: Seed,
    ) -> None:
        n_clusters = check_integer(n_clusters, "n_clusters", minimum=2, maximum=_MOST)
        sizes = set(_DIMENSIONS)
        if n_components is not None:
            sizes.add(check_integer(n_components, "n_components", minimum=2))
        self.shelf = _shelf(corpus)
        self.seed = int(check_random_state(random_state).randint(2**31 - 1))
        self.theme_buttons = _ThemeButtons()
        self.pane = ipywidgets.HTML(
            layout=ipywidgets.Layout(height="190px", max_width="840px", overflow="auto")
        )
        names = list(self.shelf)
        menu = [choice("corpus", "Corpus", "Which texts are clustered", names, names[0])]
        controls = [
            *(menu if len(names) > 1 else []),
            slider("k", "Themes k", "Number of clusters", 2, _MOST, n_clusters),
            ladder(
                "size",
                "Dimensions",
                "Cluster plain word weights, or their reduction by an SVD",
                [("words", 0), *((str(size), size) for size in sorted(sizes))],
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
            self.theme_buttons,
        ]
        super().__init__(controls, predict=ask(predict, {"dimensions": self._question}))

    def _question(self) -> Prediction:
        question = "Which of these gives the purest themes?"
        return Prediction(question, tuple(_ANSWERS), truth=self._purest)

    def _widget_rows(self) -> dict[str, list[Any]]:
        rows = super()._widget_rows()
        rows["sentence"].append(self.pane)
        return rows

    def _accept(self, values: dict[str, Any], result: Themes, frame: int | None = None) -> None:
        # a theme that the new result does not have cannot stay marked
        theme = values["theme"] if values["theme"] <= len(result.typical) else 0
        super()._accept(values | {"theme": theme}, result, frame)

    def present(self, result: Themes, frame: int, **values: Any) -> None:
        names = [
            f"{number}: {' '.join(terms[:1])}"
            for number, terms in enumerate(result.clusters.top_terms, 1)
        ]
        with self._unheard():
            self.theme_buttons.show(names)
            self.theme_buttons.value = values["theme"]
        self.pane.value = _reading(result, values["theme"])
        super().present(result, frame, **values)

    def compute(
        self, job: Job, *, k: int, size: int, metric: str, corpus: str | None = None
    ) -> Themes:
        from threadpoolctl import threadpool_limits

        job.report(0, 1, "reading the texts")
        book = self.shelf[corpus or next(iter(self.shelf))]
        texts = book if isinstance(book, Corpus) else book()
        places, most = _map(tuple(texts.documents))
        job.report(1, 3, "looking for themes")
        # so few documents are too little work to share, and one thread is the same everywhere
        with threadpool_limits(1):
            clusters = cluster_documents(
                texts if texts.label_names else texts.documents,
                min(k, len(texts.documents)),
                features="lsa" if size else "tfidf",
                n_components=min(size, most) or None,
                metric=metric,
                n_init=_STARTS,
                random_state=self.seed,
                n_jobs=1,
            )
        job.report(1, 1)
        return Themes(texts, clusters, places, _typical(clusters))

    def _purest(self, result: Themes) -> str:
        """Answer the prediction for the corpus, k and metric shown."""
        asked = {name: self.values[name] for name in self.values if name not in ("size", "theme")}
        purities = {
            answer: self.compute(Job(), size=size, **asked).clusters.purity or 0.0
            for answer, size in _ANSWERS.items()
        }
        return max(purities, key=lambda answer: purities[answer])

    def sentence(
        self,
        result: Themes,
        frame: int,
        *,
        metric: str,
        theme: int,
        corpus: str | None = None,
        **values: object,
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
        self, figure: Figure, result: Themes, frame: int, *, theme: int, **values: object
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
        _draw_list(listing, result, theme)
        if theme and len(result.typical) <= _MOST - 4 and len(result.typical[theme - 1]):
            # the most typical text, in the room under a short list
            text = result.corpus.documents[result.typical[theme - 1][0]]
            lines = textwrap.wrap(text, 50, max_lines=6, placeholder=" …")
            write(listing, 0, _MOST - 3.4, "\n".join(lines), "left top", color=INK)


def _draw_list(axes: Axes, result: Themes, theme: int) -> None:
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


def _reading(result: Themes, theme: int) -> str:
    """Write the most typical documents of a theme as HTML."""
    if not theme:
        return '<div class="annlab-question">Choose a theme to read its documents.</div>'
    rows = []
    for place in result.typical[theme - 1][:_READ]:
        label = result.corpus.labels[place]
        name = f"{result.corpus.label_names[label]}. " if label >= 0 else ""
        text = textwrap.shorten(result.corpus.documents[place], 420, placeholder=" …")
        rows.append(f"<li><b>{html.escape(name)}</b>{html.escape(text)}</li>")
    return f"<ol>{''.join(rows)}</ol>"


def _fitting(terms: tuple[str, ...], room: int) -> str:
    """Join as many terms as fit into that many characters."""
    return textwrap.shorten(" ".join(terms), room, placeholder="") or "".join(terms[:1])[:room]


def _typical(clusters: DocumentClusters) -> list[np.ndarray]:
    from sklearn.preprocessing import normalize

    rows, centers = normalize(clusters.X), normalize(clusters.centroids)
    likeness = np.asarray(rows @ centers.T)[np.arange(len(clusters.labels)), clusters.labels]
    order = np.argsort(-likeness, kind="stable")
    return [order[clusters.labels[order] == theme] for theme in range(len(clusters.centroids))]


@lru_cache(maxsize=8)
def _map(documents: tuple[str, ...]) -> tuple[np.ndarray, int]:
    """Map documents to a plane by t-SNE; also return the largest possible rank."""
    from matplotlib.figure import Figure
    from threadpoolctl import threadpool_limits

    from annlab.plotting import visualize_clusters

    once: dict[str, Any] = {"n_init": 1, "max_iter": 1, "random_state": 0, "n_jobs": 1}
    with threadpool_limits(1):
        most = min(cluster_documents(documents, 1, features="tfidf", **once).tfidf.shape)
        X = cluster_documents(documents, 1, n_components=min(_MAP_DIMENSIONS, most), **once).X
        length = np.linalg.norm(X, axis=1, keepdims=True)
        axes = visualize_clusters(
            X / np.maximum(length, 1e-9),
            np.zeros(len(documents), dtype=int),
            ax=Figure().add_subplot(),
            method_params={"max_iter": 500},
            random_state=0,
        )
    places = np.array(axes.embedding)
    # shared by all explorers of these texts
    places.setflags(write=False)
    return places, most


@lru_cache(maxsize=1)
def _docstrings() -> Corpus:
    from annlab.datasets import load_docstrings

    return load_docstrings(
        600, packages=("scipy",), label="subpackage", min_per_label=100, random_state=0
    )


def _shelf(corpus: _Texts | Mapping[str, _Texts] | None) -> dict[str, _Book]:
    """Return the corpora to choose from; built-in ones are read when needed."""
    if corpus is None:
        from annlab.datasets import load_documents

        return {"short texts": load_documents, "docstrings of SciPy": _docstrings}
    named = corpus if isinstance(corpus, Mapping) else {"your texts": corpus}
    shelf: dict[str, _Book] = {}
    for name, texts in named.items():
        book = texts if isinstance(texts, Corpus) else _unlabelled(texts)
        if len(book.documents) < 4:
            raise invalid("corpus", "a corpus of at least four documents", len(book.documents))
        shelf[str(name)] = book
    if not shelf:
        raise invalid("corpus", "at least one corpus", "none")
    return shelf


def _unlabelled(texts: Sequence[str]) -> Corpus:
    if isinstance(texts, (str, bytes)) or not all(isinstance(text, str) for text in texts):
        raise invalid("corpus", "a Corpus or a sequence of texts", repr(texts)[:60])
    unknown = np.full(len(texts), -1, dtype=np.int32)
    return Corpus(tuple(texts), unknown, (), name="texts", description="Your own texts.")


def document_explorer(
    corpus: _Texts | Mapping[str, _Texts] | None = None,
    n_clusters: int = 8,
    n_components: int | None = 20,
    *,
    predict: Predict = None,
    random_state: Seed = 0,
) -> DocumentExplorer:
    """Find themes in texts, show them on a map, and read them.

    Each theme is named by its heaviest words, and has a button that marks it and shows its most
    typical documents. The map does not change with the settings.

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
    The map is t-SNE of 20 dimensions (`annlab.plotting.visualize_clusters`): distances between
    groups mean little on it.

    Examples
    --------
    >>> from annlab import widgets
    >>> from annlab.datasets import load_documents
    >>> texts = load_documents().documents[::8]
    >>> explorer = widgets.document_explorer(texts, 4, 10)
    >>> len(explorer.result.clusters.top_terms)
    4
    """
    return DocumentExplorer(corpus, n_clusters, n_components, predict, random_state)


def example() -> DocumentExplorer:
    """Make a small explorer for the tests."""
    from annlab.datasets import load_documents

    texts = load_documents()
    part = Corpus(texts.documents[::6], texts.labels[::6], texts.label_names, "part", "A sixth.")
    return document_explorer({"texts": part, "no labels": texts.documents[3::8]}, 4, 10)

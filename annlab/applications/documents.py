"""Groups of documents by their words, topics or meaning."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from annlab._support.checks import check_choice, check_data, check_integer, check_random_state
from annlab._support.errors import invalid, require
from annlab._support.pair import Pair
from annlab._support.types import LabelsLike, Matrix, MatrixLike, Seed
from annlab.clustering import kmeans_ann
from annlab.datasets import Corpus
from annlab.distances import paired_sq, unit_rows
from annlab.metrics import purity
from annlab.result import KMeansResult

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer


#: Dimensions of latent semantic analysis, unless there are fewer terms or texts.
_LSA_COMPONENTS = 50
#: Documents that represent a cluster.
_N_REPRESENTATIVES = 3


class Encoder(Protocol):
    """A model that turns texts into vectors, such as a ``SentenceTransformer``."""

    def encode(self, texts: list[str]) -> ArrayLike: ...


#: What `cluster_documents` takes as features.
Features: TypeAlias = "str | Encoder | Callable[[list[str]], MatrixLike] | MatrixLike"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class DocumentClusters(Pair):
    """Clustered documents. Unpacks as ``labels, centroids = result``.

    Attributes
    ----------
    labels : ndarray of shape (n,), int32
    centroids : ndarray of shape (k, d), float32 or float64
        In the space that was clustered.
    features : str
        What was clustered: ``"tfidf"``, ``"lsa"``, ``"embeddings"``, or the name of the caller's
        own encoder, function or ``"vectors"``.
    top_terms : tuple of k tuples of str
        Terms that set each cluster apart, by class-based TF-IDF, heaviest first.
    representatives : tuple of k tuples of int
        Up to three documents of each cluster, nearest to its centroid first.
    purity : float or None
        Share of documents that belong to the main true theme of their cluster; None where no
        themes are known.
    tfidf : CSR of shape (n, n_terms), float32
        The term weights, unit rows.
    X : CSR or ndarray of shape (n, d)
        What was clustered.
    vectorizer : TfidfVectorizer
        Fitted.
    svd : TruncatedSVD or None
        Fitted, for ``features="lsa"``.
    result : KMeansResult
    """

    labels: np.ndarray
    centroids: np.ndarray
    features: str
    top_terms: tuple[tuple[str, ...], ...]
    representatives: tuple[tuple[int, ...], ...]
    purity: float | None
    tfidf: csr_matrix
    X: Matrix
    vectorizer: TfidfVectorizer
    svd: TruncatedSVD | None
    result: KMeansResult

    _pair_names = ("labels", "centroids")

    def __repr__(self) -> str:
        counts = np.bincount(self.labels, minlength=len(self.top_terms))
        known = "" if self.purity is None else f", purity {self.purity:.3f}"
        lines = [f"DocumentClusters: {len(self.labels):,} documents by {self.features}{known}"]
        lines += [
            f"  {label:>3}  {counts[label]:>6,}  {' '.join(terms[:8])}"
            for label, terms in enumerate(self.top_terms)
        ]
        return "\n".join(lines)


def cluster_documents(
    documents: Iterable[str],
    n_clusters: int,
    *,
    features: Features = "auto",
    n_components: int | None = None,
    n_top_terms: int = 10,
    metric: str = "cosine",
    reference: LabelsLike | None = None,
    vectorizer: TfidfVectorizer | None = None,
    algorithm: Any = "auto",
    algorithm_params: dict[str, Any] | None = None,
    init: Any = "k-means++",
    n_init: int = 10,
    max_iter: int = 100,
    tol: float = 1e-4,
    random_state: Seed = None,
    n_jobs: int | None = None,
) -> DocumentClusters:
    """Group texts by their words, topics or meaning, with k-means.

    Parameters
    ----------
    documents : iterable of str, or Corpus
        A `Corpus` brings its true themes along.
    n_clusters : int
    features : str, object, callable or array-like, default="auto"
        What represents a text:

        - ``"tfidf"``: its words, weighted by TF-IDF.
        - ``"lsa"``: topics, a truncated SVD of these weights (latent semantic analysis).
        - ``"embeddings"``: its meaning, as 256-dimensional vectors of the package ``wordllama``,
          which brings its model along and uses no network.
        - ``"auto"``: ``"lsa"`` if ``n_components`` is given or ``wordllama`` is not installed,
          else ``"embeddings"``.
        - an object with ``encode(texts)``, such as a ``SentenceTransformer``; or a function of
          the list of texts; or the vectors themselves, of shape (n, d).
    n_components : int, optional
        Dimensions of ``"lsa"``; by default 50, or as many as there are.
    n_top_terms : int, default=10
        Terms to name for each cluster.
    metric : {"cosine", "euclidean"}, default="cosine"
    reference : array-like of shape (n,), optional
        True themes, for ``purity``; −1 where unknown.
    vectorizer : object with ``fit_transform`` and ``get_feature_names_out``, optional
        Finds the words, for the first two features and to name the clusters; it is cloned. By
        default scikit-learn's ``TfidfVectorizer`` with English stop words and 1 + log(count) as
        term frequency.
    algorithm, algorithm_params, init, max_iter, tol, random_state, n_jobs
        As in `annlab.kmeans_ann`; ``"tfidf"`` is sparse and runs with ``"brute"`` and ``"lsh"``.
    n_init : int, default=10
        Starts, of which the best fit is kept.

    Returns
    -------
    DocumentClusters
        Unpacks as ``labels, centroids``.

    Raises
    ------
    TypeError, ValueError
        For input that is no sequence of texts, texts without any word, features of another
        number of rows, and as `annlab.kmeans_ann`.
    MissingExtraError
        For ``features="embeddings"`` without ``wordllama``.

    Notes
    -----
    TF-IDF stays sparse throughout; only the k centroids are dense.
    Cost O(n_init · iterations · k · (number of nonzeros)). Deerwester et al. (1990),
    doi 10.1002/(SICI)1097-4571(199009)41:6<391::AID-ASI1>3.0.CO;2-9; Dhillon & Modha (2001),
    doi 10.1023/A:1007612920971. Terms: Grootendorst (2022), arXiv 2203.05794.

    Examples
    --------
    >>> from annlab.applications import cluster_documents
    >>> documents = [
    ...     "the train left the station late",
    ...     "a late train and an empty station",
    ...     "butter and flour make the dough",
    ...     "roll the dough with flour",
    ... ]
    >>> labels, centroids = cluster_documents(documents, 2, random_state=0)
    >>> bool(labels[0] == labels[1] != labels[2] == labels[3])
    True
    """
    if isinstance(documents, Corpus):
        reference = documents.labels if reference is None else reference
        documents = documents.documents
    texts = _texts(documents)
    n_top_terms = check_integer(n_top_terms, "n_top_terms")
    check_choice(metric, "metric", ("cosine", "euclidean"))
    tfidf, model = _weights(texts, vectorizer)
    X, name, svd = _represent(texts, features, tfidf, n_components, random_state)
    result = kmeans_ann(
        X,
        n_clusters,
        max_iter,
        algorithm=algorithm,
        algorithm_params=algorithm_params,
        init=init,
        n_init=n_init,
        tol=tol,
        metric=metric,
        random_state=random_state,
        n_jobs=n_jobs,
    )
    return DocumentClusters(
        labels=result.labels,
        centroids=result.centroids,
        features=name,
        top_terms=_top_terms(_counts(texts, model, tfidf), result, model, n_top_terms),
        representatives=_representatives(X, result, metric),
        purity=None if reference is None else purity(result.labels, reference),
        tfidf=tfidf,
        X=X,
        vectorizer=model,
        svd=svd,
        result=result,
    )


def _texts(documents: Iterable[str]) -> list[str]:
    rule, got, remedy = "a sequence of texts (str)", type(documents).__name__, "Pass a list."
    if isinstance(documents, (str, bytes)):
        got, remedy = f"one {got}", "Pass a list of texts, one entry for each document."
    elif (
        isinstance(documents, Mapping)
        or getattr(documents, "ndim", 1) == 2
        or hasattr(documents, "columns")
    ):
        # iterating over these gives the names of columns
        got = f"a {got} of several columns"
        remedy = "Pass the column that holds the texts, such as list(frame['text'])."
    elif isinstance(documents, Iterable):
        texts = list(documents)
        if not texts:
            rule, got = "a list with at least one text", "an empty one"
            raise invalid("documents", rule, got, "Pass a list of texts.")
        odd = next((place for place, text in enumerate(texts) if not isinstance(text, str)), None)
        if odd is None:
            return texts
        got = f"{type(texts[odd]).__name__} at position {odd}"
        remedy = "Decode bytes, and replace missing texts by ''."
    raise invalid("documents", rule, got, remedy, error=TypeError)


def _weights(
    texts: list[str], vectorizer: TfidfVectorizer | None
) -> tuple[csr_matrix, TfidfVectorizer]:
    """Return the TF-IDF weights (CSR, float32) and the fitted vectorizer."""
    if vectorizer is None:
        from sklearn.feature_extraction.text import TfidfVectorizer

        model = TfidfVectorizer(stop_words="english", sublinear_tf=True, dtype=np.float32)
    else:
        from sklearn.base import clone

        for method in ("fit_transform", "get_feature_names_out"):
            if not callable(getattr(vectorizer, method, None)) or isinstance(vectorizer, type):
                raise invalid(
                    "vectorizer",
                    "None or an object with fit_transform and get_feature_names_out",
                    repr(vectorizer),
                    "Pass an instance, such as TfidfVectorizer().",
                    error=TypeError,
                )
        model = clone(vectorizer)
    try:
        weights = model.fit_transform(texts)
    except ValueError as reason:
        if "vocabulary" not in str(reason) and "no terms remain" not in str(reason).lower():
            raise
        raise invalid(
            "documents",
            "texts with at least one word that the vectorizer keeps",
            f"{len(texts)} text{'s' * (len(texts) != 1)} without any",
            "Pass vectorizer=TfidfVectorizer(stop_words=None) to keep common words.",
        ) from reason
    return weights.tocsr().astype(np.float32, copy=False), model


def _represent(
    texts: list[str],
    features: Features,
    tfidf: csr_matrix,
    n_components: int | None,
    random_state: Seed,
) -> tuple[Matrix, str, TruncatedSVD | None]:
    """Return the features of texts, their name, and the fitted SVD of LSA."""
    if not isinstance(features, str):
        if n_components is not None:
            raise invalid("n_components", "None with features of your own", n_components)
        return *_own_features(texts, features), None
    check_choice(features, "features", ("auto", "tfidf", "lsa", "embeddings"))
    if features == "auto":
        has_model = importlib.util.find_spec("wordllama") is not None
        features = "embeddings" if has_model and n_components is None else "lsa"
    if features == "lsa":
        return _reduced(tfidf, n_components, random_state)
    if n_components is not None:
        raise invalid("n_components", "None unless features='lsa'", n_components, "Leave it out.")
    if features == "tfidf":
        return tfidf, "tfidf", None
    return _wordllama().embed(texts), "embeddings", None


def _own_features(texts: list[str], features: Any) -> tuple[Matrix, str]:
    """Return the caller's vectors, or those of the caller's encoder, and a name."""
    if hasattr(features, "encode"):
        vectors, name = features.encode(texts), type(features).__name__
    elif callable(features):
        vectors, name = features(texts), getattr(features, "__name__", "a function")
    else:
        vectors, name = features, "vectors"
    X = check_data(vectors, name="features", accept_sparse=True)
    if X.shape[0] != len(texts):
        raise invalid(
            "features",
            f"one row for each of the {len(texts):,} documents",
            f"shape {X.shape}",
            "Compute them from the same list of documents.",
        )
    return X, name


def _reduced(
    tfidf: csr_matrix, n_components: int | None, random_state: Seed
) -> tuple[np.ndarray, str, TruncatedSVD]:
    from sklearn.decomposition import TruncatedSVD

    largest = min(tfidf.shape)
    if n_components is None:
        n_components = min(_LSA_COMPONENTS, largest)
    n_components = check_integer(n_components, "n_components", maximum=largest)
    svd = TruncatedSVD(n_components, random_state=check_random_state(random_state))
    return np.ascontiguousarray(svd.fit_transform(tfidf), dtype=np.float32), "lsa", svd


@lru_cache(maxsize=1)
def _wordllama() -> Any:
    """Load the embedding model that wordllama ships."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    package = require("wordllama", purpose="to embed documents", extra="text")
    # its import makes every log of the process appear on stderr
    root.handlers[:] = before
    root.setLevel(level)
    folder = Path(next(iter(package.__path__)))
    # without the folder it would look for its tokenizer on the network
    return package.WordLlama.load(cache_dir=folder, disable_download=True)


def _counts(texts: list[str], model: TfidfVectorizer, tfidf: csr_matrix) -> csr_matrix:
    """Return term counts of texts, or the weights of a vectorizer without counts."""
    from sklearn.feature_extraction.text import CountVectorizer

    if isinstance(model, CountVectorizer):
        return CountVectorizer.transform(model, texts)
    return tfidf


def _top_terms(
    counts: csr_matrix, result: KMeansResult, model: TfidfVectorizer, n_terms: int
) -> tuple[tuple[str, ...], ...]:
    """Name the heaviest terms of each cluster by class-based TF-IDF."""
    from scipy.sparse import csr_matrix

    n, k = counts.shape[0], result.n_clusters
    member = csr_matrix((np.ones(n), (result.labels, np.arange(n))), shape=(k, n))
    frequency = (member @ counts).tocsr()
    overall = np.asarray(frequency.sum(axis=0)).ravel()
    rarity = np.log1p(overall.sum() / k / np.maximum(overall, np.finfo(np.float64).tiny))
    names = model.get_feature_names_out()
    chosen = []
    for label in range(k):
        row = slice(frequency.indptr[label], frequency.indptr[label + 1])
        terms = frequency.indices[row]
        weights = frequency.data[row] * rarity[terms]
        # ties in alphabetical order: the vectorizer numbers its terms that way
        order = np.lexsort((terms, -weights))[:n_terms]
        chosen.append(tuple(str(name) for name in names[terms[order]]))
    return tuple(chosen)


def _representatives(X: Matrix, result: KMeansResult, metric: str) -> tuple[tuple[int, ...], ...]:
    """Return the documents of each cluster that are nearest to its centroid."""
    rows, centroids = X, result.centroids
    if metric == "cosine":
        rows, centroids = unit_rows(X)[0], unit_rows(centroids)[0]
    order = np.argsort(paired_sq(rows, centroids, result.labels), kind="stable")
    sorted_labels = result.labels[order]
    return tuple(
        tuple(order[sorted_labels == label][:_N_REPRESENTATIVES].tolist())
        for label in range(result.n_clusters)
    )

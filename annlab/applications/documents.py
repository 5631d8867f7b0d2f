"""Groups of documents by the words they use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from annlab._support.checks import (
    check_choice,
    check_integer,
    check_random_state,
)
from annlab._support.errors import invalid
from annlab._support.pair import Pair
from annlab._support.types import LabelsLike, Matrix, Seed
from annlab.clustering import kmeans_ann
from annlab.datasets import Corpus
from annlab.metrics import purity
from annlab.result import KMeansResult

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class DocumentClusters(Pair):
    """Clustered documents. Unpacks as ``labels, centroids = result``.

    Attributes
    ----------
    labels : ndarray of shape (n,), int32
    centroids : ndarray of shape (k, d), float32
        In the space that was clustered: d terms, or ``n_components`` after the reduction.
    top_terms : tuple of k tuples of str
        The terms of greatest mean weight in each cluster, heaviest first.
    purity : float or None
        Share of documents that belong to the main true theme of their cluster; None where no
        themes are known.
    tfidf : CSR of shape (n, n_terms), float32
        The term weights, unit rows.
    X : CSR of shape (n, n_terms) or ndarray of shape (n, n_components), float32
        What was clustered.
    vectorizer : TfidfVectorizer
        Fitted.
    svd : TruncatedSVD or None
        Fitted, where ``n_components`` was given.
    result : KMeansResult
    """

    labels: np.ndarray
    centroids: np.ndarray
    top_terms: tuple[tuple[str, ...], ...]
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
        lines = [f"DocumentClusters: {len(self.labels):,} documents{known}"]
        lines += [
            f"  {label:>3}  {counts[label]:>6,}  {' '.join(terms[:8])}"
            for label, terms in enumerate(self.top_terms)
        ]
        return "\n".join(lines)


def cluster_documents(
    documents: Iterable[str],
    n_clusters: int,
    *,
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
    """Group texts by the words they use: TF-IDF, then k-means.

    Parameters
    ----------
    documents : iterable of str, or Corpus
        A `Corpus` brings its true themes along.
    n_clusters : int
    n_components : int, optional
        Reduce the terms to that many dimensions by a truncated SVD (latent semantic analysis).
        Short texts share few words, so this often finds themes that the terms alone do not.
    n_top_terms : int, default=10
        Terms to name for each cluster.
    metric : {"cosine", "euclidean"}, default="cosine"
    reference : array-like of shape (n,), optional
        True themes, for ``purity``; −1 where unknown.
    vectorizer : object with ``fit_transform`` and ``get_feature_names_out``, optional
        It is cloned. By default scikit-learn's ``TfidfVectorizer`` with English stop words and
        1 + log(count) as term frequency.
    algorithm, algorithm_params, init, max_iter, tol, random_state, n_jobs
        As in `annlab.kmeans_ann`; sparse texts run with ``"brute"`` and ``"lsh"``.
    n_init : int, default=10
        Starts, of which the best fit is kept: cheap here, and starts matter with sparse texts.

    Returns
    -------
    DocumentClusters
        Unpacks as ``labels, centroids``.

    Raises
    ------
    TypeError, ValueError
        For input that is no sequence of texts, texts without any word, and as
        `annlab.kmeans_ann`.

    Notes
    -----
    The matrix of documents and terms stays sparse throughout; only the k centroids are dense.
    Cost O(n_init · iterations · k · (number of nonzeros)). Deerwester et al. (1990),
    doi 10.1002/(SICI)1097-4571(199009)41:6<391::AID-ASI1>3.0.CO;2-9; Dhillon & Modha (2001),
    doi 10.1023/A:1007612920971.

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
    X, svd = tfidf, None
    if n_components is not None:
        X, svd = _reduced(tfidf, n_components, random_state)
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
        top_terms=_top_terms(tfidf, result, model.get_feature_names_out(), n_top_terms),
        purity=None if reference is None else purity(result.labels, reference),
        tfidf=tfidf,
        X=X,
        vectorizer=model,
        svd=svd,
        result=result,
    )


def _texts(documents: Iterable[str]) -> Sequence[str]:
    rule = "a sequence of texts (str)"
    if isinstance(documents, (str, bytes)):
        raise invalid(
            "documents",
            rule,
            f"one {type(documents).__name__}",
            "Pass a list of texts, one entry for each document.",
            error=TypeError,
        )
    if (
        isinstance(documents, Mapping)
        or getattr(documents, "ndim", 1) == 2
        or (hasattr(documents, "columns"))
    ):
        # iterating over these gives the names of columns
        raise invalid(
            "documents",
            rule,
            f"a {type(documents).__name__} of several columns",
            "Pass the column that holds the texts, such as list(frame['text']).",
            error=TypeError,
        )
    try:
        texts = list(documents)
    except TypeError as reason:
        raise invalid(
            "documents", rule, type(documents).__name__, "Pass a list.", error=TypeError
        ) from reason
    if not texts:
        raise invalid(
            "documents", "a list with at least one text", "an empty one", "Pass a list of texts."
        )
    for number, text in enumerate(texts):
        if not isinstance(text, str):
            raise invalid(
                "documents",
                rule,
                f"{type(text).__name__} at position {number}",
                "Decode bytes, and replace missing texts by ''.",
                error=TypeError,
            )
    return texts


def _weights(
    texts: Sequence[str], vectorizer: TfidfVectorizer | None
) -> tuple[csr_matrix, TfidfVectorizer]:
    """TF-IDF as CSR, float32, and the fitted vectorizer."""
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


def _reduced(
    tfidf: csr_matrix, n_components: int, random_state: Seed
) -> tuple[np.ndarray, TruncatedSVD]:
    from sklearn.decomposition import TruncatedSVD

    largest = min(tfidf.shape)
    n_components = check_integer(n_components, "n_components", maximum=largest)
    svd = TruncatedSVD(n_components, random_state=check_random_state(random_state))
    return np.ascontiguousarray(svd.fit_transform(tfidf), dtype=np.float32), svd


def _top_terms(
    tfidf: csr_matrix, result: KMeansResult, names: np.ndarray, n_terms: int
) -> tuple[tuple[str, ...], ...]:
    """Name the heaviest terms of each cluster's mean, one row at a time."""
    from scipy.sparse import csr_matrix

    n = tfidf.shape[0]
    member = csr_matrix(
        (np.ones(n, dtype=np.float32), (result.labels, np.arange(n))),
        shape=(result.n_clusters, n),
    )
    sums = (member @ tfidf).tocsr()
    chosen = []
    for label in range(result.n_clusters):
        row = slice(sums.indptr[label], sums.indptr[label + 1])
        terms, weights = sums.indices[row], sums.data[row]
        # ties in alphabetical order: the vectorizer numbers its terms that way
        order = np.lexsort((terms, -weights))[:n_terms]
        chosen.append(tuple(str(name) for name in names[terms[order]]))
    return tuple(chosen)

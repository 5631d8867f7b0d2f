"""Indexes of other libraries made from a clustering: they find what faiss itself finds."""

from __future__ import annotations

import numpy as np
import pytest

from annlab import export, kmeans, kmeans_ann
from annlab.datasets import load_patches

faiss = pytest.importorskip("faiss")


@pytest.fixture(scope="module")
def X() -> np.ndarray:
    return load_patches(6000, size=4, random_state=0)


def recall(index, X, queries, metric="euclidean", n=10) -> float:
    exact = faiss.IndexFlatIP if metric == "cosine" else faiss.IndexFlatL2
    if metric == "cosine":
        X, queries = X.copy(), queries.copy()
        faiss.normalize_L2(X)
        faiss.normalize_L2(queries)
    flat = exact(X.shape[1])
    flat.add(X)
    wanted, found = flat.search(queries, n)[1], index.search(queries, n)[1]
    return float(np.mean([len(set(a) & set(b)) / n for a, b in zip(wanted, found, strict=True)]))


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_ivf_with_all_lists_probed_is_exact(X, metric):
    index = export.ivf(X, 40, metric=metric, random_state=0)
    assert (index.ntotal, index.nlist) == (len(X), 40)
    index.nprobe = 40
    assert recall(index, X, X[:100], metric) > 0.995


@pytest.mark.parametrize("kind", ["Flat", "SQ8", "PQ12"])
def test_ivf_recall_equals_that_of_faiss(X, kind):
    ours = export.ivf(X, 64, kind, random_state=0)
    theirs = faiss.index_factory(X.shape[1], f"IVF64,{kind}")
    theirs.train(X)
    theirs.add(X)
    ours.nprobe = theirs.nprobe = 4
    queries = load_patches(300, size=4, random_state=1)
    assert recall(ours, X, queries) > recall(theirs, X, queries) - 0.05


def test_ivf_lists_equal_labels(X):
    result = kmeans_ann(X, 64, random_state=0)
    index = export.ivf(X, result=result)
    for label in (0, 13, 63):
        size = index.invlists.list_size(label)
        ids = faiss.rev_swig_ptr(index.invlists.get_ids(label), size)
        assert set(ids) == set(np.flatnonzero(result.labels == label))


def test_ivf_reads_a_file_in_blocks(X, tmp_path, monkeypatch):
    np.save(tmp_path / "rows.npy", X)
    result = kmeans_ann(X, 16, random_state=0)
    whole = export.ivf(X, result=result)
    monkeypatch.setattr(export, "_BLOCK", 10_000)
    parts = export.ivf(str(tmp_path / "rows.npy"), result=result)
    assert np.array_equal(whole.search(X[:50], 3)[1], parts.search(X[:50], 3)[1])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"n_lists": 0}, "n_lists"),
        ({"n_lists": 8, "kind": "flat"}, "kind must be"),
        ({"n_lists": 8, "kind": "PQ7"}, "kind must be"),
        ({"n_lists": 8, "metric": "cosin"}, "metric"),
    ],
)
def test_ivf_refuses_invalid_arguments(X, arguments, words):
    with pytest.raises((TypeError, ValueError), match=words):
        export.ivf(X[:500], **arguments)


def test_ivf_refuses_a_result_of_other_rows(X):
    with pytest.raises(ValueError, match=r"a fit of the 400 rows of X; got 500 labels"):
        export.ivf(X[:400], result=kmeans(X[:500], 4, random_state=0))


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_exported_centroids_assign_like_the_fit(X, metric):
    result = kmeans(X, 50, metric=metric, random_state=0)
    queries = X.copy()
    if metric == "cosine":
        faiss.normalize_L2(queries)
    flat = export.to_faiss(result).search(queries, 1)[1].ravel()
    assert np.mean(flat == result.labels) > 0.999
    graph = export.to_hnswlib(result)
    graph.set_ef(50)
    assert np.mean(graph.knn_query(queries, k=1)[0].ravel() == result.labels) > 0.98

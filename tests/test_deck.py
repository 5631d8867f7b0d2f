"""The deck's names and calls, as its slides write them."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import annlab


@pytest.fixture(scope="module")
def X():
    return np.random.RandomState(0).rand(1000, 2)


def test_every_public_name_loads_and_is_documented():
    for name in annlab.__all__:
        value = getattr(annlab, name)
        if callable(value):
            assert value.__doc__ and len(value.__doc__.splitlines()[0]) > 20, name
            assert value.__name__ == name


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no_such_name"):
        annlab.no_such_name  # noqa: B018


def test_slide_3(X):
    labels, centroids = annlab.kmeans_ann(X, n_clusters=5)
    assert labels.shape == (1000,) and centroids.shape == (5, 2)
    result = annlab.kmeans_ann(X, 5, 100)
    assert len(result) == 2 and result[0] is result.labels and result[1] is result.centroids


def test_slide_4():
    X = np.random.RandomState(0).rand(2000, 10)
    traditional_time = annlab.benchmark_kmeans(X, n_clusters=10)
    ann_time = annlab.benchmark_kmeans_ann(X, n_clusters=10)
    text = f"{traditional_time:.2f} {ann_time:.2f} {traditional_time / ann_time:.2f}x"
    assert float(text.split()[0]) >= 0
    assert ann_time.inertia <= traditional_time.inertia * 1.05


@pytest.mark.parametrize("algorithm", ["ball_tree", "kd_tree", "brute"])
def test_slide_5(X, algorithm):
    assert f"{annlab.benchmark_ann(X, algorithm):.4f}"


def test_slide_6():
    assert annlab.benchmark_high_dim(500, 10) > 0


def test_slide_7():
    X = np.random.RandomState(0).rand(500, 10)
    rows = list(annlab.accuracy_speed_tradeoff(X, [5, 10, 20]))
    assert [n_neighbors for n_neighbors, accuracy, seconds in rows] == [5, 10, 20]
    assert all(0 <= accuracy <= 1 for _, accuracy, _ in rows)


def test_slide_8():
    from pathlib import Path

    image = Path(__file__).parent.parent / "data" / "sample_image.jpg"
    labels, palette = annlab.segment_image(str(image), 5, random_state=0)
    assert labels.ndim == 2 and palette.shape == (5, 3)
    assert labels.max() == 4


def test_slide_9():
    documents = [
        "Machine learning is a subset of artificial intelligence",
        "Natural language processing deals with text and speech",
        "Computer vision focuses on image and video analysis",
        "Deep learning uses neural networks with multiple layers",
        "Reinforcement learning involves agents and environments",
    ]
    labels, _ = annlab.cluster_documents(documents, 3, random_state=0)
    assert len(labels) == 5 and len(set(labels.tolist())) == 3


def test_slide_10():
    pytest.importorskip("faiss")
    X = np.random.RandomState(42).rand(2000, 32).astype(np.float32)
    labels, centroids = annlab.kmeans_faiss(X, 10)
    assert labels.shape == (2000,) and centroids.shape == (10, 32)


def test_slide_11(X):
    labels, _ = annlab.kmeans(X, 5, random_state=42)
    silhouette, davies_bouldin = annlab.evaluate_clustering(X, labels)
    assert -1 <= silhouette <= 1 and davies_bouldin > 0


def test_slide_12(X):
    X = X.copy()
    X[0] = [10, 10]
    labels, centroids = annlab.robust_kmeans_ann(X, n_clusters=5)
    assert labels[0] == -1 and np.abs(centroids).max() <= 1


def test_slide_13():
    X = np.random.RandomState(0).rand(10_000, 10)
    labels, centroids = annlab.parallel_kmeans_ann(X, n_clusters=10)
    assert labels.shape == (10_000,) and centroids.shape == (10, 10)


def test_slide_14():
    X = np.random.RandomState(0).rand(60, 5)
    labels, _ = annlab.kmeans_ann(X, n_clusters=3)
    axes = annlab.visualize_clusters(X, labels)
    assert axes.get_xlabel() and axes.collections


def test_import_is_instant():
    script = (
        "import sys, annlab\n"
        "loaded = {name.partition('.')[0] for name in sys.modules}\n"
        "bad = loaded & {'sklearn', 'scipy', 'matplotlib', 'numba', 'faiss', 'umap', 'hnswlib',"
        " 'joblib', 'ipywidgets', 'PIL'}\n"
        "assert not bad, bad\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)

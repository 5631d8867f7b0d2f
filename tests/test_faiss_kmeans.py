"""faiss's k-means: all rows train, all are labelled, totals are exact."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from annlab import MissingExtraError, kmeans
from annlab.faiss_kmeans import kmeans_faiss as fit_faiss
from annlab.metrics import inertia

faiss = pytest.importorskip("faiss")
#: Threads: OpenMP spins while it waits, which costs minutes on a machine that others use too.
THREADS = 1


def kmeans_faiss(*args, **params):
    """The function under test, on one thread."""
    return fit_faiss(*args, **{"n_jobs": THREADS, **params})


@pytest.fixture(scope="module")
def X():
    return np.random.RandomState(0).rand(3000, 16).astype(np.float32)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equals_lloyd_from_the_same_start(X, dtype):
    X = X.astype(dtype)
    ours = kmeans(X, 12, 8, init="random", tol=0, random_state=4)
    theirs = kmeans_faiss(X, 12, 8, random_state=4)
    assert theirs.n_iter == 8
    assert theirs.inertia == pytest.approx(ours.inertia, rel=1e-4)
    assert np.mean(theirs.labels == ours.labels) > 0.99
    assert theirs.centroids.dtype == dtype


def test_stop_reason():
    X = np.repeat([[0.0, 0.0], [10.0, 10.0]], 500, axis=0).astype(np.float32)
    X += 0.1 * np.random.RandomState(0).randn(*X.shape).astype(np.float32)
    short, long = (kmeans_faiss(X, 2, most, random_state=0) for most in (1, 100))
    assert (short.n_iter, short.stop_reason) == (1, "max_iter")
    assert long.converged
    # versions of faiss before it stopped by itself make all iterations
    assert long.stop_reason == ("small gain" if long.n_iter < 100 else "max_iter")


def test_labels_and_inertia_are_exact(X):
    result = kmeans_faiss(X, 7, 3, random_state=0)
    assert result.inertia == pytest.approx(inertia(X, result.labels, result.centroids), rel=1e-12)
    squares = ((X[:, None].astype(float) - result.centroids) ** 2).sum(axis=2)
    assert np.array_equal(result.labels, squares.argmin(axis=1))


@pytest.mark.parametrize(("most", "traces"), [(None, 700), (256, 512), (100, 200), (1000, 700)])
def test_max_points_per_centroid(most, traces):
    # a row that trained leaves a trace in the mean of its cluster
    X = np.eye(700, dtype=np.float32)
    result = kmeans_faiss(X, 2, 3, random_state=0, max_points_per_centroid=most)
    assert np.count_nonzero(result.centroids.any(axis=0)) == traces
    assert len(result.labels) == 700
    assert result.n_distances == 2 * (3 * traces + 700)


def test_offset_keeps_inertia(X):
    far = X.astype(np.float64) + 1e5
    near = kmeans_faiss(X.astype(np.float64), 10, 10, random_state=0)
    moved = kmeans_faiss(far, 10, 10, random_state=0)
    assert moved.inertia == pytest.approx(near.inertia, rel=1e-3)


@pytest.mark.parametrize("factor", [1e-30, 1e30])
def test_numbers_beyond_float32_are_scaled(X, factor):
    scaled = kmeans_faiss(X.astype(np.float64) * factor, 5, 5, random_state=0)
    plain = kmeans_faiss(X.astype(np.float64), 5, 5, random_state=0)
    assert scaled.inertia / factor**2 == pytest.approx(plain.inertia, rel=1e-3)


def test_weights_and_cosine(X):
    weights = np.random.RandomState(1).rand(3000)
    theirs = kmeans_faiss(
        X, 6, 10, metric="cosine", sample_weight=weights, init="random", random_state=2
    )
    ours = kmeans(
        X, 6, 10, metric="cosine", sample_weight=weights, init="random", random_state=2, tol=0
    )
    assert theirs.inertia == pytest.approx(ours.inertia, rel=1e-3)
    assert np.allclose(np.linalg.norm(theirs.centroids, axis=1), 1, atol=1e-5)


def test_weights_move_the_centroids():
    X = np.array([[0.0], [1.0], [9.0], [10.0]])
    weights = np.array([3.0, 1.0, 1.0, 3.0])
    result = kmeans_faiss(X, 2, 5, init=[[0.0], [10.0]], sample_weight=weights)
    assert result.centroids.ravel() == pytest.approx([0.25, 9.75])
    assert result.inertia == pytest.approx(2 * (3 * 0.25**2 + 0.75**2))


def test_more_starts_are_not_worse(X):
    one = kmeans_faiss(X[:400], 20, 5, random_state=0)
    best = kmeans_faiss(X[:400], 20, 5, n_init=5, random_state=0)
    assert best.inertia <= one.inertia


def test_verbose(X, capfd):
    kmeans_faiss(X[:30], 10, 2)
    shown = capfd.readouterr()
    assert shown.out == shown.err == ""
    kmeans_faiss(X[:30], 10, 2, verbose=True)
    shown = capfd.readouterr()
    assert shown.out + shown.err != ""


def test_threads_are_restored(X):
    before = faiss.omp_get_max_threads()
    fit_faiss(X, 3, 2, n_jobs=before + 1)
    assert faiss.omp_get_max_threads() == before


def test_bad_input_is_named(X):
    with pytest.raises(ValueError, match="n_clusters"):
        kmeans_faiss(X, 0)
    with pytest.raises(ValueError, match="free of NaN"):
        kmeans_faiss(np.full((3, 2), np.nan), 2)
    with pytest.raises(TypeError, match="verbose"):
        kmeans_faiss(X, 2, verbose=3)
    with pytest.raises(ValueError, match="init"):
        kmeans_faiss(X, 2, init=np.zeros((3, 16)))


def test_missing_faiss_is_named(monkeypatch, X):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(MissingExtraError, match="kmeans_faiss"):
        kmeans_faiss(X, 2)

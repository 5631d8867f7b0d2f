"""Scores over a range of k: values of scikit-learn, quality of the fits, the answer, Ctrl-C."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy import sparse
from sklearn.datasets import load_digits
from sklearn.metrics import calinski_harabasz_score

from annlab import kmeans, scan_n_clusters
from annlab._support.errors import AnnlabWarning
from annlab.datasets import make_blobs
from annlab.metrics import scan as room
from annlab.plotting import plot_scan

BLOBS = make_blobs(600, 5, separation=8, random_state=0).X


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("make", [np.asarray, sparse.csr_matrix])
def test_scores_equal_their_definitions(metric, make):
    X = np.random.RandomState(0).rand(300, 5)
    scan = scan_n_clusters(make(X), [1, 3, 20], metric=metric, random_state=0)
    rows = X / np.linalg.norm(X, axis=1)[:, None] if metric == "cosine" else X
    for row, centroids in zip(scan.to_table(), scan.centroids, strict=True):
        k = row["n_clusters"]
        apart = np.linalg.norm(rows[:, None] - centroids, axis=2)
        distances = np.sort(apart**2 / 2 if metric == "cosine" else apart, axis=1)
        assert len(centroids) == k
        assert row["inertia"] == pytest.approx((apart.min(axis=1) ** 2).sum())
        if k > 1:
            expected = (distances[:, 1] - distances[:, 0]) / distances[:, 1]
            assert row["silhouette"] == pytest.approx(expected.mean())
            labels = apart.argmin(axis=1)
            assert row["calinski_harabasz"] == pytest.approx(calinski_harabasz_score(rows, labels))
            assert 0 < row["stability"] < 1
    assert np.isnan([scan.silhouette[0], scan.calinski_harabasz[0]]).all()


def test_inertia_is_within_one_per_cent_of_ten_starts():
    X = load_digits().data
    ks = [2, 3, 9, 20, 64]
    scan = scan_n_clusters(X, ks, n_resamples=0, random_state=2)
    best = [kmeans(X, k, n_init=10, random_state=0).inertia for k in ks]
    assert (scan.inertia <= 1.01 * np.array(best)).all()


@pytest.mark.parametrize("algorithm", ["brute", "auto"])
def test_scan_finds_the_blobs_and_the_same_ones_again(algorithm):
    scans = [
        scan_n_clusters(BLOBS, 2, 8, algorithm=algorithm, random_state=1, n_jobs=n) for n in (1, 2)
    ]
    assert scans[0].best_k == 5 and scans[0].stability[3] > 0.99
    assert repr(scans[0]) == repr(scans[1]) and repr(scans[0]).endswith("k = 5 stands out")
    ax = plot_scan(scans[0], ax=Figure().add_subplot())
    assert ax.get_title() == "k = 5 stands out" and len(ax.lines) == 3


@pytest.mark.parametrize("ks", [range(2, 12), [2, 4, 8, 16], [5]])
def test_no_k_stands_out_in_uniform_data(ks):
    X = np.random.RandomState(0).rand(800, 2)
    assert scan_n_clusters(X, ks, random_state=0).best_k is None


def test_interrupted_scan_returns_what_is_finished(monkeypatch):
    whole = scan_n_clusters(BLOBS, 2, 6, random_state=0)

    spread = room.spread_scores

    def until_4(rows, labels, k):
        if k == 4:
            raise KeyboardInterrupt
        return spread(rows, labels, k)

    monkeypatch.setattr(room, "spread_scores", until_4)
    with pytest.warns(AnnlabWarning, match="interrupted after k = 3"):
        scan = scan_n_clusters(BLOBS, 2, 6, random_state=0)
    np.testing.assert_array_equal(scan.inertia, whole.inertia[:2])
    with pytest.raises(KeyboardInterrupt):
        scan_n_clusters(BLOBS, 4, 6)


@pytest.mark.parametrize(
    ("ks", "highest", "words"),
    [
        ([3, 2], None, "n_clusters must be an increasing sequence"),
        ([], None, "n_clusters must be an increasing sequence"),
        (3, None, "n_clusters must be an increasing sequence.*together with highest"),
        (5, 4, "highest must be"),
        (2, 601, "highest must be at most the number of samples"),
        ([700], None, "n_clusters must be at most"),
    ],
)
def test_bad_numbers_of_clusters_are_named(ks, highest, words):
    with pytest.raises((TypeError, ValueError), match=words):
        scan_n_clusters(BLOBS, ks, highest)


def test_rows_that_coincide_are_counted_once():
    X = np.repeat(np.arange(4.0)[:, None], 5, axis=0)
    scan = scan_n_clusters(X, [2, 4], random_state=0)
    assert scan.inertia[-1] == 0
    with pytest.raises(ValueError, match="at most 4, the number of different rows"):
        scan_n_clusters(X, [2, 5], random_state=0)

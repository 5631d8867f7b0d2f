"""Dask collections: the same result for any number of workers."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
import warnings
from types import SimpleNamespace

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from dask.delayed import Delayed
from dask.distributed import Client, LocalCluster

from annlab import (
    KMeansANN,
    KMeansResult,
    kmeans,
    kmeans_ann,
    metrics,
    robust_kmeans_ann,
)
from annlab._support.errors import AnnlabWarning
from annlab._support.threads import Workers
from annlab.fit.searches import FusedPass, half_norms
from annlab.initialization import INITS
from annlab.rows import dask as distributed
from annlab.rows import lazy as answers
from annlab.rows import sample
from annlab.rows.coordinates import Coordinates
from annlab.rows.dask import DaskRows
from annlab.rows.lazy import as_array

N, D, K = 3000, 6, 7


def cloud(n=N, d=D, dtype=np.float32, offset=0.0, seed=0):
    rng = np.random.RandomState(seed)
    return (rng.randn(n, d) * 2 + rng.randint(0, 6, (n, 1)) + offset).astype(dtype)


def parts(X, rows=400, columns=None):
    return da.from_array(X, chunks=(rows, columns or X.shape[1]))


def same(plain, lazy, rtol=1e-6, rel=1e-9):
    assert isinstance(lazy.labels, da.Array) and lazy.labels.dtype == np.int32
    np.testing.assert_array_equal(plain.labels, lazy.labels.compute())
    np.testing.assert_allclose(plain.centroids, lazy.centroids, rtol=rtol, atol=rtol)
    assert plain.centroids.dtype == lazy.centroids.dtype
    assert (plain.n_iter, plain.stop_reason) == (lazy.n_iter, lazy.stop_reason)
    assert [s.n_moved for s in plain.trace] == [s.n_moved for s in lazy.trace]
    assert [s.n_empty for s in plain.trace] == [s.n_empty for s in lazy.trace]
    assert plain.n_distances == lazy.n_distances
    assert plain.inertia == pytest.approx(lazy.inertia, rel=rel)


@pytest.fixture(autouse=True)
def scheduler(request):
    """Without workers, this process runs all tasks one by one."""
    if "client" in request.fixturenames:
        yield
    else:
        with dask.config.set(scheduler="synchronous"):
            yield


@pytest.fixture(scope="module")
def client():
    with (
        LocalCluster(
            n_workers=4, threads_per_worker=1, processes=True, dashboard_address=":0"
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


# -- the same result -------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16])
@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.filterwarnings("ignore:3 rows of X are all zero")
def test_result_without_a_client_equals_that_in_memory(dtype, metric, weighted):
    X = cloud(dtype=dtype, offset=30)
    X[:, 0] *= np.arange(N).astype(dtype) % 3
    X[:3] = 0
    weights = np.random.RandomState(1).randint(0, 4, N) / 4 if weighted else None
    options = {"metric": metric, "sample_weight": weights, "random_state": 5, "max_iter": 6}
    same(kmeans(X, K, **options), kmeans(parts(X), K, **options))


def test_result_of_four_workers_equals_that_in_memory(client):
    assert len(client.scheduler_info(n_workers=-1)["workers"]) == 4
    X = cloud()
    plain = kmeans(X, K, 12, random_state=3)
    lazy = kmeans(parts(X).persist(), K, 12, random_state=3)
    same(plain, lazy)
    # each worker has had its share of the tasks
    info = client.run(os.getpid)
    assert len(set(info.values())) == 4


def test_workers_columns_and_frames_give_the_same_bits(client):
    X = cloud()
    frame = dd.from_pandas(pd.DataFrame(X, columns=list("abcdef")), npartitions=8)
    rows = frame.map_partitions(len).compute().tolist()
    one = kmeans_ann(frame, K, 4, random_state=3)
    with dask.config.set(scheduler="synchronous"):
        two = kmeans_ann(parts(X, tuple(rows), 4), K, 4, random_state=3)
    np.testing.assert_array_equal(one.centroids, two.centroids)
    np.testing.assert_array_equal(one.labels.compute(), two.labels.compute())
    assert one.inertia == two.inertia
    plain = kmeans_ann(X, K, 4, random_state=3)
    assert one.algorithm == plain.algorithm
    np.testing.assert_allclose(one.centroids, plain.centroids, rtol=1e-4, atol=1e-5)


def test_labels_outlive_the_cluster():
    X = cloud()
    with (
        dask.config.set(scheduler=None),
        LocalCluster(n_workers=1, processes=False, dashboard_address=":0") as cluster,
        Client(cluster),
    ):
        result = kmeans(parts(X), K, 5, random_state=0)
    assert result.labels.shape == (N,) and len(result.labels) == N
    assert "3,000 points" in repr(result)
    labels, _ = result
    np.testing.assert_array_equal(labels.compute(), kmeans(X, K, 5, random_state=0).labels)


def test_empty_clusters_are_reseeded_as_in_memory():
    X = cloud()
    start = np.repeat(X[:1], K, axis=0)
    for weights in (None, np.random.RandomState(0).randint(0, 3, N).astype(float)):
        options = {"init": start, "sample_weight": weights, "max_iter": 6}
        plain, lazy = kmeans(X, K, **options), kmeans(parts(X), K, **options)
        assert plain.trace[0].n_empty == K - 1
        same(plain, lazy)


def test_weights_may_be_a_collection():
    X = cloud()
    weights = np.random.RandomState(0).rand(N)
    plain = kmeans(X, K, 5, sample_weight=weights, random_state=0)
    same(plain, kmeans(parts(X), K, 5, sample_weight=parts(weights[:, None])[:, 0], random_state=0))
    same(
        plain,
        kmeans(parts(X), K, 5, sample_weight=da.from_array(weights, chunks=777), random_state=0),
    )
    frame = dd.from_pandas(pd.DataFrame(X).assign(w=weights), npartitions=5)
    same(plain, kmeans(frame[list(range(D))], K, 5, sample_weight=frame["w"], random_state=0))
    same(plain, kmeans(frame[list(range(D))], K, 5, sample_weight=weights, random_state=0))


def test_empty_partitions_and_unknown_sizes_are_taken():
    X = cloud()
    lazy = parts(X)
    kept = lazy[lazy[:, 0] > 4]
    assert np.isnan(kept.shape[0])
    plain = X[X[:, 0] > 4]
    start = plain[:K]
    same(kmeans(plain, K, 5, init=start), kmeans(kept, K, 5, init=start))
    holes = da.concatenate([lazy[:0], lazy[:1000], lazy[:0], lazy[1000:]])
    # the last two clusters are empty at first
    start = np.vstack([X[: K - 2], np.full((2, D), 1e4, np.float32)])
    same(kmeans(X, K, 5, init=start), kmeans(holes, K, 5, init=start))
    model = KMeansANN(K, init=start).fit(X)
    np.testing.assert_array_equal(model.predict(holes).compute(), model.predict(X))
    assert model.transform(holes).compute().shape == (N, K)


@pytest.mark.parametrize("init", INITS)
def test_start_comes_from_a_sample(init, monkeypatch):
    X = cloud()
    whole = kmeans(X, K, 5, init=init, random_state=2)
    same(whole, kmeans(parts(X), K, 5, init=init, random_state=2))
    monkeypatch.setattr(sample, "SAMPLE_VALUES", 300 * D)
    weights = np.where(np.arange(N) % 4 == 0, 1.0, 0.0)
    for w in (None, weights):
        with Workers(1) as workers:
            points = DaskRows(parts(X), metric="euclidean", sample_weight=w, workers=workers)
            seeds = points.sample(K, np.random.RandomState(0))
        assert seeds.n == 300
        assert seeds.sample_weight is None if w is None else (seeds.sample_weight == 1).all()
        found = kmeans(parts(X), K, 10, init=init, random_state=2, sample_weight=w)
        assert found.inertia < 1.3 * kmeans(X, K, 10, random_state=2, sample_weight=w).inertia


def test_several_starts_traces_and_callbacks_work():
    X = cloud()
    same(
        kmeans(X, K, 4, n_init=2, random_state=1), kmeans(parts(X), K, 4, n_init=2, random_state=1)
    )
    seen = []

    def look(step):
        seen.append(step)
        return len(seen) == 3

    result = kmeans(parts(X), K, 9, random_state=1, trace=True, callback=look)
    assert (result.n_iter, result.stop_reason) == (3, "callback")
    # labels stay where they are; centroids are small
    assert seen[0].labels is None and seen[0].new_centroids.shape == (K, D)
    plain = kmeans(X, K, 9, random_state=1, trace=True)
    np.testing.assert_allclose(
        result.trace[2].new_centroids, plain.trace[2].new_centroids, rtol=1e-5
    )


def test_ctrl_c_keeps_the_last_iteration():
    X = cloud()

    def press(step):
        if step.iteration == 3:
            raise KeyboardInterrupt

    found = []
    for Y in (X, parts(X)):
        model = KMeansANN(K, algorithm="brute", random_state=1, callback=press)
        with pytest.warns(AnnlabWarning, match="of 3 iterations"):
            with pytest.raises(KeyboardInterrupt):
                model.fit(Y)
        found.append(model)
    # the inertia is that of the last step, in the coordinates of the fit
    same(found[0].result_, found[1].result_, rel=1e-7)
    more = cloud(500, seed=5)
    moved = found[1].partial_fit(more).cluster_centers_
    assert np.isfinite(moved).all() and np.abs(moved - found[0].cluster_centers_).max() < 1


# -- the estimator ---------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_estimator_answers_lazily(metric):
    X = cloud(offset=3)
    options = {"algorithm": "brute", "metric": metric, "random_state": 0, "max_iter": 5}
    plain, lazy = KMeansANN(K, **options).fit(X), KMeansANN(K, **options).fit(parts(X))
    np.testing.assert_allclose(plain.cluster_centers_, lazy.cluster_centers_, rtol=1e-5)
    labels, distances = lazy.predict(parts(X, 700)), lazy.transform(parts(X, 700, 2))
    assert isinstance(labels, da.Array) and isinstance(distances, da.Array)
    assert distances.shape == (N, K) and distances.dtype == np.float32
    np.testing.assert_array_equal(labels.compute(), plain.predict(X))
    np.testing.assert_allclose(distances.compute(), plain.transform(X), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(lazy.labels_.compute(), labels.compute())
    assert lazy.score(parts(X)) == pytest.approx(plain.score(X), rel=1e-6)
    more = cloud(300, offset=3, seed=4)
    np.testing.assert_allclose(
        plain.partial_fit(more).cluster_centers_,
        lazy.partial_fit(more).cluster_centers_,
        rtol=1e-5,
    )
    with pytest.raises(ValueError, match=f"{D} columns"):
        lazy.predict(parts(cloud(d=D + 1)))


# -- what travels ----------------------------------------------------------------------------------


def _graphs(monkeypatch, rows, n_parts):
    """Return the bytes of the graphs of a fit, and of its largest task result."""
    sent, came = [], []
    persist, compute = dask.persist, Delayed.compute

    def watched_persist(*things, **options):
        sent.append(sum(len(pickle.dumps(dict(t.__dask_graph__()))) for t in things[:1]))
        return persist(*things, **options)

    def watched_compute(self, **options):
        value = compute(self, **options)
        came.append(len(pickle.dumps(value)))
        return value

    monkeypatch.setattr(dask, "persist", watched_persist)
    monkeypatch.setattr(Delayed, "compute", watched_compute)
    rng = da.random.RandomState(0)
    X = rng.random_sample((rows * n_parts, D), chunks=(rows, D))
    kmeans(X, K, 3, init=np.random.RandomState(0).rand(K, D), tol=0.0)
    return max(sent), max(came)


def test_graph_and_answers_do_not_grow_with_n(client, monkeypatch):
    few = _graphs(monkeypatch, 500, 10)
    many = _graphs(monkeypatch, 20_000, 10)
    assert many[0] < few[0] * 1.02 and many[1] < few[1] * 1.02
    # one more partition adds a few small tasks
    assert _graphs(monkeypatch, 500, 40)[0] < 5 * few[0]


def test_killed_worker_changes_nothing(client):
    X = cloud(8000)
    lazy = parts(X, 500)
    calm = kmeans(lazy, K, 12, random_state=3, tol=0.0)
    killed = []

    def kill(step):
        if step.iteration == 4:
            pids = client.run(os.getpid)
            victim = sorted(pids.values())[0]
            # in the middle of the next step, not between two
            timer = threading.Timer(0.02, os.kill, (victim, 9))
            timer.start()
            killed.append((victim, timer))

    hurt = kmeans(lazy, K, 12, random_state=3, tol=0.0, callback=kill)
    ((victim, timer),) = killed
    timer.join()
    assert victim not in client.run(os.getpid).values()
    np.testing.assert_array_equal(calm.centroids, hurt.centroids)
    assert calm.inertia == hurt.inertia and calm.n_iter == hurt.n_iter
    assert [s.n_moved for s in calm.trace] == [s.n_moved for s in hurt.trace]
    np.testing.assert_array_equal(calm.labels.compute(), hurt.labels.compute())


def test_many_centroids_are_sent_without_a_warning(client):
    X = parts(cloud(1500, 1000), 500).persist()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kmeans(X, 1400, 1, init="random", random_state=0)


# -- what is refused, and what it says -------------------------------------------------------------


def test_lazy_labels_are_not_saved(tmp_path):
    import dataclasses

    result = kmeans(parts(cloud()), K, 3, random_state=0)
    with pytest.raises(ValueError, match=r"labels=result.labels.compute\(\)"):
        result.save(tmp_path / "far")
    here = dataclasses.replace(result, labels=result.labels.compute())
    again = KMeansResult.load(here.save(tmp_path / "here"))
    np.testing.assert_array_equal(again.labels, here.labels)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda X: parts(X)[:, 0], ValueError, "2-D"),
        (lambda X: parts(X)[:, :0], ValueError, "at least 1 column"),
        (lambda X: parts(X).astype(complex), ValueError, "real"),
        (lambda X: parts(np.where(X > 3, np.nan, X)), ValueError, "NaN"),
        (lambda X: parts(X)[parts(X)[:, 0] > 1e9], ValueError, "at least 1 row"),
        (lambda X: dask.delayed(X), TypeError, "dask.array or a dask.dataframe"),
        (lambda X: dd.from_pandas(pd.DataFrame({"a": ["x", "y"]}), npartitions=1), Exception, "X "),
    ],
)
def test_wrong_collections_are_refused(make, error, words):
    with pytest.raises(error, match=words):
        kmeans(make(cloud()), 2)


def test_other_parameters_are_checked(tmp_path):
    X = parts(cloud())
    for algorithm in ("hnsw", "kd_tree", "graph"):
        with pytest.raises(ValueError, match="'auto', 'brute' or 'small_k'"):
            kmeans_ann(X, K, algorithm=algorithm)
    with pytest.raises(ValueError, match="at most the number of samples"):
        kmeans(X, N + 1)
    with pytest.raises(ValueError, match="checkpoint"):
        kmeans(X, K, checkpoint=tmp_path / "x.npz")
    with pytest.raises(TypeError, match="in memory"):
        robust_kmeans_ann(X, K)
    with pytest.raises(TypeError, match="a Dask Array"):
        KMeansANN(K).partial_fit(X)
    with pytest.raises(TypeError, match="a Dask Array"):
        metrics.evaluate_clustering(X, np.zeros(N, int))
    for weights in (np.ones(N - 1), da.ones(N - 1), da.ones((N, 2)), da.zeros(N), -da.ones(N)):
        with pytest.raises(ValueError, match="sample_weight"):
            kmeans(X, K, sample_weight=weights)


def test_unaligned_arrays_are_taken():
    """Arrays from other processes may be unaligned; compiled loops need alignment."""

    def unaligned(array):
        return np.frombuffer(b"x" + array.tobytes(), array.dtype, offset=1).reshape(array.shape)

    X = np.random.RandomState(0).rand(3000, 4)
    whole = FusedPass(centroids=X[:5], halves=half_norms(X[:5]))
    task = FusedPass.__new__(FusedPass)
    task.__setstate__({**vars(whole), "centroids": unaligned(X[:5])})
    coordinates = Coordinates.plain(float)
    expected = distributed._assign(X, None, whole, coordinates, True)
    labels, tally = distributed._assign(unaligned(X), None, task, coordinates, True)
    np.testing.assert_array_equal(labels, expected[0])
    np.testing.assert_array_equal(tally.sums, expected[1].sums)


def test_dask_is_imported_lazily():
    code = (
        "import sys, numpy as np, annlab\n"
        "annlab.kmeans([np.eye(3), np.eye(3)], 2, random_state=0)\n"
        "print([m for m in sys.modules if m.split('.')[0] in ('dask', 'distributed')])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_as_array_computes_nothing():
    def explode(part):
        raise AssertionError("computed")

    lazy = parts(cloud(), 400, 2).map_blocks(explode, dtype=np.float32, meta=np.empty((0, 0)))
    assert as_array(lazy).numblocks == (8, 1)
    assert answers.lazy_labels(lazy, np.zeros((K, D)), metric="euclidean").shape == (N,)


def test_example_of_the_page_on_large_data_runs(root):
    text = (root / "docs" / "large_data.md").read_text("utf-8").partition("## Dask")[2]
    code = text.partition("```python\n")[2].partition("```")[0]
    assert "LocalCluster(n_workers=4)" in code
    # in this process, without ports that another test may hold
    code = code.replace("n_workers=4", 'n_workers=1, processes=False, dashboard_address=":0"')
    names: dict = {}
    with dask.config.set(scheduler=None):
        exec(compile(code, "docs/large_data.md", "exec"), names)
    assert names["labels"].shape == (400_000,)


# -- single partitions ----------------------------------------------------------------------------


def test_wrong_partitions_are_refused():
    from scipy import sparse

    X = cloud(10)
    for odd in (sparse.csr_matrix(X), X.tolist()):
        with pytest.raises((ValueError, TypeError), match="X must be made of dense partitions"):
            answers.label_part(odd, X[:2], "euclidean")
    with pytest.raises((ValueError, TypeError), match="one weight for each row of X, partition"):
        distributed._survey(X, np.ones(9), False)
    task = SimpleNamespace(centroids=np.zeros((2, D + 1)))
    with pytest.raises(ValueError, match=f"an array with {D + 1} columns; got a partition of {D}"):
        distributed._assign(X, None, task, None, False)


def test_zero_row_is_at_distance_one():
    X = cloud(10)
    X[4] = 0
    far = answers.distance_part(X, X[:3], "cosine")
    assert far[4].tolist() == [1.0, 1.0, 1.0]
    unit = X / np.maximum(np.linalg.norm(X, axis=1, keepdims=True), 1e-30)
    np.testing.assert_allclose(far, 1 - unit @ unit[:3].T, atol=1e-5)

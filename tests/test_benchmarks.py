"""Benchmarks: what they count and carry. No test asserts a time, only whose time it is."""

from __future__ import annotations

import copy
import json
import pickle
import sys
from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import random as random_sparse
from sklearn.cluster import KMeans
from sklearn.neighbors import NearestNeighbors

from annlab import benchmarks, kmeans
from annlab.benchmarks import (
    Seconds,
    accuracy_speed_tradeoff,
    benchmark_ann,
    benchmark_kmeans,
    benchmark_kmeans_ann,
    curves,
    judging,
    machine,
    machine_record,
    recall_speed_curve,
)
from annlab.benchmarks.deck import deck_kmeans_ann
from annlab.indexes import make_index
from annlab.metrics import inertia


@pytest.fixture(scope="module")
def X():
    return np.random.RandomState(0).rand(600, 6).astype(np.float32)


# --- the machine ---------------------------------------------------------------------------------


def test_the_record_names_the_machine_but_not_its_owner():
    import getpass
    import platform

    record = machine_record()
    for name in ("processor", "memory_bytes", "cores", "threads", "python", "versions", "date"):
        assert record[name] is not None, name
    assert record["versions"]["numpy"] == np.__version__
    text = json.dumps(record)
    assert platform.node() not in text or len(platform.node()) < 4
    assert getpass.getuser() not in json.dumps(record["versions"])


def test_peak_memory_sees_a_short_peak_and_forgets_it():
    memory = machine.PeakMemory()
    if memory.method != "anonymous":
        pytest.skip("the kernel's high-water mark is Linux's own")
    memory.reset()
    np.ones(10_000_000)  # 80 MB, freed at once
    assert 75e6 < memory.peak_bytes() < 120e6
    memory.reset()
    assert memory.peak_bytes() < 20e6


def test_other_load_subtracts_our_own_work(monkeypatch):
    states = iter([(0.0, 100.0, 10.0), (0.1, 101.0, 11.0), (2.0, 107.0, 13.0)])
    monkeypatch.setattr(machine.OtherLoad, "_read", staticmethod(lambda: next(states)))
    load = machine.OtherLoad()
    assert load.cores() is None  # too short to tell
    # 7 s of work in 2 s, 3 of them ours: two cores for others
    assert load.cores() == pytest.approx(2.0)


@pytest.fixture
def no_proc(monkeypatch):
    """Hide the kernel's files, as on macOS and Windows."""
    read = machine.Path.read_text

    def elsewhere(path, *args, **options):
        if str(path).startswith("/proc/"):
            raise FileNotFoundError(path)
        return read(path, *args, **options)

    monkeypatch.setattr(machine.Path, "read_text", elsewhere)
    monkeypatch.delattr(machine.os, "sysconf", raising=False)


def test_record_without_kernel_files_uses_python(no_proc, monkeypatch):
    monkeypatch.setattr(machine.platform, "processor", lambda: "")
    monkeypatch.setattr(machine.platform, "machine", lambda: "abacus")
    assert machine._processor() == "abacus"
    monkeypatch.setattr(machine.platform, "processor", lambda: "of wood")
    assert machine._processor() == "of wood"
    assert machine._memory_bytes() is None
    assert machine.OtherLoad().cores() is None
    # if the load is unknown, there is nothing to wait for
    assert machine.wait_until_idle(60.0)


@pytest.mark.parametrize(("system", "unit"), [("darwin", 1), ("freebsd14", 1024)])
def test_peak_without_kernel_files_is_that_of_the_process(system, unit, no_proc, monkeypatch):
    resource = pytest.importorskip("resource")
    peaks = iter([500, 500, 530, 490])
    monkeypatch.setattr(
        resource, "getrusage", lambda who: type("Usage", (), {"ru_maxrss": next(peaks)})
    )
    monkeypatch.setattr(machine.sys, "platform", system)
    peak = machine.PeakMemory()
    assert peak.method == "resident"
    peak.reset()
    # bytes on macOS, kilobytes elsewhere; never less than nothing
    assert peak.peak_bytes() == 30 * unit
    assert peak.peak_bytes() == 0


def test_the_peak_is_none_where_memory_is_not_counted(no_proc, monkeypatch):
    monkeypatch.setitem(sys.modules, "resource", None)
    peak = machine.PeakMemory()
    assert peak.method == "none" and peak.peak_bytes() is None


def test_waiting_ends_when_the_machine_is_idle(monkeypatch):
    loads = iter([2.0, 0.5, 0.1])
    monkeypatch.setattr(machine, "sleep", lambda seconds: None)
    monkeypatch.setattr(machine.OtherLoad, "cores", lambda self: next(loads))
    assert machine.wait_until_idle(60.0)
    assert next(loads, None) is None


# --- seconds -------------------------------------------------------------------------------------


def test_seconds_are_a_float_that_carries_facts():
    slow, fast = Seconds(3.0, inertia=5.0, n_iter=2), Seconds(1.5, inertia=5.0)
    assert isinstance(slow, float)
    assert slow / fast == 2.0
    assert f"{slow / fast:.2f}x {slow:.4f}" == "2.00x 3.0000"
    assert (slow.inertia, slow.n_iter) == (5.0, 2)
    assert "inertia 5" in repr(slow) and "2 iterations" in str(slow)
    assert slow.machine["threads"] >= 1
    assert "inertia" in dir(slow)
    with pytest.raises(AttributeError, match="not 'recall'"):
        slow.recall  # noqa: B018


def test_seconds_survive_copies():
    seconds = Seconds(3.0, inertia=5.0)
    for again in (copy.copy(seconds), copy.deepcopy(seconds), pickle.loads(pickle.dumps(seconds))):
        assert (again, again.inertia) == (3.0, 5.0)


# --- slide 4 -------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["brute", "kd_tree"])
def test_both_k_means_start_and_stop_alike(algorithm):
    X = np.random.RandomState(0).rand(800, 3)
    exact = benchmark_kmeans(X, 6, max_iter=7, random_state=3, repeats=2)
    ann = benchmark_kmeans_ann(X, 6, max_iter=7, random_state=3, algorithm=algorithm, repeats=2)
    assert exact.inertia == pytest.approx(ann.inertia, rel=1e-12)
    assert exact.n_iter == ann.n_iter == 7
    assert np.array_equal(exact.labels, ann.labels)
    # the common start, drawn in another way
    start = X[np.random.RandomState(3).choice(800, 6, replace=False)]
    model = KMeans(6, init=start, n_init=1, max_iter=7, tol=1e-4).fit(X)
    assert np.array_equal(exact.labels, model.labels_)
    for seconds in (exact, ann):
        assert seconds.inertia == inertia(X, seconds.labels, seconds.centroids)
        assert seconds == np.median(seconds.repeats_s) and len(seconds.repeats_s) == 2
    assert ann.result.inertia == pytest.approx(ann.inertia)
    assert ann.algorithm.startswith("annlab ")
    loose, tight = (
        [f(X, 6, tol=tol).n_iter for f in (benchmark_kmeans, benchmark_kmeans_ann)]
        for tol in (0.05, 0.0)
    )
    assert loose[0] == loose[1] < tight[0] == tight[1]


def test_sparse_rows_are_compared_too():
    S = random_sparse(200, 30, density=0.2, format="csr", random_state=0)
    assert benchmark_kmeans(S, 4).inertia == pytest.approx(benchmark_kmeans_ann(S, 4).inertia)


def test_bad_input_is_refused_before_the_clock_starts(X):
    for function in (benchmark_kmeans, benchmark_kmeans_ann):
        with pytest.raises(ValueError, match="n_clusters"):
            function(X, 601)
        with pytest.raises(ValueError, match="repeats"):
            function(X, 5, repeats=0)


# --- searches ------------------------------------------------------------------------------------


class Liar:
    """Claims distance 0 for a row that it draws at random."""

    def get_params(self, deep=True):
        return {}

    def fit(self, X):
        self.n = len(X)
        return self

    def kneighbors(self, Q, n_neighbors):
        rows = np.random.RandomState(0).randint(self.n, size=(len(Q), n_neighbors))
        return np.zeros(rows.shape), rows


@pytest.mark.parametrize("algorithm", ["ball_tree", "kd_tree", "brute"])
def test_the_decks_algorithms_are_exact(X, algorithm):
    seconds = benchmark_ann(X, algorithm)
    assert seconds == seconds.build_s + seconds.query_s
    assert seconds.recall == 1.0
    assert seconds.exact
    assert seconds.n_queries == 300  # half of X, which has fewer than 1,000 rows
    if algorithm == "brute":
        assert seconds.n_distances == 300


def test_queries_are_held_out_of_the_index(X):
    class Spy(NearestNeighbors):
        def fit(self, X, y=None):
            Spy.fitted = X
            return super().fit(X)

        def kneighbors(self, Q=None, n_neighbors=None, return_distance=True):
            Spy.asked = Q
            return super().kneighbors(Q, n_neighbors, return_distance)

    seconds = benchmark_ann(X, Spy(), n_queries=50)
    assert Spy.fitted.shape == (550, 6)
    assert Spy.asked.shape == (50, 6)
    assert not {row.tobytes() for row in Spy.asked} & {row.tobytes() for row in Spy.fitted}
    assert seconds.recall == 1.0
    assert seconds.n_distances is None
    benchmark_ann(X, Spy(), Q=X[:7])
    assert Spy.fitted.shape == (600, 6)
    assert Spy.asked.shape == (7, 6)


def test_recall_is_judged_by_recomputed_distances(X):
    assert benchmark_ann(X, Liar()).recall < 0.2


def test_approximate_recall_is_counted_against_brute_force():
    X = np.random.RandomState(0).rand(1500, 10)
    params = {"M": 2, "ef_construction": 5, "ef": 5}
    seconds = benchmark_ann(X, "hnsw", algorithm_params=params, n_queries=100)
    assert 0.05 < seconds.recall < 0.95
    assert not seconds.exact
    assert seconds.params["ef"] == 5


def test_bad_searches_are_refused(X):
    with pytest.raises(ValueError, match="name must be one of"):
        benchmark_ann(X, "annoy")
    with pytest.raises(TypeError, match="algorithm must be"):
        benchmark_ann(X, NearestNeighbors)
    with pytest.raises(ValueError, match="n_queries must be from 1 to 599"):
        benchmark_ann(X, "brute", n_queries=600)
    with pytest.raises(ValueError, match="algorithm_params"):
        benchmark_ann(X, NearestNeighbors(), algorithm_params={"x": 1})
    with pytest.raises(ValueError, match="Q must be an array with 6 columns"):
        benchmark_ann(X, "brute", Q=np.zeros((2, 3)))


# --- slide 7 -------------------------------------------------------------------------------------


def test_the_default_index_of_the_tradeoff_is_approximate():
    results = accuracy_speed_tradeoff(np.random.RandomState(0).rand(1000, 10), [5, 20])
    for (n_neighbors, accuracy, seconds), expected in zip(results, [5, 20], strict=True):
        assert n_neighbors == expected and 0.5 < accuracy < 1
        assert seconds == seconds.build_s + seconds.query_s and not seconds.exact


def test_the_query_itself_does_not_count_as_a_hit():
    class OnlyItself(Liar):
        """Finds the query, and then the farthest rows there are."""

        def fit(self, X):
            self.X = X
            return self

        def kneighbors(self, Q, n_neighbors):
            distances = ((Q[:, None] - self.X) ** 2).sum(axis=2)
            order = np.argsort(distances, axis=1)
            rows = np.concatenate([order[:, :1], order[:, :-n_neighbors:-1]], axis=1)
            return np.take_along_axis(distances, rows, axis=1), rows

    X = np.random.RandomState(0).rand(80, 3)
    found = accuracy_speed_tradeoff(X, [1, 5], algorithm=OnlyItself())
    assert [point.accuracy for point in found] == [0, 0]


def test_exact_indexes_have_accuracy_one_even_with_duplicates():
    X = np.repeat(np.random.RandomState(0).rand(40, 2), 3, axis=0)
    for algorithm in ("brute", "ball_tree", NearestNeighbors()):
        points = accuracy_speed_tradeoff(X, [1, 2, 7, 119], algorithm=algorithm)
        assert [point.accuracy for point in points] == [1.0] * 4


def test_tradeoff_refuses_more_neighbours_than_there_are(X):
    with pytest.raises(ValueError, match="n_neighbors_range must be an integer >= 1 and <= 599"):
        accuracy_speed_tradeoff(X, [5, 600])
    with pytest.raises(TypeError, match="n_neighbors_range"):
        accuracy_speed_tradeoff(X, 5)
    assert accuracy_speed_tradeoff(X, []) == []


# --- recall and speed ----------------------------------------------------------------------------


def test_curve_over_given_knobs():
    X = np.random.RandomState(0).rand(1060, 10)
    index = make_index("hnsw", ef_construction=20, count_distances=True)
    knobs = {"ef": [5, 100], "M": [2, 8]}
    curve = recall_speed_curve(index, X, knobs=knobs, repeats=1, n_queries=60)
    settings = [(point.params["M"], point.params["ef"]) for point in curve]
    assert settings == [(2, 5), (2, 100), (8, 5), (8, 100)]
    assert curve[0].build_s == curve[1].build_s  # one build served both
    assert curve[0].build_s != curve[2].build_s
    assert curve[0].recall < curve[1].recall < curve[3].recall
    assert curve[0].n_distances < curve[3].n_distances < 1000
    assert curve.exact.recall == 1.0
    assert curve.exact.n_distances == 1000
    assert (curve.n_samples, curve.n_queries, curve.n_neighbors) == (1000, 60, 10)
    assert "brute force (exact)" in repr(curve)


def test_by_default_one_build_knob_is_turned_at_a_time():
    index = make_index("lsh")
    plan = curves._settings(index, None)
    queries = [{"n_probes": value} for value in index.knobs["n_probes"]]
    assert all(settings == queries for _, settings in plan)
    builds = [build for build, _ in plan]
    tables = [value for value in index.knobs["n_tables"] if value != index.n_tables]
    assert builds == [{}] + [{"n_tables": value} for value in tables]


def test_front_holds_the_points_that_no_other_beats(X):
    points = [
        benchmarks.RecallSpeedPoint(recall, speed, 0.0, 0.0, None, {})
        for recall, speed in [(0.5, 100), (0.6, 90), (0.55, 80), (0.9, 10), (0.9, 20), (0.5, 90)]
    ]
    curve = replace(recall_speed_curve("brute", X, repeats=1, n_queries=10), points=tuple(points))
    front = [(point.recall, point.queries_per_s) for point in curve.front()]
    assert front == [(0.5, 100), (0.6, 90), (0.9, 20)]


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_an_exact_index_has_one_setting_and_full_recall(X, metric):
    index = make_index("brute", metric=metric)
    curve = recall_speed_curve(index, X - 0.5, repeats=1, n_queries=30, n_neighbors=3)
    assert curve.metric == metric
    assert not hasattr(index, "X_"), "the caller's index was fitted"
    assert [point.recall for point in curve] == [1.0]


def test_bad_knobs_are_named(X):
    with pytest.raises(ValueError, match="knobs must be one of the parameters"):
        recall_speed_curve("lsh", X, knobs={"ef": [1]})
    with pytest.raises(ValueError, match="knobs must be a dict of name to a list"):
        recall_speed_curve("lsh", X, knobs={"n_probes": 3})
    with pytest.raises(TypeError, match="knobs must be None or a dict"):
        recall_speed_curve("hnsw", X, knobs=["ef"])


# --- the deck ------------------------------------------------------------------------------------


def test_the_decks_function_is_lloyd(X):
    labels, centroids = deck_kmeans_ann(X, 5, random_state=0)
    start = X[np.random.RandomState(0).choice(600, 5, replace=False)]
    result = kmeans(X, 5, 1000, init=start, tol=0)
    assert inertia(X, labels, centroids) == pytest.approx(result.inertia, rel=1e-3)
    # an empty cluster keeps its centroid
    assert np.isfinite(deck_kmeans_ann(np.repeat(np.eye(3), 5, axis=0), 6, random_state=0)[1]).all()


@pytest.mark.parametrize(
    "answer", [None, (), {"indices": 1}, (0, [[0], [99]]), (0, [[0.5]]), (0, [[-1]]), (0, [0, 1])]
)
def test_invalid_answers_of_an_index_are_refused(answer):
    Q, X = np.zeros((2, 1), np.float32), np.arange(3.0, dtype=np.float32)[:, None]
    distances, rows = judging.judged(Q, X, (0, [[2], [1]]), "euclidean")
    assert (distances.ravel().tolist(), rows.ravel().tolist()) == ([2.0, 1.0], [2, 1])
    with pytest.raises(TypeError, match="algorithm must be an object whose kneighbors returns"):
        judging.judged(Q, X, answer, "euclidean")

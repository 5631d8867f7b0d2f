"""Benchmarks: what they count and carry. No test asserts a time, only whose time it is."""

from __future__ import annotations

import copy
import json
import pickle
import time

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.neighbors import NearestNeighbors

from annlab import benchmarks, kmeans
from annlab.benchmarks import (
    Comparison,
    Seconds,
    _worker,
    accuracy_speed_tradeoff,
    benchmark_ann,
    benchmark_high_dim,
    benchmark_kmeans,
    benchmark_kmeans_ann,
    command,
    compare,
    machine,
    machine_record,
    measure_floors,
    peers,
    recall_speed_curve,
    running,
    search,
)
from annlab.benchmarks.comparison import CONVERGED, ONCE, OUT_OF_TIME, TOO_SLOW
from annlab.benchmarks.deck import deck_kmeans_ann
from annlab.cli import main
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


def test_floors_are_the_formulas_of_the_measured_rates():
    floors = measure_floors(1000, 20, 50, seconds=0.01)
    assert floors["gemm_iteration_s"] == pytest.approx(2e6 / floors["gemm_flops"])
    assert floors["memory_iteration_s"] == pytest.approx(8e4 / floors["memory_bytes_per_s"])


def test_peak_memory_sees_a_short_peak_and_forgets_it():
    memory = machine.PeakMemory()
    if memory.method != "anonymous":
        pytest.skip("the kernel's high-water mark is Linux's own")
    memory.reset()
    np.ones(10_000_000)  # 80 MB, gone at once
    assert 75e6 < memory.peak_bytes() < 120e6
    memory.reset()
    assert memory.peak_bytes() < 20e6


def test_other_load_is_not_our_own():
    load = machine.OtherLoad()
    assert load.cores() is None  # too short to tell
    begin = time.perf_counter()
    while time.perf_counter() - begin < 0.6:
        np.random.RandomState(0).rand(1000).sum()
    cores = load.cores()
    assert cores is None or 0 <= cores <= machine.os.cpu_count()


def test_other_load_subtracts_our_own_work(monkeypatch):
    states = iter([(0.0, 100.0, 10.0), (2.0, 107.0, 13.0)])
    monkeypatch.setattr(machine.OtherLoad, "_read", staticmethod(lambda: next(states)))
    # 7 s of work in 2 s, 3 of them ours: two cores for others
    assert machine.OtherLoad().cores() == pytest.approx(2.0)


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


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))]
)
def test_seconds_survive_copies(again):
    other = again(Seconds(3.0, inertia=5.0))
    assert other == 3.0
    assert other.inertia == 5.0


# --- slide 4 -------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["brute", "kd_tree"])
def test_both_k_means_start_and_stop_alike(algorithm):
    X = np.random.RandomState(0).rand(800, 3)
    exact = benchmark_kmeans(X, 6, max_iter=7, random_state=3)
    ann = benchmark_kmeans_ann(X, 6, max_iter=7, random_state=3, algorithm=algorithm)
    assert exact.inertia == pytest.approx(ann.inertia, rel=1e-12)
    assert exact.n_iter == ann.n_iter == 7
    assert np.array_equal(exact.labels, ann.labels)
    # the start that both have in common, by another way
    start = X[np.random.RandomState(3).choice(800, 6, replace=False)]
    model = KMeans(6, init=start, n_init=1, max_iter=7, tol=1e-4).fit(X)
    assert np.array_equal(exact.labels, model.labels_)
    assert exact.inertia == pytest.approx(model.inertia_)


def test_both_stop_by_the_tolerance():
    X = np.random.RandomState(0).rand(800, 3)
    loose = [f(X, 6, tol=0.05) for f in (benchmark_kmeans, benchmark_kmeans_ann)]
    tight = [f(X, 6, tol=0.0) for f in (benchmark_kmeans, benchmark_kmeans_ann)]
    assert loose[0].n_iter == loose[1].n_iter < tight[0].n_iter == tight[1].n_iter


def test_the_deck_uses_them_as_floats(X):
    traditional, ann = benchmark_kmeans(X, 5), benchmark_kmeans_ann(X, 5)
    assert f"{traditional:.2f} {ann:.2f} {traditional / ann:.2f}x".endswith("x")
    assert ann.result.inertia == pytest.approx(ann.inertia)
    assert ann.algorithm.startswith("annlab ")


def test_inertia_is_that_of_the_returned_labels(X):
    for seconds in (benchmark_kmeans(X, 5, repeats=2), benchmark_kmeans_ann(X, 5, repeats=2)):
        assert seconds.inertia == inertia(X, seconds.labels, seconds.centroids)
        assert len(seconds.repeats_s) == 2
        assert seconds == np.median(seconds.repeats_s)


def test_sparse_rows_are_compared_too():
    from scipy.sparse import random as random_sparse

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
    assert seconds.n_queries == 300  # half of X, because 1,000 are not there
    assert f"{seconds:.4f}"


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


def test_an_index_does_not_mark_its_own_work(X):
    assert benchmark_ann(X, Liar()).recall < 0.2


def test_approximate_recall_is_counted_against_brute_force():
    X = np.random.RandomState(0).rand(1500, 10)
    params = {"M": 2, "ef_construction": 5, "ef": 5}
    seconds = benchmark_ann(X, "hnsw", algorithm_params=params, n_queries=100)
    assert 0.05 < seconds.recall < 0.95
    assert not seconds.exact
    assert seconds.params["ef"] == 5


def test_distances_are_counted_by_query(X):
    assert benchmark_ann(X, "brute", n_queries=100).n_distances == 500


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


def test_high_dimension_has_no_contrast():
    low, high = (benchmark_high_dim(400, d, n_queries=30) for d in (2, 300))
    assert low.contrast > 10
    assert high.contrast < 0.5
    assert low.recall == high.recall == 1.0
    assert benchmark_high_dim(300, 5, algorithm="hnsw", n_queries=10).algorithm == "hnsw"


# --- slide 7 -------------------------------------------------------------------------------------


def test_tradeoff_unpacks_as_the_deck_does(X):
    results = accuracy_speed_tradeoff(X, [5, 10, 20])
    for n_neighbors, accuracy, time_taken in results:
        assert f"n_neighbors: {n_neighbors}, {accuracy:.2f}, {time_taken:.4f}"
        assert time_taken == time_taken.build_s + time_taken.query_s
    assert [point.n_neighbors for point in results] == [5, 10, 20]


def test_the_default_index_is_really_approximate():
    X = np.random.RandomState(0).rand(1000, 10)
    results = accuracy_speed_tradeoff(X, [5, 20])
    assert all(0.5 < point.accuracy < 1 for point in results)
    assert not results[0].seconds.exact


def test_the_query_itself_is_no_hit():
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
    assert [p.accuracy for p in accuracy_speed_tradeoff(X, [1, 5], algorithm=OnlyItself())] == [
        0,
        0,
    ]


def test_exact_indexes_have_accuracy_one_even_with_duplicates():
    X = np.repeat(np.random.RandomState(0).rand(40, 2), 3, axis=0)
    for algorithm in ("brute", "ball_tree", NearestNeighbors()):
        points = accuracy_speed_tradeoff(X, [1, 2, 7, 119], algorithm=algorithm)
        assert [point.accuracy for point in points] == [1.0] * 4


def test_a_row_that_misses_itself_loses_its_farthest_neighbour():
    distances = np.array([[0.0, 1.0, 2.0], [1.0, 2.0, 3.0]])
    indices = np.array([[4, 7, 8], [7, 8, 9]])
    kept, rows = search._without_self(distances, indices, np.array([4, 5]))
    assert kept.tolist() == [[1.0, 2.0], [1.0, 2.0]]
    assert rows.tolist() == [[7, 8], [7, 8]]


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
    curve = recall_speed_curve(
        index, X, knobs={"ef": [5, 100], "M": [2, 8]}, repeats=1, n_queries=60
    )
    assert [point.params for point in curve] == [
        {"M": 2, "ef": 5},
        {"M": 2, "ef": 100},
        {"M": 8, "ef": 5},
        {"M": 8, "ef": 100},
    ]
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
    plan = search._settings(index, None)
    queries = [{"n_probes": value} for value in index.knobs["n_probes"]]
    assert all(settings == queries for _, settings in plan)
    builds = [build for build, _ in plan]
    tables = [value for value in index.knobs["n_tables"] if value != index.n_tables]
    assert builds == [{}] + [{"n_tables": value} for value in tables]


def test_front_holds_what_nobody_beats(X):
    points = [
        benchmarks.RecallSpeedPoint(recall, speed, 0.0, 0.0, None, {})
        for recall, speed in [(0.5, 100), (0.6, 90), (0.55, 80), (0.9, 10), (0.9, 20), (0.5, 90)]
    ]
    curve = recall_speed_curve("brute", X, repeats=1, n_queries=10)
    curve._points = tuple(points)
    front = [(point.recall, point.queries_per_s) for point in curve.front()]
    assert front == [(0.5, 100), (0.6, 90), (0.9, 20)]


def test_an_exact_index_has_one_setting(X):
    curve = recall_speed_curve("ball_tree", X, repeats=1, n_queries=20)
    assert len(curve) == 1
    assert curve[0].recall == 1.0


def test_cosine_is_judged_as_cosine(X):
    rows = X - 0.5
    curve = recall_speed_curve(
        make_index("brute", metric="cosine"), rows, repeats=1, n_queries=30, n_neighbors=3
    )
    assert curve.metric == "cosine"
    assert curve[0].recall == 1.0


def test_bad_knobs_are_named(X):
    with pytest.raises(ValueError, match="knobs must be among the parameters"):
        recall_speed_curve("lsh", X, knobs={"ef": [1]})
    with pytest.raises(ValueError, match="knobs must be a dict of name to a list"):
        recall_speed_curve("lsh", X, knobs={"n_probes": 3})


def test_the_callers_index_stays_unfitted(X):
    index = make_index("lsh", n_tables=2)
    recall_speed_curve(index, X, knobs={"n_probes": [1]}, repeats=1, n_queries=10)
    benchmark_ann(X, index, n_queries=10)
    assert not hasattr(index, "X_")


# --- the deck ------------------------------------------------------------------------------------


def test_the_decks_function_is_lloyd(X):
    labels, centroids = deck_kmeans_ann(X, 5, random_state=0)
    start = X[np.random.RandomState(0).choice(600, 5, replace=False)]
    result = kmeans(X, 5, 1000, init=start, tol=0)
    assert inertia(X, labels, centroids) == pytest.approx(result.inertia, rel=1e-3)


def test_the_decks_function_outlives_an_empty_cluster():
    X = np.repeat(np.eye(3), 5, axis=0)
    labels, centroids = deck_kmeans_ann(X, 6, random_state=0)
    assert np.isfinite(centroids).all()
    assert labels.shape == (15,)


# --- peers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", peers.all_peers())
def test_every_peer_labels_every_row_on_every_kind_of_rung(key):
    peer = peers.all_peers()[key]
    if peer.missing():
        pytest.skip(peer.missing())
    X = np.random.RandomState(0).rand(500, 32).astype(np.float32)
    rungs = peer.rungs((1, 5))
    assert rungs
    json.dumps([rungs, peer.settings])
    kinds = {tuple(rung): rung for rung in rungs}
    for rung in kinds.values():
        labels, centroids, n_iter = peer.run(X, 7, rung, 1, 1)
        assert np.shape(labels) == (500,)
        assert centroids.shape == (7, 32)
        assert labels.min() >= 0 and labels.max() < 7
        assert n_iter is None or n_iter >= 1
        spread = ((X - X.mean(axis=0)) ** 2).sum()
        assert 0 < inertia(X, labels, centroids) < 0.98 * spread


@pytest.mark.parametrize("key", ["sklearn-random", "faiss", "superkmeans-flat", "annlab-brute"])
def test_more_iterations_mean_less_inertia(key):
    peer = peers.all_peers()[key]
    if peer.missing():
        pytest.skip(peer.missing())
    X = np.random.RandomState(0).rand(2000, 6).astype(np.float32)
    few, many = (inertia(X, *peer.run(X, 30, {peer.knob: steps}, 3, 1)[:2]) for steps in (1, 30))
    assert many < few


def test_no_peer_samples_the_rows():
    # 256 points per cluster is where faiss and superkmeans begin to sample by default
    X = np.random.RandomState(0).rand(4000, 32).astype(np.float32)
    expected = inertia(X, np.zeros(4000, dtype=int), X.astype(float).mean(axis=0, keepdims=True))
    for key in ("faiss", "faiss-super", "superkmeans-flat"):
        peer = peers.all_peers()[key]
        if peer.missing():
            continue
        _, centroids, _ = peer.run(X, 1, {peer.knob: 2}, 0, 1)
        assert inertia(X, np.zeros(4000, dtype=int), centroids) == pytest.approx(expected, rel=1e-6)


def test_missing_packages_are_named(monkeypatch):
    monkeypatch.setattr(peers.importlib.util, "find_spec", lambda name: None)
    reasons = {peer.key: peer.missing() for peer in peers.choose_peers()}
    assert reasons["faiss"] == "the package 'faiss' is not installed"


def test_a_peer_that_needs_more_features_is_named():
    peer = peers.all_peers()["faiss-super"]
    if peer.missing():
        pytest.skip(peer.missing())
    assert peer.missing(31) == "it needs at least 32 features"
    assert peer.missing(32) == ""


def test_a_package_without_the_class_is_named():
    peer = peers.Peer("x", "x", "json:NoSuchThing", None)
    assert peer.missing() == "the installed 'json' has no NoSuchThing"


def test_choice_of_peers():
    keys = [peer.key for peer in peers.choose_peers()]
    assert keys[0] == "sklearn-random"
    assert {"annlab-auto", "annlab-brute", "annlab-hnsw", "deck"} <= set(keys)
    assert "annlab-lsh" not in keys
    assert [p.key for p in peers.choose_peers("annlab-lsh")] == ["annlab-lsh"]
    assert [p.key for p in peers.choose_peers(["deck", "deck"])] == ["deck"]
    with pytest.raises(ValueError, match="peers must be among sklearn-random"):
        peers.choose_peers(["sklearn"])


# --- one process ---------------------------------------------------------------------------------


def job_answers(X, tmp_path, peer, rungs, limit=60.0):
    path = tmp_path / "rows.npy"
    np.save(path, X)
    answers: list[dict] = []
    job = {
        "peer": peer,
        "path": str(path),
        "n_clusters": 5,
        "rungs": [{"id": 10 + place, "settings": rung} for place, rung in enumerate(rungs)],
        "seed": 0,
        "threads": 1,
        "run_limit_s": limit,
    }
    _worker.run_job(job, answers.append)
    json.dumps(answers)
    return answers


def test_a_job_answers_after_every_rung(X, tmp_path):
    answers = job_answers(X, tmp_path, "annlab-brute", [{"max_iter": 1}, {"max_iter": 3}])
    assert [a["event"] for a in answers] == ["ready", "begin", "run", "begin", "run", "done"]
    assert [a["rung"] for a in answers if a["event"] == "run"] == [10, 11]
    run = answers[4]
    expected = kmeans(X, 5, 3, init="random", tol=0, random_state=0)
    assert run["inertia"] == pytest.approx(expected.inertia, rel=1e-6)
    assert run["n_iter"] == 3
    assert run["n_used"] == 5
    assert run["seconds"] == np.median(run["repeats_s"])


def test_a_converged_ladder_ends_and_the_defaults_still_run(X, tmp_path):
    rungs = [{"max_iter": 500}, {"max_iter": 1000}, {"defaults": True}]
    answers = job_answers(X, tmp_path, "annlab-brute", rungs)
    assert [a["event"] for a in answers][3:] == ["skip", "begin", "run", "done"]
    assert answers[3] == {"event": "skip", "rung": 11, "reason": CONVERGED}


def test_a_rung_that_would_take_too_long_is_not_begun(X, tmp_path):
    rungs = [{"max_iter": 1}, {"max_iter": 2}, {"defaults": True}]
    answers = job_answers(X, tmp_path, "annlab-brute", rungs, limit=1e-9)
    skipped = [a for a in answers if a["event"] == "skip"]
    assert [a["rung"] for a in skipped] == [11]
    assert skipped[0]["reason"].startswith(TOO_SLOW)


def test_a_rung_that_the_library_refuses_does_not_end_the_others(X, tmp_path):
    rungs = [{"max_iter": 1}, {"max_iter": 0}, {"defaults": True}]
    answers = job_answers(X, tmp_path, "sklearn-bisecting", rungs)
    assert [a["event"] for a in answers][3:6] == ["begin", "skip", "begin"]
    assert answers[4]["reason"].startswith("failed: InvalidParameterError")


def test_the_expected_time_is_a_start_and_so_much_an_iteration():
    assert _worker._expected_s([], 5) == 0
    assert _worker._expected_s([(1, 4.0)], 10) == 4.0
    assert _worker._expected_s([(1, 4.0), (2, 4.5)], 10) == pytest.approx(8.5)
    assert _worker._expected_s([(1, 4.0), (2, 3.0)], 10) == 3.0


# --- a comparison by hand ------------------------------------------------------------------------


def record(key, is_ours=False, left_out=""):
    return {
        "key": key,
        "label": key.title(),
        "settings": {"tol": 0.0},
        "knob": "max_iter",
        "is_ours": is_ours,
        "prepare_s": 0.1,
        "left_out": left_out,
    }


def made_run(peer, seed, rung, seconds, inertia, **other):
    facts = {"status": "ok", "peak_bytes": 2_000_000, "others_cores": 0.0, **other}
    return {
        "peer": peer,
        "seed": seed,
        "rung": rung,
        "seconds": seconds,
        "inertia": inertia,
        "n_iter": 1,
        **facts,
    }


@pytest.fixture
def made():
    runs = [
        made_run("peer", 1, {"max_iter": 1}, 1.0, 120.0),
        made_run("peer", 1, {"max_iter": 2}, 3.0, 100.0),
        made_run("peer", 2, {"max_iter": 1}, 2.0, 130.0),
        made_run("peer", 2, {"max_iter": 2}, 4.0, 105.0),
        made_run("peer", 3, {"max_iter": 1}, 2.0, 108.0, others_cores=1.0),
        made_run("annlab-x", 1, {"max_iter": 1}, 0.5, 120.0),
        made_run("annlab-x", 1, {"max_iter": 2}, 1.5, 90.0),
        made_run("annlab-x", 1, {"defaults": True}, 2.5, 80.0),
        {"peer": "peer", "seed": 3, "rung": {"max_iter": 2}, "status": f"{TOO_SLOW}: 9 s"},
        {"peer": "peer", "seed": 3, "rung": {"max_iter": 3}, "status": CONVERGED},
    ]
    return Comparison(
        data={"name": "made", "n": 100, "d": 5, "description": "Made by hand."},
        n_clusters=4,
        threads=2,
        reference={"definition": "by hand", "inertia": 100.0},
        peers=[record("peer"), record("annlab-x", True), record("gone", left_out="not there")],
        runs=runs,
        floors={
            "gemm_flops": 2e11,
            "memory_bytes_per_s": 3e10,
            "gemm_iteration_s": 2e-8,
            "memory_iteration_s": 1e-7,
        },
        machine=machine_record(),
        options={"run_limit_s": 9.0},
    )


def test_time_to_quality_is_interpolated_for_peers_alone(made):
    # seed 1: half way from 1 s to 3 s; seed 2: (130 - 110) / 25 of the way; seed 3: its first rung
    times = sorted([2.0, 2.0 + 2.0 * 20 / 25, 2.0])
    assert made.time_to("peer", 1.1) == pytest.approx(np.median(times))
    assert made.time_to("annlab-x", 1.1) == 1.5
    assert made.time_to("annlab-x", 1.3) == 0.5


def test_a_quality_that_the_median_seed_misses_takes_for_ever(made):
    assert made.time_to("peer", 1.0) == np.inf
    assert made.time_to("peer", 1.05) < np.inf
    assert made.time_to("gone", 2.0) == np.inf
    with pytest.raises(ValueError, match="ratio"):
        made.time_to("peer", 0)
    with pytest.raises(ValueError, match="key must be among peer, annlab-x, gone"):
        made.time_to("nobody", 1)


def test_a_seed_whose_long_runs_were_spared_is_no_failure(made):
    made.runs.extend(
        [
            made_run("peer", 1, {"max_iter": 9}, 80.0, 90.0),
            {"peer": "peer", "seed": 2, "rung": {"max_iter": 9}, "status": ONCE},
            {"peer": "peer", "seed": 3, "rung": {"max_iter": 9}, "status": ONCE},
        ]
    )
    assert made.time_to("peer", 0.9) == 80.0
    assert made.time_to("peer", 0.8) == np.inf
    assert "one seed alone (runs spared): Peer (2)" in made.table()


def test_long_runs_are_made_with_one_seed_alone(X):
    result = compare(
        X,
        5,
        peers=["annlab-brute"],
        quick=True,
        n_seeds=2,
        ladder=[1],
        once_past_s=0.0,
        n_jobs=1,
        progress=False,
    )
    assert [run["status"] for run in result.runs] == ["ok", "ok", ONCE, ONCE]


def test_curves_are_medians_over_the_seeds(made):
    assert [(p["seconds"], p["ratio"], p["n_seeds"]) for p in made.curve("peer")] == [
        (2.0, 1.2, 3),
        (3.5, 1.025, 2),
    ]
    assert made.best("annlab-x") == 0.8
    assert made.keys() == ["peer", "annlab-x"]
    assert made.levels() == [1.05, 1.01, 1.0, 0.95, 0.9, 0.85, 0.8]
    assert made.disturbed() == pytest.approx(1 / 8)


def test_the_page_says_what_was_measured_and_what_was_not(made):
    page = made.table()
    assert "| Peer | 1.025 |" in page
    assert "2.5, 0.800" in page  # annlab's own defaults
    assert "Gone: tol=0.0; left out: not there" in page
    assert "Runs past the limit of 9 s: Peer (1)." in page
    assert "Other processes disturbed 12% of the runs" in page
    assert CONVERGED not in page
    assert "GFLOP/s" in page and "GB/s" in page


def test_a_comparison_survives_its_files(made, tmp_path):
    files = made.save(tmp_path / "deep" / "er")
    assert [file.name for file in files] == ["made_k4.json", "made_k4.md", "made_k4.png"]
    assert files[2].read_bytes().startswith(b"\x89PNG")
    again = Comparison.load(files[0])
    assert again.to_dict() == made.to_dict()
    assert again.table() == files[1].read_text(encoding="utf-8")
    page = command.write_page(tmp_path / "deep" / "er")
    assert "made_k4.png" in page.read_text(encoding="utf-8")


def test_damaged_files_are_refused(tmp_path):
    file = tmp_path / "x.json"
    for text in ("{", "[]", '{"format": 99}', '{"format": 1}'):
        file.write_text(text)
        with pytest.raises(ValueError, match=r"path must be a \.json file"):
            Comparison.load(file)
    with pytest.raises(ValueError, match="folder"):
        command.write_page(tmp_path / "nowhere")


def test_the_reference_says_what_it_is():
    at = [
        made_run("sklearn-random", 1, {"max_iter": 25}, 1, 10.0),
        made_run("sklearn-random", 2, {"max_iter": 25}, 1, 30.0),
        made_run("sklearn-random", 2, {"max_iter": 100}, 1, 5.0),
    ]
    assert running._reference(at) == {"definition": "median of 2 seeds", "inertia": 20.0}
    early = [made_run("sklearn-random", 1, {"max_iter": 7}, 1, 10.0)]
    assert "at max_iter = 7" in running._reference(early)["definition"]
    other = [made_run("faiss", 1, {"niter": 7}, 1, 8.0), made_run("faiss", 1, {"niter": 9}, 1, 7.0)]
    assert running._reference(other)["inertia"] == 7.0
    assert "not run" in running._reference(other)["definition"]


def test_peers_take_turns():
    able = peers.choose_peers(["sklearn-random", "deck", "annlab-brute"])
    turns = running._turns(able, [7, 8, 9], {False: 2, True: 3})
    assert [(peer.key, seed) for peer, seed in turns] == [
        ("sklearn-random", 7),
        ("deck", 7),
        ("annlab-brute", 7),
        ("deck", 8),
        ("annlab-brute", 8),
        ("sklearn-random", 8),
        ("annlab-brute", 9),
    ]


# --- a comparison in processes -------------------------------------------------------------------


@pytest.fixture(scope="module")
def small():
    X = np.random.RandomState(0).rand(500, 4)
    return X, compare(
        X,
        5,
        peers=["sklearn-random", "annlab-brute"],
        quick=True,
        ladder=[1, 4],
        n_seeds=2,
        n_seeds_annlab=1,
        n_jobs=1,
        progress=False,
    )


def test_peers_run_in_processes_of_their_own(small):
    _, result = small
    assert result.keys() == ["sklearn-random", "annlab-brute"]
    seeds = result.options["seeds"]
    done = {(run["peer"], run["seed"]) for run in result.runs}
    assert done == {
        ("sklearn-random", seeds[0]),
        ("sklearn-random", seeds[1]),
        ("annlab-brute", seeds[0]),
    }
    steps = [r["rung"]["max_iter"] for r in result.runs if r["peer"] == "sklearn-random"]
    assert sorted(set(steps)) == [1, 4, 25]  # the reference's rung is always there


def test_quality_is_that_of_the_peer_itself(small):
    X, result = small
    X = X.astype(np.float32)
    for run in result.runs:
        if run["peer"] == "sklearn-random" and run["status"] == "ok":
            model = KMeans(
                5,
                init="random",
                n_init=1,
                tol=0,
                max_iter=run["rung"]["max_iter"],
                random_state=run["seed"],
            ).fit(X)
            assert run["inertia"] == pytest.approx(model.inertia_, rel=1e-5)
            assert run["n_iter"] == model.n_iter_
            assert run["peak_bytes"] is None or run["peak_bytes"] >= 0


def test_threads_and_machine_are_those_of_the_process(small):
    _, result = small
    assert result.threads == 1
    blas = [lib for lib in result.machine["libraries"] if lib["api"] == "blas"]
    assert all(lib["threads"] == 1 for lib in blas)
    assert result.floors["gemm_flops"] > 0


def test_left_out_failed_and_slow_peers_are_named(monkeypatch, capsys):
    real = peers.all_peers()

    def with_trouble():
        gone = peers.Peer("gone", "Gone", "no_such_package", None, rungs=lambda ladder: [{}])
        # known here, but not in the child: it fails there
        broken = peers.Peer("broken", "Broken", "json", None, rungs=lambda ladder: [{}])
        return {"deck": real["deck"], "gone": gone, "broken": broken}

    monkeypatch.setattr(peers, "all_peers", with_trouble)
    monkeypatch.setattr(running, "_SLACK_S", 0.0)
    X = np.random.RandomState(0).rand(8000, 20)
    result = compare(
        X, 200, peers=["deck", "gone", "broken"], quick=True, ladder=[90, 99], run_limit_s=0.2
    )
    shown = capsys.readouterr().err
    assert "Gone: left out: the package 'no_such_package' is not installed" in shown
    assert result.peer("gone")["left_out"] == "the package 'no_such_package' is not installed"
    assert result.peer("broken")["left_out"].startswith("failed: KeyError")
    assert {run["status"] for run in result.runs if run["peer"] == "deck"} == {
        f"{TOO_SLOW}: ended after 0 s"
    }
    assert result.keys() == []
    assert "Broken (1)" in result.table()


def test_a_budget_that_is_used_up_begins_nothing(X):
    result = compare(
        X, 5, peers=["sklearn-random"], quick=True, budget_s=1e-6, n_jobs=1, progress=False
    )
    assert {run["status"] for run in result.runs} == {OUT_OF_TIME}


def test_large_arrays_are_sampled_when_quick():
    rng = np.random.RandomState(0)
    rows, about = running._rows(np.zeros((20_001, 2)), True, rng)
    assert rows.shape == (20_000, 2)
    assert rows.dtype == np.float32
    assert about["description"].startswith("20,000 of 20,001 rows")
    rows, about = running._rows("U100", True, rng)
    assert about["name"] == "U100"


def test_bad_comparisons_are_refused(X):
    for bad in ({"ladder": []}, {"run_limit_s": 0}, {"n_seeds": 0}, {"peers": ["x"]}):
        with pytest.raises((ValueError, TypeError), match=next(iter(bad))):
            compare(X, 5, progress=False, **bad)
    with pytest.raises(ValueError, match="name must be one of"):
        compare("P9", 5, progress=False)


# --- the command ---------------------------------------------------------------------------------


def test_the_command_lists_its_peers(capsys):
    assert main(["bench", "--list"]) == 0
    assert "sklearn-random" in capsys.readouterr().out


def test_the_command_runs_a_case_and_writes_its_files(tmp_path, capsys):
    rows = tmp_path / "mine.npy"
    np.save(rows, np.random.RandomState(0).rand(300, 3))
    words = ["bench", "--quick", "--data", str(rows), "--clusters", "4", "--threads", "1"]
    words += ["--peers", "annlab-brute", "--ladder", "1", "--out", str(tmp_path / "out")]
    assert main(words) == 0
    assert {file.name for file in (tmp_path / "out").iterdir()} == {
        "mine_k4.json",
        "mine_k4.md",
        "mine_k4.png",
        "README.md",
    }
    printed = capsys.readouterr()
    assert "annlab brute" in printed.out
    assert "algorithm=brute" in printed.err
    before = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert main(["bench", "--page", "--out", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "README.md").read_text(encoding="utf-8") == before


def test_the_command_refuses_what_is_no_array(tmp_path, capsys):
    file = tmp_path / "x.npy"
    np.save(file, np.array([{}], dtype=object), allow_pickle=True)
    assert main(["bench", "--quick", "--data", str(file)]) == 2
    assert "--data must be" in capsys.readouterr().err

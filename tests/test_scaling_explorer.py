"""The deck's parallel code, the clock of an iteration, and scaling_explorer."""

from __future__ import annotations

import multiprocessing.dummy
import time

import numpy as np
import pytest

from annlab import kmeans, widgets
from annlab.benchmarks import deck_parallel, scaling
from annlab.benchmarks.deck import deck_kmeans_ann
from annlab.benchmarks.deck_parallel import SLIDE_13, deck_parallel_kmeans_ann
from annlab.benchmarks.scaling import (
    PARTS,
    WAYS,
    IterationCost,
    RecordedPool,
    amdahl,
    measure_iteration,
    predict_parts,
)
from annlab.widgets import _scaling
from annlab.widgets.base import Job, Stopped


@pytest.fixture(scope="module")
def X():
    return np.random.RandomState(0).rand(4001, 12)


# ------------------------------------------------------------------------------------- the deck


def test_the_repaired_functions_are_those_of_the_slide(X, monkeypatch):
    with pytest.raises(SyntaxError):
        compile(SLIDE_13, "slide 13", "exec")
    slide = {}
    exec(compile(SLIDE_13.replace("for _ range", "for _ in range"), "slide 13", "exec"), slide)
    slide["Pool"] = multiprocessing.dummy.Pool
    # the slide draws from the global state, which this test alone may touch
    monkeypatch.setattr(np.random, "choice", np.random.RandomState(5).choice)
    labels, centroids = slide["parallel_kmeans_ann"](X, 7, 4, 3)
    mine = deck_parallel_kmeans_ann(X, 7, 4, 3, random_state=5, pool=multiprocessing.dummy.Pool)
    np.testing.assert_array_equal(labels, mine[0])
    np.testing.assert_array_equal(centroids, mine[1])
    task = (X[:100], centroids)
    np.testing.assert_array_equal(
        slide["assign_points_to_clusters"](task), deck_parallel.assign_points_to_clusters(task)
    )


def test_each_iteration_of_the_deck_starts_a_pool_and_sends_all_points(X):
    pool = RecordedPool.inline()
    labels, centroids = deck_parallel_kmeans_ann(X, 7, 5, 4, random_state=0, pool=pool)
    alone = deck_kmeans_ann(X, 7, 5, random_state=0)
    np.testing.assert_array_equal(labels, alone[0])
    np.testing.assert_array_equal(centroids, alone[1])
    assert (pool.n_pools, pool.n_processes) == (5, 5 * 4)
    # rows there, labels back
    assert 1.0 < pool.sent_bytes / (5 * (X.nbytes + labels.nbytes)) < 1.05


def test_tasks_of_the_deck_run_in_processes(X):
    # a real pool: this is where a function of a notebook is not found
    pool = scaling.process_context().Pool
    labels, _ = deck_parallel_kmeans_ann(X, 7, 2, 2, random_state=0, pool=pool)
    np.testing.assert_array_equal(labels, deck_kmeans_ann(X, 7, 2, random_state=0)[0])


# ------------------------------------------------------------------------------------ the clock


@pytest.mark.parametrize("way", WAYS)
def test_every_way_gives_the_bits_of_one_core_and_the_means_of_kmeans(X, way):
    alone = measure_iteration(X, X[:100], repeats=1)
    for n_jobs in (1, 3):
        cost = measure_iteration(X, X[:100], n_jobs, way=way, repeats=1)
        assert cost.same_bits(alone) and cost.n_jobs == n_jobs and cost.way == way
        # threads may be through before the last of them is awake
        assert cost.n_chunks > 3 and 1 <= cost.n_sharers <= n_jobs
        assert cost.n_sharers == n_jobs or way == "threads"
        assert set(cost.parts) == set(PARTS) and min(cost.parts.values()) >= 0
        # rows are sent to processes, nothing is sent to threads
        assert (cost.sent_bytes > X.nbytes) == (way != "threads")
        assert (cost.transfer_s > 0) == (way != "threads")
    result = kmeans(X, 100, 1, init=X[:100], tol=0)
    np.testing.assert_allclose(alone.centroids, result.centroids, rtol=1e-12)


def test_other_chunks_change_the_last_bits_and_no_label(X):
    own = measure_iteration(X, X[:20], repeats=1)
    other = measure_iteration(X, X[:20], 2, chunk_rows=1000, repeats=1)
    assert other.n_chunks == 5
    np.testing.assert_array_equal(own.labels, other.labels)
    np.testing.assert_allclose(own.centroids, other.centroids, rtol=1e-12)
    assert not own.same_bits(other)
    again = measure_iteration(X, X[:20], 3, chunk_rows=1000, repeats=1)
    assert again.same_bits(other)


def test_a_single_chunk_has_one_worker(X):
    whole = measure_iteration(X, X[:20], 3, chunk_rows=len(X), repeats=1)
    assert (whole.n_chunks, whole.n_sharers) == (1, 1)
    assert predict_parts(whole, 8) == whole.parts
    few = measure_iteration(X[:1000], X[:2], 3, repeats=1)
    assert few.n_chunks > 1 and few.n_sharers == 1


def test_the_clock_adds_up_tasks():
    with scaling.Crew(2, "threads") as crew:
        lap = crew.in_threads(time.sleep, [(0.02,)] * 4, float("inf"))
    assert lap.tasks_s >= 0.08 and lap.wall_s >= 0.04
    assert lap.sharers == 2 and len(lap.answers) == 4


def test_the_start_of_a_pool_is_spread_over_a_fit(X):
    many = measure_iteration(X, X[:20], 1, way="new processes", repeats=1)
    one = measure_iteration(X, X[:20], 1, way="processes", repeats=1)
    assert many.start_s > one.start_s > 0


def test_the_callback_is_called_for_each_iteration_and_may_end_it(X):
    heard = []
    measure_iteration(X, X[:5], repeats=2, callback=lambda: heard.append(1))
    assert len(heard) == 3

    def enough():
        raise Stopped

    with pytest.raises(Stopped):
        measure_iteration(X, X[:5], callback=enough)


def made(way="threads", **changes):
    spent = {"assign_s": 8.0, "update_s": 2.0, "overhead_s": 0.0, "start_s": 0.0, "transfer_s": 0.0}
    spent |= {"assign_tasks_s": 8.0, "update_tasks_s": 1.0, "sent_bytes": 0}
    none = np.zeros(0)
    return IterationCost(way, 1, 64, 1, **spent | changes, labels=none, centroids=none)


def test_a_prediction_from_one_core_is_amdahls_law():
    one = made()
    assert one.serial_share == pytest.approx(0.1)
    for n_jobs in (1, 2, 7, 64):
        total = sum(predict_parts(one, n_jobs).values())
        assert one.total_s / total == pytest.approx(amdahl(one.serial_share, n_jobs))
    # no more workers than chunks
    assert predict_parts(one, 64) == predict_parts(one, 1000)


def test_a_prediction_keeps_the_cost_of_pool_and_transfer():
    one = made("processes", start_s=0.5, transfer_s=3.0, update_tasks_s=0.0)
    parts = predict_parts(one, 8)
    assert parts["assign"] == pytest.approx(1.0)
    assert (parts["update"], parts["pool start"], parts["data transfer"]) == (2.0, 0.5, 3.0)


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (lambda X: amdahl(1.5, 2), "serial_share must be at most 1"),
        (lambda X: amdahl(0.5, 0), "n_jobs must be at least 1"),
        (lambda X: measure_iteration(X, X[:3], way="fibres"), "way must be"),
        (lambda X: measure_iteration(X, X[:3], 0), "n_jobs must be"),
        (lambda X: measure_iteration(X, X[:3], chunk_rows=0), "chunk_rows must be"),
        (lambda X: measure_iteration(X, X[:3, :2]), "centroids must"),
        (lambda X: predict_parts(made(), 0), "n_jobs must be"),
        (lambda X: measure_iteration(X, X[:9], 2, repeats=1).serial_share, "serial_share must be"),
    ],
)
def test_bad_arguments_are_named(X, call, complaint):
    with pytest.raises(ValueError, match=complaint):
        call(X)


# --------------------------------------------------------------------------------- the explorer


@pytest.fixture
def cores(monkeypatch):
    """Pretend that this process may use some number of cores."""
    return lambda number: monkeypatch.setattr(_scaling, "available_cpus", lambda: number)


@pytest.mark.parametrize(("number", "measured"), [(1, [1]), (3, [1, 2])])
def test_workers_beyond_the_cores_are_predicted(X, cores, number, measured):
    cores(number)
    explorer = widgets.scaling_explorer(X, n_clusters=8)
    assert list(explorer.result.measured) == measured
    which = f"{number} core{'s' * (number > 1)};"
    assert f"(measured on {which}" in explorer.set(n_jobs=measured[-1]).text
    assert f"(predicted from {which}" in explorer.set(n_jobs=16).text
    assert explorer.result.speed_up(16) >= explorer.result.speed_up(measured[-1])


def test_one_core_measures_the_price_of_a_pool(X, cores):
    cores(1)
    explorer = widgets.scaling_explorer(X, n_clusters=8, predict="pool").set(way="new processes")
    parts = explorer.result.parts(2)
    assert parts["pool start"] > 0 and parts["data transfer"] > 0
    explorer.press("compare")
    assert explorer.prediction.truth == "slower"


def test_numbers_of_workers_give_the_same_bits_and_other_chunks_do_not(X, cores):
    cores(4)
    explorer = widgets.scaling_explorer(X, n_clusters=20)
    assert explorer.result.same_bits and "gave the same bits" in explorer.text
    assert explorer.result.drift == 0 and "annlab's own chunks" not in explorer.text
    explorer.set(n=len(X), chunk=2048)
    assert 0 < explorer.result.drift < 1e-12
    assert "no label and centroids by up to" in explorer.text
    explorer.set(chunk=1 << 40)
    assert explorer.result.alone.n_chunks == 1 and "1 chunk;" in explorer.text


def test_load_of_other_programs_is_named(X, monkeypatch):
    class Crowd:
        def cores(self):
            return 2.25

    monkeypatch.setattr(_scaling, "OtherLoad", Crowd)
    explorer = widgets.scaling_explorer(X, n_clusters=9)
    assert "Other programs kept 2.2 cores busy" in explorer.text
    # processes of the explorer's own would count as others
    assert "Other programs" not in explorer.set(way="processes").text


def test_too_little_work_is_named(X, cores):
    cores(2)
    assert "too little work to hand them out" in widgets.scaling_explorer(X, n_clusters=3).text


def test_a_measurement_is_kept(X, monkeypatch):
    first = widgets.scaling_explorer(X, n_clusters=6)
    monkeypatch.setattr(_scaling, "measure_iteration", None)
    assert widgets.scaling_explorer(X, n_clusters=6).text == first.text


def test_stop_takes_effect_between_two_iterations(X):
    explorer = widgets.scaling_explorer(X, n_clusters=5)
    reports = []
    job = Job(lambda share, text: reports.append(share) or (len(reports) == 3 and job.stop()))
    with pytest.raises(Stopped):
        explorer.compute(job, n=400, chunk=256, way="threads")
    assert len(reports) == 3 and 0 <= reports[0] and reports == sorted(reports)

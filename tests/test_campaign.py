"""``annlab bench``: peers, processes, parts and pages. No test asserts a time."""

from __future__ import annotations

import copy
import json
import time
from dataclasses import replace
from functools import partial
from typing import ClassVar

import numpy as np
import pytest
from sklearn.cluster import KMeans

from annlab import kmeans, kmeans_ann
from annlab.benchmarks import Comparison, compare, machine, machine_record
from annlab.benchmarks.campaign import (
    behaviour,
    cells,
    command,
    grid,
    growth,
    memory,
    page,
    peers,
    running,
    session,
    store,
    targets,
    untuned,
    verdicts,
    worker,
    workloads,
)
from annlab.benchmarks.campaign.child import Child
from annlab.benchmarks.campaign.measured import CONVERGED, ONCE, OUT_OF_TIME, TOO_SLOW
from annlab.cli import main
from annlab.metrics import inertia


@pytest.fixture(scope="module")
def X():
    return np.random.RandomState(0).rand(600, 6).astype(np.float32)


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
        labels, centroids, n_iter = peer.run(X, 7, rung, 1, 1)[:3]
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
        centroids = peer.run(X, 1, {peer.knob: 2}, 0, 1).centroids
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
    worker.run_ladder(job, answers.append)
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


@pytest.mark.parametrize(
    ("peer", "steps", "limit", "reason"),
    [
        ("annlab-brute", [500, 1000], 60.0, CONVERGED),
        ("annlab-brute", [1, 2], 1e-9, TOO_SLOW),
        ("sklearn-bisecting", [1, 0], 60.0, "failed: InvalidParameterError"),
    ],
)
def test_a_rung_without_a_run_has_a_reason_and_the_defaults_still_run(
    X, tmp_path, peer, steps, limit, reason
):
    rungs = [*({"max_iter": step} for step in steps), {"defaults": True}]
    answers = job_answers(X, tmp_path, peer, rungs, limit=limit)
    (skipped,) = [answer for answer in answers if answer["event"] == "skip"]
    assert skipped["rung"] == 11
    assert skipped["reason"].startswith(reason)
    assert answers[-1]["event"] == "done"
    if limit > 1:
        assert {answer["rung"] for answer in answers if answer["event"] == "run"} == {10, 12}


def test_the_expected_time_is_a_start_and_so_much_an_iteration():
    assert worker._expected_s([], 5) == 0
    assert worker._expected_s([(1, 4.0)], 10) == 4.0
    assert worker._expected_s([(1, 4.0), (2, 4.5)], 10) == pytest.approx(8.5)
    assert worker._expected_s([(1, 4.0), (2, 3.0)], 10) == 3.0


# --- a comparison by hand ------------------------------------------------------------------------


def record(key, is_ours=False, left_out=""):
    about = {"key": key, "label": key.title(), "settings": {"tol": 0.0}, "knob": "max_iter"}
    return {**about, "is_ours": is_ours, "prepare_s": 0.1, "left_out": left_out}


def made_run(peer, seed, rung, seconds, inertia, **other):
    run = {"peer": peer, "seed": seed, "rung": rung, "seconds": seconds, "inertia": inertia}
    facts = {"n_iter": 1, "status": "ok", "peak_bytes": 2_000_000, "others_cores": 0.0}
    return {**run, **facts, **other}


def comparison(runs, records, data, n_clusters, **more):
    """A comparison as if it had been run, by two threads on this machine."""
    given = {
        "data": {"d": 5, "description": "Made by hand.", **data},
        "threads": 2,
        "reference": {"definition": "by hand", "inertia": 100.0},
        "floors": {},
        "machine": machine_record(),
        "options": {},
    }
    return Comparison(**given | more, n_clusters=n_clusters, peers=records, runs=runs)


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
    floors = {"gemm_flops": 2e11, "gemm_iteration_s": 2e-8}
    floors |= {"memory_bytes_per_s": 3e10, "memory_iteration_s": 1e-7}
    return comparison(
        runs,
        [record("peer"), record("annlab-x", True), record("gone", left_out="not there")],
        {"name": "made", "n": 100},
        n_clusters=4,
        floors=floors,
        options={"run_limit_s": 9.0, "code": behaviour.code_facts()},
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


def test_curves_are_medians_over_the_seeds(made):
    curve = [(point["seconds"], point["ratio"], point["n_seeds"]) for point in made.curve("peer")]
    assert curve == [(2.0, 1.2, 3), (3.5, 1.025, 2)]
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
    assert again.table() == "#" + files[1].read_text(encoding="utf-8")
    assert again.table().startswith("## made")
    written = page.write_page(tmp_path / "deep" / "er")
    assert "made_k4.png" in written.read_text(encoding="utf-8")


def test_damaged_files_are_refused(tmp_path):
    file = tmp_path / "x.json"
    for text in ("{", "[]", '{"format": 99}', '{"format": 1}'):
        file.write_text(text)
        with pytest.raises(ValueError, match=r"path must be a \.json file"):
            Comparison.load(file)
    with pytest.raises(ValueError, match="folder"):
        page.write_page(tmp_path / "nowhere")


def test_the_reference_says_what_it_is():
    at = [
        made_run("sklearn-random", 1, {"max_iter": 25}, 1, 10.0),
        made_run("sklearn-random", 2, {"max_iter": 25}, 1, 30.0),
        made_run("sklearn-random", 2, {"max_iter": 100}, 1, 5.0),
    ]
    assert session.reference_of(at) == {"definition": "median of 2 seeds", "inertia": 20.0}
    early = [made_run("sklearn-random", 1, {"max_iter": 7}, 1, 10.0)]
    assert "at max_iter = 7" in session.reference_of(early)["definition"]
    spared = made_run("sklearn-random", 2, {"max_iter": 25}, None, None, status=ONCE)
    seventh = made_run("sklearn-random", 2, {"max_iter": 7}, 1, 30.0)
    assert session.reference_of([at[0], seventh, spared]) == {
        "definition": "median of 1 seed",
        "inertia": 10.0,
    }
    converged = {**spared, "status": CONVERGED}
    assert session.reference_of([at[0], seventh, converged])["inertia"] == 20.0
    assert session.reference_of([early[0], seventh, spared])["inertia"] == 10.0
    assert session.reference_of([seventh, spared])["inertia"] == 30.0
    other = [made_run("faiss", 1, {"niter": 7}, 1, 8.0), faiss(1, 7.0)]
    assert session.reference_of(other)["inertia"] == 7.0
    assert "not run" in session.reference_of(other)["definition"]


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
    call = {"peers": ["sklearn-random", "annlab-brute"], "ladder": [1, 4], "quick": True}
    return X, compare(X, 5, n_seeds=2, n_seeds_annlab=1, n_jobs=1, progress=False, **call)


def test_peers_run_in_processes_of_their_own(small):
    _, result = small
    assert result.keys() == ["sklearn-random", "annlab-brute"]
    seeds = result.options["seeds"]
    done = {(run["peer"], run["seed"]) for run in result.runs}
    pairs = [("sklearn-random", 0), ("sklearn-random", 1), ("annlab-brute", 0)]
    assert done == {(peer, seeds[number]) for peer, number in pairs}
    steps = [r["rung"]["max_iter"] for r in result.runs if r["peer"] == "sklearn-random"]
    assert sorted(set(steps)) == [1, 4, 25]  # the reference's rung is always there


def test_quality_is_that_of_the_peer_itself(small):
    X, result = small
    X = X.astype(np.float32)
    for run in result.runs:
        if run["peer"] == "sklearn-random" and run["status"] == "ok":
            start = {"init": "random", "n_init": 1, "random_state": run["seed"]}
            model = KMeans(5, tol=0, max_iter=run["rung"]["max_iter"], **start).fit(X)
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
        gone = peers.Peer("gone", "Gone", "no_such_package", None)
        # known here, but not in the child: it fails there
        broken = peers.Peer("broken", "Broken", "json", None, most=0)
        return {"deck": real["deck"], "gone": gone, "broken": broken}

    monkeypatch.setattr(peers, "all_peers", with_trouble)
    monkeypatch.setattr(session, "_SLACK_S", 0.0)
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
    written = {file.name for file in (tmp_path / "out").iterdir()}
    assert written == {"mine_k4.json", "mine_k4.md", "mine_k4.png", "README.md"}
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


# --- cells ---------------------------------------------------------------------------------------


def made_cell(ours=(0.01,), theirs=(0.02,), inertias=(1.0, 1.0), **shape):
    """A cell of the grid as if it had been measured."""
    shape = {"data": "uniform", "n": 1000, "d": 2, "k": 10, **shape}
    return {
        **cells.make_cell(**shape, contenders=("auto", "default")),
        "status": "ok",
        "results": {
            "auto": {"seconds": [*ours], "inertia": [inertias[0]], "algorithm": "small_k"},
            "default": {"seconds": [*theirs], "inertia": [inertias[1]], "algorithm": ""},
        },
        "others_cores": 0.0,
        "date": "2026-01-01T00:00:00+00:00",
    }


def made_part(name, found):
    return {
        "format": 1,
        "part": name,
        "settings": store.settings_of(2, 5, 1),
        "machine": machine_record(),
        "cells": found,
    }


def test_seeds_of_cells_are_fresh_and_their_own():
    drawn = [cells.fresh_seeds(1, cell["key"], 5) for cell in grid.grid_cells()]
    assert len({tuple(seeds) for seeds in drawn}) == len(drawn)
    assert min(map(min, drawn)) >= 1000


def test_a_process_runs_contenders_in_turns_with_the_same_seeds(monkeypatch):
    order = []

    clock = [0.0]

    class Spy:
        def __init__(self, name):
            self.name = name

        def run(self, X, k, rung, seed, threads):
            order.append((self.name, seed))
            # the first run of all would not count, unless it is slow
            clock[0] += 3.0 if self.name == "default" else float(len(order))
            labels, centroids = np.zeros(len(X), dtype=int), np.zeros((k, X.shape[1]))
            return peers.Answer(labels, centroids, None, self.name)

    names = ("auto", "default")
    monkeypatch.setattr(worker, "all_peers", lambda: {name: Spy(name) for name in names})
    monkeypatch.setattr(worker, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(worker, "_prepare", lambda *all: None)
    answers: list[dict] = []
    contenders = {name: (name, {}) for name in names}
    cell = {"key": "a", "k": 3, "peak": False, "contenders": contenders, "seeds": [7, 8, 9]}
    job = {"data": "uniform", "n": 40, "d": 2, "data_seed": 0, "threads": 1, "once_past_s": 9.0}
    worker.run_cells({**job, "cells": [cell]}, answers.append)
    assert order == [
        ("auto", 7), ("default", 7), ("auto", 7),
        ("auto", 8), ("default", 8), ("auto", 9), ("default", 9),
    ]  # fmt: skip
    assert [answer["event"] for answer in answers] == ["ready", "begin", "cell", "done"]
    found = answers[2]["results"]
    assert found["auto"]["seconds"] == [3.0, 4.0, 6.0]
    assert found["default"]["seconds"] == [3.0, 3.0, 3.0]
    X = workloads.make_rows("uniform", 40, 2, random_state=0)
    assert found["auto"]["inertia"] == pytest.approx([float((X.astype(float) ** 2).sum())] * 3)
    order.clear()
    worker.run_cells({**job, "once_past_s": 2.5, "cells": [cell]}, answers.append)
    assert [seed for name, seed in order if name == "default"] == [7]
    json.dumps(answers)


# docstrings come from thousands of files: the next test reads a few of them
@pytest.mark.parametrize("name", sorted({*workloads.available_workloads()} - {"docstrings"}))
def test_rows_are_float32_and_the_seeds_own(name):
    d = {"P200": 192, "P1M": 64, "digits with noise": 64}.get(name, 8)
    first, again, other = (workloads.make_rows(name, 300, d, random_state=s) for s in (1, 1, 2))
    assert first.shape == (300, d)
    assert first.dtype == np.float32 and first.flags.c_contiguous
    assert np.isfinite(first).all()
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert name in workloads.DESCRIPTIONS


def test_rows_of_docstrings(monkeypatch):
    from annlab import datasets

    few = datasets.load_docstrings(packages=["joblib"])
    monkeypatch.setattr(datasets, "load_docstrings", lambda: few)
    X = workloads.make_rows("docstrings", 50, 6)
    assert X.shape == (50, 6)
    assert np.isfinite(X).all()


def test_rows_are_what_their_names_say():
    X = workloads.make_rows("near duplicates", 500, 4)
    assert len(np.unique(np.round(X, 1), axis=0)) < 60
    X = workloads.make_rows("heavy tails", 5000, 2)
    norms = np.linalg.norm(X, axis=1)
    assert norms.max() > 15 * np.median(norms)
    whole = workloads.make_rows("patches", 400, 192)
    part = workloads.make_rows("patches", 400, 10)
    # principal components keep more than any other ten directions: all but a tenth of the spread
    assert 0.9 * whole.var(axis=0).sum() < part.var(axis=0).sum() <= 1.001 * whole.var(axis=0).sum()
    assert workloads.make_rows("patches", 30, 20).shape == (30, 20)


# --- the store -----------------------------------------------------------------------------------


def test_a_store_goes_on_where_it_was(tmp_path):
    path, settings = tmp_path / "deep" / "grid.json", {"threads": 2, "list": (1, 2)}
    first = store.Store(path, "grid", settings)
    first.add({"key": "a", "status": "ok"})
    first.add({"key": "b", "status": "failed: x"})
    again = store.Store(path, "grid", settings)
    assert again.has("a") and not again.has("b") and not again.has("c")
    again.add({"key": "b", "status": "ok"})
    assert [cell["status"] for cell in store.read_part(path)["cells"]] == ["ok", "ok"]
    assert store.Store(path, "grid", settings, again=True).cells == {}
    assert [file.name for file in path.parent.iterdir()] == ["grid.json"]


def test_cells_of_other_settings_are_never_mixed(tmp_path):
    path = tmp_path / "grid.json"
    code = {"version": "1", "commit": "a", "behaviour": "abc"}
    store.Store(path, "grid", {"threads": 2, "code": code}).add({"key": "a", "status": "ok"})
    # another version and another commit that behave alike are no reason to measure again
    same = {"version": "2", "commit": "b", "behaviour": "abc"}
    assert store.Store(path, "grid", {"threads": 2, "code": same}).has("a")
    with pytest.raises(ValueError, match=r"differs in threads\. Pass --again"):
        store.Store(path, "grid", {"threads": 4, "code": same})
    other = {**code, "behaviour": "xyz"}
    said = r"differs in code\. annlab's fits return other .* \(behaviour abc, now xyz\)"
    with pytest.raises(ValueError, match=said):
        store.Store(path, "grid", {"threads": 2, "code": other})
    with pytest.raises(ValueError, match="part 'growth'"):
        store.Store(path, "growth", {"threads": 2, "code": code})
    for text in ("{", "[]", '{"format": 2}', '{"format": 2, "part": 3}'):
        path.write_text(text)
        with pytest.raises(ValueError, match="measured cells"):
            store.read_part(path)


def test_the_digest_is_of_labels_and_inertia_and_not_of_their_numbering(monkeypatch):
    found = behaviour.behaviour()
    real = kmeans_ann

    def changed(change):
        def fit(*args, **options):
            return change(real(*args, **options))

        monkeypatch.setattr("annlab.clustering.kmeans_ann", fit)
        return behaviour.behaviour.__wrapped__()

    assert changed(lambda result: result) == found
    turned = lambda result: replace(result, labels=result.n_clusters - 1 - result.labels)  # noqa: E731
    assert changed(turned) == found
    assert changed(lambda result: replace(result, inertia=1.0001 * result.inertia)) != found
    assert changed(lambda result: replace(result, labels=result.labels // 2)) != found


class FakeChild:
    """Answers for a process: every cell is through at once, but for those that break."""

    started: ClassVar[list[list[str]]] = []
    breaks: ClassVar[tuple[str, ...]] = ()

    def __init__(self, job, threads):
        keys = [cell["key"] for cell in job["cells"]]
        FakeChild.started.append(keys)
        self.answers = [{"event": "ready", "machine": machine_record()}]
        for cell in job["cells"]:
            self.answers.append({"event": "begin", "key": cell["key"]})
            if cell["key"] in self.breaks:
                self.answers.append({"event": "end", "reason": "it broke"})
                break
            done = made_cell(n=job["n"], d=job["d"], k=cell["k"])
            facts = ("results", "others_cores", "date")
            self.answers.append(
                {"event": "cell", "key": cell["key"], **{name: done[name] for name in facts}}
            )

    def answer(self, limit_s):
        return self.answers.pop(0)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        pass


@pytest.fixture
def fake_child(monkeypatch):
    monkeypatch.setattr(cells, "Child", FakeChild)
    FakeChild.started, FakeChild.breaks = [], ()
    return FakeChild


def small_store(tmp_path):
    return store.Store(tmp_path / "grid.json", "grid", store.settings_of(1, 3, 1))


def test_an_interrupted_grid_goes_on(fake_child, tmp_path):
    wanted = grid.grid_cells(data=["uniform"], n=[100], d=[2, 3], k=[2, 4, 200])
    assert len(wanted) == 4  # no more clusters than rows
    assert not cells.measure_cells(
        wanted, small_store(tmp_path), label="grid", deadline=0.0, progress=False
    )
    assert fake_child.started == []
    fake_child.breaks = (wanted[1]["key"],)
    kept = small_store(tmp_path)
    assert not cells.measure_cells(wanted, kept, label="grid", progress=False)
    assert kept.cells[wanted[1]["key"]]["status"] == "failed: it broke"
    fake_child.breaks = ()
    fake_child.started.clear()
    assert cells.measure_cells(wanted, small_store(tmp_path), label="grid", progress=False)
    # what had failed is tried once more, and nothing else
    assert fake_child.started == [[wanted[1]["key"]]]
    fake_child.started.clear()
    assert cells.measure_cells(wanted, small_store(tmp_path), label="grid", progress=False)
    assert fake_child.started == []


def test_a_budget_ends_after_the_running_cell(fake_child, tmp_path, monkeypatch):
    wanted = grid.grid_cells(data=["uniform"], n=[100], d=[2], k=[2, 4, 8])
    kept = small_store(tmp_path)
    # the clock reaches the deadline when the first cell is stored
    monkeypatch.setattr(cells, "perf_counter", lambda: float(len(kept.cells)))
    assert not cells.measure_cells(wanted, kept, label="grid", deadline=0.5, progress=False)
    assert [*store.Store(kept.path, "grid", kept.settings).cells] == [wanted[0]["key"]]


# --- the grid ------------------------------------------------------------------------------------


def test_the_grid_is_the_one_that_was_asked_for():
    found = grid.grid_cells()
    assert len(found) == len({cell["key"] for cell in found}) == 3 * 3 * 4 * 5
    assert {cell["data"] for cell in found} == {"uniform", "blobs", "patches"}
    assert found[0]["contenders"] == ["auto", "default"]


@pytest.mark.parametrize(
    ("ours", "theirs", "inertias", "verdict"),
    [
        (1.0, 1.0, (1.0, 1.0), ["in the rule"]),
        (1.09, 1.0, (1.009, 1.0), ["in the rule"]),
        (1.2, 1.0, (1.0, 1.0), ["slower"]),
        (1.4, 1.0, (1.0, 1.0), ["far slower"]),
        # five milliseconds are nothing to worry about, whatever the factor
        (0.0059, 0.001, (1.0, 1.0), ["in the rule"]),
        (0.0061, 0.001, (1.0, 1.0), ["far slower"]),
        (0.5, 1.0, (1.02, 1.0), ["worse inertia"]),
        (2.0, 1.0, (1.02, 1.0), ["far slower", "worse inertia"]),
        (0.5, 1.0, (float("nan"), 1.0), ["worse inertia"]),
        # as many clusters as rows leave rounding alone
        (0.5, 1.0, (1e-9, 1e-12), ["in the rule"]),
        (0.5, 1.0, (1.0, 0.0), ["worse inertia"]),
    ],
)
def test_the_rule(ours, theirs, inertias, verdict):
    assert grid.judge_cell(made_cell([ours], [theirs], inertias)) == verdict


def test_a_cell_is_judged_by_its_medians():
    cell = made_cell([0.1, 0.1, 9.0], [0.1, 0.2, 0.3])
    assert grid.speed_ratio(cell) == pytest.approx(0.5)


def test_breaches_are_counted_named_and_marked(tmp_path):
    found = [made_cell(k=k, d=d) for k in (2, 10) for d in (2, 10)]
    found[3] = made_cell([9.0], [1.0], k=10, d=10)
    part = made_part("grid", found)
    summary = grid.summarize(part)
    assert (summary["share"], summary["n_too_slow"], summary["kept"]) == (0.75, 1, False)
    assert summary["worst"][0] is found[3]
    text = "\n".join(grid.page(part))
    assert "75.0% of 4 cells are in the rule" in text
    assert "| 9.00 | 1.0000 | small_k | far slower |" in text
    assert grid.summarize(made_part("grid", found[:3]))["kept"]
    assert not grid.summarize(made_part("grid", []))["kept"]

    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    figure = Figure()
    grid.plot(part, figure)
    heat = figure.axes[0]
    frames = [patch for patch in heat.patches if isinstance(patch, Rectangle)]
    assert [(round(frame.get_x()), round(frame.get_y())) for frame in frames] == [(1, 1)]
    marked = [text.get_text() for text in heat.texts if "!!" in text.get_text()]
    assert marked == ["9\n1.000 !!"]
    assert len(heat.texts) == 4


def test_one_slow_cell_in_twenty_is_allowed_but_no_far_slower_one():
    found = [made_cell(k=k) for k in range(1, 20)]
    slow = made_cell([1.2], [1.0], k=99)
    assert grid.summarize(made_part("grid", [*found, slow]))["kept"]
    assert not grid.summarize(made_part("grid", [*found[1:], slow, slow]))["kept"]
    far = made_cell([1.4], [1.0], k=99)
    assert not grid.summarize(made_part("grid", [*found, far]))["kept"]


# --- growth --------------------------------------------------------------------------------------


def test_slopes_of_power_laws_are_found():
    values = np.repeat([10.0, 100.0, 1000.0, 10_000.0], 5)
    rng = np.random.RandomState(0)
    noise = np.exp(0.1 * rng.standard_normal(len(values)))
    for exponent in (0.3, 0.5, 1.0):
        exact = growth.fit_slope(values, 3.0 * values**exponent)
        assert exact.exponent == pytest.approx(exponent)
        assert exact.high - exact.low < 1e-6
        assert exact.steepest == pytest.approx(exponent)
        noisy = growth.fit_slope(values, 3.0 * values**exponent * noise)
        assert noisy.low < exponent < noisy.high
        assert 0.02 < noisy.high - noisy.low < 0.2
    from scipy.stats import linregress

    x, y = np.log(values), np.log(values**0.7 * noise)
    known, ours = linregress(x, y), growth.fit_slope(values, np.exp(y))
    assert ours.exponent == pytest.approx(known.slope)
    assert ours.constant == pytest.approx(known.intercept)
    from scipy.stats import t

    margin = t.ppf(0.975, len(x) - 2) * known.stderr
    assert (ours.low, ours.high) == pytest.approx((known.slope - margin, known.slope + margin))


def test_a_bend_shows_in_the_steepest_slope():
    slope = growth.fit_slope([1, 10, 100], [1, 1, 100])
    assert slope.exponent == pytest.approx(1.0)
    assert slope.steepest == pytest.approx(2.0)
    assert growth.fit_slope([1, 10], [1, 10]).high == np.inf


@pytest.mark.parametrize("bad", [([1, 1], [1, 2]), ([1, 2], [1, 0]), ([1, 2, 3], [1, 2])])
def test_no_slope_without_two_values(bad):
    with pytest.raises(ValueError, match="values must be positive"):
        growth.fit_slope(*bad)


def growth_part():
    found = []
    for cell in growth.growth_cells():
        value = cell[cell["series"]]
        times = [1e-3 * value**0.5 * factor for factor in (0.9, 1.0, 1.1)]
        facts = {"seconds": times, "inertia": [1.0] * 3, "algorithm": "graph"}
        results = {"auto": facts, "graph": {**facts, "seconds": [2 * s for s in times]}}
        more = {"status": "ok", "results": results, "others_cores": None, "date": "2026"}
        found.append({**cell, **more})
    return made_part("growth", found)


def test_growth_is_fitted_for_each_series():
    part = growth_part()
    found = growth.slopes(part)
    assert set(found) == {(name, way) for name in "nkd" for way in ("auto", "graph")}
    assert all(slope.exponent == pytest.approx(0.5) for slope in found.values())
    text = "\n".join(growth.page(part))
    assert "| points (n) | P1M, d = 64, k = 1,024 | auto | 0.50 | 0.4" in text
    part["cells"] = [cell for cell in part["cells"] if cell["series"] == "k"]
    from matplotlib.figure import Figure

    figure = Figure()
    growth.plot(part, figure)
    assert [ax.get_title() for ax in figure.axes].count("not measured") == 2


def test_growth_covers_the_ranges_and_shrinks_for_a_trial():
    found = growth.growth_cells()
    spans = {
        name: (min(values), max(values))
        for name in "nkd"
        for values in [[cell[name] for cell in found if cell["series"] == name]]
    }
    assert spans == {"n": (10_000, 10**6), "k": (256, 65_536), "d": (16, 768)}
    few = growth.growth_cells(most_rows=30_000)
    assert {cell["n"] for cell in few} == {10_000, 30_000}
    assert all(cell["k"] <= cell["n"] for cell in few)


# --- distributions, memory -----------------------------------------------------------------------


def test_untuned_data_must_be_neither_slower_nor_worse():
    (cell, *_), made = untuned.untuned_cells(), {}
    assert len({c["data"] for c in untuned.untuned_cells()}) == 5
    for name, seconds, inertia_ in (("auto", 1, 101), ("graph", 2, 90), ("random-25", 1.5, 100)):
        made[name] = {"seconds": [seconds], "inertia": [inertia_], "algorithm": "graph"}
    cell = {**cell, "status": "ok", "results": made, "others_cores": 3.0, "date": "2026"}
    assert untuned.is_kept(cell, "auto") and not untuned.is_kept(cell, "graph")
    made["auto"]["inertia"] = [102]
    assert not untuned.is_kept(cell, "auto")
    text = "\n".join(untuned.page(made_part("untuned", [cell])))
    assert "`auto` in 0 of 1, `graph` in 0 of 1" in text
    assert text.count("**missed**") == 2
    assert "disturbed 100%" in "\n".join(cells.machine_facts(made_part("untuned", [cell])))


def test_memory_is_that_of_one_fit_in_a_fresh_process(tmp_path):
    if machine.PeakMemory().method != "anonymous":
        pytest.skip("the kernel's high-water mark is Linux's own")
    kept = store.Store(tmp_path / "memory.json", "memory", store.settings_of(1, 1, 1))
    cell = cells.make_cell("uniform", 20_000, 10, 50, ["random-3"], series="x", peak=True)
    assert cells.measure_cells([cell], kept, label="memory", progress=False)
    (cell,) = kept.cells.values()
    x_bytes = 20_000 * 10 * 4
    (peak,) = cell["results"]["random-3"]["peak_bytes"]
    # scikit-learn copies the rows to centre them, and keeps labels and distances beside them
    assert 0.9 * x_bytes < peak < 60e6
    text = "\n".join(memory.page(store.read_part(kept.path)))
    assert "| uniform (20,000 × 10), 50 | 1 |" in text and "missed" not in text
    for times, word in ((2, "**missed**"), (1, "kept")):
        facts = {**cell["results"]["random-3"], "peak_bytes": [times * x_bytes]}
        ours = {**cell, "contenders": ["auto"], "results": {"auto": facts}}
        row = memory.page({"cells": [ours]})[-2]
        assert row.startswith("| annlab auto |") and f"| {times}.00 |" in row and word in row
    assert [cell["contenders"] for cell in memory.memory_cells()] == [
        ["auto"], ["graph"], ["random-3"],
    ]  # fmt: skip


# --- targets -------------------------------------------------------------------------------------


def target_case(runs, *, data="P200", k=4096, definition="median of 3 seeds", floor=1.0, **options):
    keys = list(dict.fromkeys(run["peer"] for run in runs))
    (target,) = targets.choose_targets(f"{data}-{k}")
    found = comparison(
        runs,
        [record(key, peers.all_peers()[key].is_ours) for key in keys],
        {"name": data, "n": target.rows},
        n_clusters=k,
        reference={"definition": definition, "inertia": 100.0},
        floors={"gemm_iteration_s": floor} if floor else {},
        options=options,
    )
    return verdicts.judge(found, target)


def ours(seconds, inertia, max_iter=5):
    rung = {"max_iter": max_iter} if max_iter else {"defaults": True}
    return made_run("annlab-auto", 1, rung, seconds, inertia)


def faiss(seconds, inertia):
    return made_run("faiss", 1, {"niter": 9}, seconds, inertia)


def lloyd_runs(seconds=30.0):
    return [
        made_run("sklearn-random", 1, {"max_iter": 5}, seconds / 3, 110.0),
        made_run("sklearn-random", 1, {"max_iter": 12}, seconds, 101.0),
        made_run("sklearn-random", 1, {"max_iter": 25}, 2 * seconds, 99.0),
    ]


def verdict_rows(verdict):
    """Cells of each table's only row."""
    lines = verdicts.verdict_table([verdict])
    starts = [number for number, line in enumerate(lines) if set(line) == set("|- ")]
    for start in starts:
        assert len({line.count("|") for line in lines[start - 1 : start + 2]}) == 1
    return [[cell.strip() for cell in lines[start + 1].split("|")[1:-1]] for start in starts]


def test_a_target_that_is_reached():
    runs = [
        *lloyd_runs(),
        *(ours(0.2, 95.0, max_iter=1), ours(1.0, 85.0), ours(1.5, 84.0, max_iter=0)),
        faiss(6.0, 100.0),
        made_run("superkmeans-flat", 1, {"iters": 3}, 1.0, 120.0),
        made_run("superkmeans-flat", 1, {"iters": 9}, 5.0, 101.0),
    ]
    verdict = target_case(runs)
    assert (verdict.seconds, verdict.quality, verdict.own_s) == (1.0, 0.84, 1.5)
    assert (verdict.faster, verdict.peers_faster) == (30.0, 5.0)
    assert verdict.best_peer == "Superkmeans-Flat"
    questions = ("inertia", "scikit-learn", "other peers", "below the floor")
    assert verdict.reached() == dict.fromkeys(questions, True)
    assert verdict.notes == ()


def test_a_target_that_is_missed_says_by_how_much():
    verdict = target_case([*lloyd_runs(), ours(11.0, 87.0), faiss(6.0, 100.0)])
    assert verdict.seconds == np.inf
    assert verdict.quality == 0.87
    assert set(verdict.reached().values()) == {False}
    assert "Faiss got there in its shortest run already" in verdict.notes
    rows = verdict_rows(verdict)
    assert [row[-1] for row in rows] == ["**missed**"] * 4
    assert [row[1] for row in rows[1:]] == ["not reached"] * 3
    assert rows[0][5] == "0.8700"


def test_each_question_about_a_target_has_a_table_of_its_own():
    mine = [ours(1.0, 86.0), ours(1.8, 83.0, max_iter=9), ours(1.5, 84.0, max_iter=0)]
    theirs = [made_run("faiss", 1, {"niter": 5}, 3.0, 105.0), faiss(4.0, 101.0)]
    verdict = target_case([*lloyd_runs(), *mine, *theirs])
    assert verdict_rows(verdict) == [
        ["P200, 4,096", "0.86 × 25 iterations", "1", "1.5", "0.8400", "0.8300", "reached"],
        ["P200, 4,096", "1", "to 1.01 × 25 iterations", "30", "30", "20", "reached"],
        ["P200, 4,096", "1", "Faiss", "to 1.01 × 25 iterations", "4", "4", "4.5", "**missed**"],
        ["P200, 4,096", "1", "10", "reached"],
    ]
    two = verdicts.verdict_table([verdict, verdict])
    assert len(two) == len(verdicts.verdict_table([verdict])) + 4
    small = target_case([ours(1.0, 86.0)], data="U100", k=10)
    assert [len(row) for row in verdict_rows(small)] == [7, 7]


def test_where_no_peer_gets_there_the_figure_is_a_bound():
    for seconds, reached in ((9.0, True), (2.0, None)):
        runs = [*lloyd_runs(), ours(1.0, 85.0), faiss(seconds, 104.0)]
        verdict = target_case(runs)
        assert verdict.peer_is_bound
        assert verdict.reached()["other peers"] is reached
        assert "no other peer got to 1.01; nearest Faiss, 1.040" in verdict.notes[0]
        assert verdict_rows(verdict)[2][4:6] == [f"≥ {seconds:.3g}"] * 2
    assert "reference: median of 1 seed" in target_case(runs, definition="median of 1 seed").notes
    late = [made_run("sklearn-random", 1, {"max_iter": 12}, 5.0, 103.0)]
    verdict = target_case([*late, ours(1.0, 85.0)], definition="median of 1 seed, at max_iter = 12")
    assert verdict.sklearn_is_bound and verdict.reached()["scikit-learn"] is None
    assert any("did not get there" in note for note in verdict.notes)
    assert any("at max_iter = 12" in note for note in verdict.notes)


def test_nothing_is_said_about_what_was_not_run():
    verdict = target_case(lloyd_runs(), floor=0, turns_left=4)
    assert set(verdict.reached().values()) == {None}
    assert "not finished: 4 turns left" in verdict.notes
    assert "no other peer was run" in verdict.notes
    verdict = target_case([ours(1.0, 80.0, max_iter=1)])
    assert verdict.reached()["inertia"] is True
    assert verdict.reached()["scikit-learn"] is None


def test_the_default_run_of_scikit_learn_is_a_reference_too():
    runs = [
        *lloyd_runs(),
        made_run("sklearn-kmeans++", 1, {"defaults": True}, 100.0, 90.0),
        ours(0.1, 95.0, max_iter=1),
        ours(1.0, 90.8),
        faiss(5.0, 100.0),
    ]
    verdict = target_case(runs, k=1024)
    assert verdict.quality == pytest.approx(90.8 / 90.0)
    assert verdict.faster == 100.0
    assert set(verdict.reached().values()) == {True}
    assert "scikit-learn's default run: one seed" in verdict.notes
    # to the same inertia the better start counts
    runs = [
        made_run("sklearn-random", 1, {"max_iter": 9}, 3.0, 100.0),
        made_run("sklearn-kmeans++", 1, {"max_iter": 9}, 2.0, 99.0),
        made_run("sklearn-kmeans++", 1, {"defaults": True}, 4.0, 100.0),
        ours(0.5, 100.4, max_iter=9),
    ]
    verdict = target_case(runs, data="U100", k=10)
    assert verdict.sklearn_s == 2.0
    assert "scikit-learn's default run takes 4 s, 8 times annlab's" in verdict.notes
    assert verdict.reached() == {"inertia": True, "scikit-learn": False}


def test_an_extrapolated_row_says_so():
    mine = ours(2.0, 78.0)
    first = made_run("sklearn-random", 1, {"max_iter": 1}, 80.0, 110.0)
    third = made_run("sklearn-random", 1, {"max_iter": 3}, 160.0, 100.0)
    verdict = target_case([first, third, mine], data="P1M", k=65536)
    assert verdict.sklearn_s == pytest.approx(160.0 + 2 * 40.0)
    assert verdict.quality == 0.78
    assert verdict.notes[0].startswith(
        "extrapolated: 5 iterations of scikit-learn from 1, 3, at 40"
    )
    alone = target_case([first, mine], data="P1M", k=65536)
    assert alone.sklearn_s == pytest.approx(80.0 + 4 * 40.0)
    fifth = made_run("sklearn-random", 1, {"max_iter": 5}, 250.0, 98.0)
    whole = target_case([first, fifth, mine], data="P1M", k=65536)
    assert whole.sklearn_s == 250.0
    assert whole.notes == ("5 iterations of scikit-learn: one run",)


def test_only_the_full_data_make_a_target(made):
    for n, n_clusters, key in ((100_000, 4, None), (100_000, 10, "U100-10"), (99, 10, None)):
        made.data.update(name="U100", n=n)
        object.__setattr__(made, "n_clusters", n_clusters)
        assert getattr(verdicts.target_of(made), "key", None) == key
    assert "a trial on 99 of 100,000 rows" in verdicts.judge(made, targets.TARGETS[0]).notes


def test_cases_are_chosen_by_name():
    keys = ["U100-10", "U100-100", "P200-1024", "P200-4096", "P200-16384"]
    keys += ["P1M-4096", "P1M-65536", "G500-4096"]
    assert [target.key for target in targets.choose_targets()] == keys
    with pytest.raises(ValueError, match="rows must be among U100-10, "):
        targets.choose_targets("P200,U1")
    for target in targets.TARGETS:
        for ladders in (target.ladders, target.brief):
            assert {"sklearn-random", "annlab-auto"} <= set(ladders) <= set(peers.all_peers())
        if target.peers_faster is not None:
            # nobody who could be the best is left out
            strong = {"faiss", "faiss-super", "superkmeans-flat", "superkmeans-tree"}
            assert strong <= set(target.ladders)
        if target.of == "default":
            assert "sklearn-kmeans++" in {*target.ladders} & {*target.brief}
    # with half an hour for the parts that is at most 90 minutes
    assert sum(target.brief_minutes for target in targets.TARGETS) <= 60


def test_brief_parts_leave_out_what_takes_long():
    for part in page.PARTS:
        every, brief = part.cells(), part.cells(full=False)
        assert [cell for cell in every if cell in brief] == brief
    few = grid.grid_cells(full=False)
    assert 150 < len(few) < 180
    assert max(cell["n"] * cell["k"] * cell["d"] for cell in few) < 2e9
    assert {cell["series"]: cell["k"] for cell in growth.growth_cells(full=False)}["k"] == 65_536


# --- comparisons that go on ----------------------------------------------------------------------


def test_an_interrupted_comparison_goes_on(X, tmp_path, monkeypatch):
    call = {"peers": ["annlab-brute", "deck"], "ladder": {"deck": [2], "annlab-brute": []}}
    call |= {"n_seeds": 2, "n_seeds_annlab": 1, "n_jobs": 1, "progress": False}
    ran = []

    def fake(self, peer, seed, rungs, **more):
        ran.append((peer.key, seed))
        self.runs.extend(made_run(peer.key, seed, rung, 70.0, 9.0) for rung in rungs)

    monkeypatch.setattr(session.Session, "run", fake)
    monkeypatch.setattr(session.Session, "measure_floors", lambda self, s: ({}, machine_record()))
    none = compare(X, 5, stop_after_s=0.0, **call)
    assert (none.runs, none.options["turns_left"], ran) == ([], 3, [])

    def interrupt(found):
        found.save_numbers(tmp_path)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compare(X, 5, checkpoint=interrupt, **call)
    half = Comparison.load(next(tmp_path.glob("*.json")))
    assert half.options["turns_left"] == 2
    assert "Not finished: 2 turns of peers are left." in half.table()
    taken, _ = session_with(monkeypatch, [])
    taken.resume(half)
    assert taken._slow == {("annlab-brute", '{"defaults": true}')}  # took more than 60 s
    whole = compare(X, 5, resume=half, **call)
    assert len(ran) == len(set(ran)) == 3
    assert whole.options["turns_left"] == 0
    # defaults of brute; the deck's rung and defaults with two seeds
    rungs = [json.dumps(run["rung"]) for run in whole.runs]
    assert sorted(rungs) == ['{"defaults": true}'] * 3 + ['{"max_iter": 2}'] * 2
    some = compare(X, 5, resume=whole, **{**call, "peers": ["annlab-brute"]})
    assert some.runs == whole.runs
    assert some.keys() == ["annlab-brute", "deck"]
    assert "the deck's kmeans_ann" in some.table()
    with pytest.raises(ValueError, match="differs in data, ladder"):
        compare(X[:-1], 5, resume=half, **{**call, "ladder": [3]})
    half.options["code"] = {**half.options["code"], "behaviour": "xyz"}
    with pytest.raises(ValueError, match="behaviour xyz, now"):
        compare(X, 5, resume=half, **call)


def test_a_ladder_made_for_a_peer_is_taken_as_it_is():
    plus = peers.all_peers()["sklearn-kmeans++"]
    assert plus.steps((1, 2, 5)) == (1, 5)
    expected = [{"max_iter": 2}, {"max_iter": 3}, {"defaults": True}]
    assert running._with_reference(plus, (2, 3)) == expected


# --- the page ------------------------------------------------------------------------------------


def test_the_page_names_what_is_missing(made, tmp_path):
    made.save(tmp_path)
    text = page.write_page(tmp_path).read_text(encoding="utf-8")
    assert "## Missing" in text
    for words in ("U100-10, U100-100, P200-1024", "--grid`): not run", "--growth`): not run"):
        assert words in text
    assert "What was to be reached" not in text
    assert "floor: matrix products of 10 exact iterations* | – | 2e-07 |" in text

    part = store.Store(tmp_path / "grid.json", "grid", store.settings_of(2, 5, 7))
    part.add(made_cell())
    part.add({"key": "x", "status": "failed: y"})
    for name in ("growth", "untuned"):
        nothing = store.Store(tmp_path / f"{name}.json", name, store.settings_of(2, 5, 7))
        nothing.add({"key": name, "status": "failed: it broke"})
    text = page.write_page(tmp_path).read_text(encoding="utf-8")
    assert "--grid`): 179 of 180 cells" in text
    assert "random_state=7" in text
    for reason in ("x (failed: y)", "growth (failed: it broke)", "untuned (failed: it broke)"):
        assert f"Not measured: {reason}." in text
    assert "![Never slower](grid.png)" in text
    assert (tmp_path / "grid.png").read_bytes().startswith(b"\x89PNG")
    for name in ("processor", "system", "date"):
        assert str(made.machine[name]) in text
    assert made.machine["versions"]["scikit-learn"] in text


def test_figures_of_other_behaviour_are_not_on_the_page(made, tmp_path):
    other = store.Store(tmp_path / "grid.json", "grid", store.settings_of(2, 3, 7))
    other.settings["code"] = {**other.settings["code"], "behaviour": "xyz"}
    other.machine["date"] = "2020"
    other.add(made_cell())
    made.save(tmp_path)
    text = page.write_page(tmp_path).read_text(encoding="utf-8")
    now = behaviour.behaviour()
    said = f"grid.json: measured with fits of behaviour xyz, the others with {now}"
    assert said in text and "## Never slower" not in text and "## made" in text


def test_the_whole_page(made, tmp_path):
    made.data.update(name="U100", n=100_000)
    made.save(tmp_path, "other")
    object.__setattr__(made, "n_clusters", 10)
    made.save(tmp_path)
    for name, found in (("growth", growth_part()["cells"]), ("grid", [made_cell()])):
        part = store.Store(tmp_path / f"{name}.json", name, store.settings_of(2, 5, 7))
        for cell in found:
            part.add(cell)
    text = page.write_page(tmp_path).read_text(encoding="utf-8")
    assert "| U100, 10 | 1.005 × its default | – |" in text
    assert "U100-100, P200-1024" in text and "U100-10," not in text
    assert "--growth`)" not in text
    assert (tmp_path / "growth.png").exists()


def test_the_command_measures_a_part_and_goes_on(tmp_path, capsys, monkeypatch):
    words = ["bench", "--grid", "--data", "uniform", "--clusters", "2", "10", "--max-rows", "1000"]
    words += ["--seeds", "2", "--threads", "1", "--out", str(tmp_path)]
    few = replace(page.PARTS[0], cells=partial(grid.grid_cells, d=[2]))
    monkeypatch.setattr(command, "PARTS", [few, *page.PARTS[1:]])
    assert main([*words, "--budget", "1e-9"]) == 1
    assert main(words) == 0
    first = (tmp_path / "grid.json").read_bytes()
    printed = capsys.readouterr()
    assert "of 2 cells are in the rule" in printed.out
    assert "2 of 2 cells" in printed.err
    assert main(words) == 0
    assert (tmp_path / "grid.json").read_bytes() == first
    assert "2 of 2 cells are measured already" in capsys.readouterr().err
    assert main([*words, "--seeds", "1"]) == 2
    assert "differs in repeats" in capsys.readouterr().err
    found = store.read_part(tmp_path / "grid.json")
    assert found["settings"]["random_state"] == command.FRESH
    X = workloads.make_rows("uniform", 1000, 2, random_state=command.FRESH)
    for cell in found["cells"]:
        seeds = cells.fresh_seeds(command.FRESH, cell["key"], 2)
        models = [KMeans(cell["k"], n_init=1, random_state=seed).fit(X) for seed in seeds]
        ours = [kmeans_ann(X, cell["k"], random_state=seed).inertia for seed in seeds]
        results = cell["results"]
        assert results["default"]["inertia"] == pytest.approx(
            [m.inertia_ for m in models], rel=1e-4
        )
        assert results["auto"]["inertia"] == pytest.approx(ours, rel=1e-5)
        assert results["auto"]["algorithm"] == "small_k"


# --- what the command tells ----------------------------------------------------------------------


@pytest.fixture
def compared(made, monkeypatch):
    """Comparisons come from nowhere; the list holds what was asked for."""
    asked = []

    def fake(options, folder, data, n_clusters, **settings):
        asked.append({"k": n_clusters, "data": data, **settings})
        found = copy.deepcopy(made)
        found.data.update(name=data if isinstance(data, str) else data[0])
        object.__setattr__(found, "n_clusters", n_clusters)
        found.options["turns_left"] = 0
        if n_clusters == 100:
            # nobody got through, and there was more to do
            found.runs.clear()
            found.options["turns_left"] = 2
        return found

    monkeypatch.setattr(command, "_compare", fake)
    return asked


def test_a_case_without_a_result_is_told_by_the_status(compared, tmp_path, capsys):
    words = ["bench", "--quick", "--data", "U100", "--out", str(tmp_path), "--clusters"]
    assert main([*words, "4", "100"]) == 1
    printed = capsys.readouterr()
    assert printed.err == "No peer finished on U100 with k = 100.\n"
    assert (tmp_path / "U100_k4.json").exists() and not (tmp_path / "U100_k100.json").exists()
    assert [(case["k"], case["resume"]) for case in compared] == [(4, False), (100, False)]
    assert main([*words, "4"]) == 0
    compared.clear()
    assert main([*words, "4", "--budget", "1e-12"]) == 1
    assert "No time left for U100 with k = 4." in capsys.readouterr().err
    assert compared == []


def test_targets_are_run_one_after_the_other(compared, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(command, "load_benchmark_data", lambda name, n: (name, n))
    words = ["bench", "--targets", "--max-rows", "500", "--out", str(tmp_path)]
    assert main([*words, "--rows", "U100-10,P200-1024", "--silent"]) == 1
    printed = capsys.readouterr()
    assert printed.err == "P200-1024: more clusters than 500 rows\n"
    (case,) = compared
    assert (case["data"], case["k"], case["resume"]) == (("U100", 500), 10, True)
    assert case["run_limit_s"] == targets.RUN_LIMIT_S and case["random_state"] == command.FRESH
    assert printed.out.count("| U100, 10 | 1.005 × its default |") == 1
    compared.clear()
    # the second case is not finished; of the first alone there is a verdict
    assert main([*words, "--rows", "U100-10,U100-100", "--run-limit", "9"]) == 1
    printed = capsys.readouterr()
    assert "Case 2 of 2, U100-100: about" in printed.err
    assert printed.out.count("| U100, 10 | 1.005 × its default |") == 1
    assert [case["n_seeds"] for case in compared] == [1, 1]
    assert (tmp_path / "U100_k10.json").exists() and not (tmp_path / "U100_k100.json").exists()
    # two verdicts are told one by one, and together at the end
    assert main(["bench", "--targets", "--out", str(tmp_path), "--rows", "U100-10,P200-1024"]) == 0
    out = capsys.readouterr().out
    assert out.count("| U100, 10 | 1.005 ×") == out.count("| P200, 1,024 | 1.01 ×") == 2


UNTUNED = ["--untuned", "--max-rows", "5000", "--data", "heavy tails", "--clusters", "100"]


@pytest.mark.parametrize(
    "words", [["--growth"], ["--growth", "--full", "--max-rows", "30000"], UNTUNED]
)
def test_each_part_measures_its_own_cells(words, tmp_path, monkeypatch):
    measured = []

    def fake(wanted, kept, *, label, progress, **more):
        measured.append((label, kept.settings["repeats"], progress))
        measured.extend(wanted)
        return True

    monkeypatch.setattr(command, "measure_cells", fake)
    assert main(["bench", *words, "--silent", "--out", str(tmp_path)]) == 0
    assert measured.pop(0) == (words[0].removeprefix("--"), 3, False)
    if words == UNTUNED:
        assert {(cell["data"], cell["k"]) for cell in measured} == {("heavy tails", 100)}
        assert measured and all(cell["n"] <= 5000 for cell in measured)
    else:
        wanted = {"full": False} if len(words) == 1 else {"most_rows": 30_000}
        assert measured == growth.growth_cells(**wanted)
    assert main(["bench", *words, "--data", "nowhere", "--out", str(tmp_path)]) == 2


def untuned_cell(data, seconds, inertias, k=10):
    results = {
        name: {"seconds": [s], "inertia": [i], "algorithm": "graph"}
        for name, s, i in zip(untuned.CONTENDERS, seconds, inertias, strict=True)
    }
    cell = cells.make_cell(data, 1000, 2, k, untuned.CONTENDERS)
    return {**cell, "status": "ok", "results": results, "others_cores": 0.0, "date": "2026"}


def test_untuned_data_are_drawn_by_speed_and_quality():
    from matplotlib.figure import Figure

    found = [
        untuned_cell("heavy tails", (1.0, 2.0, 4.0), (101.0, 120.0, 100.0)),
        untuned_cell("heavy tails", (2.0, 8.0, 4.0), (90.0, 100.0, 100.0), k=20),
        untuned_cell("docstrings", (1.0, 1.0, 3.0), (5.0, 0.0, 0.0)),
    ]
    figure = Figure()
    untuned.plot(made_part("untuned", found), figure)
    (ax,) = figure.axes
    drawn = {line.get_label(): line for line in ax.lines if not line.get_label().startswith("_")}
    assert len(drawn) == 2 * 2
    auto = drawn["heavy tails, auto"]
    assert auto.get_xdata() == pytest.approx([4.0, 2.0])
    assert auto.get_ydata() == pytest.approx([1.01, 0.9])
    graph = drawn["heavy tails, graph"]
    assert graph.get_xdata() == pytest.approx([2.0, 0.5])
    assert graph.get_ydata() == pytest.approx([1.2, 1.0])
    assert auto.get_fillstyle() == "full" and graph.get_fillstyle() == "none"
    assert auto.get_color() != drawn["docstrings, auto"].get_color()
    # a ratio to nothing is no number, and does not stretch the picture
    low, high = ax.get_ylim()
    assert (low, high) == pytest.approx((0.88, 1.22))
    figure = Figure()
    nothing = untuned_cell("docstrings", (1.0, 1.0, 3.0), (5.0, 5.0, 0.0))
    untuned.plot(made_part("untuned", [nothing]), figure)
    assert np.isfinite(figure.axes[0].get_ylim()).all()


def test_the_map_of_the_grid_has_a_panel_for_each_size_and_data_set():
    from matplotlib.figure import Figure

    found = [
        made_cell(data="uniform", n=1000),
        made_cell(data="uniform", n=2000, k=20),
        made_cell(data="blobs", n=1000, inertias=(2.0, 1.0)),
        made_cell(data="mine", n=1000, theirs=(1.0,)),
    ]
    part = made_part("grid", found)
    figure = Figure()
    grid.plot(part, figure)
    panels = {ax.get_title(): ax for ax in figure.axes if ax.get_title()}
    # known data in their order, then the others
    order = [name for name in grid.DATA if name in ("uniform", "blobs")] + ["mine"]
    assert [title.partition(",")[0] for title in panels][::2] == order
    assert {title: [text.get_text() for text in ax.texts] for title, ax in panels.items()} == {
        "uniform, n = 1,000": ["0.5\n1.000"],
        "uniform, n = 2,000": ["0.5\n1.000"],
        "blobs, n = 1,000": ["0.5\n2.000 Q"],
        "blobs, n = 2,000": [],
        "mine, n = 1,000": ["0.01\n1.000"],
        "mine, n = 2,000": [],
    }
    assert [title for title, ax in panels.items() if ax.patches] == ["blobs, n = 1,000"]
    # labels are written at the outer panels alone
    assert all(bool(ax.get_xlabel()) == ("mine" in title) for title, ax in panels.items())
    assert all(bool(ax.get_ylabel()) == ("1,000" in title) for title, ax in panels.items())
    text = grid.page(part)
    worst = text[text.index("The worst inertia:") :]
    assert sum(found[2]["key"] in line for line in worst) == 1
    assert not any(found[0]["key"] in line for line in worst)
    assert "The worst inertia:" not in grid.page(made_part("grid", found[:2]))


# --- processes that misbehave ---------------------------------------------------------------------


def test_a_process_that_dies_says_why(tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text(
        "import os\nos.write(2, b'first word\\nlast word')\nos._exit(3)\n", encoding="utf-8"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with Child({"task": "floors", "filler": "x" * 1_000_000}, 1) as child:
        answer = child.answer(60.0)
    reason = "the process ended with status 3: last word"
    assert answer == {"event": "end", "reason": reason}


def session_with(monkeypatch, answers, limit=5.0, **more):
    """A session whose processes give the listed answers, a list for each process."""

    class Scripted:
        jobs: ClassVar[list] = []
        closed: ClassVar[list] = []

        def __init__(self, job, threads):
            self.jobs.append(job)
            self.lines = iter(answers[len(self.jobs) - 1])

        def answer(self, limit_s):
            return dict(next(self.lines))

        def __enter__(self):
            return self

        def __exit__(self, *exc):
            self.closed.append(True)

    monkeypatch.setattr(session, "Child", Scripted)
    limits = session.Limits(limit, **{"deadline": time.perf_counter() + 3600, **more})
    rows = np.zeros((4, 2), np.float32)
    return session.Session(rows, 2, 1, limits, [record("deck")]), Scripted


def test_rungs_are_skipped_failed_and_given_up_each_in_its_own_way(monkeypatch):
    deck = peers.all_peers()["deck"]
    rungs = [{"max_iter": 1}, {"max_iter": 2}, {"defaults": True}]
    ready = {"event": "ready", "prepare_s": 1.5}
    one, child = session_with(
        monkeypatch,
        [
            [ready, {"event": "skip", "rung": 0, "reason": CONVERGED}, {"event": "end"}],
            [ready, {"event": "end", "reason": "killed"}],
            [ready, {"event": "begin", "rung": 0}, {"event": "timeout"}],
            [ready, {"event": "begin", "rung": 2}, {"event": "end", "reason": "out of memory"}],
        ],
    )
    one.run(deck, 1, rungs, turns_left=4)
    said = "failed: it ended without an answer"
    assert [run["status"] for run in one.runs] == [CONVERGED, said, said]
    assert one.records["deck"] | {"prepare_s": 1.5, "left_out": said} == one.records["deck"]
    one.runs.clear()
    # the first reason is the one that the page names
    one.run(deck, 2, rungs, turns_left=3)
    assert {run["status"] for run in one.runs} == {"failed: killed"}
    assert one.records["deck"]["left_out"] == said
    one.runs.clear()
    # dearer rungs of the same knob fall with the slow one, the defaults get a process of their own
    one.run(deck, 3, rungs, turns_left=2)
    slow = f"{TOO_SLOW}: ended after 5 s"
    assert [run["status"] for run in one.runs] == [slow, slow, "failed: out of memory"]
    assert [rung["settings"] for rung in child.jobs[3]["rungs"]] == [{"defaults": True}]
    assert one._slow == {("deck", json.dumps(rung)) for rung in rungs[:2]}
    assert len(child.closed) == len(child.jobs) == 4
    # another one that takes this one up does not try the slow ones again either
    other, child = session_with(monkeypatch, [[ready, {"event": "end", "reason": "again"}]])
    found = Comparison({}, 2, 1, {}, [record("deck")], one.runs, {}, {})
    other.resume(found)
    other.run(deck, 4, rungs, turns_left=1)
    assert [run["status"] for run in other.runs[-3:]] == [ONCE, ONCE, "failed: again"]


def test_a_rung_found_too_slow_is_not_tried_with_another_seed(monkeypatch):
    deck = peers.all_peers()["deck"]
    rungs = [{"max_iter": 1}, {"max_iter": 25}]
    ready = {"event": "ready", "prepare_s": 1.0}
    run = {"event": "run", "rung": 0, "seconds": 90.0, "others_cores": 0.0}
    too_slow = {"event": "skip", "rung": 1, "reason": f"{TOO_SLOW}: about 2250 s expected"}
    one, child = session_with(
        monkeypatch, [[ready, {"event": "begin", "rung": 0}, run, too_slow, {"event": "done"}]]
    )
    one.run(deck, 1, rungs, turns_left=2)
    one.run(deck, 2, rungs, turns_left=1)
    # without its shorter rungs the second process could not have foreseen how long it takes
    assert [run["status"] for run in one.runs] == ["ok", too_slow["reason"], ONCE, ONCE]
    assert len(child.jobs) == 1


def test_a_turn_whose_time_is_over_marks_no_rung_as_slow(monkeypatch):
    deck = peers.all_peers()["deck"]
    clock = [0.0]

    def late():
        yield {"event": "begin", "rung": 0}
        clock[0] = 101.0
        yield {"event": "timeout"}

    one, child = session_with(monkeypatch, [late()], deadline=100.0)
    monkeypatch.setattr(session, "perf_counter", lambda: clock[0])
    for seed in (1, 2):  # the second turn begins nothing
        one.run(deck, seed, [{"max_iter": 1}, {"defaults": True}], turns_left=1)
    assert [run["status"] for run in one.runs] == [OUT_OF_TIME] * 4
    assert one._slow == set() and len(child.jobs) == 1


def test_without_an_answer_there_are_no_floors(monkeypatch):
    one, child = session_with(monkeypatch, [[{"event": "timeout"}]])
    floors, about = one.measure_floors(0.1)
    assert floors == {} and about["processor"] == machine_record()["processor"]
    assert child.closed == [True]
    one, _ = session_with(
        monkeypatch, [[{"event": "floors", "floors": {"a": 1.0}, "machine": {"b": 2}}]]
    )
    assert one.measure_floors(0.1) == ({"a": 1.0}, {"b": 2})

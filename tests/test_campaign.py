"""``annlab bench``: peers, processes, parts and pages. No test asserts a time."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from scipy.stats import linregress, t
from sklearn.cluster import KMeans

from annlab import kmeans, kmeans_ann
from annlab.benchmarks import Comparison, compare, machine, machine_record
from annlab.benchmarks.campaign import (
    behaviour,
    cells,
    child,
    command,
    grid,
    growth,
    memory,
    page,
    peers,
    running,
    store,
    targets,
    untuned,
    verdicts,
    workloads,
)
from annlab.benchmarks.campaign.measured import (
    CONVERGED,
    ONCE,
    OUT_OF_TIME,
    TOO_SLOW,
    reference_of,
)
from annlab.cli import main
from annlab.datasets import Dataset
from annlab.metrics import inertia

STORED = Path(__file__).resolve().parent.parent / "data" / "benchmarks"


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
    json.dumps([rungs, peer.settings])
    for rung in {tuple(rung): rung for rung in rungs}.values():
        labels, centroids, n_iter = peer.run(X, 7, rung, 1, 1)[:3]
        assert np.shape(labels) == (500,) and centroids.shape == (7, 32)
        assert labels.min() >= 0 and labels.max() < 7
        assert n_iter is None or n_iter >= 1
        spread = ((X - X.mean(axis=0)) ** 2).sum()
        assert 0 < inertia(X, labels, centroids) < 0.98 * spread


@pytest.mark.parametrize("key", ["faiss", "faiss-super", "superkmeans-flat"])
def test_no_peer_samples_the_rows(key):
    # faiss and superkmeans sample 256 points per cluster by default
    X = np.random.RandomState(0).rand(4000, 32).astype(np.float32)
    labels = np.zeros(4000, dtype=int)
    expected = inertia(X, labels, X.astype(float).mean(axis=0, keepdims=True))
    peer = peers.all_peers()[key]
    if peer.missing():
        pytest.skip(peer.missing())
    centroids = peer.run(X, 1, {peer.knob: 2}, 0, 1).centroids
    assert inertia(X, labels, centroids) == pytest.approx(expected, rel=1e-6)


def test_missing_peers_say_why(monkeypatch):
    peer = peers.Peer("x", "x", "json:NoSuchThing", None)
    assert peer.missing() == "the installed 'json' has no NoSuchThing"
    peer = peers.Peer("x", "x", "json", None, min_features=32)
    assert peer.missing(31) == "it needs at least 32 features" and peer.missing(32) == ""
    monkeypatch.setattr(peers.importlib.util, "find_spec", lambda name: None)
    assert peers.all_peers()["faiss"].missing() == "the package 'faiss' is not installed"


def test_peers_are_chosen_by_key():
    keys = [peer.key for peer in peers.choose_peers()]
    assert keys[0] == "sklearn-random"
    assert {"annlab-auto", "annlab-brute", "annlab-hnsw", "deck"} <= set(keys)
    assert "annlab-lsh" not in keys
    assert [p.key for p in peers.choose_peers("annlab-lsh")] == ["annlab-lsh"]
    assert [p.key for p in peers.choose_peers(["deck", "deck"])] == ["deck"]
    with pytest.raises(ValueError, match="peers must be one of sklearn-random"):
        peers.choose_peers(["sklearn"])


# --- the process ---------------------------------------------------------------------------------


@pytest.fixture
def process(X):
    with child.stored(X) as path:
        made = child.Child(path, 1)
        yield made
        made.close()


REQUEST = {"task": "fit", "k": 5, "seed": 0, "ladder": True, "peak": True}


def test_a_process_fits_and_survives_errors_of_a_library(process, X):
    run = process.ask(60.0, peer="annlab-brute", rung={"max_iter": 3}, **REQUEST)
    expected = kmeans(X, 5, 3, init="random", tol=0, random_state=0)
    assert run["inertia"] == pytest.approx(expected.inertia, rel=1e-6)
    assert (run["n_iter"], run["n_used"], run["algorithm"]) == (3, 5, "brute")
    assert run["seconds"] == np.median(run["repeats_s"]) and len(run["repeats_s"]) == 5
    assert run["peak_bytes"] is None or run["peak_bytes"] >= 0
    failed = process.ask(60.0, peer="sklearn-bisecting", rung={"max_iter": 0}, **REQUEST)
    assert failed["error"].startswith("InvalidParameterError")
    floors = process.ask(60.0, task="floors", k=5, seconds=0.01)
    assert floors["floors"]["gemm_flops"] > 0
    blas = [one for one in floors["machine"]["libraries"] if one["api"] == "blas"]
    assert all(one["threads"] == 1 for one in blas)


def test_a_process_that_takes_too_long_is_given_up(process, monkeypatch):
    monkeypatch.setattr(child, "SLACK_S", -60.0)
    with pytest.raises(TimeoutError, match="no answer in"):
        process.ask(0.1, peer="deck", rung={"max_iter": 3}, **REQUEST)


def test_a_process_that_dies_says_why(tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text(
        "import os\nos.write(2, b'first word\\nlast word')\nos._exit(3)\n", encoding="utf-8"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    dead = child.Child(tmp_path / "none.npy", 1)
    with pytest.raises(child.ChildEnded, match="ended with status 3: last word"):
        dead.ask(60.0, task="floors", filler="x" * 1_000_000)
    dead.close()


def test_only_the_first_quick_run_of_a_ladder_is_a_warm_up(monkeypatch, X):
    clock, took = [0.0], [5.0, 0.3, 0.3, 0.1, 0.2, 3.0]

    class Spy:
        def run(self, *call):
            clock[0] += took.pop(0)
            return peers.Answer(np.zeros(len(X), int), np.zeros((5, 6)), None, "spy")

    monkeypatch.setattr(child, "all_peers", lambda: {"quick": Spy(), "slow": Spy()})
    monkeypatch.setattr(child, "perf_counter", lambda: clock[0])
    server = child._Server(X, 1)
    fit = partial(server.fit, k=5, rung={}, seed=0, ladder=True, peak=False)
    # a few rows prepare; then the first time does not count, and quick runs are repeated
    assert fit("quick")["repeats_s"] == pytest.approx([0.3])
    assert fit("quick")["repeats_s"] == pytest.approx([0.1, 0.2])
    assert took == [3.0]
    took[:] = [0.0, 3.0]
    assert fit("slow")["repeats_s"] == pytest.approx([3.0])


# --- a comparison by hand ------------------------------------------------------------------------


def record(key, left_out=""):
    about = {"key": key, "label": key.title(), "settings": {"tol": 0.0}, "knob": "max_iter"}
    is_ours = key.startswith("annlab-")
    return {**about, "is_ours": is_ours, "prepare_s": 0.1, "left_out": left_out}


def made_run(peer, seed, rung, seconds, inertia, **other):
    run = {"peer": peer, "seed": seed, "rung": rung, "seconds": seconds, "inertia": inertia}
    facts = {"n_iter": 1, "status": "ok", "peak_bytes": 2_000_000, "others_cores": 0.0}
    return {**run, **facts, **other}


def comparison(runs, records, data, n_clusters, **more):
    """Return a made-up comparison with two threads on this machine."""
    given = {
        "data": {"d": 5, "description": "Made by hand.", **data},
        "threads": 2,
        "reference": {"definition": "by hand", "inertia": 100.0},
        "floors": {},
        "machine": machine_record(),
        "options": {"code": behaviour.code_facts()},
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
        [record("peer"), record("annlab-x"), record("gone", left_out="not there")],
        {"name": "made", "n": 100},
        n_clusters=4,
        floors=floors,
        options={"run_limit_s": 9.0, "code": behaviour.code_facts(), "turns": [["peer", 1, 3]]},
    )


def test_time_to_quality_is_interpolated_for_peers_alone(made):
    # seed 1: half way from 1 s to 3 s; seed 2: (130 - 110) / 25 of the way; seed 3: its first rung
    times = sorted([2.0, 2.0 + 2.0 * 20 / 25, 2.0])
    assert made.time_to("peer", 1.1) == pytest.approx(np.median(times))
    assert made.time_to("annlab-x", 1.1) == 1.5
    assert made.time_to("annlab-x", 1.3) == 0.5


def test_a_quality_that_the_median_seed_misses_takes_infinitely_long(made):
    assert made.time_to("peer", 1.0) == np.inf
    assert made.time_to("peer", 1.05) < np.inf
    assert made.time_to("gone", 2.0) == np.inf
    with pytest.raises(ValueError, match="ratio"):
        made.time_to("peer", 0)
    with pytest.raises(ValueError, match="key must be one of peer, annlab-x, gone"):
        made.time_to("nobody", 1)


def test_a_seed_without_long_runs_is_not_a_failure(made):
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
    assert repr(made).startswith("Comparison on made: 100 points, 5 features, 4 clusters, 2 peers")


def test_the_page_of_a_comparison_is_complete(made):
    text = made.table()
    for words in (
        "| Peer | 1.025 |",
        "2.5, 0.800",  # annlab's own defaults
        "Gone: tol=0.0; left out: not there",
        "Runs past the limit of 9 s: Peer (1).",
        "Other processes disturbed 12% of the runs",
        "Not finished: 1 turns of peers are left.",
        "ten of them 2e-07 s",
        "GFLOP/s",
        "GB/s",
    ):
        assert words in text
    assert CONVERGED not in text


def test_a_comparison_survives_its_files(made, tmp_path):
    files = made.save(tmp_path / "deep" / "er")
    assert [file.name for file in files] == ["made_k4.jsonl", "made_k4.md", "made_k4.png"]
    assert files[2].read_bytes().startswith(b"\x89PNG")
    again = Comparison.load(files[0])
    # the reference is computed from the runs
    assert replace(again, reference=made.reference).__dict__ == made.__dict__
    assert replace(again, reference=made.reference).table() == "#" + files[1].read_text()
    assert again.table().startswith("## made")


def test_damaged_files_are_refused(tmp_path):
    file = tmp_path / "x.jsonl"
    head = '{"format": 3, "part": "comparison", "settings": {}}\n'
    for text in ("{", "[]", '{"format": 99}', '{"format": 3, "part": 3}', head + '{"kind": 1}\n'):
        file.write_text(text)
        with pytest.raises(ValueError, match=r"path must be a \.jsonl file"):
            Comparison.load(file)
    file.write_text(head)
    with pytest.raises(ValueError, match=r"a \.jsonl file of a comparison"):
        Comparison.load(file)
    with pytest.raises(ValueError, match="folder"):
        page.write_page(tmp_path / "nowhere")


def test_the_reference_says_how_it_was_found():
    at = [
        made_run("sklearn-random", 1, {"max_iter": 25}, 1, 10.0),
        made_run("sklearn-random", 2, {"max_iter": 25}, 1, 30.0),
        made_run("sklearn-random", 2, {"max_iter": 100}, 1, 5.0),
    ]
    assert reference_of(at) == {"definition": "median of 2 seeds", "inertia": 20.0}
    early = [made_run("sklearn-random", 1, {"max_iter": 7}, 1, 10.0)]
    assert "at max_iter = 7" in reference_of(early)["definition"]
    spared = made_run("sklearn-random", 2, {"max_iter": 25}, None, None, status=ONCE)
    seventh = made_run("sklearn-random", 2, {"max_iter": 7}, 1, 30.0)
    one_seed = {"definition": "median of 1 seed", "inertia": 10.0}
    assert reference_of([at[0], seventh, spared]) == one_seed
    converged = {**spared, "status": CONVERGED}
    assert reference_of([at[0], seventh, converged])["inertia"] == 20.0
    assert reference_of([early[0], seventh, spared])["inertia"] == 10.0
    assert reference_of([seventh, spared])["inertia"] == 30.0
    other = [made_run("faiss", 1, {"niter": 7}, 1, 8.0), faiss(1, 7.0)]
    assert reference_of(other)["inertia"] == 7.0
    assert "not run" in reference_of(other)["definition"]


# --- running a comparison ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small():
    X = np.random.RandomState(0).rand(500, 4)
    call = {"peers": ["sklearn-random", "annlab-brute"], "ladder": [1, 4], "quick": True}
    return X, compare(X, 5, n_seeds=2, n_seeds_annlab=1, n_jobs=1, progress=False, **call)


def test_peers_run_with_their_seeds_and_rungs(small):
    _, result = small
    assert result.keys() == ["sklearn-random", "annlab-brute"]
    seeds = result.options["seeds"]
    done = {(run["peer"], run["seed"]) for run in result.runs}
    pairs = [("sklearn-random", 0), ("sklearn-random", 1), ("annlab-brute", 0)]
    assert done == {(peer, seeds[number]) for peer, number in pairs}
    steps = [r["rung"]["max_iter"] for r in result.runs if r["peer"] == "sklearn-random"]
    assert sorted(set(steps)) == [1, 4, 25]  # the reference's rung is always there
    assert result.turns_left() == 0 and result.threads == 1
    assert result.floors["gemm_flops"] > 0


def test_quality_is_that_of_the_peer_itself(small):
    X, result = small
    X = X.astype(np.float32)
    for run in result.runs:
        if run["peer"] == "sklearn-random" and run["status"] == "ok":
            start = {"init": "random", "n_init": 1, "random_state": run["seed"]}
            model = KMeans(5, tol=0, max_iter=run["rung"]["max_iter"], **start).fit(X)
            assert run["inertia"] == pytest.approx(model.inertia_, rel=1e-5)
            assert run["n_iter"] == model.n_iter_


def test_peers_take_turns():
    able = peers.choose_peers(["sklearn-random", "deck", "annlab-brute"])
    ladders = {peer.key: [1] for peer in able}
    turns = running._turns(able, ladders, [7, 8, 9], {False: 2, True: 3})
    assert [(peer.key, seed) for peer, seed, _ in turns] == [
        ("sklearn-random", 7),
        ("deck", 7),
        ("annlab-brute", 7),
        ("deck", 8),
        ("annlab-brute", 8),
        ("sklearn-random", 8),
        ("annlab-brute", 9),
    ]
    assert turns[0][2] == [{"max_iter": 1}, {"max_iter": 25}]


def test_given_ladders_are_used_unchanged():
    plus = [peers.all_peers()["sklearn-kmeans++"]]
    assert running._ladders(plus, None, (1, 2, 5)) == {"sklearn-kmeans++": [1, 5]}
    assert running._ladders(plus, [3, 2, 25], (1,)) == {"sklearn-kmeans++": [25]}
    own = running._ladders(plus, {"sklearn-kmeans++": [3, 2]}, (1,))
    assert own == {"sklearn-kmeans++": [2, 3]}


def test_expected_time_is_linear_in_the_iterations():
    assert running.expected_s([], 5) == 0
    assert running.expected_s([(1, 4.0)], 10) == 4.0
    assert running.expected_s([(1, 4.0), (2, 4.5)], 10) == pytest.approx(8.5)
    assert running.expected_s([(1, 4.0), (2, 3.0)], 10) == 3.0


class FakeChild:
    """Answers at once, or by `script`: an answer or exception for each request."""

    requests: ClassVar[list[dict[str, Any]]] = []
    script: ClassVar[list[Any]] = []
    started: ClassVar[int] = 0

    def __init__(self, rows, threads):
        FakeChild.started += 1

    def ask(self, limit_s, ends=None, **request):
        self.requests.append(request)
        answer = self.script.pop(0) if self.script else {}
        if isinstance(answer, BaseException):
            raise answer
        facts = {"seconds": 0.01, "inertia": 9.0, "n_iter": None, "algorithm": "small_k"}
        facts |= {"peak_bytes": None, "others_cores": 0.0, "prepare_s": 0.5}
        return answer if "error" in answer else {**facts, **answer}

    def close(self):
        pass


@pytest.fixture
def fake_child(monkeypatch):
    for module in (cells, running):
        monkeypatch.setattr(module, "Child", FakeChild)
    monkeypatch.setattr(running, "_floors", lambda *call: {"floors": {}})
    FakeChild.requests, FakeChild.script, FakeChild.started = [], [], 0
    return FakeChild


DECK = {"peers": ["deck"], "ladder": [1, 25], "n_seeds": 2, "n_jobs": 1, "progress": False}


@pytest.mark.parametrize(
    ("script", "statuses", "n_processes"),
    [
        # more expensive rungs are too slow as well; the defaults get their own process
        ([TimeoutError()], [f"{TOO_SLOW}: ended after 600 s"] * 2 + ["ok"], 2),
        ([child.ChildEnded("killed")], ["failed: killed"] * 3, 1),
        ([{"error": "ValueError: no"}], ["failed: ValueError: no", "ok", "ok"], 1),
        ([{"n_iter": 1}, {"n_iter": 9}], ["ok", CONVERGED, "ok"], 1),
        ([{"seconds": 700.0}], ["ok", f"{TOO_SLOW}: about 700 s expected, 600 s allowed", "ok"], 1),
    ],
    ids=["slow", "dead", "refused", "converged", "expected"],
)
def test_rungs_without_a_time_have_a_reason(X, fake_child, script, statuses, n_processes):
    if statuses[1] == CONVERGED:
        script = [{"n_iter": 0}]
    fake_child.script[:] = script
    result = compare(X, 5, **{**DECK, "n_seeds": 1})
    assert [run["status"] for run in result.runs] == statuses
    assert fake_child.started == n_processes
    left_out = statuses[0] if "ok" not in statuses else ""
    assert result.peer("deck")["left_out"] == left_out
    assert result.peer("deck")["prepare_s"] == (None if left_out else 0.5)


def test_slow_rungs_are_not_repeated_with_another_seed(X, fake_child):
    fake_child.script[:] = [{"seconds": 90.0}, TimeoutError()]
    result = compare(X, 5, **DECK)
    slow = f"{TOO_SLOW}: ended after 600 s"
    assert [run["status"] for run in result.runs] == ["ok", slow, "ok", ONCE, ONCE, "ok"]


def test_turns_stop_at_the_end_of_a_budget(X, fake_child, monkeypatch, tmp_path):
    path = tmp_path / "x.jsonl"
    none = compare(X, 5, **DECK, budget_s=0.0, path=path)
    assert none.runs == [] and none.turns_left() == 2 and fake_child.requests == []
    now = [0.0]
    monkeypatch.setattr(running, "perf_counter", lambda: now[0])

    def late(self, limit_s, **request):
        now[0] += 101.0
        raise TimeoutError

    ask, FakeChild.ask = FakeChild.ask, late
    try:
        half = compare(X, 5, **DECK, budget_s=100.0, path=path)
    finally:
        FakeChild.ask = ask
    # nothing is called slow for that
    assert {run["status"] for run in half.runs} == {OUT_OF_TIME} and half.turns_left() == 2
    whole = compare(X, 5, **DECK, path=path)
    assert {run["status"] for run in whole.runs} == {"ok"} and whole.turns_left() == 0


def test_an_interrupted_comparison_resumes_from_its_file(X, fake_child, tmp_path, capsys):
    path = tmp_path / "x.jsonl"
    fake_child.script[:] = [{}, {}, KeyboardInterrupt()]
    with pytest.raises(KeyboardInterrupt):
        compare(X, 5, **DECK, path=path)
    half = Comparison.load(path)
    assert len(half.runs) == 2 and half.turns_left() == 2
    # a truncated line is ignored
    path.write_text(path.read_text() + '{"kind": "ru')
    whole = compare(X, 5, **{**DECK, "progress": True}, path=path)
    assert len(fake_child.requests) == 3 + 4 and len(whole.runs) == 6
    assert whole.turns_left() == 0
    assert Comparison.load(path).__dict__ == whole.__dict__
    shown = capsys.readouterr().err
    assert "array: 600 rows, 6 features, 5 clusters" in shown and "deck's kmeans_ann" in shown
    with pytest.raises(ValueError, match=r"x\.jsonl, which differs in data, "):
        compare(X[:-1], 5, **{**DECK, "ladder": [3]}, path=path)
    text = path.read_text()
    path.write_text(text.replace(behaviour.behaviour(), "xyz"))
    with pytest.raises(ValueError, match="behaviour xyz, now"):
        compare(X, 5, **DECK, path=path)


def test_missing_peers_are_named(X, fake_child, monkeypatch, capsys):
    gone = peers.Peer("gone", "Gone", "no_such_package", None)
    monkeypatch.setattr(running, "choose_peers", lambda names: [gone])
    result = compare(X, 5, quick=True)
    assert result.peer("gone")["left_out"] == "the package 'no_such_package' is not installed"
    assert "Gone: left out: the package" in capsys.readouterr().err
    assert result.keys() == [] and fake_child.started == 0


def test_large_data_is_sampled_when_quick():
    rng = np.random.RandomState(0)
    rows, about = running._rows(np.zeros((20_001, 2)), True, rng)
    assert rows.shape == (20_000, 2) and rows.dtype == np.float32
    assert about["description"].startswith("20,000 of 20,001 rows")
    assert running._rows("U100", True, rng)[1]["name"] == "U100"


def test_bad_comparisons_are_refused(X):
    for bad in ({"ladder": []}, {"run_limit_s": 0}, {"n_seeds": 0}, {"peers": ["x"]}):
        with pytest.raises((ValueError, TypeError), match=next(iter(bad))):
            compare(X, 5, progress=False, **bad)
    with pytest.raises(ValueError, match="name must be one of"):
        compare("P9", 5, progress=False)


# --- cells ---------------------------------------------------------------------------------------


def made_cell(ours=(0.01,), theirs=(0.02,), inertias=(1.0, 1.0), **shape):
    """Return a made-up cell of the grid."""
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


def part_store(folder, name, found=(), **settings):
    made = store.Store(
        folder / f"{name}.jsonl", name, {**cells.settings_of(1, 3, 7), **settings}, again=True
    )
    for cell in found:
        made.add("cell", **cell)
    return made


def test_contenders_take_turns_with_the_same_seeds(fake_child, tmp_path, monkeypatch):
    monkeypatch.setattr(cells, "ONCE_PAST_S", 9.0)
    cell = cells.make_cell("uniform", 40, 2, 3, ["auto", "default"])
    seconds = [1.0, 3.0, 2.0, 4.0, 10.0, 6.0, 7.0]
    fake_child.script[:] = [{"seconds": value} for value in seconds]
    kept = part_store(tmp_path, "grid")
    assert cells.measure_cells([cell], kept, label="grid", progress=False)
    a, b, c = cells.fresh_seeds(7, cell["key"], 3)
    ours, theirs = "annlab-auto", "sklearn-kmeans++"
    # the first run does not count, unless it is slow; past a limit there are no others
    assert [(request["peer"], request["seed"]) for request in fake_child.requests] == [
        (ours, a), (theirs, a), (ours, a), (ours, b), (theirs, b), (ours, c),
    ]  # fmt: skip
    (found,) = kept.all("cell")
    assert found["results"]["auto"]["seconds"] == [2.0, 4.0, 6.0]
    assert found["results"]["default"]["seconds"] == [3.0, 10.0]


def test_an_interrupted_grid_resumes(fake_child, tmp_path):
    wanted = grid.grid_cells(data=["uniform"], n=[100], d=[2, 3], k=[2, 4, 200])
    assert len(wanted) == 4  # no more clusters than rows
    kept = part_store(tmp_path, "grid")
    measure = partial(cells.measure_cells, wanted, kept, label="grid", progress=False)
    assert not measure(deadline=0.0)
    assert fake_child.started == 0
    fake_child.script[:] = [{}] * 8 + [child.ChildEnded("it broke"), {"error": "E: x"}]
    assert not measure()
    statuses = [cell["status"] for cell in kept.all("cell")]
    assert statuses == ["ok", "failed: it broke", "failed: E: x", "ok"]
    assert fake_child.started == 3  # cells of the same data share one, until it fails
    again = store.Store(kept.path, "grid", kept.header["settings"])
    fake_child.requests.clear()
    # only what failed is tried once more
    assert cells.measure_cells(wanted, again, label="grid", progress=False)
    assert len(fake_child.requests) == 2 * 8
    assert cells.measure_cells(wanted, again, label="grid", progress=False)
    assert len(fake_child.requests) == 2 * 8


# docstrings come from thousands of files: the next test reads a few of them
@pytest.mark.parametrize("name", sorted({*workloads.available_workloads()} - {"docstrings"}))
def test_rows_are_float32_and_follow_the_seed(name):
    d = {"P200": 192, "P1M": 64, "digits with noise": 64}.get(name, 8)
    first, again, other = (workloads.make_rows(name, 300, d, random_state=s) for s in (1, 1, 2))
    assert first.shape == (300, d)
    assert first.dtype == np.float32 and first.flags.c_contiguous
    assert np.isfinite(first).all()
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    assert name in workloads.DESCRIPTIONS


def test_rows_of_docstrings(monkeypatch):
    from annlab import datasets

    few = datasets.load_docstrings(packages=["joblib"])
    monkeypatch.setattr(datasets, "load_docstrings", lambda: few)
    X = workloads.make_rows("docstrings", 50, 6)
    assert X.shape == (50, 6) and np.isfinite(X).all()


# --- the store -----------------------------------------------------------------------------------


def test_a_store_resumes(tmp_path):
    path, settings = tmp_path / "deep" / "grid.jsonl", {"threads": 2, "list": (1, 2)}
    first = store.Store(path, "grid", settings)
    first.add("cell", key="a", status="ok")
    first.add("cell", key="b", status="failed: x")
    again = store.Store(path, "grid", settings)
    assert again.has("a") and not again.has("b") and not again.has("c")
    again.add("cell", key="b", status="ok")
    assert [cell["status"] for cell in store.read_records(path)[1].values()] == ["ok", "ok"]
    assert store.Store(path, "grid", settings, again=True).all("cell") == []
    assert [file.name for file in path.parent.iterdir()] == ["grid.jsonl"]


def test_records_of_other_settings_are_never_mixed(tmp_path):
    path = tmp_path / "grid.jsonl"
    code = {"version": "1", "commit": "a", "behaviour": "abc"}
    store.Store(path, "grid", {"threads": 2, "code": code}).add("cell", key="a", status="ok")
    # another version and another commit of the same behaviour are no reason to measure again
    same = {"version": "2", "commit": "b", "behaviour": "abc"}
    assert store.Store(path, "grid", {"threads": 2, "code": same}).has("a")
    with pytest.raises(ValueError, match=r"differs in threads\. Pass --again"):
        store.Store(path, "grid", {"threads": 4, "code": same})
    said = r"differs in code\. annlab's fits return other .* \(behaviour abc, now xyz\)"
    with pytest.raises(ValueError, match=said):
        store.Store(path, "grid", {"threads": 2, "code": {**code, "behaviour": "xyz"}})
    with pytest.raises(ValueError, match="part 'growth'"):
        store.Store(path, "growth", {"threads": 2, "code": code})


def test_the_digest_covers_labels_and_inertia_but_not_the_numbering(monkeypatch):
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


# --- the grid ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ours", "theirs", "inertias", "verdict"),
    [
        (1.0, 1.0, (1.0, 1.0), ["in the rule"]),
        (1.09, 1.0, (1.009, 1.0), ["in the rule"]),
        (1.2, 1.0, (1.0, 1.0), ["slower"]),
        (1.4, 1.0, (1.0, 1.0), ["far slower"]),
        # five milliseconds are allowed, whatever the factor
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
def test_the_rule_of_the_grid(ours, theirs, inertias, verdict):
    assert grid.judge_cell(made_cell([ours], [theirs], inertias)) == verdict


def test_one_slow_cell_in_twenty_is_allowed_but_no_far_slower_one():
    found = [made_cell(k=k) for k in range(1, 20)]
    slow, far = made_cell([1.2], [1.0], k=99), made_cell([1.4], [1.0], k=99)
    assert grid.summarize([*found, slow])["kept"]
    assert not grid.summarize([*found[1:], slow, slow])["kept"]
    assert not grid.summarize([*found, far])["kept"]
    assert not grid.summarize([])["kept"]


def test_breaches_are_counted_named_and_marked():
    found = [made_cell(k=k, d=d) for k in (2, 10) for d in (2, 10)]
    found[3] = made_cell([9.0], [1.0], k=10, d=10)
    found.append(made_cell(data="blobs", k=2, inertias=(2.0, 1.0)))
    summary = grid.summarize(found)
    assert (summary["share"], summary["n_too_slow"]) == (0.6, 1)
    assert summary["worst"][0] is found[3] and summary["worst_quality"] == found[4:]
    text = "\n".join(grid.page(found))
    assert "60.0% of 5 cells are in the rule" in text and "The worst inertia:" in text
    assert "| 9.00 | 1.0000 | small_k | far slower |" in text
    assert "The worst inertia:" not in "\n".join(grid.page(found[:3]))
    figure = Figure()
    grid.plot(found, figure)
    panels = {ax.get_title(): ax for ax in figure.axes if ax.get_title()}
    assert list(panels) == ["uniform, n = 1,000", "blobs, n = 1,000"]
    heat = panels["uniform, n = 1,000"]
    frames = [patch for patch in heat.patches if isinstance(patch, Rectangle)]
    assert [(round(frame.get_x()), round(frame.get_y())) for frame in frames] == [(1, 1)]
    assert [text.get_text() for text in heat.texts].count("9\n1.000 !!") == 1
    assert len(heat.texts) == 4
    assert [text.get_text() for text in panels["blobs, n = 1,000"].texts] == ["0.5\n2.000 Q"]


# --- growth --------------------------------------------------------------------------------------


def test_slopes_of_power_laws_are_found():
    values = np.repeat([10.0, 100.0, 1000.0, 10_000.0], 5)
    noise = np.exp(0.1 * np.random.RandomState(0).standard_normal(len(values)))
    exact = growth.fit_slope(values, 3.0 * values**0.5)
    assert exact.exponent == pytest.approx(0.5) == exact.steepest
    assert exact.high - exact.low < 1e-6
    assert growth.fit_slope([1, 10, 100], [1, 1, 100]).steepest == pytest.approx(2.0)
    assert growth.fit_slope([1, 10], [1, 10]).high == np.inf
    x, y = np.log(values), np.log(values**0.7 * noise)
    known, ours = linregress(x, y), growth.fit_slope(values, np.exp(y))
    assert (ours.exponent, ours.constant) == pytest.approx((known.slope, known.intercept))
    margin = t.ppf(0.975, len(x) - 2) * known.stderr
    assert (ours.low, ours.high) == pytest.approx((known.slope - margin, known.slope + margin))


@pytest.mark.parametrize("bad", [([1, 1], [1, 2]), ([1, 2], [1, 0]), ([1, 2, 3], [1, 2])])
def test_no_slope_without_two_values(bad):
    with pytest.raises(ValueError, match="values must be positive"):
        growth.fit_slope(*bad)


def grown_cells():
    found = []
    for cell in growth.growth_cells():
        times = [1e-3 * cell[cell["series"]] ** 0.5 * factor for factor in (0.9, 1.0, 1.1)]
        facts = {"seconds": times, "inertia": [1.0] * 3, "algorithm": "graph"}
        results = {"auto": facts, "graph": {**facts, "seconds": [2 * s for s in times]}}
        more = {"status": "ok", "results": results, "others_cores": None, "date": "2026"}
        found.append({**cell, **more})
    return found


def test_growth_is_fitted_for_each_series():
    found = growth.slopes(grown_cells())
    assert set(found) == {(name, way) for name in "nkd" for way in ("auto", "graph")}
    assert all(slope.exponent == pytest.approx(0.5) for slope in found.values())
    text = "\n".join(growth.page(grown_cells()))
    assert "| points (n) | P1M, d = 64, k = 1,024 | auto | 0.50 | 0.4" in text
    figure = Figure()
    growth.plot([cell for cell in grown_cells() if cell["series"] == "k"], figure)
    assert [ax.get_title() for ax in figure.axes].count("not measured") == 2


# --- distributions, memory -----------------------------------------------------------------------


def untuned_cell(seconds, inertias):
    results = {
        name: {"seconds": [s], "inertia": [i], "algorithm": "graph"}
        for name, s, i in zip(untuned.CONTENDERS, seconds, inertias, strict=True)
    }
    cell = cells.make_cell("heavy tails", 1000, 2, 10, untuned.CONTENDERS)
    return {**cell, "status": "ok", "results": results, "others_cores": 3.0, "date": "2026"}


def test_untuned_data_must_be_neither_slower_nor_worse():
    good = untuned_cell((1.0, 2.0, 1.5), (101.0, 90.0, 100.0))
    assert untuned.is_kept(good, "auto") and not untuned.is_kept(good, "graph")
    bad = untuned_cell((1.0, 2.0, 1.5), (102.0, 90.0, 100.0))
    text = "\n".join(untuned.page([bad]))
    assert "`auto` in 0 of 1, `graph` in 0 of 1" in text
    assert text.count("**missed**") == 2


def test_memory_is_that_of_one_fit_in_a_fresh_process(tmp_path):
    if machine.PeakMemory().method != "anonymous":
        pytest.skip("the kernel's high-water mark is Linux's own")
    kept = part_store(tmp_path, "memory", repeats=1)
    cell = cells.make_cell("uniform", 20_000, 10, 50, ["random-3"], series="x", peak=True)
    assert cells.measure_cells([cell], kept, label="memory", progress=False)
    (cell,) = kept.all("cell")
    x_bytes = 20_000 * 10 * 4
    (peak,) = cell["results"]["random-3"]["peak_bytes"]
    # scikit-learn copies the rows to centre them, and keeps labels and distances beside them
    assert 0.9 * x_bytes < peak < 60e6
    text = "\n".join(memory.page([cell]))
    assert "| uniform (20,000 × 10), 50 | 1 |" in text and "missed" not in text
    for times, word in ((2, "**missed**"), (1, "kept")):
        facts = {**cell["results"]["random-3"], "peak_bytes": [times * x_bytes]}
        row = memory.page([{**cell, "contenders": ["auto"], "results": {"auto": facts}}])[-2]
        assert f"| {times}.00 |" in row and word in row


# --- targets -------------------------------------------------------------------------------------


def target_case(runs, *, data="P200", k=4096, definition="median of 3 seeds", **options):
    (target,) = targets.choose_targets(f"{data}-{k}")
    found = comparison(
        runs,
        [record(key) for key in dict.fromkeys(run["peer"] for run in runs)],
        {"name": data, "n": target.rows},
        n_clusters=k,
        reference={"definition": definition, "inertia": 100.0},
        options=options,
    )
    return verdicts.judge(found, target)


def ours(seconds, inertia, max_iter=5):
    rung = {"max_iter": max_iter} if max_iter else {"defaults": True}
    return made_run("annlab-auto", 1, rung, seconds, inertia)


def faiss(seconds, inertia):
    return made_run("faiss", 1, {"niter": 9}, seconds, inertia)


LLOYD = [
    made_run("sklearn-random", 1, {"max_iter": 5}, 10.0, 110.0),
    made_run("sklearn-random", 1, {"max_iter": 12}, 30.0, 101.0),
    made_run("sklearn-random", 1, {"max_iter": 25}, 60.0, 99.0),
]


def verdict_rows(verdict):
    """Return the cells of each table's only row."""
    lines = verdicts.verdict_table([verdict])
    starts = [number for number, line in enumerate(lines) if set(line) == set("|- ")]
    for start in starts:
        assert len({line.count("|") for line in lines[start - 1 : start + 2]}) == 1
    return [[cell.strip() for cell in lines[start + 1].split("|")[1:-1]] for start in starts]


def test_a_target_that_is_reached():
    verdict = target_case(
        [
            *LLOYD,
            *(ours(0.2, 95.0, max_iter=1), ours(1.0, 85.0), ours(1.5, 84.0, max_iter=0)),
            faiss(8.0, 100.0),
            made_run("superkmeans-flat", 1, {"iters": 3}, 1.0, 120.0),
            made_run("superkmeans-flat", 1, {"iters": 9}, 7.0, 101.0),
        ]
    )
    assert (verdict.seconds, verdict.quality, verdict.own_s) == (1.0, 0.84, 1.5)
    assert (verdict.sklearn.faster(1.0), verdict.peers.faster(1.0)) == (30.0, 7.0)
    assert verdict.peers.who == "Superkmeans-Flat"
    questions = ("inertia", "scikit-learn", "other peers")
    assert verdict.reached() == dict.fromkeys(questions, True)
    assert verdict.notes == []


def test_each_question_about_a_target_has_a_table_of_its_own():
    mine = [ours(1.0, 86.0), ours(1.8, 83.0, max_iter=9), ours(1.5, 84.0, max_iter=0)]
    theirs = [made_run("faiss", 1, {"niter": 5}, 3.0, 105.0), faiss(4.0, 101.0)]
    verdict = target_case([*LLOYD, *mine, *theirs])
    assert verdict_rows(verdict) == [
        ["P200, 4,096", "0.86 × 25 iterations", "1", "1.5", "0.8400", "0.8300", "reached"],
        ["P200, 4,096", "1", "1.01 × 25 iterations", "30", "30", "20", "reached"],
        ["P200, 4,096", "1", "Faiss", "1.01 × 25 iterations", "4", "4", "6", "**missed**"],
    ]
    assert len(verdicts.verdict_table([verdict] * 2)) == len(verdicts.verdict_table([verdict])) + 3
    small = target_case([ours(1.0, 86.0)], data="U100", k=100)
    assert [len(row) for row in verdict_rows(small)] == [7, 7]


@pytest.mark.parametrize(("seconds", "reached"), [(9.0, True), (2.0, None)])
def test_where_no_peer_gets_there_the_figure_is_a_bound(seconds, reached):
    verdict = target_case([*LLOYD, ours(1.0, 85.0), faiss(seconds, 104.0)])
    assert verdict.peers.is_bound and verdict.reached()["other peers"] is reached
    assert "Faiss came nearest to 1.01: 1.040" in verdict.notes[0]
    assert verdict_rows(verdict)[2][4:6] == [f"≥ {seconds:.3g}"] * 2


def test_cases_that_were_not_run_get_no_verdict():
    verdict = target_case(LLOYD, turns=[["faiss", 1, 2]])
    assert set(verdict.reached().values()) == {None}
    assert "not finished: 1 turns left" in verdict.notes
    verdict = target_case([ours(1.0, 80.0, max_iter=1)])
    assert verdict.reached()["inertia"] is True
    assert verdict.reached()["scikit-learn"] is None


def test_the_default_run_of_scikit_learn_is_a_reference_too():
    runs = [
        *LLOYD,
        made_run("sklearn-kmeans++", 1, {"defaults": True}, 100.0, 90.0),
        ours(0.1, 95.0, max_iter=1),
        ours(1.0, 90.8),
        faiss(5.0, 100.0),
    ]
    verdict = target_case(runs, k=1024)
    assert verdict.quality == pytest.approx(90.8 / 90.0)
    assert verdict.sklearn.seconds == 100.0
    assert set(verdict.reached().values()) == {True}
    assert "scikit-learn's default run: one seed" in verdict.notes
    # to the same inertia the better start counts
    runs = [
        made_run("sklearn-random", 1, {"max_iter": 9}, 3.0, 100.0),
        made_run("sklearn-kmeans++", 1, {"max_iter": 9}, 1.0, 99.0),
        made_run("sklearn-kmeans++", 1, {"defaults": True}, 4.0, 100.0),
        ours(0.5, 100.4, max_iter=9),
    ]
    verdict = target_case(runs, data="U100", k=100)
    assert verdict.sklearn.seconds == 1.0
    assert "scikit-learn's default run takes 4 s, 8 times annlab's" in verdict.notes
    assert verdict.reached() == {"inertia": True, "scikit-learn": False}


def test_an_extrapolated_row_says_so():
    mine = ours(2.0, 78.0)
    first = made_run("sklearn-random", 1, {"max_iter": 1}, 80.0, 110.0)
    third = made_run("sklearn-random", 1, {"max_iter": 3}, 160.0, 100.0)
    verdict = target_case([first, third, mine], data="P1M", k=65536)
    assert verdict.sklearn.seconds == pytest.approx(160.0 + 2 * 40.0)
    assert verdict.quality == 0.78
    assert verdict.notes[0].startswith(
        "extrapolated: 5 iterations of scikit-learn from 1, 3, at 40"
    )
    alone = target_case([first, mine], data="P1M", k=65536)
    assert alone.sklearn.seconds == pytest.approx(80.0 + 4 * 40.0)
    fifth = made_run("sklearn-random", 1, {"max_iter": 5}, 250.0, 98.0)
    whole = target_case([first, fifth, mine], data="P1M", k=65536)
    assert whole.sklearn.seconds == 250.0
    assert whole.notes == ["5 iterations of scikit-learn: one run"]
    none = target_case([mine], data="P1M", k=65536)
    assert none.notes == ["5 iterations of scikit-learn: not run"]


@pytest.mark.parametrize("target", targets.TARGETS, ids=lambda target: target.key)
def test_every_peer_that_could_be_best_is_compared(target):
    assert targets.choose_targets(target.key) == [target]
    for ladders in (target.ladders, target.brief):
        assert {"sklearn-random", "annlab-auto"} <= set(ladders) <= set(peers.all_peers())
    if target.peers_faster is not None:
        strong = {"faiss", "faiss-super", "superkmeans-flat", "superkmeans-tree"}
        assert strong <= set(target.ladders)
    if target.of == "its default":
        assert "sklearn-kmeans++" in {*target.ladders} & {*target.brief}


def test_a_brief_campaign_takes_at_most_90_minutes():
    # with half an hour for the parts
    assert sum(target.brief_minutes for target in targets.TARGETS) <= 60
    for part in page.PARTS:
        every, brief = part.cells(), part.cells(full=False)
        assert [cell for cell in every if cell in brief] == brief
    few = grid.grid_cells(full=False)
    assert 150 < len(few) < 180
    assert max(cell["n"] * cell["k"] * cell["d"] for cell in few) < 2e9


# --- the page ------------------------------------------------------------------------------------


def test_the_stored_figures_can_be_read(tmp_path, monkeypatch):
    """Their page is written from them alone."""
    for module in ("page", "comparison"):
        monkeypatch.setattr(f"annlab.benchmarks.campaign.{module}.save_figure", lambda *call: None)
    for path in STORED.glob("*.jsonl"):
        shutil.copy(path, tmp_path)
    written = page.write_page(tmp_path).read_text(encoding="utf-8")
    assert written == (STORED / "README.md").read_text(encoding="utf-8")


def test_the_page_names_what_is_missing(made, tmp_path):
    made.save(tmp_path)
    part_store(tmp_path, "grid", [made_cell(), {"key": "x", "status": "failed: y"}])
    for name in ("growth", "untuned"):
        part_store(tmp_path, name, [{"key": name, "status": "failed: it broke"}])
    text = page.write_page(tmp_path).read_text(encoding="utf-8")
    assert "U100-10, U100-100, P200-1024" in text and "--memory`): not run" in text
    assert "Goals, and what was reached" not in text
    assert "--grid`): 179 of 180 cells" in text and "random_state=7" in text
    for reason in ("x (failed: y)", "growth (failed: it broke)", "untuned (failed: it broke)"):
        assert f"Not measured: {reason}." in text
    assert "![Never slower](grid.png)" in text and "![Time to quality on made" in text
    assert (tmp_path / "grid.png").read_bytes().startswith(b"\x89PNG")
    for name in ("processor", "system", "date"):
        assert str(made.machine[name]) in text


def test_figures_of_other_behaviour_are_not_on_the_page(made, tmp_path):
    other = part_store(tmp_path, "grid", code={**behaviour.code_facts(), "behaviour": "xyz"})
    other.header["machine"]["date"] = "2020"
    other.add("cell", **made_cell())
    made.save(tmp_path)
    text = page.write_page(tmp_path).read_text(encoding="utf-8")
    now = behaviour.behaviour()
    said = f"grid.jsonl: measured with fits of behaviour xyz, the others with {now}"
    assert said in text and "## Never slower" not in text and "## made" in text


def test_only_complete_data_make_a_target(made, tmp_path):
    for n, n_clusters, key in ((100_000, 4, None), (100_000, 10, "U100-10"), (99, 10, None)):
        one = replace(made, data={**made.data, "name": "U100", "n": n}, n_clusters=n_clusters)
        assert getattr(verdicts.target_of(one), "key", None) == key
        one.save(tmp_path, f"{n} {n_clusters}")
    text = page.write_page(tmp_path).read_text(encoding="utf-8")
    assert text.count("| U100, 10 | 1.005 × its default | – |") == 1
    assert "U100-100, P200-1024" in text and "U100-10," not in text


# --- the command ---------------------------------------------------------------------------------


def test_the_command_lists_its_peers(capsys):
    assert main(["bench", "--list"]) == 0
    assert "sklearn-random" in capsys.readouterr().out


def test_the_command_runs_a_case_and_writes_its_files(tmp_path, capsys):
    rows, out = tmp_path / "mine.npy", tmp_path / "out"
    np.save(rows, np.random.RandomState(0).rand(300, 3))
    words = ["bench", "--quick", "--data", str(rows), "--clusters", "4", "--threads", "1"]
    words += ["--peers", "annlab-brute", "--ladder", "1", "--out", str(out)]
    assert main(words) == 0
    assert {file.name for file in out.iterdir()} == {
        "mine_k4.jsonl", "mine_k4.md", "mine_k4.png", "README.md",
    }  # fmt: skip
    printed = capsys.readouterr()
    assert "annlab brute" in printed.out and "algorithm=brute" in printed.err
    before = (out / "README.md").read_text(encoding="utf-8")
    assert main(["bench", "--page", "--out", str(out)]) == 0
    assert (out / "README.md").read_text(encoding="utf-8") == before


def test_the_command_refuses_a_file_without_numbers(tmp_path, capsys):
    file = tmp_path / "x.npy"
    np.save(file, np.array([{}], dtype=object), allow_pickle=True)
    assert main(["bench", "--quick", "--data", str(file)]) == 2
    assert "--data must be" in capsys.readouterr().err


def test_the_command_measures_a_part_and_goes_on(tmp_path, capsys, monkeypatch):
    words = ["bench", "--grid", "--data", "uniform", "--clusters", "2", "10"]
    words += ["--seeds", "2", "--threads", "1", "--out", str(tmp_path)]
    few = replace(page.PARTS[0], cells=partial(grid.grid_cells, d=[2], n=[1000]))
    monkeypatch.setattr(command, "PARTS", [few, *page.PARTS[1:]])
    assert main([*words, "--budget", "1e-9"]) == 1
    assert main(words) == 0
    first = (tmp_path / "grid.jsonl").read_bytes()
    printed = capsys.readouterr()
    assert "of 2 cells are in the rule" in printed.out and "2 of 2 cells" in printed.err
    assert main(words) == 0
    assert (tmp_path / "grid.jsonl").read_bytes() == first
    assert "2 of 2 cells are measured already" in capsys.readouterr().err
    assert main([*words, "--seeds", "1"]) == 2
    assert "differs in repeats" in capsys.readouterr().err
    assert main([*words, "--data", "nowhere"]) == 2
    header, found, _ = page.finished_cells(tmp_path / "grid.jsonl")
    assert header["settings"]["random_state"] == command.FRESH
    X = workloads.make_rows("uniform", 1000, 2, random_state=command.FRESH)
    for cell in found:
        seeds = cells.fresh_seeds(command.FRESH, cell["key"], 2)
        models = [KMeans(cell["k"], n_init=1, random_state=seed).fit(X) for seed in seeds]
        mine = [kmeans_ann(X, cell["k"], random_state=seed).inertia for seed in seeds]
        results = cell["results"]
        theirs = [model.inertia_ for model in models]
        assert results["default"]["inertia"] == pytest.approx(theirs, rel=1e-4)
        assert results["auto"]["inertia"] == pytest.approx(mine, rel=1e-5)


@pytest.fixture
def compared(made, monkeypatch):
    """Replace comparisons by ones without runs; return the list of requests."""
    asked = []

    def fake(data, n_clusters, *, path, **settings):
        name = data if isinstance(data, str) else data.name
        asked.append({"k": n_clusters, "data": name, "existed": path.exists(), **settings})
        path.parent.mkdir(exist_ok=True)
        path.touch()
        found = replace(made, data={**made.data, "name": name}, n_clusters=n_clusters, options={})
        if n_clusters != 100:
            return found
        return replace(found, runs=[], options={"turns": [["peer", 1, 3]]})

    monkeypatch.setattr(command, "compare", fake)
    few = Dataset(X=np.zeros((1, 1)), labels=None, name="", description="")
    monkeypatch.setattr(command, "load_benchmark_data", lambda name, n: replace(few, name=name))
    return asked


def test_a_case_without_a_result_fails_the_command(compared, tmp_path, capsys):
    words = ["bench", "--quick", "--data", "U100", "--out", str(tmp_path), "--clusters"]
    assert main([*words, "4", "100"]) == 1
    assert capsys.readouterr().err == "No peer finished on U100 with k = 100.\n"
    assert (tmp_path / "U100_k4.md").exists() and not (tmp_path / "U100_k100.md").exists()
    compared.clear()
    # cases other than targets start over
    (tmp_path / "U100_k100.jsonl").unlink()
    assert main([*words, "4", "--seeds", "2"]) == 0
    assert [(one["existed"], one["n_seeds_annlab"]) for one in compared] == [(False, 2)]
    compared.clear()
    assert main([*words, "4", "--budget", "1e-12"]) == 1
    assert "No time left for U100 with k = 4." in capsys.readouterr().err
    assert compared == []


def test_targets_are_run_one_after_the_other(compared, tmp_path, capsys):
    words = ["bench", "--targets", "--out", str(tmp_path)]
    assert main([*words, "--rows", "U100-10,P200-1024"]) == 0
    printed = capsys.readouterr()
    assert "Case 2 of 2, P200-1024: about" in printed.err
    # verdicts are printed one by one, and together at the end
    assert printed.out.count("| U100, 10 | 1.005 ×") == 2
    assert printed.out.count("| P200, 1,024 | 1.01 ×") == 2
    assert [(case["data"], case["k"]) for case in compared] == [("U100", 10), ("P200", 1024)]
    case = compared[0]
    assert case["run_limit_s"] == targets.RUN_LIMIT_S and case["random_state"] == command.FRESH
    assert (case["n_seeds"], case["n_seeds_annlab"]) == (1, 3)
    compared.clear()
    # an existing file is resumed, and started over with --again
    assert main([*words, "--rows", "U100-10", "--silent"]) == 0
    assert main([*words, "--rows", "U100-10", "--silent", "--again"]) == 0
    assert [case["existed"] for case in compared] == [True, False]
    # an unfinished case has no verdict, and fails the command
    capsys.readouterr()
    assert main([*words, "--rows", "U100-100", "--silent"]) == 1
    assert main([*words, "--budget", "1e-12", "--silent"]) == 1
    assert "G500-4096: no time left" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--growth"], ["--growth", "--full"], ["--untuned"]])
def test_each_part_measures_its_own_cells(words, tmp_path, monkeypatch):
    measured = []

    def fake(wanted, kept, *, label, progress, **more):
        measured.extend([label, kept.header["settings"]["repeats"], progress, *wanted])
        return True

    monkeypatch.setattr(command, "measure_cells", fake)
    assert main(["bench", *words, "--silent", "--out", str(tmp_path)]) == 0
    part = words[0].removeprefix("--")
    (expected,) = [one.cells(full="--full" in words) for one in page.PARTS if one.name == part]
    assert measured == [part, 3, False, *expected]

"""Checkpoints: a resumed fit equals an undisturbed one, bit by bit."""

from __future__ import annotations

import json
import os
import warnings

import faults
import numpy as np
import pytest
from scipy import sparse
from sklearn.neighbors import NearestNeighbors

from annlab import (
    KMeansANN,
    available_algorithms,
    kmeans,
    kmeans_ann,
    robust_kmeans_ann,
)
from annlab._support.errors import AnnlabWarning
from annlab.fit import checkpoint as room
from annlab.fit import choose as choosing
from annlab.fit.settings import describe
from annlab.result import read_npz, write_npz

X = np.random.RandomState(0).rand(1500, 6).astype(np.float32)


class Stop(Exception):
    pass


def disturbed(fit, path, every=2):
    """Interrupt the fit every few steps, and resume it until it ends."""
    times = 0
    while True:
        seen = []

        def callback(step, seen=seen):
            seen.append(step)
            if len(seen) == every:
                raise Stop

        try:
            result = fit(checkpoint=path, callback=callback)
        except Stop:
            times += 1
            assert path.exists()
        else:
            assert not path.exists(), "the checkpoint of a fit that is through was left"
            return result, times


def same(one, other):
    assert faults.difference(one, other) is None
    for a, b in zip(one.trace, other.trace, strict=True):
        for name in ("labels", "centroids", "new_centroids"):
            np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


OPTIONS = {
    "plain": {},
    "several starts": {"init": "random", "n_init": 2},
    "cosine with a trace": {"metric": "cosine", "trace": True},
    "weights": {"sample_weight": np.random.RandomState(1).rand(len(X)), "n_init": 2},
}


@pytest.mark.parametrize("algorithm", available_algorithms())
@pytest.mark.parametrize("case", OPTIONS)
def test_resumed_fit_equals_an_undisturbed_one(algorithm, case, tmp_path):
    if algorithm == "faiss":
        pytest.importorskip("faiss")
    k = 750 if algorithm == "graph" else 12
    rows = sparse.csr_matrix(X) if (algorithm, case) == ("lsh", "plain") else X

    def fit(**more):
        return kmeans_ann(rows, k, 5, algorithm=algorithm, random_state=3, **OPTIONS[case], **more)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AnnlabWarning)
        whole = fit()
        result, times = disturbed(fit, tmp_path / "c.npz")
    same(whole, result)
    assert times >= 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_relaxed_and_relocating_steps_are_resumed(dtype, tmp_path):
    """These have most memory: momentum, relocations, their own start."""
    points = np.random.RandomState(2).rand(9000, 16).astype(dtype)
    for algorithm, k, kinds in (("small_k", 30, {"relaxed"}), ("graph", 800, {"relocation"})):

        def fit(points=points, algorithm=algorithm, k=k, **more):
            return kmeans_ann(points, k, 12, algorithm=algorithm, random_state=1, **more)

        whole = fit(callback=lambda step: None)
        assert kinds <= {step.kind for step in whole.trace}
        same(whole, disturbed(fit, tmp_path / "c.npz", every=3)[0])


def test_reseeded_points_are_resumed(tmp_path):
    """A centroid that took over a point must be found again after a restart."""
    init = np.r_[X[:6], X[:6] + 50]

    def fit(**more):
        return kmeans_ann(X, 12, 8, algorithm="lsh", init=init, random_state=0,
                          algorithm_params={"n_tables": 1, "n_probes": 1}, **more)  # fmt: skip

    whole = fit()
    assert sum(step.n_empty for step in whole.trace) > 0
    same(whole, disturbed(fit, tmp_path / "c.npz", every=1)[0])


@pytest.mark.parametrize("options", [{}, {"trim": 0.1}, {"n_init": 2}])
def test_robust_fit_is_resumed(options, tmp_path):
    def fit(**more):
        return robust_kmeans_ann(X, 8, 6, random_state=0, algorithm="brute", **options, **more)

    same(fit(), disturbed(fit, tmp_path / "c.npz")[0])


def test_interrupted_robust_fit_has_outliers(tmp_path):
    def interrupt(step):
        if step.iteration == 3:
            raise KeyboardInterrupt

    path = tmp_path / "c.npz"
    with pytest.warns(AnnlabWarning, match="interrupted.*the same checkpoint"):
        result = robust_kmeans_ann(X, 8, 9, random_state=0, callback=interrupt, checkpoint=path)
    assert result.outlier_mask.any() and (result.labels[result.outlier_mask] == -1).all()
    assert faults.inconsistency(result, X) is None
    same(robust_kmeans_ann(X, 8, 9, random_state=0, checkpoint=path),
         robust_kmeans_ann(X, 8, 9, random_state=0))  # fmt: skip


def test_estimator_is_resumed(tmp_path):
    path = tmp_path / "c.npz"
    plain = KMeansANN(6, random_state=0, max_iter=8).fit(X)
    stopped = KMeansANN(6, random_state=0, max_iter=8, checkpoint=path)
    stopped.set_params(callback=lambda step: step.iteration == 2).fit(X)
    assert path.exists() and stopped.result_.stop_reason == "callback"
    same(stopped.set_params(callback=None).fit(X).result_, plain.result_)


def test_random_state_is_resumed(tmp_path):
    """Later draws of the caller are also the same."""
    for make in (np.random.RandomState, np.random.default_rng):

        def fit(make=make, states=(), **more):
            state = make(5)
            result = kmeans(X, 6, 6, n_init=2, random_state=state, **more)
            return result, state

        whole, before = fit()
        path = tmp_path / "c.npz"
        with pytest.raises(Stop):
            fit(checkpoint=path, callback=lambda step: (_ for _ in ()).throw(Stop))
        result, after = fit(checkpoint=path)
        same(whole, result)
        if make is np.random.RandomState:
            assert before.randint(10**9) == after.randint(10**9)


def test_chosen_algorithm_is_resumed(tmp_path, monkeypatch):
    """The choice of "auto" and its reason are restored, not made again."""
    path = tmp_path / "c.npz"
    now = []
    monkeypatch.setattr(choosing, "choose", lambda *args, **options: now[-1])

    def fit(**more):
        # its own start is made of iterations, which the reason tells
        return kmeans_ann(X, 12, 6, random_state=3, tol=0, trace=True, **more)

    now.append(("small_k", "because"))
    whole = fit()
    with pytest.raises(Stop):
        fit(checkpoint=path, callback=lambda step: (_ for _ in ()).throw(Stop))
    now.append(("brute", "on second thoughts"))
    result = fit(checkpoint=path)
    assert result.algorithm == "small_k" and result.reason == whole.reason
    assert result.reason.startswith("because; started with")
    same(whole, result)


def test_file_is_kept_by_a_callback_and_deleted_at_the_end(tmp_path):
    path = tmp_path / "run"
    kmeans(X, 6, random_state=0, checkpoint=path, callback=lambda step: step.iteration == 2)
    assert os.listdir(tmp_path) == ["run.npz"], "named as KMeansResult.save names its files"
    seen = []
    kmeans(X, 6, random_state=0, checkpoint=path, callback=lambda step: seen.append(step.iteration))
    assert seen[0] == 3 and os.listdir(tmp_path) == []


# -- another fit's file --------------------------------------------------------------------------


def stopped(path, **more):
    options = {"random_state": 0, "n_clusters": 5, **more}
    kmeans_ann(options.pop("X", X), checkpoint=path, callback=lambda step: True, **options)


OTHERS = {
    "X": {"X": np.r_[X[:-1], X[-1:] + np.float32(1e-6)]},
    "n_clusters": {"n_clusters": 6},
    "max_iter": {"max_iter": 99},
    "tol": {"tol": 1e-3},
    "metric": {"metric": "cosine"},
    "algorithm": {"algorithm": "brute"},
    "algorithm_params": {"algorithm": "auto", "algorithm_params": {"ef": 3}},
    "init": {"init": "random"},
    "n_init": {"n_init": 2},
    "sample_weight": {"sample_weight": np.arange(1.0, len(X) + 1)},
    "random_state": {"random_state": 1},
    "trace": {"trace": True},
    "final_assignment": {"final_assignment": "exact"},
}


@pytest.mark.parametrize("name", OTHERS)
def test_file_of_another_fit_is_refused_and_kept(name, tmp_path):
    path = tmp_path / "c.npz"
    stopped(path)
    before = path.read_bytes()
    options = {"random_state": 0, "n_clusters": 5, **OTHERS[name]}
    with pytest.raises(ValueError, match=rf"^checkpoint must be .*same data.*where {name} was "):
        kmeans_ann(options.pop("X", X), checkpoint=path, **options)
    assert path.read_bytes() == before


def test_file_of_another_variant_or_version_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "c.npz"
    stopped(path)
    with pytest.raises(ValueError, match="where variant was "):
        robust_kmeans_ann(X, 5, random_state=0, checkpoint=path)
    monkeypatch.setattr(room, "__version__", "0")
    with pytest.raises(ValueError, match="where version of annlab was "):
        stopped(path)


@pytest.mark.parametrize("content", [b"", b"PK", b"not a checkpoint" * 99])
def test_file_that_is_no_checkpoint_is_refused_and_kept(content, tmp_path):
    path = tmp_path / "c.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"^checkpoint must be "):
        kmeans(X, 5, random_state=0, checkpoint=path)
    assert path.read_bytes() == content
    kmeans(X, 5, random_state=0).save(path)
    with pytest.raises(ValueError, match=r"^checkpoint must be "):
        kmeans(X, 5, random_state=0, checkpoint=path)


BAD = {
    "a number": (3, TypeError),
    "nothing": ("", TypeError),
    "no name": ("a\0b", ValueError),
    "no such folder": ("nowhere/c.npz", ValueError),
    "a folder": (".", ValueError),
    "a folder of that name": ("folder", ValueError),
}


@pytest.mark.parametrize("case", BAD)
def test_wrong_path_is_refused(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.npz").mkdir()
    path, error = BAD[case]
    with pytest.raises(error, match=r"^checkpoint must be "):
        kmeans(X, 5, checkpoint=path)


def test_other_bit_generator_is_refused(tmp_path):
    state = np.random.RandomState(np.random.PCG64(0))
    with pytest.raises(ValueError, match=r"^random_state must be .*checkpoint"):
        kmeans(X, 5, random_state=state, checkpoint=tmp_path / "c.npz")


# -- what is written -----------------------------------------------------------------------------


def test_file_is_written_after_each_iteration(tmp_path):
    path, seen = tmp_path / "c.npz", []

    def callback(step):
        arrays = read_npz(path, max_bytes=1 << 24)
        seen.append(arrays["state_labels"])
        np.testing.assert_array_equal(arrays["state_labels"], step.labels)

    kmeans(X, 5, 4, tol=0, random_state=0, checkpoint=path, callback=callback)
    assert len(seen) == 4


def test_failed_write_warns_once(tmp_path, monkeypatch):
    def full(target, arrays):
        raise OSError(28, "No space left on device")

    whole = kmeans(X, 5, random_state=0)
    monkeypatch.setattr(room, "write_npz", full)
    with pytest.warns(AnnlabWarning, match="could not be written.*No space") as caught:
        result = kmeans(X, 5, random_state=0, checkpoint=tmp_path / "c.npz")
    assert len(caught) == 1 and caught[0].filename != room.__file__
    same(whole, result)


def test_files_of_killed_processes_are_deleted(tmp_path):
    path = tmp_path / "c[1].npz"
    litter = tmp_path / ".c[1].npz.0123456789abcdef"
    other = tmp_path / ".c1.npz.0123456789abcdef"
    litter.touch()
    other.touch()
    kmeans(X, 5, random_state=0, checkpoint=path)
    assert not litter.exists() and other.exists() and not path.exists()


def test_describe_is_the_same_in_any_process():
    def named(X, n_clusters, random_state):
        return X[:n_clusters]

    assert describe(np.float64(0.5)) == describe(0.5) == "0.5"
    assert describe({"b": 1, "a": None}) == "{a: None, b: 1}"
    assert describe(named) == describe(named) and "named" in describe(named)
    assert describe(np.ones(3)) == describe([1.0, 1.0, 1.0]) != describe(np.zeros(3))
    one, other = NearestNeighbors(leaf_size=3), NearestNeighbors(leaf_size=4)
    assert describe(one) != describe(other)
    assert describe(object()) == "an object of class object"
    # an unreadable array: only its class is known
    ragged = [[1.0], [2.0, 3.0]]
    assert describe(ragged) == "an object of class list"
    assert describe(["a"]) == "an object of class list"
    assert describe(np.random.RandomState(0)) == "RandomState"


# -- content that no fit wrote -------------------------------------------------------------------


def fact(*place, value):
    """Change one of the facts."""

    def change(arrays, facts):
        for name in place[:-1]:
            facts = facts[name]
        facts[place[-1]] = value

    return change


def array(name, make):
    """Change one of the arrays."""

    def change(arrays, facts):
        assert name in arrays
        arrays[name] = make(arrays[name])

    return change


HOSTILE = {
    "another format": fact("format", value=99),
    "another kind": fact("kind", value="result"),
    "parameters that are not text": fact("fit", "n_clusters", value=[5]),
    "a start out of range": fact("turn", value=1),
    "an unknown algorithm": fact("algorithm", value="auto"),
    "a reason that is a number": fact("why", value=3),
    "a tolerance that is text": fact("tol_sq", value="small"),
    "a shift of another shape": array("shift", lambda a: a[:-1]),
    "another step": fact("state", "steps", 0, "iteration", value=9),
    "a random state out of range": array("rng_now", lambda a: np.r_[a[:624], 9999, a[625:]]),
    "no random numbers": array("rng_now", lambda a: a * np.nan),
    "too few random numbers": array("rng_begin", lambda a: a[:3]),
    "centroids that are integers": array("state_at", lambda a: a.astype(np.int64)),
    "centroids that are not finite": array("state_centroids", lambda a: a * np.nan),
    "labels too high": array("state_labels", lambda a: a + 750),
    "an order that is not a permutation": array("state_memory_order", lambda a: a * 0),
    "an order of another type": array("state_memory_order", lambda a: a.astype(np.int64)),
    "own labels too high": array("state_memory_members", lambda a: a + 750),
    "a seed that is text": fact("state", "memory", "seed", value="x"),
    "an inertia that is text": fact("state", "memory", "last", value="x"),
}


@pytest.fixture(scope="module")
def of_a_graph(tmp_path_factory):
    path = tmp_path_factory.mktemp("graph") / "c.npz"
    stopped(path, n_clusters=750, algorithm="graph")
    return path.read_bytes()


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_content_is_refused(case, of_a_graph, tmp_path):
    path = tmp_path / "c.npz"
    path.write_bytes(of_a_graph)
    arrays = read_npz(path, max_bytes=1 << 24)
    facts = json.loads(arrays.pop("facts").tobytes())
    HOSTILE[case](arrays, facts)
    arrays["facts"] = np.frombuffer(json.dumps(facts).encode(), dtype=np.uint8)
    write_npz(path, arrays)
    with pytest.raises(ValueError, match=r"^checkpoint must be "):
        kmeans_ann(X, 750, algorithm="graph", random_state=0, checkpoint=path)

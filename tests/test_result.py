"""Results: frozen, owned, saved whole, and checked when loaded."""

from __future__ import annotations

import dataclasses
import io
import json
import warnings
import zipfile

import numpy as np
import pytest
from scipy import sparse

from annlab import KMeansANN, KMeansResult, Step, Trace, kmeans, make_index
from annlab._support import reading as room
from annlab._support.reading import read_npz, write_npz
from annlab.result import owned

X = np.random.RandomState(0).rand(60, 3) + np.repeat(np.eye(3) * 9, 20, axis=0)


@pytest.fixture(scope="module")
def fitted():
    return kmeans(X, 3, init=X[:3], trace=True, tol=0)


def facts_of(path):
    return json.loads(read_npz(path, max_bytes=1 << 20)["facts"].tobytes())


def rewrite(path, change):
    """Rewrite the file with other content and valid checksums."""
    arrays = read_npz(path, max_bytes=1 << 20)
    facts = json.loads(arrays["facts"].tobytes())
    change(arrays, facts)
    if "facts" in arrays and arrays["facts"].dtype == np.uint8:
        arrays["facts"] = np.frombuffer(json.dumps(facts).encode(), dtype=np.uint8)
    write_npz(path, arrays)


# -- the pair ----------------------------------------------------------------------------------


def test_result_unpacks_as_labels_and_centroids(fitted):
    labels, centroids = fitted
    assert labels is fitted.labels is fitted[0]
    assert centroids is fitted.centroids is fitted[1] is fitted[-1]
    assert len(fitted) == 2
    assert list(fitted[:1]) == [labels]
    with pytest.raises(IndexError):
        fitted[2]


def test_result_repr(fitted):
    text = repr(fitted)
    assert text.splitlines()[0] == "KMeansResult: 60 points, 3 clusters, 3 features"
    assert f"{fitted.inertia:.6g}" in text and fitted.stop_reason in text
    assert f"{fitted.n_distances:,}" in text
    assert "outliers" not in text and "recall" not in text
    other = dataclasses.replace(
        fitted, n_distances=None, recall_estimate=0.987, reason="k is small",
        outlier_mask=np.arange(60) < 4,
    )  # fmt: skip
    assert "not converged" in repr(dataclasses.replace(fitted, converged=False))
    text = repr(other)
    assert "not counted" in text and "0.987" in text and "(k is small)" in text
    assert "outliers    4" in text
    assert str(fitted.trace[0]).startswith("iteration 1, 60 points moved, inertia ")
    assert "distances 180" in str(fitted.trace[0])
    assert "not counted" in str(dataclasses.replace(fitted.trace[0], n_distances=None))


# -- frozen and owned --------------------------------------------------------------------------


def test_results_are_read_only(fitted):
    for record, name in ((fitted, "inertia"), (fitted.trace[0], "labels")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(record, name, 0)
    arrays = [fitted.labels, fitted.centroids]
    for step in fitted.trace:
        arrays += [step.labels, step.centroids, step.new_centroids]
    for array in arrays:
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    with pytest.raises(TypeError):
        fitted.trace[0] = fitted.trace[1]


def test_owned_is_a_copy():
    source = np.asfortranarray(np.eye(3))
    mine = owned(source)
    source[:] = 7.0
    np.testing.assert_array_equal(mine, np.eye(3))
    assert mine.flags.c_contiguous and not mine.flags.writeable


# -- trace -------------------------------------------------------------------------------------


def test_trace_is_a_sequence(fitted):
    trace = fitted.trace
    assert len(trace) == fitted.n_iter == trace[-1].iteration > 2
    assert [step.iteration for step in trace] == list(range(1, len(trace) + 1))
    assert isinstance(trace[:2], Trace) and len(trace[:2]) == 2
    assert trace[-1] is list(trace)[-1]
    assert trace.inertia.dtype == trace.elapsed_s.dtype == np.float64
    assert trace.n_moved.dtype == np.int64
    np.testing.assert_array_equal(trace.inertia, [step.inertia for step in trace])
    np.testing.assert_array_equal(trace.n_moved, [step.n_moved for step in trace])
    assert (trace.elapsed_s >= 0).all() and trace.elapsed_s.sum() <= fitted.elapsed_s
    assert trace.has_arrays and not Trace().has_arrays
    assert f"{trace.inertia[0]:.6g} → {trace.inertia[-1]:.6g}" in repr(trace)
    assert repr(Trace()) == "Trace(0 steps)"


def test_trace_without_arrays():
    bare = kmeans(X, 3, init=X[:3]).trace
    assert len(bare) > 1 and not bare.has_arrays
    assert bare[0].labels is None and bare[0].centroids is bare[0].new_centroids is None


# -- new rows ----------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_assign_labels_new_rows_as_predict_does(metric, dtype):
    rng = np.random.RandomState(0)
    rows = (rng.randint(0, 4, (3000, 3)) + 100).astype(dtype)
    new = np.concatenate([rng.randint(99, 105, (2500, 3)), np.zeros((1, 3))]).astype(dtype)
    result = kmeans(rows, 12, metric=metric, random_state=0)
    model = KMeansANN.from_result(result)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = model.predict(new)
    assert result.assign(new).dtype == np.int32
    for given in (new, new.tolist(), sparse.csr_matrix(new)):
        np.testing.assert_array_equal(result.assign(given, n_jobs=2), expected)
    np.testing.assert_array_equal(result.assign(rows), result.labels)
    index = make_index("kd_tree", metric=metric).fit(result.centroids)
    np.testing.assert_array_equal(result.assign(new[:-1], index=index), expected[:-1])
    with pytest.raises(ValueError, match="X must be an array with 3 columns"):
        result.assign(new[:, :2])


# -- save and load -----------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("trace", [True, False])
def test_round_trip(tmp_path, dtype, trace):
    result = kmeans(X.astype(dtype), 3, random_state=0, trace=trace)
    path = result.save(tmp_path / "clusters")
    assert path == tmp_path / "clusters.npz"
    again = KMeansResult.load(path)
    for field in dataclasses.fields(KMeansResult):
        mine, theirs = getattr(result, field.name), getattr(again, field.name)
        if field.name == "trace":
            assert len(mine) == len(theirs) and mine.has_arrays == theirs.has_arrays == trace
            for a, b in zip(mine, theirs, strict=True):
                for inner in dataclasses.fields(Step):
                    np.testing.assert_array_equal(getattr(a, inner.name), getattr(b, inner.name))
        else:
            np.testing.assert_array_equal(mine, theirs)
    assert again.centroids.dtype == dtype and again.labels.dtype == np.int32
    assert not again.labels.flags.writeable


def test_round_trip_of_optional_fields(fitted, tmp_path):
    labels = fitted.labels.copy()
    labels[:4] = -1
    result = dataclasses.replace(
        fitted, labels=labels, outlier_mask=labels < 0, n_distances=None, recall_estimate=0.5,
        recall_interval=(0.25, 0.75),
    )  # fmt: skip
    again = KMeansResult.load(result.save(tmp_path / "a.npz"))
    np.testing.assert_array_equal(again.outlier_mask, labels < 0)
    assert again.recall_interval == (0.25, 0.75) and again.n_distances is None
    assert repr(again) == repr(result)


def test_save_appends_the_suffix(fitted, tmp_path):
    assert fitted.save(str(tmp_path / "v1.2")).name == "v1.2.npz"
    assert fitted.save(tmp_path / "b.npz").name == "b.npz"
    with pytest.raises(FileNotFoundError):
        fitted.save(tmp_path / "nowhere" / "c.npz")
    with pytest.raises(FileNotFoundError):
        KMeansResult.load(tmp_path / "d.npz")
    with pytest.raises(OSError):
        KMeansResult.load(tmp_path)


# -- damage ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    points = np.arange(24.0).reshape(12, 2)
    result = kmeans(points, 2, init=points[:2], max_iter=2, tol=0, trace=True)
    return result, result.save(tmp_path_factory.mktemp("small") / "a").read_bytes()


def outcome(data, result, path):
    """Load damaged bytes; check that they are refused or unharmed."""
    path.write_bytes(data)
    try:
        again = KMeansResult.load(path)
    except ValueError as error:
        assert str(error).startswith("path must be ")
        return "refused"
    assert repr(again) == repr(result) and len(again.trace) == len(result.trace)
    np.testing.assert_array_equal(again.labels, result.labels)
    np.testing.assert_array_equal(again.centroids, result.centroids)
    np.testing.assert_array_equal(again.trace[0].labels, result.trace[0].labels)
    return "unharmed"


def test_load_refuses_truncated_files(small, tmp_path):
    result, data = small
    cuts = range(0, len(data), 13)
    assert {outcome(data[:cut], result, tmp_path / "a.npz") for cut in cuts} == {"refused"}
    assert outcome(data, result, tmp_path / "a.npz") == "unharmed"


def test_load_survives_flipped_bits(small, tmp_path):
    result, data = small
    seen = []
    for place in range(0, len(data), 5):
        broken = bytearray(data)
        broken[place] ^= 1 << (place % 8)
        seen.append(outcome(bytes(broken), result, tmp_path / "a.npz"))
    # time stamps and the like may change; the content may not
    assert seen.count("refused") > 0.7 * len(seen)


# -- hostile files -----------------------------------------------------------------------------


def put(name, value):
    def change(arrays, facts):
        facts[name] = value

    return change


def array(name, value):
    def change(arrays, facts):
        arrays[name] = value

    return change


def drop(name):
    def change(arrays, facts):
        arrays.pop(name, None)
        facts.pop(name, None)

    return change


def step(name, value):
    def change(arrays, facts):
        facts["steps"][0][name] = value

    return change


HOSTILE = {
    "no facts": drop("facts"),
    "no labels": drop("labels"),
    "no centroids": drop("centroids"),
    "no steps": drop("steps"),
    "another format": put("format", 99),
    "one more fact": put("__class__", "os.system"),
    "inertia is text": put("inertia", "low"),
    "n_iter is a list": put("n_iter", [1]),
    "converged is a number": put("converged", 1),
    "metric is nothing": put("metric", None),
    "interval of one": put("recall_interval", [0.5]),
    "interval of text": put("recall_interval", ["a", "b"]),
    "steps is a number": put("steps", 3),
    "a step without facts": put("steps", [{}]),
    "a step with text": step("inertia", "low"),
    "labels too high": array("labels", np.full(12, 2, np.int32)),
    "labels too low": array("labels", np.full(12, -2, np.int32)),
    "labels of another type": array("labels", np.zeros(12)),
    "labels in a table": array("labels", np.zeros((12, 1), np.int32)),
    "centroids in a row": array("centroids", np.zeros(2)),
    "centroids are integers": array("centroids", np.zeros((2, 2), np.int64)),
    "mask of another length": array("outlier_mask", np.zeros(3, bool)),
    "labels of a step": array("step0_labels", np.zeros(3, np.int32)),
    "labels of a step too high": array("step0_labels", np.full(12, 2, np.int32)),
    "centroids of a step": array("step0_centroids", np.zeros((3, 2))),
    "facts of another type": array("facts", np.full(3, 1e300)),
    "facts that are no JSON": array("facts", np.frombuffer(b"{", np.int8)),
    "facts that are a list": array("facts", np.frombuffer(b"[1]", np.int8)),
    "facts nested without end": array("facts", np.frombuffer(b"[" * 100_000, np.int8)),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_load_refuses_hostile_content(small, tmp_path, case):
    path = tmp_path / "a.npz"
    path.write_bytes(small[1])
    rewrite(path, lambda arrays, facts: None)
    KMeansResult.load(path)
    rewrite(path, HOSTILE[case])
    with pytest.raises(ValueError, match=r"^path must be a file that KMeansResult.save wrote"):
        KMeansResult.load(path)


class Bomb:
    """Runs code when it is unpickled."""

    armed = False

    def __reduce__(self):
        return (setattr, (Bomb, "armed", True))


def npy(header, body=b""):
    """Return the bytes of a .npy member with the given header."""
    text = (header + "\n").encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + body


def pickled():
    buffer = io.BytesIO()
    np.save(buffer, np.array([Bomb()], dtype=object), allow_pickle=True)
    return buffer.getvalue()


MEMBERS = {
    "a pickle": pickled(),
    "no array": b"import os",
    "nothing": b"",
    "more than is there": npy("{'descr': '<i4', 'fortran_order': False, 'shape': (1000,), }"),
    "a shape without end": npy("{'descr': '<i4', 'fortran_order': False, 'shape': (10**99,), }"),
    "a huge shape": npy(f"{{'descr': '<i4', 'fortran_order': False, 'shape': ({10**30},), }}"),
    "nothing of a huge shape": npy(
        f"{{'descr': '<i4', 'fortran_order': False, 'shape': (0, {10**30}), }}"
    ),
    "a shape below nothing": npy(
        "{'descr': '<i4', 'fortran_order': False, 'shape': (-1, -2), }", bytes(8)
    ),
    "code in the header": npy("__import__('os').system('true')"),
    "a version of the future": b"\x93NUMPY\x63\x00" + bytes(200),
}


@pytest.mark.parametrize("case", MEMBERS)
def test_load_refuses_hostile_members(tmp_path, case):
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("labels.npy", MEMBERS[case])
    with pytest.raises(ValueError, match=r"^path must be "):
        KMeansResult.load(path)
    assert not Bomb.armed, "a file executed what it held"


def test_bomb_explodes_if_unpickled(tmp_path):
    np.load(io.BytesIO(pickled()), allow_pickle=True)
    assert Bomb.armed
    Bomb.armed = False


def test_load_refuses_large_content_before_decoding(fitted, tmp_path, monkeypatch):
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("labels.npy", bytes(50_000_000))
    assert path.stat().st_size < 100_000
    monkeypatch.setattr(room, "_read_member", lambda *a: pytest.fail("it was decoded"))
    with pytest.raises(ValueError, match=r"at most max_bytes=1,000,000 bytes.*50,000,000"):
        KMeansResult.load(path, max_bytes=1_000_000)


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x05\x06" + bytes(18), b"\x93NUMPY"])
def test_load_refuses_other_files(tmp_path, content):
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"^path must be "):
        KMeansResult.load(path)

"""Indexes: the common contract, an oracle for each, and laws of their parts."""

from __future__ import annotations

import itertools
import pickle
import threading
import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_sample_images
from sklearn.exceptions import NotFittedError
from sklearn.neighbors import NearestNeighbors

from annlab._support.errors import AnnlabWarning
from annlab.distances import k_nearest, paired_sq
from annlab.indexes import available_indexes, hnsw, index_class, make_index
from annlab.indexes._base import Frame, NeighborIndex
from annlab.indexes.lsh import p_stable_collision, probing_sequence
from annlab.indexes.walk import NavigableGraph, count_distances, greedy_walk

#: label -> (name, parameters); small settings, so that approximate indexes really approximate
CASES = {
    "brute": ("brute", {}),
    "kd_tree": ("kd_tree", {"leaf_size": 5}),
    "ball_tree": ("ball_tree", {"leaf_size": 5}),
    "lsh p-stable": ("lsh", {"family": "p-stable", "n_tables": 4}),
    "lsh hyperplane": ("lsh", {"family": "hyperplane", "n_tables": 4}),
    "hnsw hnswlib": ("hnsw", {"M": 4, "ef": 10, "backend": "hnswlib"}),
    "hnsw faiss": ("hnsw", {"M": 4, "ef": 10, "backend": "faiss"}),
    "pq": ("pq", {"n_subspaces": 4, "n_codes": 16, "rerank": 8, "max_iter": 5}),
    "faiss Flat": ("faiss", {"factory": "Flat"}),
    "faiss HNSW": ("faiss", {"factory": "HNSW8", "ef": 10}),
    "faiss SQ": ("faiss", {"factory": "SQ8"}),
}
#: A new index is tested with its defaults until it has a case of its own.
CASES |= {
    name: (name, {}) for name in available_indexes() if name not in {n for n, _ in CASES.values()}
}
EXACT = [
    "faiss Flat",
    *(label for label, (name, _) in CASES.items() if name != "faiss" and index_class(name).exact),
]
APPROXIMATE = [label for label in CASES if label not in EXACT]


def make(label, **more):
    name, params = CASES[label]
    if name == "faiss" or params.get("backend") == "faiss":
        pytest.importorskip("faiss")
    if params.get("backend") == "hnswlib":
        pytest.importorskip("hnswlib")
    index = make_index(name, **{**params, **more})
    if "random_state" in index.get_params() and "random_state" not in more:
        index.set_params(random_state=0)
    return index


def lsh(X, n_tables, n_hashes, **more):
    return make_index("lsh", n_tables=n_tables, n_hashes=n_hashes, random_state=0, **more).fit(X)


@pytest.fixture(autouse=True)
def _stand_in_known(monkeypatch):
    """Silence the warning that faiss replaces hnswlib, which has a test of its own."""
    monkeypatch.setattr(hnsw, "_stand_in_announced", True)


@pytest.fixture(params=list(CASES))
def label(request):
    return request.param


@pytest.fixture
def faiss():
    return pytest.importorskip("faiss")


@pytest.fixture
def hnswlib():
    return pytest.importorskip("hnswlib")


def gauss(n, d, seed=0, dtype=np.float64):
    return np.random.RandomState(seed).standard_normal((n, d)).astype(dtype)


def patches(n, seed=0):
    """Return n real 8×8×3 patches, (n, 192) float32, half from each photo."""
    rng = np.random.RandomState(seed)
    out = []
    for image in load_sample_images().images:
        windows = np.lib.stride_tricks.sliding_window_view(image, (8, 8, 3))[:, :, 0]
        rows, columns = (rng.randint(size, size=n) for size in windows.shape[:2])
        out.append(windows[rows, columns].reshape(n, -1))
    return rng.permutation(np.concatenate(out))[:n].astype(np.float32)


def recall_at_1(index, X, Q, **params):
    """Return the share of answers as near as the true nearest row (ties count)."""
    truth = k_nearest(Q, X, 1)[0][:, 0]
    found = index.kneighbors(Q, 1)[0][:, 0]
    return float(np.mean(found <= truth * (1 + 1e-5) + 1e-9))


# ---------------------------------------------------------------- the contract, for every index


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_neighbors", [1, 5])
def test_kneighbors_answers(label, dtype, n_neighbors):
    X, Q = gauss(200, 6, 0, dtype), gauss(90, 6, 1, dtype)
    index = make(label).fit(X)
    distances, indices = index.kneighbors(Q, n_neighbors)
    assert distances.shape == indices.shape == (90, n_neighbors)
    assert distances.dtype == np.float64 and indices.dtype == np.int64
    assert indices.min() >= 0 and indices.max() < 200
    assert all(len(set(row)) == n_neighbors for row in indices.tolist())
    assert (np.diff(distances, axis=1) >= 0).all()
    np.testing.assert_array_equal(distances, np.sqrt(paired_sq(Q, X, indices)))
    np.testing.assert_array_equal(index.kneighbors(Q, n_neighbors, return_distance=False), indices)
    assert (index.n_samples_fit_, index.n_features_in_) == (200, 6)


def test_kneighbors_returns_all_rows(label):
    X, Q = gauss(40, 5), gauss(7, 5, 1)
    distances, indices = make(label).fit(X).kneighbors(Q, 40)
    np.testing.assert_array_equal(np.sort(indices, axis=1), np.tile(np.arange(40), (7, 1)))
    np.testing.assert_allclose(distances, k_nearest(Q, X, 40)[0])


def test_duplicates_are_found_in_order(label):
    base = gauss(60, 5)
    X = np.concatenate([base, base, base])
    index = make(label, **({"ef": 64} if label == "hnsw faiss" else {})).fit(X)
    indices = index.kneighbors(base, 3)[1]
    found = (indices == np.arange(60)[:, None] + [0, 60, 120]).all(axis=1)
    # HNSW of faiss itself knows nothing of duplicates, and PQ's codes may be shared by others
    assert found.mean() == 1.0 if label in EXACT or "hnsw" in label else found.mean() > 0.6
    nearest = index.kneighbors(base, 1)[1][:, 0]
    hit = nearest % 60 == np.arange(60)
    if label in EXACT or label.startswith(("lsh", "hnsw")):
        assert (nearest[hit] < 60).all()
    assert hit.mean() > 0.95


@pytest.mark.parametrize("n", [1, 2, 50])
def test_kneighbors_of_equal_rows(label, n):
    X = np.full((n, 3), 2.5)
    distances, indices = make(label).fit(X).kneighbors(np.array([[2.5, 2.5, 3.5]]), n)
    np.testing.assert_array_equal(indices, [np.arange(n)])
    np.testing.assert_array_equal(distances, np.ones((1, n)))


def test_index_clones_and_pickles(label):
    X, Q = gauss(150, 6), gauss(40, 6, 1)
    index = make(label)
    name, params = CASES[label]
    assert params.items() <= index.get_params().items()
    fitted = index.fit(X)
    assert fitted is index
    twin = clone(index)
    assert twin.get_params() == index.get_params() and not hasattr(twin, "X_")
    with pytest.raises(NotFittedError):
        twin.kneighbors(Q)
    expected = index.kneighbors(Q, 4)
    for other in (twin.fit(X), pickle.loads(pickle.dumps(index))):
        for a, b in zip(other.kneighbors(Q, 4), expected, strict=True):
            np.testing.assert_array_equal(a, b)
    assert name in repr(type(index).name)


@pytest.mark.parametrize(
    ("Q", "n_neighbors", "words"),
    [
        ([[np.nan, 0.0, 0.0]], 1, "Q must be free of NaN"),
        ([[1.0, 2.0]], 1, "Q must be an array with 3 columns"),
        (None, 1, "Q must be an array of queries"),
        ([[0.0] * 3], 0, "n_neighbors must be an integer >= 1"),
        ([[0.0] * 3], 21, "n_neighbors must be an integer >= 1 and <= 20; got 21"),
    ],
)
def test_bad_queries_are_named(label, Q, n_neighbors, words):
    index = make(label).fit(gauss(20, 3))
    with pytest.raises((ValueError, TypeError), match=words):
        index.kneighbors(Q, n_neighbors)


@pytest.mark.parametrize(
    ("name", "params", "words"),
    [
        ("brute", {"n_jobs": 0}, "n_jobs must be"),
        ("brute", {"metric": "manhattan"}, "metric must be one of"),
        ("ball_tree", {"leaf_size": 1.5}, "leaf_size must be"),
        ("lsh", {"family": "sign"}, "family must be one of"),
        ("lsh", {"n_tables": 0}, "n_tables must be"),
        ("lsh", {"n_hashes": 63}, "n_hashes must be"),
        ("lsh", {"width": 0.0}, "width must be"),
        ("lsh", {"n_probes": 0}, "n_probes must be"),
        ("lsh", {"random_state": -1}, "random_state must be"),
        ("hnsw", {"M": 1}, "M must be"),
        ("hnsw", {"ef_construction": 0}, "ef_construction must be"),
        ("hnsw", {"ef": 0}, "ef must be"),
        ("hnsw", {"backend": "annoy"}, "backend must be one of"),
        ("pq", {"n_subspaces": 0}, "n_subspaces must be"),
        ("pq", {"n_codes": 1}, "n_codes must be"),
        ("pq", {"rerank": 0}, "rerank must be"),
        ("pq", {"max_iter": 0}, "max_iter must be"),
        ("faiss", {"factory": "Nonsense"}, "factory must be .*Nonsense"),
        ("faiss", {"factory": 7}, "factory must be an index_factory string"),
        ("faiss", {"factory": "IVF64,Flat"}, "factory must be trainable on the 20 rows"),
        ("faiss", {"factory": "PQ3"}, "factory must be trainable on the 20 rows"),
        ("faiss", {"factory": "PCA9,Flat"}, "factory must be trainable .*dimensions"),
        ("faiss", {"factory": "HNSW1"}, "factory must be an HNSW with at least 2 links"),
        ("faiss", {"factory": "Flat", "nprobe": 2}, "nprobe must be a setting"),
        ("faiss", {"factory": "IVF4,Flat", "ef": 8}, "ef must be a setting"),
        ("faiss", {"factory": "IVF4,Flat", "nprobe": 0}, "nprobe must be"),
        ("faiss", {"search_params": {"foo": 1}}, "search_params must be a setting"),
        ("faiss", {"search_params": "nprobe=3"}, "search_params must be a dict"),
    ],
)
def test_bad_parameters_keep_an_earlier_fit(name, params, words):
    if name == "faiss":
        pytest.importorskip("faiss")
    X = gauss(20, 3)
    index = make_index(name).fit(X)
    index.set_params(**params)
    with pytest.raises((ValueError, TypeError), match=words):
        index.fit(X + 1.0).kneighbors(X, 1)
    index.set_params(**make_index(name).get_params())
    np.testing.assert_array_equal(index.kneighbors(X, 1)[1][:, 0], np.arange(20))


def test_make_index_refuses_unknown_names_and_parameters():
    with pytest.raises(ValueError, match="name must be one of 'brute'"):
        make_index("annoy")
    with pytest.raises(ValueError, match=r"params must be one of .*efs"):
        make_index("hnsw", efs=3)
    for name in available_indexes():
        assert issubclass(index_class(name), NeighborIndex) and index_class(name).name == name
        assert isinstance(make_index(name).exact, bool)


@pytest.mark.parametrize("label", APPROXIMATE)
def test_random_state_repeats_an_index(label):
    X, Q = gauss(400, 24), gauss(60, 24, 1)
    first, again = (make(label, random_state=3).fit(X).kneighbors(Q, 3) for _ in range(2))
    np.testing.assert_array_equal(first[1], again[1])
    np.testing.assert_array_equal(first[0], again[0])


def test_n_jobs_does_not_change_answers(label):
    X = gauss(300, 8, 0, np.float32)
    Q = gauss(3 * NeighborIndex.chunk_rows + 77, 8, 1, np.float32)
    answers = []
    for n_jobs in (1, 2, 4):
        index = make(label, n_jobs=n_jobs).fit(X)
        answers.append((*index.kneighbors(Q, 2), index.n_distances_))
    for other in answers[1:]:
        for a, b in zip(other, answers[0], strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("label", [c for c in CASES if not c.endswith("tree")])
def test_chunks_run_in_parallel(label, monkeypatch):
    # each search waits for another one to be under way: alone, it would time out
    meeting = threading.Barrier(2, timeout=60)
    index = make(label, n_jobs=2).fit(gauss(50, 4))
    search = type(index)._search

    def wait_and_search(self, Q, n_neighbors):
        meeting.wait()
        return search(self, Q, n_neighbors)

    monkeypatch.setattr(type(index), "_search", wait_and_search)
    Q = gauss(3 * NeighborIndex.chunk_rows + 5, 4, 1)
    assert len(index.kneighbors(Q, 1)[0]) == len(Q)


def test_cosine_answers(label):
    X, Q = gauss(150, 6) * np.arange(1, 151)[:, None], gauss(40, 6, 1) + 1.0
    index = make(label, metric="cosine").fit(X)
    distances, indices = index.kneighbors(Q, 3)
    cosines = np.einsum("ij,ikj->ik", Q, X[indices]) / (
        np.linalg.norm(Q, axis=1)[:, None] * np.linalg.norm(X[indices], axis=2)
    )
    np.testing.assert_allclose(distances, 1.0 - cosines, atol=1e-12)
    truth = NearestNeighbors(metric="cosine", algorithm="brute").fit(X).kneighbors(Q, 3)[1]
    hits = np.mean([len(set(a) & set(b)) / 3 for a, b in zip(indices, truth, strict=True)])
    assert hits == 1.0 if label in EXACT else hits > 0.6
    zero = index.kneighbors(np.zeros((1, 6)), 2)[0]
    np.testing.assert_allclose(zero, 0.5)


@pytest.mark.parametrize(
    ("dtype", "shift", "scale"),
    [
        (np.float32, 1e4, 1.0),
        (np.float64, 1e7, 1.0),
        (np.float32, 0.0, 1e-18),
        (np.float32, 0.0, 1e25),
        (np.float64, 0.0, 1e60),
        (np.float64, 0.0, 1e-40),
    ],
)
def test_offset_and_scale_keep_answers(label, dtype, shift, scale):
    X = ((gauss(200, 6) + shift) * scale).astype(dtype)
    Q = ((gauss(80, 6, 1) + shift) * scale).astype(dtype)
    plain = X.astype(np.float64) / scale - shift, Q.astype(np.float64) / scale - shift
    truth = k_nearest(plain[1], plain[0], 1)[1][:, 0]
    found = make(label).fit(X).kneighbors(Q, 1)[1][:, 0]
    assert np.mean(found == truth) >= (1.0 if label in EXACT else 0.6)


def test_far_query_is_answered(label):
    X = gauss(50, 3, 0, np.float32)
    distances, indices = make(label).fit(X).kneighbors(np.full((2, 3), 1e18, np.float32), 2)
    assert np.isfinite(distances).all() and (indices >= 0).all()


# --------------------------------------------------------------------------------------- knobs


def test_knobs_are_parameters(label):
    index = make(label)
    params = index.get_params()
    assert bool(index.knobs) is not index.exact or label == "faiss SQ"
    for knob, ladder in index.knobs.items():
        assert knob in params and list(ladder) == sorted(set(ladder)) and len(ladder) >= 3
    assert set(index.query_knobs) <= set(params)
    X = gauss(30, 4)
    for knob in set(index.knobs) - set(index.query_knobs):
        with pytest.raises(ValueError, match="no rebuild"):
            index.fit(X).set_query_params(**{knob: index.knobs[knob][0]})


@pytest.mark.parametrize(
    ("name", "params", "knob", "inner"),
    [
        ("lsh", {}, "n_probes", "_order"),
        ("hnsw", {"ef_construction": 50}, "ef", "graph_"),
        ("pq", {"n_subspaces": 8, "n_codes": 64}, "rerank", "codes_"),
        ("faiss", {"factory": "IVF40,Flat"}, "nprobe", "index_"),
        ("faiss", {"factory": "HNSW8"}, "ef", "index_"),
    ],
)
def test_query_knob_raises_recall(name, params, knob, inner):
    if name == "faiss":
        pytest.importorskip("faiss")
    X, Q = gauss(1500, 24), gauss(200, 24, 1)
    index = make_index(name, random_state=0, **params).fit(X)
    before = getattr(index, inner)
    recalls = []
    for value in index.knobs[knob]:
        assert index.set_query_params(**{knob: value}) is index
        recalls.append(recall_at_1(index, X, Q))
    assert getattr(index, inner) is before
    assert all(b >= a - 0.02 for a, b in itertools.pairwise(recalls))
    assert recalls[-1] > max(0.75, recalls[0] + 0.1)
    # a bad value is refused, and nothing has changed
    with pytest.raises((ValueError, TypeError), match=knob):
        index.set_query_params(**{knob: 0})
    assert recall_at_1(index, X, Q) == recalls[-1]


# ------------------------------------------------------------------------- oracles: exact ones


@pytest.mark.parametrize("label", EXACT)
@pytest.mark.parametrize("n_neighbors", [1, 2, 6])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shift", [0, 5000])
def test_ties_go_to_the_lowest_index(label, n_neighbors, dtype, shift):
    rng = np.random.RandomState(0)
    # a coarse grid: ties of equal rows and of different rows at the same distance, long ones too
    X, Q = rng.randint(0, 5, (400, 3)), rng.randint(0, 5, (200, 3))
    squared = ((Q[:, None, :] - X[None, :, :]) ** 2).sum(axis=2)
    expected = np.argsort(squared, axis=1, kind="stable")[:, :n_neighbors]
    index = make(label).fit((X + shift).astype(dtype))
    np.testing.assert_array_equal(
        index.kneighbors((Q + shift).astype(dtype), n_neighbors)[1], expected
    )


@pytest.mark.parametrize("label", EXACT)
def test_exact_index_resolves_tight_bunches(label):
    # tight bunches: within one, rows differ by less than float32 can tell
    bunches = gauss(12, 5)
    X = np.repeat(bunches, 30, axis=0) + 1e-9 * gauss(360, 5, 1)
    Q = bunches[:, None].repeat(5, axis=1).reshape(60, 5) + 1e-9 * gauss(60, 5, 2)
    squared = ((Q[:, None, :] - X[None, :, :]) ** 2).sum(axis=2)
    for n_neighbors in (1, 4):
        found = make(label).fit(X).kneighbors(Q, n_neighbors)[1]
        expected = np.argsort(squared, axis=1, kind="stable")[:, :n_neighbors]
        np.testing.assert_array_equal(found, expected)


def test_distance_counts_of_exact_indexes():
    X, Q = gauss(2000, 2), gauss(50, 2, 1)
    brute = make("brute").fit(X)
    brute.kneighbors(Q, 5)
    assert brute.n_distances_ == 50 * 2000
    brute.kneighbors(Q[:3], 1)
    assert brute.n_distances_ == 3 * 2000
    for label in ("kd_tree", "ball_tree"):
        one_leaf = make(label, leaf_size=2000).fit(X)
        one_leaf.kneighbors(Q, 1)
        assert 50 * 2000 <= one_leaf.n_distances_ <= 50 * 2002
        tree = make(label, leaf_size=10).fit(X)
        tree.kneighbors(Q, 1)
        assert 50 < tree.n_distances_ < 0.25 * 50 * 2000
        flat = make(label, leaf_size=10).fit(gauss(500, 60))
        flat.kneighbors(gauss(50, 60, 1), 1)
        assert flat.n_distances_ > 0.9 * 50 * 500, "at d = 60 no tree saves anything"


@pytest.mark.parametrize("label", ["brute", "lsh p-stable", "lsh hyperplane"])
@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("shift", [0.0, 500.0])
def test_sparse_queries_equal_dense_ones(label, metric, shift):
    X = sparse.random(300, 40, 0.2, "csr", random_state=0)
    Q = sparse.random(400, 40, 0.2, "csr", random_state=1)
    X = X.toarray() + shift
    index = make(label, metric=metric).fit(X)
    expected, dense_count = index.kneighbors(Q.toarray(), 3), index.n_distances_
    answer = index.kneighbors(Q, 3)
    np.testing.assert_allclose(answer[0], expected[0], atol=1e-6)
    assert np.mean(answer[1] == expected[1]) > 0.998
    assert index.n_distances_ == pytest.approx(dense_count, rel=1e-3)
    twin = make(label, metric=metric).fit(sparse.csr_matrix(X))
    np.testing.assert_array_equal(twin.kneighbors(Q, 3)[1], answer[1])


# ----------------------------------------------------------------- oracles: recall at defaults

#: label -> least recall@1 at default parameters over 4,096 rows, on (patches, gaussian d = 64)
RECALL = {"lsh": (0.85, 0.4), "hnsw": (0.99, 0.99), "pq": (0.99, 0.99)}


@pytest.mark.parametrize("name", list(RECALL))
@pytest.mark.parametrize("data", [0, 1], ids=["patches", "gaussian"])
def test_default_recall(name, data):
    if data == 0:
        rows = patches(4096 + 1500)
    else:
        rows = gauss(4096 + 1500, 64, 0, np.float32)
    X, Q = rows[:4096], rows[4096:]
    params = {"max_iter": 5} if name == "pq" else {}
    index = make_index(name, random_state=0, **params).fit(X)
    assert recall_at_1(index, X, Q) >= RECALL[name][data]
    if index.n_distances_ is not None:
        assert index.n_distances_ < 0.6 * len(Q) * len(X)


# ------------------------------------------------------------------------------------ hashing


def at_angle(theta, d, seed):
    """Return two vectors of length 1 and 3 at an angle of theta."""
    basis = np.linalg.qr(gauss(d, 2, seed))[0].T
    return basis[0], 3.0 * (np.cos(theta) * basis[0] + np.sin(theta) * basis[1])


@pytest.mark.parametrize("theta", [0.05, 0.5, 1.2, np.pi / 2, 2.5, np.pi])
def test_hyperplane_collision_rate(theta):
    index = lsh(np.eye(20), 200, 60, family="hyperplane", metric="cosine")
    a, b = index.hashes(np.stack(at_angle(theta, 20, 1)))
    trials, law = a.size, 1.0 - theta / np.pi
    assert abs(np.mean(a == b) - law) <= 4 * np.sqrt(max(law * (1 - law), 1e-9) / trials)


@pytest.mark.parametrize("distance", [0.1, 1.0, 3.0, 10.0])
def test_p_stable_collision_rate(distance):
    X = gauss(50, 20)
    step = gauss(1, 20, 7)[0]
    a, b = lsh(X, 200, 60, width=4.0).hashes(
        np.stack([X[0], X[0] + distance * step / np.linalg.norm(step)])
    )
    law = float(p_stable_collision(distance, 4.0))
    # the slabs' offsets are shared by both, the directions are not: 12,000 independent trials
    assert abs(np.mean(a == b) - law) <= 4 * np.sqrt(law * (1 - law) / a.size)


@pytest.mark.parametrize("family", ["hyperplane", "p-stable"])
@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_lsh_candidates_equal_those_of_dictionaries(family, metric):
    X, Q = gauss(300, 5), gauss(80, 5, 1)
    index = lsh(X, 3, 4, family=family, metric=metric, n_probes=1)
    rows, queries = index.hashes(X), index.hashes(Q)
    tables = [{} for _ in range(3)]
    for i, row in enumerate(rows):
        for table, key in zip(tables, row, strict=True):
            table.setdefault(tuple(key), set()).add(i)
    distances_sq, count, expected = k_nearest(Q, X, 300, metric=metric), 0, []
    order = distances_sq[1]
    for q, keys in enumerate(queries):
        mates = set().union(
            *(table.get(tuple(key), set()) for table, key in zip(tables, keys, strict=True))
        )
        count += len(mates) if len(mates) >= 2 else len(mates) + 300
        expected.append([i for i in order[q] if i in mates or len(mates) < 2][:2])
    np.testing.assert_array_equal(index.kneighbors(Q, 2)[1], expected)
    assert index.n_distances_ == count


@pytest.mark.parametrize("family", ["hyperplane", "p-stable"])
def test_lsh_probes_the_nearest_buckets(family):
    X, Q = gauss(100, 6), gauss(20, 6, 1)
    index = lsh(X, 2, 5, family=family, n_probes=12)
    positions = index._positions(index._frame.apply(Q))
    probes = index._probes(positions)
    sets = probing_sequence(5, 12, family)
    multipliers = [int(m) for m in index._multipliers]
    for q, table in itertools.product(range(20), range(2)):
        z = positions[q, table]
        cells = [int(c) for c in index.hashes(Q[q : q + 1])[0, table]]
        if family == "hyperplane":
            walls = sorted((abs(z[i]), i, 1 - 2 * cells[i]) for i in range(5))
        else:
            walls = [(z[i] - cells[i], i, -1) for i in range(5)]
            walls = sorted(walls + [(cells[i] + 1 - z[i], i, 1) for i in range(5)])
        for p, ranks in enumerate(sets):
            moved = list(cells)
            for rank in ranks:
                moved[walls[rank][1]] += walls[rank][2]
            code = sum(c * m for c, m in zip(moved, multipliers[5 * table :][:5], strict=True))
            assert int(probes[q, table, p]) == code % 2**64


@pytest.mark.parametrize("family", ["hyperplane", "p-stable"])
def test_probing_sequence_is_sorted_and_complete(family):
    h = 4
    walls = range(h if family == "hyperplane" else 2 * h)
    every = [
        ranks
        for size in range(h + 1)
        for ranks in itertools.combinations(walls, size)
        if family == "hyperplane" or all(2 * h - 1 - r not in ranks for r in ranks)
    ]
    sequence = probing_sequence(h, 10**6, family)
    assert sorted(sequence) == sorted(every) and sequence[0] == ()
    assert probing_sequence(h, 5, family) == sequence[:5]


# ------------------------------------------------------------------------------- graph and walk


@pytest.fixture(scope="module")
def graph_index():
    pytest.importorskip("hnswlib")
    X = gauss(1500, 12, 0, np.float32)
    return make_index("hnsw", M=6, ef_construction=40, ef=16, random_state=0).fit(X)


@pytest.mark.parametrize("ef", [1, 4, 100])
def test_walk_answers_as_hnswlib(graph_index, ef):
    graph = NavigableGraph.from_index(graph_index)
    Q = gauss(120, 12, 1, np.float32)
    wanted = min(ef, 10)
    graph_index.graph_.set_ef(ef)
    nodes, squared = graph_index.graph_.knn_query(Q, wanted, num_threads=1)
    for query, expected, expected_sq in zip(Q, nodes, squared, strict=True):
        hops = greedy_walk(graph, query, ef)
        assert hops[-1].found[:wanted] == tuple(expected.tolist())
        np.testing.assert_allclose(
            np.square(hops[-1].found_distances[:wanted]), expected_sq, rtol=1e-5
        )
        assert count_distances(graph, query, ef) == hops[-1].n_distances


def test_graph_structure(graph_index):
    graph = NavigableGraph.from_index(graph_index)
    n, M = 1500, graph_index.M
    np.testing.assert_array_equal(np.sort(graph.rows), np.arange(n))
    np.testing.assert_array_equal(graph.vectors, graph_index.X_[graph.rows])
    assert graph.n_layers == graph.levels.max() + 1 and graph.levels[graph.entry_point] == max(
        graph.levels
    )
    for layer in range(graph.n_layers):
        inside = graph.levels >= layer
        np.testing.assert_array_equal(graph.nodes(layer), np.flatnonzero(inside))
        sizes = np.array([len(row) for row in graph.links[layer]])
        assert (sizes[~inside] == 0).all() and sizes.max() <= (2 * M if layer == 0 else M)
        edges = graph.edges(layer)
        assert len(edges) == sizes.sum() and inside[edges].all()
        assert (edges[:, 0] != edges[:, 1]).all()
    assert (np.array([len(row) for row in graph.links[0]]) > 0).all()


@pytest.mark.parametrize("source", ["hnswlib", "faiss", "plain"])
def test_hops_are_consistent(source):
    X, Q = gauss(500, 5), gauss(25, 5, 1)
    if source == "plain":
        graph = NavigableGraph.build(X[:200], M=5, random_state=0)
    else:
        pytest.importorskip(source)
        index = make_index("hnsw", M=5, ef=8, random_state=0, backend=source).fit(X)
        graph = NavigableGraph.from_index(index)
    assert graph.n_layers > 1
    for query in Q:
        hops = greedy_walk(graph, query, ef=8)
        layers = [hop.layer for hop in hops]
        assert layers == sorted(layers, reverse=True)
        assert set(layers) == set(range(graph.n_layers))
        assert hops[0].node == graph.entry_point
        total, known, best = 1, {graph.entry_point}, np.inf
        for before, hop in zip([None, *hops], hops, strict=False):
            if before is None or before.layer != hop.layer:
                known = {hop.node}
                assert before is None or hop.node == before.best
            else:
                assert hop.node in before.waiting
            assert hop.neighbors == tuple(graph.links[hop.layer][hop.node])
            assert set(hop.visited) == set(hop.neighbors) - known
            assert set(hop.skipped) == set(hop.neighbors) & known
            assert set(hop.accepted) <= set(hop.visited)
            known |= set(hop.visited)
            total += len(hop.visited)
            assert hop.n_distances == total
            assert hop.best_distance <= best
            best = hop.best_distance
            assert (hop.found[0], hop.found_distances[0]) == (hop.best, hop.best_distance)
            assert list(hop.found_distances) == sorted(hop.found_distances)
            assert len(hop.found) <= (8 if hop.layer == 0 else 1)
            for node, distance in zip(
                (hop.node, *hop.visited), (hop.node_distance, *hop.visited_distances), strict=True
            ):
                assert distance == pytest.approx(
                    np.linalg.norm(graph.vectors[node] - query), rel=1e-5
                )
            assert f"layer {hop.layer}, at node {hop.node}" in str(hop)


def test_plain_graph_finds_nearest_rows():
    X, Q = gauss(300, 3), gauss(60, 3, 1)
    graph = NavigableGraph.build(X, random_state=0)
    truth = k_nearest(Q, X, 5)[1]
    found = [greedy_walk(graph, query, 40)[-1].found[:5] for query in Q]
    hits = np.mean([len(set(a) & set(b)) / 5 for a, b in zip(found, truth.tolist(), strict=True)])
    assert hits >= 0.98
    assert max(len(row) for row in graph.links[0]) <= 12
    again = NavigableGraph.build(X, random_state=0)
    for layer in range(graph.n_layers):
        np.testing.assert_array_equal(graph.edges(layer), again.edges(layer))
    narrow, wide = (
        np.mean([greedy_walk(graph, query, ef)[-1].n_distances for query in Q]) for ef in (1, 60)
    )
    assert narrow < wide / 2


def test_equal_rows_share_a_node():
    X = np.repeat(gauss(30, 4), 3, axis=0)
    graph = NavigableGraph.build(X, random_state=0)
    np.testing.assert_array_equal(graph.rows, np.arange(0, 90, 3))
    pytest.importorskip("hnswlib")
    index = make_index("hnsw", random_state=0, backend="hnswlib").fit(X)
    assert index.graph_.get_current_count() == 30
    # without that, 100 copies of each row leave hnswlib with islands
    many = np.repeat(gauss(60, 8), 100, axis=0)
    assert (
        recall_at_1(make_index("hnsw", ef=10, random_state=0).fit(many), many, gauss(300, 8, 1))
        > 0.97
    )


def test_walk_errors_name_the_parameter():
    graph = NavigableGraph.build(gauss(20, 3), random_state=0)
    with pytest.raises(ValueError, match="ef must be"):
        greedy_walk(graph, np.zeros(3), 0)
    with pytest.raises(ValueError, match="query must be an array with 3 columns"):
        greedy_walk(graph, np.zeros(2))
    with pytest.raises(TypeError, match="index must be a fitted HNSWIndex"):
        NavigableGraph.from_index(make_index("brute"))
    with pytest.raises(NotFittedError):
        NavigableGraph.from_index(make_index("hnsw"))
    with pytest.raises(ValueError, match="M must be"):
        NavigableGraph.build(gauss(20, 3), M=1)
    with pytest.raises(ValueError, match="metric must be"):
        NavigableGraph.build(gauss(20, 3), metric="l1")


# ------------------------------------------------------------------------------------------ HNSW


def test_hnsw_counts_distances_on_request(graph_index):
    Q = gauss(500, 12, 1, np.float32)
    index = clone(graph_index).fit(graph_index.X_)
    plain = index.kneighbors(Q, 3)
    assert index.n_distances_ is None
    index.set_params(count_distances=True)
    counted = index.kneighbors(Q, 3)
    np.testing.assert_array_equal(plain[1], counted[1])
    graph = NavigableGraph.from_index(index)
    every = sum(count_distances(graph, query, 16) for query in Q)
    assert isinstance(index.n_distances_, int)
    assert index.n_distances_ == pytest.approx(every, rel=0.1)
    assert every < 0.3 * 500 * 1500
    index.kneighbors(Q[:5], 1)
    assert index.n_distances_ == sum(count_distances(graph, query, 16) for query in Q[:5])
    # asked for more than ef, a search keeps as many as it needs
    index.kneighbors(Q[:5], 60)
    assert index.n_distances_ == sum(count_distances(graph, query, 62) for query in Q[:5])
    index.kneighbors(Q[:5], 1000)
    assert index.n_distances_ == 5 * 1500


def test_hnsw_on_faiss_counts_distances(faiss):
    X, Q = gauss(1500, 12), gauss(200, 12, 1)
    counts = {}
    for backend in ("hnswlib", "faiss"):
        if backend == "hnswlib":
            pytest.importorskip("hnswlib")
        index = make_index(
            "hnsw", ef=16, count_distances=True, backend=backend, random_state=0, n_jobs=2
        ).fit(X)
        index.kneighbors(Q, 1)
        counts[backend] = index.n_distances_
    assert counts["faiss"] == pytest.approx(counts["hnswlib"], rel=0.25)


def test_hnsw_chooses_ef_on_held_out_rows():
    easy, hard = gauss(2000, 3), gauss(2000, 48)
    low, high = (make_index("hnsw", random_state=0).fit(X).ef_ for X in (easy, hard))
    assert low < high
    index = make_index("hnsw", random_state=0).fit(easy)
    # the rows that were held out are in the graph in the end
    np.testing.assert_array_equal(index.kneighbors(easy, 1)[1][:, 0], np.arange(2000))
    assert index.set_query_params(ef=77).ef_ == 77
    assert index.set_query_params(ef="auto").ef_ == low


def test_hnsw_completes_short_answers(hnswlib, monkeypatch):
    X, Q = gauss(300, 4), gauss(40, 4, 1)
    index = make_index("hnsw", random_state=0, backend="hnswlib").fit(X)
    expected = k_nearest(Q, X, 3)[1]
    real = index._engine.graph

    class Broken:
        """A graph that fails for batches, and for every second query."""

        def set_ef(self, ef):
            real.set_ef(ef)

        def knn_query(self, queries, k, num_threads):
            if len(queries) > 1 or queries[0, 0] > 0:
                raise RuntimeError("Cannot return the results in a contiguous 2D array.")
            return real.knn_query(queries, k, num_threads=num_threads)

    monkeypatch.setattr(index._engine, "graph", Broken())
    np.testing.assert_array_equal(index.kneighbors(Q, 3)[1], expected)


def test_hnsw_warns_once_about_faiss(faiss, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "hnswlib", None)
    monkeypatch.setattr(hnsw, "_stand_in_announced", False)
    X = gauss(100, 4)
    with pytest.warns(AnnlabWarning, match="hnswlib cannot be imported.*faiss"):
        index = make_index("hnsw", random_state=0).fit(X)
    assert index.backend_ == "faiss"
    np.testing.assert_array_equal(index.kneighbors(X, 1)[1][:, 0], np.arange(100))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make_index("hnsw", random_state=0).fit(X)
    with pytest.raises(ImportError, match="backend must be a library that can be imported"):
        make_index("hnsw", backend="hnswlib").fit(X)
    monkeypatch.setitem(__import__("sys").modules, "faiss", None)
    with pytest.raises(ImportError, match=r'pip install "annlab-kmeans\[lab\]"'):
        make_index("hnsw").fit(X)


# ------------------------------------------------------------------------- product quantization


@pytest.mark.parametrize(
    ("d", "n_subspaces", "sizes"), [(8, 4, [2] * 4), (7, 3, [3, 2, 2]), (2, 9, [1, 1])]
)
def test_pq_distances_equal_plain_loops(d, n_subspaces, sizes):
    X, Q = gauss(200, d), gauss(15, d, 1)
    index = make_index("pq", n_subspaces=n_subspaces, n_codes=12, random_state=0).fit(X)
    assert np.diff(index.splits_).tolist() == sizes
    assert [book.shape for book in index.codebooks_] == [(12, size) for size in sizes]
    adc = index.asymmetric_sq(Q)
    for q, i in itertools.product(range(15), range(0, 200, 7)):
        expected = 0.0
        for m, book in enumerate(index.codebooks_):
            piece = Q[q, index.splits_[m] : index.splits_[m + 1]]
            centroid = book[index.codes_[i, m]]
            expected += sum(
                (float(a) - float(b)) ** 2 for a, b in zip(piece, centroid, strict=True)
            )
        assert adc[q, i] == pytest.approx(expected, rel=1e-9, abs=1e-9)
    decoded = index.decode(index.codes_)
    np.testing.assert_allclose(adc, ((Q[:, None] - decoded[None]) ** 2).sum(axis=2), atol=1e-9)
    assert index.quantization_error_ == pytest.approx(np.mean(((X - decoded) ** 2).sum(axis=1)))
    # a code is the nearest centroid of its piece
    np.testing.assert_array_equal(index.encode(X), index.codes_)
    for m, book in enumerate(index.codebooks_):
        piece = X[:, index.splits_[m] : index.splits_[m + 1]]
        np.testing.assert_array_equal(k_nearest(piece, book, 1)[1][:, 0], index.codes_[:, m])


def test_pq_without_rerank_uses_codes():
    X, Q = gauss(300, 8), gauss(60, 8, 1)
    index = make_index("pq", n_subspaces=2, n_codes=8, rerank=1, random_state=0).fit(X)
    adc = index.asymmetric_sq(Q)
    chosen = index.kneighbors(Q, 1)[1][:, 0]
    np.testing.assert_allclose(adc[np.arange(60), chosen], adc.min(axis=1))
    assert index.n_distances_ == 60 * 8 and index.n_lookups_ == 60 * 300 * 2
    low = recall_at_1(index, X, Q)
    index.set_query_params(rerank=300)
    assert low < 0.9 and recall_at_1(index, X, Q) == 1.0
    assert index.n_distances_ == 60 * (8 + 300)


def test_pq_with_few_rows_is_lossless():
    X = np.concatenate([gauss(40, 6), gauss(40, 6)])
    index = make_index("pq", n_subspaces=3, random_state=0).fit(X)
    assert [len(book) for book in index.codebooks_] == [40] * 3
    assert index.quantization_error_ == 0.0
    np.testing.assert_array_equal(index.decode(index.codes_), X)
    constant = make_index("pq", n_subspaces=3).fit(np.ones((10, 6)))
    assert constant.codes_.max() == 0 and constant.compressed_bytes_ == 4


def test_pq_sizes():
    X = gauss(1000, 16, 0, np.float32)
    index = make_index("pq", n_subspaces=4, n_codes=16, random_state=0).fit(X)
    assert index.codes_.dtype == np.uint8
    assert index.compressed_bytes_ == 1000 * 4 * 4 // 8
    assert index.original_bytes_ == 1000 * 16 * 4
    assert index.codebook_bytes_ == 16 * 16 * 4
    assert index.codebooks_[0].dtype == np.float32
    large = make_index("pq", n_subspaces=1, n_codes=300, max_iter=1, random_state=0).fit(X)
    assert large.codes_.dtype == np.uint16 and large.codes_.max() > 255
    assert large.compressed_bytes_ == -(-1000 * 9 // 8)


def test_pq_codebooks_are_in_data_coordinates():
    X = (gauss(300, 6) + 1e5).astype(np.float32)
    index = make_index("pq", n_subspaces=3, n_codes=64, random_state=0).fit(X)
    decoded = index.decode(index.codes_)
    assert abs(decoded.mean() - 1e5) < 1.0
    assert index.quantization_error_ < 1.5
    np.testing.assert_array_equal(index.encode(X), index.codes_)


@pytest.mark.parametrize(
    "codes", [[[0, 0]], [[0.0, 0.0, 0.0]], [[0, 0, 99]], [[0, -1, 0]], [0, 0, 0]]
)
def test_pq_decode_refuses_other_codes(codes):
    index = make_index("pq", n_subspaces=3, n_codes=4, random_state=0).fit(gauss(50, 6))
    with pytest.raises(ValueError, match="codes must be"):
        index.decode(codes)


# ----------------------------------------------------------------------------------------- faiss


def test_faiss_knobs_follow_the_factory(faiss):
    assert make_index("faiss", factory="Flat").exact and not make_index("faiss").exact
    assert list(make_index("faiss", factory="IVF4,Flat").knobs) == ["nprobe"]
    assert list(make_index("faiss", factory="HNSW16").knobs) == ["ef"]
    assert make_index("faiss", factory="PQ4").knobs == {}


def test_faiss_settings_apply_and_reset(faiss):
    X, Q = gauss(600, 8), gauss(100, 8, 1)
    index = make_index("faiss", factory="IVF24,Flat", random_state=0).fit(X)
    one = recall_at_1(index, X, Q)
    index.set_query_params(nprobe=24)
    np.testing.assert_array_equal(index.kneighbors(Q, 3)[1], k_nearest(Q, X, 3)[1])
    index.set_query_params(nprobe=None)
    assert recall_at_1(index, X, Q) == one < 0.9
    index.set_query_params(search_params={"nprobe": 24})
    assert recall_at_1(index, X, Q) == 1.0
    with pytest.raises(ValueError, match="search_params"):
        index.set_query_params(search_params={"nprobes": 24})
    assert recall_at_1(index, X, Q) == 1.0
    assert index.n_distances_ is None


def test_faiss_trains_silently_on_few_rows(faiss, capfd):
    X = gauss(100, 8)
    for factory in ("IVF8,Flat", "PQ4x4", "IVF8,PQ4x4", "HNSW8,PQ4x4", "PCA4,IVF4,Flat"):
        make_index("faiss", factory=factory, random_state=0).fit(X).kneighbors(X, 2)
    assert capfd.readouterr() == ("", "")


def test_faiss_restores_threads(faiss):
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(3)
    try:
        for name in ("faiss", "hnsw"):
            params = {"backend": "faiss"} if name == "hnsw" else {}
            index = make_index(name, n_jobs=1, **params).fit(gauss(300, 8))
            assert faiss.omp_get_max_threads() == 3
            index.kneighbors(gauss(50, 8, 1), 1)
            assert faiss.omp_get_max_threads() == 3
    finally:
        faiss.omp_set_num_threads(before)


def test_faiss_candidates_are_not_reranked(faiss):
    X, Q = gauss(800, 8), gauss(100, 8, 1)
    index = make_index("faiss", factory="PQ4x4", random_state=0).fit(X)
    truth = k_nearest(Q, X, 1)[1].ravel()
    raw = index.candidates(Q).ravel()
    np.testing.assert_array_equal(raw, index.index_.search(Q.astype(np.float32), 1)[1].ravel())
    assert (raw == truth).mean() < (index.kneighbors(Q, 1)[1].ravel() == truth).mean()
    assert index.candidates(Q, 7).shape == (100, 7)
    with pytest.raises(ValueError, match="n_neighbors must be"):
        index.candidates(Q, 801)
    far = make_index("faiss", factory="Flat").fit(X + 1e6)
    np.testing.assert_array_equal(far.candidates(X + 1e6).ravel(), np.arange(800))


@pytest.mark.parametrize("factory", ["IVF16,Flat", "PCA4,IVF16,SQ8", "IVF16,SQ8,RFlat"])
def test_faiss_counts_rows_of_searched_cells(faiss, factory):
    X, Q = gauss(800, 8), gauss(60, 8, 1)
    index = make_index("faiss", factory=factory, nprobe=3, random_state=0).fit(X)
    counts = index.compared(Q)
    faiss.cvar.indexIVF_stats.reset()
    index.candidates(Q)
    assert faiss.cvar.indexIVF_stats.ndis == counts.sum()
    assert (index.set_query_params(nprobe=16).compared(Q) == 800).all()


def test_faiss_counts_distances_of_walks(faiss):
    X, Q = gauss(800, 8), gauss(40, 8, 1)
    walk = make_index("faiss", factory="HNSW8", ef=4, random_state=0).fit(X)
    few = walk.compared(Q)
    assert 0 < few.mean() < walk.set_query_params(ef=64).compared(Q).mean() < 800
    assert (make_index("faiss", factory="SQ8").fit(X).compared(Q) == 800).all()


def test_faiss_trains_on_a_sample_on_request(faiss):
    # a row that trained leaves a trace in the mean
    X = np.eye(600, dtype=np.float32)
    for most, traces in ((None, 600), (256, 256), (1000, 600)):
        index = make_index(
            "faiss", factory="IVF1,Flat", random_state=0, max_points_per_centroid=most
        ).fit(X)
        head = faiss.extract_index_ivf(index.index_).quantizer.reconstruct(0)
        assert np.count_nonzero(head) == traces
    with pytest.raises(ValueError, match="max_points_per_centroid must be"):
        make_index("faiss", factory="IVF1,Flat", max_points_per_centroid=0).fit(X)


def test_faiss_polysemous_training_on_request(faiss):
    X = gauss(400, 8)
    plain = make_index("faiss", factory="PQ4x4", random_state=0).fit(X)
    ordered = make_index("faiss", factory="PQ4x4", random_state=0, search_params={"ht": 0}).fit(X)
    codes = [
        faiss.vector_to_array(faiss.downcast_index(one.index_).codes) for one in (plain, ordered)
    ]
    assert not np.array_equal(*codes), "the ordering renames the codewords"
    decoded = [one.index_.reconstruct_n(0, 400) for one in (plain, ordered)]
    np.testing.assert_array_equal(*decoded, err_msg="but keeps them")
    with pytest.raises(ValueError, match="search_params must be given at fit"):
        plain.set_query_params(search_params={"ht": 8})


@pytest.mark.parametrize("factory", ["PQ4x0", "IVF8,PQ4x0", "IVF8_HNSW1,Flat"])
def test_faiss_refuses_strings_that_crash(faiss, factory):
    with pytest.raises(ValueError, match="factory must be"):
        make_index("faiss", factory=factory).fit(gauss(100, 8))


# --------------------------------------------------------------------------- parts of the base


def test_frame_keeps_ordinary_data_and_integer_ties():
    X = gauss(100, 4)
    assert Frame(X).is_identity and Frame(X).apply(X) is X
    pixels = np.random.RandomState(0).randint(0, 256, (100, 3)).astype(np.float64) + 1e6
    moved = Frame(pixels).apply(pixels)
    assert np.abs(moved).max() <= 512
    np.testing.assert_array_equal(moved, np.round(moved))
    np.testing.assert_array_equal(moved - moved[0], pixels - pixels[0])
    tiny = (X * 1e-30).astype(np.float32)
    assert 0.1 < np.abs(Frame(tiny).apply(tiny)).max() <= 2.0

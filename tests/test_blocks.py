"""Data in blocks: the same result as in memory, with bounded memory, from anything re-readable."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
import warnings

import h5py
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from annlab import KMeansANN, kmeans, kmeans_ann, robust_kmeans_ann
from annlab._support.errors import AnnlabWarning
from annlab._support.threads import Workers
from annlab.fit.searches import Exact
from annlab.initialization import INITS
from annlab.rows import sample
from annlab.rows.blocks import (
    BlockRows,
)
from annlab.rows.reading import cut, is_in_blocks
from annlab.rows.survey import Survey, survey
from annlab.rows.tally import Worst, join_worst, worst_places

# eleven chunks of 256 rows and a remainder
N, D, K = 11 * 256 + 77, 7, 9


def cloud(n=N, d=D, dtype=np.float32, offset=0.0, seed=0):
    rng = np.random.RandomState(seed)
    return (rng.randn(n, d) * 2 + rng.randint(0, 6, (n, 1)) + offset).astype(dtype)


def cuts(X, at=(0, 1, 700, 700, 1999)):
    """Return X in uneven blocks, one of them empty and one of a single row."""
    return [X[a:b] for a, b in zip(at, [*at[1:], len(X)], strict=True)]


def same(one, two, *, bits=True, rel=1e-12):
    np.testing.assert_array_equal(one.labels, two.labels)
    assert (one.n_iter, one.stop_reason) == (two.n_iter, two.stop_reason)
    assert [s.n_moved for s in one.trace] == [s.n_moved for s in two.trace]
    assert [s.n_empty for s in one.trace] == [s.n_empty for s in two.trace]
    assert one.n_distances == two.n_distances
    assert one.inertia == pytest.approx(two.inertia, rel=rel)
    np.testing.assert_allclose(one.trace.inertia, two.trace.inertia, rtol=1e-9)
    if bits:
        np.testing.assert_array_equal(one.centroids, two.centroids)
    else:
        np.testing.assert_allclose(one.centroids, two.centroids, rtol=1e-12, atol=1e-12)


FORMS = {
    "list": lambda X, folder: cuts(X),
    "tuple of frames": lambda X, folder: tuple(pd.DataFrame(part) for part in cuts(X) if len(part)),
    "function": lambda X, folder: lambda: iter(cuts(X)),
    "iterable": lambda X, folder: _Again(X),
    "path": lambda X, folder: _saved(X, folder),
    "path as text": lambda X, folder: str(_saved(X, folder)),
    "memmap": lambda X, folder: np.load(_saved(X, folder), mmap_mode="r"),
    "paths": lambda X, folder: [_saved(p, folder, str(i)) for i, p in enumerate(cuts(X))],
    "h5py": lambda X, folder: _table(X, folder),
}


class _Again:
    def __init__(self, X):
        self.X = X

    def __iter__(self):
        return iter(cuts(self.X))


def _saved(X, folder, name="X"):
    np.save(folder / f"{name}.npy", X)
    return folder / f"{name}.npy"


def _table(X, folder):
    return h5py.File(folder / "X.h5", "w").create_dataset("X", data=X, chunks=(1000, D))


# -- the same result -------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_bits_of_the_array(form, tmp_path):
    X = cloud()
    Y = FORMS[form](X, tmp_path)
    assert is_in_blocks(Y)
    same(kmeans(X, K, random_state=3), kmeans(Y, K, random_state=3))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16, np.float16])
@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("offset", [0, 40])
def test_types_metrics_weights_and_offsets_give_the_bits_of_the_array(
    dtype, metric, weighted, offset
):
    X = cloud(dtype=dtype, offset=offset)
    X[5] = 0
    # enough different directions and values for integers
    X[:, 0] *= np.arange(N) % 3
    weights = np.random.RandomState(1).randint(0, 4, N) / 4 if weighted else None
    options = {"metric": metric, "sample_weight": weights, "random_state": 5, "max_iter": 15}
    found, said = [], []
    for Y in (X, cuts(X)):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", AnnlabWarning)
            found.append(kmeans(Y, K, **options))
        said.append(sorted(str(w.message) for w in caught if w.category is AnnlabWarning))
    same(*found)
    assert said[0] == said[1]
    assert any("rows of X are all zero" in text for text in said[1]) == (metric == "cosine")


@pytest.mark.parametrize("algorithm", ["auto", "small_k", "brute", "hnsw", "kd_tree"])
@pytest.mark.parametrize("init", INITS)
def test_algorithms_and_starts_give_the_labels_of_the_array(algorithm, init):
    X = cloud()
    options = {"algorithm": algorithm, "init": init, "random_state": 7, "max_iter": 12}
    one, two = kmeans_ann(X, K, **options), kmeans_ann(cuts(X), K, **options)
    assert one.algorithm == two.algorithm
    assert two.recall_estimate == one.recall_estimate
    # the fused pass cuts the points into other chunks, and compiled loops add up in float32 order
    np.testing.assert_allclose(one.centroids, two.centroids, rtol=1e-5, atol=1e-5)
    assert np.mean(one.labels == two.labels) > 0.9999
    assert one.inertia == pytest.approx(two.inertia, rel=1e-6)


@pytest.mark.parametrize("factor", [1e-42, 1e42])
@pytest.mark.parametrize("form", ["blocks", "one number"])
def test_unit_of_weights_does_not_matter(factor, form):
    # float32, in which the points are added up, holds neither 1e-42 with all its digits nor 1e42
    X = cloud(4000, 8)
    weights = np.random.RandomState(0).randint(1, 8, len(X)) / 2 if form == "blocks" else 1.0
    found = [
        # a function: the rows are known only when they have been read
        kmeans_ann(lambda: cuts(X), K, algorithm="small_k", sample_weight=w, random_state=0)
        for w in (weights, weights * factor)
    ]
    assert np.isfinite(found[1].centroids).all()
    np.testing.assert_allclose(found[0].centroids, found[1].centroids, rtol=1e-4, atol=1e-4)
    assert np.mean(found[0].labels == found[1].labels) > 0.999
    assert found[1].inertia == pytest.approx(found[0].inertia * factor, rel=1e-5)
    steps = zip(found[0].trace.inertia, found[1].trace.inertia, strict=False)
    assert all(b == pytest.approx(a * factor, rel=1e-4) for a, b in steps)


class _Poor:
    """An index with bad answers, which change in each iteration."""

    def __init__(self, turn=None):
        self.turn = [0] if turn is None else turn

    def __deepcopy__(self, memo):
        return _Poor(self.turn)

    def fit(self, C):
        self.C = C
        self.turn[0] += 1
        return self

    def kneighbors(self, Q, n_neighbors):
        some = np.arange(self.turn[0] % 3, len(self.C), 3)
        found = ((Q[:, None] - self.C[some]) ** 2).sum(axis=2).argmin(axis=1)
        return None, some[found][:, None]


@pytest.mark.parametrize("final", ["algorithm", "exact"])
def test_row_keeps_its_label_unless_the_candidate_is_closer(final):
    X = cloud()
    options = {
        "final_assignment": final,
        "random_state": 0,
        "max_iter": 9,
        "init": X[:K] * 0 + X[0],
    }
    found = [kmeans_ann(Y, K, algorithm=_Poor(), **options) for Y in (X, cuts(X))]
    same(*found)
    assert found[0].recall_estimate == found[1].recall_estimate
    # the step that re-seeds aside, inertia never rises
    assert (np.diff(found[1].trace.inertia) <= 0).all()
    assert found[1].trace[0].n_empty > 0


def test_labels_equal_those_of_predict(tmp_path):
    X = cloud()
    model = KMeansANN(K, random_state=0).fit(cuts(X))
    plain = KMeansANN(K, random_state=0).fit(X)
    np.testing.assert_array_equal(model.labels_, model.predict(X))
    np.testing.assert_array_equal(model.labels_, model.predict(lambda: cuts(X)))
    np.testing.assert_array_equal(model.labels_, model.predict(_saved(X, tmp_path)))
    assert model.n_features_in_ == D
    assert model.score(cuts(X)) == pytest.approx(-model.inertia_, rel=1e-12)
    np.testing.assert_allclose(model.cluster_centers_, plain.cluster_centers_, rtol=1e-4)
    # a stream goes on from both alike
    more = cloud(500, seed=9)
    for metric in ("euclidean", "cosine"):
        streams = [
            KMeansANN(K, init=X[:K], algorithm="brute", metric=metric).fit(Y).partial_fit(more)
            for Y in (X, cuts(X))
        ]
        np.testing.assert_allclose(
            streams[0].cluster_centers_, streams[1].cluster_centers_, rtol=1e-5
        )


@pytest.mark.parametrize("n_jobs", [1, 3])
def test_result_is_the_same_for_every_n_jobs_and_every_cut(n_jobs):
    X = cloud(dtype=np.float64, offset=40)
    one = kmeans(cuts(X), K, random_state=0, n_jobs=n_jobs)
    same(kmeans([X], K, random_state=0, n_jobs=2), one)


def test_start_of_duplicates_is_reseeded_as_in_memory():
    X = cloud()
    weights = np.random.RandomState(1).randint(0, 3, N).astype(float)
    for w in (None, weights):
        start = np.repeat(X[:1], K, axis=0)
        one = kmeans(X, K, init=start, sample_weight=w, trace=True)
        two = kmeans(lambda: cuts(X), K, init=start, sample_weight=w, trace=True)
        assert one.trace[0].n_empty == K - 1
        same(one, two)
        for a, b in zip(one.trace, two.trace, strict=True):
            np.testing.assert_array_equal(a.new_centroids, b.new_centroids)
            np.testing.assert_array_equal(a.labels, b.labels)


def test_ctrl_c_keeps_the_last_iteration():
    X = cloud()

    def press(step):
        if step.iteration == 3:
            raise KeyboardInterrupt

    found = []
    for Y in (X, cuts(X)):
        with pytest.warns(AnnlabWarning, match="of 3 iterations"):
            found.append(kmeans(Y, K, random_state=1, callback=press))
    # the inertia is that of the last step, in the coordinates of the fit
    same(*found, rel=1e-7)
    assert found[1].stop_reason == "interrupted"


def test_checkpoint_resumes_to_the_same_bits(tmp_path):
    X, file = cloud(), tmp_path / "fit.npz"
    whole = kmeans_ann(cuts(X), K, random_state=1, tol=0.0)

    def stop(step):
        return step.iteration == 4

    options = {"random_state": 1, "tol": 0.0, "checkpoint": file}
    kmeans_ann(cuts(X), K, callback=stop, **options)
    assert file.exists()
    again = kmeans_ann(lambda: cuts(X), K, **options)
    np.testing.assert_array_equal(whole.centroids, again.centroids)
    assert again.n_iter == whole.n_iter
    kmeans_ann(cuts(X), K, callback=stop, **options)
    with pytest.raises(ValueError, match="checkpoint"):
        kmeans_ann(cuts(X + 1), K, **options)


# -- more rows than the sample ---------------------------------------------------------------------


@pytest.mark.parametrize("init", INITS)
@pytest.mark.parametrize("weighted", [False, True])
def test_start_comes_from_a_sample(init, weighted, monkeypatch):
    monkeypatch.setattr(sample, "SAMPLE_VALUES", 400 * D)
    X = cloud()
    weights = np.where(np.arange(N) % 5 == 0, 1.0, 0.0) if weighted else None
    seen = []

    def look(rows, n_clusters, random_state):
        seen.append(rows)
        return rows[:n_clusters]

    kmeans(cuts(X), K, 1, init=look, sample_weight=weights, random_state=0)
    (rows,) = seen
    assert len(rows) == 400
    places = np.flatnonzero((X[:, None, 0] == rows[:, 0]).any(axis=1))
    # one from each stretch, none without weight
    assert np.histogram(places, bins=10, range=(0, N))[0].min() >= 30
    if weighted:
        assert (weights[places] > 0).all()
    best = kmeans(X, K, random_state=0, sample_weight=weights).inertia
    found = kmeans(cuts(X), K, random_state=0, init=init, sample_weight=weights)
    assert found.inertia < 1.2 * best


def test_start_consists_of_rows(monkeypatch):
    monkeypatch.setattr(sample, "SAMPLE_VALUES", 50 * D)
    X = cloud(dtype=np.float64, offset=40)
    # the mean of the sample differs from that of all rows
    start = kmeans(cuts(X), K, 1, init="random", random_state=0, trace=True).trace[0].centroids
    assert np.abs(start[:, None] - X).max(axis=2).min(axis=1).max() < 1e-9


def test_start_takes_rows_without_weight_if_it_must(monkeypatch):
    monkeypatch.setattr(sample, "SAMPLE_VALUES", 100 * D)
    weights = np.zeros(N)
    weights[:3] = 1.0
    with pytest.warns(AnnlabWarning):
        result = kmeans(cuts(cloud()), K, sample_weight=weights, random_state=0)
    assert result.inertia == pytest.approx(0.0, abs=1e-6)


# -- memory ----------------------------------------------------------------------------------------


def test_memory_does_not_grow_with_the_data(monkeypatch):
    monkeypatch.setattr(sample, "SAMPLE_VALUES", 1 << 14)
    parts = [cloud(20_000, 32, seed=seed) for seed in range(2)]

    def peak(times):
        def read():
            for number in range(times):
                yield parts[number % 2] + np.float32(number)

        tracemalloc.start()
        try:
            kmeans(read, 16, 2, random_state=0, n_jobs=1)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    kmeans(parts, 16, 2, random_state=0, n_jobs=1)
    few, many = peak(16), peak(28)
    # twelve more blocks of 2.5 MB each: only their labels, old and new, are there
    assert many - few < 12 * 20_000 * 4 * 3 < 12 * parts[0].nbytes / 10


MEASURE = """
import sys
import numpy as np
from annlab import {function}

def anonymous():
    for line in open("/proc/self/status"):
        if line.startswith(("RssAnon", "RssShmem")):
            yield int(line.split()[1]) * 1024

X = np.load(sys.argv[1], mmap_mode="r")
{function}(X[:1000], 4, 1, random_state=0)
before, most = sum(anonymous()), 0
import threading
done = threading.Event()
def watch():
    global most
    while not done.wait(0.002):
        most = max(most, sum(anonymous()))
thread = threading.Thread(target=watch)
thread.start()
result = {function}(X, {k}, {max_iter}, random_state=0, n_jobs=2)
done.set()
thread.join()
print(X.nbytes, before, most, result.n_iter)
"""


def measured(path, function, k, max_iter):
    code = MEASURE.format(function=function, k=k, max_iter=max_iter)
    ran = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    return [int(word) for word in ran.stdout.split()]


def write_rows(path, n, d):
    """A file of clusters, written block by block."""
    rng = np.random.default_rng(0)
    X = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(n, d))
    centres = rng.standard_normal((50, d), dtype=np.float32) * 4
    for start in range(0, n, 1 << 16):
        rows = X[start : start + (1 << 16)]
        rows[:] = rng.standard_normal(rows.shape, dtype=np.float32)
        rows += centres[rng.integers(50, size=len(rows))]
        if start % (1 << 20) == 0:
            X.flush()
    del X


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("function", ["kmeans", "kmeans_ann"])
def test_mapped_file_takes_a_fraction_of_its_size(function, tmp_path):
    write_rows(tmp_path / "X.npy", 800_000, 64)
    size, before, most, n_iter = measured(tmp_path / "X.npy", function, 10, 2)
    assert size == 204_800_000 and n_iter == 2
    # the sample of 32 MB with what its clustering takes, labels of 3 MB, and a group of chunks
    assert most - before < 0.75 * size


@pytest.mark.full
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("function", ["kmeans", "kmeans_ann"])
def test_four_gigabytes_take_less_than_one_of_memory(function, tmp_path):
    write_rows(tmp_path / "X.npy", 15_700_000, 64)
    size, _, most, _ = measured(tmp_path / "X.npy", function, 100, 3)
    assert size > 4e9
    assert most < 1e9


# -- what is refused -------------------------------------------------------------------------------


def test_iterator_is_refused():
    X = cloud()
    for once in (iter(cuts(X)), (part for part in cuts(X)), map(np.asarray, cuts(X))):
        with pytest.raises(ValueError, match=r"X=lambda: read_blocks\(path\)"):
            kmeans(once, K)
        with pytest.raises(ValueError, match="read again"):
            KMeansANN(K).fit(once)
    spent = iter(cuts(X))
    with pytest.raises(ValueError, match="fresh iterator"):
        kmeans(lambda: spent, K)
    values = iter([1.0, 1.0, np.nan])
    with pytest.raises(ValueError, match="free of NaN"):
        kmeans(lambda: [X, np.full((2, D), next(values))], K)
    counts = iter([0, 1, 2, 3, 4])
    with pytest.raises(ValueError, match="the same rows each time"):
        kmeans(lambda: [X[: N - next(counts)]], K)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda X: [X, X[:, :3]], ValueError, "equal width"),
        (lambda X: [X, csr_matrix(X)], TypeError, "block 1 of X must be a dense"),
        (lambda X: lambda: X, TypeError, "iterator over blocks"),
        (lambda X: lambda: [], ValueError, "at least one block"),
        (lambda X: lambda: [X[:0]], ValueError, "at least 1 row"),
        (lambda X: [X, np.full((2, D), np.nan)], ValueError, "free of NaN"),
        (lambda X: [X, np.full((2, D), 1j)], ValueError, "block 1 of X must be real"),
        (lambda X: [X, "there is none.npy"], ValueError, "block 1 of X must be the path"),
        (lambda X: [X, np.ma.masked_all((2, D))], TypeError, "masked"),
        (lambda X: [X[:, :0]], ValueError, "at least 1 column"),
    ],
)
def test_wrong_blocks_are_refused(make, error, words):
    with pytest.raises(error, match=words):
        kmeans(make(cloud(500)), 3)


@pytest.mark.parametrize(
    ("content", "words"), [(np.arange(5.0), "2-D"), (np.array([[None]]), "can be read")]
)
def test_wrong_npy_file_is_refused(content, words, tmp_path):
    np.save(tmp_path / "X.npy", content, allow_pickle=True)
    with pytest.raises(ValueError, match=words):
        kmeans(tmp_path / "X.npy", 2)


def test_other_parameters_are_checked():
    X = cuts(cloud(500), (0, 100))
    with pytest.raises(ValueError, match="at most the number of samples"):
        kmeans(X, 501)
    with pytest.raises(TypeError, match="n_clusters"):
        kmeans(X, 2.5)
    with pytest.raises(ValueError, match="does not load all of X"):
        kmeans_ann(X, 3, algorithm="graph")
    with pytest.raises(TypeError, match="in memory"):
        robust_kmeans_ann(X, 3)
    for weights in (np.ones(499), np.ones(501), np.zeros(500), -np.ones(500)):
        for Y in (X, lambda: X):
            with pytest.raises(ValueError, match="sample_weight"):
                kmeans(Y, 3, sample_weight=weights)
    assert kmeans(lambda: X, 3, sample_weight=2, random_state=0).inertia == pytest.approx(
        2 * kmeans(X, 3, random_state=0).inertia
    )
    model = KMeansANN(3).fit(X)
    with pytest.raises(ValueError, match=f"{D} columns"):
        model.predict([np.ones((4, D + 1))])


def test_plain_data_is_not_in_blocks():
    X = cloud(20)
    for plain in (
        X,
        X.tolist(),
        [X[0], X[1]],
        pd.DataFrame(X),
        csr_matrix(X),
        "text",
        None,
        {},
        [],
    ):
        assert not is_in_blocks(plain)


def test_graph_and_robust_take_a_mapped_file(tmp_path):
    X = cloud()
    mapped = np.load(_saved(X, tmp_path), mmap_mode="r")
    one, two = (kmeans_ann(Y, K, algorithm="graph", random_state=0) for Y in (X, mapped))
    np.testing.assert_array_equal(one.labels, two.labels)
    robust = [robust_kmeans_ann(Y, K, random_state=0).labels for Y in (X, mapped)]
    np.testing.assert_array_equal(*robust)


# -- the parts -------------------------------------------------------------------------------------


def test_cut_gives_the_same_chunks_for_all_blocks():
    X = np.arange(60.0).reshape(20, 3)
    for at in ((0,), (0, 7, 7, 19), tuple(range(20))):
        bounds = [(0, 6), (6, 12), (12, 18), (18, 20)]
        for (a, b), rows in zip(bounds, cut(iter(cuts(X, at)), bounds), strict=True):
            np.testing.assert_array_equal(rows, X[a:b])
    whole = next(cut(iter([X]), [(0, 20)]))
    assert np.shares_memory(whole, X), "a chunk within one block is a view"


def test_surveys_add_up():
    X, w = cloud(3000, offset=100), np.random.RandomState(0).rand(3000)
    whole = survey(X, w, False)
    parts = [survey(X[a:b], w[a:b], False) for a, b in ((0, 1), (1, 1), (1, 2000), (2000, 3000))]
    joined = parts[0]
    for part in parts[1:]:
        joined = joined + part
    assert isinstance(joined, Survey) and joined.sizes == [1, 0, 1999, 1000]
    assert joined.spread == pytest.approx(whole.spread, rel=1e-12)
    mean = np.average(X.astype(float), weights=w, axis=0)
    assert whole.spread == pytest.approx(w @ ((X - mean) ** 2).sum(axis=1), rel=1e-9)
    np.testing.assert_allclose(joined.sums / joined.total, mean)
    assert joined.largest == np.abs(X).max() and joined.heaviest == w.max()


def test_worst_of_parts_are_the_worst_of_the_whole():
    rng = np.random.RandomState(0)
    for _ in range(50):
        n, size = rng.randint(1, 40), rng.randint(1, 12)
        badness = rng.randint(0, 5, n).astype(float)
        expected = sorted(range(n), key=lambda i: (-badness[i], i))[:size]
        assert worst_places(badness, size).tolist() == expected
        middle = rng.randint(0, n + 1)
        parts = []
        for a, b in ((0, middle), (middle, n)):
            places = worst_places(badness[a:b], size) + a
            zeros = np.zeros(len(places), np.int32)
            rows = np.zeros((len(places), 2))
            parts.append(Worst(places, rows, badness[places], zeros, np.ones(len(places))))
        assert join_worst(parts, size).indices.tolist() == expected


def test_worst_rows_have_their_place():
    X, weights = cloud(dtype=np.float64), np.arange(N) % 4 / 4
    centroids = X[:K].copy()
    with Workers(2) as workers:
        points = BlockRows(
            cuts(X), metric="euclidean", sample_weight=weights, workers=workers
        ).around(centroids)
        inner = points.inward(centroids)
        labels, _ = points.sweep(Exact().task(points, inner))
        worst = points.worst(inner, labels, 20)
    distances_sq = ((X - centroids[labels]) ** 2).sum(axis=1)
    badness = weights * distances_sq
    np.testing.assert_array_equal(worst.indices, np.argsort(-badness)[:20])
    np.testing.assert_allclose(worst.rows + points.coordinates.shift, X[worst.indices])
    np.testing.assert_array_equal(worst.labels, labels[worst.indices])
    np.testing.assert_array_equal(worst.weights, weights[worst.indices])


def test_take_reads_rows_in_any_order(tmp_path):
    X = cloud()
    wanted = np.array([N - 1, 5, 5, 0, 700, 699, 1])
    for form in FORMS.values():
        with Workers(1) as workers:
            points = BlockRows(
                form(X, tmp_path), metric="euclidean", sample_weight=None, workers=workers
            )
            np.testing.assert_array_equal(points.take(wanted), X[wanted])


def test_progress_shows_rows(capsys, monkeypatch):
    from annlab._support import progress

    ticks = iter(range(10**6))
    monkeypatch.setattr(progress.time, "perf_counter", lambda: float(next(ticks)))
    kmeans(cuts(cloud()), K, 3, random_state=0, progress=True, n_jobs=1)
    shown = capsys.readouterr().err
    lines = [line.strip() for line in shown.split("\r")]
    inside = [line for line in lines if ", row " in line]
    assert any(line.startswith("k-means (brute) 2/3, row ") for line in inside), shown
    assert all("s left" in line for line in inside)
    assert any("inertia" in line for line in inside if " 2/3" in line)

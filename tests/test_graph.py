"""The algorithms with a start of their own, and the choice between them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.cluster import KMeans

from annlab import KMeansANN, kmeans, kmeans_ann, robust_kmeans_ann
from annlab._support.threads import Workers
from annlab.fit.answers import recall_of
from annlab.fit.choose import choose
from annlab.fit.graph.algorithm import Graph
from annlab.fit.graph.cloud import Cloud, Nearby, assign_all, even_cuts, sums_of
from annlab.fit.graph.neighbours import assign_nearby, neighbourhoods
from annlab.fit.graph.relocation import relocate
from annlab.fit.graph.tree import plant_tree, share_out
from annlab.fit.momentum import Momentum
from annlab.fit.states import Limits, State
from annlab.rows.coordinates import Coordinates
from annlab.rows.memory import MemoryRows
from annlab.rows.sample import stratified

LIMITS = Limits(100, 1e-4, 0.0)
both = pytest.mark.parametrize("algorithm", ["graph", "small_k"])
types = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@pytest.fixture
def workers():
    with Workers(2) as opened:
        yield opened


def plain_rows(X, workers, **options):
    return MemoryRows(X, workers=workers, coordinates=Coordinates.plain(X.dtype), **options)


def curved(n, d=12, seed=0, dtype=np.float32):
    """Return points on a curved 3-dimensional sheet in d dimensions."""
    rng = np.random.RandomState(seed)
    hidden = rng.uniform(-1, 1, size=(n, 3))
    lift = rng.standard_normal((3, d))
    return (np.sin(2 * hidden @ lift) + 0.02 * rng.standard_normal((n, d))).astype(dtype)


def inertia_of(X, labels, centroids):
    return float(np.square(X.astype(float) - centroids.astype(float)[labels]).sum())


# -- stages -------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
def test_shares_add_up_and_fit(seed):
    rng = np.random.RandomState(seed)
    groups = rng.randint(1, 30)
    room = rng.randint(0, 40, size=groups)
    mass = rng.gamma(0.3, size=groups) * rng.randint(0, 2, size=groups)
    total = rng.randint(0, room.sum() + 1)
    shares = share_out(total, mass, room)
    assert shares.sum() == total
    assert (shares >= 0).all() and (shares <= room).all()
    if total >= np.count_nonzero(room):
        assert (shares[room > 0] >= 1).all()


def test_stratified_sample_covers_the_range():
    sample = stratified(1000, 100, np.random.RandomState(0))
    np.testing.assert_array_equal(sample // 10, np.arange(100))
    np.testing.assert_array_equal(stratified(5, 9, np.random.RandomState(0)), np.arange(5))


@pytest.mark.parametrize("sizes", [[5], [0, 0, 7, 0], [1] * 300, [1000, 1, 1, 1]])
def test_cuts_cover_all_blocks_once(sizes):
    cuts = even_cuts(np.concatenate([[0], np.cumsum(sizes)]))
    assert cuts[0][0] == 0 and cuts[-1][1] == len(sizes)
    assert all(a[1] == b[0] for a, b in pairwise(cuts))


def test_tree_beats_a_random_start(workers):
    X = curved(6000)
    tree = plant_tree(plain_rows(X, workers), 400, np.random.RandomState(0))
    assert tree.centroids.shape == (400, 12)
    np.testing.assert_array_equal(np.sort(tree.order), np.arange(6000))
    np.testing.assert_array_equal(tree.cloud.X, X[tree.order])
    np.testing.assert_allclose(tree.cloud.norms, np.square(tree.cloud.X).sum(axis=1), rtol=1e-5)
    assert (np.bincount(tree.labels, minlength=400) > 0).all()
    ours = inertia_of(tree.cloud.X, tree.labels, tree.centroids)
    theirs = KMeans(400, init="random", n_init=1, max_iter=1, random_state=0).fit(X).inertia_
    assert ours < theirs


def test_tree_gives_up_at_low_contrast(workers):
    X = np.random.RandomState(0).standard_normal((3000, 200)).astype(np.float32)
    rows = plain_rows(X, workers)
    assert plant_tree(rows, 100, np.random.RandomState(0), least_contrast=1.08) is None
    assert plant_tree(rows, 100, np.random.RandomState(0), least_contrast=1.0) is not None


def test_neighbourhoods_hold_the_nearest_centroids(workers):
    C = curved(1500, seed=1)
    around = neighbourhoods(C, workers, np.random.RandomState(0))
    D = np.square(C[:, None] - C[None, :]).sum(axis=2)
    found = []
    for c in range(len(C)):
        b = around.block[c]
        mine = around.candidates[b, : around.counts[b]]
        assert c in mine
        found.append(np.isin(np.argsort(D[c])[1:6], mine).mean())
    assert np.mean(found) > 0.9


def test_restricted_assignment_never_makes_a_point_worse(workers):
    X = curved(5000)
    rng = np.random.RandomState(0)
    C = X[rng.choice(5000, 300, replace=False)]
    labels = rng.randint(0, 300, size=5000).astype(np.int32)
    before = np.square(X - C[labels]).sum(axis=1)
    rows = plain_rows(X, workers)
    around = neighbourhoods(C, workers, rng)
    found, exact = assign_nearby(Cloud.of(rows), C, labels, around), assign_all(rows, C)
    assert (found.d1 <= before + 1e-3).all()
    assert (exact.d1 <= found.d1 + 1e-3).all() and (exact.d2 >= exact.d1).all()
    np.testing.assert_allclose(found.d1, np.square(X - C[found.labels]).sum(axis=1), atol=1e-3)
    assert found.n_distances < exact.n_distances == 5000 * 300


@pytest.mark.parametrize("weighted", [False, True])
def test_relocation_lowers_the_inertia_by_at_least_its_gain(workers, weighted):
    X = curved(4000)
    rng = np.random.RandomState(0)
    weights = rng.uniform(0.1, 2, size=4000) if weighted else None
    k = 120
    # a bad start: half of the centroids crowd in one corner
    corner = np.argsort(X[:, 0])[:200]
    C = np.concatenate([X[rng.choice(corner, 60, replace=False)], X[rng.choice(4000, 60)]])
    rows = plain_rows(X, workers, sample_weight=weights)
    cloud, found = Cloud.of(rows), assign_all(rows, C)
    labels, gain = relocate(cloud, found, k)
    sums, totals = sums_of(cloud, labels, k)
    means = sums / np.maximum(totals, 1e-30)[:, None]
    w = np.ones(4000) if weights is None else weights
    after = float(w @ np.square(X - means[labels]).sum(axis=1))
    before = float(w @ found.d1.astype(float))
    assert 0 < gain < 1
    assert before - after >= gain * before * 0.999


def test_relocation_of_nothing(workers):
    found = Nearby.empty(4, np.dtype(np.float32))
    found.labels[:], found.second[:], found.d1[:], found.d2[:] = 0, 0, 0.0, np.inf
    cloud = Cloud.of(plain_rows(np.zeros((4, 2), np.float32), workers))
    labels, gain = relocate(cloud, found, 30)
    assert gain == 0.0 and (labels == 0).all()


def test_momentum_step():
    momentum = Momentum(1.5, 0.6)
    C = np.array([[0.0], [5.0], [9.0], [3.0]])
    sums, totals = np.array([[2.0], [20.0], [0.0], [4.0]]), np.array([2.0, 4.0, 0.0, 1.0])
    # means 1, 5 and 4; the empty one stays
    first = momentum.step(sums, totals, C, 4.0, None, 0)
    np.testing.assert_allclose(first, [[1.5], [5.0], [9.0], [4.5]])
    first[3] = 90.0
    # the second step adds a quarter of the last move, but not to one that was re-seeded far away
    second = momentum.step(first * totals[:, None], totals, first, 4.0, C, 1)
    np.testing.assert_allclose(second - first, [[0.25 * 1.5], [0.0], [0.0], [0.0]])
    third = momentum.step(first * totals[:, None], totals, first, 4.0, None, 0)
    np.testing.assert_allclose(third, first)


# -- fits ---------------------------------------------------------------------------------------


@types
@both
@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_inertia_is_at_most_that_of_lloyd(algorithm, metric, dtype):
    X = curved(5000, dtype=dtype) + dtype(0.3)
    k = 250
    result = kmeans_ann(X, k, algorithm=algorithm, metric=metric, random_state=0)
    lloyd = kmeans(X, k, 25, init="random", metric=metric, random_state=0)
    assert result.algorithm == algorithm and result.inertia <= lloyd.inertia
    assert result.centroids.dtype == dtype and result.labels.dtype == np.int32
    assert len(np.unique(result.labels)) == k
    Y = X / np.linalg.norm(X, axis=1, keepdims=True) if metric == "cosine" else X
    np.testing.assert_allclose(
        result.inertia, inertia_of(Y, result.labels, result.centroids), rtol=1e-5
    )


@both
@types
def test_bits_are_the_same_for_every_number_of_threads(algorithm, dtype):
    # several chunks and a remainder in each stage
    X = curved(33_001, d=6, dtype=dtype)
    one, *others = (
        kmeans_ann(X, 150, 4, algorithm=algorithm, random_state=1, n_jobs=n_jobs)
        for n_jobs in (1, 2, 4)
    )
    for other in others:
        np.testing.assert_array_equal(one.labels, other.labels)
        np.testing.assert_array_equal(one.centroids, other.centroids)
        np.testing.assert_array_equal(one.trace.inertia, other.trace.inertia)
        assert one.inertia == other.inertia
    assert kmeans_ann(X, 150, 4, algorithm=algorithm, random_state=2).inertia != one.inertia


def test_high_intrinsic_dimension_starts_from_a_sample(workers):
    rng = np.random.RandomState(0)
    X = rng.standard_normal((6000, 160)).astype(np.float32)
    result = kmeans_ann(X, 200, algorithm="graph", random_state=0)
    assert result.inertia <= kmeans(X, 200, 25, init="random", random_state=0).inertia
    rows = MemoryRows(X, workers=workers)
    state = Graph(LIMITS).begin(rows, 200, "k-means++", np.random.RandomState(0))
    assert "on a sample" in state.story


def test_steps_of_the_graph_name_their_kind():
    X = curved(8000)
    result = kmeans_ann(X, 500, algorithm="graph", random_state=0, trace=True)
    kinds = [step.kind for step in result.trace]
    assert kinds[0] == "relocation" and kinds[-1] == "lloyd"
    assert set(kinds) <= {"relocation", "relaxed", "lloyd"}
    for step in result.trace:
        got = inertia_of(X, step.labels, step.centroids)
        np.testing.assert_allclose(step.inertia, got, rtol=1e-4)
    assert result.trace[-1].inertia < result.trace[0].inertia


@both
def test_given_start_is_plain_lloyd(algorithm):
    X = curved(3000)
    init = X[:80]
    ours = kmeans_ann(X, 80, 30, algorithm=algorithm, init=init, trace=True)
    theirs = kmeans(X, 80, 30, init=init)
    assert {step.kind for step in ours.trace} == {"lloyd"}
    np.testing.assert_allclose(ours.inertia, theirs.inertia, rtol=2e-3)
    values = ours.trace.inertia
    assert (values[1:] <= values[:-1] * (1 + 1e-6)).all()
    if algorithm == "small_k":
        np.testing.assert_allclose(values, theirs.trace.inertia, rtol=1e-4)


@both
def test_callback_stops_with_a_consistent_result(algorithm):
    X = curved(8000)
    result = kmeans_ann(
        X, 400, algorithm=algorithm, callback=lambda step: step.iteration == 2, tol=0,
        random_state=0,
    )  # fmt: skip
    assert (result.n_iter, result.stop_reason) == (2, "callback")
    np.testing.assert_allclose(
        result.inertia, inertia_of(X, result.labels, result.centroids), rtol=1e-5
    )
    # stopped after a relocation, the labels are those of the moved centroids
    exact = kmeans_ann(X, 400, 1, algorithm="brute", init=result.centroids)
    assert result.inertia <= 1.05 * exact.trace[0].inertia


@both
def test_last_iteration_is_a_plain_one(algorithm):
    result = kmeans_ann(curved(30_000), 300, 3, algorithm=algorithm, random_state=0)
    assert result.n_iter == 3 and result.trace[-1].kind == "lloyd"


@both
def test_points_without_weight_draw_no_centroid(algorithm):
    X = curved(4000)
    far = np.full((500, 12), 50.0, dtype=np.float32)
    far += np.random.RandomState(0).standard_normal(far.shape).astype(np.float32)
    weights = np.concatenate([np.full(4000, 1e-20), np.zeros(500)])
    rows = np.concatenate([X, far])
    result = kmeans_ann(rows, 150, algorithm=algorithm, sample_weight=weights, random_state=0)
    assert np.abs(result.centroids).max() < 5
    alone = kmeans_ann(X, 150, algorithm=algorithm, random_state=0)
    np.testing.assert_allclose(result.inertia / 1e-20, alone.inertia, rtol=0.03)


@pytest.mark.parametrize("algorithm", ["graph", "small_k", "auto"])
@types
def test_small_and_odd_data(algorithm, dtype):
    rng = np.random.RandomState(0)
    for n, d, k in [(1, 1, 1), (2, 1, 2), (3, 2, 1), (7, 3, 7), (150, 1, 149), (300, 2, 128)]:
        X = rng.standard_normal((n, d)).astype(dtype)
        result = kmeans_ann(X, k, algorithm=algorithm, random_state=0)
        assert len(np.unique(result.labels)) == k, (n, d, k)
        if n == k:
            assert result.inertia < 1e-10


def test_final_assignment_is_exact_or_estimated():
    X = curved(9000)
    for k, algorithm in ((60, "small_k"), (300, "graph")):
        model = KMeansANN(k, algorithm=algorithm, random_state=0).fit(X)
        np.testing.assert_array_equal(model.labels_, model.predict(X))
        assert model.result_.recall_estimate == 1.0
    rough, exact = (
        kmeans_ann(X, 900, algorithm="graph", random_state=0, final_assignment=final)
        for final in ("algorithm", "exact")
    )
    np.testing.assert_array_equal(rough.centroids, exact.centroids)
    assert exact.recall_estimate == 1.0 and exact.inertia <= rough.inertia
    share = float(np.mean(rough.labels == exact.labels))
    low, high = rough.recall_interval
    assert low <= rough.recall_estimate <= high and low - 0.01 <= share <= high + 0.01
    assert share > 0.95


def test_recall_counts_ties_as_right_and_errors_as_wrong(workers):
    X = np.array([[0.0], [1.0], [2.0], [9.0]] * 1000)
    C = np.array([[0.0], [2.0], [9.0]])
    labels = np.tile(np.array([0, 0, 1, 1], dtype=np.int32), 1000)
    points = plain_rows(X, workers)
    share, (low, high) = recall_of(points, labels, C, np.random.RandomState(0))
    assert low < 0.75 < high and low <= share <= high and high - low < 0.05
    small = plain_rows(X[:4], workers)
    assert recall_of(small, labels[:4], C, np.random.RandomState(0)) == (0.75, (0.75, 0.75))


def test_robust_fits_run_on_the_graph():
    X = curved(4000)
    X[:40] += 60
    result = robust_kmeans_ann(X, 100, algorithm="graph", random_state=0, outlier_threshold=6.0)
    assert result.outlier_mask[:40].all()
    assert np.abs(result.centroids).max() < 5


@pytest.mark.parametrize(
    "params", [{"ef": 5}, {"n_candidates": 1}, {"n_relocations": -1}, {"relocation_share": 2.0}]
)
def test_wrong_parameters_of_the_graph_are_named(params):
    name = "n_candidates" if "ef" in params else next(iter(params))
    with pytest.raises(ValueError, match=name):
        kmeans_ann(curved(500), 60, algorithm="graph", algorithm_params=params)


def test_graph_runs_without_relocation_and_refuses_sparse_rows():
    X = curved(500)
    result = kmeans_ann(X, 60, algorithm="graph", algorithm_params={"n_relocations": 0})
    assert "relocation" not in {step.kind for step in result.trace}
    with pytest.raises(TypeError, match="sparse"):
        kmeans_ann(csr_matrix(X), 60, algorithm="graph")


# -- the choice ---------------------------------------------------------------------------------


def test_cost_model_prefers_the_expected_algorithms():
    def name(n, k, d, **facts):
        return choose(n, k, d, **facts)[0]

    assert name(100_000, 10, 10) == "small_k"
    assert name(200_000, 4096, 192) == "graph"
    assert name(1_000_000, 65_536, 64) == "graph"
    assert name(5000, 4096, 192) == "small_k"
    assert name(200_000, 4096, 192, sparse=True) == "brute"
    assert name(1_000_000, 50, 64, streams=True) == "small_k"
    assert name(10_000_000, 65_536, 128, streams=True) == "hnsw"


def test_graph_searches_around_the_known_label(workers):
    X = curved(4000)
    points, graph = plain_rows(X, workers), Graph(LIMITS)
    C = X[:900].copy()
    first = graph.assign(points, graph.start_at(C))
    # put a point into the farthest cluster: its own centroid is not among that one's neighbours
    known = first.labels.copy()
    known[3999] = int(np.square(C - X[3999]).sum(axis=1).argmax())
    state = State(C, labels=first.labels, known=known, memory=first.memory)
    second = graph.assign(points, state)
    assert second.labels[3999] != first.labels[3999]
    np.testing.assert_array_equal(second.labels[:3999], first.labels[:3999])


@pytest.mark.parametrize("scale", [1.0, 8.0])
def test_sums_carry_the_callers_weights(scale, workers):
    X = curved(2000)
    weights = scale * np.random.RandomState(0).uniform(0.5, 1.0, size=2000)
    graph = Graph(LIMITS)
    found = graph.assign(plain_rows(X, workers, sample_weight=weights), graph.start_at(X[:150]))
    expected = np.bincount(found.labels, weights=weights, minlength=150)
    np.testing.assert_allclose(found.tally.totals, expected, rtol=1e-5)

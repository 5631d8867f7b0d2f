"""Starts: what they draw, how often, and how good it is."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from annlab import initialization as room
from annlab import kmeans
from annlab._support.threads import Workers
from annlab.distances import pairwise_sq
from annlab.initialization import (
    INITS,
    initial_centroids,
    k_means_parallel,
    k_means_plus_plus,
    random_points,
)
from annlab.rows.coordinates import Coordinates
from annlab.rows.memory import MemoryRows

NAMES = tuple(INITS)


@pytest.fixture
def workers():
    with Workers(2) as opened:
        yield opened


def blobs(n=400, d=3, k=6, seed=0):
    rng = np.random.RandomState(seed)
    centres = rng.uniform(-30, 30, (k, d))
    return centres[rng.randint(k, size=n)] + rng.randn(n, d)


def potential(X, centroids):
    return float(pairwise_sq(X, centroids).min(axis=1).sum())


def chosen_rows(points, centroids):
    """Return the rows of X that are the centroids; fail if one is not a row."""
    distances = pairwise_sq(np.asarray(points.outward(centroids), float), np.asarray(points.X))
    assert distances.min(axis=1).max() < 1e-9
    return distances.argmin(axis=1)


# -- laws for all ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("k", [1, 2, 7, 60])
def test_starts_are_distinct_points_of_the_data(name, k, workers):
    X = blobs(60)
    points = MemoryRows(X, workers=workers)
    centroids = initial_centroids(name, points, k, np.random.RandomState(0))
    assert centroids.shape == (k, 3) and centroids.dtype == np.float64
    assert len(set(chosen_rows(points, centroids).tolist())) == k


@pytest.mark.parametrize("name", NAMES)
def test_seed_repeats_a_start(name, workers):
    points = MemoryRows(blobs(), workers=workers)
    one, two, other = (
        initial_centroids(name, points, 5, np.random.RandomState(seed)) for seed in (4, 4, 5)
    )
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("name", NAMES)
def test_n_jobs_does_not_change_a_start(name):
    X = blobs(5000).astype(np.float32)
    drawn = []
    for n_jobs in (1, 3):
        with Workers(n_jobs) as workers:
            points = MemoryRows(X, workers=workers)
            assert len(points.bounds()) > 3
            drawn.append(initial_centroids(name, points, 9, np.random.RandomState(0)))
    np.testing.assert_array_equal(*drawn)


@pytest.mark.parametrize("name", NAMES)
def test_points_without_weight_are_not_drawn(name, workers):
    X = blobs(200)
    weights = np.zeros(200)
    weights[::4] = 1.0
    points = MemoryRows(X, sample_weight=weights, workers=workers)
    for seed in range(5):
        rows = chosen_rows(points, initial_centroids(name, points, 6, np.random.RandomState(seed)))
        assert (weights[rows] > 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_more_clusters_than_points_with_weight(name, workers):
    X = blobs(20)
    weights = np.zeros(20)
    weights[:3] = [1.0, 1e-300, 1e10]
    points = MemoryRows(X, sample_weight=weights, workers=workers)
    centroids = initial_centroids(name, points, 6, np.random.RandomState(0))
    assert np.isfinite(centroids).all()
    assert chosen_rows(points, centroids).shape == (6,)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_sparse_start_equals_dense_start(name, metric, workers):
    rng = np.random.RandomState(0)
    X = rng.poisson(0.4, (300, 12)).astype(float) + np.eye(12)[rng.randint(12, size=300)]
    unshifted = Coordinates(metric == "cosine", X.dtype, X.dtype)
    dense = MemoryRows(X, workers=workers, coordinates=unshifted)
    thin = MemoryRows(sparse.csr_matrix(X), metric=metric, workers=workers)
    a, b = (initial_centroids(name, p, 5, np.random.RandomState(3)) for p in (dense, thin))
    np.testing.assert_allclose(a, b, atol=1e-12)
    if metric == "cosine":
        np.testing.assert_allclose(np.linalg.norm(a, axis=1), 1.0)


@pytest.mark.parametrize("name", NAMES)
def test_start_of_equal_points(name, workers):
    points = MemoryRows(np.full((10, 2), 7.0), workers=workers)
    centroids = initial_centroids(name, points, 4, np.random.RandomState(0))
    np.testing.assert_array_equal(points.outward(centroids), np.full((4, 2), 7.0))


# -- what each one promises --------------------------------------------------------------------


def test_random_points_are_drawn_by_weight(workers):
    X = np.arange(4.0)[:, None]
    points = MemoryRows(X, sample_weight=np.array([1.0, 2.0, 3.0, 4.0]), workers=workers)
    rng = np.random.RandomState(0)
    first = [int(points.outward(random_points(points, 1, rng))[0, 0]) for _ in range(4000)]
    np.testing.assert_allclose(np.bincount(first) / 4000, [0.1, 0.2, 0.3, 0.4], atol=0.025)


def expected_second(X, weights):
    """Return each point's probability to be the second centre of plain k-means++."""
    first = weights / weights.sum()
    total = np.zeros(len(X))
    for i, chance in enumerate(first):
        mass = weights * ((X - X[i]) ** 2).sum(axis=1)
        total += chance * mass / mass.sum()
    return total


def test_k_means_plus_plus_draws_by_squared_distance(monkeypatch, workers):
    """With one candidate, the probabilities of the second centre are known."""
    X = np.array([[0.0], [1.0], [3.0], [7.0]])
    weights = np.array([2.0, 1.0, 1.0, 0.5])
    points = MemoryRows(X, sample_weight=weights, workers=workers)
    # int(log k) candidates are added to 2: 2 + (-1) leaves one
    monkeypatch.setattr(room.np, "log", lambda k: -1.0)
    rng = np.random.RandomState(0)
    drawn = [points.outward(k_means_plus_plus(points, 2, rng))[:, 0] for _ in range(4000)]
    monkeypatch.undo()
    first, second = np.array(drawn).T
    where = {value: i for i, value in enumerate(X[:, 0])}
    share = np.bincount([where[v] for v in first], minlength=4) / 4000
    np.testing.assert_allclose(share, weights / weights.sum(), atol=0.025)
    share = np.bincount([where[v] for v in second], minlength=4) / 4000
    np.testing.assert_allclose(share, expected_second(X, weights), atol=0.025)


def test_k_means_plus_plus_keeps_the_best_candidate(monkeypatch, workers):
    """Each round keeps the candidate that lowers the potential most."""
    X = blobs(100)
    points = MemoryRows(X, workers=workers)
    rounds = []
    draw = room._draw

    def watched(mass, size, rng):
        rounds.append((mass.copy(), draw(mass, size, rng)))
        return rounds[-1][1]

    monkeypatch.setattr(room, "_draw", watched)
    k = 10
    rows = chosen_rows(points, k_means_plus_plus(points, k, np.random.RandomState(0)))
    assert len(rounds) == k
    for number, (mass, candidates) in enumerate(rounds[1:], start=1):
        assert len(candidates) == 2 + int(np.log(k))
        before = pairwise_sq(X, X[rows[:number]]).min(axis=1)
        np.testing.assert_allclose(mass, before, rtol=1e-9, atol=1e-9)
        after = [potential(X, X[np.r_[rows[:number], c]]) for c in candidates]
        assert potential(X, X[rows[: number + 1]]) == pytest.approx(min(after))


def test_k_means_parallel_draws_by_squared_distance(workers):
    """After one round the chance of a point is its share of the potential times 2k/rounds."""
    X = np.r_[np.zeros((50, 1)), np.full((50, 1), 1.0), np.full((2, 1), 50.0)]
    points = MemoryRows(X, workers=workers)
    taken = []
    original = room._nearest_new

    def watched(piece, candidates):
        taken.append(points.outward(candidates)[:, 0])
        return original(piece, candidates)

    room._nearest_new = watched
    try:
        for seed in range(300):
            k_means_parallel(points, 4, np.random.RandomState(seed), n_rounds=1)
    finally:
        room._nearest_new = original
    rounds = taken[1::2]
    started_low = [t for s, t in zip(taken[::2], rounds, strict=True) if s[0] < 2]
    # each far point has half of the potential: chance min(1, 8 · 0.5) = 1
    far = [np.count_nonzero(t == 50.0) for t in started_low]
    assert len(started_low) > 250 and set(far) == {2}
    # and the near ones next to none: 50 points of mass 1 in about 5,000, times 8
    near = np.mean(
        [
            np.count_nonzero(t == (1.0 - s[0]))
            for s, t in zip(taken[::2], rounds, strict=True)
            if s[0] < 2
        ]
    )
    assert near == pytest.approx(50 / 5000 * 8, abs=0.06)


def test_draw_is_proportional_to_mass():
    rng = np.random.RandomState(0)
    mass = np.array([0.0, 1.0, 0.0, 3.0, 0.0])
    drawn = room._draw(mass, 8000, rng)
    assert set(drawn.tolist()) == {1, 3}
    assert np.mean(drawn == 3) == pytest.approx(0.75, abs=0.02)
    assert room._draw(np.zeros(3), 2, rng) is None

    class AlmostOne:
        def uniform(self, size):
            return np.full(size, 1.0)

    # a product that rounds up to the total itself
    assert room._draw(mass, 2, AlmostOne()).tolist() == [3, 3]


# -- the parameter -----------------------------------------------------------------------------


def test_init_takes_a_function():
    X = blobs()
    calls = []

    def start(data, n_clusters, random_state):
        calls.append((data.shape, n_clusters, random_state.randint(100)))
        return data[:n_clusters]

    result = kmeans(X, 3, init=start, max_iter=1, random_state=0, trace=True)
    assert [(shape, k) for shape, k, _ in calls] == [(X.shape, 3)]
    np.testing.assert_allclose(result.trace[0].centroids, X[:3])


BAD_STARTS = {
    "name": ("best", "one of 'k-means\\+\\+', 'random', 'k-means\\|\\|'"),
    "rows": (np.zeros((3, 3)), r"an array of shape \(4, 3\); got shape \(3, 3\)"),
    "columns": (np.zeros((4, 2)), "3 columns"),
    "1-D": (np.zeros(3), "2-D"),
    "NaN": (np.full((4, 3), np.nan), "free of NaN"),
    "inf": (np.full((4, 3), np.inf), "finite"),
    "words": ([["a"] * 3] * 4, "numeric"),
    "None": (None, "an array of numbers; got None"),
    "function": (lambda X, k, random_state: np.zeros((k + 1, 3)), r"shape \(4, 3\); got .*5"),
    "function of nothing": (
        lambda X, k, random_state: None,
        "an array of numbers; got None",
    ),
}


@pytest.mark.parametrize("case", BAD_STARTS)
def test_bad_starts_are_named(case):
    init, says = BAD_STARTS[case]
    with pytest.raises((ValueError, TypeError), match=f"^init must be .*{says}"):
        kmeans(blobs(), 4, init=init)

"""The compiled loops against their NumPy twins, and the choice between them."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from scipy import sparse
from scipy.spatial.distance import cdist

from annlab._kernels import loops
from annlab._kernels import numpy_twins as plain
from annlab.distances import nearest, uncertain

ALIKE = np.empty(0, dtype=np.float32)


@pytest.fixture(scope="module", params=["any", "avx2", "avx512"])
def compiled(request):
    for kind in getattr(loops, "kinds", ()):
        if kind.processor == request.param:
            return kind
    pytest.skip("not compiled, or not for this processor")


def cloud(n, d, seed):
    rng = np.random.RandomState(seed)
    X = rng.standard_normal((n, d)).astype(np.float32)
    return X, np.einsum("ij,ij->i", X, X), rng


def halves(C):
    return (0.5 * np.einsum("ij,ij->i", C, C, dtype=np.float64)).astype(np.float32)


def sorted_by(keys, k):
    order, starts = np.empty(len(keys), np.int32), np.empty(k + 1, np.int64)
    plain.counting_sort(keys, order, starts)
    return order, starts


def answers(compiled, name, outputs, *arguments):
    """Return outputs and return value of the NumPy loop, then of the compiled one."""
    found = []
    for kernels in (plain, compiled):
        own = [array.copy() for array in outputs]
        value = getattr(kernels, name)(*arguments, *own)
        found.append((*own, value))
    return found


# sizes leave remainders of every tile
@pytest.mark.parametrize("d", [1, 5, 24, 30, 193])
@pytest.mark.parametrize("k", [1, 2, 300])
@pytest.mark.parametrize("weighted", [False, True])
def test_fused_assignment(compiled, d, k, weighted):
    n = 1100
    X, _, rng = cloud(n, d, d + k)
    weights = rng.uniform(size=n).astype(np.float32) if weighted else ALIKE
    shift = rng.standard_normal(d).astype(np.float32)
    C = rng.standard_normal((k, d)).astype(np.float32)
    untouched = np.full(n, -7, np.float32)
    outputs = (untouched.astype(np.int32), untouched, untouched, np.zeros((k, d)), np.zeros(k))
    ours, theirs = answers(
        compiled, "assign_fused", outputs, X, shift, weights, C, halves(C), 3, n - 2
    )
    np.testing.assert_allclose(theirs[1], ours[1], rtol=1e-4, atol=1e-4 * d)
    np.testing.assert_allclose(theirs[2], ours[2], rtol=1e-4, atol=1e-4 * d)
    # where two centroids are equally near, the tie rule decides
    clear = np.full(n, True)
    clear[uncertain(theirs[1], theirs[2], 2 * halves(C), d)] = False
    assert clear[3 : n - 2].mean() > 0.7
    clear[:3] = clear[n - 2 :] = False
    exact = nearest((X - shift).astype(float), C.astype(float))
    np.testing.assert_array_equal(theirs[0][clear], exact[clear])
    np.testing.assert_allclose(theirs[5], ours[5], rtol=1e-5)
    np.testing.assert_allclose(theirs[4].sum(), ours[4].sum(), rtol=1e-6)
    # sums belong to labels: recomputed from the compiled labels they must agree
    w = weights.astype(float) if weighted else np.ones(n)
    rows, own = (X - shift)[3 : n - 2].astype(float), theirs[0][3 : n - 2]
    expected = np.zeros((k, d))
    np.add.at(expected, own, w[3 : n - 2, None] * rows)
    np.testing.assert_allclose(theirs[3], expected, rtol=1e-5, atol=1e-5)
    assert (theirs[0][:3] == -7).all() and (theirs[1][-2:] == -7).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("k", [1, 2, 8, 50, 133])
@pytest.mark.parametrize("weighted", [False, True])
def test_sparse_assignment(compiled, dtype, k, weighted):
    n, d = 300, 90
    rng = np.random.RandomState(k)
    X = sparse.random(n, d, 0.2, format="csr", dtype=dtype, random_state=rng)
    C = rng.rand(k, d).astype(dtype)
    width = -(-k // 8) * 8
    columns, half_norms = np.zeros((d, width), dtype), np.full(width, np.inf)
    columns[:, :k], half_norms[:k] = C.T, 0.5 * np.square(C.astype(float)).sum(axis=1)
    weights = rng.uniform(size=n) if weighted else np.empty(0)
    starts = X.indptr.astype(np.int64)
    untouched = np.full(n, -7.0)
    outputs = (untouched.astype(np.int32), untouched, untouched, np.zeros((k, d)), np.zeros(k))
    ours, theirs = answers(
        compiled, "assign_sparse", outputs,
        X.data, X.indices, starts, weights, columns, half_norms, 3, n - 2,
    )  # fmt: skip
    np.testing.assert_array_equal(theirs[0], ours[0])
    for one, other in zip(theirs[1:5], ours[1:5], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)
    D = np.sort(cdist(X.toarray().astype(float), C.astype(float), "sqeuclidean"), axis=1)
    np.testing.assert_allclose(theirs[1][3 : n - 2], D[3 : n - 2, 0], rtol=1e-9)
    assert theirs[5] == 0 and (theirs[1][:3] == -7).all()
    if k > 1:
        np.testing.assert_allclose(theirs[2][3 : n - 2], D[3 : n - 2, 1], rtol=1e-9)
    damaged = X.indices.copy()
    damaged[0] = d
    bad = compiled.assign_sparse(
        X.data, damaged, starts, weights, columns, half_norms, 0, n, *outputs
    )
    assert bad == 1


@pytest.mark.parametrize("sizes", [(1, 0, 700), (64, 65, 256, 257)])
def test_blocks_share_candidates(compiled, sizes):
    n, d, k = sum(sizes), 20, 320
    X, norms, rng = cloud(n, d, n)
    C = rng.standard_normal((k, d)).astype(np.float32)
    order = rng.permutation(n).astype(np.int32)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    counts = np.array([1, 300, 7, 2][: len(sizes)], dtype=np.int32)
    candidates = np.zeros((len(sizes), 300), dtype=np.int32)
    for b, count in enumerate(counts):
        candidates[b, :count] = np.sort(rng.choice(k, count, replace=False))
    outputs = [np.full(n, -7, dtype) for dtype in (np.int32, np.int32, np.float32, np.float32)]
    ours, theirs = answers(
        compiled, "assign_blocks", outputs,
        X, norms, order, starts, candidates, counts, C, halves(C), 0, len(sizes),
    )  # fmt: skip
    np.testing.assert_allclose(theirs[2], ours[2], rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(theirs[3], ours[3], rtol=1e-4, atol=1e-3)
    clear = ~(ours[3] - ours[2] < 1e-2)
    np.testing.assert_array_equal(theirs[0][clear], ours[0][clear])
    for b, count in enumerate(counts):
        members = order[starts[b] : starts[b + 1]]
        assert np.isin(theirs[0][members], candidates[b, :count]).all()
        assert np.isin(theirs[1][members], candidates[b, :count]).all()
    # a block of one candidate has no second choice
    assert np.isinf(theirs[3][order[: sizes[0]]]).all()


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_seeding_groups(compiled, weighted, seed):
    n, d = 700, 6
    X, norms, rng = cloud(n, d, seed)
    weights = rng.randint(0, 3, size=n).astype(np.float32) if weighted else ALIKE
    # three groups: many children, one child, and no points at all
    plan = np.array([0, 600, 700, 700, 0, 40, 41, 41])
    uniforms = rng.uniform(size=41)
    outputs = np.zeros((41, d), np.float32), np.full(n, -7, np.float32)
    ours, theirs = answers(
        compiled, "seed_groups", outputs, X, norms, weights, 0, 3, 4, plan, uniforms
    )
    np.testing.assert_array_equal(theirs[0], ours[0])
    np.testing.assert_allclose(theirs[1], ours[1], rtol=1e-3, atol=1e-3)
    for row in theirs[0]:
        assert (row == X).all(axis=1).any()


def test_seeding_from_equal_points(compiled):
    X = np.repeat(np.array([[1.0, 2.0]], dtype=np.float32), 50, axis=0)
    plan = np.array([0, 50, 0, 3])
    outputs, norms = (np.zeros((3, 2), np.float32), np.empty(50, np.float32)), X[:, 0] * 5
    for found in answers(
        compiled, "seed_groups", outputs, X, norms, ALIKE, 0, 1, 4, plan, np.full(3, 0.5)
    ):
        np.testing.assert_array_equal(found[0], X[:3])


def test_counting_sort(compiled):
    keys = np.random.RandomState(0).randint(0, 9, size=2000).astype(np.int32)
    keys[keys == 4] = 5
    outputs = np.empty(2000, np.int32), np.empty(11, np.int64)
    ours, theirs = answers(compiled, "counting_sort", outputs, keys)
    np.testing.assert_array_equal(theirs[0], ours[0])
    np.testing.assert_array_equal(theirs[1], ours[1])


@pytest.mark.parametrize("weighted", [False, True])
def test_cluster_sums(compiled, weighted):
    n, d, k = 900, 7, 12
    X, _, rng = cloud(n, d, 1)
    weights = rng.uniform(size=n).astype(np.float32) if weighted else ALIKE
    order, starts = sorted_by(rng.randint(0, k - 2, size=n).astype(np.int32), k)
    outputs = np.full((k, d), -7.0), np.full(k, -7.0)
    ours, theirs = answers(compiled, "cluster_sums", outputs, X, weights, order, starts, 1, k)
    np.testing.assert_allclose(theirs[0], ours[0], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(theirs[1], ours[1], rtol=1e-6)
    assert (theirs[0][0] == -7).all() and (theirs[0][-2:] == 0).all()


def test_candidates_of_blocks(compiled):
    k, d, n_blocks, n_near, width = 400, 5, 20, 6, 60
    C, _, rng = cloud(k, d, 3)
    members, starts = sorted_by(rng.randint(0, n_blocks, size=k).astype(np.int32), n_blocks)
    near = np.stack([np.roll(np.arange(n_blocks), -b)[:n_near] for b in range(n_blocks)])
    near_starts = np.arange(n_blocks + 1) * n_near
    ours, theirs = answers(
        compiled, "choose_candidates",
        (np.zeros((n_blocks, 90), np.int32), np.zeros(n_blocks, np.int32)),
        C, halves(C), members, starts, near.ravel().astype(np.int32), near_starts, width,
        0, n_blocks,
    )  # fmt: skip
    candidates, counts, _ = theirs
    np.testing.assert_array_equal(candidates, ours[0])
    np.testing.assert_array_equal(counts, ours[1])
    for b in range(n_blocks):
        chosen = candidates[b, : counts[b]]
        assert (np.diff(chosen) > 0).all()
        assert np.isin(members[starts[b] : starts[b + 1]], chosen).all()


@pytest.mark.parametrize("weighted", [False, True])
def test_splitting_clusters(compiled, weighted):
    n, d, k = 800, 8, 6
    X, _, rng = cloud(n, d, 5)
    keys = rng.randint(0, k - 1, size=n).astype(np.int32)
    # cluster 0 is two far groups, so its cut is known; cluster 5 has a single point
    first = np.flatnonzero(keys == 0)
    X[first[: len(first) // 3]] += 10
    keys[n - 1] = 5
    weights = rng.randint(1, 4, size=n).astype(np.float32) if weighted else ALIKE
    order, starts = sorted_by(keys, k)
    chosen = np.array([0, 2, 5], dtype=np.int32)
    outputs = np.full(k, -7.0), np.full(n, -7, np.int32)
    ours, theirs = answers(
        compiled, "split_clusters", outputs, X, weights, order, starts, chosen, 0, 3
    )
    gains, half, _ = theirs
    np.testing.assert_allclose(gains, ours[0], rtol=1e-3)
    np.testing.assert_array_equal(half, ours[1])
    far = np.isin(first, first[: len(first) // 3])
    assert len(set(half[first[far]])) == 1 and len(set(half[first[~far]])) == 1
    assert half[first[far]][0] != half[first[~far]][0]
    assert gains[5] == 0.0 and gains[1] == -7.0
    # by definition, the gain is the decrease of the inertia
    w = weights.astype(float) if weighted else np.ones(n)

    def error(rows):
        mean = np.average(X[rows], axis=0, weights=w[rows])
        return float(w[rows] @ np.square(X[rows] - mean).sum(axis=1))

    fall = error(first) - error(first[half[first] == 0]) - error(first[half[first] == 1])
    np.testing.assert_allclose(gains[0], fall, rtol=1e-4)


@pytest.mark.parametrize("seed", range(6))
def test_pairs_of_relocation(compiled, seed):
    rng = np.random.RandomState(seed)
    n, k, most = 300, 60, 20
    keys = rng.randint(0, k, size=n).astype(np.int32)
    second = ((keys + rng.randint(1, 6, size=n)) % k).astype(np.int32)
    order, starts = sorted_by(keys, k)
    costs, gains = rng.uniform(size=k), rng.uniform(size=k) * 1.2
    cheapest = np.argsort(costs).astype(np.int32)
    dearest = np.argsort(-gains)[:40].astype(np.int32)
    ours, theirs = answers(
        compiled, "pair_relocations", (np.zeros(most, np.int32), np.zeros(most, np.int32)),
        order, starts, second, cheapest, costs, dearest, gains, most,
    )  # fmt: skip
    removed, divided, pairs = theirs
    assert ours[2] == pairs > 0
    removed, divided = removed[:pairs], divided[:pairs]
    np.testing.assert_array_equal(ours[0][:pairs], removed)
    np.testing.assert_array_equal(ours[1][:pairs], divided)
    assert (gains[divided] > costs[removed]).all()
    assert not set(removed) & set(divided) and len(set(divided)) == len(divided)
    homeless = np.isin(keys, removed) & np.isin(second, removed)
    assert not homeless.any()


@pytest.mark.parametrize("weighted", [False, True])
def test_moments_and_inertia(compiled, weighted):
    X, _, rng = cloud(500, 9, 8)
    X += 100
    weights = rng.uniform(size=500) if weighted else np.empty(0)
    w = (weights if weighted else np.ones(500)).astype(float)[5:450]
    outputs = np.zeros(9), np.zeros(9), np.empty(3, np.float32)
    for first, second, extremes, total in answers(compiled, "moments", outputs, X, weights, 5, 450):
        np.testing.assert_allclose(total, w.sum(), rtol=1e-12)
        np.testing.assert_allclose(first, w @ X[5:450].astype(float), rtol=1e-12)
        np.testing.assert_allclose(second, w @ np.square(X[5:450].astype(float)), rtol=1e-12)
        assert tuple(extremes) == (X[5:450].min(), X[5:450].max(), 0.0)
    labels = rng.randint(-1, 4, size=500).astype(np.int32)
    C = rng.standard_normal((4, 9)) + 100
    expected = sum(
        (weights[i] if weighted else 1.0) * np.square(X[i].astype(float) - C[labels[i]]).sum()
        for i in range(5, 450)
        if labels[i] >= 0
    )
    for (got,) in answers(compiled, "paired_inertia", (), X, weights, labels, C, 5, 450):
        np.testing.assert_allclose(got, expected, rtol=1e-10)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_moments_notice_non_finite_values(compiled, bad):
    X = np.zeros((300, 5), np.float32)
    X[171, 3] = bad
    outputs = np.zeros(5), np.zeros(5), np.empty(3, np.float32)
    with np.errstate(invalid="ignore"):
        for found in answers(compiled, "moments", outputs, X, np.empty(0), 0, 300):
            assert np.isnan(found[2][2])


def some_of(kernels, dtype):
    """Return the answers of several loops for the same rows, as bytes."""
    rng = np.random.RandomState(0)
    n, d, k = 700, 37, 50
    X = rng.standard_normal((n, d)).astype(dtype)
    C = X[rng.choice(n, k, replace=False)].copy()
    half = (0.5 * np.einsum("ij,ij->i", C, C)).astype(dtype)
    weights, shift = rng.uniform(size=n).astype(dtype), rng.standard_normal(d).astype(dtype)
    labels, d1, d2 = np.empty(n, np.int32), np.empty(n, dtype), np.empty(n, dtype)
    sums, mass = np.zeros((k, d)), np.zeros(k)
    inertia = kernels.assign_fused(X, shift, weights, C, half, 0, n, labels, d1, d2, sums, mass)
    order, starts = sorted_by(labels, k)
    gains, side = np.zeros(k), np.zeros(n, np.int32)
    chosen = np.arange(k, dtype=np.int32)
    kernels.split_clusters(X, weights, order, starts, chosen, 0, k, gains, side)
    drawn, near, norms = np.zeros((k, d), dtype), np.zeros(n, dtype), np.einsum("ij,ij->i", X, X)
    plan, uniforms = np.array([0, n, 0, k]), rng.uniform(size=k)
    kernels.seed_groups(X, norms, weights, 0, 1, 4, plan, uniforms, drawn, near)
    sparse_labels, far, sparse_sums = np.empty(n, np.int32), np.empty((2, n)), np.zeros((k, d))
    columns, halves64 = np.zeros((d, 56), dtype), np.full(56, np.inf)
    columns[:, :k], halves64[:k] = C.T, half
    kernels.assign_sparse(
        X.ravel(), np.tile(np.arange(d, dtype=np.int32), n), np.arange(0, n * d + 1, d),
        np.empty(0), columns, halves64, 0, n, sparse_labels, far[0], far[1], sparse_sums,
        np.zeros(k),
    )  # fmt: skip
    found = (
        labels, d1, d2, sums, mass, gains, side, drawn, near, np.array(inertia), sparse_labels,
        far, sparse_sums,
    )  # fmt: skip
    return [array.tobytes() for array in found], labels


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_processor_gives_the_same_bits(dtype):
    kinds = getattr(loops, "kinds", ())
    answers = [some_of(kind, dtype) for kind in kinds]
    assert all(bits == answers[0][0] for bits, _ in answers)
    for _, labels in answers:
        np.testing.assert_array_equal(labels, some_of(plain, dtype)[1])


def test_wrong_arrays_are_refused(compiled):
    keys, order, starts = np.zeros(3, np.int32), np.zeros(3, np.int32), np.zeros(2, np.int64)
    locked = order.copy()
    locked.flags.writeable = False
    for wrong in (
        (keys, order),
        (keys, order, starts, 1),
        (keys.astype(float), order, starts),
        (keys[None], order, starts),
        (np.zeros(6, np.int32)[::2], order, starts),
        (keys, locked, starts),
        ("keys", order, starts),
    ):
        with pytest.raises((TypeError, ValueError, BufferError)):
            compiled.counting_sort(*wrong)


def run(code, **environment):
    env = {k: v for k, v in os.environ.items() if k != "ANNLAB_LOOPS"} | environment
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_twins_run_without_compiled_loops():
    code = (
        "{}from annlab._kernels import loops; print(loops.processor);"
        "import numpy as np; from annlab import kmeans_ann;"
        "X = np.random.RandomState(0).rand(600, 3).astype(np.float32);"
        "print(len(np.unique(kmeans_ann(X, 30, algorithm='graph', random_state=0).labels)))"
    )
    assert run(code.format(""), ANNLAB_LOOPS="numpy") == ["numpy", "30"]
    missing = "import sys; sys.modules['annlab._kernels._native'] = None;"
    assert run(code.format(missing)) == ["numpy", "30"]


def test_environment_selects_the_processor():
    if loops is plain:
        pytest.skip("not compiled")
    code = "from annlab._kernels import loops; print(loops.processor)"
    assert run(code, ANNLAB_LOOPS="any") == ["any"]
    assert run(code, ANNLAB_LOOPS="no such processor") == run(code)

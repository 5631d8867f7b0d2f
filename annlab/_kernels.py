"""Compiled loops for float32 data: what NumPy cannot say without a pass over memory for each step.

Each function has a plain twin of the same name and signature in `annlab._kernels_numpy`, which is
the text to read first; tests compare the two. Everything here releases the interpreter lock, so
the loops run on annlab's own threads (`annlab._support.threads.Workers`), and every task writes to
rows or clusters of its own, so the result has the same bits for every number of threads.

Import this module through `annlab._kernels_cache.load_kernels`, which decides where the machine
code is kept and never compiles without being asked.
"""

from __future__ import annotations

import numpy as np

# numba finds BLAS through these; loaded first, threadpoolctl can see and limit that BLAS too
import scipy.linalg.cython_blas  # noqa: F401
from numba import njit, types

from annlab._kernels_cache import numba_cache

#: Points of one product: 256 rows of 192 floats and their products stay in the L2 cache.
TILE = 256
#: Points that the running minimum treats at once; a constant, so that the loop becomes vectors.
LANES = 64
#: Centroids of one product.
SLAB = 256

_f4 = types.float32
_f8 = types.float64
_i4 = types.int32
_i8 = types.int64
_data = types.Array(_f4, 2, "C", readonly=True)
_matrix = types.Array(_f4, 2, "C")
_row = types.Array(_f4, 1, "C")
_wide_data_row = types.Array(_f8, 1, "C", readonly=True)
_int_data = types.Array(_i4, 1, "C", readonly=True)
_wide = types.Array(_f8, 2, "C")
_wide_row = types.Array(_f8, 1, "C")
_ints = types.Array(_i4, 1, "C")
_table = types.Array(_i4, 2, "C")
_longs = types.Array(_i8, 1, "C")


def _compile(*signature):  # type: ignore[no-untyped-def]
    def wrap(function):  # type: ignore[no-untyped-def]
        with numba_cache() as cache:
            # sums may be reordered into vectors; nothing may assume that there is no infinity
            return njit(list(signature), cache=cache, nogil=True, fastmath={"reassoc", "contract"})(
                function
            )

    return wrap


@_compile(types.void(_row, _row, _i8, _i8, _i8, _row))
def _two_least(products, half_norms, m, base, width, state):
    """Update the two least values of ½‖c‖² − x·c for each of ``width`` points.

    ``products`` is (m, width), flat; ``state`` holds, for each strip of LANES points, the least
    value, the second, and their positions (as floats: exact below 2**24). Branch-free selects on
    a constant stride are what lets the compiler use vectors.
    """
    for strip in range(0, width, LANES):
        s = state[4 * strip : 4 * strip + 4 * LANES]
        for c in range(m):
            h = half_norms[c]
            position = np.float32(base + c)
            row = products[c * width + strip : c * width + strip + LANES]
            for j in range(LANES):
                v = h - row[j]
                b1 = s[j]
                b2 = s[LANES + j]
                i1 = s[2 * LANES + j]
                i2 = s[3 * LANES + j]
                first = v < b1
                second = v < b2
                s[j] = v if first else b1
                s[LANES + j] = b1 if first else (v if second else b2)
                s[2 * LANES + j] = position if first else i1
                s[3 * LANES + j] = i1 if first else (position if second else i2)


@_compile(types.void(_matrix, _matrix, _row, _i8, _i8, _row, _row))
def _scan(tile, centroids, half_norms, m, t, products, state):
    """Two nearest of ``m`` centroids for the first ``t`` rows of ``tile``; fills ``state``."""
    width = (t + LANES - 1) // LANES * LANES
    d = tile.shape[1]
    for strip in range(0, width, LANES):
        for j in range(LANES):
            state[4 * strip + j] = np.inf
            state[4 * strip + LANES + j] = np.inf
            state[4 * strip + 2 * LANES + j] = np.float32(0)
            state[4 * strip + 3 * LANES + j] = np.float32(0)
    for i in range(t, width):
        for f in range(d):
            tile[i, f] = np.float32(0)
    for base in range(0, m, SLAB):
        size = min(SLAB, m - base)
        np.dot(
            centroids[base : base + size],
            tile[:width].T,
            products[: size * width].reshape(size, width),
        )
        _two_least(products, half_norms[base : base + size], size, base, width, state)


@_compile(
    types.void(
        _data, _row, _ints, _longs, _table, _ints, _matrix, _row, _i8, _i8,
        _ints, _ints, _row, _row,
    )
)  # fmt: skip
def assign_blocks(
    X, norms, order, starts, candidates, counts, centroids, half_norms, lo, hi,
    labels, second, d1, d2,
):  # fmt: skip
    """Give the points of each block the nearest of the candidates that the block shares."""
    d = X.shape[1]
    widest = 1
    for b in range(lo, hi):
        widest = max(widest, counts[b])
    C = np.empty((widest, d), np.float32)
    h = np.empty(widest, np.float32)
    tile = np.empty((TILE, d), np.float32)
    products = np.empty(SLAB * TILE, np.float32)
    state = np.empty(4 * TILE, np.float32)
    for b in range(lo, hi):
        m = counts[b]
        for c in range(m):
            chosen = candidates[b, c]
            h[c] = half_norms[chosen]
            for f in range(d):
                C[c, f] = centroids[chosen, f]
        for start in range(starts[b], starts[b + 1], TILE):
            t = min(TILE, starts[b + 1] - start)
            for i in range(t):
                p = order[start + i]
                for f in range(d):
                    tile[i, f] = X[p, f]
            _scan(tile, C, h, m, t, products, state)
            for i in range(t):
                p = order[start + i]
                at = 4 * (i // LANES * LANES) + i % LANES
                labels[p] = candidates[b, np.int64(state[at + 2 * LANES])]
                second[p] = candidates[b, np.int64(state[at + 3 * LANES])]
                d1[p] = max(norms[p] + np.float32(2) * state[at], np.float32(0))
                d2[p] = max(norms[p] + np.float32(2) * state[at + LANES], np.float32(0))


@_compile(types.void(_matrix, _row, _row, _i8, _i8, _i8, _longs, _wide_row, _matrix, _row))
def seed_groups(X, norms, weights, lo, hi, rounds, plan, uniforms, centroids, d1):
    """Draw the children of the groups ``lo <= g < hi`` from their points; see the twin."""
    d = X.shape[1]
    n_groups = (len(plan) - 2) // 2
    tile = np.empty((TILE, d), np.float32)
    products = np.empty(SLAB * TILE, np.float32)
    state = np.empty(4 * TILE, np.float32)
    weighted = len(weights) > 0
    for g in range(lo, hi):
        r0, r1 = plan[g], plan[g + 1]
        c0, c1 = plan[n_groups + 1 + g], plan[n_groups + 2 + g]
        m = c1 - c0
        if m == 0 or r1 == r0:
            continue
        half = np.zeros(m, np.float32)
        sums = np.zeros(d, np.float64)
        mass = 0.0
        # distance to the group's own mean: the first round spreads the seeds by it
        for i in range(r0, r1):
            w = np.float64(weights[i]) if weighted else 1.0
            mass += w
            for f in range(d):
                sums[f] += w * X[i, f]
        scale = 1.0 / mass if mass > 0 else 0.0
        for i in range(r0, r1):
            total = 0.0
            for f in range(d):
                delta = X[i, f] - sums[f] * scale
                total += delta * delta
            d1[i] = np.float32(total)
        done = 0
        for r in range(rounds):
            want = m * (r + 1) // rounds - done
            if want == 0:
                continue
            total = 0.0
            for i in range(r0, r1):
                total += (np.float64(weights[i]) if weighted else 1.0) * d1[i]
            if total <= 0.0:
                # fewer distinct points than children: repeat the group's first point
                for c in range(done, done + want):
                    for f in range(d):
                        centroids[c0 + c, f] = X[r0, f]
            else:
                # stratified draw: one point from each of `want` equal shares of the total
                running = 0.0
                i = r0 - 1
                for c in range(done, done + want):
                    target = (c - done + uniforms[c0 + c]) / want * total
                    while running <= target and i < r1 - 1:
                        i += 1
                        running += (np.float64(weights[i]) if weighted else 1.0) * d1[i]
                    for f in range(d):
                        centroids[c0 + c, f] = X[i, f]
            if done + want == m:
                break
            for c in range(done, done + want):
                total = 0.0
                for f in range(d):
                    total += np.float64(centroids[c0 + c, f]) * centroids[c0 + c, f]
                half[c] = np.float32(0.5 * total)
            for start in range(r0, r1, TILE):
                t = min(TILE, r1 - start)
                for i in range(t):
                    for f in range(d):
                        tile[i, f] = X[start + i, f]
                _scan(tile, centroids[c0 + done : c0 + done + want], half[done : done + want],
                      want, t, products, state)  # fmt: skip
                for i in range(t):
                    at = 4 * (i // LANES * LANES) + i % LANES
                    v = max(norms[start + i] + np.float32(2) * state[at], np.float32(0))
                    if done == 0 or v < d1[start + i]:
                        d1[start + i] = v
            done += want


@_compile(types.void(_ints, _ints, _longs))
def counting_sort(keys, order, starts):
    """Stable order of small integer keys, and where each key begins."""
    starts[:] = 0
    k = len(starts) - 1
    for i in range(len(keys)):
        starts[keys[i] + 1] += 1
    for c in range(k):
        starts[c + 1] += starts[c]
    cursor = starts[:-1].copy()
    for i in range(len(keys)):
        c = keys[i]
        order[cursor[c]] = i
        cursor[c] += 1


@_compile(types.void(_matrix, _row, _ints, _longs, _i8, _i8, _wide, _wide_row))
def cluster_sums(X, weights, order, starts, lo, hi, sums, mass):
    """Weighted sum and weight of the points of each cluster ``lo <= c < hi``."""
    d = X.shape[1]
    weighted = len(weights) > 0
    total = np.empty(d, np.float64)
    for c in range(lo, hi):
        total[:] = 0.0
        w = 0.0
        for at in range(starts[c], starts[c + 1]):
            p = order[at]
            if weighted:
                u = np.float64(weights[p])
                w += u
                for f in range(d):
                    total[f] += u * X[p, f]
            else:
                w += 1.0
                for f in range(d):
                    total[f] += X[p, f]
        mass[c] = w
        for f in range(d):
            sums[c, f] = total[f]


@_compile(
    types.void(
        _matrix, _row, _ints, _longs, _ints, _longs, _i8, _i8, _i8, _table, _ints
    )
)  # fmt: skip
def choose_candidates(
    centroids, half_norms, members, starts, near, near_starts, width, lo, hi, candidates, counts
):
    """For each block, the ``width`` centroids nearest to any of its own; see the twin."""
    d = centroids.shape[1]
    most = 1
    for b in range(lo, hi):
        total = 0
        for at in range(near_starts[b], near_starts[b + 1]):
            total += starts[near[at] + 1] - starts[near[at]]
        most = max(most, total)
    pool = np.empty((most, d), np.float32)
    ids = np.empty(most, np.int32)
    for b in range(lo, hi):
        own = starts[b + 1] - starts[b]
        size = 0
        # the block itself comes first in `near`
        for at in range(near_starts[b], near_starts[b + 1]):
            for i in range(starts[near[at]], starts[near[at] + 1]):
                c = members[i]
                ids[size] = c
                for f in range(d):
                    pool[size, f] = centroids[c, f]
                size += 1
        if size <= width:
            counts[b] = size
            chosen = np.sort(ids[:size])
            for i in range(size):
                candidates[b, i] = chosen[i]
            continue
        products = np.empty((own, size), np.float32)
        np.dot(pool[:own], pool[:size].T, products)
        score = np.empty(size, np.float32)
        for j in range(size):
            score[j] = np.inf
        for i in range(own):
            h = half_norms[ids[i]]
            for j in range(size):
                v = h - products[i, j]
                score[j] = v if v < score[j] else score[j]
        for j in range(size):
            score[j] += half_norms[ids[j]]
        for j in range(own):
            score[j] = -np.inf
        keep = min(max(width, own), candidates.shape[1])
        limit = np.partition(score, keep - 1)[keep - 1]
        chosen = np.empty(keep, np.int32)
        found = 0
        for j in range(size):
            if score[j] < limit:
                chosen[found] = ids[j]
                found += 1
        for j in range(size):
            # equally near ones in the order of the pool, until the places are filled
            if score[j] == limit and found < keep:
                chosen[found] = ids[j]
                found += 1
        chosen = np.sort(chosen[:found])
        counts[b] = found
        for i in range(found):
            candidates[b, i] = chosen[i]


@_compile(types.void(_matrix, _row, _ints, _longs, _ints, _i8, _i8, _wide_row, _ints))
def split_clusters(X, weights, order, starts, chosen, lo, hi, gains, half):
    """Cut chosen clusters in two and measure what each cut would gain; see the twin."""
    d = X.shape[1]
    weighted = len(weights) > 0
    mean = np.empty(d, np.float32)
    axis = np.empty(d, np.float32)
    total = np.empty((2, d), np.float64)
    mass = np.empty(2, np.float64)
    for number in range(lo, hi):
        c = chosen[number]
        first, last = starts[c], starts[c + 1]
        gains[c] = 0.0
        total[:] = 0.0
        mass[:] = 0.0
        for at in range(first, last):
            p = order[at]
            w = np.float64(weights[p]) if weighted else 1.0
            half[p] = 0
            mass[0] += w
            for f in range(d):
                total[0, f] += w * X[p, f]
        if last - first < 2 or mass[0] <= 0.0:
            continue
        for f in range(d):
            mean[f] = np.float32(total[0, f] / mass[0])
        # first direction: towards the farthest point; then two rounds of the power method
        far = np.float32(-1)
        away = first
        for at in range(first, last):
            p = order[at]
            v = np.float32(0)
            for f in range(d):
                delta = X[p, f] - mean[f]
                v += delta * delta
            if v > far:
                far = v
                away = at
        for f in range(d):
            axis[f] = X[order[away], f] - mean[f]
        for _ in range(2):
            total[0] = 0.0
            for at in range(first, last):
                p = order[at]
                v = np.float32(0)
                for f in range(d):
                    v += (X[p, f] - mean[f]) * axis[f]
                if weighted:
                    v *= weights[p]
                for f in range(d):
                    total[0, f] += v * (X[p, f] - mean[f])
            norm = 0.0
            for f in range(d):
                norm += total[0, f] * total[0, f]
            if norm <= 0.0:
                break
            norm = 1.0 / np.sqrt(norm)
            for f in range(d):
                axis[f] = np.float32(total[0, f] * norm)
        middle = np.float32(0)
        for f in range(d):
            middle += mean[f] * axis[f]
        # then three rounds of 2-means: a plane between the two means
        for _ in range(4):
            total[:] = 0.0
            mass[:] = 0.0
            for at in range(first, last):
                p = order[at]
                v = np.float32(0)
                for f in range(d):
                    v += X[p, f] * axis[f]
                side = 1 if v > middle else 0
                half[p] = side
                w = np.float64(weights[p]) if weighted else 1.0
                mass[side] += w
                for f in range(d):
                    total[side, f] += w * X[p, f]
            if mass[0] <= 0.0 or mass[1] <= 0.0:
                break
            apart = 0.0
            level = 0.0
            for f in range(d):
                a = total[0, f] / mass[0]
                b = total[1, f] / mass[1]
                apart += (b - a) * (b - a)
                level += (b - a) * (b + a)
                axis[f] = np.float32(b - a)
            middle = np.float32(0.5 * level)
            gains[c] = apart * mass[0] * mass[1] / (mass[0] + mass[1])


@_compile(_i8(_ints, _longs, _ints, _ints, _wide_row, _ints, _wide_row, _i8, _ints, _ints))
def pair_relocations(
    order, starts, second, cheapest, costs, dearest, gains, most, removed, divided
):
    """Match clusters to give up with clusters to cut in two; see the twin."""
    FREE, GONE, HELD = 0, 1, 2
    status = np.zeros(len(starts) - 1, np.int32)
    pairs = 0
    next_cut = 0
    for c in cheapest:
        if pairs == most:
            break
        if status[c] != FREE:
            continue
        while next_cut < len(dearest) and status[dearest[next_cut]] == GONE:
            next_cut += 1
        if next_cut == len(dearest):
            break
        cut = dearest[next_cut]
        if not gains[cut] > costs[c]:
            break
        if cut == c:
            continue
        alone = True
        for at in range(starts[c], starts[c + 1]):
            if status[second[order[at]]] == GONE:
                alone = False
                break
        if not alone:
            continue
        status[c] = GONE
        for at in range(starts[c], starts[c + 1]):
            status[second[order[at]]] = HELD
        status[cut] = HELD
        removed[pairs] = c
        divided[pairs] = cut
        pairs += 1
        next_cut += 1
    return pairs


@_compile(
    _f8(_data, _row, _row, _matrix, _row, _i8, _i8, _ints, _row, _row, _wide, _wide_row)
)  # fmt: skip
def assign_fused(
    X, shift, weights, centroids, half_norms, lo, hi, labels, d1, d2, sums, mass
):  # fmt: skip
    """Label rows ``lo <= i < hi`` exactly and sum them by cluster in one pass; see the twin."""
    k, d = centroids.shape
    weighted = len(weights) > 0
    summed = len(mass) == k
    tile = np.empty((TILE, d), np.float32)
    size = min(k, SLAB)
    products = np.empty(size * TILE, np.float32)
    state = np.empty(4 * TILE, np.float32)
    norms = np.empty(TILE, np.float32)
    inertia = 0.0
    for start in range(lo, hi, TILE):
        t = min(TILE, hi - start)
        for i in range(t):
            total = np.float32(0)
            for f in range(d):
                v = X[start + i, f] - shift[f]
                tile[i, f] = v
                total += v * v
            norms[i] = total
        _scan(tile, centroids, half_norms, k, t, products, state)
        for i in range(t):
            p = start + i
            at = 4 * (i // LANES * LANES) + i % LANES
            c = np.int64(state[at + 2 * LANES])
            labels[p] = c
            v = max(norms[i] + np.float32(2) * state[at], np.float32(0))
            d1[p] = v
            d2[p] = max(norms[i] + np.float32(2) * state[at + LANES], np.float32(0))
            w = np.float64(weights[p]) if weighted else 1.0
            inertia += w * v
            if summed:
                mass[c] += w
                for f in range(d):
                    sums[c, f] += w * tile[i, f]
    return inertia


@_compile(_f8(_data, _wide_data_row, _i8, _i8, _wide_row, _wide_row, _row))
def moments(X, weights, lo, hi, first, second, extremes):
    """Weighted sum and sum of squares of each feature over some rows, and least and largest."""
    d = X.shape[1]
    weighted = len(weights) > 0
    together = 1 if weighted else max(1, 128 // d)
    width = together * d
    low = np.full(width, np.inf, np.float32)
    high = np.full(width, -np.inf, np.float32)
    odd = np.zeros(width, np.float32)
    sums = np.zeros(width, np.float64)
    squares = np.zeros(width, np.float64)
    total = 0.0
    i = lo
    while i < hi:
        # several short rows at once, as one long row; the rest one by one
        several = together if i + together <= hi else 1
        w = weights[i] if weighted else 1.0
        total += w * several
        row = X[i : i + several].reshape(several * d)
        for f in range(several * d):
            v = row[f]
            low[f] = v if v < low[f] else low[f]
            high[f] = v if v > high[f] else high[f]
            # stays 0 for finite values, becomes NaN for NaN and for infinity
            odd[f] += v * np.float32(0)
            u = np.float64(v)
            sums[f] += w * u
            squares[f] += w * u * u
        i += several
    for f in range(width):
        first[f % d] += sums[f]
        second[f % d] += squares[f]
    extremes[0] = low.min()
    extremes[1] = high.max()
    extremes[2] = odd.sum()
    return total


@_compile(_f8(_data, _wide_data_row, _int_data, _wide, _i8, _i8))
def paired_inertia(X, weights, labels, centroids, lo, hi):
    """Σ w ‖x − c‖² in float64 over some rows, by differences; labels below 0 are left out."""
    d = X.shape[1]
    weighted = len(weights) > 0
    inertia = 0.0
    for i in range(lo, hi):
        c = labels[i]
        if c < 0:
            continue
        total = 0.0
        for f in range(d):
            delta = np.float64(X[i, f]) - centroids[c, f]
            total += delta * delta
        inertia += (np.float64(weights[i]) if weighted else 1.0) * total
    return inertia

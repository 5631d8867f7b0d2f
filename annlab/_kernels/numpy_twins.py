"""NumPy versions of the compiled loops: their reference and substitute.

The compiled loops have the same names, arguments and, except for rounding, answers. Outputs are
arguments: a function fills the rows or clusters from ``lo`` to ``hi`` and touches nothing else, so
any number of threads may share the work.

``weights`` has one value for each point, or is empty if every point weighs 1.
``half_norms`` is ½‖c‖²: the nearest centroid of x is the one of least ½‖c‖² − x·c.
"""

from __future__ import annotations

import numpy as np

from annlab._support.rounding import products

#: Of the functions and their arguments; the same in native.cpp.
version = 2
#: See `annlab._kernels.loops`.
processor = "numpy"
#: Points of one product.
TILE = 1024


def _weights(weights: np.ndarray, rows: np.ndarray | slice, count: int) -> np.ndarray:
    return weights[rows].astype(np.float64) if len(weights) > 0 else np.ones(count)


def _sums(rows: np.ndarray, labels: np.ndarray, w: np.ndarray, k: int) -> np.ndarray:
    """Sum weighted rows by label, as a product with a sparse matrix."""
    from scipy.sparse import csr_matrix

    n = len(rows)
    members = csr_matrix((w, labels, np.arange(n + 1)), shape=(n, k))
    return np.asarray(members.T @ rows.astype(np.float64))


def _two_nearest(
    rows: np.ndarray, centroids: np.ndarray, half_norms: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Find the two least ½‖c‖² − x·c; ties go to the lower position."""
    values = half_norms - products(rows, centroids)
    n = np.arange(len(values))
    first = values.argmin(axis=1)
    least = values[n, first]
    if len(centroids) == 1:
        return first, np.zeros_like(first), least, np.full_like(least, np.inf)
    values[n, first] = np.inf
    second = values.argmin(axis=1)
    return first, second, least, values[n, second]


def assign_blocks(
    X: np.ndarray,
    norms: np.ndarray,
    order: np.ndarray,
    starts: np.ndarray,
    candidates: np.ndarray,
    counts: np.ndarray,
    centroids: np.ndarray,
    half_norms: np.ndarray,
    lo: int,
    hi: int,
    labels: np.ndarray,
    second: np.ndarray,
    d1: np.ndarray,
    d2: np.ndarray,
) -> None:
    """Find the two nearest of the candidates that the points of each block share.

    Parameters
    ----------
    X : ndarray of shape (n, d)
    norms : ndarray of shape (n,)
        ‖x‖².
    order, starts : ndarrays of shape (n,), int32, and (n_blocks + 1,), int64
        Points block by block, and where each block begins.
    candidates, counts : ndarrays of shape (n_blocks, width) and (n_blocks,), int32
        Candidates of each block, ascending, and their number.
    centroids, half_norms : ndarrays of shape (k, d) and (k,)
    lo, hi : int
        Blocks to treat.
    labels, second : ndarrays of shape (n,), int32, written
        Nearest and second nearest candidate.
    d1, d2 : ndarrays of shape (n,), written
        Their squared distances; ``d2`` is infinite if there is one candidate only.
    """
    for b in range(lo, hi):
        chosen = candidates[b, : counts[b]]
        C, h = centroids[chosen], half_norms[chosen]
        for start in range(starts[b], starts[b + 1], TILE):
            points = order[start : min(start + TILE, starts[b + 1])]
            one, two, least, next_least = _two_nearest(X[points], C, h)
            labels[points], second[points] = chosen[one], chosen[two]
            d1[points] = np.maximum(norms[points] + 2 * least, 0)
            d2[points] = np.maximum(norms[points] + 2 * next_least, 0)


def seed_groups(
    X: np.ndarray,
    norms: np.ndarray,
    weights: np.ndarray,
    lo: int,
    hi: int,
    rounds: int,
    plan: np.ndarray,
    uniforms: np.ndarray,
    centroids: np.ndarray,
    d1: np.ndarray,
) -> None:
    """Draw the children of the groups ``lo <= g < hi`` from their points.

    Parameters
    ----------
    X, norms, weights : ndarrays of shape (n, d), (n,) and (n,) or (0,)
        Points, each group contiguous.
    rounds : int
        D² sampling draws ``m / rounds`` children at a time.
    plan : ndarray of shape (2·n_groups + 2,), int64
        Where each group's rows begin, then where its children begin.
    uniforms : ndarray of shape (k,), float64
        Random numbers in [0, 1).
    centroids : ndarray of shape (k, d), written
        Points, where the children start.
    d1 : ndarray of shape (n,), written
        Squared distance to the nearest child of all rounds but the last.
    """
    n_groups = (len(plan) - 2) // 2
    for g in range(lo, hi):
        r0, r1 = plan[g], plan[g + 1]
        c0, c1 = plan[n_groups + 1 + g], plan[n_groups + 2 + g]
        m = c1 - c0
        if m == 0 or r1 == r0:
            continue
        rows, own = X[r0:r1], centroids[c0:c1]
        w = _weights(weights, slice(r0, r1), r1 - r0)
        # the first round spreads the seeds by the distance to the group's own mean
        mean = w @ rows / w.sum() if w.sum() > 0 else np.zeros(X.shape[1])
        distance = np.square(rows - mean).sum(axis=1).astype(X.dtype)
        done = 0
        for r in range(rounds):
            want = m * (r + 1) // rounds - done
            if want == 0:
                continue
            cumulative = np.cumsum(w * distance)
            if cumulative[-1] <= 0:
                # fewer distinct points than children: repeat the group's first point
                picks = np.zeros(want, dtype=np.int64)
            else:
                # stratified draw: one point from each of `want` equal shares of the total
                targets = (np.arange(want) + uniforms[c0 + done : c0 + done + want]) / want
                picks = np.searchsorted(cumulative, targets * cumulative[-1], side="right")
                picks = np.minimum(picks, len(rows) - 1)
            own[done : done + want] = rows[picks]
            if done + want < m:
                new = own[done : done + want]
                least = _two_nearest(rows, new, _half_norms(new))[2]
                value = np.maximum(norms[r0:r1] + 2 * least, 0)
                distance = value if done == 0 else np.minimum(value, distance)
            done += want
        d1[r0:r1] = distance


def _half_norms(centroids: np.ndarray) -> np.ndarray:
    total = np.einsum("ij,ij->i", centroids, centroids, dtype=np.float64)
    return (0.5 * total).astype(centroids.dtype)


def counting_sort(keys: np.ndarray, order: np.ndarray, starts: np.ndarray) -> None:
    """Sort small integer keys; return the stable order and where each key begins."""
    order[:] = np.argsort(keys, kind="stable")
    starts[0] = 0
    np.cumsum(np.bincount(keys, minlength=len(starts) - 1), out=starts[1:])


def cluster_sums(
    X: np.ndarray,
    weights: np.ndarray,
    order: np.ndarray,
    starts: np.ndarray,
    lo: int,
    hi: int,
    sums: np.ndarray,
    mass: np.ndarray,
) -> None:
    """Sum weighted points and weights of clusters ``lo <= c < hi``, in float64."""
    for c in range(lo, hi):
        members = order[starts[c] : starts[c + 1]]
        w = _weights(weights, members, len(members))
        sums[c] = w @ X[members].astype(np.float64)
        mass[c] = w.sum()


def choose_candidates(
    centroids: np.ndarray,
    half_norms: np.ndarray,
    members: np.ndarray,
    starts: np.ndarray,
    near: np.ndarray,
    near_starts: np.ndarray,
    width: int,
    lo: int,
    hi: int,
    candidates: np.ndarray,
    counts: np.ndarray,
) -> None:
    """Choose, for each block, the ``width`` centroids nearest to any of its own.

    Parameters
    ----------
    centroids, half_norms : ndarrays of shape (k, d) and (k,)
    members, starts : ndarrays of shape (k,), int32, and (n_blocks + 1,), int64
        Centroids block by block.
    near, near_starts : ndarrays, int32 and int64
        Blocks that may hold candidates of each block, itself first.
    width : int
    lo, hi : int
        Blocks to treat.
    candidates, counts : ndarrays of shape (n_blocks, ≥ width) and (n_blocks,), int32, written
        The block's own centroids always, then those of least distance; ascending.
    """
    for b in range(lo, hi):
        blocks = near[near_starts[b] : near_starts[b + 1]]
        ids = np.concatenate([members[starts[block] : starts[block + 1]] for block in blocks])
        own = starts[b + 1] - starts[b]
        keep = len(ids)
        if keep > width:
            keep = min(max(width, own), candidates.shape[1])
            pool = centroids[ids]
            score = half_norms[ids[:own], None] - products(pool[:own], pool)
            score = score.min(axis=0, initial=np.inf)
            score += half_norms[ids]
            score[:own] = -np.inf
            ids = ids[np.argsort(score, kind="stable")[:keep]]
        counts[b] = keep
        candidates[b, :keep] = np.sort(ids)


def split_clusters(
    X: np.ndarray,
    weights: np.ndarray,
    order: np.ndarray,
    starts: np.ndarray,
    chosen: np.ndarray,
    lo: int,
    hi: int,
    gains: np.ndarray,
    half: np.ndarray,
) -> None:
    """Split chosen clusters in two and measure the gain.

    Parameters
    ----------
    X, weights : ndarrays of shape (n, d) and (n,) or (0,)
    order, starts : ndarrays of shape (n,), int32, and (k + 1,), int64
        Points cluster by cluster.
    chosen : ndarray, int32
        Clusters to try; this call treats ``chosen[lo:hi]``.
    gains : ndarray of shape (k,), float64, written
        Fall of the inertia if the cluster became two: w₀w₁/(w₀+w₁)·‖m₀ − m₁‖².
    half : ndarray of shape (n,), int32, written
        0 or 1 for the points of the chosen clusters.

    Notes
    -----
    The first plane is normal to the main axis (two rounds of the power method that start towards
    the farthest point); three rounds of 2-means follow.
    """
    for c in chosen[lo:hi]:
        points = order[starts[c] : starts[c + 1]]
        gains[c] = 0.0
        half[points] = 0
        w = _weights(weights, points, len(points))
        if len(points) < 2 or w.sum() <= 0:
            continue
        rows = X[points].astype(np.float64)
        mean = w @ rows / w.sum()
        centred = rows - mean
        axis = centred[np.square(centred).sum(axis=1).argmax()]
        for _ in range(2):
            step = (w * (centred @ axis)) @ centred
            length = np.linalg.norm(step)
            if length <= 0:
                break
            axis = step / length
        middle = mean @ axis
        for _ in range(4):
            side = rows @ axis > middle
            half[points] = side
            w0, w1 = w[~side].sum(), w[side].sum()
            if w0 <= 0 or w1 <= 0:
                break
            m0, m1 = w[~side] @ rows[~side] / w0, w[side] @ rows[side] / w1
            axis = m1 - m0
            middle = 0.5 * (axis @ (m1 + m0))
            gains[c] = axis @ axis * w0 * w1 / (w0 + w1)


def pair_relocations(
    order: np.ndarray,
    starts: np.ndarray,
    second: np.ndarray,
    cheapest: np.ndarray,
    costs: np.ndarray,
    dearest: np.ndarray,
    gains: np.ndarray,
    most: int,
    removed: np.ndarray,
    divided: np.ndarray,
) -> int:
    """Match clusters to remove with clusters to split, while the split gains more.

    Parameters
    ----------
    order, starts : ndarrays of shape (n,), int32, and (k + 1,), int64
        Points cluster by cluster.
    second : ndarray of shape (n,), int32
        Second choice of each point.
    cheapest, costs : ndarrays of shape (k,), int32 and float64
        All clusters, cheapest to remove first; the costs.
    dearest, gains : ndarrays of shape (m,), int32, and (k,), float64
        Clusters that may be split, greatest gain first; the gains.
    most : int
        Pairs at most.
    removed, divided : ndarrays of shape (≥ most,), int32, written

    Returns
    -------
    int
        Number of pairs.

    Notes
    -----
    A cluster that receives points of a removed one is held: without it those points would have no
    second choice.
    """
    gone: set[int] = set()
    held: set[int] = set()
    pairs = next_cut = 0
    for c in cheapest:
        if pairs == most:
            break
        if c in gone or c in held:
            continue
        while next_cut < len(dearest) and dearest[next_cut] in gone:
            next_cut += 1
        if next_cut == len(dearest):
            break
        cut = dearest[next_cut]
        if not gains[cut] > costs[c]:
            break
        receivers = set(second[order[starts[c] : starts[c + 1]]].tolist())
        if cut == c or receivers & gone:
            continue
        gone.add(int(c))
        held |= receivers | {int(cut)}
        removed[pairs], divided[pairs] = c, cut
        pairs += 1
        next_cut += 1
    return pairs


def assign_fused(
    X: np.ndarray,
    shift: np.ndarray,
    weights: np.ndarray,
    centroids: np.ndarray,
    half_norms: np.ndarray,
    lo: int,
    hi: int,
    labels: np.ndarray,
    d1: np.ndarray,
    d2: np.ndarray,
    sums: np.ndarray,
    mass: np.ndarray,
) -> float:
    """Label rows ``lo <= i < hi`` exactly and sum them by cluster in one pass.

    Parameters
    ----------
    X, weights : ndarrays of shape (n, d) and (n,) or (0,)
    shift : ndarray of shape (d,)
        Subtracted from each row first; the centroids are in shifted coordinates.
    centroids, half_norms : ndarrays of shape (k, d) and (k,)
    labels : ndarray of shape (n,), int32, written
        Nearest centroid by the products, without the tie rule.
    d1, d2 : ndarrays of shape (n,), written
        Squared distances to the nearest and the second nearest (infinite for one centroid).
    sums, mass : ndarrays of shape (k, d) and (k,), float64, added to
        Unless ``mass`` has another length than k.

    Returns
    -------
    float
        Σ w · d1 over these rows, in float64.
    """
    inertia = 0.0
    k = len(centroids)
    for start in range(lo, hi, TILE):
        stop = min(start + TILE, hi)
        rows = X[start:stop] - shift
        nearest, _, least, next_least = _two_nearest(rows, centroids, half_norms)
        norms = np.einsum("ij,ij->i", rows, rows)
        value = np.maximum(norms + 2 * least, 0)
        d2[start:stop] = np.maximum(norms + 2 * next_least, 0)
        w = _weights(weights, slice(start, stop), stop - start)
        labels[start:stop], d1[start:stop] = nearest, value
        inertia += float(w @ value)
        if len(mass) == k:
            sums += _sums(rows, nearest, w, k)
            mass += np.bincount(nearest, weights=w, minlength=k)
    return inertia


def assign_sparse(
    values: np.ndarray,
    features: np.ndarray,
    starts: np.ndarray,
    weights: np.ndarray,
    columns: np.ndarray,
    half_norms: np.ndarray,
    lo: int,
    hi: int,
    labels: np.ndarray,
    d1: np.ndarray,
    d2: np.ndarray,
    sums: np.ndarray,
    mass: np.ndarray,
) -> int:
    """Label sparse rows ``lo <= i < hi`` exactly and sum them, in float64.

    Parameters
    ----------
    values, features, starts : ndarrays of shape (nnz,), (nnz,), int32, and (n + 1,), int64
        A CSR matrix of shape (n, d).
    columns : ndarray of shape (d, width)
        The centroids feature by feature; the width is a multiple of 8.
    half_norms : ndarray of shape (width,), float64
        Infinite for places without a centroid.
    labels, d1, d2 : ndarrays of shape (n,), int32 and float64, written
        As in `assign_fused`.
    sums, mass : ndarrays of shape (k, d) and (k,), float64, added to
        Unless ``mass`` is empty.

    Returns
    -------
    int
        Rows with a feature out of range, which are left alone.
    """
    from scipy.sparse import csr_matrix

    wide, shape = values.astype(np.float64), (len(starts) - 1, len(columns))
    rows = csr_matrix((wide, features, starts), shape=shape)[lo:hi]
    nearest, _, least, next_least = _two_nearest(rows, columns.T.astype(np.float64), half_norms)
    norms = np.asarray(rows.multiply(rows).sum(axis=1)).ravel()
    labels[lo:hi] = nearest
    d1[lo:hi], d2[lo:hi] = np.maximum(norms + 2 * least, 0), np.maximum(norms + 2 * next_least, 0)
    if len(mass) > 0:
        w = _weights(weights, slice(lo, hi), hi - lo)
        members = csr_matrix((w, nearest, np.arange(hi - lo + 1)), shape=(hi - lo, len(mass)))
        sums += (members.T @ rows).toarray()
        mass += np.bincount(nearest, weights=w, minlength=len(mass))
    return 0


def moments(
    X: np.ndarray,
    weights: np.ndarray,
    lo: int,
    hi: int,
    first: np.ndarray,
    second: np.ndarray,
    extremes: np.ndarray,
) -> float:
    """Sum values and squares of each feature over some rows; find the extremes.

    ``first`` and ``second`` (d,) float64 are added to; ``extremes`` gets the least value, the
    largest, and a third number that is 0 if all values are finite and NaN otherwise.
    """
    w = _weights(weights, slice(lo, hi), hi - lo)
    rows = X[lo:hi].astype(np.float64)
    first += w @ rows
    second += w @ np.square(rows)
    with np.errstate(invalid="ignore"):
        extremes[:] = rows.min(), rows.max(), (rows * 0.0).sum()
    return float(w.sum())


def paired_inertia(
    X: np.ndarray,
    weights: np.ndarray,
    labels: np.ndarray,
    centroids: np.ndarray,
    lo: int,
    hi: int,
) -> float:
    """Compute Σ w ‖x − c‖² in float64 by differences, without labels below 0."""
    kept = np.flatnonzero(labels[lo:hi] >= 0) + lo
    rows = X[kept].astype(np.float64) - centroids[labels[kept]]
    return float(_weights(weights, kept, len(kept)) @ np.einsum("ij,ij->i", rows, rows))

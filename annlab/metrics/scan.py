"""Choose the number of clusters: fits for many k, each from the one before."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import ClassVar

import numpy as np

from annlab._support.checks import (
    check_choice,
    check_data,
    check_integer,
    check_items,
    check_n_clusters,
    check_random_state,
)
from annlab._support.errors import AnnlabWarning, invalid
from annlab._support.progress import Progress
from annlab._support.threads import Workers, chunk_bounds
from annlab._support.types import Matrix, MatrixLike, Seed
from annlab.clustering import kmeans, kmeans_ann
from annlab.distances import k_nearest, unit_rows
from annlab.metrics.partition import centred, spread_scores
from annlab.result import KMeansResult

#: Iterations after a split.
_MAX_ITER = 20
#: Rows of a cluster on which a split is tried, and most rows of a resample.
_SPLIT_ROWS, _RESAMPLE_ROWS = 1000, 5000


@dataclass(frozen=True, eq=False, repr=False)
class ClusterScan:
    """Scores of fits by increasing number of clusters; NaN if undefined.

    Attributes
    ----------
    n_clusters : ndarray of shape (m,), int64
    inertia : ndarray of shape (m,), float64
        Σ ‖x − c‖² with the nearest centroids.
    silhouette : ndarray of shape (m,), float64
        Simplified: mean of (b − a) / b, where a and b are the distances to the nearest and to the
        second nearest centroid.
    calinski_harabasz : ndarray of shape (m,), float64
        As in `evaluate_clustering`.
    stability : ndarray of shape (m,), float64
        Mean adjusted Rand index between the clusters of all rows and those found on random halves.
    centroids : tuple of ndarray of shape (k, d)
        Of each fit. ``kmeans(X, k, init=scan.centroids[i])`` returns its labels.
    elapsed_s : float
    """

    n_clusters: np.ndarray
    inertia: np.ndarray
    silhouette: np.ndarray
    calinski_harabasz: np.ndarray
    stability: np.ndarray
    centroids: tuple[np.ndarray, ...]
    elapsed_s: float

    _columns: ClassVar = (
        "n_clusters", "inertia", "silhouette", "calinski_harabasz", "stability",
    )  # fmt: skip

    @property
    def best_k(self) -> int | None:
        """The number of clusters that stands out, or None.

        Of the numbers scanned, but the last, the one with the highest silhouette among those with
        a silhouette within 5 % of the highest, a stability of at least 0.8 (if measured), and a
        silhouette that falls by at least 0.15 / k for each cluster up to the next number, and is
        at least 0.15 / k above that of all larger numbers up to 2 k.
        """
        k, score = self.n_clusters, np.nan_to_num(self.silhouette, nan=-1.0)
        ahead = (k > k[:, None]) & (k <= 2 * k[:, None])
        rivals = np.where(ahead, score, -1.0).max(axis=1)
        good = (score >= 0.95 * score.max()) & ((score - rivals) * k >= 0.15)
        good &= ~(self.stability < 0.8)
        good[:-1] &= (score[:-1] - score[1:]) * k[:-1] >= 0.15 * np.diff(k)
        good[-1] = False
        return int(k[np.where(good, score, -1.0).argmax()]) if good.any() else None

    def to_table(self) -> list[dict[str, float]]:
        """Return a dict of scores for each k, ready for ``pandas.DataFrame``."""
        columns = [getattr(self, name).tolist() for name in self._columns]
        return [dict(zip(self._columns, row, strict=True)) for row in zip(*columns, strict=True)]

    def __repr__(self) -> str:
        lines = [f"{'k':>6}{'inertia':>12}{'silhouette':>12}{'Calinski-H.':>12}{'stability':>11}"]
        for row in self.to_table():
            k, inertia, silhouette, harabasz, stability = row.values()
            lines.append(
                f"{k:6,}{inertia:12.6g}{silhouette:12.3f}{harabasz:12.6g}{stability:11.3f}"
            )
        return "\n".join([*lines, self.answer])

    @property
    def answer(self) -> str:
        """Describe `best_k` in words."""
        return "no k stands out" if self.best_k is None else f"k = {self.best_k} stands out"


class _Path:
    """Fits of the same rows with a growing number of clusters."""

    def __init__(self, X: Matrix, seed: int, metric: str, algorithm: str, workers: Workers) -> None:
        self.X, self.metric, self.algorithm, self.workers = X, metric, algorithm, workers
        self.rng = np.random.RandomState(seed)
        self.centroids = np.empty((0, X.shape[1]))

    def grow(self, k: int) -> bool:
        """Split clusters up to ``k``, then try to move a centroid; False if unable."""
        if not len(self.centroids):
            self._keep(self._fit("random"))
        while (now := len(self.centroids)) < k:
            count = min(k - now, now)
            pairs = [pair for _, pair in self._splits(count)][:count]
            if not pairs:
                return False
            start = np.concatenate([self.centroids, [halves[1] for _, halves in pairs]])
            for cluster, halves in pairs:
                start[cluster] = halves[0]
            self._keep(self._fit(start))
        if k > 2:
            moved = self._fit(self._with_one_moved())
            if moved.inertia < 0.999 * self.inertia:
                self._keep(moved)
        return True

    def _fit(self, init: str | np.ndarray) -> KMeansResult:
        n_clusters = 1 if isinstance(init, str) else len(init)
        fit = kmeans_ann(
            self.X, n_clusters, _MAX_ITER, algorithm=self.algorithm, init=init, metric=self.metric,
            random_state=self.rng, n_jobs=self.workers.n_jobs, final_assignment="exact",
        )  # fmt: skip
        if fit.stop_reason == "interrupted":
            raise KeyboardInterrupt
        return fit

    def _keep(self, fit: KMeansResult) -> None:
        """Keep a fit, and find the two nearest centroids of each row."""
        self.centroids, self.inertia = fit.centroids, fit.inertia
        search = partial(k_nearest, metric=self.metric)
        bounds = chunk_bounds(self.X.shape[0], 4096)
        tasks = [(self.X[a:b], fit.centroids, min(2, fit.n_clusters)) for a, b in bounds]
        parts = self.workers.map(search, tasks)
        distances, indices = (np.concatenate(columns) for columns in zip(*parts, strict=True))
        self.near, self.second, self.labels = distances[:, 0], distances[:, -1], indices[:, 0]

    def _sums(self, distances: np.ndarray) -> np.ndarray:
        """Sum squared distances by cluster."""
        squared = 2.0 * distances if self.metric == "cosine" else distances**2
        return np.bincount(self.labels, weights=squared, minlength=len(self.centroids))

    def _splits(self, count: int) -> list[tuple[float, tuple[int, np.ndarray]]]:
        """Split the clusters of largest inertia; return (gain, (cluster, halves))."""
        own = self._sums(self.near)
        order = np.argsort(self.labels, kind="stable")
        ends = np.cumsum(np.bincount(self.labels, minlength=len(own)))
        # the first splits matter most: all others follow from them
        n_init = 6 if len(own) < 4 else 2
        tried = []
        for cluster in np.argsort(-own, kind="stable")[: count + 4]:
            members = order[ends[cluster - 1] if cluster else 0 : ends[cluster]]
            if own[cluster] <= 0.0 or len(members) < 2:
                continue
            some = members
            if len(members) > _SPLIT_ROWS:
                some = np.sort(self.rng.choice(members, _SPLIT_ROWS, replace=False))
            halves = kmeans(
                self.X[some],
                2,
                6,
                n_init=n_init,
                metric=self.metric,
                random_state=self.rng,
                n_jobs=1,
            )
            gain = float(own[cluster]) - halves.inertia * len(members) / len(some)
            tried.append((gain, (int(cluster), halves.centroids)))
        return sorted(tried, key=lambda one: -one[0])

    def _with_one_moved(self) -> np.ndarray:
        """Move the least useful centroid into the cluster that gains most by a split."""
        loss = self._sums(self.second) - self._sums(self.near)
        splits = self._splits(1)
        if not splits:
            return self.centroids
        cluster, halves = splits[0][1]
        loss[cluster] = np.inf
        moved = self.centroids.copy()
        moved[[cluster, int(loss.argmin())]] = halves
        return moved


def scan_n_clusters(
    X: MatrixLike,
    n_clusters: int | Sequence[int],
    highest: int | None = None,
    *,
    metric: str = "euclidean",
    algorithm: str = "brute",
    n_resamples: int = 4,
    random_state: Seed = None,
    n_jobs: int | None = None,
    progress: bool = False,
) -> ClusterScan:
    """Score a range of numbers of clusters, splitting clusters to reach the next.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n, d)
    n_clusters : int, or increasing sequence of int
        Lowest number of clusters, or all numbers to try.
    highest : int, optional
        Highest number of clusters; required if ``n_clusters`` is an int.
    metric : {"euclidean", "cosine"}, default="euclidean"
    algorithm : str, default="brute"
        Of the iterations, as in `annlab.kmeans_ann`. ``"auto"`` is quicker for thousands of
        clusters.
    n_resamples : int, default=4
        Random halves of the rows (at most 5,000) for the stability; 0 for none.
    random_state, n_jobs, progress
        As in `annlab.kmeans_ann`.

    Returns
    -------
    ClusterScan
        After Ctrl-C, with a warning, that of the numbers of clusters that are finished.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid, or X has fewer different rows than clusters.

    Notes
    -----
    For each k the clusters that gain most by it are split by 2-means, up to 20 iterations follow,
    and one centroid is moved to where it helps more if that lowers the inertia. Stability:
    Ben-Hur, Elisseeff & Guyon (2002), doi 10.1142/9789812799623_0002; von Luxburg (2010),
    doi 10.1561/2200000008. Simplified silhouette: Hruschka, de Castro & Campello (2004),
    doi 10.1109/ICDM.2004.10073.

    Examples
    --------
    >>> from annlab import scan_n_clusters
    >>> from annlab.datasets import make_blobs
    >>> X, _ = make_blobs(600, 5, separation=8, random_state=0)
    >>> scan_n_clusters(X, 2, 8, random_state=0).best_k
    5
    """
    X = check_data(X, accept_sparse=True)
    ks = _checked_ks(n_clusters, highest, X.shape[0])
    check_choice(metric, "metric", ("euclidean", "cosine"))
    check_integer(n_resamples, "n_resamples", minimum=0)
    rng = check_random_state(random_state)
    began, line = time.perf_counter(), Progress(progress, len(ks), "scan")
    rows: list[tuple] = []
    with Workers(n_jobs) as workers, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The fit was interrupted")
        try:
            for row in _scores(X, ks, metric, algorithm, n_resamples, rng, workers):
                rows.append(row)
                share = sum(ks[: len(rows)]) / sum(ks)
                left_s = (time.perf_counter() - began) * (1.0 / share - 1.0)
                line.update(len(rows), f"k = {row[0]:,}", left_s=left_s)
        except KeyboardInterrupt:
            if not rows:
                raise
    line.close(f"of {len(rows)} numbers of clusters")
    if len(rows) < len(ks):
        warnings.warn(
            f"The scan was interrupted after k = {rows[-1][0]}.", AnnlabWarning, stacklevel=2
        )
    *columns, centroids = zip(*rows, strict=True)
    k, inertia, silhouette, harabasz, stability = (np.array(column) for column in columns)
    elapsed_s = time.perf_counter() - began
    return ClusterScan(k, inertia, silhouette, harabasz, stability, centroids, elapsed_s)


def _checked_ks(n_clusters: int | Sequence[int], highest: int | None, n: int) -> list[int]:
    if highest is not None:
        low, high = check_integer(n_clusters, "n_clusters"), check_n_clusters(highest, n, "highest")
        if high < low:
            raise invalid("highest", f"at least n_clusters={low}", high)
        return list(range(low, high + 1))
    rule = "an increasing sequence of integers, or an integer together with highest"
    ks = [check_n_clusters(k, n) for k in check_items(n_clusters, "n_clusters", rule)]
    if not ks or any(b <= a for a, b in pairwise(ks)):
        raise invalid("n_clusters", rule, ks)
    return ks


def _scores(
    X: Matrix,
    ks: Sequence[int],
    metric: str,
    algorithm: str,
    n_resamples: int,
    rng: np.random.RandomState,
    workers: Workers,
) -> Iterator[tuple]:
    """Yield a row of the table, and the centroids, for each k."""
    from sklearn.metrics import adjusted_rand_score

    n = X.shape[0]
    seeds = rng.randint(2**31 - 1, size=n_resamples + 1)
    path = _Path(X, seeds[0], metric, algorithm, workers)
    halves = []
    for seed in seeds[1:]:
        chosen = np.sort(rng.choice(n, max(min(n // 2, _RESAMPLE_ROWS), 1), replace=False))
        halves.append((chosen, _Path(X[chosen], seed, metric, algorithm, workers)))
    rows = centred(unit_rows(X)[0] if metric == "cosine" else X, metric)
    for k in ks:
        if not path.grow(k):
            rule = f"at most {len(path.centroids):,}, the number of different rows of X"
            raise invalid("n_clusters", rule, k, "Ask for fewer clusters.")
        halves = [(chosen, half) for chosen, half in halves if half.grow(k)]
        agreement = [
            adjusted_rand_score(path.labels[chosen], half.labels) for chosen, half in halves
        ]
        gap = path.second - path.near
        ratio = np.divide(gap, path.second, out=np.zeros(n), where=path.second > 0)
        silhouette = float(ratio.mean()) if k > 1 else np.nan
        harabasz = spread_scores(rows, path.labels, k)[1] if 1 < k < n else np.nan
        stability = float(np.mean(agreement)) if agreement else np.nan
        yield k, path.inertia, silhouette, harabasz, stability, path.centroids

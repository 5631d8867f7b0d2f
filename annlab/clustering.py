"""The signatures of `kmeans` and `kmeans_ann`; `annlab.fit` does the work."""

from __future__ import annotations

from typing import Any

from annlab.fit.run import fit
from annlab.fit.settings import Callback, Settings
from annlab.result import KMeansResult


def kmeans(
    X: Any,
    n_clusters: int,
    max_iter: int = 100,
    *,
    init: Any = "k-means++",
    n_init: int = 1,
    tol: float = 1e-4,
    metric: str = "euclidean",
    sample_weight: Any = None,
    random_state: Any = None,
    n_jobs: int | None = None,
    trace: bool = False,
    callback: Callback | None = None,
    progress: bool = False,
    checkpoint: Any = None,
) -> KMeansResult:
    """Cluster by exact k-means: Lloyd's algorithm.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n, d), or data in parts
        float32 stays float32. Read part by part, in bounded memory: a memory-mapped array or the
        path of an ``.npy`` file, a sequence of 2-D arrays or of such paths, a table of h5py or
        zarr, a function that returns a fresh iterator over blocks. A dask.array or dask.dataframe
        stays where it is and gets lazy labels.
    n_clusters : int
        Number of clusters k, 1 to n.
    max_iter : int, default=100
        Iterations at most.
    init : {"k-means++", "random", "k-means||"}, function, or array of shape (k, d)
        Start. A function is called as ``init(X, n_clusters, random_state=...)``. Data in parts of
        more than 8 million values is sampled for the start.
    n_init : int, default=1
        Starts to try; the result of lowest inertia is kept. An array is one start.
    tol : float, default=1e-4
        Stop when the centroids move, in sum of squares, by at most ``tol`` times the mean
        variance of the features (scikit-learn's meaning).
    metric : {"euclidean", "cosine"}, default="euclidean"
        Cosine works on unit rows with normalised means.
    sample_weight : array-like of shape (n,), optional
        Weight N counts as N repetitions.
    random_state : None, int, RandomState or Generator
    n_jobs : int, optional
        Threads; None means all cores, or what ``joblib.parallel_config`` says. The result is the
        same for every value.
    trace : bool, default=False
        Keep labels and centroids of every iteration in ``result.trace``.
    callback : callable, optional
        Called with each `Step`; returning True stops the fit.
    progress : bool, default=False
        Show a line of progress on stderr.
    checkpoint : path-like, optional
        File (``.npz``) that is written after each iteration, whole or not at all. The same call
        with the same data and parameters continues from it to the result of an uninterrupted fit;
        any other is refused. The file is deleted at the end of the fit, and kept if Ctrl-C or a
        callback stopped it.

    Returns
    -------
    KMeansResult
        Unpacks as ``labels, centroids``.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid.
    KeyboardInterrupt
        If Ctrl-C is pressed before the first iteration is finished. Later the result of the last
        finished iteration is returned, with a warning.

    Notes
    -----
    2·n·k·d operations an iteration; with ``checkpoint`` one more read of X in all. Lloyd (1982),
    doi 10.1109/TIT.1982.1056489.

    Data in parts is read once for a survey, once for the sample of the start, and once in each
    iteration. 8 bytes for each row, the sample, and a group of chunks are kept. From the same start
    the result is that of the data in memory: the same bits for blocks, and for Dask except for the
    rounding of sums in another order.

    Examples
    --------
    >>> import numpy as np
    >>> from annlab import kmeans
    >>> X = np.array([[0.0, 0.0], [0.0, 1.0], [8.0, 0.0], [8.0, 1.0]])
    >>> labels, centroids = kmeans(X, 2, random_state=0)
    >>> sorted(centroids.tolist())
    [[0.0, 0.5], [8.0, 0.5]]
    """
    settings = Settings(
        n_clusters=n_clusters,
        max_iter=max_iter,
        algorithm="brute",
        init=init,
        n_init=n_init,
        tol=tol,
        metric=metric,
        sample_weight=sample_weight,
        random_state=random_state,
        n_jobs=n_jobs,
        trace=trace,
        callback=callback,
        progress=progress,
        checkpoint=checkpoint,
    )
    return fit(X, settings)[0]


def kmeans_ann(
    X: Any,
    n_clusters: int,
    max_iter: int = 100,
    *,
    algorithm: Any = "auto",
    algorithm_params: dict[str, Any] | None = None,
    init: Any = "k-means++",
    n_init: int = 1,
    tol: float = 1e-4,
    metric: str = "euclidean",
    sample_weight: Any = None,
    random_state: Any = None,
    n_jobs: int | None = None,
    trace: bool = False,
    callback: Callback | None = None,
    progress: bool = False,
    final_assignment: str = "auto",
    checkpoint: Any = None,
) -> KMeansResult:
    """Cluster by k-means with approximate nearest neighbours among the centroids.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n, d), or data in parts
        Sparse input runs with ``"brute"``, ``"lsh"``, and ``"small_k"``, which makes it dense chunk
        by chunk; ``"auto"`` takes ``"small_k"`` from a tenth of stored values on, and ``"brute"``
        below. Data in parts as in `kmeans`: blocks run with all algorithms except ``"graph"``, Dask
        collections with ``"auto"``, ``"brute"`` and ``"small_k"``.
    n_clusters : int
        Number of clusters k, 1 to n.
    max_iter : int, default=100
    algorithm : str or object, default="auto"
        A name of `available_algorithms`, or an object with ``fit(X)`` and
        ``kneighbors(Q, n_neighbors) -> (distances, indices)``, such as scikit-learn's
        ``NearestNeighbors``; it is cloned, never fitted in place.
    algorithm_params : dict, optional
        Parameters of the named index, such as ``{"ef": 50}``.
    init, n_init, tol, metric, sample_weight, random_state, n_jobs, trace, callback, progress, \
checkpoint
        As in `kmeans`.
    final_assignment : {"auto", "exact", "algorithm"}, default="auto"
        Whether the returned labels are exact or found as in the iterations. ``"auto"`` makes them
        exact if that costs little beside the fit; if not, ``recall_estimate`` is the share of
        exact labels.

    Returns
    -------
    KMeansResult
        Unpacks as ``labels, centroids``. ``algorithm`` names what ran, ``reason`` says why.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid.

    Notes
    -----
    The index holds the centroids and the points are the queries: the saving depends on k, not on
    n. A point keeps its label unless the candidate is really closer: inertia never rises. Philbin
    et al. (2007), doi 10.1109/CVPR.2007.383172.

    Examples
    --------
    >>> import numpy as np
    >>> from annlab import kmeans_ann
    >>> X = np.random.RandomState(0).rand(500, 2)
    >>> result = kmeans_ann(X, 5, algorithm="kd_tree", random_state=0)
    >>> result.algorithm, result.converged
    ('kd_tree', True)
    """
    settings = Settings(
        n_clusters=n_clusters,
        max_iter=max_iter,
        algorithm=algorithm,
        algorithm_params=algorithm_params,
        init=init,
        n_init=n_init,
        tol=tol,
        metric=metric,
        sample_weight=sample_weight,
        random_state=random_state,
        n_jobs=n_jobs,
        trace=trace,
        callback=callback,
        progress=progress,
        final_assignment=final_assignment,
        checkpoint=checkpoint,
    )
    return fit(X, settings)[0]

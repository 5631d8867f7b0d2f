"""Who is compared, with which settings: one entry for each way to run k-means.

All peers get the same float32 rows, the same number of threads and a seed; all train on all rows
and return a label for every row, inside the clock. Where a library would by default sub-sample
or stop early, that is switched off for the ladder of iterations, and its defaults are measured as
a rung of their own, so that nobody is weakened by settings he did not choose.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from annlab._support.errors import invalid

#: labels, centroids, iterations made (None where a library does not say)
Answer = tuple[np.ndarray, np.ndarray, int | None]
Run = Callable[[np.ndarray, int, dict[str, Any], int, int], Answer]

#: Shown in place of a limit on the points that train: it is set to n // k + 1, so that all do.
_ALL_POINTS = "n // k + 1 (all)"


@dataclass(frozen=True)
class Peer:
    """One way to run k-means.

    Attributes
    ----------
    key : str
        Name in results and on the command line.
    label : str
        Name for people.
    module : str
        What has to be importable, and may be an attribute: ``"faiss:SuperKmeans"``.
    run : function of (X, n_clusters, settings, seed, threads)
        Returns labels, centroids and iterations.
    settings : dict
        What stays fixed on every rung of the ladder.
    knob : str
        The setting that the ladder turns.
    rungs : function of the ladder
        Settings of each rung, from cheap to dear; ``{"defaults": True}`` stands for the
        library's own defaults.
    min_features : int
        The library refuses data of fewer features.
    worth : tuple of int, optional
        Steps of the usual ladder that are worth a run where each of them is dear; a ladder that
        is made for this peer is taken as it is.
    """

    key: str
    label: str
    module: str
    run: Run
    settings: dict[str, Any] = field(default_factory=dict)
    knob: str = "max_iter"
    rungs: Callable[[tuple[int, ...]], list[dict[str, Any]]] = lambda ladder: []

    min_features: int = 1
    worth: tuple[int, ...] | None = None

    def steps(self, ladder: tuple[int, ...]) -> tuple[int, ...]:
        """What of the usual ladder this peer runs."""
        return tuple(step for step in ladder if self.worth is None or step in self.worth)

    @property
    def is_ours(self) -> bool:
        """Whether it is one of annlab's algorithms."""
        return self.key.startswith("annlab-")

    def missing(self, n_features: int | None = None) -> str:
        """Say why the peer cannot run here (on that many features); empty if it can."""
        name, _, attribute = self.module.partition(":")
        if importlib.util.find_spec(name) is None:
            return f"the package {name!r} is not installed"
        if attribute and not hasattr(importlib.import_module(name), attribute):
            return f"the installed {name!r} has no {attribute}"
        if n_features is not None and n_features < self.min_features:
            return f"it needs at least {self.min_features} features"
        return ""


def _steps(knob: str, *, most: int = 1_000_000, defaults: bool = True) -> Any:
    """Ladder of one knob, then the library's defaults."""

    def rungs(ladder: tuple[int, ...]) -> list[dict[str, Any]]:
        steps: list[dict[str, Any]] = [{knob: step} for step in ladder if step <= most]
        return steps + ([{"defaults": True}] if defaults else [])

    return rungs


def _settings(settings: dict[str, Any], fixed: dict[str, Any]) -> dict[str, Any]:
    """Settings of a rung: fixed ones and the knob, or none at all for the defaults."""
    if settings.get("defaults"):
        return {}
    return {**fixed, **settings}


# --- scikit-learn ------------------------------------------------------------------------------


def _sklearn(class_name: str, fixed: dict[str, Any]) -> Run:
    def run(X: np.ndarray, k: int, settings: dict[str, Any], seed: int, threads: int) -> Answer:
        import sklearn.cluster

        make = getattr(sklearn.cluster, class_name)
        model = make(k, random_state=seed, **_settings(settings, fixed)).fit(X)
        n_iter = getattr(model, "n_iter_", None)
        return model.labels_, model.cluster_centers_, None if n_iter is None else int(n_iter)

    return run


# --- faiss -------------------------------------------------------------------------------------


def _faiss(class_name: str, fixed: dict[str, Any]) -> Run:
    def run(X: np.ndarray, k: int, settings: dict[str, Any], seed: int, threads: int) -> Answer:
        import faiss

        faiss.omp_set_num_threads(threads)
        chosen = _settings(settings, fixed)
        if chosen:
            chosen["max_points_per_centroid"] = len(X) // k + 1
        model = getattr(faiss, class_name)(X.shape[1], k, seed=seed + 1, **chosen)
        model.train(X)
        return model.assign(X)[1], model.centroids, len(model.obj)

    return run


# --- superkmeans -------------------------------------------------------------------------------


def _superkmeans(fixed: dict[str, Any]) -> Run:
    def run(X: np.ndarray, k: int, settings: dict[str, Any], seed: int, threads: int) -> Answer:
        import superkmeans

        chosen = _settings(settings, fixed)
        if chosen:
            chosen["max_points_per_cluster"] = len(X) // k + 1
        model = superkmeans.SuperKMeans(k, X.shape[1], n_threads=threads, seed=seed, **chosen)
        centroids = model.train(X)
        # its own quick assignment prunes by what training learnt; tried: 99.9 % of its labels are
        # exact, and it only knows the rows it was trained on
        sampled = model.sampled_indices is not None
        labels = (model.assign if sampled else model.assign_training_points)(X, centroids)
        return labels, centroids, chosen.get("iters")

    return run


# --- the deck, and annlab ----------------------------------------------------------------------


def _deck(X: np.ndarray, k: int, settings: dict[str, Any], seed: int, threads: int) -> Answer:
    from annlab.benchmarks.deck import deck_kmeans_ann

    labels, centroids = deck_kmeans_ann(X, k, random_state=seed, **_settings(settings, {}))
    return labels, centroids, None


def _annlab(algorithm: str, fixed: dict[str, Any]) -> Run:
    def run(X: np.ndarray, k: int, settings: dict[str, Any], seed: int, threads: int) -> Answer:
        from annlab.clustering import kmeans_ann

        result = kmeans_ann(
            X,
            k,
            algorithm=algorithm,
            random_state=seed,
            n_jobs=threads,
            **_settings(settings, fixed),
        )
        return result.labels, result.centroids, result.n_iter

    return run


def _hierarchical_rungs(ladder: tuple[int, ...]) -> list[dict[str, Any]]:
    return [{"iters_refinement": step} for step in (0, *ladder) if step <= 25]


_FAISS = {"max_points_per_centroid": _ALL_POINTS, "min_points_per_centroid": 1, "nredo": 1}
_FAISS_SUPER = {name: value for name, value in _FAISS.items() if name != "nredo"}
_SUPER = {
    "sampling_fraction": 1.0,
    "max_points_per_cluster": _ALL_POINTS,
    "early_termination": False,
}
_RANDOM = {"init": "random", "n_init": 1, "tol": 0.0}
_PLUS = {"init": "k-means++", "n_init": 1, "tol": 0.0}
_BATCH = {
    "init": "random",
    "n_init": 1,
    "batch_size": 4096,
    "max_no_improvement": None,
    "tol": 0.0,
}
_BISECT = {"init": "random", "n_init": 1, "bisecting_strategy": "biggest_inertia"}
_FLAT = {**_SUPER, "hierarchical": False}
_TREE = {**_SUPER, "hierarchical": True, "iters_mesoclustering": 3, "iters_fineclustering": 5}
# the first are the package's own numbers of iterations, the second those of its C++ core
_TREE_LONG = {**_TREE, "iters_mesoclustering": 10, "iters_fineclustering": 10}

#: annlab's algorithms that are compared unless others are asked for, where they exist.
OUR_ALGORITHMS = ("auto", "small_k", "graph", "brute", "hnsw")


def _ours(name: str) -> Peer:
    # algorithms with a start of their own keep it; the others begin as the peers do
    fixed: dict[str, Any] = {"tol": 0.0}
    if name not in ("auto", "graph", "small_k"):
        fixed["init"] = "random"
    return Peer(
        key=f"annlab-{name}",
        label=f"annlab {name}",
        module="annlab",
        run=_annlab(name, fixed),
        settings={"algorithm": name, **fixed},
        rungs=_steps("max_iter"),
    )


def all_peers() -> dict[str, Peer]:
    """Every peer by key, whether it can run here or not, in the order of comparisons.

    Examples
    --------
    >>> from annlab.benchmarks.peers import all_peers
    >>> "sklearn-random" in all_peers() and "annlab-auto" in all_peers()
    True
    """
    from annlab.fit.choose import available_algorithms

    # the reference first, then annlab: a time budget that runs out still leaves a comparison
    ours = available_algorithms()
    order = [name for name in OUR_ALGORITHMS if name in ours]
    order += [name for name in ours if name not in order]
    others = [
        Peer(
            "sklearn-random",
            "scikit-learn KMeans, random start",
            "sklearn",
            _sklearn("KMeans", _RANDOM),
            _RANDOM,
            rungs=_steps("max_iter", defaults=False),
        ),
        Peer(
            "sklearn-kmeans++",
            "scikit-learn KMeans, k-means++ start",
            "sklearn",
            _sklearn("KMeans", _PLUS),
            _PLUS,
            rungs=_steps("max_iter"),
            # the start is nearly all of the time at large k: few rungs tell the story
            worth=(1, 5, 25),
        ),
        Peer(
            "sklearn-minibatch",
            "scikit-learn MiniBatchKMeans",
            "sklearn",
            _sklearn("MiniBatchKMeans", _BATCH),
            _BATCH,
            rungs=_steps("max_iter", most=25),
        ),
        Peer(
            "sklearn-bisecting",
            "scikit-learn BisectingKMeans",
            "sklearn",
            _sklearn("BisectingKMeans", _BISECT),
            _BISECT,
            rungs=_steps("max_iter"),
            worth=(1, 5, 25),
        ),
        Peer(
            "faiss",
            "faiss.Kmeans",
            "faiss:Kmeans",
            _faiss("Kmeans", _FAISS),
            _FAISS,
            knob="niter",
            rungs=_steps("niter"),
        ),
        Peer(
            "faiss-super",
            "faiss.SuperKmeans",
            "faiss:SuperKmeans",
            _faiss("SuperKmeans", _FAISS_SUPER),
            _FAISS_SUPER,
            knob="niter",
            rungs=_steps("niter"),
            min_features=32,
        ),
        Peer(
            "superkmeans-flat",
            "superkmeans, flat",
            "superkmeans:SuperKMeans",
            _superkmeans(_FLAT),
            _FLAT,
            knob="iters",
            rungs=_steps("iters", defaults=False),
        ),
        Peer(
            "superkmeans-tree",
            "superkmeans, hierarchical",
            "superkmeans:SuperKMeans",
            _superkmeans(_TREE),
            _TREE,
            knob="iters_refinement",
            rungs=_hierarchical_rungs,
        ),
        Peer(
            "superkmeans-tree-long",
            "superkmeans, hierarchical, 10 + 10 iterations",
            "superkmeans:SuperKMeans",
            _superkmeans(_TREE_LONG),
            _TREE_LONG,
            knob="iters_refinement",
            rungs=_hierarchical_rungs,
        ),
        Peer(
            "superkmeans-default",
            "superkmeans, its defaults",
            "superkmeans:SuperKMeans",
            _superkmeans({}),
            {},
            knob="iters",
            rungs=lambda ladder: [{"defaults": True}],
        ),
        Peer(
            "deck",
            "the deck's kmeans_ann (slide 3)",
            "sklearn",
            _deck,
            {"index": "scikit-learn ball tree, one thread"},
            rungs=_steps("max_iter"),
        ),
    ]
    ours_first = [others[0], *(_ours(name) for name in order), *others[1:]]
    return {peer.key: peer for peer in ours_first}


def choose_peers(names: Any = None) -> list[Peer]:
    """Peers by key; by default all but annlab's indexes that are no use for k-means.

    Raises
    ------
    ValueError
        For an unknown key; the message lists the known ones.
    """
    known = all_peers()
    if names is None:
        usual = {f"annlab-{name}" for name in OUR_ALGORITHMS}
        return [peer for peer in known.values() if not peer.is_ours or peer.key in usual]
    names = [names] if isinstance(names, str) else list(names)
    for name in names:
        if name not in known:
            raise invalid("peers", "among " + ", ".join(known), repr(name))
    return [known[name] for name in dict.fromkeys(names)]

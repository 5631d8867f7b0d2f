"""The peers of a comparison: one entry for each way to run k-means.

All peers get the same float32 rows, number of threads and seed; all train on all rows and return a
label for every row, inside the clock. If a library would by default sub-sample or stop early, that
is switched off for the ladder of iterations, and its defaults are measured as a rung of their own,
so no library is handicapped by settings it did not choose.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from annlab._support.errors import invalid


class Answer(NamedTuple):
    """What a peer returns: iterations are None where a library does not say."""

    labels: np.ndarray
    centroids: np.ndarray
    n_iter: int | None
    algorithm: str = ""


#: (X, n_clusters, settings, seed, threads) -> Answer
Run = Callable[[np.ndarray, int, dict[str, Any], int, int], Answer]

#: Label of a limit on the training points per cluster.
_ALL_POINTS = "n // k + 1 (all)"
#: The rung of a library's own defaults.
DEFAULTS = {"defaults": True}


@dataclass(frozen=True)
class Peer:
    """One way to run k-means; add others to ``_OTHERS``.

    Attributes
    ----------
    key, label : str
        Name in results and on the command line, and name for people.
    module : str
        What has to be importable; may be an attribute: ``"faiss:SuperKmeans"``.
    fit : function of (X, n_clusters, settings, seed, threads)
        Returns an `Answer`; no settings mean the library's defaults.
    settings : dict
        What stays fixed on every rung of the ladder.
    knob : str
        The setting that the ladder turns.
    first : tuple of int
        Steps before those of any ladder.
    most : int
        Steps past this are left out.
    has_defaults : bool
        Whether the library's own defaults are a rung, the last one.
    min_features : int
        The library refuses data with fewer features.
    worth : tuple of int, optional
        Steps of the usual ladder that are run where each is expensive; a ladder made for this peer
        is run completely.
    """

    key: str
    label: str
    module: str
    fit: Run
    settings: dict[str, Any] = field(default_factory=dict)
    knob: str = "max_iter"
    first: tuple[int, ...] = ()
    most: int = 1_000_000
    has_defaults: bool = True
    min_features: int = 1
    worth: tuple[int, ...] | None = None

    def steps(self, ladder: tuple[int, ...]) -> tuple[int, ...]:
        """Return what this peer runs of the usual ladder."""
        return tuple(step for step in ladder if self.worth is None or step in self.worth)

    def rungs(self, ladder: tuple[int, ...]) -> list[dict[str, Any]]:
        """Return the settings of the rungs, from cheap to expensive, defaults last."""
        steps = [{self.knob: step} for step in (*self.first, *ladder) if step <= self.most]
        return [*steps, DEFAULTS] if self.has_defaults else steps

    def run(self, X: np.ndarray, k: int, rung: dict[str, Any], seed: int, threads: int) -> Answer:
        """Fit once with the fixed settings and the knob, if any."""
        settings = {} if rung.get("defaults") else {**self.settings, **rung}
        return self.fit(X, k, settings, seed, threads)

    @property
    def is_ours(self) -> bool:
        """Whether it is one of annlab's algorithms."""
        return self.key.startswith("annlab-")

    def missing(self, n_features: int | None = None) -> str:
        """Return why the peer cannot run (on that many features), or ""."""
        name, _, attribute = self.module.partition(":")
        if importlib.util.find_spec(name) is None:
            return f"the package {name!r} is not installed"
        if attribute and not hasattr(importlib.import_module(name), attribute):
            return f"the installed {name!r} has no {attribute}"
        if n_features is not None and n_features < self.min_features:
            return f"it needs at least {self.min_features} features"
        return ""


def _scikit_learn(
    key: str, label: str, class_name: str, settings: dict[str, Any]
) -> dict[str, Any]:
    def fit(X: np.ndarray, k: int, settings: dict[str, Any], seed: int, threads: int) -> Answer:
        import sklearn.cluster

        model = getattr(sklearn.cluster, class_name)(k, random_state=seed, **settings).fit(X)
        n_iter = getattr(model, "n_iter_", None)
        return Answer(
            model.labels_, model.cluster_centers_, None if n_iter is None else int(n_iter)
        )

    return {
        "key": f"sklearn-{key}",
        "label": f"scikit-learn {label}",
        "module": "sklearn",
        "fit": fit,
        "settings": settings,
    }


def _faiss(key: str, class_name: str, settings: dict[str, Any]) -> dict[str, Any]:
    def fit(X: np.ndarray, k: int, settings: dict[str, Any], seed: int, threads: int) -> Answer:
        import faiss

        faiss.omp_set_num_threads(threads)
        if settings:
            settings = {**settings, "max_points_per_centroid": len(X) // k + 1}
        model = getattr(faiss, class_name)(X.shape[1], k, seed=seed + 1, **settings)
        model.train(X)
        return Answer(model.assign(X)[1], model.centroids, len(model.obj))

    every = {"max_points_per_centroid": _ALL_POINTS, "min_points_per_centroid": 1}
    return {
        "key": key,
        "label": f"faiss.{class_name}",
        "module": f"faiss:{class_name}",
        "fit": fit,
        "settings": every | settings,
        "knob": "niter",
    }


def _superkmeans(key: str, label: str, settings: dict[str, Any] | None) -> dict[str, Any]:
    def fit(X: np.ndarray, k: int, settings: dict[str, Any], seed: int, threads: int) -> Answer:
        import superkmeans

        if settings:
            settings = {**settings, "max_points_per_cluster": len(X) // k + 1}
        model = superkmeans.SuperKMeans(k, X.shape[1], n_threads=threads, seed=seed, **settings)
        centroids = model.train(X)
        # its quick assignment (99.9 % of the labels exact when tried) knows only the training rows
        sampled = model.sampled_indices is not None
        labels = (model.assign if sampled else model.assign_training_points)(X, centroids)
        return Answer(labels, centroids, settings.get("iters"))

    every = {
        "sampling_fraction": 1.0,
        "max_points_per_cluster": _ALL_POINTS,
        "early_termination": False,
    }
    return {
        "key": f"superkmeans-{key}",
        "label": f"superkmeans, {label}",
        "module": "superkmeans:SuperKMeans",
        "fit": fit,
        "settings": {} if settings is None else every | settings,
        "knob": "iters",
    }


def _tree(key: str, label: str, middle: int, fine: int) -> Peer:
    iterations = {"iters_mesoclustering": middle, "iters_fineclustering": fine}
    facts = _superkmeans(key, label, {"hierarchical": True, **iterations})
    facts["knob"] = "iters_refinement"
    return Peer(**facts, first=(0,), most=25, has_defaults=False)


def _deck(X: np.ndarray, k: int, settings: dict[str, Any], seed: int, threads: int) -> Answer:
    from annlab.benchmarks.deck import deck_kmeans_ann

    turned = {name: value for name, value in settings.items() if name != "index"}
    labels, centroids = deck_kmeans_ann(X, k, random_state=seed, **turned)
    return Answer(labels, centroids, None)


_RANDOM = {"init": "random", "n_init": 1, "tol": 0.0}
_BATCH = {"init": "random", "n_init": 1, "batch_size": 4096, "max_no_improvement": None, "tol": 0.0}
_BISECT = {"init": "random", "n_init": 1, "bisecting_strategy": "biggest_inertia"}
#: The start takes nearly all of the time at large k, so few rungs suffice.
_FEW = (1, 5, 25)

#: All but annlab, the reference first.
_OTHERS = (
    Peer(**_scikit_learn("random", "KMeans, random start", "KMeans", _RANDOM), has_defaults=False),
    Peer(
        **_scikit_learn(
            "kmeans++", "KMeans, k-means++ start", "KMeans", _RANDOM | {"init": "k-means++"}
        ),
        worth=_FEW,
    ),
    Peer(**_scikit_learn("minibatch", "MiniBatchKMeans", "MiniBatchKMeans", _BATCH), most=25),
    Peer(**_scikit_learn("bisecting", "BisectingKMeans", "BisectingKMeans", _BISECT), worth=_FEW),
    Peer(**_faiss("faiss", "Kmeans", {"nredo": 1})),
    Peer(**_faiss("faiss-super", "SuperKmeans", {}), min_features=32),
    Peer(**_superkmeans("flat", "flat", {"hierarchical": False}), has_defaults=False),
    # the package's own numbers of iterations, then those of its C++ core
    _tree("tree", "hierarchical", 3, 5),
    _tree("tree-long", "hierarchical, 10 + 10 iterations", 10, 10),
    Peer(**_superkmeans("default", "its defaults", None), most=0),
    Peer(
        "deck",
        "the deck's kmeans_ann (slide 3)",
        "sklearn",
        _deck,
        {"index": "scikit-learn ball tree, one thread"},
    ),
)

#: annlab's algorithms in a comparison by default, if they are available.
OUR_ALGORITHMS = ("auto", "small_k", "graph", "brute", "hnsw")


def _ours(name: str) -> Peer:
    def fit(X: np.ndarray, k: int, settings: dict[str, Any], seed: int, threads: int) -> Answer:
        from annlab.clustering import kmeans_ann

        more = {**settings, "algorithm": name}
        result = kmeans_ann(X, k, random_state=seed, n_jobs=threads, **more)
        return Answer(result.labels, result.centroids, result.n_iter, result.algorithm)

    # algorithms with a start of their own keep it; the others begin as the peers do
    start = {} if name in ("auto", "graph", "small_k") else {"init": "random"}
    settings = {"algorithm": name, "tol": 0.0, **start}
    return Peer(f"annlab-{name}", f"annlab {name}", "annlab", fit, settings)


def all_peers() -> dict[str, Peer]:
    """Return all peers by key, in order; some may not be able to run here.

    Examples
    --------
    >>> from annlab.benchmarks.campaign.peers import all_peers
    >>> "sklearn-random" in all_peers() and "annlab-auto" in all_peers()
    True
    """
    from annlab.fit.choose import available_algorithms

    # the reference first, then annlab: a short time budget still leaves a comparison
    known = available_algorithms()
    order = sorted(
        known, key=lambda name: OUR_ALGORITHMS.index(name) if name in OUR_ALGORITHMS else len(known)
    )
    peers = [_OTHERS[0], *map(_ours, order), *_OTHERS[1:]]
    return {peer.key: peer for peer in peers}


def choose_peers(names: str | Sequence[str] | None = None) -> list[Peer]:
    """Return peers by key; by default all but annlab's indexes unfit for k-means.

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
            raise invalid("peers", "one of " + ", ".join(known), repr(name))
    return [known[name] for name in dict.fromkeys(names)]

"""k-means clustering with approximate nearest neighbours: taught, measured and fast.

Every name loads on first use, so that ``import annlab`` is instant.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from annlab._version import __version__

#: public name -> module that holds it
_HOMES = {
    "AnnlabWarning": "annlab._support.errors",
    "MissingExtraError": "annlab._support.errors",
    "available_algorithms": "annlab.fit.choose",
    "available_indexes": "annlab.indexes",
    "make_index": "annlab.indexes",
    "KMeansResult": "annlab.result",
    "Step": "annlab.result",
    "Trace": "annlab.result",
    "kmeans": "annlab.clustering",
    "kmeans_ann": "annlab.clustering",
    "robust_kmeans_ann": "annlab.robust",
    "assign_points_to_clusters": "annlab.parallel",
    "parallel_kmeans_ann": "annlab.parallel",
    "cluster_documents": "annlab.applications",
    "segment_image": "annlab.applications",
    "accuracy_speed_tradeoff": "annlab.benchmarks",
    "benchmark_ann": "annlab.benchmarks",
    "benchmark_high_dim": "annlab.benchmarks",
    "benchmark_kmeans": "annlab.benchmarks",
    "benchmark_kmeans_ann": "annlab.benchmarks",
    "recall_speed_curve": "annlab.benchmarks",
    "KMeansANN": "annlab.estimator",
    "kmeans_faiss": "annlab.faiss_kmeans",
    "evaluate_clustering": "annlab.metrics",
    "visualize_clusters": "annlab.plotting",
}

if TYPE_CHECKING:
    from annlab._support.errors import AnnlabWarning, MissingExtraError
    from annlab.applications import cluster_documents, segment_image
    from annlab.benchmarks import (
        accuracy_speed_tradeoff,
        benchmark_ann,
        benchmark_high_dim,
        benchmark_kmeans,
        benchmark_kmeans_ann,
        recall_speed_curve,
    )
    from annlab.clustering import kmeans, kmeans_ann
    from annlab.estimator import KMeansANN
    from annlab.faiss_kmeans import kmeans_faiss
    from annlab.fit.choose import available_algorithms
    from annlab.indexes import available_indexes, make_index
    from annlab.metrics import evaluate_clustering
    from annlab.parallel import assign_points_to_clusters, parallel_kmeans_ann
    from annlab.plotting import visualize_clusters
    from annlab.result import KMeansResult, Step, Trace
    from annlab.robust import robust_kmeans_ann

__all__ = ["__version__", *sorted(_HOMES)]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
        globals()[name] = value
        return value
    if name in _ROOMS:
        return import_module(f"annlab.{name}")
    raise AttributeError(f"module 'annlab' has no attribute {name!r}")


#: modules that are reached as attributes: ``annlab.datasets.load_patches``
_ROOMS = (
    "applications",
    "benchmarks",
    "classroom",
    "datasets",
    "distances",
    "indexes",
    "initialization",
    "metrics",
    "parallel",
    "plotting",
    "robust",
    "widgets",
)


def __dir__() -> list[str]:
    return sorted([*__all__, *_ROOMS])

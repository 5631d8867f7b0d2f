"""The old place of `annlab.clustering` and of some of `annlab.fit`; imports keep working."""

from annlab.clustering import kmeans, kmeans_ann
from annlab.fit.run import Callback, exact_inertia, label_rows, update_centroids

__all__ = ["Callback", "exact_inertia", "kmeans", "kmeans_ann", "label_rows", "update_centroids"]

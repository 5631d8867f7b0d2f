"""Old name of `annlab.clustering` and parts of `annlab.fit`, for old imports."""

from annlab.clustering import kmeans, kmeans_ann
from annlab.fit.answers import exact_inertia, label_rows
from annlab.fit.settings import Callback

__all__ = ["Callback", "exact_inertia", "kmeans", "kmeans_ann", "label_rows"]

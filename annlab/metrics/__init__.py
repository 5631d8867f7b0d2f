"""Quality of clusterings and searches; outliers (label −1) are ignored."""

from annlab.metrics.labels import check_labels as check_labels
from annlab.metrics.labels import label_agreement, purity
from annlab.metrics.partition import ClusteringScores, evaluate_clustering, inertia
from annlab.metrics.projection import trustworthiness
from annlab.metrics.scan import ClusterScan, scan_n_clusters
from annlab.metrics.search import distance_contrast, intrinsic_dimension, recall_at_k
from annlab.metrics.silhouette import silhouette_of_rows as silhouette_of_rows

__all__ = [
    "ClusterScan",
    "ClusteringScores",
    "distance_contrast",
    "evaluate_clustering",
    "inertia",
    "intrinsic_dimension",
    "label_agreement",
    "purity",
    "recall_at_k",
    "scan_n_clusters",
    "trustworthiness",
]

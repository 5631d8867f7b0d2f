"""Pictures of points, fits, searches, comparisons: ``plot_…(…, ax) -> ax``.

Without axes a function makes a pyplot figure, which notebooks show. The colours suit colour-blind
readers, and clusters also differ by marker.
"""

from annlab.plotting._axes import MARKERS as MARKERS
from annlab.plotting._axes import OUTLIER_COLOR as OUTLIER_COLOR
from annlab.plotting._axes import PALETTE as PALETTE
from annlab.plotting._axes import cluster_color, cluster_marker
from annlab.plotting.fits import plot_convergence, plot_elbow, plot_scan, plot_silhouette
from annlab.plotting.images import plot_palette, plot_patches
from annlab.plotting.points import plot_clusters, visualize_clusters
from annlab.plotting.searches import plot_recall_speed, plot_time_to_quality

__all__ = [
    "cluster_color",
    "cluster_marker",
    "plot_clusters",
    "plot_convergence",
    "plot_elbow",
    "plot_palette",
    "plot_patches",
    "plot_recall_speed",
    "plot_scan",
    "plot_silhouette",
    "plot_time_to_quality",
    "visualize_clusters",
]

"""Applications of k-means: image segments, document groups, visual words."""

from annlab.applications.colours import lab_to_rgb, rgb_to_lab
from annlab.applications.documents import DocumentClusters, cluster_documents
from annlab.applications.images import MAX_PIXELS, load_image
from annlab.applications.segments import SegmentationResult, segment_image
from annlab.applications.visual_words import (
    RebuiltImage,
    VisualWords,
    cut_tiles,
    learn_visual_words,
)

__all__ = [
    "MAX_PIXELS",
    "DocumentClusters",
    "RebuiltImage",
    "SegmentationResult",
    "VisualWords",
    "cluster_documents",
    "cut_tiles",
    "lab_to_rgb",
    "learn_visual_words",
    "load_image",
    "rgb_to_lab",
    "segment_image",
]

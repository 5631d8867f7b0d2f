# The public names of annlab.widgets, which load on first use.

from typing import Any

from annlab.classroom._quiz import quiz as quiz
from annlab.widgets._break_even import break_even_explorer as break_even_explorer
from annlab.widgets._centroids import centroid_canvas as centroid_canvas
from annlab.widgets._dimensions import dimension_explorer as dimension_explorer
from annlab.widgets._documents import document_explorer as document_explorer
from annlab.widgets._embedding import embedding_explorer as embedding_explorer
from annlab.widgets._faiss import faiss_explorer as faiss_explorer
from annlab.widgets._graph_build import graph_build as graph_build
from annlab.widgets._outliers import outlier_sandbox as outlier_sandbox
from annlab.widgets._quality import quality_explorer as quality_explorer
from annlab.widgets._race import index_race as index_race
from annlab.widgets._scaling import scaling_explorer as scaling_explorer
from annlab.widgets._segments import segmentation_explorer as segmentation_explorer
from annlab.widgets._steps import step_explorer as step_explorer
from annlab.widgets._topics import progress_map as progress_map
from annlab.widgets._tradeoff import tradeoff_explorer as tradeoff_explorer
from annlab.widgets._verdict import verdict as verdict
from annlab.widgets._walk import graph_walk as graph_walk
from annlab.widgets._words import visual_words_explorer as visual_words_explorer
from annlab.widgets._your_data import your_data as your_data
from annlab.widgets.base import Explorer as Explorer
from annlab.widgets.base import projector as projector
from annlab.widgets.base.predict import Prediction as Prediction
from annlab.widgets.base.predict import predict as predict

def available_explorers() -> tuple[str, ...]: ...
def example(name: str) -> Any: ...

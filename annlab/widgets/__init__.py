"""Explorers: pictures to step through, to change and to predict, one line each in a notebook.

Each name loads on first use. How to write a new one is told in `annlab.widgets.base`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

#: public name -> module below annlab.widgets; explorers first
_HOMES = {
    "centroid_canvas": "_centroids",
    "document_explorer": "_documents",
    "embedding_explorer": "_embedding",
    "faiss_explorer": "_faiss",
    "graph_walk": "_walk",
    "segmentation_explorer": "_segments",
    "step_explorer": "_steps",
    "outlier_sandbox": "_outliers",
    "break_even_explorer": "_break_even",
    "tradeoff_explorer": "_tradeoff",
    "index_race": "_race",
    "quality_explorer": "_quality",
    "quiz": "_quiz",
    "scaling_explorer": "_scaling",
    "dimension_explorer": "_dimensions",
    "visual_words_explorer": "_words",
}
_HELPERS = {
    "Explorer": "base",
    "Prediction": "base.predict",
    "predict": "base.predict",
    "progress_map": "_topics",
    "projector": "base",
    "verdict": "_verdict",
    "your_data": "_your_data",
}

if TYPE_CHECKING:
    from annlab.widgets._break_even import break_even_explorer as break_even_explorer
    from annlab.widgets._centroids import centroid_canvas as centroid_canvas
    from annlab.widgets._dimensions import dimension_explorer as dimension_explorer
    from annlab.widgets._documents import document_explorer as document_explorer
    from annlab.widgets._embedding import embedding_explorer as embedding_explorer
    from annlab.widgets._faiss import faiss_explorer as faiss_explorer
    from annlab.widgets._outliers import outlier_sandbox as outlier_sandbox
    from annlab.widgets._quality import quality_explorer as quality_explorer
    from annlab.widgets._quiz import quiz as quiz
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

__all__ = ["available_explorers", "example", *_HELPERS, *_HOMES]


def available_explorers() -> tuple[str, ...]:
    """Names of the explorers, each a function of this package.

    Examples
    --------
    >>> from annlab import widgets
    >>> "step_explorer" in widgets.available_explorers()
    True
    """
    return tuple(_HOMES)


def example(name: str) -> Any:
    """Make an explorer on small data, as its tests do.

    Parameters
    ----------
    name : str
        One of `available_explorers`.

    Returns
    -------
    Explorer

    Examples
    --------
    >>> from annlab import widgets
    >>> widgets.example("step_explorer").frame
    0
    """
    from annlab._support.checks import check_choice

    check_choice(name, "name", available_explorers())
    return import_module(f"annlab.widgets.{_HOMES[name]}").example()


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name) or _HELPERS.get(name)
    if home is None:
        raise AttributeError(f"module 'annlab.widgets' has no attribute {name!r}")
    value = getattr(import_module(f"annlab.widgets.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)

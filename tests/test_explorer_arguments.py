"""Explorers reject invalid arguments with a message that names the parameter and the rule."""

from __future__ import annotations

import numpy as np
import pytest

from annlab import widgets
from annlab.datasets import load_photo

ROWS = np.random.RandomState(0).rand(900, 8)
PHOTO = load_photo("china")[::8, ::8]
PHOTOS = {name: load_photo(name)[::8, ::8] for name in ("china", "flower")}
LOW = np.zeros((8, 90, 3), np.uint8)
ONE_ROW = {"X": [[0.0, 1.0]], "n_clusters": 1}

#: explorer -> what all its cases share, and cases of (arguments, message)
WRONG = {
    "step_explorer": (
        {},
        [
            ({"X": None}, "X must be given, or image"),
            ({"X": [[0.0, 1.0]], "image": np.zeros((2, 2))}, "X must be given, or image"),
            ({"X": [[0.0, np.nan]]}, ".*NaN"),
            ({"X": [[0.0, 1.0]], "n_clusters": 2}, "n_clusters"),
            (ONE_ROW | {"algorithm": "magic"}, "algorithm"),
            (ONE_ROW | {"patch_shape": (2, 2)}, "patch_shape"),
            (ONE_ROW | {"predict": "weather"}, "predict"),
            ({"image": np.zeros((2, 2, 7))}, "image"),
            ({"image": np.full((4, 4, 3), 3.0), "n_clusters": 2}, "image"),
        ],
    ),
    "scaling_explorer": (
        {},
        [
            ({"X": np.ones((9, 2))}, "X must"),
            ({"max_samples": 500}, "max_samples must be"),
            ({"n_clusters": 0}, "n_clusters must be"),
        ],
    ),
    "quality_explorer": (
        {},
        [
            ({"X": np.ones((9, 2))}, "X must be an array with at least 4 different rows"),
            ({"labels": [0, 1]}, "labels must be given only with X"),
            ({"max_clusters": 2}, "max_clusters must be"),
            ({"X": np.eye(9), "labels": [0, 1]}, "labels must be"),
        ],
    ),
    "dimension_explorer": (
        {},
        [
            ({"X": np.eye(9)}, "X must"),
            ({"X": np.full((30, 2), np.nan)}, ".*NaN"),
        ],
    ),
    "embedding_explorer": (
        {},
        [
            ({"X": np.ones((30, 3))}, "X must be an array with at least 20 different rows"),
            ({"X": np.arange(30.0)[:, None]}, "X must be an array with at least 2 features"),
            ({"X": np.eye(9)}, "X must"),
            ({"labels": [0, 1]}, "labels and tile must be given only with X"),
            ({"X": np.eye(30), "labels": [0, 1]}, "labels must be"),
            ({"X": np.eye(30), "tile": (4, 4)}, "tile must be the shape of a picture of 30"),
            ({"n_points": 10}, "n_points must be"),
            ({"n_components": 4}, "n_components must be"),
            ({"n_clusters": 11}, "n_clusters must be"),
        ],
    ),
    "faiss_explorer": (
        {"X": ROWS},
        [
            ({"factory": "IVF8"}, "factory must be complete"),
            ({"X": np.ones((9, 2))}, "X must"),
        ],
    ),
    "visual_words_explorer": (
        {"photos": PHOTOS},
        [
            ({"n_words": 5000}, "n_words must be"),
            ({"n_words": 700, "n_patches": 600}, "n_words must be at most 600"),
            ({"n_patches": 0}, "n_patches must be"),
            ({"patch_size": 1}, "patch_size must be"),
            ({"algorithm": "magic"}, "algorithm must be one of"),
            ({"predict": "psnr"}, "predict must be one of"),
            ({"predict": "unseen"}, "predict must be None"),
            ({"photos": {}}, "photos must be at least one"),
            ({"photos": LOW}, "photos must be pictures of at least 12"),
            ({"unseen": {"china": LOW}}, "unseen must be different"),
        ],
    ),
    "segmentation_explorer": (
        {"image": PHOTO},
        [
            ({"n_clusters": 500}, "n_clusters must be"),
            ({"color_space": "hsv"}, "color_space must be"),
            ({"position_weight": 3}, "position_weight must be"),
            ({"image": {}}, "image must be"),
        ],
    ),
    "document_explorer": (
        {},
        [
            *(({"corpus": wrong}, "corpus must be") for wrong in (["one", "two"], "one text", {})),
            ({"corpus": [1, 2, 3, 4]}, "corpus must be"),
        ],
    ),
}
WRONG["graph_build"] = (
    {},
    [
        ({"X": [[0.0, 1.0]] * 9}, "X must be an array with at least 3 different"),
        ({"point": 150}, "point must be"),
        ({"M": 1}, "M must be"),
        ({"ef_construction": 0}, "ef_construction must be"),
    ],
)
FLAT = [
    ({"X": np.zeros((10, 3))}, ".*2 columns"),
    ({"X": ROWS[:, :2]}, ".*dragging stays smooth"),
]
WRONG |= {name: ({}, [*FLAT]) for name in ("centroid_canvas", "graph_walk", "outlier_sandbox")}
WRONG["centroid_canvas"][1].extend(
    [({"start": [[0.0] * 3]}, "start"), ({"n_clusters": 9}, "n_clu")]
)
WRONG["graph_walk"][1].extend([({"ef": 25}, "ef"), ({"M": 1}, "M"), ({"query": [1.0]}, "query")])
CASES = [
    (name, shared | wrong, complaint)
    for name, (shared, cases) in WRONG.items()
    for wrong, complaint in cases
]


@pytest.mark.parametrize(("name", "arguments", "complaint"), CASES)
def test_bad_arguments_are_named(name, arguments, complaint):
    if name == "faiss_explorer":
        pytest.importorskip("faiss")
    with pytest.raises(ValueError, match=f"^{complaint}"):
        getattr(widgets, name)(**arguments)

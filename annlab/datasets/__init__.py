"""Seeded and real data, offline; and the standard benchmarks, online.

Points are float32 in C order unless a dtype is asked for; everything random takes
``random_state``.
"""

from annlab.datasets._files import data_path
from annlab.datasets._types import ANNBenchmark, Corpus, Dataset
from annlab.datasets.named import (
    available_benchmark_data,
    load_benchmark_data,
    load_digits_data,
)
from annlab.datasets.photos import (
    available_photos,
    load_large_photo,
    load_patches,
    load_photo,
    load_photos,
    load_sample_image,
)
from annlab.datasets.remote import (
    available_ann_benchmarks,
    fetch_ann_benchmark,
    read_ann_benchmark,
)
from annlab.datasets.shapes import make_moons, make_rings, make_uniform_cube
from annlab.datasets.synthetic import (
    make_anisotropic,
    make_blobs,
    make_blobs_with_outliers,
    make_gaussian_mixture,
)
from annlab.datasets.text import load_docstrings, load_documents

__all__ = [
    "ANNBenchmark",
    "Corpus",
    "Dataset",
    "available_ann_benchmarks",
    "available_benchmark_data",
    "available_photos",
    "data_path",
    "fetch_ann_benchmark",
    "load_benchmark_data",
    "load_digits_data",
    "load_docstrings",
    "load_documents",
    "load_large_photo",
    "load_patches",
    "load_photo",
    "load_photos",
    "load_sample_image",
    "make_anisotropic",
    "make_blobs",
    "make_blobs_with_outliers",
    "make_gaussian_mixture",
    "make_moons",
    "make_rings",
    "make_uniform_cube",
    "read_ann_benchmark",
]

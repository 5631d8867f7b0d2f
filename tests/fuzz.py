"""Call all public functions with bad and unusual input.

``python tests/fuzz.py`` calls the public functions and classes 100,000 times with generated
arguments; ``--case N`` repeats one call. tests/test_fuzz.py runs a few hundred.

A call must give an answer (finite, of the right shape, in range), a ValueError or TypeError with a
message of annlab's own, or another error that the docstring names. It fails with any other
exception, an error that only NumPy or SciPy can have written, NaN where the input had none, a
crash or a hang.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import faulthandler
import inspect
import io
import math
import os
import signal
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault("MPLBACKEND", "agg")
#: Seconds that one call may take.
LIMIT_S = 20.0

# -- what is thrown ----------------------------------------------------------------------------


class Odd:
    """A useless object."""

    def __repr__(self) -> str:
        return "<Odd>"


class Liar:
    """Claims to be an array, but is not one."""

    shape, dtype, ndim = (3, 2), np.dtype(float), 2

    def __len__(self) -> int:
        return 3

    def __getitem__(self, item: Any) -> Any:
        raise RuntimeError("there is nothing here")


class BadArray:
    """Cannot be turned into an array."""

    def __array__(self, *args: Any, **options: Any) -> Any:
        raise ValueError("no array today")


class BadIndex:
    """An index with invalid answers."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def fit(self, X: Any) -> BadIndex:
        return self

    def kneighbors(self, Q: Any, n_neighbors: int = 1) -> Any:
        return self.answer(len(Q)) if callable(self.answer) else self.answer


BAD_INDEXES = (
    lambda n: None,
    lambda n: (np.zeros((n, 1)),),
    lambda n: (np.zeros((n, 1)), np.full((n, 1), -1)),
    lambda n: (np.zeros((n, 1)), np.full((n, 1), 10**9)),
    lambda n: (np.zeros((n, 1)), np.zeros((n, 1))),
    lambda n: (np.zeros((n, 1)), np.zeros((n + 1, 1), int)),
    lambda n: (np.full((n, 1), np.nan), np.zeros((n, 1), int)),
    lambda n: np.zeros((2, n)),
    lambda n: ("a", "b"),
)

#: Values that fit hardly any parameter.
ODD: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 3, 10**6, 2**31, 2**63, -(2**70), 0.0, -0.0, 0.5, 1.0, 1e-300,
    1e300, math.nan, math.inf, -math.inf, "", "auto", "k-means++", "nonsense", "\0", "ü" * 50, b"",
    b"bytes", (), [], {}, set(), [None], [[]], [[], []], [1, 2, 3], [[1.0], [2.0, 3.0]], {"a": 1},
    {"ef": -1}, {1: 2}, 1 + 2j, Decimal("1.5"), np.float32(2), np.int8(3), np.bool_(True),
    np.array(3), np.array("x"), np.datetime64("2020-01-01"), np.ma.masked, Ellipsis,
    NotImplemented, range(5), slice(1, 2), Odd, Odd(), Liar(), BadArray(),
    lambda *a, **o: None, lambda *a, **o: 1 / 0, np.random.default_rng(0),
    np.random.RandomState(0), np.float64, "float32",
)  # fmt: skip


def matrix(rng: np.random.RandomState, n: int | None = None, d: int | None = None) -> np.ndarray:
    """Return a small finite table of one of many kinds."""
    n = int(rng.choice([1, 2, 3, 5, 12, 40])) if n is None else n
    d = int(rng.choice([1, 2, 3, 8])) if d is None else d
    X: Any = pick(
        rng,
        lambda: np.zeros((n, d)),
        lambda: np.full((n, d), 10.0 ** rng.uniform(-30, 30)),
        lambda: rng.randint(-3, 3, (n, d)),
        lambda: np.repeat(rng.rand(1, d), n, axis=0),
        lambda: rng.randn(n, d) * 10.0 ** rng.uniform(-25, 25),
        lambda: rng.randn(n, d) + 10.0 ** rng.uniform(0, 12),
        lambda: rng.randn(n, d) * 10.0 ** rng.uniform(-8, 8, d),
        lambda: rng.rand(n, d) < 0.3,
        lambda: rng.rand(n, d),
    )()
    dtype = rng.choice(["f4", "f8", "f2", "i8", "u1", "keep", "keep"])
    if dtype != "keep":
        with np.errstate(all="ignore"):
            cast = X.astype(dtype)
        X = cast if np.isfinite(cast.astype(float)).all() else X
    return np.asarray(X)


def dressed(rng: np.random.RandomState, X: np.ndarray) -> Any:
    """Return the same numbers in another layout or container."""
    import pandas
    from scipy import sparse

    maker = (sparse.csr_matrix, sparse.coo_array, sparse.csc_matrix)[rng.randint(3)]
    read_only = X.copy()
    read_only.setflags(write=False)
    flat = X.ndim != 2
    return pick(
        rng,
        lambda: read_only,
        lambda: read_only,
        X.tolist,
        lambda: np.asfortranarray(X),
        lambda: X if flat else np.repeat(np.repeat(X, 2, axis=0), 3, axis=1)[::2, ::3],
        lambda: X if flat or X.dtype == np.float16 else maker(X),
        lambda: pandas.Series(X) if flat else pandas.DataFrame(X),
        lambda: X.astype(object),
        lambda: X.astype(X.dtype.newbyteorder()),
        lambda: np.ma.masked_array(X, mask=rng.rand(*X.shape) < 0.1),
        lambda: X[::-1],
    )()


def broken(rng: np.random.RandomState, X: np.ndarray) -> Any:
    """Return an invalid table."""
    Y = X.astype(float)

    def with_cell(value: Any, table: np.ndarray) -> Any:
        if table.size:
            table.flat[rng.randint(table.size)] = value
        return table

    return pick(
        rng,
        lambda: dressed(rng, with_cell(np.nan, Y)),
        lambda: dressed(rng, with_cell(np.inf, Y)),
        lambda: dressed(rng, with_cell(-np.inf, Y)),
        lambda: with_cell(odd(rng), Y.astype(object)),
        lambda: Y[:0],
        lambda: Y[..., :0],
        Y.ravel,
        lambda: Y[None],
        lambda: Y.astype(complex),
        lambda: Y.astype(str),
        lambda: Y.astype("datetime64[s]") if np.abs(Y).max(initial=0) < 1e15 else "x",
        lambda: Y * 1e200,
        lambda: np.zeros(len(Y), dtype=[("a", float), ("b", int)]),
        lambda: odd(rng),
    )()


def odd(rng: np.random.RandomState) -> Any:
    return ODD[rng.randint(len(ODD))]


def pick(rng: np.random.RandomState, *values: Any) -> Any:
    return values[rng.randint(len(values))]


def some_labels(rng: np.random.RandomState, n: int) -> Any:
    labels = rng.randint(0, pick(rng, 1, 2, 4), n)
    return pick(rng, labels, labels.tolist(), labels - 1, labels.astype(float), labels.astype("i1"))


ALGORITHMS = (
    "auto", "small_k", "graph", "brute", "kd_tree", "ball_tree", "hnsw", "lsh", "pq",
    "faiss",
)  # fmt: skip


#: Good values of parameters that depend on nothing else; several names may share them.
ONE_OF: dict[str, tuple[Any, ...]] = {
    name: values
    for names, values in {
        "max_iter": (1, 2, 5, 20),
        "n_init": (1, 2, 3),
        "metric": ("euclidean", "cosine"),
        "n_jobs": (1, 2, None, -1),
        "trace progress quick": (True, False),
        "callback": (None, lambda step: None, lambda step: True, lambda step: "go on"),
        "final_assignment": ("auto", "exact", "algorithm"),
        "tol trim outlier_threshold threshold tolerance noise cluster_std box position_weight"
        " separation elongation weight_sigma center_scale outlier_fraction outlier_scale size": (
            0.0, 0.1, 0.5, 1.0, 2, 3.5, np.float32(0.25), 1e-9, 1e9,
        ),
        "n_samples n_queries sample_size max_points n n_patches": (1, 5, 30, 200),
        "n_features n_components": (1, 2, 5),
        "dtype": (np.float32, np.float64, "float32", "i4", object),
        "color_space": ("rgb", "lab"),
        "method": (None, "pca", "random", "none"),
        "max_pixels": (1, 10**6),
        "counts": (None, [1, 2, 3, 4]),
        "ax": (None,),
        "knobs": (None, {}, {"ef": [1, 5]}, {"ef": []}, {"nothing": [1]}),
        "repeats": (1,),
        "n_neighbors_range": ([1, 2], range(1, 3), [], [0], [10**6]),
        "cluster": (0, 1, 10**9, -1),
        "id": ("1.1", "1.2", "2.1", "99.9", ""),
        "number topic": (1, 2, "01", 99),
    }.items()
    for name in names.split()
}  # fmt: skip


class Maker:
    """Arguments for one call, drawn by the names of the parameters."""

    def __init__(self, rng: np.random.RandomState, folder: Path) -> None:
        self.rng, self.folder = rng, folder
        self.X = matrix(rng)
        self.n, self.d = self.X.shape
        #: share of arguments that must, or may, be refused
        self.badness = float(rng.choice([0.0, 0.15, 0.5], p=[0.45, 0.4, 0.15]))

    def value(self, name: str) -> Any:
        """Return a value for a parameter, mostly a good one."""
        rng = self.rng
        if rng.rand() < self.badness:
            tables = ("X", "Q", "centroids", "chunk", "rows", "image", "embedding", "labels")
            if name in tables and rng.rand() < 0.8:
                return broken(rng, self.X)
            return odd(rng)
        if name in ONE_OF:
            return pick(rng, *ONE_OF[name])
        if name in GOOD:
            return GOOD[name](self)
        return odd(rng) if rng.rand() < 0.5 else pick(rng, None, 1, 2, 0.5, "auto", [1, 2])

    def pick(self, *values: Any) -> Any:
        return pick(self.rng, *values)

    def mostly(self, share: float, *values: Any) -> Any:
        """Return one of the first three values, or sometimes one of the others."""
        return self.pick(*(values[:3] if self.rng.rand() < share else values[3:]))

    def table(self, n: int | None = None, d: int | None = None) -> Any:
        return dressed(self.rng, matrix(self.rng, n, d))

    def centroids(self) -> Any:
        return self.table(self.pick(1, 2, 4), self.d)

    def data(self) -> Any:
        """Return the data, sometimes in blocks, a file or a function, perhaps broken."""
        if self.rng.rand() < 0.92:
            return dressed(self.rng, self.X)
        middle, rng = self.n // 2, self.rng
        blocks = [self.X[:middle], self.X[middle:]]
        file = self.folder / f"X{rng.randint(3)}.npy"
        if not file.is_dir():
            np.save(file, self.X)
        bad = odd(rng)
        return pick(rng, blocks, tuple(blocks), lambda: iter(blocks), iter(blocks), file, str(file),
                    lambda: iter([]), lambda: 3, lambda: iter([self.X, None]), [self.X, bad],
                    lambda: iter([self.X, self.X[:, :-1]]), [], self.folder / "none.npy",
                    lambda: iter([bad]), np.load(file, mmap_mode="r"))  # fmt: skip

    def checkpoint(self) -> Any:
        fresh = self.folder / f"c{self.rng.randint(10**6)}.npz"
        used = self.folder / f"c{self.rng.randint(3)}.npz"
        nowhere = self.folder / "no" / "folder.npz"
        return self.mostly(0.8, None, fresh, str(fresh), used, str(used), nowhere, self.folder)

    def path(self) -> Any:
        file = self.folder / "some.bin"
        if not file.is_dir():
            file.write_bytes(self.rng.bytes(int(self.rng.randint(200))))
        return self.pick(file, str(file), self.folder, self.folder / "nothing.npz")

    def image(self) -> Any:
        shape = self.pick((4, 5, 3), (1, 1, 3), (6, 3), (4, 5, 4), (2, 2, 2, 3))
        image = self.rng.randint(0, 256, shape).astype(np.uint8)
        return self.pick(image, image / 255.0, image.tolist(), image.astype(np.uint16) * 257)

    def documents(self) -> list[str]:
        words = ["a", "cat", "dog", "the", "runs", "sleeps", "", "über", "42"]
        lengths = self.rng.randint(8, size=self.rng.randint(1, 9))
        return [" ".join(self.rng.choice(words, length)) for length in lengths]

    def weights(self) -> Any:
        weights = self.rng.rand(self.n) * 10.0 ** self.rng.uniform(-20, 20)
        counts = self.rng.randint(1, 3, self.n)
        return self.mostly(0.7, None, weights, counts, 2, np.zeros(self.n), counts - 1,
                           weights[:-1], -weights, [None] * self.n)  # fmt: skip

    def results(self) -> Any:
        import annlab

        result = annlab.kmeans(self.rng.rand(20, 2), 3, random_state=0, max_iter=4)
        return self.pick(result, [result], {"a": result, "b": result}, [])


def _nan_start(X: Any, n_clusters: Any, random_state: Any) -> Any:
    return np.full((n_clusters, X.shape[1]), np.nan)


def _first_rows(X: Any, n_clusters: Any, random_state: Any) -> Any:
    return X[:n_clusters]


#: Good values of parameters that depend on the data; several names may share them.
GOOD: dict[str, Callable[[Maker], Any]] = {
    name: make
    for names, make in {
        "X": Maker.data,
        "chunk rows": lambda m: dressed(m.rng, m.X),
        "Q embedding": lambda m: m.table(d=m.d),
        "centroids centers start": Maker.centroids,
        "labels reference": lambda m: some_labels(m.rng, m.n),
        "n_clusters": lambda m: m.pick(1, 2, 3, m.n, max(1, m.n // 2)),
        "n_neighbors": lambda m: m.pick(1, 2, m.n),
        "algorithm index name": lambda m: (
            BadIndex(m.pick(*BAD_INDEXES)) if m.rng.rand() < 0.07 else m.pick(*ALGORITHMS)
        ),
        "algorithm_params method_params": lambda m: m.mostly(
            0.7, None, None, {}, {"ef": 5}, {"n_tables": 2}, {"n_probes": 2}, {"n_codes": 4},
            {"leaf_size": 3}, {"M": 4}, {"factory": "Flat"}, {"n_candidates": 8},
            *({name: odd(m.rng)} for name in ("ef", "M", "n_tables", "n_codes")),
        ),
        "init": lambda m: m.mostly(
            0.85, "k-means++", "random", _first_rows, "k-means||", _nan_start, m.table(d=m.d),
            m.table(),
        ),
        "sample_weight": Maker.weights,
        "random_state": lambda m: m.pick(
            0, 1, None, 2**32 - 1, np.random.RandomState(0), np.random.default_rng(0)
        ),
        "checkpoint": Maker.checkpoint,
        "path url": Maker.path,
        "image rgb lab photos": Maker.image,
        "documents": Maker.documents,
        "features": lambda m: m.pick("auto", "tfidf", "lsa", m.table(), lambda texts: m.X),
        "found truth": lambda m: m.rng.randint(0, 5, (m.n, 3)),
        "results": Maker.results,
        "inertias": lambda m: m.rng.rand(3),
        "colors": lambda m: m.rng.rand(4, 3),
        "patches": lambda m: m.rng.rand(5, 12),
    }.items()
    for name in names.split()
}  # fmt: skip


# -- what is called ----------------------------------------------------------------------------

#: Public names that are left out, and why.
LEFT_OUT = {
    "benchmarks.compare": "minutes for each call; it checks its arguments through the same rules",
    "benchmarks.measure_floors": "measures for as long as it is told to",
    "benchmarks.machine_record": "no argument, and slow",
    "benchmarks.Comparison": "a record that the library fills",
    "datasets.fetch_ann_benchmark": "downloads",
    "datasets.load_large_photo": "downloads",
    "datasets.load_docstrings": "reads every docstring of five packages",
    "datasets.load_patches": "reads two photographs for each call",
    "applications.learn_visual_words": "reads two photographs for each call",
}
ROOMS = ("applications", "benchmarks", "datasets", "indexes", "metrics", "parallel", "plotting",
         "classroom")  # fmt: skip


def targets() -> dict[str, Callable[..., Any]]:
    """Return everything public that takes arguments, methods of results included."""
    import importlib

    import annlab

    found: dict[str, Callable[..., Any]] = {}
    for name in annlab.__all__:
        value = getattr(annlab, name)
        if callable(value) and not (isinstance(value, type) and issubclass(value, Exception)):
            found[name] = value
    for room in ROOMS:
        module = importlib.import_module(f"annlab.{room}")
        names = getattr(module, "__all__", None) or [
            name
            for name, value in vars(module).items()
            if not name.startswith("_") and getattr(value, "__module__", "") == module.__name__
        ]
        for name in names:
            value = getattr(module, name)
            if callable(value) and name not in found and f"{room}.{name}" not in LEFT_OUT:
                found[f"{room}.{name}"] = value
    # records that the library fills take whatever they are given
    for name in [n for n, v in found.items() if isinstance(v, type) and is_record(v)]:
        del found[name]
    found["KMeansResult.load"] = annlab.KMeansResult.load
    found["KMeansResult.save"] = save_result
    for name in annlab.available_indexes():
        found[f"index {name}"] = use_index(name)
    found["KMeansANN methods"] = use_estimator
    return found


#: The most used functions are called more often.
OFTEN = ("kmeans", "kmeans_ann", "robust_kmeans_ann", "KMeansANN methods", "cluster_documents",
         "evaluate_clustering", "segment_image", "KMeansResult.load")  # fmt: skip


def is_record(cls: type) -> bool:
    """Return whether a class only holds its arguments."""
    import dataclasses

    names = ("Trace", "Seconds", "TradeoffPoint", "RecallSpeedCurve", "ExerciseList")
    return dataclasses.is_dataclass(cls) or cls.__name__ in names


def save_result(path: Any) -> Any:
    import annlab

    return annlab.kmeans([[0.0], [1.0], [9.0]], 2, random_state=0).save(path)


def use_index(name: str) -> Callable[..., Any]:
    def call(X: Any, Q: Any, n_neighbors: Any = 2, metric: Any = "euclidean",
             n_jobs: Any = None, algorithm_params: Any = None) -> Any:  # fmt: skip
        import annlab

        params = algorithm_params if isinstance(algorithm_params, dict) else {}
        index = annlab.make_index(name, metric=metric, n_jobs=n_jobs, **params)
        found = index.fit(X).kneighbors(Q, n_neighbors=n_neighbors)
        if index.query_knobs:
            index.set_query_params(**dict.fromkeys(index.query_knobs, n_neighbors))
            found = index.kneighbors(Q, n_neighbors=n_neighbors)
        n = index.n_samples_fit_
        assert found[1].shape == found[0].shape and found[1].min() >= 0 and found[1].max() < n
        assert np.isfinite(found[0]).all() and (np.diff(found[0], axis=1) >= 0).all()
        assert all(len(set(row)) == len(row) for row in found[1].tolist()), "a row twice"
        return found

    return call


def use_estimator(X: Any, Q: Any, n_clusters: Any = 2, algorithm: Any = "auto",
                  init: Any = "random", max_iter: Any = 3, metric: Any = "euclidean",
                  sample_weight: Any = None,
                  random_state: Any = 0) -> Any:  # fmt: skip
    import annlab

    model = annlab.KMeansANN(n_clusters, algorithm=algorithm, init=init, max_iter=max_iter,
                             metric=metric, random_state=random_state)  # fmt: skip
    model.fit(X, sample_weight=sample_weight)
    labels = model.predict(Q)
    assert labels.min(initial=0) >= 0 and labels.max(initial=0) < len(model.cluster_centers_)
    assert np.isfinite(model.transform(Q)).all() and np.isfinite(model.score(Q))
    model.partial_fit(Q)
    assert np.isfinite(model.cluster_centers_).all() and np.isfinite(model.inertia_)
    return model.result_ if hasattr(model, "result_") else None


#: Errors that docstrings name beside ValueError and TypeError.
def documented() -> tuple[type[BaseException], ...]:
    from annlab import MissingExtraError

    return (ValueError, TypeError, MissingExtraError, OSError)


# -- how a call is judged ----------------------------------------------------------------------


class TimeUp(BaseException):
    """The call took longer than `LIMIT_S`."""


@contextlib.contextmanager
def clock(seconds: float) -> Iterator[None]:
    """Raise TimeUp in the main thread; a call stuck outside Python ends the whole process."""

    def ring(*args: Any) -> None:
        raise TimeUp

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    faulthandler.dump_traceback_later(3 * seconds, exit=True)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
        faulthandler.cancel_dump_traceback_later()


def own_message(error: BaseException) -> bool:
    """Return whether annlab, or Python for a bad call, raised the error."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return True
    last = frames[-1].filename
    if "annlab" in Path(last).parts or last.endswith("fuzz.py"):
        # `int(value)` and similar calls raise in annlab's lines, without its messages
        text = str(error)
        return " must be " in text.split(";")[0] or not any(part in text for part in FOREIGN)
    # callers' objects and scikit-learn's checks of shapes may raise anything
    return "sklearn" in Path(last).parts or isinstance(error, OSError)


#: Messages of NumPy and Python that a check of annlab should have prevented.
FOREIGN = (
    "could not convert", "cannot convert", "object is not iterable", "not subscriptable",
    "unsupported operand", "has no len()", "operands could not be broadcast",
    "object cannot be interpreted", "invalid literal", "unhashable", "must be real number",
    "truth value of", "setting an array element", "dimension mismatch", "not supported between",
    "ufunc", "zero-size array", "cannot reshape", "out of bounds",
)  # fmt: skip


def wrong(value: Any) -> str | None:
    """Return what is wrong with an answer, or None."""
    from annlab import KMeansResult

    if isinstance(value, KMeansResult):
        if not np.isfinite(value.centroids).all():
            return "centroids that are not finite"
        if not np.isfinite(value.inertia) or value.inertia < 0:
            return f"inertia {value.inertia}"
        labels = np.asarray(value.labels)
        lowest = -1 if value.outlier_mask is not None else 0
        if labels.size and not lowest <= labels.min() <= labels.max() < len(value.centroids):
            return "labels out of range"
        # Faiss does not report its iterations
        whole = value.n_iter == len(value.trace) or "faiss" in value.algorithm
        if labels.dtype != np.int32 or not whole:
            return "labels or trace of another kind"
    elif isinstance(value, np.ndarray) and value.dtype.kind == "f" and np.isnan(value).any():
        return "NaN"
    return None


def arguments(function: Callable[..., Any], maker: Maker) -> dict[str, Any]:
    """Draw the arguments of a call: the required ones, and some of the others."""
    drawn: dict[str, Any] = {}
    some = maker.rng.choice([0.1, 0.3, 0.7])
    if function.__name__ == "plot_elbow":
        # the one function where this is a sequence
        drawn["n_clusters"] = pick(maker.rng, [1, 2, 3], [3, 2], maker.value("n_clusters"))
    for name, parameter in inspect.signature(function).parameters.items():
        if name in drawn:
            continue
        if parameter.kind is parameter.VAR_POSITIONAL:
            continue
        if parameter.kind is parameter.VAR_KEYWORD:
            if maker.rng.rand() < 0.3:
                extra = pick(maker.rng, "metric", "random_state", "nonsense", "ef", "init", "tol")
                if extra not in drawn:
                    drawn[extra] = maker.value(extra)
            continue
        if parameter.default is parameter.empty:
            # left out now and then: Python's own TypeError
            if maker.rng.rand() > 0.01:
                drawn[name] = maker.value(name)
        elif name in ("progress", "cache_dir", "url"):
            continue
        elif maker.rng.rand() < some:
            drawn[name] = maker.value(name)
    if "repeats" in inspect.signature(function).parameters:
        drawn["repeats"] = 1
    return drawn


def too_much(name: str, drawn: dict[str, Any]) -> bool:
    """Return whether a call needs too much time for a test."""
    sizes = ("n_samples", "n_features", "n", "n_queries", "n_clusters", "size", "n_components",
             "max_points", "n_init", "n_jobs", "sample_size", "n_patches")  # fmt: skip
    large = [
        key
        for key in sizes
        if isinstance(drawn.get(key), (int, np.integer)) and abs(int(drawn[key])) >= 10**5
    ]
    slow = "make_" in name or "high_dim" in name or "n_jobs" in drawn
    return "n_init" in large or (bool(large) and slow)


def describe(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{value.shape}"
    text = repr(value)
    return text if len(text) < 60 else text[:57] + "..."


def run_case(
    seed: int, number: int, functions: dict[str, Callable[..., Any]], folder: Path
) -> tuple[str, str, str | None]:
    """Make one call; return its name, its outcome, and the failure, if any."""
    import matplotlib.pyplot as plt

    rng = np.random.RandomState([seed, number])
    names = [name for name in functions for _ in range(4 if name in OFTEN else 1)]
    name = names[rng.randint(len(names))]
    function = functions[name]
    maker = Maker(rng, folder)
    drawn = arguments(function, maker)
    if too_much(name, drawn):
        return name, "left out", None
    shown = ", ".join(f"{key}={describe(value)}" for key, value in drawn.items())
    failure: str | None = None
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        out, err = io.StringIO(), io.StringIO()
        try:
            with clock(LIMIT_S), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                value = function(**drawn)
            ended, failure = "answered", wrong(value)
        except TimeUp:
            ended, failure = "hung", f"more than {LIMIT_S} s"
        except documented() as error:
            ended = "refused"
            if not own_message(error):
                failure = f"not in annlab's words: {type(error).__name__}: {error}"[:300]
                last = traceback.extract_tb(error.__traceback__)[-1]
                failure += f" ({Path(last.filename).name}:{last.lineno})"
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            where = traceback.extract_tb(error.__traceback__)[-1]
            # what the caller's own functions and objects raise is the caller's
            own = where.filename == __file__ and not isinstance(error, AssertionError)
            ended = "refused" if own else "failed"
            if ended == "failed":
                failure = f"{type(error).__name__}: {error}"[:300]
                failure += f" ({Path(where.filename).name}:{where.lineno})"
        plt.close("all")
    return name, ended, None if failure is None else f"{name}({shown}): {failure}"


def run(cases: int, seed: int = 0, start: int = 0) -> dict[str, Any]:
    """Make many calls; return counts by outcome, and failures as (number, text)."""
    functions = targets()
    counts: collections.Counter[str] = collections.Counter()
    failures: list[tuple[int, str]] = []
    # a string that is taken for a file's name makes that file here
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for number in range(start, start + cases):
            _, ended, failure = run_case(seed, number, functions, Path(folder))
            counts[ended] += 1
            if failure is not None:
                failures.append((number, failure))
                print(f"{seed}/{number} {failure}", flush=True)
            if number % 500 == 0:
                for file in Path(folder).iterdir():
                    file.unlink() if file.is_file() else None
    return {"counts": counts, "failures": failures}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--case", type=int, help="repeat this case alone")
    options = parser.parse_args()
    alone = options.case is not None
    faulthandler.enable()
    found = run(1 if alone else options.cases, options.seed, options.case if alone else 0)
    print(f"{dict(found['counts'])}, {len(found['failures'])} failures")
    return int(bool(found["failures"]))


if __name__ == "__main__":
    sys.exit(main())

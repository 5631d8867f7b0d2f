"""Regression check: a few dozen small fits through every public entry, and their digests.

    python tests/behaviour.py            compare with tests/behaviour.json, name what changed
    python tests/behaviour.py --write    store the current results
    python tests/behaviour.py graph dask only the cases whose names contain one of these words

A case is a function that takes the points and returns whatever the entry returns; `@case` runs it
in float32 and in float64. Stored are the labels (a digest: they must agree exactly), the inertia
to 6 digits, and how the fit ended. The points have no near-ties, so nothing depends on how a
product was rounded; those called tied are full of exact ones, for the rule of `annlab.distances`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

import annlab

STORED = Path(__file__).with_suffix(".json")
#: name of a case -> function that runs it
CASES: dict[str, Callable[[], Any]] = {}


def points(dtype: str, n: int = 420, d: int = 6, k: int = 9, seed: int = 0) -> np.ndarray:
    """Return points around k overlapping centres, for fits of many iterations."""
    rng = np.random.RandomState(seed)
    centres = rng.uniform(-10, 10, (k, d))
    return (centres[rng.randint(k, size=n)] + 3.0 * rng.standard_normal((n, d))).astype(dtype)


def case(function: Callable[[np.ndarray], Any]) -> Callable[[np.ndarray], Any]:
    """Register a function of the points, in both floating types."""
    for dtype in ("float32", "float64"):
        CASES[f"{function.__name__} {dtype}"] = lambda dtype=dtype: function(points(dtype))
    return function


def family(name: str, members: Iterable[str]) -> Callable[[Any], Any]:
    """Register a function of the points and of a word, once for each of the words."""

    def register(function: Any) -> Any:
        for member in members:
            for dtype in ("float32", "float64"):
                CASES[f"{name} {member} {dtype}"] = lambda dtype=dtype, member=member: function(
                    points(dtype), member
                )
        return function

    return register


def weights(X: np.ndarray) -> np.ndarray:
    """Return integer and fractional weights, some of them 0."""
    return np.random.RandomState(1).choice([0.0, 0.5, 1.0, 3.0], len(X), p=[0.1, 0.3, 0.4, 0.2])


def sparse(X: np.ndarray) -> Any:
    """Return the points with two thirds of their values set to 0, as CSR."""
    from scipy.sparse import csr_matrix

    kept = np.random.RandomState(2).uniform(size=X.shape) < 0.34
    return csr_matrix(np.where(kept, X, 0).astype(X.dtype))


# -- plain fits ------------------------------------------------------------------------------------


@case
def exact(X):
    return annlab.kmeans(X, 7, random_state=0)


@case
def exact_to_the_end(X):
    return annlab.kmeans(X, 7, tol=0, random_state=3)


@family("algorithm", annlab.available_algorithms())
def algorithms(X, name):
    return annlab.kmeans_ann(X, 7, algorithm=name, random_state=0)


@case
def scikit_index(X):
    from sklearn.neighbors import NearestNeighbors

    index = NearestNeighbors(algorithm="kd_tree")
    return annlab.kmeans_ann(X, 7, algorithm=index, random_state=0)


@family("init", ("k-means++", "random", "k-means||", "array", "function"))
def inits(X, name):
    init = {"array": X[:7], "function": lambda X, k, random_state: X[-k:]}.get(name, name)
    return annlab.kmeans_ann(X, 7, algorithm="brute", init=init, random_state=1)


@family("n_init", ("brute", "small_k", "graph"))
def several_starts(X, name):
    return annlab.kmeans_ann(X, 7, algorithm=name, n_init=4, random_state=2)


@family("array start", ("small_k", "graph"))
def given_start(X, name):
    return annlab.kmeans_ann(X, 7, algorithm=name, init=X[:7], random_state=2)


@family("weights", ("brute", "small_k", "graph", "kd_tree"))
def weighted(X, name):
    return annlab.kmeans_ann(X, 7, algorithm=name, sample_weight=weights(X), random_state=0)


@family("cosine", ("brute", "small_k", "graph", "lsh"))
def cosine(X, name):
    return annlab.kmeans_ann(X, 7, algorithm=name, metric="cosine", random_state=0)


@case
def cosine_weighted(X):
    return annlab.kmeans(X, 7, metric="cosine", sample_weight=weights(X), random_state=0)


@family("sparse", ("auto", "brute", "lsh"))
def sparse_rows(X, name):
    return annlab.kmeans_ann(sparse(X), 7, algorithm=name, random_state=0)


@case
def sparse_cosine(X):
    return annlab.kmeans(sparse(X), 5, metric="cosine", random_state=0)


@case
def far_from_the_origin(X):
    return annlab.kmeans_ann(X + X.dtype.type(1000), 7, algorithm="small_k", random_state=0)


@case
def empty_clusters(X):
    return annlab.kmeans(X, 7, init=np.repeat(X[:1], 7, axis=0), random_state=0)


@case
def many_clusters(X):
    X = points(str(X.dtype), n=3000, d=8, k=60, seed=4)
    return annlab.kmeans_ann(X, 200, algorithm="graph", random_state=0)


@case
def many_clusters_by_candidates(X):
    X = points(str(X.dtype), n=3000, d=8, k=60, seed=4)
    return annlab.kmeans_ann(
        X, 200, algorithm="graph", final_assignment="algorithm", random_state=1
    )


@case
def many_clusters_small_k(X):
    X = points(str(X.dtype), n=3000, d=8, k=60, seed=4)
    return annlab.kmeans_ann(X, 150, algorithm="small_k", random_state=0)


@case
def several_samples(X):
    # more than eight times the first sample, so that small_k goes through two of them
    X = points(str(X.dtype), n=70_000, d=3, k=5, seed=5)
    return annlab.kmeans_ann(X, 5, algorithm="small_k", random_state=0)


@case
def traced(X):
    result = annlab.kmeans_ann(X, 40, algorithm="graph", random_state=0, trace=True)
    return result, [f"{step.kind} {step.n_moved}" for step in result.trace]


# -- exact ties ------------------------------------------------------------------------------------


def lattice(X: np.ndarray) -> np.ndarray:
    """Return the points of a square lattice, with many equal distances."""
    return np.stack(np.meshgrid(np.arange(24), np.arange(24)), -1).reshape(-1, 2).astype(X.dtype)


@family("tied", ("brute", "small_k", "graph", "kd_tree", "lsh"))
def tied(X, name):
    return annlab.kmeans_ann(lattice(X), 9, algorithm=name, random_state=1, n_init=2)


@family("tied index", ("brute", "kd_tree", "ball_tree"))
def tied_neighbours(X, name):
    return annlab.make_index(name).fit(lattice(X)[::2]).kneighbors(lattice(X)[1::2], 7)[1]


@case
def tied_duplicates(X):
    return annlab.kmeans(np.repeat(X[:30], 12, axis=0), 12, random_state=0)


@family("tied starts", ("small_k", "graph"))
def tied_starts(X, name):
    # clusters far apart: every start ends in the same ones, in another order
    X = X + 100 * (np.arange(len(X)) % 5)[:, None].astype(X.dtype)
    return annlab.kmeans_ann(X, 5, algorithm=name, random_state=0, n_init=3)


@case
def tied_robust(X):
    return annlab.robust_kmeans_ann(lattice(X), 5, trim=0.1, random_state=0)


# -- data that is not together ---------------------------------------------------------------------


@family("blocks", ("auto", "brute", "small_k", "hnsw"))
def blocks(X, name):
    parts = [X[:100], X[100:103], X[103:]]
    return annlab.kmeans_ann(parts, 7, algorithm=name, random_state=0)


@case
def blocks_weighted(X):
    parts = [X[:100], X[100:103], X[103:]]
    return annlab.kmeans(parts, 7, sample_weight=weights(X), random_state=0)


@case
def blocks_cosine(X):
    return annlab.kmeans_ann(lambda: iter([X[:200], X[200:]]), 7, metric="cosine", random_state=0)


@family("mapped file", ("auto", "brute", "graph"))
def mapped(X, name):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "X.npy"
        np.save(path, X)
        return annlab.kmeans_ann(path, 7, algorithm=name, random_state=0)


@family("dask", ("auto", "brute"))
def dask_array(X, name):
    return _on_dask(X, algorithm=name)


@case
def dask_weighted(X):
    return _on_dask(X, sample_weight=weights(X))


@case
def dask_cosine(X):
    return _on_dask(X, metric="cosine")


def _on_dask(X: np.ndarray, **options: Any) -> Any:
    import dask
    import dask.array as da

    with dask.config.set(scheduler="synchronous"):
        parts = da.from_array(X, chunks=(130, X.shape[1]))
        result = annlab.kmeans_ann(parts, 7, random_state=0, **options)
        return np.asarray(result.labels), result.inertia, result.n_iter, result.stop_reason


# -- variants --------------------------------------------------------------------------------------


def with_outliers(X: np.ndarray) -> np.ndarray:
    """Return the points and a dozen far ones."""
    rng = np.random.RandomState(3)
    return np.concatenate([X, rng.uniform(-90, 90, (12, X.shape[1])).astype(X.dtype)])


@case
def robust(X):
    return annlab.robust_kmeans_ann(with_outliers(X), 7, random_state=0)


@case
def robust_trimmed(X):
    return annlab.robust_kmeans_ann(with_outliers(X), 7, trim=0.05, random_state=0)


@case
def robust_weighted_twice(X):
    X = with_outliers(X)
    return annlab.robust_kmeans_ann(
        X, 7, sample_weight=weights(X), n_init=2, algorithm="brute", random_state=0
    )


@case
def parallel(X):
    return annlab.parallel_kmeans_ann(X, 7, n_jobs=2, algorithm="brute", random_state=0)


@case
def one_thread(X):
    return annlab.kmeans_ann(X, 7, n_jobs=1, random_state=0)


@case
def chunk_of_the_deck(X):
    return annlab.assign_points_to_clusters((X, X[:9]))


@case
def faiss_kmeans(X):
    return annlab.kmeans_faiss(X, 7, random_state=0)


@family("resumed", ("brute", "small_k", "graph"))
def resumed(X, name):
    options: dict[str, Any] = {"algorithm": name, "n_init": 2, "random_state": 0}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / "fit.npz"
        annlab.kmeans_ann(X, 9, checkpoint=path, callback=lambda step: True, **options)
        return annlab.kmeans_ann(X, 9, checkpoint=path, **options)


@case
def saved(X):
    with tempfile.TemporaryDirectory() as folder:
        path = annlab.kmeans(X, 7, random_state=0).save(Path(folder) / "result.npz")
        return annlab.KMeansResult.load(path)


# -- the estimator ---------------------------------------------------------------------------------


@family("estimator", ("auto", "brute", "graph", "lsh"))
def estimator(X, name):
    model = annlab.KMeansANN(7, algorithm=name, random_state=0).fit(X[:300])
    return model.predict(X), -model.score(X), model.n_iter_


@case
def estimator_cosine(X):
    model = annlab.KMeansANN(7, metric="cosine", random_state=0).fit(X[:300])
    return model.predict(X), float(model.transform(X).sum())


@case
def estimator_in_batches(X):
    model = annlab.KMeansANN(7, random_state=0)
    for start in range(0, 420, 105):
        model.partial_fit(X[start : start + 105], sample_weight=weights(X[start : start + 105]))
    return model.predict(X), -model.score(X)


# -- what is built upon them -----------------------------------------------------------------------


@family("index", annlab.available_indexes())
def indexes(X, name):
    index = annlab.make_index(name)
    if "random_state" in index.get_params():
        index.set_params(random_state=0)
    distances, indices = index.fit(X[:300]).kneighbors(X[300:], 5)
    return indices, float(distances.sum())


@case
def index_cosine(X):
    distances, indices = annlab.make_index("brute", metric="cosine").fit(X).kneighbors(X, 4)
    return indices, float(distances.sum())


@case
def recall(X):
    from annlab.metrics import recall_at_k

    found = annlab.make_index("lsh", random_state=0).fit(X[:300]).kneighbors(X[300:], 5)
    true = annlab.make_index("brute").fit(X[:300]).kneighbors(X[300:], 5)
    return found[1], recall_at_k(found, true)


@case
def quality(X):
    labels = annlab.kmeans(X, 7, random_state=0).labels
    scores = annlab.evaluate_clustering(X, labels)
    return labels, [scores.silhouette, scores.davies_bouldin, scores.calinski_harabasz]


def picture() -> np.ndarray:
    """Return a smooth picture without flat parts."""
    y, x = np.mgrid[0:48, 0:64]
    waves = np.sin(x / 9.1 + y / 13.7), np.cos(y / 7.3), np.sin((x + 2 * y) / 11.9)
    noise = np.random.RandomState(0).uniform(-9, 9, (48, 64, 3))
    return np.clip(127 + 100 * np.stack(waves, axis=-1) + noise, 0, 255).astype(np.uint8)


def segments(**options: Any) -> Any:
    result = annlab.segment_image(picture(), 5, random_state=0, **options)
    return result.labels, [result.psnr_db, *result.palette.ravel().tolist()]


def wall() -> np.ndarray:
    """Return a grey ramp of equally spaced levels, with ten red pixels."""
    ramp = np.tile(np.linspace(0, 255, 64)[None, :, None], (64, 1, 3)).astype(np.uint8)
    ramp[30, 20:30] = (255, 0, 0)
    return ramp


CASES["segments tied"] = lambda: annlab.segment_image(wall(), 4, random_state=8).labels
CASES["segments rgb"] = segments
CASES["segments lab"] = lambda: segments(color_space="lab")
CASES["segments by place"] = lambda: segments(position_weight=0.5)
CASES["segments grey"] = lambda: annlab.segment_image(picture()[:, :, 0], 6, random_state=0).labels


def documents(**options: Any) -> Any:
    corpus = annlab.datasets.load_documents()
    found = annlab.cluster_documents(corpus, 4, random_state=0, **options)
    return found.result, [" ".join(terms) for terms in found.top_terms]


CASES["documents"] = lambda: documents(features="tfidf")
CASES["documents reduced"] = lambda: documents(n_components=8)


def visual_words() -> Any:
    from annlab.applications import learn_visual_words

    words = learn_visual_words(n_words=24, n_patches=1500, size=4, random_state=0)
    return words.encode(picture())


CASES["visual words"] = visual_words


# -- digests ---------------------------------------------------------------------------------------


def digest(answer: Any) -> list[Any]:
    """Turn an answer into text and numbers of 6 digits."""
    if isinstance(answer, annlab.KMeansResult):
        ended = [answer.labels, answer.inertia, answer.n_iter, answer.stop_reason]
        if answer.recall_estimate is not None:
            ended.append(answer.recall_estimate)
        return digest(ended)
    if isinstance(answer, np.ndarray):
        whole = np.ascontiguousarray(answer, dtype=np.int64)
        return [hashlib.blake2b(whole.tobytes(), digest_size=6).hexdigest()]
    if isinstance(answer, (list, tuple)):
        return [part for value in answer for part in digest(value)]
    if isinstance(answer, (float, np.floating)):
        return [float(f"{answer:.6g}")]
    return [answer if isinstance(answer, str) else int(answer)]


def agree(got: list[Any], stored: list[Any] | None) -> bool:
    """Compare digests: numbers may differ by one in the sixth digit."""
    if stored is None or len(got) != len(stored):
        return False
    for one, other in zip(got, stored, strict=True):
        if isinstance(one, float) and isinstance(other, (int, float)):
            if abs(one - other) > 1.1e-5 * max(abs(one), abs(other)):
                return False
        elif one != other:
            return False
    return True


def run(words: Iterable[str] = ()) -> dict[str, list[Any]]:
    """Return digests of the cases whose names contain a word, or of all cases."""
    words = list(words)
    chosen = [name for name in CASES if not words or any(word in name for word in words)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {name: digest(CASES[name]()) for name in chosen}


def stored() -> dict[str, list[Any]]:
    return json.loads(STORED.read_text())


def changed(found: dict[str, list[Any]]) -> list[str]:
    """Return a line for each case that differs from the stored digest."""
    before = stored()
    lines = [
        f"{name}: {before.get(name, 'not stored')} -> {got}"
        for name, got in found.items()
        if not agree(got, before.get(name))
    ]
    return lines + [f"{name}: stored, but no longer a case" for name in before if name not in CASES]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("words", nargs="*", help="run the cases whose names contain one of these")
    parser.add_argument("--write", action="store_true", help="store the current results")
    options = parser.parse_args()
    found = run(options.words)
    if options.write:
        kept = {} if not options.words else {n: old for n, old in stored().items() if n in CASES}
        lines = [f"{json.dumps(name)}: {json.dumps(got)}" for name, got in (kept | found).items()]
        STORED.write_text("{\n" + ",\n".join(lines) + "\n}\n")
        return 0
    lines = changed(found)
    print("\n".join([*lines, f"{len(found) - len(lines)} of {len(found)} cases unchanged"]))
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())

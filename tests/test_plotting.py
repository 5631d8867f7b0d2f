"""Pictures: what is drawn, where, and without side effects."""

from __future__ import annotations

import subprocess
import sys
import warnings

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from annlab import kmeans
from annlab.benchmarks import Comparison, RecallSpeedCurve, RecallSpeedPoint
from annlab.datasets import make_blobs
from annlab.plotting import (
    MARKERS,
    PALETTE,
    cluster_color,
    cluster_marker,
    plot_clusters,
    plot_convergence,
    plot_elbow,
    plot_palette,
    plot_patches,
    plot_recall_speed,
    plot_silhouette,
    plot_time_to_quality,
    visualize_clusters,
)


@pytest.fixture
def ax():
    return Figure().add_subplot()


@pytest.fixture
def blobs():
    X, _ = make_blobs(120, 3, separation=8, random_state=0)
    return X, kmeans(X, 3, random_state=0, trace=True)


def offsets(ax):
    """Return the points drawn by each scatter call."""
    return [np.asarray(collection.get_offsets()) for collection in ax.collections]


def draw(ax):
    """Render the figure, because some errors only occur then."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(ax.figure).draw()


# --- colours -------------------------------------------------------------------------------------


def test_56_clusters_have_different_marks():
    marks = {(cluster_color(c), cluster_marker(c)) for c in range(len(PALETTE) * len(MARKERS))}
    assert len(marks) == len(PALETTE) * len(MARKERS)


# --- points --------------------------------------------------------------------------------------


def test_plot_clusters_draws_points_by_cluster(blobs, ax):
    X, result = blobs
    assert plot_clusters(X, result, ax=ax) is ax
    drawn = offsets(ax)
    for cluster in range(3):
        assert np.allclose(drawn[cluster], X[result.labels == cluster])
        color = to_hex(ax.collections[cluster].get_facecolor()[0])
        assert color.upper() == cluster_color(cluster)
    assert np.allclose(drawn[3], result.centroids)
    assert ax.get_aspect() == 1.0
    assert [t.get_text() for t in ax.get_legend().get_texts()] == [f"cluster {c}" for c in range(3)]
    draw(ax)


def test_plot_clusters_draws_outliers(blobs, ax):
    X, result = blobs
    labels = result.labels.copy()
    labels[:7] = -1
    plot_clusters(X, labels, ax=ax)
    outliers = ax.collections[-1]
    assert outliers.get_label() == "outlier"
    assert np.allclose(outliers.get_offsets(), X[:7])


def test_plot_clusters_of_many_clusters(ax):
    X = np.random.RandomState(0).rand(200, 2)
    plot_clusters(X, np.arange(200) % 100, ax=ax)
    assert len(ax.collections) == 1
    assert len(np.unique(ax.collections[0].get_array())) == 100
    assert ax.get_legend() is None
    draw(ax)


def test_plot_clusters_samples_many_points(ax):
    X = np.random.RandomState(0).rand(300, 2)
    plot_clusters(X, np.zeros(300, dtype=int), ax=ax, max_points=100, title="Cube")
    assert len(offsets(ax)[0]) == 100
    assert ax.get_title() == "Cube (100 of 300 points, at random)"


def test_plot_clusters_refuses_bad_arguments(ax):
    with pytest.raises(ValueError, match="X must be an array with 2 columns"):
        plot_clusters(np.zeros((3, 4)), ax=ax)
    with pytest.raises(ValueError, match="labels must be an array of shape"):
        plot_clusters(np.zeros((3, 2)), [0], ax=ax)
    with pytest.raises(TypeError, match="ax must be None or matplotlib axes"):
        plot_clusters(np.zeros((3, 2)), ax="here")


# --- projections ---------------------------------------------------------------------------------


# UMAP compiles its loops for 15 seconds; the embedding explorer is tested with it every day
@pytest.mark.parametrize("method", ["pca", "tsne", pytest.param("umap", marks=pytest.mark.full)])
def test_projections_keep_groups_apart(method, ax):
    if method == "umap":
        pytest.importorskip("umap")
    rng = np.random.RandomState(0)
    labels = np.repeat([0, 1], 40)
    X = rng.normal(size=(80, 12)) + 30 * labels[:, None]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        params = {"n_epochs": 50} if method == "umap" else None
        assert visualize_clusters(X, labels, method=method, ax=ax, method_params=params) is ax
    first, second = offsets(ax)
    assert len(first) == len(second) == 40
    assert np.allclose(np.vstack([first, second]), ax.embedding)
    inside = np.linalg.norm(first - first.mean(axis=0), axis=1).max()
    assert np.linalg.norm(second - first.mean(axis=0), axis=1).min() > inside
    draw(ax)


def test_three_components_need_3d_axes():
    from matplotlib import pyplot as plt

    X = np.random.RandomState(0).rand(30, 6)
    ax = visualize_clusters(X, [0, 1, -1] * 10, 3, method="pca")
    try:
        assert ax.name == "3d"
        assert ax.get_zlabel() == "PCA component 3"
        assert ax.embedding.shape == (30, 3)
        draw(ax)
        with pytest.raises(ValueError, match="ax must be two-dimensional axes"):
            visualize_clusters(X, [0] * 30, 2, method="pca", ax=ax)
    finally:
        plt.close(ax.figure)
    with pytest.raises(ValueError, match="ax must be three-dimensional axes"):
        visualize_clusters(X, [0] * 30, 3, method="pca", ax=Figure().add_subplot())


def test_visualize_clusters_makes_a_pyplot_figure():
    from matplotlib import pyplot as plt

    before = plt.get_fignums()
    ax = visualize_clusters(np.random.RandomState(0).rand(30, 5), [0, 1, 2] * 10)
    try:
        assert [plt.figure(n) for n in plt.get_fignums() if n not in before] == [ax.figure]
        assert ax.get_title() == "t-SNE of 30 points"
    finally:
        plt.close(ax.figure)


@pytest.mark.parametrize("n_components", [2, 3])
def test_low_dimensional_points_are_not_projected(n_components):
    from scipy.sparse import csr_array

    X = np.random.RandomState(0).rand(30, n_components)
    axes = lambda: Figure().add_subplot(projection="3d" if n_components == 3 else None)  # noqa: E731
    ax = visualize_clusters(X, [0, 1, 2] * 10, n_components, ax=axes())
    assert np.array_equal(ax.embedding, X)
    assert ax.get_title() == "30 points" and ax.get_xlabel() == "feature 1"
    assert ax.get_aspect() in (1.0, "equal") or n_components == 3
    sparse = visualize_clusters(csr_array(X), [0] * 30, n_components, ax=axes(), max_points=7)
    assert np.array_equal(sparse.embedding, X[sparse.rows])
    assert sparse.get_title() == "7 of 30 points, at random"
    named = visualize_clusters(X, [0] * 30, n_components, "tsne", ax=axes())
    assert named.get_title() == "t-SNE of 30 points"
    assert not np.allclose(named.embedding, X)
    with pytest.raises(ValueError, match="method must be named with method_params"):
        visualize_clusters(X, [0] * 30, n_components, ax=axes(), method_params={"perplexity": 9})


def test_random_state_repeats_a_projection():
    X = np.random.RandomState(0).rand(40, 60)
    params = {"init": "random"}  # started by PCA, t-SNE draws nothing
    one, two, other = (
        visualize_clusters(
            X, [0] * 40, ax=Figure().add_subplot(), random_state=s, method_params=params
        ).embedding
        for s in (1, 1, 2)
    )
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)


def test_visualize_clusters_samples_many_points(ax):
    X = np.random.RandomState(0).rand(90, 5)
    labels = np.arange(90) % 3
    visualize_clusters(X, labels, method="pca", ax=ax, max_points=30)
    assert ax.get_title() == "PCA of 30 of 90 points, at random"
    assert sum(len(points) for points in offsets(ax)) == 30
    assert ax.rows.shape == (30,)
    assert len(offsets(ax)[1]) == np.sum(labels[ax.rows] == 1)


@pytest.mark.parametrize("method", ["pca", "tsne"])
@pytest.mark.parametrize("d", [8, 80])
def test_sparse_rows_are_projected(method, d, ax):
    from scipy.sparse import random as random_sparse

    X = random_sparse(60, d, density=0.3, format="csr", random_state=0)
    visualize_clusters(X, [0, 1] * 30, method=method, ax=ax)
    assert ax.embedding.shape == (60, 2)


@pytest.mark.parametrize("n", [3, 4, 7])
@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_few_points_are_projected(n, method, ax):
    visualize_clusters(np.random.RandomState(0).rand(n, 3), [0] * n, method=method, ax=ax)
    assert np.isfinite(ax.embedding).all()


def test_bad_projections_are_refused(ax):
    X = np.random.RandomState(0).rand(20, 5)
    with pytest.raises(ValueError, match="method must be one of 'tsne', 'pca', 'umap'"):
        visualize_clusters(X, [0] * 20, method="lda", ax=ax)
    with pytest.raises(ValueError, match="n_components must be"):
        visualize_clusters(X, [0] * 20, 4, ax=ax)
    with pytest.raises(ValueError, match="X must be an array with at least 2 rows and columns"):
        visualize_clusters(X[:, :1], [0] * 20, ax=ax)
    with pytest.raises(TypeError, match="method_params"):
        visualize_clusters(X, [0] * 20, ax=ax, method_params=3)


def test_missing_umap_is_named(monkeypatch, ax):
    from annlab import MissingExtraError

    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(MissingExtraError, match=r"annlab-kmeans\[lab\]"):
        visualize_clusters(np.eye(5), [0] * 5, method="umap", ax=ax)


# --- fits ----------------------------------------------------------------------------------------


def test_convergence_draws_the_trace(blobs, ax):
    _, result = blobs
    plot_convergence({"a": result, "b": result.trace}, ax=ax)
    for line in ax.lines:
        assert np.array_equal(line.get_ydata(), result.trace.inertia)
        assert np.array_equal(line.get_xdata(), np.arange(1, len(result.trace) + 1))
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["a", "b"]


def test_convergence_against_seconds_and_relative(blobs, ax):
    _, result = blobs
    plot_convergence(result, ax=ax, against="seconds", relative=True)
    (line,) = ax.lines
    assert np.array_equal(line.get_xdata(), np.cumsum(result.trace.elapsed_s))
    assert line.get_ydata().min() == 1.0
    assert ax.get_legend() is None
    with pytest.raises(ValueError, match="results must be results or traces"):
        plot_convergence([3], ax=ax)


def test_elbow_draws_results_in_order(blobs, ax):
    X, _ = blobs
    results = [kmeans(X, k, random_state=0) for k in (3, 1, 2)]
    plot_elbow([3, 1, 2], results, chosen=3, ax=ax)
    line = ax.lines[0]
    assert list(line.get_xdata()) == [1, 2, 3]
    assert list(line.get_ydata()) == [results[1].inertia, results[2].inertia, results[0].inertia]
    assert ax.get_ylim()[0] == 0
    with pytest.raises(ValueError, match="inertias must be one value for each of the 2"):
        plot_elbow([1, 2], [3.0], ax=ax)
    with pytest.raises(ValueError, match="chosen must be one of n_clusters"):
        plot_elbow([1, 2], [3.0, 2.0], chosen=5, ax=ax)
    draw(ax)


def test_silhouette_draws_every_point_and_the_mean(blobs, ax):
    from sklearn.metrics import silhouette_samples

    X, result = blobs
    labels = result.labels.copy()
    labels[:4] = -1
    plot_silhouette(X, labels, ax=ax)
    values = silhouette_samples(X[4:], labels[4:])
    assert ax.get_title() == f"mean silhouette {values.mean():.3f}, 116 points"
    for cluster, shape in enumerate(ax.collections):
        drawn = np.unique(shape.get_paths()[0].vertices[:, 0].round(5))
        expected = np.unique(np.append(values[labels[4:] == cluster], 0).round(5))
        assert np.allclose(drawn, expected, atol=2e-5)
    assert ax.lines[0].get_xdata()[0] == pytest.approx(values.mean())
    with pytest.raises(ValueError, match="labels must be of 2 to n − 1 clusters"):
        plot_silhouette(X, np.zeros(120, dtype=int), ax=ax)


def test_silhouette_of_many_points_is_sampled(blobs, ax):
    X, result = blobs
    plot_silhouette(X, result, ax=ax, max_points=40, metric="cosine")
    assert ax.get_title().endswith("40 of 120 points, at random")


# --- images --------------------------------------------------------------------------------------


def test_palette_shows_shares_in_order(ax):
    colors = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255]], dtype=np.uint8)
    plot_palette(colors, [1, 7, 2], ax=ax)
    assert [bar.get_width() for bar in ax.patches] == pytest.approx([0.7, 0.2, 0.1])
    assert [to_hex(bar.get_facecolor()) for bar in ax.patches] == ["#00ff00", "#0000ff", "#ff0000"]
    assert [text.get_text() for text in ax.texts] == ["70%", "20%", "10%"]


def test_palette_of_a_segmentation(ax):
    from types import SimpleNamespace

    made = SimpleNamespace(
        labels=np.array([[0, 1], [1, 1]]), palette=np.array([[0, 0, 0], [1, 1, 1]]) / 1.0
    )
    plot_palette(made, ax=ax)
    assert [bar.get_width() for bar in ax.patches] == pytest.approx([0.75, 0.25])
    # given counts take precedence over those of the segmentation
    given = plot_palette(made, [4, 1], ax=Figure().add_subplot())
    assert [bar.get_width() for bar in given.patches] == pytest.approx([0.8, 0.2])
    with pytest.raises(ValueError, match="colors must be an array of shape"):
        plot_palette(np.zeros((3, 2)), ax=ax)
    with pytest.raises(ValueError, match="colors must be floats from 0 to 1"):
        plot_palette(np.full((1, 3), 9.0), ax=ax)
    with pytest.raises(ValueError, match="counts must be 2 numbers"):
        plot_palette(made.palette, [1], ax=ax)


def test_plot_patches_draws_a_grid(ax):
    patches = np.random.RandomState(0).rand(5, 12)
    plot_patches(patches, n_columns=2, ax=ax)
    sheet = np.asarray(ax.images[0].get_array())
    assert sheet.shape == (10, 7, 3)
    assert np.allclose(sheet[1:3, 1:3], patches[0].reshape(2, 2, 3))
    assert np.allclose(sheet[4:6, 4:6], patches[3].reshape(2, 2, 3))
    assert np.allclose(sheet[7:9, 4:6], 1)  # nothing there
    assert np.allclose(sheet[3], 1)


def test_plot_patches_of_other_shapes(ax):
    grey = np.arange(9).reshape(1, 9).astype(np.uint8)
    plot_patches(grey, ax=ax)
    assert np.allclose(np.asarray(ax.images[0].get_array())[1:4, 1:4], grey.reshape(3, 3) / 255)
    plot_patches(np.zeros((3, 2, 4, 3)), ax=ax)
    plot_patches(np.zeros((3, 8)), shape=(2, 4), ax=ax)
    plot_patches(np.zeros((9, 4)), max_patches=4, ax=ax)
    assert ax.get_title() == "the first 4 of 9"
    plot_patches(np.array([[-5.0, 0, 0, 5.0]]), rescale=True, ax=ax)
    assert np.asarray(ax.images[-1].get_array())[1:3, 1:3].tolist() == [[0.0, 0.5], [0.5, 1.0]]
    with pytest.raises(ValueError, match="patches must be square patches"):
        plot_patches(np.zeros((3, 7)), ax=ax)
    with pytest.raises(ValueError, match="patches must be floats from 0 to 1"):
        plot_patches(np.full((1, 4), 7.0), ax=ax)


# --- searches and comparisons --------------------------------------------------------------------


def made_curve(name, points, exact_speed):
    def point(recall, speed):
        return RecallSpeedPoint(recall, speed, 0.1, 1 / speed, None, {})

    return RecallSpeedCurve(
        [point(*p) for p in points],
        point(1.0, exact_speed),
        algorithm=name,
        n_samples=100,
        n_features=3,
        n_queries=10,
        n_neighbors=5,
        metric="euclidean",
        machine={},
    )


def test_recall_speed_shows_the_exact_baseline(ax):
    curves = [
        made_curve("lsh", [(0.5, 300.0), (0.9, 100.0), (0.4, 90.0)], 40.0),
        made_curve("hnsw", [(0.8, 900.0)], 60.0),
    ]
    plot_recall_speed(curves, ax=ax)
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert names == ["lsh", "hnsw", "brute force (exact)"]
    lines = {line.get_label(): line for line in ax.lines}
    assert list(lines["lsh"].get_xdata()) == [0.5, 0.9]  # the third is beaten
    star = lines["brute force (exact)"]
    assert (star.get_xdata()[0], star.get_ydata()[0]) == (1.0, 50.0)
    assert len(offsets(ax)[0]) == 3  # but drawn faintly
    assert ax.get_xlabel() == "recall@5"
    assert ax.get_yscale() == "log"
    draw(ax)
    with pytest.raises(TypeError, match="curves must be results of recall_speed_curve"):
        plot_recall_speed([1, 2], ax=ax)


def test_time_to_quality_draws_peers_and_floor(ax):
    def run(peer, rung, seconds, inertia):
        facts = {"seed": 0, "status": "ok", "seconds": seconds, "inertia": inertia}
        return {"peer": peer, "rung": rung, **facts}

    def peer(key):
        ours = key.startswith("annlab")
        return {"key": key, "label": key, "settings": {}, "is_ours": ours, "left_out": ""}

    made = Comparison(
        data={"name": "made", "n": 9, "d": 2, "description": ""},
        n_clusters=3,
        threads=4,
        reference={"definition": "", "inertia": 10.0},
        peers=[peer("annlab-auto"), peer("other"), peer("bare")],
        runs=[
            run("bare", {"defaults": True}, 2.0, 11.0),
            run("other", {"max_iter": 1}, 1.0, 12.0),
            run("other", {"max_iter": 5}, 4.0, 10.0),
            run("annlab-auto", {"max_iter": 1}, 0.1, 9.0),
            run("annlab-auto", {"defaults": True}, 0.2, 8.0),
        ],
        floors={"gemm_iteration_s": 0.02},
        machine={},
    )
    plot_time_to_quality(made, ax=ax)
    lines = {line.get_label(): line for line in ax.lines}
    assert list(lines["other"].get_xdata()) == [1.0, 4.0]
    assert list(lines["other"].get_ydata()) == [1.2, 1.0]
    assert list(lines["annlab-auto"].get_xdata()) == [0.1]
    assert lines["annlab-auto"].get_linewidth() > lines["other"].get_linewidth()
    assert any(list(line.get_ydata()) == [0.8] for line in ax.lines)
    assert list(lines["bare"].get_xdata()) == [2.0]
    floors = [line for label, line in lines.items() if label.startswith("10 exact iterations")]
    assert floors[0].get_xdata()[0] == pytest.approx(0.2)
    named = [text.get_text() for text in ax.get_legend().get_texts()]
    assert sorted(named) == sorted(
        ["annlab-auto", "bare", "other", *(f.get_label() for f in floors)]
    )
    assert ax.get_xscale() == "log"
    draw(ax)
    with pytest.raises(TypeError, match="comparison must be a result of compare"):
        plot_time_to_quality({}, ax=ax)


# --- the process ---------------------------------------------------------------------------------


def test_given_axes_do_not_import_pyplot():
    code = (
        "import sys, numpy as np\n"
        "from matplotlib.figure import Figure\n"
        "from annlab.plotting import plot_clusters, plot_elbow\n"
        "plot_clusters(np.eye(2), [0, 1], ax=Figure().add_subplot())\n"
        "plot_elbow([1, 2], [2.0, 1.0], ax=Figure().add_subplot())\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# --- what is not said, and what is refused -------------------------------------------------------


@pytest.mark.parametrize(
    ("colors", "counts", "message"),
    [
        ([[0, 0, 256]], None, "colors must be integers from 0 to 255; got 0 to 256"),
        ([[0, 0, -1]], None, "colors must be integers from 0 to 255; got -1 to 0"),
        ([[0.0, 0.0, np.nan]], None, "colors must be finite numbers"),
        ([[True, True, False]], None, "colors must be finite numbers; got dtype bool"),
        ([[0, 0, 9]], [np.inf], "counts must be made of finite numbers"),
    ],
)
def test_plot_palette_refuses_bad_colours(colors, counts, message, ax):
    with pytest.raises(ValueError, match=message):
        plot_palette(np.array(colors), counts, ax=ax)


@pytest.mark.parametrize("shape", [(3, 3), (12,), (2, 2, 3, 1), (2, 5)])
def test_plot_patches_refuses_wrong_shapes(shape, ax):
    with pytest.raises(ValueError, match=r"shape must be .* of 12 numbers"):
        plot_patches(np.zeros((4, 12)), shape=shape, ax=ax)

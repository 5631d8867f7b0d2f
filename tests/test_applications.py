"""Applications: colours, pictures, segments, documents and visual words."""

from __future__ import annotations

import io
import struct
import sys
import tracemalloc
import zlib
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from annlab import applications, kmeans, kmeans_ann
from annlab._support.errors import AnnlabWarning, MissingExtraError
from annlab.applications import (
    cluster_documents,
    documents,
    lab_to_rgb,
    learn_visual_words,
    load_image,
    rgb_to_lab,
    segment_image,
)
from annlab.datasets import (
    data_path,
    load_documents,
    load_patches,
    load_photo,
    load_sample_image,
)

DECK = [
    "Machine learning is a subset of artificial intelligence",
    "Natural language processing deals with text and speech",
    "Computer vision focuses on image and video analysis",
    "Deep learning uses neural networks with multiple layers",
    "Reinforcement learning involves agents and environments",
]


@pytest.fixture
def picture():
    """A small picture of many colours, (12, 17, 3) uint8."""
    return np.random.RandomState(0).randint(0, 256, size=(12, 17, 3)).astype(np.uint8)


def encoded(array, kind="PNG", mode=None, **more) -> bytes:
    stream = io.BytesIO()
    image = Image.fromarray(array) if mode is None else Image.fromarray(array).convert(mode)
    image.save(stream, kind, **more)
    return stream.getvalue()


# ---------------------------------------------------------------------------------------- colours


def test_lab_equals_scikit_image():
    color = pytest.importorskip("skimage.color")
    steps = np.linspace(0, 255, 18).round().astype(np.uint8)
    grid = np.stack(np.meshgrid(steps, steps, steps), axis=-1)
    lab = rgb_to_lab(grid)
    assert np.abs(lab - color.rgb2lab(grid)).max() < 0.01
    assert np.abs(rgb_to_lab(grid / 255.0) - lab).max() < 1e-9
    assert np.abs(lab_to_rgb(lab) - color.lab2rgb(lab)).max() < 1e-3


def test_lab_and_back_is_the_same_colour():
    values = np.arange(256, dtype=np.uint8)
    grid = np.stack(np.meshgrid(values[::5], values[::5], values[::5]), axis=-1)
    assert np.array_equal((lab_to_rgb(rgb_to_lab(grid)) * 255).round(), grid)


def test_colours_outside_the_screen_are_clipped():
    wild = lab_to_rgb([[50.0, 200.0, 0.0], [120.0, 0.0, 0.0], [-5.0, 0.0, 0.0]])
    assert wild.min() >= 0 and wild.max() <= 1
    assert np.allclose(wild[1], 1) and np.allclose(wild[2], 0)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (np.zeros((4, 4)), "rgb must be an array of numbers of shape"),
        (np.array(["a", "b", "c"]), "rgb must be an array of numbers"),
        (np.array([0.0, 0.0, 2.0]), "rgb must be from 0 to 1"),
        (np.array([0.0, np.nan, 0.5]), "rgb must be from 0 to 1"),
        (np.array([0, 0, 255]), "rgb must be of dtype uint8"),
    ],
)
def test_colours_are_checked(wrong, message):
    with pytest.raises(ValueError, match=message):
        rgb_to_lab(wrong)


# --------------------------------------------------------------------------------- reading pictures


def test_every_way_to_pass_a_picture_is_equal(picture, tmp_path):
    data = encoded(picture)
    path = tmp_path / "p.png"
    path.write_bytes(data)
    rgba = np.dstack([picture, np.full(picture.shape[:2], 255, np.uint8)])
    ways = {
        "array": picture,
        "path": path,
        "str": str(path),
        "bytes": data,
        "bytearray": bytearray(data),
        "memoryview": memoryview(data),
        "stream": io.BytesIO(data),
        "PIL": Image.fromarray(picture),
        "lazy PIL": Image.open(path),
        "RGBA": rgba,
        "float64": picture / 255,
        "float32": (picture / np.float32(255)).astype(np.float32),
        "strided": np.repeat(picture, 2, axis=1)[:, ::2],
        "Fortran": np.asfortranarray(picture),
    }
    for name, way in ways.items():
        found = load_image(way)
        assert np.array_equal(found, picture), name
        assert found.dtype == np.uint8 and found.flags.c_contiguous, name
        assert not np.shares_memory(found, picture), name


@pytest.mark.parametrize("kind", ["BMP", "TIFF", "WEBP", "PPM", "GIF"])
def test_other_formats_open(picture, kind):
    flat = np.full_like(picture, 64)
    more = {"lossless": True} if kind == "WEBP" else {}
    assert np.array_equal(load_image(encoded(flat, kind, **more)), flat)


def test_grey_pictures_get_three_equal_channels(picture):
    grey = picture[:, :, 0]
    wanted = np.repeat(grey[:, :, None], 3, axis=2)
    for way in (grey, grey[:, :, None], grey / 255, encoded(grey), Image.fromarray(grey)):
        assert np.array_equal(load_image(way), wanted)
    mask = grey > 128
    assert np.array_equal(load_image(mask), np.repeat(mask[:, :, None] * np.uint8(255), 3, axis=2))


def test_sixteen_bit_grey_is_scaled():
    deep = np.array([[0, 257, 32896, 65535]], dtype=np.uint16)
    assert load_image(encoded(deep))[0, :, 0].tolist() == [0, 1, 128, 255]
    with pytest.raises(ValueError, match="at most 16 bits"):
        load_image(Image.fromarray(np.array([[70000, -1]], dtype=np.int32)))
    # mode I has 32 bits, in which a small value may be black or white
    with pytest.raises(ValueError, match=r"32 bits \(mode I"):
        load_image(Image.fromarray(np.array([[0, 255]], dtype=np.int32)))
    assert load_image(Image.fromarray(np.array([[0, 1]], dtype=np.float32)))[0, 1, 0] == 255


def test_documents_in_a_frame_or_a_dict_are_refused():
    pd = pytest.importorskip("pandas")
    texts = ["cat dog", "cat mouse", "car road", "car wheel"]
    for wrong in (pd.DataFrame({"text": texts}), {"text": texts}, np.array([texts])):
        with pytest.raises(TypeError, match="column that holds the texts"):
            cluster_documents(wrong, 2)
    assert len(cluster_documents(pd.Series(texts), 2, random_state=0).labels) == 4


def test_transparency_is_laid_over_white(picture):
    rgba = np.dstack([picture, np.zeros(picture.shape[:2], np.uint8)])
    rgba[0, 0] = 10, 20, 30, 255
    rgba[0, 1] = 0, 0, 0, 128
    for way in (rgba, encoded(rgba)):
        found = load_image(way)
        assert found[0, 0].tolist() == [10, 20, 30]
        assert found[0, 1].tolist() == [127, 127, 127]
        assert (found[1:] == 255).all()
    # a palette with a transparent colour, as GIF has
    palette = Image.fromarray(picture).quantize(4)
    stream = io.BytesIO()
    palette.save(stream, "PNG", transparency=0)
    holes = np.asarray(palette) == 0
    assert holes.any() and (load_image(stream.getvalue())[holes] == 255).all()


def test_photograph_is_turned_by_its_exif_tag(picture):
    image = Image.fromarray(picture)
    exif = image.getexif()
    exif[0x0112] = 6  # the camera was held on its side
    stream = io.BytesIO()
    image.save(stream, "PNG", exif=exif)
    assert np.array_equal(load_image(stream.getvalue()), np.rot90(picture, -1))


def png_header(width: int, height: int) -> bytes:
    """Return a PNG with a header for many pixels, but almost no data."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(100)))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(("width", "height"), [(10_000, 9_000), (60_000, 60_000)])
def test_decompression_bomb_is_refused_before_it_is_decoded(width, height):
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"image must be"):
            load_image(png_header(width, height))
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


def test_limit_of_pixels_holds_for_every_kind_of_picture(picture, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    for way in (picture, encoded(picture), Image.fromarray(picture)):
        with pytest.raises(ValueError, match=r"at most max_pixels=203 pixels; got 17 x 12"):
            load_image(way, max_pixels=203)
        assert load_image(way, max_pixels=204).shape == picture.shape
    # Pillow's own limit is as before
    assert Image.MAX_IMAGE_PIXELS == 10
    with pytest.raises(ValueError, match="max_pixels"):
        segment_image(picture, 2, max_pixels=10)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not a picture at all",
        b"\x89PNG\r\n\x1a\n",
        encoded(np.zeros((50, 50, 3), np.uint8), "JPEG")[:200],
        encoded(np.random.RandomState(0).randint(0, 255, (50, 50, 3)).astype(np.uint8))[:-3000],
        png_header(0, 5),
        # Pillow would start another program for these
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n showpage\n",
    ],
    ids=["empty", "text", "stub", "cut JPEG", "cut PNG", "no pixels", "PostScript"],
)
def test_unreadable_pictures_are_a_value_error(data, tmp_path):
    path = tmp_path / "x.png"
    path.write_bytes(data)
    for way in (data, path, io.BytesIO(data)):
        with pytest.raises(ValueError, match=r"image must be .*; got ") as caught:
            segment_image(way, 2)
        assert "0x" not in str(caught.value)
        if data.startswith(b"%!PS"):
            assert "another format" in str(caught.value)


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ("no/such/file.jpg", FileNotFoundError, "image must be the path of an existing file"),
        (".", ValueError, "image must be readable"),
        (7, TypeError, "image must be a path, bytes"),
        (None, TypeError, "image must be a path, bytes"),
        (io.StringIO("text"), ValueError, "image must be readable"),
        (np.zeros((0, 4, 3), np.uint8), ValueError, "at least one pixel"),
        (np.zeros((4, 4, 2), np.uint8), ValueError, "image must be of shape"),
        (np.zeros(4, np.uint8), ValueError, "image must be of shape"),
        (np.zeros((4, 4, 3), np.int64), ValueError, "image must be of dtype uint8"),
        (np.full((4, 4, 3), 255.0), ValueError, "image must be from 0 to 1"),
        (np.full((4, 4, 3), np.nan), ValueError, "image must be from 0 to 1"),
        (np.zeros((4, 4, 3), complex), ValueError, "image must be of dtype uint8"),
        (np.zeros((4, 4, 3), object), ValueError, "image must be of dtype uint8"),
    ],
)
def test_wrong_images_are_refused(wrong, error, message):
    with pytest.raises(error, match=message):
        segment_image(wrong, 2)


# ------------------------------------------------------------------------------------- segmentation


@pytest.mark.parametrize("color_space", ["rgb", "lab"])
def test_flat_areas_are_found_exactly(color_space):
    colours = np.array([[250, 10, 10], [20, 200, 40], [0, 30, 220]], dtype=np.uint8)
    truth = np.random.RandomState(0).randint(0, 3, size=(20, 30))
    image = colours[truth]
    found = segment_image(image, 3, color_space=color_space, random_state=0)
    labels, palette = found
    assert np.array_equal(palette[labels], image)
    assert np.array_equal(found.segmented_image, image)
    assert found.psnr_db == np.inf
    again = segment_image(image, 3, color_space=color_space, algorithm="kd_tree", random_state=0)
    assert again.result.algorithm == "kd_tree" and again.psnr_db == np.inf
    assert labels.dtype == np.int32 and palette.dtype == np.uint8
    assert found.segmented_image.dtype == np.uint8 and labels.shape == (20, 30)
    assert len(found) == 2 and found[0] is labels and found[1] is palette


def test_equal_colours_are_clustered_once_with_the_same_answer():
    image = load_sample_image()[::4, ::4] // 16 * 16
    start = np.array([[0.1, 0.1, 0.1], [0.5, 0.4, 0.3], [0.9, 0.9, 0.9]], dtype=np.float32)
    found = segment_image(image, 3, init=start)
    X = image.reshape(-1, 3).astype(np.float32) / np.float32(255)
    whole = kmeans_ann(X, 3, init=start)
    assert len(np.unique(X, axis=0)) < len(X) / 10
    assert np.array_equal(found.result.labels, whole.labels)
    assert np.array_equal(found.labels.reshape(-1), whole.labels)
    assert np.allclose(found.result.centroids, whole.centroids, atol=1e-5)
    assert found.result.inertia == pytest.approx(whole.inertia, rel=1e-5)


def test_each_pixel_has_the_nearest_colour_of_the_palette():
    image = load_sample_image()[::5, ::5]
    found = segment_image(image, 6, random_state=1)
    centroids = found.result.centroids.astype(np.float64)
    pixels = image.reshape(-1, 3) / 255
    distance = np.linalg.norm(pixels[:, None] - centroids, axis=2)
    chosen = np.take_along_axis(distance, found.labels.reshape(-1, 1), axis=1)[:, 0]
    assert np.allclose(chosen, distance.min(axis=1), atol=1e-5)
    # and the palette is the mean of its pixels
    means = [image[found.labels == i].mean(axis=0) for i in range(6)]
    assert np.abs(np.array(means) - found.palette).max() < 2


def test_psnr_equals_scikit_image():
    metrics = pytest.importorskip("skimage.metrics")
    image = load_sample_image()[::4, ::4]
    quality = []
    for k in (2, 8, 32):
        found = segment_image(image, k, random_state=0)
        wanted = metrics.peak_signal_noise_ratio(image, found.segmented_image)
        assert found.psnr_db == pytest.approx(wanted, abs=1e-9)
        quality.append(found.psnr_db)
    assert quality == sorted(quality) and quality[-1] > quality[0] + 5


@pytest.mark.parametrize(("k", "bits"), [(1, 0), (2, 1), (3, 2), (4, 2), (5, 3), (17, 5)])
def test_bytes_are_a_palette_and_packed_indices(picture, k, bits):
    found = segment_image(picture, k, random_state=0)
    assert found.original_bytes == 12 * 17 * 3
    assert found.compressed_bytes == 3 * k + -(-12 * 17 * bits // 8)


def test_position_alone_splits_a_flat_picture():
    flat = np.full((20, 60, 3), 90, dtype=np.uint8)
    labels, palette = segment_image(flat, 2, position_weight=1.0, random_state=0)
    assert (palette == 90).all()
    # two halves of the long side, whichever comes first
    assert (labels == labels[0]).all() and (np.diff(labels[0]) != 0).sum() == 1
    assert abs(int((labels[0] == labels[0, 0]).sum()) - 30) <= 3


def test_fewer_colours_than_segments_is_a_warning():
    image = np.zeros((4, 5, 3), dtype=np.uint8)
    image[2:] = 255
    with pytest.warns(AnnlabWarning):
        labels, palette = segment_image(image, 4, random_state=0)
    assert np.array_equal(palette[labels], image)


def test_segmentation_can_be_watched_and_stopped(picture):
    seen = []

    def stop_after_two(step):
        seen.append(step.iteration)
        return len(seen) == 2

    result = applications.segment_image(
        picture, 3, algorithm="brute", tol=0, random_state=0, callback=stop_after_two
    )
    assert seen == [1, 2]
    assert result.result.stop_reason == "callback"


def test_segmentation_passes_its_errors_on(picture):
    for wrong, message in (
        ({"n_clusters": 0}, "n_clusters"),
        ({"n_clusters": 12 * 17 + 1}, "n_clusters"),
        ({"n_clusters": 2.5}, "n_clusters"),
        ({"color_space": "hsv"}, "color_space must be one of 'rgb', 'lab'"),
        ({"position_weight": -1}, "position_weight"),
        ({"algorithm": "magic"}, "algorithm"),
    ):
        with pytest.raises((ValueError, TypeError), match=message):
            segment_image(picture, **wrong)


def test_image_call_of_the_deck_works():
    found = segment_image(data_path("sample_image.jpg"), 5, random_state=0)
    assert found.labels.shape == (400, 600) and found.palette.shape == (5, 3)
    text = repr(found)
    assert text.startswith("SegmentationResult: 600 x 400 pixels, 5 segments (rgb)")
    assert "720,000 → 90,015" in text
    with pytest.raises(ValueError, match="read-only"):
        found.segmented_image[0, 0] = 0


# ---------------------------------------------------------------------------------------- documents

#: scikit-learn's vectorizer as `cluster_documents` uses it
WORDS = {"stop_words": "english", "sublinear_tf": True}


def test_document_call_of_the_deck_works():
    found = cluster_documents(DECK, n_clusters=3)
    labels, centroids = found
    assert labels.shape == (5,) and labels.dtype == np.int32 and set(labels.tolist()) <= {0, 1, 2}
    assert centroids.shape == (3, found.X.shape[1])
    assert found.purity is None
    assert len(found) == 2 and found[0] is labels and found[1] is centroids
    assert repr(found).startswith(f"DocumentClusters: 5 documents by {found.features}\n")


@pytest.mark.parametrize("features", ["tfidf", "lsa", "embeddings"])
def test_texts_that_share_words_share_a_cluster(features):
    if features == "embeddings":
        pytest.importorskip("wordllama")
    texts = ["red apple pie", "apple pie crust", "steam engine", "engine steam whistle"]
    found = cluster_documents(texts, 2, features=features, random_state=0)
    assert found.labels[0] == found.labels[1] != found.labels[2] == found.labels[3]
    fruit, rail = found.labels[0], found.labels[2]
    assert set(found.top_terms[fruit][:2]) == {"apple", "pie"}
    assert set(found.top_terms[rail][:2]) == {"engine", "steam"}
    assert set(found.representatives[fruit]) == {0, 1}
    assert found.features == features and f"by {features}" in repr(found)


def test_tfidf_features_are_clustered_by_spherical_k_means():
    from sklearn.feature_extraction.text import TfidfVectorizer

    texts = load_documents().documents[::4]
    found = cluster_documents(texts, 5, features="tfidf", random_state=3, n_init=1)
    tfidf = TfidfVectorizer(**WORDS).fit_transform(texts)
    assert abs(found.tfidf - tfidf).max() < 1e-6
    assert found.X is found.tfidf and found.svd is None
    direct = kmeans_ann(found.tfidf, 5, metric="cosine", random_state=3)
    assert np.array_equal(found.labels, direct.labels)


def test_lsa_features_are_a_truncated_svd():
    corpus = load_documents()
    found = cluster_documents(corpus, 8, n_components=20, random_state=0)
    # random clusters give about 0.2 at this k; the corpus has labels
    assert found.features == "lsa" and found.purity > 0.55
    assert found.X.shape == (416, 20) and found.X.dtype == np.float32
    assert np.allclose(found.svd.transform(found.tfidf), found.X, atol=1e-4)
    assert "purity 0." in repr(found)
    again = cluster_documents(corpus, 8, features="lsa", n_components=20, random_state=0)
    assert np.array_equal(found.labels, again.labels)
    assert cluster_documents(corpus, 8, features="lsa", n_init=1).X.shape == (416, 50)


def test_embeddings_find_the_themes_offline_and_quietly(monkeypatch, capfd):
    pytest.importorskip("wordllama")
    import logging
    import socket

    def refuse(*words, **options):
        raise OSError("no network in a test")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    documents._wordllama.cache_clear()
    before = list(logging.getLogger().handlers)
    found = cluster_documents(load_documents(), 8, features="embeddings", random_state=0)
    assert found.purity > 0.9 and found.X.shape == (416, 256)
    assert logging.getLogger().handlers == before and capfd.readouterr() == ("", "")
    assert cluster_documents(load_documents(), 8).features == "embeddings"


def test_features_fall_back_to_lsa_without_wordllama(monkeypatch):
    documents._wordllama.cache_clear()
    monkeypatch.setattr(documents.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "wordllama", None)
    assert cluster_documents(DECK, 2, random_state=0).features == "lsa"
    with pytest.raises(MissingExtraError, match=r"annlab-kmeans\[text\]"):
        cluster_documents(DECK, 2, features="embeddings")


def test_features_of_the_caller_are_clustered_as_they_are():
    vectors = np.repeat(np.eye(3), [2, 2, 1], axis=0)

    class Model:
        def encode(self, texts):
            return vectors[: len(texts)].tolist()

    def lengths(texts):
        return np.array([[len(text), 1.0] for text in texts])

    for features, name in ((Model(), "Model"), (vectors, "vectors")):
        found = cluster_documents(DECK, 3, features=features, random_state=0)
        assert found.features == name and np.array_equal(found.X, vectors)
        assert len(set(found.labels.tolist())) == 3 and found.result.inertia < 1e-9
    found = cluster_documents(DECK, 2, features=lengths, metric="euclidean", random_state=0)
    assert found.features == "lengths" and found.X.shape == (5, 2)
    with pytest.raises(ValueError, match="features must be one row for each of the 5 documents"):
        cluster_documents(DECK, 2, features=vectors[:3])


def test_top_terms_are_the_heaviest_by_class_based_tfidf():
    from sklearn.feature_extraction.text import CountVectorizer

    texts = load_documents().documents[::3]
    found = cluster_documents(texts, 4, features="tfidf", n_top_terms=6, random_state=0, n_init=1)
    names = found.vectorizer.get_feature_names_out()
    counts = CountVectorizer(stop_words="english").fit_transform(texts).toarray()
    classes = np.stack([counts[found.labels == label].sum(axis=0) for label in range(4)])
    weights = classes * np.log(1 + classes.sum() / 4 / classes.sum(axis=0))
    for terms, row in zip(found.top_terms, weights, strict=True):
        wanted = sorted(range(len(names)), key=lambda j: (-row[j].round(9), names[j]))[:6]
        assert terms == tuple(names[wanted])


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_representatives_are_the_documents_nearest_to_the_centroid(metric):
    texts = load_documents().documents[::4]
    found = cluster_documents(texts, 5, features="lsa", metric=metric, random_state=0)
    rows, centroids = found.X.astype(float), found.centroids.astype(float)
    if metric == "cosine":
        rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        centroids = centroids / np.linalg.norm(centroids, axis=1, keepdims=True)
    distance = np.linalg.norm(rows - centroids[found.labels], axis=1)
    for label, chosen in enumerate(found.representatives):
        members = np.flatnonzero(found.labels == label)
        assert np.allclose(distance[list(chosen)], np.sort(distance[members])[:3], atol=1e-6)


def test_top_terms_end_where_the_words_of_a_cluster_end():
    found = cluster_documents(["apple", "engine"], 2, n_top_terms=10, random_state=0)
    assert sorted(found.top_terms) == [("apple",), ("engine",)]
    assert sorted(found.representatives) == [(0,), (1,)]


def test_purity_counts_the_main_theme_of_each_cluster():
    texts = ["apple pie", "apple pie", "apple pie", "engine steam", "engine steam"]
    for reference in ([0, 0, 1, 2, 2], list("aabcc")):
        found = cluster_documents(texts, 2, reference=reference, random_state=0)
        assert found.purity == pytest.approx(4 / 5)
    # the caller's reference takes precedence over that of the corpus
    alike = np.zeros(416, int)
    assert cluster_documents(load_documents(), 2, reference=alike, n_init=1).purity == 1.0


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_tfidf_is_never_densified(metric):
    rng = np.random.RandomState(0)
    words = np.array([f"w{i}" for i in range(40_000)])
    texts = [" ".join(words[rng.randint(0, 40_000, 40)]) for _ in range(3000)]
    dense_bytes = 3000 * 38_000 * 4
    given = {"features": "tfidf", "metric": metric, "max_iter": 3, "n_init": 1, "random_state": 0}
    tracemalloc.start()
    try:
        found = cluster_documents(texts, 3, **given)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found.tfidf.shape[1] > 35_000
    assert peak < dense_bytes / 4, f"peak {peak:,} bytes"


def test_vectorizer_of_the_caller_is_cloned():
    from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
    from sklearn.pipeline import make_pipeline

    mine = CountVectorizer(ngram_range=(1, 2))
    # texts may come from a generator
    found = cluster_documents((text for text in DECK), 2, vectorizer=mine, random_state=0)
    assert not hasattr(mine, "vocabulary_")
    assert "machine learning" in found.vectorizer.get_feature_names_out()
    assert found.tfidf.dtype == np.float32
    # a vectorizer without counts
    chain = make_pipeline(CountVectorizer(), TfidfTransformer())
    assert all(cluster_documents(DECK, 2, vectorizer=chain, random_state=0).top_terms)


def test_document_without_words_is_a_warning():
    for features in ("tfidf", "embeddings"):
        with pytest.warns(AnnlabWarning):
            found = cluster_documents([*DECK, ""], 2, features=features, random_state=0)
        assert found.labels.shape == (6,)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("one text", 1), TypeError, "documents must be a sequence of texts.*one str"),
        ((b"bytes", 1), TypeError, "documents must be a sequence of texts.*one bytes"),
        ((7, 1), TypeError, "documents must be a sequence of texts"),
        ((["a text", None], 1), TypeError, "NoneType at position 1"),
        (([], 1), ValueError, "documents must be a list with at least one text"),
        ((["the", "and of"], 1), ValueError, "at least one word"),
        ((DECK, 6), ValueError, "n_clusters must be at most"),
    ],
)
def test_wrong_documents_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        cluster_documents(*arguments)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_components": 6}, "n_components must be an integer >= 1 and <= 5"),
        ({"n_components": 2, "features": "tfidf"}, "n_components must be None unless"),
        ({"features": "magic"}, "features must be one of"),
        ({"features": np.eye(5), "n_components": 2}, "n_components must be None with features"),
        ({"vectorizer": object()}, "vectorizer must be None or an object with"),
        ({"n_top_terms": 0}, "n_top_terms must be an integer"),
        ({"metric": "manhattan"}, "metric must be one of"),
        ({"reference": [0, 1]}, "reference must be"),
        ({"algorithm": "kd_tree", "features": "tfidf"}, "X must be dense"),
    ],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        cluster_documents(DECK, 2, **options)


def test_error_of_the_vectorizer_is_passed_on():
    from sklearn.feature_extraction.text import TfidfVectorizer

    with pytest.raises(ValueError, match="max_df corresponds to < documents than min_df"):
        cluster_documents(DECK, 2, vectorizer=TfidfVectorizer(min_df=4, max_df=0.1))


# ---------------------------------------------------------------------------------- visual words

#: Four words of 2 × 2 pixels, one a row: black, white, upper half, left half.
STAMPS = np.array(
    [[0, 0, 0, 0], [255, 255, 255, 255], [255, 255, 0, 0], [255, 0, 255, 0]], dtype=np.uint8
)


def written(codes):
    """Return the picture of the stamps side by side, by plain loops."""
    rows, columns = codes.shape
    picture = np.zeros((2 * rows, 2 * columns, 3), np.uint8)
    for y in range(rows):
        for x in range(columns):
            picture[2 * y : 2 * y + 2, 2 * x : 2 * x + 2] = STAMPS[codes[y, x]].reshape(2, 2, 1)
    return picture


def stamp_words():
    words = np.repeat(STAMPS, 3, axis=1).astype(np.float32) / 255
    return applications.VisualWords.from_fit(kmeans(words, 4, init=words), 2)


def test_tiles_are_patches_row_by_row():
    codes = np.array([[3, 0, 2], [1, 2, 0]])
    tiles = applications.cut_tiles(written(codes), 2)
    assert tiles.shape == (2, 3, 12)
    np.testing.assert_allclose(tiles, np.repeat(STAMPS[codes], 3, axis=2) / 255, rtol=1e-6)
    # the same pixels in the same order as the patches that words are learned from
    photo = load_photo("china")[:8, :8]
    np.testing.assert_array_equal(
        applications.cut_tiles(photo, 8)[0, 0], load_patches(1, 8, photos=photo)[0]
    )


def test_picture_made_of_words_is_rebuilt_exactly():
    codes = np.random.RandomState(0).randint(4, size=(5, 7))
    vocabulary = stamp_words()
    picture = np.pad(written(codes), ((0, 1), (0, 1), (0, 0)))
    rebuilt = vocabulary.rebuild(picture)
    np.testing.assert_array_equal(rebuilt.codes, codes)
    np.testing.assert_array_equal(rebuilt.image, written(codes))
    assert rebuilt.psnr_db == np.inf
    # 35 tiles of two bits, four words of twelve bytes, and the ragged edge left out
    assert (rebuilt.code_bytes, rebuilt.book_bytes, rebuilt.original_bytes) == (9, 48, 420)
    np.testing.assert_allclose(
        vocabulary.histogram(picture), np.bincount(codes.ravel(), minlength=4) / 35
    )


def test_visual_words_are_the_centroids_of_the_patches():
    patches = load_patches(800, 4, photos=["flower"], random_state=5)
    rng = np.random.RandomState(5)
    load_patches(800, 4, photos=["flower"], random_state=rng)
    expected = kmeans_ann(patches, 20, 50, random_state=rng)
    words, counts = vocabulary = learn_visual_words(
        ["flower"], 20, n_patches=800, size=4, random_state=5
    )
    np.testing.assert_array_equal(words, expected.centroids)
    np.testing.assert_array_equal(counts, np.bincount(expected.labels, minlength=20))
    # the codes of a photograph are exact, whatever fitted the words
    tiles = applications.cut_tiles(load_photo("flower"), 4).reshape(-1, 48).astype(float)
    nearest = ((tiles[:, None] - words) ** 2).sum(axis=2).argmin(axis=1)
    assert (vocabulary.encode(load_photo("flower")).ravel() == nearest).mean() > 0.999


def test_more_words_rebuild_better_and_cost_more():
    runs = [
        learn_visual_words(["china"], k, n_patches=2000, size=4, random_state=0).rebuild(
            load_photo("china")
        )
        for k in (4, 32, 256)
    ]
    for less, more in pairwise(runs):
        assert more.psnr_db > less.psnr_db + 1
        assert more.code_bytes > less.code_bytes and more.book_bytes > less.book_bytes
    assert f"{runs[-1].psnr_db:.2f} dB" in repr(runs[-1])


def test_wrong_words_are_refused():
    photo = load_photo("china")[:20, :30]
    with pytest.raises(ValueError, match="size must be at most 20"):
        applications.cut_tiles(photo, 21)
    with pytest.raises(ValueError, match="size must be such that"):
        applications.VisualWords.from_fit(kmeans(np.eye(12), 2), 3)
    with pytest.raises(ValueError, match="n_clusters must be"):
        learn_visual_words([photo], 90, n_patches=80, size=4)
    with pytest.raises(TypeError, match="size must be"):
        learn_visual_words([photo], 2, n_patches=80, size=2.5)

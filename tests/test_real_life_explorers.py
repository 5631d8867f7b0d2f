"""segmentation_explorer and document_explorer."""

from __future__ import annotations

import datetime
import io

import numpy as np
import pytest
from PIL import Image

from annlab import MissingExtraError, widgets
from annlab.applications import segment_image
from annlab.datasets import Corpus, load_documents, load_photo


@pytest.fixture(scope="module")
def photo():
    return load_photo("china")[::8, ::8]


@pytest.fixture(scope="module")
def texts():
    every = load_documents()
    return Corpus(every.documents[::8], every.labels[::8], every.label_names, "part", "An eighth.")


def upload(explorer, name, content):
    file = {"name": name, "type": "image/png", "size": len(content), "content": memoryview(content)}
    explorer.upload.value = (file | {"last_modified": datetime.datetime(2026, 1, 1)},)


def as_png(pixels):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


# ------------------------------------------------------------------------------------- segments


def test_segments_are_those_of_the_library(photo):
    explorer = widgets.segmentation_explorer(photo, 4, color_space="lab", random_state=3)
    expected = segment_image(photo, 4, color_space="lab", max_iter=40, random_state=explorer.seed)
    np.testing.assert_array_equal(explorer.result.labels, expected.labels)
    assert f"{expected.compressed_bytes:,} bytes" in explorer.text


def test_an_uploaded_picture_joins_the_menu_and_is_shown(photo):
    explorer = widgets.segmentation_explorer(photo, 3)
    other = np.zeros((20, 30, 3), np.uint8)
    other[:, 15:] = 255
    upload(explorer, "half.png", as_png(other))
    name = explorer.values["picture"]
    assert name.startswith("half.png")
    # two colours can fill two segments only, and the fit must not warn about it
    assert explorer.result.labels.shape == (20, 30)
    assert sorted(explorer.result.palette[:, 0].tolist()) == [0, 255]
    assert explorer.text.startswith("2 segments")
    explorer.set(picture="your picture").restore(explorer.state.replace("your%20picture", name))
    assert explorer.values["picture"] == name


def test_a_damaged_upload_changes_the_note_only(photo):
    explorer = widgets.segmentation_explorer(photo, 3)
    before = explorer.text
    upload(explorer, "broken.png", as_png(photo)[:100])
    assert explorer.text == before
    assert "image must be" in explorer._note.value


def test_every_pixel_is_clustered_on_demand():
    large = np.tile(load_photo("flower")[:300, :300], (2, 1, 1))
    explorer = widgets.segmentation_explorer(large, 2)
    thinned = explorer.result.labels.size
    assert thinned <= 80_000
    assert explorer.set(whole=True).result.labels.size == 600 * 300 > thinned


def test_the_prediction_compares_with_twice_as_many_segments(photo):
    explorer = widgets.segmentation_explorer(photo, 4, predict="doubling")
    here = explorer.result.psnr_db
    explorer.prediction.predict(1)
    explorer.press("compare")
    assert explorer.prediction.truth == round(explorer.set(k=8).result.psnr_db - here, 1)


# ------------------------------------------------------------------------------------ documents


def test_a_theme_is_marked_and_its_documents_can_be_read(texts):
    explorer = widgets.document_explorer(texts, 4, 10)
    assert "<ol>" not in explorer.pane.value
    explorer.set(theme=2)
    typical = explorer.result.typical[1]
    assert explorer.text.startswith("theme 2 (")
    assert texts.documents[typical[0]][:40].split("'")[0] in explorer.pane.value
    assert sorted(np.concatenate(explorer.result.typical)) == list(range(len(texts.documents)))


def test_the_typical_document_is_nearest_to_its_centroid(texts):
    result = widgets.document_explorer(texts, 4, 10).result
    X = result.clusters.X / np.linalg.norm(result.clusters.X, axis=1, keepdims=True)
    for theme, members in enumerate(result.typical):
        center = result.clusters.centroids[theme]
        cosines = X[members] @ (center / np.linalg.norm(center))
        assert (np.diff(cosines) <= 1e-6).all()


def test_a_theme_that_the_new_k_does_not_have_is_not_marked(texts):
    explorer = widgets.document_explorer(texts, 8, 10).set(theme=7)
    state = explorer.state
    explorer.set(k=3)
    assert explorer.values["theme"] == explorer.controls["theme"].value == 0
    assert len(explorer.controls["theme"].widget.options) == 4
    # and the state of before brings both back
    assert explorer.restore(state).values["theme"] == 7


def test_the_map_does_not_depend_on_the_settings(texts):
    explorer = widgets.document_explorer(texts, 4, 10)
    places = explorer.result.places
    assert explorer.set(k=6, size=0, metric="euclidean").result.places is places


def test_texts_without_known_themes_have_no_purity(texts):
    explorer = widgets.document_explorer(list(texts.documents), 3, None)
    assert "purity" not in explorer.text
    assert "plain words" in explorer.text
    assert explorer.result.main_label(0) is None


def test_without_scikit_image_the_photographs_of_scikit_learn_are_left(monkeypatch):
    from annlab.widgets import _segments

    def only(name):
        if name not in ("china", "flower"):
            raise MissingExtraError("scikit-image is missing")
        return load_photo(name)

    monkeypatch.setattr(_segments, "load_photo", only)
    assert list(_segments._collected(None)) == ["china", "flower"]


def test_without_texts_there_are_two_corpora(monkeypatch):
    from annlab import datasets
    from annlab.widgets import _documents

    shelf = _documents._shelf(None)
    assert list(shelf) == ["short texts", "docstrings of SciPy"]
    assert shelf["short texts"]().documents == load_documents().documents
    # reading the packages takes seconds, and is tested in test_datasets.py
    monkeypatch.setattr(datasets, "load_docstrings", lambda n, **more: (n, more["packages"]))
    assert shelf["docstrings of SciPy"].__wrapped__() == (600, ("scipy",))


def test_the_prediction_is_the_size_with_the_purest_themes(texts):
    explorer = widgets.document_explorer(texts, 4, 10, predict="dimensions")
    explorer.press("compare")
    answer = explorer.prediction.truth
    purities = [explorer.set(size=size).result.clusters.purity for size in (0, 2, 20, 100)]
    assert answer == explorer.prediction.options[int(np.argmax(purities))]


@pytest.mark.parametrize("word", ["many", "99", "-1", "²"])
def test_a_state_with_no_such_theme_is_refused(texts, word):
    with pytest.raises(ValueError, match="theme must be 0"):
        widgets.document_explorer(texts, 4, 10).restore(f"document_explorer?theme={word}")


def test_few_terms_limit_the_dimensions():
    texts = ["red apples", "red pears", "apples pears", "pears red", "apples red red"]
    explorer = widgets.document_explorer(texts, 2, 20)
    assert explorer.result.clusters.svd.n_components == 3

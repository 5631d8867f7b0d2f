"""visual_words_explorer shows the library's words, selected by clicks."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from annlab import kmeans_ann, widgets
from annlab.applications import VisualWords
from annlab.datasets import load_patches, load_photo, load_photos, load_sample_image
from annlab.widgets import _words, _words_draw, _words_learn


@pytest.fixture(scope="module")
def photos():
    return {name: load_photo(name)[::8, ::8] for name in ("china", "flower")}


@pytest.fixture(scope="module")
def made(photos):
    coffee = load_sample_image()[::8, ::8]
    explorer = widgets.visual_words_explorer(
        photos, 32, unseen={"coffee": coffee}, n_patches=600, random_state=1
    )
    yield explorer
    explorer.close()


@pytest.fixture
def explorer(made):
    return made.reset()


def click(explorer, x, y):
    """Click a point, in CSS pixels, as a browser does."""
    width, height = explorer.size
    number = explorer.stage.point[2] + 1
    explorer.stage.point = [x / width, y / height, number]


def test_the_words_are_those_of_the_library(explorer, photos):
    X = load_patches(600, 8, photos=photos, random_state=explorer.seed)
    fit = kmeans_ann(X, 32, 30, random_state=explorer.seed)
    expected = VisualWords.from_fit(fit, 8)
    np.testing.assert_array_equal(explorer.result.vocabulary.words, expected.words)
    for name, photo in explorer.photos.items():
        rebuilt = expected.rebuild(photo)
        np.testing.assert_array_equal(explorer.result.rebuilt[name].image, rebuilt.image)
    assert f"{expected.rebuild(photos['china']).code_bytes:,} bytes of codes" in explorer.text


@pytest.mark.parametrize("order", _words._ORDERS)
def test_each_order_shows_every_word_once(explorer, order):
    places = explorer.result.orders[order]
    assert sorted(places) == list(range(32))
    counts = explorer.result.vocabulary.counts[places]
    assert (np.diff(counts) <= 0).all() == (order == "frequency")


@pytest.mark.parametrize("place", [0, 7, 31])
def test_a_click_on_a_word_chooses_it(explorer, place):
    columns, cell = _words_draw.grid(32)
    left, top, *_ = _words_draw._MOSAIC
    click(explorer, left + (place % columns + 0.5) * cell, top + (place // columns + 0.5) * cell)
    assert explorer.values["word"] == explorer.controls["word"].value == place + 1
    assert f"Word {place + 1} " in explorer.text


@pytest.mark.parametrize("order", _words._ORDERS)
def test_a_click_on_the_photograph_chooses_the_word_of_that_spot(explorer, order):
    explorer.set(order=order, photo="flower")
    codes = explorer.result.rebuilt["flower"].codes
    left, top, width, height = _words_draw._fitted(codes.shape)
    for row, column in ((0, 0), (4, 6), (codes.shape[0] - 1, codes.shape[1] - 1)):
        x = left + (column + 0.5) * width / codes.shape[1]
        click(explorer, x, top + (row + 0.5) * height / codes.shape[0])
        chosen = explorer.result.orders[order][explorer.values["word"] - 1]
        assert chosen == codes[row, column]


@pytest.mark.parametrize("spot", [(1, 1), (416, 200), (839, 445), (8 + 399, 34 + 399)])
def test_a_click_on_the_margin_changes_nothing(explorer, spot):
    before = explorer.state
    click(explorer, *spot)
    assert explorer.state == before


def test_members_run_from_the_nearest_to_the_farthest_of_their_word(explorer, photos):
    vocabulary = explorer.result.vocabulary
    X = load_patches(600, 8, photos=photos, random_state=explorer.seed)
    for word, centre in enumerate(vocabulary.words):
        own = X[vocabulary.result.labels == word]
        members = explorer.result.members[word][: min(len(own), _words_learn.MEMBERS)] / 255
        gaps = np.abs(members[:, None] - own).max(axis=2)
        assert (gaps.min(axis=1) < 1e-6).all(), "a member is a patch of the word"
        assert len(set(gaps.argmin(axis=1))) == len(members)
        distances = np.linalg.norm(members - centre, axis=1)
        assert (np.diff(distances) > -1e-5).all()
        every = np.linalg.norm(own - centre, axis=1)
        assert distances[[0, -1]] == pytest.approx([every.min(), every.max()], abs=1e-5)


@pytest.mark.parametrize("side", [3, 6])
def test_tiles_without_the_word_are_paled_and_those_with_it_framed(side):
    photo = np.random.RandomState(0).randint(0, 256, (2 * side, 3 * side, 3)).astype(np.uint8)
    here = np.array([[True, False, True], [True, True, True]])
    shown = _words_draw._highlighted(photo, here)
    pale = photo[:side, side : 2 * side].astype(np.float32) * 0.35 + 255 * 0.65
    np.testing.assert_array_equal(shown[:side, side : 2 * side], pale.astype(np.uint8))
    tile, original = shown[side:, :side], photo[side:, :side]
    np.testing.assert_array_equal(tile[1:-1, 1:-1], original[1:-1, 1:-1])
    # tiles of three pixels have no room for a frame
    assert np.array_equal(tile, original) == (side == 3)
    np.testing.assert_array_equal(_words_draw._highlighted(photo, here | True), photo)


def test_a_number_beyond_the_last_word_means_the_last(explorer):
    explorer.set(word=128, k=256)
    assert "Word 128 " in explorer.text
    explorer.set(k=16)
    assert "Word 16 " in explorer.text


def test_the_prediction_compares_with_the_unseen_photograph(photos):
    coffee = load_sample_image()[::8, ::8]
    explorer = widgets.visual_words_explorer(
        photos, 32, unseen=coffee, n_patches=600, predict="unseen"
    )
    explorer.prediction.predict(1)
    explorer.press("compare")
    psnr = {name: rebuilt.psnr_db for name, rebuilt in explorer.result.rebuilt.items()}
    expected = (psnr["china"] + psnr["flower"]) / 2 - psnr["not seen"]
    assert explorer.prediction.truth == round(expected, 1)


def test_the_stage_gets_a_picture_when_it_is_displayed(photos):
    explorer = widgets.visual_words_explorer(photos, 16, n_patches=400)
    explorer.set(word=3)
    assert explorer.stage.picture == b""
    explorer._repr_mimebundle_()
    assert explorer.stage.picture == explorer.png()
    assert explorer.stage.alt == explorer.text
    explorer.set(word=5)
    assert explorer.stage.picture == explorer.png()
    # inside another widget nothing is displayed by itself: the browser counts its views
    other = widgets.visual_words_explorer(photos, 16, n_patches=400)
    other._view_count = 1
    assert other.stage.picture == other.png()


def test_the_time_of_a_fit_is_shown_after_the_first(explorer):
    assert explorer._clock.value == ""
    explorer.set(k=16)
    assert "fitted in" in explorer._clock.value
    explorer.reset()
    assert explorer._clock.value == ""


def test_exact_and_graph_run_their_algorithms(explorer):
    assert explorer.set(algorithm="exact").result.vocabulary.result.algorithm == "brute"
    assert "asked for exact: brute" in explorer.text
    assert explorer.set(algorithm="graph").result.vocabulary.result.algorithm == "graph"


def test_a_small_picture_offers_what_it_has_room_for():
    picture = load_photo("china")[:40, :60]
    explorer = widgets.visual_words_explorer(picture, 9)
    most = (40 - 12 + 1) * (60 - 12 + 1)
    assert explorer.values["patches"] == most == max(explorer.controls["patches"].trials)
    assert len(explorer.controls["patches"].trials) >= 2
    assert explorer.prediction is None and list(explorer.photos) == ["your picture"]


def test_large_pictures_are_thinned():
    explorer = widgets.visual_words_explorer(np.zeros((1000, 2000, 3), np.uint8) + 9, 2)
    assert explorer.photos["your picture"].shape == (500, 1000, 3)
    # all patches are equal: they fill one word only, of which the fit need not warn
    assert len(explorer.result.vocabulary.words) == 1
    assert explorer.result.rebuilt["your picture"].psnr_db == np.inf


def test_photographs_of_the_library_are_the_default():
    photos, unseen = _words._collected(None, None)
    assert list(photos) == list(load_photos())
    assert list(unseen) == ["coffee (not seen)"]
    assert list(_words._collected(None, {"mine": load_sample_image()[:64, :64]})[1]) == ["mine"]


def test_the_reading_list_of_the_capstone_links_what_it_names():
    path = Path(__file__).parent.parent / "notebooks" / "15_resources_and_capstone.ipynb"
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    text = "".join(line for c in cells if c["cell_type"] == "markdown" for line in c["source"])
    links = re.findall(r"\[([^\]]+)\]\((https?://[^)]+)\)", text)
    assert len(links) >= 10
    for name, address in links:
        if re.fullmatch(r"10\.\d{4,9}/\S+", name):
            assert address == f"https://doi.org/{name}"
        else:
            assert re.fullmatch(r"\d{2}(0[1-9]|1[0-2])\.\d{4,5}", name), name
            assert address == f"https://arxiv.org/abs/{name}"

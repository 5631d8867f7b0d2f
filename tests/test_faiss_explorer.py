"""faiss_explorer measures what faiss does."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from matplotlib.figure import Figure

from annlab import MissingExtraError, widgets
from annlab.faiss_kmeans import kmeans_faiss
from annlab.indexes.faiss_index import FaissIndex
from annlab.widgets import _faiss, _faiss_measure

pytest.importorskip("faiss")


@pytest.fixture(scope="module")
def X():
    return np.random.RandomState(0).rand(900, 8)


def test_recall_and_comparisons_are_those_of_faiss(X):
    explorer = widgets.faiss_explorer(X, factory="IVF16,SQ4").set(effort=4, sample=0)
    rows, asked = _faiss_measure.parted(X)
    assert (len(rows), len(asked)) == (720, 180)
    together = np.concatenate([rows, asked])
    np.testing.assert_allclose(np.sort(together.sum(axis=1)), np.sort(X.sum(axis=1)), rtol=1e-5)
    index = FaissIndex("IVF16,SQ4", nprobe=4, random_state=0, n_jobs=1).fit(rows)
    nearest = ((asked[:, None].astype(float) - rows) ** 2).sum(axis=2).argmin(axis=1)
    here = explorer.result.at(4)
    assert here.recall == pytest.approx((index.candidates(asked).ravel() == nearest).mean())
    assert here.compared == index.compared(asked).mean()
    assert here.recall < (index.kneighbors(asked, 1)[1].ravel() == nearest).mean()
    assert "16 bytes" not in explorer.text and "12 bytes a row (4 of code, 8 of" in explorer.text


def test_every_cell_searched_is_flat_and_flat_is_exact(X):
    explorer = widgets.faiss_explorer(X)
    assert explorer.set(effort=16).result.at(16).recall == 1
    assert explorer.result.at(16).compared == explorer.result.n
    flat = explorer.set(index="Flat").result
    assert [one.recall for one in flat.efforts] == [1] and flat.dial == ""
    assert "no dial" in explorer.text and "100%" in explorer.text


def test_losses_are_those_of_kmeans_faiss_over_all_rows(X):
    result = widgets.faiss_explorer(X).set(sample=16).result
    rows, _ = _faiss_measure.parted(X)
    common = {"random_state": 1, "n_jobs": 1}
    sampled = kmeans_faiss(rows, 16, 10, max_points_per_centroid=16, **common).inertia
    assert result.ratios[16][1] == pytest.approx(
        sampled / kmeans_faiss(rows, 16, 10, **common).inertia
    )
    assert np.mean(result.ratios[16]) > 1.01 and result.ratios[0] == (1.0, 1.0, 1.0)
    assert "trained on 256 of the rows" in widgets.faiss_explorer(X).set(sample=16).text


def test_turning_the_dial_computes_nothing(X, monkeypatch):
    explorer = widgets.faiss_explorer(X)
    monkeypatch.setattr(_faiss.FaissExplorer, "compute", None)
    texts = {explorer.set(effort=effort).text for effort in (1, 2, 4, 8, 16)}
    assert len(texts) == 5
    # more cells than exist means all of them
    assert "nprobe 16" in explorer.set(effort=64).text


@pytest.mark.parametrize(("own", "said"), [("IVF8,Falt", "Did you mean 'Flat'"), (" ", "spaces")])
def test_a_wrong_string_is_explained_and_changes_nothing_else(X, own, said):
    explorer = widgets.faiss_explorer(X).set(own=own)
    assert said in explorer.text and explorer.result.read is None
    assert explorer.png() != explorer.set(own="").png()
    assert explorer.text.startswith("IVF16,Flat with nprobe 1")


def test_errors_that_only_faiss_finds_are_shown(X):
    explorer = widgets.faiss_explorer(X[:60]).set(own="OPQ2_4,PQ2x4")
    assert "Number of training points" in explorer.text


def test_a_typed_string_precedes_the_list(X):
    explorer = widgets.faiss_explorer(X, factory="PCA4,IVF8,SQ8")
    assert explorer.values["own"] == "PCA4,IVF8,SQ8"
    assert explorer.text.startswith("PCA4,IVF8,SQ8 with nprobe 1 keeps 12 bytes")
    assert explorer.set(index="HNSW16").result.factory == "PCA4,IVF8,SQ8"
    assert explorer.set(own="").result.factory == "HNSW16"


@pytest.mark.parametrize("factory", ["HNSW8,SQ8", "SQ8,RFlat"])
def test_other_strings_are_drawn_too(X, factory):
    explorer = widgets.faiss_explorer(X, factory=factory)
    assert explorer.text.startswith(factory)
    assert explorer.result.ratios is None
    assert "no cells" in explorer.text


@pytest.mark.parametrize("shape", [(60, 1), pytest.param((3000, 7), marks=pytest.mark.full)])
def test_the_strings_of_the_list_fit_any_rows(shape):
    explorer = widgets.faiss_explorer(np.random.RandomState(1).rand(*shape))
    for factory in explorer.controls["index"].trials:
        assert explorer.set(index=factory).result.read is not None, explorer.text


def test_the_prediction_is_about_the_dial(X):
    explorer = widgets.faiss_explorer(X, predict="nprobe")
    efforts = explorer.result.efforts
    assert len(efforts) > 1 and points_of_the_curve(explorer) == 1, "the answer is not shown yet"
    before = explorer.png()
    explorer.press("compare")
    assert int(explorer.prediction.truth) == min(e.dial for e in efforts if e.recall >= 0.95)
    assert points_of_the_curve(explorer) == len(efforts)
    assert explorer.png() != before and explorer.reset().png() == before


def points_of_the_curve(explorer):
    figure = Figure(figsize=(8.4, 5))
    explorer.draw(figure, explorer.result, 0, **explorer.values)
    (panel,) = [axes for axes in figure.axes if axes.get_title(loc="left") == "what it finds"]
    return len(panel.lines[0].get_xdata())


def test_without_faiss_it_says_what_to_install(X, monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(
        MissingExtraError, match=r"for faiss_explorer.*pip install \"annlab-kmeans\[lab\]"
    ):
        widgets.faiss_explorer(X)

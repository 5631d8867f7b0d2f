"""Factory strings: bytes as in faiss, and errors that name the part."""

from __future__ import annotations

import numpy as np
import pytest

from annlab.indexes import make_index
from annlab.indexes.factory_string import FactoryError, explain_factory

D = 16
GOOD = [
    *(
        "Flat",
        "SQ8",
        "SQ4",
        "SQ6",
        "SQfp16",
        "PQ4",
        "PQ4x4",
        "PQ8x5",
        "PQ4np",
        "PQ4x4fs",
        "LSH",
        "LSHrt",
    ),
    *("PCA6,Flat", "PCAR6,SQ8", "RR8,SQ6", "OPQ4,PQ4x4", "L2norm,Flat", "OPQ4_8,IVF8,PQ4x4"),
    *("IVF8,Flat", "IVF1,SQ8", "IVF8,PQ4", "IVF8_HNSW4,Flat", "HNSW8", "HNSW8,PQ4x4"),
    *("SQ8,RFlat", "IVF8,SQ4,RFlat", "IVF8,PQ4x4,Refine(SQ8)", "HNSW8,RFlat"),
]


@pytest.fixture(scope="module")
def X():
    pytest.importorskip("faiss")
    return np.random.RandomState(0).randn(900, D).astype(np.float32)


@pytest.mark.parametrize("factory", GOOD)
def test_bytes_equal_those_of_faiss(X, factory):
    import faiss

    read = explain_factory(factory, D, n_rows=600)
    index = make_index("faiss", factory=factory, random_state=0).fit(X[:600])
    before = faiss.serialize_index(index.index_).nbytes
    index.index_.add(X[600:])
    grown = (faiss.serialize_index(index.index_).nbytes - before) / 300
    # upper layers of a graph are drawn, and packed codes come in blocks of 32
    loose = 0.05 if read.link_bytes else (0.15 if "fs" in factory else 0.005)
    assert grown == pytest.approx(read.bytes_per_row, rel=loose)
    assert read.n_cells == (faiss.extract_index_ivf(index.index_).nlist if read.n_cells else 0)


@pytest.mark.parametrize("factory", GOOD)
def test_parts_are_in_order(factory):
    read = explain_factory(factory, D)
    written = [part.text for part in read.parts if not part.text.startswith("(")]
    assert ",".join(written) == factory
    order = ["transform", "coarse quantizer", "graph", "encoding", "refinement"]
    places = [order.index(part.role) for part in read.parts]
    assert places == sorted(places)
    assert sum(part.role == "encoding" for part in read.parts) == 1
    assert read.sentence.endswith(".") and repr(read).startswith(f"{factory}: ")


@pytest.mark.parametrize(
    ("factory", "wrong", "remedy"),
    [
        ("Flatt", "Flatt", "Did you mean 'Flat'"),
        ("ivf64,Flat", "ivf64", "Capitals count"),
        ("IVFx,Flat", "IVFx", "Write a number"),
        ("IVF64", "IVF64", "add ',Flat'"),
        ("PCA8", "PCA8", "add ',Flat'"),
        ("IVF8, Flat", " Flat", "Leave out the spaces"),
        ("IVF8,,Flat", "", "nothing between two commas"),
        ("", "", "nothing at all"),
        ("PQ7", "PQ7", "can be cut into 1, 2, 4, 8, 16 slices"),
        ("OPQ3,PQ4", "OPQ3", "1, 2, 4, 8, 16 slices"),
        ("PQ4x0", "PQ4x0", "PQ4x4"),
        ("PQ4x13", "PQ4x13", "8"),
        ("PQ4x8fs", "PQ4x8fs", "PQ4x4"),
        ("SQ9", "SQ9", "4, 6, 8, fp16, bf16"),
        ("PCA17,Flat", "PCA17", "16 numbers"),
        ("PCA4,PQ8", "PQ8", "1, 2, 4 slices"),
        ("IVF0,Flat", "IVF0", "IVF64"),
        ("IVF99999999,Flat", "IVF99999999", "IVF64"),
        ("HNSW1", "HNSW1", "HNSW16"),
        ("IVF8_HNSW0,Flat", "IVF8_HNSW0", "HNSW16"),
        ("NSG1", "NSG1", "For example"),
        ("Flat,IVF8", "IVF8", "cannot come after 'Flat'"),
        ("RFlat", "RFlat", "cannot come first"),
        ("IVF8,HNSW8", "HNSW8", "cannot come after 'IVF8'"),
        ("SQ8,Refine(Nothing)", "Refine(Nothing)", "RFlat"),
        ("IVF700,Flat", "IVF700", "on 600 rows|IVF24"),
        ("PQ4x10", "PQ4x10", "PQ4x4"),
    ],
)
def test_wrong_part_is_named(factory, wrong, remedy):
    with pytest.raises(FactoryError, match=remedy) as caught:
        explain_factory(factory, D, n_rows=600)
    assert caught.value.wrong == wrong
    assert str(caught.value).startswith("factory must be ")
    assert "," not in wrong
    before = ",".join(part.text for part in caught.value.parts)
    assert factory.startswith(before)


@pytest.mark.parametrize("seed", range(4))
def test_any_text_is_read_or_refused(seed):
    rng = np.random.RandomState(seed)
    pieces = ["IVF", "PQ", "HNSW", "Flat", "SQ", "8", "16", "x4", ",", "_", "fs", "PCA", "Refine("]
    pieces += [")", " ", "RFlat", "-", "OPQ", "0", "é"]
    for _ in range(500):
        text = "".join(rng.choice(pieces, rng.randint(1, 7)))
        try:
            assert explain_factory(text, D, n_rows=600).code_bytes > 0
        except FactoryError as error:
            assert len(str(error)) < 400

"""Validation: accepted values, returned types, and error messages."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from annlab._support.checks import (
    check_choice,
    check_data,
    check_integer,
    check_n_clusters,
    check_random_state,
    check_real,
    check_sample_weight,
    is_sparse,
    working_dtype,
)
from annlab._support.errors import AnnlabWarning, MissingExtraError, require

GOOD = np.arange(12.0).reshape(6, 2)


# -- types -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        ("float32", "float32"),
        (">f4", "float32"),
        ("float16", "float32"),
        ("uint8", "float32"),
        ("int16", "float32"),
        ("bool", "float32"),
        ("float64", "float64"),
        (">f8", "float64"),
        ("longdouble", "float64"),
        ("int32", "float64"),
        ("uint64", "float64"),
    ],
)
def test_working_dtype(dtype, expected):
    values = np.array([[0, 1], [1, 0]], dtype=dtype)
    assert working_dtype(values.dtype) == expected
    out = check_data(values)
    assert out.dtype == expected and out.dtype.isnative
    np.testing.assert_array_equal(out, values)


@pytest.mark.parametrize(
    "X",
    [
        GOOD.tolist(),
        tuple(map(tuple, GOOD)),
        np.asfortranarray(GOOD),
        np.repeat(GOOD, 2, axis=0)[::2],
        np.repeat(GOOD, 2, axis=1)[:, ::2],
        GOOD.astype(object),
        GOOD.astype(">f8"),
    ],
    ids=["list", "tuple", "fortran", "strided rows", "strided columns", "object", "big endian"],
)
def test_check_data_returns_c_order(X):
    out = check_data(X)
    np.testing.assert_array_equal(out, GOOD)
    assert out.flags.c_contiguous and out.dtype == np.float64


def test_check_data_keeps_memory_maps(tmp_path):
    np.save(tmp_path / "X.npy", GOOD.astype(np.float32))
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    assert isinstance(check_data(mapped), np.memmap)
    np.save(tmp_path / "Y.npy", GOOD.astype(np.int32))
    converted = check_data(np.load(tmp_path / "Y.npy", mmap_mode="r"))
    assert converted.dtype == np.float64 and not isinstance(converted, np.memmap)


def test_check_data_returns_canonical_csr():
    doubled = sparse.coo_matrix(([1.0, 2.0, 4.0], ([0, 0, 1], [1, 1, 0])), shape=(2, 2))
    for make in (sparse.coo_matrix, sparse.csc_matrix, sparse.lil_matrix, sparse.csr_array):
        out = check_data(make(doubled), accept_sparse=True)
        assert out.format == "csr" and out.has_canonical_format
        np.testing.assert_array_equal(out.toarray(), [[0.0, 3.0], [4.0, 0.0]])
    raw = sparse.csr_matrix((np.array([1.0, 2.0]), np.array([1, 1]), np.array([0, 2])), (1, 2))
    check_data(raw, accept_sparse=True)
    assert raw.nnz == 2, "the caller's matrix was changed"
    small = check_data(sparse.csr_matrix(np.eye(2, dtype=np.uint8)), accept_sparse=True)
    assert small.dtype == np.float32
    assert is_sparse(small) and not is_sparse(GOOD)


# -- refusals ----------------------------------------------------------------------------------


def _nan(value):
    X = GOOD.copy()
    X[2, 1] = value
    return X


BAD_DATA = {
    "NaN": (_nan(np.nan), ValueError, "free of NaN"),
    "inf": (_nan(np.inf), ValueError, r"finite; got .*infinity"),
    "-inf": (_nan(-np.inf), ValueError, r"finite; got .*infinity"),
    "too large": (_nan(1e200), ValueError, "at most 1e\\+150"),
    "1-D": (GOOD[0], ValueError, r"2-D array.*got 1 dimension, shape \(2,\).*Reshape your data"),
    "3-D": (GOOD[None], ValueError, r"2-D array.*got 3 dimensions"),
    "a number": (3.0, ValueError, "2-D array.*got 0 dimensions"),
    "no rows": (GOOD[:0], ValueError, r"at least 1 row; got shape \(0, 2\)"),
    "no columns": (GOOD[:, :0], ValueError, r"at least 1 column; got .*shape=\(6, 0\)"),
    "ragged": ([[1.0], [1.0, 2.0]], ValueError, "rectangular"),
    "words": ([["a", "b"]], (TypeError, ValueError), "real and numeric; got dtype <U1"),
    "objects": (np.array([[{}, 1]], dtype=object), TypeError, "numeric; got values of dtype obj"),
    "huge integers": (np.array([[10**400]], dtype=object), ValueError, "numeric; got .*too large"),
    "None": (None, TypeError, "an array of numbers; got None"),
    "complex": (GOOD + 1j, ValueError, "Complex data not supported"),
    "dates": (np.array([["2020-01-01"]], dtype="M8[D]"), ValueError, "real and numeric"),
    "masked": (np.ma.masked_less(GOOD, 3), TypeError, "free of masked values"),
    "sparse": (
        sparse.csr_matrix(GOOD),
        TypeError,
        r"dense for this function; got a sparse matrix.*brute",
    ),
}


@pytest.mark.parametrize("case", BAD_DATA)
def test_bad_data_is_named(case):
    X, error, says = BAD_DATA[case]
    with pytest.raises(error, match=says) as caught:
        check_data(X)
    assert str(caught.value).startswith("X must be ")
    with pytest.raises(error) as caught:
        check_data(X, name="queries")
    assert str(caught.value).startswith("queries must be ")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_bad_values_in_sparse_data(value):
    with pytest.raises(ValueError, match=r"^X must be"):
        check_data(sparse.csr_matrix(_nan(value)), accept_sparse=True)
    with pytest.raises(ValueError, match="real and numeric"):
        check_data(sparse.csr_matrix(GOOD + 1j), accept_sparse=True)


def test_check_data_checks_shapes():
    with pytest.raises(ValueError, match=r"an array with 3 columns; got shape \(6, 2\)"):
        check_data(GOOD, n_features=3)
    with pytest.raises(ValueError, match="at least 7 rows"):
        check_data(GOOD, min_rows=7)
    assert check_data(GOOD, n_features=2, min_rows=6).shape == (6, 2)


@pytest.mark.parametrize(
    ("value", "error"),
    [(0, ValueError), (-1, ValueError), (4, ValueError), (2.0, TypeError), ("2", TypeError),
     (True, TypeError), (None, TypeError), (np.bool_(True), TypeError), ([2], TypeError)],
)  # fmt: skip
def test_bad_integers(value, error):
    with pytest.raises(error, match=r"^m must be an integer >= 1 and <= 3; got "):
        check_integer(value, "m", minimum=1, maximum=3)


@pytest.mark.parametrize("value", [1, 3, np.int8(2), np.uint64(3)])
def test_good_integers(value):
    out = check_integer(value, "m", minimum=1, maximum=3)
    assert out == value and type(out) is int


@pytest.mark.parametrize(
    ("value", "error"),
    [(-0.1, ValueError), (1.1, ValueError), (np.nan, ValueError), (np.inf, ValueError),
     ("1", TypeError), (None, TypeError), (False, TypeError), (1j, TypeError)],
)  # fmt: skip
def test_bad_reals(value, error):
    with pytest.raises(error, match=r"^tol must be a finite number >= 0 and <= 1; got "):
        check_real(value, "tol", maximum=1.0)


def test_choices():
    assert check_choice("a", "way", ("a", "b")) == "a"
    for bad in ("c", 1, None, ["a"]):
        with pytest.raises(ValueError, match=r"^way must be one of 'a', 'b'; got "):
            check_choice(bad, "way", ("a", "b"))


def test_number_of_clusters():
    assert check_n_clusters(6, 6) == 6
    with pytest.raises(ValueError, match=r"at most the number of samples \(n_samples=6\); got n_c"):
        check_n_clusters(7, 6)
    with pytest.raises(ValueError, match=r"^n_clusters must be an integer >= 1; got 0"):
        check_n_clusters(0, 6)


def test_weights():
    assert check_sample_weight(None, 3) is None
    np.testing.assert_array_equal(check_sample_weight(2, 3), [2.0, 2.0, 2.0])
    np.testing.assert_array_equal(check_sample_weight([1, 0, 3], 3), [1.0, 0.0, 3.0])
    assert check_sample_weight(np.array([1, 0, 3], dtype=np.float32), 3).dtype == np.float64


@pytest.mark.parametrize(
    ("weights", "says"),
    [
        ([1.0, -1.0, 1.0], "non-negative; got a minimum of -1"),
        ([0.0, 0.0, 0.0], "positive for at least one row"),
        ([1.0, np.nan, 1.0], "free of NaN"),
        ([1.0, np.inf, 1.0], "finite"),
        ([1.0, 1.0], r"shape \(3,\); got shape \(2,\)"),
        ([[1.0], [1.0], [1.0]], r"shape \(3,\); got shape \(3, 1\)"),
        ("heavy", "real and numeric"),
        (0, "positive"),
    ],
)
def test_bad_weights(weights, says):
    with pytest.raises((ValueError, TypeError), match=f"^sample_weight must be .*{says}"):
        check_sample_weight(weights, 3)


# -- random states -----------------------------------------------------------------------------


def test_random_states():
    given = np.random.RandomState(3)
    assert check_random_state(given) is given
    seeds = [3, np.int64(3), np.uint8(3), np.random.RandomState(3)]
    draws = [check_random_state(seed).rand() for seed in seeds]
    assert len(set(draws)) == 1
    generator = np.random.default_rng(0)
    first, second = check_random_state(generator).rand(), check_random_state(generator).rand()
    again = np.random.default_rng(0)
    assert first != second
    assert [check_random_state(again).rand() for _ in range(2)] == [first, second]


def test_missing_seed_ignores_the_global_state():
    before = np.random.get_state()  # noqa: NPY002
    assert check_random_state(None).rand() != check_random_state(None).rand()
    after = np.random.get_state()  # noqa: NPY002
    assert before[2:] == after[2:]
    np.testing.assert_array_equal(before[1], after[1])
    np.random.seed(0)  # noqa: NPY002
    one = check_random_state(None).rand()
    np.random.seed(0)  # noqa: NPY002
    assert check_random_state(None).rand() != one


@pytest.mark.parametrize("bad", [-1, 2**32, 1.0, "0", True, [0], np.random])
def test_bad_random_states(bad):
    with pytest.raises(ValueError, match=r"^random_state must be None, an integer from 0"):
        check_random_state(bad)


# -- messages ----------------------------------------------------------------------------------


def test_require_names_purpose_and_extra():
    assert require("json", purpose="to test", extra="lab").__name__ == "json"
    with pytest.raises(MissingExtraError) as caught:
        require("no_such_module", purpose="to draw", extra="lab")
    assert 'pip install "annlab-kmeans[lab]"' in str(caught.value)
    assert "is needed to draw" in str(caught.value)
    assert issubclass(MissingExtraError, ImportError)
    assert issubclass(AnnlabWarning, UserWarning)


ROWS = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])


def _containers():
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")
    from scipy import sparse

    frame = pd.DataFrame(ROWS, columns=["a", "b"])
    return {
        "masked array with nothing masked": np.ma.masked_array(ROWS),
        "nullable columns": frame.astype("Float64"),
        "nullable integers": frame.astype(int).astype("Int64"),
        "column of vectors": pd.DataFrame({"v": list(ROWS)}),
        "series of vectors": pd.Series(list(ROWS)),
        "polars lists": pl.DataFrame({"v": ROWS.tolist()}),
        "lazy frame": pl.DataFrame(ROWS).lazy(),
        "sparse frame": pd.DataFrame.sparse.from_spmatrix(sparse.csr_matrix(ROWS)),
    }


def test_check_data_reads_containers():
    for name, X in _containers().items():
        np.testing.assert_array_equal(check_data(X), ROWS, err_msg=name)


def test_check_data_refuses_missing_values():
    pd = pytest.importorskip("pandas")
    from scipy import sparse

    gaps = pd.DataFrame(ROWS).astype("Float64")
    gaps.iloc[1, 1] = pd.NA
    for X, words in (
        (gaps, "free of missing values"),
        (np.ma.masked_greater(ROWS, 4), "2 of them"),
        (pd.Series([[1, 2], [1, 2, 3]]), "equal length; got lengths from 2 to 3"),
        (sparse.coo_array(np.array([1.0, 0.0])), "2-D array"),
    ):
        with pytest.raises((TypeError, ValueError), match=words):
            check_data(X, accept_sparse=True)

"""Checks of arguments: accept and convert, or raise an error."""

from __future__ import annotations

import numbers
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np

from annlab._support.errors import invalid
from annlab._support.reading import READ_FAULTS

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

#: Types whose values float32 represents exactly.
_FITS_FLOAT32 = ("float32", "float16", "bool", "int8", "uint8", "int16", "uint16")
#: Squares of larger float64 values would overflow.
LARGEST = 1e150


def is_sparse(X: Any) -> TypeGuard[csr_matrix]:
    """Tell whether ``X`` is a SciPy sparse matrix, without importing SciPy."""
    return hasattr(X, "tocsr") and hasattr(X, "nnz")


def is_dask(X: Any) -> bool:
    """Tell whether ``X`` is a Dask collection, without importing Dask."""
    home = type(X).__module__.partition(".")[0]
    return home in ("dask", "dask_expr") and hasattr(X, "__dask_graph__")


def is_npy_path(X: Any) -> bool:
    """Tell whether ``X`` names an ``.npy`` file."""
    return isinstance(X, (str, os.PathLike)) and str(os.fspath(X)).endswith(".npy")


def map_npy(path: Any, name: str = "X") -> np.ndarray:
    """Memory-map an ``.npy`` file; raise ValueError if it cannot be read."""
    try:
        mapped: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    except READ_FAULTS as reason:
        remedy = "Check the path, or save the rows again: numpy.save('rows.npy', X)."
        if "Python objects" in str(reason):
            remedy = "Save it as numbers: numpy.save('rows.npy', X.astype(float))."
        raise invalid(
            name,
            "the path of an .npy file that can be read",
            f"{Path(path).name} ({reason})",
            remedy,
        ) from reason
    return mapped


def check_path(value: Any, name: str = "path") -> Path:
    """Accept a string or path-like object; return a Path."""
    if not isinstance(value, (str, os.PathLike)) or not isinstance(os.fspath(value), str):
        raise invalid(name, "a path", f"{value!r} of type {type(value).__name__}", error=TypeError)
    if not os.fspath(value) or "\0" in os.fspath(value):
        raise invalid(name, "non-empty and free of NUL characters", repr(os.fspath(value)))
    return Path(value)


def check_items(value: Any, name: str, rule: str) -> list[Any]:
    """Accept any iterable but text; return a list."""
    if not isinstance(value, (str, bytes)):
        try:
            return list(value)
        except TypeError:
            pass
    raise invalid(name, rule, f"{value!r} of type {type(value).__name__}", error=TypeError)


def as_array(value: Any, name: str) -> np.ndarray:
    """Convert anything to an array of any type; raise TypeError if impossible."""
    try:
        return np.asarray(value)
    except (ValueError, TypeError, OverflowError) as reason:
        raise invalid(
            name,
            "a rectangular array",
            f"{type(value).__name__} ({reason})",
            "Give every row the same number of values.",
            error=TypeError,
        ) from reason


def _as_dense(X: Any, name: str) -> Any:
    """Collect lazy frames; return the data of masked arrays without masks."""
    if hasattr(X, "collect") and hasattr(X, "lazy"):
        return X.collect()
    if np.ma.isMaskedArray(X):
        if np.ma.is_masked(X):
            raise invalid(
                name,
                "free of masked values",
                f"a masked array with {int(np.ma.count_masked(X))} of them",
                "Fill it first: X.filled(...).",
                error=TypeError,
            )
        return X.data
    return X


def _from_objects(array: np.ndarray, name: str) -> np.ndarray:
    """Convert an object array: mixed or nullable numbers, or vectors in cells."""
    cells = array.ravel()
    if array.size == len(array) and len(cells) and hasattr(cells[0], "__len__"):
        # a column of vectors, such as embeddings
        if not isinstance(cells[0], (str, bytes)):
            lengths = sorted({np.size(cell) for cell in cells})
            if len(lengths) > 1:
                raise invalid(
                    name,
                    "made of vectors of equal length",
                    f"lengths from {lengths[0]} to {lengths[-1]}",
                    "Give every row the same number of values.",
                )
            array = np.stack([np.asarray(cell) for cell in cells])
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError, OverflowError) as reason:
        missing = "NAType" in str(reason) or "NoneType" in str(reason)
        raise invalid(
            name,
            "free of missing values" if missing else "numeric",
            "at least one" if missing else f"values of dtype object ({reason})",
            "Drop or impute the rows with missing values (sklearn.impute does)."
            if missing
            else "Encode or drop the columns that are not numbers.",
            error=TypeError if isinstance(reason, TypeError) and not missing else ValueError,
        ) from reason


def _numeric(X: Any, name: str) -> np.ndarray:
    X = _as_dense(X, name)
    try:
        # a memory-mapped file stays one
        array = X if isinstance(X, np.memmap) else np.asarray(X)
    except (ValueError, TypeError) as reason:
        raise invalid(
            name,
            "a rectangular array of numbers",
            f"{type(X).__name__} ({reason})",
            "Give every row the same number of values.",
        ) from reason
    if array.dtype.kind == "O":
        array = _from_objects(array, name)
    if array.dtype.kind not in "fiub":
        raise invalid(
            name,
            "real and numeric",
            f"dtype {array.dtype}",
            "Complex data not supported: split real and imaginary parts into columns."
            if array.dtype.kind == "c"
            else "Convert it to float32 or float64.",
        )
    return array


def working_dtype(dtype: np.dtype) -> np.dtype:
    """Return float32 if it represents every value of ``dtype``, else float64."""
    # by name, because the byte order does not matter
    if dtype.name in _FITS_FLOAT32:
        return np.dtype(np.float32)
    return np.dtype(np.float64)


def _check_finite(values: np.ndarray, name: str) -> None:
    if values.size == 0:
        return
    low, high = float(values.min()), float(values.max())
    if np.isnan(low) or np.isnan(high):
        raise invalid(
            name,
            "free of NaN",
            "at least one NaN",
            "Drop or impute the rows that contain NaN (sklearn.impute does).",
        )
    if np.isinf(low) or np.isinf(high):
        raise invalid(
            name,
            "finite",
            "at least one infinity (inf)",
            "Drop or clip the rows that contain infinity.",
        )
    if max(-low, high) > LARGEST:
        raise invalid(
            name,
            f"at most {LARGEST:g} in magnitude, or squared distances would overflow",
            max(-low, high),
            "Divide the data by a constant.",
        )
    if values.dtype == np.float64 and 0 < max(-low, high) < 1 / LARGEST:
        raise invalid(
            name,
            f"at least {1 / LARGEST:g} in magnitude, or squared distances would be 0",
            max(-low, high),
            "Multiply the data by a constant.",
        )


def check_data(
    X: Any,
    *,
    name: str = "X",
    accept_sparse: bool = False,
    n_features: int | None = None,
    min_rows: int = 1,
) -> Any:
    """Accept a data matrix.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n, d)
        NumPy, nested lists, pandas, polars, the path of an ``.npy`` file, or SciPy sparse.
    name : str, default="X"
        Name of the parameter in errors.
    accept_sparse : bool, default=False
        Return sparse input as CSR instead of raising.
    n_features : int, optional
        Required number of columns.
    min_rows : int, default=1
        Required number of rows.

    Returns
    -------
    ndarray of shape (n, d), C order, float32 or float64; or CSR of the same types
        The caller's own array if it already fits, else a copy.

    Raises
    ------
    TypeError, ValueError
        If X is invalid.
    """
    if is_sparse(X):
        if not accept_sparse:
            raise invalid(
                name,
                "dense for this function",
                f"a sparse matrix of shape {X.shape}",
                "Use algorithm='brute' or 'lsh', which take sparse input, "
                "or reduce it first with sklearn.decomposition.TruncatedSVD.",
                error=TypeError,
            )
        if X.dtype.kind not in "fiub":
            raise invalid(name, "real and numeric", f"dtype {X.dtype}", "Convert it to float64.")
        if X.ndim != 2:
            raise invalid(
                name,
                "a 2-D array of shape (n, d)",
                f"a sparse array of shape {X.shape}",
                "Reshape your data: X.reshape(1, -1) for one sample.",
            )
        matrix = X.tocsr().astype(working_dtype(X.dtype), copy=False)
        if not matrix.has_canonical_format:
            matrix = matrix.copy()
            matrix.sum_duplicates()
        _check_finite(matrix.data, name)
        array: Any = matrix
    else:
        if is_dask(X):
            raise invalid(
                name,
                "in memory for this function",
                f"a Dask {type(X).__name__}",
                "Call its compute() if it fits, or pass it to kmeans_ann or KMeansANN.fit, "
                "which do not load it.",
                error=TypeError,
            )
        if is_npy_path(X):
            X = map_npy(X, name)
        if X is None or isinstance(X, (str, bytes, dict)):
            raise invalid(
                name,
                "an array of numbers",
                f"{X!r} of type {type(X).__name__}",
                "Load the data first: numpy.load, pandas.read_csv or annlab.datasets do.",
                error=TypeError,
            )
        array = _numeric(X, name)
        if array.ndim != 2:
            raise invalid(
                name,
                "a 2-D array of shape (n, d)",
                f"{array.ndim} dimension{'s' * (array.ndim != 1)}, shape {array.shape}",
                # scikit-learn's checks expect these words
                "Reshape your data: X.reshape(-1, 1) for one feature, "
                "X.reshape(1, -1) for one sample."
                if array.ndim
                else "The data comes first, then the number of clusters.",
            )
        if not (isinstance(array, np.memmap) and array.dtype == working_dtype(array.dtype)):
            array = np.asarray(array, dtype=working_dtype(array.dtype), order="C")
        _check_finite(array, name)
    if array.shape[0] < min_rows:
        raise invalid(
            name,
            f"an array with at least {min_rows} row{'s' * (min_rows != 1)}",
            f"shape {array.shape} (0 sample(s))" if array.shape[0] == 0 else f"shape {array.shape}",
            "Pass more data.",
        )
    if array.shape[1] < 1:
        raise invalid(
            name,
            "an array with at least 1 column",
            f"0 feature(s) (shape={array.shape}) while a minimum of 1 is required",
            "Pass at least one feature.",
        )
    if n_features is not None and array.shape[1] != n_features:
        raise invalid(
            name,
            f"an array with {n_features} columns",
            f"shape {array.shape}",
            "Use the features that the centroids or the index were fitted on.",
        )
    return array


def check_integer(value: Any, name: str, *, minimum: int = 1, maximum: int | None = None) -> int:
    """Accept an integer within bounds, but no boolean."""
    rule = f"an integer >= {minimum}" + (f" and <= {maximum}" if maximum is not None else "")
    if not isinstance(value, numbers.Integral) or isinstance(value, (bool, np.bool_)):
        raise invalid(name, rule, f"{value!r} of type {type(value).__name__}", error=TypeError)
    number = int(value)
    if number < minimum or (maximum is not None and number > maximum):
        raise invalid(name, rule, number)
    return number


def check_real(
    value: Any,
    name: str,
    *,
    minimum: float = 0.0,
    maximum: float = np.inf,
    strict: bool = False,
) -> float:
    """Accept a real number, ``minimum <= value <= maximum`` (``<`` if strict)."""
    sign = ">" if strict else ">="
    rule = f"a finite number {sign} {minimum:g}"
    if np.isfinite(maximum):
        rule += f" and {'<' if strict else '<='} {maximum:g}"
    if not isinstance(value, numbers.Real) or isinstance(value, (bool, np.bool_)):
        raise invalid(name, rule, f"{value!r} of type {type(value).__name__}", error=TypeError)
    number = float(value)
    inside = (minimum < number < maximum) if strict else (minimum <= number <= maximum)
    if not inside or not np.isfinite(number):
        raise invalid(name, rule, value)
    return number


def check_choice(value: Any, name: str, choices: Any) -> str:
    """Accept one of the named choices."""
    names = list(choices)
    if not isinstance(value, str) or value not in names:
        rule = "one of " + ", ".join(repr(n) for n in names)
        raise invalid(name, rule, repr(value), did_you_mean(value, names))
    return value


def did_you_mean(value: Any, names: list[str]) -> str:
    """Suggest the name nearest to a misspelt one; empty if none is near."""
    from difflib import get_close_matches

    near = get_close_matches(value, names, n=1) if isinstance(value, str) else []
    return f"Did you mean {near[0]!r}?" if near else ""


def check_n_clusters(n_clusters: Any, n_samples: int, name: str = "n_clusters") -> int:
    """Accept a number of clusters between 1 and the number of samples."""
    k = check_integer(n_clusters, name)
    if k > n_samples:
        raise invalid(
            name,
            f"at most the number of samples (n_samples={n_samples})",
            f"{name}={k}",
            "Ask for fewer clusters or pass more data.",
        )
    return k


def check_sample_weight(sample_weight: Any, n_samples: int) -> np.ndarray | None:
    """Accept None, a number, or a weight per sample; return (n,) float64 or None."""
    if sample_weight is None:
        return None
    weights = np.asarray(_numeric(sample_weight, "sample_weight"), dtype=np.float64)
    if weights.ndim == 0:
        weights = np.full(n_samples, float(weights))
    if weights.shape != (n_samples,):
        raise invalid(
            "sample_weight",
            f"None, one number, or an array of shape ({n_samples},)",
            f"shape {weights.shape}",
            "Pass one weight for each row of X.",
        )
    _check_finite(weights, "sample_weight")
    if weights.min(initial=0.0) < 0:
        raise invalid(
            "sample_weight",
            "non-negative",
            f"a minimum of {weights.min():g}",
            "Use 0 to leave a row out.",
        )
    if weights.sum() <= 0:
        raise invalid(
            "sample_weight",
            "positive for at least one row",
            "weights that are all zero",
            "Give at least one row a positive weight.",
        )
    return weights


def check_random_state(random_state: Any) -> np.random.RandomState:
    """Accept None, an int, a RandomState or a Generator; return a RandomState."""
    if random_state is None:
        # seeded by the system: annlab has no global random state
        return np.random.RandomState()
    if isinstance(random_state, np.random.RandomState):
        return random_state
    if isinstance(random_state, np.random.Generator):
        return np.random.RandomState(int(random_state.integers(2**32)))
    if isinstance(random_state, numbers.Integral) and not isinstance(random_state, bool):
        if 0 <= int(random_state) < 2**32:
            return np.random.RandomState(int(random_state))
    raise invalid(
        "random_state",
        "None, an integer from 0 to 2**32 - 1, a numpy RandomState or a Generator",
        repr(random_state),
        "Use random_state=0 for a run that can be repeated.",
    )

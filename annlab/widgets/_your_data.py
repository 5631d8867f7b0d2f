"""``your_data``: read a file of your own as points."""

from __future__ import annotations

import os
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from annlab._support.checks import check_data, check_integer, is_sparse
from annlab._support.errors import AnnlabWarning, invalid
from annlab.datasets.tables import (
    ARRAYS,
    PARQUET,
    TEXT,
    ending_of,
    looks_numeric,
    read_table,
)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

_TEXTS = (".txt", ".md", ".rst", ".text")
_IMAGES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm")
#: Dimensions to which documents are reduced.
_TOPICS = 50


def your_data(
    path: str | os.PathLike[str] | None = None,
    *,
    default: ArrayLike | None = None,
    points: bool = False,
    max_rows: int = 20_000,
    columns: str | None = None,
    header: str = "auto",
    delimiter: str = "auto",
    decimal: str = "auto",
    thousands: str = "none",
    skip_bad_rows: bool = False,
) -> np.ndarray:
    """Read your own table, image or text; without a path, return the default.

    Parameters
    ----------
    path : path-like, optional
        A table (``.csv``, ``.tsv``, ``.parquet``: columns of numbers are kept and scaled to mean
        0 and standard deviation 1), an array (``.npy``, ``.npz``), an image (``.png``, ``.jpg``,
        …), or a text (``.txt``, ``.md``: each paragraph is a document, or each line if there are
        no paragraphs; a table if the lines are numbers).
    default : array-like, optional
        Used if ``path`` is empty.
    points : bool, default=False
        Return the pixels of an image as rows of red, green and blue from 0 to 1.
    max_rows : int, default=20,000
        Evenly spaced rows of larger data are kept.
    columns : str, optional
        Columns of a table to use, as in `annlab.datasets.tables.read_table`.
    header, delimiter, decimal, thousands : str
        How a text table is laid out, as there.
    skip_bad_rows : bool, default=False
        Skip rows of a table that do not fit.

    Returns
    -------
    ndarray
        (n, d) float64, or (h, w, 3) uint8 for an image. Documents are TF-IDF weights reduced to
        at most 50 dimensions, of length 1.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the kind of the file is unknown, or it holds no numbers, documents or picture.

    Examples
    --------
    >>> import numpy as np
    >>> from annlab import widgets
    >>> widgets.your_data("", default=np.eye(2)).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    check_integer(max_rows, "max_rows", minimum=2)
    if path is None or not os.fspath(path):
        if default is None:
            raise invalid("path", "given, as there is no default", repr(path))
        values = np.asarray(default)
    else:
        layout = {
            "columns": columns,
            "header": header,
            "delimiter": delimiter,
            "decimal": decimal,
            "thousands": thousands,
            "skip_bad_rows": skip_bad_rows,
        }
        values = _read(Path(path).expanduser(), layout)
    if values.ndim == 3:
        if not points:
            return values
        whole = values.dtype.kind in "iu"
        values = values.reshape(-1, values.shape[2]) / (255.0 if whole else 1.0)
    values = check_data(values, name="default" if path in (None, "") else "path")
    step = -(-len(values) // max_rows)
    return np.ascontiguousarray(values[::step])


def _read(path: Path, layout: dict[str, Any]) -> np.ndarray:
    if not path.is_file():
        raise invalid(
            "path",
            "the path of an existing file",
            repr(os.fspath(path)),
            "Put it beside the notebook and write its name between the quotes.",
            error=FileNotFoundError,
        )
    ending = ending_of(path.name)
    if ending in _IMAGES:
        from annlab.applications import load_image

        return load_image(path)
    if ending in _TEXTS:
        lines = _lines(path)
        if ending not in TEXT or not _holds_numbers(lines):
            return _documents(lines, path.name)
    if ending in (*TEXT, *PARQUET, *ARRAYS):
        return _table(path, layout)
    known = ", ".join((*TEXT, *PARQUET, *ARRAYS, *_IMAGES, *_TEXTS))
    raise invalid("path", f"a file whose name ends with one of {known}", repr(path.name))


def _lines(path: Path) -> list[str]:
    data = path.read_bytes()
    for encoding in ("utf-8-sig", "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "cp1252"):
        try:
            return data.decode(encoding).splitlines()
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1").splitlines()


def _holds_numbers(lines: list[str]) -> bool:
    """Tell whether a text is a table: most lines contain only numbers."""
    held = [line for line in lines[:200] if line.strip() and not line.startswith("#")]
    cells = [re.split(r"[\s,;|]+", line.strip(" \t,;|")) for line in held]
    return sum(all(map(looks_numeric, row)) for row in cells) * 2 > len(held)


def _table(path: Path, layout: dict[str, Any]) -> np.ndarray:
    """Return the scaled columns of numbers; warn about what is left out."""
    table = read_table(path, skip_gaps=True, skip_text=True, **layout)
    if table.source is None:
        return np.asarray(table.X.todense() if is_sparse(table.X) else table.X)
    X = table.X.astype(np.float64)
    if len(X) < 2:
        raise invalid("path", "a table with at least two rows of numbers", repr(path.name))
    left_out = [note for note in table.notes if "left out" in note]
    if left_out:
        warnings.warn(f"{path.name}: {'; '.join(left_out)}.", AnnlabWarning, stacklevel=5)
    spread = X.std(axis=0)
    return (X - X.mean(axis=0)) / np.where(spread > 0, spread, 1.0)


def _documents(lines: list[str], name: str) -> np.ndarray:
    paragraphs = [" ".join(part.split()) for part in "\n".join(lines).split("\n\n")]
    paragraphs = [part for part in paragraphs if part]
    documents = paragraphs if len(paragraphs) > 2 else [line for line in lines if line.strip()]
    if len(documents) < 3:
        raise invalid("path", "a text of at least three paragraphs or lines", repr(name))
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.preprocessing import normalize

    try:
        weights = TfidfVectorizer(stop_words="english", sublinear_tf=True).fit_transform(documents)
    except ValueError as reason:
        raise invalid("path", "a text with words", repr(name)) from reason
    size = min(_TOPICS, min(weights.shape) - 1)
    if size < 1:
        return weights.toarray()
    # equal documents have no variance, by which scikit-learn divides
    with np.errstate(invalid="ignore", divide="ignore"):
        return normalize(TruncatedSVD(size, random_state=0).fit_transform(weights))

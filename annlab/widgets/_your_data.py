"""A file of the reader's own, as points: the last cell of every notebook."""

from __future__ import annotations

import csv
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from annlab._support.checks import check_data, check_integer
from annlab._support.errors import AnnlabWarning, invalid

_TABLES = (".csv", ".tsv", ".tab")
_TEXTS = (".txt", ".md", ".rst", ".text")
_IMAGES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm")
#: Dimensions to which documents are reduced.
_TOPICS = 50


def your_data(
    path: str | os.PathLike[str] | None = None,
    *,
    default: Any = None,
    points: bool = False,
    max_rows: int = 20_000,
) -> np.ndarray:
    """Read a table, an image or a text of the reader's own; without a path, give the default.

    Parameters
    ----------
    path : path-like, optional
        A table (``.csv``, ``.tsv``: columns that are numbers are kept and scaled to mean 0 and
        deviation 1), an array (``.npy``), an image (``.png``, ``.jpg``, …), or a text (``.txt``,
        ``.md``: one document a paragraph, or a line where there are no paragraphs).
    default : array-like, optional
        What an empty path stands for.
    points : bool, default=False
        Give an image as points, too: a row of red, green and blue from 0 to 1 for each pixel.
    max_rows : int, default=20,000
        Of a larger table, text or set of pixels, evenly spaced rows are kept.

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
        If the kind of the file is not known, or there are no numbers, no documents or no picture
        in it.

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
            raise invalid("path", "given where there is no default", repr(path))
        values = np.asarray(default)
    else:
        values = _read(Path(path).expanduser())
    if values.ndim == 3:
        if not points:
            return values
        whole = values.dtype.kind in "iu"
        values = values.reshape(-1, values.shape[2]) / (255.0 if whole else 1.0)
    values = check_data(values, name="default" if path in (None, "") else "path")
    step = -(-len(values) // max_rows)
    return np.ascontiguousarray(values[::step])


def _read(path: Path) -> np.ndarray:
    if not path.is_file():
        raise invalid(
            "path",
            "the path of an existing file",
            repr(os.fspath(path)),
            "Put it beside the notebook and write its name between the quotes.",
            error=FileNotFoundError,
        )
    ending = path.suffix.lower()
    if ending in _IMAGES:
        from annlab.applications import load_image

        return load_image(path)
    if ending == ".npy":
        try:
            return np.atleast_2d(np.load(path, allow_pickle=False))
        except (ValueError, EOFError) as reason:
            raise invalid("path", "an array that numpy.save wrote", path.name) from reason
    if ending in _TABLES:
        return _table(_lines(path), path.name)
    if ending in _TEXTS:
        return _documents(_lines(path), path.name)
    known = ", ".join((*_TABLES, ".npy", *_IMAGES, *_TEXTS))
    raise invalid("path", f"a file whose name ends with one of {known}", repr(path.name))


def _lines(path: Path) -> list[str]:
    data = path.read_bytes()
    for encoding in ("utf-8-sig", "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "cp1252"):
        try:
            return data.decode(encoding).splitlines()
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1").splitlines()


def _number(text: str) -> float:
    text = text.strip()
    try:
        return float(text)
    except ValueError:
        pass
    # spreadsheets of many countries write 3,14
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return float("nan")


def _table(lines: list[str], name: str) -> np.ndarray:
    lines = [line for line in lines if line.strip()]
    head = lines[0] if lines else ""
    delimiter = max(",;\t", key=head.count)
    rows = list(csv.reader(lines, delimiter=delimiter))
    width = max((len(row) for row in rows), default=0)
    cells = [[_number(cell) for cell in row] + [np.nan] * (width - len(row)) for row in rows]
    table = np.array(cells, dtype=np.float64).reshape(len(rows), width)
    if len(table) and not np.isfinite(table[0]).any():
        # the first row holds the names of the columns
        table = table[1:]
    table[~np.isfinite(table)] = np.nan
    # a column is one of numbers if most of it is; its gaps cost rows, other columns are left out
    kept = np.isfinite(table).mean(axis=0) > 0.5 if len(table) else np.zeros(width, dtype=bool)
    table = table[:, kept]
    whole = np.asarray(np.isfinite(table).all(axis=1))
    if not kept.any() or whole.sum() < 2:
        raise invalid(
            "path",
            "a table with at least two rows of numbers",
            repr(name),
            "Give each point a row and each feature a column.",
        )
    if not whole.all():
        warnings.warn(
            f"{int((~whole).sum())} of {len(whole)} rows of {name} have gaps and are left out. "
            "Fill them in the file to keep them.",
            AnnlabWarning,
            stacklevel=4,
        )
    table = table[whole]
    spread = table.std(axis=0)
    return (table - table.mean(axis=0)) / np.where(spread > 0, spread, 1.0)


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
    # documents that are all alike have no variance to explain, which is no harm here
    with np.errstate(invalid="ignore", divide="ignore"):
        return normalize(TruncatedSVD(size, random_state=0).fit_transform(weights))

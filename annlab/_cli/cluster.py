"""``annlab cluster``: a file of rows in, labels, centroids and a report out.

Nothing is computed here: `read_rows` opens the file, `kmeans_ann` clusters, `write_outputs` writes.
Whatever the size of the file says is checked before a row of it is read.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import json
import math
import os
import shlex
import shutil
import sys
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from annlab._support.errors import AnnlabWarning, MissingExtraError, invalid
from annlab._support.memory import available_memory, readable_size
from annlab._version import __version__

if TYPE_CHECKING:
    import numpy as np

    from annlab.result import KMeansResult

#: What the command writes, in this order: a report that is there says that the rest is.
OUTPUTS = ("labels.npy", "centroids.npy", "labels.csv", "centroids.csv", "report.md", "report.json")
_TABLES = ("labels.csv", "centroids.csv")
_TEXT = (".csv", ".tsv", ".txt")
_SPREADSHEETS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods", ".numbers")
#: What tables hold where a value is missing, in lower case; NaN is read as a number.
_MISSING = ("", "na", "n/a", "#n/a", "null", "none", "missing", "-", "?", ".")
_FILL_IN = "Fill in or remove the rows that lack a value."
#: What there is to do about other values that no distance can be computed from.
_INFINITE = "Remove or correct the rows that hold infinity."
_TOO_LARGE = "Divide the column by a constant."
_DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|", "space": " "}
#: Lines of a text file from which its shape is guessed.
_GUESS_LINES = 50
#: Values of an array that are searched at a time for one that cannot be used.
_SEARCHED = 1 << 22


# ------------------------------------------------------------------------------------------ reading


@dataclass(frozen=True)
class Rows:
    """A file that was looked at and not yet read.

    Attributes
    ----------
    n, d : int
        Rows and chosen columns.
    names : tuple of str, or None
        Names of the columns, of a table that has them.
    table : bool
        Whether the file is a table of text or of named columns, for people as well as programs.
    load : function
        Returns the rows as an array of shape (n, d); of an ``.npy`` file memory-mapped.
    load_bytes : int
        Memory that `load` takes; 0 where the file is memory-mapped.
    places : tuple of int, or None
        Positions of the chosen columns in the file; None for all.
    """

    n: int
    d: int
    names: tuple[str, ...] | None
    table: bool
    load: Callable[[], np.ndarray]
    load_bytes: int = 0
    places: tuple[int, ...] | None = None


def read_rows(
    path: Path,
    *,
    columns: str | None = None,
    key: str | None = None,
    header: str = "auto",
    delimiter: str = "auto",
) -> Rows:
    """Look at a file: how large it is, what its columns are called, and how to read it.

    Parameters
    ----------
    path : Path
        ``.npy``, ``.npz``, ``.csv`` (also ``.tsv``, ``.txt``) or ``.parquet``.
    columns : str, optional
        Columns to use, by name or by number from 1: ``"height,width"``, ``"1-3,7"``.
    key : str, optional
        Array of an ``.npz`` file; may be left out if there is one.
    header : {"auto", "yes", "no"}, default="auto"
        Whether the first line of a text file holds names. ``"auto"``: it does if one of its
        values is no number.
    delimiter : {"auto", "comma", "semicolon", "tab", "pipe", "space"}, default="auto"

    Returns
    -------
    Rows

    Raises
    ------
    ValueError
        If the file is no such file, or has no such array or column.
    MissingExtraError
        For ``.parquet`` where pyarrow is not installed.
    OSError
        If the file cannot be opened.
    """
    if not path.exists():
        raise _no_such(path)
    if not path.is_file():
        where = path.absolute()
        raise invalid(_called(where), "a file", f"the folder {where}", "Name the file in it.")
    try:
        path.open("rb").close()
    except OSError as reason:
        raise invalid(
            _called(path), "a file that can be read", reason.strerror or reason, "Check its rights."
        ) from reason
    kind = path.suffix.lower()
    _check_meant(kind, key, header, delimiter)
    if kind == ".npy":
        rows = _from_npy(path)
    elif kind == ".npz":
        rows = _from_npz(path, key)
    elif kind in _TEXT:
        return _from_text(path, columns, header, delimiter)
    elif kind == ".parquet":
        return _from_parquet(path, columns)
    else:
        raise invalid(
            _called(path),
            "an .npy, .npz, .csv, .tsv, .txt or .parquet file",
            f"the ending {path.suffix!r}" if kind else "a name without an ending",
            "Save the sheet as CSV in the program that opens it, and name that file."
            if kind in _SPREADSHEETS
            else "Save the rows as CSV, or from Python as .npy: numpy.save('rows.npy', X).",
        )
    return rows if columns is None else _only(rows, _choose(columns, None, rows.d))


def _no_such(path: Path) -> Exception:
    """The refusal of a path where nothing is, with the file that may be meant."""
    from difflib import get_close_matches

    folder = path.absolute().parent
    if not folder.is_dir():
        return invalid(
            _called(path), "a file that exists", f"no folder {folder}", "Check its name and folder."
        )
    # by the name without its ending, which all have in common
    files: dict[str, str] = {}
    with contextlib.suppress(OSError):
        readable = (*_TEXT, ".npy", ".npz", ".parquet")
        files = {one.stem: one.name for one in sorted(folder.iterdir()) if one.suffix in readable}
    near = get_close_matches(path.stem, files, n=1)
    remedy = f"Did you mean {files[near[0]]!r}?" if near else "Check its name and folder."
    return invalid(_called(path), "a file that exists", f"nothing in {folder}", remedy)


def _check_meant(kind: str, key: str | None, header: str, delimiter: str) -> None:
    """Refuse what has no effect on a file of this kind: it would be believed to have one."""
    if key is not None and kind != ".npz":
        raise invalid(
            "--key", "given with an .npz file only", f"{key!r}", "--columns chooses columns."
        )
    for name, value in (("--header", header), ("--delimiter", delimiter)):
        if value != "auto" and kind not in _TEXT:
            raise invalid(
                name, "given with a .csv, .tsv or .txt file only", f"{value!r}", "Leave it out."
            )


def _called(path: Path) -> str:
    """What a refusal calls the file: its name, as the caller sees it in the folder."""
    return path.name or str(path)


def _only(rows: Rows, chosen: list[int]) -> Rows:
    """The same rows with some of their columns, which are copied into memory."""
    size = rows.load_bytes + 8 * rows.n * len(chosen)
    return Rows(
        rows.n,
        len(chosen),
        None,
        rows.table,
        lambda: rows.load()[:, chosen],
        size,
        tuple(chosen),
    )


def _choose(columns: str | None, names: tuple[str, ...] | None, d: int) -> list[int]:
    """Positions of the chosen columns, each once, in the order named."""
    if columns is None:
        return list(range(d))
    places = {} if names is None else {name: place for place, name in enumerate(names)}
    chosen: list[int] = []
    for word in next(csv.reader([columns], skipinitialspace=True), []):
        word = word.strip()
        first, dash, last = word.partition("-")
        if word in places:
            chosen.append(places[word])
        elif first.isdigit() and (last.isdigit() or not dash):
            low, high = int(first), int(last or first)
            if not 1 <= low <= high <= d:
                raise invalid(
                    "--columns", f"made of numbers from 1 to {d}", repr(word), "Count from 1."
                )
            chosen += range(low - 1, high)
        else:
            from annlab._support.checks import did_you_mean

            remedy = did_you_mean(word, list(places)) or (
                f"There are: {', '.join(places)}." if places else f"Use numbers from 1 to {d}."
            )
            raise invalid("--columns", "made of columns that are there", repr(word), remedy)
    if not chosen:
        raise invalid("--columns", "one column or more", repr(columns), "Leave it out for all.")
    return list(dict.fromkeys(chosen))


def _shape(shape: tuple[int, ...], where: str) -> tuple[int, int]:
    if len(shape) != 2:
        raise invalid(
            where,
            "a table with rows and columns",
            f"an array of shape {shape}",
            "Reshape it: X.reshape(len(X), -1).",
        )
    if 0 in shape:
        raise invalid(where, "a table with rows and columns", f"an empty one of shape {shape}")
    return shape[0], shape[1]


def _check_numbers(dtype: np.dtype, where: str) -> None:
    if dtype.kind not in "fiub":
        raise invalid(
            where,
            "an array of real numbers",
            f"values of type {dtype}",
            "Split real and imaginary parts into columns."
            if dtype.kind == "c"
            else "Convert them: numpy.save('rows.npy', X.astype(float)).",
        )


def _from_npy(path: Path) -> Rows:
    import numpy as np

    try:
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as reason:
        raise invalid(
            _called(path),
            "a whole .npy file of numbers",
            f"another one ({reason})",
            "Save it again: numpy.save('rows.npy', X).",
        ) from reason
    n, d = _shape(mapped.shape, path.name)
    _check_numbers(mapped.dtype, path.name)
    return Rows(n, d, None, False, lambda: mapped)


def _from_npz(path: Path, key: str | None) -> Rows:
    import numpy as np

    try:
        archive = np.load(path, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise ValueError("it holds one array and no archive")
    except (ValueError, EOFError, zipfile.BadZipFile) as reason:
        raise invalid(
            _called(path),
            "an .npz file as numpy.savez writes it",
            f"another one ({reason})",
            "Save it again: numpy.savez('rows.npz', X=X).",
        ) from reason
    with archive:
        names = archive.files
        if key is None and len(names) == 1:
            key = names[0]
        if key not in names:
            raise invalid(
                "--key",
                "the name of an array in the file",
                key if key is not None else "no name",
                f"There are: {', '.join(names)}.",
            )
        n, d, itemsize = _npz_header(archive, path, key)

    def load() -> np.ndarray:
        with np.load(path, allow_pickle=False) as again:
            try:
                return np.asarray(again[key])
            except (ValueError, EOFError, zipfile.BadZipFile) as reason:
                raise invalid(
                    _called(path), "a whole file", f"a damaged one ({reason})", "Save it again."
                ) from reason

    return Rows(n, d, None, False, load, itemsize * n * d)


def _npz_header(archive: Any, path: Path, key: str) -> tuple[int, int, int]:
    """Rows, columns and bytes of a value, from the beginning of one member."""
    from numpy.lib import format as npy

    member = key if key in archive.zip.namelist() else f"{key}.npy"
    try:
        with archive.zip.open(member) as file:
            version = npy.read_magic(file)
            read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            shape, _, dtype = read(file)
    except (ValueError, EOFError, KeyError, zipfile.BadZipFile) as reason:
        raise invalid(
            _called(path), "a whole .npz file", f"a damaged one ({reason})", "Save it again."
        ) from reason
    n, d = _shape(shape, f"{key} in {path.name}")
    _check_numbers(dtype, f"{key} in {path.name}")
    return n, d, dtype.itemsize


# --------------------------------------------------------------------------------------- text files


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    # Python alone reads 1_000 as a number
    return "_" not in text


def _is_usable(text: str) -> bool:
    """Whether it is a number from which distances can be computed."""
    return _is_number(text) and not _what_is_wrong(float(text))


def _what_is_wrong(value: float) -> str:
    """What there is to do about a number that cannot be used; "" for others."""
    from annlab._support.checks import _LARGEST

    if math.isnan(value):
        return _FILL_IN
    if math.isinf(value):
        return _INFINITE
    return _TOO_LARGE if abs(value) > _LARGEST else ""


def _bad_value(X: np.ndarray, rows: Rows, name: str) -> Exception | None:
    """The refusal of the first value of an array that cannot be used, if there is one."""
    import numpy as np

    from annlab._support.checks import _LARGEST

    if X.dtype.kind != "f":
        return None
    largest = X.dtype.type(min(_LARGEST, float(np.finfo(X.dtype).max)))
    height = max(1, _SEARCHED // X.shape[1])
    first, count = None, 0
    for start in range(0, len(X), height):
        # NaN is not smaller than anything
        bad = ~(np.abs(X[start : start + height]) <= largest)
        if first is None and bad.any():
            down, across = divmod(int(bad.argmax()), X.shape[1])
            first = start + down, across
        count += int(np.count_nonzero(bad))
    if first is None:
        return None
    row, place = first
    column = place if rows.places is None else rows.places[place]
    told = f"{X[row, place]:g} in row {row + 1:,}"
    if not rows.table:
        told += f", at X[{row}, {column}]"
    if count > 1:
        told += f", the first of {count:,} such values"
    shown = repr(rows.names[place]) if rows.names and rows.names[place] else column + 1
    remedy = _what_is_wrong(float(X[row, place]))
    if not rows.table and remedy != _TOO_LARGE:
        remedy += " In Python: X = X[numpy.isfinite(X).all(axis=1)]."
    return invalid(f"Column {shown} of {name}", "finite numbers", told, remedy)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    # utf-8-sig: spreadsheets begin a file with a mark
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            yield file
        except UnicodeDecodeError as reason:
            raise invalid(
                _called(path), "text in UTF-8", f"other bytes ({reason})", "Save it as UTF-8."
            ) from reason


def _guess_delimiter(lines: list[str]) -> str:
    """The first separator that cuts all lines into one number of fields, more than one.

    The comma comes late, because it may stand inside numbers, and the space last, because it may
    stand inside names.
    """
    for candidate in ("\t", ";", "|", ",", " "):
        counts = {len(row) for row in _split(lines, candidate)}
        if len(counts) == 1 and max(counts) > 1:
            return candidate
    return ","


def _has_header(split: list[list[str]]) -> bool:
    """Whether the first row holds names: words above numbers, or nothing but words."""
    first, body = split[0], split[1:]
    if all(map(_is_number, first)):
        return False
    for place, field in enumerate(first):
        # an empty field is a value that is missing, not a name
        if field and not _is_number(field) and body:
            if all(len(row) > place and _is_number(row[place]) for row in body):
                return True
    return not any(map(_is_number, first))


def _split(lines: list[str], delimiter: str) -> list[list[str]]:
    if delimiter == " ":
        return [line.split() for line in lines]
    return [
        [field.strip() for field in row]
        for row in csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
    ]


def _from_text(path: Path, columns: str | None, header: str, delimiter: str) -> Rows:
    with _opened(path) as file:
        first = [line for line in islice(file, _GUESS_LINES) if line.strip()]
        # what is counted are lines with content, as they are read
        n_lines = len(first) + sum(1 for line in file if line.strip())
    if not first:
        raise invalid(_called(path), "a file with rows", "one that is empty", "Fill it.")
    mark = _DELIMITERS[delimiter] if delimiter != "auto" else _guess_delimiter(first)
    split = _split(first, mark)
    d = len(split[0])
    has_header = _has_header(split) if header == "auto" else header == "yes"
    names = tuple(split[0]) if has_header else None
    n = n_lines - has_header
    if n < 1:
        raise invalid(_called(path), "a file with rows", "one that has none", "Fill it.")
    chosen = _choose(columns, names, d)
    body = split[1:] if has_header else split

    def refusal(reason: object) -> Exception:
        found = _bad_row(path, mark, chosen, names, d, body, asked=columns is not None)
        return found or invalid(_called(path), "a table of numbers", reason)

    if any(len(row) > place and not _is_usable(row[place]) for row in body for place in chosen):
        raise refusal("other values")
    shown = None if names is None else tuple(names[place] for place in chosen)

    def load() -> np.ndarray:
        try:
            X = _load_text(path, mark, chosen, has_header)
        except (ValueError, IndexError) as reason:
            raise refusal(reason) from reason
        # by the line, which an editor shows, and not by the row
        if _bad_value(X, rows, path.name):
            raise refusal("other values")
        return X

    places = None if columns is None else tuple(chosen)
    # load refers to these rows by their name
    rows = Rows(n, len(chosen), shown, True, load, 8 * n * len(chosen), places)
    return rows


def _load_text(path: Path, delimiter: str, chosen: list[int], has_header: bool) -> np.ndarray:
    import numpy as np

    with _opened(path) as file:
        body = (line for line in file if line.strip())
        if has_header:
            next(body)
        return np.loadtxt(
            body,
            delimiter=None if delimiter == " " else delimiter,
            usecols=chosen,
            ndmin=2,
            comments=None,
            quotechar='"',
        )


def _bad_row(
    path: Path,
    delimiter: str,
    chosen: list[int],
    names: tuple[str, ...] | None,
    d: int,
    body: list[list[str]],
    *,
    asked: bool,
) -> Exception | None:
    """The refusal of the first row that cannot be read, at the line where a person finds it.

    `body` holds the first rows, by which a column of text is told from a slip; `asked` says
    whether the caller chose the columns.
    """
    text = {place for place in chosen if _holds_text(body, place)}
    begun = False
    with _opened(path) as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            if names is not None and not begun:
                begun = True
                continue
            (row,) = _split([line], delimiter) or [[]]
            for place in chosen:
                if place >= len(row):
                    # a column of text is what there is to mend first, wherever rows are short
                    if text:
                        continue
                    columns = "1 column" if len(row) == 1 else f"{len(row)} columns"
                    return invalid(
                        f"Each row of {_called(path)}",
                        f"made of {d} columns",
                        f"{columns} in line {number}",
                        "Correct that line.",
                    )
                value = row[place]
                if _is_usable(value):
                    continue
                # also of values that are missing: in a column of text they are not what is wrong
                if place in text and (_is_number(value) or value.lower() in _MISSING):
                    continue
                column = f"Column {repr(names[place]) if names and names[place] else place + 1}"
                got, remedy, rule = f"{value!r} in line {number}", "", "numbers"
                if value.lower() in _MISSING:
                    got = got if value else f"an empty cell in line {number}"
                    remedy = _FILL_IN
                elif _is_number(value):
                    remedy, rule = _what_is_wrong(float(value)), "finite numbers"
                elif _is_number(value.replace(",", ".")):
                    remedy = "Write decimals with a point."
                elif place in text:
                    got = f"text such as {got}"
                    remedy = _instead_of_text(_numeric(names, body, chosen if asked else None))
                elif not begun and names is None:
                    remedy = "If the first line holds names, say so: --header yes."
                else:
                    remedy = "Correct that line, or choose other columns with --columns."
                return invalid(f"{column} of {_called(path)}", rule, got, remedy)
            begun = True
    return None


def _holds_text(body: list[list[str]], place: int) -> bool:
    """Whether most values of a column are neither numbers nor missing."""
    values = [row[place] for row in body if len(row) > place]
    values = [value for value in values if value.lower() not in _MISSING]
    words = [value for value in values if not _is_number(value.replace(",", "."))]
    return 2 * len(words) > len(values)


def _numeric(
    names: tuple[str, ...] | None, body: list[list[str]], chosen: list[int] | None
) -> list[str]:
    """Columns of numbers as --columns takes them: of the chosen ones, or else of all."""
    d = min(len(row) for row in body)
    # where a value is missing the next refusal says so
    fits = [[_is_number(value) or value.lower() in _MISSING for value in row] for row in body]
    good = [p for p in range(d) if all(row[p] for row in fits) and any(row[p] for row in body)]
    good = [place for place in good if chosen is not None and place in chosen] or good
    return [
        str(p + 1) if names is None or not names[p] or "," in names[p] else names[p] for p in good
    ]


def _instead_of_text(columns: list[str]) -> str:
    encode = "Encode the text as numbers, such as one column of 0 and 1 for each value."
    if not columns:
        return encode
    listed = shlex.quote(",".join(columns))
    return f"Choose columns of numbers: --columns {listed}. Or e{encode[1:]}"


# ------------------------------------------------------------------------------------------ parquet


def _from_parquet(path: Path, columns: str | None) -> Rows:
    try:
        import pyarrow
        import pyarrow.parquet as parquet
    except ImportError as reason:
        raise MissingExtraError(
            f"The package 'pyarrow' is needed to read {path.name}, and it cannot be imported "
            f"({reason}). Install it with: pip install pyarrow"
        ) from reason
    try:
        file = parquet.ParquetFile(path)
    except pyarrow.ArrowInvalid as reason:
        raise invalid(
            _called(path), "a .parquet file", f"another one ({reason})", "Save it again."
        ) from reason
    with file:
        schema = file.schema_arrow
        n = file.metadata.num_rows

    def numeric(kind: Any) -> bool:
        types = pyarrow.types
        return types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind)

    names = tuple(schema.names)
    good = [name for name in names if numeric(schema.field(name).type)]
    chosen = [names[place] for place in _choose(columns, names, len(names))]
    for name in chosen:
        if name not in good:
            kind = schema.field(name).type
            words = pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind)
            better = [other for other in chosen if columns is not None and other in good] or good
            raise invalid(
                f"Column {name!r} of {_called(path)}",
                "numbers",
                _first_text(path, name) if words else f"the type {kind}",
                _instead_of_text(better)
                if words or not better
                else f"Choose columns of numbers: --columns {shlex.quote(','.join(better))}.",
            )
    single = all(
        schema.field(name).type in (pyarrow.float32(), pyarrow.float16()) for name in chosen
    )
    itemsize = 4 if single else 8

    def load() -> np.ndarray:
        import numpy as np

        X = np.empty((n, len(chosen)), dtype=np.float32 if single else np.float64)
        start = 0
        with parquet.ParquetFile(path) as again:
            for batch in again.iter_batches(columns=chosen):
                for place, name in enumerate(chosen):
                    values = batch.column(name)
                    if values.null_count:
                        first = int(values.is_null().to_numpy(zero_copy_only=False).argmax())
                        raise invalid(
                            f"Column {name!r} of {_called(path)}",
                            "numbers",
                            f"an empty cell in row {start + first + 1}",
                            _FILL_IN,
                        )
                    X[start : start + len(batch), place] = values.to_numpy(zero_copy_only=False)
                start += len(batch)
        return X

    return Rows(n, len(chosen), tuple(chosen), True, load, itemsize * n * len(chosen))


def _first_text(path: Path, name: str) -> str:
    from pyarrow import parquet

    row = 0
    with parquet.ParquetFile(path) as file:
        for batch in file.iter_batches(columns=[name]):
            for value in batch.column(0).to_pylist():
                row += 1
                if value:
                    return f"text such as {value!r} in row {row}"
    return "text"


# ------------------------------------------------------------------------------------------ writing


def _outputs(table: bool) -> list[str]:
    return [name for name in OUTPUTS if table or name not in _TABLES]


def _prepare(folder: Path, *, force: bool) -> None:
    """Say now, and not after the clustering, what will stand in the way of writing."""
    if folder.exists() and not folder.is_dir():
        raise invalid("--out", "a folder, or a name that is free", folder, "Name another one.")
    # also those of another kind of input: results of two runs are not to lie side by side
    there = [name for name in OUTPUTS if os.path.lexists(folder / name)]
    if there and not force:
        raise invalid(
            "--out",
            "a folder without results",
            f"{folder}, which holds {', '.join(there)}",
            "Name another one, or replace them with --force.",
        )
    made = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as reason:
        if made:
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise invalid(
            "--out",
            "a folder in which files can be written",
            f"{folder} ({reason.strerror or reason})",
            "Name another one, such as --out ~/clusters.",
        ) from reason


def write_outputs(
    folder: Path, result: KMeansResult, report: dict[str, Any], rows: Rows
) -> list[Path]:
    """Write labels, centroids and report; an older result is replaced once all is written.

    Returns
    -------
    list of Path
        The files, the report last.
    """
    import numpy as np

    names = _outputs(rows.table)
    staging = Path(tempfile.mkdtemp(dir=folder, prefix=".annlab-"))
    try:
        np.save(staging / "labels.npy", result.labels)
        np.save(staging / "centroids.npy", result.centroids)
        if rows.table:
            _write_table(staging / "labels.csv", ["row", "label"], enumerate(result.labels, 1))
            called = rows.names or [f"column {place}" for place in range(1, rows.d + 1)]
            lines = ([label, *row] for label, row in enumerate(result.centroids.tolist()))
            _write_table(staging / "centroids.csv", ["label", *called], lines)
        (staging / "report.md").write_text(as_text(report), encoding="utf-8")
        (staging / "report.json").write_text(json.dumps(report, indent=1), encoding="utf-8")
        # first no report, then the files, the report last: what lies there is whole or has none
        for name in reversed(OUTPUTS):
            with contextlib.suppress(FileNotFoundError):
                (folder / name).unlink()
        for name in names:
            os.replace(staging / name, folder / name)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return [folder / name for name in names]


def _write_table(path: Path, header: list[str], lines: Any) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(header)
        table.writerows(lines)


def make_report(
    options: argparse.Namespace, rows: Rows, result: KMeansResult, notes: list[str], total_s: float
) -> dict[str, Any]:
    """Everything about a run, as values that JSON holds."""
    import numpy as np

    sizes = np.bincount(result.labels, minlength=result.n_clusters)
    return {
        "annlab": __version__,
        "input": {
            "file": Path(options.input).name,
            "n_samples": rows.n,
            "n_features": rows.d,
            "columns": None if rows.names is None else list(rows.names),
        },
        "parameters": {
            "n_clusters": options.n_clusters,
            "algorithm": options.algorithm,
            "metric": options.metric,
            "max_iter": options.max_iter,
            "n_init": options.n_init,
            "random_state": options.random_state,
            "n_jobs": options.n_jobs,
        },
        "result": {
            "algorithm": result.algorithm,
            "reason": result.reason,
            "inertia": result.inertia,
            "n_iter": result.n_iter,
            "converged": result.converged,
            "stop_reason": result.stop_reason,
            "n_distances": result.n_distances,
            "recall_estimate": result.recall_estimate,
            "recall_interval": result.recall_interval,
            "inertia_of_each_iteration": result.trace.inertia.tolist(),
        },
        "cluster_sizes": {
            "smallest": int(sizes.min()),
            "median": float(np.median(sizes)),
            "largest": int(sizes.max()),
            "empty": int(np.count_nonzero(sizes == 0)),
            "of_each": sizes.tolist(),
        },
        "seconds": {"clustering": result.elapsed_s, "in_all": total_s},
        "notes": notes,
        "files": _outputs(rows.table),
    }


def as_text(report: dict[str, Any]) -> str:
    """The report for people, in Markdown."""
    given, asked, got = report["input"], report["parameters"], report["result"]
    sizes, seconds = report["cluster_sizes"], report["seconds"]
    why = f" ({got['reason']})" if got["reason"] else ""
    lines = [
        f"# {given['file']} in {asked['n_clusters']:,} clusters",
        "",
        f"- **Data**: {given['n_samples']:,} rows of {given['n_features']:,} columns"
        + (f" ({', '.join(given['columns'][:20])})" if given["columns"] else ""),
        f"- **Algorithm**: {got['algorithm']}{why}, {asked['metric']}, "
        f"random state {asked['random_state']}",
        f"- **Iterations**: {got['n_iter']}, ended by: {got['stop_reason']}",
        f"- **Inertia**: {got['inertia']:.6g} (sum of squared distances to the own centroid)",
        f"- **Cluster sizes**: {sizes['smallest']:,} to {sizes['largest']:,}, "
        f"median {sizes['median']:,.0f}"
        + (f", {sizes['empty']:,} without a row" if sizes["empty"] else ""),
    ]
    if got["recall_estimate"] is not None and got["recall_estimate"] < 1:
        low, high = got["recall_interval"] or (None, None)
        between = f" (95 % interval {low:.3f} to {high:.3f})" if low is not None else ""
        lines.append(
            f"- **Labels that are exact**: {got['recall_estimate']:.1%} estimated{between}"
        )
    lines.append(f"- **Time**: {seconds['clustering']:.2f} s of {seconds['in_all']:.2f} s in all")
    if not got["converged"]:
        lines += ["", "The clustering had not settled when it ended: raise --max-iter to go on."]
    lines += [f"\nNote: {note}" for note in report["notes"]]
    lines += [
        "",
        "`labels.npy` holds the number of the cluster of each row, `centroids.npy` the centroid",
        "of each cluster, `report.json` this report as values.",
        "",
    ]
    return "\n".join(lines)


# ------------------------------------------------------------------------------------------ command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``annlab cluster``."""
    parser.description = (
        "Cluster the rows of a file and write labels, centroids and a report.\n\n"
        "INPUT is .npy (memory-mapped: it is read in blocks), .npz, .csv, .tsv, .txt, or .parquet\n"
        "where pyarrow is installed. The folder --out then holds labels.npy, centroids.npy,\n"
        "report.md to read and report.json for programs; for tables also labels.csv and\n"
        "centroids.csv. Results that are there are not overwritten, unless --force says so."
    )
    parser.epilog = (
        "exit status:\n"
        "  0    done\n"
        "  2    the call, the file or the installation is at fault; one sentence says why\n"
        "  130  stopped with Ctrl-C; what had been reached by then is written\n\n"
        "examples:\n"
        "  annlab cluster rows.npy --n-clusters 1000\n"
        "  annlab cluster people.csv --n-clusters 8 --columns height,weight\n"
        "  annlab cluster table.csv --n-clusters 8 --columns 2-5 --out first-try\n"
        "  annlab cluster words.npz --key vectors --n-clusters 500 --metric cosine\n"
        "  annlab cluster rows.npy --n-clusters 4096 --algorithm hnsw --n-jobs 4 --json\n\n"
        "then, in Python:\n"
        "  labels = numpy.load('rows-clusters/labels.npy')"
    )
    parser.add_argument("input", metavar="INPUT", help="the file with the rows")
    parser.add_argument(
        "--n-clusters", type=int, required=True, metavar="K", help="number of clusters"
    )
    parser.add_argument(
        "--algorithm",
        default="auto",
        metavar="NAME",
        help="auto (default), brute (exact), hnsw, ...; a wrong name lists all",
    )
    parser.add_argument(
        "--metric", default="euclidean", metavar="NAME", help="euclidean (default) or cosine"
    )
    parser.add_argument(
        "--max-iter", type=int, default=100, metavar="N", help="iterations at most (100)"
    )
    parser.add_argument(
        "--n-init", type=int, default=1, metavar="N", help="starts; the best result is kept (1)"
    )
    parser.add_argument(
        "--random-state",
        type=int,
        default=0,
        metavar="N",
        help="seed: the same one gives the same result (0)",
    )
    parser.add_argument(
        "--n-jobs", type=int, metavar="N", help="threads (all cores); does not change the result"
    )
    parser.add_argument(
        "--columns", metavar="LIST", help="columns to use, by name or number from 1: 1-3,7"
    )
    parser.add_argument("--key", metavar="NAME", help="array in an .npz file, if it holds several")
    parser.add_argument(
        "--header",
        choices=("auto", "yes", "no"),
        default="auto",
        help="does the first line of a text file hold names? (auto)",
    )
    parser.add_argument(
        "--delimiter",
        choices=("auto", *_DELIMITERS),
        default="auto",
        help="what stands between the columns of a text file (auto)",
    )
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER", help="default: ./NAME-clusters, from INPUT's name"
    )
    parser.add_argument("--force", action="store_true", help="replace results that are there")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument("--quiet", action="store_true", help="show no progress")


def run(options: argparse.Namespace) -> int:
    """Check everything that can be known beforehand, cluster, write; 0, or 130 if interrupted."""
    from annlab._support.checks import check_choice, check_integer
    from annlab.fit.choose import available_algorithms

    begin = perf_counter()
    check_choice(options.algorithm, "--algorithm", available_algorithms())
    check_choice(options.metric, "--metric", ("euclidean", "cosine"))
    check_integer(options.n_clusters, "--n-clusters")
    check_integer(options.max_iter, "--max-iter")
    check_integer(options.n_init, "--n-init")
    check_integer(options.random_state, "--random-state", minimum=0, maximum=2**32 - 1)
    if options.n_jobs == 0:
        raise invalid(
            "--n-jobs",
            "an integer other than 0",
            0,
            "Leave it out to use all cores of this machine.",
        )
    path = Path(options.input).expanduser()
    rows = read_rows(
        path,
        columns=options.columns,
        key=options.key,
        header=options.header,
        delimiter=options.delimiter,
    )
    if options.n_clusters > rows.n:
        raise invalid(
            "--n-clusters",
            f"at most the {rows.n:,} rows of {_called(path)}",
            options.n_clusters,
            "Ask for fewer clusters.",
        )
    _check_room(rows, options.n_clusters, path)
    folder = (options.out or Path(f"{path.stem}-clusters")).expanduser()
    made = not folder.exists()
    _prepare(folder, force=options.force)
    if not options.quiet:
        print(f"{path.name}: {rows.n:,} rows, {rows.d:,} columns", file=sys.stderr, flush=True)
    try:
        result, caught = _fit(rows, options)
    except BaseException:
        if made:
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise
    notes = list(dict.fromkeys(str(w.message) for w in caught if w.category is AnnlabWarning))
    for warning in caught:
        if warning.category is not AnnlabWarning:
            warnings.warn_explicit(
                warning.message, warning.category, warning.filename, warning.lineno
            )
    report = make_report(options, rows, result, notes, perf_counter() - begin)
    written = write_outputs(folder, result, report, rows)
    for note in notes:
        print(f"annlab cluster: {note}", file=sys.stderr)
    if options.json:
        print(json.dumps(report, indent=1))
    else:
        print(as_text(report).partition("\n`labels.npy`")[0].strip())
        print("\nWritten: " + ", ".join(str(file) for file in written))
    return 130 if result.stop_reason == "interrupted" else 0


def _fit(
    rows: Rows, options: argparse.Namespace
) -> tuple[KMeansResult, list[warnings.WarningMessage]]:
    """Read and cluster; return the result and the warnings on the way."""
    from annlab.lloyd import kmeans_ann

    name = _called(Path(options.input))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", AnnlabWarning)
        try:
            X = rows.load()
            if X.shape != (rows.n, rows.d):
                raise invalid(
                    name,
                    f"the {rows.n:,} rows of {rows.d:,} columns that were counted",
                    f"an array of shape {X.shape}",
                    "Call this again when nothing writes to the file, one row to a line.",
                )
            try:
                result = kmeans_ann(
                    X,
                    options.n_clusters,
                    options.max_iter,
                    algorithm=options.algorithm,
                    metric=options.metric,
                    n_init=options.n_init,
                    random_state=options.random_state,
                    n_jobs=options.n_jobs,
                    progress=not options.quiet,
                )
            except ValueError as reason:
                # what the library says of X, a person looks for in a column and a row of the file
                bad = _bad_value(X, rows, name)
                if bad is None:
                    raise
                raise bad from reason
        except MemoryError as reason:
            raise invalid(
                name,
                "small enough for the memory of this machine",
                f"{rows.n:,} rows of {rows.d:,} columns",
                "Save it as a float32 .npy file, which is read in blocks.",
            ) from reason
    return result, caught


def _check_room(rows: Rows, n_clusters: int, path: Path) -> None:
    """Refuse what cannot fit into memory before it is read."""
    free = available_memory()
    # labels, distances and both sets of centroids are held whatever the input is; of a mapped
    # file only the labels, old and new
    held = 24 if rows.load_bytes else 12
    wanted = rows.load_bytes + held * rows.n + 3 * 8 * n_clusters * rows.d
    if free is not None and wanted > free:
        remedy = (
            "Choose fewer columns with --columns, or save it as a float32 .npy file, "
            "which is read in blocks."
            if rows.load_bytes
            else "Ask for fewer clusters, or use a machine with more memory."
        )
        raise invalid(
            _called(path),
            f"small enough for the {readable_size(free)} that are free",
            f"a need of {readable_size(wanted)}",
            remedy,
        )

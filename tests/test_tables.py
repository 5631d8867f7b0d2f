"""Tables from files: correct values, or an error with line and remedy."""

from __future__ import annotations

import gzip
import io
import os
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from annlab import widgets
from annlab._support.errors import AnnlabWarning
from annlab.datasets.tables import named_as_flags, read_table


@pytest.fixture
def read(tmp_path, monkeypatch):
    """Write a text table and read it: names, values and notes."""
    monkeypatch.chdir(tmp_path)

    def write_and_read(content: str | bytes, name: str = "t.csv", **options):
        Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
        with named_as_flags():
            return read_table(name, **options)

    return write_and_read


#: text, options, values
READ = {
    "title line": ("Measured in May\na,b\n1,2\n3,4\n", {}, [[1, 2], [3, 4]]),
    "title of a spreadsheet": ("Title;;\na;b;c\n1;2;3\n", {}, [[1, 2, 3]]),
    "separator of a spreadsheet": ("sep=;\na;b\n1;2\n", {}, [[1, 2]]),
    "booleans without names": ("True,1\nFalse,2\n", {}, [[1, 1], [0, 2]]),
    "comment of savetxt": ("# measured in May\n1,2\n3,4\n", {}, [[1, 2], [3, 4]]),
    "names of savetxt": ("# a b\n1 2\n3 4\n", {}, [[1, 2], [3, 4]]),
    "names of rows": ("a,b\nx,1,2\ny,3,4\n", {}, [[1, 2], [3, 4]]),
    "row names of R": ('"a" "b"\n"1" 1 2\n"2" 3 4\n', {}, [[1, 2], [3, 4]]),
    "index of pandas": (",a,b\n0,1,2\n1,3,4\n", {}, [[1, 2], [3, 4]]),
    "unnamed index": ("Unnamed: 0,a,b\n0,1,2\n1,3,4\n", {}, [[1, 2], [3, 4]]),
    "decimal commas": ("0,1;1,5\n2,5;3,5\n", {}, [[0.1, 1.5], [2.5, 3.5]]),
    "decimal said": ("1,533;2\n2,044;3\n", {"decimal": "comma"}, [[1.533, 2], [2.044, 3]]),
    "thousands": ('a,b\n"1,033",2\n"5",3\n', {"thousands": "comma"}, [[1033, 2], [5, 3]]),
    "both marks": (
        "a;b\n1.033,5;2\n7,25;3\n",
        {"decimal": "comma", "thousands": "point"},
        [[1033.5, 2], [7.25, 3]],
    ),
    "years below a word": ("id,2019,2020\n1,2,3\n4,5,6\n", {}, [[1, 2, 3], [4, 5, 6]]),
    "years alone": ("2019,2020\n1,2\n", {}, [[2019, 2020], [1, 2]]),
    "years said": ("2019,2020\n1,2\n", {"header": "yes"}, [[1, 2]]),
    "lines in quotes": ('who,a\n"x\ny",2\n"z\n",3\n', {"columns": "a"}, [[2], [3]]),
    "long cell": ("who,a\n" + "x" * 140_000 + ",2\ny,3\n", {"columns": "a"}, [[2], [3]]),
    "last delimiter": ("a,b,\n1,2,\n3,4,\n", {}, [[1, 2], [3, 4]]),
    "last delimiter below names": ("a,b\n1,2,\n3,4,\n", {}, [[1, 2], [3, 4]]),
    "booleans": ("a,b\nTrue,1\nFalse,2\n", {}, [[1, 1], [0, 2]]),
    "runs of blanks": ("  1.5   2\n 3e1  -4\n", {}, [[1.5, 2], [30, -4]]),
    "one column": ("5\n1\n2\n", {}, [[5], [1], [2]]),
    "pipes": ("a|b\n1|2\n", {}, [[1, 2]]),
    "delimiter in a name": ('"a, the first","b"\n1,2\n3,4', {}, [[1, 2], [3, 4]]),
    "blank lines": ("a\n\n1\n\n2\n", {}, [[1], [2]]),
    "byte order mark": ("\ufeffa;b\r\n1;2\r\n3;4\r\n", {}, [[1, 2], [3, 4]]),
    "rows that do not fit": (
        "a,b\n1,2\n3\n4,5\n,6\n7,8\n",
        {"skip_bad_rows": True},
        [[1, 2], [4, 5], [7, 8]],
    ),
}


@pytest.mark.parametrize("case", READ)
def test_table_is_read(read, case):
    text, options, expected = READ[case]
    table = read(text, **options)
    np.testing.assert_array_equal(table.X, expected)
    assert table.X.shape == np.shape(expected)


#: text, options, what the refusal says
REFUSED = {
    "short header": ("a,b\n5,1,2\n7,3,4\n", {}, r"made of 3 columns.* got 2 in line 1"),
    "one field more": ("1,2\n" * 81 + "1,2,3\n" + "1,2\n", {}, r"got 3 in line 82"),
    "one field more, late": ("1,2\n" * 400 + "1,2,3\n", {}, r"got 3 in line 401"),
    "one field less": ("1,2\n" * 80 + "3\n", {}, r"Each row of t\.csv .* got 1 in line 81"),
    "commas for all": ("a,b\n1,5,2,5\n3,5,4,5\n", {}, r"line 1.*--decimal comma"),
    "name above commas": ("Height\n1,5\n2,5\n", {}, r"line 1.*--decimal comma"),
    "leading zeros": ("1,05\n2,5\n", {}, r"commas; got '05' in line 1.*--decimal comma"),
    "quoted decimal": ('a,b\n"1,5",2\n', {}, r"commas; got '1,5' in line 2.*--decimal comma"),
    "thousands": ('a,b\n"1,033",2\n', {}, r"'1,033' in line 2.*--thousands comma"),
    "thousands late": ("a;b\n" + "1;2\n" * 300 + "1,033;2\n", {}, r"line 302.*--thousands"),
    "decimal or thousands": ("h;w\n1,533;2\n", {}, r"commas; got '1,533' in line 2.*--dec"),
    "one name twice": ("a,b,a\n1,2,3\n", {}, r"'a' for columns 1 and 3"),
    "open quote": ("1,2\n" * 300 + '"3,4\n' + "1,2\n" * 9, {}, r"open quote in line 301"),
    "open quote, bad rows": (
        "1,2\n" * 300 + '"3,4\n' + "1,2\n" * 9,
        {"skip_bad_rows": True},
        "quotes are closed",
    ),
    "first row": ("Rome,5\nOslo,7\n", {}, r"first row.*--header yes, or --header no"),
    "name taken as data": ("h,1\n2,3\n", {"header": "no"}, r"'h' in line 1\. .*--header yes"),
    "empty": ("", {}, r"t\.csv must be a file with rows; got an empty file"),
    "only names": ("a,b\n", {}, r"t\.csv must be a file with rows; got none"),
    "unknown option": ("1,2\n", {"decimal": "dot"}, r"--decimal"),
    "equal marks": ("1,2\n", {"decimal": "comma", "thousands": "comma"}, r"--thousands"),
    "text": (
        "who,h\nann,1\nbob,2\n",
        {},
        r"Column 'who' of t\.csv .* text such as 'ann' in line 2\. .*--columns h\. Or encode",
    ),
    "text asked for": (
        "h,city,w\n1,,2\n\n3,Rome,4\n5,,6\n",
        {"columns": "h,city"},
        r"'city' .* text such as 'Rome' in line 4\. .*--columns h\. Or encode",
    ),
    "text alone": ("a,b\nx,y\nz,w\n", {}, r"such as 'x' in line 2\. Encode the text as numbers"),
    "a name with a blank": ("who,net weight\nann,1\n", {}, r"--columns 'net weight'\."),
    "text that is missing": ("who,h\nnan,1\nann,2\nbob,3\n", {}, r"such as 'ann' in line 3"),
    "odd value": ("a\n" + "1\n" * 300 + "x\n", {}, r"'x' in line 302\. Correct"),
    "empty cell": ("1;2\n\n;4\n", {}, r"Column 1 of t\.csv .* an empty cell in line 3\. Fill in"),
    "missing value": ("\nh,w\n1,2\n3,n/a\n", {}, r"'w' .* got 'n/a' in line 4\. Fill in"),
    "NaN": ("h,w\n1,2\n\n3,NaN\n", {}, r"Column 'w' of t\.csv .* 'NaN' in line 4\. Fill in"),
    "infinity": ("h,w\n" + "1,2\n" * 80 + "3,-inf\n", {}, r"'w' .* '-inf' in line 82\. Remove"),
    "huge": ("1,2\n3,4\n5,1e200\n", {"columns": "2"}, r"Column 2 .* '1e200' in line 3\. Divide"),
    "unlike column": ("height,w\n1,2\n", {"columns": "hight"}, "Did you mean 'height'"),
    "unknown column": ("h,w\n1,2\n", {"columns": "9"}, "numbers from 1 to 2"),
    "range that falls": ("h,w\n1,2\n", {"columns": "2-1"}, "numbers from 1 to 2"),
    "no column": ("h,w\n1,2\n", {"columns": ""}, "--columns must be one column or more"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_unclear_table_is_refused(read, case):
    text, options, words = REFUSED[case]
    with pytest.raises(ValueError, match=words):
        read(text, **options)


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ("height", [1]),
        ("3,height", [2, 1]),
        ("2-4,3", [1, 2, 3]),
        # names take precedence over numbers
        ("7", [3]),
        ('"a, b"', [2]),
    ],
)
def test_columns_are_chosen_by_name_or_number(read, columns, expected):
    table = read('who,height,"a, b",7\nann,1,2,3\nbob,4,5,6\n', columns=columns)
    np.testing.assert_array_equal(table.X, np.array([[0, 1, 2, 3], [0, 4, 5, 6]])[:, expected])
    assert table.names == tuple(["who", "height", "a, b", "7"][place] for place in expected)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
def test_encoding_is_recognised(read, encoding):
    table = read("größe;b\n1;2\n".encode(encoding))
    assert table.names == ("größe", "b") and table.X.tolist() == [[1, 2]]


@pytest.mark.parametrize("ending", ["gz", "zst"])
def test_compressed_table_is_read(read, ending, tmp_path):
    text = b"a,b\n1,2\n3,4\n"
    if ending == "gz":
        table = read(gzip.compress(text), "t.csv.gz")
    else:
        pa = pytest.importorskip("pyarrow")
        table = read(pa.compress(text, codec="zstd", asbytes=True), "t.csv.zst")
    assert table.names == ("a", "b") and table.X.tolist() == [[1, 2], [3, 4]]


def test_notes_say_what_was_decided(read):
    table = read("id;who;a;b\n1;ann;1,5;2\n2;bob;2,5;3\n", skip_text=True)
    assert table.names == ("id", "a", "b")
    notes = "; ".join(table.notes)
    for said in ("delimiter: semicolon", "names from line 1", "decimal mark: comma", "who, text"):
        assert said in notes


def test_rows_keep_their_numbers_when_others_are_skipped(read):
    table = read("a,b\n1,2\n3\n\n4,5\n,6\n7,8\n", skip_bad_rows=True)
    assert table.rows.tolist() == [1, 3, 5]
    assert any("line 3" in note for note in table.notes)


def test_parquet_index_booleans_and_decimals(tmp_path, monkeypatch):
    pd = pytest.importorskip("pandas")
    import decimal

    monkeypatch.chdir(tmp_path)
    frame = pd.DataFrame({"a": [1.5, 2.5], "b": [True, False]}, index=[7, 9])
    frame["c"] = [decimal.Decimal("1.25"), decimal.Decimal("2.5")]
    for name in (None, "town"):
        frame.index.name = name
        frame.to_parquet("t.parquet")
        table = read_table("t.parquet")
        assert table.names == ("a", "b", "c")
        assert table.X.tolist() == [[1.5, 1, 1.25], [2.5, 0, 2.5]]
    assert read_table(frame).X.tolist() == [[1.5, 1, 1.25], [2.5, 0, 2.5]]


def test_parquet_with_one_name_twice_is_refused(tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    path = tmp_path / "t.parquet"
    parquet.write_table(pa.table([pa.array([1.0]), pa.array([2.0])], names=["a", "a"]), path)
    with pytest.raises(ValueError, match="'a' for columns 1 and 2"):
        read_table(path)


def test_single_precision_is_kept(tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    path = tmp_path / "t.parquet"
    parquet.write_table(pa.table({"a": np.array([1.5, 2], dtype=np.float32)}), path)
    assert read_table(path).X.dtype == np.float32


def test_pattern_reads_files_in_order(read):
    Path("a1.csv").write_text("a,b\n1,2\n")
    Path("a2.csv").write_text("a,b\n3,4\n")
    assert read_table("a*.csv").X.tolist() == [[1, 2], [3, 4]]
    Path("a3.csv").write_text("b,a\n3,4\n")
    with pytest.raises(ValueError, match=r"laid out alike; got a3\.csv, unlike a1\.csv"):
        read_table("a*.csv")


def test_select_statement_only_reads(read):
    read("a,b\n1,2\n3,4\n5,6\n")
    table = read_table("SELECT b, a FROM 't.csv' WHERE a > 1")
    assert table.names == ("b", "a") and table.X.tolist() == [[4, 3], [6, 5]]
    for query in (
        "SELECT 1; SELECT 2",
        "WITH x AS (SELECT 1) INSERT INTO y SELECT * FROM x",
        "SELECT * FROM 'http://127.0.0.1:9/t.csv'",
        "SELECT * FROM nowhere",
    ):
        with pytest.raises(ValueError, match=r"query must|SELECT statement"):
            read_table(query)
    assert not Path("y").exists()


def test_stream_is_read(tmp_path, monkeypatch):
    class Input:
        buffer = io.BytesIO(b"a,b\n1,2\n3,4\n")

    monkeypatch.setattr(sys, "stdin", Input())
    assert read_table("-").X.tolist() == [[1, 2], [3, 4]]
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_text("a,b\n5,6\n"))
    writer.start()
    table = read_table(str(pipe))
    writer.join()
    assert table.X.tolist() == [[5, 6]] and table.name == "pipe"


def test_blocks_and_mapped_file_are_equal(read, monkeypatch):
    X = np.random.RandomState(0).randn(500, 3)
    buffer = io.BytesIO()
    np.savetxt(buffer, X, fmt="%.17g", delimiter=",")
    monkeypatch.setattr("annlab.datasets.tables._BLOCK", 100)
    np.testing.assert_array_equal(read(buffer.getvalue()).X, X)
    monkeypatch.setattr("annlab.datasets.tables.available_memory", lambda: X.nbytes)
    mapped = read(buffer.getvalue()).X
    assert isinstance(mapped, np.memmap)
    np.testing.assert_array_equal(mapped, X)


# ----------------------------------------------------------------------------------- your_data


def test_your_data_reads_numbers_of_a_text_file(tmp_path):
    X = np.random.RandomState(0).randn(60, 3)
    np.savetxt(tmp_path / "t.txt", X, header="measured in May")
    expected = (X - X.mean(axis=0)) / X.std(axis=0)
    np.testing.assert_allclose(widgets.your_data(tmp_path / "t.txt"), expected)


def test_your_data_refuses_in_its_own_keywords(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a;b\n1,533;2\n2,044;3\n")
    with pytest.raises(ValueError, match="decimal='comma'") as error:
        widgets.your_data(path)
    assert "--" not in str(error.value)
    assert widgets.your_data(path, decimal="comma").tolist() == [[-1, -1], [1, 1]]


def test_your_data_names_columns_that_it_leaves_out(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("who,a,b\nann,1,2\nbob,3,\neve,5,6\n")
    with pytest.warns(AnnlabWarning, match=r"left out: who, text; 1 of 3 rows"):
        assert len(widgets.your_data(path)) == 2


# ----------------------------------------------------------------------------- generated tables


def generated(seed: int) -> tuple[bytes, dict, dict]:
    """Return a random table, with the options that annlab and pandas need."""
    rng = np.random.RandomState(seed)
    n, d = rng.randint(2, 40), rng.randint(1, 6)
    delimiter = str(rng.choice([",", ";", "\t", "|", " "]))
    decimal = "," if delimiter != "," and rng.rand() < 0.25 else "."
    group = {".": ",", ",": "."}[decimal] if rng.rand() < 0.15 else ""
    scale, digits = [(1000, 0), (1, 3), (1e5, 9), (3, 1)][rng.randint(4)]

    def written(value: float) -> str:
        text = f"{value:{',' if group else ''}.{digits}f}"
        return text.translate({ord("."): decimal, ord(","): group})

    rows = [[written(value) for value in row] for row in rng.randn(n, d) * scale]
    theirs = {"sep": delimiter, "decimal": decimal, "header": None}
    ours: dict = {"skip_text": True}
    if group:
        marks = {".": "point", ",": "comma"}
        ours |= {"decimal": marks[decimal], "thousands": marks[group]}
        theirs["thousands"] = group
    head = rng.choice(["none", "words", "years", "index"])
    names = {
        "none": None,
        "words": [f"c{place}" for place in range(d)],
        "years": [str(2000 + place) for place in range(d)],
        "index": ["", *(f"x{place}" for place in range(d))],
    }[head]
    if head == "index":
        rows = [[str(place), *row] for place, row in enumerate(rows)]
        theirs["index_col"] = 0
    if rng.rand() < 0.15 and delimiter != " ":
        rows = [[*row, f"name {delimiter} {place}"] for place, row in enumerate(rows)]
        names = names and [*names, "label"]
    if names:
        rows.insert(0, names)
        theirs["header"] = 0
        ours["header"] = "yes"
    lines = [
        delimiter.join(f'"{cell}"' if delimiter in cell else cell for cell in row) for row in rows
    ]
    quirk = rng.choice(["", "title", "blank", "mark", "ends", "open"])
    if quirk == "title" and len(rows[0]) > 1:
        lines.insert(0, "Measured")
        theirs["skiprows"] = 1
    if quirk == "blank":
        lines.insert(rng.randint(len(lines)), "")
    end = "\r\n" if quirk == "ends" else "\n"
    text = end.join(lines) + ("" if quirk == "open" else end)
    return text.encode("utf-8-sig" if quirk == "mark" else "utf-8"), ours, theirs


@pytest.mark.parametrize(
    "seeds",
    [range(60), pytest.param(range(60, 2060), marks=pytest.mark.full)],
    ids=["60 tables", "2000 tables"],
)
def test_generated_tables_hold_what_pandas_reads_or_are_refused(read, seeds):
    pd = pytest.importorskip("pandas")
    refused = 0
    for seed in seeds:
        content, ours, theirs = generated(seed)
        frame = pd.read_csv(io.BytesIO(content), **theirs)
        expected = frame.select_dtypes("number").to_numpy(dtype=float)
        try:
            values = read(content, **ours).X
        except ValueError:
            refused += 1
            continue
        assert values.shape == expected.shape, seed
        np.testing.assert_allclose(values, expected, rtol=1e-14, err_msg=str(seed))
    assert refused <= len(seeds) / 10

"""``annlab cluster``: files in, the result of `kmeans_ann` out, and refusals that help."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from annlab import cli, kmeans_ann
from annlab._cli import cluster as _cluster
from annlab._cli import cluster_input, cluster_report
from annlab._cli.cluster import OUTPUTS, read_rows


@pytest.fixture
def X() -> np.ndarray:
    centres = np.array([[0, 0, 0], [9, 0, 5], [0, 9, -5], [9, 9, 9]], dtype=np.float64)
    noise = np.random.RandomState(0).randn(400, 3).round(3)
    return np.repeat(centres, 100, axis=0) + noise


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def save(X: np.ndarray, kind: str, **more) -> str:
    """Write the rows as a file of a kind; return its name."""
    name = f"rows.{kind}"
    if kind == "npy":
        np.save(name, X)
    elif kind == "npz":
        np.savez_compressed(name, X)
    elif kind in ("csv", "tsv"):
        np.savetxt(name, X, fmt="%.17g", delimiter="\t" if kind == "tsv" else ",", **more)
    elif kind == "txt":
        np.savetxt(name, X, fmt="%25.17g")
    else:
        pyarrow = pytest.importorskip("pyarrow")
        from pyarrow import parquet

        table = pyarrow.table({f"c{place}": X[:, place] for place in range(X.shape[1])})
        parquet.write_table(table, name, row_group_size=150)
    return name


def cluster(*words: object, n_clusters: int = 4) -> int:
    return cli.main(["cluster", *map(str, words), "--n-clusters", str(n_clusters), "--quiet"])


def refused(capsys, *words: object, n_clusters: int = 4) -> str:
    """The sentence of a refusal, after which nothing lies in the folder."""
    before = sorted(path.name for path in Path.cwd().iterdir())
    assert cluster(*words, n_clusters=n_clusters) == 2
    assert sorted(path.name for path in Path.cwd().iterdir()) == before
    said = capsys.readouterr()
    assert said.out == "" and said.err.startswith("annlab cluster: ")
    return said.err


# ------------------------------------------------------------------------------------- what it does


@pytest.mark.parametrize("kind", ["npy", "npz", "csv", "tsv", "txt", "parquet"])
def test_the_result_is_that_of_the_library_whatever_the_file(here, X, kind, capsys):
    name = save(X, kind)
    assert cluster(name, "--json", "--algorithm", "brute", "--random-state", 3) == 0
    expected = kmeans_ann(X, 4, algorithm="brute", random_state=3)
    out = here / "rows-clusters"
    np.testing.assert_array_equal(np.load(out / "labels.npy"), expected.labels)
    np.testing.assert_allclose(np.load(out / "centroids.npy"), expected.centroids, rtol=1e-12)
    report = json.loads((out / "report.json").read_text())
    assert report == json.loads(capsys.readouterr().out)
    assert report["result"]["inertia"] == pytest.approx(expected.inertia, rel=1e-12)
    assert report["cluster_sizes"]["of_each"] == np.bincount(expected.labels).tolist()
    assert report["input"]["n_samples"] == 400 and report["input"]["n_features"] == 3
    assert report["files"] == [name for name in OUTPUTS if (out / name).exists()]
    table = kind not in ("npy", "npz")
    assert (out / "labels.csv").exists() == (out / "centroids.csv").exists() == table
    assert not list(out.glob(".annlab-*"))


def test_tables_hold_the_same_as_the_arrays(here, X):
    name = save(X, "csv", header="height, width, depth", comments="")
    assert cluster(name) == 0
    out = here / "rows-clusters"
    with (out / "labels.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert [int(line["row"]) for line in lines] == list(range(1, 401))
    assert [int(line["label"]) for line in lines] == np.load(out / "labels.npy").tolist()
    with (out / "centroids.csv").open() as file:
        lines = list(csv.DictReader(file))
    for place, column in enumerate(("height", "width", "depth")):
        values = [float(line[column]) for line in lines]
        assert values == np.load(out / "centroids.npy")[:, place].tolist()


def test_the_parameters_reach_the_library(here, X, monkeypatch):
    seen = {}

    def record(X, n_clusters, max_iter, **more):
        seen.update(more, X=X, n_clusters=n_clusters, max_iter=max_iter)
        return kmeans_ann(X, n_clusters, max_iter, **more)

    monkeypatch.setattr("annlab.clustering.kmeans_ann", record)
    words = "--algorithm kd_tree --max-iter 7 --n-init 2 --random-state 5 --n-jobs 2".split()
    assert cluster(save(X, "npy"), *words) == 0
    assert isinstance(seen.pop("X"), np.memmap), "an .npy file is to be mapped, not read"
    assert seen == {
        "n_clusters": 4,
        "max_iter": 7,
        "algorithm": "kd_tree",
        "metric": "euclidean",
        "n_init": 2,
        "random_state": 5,
        "n_jobs": 2,
        "progress": False,
    }


def test_progress_and_the_report_go_to_different_streams(here, X):
    name = save(X, "npy")
    done = subprocess.run(
        [sys.executable, "-m", "annlab", "cluster", name, "--n-clusters", "4", "--json"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0
    assert json.loads(done.stdout)["result"]["converged"]
    assert "400 rows, 3 columns" in done.stderr and "k-means" in done.stderr


def test_the_readable_report_says_the_same(here, X, capsys):
    assert cluster(save(X, "npy"), "--max-iter", 1, n_clusters=20) == 0
    page = (here / "rows-clusters" / "report.md").read_text()
    report = json.loads((here / "rows-clusters" / "report.json").read_text())
    assert f"{report['result']['inertia']:.6g}" in page and "400 rows of 3 columns" in page
    assert "--max-iter" in page and not report["result"]["converged"]
    assert f"{report['result']['inertia']:.6g}" in capsys.readouterr().out


def test_what_the_library_warns_of_is_a_note_in_the_report(here, X, capsys):
    X[:5] = 0
    assert cluster(save(X, "npy"), "--metric", "cosine") == 0
    said = capsys.readouterr().err
    assert "annlab cluster: 5 rows of X are all zero" in said and "Warning" not in said
    report = json.loads((here / "rows-clusters" / "report.json").read_text())
    assert len(report["notes"]) == 1 and "all zero" in report["notes"][0]


# ------------------------------------------------------------------------------------ text files


@pytest.mark.parametrize(
    ("text", "names", "rows"),
    [
        ("1,2\n3,4\n", None, [[1, 2], [3, 4]]),
        ("a,b\n1,2\n3,4\n", ("a", "b"), [[1, 2], [3, 4]]),
        ("\ufeffa;b\r\n1;2\r\n\r\n3;4\r\n", ("a", "b"), [[1, 2], [3, 4]]),
        ('"a, the first","b"\n1,2\n3,4', ("a, the first", "b"), [[1, 2], [3, 4]]),
        ("id,2019,2020\n1,2,3\n4,5,6\n", ("id", "2019", "2020"), [[1, 2, 3], [4, 5, 6]]),
        ("  1.5   2\n 3e1  -4\n", None, [[1.5, 2], [30, -4]]),
        ("a|b\n1|2\n", ("a", "b"), [[1, 2]]),
        ("x\n1\n2\n", ("x",), [[1], [2]]),
        ("5\n1\n2\n", None, [[5], [1], [2]]),
    ],
)
def test_delimiters_and_headers_are_recognised(here, text, names, rows):
    Path("t.csv").write_bytes(text.encode())
    found = read_rows(Path("t.csv"))
    assert (found.names, found.n, found.d) == (names, len(rows), len(rows[0]))
    np.testing.assert_array_equal(found.load(), rows)


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ("height", [1]),
        ("2", [1]),
        ("3,height", [2, 1]),
        ("2-4", [1, 2, 3]),
        ("2-4,3", [1, 2, 3]),
        ("7", [3]),
        ('"a, b"', [2]),
    ],
)
def test_columns_are_chosen_by_name_or_number(here, columns, expected):
    # the last column is named by a number, and names go before numbers
    Path("t.csv").write_text('who,height,"a, b",7\nann,1,2,3\nbob,4,5,6\n')
    rows = read_rows(Path("t.csv"), columns=columns)
    body = np.array([[0, 1, 2, 3], [0, 4, 5, 6]])[:, expected]
    np.testing.assert_array_equal(rows.load(), body)
    assert rows.names == tuple(["who", "height", "a, b", "7"][place] for place in expected)


def test_columns_of_arrays_and_parquet(here, X):
    for kind in ("npy", "npz", "parquet"):
        rows = read_rows(Path(save(X, kind)), columns="3,1")
        np.testing.assert_array_equal(rows.load(), X[:, [2, 0]])
        assert (rows.n, rows.d) == (400, 2)


def test_a_first_row_can_be_declared(here):
    Path("t.csv").write_text("1,2\n3,4\n")
    assert read_rows(Path("t.csv"), header="yes").names == ("1", "2")
    assert read_rows(Path("t.csv"), header="yes").n == 1


# --------------------------------------------------------------------------------------- refusals


def test_nothing_is_overwritten_unless_forced(here, X, capsys):
    name = save(X, "csv")
    out = here / "mine"
    out.mkdir()
    (out / "notes.txt").write_text("keep me")
    assert cluster(name, "--out", out) == 0
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    capsys.readouterr()
    assert "--force" in refused(capsys, name, "--out", out, n_clusters=5)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    # another kind of input writes fewer files: none of the older ones may stay beside them
    assert cluster(save(X, "npy"), "--out", out, "--force", n_clusters=5) == 0
    assert len(np.load(out / "centroids.npy")) == 5 and not (out / "labels.csv").exists()
    assert (out / "notes.txt").read_text() == "keep me"


@pytest.mark.parametrize(
    ("text", "words", "said"),
    [
        (
            "who,h\nann,1\nbob,2\n",
            [],
            r"Column 'who' of t\.csv .* text such as 'ann' in line 2\. .*--columns h\. Or encode",
        ),
        (
            "h,city,w\n1,,2\n\n3,Rome,4\n5,,6\n",
            ["--columns", "h,city"],
            r"Column 'city' .* text such as 'Rome' in line 4\. .*--columns h\. Or encode",
        ),
        ("a,b\nx,y\nz,w\n", [], r"text such as 'x' in line 2\. Encode the text as numbers"),
        ("who,h,w\nann,1,\nbob,,\n", [], r"'who' .*--columns h,w\. Or encode"),
        ("who,net weight\nann,1\n", [], r"--columns 'net weight'\."),
        ("who,h\nann\nbob,1\n", ["--columns", "h,who"], r"2 columns; got 1 column in line 2"),
        ("h,w\n1,2\n3,\n", [], r"Column 'w' of t\.csv .* an empty cell in line 3\. Fill in or rem"),
        ("1;2\n\n;4\n", [], r"Column 1 of t\.csv .* an empty cell in line 3\. Fill in"),
        ("\nh,w\n1,2\n3,n/a\n", [], r"'w' .* got 'n/a' in line 4\. Fill in or remove"),
        ("h,w\n1,2\n3,4x\n5,6\n", [], r"'w' .* got '4x' in line 3\. Correct that line"),
        (
            "h;w\n1,533;2\n",
            [],
            r"about its commas; got '1,533' in line 2\. Say what they mean: --dec",
        ),
        ("h,1\n2,3\n4,5\n", ["--header", "no"], r"got 'h' in line 1\. .*--header yes"),
        ("", [], r"t\.csv must be a file with rows; got one that is empty"),
        ("a,b\n", [], r"t\.csv must be a file with rows; got one that has none"),
        ("height,w\n1,2\n", ["--columns", "hight"], "Did you mean 'height'"),
        ("h,w\n1,2\n", ["--columns", "9"], "numbers from 1 to 2"),
        ("h,w\n1,2\n", ["--columns", "2-1"], "numbers from 1 to 2"),
        ("h,w\n1,2\n", ["--columns", " "], "--columns"),
        ("1,2\n" * 80 + "3,x\n" + "1,2\n", [], r"Column 2 of t\.csv .* 'x' in line 81\. Correct"),
        ("1,2\n" * 80 + "3\n", [], r"Each row of t\.csv .* 2 columns; got 1 column in line 81"),
        ("h,w\n" + "1,2\n" * 80 + "3,\n", [], r"Column 'w' .* an empty cell in line 82\. Fill in"),
        ("1,2\n" * 80 + "nan,1\n", [], r"Column 1 of t\.csv .* 'nan' in line 81\. Fill in"),
        ("h,w\n1,2\n\n3,NaN\n", [], r"Column 'w' of t\.csv .* 'NaN' in line 4\. Fill in"),
        ("h,w\n" + "1,2\n" * 80 + "3,-inf\n", [], r"'w' .* finite .* '-inf' in line 82\. Remove"),
        ("1,2\n3,4\n5,1e200\n", ["--columns", "2"], r"Column 2 .* '1e200' in line 3\. Divide"),
        ("who,h\nnan,1\nann,2\nbob,3\n", [], r"'who' .* text such as 'ann' in line 3"),
    ],
)
def test_a_table_with_a_fault_is_refused_in_a_sentence(here, text, words, said, capsys):
    import re

    Path("t.csv").write_text(text)
    sentence = refused(capsys, "t.csv", *words, n_clusters=1)
    assert re.search(said, sentence), sentence
    assert "INPUT" not in sentence


def test_files_that_are_no_such_files(here, X, capsys):
    Path("a.npy").write_bytes(b"no array at all")
    np.save("b.npy", X)
    Path("b.npy").write_bytes(Path("b.npy").read_bytes()[:-800])
    np.save("c.npy", np.zeros((3, 4, 5)))
    np.save("d.npy", np.array([{}, {}], dtype=object), allow_pickle=True)
    np.save("e.npy", np.array([["a"] * 3] * 9))
    Path("f.npz").write_bytes(b"PK\x03\x04 broken")
    np.savez("g.npz", a=X, b=X)
    np.savez_compressed("h.npz", X)
    Path("h.npz").write_bytes(Path("h.npz").read_bytes().replace(b"x\x9c", b"zz"))
    Path("i.csv").write_bytes(b"\xff\xfe\x00a,b\n")
    Path("k.xlsx").write_bytes(b"")
    Path("l.json").write_bytes(b"")
    (here / "folder.npy").mkdir()
    for name, remedy in {
        "a.npy": "Save it again",
        "b.npy": "whole",
        "c.npy": "Reshape",
        "d.npy": "X.astype(float)",
        "e.npy": "Convert it",
        "f.npz": "Save it again",
        "g.npz": "There are: a, b",
        "i.csv": "Save it again",
        "k.xlsx": "Save the sheet as CSV",
        "l.json": "Save the rows as CSV",
        "folder.npy": "Name the file",
        "none.npy": "Check its name",
    }.items():
        sentence = refused(capsys, name)
        assert remedy in sentence and "INPUT" not in sentence, sentence
        # of the key its own rule
        assert name in sentence or name == "g.npz", sentence
    assert "npy" not in refused(capsys, "k.xlsx").rpartition("'.xlsx'")[2]
    assert "--key" in refused(capsys, "g.npz", "--key", "c")
    assert cluster("g.npz", "--key", "b") == 0


def test_parquet_without_values(here, X, capsys, monkeypatch):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    table = pyarrow.table({"a": [1.0, None, 3.0], "who": ["x", "y", "z"], "b": [1, 2, 3]})
    parquet.write_table(table, "t.parquet")
    sentence = refused(capsys, "t.parquet", n_clusters=2)
    assert "--columns a,b" in sentence and "encode" in sentence
    assert "Column 'who' of t.parquet must be numbers; got text such as 'x' in row 1" in sentence
    sentence = refused(capsys, "t.parquet", "--columns", "a", n_clusters=2)
    assert "Column 'a' of t.parquet must be numbers; got an empty cell in row 2." in sentence
    assert cluster("t.parquet", "--columns", "b", n_clusters=2) == 0
    capsys.readouterr()
    Path("u.parquet").write_bytes(b"PAR1")
    assert "Save it again" in refused(capsys, "u.parquet")


def test_the_call_is_checked_before_the_file_is_read(here, X, capsys, monkeypatch):
    name = save(X, "npz")
    monkeypatch.setattr(_cluster, "_fit", lambda *words: pytest.fail("the file was read"))
    assert "--n-clusters must be at most the 400 rows of rows.npz; got 401" in refused(
        capsys, name, n_clusters=401
    )
    assert "--n-clusters must be" in refused(capsys, name, n_clusters=0)
    assert "Did you mean 'hnsw'" in refused(capsys, name, "--algorithm", "hsnw")
    assert refused(capsys, name, "--algorithm", "hsnw").count("'auto'") == 1
    assert "cosine" in refused(capsys, name, "--metric", "cosin")
    assert "--max-iter" in refused(capsys, name, "--max-iter", 0)
    assert "--random-state must be" in refused(capsys, name, "--random-state", -1)
    assert "--n-jobs must be" in refused(capsys, name, "--n-jobs", 0)
    assert "--header must be given with" in refused(capsys, name, "--header", "no")
    assert "--delimiter must be given with" in refused(capsys, name, "--delimiter", "tab")
    assert "Did you mean 'rows.npz'" in refused(capsys, "row.npz")
    assert "no folder" in refused(capsys, "below/rows.npz")
    monkeypatch.setattr(_cluster, "available_memory", lambda: 10_000)
    sentence = refused(capsys, name)
    assert "10.0 kB that are free" in sentence and sentence.startswith(f"annlab cluster: {name} ")
    assert "--columns" in refused(capsys, save(X, "csv"))
    assert "--key must be given with" in refused(capsys, "rows.csv", "--key", "X")


def test_what_fails_on_the_way_names_the_file(here, X, capsys, monkeypatch):
    name = save(X, "csv")

    def full(*words, **more):
        raise MemoryError

    monkeypatch.setattr("annlab.clustering.kmeans_ann", full)
    assert "rows.csv must be small enough for the memory" in refused(capsys, name)


def test_a_memory_mapped_file_needs_no_room_for_its_rows(here, X, monkeypatch):
    name = save(np.repeat(X, 50, axis=1), "npy")
    monkeypatch.setattr(_cluster, "available_memory", lambda: 60_000)
    assert os.path.getsize(name) > 400_000 and cluster(name) == 0


def test_a_folder_that_cannot_be_written_is_found_first(here, X, capsys, monkeypatch):
    name = save(X, "npy")
    monkeypatch.setattr(_cluster, "_fit", lambda *words: pytest.fail("it was clustered first"))
    (here / "file").write_text("")
    assert "--out must be a folder" in refused(capsys, name, "--out", "file")
    sentence = refused(capsys, name, "--out", here / "file" / "below")
    assert "--out must be a folder in which files can be written" in sentence
    assert "Errno" not in sentence and "Name another one" in sentence
    # a folder that is made and cannot be written is not left behind
    monkeypatch.setattr(
        cluster_report.tempfile, "TemporaryFile", lambda **where: open(here / "a" / "b")
    )
    assert "files can be written" in refused(capsys, name, "--out", "new")


@pytest.mark.parametrize("kind", ["npy", "npz", "parquet", "csv"])
@pytest.mark.parametrize("columns", [None, "3,2"])
def test_a_value_that_cannot_be_used_is_named_by_column_and_row(
    here, X, kind, columns, capsys, monkeypatch
):
    # in a later block than the first, and in more rows than one
    monkeypatch.setattr(cluster_input, "_SEARCHED", 60)
    words = [] if columns is None else ["--columns", columns]
    for value, remedy in ((np.nan, "Fill in"), (-np.inf, "Remove or correct"), (1e200, "Divide")):
        bad = X.copy()
        bad[[77, 390], 1] = value
        name = save(bad, kind)
        sentence = refused(capsys, name, *words)
        column = "'c1'" if kind == "parquet" else "2"
        place = "line 78" if kind == "csv" else "row 78"
        assert f"Column {column} of {name} must be" in sentence and place in sentence, sentence
        assert remedy in sentence, sentence
        if kind in ("npy", "npz"):
            assert "at X[77, 1], the first of 2 such values" in sentence


def test_a_file_that_may_not_be_read(here, X, capsys, monkeypatch):
    def denied(path, *words, **more):
        raise PermissionError(13, "Permission denied")

    name = save(X, "csv")
    monkeypatch.setattr(Path, "open", denied)
    sentence = refused(capsys, name)
    assert f"{name} must be a file that can be read; got Permission denied." in sentence


def test_single_precision_has_its_own_largest_value(here, X, capsys):
    rows = X.astype(np.float32)
    rows[5, 0] = np.inf
    np.save("rows.npy", rows)
    assert "Column 1 of rows.npy must be finite numbers; got inf in row 6" in refused(
        capsys, "rows.npy"
    )


def test_a_failure_leaves_nothing_behind(here, X, capsys):
    X[7, 1] = np.inf
    assert "Column 2 of rows.npy" in refused(capsys, save(X, "npy"))


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C reaches a process in another way there")
def test_ctrl_c_keeps_what_was_reached(here):
    np.save("rows.npy", np.random.RandomState(0).rand(100_000, 16).astype(np.float32))
    words = "cluster rows.npy --n-clusters 400 --max-iter 100000 --algorithm brute".split()
    running = subprocess.Popen(
        [sys.executable, "-m", "annlab", *words],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # what a shell starts in the background ignores Ctrl-C, and so do its children
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    watch = threading.Timer(60, running.kill)
    watch.start()
    try:
        said = b""
        # a line of progress stands there after an iteration
        while b"inertia" not in said and running.poll() is None:
            said += os.read(running.stderr.fileno(), 4096)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate()
    finally:
        watch.cancel()
        running.kill()
    assert running.returncode == 130, err
    report = json.loads((here / "rows-clusters" / "report.json").read_text())
    assert report["result"]["stop_reason"] == "interrupted" and report["result"]["n_iter"] >= 1
    assert len(np.load(here / "rows-clusters" / "labels.npy")) == 100_000
    assert b"Traceback" not in err and b"interrupted" in out


# ------------------------------------------------------------------------------------ odd archives


def test_an_empty_list_of_columns_is_no_choice(here, X, capsys):
    assert "--columns must be one column or more; got ''" in refused(
        capsys, save(X, "csv"), "--columns", ""
    )


def test_archives_that_are_damaged_inside(here, X, capsys):
    import io
    import zipfile

    with Path("one.npz").open("wb") as file:
        np.save(file, X)
    assert "it holds one array and no archive" in refused(capsys, "one.npz")
    member = io.BytesIO()
    np.save(member, X)
    whole = member.getvalue()
    for name, content in (("head.npz", b"no array at all"), ("rest.npz", whole[: -8 * 10])):
        with zipfile.ZipFile(name, "w") as archive:
            archive.writestr("x.npy", content)
        assert "a damaged one" in refused(capsys, name)
    with zipfile.ZipFile("whole.npz", "w") as archive:
        archive.writestr("x.npy", whole)
    np.testing.assert_array_equal(read_rows(Path("whole.npz")).load(), X)


def test_other_warnings_stay_warnings(here, X, monkeypatch, capsys):
    import warnings

    fit = _cluster._cluster

    def warned(X, rows, options):
        warnings.warn_explicit("change it", FutureWarning, "theirs.py", 7)
        return fit(X, rows, options)

    monkeypatch.setattr(_cluster, "_cluster", warned)
    with pytest.warns(FutureWarning, match="change it") as seen:
        assert cluster(save(X, "npy")) == 0
    assert [(one.filename, one.lineno) for one in seen] == [("theirs.py", 7)]
    report = json.loads((here / "rows-clusters" / "report.json").read_text())
    assert report["notes"] == []


def test_a_folder_that_was_there_stays_when_the_clustering_fails(here, X, monkeypatch, capsys):
    def fails(rows, options):
        raise ValueError("not today")

    monkeypatch.setattr(_cluster, "_fit", fails)
    name = save(X, "npy")
    (here / "mine").mkdir()
    assert cluster(name, "--out", "mine") == 2
    assert (here / "mine").is_dir()
    assert cluster(name, "--out", "new") == 2
    assert not (here / "new").exists()


def test_the_share_of_exact_labels_is_told_with_its_interval(here, X, capsys):
    assert cluster(save(X, "npy")) == 0
    report = json.loads((here / "rows-clusters" / "report.json").read_text())
    told = "**Labels that are exact**: "
    assert told not in _cluster.as_text(report)
    report["result"].update(recall_estimate=0.975, recall_interval=[0.961, 0.984])
    assert told + "97.5% estimated (95 % interval 0.961 to 0.984)\n" in _cluster.as_text(report)
    report["result"].update(recall_interval=None)
    assert told + "97.5% estimated\n" in _cluster.as_text(report)

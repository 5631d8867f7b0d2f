"""``annlab cluster``: results equal to `kmeans_ann`, and helpful errors."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import signal
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest

from annlab import cli, kmeans_ann
from annlab._cli import cluster as _cluster
from annlab._cli import cluster_report
from annlab._cli.cluster_report import OUTPUTS
from annlab.datasets.tables import read_table


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


def cluster(*words: object, n_clusters: object = 4) -> int:
    return cli.main(["cluster", "--n-clusters", str(n_clusters), "--quiet", *map(str, words)])


def refused(capsys, *words: object, n_clusters: int = 4) -> str:
    """Return the error message of a refusal that must leave the folder empty."""
    before = sorted(path.name for path in Path.cwd().iterdir())
    assert cluster(*words, n_clusters=n_clusters) == 2
    assert sorted(path.name for path in Path.cwd().iterdir()) == before
    said = capsys.readouterr()
    assert said.out == "" and said.err.startswith("annlab cluster: ")
    return said.err


# ------------------------------------------------------------------------------------- what it does


@pytest.mark.parametrize("kind", ["npy", "npz", "csv", "tsv", "txt", "parquet"])
def test_result_equals_that_of_the_library(here, X, kind, capsys):
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


def test_tables_equal_the_arrays(here, X):
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


def test_parameters_reach_the_library(here, X, monkeypatch):
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


def test_readable_report_equals_the_values(here, X, capsys):
    assert cluster(save(X, "npy"), "--max-iter", 1, n_clusters=20) == 0
    page = (here / "rows-clusters" / "report.md").read_text()
    report = json.loads((here / "rows-clusters" / "report.json").read_text())
    assert f"{report['result']['inertia']:.6g}" in page and "400 rows of 3 columns" in page
    assert "--max-iter" in page and not report["result"]["converged"]
    assert f"{report['result']['inertia']:.6g}" in capsys.readouterr().out


def test_warnings_of_the_library_are_notes_in_the_report(here, X, capsys):
    X[:5] = 0
    assert cluster(save(X, "npy"), "--metric", "cosine") == 0
    said = capsys.readouterr().err
    assert "annlab cluster: 5 rows of X are all zero" in said and "Warning" not in said
    report = json.loads((here / "rows-clusters" / "report.json").read_text())
    assert len(report["notes"]) == 1 and "all zero" in report["notes"][0]


def test_columns_of_arrays_and_parquet_are_chosen_by_number(here, X):
    for kind in ("npy", "npz", "parquet"):
        np.testing.assert_array_equal(read_table(save(X, kind), columns="3,1").X, X[:, [2, 0]])


def test_labels_name_the_rows_of_the_file_where_some_are_skipped(here):
    Path("t.csv").write_text("a,b\n1,2\n3\n9,9\n,6\n7,8\n")
    assert cluster("t.csv", "--skip-bad-rows", n_clusters=2) == 0
    lines = Path("t-clusters/labels.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["row", "1", "3", "5"]
    report = json.loads(Path("t-clusters/report.json").read_text())
    assert any("skipped" in note for note in report["input"]["read_as"])
    assert "Read as" in Path("t-clusters/report.md").read_text()


@pytest.mark.parametrize("kind", ["csv", "npy"])
def test_standardize_scales_columns_and_the_report_says_when_it_would_help(here, capsys, kind):
    rng = np.random.RandomState(0)
    group = np.repeat([0, 1], 40)
    X = np.column_stack([group * 4 + rng.randn(80) * 0.1, rng.randn(80) * 5000])
    name = save(X if kind == "csv" else np.rint(X * 100).astype(int), kind)
    assert cluster(name, n_clusters=2) == 0
    assert "--standardize" in capsys.readouterr().err
    assert 0.2 < np.mean(np.load("rows-clusters/labels.npy") == group) < 0.8
    assert cluster(name, "--standardize", "--force", n_clusters=2) == 0
    assert "--standardize" not in capsys.readouterr().err
    labels = np.load("rows-clusters/labels.npy")
    assert np.mean(labels == group) in (0.0, 1.0)
    expected = [read_table(name).X[labels == place].mean(axis=0) for place in (0, 1)]
    np.testing.assert_allclose(np.load("rows-clusters/centroids.npy"), expected, rtol=1e-6)


def test_range_of_clusters_is_scanned_and_the_best_is_clustered(here, X, capsys):
    assert cluster(save(X, "csv"), n_clusters="2-7") == 0
    assert len(np.load("rows-clusters/centroids.npy")) == 4
    with open("rows-clusters/scan.csv") as file:
        assert [line["n_clusters"] for line in csv.DictReader(file)] == list("234567")
    report = json.loads(Path("rows-clusters/report.json").read_text())
    assert [row["n_clusters"] for row in report["scan"]] == [2, 3, 4, 5, 6, 7]
    assert "k = 4 stands out" in capsys.readouterr().out
    np.save("noise.npy", np.random.RandomState(0).rand(300, 3))
    assert cluster("noise.npy", n_clusters="2-5") == 0
    assert "no k stands out" in capsys.readouterr().out
    assert [path.name for path in Path("noise-clusters").iterdir()] == ["scan.csv"]


@pytest.mark.parametrize("words", [[], ["--standardize"], ["--columns", "depth,height"]])
def test_predict_labels_new_rows_with_the_columns_and_scaling_of_the_model(here, X, capsys, words):
    save(X * [1, 1000, 1], "csv", header="height,width,depth", comments="")
    assert cluster("rows.csv", *words) == 0
    labels = np.load("rows-clusters/labels.npy")
    # an array has no names: its columns are those of the model, or it is refused
    np.save("array.npy", X * [1, 1000, 1])
    capsys.readouterr()
    call = ["cluster", "array.npy", "--predict", "rows-clusters/model.npz", "--json", "--quiet"]
    if "--columns" in words:
        assert cli.main(call) == 2 and "2 columns" in capsys.readouterr().err
    else:
        assert cli.main(call) == 0 and json.loads(capsys.readouterr().out)["n_samples"] == 400
        assert np.array_equal(np.load("array-clusters/labels.npy"), labels)
    # the same rows, their columns in another order and one more
    lines = [f"{i},{z!r},{x!r},{y * 1000!r}" for i, (x, y, z) in enumerate(X.tolist())]
    Path("new.csv").write_text("\n".join(["id,depth,height,width", *lines[::-1]]))
    words = ["new.csv", "--predict", "rows-clusters/model.npz", "--quiet"]
    assert cli.main(["cluster", *words]) == 0
    assert np.array_equal(np.load("new-clusters/labels.npy"), labels[::-1])
    assert "400 rows in 4 clusters" in capsys.readouterr().out
    assert Path("new-clusters/labels.csv").exists()
    Path("new.csv").write_text("depth,height,width\n,1,2\n")
    assert cli.main(["cluster", *words, "--force"]) == 2
    assert "Column 'depth' of new.csv must be numbers" in capsys.readouterr().err


def test_sparse_archive_is_clustered_without_becoming_dense(here, capsys):
    from scipy import sparse

    sparse.save_npz("words.npz", sparse.random(60, 9, density=0.3, format="csr", random_state=0))
    assert cluster("words.npz") == 0
    assert np.load("words-clusters/centroids.npy").shape == (4, 9)
    capsys.readouterr()
    assert "sparse" in refused(capsys, "words.npz", "--standardize", "--force")


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


def archive_of(content: bytes) -> bytes:
    """Return an archive with one member of this content."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        archive.writestr("x.npy", content)
    return whole.getvalue()


def written(save, *words, **named) -> bytes:
    """Return what a function of NumPy writes."""
    file = io.BytesIO()
    save(file, *words, **named)
    return file.getvalue()


_ROWS = written(np.save, np.eye(9))
#: name -> (content, what the refusal says)
UNREADABLE = {
    "a.npy": (b"no array at all", "Save it again"),
    "b.npy": (_ROWS[:-80], "whole"),
    "c.npy": (written(np.save, np.zeros((3, 4, 5))), "Reshape"),
    "d.npy": (written(np.save, np.array([{}]), allow_pickle=True), "X.astype(float)"),
    "e.npy": (written(np.save, np.array([["a"] * 3] * 9)), "Convert it"),
    "f.npy": (b"\x93NUMPY\x07\x00", "Save it again"),
    "g.npy": (b"\x93NUMPY\x01\x00v\x00{'descr': '<f8', 'shape': (3", "Save it again"),
    "h.npy": (written(np.save, np.zeros((0, 3))), "Fill it"),
    "i.npz": (b"PK\x03\x04 broken", "Save it again"),
    "j.npz": (b"", "Save it again"),
    "k.npz": (written(np.savez_compressed, X=np.eye(90)).replace(b"x\x9c", b"zz")[:-40], "Save"),
    "l.npz": (_ROWS, "it holds a single array, not an archive"),
    "m.npz": (archive_of(b"no array at all"), "a damaged one"),
    "n.npz": (archive_of(_ROWS[:-80]), "a damaged one"),
    "o.parquet": (b"PAR1 not at all PAR1", "Save it again"),
    "p.csv.gz": (gzip.compress(b"1,2\n3,4\n")[:-9], "Save it again"),
    "q.csv": (b"\xff\xfe\x00a,b\n", "Save it again"),
    "r.xlsx": (b"", "Save the sheet as CSV"),
    "s.json": (b"", "Save the rows as CSV"),
    "t": (b"1,2\n", "a name without an ending"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_file_that_cannot_be_read_is_refused_in_one_sentence(here, name, capsys):
    content, said = UNREADABLE[name]
    Path(name).write_bytes(content)
    sentence = refused(capsys, name)
    assert said in sentence and name in sentence and sentence.count("\n") == 1
    assert "INPUT" not in sentence


def test_missing_files_and_folders_are_refused_with_a_similar_name(here, X, capsys, monkeypatch):
    save(X, "npz")
    (here / "folder.npy").mkdir()
    os.symlink("nowhere", "row.csv")
    Path("row.docx").write_bytes(b"")
    # neither a dangling link nor another kind of file is suggested
    assert "Did you mean 'rows.npz'" in refused(capsys, "row.npz")
    assert "Check its name" in refused(capsys, "other.npy")
    assert "Check its name" in refused(capsys, "other*.csv")
    assert "no folder" in refused(capsys, "below/rows.npz")
    assert "Name the file" in refused(capsys, "folder.npy")

    def denied(path, *words, **more):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    sentence = refused(capsys, "rows.npz")
    assert "rows.npz must be a file that can be read; got Permission denied." in sentence


def test_array_of_an_archive_is_chosen_by_its_key(here, X, capsys):
    np.savez("two.npz", a=X, b=X)
    assert "Arrays in the file: a, b" in refused(capsys, "two.npz")
    assert "--key" in refused(capsys, "two.npz", "--key", "c")
    assert cluster("two.npz", "--key", "b") == 0


def test_parquet_without_values(here, X, capsys, monkeypatch):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    table = pyarrow.table({"a": [1.0, None, 3.0], "who": ["x", "y", "z"], "b": [1, 2, 3]})
    parquet.write_table(table, "t.parquet")
    sentence = refused(capsys, "t.parquet", n_clusters=2)
    assert "--columns a,b" in sentence and "encode" in sentence
    assert "Column 'who' of t.parquet must be numbers; got values of type VARCHAR" in sentence
    sentence = refused(capsys, "t.parquet", "--columns", "a", n_clusters=2)
    assert "Column 'a' of t.parquet must be numbers; got an empty cell in row 2." in sentence
    assert cluster("t.parquet", "--columns", "b", n_clusters=2) == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--n-clusters", 401], "--n-clusters must be at most the 400 rows of rows.npz; got 401"),
        (["--n-clusters", 0], "--n-clusters must be"),
        (["--n-clusters", "7-2"], "--n-clusters must be an integer >= 1, or a range"),
        (["--n-clusters", "2-401"], "--n-clusters must be at most the 400 rows"),
        (["--algorithm", "hsnw"], "Did you mean 'hnsw'"),
        (["--metric", "cosin"], "Did you mean 'cosine'"),
        (["--max-iter", 0], "--max-iter"),
        (["--random-state", -1], "--random-state must be"),
        (["--n-jobs", 0], "--n-jobs must be"),
        (["--header", "no"], "--header must be given with"),
        (["--delimiter", "tab"], "--delimiter must be given with"),
    ],
)
def test_options_are_checked_before_the_fit(here, X, capsys, monkeypatch, words, said):
    monkeypatch.setattr(_cluster, "_fit", lambda *words: pytest.fail("it was clustered"))
    assert said in refused(capsys, save(X, "npz"), *words)


def test_key_is_refused_for_other_files(here, X, capsys):
    assert "--key must be given with" in refused(capsys, save(X, "csv"), "--key", "X")


def test_input_that_exceeds_memory_is_refused_before_it_is_read(here, X, capsys, monkeypatch):
    monkeypatch.setattr("annlab.datasets.tables.arrays.available_memory", lambda: 5_000)
    sentence = refused(capsys, save(X, "npz"))
    assert "5.0 kB of free memory" in sentence and "--columns" in sentence
    monkeypatch.setattr(_cluster, "available_memory", lambda: 5_000)
    assert "got 9.9 kB" in refused(capsys, save(X, "csv"))


def test_lack_of_memory_names_the_file(here, X, capsys, monkeypatch):
    name = save(X, "csv")

    def full(*words, **more):
        raise MemoryError

    monkeypatch.setattr("annlab.clustering.kmeans_ann", full)
    assert "rows.csv must be small enough for the memory" in refused(capsys, name)


def test_memory_mapped_file_needs_no_memory_for_its_rows(here, X, monkeypatch):
    name = save(np.repeat(X, 50, axis=1), "npy")
    monkeypatch.setattr(_cluster, "available_memory", lambda: 60_000)
    assert os.path.getsize(name) > 400_000 and cluster(name) == 0


def test_unwritable_folder_is_refused_before_the_fit(here, X, capsys, monkeypatch):
    name = save(X, "npy")
    monkeypatch.setattr(_cluster, "_fit", lambda *words: pytest.fail("it was clustered first"))
    (here / "file").write_text("")
    assert "--out must be a folder" in refused(capsys, name, "--out", "file")
    sentence = refused(capsys, name, "--out", here / "file" / "below")
    assert "--out must be a folder in which files can be written" in sentence
    assert "Errno" not in sentence and "Name another one" in sentence
    # a folder that was made but cannot be written to is removed
    monkeypatch.setattr(
        cluster_report.tempfile, "TemporaryFile", lambda **where: open(here / "a" / "b")
    )
    assert "files can be written" in refused(capsys, name, "--out", "new")


@pytest.mark.parametrize("kind", ["npy", "npz", "parquet", "csv"])
@pytest.mark.parametrize("columns", [None, "3,2"])
def test_unusable_value_is_named_by_column_and_row(here, X, kind, columns, capsys, monkeypatch):
    # in a later block than the first, and in more rows than one
    monkeypatch.setattr("annlab.datasets.tables.table._SEARCHED", 60)
    words = [] if columns is None else ["--columns", columns]
    for value, remedy in ((np.nan, "emove"), (-np.inf, "Remove or correct"), (1e200, "Divide")):
        bad = X.copy()
        bad[[77, 390], 1] = value
        name = save(bad, kind)
        sentence = refused(capsys, name, *words)
        column = "'c1'" if kind == "parquet" else "2"
        place = "line 78" if kind == "csv" else "row 78"
        assert f"Column {column} of {name} must be" in sentence and place in sentence, sentence
        assert remedy in sentence, sentence
        assert "the first of 2 values" in sentence


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C reaches a process in another way there")
def test_ctrl_c_writes_the_last_result(here):
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
        # a line of progress is shown after an iteration
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


def test_full_disk_is_named_when_results_are_written(here, X, capsys, monkeypatch):
    name = save(X, "csv")

    def full(*args, **options):
        raise OSError("4096 requested and 0 written")

    monkeypatch.setattr(np, "save", full)
    assert cluster(name) == 2
    said = capsys.readouterr().err
    assert "--out must be a folder on a disk with room" in said and "disk is full" in said


def test_other_warnings_remain_warnings(here, X, monkeypatch, capsys):
    import warnings

    def warned(*words, **options):
        warnings.warn_explicit("change it", FutureWarning, "theirs.py", 7)
        return kmeans_ann(*words, **options)

    monkeypatch.setattr("annlab.clustering.kmeans_ann", warned)
    with pytest.warns(FutureWarning, match="change it") as seen:
        assert cluster(save(X, "npy")) == 0
    assert [(one.filename, one.lineno) for one in seen] == [("theirs.py", 7)]
    report = json.loads((here / "rows-clusters" / "report.json").read_text())
    assert report["notes"] == []


def test_existing_folder_remains_after_a_failure(here, X, monkeypatch, capsys):
    def fails(rows, options):
        raise ValueError("not today")

    monkeypatch.setattr(_cluster, "_fit", fails)
    name = save(X, "npy")
    (here / "mine").mkdir()
    assert cluster(name, "--out", "mine") == 2
    assert (here / "mine").is_dir()
    assert cluster(name, "--out", "new") == 2
    assert not (here / "new").exists()


def test_report_states_the_share_of_exact_labels(here, X, capsys):
    assert cluster(save(X, "npy")) == 0
    report = json.loads((here / "rows-clusters" / "report.json").read_text())
    told = "**Labels that are exact**: "
    assert told not in _cluster.as_text(report)
    report["result"].update(recall_estimate=0.975, recall_interval=[0.961, 0.984])
    assert told + "97.5% estimated (95 % interval 0.961 to 0.984)\n" in _cluster.as_text(report)
    report["result"].update(recall_interval=None)
    assert told + "97.5% estimated\n" in _cluster.as_text(report)

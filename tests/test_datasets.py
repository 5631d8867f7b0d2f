"""Data sets: seeded, of the documented shape; shipped files match their datasheet."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from annlab import datasets
from annlab._support.errors import AnnlabWarning, MissingExtraError
from annlab._support.threads import single_threaded_blas
from annlab.datasets import named, photos, text

DATA = Path(__file__).resolve().parent.parent / "data"

GENERATORS = {
    "cube": lambda seed: datasets.make_uniform_cube(60, 3, random_state=seed),
    "blobs": lambda seed: datasets.make_blobs(60, 4, 3, random_state=seed),
    "outliers": lambda seed: datasets.make_blobs_with_outliers(60, 3, random_state=seed),
    "rings": lambda seed: datasets.make_rings(60, 3, random_state=seed),
    "moons": lambda seed: datasets.make_moons(60, random_state=seed),
    "anisotropic": lambda seed: datasets.make_anisotropic(60, 3, random_state=seed),
    "mixture": lambda seed: datasets.make_gaussian_mixture(60, 5, 3, random_state=seed),
    "patches": lambda seed: datasets.load_patches(60, 4, photos=["china"], random_state=seed),
    "P200": lambda seed: datasets.load_benchmark_data("P200", n=60, random_state=seed),
    "P1M": lambda seed: datasets.load_benchmark_data("P1M", n=300, random_state=seed),
    "G500": lambda seed: datasets.load_benchmark_data("G500", n=60, random_state=seed),
    "U100": lambda seed: datasets.load_benchmark_data("U100", n=60, random_state=seed),
}


def points(data):
    return data if isinstance(data, np.ndarray) else data.X


# --------------------------------------------------------------------------------- all generators


@pytest.mark.parametrize("name", GENERATORS)
def test_points_are_float32_in_c_order_and_repeatable(name):
    make = GENERATORS[name]
    first, again, other = make(3), make(3), make(4)
    X = points(first)
    assert X.dtype == np.float32 and X.flags.c_contiguous and np.isfinite(X).all()
    assert np.array_equal(X, points(again))
    assert not np.array_equal(X, points(other))
    if isinstance(first, datasets.Dataset):
        rows, labels = first
        assert rows is first.X and len(first) == 2 and first[1] is labels
        assert first.description and first.name in repr(first)
        if labels is not None:
            assert labels.dtype == np.int32 and labels.shape == (len(X),)
            assert np.array_equal(labels, again.labels)


@pytest.mark.parametrize("name", GENERATORS)
def test_global_random_state_is_neither_used_nor_moved(name):
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    first, second = GENERATORS[name](None), GENERATORS[name](None)
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002
    assert not np.array_equal(points(first), points(second))


@pytest.mark.parametrize(
    "make",
    [
        datasets.make_uniform_cube,
        datasets.make_blobs,
        datasets.make_blobs_with_outliers,
        datasets.make_rings,
        datasets.make_moons,
        datasets.make_anisotropic,
        datasets.make_gaussian_mixture,
    ],
)
def test_float64_and_float32_are_the_same_points(make):
    wide = make(50, random_state=0, dtype=np.float64)
    narrow = make(50, random_state=0)
    assert points(wide).dtype == np.float64
    assert np.allclose(points(wide), points(narrow), atol=1e-4)
    with pytest.raises(ValueError, match="dtype must be one of 'float32', 'float64'"):
        make(50, dtype=np.int32)
    with pytest.raises((ValueError, TypeError), match="n_samples must be an integer"):
        make(0)


# ------------------------------------------------------------------------------- each generator


def test_uniform_cube_equals_the_numbers_of_the_deck():
    deck = np.random.RandomState(42).rand(100, 7)
    assert np.array_equal(datasets.make_uniform_cube(100, 7, random_state=42, dtype="f8"), deck)


def test_blobs_have_equal_sizes_their_centers_and_their_spread():
    X, labels = data = datasets.make_blobs(
        4003, 4, 5, cluster_std=0.5, separation=10, random_state=0, dtype=np.float64
    )
    assert sorted(np.bincount(labels).tolist()) == [1000, 1001, 1001, 1001]
    means = np.array([X[labels == i].mean(axis=0) for i in range(4)])
    assert np.abs(means - data.centers).max() < 0.08
    assert np.std(X - data.centers[labels]) == pytest.approx(0.5, rel=0.03)
    gaps = np.linalg.norm(data.centers[:, None] - data.centers, axis=2)[np.triu_indices(4, 1)]
    assert gaps.min() >= 5.0
    # rows come mixed
    assert len(np.unique(labels[:50])) == 4


def test_blobs_take_the_centers_they_are_given():
    centers = [[0.0, 0.0], [100.0, 0.0]]
    data = datasets.make_blobs(10, 7, centers=centers, random_state=0)
    assert np.array_equal(data.centers, centers)
    assert set(data.labels.tolist()) == {0, 1}
    assert np.array_equal(data.labels, (data.X[:, 0] > 50).astype(int))


def test_outliers_are_counted_labelled_and_far():
    X, labels = data = datasets.make_blobs_with_outliers(
        500, 3, 4, outlier_fraction=0.2, random_state=1
    )
    assert (labels == -1).sum() == 100 and len(X) == 500
    distance = np.linalg.norm(X[:, None] - data.centers, axis=2).min(axis=1)
    assert (X[labels == -1] >= 10).all()
    assert np.median(distance[labels == -1]) > 5 * np.median(distance[labels >= 0])
    assert "100 outliers" in repr(data)
    none = datasets.make_blobs_with_outliers(50, 3, outlier_fraction=0, random_state=0)
    assert none.labels.min() == 0


def test_rings_have_their_radius():
    X, labels = datasets.make_rings(3000, 3, noise=0.01, random_state=0)
    radius = np.linalg.norm(X, axis=1)
    assert np.abs(radius - (labels + 1)).max() < 0.1
    # all angles occur
    angle = np.arctan2(X[:, 1], X[:, 0])
    assert np.histogram(angle, bins=8)[0].min() > 250


def test_moons_are_half_circles_around_their_centers():
    X, labels = datasets.make_moons(2000, noise=0, random_state=0)
    upper, lower = X[labels == 0], X[labels == 1]
    assert np.allclose(np.linalg.norm(upper, axis=1), 1, atol=1e-6)
    assert np.allclose(np.linalg.norm(lower - [1, 0.5], axis=1), 1, atol=1e-6)
    assert upper[:, 1].min() >= 0 and lower[:, 1].max() <= 0.5
    noisy, labels = datasets.make_moons(4000, noise=0.1, random_state=0)
    radius = np.linalg.norm(noisy - np.array([[0, 0], [1, 0.5]])[labels], axis=1)
    assert np.std(radius) == pytest.approx(0.1, rel=0.1)


def test_anisotropic_groups_are_long_in_one_direction():
    X, labels = data = datasets.make_anisotropic(
        9000, 3, 4, elongation=6, random_state=0, dtype=np.float64
    )
    directions = []
    for i in range(3):
        values, vectors = np.linalg.eigh(np.cov((X[labels == i] - data.centers[i]).T))
        spread = np.sqrt(values)
        assert spread[:3] == pytest.approx(np.ones(3), rel=0.08)
        assert spread[3] == pytest.approx(6, rel=0.08)
        directions.append(vectors[:, 3])
    assert abs(directions[0] @ directions[1]) > 0.99


def test_mixture_has_log_normal_sizes_and_unit_noise():
    data = datasets.make_gaussian_mixture(200_000, 300, 4, weight_sigma=0.7, random_state=0)
    counts = np.bincount(data.labels, minlength=300)
    assert np.std(np.log(counts)) == pytest.approx(0.7, rel=0.1)
    assert np.std(data.X - data.centers[data.labels]) == pytest.approx(1, rel=0.01)
    assert np.std(data.centers) == pytest.approx(1, rel=0.1)
    equal = datasets.make_gaussian_mixture(30_000, 3, 2, weight_sigma=0, random_state=0)
    assert np.bincount(equal.labels).min() > 9700


def test_noise_does_not_depend_on_the_block_size(monkeypatch):
    whole = datasets.make_gaussian_mixture(500, 5, 3, random_state=0)
    monkeypatch.setattr("annlab.datasets._drawing._BLOCK", 7)
    pieces = datasets.make_gaussian_mixture(500, 5, 3, random_state=0)
    assert np.array_equal(whole.X, pieces.X)


# ------------------------------------------------------------------------------ photos and patches


def coded_photo(height: int, width: int) -> np.ndarray:
    """A photograph in which each pixel's colour is its own position."""
    y, x = np.divmod(np.arange(height * width), width)
    return np.stack([y, x, np.full_like(y, 7)], axis=1).astype(np.uint8).reshape(height, width, 3)


@pytest.mark.parametrize("mirror", [False, True])
def test_patches_are_all_the_windows_each_once(mirror, monkeypatch):
    # blocks smaller than the data, with a remainder
    monkeypatch.setattr(photos, "_BLOCK", 13)
    photo = coded_photo(9, 12)
    size, n = 4, 6 * 9 * (1 + mirror)
    X = datasets.load_patches(n, size, photos=photo, mirror=mirror, random_state=0)
    pictures = (X * 255).round().astype(np.uint8).reshape(n, size, size, 3)
    wanted = {
        source[y : y + size, x : x + size].tobytes()
        for source in ([photo, photo[:, ::-1]] if mirror else [photo])
        for y in range(6)
        for x in range(9)
    }
    assert {picture.tobytes() for picture in pictures} == wanted and len(wanted) == n
    with pytest.raises(ValueError, match=f"n must be at most {n}, the number of distinct"):
        datasets.load_patches(n + 1, size, photos=photo, mirror=mirror)


def test_patches_do_not_depend_on_the_block_size(monkeypatch):
    whole = datasets.load_patches(500, 5, random_state=2)
    monkeypatch.setattr(photos, "_BLOCK", 64)
    assert np.array_equal(whole, datasets.load_patches(500, 5, random_state=2))


def test_patches_come_from_both_photos_and_are_bright_from_0_to_1():
    X = datasets.load_patches(4000, 1, random_state=0)
    assert X.shape == (4000, 3) and X.min() >= 0 and X.max() <= 1
    colours = [set(map(tuple, p.reshape(-1, 3))) for p in datasets.load_photos().values()]
    drawn = set(map(tuple, (X * 255).round().astype(np.uint8)))
    assert drawn <= colours[0] | colours[1]
    assert drawn - colours[0] and drawn - colours[1]


@pytest.mark.parametrize(
    ("make", "arguments", "message"),
    [
        ("make_blobs", {"n_clusters": 50, "n_features": 1, "separation": 5}, "separation must be"),
        ("make_blobs", {"n_samples": 3, "n_clusters": 4}, "n_clusters must be an integer >= 1"),
        ("make_blobs_with_outliers", {"outlier_fraction": 1.5}, "outlier_fraction"),
        ("load_benchmark_data", {"name": "p200"}, "name must be one of 'P200'"),
        ("load_photos", {"names": "china"}, "names must be a sequence"),
        ("load_large_photo", {"name": "china"}, "name must be one of 'retina'"),
        ("data_path", {"name": "../pyproject.toml"}, "name must be one of"),
        ("data_path", {"name": "/etc/passwd"}, "name must be one of"),
    ],
)
def test_wrong_arguments_are_refused(make, arguments, message):
    with pytest.raises(ValueError, match=message):
        getattr(datasets, make)(**arguments)


@pytest.mark.parametrize(
    ("load", "package"),
    [("load_large_photo", "skimage"), ("fetch_ann_benchmark", "pooch")],
)
def test_missing_packages_are_named_with_their_extra(monkeypatch, load, package):
    monkeypatch.setitem(sys.modules, package, None)
    arguments = ("glove-25-angular",) if package == "pooch" else ()
    with pytest.raises(MissingExtraError, match=r"annlab-kmeans\[lab\]"):
        getattr(datasets, load)(*arguments)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n": 531_721}, "at most 531,720"),
        ({"n": 1_063_441, "mirror": True}, "at most 1,063,440"),
        ({"size": 428}, "size must be at most 427"),
        ({"size": 0}, "size must be an integer"),
        ({"n": 0}, "n must be an integer"),
        ({"photos": []}, "photos must be at least one"),
        ({"photos": [np.zeros((9, 9), dtype=np.uint8)]}, "photos must be names or uint8 arrays"),
        ({"photos": ["nowhere"]}, "name must be one of 'china'"),
    ],
)
def test_patches_refuse(wrong, message):
    with pytest.raises(ValueError, match=message):
        datasets.load_patches(**{"n": 10, **wrong})


def test_photos_of_scikit_learn():
    from sklearn.datasets import load_sample_image

    for name, photo in datasets.load_photos().items():
        assert photo.dtype == np.uint8 and photo.flags.writeable
        assert np.array_equal(photo, load_sample_image(f"{name}.jpg"))


def test_photos_of_scikit_image():
    pytest.importorskip("skimage")
    for name in datasets.available_photos():
        photo = datasets.load_photo(name)
        assert photo.dtype == np.uint8 and photo.ndim == 3 and photo.shape[2] == 3, name
    assert min(datasets.load_large_photo().shape[:2]) >= 1400


# ------------------------------------------------------------------------------------- named sets


def test_digits():
    X, labels = datasets.load_digits_data()
    assert X.shape == (1797, 64) and X.dtype == np.float32 and X.flags.c_contiguous
    assert labels.dtype == np.int32 and set(labels.tolist()) == set(range(10))


def test_benchmark_sets_have_their_published_sizes():
    sizes = {name: n for name, (n, _) in named._BENCHMARKS.items()}
    assert sizes == {"P200": 200_000, "P1M": 1_000_000, "G500": 500_000, "U100": 100_000}
    features = {name: datasets.load_benchmark_data(name, n=200).X.shape[1] for name in sizes}
    assert features == {"P200": 192, "P1M": 64, "G500": 128, "U100": 10}
    assert len(datasets.load_benchmark_data("G500", n=200).centers) == 2000
    assert datasets.load_benchmark_data("U100").X.shape == (100_000, 10)
    P200 = datasets.load_benchmark_data("P200", n=300).X
    assert np.array_equal(P200, datasets.load_patches(300, 8, random_state=0))


def test_p1m_is_the_principal_components_of_mirrored_patches(monkeypatch):
    from sklearn.decomposition import PCA

    monkeypatch.setattr(photos, "_BLOCK", 300)
    ours = datasets.load_benchmark_data("P1M", n=700).X
    patches = datasets.load_patches(700, 8, mirror=True, random_state=0).astype(np.float64)
    # many BLAS threads on a busy machine make this SVD a hundred times slower
    with single_threaded_blas():
        theirs = PCA(64, svd_solver="full").fit_transform(patches)
    signs = np.sign((ours * theirs).sum(axis=0))
    assert np.abs(ours - theirs * signs).max() < 1e-4


# ---------------------------------------------------------------------------------- shipped files


def datasheet() -> dict[str, tuple[int, str]]:
    """Return (bytes, sha256) of each file, as data/README.md states them."""
    table = (DATA / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([^`]+)` \|.*\| (\d+) \| `([0-9a-f]{64})` \|$", table, flags=re.M)
    return {name: (int(size), checksum) for name, size, checksum in rows}


def test_datasheet_states_every_file_and_its_checksum():
    sheet = datasheet()
    shipped = {path.name for path in DATA.iterdir() if path.suffix not in {".py", ".md", ""}}
    assert set(sheet) == shipped == set(datasets._files.SHIPPED) - {"README.md"}
    for name, (size, checksum) in sheet.items():
        content = (DATA / name).read_bytes()
        assert len(content) == size, name
        assert hashlib.sha256(content).hexdigest() == checksum, name


def test_datasheet_names_shape_licence_and_script():
    words = (DATA / "README.md").read_text(encoding="utf-8")
    corpus = datasets.load_documents()
    assert f"{len(corpus.documents)} lines" in words and "CC BY 4.0" in words
    height, width, _ = datasets.load_sample_image().shape
    assert f"{height} × {width} pixels" in words and "CC0" in words
    for script in DATA.glob("*.py"):
        assert f"data/{script.name}" in words


def test_sample_image_is_a_small_jpeg():
    from PIL import Image

    path = datasets.data_path("sample_image.jpg")
    assert path.stat().st_size < 200_000
    with Image.open(path) as image:
        assert image.format == "JPEG"
        assert np.array_equal(np.array(image), datasets.load_sample_image())


def load_script(name: str):
    spec = importlib.util.spec_from_file_location(name, DATA / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_sample_image_is_made_from_its_source(tmp_path, monkeypatch, capsys):
    pytest.importorskip("skimage")
    script = load_script("make_sample_image")
    assert script.main(["--check"]) == 0
    monkeypatch.setattr(script, "TARGET", tmp_path / "made.jpg")
    assert script.main([]) == 0
    assert script.TARGET.stat().st_size < 200_000
    # a mirrored picture is another picture
    monkeypatch.setattr(script, "source", lambda: datasets.load_sample_image()[:, ::-1])
    assert script.main(["--check"]) == 1


def test_documents_keep_their_rules():
    script = load_script("check_documents")
    assert script.problems() == []
    corpus = datasets.load_documents()
    assert len(corpus.documents) >= 400 and corpus.label_names == script.THEMES
    assert corpus.labels.dtype == np.int32 and np.bincount(corpus.labels).min() >= 50
    documents, labels = corpus
    assert documents is corpus.documents and labels is corpus.labels
    assert "416 documents, 8 labels" in repr(corpus)


def test_check_of_the_documents_finds_faults(tmp_path):
    script = load_script("check_documents")
    lines = script.SOURCE.read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    records[1]["text"] = records[0]["text"]
    records[2]["text"] = "Too short. By far."
    records[3]["text"] = records[3]["text"].replace(". ", ", ").replace("? ", ", ")
    records[4]["theme"] = "gossip"
    records[6]["id"] = records[5]["id"]
    broken = tmp_path / "broken.jsonl"
    broken.write_text("\n".join(json.dumps(r) for r in records[:399]) + "\n", encoding="utf-8")
    found = "\n".join(script.problems(broken))
    for words in (
        "astronomy-01 and astronomy-02 share",
        "astronomy-03: 4 words",
        "astronomy-04: 1 sentences",
        "theme 'gossip'",
        "astronomy-06: 2 times",
        "399 documents in all",
        "railways: 35 documents",
    ):
        assert words in found, words


def test_files_are_found_in_an_installed_package(tmp_path):
    """The layout of a wheel: annlab/ with annlab/_data/, without data/ beside it."""
    skip = shutil.ignore_patterns("__pycache__")
    shutil.copytree(DATA.parent / "annlab", tmp_path / "annlab", ignore=skip)
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "import annlab.datasets as d\n"
        "try:\n    d.data_path()\nexcept FileNotFoundError as reason:\n    print(reason)\n"
        "import shutil; shutil.copytree(sys.argv[1], d.__path__[0] + '/../_data')\n"
        "print(d.data_path(), len(d.load_documents().documents))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(DATA)], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    missing, found = done.stdout.splitlines()
    assert "Reinstall annlab" in missing
    assert found == f"{tmp_path / 'annlab' / '_data' / 'sample_image.jpg'} 416"


# -------------------------------------------------------------------------------------- docstrings

LONG = "word " * 30


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package that must not be imported, with known docstrings."""
    root = tmp_path / "fakepkg"
    for folder in ("signal", "tests", "_vendor"):
        (root / folder).mkdir(parents=True)
        (root / folder / "__init__.py").write_text("")
    (root / "__init__.py").write_text(f'"""Top module {LONG}."""\nraise RuntimeError("imported")\n')
    (root / "zeta.py").write_text(
        f'def b():\n    """Function b {LONG}."""\n'
        f'class A:\n    """Class A {LONG}.\n\n    >>> secret()\n    42\n\n    Afterword.\n    """\n'
        f'    async def m(self):\n        """Method m {LONG}."""\n'
        'def short():\n    """Too short."""\n'
    )
    (root / "signal" / "filters.py").write_text(
        f'"""Filters {LONG}."""\ndef copy():\n    """Function b {LONG}."""\n'
    )
    (root / "tests" / "test_x.py").write_text(f'"""A test {LONG}."""\n')
    (root / "_vendor" / "other.py").write_text(f'"""Vendored {LONG}."""\n')
    (root / "broken.py").write_text("def (:\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    text._package_texts.cache_clear()
    return "fakepkg"


def test_docstrings_are_read_in_order_without_importing(package):
    corpus = datasets.load_docstrings(packages=[package])
    firsts = [" ".join(document.split()[:2]) for document in corpus.documents]
    assert firsts == ["Top module", "Filters word", "Function b", "Class A", "Method m"]
    assert package not in sys.modules
    assert corpus.label_names == (package,)


def test_docstrings_lose_their_sessions_and_keep_their_prose(package):
    corpus = datasets.load_docstrings(packages=[package])
    (document,) = [d for d in corpus.documents if d.startswith("Class A")]
    assert "secret" not in document and "42" not in document
    assert document.endswith("Afterword.")


def test_docstrings_are_labelled_by_subpackage(package):
    corpus = datasets.load_docstrings(packages=[package], label="subpackage")
    assert corpus.label_names == ("fakepkg", "fakepkg.signal")
    # a repeated text keeps its first place
    assert np.bincount(corpus.labels).tolist() == [3, 2]
    kept = datasets.load_docstrings(packages=[package], label="subpackage", min_per_label=3)
    assert kept.label_names == ("fakepkg",)
    few = datasets.load_docstrings(
        packages=[package], label="subpackage", max_per_label=1, random_state=0
    )
    assert np.bincount(few.labels).tolist() == [1, 1]


def test_docstrings_draw_at_random_and_repeatably(package):
    draws = [datasets.load_docstrings(3, packages=[package], random_state=s) for s in range(8)]
    assert all(len(set(draw.documents)) == 3 for draw in draws)
    assert len({draw.documents for draw in draws}) > 1
    again = datasets.load_docstrings(3, packages=[package], random_state=5)
    assert again.documents == draws[5].documents
    everything = datasets.load_docstrings(packages=[package], min_words=1)
    assert len(everything.documents) == 6


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"packages": "numpy"}, "packages must be a sequence"),
        ({"packages": []}, "packages must be at least one"),
        ({"packages": ["no_such_package"]}, "packages must be packages that are installed"),
        ({"packages": ["../etc"]}, "packages must be names"),
        ({"packages": ["sys"]}, "packages must be packages that are installed"),
        ({"label": "file"}, "label must be one of"),
        ({"packages": ["fakepkg"], "n": 99}, "n must be at most 5"),
    ],
)
def test_docstrings_refuse(package, wrong, message):
    with pytest.raises(ValueError, match=message):
        datasets.load_docstrings(**wrong)


# ------------------------------------------------------------------------- benchmarks over HTTP

NAME = "tiny-8-euclidean"


@pytest.fixture
def content():
    rng = np.random.RandomState(0)
    train, test = rng.rand(50, 8).astype(np.float32), rng.rand(6, 8).astype(np.float32)
    distances = np.linalg.norm(test[:, None] - train, axis=2)
    neighbors = np.argsort(distances, axis=1)[:, :10].astype(np.int32)
    return {
        "train": train,
        "test": test,
        "neighbors": neighbors,
        "distances": np.take_along_axis(distances, neighbors, axis=1),
    }


def write_hdf5(path: Path, content: dict, distance: str | None = "euclidean") -> Path:
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        if distance is not None:
            file.attrs["distance"] = distance
        for name, values in content.items():
            file[name] = values
    return path


class Site:
    """Fake of `requests` that answers with one file and counts the requests."""

    url = f"http://127.0.0.1/{NAME}.hdf5"

    def __init__(self, body: bytes) -> None:
        self.body, self.requests, self.has_length, self.cut_at = body, 0, True, None

    def get(self, url, **options):
        assert url == self.url
        self.requests += 1
        self.headers = {"content-length": str(len(self.body))} if self.has_length else {}
        return contextlib.nullcontext(self)

    def raise_for_status(self):
        pass

    def iter_content(self, chunk_size):
        for start in range(0, len(self.body), chunk_size):
            if self.cut_at is not None:
                raise OSError("the connection was lost")
            yield self.body[start : start + chunk_size]


@pytest.fixture
def site(tmp_path, content, monkeypatch):
    pytest.importorskip("pooch")
    requests = pytest.importorskip("requests")
    site = Site(write_hdf5(tmp_path / "source.hdf5", content).read_bytes())
    monkeypatch.setattr(requests, "get", site.get)
    return site


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


def fetch(site, cache, **more):
    return datasets.fetch_ann_benchmark(NAME, url=site.url, cache_dir=cache, **more)


def first_fetch(site, cache, **more):
    with pytest.warns(AnnlabWarning, match="not verified"):
        return fetch(site, cache, **more)


def leftovers(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.iterdir()) if cache.exists() else []


def test_benchmark_is_downloaded_once(site, cache, content):
    first = first_fetch(site, cache)
    for part, values in content.items():
        assert np.array_equal(getattr(first, part), values), part
    assert first.train.dtype == np.float32 and first.neighbors.dtype == np.int64
    assert first.metric == "euclidean"
    assert first.sha256 == hashlib.sha256(site.body).hexdigest()
    assert "50 points, 8 features, 6 queries with 10 neighbours" in repr(first)
    # the record is what sha256sum -c reads
    assert leftovers(cache) == [f"{NAME}.hdf5", f"{NAME}.hdf5.sha256"]
    assert (cache / f"{NAME}.hdf5.sha256").read_text() == f"{first.sha256}  {NAME}.hdf5\n"
    again = fetch(site, cache)
    assert site.requests == 1 and np.array_equal(again.train, first.train)


def test_damaged_cache_is_fetched_again_and_a_changed_site_is_refused(site, cache, content):
    first = first_fetch(site, cache)
    file = cache / f"{NAME}.hdf5"
    file.write_bytes(file.read_bytes()[:-100])
    assert fetch(site, cache).sha256 == first.sha256
    assert site.requests == 2
    # the file is damaged once more, and this time the site has another one
    file.write_bytes(b"damaged")
    site.body = write_hdf5(cache / "new", {**content, "test": content["test"] + 1}).read_bytes()
    with pytest.raises(ValueError, match="does not match the known hash"):
        fetch(site, cache)
    assert (cache / f"{NAME}.hdf5.sha256").read_text().startswith(first.sha256)


def test_known_hash_is_required(site, cache):
    checksum = hashlib.sha256(site.body).hexdigest()
    wrong = "0" * 64
    with pytest.raises(ValueError, match="does not match the known hash"):
        fetch(site, cache, known_hash=wrong)
    assert leftovers(cache) == []
    # no warning: nothing was left unverified
    assert fetch(site, cache, known_hash=f"sha256:{checksum.upper()}").sha256 == checksum
    with pytest.raises(ValueError, match="does not match the known hash"):
        fetch(site, cache, known_hash=wrong)
    with pytest.raises(ValueError, match="known_hash must be a sha256"):
        fetch(site, cache, known_hash="md5:123")
    # a file that was put into the cache is recorded; a damaged record is refused
    (cache / f"{NAME}.hdf5").write_bytes(site.body)
    requests = site.requests
    fetch(site, cache)
    assert site.requests == requests
    assert (cache / f"{NAME}.hdf5.sha256").read_text().startswith(checksum)
    (cache / f"{NAME}.hdf5.sha256").write_text("nonsense\n")
    with pytest.raises(ValueError, match=rf"read from {NAME}.hdf5.sha256, delete"):
        fetch(site, cache)


@pytest.mark.parametrize("has_length", [True, False])
def test_download_that_is_too_large_is_stopped(site, cache, has_length):
    site.has_length = has_length
    site.body += bytes(5 << 20)
    # announced: refused at once with its full size; not announced: stopped on its way
    seen = f"{len(site.body):,}" if has_length else "1,048,576"
    with pytest.raises(ValueError, match=f"url must be at most max_bytes=1,000 bytes; got {seen}"):
        fetch(site, cache, max_bytes=1000)
    assert leftovers(cache) == []


def test_interrupted_download_leaves_nothing(site, cache):
    site.cut_at = 1000
    with pytest.raises(OSError):
        fetch(site, cache)
    assert leftovers(cache) == []
    site.cut_at = None
    first_fetch(site, cache)


def test_page_in_place_of_the_file_is_not_kept(site, cache):
    site.body = b"<html>please log in</html>"
    with pytest.raises(ValueError, match="an undamaged HDF5 file"):
        fetch(site, cache)
    assert leftovers(cache) == []


def test_nothing_is_printed_unless_asked(site, cache, capfd):
    first_fetch(site, cache)
    assert capfd.readouterr() == ("", "")
    shutil.rmtree(cache)
    first_fetch(site, cache, progress=True)
    shown = capfd.readouterr()
    assert shown.out == "" and NAME in shown.err and "MB" in shown.err


def test_cache_follows_the_environment(site, tmp_path, monkeypatch):
    monkeypatch.setenv("ANNLAB_CACHE", str(tmp_path / "elsewhere"))
    with pytest.warns(AnnlabWarning):
        benchmark = datasets.fetch_ann_benchmark(NAME, url=site.url)
    assert benchmark.path == tmp_path / "elsewhere" / f"{NAME}.hdf5"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "sift"}, "name must be one of 'deep-image-96-angular'"),
        ({"name": "../up", "url": "http://127.0.0.1/x"}, "name must be letters"),
        ({"name": ".hidden", "url": "http://127.0.0.1/x"}, "name must be letters"),
        ({"name": NAME, "url": "file:///etc/passwd"}, "url must be an address"),
        ({"name": NAME, "url": 7}, "url must be an address"),
    ],
)
def test_fetch_refuses(arguments, message, cache):
    with pytest.raises(ValueError, match=message):
        datasets.fetch_ann_benchmark(**arguments, cache_dir=cache)
    assert not cache.exists()


def test_known_names_point_to_the_site_over_https(monkeypatch, cache):
    pooch = pytest.importorskip("pooch")
    asked = []

    def retrieve(url, **more):
        asked.append((url, more["known_hash"], more["fname"]))
        raise ConnectionError("no network in a test")

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    for name in datasets.available_ann_benchmarks():
        with pytest.raises(ConnectionError):
            datasets.fetch_ann_benchmark(name, cache_dir=cache)
    assert asked == [
        (f"https://ann-benchmarks.com/{name}.hdf5", None, f"{name}.hdf5")
        for name in datasets.available_ann_benchmarks()
    ]


# ------------------------------------------------------------------------- benchmarks from a file


def test_angular_files_are_cosine(tmp_path, content):
    path = write_hdf5(tmp_path / "x.hdf5", content, distance="angular")
    benchmark = datasets.read_ann_benchmark(path)
    assert benchmark.metric == "cosine" and benchmark.name == "x"
    assert benchmark.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_small_file_of_huge_arrays_is_refused_before_decoding(tmp_path, content):
    h5py = pytest.importorskip("h5py")
    path = write_hdf5(tmp_path / "bomb.hdf5", {k: v for k, v in content.items() if k != "train"})
    with h5py.File(path, "a") as file:
        file.create_dataset("train", shape=(1 << 37, 8), dtype="f4", chunks=(1 << 15, 8))
    assert path.stat().st_size < 100_000
    with pytest.raises(ValueError, match="at most max_bytes"):
        datasets.read_ann_benchmark(path)
    small = write_hdf5(tmp_path / "small.hdf5", content)
    with pytest.raises(ValueError, match="at most max_bytes=100 bytes"):
        datasets.read_ann_benchmark(small, max_bytes=100)


def test_file_that_links_to_others_is_refused(tmp_path, content):
    h5py = pytest.importorskip("h5py")
    other = write_hdf5(tmp_path / "other.hdf5", content)
    rest = {k: v for k, v in content.items() if k != "train"}
    linked = write_hdf5(tmp_path / "linked.hdf5", rest)
    with h5py.File(linked, "a") as file:
        file["train"] = h5py.ExternalLink(str(other), "train")
    outside = write_hdf5(tmp_path / "outside.hdf5", rest)
    (tmp_path / "raw").write_bytes(content["train"].tobytes())
    with h5py.File(outside, "a") as file:
        file.create_dataset(
            "train", shape=(50, 8), dtype="f4", external=[(str(tmp_path / "raw"), 0, 1600)]
        )
    virtual = write_hdf5(tmp_path / "virtual.hdf5", rest)
    with h5py.File(virtual, "a") as file:
        layout = h5py.VirtualLayout(shape=(50, 8), dtype="f4")
        layout[:] = h5py.VirtualSource(str(other), "train", shape=(50, 8))
        file.create_virtual_dataset("train", layout)
    for path in (linked, outside, virtual):
        with pytest.raises(ValueError, match="stored"):
            datasets.read_ann_benchmark(path)
    assert np.array_equal(datasets.read_ann_benchmark(other).train, content["train"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train": None}, "train is missing"),
        ({"test": np.zeros((6, 7), np.float32)}, "do not fit together"),
        ({"distances": np.zeros((5, 10), np.float32)}, "do not fit together"),
        ({"neighbors": np.full((6, 10), 50)}, "row numbers that train does not have"),
        ({"neighbors": np.full((6, 10), -1)}, "row numbers that train does not have"),
        ({"neighbors": np.zeros((6, 10), np.float32)}, "neighbors has shape"),
        ({"train": np.zeros(400, np.float32)}, r"train has shape \(400,\)"),
        ({"train": np.full((50, 8), np.nan, np.float32)}, "NaN or infinity"),
        ({"train": np.zeros((0, 8), np.float32)}, "do not fit together"),
    ],
)
def test_file_of_another_layout_is_refused(tmp_path, content, change, message):
    changed = {k: v for k, v in {**content, **change}.items() if v is not None}
    with pytest.raises(ValueError, match=message):
        datasets.read_ann_benchmark(write_hdf5(tmp_path / "x.hdf5", changed))


def test_unknown_distance_and_missing_file_are_refused(tmp_path, content):
    for distance in (None, "jaccard"):
        path = write_hdf5(tmp_path / "x.hdf5", content, distance=distance)
        with pytest.raises(ValueError, match="neither 'euclidean' nor 'angular'"):
            datasets.read_ann_benchmark(path)
    with pytest.raises(FileNotFoundError):
        datasets.read_ann_benchmark(tmp_path / "none.hdf5")

"""Packaging: pins, README, wheel, source archive and top-level files."""

from __future__ import annotations

import ast
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
import tomllib
import zipfile
from pathlib import Path

import pytest
from outside import full, tool

from annlab._authoring.checks import machine_traces
from annlab._kernels import loops, numpy_twins
from annlab._version import __version__

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PINS = (ROOT / "binder" / "requirements.txt").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
LARGE_DATA = (ROOT / "docs" / "large_data.md").read_text(encoding="utf-8")
TOP = {
    "pyproject.toml",
    "setup.py",
    "README.md",
    "LICENSE",
    "CHANGELOG.md",
    "CITATION.cff",
    "CONTRIBUTING.md",
    "Makefile",
    "docs",
    "annlab",
    "notebooks",
    "tests",
    "data",
    "binder",
}
DIST_INFO = f"annlab_kmeans-{__version__}.dist-info"
in_checkout = pytest.mark.skipif(
    not (ROOT / ".git").exists(), reason="asks git, and this is no checkout"
)


def tracked() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()]


def run(*words: object, **more) -> subprocess.CompletedProcess:
    """Run a command without the checkout on its path."""
    more.setdefault("cwd", Path(sys.prefix))
    more.setdefault("env", {k: v for k, v in os.environ.items() if k != "PYTHONPATH"})
    return subprocess.run([*map(str, words)], capture_output=True, text=True, **more)


def python(*words: object, **more) -> subprocess.CompletedProcess:
    """Run this Python on ``words``."""
    return run(sys.executable, *words, **more)


# ----------------------------------------------------------------------------- the files at the top


@in_checkout
def test_the_top_of_the_repository_is_the_agreed_one():
    top = {name.split("/")[0] for name in tracked()}
    assert {name for name in top if not name.startswith(".")} <= TOP
    assert top >= TOP, f"missing: {sorted(TOP - top)}"


@in_checkout
def test_no_tracked_text_names_a_machine():
    """Paths of a particular machine must not be in the repository."""
    for name in tracked():
        path = ROOT / name
        if path.suffix not in {".py", ".toml", ".md", ".txt", ".cfg", ".json", ".sh", ""}:
            continue
        text = path.read_text(encoding="utf-8")
        # named without writing them out, or this file would be the first to fail
        for word in ("/" + "work/", "/" + "root/", "/" + "home/runner", "files.python" + "hosted"):
            assert word not in text, f"{name} contains {word!r}"


def test_the_version_is_in_one_place():
    assert PYPROJECT["project"]["dynamic"] == ["version"]
    assert importlib.metadata.version("annlab-kmeans") == __version__
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^## {re.escape(__version__)}\b", changelog, flags=re.M), (
        f"CHANGELOG.md has no section for {__version__}"
    )


# ----------------------------------------------------------------------------------------- the pins


def pin_lines() -> list[str]:
    return [line for line in PINS.splitlines() if line and not line.startswith("#")]


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_pins_are_names_and_versions_only():
    shape = re.compile(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!+]+( ; [a-z_]+ .+)?")
    for line in pin_lines():
        assert shape.fullmatch(line), line
        assert not machine_traces(line) and "/" not in line and "@" not in line, line
    names = [normal(line.split("==")[0]) for line in pin_lines()]
    assert len(names) == len(set(names)), "a package is pinned twice"


def test_every_declared_package_is_pinned_within_its_bounds():
    requirements = pytest.importorskip("packaging.requirements")
    pinned = {}
    for line in pin_lines():
        requirement = requirements.Requirement(line)
        (version,) = [clause.version for clause in requirement.specifier]
        pinned[normal(requirement.name)] = version
    extras = PYPROJECT["project"]["optional-dependencies"]
    declared = list(PYPROJECT["project"]["dependencies"])
    declared += [text for name in ("lab", "test", "dev") for text in extras[name]]
    assert "annlab-kmeans[classroom,dask]" in declared
    # the list grows while it is read: an extra may name others
    for text in declared:
        requirement = requirements.Requirement(text)
        if normal(requirement.name) == "annlab-kmeans":
            declared += [inner for name in requirement.extras for inner in extras[name]]
            continue
        name = normal(requirement.name)
        assert name in pinned, f"{name} is not pinned: run make pins"
        assert requirement.specifier.contains(pinned[name], prereleases=True), (text, pinned[name])


def test_hnswlib_is_not_pinned_on_windows():
    requirements = pytest.importorskip("packaging.requirements")
    (hnswlib,) = [r for r in map(requirements.Requirement, pin_lines()) if r.name == "hnswlib"]
    assert not hnswlib.marker.evaluate({"sys_platform": "win32", "platform_system": "Windows"})
    assert hnswlib.marker.evaluate({"sys_platform": "linux", "platform_system": "Linux"})
    (faiss,) = [r for r in map(requirements.Requirement, pin_lines()) if r.name == "faiss-cpu"]
    assert faiss.marker is None


def test_this_environment_holds_the_pins():
    """Skips in an environment with other versions."""
    requirements = pytest.importorskip("packaging.requirements")
    if not (Path(sys.prefix) / ".ready").exists():
        pytest.skip("this environment was not made by make env")
    for requirement in map(requirements.Requirement, pin_lines()):
        if requirement.marker is None or requirement.marker.evaluate():
            installed = importlib.metadata.version(requirement.name)
            assert requirement.specifier.contains(installed), (str(requirement), installed)


# --------------------------------------------------------------------------------------- the README


def blocks(language: str, text: str = README) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.M | re.S)


def test_the_readme_example_runs_as_printed(tmp_path):
    (example,) = blocks("python")
    assert len(example.strip().splitlines()) <= 12
    done = python("-c", example, cwd=tmp_path, env={**os.environ, "MPLBACKEND": "agg"})
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    printed = [line for line in example.splitlines() if line.startswith("print(")]
    shown = [line.split("  # ")[1] for line in printed]
    assert shown
    for words in shown:
        assert words in done.stdout, f"README promises {words!r}; the example prints\n{done.stdout}"


def test_the_dask_example_runs_in_a_script(tmp_path):
    pytest.importorskip("distributed")
    (example,) = blocks("python", LARGE_DATA)
    body = textwrap.indent(example + "print(labels.shape, result.n_clusters)", "    ")
    script = tmp_path / "many.py"
    script.write_text(f"if __name__ == '__main__':\n{body}\n")
    done = python(str(script), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[0] == "(400000,) 10"


def test_links_of_the_readme_exist():
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", README)
    assert {f"notebooks/{path.name}" for path in (ROOT / "notebooks").glob("*.ipynb")} < {*targets}
    for target in targets:
        assert re.match(r"https?:", target) or (ROOT / target).exists(), target


def test_the_commands_of_the_readme_exist():
    targets = set(
        re.findall(r"^([a-z][\w-]*)(?: [a-z][\w-]*)*:", (ROOT / "Makefile").read_text(), flags=re.M)
    )
    from annlab.cli import COMMANDS

    shell = "\n".join(blocks("sh") + blocks("powershell"))
    assert {"make lab", "make env"} <= set(re.findall(r"make \w+", README))
    for target in re.findall(r"`make (\w+)`|^make (\w+)$", README, flags=re.M):
        target = "".join(target)
        assert target in targets, f"make {target}"
    for command in re.findall(r"annlab (\w+)", shell):
        assert command in COMMANDS, f"annlab {command}"


# --------------------------------------------------------------------------- the wheel, the archive


def test_the_list_of_packages_is_complete():
    listed = set(PYPROJECT["tool"]["setuptools"]["packages"])
    found = {
        ".".join(path.parent.relative_to(ROOT).parts) for path in (ROOT / "annlab").rglob("*.py")
    }
    mapped = set(PYPROJECT["tool"]["setuptools"]["package-dir"])
    assert listed - mapped == {name for name in found if "__pycache__" not in name}


def test_package_data_equals_what_lab_copies():
    from annlab._cli.delivery import PATTERNS

    data = PYPROJECT["tool"]["setuptools"]["package-data"]
    assert sorted(data["annlab._notebooks_src"]) == sorted(PATTERNS)


@pytest.fixture(scope="module")
def source_copy(tmp_path_factory):
    """The files that git has (and new ones), so that a build leaves nothing in the checkout."""
    copy = tmp_path_factory.mktemp("source") / "annlab"
    copy.mkdir()
    for name in (*TOP, ".gitattributes"):
        place = ROOT / name
        skip = shutil.ignore_patterns("__pycache__", "_output", ".ipynb_checkpoints", "*.egg-info")
        if place.is_dir():
            shutil.copytree(place, copy / name, ignore=skip)
        elif place.exists():
            shutil.copy(place, copy / name)
    return copy


@pytest.fixture(scope="module")
def distributions(source_copy, tmp_path_factory):
    """The source archive, and the wheel that is built from that archive."""
    pytest.importorskip("build")
    out = tmp_path_factory.mktemp("dist")
    done = python("-m", "build", "--no-isolation", "--outdir", out, source_copy)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    (wheel,) = out.glob("*.whl")
    (archive,) = out.glob("*.tar.gz")
    return wheel, archive


def test_the_wheel_holds_notebooks_data_and_settings(distributions):
    names = set(zipfile.ZipFile(distributions[0]).namelist())
    for folder, inside, patterns in (
        ("notebooks", "annlab/_notebooks_src", ("*.ipynb", "images/*.png", "images/*.svg")),
        ("data", "annlab/_data", ("*.jpg", "*.jsonl", "README.md")),
        ("binder", "annlab/_pins", ("requirements.txt",)),
        (
            "annlab",
            "annlab",
            ("**/*.py", "**/*.json", "**/*.js", "**/*.css", "**/*.pyi", "py.typed"),
        ),
    ):
        for pattern in patterns:
            for path in (ROOT / folder).glob(pattern):
                wanted = f"{inside}/{path.relative_to(ROOT / folder).as_posix()}"
                assert wanted in names, wanted
    # where this machine could compile the loops, the wheel brings them
    assert (loops is numpy_twins) != any("_kernels/_native" in name for name in names)
    left = ("_output", ".ipynb_checkpoints", ".pyc", ".cpp", ".hpp")
    assert not [name for name in names if any(part in name for part in left)]
    # the pins are delivered, but not what installs them, nor the exercises with solutions
    assert [n for n in names if n.startswith("annlab/_pins/")] == ["annlab/_pins/requirements.txt"]
    assert not [n for n in names if "exercises" in n]
    assert {n.split("/")[0] for n in names} == {"annlab", DIST_INFO}
    assert f"{DIST_INFO}/licenses/LICENSE" in names


@full
def test_distributions_pass_the_checks_of_the_package_index(distributions):
    done = run(tool("twine"), "check", "--strict", *distributions)
    assert done.returncode == 0, done.stdout + done.stderr


def test_their_metadata_is_sound(distributions):
    requirements = pytest.importorskip("packaging.metadata")
    with zipfile.ZipFile(distributions[0]) as wheel:
        record = wheel.read(f"{DIST_INFO}/METADATA")
    found = requirements.Metadata.from_email(record, validate=True)
    assert found.name == "annlab-kmeans" and str(found.version) == __version__
    assert found.description_content_type == "text/markdown"
    assert found.description.startswith("# annlab")
    assert found.license_expression == PYPROJECT["project"]["license"]


def test_the_wheel_works_outside_the_checkout(distributions, tmp_path):
    """The environment has the packages of this one, but annlab from the wheel."""
    made = python("-m", "venv", "--without-pip", tmp_path / "env")
    assert made.returncode == 0, made.stderr
    bin_folder = tmp_path / "env" / ("Scripts" if os.name == "nt" else "bin")
    asked = run(bin_folder / "python", "-c", "import sysconfig as s; print(s.get_path('purelib'))")
    site = Path(asked.stdout.strip())
    # the checkout is found through .pth files, and those are not followed in a folder that another
    # .pth file names: so this lends all packages but annlab
    import numpy

    (site / "others.pth").write_text(f"{Path(numpy.__file__).parent.parent}\n")
    installed = python(
        *("-m", "pip", "--python", bin_folder / "python", "install", "-qq", "--no-deps"),
        *("--no-index", "--ignore-installed", distributions[0]),
    )
    assert installed.returncode == 0, installed.stderr
    command = bin_folder / ("annlab.exe" if os.name == "nt" else "annlab")
    done = run(command, "lab", "--no-start", "--dir", tmp_path / "course", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    delivered = {path.name for path in (tmp_path / "course").glob("*.ipynb")}
    assert delivered == {path.name for path in (ROOT / "notebooks").glob("*.ipynb")} != set()
    code = (
        "import annlab, annlab.datasets as d, pathlib; p = pathlib.Path(annlab.__file__)\n"
        f"print(p.is_relative_to({str(site)!r}), p.with_name('py.typed').exists())\n"
        f"print(d.data_path().is_relative_to({str(site)!r}))"
    )
    done = run(bin_folder / "python", "-c", code, cwd=tmp_path)
    assert done.stdout.split() == ["True", "True", "True"], done.stdout + done.stderr
    # doctor finds the pins that the wheel carries
    done = run(command, "doctor", "--json", cwd=tmp_path)
    found = {one["name"]: one for one in json.loads(done.stdout)["findings"]}
    assert Path(found["pins"]["facts"]["file"]).is_relative_to(site), found["pins"]


# ---------------------------------------------------------------------------------------- the types


# --------------------------------------------------------------------------------------- the set-up


def run_setup(tmp_path, python_name: str, **environment: str) -> subprocess.CompletedProcess:
    if shutil.which("sh") is None:
        pytest.skip("there is no POSIX shell")
    return subprocess.run(
        ["sh", ROOT / "binder" / "setup.sh", tmp_path / "env", python_name],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )


def test_setup_refuses_a_python_that_is_too_old_or_absent(tmp_path):
    old = tmp_path / "python3.8"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    for name in (str(old), "no-such-python"):
        done = run_setup(tmp_path, name)
        assert done.returncode != 0 and "not a Python >= 3.11" in done.stderr
        assert not (tmp_path / "env").exists()


def test_ci_calls_what_a_user_calls():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK) or os.name == "nt"
    text = script.read_text(encoding="utf-8")
    assert "CI=true" in text and re.search(r"^make .*\btest newcomer$", text, flags=re.M)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (checks,) = re.findall(r"^test: ([a-z -]+)$", makefile, flags=re.M)
    assert {"lint", "types", "unit", "nbval", "browser"} == set(checks.split())
    # tests that are too long for every day run in the long checks
    (long,) = re.findall(r"^full: ([a-z -]+)", makefile, flags=re.M)
    assert {"full-browser", "full-laws", "full-slow", "full-newcomer"} <= set(long.split())


def test_modules_parse_on_the_oldest_python():
    wanted = tuple(map(int, PYPROJECT["project"]["requires-python"].removeprefix(">=").split(".")))
    for path in (ROOT / "annlab").rglob("*.py"):
        ast.parse(path.read_text(encoding="utf-8"), feature_version=wanted)

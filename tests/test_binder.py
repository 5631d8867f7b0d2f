"""Binder without Docker: repo2docker's Dockerfile, and its steps run here."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest
from outside import answers, checkout, free_port, full, tool

from annlab._authoring.badges import binder_link

ROOT = Path(__file__).resolve().parent.parent
BINDER = ROOT / "binder"
#: small, strict, and it shows widgets and real photographs
NOTEBOOK = "01_introduction.ipynb"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="an image is Linux, its steps sh")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkout(tmp_path_factory.mktemp("binder") / "annlab")


@pytest.fixture(scope="module")
def dockerfile(copy: Path) -> str:
    made = subprocess.run(
        [tool("jupyter-repo2docker"), "--no-build", "--debug", "."],
        cwd=copy,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert made.returncode == 0, made.stderr
    assert "python=3.12" in made.stderr, "runtime.txt was not taken"
    return made.stdout


def steps(dockerfile: str) -> list[str]:
    """Return the commands of the image that name our files, in order."""
    return [
        line.removeprefix("RUN ").strip()
        for line in dockerfile.splitlines()
        if line.startswith("RUN ") and "binder/" in line and "chmod" not in line
    ]


# ----------------------------------------------------------------------------------- the files


@full
def test_the_image_takes_our_files_in_this_order(dockerfile):
    assert [step.split("/")[-1].strip('"') for step in steps(dockerfile)] == [
        "requirements.txt",
        "postBuild",
    ]
    # pins before the repository: a changed notebook does not install them again
    pins = dockerfile.index('pip install --no-cache-dir -r "binder/requirements.txt"')
    everything = dockerfile.index("COPY --chown=0:0 src/ ${REPO_DIR}/")
    assert pins < everything < dockerfile.index("./binder/postBuild")
    assert re.search(r'R2D_ENTRYPOINT="\$\{REPO_DIR\}/binder/start"', dockerfile)


def test_the_scripts_stop_at_the_first_error_and_hand_over():
    post_build = (BINDER / "postBuild").read_text(encoding="utf-8")
    assert "set -e" in post_build.splitlines()
    start = (BINDER / "start").read_text(encoding="utf-8").rstrip().splitlines()
    assert start[-1] == 'exec "$@"'
    for name in ("postBuild", "start"):
        assert (BINDER / name).stat().st_mode & 0o111, f"{name} is not executable"


def test_the_python_of_the_image_is_one_that_annlab_supports():
    (version,) = re.fullmatch(r"python-(3\.\d+)\n", (BINDER / "runtime.txt").read_text()).groups()
    assert tuple(map(int, version.split("."))) >= (3, 11)


def script_call(tmp_path: Path, level: str, *, machine: str = "", code: int = 0):
    """Run binder/hnswlib.sh with a Python that only records its calls."""
    fake = tmp_path / "bin"
    fake.mkdir(parents=True)
    record = tmp_path / "record.json"
    (fake / "python").write_text(
        f"#!{sys.executable}\nimport json, os, sys\n"
        f"json.dump([sys.argv[1:], dict(os.environ)], open({str(record)!r}, 'w'))\n"
        f"sys.exit({code})\n"
    )
    if machine:
        (fake / "uname").write_text(
            f'#!/bin/sh\n[ "$1" = -m ] && echo {machine.split()[1]} || echo {machine.split()[0]}\n'
        )
    for path in fake.iterdir():
        path.chmod(0o755)
    environment = {
        k: v for k, v in os.environ.items() if not k.endswith(("CFLAGS", "CXXFLAGS", "_NATIVE"))
    }
    environment["PATH"] = f"{fake}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", BINDER / "hnswlib.sh", "python", BINDER / "requirements.txt", level],
        env=environment,
        capture_output=True,
        text=True,
    )
    words, seen = json.loads(record.read_text())
    return done.returncode, words, seen


@pytest.mark.parametrize(
    ("level", "machine"),
    [("any", "Linux x86_64"), ("any", "Darwin arm64"), ("here", "Linux aarch64"),
     ("here", "Darwin x86_64")],
)  # fmt: skip
def test_only_x86_linux_at_home_gets_flags_for_its_processor(tmp_path, level, machine):
    code, words, seen = script_call(tmp_path, level, machine=machine)
    assert code == 0 and seen["HNSWLIB_NO_NATIVE"] == "1"
    assert "-march" not in seen["CFLAGS"] + seen["CXXFLAGS"]
    assert re.fullmatch(r"hnswlib==\d[\d.]*", words[-1]), words
    if level == "any":
        assert "--no-cache-dir" in words and "--force-reinstall" in words


def test_a_laptop_keeps_avx2_where_it_has_it(tmp_path):
    flags = Path("/proc/cpuinfo")
    if not flags.exists() or " avx2 " not in flags.read_text() or not shutil.which("c++"):
        pytest.skip("this processor has no AVX2, or there is no compiler to ask")
    _, words, seen = script_call(tmp_path, "here", machine="Linux x86_64")
    # setuptools reads the one or the other for C++, depending on its version
    for name in ("CFLAGS", "CXXFLAGS"):
        assert seen[name].split() == ["-march=x86-64-v3"]
    # make env runs it each time: what is built already is not built again
    assert "--force-reinstall" not in words


def test_start_brings_our_settings_and_runs_what_it_is_given():
    done = subprocess.run(
        [
            BINDER / "start",
            sys.executable,
            "-c",
            "import os; print(os.getppid(), os.environ['JUPYTER_CONFIG_PATH'])",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    # exec: the command took the place of the shell, so that signals reach it
    assert int(done.stdout.split()[0]) == os.getpid()
    folder = Path(done.stdout.split()[1].split(os.pathsep)[0])
    assert (folder / "jupyter_lab_config.json").is_file()


# ------------------------------------------------------------------------- the steps, run here


def pinned_python() -> str:
    """Interpreter of the version in runtime.txt."""
    version = (BINDER / "runtime.txt").read_text().strip().removeprefix("python-")
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates = [shutil.which(f"python{version}")]
    candidates += [str(path) for path in sorted(pyenv.glob(f"{version}.*/bin/python3"))]
    for candidate in filter(None, candidates):
        # pyenv leaves names on the path that only say "not installed"
        asked = subprocess.run(
            [candidate, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
            capture_output=True,
            text=True,
        )
        if asked.stdout.strip() == version:
            return candidate
    pytest.skip(f"there is no Python {version} here, which is what the image has")


@full
def test_the_steps_of_the_image_end_in_a_notebook_that_runs(dockerfile, copy, tmp_path):
    prefix = tmp_path / "notebook"
    subprocess.run([pinned_python(), "-m", "venv", prefix], check=True)
    environment = {
        key: value
        for key, value in os.environ.items()
        # what this run sets for itself: a back end for pictures, a compiler's flags, an environment
        if not key.startswith(
            ("ANNLAB", "NUMBA", "VIRTUAL_ENV", "PYTHON", "HNSWLIB", "CFLAGS", "MPL")
        )
    }
    environment |= {
        "PATH": f"{prefix}/bin{os.pathsep}{os.environ['PATH']}",
        "KERNEL_PYTHON_PREFIX": str(prefix),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "CI": "true",
    }
    # the image's own server is older than our pins and must bear them
    server = [f"{prefix}/bin/pip install -q --no-deps notebook=={version_in_the_image('notebook')}"]
    log = ""
    for step in server + steps(dockerfile):
        done = subprocess.run(
            ["bash", "-c", step], cwd=copy, env=environment, capture_output=True, text=True
        )
        log += done.stdout + done.stderr
        assert done.returncode == 0, f"{step}\n{log[-6000:]}"

    # the compiler was not told to use this machine's instructions
    compiled = [line for line in log.splitlines() if "bindings.cpp" in line and " -c " in line]
    assert compiled, "hnswlib was not compiled by postBuild"
    assert not [line for line in compiled if "-march" in line or "-mavx" in line], compiled

    def inside(*words: str, **more) -> subprocess.CompletedProcess:
        return subprocess.run(
            words, cwd=copy, env=environment, capture_output=True, text=True, **more
        )

    asked = inside("python", "-c", "from annlab._kernels import loops; print(loops.processor)")
    assert asked.stdout.strip() in ("any", "avx2", "avx512"), asked.stderr
    version = inside("python", "-c", "import sys; print('%d.%d' % sys.version_info[:2])")
    assert version.stdout.strip() == "3.12"

    sanitizer = ("--nbval-sanitize-with", "tests/nbval.cfg")
    ran = inside(
        "python", "-m", "pytest", "-q", "--nbval", "--nbval-current-env",
        "--nbval-cell-timeout=300", *sanitizer, f"notebooks/{NOTEBOOK}",
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout[-6000:]
    assert re.search(r"\b\d+ passed", ran.stdout), ran.stdout

    # the image's server, started through `start`, opens what a badge's link asks for
    command = json.loads(re.search(r"^CMD (\[.*\])$", dockerfile, flags=re.M).group(1))
    button = binder_link("https://github.com/ada/annlab", f"notebooks/{NOTEBOOK}")
    opened = unquote(button.partition("?urlpath=")[2])
    # JupyterLab answers for any name, so the file that the button names has to exist
    assert (copy / opened.removeprefix("lab/tree/")).is_file(), opened
    loopback = ["127.0.0.1" if word == "0.0.0.0" else word for word in command]
    port = free_port()
    server = subprocess.Popen(
        [copy / "binder" / "start", *loopback, "--no-browser", "--allow-root",
         f"--port={port}", "--IdentityProvider.token=abc"],
        cwd=copy, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        page = answers(f"http://127.0.0.1:{port}/{opened}?token=abc")
    finally:
        server.terminate()
        server.wait(timeout=60)
    assert "JupyterLab" in page
    # the settings of `annlab lab` came along
    assert '"news": {"disabled": true}' in page


def version_in_the_image(package: str) -> str:
    """Version of a package that repo2docker itself installs, before our requirements."""
    home = Path(tool("jupyter-repo2docker")).parent.parent
    (lock,) = home.glob(
        "lib/python3.*/site-packages/repo2docker/buildpacks/conda/environment.py-3.12-linux-64.lock"
    )
    return re.search(rf"/{package}-([\d.]+)-", lock.read_text()).group(1)

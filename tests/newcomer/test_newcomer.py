"""From an empty environment to a notebook that runs, in two ways.

    make newcomer         the wheel in an empty environment, called by .ci/run
    make full-newcomer    also a clone and `make lab`; test_binder.py has the steps of an image

Each way ends with a notebook run in a kernel of its own environment, and prints how long its steps
took. It needs a package index and a C++ compiler.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from outside import answers, checkout, free_port

ROOT = Path(__file__).resolve().parents[2]
#: Short, with widgets and with real photographs.
NOTEBOOK = "01_introduction.ipynb"
#: Seconds for the longest step, which is installing a hundred packages.
LIMIT_S = 1200

_ALL = os.environ.get("ANNLAB_NEWCOMER") == "all"
pytestmark = [
    pytest.mark.newcomer,
    pytest.mark.skipif(sys.platform == "win32", reason="the steps here are those of a POSIX shell"),
]
everyday = pytest.mark.skipif(
    not _ALL and os.environ.get("ANNLAB_NEWCOMER") != "1",
    reason="makes an environment: make newcomer",
)
full = pytest.mark.skipif(not _ALL, reason="makes an environment: make full-newcomer")

#: Run by the environment's own Python: execute a notebook in its kernel, and ask the kernel
#: for its path.
_EXECUTE = """
import json, sys
import nbformat
from nbclient import NotebookClient

path, folder = sys.argv[1:]
notebook = nbformat.read(path, as_version=4)
notebook.metadata.pop("widgets", None)
for cell in notebook.cells:
    if cell.cell_type == "code":
        cell.outputs, cell.execution_count = [], None
ask = "import sys, annlab; print(sys.prefix, annlab.__file__, annlab.__version__, sep='|')"
notebook.cells.append(nbformat.v4.new_code_cell(ask))
resources = {"metadata": {"path": folder}}
NotebookClient(notebook, timeout=600, kernel_name="python3", resources=resources).execute()
code = [cell for cell in notebook.cells if cell.cell_type == "code"]
print(json.dumps({
    "ran": sum(cell.execution_count is not None for cell in code[:-1]),
    "skipped": sum("skip-execution" in cell.metadata.get("tags", []) for cell in code[:-1]),
    "cells": len([cell for cell in code[:-1] if cell.source.strip()]),
    "home": code[-1].outputs[0].text.strip(),
}))
"""


class Newcomer:
    """A new user with an empty home folder, who runs commands."""

    def __init__(self, way: str, home: Path, say) -> None:
        self.way, self.home, self._say = way, home, say
        self.begin = time.perf_counter()
        cache = subprocess.run(
            [sys.executable, "-m", "pip", "cache", "dir"], capture_output=True, text=True
        ).stdout.strip()
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(
                ("ANNLAB", "JUPYTER", "MAKE", "MFLAGS", "MPL", "NUMBA", "PYTEST", "PYTHON")
            )
            and name not in ("VIRTUAL_ENV", "XDG_CACHE_HOME", "XDG_DATA_HOME", "CFLAGS")
        }
        self.environment = kept | {
            "HOME": str(home),
            # a package that was downloaded once need not be again
            "PIP_CACHE_DIR": cache or str(home / "pip"),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            # a wheel of hnswlib made here must not stay behind, built for this machine alone
            "HNSWLIB_NO_NATIVE": "1",
            "MPLBACKEND": "agg",
        }

    def says(self, text: str, since: float) -> None:
        self._say(f"  {self.way:<6} {time.perf_counter() - since:7.1f} s  {text}")

    def does(
        self, text: str, *words: object, cwd: Path, more: Mapping[str, str] | None = None
    ) -> str:
        """Run a command that must succeed; return its output."""
        since = time.perf_counter()
        done = subprocess.run(
            [*map(str, words)],
            cwd=cwd,
            env=self.environment | dict(more or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
        )
        self.says(text, since)
        assert done.returncode == 0, f"{text}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout

    def is_well(self, prefix: Path, *, cwd: Path) -> None:
        """Ask ``annlab doctor`` of that environment."""
        report = json.loads(
            self.does("annlab doctor", prefix / "bin" / "annlab", "doctor", "--json", cwd=cwd)
        )
        assert report["status"] in ("ok", "note"), report
        pins = next(one for one in report["findings"] if one["name"] == "pins")
        # setuptools came with the empty environment, before annlab named any version
        assert pins["facts"]["same"] > 50 and set(pins["facts"]["other"]) <= {"setuptools"}, pins

    def runs_a_notebook(self, prefix: Path, folder: Path) -> None:
        """Execute a notebook of the folder in a kernel of the environment."""
        printed = self.does(
            f"{NOTEBOOK} in a kernel of that environment",
            *(prefix / "bin" / "python", "-c", _EXECUTE, folder / NOTEBOOK, folder),
            cwd=folder,
        )
        seen = json.loads(printed.strip().splitlines()[-1])
        assert seen["cells"] > 5 and seen["ran"] + seen["skipped"] == seen["cells"], seen
        where, module, _ = seen["home"].split("|")
        assert Path(where).resolve() == prefix.resolve(), seen
        assert not Path(module).resolve().is_relative_to(ROOT), "that is the checkout's annlab"

    def opens_and_saves(self, server: str, folder: Path) -> None:
        """Do with a notebook what JupyterLab does: fetch it, note a thought, save it."""
        base, token = server.split("|")
        address = f"{base}/api/contents/{NOTEBOOK}?token={token}"
        model = json.loads(answers(address))
        code = [cell for cell in model["content"]["cells"] if cell["cell_type"] == "code"]
        assert not any(cell["outputs"] or cell["execution_count"] for cell in code)
        model["content"]["cells"][-1]["source"] += "\n\nA thought of mine."
        body = json.dumps({"type": "notebook", "content": model["content"]}).encode()
        headers = {"Content-Type": "application/json"}
        answers(urllib.request.Request(address, body, headers, method="PUT"))
        assert "A thought of mine." in (folder / NOTEBOOK).read_text(encoding="utf-8")

    @contextlib.contextmanager
    def opens_the_lab(self, *words: object, cwd: Path) -> Iterator[str]:
        """Start JupyterLab without a browser; yield address|token once it answers."""
        since = time.perf_counter()
        server = subprocess.Popen(
            [*map(str, words)],
            cwd=cwd,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        said: list[str] = []
        watch = threading.Timer(LIMIT_S, os.killpg, (server.pid, signal.SIGKILL))
        watch.start()
        try:
            pattern = re.compile(r"(http://(?:localhost|127\.0\.0\.1):\d+)/lab\S*token=(\w+)")
            address = None
            while address is None:
                line = server.stdout.readline()
                assert line, "no address was printed:\n" + "".join(said[-60:])
                said.append(line)
                address = pattern.search(line)
            # what it goes on to print must not fill the pipe
            threading.Thread(target=lambda: said.extend(server.stdout), daemon=True).start()
            base, token = address.groups()
            answers(f"{base}/api/status?token={token}")
            page = answers(f"{base}/lab/tree/{NOTEBOOK}?token={token}")
            assert "JupyterLab" in page
            kernels = json.loads(answers(f"{base}/api/kernelspecs?token={token}"))
            assert "python3" in kernels["kernelspecs"]
            # the page that a browser gets names the front ends that it will load
            assert "@jupyter-widgets/jupyterlab-manager" in page and "anywidget" in page
            assert any("does not open a browser" in line for line in said), "".join(said[:40])
            self.says(" ".join(Path(str(word)).name for word in words), since)
            yield f"{base}|{token}"
        finally:
            watch.cancel()
            with contextlib.suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGTERM)
            try:
                server.wait(timeout=30)
            except subprocess.TimeoutExpired:
                os.killpg(server.pid, signal.SIGKILL)
                server.wait()


@pytest.fixture
def newcomer(request, tmp_path, capsys):
    home = tmp_path / "home"
    home.mkdir()

    def say(text: str) -> None:
        with capsys.disabled():
            print(text, flush=True)

    way = request.node.name.removeprefix("test_").partition("_")[0]
    say(f"\nA newcomer takes the way: {way}")
    played = Newcomer(way, home, say)
    yield played
    played.says("in all", played.begin)


@everyday
def test_wheel_into_an_empty_environment(newcomer, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    checkout(source)
    newcomer.does(
        "build the wheel",
        *(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path, source),
        cwd=tmp_path,
    )
    (wheel,) = tmp_path.glob("annlab_kmeans-*.whl")
    prefix = tmp_path / "env"
    newcomer.does("an empty environment", sys.executable, "-m", "venv", prefix, cwd=tmp_path)
    python = prefix / "bin" / "python"
    # what the wheel itself names as tested; without it the newest of everything would come, and
    # the everyday checks would fail on the day of another package's release
    newcomer.does(
        "pip install annlab-kmeans[lab]",
        *(python, "-m", "pip", "install", "-q", "-c", ROOT / "binder" / "requirements.txt"),
        f"{wheel}[lab]",
        cwd=tmp_path,
    )
    course = newcomer.home / "course"
    command = (prefix / "bin" / "annlab", "lab", "--dir", course, "--", "--no-browser")
    with newcomer.opens_the_lab(*command, f"--port={free_port()}", cwd=newcomer.home):
        assert (course / NOTEBOOK).is_file()
    newcomer.is_well(prefix, cwd=newcomer.home)
    newcomer.runs_a_notebook(prefix, course)


@full
def test_clone_and_make_lab(newcomer, tmp_path):
    clone = tmp_path / "clone"
    if not (ROOT / ".git").exists():
        pytest.skip("this is no checkout that could be cloned")
    newcomer.does("git clone", "git", "clone", "-q", ROOT, clone, cwd=tmp_path)
    arguments = f"LAB_ARGS=--no-browser --port={free_port()}"
    course = clone / "annlab-notebooks"
    with newcomer.opens_the_lab("make", "lab", arguments, cwd=clone) as server:
        assert (clone / ".venv" / "bin" / "annlab").is_file()
        newcomer.opens_and_saves(server, course)
    newcomer.does("make env, a second time", "make", "env", cwd=clone)
    newcomer.is_well(clone / ".venv", cwd=clone)
    newcomer.runs_a_notebook(clone / ".venv", course)
    again = newcomer.does("annlab lab", ".venv/bin/annlab", "lab", "--no-start", cwd=clone)
    assert f"Kept as you changed them: {NOTEBOOK}." in again
    # working through the course leaves the clone as it was: the next version can be pulled
    changed = newcomer.does("git status", "git", "status", "--porcelain", cwd=clone)
    assert changed == ""

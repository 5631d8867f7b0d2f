"""Fixtures of the browser tests: a browser, a JupyterLab on copies of the notebooks."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_browser import CHROMIUM_ARGUMENTS, Notebook, Server, find_chromium, opened

ROOT = Path(__file__).resolve().parents[2]
MISSING = (
    "no Chromium was found, so the browser tests did not run. Install it (Debian: apt install "
    "chromium), or name one: ANNLAB_CHROMIUM=/path/to/chrome"
)


def _give_up(reason: str) -> None:
    """Skip at a user's, fail in continuous integration: there a skip would look like a pass."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything of this folder, so that ``-m "not browser"`` leaves it out.

    With several workers (``--dist loadgroup``) a file stays on one of them, because its tests share
    an open notebook; only the notebooks of the course are dealt out one by one.
    """
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker("browser")
            if item.path.stem != "test_course":
                item.add_marker(pytest.mark.xdist_group(item.path.stem))


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A headless Chromium."""
    path = find_chromium()
    if path is None:
        _give_up(MISSING)
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        _give_up("the package playwright is missing: run make env")
    arguments = list(CHROMIUM_ARGUMENTS)
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        arguments.append("--no-sandbox")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=arguments)
        yield started
        started.close()


@pytest.fixture(scope="session")
def server(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """JupyterLab on copies of the notebooks: what the tests change and save is thrown away."""
    folder = tmp_path_factory.mktemp("notebooks")
    shutil.copytree(
        ROOT / "notebooks",
        folder,
        dirs_exist_ok=True,
        ignore=shutil.ignore_patterns("_output", ".ipynb_checkpoints"),
    )
    running = Server(folder, tmp_path_factory.mktemp("private"))
    yield running
    running.stop()


@pytest.fixture
def open_notebook(browser: Any, server: Server) -> Iterator[Callable[..., Notebook]]:
    """Open a notebook in a browser that remembers nothing; closed at the end of the test."""
    with contextlib.ExitStack() as stack:

        def open_it(name: str, **context: Any) -> Notebook:
            return stack.enter_context(opened(browser, server, name, **context))

        yield open_it


@pytest.fixture(scope="session")
def keep_picture() -> Callable[[Path], Path]:
    """Publish a screenshot as ``notebooks/images/<name>``, where that is asked for.

    Every run leaves its screenshots in ``notebooks/_output/screenshots``. The published picture is
    written when it does not exist and by ``make screenshots``; otherwise each run would change a
    file that git keeps, because fonts differ between machines.
    """

    def keep(path: Path) -> Path:
        published = ROOT / "notebooks" / "images" / path.name
        if os.environ.get("ANNLAB_SCREENSHOTS") == "update" or not published.exists():
            published.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, published)
        return published

    return keep


@pytest.fixture(scope="session")
def screenshots() -> Path:
    """Folder for the screenshots of this run."""
    folder = ROOT / "notebooks" / "_output" / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    return folder

"""Fixtures of the browser tests: one browser and one JupyterLab, on copies of the notebooks."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from jupyter_browser import BrowserServer, Notebook, Server, find_chromium, opened
from reader import Operator

ROOT = Path(__file__).resolve().parents[2]
MISSING = (
    "no Chromium was found, so the browser tests did not run. Install it (Debian: apt install "
    "chromium), or name one: ANNLAB_CHROMIUM=/path/to/chrome"
)
#: what the main process started for all its workers
_STARTED = pytest.StashKey[contextlib.ExitStack]()
_ADDRESSES = pytest.StashKey[dict[str, str]]()


def _give_up(reason: str) -> None:
    """Skip, but fail in continuous integration, where a skip would look like a pass."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all tests of this folder, so that ``-m "not browser"`` excludes them."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker("browser")


# ------------------------------------------------------------- one browser and one JupyterLab


def _addresses(config: pytest.Config) -> dict[str, str]:
    """Start JupyterLab and Chromium once for the whole run."""
    if _ADDRESSES not in config.stash:
        started = config.stash[_STARTED] = contextlib.ExitStack()
        chromium = find_chromium()
        if chromium is None:
            return config.stash.setdefault(_ADDRESSES, {})
        top = Path(started.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        private, notebooks = top / "private", top / "notebooks"
        private.mkdir()
        hidden = shutil.ignore_patterns("_output", ".ipynb_checkpoints")
        shutil.copytree(ROOT / "notebooks", notebooks, ignore=hidden)
        browser = BrowserServer(chromium, private)
        started.callback(browser.stop)
        server = Server(notebooks, private)
        started.callback(server.stop)
        config.stash[_ADDRESSES] = {
            "browser": browser.address,
            "jupyter": server.url,
            "notebooks": str(notebooks),
        }
    return config.stash[_ADDRESSES]


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Pass what all workers share to a worker of xdist."""
    node.workerinput["annlab_addresses"] = _addresses(node.config)


def pytest_unconfigure(config: pytest.Config) -> None:
    if _STARTED in config.stash:
        config.stash[_STARTED].close()


@pytest.fixture(scope="session")
def addresses(request: pytest.FixtureRequest) -> dict[str, str]:
    """Return the addresses of JupyterLab and Chromium."""
    config = request.config
    if hasattr(config, "workerinput"):
        return dict(config.workerinput["annlab_addresses"])
    return _addresses(config)


@pytest.fixture(scope="session")
def browser(addresses: dict[str, str]) -> Iterator[Any]:
    """Return the headless Chromium; each worker sees only its own windows."""
    if not addresses:
        _give_up(MISSING)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        connected = playwright.chromium.connect(addresses["browser"])
        yield connected
        connected.close()


class Lab(NamedTuple):
    """JupyterLab on copies of the notebooks, which are deleted after the tests."""

    folder: Path
    url: str


@pytest.fixture(scope="session")
def lab(browser: Any, addresses: dict[str, str]) -> Lab:
    return Lab(Path(addresses["notebooks"]), addresses["jupyter"])


@pytest.fixture
def open_notebook(browser: Any, lab: Lab) -> Iterator[Callable[..., Notebook]]:
    """Open a notebook in a fresh window, closed at the end of the test."""
    with contextlib.ExitStack() as stack:

        def open_it(name: str, **context: Any) -> Notebook:
            return stack.enter_context(opened(browser, lab.url, name, **context))

        yield open_it


# ----------------------------------------------------------------------------------- pictures


@pytest.fixture(scope="session")
def keep_picture() -> Callable[[Path], Path]:
    """Return a function that publishes a screenshot as ``notebooks/images/<name>``.

    It does so if the picture does not exist or `make screenshots` runs: fonts differ between
    machines, and each run would change a file that git keeps.
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


@pytest.fixture
def operate(screenshots: Path) -> Callable[..., None]:
    """Return a function that operates a widget of a notebook once and keeps a picture of it."""

    def once(notebook: Notebook, number: int, name: str) -> None:
        widget = notebook.widget(number=number)
        if widget.locator.locator(".annlab-sentence").count():
            widget.settle()
            Operator(widget).operate()
            widget.settle()
            widget.screenshot(screenshots / f"{name}.png")

    return once

"""The whole site, built and opened in Chromium, without requests elsewhere."""

from __future__ import annotations

import functools
import http.server
import importlib.util
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag

import pytest

ROOT = Path(__file__).resolve().parents[2]
PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1400, "height": 1000}
PAGES = ("index.html", "explorers.html", "docs/formulas.html", "api/clustering.html", "README.html")


class Links(HTMLParser):
    """What a page links to or loads, and the places inside it."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.places: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = {name: value for name, value in attrs if value}
        self.places.update(known.get("id", "").split())
        if tag == "a" and "href" in known:
            self.links.append(known["href"])
        elif tag == "link" and "href" in known:
            self.loads.append(known["href"])
        elif tag in {"img", "script", "iframe", "source", "video"} and "src" in known:
            self.loads.append(known["src"])


def parsed(path: Path) -> Links:
    links = Links()
    links.feed(path.read_text(encoding="utf-8"))
    return links


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make site` does, where no other server can be reached."""
    if importlib.util.find_spec("myst_nb") is None:
        missing = 'the site is not built here: pip install "annlab-kmeans[site]", or make site'
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    out = tmp_path_factory.mktemp("site") / "html"
    nowhere = {name: "http://127.0.0.1:9" for name in ("http_proxy", "https_proxy", "ALL_PROXY")}
    built = subprocess.run(
        [sys.executable, ROOT / "docs" / "build.py", "--out", out],
        env=os.environ | nowhere,
        capture_output=True,
        text=True,
        timeout=900,
    )
    # a link that leads nowhere, a formula or a docstring that cannot be read: each is a warning
    assert built.returncode == 0, built.stdout + built.stderr
    return out


@pytest.fixture(scope="session")
def address(site: Path) -> Iterator[str]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *words: object) -> None: ...

    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(site))
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


class Visit:
    """One page in a browser, with everything that went wrong on it."""

    def __init__(self, browser: Any, size: dict[str, int], home: str) -> None:
        self.page = browser.new_context(viewport=size).new_page()
        self.elsewhere: list[str] = []
        self.wrong: list[str] = []
        self.page.route("**/*", self._only(home))
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on(
            "console", lambda said: self.wrong.append(said.text) if said.type == "error" else None
        )
        self.page.on(
            "response", lambda got: self.wrong.append(got.url) if got.status >= 400 else None
        )

    def _only(self, home: str):
        def decide(route: Any) -> None:
            url = route.request.url
            if url.startswith((home, "data:", "blob:")):
                route.continue_()
            else:
                self.elsewhere.append(url)
                route.abort()

        return decide

    def open(self, url: str) -> Any:
        self.page.goto(url)
        self.page.wait_for_load_state("networkidle")
        if self.page.query_selector('script[type="application/vnd.jupyter.widget-view+json"]'):
            self.page.wait_for_selector('html[data-stored-widgets="shown"]', timeout=60_000)
        return self.page


@pytest.fixture
def visit(browser: Any, address: str) -> Iterator[Any]:
    opened = []

    def start(size: dict[str, int]) -> Visit:
        opened.append(Visit(browser, size, address))
        return opened[-1]

    yield start
    for one in opened:
        one.page.context.close()


def notebook_pages() -> list[str]:
    return [f"notebooks/{path.stem}.html" for path in sorted((ROOT / "notebooks").glob("*.ipynb"))]


def widgets_shown(site: Path, name: str) -> int:
    """Widgets in the notebook that a page was made from."""
    path = site.parent / f"{site.name}-source" / Path(name).with_suffix(".ipynb")
    return sum(
        "application/vnd.jupyter.widget-view+json" in output.get("data", {})
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]
        for output in cell.get("outputs", ())
    )


def test_it_has_every_part(site):
    for page in (*PAGES, *notebook_pages(), "CONTRIBUTING.html", "data/README.html"):
        assert (site / page).is_file(), page
    for name in ("TEACHING", "README"):
        assert (site / f"notebooks/{name}.html").is_file() == (
            ROOT / f"notebooks/{name}.md"
        ).is_file()
    assert (site / "data/benchmarks/README.html").is_file() == (
        ROOT / "data/benchmarks/README.md"
    ).is_file()


def test_every_internal_link_leads_somewhere(site):
    pages = {path: parsed(path) for path in site.rglob("*.html")}
    assert len(pages) > 20
    broken = []
    for path, links in pages.items():
        for link in links.links + links.loads:
            if re.match(r"[a-z]+:|//", link):
                continue
            file, place = urldefrag(link)
            target = (path.parent / unquote(file.split("?")[0])).resolve() if file else path
            if target.is_dir():
                target /= "index.html"
            if not target.is_file():
                broken.append(f"{path.relative_to(site)}: {link}")
            elif place and target in pages and unquote(place) not in pages[target].places:
                broken.append(f"{path.relative_to(site)}: {link} (no such place)")
    assert not broken, "\n".join(broken)


def test_no_page_loads_from_elsewhere(site):
    for path in site.rglob("*.html"):
        away = [url for url in parsed(path).loads if re.match(r"(https?:)?//", url)]
        # nothing is loaded from the canonical address of a page
        assert not away, f"{path.relative_to(site)}: {away}"


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_pages_open_without_errors_requests_elsewhere_or_sideways_scrolling(
    visit, site, address, size
):
    one = visit(size)
    for name in (*PAGES, *notebook_pages()):
        page = one.open(address + name)
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, f"{name} is {wide} pixels wider than the screen"
        assert not one.elsewhere, f"{name} asked for {one.elsewhere}"
        assert not one.wrong, f"{name}: {one.wrong}"
        if name.startswith("notebooks/"):
            failed = page.query_selector_all(".stored-widget-failed")
            assert not failed, [e.inner_text() for e in failed]
            assert len(page.query_selector_all(".stored-widget")) == widgets_shown(site, name), name


def test_stored_controls_are_disabled_and_say_why(visit, address):
    page = visit(DESKTOP).open(address + "notebooks/03_kmeans_with_ann.html")
    controls = page.query_selector_all(".stored-widget button, .stored-widget input")
    assert controls and all(control.is_disabled() for control in controls)
    assert "running notebook" in page.inner_text(".stored-widget-note")


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
@pytest.mark.parametrize("name", ["03_kmeans_with_ann", "12_outliers_and_noise"])
def test_explorers_show_their_stored_picture(visit, address, name, size):
    page = visit(size).open(f"{address}notebooks/{name}.html")
    shown = page.evaluate(
        """() => [...document.querySelectorAll('.cell_output img')].map(e => {
            const box = e.getBoundingClientRect();
            return [box.width, box.height, e.naturalWidth / e.naturalHeight];
        })"""
    )
    assert len(shown) >= 3
    for width, height, ratio in shown:
        assert 100 < width <= size["width"]
        assert abs(width / height - ratio) < 0.05 * ratio, "the picture leaves a gap"


def test_formulas_are_set(visit, address):
    page = visit(PHONE).open(address + "docs/formulas.html")
    page.wait_for_selector("mjx-container")
    assert len(page.query_selector_all("mjx-container")) > 20
    assert not page.query_selector_all("mjx-merror")
    fonts = page.evaluate("[...document.fonts].filter(f => f.status === 'loaded').length")
    assert fonts > 0, "the fonts of MathJax did not come along"


def test_the_search_finds_a_function(visit, address):
    page = visit(DESKTOP).open(address + "search.html?q=kmeans_ann")
    page.wait_for_selector("#search-results li a", timeout=30_000)
    assert "api/" in " ".join(
        str(e.get_attribute("href")) for e in page.query_selector_all("#search-results li a")
    )

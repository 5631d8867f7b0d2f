"""The site: its pages, links to the repository, and shipped files."""

from __future__ import annotations

import base64
import importlib.util
import json
import re
from pathlib import Path

import pytest

import annlab
from annlab._authoring.cells import WIDGET_VIEW
from annlab._support.errors import MissingExtraError

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def build():
    """Load docs/build.py, a script outside of the package."""
    spec = importlib.util.spec_from_file_location("site_build", ROOT / "docs" / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_public_name_has_its_place(build, tmp_path):
    """Finds functions that are exported but not documented."""
    build.api_pages(tmp_path)
    text = "\n".join(path.read_text() for path in (tmp_path / "api").glob("*.rst"))
    shown = {name.rsplit(".", 1)[1] for name in re.findall(r"auto(?:class|function):: (\S+)", text)}
    named = {name for name in annlab.__all__ if callable(getattr(annlab, name))}
    # classes of errors and warnings explain themselves where they occur
    assert named - shown <= {"AnnlabWarning", "MissingExtraError"}
    # nothing is shown twice: a reference would not know which one is meant
    listed = re.findall(r"auto(?:class|function):: (\S+)", text)
    assert len(listed) == len(set(listed))


def test_pages_are_a_mirror_of_the_repository(build, tmp_path):
    build.copy_course(tmp_path)
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        copied = json.loads((tmp_path / "notebooks" / path.name).read_text())
        original = json.loads(path.read_text(encoding="utf-8"))
        assert len(copied["cells"]) == len(original["cells"])
        for ours, theirs in zip(copied["cells"], original["cells"], strict=True):
            # what was stored is what is shown, but for the controls of explorers
            for shown, stored in zip(
                ours.get("outputs", ()), theirs.get("outputs", ()), strict=True
            ):
                if "image/png" in stored.get("data", {}):
                    stored["data"].pop(WIDGET_VIEW, None)
                assert shown == stored
        assert copied["metadata"] == original["metadata"]
    for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "data/README.md"):
        assert (tmp_path / name).is_file()


def test_links_to_code_go_to_the_repository_and_links_to_pages_stay(build):
    text = "[a](LICENSE) [b](notebooks/00_start_here.ipynb) [c](https://doi.org/1) [d](#start)"
    linked = build.repository_links(text, ROOT / "README.md")
    address = build.badges.address(ROOT)
    assert linked == text.replace("(LICENSE)", f"({address}/blob/main/LICENSE)")
    # a link that leads nowhere stays for Sphinx to find
    assert build.repository_links("[a](nowhere.py)", ROOT / "README.md") == "[a](nowhere.py)"


def test_the_course_lists_every_notebook_with_its_question(build):
    table = build.course_table()
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        assert f"(notebooks/{path.name})" in table
    assert "**The question.**" not in table
    assert ("mybinder" in table) != build.badges.is_placeholder(build.badges.address(ROOT))
    for question in re.findall(r"^: (.+)$", table, flags=re.M):
        assert len(question) > 40


def test_the_explorers_page_shows_their_stored_pictures(build, tmp_path):
    build.explorers(tmp_path)
    text = (tmp_path / "explorers.md").read_text()
    names = re.findall(r"\(explorers/([a-z_]+)\.png\)", text)
    used = {
        name
        for path in (ROOT / "notebooks").glob("*.ipynb")
        for name, _ in build.explorers_in(path)
        if name in annlab.widgets.available_explorers()
    }
    assert set(names) == used and len(names) == len(used) >= 8
    for name in names:
        assert (tmp_path / "explorers" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert text.count(":::{container}") == len(names) + 1


def test_a_picture_comes_from_the_cell_that_shows_the_explorer(build, tmp_path):
    data = base64.b64encode(b"\x89PNG of this one").decode()
    cell = {
        "cell_type": "code",
        "source": ["widgets.graph_walk().snapshot()"],
        "outputs": [{"output_type": "display_data", "data": {"image/png": data}}],
    }
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps({"cells": [cell, {"cell_type": "markdown", "source": "x"}]}))
    assert list(build.explorers_in(path)) == [("graph_walk", b"\x89PNG of this one")]


def test_missing_files_of_the_site_are_named_with_a_remedy(build):
    with pytest.raises(MissingExtraError, match=r'pip install "annlab-kmeans\[site,lab\]"'):
        build.installed_file("no-such-package", "x.js")
    with pytest.raises(MissingExtraError, match="has no such file"):
        build.installed_file("widgetsnbextension", "no-such-file.js")


def test_nothing_in_the_sources_of_the_site_names_another_server():
    """Links may lead elsewhere; scripts, styles and pictures may not come from there."""
    for path in (ROOT / "docs").rglob("*"):
        if path.suffix in {".js", ".css", ".svg"}:
            text = path.read_text(encoding="utf-8")
            found = set(re.findall(r"https?://[^\s\"'`)]+", text))
            assert found <= {"http://www.w3.org/2000/svg", "https://mybinder.org/"}, path
    conf = (ROOT / "docs" / "conf.py").read_text(encoding="utf-8")
    assert "http" not in conf
    assert 'nb_execution_mode = "off"' in conf


def test_the_pins_of_the_site_agree_with_those_of_the_environment():
    def pins(path: Path) -> dict[str, str]:
        lines = path.read_text(encoding="utf-8").splitlines()
        return dict(re.match(r"([\w.-]+)==([^\s;]+)", line).groups() for line in lines)

    ours = pins(ROOT / "docs" / "requirements.txt")
    theirs = pins(ROOT / "binder" / "requirements.txt")
    assert {"sphinx", "myst-nb", "furo", "numpydoc", "sphinx-mathjax-offline"} <= set(ours)
    # it is built by binder/hnswlib.sh, and everything works without it
    assert "hnswlib" not in ours
    for name in set(ours) & set(theirs):
        assert ours[name] == theirs[name], f"{name}: run make pins"

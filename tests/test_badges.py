"""Buttons: all from one address, idempotent, and nothing stored in a notebook is lost."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import nbformat
import pytest

from annlab._authoring import badges
from annlab._authoring.normalising import dumps

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
ADA = "https://github.com/ada/annlab"


@pytest.fixture
def checkout(tmp_path):
    """A checkout with two notebooks and the placeholder as its address."""
    (tmp_path / "notebooks").mkdir()
    for path in NOTEBOOKS[:2]:
        shutil.copy(path, tmp_path / "notebooks")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    badges.set_address(tmp_path, "https://github.com/OWNER/annlab")
    (tmp_path / "README.md").write_text("<!-- buttons: notebooks/a.ipynb -->\n\nText\n")
    badges.rewrite(tmp_path)
    return tmp_path


# ------------------------------------------------------------------------------ the real repository


def test_every_link_of_the_repository_follows_its_address():
    behind = [str(path.relative_to(ROOT)) for path in badges.outdated(ROOT)]
    assert not behind, f"run python -m annlab._authoring.badges: {behind}"


def test_the_address_is_written_nowhere_else():
    owner, name = badges.address(ROOT).split("/")[-2:]
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("asks git, and this is no checkout")
    made = {"pyproject.toml", "README.md", "CONTRIBUTING.md", "CITATION.cff"}
    # examples of what the command does
    made |= {"annlab/_authoring/badges.py", "tests/test_badges.py"}
    for path in map(Path, listed.stdout.splitlines()):
        if str(path) in made or path.suffix not in {".py", ".md", ".yml", ".toml", ".sh", ".cfg"}:
            continue
        if (ROOT / path).is_file():
            assert f"{owner}/{name}" not in (ROOT / path).read_text(encoding="utf-8"), path


@pytest.mark.parametrize("image", ["binder.svg", "colab.svg"])
def test_button_pictures_have_a_title_and_load_nothing(image):
    text = (ROOT / "notebooks" / "images" / image).read_text(encoding="utf-8")
    assert "<title>Open in" in text and "aria-label" in text
    assert set(re.findall(r"https?://[^\"]+", text)) == {"http://www.w3.org/2000/svg"}


# ------------------------------------------------------------------------------------------- links


def test_binder_links_open_the_readers_copy_in_jupyterlab():
    link = badges.binder_link("https://github.com/ada/ann", "notebooks/03 a.ipynb")
    place, _, question = link.partition("?urlpath=")
    assert place == "https://mybinder.org/v2/gh/ada/ann/main"
    assert " " not in link and unquote(question) == "lab/tree/annlab-notebooks/03 a.ipynb"
    other = badges.binder_link("https://github.com/ada/ann", "notebooks/exercises/a.ipynb")
    assert unquote(other).endswith("=lab/tree/notebooks/exercises/a.ipynb")
    colab = badges.colab_link("https://github.com/ada/ann", "notebooks/a.ipynb")
    assert colab == "https://colab.research.google.com/github/ada/ann/blob/main/notebooks/a.ipynb"


def test_clone_commands_and_citations_follow_the_address():
    text = "git clone https://github.com/OWNER/annlab\nurl: x"
    assert badges.readdressed(text, ADA) == f'git clone {ADA}\nurl: "{ADA}"'


@pytest.mark.parametrize(
    "written", ["", "https://gitlab.com/a/b", "github.com/a/b", "https://github.com/a", "a/b"]
)
def test_addresses_that_binder_cannot_open_are_refused(checkout, written):
    with pytest.raises(ValueError, match=r"Repository in \[project\.urls\]"):
        badges.set_address(checkout, written)
    path = checkout / "pyproject.toml"
    path.write_text(path.read_text().replace("https://github.com/OWNER/annlab", written))
    with pytest.raises(ValueError, match=r"Repository in \[project\.urls\]"):
        badges.address(checkout)


@pytest.mark.parametrize("ending", ["/", ".git"])
def test_endings_of_an_address_are_dropped(checkout, ending):
    badges.set_address(checkout, ADA + ending)
    assert badges.address(checkout) == ADA


# --------------------------------------------------------------------------------------- rewriting


def test_buttons_appear_with_the_address_and_change_nothing_else(checkout, capsys):
    call = ["--root", str(checkout)]
    before = {path: path.read_text() for path in checkout.rglob("*.*") if path.suffix != ".toml"}
    assert not any("mybinder" in text for text in before.values())
    assert badges.main([*call, "--published"]) == 1
    assert "placeholder" in capsys.readouterr().out
    assert badges.main([*call, "--address", ADA]) == 0
    capsys.readouterr()
    for path, text in before.items():
        after = path.read_text()
        assert after.count("[![Open in Binder]") == after.count("[![Open in Colab]") == 1
        if path.suffix == ".ipynb":
            old, new = (nbformat.reads(one, 4) for one in (text, after))
            assert new.cells[0].source.splitlines()[2].startswith("[![Open in Binder]")
            assert unquote(new.cells[0].source).count(f"notebooks/{path.name}") == 2
            assert old.metadata == new.metadata
            for ours, theirs in zip(old.cells, new.cells, strict=True):
                assert ours.get("outputs") == theirs.get("outputs")
                assert ours.get("execution_count") == theirs.get("execution_count")
    assert badges.main([*call, "--check", "--published"]) == 0
    assert f"every link follows {ADA}" in capsys.readouterr().out
    # a placeholder removes the buttons again
    badges.set_address(checkout, "https://github.com/OWNER/annlab")
    assert badges.main([*call, "--check"]) == 1
    assert "README.md: differs" in capsys.readouterr().out
    badges.rewrite(checkout)
    assert {path: path.read_text() for path in before} == before


def test_a_notebook_without_install_cell_gets_one():
    text, cell = nbformat.v4.new_markdown_cell("# T"), nbformat.v4.new_code_cell("1 + 1")
    fresh = badges.with_badges(nbformat.v4.new_notebook(cells=[text, cell]), "x.ipynb", ROOT)
    assert [c.cell_type for c in fresh.cells] == ["markdown", "code", "code"]
    assert fresh.cells[1].metadata.tags == [badges.INSTALL_TAG, badges.HIDDEN_TAG]
    assert dumps(badges.with_badges(fresh, "x.ipynb", ROOT)) == dumps(fresh)


def test_a_notebook_without_a_title_is_refused():
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("text")])
    with pytest.raises(ValueError, match=r"the first cell of x\.ipynb must be a heading"):
        badges.with_badges(notebook, "x.ipynb", ROOT)


def test_install_cell_installs_only_where_annlab_is_missing():
    """Run in IPython, as on Colab, with a fake magic command."""
    source = badges.install_source(ADA, ROOT)
    program = f"""
from IPython.core.interactiveshell import InteractiveShell
import importlib.util
shell = InteractiveShell.instance()
called = []
shell.register_magic_function(called.append, magic_name="pip")
result = shell.run_cell({source!r})
assert result.success and result.result is None, result
assert called == [], called
importlib.util.find_spec = lambda name: None
assert shell.run_cell({source!r}).success
(words,) = called
print(words)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    words = done.stdout.strip()
    assert words.startswith(f'install -q "annlab-kmeans @ git+{ADA}"')
    assert "umap-learn" in words.split() and "faiss-cpu" in words.split()
    assert "jupyterlab" not in words


def test_the_workflow_fills_in_the_address_with_nbformat_alone(checkout):
    """The job installs nbformat and nothing else of annlab's dependencies."""
    program = (
        "import sys\n"
        "for name in ('numpy', 'scipy', 'sklearn', 'PIL', 'matplotlib', 'ipywidgets'):\n"
        "    sys.modules[name] = None\n"
        "from annlab._authoring import badges\n"
        f"sys.exit(badges.main(['--root', {str(checkout)!r}, '--address', {ADA!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert ADA in (checkout / "pyproject.toml").read_text()

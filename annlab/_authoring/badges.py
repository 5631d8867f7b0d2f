"""Make every button and link from the one address in pyproject.toml.

The address is in ``[project.urls]``. From it come the buttons of README.md and of each notebook
(Binder, Colab), the cell that installs annlab on Colab, the clone command of CONTRIBUTING.md and
the repository in CITATION.cff. While it is a placeholder, there are no buttons::

    python -m annlab._authoring.badges                  rewrite all of them
    python -m annlab._authoring.badges --check          only list what differs; then exit status 1
    python -m annlab._authoring.badges --address URL    change the address first
"""

from __future__ import annotations

import argparse
import copy
import re
import sys
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from annlab._authoring.cells import tags_of
from annlab._authoring.normalising import dumps, normalise
from annlab._support.errors import invalid, require
from annlab._support.places import COPIES, checkout_folder

if TYPE_CHECKING:
    from nbformat import NotebookNode

#: Owner in the address until the repository is published.
PLACEHOLDER = "OWNER"
BRANCH = "main"
#: Tags of the cell that installs annlab on Colab; myst-nb hides cells with the second one.
INSTALL_TAG, HIDDEN_TAG = "install-annlab", "remove-cell"
#: Packages of the extra ``lab`` that Colab must not install over its own server.
NOT_ON_COLAB = frozenset({"jupyterlab"})

_ADDRESS = re.compile(r"https://github\.com/([A-Za-z0-9-]+)/([A-Za-z0-9._-]+?)(?:\.git)?/?")
_BADGES = re.compile(r"^\[!\[Open in Binder\].*\n?", flags=re.M)
#: Place of the buttons in a Markdown file, with the notebook that they open.
_PLACE = re.compile(r"^(<!-- buttons: (\S+) -->)\n(?:\[!\[Open in Binder\].*\n)?", flags=re.M)
_CLONE = re.compile(r"(git clone )https://github\.com/\S+")
_CITED = re.compile(r"^((?:repository-code|url): ).*$", flags=re.M)


def address(root: Path) -> str:
    """Return the repository's address, ``https://github.com/<owner>/<name>``.

    Raises
    ------
    ValueError
        If pyproject.toml has none that Binder and Colab can open.
    """
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return _checked(str(project.get("urls", {}).get("Repository", "")))


def _checked(written: str) -> str:
    match = _ADDRESS.fullmatch(written)
    if match is None:
        raise invalid(
            "Repository in [project.urls] of pyproject.toml",
            "https://github.com/<owner>/<name>",
            repr(written),
            "Binder and Colab open a repository by its owner and its name.",
        )
    return f"https://github.com/{match.group(1)}/{match.group(2)}"


def is_placeholder(repository: str) -> bool:
    """Return whether the address is still the placeholder without an owner."""
    return f"/{PLACEHOLDER}/" in repository


def binder_link(repository: str, path: str) -> str:
    """Return the address that opens a repository file in JupyterLab on Binder.

    A notebook of the course opens as the reader's copy, without outputs.
    """
    name = repository.removeprefix("https://github.com/")
    path = re.sub(r"^notebooks/(?=[^/]+\.ipynb$)", f"{COPIES}/", path)
    return f"https://mybinder.org/v2/gh/{name}/{BRANCH}?urlpath={quote('lab/tree/' + path, '')}"


def colab_link(repository: str, path: str) -> str:
    """Return the address that opens a notebook of the repository on Colab."""
    name = repository.removeprefix("https://github.com/")
    return f"https://colab.research.google.com/github/{name}/blob/{BRANCH}/{quote(path)}"


def badges(repository: str, path: str, images: str = "images") -> str:
    """Return both buttons as a line of Markdown; empty for a placeholder."""
    if is_placeholder(repository):
        return ""
    return (
        f"[![Open in Binder]({images}/binder.svg)]({binder_link(repository, path)}) "
        f"[![Open in Colab]({images}/colab.svg)]({colab_link(repository, path)})"
    )


def without_badges(text: str) -> str:
    """Return the text of a cell without its line of buttons."""
    return _BADGES.sub("", text)


def install_source(repository: str, root: Path) -> str:
    """Return the source of the cell that installs annlab if it is missing."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extra = [
        re.split(r"[\s<>=!~;\[]", requirement)[0]
        for requirement in project["optional-dependencies"]["lab"]
    ]
    others = " ".join(name for name in extra if name not in NOT_ON_COLAB)
    return (
        "# for Colab: where annlab is installed already, this does nothing\n"
        "from importlib.util import find_spec\n"
        'if find_spec("annlab") is None:\n'
        f'    %pip install -q "{project["name"]} @ git+{repository}" {others}'
    )


def with_badges(
    notebook: NotebookNode, name: str, root: Path, folder: str = "notebooks"
) -> NotebookNode:
    """Return a normalised copy of a notebook with current buttons and install cell.

    Raises
    ------
    ValueError
        If the notebook does not begin with a heading: the buttons go below it.
    """
    fresh = copy.deepcopy(notebook)
    repository = address(root)
    first = fresh.cells[0] if fresh.cells else None
    if first is None or first.cell_type != "markdown" or not first.source.startswith("# "):
        raise invalid(
            f"the first cell of {name}",
            "a heading of the first level",
            repr(first.source[:60] if first else ""),
            "The buttons go below it.",
        )
    title, _, rest = first.source.partition("\n")
    parts = (title, badges(repository, f"{folder}/{name}"), without_badges(rest).strip("\n"))
    first.source = "\n\n".join(filter(None, parts))
    _put_install_cell(fresh, install_source(repository, root))
    return normalise(fresh, name)


def _put_install_cell(notebook: NotebookNode, source: str) -> None:
    for cell in notebook.cells:
        if INSTALL_TAG in tags_of(cell):
            cell.source = source
            return
    nbformat = require("nbformat", purpose="to write notebooks", extra="test")
    cell = nbformat.v4.new_code_cell(source, metadata={"tags": [INSTALL_TAG, HIDDEN_TAG]})
    kinds = [cell.cell_type for cell in notebook.cells]
    notebook.cells.insert(kinds.index("code") if "code" in kinds else 1, cell)


def readdressed(text: str, repository: str) -> str:
    """Return a text with buttons, clone commands and citations for a repository."""

    def placed(match: re.Match[str]) -> str:
        buttons = badges(repository, match.group(2), "notebooks/images")
        return f"{match.group(1)}\n" + (f"{buttons}\n" if buttons else "")

    text = _CLONE.sub(lambda m: f"{m.group(1)}{repository}", _PLACE.sub(placed, text))
    return _CITED.sub(lambda m: f'{m.group(1)}"{repository}"', text)


def _outdated(root: Path) -> dict[Path, str]:
    """Return the new text of each file that does not match the address."""
    nbformat = require("nbformat", purpose="to read notebooks", extra="test")
    repository = address(root)

    def notebook(text: str, path: Path) -> str:
        folder = path.parent.relative_to(root).as_posix()
        return dumps(with_badges(nbformat.reads(text, as_version=4), path.name, root, folder))

    def page(text: str, path: Path) -> str:
        return readdressed(text, repository)

    pages: list[tuple[Path, Callable[[str, Path], str]]] = [
        (root / name, page) for name in ("README.md", "CONTRIBUTING.md", "CITATION.cff")
    ]
    pages += [(path, notebook) for path in sorted((root / "notebooks").glob("*.ipynb"))]
    changed = {}
    for path, renew in pages:
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            renewed = renew(text, path)
            if renewed != text:
                changed[path] = renewed
    return changed


def outdated(root: Path) -> list[Path]:
    """Return the files that do not match the repository's address."""
    return list(_outdated(root))


def rewrite(root: Path) -> list[Path]:
    """Bring every file up to date and return those that changed."""
    changed = _outdated(root)
    for path, text in changed.items():
        path.write_text(text, encoding="utf-8", newline="\n")
    return list(changed)


def set_address(root: Path, repository: str) -> None:
    """Write another address into pyproject.toml."""
    path = root / "pyproject.toml"
    line = f'Repository = "{_checked(repository)}"'
    text = re.sub(r"^Repository = .*$", line, path.read_text(encoding="utf-8"), flags=re.M)
    path.write_text(text, encoding="utf-8", newline="\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Rewrite or check; the exit status is 1 if a check failed."""
    parser = argparse.ArgumentParser(
        prog="python -m annlab._authoring.badges",
        description="Rewrite the buttons (Binder, Colab), the install cell for Colab, the clone "
        "command and the citation from the address in pyproject.toml.",
    )
    parser.add_argument("--check", action="store_true", help="change nothing, list what differs")
    parser.add_argument(
        "--published", action="store_true", help=f"also refuse the owner {PLACEHOLDER}"
    )
    parser.add_argument("--address", metavar="URL", help="write this address first")
    parser.add_argument("--root", type=Path, metavar="FOLDER", help="top folder of the checkout")
    options = parser.parse_args(argv)
    root = options.root or checkout_folder().parent
    if options.address:
        set_address(root, options.address)
    if options.published and is_placeholder(address(root)):
        print(f"pyproject.toml still has the placeholder {address(root)}: pass the real --address")
        return 1
    paths = outdated(root) if options.check else rewrite(root)
    for path in paths:
        print(f"{path.relative_to(root)}: {'differs' if options.check else 'rewritten'}")
    if not paths:
        print(f"every link follows {address(root)}")
    return 1 if options.check and paths else 0


if __name__ == "__main__":
    sys.exit(main())

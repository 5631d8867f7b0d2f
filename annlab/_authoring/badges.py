"""One public address, and every button that is made from it.

The address of the repository stands in pyproject.toml, under ``[project.urls]``. From it come the
buttons of README.md and of each notebook (Binder, Colab), the cell that installs annlab on Colab,
the clone command of CONTRIBUTING.md and the repository named in CITATION.cff::

    python -m annlab._authoring.badges            rewrite all of them
    python -m annlab._authoring.badges --check    only list what differs; then exit status 1
"""

from __future__ import annotations

import argparse
import copy
import re
import sys
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from annlab._authoring.normalising import dumps, normalise
from annlab._support.errors import invalid, require
from annlab._support.places import COPIES, checkout_folder

if TYPE_CHECKING:
    from nbformat import NotebookNode

#: Stands for the owner until the repository is published; a release refuses to go out with it.
PLACEHOLDER = "OWNER"
BRANCH = "main"
#: The cell that only does something on Colab. myst-nb leaves a cell of the second tag out of the
#: site.
INSTALL_TAG, HIDDEN_TAG = "install-annlab", "remove-cell"
#: What the course needs beyond annlab itself is the extra ``lab``; Colab is the lab already.
NOT_ON_COLAB = frozenset({"jupyterlab"})

_ADDRESS = re.compile(r"https://github\.com/([A-Za-z0-9-]+)/([A-Za-z0-9._-]+?)(?:\.git)?/?")
_BADGES = re.compile(r"^\[!\[Open in Binder\].*\n?", flags=re.M)
_BINDER = re.compile(r"https://mybinder\.org/v2/gh/[^\s/]+/[^\s/]+/[^\s?]+\?urlpath=([^\s)\"]+)")
_COLAB = re.compile(
    r"https://colab\.research\.google\.com/github/[^\s/]+/[^\s/]+/blob/[^\s/]+/([^\s)\"]+)"
)
_CLONE = re.compile(r"(git clone )https://github\.com/\S+")
_CITED = re.compile(r"^((?:repository-code|url): ).*$", flags=re.M)


def address(root: Path) -> str:
    """Public address of the repository, as ``[project.urls]`` of its pyproject.toml has it.

    Parameters
    ----------
    root : Path
        Top folder of the checkout.

    Returns
    -------
    str
        ``https://github.com/<owner>/<name>``, without a slash at the end.

    Raises
    ------
    ValueError
        If it is missing, or is none that Binder and Colab can open.
    """
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    written = str(project.get("urls", {}).get("Repository", ""))
    match = _ADDRESS.fullmatch(written)
    if match is None:
        raise invalid(
            "Repository in [project.urls] of pyproject.toml",
            "https://github.com/<owner>/<name>",
            repr(written),
            "Binder and Colab open a repository by its owner and its name.",
        )
    return f"https://github.com/{match.group(1)}/{match.group(2)}"


def binder_link(repository: str, path: str) -> str:
    """Address that opens a file of the repository in JupyterLab on Binder.

    Of a notebook of the course it opens the reader's copy, which has no outputs.

    Examples
    --------
    >>> from annlab._authoring.badges import binder_link
    >>> binder_link("https://github.com/ada/annlab", "notebooks/a.ipynb")
    'https://mybinder.org/v2/gh/ada/annlab/main?urlpath=lab%2Ftree%2Fannlab-notebooks%2Fa.ipynb'
    """
    name = repository.removeprefix("https://github.com/")
    path = re.sub(r"^notebooks/(?=[^/]+\.ipynb$)", f"{COPIES}/", path)
    return f"https://mybinder.org/v2/gh/{name}/{BRANCH}?urlpath={quote('lab/tree/' + path, '')}"


def colab_link(repository: str, path: str) -> str:
    """Address that opens a notebook of the repository on Colab.

    Examples
    --------
    >>> from annlab._authoring.badges import colab_link
    >>> colab_link("https://github.com/ada/annlab", "notebooks/a.ipynb")
    'https://colab.research.google.com/github/ada/annlab/blob/main/notebooks/a.ipynb'
    """
    name = repository.removeprefix("https://github.com/")
    return f"https://colab.research.google.com/github/{name}/blob/{BRANCH}/{quote(path)}"


def badges(repository: str, path: str, images: str = "images") -> str:
    """Return both buttons for one notebook, as one line of Markdown.

    The pictures lie beside the notebooks, so that a page that shows them asks nobody else.
    """
    return (
        f"[![Open in Binder]({images}/binder.svg)]({binder_link(repository, path)}) "
        f"[![Open in Colab]({images}/colab.svg)]({colab_link(repository, path)})"
    )


def without_badges(text: str) -> str:
    """Return the text of a cell without its line of buttons, which is no prose.

    Examples
    --------
    >>> from annlab._authoring.badges import badges, without_badges
    >>> line = badges("https://github.com/ada/annlab", "notebooks/a.ipynb")
    >>> without_badges(f"# Title\\n\\n{line}\\n\\nText")
    '# Title\\n\\n\\nText'
    """
    return _BADGES.sub("", text)


def install_source(repository: str, root: Path) -> str:
    """Source of the cell that installs annlab where it is missing."""
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
        f'    %pip install -q "annlab @ git+{repository}" {others}'
    )


# ------------------------------------------------------------------------------------- rewriting


def with_badges(
    notebook: NotebookNode, name: str, root: Path, folder: str = "notebooks"
) -> NotebookNode:
    """Return a copy of a notebook with its buttons and its install cell brought up to date.

    Stored outputs stay; execution counts move on by one where the install cell is new, as if the
    notebook had been run with it.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        Not changed.
    name : str
        File name.
    root : Path
        Top folder of the checkout, for the address.
    folder : str, default="notebooks"
        Folder of the notebook inside the repository.

    Returns
    -------
    nbformat.NotebookNode
        Normalised. Doing it again changes nothing.

    Raises
    ------
    ValueError
        If the notebook does not begin with a heading: the buttons stand below it.
    """
    nbformat = require("nbformat", purpose="to read notebooks", extra="test")
    fresh = copy.deepcopy(notebook)
    repository = address(root)
    first = fresh.cells[0] if fresh.cells else None
    if first is None or first.cell_type != "markdown" or not first.source.startswith("# "):
        raise invalid(
            f"the first cell of {name}",
            "a heading of the first level",
            repr(first.source[:60] if first else ""),
            "The buttons stand below it.",
        )
    title, _, rest = first.source.partition("\n")
    rest = without_badges(rest).strip("\n")
    first.source = f"{title}\n\n{badges(repository, f'{folder}/{name}')}" + (
        f"\n\n{rest}" if rest else ""
    )
    _put_install_cell(fresh, install_source(repository, root), nbformat)
    return normalise(fresh, name)


def _put_install_cell(notebook: NotebookNode, source: str, nbformat: ModuleType) -> None:
    tagged = [c for c in notebook.cells if INSTALL_TAG in c.metadata.get("tags", ())]
    if tagged:
        tagged[0].source = source
        notebook.cells = [c for c in notebook.cells if c is tagged[0] or c not in tagged[1:]]
        return
    code = [place for place, c in enumerate(notebook.cells) if c.cell_type == "code"]
    executed = bool(code) and notebook.cells[code[0]].execution_count is not None
    cell = nbformat.v4.new_code_cell(source, metadata={"tags": [INSTALL_TAG, HIDDEN_TAG]})
    if executed:
        for place in code:
            later = notebook.cells[place]
            if later.execution_count is not None:
                later.execution_count += 1
            for output in later.outputs:
                if output.get("execution_count") is not None:
                    output.execution_count += 1
        cell.execution_count = 1
    notebook.cells.insert(code[0] if code else 1, cell)


def readdressed(text: str, repository: str) -> str:
    """Return a text with all its buttons, clone commands and citations on one repository.

    Each button keeps the file that it opens.

    Examples
    --------
    >>> from annlab._authoring.badges import readdressed
    >>> readdressed("git clone https://github.com/OWNER/annlab", "https://github.com/ada/ann")
    'git clone https://github.com/ada/ann'
    """
    text = _BINDER.sub(
        lambda m: binder_link(repository, unquote(m.group(1)).removeprefix("lab/tree/")), text
    )
    text = _COLAB.sub(lambda m: colab_link(repository, unquote(m.group(1))), text)
    text = _CLONE.sub(lambda m: f"{m.group(1)}{repository}", text)
    return _CITED.sub(lambda m: f'{m.group(1)}"{repository}"', text)


def _pages(root: Path) -> list[tuple[Path, Callable[[str], str]]]:
    """Files that carry the address, and how each is brought up to date."""
    nbformat = require("nbformat", purpose="to read notebooks", extra="test")
    repository = address(root)

    def notebook(path: Path) -> Callable[[str], str]:
        folder = path.parent.relative_to(root).as_posix()
        return lambda text: dumps(
            with_badges(nbformat.reads(text, as_version=4), path.name, root, folder)
        )

    pages: list[tuple[Path, Callable[[str], str]]] = [
        (root / name, lambda text: readdressed(text, repository))
        for name in ("README.md", "CONTRIBUTING.md", "CITATION.cff")
    ]
    pages += [(path, notebook(path)) for path in sorted((root / "notebooks").glob("*.ipynb"))]
    return [(path, renew) for path, renew in pages if path.is_file()]


def outdated(root: Path) -> list[Path]:
    """Files whose buttons are not those of the repository's address."""
    return [
        path
        for path, renew in _pages(root)
        if renew(text := path.read_text(encoding="utf-8")) != text
    ]


def rewrite(root: Path) -> list[Path]:
    """Bring every file up to date; return those that changed."""
    changed = []
    for path, renew in _pages(root):
        text = path.read_text(encoding="utf-8")
        renewed = renew(text)
        if renewed != text:
            path.write_text(renewed, encoding="utf-8", newline="\n")
            changed.append(path)
    return changed


# --------------------------------------------------------------------------------------- command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``python -m annlab._authoring.badges``."""
    parser.description = (
        "Rewrite every button (Binder, Colab), the install cell for Colab, the clone command and\n"
        "the citation from the one address in pyproject.toml."
    )
    parser.add_argument("--check", action="store_true", help="change nothing, list what differs")
    parser.add_argument(
        "--published", action="store_true", help=f"also refuse the owner {PLACEHOLDER}"
    )
    parser.add_argument("--root", type=Path, metavar="FOLDER", help="top folder of the checkout")


def run(options: argparse.Namespace) -> int:
    """Rewrite or check; the exit status is 1 if a check failed."""
    root = options.root or checkout_folder().parent
    if options.published and f"/{PLACEHOLDER}/" in address(root):
        print(f"pyproject.toml still says {address(root)}: name the real owner, and run this again")
        return 1
    paths = outdated(root) if options.check else rewrite(root)
    for path in paths:
        print(f"{path.relative_to(root)}: {'differs' if options.check else 'rewritten'}")
    if not paths:
        print(f"every button leads to {address(root)}")
    return 1 if options.check and paths else 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run as a program of its own."""
    parser = argparse.ArgumentParser(
        prog="python -m annlab._authoring.badges", formatter_class=argparse.RawTextHelpFormatter
    )
    add_arguments(parser)
    return run(parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())

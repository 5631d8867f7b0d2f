"""Folders of annlab itself, in a checkout and in an installed wheel."""

from __future__ import annotations

from pathlib import Path

from annlab._support.errors import invalid

PACKAGE = Path(__file__).resolve().parent.parent
#: Folder of the copies of the notebooks, below the working directory; git ignores it.
COPIES = Path("annlab-notebooks")


def shipped(inside: str, beside: str, file: str = "") -> Path | None:
    """Return a folder or file that is shipped with annlab; None if missing.

    ``inside`` is its name in the package of a wheel, ``beside`` its name in a checkout.

    Examples
    --------
    >>> from annlab._support.places import shipped
    >>> shipped("_data", "data", "README.md").name
    'README.md'
    """
    for folder in (PACKAGE / inside, PACKAGE.parent / beside):
        if (folder / file).exists():
            return folder / file
    return None


def source_folder() -> Path:
    """Return the folder of the notebooks that came with annlab.

    Raises
    ------
    FileNotFoundError
        If there is none.
    """
    folder = shipped("_notebooks_src", "notebooks")
    if folder is None:
        raise FileNotFoundError(
            f"The notebooks are missing from {PACKAGE / '_notebooks_src'}. Reinstall annlab."
        )
    return folder


def checkout_folder() -> Path:
    """Return ``notebooks/`` of the checkout that this package runs from.

    Raises
    ------
    ValueError
        If annlab runs from an installed wheel, whose notebooks must not be changed.
    """
    folder = PACKAGE.parent / "notebooks"
    if not folder.is_dir() or not (PACKAGE.parent / "pyproject.toml").is_file():
        raise invalid(
            "--dir",
            "given unless annlab runs from a checkout of its repository",
            None,
            "Name the folder of the notebooks.",
        )
    return folder

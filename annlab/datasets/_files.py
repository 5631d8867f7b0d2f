"""Locate the files of ``data/`` in a checkout or an installed wheel."""

from __future__ import annotations

from pathlib import Path

from annlab._support.errors import invalid
from annlab._support.places import PACKAGE, shipped

#: Files that are shipped with the package; ``data/README.md`` is their datasheet.
SHIPPED = ("README.md", "documents.jsonl", "sample_image.jpg")


def data_path(name: str = "sample_image.jpg") -> Path:
    """Return the path of a file that annlab ships.

    Parameters
    ----------
    name : {"sample_image.jpg", "documents.jsonl", "README.md"}, default="sample_image.jpg"
        ``README.md`` is the datasheet of the others.

    Returns
    -------
    pathlib.Path
        An existing file. Treat it as read-only.

    Raises
    ------
    ValueError
        If there is no such file.
    FileNotFoundError
        If the installation is damaged.

    Examples
    --------
    >>> from annlab.datasets import data_path
    >>> data_path("sample_image.jpg").name
    'sample_image.jpg'
    """
    if name not in SHIPPED:
        raise invalid("name", f"one of {', '.join(map(repr, SHIPPED))}", repr(name))
    path = shipped("_data", "data", name)
    if path is None:
        raise FileNotFoundError(
            f"The file {name!r} that ships with annlab is missing from {PACKAGE / '_data'}. "
            "Reinstall annlab."
        )
    return path

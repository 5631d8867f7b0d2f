"""Execute a notebook in a new kernel."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING

from annlab._authoring.normalising import KERNELSPEC
from annlab._support.errors import require

if TYPE_CHECKING:
    from nbformat import NotebookNode


def execute(notebook: NotebookNode, folder: Path, *, timeout: int = 600) -> NotebookNode:
    """Return a copy with all cells run in a new kernel, working in ``folder``.

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        If a cell fails that is not tagged to.
    """
    nbclient = require("nbclient", purpose="to execute notebooks", extra="test")
    fresh = copy.deepcopy(notebook)
    # otherwise the states of an earlier run would stay
    fresh.metadata.pop("widgets", None)
    client = nbclient.NotebookClient(
        fresh,
        timeout=timeout,
        kernel_name=KERNELSPEC["name"],
        resources={"metadata": {"path": str(folder)}},
        store_widget_state=True,
        record_timing=False,
        coalesce_streams=True,
    )
    return client.execute()

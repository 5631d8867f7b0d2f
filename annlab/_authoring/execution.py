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
    """Run all cells in a new kernel and store outputs and the states of all widgets.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        Not changed.
    folder : Path
        Working folder of the kernel.
    timeout : int, default=600
        Seconds for one cell.

    Returns
    -------
    nbformat.NotebookNode

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        Where a cell fails that is not tagged to.
    """
    nbclient = require("nbclient", purpose="to execute notebooks", extra="test")
    fresh = copy.deepcopy(notebook)
    # states of an earlier run would otherwise stay beside the new ones
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

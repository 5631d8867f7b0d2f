"""``annlab notebooks``: execute, normalise and check the notebooks of a checkout.

Normalising removes what differs between two runs or machines, so that a difference in the file is
one that readers see. The tests run the checks as well.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from annlab._authoring.checks import findings
from annlab._authoring.normalising import dumps, normalise
from annlab._authoring.quiet import PATIENCE_S, Patience, execute_quietly
from annlab._authoring.slimming import slim
from annlab._authoring.verdicts import VERDICTS_FILE, verdict_table
from annlab._support.errors import invalid, require
from annlab._support.files import atomic_write
from annlab._support.places import checkout_folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``annlab notebooks``."""
    parser.description = (
        "Execute the notebooks of the checkout from the top, store their outputs, remove what\n"
        "differs between machines and runs, and list what is wrong with them. The exit status\n"
        "is 1 if anything is.\n\n"
        "Cells that show timings get new outputs only on an idle machine."
    )
    parser.epilog = (
        "examples:\n"
        "  annlab notebooks                     all of them\n"
        "  annlab notebooks 03                  those whose name begins with 03\n"
        "  annlab notebooks --check             change nothing, only list what is wrong\n"
        "  annlab notebooks --no-execute 03     normalise what is stored"
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="beginning of a file name")
    parser.add_argument("--dir", type=Path, metavar="FOLDER", help="folder of the notebooks")
    parser.add_argument("--check", action="store_true", help="write nothing, only check")
    parser.add_argument(
        "--no-execute", action="store_true", help="normalise the stored outputs as they are"
    )
    parser.add_argument(
        "--wait-idle",
        type=float,
        default=PATIENCE_S,
        metavar="S",
        help="seconds to wait, altogether, for an idle machine before notebooks that show timings\n"
        f"(default {PATIENCE_S:.0f}); on a busy one the stored timings are kept",
    )
    parser.add_argument(
        "--timeout", type=int, default=600, metavar="S", help="seconds for one cell (default 600)"
    )


def run(options: argparse.Namespace) -> int:
    """Execute, normalise and check the chosen notebooks."""
    nbformat = require("nbformat", purpose="to read notebooks", extra="test")
    failures = require("nbclient.exceptions", purpose="to execute notebooks", extra="test")
    folder = options.dir or checkout_folder()
    paths = sorted(
        path
        for path in (*folder.glob("*.ipynb"), *folder.glob("gallery/*.ipynb"))
        if not options.names or path.name.startswith(tuple(options.names))
    )
    if not paths:
        raise invalid("NAME", f"the beginning of a notebook's name in {folder}", options.names)
    wrong = 0
    patience = Patience(options.wait_idle)
    for path in paths:
        problems: list[str] = []
        note = ""
        if not options.check:
            notebook = nbformat.read(path, as_version=4)
            try:
                if not options.no_execute:
                    notebook, note = execute_quietly(
                        notebook, folder, patience, timeout=options.timeout
                    )
                slim(notebook)
                with atomic_write(path, text=True) as file:
                    file.write(dumps(normalise(notebook, path.name)))
            except (failures.CellControlSignal, failures.DeadKernelError) as reason:
                # an error in a cell, a cell that took too long, a kernel that died
                problems = [f"it was not executed and is unchanged: {reason}"]
        problems = problems or findings(path)
        print(f"{path.name}: {'in order' if not problems else ''}", flush=True)
        if note:
            print(f"  {note}", flush=True)
        for problem in problems:
            print(f"  - {problem}", flush=True)
        wrong += bool(problems)
    table = folder / VERDICTS_FILE
    text = verdict_table(folder)
    if not options.check:
        table.write_text(text, encoding="utf-8", newline="\n")
    elif not table.is_file() or table.read_text(encoding="utf-8") != text:
        print(f"{table.name}: the verdicts are not those of the notebooks: run annlab notebooks")
        wrong += 1
    return 1 if wrong else 0

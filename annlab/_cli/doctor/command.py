"""``annlab doctor``: look at everything, and print what was found."""

from __future__ import annotations

import argparse
import contextlib
import json
import platform
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from annlab._cli.doctor.findings import Finding, describe, exit_status, worst
from annlab._cli.doctor.kernels import check_kernels
from annlab._cli.doctor.libraries import check_faiss, check_hnswlib, check_imports
from annlab._cli.doctor.machine import check_disk, check_memory, check_threads, check_writing
from annlab._cli.doctor.python import check_import, check_python
from annlab._cli.doctor.versions import check_versions
from annlab._cli.doctor.widgets import check_widgets
from annlab._support.places import COPIES
from annlab._version import __version__


def examine(folder: Path = COPIES) -> list[Finding]:
    """Look at everything.

    Parameters
    ----------
    folder : Path
        Where the notebooks are, or shall be.

    Returns
    -------
    list of Finding
        In the order in which one would mend them.

    Notes
    -----
    Takes a few seconds: about ten processes are started.
    """
    checks: list[Callable[[], Finding | list[Finding]]] = [
        check_python,
        check_import,
        check_versions,
        check_imports,
        check_hnswlib,
        check_faiss,
        check_widgets,
        check_threads,
        check_memory,
        lambda: check_disk(_places(folder)),
        lambda: check_writing(folder),
        check_kernels,
    ]
    findings: list[Finding] = []
    # most of the time is spent waiting for the processes
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda check: check(), checks):
            findings += found if isinstance(found, list) else [found]
    return findings


def _places(folder: Path) -> list[Path]:
    """Folders that are written to."""
    places = [folder]
    with contextlib.suppress(OSError):
        places.append(Path(tempfile.gettempdir()))
    with contextlib.suppress(RuntimeError):
        places.append(Path.home())
    return places


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``annlab doctor``."""
    parser.description = (
        "Look at this installation and say what is wrong with it, each finding with the exact\n"
        "command that mends it: Python, versions, hnswlib and faiss (tried in processes of their\n"
        "own, so that a crash is a sentence here), widgets, threads, memory, disk, write access\n"
        "and the compiled loops. Nothing is changed."
    )
    parser.epilog = (
        "what the words mean:\n"
        "  ok        nothing to do             note      good to know, nothing to do\n"
        "  warning   works, worse than it should        problem   something does not work\n\n"
        "exit status:\n"
        "  0  nothing has to be mended    1  a warning or a problem    2  the call is at fault\n\n"
        "examples:\n"
        "  annlab doctor                       look, and say what to do\n"
        "  annlab doctor --dir ~/course        the notebooks are in another folder\n"
        "  annlab doctor --json > report.json  to attach to a question"
    )
    parser.add_argument("--json", action="store_true", help="write the findings as JSON")
    parser.add_argument(
        "--dir",
        type=Path,
        default=COPIES,
        metavar="FOLDER",
        help=f"where the notebooks are, or shall be (default: ./{COPIES})",
    )


def run(options: argparse.Namespace) -> int:
    """Examine this machine, print the findings, return 0 or 1."""
    findings = examine(options.dir.expanduser())
    status = exit_status(findings)
    if options.json:
        record = {
            "annlab": __version__,
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.machine()}",
            "status": worst(findings),
            "exit_status": status,
            "findings": [asdict(found) for found in findings],
        }
        print(json.dumps(record, indent=1))
        return status
    print(f"annlab {__version__}, {platform.system()} {platform.machine()}, {sys.executable}\n")
    print(describe(findings))
    return status

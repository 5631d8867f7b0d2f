"""``annlab doctor``: run every check, and print the findings."""

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
    """Run every check, in the order in which to fix problems, in a few seconds."""
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
    """Return the folders that must be writable."""
    places = [folder]
    with contextlib.suppress(OSError):
        places.append(Path(tempfile.gettempdir()))
    with contextlib.suppress(RuntimeError):
        places.append(Path.home())
    return places


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``annlab doctor``."""
    parser.description = (
        "Checks Python, package versions, hnswlib and faiss (in separate processes, so a crash\n"
        "becomes a sentence here), widgets, threads, memory, disk, write access and the compiled\n"
        "loops, and prints the command that fixes each problem. Nothing is changed."
    )
    parser.epilog = (
        "what the words mean:\n"
        "  ok        nothing to do             note      good to know, nothing to do\n"
        "  warning   works, but not as it should        problem   something does not work\n\n"
        "exit status:\n"
        "  0  nothing to fix    1  a warning or a problem    2  wrong arguments\n\n"
        "examples:\n"
        "  annlab doctor                       check, and print what to do\n"
        "  annlab doctor --dir ~/course        the notebooks are in another folder\n"
        "  annlab doctor --json > report.json  to attach to a question"
    )
    parser.add_argument("--json", action="store_true", help="write the findings as JSON")
    parser.add_argument(
        "--dir",
        type=Path,
        default=COPIES,
        metavar="FOLDER",
        help=f"where the notebooks are, or will be (default: ./{COPIES})",
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

"""``annlab lab``: copy the notebooks into your folder, and open JupyterLab."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from annlab._cli.delivery import MANIFEST, deliver, describe
from annlab._support.errors import invalid, require
from annlab._support.places import COPIES, PACKAGE, source_folder

START = "00_start_here.ipynb"


def lab_command(
    folder: Path, *, page: str | None = START, arguments: tuple[str, ...] = ()
) -> tuple[list[str], dict[str, str]]:
    """Return the command and environment that open JupyterLab for annlab.

    Parameters
    ----------
    folder : Path
        Root of the file browser.
    page : str, optional
        Notebook to open, relative to ``folder``, if it exists.
    arguments : tuple of str
        Further arguments for JupyterLab; they override ours.

    Returns
    -------
    command : list of str
    environment : dict of str to str
        With annlab's settings beside the user's own, which are not written to.
    """
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={folder.resolve()}"]
    if page is not None and (folder / page).exists():
        command.append(f"--LabApp.default_url=/lab/tree/{page}")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        # JupyterLab refuses to run as root, as in a container, without this
        command.append("--allow-root")
    environment = dict(os.environ)
    ours = str(PACKAGE / "lab_config")
    theirs = environment.get("JUPYTER_CONFIG_PATH")
    environment["JUPYTER_CONFIG_PATH"] = ours + (os.pathsep + theirs if theirs else "")
    # the kernel "python3" is the one of this environment, not one left in the home folder
    environment.setdefault("JUPYTER_PREFER_ENV_PATH", "1")
    return [*command, *arguments], environment


def _where_it_opens(arguments: Sequence[str]) -> str:
    """Say where JupyterLab will open, judging by the arguments passed on to it."""
    opens = True
    for word in arguments:
        name, _, value = word.partition("=")
        if name in ("--no-browser", "--ServerApp.open_browser", "--ExtensionApp.open_browser"):
            opens = value.strip().lower() == "true" if value else name != "--no-browser"
    if opens:
        return "JupyterLab opens in your browser."
    return "JupyterLab does not open a browser: copy the address below into yours."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``annlab lab``."""
    parser.description = (
        "Copy the course's notebooks into your own folder and open JupyterLab on it.\n\n"
        "The copies have no outputs: predict first, then run the cell.\n\n"
        "The folder is yours: call this again whenever you like, also after an update of annlab.\n"
        "A notebook that you changed is never overwritten: if a newer original exists, it is put\n"
        "beside yours as NAME.new.ipynb. A notebook that you deleted stays deleted. To start one\n"
        "again from the original, delete it and use --restore."
    )
    parser.epilog = (
        "examples:\n"
        "  annlab lab                          the notebooks in ./annlab-notebooks\n"
        "  annlab lab --dir ~/course           in another folder\n"
        "  annlab lab --no-start               copy or update only\n"
        "  annlab lab --restore                bring back what you deleted\n"
        "  annlab lab -- --port 8890           pass arguments on to JupyterLab\n"
        "  annlab lab -- --no-browser          on a remote machine: it prints an address\n"
        "  annlab lab --no-copy                a checkout's notebooks themselves (for authors)\n\n"
        "It does not start, or a cell fails at once? annlab doctor says what to do."
    )
    parser.add_argument(
        "--dir",
        type=Path,
        metavar="FOLDER",
        help=f"folder for the notebooks (default: ./{COPIES}, or the folder of copies you are in)",
    )
    parser.add_argument(
        "--restore", action="store_true", help="deliver files again that you deleted"
    )
    parser.add_argument(
        "--no-start", action="store_true", help="copy or update, but do not start JupyterLab"
    )
    parser.add_argument(
        "--no-copy",
        action="store_true",
        help="copy nothing: open FOLDER as it is, or without --dir the notebooks of the checkout\n"
        "themselves, with their outputs (for authors)",
    )
    parser.add_argument("arguments", nargs="*", metavar="ARGUMENT", help="passed on to JupyterLab")


def _own_folder(here: Path) -> Path:
    """Return the folder for the copies; inside existing copies, their folder."""
    with contextlib.suppress(FileNotFoundError):
        originals = source_folder()
        if here == originals or originals in here.parents:
            return originals.parent / COPIES
    if not (here / COPIES).exists():
        for folder in (here, *here.parents):
            if (folder / MANIFEST).is_file():
                return folder
    return COPIES


def run(options: argparse.Namespace) -> int:
    """Copy the notebooks, then run JupyterLab in place of this process."""
    if options.dir is not None:
        folder = options.dir.expanduser()
    elif not options.no_copy:
        folder = _own_folder(Path.cwd())
    elif (folder := source_folder()).parent == PACKAGE:
        # the originals of an installed package must not be changed
        raise invalid(
            "--no-copy",
            "used in a checkout, or with --dir",
            f"annlab installed in {folder.parent}",
            "Leave it out.",
        )
    if options.no_copy:
        if not folder.is_dir():
            raise invalid("--dir", "an existing folder with --no-copy", folder, "Leave it out.")
    else:
        print(describe(deliver(folder, restore=options.restore), folder), flush=True)
    if options.no_start:
        return 0
    require("jupyterlab", purpose="to open the notebooks", extra="lab")
    command, environment = lab_command(folder, arguments=tuple(options.arguments))
    print(f"{_where_it_opens(options.arguments)} To stop it, press Ctrl-C here twice.", flush=True)
    if os.name == "posix":
        # replace this process: signals and the terminal then belong to JupyterLab alone
        os.execve(command[0], command, environment)
    import subprocess

    return subprocess.call(command, env=environment)

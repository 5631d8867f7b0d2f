"""``annlab lab``: the notebooks in a folder of the student's own, and JupyterLab on it.

The folder belongs to the student. `deliver` may only ever write a file that does not exist there,
or replace one that still has the content that `deliver` gave it.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from annlab._support.errors import invalid, require

START = "00_start_here.ipynb"
#: Where the copies are, in the folder from which annlab is called; git ignores it in a checkout.
FOLDER = Path("annlab-notebooks")
#: Where `deliver` remembers what it gave: relative name -> `_digest` of the content as delivered.
MANIFEST = Path(".annlab") / "delivered.json"
#: What travels, relative to notebooks/; the same patterns as package-data in pyproject.toml.
#: Not exercises/: those are the teachers' and hold the solutions (see annlab classroom).
PATTERNS = ("*.ipynb", "*.md", "images/*.png", "images/*.svg")


def source_folder() -> Path:
    """Folder of the notebooks that came with annlab.

    A wheel carries ``notebooks/`` of the repository as ``annlab/_notebooks_src``; a checkout,
    editable installs included, uses the folder itself.

    Raises
    ------
    FileNotFoundError
        If there is neither.
    """
    package = Path(__file__).resolve().parent
    for folder in (package / "_notebooks_src", package.parent / "notebooks"):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(
        f"The notebooks are missing from {package / '_notebooks_src'}. Reinstall annlab."
    )


@dataclass
class Delivery:
    """What `deliver` did, by relative name."""

    added: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    restored: list[str] = field(default_factory=list)
    #: changed by the student and kept; nothing new to offer
    kept: list[str] = field(default_factory=list)
    #: (changed by the student and kept, name of the newer original that now lies beside it)
    beside: list[tuple[str, str]] = field(default_factory=list)
    #: deleted by the student and left so
    left_out: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)


def _as_delivered(name: str, content: bytes) -> bytes:
    """Content of a copy: a notebook has no outputs, so that no answer stands below its question.

    The originals keep theirs, for readers without Python and for the tests that compare with them.
    """
    if not name.endswith(".ipynb"):
        return content
    try:
        notebook = json.loads(content)
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code":
                cell["outputs"], cell["execution_count"] = [], None
        # state of the widgets that were shown
        notebook["metadata"].pop("widgets", None)
    except (ValueError, KeyError, TypeError, AttributeError):
        # no notebook in spite of its name; it is not for us to judge
        return content
    return (json.dumps(notebook, indent=1, ensure_ascii=False) + "\n").encode()


def _digest(name: str, content: bytes) -> str:
    """SHA-256 of a file; of a notebook without what JupyterLab changes when it is only opened.

    Opening a notebook is enough for JupyterLab to write this machine's kernel and version of
    Python into it. That is no work of the student's; everything else counts: text, code, outputs,
    counts, tags, other metadata.
    """
    if name.endswith(".ipynb"):
        with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
            notebook = json.loads(content)
            metadata = dict(notebook.get("metadata", {}))
            metadata.pop("kernelspec", None)
            metadata.pop("language_info", None)
            content = json.dumps([notebook["cells"], metadata], sort_keys=True).encode()
    return hashlib.sha256(content).hexdigest()


def _write(path: Path, content: bytes) -> None:
    """Write a whole file or none of it: a full disk leaves no half notebook behind."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".annlab-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        # mkstemp makes files that only the owner reads; a notebook has the folder's usual mode
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _read_manifest(folder: Path) -> dict[str, str]:
    try:
        known = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return {str(name): str(digest) for name, digest in known["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        # without a record every file counts as the student's own, which is the safe reading
        return {}


def _content(path: Path) -> bytes | None:
    """Content of a plain file; None for a folder, a link or a file that cannot be read."""
    try:
        return path.read_bytes() if path.is_file() and not path.is_symlink() else None
    except OSError:
        return None


def _name_beside(folder: Path, name: str, known: dict[str, str]) -> str:
    """Name for a newer original that is free, or holds an older one that nobody has changed."""
    path = Path(name)
    number = 1
    while True:
        mark = ".new" if number == 1 else f".new{number}"
        candidate = path.with_name(f"{path.stem}{mark}{path.suffix}").as_posix()
        target = folder / candidate
        if not os.path.lexists(target):
            return candidate
        there = _content(target)
        if there is not None and known.get(candidate) == _digest(name, there):
            return candidate
        number += 1


def deliver(folder: Path, *, source: Path | None = None, restore: bool = False) -> Delivery:
    """Copy the notebooks into ``folder``, or bring it up to date, without touching what changed.

    The copies have no outputs: a reader predicts first, and runs the cell then.

    Parameters
    ----------
    folder : Path
        Made if it does not exist.
    source : Path, optional
        Folder to copy from; by default the notebooks that came with annlab.
    restore : bool, default=False
        Deliver files again that the student has deleted.

    Returns
    -------
    Delivery

    Raises
    ------
    ValueError
        If ``folder`` is a file, or is the source itself.
    OSError
        If the folder cannot be written to.

    Notes
    -----
    For each file, by what lies in the folder:

    ====================================  =====================================================
    nothing, never delivered              it is delivered
    nothing, delivered before             the student deleted it: it stays away, unless restored
    the delivered content                 it is replaced when a newer original comes
    anything else                         it is the student's: kept; a newer original is laid
                                          beside it as ``NAME.new.ipynb``, once
    ====================================  =====================================================

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from annlab._lab import deliver
    >>> with tempfile.TemporaryDirectory() as home:
    ...     source, mine = Path(home) / "source", Path(home) / "mine"
    ...     source.mkdir()
    ...     _ = (source / "a.ipynb").write_text("one")
    ...     print(deliver(mine, source=source).added)
    ...     _ = (mine / "a.ipynb").write_text("my own work")
    ...     _ = (source / "a.ipynb").write_text("two")
    ...     print(deliver(mine, source=source).beside)
    ...     print((mine / "a.ipynb").read_text())
    ['a.ipynb']
    [('a.ipynb', 'a.new.ipynb')]
    my own work
    """
    folder = Path(folder).expanduser()
    source = source_folder() if source is None else Path(source)
    if folder.exists() and not folder.is_dir():
        raise invalid(
            "--dir", "a folder, or a name that is free", f"the file {folder}", "Name another one."
        )
    if folder.exists() and folder.resolve() == source.resolve():
        raise invalid(
            "--dir",
            "another folder than the one the notebooks come from",
            folder,
            "Use --no-copy to work on the originals themselves.",
        )
    folder.mkdir(parents=True, exist_ok=True)
    known = _read_manifest(folder)
    done = Delivery()
    names = sorted(
        path.relative_to(source).as_posix()
        for pattern in PATTERNS
        for path in source.glob(pattern)
        if path.is_file()
    )
    for name in names:
        content = _as_delivered(name, (source / name).read_bytes())
        digest = _digest(name, content)
        target = folder / name
        if not os.path.lexists(target):
            if name not in known:
                done.added.append(name)
            elif restore:
                done.restored.append(name)
            else:
                done.left_out.append(name)
                continue
            _write(target, content)
            known[name] = digest
            continue
        there = _content(target)
        held = None if there is None else _digest(name, there)
        if held == digest:
            known[name] = digest
            done.unchanged.append(name)
        elif held is not None and known.get(name) == held:
            _write(target, content)
            known[name] = digest
            done.updated.append(name)
        elif known.get(name) == digest:
            done.kept.append(name)
        else:
            beside = _name_beside(folder, name, known)
            _write(folder / beside, content)
            # under both names: it was offered, and is not offered again
            known[beside] = known[name] = digest
            done.beside.append((name, beside))
    record = {"what": "contents as annlab delivered them; see annlab lab --help", "files": known}
    _write(folder / MANIFEST, json.dumps(record, indent=1, sort_keys=True).encode())
    return done


def describe(done: Delivery, folder: Path) -> str:
    """Say in plain sentences what `deliver` did."""
    lines = []
    if done.added:
        lines.append(f"{len(done.added)} files copied into {folder}.")
    if done.updated:
        lines.append(f"{len(done.updated)} files that you had not changed were brought up to date.")
    if done.restored:
        lines.append("Delivered again: " + ", ".join(done.restored) + ".")
    for name, beside in done.beside:
        lines.append(f"{name} is yours and was kept; the newer original lies beside it: {beside}")
    if done.kept:
        lines.append("Kept as you changed them: " + ", ".join(done.kept) + ".")
    if done.left_out:
        lines.append(
            "Left out, because you deleted them: "
            + ", ".join(done.left_out)
            + ". (annlab lab --restore brings them back.)"
        )
    return "\n".join(lines) or f"{folder} is up to date."


def lab_command(
    folder: Path, *, page: str | None = START, arguments: tuple[str, ...] = ()
) -> tuple[list[str], dict[str, str]]:
    """Command line and environment that open JupyterLab on a folder, with annlab's settings.

    Parameters
    ----------
    folder : Path
        Root of the file browser.
    page : str, optional
        Notebook to open, relative to ``folder``; left out if it is not there.
    arguments : tuple of str
        Further arguments for JupyterLab; they come last, so they win.

    Returns
    -------
    command : list of str
    environment : dict of str to str
        A copy of this process's, with annlab's settings put *beside* the user's own: no news
        toast, no look for updates. Nothing is written to the user's configuration.
    """
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={folder.resolve()}"]
    if page is not None and (folder / page).exists():
        command.append(f"--LabApp.default_url=/lab/tree/{page}")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        # containers run as root; JupyterLab refuses that unless it is said
        command.append("--allow-root")
    environment = dict(os.environ)
    ours = str(Path(__file__).resolve().parent / "lab_config")
    theirs = environment.get("JUPYTER_CONFIG_PATH")
    environment["JUPYTER_CONFIG_PATH"] = ours + (os.pathsep + theirs if theirs else "")
    # the kernel "python3" is the one of this environment, not one left in the home folder
    environment.setdefault("JUPYTER_PREFER_ENV_PATH", "1")
    return [*command, *arguments], environment


def _where_it_opens(arguments: Sequence[str]) -> str:
    """Where the student will see JupyterLab, by what is passed on to it."""
    opens = True
    for word in arguments:
        name, _, value = word.partition("=")
        if name in ("--no-browser", "--ServerApp.open_browser", "--ExtensionApp.open_browser"):
            opens = value.strip().lower() == "true" if value else name != "--no-browser"
    if opens:
        return "JupyterLab opens in your browser."
    return "JupyterLab opens no browser: copy the address that it prints below into yours."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``annlab lab``."""
    parser.description = (
        "Copy the course's notebooks into a folder of yours and open JupyterLab on it.\n\n"
        "The copies have no outputs: predict first, then run the cell.\n\n"
        "The folder is yours: call this again whenever you like, also after an update of annlab.\n"
        "A notebook that you changed is never overwritten: if a newer original exists, it is laid\n"
        "beside yours as NAME.new.ipynb. A notebook that you deleted stays deleted. To begin one\n"
        "again from the original, delete it and use --restore."
    )
    parser.epilog = (
        "examples:\n"
        "  annlab lab                          the notebooks in ./annlab-notebooks\n"
        "  annlab lab --dir ~/course           in another folder\n"
        "  annlab lab --no-start               copy or update only\n"
        "  annlab lab --restore                bring back what you deleted\n"
        "  annlab lab -- --port 8890           pass arguments on to JupyterLab\n"
        "  annlab lab -- --no-browser          on a machine far away: it prints an address\n"
        "  annlab lab --no-copy                a checkout's notebooks themselves (for authors)\n\n"
        "It does not start, or a cell fails at once? annlab doctor says what to do."
    )
    parser.add_argument(
        "--dir",
        type=Path,
        metavar="FOLDER",
        help=f"folder for the notebooks (default: ./{FOLDER})",
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


def run(options: argparse.Namespace) -> int:
    """Deliver the notebooks, then become JupyterLab."""
    if options.dir is not None:
        folder = options.dir.expanduser()
    elif not options.no_copy:
        folder = FOLDER
    elif (folder := source_folder()).parent == Path(__file__).resolve().parent:
        # the originals of an installed package are nobody's to change
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

"""The ``annlab`` command: a table of subcommands, loaded on demand.

A module has ``add_arguments(parser)`` and ``run(options)``, which returns the exit status.
"""

from __future__ import annotations

import argparse
import io
import os
import shlex
import sys
from collections.abc import Sequence
from importlib import import_module

from annlab._support.progress import tell
from annlab._version import __version__

#: name -> (module, what it does in one line)
COMMANDS: dict[str, tuple[str, str]] = {
    "lab": ("annlab._cli.lab", "copy the notebooks into your own folder and open JupyterLab"),
    "doctor": (
        "annlab._cli.doctor.command",
        "check this installation, and print the command that fixes each problem",
    ),
    "cluster": (
        "annlab._cli.cluster",
        "cluster the rows of a file (.npy, .npz, .csv, .parquet) and report what was found",
    ),
    "bench": (
        "annlab.benchmarks.campaign.command",
        "compare k-means implementations by the time they need to reach a quality",
    ),
    "classroom": (
        "annlab.classroom.command",
        "make a course with graded exercises, grade it, print the sheets (for teachers)",
    ),
    "notebooks": (
        "annlab._authoring.command",
        "execute, normalise and check notebooks (for maintainers)",
    ),
}

#: Exit status: success, a failed check, wrong arguments or a broken installation.
OK, FAILED, USAGE = 0, 1, 2

_DESCRIPTION = """\
k-means clustering with approximate nearest neighbours: taught, measured and fast.

To start:  annlab lab            the course, in JupyterLab
           annlab doctor         something does not work? it says what to do
           annlab cluster rows.csv --n-clusters 8
           annlab NAME --help    what a command does, with examples"""


def _parser(argv: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="annlab", description=_DESCRIPTION, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"annlab {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    # only the module of the command that is called is imported
    called = next((word for word in argv if not word.startswith("-")), None)
    for name, (module, purpose) in COMMANDS.items():
        below = commands.add_parser(
            name,
            help=purpose,
            description=purpose[0].upper() + purpose[1:] + ".",
            formatter_class=argparse.RawTextHelpFormatter,
        )
        if name == called:
            loaded = import_module(module)
            loaded.add_arguments(below)
            below.set_defaults(run=loaded.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one ``annlab`` command.

    Parameters
    ----------
    argv : sequence of str, optional
        Words after ``annlab``; by default those of this process.

    Returns
    -------
    int
        Exit status: 0 on success, 1 if a check failed, 2 if the arguments or the installation are
        wrong (the reason is on stderr, in one sentence), 130 after Ctrl-C.

    Examples
    --------
    >>> from annlab.cli import main
    >>> main(["cluster", "no such file.npy", "--n-clusters", "2"])
    2
    """
    words = sys.argv[1:] if argv is None else list(argv)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # a character that the terminal lacks becomes a question mark, not an error
        sys.stdout.reconfigure(errors="replace")
    try:
        try:
            return _run(words)
        finally:
            # raises here, not at exit, if the reader has gone
            if sys.stdout is not None:
                sys.stdout.flush()
    except BrokenPipeError:
        # the reader of our output (head, less) has gone, so there is nothing to report
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK


def _run(words: list[str]) -> int:
    parser = _parser(words)
    options, unknown = parser.parse_known_args(words)
    if unknown:
        message = f"unrecognized arguments: {' '.join(unknown)}"
        if options.command == "lab":
            place = words.index(unknown[0])
            passed_on = shlex.join(["annlab", *words[:place], "--", *words[place:]])
            message += f". To pass them on to JupyterLab, put -- before them: {passed_on}"
        parser.error(message)
    if options.command is None:
        parser.print_help()
        return OK
    try:
        return int(options.run(options))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        raise
    except MemoryError as reason:
        # NumPy says how much was asked for, Python says nothing
        tell(
            f"annlab {options.command}: out of memory. {reason} Close other programs, or use "
            "smaller data.".replace("  ", " ")
        )
        return USAGE
    except (ValueError, TypeError, ImportError, OSError) as reason:
        tell(f"annlab {options.command}: {reason}")
        return USAGE

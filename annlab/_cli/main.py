"""The ``annlab`` command: a table of subcommands, each a module that loads only when it is called.

A new subcommand is one line of `COMMANDS` and a module with two functions::

    def add_arguments(parser: argparse.ArgumentParser) -> None: ...
    def run(options: argparse.Namespace) -> int: ...   # the exit status

``add_arguments`` may set ``parser.description`` and ``parser.epilog``: ``annlab NAME --help`` is a
page to learn from.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from annlab._version import __version__

#: name -> (module, what it does in one line)
COMMANDS: dict[str, tuple[str, str]] = {
    "lab": ("annlab._cli.lab", "copy the notebooks into a folder of yours and open JupyterLab"),
    "doctor": (
        "annlab._cli.doctor.command",
        "say what is wrong with this installation, and the command that mends it",
    ),
    "cluster": (
        "annlab._cli.cluster",
        "cluster the rows of a file (.npy, .npz, .csv, .parquet) and report what was found",
    ),
    "warmup": (
        "annlab._cli.warmup",
        "compile the fast loops now, so that no first run has to wait",
    ),
    "bench": (
        "annlab.benchmarks.campaign.command",
        "compare k-means implementations by the time they take to a quality",
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

#: exit status: all is well, a check failed, the call or the installation is at fault
OK, FAILED, USAGE = 0, 1, 2

_DESCRIPTION = """\
k-means clustering with approximate nearest neighbours: taught, measured and fast.

To start:  annlab lab            the course, in JupyterLab
           annlab doctor         something does not work? this says what to do
           annlab cluster rows.csv --n-clusters 8
           annlab NAME --help    what a command does, with examples"""


def _parser(argv: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="annlab", description=_DESCRIPTION, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"annlab {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    # only the command that is called gets its arguments, so that no other module is imported
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
        Exit status: 0 if all is well, 1 if a check failed, 2 if the call or the installation is
        at fault (the reason is on stderr, in one sentence), 130 after Ctrl-C.

    Examples
    --------
    >>> from annlab.cli import main
    >>> main(["warmup", "--quiet"])
    0
    """
    words = sys.argv[1:] if argv is None else list(argv)
    parser = _parser(words)
    options = parser.parse_args(words)
    if options.command is None:
        parser.print_help()
        return OK
    try:
        return int(options.run(options))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # the reader of our output (head, less) has left; nobody is there to be told
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except MemoryError as reason:
        # NumPy says how much was asked for, Python says nothing
        print(
            f"annlab {options.command}: out of memory. {reason} Close other programs, or use "
            "smaller data.".replace("  ", " "),
            file=sys.stderr,
        )
        return USAGE
    except (ValueError, TypeError, ImportError, OSError) as reason:
        print(f"annlab {options.command}: {reason}", file=sys.stderr)
        return USAGE

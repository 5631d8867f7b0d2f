"""Command lines to copy, in the syntax of this system's shell."""

from __future__ import annotations

import os
import shlex
import subprocess


def command_line(*words: str) -> str:
    """Quote words for this system's shell."""
    if os.name == "nt":
        return subprocess.list2cmdline(words)
    return shlex.join(words)


def set_variable(name: str, folder: str) -> str:
    """Return the command that sets a variable to a new temporary folder."""
    if os.name == "nt":
        return f'$env:{name} = "$env:TEMP\\{folder}"'
    return f'export {name}="$(mktemp -d)/{folder}"'

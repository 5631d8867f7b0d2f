"""Command lines to copy, in the words of this system's shell."""

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
    """Set an environment variable to a new folder among the temporary ones."""
    if os.name == "nt":
        return f'$env:{name} = "$env:TEMP\\{folder}"'
    return f'export {name}="$(mktemp -d)/{folder}"'

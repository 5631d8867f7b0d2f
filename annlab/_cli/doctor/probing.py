"""Try a few lines of Python in their own process, where a crash is harmless."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass

_PROBE_S = 120.0


@dataclass(frozen=True)
class Probe:
    """How a few lines of Python ended in a process of their own.

    ``how`` is ``"ok"``, ``"missing"`` (there is no such module), ``"error"``, ``"signal"`` or
    ``"time"``; ``text`` says more.
    """

    how: str
    text: str = ""

    @property
    def said(self) -> str:
        """Return what went wrong, to follow "the package is installed and"."""
        if self.how == "signal":
            return f"kills the process that uses it ({self.text})"
        return f"{'hangs' if self.how == 'time' else 'does not work'}: {self.text}"


def probe(code: str, module: str) -> Probe:
    """Run ``code`` in a new process of this Python and return how it ended.

    Parameters
    ----------
    code : str
    module : str
        The module it is about: it counts as missing if the import of just this one fails.

    Returns
    -------
    Probe

    Examples
    --------
    >>> from annlab._cli.doctor.probing import probe
    >>> probe("import no_such_module", "no_such_module").how
    'missing'
    """
    try:
        done = subprocess.run(
            [sys.executable, "-X", "faulthandler=0", "-c", code],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PROBE_S,
        )
    except subprocess.TimeoutExpired:
        return Probe("time", f"it did not end within {_PROBE_S:.0f} s")
    if done.returncode == 0:
        return Probe("ok")
    killed = _signal_name(done.returncode)
    if killed:
        return Probe("signal", killed)
    lines = [line for line in done.stderr.strip().splitlines() if line.strip()]
    last = lines[-1] if lines else f"exit status {done.returncode}"
    if last == f"ModuleNotFoundError: No module named '{module}'":
        return Probe("missing")
    return Probe("error", last[:300])


def _signal_name(returncode: int) -> str:
    """Return the name of the signal that ended a process, or ""."""
    if os.name == "nt":
        # Windows has no signals: the status is the exception's code
        code = returncode & 0xFFFFFFFF
        known = {0xC000001D: "SIGILL", 0xC0000005: "SIGSEGV"}
        return known.get(code, f"exception {code:#x}" if code >= 0xC0000000 else "")
    if returncode >= 0:
        return ""
    try:
        return signal.Signals(-returncode).name
    except ValueError:
        return f"signal {-returncode}"

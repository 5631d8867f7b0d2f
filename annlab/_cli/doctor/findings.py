"""The results of the checks, one `Finding` each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

#: From "nothing to do" to "something does not work"; the first two need no action.
STATUSES = ("ok", "note", "warning", "problem")


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes
    ----------
    name : str
        What was checked, such as ``"hnswlib"``.
    status : {"ok", "note", "warning", "problem"}
        ``warning``: works, but worse than it should. ``problem``: something does not work.
    text : str
        What was found, in a sentence.
    fix : str
        The command, or the action, that fixes it; empty if there is nothing to fix.
    facts : dict
        The same as values, for programs.
    """

    name: str
    status: str
    text: str
    fix: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


def worst(findings: Iterable[Finding]) -> str:
    """Return the most serious status among the findings."""
    return max((found.status for found in findings), key=STATUSES.index, default="ok")


def exit_status(findings: Iterable[Finding]) -> int:
    """Return 0 if nothing needs fixing (notes are fine), else 1."""
    return int(STATUSES.index(worst(findings)) >= STATUSES.index("warning"))


def describe(findings: list[Finding]) -> str:
    """Format the findings: one line each, and below it the command that fixes it."""
    width = max(len(found.name) for found in findings)
    lines = []
    for found in findings:
        lines.append(f"{found.status:<8} {found.name:<{width}}  {found.text}")
        if found.fix:
            label = "fix" if found.status in ("warning", "problem") else "if you like"
            lines.append(f"{'':8} {'':{width}}  {label}: {found.fix}")
    statuses = [found.status for found in findings]
    blocking, n = statuses.count("problem"), statuses.count("problem") + statuses.count("warning")
    summary = (
        f"{n} thing{'s' * (n > 1)} to fix, {blocking} of them blocking. Run the commands after "
        "'fix:' from the top, then annlab doctor again."
    )
    return "\n".join([*lines, "", summary if n else "All is well."])

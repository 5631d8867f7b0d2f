"""What the doctor found: one `Finding` for each thing that it looked at."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

#: From "nothing to do" to "something does not work"; the first two need no action.
STATUSES = ("ok", "note", "warning", "problem")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes
    ----------
    name : str
        What was looked at, such as ``"hnswlib"``.
    status : {"ok", "note", "warning", "problem"}
        ``note``: good to know, nothing to do. ``warning``: works, but worse than it should.
        ``problem``: something does not work.
    text : str
        What was found, in a sentence.
    fix : str
        The command, or the action, that mends it; empty where nothing is to be mended.
    facts : dict
        The same as values, for programs.
    """

    name: str
    status: str
    text: str
    fix: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


def worst(findings: Iterable[Finding]) -> str:
    """The gravest status among the findings.

    Examples
    --------
    >>> from annlab._cli.doctor.findings import Finding, worst
    >>> worst([Finding("a", "ok", ""), Finding("b", "warning", ""), Finding("c", "note", "")])
    'warning'
    """
    return max((found.status for found in findings), key=STATUSES.index, default="ok")


def exit_status(findings: Iterable[Finding]) -> int:
    """0 if nothing has to be mended (notes included), else 1."""
    return int(STATUSES.index(worst(findings)) >= STATUSES.index("warning"))


def describe(findings: list[Finding]) -> str:
    """The findings for people: one line each, and below it the command that mends it."""
    width = max(len(found.name) for found in findings)
    lines = []
    for found in findings:
        lines.append(f"{found.status:<8} {found.name:<{width}}  {found.text}")
        if found.fix:
            label = "fix" if found.status in ("warning", "problem") else "if you like"
            lines.append(f"{'':8} {'':{width}}  {label}: {found.fix}")
    mend = [found for found in findings if found.status in ("warning", "problem")]
    lines.append("")
    if not mend:
        lines.append("All is well.")
    else:
        broken = sum(found.status == "problem" for found in mend)
        lines.append(
            f"To be mended: {len(mend)} ({broken} without which something does not work). "
            "Run the commands behind 'fix', from the top, then annlab doctor again."
        )
    return "\n".join(lines)

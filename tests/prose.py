"""Reject words and phrases that native readers stumble over, in code, docs and notebooks.

    python tests/prose.py [FILE ...]

Checks comments and strings of Python files, and everything in other text files and notebook
cells. ``make lint`` runs it on the whole project. A line with ``prose: allow`` in a comment
is skipped. This is a short list, not a style guide: each entry was a habit of this project.
"""

from __future__ import annotations

import io
import json
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ALLOW = "prose: allow"
#: Third-party and stored texts, and this list itself.
LEFT_OUT = ("LICENSE", "data/documents.jsonl", "tests/prose.py")
FOLDERS = ("annlab", "binder", "data", "docs", "notebooks", "tests", ".github")
IGNORED = {"__pycache__", ".ipynb_checkpoints", "_output"}
SUFFIXES = {".py", ".pyi", ".md", ".ipynb", ".toml", ".js", ".yml", ".cpp", ".hpp", ".sh"}

#: pattern -> what to write instead
HABITS = {
    r"\bstands?\b(?! for\b| out\b| by\b| up\b)": "is, is in, is stored in",
    r"\banew\b": "again",
    r"\bmend(s|ed|ing)?\b": "fix",
    r"\bheed(s|ed|ing)?\b": "follow, use",
    r"\bwhoever\b": "callers that ..., if you ...",
    r"\b(file|folder|text|code|module)s? (that )?lies?\b": "is in, is stored in",
    r"\bwhat (came|comes) (in|out|instead)\b|\band what came\b": "got ..., the output",
    r"\b(a|an|one|that|which) \w*\s?(is|are) none\b|\bthere (is|are) none of\b": "unknown ...",
    r"\bof yours\b": "your ...",
    r"\bnobody (looks|asks|reads|waits|would|needs|uses|writes)\b": "the passive, or it",
    r"\bsomebody who\b|\bhe who\b|\bwho lays?\b": "a user who, callers that",
    r"\bwhat is left of\b": "the rest of, the remaining",
    r"\bso that\b[^.]{0,200}\bso that\b": "a full stop",
    r"\b[Nn]aming the parameter\b": "If an argument is invalid.",
}
PATTERNS = [(re.compile(pattern, re.S), advice) for pattern, advice in HABITS.items()]


def passages(path: Path) -> Iterator[tuple[str, str]]:
    """Yield each text of a file with the place to report."""
    if path.suffix == ".ipynb":
        for number, cell in enumerate(json.loads(path.read_text(encoding="utf-8"))["cells"]):
            yield f"{path}[{number}]", "".join(cell["source"])
    elif path.suffix in {".py", ".pyi"}:
        source = path.read_text(encoding="utf-8")
        lines = source.splitlines()
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            words = token.type in (tokenize.COMMENT, tokenize.STRING)
            if words and ALLOW not in lines[token.start[0] - 1] + lines[token.end[0] - 1]:
                yield f"{path}:{token.start[0]}", token.string
    else:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if ALLOW not in line:
                yield f"{path}:{number}", line


def findings(path: Path) -> Iterator[str]:
    """Yield a line for each habit that a file shows."""
    for place, text in passages(path):
        for pattern, advice in PATTERNS:
            for match in pattern.finditer(text):
                found = " ".join(match.group().split())
                yield f"{place}: {found!r}; write: {advice}"


def text_files() -> list[Path]:
    """Return the text files of the project, relative to its root."""
    below = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*")]
    paths = [path.relative_to(ROOT) for path in (*ROOT.glob("*.*"), *below) if path.is_file()]
    return [
        path
        for path in sorted(paths)
        if path.suffix in SUFFIXES
        and path.as_posix() not in LEFT_OUT
        and not IGNORED & set(path.parts)
    ]


def main(names: list[str]) -> int:
    paths = [Path(name) for name in names] or text_files()
    found = [line for path in paths for line in findings(path)]
    print(*found, sep="\n", end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Check ``documents.jsonl``: layout, lengths, themes, and that no two documents are alike.

    python data/check_documents.py

The texts were written one by one, so no script makes them; this one says what they must satisfy.
A new document is a new line, and a new checksum in ``README.md``.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from itertools import combinations
from pathlib import Path

SOURCE = Path(__file__).resolve().parent / "documents.jsonl"
THEMES = (
    "astronomy",
    "computing",
    "cooking",
    "finance",
    "gardening",
    "medicine",
    "music",
    "railways",
)
MIN_DOCUMENTS, MIN_PER_THEME = 400, 50
WORDS, SENTENCES = (30, 80), (2, 4)
#: Longest run of words that two documents may share.
SHARED_RUN = 6


def problems(path: Path = SOURCE) -> list[str]:
    """Everything that is wrong with the file, one sentence each; empty if nothing is."""
    found: list[str] = []
    records = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        record = json.loads(line)
        if list(record) != ["id", "theme", "text"]:
            found.append(f"line {number}: the keys are {list(record)}")
            continue
        records.append(record)
        n_words = len(record["text"].split())
        n_sentences = len(re.findall(r"[.!?](?=\s|$)", record["text"]))
        if not WORDS[0] <= n_words <= WORDS[1]:
            found.append(f"{record['id']}: {n_words} words")
        if not SENTENCES[0] <= n_sentences <= SENTENCES[1]:
            found.append(f"{record['id']}: {n_sentences} sentences")
        if record["theme"] not in THEMES or not record["id"].startswith(record["theme"] + "-"):
            found.append(f"{record['id']}: theme {record['theme']!r}")
    counts = Counter(record["theme"] for record in records)
    found += [
        f"{theme}: {counts[theme]} documents" for theme in THEMES if counts[theme] < MIN_PER_THEME
    ]
    if len(records) < MIN_DOCUMENTS:
        found.append(f"{len(records)} documents in all")
    ids = Counter(record["id"] for record in records)
    found += [f"{name}: {n} times" for name, n in ids.items() if n > 1]
    order = [record["id"] for record in records]
    if order != sorted(order):
        found.append("the documents are not in the order of their ids")
    return found + _alike(records)


def _alike(records: list[dict[str, str]]) -> list[str]:
    """Pairs that share a run of more than SHARED_RUN words: copies, or filled templates."""
    length = SHARED_RUN + 1
    runs: dict[tuple[str, ...], set[str]] = {}
    for record in records:
        words = re.findall(r"\w+", record["text"].lower())
        for start in range(len(words) - length + 1):
            runs.setdefault(tuple(words[start : start + length]), set()).add(record["id"])
    pairs = {pair for names in runs.values() for pair in combinations(sorted(names), 2)}
    return [f"{first} and {second} share more than {SHARED_RUN} words" for first, second in pairs]


def main() -> int:
    """Print what is wrong, or the size of the corpus; return the exit code."""
    found = problems()
    for sentence in found:
        print(sentence)
    if not found:
        n = len(SOURCE.read_text(encoding="utf-8").splitlines())
        print(f"{SOURCE.name}: {n} documents on {len(THEMES)} themes, nothing wrong")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

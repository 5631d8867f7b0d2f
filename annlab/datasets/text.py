"""Texts with known themes: annlab's documents, and docstrings of packages."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import json
import re
import warnings
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from annlab._support.checks import check_choice, check_integer, check_random_state
from annlab._support.errors import invalid
from annlab._support.types import Seed
from annlab.datasets._files import data_path
from annlab.datasets._types import Corpus

#: Packages that annlab depends on, so the default corpus exists everywhere.
_PACKAGES = ("numpy", "scipy", "sklearn", "matplotlib", "joblib")
#: Folders whose docstrings describe no theme.
_SKIPPED = {"tests", "test", "testing", "conftest", "externals", "_vendor", "__pycache__"}
_MAX_SOURCE_BYTES = 8 << 20


def _corpus(
    documents: Sequence[str], themes: Sequence[str], *, name: str, description: str
) -> Corpus:
    names, labels = np.unique(np.asarray(themes, dtype=str), return_inverse=True)
    labels = labels.astype(np.int32)
    labels.setflags(write=False)
    return Corpus(
        documents=tuple(documents),
        labels=labels,
        label_names=tuple(names.tolist()),
        name=name,
        description=description,
    )


def load_documents() -> Corpus:
    """Load ``documents.jsonl``: short English texts on eight themes.

    Returns
    -------
    Corpus
        More than 400 documents of two to four sentences, ordered by theme.

    Notes
    -----
    ``data/README.md`` is the datasheet; the prose is under CC BY 4.0.

    Examples
    --------
    >>> from annlab.datasets import load_documents
    >>> load_documents().label_names[:3]
    ('astronomy', 'computing', 'cooking')
    """
    with open(data_path("documents.jsonl"), encoding="utf-8") as lines:
        records = [json.loads(line) for line in lines]
    return _corpus(
        [record["text"] for record in records],
        [record["theme"] for record in records],
        name="documents",
        description="Short English texts on eight themes, written for annlab.",
    )


def _root(package: str) -> Path:
    """Return the folder of an installed package without importing it."""
    if not isinstance(package, str) or not package.isidentifier():
        raise invalid("packages", "names of top-level packages", repr(package))
    try:
        spec = importlib.util.find_spec(package)
    except ValueError:
        spec = None
    if spec is None or not spec.submodule_search_locations:
        raise invalid(
            "packages",
            "packages that are installed and consist of Python files",
            repr(package),
            "Install it, or name another one.",
        )
    return Path(next(iter(spec.submodule_search_locations)))


def _documented(tree: ast.AST) -> Iterator[str]:
    """Yield the docstrings of a module, its classes and functions, in order."""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [node for node in ast.walk(tree) if isinstance(node, kinds)]
    for node in sorted(nodes, key=lambda node: getattr(node, "lineno", 0)):
        text = ast.get_docstring(node, clean=False)
        if text:
            yield inspect.cleandoc(text)


def _prose(text: str) -> str:
    """Drop doctests and rules made of dashes; join the other lines."""
    kept, in_session = [], False
    for line in text.splitlines():
        bare = line.strip()
        if bare.startswith((">>>", "... ")):
            in_session = True
        elif not bare:
            in_session = False
        if not in_session and not re.fullmatch(r"[-=~^*#`.+]{3,}", bare):
            kept.append(bare)
    return re.sub(r"\s+", " ", " ".join(kept)).strip()


def load_docstrings(
    n: int | None = None,
    *,
    packages: Sequence[str] = _PACKAGES,
    label: str = "package",
    min_words: int = 20,
    min_per_label: int = 1,
    max_per_label: int | None = None,
    random_state: Seed = None,
) -> Corpus:
    """Collect the docstrings of installed packages as a corpus with known themes.

    Parameters
    ----------
    n : int, optional
        Draw that many documents at random; by default all are kept, in the order of the sources.
    packages : sequence of str, default=("numpy", "scipy", "sklearn", "matplotlib", "joblib")
        Top-level packages. They are read, never imported.
    label : {"package", "subpackage"}, default="package"
        The theme of a document: ``"scipy"``, or ``"scipy.signal"``.
    min_words : int, default=20
        Shorter texts are left out.
    min_per_label : int, default=1
        Themes with fewer documents are left out.
    max_per_label : int, optional
        Draw at most that many documents of a theme at random.
    random_state : int, RandomState, Generator or None, default=None
        For the random draws.

    Returns
    -------
    Corpus
        Each text once: exact repetitions are dropped, across packages too. Without examples'
        code and its output.

    Raises
    ------
    TypeError, ValueError
        Also where a package is not installed, or fewer than ``n`` documents are left.

    Notes
    -----
    The corpus depends on the installed versions. The defaults give about 8,000 documents; reading
    them takes some seconds the first time in a process. Docstrings that are added at run time,
    such as those of NumPy's compiled functions, are not included.

    Examples
    --------
    >>> from annlab.datasets import load_docstrings
    >>> corpus = load_docstrings(packages=["joblib"])
    >>> corpus.label_names
    ('joblib',)
    """
    check_choice(label, "label", ("package", "subpackage"))
    min_words = check_integer(min_words, "min_words")
    min_per_label = check_integer(min_per_label, "min_per_label")
    rng = check_random_state(random_state)
    if isinstance(packages, str):
        raise invalid("packages", "a sequence of names", repr(packages), f"Pass [{packages!r}].")
    if not packages:
        raise invalid("packages", "at least one name", "none", "Use packages=('numpy',).")
    texts: dict[str, str] = {}
    for package in packages:
        for subpackage, text in _package_texts(_root(package)):
            theme = f"{package}.{subpackage}" if label == "subpackage" and subpackage else package
            if len(text.split()) >= min_words:
                texts.setdefault(text, theme)
    documents, themes = np.array(list(texts), dtype=object), np.array(list(texts.values()))
    keep = np.arange(len(documents))
    if len(keep):
        _, group, counts = np.unique(themes, return_inverse=True, return_counts=True)
        keep = np.flatnonzero(counts[group] >= min_per_label)
        if max_per_label is not None:
            limit = check_integer(max_per_label, "max_per_label")
            drawn = [rng.permutation(keep[group[keep] == g])[:limit] for g in range(len(counts))]
            keep = np.sort(np.concatenate(drawn))
    if n is not None:
        n = check_integer(n, "n")
        if n > len(keep):
            raise invalid(
                "n",
                f"at most {len(keep):,}, the number of documents found",
                f"{n:,}",
                "Name further packages, or lower min_words.",
            )
        keep = rng.permutation(keep)[:n]
    return _corpus(
        documents[keep].tolist(),
        themes[keep].tolist(),
        name="docstrings",
        description="Docstrings of " + ", ".join(packages) + ", by " + label + ".",
    )


@lru_cache(maxsize=16)
def _package_texts(root: Path) -> tuple[tuple[str, str], ...]:
    """Read a package once per process: pairs of first-level folder and text."""
    pairs = []
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        if _SKIPPED.intersection(parts) or path.stat().st_size > _MAX_SOURCE_BYTES:
            continue
        subpackage = parts[0] if (root / parts[0]).is_dir() else ""
        try:
            with warnings.catch_warnings():
                # invalid escapes in the sources
                warnings.simplefilter("ignore")
                tree = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError, OSError):
            # templates, and files for other versions of Python
            continue
        pairs += [(subpackage, _prose(text)) for text in _documented(tree)]
    return tuple(pairs)

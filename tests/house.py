"""Measure the size and shape of the package: lines, long functions, import circles, and so on.

    python tests/house.py              a table of measures, each beside its limit
    python tests/house.py --targets    also the target of each measure
    python tests/house.py --worst      also the longest functions and files, and every circle

A limit is what was reached last; lower it when a measure falls, until it is the target. The exit
status is 1 if a measure exceeds its limit, or its target where targets are asked for.
`test_house.py` checks the limits, `test_layers.py` the order of the rooms.
"""

from __future__ import annotations

import argparse
import ast
import io
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "annlab"

#: measure -> (limit, target)
LIMITS = {
    "lines": (45_500, 40_000),
    "lines of code": (29_350, 27_500),
    "modules at the top": (14, 14),
    "import circles": (0, 0),
    "upward imports": (1, 1),
    "functions over 60 lines": (20, 20),
    "files over 500 lines": (8, 8),
    "occurrences of ': Any'": (300, 300),
    "lines of tests": (26_350, 22_000),
}
#: A module at the top that is no longer than this only passes on names from where they moved.
FACE_LINES = 8

#: Floors, lowest first. A room is a folder with everything in it, or one module. Several names in
#: one string are one room: its folder, and the modules that only pass on names from it.
#: Rooms on one floor do not import each other.
FLOORS: tuple[tuple[str, ...], ...] = (
    ("_version",),
    ("_support",),
    ("_kernels",),
    ("datasets",),
    ("distances",),
    ("result",),
    ("rows",),
    ("indexes",),
    ("initialization",),
    ("fit",),
    ("clustering lloyd",),
    ("robust", "parallel", "faiss_kmeans", "export"),
    ("estimator",),
    ("metrics",),
    ("plotting", "applications"),
    ("benchmarks",),
    ("widgets",),
    ("classroom",),
    ("_authoring _badges", "_cli doctor cli __main__"),
)
FLOOR_OF = {
    name: number for number, rooms in enumerate(FLOORS) for room in rooms for name in room.split()
}
ROOM_OF = {name: room.split()[0] for rooms in FLOORS for room in rooms for name in room.split()}

#: Imports that run upward on purpose: (importing module, room that it imports) -> reason.
UPWARD = {
    ("indexes.pq", "clustering"): "product quantization is trained with our own k-means",
}


# ------------------------------------------------------------------------------------ the imports


@cache
def modules() -> dict[str, Path]:
    """Return the file of each module by its dotted name below annlab; the package itself is ''."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def room(name: str) -> str:
    """Return the room of a module, or its folder's name if it has no floor yet."""
    top = name.partition(".")[0]
    return ROOM_OF.get(top, top)


def imported(name: str, path: Path) -> set[str]:
    """Return the modules of annlab that a file imports, at the top of it or inside a function.

    ``from package import name`` counts as an import of the module ``package.name`` if there is
    one, and of ``package`` otherwise.
    """
    package = ["annlab", *name.split(".")] if name else ["annlab"]
    if path.name != "__init__.py":
        package.pop()
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) + 1 - node.level] if node.level else []
            base = ".".join([*start, *([node.module] if node.module else [])])
            for alias in node.names:
                below = f"{base}.{alias.name}"
                found.add(below if below.removeprefix("annlab.") in modules() else base)
    known = {full.partition("annlab.")[2] for full in found if f"{full}.".startswith("annlab.")}
    return known - {name}


@cache
def imports() -> dict[str, set[str]]:
    """Return what each module imports."""
    return {name: imported(name, path) for name, path in modules().items()}


def upward() -> list[tuple[str, str]]:
    """Return the imports that run to another room on the same floor or on a higher one."""
    return [
        (name, target)
        for name, targets in imports().items()
        for target in sorted(targets)
        if name and room(name) != room(target)
        if FLOOR_OF[room(target)] >= FLOOR_OF[room(name)]
    ]


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Return the groups of modules that import each other, directly or through others.

    Examples
    --------
    >>> circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}})
    [['a', 'b', 'c']]
    """
    reached = {name: _reachable(name, graph) for name in graph}
    groups = {
        tuple(sorted(other for other in reached[name] if name in reached.get(other, ())))
        for name in graph
        if name in reached[name]
    }
    return sorted(map(list, groups))


def _reachable(start: str, graph: dict[str, set[str]]) -> set[str]:
    """Return the modules that are imported, directly or not, by one module."""
    found: set[str] = set()
    waiting = [*graph[start]]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += graph.get(name, ())
    return found


# ------------------------------------------------------------------------------------ the measures


@dataclass(frozen=True)
class File:
    """One Python file as the measures see it."""

    path: Path
    text: str

    @property
    def lines(self) -> int:
        return len(self.text.splitlines())

    def code_lines(self) -> int:
        """Count the lines that are not blank, not only a comment, and in no docstring."""
        lines = self.text.splitlines()
        left_out = {line for node in self._documented() for line in _docstring_lines(node)}
        left_out |= {number for number, line in enumerate(lines, 1) if not line.strip()}
        for token in tokenize.generate_tokens(io.StringIO(self.text).readline):
            if token.type == tokenize.COMMENT and token.line.lstrip().startswith("#"):
                left_out.add(token.start[0])
        return len(lines) - len(left_out)

    def functions(self) -> Iterator[tuple[int, str]]:
        """Yield (lines without the docstring, name) of each function."""
        for node in self._documented():
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno is not None
                length = node.end_lineno - node.lineno + 1 - len(_docstring_lines(node))
                yield length, f"{self.path.relative_to(ROOT)}: {node.name}"

    def _documented(self) -> Iterator[ast.AST]:
        kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        return (node for node in ast.walk(ast.parse(self.text)) if isinstance(node, kinds))


def _docstring_lines(node: ast.AST) -> range:
    """Return the numbers of the lines of a docstring; none where there is no docstring."""
    first = next(iter(getattr(node, "body", [])), None)
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        if isinstance(first.value.value, str) and first.end_lineno is not None:
            return range(first.lineno, first.end_lineno + 1)
    return range(0)


def read(folder: Path) -> list[File]:
    """Read every Python file of a folder."""
    return [File(path, path.read_text(encoding="utf-8")) for path in sorted(folder.rglob("*.py"))]


def measure() -> dict[str, int]:
    """Return each measure of LIMITS, by its name."""
    files = read(PACKAGE)
    at_the_top = [
        file
        for file in files
        if file.path.parent == PACKAGE
        if file.path.name != "__init__.py" and file.lines > FACE_LINES
    ]
    return {
        "lines": sum(file.lines for file in files),
        "lines of code": sum(file.code_lines() for file in files),
        "modules at the top": len(at_the_top),
        "import circles": len(circles(imports())),
        "upward imports": len(upward()),
        "functions over 60 lines": sum(
            length > 60 for file in files for length, _ in file.functions()
        ),
        "files over 500 lines": sum(file.lines > 500 for file in files),
        "occurrences of ': Any'": sum(file.text.count(": Any") for file in files),
        "lines of tests": sum(file.lines for file in read(ROOT / "tests")),
    }


def too_much(found: dict[str, int], which: int = 0) -> dict[str, tuple[int, int]]:
    """Return (measured, allowed) of the measures past their limit, or past their target."""
    return {
        name: (found[name], LIMITS[name][which])
        for name in LIMITS
        if found[name] > LIMITS[name][which]
    }


# ---------------------------------------------------------------------------------------- command


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--targets", action="store_true", help="compare with the targets")
    parser.add_argument("--worst", action="store_true", help="list the worst places")
    options = parser.parse_args()
    found = measure()
    print(f"{'':<26}{'now':>8}{'limit':>8}" + f"{'target':>8}" * options.targets)
    over = too_much(found, which=int(options.targets))
    for name, (limit, target) in LIMITS.items():
        row = f"{name:<26}{found[name]:>8,}{limit:>8,}" + f"{target:>8,}" * options.targets
        print(row + "  too much" * (name in over))
    if options.worst:
        _print_worst()
    return int(bool(over))


def _print_worst() -> None:
    files = read(PACKAGE)
    functions = sorted((found for file in files for found in file.functions()), reverse=True)
    lengths = sorted(((file.lines, file.path.relative_to(ROOT)) for file in files), reverse=True)
    for title, found in (("functions", functions), ("files", lengths)):
        print(f"\nlongest {title}")
        for length, name in found[:15]:
            print(f"{length:>6}  {name}")
    for circle in circles(imports()):
        print("\nimport circle: " + ", ".join(circle))
    for name, target in upward():
        print(f"upward: {name} imports {target}")


if __name__ == "__main__":
    sys.exit(main())

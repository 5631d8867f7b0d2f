"""The house: imports run only downward, importing is instant, no module hides a function."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "annlab"

#: The floors, lowest first; rooms on one floor do not import each other unless listed below.
#: A room is a module, or a folder with everything in it.
FLOORS = (
    ("_version",),
    ("_support",),
    ("datasets",),
    ("distances",),
    ("_kernels",),
    ("_points",),
    ("indexes",),
    ("initialization",),
    ("assignment",),
    ("result",),
    ("_checkpoint", "blocks"),
    ("distributed",),
    ("lloyd",),
    ("robust", "parallel", "faiss_kmeans"),
    ("estimator",),
    ("metrics",),
    ("plotting",),
    ("benchmarks", "applications"),
    ("widgets",),
    ("classroom",),
    ("_lab",),
    ("_warmup", "_notebooks", "_cluster", "doctor"),
    ("_badges",),
    ("cli",),
    ("__main__",),
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}

#: Modules that make up one room together, though they are files of their own.
ROOM = {
    "_badges": "_notebooks",
    "_kernels_cache": "_kernels",
    "_kernels_numpy": "_kernels",
    "cost_model": "assignment",
    "fused": "assignment",
    "graph": "assignment",
}

#: Imports that run upward on purpose: (importing module, imported room) -> reason.
EXCEPTIONS = {
    ("indexes.pq", "lloyd"): "product quantization is trained with our own k-means",
    ("widgets._quiz", "classroom"): "the questions stand with the exercises of their topic",
}
HEAVY = ("sklearn", "matplotlib", "numba", "faiss", "umap", "scipy", "dask", "distributed")


def room_of(name: str) -> str:
    """Room of a dotted name."""
    first = name.split(".")[0]
    return ROOM.get(first, first)


def modules() -> dict[str, Path]:
    """Dotted name below annlab -> file."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if "__pycache__" not in parts and path != PACKAGE / "__init__.py":
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(path: Path, name: str) -> set[str]:
    """Modules below annlab that a file imports, anywhere in it, as dotted names."""
    found = set()
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = ["annlab", *package.split(".")] if package else ["annlab"]
                base = ".".join([*parents[: len(parents) - node.level + 1], base]).rstrip(".")
            names = [f"{base}.{alias.name}" for alias in node.names] if base == "annlab" else [base]
        else:
            continue
        found.update(n.removeprefix("annlab.") for n in names if n.startswith("annlab."))
    return found


def test_every_module_has_a_floor():
    rooms = {room_of(name) for name in modules()}
    assert rooms <= set(FLOOR), f"no floor in FLOORS for {sorted(rooms - set(FLOOR))}"


@pytest.mark.parametrize("name", modules())
def test_imports_run_downward(name):
    room = room_of(name)
    for target in imported(modules()[name], name):
        other = room_of(target)
        if other == room or (name, other) in EXCEPTIONS:
            continue
        assert other in FLOOR, f"annlab.{name} imports {other} from annlab itself: name its room"
        assert FLOOR[other] < FLOOR[room], (
            f"annlab.{name} (floor {FLOOR[room]}) imports annlab.{target} (floor {FLOOR[other]})"
        )


def test_every_exception_is_still_needed():
    for name, other in EXCEPTIONS:
        path = modules().get(name)
        assert path is not None, name
        assert other in {room_of(target) for target in imported(path, name)}, (name, other)


def test_the_reader_of_imports_sees_what_it_must(tmp_path):
    file = tmp_path / "exact.py"
    file.write_text(
        "import annlab.lloyd\nfrom annlab import robust\nfrom ._base import NeighborIndex\n"
        "from .. import distances\nfrom ..metrics import x\n"
        "def f():\n    from annlab.cli import y\n"
    )
    seen = imported(file, "indexes.exact")
    assert seen == {"lloyd", "robust", "indexes._base", "distances", "metrics", "cli"}


def test_no_module_has_the_name_of_a_public_function():
    import annlab

    rooms = {name.split(".")[0] for name in modules()}
    for name in annlab.__all__:
        assert name not in rooms, f"the module annlab.{name} would hide the function of that name"


def test_every_public_name_loads():
    import annlab

    for name in annlab.__all__:
        assert getattr(annlab, name) is not None
        assert name in dir(annlab)


def test_import_loads_nothing_heavy():
    code = (
        "import sys, annlab, annlab.cli; "
        f"print(sorted(set({HEAVY!r}) & {{name.split('.')[0] for name in sys.modules}}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

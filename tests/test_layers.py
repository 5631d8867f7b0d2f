"""The layers: imports run downward without circles, and annlab imports quickly.

The order of the rooms is a table in `house.py`.
"""

from __future__ import annotations

import subprocess
import sys

import house
import pytest

HEAVY = {
    *("sklearn", "scipy", "matplotlib", "numba", "faiss", "hnswlib", "umap", "dask", "distributed"),
    *("joblib", "pandas", "PIL", "skimage", "h5py", "pooch", "requests", "ipywidgets", "IPython"),
}


def test_every_module_has_a_floor():
    rooms = {house.room(name) for name in house.modules() if name}
    assert rooms <= set(house.FLOOR_OF), f"no floor in FLOORS: {rooms - set(house.FLOOR_OF)}"


def test_nothing_is_imported_from_annlab_itself():
    wrong = [name for name, targets in house.imports().items() if "" in targets]
    assert not wrong, "import from the module that holds the name"


def test_imports_run_downward():
    found = {(name, house.room(target)): target for name, target in house.upward()}
    new = {pair: target for pair, target in found.items() if pair not in house.UPWARD}
    assert not new, f"import upward: {new}"
    assert found.keys() == house.UPWARD.keys(), "remove from UPWARD what is no longer needed"


def test_imports_run_in_no_circle():
    assert house.circles(house.imports()) == []


def test_all_forms_of_imports_are_found(tmp_path):
    file = tmp_path / "exact.py"
    file.write_text(
        "import annlab.robust\nfrom annlab import metrics\nfrom ._base import NeighborIndex\n"
        "from .. import distances\nfrom ..result import x\nfrom annlab.indexes import lsh, make\n"
        "import annlabours\nfrom annlab import kmeans\n"
        "def f():\n    from annlab.estimator import y\n"
    )
    seen = house.imported("indexes.exact", file)
    assert seen == {"robust", "metrics", "indexes._base", "distances", "result", "indexes.lsh"} | {
        "indexes",
        "",
        "estimator",
    }


def test_no_module_has_the_name_of_a_public_function():
    import annlab

    rooms = {name.split(".")[0] for name in house.modules()}
    for name in annlab.__all__:
        assert name not in rooms, f"the module annlab.{name} would hide the function of that name"


def test_every_public_name_loads_and_is_documented():
    import annlab

    for name in annlab.__all__:
        value = getattr(annlab, name)
        assert value is not None and name in dir(annlab)
        if callable(value):
            assert value.__doc__ and len(value.__doc__.splitlines()[0]) > 20, name
            assert value.__name__ == name
    with pytest.raises(AttributeError, match="no_such_name"):
        annlab.no_such_name  # noqa: B018


@pytest.mark.parametrize("room", ["cli", "datasets", "plotting", "widgets"])
def test_import_loads_nothing_heavy(room):
    code = (
        f"import sys, annlab.{room}; "
        f"print(sorted({HEAVY!r} & {{name.split('.')[0] for name in sys.modules}}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

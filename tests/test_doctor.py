"""``annlab doctor``: a healthy machine, broken ones, and their remedies."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from annlab import cli
from annlab._cli.doctor import command, packages, probing, python
from annlab._cli.doctor import machine as parts
from annlab._cli.doctor.findings import STATUSES, Finding, exit_status, worst
from annlab._cli.doctor.kernels import check_kernels
from annlab._cli.doctor.probing import probe
from annlab._kernels import numpy_twins
from annlab._support import memory, places

SITE = Path(sysconfig.get_path("purelib"))
EXECUTABLE = Path(sys.executable).name


class Machine:
    """A new environment of links to the packages of this one."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.prefix = home / "env"
        subprocess.run(
            [sys.executable, "-m", "venv", "--without-pip", str(self.prefix)], check=True
        )
        (self.site,) = (self.prefix / "lib").glob("python*/site-packages")
        for place in SITE.iterdir():
            (self.site / place.name).symlink_to(place)
        share = Path(sys.prefix) / "share"
        if share.is_dir():
            (self.prefix / "share").symlink_to(share)
        self.work = home / "work"
        self.work.mkdir()

    def remove(self, *patterns: str) -> None:
        """Uninstall the packages of the patterns."""
        for pattern in patterns:
            for place in self.site.glob(pattern):
                place.unlink()

    def doctor(self, *words: str, before: tuple[str, ...] = (), **environment: str):
        """Run ``annlab doctor --json`` there; return its exit status and findings by name."""
        call = ("-m", "annlab", "doctor", "--json", *words)
        done = self._python(*call, before=before, **environment)
        report = json.loads(done.stdout)
        assert report["exit_status"] == done.returncode
        return done.returncode, {found["name"]: found for found in report["findings"]}

    def one(self, check: str, *folders: Path, **more) -> dict[str, dict]:
        """Run one of the doctor's checks there, which is quicker; return findings by name."""
        code = (
            "import json, sys; from dataclasses import asdict; from pathlib import Path\n"
            "from annlab._cli.doctor import command as doctor\n"
            f"found = doctor.{check}(*map(Path, sys.argv[1:]))\n"
            "found = found if isinstance(found, list) else [found]\n"
            "print(json.dumps([asdict(one) for one in found]))"
        )
        done = self._python("-c", code, *map(str, folders), **more)
        return {found["name"]: found for found in json.loads(done.stdout)}

    def _python(self, *words: str, before: tuple[str, ...] = (), **environment: str):
        own = {"HOME": str(self.home), "PYTHONDONTWRITEBYTECODE": "1"} | environment
        kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "XDG_CACHE_HOME")}
        python = str(self.prefix / "bin" / EXECUTABLE)
        done = subprocess.run(
            [*before, python, *words],
            capture_output=True,
            text=True,
            cwd=self.work,
            env=kept | own,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done


@pytest.fixture
def machine(tmp_path) -> Machine:
    if os.name == "nt":
        pytest.skip("the environments here are made of links")
    return Machine(tmp_path)


def to_fix(found: dict[str, dict]) -> set[str]:
    """Return the findings that need a fix, except for little disk space or memory."""
    return {
        name
        for name, finding in found.items()
        if finding["status"] in ("warning", "problem") and name not in ("memory", "disk")
    }


def words_of(fix: str) -> list[str]:
    """Return a fix as the shell reads it, without the remark after it."""
    return shlex.split(re.sub(r"   \(.*\)$", "", fix))


needs_hnswlib = pytest.mark.skipif(
    shutil.which("sh") is None or packages.installed("hnswlib") is None,
    reason="this environment has no hnswlib to break",
)


# ------------------------------------------------------------------------------ a healthy machine


def test_healthy_machine_needs_nothing_and_stays_unchanged(machine):
    _, found = machine.doctor("--dir", str(machine.work / "not yet there"))
    assert to_fix(found) == set(), found
    assert list(machine.work.iterdir()) == []
    for name in ("python", "pins", "threads", "memory", "disk", "ipywidgets", "compiled loops"):
        assert name in found
    assert found["ipywidgets"]["facts"]["front_end"]
    assert found["hnswlib"]["facts"]["probe"] in ("ok", "missing")
    assert found["compiled loops"]["status"] in ("ok", "note")


# ------------------------------------------------------------------------------------ broken ones


@needs_hnswlib
def test_missing_hnswlib_is_a_warning_with_faiss_and_a_problem_without(machine):
    machine.remove("hnswlib*", "_hnswlib*")
    status, found = machine.doctor()
    assert status == 1 and to_fix(found) == {"hnswlib"}
    finding = found["hnswlib"]
    assert finding["status"] == "warning" and "faiss in its place" in finding["text"]
    fix = words_of(finding["fix"])
    assert fix[0] == "HNSWLIB_NO_NATIVE=1" and fix[-1] == f"hnswlib=={packages.pins()['hnswlib']}"
    machine.remove("faiss*")
    finding = machine.one("check_hnswlib")["hnswlib"]
    assert finding["status"] == "problem" and "Neither hnswlib nor faiss" in finding["text"]
    assert words_of(finding["fix"])[-1] == f"faiss-cpu=={packages.pins()['faiss-cpu']}"


DIES_ON_IMPORT = "import os, signal\nos.kill(os.getpid(), signal.{signal})\n"
INDEX = """
import os, signal, numpy as np
class Index:
    def __init__(self, *words): pass
    def knn_query(self, X, **more): {query}
    init_index = add_items = set_ef = lambda self, *words, **more: None
"""
DIES_ON_SEARCH = INDEX.format(query="os.kill(os.getpid(), signal.SIGILL)")
FINDS_ROW_0 = INDEX.format(query="return np.zeros((len(X), 1), int), None")


@needs_hnswlib
@pytest.mark.parametrize(
    ("code", "said"),
    [
        (DIES_ON_IMPORT.format(signal="SIGILL"), ["uses it (SIGILL)", "another processor"]),
        (DIES_ON_SEARCH, ["kills the process that uses it (SIGILL)", "another processor"]),
        (DIES_ON_IMPORT.format(signal="SIGSEGV"), ["uses it (SIGSEGV)", "damaged"]),
        (FINDS_ROW_0, ["do not find themselves"]),
    ],
)
def test_broken_hnswlib_is_named_with_its_remedy(machine, code, said):
    machine.remove("hnswlib.*", "_hnswlib*")
    (machine.site / "hnswlib.py").write_text(code)
    finding = machine.one("check_hnswlib")["hnswlib"]
    assert finding["status"] == "problem"
    assert all(words in finding["text"] for words in said), finding["text"]
    fix = words_of(finding["fix"])
    # the cache may contain a wheel that was built for another processor
    assert fix[0] == "HNSWLIB_NO_NATIVE=1" and {"--force-reinstall", "--no-cache-dir"} < set(fix)
    assert fix[-1].startswith("hnswlib==")


def test_old_ipywidgets_is_a_problem(machine):
    machine.remove("ipywidgets-*.dist-info")
    record = machine.site / "ipywidgets-7.6.5.dist-info"
    record.mkdir()
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: ipywidgets\nVersion: 7.6.5\n")
    status, found = machine.doctor()
    assert status == 1 and to_fix(found) == {"ipywidgets"}
    finding = found["ipywidgets"]
    assert finding["status"] == "problem"
    assert "ipywidgets 7.6.5 is too old" in finding["text"] and "8.1" in finding["text"]
    fix = words_of(finding["fix"])
    assert fix[-2:] == ["install", f"ipywidgets=={packages.pins()['ipywidgets']}"]
    assert Path(fix[0]).parent == machine.prefix / "bin", "the fix is for that environment"


def test_missing_front_end_is_a_problem(machine):
    (machine.prefix / "share").unlink()
    data = str(machine.home / "data")
    found = machine.one("check_widgets", JUPYTER_PATH="", JUPYTER_DATA_DIR=data)
    assert found["ipywidgets"]["status"] == found["anywidget"]["status"] == "problem"
    assert "lacks the front end of ipywidgets" in found["ipywidgets"]["text"]
    assert "--force-reinstall" in words_of(found["ipywidgets"]["fix"])


def test_disabled_front_end_is_a_problem(machine):
    page = machine.home / ".jupyter" / "labconfig" / "page_config.json"
    page.parent.mkdir(parents=True)
    name = "@jupyter-widgets/jupyterlab-manager"
    page.write_text(json.dumps({"disabledExtensions": {name: True}}))
    found = machine.one("check_widgets")
    assert to_fix(found) == {"ipywidgets"}
    assert words_of(found["ipywidgets"]["fix"])[-3:] == ["labextension", "enable", name]


def without_privileges() -> tuple[str, ...]:
    """Return words before a command that drop the privileges of root."""
    if os.geteuid() != 0:
        return ()
    words = ("setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner")
    if shutil.which("setpriv") is None or subprocess.run([*words, "true"]).returncode != 0:
        pytest.skip("root feels no modes here, and cannot drop that privilege")
    return words


def test_missing_write_access_is_a_problem(machine):
    before = without_privileges()
    course = machine.work / "annlab-notebooks"
    course.mkdir()
    closed = [course, machine.work, machine.home]
    for folder in closed:
        folder.chmod(0o555)
    try:
        status, found = machine.doctor(before=before)
        assert status == 1 and to_fix(found) == {"notebooks folder", "jupyter"}
        finding = found["notebooks folder"]
        assert finding["status"] == "problem" and str(course) in finding["text"]
        assert "Permission denied" in finding["text"] or "Read-only" in finding["text"]
        assert finding["fix"].startswith("annlab lab --dir ~/")
        assert found["jupyter"]["fix"].startswith("export JUPYTER_RUNTIME_DIR=")
        # the fix that is named does help
        found = machine.one(
            "check_writing",
            machine.prefix / "mine",
            before=before,
            JUPYTER_RUNTIME_DIR=str(machine.prefix / "runtime"),
        )
        assert to_fix(found) == set() and found["jupyter"]["status"] == "ok"
    finally:
        for folder in closed:
            folder.chmod(0o755)


# ------------------------------------------------------------------------- a name that is taken


def editable(machine: Machine) -> Path:
    """Make annlab editable there, through a finder that is asked last; return its checkout."""
    checkout = machine.home / "annlab"
    checkout.mkdir()
    package = checkout / "annlab"
    package.symlink_to(places.PACKAGE)
    machine.remove("__editable__*annlab*", "annlab", "annlab*.pth")
    (machine.site / "annlab_finder.py").write_text(
        "import importlib.util as u, sys\n"
        "class Finder:\n"
        "    @staticmethod\n"
        "    def find_spec(name, path=None, target=None):\n"
        f"        if name == 'annlab': return u.spec_from_file_location(name,\n"
        f"            '{package}/__init__.py', submodule_search_locations=['{package}'])\n"
        "sys.meta_path.append(Finder)\n"
    )
    (machine.site / "annlab_finder.pth").write_text("import annlab_finder\n")
    return checkout


def test_script_beside_a_checkout_named_annlab_is_a_warning(machine):
    checkout = editable(machine)
    script = machine.home / "script.py"
    script.write_text("from annlab import kmeans_ann\n")
    python = machine.prefix / "bin" / EXECUTABLE

    def runs(folder: Path) -> subprocess.CompletedProcess:
        shutil.copy(script, folder / "another.py")
        return subprocess.run(
            [python, folder / "another.py"],
            capture_output=True,
            text=True,
            cwd=folder,
            env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
        )

    # what a user sees, and what the doctor says of that folder
    assert "cannot import name 'kmeans_ann' from 'annlab'" in runs(machine.home).stderr
    found = machine.one("check_import", machine.home)["import"]
    assert found["status"] == "warning" and f"the folder {checkout} " in found["text"]
    assert "cannot import name" in found["text"] and "another folder" in found["fix"]
    # the fix does help
    assert runs(machine.work).returncode == 0
    assert machine.one("check_import", machine.work)["import"]["status"] == "ok"
    # with the checkout on the path, as `make env` leaves it, a script may be anywhere
    (machine.site / "annlab-checkout.pth").write_text(f"{checkout}\n")
    assert runs(machine.home).returncode == 0
    assert machine.one("check_import", machine.home)["import"]["status"] == "ok"


def test_script_named_annlab_is_a_warning(tmp_path):
    (tmp_path / "annlab.py").write_text("raise SystemExit('is not run by the doctor')\n")
    finding = python.check_import(tmp_path)
    assert finding.status == "warning" and str(tmp_path / "annlab.py") in finding.text
    assert finding.fix.endswith("or give that file another name.")


def test_missing_compiled_loops_are_a_note(monkeypatch):
    monkeypatch.setattr("annlab._kernels.loops", numpy_twins)
    monkeypatch.delenv("ANNLAB_LOOPS", raising=False)
    finding = check_kernels()
    assert finding.status == "note" and "NumPy" in finding.text and "install" in finding.fix
    monkeypatch.setenv("ANNLAB_LOOPS", "numpy")
    assert check_kernels().fix == "unset ANNLAB_LOOPS"


def test_missing_and_old_packages_are_named(machine):
    machine.remove("umap", "umap_learn-*", "pandas-*.dist-info")
    record = machine.site / "pandas-1.5.0.dist-info"
    record.mkdir()
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: pandas\nVersion: 1.5.0\n")
    status, found = machine.doctor()
    assert status == 1 and to_fix(found) == {"lab", "pandas"}
    assert "umap-learn (notebook 14)" in found["lab"]["text"]
    assert words_of(found["lab"]["fix"])[-1] == f"umap-learn=={packages.pins()['umap-learn']}"
    assert "pandas 1.5.0 is too old" in found["pandas"]["text"]
    assert found["pins"]["facts"]["other"]["pandas"]["version"] == "1.5.0"


def test_missing_packages_of_the_notebooks_are_a_note(machine):
    machine.remove("jupyterlab-*.dist-info", "jupyterlab", "umap*", "pooch*", "anywidget*")
    found = machine.one("check_versions") | machine.one("check_widgets")
    assert to_fix(found) == set() and found["lab"]["status"] == "note"
    assert words_of(found["lab"]["fix"])[-1] == "annlab-kmeans[lab]"


def test_core_package_that_cannot_be_imported_is_a_problem(machine):
    machine.remove("threadpoolctl.py")
    (machine.site / "threadpoolctl.py").write_text("raise RuntimeError('half of a file')")
    found = machine.one("check_imports")
    # scikit-learn depends on it and fails as well; the cause comes first
    assert next(iter(found)) == "threadpoolctl" and to_fix(found) <= {
        "threadpoolctl",
        "scikit-learn",
    }
    assert found["threadpoolctl"]["status"] == "problem"
    assert "half of a file" in found["threadpoolctl"]["text"]


# --------------------------------------------------------------------------------------- the parts


def test_probe_says_how_a_process_ended(monkeypatch):
    assert probe("pass", "json").how == "ok"
    assert probe("import nothing_here", "nothing_here").how == "missing"
    assert probe("import nothing_here", "other").how == "error"
    assert probe("raise ValueError('so')", "json").text == "ValueError: so"
    monkeypatch.setattr(probing, "_PROBE_S", 0.5)
    assert probe("import time; time.sleep(60)", "json").how == "time"


def test_worst_finding_decides_the_exit_status():
    def status_of(*statuses: str) -> int:
        return exit_status([Finding(s, s, "") for s in statuses])

    assert [status_of(s) for s in STATUSES] == [0, 0, 1, 1]
    assert status_of() == 0 and status_of("ok", "problem", "note") == 1
    assert worst([Finding("a", "note", ""), Finding("b", "ok", "")]) == "note"


def test_findings_are_shown_with_their_fixes(monkeypatch, capsys):
    findings = [
        Finding("python", "ok", "It runs."),
        Finding("hnswlib", "problem", "It dies.", "pip install it"),
    ]
    monkeypatch.setattr(command, "examine", lambda folder: findings)
    assert cli.main(["doctor"]) == 1
    page = capsys.readouterr().out
    assert re.search(r"^problem +hnswlib +It dies\.\n +fix: pip install it$", page, flags=re.M)
    assert "1 thing to fix, 1 of them blocking." in page
    monkeypatch.setattr(command, "examine", lambda folder: findings[:1])
    assert cli.main(["doctor"]) == 0
    assert capsys.readouterr().out.endswith("All is well.\n")


@pytest.mark.parametrize(
    ("free", "status"), [(10**8, "problem"), (8 * 10**8, "warning"), (10**10, "ok"), (None, "note")]
)
def test_little_memory_and_disk_are_reported(monkeypatch, tmp_path, free, status):
    monkeypatch.setattr(parts, "available_memory", lambda: free)
    monkeypatch.setattr(parts, "total_memory", lambda: 16 * 10**9)
    finding = parts.check_memory()
    assert finding.status == status and bool(finding.fix) == (status in ("warning", "problem"))

    def usage(folder):
        if free is None:
            raise OSError
        return shutil._ntuple_diskusage(2 * free, free, free // 4)

    monkeypatch.setattr(shutil, "disk_usage", usage)
    assert parts.check_disk([tmp_path]).status == status


def test_limits_of_a_container_are_read(monkeypatch, tmp_path):
    assert memory.container_limit(tmp_path) is None and parts._cpu_quota(tmp_path) is None
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert memory.container_limit(tmp_path) is None and parts._cpu_quota(tmp_path) is None
    (tmp_path / "memory.max").write_text("2000000000\n")
    (tmp_path / "memory.current").write_text("1500000000\n")
    (tmp_path / "memory.stat").write_text("anon 900000000\ninactive_file 400000000\n")
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    assert memory.container_limit(tmp_path) == 2_000_000_000
    assert memory._container_free(tmp_path) == 900_000_000
    assert parts._cpu_quota(tmp_path) == 0.5
    monkeypatch.setattr(parts, "_cpu_quota", lambda: 0.5)
    assert parts.check_threads().status == "warning"
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    assert parts.check_threads().fix == "unset LOKY_MAX_CPU_COUNT"


def test_limits_of_an_old_container_are_read(tmp_path):
    (tmp_path / "memory").mkdir()
    (tmp_path / "cpu").mkdir()
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text("9223372036854771712\n")
    assert memory.container_limit(tmp_path) is None
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text("1000000000\n")
    (tmp_path / "memory" / "memory.usage_in_bytes").write_text("600000000\n")
    (tmp_path / "memory" / "memory.stat").write_text("total_inactive_file 100000000\n")
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("150000\n")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    assert memory._container_free(tmp_path) == 500_000_000
    assert parts._cpu_quota(tmp_path) == 1.5

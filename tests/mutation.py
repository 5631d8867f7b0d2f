"""Break the code, one small change at a time, and see whether the tests of that room notice.

``python tests/mutation.py robust`` tries every change that cosmic-ray knows for
``annlab/robust.py``; ``--sample 200 --seed 3`` as many of them, drawn at random, the same ones for
the same seed; ``--jobs 3`` three at a time. It works on copies, so the checkout stays as it is.
A change that no test notices is printed with its place: read it, and either write the test or say
why the change changes nothing.

Not tried, and not counted, is what is no change of the program: what Python refuses to compile, and
what differs in annotations, docstrings, ``@abstractmethod``, the words of messages or ``is`` for
``==`` of a text alone (`program`). Everything else counts, hints of speed included.

It is quick because each change is tried in a fork of a process that has imported NumPy, SciPy and
scikit-learn already, never the package; and because the tests that have noticed most so far run
first. So it needs a system that forks (Linux, macOS).
"""

from __future__ import annotations

import argparse
import ast
import atexit
import contextlib
import difflib
import importlib
import importlib.util
import json
import math
import os
import random
import resource
import shlex
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
#: One algorithm will do: the others go through the same lines of the loop.
LOOP = [
    "test_lloyd.py -k 'not (lsh or pq or ball_tree or faiss or graph or auto or small_k"
    " or kd_tree or less_than_half or memory or changes_no_bit or next_to_nothing)'",
    "test_checkpoint.py -k '(undisturbed and brute or random_states or callback or reseeded"
    " or chosen)'",
]
#: Room -> tests that must notice; the quick ones first.
ROOMS = {
    "fit/searches": ["test_searches.py"],
    "rows/tally": ["test_searches.py"],
    **{room: LOOP for room in ("fit/states", "fit/lloyd", "fit/answers", "fit/run")},
    "robust": ["test_robust.py", "test_checkpoint.py -k outliers"],
    "metrics/labels": ["test_metrics.py"],
    "metrics/partition": ["test_metrics.py"],
    "metrics/search": ["test_metrics.py"],
    "metrics/silhouette": ["test_metrics.py"],
}
#: What tests import and nobody breaks; imported once.
HEAVY = (
    "numpy", "scipy.sparse", "scipy.spatial", "scipy.stats", "sklearn.cluster",
    "sklearn.neighbors", "sklearn.metrics", "pandas", "joblib", "threadpoolctl", "hypothesis",
    "faiss", "pytest",
)  # fmt: skip
#: Functions whose text is for people to read.
MESSAGES = ("invalid", "warn", "info", "update", "close", "require")


@dataclass(frozen=True)
class Change:
    """One change of one file."""

    operator: str
    occurrence: int
    line: int
    source: str


@dataclass(frozen=True)
class Outcome:
    """What became of a change: the test that noticed it, ``""`` where it is not known which."""

    number: int
    noticed: bool
    by: str
    seconds: float


class _Program(ast.NodeTransformer):
    """Take out of a module what does nothing when it runs."""

    def visit(self, node: ast.AST) -> Any:
        self.generic_visit(node)
        if isinstance(node, ast.arg):
            node.annotation = None
        if isinstance(node, ast.FunctionDef):
            node.returns = None
            node.decorator_list = [
                x for x in node.decorator_list if ast.unparse(x) != "abstractmethod"
            ]
        if isinstance(node, ast.Compare) and any(
            isinstance(x, ast.Constant) and isinstance(x.value, str)
            for x in (node.left, *node.comparators)
        ):
            # equal short texts of source code are one object to CPython: "is" is "=="
            same = {ast.Is: ast.Eq, ast.IsNot: ast.NotEq}
            node.ops = [same.get(type(op), type(op))() for op in node.ops]
        if isinstance(node, ast.AnnAssign):
            # a field of a dataclass needs one, whatever it says
            node.annotation = ast.Constant(0)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            node.value = ast.Constant(0)
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if name.lstrip("_") in MESSAGES:
                node.args = [
                    ast.Constant("") if isinstance(x, ast.JoinedStr) else x for x in node.args
                ]
        return node


def program(source: str) -> str | None:
    """What a module does, without annotations and words; None where it is no Python."""
    try:
        with warnings.catch_warnings():
            # of comparisons by identity, which are among the changes
            warnings.simplefilter("ignore", SyntaxWarning)
            compile(source, "<change>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return None
    return ast.dump(_Program().visit(ast.parse(source)))


def changes(path: Path, sample: int | None, seed: int) -> Iterator[Change]:
    """Changes of a file that are worth a try, in an order that the seed decides."""
    from cosmic_ray.ast import ast_nodes, get_ast
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator, operator_names

    source = path.read_text()
    own, tree, places = program(source), get_ast(source), []
    for name in sorted(operator_names()):
        if get_operator(name).arguments():
            # these need names to be given
            continue
        operator = get_operator(name)()
        found = (x for node in ast_nodes(tree) for x in operator.mutation_positions(node))
        places += [(name, number, start[0]) for number, (start, _) in enumerate(found)]
    random.Random(seed).shuffle(places)
    left = len(places) if sample is None else sample
    for name, number, line in places:
        if not left:
            return
        changed = mutate_code(source, get_operator(name)(), number)
        if changed is not None and program(changed) not in (None, own):
            left -= 1
            yield Change(name.removeprefix("core/"), number, line, changed)


def copy_of_the_checkout(folder: Path) -> None:
    for name in ("annlab", "tests", "notebooks", "data", "binder"):
        shutil.copytree(
            ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "_output")
        )
    shutil.copy(ROOT / "pyproject.toml", folder)


class _Watch:
    """A plug-in of pytest: the tests in a given order; who fails, and how long each takes."""

    def __init__(self, kills: Counter[str], times: dict[str, float]) -> None:
        self.kills, self.times = kills, times
        self.spent: Counter[str] = Counter()
        self.failed = ""

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        items.sort(key=lambda x: (-self.kills[x.nodeid], self.times.get(x.nodeid, 0.0)))

    def pytest_runtest_logreport(self, report: Any) -> None:
        self.spent[report.nodeid] += report.duration
        if report.failed and not self.failed:
            self.failed = report.nodeid


def _run_tests(
    folder: Path, room: str, kills: Counter[str], times: dict[str, float]
) -> dict[str, Any]:
    """Run the tests of a room in this process, which is spent afterwards."""
    import pytest

    # loading those that tests of notebooks use takes longer than most rooms' tests
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    spent: Counter[str] = Counter()
    for tests in ROOMS[room]:
        watch = _Watch(kills, times)
        name, *more = shlex.split(tests)
        options = ["-x", "-q", "-p", "no:cacheprovider", f"--basetemp={folder / 'basetemp'}"]
        status = pytest.main([*options, f"tests/{name}", *more], plugins=[watch])
        spent.update(watch.spent)
        if status:
            return {"noticed": True, "by": watch.failed}
    return {"noticed": False, "by": "", "times": spent}


def in_a_fork(
    folder: Path, room: str, kills: Counter[str], times: dict[str, float], timeout: float
) -> dict[str, Any]:
    """Run the tests of a room on the copy in ``folder``, in a process of its own.

    It may use ``timeout`` seconds of processor time, which other work on the machine does not
    shorten, and three times as many by the clock, for changes that wait for ever.
    """
    answer = folder / "answer.json"
    answer.unlink(missing_ok=True)
    begin = time.monotonic()
    child = os.fork()
    if child == 0:
        os.setsid()
        atexit._clear()
        # the signal that comes then ends a process in the middle of compiled code as well
        resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(timeout), resource.RLIM_INFINITY))
        log = os.open(folder / "log.txt", os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
        os.dup2(log, 1)
        os.dup2(log, 2)
        try:
            answer.write_text(json.dumps(_run_tests(folder, room, kills, times)))
            # pools of processes are closed there
            atexit._run_exitfuncs()
        finally:
            os._exit(0)
    endless = {"noticed": True, "by": "(it never came to an end)", "cpu_s": timeout}
    while True:
        ended, status, usage = os.wait4(child, os.WNOHANG)
        if ended:
            break
        if time.monotonic() - begin > 3 * timeout:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return endless
        time.sleep(0.02)
    with contextlib.suppress(ProcessLookupError):
        # whatever the tests have left behind
        os.killpg(child, signal.SIGKILL)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU:
        return endless
    # no answer: the process died, or could not even import the tests
    found = json.loads(answer.read_text()) if answer.exists() else {"noticed": True, "by": ""}
    return found | {"cpu_s": usage.ru_utime + usage.ru_stime}


def _enter(folder: Path) -> None:
    """Make a copy the place where this process works."""
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    os.environ["PYTHONPATH"] = os.environ["TMPDIR"] = str(folder)
    tempfile.tempdir = str(folder)


def _as_it_is(folder: Path, room: str, timeout: float) -> dict[str, Any]:
    """Run the tests before anything is broken; the compiled modules stay in the copy."""
    place, path = os.getcwd(), list(sys.path)
    names = {name: os.environ.get(name) for name in ("PYTHONPATH", "TMPDIR")}
    _enter(folder)
    try:
        return in_a_fork(folder, room, Counter(), {}, timeout)
    finally:
        os.chdir(place)
        sys.path[:], tempfile.tempdir = path, None
        for name, value in names.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def _work(
    folder: Path, room: str, todo: list[Change], queue: int, times: dict[str, float], timeout: float
) -> None:
    """Try the changes whose numbers come out of a pipe, until it is empty."""
    _enter(folder)
    # a file that changes within one second and keeps its length would be taken from there
    sys.dont_write_bytecode = True
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    kills: Counter[str] = Counter()
    with (folder / "outcomes.jsonl").open("w") as out:
        while number := os.read(queue, 4):
            index = int.from_bytes(number, "little")
            change = todo[index]
            (folder / f"annlab/{room}.py").write_text(change.source)
            begin = time.monotonic()
            found = in_a_fork(folder, room, kills, times, timeout)
            kills[found["by"]] += 1
            seconds = round(time.monotonic() - begin, 1)
            outcome = Outcome(index, found["noticed"], found["by"], seconds)
            out.write(json.dumps(asdict(outcome)) + "\n")
            out.flush()


def try_changes(
    room: str, todo: list[Change], jobs: int = 1, timeout: float | None = None
) -> list[Outcome]:
    """Try changes of one room on ``jobs`` copies, each on another part of them.

    Raises
    ------
    RuntimeError
        Where tests fail before anything is broken, which would count as noticed.
    """
    # changed code is slow enough without threads that wait for each other
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    for name in HEAVY:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    assert not [x for x in sys.modules if x.startswith("annlab")], "it is to be imported anew"
    with tempfile.TemporaryDirectory() as name:
        first = Path(name) / "0"
        first.mkdir()
        copy_of_the_checkout(first)
        found = _as_it_is(first, room, timeout or 1800.0)
        if found["noticed"]:
            raise RuntimeError(f"{room}: fails as it is: {found['by']}\n{_log(first)}")
        timeout = timeout or 20 + 6 * found["cpu_s"]
        source = first / "annlab" / f"{room}.py"
        for file in source.parent.glob(f"__pycache__/{source.stem}.*"):
            file.unlink()
        times = found["times"]
        folders = [first, *(Path(name) / str(i) for i in range(1, jobs))]
        for folder in folders[1:]:
            shutil.copytree(first, folder, ignore=shutil.ignore_patterns("basetemp"))
        # numbers of four bytes: a read takes one of them or none
        reading, writing = os.pipe()
        workers = []
        for folder in folders:
            worker = os.fork()
            if worker == 0:
                try:
                    os.close(writing)
                    _work(folder, room, todo, reading, times, timeout)
                finally:
                    os._exit(0)
            workers.append(worker)
        os.close(reading)
        for number in range(len(todo)):
            os.write(writing, number.to_bytes(4, "little"))
        os.close(writing)
        for worker in workers:
            os.waitpid(worker, 0)
        lines = [
            line for folder in folders for line in (folder / "outcomes.jsonl").open().readlines()
        ]
    return sorted((Outcome(**json.loads(line)) for line in lines), key=lambda x: x.number)


def _log(folder: Path) -> str:
    return (folder / "log.txt").read_text(errors="replace")[-4000:]


def run(
    room: str,
    sample: int | None = None,
    seed: int = 0,
    timeout: float | None = None,
    jobs: int = 1,
) -> int:
    """Try the changes of one room, print the figures and the survivors; 0 if 85 % were noticed."""
    if importlib.util.find_spec("cosmic_ray") is None:
        print("cosmic-ray is not installed: pip install cosmic-ray", file=sys.stderr)
        return 2
    path = ROOT / "annlab" / f"{room}.py"
    begin = time.monotonic()
    todo = list(changes(path, sample, seed))
    print(f"{room}: {len(todo)} changes", flush=True)
    outcomes = try_changes(room, todo, jobs, timeout)
    source = path.read_text().splitlines()
    for outcome in outcomes:
        if not outcome.noticed:
            change = todo[outcome.number]
            print(f"\nsurvived: annlab/{room}.py:{change.line} {change.operator}")
            for line in difflib.unified_diff(source, change.source.splitlines(), n=0, lineterm=""):
                if line[:1] in "+-" and line[:3] not in ("+++", "---"):
                    print(line)
    noticed, tried = sum(x.noticed for x in outcomes), len(outcomes)
    print("\nnoticed first by:")
    for test, count in Counter(x.by for x in outcomes if x.noticed).most_common(8):
        print(f"  {count:4d}  {test or '(an error before any test)'}")
    print(
        f"{room}: {noticed} of {tried} changes noticed ({100 * noticed / max(1, tried):.1f} %), "
        f"seed {seed}, {time.monotonic() - begin:.0f} s",
        flush=True,
    )
    return int(tried < len(todo) or noticed < 0.85 * tried)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rooms", nargs="*", default=list(ROOMS), help=", ".join(ROOMS))
    parser.add_argument("--sample", type=int, help="so many changes, drawn at random")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1, help="so many at a time")
    options = parser.parse_args()
    return max(run(room, options.sample, options.seed, jobs=options.jobs) for room in options.rooms)


if __name__ == "__main__":
    sys.exit(main())

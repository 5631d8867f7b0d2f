"""Inject faults into fits, and count the survived ones.

``python tests/faults.py`` injects all of them (some minutes) and prints the table; ``--write`` puts
it into tests/README.md. tests/test_faults.py injects a few of each. The exit status says whether
all were survived.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
TABLE = HERE / "README.md"
MARKS = ("<!-- faults: begin -->", "<!-- faults: end -->")

#: Fits that are interrupted, killed and starved, each of them some dozens of iterations long.
FITS: dict[str, dict[str, Any]] = {
    "brute": {"function": "kmeans", "k": 50},
    "small_k": {"function": "kmeans_ann", "k": 50, "algorithm": "small_k", "n_init": 2},
    "graph": {"function": "kmeans_ann", "k": 800, "algorithm": "graph"},
    "hnsw": {"function": "kmeans_ann", "k": 200, "algorithm": "hnsw"},
    "lsh": {"function": "kmeans_ann", "k": 200, "algorithm": "lsh"},
    "kd_tree": {"function": "kmeans_ann", "k": 100, "algorithm": "kd_tree", "metric": "cosine"},
    "robust": {"function": "robust_kmeans_ann", "k": 50, "algorithm": "brute"},
    "random starts": {"function": "kmeans", "k": 50, "init": "random", "n_init": 3},
}


@dataclass
class Row:
    """One line of the table."""

    fault: str
    injected: int = 0
    survived: int = 0
    means: str = ""
    failures: list[str] = field(default_factory=list)

    def count(self, failure: str | None) -> None:
        """Record one injected fault, and how it failed if it did."""
        self.injected += 1
        self.survived += failure is None
        if failure is not None:
            self.failures.append(failure)


def data(n: int = 20_000, d: int = 8) -> np.ndarray:
    """Points without clusters: a fit of them takes many iterations."""
    return np.random.RandomState(0).rand(n, d).astype(np.float32)


def fit(name: str, **more: Any) -> Any:
    """One of `FITS`, always with the same seed."""
    import annlab

    options = {"max_iter": 30, "tol": 0.0, "random_state": 7, **FITS[name], **more}
    X = options.pop("X", None)
    function, k = getattr(annlab, options.pop("function")), options.pop("k")
    return function(data() if X is None else X, k, **options)


def difference(one: Any, other: Any) -> str | None:
    """Return where two results differ (except times), or None."""
    for name in ("labels", "centroids", "outlier_mask"):
        if not np.array_equal(getattr(one, name), getattr(other, name)):
            return name
    for name in ("inertia", "n_iter", "stop_reason", "n_distances", "recall_estimate"):
        if getattr(one, name) != getattr(other, name):
            return f"{name}: {getattr(one, name)} and {getattr(other, name)}"
    for a, b in zip(one.trace, other.trace, strict=True):
        for name in ("iteration", "kind", "inertia", "n_moved", "n_empty", "shift_sq"):
            if getattr(a, name) != getattr(b, name):
                return f"{name} of step {a.iteration}"
    return None


def inconsistency(result: Any, X: np.ndarray, metric: str = "euclidean") -> str | None:
    """Return what is wrong with the result of an interrupted fit, or None."""
    n, k = len(X), len(result.centroids)
    if result.labels.shape != (n,) or not np.isfinite(result.centroids).all():
        return "labels or centroids"
    kept = result.labels >= 0
    if not kept.all() and not np.array_equal(~kept, result.outlier_mask):
        return "outliers"
    rows, centres = X.astype(float), result.centroids.astype(float)
    if metric == "cosine":
        rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        centres = centres / np.linalg.norm(centres, axis=1, keepdims=True)
    own = ((rows - centres[result.labels]) ** 2).sum(axis=1)[kept].sum()
    if not np.isclose(own, result.inertia, rtol=1e-5):
        return f"inertia {result.inertia} and not {own}"
    if result.recall_estimate == 1.0:
        norms = (rows**2).sum(axis=1)[:, None] + (centres**2).sum(axis=1)
        least = (norms - 2 * rows @ centres.T).min(axis=1)
        got = ((rows - centres[result.labels]) ** 2).sum(axis=1)
        if not (got[kept] <= least[kept] * (1 + 1e-4) + 1e-6).all():
            return "labels that are not the nearest"
    if result.n_iter != len(result.trace) or result.n_iter < 1 or k < 1:
        return "trace"
    return None


# -- killed ------------------------------------------------------------------------------------


def child(task: str, *arguments: str) -> subprocess.Popen[str]:
    """Run this file in another process, as ``child <task> <arguments>``."""
    environment = {**os.environ, "OMP_NUM_THREADS": "2", "PYTHONWARNINGS": "default"}
    return subprocess.Popen(
        [sys.executable, str(HERE / "faults.py"), "child", task, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )


def killed(moments: int, folder: Path, seed: int = 0, names: Any = ("graph", "brute")) -> Row:
    """SIGKILL at random moments of fits with a checkpoint; each is then started again.

    Survived: the file on disk is whole, the next start resumes it, and the last result has the
    bits of an uninterrupted fit.
    """
    from annlab.fit.checkpoint import Checkpoint
    from annlab.result import KMeansResult, read_npz

    row = Row("the process is killed (SIGKILL) during a fit with a checkpoint")
    rng = np.random.RandomState(seed)
    left, resumed = moments, 0
    for number, name in enumerate(names):
        here = left // (len(names) - number)
        left -= here
        path, out = folder / f"{name}.npz", folder / f"{name} result.npz"
        begun, pending = False, 0
        while True:
            process = child("fit", name, str(path), str(out))
            assert process.stdout is not None
            word = process.stdout.readline().strip()
            if word != "begin":
                process.wait()
                row.count(f"{name}: the start after a kill failed ({word})")
                break
            if here > pending:
                time.sleep(rng.uniform(0.0, 0.5))
                process.kill()
            process.wait()
            if process.returncode == 0:
                other = folder / f"{name} whole.npz"
                child("fit", name, "", str(other)).communicate()
                failure = difference(KMeansResult.load(other), KMeansResult.load(out))
                for _ in range(max(pending, 1) if begun else 0):
                    row.count(failure and f"{name}: {failure}")
                here -= pending
                pending = 0
                if here <= 0:
                    break
                begun = False
                continue
            begun, pending = True, pending + 1
            if path.exists():
                resumed += 1
                # a partly written file would be refused here
                read_npz(path, max_bytes=1 << 30)
        Checkpoint(path).remove()
        if any(folder.glob(f".{path.name}.*")):
            row.failures.append("files were left beside the checkpoint")
            row.survived = 0
    row.means = f"{resumed} times the next start found a checkpoint; equal bits at the end"
    return row


def child_fit(name: str, path: str, out: str) -> None:
    """Fit with a checkpoint, slowly enough to be killed, and save the result."""
    X = data()
    # what is imported on first use is loaded before the clock of the parent starts
    fit(name, X=X[:2000], max_iter=1)
    print("begin", flush=True)
    pause = (lambda step: time.sleep(0.02)) if path else None
    fit(name, X=X, checkpoint=path or None, callback=pause).save(out)


# -- Ctrl-C ------------------------------------------------------------------------------------


def interrupted(moments: int, folder: Path, seed: int = 0) -> Row:
    """SIGINT at random moments, half of them followed by a second one.

    Survived: the fit ends within 2 s with a consistent result, or with KeyboardInterrupt before
    the first iteration; and its checkpoint resumes to the bits of a whole fit.
    """
    row = Row("Ctrl-C (SIGINT) at a random moment, every second time pressed twice")
    process = child("interrupt", str(moments), str(folder), str(seed))
    out, _ = process.communicate(timeout=300 + 60 * moments)
    if process.returncode != 0:
        row.count(f"the process ended with status {process.returncode}: {out[-300:]}")
        return row
    answers = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    for answer in answers:
        row.count(answer["failure"])
    if len(answers) != moments:
        row.count(f"{len(answers)} answers to {moments} interruptions")
    waits = sorted(answer["wait_s"] for answer in answers)
    kinds = [answer["kind"] for answer in answers]
    row.means = (
        f"{kinds.count('interrupted')} results so far, {kinds.count('raised')} before the first "
        f"iteration, {kinds.count('whole')} fits that were just through; "
        f"{1e3 * float(np.median(waits)):.0f} ms to the end in the median, "
        f"{1e3 * waits[-1]:.0f} ms at most"
    )
    return row


def leftover_threads(n_jobs: int) -> list[str]:
    """Return the threads that no fit needs: all but one waiting pool."""
    frames = sys._current_frames()
    waiting, left = 0, []
    for thread in threading.enumerate():
        frame = frames.get(thread.ident or 0)
        if thread is threading.main_thread() or frame is None:
            continue
        if thread.name.startswith("annlab") and frame.f_code.co_name == "_worker":
            waiting += 1
        else:
            left.append(f"{thread.name} in {frame.f_code.co_name}")
    return left if waiting <= n_jobs else [*left, f"{waiting} that wait"]


def child_interrupt(moments: str, folder: str, seed: str) -> None:
    """Interrupt this process repeatedly while it fits."""
    from annlab._support.threads import resolve_n_jobs

    rng = np.random.RandomState(int(seed))
    X = data()
    names, length, whole = list(FITS), {}, {}
    for name in names[: int(moments)]:
        # imports on first use are not part of a fit
        fit(name, X=X[:2000], max_iter=1)
    for number in range(int(moments)):
        name = names[number % len(names)]
        options: dict[str, Any] = {"X": X, "max_iter": 12, "n_jobs": 1 + number // len(names) % 3}
        if name not in length:
            begin = time.perf_counter()
            whole[name] = fit(name, **options)
            length[name] = time.perf_counter() - begin
        path = Path(folder) / f"{name} {number}.npz"
        twice = number % 2 == 1
        pressed: list[float] = []

        def press(twice: bool = twice, pressed: list[float] = pressed) -> None:
            pressed.append(time.perf_counter())
            os.kill(os.getpid(), signal.SIGINT)
            if twice:
                time.sleep(0.01)
                os.kill(os.getpid(), signal.SIGINT)

        timer = threading.Timer(rng.uniform(0.0, 1.1 * length[name]), press)
        kind, failure, ended = "whole", None, 0.0
        try:
            # the signal may arrive before the fit begins or after it ends
            try:
                timer.start()
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    result = fit(name, checkpoint=path, **options)
                # later signals do not interrupt the fit
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                ended = time.perf_counter()
                if result.stop_reason == "interrupted":
                    kind = "interrupted"
                    failure = inconsistency(result, X, FITS[name].get("metric", "euclidean"))
                else:
                    failure = difference(result, whole[name])
            except KeyboardInterrupt:
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                ended = time.perf_counter()
                kind = "raised"
                if path.exists():
                    failure = "the result of finished iterations was lost"
        except KeyboardInterrupt:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        timer.cancel()
        timer.join()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        wait = max(0.0, ended - pressed[0]) if pressed else 0.0
        if failure is None and path.exists():
            failure = difference(fit(name, checkpoint=path, **options), whole[name])
            failure = failure and f"going on: {failure}"
        if failure is None and wait > 2.0:
            failure = f"{wait:.1f} s to the end"
        # the current chunks end by themselves
        patience, most = time.perf_counter() + 2.0, max(3, resolve_n_jobs(None))
        while leftover_threads(most) and time.perf_counter() < patience:
            time.sleep(0.01)
        if failure is None and leftover_threads(most):
            failure = f"threads were left: {leftover_threads(most)}"
        line = {"kind": kind, "failure": failure and f"{name}: {failure}", "wait_s": wait}
        print(json.dumps(line), flush=True)


# -- disk full ---------------------------------------------------------------------------------


def disk_full(times: int, folder: Path) -> Row:
    """Limit the size of files, from some iteration on.

    Survived: the fit warns and returns its result, and the older checkpoint is unchanged.
    """
    row = Row("the disk is full when a checkpoint or a result is written")
    process = child("disk", str(times), str(folder))
    out, _ = process.communicate(timeout=300 + 60 * times)
    for line in out.splitlines():
        if line.startswith("{"):
            row.count(json.loads(line)["failure"])
    if process.returncode != 0 or row.injected != 2 * times:
        row.count(f"status {process.returncode}: {out[-300:]}")
    row.means = "a warning, the whole result, and the older file unchanged"
    return row


def child_disk(times: str, folder: str) -> None:
    """Limit the size of files in this process during fits."""
    import resource

    from annlab._support.errors import AnnlabWarning

    path = Path(folder) / "disk.npz"
    X, plain = data(5_000), {}
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    rng = np.random.RandomState(0)
    for number in range(int(times)):
        name = list(FITS)[number % len(FITS)]
        if name not in plain:
            plain[name] = fit(name, X=X)
        at, limit, older = int(rng.randint(1, 8)), int(rng.randint(0, 15_000)), []

        def callback(step: Any, at: int = at, limit: int = limit, older: list = older) -> None:
            if step.iteration == at and not older:
                older.append(path.read_bytes())
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))

        failure, result = None, None
        try:
            with warnings.catch_warnings(record=True) as seen:
                warnings.simplefilter("always")
                result = fit(name, X=X, checkpoint=path, callback=callback, max_iter=at + 4)
            texts = [str(w.message) for w in seen if issubclass(w.category, AnnlabWarning)]
            if sum("could not be written" in text for text in texts) != 1:
                failure = f"warnings: {texts}"
            elif path.exists():
                failure = "the checkpoint of a fit that is through was left"
            whole = fit(name, X=X, max_iter=at + 4)
            failure = failure or difference(whole, result)
        except Exception as error:
            failure = f"{type(error).__name__}: {error}"
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        print(json.dumps({"failure": failure and f"{name}: {failure}"}), flush=True)

        # an older file must be as it was: of a fit that ends with the disk still full
        failure, older = None, []

        def stop(step: Any, at: int = at, limit: int = limit, older: list = older) -> bool:
            callback(step, at, limit, older)
            return step.iteration == at + 2

        saved = Path(folder) / "result.npz"
        result.save(saved) if result is not None else None
        before = saved.read_bytes()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                stopped = fit(name, X=X, checkpoint=path, callback=stop)
            try:
                stopped.save(saved)
                failure = "a full disk took a result"
            except OSError:
                failure = None if saved.read_bytes() == before else "the older result is damaged"
            if stopped.stop_reason == "callback" and path.read_bytes() != older[0]:
                failure = failure or "the older checkpoint is damaged"
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        if failure is None and path.exists():
            failure = difference(fit(name, X=X, checkpoint=path), plain[name])
        if [p.name for p in Path(folder).iterdir() if p.name.startswith(".")]:
            failure = failure or "temporary files were left"
        print(json.dumps({"failure": failure and f"{name}: {failure}"}), flush=True)


# -- damaged files -----------------------------------------------------------------------------


#: A fit whose files are small enough for damage at every place.
_X = np.arange(24.0).reshape(12, 2)
TINY: dict[str, Any] = {"k": 2, "X": _X, "trace": True, "init": _X[:2], "n_init": 1}


def some_files(folder: Path) -> tuple[Any, Path, Path]:
    """A result, its file, and a checkpoint of the same fit."""
    path = folder / "checkpoint.npz"
    fit("small_k", **TINY, checkpoint=path, callback=lambda step: step.iteration == 2)
    result = fit("small_k", **TINY)
    return result, result.save(folder / "result"), path


def reads(result: Any, data: bytes, path: Path, is_result: bool) -> str | None:
    """Load a damaged file; return None if it is refused or unharmed, else the fault."""
    from annlab.result import KMeansResult

    path.write_bytes(data)
    try:
        again = KMeansResult.load(path) if is_result else fit("small_k", **TINY, checkpoint=path)
    except ValueError as error:
        named = str(error).startswith(("path must be ", "checkpoint must be "))
        return None if named else f"{type(error).__name__}: {error}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return difference(result, again)


def damaged(step: int, folder: Path) -> Iterator[Row]:
    """Truncate files, and flip bits in them, at regular positions."""
    result, saved, checkpoint = some_files(folder)
    contents = {True: saved.read_bytes(), False: checkpoint.read_bytes()}
    cut, flipped = Row("a result or checkpoint is cut short"), Row("one bit of it is flipped")
    for is_result, content in contents.items():
        path = folder / "damaged.npz"
        for place in range(0, len(content), step):
            cut.count(reads(result, content[:place], path, is_result))
        for place in range(0, len(content), max(1, step // 2)):
            broken = bytearray(content)
            broken[place] ^= 1 << (place % 8)
            flipped.count(reads(result, bytes(broken), path, is_result))
    cut.means = flipped.means = "refused by a ValueError that names the file, or read unharmed"
    yield cut
    yield flipped


# -- the table ---------------------------------------------------------------------------------


def all_rows(folder: Path) -> Iterator[Row]:
    """Return all rows of the table."""
    rooms = [folder / name for name in ("killed", "interrupted", "disk", "damaged")]
    for room in rooms:
        room.mkdir()
    yield killed(20, rooms[0], names=("graph", "small_k", "brute", "hnsw", "robust"))
    yield interrupted(64, rooms[1])
    yield disk_full(16, rooms[2])
    yield from damaged(7, rooms[3])


def table(rows: list[Row]) -> str:
    """Return the rows as Markdown."""
    lines = ["| fault | injected | survived | what that means |", "|---|---:|---:|---|"]
    for row in rows:
        share = 100 * row.survived / max(1, row.injected)
        lines.append(
            f"| {row.fault} | {row.injected:,} | {row.survived:,} ({share:.0f} %) | {row.means} |"
        )
    return "\n".join(lines)


def main() -> int:
    if sys.argv[1:2] == ["child"]:
        tasks: dict[str, Callable[..., None]] = {
            "fit": child_fit,
            "interrupt": child_interrupt,
            "disk": child_disk,
        }
        tasks[sys.argv[2]](*sys.argv[3:])
        return 0
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="put the table into tests/README.md")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for row in all_rows(Path(folder)):
            rows.append(row)
            print(f"{row.survived} of {row.injected}: {row.fault} ({row.means})", flush=True)
            for failure in row.failures[:5]:
                print(f"    FAILED {failure}", flush=True)
    print(table(rows))
    if options.write:
        text = TABLE.read_text(encoding="utf-8")
        begin, end = text.index(MARKS[0]) + len(MARKS[0]), text.index(MARKS[1])
        whole = f"{text[:begin]}\n\n{table(rows)}\n\n{text[end:]}"
        TABLE.write_text(whole, encoding="utf-8")
    return int(any(row.failures for row in rows))


if __name__ == "__main__":
    sys.exit(main())

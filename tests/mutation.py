"""Break the code, one small change at a time, and see whether the tests of that room notice.

``python tests/mutation.py robust`` tries every change of ``annlab/robust.py`` (hours for the large
rooms); ``--sample 40`` a random sample of them. It works on a copy, so the checkout stays as it
is. Needs cosmic-ray. A change that no test notices is printed with its place: read it, and either
write the test or say why the change changes nothing.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
#: Room -> tests that must notice; the quick ones first.
ROOMS = {
    "assignment": ["test_assignment.py", "test_lloyd.py"],
    "lloyd": ["test_lloyd.py", "test_checkpoint.py", "test_faults.py"],
    "robust": ["test_robust.py", "test_checkpoint.py -k outliers"],
    "metrics": ["test_metrics.py"],
}
CONFIG = """\
[cosmic-ray]
module-path = "annlab/{room}.py"
timeout = {timeout}
excluded-modules = []
test-command = "{command}"

[cosmic-ray.distributor]
name = "local"
"""
#: Changes of text that is read by people and of types that nobody runs.
SKIPPED = ("core/ReplaceBinaryOperator_BitOr_", "core/RemoveDecorator")


def copy_of_the_checkout(folder: Path) -> None:
    for name in ("annlab", "tests", "notebooks", "data", "binder"):
        shutil.copytree(
            ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "_output")
        )
    shutil.copy(ROOT / "pyproject.toml", folder)


def choose(session: Path, sample: int | None, seed: int) -> int:
    """Leave in the session what is to be tried; return how many changes that are."""
    with sqlite3.connect(session) as base:
        rows = base.execute("select job_id, operator_name from mutation_specs").fetchall()
        jobs = sorted(job for job, operator in rows if not operator.startswith(SKIPPED))
        if sample is not None and sample < len(jobs):
            jobs = random.Random(seed).sample(jobs, sample)
        kept = set(jobs)
        for job, _ in rows:
            if job not in kept:
                base.execute("delete from mutation_specs where job_id = ?", (job,))
                base.execute("delete from work_items where job_id = ?", (job,))
    return len(kept)


def run(room: str, sample: int | None = None, seed: int = 0, timeout: float = 300.0) -> int:
    """Try the changes of one room, print the figures and the survivors; 0 if 85 % were noticed."""
    program = Path(sys.executable).with_name("cosmic-ray")
    if not program.exists():
        print("cosmic-ray is not installed: pip install cosmic-ray", file=sys.stderr)
        return 2
    python = sys.executable
    command = " && ".join(
        f"{python} -m pytest -x -q -p no:cacheprovider tests/{tests}" for tests in ROOMS[room]
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy_of_the_checkout(folder)
        config, session = folder / "mutation.toml", folder / "session.sqlite"
        shell = f"sh -c '{command}'"
        config.write_text(CONFIG.format(room=room, timeout=timeout, command=shell))
        subprocess.run([program, "init", config, session], check=True, cwd=folder)
        # what fails before anything is broken would count as noticed
        subprocess.run([program, "baseline", config], check=True, cwd=folder)
        chosen = choose(session, sample, seed)
        print(f"{room}: {chosen} changes", flush=True)
        subprocess.run([program, "exec", config, session], check=True, cwd=folder)
        dump = subprocess.run(
            [program, "dump", session], check=True, cwd=folder, capture_output=True, text=True
        ).stdout
    noticed, survivors = 0, []
    for line in dump.splitlines():
        item, result = json.loads(line)
        outcome = (result or {}).get("test_outcome")
        if outcome in ("killed", "incompetent"):
            noticed += 1
        elif outcome == "survived":
            survivors.append((item["mutations"][0], (result or {}).get("diff", "")))
    tried = noticed + len(survivors)
    for mutation, diff in survivors:
        line = mutation["start_pos"][0]
        print(f"\nsurvived: annlab/{room}.py:{line} {mutation['operator_name']}")
        print(
            "\n".join(x for x in diff.splitlines() if x[:1] in "+-" and x[:3] not in ("+++", "---"))
        )
    print(f"{room}: {noticed} of {tried} changes noticed ({100 * noticed / max(1, tried):.0f} %)")
    return int(noticed < 0.85 * tried)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rooms", nargs="*", default=list(ROOMS), help=", ".join(ROOMS))
    parser.add_argument("--sample", type=int, help="so many changes, drawn at random")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    return max(run(room, options.sample, options.seed) for room in options.rooms)


if __name__ == "__main__":
    sys.exit(main())

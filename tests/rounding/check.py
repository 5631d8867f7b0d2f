"""Run fits and notebooks under other roundings, for `make full-rounding`.

    python tests/rounding/check.py [command that checks the notebooks]

Runs every case of tests/behaviour.py, and the notebooks with the given command, once for each
setting, and prints how many stayed unchanged: 5 seeds of `sitecustomize`, and what one machine can
vary of BLAS, NumPy, compiled loops and threads. A core type that this processor cannot run is left
out.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SEEDS = 5
#: settings of the environment, one run each
VARIED = [
    *({"OPENBLAS_CORETYPE": core} for core in ("Nehalem", "Haswell", "Zen", "SkylakeX")),
    {"NPY_DISABLE_CPU_FEATURES": "X86_V3"},
    {"NPY_DISABLE_CPU_FEATURES": "X86_V4"},
    {"ANNLAB_LOOPS": "numpy"},
    {"ANNLAB_LOOPS": "any"},
    {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "LOKY_MAX_CPU_COUNT": "1"},
    {"OMP_NUM_THREADS": "7", "OPENBLAS_NUM_THREADS": "7", "LOKY_MAX_CPU_COUNT": "7"},
    {
        "OPENBLAS_CORETYPE": "Nehalem",
        "NPY_DISABLE_CPU_FEATURES": "X86_V3",
        "ANNLAB_LOOPS": "any",
    },
]


def settings() -> list[dict[str, str]]:
    """Return the environments to run in, the rounding seeds first."""
    path = os.pathsep.join([str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])])
    seeds = [{"ANNLAB_ROUNDING": str(seed), "PYTHONPATH": path} for seed in range(1, SEEDS + 1)]
    return seeds + VARIED


def name_of(setting: dict[str, str]) -> str:
    return " ".join(f"{name}={value}" for name, value in setting.items() if name != "PYTHONPATH")


def run(command: list[str], setting: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | setting,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def works(setting: dict[str, str]) -> bool:
    """Tell whether this processor runs a product under the setting."""
    product = "import numpy; a = numpy.ones((99, 99), 'f'); a @ a"
    return run([sys.executable, "-c", product], setting).returncode == 0


def unchanged(text: str) -> str:
    """Return the count at the end of the output of behaviour.py or pytest."""
    fits = re.findall(r"(\d+) of (\d+) cases unchanged", text)
    if fits:
        return f"{fits[-1][0]} of {fits[-1][1]} fits"
    last = text.strip().splitlines()[-1] if text.strip() else "nothing"
    counts = {word: int(n) for n, word in re.findall(r"(\d+) (passed|failed|error)", last)}
    return f"{counts.get('passed', 0)} of {sum(counts.values())} cells" if counts else last


def main() -> int:
    notebooks = sys.argv[1:]
    commands = [[sys.executable, "tests/behaviour.py"], *([notebooks] if notebooks else [])]
    failed = 0
    for setting in settings():
        if not works(setting):
            print(f"{name_of(setting)}: does not run on this processor", flush=True)
            continue
        counts = []
        for command in commands:
            answer = run(command, setting)
            counts.append(unchanged(answer.stdout))
            if answer.returncode:
                failed = 1
                print(answer.stdout, flush=True)
        print(f"{name_of(setting)}: {', '.join(counts)} unchanged", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())

"""Grade one submission: ``python -m annlab.classroom._worker ORDER``, started by `_course`."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

from annlab._support.files import atomic_write
from annlab.classroom._course import grade_submission

if __name__ == "__main__":
    order = json.loads(sys.argv[1])
    # written at once and whole: what is not there when the time is over does not count
    report = json.dumps(asdict(grade_submission(order)))
    with atomic_write(order["result"], text=True) as file:
        file.write(report)

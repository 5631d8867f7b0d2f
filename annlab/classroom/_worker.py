"""Grade one submission: ``python -m annlab.classroom._worker ORDER``, started by `_course`."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

from annlab.classroom._course import grade_submission

if __name__ == "__main__":
    order = json.loads(sys.argv[1])
    # written at once and whole: what is not there when the time is over does not count
    result = Path(order["result"])
    part = result.with_suffix(".part")
    part.write_text(json.dumps(asdict(grade_submission(order))), encoding="utf-8")
    part.replace(result)

"""Keep nbval away: these notebooks are for nbgrader, and tests/classroom runs them."""

collect_ignore_glob = ["*"]

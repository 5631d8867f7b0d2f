"""``python -m annlab``: the ``annlab`` command of this very interpreter."""

import sys

from annlab.cli import main

sys.exit(main())

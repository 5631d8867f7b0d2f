"""``python -m annlab``: the ``annlab`` command of this very interpreter."""

import sys

from annlab._cli.main import main

sys.exit(main())

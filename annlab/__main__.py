"""Run the ``annlab`` command with this interpreter: ``python -m annlab``."""

import sys

from annlab._cli.main import main

sys.exit(main())

"""Alias of ``annlab._authoring.badges``, for ``python -m annlab._badges``."""

import sys

from annlab._authoring.badges import main

if __name__ == "__main__":
    sys.exit(main())

"""``python -m annlab._badges``: see ``annlab._authoring.badges``, where it lives."""

import sys

from annlab._authoring.badges import main

if __name__ == "__main__":
    sys.exit(main())

"""The ``annlab`` command, by the name under which it is public; it lives in ``annlab._cli``."""

from annlab._cli.main import COMMANDS as COMMANDS
from annlab._cli.main import main as main

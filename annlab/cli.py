"""Public name of the ``annlab`` command, which is in ``annlab._cli``."""

from annlab._cli.main import COMMANDS as COMMANDS
from annlab._cli.main import main as main

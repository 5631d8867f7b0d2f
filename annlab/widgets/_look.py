"""Old path of `annlab.widgets.base.look`."""

from annlab.widgets.base.look import *  # noqa: F403

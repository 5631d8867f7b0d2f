"""``annlab doctor``: what is wrong with this installation, and the exact command that mends it.

Nothing is taken for granted here: packages are imported in processes of their own, because one
that was built for another processor kills the process that imports it, and only the standard
library is needed to look.
"""

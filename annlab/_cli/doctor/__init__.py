"""``annlab doctor``: check this installation, and print fixes for problems.

Packages are imported in separate processes, because one that was built for another processor kills
the process that imports it. The checks themselves need only the standard library.
"""

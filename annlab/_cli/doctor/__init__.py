"""``annlab doctor``: check this installation, and give the command that fixes each problem.

Packages are imported in separate processes, because one that was built for another processor kills
the process that imports it. The checks themselves need only the standard library.
"""

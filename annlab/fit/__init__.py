"""The engine. Read its modules in this order.

`states` is the loop and `lloyd` one step of it; `searches` finds the centroid of each point, and
`sparse` that of each sparse row. `small_k` and `graph` are algorithms with a start of their own,
and `choose` picks one. `run` is everything around the states, `checkpoint` their file, and
`answers` needs no fit.
"""

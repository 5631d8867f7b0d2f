"""The engine, to be read in this order.

`states` is the loop and `lloyd` one step of it; `searches` says how points find their centroids.
`small_k` and `graph` are the algorithms with a start of their own, `choose` picks one. `run` is all
that happens around the states, `checkpoint` their file, `answers` what is asked without a fit.
"""

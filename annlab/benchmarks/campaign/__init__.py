"""``annlab bench``: compare k-means implementations, and measure annlab.

- `targets`: the cases of annlab's own figures, with their goals; `verdicts` judges them.
- `grid`: never slower than scikit-learn, over a grid of shapes.
- `untuned`: distributions not used for tuning.
- `growth`: exponents of time in points, clusters and features.
- `memory`: peak memory above the rows.
- `page`: one page over whatever of these was run.

`peers` has one entry for each way to run k-means. `running` measures ladders of peers, `cells` the
other parts; both send fits to a `child` process and append the figures to a `store`, which is tied
to a digest of what fits return (`behaviour`).
"""

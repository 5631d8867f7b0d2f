"""What ``annlab bench`` runs: k-means implementations side by side, and the figures of annlab.

- `targets`: the cases of annlab's own figures, target against reached; `verdicts` judges them.
- `grid`: never slower than scikit-learn, over a grid of shapes.
- `untuned`: distributions that nobody tuned on.
- `growth`: exponents of time in points, clusters and features.
- `memory`: peak memory above the rows.
- `page`: one page over whatever of these was run.

`running` compares peers in turns, `cells` measures the parts, and `worker` is the process in which
both happen. Everything measured is tied to a digest of what fits do (`behaviour`).
"""

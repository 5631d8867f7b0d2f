"""Quality of a projection to two or three dimensions."""

from __future__ import annotations

import warnings

import numpy as np

from annlab._support.checks import (
    check_choice,
    check_data,
    check_integer,
    check_random_state,
)
from annlab._support.errors import AnnlabWarning, invalid
from annlab._support.types import MatrixLike, Seed

#: `trustworthiness` samples more points than this: it holds n² distances.
TRUSTWORTHINESS_ALL = 5_000


def trustworthiness(
    X: MatrixLike,
    embedding: MatrixLike,
    *,
    n_neighbors: int = 5,
    metric: str = "euclidean",
    random_state: Seed = 0,
) -> float:
    """Measure how many neighbours in a picture are neighbours in the data.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n, d)
    embedding : array-like of shape (n, 2 or 3)
    n_neighbors : int, default=5
        Below n / 2.
    metric : {"euclidean", "cosine"}, default="euclidean"
        Of ``X``; in the picture distances are Euclidean.
    random_state : None, int, RandomState or Generator, default=0
        Draws 5,000 rows of more, with a warning: the measure holds n² distances.

    Returns
    -------
    float
        From 0 to 1; 1 means that no point of the picture has a false neighbour.

    Raises
    ------
    TypeError, ValueError

    Notes
    -----
    O(n²·d). Venna & Kaski (2001), "Neighborhood preservation in nonlinear projection methods",
    doi 10.1007/3-540-44668-0_68.

    Examples
    --------
    >>> import numpy as np
    >>> from annlab.metrics import trustworthiness
    >>> X = np.random.RandomState(0).rand(100, 2)
    >>> float(trustworthiness(X, 3 * X))
    1.0
    """
    from sklearn.manifold import trustworthiness as measure

    check_choice(metric, "metric", ("euclidean", "cosine"))
    X = check_data(X, accept_sparse=True, min_rows=3)
    embedding = check_data(embedding, name="embedding")
    n = X.shape[0]
    if len(embedding) != n:
        raise invalid("embedding", f"an array of {n} rows, one per row of X", embedding.shape)
    if n > TRUSTWORTHINESS_ALL:
        chosen = np.sort(
            check_random_state(random_state).choice(n, TRUSTWORTHINESS_ALL, replace=False)
        )
        X, embedding, n = X[chosen], embedding[chosen], TRUSTWORTHINESS_ALL
        warnings.warn(
            f"Trustworthiness is measured on {n:,} random points: all would need n² distances.",
            AnnlabWarning,
            stacklevel=2,
        )
    largest = -(-n // 2) - 1
    n_neighbors = check_integer(n_neighbors, "n_neighbors", maximum=largest)
    return float(measure(X, embedding, n_neighbors=n_neighbors, metric=metric))

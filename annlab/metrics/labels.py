"""Checks of labels, and the agreement of two labellings."""

from __future__ import annotations

from typing import Any

import numpy as np

from annlab._support.checks import (
    as_array,
)
from annlab._support.errors import invalid
from annlab._support.types import LabelsLike


def _labels_of(labels: object) -> Any:
    """Return the labels of a result or fitted estimator, else the argument."""
    for name in ("labels", "labels_"):
        if hasattr(labels, name):
            return getattr(labels, name)
    return labels


def check_labels(labels: LabelsLike, name: str, n: int | None = None) -> np.ndarray:
    """Accept ``n`` labels: integers, names (sorted and numbered), or a result.

    Returns
    -------
    ndarray of shape (n,), int64
        Negative for outliers.
    """
    array = as_array(_labels_of(labels), name)
    if array.ndim != 1:
        raise invalid(name, "a 1-D array, one label per point", f"shape {array.shape}")
    if n is not None and len(array) != n:
        raise invalid(
            name, f"an array of shape ({n},), one label per row of X", f"shape {array.shape}"
        )
    if array.dtype.kind in "OUS":
        try:
            return np.unique(array, return_inverse=True)[1].astype(np.int64)
        except TypeError as reason:
            raise invalid(
                name, "integers, or names of a single type", reason, error=TypeError
            ) from None
    if array.dtype.kind == "f" and not np.array_equal(array, np.floor(array)):
        raise invalid(
            name,
            "whole numbers",
            "fractions or NaN",
            "Pass labels, not distances or probabilities.",
        )
    if array.dtype.kind not in "iubf":
        raise invalid(name, "integers", f"dtype {array.dtype}", error=TypeError)
    return array.astype(np.int64)


def label_agreement(labels: LabelsLike, reference: LabelsLike, *, match: bool = False) -> float:
    """Return the share of the points on which two labellings agree.

    Parameters
    ----------
    labels, reference : array-like of shape (n,), or results
        Points that are −1 in either are left out.
    match : bool, default=False
        False compares the numbers, for two assignments to the *same* centroids. True first pairs
        the clusters for the largest agreement (Kuhn 1955, doi 10.1002/nav.3800020109), for
        different clusterings.

    Returns
    -------
    float
        From 0 to 1; NaN if no point is labelled in both.

    Raises
    ------
    TypeError, ValueError

    Examples
    --------
    >>> from annlab.metrics import label_agreement
    >>> label_agreement([0, 0, 1, 1], [1, 1, 0, 2])
    0.0
    >>> label_agreement([0, 0, 1, 1], [1, 1, 0, 2], match=True)
    0.75
    """
    ours = check_labels(labels, "labels")
    theirs = check_labels(reference, "reference", len(ours))
    both = (ours >= 0) & (theirs >= 0)
    if not both.any():
        return float("nan")
    if not match:
        return float(np.mean(ours[both] == theirs[both]))
    from scipy.optimize import linear_sum_assignment
    from sklearn.metrics.cluster import contingency_matrix

    table = contingency_matrix(theirs[both], ours[both])
    rows, columns = linear_sum_assignment(table, maximize=True)
    return float(table[rows, columns].sum() / both.sum())


def purity(labels: LabelsLike, reference: LabelsLike) -> float:
    """Return the share of points in their cluster's most frequent true group.

    Parameters
    ----------
    labels : array-like of shape (n,), or a result
    reference : array-like of shape (n,)
        True groups. Points that are −1 in either are left out.

    Returns
    -------
    float
        From 0 to 1; it rises with the number of clusters, so compare it only at one k.

    Raises
    ------
    TypeError, ValueError

    Examples
    --------
    >>> from annlab.metrics import purity
    >>> purity([0, 0, 0, 1, 1], ["a", "a", "b", "c", "c"])
    0.8
    """
    from sklearn.metrics.cluster import contingency_matrix

    ours = check_labels(labels, "labels")
    truth = check_labels(reference, "reference", len(ours))
    both = (ours >= 0) & (truth >= 0)
    if not both.any():
        return float("nan")
    table = contingency_matrix(truth[both], ours[both], sparse=True)
    return float(table.max(axis=0).sum() / both.sum())

"""Types of the arguments that every room takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

if TYPE_CHECKING:
    from scipy.sparse import csr_array, csr_matrix

#: What `check_random_state` accepts.
Seed: TypeAlias = "int | np.random.RandomState | np.random.Generator | None"
#: What `check_data` accepts: anything that NumPy can turn into a matrix, or a sparse one.
MatrixLike: TypeAlias = "ArrayLike | csr_matrix | csr_array"
#: What `check_data` returns where sparse input is accepted.
Matrix: TypeAlias = "np.ndarray | csr_matrix | csr_array"


class HasLabels(Protocol):
    """A result of a fit."""

    @property
    def labels(self) -> np.ndarray: ...


#: What `annlab.metrics.check_labels` accepts.
LabelsLike: TypeAlias = "ArrayLike | HasLabels"

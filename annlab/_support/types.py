"""Types of common arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

if TYPE_CHECKING:
    from scipy.sparse import csr_array, csr_matrix

#: Accepted by `check_random_state`.
Seed: TypeAlias = "int | np.random.RandomState | np.random.Generator | None"
#: Accepted by `check_data`.
MatrixLike: TypeAlias = "ArrayLike | csr_matrix | csr_array"
#: Returned by `check_data` with ``accept_sparse``.
Matrix: TypeAlias = "np.ndarray | csr_matrix | csr_array"


class HasLabels(Protocol):
    """A result of a fit."""

    @property
    def labels(self) -> np.ndarray: ...


#: Accepted by `annlab.metrics.check_labels`.
LabelsLike: TypeAlias = "ArrayLike | HasLabels"

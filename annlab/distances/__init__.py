"""Exact distances, in blocks of bounded memory, computed only here.

Data is float32, float64 or, for queries, SciPy CSR. Results are computed in the type of the data,
and a caller's array is never written to. Large products run through BLAS as
``‖q − x‖² = ‖q‖² − 2 q·x + ‖x‖²``; chosen pairs are computed by differences, which do not cancel.
How ties are decided is explained in `annlab.distances.ties`.
"""

from annlab.distances.pairs import from_squared as from_squared
from annlab.distances.pairs import listed_sq as listed_sq
from annlab.distances.pairs import paired_sq as paired_sq
from annlab.distances.pairs import pairwise_sq as pairwise_sq
from annlab.distances.pairs import squared_norms as squared_norms
from annlab.distances.pairs import unit_means as unit_means
from annlab.distances.pairs import unit_rows as unit_rows
from annlab.distances.search import Frame as Frame
from annlab.distances.search import frame_of as frame_of
from annlab.distances.search import k_nearest as k_nearest
from annlab.distances.search import nearest as nearest
from annlab.distances.ties import decide as decide
from annlab.distances.ties import first_least as first_least
from annlab.distances.ties import ranked as ranked
from annlab.distances.ties import rivals as rivals
from annlab.distances.ties import same_total as same_total
from annlab.distances.ties import uncertain as uncertain

"""Any index that faiss's ``index_factory`` can make."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from annlab._support.checks import check_data, check_integer, check_random_state
from annlab._support.errors import invalid, require
from annlab._support.types import MatrixLike, Seed
from annlab.distances import unit_rows
from annlab.indexes._base import Frame, NeighborIndex

#: faiss's own defaults, used for a knob that is None.
_FAISS_DEFAULTS = {"nprobe": 1.0, "efSearch": 16.0}


class FaissIndex(NeighborIndex):
    """An index of faiss, named by its factory string.

    Parameters
    ----------
    factory : str, default="HNSW32"
        String of ``faiss.index_factory``, such as ``"Flat"`` (exact), ``"HNSW32"``,
        ``"IVF64,Flat"`` (cells), ``"IVF64,PQ8"`` (compressed) or ``"PCA32,Flat"``.
    nprobe : int, optional
        Cells that a query looks into, for IVF; by default 1.
    ef : int, optional
        Nearest nodes that a search keeps (faiss: ``efSearch``), for HNSW; by default 16.
    search_params : dict, optional
        Other parameters of faiss's ``ParameterSpace``, such as ``{"quantizer_efSearch": 64}``
        or ``{"k_factor_rf": 4}``.
    metric : {"euclidean", "cosine"}, default="euclidean"
    random_state : None, int, RandomState or Generator, default=None
        Seeds the training and the levels of HNSW; None keeps faiss's fixed seeds.
    max_points_per_centroid : int, optional
        Train cells and codewords on a random sample of at most this many rows for each of them
        (faiss's default is 256). None trains on all rows.
    n_jobs : int or None, default=None
        Threads for queries; building uses one.

    Attributes
    ----------
    exact : bool
        True for ``factory="Flat"``.
    knobs, query_knobs
        By factory: ``nprobe`` for IVF, ``ef`` for HNSW, none otherwise.
    index_ : faiss.Index

    Raises
    ------
    MissingExtraError
        If faiss is not installed.
    ValueError, TypeError
        If faiss refuses the factory string, or cannot train it on these rows.

    Notes
    -----
    faiss computes in float32: rows are shifted and scaled first if that keeps digits, and the rows
    returned are compared exactly; `candidates` returns faiss's own answers. ``n_distances_`` is
    None except for ``"Flat"``: faiss's counters are global. Product quantizers are ordered for
    polysemous search only if ``search_params`` has ``"ht"`` at ``fit``, because that takes longer
    than the rest of the training. Johnson, Douze & Jégou 2021, doi 10.1109/TBDATA.2019.2921572;
    Douze et al. 2024, arXiv 2401.08281.

    Examples
    --------
    >>> import numpy as np
    >>> from annlab.indexes.faiss_index import FaissIndex
    >>> X = np.random.RandomState(0).rand(300, 8)
    >>> index = FaissIndex("IVF8,Flat", nprobe=8).fit(X)
    >>> index.kneighbors(X[5:8], 1)[1].ravel()
    array([5, 6, 7])
    """

    name = "faiss"

    def __init__(
        self,
        factory: str = "HNSW32",
        *,
        nprobe: int | None = None,
        ef: int | None = None,
        search_params: dict[str, float] | None = None,
        metric: str = "euclidean",
        random_state: Seed = None,
        max_points_per_centroid: int | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self.factory = factory
        self.nprobe = nprobe
        self.ef = ef
        self.search_params = search_params
        self.metric = metric
        self.random_state = random_state
        self.max_points_per_centroid = max_points_per_centroid
        self.n_jobs = n_jobs

    @property
    def exact(self) -> bool:  # type: ignore[override]
        """Whether every row is compared in full: True for ``factory="Flat"``."""
        return self.factory == "Flat"

    @property
    def knobs(self) -> dict[str, tuple]:
        """Ladders of the knobs that this factory string has."""
        ladders: dict[str, tuple] = {}
        factory = str(self.factory)
        if "IVF" in factory or "IMI" in factory:
            ladders["nprobe"] = (1, 2, 4, 8, 16, 32)
        elif "HNSW" in factory:
            ladders["ef"] = (10, 20, 40, 80, 160, 320)
        return ladders

    @property
    def query_knobs(self) -> tuple[str, ...]:
        """All of ``knobs``, and ``search_params``."""
        return (*self.knobs, "search_params")

    def _settings(self) -> dict[str, float]:
        settings: dict[str, float] = {}
        if self.nprobe is not None:
            settings["nprobe"] = check_integer(self.nprobe, "nprobe")
        if self.ef is not None:
            settings["efSearch"] = check_integer(self.ef, "ef")
        if self.search_params is not None:
            if not isinstance(self.search_params, dict):
                raise invalid(
                    "search_params",
                    "a dict of faiss parameter names and numbers",
                    repr(self.search_params),
                    "For example {'nprobe': 8}.",
                    error=TypeError,
                )
            settings.update(self.search_params)
        return settings

    def _check_query_params(self) -> None:
        settings = self._settings()
        if hasattr(self, "index_"):
            self._apply(self.index_, settings)

    def _apply(self, index: Any, settings: dict[str, float]) -> None:
        faiss = load_faiss()
        for name, value in _FAISS_DEFAULTS.items():
            if name not in settings:
                try:
                    faiss.ParameterSpace().set_index_parameter(index, name, value)
                except RuntimeError:
                    continue  # an index of another kind
        for name, value in settings.items():
            if name == "ht" and getattr(self, "index_", None) is index and not self._polysemous:
                raise invalid(
                    "search_params",
                    "given at fit if it has 'ht'",
                    f"ht={value!r} afterwards",
                    "Fit again: polysemous search needs codes in a special order.",
                )
            try:
                faiss.ParameterSpace().set_index_parameter(index, name, float(value))
            except (RuntimeError, TypeError, ValueError) as reason:
                parameter = {"efSearch": "ef"}.get(name, name)
                if self.search_params and name in self.search_params:
                    parameter = "search_params"
                raise invalid(
                    parameter,
                    f"a setting of the factory {self.factory!r}",
                    f"{name}={value!r} ({_short(reason)})",
                    "IVF indexes have nprobe, HNSW indexes have efSearch (ef).",
                ) from reason

    def _build(self, X: np.ndarray) -> None:
        settings = self._settings()
        if self.max_points_per_centroid is not None:
            check_integer(self.max_points_per_centroid, "max_points_per_centroid")
        frame = Frame(X, np.float32)
        rows = frame.apply(X)
        n, d = rows.shape
        index = _new_index(d, self.factory)
        _prepare_training(
            index,
            None if self.random_state is None else check_random_state(self.random_state),
            self.max_points_per_centroid,
            polysemous="ht" in settings,
        )
        cells = _cells(index)
        if cells > n:
            raise invalid(
                "factory",
                f"trainable on the {n} rows of X",
                f"{self.factory!r}, which has {cells} cells",
                "Use at most as many cells as rows, for example "
                f"'IVF{max(1, round(n**0.5))},Flat'.",
            )
        try:
            with faiss_threads():
                index.train(rows)
                index.add(rows)
        except RuntimeError as reason:
            raise invalid(
                "factory",
                f"trainable on the {n} rows of X",
                f"{self.factory!r} ({_short(reason)})",
                "Use more rows, fewer cells, or fewer bits a code ('PQ8x4' has 4 bits).",
            ) from reason
        self._apply(index, settings)
        self.index_ = index
        self._polysemous = "ht" in settings
        self._frame = frame
        self._largest = float(np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64).max()))

    def _search(self, Q: np.ndarray, n_neighbors: int) -> tuple[np.ndarray, int | None]:
        n = self.index_.ntotal
        # spare rows, for near-ties in float32 and for ties of an exact index
        wanted = min(n_neighbors + 4, n)
        with faiss_threads():
            rows = self.index_.search(self._frame.apply(Q), wanted)[1]
        return rows, len(Q) * n if self.exact else None

    def candidates(self, Q: MatrixLike, n_neighbors: int = 1) -> np.ndarray:
        """Return rows in faiss's order by code, without the exact comparison.

        Parameters
        ----------
        Q : array-like of shape (nq, d)
        n_neighbors : int, default=1

        Returns
        -------
        ndarray of shape (nq, n_neighbors), int64
            −1 for a missing one.

        Raises
        ------
        ValueError, TypeError

        Examples
        --------
        >>> import numpy as np
        >>> from annlab.indexes.faiss_index import FaissIndex
        >>> X = np.arange(8.0)[:, None]
        >>> FaissIndex("Flat").fit(X).candidates([[2.2], [6.9]]).ravel()
        array([2, 7])
        """
        Q = self._queries(Q)
        n_neighbors = check_integer(n_neighbors, "n_neighbors", maximum=self.n_samples_fit_)
        with faiss_threads():
            return np.asarray(self.index_.search(Q, n_neighbors)[1])

    def compared(self, Q: MatrixLike) -> np.ndarray:
        """Count the rows compared with each query, without centroids of cells.

        Parameters
        ----------
        Q : array-like of shape (nq, d)

        Returns
        -------
        ndarray of shape (nq,), int64
            IVF: rows in the ``nprobe`` nearest cells. HNSW: distances along the walk, by a counter
            of faiss that includes searches of other threads. Otherwise all rows.

        Raises
        ------
        ValueError, TypeError

        Examples
        --------
        >>> import numpy as np
        >>> from annlab.indexes.faiss_index import FaissIndex
        >>> X = np.random.RandomState(0).rand(300, 2)
        >>> index = FaissIndex("IVF4,Flat", nprobe=4).fit(X)
        >>> index.compared(X[:3])
        array([300, 300, 300])
        """
        faiss = load_faiss()
        Q = self._queries(Q)
        counts = np.full(len(Q), self.n_samples_fit_, dtype=np.int64)
        with faiss_threads():
            if _cells(self.index_):
                ivf, Q = self._cells_and(Q)
                probes = min(int(ivf.nprobe), int(ivf.nlist))
                sizes = np.array([ivf.invlists.list_size(cell) for cell in range(ivf.nlist)])
                found = ivf.quantizer.search(Q, probes)[1]
                counts = np.where(found >= 0, sizes[np.maximum(found, 0)], 0).sum(axis=1)
            elif "HNSW" in self.factory:
                for place in range(len(Q)):
                    faiss.cvar.hnsw_stats.reset()
                    self.index_.search(Q[place : place + 1], 1)
                    counts[place] = faiss.cvar.hnsw_stats.ndis
        return counts.astype(np.int64)

    def _queries(self, Q: MatrixLike) -> np.ndarray:
        self._check_fitted()
        Q = check_data(Q, name="Q", n_features=self.n_features_in_)
        if self._metric == "cosine":
            Q, _ = unit_rows(np.asarray(Q, dtype=np.float64))
        return np.ascontiguousarray(self._frame.apply(Q), dtype=np.float32)

    def _cells_and(self, rows: np.ndarray) -> tuple[Any, np.ndarray]:
        """Return the part that has cells, and the rows transformed for it."""
        faiss = load_faiss()
        part = faiss.downcast_index(self.index_)
        while not hasattr(part, "nlist"):
            if hasattr(part, "chain"):
                for place in range(part.chain.size()):
                    rows = faiss.downcast_VectorTransform(part.chain.at(place)).apply(rows)
                part = faiss.downcast_index(part.index)
            else:
                part = faiss.downcast_index(part.base_index)
        return part, rows

    def _slack(self, Q: np.ndarray) -> np.ndarray:
        # error of ‖q‖² − 2 q·x + ‖x‖² in float32
        Q = self._frame.apply(Q)
        reach = np.sqrt(np.einsum("ij,ij->i", Q, Q, dtype=np.float64)) + self._largest
        unit = float(np.finfo(np.float32).eps)
        return 2.0 * (Q.shape[1] + 4) * unit * (reach * self._frame.scale) ** 2


def _new_index(d: int, factory: str) -> Any:
    """Make an untrained index."""
    examples = "For example 'Flat', 'HNSW32' or 'IVF64,Flat'."
    if not isinstance(factory, str):
        raise invalid(
            "factory", "an index_factory string", repr(factory), examples, error=TypeError
        )
    # faiss ends the process on these instead of raising
    for pattern, rule, remedy in (
        (r"HNSW[01](?![0-9])", "an HNSW with at least 2 links a node", "Use 'HNSW16' or 'HNSW32'."),
        (r"PQ[0-9]+x0(?![0-9])", "a PQ with at least 1 bit a code", "Use 'PQ8x4'."),
    ):
        if re.search(pattern, factory):
            raise invalid("factory", rule, repr(factory), remedy)
    try:
        return load_faiss().index_factory(d, factory)
    except (RuntimeError, TypeError) as reason:
        raise invalid(
            "factory",
            f"an index_factory string that faiss understands for d={d}",
            f"{factory!r} ({_short(reason)})",
            examples,
        ) from reason


@contextmanager
def faiss_threads(n_threads: int = 1) -> Iterator[None]:
    """Set the number of threads of faiss, which is global, within the context."""
    faiss = load_faiss()
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(n_threads)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def load_faiss(purpose: str = "for the 'faiss' index") -> Any:
    """Import faiss, or raise `MissingExtraError` with the purpose."""
    return require("faiss", purpose=purpose, extra="lab")


def _short(reason: Exception) -> str:
    """Shorten an error of faiss: no C++ location, at most 100 characters."""
    text = " ".join(str(reason).split())
    text = re.sub(r"^Error in .*? at \S+:\d+: ", "", text)
    return re.sub(r"^Error: '.*?' failed: ", "", text)[:100]


def _cells(index: Any) -> int:
    try:
        return int(load_faiss().extract_index_ivf(index).nlist)
    except RuntimeError:
        return 0


def _prepare_training(
    index: Any, rng: np.random.RandomState | None, most: int | None, *, polysemous: bool
) -> None:
    """Seed all random parts of an index, and set their training sample."""
    faiss = load_faiss()
    seed = None if rng is None else int(rng.randint(1, 2**31 - 1))
    part = index
    while part is not None:
        part = faiss.downcast_index(part)
        owners = [part, getattr(part, "pq", None)]
        if hasattr(part, "chain"):
            steps = [part.chain.at(i) for i in range(part.chain.size())]
            owners += [getattr(faiss.downcast_VectorTransform(s), "pq", None) for s in steps]
        for owner in owners:
            cp = getattr(owner, "cp", None)
            if cp is not None:
                cp.min_points_per_centroid = 1
                cp.max_points_per_centroid = most or 1 << 30
                if seed is not None:
                    cp.seed = seed
            if not polysemous and getattr(owner, "do_polysemous_training", False):
                # takes many seconds, and only polysemous search uses it
                owner.do_polysemous_training = False
        if seed is not None and hasattr(part, "hnsw"):
            part.hnsw.rng = faiss.RandomGenerator(seed)
        # the part inside a transform, an id map, a refinement or a graph
        inner = (getattr(part, name, None) for name in ("index", "base_index", "storage"))
        part = next((p for p in inner if p is not None), None)

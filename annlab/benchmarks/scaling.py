"""Measure the parts of the time of one exact k-means iteration on many cores.

Chunks are handed to threads, as annlab does, or sent to processes, as the slide deck does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import repeat
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from annlab._support.checks import check_choice, check_data, check_integer, check_real
from annlab._support.errors import invalid
from annlab._support.threads import chunk_bounds
from annlab._support.types import MatrixLike
from annlab.benchmarks.pools import FIT_ITERATIONS as FIT_ITERATIONS
from annlab.benchmarks.pools import Crew
from annlab.benchmarks.pools import RecordedPool as RecordedPool
from annlab.benchmarks.pools import process_context as process_context
from annlab.distances import nearest, paired_sq

#: Ways to spread an iteration over cores.
WAYS = ("threads", "processes", "new processes")
#: The parts of an iteration, in the order in which they are drawn.
PARTS = ("assign", "update", "overhead", "pool start", "data transfer")


@dataclass(frozen=True, eq=False)
class IterationCost:
    """Seconds of one iteration by their use, and its result.

    Attributes
    ----------
    way : str
        One of `WAYS`.
    n_jobs, n_chunks, n_sharers : int
        Workers; chunks; workers that had a task (one, if the work was too little to hand out).
    assign_s, update_s : float
        Labelling the points and moving the centroids: seconds of tasks over the workers that
        shared them, and what one core does alone.
    overhead_s : float
        Handing out tasks and waiting for the last one.
    start_s : float
        Starting and ending the pool; a tenth of it if the pool serves a whole fit.
    transfer_s : float
        Sending rows and centroids to other processes, and labels back.
    assign_tasks_s, update_tasks_s : float
        Seconds inside shared tasks, all workers together.
    sent_bytes : int
        Bytes through pipes, both ways.
    labels : ndarray of shape (n,), int32
    centroids : ndarray of shape (k, d)
        After the update.
    """

    way: str
    n_jobs: int
    n_chunks: int
    n_sharers: int
    assign_s: float
    update_s: float
    overhead_s: float
    start_s: float
    transfer_s: float
    assign_tasks_s: float
    update_tasks_s: float
    sent_bytes: int
    labels: np.ndarray
    centroids: np.ndarray

    @property
    def parts(self) -> dict[str, float]:
        """Seconds by name, see `PARTS`."""
        values = (self.assign_s, self.update_s, self.overhead_s, self.start_s, self.transfer_s)
        return dict(zip(PARTS, values, strict=True))

    @property
    def total_s(self) -> float:
        """Seconds of the whole iteration."""
        return sum(self.parts.values())

    @property
    def serial_share(self) -> float:
        """Share of the time on one core that cannot be parallelised."""
        if self.n_jobs != 1:
            raise invalid("serial_share", "read from one worker's iteration", self.n_jobs)
        return max(0.0, 1.0 - (self.assign_tasks_s + self.update_tasks_s) / self.total_s)

    def same_bits(self, other: IterationCost) -> bool:
        """Return whether labels and centroids are the same to the last bit."""
        return (
            self.labels.tobytes() == other.labels.tobytes()
            and self.centroids.tobytes() == other.centroids.tobytes()
        )


def amdahl(serial_share: float, n_jobs: ArrayLike) -> Any:
    """Return the largest possible speed-up if a share of the work is serial.

    Parameters
    ----------
    serial_share : float
        From 0 to 1.
    n_jobs : int or array-like

    Returns
    -------
    float or ndarray
        1 / (s + (1 − s) / p).

    Raises
    ------
    ValueError

    Notes
    -----
    Amdahl (1967), "Validity of the single processor approach to achieving large scale computing
    capabilities", doi 10.1145/1465482.1465560.

    Examples
    --------
    >>> from annlab.benchmarks.scaling import amdahl
    >>> amdahl(0.0, 4), amdahl(0.25, 4), amdahl(1.0, 4)
    (4.0, 2.2857142857142856, 1.0)
    """
    share = check_real(serial_share, "serial_share")
    if share > 1:
        raise invalid("serial_share", "at most 1", serial_share)
    workers = np.asarray(n_jobs, dtype=np.float64)
    if not np.all(workers >= 1):
        raise invalid("n_jobs", "at least 1", n_jobs)
    answer = 1.0 / (share + (1.0 - share) / workers)
    return float(answer) if answer.ndim == 0 else answer


def predict_parts(cost: IterationCost, n_jobs: int) -> dict[str, float]:
    """Predict the parts of an iteration with more workers than were measured.

    Parameters
    ----------
    cost : IterationCost
        Measured with as many workers as there are cores, or with one.
    n_jobs : int
        At least as many.

    Returns
    -------
    dict of str to float
        As `IterationCost.parts`: tasks are shared by all workers that have a chunk; everything
        else costs at least what it did before. From one worker, and with nothing to send, this is
        Amdahl's law.

    Raises
    ------
    ValueError

    Examples
    --------
    >>> import numpy as np
    >>> from annlab.benchmarks.scaling import IterationCost, predict_parts
    >>> none = np.zeros(0)
    >>> one = IterationCost(
    ...     "processes", 1, 16, 1, assign_s=8.0, update_s=2.0, overhead_s=0.0, start_s=0.5,
    ...     transfer_s=1.0, assign_tasks_s=8.0, update_tasks_s=0.0, sent_bytes=0, labels=none,
    ...     centroids=none,
    ... )
    >>> predict_parts(one, 4)["assign"], predict_parts(one, 4)["update"]
    (2.0, 2.0)
    """
    n_jobs = check_integer(n_jobs, "n_jobs", minimum=cost.n_jobs)
    parts = cost.parts
    # work that was not handed out stays with one worker
    if cost.n_jobs == 1 or cost.n_sharers > 1:
        saved = 1.0 / cost.n_sharers - 1.0 / min(n_jobs, cost.n_chunks)
        parts["assign"] -= saved * cost.assign_tasks_s
        parts["update"] -= saved * cost.update_tasks_s
    return parts


def _label_chunk(rows: np.ndarray, centroids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    labels = nearest(rows, centroids).astype(np.int32)
    return labels, paired_sq(rows, centroids, labels)


def _sum_chunk(rows: np.ndarray, labels: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    from scipy.sparse import csr_matrix

    n = len(labels)
    members = csr_matrix((np.ones(n), labels, np.arange(n + 1)), shape=(n, k))
    return members.T @ rows.astype(np.float64), np.bincount(labels, minlength=k)


def measure_iteration(
    X: MatrixLike,
    centroids: MatrixLike,
    n_jobs: int = 1,
    *,
    way: str = "threads",
    chunk_rows: int | None = None,
    repeats: int = 3,
    callback: Callable[[], object] | None = None,
) -> IterationCost:
    """Time the parts of one exact k-means iteration.

    Parameters
    ----------
    X : array-like of shape (n, d)
    centroids : array-like of shape (k, d)
    n_jobs : int, default=1
        Workers.
    way : {"threads", "processes", "new processes"}, default="threads"
        Threads that share X (as in annlab); one pool of processes for a fit, to which the chunks
        are sent in each iteration; or a new pool in each iteration (as in the deck).
    chunk_rows : int, optional
        Rows of a chunk; by default as in annlab, whatever ``n_jobs``.
    repeats : int, default=3
        Iterations to time after a warm-up; the quickest is returned.
    callback : callable, optional
        Called after each iteration; may raise to end the measurement.

    Returns
    -------
    IterationCost

    Raises
    ------
    TypeError, ValueError

    Notes
    -----
    (repeats + 1) · 2·n·k·d operations. Sending is timed by a second round of tasks that do nothing.

    Examples
    --------
    >>> import numpy as np
    >>> from annlab.benchmarks.scaling import measure_iteration
    >>> X = np.random.RandomState(0).rand(2000, 8)
    >>> one, two = (measure_iteration(X, X[:20], n_jobs, repeats=1) for n_jobs in (1, 2))
    >>> one.same_bits(two), one.n_chunks, one.total_s > 0
    (True, 8, True)
    """
    X = check_data(X)
    start = check_data(centroids, name="centroids", n_features=X.shape[1]).astype(X.dtype)
    n_jobs = check_integer(n_jobs, "n_jobs")
    check_choice(way, "way", WAYS)
    n, d = X.shape
    if chunk_rows is None:
        chunk_rows = min(max(256, -(-n // 16)), max(256, (1 << 19) // d), 1 << 16)
    bounds = chunk_bounds(n, check_integer(chunk_rows, "chunk_rows"))
    repeats = check_integer(repeats, "repeats")
    found = []
    with Crew(n_jobs, way) as crew:
        for _ in range(repeats + 1):
            found.append(_one_iteration(X, start, bounds, crew))
            if callback is not None:
                callback()
    return min(found[1:], key=lambda cost: cost.total_s)


def _one_iteration(
    X: np.ndarray, centroids: np.ndarray, bounds: list[tuple[int, int]], crew: Crew
) -> IterationCost:
    n, d = X.shape
    k = len(centroids)
    chunks = [X[a:b] for a, b in bounds]
    tasks = [(chunk, centroids) for chunk in chunks]
    if crew.way == "threads":
        assign = crew.in_threads(_label_chunk, tasks, n * d * (k + 8))
    else:
        assign = crew.in_processes(_label_chunk, tasks)
    mapped = perf_counter()
    labels = np.concatenate([part for part, _ in assign.answers])
    joined_s = perf_counter() - mapped
    members = [labels[a:b] for a, b in bounds]
    begin = perf_counter()
    # with processes the update stays in the parent
    work = 4.0 * n * d if crew.way == "threads" else 0.0
    update = crew.in_threads(_sum_chunk, list(zip(chunks, members, repeat(k))), work)
    # in the order of the chunks, so the sums do not depend on which worker was first
    sums = sum(part for part, _ in update.answers)
    counts = sum(part for _, part in update.answers)
    moved = np.where(counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], centroids)
    update_s = perf_counter() - begin - (update.wall_s - update.shared_s)
    return IterationCost(
        way=crew.way,
        n_jobs=crew.n_jobs,
        n_chunks=len(bounds),
        n_sharers=assign.sharers,
        assign_s=joined_s + assign.shared_s,
        update_s=max(0.0, update_s),
        overhead_s=max(0.0, assign.overhead_s + update.overhead_s),
        start_s=assign.start_s if crew.way == "new processes" else crew.start_s,
        transfer_s=assign.transfer_s,
        assign_tasks_s=assign.tasks_s,
        update_tasks_s=update.tasks_s if crew.way == "threads" else 0.0,
        sent_bytes=assign.sent_bytes,
        labels=labels,
        centroids=moved.astype(X.dtype),
    )

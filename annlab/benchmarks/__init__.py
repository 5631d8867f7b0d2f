"""Measuring: k-means and searches, each time stored with its own run's quality and machine.

Times are wall times by `time.perf_counter`, warm-up is outside the clock, build and queries are
timed apart, and quality is recomputed here, in float64, outside the clock.

A fair run needs a quiet machine. Other processes take cores and caches, and OpenMP's threads spin
while they wait for a core, which costs scikit-learn, faiss and superkmeans more than annlab: a busy
machine flatters annlab. So close everything else, plug the power in, and let
``annlab bench --wait-idle 60`` wait before each process until others keep at most a quarter of a
core busy. Every run notes what others used meanwhile, and the page says which share was disturbed.
Peers take turns, in fresh processes, with the same rows, threads and seeds; what is tuned is never
judged with the seeds that it was tuned with.

- `annlab.benchmarks.targets`: the cases of annlab's own figures, target against reached.
- `annlab.benchmarks.grid`: never slower than scikit-learn, over a grid of shapes.
- `annlab.benchmarks.untuned`: distributions that nobody tuned on.
- `annlab.benchmarks.growth`: exponents of time in points, clusters and features.
- `annlab.benchmarks.memory`: peak memory above the rows.
- `annlab.benchmarks.page`: one page over whatever of these was run.
"""

from annlab.benchmarks.clustering import benchmark_kmeans, benchmark_kmeans_ann
from annlab.benchmarks.comparison import Comparison
from annlab.benchmarks.machine import machine_record, measure_floors
from annlab.benchmarks.running import compare
from annlab.benchmarks.search import (
    RecallSpeedCurve,
    RecallSpeedPoint,
    TradeoffPoint,
    accuracy_speed_tradeoff,
    benchmark_ann,
    benchmark_high_dim,
    recall_speed_curve,
)
from annlab.benchmarks.timing import Seconds

__all__ = [
    "Comparison",
    "RecallSpeedCurve",
    "RecallSpeedPoint",
    "Seconds",
    "TradeoffPoint",
    "accuracy_speed_tradeoff",
    "benchmark_ann",
    "benchmark_high_dim",
    "benchmark_kmeans",
    "benchmark_kmeans_ann",
    "compare",
    "machine_record",
    "measure_floors",
    "recall_speed_curve",
]

"""Measure k-means and searches: times with quality and machine.

Times are wall times by `time.perf_counter`. Warm-up is outside the clock, build and queries are
timed apart, and quality is recomputed in float64 outside the clock.

A fair run needs a quiet machine. Other processes take cores and caches, and OpenMP's threads spin
while they wait for a core, which costs scikit-learn, faiss and superkmeans more than annlab: a busy
machine flatters annlab. ``annlab bench --wait-idle 60`` waits before each process until others keep
at most a quarter of a core busy. Nothing is judged with the seeds that it was tuned with.

What notebooks use is in this folder: `timing`, `search`, `curves` and `clustering` measure,
`machine` describes, `deck`, `deck_parallel` and `scaling` are about the slides. What ``annlab
bench`` runs is in `campaign`.
"""

import sys
from importlib import import_module

from annlab.benchmarks.campaign.comparison import Comparison
from annlab.benchmarks.campaign.running import compare
from annlab.benchmarks.clustering import benchmark_kmeans, benchmark_kmeans_ann
from annlab.benchmarks.curves import RecallSpeedCurve, RecallSpeedPoint, recall_speed_curve
from annlab.benchmarks.machine import machine_record, measure_floors
from annlab.benchmarks.search import (
    TradeoffPoint,
    accuracy_speed_tradeoff,
    benchmark_ann,
    benchmark_high_dim,
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

#: Modules that moved into `campaign`; their old names keep working.
for _name in (
    *("cells", "command", "comparison", "grid", "growth", "memory", "page", "peers", "running"),
    *("store", "targets", "untuned", "workloads"),
):
    sys.modules[f"{__name__}.{_name}"] = import_module(f"{__name__}.campaign.{_name}")

"""Measuring: k-means and searches, each time stored with its own run's quality and machine.

Times are wall times by `time.perf_counter`, warm-up is outside the clock, build and queries are
timed apart, and quality is recomputed here, in float64, outside the clock.
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

"""Pure numbers: the metrics of both tasks, their intervals, and the comparison of two models on the same rows."""

from ferryman.metrics.registry import METRICS, Metric, worse_by

__all__ = ["METRICS", "Metric", "worse_by"]

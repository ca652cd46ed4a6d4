"""Pure numbers: the metrics of both tasks, their intervals, and the comparison of two models on the same rows."""

from ferryman.metrics.registry import METRICS, Metric, metric_named, metric_of, worse_by

__all__ = ["METRICS", "Metric", "metric_named", "metric_of", "worse_by"]

"""Counters and histograms of the server, under tensorflow_model_server's names."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Sequence


class Counter:
    """A number for each combination of label values; it only grows."""

    def __init__(self, name: str, description: str, labels: Sequence[str]) -> None:
        self.name, self.description, self.labels = name, description, tuple(labels)
        self.values: dict[tuple[str, ...], int] = {}
        self._lock = threading.Lock()

    def add(self, *values: str, by: int = 1) -> None:
        """Count `by` more at the label values, which come in the order of the labels."""
        with self._lock:
            self.values[values] = self.values.get(values, 0) + by


class Histogram:
    """How often a measure fell into which bucket, for each combination of label values."""

    def __init__(self, name: str, description: str, labels: Sequence[str], bounds: Sequence[float]) -> None:
        self.name, self.description, self.labels, self.bounds = name, description, tuple(labels), tuple(bounds)
        self.values: dict[tuple[str, ...], tuple[list[int], float]] = {}
        self._lock = threading.Lock()

    def add(self, *values: str, of: float) -> None:
        """One more measure `of` at the label values."""
        with self._lock:
            counts, total = self.values.get(values) or ([0] * (len(self.bounds) + 1), 0.0)
            counts[bisect_left(self.bounds, of)] += 1
            self.values[values] = counts, total + of


# monitoring::Buckets::Exponential(10, 1.8, 33), in microseconds (`servables/tensorflow/util.cc`).
MICROSECONDS = tuple(10 * 1.8**power for power in range(33))

REQUEST_COUNT = Counter(":tensorflow:serving:request_count", "The total number of requests.", ("model_name", "status"))
REQUEST_LATENCY = Histogram(
    ":tensorflow:serving:request_latency",
    "Distribution of wall time of the end-to-end request in microseconds.",
    ("model_name", "API", "entrypoint"),
    MICROSECONDS,
)

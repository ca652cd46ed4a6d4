"""Bounds that could never hold, or never fail."""

from __future__ import annotations

import math

from ferryman.metrics import Metric
from ferryman.spec.blocks import Margin, Requirement


def check_bound(bound: Requirement, metric: Metric) -> None:
    """ValueError for a bound on the wrong side, or out of the metric's range: it would hold always or never."""
    if (bound.at_least is None) == (metric.better == "higher"):
        right, wrong = ("at_least", "at_most") if metric.better == "higher" else ("at_most", "at_least")
        better = "more" if metric.better == "higher" else "less"
        raise ValueError(f"received {wrong}, expected {right}: {better} {metric.name} is better")
    value = bound.at_most if bound.at_least is None else bound.at_least
    if value is not None and not metric.low <= value <= metric.high:
        hint = " (write 95 % as 0.95)" if metric.high == 1.0 and 1.0 < value <= 100.0 else ""
        raise ValueError(
            f"received {value:g}, expected a value of {metric.name}: {metric.low:g} to {metric.high:g}{hint}"
        )


def check_margin(margin: Margin, metric: Metric) -> None:
    """ValueError for a margin that allows everything."""
    if math.isfinite(metric.high - metric.low) and margin.may_lose >= metric.high - metric.low:
        raise ValueError(f"received {margin.may_lose:g}, expected less than 1: {metric.name} lies between 0 and 1")

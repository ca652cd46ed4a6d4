"""The metrics by name: which task they judge, which way is better, and how a loss in them is scaled."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from ferryman.metrics import scores


@dataclass(frozen=True)
class Metric:
    """One metric; `compute(target, answer)` takes arrays as `ferryman.metrics.scores` says."""

    name: str
    task: Literal["class", "number"]
    better: Literal["higher", "lower"]
    relative: bool
    """Whether margins are fractions of the reference's value: the metric has a scale of its own."""

    low: float
    high: float
    """The range of its values."""

    compute: Callable[[np.ndarray, np.ndarray], float]


METRICS: Final[dict[str, Metric]] = {
    metric.name: metric
    for metric in (
        Metric("accuracy", "class", "higher", False, 0.0, 1.0, scores.accuracy),
        Metric("macro_f1", "class", "higher", False, 0.0, 1.0, scores.macro_f1),
        Metric("log_loss", "class", "lower", True, 0.0, math.inf, scores.log_loss),
        Metric("rmse", "number", "lower", True, 0.0, math.inf, scores.rmse),
        Metric("mae", "number", "lower", True, 0.0, math.inf, scores.mae),
        Metric("r2", "number", "higher", False, -math.inf, 1.0, scores.r2),
    )
}


def worse_by(metric: str, candidate: float, reference: float) -> float:
    """How much worse `candidate` is than `reference`: positive is worse; a fraction of the reference where `relative`.

    Worse than a reference of 0 is infinitely worse where fractions count: no margin allows it.
    """
    entry = METRICS[metric]
    worse = candidate - reference if entry.better == "lower" else reference - candidate
    if not entry.relative:
        return worse
    return worse / abs(reference) if reference else math.inf if worse > 0 else 0.0

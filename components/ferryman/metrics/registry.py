"""The metrics by name: which task they judge, which way is better, and how a loss in them is scaled."""

from __future__ import annotations

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

    compute: Callable[[np.ndarray, np.ndarray], float]


METRICS: Final[dict[str, Metric]] = {
    metric.name: metric
    for metric in (
        Metric("accuracy", "class", "higher", False, scores.accuracy),
        Metric("macro_f1", "class", "higher", False, scores.macro_f1),
        Metric("log_loss", "class", "lower", True, scores.log_loss),
        Metric("rmse", "number", "lower", True, scores.rmse),
        Metric("mae", "number", "lower", True, scores.mae),
        Metric("r2", "number", "higher", False, scores.r2),
    )
}

SMALLEST_SCALE = 1e-12
"""Below this a reference is 0 for all purposes, and a fraction of it says nothing: differences are then absolute."""


def worse_by(metric: str, candidate: float, reference: float) -> float:
    """How much worse `candidate` is than `reference`: positive is worse; a fraction of the reference where `relative`."""
    entry = METRICS[metric]
    worse = candidate - reference if entry.better == "lower" else reference - candidate
    return worse / abs(reference) if entry.relative and abs(reference) > SMALLEST_SCALE else worse

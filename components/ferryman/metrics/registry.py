"""The metrics by name: which task they judge, which way is better, and how a loss in them is scaled."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from ferryman.code.loading import load_class
from ferryman.code.place import blaming, wrong
from ferryman.code.reference import is_reference
from ferryman.metrics import scores, user


@dataclass(frozen=True)
class Metric:
    """One metric; `compute(target, answer)` takes arrays as `ferryman.metrics.scores` says."""

    name: str
    """How reports and messages call it."""

    task: Literal["class", "number"]
    better: Literal["higher", "lower"]
    relative: bool
    """Whether margins are fractions of the reference's value: the metric has a scale of its own."""

    low: float
    high: float
    """The range of its values."""

    compute: Callable[[np.ndarray, np.ndarray], float]

    over: Callable[[np.ndarray, np.ndarray], scores.OverRows] | None = None
    """The same with the work per row done once; for resampling, which asks for thousands of choices of the rows."""

    def over_rows(self, target: np.ndarray, answer: np.ndarray) -> scores.OverRows:
        """The metric of any choice of these rows (indexes [m], repeats allowed): bit for bit what `compute` gives."""
        if self.over:
            return self.over(target, answer)
        return lambda chosen: self.compute(target[chosen], answer[chosen])


METRICS: Final[dict[str, Metric]] = {
    metric.name: metric
    for metric in (
        Metric("accuracy", "class", "higher", False, 0.0, 1.0, scores.accuracy, scores.accuracy_over),
        Metric("macro_f1", "class", "higher", False, 0.0, 1.0, scores.macro_f1, scores.macro_f1_over),
        Metric("log_loss", "class", "lower", True, 0.0, math.inf, scores.log_loss, scores.log_loss_over),
        Metric("rmse", "number", "lower", True, 0.0, math.inf, scores.rmse, scores.rmse_over),
        Metric("mae", "number", "lower", True, 0.0, math.inf, scores.mae, scores.mae_over),
        Metric("r2", "number", "higher", False, -math.inf, 1.0, scores.r2),
    )
}


def metric_named(name: str, where: str = "metric") -> Metric:
    """The built-in metric of this name, or the user's own of this reference (where its code can be imported).

    `where` is its place in the spec, for messages.

    Raises:
        SpecError, UserCodeError: the user's class cannot be had, or is no metric.
    """
    if not is_reference(name):
        return METRICS[name]
    found = load_class(name, user.Metric, where)  # type: ignore[type-abstract]
    with blaming(found, f"{found.__name__}() fails, expected a class that needs no arguments"):
        made = found()
    return metric_of(made)


def metric_of(metric: user.Metric) -> Metric:
    """The entry of a user's metric.

    Raises:
        UserCodeError: it does not say what it measures, or has the name of a built-in one.
    """
    kind = type(metric)
    user.check_declaration(kind)
    if kind.name in METRICS:
        raise wrong(kind, f"the metric {kind.__name__} has the name of the built-in {kind.name}: rename it")
    return Metric(kind.name, kind.task, kind.better, kind.relative, -math.inf, math.inf, user.computing(metric))


def worse_by(metric: str | Metric, candidate: float, reference: float) -> float:
    """How much worse `candidate` is than `reference`: positive is worse; a fraction of the reference where `relative`.

    Worse than a reference of 0 is infinitely worse where fractions count: no margin allows it.
    """
    entry = metric_named(metric) if isinstance(metric, str) else metric
    worse = candidate - reference if entry.better == "lower" else reference - candidate
    if not entry.relative:
        return worse
    return worse / abs(reference) if reference else math.inf if worse > 0 else 0.0

"""How good the model is on the validation split after each epoch."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from ferryman.errors import StepError
from ferryman.metrics import METRICS, Metric, metric_named
from ferryman.models.core import ClassHead, Head
from ferryman.steps.train.trained import TrainedModel

LOSS = "loss"


@dataclass
class Validation:
    """The validation split, ready to be measured again and again."""

    model: TrainedModel
    device: Mapping[str, np.ndarray]
    target: np.ndarray
    """Class ids [n], or numbers [n] in the label's unit."""

    metrics: Collection[str | Metric] = ()
    """Metrics of the task, by name or reference, that are measured beside the loss."""

    latest: dict[str, float] = field(default_factory=dict)

    def measure(self) -> dict[str, float]:
        """The loss and every metric of the model as it is now.

        Raises:
            StepError: one is not finite.
        """
        (prediction,) = self.model.numbers(self.device).values()
        self.latest = {LOSS: loss(self.model.head, self.target, prediction)}
        self.latest |= {m.name: float(m.compute(self.target, prediction)) for m in self._entries.values()}
        for name, value in self.latest.items():
            if not math.isfinite(value):
                raise StepError(
                    f"the validation metric {name} is {value}, expected a finite number: "
                    "try a lower train.optimizer.learning_rate, or look for extreme values in the validation rows"
                )
        return self.latest

    def cost(self, name: str) -> float:
        """The latest value of the loss, or of a metric by the name it is asked for, so that less of it is better."""
        if name == LOSS:
            return self.latest[LOSS]
        metric = metric_named(name)
        return -self.latest[metric.name] if metric.better == "higher" else self.latest[metric.name]

    @cached_property
    def _entries(self) -> dict[str, Metric]:
        """Each metric once, by its name."""
        entries = [metric_named(metric) if isinstance(metric, str) else metric for metric in self.metrics]
        return {entry.name: entry for entry in entries}

    @property
    def trainable(self) -> np.ndarray:
        """The target as fitting sees it."""
        return trainable(self.model.head, self.target)


def trainable(head: Head, target: np.ndarray) -> np.ndarray:
    """What the loss is taken against: class ids, or numbers of mean 0 and deviation 1, which any optimizer reaches."""
    if isinstance(head, ClassHead):
        return target
    return ((target - head.mean) / head.deviation).astype(np.float32)


def loss(head: Head, target: np.ndarray, prediction: np.ndarray) -> float:
    """What fitting minimises: mean cross-entropy in nats for classes, mean squared error in deviations for numbers."""
    if isinstance(head, ClassHead):
        return METRICS["log_loss"].compute(target, prediction)
    return float(np.square((prediction.astype(np.float64) - target) / head.deviation).mean())

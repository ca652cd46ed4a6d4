"""How good the model is on the validation split after each epoch."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np

from ferryman.errors import StepError
from ferryman.metrics import METRICS
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

    metrics: Collection[str] = ()
    """Metrics of the task that are measured beside the loss."""

    latest: dict[str, float] = field(default_factory=dict)

    def measure(self) -> dict[str, float]:
        """The loss and every metric of the model as it is now.

        Raises:
            StepError: one is not finite.
        """
        (prediction,) = self.model.numbers(self.device).values()
        self.latest = {LOSS: loss(self.model.head, self.target, prediction)}
        self.latest |= {name: float(METRICS[name].compute(self.target, prediction)) for name in self.metrics}
        for name, value in self.latest.items():
            if not math.isfinite(value):
                raise StepError(
                    f"the validation metric {name} is {value}, expected a finite number: "
                    "try a lower train.optimizer.learning_rate, or look for extreme values in the validation rows"
                )
        return self.latest

    def cost(self, name: str) -> float:
        """The latest value of a metric with the sign that makes less of it better."""
        higher = name != LOSS and METRICS[name].better == "higher"
        return -self.latest[name] if higher else self.latest[name]


def loss(head: Head, target: np.ndarray, prediction: np.ndarray) -> float:
    """What fitting minimises: mean cross-entropy in nats for classes, mean squared error in deviations for numbers."""
    if isinstance(head, ClassHead):
        return METRICS["log_loss"].compute(target, prediction)
    return float(np.square((prediction.astype(np.float64) - target) / head.deviation).mean())
